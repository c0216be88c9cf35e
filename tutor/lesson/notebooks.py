"""Reading notebooks into cells: `.ipynb`, and Markdown with blocks of code, of jupytext, MyST, R Markdown or Quarto.

The lines of a code cell are counted from 1 in each cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutor.i18n import _
from tutor.lesson import files
from tutor.lesson.model import LessonError, RawCell

JUPYTER = ".ipynb"
_MARKDOWN = (".md", ".markdown", ".myst")
_CHUNKS = (".rmd", ".qmd")
"""R Markdown and Quarto: only blocks in braces are cells."""


def is_notebook(path: Path) -> bool:
    """Return whether a file is a notebook, by the end of its name."""
    return path.suffix.lower() in (JUPYTER, *_MARKDOWN, *_CHUNKS)


def read(path: Path) -> list[RawCell]:
    """Return the cells of a notebook.

    Raises:
        LessonError: It cannot be read, is no notebook, or has no Python code.
    """
    if path.suffix.lower() == JUPYTER:
        cells = list(_jupyter_cells(_load_json(path), str(path)))
    else:
        cells = list(_markdown_cells(files.load(path).split("\n"), path.suffix.lower() in _CHUNKS))
    if not any(cell.code for cell in cells):
        raise LessonError(_("has no cell with Python code."), path=str(path))
    return cells


# ---------------------------------------------------------------- .ipynb


def _load_json(path: Path) -> dict[str, Any]:
    """Return a notebook's JSON object, with its list of `cells`."""
    data = files.read_bytes(path, most=files.MAX_NOTEBOOK_BYTES)
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise LessonError(_("is no notebook: it is not JSON."), path=str(path), line=line) from None
    if isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):  # format 3
        lists = [_mapping(sheet).get("cells") for sheet in notebook["worksheets"]]
        notebook["cells"] = [cell for cells in lists if isinstance(cells, list) for cell in cells]
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise LessonError(_("is no notebook: it has no cells."), path=str(path))
    metadata = _mapping(notebook.get("metadata"))
    spoken = _mapping(metadata.get("language_info")).get("name") or _mapping(metadata.get("kernelspec")).get("language")
    if isinstance(spoken, str) and "python" not in spoken.lower():
        raise LessonError(_("is a notebook in {language}, not in Python.", language=spoken), path=str(path))
    return notebook


def _jupyter_cells(notebook: dict[str, Any], path: str) -> Iterator[RawCell]:
    for cell in map(_mapping, notebook["cells"]):
        source = cell.get("source", cell.get("input", ""))
        if isinstance(source, list):
            source = "".join(map(str, source))
        if not isinstance(source, str):
            raise LessonError(_("is no notebook: a cell has no text."), path=path)
        source = source.replace("\r\n", "\n").replace("\r", "\n")
        if cell.get("cell_type") == "code":
            yield RawCell(True, source, 1, _tags(_mapping(cell.get("metadata")).get("tags")))
        elif cell.get("cell_type") == "markdown" and source.strip():
            yield RawCell(False, source, 1, {})


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _tags(tags: Any) -> dict[str, Any]:
    return {"tags": [str(tag) for tag in tags]} if isinstance(tags, list) and tags else {}


# ---------------------------------------------------------------- Markdown

_FENCE = re.compile(r"(?P<fence>`{3,}|~{3,})\s*(?P<info>[^`]*)$")
_MYST_CELL = re.compile(r"\{code-cell\}")
_CHUNK = re.compile(r"\{\s*python[\d.]*\b(?P<options>[^}]*)\}", re.IGNORECASE)
_PYTHON = re.compile(r"(?:i?python[23]?|py)\b(?P<options>.*)", re.IGNORECASE)
_MARK = re.compile(r"<!--\s*#(?:end)?region\b.*-->|\+\+\+.*")
"""Lines with which jupytext and MyST part cells of prose."""
_QUOTED = re.compile(r"""["']([^"']*)["']""")


