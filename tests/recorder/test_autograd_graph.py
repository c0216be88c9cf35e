"""Nodes of the autograd graph: their numbers and edges, and what their hooks tell."""

from __future__ import annotations

from typing import Any

import torch

from tests.recorder.parts import Parts
from tutor.trace import events as ev


def record(parts: Parts, tensor: torch.Tensor) -> int:
    """Record the node of a tensor, and all before it."""
    events: list[Any] = []
    number = parts.graph.node(tensor.grad_fn, 77, events)
    parts.waiting.extend(events)
    return number


def test_inputs_come_first_and_edges_keep_their_order(parts: Parts) -> None:
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    y = (a * 2) - b
    assert record(parts, y) == 4
    nodes = {node.node: node for node in parts.of(ev.GraphNode)}
    assert {number: node.name for number, node in nodes.items()} == {
        1: "AccumulateGrad", 2: "MulBackward0", 3: "AccumulateGrad", 4: "SubBackward0"
    }  # fmt: skip
    assert nodes[4].inputs == [(2, 0), (3, 0)]
    assert nodes[2].inputs == [(1, 0), None]
    assert (nodes[4].tensor, nodes[2].tensor) == (77, None)
    leaves = [parts.tensors.serial(a), parts.tensors.serial(b)]
    assert [nodes[1].tensor, nodes[3].tensor] == leaves
    assert nodes[1].sequence == nodes[3].sequence == -1
    assert nodes[2].sequence < nodes[4].sequence


def test_a_node_is_sent_once(parts: Parts) -> None:
    w = torch.ones(2, requires_grad=True)
    h = w.exp()
    assert record(parts, h) == 2
    parts.sent()
    assert record(parts, h) == 2
    assert parts.of(ev.GraphNode) == []
    assert record(parts, h * h) == 3
    (node,) = parts.of(ev.GraphNode)
    assert node.inputs == [(2, 0), (2, 0)]
    assert node.saved == ["other", "self"]


def test_an_edge_names_the_output_that_it_leads_to(parts: Parts) -> None:
    w = torch.ones(4, requires_grad=True)
    first, second = w.split(2)
    record(parts, second + first)
    assert parts.of(ev.GraphNode)[-1].inputs == [(2, 1), (2, 0)]


def test_a_graph_may_be_far_deeper_than_the_stack(parts: Parts) -> None:
    y = w = torch.ones(1, requires_grad=True)
    for _ in range(5000):
        y = y + 1
    assert record(parts, y) == 5001
    assert len(parts.of(ev.GraphNode)) == 5001
    assert w.is_leaf


def test_hooks_tell_what_ran_in_the_engines_order(parts: Parts) -> None:
    a, b = torch.tensor([2.0], requires_grad=True), torch.tensor([3.0], requires_grad=True)
    y = a * b
    record(parts, y)
    y.backward(torch.tensor([10.0]))
    ran = [(node, *([g.tolist() for g in gradients] for gradients in both)) for node, *both in parts.ran]
    assert ran == [(3, [[30.0], [20.0]], [[10.0]])]
    written = {node: (leaf, gradients[0].tolist()) for node, leaf, gradients in parts.accumulated}
    assert written[1] == (a, [30.0])
    assert written[2] == (b, [20.0])
    assert a.grad is not None
    assert a.grad.tolist() == [30.0]


def test_nodes_that_are_gone_together_share_an_event(parts: Parts) -> None:
    w = torch.ones(1, requires_grad=True)
    y = (w * 2).exp().sum()
    record(parts, y)
    parts.sent()
    del y
    (freed,) = parts.of(ev.Freed)
    assert sorted(freed.nodes) == [1, 2, 3, 4]  # a leaf does not keep its node


def test_a_pass_that_builds_a_graph_tells_what_its_nodes_are_of(parts: Parts) -> None:
    x = torch.tensor([3.0], requires_grad=True)
    y = x.pow(2)
    number = record(parts, y)
    parts.sent()
    parts.graph.ran = lambda node, inputs, outputs: parts.graph.record_created(node, inputs, outputs)
    (gradient,) = torch.autograd.grad(y, x, create_graph=True)
    made = parts.of(ev.GraphNode)
    assert [node.of for node in made if node.of is not None] == [(number, 0)]
    assert made[-1].node == parts.graph.number_of(gradient.grad_fn)


class Double(torch.autograd.Function):
    """One of the learner's."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0] * 2


def test_the_backward_of_a_function_of_ones_own_is_entered_and_left(parts: Parts) -> None:
    seen: list[str] = []
    parts.graph.entered = lambda node: seen.append(f"entered {node}")
    parts.graph.left = lambda: seen.append("left")
    y = Double.apply(torch.ones(1, requires_grad=True))  # type: ignore[no-untyped-call]
    number = record(parts, y)
    y.backward()
    assert seen == [f"entered {number}", "left"]
    assert [node for node, _, _ in parts.ran] == [number]


def test_unknown_nodes_have_no_number(parts: Parts) -> None:
    y = torch.ones(1, requires_grad=True) * 2
    assert parts.graph.number_of(y.grad_fn) is None
