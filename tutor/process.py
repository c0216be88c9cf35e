"""A worker process as the front end sees it: started, told to run, stopped, ended with its children.

It stands by with torch imported until it is told to run. What it sends comes through a pipe of its own, what C code
and child processes print through descriptors 1 and 2.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

import msgspec

from tutor.trace.command import READY, RunCommand

GRACE = 1.0
"""Seconds that a stopped run has to end by itself."""


class WorkerProcess:
    """One worker. Make it with `start`; whatever happens then, `end` leaves no process behind."""

    def __init__(
        self, process: asyncio.subprocess.Process, control: socket.socket, events: int, page: mmap.mmap
    ) -> None:
        self._process = process
        self._control = control
        self.events = events
        """The descriptor that frames come from."""
        self._page = page

    @classmethod
    async def start(cls) -> WorkerProcess:
        """Starts a process that imports torch and stands by."""
        ours, theirs = socket.socketpair()
        read_end, write_end = os.pipe()
        with tempfile.TemporaryFile() as file:
            file.truncate(mmap.PAGESIZE)
            page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
            descriptors = (theirs.fileno(), write_end, file.fileno())
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", "-m", "tutor.worker", *map(str, descriptors),
                    stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                    pass_fds=descriptors, start_new_session=True, env=_environment(),
                )  # fmt: skip
            except BaseException:
                ours.close()
                os.close(read_end)
                raise
            finally:
                theirs.close()
                os.close(write_end)
        ours.setblocking(False)
        return cls(process, ours, read_end, page)

    async def ready(self) -> bool:
        """Waits until torch is imported; False where the process ended instead."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            return await loop.sock_recv(self._control, len(READY)) == READY
        return False

    async def run(self, command: RunCommand) -> None:
        """Tells it what to run."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # it is gone: whoever reads its events will see that
            await loop.sock_sendall(self._control, msgspec.json.encode(command) + b"\n")

    @property
    def printed(self) -> tuple[asyncio.StreamReader, asyncio.StreamReader]:
        """What came through descriptors 1 and 2."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        return self._process.stdout, self._process.stderr

    @property
    def doing(self) -> tuple[int, int]:
        """The sites of the statement and of the operation that run, or ran when it died; 0 for none."""
        numbers = memoryview(self._page).cast("I")
        return numbers[0], numbers[1]

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """Its exit status; minus the signal's number where one ended it."""
        return await self._process.wait()

    def interrupt(self) -> None:
        """Raises KeyboardInterrupt in the learner's code."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    async def stop(self) -> None:
        """Interrupts it, and kills it where that does not help."""
        self.interrupt()
        try:
            await asyncio.wait_for(self._process.wait(), GRACE)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """Ends it and its children at once. Needs no running loop."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Ends it if it still runs, and closes what belongs to it."""
        self.kill()
        await self._process.wait()
        # Children that outlived it would hold its pipes open.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._control.close()


class Workers:
    """Keeps one worker standing by, so that a run starts at once."""

    def __init__(self) -> None:
        self._standby: asyncio.Task[WorkerProcess] | None = None

    def prepare(self) -> None:
        """Starts the stand-by worker if there is none. Returns at once."""
        if self._standby is None:
            self._standby = asyncio.create_task(WorkerProcess.start())

    async def take(self) -> WorkerProcess:
        """The stand-by worker, or a new one where it has died meanwhile."""
        self.prepare()
        assert self._standby is not None
        worker, self._standby = await self._standby, None
        if not worker.alive:
            await worker.end()
            worker = await WorkerProcess.start()
        return worker

    async def close(self) -> None:
        """Leaves no process behind."""
        if self._standby is not None:
            worker, self._standby = await self._standby, None
            await worker.end()

    def kill(self) -> None:
        """As `close`, when there is no time (a signal)."""
        if self._standby is not None and self._standby.done() and not self._standby.cancelled():
            self._standby.result().kill()


def _environment() -> dict[str, str]:
    """Ours, with the folder that `tutor` lies in where Python would not find it otherwise (`-P` hides the cwd)."""
    root = str(Path(__file__).resolve().parent.parent)
    known = {os.path.realpath(path) for path in sys.path if path}
    if os.path.realpath(os.getcwd()) != root and root in known:
        return dict(os.environ)
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{before}" if before else root}
