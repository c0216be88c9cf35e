"""What the graph pane shows: recordings of real runs, with figures worked out by hand."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from tests.trace.conftest import build_timeline, chance_events
from tests.worker.recording import Forker, Recording
from tutor.trace import events as ev
from tutor.trace.graph import graph_of, subgraph_of
from tutor.trace.number_format import number
from tutor.ui.panes.graph.lanes import Graph, NodeRow
from tutor.ui.panes.graph.model import GraphModel
from tutor.ui.panes.graph.structure import COMPUTING, EVERYTHING
from tutor.ui.panes.graph.structure import VIEWS as VIEWS_TOO

MLP = """\
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
x = torch.tensor([[1.0, 2.0]])
t = torch.tensor([[1.0]])
loss = ((net(x) - t) ** 2).mean()
loss.backward()
"""


def rows(graph: Graph) -> list[NodeRow]:
    return [graph.row(node) for node in graph.nodes]


def row(graph: Graph, name: str) -> NodeRow:
    (match,) = [node for node in rows(graph) if node.name == name]
    return match


def named(graph: Graph) -> list[tuple[str, str, str]]:
    return [(node.kind, node.name or node.code, node.value) for node in rows(graph)]


def joined(graph: Graph) -> set[tuple[str, str, str]]:
    """Edges by what stands at their ends, with their share."""
    texts = {node.node: node.name or node.code or node.value for node in rows(graph)}
    return {(texts[edge.source], texts[edge.to], edge.share) for edge in graph.edges}


def at_end(run: Recording) -> tuple[GraphModel, Graph]:
    model = GraphModel()
    return model, model.at(run.timeline, run.timeline.steps)


def before_end_of_pass(run: Recording, number: int = 1) -> int:
    return run.steps_of("backward_end")[number - 1]


def test_an_earlier_leaf_is_not_called_as_the_tensor_that_has_its_name(record: Forker) -> None:
    run = record("import torch\nw = torch.ones(1, requires_grad=True)\nw = w.double()\n(w * w).backward()\n")
    assert [name for _, name, _ in named(at_end(run)[1])] == ["(old w)", "w", "w * w"]


def test_numbers_and_data_without_gradient_complete_the_arithmetic(record: Forker) -> None:
    run = record(
        """\
import torch
x = torch.tensor([3.0])
w = torch.tensor([1.0], requires_grad=True)
lr = 0.5
y = (x + w) * 2 - lr
z = y.sum(0)
"""
    )
    _, graph = at_end(run)
    assert named(graph) == [
        ("leaf", "w", "1"), ("input", "x", "3"), ("op", "x + w", "4"), ("constant", "", "2"),
        ("op", "(x + w) * 2", "8"), ("constant", "lr", "0.5"), ("op", "y", "7.5"), ("op", "z", "7.5"),
    ]  # fmt: skip
    assert joined(graph) == {
        ("x", "x + w", ""), ("w", "x + w", ""), ("x + w", "(x + w) * 2", ""), ("2", "(x + w) * 2", ""),
        ("(x + w) * 2", "y", ""), ("lr", "y", ""), ("y", "z", ""),
    }  # fmt: skip


def test_an_input_shows_what_it_held_when_the_operation_ran(record: Forker) -> None:
    run = record(
        """\
