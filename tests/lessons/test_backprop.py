"""The lessons about backpropagation: the figures of the curriculum, or worked out here without torch."""

from __future__ import annotations

import math

import pytest

from tests.lessons.plainly import run


def test_one_sample(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("backprop/one-sample").names
    assert capsys.readouterr().out.startswith("before: None\n")
    assert (names["first"], names["w"].grad.item()) == (2 * (1 - 2) * 1, 2 * (2 - 4) * 2)


def test_chain() -> None:
    names = run("backprop/chain").names
    assert names["loss"].item() == 14161
    to_y = 2 * 119
    assert [names[name].grad.item() for name in ("w1", "w2", "w3")] == [to_y * 5 * 4 * 2, to_y * 5 * 6, to_y * 24]
    assert [names[name].grad.item() for name in ("v1", "v2", "v3")] == [0, 0, 0]
    assert names["second_loss"].item() == 1


def test_power(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("backprop/power").names
    assert names["y"].item() == 8
    assert names["w"].grad.item() == pytest.approx(5.5452, rel=1e-4)
    measured = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    # The measurement shown last is close enough to be an answer.
    assert measured[-1] == pytest.approx(8 * math.log(2), rel=1e-3)
    assert measured == sorted(measured, reverse=True)


def test_retain_grad() -> None:
    names = run("backprop/retain-grad").names
    assert names["a"].grad.item() == 2
    with pytest.warns(UserWarning, match="not a leaf"):
        assert (names["b"].grad, names["y"].grad) == (None, None)


def test_retain_graph(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("backprop/retain-graph").names
    assert names["once"] == 5
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == ["Trying to backward through the graph a second time", "first pass: 5.0", "second pass: 10.0"]
    assert names["s"].grad.item() == 2 * (9 - 4) * 6 + 2 * (9 - 10) * 6


def test_vector() -> None:
    names = run("backprop/vector", 2).names
    assert names["loss"].tolist() == [6, 5]
    assert (names["w"].grad.item(), names["x"].grad.item()) == (1 * 5 + 2 * 2, 1 * 2 + 2 * 1)
    names = run("backprop/vector", 3).names
    assert (names["w"].grad.item(), names["x"].grad.item()) == (5 + 2, 2 + 1)


def test_second_order() -> None:
    names = run("backprop/second-order").names
    assert (names["g"].item(), names["first"].item(), names["second"].item()) == (6, 2 * 3, 2)
    assert (names["x"].grad, names["u"].grad) == (None, None)


def test_accumulate(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("backprop/accumulate").names
    said = [line.rpartition(" ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said[:6] == ["5.0", "10.0", "15.0", "20.0", "0.0", "None"]
    assert names["whole"].item() == sum(2 * (0.5 * x - 3) * x for x in (1, 2, 3, 4)) / 4


def test_in_place() -> None:
    names = run("backprop/in-place").names
    assert names["v"].grad.item() == pytest.approx(3.7183, rel=1e-4)
    assert names["right"].item() == pytest.approx(2.7183, rel=1e-4)
    assert names["w"].tolist() == [1]  # both writes to the leaf failed
