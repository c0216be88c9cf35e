"""The terminal: signals, a terminal that closes, a forced exit, and a Textual driver that survives all of them.

The forced exit does not need the main thread, which may be blocked. Only signal handlers run in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Any, TextIO

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from tutor.ui.render.pictures import kitty_end
from tutor.ui.terminal_cells import ShownPicture, TerminalCells

SIGNAL_GRACE = 3.0
"""Seconds that an orderly exit may take after a signal; writing to a closed terminal can block for ever."""
QUIT_GRACE = 10.0
"""Seconds that it may take when the learner quits; a worker process may have to be killed first."""
CHECK_INTERVAL = 1.0
"""Seconds between two checks whether the terminal is still open."""


def exit_after(seconds: float, status: int) -> threading.Timer:
    """Start a timer that ends this process in `seconds` with `status`, and return it so that it can be cancelled."""
    timer = threading.Timer(seconds, os._exit, (status,))
    timer.daemon = True
    timer.start()
    return timer


def on_signals(callback: Callable[[int], None]) -> None:
    """Call `callback` with the number of a SIGTERM or SIGHUP, in the main thread, and force the exit soon after."""

    def handle_signal(number: int, frame: object) -> None:
        exit_after(SIGNAL_GRACE, 128 + number)
        callback(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(number, handle_signal)


def watch_terminal(callback: Callable[[int], None]) -> None:
    """Call `callback` with SIGHUP once the terminal is closed, in a thread, and force the exit soon after.

    A program outside of the terminal's session gets no signal when it closes.
    """

    def poll_terminal() -> None:
        poll = select.poll()
        poll.register(sys.stdin, 0)
        while not poll.poll(0):
            time.sleep(CHECK_INTERVAL)
        exit_after(SIGNAL_GRACE, 128 + signal.SIGHUP)
        callback(signal.SIGHUP)

    if sys.stdin.isatty():
        threading.Thread(target=poll_terminal, name="terminal-watch", daemon=True).start()


INPUT_INTERVAL = 0.1
"""Seconds between two checks whether the input thread is to end, or an escape sequence is complete."""
SIGNAL_ORDER_GRACE = 0.1
"""Seconds. Of SIGCONT and SIGTSTP that arrive together Python handles SIGCONT first, whatever their order."""
_REPLACED = "\N{REPLACEMENT CHARACTER}"


class TerminalDriver(LinuxDriver):
    """Draws on standard output, and handles stop signals, invalid input and a closed terminal."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop_pending = self._restart_pending = False
        """Whether a stop is pending (`_stop_pending`), or taking the terminal back (`_restart_pending`)."""
        self._continued_at = -SIGNAL_ORDER_GRACE
        """When the last SIGCONT arrived."""
        self._suspending = False
        """Whether the terminal is only released for a while."""
        self._cells = TerminalCells()
        self._writing = threading.Lock()
        """Held while cells are written: the thread that reads input writes as well."""
        self._ended = False
        self._number = 0
        """The number of the picture in kitty's protocol, 0 before there is one."""
        super().__init__(*arguments, **options)
        out = sys.__stdout__
        if out is not None and out.isatty():
            file = open(out.fileno(), "w", closefd=False, encoding=out.encoding, errors=out.errors)  # noqa: SIM115
            self._file = _SafeStream(file)  # type: ignore[assignment]

    # ------------------------------------------------------------ stops and continues

    def _sigtstp_application(self, *_: object) -> None:
        if time.monotonic() - self._continued_at >= SIGNAL_ORDER_GRACE:
            self._stop_pending = True
            self._call_soon(self._stop)

    def _sigcont_application(self, *_: object) -> None:
        self._continued_at = time.monotonic()
        self._stop_pending = False  # as in POSIX: SIGCONT discards a pending stop
        if not self._restart_pending:
            self._restart_pending = True
            self._call_soon(self._restart)

    def _call_soon(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the event loop: a signal may arrive at any moment, even during another stop."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(callback)

    def _stop(self) -> None:
        """Release the terminal and stop the process, until SIGCONT."""
        if self._ended or not self._stop_pending:
            return
        if self._auto_restart and not self._must_signal_resume:
            self.suspend_application_mode()
            self._must_signal_resume = True
        if self._stop_pending:  # unless SIGCONT arrived meanwhile
            os.kill(os.getpid(), signal.SIGSTOP)

    def _restart(self) -> None:
        """Take the terminal back, as a shell may have changed it; old threads end first."""
        self._restart_pending = False
        if self._ended or not self._auto_restart:
            return
        if not self._must_signal_resume:
            self.suspend_application_mode()
            self._must_signal_resume = True
        self.resume_application_mode()
        self._app.refresh(layout=True)

    def suspend_application_mode(self) -> None:
        """Release the terminal for a while."""
        self._suspending = True
        try:
            super().suspend_application_mode()
        finally:
            self._suspending = False

    def stop_application_mode(self) -> None:
        """Release the terminal, unless that is done already."""
        self._ended = self._ended or not self._suspending
        if self._writer_thread is not None and self._writer_thread.is_alive():
            if self._ended and self._number:
                super().write(kitty_end(self._number))
            super().stop_application_mode()

    def close(self) -> None:
        """Wait for the writer thread."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().close()

    def write(self, data: str) -> None:
        """Write what changes on the screen, unless the writer thread has ended: the queue would fill up and block."""
        if self._writer_thread is None or not self._writer_thread.is_alive():
            return
        with self._writing:
            changes = self._cells.changes(data, self._cells_of_terminal())
            if changes:
                super().write(changes)

    def show_picture(self, picture: ShownPicture, data: str = "") -> None:
        """Let marks stand for a picture, once the terminal was given `data`."""
        if self._writer_thread is None or not self._writer_thread.is_alive():
            return
        self._number = picture.number
        with self._writing:
            super().write(data + self._cells.show(picture))

    def cell_size(self) -> tuple[int, int]:
        """Return the width and height of a cell in pixels; 0 where the terminal has not told its system."""
        sizes = (0, 0, 0, 0)
        with contextlib.suppress(OSError):
            sizes = struct.unpack("HHHH", fcntl.ioctl(self.fileno, termios.TIOCGWINSZ, bytes(8)))
        rows, columns, width, height = sizes
        return width // max(columns, 1), height // max(rows, 1)

    def _cells_of_terminal(self) -> tuple[int, int]:
        """Return the columns and rows of the terminal now: it may have changed since the app was told."""
        try:
            columns, rows = os.get_terminal_size(self.fileno)
        except OSError:
            return self._get_terminal_size()
        return columns, rows

    # ------------------------------------------------------------ input

    def run_input_thread(self) -> None:
        """Read input until the exit event is set, without blocking in a read and without spinning."""
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        parser = XTermParser(self._debug)
        descriptor = _reopen(self.fileno)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        try:
            while not self.exit_event.is_set():
                data = _read(descriptor) if poll.poll(INPUT_INTERVAL * 1000) else None
                if data == b"":  # closed, or at its end: polling would return at once
                    self.exit_event.wait(INPUT_INTERVAL)
                text = decode(data or b"").replace(_REPLACED, "")  # drop bytes that are not UTF-8
                try:
                    messages = [*(parser.feed(text) if text else ()), *parser.tick()]
                except Exception:  # an invalid escape sequence
                    messages, parser = [], XTermParser(self._debug)
                for message in messages:
                    self.process_message(message)
        finally:
            if descriptor != self.fileno:
                os.close(descriptor)


def _reopen(terminal: int) -> int:
    """Open the terminal once more for non-blocking reads, which leaves other users of it alone; return a descriptor."""
    with contextlib.suppress(OSError):
        return os.open(os.ttyname(terminal), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    return terminal


def _read(descriptor: int) -> bytes | None:
    """Return the bytes that can be read; None where there are none after all, `b""` at the end of the input."""
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return None
    except OSError:
        return b""


class _SafeStream:
    """A text stream that drops what it cannot write: an error would end Textual's writer thread unnoticed."""

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
