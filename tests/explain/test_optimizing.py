"""An optimizer's step worked out: in its own formula, where that gives what torch gave."""

from __future__ import annotations

import math
import re

import pytest

from tests.worker.recording import Forker, Recording
from tutor.explain import plain
from tutor.explain.optimizers import (
    OptimizerReport,
    agrees,
    describe_report,
    describe_zero_grad,
    explain_update,
    finished_steps,
    report_lines,
    work_out_update,
)
from tutor.trace import navigation
from tutor.trace.events import OptimizerStep, Update
from tutor.trace.number_format import number
from tutor.trace.values import elements

CASES = [
    ("SGD", {}), ("SGD", {"momentum": 0.9}), ("SGD", {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True}), ("SGD", {"maximize": True, "weight_decay": 0.1}),
    ("Adam", {}), ("Adam", {"weight_decay": 0.1}), ("Adam", {"amsgrad": True, "betas": (0.5, 0.6)}),
    ("Adam", {"maximize": True}), ("AdamW", {"weight_decay": 0.1}), ("AdamW", {"amsgrad": True, "maximize": True}),
    ("RMSprop", {}), ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True, "maximize": True}),
    ("Adagrad", {}), ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
]  # fmt: skip

SCRIPT = f"""\
import torch
torch.manual_seed(0)
for name, options in {CASES!r}:
    for foreach in (False, True):
        torch.manual_seed(1)
        w = torch.randn(3, 2, requires_grad=True)
        s = torch.randn(1, requires_grad=True)
        t = torch.randn(20, dtype=torch.float64, requires_grad=True)
        optimizer = getattr(torch.optim, name)([{{"params": [w, s]}}, {{"params": [t], "lr": 0.02}}], lr=0.1,
                                               foreach=foreach, **options)
        for turn in range(4):
            optimizer.zero_grad()
            ((w * s).sin().sum() + (t.sin() * torch.arange(20)).sum()).backward()
            optimizer.step()
"""

OTHERS = """\
import torch
w = torch.tensor([1.0], requires_grad=True)
big = torch.ones(40, 40, requires_grad=True)
unused = torch.tensor([1.0], requires_grad=True)
class SGD(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
    def step(self):
        with torch.no_grad():
            w.mul_(2)
def train(optimizer, to_none=True):
    optimizer.zero_grad(set_to_none=to_none)
    loss = w.pow(2).sum() + big.sum()
    loss.backward()
    optimizer.step()
train(torch.optim.SGD([w, big, unused], lr=0.1))
train(torch.optim.NAdam([w], lr=0.1))
train(SGD([w], lr=0.1), False)
train(torch.optim.SGD([w], lr=torch.tensor(0.5)))
torch.optim.SGD([unused], lr=0.1).step()
w = torch.tensor([1.0], requires_grad=True)
w.pow(2).sum().backward()
torch.optim.SGD([w], lr=0.1).step()
print(w)
"""


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    recording = record(SCRIPT)
    assert recording.status == 0, recording.stderr
    return recording


@pytest.fixture(scope="module")
def others(record: Forker) -> Recording:
    recording = record(OTHERS)
    assert recording.status == 0, recording.stderr
    return recording


def told(recording: Recording) -> list[OptimizerStep]:
    timeline = recording.timeline
    steps = map(timeline.optimizer_step, range(len(timeline.side_events)))
    return [step for step in steps if step is not None]


def evaluated(text: str) -> float:
    """A computation worked out by Python: `0.9·(-0.5) + 0.1·2²`, `1/(√0.5 + 1e-8)`."""
    text = re.sub(r"√([\d.]+(?:e-\d+)?)", r"√(\1)", text.replace("²", "**2").replace("≈", ""))
    return float(eval(text.replace("√", "sqrt").replace("·", "*").replace("^", "**"), {"sqrt": math.sqrt}))


def test_every_formula_gives_what_torch_gave(run: Recording) -> None:
    events = told(run)
    assert len(events) == len(CASES) * 2 * 4
    for event in events:
        for update, dtype in zip(event.updates, ("float32", "float32", "float64"), strict=True):
            found = work_out_update(event, update, dtype)
            assert found is not None, (event.optimizer, event.options, update)
            for line in found.lines:
                assert evaluated(line.numbers) == pytest.approx(line.result, rel=1e-3, abs=2e-3), line


