"""Reading a recording from its file as it is asked for: no more of it is in memory than what is shown needs.

The frames of a recording: kept compressed, decoded when asked, the last ones remembered.

From the start of a recording, or a nearer state that was kept, to the state at any place in it."""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from tutor.i18n import N_, _
from tutor.trace import events as ev
from tutor.trace import wire
from tutor.trace.events import STEP_KINDS, Event, Failed
from tutor.trace.index import Book
from tutor.trace.replay import Replay, copy_state
from tutor.trace.state import State
from tutor.trace.wire import memory_of

MOST_MEMORY = 112 << 20
"""A recording is read on only while this process has not taken so many bytes more than when it began to read it."""
MOST_PIPED = 64 << 20
"""So many bytes are read of what is no regular file."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CHUNK = 1 << 20


def memory_used() -> int:
    """The bytes of memory that this process has now; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read(256).split()[1]) * _PAGE
    return 0


class RecordingFile:
    """The bytes of a file. It stays open, so that they are there though another takes its place."""

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        self._data: bytes | None = None
        self._before = memory_used()
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode):
                self.size = status.st_size
                self._descriptor = os.dup(file.fileno())
            else:
                self._data = file.read(MOST_PIPED)
                self.size = len(self._data)

    def takes_much(self) -> bool:
        """Whether so much memory was taken since that no more is to be read."""
        return memory_used() - self._before > MOST_MEMORY

    def read(self, start: int, end: int) -> bytes:
        """These bytes; fewer where the file has become shorter, none where it cannot be read."""
        if self._data is not None:
            return self._data[start:end]
        try:
            return os.pread(self._descriptor, end - start, start)
        except OSError:
            return b""

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """The same in pieces."""
        for place in range(start, end, _CHUNK):
            yield self.read(place, min(place + _CHUNK, end))

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class StoredFrames:
    """The frames of a file: where each of them is."""

    def __init__(self, stored: RecordingFile) -> None:
        self._stored = stored
        self._starts = array("Q")
        self._ends = array("Q")

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, start: int, end: int) -> None:
        """One more frame."""
        self._starts.append(start)
        self._ends.append(end)

    def __iter__(self) -> Iterator[bytes]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> bytes:
        return self._stored.read(self._starts[number], self._ends[number])


STEP_TYPES = frozenset(STEP_KINDS)
_NUMBERS: dict[type[Event], int] = {kind: number for number, kind in enumerate(STEP_KINDS, 1)}
REMEMBERED = 2 << 20
"""How many inflated bytes of decoded frames are kept at hand."""
HEAVY = 48
"""A frame that takes more memory than so many times its bytes counts as more of them."""
MOST_FRAMES = 1_000_000
"""A file has no more frames than this."""

Place = tuple[int, int]
"""A frame and an event in it, both from 0."""


class DecodedFrame:
    """A frame's events, where the steps are among them, and its inflated size."""

    __slots__ = ("events", "size", "steps")

    def __init__(self, events: list[Event], steps: list[int], size: int) -> None:
        self.events = events
        self.steps = steps
        self.size = size


