"""Structure of the graph pane: which nodes, modules, inputs and edges are drawn.

It stays the same from step to step until nodes come or go. Where operations were only added at the end, it is extended
rather than rebuilt: rebuilding the structure of 10,000 nodes would dominate the time of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

from tutor.i18n import N_
from tutor.trace.graph import Edges, graph_of, is_leaf, subgraph_of
from tutor.trace.module_calls import Call, fold, with_ancestors
from tutor.trace.operands import shows_operands
from tutor.trace.state import NodeState, State
from tutor.trace.timeline import Timeline
from tutor.ui.panes.graph.folding import (
    GraphRow,
    Repeat,
    RepeatKey,
    find_repeats,
    fold_repeats,
    is_view,
    root_views,
)
from tutor.ui.panes.graph.lanes import Edge

_SMALL = 12
"""With at most this many operations, everything is shown."""
COMPUTING, VIEWS, EVERYTHING = range(3)
"""Levels of detail: operations that compute; those that only view a tensor, too; also inputs without gradient and
constants."""
_ARITHMETIC_NAMES = """add sub mul div truediv true_divide floordiv floor_divide pow mod remainder fmod matmul
    radd rsub rmul rdiv rtruediv rfloordiv rpow rmod iadd isub imul itruediv idiv ipow subtract multiply divide
    maximum minimum where lerp clamp clip masked_fill float_power"""
"""Operations whose constants are shown, unlike those of `sum(0)` or `view(2, 3)`."""
_ARITHMETIC = frozenset(_ARITHMETIC_NAMES.split())


class Item(NamedTuple):
    """A thing drawn in the graph."""

    number: int
    kind: str
    """leaf, op, constant, input, module, repeat (a repeated chain), or heading (a line of text between two graphs)."""
    node: int = 0
    """The node; of a module or a chain, the node that made its output; of an input, the node that used it first."""
    nodes: tuple[int, ...] = ()
    """All nodes of a module or a chain, including the leaves that belong to it."""
    place: int = 0
    """Of a constant or an input: its index among the operation's inputs; of a chain: the number of its repetitions."""
    tensor: int | None = None
    module: int | None = None
    """Of a module or a chain of calls: the (first) one called; of a node: the innermost module around it."""
    text: str = ""
    """Of a heading: what it says; of a chain: its operations."""
    calls: tuple[int, ...] = ()
    """Of a chain with calls of modules: the one called first in each repetition."""
    views: tuple[int, ...] = ()
    """Hidden views of it."""

    @property
    def is_folded(self) -> bool:
        """Whether it stands for several nodes, and can be opened."""
        return self.kind in ("module", "repeat")


@dataclass
class GraphStructure:
    """The items in drawing order, and the edges between them."""

    items: dict[int, Item]
    edges: list[Edge]
    """Edges, without the gradients sent over them."""
    shared: dict[int, Edges]
    """By index in `edges`, if the source has several consumers: the edges between nodes that it stands for."""
    item_of: dict[int, int]
    """By node: its item, or the item of the module it is folded into."""
    consumers: dict[int, list[int]]
    """By node: its consumers, once for each use."""
    operations: int
    repeats: dict[int, Repeat] = field(default_factory=dict)
    """By node of a repeated chain, open or not: the chain."""
    numbers: list[int] = field(init=False)
    """Numbers of the items, in order."""
    users: dict[int, list[int]] = field(init=False)
    """By node: the indices of the shared edges that its gradients are sent over."""

    has_headings: bool = field(init=False)
    """Whether there are headings."""

    def __post_init__(self) -> None:
        self.numbers = list(self.items)
        self.has_headings = any(item.kind == "heading" for item in self.items.values())
        self.users = {}
        for index, node_edges in self.shared.items():
            for target in {target for _, target in node_edges}:
                self.users.setdefault(target, []).append(index)