import torch
x = torch.tensor([3.0])
w = torch.tensor([1.0], requires_grad=True)
a = w + x
x.add_(10.0)
b = a + x
"""
    )
    _, graph = at_end(run)
    inputs = [(node.name, node.value) for node in rows(graph) if node.kind == "input"]
    assert inputs == [("x", "3"), ("x", "13")]
    assert {edge for edge in joined(graph) if edge[0] == "x"} == {("x", "a", ""), ("x", "b", "")}


def test_what_needs_no_gradient_is_hidden_in_large_graphs_and_by_a_toggle(record: Forker) -> None:
    run = record("import torch\nw = torch.ones(1, requires_grad=True)\ny = w\nfor i in range(12):\n    y = y * 2\n")
    model, graph = at_end(run)
    assert [node.kind for node in rows(graph)] == ["leaf"] + ["constant", "op"] * 12
    assert model.next_level() == COMPUTING
    graph = model.at(run.timeline, run.timeline.steps)
    assert [node.kind for node in rows(graph)] == ["leaf"] + ["op"] * 12
    longer = record("import torch\nw = torch.ones(1, requires_grad=True)\ny = w\nfor i in range(13):\n    y = y * 2\n")
    model, graph = at_end(longer)
    assert [node.kind for node in rows(graph)] == ["leaf"] + ["op"] * 13
    assert model.next_level() == EVERYTHING
    graph = model.at(longer.timeline, longer.timeline.steps)
    assert [node.kind for node in rows(graph)] == ["leaf"] + ["constant", "op"] * 13


def test_edges_that_fan_out_say_their_shares(record: Forker) -> None:
    """w feeds three operations: d/dw of 2w, 3w and w² at w = 2, each times 1: 2 + 3 + 4 = 9."""
    run = record(
        """\
import torch
w = torch.tensor([2.0], requires_grad=True)
a = w * 2
b = 3 * w
c = w * w
y = a + b + c
y.backward()
"""
    )
    shares = {("w", "a", "2"), ("w", "b", "3"), ("w", "c", "2 + 2")}
    model = GraphModel()
    seen = []
    for step in range(run.steps_of("backward")[0], before_end_of_pass(run) + 1):
        graph = model.at(run.timeline, step)
        seen.append({edge for edge in joined(graph) if edge[2]})
        assert seen[-1] <= shares
    assert seen[0] == set()
    assert seen[-1] == shares
    assert row(graph, "w").grad == "9"
    backward = model.at(run.timeline, run.steps_of("backward")[0])
    assert not any(edge.share for edge in backward.edges)
    assert {edge.times for edge in graph.edges if (edge.source, edge.to) == _ends(graph, "w", "c")} == {2}


def _ends(graph: Graph, source: str, target: str) -> tuple[int, int]:
    return row(graph, source).node, row(graph, target).node


def test_shares_are_the_same_whichever_way_one_came(record: Forker) -> None:
    run = record(
        "import torch\nx = torch.tensor([2.0], requires_grad=True)\nw = torch.tensor([1.0], requires_grad=True)\n"
        "y = (x + w) * (w + 1)\ny.backward()\n"
    )
    steps = range(run.steps_of("backward")[0], run.timeline.steps + 1)
    forward, back = GraphModel(), GraphModel()
    there = [joined(forward.at(run.timeline, step)) for step in steps]
    again = [joined(back.at(run.timeline, step)) for step in reversed(steps)]
    assert there == again[::-1]
    assert {("w", "x + w", "2"), ("w", "w + 1", "3")} <= there[-1]


# ---------------------------------------------------------------- modules


def test_a_small_network_is_open_and_its_modules_can_be_closed(record: Forker) -> None:
    run = record(MLP)
    step = run.steps_of("backward")[0]
    model = GraphModel()
    graph = model.at(run.timeline, step)
    assert [node.label for node in rows(graph) if node.kind == "op"] == [
        "t", "addmm", "relu", "t", "addmm", "sub", "pow", "mean",
    ]  # fmt: skip
    assert [node.name for node in rows(graph) if node.kind == "leaf"] == [
        "net[0].weight", "net[0].bias", "net[2].weight", "net[2].bias",
    ]  # fmt: skip
    weight = row(graph, "net[0].weight").node
    assert model.can_close(weight)
    assert not model.can_open(weight)
    assert model.close(weight) is not None
    graph = model.at(run.timeline, step)
    linear = row(graph, "net[0]")
    assert (linear.label, linear.kind) == ("Linear", "module")
    assert [node.name for node in rows(graph) if node.kind == "leaf"] == ["net[2].weight", "net[2].bias"]
    assert {edge for edge in joined(graph) if "net[0]" in edge} == {
        ("x", "net[0]", ""), ("net[0]", row_code(graph, "relu"), ""),
    }  # fmt: skip
    assert model.close(linear.node) is not None  # the module around it: all of the network
    graph = model.at(run.timeline, step)
    assert [node.label for node in rows(graph) if node.kind == "module"] == ["Sequential"]
    assert (row(graph, "net").value, row(graph, "net").shape) == ("", "1×2 → 1×1")
    inside = model.open(row(graph, "net").node)
    assert inside is not None
    graph = model.at(run.timeline, step)
    assert row(graph, "net[0]").kind == "module"  # as it was left


def row_code(graph: Graph, label: str) -> str:
    (match,) = [node for node in rows(graph) if node.label == label]
    return match.name or match.code or match.value


def _output(run: Recording, step: int) -> int:
    """The node that made what the network gave: the last addmm."""
    return max(node.node for node in run.timeline.state(step).nodes.values() if node.name == "AddmmBackward0")


def test_a_closed_module_says_what_reached_its_output_and_how_far_it_is(record: Forker) -> None:
    run = record(MLP)
    model = GraphModel()
    first = run.steps_of("backward")[0]
    graph = model.at(run.timeline, first)
    model.close(row(graph, "net[2].weight").node)
    texts = []
    for step in range(first, before_end_of_pass(run)):
        graph = model.at(run.timeline, step)
        (module,) = [node for node in rows(graph) if node.kind == "module"]
        if module.now:
            assert graph.now == module.node
            texts.append((module.name, module.progress))
    assert texts == [("net[2]", f"{count}/4") for count in (1, 2, 3, 4)]
    state = run.timeline.state(before_end_of_pass(run))
    output = state.nodes[_output(run, state.step)]
    assert output.grad_outputs is not None
    (module,) = [node for node in rows(model.at(run.timeline, state.step)) if node.kind == "module"]
    assert module.grad == number(output.grad_outputs[0][0][0], "float32")
    assert module.freed


def test_in_a_larger_graph_there_is_a_row_for_each_module_of_the_network(record: Forker) -> None:
    run = record(
        """\
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(2, 4), nn.Linear(4, 2)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(x)))

