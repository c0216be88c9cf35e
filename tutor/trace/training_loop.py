"""The training loop of a recording, whose iterations are numbered in the time bar."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutor.trace.events import Skipped
from tutor.trace.index import LINE

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

_LEAST = 3
"""Fewest iterations of a loop that counts."""


@dataclass(frozen=True)
class TrainingLoop:
    """The iterations of a loop, up to what is recorded."""

    site: int
    """The site of its header."""
    starts: array[int]
    """The steps at which its iterations begin."""
    end: int | None
    """The first step after the loop; None while it runs, and where the recording ends in it."""

    numbers: list[int]
    """The numbers of these iterations, from 1: not all of them may be recorded."""
    last: int
    """The number of the last iteration, recorded or not."""

    def iteration(self, step: int) -> int:
        """Return the iteration that a step is in, from 1; 0 before the first, the last one after the loop."""
        place = bisect_right(self.starts, step)
        return self.numbers[place - 1] if place else 0


def find_training_loop(timeline: Timeline) -> TrainingLoop | None:
    """Return the loop with the most steps of those in which backward passes run; None where there is none.

    A loop that was entered again does not count: its iterations have no one number.
    """
    passes = timeline.passes
    best: TrainingLoop | None = None
    for site, starts in timeline.contents.iteration_starts.items():
        place = bisect_right(passes, starts[0], key=lambda info: info.start_step)
        has_pass = place < len(passes) and passes[place].start_step < starts[-1]
        longest = 0 if best is None else best.starts[-1] - best.starts[0]
        if len(starts) < _LEAST or not has_pass or starts[-1] - starts[0] <= longest:
            continue
        gaps = _gaps(timeline, site)
        is_entered_once = all(gap.count == gap.last - gap.first + 1 for _, gap in gaps)
        if is_entered_once and _was_entered_once(timeline, site, starts, sum(gap.count for _, gap in gaps)):
            numbers, left_out, waiting = [], 0, gaps[::-1]
            for place, start in enumerate(starts, 1):
                while waiting and waiting[-1][0] < start:
                    left_out += waiting.pop()[1].count
                numbers.append(place + left_out)
            last = numbers[-1] + sum(gap.count for _, gap in waiting)
            best = TrainingLoop(site, starts[:], _end(timeline, site, starts[-1]), numbers, last)
    return best


def _gaps(timeline: Timeline, loop: int) -> list[tuple[int, Skipped]]:
    """Return the steps that stand for iterations of a training loop which were not to be recorded, with their
    events."""
    sites = timeline.columns.sites
    events = [(step, timeline.event(step)) for step in timeline.columns.gaps() if sites[step - 1] == loop]
    return [(step, event) for step, event in events if isinstance(event, Skipped) and event.count]


def _was_entered_once(timeline: Timeline, site: int, starts: array[int], left_out: int) -> bool:
    """Return whether the last iteration has the number of all of them, with those that were left out."""
    columns = timeline.columns
    if sum(columns.iterations[start - 1] == 1 for start in starts if start <= len(columns)) <= 1:
        return True
    # The first statement of the iteration may be a loop itself, whose iteration is noted instead.
    frames = timeline.state(min(starts[-1], timeline.steps)).frames
    return any(frame.iterations.get(site) == len(starts) + left_out for frame in frames)


def _end(timeline: Timeline, loop: int, last: int) -> int | None:
    """Return the first statement outside of a loop after the beginning of its last iteration."""
    columns = timeline.columns
    if not 1 <= last <= len(columns):
        return None
    depth, step = columns.frame_depths[last - 1], last
    while (place := columns.kinds.find(LINE, step)) >= 0:
        step = place + 1
        is_out = columns.frame_depths[place] < depth
        if is_out or (
            columns.frame_depths[place] == depth and not timeline.definitions.inside(columns.sites[place], loop)
        ):
            return step
    run_end = timeline.run_end
    return timeline.steps if run_end is not None and run_end.outcome == "ok" else None
