"""Answers to questions: what one may type, and when it is right."""

from __future__ import annotations

from typing import Any

import pytest

from tutor.lesson.answers import AnswerError, elements, format_answer, matches, matches_line, parse, read


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("5", [5.0]), ("5.0", 5), ("5.004", [[5.0]]), ("-0.5", -0.5), ("[5]", 5.0), ("[1, 2]", [1.0, 2.0]),
        ("[[1, 2], [3, 4]]", [[1.0, 2.0], [3.0, 4.0]]), ("True", True), ("false", False), ("none", None),
        ("nan", float("nan")), ("inf", float("inf")), ("-inf", float("-inf")), (" 0 ", 0.0), ("1e-3", 0.001),
        ("tensor([5.])", 5.0), ("torch.tensor(5.)", 5.0), ("0", 1e-8),
        *((typed, float("nan")) for typed in
          ("NaN", "float('nan')", 'float("NaN")', "math.nan", "torch.nan", "np.nan", "[nan]", "tensor([nan])")),
        *((typed, float("inf")) for typed in
          ("Inf", "+inf", "infinity", "float('inf')", "float( '+inf' )", "math.inf", "torch.inf", "tensor(inf)")),
        *((typed, float("-inf")) for typed in ("-Inf", "float('-inf')", "-float('inf')", "-torch.inf", "[-inf]")),
        ("[1, nan, -inf]", [1.0, float("nan"), float("-inf")]), ("[nan, 2]", ["nan", 2.0]),
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
        ("inf", float("-inf")), ("-inf", float("inf")), ("nan", 0.0), ("[1, nan]", [float("nan"), 1.0]),
        ("nan", None), ("float('nan')", float("inf")), ("None", "abc"), ("1" + "0" * 400, 1.0),
    ],
)  # fmt: skip
def test_wrong(typed: str, right: Any) -> None:
    assert not matches(parse(typed), right)


@pytest.mark.parametrize(
    "typed",
    ["", "w", "__import__('os')", "'5'", "{1: 2}", "[1, 'a']", "1 +", "(" * 500, "1j", "tensor(w)", "9" * 6000 + "]",
     "float('5')", "float(nan)", "float('x')", "os.nan", "math.pi", "nano", "-'a'", "[nan, w]", "float()", "inf()"],
)  # fmt: skip
def test_no_answer(typed: str) -> None:
    with pytest.raises(AnswerError, match="a number, a list such as"):
        parse(typed)


@pytest.mark.parametrize("typed", ["None", "True", "7.0", "[7]", "nan", "inf"])
def test_only_a_whole_number_is_a_line_or_a_choice(typed: str) -> None:
    with pytest.raises(AnswerError, match="The answer is the number of a line"):
        read(typed, "line", 0)
    with pytest.raises(AnswerError, match="Choose a number from 1 to 9"):
        read(typed, "choice", 9)
    assert format_answer(read(typed, "predict", 0)) == format_answer(parse(typed))


def test_a_choice_is_one_of_the_options() -> None:
    assert [read(typed, "choice", 3) for typed in "123"] == [1, 2, 3]
    for typed in ("0", "4", "-1"):
        with pytest.raises(AnswerError, match="from 1 to 3"):
            read(typed, "choice", 3)


def test_shown() -> None:
    assert format_answer([5.0, [True, None]]) == "[5, [True, None]]"
    assert format_answer(0.1) == "0.1"


def test_element_by_element() -> None:
    found = elements(parse("[[1, 2], [3, 5]]"), [[1.0, 2.001], [3.0, 4.0]])
    assert found is not None
    assert [(element.place, element.ok) for element in found] == [
        ((0, 0), True), ((0, 1), True), ((1, 0), True), ((1, 1), False),
    ]  # fmt: skip
    assert (found[3].given, found[3].right) == (5, 4.0)


@pytest.mark.parametrize(
    ("typed", "right"), [("[1, 2]", [1.0, 2.0, 3.0]), ("3", [1.0, 2.0]), ("[[1, 2]]", [[1.0], [2.0]])]
)
def test_other_shapes_have_no_elements_in_common(typed: str, right: Any) -> None:
    assert elements(parse(typed), right) is None


def test_a_number_is_one_element() -> None:
    (element,) = elements(parse("5"), [[5.0]]) or []
    assert (element.place, element.ok) == ((), True)


@pytest.mark.parametrize(("given", "ok"), [(7, False), (8, True), (9, True), (10, False), (8.0, False), (True, False)])
def test_a_line_of_the_statement(given: Any, ok: bool) -> None:
    assert matches_line(given, 8, 9) is ok


def test_a_line_alone() -> None:
    assert matches_line(8, 8, None)
    assert not matches_line(9, 8, None)
