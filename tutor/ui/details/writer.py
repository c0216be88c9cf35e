"""A sheet as it is written: facts, headings, values, and lines that lead to a step.

Lines of a sheet that say what happened at a step, and lead there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tutor.i18n import _
from tutor.text_width import cut, pad, wrapped
from tutor.trace import values
from tutor.trace.operands import op_output
from tutor.trace.timeline import Timeline
from tutor.trace.wire_types import Value
from tutor.ui.render import heatmap
from tutor.ui.render.segments import EMPTY, Glyphs, Piece, Row, clean

LABEL = 16


class Page:
    """The rows of a sheet, for so many cells, and where lines in it lead to."""

    def __init__(self, cells: int, glyphs: Glyphs, coloured: bool, mono: bool) -> None:
        self.cells, self.glyphs, self.coloured, self.mono = cells, glyphs, coloured, mono
        self.rows: list[Row] = []
        self.links: dict[int, int] = {}
        """By row: the step that it leads to."""
        self.measured: int | None = None
        """The row at which a measurement stands."""

    @property
    def room(self) -> int:
        """Cells beside a label."""
        return max(self.cells - LABEL, 8)

    def add(self, *rows: Row) -> None:
        self.rows += rows

    def heading(self, text: str, *more: Piece) -> None:
        """A line of its own, after an empty one."""
        self.add(EMPTY, ((text, "heading"), *more))

    def say(self, text: str, role: str = "quiet") -> None:
        """Running text."""
        self.add(*wrapped([(clean(self.glyphs.text(text)), role)], self.cells))

    def fact(self, label: str, text: str, role: str = "plain") -> None:
        """A label, and what there is to say."""
        rows = wrapped([(clean(text), role)], self.room) or [EMPTY]
        self.add(*((_label("" if at else label), *row) for at, row in enumerate(rows)))

    def lead(self, label: str, step: int, pieces: Iterable[Piece]) -> None:
        """A line that leads to a step."""
        self.links[len(self.rows)] = step
        self.add((_label(label), (f"{self.glyphs.arrow} ", "key"), *pieces))

    def value(self, value: Value, dtype: str, shape: Sequence[int], role: str, chosen: int | None = None) -> None:
        """A value: its picture where it has one, its numbers if they are few."""
        grid = heatmap.grid_of(value, shape)
        if grid is not None:
            self.add(*heatmap.rows(grid, self.cells, self.glyphs, self.coloured, chosen))
        if few(value):
            self.numbers(value, dtype, role)

    def numbers(self, value: Value, dtype: str, role: str) -> None:
        """All numbers; of a large tensor its figures and corners."""
        shown = values.to_json(value, dtype)
        if isinstance(shown, dict):
            stats = shown.get("stats") or {}
            said = [f"{_(name)} {_number(number)}" for name, number in stats.items() if number is not None]
            text = "   ".join(said) or _(str(shown.get("note") or ""))
            self.add(*wrapped([(clean(text), role)], self.cells))
            if stats and shown.get("note"):
                self.add(((clean(_(str(shown["note"]))), "note"),))
            corners = value.get("corners") if isinstance(value, dict) else None
            if isinstance(corners, (list, tuple)):
                self.add(((_("its corners"), "note"),), *(((line, "quiet"),) for line in _lines(corners, 4)))
        else:
            texts = next(lines for digits in _DIGITS if _fit(lines := _lines(shown, digits), self.cells, digits))
            self.add(*(((line, role),) for line in texts))

    def code(self, label: str, text: str) -> None:
        """Code, as it stands."""
        for at, line in enumerate(text.split("\n")):
            self.add((_label("" if at else label), (clean(line), "code")))

    def short(self, value: Value, dtype: str) -> str:
        """A value in the room beside a label."""
        return cut(values.short(value, dtype, self.room), self.room)


def _label(text: str) -> Piece:
    return pad(clean(text), LABEL - 1) + " ", "quiet"


def few(value: Value) -> bool:
    """Whether a value's numbers stand right under its picture, rather than at the end."""
    flat = values.elements(value)
    return flat is None or len(flat) <= _FEW


_FEW = 64
_DIGITS = (8, 6, 5, 4)
"""So many of each number, or as many of these as let a row fit."""


def _fit(lines: list[str], cells: int, digits: int) -> bool:
    return digits == _DIGITS[-1] or max(map(len, lines)) <= cells


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else values.number(value)


def _lines(shown: Any, digits: int) -> list[str]:
    """Nested lists, the innermost ones on a line each, their numbers under each other."""
    if not isinstance(shown, list) or not any(isinstance(item, list) for item in shown):
        return [_flat(shown, digits, 0)]
    return _nested(shown, digits, max((len(_text(item, digits)) for item in _leaves(shown)), default=0), "")


def _nested(shown: list[Any], digits: int, size: int, indent: str) -> list[str]:
    if not any(isinstance(item, list) for item in shown):
        return [indent + _flat(shown, digits, size)]
    out = [indent + "["]
    for item in shown:
        out += _nested(item, digits, size, indent + " ")
    return [*out, indent + "]"]


def _leaves(shown: Any) -> Iterator[Any]:
    for item in shown:
        if isinstance(item, list):
            yield from _leaves(item)
        else:
            yield item


def _flat(shown: Any, digits: int, size: int) -> str:
    if isinstance(shown, list):
        return "[" + ", ".join(_flat(item, digits, size) for item in shown) + "]"
    return _text(shown, digits).rjust(size)


def _text(item: Any, digits: int) -> str:
    return values.number(item, f".{digits}g", ".0", ".0")


FIRST = 4
"""So many are shown, and the last one."""


def place(timeline: Timeline, step: int) -> list[Piece]:
    """`step 9 · line 6 · x + w → a`"""
    view = timeline.view(step)
    pieces: list[Piece] = [(_("step {number}", number=step), "strong")]
    if view.line is not None:
        pieces.append((" · " + _("line {number}", number=view.line), "quiet"))
    site = view.site
    text = " ".join((view.code or "").split())
    if site is not None and view.kind == "op" and site.depth and site.parent:
        text = _("{operation}, in {code}", operation=site.parent, code=text) if text else site.parent
    if text:
        pieces += [(" · ", "quiet"), (clean(text), "code")]
    made = op_output(timeline, step) if view.kind == "op" else None
    if made:
        pieces += [(" → ", "quiet"), (clean(made), "value")]
    return pieces


def leads(page: Page, timeline: Timeline, label: str, steps: Sequence[int]) -> None:
    """A line for the first of these steps, and the last; between them how many there are."""
    most = FIRST + 2
    shown = list(steps) if len(steps) <= most else [*steps[:FIRST]]
    for at, step in enumerate(shown):
        page.lead("" if at else label, step, place(timeline, step))
    if len(steps) > most:
        page.fact("", _("{more} {count:,} more {more}", more=page.glyphs.more, count=len(steps) - FIRST - 1), "quiet")
        page.lead("", steps[-1], place(timeline, steps[-1]))
