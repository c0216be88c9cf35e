"""Programs that never end or are killed: the screen lives, says where they were, and walks what was recorded."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.terminal import HAS_PROC, Terminal

pytestmark = [pytest.mark.skipif(not HAS_PROC, reason="needs /proc to find the worker"), pytest.mark.sampled(1)]

ENDLESS = """\
import os, time
import torch

w = torch.tensor([3.0], requires_grad=True)
log = os.open("beats", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
turn = 0
while True:
    turn += 1
    y = w * w
    os.write(log, f"{time.time()} {turn}\\n".encode())
    time.sleep(0.001)
"""
KEPT = 0.5
"""Seconds: what was recorded longer before the end than this is not lost. The design says 50 ms; machines are busy."""


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    return script


def steps(terminal: Terminal) -> int:
    """How many steps the header counts."""
    found = re.search(r"step \d+/(\d+)", terminal.lines[0])
    return int(found[1]) if found else 0


def worker(terminal: Terminal) -> int:
    """The process that runs the program: the one that the stand-by was not."""
    return min(pid for pid, command in terminal.family().items() if "tutor.worker" in command)


def turn(terminal: Terminal) -> int:
    """What the tensors pane says that the program has counted to."""
    found = re.search(r"log = \d+ +· +turn = (\d+)", terminal.text)
    return int(found[1]) if found else 0


def test_a_killed_worker_is_told_with_the_statement_that_ran_and_r_runs_again(
    start: Start, endless: Path, tmp_path: Path
) -> None:
    terminal = start("open", str(endless))
    terminal.wait(lambda: steps(terminal) > 200, quiet=0)
    terminal.press("right", "right")
    os.kill(worker(terminal), signal.SIGKILL)
    killed = time.time()
    terminal.wait("died")  # in the header; the cursor stays where it was
    assert "step 6/" in terminal.lines[0]
    terminal.press("end")
    terminal.wait("SIGKILL")
    said = " ".join(line.strip() for line in terminal.lines[-6:-2])  # the card says it too
    place = re.search(r"endless\.py:(\d+) `(.*?)`", said)
    assert place, said
    line = ENDLESS.splitlines()[int(place[1]) - 1]
    assert place[2] in line  # the statement, or the operation in it that ran
    assert int(place[1]) in range(7, 12)

    beats = [beat.split() for beat in (tmp_path / "beats").read_text().splitlines()]
    before = [int(number) for moment, number in beats if float(moment) < killed - KEPT]
    assert turn(terminal) >= max(before, default=1)
    terminal.press("home")
    terminal.wait(lambda: "SIGKILL" not in terminal.text)

    terminal.press("r")
    terminal.wait(lambda: steps(terminal) > 100 and "died" not in terminal.lines[0], quiet=0)
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    terminal.wait_for_no_orphans()


def test_x_stops_an_endless_loop_and_what_was_recorded_is_walked(start: Start, endless: Path) -> None:
    terminal = start("open", str(endless))
    terminal.wait(lambda: steps(terminal) > 200, quiet=0)
    terminal.press("x")
    terminal.wait("stopped")
    terminal.press("end")
    terminal.wait(lambda: f"step {steps(terminal)}/" in terminal.lines[0])
    last = turn(terminal)
    assert last > 10
    terminal.press("{", "{")
    terminal.wait(lambda: turn(terminal) < last)
    terminal.press("home", "n")
    terminal.wait("step 6/")
    assert "import os, time" in terminal.text
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    terminal.wait_for_no_orphans()


def test_a_loop_that_catches_everything_is_stopped_too(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "stubborn.py"
    script.write_text(
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass\n"
    )
    terminal = start("open", str(script))
    terminal.wait(lambda: steps(terminal) > 5, quiet=0)
    terminal.press("x")
    terminal.wait("stopped")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    terminal.wait_for_no_orphans()


def test_a_child_that_a_program_leaves_behind_holds_nobody_up(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text("import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nprint('left', child.pid)\n")
    terminal = start("record", str(script), "-o", str(tmp_path / "parent.trace"))
    assert terminal.wait_for_end() == 0
    assert "recorded" in terminal.text
    left = re.search(r"left (\d+)", terminal.text)
    assert left
    assert not Path(f"/proc/{left[1]}").exists() or "Z" in Path(f"/proc/{left[1]}/stat").read_text().split()[2]
