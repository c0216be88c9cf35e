"""The function mode that sees every call into torch: the hot path of recording operations.

Inside its own handler the mode is off, so the tensors can be read there without being seen. What speed asked for:
`type(x) is Tensor` before `isinstance`, one look-up for a place, tuples instead of structs.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.nn import Parameter
from torch.overrides import TorchFunctionMode, handle_torch_function

from tutor.recorder import op_kinds, saved
from tutor.recorder.call_sites import CallSite, OpSite, SourceRecorder
from tutor.recorder.callbacks import FrameRecorder
from tutor.recorder.composites import COMPOSITES, PRODUCTS, CompositeRecorder, is_composite
from tutor.recorder.event_writer import EventWriter
from tutor.recorder.originals import original
from tutor.recorder.signals import DeferredSignals
from tutor.recorder.tensors import TensorRecorder, grad_fn_of, is_outside, looks_into
from tutor.recorder.torch_private import DisableTorchFunction, mode_count
from tutor.recorder.variables import Frame
from tutor.recorder.written import written_by
from tutor.trace.command import OPERATION, CrashLocation
from tutor.trace.events import Op, Saved

_OP = Op.__struct_config__.tag
_SAVED = Saved.__struct_config__.tag
_HANDLE = handle_torch_function.__code__
_IMPORTING = "<frozen importlib._bootstrap>"
_getframe = sys._getframe
_Tensor = torch.Tensor
_SHARE = torch.Tensor.share_memory_
_NESTED = (_Tensor, list, tuple)
_SCALARS = (float, int, bool, str, type(None))
_COMPOSITES = COMPOSITES | PRODUCTS
_COPIES = (float, int, bool, complex, list)

Handler = Callable[[Any, Any, dict[str, Any], CallSite, OpSite, int], Any]


def quiet() -> Any:
    """Function modes off, and `__torch_function__` of subclasses: what is read inside is not the learner's doing."""
    return DisableTorchFunction()


