"""The lanes of the graph: one row per node in the order of execution, as `git log --graph` draws commits.

Time runs downward. A node starts a lane, or goes on in that of an input that nobody needs any more; a lane ends at its
last consumer. In a row all joins belong to the one node that stands in it:

    │   a lane passes, unconnected even where the node's line crosses it
    ┤ ├ ┼   the lane is an input of the node, and goes on
    ╯ ╰ ┴   the lane is an input of the node, and ends here
    ╡ ╞ ╪ ╛ ╘ ╧   the same, and it is an input more than once
    a lane right above the node that reaches it is an input, too

The graph as rows: lanes, what each node does, what it made, and the gradient that reached it."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tutor.i18n import _
from tutor.text_width import cut, pad, width
from tutor.ui.render.segments import Glyphs, Piece, Row, shortened_path

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


LEAF = "AccumulateGrad"


@dataclass(frozen=True)
class NodeRow:
    """What is shown of one node."""

    node: int
    label: str
    name: str
    value: str
    grad: str = ""
    """What reached it in this pass; empty before."""
    parts: str = ""
    """The shares of its consumers, where there are several."""
    kind: str = "op"
    """leaf, op, constant, input (a tensor without gradient), module (many operations as one), or heading (a line of
    text above the second graph: it has no edges)."""
    freed: bool = False
    now: bool = False
    new: bool = False
    """Its gradient changed in this step."""
    code: str = ""
    """What made it, where it has no name."""
    linked: bool = False
    """It belongs to what is marked in another pane."""


@dataclass(frozen=True)
class Edge:
    """One edge of the graph: `to` was computed from `source`; the gradient flows the other way."""

    source: int
    to: int
    share: str = ""
    """What `to` sent to `source` in this pass, once it has and where `source` has several consumers."""
    times: int = 1
    """How often `source` is an input of `to`: twice in `x * x`."""


@dataclass(frozen=True)
class Graph:
    """The graph as it is to be drawn at one step. Rows are made when they are asked for: there may be 10,000."""

    nodes: Sequence[int]
    """In drawing order: inputs before what is computed from them. As long as this is the same list, there are the same
    edges in the same order; only their shares may change."""
    edges: Sequence[Edge]
    row: Callable[[int], NodeRow]
    fitted: Callable[[NodeRow, int, int], NodeRow]
    """The row with its value and its gradient said in so many cells each, as far as that goes."""
    now: int | None = None
    apart: bool = False
    """Whether it is several graphs with headings above them, which only lanes have room for."""


def label_of(name: str) -> str:
    """What a node's name says in the words of the code: `AddBackward0` is add, `MseLossBackward0` mse_loss."""
    return _("leaf") if name.endswith(LEAF) else _operation(name)


@lru_cache(512)
def _operation(name: str) -> str:
    short = re.sub(r"Backward\d*$", "", name.rpartition("::")[2])
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", short).lower() or name


@dataclass(frozen=True)
class Measures:
    """How wide each part of a row is."""

    lanes: int
    step: int
    first: int
    label: int
    name: int
    value: int
    grad: int
    roomy: bool


Widest = tuple[int, int, int, int]
"""How wide are the widest label, name, name or code, and value."""


def widest(rows: Iterable[NodeRow], before: Widest = (0, 0, 0, 0)) -> Widest:
    """How wide the parts of these rows are, if not narrower than before."""
    label, name, code, value = before
    for row in rows:
        label = max(label, width(row.label) if row.kind != "heading" else 0)
        name = max(name, width(row.name))
        code = max(code, width(row.name or row.code))
        value = max(value, width(row.value))
    return label, name, code, value