def _markdown_cells(lines: list[str], chunks: bool) -> Iterator[RawCell]:
    """Yield the cells of Markdown; with `chunks` only blocks like `{python}` are code."""
    myst = any(match and _MYST_CELL.match(match["info"]) for match in map(_FENCE.match, lines))
    options_of = _chunk_options if chunks else _myst_options if myst else _block_options
    row = _end_of_header(lines)
    prose: list[str] = []
    while row < len(lines):
        fence = _FENCE.match(lines[row])
        if fence is None:
            prose.append("" if _MARK.fullmatch(lines[row].strip()) else lines[row])
            row += 1
            continue
        end = _end_of_block(lines, row, fence["fence"])
        options = options_of(fence["info"].strip())
        if options is None:
            prose += lines[row : end + 1]
        else:
            yield from _prose(prose)
            prose = []
            body, more = (_without_options if myst else _commented_options)(lines[row + 1 : end])
            options += more
            if re.search(r"\beval\s*[=:]\s*false\b", options, re.IGNORECASE):
                yield from _prose(lines[row : end + 1])
            else:
                yield RawCell(True, "\n".join(body), 1, _tags(_written_tags(options)))
        row = end + 1
    yield from _prose(prose)


def _end_of_header(lines: list[str]) -> int:
    """Return the row after the YAML at the beginning, if there is any."""
    if lines and lines[0].rstrip() == "---":
        for row in range(1, len(lines)):
            if lines[row].rstrip() in ("---", "..."):
                return row + 1
    return 0


def _end_of_block(lines: list[str], row: int, fence: str) -> int:
    """Return the row of the fence that ends a block; that after the last line where there is none."""
    for end in range(row + 1, len(lines)):
        line = lines[end].strip()
        if len(line) >= len(fence) and not line.strip(fence[0]):
            return end
    return len(lines)


def _chunk_options(info: str) -> str | None:
    """Return the options of a block that is a cell of R Markdown or Quarto, else None."""
    match = _CHUNK.match(info)
    return None if match is None else match["options"]


def _myst_options(info: str) -> str | None:
    return "" if _MYST_CELL.match(info) else None


def _block_options(info: str) -> str | None:
    """Return the options of a block that jupytext runs, else None."""
    match = _PYTHON.match(info) or _CHUNK.match(info)
    return None if match is None or re.match(r"\.noeval|\.no-?exec", match["options"].strip()) else match["options"]


def _commented_options(body: list[str]) -> tuple[list[str], str]:
    """Return the lines of a cell, and the options that Quarto has in its first comments, which stay."""
    options = [line.removeprefix("#|") for line in body if line.startswith("#|")]
    return body, "".join(f"\n{line}" for line in options)


def _without_options(body: list[str]) -> tuple[list[str], str]:
    """Return the lines of a MyST cell without the options at its beginning, and those."""
    if body and body[0].rstrip() == "---":
        ends = [row for row in range(1, len(body)) if body[row].rstrip() == "---"]
        if ends:
            return body[ends[0] + 1 :], "\n".join(body[1 : ends[0]])
    first = next((row for row, line in enumerate(body) if not re.match(r":[\w-]+:", line)), len(body))
    return body[first:], "\n".join(body[:first])


def _written_tags(options: str) -> list[str]:
    """Return the tags in `tags=["a"]`, `:tags: [a, b]` or `tags: a`, also as a list of lines."""
    match = re.search(r"\btags\b[ \t]*[=:][ \t]*(\[[^\]]*\]|(?:\n\s*-[^\n]*)+|[^\n]*)", options)
    if match is None:
        return []
    quoted = _QUOTED.findall(match[1])
    return quoted or [word for word in re.split(r"[\s,\[\]]+", match[1]) if word.strip("-")]


def _prose(lines: list[str]) -> Iterator[RawCell]:
    text = "\n".join(lines).strip("\n")
    if text.strip():
        yield RawCell(False, text, 1, {})
