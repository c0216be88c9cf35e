"""The rows of the table in `docs/reliability.md`: each tries something until its time is over, and says what failed.

A row is a function that takes a `Budget` and gives an `Outcome`, registered in `ROWS` with `@row("what it tries")`; the
module that has it is named in `__main__`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Budget:
    """How long a row may take, and what it draws by."""

    seed: int
    seconds: float
    count: int | None = None
    """So many tries and no more; None: as many as there is time for."""
    begun: float = field(default_factory=time.monotonic)

    def allows(self, tried: int) -> bool:
        """Whether there is room for one more try."""
        if self.count is not None:
            return tried < self.count
        return time.monotonic() - self.begun < self.seconds


@dataclass
class Outcome:
    """What a row found."""

    tried: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds of the slowest try."""
    peak: int = 0
    """The most bytes of memory that a process took."""

    def add(self, seconds: float, error: str | None) -> None:
        """One more try."""
        self.tried += 1
        self.slowest = max(self.slowest, seconds)
        if error is not None:
            self.fail(error)

    def fail(self, error: str) -> None:
        """Note what went wrong, and say it at once: a row may take long."""
        self.failures.append(error)
        print(f"failed: {error}", file=sys.stderr, flush=True)


Row = Callable[[Budget], Outcome]
ROWS: dict[str, Row] = {}


def row(name: str) -> Callable[[Row], Row]:
    """Register a row under what the table calls it."""

    def register(function: Row) -> Row:
        ROWS[name] = function
        return function

    return register


HEAD = ["| what | tried | failed | slowest | peak memory | seed |", "| --- | --: | --: | --: | --: | --: |"]


def line(name: str, outcome: Outcome, seed: int) -> str:
    """A row of the table in Markdown."""
    slowest, peak = f"{outcome.slowest:.1f} s", f"{outcome.peak / (1 << 20):.0f} MB" if outcome.peak else "–"
    return f"| {name} | {outcome.tried:,} | {len(outcome.failures)} | {slowest} | {peak} | {seed} |"


def merged(lines: list[str], before: list[str]) -> list[str]:
    """The whole table: these rows, and those of the table before that have not been tried now."""
    rows = {row_line.split(" | ")[0]: row_line for row_line in [*before, *lines]}
    return [*HEAD, *(rows[key] for name in ROWS if (key := f"| {name}") in rows)]
