"""What a backward call was asked to do, read from its arguments.

Past the budget: the losses that backward passes begin at, under the names that the recording gave them before.

No event tells what names mean then, so they are looked up where they are: in the frames that run. A loss whose function
is over is known by the name that was first bound to it, which its node keeps. See `trace/losses.py` for what is told.

Records backward passes: which nodes run, in the engine's order, what reaches them and what they send on."""

from __future__ import annotations

import inspect
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from tutor.recorder.autograd_graph import GraphRecorder
from tutor.recorder.call_sites import CallSite, OpSite
from tutor.recorder.containers import ContainerRecorder
from tutor.recorder.operations import OperationRecorder, quiet
from tutor.recorder.originals import torch_function
from tutor.recorder.other_processes import is_distributed
from tutor.recorder.tensors import Storage, TensorRecord, TensorRecorder, grad_fn_of, overlap, version_of
from tutor.recorder.torch_private import DisableTorchFunction, mode_count, pop_mode, push_mode
from tutor.recorder.user_hooks import HookRecorder
from tutor.recorder.values import LIST, summary_of, unmeasured, value_of
from tutor.trace.events import Accumulate, Backward, BackwardEnd, Captured, Event, Gap, Node, Point, Retained
from tutor.trace.index import Named, behind, is_charted
from tutor.trace.names import best_of, is_indexed

_BACKWARD_ARGUMENTS = ("gradient", "retain_graph", "create_graph", "inputs")


