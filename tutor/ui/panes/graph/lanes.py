"""The graph as lanes: one row per node in execution order, as `git log --graph` draws commits.

Time runs downward. A node starts a lane, or continues that of an input without further consumers; a lane ends at its
last consumer. All joins in a row belong to the node in that row:

    │   a lane passes, unconnected even where the node's line crosses it
    ┤ ├ ┼   the lane is an input of the node, and continues
    ╯ ╰ ┴   the lane is an input of the node, and ends here
    ╡ ╞ ╪ ╛ ╘ ╧   the same, for an input that is used more than once
    a lane directly above the node that it reaches is also an input

The row goes on with the node's operation, its name, its value, and the gradient that reached it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from tutor.i18n import _
from tutor.text_width import cut, pad, width
from tutor.trace.number_format import equals
from tutor.trace.values import Value
from tutor.ui.panes.graph.names import short_names, without_place
from tutor.ui.render.segments import Glyphs, Piece, Row

# ------------------------------------------------------------ assignment of lanes


PASS, CONTINUES, ENDS, NODE, LINE = "pass", "continues", "ends", "node", "line"


@dataclass(frozen=True)
class LaneRow:
    """The marks in some of the lanes, in the row of a node."""

    at: int
    """The lane of the node."""
    low: int
    high: int
    """First and last lane of its line."""
    marks: dict[int, str]
    """By lane: PASS, CONTINUES or ENDS; LINE if the node's line crosses an empty lane; NODE at the node itself."""
    double: frozenset[int] = frozenset()
    """Lanes that are an input more than once."""


@dataclass
class Lanes:
    """The assignment of nodes to lanes; rows are made on request."""

    nodes: Sequence[int] = ()
    place: dict[int, int] = field(default_factory=dict)
    """By node: its row."""
    at: list[int] = field(default_factory=list)
    """By row: the lane of its node."""
    inputs: list[list[int]] = field(default_factory=list)
    """By row: the rows of the node's inputs, each once."""
    double: list[frozenset[int]] = field(default_factory=list)
    """By row: those of its inputs that are used more than once."""
    last: list[int] = field(default_factory=list)
    """By row: the row of the last consumer; -1 if there is none."""
    starts: list[list[int]] = field(default_factory=list)
    """By lane: the rows whose nodes are in it."""

    @property
    def count(self) -> int:
        """The number of lanes."""
        return len(self.starts)

    def row(self, index: int, first: int = 0, count: int | None = None) -> LaneRow:
        """Return the marks of a row in `count` lanes from `first` on."""
        node_lane, inputs = self.at[index], self.inputs[index]
        input_lanes = {self.at[source] for source in inputs}
        low, high = min([*input_lanes, node_lane]), max([*input_lanes, node_lane])
        marks = {}
        for lane in range(first, self.count if count is None else min(first + count, self.count)):
            holder = self.holder(lane, index)
            if lane == node_lane:
                marks[lane] = NODE
            elif holder is None:
                if low <= lane <= high:
                    marks[lane] = LINE
            elif lane in input_lanes:
                marks[lane] = ENDS if self.last[holder] == index else CONTINUES
            else:
                marks[lane] = PASS
        return LaneRow(node_lane, low, high, marks, frozenset(self.at[source] for source in self.double[index]))

    def holder(self, lane: int, index: int) -> int | None:
        """Return the row of the node whose lane passes through row `index`, or None."""
        starts = self.starts[lane]
        previous = bisect_left(starts, index) - 1
        return starts[previous] if previous >= 0 and self.last[starts[previous]] >= index else None


def extend_lanes(before: Lanes, nodes: Sequence[int], edges: Iterable[tuple[int, int]]) -> Lanes:
    """Assign lanes to a graph extended by nodes at its end, inputs first.

    Each of `edges` leads to one of the nodes: (a, b) means that b was computed from a.
    """
    first = len(before.nodes)
    place = {**before.place, **{node: row for row, node in enumerate(nodes, first)}}
    inputs: list[list[int]] = [*before.inputs, *([] for _ in nodes)]
    double = [*before.double, *(_NO_ROWS for _ in nodes)]
    last = [*before.last, *(-1 for _ in nodes)]
    for source_node, node in edges:
        source, row = place[source_node], place[node]
        if source in inputs[row]:
            double[row] |= {source}
            continue
        inputs[row].append(source)
        if last[source] < row:
            if source < first:  # from the previous end of its lane on, all may move
                first = min(first, max(last[source], source + 1))
            last[source] = row
    lanes = Lanes([*before.nodes, *nodes], place, before.at[:first], inputs, double, last)
    lanes.starts = [rows[: bisect_left(rows, first)] for rows in before.starts]
    while lanes.starts and not lanes.starts[-1]:
        lanes.starts.pop()
    _assign(lanes, first)
    return lanes


