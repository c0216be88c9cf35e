"""What recording costs: time against a plain run, and how time, memory and bytes grow with the length of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.figures import Figure
from tests.e2e.terminal import GRADTUTOR, environment
from tutor.paths import lessons_dir
from tutor.trace import tracefile
from tutor.trace.events import CellEnd

LINE = Path(__file__).parent / "work" / "line_with_bias.py"
TRAINING = LINE.parent / "training.py"
BY_HAND = "training/01-line-by-hand.py"
WORKS = {
    "line_with_bias": (300, "(a) y = wx + b", 4.5),
    "mlp": (30, "(b) an MLP of 1M parameters", 1.5),
    "classifier": (200, "(c) a tiny MLP with Adam", 4.0),
    "gpt": (40, "(d) a micro-GPT", 4.0),
    "cnn": (100, "(e) a small CNN", 3.0),
    "tokens": (5, "(f) plain Python", 1.5),
}
"""By name in `work/`: EPOCHS, what it is, and how many times as long as plain it may take."""
FILE_BYTES = {"line_with_bias": 8.0, "gpt": 60.0}
DEPTHS = (200, 3200)
COUNTS = (500, 1000, 2000)
STEPS = (2_500, 5_000, 10_000)


def measured(home: Path, script: Path, *counts: int, repetitions: int = 7) -> dict[str, Any]:
    """What `tests.bench.recorded` says of a script."""
    command = [sys.executable, "-m", "tests.bench.recorded", str(script), *map(str, counts)]
    env = {**environment(home), "REPETITIONS": str(repetitions)}
    done = subprocess.run(command, env=env, cwd=_root(), stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def record(home: Path, epochs: int, script: Path = LINE) -> tuple[Path, float]:
    """A recording of the training, made by `gradtutor record`, and the seconds that its run took."""
    out = home / f"{script.stem}-{epochs}.trace"
    command = [*GRADTUTOR, "record", "-o", str(out), str(script)]
    env = {**environment(home), "EPOCHS": str(epochs)}
    subprocess.run(command, env=env, cwd=_root(), stderr=subprocess.DEVNULL, check=True)
    timeline = tracefile.load(out)
    ended = timeline.event(timeline.cells[-1].end or timeline.steps)
    return out, ended.seconds if isinstance(ended, CellEnd) else 0.0


def _root() -> str:
    return os.fspath(Path(__file__).resolve().parents[2])


def growth(home: Path) -> list[Figure]:
    """Whether time is linear and memory flat, as the work is doubled twice; each in a process of its own."""
    alone = {steps: measured(home, TRAINING, steps, repetitions=1) for steps in STEPS}
    seconds = {steps: found["counts"][str(steps)]["recorded"][0] for steps, found in alone.items()}
    held = {steps: found["after"] / 2**20 for steps, found in alone.items()}
    least = STEPS[0]
    figures = []
    for steps in STEPS[1:]:
        figures += [
            Figure(name=f"time per training step, {steps:,} steps", measured=1e3 * seconds[steps] / steps,
                   against=1e3 * seconds[least] / least, unit="ms", of=f"at {least:,}", target=1.15),
            Figure(name=f"worker's memory after {steps:,} training steps", measured=held[steps], against=held[least],
                   unit="MiB", of=f"after {least:,}", target=1.05),
        ]  # fmt: skip
    return figures


def works(home: Path) -> list[Figure]:
    """What ordinary scripts cost, and whether a recursion costs the same at any depth."""
    figures = []
    for name, (count, title, target) in WORKS.items():
        script = LINE.parent / f"{name}.py"
        found = measured(home, script, count)["counts"][str(count)]
        trace, _ = record(home, count, script)
        figures += [
            _pairs(f"{title}, recorded", found, target),
            Figure(name="   bytes per event in the file", measured=trace.stat().st_size / found["events"],
                   against=found["bytes"] / found["events"], unit="bytes", of="on the pipe",
                   target=FILE_BYTES.get(name), absolute=True),
        ]  # fmt: skip
    calls = measured(home, LINE.parent / "recursion.py", *DEPTHS, repetitions=21)["counts"]
    least, most = (1e6 * median(calls[str(depth)]["recorded"]) / depth for depth in DEPTHS)
    figures.append(Figure(name=f"a call in a recursion {DEPTHS[1]:,} deep", measured=most, against=least, unit="µs",
                          of=f"in one {DEPTHS[0]} deep", target=1.3))  # fmt: skip
    return figures


def _pairs(name: str, found: dict[str, Any], target: float) -> Figure:
    """Return a figure whose ratio is the median of the pairs that ran one after the other."""
    plain = median(found["plain"])
    ratio = median(recorded / own for recorded, own in zip(found["recorded"], found["plain"], strict=True))
    return Figure(name=name, measured=1e3 * plain * ratio, against=1e3 * plain, unit="ms", of="plain", target=target)


def run(home: Path) -> list[Figure]:
    by_hand = measured(home, lessons_dir() / BY_HAND, 1)["counts"]["1"]
    grown = measured(home, LINE, *COUNTS)["counts"]
    times = {count: median(grown[str(count)]["recorded"]) for count in COUNTS}
    plain = median(grown["500"]["plain"])
    least, most = COUNTS[0], COUNTS[-1]
    # Memory: a process each, or the first would have paid for the second.
    alone = {count: measured(home, LINE, count, repetitions=1) for count in (least, most)}
    held = {count: found["after"] / 2**20 for count, found in alone.items()}
    traces = {count: [record(home, count) for _ in range(3)] for count in (least, most)}
    sizes = {count: traces[count][0][0].stat().st_size for count in traces}
    events = {count: tracefile.load(traces[count][0][0]).frames.events for count in traces}
    session = median(seconds for _, seconds in traces[least])
    figures = [
        Figure(name="training/line-by-hand recorded", measured=1e3 * median(by_hand["recorded"]),
               against=1e3 * median(by_hand["plain"]), unit="ms", of="plain"),
        Figure(name="y = wx + b, 500 epochs, recorded", measured=1e3 * times[least], against=1e3 * plain, unit="ms",
               of="plain", target=6, note=f"{grown['500']['events']:,} events, {traces[least][0][0].name}"),
        Figure(name="the same by `gradtutor record`", measured=1e3 * session, against=1e3 * plain, unit="ms",
               of="plain", note="two busy processes: the worker, and the one that takes in what it sends"),
    ]  # fmt: skip
    figures += [
        Figure(name=f"time per epoch at {count:,} epochs", measured=1e3 * times[count] / count,
               against=1e3 * times[least] / least, unit="ms", of=f"at {least}", target=1.15)
        for count in COUNTS[1:]
    ]  # fmt: skip
    figures += [
        Figure(name=f"worker's memory after {most:,} epochs", measured=held[most], against=held[least], unit="MiB",
               of=f"after {least}", target=1.15),
        Figure(name=f"bytes per event on the pipe, {most:,} epochs",
               measured=grown[str(most)]["bytes"] / grown[str(most)]["events"],
               against=grown[str(least)]["bytes"] / grown[str(least)]["events"], unit="bytes", of=f"at {least}",
               target=1.15),
        Figure(name=f"bytes per event in the file, {most:,} epochs", measured=sizes[most] / events[most],
               against=sizes[least] / events[least], unit="bytes", of=f"at {least}", target=1.15),
    ]  # fmt: skip
    return figures + works(home) + growth(home)
