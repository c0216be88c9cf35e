"""A disk that fills up while a recording or the progress is written: a line says so, and what was there stays."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_cli import GOOD, environment, script
from tests.e2e.terminal import GRADTUTOR, Terminal
from tutor.study.progress import Store
from tutor.trace import tracefile

pytestmark = pytest.mark.sampled(1)

LONG = """\
import os
import torch

w = torch.randn(30, 30, requires_grad=True)
for i in range(300):
    (w * torch.randn(30, 30)).sum().backward()
print("end")
"""
ROOM = 100 << 10
"""Bytes of room: less than the recording of LONG takes."""


def record(folder: Path, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    program = ["sh", "-c", f'{before} "$@"', "sh", *GRADTUTOR, "record", *words]
    done = subprocess.run(program, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


def limited(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it where no file may have more bytes than `ROOM`."""
    return record(folder, *words, before=f"ulimit -f {ROOM // 512};")


def test_the_program_runs_to_its_end_and_no_half_file_stays(tmp_path: Path) -> None:
    done = limited(tmp_path, "-o", "run.trace", script(tmp_path, LONG))
    assert (done.returncode, done.stdout) == (3, "end\n")
    assert done.stderr == "gradtutor: run.trace cannot be written: File too large.\n"
    assert os.listdir(tmp_path) == ["script.py"]


def test_the_recording_of_before_stays(tmp_path: Path) -> None:
    assert record(tmp_path, script(tmp_path, GOOD)).returncode == 0
    before = (tmp_path / "script.trace").read_bytes()
    script(tmp_path, LONG)
    assert limited(tmp_path, "script.py").returncode == 3
    assert (tmp_path / "script.trace").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["script.py", "script.trace"]


def test_a_recording_that_fits_is_written(tmp_path: Path) -> None:
    done = limited(tmp_path, "-o", "run.trace", script(tmp_path, GOOD))
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert tracefile.load(tmp_path / "run.trace").notices == []


def test_room_that_comes_again_before_the_end_is_used(tmp_path: Path) -> None:
    """The program itself makes room: it deletes a large file, as one does who keeps the last checkpoint alone."""
    name = script(tmp_path, LONG + "os.truncate('disk/fill', 0)\n")
    (tmp_path / "disk").mkdir()
    fill = "mount -t tmpfs -o size=20100k none disk; head -c 20000k /dev/zero >disk/fill"
    command = f'{fill}; "$@"; code=$?; cp disk/*.trace .; exit $code'
    done = subprocess.run(
        [*namespace(), "sh", "-c", command, "sh", *GRADTUTOR, "record", "-o", "disk/run.trace", name],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr
    timeline = tracefile.load(tmp_path / "run.trace")
    assert timeline.notices == []
    assert f"recorded {timeline.steps:,} steps" in done.stderr


def namespace() -> list[str]:
    """What lets a command mount things that only it sees."""
    for words in (["unshare", "-m"], ["unshare", "-r", "-m"]):
        if shutil.which("unshare") and not subprocess.run([*words, "true"], capture_output=True).returncode:
            return words
    pytest.skip("nothing can be mounted here")


@pytest.mark.parametrize("size", [4, 200])
def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, size: int) -> None:
    (tmp_path / "disk").mkdir()
    command = f'mount -t tmpfs -o size={size}k none disk && "$@"; code=$?; ls -A disk; exit $code'
    done = subprocess.run(
        [*namespace(), "sh", "-c", command, "sh", *GRADTUTOR, "record", "-o", "disk/run.trace", script(tmp_path, LONG)],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "end\n")
    assert done.stderr == "gradtutor: disk/run.trace cannot be written: No space left on device.\n"


def test_temporary_files_on_a_full_disk_are_not_needed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    command = 'mount -t tmpfs -o size=8k none disk; head -c 8k /dev/zero >disk/fill; TMPDIR=$PWD/disk exec "$@"'
    done = subprocess.run(
        [*namespace(), "sh", "-c", command, "sh", *GRADTUTOR, "steps", script(tmp_path, GOOD)],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the system limits no process that runs")
def test_progress_on_a_disk_that_fills_up(tmp_path: Path) -> None:
    """It is said beside the answer and after the screen; the answer of before is kept, and no temporary file stays."""
    with Terminal((*GRADTUTOR, "graph/two-paths"), tmp_path) as terminal:
        terminal.wait("first step")
        terminal.press("end")
        terminal.wait("your answer")
        terminal.press("5", "enter")
        terminal.wait("and see")
        folder = next(tmp_path.glob("data/gradtutor/progress"))
        before = Store(folder).load("graph/two-paths")
        assert [given.answer for given in before.answers.values()] == ["5"]
        resource.prlimit(terminal.pid, resource.RLIMIT_FSIZE, (0, 0))
        terminal.press("end")
        terminal.wait("your answer")
        terminal.press("1", "enter")
        terminal.wait("and see")
        terminal.press("end")
        terminal.wait("Progress is not kept: File too large")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        assert terminal.is_clean
        assert terminal.text.strip() == "gradtutor: Progress is not kept: File too large."
    assert Store(folder).load("graph/two-paths").answers == before.answers
    assert [path.suffix for path in folder.iterdir()] == [".json"]
