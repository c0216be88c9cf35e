"""The last backward pass, whose graph stays after new operations have run."""

from __future__ import annotations

from tutor.trace.state import State
from tutor.trace.timeline import Timeline


class LastPass:
    """Finds the graph of the last pass, with its gradients, once the recording shows a newer graph."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._number = 0
        self._state: State | None = None

    def exists_beside(self, state: State) -> bool:
        """Return whether the graph of a state is newer than the last pass."""
        return state.last_pass is not None and not state.showing_pass and not state.full

    def at(self, state: State) -> State:
        """Return the last state that shows the graph of the last pass, not after `state`."""
        if not self.exists_beside(state) or state.last_pass is None:
            return state
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
