"""Walking a recording: from a step to the one that a key leads to, or None where there is none.

All of it looks at columns only, by searches that run in C, so that a recording of a million steps answers at once.
`step` may be 0, before the first. Steps that go from frame to frame know frames by how deep they are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tutor.trace.columns import KIND_NUMBERS, NO_STOP, first_at_most, last_at_most

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

LINE, OP = KIND_NUMBERS["line"], KIND_NUMBERS["op"]
_IN_PASS = {KIND_NUMBERS[kind] for kind in ("backward", "node", "accumulate", "captured", "retained", "hook")}


def forward(timeline: Timeline, step: int, inside: int | None = None) -> int | None:
    """The next step, over operations deeper in torch's composites than `inside` (as deep as this step, if None)."""
    found = first_at_most(timeline.columns.depths, _depth(timeline, step) if inside is None else inside, step)
    return None if found is None else found + 1


def back(timeline: Timeline, step: int, inside: int | None = None) -> int | None:
    """The step before, by the same rule; 0, before the first step, is not led to."""
    return timeline.columns.back(step, inside)


def next_line(timeline: Timeline, step: int) -> int | None:
    """The next statement of this frame or of one around it; also the end of a cell, and a failure."""
    found = first_at_most(timeline.columns.stops, _frames(timeline, step), step)
    return None if found is None else found + 1


def previous_line(timeline: Timeline, step: int) -> int | None:
    """The last such statement before; from within a statement, its beginning."""
    found = last_at_most(timeline.columns.stops, _frames(timeline, step), step - 1)
    return None if found is None else found + 1


def into(timeline: Timeline, step: int) -> int | None:
    """Into what this step does: a function of the learner's, a composite of torch's, a backward pass."""
    columns = timeline.columns
    if not 1 <= step < len(columns):
        return None
    frames, depth = columns.frame_depths[step - 1], columns.depths[step - 1]
    if columns.kinds[step - 1] == KIND_NUMBERS["backward"]:
        return step + 1
    end = next_line(timeline, step) or len(columns) + 1
    for place in range(step, min(end - 1, step + _REACH)):
        if columns.frame_depths[place] > frames or columns.depths[place] > depth:
            return place + 1
    if columns.kinds[step - 1] == OP:  # what a composite is made of comes before its own operation
        first = step
        while first > 1 and columns.depths[first - 2] > depth:
            first -= 1
        return first if first < step else None
    return None


def out(timeline: Timeline, step: int) -> int | None:
    """Out of the composite, the backward pass or the function that this step is in."""
    columns = timeline.columns
    if not 1 <= step <= len(columns):
        return None
    if columns.depths[step - 1]:
        return forward(timeline, step, columns.depths[step - 1] - 1)
    if columns.kinds[step - 1] in _IN_PASS:
        info = timeline.pass_of(step)
        return None if info is None else info.end_step
    frames = columns.frame_depths[step - 1]
    if frames <= 1:
        return None
    found = first_at_most(columns.stops, frames - 1, step)
    limit = len(columns) if found is None else found
    for place in range(step, min(limit, step + _REACH)):  # an operation of the caller's comes before its next line
        if columns.frame_depths[place] < frames:
            return place + 1
    return None if found is None else found + 1


def next_cell(timeline: Timeline, step: int) -> int | None:
    """The start of the next code cell."""
    return _after([cell.start for cell in timeline.cells], step)


def previous_cell(timeline: Timeline, step: int) -> int | None:
    """The start of this code cell, or from there of the one before."""
    return _before([cell.start for cell in timeline.cells], step)


def next_pass(timeline: Timeline, step: int) -> int | None:
    """The start of the next backward pass."""
    return _after([info.start_step for info in timeline.passes], step)


def previous_pass(timeline: Timeline, step: int) -> int | None:
    """The start of the last backward pass before this step."""
    return _before([info.start_step for info in timeline.passes], step)


def next_iteration(timeline: Timeline, step: int) -> int | None:
    """Where the next turn of the loop around this step begins: its body's first statement. Outside of loops it is the
    first turn of the one that comes next."""
    turns = _turns(timeline, step) or sorted(turns[0] for turns in timeline.contents.turns.values())
    found = _after(turns, step)
    return found if found is not None and found <= timeline.steps else None


def previous_iteration(timeline: Timeline, step: int) -> int | None:
    """Where the turn before this one begins. Outside of loops it is the last turn of all before this step."""
    turns = _turns(timeline, step)
    if not turns:
        before = (_before(turns, step) for turns in timeline.contents.turns.values())
        return max((found for found in before if found is not None), default=None)
    place = bisect_right(turns, step) - 2
    return turns[place] if place >= 0 else None


_REACH = 200_000
"""How far `into` and `out` look, step by step."""


def _turns(timeline: Timeline, step: int) -> Sequence[int]:
    """The turns of the innermost loop around a step."""
    if not 1 <= step <= timeline.steps:
        return ()
    for frame in reversed(timeline.state(step).frames):
        if frame.iterations:
            return timeline.contents.turns.get(next(reversed(frame.iterations)), ())
    return ()


def _depth(timeline: Timeline, step: int) -> int:
    depths = timeline.columns.depths
    return depths[step - 1] if 1 <= step <= len(depths) else 0


def _frames(timeline: Timeline, step: int) -> int:
    depths = timeline.columns.frame_depths
    return min(depths[step - 1], NO_STOP - 1) if 1 <= step <= len(depths) else 1


def _after(places: Sequence[int], step: int) -> int | None:
    place = bisect_right(places, step)
    return places[place] if place < len(places) else None


def _before(places: Sequence[int], step: int) -> int | None:
    place = bisect_left(places, step)
    return places[place - 1] if place else None
