"""What recording costs: CPU time against a plain run, past the budget too, and how it grows with a run's length."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from tests.bench.figures import Figure, in_pairs
from tests.bench.works import GPT, LINE, PYTHON, RECURSION, TRAINING, WORKS, Work
from tests.e2e.terminal import GRADTUTOR, environment
from tutor.paths import lessons_dir
from tutor.trace import tracefile

ROOT = Path(__file__).resolve().parents[2]
BY_HAND = "training/01-line-by-hand.py"
BUDGET = 600
"""Events after which a recording that is to be full is full."""
LONGER = (1, 2, 4)
"""How many times as long a run is, to see what grows."""

Runs = dict[str, list[float]]
"""What was measured of each run, in order: `cpu` seconds, and `events`, `bytes` and `held` where it was recorded."""
Measured = dict[Path, dict[str, tuple[Runs, Runs]]]
"""The plain and the recorded runs of each script, by `COUNT` or `COUNT:EVENTS`."""


def measured(home: Path, counts: dict[Path, list[str]], pairs: int) -> Measured:
    """Run scripts plain and recorded, in alternating pairs; `counts` are `COUNT` or `COUNT:EVENTS`."""
    works = [f"{path}={','.join(each)}" for path, each in counts.items()]
    command = [sys.executable, "-m", "tests.bench.recorded", str(pairs), *works]
    done = subprocess.run(command, env=environment(home), cwd=ROOT, stdout=subprocess.PIPE, check=True)
    results = json.loads(done.stdout)
    return {
        path: {
            count: (_columns(runs["plain"]), _columns(runs["recorded"])) for count, runs in results[str(path)].items()
        }
        for path in counts
    }


def _columns(runs: list[dict[str, float]]) -> Runs:
    return {name: [run[name] for run in runs] for name in runs[0]}


def record(home: Path, script: Path, count: int, *options: str) -> Path:
    """Return a recording that `gradtutor record` made of a script."""
    out = home / f"{'-'.join((script.stem, str(count), *options))}.trace"
    if not out.exists():
        command = [*GRADTUTOR, "record", *options, "-o", str(out), str(script)]
        env = {**environment(home), "COUNT": str(count)}
        subprocess.run(command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return out


def _length(count: int, quick: bool) -> int:
    return max(1, count // 20) if quick else count


def _counts(work: Work, quick: bool) -> tuple[str, str]:
    return str(_length(work.count, quick)), f"{_length(work.long, quick)}:{BUDGET}"


def _ratio(runs: tuple[Runs, Runs], name: str, target: float | None = None) -> Figure:
    """Return recorded over plain."""
    plain, recorded = ([1e3 * cpu for cpu in each["cpu"]] for each in runs)
    note = f"{runs[1]['events'][0]:,.0f} events"
    return in_pairs(recorded, plain, unit="ms", name=name, of="plain", target=target, note=note)


def ratios(home: Path, quick: bool) -> list[Figure]:
    """Measure each work: recorded over plain, then the same where nearly all of it is past the budget."""
    counts = {work.path: [_counts(work, quick)[0]] for work in WORKS}
    counts[lessons_dir() / BY_HAND] = ["1"]
    whole = f"{_length(PYTHON.count, quick)}:all"
    counts[PYTHON.path].append(whole)
    runs = measured(home, counts, pairs=1 if quick else 5)
    long_counts = {work.path: [_counts(work, quick)[1]] for work in WORKS}
    long_runs = measured(home, long_counts, pairs=1 if quick else 3)
    return [
        *(_ratio(runs[work.path][_counts(work, quick)[0]], f"{work.name}, recorded", work.target) for work in WORKS),
        _ratio(runs[PYTHON.path][whole], f"{PYTHON.name}, recorded with --all", 40.0),
        *(
            _ratio(long_runs[work.path][_counts(work, quick)[1]], f"{work.name}, past the budget", 1.1)
            for work in WORKS
        ),
        _ratio(runs[lessons_dir() / BY_HAND]["1"], "training/line-by-hand, recorded"),
    ]


def sizes(home: Path, quick: bool) -> list[Figure]:
    """Measure the bytes that an event takes in a file."""
    figures = []
    for work, target in ((LINE, 8.0), (GPT, 60.0)):
        trace = record(home, work.path, _length(work.count, quick))
        events = tracefile.load(trace).frames.events
        figures.append(
            Figure(name=f"{work.name}: bytes per event in the file", measured=trace.stat().st_size / events,
                   unit="bytes", target=target, note=f"{events:,} events")
        )  # fmt: skip
    return figures


def growth(home: Path, quick: bool) -> list[Figure]:
    """Measure whether a call costs the same at any depth, and whether time is linear and memory flat, as a run becomes
    two and four times as long.
    """
    depths = ("20", "320") if quick else ("200", "3200")
    lengths = {LINE.path: (300, "epoch"), TRAINING: (300, "training step")}
    counts = {path: [_length(least, quick) * factor for factor in LONGER] for path, (least, _) in lengths.items()}
    texts = {path: [str(count) for count in each] for path, each in counts.items()}
    runs = measured(home, {RECURSION: [*depths], **texts}, pairs=1 if quick else 3)
    shallow, deep = ([1e6 * cpu / 6400 for cpu in runs[RECURSION][depth][1]["cpu"]] for depth in depths)
    name = f"recursion, depth {int(depths[1]):,}, per recorded call"
    figures = [in_pairs(deep, shallow, name=name, unit="µs", of=f"depth {depths[0]}", target=1.3)]
    for path, (least, *longer) in counts.items():
        recorded = {count: runs[path][str(count)][1] for count in (least, *longer)}
        unit = lengths[path][1]
        for count in longer:
            each, base = ([1e3 * cpu / length for cpu in recorded[length]["cpu"]] for length in (count, least))
            held = [median(recorded[length]["held"]) / 2**20 for length in (count, least)]
            figures += [
                in_pairs(each, base, name=f"time per {unit}, {count:,} of them", unit="ms", of=f"at {least:,}",
                         target=1.15),
                Figure(name=f"worker's memory after {count:,} {unit}s", measured=held[0], against=held[1], unit="MiB",
                       of=f"after {least:,}", target=1.1),
            ]  # fmt: skip
    return figures


def run(home: Path, quick: bool = False) -> list[Figure]:
    return [*ratios(home, quick), *sizes(home, quick), *growth(home, quick)]
