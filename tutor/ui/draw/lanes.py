"""The lanes of the graph: one row per node in the order of execution, as `git log --graph` draws commits.

Time runs downward. A node starts a lane, or goes on in that of an input that nobody needs any more; a lane ends at its
last consumer. In a row all joins belong to the one node that stands in it:

    │   a lane passes, unconnected even where the node's line crosses it
    ┤ ├ ┼   the lane is an input of the node, and goes on
    ╯ ╰ ┴   the lane is an input of the node, and ends here
    ╡ ╞ ╪ ╛ ╘ ╧   the same, and it is an input more than once
    a lane right above the node that reaches it is an input, too
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tutor.ui.draw.glyphs import Glyphs

PASS, GOES_ON, ENDS, NODE, LINE = "pass", "goes on", "ends", "node", "line"


@dataclass(frozen=True)
class LaneRow:
    """What stands in some of the lanes in the row of one node."""

    at: int
    """The lane of the node."""
    low: int
    high: int
    """From where to where its line goes."""
    marks: dict[int, str]
    """By lane: PASS, GOES_ON, ENDS; LINE where the node's line crosses an empty lane; NODE at the node itself."""
    double: frozenset[int] = frozenset()
    """The lanes that are an input more than once."""


@dataclass
class Lanes:
    """The drawing of a graph, before it is characters: rows are made when they are asked for."""

    nodes: Sequence[int] = ()
    place: dict[int, int] = field(default_factory=dict)
    """By node: its row."""
    at: list[int] = field(default_factory=list)
    """By row: the lane of its node."""
    inputs: list[list[int]] = field(default_factory=list)
    """By row: the rows of what it was computed from, each once."""
    double: list[frozenset[int]] = field(default_factory=list)
    """By row: those of them that it was computed from more than once."""
    last: list[int] = field(default_factory=list)
    """By row: that of the last consumer; -1 where there is none."""
    starts: list[list[int]] = field(default_factory=list)
    """By lane: the rows whose nodes stand in it."""

    @property
    def count(self) -> int:
        """How many lanes there are at most."""
        return len(self.starts)

    def row(self, index: int, first: int = 0, count: int | None = None) -> LaneRow:
        """What stands in so many lanes from `first` on."""
        at, inputs = self.at[index], self.inputs[index]
        joined = {self.at[source] for source in inputs}
        low, high = min([*joined, at]), max([*joined, at])
        marks = {}
        for lane in range(first, self.count if count is None else min(first + count, self.count)):
            holder = self.holder(lane, index)
            if lane == at:
                marks[lane] = NODE
            elif holder is None:
                if low <= lane <= high:
                    marks[lane] = LINE
            elif lane in joined:
                marks[lane] = ENDS if self.last[holder] == index else GOES_ON
            else:
                marks[lane] = PASS
        return LaneRow(at, low, high, marks, frozenset(self.at[source] for source in self.double[index]))

    def holder(self, lane: int, index: int) -> int | None:
        """The row of the node whose value comes down to a row in a lane."""
        starts = self.starts[lane]
        before = bisect_left(starts, index) - 1
        return starts[before] if before >= 0 and self.last[starts[before]] >= index else None


def layout(nodes: Sequence[int], edges: Iterable[tuple[int, int]]) -> Lanes:
    """The lanes of a graph whose nodes are given in order; an edge (a, b) says that b was computed from a."""
    return grown(Lanes(), nodes, edges)


def grown(before: Lanes, nodes: Sequence[int], edges: Iterable[tuple[int, int]]) -> Lanes:
    """The lanes of a graph to which these nodes and edges were added at the end, each edge to one of these nodes."""
    first = len(before.nodes)
    place = {**before.place, **{node: row for row, node in enumerate(nodes, first)}}
    inputs: list[list[int]] = [*before.inputs, *([] for _ in nodes)]
    double = [*before.double, *(_NONE for _ in nodes)]
    last = [*before.last, *(-1 for _ in nodes)]
    for a, b in edges:
        source, row = place[a], place[b]
        if source in inputs[row]:
            double[row] |= {source}
            continue
        inputs[row].append(source)
        if last[source] < row:
            if source < first:  # from where its lane ended before, all may stand elsewhere
                first = min(first, max(last[source], source + 1))
            last[source] = row
    lanes = Lanes([*before.nodes, *nodes], place, before.at[:first], inputs, double, last)
    lanes.starts = [rows[: bisect_left(rows, first)] for rows in before.starts]
    while lanes.starts and not lanes.starts[-1]:
        lanes.starts.pop()
    _assign(lanes, first)
    return lanes


def _assign(lanes: Lanes, first: int) -> None:
    """Give each node from this row on its lane."""
    at, starts, double, last = lanes.at, lanes.starts, lanes.double, lanes.last
    resting: int | None = None  # a lane left free for one row, so that two unconnected nodes never touch
    if first and last[first - 1] < 0:
        resting = at[first - 1]
    taken = {at[row] for row in range(first) if last[row] >= first} | {resting}
    free = [lane for lane in range(len(starts)) if lane not in taken]  # the lanes that are empty, in order
    for row in range(first, len(lanes.inputs)):
        sources = lanes.inputs[row]
        ending = [source for source in sources if last[source] == row]
        below = [at[source] for source in ending if source not in double[row]]
        here = min(below) if below else _free(free, len(starts), [at[source] for source in sources])
        if here == len(starts):
            starts.append([])
        starts[here].append(row)
        at.append(here)
        if resting is not None:
            insort(free, resting)
        for source in ending:
            if at[source] != here:
                insort(free, at[source])
        resting = here if last[row] < 0 else None


_NONE: frozenset[int] = frozenset()


def _free(free: list[int], count: int, near: Sequence[int]) -> int:
    """Take an empty lane: the one nearest to the inputs, else the first."""
    near = near[:8] or [0]
    candidates = {count}
    for lane in near:
        place = bisect_left(free, lane)
        candidates.update(free[max(place - 1, 0) : place + 1])
    at = min(candidates, key=lambda lane: (min(abs(lane - other) for other in near), lane))
    if at != count:
        del free[bisect_left(free, at)]
    return at


def draw(row: LaneRow, mark: str, first: int, count: int, step: int, glyphs: Glyphs) -> str:
    """The characters of a row for `count` lanes from `first` on, `step` (1 or 2) columns each; `mark` is the node's."""
    out = []
    for lane in range(first, first + count):
        out.append(_glyph(row, lane, mark, glyphs))
        if step == 2:
            out.append(glyphs.across if row.low <= lane < row.high else " ")
    return "".join(out)


def _glyph(row: LaneRow, lane: int, mark: str, glyphs: Glyphs) -> str:
    side = 0 if lane == row.high else 2 if lane == row.low else 1
    match row.marks.get(lane):
        case "node":
            return mark
        case "pass":
            return glyphs.down
        case "line":
            return glyphs.across
        case "goes on" if lane in row.double:
            return glyphs.double_joins[side]
        case "goes on":
            return (glyphs.join_left, glyphs.join_both, glyphs.join_right)[side]
        case "ends" if lane in row.double:
            return glyphs.double_ends[side]
        case "ends":
            return (glyphs.bottom_right, glyphs.end_both, glyphs.bottom_left)[side]
        case _:
            return " "
