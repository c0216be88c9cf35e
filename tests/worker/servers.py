"""The processes that run learners' code for the tests: two for all of them, which import torch once and fork."""

from __future__ import annotations

import json
import os
import select
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tutor.check.runner import Fork, ForkServer
from tutor.lesson.catalog import Target
from tutor.session.session import Session
from tutor.session.worker_process import Process, Workers

_running: dict[str, ForkServer] = {}


def recording_server() -> ForkServer:
    """For what is recorded."""
    return _server("recording_server.py")


def use_recording_server(server: ForkServer) -> None:
    """Take this one, of another process, for what is recorded."""
    _running["recording_server.py"] = server


def _server(program: str) -> ForkServer:
    if program not in _running:
        _running[program] = ForkServer(str(Path(__file__).with_name(program)))
    return _running[program]


def close_servers() -> None:
    """When all tests have ended."""
    while _running:
        _running.popitem()[1].close()


def start_python(program: Sequence[str], environment: dict[str, str], folder: str, stdout: int, stderr: int) -> Fork:
    """Start `python` with these words in a folder."""
    request = {"program": program, "environment": environment, "folder": folder}
    return _server("plain_server.py").fork(json.dumps(request).encode(), [stdout, stderr])


def run_python(program: Sequence[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """As `python` with these words; its exit status, and what it printed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        status = start_python(program, environment, os.getcwd(), out.fileno(), err.fileno()).wait()
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


async def launch_fork(descriptors: Sequence[int], stdout: int, stderr: int) -> Process:
    """Start a worker as a fork."""
    request = {"environment": dict(os.environ), "folder": os.getcwd()}
    read_end, write_end = os.pipe()
    try:
        fork = recording_server().fork(json.dumps(request).encode(), [*descriptors, stdout, stderr, write_end])
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
