"""Imports torch once, then records each script it is told of in a fork of itself: `python forker.py`, orders on stdin.

What a fork runs is what the worker process runs, with files in the place of pipes. An order is a line of JSON, the
answer a line with the wait status.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from tutor.trace.command import RunCommand
from tutor.worker.recorder import Recorder
from tutor.worker.run import Run


def record(order: dict[str, Any]) -> None:
    """In the fork: runs what is ordered, and never returns."""
    writable = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(order[name], writable), number)
    command = RunCommand(**order["command"])
    page = memoryview(bytearray(4096)).cast("I")
    recorder = Recorder(os.open(order["events"], writable), page, command.max_events, command.max_bytes)
    os._exit(Run(command, recorder).run())


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            record(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
