"""The processes that run learners' code for the tests: one of all imports torch, and the others are forks of it.

Each process of the tests has a server of plain runs; what records, and all else that needs torch, is run by a fork of
it. Where several processes share the tests, their servers are forks of one that the process that distributes has.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread

from tutor.check.runner import Fork, ForkServer
from tutor.lesson.catalog import Target
from tutor.session.session import Session
from tutor.session.worker_process import Process, Workers, environment

SHARED = "GRADTUTOR_TEST_PLAIN_SERVER"
"""In the environment: the socket at which a process gets its server of plain runs."""
_PLAIN = str(Path(__file__).with_name("plain_server.py"))
_running: dict[str, ForkServer] = {}


class ForkedServer(ForkServer):
    """A server that is a fork of the one for plain runs: `close` ends it."""

    def __init__(self, program: Path) -> None:
        self._control, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        errors = self._errors.fileno()
        with theirs:
            self._process = _start(["-P", str(program)], environment(), os.getcwd(), [errors, errors, theirs.fileno()])  # type: ignore[assignment]


class _SharedServer(ForkServer):
    """A fork of the server for plain runs of the process that distributes the tests."""

    def __init__(self, path: str) -> None:
        self._control = socket.socket(socket.AF_UNIX)
        self._control.connect(path)

    def close(self) -> None:
        """End it."""
        self._control.close()


def recording_server() -> ForkServer:
    """For what is recorded."""
    if "recording" not in _running:
        _running["recording"] = ForkedServer(Path(__file__).with_name("recording_server.py"))
    return _running["recording"]


def use_recording_server(server: ForkServer) -> None:
    """Take this one, of another process, for what is recorded."""
    _running["recording"] = server


def _plain_server() -> ForkServer:
    if "plain" not in _running:
        path = os.environ.get(SHARED)
        _running["plain"] = _SharedServer(path) if path else ForkServer(_PLAIN)
    return _running["plain"]


def close_servers() -> None:
    """When all tests have ended: the last one first, of which the others are no forks."""
    while _running:
        _running.popitem()[1].close()


@contextlib.contextmanager
def share_plain_server() -> Iterator[None]:
    """Let the processes that are started meanwhile have forks of this one's server for plain runs."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        path = str(Path(folder, "socket"))
        listening.bind(path)
        listening.listen()
        os.environ[SHARED] = path
        thread = Thread(target=_share, args=[listening])
        thread.start()
        yield
        del os.environ[SHARED]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _share(listening: socket.socket) -> None:
    """Fork a server for each that asks, from one that the first of them starts."""
    server: ForkServer | None = None
    forks: list[Fork] = []
    while True:
        try:
            connection = listening.accept()[0]
        except OSError:  # it is shut down
            break
        with connection:
            server = server or ForkServer(_PLAIN)
            forks.append(server.fork(b"{}", [connection.fileno()]))
    for fork in forks:
        fork.wait()
    if server is not None:
        server.close()


def _start(
    program: Sequence[str],
    environment: dict[str, str],
    folder: str,
    descriptors: Sequence[int],
    whole_end: bool = False,
) -> Fork:
    request = {"program": program, "environment": environment, "folder": folder, "whole_end": whole_end}
    return _plain_server().fork(json.dumps(request).encode(), descriptors)


def start_python(program: Sequence[str], environment: dict[str, str], folder: str, stdout: int, stderr: int) -> Fork:
    """Start `python` with these words in a folder."""
    return _start(program, environment, folder, [stdout, stderr])


def run_python(program: Sequence[str], environment: dict[str, str], *, whole_end: bool = False) -> tuple[int, str, str]:
    """As `python` with these words; its exit status, and what it printed. With `whole_end` it frees all modules, as
    Python does, which takes half a second.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        status = _start(program, environment, os.getcwd(), [out.fileno(), err.fileno()], whole_end).wait()
        printed = []
        for file in (out, err):
            file.seek(0)
            printed.append(file.read().decode())
    return status, printed[0], printed[1]


def forked_workers() -> Workers:
    """For sessions: each worker is a fork, and stands by at once."""
    return Workers(launch_fork)


def forked_session(script: Path) -> Session:
    """A session on a script, in a fork."""
    return Session(Target("file", script, str(script)), workers=forked_workers())


async def launch_fork(descriptors: Sequence[int], stdin: int, stdout: int, stderr: int) -> Process:
    """Start a worker as a fork."""
    request = {"environment": dict(os.environ), "folder": os.getcwd()}
    read_end, write_end = os.pipe()
    try:
        fork = recording_server().fork(json.dumps(request).encode(), [*descriptors, stdin, stdout, stderr, write_end])
    finally:
        os.close(write_end)
    with os.fdopen(read_end) as told:
        return _Worker(int(told.read()), fork)


class _Worker:
    """A fork as a process of ours."""

    def __init__(self, pid: int, fork: Fork) -> None:
        self._pid = pid
        self._fork = fork
        self._status: int | None = None

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def returncode(self) -> int | None:
        if self._status is None and select.select([self._fork], [], [], 0)[0]:
            self._status = self._fork.wait()
        return self._status

    def send_signal(self, signal: int) -> None:
        if self.returncode is None:
            os.kill(self._pid, signal)
