"""How long a key takes to the last byte of its frame, and how many bytes that frame has."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from tests.bench.figures import Figure, percentile
from tests.bench.recording import record
from tests.bench.starting import PATIENCE, TRIVIAL, until
from tests.bench.works import LINE
from tests.e2e.terminal import GRADTUTOR, KEYS, Terminal
from tutor.trace import tracefile

EPOCHS = 520
"""About 40,000 steps."""
STILL = 0.08
"""Seconds without a byte after which nothing more will come for a key."""
TARGET = 50.0
Frame = tuple[float, bytes]
"""Milliseconds, and what was sent."""
_WALKS = ("→", "←", "n", "p", "} {", "b B")
_JUMPS = ("End Home", "g")


def settle(terminal: Terminal, still: float = 0.4) -> None:
    """Read until nothing more comes."""
    end = time.monotonic() + PATIENCE
    while terminal.read(still):
        if time.monotonic() > end:
            raise RuntimeError("the screen does not come to rest")


def frame(terminal: Terminal, keys: str) -> Frame:
    """From writing a key to the last byte of what came of it."""
    sent = b""
    data = keys.encode()
    started = last = time.perf_counter()
    terminal.write(data)
    while found := terminal.read(STILL if sent else 2.0):
        last = time.perf_counter()
        sent += found
    if not sent:
        raise RuntimeError(f"nothing was drawn for {keys!r}")
    return 1e3 * (last - started), sent


def pressed(terminal: Terminal, keys: Iterable[str]) -> list[Frame]:
    """A frame for each key."""
    return [frame(terminal, KEYS.get(key, key)) for key in keys]


def jumps(terminal: Terminal, steps: Iterable[int]) -> list[Frame]:
    """A frame for each step gone to with `g`, from the Enter on."""
    found = []
    for step in steps:
        terminal.press("g")
        settle(terminal, STILL)
        terminal.press(str(step))
        settle(terminal, STILL)
        found.append(frame(terminal, KEYS["enter"]))
        if f"step {step}/".encode() not in found[-1][1]:
            raise RuntimeError(f"step {step} is not what came after going to it")
    return found


def run(home: Path, quick: bool = False) -> list[Figure]:
    trace = record(home, LINE.path, EPOCHS)
    steps = tracefile.load(trace).steps
    dice = random.Random(1)
    with (
        Terminal(TRIVIAL, home, draws=False) as plain,
        Terminal((*GRADTUTOR, "view", str(trace)), home, draws=False) as viewed,
        Terminal((*GRADTUTOR, "open", str(LINE.path)), home, env={"COUNT": str(EPOCHS)}, draws=False) as lived,
    ):
        until(plain, "hello there")
        for terminal in (viewed, lived):
            until(terminal, f"/{steps}")
            settle(terminal, 1.0)
            terminal.press("g", str(steps // 2), "enter")
            settle(terminal, 1.0)
        base: list[Frame] = []
        ways: dict[str, Callable[[Terminal], list[Frame]]] = {
            "→": lambda terminal: pressed(terminal, ["right"] * 20),
            "←": lambda terminal: pressed(terminal, ["left"] * 20),
            "n": lambda terminal: pressed(terminal, ["n"] * 10),
            "p": lambda terminal: pressed(terminal, ["p"] * 10),
            "} {": lambda terminal: pressed(terminal, ["}", "}", "}", "{", "{", "{"]),
            "b B": lambda terminal: pressed(terminal, ["b", "b", "b", "B", "B", "B"]),
            "End Home": lambda terminal: pressed(terminal, ["end", "home"] * 5),
            "g": lambda terminal: jumps(terminal, [dice.randrange(1, steps + 1) for _ in range(12)]),
        }
        found: dict[str, dict[str, list[Frame]]] = {"file": {way: [] for way in ways}, "run": {way: [] for way in ways}}
        for _ in range(5):
            for way, walk in ways.items():
                base += pressed(plain, ["right"] * 5)
                for where, terminal in (("file", viewed), ("run", lived)):
                    if way == "→":  # each round in another part of the recording, off the way of the other keys
                        jumps(terminal, [dice.randrange(steps // 4, steps * 3 // 4)])
                    found[where][way] += walk(terminal)
    return _figures(found, base, steps)


def _figures(found: dict[str, dict[str, list[Frame]]], base: list[Frame], steps: int) -> list[Figure]:
    against = median(frame[0] for frame in base)
    of = "a trivial Textual app"
    figures = []
    for where, title in (("file", "a recording"), ("run", "a run")):
        for kind, ways in (("walking", _WALKS), ("jumping", _JUMPS)):
            by_way = {way: [frame[0] for frame in found[where][way]] for way in ways}
            times = [time for each in by_way.values() for time in each]
            note = ", ".join(f"{way} {percentile(each, 95):.1f}" for way, each in by_way.items())
            figures += [
                Figure(name=f"{kind} in {title} of {steps:,} steps: key to frame, p50", measured=median(times),
                       against=against, unit="ms", of=of, target=TARGET, absolute=True),
                Figure(name=f"{kind} in {title} of {steps:,} steps: key to frame, p95", measured=percentile(times, 95),
                       against=against, unit="ms", of=of, target=TARGET, absolute=True,
                       note=f"p95 by key: {note}; the slowest of {len(times)}: {max(times):.1f} ms"),
            ]  # fmt: skip
    sizes = [len(frame[1]) for frame in found["file"]["→"] + found["file"]["←"]]
    plain = median(len(frame[1]) for frame in base)
    figures += [
        Figure(name="bytes sent per step, p50", measured=median(sizes), against=plain, unit="bytes", of=of),
        Figure(name="bytes sent per step, p95", measured=percentile(sizes, 95), against=plain, unit="bytes", of=of),
    ]
    return figures
