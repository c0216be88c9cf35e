"""The gradient of a leaf as a sum over paths: the product of the local derivatives along each path, summed over the
paths.

The derivatives are measured: what a node sent along an edge, divided by what had reached it. So paths are shown only
where every node on them has one element, and their sum is the gradient that autograd brought to the leaf.
Source: https://pytorch.org/docs/stable/notes/autograd.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tutor.trace.history import code_of
from tutor.trace.names import name_of, tensor_name
from tutor.trace.state import NodeState, State
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

MOST = 64
"""Most paths that are listed."""
LARGEST = 300
"""Most nodes of a graph whose paths are searched."""


@dataclass(frozen=True)
class Path:
    """A path from the root to the leaf: names of its nodes (root first), the factor of each edge, and their product."""

    through: list[str]
    factors: list[float]
    product: float


@dataclass(frozen=True)
class Paths:
    """All paths to a leaf in the current pass. `start` is the gradient at the root, which each product begins with."""

    leaf: str
    start: float
    paths: list[Path]
    total: float
    left_out: int
    """The number of paths that are not listed."""


def paths_to(timeline: Timeline, state: State, tensor: int) -> Paths | None:
    """Return the paths over which the current pass brings a gradient to this leaf; None where they are not known
    exactly."""
    leaf = next(
        (
            candidate
            for candidate in state.nodes.values()
            if candidate.name == "AccumulateGrad" and candidate.tensor == tensor and candidate.order
        ),
        None,
    )
    last = state.last_pass
    if (
        leaf is None
        or last is None
        or len(state.shown) > LARGEST
        or len(last.roots) != 1
        or last.roots[0] not in state.tensors
    ):
        return None
    root = state.nodes.get(state.tensors[last.roots[0]].node or 0)
    start = None if root is None else _single_number(root.grad_outputs)
    incoming = _single_number(leaf.grad_outputs)
    if root is None or start is None or incoming is None:
        return None
    counts = _counts(state, root, leaf.node)
    if not counts.get(root.node):
        return None
    walks = _walk(state, root, leaf, counts)
    if walks is None:
        return None
    paths = [
        Path([_label(timeline, state, node) for node in nodes], factors, start * math.prod(factors))
        for nodes, factors in walks
    ]
    total = math.fsum(path.product for path in paths)
    left_out = counts[root.node] - len(paths)
    if not left_out and not math.isclose(total, incoming, rel_tol=1e-4, abs_tol=1e-6):
        return None
    return Paths(tensor_name(state, tensor), start, paths, incoming, left_out)


def _counts(state: State, root: NodeState, leaf: int) -> dict[int, int]:
    """Return, by node, the number of paths from it to the leaf. Iterative, as graphs may be deep.

    Empty where the graph of a recording has a circle, as none of torch's has.
    """
    counts = {leaf: 1}
    entered: set[int] = set()
    stack = [root.node]
    while stack:
        number = stack[-1]
        node = state.nodes.get(number)
        if number in counts or node is None:
            counts.setdefault(number, 0)
            stack.pop()
            continue
        sources = [source[0] for source in node.inputs if source is not None]
        uncounted = [source for source in sources if source not in counts]
        if uncounted and number in entered:
            return {}
        if uncounted:
            entered.add(number)
            stack.extend(uncounted)
        else:
            counts[number] = sum(counts[source] for source in sources)
            stack.pop()
    return counts


def _walk(
    state: State, root: NodeState, leaf: NodeState, counts: dict[int, int]
) -> list[tuple[list[NodeState], list[float]]] | None:
    """Return the nodes and factors of each path, at most `MOST`; None where a factor is not known."""
    walks: list[tuple[list[NodeState], list[float]]] = []
    stack: list[tuple[NodeState, list[NodeState], list[float]]] = [(root, [root], [])]
    while stack and len(walks) < MOST:
        node, nodes, factors = stack.pop()
        if node.node == leaf.node:
            walks.append((nodes, factors))
            continue
        branches = []
        for index, source in enumerate(node.inputs):
            if source is None or not counts.get(source[0]):
                continue
            factor = _factor(node, index)
            if factor is None:
                return None
            next_node = state.nodes[source[0]]
            branches.append((next_node, [*nodes, next_node], [*factors, factor]))
        stack.extend(reversed(branches))
    return walks


def _factor(node: NodeState, index: int) -> float | None:
    """Return the measured derivative along an edge; None where it is not known."""
    incoming = _single_number(node.grad_outputs)
    sent = _single_number(node.grad_inputs[index : index + 1]) if node.grad_inputs else None
    if incoming is None or sent is None or not incoming:
        return None
    return sent / incoming


def _single_number(gradients: list[object] | None) -> float | None:
    """Return the only element of the only gradient; None where there are more, or it is not finite."""
    flat = elements(gradients[0]) if gradients is not None and len(gradients) == 1 else None
    if flat is None or len(flat) != 1 or not isinstance(flat[0], int | float) or not math.isfinite(flat[0]):
        return None
    return float(flat[0])


def _label(timeline: Timeline, state: State, node: NodeState) -> str:
    if node.tensor is None:
        return node.name
    return name_of(state, node.tensor) or code_of(timeline, node) or tensor_name(state, node.tensor)
