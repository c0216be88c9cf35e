"""Names that fit a column of the graph: cut in the middle, and never two alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from tutor.text_width import cut, width
from tutor.ui.render.segments import UNICODE, middle_cut

_MORE = UNICODE.more


def short_names(names: Iterable[str], cells: int) -> Mapping[str, str]:
    """Return a text of at most `cells` cells for each name; different names have different texts."""
    return _short_names(tuple(dict.fromkeys(names)), max(cells, 1))


@lru_cache(64)
def _short_names(names: tuple[str, ...], cells: int) -> Mapping[str, str]:
    long = [name for name in names if width(name) > cells]
    short = {name: name for name in names if width(name) <= cells}
    if not long:
        return short
    head = common_head(names)
    wanted = (cells - 1) * 2 // 3
    tails = sorted(range(cells), key=lambda tail: abs(tail - wanted))
    variants = [{name: _MORE + name[len(head) :] for name in long}] if head else []
    if not all(width(text) <= cells for variant in variants for text in variant.values()):
        variants = []
    for variant in (*variants, *({name: middle_cut(name, cells, tail) for name in long} for tail in tails)):
        if len({*variant.values(), *short.values()}) == len(names):
            return {**short, **variant}
    return {**short, **{name: _numbered(name, index, cells) for index, name in enumerate(long, 1)}}


def without_place(name: str) -> str:
    """Return `×20` of the name of a repeated chain, `blocks ×20`; other names as they are."""
    place, _space, times = name.rpartition(" ")
    return times if place and times.startswith("×") else name


def common_head(names: tuple[str, ...]) -> str:
    """Return what all names begin with, up to a dot or a bracket."""
    first, last = min(names), max(names)
    same = next((index for index, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), 0)
    head = first[:same]
    return head[: max(head.rfind("."), head.rfind("[")) + 1]


def _numbered(name: str, number: int, cells: int) -> str:
    """Return the beginning of a name with a number, where cutting does not tell it from the others."""
    end = f"{_MORE}{number}"
    return cut(name, cells - width(end), "") + end if width(end) < cells else end
