"""Runs lessons one after another in forks of a process that has imported torch: a run takes what it takes, no more."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys

import msgspec

from tutor.process import environment
from tutor.trace import wire
from tutor.trace.command import RunCommand
from tutor.trace.timeline import Timeline

_HEADER, _STATUS = struct.Struct("<I"), struct.Struct("<i")


class Ran(msgspec.Struct):
    """What a run left."""

    timeline: Timeline
    status: int
    """Its exit status; minus the signal's number where one ended it."""

    @property
    def bytes(self) -> int:
        """How large the recording is in a file."""
        return sum(len(frame) for frame in self.timeline.frames.data)

    @property
    def seconds(self) -> float:
        """How long its code ran."""
        ends = (self.timeline.event(cell.end) for cell in self.timeline.cells if cell.end is not None)
        return sum(getattr(end, "seconds", 0.0) for end in ends)


class Runner:
    """A process that stands by with torch, and does one run at a time. To be closed."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tutor.worker.forking", str(theirs.fileno())], pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
            )  # fmt: skip

    def run(self, command: RunCommand) -> Ran:
        """Runs it to its end."""
        order = msgspec.json.encode(command)
        read_end, write_end = os.pipe()
        try:
            socket.send_fds(self._control, [_HEADER.pack(len(order))], [write_end])
        finally:
            os.close(write_end)
        self._control.sendall(order)
        timeline = Timeline()
        buffer = bytearray()
        with os.fdopen(read_end, "rb", buffering=0) as events:
            while data := events.read(1 << 16):
                buffer += data
                for frame in wire.split(buffer):
                    timeline.feed(frame)
        answer = self._control.recv(_STATUS.size, socket.MSG_WAITALL)
        return Ran(timeline, _STATUS.unpack(answer)[0] if len(answer) == _STATUS.size else -1)

    def close(self) -> None:
        """Ends the process."""
        self._control.close()
        self._process.wait()
