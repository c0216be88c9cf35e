"""The graph on show at a point, ready to be drawn or listed."""

from __future__ import annotations

from tutor.trace.events import Value
from tutor.trace.state import NodeState, State


def graph_of(state: State) -> tuple[list[NodeState], list[tuple[int, int]]]:
    """The nodes on show in drawing order, and the edges `(from, to)`: `to` was computed from `from`.

    Operations come in the order in which they ran, each leaf before the first that uses it.
    """
    shown = [state.nodes[number] for number in state.shown if number in state.nodes]
    operations = sorted((node for node in shown if not is_leaf(node)), key=lambda node: (node.sequence, node.node))
    leaves = {node.node: node for node in shown if is_leaf(node)}
    numbers = {node.node for node in shown}
    ordered: list[NodeState] = []
    edges: list[tuple[int, int]] = []
    for node in operations:
        for source in node.inputs:
            if source is None or source[0] not in numbers:
                continue
            leaf = leaves.pop(source[0], None)
            if leaf is not None:
                ordered.append(leaf)
            edges.append((source[0], node.node))
        ordered.append(node)
    return [*ordered, *sorted(leaves.values(), key=lambda node: node.node)], edges


def parts_of(state: State, node: int) -> list[tuple[str, Value]]:
    """What each consumer of a node sent to it in the pass on show, in the order in which they did."""
    if state.last_pass is None:
        return []
    parts: list[tuple[str, Value]] = []
    for number in dict.fromkeys(state.last_pass.ran):
        consumer = state.nodes.get(number)
        if consumer is None or consumer.grad_inputs is None:
            continue
        for source, value in zip(consumer.inputs, consumer.grad_inputs, strict=False):
            if source is not None and source[0] == node and value is not None:
                parts.append((consumer.name, value))
    return parts


def is_leaf(node: NodeState) -> bool:
    """Whether a node stands for a leaf: what writes its gradient."""
    return node.name == "AccumulateGrad" or node.sequence < 0