class BackwardCall:
    """What a backward call was asked to do, whichever of the three it is."""

    def __init__(self, func: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.inputs: list[Any] = []
        """Of `autograd.grad`: what it gives the gradients of."""
        self.accumulated: list[Any] = []
        """What `backward(inputs=…)` writes gradients to."""
        self.edges: list[Any] = []
        if func is torch_function(torch.Tensor, "backward"):
            self.name = "backward"
            given = kwargs
            if len(args) > 1:
                given = {**dict(zip(_BACKWARD_ARGUMENTS, args[1:], strict=False)), **kwargs}
            self.roots = [args[0]]
            gradient = given.get("gradient")
            self.gradient = [] if gradient is None else [gradient]
        else:
            given = inspect.signature(func).bind(*args, **kwargs).arguments
            is_grad = func is torch_function(torch.autograd, "grad")
            self.name = "grad" if is_grad else "backward"
            asked = _listed(given["outputs" if is_grad else "tensors"])
            self.roots = [root for root in asked if isinstance(root, torch.Tensor)]
            self.edges = [root.node for root in asked if isinstance(root, GradientEdge)]
            gradients = given.get("grad_outputs" if is_grad else "grad_tensors")
            self.gradient = [] if gradients is None else _listed(gradients)
            if is_grad:
                self.inputs = _listed(given["inputs"])
        if self.name == "backward" and given.get("inputs") is not None:
            self.accumulated = _listed(given["inputs"])
        self.create_graph = bool(given.get("create_graph"))
        retain = given.get("retain_graph")
        self.retain_graph = self.create_graph if retain is None else bool(retain)


def _listed(thing: Any) -> list[Any]:
    return list(thing) if isinstance(thing, tuple | list) and not isinstance(thing, GradientEdge) else [thing]


_POINT = Point.__struct_config__.tag
_KEY = "gradtutor name"
_Tensor = torch.Tensor


class LossRecorder:
    """Tells points of curves, from live tensors."""

    def __init__(self, append: Callable[[Any], None], containers: ContainerRecorder, own: dict[int, Any]) -> None:
        self._append = append
        self._containers = containers
        self._own = own

    def note_loss(self, name: str, value: Any) -> None:
        """A name was stored to; its tensor may be a loss, or a part of one."""
        if type(value) is not _Tensor:
            return
        with DisableTorchFunction():
            node: Any = value.grad_fn
            if node is not None and value.numel() == 1 and _KEY not in node.metadata:
                node.metadata[_KEY] = name, value.detach()

    def record(self, call: BackwardCall, site: OpSite, number: int) -> None:
        """A pass begins, called at a site of this number. Function modes are off."""
        depth: int = site.event[7]
        if not is_charted(call.name, call.create_graph, depth):
            return
        scalars = [(place, root) for place, root in enumerate(call.roots) if root.numel() == 1]
        scope = _Scope(self._frames(), self._containers) if scalars else None
        for place, root in scalars:
            assert scope is not None
            name, parts = scope.name(root), list[Named]()
            if (name is None or is_indexed(name)) and root.grad_fn is not None:
                parts = behind(root.grad_fn, _kind, _inputs, scope.part)
            self._append((_POINT, name or "", _value(root), number, place, len(call.roots), parts))

    def _frames(self) -> Iterator[dict[str, Any]]:
        """The names of the learner's frames, as `trace.scope.scopes` orders them."""
        frame: types.FrameType | None = sys._getframe(1)
        found = []
        while frame is not None:
            if id(frame.f_code) in self._own:
                found.append(frame.f_locals)
            frame = frame.f_back
        main = sys.modules["__main__"].__dict__
        yield from found[:1]
        if not found or found[0] is not main:
            yield main
        yield from (names for names in found[1:] if names is not main)


class _Scope:
    """What the scalars are called that names in the learner's frames mean."""

    def __init__(self, frames: Iterator[dict[str, Any]], containers: ContainerRecorder) -> None:
        self._names: dict[int, str] = {}
        """By `id`: they are held here meanwhile."""
        self._made: dict[Any, torch.Tensor] = {}
        """By the node that made them."""
        for names in frames:
            several: dict[int, tuple[torch.Tensor, list[str]]] = {}
            for name, thing in list(names.items()):
                if name.startswith((".", "__")):
                    continue
                for suffix, tensor in containers.tensors_in(thing):
                    if id(tensor) not in self._names and tensor.numel() == 1:
                        several.setdefault(id(tensor), (tensor, []))[1].append(name + suffix)
            for number, (tensor, called) in several.items():
                self._names[number] = best_of(called, type(tensor).__name__)
                if tensor.grad_fn is not None:
                    self._made.setdefault(tensor.grad_fn, tensor)

    def name(self, root: torch.Tensor) -> str | None:
        name = self._names.get(id(root))
        node: Any = root.grad_fn
        return name if name is not None or node is None else node.metadata.get(_KEY, (None, None))[0]

    def part(self, node: Any) -> Named | None:
        tensor = self._made.get(node)
        if tensor is not None:
            return self._names[id(tensor)], _value(tensor)
        name, held = node.metadata.get(_KEY, (None, None))
        return None if held is None else (name, _value(held))


def _value(tensor: torch.Tensor) -> float:
    return float(tensor.detach().item())


def _kind(node: Any) -> str:
    return type(node).__name__


def _inputs(node: Any) -> list[Any]:
    return [source for source, _ in node.next_functions]


def _tag(kind: type[Event]) -> Any:
    return kind.__struct_config__.tag


_NODE, _ACCUMULATE, _BACKWARD, _BACKWARD_END = _tag(Node), _tag(Accumulate), _tag(Backward), _tag(BackwardEnd)
_RETAINED, _CAPTURED = _tag(Retained), _tag(Captured)
_GAP = _tag(Gap)
_LARGE = 1 << 22
_float32, _strided = torch.float32, torch.strided


class BackwardRecorder:
    """Counts and records the passes. The hooks of nodes call it from inside the engine, with function modes off."""

    def __init__(
        self,
        operations: OperationRecorder,
        tensors: TensorRecorder,
        losses: LossRecorder,
        waiting: list[Any],
        is_other_thread: Callable[[], bool],
    ) -> None:
        self._losses = losses
        self._operations = operations
        self._tensors = tensors
        self._append = waiting.append
        self._is_other_thread = is_other_thread
        self.graph = GraphRecorder(waiting, self.ran, self.accumulated)
        self.graph.arrived = self.arrived
        self.graph.entered = self.entered
        self.graph.left = self.left
        self.hooks = HookRecorder(operations, tensors, waiting.append)
        self.hooks.value, self.hooks.written = self._value, self.written
        self.hooks.on = lambda: self.on and not is_other_thread()
        self.hooks.is_other_thread = is_other_thread
        self._arriving: dict[int, tuple[int, Any]] = {}
        self._recorded: set[int] = set()
        self._number = 0
        self._written: list[tuple[weakref.ref[torch.Tensor], TensorRecord]] = []
        """The leaves whose gradient this pass has written."""
        self._retain_grad_called: list[weakref.ref[torch.Tensor]] = []
        self._retaining: dict[int, weakref.ref[torch.Tensor]] = {}
        self._measured = 0
        self._running_passes = 0
        self._unseen = False
        self.on = False
        self._buffers: dict[int, Storage] = {}
        """By `id`: memory that gradients share with other tensors, and that this pass has written to."""
        self.full = False
        self.on_error: Callable[[Exception], None] = lambda error: None

    # ------------------------------------------------------------ a pass

    def run(self, func: Any, args: Any, kwargs: dict[str, Any], place: CallSite, site: OpSite, frame: int) -> Any:
        """Runs and records `Tensor.backward`, `autograd.backward` or `autograd.grad`."""
        with quiet():
            try:
                call = BackwardCall(func, args, kwargs)
                if self.full:
                    self._losses.record(call, site, self._operations.send(site))
                else:
                    _begins = self._begin(call, site, frame)  # held: a leaf's node lives as long as somebody wants it
            except Exception as error:  # a call that torch will refuse; or ours
                if not isinstance(error, TypeError):
                    self.on_error(error)
                return place.call(func, args, kwargs)
        if self.full:
            return place.call(func, args, kwargs)
        depth = mode_count()
        number = self._number
        done = False
        creating, self.graph.creating = self.graph.creating, call.create_graph
        self._running_passes += 1
        try:
            if torch.cuda.is_initialized():
                # The engine would run nodes on a thread of the device's, away from our modes.
                with torch.autograd.set_multithreading_enabled(False):
                    result = place.call(func, args, kwargs)
            else:
                result = place.call(func, args, kwargs)
            done = True
        finally:
            self._running_passes -= 1
            while mode_count() > depth:  # a backward of the learner's was left by an exception
                pop_mode()
            self.graph.creating = creating
            with quiet():
                if done and call.name == "grad":
                    self._record_captured(call, result)
                if done:
                    self._record_inputs(call.accumulated)
                if not done:
                    self.hooks.changes.clear()
                for node in tuple(self._retaining):  # those whose node did not run, as it failed or was not needed
                    self._record_retained(node)
                self._append((_BACKWARD_END, number, done))
                self._record_rewritten()
        return result

    def _begin(self, call: BackwardCall, site: OpSite, frame: int) -> list[Any]:
        """Tells that a pass begins; the nodes at which it does."""
        self._number += 1
        roots = [self._tensors.serial(root) for root in call.roots]
        begins = [(_first(root), serial) for root, serial in zip(call.roots, roots, strict=True)]
        for grad_fn, serial in [*begins, *((node, None) for node in call.edges)]:
            if grad_fn is not None:
                unknown: list[Any] = []
                self.graph.node(grad_fn, serial, unknown)
                for event in unknown:
                    self._append(event)
        if self._retain_grad_called:
            alive = [(ref, tensor) for ref in self._retain_grad_called if (tensor := ref()) is not None]
            self._retain_grad_called = [ref for ref, _ in alive]
            self._retaining = {
                number: ref
                for ref, tensor in alive
                if tensor.grad_fn is not None and (number := self.graph.number_of(tensor.grad_fn)) is not None
            }
        gradient = [None if g is None else self._value(g) for g in call.gradient]
        self._append(
            (
                _BACKWARD, self._operations.send(site), frame, self._number, call.name, roots, call.retain_graph,
                call.create_graph, gradient,
            )
        )  # fmt: skip
        return begins

    def _record_rewritten(self) -> None:
        """Record the gradients that something else has written since: callbacks of the engine, DDP's buckets."""
        written, self._written = self._written, []
        exchanged = is_distributed()  # their writes raise no version
        if exchanged:
            self._tensors.record_changed()
        for ref, known in written:
            leaf = ref()
            if leaf is None:
                continue
            grad = leaf.grad
            held = None if grad is None else self._tensors.find(grad)
            if held is None or grad is None:
                if known.grad:
                    self._tensors.record(leaf, known, value=False)
            elif held.serial != known.grad:
                self._tensors.record(leaf, known, value=False)
            elif exchanged or self._tensors.has_new_value(grad, held):
                self._tensors.record_write(grad, held)
        buffers, self._buffers = self._buffers, {}
        for known in [known for storage in buffers.values() for known in storage.views]:
            tensor = known.ref()
            if tensor is not None and self._tensors.has_new_value(tensor, known):
                self._tensors.record(tensor, known)

    def _record_inputs(self, tensors: list[Any]) -> None:
        """`backward(inputs=…)` has written a gradient to these. It calls `retain_grad` of those that are no leaves."""
        asked = [ref() for ref in self._retain_grad_called]
        for tensor in tensors:
            if not isinstance(tensor, torch.Tensor) or any(tensor is other for other in asked):
                continue
            if grad_fn_of(tensor) is not None and tensor.grad is not None:
                known = self._tensors.register(tensor)
                grad = self._tensors.gradient(tensor.grad)
                self._append((_RETAINED, known.serial, grad, self._value(tensor.grad)))
                self._tensors.record(tensor, known, value=False)
                self.retain_grad_called(tensor)

    def _record_captured(self, call: BackwardCall, result: Any) -> None:
        results = result if isinstance(result, tuple | list) else (result,)
        for tensor, gradient in zip(call.inputs, results, strict=False):
            if not isinstance(tensor, torch.Tensor):
                continue
            serial = None
            value = None
            if isinstance(gradient, torch.Tensor):
                serial = self._tensors.serial(gradient)
                value = self._value(gradient)
            self._append((_CAPTURED, self._tensors.serial(tensor), serial, value))

    # ------------------------------------------------------------ from inside the engine

    def ran(self, node: int, grad_inputs: Any, grad_outputs: Any) -> None:
        """A node ran."""
        if not self.on or self._is_other_thread():
            return
        try:
            with quiet():
                if not self._running_passes:
                    self._record_unseen_pass()
                    return
                if self._retaining:
                    self._record_retained(node)
                if self.hooks.changes:
                    self.hooks.record(node)
                value = self._value
                self._append(
                    (
                        _NODE, node, [None if g is None else value(g) for g in grad_outputs],
                        [None if g is None else value(g) for g in grad_inputs],
                    )
                )  # fmt: skip
                if self.graph.creating:
                    self.graph.record_created(node, grad_inputs, grad_outputs)
        except Exception as error:  # an exception here would abort the learner's pass
            self.on_error(error)

    def accumulated(self, node: int, leaf: torch.Tensor, grad_outputs: Any) -> None:
        """An `AccumulateGrad` ran: the leaf's gradient has been written."""
        if not self.on or self._is_other_thread():
            return
        try:
            with quiet():
                if self.hooks.changes:
                    self.hooks.record(node)
                if (
                    self._recorded and node in self._recorded
                ):  # before a hook of the learner's, which may have used it up
                    self._recorded.remove(node)
                    return
                incoming = grad_outputs[0]
                self._accumulate(node, leaf, None if incoming is None else self._value(incoming))
        except Exception as error:
            self.on_error(error)

    def _accumulate(self, node: int, leaf: torch.Tensor, incoming: Any) -> None:
        tensors = self._tensors
        known = tensors.register(leaf)
        grad = leaf.grad
        self._written.append((known.ref, known))
        if not self._running_passes:
            self._record_unseen_pass()
            tensors.record(leaf, known)
            return
        if grad is None:
            self._append((_ACCUMULATE, node, known.serial, 0, incoming, None))
            return
        held = tensors.register(grad)
        storage = None
        if held.version == -1:
            if _is_plain(grad, leaf):
                storage = tensors.place(grad, held)
            else:
                tensors.record(grad, held)
        held.version = version = version_of(grad)
        known.grad = held.serial
        self._append((_ACCUMULATE, node, known.serial, held.serial, incoming, self._value(grad), version, storage))
        self._record_sharing(grad, held)

    def _record_sharing(self, grad: torch.Tensor, held: TensorRecord) -> None:
        """A gradient was added to where it stands: what looks into the same memory (the flat buffer that all gradients
        are parts of) has changed with it. What is large, or elsewhere in it, is looked at when the pass is over."""
        storage = held.storage
        if storage is None or len(storage.views) == 1:
            return
        self._buffers[id(storage)] = storage
        for other in list(storage.views):
            tensor = other.ref()
            if tensor is not None and other is not held and tensor.numel() <= LIST and overlap(tensor, grad):
                self._tensors.record(tensor, other)

    def _record_unseen_pass(self) -> None:
        """A pass runs that nobody saw begin: in another thread, or from gradient edges alone."""
        if not self._unseen:
            self._unseen = True
            self._append((_GAP, 0, "backward"))

    def arrived(self, node: int, leaf: torch.Tensor, gradient: torch.Tensor | None) -> None:
        """A gradient is about to be written to a leaf, after which hooks of the learner's run."""
        if not self.on or self._is_other_thread():
            return
        try:
            with quiet():
                if self.hooks.changes:
                    self.hooks.record(node)
                self._recorded.discard(node)
                serial = self._tensors.serial(leaf)
                self._arriving[serial] = node, None if gradient is None else self._value(gradient)
        except Exception as error:
            self.on_error(error)

    def written(self, leaf: torch.Tensor) -> None:
        """It was written, and the first of those hooks is about to run."""
        arrived = self._arriving.pop(self._tensors.serial(leaf), None)
        if arrived is not None:
            node, incoming = arrived
            self._recorded.add(node)
            self._accumulate(node, leaf, incoming)

    def _record_retained(self, node: int) -> None:
        ref = self._retaining.get(node)
        tensor = ref() if ref is not None else None
        if tensor is None or tensor.grad is None:
            return
        known = self._tensors.register(tensor)
        held = self._tensors.find(tensor.grad)
        if held is not None and held.serial == known.grad and not self._tensors.has_new_value(tensor.grad, held):
            return
        known.grad = self._tensors.gradient(tensor.grad)
        self._append((_RETAINED, known.serial, known.grad, self._value(tensor.grad)))

    def _value(self, gradient: torch.Tensor) -> Any:
        if type(gradient) is _Tensor and gradient.dtype is _float32 and gradient.layout is _strided:
            try:
                if gradient.numel() <= LIST:
                    return gradient.tolist()
            except Exception:  # a wrapper of functorch's: let `value_of` say so
                return value_of(gradient)
        value = value_of(gradient)
        if value is None:
            count = gradient.numel()
            if self._measured + count > self._tensors.elements_seen // 16 + _LARGE:
                return unmeasured(gradient)
            self._measured += count
            value = summary_of(gradient)
            value.pop("heat", None)
        return value

    # ------------------------------------------------------------ the learner's code

    def retain_grad_called(self, tensor: torch.Tensor) -> None:
        """`retain_grad` was called on a non-leaf."""
        self._retain_grad_called.append(weakref.ref(tensor))

    def entered(self, node: int) -> None:
        """The Python `backward` of a custom Function is about to run: its operations are the learner's."""
        if self._is_other_thread():
            return
        if self.hooks.changes:
            with quiet():
                self.hooks.record(node)
        push_mode(self._operations)

    def left(self) -> None:
        """That `backward` has returned."""
        if not self._is_other_thread() and mode_count():
            pop_mode()


def _first(root: torch.Tensor) -> Any:
    """The node at which a pass from this tensor begins; a leaf's writes its gradient at once."""
    node = grad_fn_of(root)
    if node is not None or not root.requires_grad:
        return node
    try:
        return torch.autograd.graph.get_gradient_edge(root).node
    except RuntimeError:  # what torch refuses to tell of this tensor, it will not begin a pass with
        return None


def _is_plain(grad: torch.Tensor, leaf: torch.Tensor) -> bool:
    """Whether a new gradient is as its leaf in all but the values: not with `create_graph`, nor where it is sparse."""
    if grad.requires_grad or grad.layout is not leaf.layout or type(grad) is not _Tensor or grad.dtype != leaf.dtype:
        return False
    return grad.layout is not _strided or grad.stride() == leaf.stride()
