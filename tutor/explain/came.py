"""Where an answer came from: the step of the run at which the value that a question asks for came to be."""

from __future__ import annotations

import re

from tutor.explain.live import live
from tutor.trace.events import Answer
from tutor.trace.navigation import PlaceError, resolve
from tutor.trace.timeline import Timeline

_REACH = 400
"""So many steps back it is looked for."""
_NAMES = re.compile(r"[A-Za-z_]\w*(?:\.\w+\b(?!\()|\[[^\]]*\])*(?:\.(?:item|tolist)\(\))?")


def came_at(timeline: Timeline, expression: str, step: int) -> int | None:
    """The step at which the things that an expression speaks of got the values that they have after `step`: the last
    that changed one of them. None where that is not to be told: nothing is known of them, they had their values before
    the cell, or all too long."""
    known = timeline.state(step)
    names = [name for name in dict.fromkeys(_NAMES.findall(expression)) if live(known, name) is not None]
    cell = timeline.cell(step)
    start = next((info.start for info in timeline.cells if info.cell == cell), 0)
    values = [live(known, name) for name in names]
    for at in range(step, max(start, step - _REACH), -1):
        before = timeline.state(at - 1)
        if [live(before, name) for name in names] != values:
            return at
    return None


def ran_at(timeline: Timeline, answer: Answer) -> int | None:
    """Of a question "which line?": the last step of the statement's run that made the condition true."""
    try:
        return resolve(timeline, f"line:{answer.value}#{answer.count}")
    except PlaceError:  # it was cut short, or is not in the recording
        return None
