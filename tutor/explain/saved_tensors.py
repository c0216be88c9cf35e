"""Tensors that nodes saved for backward: who saved them, whether they were changed since, and what follows from that.

A change in place that autograd counts (a new version) makes backward fail; one that it cannot see (through `.data`)
makes the gradient wrong. Also why a second pass through a graph would fail.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from tutor.explain import formatting
from tutor.explain.formatting import label
from tutor.explain.provenance import RecordedOp, as_grid, grid_of
from tutor.explain.rules.arrays import Grid, allclose
from tutor.explain.rules.registry import NodeView, Operand, apply_rule
from tutor.explain.verify import incoming_gradient, is_inner, make_node_view
from tutor.i18n import N_, _
from tutor.trace.events import Failed, Node
from tutor.trace.graph import is_freed
from tutor.trace.index import KIND_NUMBERS
from tutor.trace.names import name_of
from tutor.trace.number_format import inline
from tutor.trace.state import NodeState, State
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

ROLES = {
    "self": N_("its input"), "input": N_("its input"), "other": N_("its second input"),
    "result": N_("its result"), "mat1": N_("its first matrix"), "mat2": N_("its second matrix"),
    "weight": N_("its weight"), "target": N_("its target"), "output": N_("its result"),
    "mask": N_("its mask"), "index": N_("its index"), "indices": N_("its indices"),
}  # fmt: skip
"""What a saved tensor without a name is to its node."""
_FAILED, _NODE = KIND_NUMBERS["failed"], KIND_NUMBERS["node"]
_CHANGED = "has been modified by an inplace operation"
_FAILURES, _PASSES = 20, 20
"""Most failures after a change that are looked at, and most passes before it."""
_NAMED = 3
"""Most nodes that are named; the others are counted."""


class SavedTensor(msgspec.Struct, frozen=True):
    """A tensor that a node saved for its backward."""

    node: NodeState
    name: str
    """The name under which the node saved it: `self`, `other`, `result`."""
    tensor: int
    """The tensor's number; 0 for an internal one of the node."""
    bytes: int
    version: int | None
    """The tensor's version when it was saved."""
    now: int | None
    storage: int | None
    freed: bool

    @property
    def fits(self) -> bool:
        """Whether the tensor still has the version that was saved; true where it cannot be reached any more."""
        return self.version is None or self.now is None or self.now == self.version


def saved_by(state: State, node: NodeState) -> list[SavedTensor]:
    """Return what a node saved, also after it freed that; empty where it is not known."""
    freed = is_freed(state, node)
    return [
        SavedTensor(node, name, tensor, size, version, version_of(state, tensor, storage), storage, freed)
        for name, tensor, version, size, storage in node.kept
    ]


def version_of(state: State, tensor: int, storage: int | None) -> int | None:
    """Return the version of a tensor now; None where it is not known. All views of a storage share a counter: of a
    tensor that is gone, the ones alive tell."""
    tensor_state = state.tensors.get(tensor)
    own_version = None if tensor_state is None else tensor_state.version
    if storage is None or (tensor_state is not None and tensor_state.storage != storage):
        return own_version
    if tensor_state is not None and tensor_state.is_leaf and tensor_state.requires_grad:
        return own_version  # another leaf may have the same memory and a counter of its own: `nn.Parameter(w.data)`
    results, leaves = (_versions(state).get((storage, is_leaf)) for is_leaf in (False, True))
    leaf_version = leaves if tensor_state is None or not tensor_state.is_leaf else None
    return max((candidate for candidate in (own_version, results, leaf_version) if candidate is not None), default=None)


_latest: tuple[State, dict[tuple[int, bool], int]] | None = None


def _versions(state: State) -> dict[tuple[int, bool], int]:
    """Return the highest version of what requires grad in each storage, by storage and whether it is a leaf; cached for
    the last state."""
    global _latest
    if _latest is None or _latest[0] is not state:
        versions: dict[tuple[int, bool], int] = {}
        for tensor in state.tensors.values():
            if tensor.requires_grad and tensor.storage is not None and tensor.version is not None:
                key = tensor.storage, bool(tensor.is_leaf)
                versions[key] = max(tensor.version, versions.get(key, 0))
        _latest = state, versions
    return _latest[1]


