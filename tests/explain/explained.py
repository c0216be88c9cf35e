"""An explanation on one line, as tests compare it."""

from __future__ import annotations

from tutor.explain import joined, lines
from tutor.explain.formatting import Part
from tutor.trace.timeline import Timeline


def line(timeline: Timeline, step: int) -> list[Part]:
    """Return what just ran, on one line."""
    return joined(lines(timeline, step).ran())
