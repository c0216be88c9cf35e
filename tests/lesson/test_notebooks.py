"""Notebooks taken apart into cells, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tutor.lesson import notebooks
from tutor.lesson.model import LessonError, RawCell
from tutor.lesson.parser import read


def cells_of(folder: Path, name: str, text: str) -> list[tuple[bool, str, Any]]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return [(cell.code, cell.source, cell.attributes.get("tags")) for cell in notebooks.read(path)]


def test_jupyter(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {"cell_type": "code", "source": "x = 1\r\ny = 2", "metadata": {"tags": ["a", "raises-exception"]}},
        {"cell_type": "raw", "source": "raw"},
        {"cell_type": "code", "source": [], "metadata": {}},
        {"cell_type": "markdown", "source": " "},
    ]
    expected = [(False, "# Title\ntext", None), (True, "x = 1\ny = 2", ["a", "raises-exception"]), (True, "", None)]
    assert cells_of(tmp_path, "a.ipynb", json.dumps({"nbformat": 4, "cells": cells})) == expected
    old = {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1"], "language": "python"}]}]}
    assert cells_of(tmp_path, "b.ipynb", json.dumps(old)) == [(True, "x = 1", None)]


def test_lines_are_counted_in_each_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("Hello\n\n```python\nx = 0.5  # @param {type: number}\n```\n\n```python\n%pip\nif\n```\n")
    lesson = read(path)
    assert lesson.is_notebook
    assert [(cell.kind, cell.number, cell.first_line, cell.lines) for cell in lesson.cells] == [
        ("prose", None, 1, 1), ("code", 1, 1, 1), ("code", 2, 1, 2),
    ]  # fmt: skip
    assert list(lesson.knobs) == ["x"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.md", "---\ntitle: x\n---\nA\n```python\nx\n```\nB\n~~~~py\n```\n~~~~",
         [(False, "A", None), (True, "x", None), (False, "B", None), (True, "```", None)]),
        ("a.md", "```python tags=[\"raises-exception\"] name=\"x\"\n1/0\n```\n", [(True, "1/0", ["raises-exception"])]),
        ("a.md", "````\n```python\nx\n```\n````\n```python .noeval\ny\n```\n```pycon\n>>> 1\n```\n```python\nz",
         [(False, "````\n```python\nx\n```\n````\n```python .noeval\ny\n```\n```pycon\n>>> 1\n```", None),
          (True, "z", None)]),
        ("a.md", "```{code-cell} ipython3\n:tags: [a, raises-exception]\n:name: n\n\nx\n```\n+++\n```python\ny\n```",
         [(True, "\nx", ["a", "raises-exception"]), (False, "```python\ny\n```", None)]),
        ("a.md", "```{code-cell}\n---\ntags:\n  - a\n  - b\n---\nx\n```", [(True, "x", ["a", "b"])]),
        ("a.Rmd", "```{r}\nx\n```\n```{python label, tags=\"a\"}\ny\n```\n```python\nz\n```",
         [(False, "```{r}\nx\n```", None), (True, "y", ["a"]), (False, "```python\nz\n```", None)]),
        ("a.qmd", "```{python}\n#| eval: false\nx\n```\n```{python}\n#| tags: [a]\ny\n```",
         [(False, "```{python}\n#| eval: false\nx\n```", None), (True, "#| tags: [a]\ny", ["a"])]),
    ],
)  # fmt: skip
def test_markdown(name: str, text: str, expected: list[tuple[bool, str, Any]], tmp_path: Path) -> None:
    assert cells_of(tmp_path, name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.ipynb", "{\n", "a.ipynb:2: is no notebook: it is not JSON."),
        ("a.ipynb", "[]", "it has no cells"),
        ("a.ipynb", '{"cells": 1}', "it has no cells"),
        ("a.ipynb", '{"cells": [{"cell_type": "code", "source": 1}]}', "a cell has no text"),
        ("a.ipynb", '{"cells": [1, null]}', "has no cell with Python code"),
        ("a.ipynb", '{"cells": [], "metadata": {"language_info": {"name": "R"}}}', "in R, not in Python"),
        ("a.ipynb", "[" * 100_000, "is not JSON"),
        ("a.md", "# Only text\n", "has no cell with Python code"),
        ("a.qmd", "```python\nx\n```", "has no cell with Python code"),
    ],
)
def test_files_that_are_none(name: str, text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(LessonError) as raised:
        cells_of(tmp_path, name, text)
    assert says in str(raised.value)


def test_only_cells_are_read(tmp_path: Path) -> None:
    output = {"output_type": "display_data", "data": {"image/png": "A" * (20 << 20)}}
    cell = {"cell_type": "code", "source": "x", "outputs": [output]}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert notebooks.read(tmp_path / "a.ipynb") == [RawCell(True, "x", 1, {})]


@pytest.mark.parametrize("cells", [5, None, {"a": 1}, "text"])
def test_sheets_whose_cells_are_no_list(tmp_path: Path, cells: Any) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"worksheets": [{"cells": cells}, 7]}))
    with pytest.raises(LessonError, match="no cell with Python code"):
        notebooks.read(path)
