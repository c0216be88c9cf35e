"""Imports torch once, then runs each lesson that it is told of in a fork of itself: for whoever checks many.

`python -P -m tutor.worker.forking SOCKET`. An order is the descriptor that the events go to and the length of what
follows, then a `RunCommand` as JSON; the answer is the exit status, once the run is over.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys

# Asking whether there is a GPU must not touch CUDA here, or no fork could use it.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")

# What follows would be imported in each fork that needs it: to read a lesson, and for any optimizer.
import jupytext  # noqa: F401
import msgspec
import torch._dynamo  # noqa: F401

from tutor.trace.command import RunCommand
from tutor.worker.recorder import Recorder
from tutor.worker.run import Run

HEADER = struct.Struct("<I")
STATUS = struct.Struct("<i")
LONGEST = 20
"""Seconds that a run may take."""


def main() -> None:
    """Runs what is ordered until nobody orders any more."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    while True:
        header, descriptors, _, _ = socket.recv_fds(control, HEADER.size, 1)
        if not header:
            return
        order = control.recv(HEADER.unpack(header)[0], socket.MSG_WAITALL)
        child = os.fork()
        if not child:
            control.close()
            _run(msgspec.json.decode(order, type=RunCommand), descriptors[0])
        os.close(descriptors[0])
        control.sendall(STATUS.pack(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))


def _run(command: RunCommand, events: int) -> None:
    """In the fork: what the worker process does; never returns."""
    signal.alarm(LONGEST)
    page = memoryview(bytearray(4096)).cast("I")
    recorder = Recorder(events, page, command.max_events, command.max_bytes)
    os._exit(Run(command, recorder).run())


if __name__ == "__main__":
    main()
