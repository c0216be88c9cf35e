"""Where `record` writes: never over anything but a recording, and into what is there as it is."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli.by_forks import COMMAND, inherited
from tests.cli.test_cli import GOOD, Run, environment, refused, run, script
from tutor.trace import tracefile

pytestmark = pytest.mark.sampled(3)

__all__ = ["run"]


@pytest.mark.parametrize("out", ["script.py", "./script.py", "link.py", "hard.py", "folder/../script.py"])
def test_the_script_is_not_replaced_by_its_recording(run: Run, tmp_path: Path, out: str) -> None:
    name = script(tmp_path, GOOD)
    (tmp_path / "link.py").symlink_to("script.py")
    (tmp_path / "hard.py").hardlink_to(tmp_path / name)
    (tmp_path / "folder").mkdir()
    refused(run("record", "-o", out, name), 2, "is the script itself")
    assert (tmp_path / name).read_text() == GOOD


def test_a_file_that_is_no_recording_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    name = script(tmp_path, GOOD)
    other = script(tmp_path, "mine\n", "notes.txt")
    refused(run("record", "-o", other, name), 2, "notes.txt is there, and is no recording")
    assert (tmp_path / other).read_text() == "mine\n"
    script(tmp_path, "mine\n", "script.trace")
    refused(run("record", name), 2, "script.trace is there")


def test_an_older_recording_and_an_empty_file_are_replaced(run: Run, tmp_path: Path) -> None:
    name = script(tmp_path, GOOD)
    (tmp_path / "run.trace").touch()
    for _ in range(2):
        assert run("record", "-o", "run.trace", name).returncode == 0
        assert tracefile.load(tmp_path / "run.trace").notices == []
    assert sorted(os.listdir(tmp_path)) == ["run.trace", "script.py"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_one(run: Run, tmp_path: Path, there: bool) -> None:
    name = script(tmp_path, GOOD)
    (tmp_path / "far").mkdir()
    link, real = tmp_path / "link.trace", tmp_path / "far" / "real.trace"
    link.symlink_to("far/real.trace")
    if there:
        real.touch()
    assert run("record", "-o", "link.trace", name).returncode == 0
    assert link.is_symlink()
    assert tracefile.load(real).steps > 5
    assert os.listdir(real.parent) == ["real.trace"]


def test_a_link_into_nowhere_is_told_with_the_folder_that_is_missing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "link.trace").symlink_to("missing/real.trace")
    refused(run("record", "-o", "link.trace", script(tmp_path, GOOD)), 3, "no folder", "missing")
    (tmp_path / "loop.trace").symlink_to("loop.trace")
    refused(run("record", "-o", "loop.trace", script(tmp_path, GOOD)), 3, "loop.trace cannot be written")


def test_a_device_is_written_to_and_stays(run: Run, tmp_path: Path) -> None:
    done = run("record", "-o", "/dev/null", script(tmp_path, GOOD))
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert Path("/dev/null").is_char_device()
    full = run("record", "-o", "/dev/full", script(tmp_path, GOOD))
    assert full.returncode == 3
    assert "/dev/full cannot be written: No space left on device." in full.stderr


def test_a_pipe_is_written_to_and_stays(run: Run, tmp_path: Path) -> None:
    name, pipe = script(tmp_path, GOOD), tmp_path / "pipe"
    os.mkfifo(pipe)
    came: list[bytes] = []
    reader = threading.Thread(target=lambda: came.append(pipe.read_bytes()))
    reader.start()
    assert run("record", "-o", "pipe", name).returncode == 0
    reader.join()
    assert pipe.is_fifo()
    (tmp_path / "came").write_bytes(came[0])
    assert tracefile.load(tmp_path / "came").notices == []


def test_a_socket_and_names_that_cannot_be_are_refused(run: Run, tmp_path: Path) -> None:
    import socket

    name = script(tmp_path, GOOD)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "sock"))
        refused(run("record", "-o", "sock", name), 2, "not a file that can be written")
    refused(run("record", "-o", "n" * 300, name), 3, "cannot be written: File name too long")
    refused(run("record", "-o", "script.py/x", name), 3)
    refused(run("record", "-o", "", name), 2, "folder")


def test_two_recordings_into_one_file_both_end_well(tmp_path: Path) -> None:
    name = script(tmp_path, GOOD)
    command = [*COMMAND, "record", "-o", "same.trace", name]
    inherits = inherited(environment(tmp_path))
    both = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **inherits)
        for _ in range(2)
    ]
    ended = [(*process.communicate(timeout=120), process.returncode) for process in both]
    steps = tracefile.load(tmp_path / "same.trace").steps
    for out, errors, status in ended:
        assert (out, status) == (b"hello\n", 0), errors
        assert errors == f"gradtutor: recorded {steps} steps in same.trace\n".encode()
    assert sorted(os.listdir(tmp_path)) == ["same.trace", "script.py"]
