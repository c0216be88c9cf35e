"""A script as jupytext's cells, each with the line of the file that it begins at.

A lesson file, or any script, as cells. Brings jupytext, so the front end leaves this module alone."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from tutor.i18n import N_, _
from tutor.lesson import files, header, knobs, markdown
from tutor.lesson.model import HIDDEN_KINDS, UNPARSED, Cell, Lesson, LessonError, RawCell, Report, raise_error
from tutor.lesson.validation import check_cell, check_lesson, check_prose

MARK = re.compile(r"^\s*#\s*(?:%%(?:%*)(?:\s|$)|<codecell>\s*$|In\[[0-9 ]*\]:?\s*$)")
"""The line above a cell."""

_FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
# What jupytext notes for itself, to write the file back as it was.
_ITS_OWN = ("lines_to_next_cell", "lines_to_end_of_cell_marker", "cell_marker", "title", "cell_depth")


_CODING = re.compile(r"^([ \t\f]*#.*?coding)([:=])")


class MarkError(Exception):
    """The mark of a cell that cannot be read; the text says why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def split(text: str, skip: int) -> list[RawCell]:
    """The cells of a script, its first `skip` lines (the header) left out. Raises MarkError."""
    lines = text.split("\n")
    body = lines[skip:]
    # Without marks the script is one cell, line for line, whatever jupytext would make of it.
    whole = [RawCell(True, "\n".join(body), skip + 1, {})]
    if not any(MARK.match(line) for line in body):
        return whole
    import jupytext

    # A blank line before the first mark would be a cell.
    row = skip + next(at for at, line in enumerate(body) if line.strip())
    hidden = _hide_coding(lines, row, text)
    try:
        notebook = jupytext.reads("\n".join(lines[row:]), fmt=dict(_FORMAT))
    except Exception as error:  # of any kind: it takes what stands in a mark at its word
        raise MarkError(_unreadable(lines, row), str(error) or type(error).__name__) from None
    cells: list[RawCell] = []
    for index, cell in enumerate(notebook.cells):
        row = _begin(lines, row, first=index == 0)
        code = cell.cell_type == "code"
        if code:
            found = _verbatim(lines, cell.source, row)
            if found is None:
                return whole  # jupytext changed the code, and code must run as it was written
            row = found
        elif cell.metadata.get("cell_marker"):
            row += 1  # the opening quotes
        if cell.cell_type != "raw":
            attributes = {
                str(key): _attribute(key, value) for key, value in cell.metadata.items() if key not in _ITS_OWN
            }
            cells.append(RawCell(code, cell.source.replace(hidden, ""), row + 1, attributes))
        row += cell.source.count("\n") + 1 if cell.source else 0
    return cells


def _hide_coding(lines: list[str], row: int, text: str) -> str:
    """Write something into a `coding:` line, which jupytext refuses for most encodings; what it was.

    The text is decoded already, and below a header such a line is a comment.
    """
    hidden = next(chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)
    for at in range(row, min(row + 2, len(lines))):
        lines[at] = _CODING.sub(rf"\g<1>{hidden}\g<2>", lines[at])
    return hidden


def _unreadable(lines: list[str], row: int) -> int:
    """The line of the first mark that jupytext does not read by itself, else of the first of all."""
    import jupytext

    marks = [at for at in range(row, len(lines)) if MARK.match(lines[at])]
    for at in marks:
        try:
            jupytext.reads(f"{lines[at]}\n1\n", fmt=dict(_FORMAT))
        except Exception:
            return at + 1
    return marks[0] + 1


def _attribute(key: Any, value: Any) -> Any:
    """An attribute as those who read it expect it: a text, a number, a truth value; `tags` may be a list of texts."""
    if key == "tags" and isinstance(value, list):
        return [str(tag) for tag in value]
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def _begin(lines: list[str], row: int, *, first: bool) -> int:
    """The row (from 0) after the next mark; a first cell may have none above it."""
    if first and not MARK.match(lines[row]):
        return row
    while row < len(lines) and not MARK.match(lines[row]):
        row += 1
    return min(row + 1, len(lines))