class OperationRecorder(TorchFunctionMode):
    """Records operations; backward passes and hooks are handed to `special`."""

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
        self._records = tensors.by_id
        self._tensors = tensors
        self._location = location.numbers
        self._signals = signals
        self._due_signals = signals.waiting
        self._kinds: dict[Any, int] = {}
        self._replaced: dict[Any, Any] = {}
        """What torch means by functions of the program's that stand in the places of its own."""
        self._places: dict[int, CallSite] = {}
        self._library_sites: dict[Any, OpSite] = {}
        self.handlers: dict[int, Handler] = {}
        self.on_retain_grad: Callable[[torch.Tensor], None] = lambda tensor: None
        self.on_error: Callable[[Exception], None] = lambda error: None
        self.off = False
        self._composites = CompositeRecorder(code, self._record, lambda error: self.on_error(error))
        self._functions: set[int] = set()
        """Where custom Functions were called that have told what they save."""
        self._module: int | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = self._kinds.get(func)
        if kind is None:
            actual = original(func)
            if actual is not func:
                self._replaced[func] = actual
            kind = self._kinds[func] = op_kinds.kind_of(actual)
        if self._replaced:
            func = self._replaced.get(func, func)
        if kind == op_kinds.IGNORE or self.off:
            return func(*args, **kwargs) if kwargs else func(*args)
        if kind == op_kinds.GRAD_READ and self._frames.on:
            known = self._records.get(id(args[0]))
            if known is not None and known.is_leaf and known.ref() is args[0]:  # no warning can come of it
                result = func(*args)
                try:
                    held = self._records.get(id(result))
                    same = held is not None and held.serial == known.grad and held.version is not None
                    if result is None or not same or held.version != result._version:  # type: ignore[union-attr]
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
        if not self._frames.on and kind != op_kinds.BACKWARD:
            return place.call(func, args, kwargs)
        if kind == op_kinds.POINTER or kind == op_kinds.CONVERTING:
            result = place.call(func, args, kwargs)
            if kind == op_kinds.POINTER and place.is_own:
                with quiet():
                    self._tensors.expose(args[0])
            return result
        if kind == op_kinds.GRAD_READ:
            result = place.call(func, args, kwargs)
            try:
                with quiet():
                    self._grad_read(args[0], result)
            except Exception as error:
                self.on_error(error)
            return result
        if kind == op_kinds.SET_DATA and looks_into(args[0], args[1]):
            return place.call(func, args, kwargs)  # what `t.data -= …` ends with: the change itself was recorded
        site = place.sites.get(func) if place.is_own else None
        learner = frame
        if site is None:
            found = self._site(frame, place, func, kwargs)
            if found is None:
                return place.call(func, args, kwargs)
            site, learner = found
        self._location[OPERATION] = site.serial
        owner = self._by_id.get(id(learner))
        serial = owner.serial if owner is not None else self._frames.serial_at(learner)
        self._module = owner.module if owner is not None else None
        if not place.is_own:
            self._module = self._frames.modules.enclosing(frame, learner, self._module)
        if kind in self.handlers:
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
            except Exception as error:  # the learner's program must not suffer from ours
                self.on_error(error)
        if self._due_signals:
            self._signals.run(frame)
        return result

    def _site(
        self, frame: types.FrameType, place: CallSite, func: Any, kwargs: dict[str, Any]
    ) -> tuple[OpSite, types.FrameType] | None:
        """The site of a call met for the first time, or made by a library on the learner's behalf."""
        own = self._code.own_code
        learner: types.FrameType | None = frame
        while learner is not None and id(learner.f_code) not in own:
            if learner.f_code.co_filename == _IMPORTING:  # a library runs operations of its own as it is imported
                return None
            learner = learner.f_back
        if learner is None:
            return None
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
        return site, learner

    def send(self, site: OpSite) -> int:
        """The number of a site; tells of it before its first use."""
        if not site.sent:
            site.sent = True
            self._append(site.event)
        return site.serial

    def release(self) -> None:
        """Holds nothing of the learner's any more: stand-ins have their globals."""
        self._places.clear()

    # ------------------------------------------------------------ what it did

    def _record(
        self, kind: int, func: Any, args: Any, kwargs: dict[str, Any], result: Any, site: OpSite, frame: int
    ) -> None:
        tensors = self._tensors
        writes = site.writes
        if writes is None:
            writes = site.writes = written_by(func)
        inputs: list[int | None] = []
        written: list[Any] = []
        known_at = self._records.get
        needs = 1
        for argument in args:
            kind_of_argument = type(argument)
            if kind_of_argument is _Tensor or kind_of_argument is Parameter:
                known = known_at(id(argument))
                if known is not None and known.ref() is argument:
                    version = known.version
                    if version is not None and version == argument._version:  # type: ignore[union-attr]
                        inputs.append(known.serial)
                        needs += needs + known.requires_grad
                        continue
            elif kind_of_argument is float or kind_of_argument is int:
                inputs.append(None)
                continue
            self._input(argument, inputs, written)
        if kwargs:
            self._keywords(kwargs, inputs, written)
        if kwargs or writes.every or writes.positions:
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
        elif result is None and site.inplace and kind == op_kinds.PLAIN and inputs and inputs[0] is not None:
            outputs.append(inputs[0])  # `h[0] = v` gives nothing; what it makes is h
        if kind != op_kinds.PLAIN:
            if kind == op_kinds.LEAVES and not isinstance(result, _COPIES):
                tensors.expose(args[0])
        elif not outputs and not written and not site.inplace:
            return
        if self._module is None:
            self._append((_OP, self.send(site), frame, inputs, outputs))
        else:
            self._append((_OP, self.send(site), frame, inputs, outputs, self._module))
        if needs not in site.looked:
            self._record_saved(site, needs, new or written, args, kwargs)
        for tensor, known in new:
            tensors.record(tensor, known)
        if kind in (op_kinds.SET_DATA, op_kinds.RESHAPE):
            tensors.record_new_storage(args[0], tensors.register(args[0]))
        for tensor, known in written:
            tensors.record_write(tensor, known)
        if kind in (op_kinds.META, op_kinds.SET_GRAD):
            tensor = args[0]
            known = tensors.register(tensor)
            tensors.record_meta(tensor, known)
            if func is _SHARE and tensor.device.type == "cpu":
                tensors.expose(tensor)
            if tensor.requires_grad and tensor.retains_grad:
                self.on_retain_grad(tensor)
        elif kind == op_kinds.STATISTICS:
            for tensor in op_kinds.statistics(func, args, kwargs):
                tensors.record_write(tensor, tensors.register(tensor))
        elif kind == op_kinds.OUTSIDE and outputs and is_outside(result):
            tensors.expose(result)
        elif kind == op_kinds.PARTS and isinstance(result, _Tensor):
            tensors.share_version_counter(tensors.register(args[0]), tensors.register(result))

    def _record_saved(self, site: OpSite, needs: int, made: list[Any], args: Any, kwargs: dict[str, Any]) -> None:
        """Tells what the nodes keep that the operation makes, when it makes the first one of such inputs."""
        for tensor, _ in made[:1]:
            if grad_fn_of(tensor) is not None:
                site.looked.add(needs)
                told = saved.saved_by_operation(tensor, args, kwargs, self._tensors.graph.number_of)
                if told is not None:
                    self._append((_SAVED, site.serial, *told))

    def _input(self, argument: Any, inputs: list[int | None], written: list[Any]) -> None:
        kind = type(argument)
        if kind is float or kind is int:
            inputs.append(None)
        elif kind is _Tensor or kind is Parameter or isinstance(argument, _Tensor):
            tensors = self._tensors
            known = tensors.find(argument)
            if known is None:
                known = tensors.memory.alias_of(argument)  # of `w.data`, which nobody named, it is w
                if known is None:
                    known = tensors.record_new(argument)
            elif tensors.has_new_value(argument, known):
                written.append((argument, known))
            inputs.append(known.serial)
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
                if inputs[before:] == [None]:  # a keyword that is no tensor has no place in the list
                    inputs.pop()

    def _add_written(self, arguments: Iterable[Any], written: list[Any]) -> None:
        """Adds the tensors among arguments that were written to, whatever their version says."""
        tensors = self._tensors
        listed = {id(known) for _, known in written}
        for tensor in _tensors_in(arguments):
            known = tensors.find(tensor) or tensors.memory.alias_of(tensor)
            if known is not None and id(known) not in listed:
                listed.add(id(known))
                written.append((known.ref(), known))

    def _output(self, result: Any, outputs: list[int], new: list[Any], written: list[Any]) -> None:
        tensors = self._tensors
        known = tensors.register(result)
        if known.version == -1:  # nothing was sent of it yet
            new.append((result, known))
        elif tensors.has_new_value(result, known) and all(known is not other for _, other in written):
            written.append((result, known))
        outputs.append(known.serial)

    def _grad_read(self, owner: Any, grad: Any) -> None:
        """`.grad` was read. No step; but it shows a gradient that was set where nobody saw it."""
        known = self._tensors.register(owner)
        serial = 0 if grad is None else self._tensors.gradient(grad)
        if known.version == -1 or (known.grad != serial and (grad is None or owner.is_leaf)):
            self._tensors.record(owner, known, value=known.version == -1)

    def call_function(self, cls: type, apply: Any, args: Any, kwargs: dict[str, Any], frame: types.FrameType) -> Any:
        """Calls a custom Function's `apply`, which no mode sees, on behalf of a frame of the learner's, and tells of
        it as of an operation that has the name of the class."""
        key = id(frame.f_code) + frame.f_lasti
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = CallSite(frame, True)
        site = place.sites.get(cls)
        if site is None:
            site = place.sites[cls] = self._code.op_site(frame.f_code, frame.f_lasti, cls.__name__, 0, None, False)
        result = place.call(apply, args, kwargs)
        if self._frames.on:
            try:
                with DisableTorchFunction():
                    owner = self._by_id.get(id(frame))
                    self._module = owner.module if owner is not None else None
                    serial = owner.serial if owner is not None else self._frames.serial_at(frame)
                    self._record(op_kinds.PLAIN, apply, args, kwargs, result, site, serial)
                    results = result if isinstance(result, tuple) else (result,)
                    made = [(one, self._tensors.register(one)) for one in results if isinstance(one, _Tensor)]
                    if not site.looked:
                        self._record_saved(site, 0, made, args, kwargs)
                    for tensor, known in made:  # what its forward told of had no node yet
                        self._tensors.record(tensor, known)
            except Exception as error:
                self.on_error(error)
        return result

    def record_library_function(self, results: Any) -> None:
        """A Function of a library gave these: what was met while its forward ran had no node yet."""
        if not self._frames.on:
            return
        try:
            with DisableTorchFunction():
                for tensor in _tensors_in((results,)):
                    known = self._tensors.find(tensor)
                    if known is not None and known.version != -1 and grad_fn_of(tensor) is not None:
                        self._tensors.record(tensor, known)
        except Exception as error:
            self.on_error(error)

    def record_made(self, place: int, frame: Frame, result: Any) -> None:
        """A call made a tensor that torch did not tell of (`torch.from_numpy`, `nn.Parameter`, a custom Function)."""
        known = self._tensors.register(result)
        inputs, kept = saved.saved_by_function(result, self._serial_of)
        self._append((_OP, place, frame.serial, inputs, [known.serial]))
        if kept and place not in self._functions:
            self._functions.add(place)
            self._append((_SAVED, place, type(result.grad_fn).__name__, kept))
        self._tensors.record(result, known)

    def _serial_of(self, tensor: torch.Tensor) -> int | None:
        known = self._tensors.find(tensor)
        return None if known is None else known.serial


def _tensors_in(arguments: Iterable[Any]) -> Iterator[torch.Tensor]:
    """The tensors among arguments, those in lists and tuples too."""
    for argument in arguments:
        if isinstance(argument, _Tensor):
            yield argument
        elif isinstance(argument, list | tuple):
            yield from _tensors_in(argument)
