"""A sample of what `make fuzz` tries, in a process of its own: the one that reads has little in its memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import lessons, traces  # noqa: F401 (they register their rows)
from tests.fuzz.bombs import bombs
from tests.fuzz.rows import HEAD, ROWS, Outcome, line, merged
from tests.sampling import count, seed

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("row", "tries"),
    [
        ("damaged by accident", count(20, 2300)), ("hostile traces:", count(40, 7700)),
        ("traces that inflate", count(1, len(bombs()))), ("lesson files", count(30, 2000)),
        ("hostile programs", count(2, 220)), ("odd scripts", count(4, 300)),
        ("on the screen: opened", count(1, 200)), ("a storm", count(1, 30_000)), ("kills", count(1, 300)),
    ],
)  # fmt: skip
def test_nothing_falls_over(row: str, tries: int) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--only", row, "--count", str(tries), "--seed", str(seed())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tried, failed = done.stdout.splitlines()[2].split(" | ")[1:3]
    assert int(tried.replace(",", "")) >= tries
    assert failed == "0"


def test_what_fails_is_counted() -> None:
    outcome = Outcome()
    outcome.add(0.5, None)
    outcome.add(2.0, "it fell over")
    assert line("something", outcome, 7) == "| something | 2 | 1 | 2.0 s | – | 7 |"


def test_rows_that_were_not_tried_stay_in_the_table() -> None:
    first, second = list(ROWS)[:2]
    before = [line(first, Outcome(5), 1), line(second, Outcome(6), 1), "| a row that is gone | 1 | 0 | 0.0 s | – | 1 |"]
    new = line(second, Outcome(7), 2)
    assert merged([new], [*HEAD, *before]) == [*HEAD, before[0], new]


def test_a_row_can_be_tried_in_parts() -> None:
    name = next(iter(ROWS))
    parts = [line(name, Outcome(1500, [], 1.5, 41 << 20), 1), line(name, Outcome(600, ["x"], 0.5, 43 << 20), 2)]
    assert merged(parts[1:], parts[:1], add=True) == [*HEAD, f"| {name} | 2,100 | 1 | 1.5 s | 43 MB | 1, 2 |"]
