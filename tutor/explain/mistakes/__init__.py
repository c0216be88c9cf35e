"""Explain failures in plain words, with the names of the learner's code.

Each module registers functions that explain exceptions of one kind with `@mistake(error, pattern)`; `context` has what
they can ask of the recording. `silent` finds mistakes that raise no exception.
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
    """Return why a `Failed` step failed and how to fix it; None if the mistake is not known."""
    diagnosis = _diagnose(timeline, step)
    return None if diagnosis is None else diagnosis.text


def cause(timeline: Timeline, step: int) -> int | None:
    """Return the step that made a failure inevitable (the in-place operation, the first backward); None if unknown."""
    event = timeline.event(step)
    if not isinstance(event, Failed):
        return None
    if event.cause is not None:
        return step - event.cause if 0 < event.cause < step else None
    diagnosis = _diagnose(timeline, step)
    return None if diagnosis is None else diagnosis.cause


def _diagnose(timeline: Timeline, step: int) -> Diagnosis | None:
    """Return the first explanation whose pattern matches and that applies; None if there is none."""
    event = timeline.event(step)
    if not isinstance(event, Failed) or (timeline.cut is not None and timeline.cut < step):
        return None  # what led to it may not be in the recording
    context = FailureContext(timeline, step, event)
    if context.is_raised_by_user:
        return None
    for error, pattern, explain in MISTAKES:
        match = pattern.search(event.message) if event.error == error else None
        result = explain(context, match) if match is not None else None
        if result is not None:
            return result if isinstance(result, Diagnosis) else Diagnosis(result)
    return None
