"""Standard streams that are closed, full or cut, in every command: what can be written is, and the message is true."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.by_forks import COMMAND, inherited
from tests.cli.test_cli import GOOD, environment, script
from tutor.trace import tracefile

pytestmark = pytest.mark.sampled(3)

COMMANDS = (
    ["--version"], ["list"], ["steps", "run.trace"], ["show", "run.trace", "--json"], ["view", "--plain", "run.trace"],
    ["check", "lesson.py"],
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    script(folder, GOOD)
    script(folder, "print(1)\n", "lesson.py")
    program = [*COMMAND, "record", "script.py", "-o", "run.trace"]
    subprocess.run(program, cwd=folder, check=True, capture_output=True, **inherited(environment(folder)))
    return folder


def shell(folder: Path, words: list[str], streams: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run gradtutor with its streams as the shell redirects them."""
    program = ["sh", "-c", f'exec "$@" {streams}', "sh", *COMMAND, *words]
    done = subprocess.run(
        program, cwd=folder, capture_output=True, text=True, timeout=120, **inherited(environment(folder, **more))
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_full_output_is_told_in_one_true_line(folder: Path, words: list[str]) -> None:
    done = shell(folder, words, "</dev/null >/dev/full", PYTHONUNBUFFERED="1" if words == ["list"] else "")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "gradtutor: cannot write: No space left on device"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_closed_streams_discard_what_is_written(folder: Path, words: list[str]) -> None:
    expected = shell(folder, words, "</dev/null").returncode
    assert shell(folder, words, "<&- >&- 2>&-").returncode == expected


def test_errors_that_cannot_be_told_change_no_status(folder: Path) -> None:
    assert shell(folder, ["steps", "missing.py"], "2>/dev/full").returncode == 3
    assert shell(folder, ["steps", "missing.py"], "2>&-").returncode == 3
    assert shell(folder, ["list"], ">/dev/full 2>/dev/full").returncode == 1


def test_a_closed_output_takes_nothing_from_a_file(folder: Path) -> None:
    """A file that is opened while descriptor 1 is free would have been its place."""
    before = (folder / "run.trace").read_bytes()
    assert shell(folder, ["record", "script.py", "-o", "closed.trace"], "<&- >&- 2>&-").returncode == 0
    assert tracefile.load(folder / "closed.trace").notices == []
    assert (folder / "run.trace").read_bytes() == before


def test_a_recording_goes_on_where_its_prints_cannot(folder: Path) -> None:
    done = shell(folder, ["record", "script.py", "-o", "full.trace"], ">/dev/full")
    timeline = tracefile.load(folder / "full.trace")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"gradtutor: recorded {timeline.steps} steps in full.trace",
        "gradtutor: cannot write: No space left on device",
    ]
    assert timeline.output(timeline.steps) == "hello\n"


def test_a_pipe_that_closes_ends_a_recording_well(folder: Path) -> None:
    done = shell(folder, ["record", "script.py", "-o", "head.trace"], "| true")
    assert done.stderr.startswith("gradtutor: recorded ")
    assert tracefile.load(folder / "head.trace").notices == []


def test_python_does_not_begin_to_converse(folder: Path) -> None:
    for words, status in ((["--version"], 0), (["steps", "missing.py"], 3)):
        done = shell(folder, words, "</dev/null", PYTHONINSPECT="1")
        assert done.returncode == status
        assert ">>>" not in done.stderr + done.stdout


def test_an_input_that_cannot_be_read_is_at_its_end(folder: Path) -> None:
    done = shell(folder, ["view", "--plain", "run.trace"], "0>input")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Enter takes a step" in done.stdout


def test_the_folder_that_one_stands_in_is_gone(folder: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        go = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'
        program = ["sh", "-c", go, "sh", sys.executable, "-P", "-m", "tutor"]
        done = subprocess.run([*program, *words], cwd=folder, env=environment(folder), capture_output=True, text=True)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    absolute = str(folder / "script.py")
    assert run("list").returncode == 0
    assert run("steps", str(folder / "run.trace")).returncode == 0
    assert run("steps", absolute).returncode == 3  # torch itself cannot be imported there
    assert run("record", absolute, "-o", "gone.trace").returncode == 3
    assert run("check", absolute).returncode == 2
    assert run("new", "graph/mine", "--lessons", "own").returncode in (2, 3)


def test_bytes_that_are_no_text_are_typed_into_a_prompt(folder: Path) -> None:
    program = [sys.executable, "-P", "-m", "tutor", "--plain", "view", "run.trace"]
    typed = b"\xff\xfe\n\n\x80\xe9\nend\n"
    done = subprocess.run(program, cwd=folder, env=environment(folder), input=typed, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_output_that_does_not_block_is_waited_for(folder: Path) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    script(folder, "x = [1] * 3\n" * 3000, "long.py")
    program = [*COMMAND, "steps", "long.py", "--json"]
    inherits = inherited(environment(folder))
    process = subprocess.Popen(program, cwd=folder, stdout=write_end, stderr=subprocess.PIPE, **inherits)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file:
        lines = file.read().splitlines()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait() == 0
    assert len(lines) == 3002
