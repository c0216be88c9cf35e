"""A storm on the screen: sizes, keys, bytes that are no text, and signals, as fast as they can be sent.

However a session ends, it ends: with the terminal as it was, without a traceback, and with no process left.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from pathlib import Path
from random import Random

from tests.e2e.terminal import GRADTUTOR, KEYS, Terminal
from tests.fuzz.kills import AFTER, LESSON, leave, reads
from tests.fuzz.rows import Budget, Outcome, row

SCRIPT = """\
import torch
w = torch.tensor([3.0, 1.0], requires_grad=True)
opt = torch.optim.SGD([w], lr=0.01)
for turn in range(200):
    opt.zero_grad()
    loss = (w * w).sum()
    loss.backward()
    opt.step()
    print(turn, loss.item())
"""
FAILS = "import torch\nx = torch.ones(2, requires_grad=True)\ny = x.exp()\ny.add_(1)\ny.sum().backward()\n"
ODD = (
    b"\xff", b"\x80", b"\xe9", b"\xc3(", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\x00", b"\x1b", b"\x1b[", b"\x1bO",
    b"\x1b[M !!",
    b"\x1b[<0;5;5M", b"\x1b[<64;9;9M", b"\x1b[<0;99999999999;1M", b"\x1b[99999999999u", b"\x1b[200~pasted\xff\x1b[201~",
    b"\x1b[I", b"\x1b[O", "é中😀".encode(), b"\x1b]52;c;?\x07", b"\x1b[?2048;1$y",
)  # fmt: skip
SIZES = ((80, 24), (120, 36), (200, 60), (40, 10), (1, 1), (20, 100), (300, 5), (79, 23), (10, 3))
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789[]{}/?.,;:'\"`~!@#$%^&*()-_=+<>|\\"


@row("a storm on the screen: sizes, keys, odd bytes, signals")
def storm(budget: Budget) -> Outcome:
    """Sessions, one after the other; what is counted is what was sent to them. Slowest is how long leaving took."""
    outcome = Outcome()
    number = 0
    while budget.allows(outcome.tried):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            sent, seconds, problem = session(Random(f"{budget.seed} {number}"), Path(folder))
        outcome.tried += sent
        outcome.slowest = max(outcome.slowest, seconds)
        if problem:
            outcome.fail(f"storm, seed {budget.seed}, session {number}: {problem}")
        number += 1
    return outcome


def session(random: Random, home: Path) -> tuple[int, float, str]:
    """One storm: how much was sent, how long leaving took, and what went wrong, or nothing."""
    (home / "script.py").write_text(SCRIPT)
    (home / "fails.py").write_text(FAILS)
    words: list[str] = random.choice(
        ([], [LESSON], ["training/line-by-hand"], ["open", "script.py"], ["open", "fails.py"])
    )
    last = bytearray()
    with Terminal((*GRADTUTOR, *words), home, draws=False) as terminal:
        read = terminal.read

        def reading(seconds: float) -> bytes:
            data = read(seconds)
            last.extend(data)
            del last[: -(1 << 16)]
            return data

        terminal.read = reading  # type: ignore[method-assign]
        reads(terminal, random.choice((0.0, 0.5, 3.0)))
        sent, end = 0, time.monotonic() + random.uniform(3, 12)
        while time.monotonic() < end and not terminal.ended:
            with contextlib.suppress(OSError):
                act(random, terminal)
                sent += 1
            reads(terminal, random.choice((0, 0, 0.005, 0.05)))
        begun = time.monotonic()
        problem = _end(random, terminal, last)
        return sent, time.monotonic() - begun, problem and f"{words}: {problem}"


def _end(random: Random, terminal: Terminal, last: bytearray) -> str:
    """Leave, or let the terminal go; what went wrong, or nothing. `last` is what was written last."""
    terminal.family()
    gone = not terminal.ended and random.random() < 0.15
    try:
        if terminal.ended:
            status = terminal.wait_for_end(20.0)
        elif gone:
            terminal.signal(signal.SIGCONT)
            terminal.hang_up()
            status = terminal.wait_for_end(20.0)
        else:
            terminal.signal(signal.SIGCONT)
            terminal.resize(120, 36)
            reads(terminal, 1.0)
            for key in ("escape", "escape"):
                with contextlib.suppress(OSError):
                    terminal.press(key)
                reads(terminal, 0.3)
            status = leave(terminal)
        terminal.wait_for_no_orphans(AFTER)
    except AssertionError as error:
        return str(error)
    after = bytes(last).rpartition(b"\x1b[?1049l")[2]  # on the screen a program's own may stand
    if b"Traceback" in after or b"Exception ignored" in after:
        return after[-1500:].decode(errors="replace")
    if not gone and not terminal.is_clean:
        return f"the terminal is not as it was after status {status}"
    allowed = (0, 1, 130, 128 + signal.SIGHUP, 128 + signal.SIGTERM, -signal.SIGHUP)
    return "" if status in allowed else f"exit status {status}"


def act(random: Random, terminal: Terminal) -> None:
    """One thing that somebody, or their terminal, does."""
    choice = random.random()
    if choice < 0.35:
        terminal.resize(
            *(random.choice(SIZES) if random.random() < 0.7 else (random.randrange(1, 250), random.randrange(1, 80)))
        )
    elif choice < 0.6:
        key = random.choice(LETTERS)
        terminal.press("w" if key == "q" and random.random() < 0.9 else key)
    elif choice < 0.8:
        terminal.press(random.choice([key for key in KEYS if key != "ctrl+c" or random.random() < 0.1]))
    elif choice < 0.93:
        terminal.write(random.choice(ODD))
    elif choice < 0.97:
        terminal.signal(random.choice((signal.SIGTSTP, signal.SIGSTOP)))
        reads(terminal, random.choice((0, 0.02, 0.2)))
        terminal.signal(signal.SIGCONT)
    else:
        terminal.signal(random.choice((signal.SIGCONT, signal.SIGWINCH, signal.SIGCHLD, signal.SIGCONT)))
