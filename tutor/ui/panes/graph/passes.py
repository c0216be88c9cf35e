"""The last backward pass, whose graph stays after new operations have run."""

from __future__ import annotations

from tutor.trace.graph import is_leaf
from tutor.trace.state import State
from tutor.trace.timeline import Timeline


class LastPass:
    """Finds the graph of the last pass, with its gradients, once the recording shows a newer graph."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._number = 0
        self._state: State | None = None
        self._key: object = None
        self._continues = True

    def exists_beside(self, state: State) -> bool:
        """Return whether the graph of a state is newer than the last pass, and goes on from that pass.

        Where all that ran since has leaves of another graph, that one is shown.
        """
        is_newer = state.last_pass is not None and not state.showing_pass and not state.full
        return is_newer and self._is_continued(state)

    def at(self, state: State) -> State:
        """Return the last state that shows the graph of the last pass, not after `state`."""
        return self._find_state(state) if self.exists_beside(state) else state

    def _is_continued(self, state: State) -> bool:
        """Return whether nodes since the last pass have its leaves, or its nodes as inputs; True without any."""
        before = self._find_state(state)
        key = before.step, state.shown
        if self._key != key:
            leaves = {before.nodes[node].tensor for node in before.shown if is_leaf(before.nodes[node])}
            nodes = [state.nodes[number] for number in state.shown - before.shown if number in state.nodes]
            sources = {edge[0] for node in nodes for edge in node.inputs if edge is not None}
            tensors = {node.tensor for node in nodes if is_leaf(node)}
            self._key, self._continues = key, not nodes or bool(sources & before.shown or tensors & leaves)
        return self._continues

    def _find_state(self, state: State) -> State:
        """Return the last state, not after this one, that shows the last pass."""
        assert state.last_pass is not None
        if self._state is None or self._number != state.last_pass.number:
            self._number = state.last_pass.number
            self._state = self._find(state.step)
        return self._state or state

    def _find(self, step: int) -> State | None:
        """Return the last state before a step that shows the pass; between the two there is none that does."""
        info = next((info for info in reversed(self._timeline.passes) if info.number == self._number), None)
        if info is None:
            return None
        shows = info.end_step or info.start_step
        newer, stride = step, 1
        while shows + stride < newer and self._timeline.state(shows + stride).showing_pass:
            shows, stride = shows + stride, stride * 2  # it mostly ends soon after the pass
        newer = min(newer, shows + stride)
        while newer - shows > 1:
            middle = (shows + newer) // 2
            if self._timeline.state(middle).showing_pass:
                shows = middle
            else:
                newer = middle
        state = self._timeline.state(shows)
        return state if state.showing_pass else None
