"""The requests of the front end to a worker or a fork server: JSON on its control socket, for a worker one line."""

from __future__ import annotations

import contextlib
import json
import signal
import struct
from typing import Any, TypeVar

import msgspec

from tutor.trace.selection import CodeLine, Part, Selection


def signal_name(number: int) -> str:
    """Return the name of a signal in C, such as `SIGKILL`."""
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


READY = b"ready\n"
"""Sent by the worker once torch is imported."""


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
    """A change to one element of a tensor, hidden from autograd, to measure a derivative by finite differences."""

    tensor: int
    element: int
    """Flat index of the element, from 0."""
    amount: float
    """Number to add."""
    line: int
    """Number of the executed statement before which it is added, from 1."""


ENDED, ASKED, READ, CLOSED = "", "asked", "read", "closed"
"""Values of `RunCommand.stdin`. ENDED: it is at its end. ASKED: somebody is asked for each line. READ: it is read as it
is; at a terminal with a record of each line. CLOSED: there is none, as where that of `gradtutor` was closed."""


class Reply(msgspec.Struct, frozen=True):
    """What was answered to a prompt of the program; None is the end of the input. Of a secret it is empty."""

    prompt: str
    text: str | None
    secret: bool = False
    has_end: bool = True
    """Whether the end of the line is part of it."""


class RunCommand(msgspec.Struct, frozen=True):
    """Runs a file from its first cell to its last."""

    path: str
    name: str
    """Lesson id, or the path as typed by the learner."""
    args: list[str] = []
    knobs: dict[str, str] = {}
    device: str | None = None
    edits: dict[int, str] = {}
    """By number of a code cell: the code to run in its place."""
    max_events: int = 1_000_000
    max_bytes: int = 256 << 20
    nudge: Nudge | None = None
    attempts: dict[str, str] = {}
    """By id of an exercise: the code to run in place of its starter."""
    seed: int | None = None
    """Seed of random numbers, for programs that set none."""
    last_cell: int | None = None
    """Number of the code cell after which the run ends; None for the last one."""
    samples_loops: bool = False
    """Whether the middle of loops that do not touch tensors is left out."""
    keep: Selection | None = None
    """Which iterations of the training loop are recorded; None: all, or, where `samples_loops`, those of
    `selection.AUTOMATIC` if all would not fit into the budget."""
    loop: CodeLine | None = None
    """Where the training loop begins; None: it is the one around the first backward pass."""
    until: str = ""
    """nan, inf, error or an expression: where it happens, iterations are recorded that are not in `keep`."""
    last: int = 0
    """How many of them, up to the one in which it happens; one more follows."""
    part: Part = Part()
    """The part of the program that is recorded."""
    language: str = "en"
    """Language of the error for a file that cannot be run; the worker sends no other sentences."""
    module: str = ""
    """The name by which the file is run as `python -m` does; empty where it is run as a script."""
    skip: list[int] = []
    """Numbers of the code cells that do not run."""
    stdin: str = ""
    """What its standard input is: one of the values above."""
    stdin_path: str = ""
    """The file that is its standard input, from the beginning of the file; empty: as `stdin` says."""
    replies: list[Reply] = []
    """What was answered in an earlier run: the program gets it again, as long as it asks the same."""
    with_pictures: bool = False
    """Whether figures are recorded as pictures of pixels, too."""


class ForkRequest(msgspec.Struct, frozen=True):
    """Records a run in a fork. It comes with descriptors: the events' pipe, then optionally stdout and stderr."""

    command: RunCommand
    seconds: int = 0
    """Time limit; 0: none."""


HEADER = struct.Struct("<II")
"""Header of a request to a fork server: its length in bytes, and the number of descriptors that come with it."""
STATUS = struct.Struct("<i")
"""Answer to a request: the exit status of the fork, or minus the number of the signal that ended it."""


T = TypeVar("T")


def encode(request: Any) -> bytes:
    """Encode a request as JSON, with the json module: paths and arguments that are not UTF-8 fail in msgspec."""
    return json.dumps(msgspec.to_builtins(request, str_keys=True)).encode()


def decode(data: bytes, kind: type[T]) -> T:
    """Decode a request of type `kind`. Raises ValueError or msgspec.ValidationError if it is malformed."""
    return msgspec.convert(json.loads(data), kind, str_keys=True)
