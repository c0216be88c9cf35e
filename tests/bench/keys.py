"""How long a key takes to the last byte of its frame, and how many bytes that frame has."""

from __future__ import annotations

import contextlib
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

SHORT, LONG = 300, 7_300
"""Epochs of a recording of 40,000 events, and of one of a million."""
STILL = 0.08
"""Seconds without a byte after which nothing more will come for a key."""
TARGET = 1.5
Frame = tuple[float, bytes]
"""Milliseconds, and what was sent."""
_WALKS = ("→", "←", "n", "p", "} {", "b B")
_JUMPS = ("End Home", "g")


def settle(terminal: Terminal, still: float = 0.4) -> None:
    """Read until nothing more comes."""
    end = time.monotonic() + PATIENCE
    while data := terminal.read(still):
        terminal.draw(data)
        if time.monotonic() > end:
            raise RuntimeError("the screen does not come to rest")


def frame(terminal: Terminal, keys: str, shows: str = "") -> Frame:
    """From writing a key to the last byte of what came of it, which shows a text, however long that takes."""
    sent = b""
    drawn = 0
    data = keys.encode()
    started = last = time.perf_counter()
    terminal.write(data)
    while True:
        if found := terminal.read(STILL if sent else 2.0):
            last = time.perf_counter()
            sent += found
            continue
        terminal.draw(sent[drawn:])
        drawn = len(sent)
        if shows in terminal.text:
            break
        if time.perf_counter() - started > PATIENCE:
            raise RuntimeError(f"{shows!r} is not what came of {keys!r}")
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
        found.append(frame(terminal, KEYS["enter"], f"step {step}/"))
    return found


def run(home: Path, quick: bool = False) -> list[Figure]:
    counts = {"40,000 events": 10 if quick else SHORT, "a million events": 30 if quick else LONG}
    traces = {title: record(home, LINE.path, count, "--all") for title, count in counts.items()}
    steps = {title: tracefile.load(trace).steps for title, trace in traces.items()}
    dice = random.Random(1)
    with (
        Terminal(TRIVIAL, home, draws=False) as plain,
        contextlib.ExitStack() as stack,
    ):
        until(plain, "hello there")
        viewed = {}
        for title, trace in traces.items():
            terminal = stack.enter_context(Terminal((*GRADTUTOR, "view", str(trace)), home, draws=False))
            viewed[title] = terminal
            until(terminal, f"/{steps[title]}")
            settle(terminal, 1.0)
            terminal.press("g", str(steps[title] // 2), "enter")
            settle(terminal, 1.0)
        base: list[Frame] = []
        ways: dict[str, Callable[[Terminal, int], list[Frame]]] = {
            "→": lambda terminal, steps: pressed(terminal, ["right"] * 20),
            "←": lambda terminal, steps: pressed(terminal, ["left"] * 20),
            "n": lambda terminal, steps: pressed(terminal, ["n"] * 10),
            "p": lambda terminal, steps: pressed(terminal, ["p"] * 10),
            "} {": lambda terminal, steps: pressed(terminal, ["}", "}", "}", "{", "{", "{"]),
            "b B": lambda terminal, steps: pressed(terminal, ["b", "b", "b", "B", "B", "B"]),
            "End Home": lambda terminal, steps: pressed(terminal, ["end", "home"] * 5),
            "g": lambda terminal, steps: jumps(terminal, [dice.randrange(1, steps + 1) for _ in range(12)]),
        }
        found: dict[str, dict[str, list[Frame]]] = {title: {way: [] for way in ways} for title in viewed}
        for _ in range(1 if quick else 3):
            for way, walk in ways.items():
                base += pressed(plain, ["right"] * 5)
                for title, terminal in viewed.items():
                    if way == "→":  # each round in another part of the recording, off the way of the other keys
                        jumps(terminal, [dice.randrange(steps[title] // 4, steps[title] * 3 // 4)])
                    found[title][way] += walk(terminal, steps[title])
    return _figures(found, base)


def _figures(found: dict[str, dict[str, list[Frame]]], base: list[Frame]) -> list[Figure]:
    of = "a trivial Textual app"
    figures = []
    for title, ways in found.items():
        for kind, names in (("walking", _WALKS), ("jumping", _JUMPS)):
            times = [frame[0] for way in names for frame in ways[way]]
            note = ", ".join(f"{way} {percentile([frame[0] for frame in ways[way]], 95):.1f}" for way in names)
            for name, percent in (("p50", 50), ("p95", 95)):
                figures.append(
                    Figure(name=f"{kind} in {title}: key to frame, {name}", measured=percentile(times, percent),
                           against=percentile([frame[0] for frame in base], percent), unit="ms", of=of,
                           target=TARGET if (kind, name) == ("walking", "p95") else None,
                           note=f"p95 by key: {note}; the slowest of {len(times)}: {max(times):.1f} ms")
                )  # fmt: skip
        sizes = [len(frame[1]) for frame in ways["→"] + ways["←"]]
        figures.append(
            Figure(name=f"bytes sent per step in {title}, median", measured=median(sizes), unit="bytes", of=of,
                   against=median(len(frame[1]) for frame in base), target=800, absolute=True,
                   note=f"p95: {percentile(sizes, 95):,.0f} bytes")
        )  # fmt: skip
    return figures
