"""The autograd graph of a state in drawing order, and the gradients that flowed along its edges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from tutor.trace.state import NodeState, State
from tutor.trace.values import Value

Edges = list[tuple[int, int]]


def graph_of(state: State) -> tuple[list[NodeState], Edges]:
    """Return the shown nodes in drawing order, and the edges `(from, to)`: `to` was computed from `from`.

    Operations are in the order in which they ran, each leaf before its first use; nodes created by a pass with
    `create_graph` come after the nodes that they were computed from.
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
    """Return, by node, the number of the subgraph that it belongs to.

    0: computed by the learner's code from leaves; 2p: created by pass p (the graph of its gradients); 2p + 1: computed
    from those gradients.
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
    """Sort operations topologically, leaving their order as it is where it allows.

    It changes only if several threads created nodes: sequence numbers count per thread.
    """
    positions = {node.node: at for at, node in enumerate(operations)}
    if all(
        source is None or positions.get(source[0], -1) < at
        for at, node in enumerate(operations)
        for source in node.inputs
    ):
        return operations
    feeds: dict[int, list[int]] = {}
    missing = [0] * len(operations)
    for at, node in enumerate(operations):
        for source in {source[0] for source in node.inputs if source is not None}:
            source_at = positions.get(source)
            if source_at is not None:
                feeds.setdefault(source_at, []).append(at)
                missing[at] += 1
    ready = [at for at, count in enumerate(missing) if not count]
    heapify(ready)
    ordered = []
    while ready:
        at = heappop(ready)
        ordered.append(operations[at])
        for target_at in feeds.get(at, ()):
            missing[target_at] -= 1
            if not missing[target_at]:
                heappush(ready, target_at)
    return ordered if len(ordered) == len(operations) else operations  # a cycle: damaged data


def gradient_parts(state: State, node: int) -> list[tuple[str, Value]]:
    """Return the gradients that reached a node in the current pass, in order, as (sending node's name, gradient)."""
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
    """Return (source, target, gradients) for each edge whose source is used several times, one gradient per use."""
    uses = Counter(source for source, _ in edges)
    shares = []
    for source, target in dict.fromkeys(edges):
        gradients = gradients_sent(state, source, target) if uses[source] > 1 and state.showing_pass else []
        if gradients:
            shares.append((source, target, gradients))
    return shares


def gradients_sent(state: State, source: int, target: int) -> list[Value]:
    """Return the gradients that `target` sent to `source` in the current pass, one for each use."""
    node = state.nodes.get(target)
    if node is None or node.grad_inputs is None:
        return []
    pairs = zip(node.inputs, node.grad_inputs, strict=False)
    return [
        gradient
        for target_input, gradient in pairs
        if target_input is not None and target_input[0] == source and gradient is not None
    ]


def is_leaf(node: NodeState) -> bool:
    """Return whether a node is the `AccumulateGrad` of a leaf."""
    return node.name == "AccumulateGrad" or node.sequence < 0


def is_freed(state: State, node: NodeState) -> bool:
    """Return whether a node freed what it saved: in a pass that does not retain its graph, right after it ran."""
    last = state.last_pass
    if node.state == "freed" or last is None:
        return node.state == "freed"
    return last.running and not last.retain_graph and bool(node.order) and last.ran[-1:] != [node.node]
