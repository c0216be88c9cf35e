"""Every optimizer of torch, in every way that it can be told to compute: what is shown at each statement, in the
chart and of each step is what a plain run has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.sampling import sample
from tests.worker.optimizer_programs import STEPPED, Program, programs, script_of
from tests.worker.plain_run import Plain, run_plainly
from tests.worker.recording import Forker, Recording, plain_value
from tests.worker.statements import compare_statements
from tests.worker.test_recorded_equals_plain import listed, shown
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
