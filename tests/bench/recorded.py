"""Run scripts plain and recorded, in alternating pairs: `python -m tests.bench.recorded PAIRS FILE=COUNT[:EVENTS],… …`.

Each run is in a fork of a process that has imported torch and run the script once, as a worker is. The recorder is the
worker's, its frames go through a pipe to a process that throws them away. COUNT is handed to the script; EVENTS is the
budget, where one is to be used up, or `all`, as the option `--all`. What was measured is printed as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.bench.processes import in_fork
from tests.e2e.terminal import end_with_parent, resident
from tutor.recorder.patches import raise_recursion_limit
from tutor.recorder.recorder import Recorder
from tutor.trace.command import CrashLocation

ENDLESS = 1 << 40
"""A budget that is never used up."""


class Work:
    """One script, and how it runs in this process."""

    def __init__(self, path: Path) -> None:
        self.path = str(path.resolve())
        self.source = path.read_text(encoding="utf-8")
        self.code = compile(self.source, self.path, "exec")
        reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert reader.stdin is not None
        self._pipe = os.dup(reader.stdin.fileno())

    def plain(self) -> dict[str, float]:
        """Return the CPU seconds that it takes."""
        names = {"__name__": "__main__"}
        started = time.process_time()
        exec(self.code, names)
        return {"cpu": time.process_time() - started}

    def recorded(self, budget: str) -> dict[str, float]:
        """Return the CPU seconds from its first statement until all is sent, with what is recorded at its end."""
        max_events = int(budget) if budget.isdecimal() else ENDLESS
        recorder = Recorder(self._pipe, CrashLocation(bytearray(12)), max_events, ENDLESS)
        recorder.frames.sampler.on = budget != "all"
        code = recorder.code.compile(self.source, self.path)
        with recorder.switched_on():
            recorder.frames.module(self.path)
        recorder.writer.start()
        names = {"__name__": "__main__"}
        started = time.process_time()
        with recorder.recording():
            raise_recursion_limit()
            exec(code, names)
            recorder.scan(names)
        if recorder.full:
            recorder.full_snapshot(names)
        with recorder.switched_on():
            recorder.measure()
        recorder.writer.wait_until_written()
        seconds = time.process_time() - started
        writer = recorder.writer
        return {"cpu": seconds, "events": writer.events, "bytes": writer._bytes, "held": resident(os.getpid())}


Pairs = dict[str, list[dict[str, float]]]


def alternate(path: Path, counts: list[str], pairs: int) -> dict[str, Pairs]:
    """Return the plain and the recorded runs of a script, for each `COUNT` or `COUNT:EVENTS`."""
    work = Work(path)
    os.environ["COUNT"] = min((count.partition(":")[0] for count in counts), key=int)
    work.plain()
    measured: dict[str, Pairs] = {count: {"plain": [], "recorded": []} for count in counts}

    def recorded(budget: str) -> Callable[[], dict[str, Any]]:
        return lambda: work.recorded(budget)

    for _ in range(pairs):
        for argument, results in measured.items():
            count, _, budget = argument.partition(":")
            os.environ["COUNT"] = count
            results["plain"].append(in_fork(work.plain))
            results["recorded"].append(in_fork(recorded(budget)))
    return measured


def main() -> None:
    end_with_parent()
    torch.set_num_threads(1)
    gc.freeze()  # as the worker does
    out, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115
    pairs, *works = sys.argv[1:]

    def measure(path: str, counts: str) -> Callable[[], dict[str, Any]]:
        return lambda: alternate(Path(path), counts.split(","), int(pairs))

    json.dump(
        {path: in_fork(measure(path, counts)) for path, _, counts in (work.partition("=") for work in works)}, out
    )


if __name__ == "__main__":
    main()
