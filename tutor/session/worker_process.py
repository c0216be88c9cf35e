"""A worker process as the front end sees it: started, told to run, stopped, ended with its children.

It stands by with torch imported until it is told to run. What it sends comes through a pipe of its own, what C code
and child processes print through descriptors 1 and 2.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias, cast

from tutor.i18n import N_, _
from tutor.lesson.model import joined
from tutor.trace import command as commands
from tutor.trace.command import OPERATION, PIPE_CLOSED, READY, STATEMENT, CrashLocation, RunCommand, signal_name

STOP_TIMEOUT = 1.0
"""Seconds that a stopped run has to end by itself."""
POLL_INTERVAL = 0.005
"""Seconds between two looks whether a process that is about to end has ended."""


MAX_QUOTED = 300
"""So many characters are quoted of what a process printed."""
MIN_DESCRIPTORS = 8
"""An event loop opens fewer descriptors than this."""


class StartError(Exception):
    """No process can be started here; the text says so in a sentence."""

    def __init__(self, error: Exception | str) -> None:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        super().__init__(
            _("the process that runs the code cannot be started: {why}. `gradtutor doctor` says more.", why=why)
        )


def describe_failed_start(status: int, printed: str) -> str:
    """What is said of a process that ended before the first line of the code: what it printed last is all there is."""
    last = next((line for line in reversed(printed.splitlines()) if line.strip()), "")
    if status < 0:
        name = signal_name(-status)
        said = _("the process that runs the code died of {name} before the first line.", name=name)
    else:
        text = N_("the process that runs the code ended with exit status {status} before the first line.")
        said = _(text, status=status)
    if last:
        said = joined([said, _("It printed last: `{line}`.", line=quote_line(last))])
    return joined([said, _("`gradtutor doctor` says more.")])


def quote_line(line: str) -> str:
    """A line of what a process printed, short enough to be read."""
    text = " ".join(line.split())
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


Printed: TypeAlias = tuple[asyncio.StreamReader, asyncio.ReadTransport]


class Process(Protocol):
    """What has been launched."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def send_signal(self, signal: int) -> None: ...


Launch: TypeAlias = Callable[[Sequence[int], int, int], Awaitable[Process]]
"""Starts `tutor.worker` with three descriptors, and two to print to, as the leader of a session of its own."""


async def launch(descriptors: Sequence[int], stdout: int, stderr: int) -> Process:
    """Start it in a Python of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable or "", "-P", "-m", "tutor.worker", *map(str, descriptors), str(os.getpid()),
        stdin=asyncio.subprocess.DEVNULL, stdout=stdout, stderr=stderr,
        pass_fds=descriptors, start_new_session=True, env=environment(),
    )  # fmt: skip


class WorkerProcess:
    """One worker. Make it with `start`; whatever happens then, `end` leaves no process behind."""

    def __init__(
        self,
        process: Process,
        control: socket.socket,
        events: int,
        location: CrashLocation,
        printed: list[Printed],
    ) -> None:
        self._process = process
        self._control = control
        self.events = events
        """The descriptor that frames come from."""
        self._location = location.numbers
        self._printed = printed

    @classmethod
    async def start(cls, launch: Launch = launch) -> WorkerProcess:
        """Starts a process that imports torch and stands by. Raises StartError."""
        check_folder()
        try:
            return await cls._start(launch)
        except (OSError, RuntimeError) as error:  # no such Python; no descriptor, process, thread or room is left
            raise StartError(error) from None

    @classmethod
    async def _start(cls, launch: Launch) -> WorkerProcess:
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            control, given = socket.socketpair()
            ours.enter_context(control)
            theirs.enter_context(given)

            def pipe() -> tuple[int, int]:
                read_end, write_end = os.pipe()
                ours.callback(os.close, read_end)
                theirs.callback(os.close, write_end)
                return read_end, write_end

            events, write_end = pipe()
            _widen(write_end)
            # Not `PIPE`: its `wait` waits for all who hold the pipes, a child that the program left behind too.
            printed = [pipe(), pipe()]
            file = theirs.enter_context(unnamed_file())
            file.truncate(mmap.PAGESIZE)
            location = CrashLocation(mmap.mmap(file.fileno(), mmap.PAGESIZE))
            process = await launch((given.fileno(), write_end, file.fileno()), printed[0][1], printed[1][1])
            ours.pop_all()  # from here on `end` closes them
        control.setblocking(False)
        return cls(process, control, events, location, [await _reader(pipe[0]) for pipe in printed])

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
            await loop.sock_sendall(self._control, commands.encode(command) + b"\n")

    @property
    def printed(self) -> tuple[asyncio.StreamReader, asyncio.StreamReader]:
        """What came through descriptors 1 and 2."""
        return self._printed[0][0], self._printed[1][0]

    @property
    def crash_location(self) -> tuple[int, int]:
        """The sites of the statement and of the operation that run, or ran when it died; 0 for none."""
        return self._location[STATEMENT], self._location[OPERATION]

    @property
    def lost_its_pipe(self) -> bool:
        """Whether the program has closed the pipe that frames come through."""
        return bool(self._location[PIPE_CLOSED])

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """Its exit status; minus the signal's number where one ended it.

        asyncio's own `wait` would wait for the pipes too, which a child of the learner's may hold open for ever.
        """
        while self._process.returncode is None:
            await asyncio.sleep(POLL_INTERVAL)
        return self._process.returncode

    def interrupt(self) -> None:
        """Raises KeyboardInterrupt in the learner's code."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    async def stop(self) -> None:
        """Interrupts it, and kills it where that does not help."""
        self.interrupt()
        try:
            await asyncio.wait_for(self.wait(), STOP_TIMEOUT)
        except TimeoutError:
            self.kill()
            await self.wait()

    def kill(self) -> None:
        """Ends it and its children at once. Needs no running loop."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Ends it if it still runs, and closes what belongs to it."""
        self.kill()
        await self.wait()
        # Children that outlived it would hold its pipes open.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._control.close()
        for _reader, transport in self._printed:
            transport.close()


