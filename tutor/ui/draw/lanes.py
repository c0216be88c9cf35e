"""The lanes of the graph: one row per node in the order of execution, as `git log --graph` draws commits.

Time runs downward. A node starts a lane, or goes on in that of an input that nobody needs any more; a lane ends at its
last consumer. In a row all joins belong to the one node that stands in it:

    │   a lane passes, unconnected even where the node's line crosses it
    ┤ ├ ┼   the lane is an input of the node, and goes on
    ╯ ╰ ┴   the lane is an input of the node, and ends here
    a lane right above the node that reaches it is an input, too
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tutor.ui.draw.glyphs import Glyphs

PASS, GOES_ON, ENDS, NODE, LINE = "pass", "goes on", "ends", "node", "line"


@dataclass(frozen=True)
class LaneRow:
    """What stands in each lane in the row of one node."""

    node: int
    at: int
    """The lane of the node."""
    marks: dict[int, str]
    """By lane: PASS, GOES_ON, ENDS; LINE where the node's line crosses an empty lane; NODE at the node itself."""


@dataclass(frozen=True)
class Lanes:
    """The drawing of a graph, before it is characters."""

    rows: tuple[LaneRow, ...]
    count: int
    """How many lanes there are at most."""


def layout(nodes: Sequence[int], edges: Iterable[tuple[int, int]]) -> Lanes:
    """The lanes of a graph whose nodes are given in order; an edge (a, b) says that b was computed from a."""
    place = {node: at for at, node in enumerate(nodes)}
    inputs: dict[int, set[int]] = {node: set() for node in nodes}
    last_use: dict[int, int] = {}
    for a, b in edges:
        if a in place and b in place and place[a] < place[b]:
            inputs[b].add(a)
            last_use[a] = max(last_use.get(a, 0), place[b])
    lanes: list[int | None] = []  # whose value each lane carries
    lane_of: dict[int, int] = {}
    rows = []
    resting: int | None = None  # a lane left free for one row, so that two unconnected nodes never touch
    for row, node in enumerate(nodes):
        joined = {lane_of[a]: a for a in inputs[node]}
        ending = sorted(lane for lane, a in joined.items() if last_use[a] == row)
        at = ending[0] if ending else _free(lanes, resting, joined)
        lanes.extend([None] * (at + 1 - len(lanes)))
        marks = {lane: PASS for lane, holder in enumerate(lanes) if holder is not None}
        for lane in joined:
            marks[lane] = ENDS if lane in ending else GOES_ON
        span = [*joined, at]
        for lane in range(min(span), max(span) + 1):
            marks.setdefault(lane, LINE)
        marks[at] = NODE
        rows.append(LaneRow(node, at, marks))
        for lane in ending:
            lanes[lane] = None
        resting = None
        if node in last_use:
            lanes[at], lane_of[node] = node, at
        else:
            lanes[at], resting = None, at
        while lanes and lanes[-1] is None:
            lanes.pop()
    return Lanes(tuple(rows), 1 + max((max(row.marks) for row in rows), default=-1))


def _free(lanes: list[int | None], resting: int | None, joined: Iterable[int]) -> int:
    """A lane for a node that takes over none: the free one nearest to its inputs, else the first."""
    free = [lane for lane, holder in enumerate(lanes) if holder is None and lane != resting]
    free.append(len(lanes) if resting != len(lanes) else len(lanes) + 1)
    near = list(joined) or [0]
    return min(free, key=lambda lane: (min(abs(lane - other) for other in near), lane))


def draw(row: LaneRow, mark: str, first: int, count: int, step: int, glyphs: Glyphs) -> str:
    """The characters of a row for `count` lanes from `first` on, `step` (1 or 2) columns each; `mark` is the node's."""
    joined = [lane for lane, what in row.marks.items() if what in (GOES_ON, ENDS)]
    low, high = min([*joined, row.at]), max([*joined, row.at])
    out = []
    for lane in range(first, first + count):
        out.append(_glyph(row, lane, low, high, mark, glyphs))
        if step == 2:
            out.append(glyphs.across if low <= lane < high else " ")
    return "".join(out)


def _glyph(row: LaneRow, lane: int, low: int, high: int, mark: str, glyphs: Glyphs) -> str:
    match row.marks.get(lane):
        case "node":
            return mark
        case "pass":
            return glyphs.down
        case "line":
            return glyphs.across
        case "goes on":
            inner = glyphs.join_both
            return glyphs.join_left if lane == high else glyphs.join_right if lane == low else inner
        case "ends":
            inner = glyphs.end_both
            return glyphs.bottom_right if lane == high else glyphs.bottom_left if lane == low else inner
        case _:
            return " "
