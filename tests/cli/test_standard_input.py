"""`record`, `steps` and `show` pass standard input on to a script, as `python` has it; what is walked has none."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.cli.by_forks import COMMAND, inherited
from tests.cli.test_cli import environment, script
from tutor.trace import tracefile

ASKS = "name = input('Name: ')\nprint(f'Hello {name}.')\n"
READS = "import sys\nprint(sys.stdin and (sys.stdin.fileno(), sys.stdin.isatty()))\nprint(sys.stdin.buffer.read())\n"
DEBUGS = """\
import code, pdb
x = 41
pdb.set_trace()
y = x + 1
print("y", y)
code.interact("talk", local={"x": x}, exitmsg="bye")
"""
SECRET = """\
import getpass
name = input("Name: ")
password = getpass.getpass()
print(name, len(password))
"""


class Terminal:
    """A command at a terminal of 80 columns, which is its standard input, output and error."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        inherits = inherited(environment(folder))
        self.process = subprocess.Popen(
            [*COMMAND, *words], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, **inherits
        )
        os.close(theirs)
        self._read = b""

    def read_until(self, end: bytes) -> bytes:
        """Return what has been written, once it has `end` in it; empty: once the command has ended."""
        with contextlib.suppress(OSError):  # the command has closed the terminal
            while not end or end not in self._read:
                self._read += os.read(self._ours, 1000)
        if not end:
            self.process.wait()
        return self._read

    def type(self, text: bytes) -> None:
        os.write(self._ours, text)


def run(folder: Path, words: list[str], streams: str = "", typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command with its streams as the shell redirects them."""
    program = ["sh", "-c", f'exec "$@" {streams}', "sh", *words]
    return subprocess.run(program, cwd=folder, input=typed, capture_output=True, **inherited(environment(folder)))


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("text", "streams", "typed"),
    [
        (ASKS, "", b"Ada\nrest"),
        (ASKS, "</dev/null", b""),
        (ASKS, "<&-", b""),
        (READS, "", b"\xff\x00\r\n\xfe"),
        (READS, "<script.py", b""),
        (READS, "<&-", b""),
        (READS, "0>>empty", b""),
        (DEBUGS, "", b"p x\nn\ns\ns\nc\nx + 1\n"),
    ],
)
def test_a_recorded_script_reads_what_a_plain_one_reads(tmp_path: Path, text: str, streams: str, typed: bytes) -> None:
    script(tmp_path, text)
    plain = run(tmp_path, [sys.executable, str(tmp_path / "script.py")], streams, typed)
    recorded = run(tmp_path, [*COMMAND, "record", "script.py"], streams, typed)
    said = [line for line in recorded.stderr.splitlines() if not line.startswith(b"gradtutor: recorded ")]
    assert said == plain.stderr.splitlines()
    assert (recorded.stdout, recorded.returncode) == (plain.stdout, plain.returncode)


def test_a_script_of_steps_and_show_reads_too(tmp_path: Path) -> None:
    script(tmp_path, ASKS)
    for command in ("steps", "show"):
        done = run(tmp_path, [*COMMAND, command, "script.py"], typed=b"Ada\n")
        assert done.returncode == 0
    assert b"Name: Hello Ada." in done.stdout


def test_what_is_walked_without_a_screen_is_asked_for_its_lines(tmp_path: Path) -> None:
    """Those after them are commands; `r` gives the answers again, and asks for what was not asked before."""
    script(tmp_path, "name = input('Name: ')\nprint(f'Hello {name}.')\n")
    done = run(tmp_path, [*COMMAND, "open", "--plain", "script.py"], typed=b"Ada\nend\nr\nend\n")
    assert done.returncode == 0
    assert done.stdout.count(b"printed: Name: Ada\nprinted: Hello Ada.\n") == 2
    done = run(tmp_path, [*COMMAND, "open", "--plain", "script.py"], typed=b"")
    assert done.returncode == 1


def test_a_line_that_is_not_there_is_explained(tmp_path: Path) -> None:
    script(tmp_path, ASKS)
    done = run(tmp_path, [*COMMAND, "steps", "script.py"])
    assert done.returncode == 1
    assert b"EOFError" in done.stdout
    assert b"its standard input was at its end" in done.stdout


def test_questions_and_progress_are_shown_at_a_terminal(tmp_path: Path) -> None:
    """`show` shows the question; `record` its progress, in no line of the script's, and wipes it."""
    script(
        tmp_path,
        "import os\nname = input('Name: ')\nprint(f'Hello {name}.')\nwhile not os.path.exists('go'):\n    pass\n",
    )
    (tmp_path / "go").touch()
    shown = Terminal(tmp_path, "show", "script.py")
    assert shown.read_until(b"Name: ") == b"Name: "
    shown.type(b"Ada\n")
    assert b"Hello Ada." in shown.read_until(b"")
    (tmp_path / "go").unlink()
    recorded = Terminal(tmp_path, "record", "script.py")
    assert recorded.read_until(b"Name: ") == b"Name: "
    recorded.type(b"Ada\n")
    assert recorded.read_until(b"iterations, ").startswith(b"Name: Ada\r\nHello Ada.\r\n\r\x1b[Krecording: ")
    recorded.process.send_signal(signal.SIGINT)
    assert re.fullmatch(
        rb"Name: Ada\r\nHello Ada\.\r\n(\r\x1b\[Krecording: [\d,]+ iterations, [\d,]+ events, \d+ s)+\r\x1b\[K"
        rb"gradtutor: interrupted: recorded \d+ steps in script\.trace\r\n(gradtutor: .*\r\n)*",
        recorded.read_until(b""),
    )


def test_a_secret_typed_at_a_terminal_is_not_recorded(tmp_path: Path) -> None:
    """With a real worker: in a session that has no terminal, `getpass` reads the one behind standard input."""
    script(tmp_path, SECRET)
    ours, theirs = pty.openpty()
    program = [sys.executable, "-P", "-m", "tutor", "record", "script.py"]
    process = subprocess.Popen(
        program, cwd=tmp_path, env=environment(tmp_path), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    os.close(theirs)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(6) == b"Name: "
    os.write(ours, b"Ada\n")
    assert process.stderr.read(10) == b"Password: "
    os.write(ours, b"open sesame\n")
    printed, _ = process.communicate()
    assert (printed, process.returncode) == (b"Ada 11\n", 0)
    assert b"sesame" not in os.read(ours, 1000)
    timeline = tracefile.load(tmp_path / "script.trace")
    recorded = repr(timeline.state(timeline.steps)) + timeline.output(timeline.steps)
    assert "Ada" in recorded
    assert "sesame" not in recorded
