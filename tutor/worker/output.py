"""Standard output and error of the learner's code: what is printed becomes events, in order.

Only Python's own streams come here. What C code and child processes write to descriptors 1 and 2 the front end reads
from pipes.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, TextIO

from tutor.trace.events import Gap, Output, Warned
from tutor.worker.sink import Sink

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
        self.in_child = False
        """Whether this is a forked child: it has no part in the recording, its text goes where that of C code goes."""
        self.streams = (self._open("stdout", 1, "strict"), self._open("stderr", 2, "backslashreplace"))

    def install(self) -> None:
        """Puts the streams in Python's places, and listens to warnings."""
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self.streams  # type: ignore[misc, assignment]
        os.register_at_fork(after_in_child=self._in_child)
        show = warnings.showwarning

        def showwarning(
            message: Warning | str, category: type[Warning], filename: str, lineno: int,
            file: TextIO | None = None, line: str | None = None,
        ) -> None:  # fmt: skip
            number = self._file_of(filename)
            self._sink.send(Warned(category.__name__, str(message), number, None if number is None else lineno))
            show(message, category, filename, lineno, file, line)

        warnings.showwarning = showwarning

    def _in_child(self) -> None:
        self.in_child = True

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

    def close(self) -> None:
        """Flushes, and says what was not kept."""
        for stream in self.streams:
            stream.flush()
        if self._lost:
            self._sink.send(Gap(0, "printed", self._lost))
            self._lost = 0

    def _open(self, name: str, descriptor: int, errors: str) -> TextIO:
        raw = _Raw(self, name, descriptor)
        buffer = _Through(raw)
        text = io.TextIOWrapper(buffer, encoding="utf-8", errors=errors, line_buffering=True, write_through=True)
        text.mode = "w"  # type: ignore[misc]
        return text


class _Raw(io.RawIOBase):
    def __init__(self, printed: Printed, stream: str, descriptor: int) -> None:
        self._printed = printed
        self.name = f"<{stream}>"
        self._stream = stream
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        text = bytes(data)
        if self._printed.in_child:
            return os.write(self._descriptor, text)
        self._printed.add(self._stream, self._decoder.decode(text))
        return len(text)


class _Through(io.BufferedWriter):
    """Keeps nothing back, so that text stands at the step that printed it."""

    def write(self, data: Any) -> int:
        count = super().write(data)
        self.flush()
        return count
