"""Run lessons one after another in forks of a process that has imported torch."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence

import msgspec

from tutor.lesson.model import MISSING, LessonError
from tutor.session.worker_process import StartError, check_folder, describe_failed_start, environment, unnamed_file
from tutor.trace import wire
from tutor.trace.command import HEADER, STATUS, ForkRequest, RunCommand, encode
from tutor.trace.timeline import Timeline

MAX_SECONDS = 60
"""Maximum seconds of a run."""


class Fork:
    """A process that the fork server made for a request."""

    def __init__(self, answer: int) -> None:
        self._answer = answer
        self.lost = False
        """Whether the server ended before it could report the end of the fork."""

    def fileno(self) -> int:
        """Return a descriptor for `select`: readable once the process has ended."""
        return self._answer

    def wait(self) -> int:
        """Wait until the process ends (call once). Return its exit status; the negative signal number if a signal
        ended it.
        """
        status = os.read(self._answer, STATUS.size)
        os.close(self._answer)
        self.lost = not status
        return int(STATUS.unpack(status)[0]) if status else -1


class ForkServer:
    """A process that has imported torch and forks for each request; `close` ends it.

    Raises:
        LessonError: No process can be started.
    """

    def __init__(self, *program: str) -> None:
        with contextlib.ExitStack() as ours:
            modules = program or ("-m", "tutor.worker.fork_server")
            try:
                control, theirs = socket.socketpair()
                ours.enter_context(control)
                with theirs:
                    errors = ours.enter_context(unnamed_file())
                    self._process = subprocess.Popen(
                        [sys.executable or "", "-P", *modules, str(theirs.fileno())],
                        pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                        stderr=errors, env=environment(),
                    )  # fmt: skip
            except OSError as error:  # no such Python; no descriptor, process or room is left
                raise LessonError(str(StartError(error)), status=MISSING) from None
            ours.pop_all()  # from here on `close` closes them
        self._control, self._errors = control, errors

    def fork(self, request: bytes, descriptors: Sequence[int]) -> Fork:
        """Send a request, with file descriptors that stay open here too.

        Raises:
            OSError: The server is gone.
        """
        read_end, write_end = os.pipe()
        header = HEADER.pack(len(request), len(descriptors) + 1)
        try:
            socket.send_fds(self._control, [header], [write_end, *descriptors])
            self._control.sendall(request)
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        return Fork(read_end)

    def problem(self) -> LessonError:
        """Return the error to report when the server is gone."""
        status = self._process.wait()
        try:
            check_folder()
        except StartError as error:
            return LessonError(str(error), status=MISSING)
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 4096))
        printed = self._errors.read().decode(errors="replace")
        return LessonError(describe_failed_start(status, printed), status=MISSING)

    def close(self) -> None:
        """End the server."""
        self._control.close()
        self._process.wait()
        self._errors.close()


class RunResult(msgspec.Struct):
    """The recording and the exit status of a run."""

    timeline: Timeline
    status: int
    """The exit status; the negative signal number if a signal ended the run."""

    @property
    def bytes(self) -> int:
        """How large the recording is in a file."""
        return sum(len(frame) for frame in self.timeline.frames.data)

    @property
    def seconds(self) -> float:
        """How long its code ran."""
        ends = (self.timeline.event(cell.end) for cell in self.timeline.cells if cell.end is not None)
        return sum(getattr(end, "seconds", 0.0) for end in ends)


class Runner:
    """Runs lessons in forks of a server, one at a time; by default it starts the server. `close` ends the server."""

    def __init__(self, server: ForkServer | None = None) -> None:
        self._server = server or ForkServer()

    def run(self, command: RunCommand, *, seconds: int = MAX_SECONDS, printed: Sequence[int] = ()) -> RunResult:
        """Run a lesson to its end.

        Args:
            seconds: The time limit.
            printed: Descriptors for standard output and error.

        Raises:
            LessonError: Nothing can be run here.
        """
        read_end, write_end = os.pipe()
        try:
            request = encode(ForkRequest(command, seconds))
            fork = self._server.fork(request, [write_end, *printed])
        except (BrokenPipeError, ConnectionError):
            os.close(read_end)
            raise self._server.problem() from None
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        timeline = Timeline()
        buffer = bytearray()
        with os.fdopen(read_end, "rb", buffering=0) as events:
            for data in _read_until_end(events.fileno(), fork):
                buffer += data
                for frame in wire.split(buffer):
                    timeline.feed(frame)
        status = fork.wait()
        if fork.lost:
            raise self._server.problem()
        return RunResult(timeline, status)

    def close(self) -> None:
        """End the server."""
        self._server.close()


def _read_until_end(events: int, fork: Fork) -> Iterator[bytes]:
    """Yield the data written until the run has ended: a child process left behind may keep the pipe open."""
    ended = False
    while True:
        ready = select.select([events] if ended else [events, fork.fileno()], [], [], 0 if ended else None)[0]
        if events in ready:
            data = os.read(events, 1 << 16)
            if not data:
                return
            yield data
        elif ended:
            return
        else:
            ended = True
