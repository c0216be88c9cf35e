"""Which nodes and edges the graph pane draws: what stays the same from step to step while no node comes or goes.

Skeletons of a graph that grows: where operations only came at its end, what was there stays as it is.

To make all of it anew with each of 10,000 nodes would take longer than all else in a step."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

from tutor.i18n import N_
from tutor.trace.graph import Edges, graph_of, is_leaf, part_of
from tutor.trace.module_calls import Call, around, fold, is_torchs
from tutor.trace.operands import shows_operands
from tutor.trace.state import NodeState, State
from tutor.trace.timeline import Timeline
from tutor.ui.panes.graph.lanes import Edge

SMALL = 12
"""Of at most so many operations everything is shown: numbers, data, and what is inside of torch's own modules."""
_WITH_NUMBERS = """add sub mul div truediv true_divide floordiv floor_divide pow mod remainder fmod matmul
    radd rsub rmul rdiv rtruediv rfloordiv rpow rmod iadd isub imul itruediv idiv ipow subtract multiply divide
    maximum minimum where lerp clamp clip masked_fill float_power"""
"""Operations whose numbers are part of the arithmetic; those of `sum(0)` or `view(2, 3)` are not."""
_NUMERIC = frozenset(_WITH_NUMBERS.split())


class Item(NamedTuple):
    """One thing drawn."""

    number: int
    kind: str
    """leaf, op, constant, input, module, or heading (a line of text between two graphs)."""
    node: int = 0
    """The node; of a module the one that made its output; of an input the one that it was first given to."""
    nodes: tuple[int, ...] = ()
    """All nodes of a module, its parameters included."""
    place: int = 0
    """Of a constant or an input: where it stands among the inputs of the operation."""
    tensor: int | None = None
    module: int | None = None
    """Of a module, which; of a node, the innermost around it."""
    text: str = ""


@dataclass
class Skeleton:
    """The items in drawing order, and what joins them."""

    items: dict[int, Item]
    edges: list[Edge]
    """Without shares."""
    shared: dict[int, Edges]
    """By place in `edges`, where the source has several uses: the edges between nodes that it stands for."""
    item_of: dict[int, int]
    """By node: the item that it is, or is folded into."""
    feeds: dict[int, list[int]]
    """By node: those that were computed from it, once for each time."""
    operations: int
    numbers: list[int] = field(init=False)
    """Those of the items, in order."""
    users: dict[int, list[int]] = field(init=False)
    """By node: the places of the shared edges that its gradients are sent over."""

    apart: bool = field(init=False)
    """Whether there are headings."""

    def __post_init__(self) -> None:
        self.numbers = list(self.items)
        self.apart = any(item.kind == "heading" for item in self.items.values())
        self.users = {}
        for place, between in self.shared.items():
            for target in {target for _, target in between}:
                self.users.setdefault(target, []).append(place)


@dataclass
class GraphOptions:
    """What the learner asked to see."""

    others: bool | None = None
    """Inputs without gradient and constants; None: where the graph is small."""
    opened: dict[int, bool] = field(default_factory=dict)
    """Modules opened or closed by hand."""

    def shows_others(self, operations: int) -> bool:
        return operations <= SMALL if self.others is None else self.others


Drawn = dict[tuple[int, int], Edge]
"""Edges as they were drawn last: to make 20,000 of them again would take longer than all else in a step."""


class Builder:
    """Makes skeletons of one recording; the same thing has the same number in all of them."""

    def __init__(self, timeline: Timeline, wishes: GraphOptions) -> None:
        self.timeline = timeline
        self.wishes = wishes
        self._numbers: dict[tuple[object, ...], int] = {}
        self._torchs: dict[int, bool] = {}
        self._edges: Drawn = {}
        self.items: dict[int, Item] = {}
        """Those of the last skeleton."""

    def number(self, *what: object) -> int:
        """The number of something that is no node."""
        return self._numbers.setdefault(what, -(1 << 40) - len(self._numbers))

    def is_closed(self, state: State, module: int, operations: int) -> bool:
        """Whether a module is drawn as one node."""
        asked = self.wishes.opened.get(module)
        if asked is not None:
            return not asked
        return operations > SMALL and self.is_torchs(state, module) and not self._is_frame(state, module)

    def _is_frame(self, state: State, module: int) -> bool:
        """Whether a module of torch's is all of the network, or holds modules of the learner's own."""
        if state.modules[module].parent is None and any(one.parent == module for one in state.modules.values()):
            return True
        own = (one for one in state.modules if one != module and not self.is_torchs(state, one))
        return any(module in around(state.modules, one) for one in own)

    def is_torchs(self, state: State, module: int) -> bool:
        if module not in self._torchs:
            self._torchs[module] = is_torchs(state.modules[module], self.timeline.book)
        return self._torchs[module]

    def build(self, state: State, unused: tuple[int, ...]) -> Skeleton:
        """The graph on show; `unused` are leaves that no operation has used yet."""
        nodes, edges = graph_of(state)
        operations = sum(not is_leaf(node) for node in nodes)
        closed: Callable[[int], bool] = lambda module: self.is_closed(state, module, operations)  # noqa: E731
        folded = fold(nodes, edges, state, self.timeline.book, closed, lambda module: self.is_torchs(state, module))
        making = _Making(self, state, self.wishes.shows_others(operations), part_of(nodes))
        for row in folded.rows:
            if isinstance(row, Call):
                making.call(row)
            else:
                making.node(row)
        for tensor in unused:
            making.items[-tensor] = Item(-tensor, "leaf", tensor=tensor)
        self.items = making.items
        drawn, shared = _joined(edges, making.item_of, self._edges)
        return Skeleton(making.items, drawn + making.edges, shared, making.item_of, _feeds(edges), operations)


