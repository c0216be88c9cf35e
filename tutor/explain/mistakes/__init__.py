"""What went wrong, in plain words with the learner's names: an explanation is code over recorded events.

Each module here registers the mistakes of one kind; `scene` holds what an explanation can ask of the recording.
"""

from __future__ import annotations

from importlib import import_module

from tutor.explain.mistakes.context import MISTAKES, Diagnosis, FailureContext
from tutor.trace.events import Failed
from tutor.trace.timeline import Timeline

__all__ = ["cause", "explanation"]

# The first explanation that fits a failure is given: the general ones of `arguments` come last.
for _name in (
    "second_backward", "backward", "indices", "dtypes_and_devices", "missing_grad", "view_writes", "inplace",
    "concatenation", "layer_inputs", "vmap", "matmul_shapes", "shapes", "arguments",
):  # fmt: skip
    import_module(f"{__name__}.{_name}")


def explanation(timeline: Timeline, step: int) -> str | None:
    """Why a `Failed` step failed and what mends it; None where this is no mistake that is known."""
    found = _found(timeline, step)
    return None if found is None else found.text


def cause(timeline: Timeline, step: int) -> int | None:
    """The step that made a failure inevitable (the in-place operation, the first backward), where that is known."""
    event = timeline.event(step)
    if not isinstance(event, Failed):
        return None
    if event.cause is not None:
        return step - event.cause if 0 < event.cause < step else None
    found = _found(timeline, step)
    return None if found is None else found.cause


def _found(timeline: Timeline, step: int) -> Diagnosis | None:
    event = timeline.event(step)
    if not isinstance(event, Failed) or (timeline.cut is not None and timeline.cut < step):
        return None  # what led to it may not be in the recording
    scene = FailureContext(timeline, step, event)
    if scene.raised_by_hand:
        return None
    for error, pattern, explain in MISTAKES:
        match = pattern.search(event.message) if event.error == error else None
        found = explain(scene, match) if match is not None else None
        if found is not None:
            return found if isinstance(found, Diagnosis) else Diagnosis(found)
    return None
