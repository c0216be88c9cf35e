"""Turning the commands of IPython in a notebook's cell (`%matplotlib inline`, `!pip install …`) into Python that runs.

No line moves. What only IPython can do is left out; what times, captures or profiles code becomes that code.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import NamedTuple

from tutor.lesson.model import UNPARSED


class Skipped(NamedTuple):
    """A command that is left out."""

    kind: str
    """magic, shell or help."""
    name: str
    """`%pip`, or the line."""


class PlainCode(NamedTuple):
    """The code of a cell as Python."""

    source: str
    skipped: tuple[Skipped, ...] = ()


_SILENT = {"matplotlib", "config", "load_ext", "reload_ext", "autoreload"}
"""Magics without which nothing is missing."""
_RUN_THEIR_CODE = {"time", "timeit", "capture", "prun"}
_CELL = re.compile(r"%%(?P<name>\w+)")
_LINE = re.compile(r"(?P<indent>\s*)(?P<command>%(?P<name>\w+)|!|\?)")
_HELP = re.compile(r"\s*[\w.]+\?{1,2}\s*(#.*)?$")
_ASSIGNED = re.compile(r"(?P<indent>\s*)(?P<target>[\w.,\[\]'\"* ]+?)\s*=\s*(?P<command>[!%].*)$")
_CODE_OF_MAGIC = re.compile(r"%\w+(?:\s+-\w+(?:\s*\d+)?)*\s+")


def to_python(source: str) -> PlainCode:
    """Return a cell's code as Python with the same lines; code that is wrong otherwise stays so."""
    lines = source.split("\n")
    skipped: list[Skipped] = []
    first = next((row for row, line in enumerate(lines) if line.strip()), 0)
    cell = _CELL.match(lines[first])
    if cell is not None:
        if cell["name"] not in _RUN_THEIR_CODE:
            return PlainCode("\n" * (len(lines) - 1), (Skipped("magic", cell[0]),))
        lines[first] = "#" + lines[first][1:]
    while (row := _row_of_error(lines)) is not None:
        replaced = _replace(lines, row, skipped)
        if not replaced:
            break
    return PlainCode("\n".join(lines), tuple(skipped))


def _row_of_error(lines: list[str]) -> int | None:
    """Return the row at which this is not Python; None where it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse("\n".join(lines))
    except SyntaxError as error:
        return (error.lineno or 1) - 1
    except UNPARSED:
        return None
    return None


def _replace(lines: list[str], row: int, skipped: list[Skipped]) -> bool:
    """Replace the command in a row; return whether there is one."""
    while 0 < row < len(lines) and lines[row - 1].endswith("\\"):  # the command began above
        row -= 1
    line = lines[row] if row < len(lines) else ""
    assigned, command = _ASSIGNED.match(line), _LINE.match(line)
    if assigned is not None:
        code = line.rstrip("\\").strip()
        text = f"`{code}` needs IPython or a shell. Edit the cell so that the name gets its value in Python."
        lines[row] = f"{assigned['indent']}raise NotImplementedError({text!r})"
        while line.endswith("\\") and row + 1 < len(lines):
            row += 1
            line = lines[row]
            lines[row] = "#" + line[1:].rstrip("\\")
    elif command is not None and command["name"] in _RUN_THEIR_CODE:
        indent = command["indent"]
        magic = _CODE_OF_MAGIC.match(line, len(indent))
        if magic is None:  # no code after it
            lines[row] = _left_out(line, indent)
        else:  # a form feed begins the indentation again, so that the code stays in its columns
            lines[row] = " " * (magic.end() - len(indent) - 1) + "\f" + indent + line[magic.end() :]
    elif command is not None or _HELP.match(line):
        indent = line[: len(line) - len(line.lstrip())]
        name = command["name"] if command is not None else None
        if command is None or command["command"] == "?":
            skipped.append(Skipped("help", line.strip()))
        elif name is None:
            skipped.append(Skipped("shell", line.strip()))
        elif name not in _SILENT:
            skipped.append(Skipped("magic", f"%{name}"))
        while lines[row].endswith("\\") and row + 1 < len(lines):
            lines[row] = _left_out(lines[row], indent)[:-1]
            row += 1
        lines[row] = _left_out(lines[row], indent).rstrip("\\")
    else:
        return False
    return True


def _left_out(line: str, indent: str) -> str:
    """Return a comment in the place of a line; in a block, a `pass` too."""
    return "#" + line[1:] if not indent else f"{indent}pass  # {line.strip()}"
