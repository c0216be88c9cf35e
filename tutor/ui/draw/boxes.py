"""The graph as boxes in layers, with lines between them: where everything stands, before it is characters.

Nothing here looks at values: they change from step to step, and must not move the drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tutor.ui.draw.layers import Layers, Spot, columns
from tutor.ui.draw.routes import DOWN, UP, most_ports, ports, route

MOST = 400
"""How many nodes are drawn as boxes at most."""


class Shape(NamedTuple):
    """How large the boxes are, and how far apart they stand."""

    width: int
    gap: int
    height: int
    """3 rows, or 2 where there is little room."""


class Box(NamedTuple):
    """Where a box stands: its top left corner."""

    node: int
    x: int
    y: int


class Arrow(NamedTuple):
    """Where an edge enters a box."""

    x: int
    edge: int
    """Which edge, by its place in the list."""
    room: int
    """How many cells there are beside it for its share."""


class Note(NamedTuple):
    """A word beside the boxes."""

    x: int
    y: int
    room: int
    text: str


@dataclass(frozen=True)
class Picture:
    """Boxes and lines."""

    shape: Shape
    width: int
    height: int
    boxes: Mapping[int, Box]
    rows: Sequence[Sequence[Box]]
    """By row: the boxes that take part in it."""
    strokes: Sequence[Mapping[int, int]]
    """By row, by column: the strokes that meet there."""
    arrows: Sequence[Sequence[Arrow]]
    """By row."""
    notes: tuple[Note, ...] = ()


def picture(found: Layers, edges: Sequence[tuple[int, int]], shape: Shape) -> Picture | None:
    """The boxes and lines of a graph in layers; None where more lines enter a box than it has room for."""
    if any(len(above) > most_ports(shape.width) for spot, above in found.up.items() if not spot.passing):
        return None
    at = columns(found, shape.width, shape.gap)
    half = shape.width // 2
    numbers: dict[tuple[int, int], list[int]] = {}
    for number, edge in reversed(list(enumerate(edges))):
        numbers.setdefault(edge, []).append(number)
    boxes: dict[int, Box] = {}
    rows: list[list[Box]] = []
    strokes: list[dict[int, int]] = []
    arrows: list[list[Arrow]] = []
    for depth, layer in enumerate(found.layers):
        if depth:
            lines, entering = _channel(found, layer, at, shape, numbers)
            tracks = route(lines).rows
            strokes += [*tracks, {at[spot]: UP | DOWN for spot in layer if spot.passing}]
            arrows += [*([] for _ in tracks), entering]
            rows += [[] for _ in range(len(tracks) + 1)]
        here = [Box(spot.node, at[spot] - half, len(rows)) for spot in layer if not spot.passing]
        boxes.update({box.node: box for box in here})
        rows += [here] * shape.height
        strokes += [{at[spot]: UP | DOWN for spot in layer if spot.passing}] * shape.height
        arrows += [[]] * shape.height
    width = max((box.x + shape.width for box in boxes.values()), default=0)
    width = max(width, 1 + max((max(row) for row in strokes if row), default=0))
    return Picture(shape, width, len(rows), boxes, rows, strokes, arrows)


def _channel(
    found: Layers,
    layer: Sequence[Spot],
    at: Mapping[Spot, int],
    shape: Shape,
    numbers: dict[tuple[int, int], list[int]],
) -> tuple[dict[int, list[int]], list[Arrow]]:
    """The lines that come down to a layer, and the arrows at their ends."""
    lines: dict[int, list[int]] = {}
    arrows: list[Arrow] = []
    for spot in layer:
        above = sorted(found.up.get(spot, ()), key=at.__getitem__)
        if spot.passing:
            lines.setdefault(at[above[0]], []).append(at[spot])
            continue
        doors = ports(at[spot], shape.width, len(above)) if above else []
        ends = [*doors[1:], at[spot] + shape.width // 2 + 1]
        for source, door, end in zip(above, doors, ends, strict=False):
            lines.setdefault(at[source], []).append(door)
            arrows.append(Arrow(door, numbers[source.node, spot.node].pop(), end - door - 1))
    return lines, arrows
