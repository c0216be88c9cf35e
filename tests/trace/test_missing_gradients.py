"""Why parameters have no gradient, at each step of real runs."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker, Recording
from tutor.trace.missing_gradients import Reason, missing_gradients

SCRIPT = """\
import torch
used = torch.tensor([2.0], requires_grad=True)
late = torch.tensor([3.0], requires_grad=True)
unused = torch.tensor([4.0], requires_grad=True)
frozen = torch.tensor([5.0])
loss = (used * frozen).exp().sum() * late.sum()
loss.backward()
done = True
used.grad = None
done = False
"""


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    return record(SCRIPT)


def reasons(run: Recording, step: int) -> dict[str, Reason]:
    """By name: why the leaves have no gradient after a step."""
    names = run.names(step)
    leaves = {name: number for name, number in names.items() if name in ("used", "late", "unused", "frozen")}
    missing = missing_gradients(run.timeline, step, leaves.values())
    return {name: missing[number] for name, number in leaves.items() if number in missing}


def test_before_any_pass(run: Recording) -> None:
    none = Reason.NO_PASS
    assert reasons(run, run.line(7)) == {"used": none, "late": none, "unused": none, "frozen": Reason.FROZEN}


def test_a_running_pass_leads_to_some_and_reaches_them_one_by_one(run: Recording) -> None:
    (begin,) = run.steps_of("backward")
    left = {"unused": Reason.UNUSED, "frozen": Reason.FROZEN}
    assert reasons(run, begin) == {"used": Reason.NOT_YET, "late": Reason.NOT_YET, **left}
    first, second = run.steps_of("accumulate")
    assert reasons(run, first - 1) == reasons(run, begin)
    assert reasons(run, first) == {"used": Reason.NOT_YET, **left}
    assert reasons(run, second) == left


def test_after_the_pass_and_after_it_was_set_to_none(run: Recording) -> None:
    left = {"unused": Reason.UNUSED, "frozen": Reason.FROZEN}
    assert reasons(run, run.line(8)) == left
    assert reasons(run, run.line(10)) == {"used": Reason.CLEARED, **left}
    assert reasons(run, run.line(8)) == left  # the walk goes back


def test_zero_grad_of_an_optimizer(record: Forker) -> None:
    run = record(
        "import torch\nused = torch.ones(2, requires_grad=True)\nunused = torch.ones(2, requires_grad=True)\n"
        "opt = torch.optim.SGD([used, unused])\nused.sum().backward()\nopt.zero_grad()\nlast = 1\n"
    )
    assert reasons(run, run.line(7)) == {"used": Reason.CLEARED, "unused": Reason.UNUSED}


@pytest.mark.parametrize(
    "call", ["torch.autograd.grad(loss, late)", "loss.backward(inputs=[late]); late.grad = None"]
)  # fmt: skip
def test_a_pass_that_writes_no_gradient_of_a_leaf_it_leads_to(record: Forker, call: str) -> None:
    run = record(SCRIPT.replace("loss.backward()", call).replace("used.grad = None", "pass"))
    assert reasons(run, run.line(8))["used"] is Reason.NOT_STORED
    assert reasons(run, run.line(8))["unused"] is Reason.UNUSED
    assert reasons(run, run.line(8))["late"] is (Reason.NOT_STORED if "autograd" in call else Reason.CLEARED)


def test_grad_writes_none_while_it_runs(record: Forker) -> None:
    run = record(SCRIPT.replace("loss.backward()", "torch.autograd.grad(loss, late)"))
    (begin,) = run.steps_of("backward")
    assert reasons(run, begin)["late"] is Reason.NOT_STORED


def test_a_pass_that_failed(record: Forker) -> None:
    run = record(
        "import torch\nused = torch.ones(1, requires_grad=True)\ny = used.exp()\nwith torch.no_grad():\n    y.mul_(2)\n"
        "try:\n    y.backward()\nexcept RuntimeError:\n    pass\nlast = 1\n"
    )
    assert reasons(run, run.line(10)) == {"used": Reason.NOT_STORED}


def test_a_pass_inside_of_another(record: Forker) -> None:
    run = record("""\
import torch
from torch.utils.checkpoint import checkpoint
used = torch.ones(2, requires_grad=True)
late = torch.ones(2, requires_grad=True)
loss = checkpoint(torch.exp, late * checkpoint(torch.sin, used, use_reentrant=True), use_reentrant=True).sum()
loss.backward()
""")
    begins = run.steps_of("backward")
    assert [reasons(run, step).get("used") for step in begins] == [Reason.NOT_YET] * 3
    assert [reasons(run, step).get("late") for step in begins] == [Reason.NOT_YET, Reason.NOT_YET, None]