def saved_name(state: State, saved: SavedTensor) -> str:
    """Return the name of a saved tensor: the learner's, else what it is to the node."""
    return (name_of(state, saved.tensor) if saved.tensor else None) or _(ROLES.get(saved.name, saved.name))


def node_label(state: State, node: NodeState, tensor: int = 0) -> str:
    """Return `MulBackward0 of y`; the node's name alone where y has no name, or is `tensor` itself."""
    name = None if node.tensor is None or node.tensor == tensor else name_of(state, node.tensor)
    return _("{node} of {tensor}", node=node.name, tensor=name) if name is not None else node.name


def views_of_memory(state: State, saved: SavedTensor) -> Iterator[int]:
    """Return the tensors that share the saved one's storage."""
    return (
        number
        for number, tensor_state in state.tensors.items()
        if saved.storage is not None and tensor_state.storage == saved.storage
    )


def saved_tensors_sharing(state: State, changed: set[int]) -> Iterator[SavedTensor]:
    """Yield what nodes have saved of these tensors, and of those gone that shared their storage."""
    storages = {state.tensors[number].storage for number in changed if number in state.tensors} - {None}
    for node in state.nodes.values():
        for _place, tensor, _version, _part, storage in node.kept:
            if tensor in changed or storage in storages:
                break
        else:
            continue
        if not is_freed(state, node):
            yield from saved_by(state, node)


def nodes_before_failures(timeline: Timeline, step: int) -> set[int]:
    """Return the nodes that were still to run in later passes that failed on an in-place change."""
    nodes: set[int] = set()
    failed_step = step
    for _failure in range(_FAILURES):
        failed_step = timeline.columns.kinds.find(_FAILED, failed_step) + 1
        if not failed_step:
            break
        event = timeline.event(failed_step)
        if isinstance(event, Failed) and _CHANGED in event.message:
            state = timeline.state(failed_step)
            nodes |= state.shown.difference(() if state.last_pass is None else state.last_pass.ran)
    return nodes


def fails_later(timeline: Timeline, step: int, saved: SavedTensor) -> bool:
    """Return whether a later pass of this recording fails on a saved tensor that was changed."""
    return not saved.fits and saved.node.node in nodes_before_failures(timeline, step)


def is_read(saved: SavedTensor) -> bool:
    """Return whether a node's backward is known to read a saved tensor. A batch norm in training saves its running
    statistics, but uses those of the batch."""
    is_statistic = saved.name in ("running_mean", "running_var")
    return not is_statistic or saved.node.attributes.get("training") is False


def differ(old: object, new: object) -> bool:
    """Return whether two values that are known in full differ; nan equals nan."""
    if old is new or old is None or new is None:
        return False
    before, after = elements(old), elements(new)
    if before is None or after is None:
        return False
    return len(before) != len(after) or any(
        a != b and not (a != a and b != b) for a, b in zip(before, after, strict=True)
    )


def saved_nothing(state: State) -> bool:
    """Return whether no node of the last pass saved anything, as far as that is known."""
    nodes, last = nodes_of_last_pass(state), state.last_pass
    all_recorded = last is not None and all(number in state.nodes for number in last.ran)
    return all_recorded and bool(nodes) and not any(node.saved for node in nodes)


def nodes_of_last_pass(state: State) -> list[NodeState]:
    """Return the nodes that ran in the last pass, without AccumulateGrad."""
    numbers = [] if state.last_pass is None else state.last_pass.ran
    nodes = [state.nodes[number] for number in dict.fromkeys(numbers) if number in state.nodes]
    return [node for node in nodes if node.name != "AccumulateGrad"]


