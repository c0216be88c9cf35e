"""Folding the graph: each call of a closed `nn.Module` becomes a single node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tutor.trace.graph import Edges, is_leaf
from tutor.trace.index import Definitions
from tutor.trace.state import ModuleInfo, NodeState, State


@dataclass
class Call:
    """One call of a module."""

    module: int
    nodes: list[int] = field(default_factory=list)
    """Its operations in order; the last one computed its output."""
    leaves: list[int] = field(default_factory=list)
    """Parameters that only this call uses."""


@dataclass
class Folded:
    """A graph with some modules closed: each of their calls is one row, in the position of its last operation."""

    rows: list[NodeState | Call]
    call_of: dict[int, Call]
    """By folded node: its call."""


def with_ancestors(modules: Mapping[int, ModuleInfo], module: int | None) -> list[int]:
    """Return a module and the modules around it, outermost first."""
    chain: list[int] = []
    while module is not None and module in modules and module not in chain:
        chain.append(module)
        module = modules[module].parent
    return chain[::-1]


def fold(
    nodes: Sequence[NodeState],
    edges: Edges,
    state: State,
    definitions: Definitions,
    closed: Callable[[int], bool],
) -> Folded:
    """Return the graph with some modules closed.

    Args:
        nodes: The nodes in drawing order.
        edges: The edges between them.
        state: The state that they are from.
        definitions: The definitions of the recording.
        closed: Returns whether a module is closed. A node inside several closed modules belongs to the outermost.
    """
    call_of: dict[int, Call] = {}
    call: Call | None = None
    first: NodeState | None = None
    outermost: dict[int | None, int | None] = {}
    inner: list[int] = []  # nodes within an operation; the one that has its place comes last
    for node in nodes:
        if is_leaf(node):
            continue
        if node.module not in outermost:
            chain = with_ancestors(state.modules, node.module)
            outermost[node.module] = next((module for module in chain if closed(module)), None)
        module = outermost[node.module]
        if module is None:
            call = None
            continue
        if call is None or call.module != module:
            call, first, inner = Call(module), None, []
        elif _starts_new_call(definitions, first, node, state.modules[module]):
            del call.nodes[len(call.nodes) - len(inner) :]
            call, first = Call(module, inner), None
            call_of.update(dict.fromkeys(inner, call))
        if first is None and node.site:
            first = node
        inner = [] if node.site else [*inner, node.node]
        call.nodes.append(node.node)
        call_of[node.node] = call
    if not call_of:
        return Folded([*nodes], call_of)
    _take_leaves(nodes, edges, state, call_of)
    return Folded([*_rows(nodes, call_of)], call_of)


def _starts_new_call(definitions: Definitions, first: NodeState | None, node: NodeState, module: ModuleInfo) -> bool:
    """Return whether a node is the first of another call of the module.

    Then the first operation of this call runs again. In a `forward` of the learner's that may also be an iteration of a
    loop, so the frame must differ; a module of torch's has one place in the learner's code per call.
    """
    if first is None or node.operation == first.operation or not node.site:
        return False
    same_place = node.site == first.site and node.module == first.module
    if not module.of_torch:
        return same_place and node.frame != first.frame
    here, there = definitions.sites.get(node.site), definitions.sites.get(first.site)
    elsewhere = here is not None and there is not None and (here.file, here.span) != (there.file, there.span)
    return same_place or (node.frame == first.frame and elsewhere)


def _take_leaves(nodes: Iterable[NodeState], edges: Edges, state: State, call_of: dict[int, Call]) -> None:
    """Add parameters that only one call uses to that call; inputs stay outside."""
    used_by: dict[int, set[int]] = {}
    for source, target in edges:
        used_by.setdefault(source, set()).add(target)
    for node in nodes:
        tensor = state.tensors.get(node.tensor or 0)
        if not is_leaf(node) or tensor is None or tensor.class_name != "Parameter":
            continue
        users = [call_of.get(user) for user in used_by.get(node.node, ())]
        call = users[0] if users else None
        if call is not None and all(user is call for user in users):
            call.leaves.append(node.node)
            call_of[node.node] = call


def _rows(nodes: Iterable[NodeState], call_of: Mapping[int, Call]) -> Iterator[NodeState | Call]:
    for node in nodes:
        call = call_of.get(node.node)
        if call is None:
            yield node
        elif call.nodes[-1] == node.node:
            yield call
