"""Explaining lines that have to fit: what matters least gives way."""

from __future__ import annotations

import re

from tutor.text_width import cut, width
from tutor.ui.draw.row import Piece, row_width

_BETWEEN: Piece = (" · ", "quiet")
_EQUALS = " = "
_STEP = re.compile(r"\.?[^.\[\]]+|\[[^\]]*\]")
_LEAST = 16
"""Code is not cut to less."""


def shortened(pieces: list[Piece], cells: int) -> list[Piece]:
    """A line of parts. What went wrong stays, then what has colour, then the last of what is said in quiet words, and
    of that at least what stands before its colon."""
    if row_width(pieces) <= cells:
        return pieces
    parts = [_worked_out(part) for part in _parts(pieces)]
    wrong = [at for at, part in enumerate(parts) if any("error" in role for _, role in part)]
    telling = [at for at, part in enumerate(parts) if not all(role == "quiet" for _, role in part)]
    quiet = [at for at in reversed(range(len(parts))) if at not in telling]
    kept: dict[int, list[Piece]] = {}
    for at in dict.fromkeys([0, *wrong, *telling, *quiet]):
        ways = [parts[at], *_briefer(parts[at])]
        fits = next((way for way in ways if row_width(_joined({**kept, at: way})) <= cells), None)
        needed = not kept or (len(kept) == 1 and at in telling)
        if fits is not None or needed:
            kept[at] = fits or parts[at]
    return _code_cut(_joined(kept), cells)


def _code_cut(pieces: list[Piece], cells: int) -> list[Piece]:
    """Of an operation that is still too long: the end of its code gives way, the result stays."""
    too_many = row_width(pieces) - cells
    for at, (text, role) in enumerate(pieces[:-1]):
        room = width(text) - too_many
        if too_many > 0 and role == "code" and pieces[at + 1][0] == _EQUALS and room >= _LEAST:
            return [*pieces[:at], (cut(text, room), role), *pieces[at + 1 :]]
    return pieces


def _parts(pieces: list[Piece]) -> list[list[Piece]]:
    parts: list[list[Piece]] = [[]]
    for text, role in pieces:
        begins = text.startswith(_BETWEEN[0])
        if begins:
            parts.append([])
        rest = text.removeprefix(_BETWEEN[0])
        if rest:
            parts[-1].append((rest, role))
    return [part for part in parts if part]


def _joined(parts: dict[int, list[Piece]]) -> list[Piece]:
    joined: list[Piece] = []
    for at in sorted(parts):
        joined += [_BETWEEN, *parts[at]] if joined else parts[at]
    return joined


def _worked_out(part: list[Piece]) -> list[Piece]:
    """`y = a * b = 2.0 × 3.0 = 6.0` without the working."""
    signs = [at for at, (text, _) in enumerate(part) if text == _EQUALS]
    return [*part[: signs[0]], *part[signs[-1] :]] if len(signs) > 1 else part


def _briefer(part: list[Piece]) -> list[list[Piece]]:
    """Shorter ways to say a part: a sum without its terms, quiet words up to their colon, a list without its last
    items."""
    words, role = part[-1]
    if len(part) > 1:
        return [[*part[:-1], (words.rpartition(_EQUALS)[2], role)]] if role == "grad" and _EQUALS in words else []
    if role == "quiet":
        return [[(re.split(r": |：", words, maxsplit=1)[0], role)]]
    between = "；" if "；" in words else "; "
    items = words.split(between)
    return [[(between.join([*items[:count], "…"]), role)] for count in range(len(items) - 1, 0, -1)]


def shortened_rule(pieces: list[Piece], cells: int) -> list[Piece]:
    """The line of a node: first the derivatives give way, then the formula; the numbers stay."""
    if row_width(pieces) <= cells:
        return pieces
    for is_rule in (True, False):
        out: list[Piece] = []
        skip = False
        for place, (text, role) in enumerate(pieces):
            if skip:  # the sign between what is gone and what follows
                skip = False
                continue
            follows = place and role == "value" and place + 1 < len(pieces)
            if follows and (text.startswith("∂") if is_rule else pieces[place + 1][0] == _BETWEEN[0]):
                skip = True
                continue
            out.append((text, role))
        pieces = out
        if row_width(pieces) <= cells:
            break
    return pieces


def shortened_path(name: str, cells: int) -> str:
    """A tensor's path in so many cells: `m.t.layers[0].q.weight`. Its first steps give way to their first letters, as
    paths differ at their ends and in their numbers; then the front goes."""
    steps = _STEP.findall(name)
    for place in range(len(steps) - 1):
        if width("".join(steps)) <= cells:
            break
        plain = steps[place].removeprefix(".")
        steps[place] = steps[place] if plain.startswith("[") else steps[place][: len(steps[place]) - len(plain) + 1]
    short = "".join(steps) if "".join(_STEP.findall(name)) == name else name
    return short if width(short) <= cells else "…" + short[len(short) - max(cells - 1, 0) :].lstrip(".")
