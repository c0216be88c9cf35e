"""What a lesson prints is the same whatever Python and torch there are: `make compat` runs this with each of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from tests.worker.recording import Forker
from tutor.text import doctor, steps

LESSON = Path(__file__).parents[2] / "lessons" / "graph" / "01-two-paths.py"
EXPECTED = Path(__file__).with_name("two-paths.txt")


def test_steps_of_two_paths(record: Forker) -> None:
    out = io.StringIO()
    steps.write_text(record(LESSON).timeline, out)
    assert out.getvalue() == EXPECTED.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("2.14.1+cu130", "2.14.1+cu130, tested"),
        ("2.13.0", "2.13.0, tested"),
        ("2.13.1", "2.13.1, not tested (gradtutor was with "),
        ("3.0.0a0+gitabc", "3.0.0a0+gitabc, not tested ("),
    ],
)
def test_doctor_says_whether_a_torch_was_tested(version: str, says: str) -> None:
    found: dict[str, Any] = {"version": version, "cuda": None, "available": False, "devices": []}
    rows, runs = doctor._torch_rows(found)
    name, what, problem = rows[0]
    assert (name, problem, runs) == ("torch", "", True)
    assert what.startswith(says)


def test_an_older_torch_does_not_fit() -> None:
    found: dict[str, Any] = {"version": "2.5.1", "cuda": None, "available": False, "devices": []}
    rows, runs = doctor._torch_rows(found)
    assert rows[0][1].startswith("2.5.1, not tested")
    assert rows[0][2]
    assert not runs
