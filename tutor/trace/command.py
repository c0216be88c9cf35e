"""How a process was ended, by name.

What the front end asks a worker or a fork server to do: JSON on its control socket, for a worker one line."""

from __future__ import annotations

import contextlib
import json
import signal
import struct
from typing import Any, TypeVar

import msgspec


def signal_name(number: int) -> str:
    """A signal as C calls it."""
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


READY = b"ready\n"
"""What the worker answers once torch is imported."""


STATEMENT, OPERATION, PIPE_CLOSED = range(3)
"""Indices of `CrashLocation.numbers`."""


class CrashLocation:
    """Where the program is: memory shared with the front end, which reads it after a crash of the worker.

    Args:
        memory: A buffer of at least 12 bytes, zeroed.

    Attributes:
        numbers: The sites of the statement and of the operation that run, 0 for none; and 1 once the program has closed
            the pipe of its recording.
    """

    def __init__(self, memory: Any) -> None:
        self.numbers: memoryview = memoryview(memory).cast("I")


class Nudge(msgspec.Struct, frozen=True):
    """Add a little to one element of a tensor, unseen by autograd, to measure what depends on it."""

    tensor: int
    element: int
    """Which of its elements, row by row, from 0."""
    amount: float
    line: int
    """Before the how-manieth statement of the run, from 1."""


class RunCommand(msgspec.Struct, frozen=True):
    """Run a file from its first cell to its last."""

    path: str
    name: str
    """A lesson's id, or the path as the learner gave it."""
    args: list[str] = []
    knobs: dict[str, str] = {}
    device: str | None = None
    edits: dict[int, str] = {}
    """Other code for the code cells of these numbers; the file stays as it is."""
    max_events: int = 1_000_000
    max_bytes: int = 256 << 20
    nudge: Nudge | None = None
    attempts: dict[str, str] = {}
    """Other code for exercises, by their ids; what the lesson has is the starter."""
    seed: int | None = None
    """What random numbers begin from, where the program itself does not say."""
    language: str = "en"
    """That in which a file that cannot be run is refused; nothing else that the worker says is a sentence."""


class ForkRequest(msgspec.Struct, frozen=True):
    """Record a run in a fork. Its descriptors: where the events go, then, if they matter, standard output and error."""

    command: RunCommand
    seconds: int = 0
    """How long it may take; 0 for no limit."""


HEADER = struct.Struct("<II")
"""What stands before each request to a fork server: how many bytes it has, and how many descriptors come with it."""
STATUS = struct.Struct("<i")
"""The answer to a request: the exit status of the fork, minus the signal's number where one ended it."""


T = TypeVar("T")


def encode(request: Any) -> bytes:
    """A request as JSON. Python's own: a path or an argument need not be UTF-8, and msgspec refuses what is not."""
    return json.dumps(msgspec.to_builtins(request, str_keys=True)).encode()


def decode(data: bytes, kind: type[T]) -> T:
    """What `encode` gives, as a request of this kind."""
    return msgspec.convert(json.loads(data), kind, str_keys=True)
