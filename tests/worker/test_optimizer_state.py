"""Which tensors are the state of an optimizer, by name: as the optimizer has them in a plain run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording
from tutor.trace.events import Op
from tutor.trace.names import name_of
from tutor.trace.optimizer_names import name_in, optimizer_tensor
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

SETUP = """\
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
frozen = torch.ones(2, requires_grad=True)
opt = torch.optim.{make}
x = torch.randn(5, 2)
for epoch in range(3):
    opt.zero_grad()
    model(x).pow(2).mean().backward()
    opt.step()
"""
PRINT = """
import json
print(json.dumps([
    {name: value.reshape(-1).tolist() if isinstance(value, torch.Tensor) else value
     for name, value in opt.state[p].items() if value is not None} for p in model.parameters()]))
"""
MAKES = [
    "Adam(model.parameters(), lr=0.1)", "Adam([*model.parameters(), frozen], foreach=True, amsgrad=True)",
    "AdamW(model.parameters(), fused=True)", "SGD(model.parameters(), lr=0.1)",
    "SGD(model.parameters(), lr=0.1, momentum=0.9)", "SGD(model.parameters(), lr=0.1, momentum=0.9, foreach=True)",
    "RMSprop(model.parameters(), momentum=0.5, centered=True)", "Adagrad(model.parameters())",
    "NAdam(model.parameters())", "Rprop(model.parameters())", "Adadelta(model.parameters())",
]  # fmt: skip


def printed(source: str, folder: Path) -> Any:
    """What a plain run prints at its end."""
    path = folder / "plain.py"
    path.write_text(source)
    return json.loads(run_plainly(path, folder / "plain.json").stdout)


def state_of(state: State, parameter: int) -> dict[str, Any]:
    kept = state.optimizer_state(parameter).items()
    return {name: elements(held.value) if isinstance(held, TensorState) else held for name, held in kept}


def parameters_of(recording: Recording, name: str = "model") -> list[int]:
    names = {name_of(recording.end, number): number for number in recording.end.tensors}
    return [number for text, number in names.items() if text and text.startswith(name) and ".grad" not in text]


@pytest.mark.parametrize("make", MAKES)
def test_state_by_name(record: Forker, make: str, tmp_path: Path) -> None:
    recording = record(SETUP.format(make=make))
    parameters = parameters_of(recording)
    assert [state_of(recording.end, parameter) for parameter in parameters] == printed(
        SETUP.format(make=make) + PRINT, tmp_path
    )
    info = recording.end.optimizer_of(parameters[0])
    assert info is not None
    assert (info.class_name, info.name) == (make.partition("(")[0], "opt")
    assert [info.group_of(parameter) for parameter in parameters] == [0] * 4


def test_it_is_known_before_the_first_step_which_parameters_it_has(record: Forker) -> None:
    recording = record(SETUP.format(make="Adam([{'params': model[0].parameters()}, {'params': [frozen], 'lr': 3.0}])"))
    state = recording.timeline.state(recording.steps_of("backward")[0])
    weight, loose = (
        next(n for n in state.tensors if name_of(state, n) == name) for name in ("model[0].weight", "frozen")
    )
    info = state.optimizer_of(loose)
    assert info is not None
    assert (info.class_name, info.name, info.group_of(loose), info.group_of(weight)) == ("Adam", "opt", 1, 0)
    assert info.options[1]["lr"] == 3.0
    assert state.optimizer_state(weight) == {}
    assert state.optimizer_of(parameters_of(recording)[-1]) is None


def test_the_values_are_those_at_the_cursor(record: Forker) -> None:
    recording = record(SETUP.format(make="Adam(model.parameters())"))
    timeline = recording.timeline
    steps = [
        state_of(timeline.state(step), parameters_of(recording)[0]).get("step", [0.0])[0]
        for step in (*recording.steps_of("backward"), timeline.steps)
    ]
    assert steps == [0.0, 1.0, 2.0, 3.0]


def test_names_in_other_places(record: Forker) -> None:
    recording = record(
        """\
import torch
class Trainer:
    def __init__(self, w):
        self.opt = torch.optim.SGD([w], lr=0.1, momentum=0.5)
    def fit(self, w):
        (w * w).sum().backward()
        self.opt.step()
def made(w):
    inner = torch.optim.Adam([w])
    return inner
w = torch.ones(2, requires_grad=True)
v = torch.ones(2, requires_grad=True)
Trainer(w).fit(w)
outer = made(v)
"""
    )
    assert sorted((info.class_name, info.name) for info in recording.end.optimizers.values()) == [("Adam", "outer")]
    names = {
        info.name
        for step in range(recording.timeline.steps)
        for info in recording.timeline.state(step).optimizers.values()
    }
    assert names == {"self.opt", "inner", "outer"}


def test_state_of_a_checkpoint_is_known_when_the_step_begins(record: Forker, tmp_path: Path) -> None:
    source = SETUP.format(make="SGD(model.parameters(), lr=0.1, momentum=0.9)")
    source += "opt.load_state_dict(opt.state_dict())\nmodel(x).sum().backward()\nopt.step()\n"
    recording = record(source)
    kept = [state_of(recording.end, parameter) for parameter in parameters_of(recording)]
    assert kept == printed(source + PRINT, tmp_path)
    last = recording.timeline.state(recording.line(14))
    assert [state_of(last, parameter) for parameter in parameters_of(recording)] != kept


def is_operation(timeline: Timeline, step: int, name: str) -> bool:
    site = timeline.view(step).site
    return site is not None and site.op == name


def test_tensors_have_their_names_from_the_first_operation_on(record: Forker) -> None:
    recording = record(SETUP.format(make="Adam(model.parameters())"))
    timeline = recording.timeline
    made = [step for step in recording.steps_of("op") if is_operation(timeline, step, "zeros_like")]
    outputs = [event.outputs[0] for step in made if isinstance(event := timeline.event(step), Op)]
    names = [name_in(timeline, timeline.state(step), tensor) for step, tensor in zip(made, outputs, strict=True)]
    assert names[:2] == ["exp_avg of model[0].weight", "exp_avg_sq of model[0].weight"]
    weight = parameters_of(recording)[0]
    assert [optimizer_tensor(timeline, tensor) for tensor in outputs[:2]] == [
        (weight, "exp_avg"),
        (weight, "exp_avg_sq"),
    ]
    assert optimizer_tensor(timeline, weight) is None
