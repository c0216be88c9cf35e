"""Applying events to a state: the only place that defines what an event does.

Every event passes through here once when it is recorded, and again whenever the cursor goes back, so this is written
for speed: one method per type of event, and states that share what did not change. A `TensorState`, `NodeState` or
`Binding` is replaced and never modified, so `copy_state` copies only the containers around them.

Recordings are not trusted: an event that refers to an unknown number is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tutor.trace import events as ev
from tutor.trace.index import Definitions
from tutor.trace.names import MODULE, is_alive, lasting_name
from tutor.trace.state import Binding, FrameState, ModuleInfo, NodeState, OptimizerInfo, PassState, State, TensorState
from tutor.trace.values import Value, size_of

_BASE = re.compile(r"[^.\[]*")
_OWN_STORAGES = 1024
"""Most storages of one operation that only its nodes hold and that are numbered."""


class TensorReplay:
    """Applies events to tensors: their values, their labels and their `.grad`."""

    __slots__ = ("definitions", "state")

    def __init__(self, state: State, definitions: Definitions) -> None:
        self.state = state
        self.definitions = definitions

    def _snapshot(self, event: ev.Snapshot) -> None:
        meta = self.definitions.metas.get(event.meta)
        if meta is None:
            return
        state = self.state
        number, value, grad, node = event.tensor, event.value, event.grad, event.node
        label, label_frame, first_name = None, 0, None
        operation = 0
        previous = state.tensors.get(number)
        if previous is not None:
            label, label_frame, first_name = previous.label, previous.label_frame, previous.first_name
            operation = previous.operation
            if value is None:
                value = previous.value
            if previous.grad is not None and previous.grad != grad:
                self._detach_grad(previous.grad)
        elif number in state.last_op[2]:
            operation = state.operations
        state.tensors[number] = TensorState(
            number, meta.shape, meta.dtype, meta.device, meta.strides, meta.layout, meta.class_name,
            meta.requires_grad, meta.is_leaf, meta.grad_fn, meta.retains_grad, event.version, event.storage,
            node, grad, value, label, label_frame, first_name, operation, event.storage_offset,
        )  # fmt: skip
        if grad is not None:
            state.grad_of[grad] = number
        if node is not None:
            created = state.nodes.get(node)
            matches = created is not None and (
                created.tensor == number or (created.tensor is None and created.of is not None)
            )
            if created is not None and created.shape is None and matches:
                created = created.__copy__()
                created.value, created.shape, created.tensor = value, meta.shape, number
                state.nodes[node] = created

    def _gone(self, event: ev.Gone) -> None:
        state = self.state
        tensors, grad_of = state.tensors, state.grad_of
        for number in event.tensors:
            if number not in tensors:
                continue
            owner = tensors.get(grad_of.get(number, 0))
            if owner is not None and owner.grad == number:
                state.collected.add(number)  # no Python object, but still a gradient
            else:
                self._drop(number)

    def _drop(self, number: int) -> None:
        self.state.grad_of.pop(number, None)
        self.state.collected.discard(number)
        tensor = self.state.tensors.pop(number, None)
        if tensor is None:
            return
        if tensor.grad is not None:
            self._detach_grad(tensor.grad)
        node = self.state.nodes.get(tensor.node or 0)
        name = lasting_name(self.state, tensor)
        if node is not None and node.tensor == number and name is not None:
            node = node.__copy__()
            node.label = name
            self.state.nodes[node.node] = node

    def _detach_grad(self, grad: int) -> None:
        """Drop the back-reference from a gradient to its owner, and the gradient if its object was collected."""
        self.state.grad_of.pop(grad, None)
        if grad in self.state.collected:
            self._drop(grad)

    def _write(
        self, owner: int, number: int, value: Value, version: int | None = None, storage: int | None = None
    ) -> None:
        """Set the value of the gradient tensor `number`, which may be new, of tensor `owner`."""
        tensors = self.state.tensors
        previous, leaf = tensors.get(number), tensors.get(owner)
        if previous is not None:
            tensor = previous.__copy__()
            tensor.value = value
            if version is not None:
                tensor.version = version
        elif leaf is not None:
            tensor = TensorState(
                number, leaf.shape, leaf.dtype, leaf.device, leaf.strides, leaf.layout, "Tensor",
                False, True, None, False, version or 0, storage, None, None, value,
            )  # fmt: skip
        else:
            return
        tensors[number] = tensor

    def _attach_grad(self, owner: int, number: int) -> None:
        """Set the `.grad` of `owner` to tensor `number`."""
        state = self.state
        previous = state.tensors.get(owner)
        if previous is None:
            return
        state.grad_of[number] = owner
        if previous.grad != number:
            if previous.grad is not None:
                self._detach_grad(previous.grad)
            tensor = previous.__copy__()
            tensor.grad = number
            state.tensors[owner] = tensor

    def _label(self, tensor: int, label: str, frame: FrameState) -> None:
        """Label a tensor with a name that this frame bound, unless a caller's name is still valid."""
        state = self.state
        previous = state.tensors.get(tensor)
        if previous is None:
            return
        takes_label = (
            previous.label is None or frame.frame <= previous.label_frame or not is_alive(state, previous.label_frame)
        )
        is_first = previous.first_name is None and frame.site is not None and previous.operation > frame.begun
        if (takes_label and (label, frame.frame) != (previous.label, previous.label_frame)) or is_first:
            updated = previous.__copy__()
            if takes_label:
                updated.label, updated.label_frame = label, frame.frame
            if is_first:
                updated.first_name = label
            state.tensors[tensor] = updated

    def _label_group(self, group: int, name: str, frame: FrameState) -> None:
        """Label the tensors of a group. Of two names in one frame the shorter wins, and any wins over `self.…`."""
        state = self.state
        alive = {0, MODULE, *state.suspended, *(frame_state.frame for frame_state in state.frames)}
        number = frame.frame
        for suffix, tensor in state.groups[group]:
            previous = state.tensors.get(tensor)
            if previous is None:
                continue
            label = previous.label
            if label is not None and previous.label_frame in alive and not label.startswith("self."):
                if number > previous.label_frame:
                    continue
                if number == previous.label_frame and self._keeps_label(frame, label, name, suffix, tensor):
                    continue
            updated = previous.__copy__()
            updated.label, updated.label_frame = name + suffix, number
            state.tensors[tensor] = updated

    def _keeps_label(self, frame: FrameState, label: str, name: str, suffix: str, tensor: int) -> bool:
        """Return whether a tensor's label in a frame is still valid and no longer than the new name."""
        if label == name + suffix:
            return True
        binding = frame.names.get(_BASE.match(label)[0])  # type: ignore[index]
        if binding is None or len(label) > len(name + suffix):
            return False
        if binding.what == "tensor":
            return binding.ref == tensor
        return binding.what == "group" and any(item == tensor for _, item in self.state.groups.get(binding.ref, ()))


