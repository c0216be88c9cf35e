"""The recording tells in which module's forward an operation ran."""

from __future__ import annotations

import sys
import types
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from tests.worker.recording import Forker
from tutor.recorder.modules import ModuleRecorder, module_of
from tutor.trace import events as ev

NETWORK = """\
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x):
        return half(torch.relu(self.fc(x)))

def half(x):
    return x * 0.5

net = nn.Sequential(nn.Linear(2, 2), Block())
y = net(torch.ones(1, 2))
z = y.sum()
z.backward()
"""


def test_each_operation_names_its_module(record: Forker) -> None:
    recording = record(NETWORK)
    modules = {one.module: one for one in recording.of(ev.Module)}
    assert {(one.class_name, one.path) for one in modules.values()} == {
        ("Sequential", ""), ("Linear", "[0]"), ("Block", "[1]"), ("Linear", "[1].fc"),
    }  # fmt: skip
    where = {}
    for step in recording.steps_of("op"):
        event, view = recording.timeline.event(step), recording.timeline.view(step)
        if isinstance(event, ev.Op) and view.depth == 0 and view.site is not None:
            where[view.site.op, view.line] = modules[event.module].path if event.module else None
    assert where == {
        ("linear", 16): "[0]", ("linear", 10): "[1].fc", ("relu", 10): "[1]", ("mul", 13): "[1]",
        ("ones", 16): None, ("sum", 17): None,
    }  # fmt: skip
    parents = {one.path: modules[one.parent].path if one.parent else None for one in modules.values()}
    assert parents == {"": None, "[0]": "", "[1]": "", "[1].fc": "[1]"}


def test_nodes_know_their_module_and_their_pass(record: Forker) -> None:
    recording = record("""\
import torch
x = torch.tensor(3.0, requires_grad=True)
y = x * x * x
g, = torch.autograd.grad(y, x, create_graph=True)
g.backward()
""")
    end = recording.timeline.state(recording.line(5))
    made_in = [node.of_pass for node in end.nodes.values() if node.name.startswith("Mul")]
    # Two products forward; in the pass each sends two products on.
    assert sorted(made_in, key=bool) == [None, None, 1, 1, 1, 1]


class Asking(nn.Module):
    """A module of the learner's that is asked for in its `forward`."""

    def __init__(self, ask: Any, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.ask = ask
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.ask(self, sys._getframe())
        return x if self.inner is None else self.inner(x)


def test_a_forward_of_the_learners_is_entered() -> None:
    sent: list[Any] = []
    recorder = ModuleRecorder(sent.append, {id(Asking.forward.__code__): None})
    numbers: list[int | None] = []

    def ask(module: nn.Module, frame: types.FrameType) -> None:
        numbers.append(recorder.enter_forward((module,), frame, numbers[-1] if numbers else None))

    net = Asking(ask, Asking(ask))
    net(torch.ones(1))
    assert numbers == [1, 2]
    assert [event[1:5] for event in sent] == [(1, "Asking", "", None), (2, "Asking", ".inner", 1)]
    numbers.clear()
    net(torch.ones(1))
    assert (numbers, len(sent)) == ([1, 2], 2)
    assert recorder.enter_forward((torch.ones(1),), sys._getframe(), 7) == 7
    assert recorder.enter_forward((), sys._getframe(), None) is None


class Watch(TorchFunctionMode):
    """Asks at each operation which module of a library runs it."""

    def __init__(self, recorder: ModuleRecorder) -> None:
        super().__init__()
        self.recorder = recorder
        self.learner = sys._getframe(1)
        self.modules: dict[str, int | None] = {}

    def __torch_function__(self, func: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        frame: types.FrameType | None = sys._getframe(1)
        module = None
        while frame is not None and frame is not self.learner and module is None:
            module, frame = module_of(frame), frame.f_back
        self.modules[func.__name__] = None if module is None else self.recorder.serial(module, frame, None)
        return func(*args, **(kwargs or {}))


def test_modules_of_libraries_are_found_above_the_operation() -> None:
    sent: list[Any] = []
    net = nn.Sequential(nn.Linear(1, 1), nn.Tanh())
    recorder = ModuleRecorder(sent.append, {id(sys._getframe().f_code): None})
    x = torch.ones(1)
    with Watch(recorder) as mode:
        net(x).exp()
    assert mode.modules["exp"] is None
    recorded = {number: (name, path, parent) for _, number, name, path, parent, *_ in sent}
    paths = {name: path for name, path, _ in recorded.values()}
    assert paths == {"Sequential": "", "Linear": "[0]", "Tanh": "[1]"}
    for operation, name in (("linear", "Linear"), ("tanh", "Tanh")):
        number = mode.modules[operation]
        assert number is not None
        assert recorded[number][0] == name
        assert recorded[recorded[number][2]][0] == "Sequential"


def test_modules_are_not_kept_alive() -> None:
    recorder = ModuleRecorder(lambda event: None, {})
    numbers = [recorder.enter_forward((nn.Tanh(),), sys._getframe(), None) for _ in range(3)]
    assert numbers == [1, 2, 3]
