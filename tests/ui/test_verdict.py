"""What an answer is told, and which of its numbers are marked."""

from __future__ import annotations

from typing import Any

import pytest

from tutor.trace.events import Answer
from tutor.ui.panes.lesson import verdict
from tutor.ui.render.segments import ASCII, UNICODE


def verdict_text(kind: str, typed: str, right: bool | None, value: Any) -> str:
    return "".join(text for text, _ in verdict(kind, typed, right, Answer(1, value), UNICODE))


@pytest.mark.parametrize(
    ("kind", "typed", "right", "value", "line"),
    [
        ("predict", "5", True, [5.0], "5 ✓ right"),
        ("predict", "4", False, [5.0], "4 ✗ the run gives 5"),
        ("predict", "", None, [5.0], "skipped · the run gives 5"),
        ("line", "3", False, 7, "3 ✗ it is line 7"),
        ("choice", "3", False, 2, "3 ✗ the right one is 2"),
        ("choice", "", None, 2, "skipped · the right one is 2"),
        ("predict", "[2, 5, 6]", False, [2.0, 4.0, 6.0], "[2, 5, 6] ✗ the run gives [2, 4, 6]; off at [1]"),
        ("predict", "[[1, 2], [0, 4]]", False, [[1, 2], [3, 4]], "[[1, 2], [0, 4]] ✗ the run gives [[1, 2], [3, 4]]"
                                                                 "; off at [1, 0]"),
        ("predict", "[1, 5, 4]", False, [1, 2, 3], "[1, 5, 4] ✗ the run gives [1, 2, 3]; off at [1] and [2]"),
        ("predict", "[7, 8]", False, [1, 2], "[7, 8] ✗ the run gives [1, 2]"),
        ("predict", "[1, 2, 3]", False, [1, 2], "[1, 2, 3] ✗ the run gives [1, 2]"),
    ],
)  # fmt: skip
def test_an_answer_beside_the_run(kind: str, typed: str, right: bool | None, value: Any, line: str) -> None:
    assert verdict_text(kind, typed, right, value) == line


def test_each_number_of_a_list_has_the_colour_of_right_or_wrong() -> None:
    pieces = verdict("predict", "[2, 5]", False, Answer(1, [2.0, 4.0]), ASCII)
    roles = dict(pieces[:5])
    assert roles["2"] == "leaf strong"
    assert roles["5"] == "error strong"


def test_what_the_run_has_not_told_is_not_told() -> None:
    assert "".join(text for text, _ in verdict("predict", "5", None, None, UNICODE)).startswith("5 — go on")
