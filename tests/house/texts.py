"""Collect the texts that are marked for translation, for Babel: its own reader overlooks a mark inside of another one.

`make messages` runs it, as pyproject.toml says.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import IO, Any

MARKS = {"styled": "_"}
"""Functions of ours that translate a text as another function does that Babel knows."""
KEY_LABELS = ("K_", "key_label")
"""Functions that mark the label of a key: its context in the catalog is "key"."""


def extract(
    file: IO[bytes], keywords: Collection[str], comment_tags: Collection[str], options: dict[str, Any]
) -> Iterator[tuple[int, str, tuple[str | None, ...], list[str]]]:
    """Yield line, function, texts and comments of each call that marks; None in place of what is no plain text."""
    for node in ast.walk(ast.parse(file.read())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            name = MARKS.get(name, name)
            if name in KEY_LABELS:
                texts = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
                if isinstance(texts[0], str):
                    yield node.lineno, "pgettext", ("key", texts[0]), []
            elif name in keywords:
                values = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
                yield node.lineno, name, tuple(text if isinstance(text, str) else None for text in values), []
