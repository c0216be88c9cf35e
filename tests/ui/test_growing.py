"""A graph that grows by some operations is what it is when it is made anew."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker
from tutor.trace.gradient_flow import GradientFlow
from tutor.trace.graph import is_leaf
from tutor.trace.state import State
from tutor.ui.panes.graph.structure import GraphOptions, GraphStructure, IncrementalBuilder, StructureBuilder

LOOP = """\
import torch
w = torch.tensor(2.0, requires_grad=True)
h = w * 1.0
for turn in range(12):
    h = h * w + 1.0
late = torch.tensor(3.0, requires_grad=True)
h = h * h + late
for turn in range(4):
    twice = h * late
    h = (twice + twice) * torch.stack([h, twice]).sum()
    if turn == 1:
        h.backward(retain_graph=True)
h.backward()
"""
SECOND = """\
import torch
x = torch.tensor(2.0, requires_grad=True)
y = x
for turn in range(15):
    y = y * x
(g,) = torch.autograd.grad(y, x, create_graph=True)
z = g * x
z = z + y
"""
MODULES = """\
import torch
from torch import nn
net = nn.Sequential(*[nn.Linear(2, 2) for _ in range(6)])
x = torch.ones(1, 2)
for layer in net:
    x = torch.relu(layer(x)) + x
x.sum().backward()
"""
VIEWED = """\
import torch
w, leaves = torch.ones(2, 2, requires_grad=True), [torch.ones(2, requires_grad=True) for _ in range(6)]
h = torch.ones(1, 2)
for i in range(9):
    h = h @ w.t()
    h = (h + h.t().view(1, 2)) * h.view(2, 1).t()
for leaf in leaves:
    h = h + leaf.pow(2).sum()
h.sum().view(1).backward()
"""


def contents_of(structure: GraphStructure) -> tuple[object, ...]:
    users = {node: sorted(places) for node, places in structure.users.items()}
    return (
        list(structure.items.items()), structure.numbers, structure.edges, structure.shared, structure.item_of,
        structure.consumers, structure.operations, users, structure.has_headings,
        structure.repeats,
    )  # fmt: skip


def unused(state: State) -> tuple[int, ...]:
    used = {node.tensor for node in state.nodes.values() if is_leaf(node)}
    leaves = (each.tensor for each in state.tensors.values() if each.is_leaf and each.requires_grad)
    return tuple(sorted(tensor for tensor in leaves if tensor not in used))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("script", [LOOP, SECOND, MODULES, VIEWED])
@pytest.mark.parametrize("level", [None, 0, 1, 2])
def test_an_extended_structure_is_the_one_built_anew(record: Forker, script: str, level: int | None) -> None:
    timeline = record(script).timeline
    builder = StructureBuilder(timeline, GraphOptions(level))
    incremental = IncrementalBuilder(builder)
    for step in [*range(1, timeline.steps + 1), *range(timeline.steps, 0, -2), *range(1, timeline.steps + 1, 3)]:
        state = timeline.state(step)
        structure = incremental.build(state, unused(state))
        anew = builder.build(state, unused(state))
        assert contents_of(structure) == contents_of(anew), step


def test_a_long_loop_is_not_made_anew(record: Forker, monkeypatch: pytest.MonkeyPatch) -> None:
    start = "import torch\nw = torch.ones((), requires_grad=True)\nh = w\n"
    timeline = record(f"{start}for _ in range(40):\n    h = h * w\n").timeline
    builder = StructureBuilder(timeline, GraphOptions())
    incremental = IncrementalBuilder(builder)
    built, build = [], builder.build

    def counted(state: State, unused: tuple[int, ...]) -> GraphStructure:
        built.append(state.step)
        return build(state, unused)

    monkeypatch.setattr(builder, "build", counted)
    for step in range(1, timeline.steps + 1):
        structure = incremental.build(timeline.state(step), ())
    assert structure.operations == 40
    assert max(step for step in built if timeline.kind(step) == "op") < timeline.steps // 2


@pytest.mark.parametrize("script", [LOOP, SECOND, MODULES])
def test_what_flowed_is_the_same_when_gathered_step_by_step(record: Forker, script: str) -> None:
    timeline = record(script).timeline
    flow, seen = GradientFlow(State()), 0
    for step in [*range(1, timeline.steps + 1), *range(timeline.steps, 0, -2)]:
        state = timeline.state(step)
        flow, anew = flow.at_step(state), GradientFlow(state)
        for node in state.nodes.values():
            assert flow.reached(node) == anew.reached(node), step
            seen += len(anew.reached(node)[1]) > 1
    assert seen > 10
