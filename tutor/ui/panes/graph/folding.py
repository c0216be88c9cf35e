"""What the graph leaves out until asked: operations that only view a tensor, and chains that are repeated.

A hidden view belongs to the row of its input. A chain that ran again and again at one place of the program, each time
on another input, as `pow, sum, add` of a weight decay does on each parameter, is one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tutor.trace.graph import Edges, is_leaf
from tutor.trace.module_calls import Call
from tutor.trace.state import NodeState, State
from tutor.ui.panes.graph.lanes import operation_name

_VIEW_NAMES = """view unsafe_view reshape_alias t transpose permute expand squeeze unsqueeze alias swapaxes movedim
    view_as_real view_as_complex"""
_VIEWS = frozenset(_VIEW_NAMES.split())
"""Operations that neither compute nor choose elements."""
_MIN_REPEATS = 4
_MAX_PERIOD = 8
"""Most operations in a chain that is repeated."""


def is_view(node: NodeState) -> bool:
    """Return whether a node only views its input."""
    return not is_leaf(node) and operation_name(node.name) in _VIEWS


def root_views(state: State) -> frozenset[int]:
    """Return the roots of the pass that is shown that only view their inputs: these are not hidden."""
    if state.last_pass is None or not state.showing_pass:
        return frozenset()
    numbers = (state.tensors[root].node for root in state.last_pass.roots if root in state.tensors)
    return frozenset(number for number in numbers if number in state.nodes and is_view(state.nodes[number]))


@dataclass
class Repeat:
    """A chain of operations that is repeated."""

    nodes: list[int]
    """All its operations in order; the last one computed its result."""
    names: tuple[str, ...]
    """The operations of one repetition."""
    count: int
    site: int
    """Where its first operation runs."""
    leaves: list[int] = field(default_factory=list)
    """Leaves that only it uses."""


GraphRow = NodeState | Call | Repeat


def find_repeats(rows: Sequence[NodeState | Call]) -> list[Repeat]:
    """Return the repeated chains among the operations of a graph, in order."""
    operations = [row for row in rows if isinstance(row, Call) or not is_leaf(row)]
    place: dict[int, int] = {}
    for index, row in enumerate(operations):
        place.update(dict.fromkeys(row.nodes if isinstance(row, Call) else (row.node,), index))
    repeats: list[Repeat] = []
    start = 0
    while start < len(operations):
        repeat = _longest_at(operations, place, start)
        if repeat is not None:
            repeats.append(repeat)
        start += len(repeat.nodes) if repeat is not None else 1
    return repeats


def _longest_at(operations: Sequence[NodeState | Call], place: Mapping[int, int], start: int) -> Repeat | None:
    """Return the longest repeated chain that begins with an operation, or None."""
    best: list[NodeState] = []
    best_period = 0
    for period in range(1, min(_MAX_PERIOD, (len(operations) - start) // _MIN_REPEATS) + 1):
        chain = _chain(operations, place, start, period)
        if len(chain) >= _MIN_REPEATS * period and len(chain) > len(best):
            best, best_period = chain, period
    if not best:
        return None
    names = tuple(operation_name(node.name) for node in best[:best_period])
    return Repeat([node.node for node in best], names, len(best) // best_period, best[0].site)


def _chain(
    operations: Sequence[NodeState | Call], place: Mapping[int, int], start: int, period: int
) -> list[NodeState]:
    """Return the operations from `start` on that repeat the first `period` ones on other inputs."""
    chain: list[NodeState] = []
    inputs_before: set[frozenset[int]] = set()
    for begin in range(start, len(operations) - period + 1, period):
        part = [row for row in operations[begin : begin + period] if isinstance(row, NodeState) and row.site]
        signature = [(node.name, node.site) for node in part]
        if len(part) < period or (chain and signature != [(node.name, node.site) for node in chain[:period]]):
            break
        sources = [{source[0] for source in node.inputs if source is not None} for node in part]
        outside = [{source for source in numbers if place.get(source, -1) < start} for numbers in sources]
        inputs = frozenset[int]().union(*outside)
        if outside[0] != sources[0] or not inputs or inputs in inputs_before:
            break
        inputs_before.add(inputs)
        chain += part
    return chain


def fold_repeats(
    rows: Sequence[NodeState | Call], edges: Edges, state: State, repeats: Sequence[Repeat]
) -> list[GraphRow]:
    """Return the rows with each of these repeated chains as one, in the position of its last operation.

    A leaf that only the chain uses belongs to it. A parameter that it uses beside a single earlier call of a closed
    module belongs to that call.
    """
    repeat_of = {number: repeat for repeat in repeats for number in repeat.nodes}
    call_of: dict[int, Call] = {number: row for row in rows if isinstance(row, Call) for number in row.nodes}
    place = {number: index for index, row in enumerate(rows) for number in _numbers(row)}
    users_of: dict[int, set[int]] = {}
    for source, target in edges:
        users_of.setdefault(source, set()).add(target)
    folded: list[GraphRow] = []
    for row in rows:
        if not isinstance(row, NodeState):
            folded.append(row)
        elif row.node in repeat_of:
            repeat = repeat_of[row.node]
            if repeat.nodes[-1] == row.node:
                folded.append(repeat)
        elif not is_leaf(row) or not _take_leaf(row, users_of.get(row.node, set()), repeat_of, call_of, place, state):
            folded.append(row)
    return folded


def _numbers(row: NodeState | Call) -> Sequence[int]:
    return row.nodes if isinstance(row, Call) else (row.node,)


def _take_leaf(
    leaf: NodeState,
    users: set[int],
    repeat_of: Mapping[int, Repeat],
    call_of: Mapping[int, Call],
    place: Mapping[int, int],
    state: State,
) -> bool:
    """Add a leaf to the repeated chain or the call that it belongs to; return whether there is one."""
    repeats = [repeat_of[user] for user in users if user in repeat_of]
    others = [user for user in users if user not in repeat_of]
    if not repeats:
        return False
    if not others:
        if any(repeat is not repeats[0] for repeat in repeats):
            return False
        repeats[0].leaves.append(leaf.node)
        return True
    tensor = state.tensors.get(leaf.tensor or 0)
    call = call_of.get(others[0])
    if call is None or any(call_of.get(user) is not call for user in others):
        return False
    is_later = all(place[repeat.nodes[0]] > place[call.nodes[0]] for repeat in repeats)
    if tensor is None or tensor.class_name != "Parameter" or not is_later:
        return False
    call.leaves.append(leaf.node)
    return True
