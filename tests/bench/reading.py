"""What a long recording costs to read: until it is open, and to list its steps."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tests.bench.figures import Figure, alternate, in_pairs
from tests.bench.keys import LONG, SHORT
from tests.bench.recording import ROOT, record
from tests.bench.starting import until
from tests.bench.works import LINE
from tests.e2e.terminal import GRADTUTOR, Terminal, environment
from tutor.trace import tracefile

_PARTS = 10
"""Of a million events the steps of a part are listed: all of them take minutes."""


def _listed(home: Path, trace: Path, *options: str) -> float:
    """Return the CPU seconds of `gradtutor steps`."""
    before = os.times()
    command = [*GRADTUTOR, "steps", str(trace), *options]
    subprocess.run(command, env=environment(home), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def run(home: Path, quick: bool = False) -> list[Figure]:
    counts = (20, 60) if quick else (SHORT, LONG)
    short, long = (record(home, LINE.path, count, "--all") for count in counts)
    part, least = (record(home, LINE.path, count, "--all") for count in (counts[1] // _PARTS, 1))
    steps = {trace: tracefile.load(trace).steps for trace in (short, long)}

    def opened(trace: Path) -> float:
        with Terminal((*GRADTUTOR, "view", str(trace)), home, draws=False) as terminal:
            return until(terminal, f"/{steps[trace]}")

    start = _listed(home, least)
    whole = start + _PARTS * (_listed(home, part) - start)
    opened(short)
    soon, later = alternate(1 if quick else 5, lambda: opened(short), lambda: opened(long))
    figures = [in_pairs(later, soon, name="until a recording of a million events is open", unit="s",
                        of="one of 40,000 events")]  # fmt: skip
    figures += [
        Figure(name="steps of a million events, CPU", measured=whole, unit="s", target=20.0,
               note=f"{_PARTS} times a {_PARTS}th of them, as each takes as long; {steps[long]:,} steps"),
        Figure(name="steps --json of 40,000 events, CPU", measured=_listed(home, short, "--json"), unit="s",
               note=f"{steps[short]:,} steps"),
    ]  # fmt: skip
    started = time.process_time()
    tracefile.load(long)
    figures.append(Figure(name="loading a recording of a million events, CPU", unit="s",
                          measured=time.process_time() - started))  # fmt: skip
    return figures