class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.scale + 1

def main():
    model = nn.Sequential(Block(), Block(), Scale())
    x = torch.ones(1, 2)
    loss = model(x).sum()
    loss.backward()

main()
"""
    )
    model = GraphModel()
    graph = model.at(run.timeline, before_end_of_pass(run))
    assert [(node.label, node.name) for node in rows(graph) if node.kind == "module"] == [
        ("Block", "model[0]"), ("Block", "model[1]"), ("Scale", "model[2]"),
    ]  # fmt: skip
    assert [node.label for node in rows(graph) if node.kind == "op"] == ["sum"]
    assert model.open(row(graph, "model[0]").node) is not None
    assert model.open(row(graph, "model[2]").node) is not None
    graph = model.at(run.timeline, before_end_of_pass(run))
    assert [(node.label, node.name) for node in rows(graph) if node.kind == "module"] == [
        ("Linear", "model[0].up"), ("Linear", "model[0].down"), ("Block", "model[1]"),
    ]  # fmt: skip
    operations = [node.label for node in rows(graph) if node.kind == "op"]
    assert operations == ["relu", "add", "mul", "add", "sum"]
    assert row(graph, "model[2].scale").kind == "leaf"
    # Inside forward a parameter is called as outside of it.
    inside = run.op("x * self.scale")
    assert row(model.at(run.timeline, inside), "model[2].scale").kind == "leaf"
    end = model.at(run.timeline, run.timeline.steps)  # main is over, and its names with it
    assert row(end, "model[2].scale").kind == "leaf"


def test_each_call_of_a_module_is_a_node_of_its_own(record: Forker) -> None:
    run = record(
        """\
import torch
from torch import nn

class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0]))

    def forward(self, x):
        for turn in range(2):
            x = x * self.weight
        return x

