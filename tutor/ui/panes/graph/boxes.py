"""The graph as boxes in layers: their layout, and the characters of boxes, edges and gradients.

The layout does not depend on values, so that it stays the same while they change. `layout_boxes` lays out a whole
graph, `layout_neighbourhood` a node with its inputs and consumers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tutor.i18n import ngettext
from tutor.text_width import cut, width
from tutor.trace.number_format import equals
from tutor.ui.panes.graph.lanes import Edge, Graph, NodeRow
from tutor.ui.panes.graph.layered_layout import (
    DOWN,
    UP,
    Layers,
    Spot,
    arrange_layers,
    assign_columns,
    most_ports,
    ports,
    route_edges,
)
from tutor.ui.panes.graph.names import short_names
from tutor.ui.render.matrix import number_rows
from tutor.ui.render.segments import Glyphs, Piece, Row, clean, fit, row_width

MAX_NODES = 400
"""Maximum number of nodes drawn as boxes."""


# ------------------------------------------------------------ layout


class Shape(NamedTuple):
    """The size of boxes and the gap between them."""

    width: int
    gap: int
    height: int
    """3 rows, or 2 if there is little room."""


class Box(NamedTuple):
    """The position of a box: its top left corner."""

    node: int
    x: int
    y: int
    height: int


class Arrow(NamedTuple):
    """The position at which an edge enters a box."""

    x: int
    edge: int
    """The index of the edge."""
    room: int
    """Number of cells beside it, for the gradient."""


class Note(NamedTuple):
    """A text beside the boxes."""

    x: int
    y: int
    room: int
    text: str


@dataclass(frozen=True)
class BoxLayout:
    """The positions of boxes, edges and notes."""

    shape: Shape
    width: int
    height: int
    boxes: Mapping[int, Box]
    rows: Sequence[Sequence[Box]]
    """By row: the boxes that cover it."""
    strokes: Sequence[Mapping[int, int]]
    """By row, by column: the strokes that meet there."""
    arrows: Sequence[Sequence[Arrow]]
    """By row."""
    notes: tuple[Note, ...] = ()


def layout_boxes(
    layers: Layers, edges: Sequence[tuple[int, int]], shape: Shape, value_rows: Mapping[int, int] | None = None
) -> BoxLayout | None:
    """Lay out a graph given in layers.

    Args:
        layers: The layers.
        edges: The edges.
        shape: The size of a box.
        value_rows: By node: how many rows its value needs, if more than one. All boxes of a layer are equally high.

    Returns:
        The layout; None if more edges enter a box than it has room for.
    """
    if any(len(above) > most_ports(shape.width) for spot, above in layers.up.items() if not spot.passing):
        return None
    column_of = assign_columns(layers, shape.width, shape.gap)
    half = shape.width // 2
    edges_between: dict[tuple[int, int], list[int]] = {}
    for number, edge in reversed(list(enumerate(edges))):
        edges_between.setdefault(edge, []).append(number)
    boxes: dict[int, Box] = {}
    rows: list[list[Box]] = []
    strokes: list[dict[int, int]] = []
    arrows: list[list[Arrow]] = []
    for depth, layer in enumerate(layers.layers):
        if depth:
            lines, entering = _edges_into(layers, layer, column_of, shape, edges_between)
            tracks = route_edges(lines).rows
            strokes += [*tracks, {column_of[spot]: UP | DOWN for spot in layer if spot.passing}]
            arrows += [*([] for _ in tracks), entering]
            rows += [[] for _ in range(len(tracks) + 1)]
        counts = ((value_rows or {}).get(spot.node, 1) for spot in layer if not spot.passing)
        height = shape.height - 1 + max(counts, default=1)
        row_boxes = [Box(spot.node, column_of[spot] - half, len(rows), height) for spot in layer if not spot.passing]
        boxes.update({box.node: box for box in row_boxes})
        rows += [row_boxes] * height
        strokes += [{column_of[spot]: UP | DOWN for spot in layer if spot.passing}] * height
        arrows += [[]] * height
    width = max((box.x + shape.width for box in boxes.values()), default=0)
    width = max(width, 1 + max((max(row) for row in strokes if row), default=0))
    return BoxLayout(shape, width, len(rows), boxes, rows, strokes, arrows)


def _edges_into(
    layers: Layers,
    layer: Sequence[Spot],
    column_of: Mapping[Spot, int],
    shape: Shape,
    edges_between: dict[tuple[int, int], list[int]],
) -> tuple[dict[int, list[int]], list[Arrow]]:
    """Return the lines that lead down to a layer, and the arrows at their ends."""
    lines: dict[int, list[int]] = {}
    arrows: list[Arrow] = []
    half = shape.width // 2
    lefts = sorted(column_of[spot] - (0 if spot.passing else half) for spot in layer)
    right = 1 + max(column + (0 if spot.passing else half) for spot, column in column_of.items())
    for spot in layer:
        above = sorted(layers.up.get(spot, ()), key=column_of.__getitem__)
        if spot.passing:
            lines.setdefault(column_of[above[0]], []).append(column_of[spot])
            continue
        entries = ports(column_of[spot], shape.width, len(above)) if above else []
        following = next((left for left in lefts if left > column_of[spot]), right)
        ends = [*entries[1:], max(following, column_of[spot] + half + 1)]
        for source, entry, end in zip(above, entries, ends, strict=False):
            lines.setdefault(column_of[source], []).append(entry)
            arrows.append(Arrow(entry, edges_between[source.node, spot.node].pop(), end - entry - 1))
    return lines, arrows


# ------------------------------------------------------------ drawing


_OPERANDS = ("constant", "input")
_MIN_ROOM = 6
"""With less room, an operation is not shown beside a name."""


def matrix_rows(graph: Graph, node: int, cells: int, glyphs: Glyphs) -> list[Row]:
    """Return the rows of a small matrix as numbers; none for other values, and where they are too wide."""
    matrix = graph.matrix(node)
    rows = None if matrix is None else number_rows(*matrix, "plain", glyphs)
    return rows if rows is not None and row_width(rows[0]) <= cells else []


_VALUE_BESIDE = 10
"""Cells for a value beside the name in a low box."""


def wanted_widths(graph: Graph, nodes: Sequence[int]) -> tuple[int, int]:
    """Return the odd widths of boxes, high and low, in which no operation and no name of these nodes is cut; in high
    ones no small matrix either."""
    longest, matrix = 0, 0
    for node in nodes:
        row = graph.row(node)
        label = clean(row.label) if row.kind in ("op", "module") else ""
        longest = max(longest, width(" ".join(filter(None, (label, clean(row.name or row.code))))))
        matrix = max(matrix, width(row.value) if graph.matrix(node) is not None else 0)
    edges = 7  # with a mark, the space around, and what parts operation and name
    high, low = max(longest + edges, matrix + 6), longest + edges + 1 + _VALUE_BESIDE
    return high | 1, low | 1


@dataclass(frozen=True)
class BoxDrawing:
    """Draws a layout with the texts of the nodes."""

    layout: BoxLayout
    graph: Graph
    glyphs: Glyphs
    _fitted: dict[int, tuple[NodeRow, NodeRow]] = field(default_factory=dict)
    """By node: its row, and that row with its values shortened to the box."""
    _names_of: dict[str, list[str]] = field(default_factory=dict)

    def row(self, y: int, left: int, cells: int, chosen: int | None = None) -> Row:
        """Return `cells` cells of row `y` from column `left` on, with the node `chosen` shown as selected."""
        visible = (box for box in self.layout.rows[y] if left - self.layout.shape.width < box.x < left + cells)
        parts = [(box.x, self._box_line(box, y - box.y, chosen)) for box in visible]
        parts += [(x, ((text, "quiet"),)) for x, text in self._lines(y)]
        parts += self._arrows(y)
        parts += [(note.x, ((cut(note.text, note.room), "note"),)) for note in self.layout.notes if note.y == y]
        row: list[Piece] = []
        column = left
        for x, pieces in sorted(parts, key=lambda part: part[0]):
            end = x + row_width(pieces)
            if end <= left or x >= left + cells:
                continue
            if x > column:
                row.append((" " * (x - column), "plain"))
            row += pieces if x >= left else _without_first(pieces, left - x)
            column = end
        return tuple(row)

    def _names(self, kind: str) -> list[str]:
        """Return the names of all boxes of a kind."""
        if kind not in self._names_of:
            rows = (self.graph.row(node) for node in self.layout.boxes)
            self._names_of[kind] = [clean(row.name or row.code) for row in rows if row.kind == kind]
        return self._names_of[kind]

    def _lines(self, y: int) -> Iterable[tuple[int, str]]:
        """Yield the strokes of a row as (column, text), joining adjacent ones."""
        strokes = self.layout.strokes[y]
        start, text = 0, ""
        for x in sorted(strokes):
            if x != start + len(text):
                if text:
                    yield start, text
                start, text = x, ""
            text += self.glyphs.stroke(strokes[x])
        if text:
            yield start, text

    def _arrows(self, y: int) -> Iterable[tuple[int, Row]]:
        for arrow in self.layout.arrows[y]:
            edge = self.graph.edges[arrow.edge]
            share = clean(edge.share) or ("" if edge.times == 1 else f"×{edge.times}")
            if width(share) > arrow.room:
                share = cut(share, arrow.room, self.glyphs.more) if arrow.room > 2 else ""
            role = "grad" if edge.share else "quiet"
            yield arrow.x, ((self.glyphs.arrowhead, role), (share, role))

    def _row(self, node: int) -> NodeRow:
        """Return the row of a node, with its values shortened to the box."""
        row, shape = self.graph.row(node), self.layout.shape
        cached = self._fitted.get(node)
        if cached is None or cached[0] != row:
            fitted = self.graph.fitted(row, self._value_room(row), shape.width - (7 if shape.width >= 15 else 4))
            cached = self._fitted[node] = row, fitted
        return cached[1]

    def _box_line(self, box: Box, line: int, chosen: int | None) -> Row:
        """Return a line of a box, exactly as wide as the box."""
        row, shape = self._row(box.node), self.layout.shape
        border = self.glyphs.border("freed" if row.freed and row.kind == "op" else row.kind)
        quiet = row.kind in _OPERANDS or (row.freed and row.kind == "op")
        frame = "now" if row.now else "quiet" if quiet else "leaf" if row.kind == "leaf" else "op"
        if line == 0:
            pieces = self._top(row, border, frame, quiet)
        elif line == box.height - 1:
            pieces = self._bottom(row, border, frame)
        elif box.height > shape.height:
            pieces = self._middle(box, line - 1, row, border, frame)
        else:
            sign, text = equals(clean(row.value)) if row.value else ("", "")
            text = cut(text, shape.width - 6)
            inner: Row = ((" ", "plain"), (f"{sign.strip():2}", "quiet"), (text, "quiet" if quiet else "plain"))
            if not text:
                inner = ((" ", "plain"), (cut(row.shape, shape.width - 4), "quiet"))
            fill = " " * (shape.width - 2 - row_width(inner))
            pieces = ((border[3], frame), *inner, (fill, "plain"), (border[3], frame))
        if row.dim:
            pieces = tuple((text, "quiet") for text, _ in pieces)
        return tuple((text, f"chosen {role}") for text, role in pieces) if box.node == chosen else pieces

    def _middle(self, box: Box, line: int, row: NodeRow, border: str, frame: str) -> Row:
        """Return a line of the value in a high box: a row of the matrix, or its range where that does not fit."""
        cells = self.layout.shape.width - 4
        grid = matrix_rows(self.graph, box.node, cells, self.glyphs)
        if len(grid) > box.height - 2:
            grid = []
        text: Row = ()
        if line < len(grid):
            text = grid[line]
        elif line == 0 and not grid:
            sign, value = equals(clean(row.value)) if row.value else ("", clean(row.shape))
            text = ((f"{sign.strip():2}", "quiet"), (cut(value, cells - 2), "plain"))
        return ((border[3], frame), (" ", "plain"), *fit(text, cells), (" ", "plain"), (border[3], frame))

    def _value_room(self, row: NodeRow) -> int:
        shape = self.layout.shape
        if shape.height > 2:
            return shape.width - 6
        used = width(row.name) + (width(row.label) + 1 if row.kind in ("op", "module") else 0)
        return max(shape.width - 7 - used, 4)

    def _top(self, row: NodeRow, border: str, frame: str, quiet: bool) -> Row:
        """Return the upper edge: marker, operation and name; in a low box also the value."""
        shape, glyphs = self.layout.shape, self.glyphs
        mark = glyphs.now if row.now else glyphs.freed if row.freed and row.kind == "op" else ""
        room = shape.width - 4 - len(mark)
        value = clean(row.value) if shape.height == 2 else ""
        name = clean(row.name or row.code)
        label = clean(row.label) if row.kind in ("op", "module") or not name else ""
        if value and (value == name or (row.kind == "constant" and not name)):
            name, label, value = value, "", ""
        sign, value = equals(value) if value else ("", "")
        value_part = sign + value
        if row.kind in ("leaf", "module") and width(name) > room:
            name = short_names(self._names(row.kind), max(room, 3)).get(name, name)
        separator = f" {border[1]} " if shape.height > 2 and border[1].strip() else " "
        if label and value and not row.name:  # an expression gives way to its value
            spare = room - width(label + separator + value_part)
            name = cut(name, spare, glyphs.more) if spare >= _MIN_ROOM else ""
        if label and name and width(label + separator + name + value_part) > room:
            separator = " "
            # Prefer the operation to a long name, and a short name to a long operation.
            available = room - width(separator + value_part)
            if available < _MIN_ROOM:
                label, name = "", cut(name, max(room - width(value_part), 3), glyphs.more)
            elif width(name) <= available // 2:
                label = cut(label, available - width(name), glyphs.more)
            else:
                label = cut(label, max(available - width(name), available // 2), glyphs.more)
                name = cut(name, available - width(label), glyphs.more)
        lead = border[1] if width(label + separator * bool(label and name) + name + value_part) < room else ""
        if mark:
            lead = mark
        role = "here" if row.now else "quiet" if quiet else "leaf" if row.kind == "leaf" else "op"
        name_role = "quiet" if quiet or not row.name else "strong"
        if row.kind == "leaf" and not row.now:
            name_role = "leaf strong"
        if row.linked and not row.now:
            role, name_role = f"{role} linked", f"{name_role} linked"
        pieces: list[Piece] = [(border[0] + lead, frame), (" ", "plain")]
        if label:
            pieces.append((label, role))
        if name:
            pieces += [(separator, frame)] if label else []
            pieces.append((name, role if row.now and not label else name_role))
        if value_part:
            pieces += [(sign, "quiet"), (value, "quiet" if quiet else "plain")]
        pieces = _clipped(pieces, shape.width - 2, glyphs.more)
        pieces.append((" ", "plain"))
        return (*pieces, (border[1] * (shape.width - 1 - row_width(pieces)) + border[2], frame))

    def _bottom(self, row: NodeRow, border: str, frame: str) -> Row:
        """Return the lower edge, with the gradient that reached the node."""
        shape, glyphs = self.layout.shape, self.glyphs
        if not row.grad:
            return ((border[4] + border[1] * (shape.width - 2) + border[5], frame),)
        lead = border[4] + (border[1] if shape.width >= 15 else "")
        grad = f"{glyphs.arrow} {clean(row.grad)}" if row.arrived else clean(row.grad)
        pieces: list[Piece] = [(lead, frame), (f" {glyphs.grad} " if shape.width >= 15 else glyphs.grad + " ", "grad")]
        room = shape.width - 2 - row_width(pieces)
        pieces.append((cut(grad, room, glyphs.more), "grad changed" if row.new else "grad"))
        if row.parts and len(row.parts) <= room and width(f"{grad} = {row.parts}") <= room:
            pieces += [(" = ", "quiet"), (clean(row.parts), "grad")]
        if row.new and row_width(pieces) <= shape.width - 4:
            pieces.append((f" {glyphs.new}", "grad"))
        pieces.append((" ", "plain"))
        return (*pieces, (border[1] * (shape.width - 1 - row_width(pieces)) + border[5], frame))


def _clipped(pieces: list[Piece], cells: int, more: str) -> list[Piece]:
    """Return the pieces, cut to `cells` cells."""
    used = 0
    for index, (text, role) in enumerate(pieces):
        size = width(text)
        if used + size > cells:
            return [*pieces[:index], (cut(text, cells - used, more), role)]
        used += size
    return pieces


def _without_first(pieces: Row, cells: int) -> Row:
    """Return the row without its first cells; half a wide character becomes a blank."""
    rest: list[Piece] = []
    for text, role in pieces:
        size = width(text)
        if cells >= size:
            cells -= size
            continue
        while cells > 0:
            first = width(text[0])
            text = " " * max(first - cells, 0) + text[1:]
            cells -= min(cells, first)
        rest.append((text, role))
    return tuple(rest)


# ------------------------------------------------------------ a node and its neighbours


_MAX_CONSUMERS = 3
"""Maximum number of consumers shown."""


class IncidentEdges:
    """The indices of the edges into and out of each node."""

    def __init__(self, edges: Sequence[Edge]) -> None:
        self.into: dict[int, list[int]] = {}
        self.out: dict[int, list[int]] = {}
        for index, edge in enumerate(edges):
            self.into.setdefault(edge.to, []).append(index)
            self.out.setdefault(edge.source, []).append(index)


def layout_neighbourhood(
    node: int, edges: Sequence[Edge], incident: IncidentEdges, cells: int, page: int
) -> BoxLayout | None:
    """Lay out a node with its inputs and consumers in `cells` by `page` cells; notes count those without room.

    Args:
        node: The node.
        edges: The edges of the graph.
        incident: The edges into and out of each node.
        cells: The width of the pane.
        page: The height of the pane.

    Returns:
        The layout; None if there is no room for one.
    """
    into, out = incident.into.get(node, ()), incident.out.get(node, ())
    inputs = list(dict.fromkeys(edges[index].source for index in into))
    consumers = list(dict.fromkeys(edges[index].to for index in out))
    for columns in range(min(max(len(inputs), 1), 9), 0, -1):
        layout = _layout_around(node, inputs[:columns], consumers[:_MAX_CONSUMERS], (into, out), edges, cells, page)
        if layout is not None and (columns == 1 or (layout.width <= cells and layout.height <= page)):
            return _with_counts(layout, node, len(inputs[columns:]), len(consumers[_MAX_CONSUMERS:]))
    return None


def _layout_around(
    node: int,
    inputs: Sequence[int],
    consumers: Sequence[int],
    incident: tuple[Sequence[int], Sequence[int]],
    edges: Sequence[Edge],
    cells: int,
    page: int,
) -> BoxLayout | None:
    """Lay out a node with these inputs and consumers; boxes are high if there is room."""
    into, out = incident
    shown = [index for index in into if edges[index].source in inputs] + [
        index for index in out if edges[index].to in consumers
    ]
    pairs = [(edges[index].source, edges[index].to) for index in shown]
    layers = arrange_layers([*inputs, node, *consumers], pairs)
    columns = max(len(inputs), len(consumers), 2)
    width = max(min((cells - (columns - 1)) // columns, 25), 11)
    for height in (3, 2):
        layout = layout_boxes(layers, pairs, Shape(width - 1 + width % 2, 1, height))
        if layout is None or layout.height <= page or height == 2:
            break
    if layout is None:
        return None
    arrows = [[arrow._replace(edge=shown[arrow.edge]) for arrow in row] for row in layout.arrows]
    return replace(layout, arrows=arrows)


def _with_counts(layout: BoxLayout, node: int, inputs: int, consumers: int) -> BoxLayout:
    """Return the layout with notes that count what is not shown."""
    box = layout.boxes[node]
    texts = [ngettext("+{count} input", "+{count} inputs", inputs)] if inputs else []
    texts += [ngettext("+{count} use", "+{count} uses", consumers)] if consumers else []
    notes = tuple(Note(0, box.y + line, box.x - 1, text) for line, text in enumerate(texts))
    return replace(layout, notes=notes)
