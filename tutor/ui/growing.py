"""Skeletons of a graph that grows: where operations only came at its end, what was there stays as it is.

To make all of it anew with each of 10,000 nodes would take longer than all else in a step.
"""

from __future__ import annotations

from copy import copy

from tutor.trace.graph import is_leaf
from tutor.trace.state import NodeState, State
from tutor.ui.draw.graph import Edge
from tutor.ui.skeleton import Builder, Item, Skeleton

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
