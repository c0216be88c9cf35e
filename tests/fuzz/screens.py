"""The row of hostile recordings on the screen: in a terminal each is walked through, and nothing gets out of it."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from tests.e2e.terminal import GRADTUTOR, Terminal
from tests.fuzz.kills import AFTER, leave, reads, until
from tests.fuzz.mutations import apart, by_chance, hostile, seed_files, together
from tests.fuzz.rows import Budget, Outcome, row

SEQUENCES = (
    "\x1b]52;c;eA==\x07", "\x1b]2;fuzz\x07", "\x1bPfuzz\x1b\\", "\x1b[201~fuzz", "\x9b31m", "\x9d2;fuzz\x9c",
    "\x1b[?1049l", "\x1b[6n", "\x1b[2Jfuzz", "\r\n\x08\x00\x7f", "\u202efuzz\u2066", "\x1b_fuzz\x1b\\", "[bold red]",
)  # fmt: skip
"""Text that a terminal, or what draws on it, takes for something else."""
NEVER = (
    b"\x1b]52;", b"\x1b]2;fuzz", b"\x1bPfuzz", b"\x1b[201~", b"\xc2\x9b", b"\xc2\x9d", b"\x1b[6n", b"\x1b[2Jfuzz",
    b"\x1b_fuzz", b"\xe2\x80\xaefuzz",
)  # fmt: skip
"""Bytes that the screen does not write by itself."""
KEYS = ("right", "right", "left", "down", "up", "end", "home", "n", "p", "t", "g", "v", "b", "f", "c", "i", "o", "tab",
        "enter", "space", "escape", "}", "{", "]", "[", "?", "d", "w", "/", "l", "s", "m", "x", "1", "2")  # fmt: skip


def inked(random: Random) -> bytes:
    """A valid recording whose texts are full of control sequences."""
    parts = apart(random.choice(seed_files()) if random.random() < 0.7 else by_chance(random))
    often = random.choice([0.05, 0.3, 0.9])

    def ink(value: Any) -> Any:
        if isinstance(value, list):
            return [ink(item) for item in value]
        if isinstance(value, dict):
            return {key: ink(item) for key, item in value.items()}
        if isinstance(value, str) and random.random() < often:
            sequence = random.choice(SEQUENCES)
            return random.choice([sequence + value, value + sequence, value[:3] + sequence + value[3:]])
        return value

    parts.frames = [(ink(events), count, steps) for events, count, steps in parts.frames]
    parts.summary = ink(parts.summary)
    return together(parts, fitting=True)


@row("hostile traces on the screen: opened, walked through, left; no control sequence gets out")
def on_the_screen(budget: Budget) -> Outcome:
    """In a terminal, with some keys; slowest is a session."""
    outcome = Outcome()
    while budget.allows(outcome.tried):
        random = Random(f"screens {budget.seed} {outcome.tried}")
        make = random.choice((hostile, inked))
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            (Path(folder) / "fuzz.trace").write_bytes(make(random))
            problem = session(random, Path(folder))
        where = f"screens, seed {budget.seed}, number {outcome.tried}, {make.__name__}"
        outcome.add(time.monotonic() - begun, f"{where}: {problem}" if problem else None)
    return outcome


def session(random: Random, home: Path) -> str:
    """What goes wrong with one of them; nothing where nothing does."""
    written = bytearray()
    size = random.choice([(120, 36), (80, 24), (200, 60), (60, 15)])
    with Terminal((*GRADTUTOR, "view", "fuzz.trace"), home, columns=size[0], rows=size[1], draws=False) as terminal:
        read = terminal.read

        def reading(seconds: float) -> bytes:
            data = read(seconds)
            written.extend(data)
            return data

        terminal.read = reading  # type: ignore[method-assign]
        until(terminal, lambda: terminal.ended or len(written) > 3000)
        for key in random.choices(KEYS, k=18):
            if not terminal.ended:
                with contextlib.suppress(OSError):
                    terminal.press(key)
            reads(terminal, 0.05)
        for _ in range(2):
            if not terminal.ended:
                with contextlib.suppress(OSError):
                    terminal.press("escape")
                reads(terminal, 0.2)
        try:
            status = leave(terminal)
            terminal.wait_for_no_orphans(AFTER)
        except AssertionError as error:
            return str(error)
    data = bytes(written)
    if b"Traceback" in data or status not in (0, 2, 130):
        return f"status {status}: {data[-1500:].decode(errors='replace')}"
    if not terminal.is_clean:
        return f"the terminal is not as it was after status {status}"
    return next((f"{sequence!r} gets out" for sequence in NEVER if sequence in data), "")
