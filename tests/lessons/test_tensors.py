"""The lessons about tensors: the figures of the curriculum, or worked out here without torch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tests.lessons.plainly import plain, run


def figures(lesson: str) -> dict[str, Any]:
    return {name: plain(value) for name, value in run(lesson).names.items()}


def test_making_chooses_types() -> None:
    names = run("tensors/making").names
    assert [names[name].dtype for name in ("a", "sevens")] == [torch.int64] * 2
    assert [names[name].dtype for name in ("b", "zeros", "ones", "halves", "identity")] == [torch.float32] * 5
    target = names["target"]
    assert (names["result"] is target, target.shape, target.dtype) == (True, (2, 3), torch.float64)


def test_slope() -> None:
    names = figures("tensors/slope")
    assert names["measured"] == pytest.approx([6.1, 6.01, 6.001, 6.0001, 6.00001], rel=1e-6)
    assert (names["lost"], run("tensors/slope").names["w"].grad.item()) == (0, 6)


def test_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures("tensors/ranges")
    assert found["evens"] == [2, 4, 6, 8]
    assert found["gap"] == pytest.approx(1.3333, rel=1e-4)
    assert found["points"] == pytest.approx([2 + place * 8 / 6 for place in range(7)], rel=1e-4)
    assert found["tens"] == pytest.approx([1, 10, 100], rel=1e-4)
    assert found["twos"] == pytest.approx([1, 2, 4, 8], rel=1e-4)
    assert "linspace() received an invalid combination of arguments" in capsys.readouterr().out


def test_random_combines_means_and_spreads_in_four_ways(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures("tensors/seeds")
    assert found["first"] == found["third"] != found["second"]
    assert found["shifted"] == [found["first"][1], found["second"][0]]
    assert sorted(found["order"]) == list(range(5))
    found = figures("tensors/distributions")
    assert set(found["rolls"]) == {1, 2, 3, 4, 5}
    assert (found["coins"][0], found["coins"][2]) == (0, 1)
    assert [len(found[name]) for name in ("pairs", "one_spread", "one_mean", "neither")] == [3, 3, 3, 4]
    assert found["pairs"][0] == found["one_mean"][0] == 0  # where the spread is zero
    said = capsys.readouterr().out
    assert "normal() received an invalid combination of arguments" in said
    assert "not implemented for 'Long'" in said


def test_history_and_detach(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("tensors/history").names
    w, total = names["w"], names["total"]
    assert (w.requires_grad, w.is_leaf, w.grad_fn) == (True, True, None)
    assert (total.requires_grad, total.is_leaf, total.grad_fn.name()) == (True, False, "SumBackward0")
    assert "Only Tensors of floating point and complex dtype can require gradients" in capsys.readouterr().out
    names = run("tensors/detach").names
    w, plain = names["w"], names["plain"]
    assert (plain.requires_grad, plain.data_ptr()) == (False, w.data_ptr())
    assert type(names["v"]) is torch.Tensor
    assert "has been modified by an inplace operation" in capsys.readouterr().out


def test_memory_is_shared_or_copied() -> None:
    names = run("tensors/memory").names
    assert names["array"].tolist() == names["x"].tolist() == [99, 50, 3]
    assert names["y"].tolist() == [1, 2, 3]
    m, t, row, flat = (names[name] for name in ("m", "t", "row", "flat"))
    assert m.data_ptr() == t.data_ptr() == row.data_ptr() != flat.data_ptr()
    assert (m.stride(), t.stride(), t.is_contiguous()) == ((3, 1), (1, 3), False)
    assert flat.tolist() == [-1, 100, 1, 4, 2, 5]


def test_joining(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("tensors/joining").names
    assert [list(names[name].shape) for name in ("below", "beside", "stacked")] == [[4, 3], [2, 6], [2, 2, 3]]
    parts = {name: [len(part) for part in names[name]] for name in ("thirds", "four_wanted", "pairs", "by_list")}
    assert parts == {"thirds": [3, 3, 1], "four_wanted": [2, 2, 2], "pairs": [2, 2, 2, 1], "by_list": [4, 1, 2]}
    assert "sum exactly to 7" in capsys.readouterr().out


def test_selecting() -> None:
    names = run("tensors/selecting", 2).names
    assert names["large"].tolist() == [6, 7, 8, 9, 10, 11]
    assert (names["mask"].dtype, list(names["mask"].shape)) == (torch.bool, [3, 4])
    assert (names["small"].tolist(), names["exactly"].tolist()) == ([0, 1, 2], [4, 5])


def test_shaping() -> None:
    names = run("tensors/shaping").names
    shapes = {name: list(names[name].shape) for name in ("cube", "flat", "bare", "first_gone", "tried", "as_row")}
    assert shapes == {"cube": [2, 3, 2], "flat": [12], "bare": [2, 3], "first_gone": [2, 3, 1],
                      "tried": [1, 2, 3, 1], "as_row": [1, 4]}  # fmt: skip
    assert list(names["as_column"].shape) == [4, 1]
    assert names["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert names["refilled"].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_math() -> None:
    found = figures("tensors/elementwise")
    a, b, u = [1, 10, 100], [2, 4, 8], [-1, 0, 0.5]
    assert (found["a"], found["b"], found["u"]) == (a, b, u)
    close = {
        "cmul": [-3, 10, 108],
        "cdiv": [0, 10, 100.125],
        "total": [x + 10 * y for x, y in zip(a, b, strict=True)],
        "minus": [-1, 6, 92],
        "times": [2, 40, 800],
        "ratio": [0.5, 2.5, 12.5],
        "twos": [math.log2(y) for y in b],
        "digits": [math.log10(x) for x in a],
        "back": a,
        "squares": [4, 16, 64],
        "sizes": [1, 0, 0.5],
        "ones": [1, 1, 1],
    }
    assert {name: found[name] for name in close} == {
        name: pytest.approx(right, rel=1e-4, abs=1e-6) for name, right in close.items()
    }
    types = {name: run("tensors/elementwise").names[name].dtype for name in ("doubled", "scaled", "wide")}
    assert types == {"doubled": torch.int64, "scaled": torch.float32, "wide": torch.float64}
    found = figures("tensors/broadcasting")
    assert found["grid"] == [[x + y for y in (0, 10, 20, 30)] for x in (1, 2, 3)]
    assert found["works"] == [True, False, True]


def test_matmul(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures("tensors/matmul")
    assert found["elements"] == [[10, 0], [0, 4]]
    assert found["dot"] == 1 * 4 + 2 * 5 + 3 * 6
    assert found["works"] == [True, False]
    said = capsys.readouterr().out
    assert "shapes cannot be multiplied (3x4 and 2x3)" in said
    assert "same dtype" in said
