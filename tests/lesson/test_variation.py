"""Other numbers for a question: how `vary` is read, and the code that has them."""

from __future__ import annotations

import pytest

from tutor.lesson import variation


def test_sets_of_numbers() -> None:
    assert variation.parse("x: [2, 3]; w: [-1.5, 5]") == [{"x": 2, "w": -1.5}, {"x": 3, "w": 5}]
    assert variation.parse("a: [[[1, 2], [3, 4]]]") == [{"a": [[1, 2], [3, 4]]}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x", "`x` is no name with a list"),
        ("x: 2", "`x: 2` is no name"),
        ("x: []", "is no name"),
        ("x y: [1]", "is no name"),
        ("x: [1]; w: [1, 2]", "different lengths"),
        ("x: [1];", "`` is no name"),
    ],
)
def test_malformed(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        variation.parse(text)


@pytest.mark.parametrize(
    ("code", "numbers", "changed"),
    [
        ("x = 1", {"x": 2}, "x = 2"),
        (
            "x = torch.tensor([1.0], requires_grad=True)  # 中",
            {"x": 2},
            "x = torch.tensor([2.0], requires_grad=True)  # 中",
        ),
        ("x = torch.tensor(-1.0)", {"x": 3}, "x = torch.tensor(3.0)"),
        ("x = torch.tensor(1.0)", {"x": -3}, "x = torch.tensor(-3.0)"),
        ("y = x * 4", {"y": 7}, "y = x * 7"),
        ("x, t = torch.tensor(2.0), 1", {"t": 5}, "x, t = torch.tensor(2.0), 5"),
        ("a = torch.tensor([[1.0, 2.0],\n  [3.0, 4.0]])", {"a": [[0, 1]]}, "a = torch.tensor([[0.0, 1.0]])"),
        ("x = 1\nx = 2", {"x": 3}, "x = 3\nx = 2"),
        ("x = torch.full((2, 3), 1.0)", {"x": 2}, None),
        ("def f():\n    x = 1", {"x": 2}, None),
        ("x +=", {"x": 2}, None),
    ],
)
def test_the_code_with_other_numbers(code: str, numbers: variation.Numbers, changed: str | None) -> None:
    if changed is None:
        with pytest.raises(ValueError, match="no line assigns"):
            variation.edits({1: code}, numbers)
    else:
        assert variation.edits({1: code}, numbers) == {1: changed}


def test_the_last_cell_that_assigns_a_name_changes() -> None:
    cells = {1: "x = 1\nw = 1", 2: "x = 2", 3: "y = x"}
    assert variation.edits(cells, {"x": 5, "w": 6}) == {2: "x = 5", 1: "x = 1\nw = 6"}


@pytest.mark.parametrize(
    ("code", "numbers", "says"),
    [
        ("x = 1", {"x": 2}, "x = 2"),
        ("x = torch.tensor([1.0], requires_grad=True)", {"x": 2}, "x = 2"),
        ("a = np.array([1.0, 2.0])", {"a": [0.0, 1.0]}, "a = [0.0, 1.0]"),
        ("y = x * 4", {"y": 7}, "y = x * 7"),
        ("numbers = torch.arange(12)", {"numbers": 8}, "numbers = torch.arange(8)"),
        ("x, t = torch.tensor(2.0), 1", {"t": 5}, "t = 5"),
    ],
)
def test_a_name_is_said_to_be_a_number_only_where_it_is(code: str, numbers: variation.Numbers, says: str) -> None:
    ((name, value),) = numbers.items()
    assert variation.describe(variation.edits({1: code}, numbers).values(), name, value) == says
