"""Where an answer came from: the step of the run at which the value that a question asks for came to be."""

from __future__ import annotations

import re

from tutor.explain.live import live
from tutor.trace.events import Answer
from tutor.trace.places import PlaceError, resolve
from tutor.trace.timeline import Timeline

_REACH = 400
"""So many steps back it is looked for."""
_NAMES = re.compile(r"[A-Za-z_]\w*(?:\.\w+\b(?!\()|\[[^\]]*\])*(?:\.(?:item|tolist)\(\))?")


def came_at(timeline: Timeline, expression: str, step: int) -> int | None:
    """The step at which the first thing that an expression speaks of got the value that it has after `step`; None where
    that is not to be told: it speaks of nothing that is known, it had the value before its cell, or all too long."""
    known = timeline.state(step)
    name = next((found for found in _NAMES.findall(expression) if live(known, found) is not None), None)
    cell = timeline.cell(step)
    start = next((info.start for info in timeline.cells if info.cell == cell), 0)
    if name is None:
        return None
    value = live(known, name)
    for at in range(step, max(start, step - _REACH), -1):
        if live(timeline.state(at - 1), name) != value:
            return at
    return None


def ran_at(timeline: Timeline, answer: Answer) -> int | None:
    """Of a question "which line?": the last step of the statement's run that made the condition true."""
    try:
        return resolve(timeline, f"line:{answer.value}#{answer.count}")
    except PlaceError:  # it was cut short, or is not in the recording
        return None
