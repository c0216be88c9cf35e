"""However it ends, gradtutor leaves no process behind and the terminal as it was."""

from __future__ import annotations

import itertools
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.terminal import GRADTUTOR, HAS_PROC, Terminal
from tests.sampling import sample

pytestmark = [pytest.mark.skipif(not HAS_PROC, reason="needs /proc to find the processes"), pytest.mark.sampled(3)]

LOOP = "import torch\nwhile True:\n    torch.ones(2)\n"
CHILD = "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"


def with_standby(start: Start) -> Terminal:
    """The list of lessons; a process with torch stands by."""
    terminal = start()
    terminal.wait("Two paths to one leaf")
    terminal.wait(lambda: any("tutor.worker" in command for command in terminal.family().values()))
    return terminal


def with_worker(start: Start, tmp_path: Path) -> Terminal:
    """A program that never ends and has a child of its own."""
    script = tmp_path / "loop.py"
    script.write_text(CHILD + LOOP)
    terminal = start("open", str(script))
    terminal.wait(lambda: "sleep 600" in terminal.family().values(), quiet=0)
    return terminal


def after_a_run(start: Start) -> Terminal:
    """A lesson that has ended; another process stands by."""
    terminal = start("graph/two-paths")
    terminal.wait("first step")
    terminal.wait(lambda: any("tutor.worker" in command for command in terminal.family().values()))
    return terminal


@pytest.mark.parametrize(
    ("scene", "number"),
    sample(list(itertools.product(("standby", "worker", "after"), (signal.SIGHUP, signal.SIGTERM))), 3),
)
def test_a_signal_leaves_no_process_and_a_clean_terminal(
    start: Start, tmp_path: Path, scene: str, number: signal.Signals
) -> None:
    terminal = {
        "standby": lambda: with_standby(start),
        "worker": lambda: with_worker(start, tmp_path),
        "after": lambda: after_a_run(start),
    }[scene]()
    assert not terminal.is_clean
    assert terminal.family()
    terminal.signal(number)
    assert terminal.wait_for_end() == 128 + number
    assert terminal.is_clean
    terminal.wait_for_no_orphans()


def test_a_terminal_that_is_gone_leaves_no_process(start: Start, tmp_path: Path) -> None:
    terminal = with_worker(start, tmp_path)
    terminal.hang_up()
    terminal.wait_for_end()
    terminal.wait_for_no_orphans()


def test_a_terminal_that_goes_without_a_signal_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "loop.py"
    script.write_text(LOOP)
    # In a session of its own it is told nothing when the terminal is gone.
    with Terminal(("setsid", "--wait", *GRADTUTOR, "open", str(script)), tmp_path) as terminal:
        terminal.wait("while True", quiet=0)
        assert any("tutor.worker" in command for command in terminal.family().values())
        terminal.hang_up()
        terminal.wait_for_end()
        terminal.wait_for_no_orphans()


def test_a_front_end_that_is_killed_leaves_no_process(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "loop.py"
    script.write_text(LOOP)
    terminal = start("open", str(script))
    terminal.wait("while True", quiet=0)
    assert terminal.family()
    terminal.signal(signal.SIGKILL)
    assert terminal.wait_for_end() == -signal.SIGKILL
    terminal.wait_for_no_orphans()


def test_ctrl_c_stops_the_program_first_and_then_leaves(start: Start, tmp_path: Path) -> None:
    terminal = with_worker(start, tmp_path)
    terminal.press("ctrl+c")
    terminal.wait("stopped")
    terminal.press("ctrl+c")
    assert terminal.wait_for_end() == 130
    assert terminal.is_clean
    terminal.wait_for_no_orphans()


def test_a_terminal_that_cannot_draw_is_refused_with_a_hint(start: Start) -> None:
    terminal = start("graph/two-paths", TERM="dumb")
    assert terminal.wait_for_end() == 3
    assert "--plain" in terminal.text


def test_a_small_terminal_is_refused_in_one_line_and_walks_without_a_screen(start: Start, forked: Start) -> None:
    terminal = start("graph/two-paths", columns=40, rows=12)
    assert terminal.wait_for_end() == 3
    said = "gradtutor: this terminal has 40x12 cells; the screen needs 60x16. --plain needs none."
    assert "".join(terminal.text.split()) == "".join(said.split())
    terminal = forked("graph/two-paths", "--plain", columns=40, rows=12)
    terminal.wait("lists the commands")
    terminal.press("enter")
    terminal.wait("3: tensor, x =")
    terminal.press("q", "enter")
    assert terminal.wait_for_end() == 0


def test_a_file_that_cannot_run_is_told_after_the_screen(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "wrong.py"
    script.write_text("def f(:\n    pass\n")
    terminal = start("open", str(script), columns=200)
    assert terminal.wait_for_end() == 2
    assert terminal.is_clean
    assert re.fullmatch(r"gradtutor: \S*wrong\.py:1: syntax error: .*`def f\(:`", terminal.text.strip())
