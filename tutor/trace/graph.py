"""The graph on show at a point, ready to be drawn or listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from tutor.trace.state import NodeState, State
from tutor.trace.wire_types import Value

Edges = list[tuple[int, int]]


def graph_of(state: State) -> tuple[list[NodeState], Edges]:
    """The nodes on show in drawing order, and the edges `(from, to)`: `to` was computed from `from`.

    Operations come in the order in which they ran, each leaf before the first that uses it; what a pass with
    `create_graph` made comes after all else that it was made from.
    """
    shown = [state.nodes[number] for number in state.shown if number in state.nodes]
    numbers = {node.node for node in shown}
    parts = subgraph_of(shown)
    operations = sorted(
        (node for node in shown if not is_leaf(node)), key=lambda node: (parts[node.node], node.sequence, node.node)
    )
    operations = _inputs_first(operations)
    leaves = {node.node: node for node in shown if is_leaf(node)}
    ordered: list[NodeState] = []
    edges: Edges = []
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


def subgraph_of(nodes: Sequence[NodeState]) -> dict[int, int]:
    """By node: which part of the graph it belongs to.

    0 is what the learner's code computed from leaves, 2 p what pass p made (the graph of its gradients), 2 p + 1 what
    was computed from that.
    """
    parts = dict.fromkeys((node.node for node in nodes), 0)
    if all(node.of_pass is None for node in nodes):
        return parts
    for node in sorted(nodes, key=lambda node: node.node):  # a node is numbered after its inputs
        before = max((parts.get(source[0], 0) for source in node.inputs if source is not None), default=0)
        own = 2 * (node.of_pass or 0)
        later = before + 1 if before and before % 2 == 0 else before
        parts[node.node] = own if own >= before else later
    return parts


def _inputs_first(operations: list[NodeState]) -> list[NodeState]:
    """The same in an order in which no node stands before one that it was computed from.

    It is as it was where one thread made all nodes: each of them counts for itself.
    """
    place = {node.node: at for at, node in enumerate(operations)}
    if all(
        source is None or place.get(source[0], -1) < at for at, node in enumerate(operations) for source in node.inputs
    ):
        return operations
    feeds: dict[int, list[int]] = {}
    missing = [0] * len(operations)
    for at, node in enumerate(operations):
        for source in {source[0] for source in node.inputs if source is not None}:
            before = place.get(source)
            if before is not None:
                feeds.setdefault(before, []).append(at)
                missing[at] += 1
    ready = [at for at, count in enumerate(missing) if not count]
    heapify(ready)
    ordered = []
    while ready:
        at = heappop(ready)
        ordered.append(operations[at])
        for after in feeds.get(at, ()):
            missing[after] -= 1
            if not missing[after]:
                heappush(ready, after)
    return ordered if len(ordered) == len(operations) else operations  # what has a cycle is no graph


def gradient_parts(state: State, node: int) -> list[tuple[str, Value]]:
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


def gradients_by_edge(state: State, edges: Edges) -> list[tuple[int, int, list[Value]]]:
    """Of each edge whose source has several uses, what went over it in the pass on show, one for each use."""
    uses = Counter(source for source, _ in edges)
    found = []
    for source, target in dict.fromkeys(edges):
        sent = gradients_sent(state, source, target) if uses[source] > 1 and state.showing_pass else []
        if sent:
            found.append((source, target, sent))
    return found


def gradients_sent(state: State, source: int, target: int) -> list[Value]:
    """What one node sent to another in the pass on show, one for each time that it was computed from it."""
    node = state.nodes.get(target)
    if node is None or node.grad_inputs is None:
        return []
    pairs = zip(node.inputs, node.grad_inputs, strict=False)
    return [sent for came, sent in pairs if came is not None and came[0] == source and sent is not None]


def is_leaf(node: NodeState) -> bool:
    """Whether a node stands for a leaf: what writes its gradient."""
    return node.name == "AccumulateGrad" or node.sequence < 0
