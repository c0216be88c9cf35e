"""Record backward passes: which nodes run, in the engine's order, which gradients reach them and which they send.

Past the budget only the losses are recorded, for the chart (`trace.index`): their names are looked up in the frames
that run, since no event says then what names mean. A loss whose function has returned is known by the name that was
first bound to it, which its node keeps in `metadata`.
"""

from __future__ import annotations

import inspect
import sys
import types
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from tutor.recorder.autograd_graph import GraphRecorder
from tutor.recorder.call_sites import CallSite, OpSite
from tutor.recorder.containers import ContainerRecorder
from tutor.recorder.operations import OperationRecorder, quiet
from tutor.recorder.originals import torch_function
from tutor.recorder.other_processes import is_distributed
from tutor.recorder.tensors import Storage, TensorRecord, TensorRecorder, grad_fn_of, looks_into, overlap, version_of
from tutor.recorder.torch_private import DisableTorchFunction, mode_count, pop_mode, push_mode
from tutor.recorder.user_hooks import HookRecorder
from tutor.recorder.values import LIST, summary_of, unmeasured, value_of
from tutor.trace.events import Accumulate, Backward, BackwardEnd, Captured, Event, Gap, Node, Point, Retained
from tutor.trace.index import Named, is_charted, named_scalars
from tutor.trace.names import best_name, is_indexed

# ------------------------------------------------------------ the call

_BACKWARD_ARGUMENTS = ("gradient", "retain_graph", "create_graph", "inputs")


class BackwardCall:
    """The arguments of `Tensor.backward`, `autograd.backward` or `autograd.grad`.

    Attributes:
        name: `backward` or `grad`.
        roots: The tensors that the pass begins at.
        edges: The nodes of the `GradientEdge`s that it begins at.
        gradient: The gradients of the roots; empty where none is given.
        inputs: What `autograd.grad` returns the gradients of.
        accumulated: What `backward(inputs=…)` writes gradients to.
        create_graph: Whether the pass builds a graph of itself.
        retain_graph: Whether the graph is kept.
    """

    def __init__(self, func: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.inputs: list[Any] = []
        self.accumulated: list[Any] = []
        self.edges: list[Any] = []
        if func is torch_function(torch.Tensor, "backward"):
            self.name = "backward"
            arguments = kwargs
            if len(args) > 1:
                arguments = {**dict(zip(_BACKWARD_ARGUMENTS, args[1:], strict=False)), **kwargs}
            self.roots = [args[0]]
            gradient = arguments.get("gradient")
            self.gradient = [] if gradient is None else [gradient]
        else:
            arguments = inspect.signature(func).bind(*args, **kwargs).arguments
            is_grad = func is torch_function(torch.autograd, "grad")
            self.name = "grad" if is_grad else "backward"
            roots = _listed(arguments["outputs" if is_grad else "tensors"])
            self.roots = [root for root in roots if isinstance(root, torch.Tensor)]
            self.edges = [root.node for root in roots if isinstance(root, GradientEdge)]
            gradients = arguments.get("grad_outputs" if is_grad else "grad_tensors")
            self.gradient = [] if gradients is None else _listed(gradients)
            if is_grad:
                self.inputs = _listed(arguments["inputs"])
        if self.name == "backward" and arguments.get("inputs") is not None:
            self.accumulated = _listed(arguments["inputs"])
        self.create_graph = bool(arguments.get("create_graph"))
        retain = arguments.get("retain_graph")
        self.retain_graph = self.create_graph if retain is None else bool(retain)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) and not isinstance(value, GradientEdge) else [value]


# ------------------------------------------------------------ losses past the budget

_POINT = Point.__struct_config__.tag
_KEY = "gradtutor name"
_Tensor = torch.Tensor


