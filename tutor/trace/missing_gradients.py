"""Why a parameter has no gradient: it is frozen, no pass uses it, a pass has not reached it yet, or it was cleared."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from weakref import WeakKeyDictionary

from tutor.trace.graph import is_leaf
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline


class Reason(Enum):
    """Why `.grad` of a tensor is None."""

    FROZEN = "frozen"
    """`requires_grad` is False."""
    NO_PASS = "no pass yet"
    """No backward pass began before this step."""
    NOT_YET = "not yet reached"
    """The pass that runs leads to it, and has not come there."""
    UNUSED = "unused"
    """The graph of the last pass does not lead to it."""
    CLEARED = "cleared"
    """The last pass gave it a gradient, which was set to None since."""


_reached: WeakKeyDictionary[Timeline, dict[int, frozenset[int]]] = WeakKeyDictionary()
"""By recording and pass: the leaves that got a gradient in it."""


def missing_gradients(timeline: Timeline, step: int, tensors: Iterable[int]) -> dict[int, Reason]:
    """Return why each of these leaves has no gradient after a step; those that have one are left out."""
    state = timeline.state(step)
    missing = [state.tensors[number] for number in tensors if state.tensors[number].grad is None]
    if not any(tensor.requires_grad for tensor in missing):
        return {tensor.tensor: Reason.FROZEN for tensor in missing}
    reached = _leaves_of_last_pass(timeline, state)
    return {tensor.tensor: _reason(state, tensor, reached) for tensor in missing}


def _reason(state: State, tensor: TensorState, reached: frozenset[int]) -> Reason:
    if not tensor.requires_grad:
        return Reason.FROZEN
    if state.last_pass is None:
        return Reason.NO_PASS
    if tensor.tensor not in reached:
        return Reason.UNUSED
    return Reason.NOT_YET if state.last_pass.running else Reason.CLEARED


def _leaves_of_last_pass(timeline: Timeline, state: State) -> frozenset[int]:
    """Return the leaves to which the pass in progress, or the last one, leads."""
    if state.last_pass is None:
        return frozenset()
    if state.last_pass.running:
        return _leaves(state)
    number = state.last_pass.number
    by_pass = _reached.setdefault(timeline, {})
    if number not in by_pass:
        info = next((info for info in reversed(timeline.passes) if info.number == number), None)
        end = None if info is None else info.end_step
        by_pass[number] = _leaves(state if end is None else timeline.state(end))
    return by_pass[number]


def _leaves(state: State) -> frozenset[int]:
    """Return the leaves of the graph that is shown."""
    nodes = (state.nodes[number] for number in state.shown if number in state.nodes)
    return frozenset(node.tensor for node in nodes if is_leaf(node) and node.tensor is not None)
