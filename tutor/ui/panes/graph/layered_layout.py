"""The graph in layers: who stands in which, in which order, and at which column.

Longest path from the inputs down, so that every edge points down; what has no inputs of its own is pulled down to the
first that uses it. An edge over several layers gets a place to pass through in each between them, one for all edges of
the same source. Lines stand in even columns only, so that a blank or a dash is left on either side of each.

The lines between two layers: where each turns, so that they can be told apart.

All that goes down from one spot is one line that forks. A line runs down from its spot, along one row (its track), and
down again to its ends. Two lines share a track only where they do not meet, and no two stand above one another in a
column; where that cannot be (each would have to be above the other) one takes a way round. So a line that runs into
another at a right angle always crosses it, drawn as `─│─`; a join has a sign of its own (`┴ ┬ ├ ┤ ┼`)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, floor
from typing import NamedTuple

_SWEEPS = 6


class Spot(NamedTuple):
    """A place in a layer: of a node, or for the edges of a node to pass through."""

    node: int
    layer: int
    passing: bool = False


@dataclass(frozen=True)
class Layers:
    """The layers of a graph from the top, each from left to right, and the edges from layer to layer."""

    layers: tuple[tuple[Spot, ...], ...]
    down: Mapping[Spot, tuple[Spot, ...]]
    """By spot: those in the next layer that its edges lead to; twice the same for two edges."""
    up: Mapping[Spot, tuple[Spot, ...]]


def depths(nodes: Sequence[int], edges: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The layer of each node; the nodes come in order, inputs first."""
    inputs: dict[int, list[int]] = {node: [] for node in nodes}
    users: dict[int, list[int]] = {node: [] for node in nodes}
    for source, to in edges:
        inputs[to].append(source)
        users[source].append(to)
    depth: dict[int, int] = {}
    for node in nodes:
        depth[node] = 1 + max((depth[source] for source in inputs[node]), default=-1)
    for node in nodes:
        if not inputs[node] and users[node]:
            depth[node] = min(depth[user] for user in users[node]) - 1
    return depth


def arrange(nodes: Sequence[int], edges: Sequence[tuple[int, int]]) -> Layers:
    """Nodes and edges in layers, with few crossings."""
    depth = depths(nodes, edges)
    layers: list[list[Spot]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    down: dict[Spot, list[Spot]] = {}
    up: dict[Spot, list[Spot]] = {}
    for node in nodes:
        layers[depth[node]].append(Spot(node, depth[node]))
    deepest: dict[int, int] = {}
    for source, to in edges:
        deepest[source] = max(deepest.get(source, 0), depth[to])
    for source, last in deepest.items():
        above = Spot(source, depth[source])
        for layer in range(depth[source] + 1, last):
            spot = Spot(source, layer, passing=True)
            layers[layer].append(spot)
            down.setdefault(above, []).append(spot)
            up[spot] = [above]
            above = spot
    for source, to in edges:
        layer = depth[to] - 1
        above = Spot(source, layer, passing=layer > depth[source])
        below = Spot(to, layer + 1)
        down.setdefault(above, []).append(below)
        up.setdefault(below, []).append(above)
    ordered = _with_few_crossings(layers, down, up)
    return Layers(
        tuple(tuple(layer) for layer in ordered),
        {spot: tuple(spots) for spot, spots in down.items()},
        {spot: tuple(spots) for spot, spots in up.items()},
    )


def _with_few_crossings(
    layers: list[list[Spot]], down: Mapping[Spot, Sequence[Spot]], up: Mapping[Spot, Sequence[Spot]]
) -> list[list[Spot]]:
    """The layers in the best order that a few sweeps, down and up, come by."""
    layers = [list(layer) for layer in layers]
    best, fewest = [list(layer) for layer in layers], _crossings(layers, down)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        downward = sweep % 2 == 0
        beside = up if downward else down
        order = range(1, len(layers)) if downward else range(len(layers) - 2, -1, -1)
        for at in order:
            place = {spot: index for index, spot in enumerate(layers[at - 1 if downward else at + 1])}
            own = {spot: index for index, spot in enumerate(layers[at])}
            middle = {
                spot: sum(place[other] for other in beside[spot]) / len(beside[spot]) if spot in beside else own[spot]
                for spot in layers[at]
            }
            layers[at].sort(key=middle.__getitem__)
        count = _crossings(layers, down)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    return best


def _crossings(layers: Sequence[Sequence[Spot]], down: Mapping[Spot, Sequence[Spot]]) -> int:
    found = 0
    for upper, lower in pairwise(layers):
        place = {spot: index for index, spot in enumerate(lower)}
        seen: list[int] = []
        for spot in upper:
            ends = sorted(place[other] for other in down.get(spot, ()))
            for end in ends:
                found += len(seen) - bisect_left(seen, end + 1)
            for end in ends:
                insort(seen, end)
    return found


def columns(found: Layers, box: int, gap: int) -> dict[Spot, int]:
    """The column of the middle of each spot, even, for boxes so wide (odd) and so far apart (odd)."""
    half = box // 2
    at: dict[Spot, float] = {}
    for layer in found.layers:
        at.update(zip(layer, _spread(layer, [(0.0, 1.0)] * len(layer), half, gap), strict=True))
    for sweep in range(_SWEEPS + 1):
        downward = sweep % 2 == 0
        ahead, behind = (found.up, found.down) if downward else (found.down, found.up)
        for layer in found.layers if downward else reversed(found.layers):
            wishes = []
            for spot in layer:
                near = ahead.get(spot) or behind.get(spot) or (spot,)
                # Who hangs on what is placed already goes before who can stand anywhere; long lines are straight.
                weight = (1.0 if spot in ahead else 0.1) * (100.0 if spot.passing else 1.0)
                wishes.append((sum(at[other] for other in near) / len(near), weight))
            at.update(zip(layer, _spread(layer, wishes, half, gap), strict=True))
    for layer in reversed(found.layers):  # last, what has no inputs goes to where its consumers stand now
        wishes = []
        for spot in layer:
            near = (spot,) if spot in found.up else found.down.get(spot, (spot,))
            wishes.append((sum(at[other] for other in near) / len(near), 1000.0 if spot in found.up else 1.0))
        at.update(zip(layer, _spread(layer, wishes, half, gap), strict=True))
    first = min((column - (0 if spot.passing else half) for spot, column in at.items()), default=0)
    shift = 2 * ceil(-first / 2)
    return {spot: int(column) + shift for spot, column in at.items()}


def _spread(layer: Sequence[Spot], wishes: Sequence[tuple[float, float]], half: int, gap: int) -> list[int]:
    """Even columns as near as possible to those wished for (with a weight), in this order and with room between:
    blocks that touch are put where the mean of their wishes lies."""
    offsets = [0]
    for left, right in pairwise(layer):
        room = (0 if left.passing else half) + (0 if right.passing else half) + 1
        room += 3 if left.passing and right.passing else 1 if left.passing or right.passing else gap
        offsets.append(offsets[-1] + room + room % 2)
    blocks: list[list[float]] = []  # sum of wishes, weight, how many
    for (wish, weight), offset in zip(wishes, offsets, strict=True):
        blocks.append([(wish - offset) * weight, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, heavy, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += heavy
            blocks[-1][2] += count
    bases = [2 * floor(total / heavy / 2 + 0.5) for total, heavy, count in blocks for _ in range(int(count))]
    return [base + offset for base, offset in zip(bases, offsets, strict=True)]


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
