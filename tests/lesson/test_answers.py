"""Answers to questions: what one may type, and when it is right."""

from __future__ import annotations

from typing import Any

import pytest

from tutor.lesson.answers import AnswerError, matches, parse, shown


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("5", [5.0]), ("5.0", 5), ("5.004", [[5.0]]), ("-0.5", -0.5), ("[5]", 5.0), ("[1, 2]", [1.0, 2.0]),
        ("[[1, 2], [3, 4]]", [[1.0, 2.0], [3.0, 4.0]]), ("True", True), ("false", False), ("none", None),
        ("nan", float("nan")), ("inf", float("inf")), ("-inf", float("-inf")), (" 0 ", 0.0), ("1e-3", 0.001),
        ("tensor([5.])", 5.0), ("torch.tensor(5.)", 5.0), ("0", 1e-8),
    ],
)  # fmt: skip
def test_right(typed: str, right: Any) -> None:
    assert matches(parse(typed), right)


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("5.006", 5.0), ("3", [5.0]), ("1", True), ("True", 1.0), ("None", 0.0), ("0", None), ("[1, 2]", [1.0, 3.0]),
        ("[1, 2]", [1.0, 2.0, 3.0]), ("1", [1.0, 1.0]), ("0", float("nan")), ("-5", 5.0), ("0.0001", 0.0),
        ("0.001", 0.0),
        ("inf", float("-inf")), ("None", "abc"), ("1" + "0" * 400, 1.0),
    ],
)  # fmt: skip
def test_wrong(typed: str, right: Any) -> None:
    assert not matches(parse(typed), right)


@pytest.mark.parametrize(
    "typed",
    ["", "w", "__import__('os')", "'5'", "{1: 2}", "[1, 'a']", "1 +", "(" * 500, "1j", "tensor(w)", "9" * 6000 + "]"],
)
def test_no_answer(typed: str) -> None:
    with pytest.raises(AnswerError, match="a number, a list such as"):
        parse(typed)


def test_shown() -> None:
    assert shown([5.0, [True, None]]) == "[5, [True, None]]"
    assert shown(0.1) == "0.1"
