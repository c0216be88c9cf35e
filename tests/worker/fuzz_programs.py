"""Runs random programs both ways, and tells where what is recorded is not what a plain run has.

`python -m tests.worker.fuzz_programs N [SEED]` (`make fuzz-programs N=300 SEED=0`) runs N programs and prints, for each
that differs, its seed, the differences, and the least of its blocks that still show one.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.worker.plain_run import run_plainly
from tests.worker.random_programs import blocks_of, function_of, script_of
from tests.worker.recording import Forker, Recording
from tests.worker.servers import close_servers, recording_server
from tests.worker.statements import compare_statements
from tests.worker.test_gradients import stream_of
from tutor.check.runner import Runner

BATCH = 12
"""Programs in one script."""
THREAD = re.compile(r"What runs in .*, another thread, is not recorded")
"""By design: of a thread there are no steps; a notice says so, and what it has left is shown at the next statement."""
Blocks = list[list[str]]


class Comparer:
    """Runs scripts both ways."""

    def __init__(self, record: Forker, folder: Path) -> None:
        self._record = record
        self._folder = folder
        self.compared = 0
        """Tensors at statements."""
        self.passes = 0
        self.gaps = 0

    def differences(self, programs: dict[int, Blocks]) -> dict[int | None, list[str]]:
        """By program: what differs; under None what belongs to no program."""
        path = self._folder / f"programs{next(iter(programs))}.py"
        path.write_text(script_of(programs))
        plain = run_plainly(path, self._folder / "plain.json", lines=True, passes=True)
        if plain.status:
            return {None: [f"the plain run ends with {plain.status}: {plain.stderr[-500:]}"]}
        recorded = self._record(path, samples_loops=True)
        self.gaps += len(recorded.steps_of("skipped"))
        found: dict[int | None, list[str]] = {}
        if recorded.status:
            found.setdefault(None, []).append(f"status {recorded.status}, {recorded.raw['stderr'][-500:]}")
        for notice in recorded.timeline.notices:
            if THREAD.match(notice):
                continue
            found.setdefault(None, []).append(f"notice: {notice}")
        if recorded.stdout != plain.stdout:
            ours, theirs = recorded.stdout.splitlines(), plain.stdout.splitlines()
            first = next(
                (pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]), (len(ours), len(theirs))
            )
            found.setdefault(None, []).append(f"prints {first[0]!r}, plain {first[1]!r}")
        lines = path.read_text().splitlines()
        differences, compared = compare_statements(recorded, plain, path.read_text(), sampled=True)
        self.compared += compared
        for difference in differences:
            number = program_at(lines, difference.line)
            found.setdefault(number, []).append(f"{difference}  | {lines[difference.line - 1].strip()}")
        for number, text in pass_differences(recorded, plain.passes, lines):
            found.setdefault(number, []).append(text)
        self.passes += len(recorded.timeline.passes)
        return found

    def alone(self, number: int, blocks: Blocks) -> list[str]:
        """What differs in one program."""
        return [text for texts in self.differences({number: blocks}).values() for text in texts]

    def least(self, number: int, blocks: Blocks) -> Blocks:
        """The fewest blocks of a program that still differ, by leaving out one after the other."""
        blocks = list(blocks)
        for place in reversed(range(len(blocks))):
            fewer = blocks[:place] + blocks[place + 1 :]
            if self.alone(number, fewer):
                blocks = fewer
        return blocks


def program_at(lines: list[str], line: int) -> int | None:
    """In which program a line of the script stands."""
    for text in reversed(lines[:line]):
        if text.startswith("def program_"):
            return int(text.removeprefix("def program_").partition("(")[0])
    return None


def pass_differences(recorded: Recording, passes: list[Any], lines: list[str]) -> list[tuple[int | None, str]]:
    """The first pass of each program that is not as the engine's own hooks tell it."""
    ours, theirs = by_pass(stream_of(recorded)), by_pass(passes)
    steps = recorded.steps_of("backward")
    found: dict[int | None, str] = {}
    for index, (mine, its) in enumerate(zip(ours, theirs, strict=False)):
        if mine != its:
            line = recorded.timeline.view(steps[index]).line or 0
            here = next(pair for pair in [*zip(mine, its, strict=False), (len(mine), len(its))] if pair[0] != pair[1])
            found.setdefault(program_at(lines, line), f"pass at line {line} ({lines[line - 1].strip()}): {here}")
            if len(mine) != len(its):
                break  # what follows may be shifted
    if len(ours) != len(theirs):
        found.setdefault(None, f"{len(ours)} passes, plain {len(theirs)}")
    return list(found.items())


def by_pass(stream: list[Any]) -> list[list[Any]]:
    passes: list[list[Any]] = []
    for entry in stream:
        if entry[0] == "backward":
            passes.append([])
        if passes:
            passes[-1].append(entry)
    return passes


def main() -> None:
    count = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    os.environ["MKL_CBWR"] = "COMPATIBLE"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "recorded").mkdir()
        forker = Forker(Runner(recording_server()), folder / "recorded")
        comparer = Comparer(forker, folder)
        numbers = range(seed * 100_000, seed * 100_000 + count)
        different = 0
        for start in range(0, count, BATCH):
            programs = {number: blocks_of(number) for number in numbers[start : start + BATCH]}
            found = comparer.differences(programs)
            if None in found:  # of no program: which one it is, is seen when each runs alone
                found = {number: comparer.alone(number, blocks) for number, blocks in programs.items()}
            for number, texts in found.items():
                if texts and number is not None:
                    different += 1
                    report(comparer, number, programs[number], texts)
        compared = f"{comparer.compared} tensors at statements and {comparer.passes} passes compared"
        print(f"{count} programs from seed {seed}: {compared}, {comparer.gaps} gaps; {different} programs differ")
        close_servers()
    sys.exit(1 if different else 0)


def report(comparer: Comparer, number: int, blocks: Blocks, texts: list[str]) -> None:
    print(f"program {number}: {len(texts)} differences")
    for text in texts[:3]:
        print(f"  {text[:400]}")
    if "--least" in sys.argv:
        least = comparer.least(number, blocks)
        for text in comparer.alone(number, least)[:2]:
            print(f"  least: {text[:400]}")
        print(function_of(number, least))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
