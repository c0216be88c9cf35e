"""The paths that CONTRIBUTING.md, README.md and the pages of docs/ name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("CONTRIBUTING.md", "README.md", "docs/reliability.md", "docs/compatibility.md")
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.py|[\w-]+\.md)`")
"""A path in backticks: with a slash, or a Python or Markdown file."""
BESIDE = ("", "tutor/", "tutor/explain/", "tutor/explain/rules/", "tutor/ui/", "tests/", "tests/lessons/")
"""Folders that a path may be relative to."""
NOT_FILES = re.compile(
    r"^(graph/|FAMILY/|tutor/locale/LANGUAGE/|tensors/|backprop/|training/|pitfalls/|\./|/)"
    r"|^(train|model|script|own|main)\.py$"
)
"""Ids of lessons, placeholders, and programs of a reader."""


@pytest.mark.parametrize("page", PAGES)
def test_paths_in_the_page_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = {path for path in PATH.findall(text) if not NOT_FILES.match(path)}
    missing = sorted(path for path in paths if not any((ROOT / folder / path).exists() for folder in BESIDE))
    assert not missing


def test_contributing_names_enough_paths_to_be_of_use() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(set(PATH.findall(text))) > 40
