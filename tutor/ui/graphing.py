"""What the graph pane shows at a point: the graph, and for each thing in it what there is to know and to do."""

from __future__ import annotations

from dataclasses import replace

from tutor.trace import events as ev
from tutor.trace.graph import is_leaf, sent_over
from tutor.trace.module_calls import around
from tutor.trace.names import names_of
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.ui.draw.graph import Edge, Graph, NodeRow
from tutor.ui.graph_rows import Rows
from tutor.ui.growing import Grower
from tutor.ui.reading import brief
from tutor.ui.skeleton import Builder, GraphOptions, Skeleton

EMPTY = Skeleton({}, [], {}, {}, {}, 0)


class Grapher:
    """Makes the graph at a point; what did not change since the last one is kept."""

    def __init__(self) -> None:
        self.wishes = GraphOptions()
        self.skeleton = EMPTY
        self.linked: frozenset[int] = frozenset()
        """Nodes that are linked with what is marked in another pane."""
        self._timeline: Timeline | None = None
        self._grower: Grower | None = None
        self._rows: Rows | None = None
        self._state = State()
        self._key: object = None
        self._leaves: set[int | None] = set()
        self._edges: list[Edge] = []
        self._ran: list[int] = []
        self._pass: int | None = None

    def at(self, timeline: Timeline, cursor: int) -> Graph:
        """The graph at a point."""
        if timeline is not self._timeline:
            self._timeline = timeline
            self.wishes.opened = {}
            self._grower, self._key = Grower(Builder(timeline, self.wishes)), None
            self._rows = Rows(timeline)
        assert self._rows is not None
        state = self._state = timeline.state(cursor)
        event = timeline.event(cursor) if cursor else None
        self._follow(state)
        self._share(state)
        now = now_of(event, state)
        known: dict[int, NodeRow] = {}
        say = self._rows.at(state, self.skeleton, now, touched(event, state))

        def row(number: int) -> NodeRow:
            made = known.get(number)
            if made is None:
                made = known[number] = say.row(self.skeleton.items[number])
            return replace(made, linked=True) if self.is_linked(number) and not made.now else made

        here = None if now is None else self.skeleton.item_of.get(now, now if now in self.skeleton.items else None)
        return Graph(self.skeleton.numbers, self._edges, row, say.fitted, here, self.skeleton.apart)

    def _follow(self, state: State) -> None:
        """Make the skeleton anew where nodes came or went, or the learner wants to see other things."""
        assert self._grower is not None
        shown = self._key[0] if isinstance(self._key, tuple) else None
        if shown != state.shown:
            grew = shown is not None and shown <= state.shown
            fresh = state.shown - shown if shown is not None and grew else state.shown
            nodes = (state.nodes[number] for number in fresh if number in state.nodes)
            leaves = {node.tensor for node in nodes if is_leaf(node)}
            self._leaves = self._leaves | leaves if grew else leaves
        unused = _unused(state, self._leaves)
        key = (state.shown, unused, self.wishes.others, dict(self.wishes.opened))
        if key != self._key:
            self._key = (state.shown.copy(), *key[1:])
            self.skeleton = self._grower.build(state, unused)
            self._edges, self._ran, self._pass = self.skeleton.edges, [], None

    def _share(self, state: State) -> None:
        """Write the shares on the edges over which gradients went since the last time."""
        last = state.last_pass if state.showing_pass else None
        ran = [] if last is None else last.ran
        number = None if last is None else last.number
        before, self._ran = self._ran, ran
        shorter, longer = sorted((before, ran), key=len)
        if number != self._pass or longer[: len(shorter)] != shorter:
            self._edges, shorter = self.skeleton.edges, []
            longer = ran
        self._pass = number
        users, shared = self.skeleton.users, self.skeleton.shared
        changed = {place for node in longer[len(shorter) :] for place in users.get(node, ())}
        if changed:
            self._edges = self._edges.copy()
            for place in changed:
                parts = [brief(part, "float32") for pair in shared[place] for part in sent_over(state, *pair)]
                self._edges[place] = replace(self._edges[place], share=" + ".join(parts))

    # ------------------------------------------------------------ what stands where

    def is_linked(self, number: int) -> bool:
        """Whether an item is linked with what is marked elsewhere."""
        item = self.skeleton.items.get(number)
        if item is None:
            return False
        data = -item.tensor if item.kind == "input" and item.tensor is not None else number
        return not self.linked.isdisjoint((*item.nodes, number, data))

    def subject(self, number: int) -> tuple[str, int] | None:
        """What there is to know about an item."""
        item = self.skeleton.items.get(number)
        if item is None or item.kind == "heading":
            return None
        if item.kind in ("leaf", "op", "module") and item.node:
            return "node", item.node
        if item.tensor in self._state.tensors:
            return "tensor", item.tensor
        return ("node", item.node) if item.node else None

    def item_of(self, subject: str, ref: int) -> int | None:
        """The item that stands for a node or a tensor; what has no node may be told as its tensor, negative."""
        if subject == "node" and ref > 0:
            return self.skeleton.item_of.get(ref)
        if subject == "node":
            ref = -ref
        held = self._state.tensors.get(ref)
        if held is not None and held.node in self.skeleton.item_of:
            return self.skeleton.item_of[held.node]
        found = (item.number for item in self.skeleton.items.values() if item.tensor == ref)
        return next(found, None)

    # ------------------------------------------------------------ what the learner may do

    def toggle_others(self) -> bool:
        """Show inputs without gradient and constants, or hide them; whether they are shown now."""
        self.wishes.others = not self.wishes.shows_others(self.skeleton.operations)
        return self.wishes.others

    def can_open(self, number: int) -> bool:
        """Whether an item is a closed module."""
        item = self.skeleton.items.get(number)
        return item is not None and item.kind == "module"

    def can_close(self, number: int) -> bool:
        """Whether an item stands in a module that is open."""
        return self._closable(number) is not None

    def open(self, number: int) -> int | None:
        """Show what is in a module; the item to mark then."""
        item = self.skeleton.items.get(number)
        if item is None or item.kind != "module" or item.module is None:
            return None
        self.wishes.opened[item.module] = True
        return item.nodes[0]

    def close(self, number: int) -> int | None:
        """Draw the innermost module around an item as one node; a node in it."""
        module = self._closable(number)
        if module is None:
            return None
        self.wishes.opened[module] = False
        return self.skeleton.items[number].node

    def _closable(self, number: int) -> int | None:
        item = self.skeleton.items.get(number)
        if item is None or item.kind not in ("op", "leaf", "module") or not item.node:
            return None
        module = item.module
        if item.kind == "module" and module is not None:
            module = self._state.modules[module].parent
        elif item.kind == "leaf":
            users = self.skeleton.feeds.get(item.node, [])
            module = self._state.nodes[users[0]].module if users else None
        chain = around(self._state.modules, module)
        return chain[-1] if chain else None


def _unused(state: State, used: set[int | None]) -> tuple[int, ...]:
    """Leaves with a name that no operation has used yet: autograd has no node for them. Not beside a backward pass."""
    if state.showing_pass:
        return ()
    named = {number for frame in state.frames for number in names_of(state, frame).values()} - used
    tensors = (state.tensors[number] for number in named if number is not None)
    return tuple(sorted(one.tensor for one in tensors if one.is_leaf and one.requires_grad))


def now_of(event: ev.Event | None, state: State) -> int | None:
    """The node that just ran, or that the operation just made; of a leaf that nothing has used its tensor, negative."""
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
