"""How long one waits for each lesson, and what its recording takes."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

from tests.bench.figures import Figure
from tests.bench.starting import PATIENCE, fresh, until
from tests.e2e.terminal import GRADTUTOR, Terminal
from tutor.check.runner import Runner
from tutor.lesson import catalog
from tutor.paths import lessons_dir
from tutor.trace.command import RunCommand

READY = ("for the first step", "first the question")
"""One of these is said once a lesson can be walked."""
EVERY = 3
"""The first step is measured for one lesson in this number; all lessons are run."""
AGAIN = 5
"""Lessons that are begun three times: the slowest of all."""


def run(home: Path, quick: bool = False) -> list[Figure]:
    lessons = catalog.load(lessons_dir()).lessons[: 2 if quick else None]

    def torch() -> float:
        with Terminal((sys.executable, "-c", "import torch"), home, draws=False) as terminal:
            terminal.wait_for_end(PATIENCE)
            return time.perf_counter() - terminal.started

    def ready(name: str) -> float:
        with Terminal((*GRADTUTOR, name), fresh(home), draws=False) as terminal:
            return until(terminal, READY)

    torch(), ready(lessons[0].id)
    imports: list[float] = []
    begun = lessons[::EVERY]
    starts: dict[str, list[float]] = {lesson.id: [] for lesson in begun}
    for place, lesson in enumerate(begun):
        if place % 8 == 0:
            imports.append(torch())
        starts[lesson.id].append(ready(lesson.id))
    slow = sorted(starts, key=lambda name: starts[name])[-AGAIN:]
    for name in slow * (0 if quick else 2):
        starts[name].append(ready(name))
    runner = Runner()
    runs = {lesson.id: runner.run(RunCommand(lesson.path, lesson.id)) for lesson in lessons}
    runner.close()
    imported = median(imports)
    waits = {name: median(times) for name, times in starts.items()}
    slowest, longest, largest = (
        max(found, key=lambda name: found[name])
        for found in (waits, {name: ran.seconds for name, ran in runs.items()}, {n: r.bytes for n, r in runs.items()})
    )
    return [
        Figure(name=f"{len(begun)} lessons: until one can walk, median", measured=median(waits.values()),
               against=imported, unit="s", of="import torch"),
        Figure(name=f"the slowest of them, {slowest}", measured=waits[slowest], against=imported, unit="s",
               of="import torch", target=1.3),
        Figure(name=f"the longest run of {len(lessons)}, {longest}", measured=runs[longest].seconds, against=imported,
               unit="s", of="import torch", target=3.0, absolute=True),
        Figure(name=f"the largest recording, {largest}", measured=runs[largest].bytes / 2**20, against=20.0,
               unit="MiB", of="at most", target=20.0, absolute=True),
    ]  # fmt: skip
