"""The prose of a lesson as plain text: paragraphs filled to a readable width, live values in place."""

from __future__ import annotations

import shutil

import msgspec

from tutor.explain.expressions import evaluate
from tutor.lesson.markdown import blocks, live_values
from tutor.lesson.model import Cell, in_language, join_lines
from tutor.text_width import wrap
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

_WIDTH = 88
_READ = ("prose", "question")


def cells_of(timeline: Timeline) -> list[Cell]:
    """The cells of the document that was run; none where the recording's are not readable."""
    if timeline.document is None:
        return []
    try:
        return msgspec.convert(timeline.document.cells, list[Cell])
    except msgspec.ValidationError:
        return []


class Prose:
    """A lesson's prose, in one language."""

    def __init__(self, timeline: Timeline, language: str) -> None:
        self._cells = cells_of(timeline)
        self._language = language
        document = timeline.document
        self.title = in_language(document.title, language) if document is not None and document.title else ""

    def numbers(self, told: int, last: int) -> list[int]:
        """The code cells after one that was told of, up to another; a recording may give a cell any number."""
        between = {number for cell in self._cells if (number := cell.number) and told < number < last}
        return [*sorted(between), last] if told < last else []

    def before(self, number: int | None) -> list[Cell]:
        """What stands between the code cell before and this one (None: after the last)."""
        found: list[Cell] = []
        for cell in self._cells:
            if cell.number is not None:
                if cell.number == number:
                    return found
                found = []
            elif cell.kind in _READ:
                found.append(cell)
        return found if number is None else []

    def lines(self, cell: Cell, state: State) -> list[str]:
        """The cell's text, with the values of this point in it, and an empty line before and after."""
        text = cell.text_in(self._language)
        values = live_values(text)[::-1]
        width = min(_WIDTH, max(shutil.get_terminal_size((_WIDTH, 24)).columns, 20))
        lines = [""]
        for block in blocks(text):
            start, end = block.start, block.end
            part = text[start:end]
            for value in (value for value in values if start <= value.start < end):
                known = evaluate(state, value.text) or "…"
                part = part[: value.start - start] + known + part[value.end - start :]
            if block.kind == "text" and not block.lead:
                lines += wrap(join_lines(row.strip() for row in part.splitlines()), width)
            else:
                lines += [""] if block.kind == "gap" else part.splitlines()  # a list, code or a table: as it stands
        return [*lines, ""]
