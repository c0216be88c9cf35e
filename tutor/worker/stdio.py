"""Standard output and error of the learner's code: what is printed becomes events, in order.

Only Python's own streams come here. What C code and child processes write to descriptors 1 and 2 the front end reads
from pipes.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable
from os import write
from typing import Any, TextIO

from tutor.recorder.event_writer import Guarded, Sink
from tutor.recorder.originals import name_of
from tutor.trace.events import Gap, Output, Warned

_OUTPUT = Output.__struct_config__.tag
KEPT = 1 << 20
"""So many characters of a run's output are kept."""


class Printed:
    """Both streams, and how much of them was kept."""

    def __init__(self, sink: Sink, file_of: Callable[[str], int | None]) -> None:
        self._sink = sink
        self._file_of = file_of
        """The number of a file of the learner's."""
        self._kept = 0
        self._lost = 0
        self._in_child = False
        sink.unsent = self._print_through
        self._guards = {"stdout": Guarded(1), "stderr": Guarded(2)}
        self.streams = (self._open("stdout", 1, "strict"), self._open("stderr", 2, "backslashreplace"))

    def install(self) -> None:
        """Puts the streams in Python's places, and listens to warnings."""
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self.streams  # type: ignore[misc, assignment]
        os.register_at_fork(after_in_child=self._forked)
        module: Any = warnings
        show = module._showwarnmsg

        def show_and_send(message: warnings.WarningMessage) -> None:
            number = self._file_of(message.filename)
            line = None if number is None else message.lineno
            self._sink.send(Warned(name_of(message.category), str(message.message), number, line))
            show(message)

        module._showwarnmsg = show_and_send

    def _forked(self) -> None:
        self._in_child = True

    @property
    def goes_elsewhere(self) -> bool:
        """Whether text goes where that of C code goes: in a forked child, and where nothing is recorded any more."""
        return self._in_child or not self._sink.is_open

    def let_out(self) -> None:
        """Before text goes elsewhere: what was printed before it, and waits to be sent."""
        if not self._in_child:
            self._sink.flush()

    def _print_through(self, stream: str, text: str) -> None:
        """Print what cannot be sent any more."""
        guard = self._guards[stream]
        if guard.is_same:
            with contextlib.suppress(OSError):
                write(guard.number, text.encode(errors="replace"))

    def add(self, stream: str, text: str) -> None:
        """Records printed text, joined to what was printed just before."""
        room = KEPT - self._kept
        if len(text) > room:
            self._lost += len(text) - room
            text = text[:room]
        if not text:
            return
        self._kept += len(text)
        with self._sink.lock:
            waiting = self._sink.waiting
            last: Any = waiting[-1] if waiting else None
            if type(last) is tuple and last[0] == _OUTPUT and last[1] == stream and len(last[2]) < 4096:
                waiting[-1] = (_OUTPUT, stream, last[2] + text)
            else:
                waiting.append((_OUTPUT, stream, text))
        if len(text) > 4096:
            self._sink.flush()

    def flush(self) -> None:
        """Flush both streams, those that the program has neither closed nor taken apart."""
        for stream in self.streams:
            with contextlib.suppress(ValueError):
                stream.flush()

    def close(self) -> None:
        """Flushes, and says what was not kept."""
        self.flush()
        if self._lost:
            self._sink.send(Gap(0, "printed", self._lost))
            self._lost = 0

    def _open(self, name: str, descriptor: int, errors: str) -> TextIO:
        raw = _Raw(self, name, descriptor)
        buffer = _Through(raw)
        text = _Text(self._sink, buffer, errors)
        text.mode = "w"  # type: ignore[misc]
        return text


class _Raw(io.RawIOBase):
    def __init__(self, printed: Printed, stream: str, descriptor: int) -> None:
        self._printed = printed
        self.name = f"<{stream}>"
        self._stream = stream
        self._descriptor = Guarded(descriptor)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor.number

    def isatty(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        text = bytes(data)
        if self._printed.goes_elsewhere or not self._descriptor.is_same:
            self._printed.let_out()
            return write(self._descriptor.number, text)
        self._printed.add(self._stream, self._decoder.decode(text))
        return len(text)


class _Text(io.TextIOWrapper):
    """A stream whose `flush` sends what was printed, so that it outlives a process that ends at once."""

    def __init__(self, sink: Sink, buffer: io.BufferedWriter, errors: str) -> None:
        super().__init__(buffer, encoding="utf-8", errors=errors, line_buffering=True, write_through=True)
        self._sink = sink

    def flush(self) -> None:
        super().flush()
        self._sink.flush()


class _Through(io.BufferedWriter):
    """Keeps nothing back, so that text stands at the step that printed it."""

    def write(self, data: Any) -> int:
        count = super().write(data)
        self.flush()
        return count