def test_foreach_gives_the_same_as_one_by_one(run: Recording) -> None:
    events = told(run)
    for start in range(0, len(events), 8):
        for single, together in zip(events[start : start + 4], events[start + 4 : start + 8], strict=True):
            assert single.updates[1].after == pytest.approx(together.updates[1].after, rel=1e-5)
            assert agrees(single, single.updates[1]) == agrees(together, together.updates[1])


def test_a_wrong_number_is_not_claimed(run: Recording) -> None:
    for event in told(run)[::4]:
        update = event.updates[1]
        (after,) = update.after
        moved = abs(after - update.before[0])
        for wrong in (after + max(moved * 1e-2, 1e-6), math.nan):
            altered = Update(
                update.tensor, update.group, update.before, update.grad, [wrong], update.state_before,
                update.state_after,
            )  # fmt: skip
            assert work_out_update(event, altered) is None


def test_an_independent_computation() -> None:
    """Adam by hand, from its paper: the second step, written out."""
    m, v, w = 0.1 * 2.0, 0.001 * 4.0, 1.0
    w -= 0.1 * (m / 0.1) / (math.sqrt(v / 0.001) + 1e-8)
    was = w, m, v
    m, v = 0.9 * m + 0.1 * 3.0, 0.999 * v + 0.001 * 9.0
    w -= 0.1 * (m / (1 - 0.9**2)) / (math.sqrt(v / (1 - 0.999**2)) + 1e-8)
    options = {"lr": 0.1, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0, "amsgrad": False, "maximize": False}
    update = Update(
        1, 0, [was[0]], [3.0], [w], {"step": 1.0, "exp_avg": [was[1]], "exp_avg_sq": [was[2]]},
        {"step": 2.0, "exp_avg": [m], "exp_avg_sq": [v]},
    )  # fmt: skip
    assert agrees(OptimizerStep("Adam", 1, 1, [options], [update]), update, "float64")
    assert not agrees(OptimizerStep("SGD", 1, 1, [options], [update]), update, "float64")
    assert not agrees(OptimizerStep("Adam", 1, 1, [], [update]), update, "float64")


def test_the_line_that_one_walks_over_a_step_to(others: Recording) -> None:
    timeline = others.timeline
    step = others.line(24)
    assert timeline.kind(step - 1) == "op"
    said = "SGD.step: w = w - lr·g = 1 - 0.1·2 = 0.8"
    assert plain(timeline, step).endswith(f"({said})")
    assert plain(timeline, step - 1).endswith(f"; {said}")
    assert navigation.forward(timeline, others.line(23), inside=0) is not None
    mentions = [at for at in range(others.line(23), timeline.steps + 1) if said in plain(timeline, at)]
    assert mentions == [step - 1, step]


def test_what_has_no_formula_or_does_other_things_claims_nothing(others: Recording) -> None:
    first, nadam, own, by_tensor, none, _ = told(others)
    timeline = others.timeline

    def at_end(event: OptimizerStep) -> OptimizerReport:
        return OptimizerReport(timeline.steps, event)

    assert describe_report(timeline, at_end(first)).endswith("; 2 more parameters")
    assert work_out_update(first, first.updates[0]) is not None
    assert all(
        work_out_update(first, update) is None for update in first.updates[1:]
    )  # too large to be recorded in full
    assert work_out_update(nadam, nadam.updates[0]) is None
    assert "→" in describe_report(timeline, at_end(nadam))
    assert any("gradient" in text for text in report_lines(timeline, at_end(nadam), nadam.updates[0]))
    assert work_out_update(own, own.updates[0]) is None
    assert work_out_update(by_tensor, by_tensor.updates[0]) is not None
    assert describe_report(timeline, at_end(none)) == "SGD.step: no parameter has a gradient"


def test_an_update_in_the_formula_of_its_optimizer(run: Recording) -> None:
    """Each result is the recorded one, and the rule of each line gives it."""
    timeline = run.timeline
    count = 0
    for index, side_event in enumerate(timeline.side_events):
        event = timeline.optimizer_step(index)
        if event is None:
            continue
        update = event.updates[0]
        state = timeline.state(side_event.step)
        held = {
            name: elements(getattr(kept, "value", kept)) or [0]
            for name, kept in state.optimizer_state(update.tensor).items()
        }
        lines = [
            "".join(text for text, _ in line) for line in explain_update(timeline, side_event.step, update.tensor, 4)
        ]
        assert lines[0].startswith(f"w = w[2, 0] {number((elements(update.before) or [])[4], 'float32')} → ")
        assert lines[-1].endswith(f" = {number((elements(update.after) or [])[4], 'float32')}")
        for name in set(held) - {"step"}:
            (line,) = (line for line in lines if f"({name})" in line)
            assert line.endswith(f" = {number(held[name][4], 'float32')}")
        count += len(lines)
    assert count > 200