def _verbatim(lines: list[str], code: str, row: int) -> int | None:
    """The row where this code stands, from `row` on: jupytext keeps no line numbers."""
    wanted = code.split("\n")
    for start in range(row, len(lines) - len(wanted) + 1):
        if lines[start] == wanted[0] and lines[start : start + len(wanted)] == wanted:
            return start
    return None


_LATER = {
    ".ipynb": N_("is a notebook, which cannot be opened yet."),
    ".md": N_("is Markdown, which cannot be opened yet."),
}
# In a lesson a tag says what a cell is for; elsewhere it is somebody else's word.
_ROLES = ("exercise", "hint", "solution", "check")


def read(path: Path) -> Lesson:
    """The lesson or script in this file; raises `LessonError` for what cannot be run or is not well formed.

    What has a `gradtutor` header is held to the format of lessons. Anything else runs as it is.
    """
    if path.suffix in _LATER and path.is_file():
        what = _(_LATER[path.suffix])
        raise LessonError(what, path=str(path), fix=_("Name a Python script (.py)."))
    return parse(files.load(path), path)


def parse(text: str, path: Path, report: Report = raise_error) -> Lesson:
    """As `read`, where the text is at hand. `report` is told of what is wrong with a lesson."""
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
    """Raises `LessonError` with file and line where Python would not take this code."""
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
    """The cells of somebody's script; one for all of it where a mark stands in the middle of a statement, or none."""
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
    """The cells; those of a lesson's (`report` is told what is wrong) have roles."""
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
            found = () if report is not None and not _is_python(cell, path, report) else knobs.parse(
                cell.source, line, path, report
            )  # fmt: skip
            cells.append(
                Cell(role or "code", len(cells), line, lines, number=number if walked else None, source=cell.source,
                     attributes=cell.attributes if strict else {**cell.attributes, "tags": _tags(cell)}, knobs=found,
                     exercise=of_exercise)
            )  # fmt: skip
            index += 1
            continue
        same = _languages_of(raw, index)
        if report is not None:
            for prose in same:
                check_prose(prose, path, report)
        text = {str(each.attributes.get("lang", "")): each.source for each in same}
        lines = same[-1].first_line + same[-1].source.count("\n") + 1 - line
        question = cell.attributes.get("question") if strict else None
        cells.append(
            Cell("question" if question is not None else role or "prose", len(cells), line, lines, text=text,
                 text_lines={str(each.attributes.get("lang", "")): each.first_line for each in same},
                 attributes=_without_lang(cell), question=None if question is None else str(question),
                 of=_text(cell.attributes.get("of")) if strict else None,
                 options={lang: markdown.items(words) for lang, words in text.items()} if question == "choice" else {},
                 exercise=of_exercise)
        )  # fmt: skip
        index += len(same)
    return cells


def _is_python(cell: RawCell, path: str, report: Report) -> bool:
    try:
        check_syntax(cell.source, cell.first_line, path)
    except LessonError as error:
        report(error)
        return False
    return True


def _role(cell: RawCell, strict: bool) -> str | None:
    tags = _tags(cell)
    found = [role for role in _ROLES if strict and role in tags]
    return found[0] if found else None


def _tags(cell: RawCell) -> list[str]:
    tags = cell.attributes.get("tags")
    return tags if isinstance(tags, list) else []


def _languages_of(raw: list[RawCell], index: int) -> list[RawCell]:
    """This prose cell and those after it that say the same in other languages."""
    same = [raw[index]]
    seen = {raw[index].attributes.get("lang", "")}
    for cell in raw[index + 1 :]:
        lang = cell.attributes.get("lang", "")
        other = cell.code or not lang or "" in seen or lang in seen or _without_lang(cell) != _without_lang(raw[index])
        if other:
            break
        same.append(cell)
        seen.add(lang)
    return same


def _without_lang(cell: RawCell) -> dict[str, Any]:
    return {key: value for key, value in cell.attributes.items() if key != "lang"}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