def name_or_view_of(state: State, saved: SavedTensor) -> str:
    """Return the name of a saved tensor; without one, as a view of the leaf whose memory it shares."""
    own_name, tensor_state = name_of(state, saved.tensor), state.tensors.get(saved.tensor)
    if own_name is not None or tensor_state is None:
        return saved_name(state, saved)
    for leaf in state.tensors.values():
        name = name_of(state, leaf.tensor) if leaf.storage == saved.storage and leaf.is_leaf else None
        if name is not None:
            is_transposed = (
                len(leaf.shape) == 2
                and tensor_state.shape == leaf.shape[::-1]
                and tensor_state.strides == (leaf.strides or ())[::-1]
            )
            return f"{name}.T" if is_transposed else _("a view of {tensor}", tensor=name)
    return saved_name(state, saved)


# ---------------------------------------------------------------- wrong gradients of changes that autograd cannot see


class WrongGradient(msgspec.Struct, frozen=True):
    """A gradient that a node sent, and the one for the values that it had saved."""

    target: str
    sent: Grid
    true: Grid


def changed_values(
    timeline: Timeline, state: State, node: NodeState, made: RecordedOp
) -> dict[int, tuple[str, Grid, Grid]]:
    """Return, by tensor, its name, the values that the node saved, and those that it has now."""
    changes = {}
    for saved in saved_by(state, node):
        tensor_state = state.tensors.get(saved.tensor)
        saved_grid = next(
            (operand.grid for operand in (*made.operands, made.result) if operand.tensor == saved.tensor), None
        )
        if tensor_state is None or saved_grid is None or not saved.fits or not is_read(saved):
            continue
        if node.tensor == saved.tensor:
            saved_grid = made.result.grid
            if tensor_state.storage != saved.storage:  # it was given other memory; the node has the old
                continue
        grid = grid_of(tensor_state)
        if saved_grid is not None and grid is not None and differ(list(saved_grid.flat), list(grid.flat)):
            changes[saved.tensor] = (name_or_view_of(state, saved), saved_grid, grid)
    return changes


def wrong_gradients(
    state: State, node: NodeState, event: Node, made: RecordedOp, now: dict[int, Grid]
) -> list[WrongGradient] | None:
    """Return each gradient sent beside the right one; None where the rule is not known, or does not explain what was
    sent.

    Args:
        state: State after the node ran.
        node: The node.
        event: Its run.
        made: Its operation, with the values of that time.
        now: The values now of the tensors that were changed.
    """
    arrived = None if is_inner(state, node, made) else incoming_gradient(event, made, False)
    if arrived is None:
        return None
    operands = tuple(
        _with_grid(operand, now) if operand.tensor != node.tensor else operand for operand in made.operands
    )
    changed = replace(made, operands=operands, result=_with_grid(made.result, now))
    used_gradients, right_gradients = (
        _gradients_by_rule(make_node_view(state, node, event, operation, arrived)) for operation in (changed, made)
    )
    gradients = []
    for place, value in enumerate(event.grad_inputs):
        if value is None:
            continue
        used_gradient, right_gradient = used_gradients.get(place), right_gradients.get(place)
        if used_gradient is None or right_gradient is None:
            return None
        sent = as_grid(value, used_gradient[1].shape, made.dtype)
        scale = max((abs(x) for x in arrived.flat), default=0.0)
        if sent is None or not allclose(used_gradient[1], sent, made.dtype, scale):
            return None
        gradients.append(
            WrongGradient(
                used_gradient[0] if used_gradient[0] != "?" else label(state, node.tensor) or "?",
                sent,
                right_gradient[1],
            )
        )
    return gradients


def _with_grid(operand: Operand, now: dict[int, Grid]) -> Operand:
    grid = now.get(operand.tensor or 0)
    return operand if grid is None else replace(operand, grid=grid)


def _gradients_by_rule(view: NodeView) -> dict[int, tuple[str, Grid]]:
    """Return, by input of the node, the name of its target and the gradient by the rule."""
    explanation = apply_rule(view)
    try:
        return {
            place: (share.target.name, share.vjp(view.incoming))
            for place, share in enumerate(() if explanation is None else explanation.shares)
            if share is not None
        }
    except (LookupError, ArithmeticError, ValueError):
        return {}


def grid_text(values: Grid) -> str:
    return formatting.grid(values, "float32") or inline(list(values.flat), "float32")
