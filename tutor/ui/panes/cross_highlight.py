"""Cross-highlighting: what is selected in one pane is highlighted in the others.

A graph node, the code that made it and its tensor belong together. The screen has one `CrossHighlighter`, which finds
what belongs to the selection (or to the node that runs now); the screen hands it to each pane.
"""

from __future__ import annotations

from bisect import bisect_left

from tutor.trace import events as ev
from tutor.trace.events import Span
from tutor.trace.graph import is_leaf
from tutor.trace.index import KIND_NUMBERS
from tutor.trace.state import SiteInfo, State
from tutor.trace.timeline import Timeline
from tutor.ui.panes.base import NOTHING_LINKED, Linked
from tutor.ui.panes.graph.model import current_node

_OP = KIND_NUMBERS["op"]
_MAX_RUNS = 32
"""Number of a line's last operations whose tensors are highlighted."""
_MAX_STEPS = 50_000
"""Number of steps searched back for them."""


class CrossHighlighter:
    """Finds what belongs together, and caches the step at which a tensor was made."""

    def __init__(self) -> None:
        self._sites_cache: dict[tuple[Timeline, int], int | None] = {}

    def linked(self, timeline: Timeline, step: int, marked: tuple[str, int] | None) -> Linked:
        """Return what belongs to the selection; without one, to the node that runs now."""
        try:
            return self.of(timeline, step, *marked) if marked is not None else self.now(timeline, step)
        except (IndexError, KeyError):  # a recording from elsewhere may be inconsistent
            return NOTHING_LINKED

    def now(self, timeline: Timeline, step: int) -> Linked:
        """Return what belongs to the node that the backward pass is at."""
        event = timeline.event(step) if step else None
        if event is None or isinstance(event, ev.Op):
            return NOTHING_LINKED
        state = timeline.state(step)
        node = current_node(event, state)
        return NOTHING_LINKED if node not in state.nodes else self._node(timeline, state, node, False)

    def of(self, timeline: Timeline, step: int, subject: str, ref: int) -> Linked:
        """Return what belongs to a subject.

        Args:
            timeline: The recording.
            step: The cursor.
            subject: `node`, `tensor` or `line`.
            ref: The number of the node or tensor; of a line, `file * LINE_STRIDE + line`.
        """
        state = timeline.state(step)
        if subject == "node" and ref in state.nodes:
            return self._node(timeline, state, ref, True)
        if subject == "tensor" and ref in state.tensors:
            return self._tensor(timeline, state, ref)
        if subject == "line":
            return self._line(timeline, state, *divmod(ref, LINE_STRIDE))
        return NOTHING_LINKED

    def _node(self, timeline: Timeline, state: State, number: int, chosen: bool) -> Linked:
        node = state.nodes[number]
        tensor = None if node.tensor is None else state.tensors.get(node.tensor)
        is_current = tensor is not None and (is_leaf(node) or tensor.node == number)
        site = timeline.sites.get(node.site)
        if site is None and is_leaf(node) and node.tensor is not None:
            site = self._creation_site(timeline, state, node.tensor)
        tensors = frozenset((tensor.tensor,)) if tensor is not None and is_current else frozenset[int]()
        return Linked(frozenset((number,)), tensors, _code_span(site), chosen)

    def _tensor(self, timeline: Timeline, state: State, number: int) -> Linked:
        tensor = state.tensors[number]
        node = state.nodes.get(tensor.node) if tensor.node is not None else None
        site = timeline.sites.get(node.site) if node is not None else None
        nodes = {node.node} if node is not None else {-number}
        if node is None:
            nodes |= {leaf.node for leaf in state.nodes.values() if leaf.tensor == number and is_leaf(leaf)}
        if site is None:
            site = self._creation_site(timeline, state, number)
        return Linked(frozenset(nodes), frozenset((number,)), _code_span(site), True)

    def _line(self, timeline: Timeline, state: State, file: int, line: int) -> Linked:
        """Return the nodes and tensors that the operations of a line made, if they still exist."""
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
        existing = {number for number in tensors if number is not None and number in state.tensors}
        nodes |= {node.node for node in state.nodes.values() if is_leaf(node) and node.tensor in existing}
        return Linked(frozenset(nodes | {-number for number in existing}), frozenset(existing), None, True)

    def _creation_site(self, timeline: Timeline, state: State, tensor: int) -> SiteInfo | None:
        """Return the code of the step at which a tensor first appeared."""
        key = (timeline, tensor)
        if key not in self._sites_cache:
            steps = range(state.step + 1)
            first = bisect_left(steps, True, key=lambda step: tensor in timeline.state(step).tensors)
            self._sites_cache[key] = timeline.columns.sites[first - 1] if 0 < first <= state.step else None
        return timeline.sites.get(self._sites_cache[key] or 0)


LINE_STRIDE = 1 << 32
"""A line of code is identified by a single number: its file times this, plus the line."""


def _code_span(site: SiteInfo | None) -> tuple[int, Span] | None:
    return None if site is None else (site.file, site.span)


def _last_runs(timeline: Timeline, step: int, sites: set[int]) -> list[int]:
    """Return the last steps up to `step` at which an operation at one of the sites ran."""
    columns, steps = timeline.columns, list[int]()
    index = step
    while len(steps) < _MAX_RUNS:
        index = columns.kinds.rfind(_OP, max(step - _MAX_STEPS, 0), index)
        if index < 0:
            break
        if columns.sites[index] in sites:
            steps.append(index + 1)
    return steps
