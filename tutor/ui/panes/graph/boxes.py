"""The graph as boxes in layers, with lines between them: where everything stands, before it is characters.

Nothing here looks at values: they change from step to step, and must not move the drawing.

A picture of boxes as rows of text: what each box says, the lines between, the shares at the arrows.

One node, what it was computed from and who uses it, as boxes: small enough for any pane and any graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tutor.i18n import ngettext
from tutor.text_width import cut, width
from tutor.ui.panes.graph.lanes import Edge, Graph, NodeRow
from tutor.ui.panes.graph.layered_layout import DOWN, UP, Layers, Spot, arrange, columns, most_ports, ports, route
from tutor.ui.render.segments import Glyphs, Piece, Row, clean, row_width, shortened_path

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


_DIMMED = ("constant", "input")
_TIGHT = 6
"""In less than so many cells an operation and a name make no sense together."""


@dataclass(frozen=True)
class Sheet:
    """A picture and what to write into it."""

    picture: Picture
    graph: Graph
    glyphs: Glyphs
    _fitted: dict[int, tuple[NodeRow, NodeRow]] = field(default_factory=dict)
    """By node: its row, and that row with what has room in a box."""

    def row(self, y: int, left: int, cells: int, chosen: int | None = None) -> Row:
        """One row of the picture: so many cells from a column on; the mark stands on a chosen node."""
        seen = (box for box in self.picture.rows[y] if left - self.picture.shape.width < box.x < left + cells)
        placed = [(box.x, self._card(box, y - box.y, chosen)) for box in seen]
        placed += [(x, ((text, "quiet"),)) for x, text in self._lines(y)]
        placed += self._arrows(y)
        placed += [(note.x, ((cut(note.text, note.room), "note"),)) for note in self.picture.notes if note.y == y]
        row: list[Piece] = []
        at = left
        for x, pieces in sorted(placed, key=lambda one: one[0]):
            end = x + row_width(pieces)
            if end <= left or x >= left + cells:
                continue
            if x > at:
                row.append((" " * (x - at), "plain"))
            row += pieces if x >= left else _without(pieces, left - x)
            at = end
        return tuple(row)

    def _lines(self, y: int) -> Iterable[tuple[int, str]]:
        """The strokes of a row, those side by side as one text."""
        strokes = self.picture.strokes[y]
        run, text = 0, ""
        for x in sorted(strokes):
            if x != run + len(text):
                if text:
                    yield run, text
                run, text = x, ""
            text += self.glyphs.stroke(strokes[x])
        if text:
            yield run, text

    def _arrows(self, y: int) -> Iterable[tuple[int, Row]]:
        for arrow in self.picture.arrows[y]:
            edge = self.graph.edges[arrow.edge]
            share = clean(edge.share) or ("" if edge.times == 1 else f"×{edge.times}")
            if width(share) > arrow.room:
                share = cut(share, arrow.room, self.glyphs.more) if arrow.room > 2 else ""
            role = "grad" if edge.share else "quiet"
            yield arrow.x, ((self.glyphs.arrowhead, role), (share, role))

    def _row(self, node: int) -> NodeRow:
        """What is said of a node, in words that have room in a box."""
        row, shape = self.graph.row(node), self.picture.shape
        known = self._fitted.get(node)
        if known is None or known[0] != row:
            fitted = self.graph.fitted(row, self._value_room(row), shape.width - (7 if shape.width >= 15 else 4))
            known = self._fitted[node] = row, fitted
        return known[1]

    def _card(self, box: Box, line: int, chosen: int | None) -> Row:
        """One line of a box, exactly as wide as it is."""
        row, shape = self._row(box.node), self.picture.shape
        border = self.glyphs.border("freed" if row.freed and row.kind == "op" else row.kind)
        quiet = row.kind in _DIMMED or (row.freed and row.kind == "op")
        frame = "now" if row.now else "quiet" if quiet else "leaf" if row.kind == "leaf" else "op"
        if line == 0:
            pieces = self._top(row, border, frame, quiet)
        elif line == shape.height - 1:
            pieces = self._bottom(row, border, frame)
        else:
            text = cut(clean(row.value), shape.width - 6)
            inner: Row = ((" ", "plain"), ("= ", "quiet"), (text, "quiet" if quiet else "plain")) if text else ()
            fill = " " * (shape.width - 2 - row_width(inner))
            pieces = ((border[3], frame), *inner, (fill, "plain"), (border[3], frame))
        return tuple((text, f"chosen {role}") for text, role in pieces) if box.node == chosen else pieces

    def _value_room(self, row: NodeRow) -> int:
        shape = self.picture.shape
        if shape.height > 2:
            return shape.width - 6
        told = width(row.name or row.code) + (width(row.label) + 1 if row.kind in ("op", "module") else 0)
        return max(shape.width - 7 - told, 4)

    def _top(self, row: NodeRow, border: str, frame: str, quiet: bool) -> Row:
        """The upper edge: the mark of now or of a node let go, what it does, its name; in a low box its value too."""
        shape, glyphs = self.picture.shape, self.glyphs
        mark = glyphs.now if row.now else glyphs.freed if row.freed and row.kind == "op" else ""
        room = shape.width - 4 - len(mark)
        value = clean(row.value) if shape.height == 2 else ""
        name = clean(row.name or row.code)
        label = clean(row.label) if row.kind in ("op", "module") or not name else ""
        if value and (value == name or (row.kind == "constant" and not name)):
            name, label, value = value, "", ""
        after = f" = {value}" if value else ""
        if row.kind == "leaf":
            name = shortened_path(name, max(room, 3))
        between = f" {border[1]} " if shape.height > 2 and border[1].strip() else " "
        if label and name and width(label + between + name + after) > room:
            between = " "
            # The operation says more than a long name, and a short name more than a long operation.
            spare = room - width(between + after)
            if spare < _TIGHT:
                label, name = "", cut(name, max(room - width(after), 3), glyphs.more)
            elif width(name) <= spare // 2:
                label = cut(label, spare - width(name), glyphs.more)
            else:
                label = cut(label, max(spare - width(name), spare // 2), glyphs.more)
                name = cut(name, spare - width(label), glyphs.more)
        lead = border[1] if width(label + between * bool(label and name) + name + after) < room else ""
        if mark:
            lead = mark
        role = "here" if row.now else "quiet" if quiet else "leaf" if row.kind == "leaf" else "op"
        bright = "quiet" if quiet or not row.name else "strong"
        if row.kind == "leaf" and not row.now:
            bright = "leaf strong"
        if row.linked and not row.now:
            role, bright = f"{role} linked", f"{bright} linked"
        pieces: list[Piece] = [(border[0] + lead, frame), (" ", "plain")]
        if label:
            pieces.append((label, role))
        if name:
            pieces += [(between, frame)] if label else []
            pieces.append((name, role if row.now and not label else bright))
        if after:
            pieces += [(" = ", "quiet"), (value, "quiet" if quiet else "plain")]
        pieces = _held(pieces, shape.width - 2, glyphs.more)
        pieces.append((" ", "plain"))
        return (*pieces, (border[1] * (shape.width - 1 - row_width(pieces)) + border[2], frame))

    def _bottom(self, row: NodeRow, border: str, frame: str) -> Row:
        """The lower edge, and in it the gradient that reached the node."""
        shape, glyphs = self.picture.shape, self.glyphs
        if not row.grad:
            return ((border[4] + border[1] * (shape.width - 2) + border[5], frame),)
        lead = border[4] + (border[1] if shape.width >= 15 else "")
        grad = clean(row.grad)
        pieces: list[Piece] = [(lead, frame), (f" {glyphs.grad} " if shape.width >= 15 else glyphs.grad + " ", "grad")]
        room = shape.width - 2 - row_width(pieces)
        pieces.append((cut(grad, room, glyphs.more), "grad changed" if row.new else "grad"))
        if row.parts and len(row.parts) <= room and width(f"{grad} = {row.parts}") <= room:
            pieces += [(" = ", "quiet"), (clean(row.parts), "grad")]
        if row.new and row_width(pieces) <= shape.width - 4:
            pieces.append((f" {glyphs.new}", "grad"))
        pieces.append((" ", "plain"))
        return (*pieces, (border[1] * (shape.width - 1 - row_width(pieces)) + border[5], frame))


def _held(pieces: list[Piece], cells: int, more: str) -> list[Piece]:
    """The pieces in at most so many cells."""
    taken = 0
    for at, (text, role) in enumerate(pieces):
        size = width(text)
        if taken + size > cells:
            return [*pieces[:at], (cut(text, cells - taken, more), role)]
        taken += size
    return pieces


def _without(pieces: Row, cells: int) -> Row:
    """The row from so many cells on; of a wide character cut in half a blank is left."""
    out: list[Piece] = []
    for text, role in pieces:
        size = width(text)
        if cells >= size:
            cells -= size
            continue
        while cells > 0:
            first = width(text[0])
            text = " " * max(first - cells, 0) + text[1:]
            cells -= min(cells, first)
        out.append((text, role))
    return tuple(out)


_USES = 3
"""How many consumers are shown."""


class Around:
    """Which edges lead to each node and which from it, by their places in the list."""

    def __init__(self, edges: Sequence[Edge]) -> None:
        self.into: dict[int, list[int]] = {}
        self.out: dict[int, list[int]] = {}
        for place, edge in enumerate(edges):
            self.into.setdefault(edge.to, []).append(place)
            self.out.setdefault(edge.source, []).append(place)


def focus(node: int, edges: Sequence[Edge], around: Around, cells: int, page: int) -> Picture | None:
    """The boxes around a node, for so many cells and rows. What there is no room for is counted beside it."""
    into, out = around.into.get(node, ()), around.out.get(node, ())
    inputs = list(dict.fromkeys(edges[place].source for place in into))
    users = list(dict.fromkeys(edges[place].to for place in out))
    for abreast in range(min(max(len(inputs), 1), 9), 0, -1):
        found = _around(node, inputs[:abreast], users[:_USES], (into, out), edges, cells, page)
        if found is not None and (abreast == 1 or (found.width <= cells and found.height <= page)):
            return _noted(found, node, len(inputs[abreast:]), len(users[_USES:]))
    return None


def _around(
    node: int,
    inputs: Sequence[int],
    users: Sequence[int],
    around: tuple[Sequence[int], Sequence[int]],
    edges: Sequence[Edge],
    cells: int,
    page: int,
) -> Picture | None:
    """The picture of a node with these inputs and consumers: with high boxes where there is room for them."""
    into, out = around
    shown = [place for place in into if edges[place].source in inputs] + [
        place for place in out if edges[place].to in users
    ]
    pairs = [(edges[place].source, edges[place].to) for place in shown]
    layers = arrange([*inputs, node, *users], pairs)
    abreast = max(len(inputs), len(users), 2)
    width = max(min((cells - (abreast - 1)) // abreast, 25), 11)
    for height in (3, 2):
        found = picture(layers, pairs, Shape(width - 1 + width % 2, 1, height))
        if found is None or found.height <= page or height == 2:
            break
    if found is None:
        return None
    arrows = [[arrow._replace(edge=shown[arrow.edge]) for arrow in row] for row in found.arrows]
    return replace(found, arrows=arrows)


def _noted(found: Picture, node: int, inputs: int, users: int) -> Picture:
    """The picture with a word on how many there is no room for."""
    box = found.boxes[node]
    words = [ngettext("+{count} input", "+{count} inputs", inputs)] if inputs else []
    words += [ngettext("+{count} use", "+{count} uses", users)] if users else []
    notes = tuple(Note(0, box.y + line, box.x - 1, word) for line, word in enumerate(words))
    return replace(found, notes=notes)
