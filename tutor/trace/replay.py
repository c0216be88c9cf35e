"""Applying events to a state, one by one: the only place that says what an event does.

Every event of a recording passes through here once while it is recorded, and again whenever somebody goes back. So
this is written for speed: one method per kind of event, found by type, and states that share what did not change. A
`TensorState`, `NodeState`, `PassState.ran` aside, or `Binding` is replaced and never changed, so that `copy_state` may
copy only the containers around them.

Nothing in a recording is believed: a number that nothing has is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from tutor.trace import events as ev
from tutor.trace.book import Book
from tutor.trace.replay_graph import GraphReplay
from tutor.trace.scope import MODULE
from tutor.trace.state import Binding, FrameState, State


class Replay(GraphReplay):
    """A state that events are applied to."""

    __slots__ = ("apply",)

    def __init__(self, state: State, book: Book) -> None:
        super().__init__(state, book)
        self.apply: dict[type[ev.Event], Callable[[Any], None]] = {
            ev.Line: self._line, ev.Op: self._op, ev.Bind: self._bind, ev.Snapshot: self._snapshot, ev.Gone: self._gone,
            ev.GraphNode: self._graph_node, ev.Node: self._node, ev.Accumulate: self._accumulate,
            ev.Freed: self._freed, ev.Backward: self._backward, ev.BackwardEnd: self._backward_end,
            ev.Retained: self._retained, ev.Captured: self._captured, ev.Iteration: self._iteration,
            ev.LoopEnd: self._loop_end, ev.FrameStart: self._frame_start, ev.FrameEnd: self._frame_end,
            ev.Group: self._group, ev.CellStart: self._cell_start, ev.Document: self._document,
            ev.Module: self._module, ev.Output: self._output, ev.Figure: self._figure, ev.Answer: self._answer,
            ev.Cut: self._cut,
        }  # fmt: skip
        """What to do with an event, by its type; events that are not here change nothing."""

    def run(self, events: Iterable[ev.Event]) -> None:
        """Apply these events, in order. What no program does, and cannot be applied, changes nothing."""
        apply = self.apply
        for event in events:
            method = apply.get(type(event))
            if method is not None:
                try:
                    method(event)
                except Exception:  # a recording may come from a stranger
                    continue

    # ------------------------------------------------------------ the learner's code

    def _cell_start(self, event: ev.CellStart) -> None:
        self.state.cell = event.cell
        if event.knobs:
            self.state.knobs = {**self.state.knobs, **event.knobs}
        self._frame(MODULE)

    def _document(self, event: ev.Document) -> None:
        self.state.knobs = {**self.state.knobs, **event.knobs}

    def _line(self, event: ev.Line) -> None:
        frames = self.state.frames
        frame = frames[-1] if frames and frames[-1].frame == event.frame else self._frame(event.frame)
        if frame is None:
            return
        site = frame.site = event.site
        frame.begun = self.state.operations
        if frame.iterations:
            # A loop that an exception left says nothing; the next statement outside of it does.
            inside = self.book.inside
            for loop in list(frame.iterations):
                if not inside(site, loop):
                    del frame.iterations[loop]
        if event.frame == MODULE and (info := self.book.sites.get(site)) is not None:
            frame.file = info.file  # in a notebook each cell is a file of its own

    def _frame(self, number: int) -> FrameState | None:
        """The frame, with the generators above it suspended, or itself taken up again."""
        frames = self.state.frames
        for place in range(len(frames) - 1, -1, -1):
            if frames[place].frame == number:
                above = frames[place + 1 :]
                if above:
                    self.state.suspended.update((frame.frame, frame) for frame in above if frame.resumable)
                    frames[place + 1 :] = [frame for frame in above if not frame.resumable]
                return frames[place]
        resumed = self.state.suspended.pop(number, None)
        if resumed is not None:
            frames.append(resumed)
        elif number == MODULE:
            resumed = FrameState(MODULE, "<module>", 1, False, None, {}, {})
            frames.insert(0, resumed)
        return resumed

    def _frame_start(self, event: ev.FrameStart) -> None:
        self._frame_end(event)
        self.state.frames.append(FrameState(event.frame, event.function, event.file, event.resumable, None, {}, {}))

    def _frame_end(self, event: ev.FrameEnd | ev.FrameStart) -> None:
        frames = self.state.frames
        if frames and frames[-1].frame == event.frame:
            frames.pop()
        else:
            self.state.frames = [frame for frame in frames if frame.frame != event.frame]
            self.state.suspended.pop(event.frame, None)

    def _iteration(self, event: ev.Iteration) -> None:
        frame = self._frame(event.frame)
        if frame is not None:
            frame.iterations[event.loop] = event.number

    def _loop_end(self, event: ev.LoopEnd) -> None:
        frame = self._frame(event.frame)
        if frame is not None:
            frame.iterations.pop(event.loop, None)

    def _bind(self, event: ev.Bind) -> None:
        frames = self.state.frames
        frame = frames[-1] if frames and frames[-1].frame == event.frame else self._frame(event.frame)
        if frame is None:
            return
        what, name = event.what, event.name
        if what == "none":
            frame.names.pop(name, None)
            return
        frame.names[name] = Binding(what, event.ref, event.value)
        if what == "tensor":
            self._label(event.ref, name, frame)
        elif what == "group" and event.ref in self.state.groups:
            self._label_group(event.ref, name, frame)

    def _group(self, event: ev.Group) -> None:
        self.state.groups[event.group] = event.items
        self.state.containers[event.group] = event.containers
        for frame in reversed(self.state.frames):
            for name, binding in frame.names.items():
                if binding.ref == event.group and binding.what == "group":
                    self._label_group(event.group, name, frame)
                    return

    # ------------------------------------------------------------ all else

    def _cut(self, event: ev.Cut) -> None:
        """Nothing more will be told of the functions and loops that were left then, nor of a pass."""
        state = self.state
        state.frames = [frame for frame in state.frames if frame.frame == MODULE]
        for frame in state.frames:
            frame.iterations = {}
        state.suspended = {}
        self._stop_passes()

    def _output(self, event: ev.Output) -> None:
        self.state.output_length += len(event.text)

    def _figure(self, event: ev.Figure) -> None:
        self.state.figures += 1

    def _answer(self, event: ev.Answer) -> None:
        self.state.answers[event.cell] = event.value


def copy_state(state: State) -> State:
    """A state of its own: events applied to either leave the other as it is."""
    new = copy(state)
    new.frames = [_copy_frame(frame) for frame in state.frames]
    new.suspended = {number: _copy_frame(frame) for number, frame in state.suspended.items()}
    new.tensors, new.groups, new.nodes = state.tensors.copy(), state.groups.copy(), state.nodes.copy()
    new.shown, new.answers = state.shown.copy(), state.answers.copy()
    new.modules, new.containers = state.modules.copy(), state.containers.copy()
    new.grad_of, new.collected = state.grad_of.copy(), state.collected.copy()
    if state.last_pass is not None:
        new.last_pass = copy(state.last_pass)
        new.last_pass.ran = state.last_pass.ran.copy()
    return new


def _copy_frame(frame: FrameState) -> FrameState:
    new = copy(frame)
    new.names, new.iterations = frame.names.copy(), frame.iterations.copy()
    return new