class GraphReplay(TensorReplay):
    """Applies events to the autograd graph and to backward passes."""

    __slots__ = ()

    def _op(self, event: ev.Op) -> None:
        state = self.state
        state.last_op = (event.site, event.inputs, event.outputs, event.module, event.frame)
        state.operations += 1

    def _module(self, event: ev.Module) -> None:
        self.state.modules[event.module] = ModuleInfo(
            event.module, event.class_name, event.path, event.parent, event.of_torch
        )

    def _graph_node(self, event: ev.GraphNode) -> None:
        self._resume_outer()
        state = self.state
        running = state.last_pass is not None and state.last_pass.running
        if state.showing_pass and not running:
            self._show_existing()
        node = NodeState(event.node, event.name, event.inputs, event.tensor, event.sequence, event.saved)
        node.state = "live"
        node.attributes = self.definitions.attributes.get(event.attributes, {})
        if not running:
            node.module, node.within = state.last_op[3], state.operations
        elif state.last_pass is not None and event.name != "AccumulateGrad":
            node.of_pass, node.of = state.last_pass.number, event.of
            node.value = _gradient(state.nodes.get(event.of[0]), event.of[1]) if event.of is not None else None
        if event.tensor in state.last_op[2] and event.name != "AccumulateGrad":
            node.operation, node.site, node.frame = state.operations, state.last_op[0], state.last_op[4]
            node.others = self._other_inputs(event)
        tensor = state.tensors.get(event.tensor) if event.tensor is not None else None
        if tensor is not None and (tensor.node == event.node or event.name == "AccumulateGrad"):
            node.value, node.shape = tensor.value, tensor.shape
            site, _, outputs = state.last_op[:3]
            if event.tensor in outputs:
                self._set_saved(node, self.definitions.saved.get((site, event.name), ()))
        state.nodes[event.node] = node
        second_order = node.of_pass is not None and state.last_pass is not None and state.last_pass.create_graph
        if (not state.showing_pass or second_order) and not state.full:
            state.shown.add(event.node)

    def _set_saved(self, node: NodeState, variants: Sequence[ev.Saved]) -> None:
        """Set the saved tensors of a node and of the nodes inside its operation, from the variant that matches."""
        tensors = self.state.last_op[1:3]
        variants = sorted(variants, key=lambda saved: saved.shape not in (None, node.shape))
        for saved in variants:
            if saved.needs and saved.needs != _inputs_needing_grad(node):
                continue
            inner = self._inner_nodes(node)
            matches = [(inner_node.name, _inputs_needing_grad(inner_node)) for inner_node in inner] == [
                (inner_node.name, inner_node.needs) for inner_node in saved.inner
            ]
            if not matches and saved is not variants[-1]:
                continue
            node.kept = [self._saved_tensor(*entry, tensors) for entry in saved.tensors]
            for inner_node, inner_saved in zip(inner, saved.inner, strict=False) if matches else ():
                updated = self.state.nodes[inner_node.node] = inner_node.__copy__()
                updated.kept = [self._saved_tensor(*entry, tensors) for entry in inner_saved.tensors]
            return

    def _inner_nodes(self, node: NodeState) -> list[NodeState]:
        """Return the nodes that were created inside the operation of a node, breadth first, without leaves."""
        inner: dict[int, NodeState] = {}
        pending = [node]
        for current in pending:
            for source in current.inputs:
                source_node = None if source is None else self.state.nodes.get(source[0])
                if source_node is None or source_node.node in inner or source_node.name == "AccumulateGrad":
                    continue
                if source_node.tensor is None and source_node.within == node.within:
                    inner[source_node.node] = source_node
                    pending.append(source_node)
        return list(inner.values())

    def _other_inputs(self, event: ev.GraphNode) -> list[tuple[int, int | None, int | None]]:
        """Return the inputs of the last operation that need no gradient; see `NodeState.others`."""
        others: list[tuple[int, int | None, int | None]] = []
        tensors = self.state.tensors
        for position, number in enumerate(self.state.last_op[1]):
            if number is None:
                others.append((position, None, None))
                continue
            tensor = tensors.get(number)
            if tensor is None:
                continue
            if number == event.tensor:  # modified in place: it needs a gradient from now on
                if position < len(event.inputs) and event.inputs[position] is None:
                    others.append((position, number, (tensor.version or 1) - 1))
            elif not tensor.requires_grad:
                others.append((position, number, tensor.version))
        return others

    def _saved_tensor(
        self, name: str, owner: int, index: int, size: int, tensors: tuple[Sequence[int | None], ...]
    ) -> tuple[str, int, int | None, int, int | None]:
        number = tensors[owner][index] if owner < len(tensors) and index < len(tensors[owner]) else None
        tensor = self.state.tensors.get(number or 0)
        if tensor is None:
            own = owner == 2 and 0 < index < _OWN_STORAGES
            return name, 0, None, size, -(self.state.operations * _OWN_STORAGES + index) if own else None
        return name, tensor.tensor, tensor.version, size_of(tensor.shape, tensor.dtype), tensor.storage

    def _show_existing(self) -> None:
        """Show all existing nodes instead of a pass, without gradients, and leaves with their current values."""
        state = self.state
        state.showing_pass = False
        self._clear_gradients()
        state.nodes = {number: node for number, node in state.nodes.items() if not node.gone}
        state.shown = set(state.nodes)
        for number, node in state.nodes.items():
            if node.name == "AccumulateGrad" and node.tensor in state.tensors:
                tensor = state.tensors[node.tensor]
                if node.value is not tensor.value:
                    node = node.__copy__()
                    node.value, node.shape = tensor.value, tensor.shape
                    state.nodes[number] = node

    def _forget_passes(self) -> None:
        """Forget the current pass and show no graph: the recording is full."""
        state = self.state
        self._show_existing()
        state.shown, state.last_pass, state.full = set(), None, True
        state.last_op = (0, [], [], None, 0)

    def _clear_gradients(self, keep: Sequence[int] = ()) -> None:
        """Remove the gradients of the current pass from all nodes but those to keep."""
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
        self._resume_outer()
        state = self.state
        outer = state.last_pass if state.last_pass is not None and state.last_pass.running else None
        if outer is None:
            self._clear_gradients()
        state.passes += 1
        state.last_pass = PassState(
            event.number, event.call, event.roots, event.retain_graph, event.create_graph, event.gradient, True, [],
            outer, state.shown if outer is not None else set(),
        )  # fmt: skip
        nodes, shown = state.nodes, set[int]()
        roots = [state.tensors[root].node for root in event.roots if root in state.tensors]
        pending = [node for node in roots if node is not None]
        while pending:
            number = pending.pop()
            if number in shown or number not in nodes:
                continue
            shown.add(number)
            pending.extend(source[0] for source in nodes[number].inputs if source is not None)
        if outer is None:
            gone = [number for number in state.shown if number not in shown and number in nodes and nodes[number].gone]
            for number in gone:
                del nodes[number]
        state.shown, state.showing_pass = shown, True

    def _resume_outer(self) -> None:
        """Make the outer pass the current one, if an inner one has ended."""
        state, last = self.state, self.state.last_pass
        if last is None or last.running or last.outer is None:
            return
        self._clear_gradients(last.outer.ran)
        for number in state.shown - last.outer_shown:
            if number in state.nodes and state.nodes[number].gone:
                del state.nodes[number]
        state.last_pass = outer = last.outer.__copy__()
        outer.ran = outer.ran.copy()
        state.shown, state.showing_pass = set(last.outer_shown), True

    def _run_node(self, number: int, grad_outputs: list[Value], grad_inputs: list[Value] | None) -> None:
        self._resume_outer()
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
        self._run_node(event.node, event.grad_outputs, event.grad_inputs)

    def _accumulate(self, event: ev.Accumulate) -> None:
        self._run_node(event.node, [event.incoming], None)
        self._write(event.tensor, event.grad, event.new, event.version, event.storage)
        self._attach_grad(event.tensor, event.grad)

    def _retained(self, event: ev.Retained) -> None:
        self._write(event.tensor, event.grad, event.value)
        self._attach_grad(event.tensor, event.grad)

    def _captured(self, event: ev.Captured) -> None:
        if event.result is not None:
            self._write(event.tensor, event.result, event.value)

    def _backward_end(self, event: ev.BackwardEnd) -> None:
        if self.state.last_pass is not None and self.state.last_pass.number != event.number:
            self._resume_outer()
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


