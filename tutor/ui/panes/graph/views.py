"""The three views of the graph, as rows to be shown in a pane: lanes, boxes, and one node with those around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tutor.i18n import N_
from tutor.text_width import width
from tutor.ui.panes.graph import lanes as drawing
from tutor.ui.panes.graph.boxes import MOST, Around, Picture, Shape, Sheet, focus, picture
from tutor.ui.panes.graph.lanes import Edge, Graph, Lanes, Measures, Widest, grown
from tutor.ui.panes.graph.layered_layout import Layers, arrange
from tutor.ui.render.segments import Glyphs, Row

VIEWS = (N_("lanes"), N_("boxes"), N_("focus"))
_FEW = 200
"""Of so many rows all are looked at to find how wide each part must be; of more, those that have been in view."""


class View(Protocol):
    """What the pane needs to know of a view."""

    @property
    def name(self) -> str:
        """One of VIEWS."""

    def count(self) -> int:
        """How many rows there are."""

    def look(self, top: int, page: int, cells: int) -> None:
        """These rows are about to be drawn."""

    def row(self, index: int, cells: int, chosen: int | None) -> Row:
        """One row."""

    def row_of(self, node: int) -> int | None:
        """The row that must be in view, with one on either side, to see a node."""

    def node_at(self, index: int, column: int) -> int | None:
        """The node at a place."""


class LanesView:
    """One row per node."""

    name = "lanes"

    def __init__(self, graph: Graph, lanes: Lanes, glyphs: Glyphs, widest: Widest) -> None:
        self.graph, self.lanes, self.glyphs = graph, lanes, glyphs
        self.widest = widest
        """The label, the name and the value: so many cells has had the widest."""
        self._sizes: Measures | None = None

    def count(self) -> int:
        return len(self.graph.nodes)

    def look(self, top: int, page: int, cells: int) -> None:
        nodes = self.graph.nodes if len(self.graph.nodes) <= _FEW else self.graph.nodes[top : top + page]
        rows = [self.graph.row(node) for node in nodes]
        self.widest = drawing.widest(rows, self.widest)
        now = self.row_of(self.graph.now) if self.graph.now is not None else None
        self._sizes = drawing.measure(self.widest, self.lanes, cells, 0 if now is None else self.lanes.at[now])

    def row(self, index: int, cells: int, chosen: int | None) -> Row:
        sizes = self._sizes
        assert sizes is not None
        row = self.graph.row(self.graph.nodes[index])
        if width(row.value) > sizes.value or width(row.grad) > sizes.grad:
            row = self.graph.fitted(row, sizes.value, sizes.grad)
        return drawing.line(row, self.lanes, index, sizes, self.glyphs)

    def row_of(self, node: int) -> int | None:
        return self.lanes.place.get(node)

    def node_at(self, index: int, column: int) -> int | None:
        return self.graph.nodes[index] if index < len(self.graph.nodes) else None


class BoxesView:
    """A picture of boxes, of which the pane may show a part."""

    def __init__(self, name: str, graph: Graph, picture: Picture, glyphs: Glyphs) -> None:
        self.name = name
        self.picture = picture
        self._sheet = Sheet(picture, graph, glyphs)
        self.left = 0
        """The column of the picture that the pane begins with."""

    def count(self) -> int:
        return self.picture.height

    def bring(self, node: int | None, left: int, cells: int) -> None:
        """Begin at `left`, or where the box of a node is in view; in the middle, where there is room for all."""
        spare = cells - self.picture.width
        box = None if node is None else self.picture.boxes.get(node)
        if spare >= 0:
            self.left = -(spare // 2)
            return
        if box is not None:
            left = max(min(left, box.x - 1), box.x + self.picture.shape.width + 1 - cells)
        self.left = max(0, min(left, -spare))

    def look(self, top: int, page: int, cells: int) -> None:
        pass

    def row(self, index: int, cells: int, chosen: int | None) -> Row:
        return self._sheet.row(index, self.left, cells, chosen)

    def row_of(self, node: int) -> int | None:
        box = self.picture.boxes.get(node)
        return None if box is None else box.y + 1

    def node_at(self, index: int, column: int) -> int | None:
        if index >= len(self.picture.rows):
            return None
        x, size = self.left + column, self.picture.shape.width
        return next((box.node for box in self.picture.rows[index] if box.x <= x < box.x + size), None)


_SHAPES = (Shape(25, 3, 3), Shape(21, 3, 3), Shape(17, 3, 3), Shape(25, 3, 2), Shape(21, 3, 2), Shape(19, 1, 2),
           Shape(17, 1, 2))  # fmt: skip
"""Boxes as they are tried: the first that fit are taken."""
_LOW = Shape(17, 1, 2)
"""Boxes where not all of them fit, but where so low ones need not be scrolled down."""


class Chooser:
    """Finds the view of a graph, and keeps what was laid out as long as the graph stays the same."""

    def __init__(self) -> None:
        self.wanted: str | None = None
        """The view asked for; None: boxes where all fits, else lanes."""
        self.refused = ""
        """Why it is not the one asked for."""
        self._nodes: Sequence[int] = ()
        self._lanes: Lanes | None = None
        self._drawn: tuple[Lanes, Sequence[Edge]] = (Lanes(), ())
        """The last lanes, and what edges they are of: where the graph only grew, they grow."""
        self._layers: Layers | None = None
        self._pictures: dict[Shape, Picture | None] = {}
        self._around: Around | None = None
        self._focus: tuple[object, Picture | None] = ((), None)
        self._widest: Widest = (0, 0, 0, 0)
        self._left = 0
        self._outgrown: tuple[int, int] | None = None
        """The size of the pane in which boxes did not fit once: they do not come back as soon as they would."""

    def turn(self, shown: str) -> str:
        """Ask for the next view."""
        self.wanted = VIEWS[(VIEWS.index(self.wanted or shown) + 1) % len(VIEWS)]
        return self.wanted

    def view(self, graph: Graph, node: int | None, cells: int, page: int, glyphs: Glyphs, before: View | None) -> View:
        """The view of a graph around a node, for so many cells and rows."""
        if graph.nodes is not self._nodes:
            fewer = len(graph.nodes) < len(self._nodes)
            self._nodes, self._lanes, self._layers, self._around = graph.nodes, None, None, None
            self._pictures, self._focus = {}, ((), None)
            self._widest = (0, 0, 0, 0) if fewer else self._widest
        if isinstance(before, LanesView):
            self._widest = before.widest if len(before.graph.nodes) <= len(graph.nodes) else self._widest
        found: Picture | None = None
        self.refused = ""
        if self.wanted == "focus" and node is not None:
            key = node, cells, page
            if self._around is None:
                self._around = Around(graph.edges)
            if self._focus[0] != key:
                self._focus = key, focus(node, graph.edges, self._around, cells, page)
            found = self._focus[1]
        elif self.wanted == "boxes" or (self.wanted is None and not graph.apart):
            found = self._boxes(graph, cells, page)
        if found is None:
            if self.wanted in ("boxes", "focus") and graph.nodes:
                self.refused = N_("too large for focus") if self.wanted == "focus" else N_("too large for boxes")
            return LanesView(graph, self._in_lanes(graph), glyphs, self._widest)
        view = BoxesView("focus" if self.wanted == "focus" else "boxes", graph, found, glyphs)
        view.bring(node, before.left if isinstance(before, BoxesView) and before.name == view.name else 0, cells)
        return view

    def _in_lanes(self, graph: Graph) -> Lanes:
        if self._lanes is None:
            before, edges = self._drawn
            rows, count = len(before.nodes), len(edges)
            added = graph.edges[count:]
            if (
                graph.nodes[:rows] != before.nodes
                or graph.edges[:count] != edges
                or any(edge.to in before.place for edge in added)
            ):
                before, added, rows = Lanes(), graph.edges, 0
            pairs = [(edge.source, edge.to) for edge in added for _ in range(min(edge.times, 2))]
            self._lanes = grown(before, graph.nodes[rows:], pairs)
            self._drawn = self._lanes, graph.edges
        return self._lanes

    def _boxes(self, graph: Graph, cells: int, page: int) -> Picture | None:
        """The boxes, as large as fits; where none fit, those that are scrolled, if they were asked for."""
        if self.wanted is None and self._outgrown == (cells, page):
            return None
        pairs = [(edge.source, edge.to) for edge in graph.edges]
        if self._layers is None and len(graph.nodes) <= MOST:
            drawn = [node for node in graph.nodes if graph.row(node).kind != "heading"]
            self._layers = arrange(drawn, pairs)
        depth = len(self._layers.layers) if self._layers is not None else 0
        for shape in _SHAPES:
            least = depth * (shape.height + 1) - 1
            found = self._picture(shape, pairs) if least <= page else None
            if found is not None and found.width <= cells and found.height <= page:
                return found
        if self.wanted is None:
            self._outgrown = cells, page
            return None
        high = [found for shape in _SHAPES[:3] if (found := self._picture(shape, pairs)) is not None]
        low = self._picture(_LOW, pairs)
        if low is not None and low.height <= page < min((found.height for found in high), default=0):
            return low
        return next((found for found in high if found.width <= cells), high[-1] if high else None)

    def _picture(self, shape: Shape, pairs: Sequence[tuple[int, int]]) -> Picture | None:
        if shape not in self._pictures:
            self._pictures[shape] = None if self._layers is None else picture(self._layers, pairs, shape)
        return self._pictures[shape]