class LossRecorder:
    """Record the points of loss curves from living tensors, past the budget."""

    def __init__(self, append: Callable[[Any], None], containers: ContainerRecorder, own: dict[int, Any]) -> None:
        self._append = append
        self._containers = containers
        self._own = own

    def note_loss(self, name: str, value: Any) -> None:
        """Note the first name bound to a scalar, which may be a loss or a term of one."""
        if type(value) is not _Tensor:
            return
        with DisableTorchFunction():
            node: Any = value.grad_fn
            if node is not None and value.numel() == 1 and _KEY not in node.metadata:
                node.metadata[_KEY] = name, value.detach()

    def record(self, call: BackwardCall, site: OpSite, number: int) -> str | None:
        """Send the losses of a pass that is called at a site of this number; return the name of the only one, if the
        call alone decides that it is charted. Function modes are off."""
        depth: int = site.event[7]
        if not is_charted(call.name, call.create_graph, depth):
            return None
        scalars = [(place, root) for place, root in enumerate(call.roots) if root.numel() == 1]
        scope = _Scope(self._frames(), self._containers) if scalars else None
        for place, root in scalars:
            assert scope is not None
            name, parts = scope.name(root), list[Named]()
            if (name is None or is_indexed(name)) and root.grad_fn is not None:
                parts = named_scalars(root.grad_fn, _kind, _inputs, scope.part)
            self._append((_POINT, name or "", _value(root), number, place, len(call.roots), parts))
        return name if scalars and len(call.roots) == 1 and call.name == "backward" else None

    def record_again(self, name: str, root: torch.Tensor, number: int) -> None:
        """Send the loss of a pass like the last one at its site."""
        self._append((_POINT, name, root.item(), number, 0, 1, []))

    def _frames(self) -> Iterator[dict[str, Any]]:
        """Yield the names of the learner's frames, in the order of `trace.names.scopes`."""
        frame: types.FrameType | None = sys._getframe(1)
        scopes = []
        while frame is not None:
            if id(frame.f_code) in self._own:
                scopes.append(frame.f_locals)
            frame = frame.f_back
        main = sys.modules["__main__"].__dict__
        yield from scopes[:1]
        if not scopes or scopes[0] is not main:
            yield main
        yield from (names for names in scopes[1:] if names is not main)


class _Scope:
    """The names of the scalars in the learner's frames."""

    def __init__(self, frames: Iterator[dict[str, Any]], containers: ContainerRecorder) -> None:
        self._names: dict[int, str] = {}
        """By `id` of the tensor."""
        self._made: dict[Any, torch.Tensor] = {}
        """By `grad_fn`."""
        for names in frames:
            scalars: dict[int, tuple[torch.Tensor, list[str]]] = {}
            for name, value in list(names.items()):
                if name.startswith((".", "__")):
                    continue
                for suffix, tensor in containers.tensors_in(value):
                    if id(tensor) not in self._names and tensor.numel() == 1:
                        scalars.setdefault(id(tensor), (tensor, []))[1].append(name + suffix)
            for number, (tensor, candidates) in scalars.items():
                self._names[number] = best_name(candidates, type(tensor).__name__)
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
        name, scalar = node.metadata.get(_KEY, (None, None))
        return None if scalar is None else (name, _value(scalar))


def _value(tensor: torch.Tensor) -> float:
    return float(tensor.detach().item())


def _kind(node: Any) -> str:
    return type(node).__name__


def _inputs(node: Any) -> list[Any]:
    return [source for source, _ in node.next_functions]


# ------------------------------------------------------------ passes


def _tag(kind: type[Event]) -> Any:
    return kind.__struct_config__.tag


_NODE, _ACCUMULATE, _BACKWARD, _BACKWARD_END = _tag(Node), _tag(Accumulate), _tag(Backward), _tag(BackwardEnd)
_RETAINED, _CAPTURED = _tag(Retained), _tag(Captured)
_GAP = _tag(Gap)
_float32, _strided = torch.float32, torch.strided


