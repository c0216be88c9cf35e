"""Parsing a lesson or a script into cells, with jupytext and the line of the file at which each cell begins.

It imports jupytext, so the front end does not import this module.
"""

from __future__ import annotations

import re
import tokenize
import warnings
from pathlib import Path
from typing import Any

from tutor.i18n import _
from tutor.lesson import files, header, knobs, markdown, notebooks
from tutor.lesson.model import HIDDEN_KINDS, UNPARSED, Cell, Knob, Lesson, LessonError, RawCell, Report, raise_error
from tutor.lesson.validation import check_cell, check_lesson, check_prose

MARK = re.compile(r"^\s*#\s*(?:%%(?:%*)(?:\s|$)|<codecell>\s*$|In\[[0-9 ]*\]:?\s*$)")
"""The line above a cell."""

_FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
# Metadata that jupytext adds, to write the file back as it was.
_JUPYTEXT_KEYS = ("lines_to_next_cell", "lines_to_end_of_cell_marker", "cell_marker", "title", "cell_depth")


_CODING = re.compile(r"^([ \t\f]*#.*?coding)([:=])")


class MarkError(Exception):
    """A cell mark that cannot be parsed, at a line of the file; the message is the reason."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def split(text: str, skip: int) -> list[RawCell]:
    """Return the cells of a script without its first `skip` lines (the header). Raises MarkError."""
    lines = text.split("\n")
    body = lines[skip:]
    # Without marks the script is one cell, line for line, whatever jupytext would make of it.
    whole = [RawCell(True, "\n".join(body), skip + 1, {})]
    if not any(MARK.match(line) for line in body):
        return whole
    import jupytext

    # A blank line before the first mark would be a cell.
    row = skip + next(number for number, line in enumerate(body) if line.strip())
    placeholder = _hide_coding(lines, row, text)
    try:
        notebook = jupytext.reads("\n".join(lines[row:]), fmt=dict(_FORMAT))
    except Exception as error:  # of any kind: it takes what stands in a mark at its word
        raise MarkError(_unreadable_mark(lines, row), str(error) or type(error).__name__) from None
    cells: list[RawCell] = []
    for index, cell in enumerate(notebook.cells):
        row = _row_after_mark(lines, row, first=index == 0)
        code = cell.cell_type == "code"
        if code:
            start = _find_code(lines, cell.source, row)
            if start is None:
                return whole  # jupytext changed the code, and code must run as it was written
            row = start
        elif cell.metadata.get("cell_marker"):
            row += 1  # the opening quotes
        if cell.cell_type != "raw":
            attributes = {
                str(key): _attribute(key, value) for key, value in cell.metadata.items() if key not in _JUPYTEXT_KEYS
            }
            cells.append(RawCell(code, cell.source.replace(placeholder, ""), row + 1, attributes))
        row += cell.source.count("\n") + 1 if cell.source else 0
    return cells


def _hide_coding(lines: list[str], row: int, text: str) -> str:
    """Insert a character into `coding:` lines, which jupytext rejects for most encodings, and return it.

    The text is decoded already, and below a header such a line is only a comment.
    """
    hidden = next(chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)
    for at in range(row, min(row + 2, len(lines))):
        lines[at] = _CODING.sub(rf"\g<1>{hidden}\g<2>", lines[at])
    return hidden


def _unreadable_mark(lines: list[str], row: int) -> int:
    """Return the line of the first mark that jupytext cannot parse on its own, else of the first mark."""
    import jupytext

    marks = [at for at in range(row, len(lines)) if MARK.match(lines[at])]
    for at in marks:
        try:
            jupytext.reads(f"{lines[at]}\n1\n", fmt=dict(_FORMAT))
        except Exception:
            return at + 1
    return marks[0] + 1


def _attribute(key: Any, value: Any) -> Any:
    """Convert an attribute to a str, number or bool; `tags` may be a list of str."""
    if key == "tags" and isinstance(value, list):
        return [str(tag) for tag in value]
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def _row_after_mark(lines: list[str], row: int, *, first: bool) -> int:
    """Return the row (from 0) after the next mark; the first cell may have no mark."""
    if first and not MARK.match(lines[row]):
        return row
    while row < len(lines) and not MARK.match(lines[row]):
        row += 1
    return min(row + 1, len(lines))


def _find_code(lines: list[str], code: str, row: int) -> int | None:
    """Return the row of this code, searching from `row`: jupytext keeps no line numbers. None: it changed the code."""
    wanted = code.split("\n")
    for start in range(row, len(lines) - len(wanted) + 1):
        if lines[start] == wanted[0] and lines[start : start + len(wanted)] == wanted:
            return start
    return None


# In a lesson a tag gives a cell its role; in other scripts tags have no meaning here.
_ROLES = ("exercise", "hint", "solution", "check")


def read(path: Path) -> Lesson:
    """Parse a lesson, script or notebook. A file with a `gradtutor` header must have the format of a lesson.

    Raises:
        LessonError: If it cannot be run, or is a malformed lesson.
    """
    if notebooks.is_notebook(path):
        return Lesson(header.for_script(path), tuple(_assemble(notebooks.read(path), str(path), None)), True)
    return parse(files.load(path), path)


def parse(text: str, path: Path, report: Report = raise_error) -> Lesson:
    """As `read`, for a text. Errors of a lesson's format go to `report`."""
    head, skip = header.parse(text, path, report)
    try:
        cells = split(text, skip)
    except MarkError as error:
        if head is None:  # plain Python runs it
            cells = [RawCell(True, text, 1, {})]
        else:
            what = _("the mark of this cell cannot be read: {why}.", why=error)
            raise LessonError(what, path=str(path), line=error.line) from None
    if head is None:
        return Lesson(header.for_script(path), tuple(_script(text, cells, str(path))))
    read = _assemble(cells, str(path), report)
    for cell in read:
        check_cell(cell, str(path), report)
    check_lesson(read, str(path), report)
    return Lesson(head, tuple(read))


