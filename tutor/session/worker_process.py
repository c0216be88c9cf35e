"""Start, control and end the worker process.

A worker imports torch and stands by until it is sent a run. Its events come through a pipe; two more pipes carry what C
code and child processes print to descriptors 1 and 2.
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
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias, cast

from tutor.i18n import N_, _
from tutor.lesson.model import join_lines
from tutor.trace import command as commands
from tutor.trace.command import (
    ENDED,
    OPERATION,
    PIPE_CLOSED,
    READ,
    READY,
    STATEMENT,
    CrashLocation,
    RunCommand,
    signal_name,
)

STOP_TIMEOUT = 1.0
"""Seconds that an interrupted run has to end before it is killed."""
POLL_INTERVAL = 0.005
"""Seconds between two checks whether a process has ended."""
MAX_QUOTED = 300
"""Characters of a printed line that are quoted."""
TYPED = "typed"
MIN_DESCRIPTORS = 8
"""More descriptors than an event loop opens."""


class StartError(Exception):
    """A process cannot be started; the text says why."""

    def __init__(self, error: Exception | str) -> None:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        super().__init__(
            _("the process that runs the code cannot be started: {why}. `gradtutor doctor` says more.", why=why)
        )


def describe_failed_start(status: int, printed: str) -> str:
    """Return a sentence on a process that ended before the first line of the code, with its last output."""
    last = next((line for line in reversed(printed.splitlines()) if line.strip()), "")
    if status < 0:
        name = signal_name(-status)
        sentence = _("the process that runs the code died of {name} before the first line.", name=name)
    else:
        text = N_("the process that runs the code ended with exit status {status} before the first line.")
        sentence = _(text, status=status)
    if last:
        sentence = join_lines([sentence, _("It printed last: `{line}`.", line=quote_line(last))])
    return join_lines([sentence, _("`gradtutor doctor` says more.")])


def quote_line(line: str) -> str:
    """Return a printed line with single spaces, cut at `MAX_QUOTED` characters."""
    text = " ".join(line.split())
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


Printed: TypeAlias = tuple[asyncio.StreamReader, asyncio.ReadTransport]


class Process(Protocol):
    """A started process."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def send_signal(self, signal: int) -> None: ...


Launch: TypeAlias = Callable[[Sequence[int], int, int, int], Awaitable[Process]]
"""Starts `tutor.worker` in a new session, given its descriptors, one to read from, and two to print to."""


async def launch(descriptors: Sequence[int], stdin: int, stdout: int, stderr: int) -> Process:
    """Start a worker in a new Python process."""
    return await asyncio.create_subprocess_exec(
        sys.executable or "", "-P", "-m", "tutor.worker", *map(str, descriptors), str(os.getpid()),
        stdin=stdin, stdout=stdout, stderr=stderr,
        pass_fds=descriptors, start_new_session=True, env=environment(),
    )  # fmt: skip


class WorkerProcess:
    """One worker process. Make it with `start`; whatever happens then, `end` leaves no process behind.

    Args:
        process: The process.
        control: The socket that it takes commands from.
        events: The descriptor that its frames come from.
        location: Where the program is, in shared memory.
        printed: What comes through its descriptors 1 and 2.
        terminal: Our end of the terminal on which what the program asks is typed; None without.
    """

    def __init__(
        self,
        process: Process,
        control: socket.socket,
        events: int,
        location: CrashLocation,
        printed: list[Printed],
        terminal: int | None = None,
    ) -> None:
        self._process = process
        self._control = control
        self.events = events
        self._location = location.numbers
        self._printed = printed
        self._terminal = terminal

    @classmethod
    async def start(cls, launch: Launch = launch, *, stdin: str = ENDED) -> WorkerProcess:
        """Start a process that imports torch and stands by.

        Args:
            launch: Starts it.
            stdin: Its standard input: ENDED, empty; READ, ours; or TYPED, empty, with a terminal beside it on which
                `type_line` types what the program asks for.

        Raises:
            StartError: It cannot be started.
        """
        check_folder()
        try:
            return await cls._start(launch, stdin)
        except (OSError, RuntimeError) as error:  # no such Python, or no descriptor, process, thread or memory left
            raise StartError(error) from None

    @classmethod
    async def _start(cls, launch: Launch, kind: str) -> WorkerProcess:
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            control, worker_end = socket.socketpair()
            ours.enter_context(control)
            theirs.enter_context(worker_end)

            def pipe() -> tuple[int, int]:
                read_end, write_end = os.pipe()
                ours.callback(os.close, read_end)
                theirs.callback(os.close, write_end)
                return read_end, write_end

            events, write_end = pipe()
            _widen(write_end)
            # Not `PIPE`: `wait` would wait for every process that holds the pipes, also children left behind.
            printed = [pipe(), pipe()]
            file = theirs.enter_context(unnamed_file())
            file.truncate(mmap.PAGESIZE)
            location = CrashLocation(mmap.mmap(file.fileno(), mmap.PAGESIZE))
            descriptors = [worker_end.fileno(), write_end, file.fileno()]
            terminal = None
            if kind == TYPED:
                terminal, terminal_end = os.openpty()
                ours.callback(os.close, terminal)
                theirs.callback(os.close, terminal_end)
                os.set_blocking(terminal, False)
                descriptors.append(terminal_end)
            stdin = 0 if kind == READ else theirs.enter_context(open(os.devnull, "rb")).fileno()
            process = await launch(descriptors, stdin, printed[0][1], printed[1][1])
            ours.pop_all()  # `end` closes them from here on
        control.setblocking(False)
        return cls(process, control, events, location, [await _reader(pipe[0]) for pipe in printed], terminal)

    async def ready(self) -> bool:
        """Wait until torch is imported; return False where the process ended instead."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            return await loop.sock_recv(self._control, len(READY)) == READY
        return False

    async def run(self, command: RunCommand) -> None:
        """Send what to run."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # it has died, which the reader of its events finds out
            await loop.sock_sendall(self._control, commands.encode(command) + b"\n")

    def type_line(self, text: str | None) -> None:
        """Type a line on its terminal, or Ctrl+D for None, which ends what it reads."""
        if self._terminal is None:
            return
        with contextlib.suppress(OSError):  # what the terminal has echoed; there may be nothing
            os.read(self._terminal, 1 << 16)
        with contextlib.suppress(OSError):
            os.write(self._terminal, b"\x04" if text is None else text.encode(errors="replace") + b"\n")

    @property
    def printed(self) -> tuple[asyncio.StreamReader, asyncio.StreamReader]:
        """Readers of what came through descriptors 1 and 2."""
        return self._printed[0][0], self._printed[1][0]

    @property
    def crash_location(self) -> tuple[int, int]:
        """The sites of the statement and of the operation that run, or ran when it died; 0 for none."""
        return self._location[STATEMENT], self._location[OPERATION]

    @property
    def lost_its_pipe(self) -> bool:
        """Whether the program has closed the pipe of its recording."""
        return bool(self._location[PIPE_CLOSED])

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for the process; return its exit status, or minus the number of the signal that killed it.

        asyncio's own `wait` would also wait for the pipes, which a child of the program may keep open.
        """
        while self._process.returncode is None:
            await asyncio.sleep(POLL_INTERVAL)
        return self._process.returncode

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the learner's code."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    async def stop(self) -> None:
        """Interrupt the process, and kill it if it is still alive after `STOP_TIMEOUT`."""
        self.interrupt()
        try:
            await asyncio.wait_for(self.wait(), STOP_TIMEOUT)
        except TimeoutError:
            self.kill()
            await self.wait()

    def kill(self) -> None:
        """Kill the process and its children. Needs no running loop."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill the process if it still runs, and close its pipes."""
        self.kill()
        await self.wait()
        # Children that outlived it would keep its pipes open.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._control.close()
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None
        for _reader, transport in self._printed:
            transport.close()


