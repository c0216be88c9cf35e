"""The end of the process where the orderly one does not come: the terminal is gone, or the main thread is held up.

Nothing here needs the main thread, but for the signals, which Python hands to it even while it waits for a file.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

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
