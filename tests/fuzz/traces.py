"""The rows on recordings: whatever a file holds, it is read in bounded memory and time, and nothing falls over."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz.bombs import bombs
from tests.fuzz.confined import elsewhere, numbered, run_all
from tests.fuzz.mutations import damaged, hostile
from tests.fuzz.rows import Budget, Outcome, row
from tutor import cli
from tutor.lesson import catalog  # noqa: F401 (all processes have what is imported here)
from tutor.text import show, steps, walk  # noqa: F401
from tutor.trace import tracefile  # noqa: F401

WALK = "\n\n\n\nn\nn\n]\nf\nt\nc\nb\nend\nt\nc\np\n}\n{\ni\no\nline:3\n7\nt\nq\n"
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("steps",), ("steps", "--json"), ("show",), ("show", "--json"), ("show", "--at", "5"),
    ("show", "--at", "9", "--json"), ("--plain",),
)  # fmt: skip


class _Kept(io.StringIO):
    """Keeps the first million characters of what is written."""

    def write(self, text: str) -> int:
        if self.tell() < 1_000_000:
            super().write(text)
        return len(text)


def read_all(path: Path, commands: tuple[tuple[str, ...], ...] = COMMANDS) -> str | None:
    """What goes wrong when a recording is read in all ways; None where nothing does."""
    for command in commands:
        out, err = _Kept(), _Kept()
        typed, sys.stdin = sys.stdin, io.StringIO(WALK)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = cli.main([*command, str(path)])
        finally:
            sys.stdin = typed
        what = " ".join(command)
        if status not in (0, 1, 2, 3):
            return f"{what}: status {status}"
        if "Traceback" in err.getvalue():
            return f"{what}: {err.getvalue()[-200:]}"
        if "--json" in command and out.tell() < 1_000_000:
            for line in out.getvalue().splitlines():
                json.loads(line)
    return None


def _row(budget: Budget, make: Callable[[Random], bytes]) -> Outcome:
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.trace"

        def attempt(number: int) -> str | None:
            path.write_bytes(make(Random(f"{make.__name__} {budget.seed} {number}")))
            error = read_all(path)
            return None if error is None else f"{make.__name__}, seed {budget.seed}, number {number}: {error}"

        run_all(numbered(lambda _: budget.allows(outcome.tried)), attempt, outcome)
    return outcome


@row("traces damaged by accident: bits, cuts, splices, lengths")
def by_accident(budget: Budget) -> Outcome:
    """Files that a disk or a copy has damaged."""
    return _row(budget, damaged)


@row("hostile traces: values, order, counts, kinds, states, later versions, sums made to fit")
def by_hostility(budget: Budget) -> Outcome:
    """Files that somebody has made."""
    return _row(budget, hostile)


@row("traces that inflate")
def that_inflate(budget: Budget) -> Outcome:
    """Files that are small, and would not be."""
    outcome, all_bombs = Outcome(), bombs()
    Random(budget.seed).shuffle(all_bombs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.trace"

        def attempt(number: int) -> str | None:
            bomb = all_bombs[number]
            elsewhere(lambda: path.write_bytes(bomb.make()))
            error = read_all(path, (("steps",), ("show", "--json")))
            return None if error is None else f"{bomb.name}: {error}"

        every = numbered(lambda number: number < len(all_bombs) and budget.allows(outcome.tried))
        run_all(every, attempt, outcome, chunk=1)
    return outcome