fc, twice = nn.Linear(1, 1), Twice()
x = torch.ones(1, 1)
y = twice(twice(fc(fc(x)))).sum()
"""
    )
    model, graph = at_end(run)
    for name in ("fc.weight", "twice.weight"):
        model.close(row(graph, name).node)
    graph = model.at(run.timeline, run.timeline.steps)
    modules = [node for node in rows(graph) if node.kind == "module"]
    assert [(node.label, node.name) for node in modules] == [("Linear", "fc")] * 2 + [("Twice", "twice")] * 2
    chain = {(edge.source, edge.to) for edge in graph.edges}
    assert all((a.node, b.node) in chain for a, b in pairwise(modules))
    assert [node.name for node in rows(graph) if node.kind == "leaf"] == ["fc.weight", "fc.bias", "twice.weight"]


# ---------------------------------------------------------------- double backward, freed nodes, large graphs


@pytest.fixture(scope="module")
def double(record: Forker) -> Recording:
    """z = x³·x = x⁴ at 2: dz/dx = 4x³ = 32, and of h = 2·32, dh/dx = 24x² = 96."""
    return record(
        """\
import torch
x = torch.tensor([2.0], requires_grad=True)
y = x ** 3
z = y * x
g, = torch.autograd.grad(z, x, create_graph=True)
h = g * 2
h.backward()
"""
    )


def test_the_graph_of_the_gradients_stands_below_the_first_one(double: Recording) -> None:
    model = GraphModel()
    graph = model.at(double.timeline, before_end_of_pass(double, 2))
    kinds = [entry.label if entry.kind == "heading" else entry.kind for entry in rows(graph)]
    second = kinds.index("the graph of the gradients (made in pass 1)")
    third = kinds.index("computed from these gradients")
    assert second < third
    before = [entry.name for entry in rows(graph)[:second] if entry.kind == "op"]
    assert before == ["y"]  # z is not on the way from h
    assert row(graph, "g") in rows(graph)[second:third]
    assert row(graph, "h") in rows(graph)[third:]
    assert graph.has_headings
    assert (row(graph, "g").value, row(graph, "x").grad) == ("32", "96")
    places = {entry.node: place for place, entry in enumerate(rows(graph))}
    assert all(places[edge.source] < places[edge.to] for edge in graph.edges)
    headings = [entry.node for entry in rows(graph) if entry.kind == "heading"]
    assert all(model.subject(node) is None for node in headings)
    assert not any(edge.source in headings or edge.to in headings for edge in graph.edges)


def test_nodes_of_the_second_graph_say_which_gradient_they_computed(double: Recording) -> None:
    """dz/dy = x = 2; x gets y = 8 through z, and 2·3x² = 24 through y: g = 32."""
    model = GraphModel()
    graph = model.at(double.timeline, before_end_of_pass(double))
    second = [node for node in rows(graph) if node.kind == "op" and node.name not in ("y", "z")]
    assert {(node.name, node.value) for node in second if node.name} == {
        ("∇y", "2"), ("∇x via z", "8"), ("∇x via y", "24"), ("g", "32"),
    }  # fmt: skip
    assert graph.now is None
    at_node = model.at(double.timeline, double.steps_of("node")[0])
    assert {node.name for node in rows(at_node) if node.name.startswith("∇")} == {"∇y", "∇x via z"}


def test_parts_of_a_graph_come_in_the_order_in_which_they_were_made(double: Recording) -> None:
    state = double.end
    parts = subgraph_of(list(state.nodes.values()))
    counts = {state.tensors[node.tensor].label: parts[node.node] for node in state.nodes.values() if node.tensor}
    assert counts["x"] == 0
    assert {counts.get("g"), counts.get("h")} <= {2, 3, None}
    assert {node.of_pass for node in state.nodes.values() if parts[node.node] == 2} == {1}


def test_nodes_that_let_go_are_shown_as_freed(record: Forker) -> None:
    run = record("import torch\nw = torch.ones(1, requires_grad=True)\ny = w * w\ny.backward()\n")
    end = before_end_of_pass(run)
    model = GraphModel()
    assert not row(model.at(run.timeline, end - 1), "y").freed
    assert row(model.at(run.timeline, end), "y").freed
    assert not row(model.at(run.timeline, end), "w").freed


def test_what_does_not_change_is_not_made_again(record: Forker) -> None:
    run = record("import torch\nw = torch.ones(1, requires_grad=True)\ny = w * 2\nfor i in range(3):\n    print(i)\n")
    model = GraphModel()
    first = run.op("w * 2")
    graph = model.at(run.timeline, first)
    structure = model.structure
    for step in range(first, run.timeline.steps + 1):
        later = model.at(run.timeline, step)
        assert later.nodes is graph.nodes
        assert later.edges is graph.edges
    assert model.structure is structure


def test_graphs_made_by_chance_have_edges_between_what_is_drawn() -> None:
    for seed in range(25):
        timeline = build_timeline(chance_events(Random(seed).randint, 120))
        model = GraphModel()
        for step in range(timeline.steps + 1):
            graph = model.at(timeline, step)
            place = {node: at for at, node in enumerate(graph.nodes)}
            assert [entry.node for entry in rows(graph)] == [*graph.nodes]
            assert all(place[edge.source] < place[edge.to] for edge in graph.edges)
            state = model.state
            shown = {node for node in state.shown if node in state.nodes}
            assert shown == {node for node in graph.nodes if node > 0}


# ---------------------------------------------------------------- views and repeated chains

VIEWS = """\
import torch
w = torch.ones(2, 3, requires_grad=True)
x = torch.ones(1, 2, requires_grad=True)
h = x
for i in range(6):
    h = (h @ w) @ w.t()
    h = h.reshape(2, 1).t()
