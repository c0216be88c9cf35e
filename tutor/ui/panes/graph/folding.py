"""What the graph leaves out until asked: operations that only view a tensor, and chains that are repeated.

A hidden view belongs to the row of its input. A chain that ran again and again at one place of the program, each time
on another input, as `pow, sum, add` of a weight decay does on each parameter, is one row; so are calls of modules that
run the same on the same shapes, as the blocks of a transformer do, and operations between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tutor.trace.graph import Edges, is_leaf
from tutor.trace.module_calls import Call
from tutor.trace.names import PARAMETER
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


RepeatKey = tuple[int, int]
"""Where a repetition begins: the site of an operation and 0, or 0 and the module that is called."""


@dataclass
class Repeat:
    """A chain of operations, or of calls of modules with operations between them, that is repeated."""

    nodes: list[int]
    """All its operations in order, those inside the calls included; the last one computed its result."""
    names: tuple[str, ...]
    """The operations, and the classes of the modules, of one repetition."""
    count: int
    keys: tuple[RepeatKey, ...]
    """Where each repetition begins."""
    calls: tuple[int, ...] = ()
    """The module called first in each repetition; empty where only operations are repeated."""
    leaves: list[int] = field(default_factory=list)
    """Leaves that only it uses."""


GraphRow = NodeState | Call | Repeat
_Signature = tuple[object, ...]


def find_repeats(rows: Sequence[NodeState | Call], state: State) -> list[Repeat]:
    """Return the repeated chains among the operations of a graph, in order."""
    operations = [row for row in rows if isinstance(row, Call) or not is_leaf(row)]
    signatures = [_signature(row, state) for row in operations]
    place: dict[int, int] = {}
    for index, row in enumerate(operations):
        place.update(dict.fromkeys(row.nodes if isinstance(row, Call) else (row.node,), index))
    repeats: list[Repeat] = []
    start = 0
    while start < len(operations):
        chain, period = _longest_at(operations, signatures, place, start)
        if chain:
            repeats.append(_repeat(chain, period, state))
        start += len(chain) or 1
    return repeats


def _signature(row: NodeState | Call, state: State) -> _Signature:
    """Return what the same row has in each repetition: an operation its place in the program, a call what it runs."""
    if isinstance(row, NodeState):
        return row.name, row.site
    nodes = [state.nodes[number] for number in row.nodes]
    return state.modules[row.module].kind, *((node.name, node.shape) for node in nodes)


def _repeat(chain: Sequence[NodeState | Call], period: int, state: State) -> Repeat:
    parts = [chain[begin : begin + period] for begin in range(0, len(chain), period)]
    names = (state.modules[row.module].kind if isinstance(row, Call) else operation_name(row.name) for row in parts[0])
    calls = [next((row.module for row in part if isinstance(row, Call)), None) for part in parts]
    return Repeat(
        [number for row in chain for number in _numbers(row)], tuple(names), len(parts),
        tuple((0, row.module) if isinstance(row, Call) else (row.site, 0) for row, *_ in parts),
        tuple(module for module in calls if module is not None),
        [leaf for row in chain if isinstance(row, Call) for leaf in row.leaves],
    )  # fmt: skip


def _longest_at(
    operations: Sequence[NodeState | Call], signatures: Sequence[_Signature], place: Mapping[int, int], start: int
) -> tuple[Sequence[NodeState | Call], int]:
    """Return the longest repeated chain that begins with an operation, and the rows of a repetition; or nothing."""
    best: Sequence[NodeState | Call] = ()
    best_period = 0
    for period in range(1, min(_MAX_PERIOD, (len(operations) - start) // _MIN_REPEATS) + 1):
        if any(isinstance(row, Call) for row in operations[start : start + period]):
            chain = operations[start : _end_of_calls(operations, signatures, start, period)]
        else:
            chain = operations[start : _end_of_operations(operations, signatures, place, start, period)]
        if len(chain) >= _MIN_REPEATS * period and len(chain) > len(best):
            best, best_period = chain, period
    return best, best_period


def _end_of_calls(
    operations: Sequence[NodeState | Call], signatures: Sequence[_Signature], start: int, period: int
) -> int:
    """Return where the rows from `start` on no longer repeat the first `period` ones, whatever they take."""
    end = start + period
    while end < len(operations) and signatures[end] == signatures[end - period]:
        end += 1
    if any(isinstance(row, NodeState) and not row.site for row in operations[start : start + period]):
        return start
    return end - (end - start) % period


def _end_of_operations(
    operations: Sequence[NodeState | Call],
    signatures: Sequence[_Signature],
    place: Mapping[int, int],
    start: int,
    period: int,
) -> int:
    """Return where the operations from `start` on no longer repeat the first `period` ones on other inputs."""
    inputs_before: set[frozenset[int]] = set()
    end = start
    for begin in range(start, len(operations) - period + 1, period):
        part = [row for row in operations[begin : begin + period] if isinstance(row, NodeState) and row.site]
        if len(part) < period or signatures[begin : begin + period] != signatures[start : start + period]:
            break
        sources = [{source[0] for source in node.inputs if source is not None} for node in part]
        outside = [{source for source in numbers if place.get(source, -1) < start} for numbers in sources]
        inputs = frozenset[int]().union(*outside)
        if outside[0] != sources[0] or not inputs or inputs in inputs_before:
            break
        inputs_before.add(inputs)
        end = begin + period
    return end


def fold_repeats(
    rows: Sequence[NodeState | Call], edges: Edges, state: State, repeats: Sequence[Repeat]
) -> list[GraphRow]:
    """Return the rows with each of these repeated chains as one, in the position of its last operation.

    A leaf that only the chain uses belongs to it; of calls only a parameter. A parameter that it uses beside a single
    earlier call of a closed module belongs to that call.
    """
    repeat_of = {number: repeat for repeat in repeats for number in repeat.nodes}
    call_of: dict[int, Call] = {number: row for row in rows if isinstance(row, Call) for number in row.nodes}
    place = {number: index for index, row in enumerate(rows) for number in _numbers(row)}
    users_of: dict[int, set[int]] = {}
    for source, target in edges:
        users_of.setdefault(source, set()).add(target)
    folded: list[GraphRow] = []
    for row in rows:
        last = _numbers(row)[-1]
        if last in repeat_of:
            if repeat_of[last].nodes[-1] == last:
                folded.append(repeat_of[last])
        elif (
            isinstance(row, Call)
            or not is_leaf(row)
            or not _take_leaf(row, users_of.get(row.node, set()), repeat_of, call_of, place, state)
        ):
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
    tensor = state.tensors.get(leaf.tensor or 0)
    is_parameter = tensor is not None and tensor.class_name == PARAMETER
    if not others:
        if any(repeat is not repeats[0] for repeat in repeats) or (repeats[0].calls and not is_parameter):
            return False
        repeats[0].leaves.append(leaf.node)
        return True
    call = call_of.get(others[0])
    if call is None or any(call_of.get(user) is not call for user in others):
        return False
    is_later = all(place[repeat.nodes[0]] > place[call.nodes[0]] for repeat in repeats)
    if not is_parameter or not is_later:
        return False
    call.leaves.append(leaf.node)
    return True
