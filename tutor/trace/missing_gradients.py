"""Why a parameter has no gradient: it is frozen, no pass led to it, or one has not reached it yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from weakref import WeakKeyDictionary

from tutor.trace.graph import is_leaf
from tutor.trace.state import PassState, State, TensorState
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
    NOT_STORED = "not stored"
    """The last pass leads to it and wrote no gradient: `torch.autograd.grad` returns them, `backward(inputs=…)` is for
    others, or the pass failed."""


@dataclass(frozen=True)
class _Leaves:
    """The leaves to which a pass leads, and those that it gave a gradient."""

    reachable: frozenset[int]
    reached: frozenset[int]


_of_passes: WeakKeyDictionary[Timeline, dict[int, _Leaves]] = WeakKeyDictionary()
"""By recording and pass: its leaves at its end."""


def missing_gradients(timeline: Timeline, step: int, tensors: Iterable[int]) -> dict[int, Reason]:
    """Return why each of these leaves has no gradient after a step; those that have one are left out."""
    state = timeline.state(step)
    missing = [state.tensors[number] for number in tensors if state.tensors[number].grad is None]
    leaves = _leaves_of_last_pass(timeline, state) if any(tensor.requires_grad for tensor in missing) else None
    return {tensor.tensor: _reason(state, tensor, leaves) for tensor in missing}


def _reason(state: State, tensor: TensorState, leaves: _Leaves | None) -> Reason:
    if not tensor.requires_grad:
        return Reason.FROZEN
    if state.last_pass is None or leaves is None:
        return Reason.NO_PASS
    if tensor.tensor not in leaves.reachable:
        return Reason.UNUSED
    if tensor.tensor in leaves.reached:
        return Reason.CLEARED
    return Reason.NOT_YET if _writes(state.last_pass) else Reason.NOT_STORED


def _writes(running: PassState | None) -> bool:
    """Return whether a pass still runs that writes gradients, or another one around it."""
    return running is not None and ((running.running and running.call == "backward") or _writes(running.outer))


def _leaves_of_last_pass(timeline: Timeline, state: State) -> _Leaves | None:
    """Return the leaves of the pass in progress, with those of the passes around it, or of the last one."""
    last = state.last_pass
    if last is None:
        return None
    if last.running or last.outer is not None:
        return _leaves(state, last)
    by_pass = _of_passes.setdefault(timeline, {})
    if last.number not in by_pass:
        info = next((info for info in reversed(timeline.passes) if info.number == last.number), None)
        end = None if info is None or info.end_step is None else timeline.state(info.end_step)
        if end is None or end.last_pass is None:
            return _leaves(state, last)
        by_pass[last.number] = _leaves(end, end.last_pass)
    return by_pass[last.number]


def _leaves(state: State, last: PassState) -> _Leaves:
    """Return the leaves of the graph that is shown, of a pass and of those around it."""
    shown, ran = set(state.shown), set(last.ran)
    while last.outer is not None:
        shown, last = shown | last.outer_shown, last.outer
        ran.update(last.ran)
    nodes = [state.nodes[number] for number in shown if number in state.nodes]
    leaves = [node for node in nodes if is_leaf(node) and node.tensor is not None]
    return _Leaves(
        frozenset(node.tensor for node in leaves if node.tensor is not None),
        frozenset(node.tensor for node in leaves if node.tensor is not None and node.node in ran),
    )
