"""That `doctor` knows the versions that were tested, as `docs/compatibility.md` has them."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.compat.__main__ import TABLE, USUAL, versions_tested
from tutor.text.doctor import TESTED

ROOT = Path(__file__).parents[2]


def test_doctor_has_the_versions_of_the_table() -> None:
    assert versions_tested() == set(TESTED)


def test_the_usual_torch_is_the_one_that_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"torch=={USUAL[1]}" in project["optional-dependencies"]["dev"]
    assert f"Python {USUAL[0]} and torch {USUAL[1]}" in TABLE.read_text(encoding="utf-8")
