"""The graph pane: lanes that grow as the code runs, gradients that appear as the backward pass climbs them."""

from __future__ import annotations

from tutor.trace import events as ev
from tutor.trace.state import State
from tutor.ui.draw import graph as drawing
from tutor.ui.draw.graph import Graph, Measures, NodeRow
from tutor.ui.draw.lanes import Lanes, layout
from tutor.ui.draw.row import Row, width
from tutor.ui.graphing import Grapher
from tutor.ui.panes.pane import Pane
from tutor.ui.reading import shows_pass


class GraphPane(Pane):
    """One row per node, in the order of execution."""

    NAME = "graph"
    CHOOSES = True

    def __init__(self) -> None:
        super().__init__()
        self.grapher = Grapher()
        self._graph = Graph((), (), _nothing, _as_it_is)
        self._place: dict[int, int] = {}
        self._lanes = Lanes((), 0)
        self._sizes: Measures | None = None
        self._key: object = None
        self._title: Row = ()
        self._totals: dict[int, int] = {}
        self._hint = ""

    def prepare(self) -> None:
        timeline = self.timeline
        if timeline is None:
            return
        graph = self._graph = self.grapher.at(timeline, self.cursor)
        state = timeline.state(self.cursor)
        event = timeline.event(self.cursor) if self.cursor else None
        if self._key is not self.grapher.skeleton:
            self._key = self.grapher.skeleton
            self._lanes = layout(graph.nodes, [(edge.source, edge.to) for edge in graph.edges])
            self._place = {node: index for index, node in enumerate(graph.nodes)}
        self._title = self._heading(state, event)
        self._hint = "" if graph.nodes else "leaves and operations appear here"
        at = self.in_view()
        centre = 0 if at is None else self._lanes.rows[at].at
        rows = [graph.row(node) for node in graph.nodes]
        self._sizes = drawing.measure(rows, self._lanes, self.inner, centre) if graph.nodes else None

    def _heading(self, state: State, event: ev.Event | None) -> Row:
        last = state.last_pass
        if last is None or not shows_pass(state):
            return (("forward", "value"),) if state.shown else ()
        title = f"backward pass {last.number}" if last.call == "backward" else f"autograd.grad, pass {last.number}"
        if self.tabs:  # there is less room beside tabs
            title = f"pass {last.number}"
        if not last.ran:
            return ((title, "grad"),)
        if not last.running and not isinstance(event, ev.BackwardEnd):
            return ((title, "grad"), (f" {self.glyphs.dot} over", "quiet"))
        return ((title, "grad"), (f" {self.glyphs.dot} node {len(last.ran)} of {self._total(state)}", "quiet"))

    def _total(self, state: State) -> int:
        """How many nodes this pass runs: as recorded where it has ended, else as many as can be reached."""
        assert state.last_pass is not None
        assert self.timeline is not None
        number = state.last_pass.number
        if number not in self._totals:
            info = next((info for info in self.timeline.passes if info.number == number), None)
            if info is None or info.end_step is None:
                return max(len(state.shown), len(state.last_pass.ran))
            ended = self.timeline.state(info.end_step).last_pass
            self._totals[number] = len(ended.ran) if ended is not None else len(state.last_pass.ran)
        return self._totals[number]

    def heading(self) -> Row:
        return self._title

    def count(self) -> int:
        return len(self._graph.nodes) or 1

    def row(self, index: int, cells: int) -> Row:
        if self._sizes is None:
            return ((self._hint, "note"),)
        row = self._graph.row(self._graph.nodes[index])
        if width(row.value) > self._sizes.value or width(row.grad) > self._sizes.grad:
            row = self._graph.fitted(row, self._sizes.value, self._sizes.grad)
        return drawing.line(row, self._lanes, index, self._sizes, self.glyphs)

    def in_view(self) -> int | None:
        return None if self._graph.now is None else self._place.get(self._graph.now)

    def subject(self, index: int) -> tuple[str, int] | None:
        return self.grapher.subject(self._graph.nodes[index]) if index < len(self._graph.nodes) else None


def _nothing(node: int) -> NodeRow:
    raise KeyError(node)


def _as_it_is(row: NodeRow, value: int, grad: int) -> NodeRow:
    return row
