"""A picture of boxes as rows of text: what each box says, the lines between, the shares at the arrows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tutor.text_width import cut, width
from tutor.ui.draw.boxes import Box, Picture
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.graph import Graph, NodeRow
from tutor.ui.draw.row import Piece, Row, clean, row_width
from tutor.ui.draw.shortening import shortened_path

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
