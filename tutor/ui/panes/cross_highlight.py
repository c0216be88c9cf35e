"""What belongs together in the panes: a node of the graph, the code that made it, and its tensor.

The screen holds one thing that is marked, and asks here for what belongs to it; each pane shows its own part of that.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from tutor.trace import events as ev
from tutor.trace.events import Span
from tutor.trace.graph import is_leaf
from tutor.trace.index import KIND_NUMBERS
from tutor.trace.state import SiteInfo, State
from tutor.trace.timeline import Timeline
from tutor.ui.panes.base import NOTHING, Linked, Pane
from tutor.ui.panes.graph.model import now_of

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen

_OP = KIND_NUMBERS["op"]
_RUNS = 32
"""Of so many of the last operations of a line it is told which tensors they made,"""
_FAR = 50_000
"""and they are looked for in so many steps."""


class Linker:
    """Finds what belongs to what; what took long to find is remembered."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._made: dict[tuple[Timeline, int], int | None] = {}

    def update(self) -> None:
        """Hand the panes what belongs to what is marked; where nothing is, to the node that runs now."""
        screen = self.screen
        timeline, step = screen.timeline, screen.cursor
        pane = screen.focused if isinstance(screen.focused, Pane) else None
        marked = None if pane is None else pane.marked()
        try:
            linked = self.of(timeline, step, *marked) if marked is not None else self.now(timeline, step)
        except (IndexError, KeyError):  # a recording may come from a stranger, and refer to what is not there
            linked = NOTHING
        for one in screen.panes.values():
            one.link(NOTHING if one is pane and marked is not None else linked)

    def now(self, timeline: Timeline, step: int) -> Linked:
        """What belongs to the node that the backward pass is at."""
        event = timeline.event(step) if step else None
        if event is None or isinstance(event, ev.Op):
            return NOTHING
        state = timeline.state(step)
        node = now_of(event, state)
        return NOTHING if node not in state.nodes else self._node(timeline, state, node, False)

    def of(self, timeline: Timeline, step: int, subject: str, ref: int) -> Linked:
        """What belongs to a node, to a tensor, or to a line of code (its place in the recording's line numbers)."""
        state = timeline.state(step)
        if subject == "node" and ref in state.nodes:
            return self._node(timeline, state, ref, True)
        if subject == "tensor" and ref in state.tensors:
            return self._tensor(timeline, state, ref)
        if subject == "line":
            return self._line(timeline, state, *divmod(ref, LINES))
        return NOTHING

    def _node(self, timeline: Timeline, state: State, number: int, chosen: bool) -> Linked:
        node = state.nodes[number]
        tensor = None if node.tensor is None else state.tensors.get(node.tensor)
        still = tensor is not None and (is_leaf(node) or tensor.node == number)
        site = timeline.sites.get(node.site)
        if site is None and is_leaf(node) and node.tensor is not None:
            site = self._maker(timeline, state, node.tensor)
        tensors = frozenset((tensor.tensor,)) if tensor is not None and still else frozenset[int]()
        return Linked(frozenset((number,)), tensors, _place(site), chosen)

    def _tensor(self, timeline: Timeline, state: State, number: int) -> Linked:
        tensor = state.tensors[number]
        node = state.nodes.get(tensor.node) if tensor.node is not None else None
        site = timeline.sites.get(node.site) if node is not None else None
        nodes = {node.node} if node is not None else {-number}
        if node is None:
            nodes |= {one.node for one in state.nodes.values() if one.tensor == number and is_leaf(one)}
        if site is None:
            site = self._maker(timeline, state, number)
        return Linked(frozenset(nodes), frozenset((number,)), _place(site), True)

    def _line(self, timeline: Timeline, state: State, file: int, line: int) -> Linked:
        """What the operations of a line made, as far as it is still there."""
        sites = {
            number
            for number, site in timeline.sites.items()
            if site.op is not None and site.file == file and site.span[0] <= line <= site.span[2]
        }
        nodes = {node.node for node in state.nodes.values() if node.site in sites}
        tensors = {state.nodes[number].tensor for number in nodes}
        for step in _last_runs(timeline, state.step, sites):
            event = timeline.event(step)
            if isinstance(event, ev.Op):
                tensors.update(event.outputs)
        made = {number for number in tensors if number is not None and number in state.tensors}
        nodes |= {node.node for node in state.nodes.values() if is_leaf(node) and node.tensor in made}
        return Linked(frozenset(nodes | {-number for number in made}), frozenset(made), None, True)

    def _maker(self, timeline: Timeline, state: State, tensor: int) -> SiteInfo | None:
        """Where the step stands at which a tensor came to be."""
        key = (timeline, tensor)
        if key not in self._made:
            steps = range(state.step + 1)
            found = bisect_left(steps, True, key=lambda step: tensor in timeline.state(step).tensors)
            self._made[key] = timeline.columns.sites[found - 1] if 0 < found <= state.step else None
        return timeline.sites.get(self._made[key] or 0)


LINES = 1 << 32
"""A line of code is told by one number: its file times this, plus the line."""


def _place(site: SiteInfo | None) -> tuple[int, Span] | None:
    return None if site is None else (site.file, site.span)


def _last_runs(timeline: Timeline, step: int, sites: set[int]) -> list[int]:
    """The last steps up to this one at which an operation at one of the sites ran."""
    columns, found = timeline.columns, list[int]()
    place = step
    while len(found) < _RUNS:
        place = columns.kinds.rfind(_OP, max(step - _FAR, 0), place)
        if place < 0:
            break
        if columns.sites[place] in sites:
            found.append(place + 1)
    return found
