"""The lessons about training: the figures of the curriculum, or worked out here without torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.lessons.plainly import run


def near(value: object) -> Any:
    return pytest.approx(value, rel=1e-4)


def test_line_by_hand() -> None:
    names = run("training/line-by-hand").names
    assert names["gradients"] == near([-2, -7.84, -16.2288])
    assert names["answer"] == near(7.9999986)


def test_line_with_bias() -> None:
    names = run("training/line-with-bias", "solution").names
    assert names["loss"].item() == near(2.5203e-4)
    assert (names["w"].item(), names["b"].item()) == near((1.97972, 0.0481447))
    assert names["answer"] == near(7.96702)


def test_forgot_zero() -> None:
    names = run("training/forgot-zero").names
    assert names["gradients"] == near([-2, -9.84, -25.7088])
    assert names["answer"] == near(7.64339)
    assert 20 < names["rises"] < 80


def test_quadratic() -> None:
    names = run("training/quadratic", "solution").names
    assert names["w1"].item() == names["w2"].item() == near(0.359782)
    assert (names["answer"](), names["loss"].item()) == near((8.73618, 0.0144965))
    names = run("training/quadratic", "draw").names
    assert (names["answer"], names["loss"].item()) == near((8.76424, 0.0106943))
    names = run("training/quadratic", "draw", start=1.0).names
    assert (names["answer"], names["loss"].item()) == near((8.54417, 0.00631808))


@pytest.mark.parametrize(("knobs", "iteration"), [
    ({}, 78), ({"slope": 1}, 84), ({"slope": 3}, 72), ({"slope": 5}, 59), ({"stop": 10}, 0), ({"stop": 0.1}, 999),
])  # fmt: skip
def test_linear_regression_stops(knobs: dict[str, object], iteration: int) -> None:
    names = run("training/noisy-line", 2, **knobs).names
    assert names["iteration"] == iteration
    assert (names["loss"].item() < names["stop"]) == (iteration != 999)


def test_linear_regression_has_a_floor() -> None:
    names = run("training/stopping", "solution").names
    assert names["floor"].item() == near(0.46355)
    assert names["iteration"] == 80
    names = run("training/stopping", "check").names
    assert names["iteration"] == 78


def test_a_loop_that_looks_every_20_iterations_stops_at_580() -> None:
    names = run("training/stopping", 2).names
    assert names["stopped"] == 580
    assert 560 < names["first"] < 580


def test_item() -> None:
    names = run("training/item").names
    assert names["total"] == (1 - 2) ** 2 + (2 - 4) ** 2 + (3 - 6) ** 2


def test_update(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("training/update").names
    assert (names["w"].is_leaf, names["u"].is_leaf, names["count"]) == (False, True, 1)
    assert "a leaf Variable that requires grad is being used in an in-place" in capsys.readouterr().out


def test_optimizers() -> None:
    names = run("training/sgd", "solution").names
    losses = names["losses"]
    assert losses[:2] == near([14161, 4.196e11])
    assert losses[2] == float("inf")
    assert losses[4] != losses[4]
    names = run("training/sgd", "solution", lr=0.0001).names
    assert names["losses"] == sorted(names["losses"], reverse=True)  # the knob repairs it
    names = run("training/adam").names
    assert (names["adam_loss"].item(), names["moved"]) == (near(3436.99), near(0.01))


def test_momentum() -> None:
    names = run("training/momentum").names
    at, velocity, path = 0.0, 0.0, []
    for _ in range(10):
        velocity = 0.9 * velocity + 2 * (at - 3)
        at -= 0.02 * velocity
        path.append(at)
    assert names["path"] == near(path)


def test_dynamic_lr() -> None:
    names = run("training/dynamic-lr").names
    assert names["rates"] == near([0.04 * 0.5 ** (epoch // 10) for epoch in range(30)])


def test_modules(capsys: pytest.CaptureFixture[str]) -> None:
    run("training/parameters")
    run("training/layers")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "optimizer got an empty parameter list"
    assert "module 'torch.functional' has no attribute 'relu'" in said


def test_freeze() -> None:
    names = run("training/freeze").names
    assert (names["reached"][0], names["reached"][-1]) == near((1.02, 1.33239))
    assert (names["losses"][0], names["losses"][-1]) == near((1, 0.464078))
    assert names["neurons"]["input"] == names["neurons"]["hidden"] == [1] * 20
    assert names["neurons"]["output"] == near([1, *names["reached"][:-1]])


def test_batches() -> None:
    names = run("training/mini-batches").names
    assert names["sizes"] == [64] * 15 + [40]
    assert run("training/mean-or-sum").names["lengths"] == [64, 64, 64, 8]


def test_logistic_regression() -> None:
    names = run("training/logistic-regression").names
    assert (names["history"][0], names["history"][400]) == near((0.92, 0.995))
    assert names["iteration"] == 400
    assert all(reached <= 0.99 for at, reached in names["history"].items() if at < 400)


def test_the_state_of_adam_has_a_tenth_of_the_first_gradient_and_a_thousandth_of_its_square() -> None:
    p = torch.tensor(5.0, requires_grad=True)
    adam = torch.optim.Adam([p], lr=0.01)
    (9520 * p).backward()
    adam.step()
    state = adam.state[p]
    assert (state["exp_avg"].item(), state["exp_avg_sq"].item()) == (near(952), near(9520**2 / 1000))
    assert p.item() == near(5 - 0.01)
