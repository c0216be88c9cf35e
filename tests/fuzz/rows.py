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


def merged(lines: list[str], before: list[str], *, add: bool = False) -> list[str]:
    """The whole table: these rows, and those of the table before that have not been tried now.

    `add`: to what the table has of a row, as where a long row was tried in parts, each with a seed of its own.
    """
    rows = {_name_of(each): each for each in before}
    for each in lines:
        name = _name_of(each)
        rows[name] = _sum(rows[name], each) if add and name in rows else each
    return [*HEAD, *(rows[name] for name in ROWS if name in rows)]


def _name_of(row_line: str) -> str:
    return row_line.removeprefix("| ").partition(" | ")[0]


def _sum(first: str, second: str) -> str:
    """Two lines of one row as one."""
    cells = list(zip(*(each.strip("| ").split(" | ") for each in (first, second)), strict=True))
    (name, _), tried, failed, slowest, peak, seeds = cells
    tries = sum(int(number.replace(",", "")) for number in tried)
    most = [max(pair, key=lambda text: float(text.split()[0].replace("–", "0"))) for pair in (slowest, peak)]
    both = ", ".join(dict.fromkeys(seed for text in seeds for seed in text.split(", ")))
    return f"| {name} | {tries:,} | {sum(map(int, failed))} | {most[0]} | {most[1]} | {both} |"
