"""Layered layout of the graph: the layer, the order and the column of each node, and the routes of the edges.

Layers are longest paths from the inputs, so that every edge points down; a node without inputs is pulled down to its
first consumer. An edge over several layers gets a dummy spot in each layer between, shared by all edges of the same
source (Sugiyama, Tagawa and Toda, 1981). Edges are in even columns only, which leaves a cell on either side of each.

Between two layers, all edges from one spot are a single line that forks. It runs down, along one row (its track), and
down again to its ends. Two lines share a track only if they do not touch, and none lies above another in a column; if
each of two would have to be above the other, one takes a detour. So lines cross at right angles, drawn as `─│─`, and
joins have characters of their own (`┴ ┬ ├ ┤ ┼`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, floor
from typing import NamedTuple

_SWEEPS = 6


# ------------------------------------------------------------ layers and their order


class Spot(NamedTuple):
    """A position in a layer: of a node, or a dummy that edges of a node pass through."""

    node: int
    layer: int
    passing: bool = False


@dataclass(frozen=True)
class Layers:
    """The layers from top to bottom, each ordered from left to right, and the edges between adjacent layers."""

    layers: tuple[tuple[Spot, ...], ...]
    down: Mapping[Spot, tuple[Spot, ...]]
    """By spot: the spots in the next layer that its edges lead to; two edges give the same spot twice."""
    up: Mapping[Spot, tuple[Spot, ...]]
    """By spot: the spots in the previous layer."""


def depths(nodes: Sequence[int], edges: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Return the layer of each node; `nodes` are ordered, inputs first."""
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


def arrange_layers(nodes: Sequence[int], edges: Sequence[tuple[int, int]]) -> Layers:
    """Assign nodes to layers, and order each layer so that few edges cross."""
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
    ordered = _order_layers(layers, down, up)
    return Layers(
        tuple(tuple(layer) for layer in ordered),
        {spot: tuple(spots) for spot, spots in down.items()},
        {spot: tuple(spots) for spot, spots in up.items()},
    )


def _order_layers(
    layers: list[list[Spot]], down: Mapping[Spot, Sequence[Spot]], up: Mapping[Spot, Sequence[Spot]]
) -> list[list[Spot]]:
    """Order the nodes of each layer by a few barycentre sweeps, down and up, and return the best order found."""
    layers = [list(layer) for layer in layers]
    best, fewest = [list(layer) for layer in layers], _crossings(layers, down)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        downward = sweep % 2 == 0
        neighbours = up if downward else down
        order = range(1, len(layers)) if downward else range(len(layers) - 2, -1, -1)
        for depth in order:
            positions = {spot: index for index, spot in enumerate(layers[depth - 1 if downward else depth + 1])}
            current = {spot: index for index, spot in enumerate(layers[depth])}
            barycentre: dict[Spot, float] = {}
            for spot, index in current.items():
                near = neighbours.get(spot)
                barycentre[spot] = sum(positions[other] for other in near) / len(near) if near is not None else index
            layers[depth].sort(key=barycentre.__getitem__)
        count = _crossings(layers, down)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    return best


def _crossings(layers: Sequence[Sequence[Spot]], down: Mapping[Spot, Sequence[Spot]]) -> int:
    """Return the number of edges that cross between adjacent layers."""
    count = 0
    for upper, lower in pairwise(layers):
        positions = {spot: index for index, spot in enumerate(lower)}
        placed_ends: list[int] = []
        for spot in upper:
            ends = sorted(positions[other] for other in down.get(spot, ()))
            for end in ends:
                count += len(placed_ends) - bisect_left(placed_ends, end + 1)
            for end in ends:
                insort(placed_ends, end)
    return count


# ------------------------------------------------------------ columns


def assign_columns(layers: Layers, box: int, gap: int) -> dict[Spot, int]:
    """Return the middle column of each spot, an even number.

    Args:
        layers: The ordered layers.
        box: The width of a box, odd.
        gap: The number of columns between boxes, odd.
    """
    half = box // 2
    column_of: dict[Spot, float] = {}
    for layer in layers.layers:
        column_of.update(zip(layer, _spread(layer, [(0.0, 1.0)] * len(layer), half, gap), strict=True))
    for sweep in range(_SWEEPS + 1):
        downward = sweep % 2 == 0
        ahead, behind = (layers.up, layers.down) if downward else (layers.down, layers.up)
        for layer in layers.layers if downward else reversed(layers.layers):
            targets = []
            for spot in layer:
                neighbours = ahead.get(spot) or behind.get(spot) or (spot,)
                # Spots tied to placed ones count more than free ones; long edges are straight.
                weight = (1.0 if spot in ahead else 0.1) * (100.0 if spot.passing else 1.0)
                targets.append((sum(column_of[other] for other in neighbours) / len(neighbours), weight))
            column_of.update(zip(layer, _spread(layer, targets, half, gap), strict=True))
    for layer in reversed(layers.layers):  # last, nodes without inputs move to their consumers
        targets = []
        for spot in layer:
            neighbours = (spot,) if spot in layers.up else layers.down.get(spot, (spot,))
            weight = 1000.0 if spot in layers.up else 1.0
            targets.append((sum(column_of[other] for other in neighbours) / len(neighbours), weight))
        column_of.update(zip(layer, _spread(layer, targets, half, gap), strict=True))
    first = min((column - (0 if spot.passing else half) for spot, column in column_of.items()), default=0)
    shift = 2 * ceil(-first / 2)
    return {spot: int(column) + shift for spot, column in column_of.items()}


