"""A script as jupytext's cells, each with the line of the file that it begins at."""

from __future__ import annotations

import re
from typing import Any

from tutor.lesson.model import RawCell

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
