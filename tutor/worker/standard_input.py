"""Record what the program reads of its standard input, line by line, and wait until the line is typed.

Python's own stream comes here, and `os.read` of its descriptor and of descriptor 0. Where lines are typed on the
screen, the stream has a terminal; descriptor 0, which C code and child processes read, is at its end, and children that
are given the stream get that. Answers of an earlier run are replayed as long as the program asks the same. An answer
that is a secret (`getpass`, or a terminal that does not echo) is not recorded.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import subprocess
import sys
import termios
import threading
from os import read
from typing import Any

from tutor.recorder.call_sites import STAND_IN
from tutor.recorder.event_writer import GuardedDescriptor
from tutor.recorder.recorder import Recorder
from tutor.trace.command import ASKED, Reply
from tutor.trace.events import Answered, Waiting
from tutor.worker.stdio import OutputRecorder

_STDIN = 3
"""The place of `stdin` among the arguments of `Popen`."""
_LINE = 1 << 16
"""Bytes that are read at a time."""


class InputRecorder:
    """Answers what the program asks for on its standard input.

    Args:
        recorder: Records the questions.
        printed: Has the prompts.
        mode: A value of `RunCommand.stdin`.
        replies: What was answered in an earlier run.
        terminal: The descriptor of the terminal on which somebody types what is asked; None for descriptor 0.
    """

    def __init__(
        self, recorder: Recorder, printed: OutputRecorder, mode: str, replies: list[Reply], terminal: int | None = None
    ) -> None:
        self._recorder = recorder
        self._printed = printed
        self._mode = mode
        self._replies = list(replies)
        self._standard = GuardedDescriptor(0)
        self._source = GuardedDescriptor(0 if terminal is None or mode != ASKED else terminal)
        self._is_terminal = os.isatty(self.number)
        self._unread = b""
        self._lock = threading.RLock()
        """Held while a line is asked for: threads are asked one after the other."""
        self.is_secret = False
        """Whether `getpass` asks."""

    @property
    def number(self) -> int:
        """The descriptor that lines are read from."""
        return self._source.number

    def install(self) -> None:
        """Replace Python's standard input; unless it is read as it is, as from a file."""
        if self._mode != ASKED and not self._replies and not self._is_terminal:
            return
        before = sys.stdin
        if before is None:
            return
        text = io.TextIOWrapper(io.BufferedReader(_Raw(self)), before.encoding, before.errors)
        text.mode = "r"  # type: ignore[misc]
        sys.stdin = sys.__stdin__ = text  # type: ignore[misc]
        os.register_at_fork(after_in_child=self._renew_lock)
        plain, guards = os.read, {0: self._standard, self.number: self._source}

        @functools.wraps(plain)
        def read_descriptor(fd: int, length: int, /) -> bytes:
            guard = guards.get(fd) if type(fd) is int and length > 0 else None
            return self.take(length) if guard is not None and guard.is_same else plain(fd, length)

        os.read = read_descriptor
        if self._source.number != self._standard.number:
            self._end_for_children()

    def _end_for_children(self) -> None:
        """Let child processes that are given this input (`stdin=sys.stdin`) find it at its end, as others do: there is
        a field on the screen for the program alone."""
        start: Any = subprocess.Popen.__init__

        @functools.wraps(start)
        def start_child(process: Any, *args: Any, **kwargs: Any) -> None:
            given: Any = args[_STDIN] if len(args) > _STDIN else kwargs.get("stdin")
            with contextlib.suppress(Exception):  # it is no file: that is for the original to say
                number = given if isinstance(given, int) else given.fileno()
                if number == self.number and self._source.is_same:
                    if len(args) > _STDIN:
                        args = (*args[:_STDIN], subprocess.DEVNULL, *args[_STDIN + 1 :])
                    else:
                        kwargs["stdin"] = subprocess.DEVNULL
            start(process, *args, **kwargs)

        popen: Any = subprocess.Popen
        popen.__init__ = start_child

    def take(self, length: int) -> bytes:
        """Return at most `length` bytes of what is left of a line, or else of the next one; none at the end."""
        with self._lock:
            if not self._unread:
                self._unread = self._ask()
            data, self._unread = self._unread[:length], self._unread[length:]
        return data

    def _renew_lock(self) -> None:
        """In a fork: the thread that held the lock may be gone."""
        self._lock = threading.RLock()

    def _ask(self) -> bytes:
        """Return the next line, with its end; nothing at the end of the input."""
        recorder = self._recorder
        if self._printed.bypasses_recording:  # a child that the program has forked cannot ask
            return b"" if self._mode == ASKED else _read_line(0, _LINE)
        if not self._standard.is_same:  # the program reads another file in its place
            return _read_line(0, _LINE)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the program's own, or closed
                stream.flush()
        prompt, secret = self._printed.unfinished_line, self.is_secret or not self._echoes()
        reply = self._replies.pop(0) if self._replies else None
        if reply is not None and (reply.prompt, reply.secret) != (prompt, secret):
            self._replies.clear()
            reply = None
        is_replayed = reply is not None and not secret
        recorder.asked(prompt, secret)
        if reply is not None and is_replayed:
            data = b"" if reply.text is None else reply.text.encode() + b"\n" * reply.has_end
        else:
            data = self._wait(prompt, secret)
        text = data.decode(errors="replace").removesuffix("\n") if data else None
        if secret and text:
            recorder.add_secret(text)
            text = ""
        recorder.writer.send(Answered(prompt, text, secret, not data or data.endswith(b"\n")))
        recorder.writer.write()
        self._printed.end_line()
        return data

    def _wait(self, prompt: str, secret: bool) -> bytes:
        """Return the line that is typed; `b""`, the end of the input, where the program cannot ask."""
        if not self._mode or not self._source.is_same:
            return b""
        writer = self._recorder.writer
        self._recorder.write_held()  # what somebody has answered cannot be gone back before
        writer.send(Waiting(prompt, secret))
        writer.write()
        if self._is_terminal:
            return _read_line(self.number, _LINE)
        line = bytearray()  # a byte at a time: the lines after it are for others
        while not line.endswith(b"\n") and (byte := _read_line(0, 1)):
            line += byte
        return bytes(line)

    def _echoes(self) -> bool:
        """Return whether what is typed is seen, as far as the terminal says."""
        with contextlib.suppress(termios.error):
            return bool(termios.tcgetattr(self.number)[3] & termios.ECHO)
        return True


def _read_line(descriptor: int, length: int) -> bytes:
    return read(descriptor, length)


# While the program waits, an interrupt is its own: the signal is not deferred.
_read_line.__code__ = _read_line.__code__.replace(co_name=STAND_IN)


class _Raw(io.RawIOBase):
    name = "<stdin>"

    def __init__(self, questions: InputRecorder) -> None:
        self._questions = questions

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._questions.number

    def isatty(self) -> bool:
        return os.isatty(self.fileno())

    def readinto(self, buffer: Any) -> int:
        data = self._questions.take(len(buffer))
        buffer[: len(data)] = data
        return len(data)