class _Making:
    """The items of a skeleton, one after the other."""

    def __init__(self, builder: Builder, state: State, others: bool, parts: dict[int, int]) -> None:
        self.builder = builder
        self.state = state
        self.others = others
        self.parts = parts
        self.items: dict[int, Item] = {}
        self.edges: list[Edge] = []
        self.item_of: dict[int, int] = {}
        self._part = 0

    def node(self, node: NodeState) -> None:
        leaf = is_leaf(node)
        if not leaf:
            self._head(node)
            if self.others:
                self._inputs(node, node.node)
        item = self.builder.items.get(node.node)
        if item is None or item.tensor != node.tensor or item.module != node.module:
            kind = "leaf" if leaf else "op"
            item = Item(node.node, kind, node.node, (node.node,), tensor=node.tensor, module=node.module)
        self.items[node.node] = item
        self.item_of[node.node] = node.node

    def call(self, call: Call) -> None:
        nodes = [self.state.nodes[number] for number in call.nodes]
        number = self.builder.number("call", call.module, call.nodes[0])
        self._head(nodes[0])
        for node in nodes if self.others else ():
            self._inputs(node, number, nodes[0], call.module)
        inside = (*call.nodes, *call.leaves)
        self.items[number] = Item(number, "module", call.nodes[-1], inside, tensor=nodes[-1].tensor, module=call.module)
        self.item_of.update(dict.fromkeys(inside, number))

    def _head(self, node: NodeState) -> None:
        """A line above the first node of each further graph."""
        part = self.parts.get(node.node, 0)
        if part <= self._part:
            return
        self._part = part
        number = self.builder.number("heading", part)
        text = N_("computed from these gradients")
        if part % 2 == 0:
            text = N_("the graph of the gradients (made in pass {number})")
        self.items[number] = Item(number, "heading", place=part // 2, text=text)

    def _inputs(self, node: NodeState, user: int, first: NodeState | None = None, module: int | None = None) -> None:
        """What the operation was given besides; of a module's, what came from outside of its call."""
        timeline, found = self.builder.timeline, set[int]()
        site = timeline.sites.get(node.site)
        numeric = site is not None and (site.op or "").strip("_") in _NUMERIC and module is None
        count = len(node.others) + sum(source is not None for source in node.inputs)
        for place, tensor, version in node.others:
            if tensor is None:
                if not numeric or not shows_operands(timeline, node.site, count):
                    continue
                number = self.builder.number("constant", node.node, place)
                self.items[number] = Item(number, "constant", node.node, place=place)
            else:
                if module is not None and first is not None and self._belongs(tensor, first, module):
                    continue
                number = self.builder.number("input", tensor, version)
                self.items.setdefault(number, Item(number, "input", node.node, place=place, tensor=tensor))
            if number not in found:
                found.add(number)
                self.edges.append(Edge(number, user))

    def _belongs(self, tensor: int, first: NodeState, module: int) -> bool:
        """Whether a tensor is a buffer of the module's, or was made while it ran."""
        held = self.state.tensors.get(tensor)
        path = self.state.modules[module].path
        named = held is not None and path != "" and f"{path}." in (held.label or "")
        return named or tensor > (first.tensor or tensor)


def _joined(edges: Edges, item_of: dict[int, int], known: Drawn) -> tuple[list[Edge], dict[int, Edges]]:
    """The edges between items, each once, and what lies between the nodes in those whose source has several uses."""
    count: dict[int, int] = {}
    pairs: dict[tuple[int, int], Edges] = {}
    for edge in edges:
        pair = item_of[edge[0]], item_of[edge[1]]
        if pair[0] != pair[1]:
            count[pair[0]] = count.get(pair[0], 0) + 1
            if pair in pairs:
                pairs[pair].append(edge)
            else:
                pairs[pair] = [edge]
    shared = {
        place: [*dict.fromkeys(between)] for place, (pair, between) in enumerate(pairs.items()) if count[pair[0]] > 1
    }
    drawn: Drawn = {}
    for pair, between in pairs.items():
        edge_drawn = known.get(pair)
        if edge_drawn is None or edge_drawn.times != len(between):
            edge_drawn = Edge(*pair, times=len(between))
        drawn[pair] = edge_drawn
    known.clear()
    known.update(drawn)
    return list(drawn.values()), shared


def _feeds(edges: Edges) -> dict[int, list[int]]:
    feeds: dict[int, list[int]] = {}
    for source, target in edges:
        feeds.setdefault(source, []).append(target)
    return feeds


_MANY = 64
"""Where more nodes came at once, all is made anew."""


class Grower:
    """Makes skeletons, out of the last one where that is enough."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self._last: Skeleton | None = None
        """The last one, where it can grow."""
        self._shown: set[int] = set()
        self._opened: dict[int, bool] = {}
        self._order = (0, 0)

    def build(self, state: State, unused: tuple[int, ...]) -> Skeleton:
        """The graph on show; `unused` are leaves that no operation has used yet."""
        skeleton = None if unused else self._grown(state)
        if skeleton is None:
            skeleton = self.builder.build(state, unused)
            self._last = skeleton if self._can_grow(skeleton, state) else None
            self._opened = dict(self.builder.wishes.opened)
        else:
            self._last, self.builder.items = skeleton, skeleton.items
        self._shown = state.shown.copy()
        return skeleton

    def _can_grow(self, skeleton: Skeleton, state: State) -> bool:
        """Whether it has nothing but nodes, one item each, and the last of them is an operation."""
        numbers = skeleton.numbers
        if not numbers or min(numbers) < 0 or is_leaf(state.nodes[numbers[-1]]):
            return False
        self._order = max(_order(node) for number in numbers if not is_leaf(node := state.nodes[number]))
        return not self.builder.wishes.shows_others(skeleton.operations)

    def _grown(self, state: State) -> Skeleton | None:
        """The last skeleton with the nodes that came since; None where they do not just follow."""
        before, wishes = self._last, self.builder.wishes
        if before is None or wishes.opened != self._opened or wishes.shows_others(before.operations):
            return None
        if not self._shown <= state.shown or len(state.shown) > len(self._shown) + _MANY:
            return None
        nodes = [state.nodes[number] for number in state.shown - self._shown if number in state.nodes]
        leaves = {node.node: node for node in nodes if is_leaf(node)}
        operations = sorted((node for node in nodes if not is_leaf(node)), key=_order)
        if any(node.module is not None or node.of_pass is not None for node in nodes):
            return None
        if not operations or _order(operations[0]) <= self._order:
            return None
        new = _copied(before)
        for node in operations:
            sources = [source[0] for source in node.inputs if source is not None and source[0] in state.shown]
            for source in sources:
                leaf = leaves.pop(source, None)
                if leaf is not None:
                    _place(new, leaf, "leaf")
                elif source not in new.items:
                    return None
            _place(new, node, "op")
            _join(new, sources, node.node)
        if leaves:
            return None
        self._order = _order(operations[-1])
        new.operations += len(operations)
        return new


def _order(node: NodeState) -> tuple[int, int]:
    """In this order operations ran."""
    return node.sequence, node.node


def _copied(skeleton: Skeleton) -> Skeleton:
    new = copy(skeleton)
    new.items, new.item_of, new.numbers = skeleton.items.copy(), skeleton.item_of.copy(), skeleton.numbers.copy()
    new.edges, new.feeds = skeleton.edges.copy(), skeleton.feeds.copy()
    new.shared, new.users = skeleton.shared.copy(), skeleton.users.copy()
    return new


def _place(new: Skeleton, node: NodeState, kind: str) -> None:
    new.items[node.node] = Item(node.node, kind, node.node, (node.node,), tensor=node.tensor)
    new.item_of[node.node] = node.node
    new.numbers.append(node.node)


def _join(new: Skeleton, sources: list[int], node: int) -> None:
    """The edges to a node; where a source has several uses by now, shares will be written on its edges."""
    for source in dict.fromkeys(sources):
        times, fed = sources.count(source), new.feeds.get(source, [])
        new.feeds[source] = [*fed, *[node] * times]
        places = [len(new.edges)]
        new.edges.append(Edge(source, node, times=times))
        if len(fed) == 1:
            places.append(next(place for place, edge in enumerate(new.edges) if edge.source == source))
        for place in places if len(fed) + times > 1 else ():
            edge = new.edges[place]
            new.shared[place] = [(edge.source, edge.to)]
            new.users[edge.to] = [*new.users.get(edge.to, ()), place]
