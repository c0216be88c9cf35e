"""A script as jupytext's cells, each with the line of the file that it begins at."""

from __future__ import annotations

import re
from typing import Any

import msgspec

MARK = re.compile(r"^\s*#\s*(?:%%(?:%*)(?:\s|$)|<codecell>\s*$|In\[[0-9 ]*\]:?\s*$)")
"""The line above a cell."""

_FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
# What jupytext notes for itself, to write the file back as it was.
_ITS_OWN = ("lines_to_next_cell", "lines_to_end_of_cell_marker", "cell_marker", "title", "cell_depth")


class RawCell(msgspec.Struct, frozen=True):
    """A cell as it stands in the file."""

    code: bool
    source: str
    """The code unchanged; prose without its `# `."""
    first_line: int
    attributes: dict[str, Any]


def split(text: str, skip: int) -> list[RawCell]:
    """The cells of a script, its first `skip` lines (the header) left out."""
    lines = text.split("\n")
    body = lines[skip:]
    # Without marks the script is one cell, line for line, whatever jupytext would make of it.
    whole = [RawCell(True, "\n".join(body), skip + 1, {})]
    if not any(MARK.match(line) for line in body):
        return whole
    import jupytext

    # A blank line before the first mark would be a cell.
    row = skip + next(at for at, line in enumerate(body) if line.strip())
    notebook = jupytext.reads("\n".join(lines[row:]), fmt=dict(_FORMAT))
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
            attributes = {key: value for key, value in cell.metadata.items() if key not in _ITS_OWN}
            cells.append(RawCell(code, cell.source, row + 1, attributes))
        row += cell.source.count("\n") + 1 if cell.source else 0
    return cells


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
        if lines[start : start + len(wanted)] == wanted:
            return start
    return None
