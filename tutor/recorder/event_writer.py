"""Write events to the pipe: about every 256 events, and 50 ms after the last at the latest; 0.4 s while no steps are
recorded.

Events are encoded in the calling thread: another thread was slower. The thread here only flushes what has waited; it
has no `threading` object, so the learner's `threading.enumerate()` does not show it, and it ends before a fork.

The recorder's descriptors are kept out of the way of the program, which may close or replace any.
"""

from __future__ import annotations

import _thread
import contextlib
import fcntl
import functools
import os
import resource
from collections.abc import Callable
from os import close, fstat, write
from time import sleep
from typing import Any

import msgspec

from tutor.trace.events import STEP_KINDS, CellEnd, CellStart, Cut, Event, Failed, Output
from tutor.trace.wire import pack_all

_HIGH = 512
"""Above the descriptors that programs which close "all" of them usually try."""


def move_up(descriptor: int) -> int:
    """Move a descriptor to a high number that the program is unlikely to use, and return that number."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lowest = _HIGH if limit == resource.RLIM_INFINITY or limit > 2 * _HIGH else limit // 2
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    except OSError:  # no room there
        return descriptor
    close(descriptor)
    _allow_duplicates(moved)
    return moved


def _allow_duplicates(own: int) -> None:
    """Ignore `os.dup2` onto a descriptor of the recorder that lies above a limit which the program has lowered.

    Linux refuses that number then, and a program that takes its numbers from `/proc/self/fd` has no such error alone.
    """
    original = os.dup2

    @functools.wraps(original)
    def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
        if fd2 == own and fd2 >= resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
            os.fstat(fd)  # as in dup2, this must be a descriptor
            return fd2
        return original(fd, fd2, inheritable)

    os.dup2 = dup2


class GuardedDescriptor:
    """A descriptor that is used only while it is still the same file."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._file = self._identity()

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = fstat(self.number)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    @property
    def is_same(self) -> bool:
        """Whether the program has neither closed nor replaced it."""
        return self._file is not None and self._identity() == self._file


FRAME_EVENTS = 256
_STEPS = frozenset(kind.__struct_config__.tag for kind in STEP_KINDS)
_AFTER_CUT = frozenset(kind.__struct_config__.tag for kind in (Cut, CellStart, CellEnd, Failed))
"""Steps that are still written once the recording is cut."""
_OUTPUT = Output.__struct_config__.tag
OVERRUN = 65_536
"""Events over the budget that a statement may send before the recording is cut within it."""
WAIT = 0.025
UNRECORDED_WAIT = 0.2
"""Seconds between two checks of what waits, while steps are recorded and while not: each takes time from the program.
An event waits at most twice as long."""


def wire_tuple(event: Event) -> tuple[Any, ...]:
    """Return an event as the tuple that it is on the wire."""
    return (type(event).__struct_config__.tag, *msgspec.structs.astuple(event))