def _spread(layer: Sequence[Spot], targets: Sequence[tuple[float, float]], half: int, gap: int) -> list[int]:
    """Return even columns, as near as possible to their targets, in this order and far enough apart.

    Blocks of adjacent spots are placed at the weighted mean of their targets (pool adjacent violators).

    Args:
        layer: The spots of a layer.
        targets: A target column and its weight for each.
        half: Half the width of a box.
        gap: The number of columns between boxes.
    """
    offsets = [0]
    for left, right in pairwise(layer):
        room = (0 if left.passing else half) + (0 if right.passing else half) + 1
        room += 3 if left.passing and right.passing else 1 if left.passing or right.passing else gap
        offsets.append(offsets[-1] + room + room % 2)
    blocks: list[list[float]] = []  # weighted sum of targets, sum of weights, number of spots
    for (target, weight), offset in zip(targets, offsets, strict=True):
        blocks.append([(target - offset) * weight, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, total_weight, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += total_weight
            blocks[-1][2] += count
    bases = [2 * floor(total / weight / 2 + 0.5) for total, weight, count in blocks for _ in range(int(count))]
    return [base + offset for base, offset in zip(bases, offsets, strict=True)]


# ------------------------------------------------------------ routes between two layers


UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8


@dataclass
class _Line:
    """A line from one column above to some columns below, or a part of one."""

    start: int
    ends: list[int]
    above: set[int] = field(default_factory=set)
    """Indices of lines whose tracks must be higher."""
    track: int = -1
    detour_of: _Line | None = None
    """The line that this one continues, after a detour."""

    @property
    def low(self) -> int:
        return min(self.start, *self.ends)

    @property
    def high(self) -> int:
        return max(self.start, *self.ends)


class Tracks(NamedTuple):
    """The tracks between two layers."""

    rows: tuple[dict[int, int], ...]
    """By track, by column: the strokes that meet there. The row of arrows below is not included."""


def ports(middle: int, box: int, count: int) -> list[int]:
    """Return the columns at which `count` edges enter a box, evenly spread; at most `most_ports` fit."""
    reach = (box // 2 - 1) // 2 * 2
    free = list(range(middle - reach, middle + reach + 1, 2))
    return [free[int((index + 0.5) * len(free) / count)] for index in range(count)]


def most_ports(box: int) -> int:
    """Return how many edges can enter a box."""
    return (box // 2 - 1) // 2 * 2 + 1


def route_edges(lines: Mapping[int, Sequence[int]]) -> Tracks:
    """Route each line from its column above to its columns below; no column below occurs twice."""
    straight = [column for column, ends in lines.items() if list(ends) == [column]]
    parts = [_Line(column, list(ends)) for column, ends in lines.items() if list(ends) != [column]]
    by_start = {part.start: index for index, part in enumerate(parts)}
    for index, part in enumerate(parts):
        part.above = {by_start[end] for end in part.ends if end in by_start} - {index}
    used = set(lines) | {end for ends in lines.values() for end in ends}
    count = _assign_tracks(parts, used)
    rows: list[dict[int, int]] = [{} for _ in range(count)]
    for part in parts:
        row = rows[part.track]
        for column in range(part.low, part.high + 1):
            row[column] = (LEFT if column > part.low else 0) | (RIGHT if column < part.high else 0)
        row[part.start] |= UP
        for end in part.ends:
            row[end] |= DOWN
    passed_on = {(part.detour_of.track, part.start) for part in parts if part.detour_of is not None}
    for column in straight:
        _draw_down(rows, column, 0, count)
    for part in parts:
        _draw_down(rows, part.start, 0 if part.detour_of is None else part.detour_of.track + 1, part.track)
        for end in part.ends:
            if (part.track, end) not in passed_on:
                _draw_down(rows, end, part.track + 1, count)
    return Tracks(tuple(rows))


def _draw_down(rows: list[dict[int, int]], column: int, first: int, last: int) -> None:
    """Draw a vertical stroke; it crosses what is there."""
    for row in rows[first:last]:
        row[column] = UP | DOWN


def _assign_tracks(parts: list[_Line], used: set[int]) -> int:
    """Assign a track to each line; return the number of tracks."""
    waiting = set(range(len(parts)))
    track = 0
    while waiting:
        ready = sorted((index for index in waiting if not parts[index].above & waiting), key=lambda i: parts[i].low)
        if not ready:
            waiting.add(_add_detour(parts, waiting, used))
            continue
        reached = None
        for index in ready:
            part = parts[index]
            if reached is None or part.low >= reached + 2:
                part.track, reached = track, part.high
                waiting.discard(index)
        track += 1
    return track


def _add_detour(parts: list[_Line], waiting: set[int], used: set[int]) -> int:
    """Break a cycle: lead one line down a free column first, and from there to the ends that must wait."""
    index = min(waiting, key=lambda i: (len(parts[i].above & waiting), i))
    part = parts[index]
    starts = {parts[other].start for other in part.above & waiting}
    late = [end for end in part.ends if end in starts]
    near = late[0]
    free = next(
        column
        for distance in range(2, 2 * len(used) + 4, 2)
        for column in (near + distance, near - distance)
        if column >= 0 and column not in used
    )
    used.add(free)
    blocking = part.above & waiting
    part.ends = [end for end in part.ends if end not in starts] + [free]
    part.above -= blocking
    parts.append(_Line(free, late, blocking | {index}, detour_of=part))
    return len(parts) - 1
