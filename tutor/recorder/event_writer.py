"""Keeps the recorder's descriptors apart from those of the learner's program, which may close or replace any.

Where events go: a list that is encoded and written about every 256 events, and 50 ms after the last at the latest.

Encoding happens inline: a thread for it was slower. The thread here only wakes to flush what has waited; it has no
`threading` object, so the learner's `threading.enumerate()` does not show it, and it ends before a fork."""

from __future__ import annotations

import _thread
import contextlib
import fcntl
import resource
from collections.abc import Callable
from os import close, fstat, write
from time import sleep
from typing import Any

import msgspec

from tutor.trace.events import STEP_KINDS, CellEnd, CellStart, Cut, Event, Failed, Output
from tutor.trace.wire import pack_all

_HIGH = 512
"""Where programs that close "all" descriptors, or count them, seldom look."""


def move_up(descriptor: int) -> int:
    """Move a descriptor out of the way of the program's, and close the old one. Returns the new number."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lowest = _HIGH if most == resource.RLIM_INFINITY or most > 2 * _HIGH else most // 2
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    except OSError:  # no room there
        return descriptor
    close(descriptor)
    return moved


class GuardedDescriptor:
    """A descriptor that is used only while it still is the file that it was."""

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
"""The steps that there are once the recording is full."""
_OUTPUT = Output.__struct_config__.tag
OVERRUN = 65_536
"""So many events over the budget are taken to the end of a statement, where the recording is cut."""
WAIT = 0.025
"""Seconds between two looks at what waits; twice this is the longest that an event is kept back."""


def wire_tuple(event: Event) -> tuple[Any, ...]:
    """An event as the tuple that it is on the wire."""
    return (type(event).__struct_config__.tag, *msgspec.structs.astuple(event))


class EventWriter:
    """Collects events (tuples as `events.py` lays them out) and writes them as frames to a descriptor."""

    def __init__(self, descriptor: int, max_events: int, max_bytes: int, full: Callable[[str], bool]) -> None:
        self.waiting: list[tuple[Any, ...]] = []
        self._descriptor = GuardedDescriptor(descriptor)
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._on_full = full
        """Told why; answers whether the recording was cut: not where nothing is being recorded."""
        self._is_full = False
        self.flush_at = min(FRAME_EVENTS, max_events)
        """How many events may wait: when there are so many, `flush` is due."""
        self._events = 0
        self._bytes = 0
        self.lock = _thread.allocate_lock()
        self._stop = _thread.allocate_lock()
        self._stopped = _thread.allocate_lock()
        self._open = True
        self._has_thread = False
        """Whether there is a thread that flushes by time."""
        self.on_idle: Callable[[], None] = lambda: None
        """Called with every look."""
        self.on_closed: Callable[[], None] = lambda: None
        """Called when the program has closed the descriptor."""
        self.on_unsent: Callable[[str, str], None] = lambda stream, text: None
        """Called then with what was printed and is not in the recording."""

    def start(self) -> None:
        """Starts to flush by time too."""
        self._has_thread = True
        self._stop.acquire()
        self._stopped.acquire()
        try:
            _thread.start_new_thread(self._flush_by_time, ())
        except RuntimeError:  # there can be no more threads: then what waits goes with what comes after
            self._stopped.release()

    def stop(self) -> None:
        """Ends the flushing by time, for a fork or for good; in a forked child there is none."""
        if not self._has_thread:
            return
        self._has_thread = False
        self._stop.release()
        self._stopped.acquire()  # until the thread has ended
        self._stopped.release()

    def close_in_child(self) -> None:
        """In a forked child: it must not write into the parent's recording."""
        self._open = False
        self.waiting.clear()
        if self._descriptor.is_same:  # or the recording would seem to go on as long as the child
            close(self._descriptor.number)

    def _flush_by_time(self) -> None:
        seen = 0
        while not self._stop.acquire(timeout=WAIT):
            with contextlib.suppress(Exception):  # the program may have closed what is looked at
                self.on_idle()
            waits = len(self.waiting)
            if waits and seen:
                self._write()
                if self._events >= self._max_events + OVERRUN or self._bytes >= 2 * self._max_bytes:
                    self._check_budget()
                waits = 0
            seen = waits
        self._stop.release()
        self._stopped.release()

    def send(self, event: Event) -> None:
        """Adds an event that is not on the hot path."""
        self.waiting.append(wire_tuple(event))

    def flush(self) -> None:
        """Writes what waits; at the end of the budget, between two statements, no more is recorded."""
        self._write()
        self._check_budget()

    def _check_budget(self) -> None:
        over = self._events >= self._max_events, self._bytes >= self._max_bytes
        if any(over) and not self._is_full:
            self._is_full = self._on_full("events" if over[0] else "bytes")
            self._write()

    def _write(self) -> None:
        with self.lock:
            batch = self.waiting[:]
            if not batch or not self._open:
                return
            del self.waiting[: len(batch)]
            if not self._descriptor.is_same:
                self._drop(batch)
                return
            if self._is_full:  # a statement that the end of the budget came upon may still tell of what it did
                batch = [event for event in batch if event[0] not in _STEPS or event[0] in _AFTER_CUT]
            for frame, count in pack_all(batch, _STEPS):
                self._events += count
                self._bytes += len(frame)
                self._write_frame(frame)
            self.flush_at = (
                FRAME_EVENTS if self._is_full else max(min(FRAME_EVENTS, self._max_events - self._events), 0)
            )

    def _write_frame(self, frame: bytes) -> None:
        view = memoryview(frame)
        try:
            while view and self._open:
                view = view[write(self._descriptor.number, view) :]
        except OSError:
            self._open = False  # the front end is gone, and our input's end will tell us so

    def _drop(self, batch: list[tuple[Any, ...]]) -> None:
        """The program has closed our pipe, or given its number to a file; what it printed before is shown."""
        self._open = False
        self.on_closed()
        for event in batch:
            if event[0] == _OUTPUT:
                self.on_unsent(event[1], event[2])

    @property
    def is_open(self) -> bool:
        """Whether what is sent reaches the front end."""
        return self._open and self._descriptor.is_same

    @property
    def events(self) -> int:
        """How many events were written."""
        return self._events

    def wait_until_written(self) -> None:
        """Writes all that waits, now."""
        while self.waiting and self._open:
            self.flush()
            sleep(0)
