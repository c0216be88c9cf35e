"""What events do to tensors: the first third of `replay`.

What events do to the autograd graph: the second third of `replay`.

Applying events to a state, one by one: the only place that says what an event does.

Every event of a recording passes through here once while it is recorded, and again whenever somebody goes back. So
this is written for speed: one method per kind of event, found by type, and states that share what did not change. A
`TensorState`, `NodeState`, `PassState.ran` aside, or `Binding` is replaced and never changed, so that `copy_state` may
copy only the containers around them.

Nothing in a recording is believed: a number that nothing has is passed over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any

from tutor.trace import events as ev
from tutor.trace.index import Book
from tutor.trace.names import MODULE, is_alive, lasting_name
from tutor.trace.state import Binding, FrameState, ModuleInfo, NodeState, PassState, State, TensorState
from tutor.trace.values import size_of

_BASE = re.compile(r"[^.\[]*")


class TensorReplay:
    """Tensors, their labels, and what their `.grad` holds."""

    __slots__ = ("book", "state")

    def __init__(self, state: State, book: Book) -> None:
        self.state = state
        self.book = book

    def _snapshot(self, event: ev.Snapshot) -> None:
        meta = self.book.metas.get(event.meta)
        if meta is None:
            return
        state = self.state
        number, value, grad, node = event.tensor, event.value, event.grad, event.node
        label, label_frame, first_name = None, 0, None
        operation = 0
        old = state.tensors.get(number)
        if old is not None:
            label, label_frame, first_name = old.label, old.label_frame, old.first_name
            operation = old.operation
            if value is None:
                value = old.value
            if old.grad is not None and old.grad != grad:
                self._let_go(old.grad)
        elif number in state.last_op[2]:
            operation = state.operations
        state.tensors[number] = TensorState(
            number, meta.shape, meta.dtype, meta.device, meta.strides, meta.layout, meta.class_name,
            meta.requires_grad, meta.is_leaf, meta.grad_fn, meta.retains_grad, event.version, event.storage,
            node, grad, value, label, label_frame, first_name, operation,
        )  # fmt: skip
        if grad is not None:
            state.grad_of[grad] = number
        if node is not None:
            made = state.nodes.get(node)
            told = made is not None and (made.tensor == number or (made.tensor is None and made.of is not None))
            if made is not None and made.shape is None and told:
                made = made.__copy__()
                made.value, made.shape, made.tensor = value, meta.shape, number
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
        if old is None:
            return
        if old.grad is not None:
            self._let_go(old.grad)
        node = self.state.nodes.get(old.node or 0)
        name = lasting_name(self.state, old)
        if node is not None and node.tensor == number and name is not None:
            node = node.__copy__()
            node.label = name
            self.state.nodes[node.node] = node

    def _let_go(self, grad: int) -> None:
        """Nobody's `.grad` is this any more."""
        self.state.grad_of.pop(grad, None)
        if grad in self.state.collected:
            self._drop(grad)

    def _write(
        self, owner: int, number: int, value: ev.Value, version: int | None = None, storage: int | None = None
    ) -> None:
        """The engine wrote a gradient: `value` is what tensor `number` holds now, for `owner`."""
        tensors = self.state.tensors
        old, like = tensors.get(number), tensors.get(owner)
        if old is not None:
            new = old.__copy__()
            new.value = value
            if version is not None:
                new.version = version
        elif like is not None:
            new = TensorState(
                number, like.shape, like.dtype, like.device, like.strides, like.layout, "Tensor",
                False, True, None, False, version or 0, storage, None, None, value,
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
            new = old.__copy__()
            new.grad = number
            state.tensors[owner] = new

    def _label(self, tensor: int, label: str, frame: FrameState) -> None:
        """A name in this frame means a tensor. What a call names it does not replace the caller's name for it."""
        state = self.state
        old = state.tensors.get(tensor)
        if old is None:
            return
        named = old.label is None or frame.frame <= old.label_frame or not is_alive(state, old.label_frame)
        kept = old.first_name is None and frame.site is not None and old.operation > frame.begun
        if (named and (label, frame.frame) != (old.label, old.label_frame)) or kept:
            new = old.__copy__()
            if named:
                new.label, new.label_frame = label, frame.frame
            if kept:
                new.first_name = label
            state.tensors[tensor] = new

    def _label_group(self, group: int, name: str, frame: FrameState) -> None:
        """Name what a group holds; of two names of one frame the shorter stays, and `self` gives way."""
        state = self.state
        alive = {0, MODULE, *state.suspended, *(held.frame for held in state.frames)}
        number = frame.frame
        for suffix, tensor in state.groups[group]:
            old = state.tensors.get(tensor)
            if old is None:
                continue
            label = old.label
            if label is not None and old.label_frame in alive and not label.startswith("self."):
                if number > old.label_frame:
                    continue
                if number == old.label_frame and self._stays(frame, label, name, suffix, tensor):
                    continue
            new = old.__copy__()
            new.label, new.label_frame = name + suffix, number
            state.tensors[tensor] = new

    def _stays(self, frame: FrameState, label: str, name: str, suffix: str, tensor: int) -> bool:
        """Whether a tensor's name in a frame is as good as this new one, and still means it."""
        if label == name + suffix:
            return True
        binding = frame.names.get(_BASE.match(label)[0])  # type: ignore[index]
        if binding is None or len(label) > len(name + suffix):
            return False
        if binding.what == "tensor":
            return binding.ref == tensor
        return binding.what == "group" and any(item == tensor for _, item in self.state.groups.get(binding.ref, ()))


class GraphReplay(TensorReplay):
    """Nodes, which of them are on show, and backward passes."""

    __slots__ = ()

    def _op(self, event: ev.Op) -> None:
        state = self.state
        state.last_op = (event.site, event.inputs, event.outputs, event.module, event.frame)
        state.operations += 1

    def _module(self, event: ev.Module) -> None:
        self.state.modules[event.module] = ModuleInfo(event.module, event.class_name, event.path, event.parent)

    def _graph_node(self, event: ev.GraphNode) -> None:
        self._resume()
        state = self.state
        running = state.last_pass is not None and state.last_pass.running
        if state.showing_pass and not running:
            self._show_all()
        node = NodeState(event.node, event.name, event.inputs, event.tensor, event.sequence, event.saved)
        node.state = "live"
        if not running:
            node.module, node.within = state.last_op[3], state.operations
        elif state.last_pass is not None and event.name != "AccumulateGrad":
            node.of_pass, node.of = state.last_pass.number, event.of
            node.value = _gradient(state.nodes.get(event.of[0]), event.of[1]) if event.of is not None else None
        if event.tensor in state.last_op[2] and event.name != "AccumulateGrad":
            node.operation, node.site, node.frame = state.operations, state.last_op[0], state.last_op[4]
            node.others = self._others(event)
        tensor = state.tensors.get(event.tensor) if event.tensor is not None else None
        if tensor is not None and (tensor.node == event.node or event.name == "AccumulateGrad"):
            node.value, node.shape = tensor.value, tensor.shape
            site, _, outputs = state.last_op[:3]
            if event.tensor in outputs:
                self._keep(node, self.book.saved.get((site, event.name), ()))
        state.nodes[event.node] = node
        second = node.of_pass is not None and state.last_pass is not None and state.last_pass.create_graph
        if (not state.showing_pass or second) and not state.full:
            state.shown.add(event.node)

    def _keep(self, node: NodeState, ways: Sequence[ev.Saved]) -> None:
        """Note what a node keeps, and those inside of its operation; nothing where it was not seen to be made so."""
        tensors = self.state.last_op[1:3]
        for saved in ways:
            if saved.needs and saved.needs != _needs(node):
                continue
            inner = self._inner(node)
            fits = [(one.name, _needs(one)) for one in inner] == [(one.name, one.needs) for one in saved.inner]
            if not fits and saved is not ways[-1]:
                continue
            node.kept = [self._kept(*each, tensors) for each in saved.tensors]
            for one, told in zip(inner, saved.inner, strict=False) if fits else ():
                copied = self.state.nodes[one.node] = one.__copy__()
                copied.kept = [self._kept(*each, tensors) for each in told.tensors]
            return

    def _inner(self, node: NodeState) -> list[NodeState]:
        """The nodes that appeared with a node, breadth first, without leaves."""
        found: dict[int, NodeState] = {}
        waiting = [node]
        for one in waiting:
            for source in one.inputs:
                before = None if source is None else self.state.nodes.get(source[0])
                if before is None or before.node in found or before.name == "AccumulateGrad":
                    continue
                if before.tensor is None and before.within == node.within:
                    found[before.node] = before
                    waiting.append(before)
        return list(found.values())

    def _others(self, event: ev.GraphNode) -> list[tuple[int, int | None, int | None]]:
        """The inputs of the last operation that need no gradient."""
        found: list[tuple[int, int | None, int | None]] = []
        tensors = self.state.tensors
        for place, number in enumerate(self.state.last_op[1]):
            if number is None:
                found.append((place, None, None))
                continue
            tensor = tensors.get(number)
            if tensor is None:
                continue
            if number == event.tensor:  # changed in place: it needs a gradient from now on
                if place < len(event.inputs) and event.inputs[place] is None:
                    found.append((place, number, (tensor.version or 1) - 1))
            elif not tensor.requires_grad:
                found.append((place, number, tensor.version))
        return found

    def _kept(
        self, name: str, whose: int, place: int, size: int, tensors: tuple[Sequence[int | None], ...]
    ) -> tuple[str, int, int | None, int, int | None]:
        number = tensors[whose][place] if whose < len(tensors) and place < len(tensors[whose]) else None
        tensor = self.state.tensors.get(number or 0)
        if tensor is None:
            return name, 0, None, size, None
        return name, tensor.tensor, tensor.version, size_of(tensor.shape, tensor.dtype), tensor.storage

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
                    node = node.__copy__()
                    node.value, node.shape = tensor.value, tensor.shape
                    state.nodes[number] = node

    def _stop_passes(self) -> None:
        """No more is told of passes, and so no graph is on show."""
        state = self.state
        self._show_all()
        state.shown, state.last_pass, state.full = set(), None, True
        state.last_op = (0, [], [], None, 0)

    def _clear(self, keep: Sequence[int] = ()) -> None:
        """Take the gradients of the last pass from the nodes."""
        state = self.state
        for number in set(state.last_pass.ran).difference(keep) if state.last_pass is not None else ():
            node = state.nodes.get(number)
            if node is not None:
                node = node.__copy__()
                node.grad_outputs = node.grad_inputs = None
                node.order = 0
                state.nodes[number] = node

    def _freed(self, event: ev.Freed) -> None:
        state = self.state
        for number in event.nodes:
            node = state.nodes.get(number)
            if node is None:
                continue
            last = state.last_pass
            if state.showing_pass and (number in state.shown or (last is not None and number in last.outer_shown)):
                node = node.__copy__()
                node.gone, node.state = True, "freed"
                state.nodes[number] = node
            else:
                del state.nodes[number]
                state.shown.discard(number)

    def _backward(self, event: ev.Backward) -> None:
        self._resume()
        state = self.state
        outer = state.last_pass if state.last_pass is not None and state.last_pass.running else None
        if outer is None:
            self._clear()
        state.passes += 1
        state.last_pass = PassState(
            event.number, event.call, event.roots, event.retain_graph, event.create_graph, event.gradient, True, [],
            outer, state.shown if outer is not None else set(),
        )  # fmt: skip
        nodes, shown = state.nodes, set[int]()
        roots = [state.tensors[root].node for root in event.roots if root in state.tensors]
        waiting = [node for node in roots if node is not None]
        while waiting:
            number = waiting.pop()
            if number in shown or number not in nodes:
                continue
            shown.add(number)
            waiting.extend(source[0] for source in nodes[number].inputs if source is not None)
        if outer is None:
            gone = [number for number in state.shown if number not in shown and number in nodes and nodes[number].gone]
            for number in gone:
                del nodes[number]
        state.shown, state.showing_pass = shown, True

    def _resume(self) -> None:
        """The pass around the one that has ended goes on."""
        state, last = self.state, self.state.last_pass
        if last is None or last.running or last.outer is None:
            return
        self._clear(last.outer.ran)
        for number in state.shown - last.outer_shown:
            if number in state.nodes and state.nodes[number].gone:
                del state.nodes[number]
        state.last_pass = outer = copy(last.outer)
        outer.ran = outer.ran.copy()
        state.shown, state.showing_pass = set(last.outer_shown), True

    def _ran(self, number: int, grad_outputs: list[ev.Value], grad_inputs: list[ev.Value] | None) -> None:
        self._resume()
        state = self.state
        node, last = state.nodes.get(number), state.last_pass
        if last is None:
            return
        last.ran.append(number)
        if node is not None:
            node = node.__copy__()
            node.grad_outputs, node.grad_inputs, node.order = grad_outputs, grad_inputs, len(last.ran)
            state.nodes[number] = node

    def _node(self, event: ev.Node) -> None:
        self._ran(event.node, event.grad_outputs, event.grad_inputs)

    def _accumulate(self, event: ev.Accumulate) -> None:
        self._ran(event.node, [event.incoming], None)
        self._write(event.tensor, event.grad, event.new, event.version, event.storage)
        self._hold(event.tensor, event.grad)

    def _retained(self, event: ev.Retained) -> None:
        self._write(event.tensor, event.grad, event.value)
        self._hold(event.tensor, event.grad)

    def _captured(self, event: ev.Captured) -> None:
        if event.result is not None:
            self._write(event.tensor, event.result, event.value)

    def _backward_end(self, event: ev.BackwardEnd) -> None:
        if self.state.last_pass is not None and self.state.last_pass.number != event.number:
            self._resume()
        state, last = self.state, self.state.last_pass
        if last is None or last.number != event.number:
            return
        last.running = False
        for number in () if last.retain_graph else last.ran:
            node = state.nodes.get(number)
            if node is not None and node.name != "AccumulateGrad":
                node = node.__copy__()
                node.state = "freed"
                state.nodes[number] = node


def _gradient(node: NodeState | None, which: int) -> ev.Value:
    """A gradient that a node sent on, or (-1) that reached it."""
    gradients = None if node is None else node.grad_outputs if which < 0 else node.grad_inputs
    which = max(which, 0)
    return gradients[which] if gradients is not None and which < len(gradients) else None


def _needs(node: ev.GraphNode | NodeState) -> list[bool]:
    return [source is not None for source in node.inputs]


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
