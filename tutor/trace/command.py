"""What the front end asks a worker to do: one line of JSON on the worker's control socket."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

READY = b"ready\n"
"""What the worker answers once torch is imported."""


LOST = 2
"""Which number of the shared page says that the program has closed the pipe of its recording."""


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


T = TypeVar("T")


def encode(request: Any) -> bytes:
    """A request as JSON. Python's own: a path or an argument need not be UTF-8, and msgspec refuses what is not."""
    return json.dumps(msgspec.to_builtins(request, str_keys=True)).encode()


def decode(data: bytes, kind: type[T]) -> T:
    """What `encode` gives, as a request of this kind."""
    return msgspec.convert(json.loads(data), kind, str_keys=True)
