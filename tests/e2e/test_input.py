"""What a terminal may send and do to the screen: odd bytes, stops and continues, small sizes; and what stays after."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.terminal import GRADTUTOR, HAS_PROC, Terminal
from tests.sampling import sample

pytestmark = pytest.mark.sampled(2)

ODD = (b"\xff", b"\x80", b"\xe9", b"\xc3", b"\xf0\x9f", b"\xed\xa0\x80", b"\x00", b"\x1b[<0;99999999999999999999;1M",
b"\x1b[99999999999u", b"\x1b[200~\xff\x1b[201~")  # fmt: skip


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def lesson(forked: Start) -> Terminal:
    terminal = forked("graph/two-paths")
    terminal.wait("first step")
    return terminal


def test_bytes_that_are_no_text_are_no_keys(forked: Start) -> None:
    terminal = lesson(forked)
    for prompt in ("", "/", "g"):
        terminal.press(*prompt)
        for data in ODD:
            terminal.write(data)
            time.sleep(0.05)
        if prompt:  # else it leads back to the list
            terminal.press("escape")
        terminal.wait(lambda: True, quiet=0.5)
    terminal.press("home", "right")
    terminal.wait("step 4/43")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.is_clean


def test_bytes_that_are_no_text_in_the_list(forked: Start) -> None:
    terminal = forked()
    terminal.wait("Two paths to one leaf")
    for data in ODD:
        terminal.write(data)
        time.sleep(0.05)
    terminal.press("escape")
    terminal.wait(lambda: True, quiet=0.5)
    terminal.press("q")
    assert terminal.wait_for_end() == 0


def test_bytes_that_are_no_text_in_an_answer(forked: Start) -> None:
    terminal = lesson(forked)
    terminal.press("end")
    terminal.wait("your answer")
    terminal.write(b"\xff5\x80\r")
    terminal.wait("and see")
    terminal.press("q")
    assert terminal.wait_for_end() == 0


@pytest.mark.parametrize("prompt", sample(["/", "g"], 1))
def test_a_prompt_is_closed_in_a_terminal_that_is_too_small(forked: Start, prompt: str) -> None:
    terminal = lesson(forked)
    terminal.resize(40, 10)
    terminal.wait(lambda: "step 0" not in terminal.text, quiet=0.3)
    terminal.press(prompt)
    terminal.wait(lambda: True, quiet=0.3)
    terminal.press("escape")
    terminal.wait(lambda: True, quiet=0.5)
    terminal.press("right", "right")
    terminal.resize(120, 36)
    terminal.wait("step 5/43")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.is_clean


@pytest.mark.skipif(not HAS_PROC, reason="needs /proc to count threads")
@pytest.mark.parametrize("stop", sample([signal.SIGTSTP, signal.SIGSTOP, None], 1))
def test_stops_and_continues_leave_nothing_behind(forked: Start, stop: signal.Signals | None) -> None:
    terminal = lesson(forked)
    terminal.wait(lambda: True, quiet=1.0)
    before = threads(terminal.pid)
    for _ in range(10):
        if stop is not None:
            terminal.signal(stop)
            terminal.wait(lambda: stopped(terminal.pid), quiet=0)
            while terminal.read(0.05):
                pass  # what it has written before
            assert stop != signal.SIGTSTP or terminal.is_clean
        terminal.signal(signal.SIGCONT)
        time.sleep(0.2)  # keys sent faster than a person types may arrive in one read, in no fixed order
    terminal.wait(lambda: not stopped(terminal.pid) and not terminal.is_clean, quiet=0.5)
    terminal.press("right")
    terminal.wait("step 4/43")
    assert threads(terminal.pid) <= before
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.is_clean


def test_a_stop_that_is_continued_before_it_came_is_none(forked: Start) -> None:
    terminal = lesson(forked)
    for _ in range(30):
        terminal.signal(signal.SIGTSTP)
        terminal.signal(signal.SIGCONT)
    terminal.wait(lambda: not terminal.is_clean, quiet=1.0)
    terminal.press("right")
    terminal.wait("step 4/43")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.is_clean


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


HELD = """\
import os, sys, threading
from tutor.ui import app
def hold(self):
    os.mkfifo("pipe")
    self.call_later(lambda: open("pipe"))
app.GradtutorApp.on_ready = hold
from tutor.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("how", ["gone", "SIGHUP", "SIGTERM"])
def test_a_screen_that_is_held_up_ends_with_its_terminal(tmp_path: Path, how: str) -> None:
    """Its main thread waits for a file that never comes, and can do nothing itself."""
    (tmp_path / "held.py").write_text(HELD)
    program = (sys.executable, "-P", str(tmp_path / "held.py"))
    alone = ("setsid", "--wait") if how == "gone" else ()
    with Terminal((*alone, *program), tmp_path, env={"PYTHONPATH": str(Path(__file__).parents[2])}) as terminal:
        terminal.wait(lambda: (tmp_path / "pipe").exists(), quiet=0.5)
        terminal.family()
        if how == "gone":
            terminal.hang_up()
        else:
            os.kill(terminal.pid, getattr(signal, how))
        terminal.wait_for_end(patience=30)
        terminal.wait_for_no_orphans()


BREAKS = """\
import sys, threading
from tutor.ui import {module} as broken
def fail(self, *arguments):
    raise RuntimeError("ours")
broken.{name} = fail
from tutor.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("module", "name"), [("terminal", "TerminalDriver.process_message"), ("app", "GradtutorApp.on_key")]
)
def test_an_error_of_ours_never_ends_well(tmp_path: Path, module: str, name: str) -> None:
    (tmp_path / "breaks.py").write_text(BREAKS.format(module=module, name=name))
    program = (sys.executable, "-P", str(tmp_path / "breaks.py"))
    with Terminal(program, tmp_path, env={"PYTHONPATH": str(Path(__file__).parents[2])}) as terminal:
        terminal.wait(lambda: not terminal.is_clean)
        terminal.wait(lambda: True, quiet=1.0)
        if not terminal.ended:
            terminal.press("w")
        assert terminal.wait_for_end() == 1
        assert terminal.is_clean
        terminal.wait_for_no_orphans()


def test_it_draws_where_standard_error_is_a_file(tmp_path: Path) -> None:
    program = ("sh", "-c", 'exec "$@" 2>errors', "sh", *GRADTUTOR, "graph/two-paths")
    with Terminal(program, tmp_path) as terminal:
        terminal.wait("first step")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        assert terminal.is_clean
    assert (tmp_path / "errors").read_text() == ""


@pytest.mark.skipif(not HAS_PROC, reason="needs /proc to find the worker")
def test_a_worker_whose_front_end_is_gone_before_it_starts_ends_at_once(tmp_path: Path) -> None:
    """Its parent is not the one that it is told of: it never imports torch."""
    import subprocess

    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("open('imported', 'w').close()\n")
    ours, theirs = os.pipe()
    import socket

    control, given = socket.socketpair()
    with control, given, (tmp_path / "page").open("w+b") as page:
        page.truncate(4096)
        descriptors = (given.fileno(), theirs, page.fileno())
        program = [sys.executable, "-P", "-m", "tutor.worker", *map(str, descriptors), "1"]
        root = str(Path(__file__).parents[2])
        env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{root}"}
        done = subprocess.run(program, pass_fds=descriptors, cwd=tmp_path, env=env, timeout=60, check=False)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 1
    assert not (tmp_path / "imported").exists()
