"""Model of the graph pane: the graph at the cursor, and the gradients sent over each edge.

`GraphModel` holds what the learner chose to show, and reuses what did not change since the last step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tutor.trace import events as ev
from tutor.trace.graph import gradients_sent, is_leaf
from tutor.trace.module_calls import with_ancestors
from tutor.trace.names import names_of
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.ui.panes.graph.folding import root_views
from tutor.ui.panes.graph.lanes import Edge, Graph, NodeRow
from tutor.ui.panes.graph.passes import LastPass
from tutor.ui.panes.graph.structure import (
    EVERYTHING,
    VIEWS,
    GraphOptions,
    GraphStructure,
    IncrementalBuilder,
    StructureBuilder,
)
from tutor.ui.panes.graph.texts import TERM_WIDTH, NodeTexts, gradient_text

# ------------------------------------------------------------ the graph at the cursor


_EMPTY = GraphStructure({}, [], {}, {}, {}, 0)


class GraphModel:
    """The graph at a step; reuses what did not change since the last one."""

    def __init__(self) -> None:
        self.options = GraphOptions()
        self.structure = _EMPTY
        self.linked: frozenset[int] = frozenset()
        """Nodes linked with the selection in another pane."""
        self.shows_newer = False
        """Whether a graph that is newer than the last pass is shown in its place."""
        self.state = State()
        """The state whose graph is shown: at the cursor, or in the last pass before it."""
        self.has_newer = False
        """Whether there is a graph at the cursor that is newer than the last pass."""
        self._path: set[int] | None = None
        """Items on the way from the selection to the root; None: all are bright."""
        self._users: tuple[object, dict[int, list[int]]] = (None, {})
        self._timeline: Timeline | None = None
        self._last_pass: LastPass | None = None
        self._builder: IncrementalBuilder | None = None
        self._texts: NodeTexts | None = None
        self._key: object = None
        self._leaves: set[int | None] = set()
        self._edges: list[Edge] = []
        self._ran: list[int] = []
        self._pass: int | None = None

    def at(self, timeline: Timeline, cursor: int) -> Graph:
        """Return the graph at a step."""
        if timeline is not self._timeline:
            self._timeline = timeline
            self.options.opened, self.options.open_repeats = {}, set()
            self._builder, self._key = IncrementalBuilder(StructureBuilder(timeline, self.options)), None
            self._texts, self._last_pass = NodeTexts(timeline), LastPass(timeline)
        assert self._texts is not None
        assert self._last_pass is not None
        state = self.state = timeline.state(cursor)
        event = timeline.event(cursor) if cursor else None
        self.has_newer = self._last_pass.exists_beside(state) and bool(state.shown)
        if not self.shows_newer:
            state = self.state = self._last_pass.at(state)
            event = event if state.step == cursor else None
        self._update_structure(state)
        self._update_shares(state)
        now = current_node(event, state)
        rows: dict[int, NodeRow] = {}
        texts = self._texts.at_step(state, self.structure, now, nodes_with_new_grad(event, state))

        def row(number: int) -> NodeRow:
            built = rows.get(number)
            if built is None:
                built = rows[number] = texts.row(self.structure.items[number])
            if self.is_linked(number) and not built.now:
                built = replace(built, linked=True)
            return built if self._path is None or number in self._path else replace(built, dim=True)

        current = None if now is None else self.structure.item_of.get(now, now if now in self.structure.items else None)
        return Graph(
            self.structure.numbers, self._edges, row, texts.fitted, current, state.showing_pass,
            self.structure.has_headings, texts.matrix,
        )  # fmt: skip

    def _update_structure(self, state: State) -> None:
        """Rebuild the structure if nodes came or went, or the options changed."""
        assert self._builder is not None
        shown = self._key[0] if isinstance(self._key, tuple) else None
        if shown != state.shown:
            grew = shown is not None and shown <= state.shown
            added = state.shown - shown if shown is not None and grew else state.shown
            nodes = (state.nodes[number] for number in added if number in state.nodes)
            leaves = {node.tensor for node in nodes if is_leaf(node)}
            self._leaves = self._leaves | leaves if grew else leaves
        unused = _unused(state, self._leaves)
        key = (state.shown, unused, self.options.key(), root_views(state))
        if key != self._key:
            self._key = (state.shown.copy(), *key[1:])
            self.structure = self._builder.build(state, unused)
            self._edges, self._ran, self._pass = self.structure.edges, [], None

    def _update_shares(self, state: State) -> None:
        """Write the gradients on the edges over which they were sent since the last step."""
        last = state.last_pass if state.showing_pass else None
        executed = [] if last is None else last.ran
        pass_number = None if last is None else last.number
        executed_before, self._ran = self._ran, executed
        shorter, longer = sorted((executed_before, executed), key=len)
        if pass_number != self._pass or longer[: len(shorter)] != shorter:
            self._edges, shorter = self.structure.edges, []
            longer = executed
        self._pass = pass_number
        edges_of, node_edges = self.structure.users, self.structure.shared
        changed = {index for node in longer[len(shorter) :] for index in edges_of.get(node, ())}
        if changed:
            self._edges = self._edges.copy()
            for index in changed:
                shares = [
                    gradient_text(part, "float32", TERM_WIDTH)
                    for pair in node_edges[index]
                    for part in gradients_sent(state, *pair)
                ]
                self._edges[index] = replace(self._edges[index], share=" + ".join(shares))

    # ------------------------------------------------------------ items and subjects

    def mark_path(self, numbers: Sequence[int]) -> None:
        """Dim all items but those on the way from these to the root; none in a small graph, or without a selection."""
        if not numbers or self.options.is_small(self.structure.operations):
            self._path = None
            return
        if self._users[0] is not self.structure:
            users: dict[int, list[int]] = {}
            for edge in self.structure.edges:
                users.setdefault(edge.source, []).append(edge.to)
            self._users = self.structure, users
        pending, path = [*numbers], set[int]()
        while pending:
            number = pending.pop()
            if number not in path:
                path.add(number)
                pending += self._users[1].get(number, ())
        self._path = path

    def is_linked(self, number: int) -> bool:
        """Return whether an item is linked with the selection in another pane."""
        item = self.structure.items.get(number)
        if item is None:
            return False
        tensor_number = -item.tensor if item.kind == "input" and item.tensor is not None else number
        return not self.linked.isdisjoint((*item.nodes, *item.views, number, tensor_number))

    def subject(self, number: int) -> tuple[str, int] | None:
        """Return the node or tensor that an item stands for, or None."""
        item = self.structure.items.get(number)
        if item is None or item.kind == "heading":
            return None
        if (item.kind in ("leaf", "op") or item.is_folded) and item.node:
            return "node", item.node
        if item.tensor in self.state.tensors:
            return "tensor", item.tensor
        return ("node", item.node) if item.node else None

    def item_of(self, subject: str, ref: int) -> int | None:
        """Return the item of a node or tensor, or None; what has no node may be given as its tensor, negated."""
        if subject == "node" and ref > 0:
            return self.structure.item_of.get(ref)
        if subject == "node":
            ref = -ref
        record = self.state.tensors.get(ref)
        if record is not None and record.node in self.structure.item_of:
            return self.structure.item_of[record.node]
        numbers = (item.number for item in self.structure.items.values() if item.tensor == ref)
        return next(numbers, None)

    # ------------------------------------------------------------ options

    def next_level(self) -> int:
        """Show more detail, or after everything the least; return the level."""
        level = self.options.level_of(self.structure.operations)
        level = (level + 1) % (EVERYTHING + 1)
        if level == VIEWS and not self.hidden_views:  # it would be the same as what is shown
            level = EVERYTHING
        self.options.level = level
        return level

    @property
    def hidden_views(self) -> int:
        """The number of hidden views."""
        return sum(len(item.views) for item in self.structure.items.values())

    def can_open(self, number: int) -> bool:
        """Return whether an item is a closed module or a repeated chain."""
        item = self.structure.items.get(number)
        return item is not None and item.is_folded

    def can_close(self, number: int) -> bool:
        """Return whether an item is inside an open module or chain."""
        return self._around(number) is not None

    def open(self, number: int) -> int | None:
        """Open a module or a chain; return the node to select then."""
        item = self.structure.items.get(number)
        if item is None or not item.is_folded:
            return None
        if item.kind == "repeat":
            self.options.open_repeats.update(self.structure.repeats[item.node].keys)
        else:
            self.options.opened[item.module or 0] = True
        return item.nodes[0]

    def close(self, number: int) -> int | None:
        """Fold the chain or the innermost module around an item; return a node in it."""
        around = self._around(number)
        if around is None:
            return None
        kind, ref = around
        if kind == "repeat":
            self.options.open_repeats.difference_update(self.structure.repeats[ref].keys)
        else:
            self.options.opened[ref] = False
        return self.structure.items[number].node

    def _around(self, number: int) -> tuple[str, int] | None:
        """Return the open chain, by a node of it, or the innermost open module around an item."""
        item = self.structure.items.get(number)
        if item is None or not item.node or not (item.kind in ("op", "leaf") or item.is_folded):
            return None
        if item.kind in ("op", "module") and item.node in self.structure.repeats:
            return "repeat", item.node
        module = item.module
        if (item.kind == "module" or item.calls) and module is not None:
            module = self.state.modules[module].parent
        elif item.kind == "leaf":
            consumers = self.structure.consumers.get(item.node, [])
            module = self.state.nodes[consumers[0]].module if consumers else None
        chain = with_ancestors(self.state.modules, module)
        return ("module", chain[-1]) if chain else None


def _unused(state: State, used: set[int | None]) -> tuple[int, ...]:
    """Return named leaves that no operation has used yet (autograd has no node for them); none beside a pass."""
    if state.showing_pass:
        return ()
    named = {number for frame in state.frames for number in names_of(state, frame).values()} - used
    tensors = (state.tensors[number] for number in named if number is not None)
    return tuple(sorted(tensor.tensor for tensor in tensors if tensor.is_leaf and tensor.requires_grad))


# ------------------------------------------------------------ nodes of a step


def current_node(event: ev.Event | None, state: State) -> int | None:
    """Return the node that just ran or was just made; a leaf that no operation has used is its tensor, negated."""
    if isinstance(event, (ev.Node, ev.Accumulate)) or (isinstance(event, ev.HookRan) and event.node is not None):
        return event.node
    if isinstance(event, ev.Op) and event.outputs:
        tensor = state.tensors.get(event.outputs[0])
        if tensor is None:
            return None
        return -tensor.tensor if tensor.is_leaf else tensor.node
    if isinstance(event, (ev.Retained, ev.HookRan, ev.Captured)):
        tensor = state.tensors.get(event.tensor)
        if tensor is None or tensor.node is not None:
            return None if tensor is None else tensor.node
        return next((node.node for node in state.nodes.values() if node.tensor == event.tensor and is_leaf(node)), None)
    return None


def nodes_with_new_grad(event: ev.Event | None, state: State) -> set[int]:
    """Return the nodes whose gradient this step changed: those it was sent to, or the leaf that accumulated it."""
    if isinstance(event, ev.Accumulate):
        return {event.node}
    if isinstance(event, ev.Node):
        node = state.nodes.get(event.node)
        sources = () if node is None else zip(node.inputs, event.grad_inputs, strict=False)
        sent = {source[0] for source, value in sources if source is not None and value is not None}
        return sent | ({event.node} if state.last_pass is not None and len(state.last_pass.ran) == 1 else set())
    return set()
