"""Who changed a tensor: the step before at which it was made, or its value, its flags or its gradient changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutor.trace.names import name_of, names_of

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

_CHUNK = 128
"""Steps that are looked at together."""


def last_change(timeline: Timeline, step: int, tensor: int) -> tuple[int, int] | None:
    """Return the last step before `step` that changed a tensor, and the number of that tensor; None if there is none.

    Of a tensor that `step` made, it is the last change of the one that had its name before.
    """
    end = max(step - 1, 0)
    state = timeline.state(end)
    if tensor not in state.tensors:
        tensor = names_of(state).get(name_of(timeline.state(step), tensor) or "", 0)
    if tensor not in state.tensors:
        return None
    while end and not _is_changed(timeline, max(end - _CHUNK, 0), end, tensor):
        end = max(end - _CHUNK, 0)
    begin = max(end - _CHUNK, 0)
    while end - begin > 1:
        middle = (begin + end) // 2
        if _is_changed(timeline, middle, end, tensor):
            begin = middle
        else:
            end = middle
    return (end, tensor) if end else None


def _is_changed(timeline: Timeline, begin: int, end: int, tensor: int) -> bool:
    """Return whether a tensor or its gradient changes after the step `begin`, and at `end` at the latest."""
    changes = timeline.changed(end, begin)
    return tensor in changes.tensors or tensor in changes.grads
