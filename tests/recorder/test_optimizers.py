"""Every optimizer of torch, in every way that it can be told to compute: what is shown at each statement, in the
chart and of each step is what a plain run has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.recorder.parts import Parts
from tests.sampling import sample
from tests.worker.optimizer_programs import STEPPED, Program, programs, script_of
from tests.worker.plain_run import Plain, run_plainly
from tests.worker.recording import Forker, Recording, plain_value
from tests.worker.statements import compare_statements
from tests.worker.test_recorded_equals_plain import listed, shown
from tutor.recorder import optimizers
from tutor.recorder.event_writer import wire_tuple
from tutor.recorder.optimizers import MAX_PARAMETERS, OptimizerRecorder
from tutor.trace import events as ev
from tutor.trace.names import names_of
from tutor.trace.state import State

BATCH = 60
REFUSED = (
    ("capturable=True", "If capturable=True"),
    ("differentiable=True", "_foreach ops don't support autograd"),
    ("fused=True, differentiable=True", "`fused` does not support `differentiable`"),
    ("foreach=True), tensor_lr", "lr as a Tensor is not supported"),
)
"""What torch itself does not run on the CPU: in the program, and in its message."""


def test_there_are_programs_for_every_optimizer() -> None:
    found = programs()
    wanted = {"Muon", "Adafactor", "LBFGS", "SparseAdam", "ASGD", "Rprop"} & vars(torch.optim).keys()
    assert wanted <= {program.optimizer for program in found}
    assert len(found) > 300


STEPS = """
import torch
from contextlib import suppress
class Halving(torch.optim.SGD):
    def step(self):
        super().step()
        other.step(); super().step()
def run(optimizer):
    optimizer.step(); optimizer.step()
def fail(*_):
    raise ValueError
w = torch.ones(2, requires_grad=True)
w.grad = torch.ones(2)
first, other = (torch.optim.SGD([w], lr=0.1) for _ in range(2))
last = Halving([w], lr=0.1)
first.step(); other.step()
run(first)
last.step()
run(last)
hook = first.register_step_pre_hook(lambda *_: other.step())
first.step()
hook.remove()
hook = first.register_step_pre_hook(fail)
with suppress(ValueError):
    first.step()
other.step()
"""


def test_operations_of_a_step_have_the_place_of_its_call(record: Forker) -> None:
    recorded = record(STEPS)
    assert recorded.status == 0
    lines = STEPS.splitlines()
    sites = {site.site: site for site in recorded.of(ev.Site)}
    calls = []
    for op in recorded.of(ev.Op):
        site = sites[op.site]
        if site.op == "add_":
            line, column, _, end = site.span
            calls.append((line, lines[line - 1][column:end]))
    halving = [(6, "super().step()"), (7, "other.step()"), (7, "super().step()")]
    assert calls == [
        (16, "first.step()"), (16, "other.step()"),
        (9, "optimizer.step()"), (9, "optimizer.step()"),
        *halving,
        *halving, *halving,
        (20, "other.step()"), (21, "first.step()"),
        (26, "other.step()"),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_optimizer(record: Forker, tmp_path: Path) -> None:
    chosen = sample(programs(), BATCH)
    compared = 0
    for start in range(0, len(chosen), BATCH):
        batch = chosen[start : start + BATCH]
        path = tmp_path / f"optimizers{start}.py"
        path.write_text(script_of(batch))
        plain = run_plainly(path, tmp_path / "plain.json", lines=True)
        assert plain.status == 0, plain.stderr
        only_what_torch_refuses_failed(batch, plain)
        recorded = record(path)
        assert recorded.timeline.notices == []
        assert (recorded.status, recorded.stdout) == (0, plain.stdout)
        differences, count = compare_statements(recorded, plain, path.read_text())
        assert [f"{batch[int(d.function[5:])]}: {d}" for d in differences] == []
        compared += count
        steps_agree(recorded)
        series_agree(recorded, plain, path.read_text())
    assert compared > 40 * len(chosen)


def only_what_torch_refuses_failed(batch: list[Program], plain: Plain) -> None:
    for line in plain.stdout.splitlines():
        case, _, message = line.split(" ", 2)
        program = str(batch[int(case.removeprefix("case_"))])
        assert any(part in program and text in message for part, text in REFUSED), (program, message)


def steps_agree(recorded: Recording) -> None:
    """What is told of an optimizer's step is what its parameters held before and hold after it."""
    timeline = recorded.timeline
    count = 0
    for step, event in optimizer_steps(recorded):
        before = next(line for line in range(step, 0, -1) if is_line(recorded, line, event.frame))
        after = next(line for line in range(step + 1, timeline.steps) if is_line(recorded, line, event.frame))
        held, holds = timeline.state(before - 1), timeline.state(after - 1)
        for update in event.updates:
            dtype = holds.tensors[update.tensor].dtype
            assert json.dumps(shown(update.before, dtype)) == json.dumps(listed(held, update.tensor))
            assert json.dumps(shown(update.after, dtype)) == json.dumps(listed(holds, update.tensor))
            # That of a closure is there at the end; nesterov with foreach writes to it.
            grads = [gradient_in(state, update.tensor) for state in (held, holds)]
            assert json.dumps(shown(update.grad, dtype)) in map(json.dumps, grads)
            count += 1
        state_agrees(recorded, event, after)
    assert count > 0


