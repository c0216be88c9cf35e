"""Kills the front end or the worker at random instants: no answer is lost, no process stays, no file is damaged."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from tests.e2e.terminal import GRADTUTOR, Terminal
from tests.fuzz.rows import Budget, Outcome, row
from tutor.study.progress import Progress

LESSON = "graph/two-paths"
AFTER = 10.0
"""Seconds after which no process may be there any more. Generous: a machine may be busy."""
ENDLESS = "import torch\nw = torch.tensor([3.0], requires_grad=True)\nwhile True:\n    (w * w).backward()\n"


@row("kills of the front end and of workers: no answer lost, no file damaged, no process left")
def kills(budget: Budget) -> Outcome:
    """Sessions with a kill, or with several; slowest is a session."""
    outcome = Outcome()
    number = 0
    while budget.allows(outcome.tried):
        random = Random(f"{budget.seed} {number}")
        scene = random.choice((front_end_at_any_time, front_end_at_any_time, front_end_after_an_answer, workers))
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            try:
                done = scene(random, Path(folder))
            except AssertionError as error:
                done = 1
                outcome.fail(f"kills, seed {budget.seed}, session {number}, {scene.__name__}: {error}")
        outcome.tried += done
        outcome.slowest = max(outcome.slowest, time.monotonic() - begun)
        number += 1
    return outcome


def front_end_at_any_time(random: Random, home: Path) -> int:
    """From before its first line of Python to after the end of the run."""
    with Terminal((*GRADTUTOR, *target(random, home)), home, draws=False) as terminal:
        reads(terminal, random.expovariate(1 / 1.5))
        terminal.family()
        terminal.signal(signal.SIGKILL)
        ends(terminal, -signal.SIGKILL)
        progress(home)
    return 1


def front_end_after_an_answer(random: Random, home: Path) -> int:
    """At once after the screen says that an answer is noted."""
    with Terminal((*GRADTUTOR, LESSON), home) as terminal:
        terminal.wait("first step")
        terminal.press("end")
        terminal.wait("your answer")
        terminal.press("5", "enter")
        terminal.wait("and see", quiet=0)
        reads(terminal, random.uniform(0, 0.05))
        terminal.family()
        terminal.signal(signal.SIGKILL)
        ends(terminal, -signal.SIGKILL)
        kept = progress(home)
        assert kept is not None, "the progress is lost"
        assert [given.answer for given in kept.answers.values()] == ["5"], "the answer is lost"
    return 1


def workers(random: Random, home: Path) -> int:
    """Those that run and those that stand by, several in one session; the front end outlives each."""
    done, count = 0, random.randrange(2, 6)
    with Terminal((*GRADTUTOR, *target(random, home)), home, draws=False) as terminal:
        for _ in range(count):
            if not until(terminal, lambda: running(terminal), 10.0):
                break  # in the list none stands by until a lesson was opened again
            reads(terminal, random.expovariate(1 / 0.7))
            there = running(terminal)
            if there:
                done += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(random.choice(there), signal.SIGKILL)
            reads(terminal, 0.3)
            assert not terminal.ended, "the front end ended with its worker"
            terminal.press(*random.choice((("r",), ("enter",), ("escape",), ("right", "r"), ("end", "r"))))
        terminal.press("escape")
        reads(terminal, 0.5)
        leave(terminal)
        assert terminal.is_clean, "the terminal is not as it was"
        terminal.wait_for_no_orphans(AFTER)
        progress(home)
    return max(done, 1)


# ---------------------------------------------------------------- parts


def target(random: Random, home: Path) -> list[str]:
    """What is opened: the list, a lesson, a program that never ends."""
    (home / "endless.py").write_text(ENDLESS)
    return random.choice(([], [LESSON], [LESSON], ["open", "endless.py"]))


def running(terminal: Terminal) -> list[int]:
    """The workers that live."""
    return sorted(pid for pid, command in terminal.family().items() if "tutor.worker" in command)


def reads(terminal: Terminal, seconds: float) -> None:
    """Take what it writes, for so long."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not terminal.ended:
        terminal.read(min(left, 0.05))


def until(terminal: Terminal, holds: Callable[[], object], patience: float = 60.0) -> bool:
    """Wait for it; whether it came."""
    end = time.monotonic() + patience
    while not holds() and time.monotonic() < end and not terminal.ended:
        terminal.read(0.05)
    return bool(holds())


def leave(terminal: Terminal) -> int:
    """The exit status after `q`, or after Ctrl-C where something takes the `q`."""
    for key in ("q", "ctrl+c", "ctrl+c", "ctrl+c"):
        if not terminal.ended:
            with contextlib.suppress(OSError):
                terminal.press(key)
        until(terminal, lambda: terminal.ended, 5.0)
    terminal.family()
    return terminal.wait_for_end(20.0)


def ends(terminal: Terminal, status: int) -> None:
    """It is gone, and all under it."""
    assert terminal.wait_for_end(AFTER) == status, "another exit status"
    terminal.wait_for_no_orphans(AFTER)


def progress(home: Path) -> Progress | None:
    """The progress of the lesson, if there is any yet; a damaged file is a failure."""
    files = list(home.glob("data/gradtutor/progress/*.json"))
    try:
        kept = [msgspec.json.decode(file.read_bytes(), type=Progress) for file in files]
    except (msgspec.MsgspecError, ValueError) as error:
        raise AssertionError(f"the progress file is damaged: {error}") from None
    return next((each for each in kept if each.lesson == LESSON), None)
