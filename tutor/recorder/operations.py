"""Record operations: the function mode that sees every call into torch. This is a hot path.

Inside its own handler the mode is off, so tensors can be read there unseen. For speed: `type(x) is Tensor` before
`isinstance`, one look-up for a call site, tuples instead of structs.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.nn import Module, Parameter
from torch.overrides import TorchFunctionMode, handle_torch_function

from tutor.recorder import op_kinds, saved
from tutor.recorder.arguments import SELECTING, CallRecorder, selected_by, written_by
from tutor.recorder.call_sites import CallSite, OpSite, SourceRecorder
from tutor.recorder.callbacks import FrameRecorder
from tutor.recorder.event_writer import EventWriter
from tutor.recorder.modules import module_of
from tutor.recorder.op_kinds import (
    BACKWARD,
    COMPOSITES,
    CONVERTING,
    GRAD_READ,
    IGNORE,
    LEAVES,
    META,
    OUTSIDE,
    PARTS,
    PLAIN,
    POINTER,
    PRODUCTS,
    RESHAPE,
    SET_DATA,
    SET_GRAD,
    STATISTICS,
    CompositeRecorder,
    is_composite,
)
from tutor.recorder.originals import original
from tutor.recorder.signals import DeferredSignals
from tutor.recorder.tensors import TensorRecorder, grad_fn_of, is_outside, looks_into
from tutor.recorder.torch_private import DisableTorchFunction, mode_count
from tutor.recorder.variables import Frame
from tutor.trace.command import OPERATION, CrashLocation
from tutor.trace.events import Op, Saved

_OP = Op.__struct_config__.tag
_SAVED = Saved.__struct_config__.tag
_MOST_SHAPES = 64
"""Most shapes of the result of one operation for which what its nodes save is recorded."""
_MOST_PASSED = 1 << 12
"""Most functions of libraries that are remembered: each keeps its code alive."""
_HANDLE = handle_torch_function.__code__
_IMPORTING = "<frozen importlib._bootstrap>"
_getframe = sys._getframe
_is_grad_enabled = torch.is_grad_enabled
_Tensor = torch.Tensor
_SHARE = torch.Tensor.share_memory_
_NESTED = (_Tensor, list, tuple)
_SCALARS = (float, int, bool, str, type(None))
_COMPOSITES = COMPOSITES | PRODUCTS
_COPIES = (float, int, bool, complex, list)

Handler = Callable[[Any, Any, dict[str, Any], CallSite, OpSite, int], Any]


def quiet() -> Any:
    """Turn function modes and `__torch_function__` of subclasses off, so that reads inside are not recorded."""
    return DisableTorchFunction()


class OperationRecorder(TorchFunctionMode):
    """Record operations; hand backward passes and the registering of hooks to `handlers`.

    Attributes:
        handlers: By kind of call, what makes and records it in place of this class.
        on_retain_grad: Called with a tensor after its `retain_grad()`.
        on_error: Called with an error of the recorder.
        off: Whether nothing is recorded any more.
    """

    def __init__(
        self,
        writer: EventWriter,
        code: SourceRecorder,
        frames: FrameRecorder,
        tensors: TensorRecorder,
        location: CrashLocation,
        signals: DeferredSignals,
    ) -> None:
        super().__init__()
        self._append = writer.waiting.append
        self._code = code
        self._frames = frames
        self._by_id = frames.by_id
        self._sampler = frames.sampler
        self._skipping = frames.calls.skipping
        self._records = tensors.by_id
        self._tensors = tensors
        self._location = location.numbers
        self._signals = signals
        self._due_signals = signals.waiting
        self._kinds: dict[Any, int] = {}
        self._replaced: dict[Any, Any] = {}
        """Torch's functions, by the functions that the program has put in their places."""
        self._places: dict[int, CallSite] = {}
        self._library_sites: dict[Any, OpSite] = {}
        self._passed: dict[int, types.CodeType] = {}
        """Functions of libraries between operations and the learner, but for `forward`: their code by `id`."""
        self.handlers: dict[int, Handler] = {}
        self.on_retain_grad: Callable[[torch.Tensor], None] = lambda tensor: None
        self.on_error: Callable[[Exception], None] = lambda error: None
        self.off = False
        self._composites = CompositeRecorder(code, self._record, lambda error: self.on_error(error))
        self._calls = CallRecorder(writer.waiting.append)
        self._functions: set[int] = set()
        """Call sites of custom Functions whose saved tensors were sent."""
        self._module: int | None = None
        self._step = 0, 0
        """The number of the frame whose call of an optimizer's `step` runs, and the name of that call site; or 0, 0."""

    def step_begins(self) -> None:
        """Note that an optimizer begins a step: its operations are the learner's call of it, whatever functions of
        torch's lie between."""
        own = self._code.own_code
        python: types.FrameType | None = _getframe(1)
        while python is not None and id(python.f_code) not in own:
            python = None if python.f_code.co_name == "forward" else python.f_back
        frame = None if python is None else self._by_id.get(id(python))
        self.step_ends()
        if python is not None and frame is not None and frame is self._frames.current:
            self._step = frame.serial, id(python.f_code) + python.f_lasti

    def step_ends(self) -> None:
        """Note that the step is over."""
        self._step = 0, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = self._kinds.get(func)
        if kind is None:
            actual = original(func)
            if actual is not func:
                self._replaced[func] = actual
            kind = self._kinds[func] = op_kinds.kind_of(actual)
        if self._replaced:
            func = self._replaced.get(func, func)
        sampler = self._sampler
        sampler.touches += 1
        if sampler.gap is not None:
            self._end_gap()
        if kind == IGNORE or self.off:
            return func(*args, **kwargs) if kwargs else func(*args)
        if kind == GRAD_READ and self._frames.on:
            record = self._records.get(id(args[0]))
            if record is not None and record.is_leaf and record.ref() is args[0]:  # so torch does not warn
                result = func(*args)
                try:
                    grad_record = self._records.get(id(result))
                    same = (
                        grad_record is not None
                        and grad_record.serial == record.grad
                        and grad_record.version is not None
                    )
                    if result is None or not same or grad_record.version != result._version:  # type: ignore[union-attr]
                        with quiet():
                            self._grad_read(args[0], result)
                except Exception as error:  # the program may have replaced what we read
                    self.on_error(error)
                return result
        if kwargs is None:
            kwargs = {}
        frame = _getframe(1)
        if frame.f_code is _HANDLE:  # a Python function of torch's asked: its caller is the one who called
            frame = frame.f_back.f_back  # type: ignore[union-attr, assignment]
        key = id(frame.f_code) + frame.f_lasti
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = CallSite(frame, id(frame.f_code) in self._code.own_code)
        if not self._frames.on and kind != BACKWARD:
            return place.call(func, args, kwargs)
        if kind != PLAIN:
            if kind in (POINTER, CONVERTING):
                result = place.call(func, args, kwargs)
                if kind == POINTER and place.is_own:
                    with quiet():
                        self._tensors.expose(args[0])
                return result
            if kind == GRAD_READ:
                result = place.call(func, args, kwargs)
                try:
                    with quiet():
                        self._grad_read(args[0], result)
                except Exception as error:
                    self.on_error(error)
                return result
            if kind == SET_DATA and looks_into(args[0], args[1]):
                return place.call(func, args, kwargs)  # the end of `t.data -= …`: the write itself was recorded
        site = place.sites.get(func) if place.is_own else None
        learner, forward, owner = frame, None, None
        if place.is_step:
            owner = self._frames.current
            number, call = self._step
            if owner is not None and owner.serial == number:
                site = self._library_sites.get((place.key, call, func))
        if site is None:
            site_and_frames = self._site(frame, place, func, kwargs)
            if site_and_frames is None:
                return place.call(func, args, kwargs)
            site, learner, forward = site_and_frames
            owner = None
        self._location[OPERATION] = site.serial
        if owner is None:
            owner = self._by_id.get(id(learner))
        if owner is None and self._skipping:
            self._frames.calls.touched_in(learner)
        serial = owner.serial if owner is not None else self._frames.serial_at(learner)
        self._module = owner.module if owner is not None else None
        if forward is not None:
            self._module = self._frames.modules.serial(forward[0], forward[1].f_back, self._module)
        if kind != PLAIN and kind in self.handlers:
            result = self.handlers[kind](func, args, kwargs, place, site, serial)
        else:
            if func in _COMPOSITES and is_composite(func, args):
                result = self._composites.call(place, func, args, kwargs, site, serial)
            else:
                result = place.call(func, args, kwargs)
            try:
                if types or mode_count():  # a subclass may have a `__torch_function__` of its own
                    with DisableTorchFunction():
                        self._record(kind, func, args, kwargs, result, site, serial)
                else:
                    self._record(kind, func, args, kwargs, result, site, serial)
            except Exception as error:  # our errors must not stop the learner's program
                self.on_error(error)
        if self._due_signals:
            self._signals.run(frame)
        return result

    def _site(
        self, frame: types.FrameType, place: CallSite, func: Any, kwargs: dict[str, Any]
    ) -> tuple[OpSite, types.FrameType, tuple[Module, types.FrameType] | None] | None:
        """Return the site of a call that is new, or that a library makes for the learner, the learner's frame, and the
        library's module whose `forward` runs between, with the frame of its `forward`.

        None where no code of the learner's is on the stack.
        """
        own, passed = self._code.own_code, self._passed
        learner: types.FrameType | None = frame
        forward: tuple[Module, types.FrameType] | None = None
        while learner is not None:
            if id(learner.f_code) in passed:
                learner = learner.f_back
                continue
            code = learner.f_code
            if id(code) in own:
                break
            if code.co_filename == _IMPORTING:  # operations that a library runs while it is imported
                return None
            if code.co_name == "forward":
                if forward is None and (module := module_of(learner)) is not None:
                    forward = module, learner
            elif len(passed) < _MOST_PASSED:
                passed[id(code)] = code
            learner = learner.f_back
        else:
            return None
        assert learner is not None
        key = None if place.is_own else (place.key, id(learner.f_code) + learner.f_lasti, func)
        site = self._library_sites.get(key) if key else None
        if site is None:
            depth, parent = op_kinds.composite(frame, learner)
            inplace = op_kinds.is_inplace(func, kwargs)
            site = self._code.op_site(learner.f_code, learner.f_lasti, op_kinds.op_name(func), depth, parent, inplace)
            if key:
                self._library_sites[key] = site
            else:
                place.sites[func] = site
        return site, learner, forward

    def site_of(self, frame: types.FrameType, func: Any, kwargs: dict[str, Any]) -> OpSite | None:
        """Return the site of a call of `func` from a frame; None where no code of the learner's is on the stack."""
        place = self.place_of(frame)
        site = place.sites.get(func) if place.is_own else None
        if site is None:
            site_and_frames = self._site(frame, place, func, kwargs)
            site = None if site_and_frames is None else site_and_frames[0]
        return site

    def place_of(self, frame: types.FrameType) -> CallSite:
        """Return the place in the code that a frame has come to."""
        key = id(frame.f_code) + frame.f_lasti
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = CallSite(frame, id(frame.f_code) in self._code.own_code)
        return place

    def send_site(self, site: OpSite) -> int:
        """Return the number of a site; send its event before its first use."""
        if not site.sent:
            site.sent = True
            self._append(site.event)
        return site.serial

    def is_running(self) -> bool:
        """Return whether an operation runs, inside which the mode cannot be taken off the stack."""
        frame: types.FrameType | None = _getframe(1)
        while frame is not None:
            if frame.f_code is _HANDLER:
                return True
            frame = frame.f_back
        return False

    def _end_gap(self) -> None:
        """Record from here on: a tensor is touched in a gap."""
        try:
            with quiet():
                self._sampler.end(touched=True)
        except Exception as error:
            self.on_error(error)

    def release(self) -> None:
        """Drop references to the learner's objects: stand-ins hold their globals."""
        self._places.clear()
        self._calls.release()

    # ------------------------------------------------------------ recording

    def _record(
        self, kind: int, func: Any, args: Any, kwargs: dict[str, Any], result: Any, site: OpSite, frame: int
    ) -> None:
        tensors = self._tensors
        writes = site.writes
        if writes is None:
            writes = site.writes = written_by(func)
            site.selects = func in SELECTING
        inputs: list[int | None] = []
        written: list[Any] = []
        record_at = self._records.get
        needs = 1
        only_tensors = not kwargs
        for argument in args:
            kind_of_argument = type(argument)
            if kind_of_argument is _Tensor or kind_of_argument is Parameter:
                record = record_at(id(argument))
                if record is not None and record.ref() is argument:
                    version = record.version
                    if version is not None:
                        inputs.append(record.serial)
                        if version == argument._version:  # type: ignore[union-attr]
                            needs += needs + record.requires_grad
                        else:
                            written.append((argument, record))
                        continue
            else:
                only_tensors = False
                if kind_of_argument is float or kind_of_argument is int:
                    inputs.append(None)
                    continue
            self._input(argument, inputs, written)
        writes_keyword = False
        if kwargs:
            self._keywords(kwargs, inputs, written)
            writes_keyword = not writes.names.isdisjoint(kwargs)
        if writes_keyword or writes.every or writes.positions:
            is_listed = writes.first and not writes_keyword and written and written[0][0] is args[0]
            if not is_listed:
                self._add_written(writes.among(args, kwargs), written)
        outputs: list[int] = []
        new: list[Any] = []
        kind_of_result = type(result)
        if kind_of_result is _Tensor or kind_of_result is Parameter or isinstance(result, _Tensor):
            if site.inplace and args and result is args[0]:
                outputs.append(inputs[0])  # type: ignore[arg-type]
            else:
                self._output(result, outputs, new, written)
        elif isinstance(result, (tuple, list)):
            for item in result:
                if isinstance(item, _Tensor):
                    self._output(item, outputs, new, written)
                elif isinstance(item, (tuple, list)):
                    for inner in item:
                        if isinstance(inner, _Tensor):
                            self._output(inner, outputs, new, written)
        elif result is None and site.inplace and kind == PLAIN and inputs and inputs[0] is not None:
            outputs.append(inputs[0])  # `h[0] = v` returns nothing; its output is h
        if kind != PLAIN:
            if kind == LEAVES and not isinstance(result, _COPIES):
                tensors.expose(args[0])
        elif not outputs and not written and not site.inplace:
            return
        place = site.serial if site.sent else self.send_site(site)
        call = 0 if only_tensors else self._calls.number_of(func, args, kwargs)
        enabled = _is_grad_enabled()
        if site.selects and (selected := selected_by(func, args)) is not None:
            self._append((_OP, place, frame, inputs, outputs, self._module, call, enabled, *selected))
        elif not enabled:
            self._append((_OP, place, frame, inputs, outputs, self._module, call, False))
        elif call:
            self._append((_OP, place, frame, inputs, outputs, self._module, call))
        elif self._module is None:
            self._append((_OP, place, frame, inputs, outputs))
        else:
            self._append((_OP, place, frame, inputs, outputs, self._module))
        changed = new or written
        if (enabled or (changed and not changed[0][1].is_leaf)) and (
            needs not in site.looked
            or (site.shapes is not None and _is_new_shape(site.shapes, needs, changed))
        ):  # fmt: skip
            self._record_saved(site, needs, changed, args, kwargs)
        for tensor, record in new:
            tensors.record(tensor, record)
        if kind == SET_DATA or kind == RESHAPE:  # noqa: SIM109 - a tuple takes longer
            tensors.record_new_storage(args[0], tensors.register(args[0]))
        for tensor, record in written:
            tensors.record_write(tensor, record)
        if kind == PLAIN:
            return
        if kind in (META, SET_GRAD):
            tensor = args[0]
            record = tensors.register(tensor)
            tensors.record_meta(tensor, record)
            if func is _SHARE and tensor.device.type == "cpu":
                tensors.expose(tensor)
            if tensor.requires_grad and tensor.retains_grad:
                self.on_retain_grad(tensor)
        elif kind == STATISTICS:
            for tensor in op_kinds.statistics(func, args, kwargs):
                tensors.record_write(tensor, tensors.register(tensor))
        elif kind == OUTSIDE and outputs and is_outside(result):
            tensors.expose(result)
        elif kind == PARTS and isinstance(result, _Tensor):
            tensors.share_version_counter(tensors.register(args[0]), tensors.register(result))

    def _record_saved(self, site: OpSite, needs: int, results: list[Any], args: Any, kwargs: dict[str, Any]) -> None:
        """Send what the operation's nodes save, the first time that these inputs need a gradient."""
        for tensor, _ in results[:1]:
            if grad_fn_of(tensor) is not None:
                site.looked.add(needs)
                saved_tensors = saved.saved_by_operation(tensor, args, kwargs, self._tensors.graph.number_of)
                if saved_tensors is not None and saved.has_own(saved_tensors):
                    site.shapes = (site.shapes or set()) | {(needs, tensor.shape)}
                    self._append((_SAVED, site.serial, *saved_tensors, tensor.shape))
                elif saved_tensors is not None:
                    self._append((_SAVED, site.serial, *saved_tensors))

    def _input(self, argument: Any, inputs: list[int | None], written: list[Any]) -> None:
        kind = type(argument)
        if kind is float or kind is int:
            inputs.append(None)
        elif kind is _Tensor or kind is Parameter or isinstance(argument, _Tensor):
            tensors = self._tensors
            record = tensors.find(argument)
            if record is None:
                record = tensors.storages.alias_of(argument)  # of an unnamed `w.data` it is w
                if record is None:
                    record = tensors.record_new(argument)
            elif tensors.has_new_value(argument, record):
                written.append((argument, record))
            inputs.append(record.serial)
        elif (kind is list or kind is tuple) and argument and isinstance(argument[0], _NESTED):
            for item in argument:
                self._input(item, inputs, written)
        else:
            inputs.append(None)

    def _keywords(self, kwargs: dict[str, Any], inputs: list[int | None], written: list[Any]) -> None:
        for argument in kwargs.values():
            if not isinstance(argument, _SCALARS):
                before = len(inputs)
                self._input(argument, inputs, written)
                if inputs[before:] == [None]:  # a keyword that is no tensor is not listed
                    inputs.pop()

    def _add_written(self, arguments: Iterable[Any], written: list[Any]) -> None:
        """Add the tensors among arguments that were written to, whatever their version says."""
        tensors = self._tensors
        listed = {id(record) for _, record in written}
        for tensor in _tensors_in(arguments):
            record = tensors.find(tensor) or tensors.storages.alias_of(tensor)
            if record is not None and id(record) not in listed:
                listed.add(id(record))
                written.append((record.ref(), record))

    def _output(self, result: Any, outputs: list[int], new: list[Any], written: list[Any]) -> None:
        tensors = self._tensors
        record = tensors.register(result)
        if record.version == -1:  # nothing sent yet
            new.append((result, record))
        elif tensors.has_new_value(result, record) and all(record is not other for _, other in written):
            written.append((result, record))
        outputs.append(record.serial)

    def _grad_read(self, owner: Any, grad: Any) -> None:
        """Record a gradient that was set unseen, when the learner reads `.grad`. Reading is no step."""
        record = self._tensors.register(owner)
        serial = 0 if grad is None else self._tensors.gradient(grad)
        if record.version == -1 or (record.grad != serial and (grad is None or owner.is_leaf)):
            self._tensors.record(owner, record, value=record.version == -1)

    def call_function(self, cls: type, apply: Any, args: Any, kwargs: dict[str, Any], frame: types.FrameType) -> Any:
        """Call a custom Function's `apply`, which no mode sees, in the learner's frame; record it as an operation named
        after the class.
        """
        self._sampler.touches += 1
        if self._sampler.gap is not None:
            self._end_gap()
        place = self.place_of(frame)
        site = place.sites.get(cls)
        if site is None:
            site = place.sites[cls] = self._code.op_site(frame.f_code, frame.f_lasti, cls.__name__, 0, None, False)
        result = place.call(apply, args, kwargs)
        if self._frames.on:
            try:
                with DisableTorchFunction():
                    serial = self._enter(frame)
                    self._record(PLAIN, apply, args, kwargs, result, site, serial)
                    results = result if isinstance(result, tuple) else (result,)
                    made = [
                        (output, self._tensors.register(output)) for output in results if isinstance(output, _Tensor)
                    ]
                    if not site.looked:
                        self._record_saved(site, 0, made, args, kwargs)
                    for tensor, record in made:  # while its forward ran they had no node
                        self._tensors.record(tensor, record)
            except Exception as error:
                self.on_error(error)
        return result

    def _enter(self, learner: types.FrameType) -> int:
        """Let the next operation belong to a learner's frame; return the frame's number."""
        owner = self._by_id.get(id(learner))
        if owner is None and self._skipping:
            self._frames.calls.touched_in(learner)
        self._module = owner.module if owner is not None else None
        return owner.serial if owner is not None else self._frames.serial_at(learner)

    def record_load(
        self,
        func: Any,
        arguments: dict[str, int],
        batch: tuple[torch.Tensor, ...],
        site: OpSite,
        frame: types.FrameType,
    ) -> None:
        """Record an operation whose results were made inside of it, or unseen."""
        self._sampler.touches += 1
        try:
            with DisableTorchFunction():
                serial = self._enter(frame)
                outputs: list[int] = []
                changed: list[Any] = []
                for tensor in batch:
                    self._output(tensor, outputs, changed, changed)
                place, call = self.send_site(site), self._calls.number_of(func, (), arguments)
                self._append((_OP, place, serial, [], outputs, self._module, call, _is_grad_enabled()))
                for tensor, record in changed:
                    self._tensors.record(tensor, record)
        except Exception as error:
            self.on_error(error)

    def record_library_function(self, results: Any) -> None:
        """Record the results of a library's Function again: while its forward ran they had no node."""
        if not self._frames.on:
            return
        try:
            with DisableTorchFunction():
                for tensor in _tensors_in((results,)):
                    record = self._tensors.find(tensor)
                    if record is not None and record.version != -1 and grad_fn_of(tensor) is not None:
                        self._tensors.record(tensor, record)
        except Exception as error:
            self.on_error(error)

    def record_made(self, place: int, frame: Frame, result: Any) -> None:
        """Record a tensor that a call made unseen (`torch.from_numpy`, `nn.Parameter`, a custom Function)."""
        record = self._tensors.register(result)
        inputs, saved_tensors = saved.saved_by_function(result, self._serial_of)
        self._append((_OP, place, frame.serial, inputs, [record.serial], None, 0, _is_grad_enabled()))
        if saved_tensors and place not in self._functions:
            self._functions.add(place)
            self._append((_SAVED, place, type(result.grad_fn).__name__, saved_tensors))
        self._tensors.record(result, record)

    def _serial_of(self, tensor: torch.Tensor) -> int | None:
        record = self._tensors.find(tensor)
        return None if record is None else record.serial


_HANDLER = OperationRecorder.__torch_function__.__code__


def _is_new_shape(shapes: set[Any], needs: int, results: list[Any]) -> bool:
    """Return whether the result of an operation has a shape for which it is not known what its nodes hold."""
    return bool(results) and len(shapes) < _MOST_SHAPES and (needs, results[0][0].shape) not in shapes


def _tensors_in(arguments: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Yield the tensors among arguments, also those in lists and tuples."""
    for argument in arguments:
        if isinstance(argument, _Tensor):
            yield argument
        elif isinstance(argument, list | tuple):
            yield from _tensors_in(argument)
