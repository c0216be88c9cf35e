"""A details page as it is written: headings, facts, values, and lines that link to a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tutor.explain.elements import Matrix
from tutor.i18n import _
from tutor.text_width import pad, width, wrapped
from tutor.trace import number_format, values
from tutor.trace.number_format import inline, number
from tutor.trace.operands import op_output
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value
from tutor.ui.render import heatmap
from tutor.ui.render import matrix as matrices
from tutor.ui.render.segments import EMPTY, Glyphs, Piece, Row, clean, row_width

LABEL = 16
"""The width of the labels, in cells."""
SUM_ROWS = 4
"""Rows that the terms of an element may take."""
_AROUND = 9
"""Rows of a large matrix that are written as numbers, around the chosen element."""


class Page:
    """The rows of a page of `cells` columns, and the steps that its lines link to."""

    def __init__(self, cells: int, glyphs: Glyphs, coloured: bool, mono: bool, is_sheet: bool = True) -> None:
        self.cells, self.glyphs, self.coloured, self.mono = cells, glyphs, coloured, mono
        self.is_sheet = is_sheet
        """Whether it is above the other panes; a column is beside them, in a terminal with room for what explains the
        step."""
        self.rows: list[Row] = []
        self.links: dict[int, int] = {}
        """The step that a row links to, by row."""
        self.matrices: dict[int, Matrix] = {}
        """The matrices in which an element can be chosen, by the row that names them."""
        self.ends: dict[int, int] = {}
        """The last row of what belongs to a matrix, by the row that names it."""
        self.wanted = 0
        """The width of the widest matrix, in cells."""
        self.measured: int | None = None
        """The row of the heading of a measurement, if there is one."""

    @property
    def room(self) -> int:
        """The width beside a label, in cells."""
        return max(self.cells - LABEL, 8)

    def add(self, *rows: Row) -> None:
        """Add rows."""
        self.rows += rows

    def heading(self, text: str, *more: Piece) -> None:
        """Add a heading after an empty row."""
        self.add(EMPTY, ((text, "heading"), *more))

    def say(self, text: str, role: str = "quiet") -> None:
        """Add running text."""
        self.add(*wrapped([(clean(self.glyphs.text(text)), role)], self.cells))

    def fact(self, label: str, text: str, role: str = "plain") -> None:
        """Add a label with text beside it, or below a label that is wide."""
        rows = wrapped([(clean(text), role)], self.room) or [EMPTY]
        is_wide = width(label) >= LABEL
        if is_wide:
            self.add(*wrapped([(clean(label), "quiet")], self.cells))
        self.add(*((_label("" if index or is_wide else label), *row) for index, row in enumerate(rows)))

    def link(self, label: str, step: int, pieces: Iterable[Piece]) -> None:
        """Add a row that links to a step."""
        self.links[len(self.rows)] = step
        self.add((_label(label), (f"{self.glyphs.arrow} ", "key"), *pieces))

    def matrix(self, matrix: Matrix, title: Row, role: str, chosen: int | None) -> None:
        """Add a matrix below a row that names it, at which one begins to choose an element."""
        row = len(self.rows)
        if matrix.count > 1 and values.elements(matrix.value) is not None:
            self.matrices[row] = matrix
        self.add(title)
        self.value(matrix.value, matrix.dtype, matrix.shape, role, chosen)
        self.ends[row] = len(self.rows) - 1

    def working(self, matrix: Matrix, lines: Sequence[Sequence[Piece]]) -> None:
        """Add how an element of a matrix was computed."""
        for parts in lines:
            self.parts(parts)
        for row, named in self.matrices.items():
            if named is matrix:
                self.ends[row] = len(self.rows) - 1

    def value(self, value: Value, dtype: str, shape: Sequence[int], role: str, chosen: int | None = None) -> None:
        """Add a value: up to 8x8 its numbers, above that a heat map, with range and norm, and the numbers around the
        chosen element."""
        rows = matrices.number_rows(value, dtype, shape, role, self.glyphs, chosen)
        if rows is not None and max(map(row_width, rows)) <= self.cells:
            self.wanted = max(self.wanted, *map(row_width, rows))
            self.add(*rows)
            return
        grid = None if has_few_numbers(value) else heatmap.grid_of(value, shape)
        if grid is None:
            self.all_numbers(value, dtype, shape, role, chosen)
            return
        self.add(*heatmap.rows(grid, self.cells, self.glyphs, self.coloured, chosen))
        statistics = number_format.statistics(value)
        if statistics is not None:
            figures = {"low": statistics.low, "high": statistics.high, "norm": statistics.norm}
            texts = {name: number(float(f"{figure:.5g}")) for name, figure in figures.items()}
            self.add(((_("from {low} to {high}, norm {norm}", **texts), "quiet"),))
        if chosen is not None:
            self.all_numbers(value, dtype, shape, role, chosen, _AROUND)

    def all_numbers(
        self, value: Value, dtype: str, shape: Sequence[int], role: str, chosen: int | None, most: int | None = None
    ) -> None:
        """Add the numbers of a value by rows and columns, a limited number of rows around the chosen element."""
        numbered = matrices.numbered_rows(value, dtype, shape, role, self.glyphs, self.cells, chosen, most)
        if numbered is None:
            self.numbers(value, dtype, role)
        else:
            rows, width = numbered
            self.wanted = max(self.wanted, width)
            self.add(*rows)

    def parts(self, parts: Iterable[Piece], cells: int | None = None) -> None:
        """Add a line of an explanation, wrapped."""
        self.add(*wrapped([(clean(self.glyphs.text(text)), role) for text, role in parts], cells or self.cells))

    def numbers(self, value: Value, dtype: str, role: str) -> None:
        """Add all numbers of a value; of a large tensor, its statistics and corners."""
        content = values.to_json(value, dtype)
        if isinstance(content, dict):
            stats = content.get("stats") or {}
            figures = [f"{_(name)} {_number(number)}" for name, number in stats.items() if number is not None]
            text = "   ".join(figures) or _(str(content.get("note") or ""))
            self.add(*wrapped([(clean(text), role)], self.cells))
            if stats and content.get("note"):
                self.add(((clean(_(str(content["note"]))), "note"),))
            corners = value.get("corners") if isinstance(value, dict) else None
            if isinstance(corners, (list, tuple)):
                self.add(((_("its corners"), "note"),), *(((line, "quiet"),) for line in _lines(corners, dtype)))
        else:
            self.add(*(((line, role),) for line in _lines(content, dtype)))

    def code(self, label: str, text: str) -> None:
        """Add code with its own indentation; a line that is too long takes several rows."""
        for index, line in enumerate(text.split("\n")):
            for part, row in enumerate(wrapped([(clean(line), "code")], self.room) or [EMPTY]):
                self.add((_label("" if index or part else label), *row))

    def short(self, value: Value, dtype: str) -> str:
        """Return a value as text that fits beside a label."""
        return inline(value, dtype, self.room)


def _label(text: str) -> Piece:
    return pad(clean(text), LABEL - 1) + " ", "quiet"


def has_few_numbers(value: Value) -> bool:
    """Return whether a value has few enough numbers to write them all, rather than draw a heat map."""
    flat = values.elements(value)
    return flat is None or len(flat) <= _FEW_NUMBERS


_FEW_NUMBERS = 64


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else number(value)


def _lines(content: Any, dtype: str) -> list[str]:
    """Return nested lists as lines: each innermost list on a line, with its numbers aligned."""
    if not isinstance(content, list) or not any(isinstance(item, list) for item in content):
        return [_flat(content, dtype, 0)]
    return _nested(content, dtype, max((len(_text(item, dtype)) for item in _leaves(content)), default=0), "")


def _nested(items: list[Any], dtype: str, number_width: int, indent: str) -> list[str]:
    if not any(isinstance(item, list) for item in items):
        return [indent + _flat(items, dtype, number_width)]
    lines = [indent + "["]
    for item in items:
        lines += _nested(item, dtype, number_width, indent + " ")
    return [*lines, indent + "]"]


def _leaves(items: Any) -> Iterator[Any]:
    for item in items:
        if isinstance(item, list):
            yield from _leaves(item)
        else:
            yield item


def _flat(content: Any, dtype: str, number_width: int) -> str:
    if isinstance(content, list):
        return "[" + ", ".join(_flat(item, dtype, number_width) for item in content) + "]"
    return _text(content, dtype).rjust(number_width)


def _text(item: Any, dtype: str) -> str:
    return number(item, dtype)


_FIRST_LINKS = 4
"""How many of many links are shown before the last one."""


def step_summary(timeline: Timeline, step: int) -> list[Piece]:
    """Return `step 9 · line 6 · x + w → a`."""
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
    output = op_output(timeline, step) if view.kind == "op" else None
    if output:
        pieces += [(" → ", "quiet"), (clean(output), "value")]
    return pieces


def add_links(page: Page, timeline: Timeline, label: str, steps: Sequence[int]) -> None:
    """Add links to the first of these steps and to the last; between them, how many are left out."""
    limit = _FIRST_LINKS + 2
    shown = list(steps) if len(steps) <= limit else [*steps[:_FIRST_LINKS]]
    for index, step in enumerate(shown):
        page.link("" if index else label, step, step_summary(timeline, step))
    if len(steps) > limit:
        page.fact(
            "", _("{more} {count:,} more {more}", more=page.glyphs.more, count=len(steps) - _FIRST_LINKS - 1), "quiet"
        )
        page.link("", steps[-1], step_summary(timeline, steps[-1]))
