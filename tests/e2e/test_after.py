"""What is written to standard error while the screen is there and after it, and a terminal that goes at any time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.e2e.terminal import GRADTUTOR, HAS_PROC, Terminal
from tests.fuzz.kills import reads
from tests.sampling import sample

pytestmark = pytest.mark.sampled(2)

ROOT = str(Path(__file__).parents[2])
PATCHED = """\
import os, sys, warnings
from tutor.ui import app
def ready(self):
    {code}
app.GradtutorApp.on_ready = ready
from tutor.cli import main
sys.exit(main(sys.argv[1:]))
"""


def patched(folder: Path, code: str) -> tuple[str, ...]:
    """The program, with a fault of ours in it once the screen is there."""
    (folder / "patched.py").write_text(PATCHED.format(code=code))
    return (GRADTUTOR[0], "-P", str(folder / "patched.py"))


def test_the_traceback_of_a_crash_can_be_read_after_the_screen(tmp_path: Path) -> None:
    program = patched(tmp_path, "raise RuntimeError('ours')")
    with Terminal(program, tmp_path, env={"PYTHONPATH": ROOT}) as terminal:
        assert terminal.wait_for_end() == 1
        assert terminal.is_clean
        assert "RuntimeError: ours" in terminal.text
        terminal.wait_for_no_orphans()


@pytest.mark.parametrize("stream", sample(["", "2>errors"], 1))
def test_warnings_do_not_draw_over_the_screen(tmp_path: Path, stream: str) -> None:
    """Nor does what is printed, nor what a thread raises; the screen stays as it is drawn."""
    code = (
        "warnings.simplefilter('always'); warnings.warn('careful'); print('to out'); print('to err', file=sys.stderr); "
        "import threading; threading.Thread(target=lambda: 1 / 0).start()"
    )
    program = ("sh", "-c", f'exec "$@" {stream}', "sh", *patched(tmp_path, code), "graph/two-paths")
    with Terminal(program, tmp_path, env={"PYTHONPATH": ROOT}) as terminal:
        terminal.wait("first step")
        terminal.press("right")
        terminal.wait("step 4/43")
        for word in ("careful", "to out", "to err", "ZeroDivisionError"):
            assert word not in terminal.text
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        assert terminal.is_clean


COMMANDS = (
    ("record", "-o", "run.trace", "waits.py"), ("--plain", "two-paths"), ("steps", "waits.py"), ("check",), ("doctor",),
    ("two-paths",), (),
)  # fmt: skip
GONE = [(words, hangs_up) for words in COMMANDS for hangs_up in (True, False)]
"""Commands, each with whether it gets SIGHUP when its terminal closes; else it runs in a separate session."""


@pytest.mark.skipif(not HAS_PROC, reason="needs /proc to measure a process")
@pytest.mark.parametrize(("words", "hangs_up"), sample(GONE, 3), ids=lambda value: str(value))
def test_no_command_spins_when_its_terminal_has_gone(tmp_path: Path, words: tuple[str, ...], hangs_up: bool) -> None:
    """It ends, or goes on with what it does; it never takes a core for nothing."""
    (tmp_path / "waits.py").write_text("import time\ntime.sleep(600)\n")
    program = (*(() if hangs_up else ("setsid", "--wait")), *GRADTUTOR, *words)
    with Terminal(program, tmp_path, draws=False) as terminal:
        reads(terminal, 3)
        under = terminal.family()
        front = [terminal.pid, *(pid for pid, command in under.items() if "tutor.worker" not in command)]
        terminal.hang_up()
        end = time.monotonic() + 6
        while any(map(lives, front)) and time.monotonic() < end:
            time.sleep(0.2)
        left = {pid: taken(pid) for pid in front if lives(pid)}
        time.sleep(2)
        assert all(taken(pid) - before < 1 for pid, before in left.items()), "it spins"
        assert not left or words[:1] in (("record",), ("steps",), ("check",))


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def taken(pid: int) -> float:
    """Seconds of processor that it has had."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
