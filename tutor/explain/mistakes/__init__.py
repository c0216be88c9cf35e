"""Say in plain words what went wrong, with the names of the learner's code.

Each module has mistakes of one topic, and registers them: `registry` says how, and `context` has what a mistake can ask
of the recording.
"""

from __future__ import annotations

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.registry import diagnose_failure, scan
from tutor.trace.events import Failed
from tutor.trace.timeline import Timeline

__all__ = ["cause", "explanation"]

scan(__name__)


def explanation(timeline: Timeline, step: int) -> str | None:
    """Return why a `Failed` step failed and how to fix it; None if the mistake is not known."""
    diagnosis = diagnose_failure(timeline, step)
    return None if diagnosis is None else sentences([diagnosis.sentence, diagnosis.fix])


def cause(timeline: Timeline, step: int) -> int | None:
    """Return the step that made a failure inevitable (the in-place operation, the first backward); None if unknown."""
    event = timeline.event(step)
    if not isinstance(event, Failed):
        return None
    if event.cause is not None:
        return step - event.cause if 0 < event.cause < step else None
    diagnosis = diagnose_failure(timeline, step)
    return None if diagnosis is None else diagnosis.step