def check_syntax(code: str, first_line: int, path: str) -> None:
    """Raise LessonError with file and line if the code is not valid Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run will warn, once, as a plain one does
            compile("\n" * (first_line - 1) + code, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        text = (error.text or "").strip()
        shown = f" `{text if len(text) <= 60 else text[:59] + '…'}`" if text else ""
        raise LessonError(
            _("syntax error: {problem}.{shown}", problem=error.msg, shown=shown),
            path=path,
            line=error.lineno or first_line,
        ) from None
    except UNPARSED as error:
        what = _("Python cannot compile this: {why}.", why=str(error) or type(error).__name__)
        raise LessonError(what, path=path, line=first_line) from None


def _script(text: str, raw: list[RawCell], path: str) -> list[Cell]:
    """Return the cells of a script: a single one if it has no marks, or one in the middle of a statement."""
    code = [cell for cell in raw if cell.code]
    try:
        for cell in code:
            check_syntax(cell.source, cell.first_line, path)
    except LessonError:
        code = []
    if not code:
        check_syntax(text, 1, path)
        raw = [RawCell(True, text, 1, {})]
    return _assemble(raw, path, None)


def _assemble(raw: list[RawCell], path: str, report: Report | None) -> list[Cell]:
    """Assemble raw cells into cells; with a `report` they are those of a lesson, and have roles."""
    strict = report is not None
    cells: list[Cell] = []
    number = 0
    exercise: str | None = None
    index = 0
    while index < len(raw):
        cell = raw[index]
        line, role = cell.first_line, _role(cell, strict)
        if role == "exercise":
            exercise = str(cell.attributes.get("id", ""))
        of_exercise = exercise if role in _ROLES else None
        if cell.code:
            walked = role not in HIDDEN_KINDS
            number += walked
            lines = cell.source.count("\n") + 1
            cell_knobs = _knobs(cell, path, report)
            cells.append(
                Cell(role or "code", len(cells), line, lines, number=number if walked else None, source=cell.source,
                     attributes=cell.attributes if strict else {**cell.attributes, "tags": _tags(cell)},
                     knobs=cell_knobs, exercise=of_exercise)
            )  # fmt: skip
            index += 1
            continue
        versions = _languages_of(raw, index)
        if report is not None:
            for prose in versions:
                check_prose(prose, path, report)
        text = {str(version.attributes.get("lang", "")): version.source for version in versions}
        lines = versions[-1].first_line + versions[-1].source.count("\n") + 1 - line
        question = cell.attributes.get("question") if strict else None
        wrong = _text(cell.attributes.get("wrong")) if strict else None
        kind = "question" if question is not None else "diagnosis" if wrong is not None else role or "prose"
        cells.append(
            Cell(kind, len(cells), line, lines, text=text, wrong=wrong,
                 text_lines={str(version.attributes.get("lang", "")): version.first_line for version in versions},
                 attributes=_without_lang(cell), question=None if question is None else str(question),
                 of=_text(cell.attributes.get("of")) if strict else None,
                 vary=_text(cell.attributes.get("vary")) if strict else None,
                 when=_text(cell.attributes.get("when")) if strict else None,
                 front=_text(cell.attributes.get("front")) if strict else None,
                 options={lang: markdown.items(words) for lang, words in text.items()} if question == "choice" else {},
                 exercise=of_exercise)
        )  # fmt: skip
        index += len(versions)
    return cells


def _knobs(cell: RawCell, path: str, report: Report | None) -> tuple[Knob, ...]:
    """Return the knobs of a cell; none if it is not valid Python, which in a notebook fails only when it runs."""
    if report is not None and not _is_python(cell, path, report):
        return ()
    try:
        return knobs.parse(cell.source, cell.first_line, path, report)
    except (*UNPARSED, tokenize.TokenError):
        return ()


def _is_python(cell: RawCell, path: str, report: Report) -> bool:
    try:
        check_syntax(cell.source, cell.first_line, path)
    except LessonError as error:
        report(error)
        return False
    return True


def _role(cell: RawCell, strict: bool) -> str | None:
    tags = _tags(cell)
    roles = [role for role in _ROLES if strict and role in tags]
    return roles[0] if roles else None


def _tags(cell: RawCell) -> list[str]:
    tags = cell.attributes.get("tags")
    return tags if isinstance(tags, list) else []


def _languages_of(raw: list[RawCell], index: int) -> list[RawCell]:
    """Return this prose cell and those after it that are the same text in other languages."""
    versions = [raw[index]]
    languages = {raw[index].attributes.get("lang", "")}
    for cell in raw[index + 1 :]:
        lang = cell.attributes.get("lang", "")
        other = (
            cell.code
            or not lang
            or "" in languages
            or lang in languages
            or _without_lang(cell) != _without_lang(raw[index])
        )
        if other:
            break
        versions.append(cell)
        languages.add(lang)
    return versions


def _without_lang(cell: RawCell) -> dict[str, Any]:
    return {key: value for key, value in cell.attributes.items() if key != "lang"}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