async def _reader(descriptor: int) -> Printed:
    """Return a reader for a pipe, and the transport that closes it."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader, transport


class Workers:
    """Keeps one worker on stand-by, so that a run starts at once.

    Args:
        launch: Starts a process.
        stdin: What the workers have as standard input, see `WorkerProcess.start`.

    Raises:
        ValueError: There is no such standard input.
    """

    def __init__(self, launch: Launch = launch, *, stdin: str = ENDED) -> None:
        if stdin not in (ENDED, READ, TYPED):
            raise ValueError(f"no standard input of workers: {stdin!r}")
        self._start = partial(WorkerProcess.start, launch, stdin=stdin)
        self._standby: asyncio.Task[WorkerProcess] | None = None

    def prepare(self) -> None:
        """Start the stand-by worker if there is none. Returns at once."""
        if self._standby is None:
            self._standby = asyncio.create_task(self._start())

    async def take(self) -> WorkerProcess:
        """Return the stand-by worker, or a new one if it has died.

        Raises:
            StartError: No worker can be started.
        """
        self.prepare()
        standby, self._standby = self._standby, None
        assert standby is not None
        with contextlib.suppress(StartError):  # a new one may be able to start by now
            worker = await standby
            if worker.alive:
                return worker
            await worker.end()
        return await self._start()

    async def close(self) -> None:
        """End the stand-by worker."""
        standby, self._standby = self._standby, None
        if standby is not None:
            with contextlib.suppress(StartError):
                await (await standby).end()

    def kill(self) -> None:
        """As `close`, at once, for signal handlers."""
        standby = self._standby
        if standby is not None and standby.done() and not standby.cancelled() and standby.exception() is None:
            standby.result().kill()


def unnamed_file() -> BinaryIO:
    """Return a new file without a name: in memory where the system supports it, so that no disk space is needed."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("gradtutor"), "w+b")
    return cast(BinaryIO, tempfile.TemporaryFile())


def check_folder() -> None:
    """Check that the current folder exists: torch's libraries cannot be loaded otherwise.

    Raises:
        StartError: It is gone.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise StartError(_("the current folder cannot be used: {why}", why=error.strerror or error)) from None


def check_room() -> None:
    """Check that there are descriptors left for an event loop; asyncio would fail half-way.

    Raises:
        StartError: There are too few.
    """
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
    """Enlarge a pipe (Linux only), so that a run need not wait while the screen is drawn."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # above the limit of this user
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)


def environment() -> dict[str, str]:
    """Return our environment, with the folder of `tutor` in PYTHONPATH where `-P` would hide it."""
    root = str(Path(__file__).resolve().parent.parent.parent)
    folders = {os.path.realpath(path) for path in sys.path if path}
    try:
        here = os.path.realpath(os.curdir)
    except OSError:  # the current folder is gone
        here = ""
    if here != root and root in folders:
        return dict(os.environ)
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{before}" if before else root}
