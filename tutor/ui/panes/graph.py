"""The graph pane: lanes that grow as the code runs, gradients that appear as the backward pass climbs them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

from tutor.trace import events as ev
from tutor.trace.events import Value
from tutor.trace.graph import graph_of, is_leaf
from tutor.trace.scope import names_of
from tutor.trace.state import NodeState, State
from tutor.ui.draw import graph as drawing
from tutor.ui.draw.graph import Edge, Graph, Measures, NodeRow
from tutor.ui.draw.lanes import Lanes, layout
from tutor.ui.draw.row import Row, clean, width
from tutor.ui.panes.pane import Pane
from tutor.ui.reading import Flow, Namer, Texts, brief, figure, shows_pass

_VALUE = 24
"""The widest a value gets."""
_BACK = 2_000
"""How many steps back the expression is looked for that made a tensor without a name."""


class GraphPane(Pane):
    """One row per node, in the order of execution."""

    NAME = "graph"
    CHOOSES = True

    def __init__(self) -> None:
        super().__init__()
        self._graph = Graph((), (), _nothing, _as_it_is)
        self._place: dict[int, int] = {}
        self._lanes = Lanes((), 0)
        self._sizes: Measures | None = None
        self._key: object = None
        self._title: Row = ()
        self._totals: dict[int, int] = {}
        self._hint = ""
        self._text = Texts(figure, _VALUE)
        self._codes: dict[int, str] = {}
        """By tensor without a name: the expression that made it, once looked for."""

    def prepare(self) -> None:
        timeline = self.timeline
        if timeline is None:
            return
        state = timeline.state(self.cursor)
        nodes, edges = graph_of(state)
        nodes = nodes + _unused(state, {node.tensor for node in nodes})
        event = timeline.event(self.cursor) if self.cursor else None
        now = _node_of(event, state)
        sent = touched(event, state)
        name, flow = Namer(state), Flow(state)
        self._find_codes({node.tensor for node in nodes if node.tensor and not is_leaf(node) and not name(node.tensor)})
        by_number = {node.node: node for node in nodes}
        self._graph = Graph(
            list(by_number),
            [Edge(source, to) for source, to in edges],
            cache(lambda number: self._node_row(state, by_number[number], name, flow, now, sent)),
            partial(_fitted, state, by_number, flow),
            now,
        )
        key = self._graph.nodes, edges
        if key != self._key:
            self._key, self._lanes = key, layout(*key)
            self._place = {node: index for index, node in enumerate(self._graph.nodes)}
        self._title = self._heading(state, event)
        self._hint = "" if nodes else "leaves and operations appear here"
        at = self.in_view()
        centre = 0 if at is None else self._lanes.rows[at].at
        rows = [self._graph.row(node) for node in self._graph.nodes]
        self._sizes = drawing.measure(rows, self._lanes, self.inner, centre) if nodes else None

    def _find_codes(self, unnamed: set[int]) -> None:
        """The expressions that made these tensors, from the operations not long before the cursor."""
        timeline = self.timeline
        assert timeline is not None
        wanted = unnamed - self._codes.keys()
        self._codes.update(dict.fromkeys(wanted, ""))
        for step in range(self.cursor, max(self.cursor - _BACK, 0), -1):
            if not wanted:
                return
            event = timeline.event(step) if timeline.kind(step) == "op" else None
            if not isinstance(event, ev.Op) or not event.outputs or event.outputs[0] not in wanted:
                continue
            wanted.discard(event.outputs[0])
            site = timeline.sites.get(event.site)
            code = None if site is None or site.depth else timeline.book.code(site.file, site.span)
            self._codes[event.outputs[0]] = clean(" ".join((code or "").split()))

    def _node_row(
        self, state: State, node: NodeState, name: Namer, flow: Flow, now: int | None, sent: set[int]
    ) -> NodeRow:
        value, dtype = _value_of(state, node)
        leaf = is_leaf(node)
        text = "" if value is None else self._text(value, dtype)
        if value is None and node.shape is not None:
            text = "x".join(map(str, node.shape)) or "scalar"
        grad, parts = flow.reached(node)
        shares = " + ".join(brief(part, dtype) for part in parts) if len(parts) > 1 else ""
        return NodeRow(
            node.node, drawing.label_of(node.name), name(node.tensor), text,
            grad=self._text(grad, dtype) if grad is not None else shares,
            parts=shares if grad is not None else "",
            code=self._codes.get(node.tensor or 0, ""), kind="leaf" if leaf else "op", freed=node.state == "freed",
            now=node.node == now, new=node.node in sent,
        )  # fmt: skip

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
        if index >= len(self._graph.nodes):
            return None
        node = self._graph.nodes[index]
        return ("node", node) if node > 0 else ("tensor", -node)


def _nothing(node: int) -> NodeRow:
    raise KeyError(node)


def _as_it_is(row: NodeRow, value: int, grad: int) -> NodeRow:
    return row


def _value_of(state: State, node: NodeState) -> tuple[Value, str]:
    """What a node made, or what the leaf holds; and of which kind its numbers are."""
    tensor = None if node.tensor is None else state.tensors.get(node.tensor)
    dtype = tensor.dtype if tensor is not None else "float32"
    return (node.value if tensor is None or not is_leaf(node) else tensor.value), dtype


def _fitted(
    state: State, nodes: dict[int, NodeState], flow: Flow, row: NodeRow, cells: int, grad_cells: int
) -> NodeRow:
    node = nodes[row.node]
    value, dtype = _value_of(state, node)
    grad, _ = flow.reached(node)
    if value is not None and width(row.value) > cells:
        row = replace(row, value=figure(value, dtype, cells))
    if grad is not None and width(row.grad) > grad_cells:
        row = replace(row, grad=figure(grad, dtype, grad_cells))
    return row


def _unused(state: State, known: set[int | None]) -> list[NodeState]:
    """Leaves that no operation has used yet, as nodes: autograd has none for them. Not beside a backward pass."""
    if shows_pass(state):
        return []
    leaves = {number for frame in state.frames for number in names_of(state, frame).values()} - known
    return [
        NodeState(-number, "AccumulateGrad", [], number, -1, [])
        for number in sorted(leaves)
        if state.tensors[number].is_leaf and state.tensors[number].requires_grad
    ]


def _node_of(event: ev.Event | None, state: State) -> int | None:
    """The node that just ran, or that the operation just made."""
    if isinstance(event, (ev.Node, ev.Accumulate)):
        return event.node
    if isinstance(event, ev.Op) and event.outputs:
        tensor = state.tensors.get(event.outputs[0])
        if tensor is None:
            return None
        return -tensor.tensor if tensor.is_leaf else tensor.node
    if isinstance(event, (ev.Retained, ev.HookRan, ev.Captured)):
        tensor = state.tensors.get(event.tensor)
        return None if tensor is None else tensor.node
    return None


def touched(event: ev.Event | None, state: State) -> set[int]:
    """The nodes whose gradient this step changed: those that it was sent to, and a leaf that took it."""
    if isinstance(event, ev.Accumulate):
        return {event.node}
    if isinstance(event, ev.Node):
        node = state.nodes.get(event.node)
        sources = () if node is None else zip(node.inputs, event.grad_inputs, strict=False)
        sent = {source[0] for source, value in sources if source is not None and value is not None}
        return sent | ({event.node} if state.last_pass is not None and len(state.last_pass.ran) == 1 else set())
    return set()