class BackwardRecorder:
    """Number and record backward passes. The hooks of nodes call it from the engine, with function modes off.

    Attributes:
        graph: Records the nodes.
        hooks: Records what the learner's hooks change.
        on: Whether events are sent.
        full: Whether the budget is used up, and only losses are recorded.
        on_pass: Called when a pass begins, with its roots if they are charted.
        on_error: Called with an error of the recorder.
    """

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
        self.hooks.value, self.hooks.written = self._value_at_hook, self.written
        self.hooks.on = lambda: self.on and not is_other_thread()
        self.hooks.is_other_thread = is_other_thread
        self._arriving: dict[int, tuple[int, Any]] = {}
        self._recorded: set[int] = set()
        self._number = 0
        self._written: list[tuple[weakref.ref[torch.Tensor], TensorRecord]] = []
        """Leaves whose gradient this pass has written."""
        self._retain_grad_called: list[weakref.ref[torch.Tensor]] = []
        self._retaining: dict[int, weakref.ref[torch.Tensor]] = {}
        self._values: dict[int, tuple[weakref.ref[torch.Tensor], int, Any]] = {}
        """What a gradient of this pass holds, with its version, by `id`: what one node sends reaches the next."""
        self._running_passes = 0
        self._unseen = False
        self.on = False
        self._buffers: dict[int, Storage] = {}
        """Memory that gradients share with other tensors and that this pass has written to, by `id`."""
        self.full = False
        self.on_pass: Callable[[Sequence[torch.Tensor]], None] = lambda roots: None
        self.on_error: Callable[[Exception], None] = lambda error: None

    @property
    def passes(self) -> int:
        """The number of passes recorded."""
        return self._number

    # ------------------------------------------------------------ a pass

    def run(self, func: Any, args: Any, kwargs: dict[str, Any], place: CallSite, site: OpSite, frame: int) -> Any:
        """Run and record `Tensor.backward`, `autograd.backward` or `autograd.grad`; return its result."""
        with quiet():
            try:
                call = BackwardCall(func, args, kwargs)
                if self.full:
                    self._losses.record(call, site, self._operations.send_site(site))
                else:
                    _beginnings = self._begin(call, site, frame)  # keeps the nodes of leaves alive
            except Exception as error:  # a call that torch will reject, or an error of ours
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
                # Otherwise the engine runs nodes on a thread of the device, without our modes.
                with torch.autograd.set_multithreading_enabled(False):
                    result = place.call(func, args, kwargs)
            else:
                result = place.call(func, args, kwargs)
            done = True
        finally:
            self._running_passes -= 1
            while mode_count() > depth:  # an exception left a backward of the learner's
                pop_mode()
            self.graph.creating = creating
            with quiet():
                if done and call.name == "grad":
                    self._record_captured(call, result)
                if done:
                    self._record_inputs(call.accumulated)
                if not done:
                    self.hooks.changes.clear()
                for node in tuple(self._retaining):  # their node did not run
                    self._record_retained(node)
                self._values.clear()
                self._append((_BACKWARD_END, number, done))
                self._record_rewritten()
        return result

    def _begin(self, call: BackwardCall, site: OpSite, frame: int) -> list[Any]:
        """Record that a pass begins; return the nodes that it begins at, with the numbers of their tensors."""
        self._number += 1
        self.on_pass(call.roots if is_charted(call.name, call.create_graph, site.event[7]) else ())
        roots = [self._tensors.serial(root) for root in call.roots]
        beginnings = [(_first(root), serial) for root, serial in zip(call.roots, roots, strict=True)]
        for grad_fn, serial in [*beginnings, *((node, None) for node in call.edges)]:
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
                _BACKWARD, self._operations.send_site(site), frame, self._number, call.name, roots, call.retain_graph,
                call.create_graph, gradient,
            )
        )  # fmt: skip
        return beginnings

    def _record_rewritten(self) -> None:
        """Record gradients written after the pass: by callbacks of the engine, by buckets of DDP."""
        written, self._written = self._written, []
        distributed = is_distributed()  # collectives write without raising the version
        if distributed:
            self._tensors.record_changed()
        for ref, record in written:
            leaf = ref()
            if leaf is None:
                continue
            grad = leaf.grad
            grad_record = None if grad is None else self._tensors.find(grad)
            if grad_record is None or grad is None:
                if record.grad:
                    self._tensors.record(leaf, record, value=False)
            elif grad_record.serial != record.grad:
                self._tensors.record(leaf, record, value=False)
            elif distributed or self._tensors.has_new_value(grad, grad_record):
                self._tensors.record_write(grad, grad_record)
        buffers, self._buffers = self._buffers, {}
        for record in [record for storage in buffers.values() for record in storage.views]:
            tensor = record.ref()
            if tensor is not None and self._tensors.has_new_value(tensor, record):
                self._tensors.record(tensor, record)

    def _record_inputs(self, tensors: list[Any]) -> None:
        """Record the gradients that `backward(inputs=…)` has written; non-leaves among them retain theirs."""
        retaining = [ref() for ref in self._retain_grad_called]
        for tensor in tensors:
            if not isinstance(tensor, torch.Tensor) or any(tensor is other for other in retaining):
                continue
            if grad_fn_of(tensor) is not None and tensor.grad is not None:
                record = self._tensors.register(tensor)
                grad = self._tensors.gradient(tensor.grad)
                self._append((_RETAINED, record.serial, grad, self._value(tensor.grad)))
                self._tensors.record(tensor, record, value=False)
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

    # ------------------------------------------------------------ called from the engine

    def ran(self, node: int, grad_inputs: Any, grad_outputs: Any) -> None:
        """Record that a node ran."""
        if not self.on or self._is_other_thread():
            return
        try:
            with DisableTorchFunction():
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
        except Exception as error:  # an exception here would end the learner's pass
            self.on_error(error)

    def accumulated(self, node: int, leaf: torch.Tensor, grad_outputs: Any) -> None:
        """Record that an `AccumulateGrad` ran: the leaf's gradient is written."""
        if not self.on or self._is_other_thread():
            return
        try:
            with DisableTorchFunction():
                if self.hooks.changes:
                    self.hooks.record(node)
                if self._recorded and node in self._recorded:  # before a hook of the learner's
                    self._recorded.remove(node)
                    return
                incoming = grad_outputs[0]
                value = None if incoming is None else self._value(incoming)
                if incoming is not None and leaf.grad is not None and looks_into(leaf.grad, incoming):
                    self._accumulate(node, leaf, value, value)
                else:
                    self._accumulate(node, leaf, value)
        except Exception as error:
            self.on_error(error)

    def _accumulate(self, node: int, leaf: torch.Tensor, incoming: Any, new: Any = None) -> None:
        """Record that a gradient was written to a leaf; `new` is what it has now, if that is known."""
        tensors = self._tensors
        record = tensors.register(leaf)
        grad = leaf.grad
        self._written.append((record.ref, record))
        if not self._running_passes:
            self._record_unseen_pass()
            tensors.record(leaf, record)
            return
        if grad is None:
            self._append((_ACCUMULATE, node, record.serial, 0, incoming, None))
            return
        grad_record = tensors.register(grad)
        storage = None
        if grad_record.version == -1:
            if _is_plain(grad, leaf):
                storage = tensors.storage_serial(grad, grad_record)
            else:
                tensors.record(grad, grad_record)
        grad_record.version = version = version_of(grad)
        record.grad = grad_record.serial
        value = self._value(grad) if new is None else new
        if type(value) is not dict or "data" in value:
            tensors.keep_value(grad_record, version, value)
        self._append((_ACCUMULATE, node, record.serial, grad_record.serial, incoming, value, version, storage))
        self._record_sharing(grad, grad_record)

    def _record_sharing(self, grad: torch.Tensor, grad_record: TensorRecord) -> None:
        """Record the small tensors that overlap a gradient after it was added to in place (a flat buffer of gradients).

        Large or disjoint ones in the same memory are compared when the pass is over.
        """
        storage = grad_record.storage
        if storage is None or len(storage.views) == 1:
            return
        self._buffers[id(storage)] = storage
        for other in list(storage.views):
            tensor = other.ref()
            if tensor is not None and other is not grad_record and tensor.numel() <= LIST and overlap(tensor, grad):
                self._tensors.record(tensor, other)

    def _record_unseen_pass(self) -> None:
        """Record, once, that a pass runs whose begin was not seen: in a thread, or from gradient edges alone."""
        if not self._unseen:
            self._unseen = True
            self._append((_GAP, 0, "backward"))

    def arrived(self, node: int, leaf: torch.Tensor, gradient: torch.Tensor | None) -> None:
        """Note a gradient about to be written to a leaf that has post-accumulate-grad hooks."""
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
        """Record that gradient: it is written, and the first of those hooks is about to run."""
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
        record = self._tensors.register(tensor)
        grad_record = self._tensors.find(tensor.grad)
        if (
            grad_record is not None
            and grad_record.serial == record.grad
            and not self._tensors.has_new_value(tensor.grad, grad_record)
        ):
            return
        record.grad = self._tensors.gradient(tensor.grad)
        self._append((_RETAINED, record.serial, record.grad, self._value(tensor.grad)))

    def _value(self, gradient: torch.Tensor) -> Any:
        if type(gradient) is _Tensor and gradient.dtype is _float32 and gradient.layout is _strided:
            try:
                if gradient.numel() <= LIST:
                    return gradient.tolist()
            except Exception:  # a functorch wrapper, which `value_of` describes
                return value_of(gradient)
        key = id(gradient)
        known = self._values.get(key)
        if known is not None and known[0]() is gradient and known[1] == version_of(gradient):
            return known[2]
        value = value_of(gradient)
        if value is None:
            if not self._tensors.may_measure(gradient.numel()):
                return unmeasured(gradient)
            value = summary_of(gradient, heat=False)
        version = version_of(gradient)
        if version is not None:
            self._values[key] = weakref.ref(gradient), version, value
        return value

    def _value_at_hook(self, gradient: torch.Tensor) -> Any:
        """As `_value`, around code of the learner's, which can write to gradients without raising their versions."""
        self._values.clear()
        value = self._value(gradient)
        self._values.clear()
        return value

    # ------------------------------------------------------------ called for the learner's code

    def retain_grad_called(self, tensor: torch.Tensor) -> None:
        """Note that `retain_grad` was called on a non-leaf."""
        self._retain_grad_called.append(weakref.ref(tensor))

    def entered(self, node: int) -> None:
        """Record operations from here on: the Python `backward` of a custom Function begins."""
        if self._is_other_thread():
            return
        self._values.clear()
        if self.hooks.changes:
            with quiet():
                self.hooks.record(node)
        push_mode(self._operations)

    def left(self) -> None:
        """Stop recording operations: that `backward` has returned."""
        if not self._is_other_thread() and mode_count():
            pop_mode()


def _first(root: torch.Tensor) -> Any:
    """Return the node that a pass from this tensor begins at: for a leaf its `AccumulateGrad`; None if there is
    none."""
    node = grad_fn_of(root)
    if node is not None or not root.requires_grad:
        return node
    try:
        return torch.autograd.graph.get_gradient_edge(root).node
    except RuntimeError:  # torch will not begin a pass at this tensor either
        return None


def _is_plain(grad: torch.Tensor, leaf: torch.Tensor) -> bool:
    """Return whether a new gradient differs from its leaf only in value; not with `create_graph`, nor if sparse."""
    if grad.requires_grad or grad.layout is not leaf.layout or type(grad) is not _Tensor or grad.dtype != leaf.dtype:
        return False
    return grad.layout is not _strided or grad.stride() == leaf.stride()