def _assign(lanes: Lanes, first: int) -> None:
    """Assign a lane to each node from row `first` on."""
    lane_of, starts, double, last = lanes.at, lanes.starts, lanes.double, lanes.last
    reserved: int | None = None  # a lane kept free for one row, so that unconnected nodes do not touch
    if first and last[first - 1] < 0:
        reserved = lane_of[first - 1]
    used = {lane_of[row] for row in range(first) if last[row] >= first} | {reserved}
    free_lanes = [lane for lane in range(len(starts)) if lane not in used]  # ordered
    for row in range(first, len(lanes.inputs)):
        sources = lanes.inputs[row]
        ending = [source for source in sources if last[source] == row]
        continued = [lane_of[source] for source in ending if source not in double[row]]
        near = [lane_of[source] for source in sources]
        chosen = min(continued) if continued else _take_free_lane(free_lanes, len(starts), near)
        if chosen == len(starts):
            starts.append([])
        starts[chosen].append(row)
        lane_of.append(chosen)
        if reserved is not None:
            insort(free_lanes, reserved)
        for source in ending:
            if lane_of[source] != chosen:
                insort(free_lanes, lane_of[source])
        reserved = chosen if last[row] < 0 else None


_NO_ROWS: frozenset[int] = frozenset()


def _take_free_lane(free: list[int], count: int, near: Sequence[int]) -> int:
    """Take the empty lane nearest to the inputs, by default the first."""
    near = near[:8] or [0]
    candidates = {count}
    for lane in near:
        index = bisect_left(free, lane)
        candidates.update(free[max(index - 1, 0) : index + 1])
    chosen = min(candidates, key=lambda lane: (min(abs(lane - other) for other in near), lane))
    if chosen != count:
        del free[bisect_left(free, chosen)]
    return chosen


def draw_lanes(row: LaneRow, mark: str, first: int, count: int, step: int, glyphs: Glyphs) -> str:
    """Return the characters of `count` lanes from `first` on, `step` (1 or 2) columns each; `mark` is the node's."""
    characters = []
    for lane in range(first, first + count):
        characters.append(_glyph(row, lane, mark, glyphs))
        if step == 2:
            characters.append(glyphs.across if row.low <= lane < row.high else " ")
    return "".join(characters)


def _glyph(row: LaneRow, lane: int, mark: str, glyphs: Glyphs) -> str:
    side = 0 if lane == row.high else 2 if lane == row.low else 1
    match row.marks.get(lane):
        case "node":
            return mark
        case "pass":
            return glyphs.down
        case "line":
            return glyphs.across
        case "continues" if lane in row.double:
            return glyphs.double_joins[side]
        case "continues":
            return (glyphs.join_left, glyphs.join_both, glyphs.join_right)[side]
        case "ends" if lane in row.double:
            return glyphs.double_ends[side]
        case "ends":
            return (glyphs.bottom_right, glyphs.end_both, glyphs.bottom_left)[side]
        case _:
            return " "


# ------------------------------------------------------------ the graph to be drawn


_LEAF = "AccumulateGrad"


@dataclass(frozen=True)
class NodeRow:
    """The texts of a node."""

    node: int
    label: str
    name: str
    value: str
    grad: str = ""
    """The gradient that reached it in this pass; empty before."""
    parts: str = ""
    """The shares of the gradient, if it has several consumers."""
    kind: str = "op"
    """leaf, op, constant, input (a tensor without gradient), module (folded), or heading (a line of text, no edges)."""
    freed: bool = False
    now: bool = False
    new: bool = False
    """Whether its gradient changed in this step."""
    code: str = ""
    """The expression that made it, if it has no name."""
    linked: bool = False
    """Whether it belongs to the selection in another pane."""
    shape: str = ""
    """The shape, where there is no value; of a folded module, what it takes and gives."""
    sent: str = ""
    """The gradient that a folded module sent on."""
    progress: str = ""
    """How far a folded module is while it runs backward; the hidden view of this node that is current."""
    arrived: bool = False
    """Whether it is a leaf whose gradient has arrived, but is not yet in `.grad`."""
    dim: bool = False
    """Whether it is not on the way from the selection to the root."""
    kept: int = 0
    """The bytes that it keeps for a pass."""


