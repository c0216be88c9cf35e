"""The gradient of a leaf as a sum over paths: along a path local derivatives are multiplied, at the leaf paths add up.

All factors are measured: what a node sent on along an edge, over what had reached it. A path is claimed only where
every node on it is of one element, and the paths only where their sum is what the engine brought to the leaf.
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
"""So many paths are listed."""
LARGEST = 300
"""In graphs of more nodes than this nobody would read the paths, and a long one costs its length squared."""


@dataclass(frozen=True)
class Path:
    """One way from the root to the leaf: what it passes (root first), the factor of each edge, and their product."""

    through: list[str]
    factors: list[float]
    product: float


@dataclass(frozen=True)
class Paths:
    """All ways to a leaf in the pass on show. `start` is the gradient at the root that all products begin with."""

    leaf: str
    start: float
    paths: list[Path]
    total: float
    left_out: int
    """How many paths there are beyond those listed."""


def paths_to(timeline: Timeline, state: State, tensor: int) -> Paths | None:
    """The paths over which the pass on show brings a gradient to this leaf; None where they cannot be told exactly."""
    leaf = next(
        (n for n in state.nodes.values() if n.name == "AccumulateGrad" and n.tensor == tensor and n.order), None
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
    start = None if root is None else _one(root.grad_outputs)
    arrived = _one(leaf.grad_outputs)
    if root is None or start is None or arrived is None:
        return None
    counts = _counts(state, root, leaf.node)
    if not counts.get(root.node):
        return None
    found = _walk(state, root, leaf, counts)
    if found is None:
        return None
    paths = [
        Path([_label(timeline, state, node) for node in nodes], factors, start * math.prod(factors))
        for nodes, factors in found
    ]
    total = math.fsum(path.product for path in paths)
    left_out = counts[root.node] - len(paths)
    if not left_out and not math.isclose(total, arrived, rel_tol=1e-4, abs_tol=1e-6):
        return None
    return Paths(tensor_name(state, tensor), start, paths, arrived, left_out)


def _counts(state: State, root: NodeState, leaf: int) -> dict[int, int]:
    """By node: over how many paths the leaf is reached from it. Iteratively, as graphs are deep.

    Empty where a recording has a circle in its graph, as none of torch's has.
    """
    counts = {leaf: 1}
    entered: set[int] = set()
    waiting = [root.node]
    while waiting:
        number = waiting[-1]
        node = state.nodes.get(number)
        if number in counts or node is None:
            counts.setdefault(number, 0)
            waiting.pop()
            continue
        sources = [source[0] for source in node.inputs if source is not None]
        unknown = [source for source in sources if source not in counts]
        if unknown and number in entered:
            return {}
        if unknown:
            entered.add(number)
            waiting.extend(unknown)
        else:
            counts[number] = sum(counts[source] for source in sources)
            waiting.pop()
    return counts


def _walk(
    state: State, root: NodeState, leaf: NodeState, counts: dict[int, int]
) -> list[tuple[list[NodeState], list[float]]] | None:
    """The nodes and factors of each path, at most `MOST`; None where a factor on one of them is not known."""
    found: list[tuple[list[NodeState], list[float]]] = []
    waiting: list[tuple[NodeState, list[NodeState], list[float]]] = [(root, [root], [])]
    while waiting and len(found) < MOST:
        node, nodes, factors = waiting.pop()
        if node.node == leaf.node:
            found.append((nodes, factors))
            continue
        ways = []
        for place, source in enumerate(node.inputs):
            if source is None or not counts.get(source[0]):
                continue
            factor = _factor(node, place)
            if factor is None:
                return None
            following = state.nodes[source[0]]
            ways.append((following, [*nodes, following], [*factors, factor]))
        waiting.extend(reversed(ways))
    return found


def _factor(node: NodeState, place: int) -> float | None:
    """The local derivative along an edge, as measured."""
    reached = _one(node.grad_outputs)
    sent = _one(node.grad_inputs[place : place + 1]) if node.grad_inputs else None
    if reached is None or sent is None or not reached:
        return None
    return sent / reached


def _one(gradients: list[object] | None) -> float | None:
    """The only element of the only gradient."""
    flat = elements(gradients[0]) if gradients is not None and len(gradients) == 1 else None
    if flat is None or len(flat) != 1 or not isinstance(flat[0], int | float) or not math.isfinite(flat[0]):
        return None
    return float(flat[0])


def _label(timeline: Timeline, state: State, node: NodeState) -> str:
    if node.tensor is None:
        return node.name
    return name_of(state, node.tensor) or code_of(timeline, node) or tensor_name(state, node.tensor)
