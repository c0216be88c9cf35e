"""Tensors that look into one memory, and when it was written last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutor.trace.scope import names_of
from tutor.trace.state import FrameState, State

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline


def sharing(state: State, tensor: int) -> list[int]:
    """The other tensors that share a tensor's storage."""
    held = state.tensors.get(tensor)
    if held is None or held.storage is None:
        return []
    return [number for number, one in state.tensors.items() if one.storage == held.storage and number != tensor]


def views(state: State, frame: FrameState | None = None) -> dict[str, list[str]]:
    """By the name of a tensor in a frame (by default the innermost): the names of others there that share its
    storage."""
    named = names_of(state, frame)
    by_storage: dict[int, list[str]] = {}
    for name, number in named.items():
        storage = state.tensors[number].storage
        if storage is not None:
            by_storage.setdefault(storage, []).append(name)
    found: dict[str, list[str]] = {}
    for name, number in named.items():
        together = by_storage.get(state.tensors[number].storage or 0, ())
        found[name] = [other for other in together if named[other] != number]
    return found


def last_write(timeline: Timeline, step: int, tensor: int) -> int | None:
    """The step of the last operation that wrote into a tensor's storage and so raised its version, itself or through
    another view. None: nobody has since the oldest of them was made."""
    state = timeline.state(step)
    held = state.tensors.get(tensor)
    if held is None or not held.version:
        return None
    views = [number for number in sharing(state, tensor) if state.tensors[number].version == held.version]
    for number in (tensor, *views):
        found = _reached(timeline, step, number, held.version)
        if number in timeline.state(found - 1).tensors:  # else it was made with this version
            return found
    return None


def _reached(timeline: Timeline, step: int, tensor: int, version: int) -> int:
    """The first step after which a tensor had the version that it has at `step`: versions only grow."""
    first, last = 0, step
    while last - first > 1:
        middle = (first + last) // 2
        then = timeline.state(middle).tensors.get(tensor)
        if then is None or (then.version or 0) < version:
            first = middle
        else:
            last = middle
    return last
