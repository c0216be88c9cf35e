"""Go back in a program: forks of it that wait, and run on from where they were made.

A fork waits until the program ends, or resumes it; then the program waits for the fork and ends as it does. So a part
of the program that ran unrecorded runs once more, recorded, with the same state, random numbers and places in files.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import random
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from os import _exit, close, fork, kill, pipe, read, waitpid, write
from signal import getsignal
from signal import signal as install_handler
from time import perf_counter
from typing import NamedTuple, NoReturn

import torch

_SHARE = 100
"""Times as long as making a fork takes, the program runs before the next is made."""
_SIZE = 8
"""Bytes of the number that is sent to a fork."""


class _Checkpoint(NamedTuple):
    """A fork that waits: the number of what it will run next, its process, and the pipe that wakes it."""

    number: int
    process: int
    wake: int


class _File(NamedTuple):
    """An open file, with its position, and its size if text is appended."""

    descriptor: int
    position: int
    size: int | None


class Checkpoints:
    """The forks of this program.

    Attributes:
        is_forking: Whether a fork is being made, in both processes.
    """

    def __init__(self, before: Callable[[], None], resumed: Callable[[], None]) -> None:
        self._before = before
        """Called in the program before it waits for a fork."""
        self._resumed = resumed
        """Called in a fork that is resumed."""
        self._held: list[_Checkpoint] = []
        self._due = 0.0
        self._has_failed = False
        self.is_forking = False

    @property
    def are_possible(self) -> bool:
        """Whether a fork is the whole program: it has no other threads and processes, and uses no GPU.

        Processes that were not started by `multiprocessing` are looked for when a fork is due.
        """
        children = getattr(sys.modules.get("multiprocessing.process"), "_children", ())
        if len(threading.enumerate()) > 1 or children or torch.cuda.is_initialized():
            return False
        return not self._is_due or _children() <= {each.process for each in self._held}

    @property
    def _is_due(self) -> bool:
        return not self._has_failed and (not self._held or perf_counter() >= self._due)

    def take(self, number: int, needed: int) -> int | None:
        """Make a fork if one is due; drop those that are not needed.

        Args:
            number: What the program will run next.
            needed: The last number up to which the program may have to go back.

        Returns:
            None; in a fork that is resumed, what it was resumed for.
        """
        if not self._is_due:
            return None
        started = perf_counter()
        files, state, on_interrupt = list(_files()), random.getstate(), getsignal(signal.SIGINT)
        ends: tuple[int, ...] = ()
        self.is_forking = True
        try:
            read_end, write_end = ends = pipe()
            process = fork()
        except OSError:  # no memory, process or descriptor is left
            self._has_failed = True
            for end in ends:
                close(end)
            return None
        finally:
            self.is_forking = False
        if not process:
            close(write_end)
            for each in self._held:
                close(each.wake)
            self._held.clear()
            reason = self._wait(read_end)
            if on_interrupt is not None:  # None: that of C code
                install_handler(signal.SIGINT, on_interrupt)
            random.setstate(state)  # forks seed it
            _restore(files)
            torch.set_num_threads(1)  # the threads of OpenMP are not in a fork
            self._resumed()
            return reason
        close(read_end)
        self._held.append(_Checkpoint(number, process, write_end))
        while len(self._held) > 1 and self._held[1].number <= needed:
            self._drop(self._held.pop(0))
        self._due = perf_counter() + _SHARE * (perf_counter() - started)
        return None

    def nearest(self, number: int) -> int | None:
        """Return the number of the last fork made at or before `number`, else of the first; None without any."""
        earlier = [each.number for each in self._held if each.number <= number]
        return earlier[-1] if earlier else self._held[0].number if self._held else None

    def resume(self, number: int, reason: int) -> NoReturn:
        """Go back to the fork of this number."""
        chosen = next(each for each in self._held if each.number == number)
        self._held.remove(chosen)
        self.drop_all()
        self._before()
        install_handler(signal.SIGINT, lambda *_: kill(chosen.process, signal.SIGINT))
        write(chosen.wake, reason.to_bytes(_SIZE, "big"))
        status = waitpid(chosen.process, 0)[1]
        if os.WIFSIGNALED(status):
            if os.WTERMSIG(status) != signal.SIGKILL:
                install_handler(os.WTERMSIG(status), signal.SIG_DFL)
            kill(os.getpid(), os.WTERMSIG(status))
        _exit(os.waitstatus_to_exitcode(status))

    def drop_all(self) -> None:
        """End all forks that wait."""
        while self._held:
            self._drop(self._held.pop())

    def _drop(self, checkpoint: _Checkpoint) -> None:
        close(checkpoint.wake)
        try:
            kill(checkpoint.process, signal.SIGKILL)
            waitpid(checkpoint.process, 0)
        except (ProcessLookupError, ChildProcessError):  # the program has waited for it
            return

    @staticmethod
    def _wait(read_end: int) -> int:
        """Wait in a fork until it is resumed; end with the program."""
        install_handler(signal.SIGINT, signal.SIG_IGN)
        message = read(read_end, _SIZE)
        if len(message) < _SIZE:
            _exit(0)
        close(read_end)
        return int.from_bytes(message, "big")


def _children() -> set[int]:
    """Return the processes that this one has started and not waited for; none where there is no `/proc`."""
    children: set[int] = set()
    lists = glob.glob("/proc/self/task/*/children")
    for path in lists:
        with contextlib.suppress(OSError), open(path) as file:  # the thread may have ended
            children.update(map(int, file.read().split()))
    if lists:
        return children
    for path in glob.iglob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(path, "rb") as file:  # it may have ended
            number, _, rest = file.read().partition(b" ")
            if int(rest.rpartition(b")")[2].split()[1]) == os.getpid():
                children.add(int(number))
    return children


def _files() -> Iterator[_File]:
    """Yield the regular files that are open."""
    for name in os.listdir("/dev/fd"):
        try:
            descriptor = int(name)
            info = os.fstat(descriptor)
            if stat.S_ISREG(info.st_mode):
                appends = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND
                yield _File(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR), info.st_size if appends else None)
        except OSError:  # the one by which the folder was read
            continue


def _restore(files: list[_File]) -> None:
    """Put files back to where they were: what is written once more is the same."""
    for file in files:
        try:
            if file.size is not None:
                os.ftruncate(file.descriptor, file.size)
            os.lseek(file.descriptor, file.position, os.SEEK_SET)
        except OSError:  # closed since
            continue