h.sum().backward()
"""
DECAY = """\
import torch
leaves = [torch.full((2,), float(i), requires_grad=True) for i in range(7)]
x = torch.ones(2)
for leaf in leaves:
    x = torch.sin(x * leaf)
loss = x.sum()
for leaf in leaves:
    loss = loss + leaf.pow(2).sum()
loss.backward()
"""


def test_views_are_hidden_and_edges_lead_through_them(record: Forker) -> None:
    run = record(VIEWS)
    model = GraphModel()
    graph = model.at(run.timeline, before_end_of_pass(run))
    assert {node.label for node in rows(graph) if node.kind == "op"} == {"mm", "sum"}
    assert model.hidden_views == 18
    labels = [node.label for node in rows(graph) if node.kind != "leaf"]
    assert labels == ["mm"] * 12 + ["sum"]
    leaf = row(graph, "w").node
    assert sorted(edge.times for edge in graph.edges if edge.source == leaf) == [1] * 12
    assert model.next_level() == VIEWS_TOO
    graph = model.at(run.timeline, before_end_of_pass(run))
    assert {node.label for node in rows(graph) if node.kind == "op"} >= {"t", "view", "mm", "sum"}


def test_a_hidden_view_that_runs_is_told_at_its_input(record: Forker) -> None:
    run = record(VIEWS)
    model = GraphModel()
    progress = []
    for step in run.steps_of("node"):
        graph = model.at(run.timeline, step)
        (now,) = [node for node in rows(graph) if node.now]
        assert graph.now == now.node
        event = run.timeline.event(step)
        assert isinstance(event, ev.Node)
        progress.append((now.label, now.progress))
        assert event.node in model.structure.items[now.node].views + model.structure.items[now.node].nodes
    assert ("mm", "→ t") in progress
    assert ("leaf", "→ t") in progress
    assert ("mm", "") in progress


def test_a_view_that_is_the_root_of_a_pass_is_shown(record: Forker) -> None:
    run = record(VIEWS.replace("h.sum().backward()", "r = h.sum().view(())\nr.backward()"))
    graph = GraphModel().at(run.timeline, before_end_of_pass(run))
    assert (rows(graph)[-1].label, rows(graph)[-1].name) == ("view", "r")


def test_a_chain_repeated_on_one_leaf_after_the_other_is_one_row(record: Forker) -> None:
    run = record(DECAY)
    model = GraphModel()
    graph = model.at(run.timeline, before_end_of_pass(run))
    (repeat,) = [node for node in rows(graph) if node.kind == "module"]
    assert (repeat.label, repeat.name) == ("pow, sum, add", "×7")
    # What is computed from what went before stays as it is: its gradients differ.
    assert [node.label for node in rows(graph) if node.kind == "op"] == ["mul", "sin"] * 7 + ["sum"]
    assert sum(edge.to == repeat.node for edge in graph.edges) == 8
    inside = model.open(repeat.node)
    graph = model.at(run.timeline, before_end_of_pass(run))
    assert [node.label for node in rows(graph) if node.kind == "op"][-21:] == ["pow", "sum", "add"] * 7
    assert inside is not None
    assert model.can_close(inside)
    assert model.close(inside) is not None
    assert len(rows(model.at(run.timeline, before_end_of_pass(run)))) == 7 + 14 + 1 + 1


BLOCKS = """\
import torch
from torch import nn
torch.manual_seed(0)
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(3), nn.Linear(3, 6), nn.Linear(6, 3)
    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))
