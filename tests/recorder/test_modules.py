"""The recording tells in which module's forward an operation ran."""

from __future__ import annotations

from tests.worker.recording import Forker
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