@dataclass
class GraphOptions:
    """What the learner chose to show."""

    level: int | None = None
    """What is shown: one of the levels; None: everything if the graph is small, else what computes."""
    opened: dict[int, bool] = field(default_factory=dict)
    """By module: whether the learner opened or closed it."""
    open_repeats: set[RepeatKey] = field(default_factory=set)
    """Where the repetitions of the chains begin that the learner opened."""

    def level_of(self, operations: int) -> int:
        """Return the level of detail of a graph, by the number of its operations."""
        if self.level is None:
            return EVERYTHING if self.is_small(operations) else COMPUTING
        return self.level

    @staticmethod
    def is_small(operations: int) -> bool:
        """Return whether a graph with this number of operations is small enough to be shown whole."""
        return operations <= _SMALL

    def shows_others(self, operations: int) -> bool:
        """Return whether inputs without gradient and constants are shown."""
        return self.level_of(operations) == EVERYTHING

    def key(self) -> tuple[object, ...]:
        """Return what tells these options from others."""
        return self.level, dict(self.opened), frozenset(self.open_repeats)


EdgeCache = dict[tuple[int, int], Edge]
"""Edges as drawn last: building 20,000 edges again would dominate the time of a step."""


class StructureBuilder:
    """Builds structures for a recording; an item has the same number in all of them."""

    def __init__(self, timeline: Timeline, options: GraphOptions) -> None:
        self.timeline = timeline
        self.options = options
        self._numbers: dict[tuple[object, ...], int] = {}
        self._edges: EdgeCache = {}
        self.items: dict[int, Item] = {}
        """Items of the last structure."""

    def number(self, *key: object) -> int:
        """Return the number of an item that is not a node; negative."""
        return self._numbers.setdefault(key, -(1 << 40) - len(self._numbers))

    def is_closed(self, state: State, module: int, operations: int) -> bool:
        """Return whether a module is drawn as a single node."""
        opened = self.options.opened.get(module)
        if opened is not None:
            return not opened
        return operations > _SMALL and not self._is_container(state, module)

    def _is_container(self, state: State, module: int) -> bool:
        """Return whether a module is the whole network, or one of torch's that contains modules of the learner's."""
        info = state.modules[module]
        if info.parent is None and (
            not info.of_torch or any(other.parent == module for other in state.modules.values())
        ):
            return True
        own_modules = (other for other, info in state.modules.items() if other != module and not info.of_torch)
        return info.of_torch and any(module in with_ancestors(state.modules, other) for other in own_modules)

    def build(self, state: State, unused: tuple[int, ...]) -> GraphStructure:
        """Build the structure of the visible graph; `unused` are leaves that no operation has used yet."""
        nodes, edges = graph_of(state)
        operations = sum(not is_leaf(node) for node in nodes)
        closed: Callable[[int], bool] = lambda module: self.is_closed(state, module, operations)  # noqa: E731
        folded = fold(nodes, edges, state, self.timeline.definitions, closed)
        repeats = find_repeats(folded.rows, state) if operations > _SMALL else []
        closed_repeats = [repeat for repeat in repeats if repeat.keys[0] not in self.options.open_repeats]
        rows: list[GraphRow] = [*folded.rows]
        if closed_repeats:
            rows = fold_repeats(folded.rows, edges, state, closed_repeats)
        collector = _ItemCollector(self, state, self.options.level_of(operations), subgraph_of(nodes))
        for row in rows:
            if isinstance(row, Call):
                collector.add_call(row)
            elif isinstance(row, Repeat):
                collector.add_repeat(row)
            else:
                collector.add_node(row)
        for tensor in unused:
            collector.items[-tensor] = Item(-tensor, "leaf", tensor=tensor)
        self.items = collector.items
        drawn, shared = _item_edges(edges, collector.item_of, self._edges)
        drawn += collector.edges
        repeat_of = {number: repeat for repeat in repeats for number in repeat.nodes}
        return GraphStructure(
            collector.items, drawn, shared, collector.item_of, _consumers(edges), operations, repeat_of
        )  # fmt: skip


