"""Why a parameter has no gradient, at steps of real runs."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker, Recording
from tutor.trace.missing_gradients import Reason, missing_gradients

SCRIPT = """\
import torch
from torch import nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 1)
        self.frozen, self.unused = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
        self.frozen.weight.requires_grad_(False)
    def forward(self, x):
        return self.last(self.first(self.frozen(x)))
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(2):
    loss = model(torch.ones(1, 2)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
optimizer.zero_grad()
done = True
"""
FROZEN, UNUSED = {"model.frozen.weight": Reason.FROZEN}, {"model.unused.weight": Reason.UNUSED}
FIRST, LAST = ("model.first.weight", "model.first.bias"), ("model.last.weight", "model.last.bias")


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    recording = record(SCRIPT)
    assert recording.status == 0, recording.stderr
    return recording


def reasons(run: Recording, step: int) -> dict[str, Reason]:
    """Why the parameters of `model` that have no gradient after a step have none, by name."""
    names = {name: tensor for name, tensor in run.names(step, 1).items() if name.startswith("model.")}
    missing = missing_gradients(run.timeline, step, names.values())
    return {name: missing[tensor] for name, tensor in names.items() if tensor in missing}


def test_before_the_first_pass(run: Recording) -> None:
    waiting = dict.fromkeys((*FIRST, *LAST, "model.unused.weight"), Reason.NO_PASS)
    assert reasons(run, run.line(15)) == FROZEN | waiting


def test_after_a_pass_only_what_is_frozen_or_unused_has_none(run: Recording) -> None:
    for step in run.steps_of("backward_end"):
        assert reasons(run, step) == FROZEN | UNUSED


@pytest.mark.parametrize("number", [0, 1])
def test_in_a_pass_those_to_which_it_leads_are_not_yet_reached(run: Recording, number: int) -> None:
    begin, end = run.steps_of("backward")[number], run.steps_of("backward_end")[number]
    waiting = dict.fromkeys((*FIRST, *LAST), Reason.NOT_YET)
    assert reasons(run, begin) == FROZEN | UNUSED | waiting
    accumulated = [step for step in run.steps_of("accumulate") if begin < step < end]
    assert len(accumulated) == 4
    for step in accumulated:  # each leaf that gets its gradient leaves the others waiting
        state = run.timeline.state(step)
        names = run.names(step, 1)
        without = {name for name in waiting if state.tensors[names[name]].grad is None}
        assert reasons(run, step) == FROZEN | UNUSED | dict.fromkeys(without, Reason.NOT_YET)
    assert not without


def test_after_zero_grad_those_that_the_last_pass_reached_are_cleared(run: Recording) -> None:
    cleared = FROZEN | UNUSED | dict.fromkeys((*FIRST, *LAST), Reason.CLEARED)
    assert reasons(run, run.line(17, 2)) == cleared
    assert reasons(run, run.line(20)) == cleared
    assert reasons(run, run.line(18, 2)) == FROZEN | UNUSED


def test_the_answer_does_not_depend_on_the_steps_asked_before(run: Recording) -> None:
    steps = range(1, run.timeline.steps + 1)
    forward = {step: reasons(run, step) for step in steps if "model" in run.timeline.state(step).frames[0].names}
    assert forward == {step: reasons(run, step) for step in reversed(forward)}


def test_leaves_without_a_module(record: Forker) -> None:
    run = record(
        "import torch\nw, v = (torch.ones(1, requires_grad=True) for _ in range(2))\nx = torch.ones(1)\n"
        "(w * x).backward()\nw.grad = None\ndone = True\n"
    )
    names = run.names(run.line(6))
    missing = missing_gradients(run.timeline, run.line(6), [names[name] for name in "wvx"])
    assert missing == {names["w"]: Reason.CLEARED, names["v"]: Reason.UNUSED, names["x"]: Reason.FROZEN}


PASS = """\
import torch
used = torch.tensor([2.0], requires_grad=True)
late = torch.tensor([3.0], requires_grad=True)
unused = torch.tensor([4.0], requires_grad=True)
loss = used.exp().sum() * late.sum()
loss.backward()
done = True
"""


def of_leaves(run: Recording, step: int) -> dict[str, Reason]:
    """Why `used`, `late` and `unused` have no gradient after a step."""
    names = {name: number for name, number in run.names(step).items() if name in ("used", "late", "unused")}
    missing = missing_gradients(run.timeline, step, names.values())
    return {name: missing[number] for name, number in names.items() if number in missing}


@pytest.mark.parametrize(
    ("call", "late"),
    [
        ("torch.autograd.grad(loss, late)", Reason.NOT_STORED),
        ("loss.backward(inputs=[late]); late.grad = None", Reason.CLEARED),
    ],
)
def test_a_pass_that_writes_no_gradient_of_a_leaf_it_leads_to(record: Forker, call: str, late: Reason) -> None:
    run = record(PASS.replace("loss.backward()", call))
    expected = {"used": Reason.NOT_STORED, "late": late, "unused": Reason.UNUSED}
    assert of_leaves(run, run.line(7)) == expected


def test_grad_writes_none_while_it_runs(record: Forker) -> None:
    run = record(PASS.replace("loss.backward()", "torch.autograd.grad(loss, late)"))
    (begin,) = run.steps_of("backward")
    assert of_leaves(run, begin)["late"] is Reason.NOT_STORED


def test_a_pass_that_failed(record: Forker) -> None:
    run = record(
        "import torch\nused = torch.ones(1, requires_grad=True)\ny = used.exp()\nwith torch.no_grad():\n    y.mul_(2)\n"
        "try:\n    y.backward()\nexcept RuntimeError:\n    pass\nlast = 1\n"
    )
    assert of_leaves(run, run.line(10)) == {"used": Reason.NOT_STORED}


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
    assert [of_leaves(run, step).get("used") for step in begins] == [Reason.NOT_YET] * 3
    assert [of_leaves(run, step).get("late") for step in begins] == [Reason.NOT_YET, Reason.NOT_YET, None]
