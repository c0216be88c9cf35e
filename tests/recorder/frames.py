"""A program whose statements and names are recorded, without a worker process. A statement's site is its line."""

from __future__ import annotations

import sys
import textwrap
import threading
from typing import Any

import torch
from torch import nn

from tests.recorder.parts import Parts
from tutor.recorder.callbacks import FrameRecorder
from tutor.recorder.containers import ContainerRecorder
from tutor.recorder.event_writer import EventWriter, wire_tuple
from tutor.recorder.rewrite import SiteAllocator, compile_recorded
from tutor.recorder.signals import DeferredSignals
from tutor.recorder.threads import ThreadWatcher
from tutor.recorder.variables import Frame, VariableRecorder
from tutor.trace import events as ev
from tutor.trace.command import CrashLocation

PATH = "/home/ada/train.py"


class Program:
    """A program that is run by a recorder of frames, which sends to `parts`.

    Attributes:
        frames: The recorder.
        caught: The line at which each `except` began.
        due: The signals whose handlers wait.
        names: The program's globals.
    """

    def __init__(self, parts: Parts, writer: EventWriter) -> None:
        self.parts = parts
        self.location = CrashLocation(bytearray(12))
        self.caught: list[int] = []
        self.due = DeferredSignals()
        self.names: dict[str, Any] = {"torch": torch, "nn": nn, "threading": threading}
        append = parts.waiting.append
        writer.waiting = parts.waiting
        writer.flush_at = sys.maxsize
        containers = ContainerRecorder(append, parts.tensors.serial, parts.tensors.find, lambda kind: False)
        variables = VariableRecorder(append, parts.tensors, containers, self._record_made)
        variables.on_error = parts.errors.append
        self.threads = ThreadWatcher(lambda event: append(wire_tuple(event)), parts.tensors, {})
        self.frames = FrameRecorder(
            writer, parts.tensors, variables, self.location, lambda path: 1 if path == PATH else None,
            lambda: self.caught.append(sys._getframe(2).f_lineno), {}, self.threads, self.due,
        )  # fmt: skip
        self.frames.on = True
        self.frames.module(PATH)

    def _record_made(self, site: int, frame: Frame, tensor: torch.Tensor) -> None:
        raise AssertionError("nothing here is made by a call that torch does not show")

    def run(self, source: str) -> list[ev.Event]:
        """Run some code and return what was sent."""
        sites = SiteAllocator(lambda span, name: span[0], lambda span, name, line, function: 0, lambda *spans: None)
        callbacks = self.frames.callbacks | {"defined": lambda function: function}
        code, _ = compile_recorded(textwrap.dedent(source), PATH, sites, callbacks)
        exec(code, self.names)
        return self.parts.sent()
