"""The end of the process where the orderly one does not come: the terminal is gone, or the main thread is held up.

Nothing here needs the main thread, but for the signals, which Python hands to it even while it waits for a file.

The terminal as Textual drives it, made to last: bytes that are no text, stops, a terminal that goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Any, TextIO

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

GRACE = 3.0
"""Seconds that an orderly end may take after a signal: a terminal that is gone can block it for ever."""
PATIENCE = 10.0
"""Seconds that it may take where the learner leaves: a process may have to be killed first."""
LOOK = 1.0
"""Seconds between two looks whether the terminal is still there."""


def end_by_force(seconds: float, status: int) -> threading.Timer:
    """End this process after so many seconds, whatever it does then. Cancel it where all went well."""
    last = threading.Timer(seconds, os._exit, (status,))
    last.daemon = True
    last.start()
    return last


def on_signals(tell: Callable[[int], None]) -> None:
    """At SIGTERM and SIGHUP, `tell` is told the number, in the main thread, and the end by force begins."""

    def signalled(number: int, frame: object) -> None:
        end_by_force(GRACE, 128 + number)
        tell(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(number, signalled)


def watch_terminal(tell: Callable[[int], None]) -> None:
    """When the terminal is gone, `tell` is told as of SIGHUP, in a thread, and the end by force begins.

    It may go without a signal: a program that is not of its session gets none.
    """

    def look() -> None:
        terminal = select.poll()
        terminal.register(sys.stdin, 0)
        while not terminal.poll(0):
            time.sleep(LOOK)
        end_by_force(GRACE, 128 + signal.SIGHUP)
        tell(signal.SIGHUP)

    if sys.stdin.isatty():
        threading.Thread(target=look, name="terminal-watch", daemon=True).start()


WAIT = 0.1
"""Seconds between two looks whether the input is to end, or a key is whole."""
JUST = 0.1
"""Seconds: where both have come, Python tells of the signal to go on before that to stop, whichever was first."""
_REPLACED = "\N{REPLACEMENT CHARACTER}"


class TerminalDriver(LinuxDriver):
    """Draws on standard output, which is a terminal where there is a screen; standard error may be a file."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._stops = self._restarts = False
        """Whether a stop or a restart is due."""
        self._continued = -JUST
        """When it was last told to go on."""
        self._suspends = False
        """Whether the terminal is given back only for a while."""
        self._ended = False
        super().__init__(*arguments, **options)
        out = sys.__stdout__
        if out is not None and out.isatty():
            file = open(out.fileno(), "w", closefd=False, encoding=out.encoding, errors=out.errors)  # noqa: SIM115
            self._file = _Lasting(file)  # type: ignore[assignment]

    # ------------------------------------------------------------ stops and continues

    def _sigtstp_application(self, *_: object) -> None:
        if time.monotonic() - self._continued >= JUST:
            self._stops = True
            self._soon(self._stop)

    def _sigcont_application(self, *_: object) -> None:
        self._continued = time.monotonic()
        self._stops = False  # as the system does: a stop that is due is due no more
        if not self._restarts:
            self._restarts = True
            self._soon(self._restart)

    def _soon(self, do: Callable[[], None]) -> None:
        """Not at once: a signal comes at any moment, in the middle of another stop too."""
        with contextlib.suppress(RuntimeError):  # the screen has ended
            self._loop.call_soon_threadsafe(do)

    def _stop(self) -> None:
        """Give the terminal back and stop, until a signal says to go on."""
        if self._ended or not self._stops:
            return
        if self._auto_restart and not self._must_signal_resume:
            self.suspend_application_mode()
            self._must_signal_resume = True
        if self._stops:  # else it was told meanwhile to go on
            os.kill(os.getpid(), signal.SIGSTOP)

    def _restart(self) -> None:
        """Take the terminal again: a shell may have had it meanwhile. The threads of before end first."""
        self._restarts = False
        if self._ended or not self._auto_restart:
            return
        if not self._must_signal_resume:
            self.suspend_application_mode()
            self._must_signal_resume = True
        self.resume_application_mode()
        self._app.refresh(layout=True)

    def suspend_application_mode(self) -> None:
        """Give the terminal back for a while."""
        self._suspends = True
        try:
            super().suspend_application_mode()
        finally:
            self._suspends = False

    def stop_application_mode(self) -> None:
        """Give the terminal back; where that is done already, there is nothing to do."""
        self._ended = self._ended or not self._suspends
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().stop_application_mode()

    def close(self) -> None:
        """Let the last of the writing end."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().close()

    def write(self, data: str) -> None:
        """Write, unless nobody takes it away any more: the queue would be full one day, and we stand still."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().write(data)

    # ------------------------------------------------------------ input

    def run_input_thread(self) -> None:
        """Read what is typed until the input is to end. Never blocks in a read, and never spins."""
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        parser = XTermParser(self._debug)
        descriptor = _opened(self.fileno)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        try:
            while not self.exit_event.is_set():
                data = _read(descriptor) if poll.poll(WAIT * 1000) else None
                if data == b"":  # it is gone, or at its end: no look at it would wait
                    self.exit_event.wait(WAIT)
                text = decode(data or b"").replace(_REPLACED, "")  # a byte that is no text is no key
                try:
                    messages = [*(parser.feed(text) if text else ()), *parser.tick()]
                except Exception:  # what looked like a report of the terminal, or a key, is none
                    messages, parser = [], XTermParser(self._debug)
                for message in messages:
                    self.process_message(message)
        finally:
            if descriptor != self.fileno:
                os.close(descriptor)


def _opened(terminal: int) -> int:
    """The same terminal once more, so that reading from it never blocks; others that have it are not concerned."""
    with contextlib.suppress(OSError):
        return os.open(os.ttyname(terminal), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    return terminal


def _read(descriptor: int) -> bytes | None:
    """What has come; None where it went away again, nothing where nothing will come any more."""
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return None
    except OSError:
        return b""


class _Lasting:
    """A stream of text that loses what it cannot write: who writes to it is a thread, and nobody hears of its end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()
