"""Processes of the benchmarks: forks that measure, and none that outlives the run."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tests.e2e.terminal import end_with_parent


def leave_on_signals() -> None:
    """Raise `SystemExit` on SIGTERM and SIGHUP, so that what was started is ended on the way out."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))


def in_fork(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what this gives in a fork of this process.

    Raises:
        RuntimeError: It raised; its traceback is on standard error.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            end_with_parent()
            gc.collect()
            os.write(write, json.dumps(measure()).encode())
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        answer = pipe.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("what was to be measured failed")
    found: dict[str, Any] = json.loads(answer)
    return found