def test_the_one_weight_of_a_summary(record: Forker) -> None:
    """The one that moved most."""
    recording = record(
        """\
import torch
w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
v = torch.tensor([1.0], requires_grad=True)
(w * torch.tensor([1.0, -5.0, 2.0])).sum().backward()
(3 * v).sum().backward()
torch.optim.SGD([v, w], lr=0.5).step()
"""
    )
    timeline = recording.timeline
    (report,) = finished_steps(timeline, timeline.steps - 1)
    assert describe_report(timeline, report) == "SGD.step: w[1] = w - lr·g = 2 - 0.5·(-5) = 4.5; 1 more parameter"
    assert explain_update(timeline, 3, recording.names()["w"]) == []
    lines = [
        "".join(text for text, _ in line) for line in explain_update(timeline, timeline.steps, recording.names()["v"])
    ]
    assert lines == ["w = v 1 → -0.5 · g = v.grad 3 · SGD", "w = w - lr·g = 1 - 0.5·3 = -0.5"]


def test_each_step_is_told_once_outside(others: Recording) -> None:
    timeline = others.timeline
    outside = [step for step in range(1, timeline.steps + 1) if not timeline.columns.depths[step - 1]]
    found = [one.event for step in outside for one in finished_steps(timeline, step)]
    assert found == told(others)


def test_zero_grad(others: Recording) -> None:
    timeline = others.timeline
    said = [text for step in range(1, timeline.steps + 1) if (text := describe_zero_grad(timeline, step)) is not None]
    assert said[0].startswith("NAdam.zero_grad: w.grad 2 → None")
    assert said[1].startswith("SGD.zero_grad: w.grad ")
    assert said[1].endswith(" → filled with zeros")


CLOSURES = """\
import torch
w = torch.tensor([1.0, -2.0], requires_grad=True)
def closure():
    optimizer.zero_grad()
    loss = (w * w).sum()
    loss.backward()
    return loss
for optimizer in (torch.optim.SGD([w], lr=0.1), torch.optim.Adam([w], lr=0.1), torch.optim.LBFGS([w], max_iter=2)):
    optimizer.step(closure)
"""


def test_the_gradients_of_a_closure(record: Forker) -> None:
    run = record(CLOSURES)
    assert run.status == 0, run.stderr
    sgd, adam, lbfgs = told(run)
    assert sgd.updates[0].grad == [2.0, -4.0]
    assert work_out_update(sgd, sgd.updates[0]) is not None
    assert work_out_update(adam, adam.updates[0]) is not None
    assert describe_report(run.timeline, OptimizerReport(run.timeline.steps, lbfgs)).startswith("LBFGS.step: w [")
    assert work_out_update(lbfgs, lbfgs.updates[0]) is None


FUSED = """\
import torch
for name, options in [("SGD", {"momentum": 0.9, "nesterov": True}), ("Adam", {"amsgrad": True}), ("AdamW", {}),
                      ("Adagrad", {})]:
    w, s = (torch.tensor(start, requires_grad=True) for start in ([1.0, -2.0], [0.5]))
    groups = [{"params": [w]}, {"params": [s], "lr": 0.02}]
    optimizer = getattr(torch.optim, name)(groups, lr=0.1, fused=True, **options)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    for turn in range(3):
        optimizer.zero_grad(set_to_none=turn == 1)
        (w ** 3 * s).sum().backward()
        optimizer.step()
        scheduler.step()
"""


def test_fused_steps_with_a_scheduler(record: Forker) -> None:
    run = record(FUSED)
    assert run.status == 0, run.stderr
    events = told(run)
    assert [[options["lr"] for options in event.options] for event in events[:3]] == [
        [0.1, 0.02], [0.05, 0.01], [0.025, 0.005],
    ]  # fmt: skip
    assert len(events) == 12
    assert all(work_out_update(event, update) is not None for event in events for update in event.updates)