async def _reader(descriptor: int) -> Printed:
    """What comes through a pipe, and how to close it."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader, transport


class Workers:
    """Keeps one worker standing by, so that a run starts at once."""

    def __init__(self, launch: Launch = launch) -> None:
        self._launch = launch
        self._standby: asyncio.Task[WorkerProcess] | None = None

    def prepare(self) -> None:
        """Starts the stand-by worker if there is none. Returns at once."""
        if self._standby is None:
            self._standby = asyncio.create_task(WorkerProcess.start(self._launch))

    async def take(self) -> WorkerProcess:
        """The stand-by worker, or a new one where it has died meanwhile."""
        self.prepare()
        standby, self._standby = self._standby, None
        assert standby is not None
        with contextlib.suppress(StartError):  # by now there may be room again
            worker = await standby
            if worker.alive:
                return worker
            await worker.end()
        return await WorkerProcess.start(self._launch)

    async def close(self) -> None:
        """Leaves no process behind."""
        standby, self._standby = self._standby, None
        if standby is not None:
            with contextlib.suppress(StartError):
                await (await standby).end()

    def kill(self) -> None:
        """As `close`, when there is no time (a signal)."""
        standby = self._standby
        if standby is not None and standby.done() and not standby.cancelled() and standby.exception() is None:
            standby.result().kill()


def unnamed_file() -> BinaryIO:
    """A new file without a name: in memory where the system has such, so that no disk need have room for it."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("gradtutor"), "w+b")
    return cast(BinaryIO, tempfile.TemporaryFile())


def check_folder() -> None:
    """Raise StartError where the current folder is gone: the libraries of torch cannot be loaded there."""
    try:
        os.getcwd()
    except OSError as error:
        raise StartError(_("the current folder cannot be used: {why}", why=error.strerror or error)) from None


def check_room() -> None:
    """Raise StartError where too few descriptors are left: asyncio would leave half an event loop behind."""
    opened: list[int] = []
    try:
        for _ in range(MIN_DESCRIPTORS):
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise StartError(error) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _widen(pipe: int) -> None:
    """Room for what a run sends in a few ms, so that it need not wait while the screen is drawn (Linux only)."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # above what this user may have
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)


def environment() -> dict[str, str]:
    """Ours, with the folder that `tutor` lies in where Python would not find it otherwise (`-P` hides the cwd)."""
    root = str(Path(__file__).resolve().parent.parent.parent)
    known = {os.path.realpath(path) for path in sys.path if path}
    try:
        here = os.path.realpath(os.curdir)
    except OSError:  # the folder that we stand in is gone
        here = ""
    if here != root and root in known:
        return dict(os.environ)
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{before}" if before else root}