def _gradient(node: NodeState | None, which: int) -> Value:
    """Return a gradient that a node sent on, by index, or (-1) the first that reached it."""
    gradients = None if node is None else node.grad_outputs if which < 0 else node.grad_inputs
    which = max(which, 0)
    return gradients[which] if gradients is not None and which < len(gradients) else None


def _inputs_needing_grad(node: ev.GraphNode | NodeState) -> list[bool]:
    return [source is not None for source in node.inputs]


class Replay(GraphReplay):
    """Applies events of all types to a state."""

    __slots__ = ("apply",)

    def __init__(self, state: State, definitions: Definitions) -> None:
        super().__init__(state, definitions)
        self.apply: dict[type[ev.Event], Callable[[Any], None]] = {
            ev.Line: self._line, ev.Op: self._op, ev.Bind: self._bind, ev.Snapshot: self._snapshot, ev.Gone: self._gone,
            ev.GraphNode: self._graph_node, ev.Node: self._node, ev.Accumulate: self._accumulate,
            ev.Freed: self._freed, ev.Backward: self._backward, ev.BackwardEnd: self._backward_end,
            ev.Retained: self._retained, ev.Captured: self._captured, ev.Iteration: self._iteration,
            ev.LoopEnd: self._loop_end, ev.FrameStart: self._frame_start, ev.FrameEnd: self._frame_end,
            ev.Group: self._group, ev.CellStart: self._cell_start, ev.Document: self._document,
            ev.Skipped: self._skipped,
            ev.Module: self._module, ev.Output: self._output, ev.Figure: self._figure, ev.Answer: self._answer,
            ev.Cut: self._cut, ev.OptimizerState: self._optimizer_state, ev.OptimizerStep: self._optimizer_step,
        }  # fmt: skip
        """By type of event: the method that applies it. Other events change nothing."""

    def run(self, events: Iterable[ev.Event]) -> None:
        """Apply events in order, skipping those that cannot be applied."""
        apply = self.apply
        for event in events:
            method = apply.get(type(event))
            if method is not None:
                try:
                    method(event)
                except Exception:  # recordings are not trusted
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
            # A loop left by an exception has no LoopEnd; it ends with the next statement outside of it.
            inside = self.definitions.inside
            for loop in list(frame.iterations):
                if not inside(site, loop):
                    del frame.iterations[loop]
        if event.frame == MODULE and (info := self.definitions.sites.get(site)) is not None:
            frame.file = info.file  # in a notebook each cell is a file

    def _skipped(self, event: ev.Skipped) -> None:
        frame = self._frame(event.frame)
        if frame is not None:
            frame.site = event.loop

    def _frame(self, number: int) -> FrameState | None:
        """Return a frame from the stack or resume it, suspending the generators above it; None if unknown."""
        frames = self.state.frames
        for position in range(len(frames) - 1, -1, -1):
            if frames[position].frame == number:
                above = frames[position + 1 :]
                if above:
                    self.state.suspended.update((frame.frame, frame) for frame in above if frame.resumable)
                    frames[position + 1 :] = [frame for frame in above if not frame.resumable]
                return frames[position]
        resumed = self.state.suspended.pop(number, None)
        if resumed is not None:
            frames.append(resumed)
        elif number == MODULE:
            resumed = FrameState(MODULE, "<module>", 1, False, None, {}, {})
            frames.insert(0, resumed)
        return resumed

    def _frame_start(self, event: ev.FrameStart) -> None:
        self._frame_end(event)
        self.state.frames.append(
            FrameState(event.frame, event.function, event.file, event.resumable, None, {}, {}, loads=event.loads)
        )

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

    # ------------------------------------------------------------ optimizers

    def _optimizer_state(self, event: ev.OptimizerState) -> None:
        optimizers = self.state.optimizers
        previous = optimizers.pop(event.optimizer, None)
        if event.groups:
            tensors = {**(previous.tensors if previous is not None else {}), **dict(event.tensors)}
            values = previous.values if previous is not None else {}
            optimizers[event.optimizer] = OptimizerInfo(
                event.optimizer, event.class_name, event.name, event.groups, event.options, tensors, values
            )

    def _optimizer_step(self, event: ev.OptimizerStep) -> None:
        previous = self.state.optimizers.pop(event.number, None)
        if previous is None:
            return
        info = self.state.optimizers[event.number] = previous.__copy__()
        info.options, info.values = event.options, info.values.copy()
        for update in event.updates:
            tensors = info.tensors.get(update.tensor, {})
            values = {name: value for name, value in update.state_after.items() if name not in tensors}
            if values:
                info.values[update.tensor] = values

    # ------------------------------------------------------------ the rest

    def _cut(self, event: ev.Cut) -> None:
        """End all calls, loops and passes: the recording is full, and no event will end them."""
        state = self.state
        state.frames = [frame for frame in state.frames if frame.frame == MODULE]
        for frame in state.frames:
            frame.iterations = {}
        state.suspended = {}
        self._forget_passes()

    def _output(self, event: ev.Output) -> None:
        self.state.output_length += len(event.text)

    def _figure(self, event: ev.Figure) -> None:
        self.state.figures += 1

    def _answer(self, event: ev.Answer) -> None:
        self.state.answers[event.cell] = event.value