class _ItemCollector:
    """Collects the items of a structure in drawing order."""

    def __init__(self, builder: StructureBuilder, state: State, level: int, parts: dict[int, int]) -> None:
        self.builder = builder
        self.state = state
        self.others = level == EVERYTHING
        self.parts = parts
        self._hides_views = level == COMPUTING
        self._roots = root_views(state) if self._hides_views else frozenset[int]()
        self.items: dict[int, Item] = {}
        self.edges: list[Edge] = []
        self.item_of: dict[int, int] = {}
        self._part = 0

    def add_node(self, node: NodeState) -> None:
        """Add a node, and the inputs and constants of its operation."""
        leaf = is_leaf(node)
        if self._hides_views and self._hide(node):
            return
        if not leaf:
            self._add_heading(node)
            if self.others:
                self._add_inputs(node, node.node)
        item = self.builder.items.get(node.node)
        if item is None or item.tensor != node.tensor or item.module != node.module or item.views:
            kind = "leaf" if leaf else "op"
            item = Item(node.node, kind, node.node, (node.node,), tensor=node.tensor, module=node.module)
        self.items[node.node] = item
        self.item_of[node.node] = node.node

    def _hide(self, node: NodeState) -> bool:
        """Add a node to the row of its input if it is a view; return whether it is hidden so."""
        source = viewed(node)
        if source not in self.item_of or node.node in self._roots or self.parts[source] != self.parts[node.node]:
            return False
        _hide_view(self.items, self.item_of, source, node.node)
        return True

    def add_repeat(self, repeat: Repeat) -> None:
        """Add a repeated chain."""
        nodes = [self.state.nodes[number] for number in repeat.nodes]
        number = self.builder.number("repeat", repeat.nodes[0])
        self._add_heading(nodes[0])
        for node in nodes if self.others and repeat.calls else ():
            self._add_inputs(node, number, nodes[0], repeat.calls)
        inside = (*repeat.nodes, *repeat.leaves)
        self.items[number] = Item(
            number, "repeat", repeat.nodes[-1], inside, place=repeat.count, tensor=nodes[-1].tensor,
            module=repeat.calls[0] if repeat.calls else nodes[-1].module, text=", ".join(repeat.names),
            calls=repeat.calls,
        )  # fmt: skip
        self.item_of.update(dict.fromkeys(inside, number))

    def add_call(self, call: Call) -> None:
        """Add a folded call of a module."""
        nodes = [self.state.nodes[number] for number in call.nodes]
        number = self.builder.number("call", call.module, call.nodes[0])
        self._add_heading(nodes[0])
        for node in nodes if self.others else ():
            self._add_inputs(node, number, nodes[0], (call.module,))
        inside = (*call.nodes, *call.leaves)
        self.items[number] = Item(number, "module", call.nodes[-1], inside, tensor=nodes[-1].tensor, module=call.module)
        self.item_of.update(dict.fromkeys(inside, number))

    def _add_heading(self, node: NodeState) -> None:
        """Add a heading above the first node of each further graph."""
        part = self.parts.get(node.node, 0)
        if part <= self._part:
            return
        self._part = part
        number = self.builder.number("heading", part)
        text = N_("computed from these gradients")
        if part % 2 == 0:
            text = N_("the graph of the gradients (made in pass {number})")
        self.items[number] = Item(number, "heading", place=part // 2, text=text)

    def _add_inputs(
        self, node: NodeState, user: int, first: NodeState | None = None, modules: Sequence[int] = ()
    ) -> None:
        """Add the other inputs and the constants of an operation; of a module's, only those from outside its calls."""
        timeline, added = self.builder.timeline, set[int]()
        site = timeline.sites.get(node.site)
        arithmetic = site is not None and (site.op or "").strip("_") in _ARITHMETIC and not modules
        count = len(node.others) + sum(source is not None for source in node.inputs)
        for place, tensor, version in node.others:
            if tensor is None:
                if not arithmetic or not shows_operands(timeline, node.site, count):
                    continue
                number = self.builder.number("constant", node.node, place)
                self.items[number] = Item(number, "constant", node.node, place=place)
            else:
                if first is not None and self._belongs(tensor, first, modules):
                    continue
                number = self.builder.number("input", tensor, version)
                self.items.setdefault(number, Item(number, "input", node.node, place=place, tensor=tensor))
            if number not in added:
                added.add(number)
                self.edges.append(Edge(number, user))

    def _belongs(self, tensor: int, first: NodeState, modules: Sequence[int]) -> bool:
        """Return whether a tensor is a buffer of one of these modules, or was made inside their calls."""
        record = self.state.tensors.get(tensor)
        paths = [path for module in modules if (path := self.state.modules[module].path)]
        is_buffer = record is not None and any(f"{path}." in (record.label or "") for path in paths)
        return is_buffer or tensor > (first.tensor or tensor)


def viewed(node: NodeState) -> int | None:
    """Return the input of a node that only views it; None for other nodes."""
    sources = [source[0] for source in node.inputs if source is not None]
    return sources[0] if len(sources) == 1 and is_view(node) else None


def _hide_view(items: dict[int, Item], item_of: dict[int, int], source: int, view: int) -> None:
    """Make a view part of the row of its input."""
    number = item_of[view] = item_of[source]
    items[number] = items[number]._replace(views=(*items[number].views, view))


def _item_edges(edges: Edges, item_of: dict[int, int], cache: EdgeCache) -> tuple[list[Edge], dict[int, Edges]]:
    """Return the edges between items, and by index of those with a shared source the node edges they stand for."""
    uses: dict[int, int] = {}
    pairs: dict[tuple[int, int], Edges] = {}
    for edge in edges:
        items = item_of[edge[0]], item_of[edge[1]]
        if items[0] != items[1]:
            uses[items[0]] = uses.get(items[0], 0) + 1
            if items in pairs:
                pairs[items].append(edge)
            else:
                pairs[items] = [edge]
    shared = {
        index: [*dict.fromkeys(node_edges)]
        for index, (items, node_edges) in enumerate(pairs.items())
        if uses[items[0]] > 1
    }
    drawn: EdgeCache = {}
    for items, node_edges in pairs.items():
        item_edge = cache.get(items)
        if item_edge is None or item_edge.times != len(node_edges):
            item_edge = Edge(*items, times=len(node_edges))
        drawn[items] = item_edge
    cache.clear()
    cache.update(drawn)
    return list(drawn.values()), shared


def _consumers(edges: Edges) -> dict[int, list[int]]:
    """Return the consumers of each node, once for each use."""
    consumers: dict[int, list[int]] = {}
    for source, target in edges:
        consumers.setdefault(source, []).append(target)
    return consumers


_MAX_ADDED = 64
"""If more nodes were added at once, the structure is rebuilt."""


class IncrementalBuilder:
    """Builds structures by extending the last one if possible."""

    def __init__(self, builder: StructureBuilder) -> None:
        self.builder = builder
        self._last: GraphStructure | None = None
        """The last structure, if it can be extended."""
        self._shown: set[int] = set()
        self._options: tuple[object, ...] = ()
        self._order = (0, 0)
        self._leaves_at: dict[int, set[int]] = {}
        """By site: the leaves that its last operation used."""

    def build(self, state: State, unused: tuple[int, ...]) -> GraphStructure:
        """Build the structure of the visible graph; `unused` are leaves that no operation has used yet."""
        structure = None if unused else self._extended(state)
        if structure is None:
            structure = self.builder.build(state, unused)
            self._last = structure if self._is_extensible(structure, state) else None
            self._options = self.builder.options.key()
        else:
            self._last, self.builder.items = structure, structure.items
        self._shown = state.shown.copy()
        return structure

    def _is_extensible(self, structure: GraphStructure, state: State) -> bool:
        """Return whether it consists of nodes only, and the last one is an operation."""
        numbers = structure.numbers
        if not numbers or min(numbers) < 0 or is_leaf(state.nodes[numbers[-1]]):
            return False
        operations = [node for number in structure.item_of if not is_leaf(node := state.nodes[number])]
        self._order = max(map(_order, operations))
        self._leaves_at = {node.site: self._leaves_of(node, state) for node in sorted(operations, key=_order)}
        return not self.builder.options.shows_others(structure.operations)

    @staticmethod
    def _leaves_of(node: NodeState, state: State) -> set[int]:
        sources = {source[0] for source in node.inputs if source is not None}
        return {source for source in sources if source in state.nodes and is_leaf(state.nodes[source])}

    def _extended(self, state: State) -> GraphStructure | None:
        """Return the last structure with the new nodes appended; None if it must be rebuilt."""
        last, options = self._last, self.builder.options
        if last is None or options.key() != self._options or options.shows_others(last.operations):
            return None
        if not self._shown <= state.shown or len(state.shown) > len(self._shown) + _MAX_ADDED:
            return None
        nodes = [state.nodes[number] for number in state.shown - self._shown if number in state.nodes]
        leaves = {node.node: node for node in nodes if is_leaf(node)}
        operations = sorted((node for node in nodes if not is_leaf(node)), key=_order)
        if any(node.module is not None or node.of_pass is not None for node in nodes):
            return None
        if not operations or _order(operations[0]) <= self._order:
            return None
        hides_views = options.level_of(last.operations) == COMPUTING
        extended = _copy(last)
        for node in operations:
            used_leaves = self._leaves_of(node, state)
            if self._leaves_at.setdefault(node.site, used_leaves) != used_leaves:
                return None  # it may repeat a chain on another leaf
            sources = [source[0] for source in node.inputs if source is not None and source[0] in state.shown]
            for source in sources:
                leaf = leaves.pop(source, None)
                if leaf is not None:
                    _append(extended, leaf, "leaf")
                elif source not in extended.item_of:
                    return None
            viewed_node = viewed(node) if hides_views else None
            if viewed_node in extended.item_of:
                _hide_view(extended.items, extended.item_of, viewed_node, node.node)
                extended.consumers[viewed_node] = [*extended.consumers.get(viewed_node, ()), node.node]
                continue
            _append(extended, node, "op")
            _connect(extended, sources, node.node)
        if leaves:
            return None
        self._order = _order(operations[-1])
        extended.operations += len(operations)
        return extended


def _order(node: NodeState) -> tuple[int, int]:
    """Return the sort key of the order in which operations ran."""
    return node.sequence, node.node


def _copy(structure: GraphStructure) -> GraphStructure:
    copied = copy(structure)
    copied.items, copied.item_of, copied.numbers = (
        structure.items.copy(),
        structure.item_of.copy(),
        structure.numbers.copy(),
    )
    copied.edges, copied.consumers = structure.edges.copy(), structure.consumers.copy()
    copied.shared, copied.users = structure.shared.copy(), structure.users.copy()
    return copied


def _append(structure: GraphStructure, node: NodeState, kind: str) -> None:
    structure.items[node.node] = Item(node.node, kind, node.node, (node.node,), tensor=node.tensor)
    structure.item_of[node.node] = node.node
    structure.numbers.append(node.node)


def _connect(structure: GraphStructure, sources: list[int], node: int) -> None:
    """Add the edges to a node; edges from an item with several uses become shared."""
    pairs_of: dict[int, Edges] = {}
    for source in sources:
        pairs_of.setdefault(structure.item_of[source], []).append((source, node))
    for number, pairs in pairs_of.items():
        before = _uses(structure, structure.items[number])
        added = {len(structure.edges): pairs}
        structure.edges.append(Edge(number, node, times=len(pairs)))
        if len(before) == 1:
            first = next(index for index, edge in enumerate(structure.edges) if edge.source == number)
            added[first] = before
        for index, node_edges in added.items() if len(before) + len(pairs) > 1 else ():
            structure.shared[index] = [*dict.fromkeys(node_edges)]
            for target in {target for _, target in node_edges}:
                structure.users[target] = [*structure.users.get(target, ()), index]
        for source, _ in pairs:
            structure.consumers[source] = [*structure.consumers.get(source, ()), node]


def _uses(structure: GraphStructure, item: Item) -> Edges:
    """Return the edges from an item to others, between nodes."""
    inside = (item.node, *item.views)
    uses = ((source, target) for source in inside for target in structure.consumers.get(source, ()))
    return [(source, target) for source, target in uses if target not in inside]
