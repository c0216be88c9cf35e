"""Why an operation made no graph: `.data`, a custom Function's own code; told where it is so, and once."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker, Recording
from tutor.explain import plain
from tutor.explain.mistakes.registry import diagnose_step
from tutor.trace.timeline import Timeline

DATA = """\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
v = w.data
w.data -= 0.5
a = w.data * 2
y = w * 3
y.data.mul_(10)
w.data = torch.zeros(2)
x = torch.ones(2)
x.data += 1
z = x.data * 2
data = w * 2
b = data * 3
"""

CUBE = """\
import torch
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        square = x * x
        return square * x
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        square = x * x
        other = x * 1
        return g * square * 3 * other / x
class Net:
    def forward(self, x):
        with torch.no_grad():
            return (x * x) + x
x = torch.tensor([2.0], requires_grad=True)
for _ in range(2):
    y = Cube.apply(x)
y.backward()
z = Net().forward(x)
"""


def first_note(timeline: Timeline, step: int) -> str | None:
    return next((diagnosis.sentence for diagnosis in diagnose_step(timeline, step)), None)


def notes(recording: Recording) -> list[tuple[str | None, str]]:
    steps = sorted(recording.steps_of("line") + recording.steps_of("op"))
    found = ((recording.code(step), first_note(recording.timeline, step)) for step in steps)
    return [(code, said) for code, said in found if said is not None]


@pytest.fixture(scope="module")
def data(record: Forker) -> Recording:
    return record(DATA)


def test_data_is_told_as_what_it_is(data: Recording) -> None:
    assert data.value("a") == [1.0, 3.0]  # it was computed, and from the memory of w
    assert data.value("y") == [15.0, 45.0]
    said = ".data is the same memory as {}, but autograd does not see what is done with it"
    assert notes(data) == [
        ("v = w.data", said.format("w")), ("w.data -= 0.5", said.format("w")), ("w.data * 2", said.format("w")),
        ("y.data.mul_(10)", said.format("y")), ("w.data", "w gets other memory, and autograd does not see the change"),
    ]  # fmt: skip
    assert not any("gradients are off" in plain(data.timeline, step) for step in range(1, data.timeline.steps + 1))


def test_a_function_says_once_in_a_call_that_gradients_are_off(record: Forker) -> None:
    recording = record(CUBE)
    assert recording.grad("x") == [12.0]
    told = notes(recording)
    assert [code for code, _ in told] == ["x * x"] * 4 + ["(x * x) + x"]
    assert [said.partition(" gradients are off")[0] for _, said in told] == [
        "in a Function's forward", "in a Function's forward", "in a Function's backward",
        *["gradients are off here, as under no_grad: no graph is made"] * 2,
    ]  # fmt: skip


def test_gradients_are_off_for_any_operation_and_only_where_they_are(record: Forker) -> None:
    recording = record("""\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
with torch.no_grad():
    a = w.view(2, 1)
    b = torch.cat([w, w])
    c = w.argmax()
    d = w > 1
    w.clamp_(0.5)
torch.set_grad_enabled(False)
e = w.flip(0)
torch.set_grad_enabled(True)
f = torch.zeros_like(w)
g = w.argsort()
""")
    off = "gradients are off here, as under no_grad: no graph is made"
    leaf = "autograd does not record this change of a leaf"
    assert notes(recording) == [
        ("w.view(2, 1)", off), ("torch.cat([w, w])", off), ("w.clamp_(0.5)", leaf), ("w.flip(0)", off),
    ]  # fmt: skip