def gradient_in(state: State, tensor: int) -> Any:
    grad = state.tensors[tensor].grad
    return None if grad is None else listed(state, grad)


def state_agrees(recorded: Recording, event: ev.OptimizerStep, after: int) -> None:
    """What the step says that the optimizer keeps is what `state` and `other` hold, once they have been bound."""
    timeline = recorded.timeline
    lines = [line for line in range(after, min(after + 12, timeline.steps)) if is_line(recorded, line, event.frame)]
    if len(lines) < 3:
        return
    state = timeline.state(lines[2] - 1)
    names = names_of(state)
    for update in event.updates:
        kept = {"w": "state", "v": "other"}.get(next((n for n, t in names.items() if t == update.tensor), ""))
        for key, value in update.state_after.items() if kept else ():
            number = names.get(f"{kept}[{key!r}]")
            if number is not None:
                assert json.dumps(shown(value, state.tensors[number].dtype)) == json.dumps(listed(state, number)), key


def optimizer_steps(recorded: Recording) -> Iterator[tuple[int, ev.OptimizerStep]]:
    for step in range(1, recorded.timeline.steps + 1):
        for event in recorded.timeline.following(step):
            if isinstance(event, ev.OptimizerStep):
                yield step, event


def is_line(recorded: Recording, step: int, frame: int) -> bool:
    event = recorded.timeline.event(step)
    return isinstance(event, ev.Line) and event.frame == frame


def series_agree(recorded: Recording, plain: Plain, source: str) -> None:
    """The chart has the loss of each pass."""
    marked = {number for number, line in enumerate(source.splitlines(), 1) if line.endswith(STEPPED)}
    losses = [held["loss"]["value"] for _, line, held, _ in plain.lines if line in marked and "loss" in held]
    assert [plain_value(point.value) for point in recorded.timeline.series["loss"]] == losses


# ------------------------------------------------------------ by itself


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, parts: Parts) -> Iterator[OptimizerRecorder]:
    """One that watches all optimizers until the test ends."""
    handles: list[Any] = []
    for name in ("register_optimizer_step_pre_hook", "register_optimizer_step_post_hook"):
        register = getattr(optimizers, name)
        monkeypatch.setattr(optimizers, name, lambda hook, register=register: handles.append(register(hook)))
    send = lambda event: parts.waiting.append(wire_tuple(event))  # noqa: E731
    recorder = OptimizerRecorder(send, parts.tensors.serial, parts.tensors.value)
    recorder.on = lambda: True
    recorder.location = lambda: (31, 2)
    recorder.on_error = parts.errors.append
    recorder.watch()
    yield recorder
    for handle in handles:
        handle.remove()


def test_a_step_tells_old_and_new(recorder: OptimizerRecorder, parts: Parts) -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    without = torch.ones(1, requires_grad=True)
    groups: list[dict[str, Any]] = [{"params": [without]}, {"params": [w], "lr": 0.5}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    w.grad = torch.tensor([1.0, -2.0])
    optimizer.step()
    (step,) = parts.of(ev.OptimizerStep)
    assert (step.optimizer, step.site, step.frame, step.left_out, step.others) == ("SGD", 31, 2, 1, [])
    assert [options["lr"] for options in step.options] == [0.1, 0.5]
    assert "params" not in step.options[0]
    (update,) = step.updates
    assert (update.tensor, update.group) == (parts.tensors.serial(w), 1)
    assert (update.before, update.grad, update.after) == ([1.0, 2.0], [1.0, -2.0], [0.5, 3.0])
    assert (update.state_before, update.state_after) == ({}, {"momentum_buffer": [1.0, -2.0]})
    optimizer.step()
    (update,) = parts.of(ev.OptimizerStep)[0].updates
    assert update.state_before == {"momentum_buffer": [1.0, -2.0]}
    assert update.state_after == {"momentum_buffer": [pytest.approx(1.9), pytest.approx(-3.8)]}


def test_what_is_too_large_or_one_too_many_is_named(recorder: OptimizerRecorder, parts: Parts) -> None:
    parameters = [torch.ones(2000 if at == 3 else 1, requires_grad=True) for at in range(MAX_PARAMETERS + 2)]
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    numbers = [parts.tensors.serial(parameter) for parameter in parameters]
    torch.optim.SGD(parameters, lr=0.1).step()
    (step,) = parts.of(ev.OptimizerStep)
    assert len(step.updates) == MAX_PARAMETERS - 1
    assert step.left_out == 3
    assert sorted(step.others) == [numbers[3], *numbers[MAX_PARAMETERS:]]


def test_the_gradients_of_a_closure_are_those_that_it_computed(recorder: OptimizerRecorder, parts: Parts) -> None:
    w = torch.tensor([3.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (w * 2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    (update,) = parts.of(ev.OptimizerStep)[0].updates
    assert (update.before, update.grad, update.after) == ([3.0], [2.0], [2.0])


def test_a_step_that_is_not_recorded_is_told_of(recorder: OptimizerRecorder, parts: Parts) -> None:
    w = torch.ones(1, requires_grad=True)
    w.grad = torch.ones(1)
    changed: list[torch.Tensor] = []
    recorder.on = lambda: False
    recorder.on_unrecorded_step = changed.extend
    torch.optim.SGD([w], lr=0.1).step()
    assert changed == [w]
    assert parts.sent() == []
