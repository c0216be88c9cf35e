"""Record statements, names, function calls and loops: the callbacks that rewritten code calls. This is a hot path.

They run in the learner's frames at every statement, with function modes on, so they read a tensor's attributes only
under `DisableTorchFunction`, and mostly not at all.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

import torch

from tutor.recorder.call_gaps import CallSampler
from tutor.recorder.event_writer import EventWriter
from tutor.recorder.exceptions import trace_of
from tutor.recorder.gaps import FIRST, LoopSampler
from tutor.recorder.kept_iterations import KeptIterations
from tutor.recorder.modules import ModuleRecorder
from tutor.recorder.patches import CHECKED_DEPTH, check_recursion, is_near_limit
from tutor.recorder.rewinding import Rewinder
from tutor.recorder.signals import DeferredSignals
from tutor.recorder.tensors import TensorRecorder
from tutor.recorder.threads import ThreadWatcher
from tutor.recorder.torch_private import DisableTorchFunction
from tutor.recorder.twins import Gate
from tutor.recorder.unrecorded import Unrecorded
from tutor.recorder.variables import Frame, VariableRecorder
from tutor.trace.command import STATEMENT, CrashLocation
from tutor.trace.events import Event, FrameEnd, FrameStart, Iteration, Line, LoopEnd


def _tag(kind: type[Event]) -> Any:
    return kind.__struct_config__.tag


_LINE, _ITERATION, _LOOP_END = _tag(Line), _tag(Iteration), _tag(LoopEnd)
_FRAME_START, _FRAME_END = _tag(FrameStart), _tag(FrameEnd)
RESUMABLE = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
_getframe = sys._getframe
_Tensor = torch.Tensor


class FrameRecorder:
    """Record frames, statements, loops and exceptions.

    Attributes:
        callbacks: By name, the functions that rewritten code calls, and the gate (see `rewrite.CALLBACKS`).
        gate: Says whether the plain twins of loops and functions run.
        sampler: Leaves out the middle of loops that do not touch tensors.
        calls: Leaves out calls of functions that do not touch tensors.
        kept: Leaves out iterations of the training loop.
        by_id: The recorded frames by `id` of Python's frame.
        current: The frame of the last statement; None before the first.
        script: The frame of the script; None before it starts.
        on: Whether events are sent.
        loads: How many loads of a `DataLoader` run, one inside the other.
        on_name_stored: Past the budget, called with each name stored and its value; else None.
        on_unrecorded_line: Past the budget, called before a statement, until the rest runs plain; else None.
        begins_part: Called in a gap with the frame of a function that is entered; returns whether it is recorded.
        on_entered: Called with the frame of each function that is recorded.
        on_left: Called with it when it is left.
    """

    def __init__(
        self,
        writer: EventWriter,
        tensors: TensorRecorder,
        names: VariableRecorder,
        location: CrashLocation,
        file_of: Callable[[str], int | None],
        caught: Callable[..., None],
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
        self._other_thread = Frame(0, 0, None)  # for the frames of other threads, which are not recorded
        self.current: Frame | None = None
        self.script: Frame | None = None
        self.on = False
        self.loads = 0
        self.on_name_stored: Callable[[str, Any], None] | None = None
        self.on_unrecorded_line: Callable[[], None] | None = None
        self.begins_part: Callable[[types.FrameType], bool] = lambda python: False
        self.on_entered: Callable[[Frame], None] = lambda frame: None
        self.on_left: Callable[[Frame], None] = lambda frame: None
        self._raised = (0, 0)
        self.gate = Gate(self.tick, self.tick_while)
        self.sampler = LoopSampler(
            writer.waiting.append,
            names,
            tensors,
            threads,
            self.gate,
            self.find,
            lambda: self.script,
            functools.partial(setattr, self, "on"),
        )
        self.calls = CallSampler(
            writer.waiting.append,
            self.sampler,
            self.gate,
            self.find,
            self.by_id,
            lambda: self.on and not threads.is_other_thread(),
            lambda: not threads.active and not tensors.exposed and sys.gettrace() is None,
        )
        self.kept = KeptIterations(
            writer.waiting.append,
            Rewinder(writer),
            self.sampler,
            self.gate,
            lambda: self.current,
            self.find,
            self.by_id,
        )
        self.callbacks: dict[str, Any] = {
            "line": self.line, "line_scan": self.line_scan, "bind": self.bind, "bind_outer": self.bind_outer,
            "bind_expr": self.bind_expr,
            "unbind": self.unbind, "enter": self.enter, "leave": self.leave, "iterate": self.iterate,
            "loop_end": self.loop_end, "caught": self.caught, "star": self.star, "look": self.look,
            "returned": self.returned, "begin": self.begin, "handled": self.handled, "gate": self.gate,
        }  # fmt: skip

    def __reduce__(self) -> tuple[type[Unrecorded], tuple[()]]:
        """Pickle as an object whose callbacks do nothing."""
        return Unrecorded, ()

    # ------------------------------------------------------------ finding the frame

    def module(self, path: str) -> Frame:
        """Start the frame of the script and return it."""
        frame = self.script = self._start_frame("<module>", self._file_of(path) or 1, 0, resumable=False)
        self._modules[path] = frame
        return frame

    def continue_script(self, path: str) -> None:
        """Let the frame of the script be that of another file too, a cell of a notebook."""
        if self.script is not None:
            self._modules[path] = self.script

    def release(self) -> None:
        """Drop references to the learner's objects."""
        for frame in (*self._modules.values(), *self.by_id.values()):
            frame.holders.clear()

    def _start_frame(self, function: str, file: int, key: int, *, resumable: bool) -> Frame:
        self._serials += 1
        frame = Frame(self._serials, key, self.current)
        self.current = frame
        if self.on:
            self._append((_FRAME_START, frame.serial, function, file, resumable, self.loads))
        return frame

    def end_left(self, earlier: dict[int, Frame]) -> None:
        """Record that frames are left which ran earlier: generators that have ended unseen."""
        for key, frame in earlier.items():
            if self.by_id.get(key) is not frame and frame is not self._other_thread:
                self._append((_FRAME_END, frame.serial))

    def serial_at(self, frame: types.FrameType) -> int:
        """Return the number of the frame that an operation called from `frame` belongs to."""
        record = self.by_id.get(id(frame)) or self.find(frame) or self.current
        return record.serial if record is not None else 1

    def raised_in(self, error: BaseException) -> int | None:
        """Return the number of the frame that raised this exception; None if there is none."""
        if self._raised[0] == id(error):
            return self._raised[1]
        return self.current.serial if self.current is not None else None

    def find(self, frame: types.FrameType | None) -> Frame | None:
        """Return the record of the learner's frame, or of the one around a lambda or comprehension; None for others."""
        while frame is not None:
            record = self.by_id.get(id(frame))
            if record is not None:
                return record
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

    def _stack_depth(self, python: types.FrameType, outer: Frame) -> int:
        """Return how many frames Python's stack has; they are counted down to `outer`, if its depth is known."""
        depth = 1
        frame = python.f_back
        while frame is not None:
            if outer.stack_depth and self.by_id.get(id(frame)) is outer:
                return outer.stack_depth + depth
            depth += 1
            frame = frame.f_back
        return depth

    # ------------------------------------------------------------ the callbacks

    def _back(self) -> bool:
        """End a gap, if there is one: recorded code runs. Return whether events are sent."""
        if self.sampler.gap is not None and not self._threads.is_other_thread():
            self.sampler.end()
        return self.on

    def line(self, site: int) -> None:
        """Record that a statement is about to run."""
        self._location[STATEMENT] = site
        if self._due_signals:
            self._signals.run(_getframe(1))
        if self.on or (self.sampler.gap is not None and self._back()):
            python = _getframe(1)
            self.record_line(site, self.by_id.get(id(python)) or self.find(python))
        elif self.on_unrecorded_line is not None:
            self._unrecorded_line(site, _getframe(1))

    def _unrecorded_line(self, site: int, python: types.FrameType) -> None:
        if self.on_unrecorded_line is not None:
            self.on_unrecorded_line()
        if self.on:  # the part that is recorded begins here
            self.record_line(site, self.find(python))

    def line_scan(self, site: int) -> None:
        """As `line`, after a statement that may have changed what a container holds."""
        self._location[STATEMENT] = site
        if self._due_signals:
            self._signals.run(_getframe(1))
        if self.on or (self.sampler.gap is not None and self._back()):
            python = _getframe(1)
            frame = self.by_id.get(id(python)) or self.find(python)
            self.names.scan_around(frame, self.script)
            self.record_line(site, frame)
        elif self.on_unrecorded_line is not None:
            self._unrecorded_line(site, _getframe(1))

    def record_line(self, site: int, frame: Frame | None) -> None:
        """Send a statement that is about to run in `frame`."""
        if frame is None or frame is self._other_thread:
            return
        self.current = frame
        if self._threads.active:
            self._threads.record_changed()
        if self._tensors.exposed:
            with DisableTorchFunction():
                self._tensors.record_exposed()
        if self.calls.pending:
            self.calls.send()
        self._append((_LINE, site, frame.serial))
        if len(self._writer.waiting) >= self._writer.flush_at:
            self._writer.flush()

    def bind(self, name: str, value: Any, made_at: int = 0) -> None:
        """Record that a name was stored to; `made_at` is the site of the call that made the value, or 0."""
        if self.on or (self.sampler.gap is not None and self._back()):
            python = _getframe(1)
            frame = self.by_id.get(id(python)) or self.find(python)
            if frame is not None and frame is not self._other_thread:
                if self.sampler.on and issubclass(type(value), _Tensor):
                    self.sampler.touches += 1
                self.names.store(frame, name, value, made_at)
        elif self.on_name_stored is not None:
            self.on_name_stored(name, value)

    def bind_outer(self, name: str, value: Any, made_at: int = 0) -> None:
        """As `bind`, for a name declared `global` or `nonlocal`."""
        python = _getframe(1)
        if not (self.on or self._back()):
            if self.on_name_stored is not None:
                self.on_name_stored(name, value)
            return
        frame = self.find(python)
        if frame is None or frame is self._other_thread:
            return
        self.sampler.touches += issubclass(type(value), _Tensor)
        code = python.f_code
        owner: Frame | None = self._modules.get(code.co_filename)
        if name in code.co_freevars:
            self.names.store(frame, name, value, made_at)
            owner = frame.outer
            while owner is not None and not (owner.code and _is_within(code, owner.code) and name in owner.bound):
                owner = owner.outer  # None where a closure outlives the function around it
        if owner is not None:
            self.names.store(owner, name, value, made_at)

    def bind_expr(self, name: str, value: Any) -> Any:
        """As `bind`, for `:=`; return the value."""
        if self.sampler.gap is not None and self.sampler.gap.is_in(_getframe(1)):  # the test of its `while`
            return value
        if self.on or (self.sampler.gap is not None and self._back()):
            frame = self.find(_getframe(1))
            if frame is not None and frame is not self._other_thread:
                self.sampler.touches += issubclass(type(value), _Tensor)
                self.names.store(frame, name, value, 0)
        elif self.on_name_stored is not None:
            self.on_name_stored(name, value)
        return value

    def returned(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        """Note, past the budget, the names of what a function returns."""
        if self.on_name_stored is not None:
            for name, value in zip(names, values, strict=True):
                self.on_name_stored(name, value)

    def unbind(self, name: str) -> None:
        """Record that a name was deleted."""
        frame = self.find(_getframe(1)) if self.on or self._back() else None
        if frame is not None and name in frame.bound:
            self.names.forget(frame, name)

    def star(self) -> None:
        """Record all names after `from m import *`."""
        python = _getframe(1)
        frame = self.find(python) if self.on or self._back() else None
        if frame is not None:
            self.names.store_all(frame, python.f_globals)

    def look(self) -> None:
        """Record tensors after a write that no function mode sees."""
        if (self.on or self._back()) and not self._threads.is_other_thread():
            with DisableTorchFunction():
                self._tensors.record_changed()

    def enter(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        """Record that a function of the learner's was entered with these arguments."""
        python = _getframe(1)
        if self._threads.is_other_thread():
            self.by_id[id(python)] = self._other_thread
            return
        if not (self.on or self._back()):
            if self.kept.gap is None:
                return
            if not self.begins_part(python):
                self._enter_in_gap(python)
                return
        outer = self.current
        stack_depth = 0
        touches = self.sampler.touches
        if outer is not None and outer.depth > CHECKED_DEPTH:
            stack_depth = self._stack_depth(python, outer)
            if is_near_limit(stack_depth):
                check_recursion()
        code = python.f_code
        file = self._file_of(code.co_filename) or 1
        frame = self._start_frame(code.co_name, file, id(python), resumable=bool(code.co_flags & RESUMABLE))
        self.by_id[frame.key] = frame
        self.on_entered(frame)
        frame.touches = touches
        if not code.co_flags & RESUMABLE:
            frame.stack_depth = stack_depth
        if code.co_name == "<module>":
            self._modules.setdefault(code.co_filename, frame)
        else:
            frame.code = code
        frame.module = outer.module if outer is not None else None
        if code.co_name == "forward":
            frame.module = self.modules.enter_forward(values, python, frame.module)
        for name, value in zip(names, values, strict=True):
            self.sampler.touches += issubclass(type(value), _Tensor)
            self.names.store(frame, name, value, 0)

    def _enter_in_gap(self, python: types.FrameType) -> None:
        """Note that a function is entered which may run when the next recorded iteration begins."""
        code = python.f_code
        resumable = bool(code.co_flags & RESUMABLE)
        if resumable or self.kept.is_path(code):
            outer = self.current = self.find(python.f_back)
            file = self._file_of(code.co_filename) or 1
            frame = self._start_frame(code.co_name, file, id(python), resumable=resumable)
            frame.code = code
            self.by_id[frame.key] = frame
            self.kept.enters((_FRAME_START, frame.serial, code.co_name, file, resumable))
            if resumable:
                self.current = outer

    def leave(self) -> None:
        """Record that the function was left, normally or by an exception."""
        python = _getframe(1)
        if self.sampler.gap is not None:
            self._back()
        frame = self.by_id.get(id(python))
        if (
            frame is not None
            and self.kept.is_on
            and frame is not self._other_thread
            and self.kept.leaves(frame, python)
        ):
            self.kept.end(python)
        self.by_id.pop(id(python), None)
        if frame is None or frame is self._other_thread or frame is self.script:
            return  # the script's: entered unrecorded, with the `id` of an earlier cell's frame
        error = sys.exc_info()[1]
        if error is not None and id(error) != self._raised[0]:
            trace = trace_of(error)
            if trace is not None and trace.tb_frame is python:  # not one that a caller is handling
                self._raised = (id(error), frame.serial)
        for loop in frame.loops:
            self.sampler.begun.pop((frame.serial, loop), None)
        if self.sampler.on:
            self.calls.left(frame)
            if self.calls.skipping and frame.touches != self.sampler.touches:
                self.calls.touched_in(python.f_back)
        if self.on:
            if self.calls.pending:
                self.calls.send()
            self.names.scan_around(frame.outer, self.script)
            self._append((_FRAME_END, frame.serial))
        if self._modules.get(python.f_code.co_filename) is frame:
            del self._modules[python.f_code.co_filename]
        if self.current is frame:
            self.current = frame.outer
        self.on_left(frame)

    def begin(self, loop: int, targets: tuple[str, ...], iterable: Any) -> Any:
        """Note that a `for` is about to begin, which stores to these names; return what it iterates over."""
        if self.kept.is_on and not self._threads.is_other_thread():
            was_on, self.on = self.on, False
            self.kept.begin_for(loop, iterable)  # may call the learner's `__len__`
            self.on = was_on
        if self.on and self.sampler.on:
            frame = self.find(_getframe(1))
            if frame is not None and frame is not self._other_thread:
                return self.sampler.begin_for(frame, loop, targets, iterable)
        return iterable

    def tick(self, loop: int) -> bool:
        """Record that another iteration of a `for` begins, or begin a gap with it; return whether it runs plain."""
        return self._tick(loop, _getframe(1), is_while=False)

    def tick_while(self, loop: int) -> bool:
        """As `tick`, for a `while`."""
        return self._tick(loop, _getframe(1), is_while=True)

    def _tick(self, loop: int, python: types.FrameType, *, is_while: bool) -> bool:
        if self.on or (self.sampler.gap is not None and self._back()):
            frame = self.by_id.get(id(python)) or self.find(python)
            if frame is not None and frame is not self._other_thread:
                number = frame.loops.get(loop, 0) + 1
                if self.kept.is_on and self.kept.begins(loop, frame, number, python):
                    return True
                if number <= FIRST + 1 and self.sampler.on:
                    if number == 1 and is_while:
                        self.sampler.begin_while(frame, loop)
                    elif number > FIRST and self.sampler.starts(frame, loop, python):
                        return True
                frame.loops[loop] = number
                self._append((_ITERATION, frame.serial, loop, number))
        return False

    def iterate(self, loop: int) -> None:
        """Record that another iteration of a loop that has no gaps begins."""
        if self.on or (self.sampler.gap is not None and self._back()):
            python = _getframe(1)
            frame = self.find(python)
            if frame is not None and frame is not self._other_thread:
                number = frame.loops.get(loop, 0) + 1
                if not (self.kept.is_on and self.kept.begins(loop, frame, number, python)):
                    frame.loops[loop] = number
                    self._append((_ITERATION, frame.serial, loop, number))
        elif self.kept.gap is not None and not self._threads.is_other_thread():
            self.kept.iterates(loop, _getframe(1))

    def loop_end(self, loop: int) -> None:
        """Record that a loop was left."""
        self._leave_loop_in_gap(loop, _getframe(1))
        if self.on or (self.sampler.gap is not None and self._back()):
            frame = self.find(_getframe(1))
            if frame is not None and frame.loops.pop(loop, None) is not None:
                self.sampler.begun.pop((frame.serial, loop), None)
                self._append((_LOOP_END, frame.serial, loop))

    def _leave_loop_in_gap(self, loop: int, python: types.FrameType) -> None:
        """Note that a loop was left, with the training loop or a gap in it; record again if none can follow."""
        if (self.kept.gap is not None or loop == self.kept.loop) and not self._threads.is_other_thread():
            frame = self.find(python)
            if frame is not None and self.kept.loop_ends(frame, loop, python):
                self.kept.end(python)

    def caught(self, loops: tuple[int, ...]) -> None:
        """Record that an `except` begins, and that the exception left these loops."""
        if self.sampler.gap is not None:
            self._back()
        for loop in loops:
            self._leave_loop_in_gap(loop, _getframe(1))
            frame = self.find(_getframe(1))
            if self.on and frame is not None and frame.loops.pop(loop, None) is not None:
                self._append((_LOOP_END, frame.serial, loop))
        self._on_caught()

    def handled(self) -> None:
        """Note that an `except` of a plain twin begins."""
        if self.sampler.gap is None:  # or the traceback has none of the recorder's frames
            self._on_caught(record=id(_getframe(1).f_code) not in self.calls.skipping)


def _is_within(code: types.CodeType, outer: types.CodeType) -> bool:
    """Return whether a function is defined inside another."""
    return code.co_qualname.startswith(f"{outer.co_qualname}.<locals>.")
