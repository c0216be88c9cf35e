"""Puts the parts of the recorder together and switches it on and off."""

from __future__ import annotations

import contextlib
import operator
import os
import sys
from collections.abc import Iterator
from typing import Any

import torch

from tutor.recorder import op_kinds, originals, wrapped_functions
from tutor.recorder.backward import BackwardRecorder, Charting
from tutor.recorder.call_sites import Code
from tutor.recorder.callbacks import Frames
from tutor.recorder.containers import Groups
from tutor.recorder.event_writer import Sink
from tutor.recorder.exceptions import failed, strip
from tutor.recorder.operations import Operations
from tutor.recorder.optimizers import Optimizers
from tutor.recorder.originals import module_of
from tutor.recorder.other_processes import Collectives, SharedMemory
from tutor.recorder.signals import DeferredSignals
from tutor.recorder.tensors import Tensors
from tutor.recorder.threads import Threads
from tutor.recorder.torch_private import DisableTorchFunction, mode_at, mode_count, pop_mode, push_mode
from tutor.recorder.variables import Bindings, Frame
from tutor.recorder.wrapped_functions import show_backward, show_hidden, watch_scripted, watch_swaps
from tutor.trace.command import LOST
from tutor.trace.events import Cut, Failed, Gap

_TOLD = "_gradtutor_told"
_attributes_of = BaseException.__dict__["__dict__"].__get__


