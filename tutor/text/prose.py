"""The prose of a lesson as plain text: paragraphs filled to a readable width, live values in place."""

from __future__ import annotations

import re
import shutil

import msgspec

from tutor.explain.live import live
from tutor.lesson.model import Cell, in_language, joined, live_values
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
        for value in reversed(live_values(text)):
            text = text[: value.start] + (live(state, value.expression) or "…") + text[value.end :]
        width = min(_WIDTH, max(shutil.get_terminal_size((_WIDTH, 24)).columns, 20))
        lines = [""]
        for paragraph in re.split(r"\n\s*\n", text.strip()):
            rows = paragraph.splitlines()
            if any(re.match(r"\s|[-*>] |#|\||\d+[.)] |```", row) for row in rows):
                lines += rows  # a list, code or a table: as it stands
            else:
                lines += wrap(joined(rows), width)
            lines.append("")
        return lines