class EventWriter:
    """Collects events (tuples as `events.py` lays them out) and writes them as frames to a descriptor.

    Args:
        descriptor: The pipe.
        max_events: The budget in events.
        max_bytes: The budget in bytes.
        full: Called when the budget is used up, with `events` or `bytes`; returns whether the recording was cut.

    Attributes:
        waiting: Events that are not written yet.
        flush_at: How many may wait before `flush` is due.
        lock: Held while `waiting` is written.
        is_held: Whether what waits is held back, for `take`.
        on_taken: Called with events before they are written, and with those that `take` returns.
        wait: Seconds between two checks of what waits.
        on_idle: Called as often.
        on_closed: Called when the program has closed the descriptor.
        on_unsent: Called then with each output that is not in the recording: stream and text.
    """

    def __init__(self, descriptor: int, max_events: int, max_bytes: int, full: Callable[[str], bool]) -> None:
        self.waiting: list[tuple[Any, ...]] = []
        self._descriptor = GuardedDescriptor(descriptor)
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._on_full = full
        self._is_full = False
        self.flush_at = min(FRAME_EVENTS, max_events)
        self._events = self._steps = 0
        self._max_steps = 0
        self._bytes = 0
        self.lock = _thread.RLock()
        self._stop = _thread.allocate_lock()
        self._stopped = _thread.allocate_lock()
        self.is_held = False
        self.wait = WAIT
        self._open = True
        self._has_thread = False
        self.on_taken: Callable[[list[tuple[Any, ...]]], None] = lambda events: None
        self.on_idle: Callable[[], None] = lambda: None
        self.on_closed: Callable[[], None] = lambda: None
        self.on_unsent: Callable[[str, str], None] = lambda stream, text: None

    def limit_steps(self, count: int) -> None:
        """Cut the recording after this many steps; 0: as many as there are."""
        self._max_steps = count
        if count:
            self.flush_at = min(self.flush_at, count)

    def start(self) -> None:
        """Start the thread that flushes by time."""
        self._has_thread = True
        self._stop.acquire()
        self._stopped.acquire()
        try:
            _thread.start_new_thread(self._flush_by_time, ())
        except RuntimeError:  # no thread is left: then events wait for the next flush
            self._stopped.release()

    def stop(self) -> None:
        """End that thread, for a fork or for good."""
        if not self._has_thread:
            return
        self._has_thread = False
        self._stop.release()
        self._stopped.acquire()  # until the thread has ended
        self._stopped.release()

    def close_in_child(self) -> None:
        """In a forked child: write nothing more into the parent's recording."""
        self._open = False
        self.waiting.clear()
        if self._descriptor.is_same:  # or the recording would stay open as long as the child lives
            close(self._descriptor.number)

    def _flush_by_time(self) -> None:
        waited = 0
        while not self._stop.acquire(timeout=self.wait):
            with contextlib.suppress(Exception):  # the program may have closed the control socket
                self.on_idle()
            count = len(self.waiting)
            if count and waited:
                self.write()
                if self._events >= self._max_events + OVERRUN or self._bytes >= 2 * self._max_bytes:
                    self._check_budget()
                count = 0
            waited = count
        self._stop.release()
        self._stopped.release()

    def send(self, event: Event) -> None:
        """Add an event. Hot paths append tuples to `waiting` themselves."""
        self.waiting.append(wire_tuple(event))

    def flush(self) -> None:
        """Write what waits; then cut the recording if the budget is used up. Called between statements."""
        self.write()
        self._check_budget()

    def _check_budget(self) -> None:
        over = {
            "events": self._events >= self._max_events,
            "bytes": self._bytes >= self._max_bytes,
            "steps": 0 < self._max_steps <= self._steps,
        }
        reason = next((reason for reason, is_over in over.items() if is_over), None)
        if reason is not None and not self._is_full:
            self._is_full = self._on_full(reason)
            self.write()

    def write(self) -> None:
        """Write what waits, unless it is held back; leave it to `flush` to cut the recording."""
        with self.lock:
            if not self.is_held:
                self.write_events(self.take())

    def take(self) -> list[tuple[Any, ...]]:
        """Return what waits; it waits no longer."""
        with self.lock:
            batch = self.waiting[:]
            del self.waiting[: len(batch)]
        self.on_taken(batch)
        return batch

    def write_events(self, batch: list[tuple[Any, ...]]) -> None:
        """Write these events."""
        with self.lock:
            if not batch or not self._open:
                return
            if not self._descriptor.is_same:
                self._drop(batch)
                return
            if self._is_full:  # the statement that used the budget up may have sent more
                batch = [event for event in batch if event[0] not in _STEPS or event[0] in _AFTER_CUT]
            for frame, count in pack_all(batch, _STEPS):
                self._events += count
                self._bytes += len(frame)
                self._write_frame(frame)
            left = self._max_events - self._events
            if self._max_steps:
                self._steps += sum(event[0] in _STEPS for event in batch)
                left = min(left, self._max_steps - self._steps)
            self.flush_at = FRAME_EVENTS if self._is_full else max(min(FRAME_EVENTS, left), 0)

    def _write_frame(self, frame: bytes) -> None:
        view = memoryview(frame)
        try:
            while view and self._open:
                view = view[write(self._descriptor.number, view) :]
        except OSError:
            self._open = False  # the front end is gone; the control socket shows that too

    def _drop(self, batch: list[tuple[Any, ...]]) -> None:
        """Stop writing: the program has closed or replaced the pipe. Pass on the output among the events."""
        self._open = False
        self.on_closed()
        for event in batch:
            if event[0] == _OUTPUT:
                self.on_unsent(event[1], event[2])

    @property
    def is_open(self) -> bool:
        """Whether events still reach the front end."""
        return self._open and self._descriptor.is_same

    @property
    def share(self) -> float:
        """Which share of the budget is used up."""
        events = self._events + len(self.waiting)
        return max(events / max(self._max_events, 1), self._bytes / max(self._max_bytes, 1))

    @property
    def events(self) -> int:
        """The number of events written."""
        return self._events

    def wait_until_written(self) -> None:
        """Write all that waits, now."""
        self.is_held = False
        while self.waiting and self._open:
            self.flush()
            sleep(0)
