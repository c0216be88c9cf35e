"""Cells with other code in them: the learner's own version of one, for a run that leaves the file as it is."""

from __future__ import annotations

from pathlib import Path

from tutor.lesson import source
from tutor.lesson.errors import LessonError
from tutor.lesson.model import Lesson
from tutor.lesson.read import parse


def edited(lesson: Lesson, edits: dict[int, str]) -> tuple[Lesson, str]:
    """The lesson with this code in the cells of these numbers (from 1), and the text of the file that it would be.

    Raises `LessonError` where there is no such cell, or where Python would not take the code.
    """
    lines = source.load(Path(lesson.path)).split("\n")
    cells = {cell.number: cell for cell in lesson.code_cells}
    for number in sorted(edits, reverse=True):
        cell = cells.get(number)
        if cell is None:
            raise LessonError(f"there is no code cell {number} to edit.", path=lesson.path)
        lines[cell.first_line - 1 : cell.first_line - 1 + cell.lines] = edits[number].rstrip("\n").split("\n")
    text = "\n".join(lines)
    new = parse(text, Path(lesson.path))
    if len(new.cells) != len(lesson.cells):
        raise LessonError("the code makes a cell of its own.", path=lesson.path, mend="Take out the line with `# %%`.")
    return new, text
