"""The lines between two layers: where each turns, so that they can be told apart.

All that goes down from one spot is one line that forks. A line runs down from its spot, along one row (its track), and
down again to its ends. Two lines share a track only where they do not meet, and no two stand above one another in a
column; where that cannot be (each would have to be above the other) one takes a way round. So a line that runs into
another at a right angle always crosses it, drawn as `─│─`; a join has a sign of its own (`┴ ┬ ├ ┤ ┼`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8


@dataclass
class _Line:
    """A line, or a part of one: from one column above to some below."""

    start: int
    ends: list[int]
    above: set[int] = field(default_factory=set)
    """Which lines must turn in a higher row."""
    track: int = -1
    goes_on: _Line | None = None
    """The line that this one is the rest of, where that takes a way round."""

    @property
    def low(self) -> int:
        return min(self.start, *self.ends)

    @property
    def high(self) -> int:
        return max(self.start, *self.ends)


class Channel(NamedTuple):
    """What is drawn between two layers."""

    rows: tuple[dict[int, int], ...]
    """The tracks, each by column: the strokes that meet there. The row of the arrows below them is not among them."""


def ports(middle: int, box: int, count: int) -> list[int]:
    """The columns at which so many lines enter a box, spread evenly; there must be room (`most_ports`)."""
    reach = (box // 2 - 1) // 2 * 2
    free = list(range(middle - reach, middle + reach + 1, 2))
    return [free[int((index + 0.5) * len(free) / count)] for index in range(count)]


def most_ports(box: int) -> int:
    """How many lines can enter a box."""
    return (box // 2 - 1) // 2 * 2 + 1


def route(lines: Mapping[int, Sequence[int]]) -> Channel:
    """The way of each line, from its column above to those below. No column below is given twice."""
    straight = [column for column, ends in lines.items() if list(ends) == [column]]
    parts = [_Line(column, list(ends)) for column, ends in lines.items() if list(ends) != [column]]
    by_start = {part.start: index for index, part in enumerate(parts)}
    for index, part in enumerate(parts):
        part.above = {by_start[end] for end in part.ends if end in by_start} - {index}
    taken = set(lines) | {end for ends in lines.values() for end in ends}
    count = _turn(parts, taken)
    rows: list[dict[int, int]] = [{} for _ in range(count)]
    for part in parts:
        row = rows[part.track]
        for column in range(part.low, part.high + 1):
            row[column] = (LEFT if column > part.low else 0) | (RIGHT if column < part.high else 0)
        row[part.start] |= UP
        for end in part.ends:
            row[end] |= DOWN
    passed_on = {(part.goes_on.track, part.start) for part in parts if part.goes_on is not None}
    for column in straight:
        _fall(rows, column, 0, count)
    for part in parts:
        _fall(rows, part.start, 0 if part.goes_on is None else part.goes_on.track + 1, part.track)
        for end in part.ends:
            if (part.track, end) not in passed_on:
                _fall(rows, end, part.track + 1, count)
    return Channel(tuple(rows))


def _fall(rows: list[dict[int, int]], column: int, first: int, last: int) -> None:
    """A line goes straight down; what it meets passes under it."""
    for row in rows[first:last]:
        row[column] = UP | DOWN


def _turn(parts: list[_Line], taken: set[int]) -> int:
    """Give each line its track; how many there are."""
    waiting = set(range(len(parts)))
    track = 0
    while waiting:
        ready = sorted((index for index in waiting if not parts[index].above & waiting), key=lambda i: parts[i].low)
        if not ready:
            waiting.add(_go_round(parts, waiting, taken))
            continue
        reached = None
        for index in ready:
            part = parts[index]
            if reached is None or part.low >= reached + 2:
                part.track, reached = track, part.high
                waiting.discard(index)
        track += 1
    return track


def _go_round(parts: list[_Line], waiting: set[int], taken: set[int]) -> int:
    """Every line waits for another: one goes down in a free column first, and from there to the ends that wait."""
    index = min(waiting, key=lambda i: (len(parts[i].above & waiting), i))
    part = parts[index]
    starts = {parts[other].start for other in part.above & waiting}
    late = [end for end in part.ends if end in starts]
    around = late[0]
    free = next(
        column
        for distance in range(2, 2 * len(taken) + 4, 2)
        for column in (around + distance, around - distance)
        if column >= 0 and column not in taken
    )
    taken.add(free)
    blocking = part.above & waiting
    part.ends = [end for end in part.ends if end not in starts] + [free]
    part.above -= blocking
    parts.append(_Line(free, late, blocking | {index}, goes_on=part))
    return len(parts) - 1
