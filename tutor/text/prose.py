"""The prose of a lesson as plain text: paragraphs wrapped to a readable width, live values filled in."""

from __future__ import annotations

import shutil

import msgspec

from tutor.explain.expressions import evaluate
from tutor.lesson.markdown import blocks, live_values
from tutor.lesson.model import Cell, in_language, join_lines
from tutor.text_width import wrap
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

_MAX_WIDTH = 88
_PROSE_KINDS = ("prose", "question")


def cells_of(timeline: Timeline) -> list[Cell]:
    """Return the cells of the recorded document; empty if they cannot be read."""
    if timeline.document is None:
        return []
    try:
        return msgspec.convert(timeline.document.cells, list[Cell])
    except msgspec.ValidationError:
        return []


class Prose:
    """The prose of a lesson in one language."""

    def __init__(self, timeline: Timeline, language: str) -> None:
        self._cells = cells_of(timeline)
        self._language = language
        document = timeline.document
        self.title = in_language(document.title, language) if document is not None and document.title else ""

    def numbers_between(self, previous: int, last: int) -> list[int]:
        """Return the numbers of the code cells after `previous`, up to `last`; recordings may give any."""
        between = {number for cell in self._cells if (number := cell.number) and previous < number < last}
        return [*sorted(between), last] if previous < last else []

    def cells_before(self, number: int | None) -> list[Cell]:
        """Return the prose cells between the previous code cell and this one (None: after the last)."""
        cells: list[Cell] = []
        for cell in self._cells:
            if cell.number is not None:
                if cell.number == number:
                    return cells
                cells = []
            elif cell.kind in _PROSE_KINDS:
                cells.append(cell)
        return cells if number is None else []

    def lines(self, cell: Cell, state: State) -> list[str]:
        """Return the lines of a cell's text, with values from `state`, and an empty line before and after."""
        text = cell.text_in(self._language)
        values = live_values(text)[::-1]
        width = min(_MAX_WIDTH, max(shutil.get_terminal_size((_MAX_WIDTH, 24)).columns, 20))
        lines = [""]
        for block in blocks(text):
            start, end = block.start, block.end
            part = text[start:end]
            for value in (value for value in values if start <= value.start < end):
                value_text = evaluate(state, value.text) or "…"
                part = part[: value.start - start] + value_text + part[value.end - start :]
            if block.kind == "text" and not block.lead:
                lines += wrap(join_lines(row.strip() for row in part.splitlines()), width)
            else:
                lines += [""] if block.kind == "gap" else part.splitlines()  # a list, code or a table: as it stands
        return [*lines, ""]
