"""The three views of the graph: lanes, boxes, and a node with its neighbours; and which of them fits the pane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from tutor.i18n import N_
from tutor.text_width import width
from tutor.ui.panes.graph import lanes as lane_rows
from tutor.ui.panes.graph.boxes import (
    MAX_NODES,
    BoxDrawing,
    BoxLayout,
    IncidentEdges,
    Shape,
    layout_boxes,
    layout_neighbourhood,
    matrix_rows,
    wanted_widths,
)
from tutor.ui.panes.graph.lanes import ColumnWidths, Edge, Graph, Lanes, Widest, extend_lanes
from tutor.ui.panes.graph.layered_layout import Layers, arrange_layers
from tutor.ui.panes.graph.names import short_names, without_place
from tutor.ui.render.segments import Glyphs, Row

VIEWS = (N_("lanes"), N_("boxes"), N_("focus"))
_MEASURED_ROWS = 200
"""Up to this many rows, all are measured; of more, those that have been visible."""


class View(Protocol):
    """The interface of a view to the pane."""

    @property
    def name(self) -> str:
        """One of VIEWS."""

    def count(self) -> int:
        """Return the number of rows."""

    def prepare_rows(self, top: int, page: int, cells: int) -> None:
        """Prepare to draw the rows from `top` on."""

    def row(self, index: int, cells: int, chosen: int | None) -> Row:
        """Return a row."""

    def row_of(self, node: int) -> int | None:
        """Return the row to keep visible, with one on either side, to show a node; None if it is not shown."""

    def node_at(self, index: int, column: int) -> int | None:
        """Return the node at a row and column, or None."""


class LanesView:
    """One row per node."""

    name = "lanes"

    def __init__(self, graph: Graph, lanes: Lanes, glyphs: Glyphs, widest: Widest) -> None:
        self.graph, self.lanes, self.glyphs = graph, lanes, glyphs
        self.widest = widest
        """Greatest widths so far of label, name, expression and value."""
        self._widths: ColumnWidths | None = None
        self._names: list[str] = []

    def count(self) -> int:
        return len(self.graph.nodes)

    def prepare_rows(self, top: int, page: int, cells: int) -> None:
        nodes = self.graph.nodes if len(self.graph.nodes) <= _MEASURED_ROWS else self.graph.nodes[top : top + page]
        rows = [self.graph.row(node) for node in nodes]
        self._names = [row.name for row in rows if row.name]
        self.widest = lane_rows.widest(rows, self.widest)
        current_row = self.row_of(self.graph.now) if self.graph.now is not None else None
        self._widths = lane_rows.column_widths(
            self.widest, self.lanes, cells, 0 if current_row is None else self.lanes.at[current_row],
            self.graph.has_gradients,
        )  # fmt: skip

    def row(self, index: int, cells: int, chosen: int | None) -> Row:
        widths = self._widths
        assert widths is not None
        row = self.graph.row(self.graph.nodes[index])
        is_operand, value_cells = row.kind in ("constant", "input"), lane_rows.value_room(row, widths)
        if width(row.value) > value_cells or (widths.grad and width(row.grad) > widths.grad):
            row = self.graph.fitted(row, value_cells, widths.grad)
        if width(row.name) > widths.name:
            cells = lane_rows.name_room(row, widths)
            if not (widths.value and (row.value or row.shape)):
                cells += widths.value + (widths.grad if is_operand else 0)
            name = without_place(row.name)
            row = replace(row, name=short_names(self._names, cells).get(name, name))
        return lane_rows.node_line(row, self.lanes, index, widths, self.glyphs)

    def row_of(self, node: int) -> int | None:
        return self.lanes.place.get(node)

    def node_at(self, index: int, column: int) -> int | None:
        return self.graph.nodes[index] if index < len(self.graph.nodes) else None


class BoxesView:
    """Boxes, of which the pane may show a part."""

    def __init__(self, name: str, graph: Graph, layout: BoxLayout, glyphs: Glyphs) -> None:
        self.name = name
        self.layout = layout
        self._drawing = BoxDrawing(layout, graph, glyphs)
        self.left = 0
        """The first visible column."""

    def count(self) -> int:
        return self.layout.height

    def scroll_to(self, node: int | None, left: int, cells: int) -> None:
        """Begin at column `left`, or where the box of a node is visible; centre the graph if it fits."""
        spare = cells - self.layout.width
        box = None if node is None else self.layout.boxes.get(node)
        if spare >= 0:
            self.left = -(spare // 2)
            return
        if box is not None:
            left = max(min(left, box.x - 1), box.x + self.layout.shape.width + 1 - cells)
        self.left = max(0, min(left, -spare))

    def prepare_rows(self, top: int, page: int, cells: int) -> None:
        pass

    def row(self, index: int, cells: int, chosen: int | None) -> Row:
        return self._drawing.row(index, self.left, cells, chosen)

    def row_of(self, node: int) -> int | None:
        box = self.layout.boxes.get(node)
        return None if box is None else box.y + 1

    def node_at(self, index: int, column: int) -> int | None:
        if index >= len(self.layout.rows):
            return None
        x, box_width = self.left + column, self.layout.shape.width
        return next((box.node for box in self.layout.rows[index] if box.x <= x < box.x + box_width), None)


_HIGH_SHAPES = (Shape(25, 3, 3), Shape(21, 3, 3), Shape(17, 3, 3))
_LOW_SHAPES = (Shape(25, 3, 2), Shape(21, 3, 2), Shape(19, 1, 2), Shape(17, 1, 2))
"""Shapes in order of preference, from the width on that is enough for most names."""
_WIDEST, _WIDER_BY = 61, 2
"""Cells of the widest box for long names, and between two widths that are tried."""
_LOW_SHAPE = Shape(17, 1, 2)
"""Shape used if not all boxes fit, but low ones need no scrolling down."""


def _wider(shape: Shape, wanted: int) -> tuple[Shape, ...]:
    """Return shapes for names that a shape has no room for, the widest first."""
    return tuple(shape._replace(width=cells) for cells in range(min(wanted, _WIDEST), shape.width, -_WIDER_BY))


class ViewSelector:
    """Selects the view of a graph, and reuses its layout while the graph stays the same."""

    def __init__(self) -> None:
        self.wanted: str | None = None
        """The view asked for; None: boxes if all fit, else lanes."""
        self.refused = ""
        """Why the view is not the one asked for; empty if it is."""
        self._nodes: Sequence[int] = ()
        self._lanes: Lanes | None = None
        self._last_lanes: tuple[Lanes, Sequence[Edge]] = (Lanes(), ())
        """The last lanes, and the edges they are for: if nodes were only added, they are extended."""
        self._layers: Layers | None = None
        self._layouts: dict[tuple[Shape, bool], BoxLayout | None] = {}
        """By shape, and whether matrices are shown as numbers."""
        self._lines: dict[int, int] | None = None
        """By node whose value is a small matrix: its rows."""
        self._wanted_widths = 0, 0
        """Cells for the longest name in a high box, and in a low one, as they were when the graph was first shown."""
        self._incident_edges: IncidentEdges | None = None
        self._neighbourhood: tuple[object, BoxLayout | None] = ((), None)
        self._widest: Widest = (0, 0, 0, 0)
        self._left = 0
        self._outgrown: tuple[int, int] | None = None
        """Pane size at which boxes no longer fitted: they do not return as soon as they fit again."""

    def next_view(self, shown: str) -> str:
        """Ask for the next view; return its name."""
        self.wanted = VIEWS[(VIEWS.index(self.wanted or shown) + 1) % len(VIEWS)]
        return self.wanted

    def view(self, graph: Graph, node: int | None, cells: int, page: int, glyphs: Glyphs, before: View | None) -> View:
        """Return the view of a graph around a node, in `cells` by `page` cells."""
        if graph.nodes is not self._nodes:
            fewer = len(graph.nodes) < len(self._nodes)
            self._nodes, self._lanes, self._layers, self._incident_edges = graph.nodes, None, None, None
            self._layouts, self._lines, self._neighbourhood = {}, None, ((), None)
            self._widest = (0, 0, 0, 0) if fewer else self._widest
        if isinstance(before, LanesView):
            self._widest = before.widest if len(before.graph.nodes) <= len(graph.nodes) else self._widest
        boxes: BoxLayout | None = None
        self.refused = ""
        if self.wanted == "focus" and node is not None:
            key = node, cells, page
            if self._incident_edges is None:
                self._incident_edges = IncidentEdges(graph.edges)
            if self._neighbourhood[0] != key:
                self._neighbourhood = key, layout_neighbourhood(node, graph.edges, self._incident_edges, cells, page)
            boxes = self._neighbourhood[1]
        elif self.wanted == "boxes" or (self.wanted is None and not graph.has_headings):
            boxes = self._lay_out_boxes(graph, cells, page, glyphs)
        if boxes is None:
            if self.wanted in ("boxes", "focus") and graph.nodes:
                self.refused = N_("too large for focus") if self.wanted == "focus" else N_("too large for boxes")
            return LanesView(graph, self._lay_out_lanes(graph), glyphs, self._widest)
        view = BoxesView("focus" if self.wanted == "focus" else "boxes", graph, boxes, glyphs)
        view.scroll_to(node, before.left if isinstance(before, BoxesView) and before.name == view.name else 0, cells)
        return view

    def _lay_out_lanes(self, graph: Graph) -> Lanes:
        if self._lanes is None:
            before, edges = self._last_lanes
            rows, count = len(before.nodes), len(edges)
            added = graph.edges[count:]
            if (
                graph.nodes[:rows] != before.nodes
                or graph.edges[:count] != edges
                or any(edge.to in before.place for edge in added)
            ):
                before, added, rows = Lanes(), graph.edges, 0
            pairs = [(edge.source, edge.to) for edge in added for _ in range(min(edge.times, 2))]
            self._lanes = extend_lanes(before, graph.nodes[rows:], pairs)
            self._last_lanes = self._lanes, graph.edges
        return self._lanes

    def _lay_out_boxes(self, graph: Graph, cells: int, page: int, glyphs: Glyphs) -> BoxLayout | None:
        """Return the largest boxes that fit; if none do, boxes to be scrolled if they were asked for, else None."""
        if self.wanted is None and self._outgrown == (cells, page):
            return None
        pairs = [(edge.source, edge.to) for edge in graph.edges]
        if self._layers is None and len(graph.nodes) <= MAX_NODES:
            nodes = [node for node in graph.nodes if graph.row(node).kind != "heading"]
            self._layers = arrange_layers(nodes, pairs)
        if self._lines is None:
            grids = (
                (node, len(matrix_rows(graph, node, _HIGH_SHAPES[0].width - 4, glyphs)))
                for node in graph.nodes[:MAX_NODES]
            )
            self._lines = {node: count for node, count in grids if count}
            self._wanted_widths = wanted_widths(graph, graph.nodes[:MAX_NODES])
        high, low = self._wanted_widths
        high_shapes = (*_wider(_HIGH_SHAPES[0], high), *_HIGH_SHAPES)
        for shape in high_shapes if self._lines else ():
            boxes = self._layout_in(shape, pairs, self._lines)
            if boxes is not None and boxes.width <= cells and boxes.height <= page:
                return boxes
        layers = self._layers.layers if self._layers is not None else []
        columns = max((sum(not spot.passing for spot in layer) for layer in layers), default=0)
        for shape in (*high_shapes, *_wider(_LOW_SHAPES[0], low), *_LOW_SHAPES):
            fits = (
                len(layers) * (shape.height + 1) - 1 <= page
                and columns * (shape.width + shape.gap) <= cells + shape.gap
            )
            boxes = self._layout_in(shape, pairs) if fits else None
            if boxes is not None and boxes.width <= cells and boxes.height <= page:
                return boxes
        if self.wanted is None:
            self._outgrown = cells, page
            return None
        all_high = [boxes for shape in high_shapes if (boxes := self._layout_in(shape, pairs)) is not None]
        low_boxes = self._layout_in(_LOW_SHAPE, pairs)
        if low_boxes is not None and low_boxes.height <= page < min((boxes.height for boxes in all_high), default=0):
            return low_boxes
        return next((boxes for boxes in all_high if boxes.width <= cells), all_high[-1] if all_high else None)

    def _layout_in(
        self, shape: Shape, pairs: Sequence[tuple[int, int]], lines: dict[int, int] | None = None
    ) -> BoxLayout | None:
        key = shape, lines is not None
        if key not in self._layouts:
            self._layouts[key] = None if self._layers is None else layout_boxes(self._layers, pairs, shape, lines)
        return self._layouts[key]