class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(20))
        self.head = nn.Linear(3, 1)
    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)
model = Stack()
model(torch.ones(2, 3)).sum().backward()
"""
ONE_MODULE = """\
import torch
from torch import nn
torch.manual_seed(0)
cell, head = nn.RNNCell(2, 3), nn.Linear(3, 1)
h = torch.zeros(1, 3)
for i in range(20):
    h = cell(torch.ones(1, 2), h)
head(h).sum().backward()
"""
BETWEEN = """\
import torch
from torch import nn
torch.manual_seed(0)
layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(6))
x = torch.ones(1, 3, requires_grad=True)
h = x * 2
for layer in layers:
    h = torch.relu(layer(h))
h.sum().backward()
"""


@pytest.mark.parametrize(
    ("script", "label", "name", "shape", "others"),
    [
        (BLOCKS, "Block", "blocks ×20", "2×3 → 2×3", ["head"]),
        (ONE_MODULE, "RNNCell", "cell ×20", "1×2 → 1×3", ["head"]),
        (BETWEEN, "Linear, relu", "layers ×6", "1×3 → 1×3", ["x", "h"]),
    ],
)  # fmt: skip
def test_calls_that_run_the_same_are_one_row(
    record: Forker, script: str, label: str, name: str, shape: str, others: list[str]
) -> None:
    run = record(script)
    model = GraphModel()
    graph = model.at(run.timeline, before_end_of_pass(run))
    (repeat,) = [node for node in rows(graph) if node.label == label]
    assert (repeat.kind, repeat.name, repeat.shape) == ("module", name, shape)
    texts = [node.name for node in rows(graph)]
    assert [text for text in texts if text not in ("", name)] == others
    count = int(name.rpartition("×")[2])
    state = run.timeline.state(before_end_of_pass(run))
    inside = model.structure.items[repeat.node].nodes
    names = [state.nodes[node].name for node in inside if state.nodes[node].name != "AccumulateGrad"]
    assert len(names) % count == 0
    assert names == names[: len(names) // count] * count
    before = len(texts)
    assert model.open(repeat.node) is not None
    graph = model.at(run.timeline, before_end_of_pass(run))
    kind = label.partition(",")[0]
    calls = [node for node in rows(graph) if node.label == kind and node.kind == "module"]
    assert len(calls) == count
    second = calls[1].node
    assert model.can_open(second)
    assert model.close(second) is not None
    assert len(rows(model.at(run.timeline, before_end_of_pass(run)))) == before


def test_a_block_that_is_opened_divides_the_row_of_its_likes(record: Forker) -> None:
    run = record(BLOCKS)
    model, step = GraphModel(), before_end_of_pass(run)
    (repeat,) = [node for node in rows(model.at(run.timeline, step)) if node.name == "blocks ×20"]
    model.open(repeat.node)
    seventh = [node.node for node in rows(model.at(run.timeline, step)) if node.label == "Block"][7]
    inside = model.open(seventh)
    assert inside is not None
    graph = model.at(run.timeline, step)
    assert [node.name for node in rows(graph) if node.label == "Block"] == [
        f"blocks[{index}]" for index in range(20) if index != 7
    ]  # fmt: skip
    assert {"blocks[7].up", "blocks[7].down"} <= {node.name for node in rows(graph)}
    first = next(node.node for node in rows(graph) if node.label == "Block")
    model.close(first)
    names = [node.name for node in rows(model.at(run.timeline, step)) if node.label == "Block"]
    assert names == ["blocks ×7", *(f"blocks[{index}]" for index in range(8, 20))]


def test_every_edge_of_a_folded_graph_stands_for_edges_of_the_graph(record: Forker) -> None:
    """Each edge between nodes is within one row, or an edge between the rows that their nodes belong to."""
    for script in (VIEWS, DECAY, MLP, ONE_MODULE, BETWEEN):
        timeline = record(script).timeline
        for level in (None, COMPUTING, VIEWS_TOO, EVERYTHING):
            model = GraphModel()
            model.options.level = level
            for step in range(1, timeline.steps + 1):
                graph = model.at(timeline, step)
                _, edges = graph_of(timeline.state(step))
                item_of = model.structure.item_of
                pairs = [(item_of[a], item_of[b]) for a, b in edges if item_of[a] != item_of[b]]
                drawn = [
                    (edge.source, edge.to) for edge in graph.edges if edge.source in item_of.values()
                    for _ in range(edge.times)
                ]  # fmt: skip
                assert sorted(drawn) == sorted(pairs), step


# ---------------------------------------------------------------- the last pass stays

TRAINING = """\
import torch
w = torch.tensor([2.0], requires_grad=True)
for i in range(2):
    loss = (w * 3) ** 2
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        w.grad = None
y = w * 5
"""


def test_the_last_pass_stays_until_one_turns_or_the_next_begins(record: Forker) -> None:
    """d(3w)²/dw = 18w: at 2, 36; then w = 2 - 3.6 = -1.6."""
    run = record(TRAINING)
    model = GraphModel()
    first, second = run.steps_of("backward")
    ended = run.steps_of("backward_end")
    grads = []
    for step in range(ended[0], second):
        graph = model.at(run.timeline, step)
        grads.append(row(graph, "w").grad)
        assert graph.now is None or step == ended[0]
    assert set(grads) == {"36"}
    assert model.has_newer
    assert row(model.at(run.timeline, second), "w").grad == ""
    graph = model.at(run.timeline, run.timeline.steps)
    assert row(graph, "w").grad.removeprefix("≈") == "-28.8"
    assert "y" not in [node.name for node in rows(graph)]
    model.shows_newer = True
    graph = model.at(run.timeline, run.timeline.steps)
    assert [node.name for node in rows(graph)][-1] == "y"
    assert not any(node.grad for node in rows(graph))
    # The other way round it is the same.
    back = GraphModel()
    assert [row(back.at(run.timeline, step), "w").grad for step in reversed(range(ended[0], second))] == grads
    before = model.at(run.timeline, first - 1)
    assert not model.has_newer
    assert row(before, "loss").value == "36"


ANOTHER_GRAPH = """\
import torch
w = torch.tensor([2.0], requires_grad=True)
(w * 3).backward()
print(w.grad)
p = torch.tensor([4.0], requires_grad=True)
z = p * 5
v = w * 7
"""


def test_the_last_pass_makes_room_for_another_graph(record: Forker) -> None:
    run = record(ANOTHER_GRAPH)
    model = GraphModel()
    names = {}
    for step in run.steps_of("op"):
        names[step] = [node.name for node in rows(model.at(run.timeline, step))]
    *_rest, z, v = names.values()
    assert {"p", "z"} <= set(z)
    assert "z" not in v, "w is a leaf of the pass, which is shown again"


def test_a_gradient_that_arrived_at_a_leaf_is_not_yet_new_there(record: Forker) -> None:
    run = record("import torch\nw = torch.tensor([2.0], requires_grad=True)\n(w * 3 + w * w).backward()\n")
    (stored,) = run.steps_of("accumulate")
    model, marks = GraphModel(), []
    for step in range(run.steps_of("backward")[0], stored + 1):
        leaf = row(model.at(run.timeline, step), "w")
        marks.append((bool(leaf.grad), leaf.arrived and bool(leaf.grad), leaf.new))
    assert marks[-1] == (True, False, True)
    assert (True, True, False) in marks
    assert (True, True, True) not in marks