class Recorder:
    """Records what the code compiled by `self.code` does while it is on.

    `page` is three numbers in shared memory: the statement and the operation that run, should the process die, and
    whether the program has closed the recording's pipe.
    """

    def __init__(self, descriptor: int, page: Any, max_events: int, max_bytes: int) -> None:
        self.sink = Sink(descriptor, max_events, max_bytes, self._is_full)
        self.sink.lost = lambda: operator.setitem(page, LOST, 1)
        append = self.sink.waiting.append
        self.code = Code(self.sink)
        self._own_modules = {"__main__"}
        # Tensors, graph and passes know each other: a tensor's snapshot names its node, a leaf's node its tensor.
        self.tensors = Tensors(append)
        groups = Groups(append, self.tensors.serial, lambda kind: module_of(kind) in self._own_modules)
        names = Bindings(append, self.tensors, groups, self._made)
        self.signals = DeferredSignals()
        threads = Threads(self.sink.send, self.tensors, self.code.own)
        threads.watch()
        self.frames = Frames(
            self.sink, self.tensors, names, page, self.code.file_of, self._caught, self.code.own, threads, self.signals
        )
        self.code.callbacks = self.frames.callbacks | {"defined": self.code.twins.defined}
        self.operations = Operations(self.sink, self.code, self.frames, self.tensors, page, self.signals)
        charting = Charting(append, groups, self.code.own)
        self.passes = BackwardRecorder(self.operations, self.tensors, charting, self.sink.waiting, threads.is_other)
        self._note = charting.note
        self.passes.graph.serial_of_leaf = self.tensors.serial
        self.tensors.graph = self.passes.graph
        self.operations.special = {op_kinds.BACKWARD: self.passes.run, op_kinds.HOOK: self.passes.hooks.register}
        self.operations.trouble = self.passes.trouble = self.tensors.trouble = names.trouble = self._trouble

        def is_on() -> bool:
            return self.frames.on and not threads.is_other()

        optimizers = Optimizers(self.sink.send, self.tensors.serial)
        optimizers.on = is_on
        optimizers.stepped_unseen = self.tensors.distrust
        optimizers.where = lambda: (page[0], self.frames.current.serial if self.frames.current else 1)
        optimizers.trouble = self._trouble
        optimizers.watch()
        Collectives(self.tensors, is_on).watch()
        SharedMemory(self.tensors, is_on).watch()
        watch_swaps(self.tensors, is_on)
        watch_scripted(self.tensors, is_on)
        show_hidden()
        show_backward()
        wrapped_functions.watch(self.operations, self.code)
        originals.remember()
        self.operations.retaining = self.passes.asked_to_retain
        self._troubles = 0
        self._page = page
        self._starting: set[int] = set()
        self.full = False
        self._is_child = False
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._in_child)

    def own_module(self, name: str) -> None:
        """Objects of the classes of this module are the learner's own."""
        self._own_modules.add(name)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Records what runs inside."""
        with self.switched_on(), self.operations:
            yield

    @contextlib.contextmanager
    def switched_on(self) -> Iterator[None]:
        """Events may be sent inside, though no code of the learner's runs."""
        on = self.frames.on
        self._switch(True)
        try:
            yield
        finally:
            self._switch(on)

    def _switch(self, on: bool) -> None:
        self.frames.on = self.passes.on = on and not self.full

    @contextlib.contextmanager
    def unseen(self) -> Iterator[None]:
        """What runs inside leaves no event."""
        on = self.frames.on
        self._switch(False)
        try:
            with self._mode_off():
                yield
        finally:
            self._switch(on)
            if on:
                with DisableTorchFunction():
                    self.tensors.look_again()

    @contextlib.contextmanager
    def compiled(self) -> Iterator[None]:
        """What runs inside leaves no event and meets plain code; what it has changed is looked at after."""
        main = sys.modules.get("__main__")
        names = {} if main is None or not self.frames.on else main.__dict__
        before = dict(names)
        try:
            with self.code.twins.plain(), self.unseen():
                yield
        finally:
            if self.frames.on and self.frames.script is not None:
                for name, value in names.items():
                    if before.get(name, self) is not value:
                        self.frames.names.store(self.frames.script, name, value, 0)

    @contextlib.contextmanager
    def _mode_off(self) -> Iterator[None]:
        """Takes our function mode off the stack, and leaves those of the learner's."""
        modes = [mode_at(place) for place in range(mode_count())]
        if self.operations not in modes:
            yield
            return
        _put(modes, [mode for mode in modes if mode is not self.operations])
        try:
            yield
        finally:
            _put([mode for mode in modes if mode is not self.operations], modes)

    def failed(self, error: BaseException, *, caught: bool = False) -> Failed:
        """Tells of an exception, once, however often it is raised again."""
        event = failed(error, self.code, self.frames.raised_in(error), caught=caught)
        with contextlib.suppress(BaseException):  # a class that takes no attributes: then it is told of twice
            attributes = _attributes_of(error)
            if _TOLD in attributes:
                return event
            attributes[_TOLD] = True
        self.sink.send(event)
        return event

    def full_snapshot(self, names: dict[str, Any]) -> None:
        """Past the budget, at the end of a cell: what the script's names mean, and what the tensors hold."""
        script = self.frames.script
        if script is None:
            return
        script.loops.clear()
        with DisableTorchFunction():
            self.tensors.sweep()
            for known in list(self.tensors.by_id.values()):
                tensor = known.ref()
                if tensor is not None:
                    self.tensors.record(tensor, known)
        self.frames.names.store_unseen(script, names)
        self.frames.names.store_all(script, names)
        self.frames.names.scan(script)

    def catch_up(self, names: dict[str, Any]) -> None:
        """After code that was not recorded: what the module's names mean, and what the tensors that are known hold."""
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
        """At the end of a cell: the statistics of large tensors that were put off."""
        with DisableTorchFunction():
            self.tensors.measure_all()

    def scan(self, names: dict[str, Any]) -> None:
        """At the end of a cell: what the module's names hold, and those that nobody saw stored or deleted."""
        frame = self.frames.current
        if self.frames.on and frame is not None:
            self.frames.names.scan(frame)
            self.frames.names.store_unseen(frame, names)

    def close(self) -> None:
        """Nothing more is recorded."""
        self._switch(False)
        self.operations.off = True
        self.passes.graph.waiting = []  # nodes that go from now on go unnoticed
        self.frames.let_go()
        self.operations.let_go()

    # ------------------------------------------------------------ what the parts tell

    def _made(self, place: int, frame: Frame, tensor: torch.Tensor) -> None:
        self.operations.made(place, frame, tensor)

    def _caught(self) -> None:
        error = sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1]
        if error is not None:
            strip(error)
            if self.frames.on:
                with DisableTorchFunction():
                    self.failed(error, caught=True)

    def _trouble(self, error: Exception) -> None:
        """Something could not be recorded. The learner's program goes on; the recording says so, not too often."""
        self._troubles += 1
        if self._troubles <= 10:
            self.sink.send(Gap(1, "operation", detail=f"{type(error).__name__}: {error}"))

    def started_elsewhere(self, how: str) -> None:
        """The statement that runs has started another process; said once for each statement."""
        if self.frames.on and self._page[0] not in self._starting:
            self._starting.add(self._page[0])
            self.sink.send(Gap(0, "elsewhere", detail=how))

    def _is_full(self, reason: str) -> bool:
        frame = self.frames.current
        if not self.frames.on or frame is None:
            return False
        self.full = self.passes.full = True
        self._switch(False)
        iterations: list[int] = []
        around: Frame | None = frame
        while around is not None:
            iterations[:0] = around.loops.values()
            around = around.outer
        self.sink.send(Cut(self.sink.events, self._page[0], frame.serial, iterations, reason))
        self.frames.note = self._note
        living = {known.serial: known for known in list(self.tensors.by_id.values())}
        for name, serial in list(self.frames.names.recent):
            self._note(name, living[serial].ref() if serial in living else None)
        return True

    # ------------------------------------------------------------ forks

    def _before_fork(self) -> None:
        if not self._is_child:
            self.sink.flush()
            self.sink.stop()

    def _after_fork(self) -> None:
        if not self._is_child:
            self.sink.start()

    def _in_child(self) -> None:
        if self._is_child:
            return
        self._is_child = True
        self._switch(False)
        self.operations.off = True
        self.sink.close_in_child()


def _put(modes: list[Any], others: list[Any]) -> None:
    """Puts other function modes on the stack in the place of these."""
    for _ in modes:
        pop_mode()
    for mode in others:
        push_mode(mode)