class Frames:
    """All frames so far."""

    def __init__(self) -> None:
        self.data: list[wire.Buffer] | StoredFrames = []
        self.steps_before = array("Q")
        self.events_before = array("Q")
        self.steps = 0
        self.events = 0
        self.damaged: list[str] = []
        """What was found wrong while decoding."""
        self.kinds: bytearray | None = None
        """What a file says each step to be. A step that is another when its frame is decoded cannot be read: then this
        says so from there on."""
        self.takes_much: Callable[[], bool] = lambda: False
        """Of a recording from a file: whether so much memory was taken that no more is to be read."""
        self.let_go: Callable[[], None] = lambda: None
        """Called where memory is short."""
        self._decoded: OrderedDict[int, DecodedFrame] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self.data)

    def append(self, frame: wire.Buffer, events: int, steps: int, decoded: DecodedFrame | None = None) -> None:
        """One more frame."""
        assert isinstance(self.data, list)
        if decoded is not None:
            self._remember(len(self.data), decoded)
        self.data.append(frame)
        self._count(events, steps)

    def add_stored(self, start: int, end: int, events: int, steps: int) -> None:
        """One more frame, which is in the file there."""
        assert isinstance(self.data, StoredFrames)
        self.data.add(start, end)
        self._count(events, steps)

    def _count(self, events: int, steps: int) -> None:
        self.steps_before.append(self.steps)
        self.events_before.append(self.events)
        self.steps += steps
        self.events += events

    def __getitem__(self, number: int) -> DecodedFrame:
        """The events of a frame."""
        decoded = self._decoded.get(number)
        if decoded is None:
            decoded = self._decode(number)
            self._remember(number, decoded)
        else:
            self._decoded.move_to_end(number)
        return decoded

    def step(self, step: int) -> Place:
        """Where the event of a step is."""
        number = bisect_left(self.steps_before, step) - 1
        return number, self[number].steps[step - self.steps_before[number] - 1]

    def after(self, step: int) -> Place:
        """The end of all that belongs to a step: where the next step's event is, or the end."""
        return self.step(step + 1) if step < self.steps else (len(self.data), 0)

    def between(self, start: Place, end: Place) -> Iterator[list[Event]]:
        """The events from `start` on and before `end`, frame by frame."""
        for number in range(start[0], min(end[0] + 1, len(self.data))):
            first = start[1] if number == start[0] else 0
            last = end[1] if number == end[0] else None
            if last != 0:
                yield self[number].events[first:last]

    def distance(self, place: Place) -> int:
        """How many events come before a place."""
        return self.events_before[place[0]] + place[1] if place[0] < len(self.data) else self.events

    def _remember(self, number: int, decoded: DecodedFrame) -> None:
        self._decoded[number] = decoded
        self._size += decoded.size
        while self._size > REMEMBERED and len(self._decoded) > 1:
            self._size -= self._decoded.popitem(last=False)[1].size

    def forget(self) -> None:
        """Let go of what is decoded."""
        self._decoded.clear()
        self._size = 0

    def _decode(self, number: int) -> DecodedFrame:
        """A frame of a file; its header's word on the steps holds, or places would not be found."""
        first = self.steps_before[number]
        wanted = (self.steps_before[number + 1] if number + 1 < len(self.data) else self.steps) - first
        try:
            self._look_at_memory()
            payload = wire.inflate(self.data[number])
            events = wire.decode_payload(payload, self._tell)
            size = max(len(payload), memory_of(payload) // HEAVY)
        except wire.WireError as error:
            events, size = [], 0
            self._tell(_("A part of the recording cannot be read: {error}.", error=error))
        steps = step_places(events)
        if len(steps) != wanted:
            self._tell(
                _(
                    "A part of the recording has {count} steps where {wanted} are announced.",
                    count=len(steps),
                    wanted=wanted,
                )
            )
            events = events[: steps[wanted]] if len(steps) > wanted else events
            events = events + [_UNREADABLE] * (wanted - len(steps))
            steps = step_places(events)
        if self.kinds is not None:
            self._compare(events, steps, self.kinds, first)
        return DecodedFrame(events, steps, size)

    def _compare(self, events: list[Event], steps: list[int], kinds: bytearray, first: int) -> None:
        """Steps that are not what the file says they are cannot be read."""
        for step, place in enumerate(steps, first):
            if _NUMBERS[type(events[place])] == kinds[step]:
                continue
            if events[place] is not _UNREADABLE:
                self._tell(_("Some steps of the recording are not what it says they are: they cannot be read."))
            events[place] = _UNREADABLE
            kinds[step] = _NUMBERS[Failed]

    def _look_at_memory(self) -> None:
        if self.takes_much():
            self.let_go()
            if self.takes_much():
                raise wire.WireError(_("it takes too much memory"))

    def _tell(self, text: str) -> None:
        if text not in self.damaged:
            self.damaged.append(text)


def step_places(events: list[Event]) -> list[int]:
    """The places of the steps in a list of events."""
    return [place for place, event in enumerate(events) if type(event) in STEP_TYPES]


_UNREADABLE = Failed("TraceError", N_("This part of the recording cannot be read."), None, None, None, None)


Key = Callable[[], wire.Buffer]

KEY_EVERY = 2048
"""A key at the earliest after so many events: what is replayed in 5 ms."""
KEY_BYTES = 64
"""For so many bytes of a key one more event: large states are kept less often."""
HEADS = 4
"""So many states are moved through the recording: one for the cursor, others for what an explanation looks back at."""
MARKS = 24
"""How many states on the way to one that was asked for are kept at hand."""
MARK_SIZE = 120_000
"""So many tensors and nodes the states kept on the way have at most in all, but for the last."""

MOST_STATE = 32 << 20
"""A state that is kept has at most so many bytes."""

_START: Place = (0, 0)
_encode = msgspec.msgpack.Encoder().encode


class Seeker:
    """States that are moved through the recording, and the states kept to start from."""

    def __init__(self, book: Book, frames: Frames) -> None:
        self.keys: list[tuple[int, Key]] = []
        """Before which frame, and how to get at the frame of a `Key`: its state is msgpack, compressed."""
        self._book = book
        self._frames = frames
        self._due = KEY_EVERY
        self._heads: list[tuple[Place, Replay]] = []
        """Where they are, the one moved last at the end."""
        self._marks: OrderedDict[Place, State] = OrderedDict()
        self._marked = 0
        """How large the marks are in all."""

    def keep(self, state: State) -> None:
        """Keep the state after all frames, if it is time for that."""
        if self._frames.events < self._due:
            return
        encoded = _encode(state)
        key = zlib.compress(encoded, 1)
        if len(encoded) < MOST_STATE and len(key) < wire.MAX_LENGTH // 2:
            frame = wire.seal(_encode([ev.Key(key)]), 0, 0, 0)
            self.keys.append((len(self._frames), lambda: frame))
        self._due = self._frames.events + KEY_EVERY + len(key) // KEY_BYTES

    def forget(self) -> None:
        """Let go of the states at hand."""
        self._heads.clear()
        self._marks.clear()
        self._marked = 0

    def seek(self, target: Place) -> State:
        """The state before the event at a place; a copy that nothing changes later."""
        start, replay = self._approach(target)
        number = start[0]
        for events in self._frames.between(start, target):
            if number != start[0]:
                self._mark((number, 0), replay.state)
            replay.run(events)
            number += 1
        self._heads.append((target, replay))
        del self._heads[:-HEADS]
        return copy_state(replay.state)

    def _mark(self, place: Place, state: State) -> None:
        """Keep a state that is on the way."""
        if place in self._marks:
            return
        self._marks[place] = copy_state(state)
        self._marked += _size(state)
        while len(self._marks) > MARKS or (self._marked > MARK_SIZE and len(self._marks) > 1):
            self._marked -= _size(self._marks.popitem(last=False)[1])

    def _approach(self, target: Place) -> tuple[Place, Replay]:
        """The nearest place at or before `target` whose state is known, and what goes on from there."""
        head = max((place for place, _ in self._heads if place <= target), default=_START)
        mark = max((place for place in self._marks if place <= target), default=_START)
        key = bisect_right(self.keys, target[0], key=lambda key: key[0])
        while key and (self.keys[key - 1][0], 0) > max(head, mark):
            try:
                state = _state_of(self.keys[key - 1][1]())
            except wire.UNREADABLE:
                del self.keys[key - 1]
                key -= 1
            else:
                place = (self.keys[key - 1][0], 0)
                self._mark(place, state)
                return place, Replay(state, self._book)
        if mark > head:
            self._marks.move_to_end(mark)
            return mark, Replay(copy_state(self._marks[mark]), self._book)
        for index, (place, _head) in enumerate(self._heads):
            if place == head:
                return self._heads.pop(index)
        return _START, Replay(State(), self._book)


def _state_of(frame: wire.Buffer) -> State:
    """The state in the frame of a `Key`. Raises what is in `wire.UNREADABLE`."""
    packed: list[ev.Key] = wire.decoder(list[ev.Key])(
        wire.expand(memoryview(frame)[wire.HEADER.size :], wire.MAX_LENGTH)
    )
    encoded = wire.expand(packed[0].state if packed else b"", MOST_STATE)
    if memory_of(encoded, 2 * MOST_STATE) > 2 * MOST_STATE:
        raise wire.WireError(_("it takes too much memory"))
    state: State = wire.decoder(State)(encoded)
    return state


def _size(state: State) -> int:
    return len(state.tensors) + len(state.nodes)