def measure(parts: Widest, lanes: Lanes, cells: int, centre: int = 0) -> Measures:
    """Widths for rows with parts so wide, steady while values change. `centre`: a lane that must be in view."""
    roomy = cells >= 44
    step = 2 if lanes.count * 2 <= max(cells * 45 // 100, 6) else 1
    shown = min(lanes.count, max(cells * 45 // 100, 6) // step)
    first = max(0, min(centre - shown // 2, lanes.count - shown))
    label = max(min(parts[0], 14 if roomy else 8), 4)
    # What has no name is called by its code, where there is room for that.
    name = max(min(parts[2], 18) if roomy else min(parts[1], 9), 1)
    rest = cells - shown * step - 1 - label - name - (8 if roomy else 5)
    value = max(min(max(parts[3], 6), rest // 2), 4)
    return Measures(shown, step, first, label, name, value, max(rest - value, 4), roomy)


def mark_of(row: NodeRow, glyphs: Glyphs) -> str:
    """What stands for a node: its shape says what it is."""
    match row.kind:
        case "leaf":
            return glyphs.leaf
        case "input" | "constant":
            return glyphs.given
        case "module":
            return glyphs.freed_module if row.freed else glyphs.module
        case "heading":
            return " "
        case _:
            return glyphs.freed if row.freed else glyphs.op


def line(row: NodeRow, lanes: Lanes, index: int, sizes: Measures, glyphs: Glyphs) -> Row:
    """One node."""
    leaf, given = row.kind == "leaf", row.kind in ("constant", "input")
    mark = mark_of(row, glyphs)
    drawn = draw(lanes.row(index, sizes.first, sizes.lanes), mark, sizes.first, sizes.lanes, sizes.step, glyphs)
    kind = "leaf" if leaf else "quiet" if given else "op"
    pieces: list[Piece] = []
    if row.kind == "heading":
        return ((drawn, "quiet"), (" " + row.label, "note"))
    for text, role in _coloured_lanes(drawn, mark, kind, row.freed and not leaf):
        pieces.append((text, role))
    pieces.append((glyphs.now, "now") if row.now else (glyphs.linked if row.linked else " ", "linked"))
    label = pad(row.label, sizes.label)
    pieces.append((label, "here" if row.now else f"{kind} quiet" if row.freed and not leaf else kind))
    gap = "  " if sizes.roomy else " "
    pieces += [(gap, "plain"), _named(row, sizes.name), (gap, "plain")]
    if sizes.roomy:
        pieces.append(("= ", "quiet"))
    pieces += [
        (pad(row.value, sizes.value), "quiet" if given else "plain"),
        (gap, "plain"),
    ]
    if given:
        return tuple(pieces)
    pieces += [
        (glyphs.grad + " ", "grad" if row.grad else "quiet"),
    ]
    if not row.grad:
        pieces.append((glyphs.none, "quiet"))
        return tuple(pieces)
    room = sizes.grad
    grad = cut(row.grad, room)
    pieces.append((grad, "grad changed" if row.new else "grad"))
    room -= width(grad)
    if row.parts and width(row.parts) + 3 <= room:
        pieces += [(" = ", "quiet"), (row.parts, "grad")]
        room -= width(row.parts) + 3
    if row.new and room >= 3:
        pieces.append((f" {glyphs.new}" + (f" {_('new')}" if room >= 6 else ""), "grad"))
    return tuple(pieces)


def _named(row: NodeRow, cells: int) -> Piece:
    if not row.name:
        return pad(row.code, cells), "quiet"
    name = shortened_path(row.name, cells) if row.kind == "leaf" else row.name
    return pad(name, cells), "quiet" if row.kind in ("constant", "input") else "strong"


def _coloured_lanes(drawn: str, mark: str, kind: str, freed: bool) -> list[Piece]:
    """The lanes are quiet, the node in them has its colour."""
    at = drawn.find(mark)
    if at < 0:
        return [(drawn, "quiet")]
    pieces = [(drawn[:at], "quiet"), (mark, "quiet" if freed else kind), (drawn[at + 1 :], "quiet")]
    return [piece for piece in pieces if piece[0]]