@dataclass(frozen=True)
class Edge:
    """An edge: `to` was computed from `source`; the gradient flows the other way."""

    source: int
    to: int
    share: str = ""
    """The gradient that `to` sent to `source` in this pass, if `source` has several consumers."""
    times: int = 1
    """How often `source` is an input of `to`: twice in `x * x`."""


@dataclass(frozen=True)
class Graph:
    """The graph to draw at a step. Rows are made on request, as there may be 10,000."""

    nodes: Sequence[int]
    """In drawing order, inputs first. While this is the same list, the edges are the same but for their shares."""
    edges: Sequence[Edge]
    row: Callable[[int], NodeRow]
    fitted: Callable[[NodeRow, int, int], NodeRow]
    """Returns a row with its value and its gradient shortened to these numbers of cells, as far as possible."""
    now: int | None = None
    has_gradients: bool = True
    """Whether it is that of a backward pass, whose gradients have a column."""
    has_headings: bool = False
    """Whether it is several graphs with headings, which only lanes can show."""
    matrix: Callable[[int], tuple[Value, str, tuple[int, ...]] | None] = lambda number: None
    """Returns the value, dtype and shape of a node that is a matrix with several rows; None for others."""


def label_of(name: str) -> str:
    """Return the operation's name in Python: add for `AddBackward0`, mse_loss for `MseLossBackward0`."""
    return _("leaf") if name.endswith(_LEAF) else operation_name(name)


@lru_cache(512)
def operation_name(name: str) -> str:
    """Return the name of a node's operation in Python."""
    short = re.sub(r"Backward\d*$", "", name.rpartition("::")[2])
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", short).lower() or name


# ------------------------------------------------------------ rows


@dataclass(frozen=True)
class ColumnWidths:
    """The width of each part of a row, in cells."""

    lanes: int
    step: int
    first: int
    label: int
    name: int
    value: int
    grad: int
    """0: there is no such column."""
    roomy: bool
    kept: bool = False
    """Whether there is a column of the bytes that nodes keep."""


Widest = tuple[int, int, int, int]
"""Widths of the widest label, name, expression in place of a name, and value."""


def widest(rows: Iterable[NodeRow], previous: Widest = (0, 0, 0, 0)) -> Widest:
    """Return the greatest widths in these rows, no less than `previous`."""
    label, name, code, value = previous
    for row in rows:
        label = max(label, width(row.label) if row.kind != "heading" else 0)
        name = max(name, width(row.name))
        code = max(code, width(row.code) if not row.name else 0)
        value = max(value, width(row.value or row.shape))
    return label, name, code, value


_MIN_LABEL, _MAX_LABEL = 5, 14
_MIN_LANES = 4
_MIN_NAME, _MIN_CODE = 10, 6
_MIN_VALUE, _SHORT_VALUE, _MAX_VALUE = 5, 11, 30
_KEPT = 16
"""Cells for the bytes that a node keeps, which are shown before a pass alone, where nothing gives way to them."""
_MIN_GRAD, _GRAD, _LONG_GRAD = len("|g| 0.123"), 12, 30
"""Cells for a gradient at least, before any other part gives way, and before labels and expressions are longer than
usual."""


