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
from tutor.trace.state import Binding, FrameState, NodeState, PassState, State, TensorState

MODULE = 1
"""The frame of the learner's module."""


class Replay:
    """A state that events are applied to."""

    __slots__ = ("apply", "book", "state")

    def __init__(self, state: State, book: Book) -> None:
        self.state = state
        self.book = book
        self.apply: dict[type[ev.Event], Callable[[Any], None]] = {
            ev.Line: self._line, ev.Bind: self._bind, ev.Snapshot: self._snapshot, ev.Gone: self._gone,
            ev.GraphNode: self._graph_node, ev.Node: self._node, ev.Accumulate: self._accumulate,
            ev.Freed: self._freed, ev.Backward: self._backward, ev.BackwardEnd: self._backward_end,
            ev.Retained: self._retained, ev.Captured: self._captured, ev.Iteration: self._iteration,
            ev.LoopEnd: self._loop_end, ev.FrameStart: self._frame_start, ev.FrameEnd: self._frame_end,
            ev.Group: self._group, ev.CellStart: self._cell_start, ev.Document: self._document,
            ev.Output: self._output, ev.Figure: self._figure, ev.Answer: self._answer,
        }  # fmt: skip
        """What to do with an event, by its type; events that are not here change nothing."""

    def run(self, events: Iterable[ev.Event]) -> None:
        """Apply these events, in order."""
        apply = self.apply
        for event in events:
            method = apply.get(type(event))
            if method is not None:
                method(event)

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
            self._label(event.ref, name)
        elif what == "group" and event.ref in self.state.groups:
            self._label_group(event.ref, name, event.frame == MODULE)

    def _label(self, tensor: int, label: str) -> None:
        old = self.state.tensors.get(tensor)
        if old is not None and old.label != label:
            new = copy(old)
            new.label = label
            self.state.tensors[tensor] = new

    def _label_group(self, group: int, name: str, lasting: bool) -> None:
        """Name what a group holds; a function's name for it (`self`) does not replace the module's."""
        tensors = self.state.tensors
        for suffix, tensor in self.state.groups[group]:
            old = tensors.get(tensor)
            if old is not None and (lasting or old.label is None):
                self._label(tensor, name + suffix)

    def _group(self, event: ev.Group) -> None:
        self.state.groups[event.group] = event.items
        for frame in reversed(self.state.frames):
            for name, binding in frame.names.items():
                if binding.ref == event.group and binding.what == "group":
                    self._label_group(event.group, name, frame.frame == MODULE)
                    return

    # ------------------------------------------------------------ tensors

    def _snapshot(self, event: ev.Snapshot) -> None:
        meta = self.book.metas.get(event.meta)
        if meta is None:
            return
        state = self.state
        number, value, grad, node, label = event.tensor, event.value, event.grad, event.node, None
        old = state.tensors.get(number)
        if old is not None:
            label = old.label
            if value is None:
                value = old.value
            if old.grad is not None and old.grad != grad:
                self._let_go(old.grad)
        state.tensors[number] = TensorState(
            number, meta.shape, meta.dtype, meta.device, meta.strides, meta.layout, meta.class_name,
            meta.requires_grad, meta.is_leaf, meta.grad_fn, meta.retains_grad, event.version, event.storage,
            node, grad, value, label,
        )  # fmt: skip
        if grad is not None:
            state.grad_of[grad] = number
        if node is not None:
            made = state.nodes.get(node)
            if made is not None and made.shape is None and made.tensor == number:
                made = copy(made)
                made.value, made.shape = value, meta.shape
                state.nodes[node] = made

    def _gone(self, event: ev.Gone) -> None:
        state = self.state
        tensors, grad_of = state.tensors, state.grad_of
        for number in event.tensors:
            if number not in tensors:
                continue
            owner = tensors.get(grad_of.get(number, 0))
            if owner is not None and owner.grad == number:
                state.collected.add(number)  # it has no Python object, but is a gradient still
            else:
                self._drop(number)

    def _drop(self, number: int) -> None:
        self.state.grad_of.pop(number, None)
        self.state.collected.discard(number)
        old = self.state.tensors.pop(number, None)
        if old is not None and old.grad is not None:
            self._let_go(old.grad)

    def _let_go(self, grad: int) -> None:
        """Nobody's `.grad` is this any more."""
        self.state.grad_of.pop(grad, None)
        if grad in self.state.collected:
            self._drop(grad)

    def _write(self, owner: int, number: int, value: ev.Value) -> None:
        """The engine wrote a gradient: `value` is what tensor `number` holds now, for `owner`."""
        tensors = self.state.tensors
        old, like = tensors.get(number), tensors.get(owner)
        if old is not None:
            new = copy(old)
            new.value = value
        elif like is not None:
            new = TensorState(
                number, like.shape, like.dtype, like.device, like.strides, like.layout, "Tensor",
                False, True, None, False, 0, None, None, None, value,
            )  # fmt: skip
        else:
            return
        tensors[number] = new

    def _hold(self, owner: int, number: int) -> None:
        """`number` is what stands in `.grad` of `owner`."""
        state = self.state
        old = state.tensors.get(owner)
        if old is None:
            return
        state.grad_of[number] = owner
        if old.grad != number:
            if old.grad is not None:
                self._let_go(old.grad)
            new = copy(old)
            new.grad = number
            state.tensors[owner] = new

    # ------------------------------------------------------------ the graph

    def _graph_node(self, event: ev.GraphNode) -> None:
        state = self.state
        running = state.last_pass is not None and state.last_pass.running
        if state.showing_pass and not running:
            self._show_all()
        node = NodeState(event.node, event.name, event.inputs, event.tensor, event.sequence, event.saved)
        node.state = "live"
        tensor = state.tensors.get(event.tensor) if event.tensor is not None else None
        if tensor is not None and (tensor.node == event.node or event.name == "AccumulateGrad"):
            node.value, node.shape = tensor.value, tensor.shape
        state.nodes[event.node] = node
        if not state.showing_pass:
            state.shown.add(event.node)

    def _show_all(self) -> None:
        """The pass leaves the display: what lives is on show, without gradients, leaves as they are now."""
        state = self.state
        state.showing_pass = False
        self._clear()
        state.nodes = {number: node for number, node in state.nodes.items() if not node.gone}
        state.shown = set(state.nodes)
        for number, node in state.nodes.items():
            if node.name == "AccumulateGrad" and node.tensor in state.tensors:
                tensor = state.tensors[node.tensor]
                if node.value is not tensor.value:
                    node = copy(node)
                    node.value, node.shape = tensor.value, tensor.shape
                    state.nodes[number] = node

    def _clear(self) -> None:
        """Take the gradients of the last pass from the nodes."""
        state = self.state
        for number in state.last_pass.ran if state.last_pass is not None else ():
            node = state.nodes.get(number)
            if node is not None:
                node = copy(node)
                node.grad_outputs = node.grad_inputs = None
                node.order = 0
                state.nodes[number] = node

    def _freed(self, event: ev.Freed) -> None:
        state = self.state
        for number in event.nodes:
            node = state.nodes.get(number)
            if node is None:
                continue
            if state.showing_pass and number in state.shown:
                node = copy(node)
                node.gone, node.state = True, "freed"
                state.nodes[number] = node
            else:
                del state.nodes[number]
                state.shown.discard(number)

    def _backward(self, event: ev.Backward) -> None:
        state = self.state
        self._clear()
        state.passes += 1
        state.last_pass = PassState(
            event.number, event.call, event.roots, event.retain_graph, event.create_graph, event.gradient, True, []
        )
        nodes, shown = state.nodes, set[int]()
        roots = [state.tensors[root].node for root in event.roots if root in state.tensors]
        waiting = [node for node in roots if node is not None]
        while waiting:
            number = waiting.pop()
            if number in shown or number not in nodes:
                continue
            shown.add(number)
            waiting.extend(source[0] for source in nodes[number].inputs if source is not None)
        gone = [number for number in state.shown if number not in shown and number in nodes and nodes[number].gone]
        for number in gone:
            del nodes[number]
        state.shown, state.showing_pass = shown, True

    def _ran(self, number: int, grad_outputs: list[ev.Value], grad_inputs: list[ev.Value] | None) -> None:
        state = self.state
        node, last = state.nodes.get(number), state.last_pass
        if last is None:
            return
        last.ran.append(number)
        if node is not None:
            node = copy(node)
            node.grad_outputs, node.grad_inputs, node.order = grad_outputs, grad_inputs, len(last.ran)
            state.nodes[number] = node

    def _node(self, event: ev.Node) -> None:
        self._ran(event.node, event.grad_outputs, event.grad_inputs)

    def _accumulate(self, event: ev.Accumulate) -> None:
        self._ran(event.node, [event.incoming], None)
        self._write(event.tensor, event.grad, event.new)
        self._hold(event.tensor, event.grad)

    def _retained(self, event: ev.Retained) -> None:
        self._write(event.tensor, event.grad, event.value)
        self._hold(event.tensor, event.grad)

    def _captured(self, event: ev.Captured) -> None:
        if event.result is not None:
            self._write(event.tensor, event.result, event.value)

    def _backward_end(self, event: ev.BackwardEnd) -> None:
        state, last = self.state, self.state.last_pass
        if last is None or last.number != event.number:
            return
        last.running = False
        for number in () if last.retain_graph else last.ran:
            node = state.nodes.get(number)
            if node is not None and node.name != "AccumulateGrad":
                node = copy(node)
                node.state = "freed"
                state.nodes[number] = node

    # ------------------------------------------------------------ all else

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
    new.grad_of, new.collected = state.grad_of.copy(), state.collected.copy()
    if state.last_pass is not None:
        new.last_pass = copy(state.last_pass)
        new.last_pass.ran = state.last_pass.ran.copy()
    return new


def _copy_frame(frame: FrameState) -> FrameState:
    new = copy(frame)
    new.names, new.iterations = frame.names.copy(), frame.iterations.copy()
    return new
