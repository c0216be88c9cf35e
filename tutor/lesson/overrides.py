"""Replacing the code of cells with the learner's edits and attempts, for a run that leaves the file as it is."""

from __future__ import annotations

import tokenize
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tutor.i18n import _
from tutor.lesson import files, knobs
from tutor.lesson.model import Cell, Knob, Lesson, LessonError, raise_error
from tutor.lesson.parser import MARK, check_syntax
from tutor.lesson.validation import check_lesson


def apply_edits(
    lesson: Lesson, edits: Mapping[int, str], attempts: Mapping[str, str] | None = None
) -> tuple[Lesson, str]:
    """Replace the code of cells.

    Args:
        lesson: The lesson as it is in its file.
        edits: Code by number of a code cell, from 1.
        attempts: Code by id of an exercise. It need not be valid Python; unknown exercises are ignored.

    Returns:
        The lesson with this code, and the text that its file would have; of a notebook no text.

    Raises:
        LessonError: If there is no such code cell, or an edit is not valid Python.
    """
    numbers = {cell.number for cell in lesson.code_cells}
    for number in edits:
        if number not in numbers:
            raise LessonError(_("there is no code cell {number} to edit.", number=number), path=lesson.path)
    lines = [] if lesson.is_notebook else files.load(Path(lesson.path)).split("\n")
    cells: list[Cell] = []
    shift = 0
    for cell in lesson.cells:
        code = edits.get(cell.number or 0)
        attempt = (attempts or {}).get(cell.exercise or "") if cell.kind == "exercise" and code is None else None
        first = cell.first_line + shift
        new = (code if attempt is None else attempt) if cell.is_code else None
        if new is None:
            cell_knobs = tuple(msgspec.structs.replace(knob, line=knob.line + shift) for knob in cell.knobs)
            texts = {language: line + shift for language, line in cell.text_lines.items()}
            cells.append(msgspec.structs.replace(cell, first_line=first, knobs=cell_knobs, text_lines=texts))
            continue
        new = new.rstrip("\n")
        if attempt is None and not lesson.is_notebook:
            _check(new, first, lesson.path)
        rows = new.split("\n")
        lines[first - 1 : first - 1 + cell.lines] = rows
        cell_knobs = _knobs(new, first, lesson.path, tolerant=attempt is not None or lesson.is_notebook)
        cells.append(msgspec.structs.replace(cell, first_line=first, lines=len(rows), source=new, knobs=cell_knobs))
        shift += 0 if lesson.is_notebook else len(rows) - cell.lines
    if lesson.header.title:
        check_lesson(cells, lesson.path, raise_error)  # two knobs of one name, say
    return msgspec.structs.replace(lesson, cells=tuple(cells)), "" if lesson.is_notebook else "\n".join(lines)


def _check(code: str, first_line: int, path: str) -> None:
    if any(MARK.match(row) for row in code.split("\n")):
        raise LessonError(_("the code makes a cell of its own."), path=path, fix=_("Take out the line with `# %%`."))
    check_syntax(code, first_line, path)


def _knobs(code: str, first_line: int, path: str, *, tolerant: bool) -> tuple[Knob, ...]:
    try:
        return knobs.parse(code, first_line, path, None if tolerant else raise_error)
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):  # the attempt is not valid Python
        return ()
