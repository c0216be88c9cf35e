"""What rewritten code calls: statements, names, functions, loops.

These run in the learner's frames at every statement, with function modes on, so they touch a tensor's attributes only
under `DisableTorchFunction`, and mostly they do not touch it at all.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

from tutor.recorder.event_writer import EventWriter
from tutor.recorder.exceptions import trace_of
from tutor.recorder.modules import ModuleRecorder
from tutor.recorder.patches import CHECKED_DEPTH, check_recursion
from tutor.recorder.signals import DeferredSignals
from tutor.recorder.tensors import TensorRecorder
from tutor.recorder.threads import ThreadWatcher
from tutor.recorder.torch_private import DisableTorchFunction
from tutor.recorder.unrecorded import Unrecorded
from tutor.recorder.variables import Frame, VariableRecorder
from tutor.trace.command import STATEMENT, CrashLocation
from tutor.trace.events import Event, FrameEnd, FrameStart, Iteration, Line, LoopEnd


def _tag(kind: type[Event]) -> Any:
    return kind.__struct_config__.tag


_LINE, _ITERATION, _LOOP_END = _tag(Line), _tag(Iteration), _tag(LoopEnd)
_FRAME_START, _FRAME_END = _tag(FrameStart), _tag(FrameEnd)
_RESUMABLE = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
_getframe = sys._getframe


class FrameRecorder:
    """The callbacks, and the frames that they are called from."""

    def __init__(
        self,
        writer: EventWriter,
        tensors: TensorRecorder,
        names: VariableRecorder,
        location: CrashLocation,
        file_of: Callable[[str], int | None],
        caught: Callable[[], None],
        own: dict[int, Any],
        threads: ThreadWatcher,
        signals: DeferredSignals,
    ) -> None:
        self._append = writer.waiting.append
        self._writer = writer
        self._tensors = tensors
        self.names = names
        self._location = location.numbers
        self._file_of = file_of
        self._on_caught = caught
        self.modules = ModuleRecorder(writer.waiting.append, own)
        self.by_id: dict[int, Frame] = {}
        self._modules: dict[str, Frame] = {}
        self._serials = 0
        self._threads = threads
        self._signals = signals
        self._due_signals = signals.waiting
        self._other_thread = Frame(0, 0, None)  # frames of other threads, which are not recorded
        self.current: Frame | None = None
        self.script: Frame | None = None
        self.on = False
        self.on_name_stored: Callable[[str, Any], None] | None = None
        """Past the budget: takes note of a name and its value."""
        self._raised = (0, 0)
        self.callbacks: dict[str, Callable[..., Any]] = {
            "line": self.line, "line_scan": self.line_scan, "bind": self.bind, "bind_outer": self.bind_outer,
            "bind_expr": self.bind_expr,
            "unbind": self.unbind, "enter": self.enter, "leave": self.leave, "iterate": self.iterate,
            "loop_end": self.loop_end, "caught": self.caught, "star": self.star, "look": self.look,
        }  # fmt: skip

    def __reduce__(self) -> tuple[type[Unrecorded], tuple[()]]:
        """In pickled code the callbacks do nothing."""
        return Unrecorded, ()

    # ------------------------------------------------------------ finding the frame

    def module(self, path: str) -> Frame:
        """The frame of the script, which starts now."""
        frame = self.script = self._start_frame("<module>", self._file_of(path) or 1, 0, resumable=False)
        self._modules[path] = frame
        return frame

    def release(self) -> None:
        """Holds nothing of the learner's any more."""
        for frame in (*self._modules.values(), *self.by_id.values()):
            frame.holders.clear()

    def _start_frame(self, function: str, file: int, key: int, *, resumable: bool) -> Frame:
        self._serials += 1
        frame = Frame(self._serials, key, self.current)
        self.current = frame
        if self.on:
            self._append((_FRAME_START, frame.serial, function, file, resumable))
        return frame

    def serial_at(self, frame: types.FrameType) -> int:
        """The number of the frame that an operation called from `frame` belongs to."""
        found = self.by_id.get(id(frame)) or self.find(frame) or self.current
        return found.serial if found is not None else 1

    def raised_in(self, error: BaseException) -> int | None:
        """The number of the frame that raised this exception."""
        if self._raised[0] == id(error):
            return self._raised[1]
        return self.current.serial if self.current is not None else None

    def find(self, frame: types.FrameType | None) -> Frame | None:
        """The record of a frame of the learner's, or of the one around a lambda or comprehension."""
        while frame is not None:
            found = self.by_id.get(id(frame))
            if found is not None:
                return found
            code = frame.f_code
            if code.co_name == "<module>":
                module = self._modules.get(code.co_filename)
                if module is not None:
                    self.by_id.pop(module.key, None)
                    module.key = id(frame)
                    self.by_id[module.key] = module
                    return module
            frame = frame.f_back
        return None

    # ------------------------------------------------------------ the callbacks

    def line(self, site: int) -> None:
        """A statement is about to run."""
        self._location[STATEMENT] = site
        if self._due_signals:
            self._signals.run(_getframe(1))
        if self.on:
            python = _getframe(1)
            self.record_line(site, self.by_id.get(id(python)) or self.find(python))

    def line_scan(self, site: int) -> None:
        """A statement is about to run after one that may have changed what a container holds."""
        self._location[STATEMENT] = site
        if self._due_signals:
            self._signals.run(_getframe(1))
        if self.on:
            python = _getframe(1)
            frame = self.by_id.get(id(python)) or self.find(python)
            around = frame
            while around is not None:
                self.names.scan(around)
                around = around.outer
            self.record_line(site, frame)

    def record_line(self, site: int, frame: Frame | None) -> None:
        """Tells of a statement that is about to run."""
        if frame is None or frame is self._other_thread:
            return
        self.current = frame
        if self._threads.active:
            self._threads.record_changed()
        if self._tensors.exposed:
            with DisableTorchFunction():
                self._tensors.record_exposed()
        self._append((_LINE, site, frame.serial))
        if len(self._writer.waiting) >= self._writer.flush_at:
            self._writer.flush()

    def bind(self, name: str, value: Any, made_at: int = 0) -> None:
        """A name was stored to; `made_at` is the place of the call that gave the value."""
        if self.on:
            python = _getframe(1)
            frame = self.by_id.get(id(python)) or self.find(python)
            if frame is not None and frame is not self._other_thread:
                self.names.store(frame, name, value, made_at)
        elif self.on_name_stored is not None:
            self.on_name_stored(name, value)

    def bind_outer(self, name: str, value: Any, made_at: int = 0) -> None:
        """A name declared `global` or `nonlocal` was stored to."""
        python = _getframe(1)
        frame = self.find(python) if self.on else None
        if frame is None or frame is self._other_thread:
            return
        code = python.f_code
        owner: Frame | None = self._modules.get(code.co_filename)
        if name in code.co_freevars:
            self.names.store(frame, name, value, made_at)
            owner = frame.outer
            while owner is not None and not (owner.code and _is_within(code, owner.code) and name in owner.bound):
                owner = owner.outer  # none is left where a closure outlives the function around it
        if owner is not None:
            self.names.store(owner, name, value, made_at)

    def bind_expr(self, name: str, value: Any) -> Any:
        """A name was stored to by `:=`."""
        if self.on:
            frame = self.find(_getframe(1))
            if frame is not None and frame is not self._other_thread:
                self.names.store(frame, name, value, 0)
        return value

    def unbind(self, name: str) -> None:
        """A name was deleted."""
        frame = self.find(_getframe(1)) if self.on else None
        if frame is not None and name in frame.bound:
            self.names.forget(frame, name)

    def star(self) -> None:
        """`from m import *` may have stored anything."""
        python = _getframe(1)
        frame = self.find(python) if self.on else None
        if frame is not None:
            self.names.store_all(frame, python.f_globals)

    def look(self) -> None:
        """A tensor was written to where no function mode sees it."""
        if self.on and not self._threads.is_other_thread():
            with DisableTorchFunction():
                self._tensors.record_changed()

    def enter(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        """A function of the learner's was entered with these arguments."""
        python = _getframe(1)
        if self._threads.is_other_thread():
            self.by_id[id(python)] = self._other_thread
            return
        if not self.on:
            return
        around = self.current
        if around is not None and around.depth > CHECKED_DEPTH:
            check_recursion()
        code = python.f_code
        file = self._file_of(code.co_filename) or 1
        frame = self._start_frame(code.co_name, file, id(python), resumable=bool(code.co_flags & _RESUMABLE))
        self.by_id[frame.key] = frame
        if code.co_name == "<module>":
            self._modules.setdefault(code.co_filename, frame)
        else:
            frame.code = code
        frame.module = around.module if around is not None else None
        if code.co_name == "forward":
            frame.module = self.modules.enter_forward(values, python, frame.module)
        for name, value in zip(names, values, strict=True):
            self.names.store(frame, name, value, 0)

    def leave(self) -> None:
        """The function was left, in whatever way."""
        python = _getframe(1)
        frame = self.by_id.pop(id(python), None)
        if frame is None or frame is self._other_thread or frame is self.script:
            return  # the script's: entered while nothing was recorded, where the frame of an earlier cell was
        error = sys.exc_info()[1]
        if error is not None and id(error) != self._raised[0]:
            trace = trace_of(error)
            if trace is not None and trace.tb_frame is python:  # not one that a caller is handling
                self._raised = (id(error), frame.serial)
        if self.on:
            around = frame.outer
            while around is not None:
                self.names.scan(around)
                around = around.outer
            self._append((_FRAME_END, frame.serial))
        if self._modules.get(python.f_code.co_filename) is frame:
            del self._modules[python.f_code.co_filename]
        if self.current is frame:
            self.current = frame.outer

    def iterate(self, loop: int) -> None:
        """The body of a loop begins another turn."""
        if self.on:
            frame = self.find(_getframe(1))
            if frame is not None and frame is not self._other_thread:
                number = frame.loops[loop] = frame.loops.get(loop, 0) + 1
                self._append((_ITERATION, frame.serial, loop, number))

    def loop_end(self, loop: int) -> None:
        """A loop was left."""
        if self.on:
            frame = self.find(_getframe(1))
            if frame is not None and frame.loops.pop(loop, None) is not None:
                self._append((_LOOP_END, frame.serial, loop))

    def caught(self, loops: tuple[int, ...]) -> None:
        """An `except` of the learner's begins; the exception left these loops."""
        for loop in loops:
            frame = self.find(_getframe(1))
            if self.on and frame is not None and frame.loops.pop(loop, None) is not None:
                self._append((_LOOP_END, frame.serial, loop))
        self._on_caught()


def _is_within(code: types.CodeType, outer: types.CodeType) -> bool:
    """Whether a function is defined inside another."""
    return code.co_qualname.startswith(f"{outer.co_qualname}.<locals>.")
