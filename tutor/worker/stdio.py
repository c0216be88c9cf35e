"""Record standard output and error of the learner's code as events, in order.

Only Python's own streams come here. The front end reads from pipes what C code and child processes write to descriptors
1 and 2.
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

from tutor.recorder.event_writer import EventWriter, GuardedDescriptor
from tutor.recorder.originals import name_of
from tutor.trace.events import Gap, Output, Warned

_OUTPUT = Output.__struct_config__.tag
MAX_OUTPUT = 1 << 20
"""Characters of a run's output that are recorded."""
_PROMPT = 500


class OutputRecorder:
    """Records both streams, up to `MAX_OUTPUT` characters.

    Args:
        writer: Writes the events.
        file_of: Returns the number of a file of the learner's; None for others.
        goes_on: Returns whether a fork that is being made goes on with this recording.

    Attributes:
        streams: The replacements for `sys.stdout` and `sys.stderr`.
    """

    def __init__(self, writer: EventWriter, file_of: Callable[[str], int | None], goes_on: Callable[[], bool]) -> None:
        self._writer = writer
        self._file_of = file_of
        self._goes_on = goes_on
        self._recorded = 0
        self._dropped = 0
        self._in_child = False
        self.unfinished_line = ""
        """The end of the line that was printed last and not ended, at most `_PROMPT` characters."""
        writer.on_unsent = self._print_through
        self._guards = {"stdout": GuardedDescriptor(1), "stderr": GuardedDescriptor(2)}
        self.streams = (self._open("stdout", 1, "strict"), self._open("stderr", 2, "backslashreplace"))

    def install(self) -> None:
        """Replace Python's streams, and record warnings."""
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self.streams  # type: ignore[misc, assignment]
        os.register_at_fork(after_in_child=self._forked)
        module: Any = warnings
        show = module._showwarnmsg

        def show_and_send(message: warnings.WarningMessage) -> None:
            number = self._file_of(message.filename)
            line = None if number is None else message.lineno
            self._writer.send(Warned(name_of(message.category), str(message.message), number, line))
            show(message)

        module._showwarnmsg = show_and_send

    def _forked(self) -> None:
        self._in_child = self._in_child or not self._goes_on()

    @property
    def bypasses_recording(self) -> bool:
        """Whether text goes to the descriptor: in a forked child, and once nothing is recorded any more."""
        return self._in_child or not self._writer.is_open

    def flush_recorded(self) -> None:
        """Send what waits, before text goes to the descriptor."""
        if not self._in_child:
            self._writer.flush()

    def _print_through(self, stream: str, text: str) -> None:
        """Print text that cannot be sent any more."""
        guard = self._guards[stream]
        if guard.is_same:
            with contextlib.suppress(OSError):
                write(guard.number, text.encode(errors="replace"))

    def add(self, stream: str, text: str) -> None:
        """Record printed text, joined to what was printed just before."""
        _, newline, end = text.rpartition("\n")
        self.unfinished_line = (end if newline else self.unfinished_line + text)[-_PROMPT:]
        room = MAX_OUTPUT - self._recorded
        if len(text) > room:
            self._dropped += len(text) - room
            text = text[:room]
        if not text:
            return
        self._recorded += len(text)
        with self._writer.lock:
            waiting = self._writer.waiting
            last: Any = waiting[-1] if waiting else None
            if type(last) is tuple and last[0] == _OUTPUT and last[1] == stream and len(last[2]) < 4096:
                waiting[-1] = (_OUTPUT, stream, last[2] + text)
            else:
                waiting.append((_OUTPUT, stream, text))
        if len(text) > 4096:
            self._writer.flush()

    def write_lines(self, on: bool) -> None:
        """Record what is printed at once while steps are recorded (`on`), so that it belongs to the step that printed
        it; else each line as it ends, which takes a fraction of the time."""
        for stream in self.streams:
            with contextlib.suppress(ValueError):  # the program has closed or detached it
                stream.reconfigure(write_through=on)  # type: ignore[attr-defined]

    def end_line(self) -> None:
        """Note that somebody has ended the line, as a terminal shows it."""
        self.unfinished_line = ""

    def show(self, text: str) -> None:
        """Record what a notebook shows: results of cells, and what it gives to `display`."""
        self.flush()
        if self.bypasses_recording:
            self._print_through("stdout", text)
        else:
            self.add("display", text)

    def flush(self) -> None:
        """Flush the streams that the program has neither closed nor detached."""
        for stream in self.streams:
            with contextlib.suppress(ValueError):
                stream.flush()

    def close(self) -> None:
        """Flush, and record how much was dropped."""
        self.flush()
        if self._dropped:
            self._writer.send(Gap(0, "printed", self._dropped))
            self._dropped = 0

    def _open(self, name: str, descriptor: int, errors: str) -> TextIO:
        buffer = _Buffer(self, _Raw(self, name, descriptor))
        # Each line is sent as it ends, as at a terminal: a program that crashes has printed it.
        text = io.TextIOWrapper(buffer, encoding="utf-8", errors=errors, line_buffering=True, write_through=True)
        text.mode = "w"  # type: ignore[misc]
        return text


class _Raw(io.RawIOBase):
    def __init__(self, printed: OutputRecorder, stream: str, descriptor: int) -> None:
        self._printed = printed
        self.name = f"<{stream}>"
        self._stream = stream
        self._descriptor = GuardedDescriptor(descriptor)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor.number

    def isatty(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        """Record the bytes and send them at once, for what writes here without the buffer above."""
        count = self.record(data)
        self._printed.flush_recorded()
        return count

    def record(self, data: Any) -> int:
        """Record the bytes, or write them to the descriptor where nothing is recorded."""
        text = bytes(data)
        if self._printed.bypasses_recording or not self._descriptor.is_same:
            self._printed.flush_recorded()
            return write(self._descriptor.number, text)
        self._printed.add(self._stream, self._decoder.decode(text))
        return len(text)


class _Buffer(io.BufferedWriter):
    """A buffer that keeps nothing back, so that text belongs to the step that printed it.

    `flush` sends what was printed, so that it survives a process that ends at once.
    """

    raw: _Raw

    def __init__(self, printed: OutputRecorder, raw: _Raw) -> None:
        super().__init__(raw)
        self._printed = printed

    def write(self, data: Any) -> int:
        if self.closed:
            raise ValueError("write to closed file")
        return self.raw.record(data)

    def flush(self) -> None:
        super().flush()
        self._printed.flush_recorded()
