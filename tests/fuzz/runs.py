"""Runs a program by itself, or a command of gradtutor, in a folder of its own, with torch imported beforehand."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.worker import servers
from tutor import cli
from tutor.check.runner import Fork
from tutor.session import worker_process
from tutor.trace.command import STATUS
from tutor.worker import fork_server

SECONDS = 90.0
"""No run takes longer; generous, as a machine may be busy."""
AFTER = 10.0
"""So long a process may stay that the program has left: the longest that one sleeps, and more."""


@dataclass
class Ran:
    """What a run left."""

    status: int | None
    """None: it did not end."""
    out: bytes
    err: bytes
    files: dict[bytes, bytes]
    left: list[str]
    """Processes that stayed."""


Start = Callable[[Path, list[int]], Fork]
"""Starts something in its folder, with these descriptors for its output and its errors."""


def run(start: Start, home: Path, fill: Callable[[Path], object]) -> Ran:
    """Run it in `home`, which is filled anew; by that folder all that it starts is found."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    fill(home)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        fork = start(home, [out.fileno(), err.fileno()])
        status = fork.wait() if select.select([fork], [], [], SECONDS)[0] else None
        end = time.monotonic() + AFTER
        while status is not None and _standing_in(home) and time.monotonic() < end:
            time.sleep(0.02)
        left = _standing_in(home)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        printed = []
        for file in (out, err):
            file.seek(0)
            printed.append(file.read())
    return Ran(status, printed[0], printed[1], _files(home), list(left.values()))


def _files(home: Path) -> dict[bytes, bytes]:
    """What is in the folder, but for what Python itself and libraries keep."""
    return {
        os.fsencode(path): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".cache" not in path.parts
    }


def _standing_in(home: Path) -> dict[int, str]:
    """The processes that live and have this folder, or one in it, as theirs, and what they run."""
    processes = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                lives = (place / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
                if lives and os.readlink(place / "cwd").startswith(str(home)):
                    command = (place / "cmdline").read_bytes().replace(b"\0", b" ")
                    processes[int(place.name)] = command.decode(errors="replace")
    return processes


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRADTUTOR", "PYTHON", "XDG"))}
    return kept | {"PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": str(home)}


def plainly(home: Path, descriptors: list[int]) -> Fork:
    """`python program.py`."""
    program = [str(Path(__file__).with_name("as_python.py")), "program.py"]
    return servers.start_python(program, _environment(home), str(home), *descriptors)


def gradtutor(*words: str | bytes, typed: bytes = b"") -> Start:
    """`gradtutor` with these words, and this typed into it."""
    return partial(_start, [os.fsdecode(word) for word in words], typed)


def handle_interrupts() -> None:
    """As where one sits at a terminal: a process that was started in the background ignores them, and so do its own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _start(words: Sequence[str], typed: bytes, home: Path, descriptors: list[int]) -> Fork:
    servers.recording_server()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.setsid()
            with tempfile.TemporaryFile() as file:
                file.write(typed)
                file.seek(0)
                os.dup2(file.fileno(), 0)
            fork_server.print_to([os.dup(number) for number in descriptors])
            os.environ.clear()
            os.environ.update(_environment(home))
            os.chdir(home)
            for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
                number = ("stdin", "stdout", "stderr").index(name)
                setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
            worker_process.Workers.__init__.__defaults__ = (servers.launch_fork,)
            status = cli.main(list(words))
            sys.stdout.flush()
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os.write(writing, STATUS.pack(status))
            os._exit(0)
    os.close(writing)
    return _Reaped(reading, child)


class _Reaped(Fork):
    """A fork of this process, which is no zombie once it was waited for."""

    def __init__(self, answer: int, child: int) -> None:
        super().__init__(answer)
        self._child = child

    def wait(self) -> int:
        status = super().wait()
        os.waitpid(self._child, 0)
        return status
