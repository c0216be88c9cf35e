"""Assemble the recorder from its parts and switch recording on and off."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tutor.recorder import op_kinds, originals, wrapped_functions
from tutor.recorder.backward import BackwardRecorder, LossRecorder
from tutor.recorder.call_sites import SourceRecorder
from tutor.recorder.callbacks import FrameRecorder
from tutor.recorder.charted_passes import ChartedPasses
from tutor.recorder.containers import ContainerRecorder
from tutor.recorder.event_writer import UNRECORDED_WAIT, WAIT, EventWriter
from tutor.recorder.exceptions import failed_event, strip
from tutor.recorder.loading import LoadRecorder
from tutor.recorder.operations import OperationRecorder
from tutor.recorder.optimizers import OptimizerRecorder
from tutor.recorder.originals import module_of
from tutor.recorder.other_processes import CollectiveWatcher, SharedMemoryWatcher
from tutor.recorder.recorded_part import RecordedPart
from tutor.recorder.signals import DeferredSignals
from tutor.recorder.tensors import TensorRecorder
from tutor.recorder.threads import ThreadWatcher
from tutor.recorder.torch_private import DisableTorchFunction, mode_at, mode_count, pop_mode, push_mode
from tutor.recorder.variables import Frame, VariableRecorder
from tutor.recorder.wrapped_functions import show_backward, show_hidden_functions, watch_scripted, watch_swaps
from tutor.trace.command import PIPE_CLOSED, STATEMENT, CrashLocation
from tutor.trace.events import Asked, Cut, Failed, Gap, Mark

_SENT = "_gradtutor_told"
_attributes_of = BaseException.__dict__["__dict__"].__get__


class Recorder:
    """Record what the code compiled by `self.code` does while recording is on.

    Args:
        descriptor: The pipe that events are written to.
        location: Shared memory for the statement and the operation that run, readable after a crash.
        max_events: The budget in events; when it is used up, the recording is cut.
        max_bytes: The budget in bytes.

    Attributes:
        writer: Collects the events and writes them.
        code: Compiles the learner's files and numbers their statements and calls.
        frames: Records statements, function calls and loops.
        tensors: Records tensors.
        operations: The function mode that records operations.
        backward: Records backward passes.
        add_secret: Adds a text that is recorded in no value of a name.
        signals: Defers the program's signal handlers while the recorder's own code runs.
        part: Says which part of the program is recorded.
        on_switched: Called when recording ends between two recorded iterations (False), and when it begins again,
            and for good when the budget is used up.
        full: Whether the budget is used up.
        is_child: Whether this is a forked child, which records nothing; a fork to go back to is not.
    """

    def __init__(self, descriptor: int, location: CrashLocation, max_events: int, max_bytes: int) -> None:
        self.writer = EventWriter(descriptor, max_events, max_bytes, self._is_full)
        self.writer.on_closed = self._pipe_closed
        self._location = location.numbers
        append = self.writer.waiting.append
        self.code = SourceRecorder(self.writer)
        self._own_modules = {"__main__"}
        # These refer to each other: a tensor's snapshot names its node, and the node of a leaf names its tensor.
        self.tensors = TensorRecorder(append)
        containers = ContainerRecorder(
            append, self.tensors.serial, self.tensors.find, lambda kind: module_of(kind) in self._own_modules
        )
        variables = VariableRecorder(append, self.tensors, containers, self._record_made)
        self.add_secret = variables.add_secret
        self.signals = DeferredSignals()
        threads = ThreadWatcher(self.writer.send, self.tensors, self.code.own_code)
        threads.watch()
        self.frames = FrameRecorder(
            self.writer,
            self.tensors,
            variables,
            location,
            self.code.file_of,
            self._caught,
            self.code.own_code,
            threads,
            self.signals,
        )
        self.code.callbacks = self.frames.callbacks | {"defined": self.code.plain_code.add_function}
        self.operations = OperationRecorder(self.writer, self.code, self.frames, self.tensors, location, self.signals)
        losses = LossRecorder(append, containers, self.code.own_code)
        self.backward = BackwardRecorder(
            self.operations, self.tensors, losses, self.writer.waiting, threads.is_other_thread
        )
        self._note_loss = losses.note_loss
        self._is_other_thread = threads.is_other_thread
        self._charted_passes = ChartedPasses(self.operations, losses, self.frames.gate, threads.is_other_thread)
        self.backward.graph.serial_of_leaf = self.tensors.serial
        self.tensors.graph = self.backward.graph
        optimizers = OptimizerRecorder(self.writer.send, self.tensors.serial, self.tensors.value)
        self.operations.handlers = {op_kinds.BACKWARD: self.backward.run, op_kinds.HOOK: self.backward.hooks.register}
        for part in (self.operations, self.backward, self.tensors, variables, optimizers):
            part.on_error = self._report_error

        def is_on() -> bool:
            if self.frames.sampler.gap is not None and not threads.is_other_thread():
                self.frames.sampler.end(touched=True)
            return self.frames.on and not threads.is_other_thread()

        self.frames.sampler.switch = self._switch
        self.frames.calls.statement_at = self.code.statement_at
        kept = self.frames.kept
        kept.switch, kept.record_state = self._switch_in_loop, self._record_state
        self.part = RecordedPart(self.frames, location, self._is_full)
        kept.share = lambda: self.writer.share
        kept.may_begin = lambda: not self.operations.is_running() and not threads.is_other_thread()
        self.backward.on_pass, optimizers.on_step = kept.pass_begins, kept.step_ends
        optimizers.on_begin, optimizers.on_end = self.operations.step_begins, self.operations.step_ends
        optimizers.on = is_on
        variables.on_optimizer = optimizers.named
        optimizers.on_unrecorded_step = self._mark_changed
        optimizers.location = lambda: (
            self._location[STATEMENT],
            self.frames.current.serial if self.frames.current else 1,
        )
        optimizers.watch()
        self._is_on = is_on
        CollectiveWatcher(self.tensors, is_on).watch()
        SharedMemoryWatcher(self.tensors, is_on).watch()
        LoadRecorder(self.operations, self.code, self.frames, is_on, self.unseen).watch()
        watch_swaps(self.tensors, is_on)
        watch_scripted(self.tensors, is_on)
        show_hidden_functions()
        show_backward()
        wrapped_functions.watch_functions(self.operations, self.code)
        originals.remember_torch_functions()
        self.operations.on_retain_grad = self.backward.retain_grad_called
        self.on_switched: Callable[[bool], None] = lambda on: None
        self._error_count = 0
        self._starting: set[int] = set()
        self.full = False
        self.is_child = False
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._in_child)

    def own_module(self, name: str) -> None:
        """Count the objects of this module's classes as the learner's own."""
        self._own_modules.add(name)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record what runs inside."""
        with self.switched_on():
            if not self.full:
                push_mode(self.operations)
                self.part.begin_cell(self.frames.script)
            try:
                yield
            except (Exception, SystemExit) as error:
                self.frames.kept.failed(is_error=isinstance(error, Exception))
                raise
            finally:
                self.frames.sampler.end()
                self._end_kept_gap()
                self.frames.calls.send()
                self._take_mode_off()

    @contextlib.contextmanager
    def switched_on(self) -> Iterator[None]:
        """Let events be sent inside, without recording operations."""
        was_on = self.frames.on
        self._switch(True)
        try:
            yield
        finally:
            self._switch(was_on)

    def _switch(self, on: bool) -> None:
        self.frames.on = self.backward.on = on and not self.full

    def _switch_in_loop(self, on: bool) -> None:
        """Switch off, and on again, between two iterations of the training loop that are recorded."""
        self._switch(on)
        self.on_switched(on)
        self.writer.wait = WAIT if on else UNRECORDED_WAIT
        gate = self.frames.gate
        if on:
            modes = [mode_at(place) for place in range(mode_count())]
            if not self.full and self.operations not in modes:
                _replace_modes(modes, [self.operations, *modes])
            self._charted_passes.close()
            self.frames.on_name_stored = None
            gate.losses = False
            self.backward.graph.restore_leaf_hooks()
        else:
            self.backward.graph.remove_leaf_hooks()
            self._take_mode_off()
            self._charted_passes.watch()
            self.frames.on_name_stored = self._note_loss
            gate.losses = self.backward.passes > 0

    def _mark_changed(self, parameters: list[torch.Tensor]) -> None:
        if self.frames.kept.gap is None:  # or all are recorded at its end
            self.tensors.mark_changed(parameters)

    def _record_state(self) -> None:
        """Record what all tensors and containers hold, after iterations that were not recorded."""
        with DisableTorchFunction():
            self.tensors.sweep()
            self.tensors.mark_changed([])
            self.tensors.record_all()
        self.frames.names.scan_around(self.frames.current, self.frames.script)

    def mark(self, *args: Any, **kwargs: Any) -> None:
        """Record, for `breakpoint()`, that the program has come to it."""
        if not self._is_other_thread():
            self.part.marked(sys._getframe(1))
        frame = self.frames.current
        if self.frames.on and frame is not None and not self._is_other_thread():
            self.writer.send(Mark(self._location[STATEMENT], frame.serial))

    def asked(self, prompt: str, secret: bool) -> None:
        """Record that the program reads a line that somebody types; a loop that asks is recorded whole."""
        self.frames.sampler.touches += 1
        frame = self.frames.current
        if self._is_on() and frame is not None:
            self.writer.send(Asked(self._location[STATEMENT], frame.serial, prompt, secret))

    def write_held(self) -> None:
        """Write all that waits, before the process may end at once."""
        self.frames.kept.rewinder.release()
        self.writer.write()

    @property
    def is_forking(self) -> bool:
        """Whether a fork is being made to go back to."""
        return self.frames.kept.rewinder.checkpoints.is_forking

    def _end_kept_gap(self) -> None:
        """Record what has changed in a gap that lasts until the end of the cell."""
        if self.frames.kept.gap is not None:
            self.frames.kept.end(None)
            script = self.frames.script
            if script is not None:
                script.loops.clear()
                self.frames.names.store_all(script, sys.modules["__main__"].__dict__)
        self.frames.kept.rewinder.release()

    @contextlib.contextmanager
    def unseen(self) -> Iterator[None]:
        """Record nothing of what runs inside; then record the tensors that it has changed."""
        self.frames.sampler.end()
        was_on = self.frames.on
        self._switch(False)
        try:
            with self._mode_off():
                yield
        finally:
            self._switch(was_on)
            if was_on:
                with DisableTorchFunction():
                    self.tensors.record_changed()

    @contextlib.contextmanager
    def compiled(self) -> Iterator[None]:
        """As `unseen`, with the learner's functions as they wrote them; then record the names that it has bound."""
        main = sys.modules.get("__main__")
        names = {} if main is None or not self.frames.on else main.__dict__
        before = dict(names)
        try:
            with self.code.plain_code.in_place(), self.unseen():
                yield
        finally:
            if self.frames.on and self.frames.script is not None:
                for name, value in names.items():
                    if before.get(name, self) is not value:
                        self.frames.names.store(self.frames.script, name, value, 0)

    @contextlib.contextmanager
    def _mode_off(self) -> Iterator[None]:
        """Take the recorder's function mode off the stack inside, and leave the learner's modes on."""
        modes = self._take_mode_off()
        try:
            yield
        finally:
            if self.operations in modes and not self.full:
                _replace_modes([mode for mode in modes if mode is not self.operations], modes)

    def _take_mode_off(self) -> list[Any]:
        """Take the recorder's function mode off the stack; return what was on it."""
        modes = [mode_at(place) for place in range(mode_count())]
        if self.operations in modes:
            _replace_modes(modes, [mode for mode in modes if mode is not self.operations])
        return modes

    def failed(self, error: BaseException, *, caught: bool = False) -> Failed:
        """Return the event of an exception; send it once, however often the exception is raised again."""
        event = failed_event(error, self.code, self.frames.raised_in(error), caught=caught)
        with contextlib.suppress(BaseException):  # a class without attributes: its exceptions are recorded twice
            attributes = _attributes_of(error)
            if _SENT in attributes:
                return event
            attributes[_SENT] = True
        self.writer.send(event)
        return event

    def full_snapshot(self, names: dict[str, Any]) -> None:
        """Past the budget, at the end of a cell: record all living tensors and all names of the script."""
        script = self.frames.script
        if script is None:
            return
        script.loops.clear()
        with DisableTorchFunction():
            self.tensors.sweep()
            for record in list(self.tensors.by_id.values()):
                tensor = record.ref()
                if tensor is not None:
                    self.tensors.record(tensor, record)
        self.frames.names.store_unseen(script, names)
        self.frames.names.store_all(script, names)
        self.frames.names.scan(script)

    def catch_up(self, names: dict[str, Any]) -> None:
        """Record the names of the module and all living tensors, after code that was not recorded."""
        frame = self.frames.current
        if not self.frames.on or frame is None:
            return
        for name in frame.bound.difference(names):
            self.frames.names.forget(frame, name)
        self.frames.names.store_all(frame, names)
        self.frames.names.scan(frame)
        with DisableTorchFunction():
            self.tensors.record_all()

    def measure(self) -> None:
        """At the end of a cell: record the statistics of large tensors that were postponed."""
        with DisableTorchFunction():
            self.tensors.measure_all()

    def scan(self, names: dict[str, Any]) -> None:
        """At the end of a cell: record what the module's names hold, and those bound or deleted unseen."""
        frame = self.frames.current
        if self.frames.on and frame is not None:
            self.frames.names.scan(frame)
            self.frames.names.store_unseen(frame, names)

    def close(self) -> None:
        """Stop recording for good."""
        self._switch(False)
        self.operations.off = True
        self.backward.graph.waiting = []  # nodes freed from now on are not recorded
        self.frames.release()
        self.operations.release()
        self._charted_passes.close()

    # ------------------------------------------------------------ called by the parts

    def _record_made(self, place: int, frame: Frame, tensor: torch.Tensor) -> None:
        self.operations.record_made(place, frame, tensor)

    def _pipe_closed(self) -> None:
        self._location[PIPE_CLOSED] = 1

    def _caught(self, *, record: bool = True) -> None:
        """Take the recorder's frames from the traceback of an exception that is caught; record it."""
        error = sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1]
        if error is not None:
            strip(error)
            if self.frames.on and record:
                with DisableTorchFunction():
                    self.failed(error, caught=True)

    def _report_error(self, error: Exception) -> None:
        """Send an error of the recorder as a `Gap`, for the first ten; the learner's program goes on."""
        self._error_count += 1
        if self._error_count <= 10:
            self.writer.send(Gap(1, "operation", detail=f"{type(error).__name__}: {error}"))

    def record_other_process(self, how: str) -> None:
        """Record, once a statement, that it has started another process."""
        if self.frames.on and self._location[STATEMENT] not in self._starting:
            self._starting.add(self._location[STATEMENT])
            self.writer.send(Gap(0, "elsewhere", detail=how))

    def _is_full(self, reason: str) -> bool:
        """Cut the recording, unless none is running; return whether it was cut."""
        frame = self.frames.current
        if not self.frames.on or frame is None:
            return False
        self.full = self.backward.full = True
        self.frames.calls.pending.clear()
        self._switch(False)
        iterations: list[int] = []
        outer: Frame | None = frame
        while outer is not None:
            iterations[:0] = outer.loops.values()
            outer = outer.outer
        self.writer.send(Cut(self.writer.events, self._location[STATEMENT], frame.serial, iterations, reason))
        self.frames.on_unrecorded_line = self._run_plain
        self.frames.on_name_stored = self._note_loss
        records = {record.serial: record for record in list(self.tensors.by_id.values())}
        for name, serial in list(self.frames.names.recent):
            self._note_loss(name, records[serial].ref() if serial in records else None)
        return True

    def _run_plain(self) -> None:
        """Past the budget, between statements: let the rest run at full speed."""
        if self._is_other_thread() or self.operations.is_running():
            return
        self.frames.on_unrecorded_line = None
        self._take_mode_off()
        self.on_switched(False)
        self.writer.wait = UNRECORDED_WAIT
        gate = self.frames.gate
        gate.full = gate.plain = True
        gate.losses = self.backward.passes > 0
        self._charted_passes.watch()

    # ------------------------------------------------------------ forks

    def _before_fork(self) -> None:
        if not self.is_child:
            self.writer.flush()
            self.writer.stop()

    def _after_fork(self) -> None:
        if not self.is_child:
            self.writer.start()

    def _in_child(self) -> None:
        if self.is_child or self.is_forking:
            return
        self.is_child = True
        self.frames.sampler.forget()
        self.frames.kept.forget()
        self.frames.calls.pending.clear()
        self.frames.gate.full = self.frames.gate.plain = True
        self._switch(False)
        self.operations.off = True
        self.writer.close_in_child()


def _replace_modes(modes: list[Any], others: list[Any]) -> None:
    """Replace function modes on the stack by others."""
    for _ in modes:
        pop_mode()
    for mode in others:
        push_mode(mode)
