"""What the front end asks a worker to do: one line of JSON on the worker's control socket."""

from __future__ import annotations

import msgspec

READY = b"ready\n"
"""What the worker answers once torch is imported."""


class RunCommand(msgspec.Struct, frozen=True):
    """Run a file from its first cell to its last."""

    path: str
    name: str
    """A lesson's id, or the path as the learner gave it."""
    args: list[str] = []
    knobs: dict[str, str] = {}
    device: str | None = None
    max_events: int = 1_000_000
    max_bytes: int = 256 << 20