def column_widths(parts: Widest, lanes: Lanes, cells: int, centre: int = 0, has_gradients: bool = True) -> ColumnWidths:
    """Return the widths of the parts of rows, which stay steady while values change.

    Where there is not enough room, the operation gives way first, then the lanes, the value and the name; the gradient
    is the last. Before a pass there is no column for it: the graph of the pass is another one, with what the root
    depends on, and nothing moves from the first step of the pass to its last.

    Args:
        parts: The widths of the widest parts.
        lanes: The lanes.
        cells: The width of the pane.
        centre: A lane to keep visible.
        has_gradients: Whether gradients have a column.
    """
    roomy = cells >= 44
    gap = 2 if roomy else 1
    most_lanes = max(cells // 3, 6)
    step = 2 if lanes.count * 2 <= most_lanes else 1
    shown = min(lanes.count, most_lanes // step)
    label = max(min(parts[0], _MAX_LABEL), _MIN_LABEL)
    name = max(parts[1], min(parts[2], _MIN_NAME) if roomy else 0, 1)
    value = max(min(parts[3], _MAX_VALUE), _MIN_VALUE)
    grad = _GRAD if has_gradients else 0
    gaps = 1 + 2 * gap + (2 if roomy else 0) + (gap + 2 if has_gradients else 0)
    excess = shown * step + label + name + value + grad + gaps - cells
    label, excess = _narrowed(label, _MIN_LABEL, excess)
    if excess > 0 and step == 2 and shown > _MIN_LANES:
        step, excess = 1, excess - shown
    if excess > 0 and step == 1:
        shown, excess = _narrowed(shown, _MIN_LANES, excess)
    value, excess = _narrowed(value, _SHORT_VALUE, excess)
    name, excess = _narrowed(name, _MIN_NAME, excess)
    value, excess = _narrowed(value, _MIN_VALUE, excess)
    if excess > 0:
        value, gaps, excess = 0, gaps - gap - (2 if roomy else 0), 0
    spare = cells - shown * step - label - name - value - gaps
    name, _ = _widened(name, parts[1], spare - grad)
    spare = cells - shown * step - label - name - value - gaps - (_LONG_GRAD if has_gradients else 0)
    name, spare = _widened(name, parts[2], spare)
    label, spare = _widened(label, parts[0], spare)
    rest = cells - shown * step - label - value - gaps
    has_kept = not has_gradients and rest - max(parts[1], parts[2], name) >= gap + _KEPT
    if not has_gradients:
        name = max(min(max(parts[1], parts[2], name), rest), 1)
    else:
        name = max(min(name, rest - _MIN_GRAD), 1)
    first = max(0, min(centre - shown // 2, lanes.count - shown))
    return ColumnWidths(
        shown, step, first, label, name, value, max(rest - name, 4) if has_gradients else 0, roomy, has_kept
    )


def _widened(size: int, wanted: int, spare: int) -> tuple[int, int]:
    """Return a size made larger by the spare cells, no larger than wanted, and the cells that are left."""
    added = max(min(wanted - size, spare), 0)
    return size + added, spare - added


def _narrowed(size: int, least: int, excess: int) -> tuple[int, int]:
    """Return a size made smaller by an excess, no smaller than `least`, and the excess that is left."""
    taken = max(min(size - least, excess), 0)
    return size - taken, excess - taken


def node_character(row: NodeRow, glyphs: Glyphs) -> str:
    """Return the character that stands for a node."""
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


def name_room(row: NodeRow, widths: ColumnWidths) -> int:
    """Return the most cells for the name of a row, if it has a value: a leaf may do without its label, which the mark
    says as well."""
    return widths.name + (widths.label + (2 if widths.roomy else 1) if row.kind == "leaf" else 0)


def value_room(row: NodeRow, widths: ColumnWidths) -> int:
    """Return the cells for the value of a row: inputs and constants have no gradient, and take its column too."""
    return widths.value + (widths.grad if widths.value and row.kind in ("constant", "input") else 0)


def node_line(row: NodeRow, lanes: Lanes, index: int, widths: ColumnWidths, glyphs: Glyphs) -> Row:
    """Return the row of a node."""
    is_leaf, is_operand = row.kind == "leaf", row.kind in ("constant", "input")
    mark = node_character(row, glyphs)
    lane_row = lanes.row(index, widths.first, widths.lanes)
    drawn = draw_lanes(lane_row, mark, widths.first, widths.lanes, widths.step, glyphs)
    kind = "leaf" if is_leaf else "quiet" if is_operand else "op"
    pieces: list[Piece] = []
    if row.kind == "heading":
        return ((drawn, "quiet"), (" " + row.label, "note"))
    for text, role in _coloured_lanes(drawn, mark, kind, row.freed and not is_leaf):
        pieces.append((text, role))
    pieces.append((glyphs.now, "now") if row.now else (glyphs.linked if row.linked else " ", "linked"))
    gap = "  " if widths.roomy else " "
    has_name = bool(row.name or row.code or row.progress)
    unlabelled = widths.name < width(row.name) <= name_room(row, widths)
    has_value = widths.value and bool(row.value or row.shape)
    value_cells = widths.value + len(gap) + (2 if widths.roomy else 0) if widths.value else 0
    name = widths.name if has_value else widths.name + value_cells
    name += widths.grad if is_operand and not has_value else 0  # it has no gradient either
    label = widths.label
    if unlabelled:
        label, name = 0, name + name_room(row, widths) - widths.name
    elif not has_name:
        label, name = label + len(gap) + name, 0
    elif width(row.label) > label:
        label, name = _label_and_name(row, label, name, len(gap))
    if label:
        text = pad(row.label, label)
        pieces.append((text, "here" if row.now else f"{kind} quiet" if row.freed and not is_leaf else kind))
    if name:
        pieces += [*([(gap, "plain")] if label else []), *_name_pieces(row, name)]
    pieces.append((gap, "plain"))
    if has_value:
        sign, text = equals(row.value) if row.value else ("", "")
        if widths.roomy:
            pieces.append((f"{sign.strip():2}", "quiet"))
        row = replace(row, value=text if widths.roomy else row.value)
        cells = max(widths.value, min(width(row.value), value_room(row, widths)))
        pieces += [_value_piece(row, cells), (gap, "plain")]
    if widths.kept and row.kept:
        pieces.append((_("{count:,} B kept", count=row.kept), "quiet"))
    elif not widths.grad:
        del pieces[-1]  # the gap before it
    elif not is_operand:
        pieces += _grad_pieces(row, widths.grad, glyphs)
    return tuple((text, "quiet") for text, _ in pieces) if row.dim else tuple(pieces)


def _label_and_name(row: NodeRow, label: int, name: int, gap: int) -> tuple[int, int]:
    """Return the cells for an operation that is longer than its column, and those that are left for the name.

    It takes the cells that the name leaves. An expression gives way to it, to nothing where too little of it is left.
    """
    whole = label + gap + name
    if row.name or row.progress:
        needed = width(" ".join(filter(None, (row.name, row.progress))))
        taken = min(width(row.label) - label, max(name - needed, 0))
        return label + taken, name - taken
    rest = whole - width(row.label) - gap
    return (width(row.label), rest) if rest >= min(width(row.code), _MIN_CODE) else (whole, 0)


def _value_piece(row: NodeRow, cells: int) -> Piece:
    if row.value:
        return pad(row.value, cells), "quiet" if row.kind in ("constant", "input") else "plain"
    fits = width(row.shape) <= cells
    return pad(row.shape if fits else row.shape.rpartition(" ")[2], cells), "quiet"


def _grad_pieces(row: NodeRow, room: int, glyphs: Glyphs) -> list[Piece]:
    """Return the gradient that reached a node, what it is the sum of or what was sent on, and whether it is new."""
    if not row.grad:
        return [(glyphs.grad + " ", "quiet"), (glyphs.none, "quiet")]
    grad = f"{glyphs.arrow} {row.grad}" if row.arrived else row.grad
    pieces: list[Piece] = [(glyphs.grad + " ", "grad"), (cut(grad, room), "grad changed" if row.new else "grad")]
    room -= width(grad)
    if row.arrived:
        note = " " + _("arrived")
        return [*pieces, (note, "quiet")] if width(note) <= room else pieces
    for sign, text in ((" = ", row.parts), (f" {glyphs.arrow} ", row.sent)):
        if text and width(sign + text) <= room:
            pieces += [(sign, "quiet"), (text, "grad")]
            room -= width(sign + text)
    if row.new and room >= 3:
        pieces.append((f" {glyphs.new}" + (f" {_('new')}" if room >= 6 else ""), "grad"))
    return pieces


def _name_pieces(row: NodeRow, cells: int) -> list[Piece]:
    """Return the name, or the expression without one, and the progress, of which the total gives way to the name."""
    progress = row.progress
    if width(progress) + 1 + width(without_place(row.name)) > cells:
        progress = progress.partition("/")[0]
    room = cells - width(progress) - 1 if progress else cells
    name = row.name if width(row.name) <= room else without_place(row.name)
    text = short_names((name,), room)[name] if name else cut(row.code, max(room, 0))
    role = "strong" if row.name and row.kind not in ("constant", "input") else "quiet"
    if not progress:
        return [(pad(text, cells), role)]
    return [(pad(text, max(room, 0)), role), (pad(f" {progress}", cells - max(room, 0)), "now")]


def _coloured_lanes(drawn: str, mark: str, kind: str, freed: bool) -> list[Piece]:
    """Return the lanes in a quiet role, with the node in its own."""
    at = drawn.find(mark)
    if at < 0:
        return [(drawn, "quiet")]
    pieces = [(drawn[:at], "quiet"), (mark, "quiet" if freed else kind), (drawn[at + 1 :], "quiet")]
    return [piece for piece in pieces if piece[0]]
