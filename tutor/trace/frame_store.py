"""The frames of a recording, and how a state is reached from them.

`Frames` has the compressed frames, in memory or in a `RecordingFile`, and a cache of decoded ones. `Seeker` replays
events from the nearest state that it has: a key in the recording, or one that it reached before.
"""

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
from tutor.trace.index import Definitions
from tutor.trace.replay import Replay
from tutor.trace.state import State, copy_state
from tutor.trace.wire import memory_of

# ---------------------------------------------------------------- the file

MAX_MEMORY_GROWTH = 112 << 20
"""Bytes by which the process may grow while it reads a recording; then no more of it is read."""
MAX_PIPED = 64 << 20
"""Maximum number of bytes read from a pipe or device."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CHUNK = 1 << 20


def memory_used() -> int:
    """Return the resident memory of this process in bytes; 0 if the system does not report it."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read(256).split()[1]) * _PAGE
    return 0


class RecordingFile:
    """The bytes of a file. It stays open, so they remain readable if the file is replaced."""

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
                self._data = file.read(MAX_PIPED)
                self.size = len(self._data)

    def exceeds_memory(self) -> bool:
        """Return whether the process has grown by more than `MAX_MEMORY_GROWTH` since the file was opened."""
        return memory_used() - self._before > MAX_MEMORY_GROWTH

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes of a range; fewer if the file became shorter, none if it cannot be read."""
        if self._data is not None:
            return self._data[start:end]
        try:
            return os.pread(self._descriptor, end - start, start)
        except OSError:
            return b""

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the same in chunks."""
        for offset in range(start, end, _CHUNK):
            yield self.read(offset, min(offset + _CHUNK, end))

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class StoredFrames:
    """The frames in a file, as a sequence that reads each when it is asked for."""

    def __init__(self, stored: RecordingFile) -> None:
        self._stored = stored
        self._starts = array("Q")
        self._ends = array("Q")

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, start: int, end: int) -> None:
        """Add the frame in this range of the file."""
        self._starts.append(start)
        self._ends.append(end)

    def __iter__(self) -> Iterator[bytes]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> bytes:
        return self._stored.read(self._starts[number], self._ends[number])


# ---------------------------------------------------------------- frames

STEP_TYPES = frozenset(STEP_KINDS)
_NUMBERS: dict[type[Event], int] = {kind: number for number, kind in enumerate(STEP_KINDS, 1)}
DECODED_BYTES = 2 << 20
"""Size of the cache of decoded frames, in inflated bytes."""
BYTES_RATIO = 48
"""Memory per inflated byte above which a frame counts with more than its bytes."""
MAX_FRAMES = 1_000_000
"""Maximum number of frames in a file."""

FramePosition = tuple[int, int]
"""A frame and an event in it, both from 0."""


class DecodedFrame:
    """The events of a frame, the positions of the steps among them, and its inflated size in bytes."""

    __slots__ = ("events", "size", "steps")

    def __init__(self, events: list[Event], size: int) -> None:
        self.events = events
        self.steps = step_positions(events)
        self.size = size


def decode(payload: bytes, notice: wire.Notice) -> DecodedFrame:
    """Return the events of an inflated frame, calling `notice` with a sentence for those that are skipped. Raises
    WireError."""
    events, length = wire.decode_payload(payload, notice)
    return DecodedFrame(events, max(length, memory_of(payload) // BYTES_RATIO))


class Frames:
    """All frames so far, with the numbers of the steps and events in them."""

    def __init__(self) -> None:
        self.data: list[wire.Buffer] | StoredFrames = []
        self.steps_before = array("Q")
        self.events_before = array("Q")
        self.steps = 0
        self.events = 0
        self.damaged: list[str] = []
        """Sentences on errors that were found while decoding."""
        self.kinds: bytearray | None = None
        """The kinds of all steps by the summary of the file. A decoded step of another kind is replaced by a `Failed`,
        here too."""
        self.exceeds_memory: Callable[[], bool] = lambda: False
        """Returns whether too much memory is used to decode another frame; see `RecordingFile`."""
        self.free_memory: Callable[[], None] = lambda: None
        """Called if it is, before giving up."""
        self._decoded: OrderedDict[int, DecodedFrame] = OrderedDict()
        self._size = 0
        self.last: tuple[int, int, int, DecodedFrame] | None = None
        """The frame of the last step that was asked for, as (steps before it, its last step, number, frame): the next
        is nearly always in it too."""

    def __len__(self) -> int:
        return len(self.data)

    def append(self, frame: wire.Buffer, events: int, steps: int, decoded: DecodedFrame | None = None) -> None:
        """Append a frame with its numbers of events and steps, and its decoded form if there is one."""
        assert isinstance(self.data, list)
        if decoded is not None:
            self._remember(len(self.data), decoded)
        self.data.append(frame)
        self._count(events, steps)

    def add_stored(self, start: int, end: int, events: int, steps: int) -> None:
        """Append a frame in this range of the file."""
        assert isinstance(self.data, StoredFrames)
        self.data.add(start, end)
        self._count(events, steps)

    def _count(self, events: int, steps: int) -> None:
        self.steps_before.append(self.steps)
        self.events_before.append(self.events)
        self.steps += steps
        self.events += events

    def __getitem__(self, number: int) -> DecodedFrame:
        """Return a frame decoded, from the cache if it is there."""
        decoded = self._decoded.get(number)
        if decoded is None:
            decoded = self._decode(number)
            self._remember(number, decoded)
        else:
            self._decoded.move_to_end(number)
        return decoded

    def once(self, number: int) -> DecodedFrame:
        """As `[number]`, but a frame that is not in the cache is not put there: for a reader of all of them."""
        decoded = self._decoded.get(number)
        return self._decode(number) if decoded is None else decoded

    def step(self, step: int) -> FramePosition:
        """Return the position of the event of a step."""
        before, number, frame = self._frame_of(step)
        return number, frame.steps[step - before - 1]

    def event(self, step: int) -> Event:
        """Return the event of a step."""
        before, _, frame = self._frame_of(step)
        return frame.events[frame.steps[step - before - 1]]

    def following(self, step: int) -> list[Event]:
        """Return the events after the event of a step and before that of the next step."""
        before, number, frame = self._frame_of(step)
        index = step - before
        if index < len(frame.steps):
            return frame.events[frame.steps[index - 1] + 1 : frame.steps[index]]
        start = number, frame.steps[index - 1] + 1
        return [event for part in self.between(start, self.after(step)) for event in part]

    def _frame_of(self, step: int) -> tuple[int, int, DecodedFrame]:
        """Return the frame of a step: the number of steps before it, its number, and the frame."""
        if self.last is None or not self.last[0] < step <= self.last[1]:
            number = bisect_left(self.steps_before, step) - 1
            before, frame = self.steps_before[number], self[number]
            self.last = before, before + len(frame.steps), number, frame
        before, _, number, frame = self.last
        return before, number, frame

    def after(self, step: int) -> FramePosition:
        """Return the position of the next step's event, or the end of the recording."""
        return self.step(step + 1) if step < self.steps else (len(self.data), 0)

    def between(self, start: FramePosition, end: FramePosition) -> Iterator[list[Event]]:
        """Yield the events from `start` up to, but without, `end`: a list for each frame."""
        for number in range(start[0], min(end[0] + 1, len(self.data))):
            first = start[1] if number == start[0] else 0
            last = end[1] if number == end[0] else None
            if last != 0:
                yield self[number].events[first:last]

    def distance(self, place: FramePosition) -> int:
        """Return the number of events before a position."""
        return self.events_before[place[0]] + place[1] if place[0] < len(self.data) else self.events

    def _remember(self, number: int, decoded: DecodedFrame) -> None:
        self._decoded[number] = decoded
        self._size += decoded.size
        while self._size > DECODED_BYTES and len(self._decoded) > 1:
            self._size -= self._decoded.popitem(last=False)[1].size

    def forget(self) -> None:
        """Empty the cache of decoded frames."""
        self._decoded.clear()
        self._size = 0
        self.last = None

    def _decode(self, number: int) -> DecodedFrame:
        """Decode a frame. The step count of its header is authoritative: steps are cut off or added to match it."""
        first = self.steps_before[number]
        expected = (self.steps_before[number + 1] if number + 1 < len(self.data) else self.steps) - first
        try:
            self._check_memory()
            decoded = decode(wire.inflate(self.data[number]), self._report)
        except wire.WireError as error:
            decoded = DecodedFrame([], 0)
            self._report(_("A part of the recording cannot be read: {error}.", error=error))
        steps = decoded.steps
        if len(steps) != expected:
            self._report(
                _(
                    "A part of the recording has {count} steps where {wanted} are announced.",
                    count=len(steps),
                    wanted=expected,
                )
            )
            events = decoded.events[: steps[expected]] if len(steps) > expected else decoded.events
            decoded = DecodedFrame(events + [_UNREADABLE] * (expected - len(steps)), decoded.size)
        if self.kinds is not None:
            self._check_kinds(decoded, self.kinds, first)
        return decoded

    def _check_kinds(self, frame: DecodedFrame, kinds: bytearray, first: int) -> None:
        """Replace steps whose kind differs from the one in the summary."""
        events = frame.events
        for step, position in enumerate(frame.steps, first):
            if _NUMBERS[type(events[position])] == kinds[step]:
                continue
            if events[position] is not _UNREADABLE:
                self._report(_("Some steps of the recording are not what it says they are: they cannot be read."))
            events[position] = _UNREADABLE
            kinds[step] = _NUMBERS[Failed]

    def _check_memory(self) -> None:
        if self.exceeds_memory():
            self.free_memory()
            if self.exceeds_memory():
                raise wire.WireError(_("it takes too much memory"))

    def _report(self, text: str) -> None:
        if text not in self.damaged:
            self.damaged.append(text)


def step_positions(events: list[Event]) -> list[int]:
    """Return the positions of the steps in a list of events."""
    return [position for position, event in enumerate(events) if type(event) in STEP_TYPES]


_UNREADABLE = Failed("TraceError", N_("This part of the recording cannot be read."), None, None, None, None)


# ---------------------------------------------------------------- states

Key = Callable[[], wire.Buffer]

KEY_EVERY = 2048
"""Minimum number of events between two keys; as many are replayed in 5 ms."""
KEY_BYTES = 64
"""The distance between keys grows by one event for this many bytes of a key: large states are stored less often."""
NEAR = 256
"""Distance in events up to which a state is moved forward though a key may be nearer: decoding one takes longer."""
HEADS = 4
"""Number of states that are moved forward: one follows the cursor, others the steps that explanations look back at."""
MARKS = 24
"""Number of intermediate states that are cached."""
MAX_MARKED = 120_000
"""Maximum number of tensors and nodes in the cached states, not counting the last one."""

MAX_STATE = 32 << 20
"""Maximum size of the state in a key, in bytes of msgpack."""

_START: FramePosition = (0, 0)
_encode = msgspec.msgpack.Encoder().encode


class Seeker:
    """Reaches the state at any position, by replaying events from the nearest state that it has."""

    def __init__(self, definitions: Definitions, frames: Frames) -> None:
        self.keys: list[tuple[int, Key]] = []
        """The keys, as (number of the frame that follows, function that returns the key's frame)."""
        self._definitions = definitions
        self._frames = frames
        self._due = KEY_EVERY
        self._heads: list[tuple[FramePosition, Replay]] = []
        """States that are moved forward, with their positions; the one used last is at the end."""
        self._marks: OrderedDict[FramePosition, State] = OrderedDict()
        self._marked = 0
        """Total size of the cached states, in tensors and nodes."""

    def keep(self, state: State) -> None:
        """Store the state after all frames as a key, if enough events came since the last one."""
        if self._frames.events < self._due:
            return
        encoded = _encode(state)
        key = zlib.compress(encoded, 1)
        if len(encoded) < MAX_STATE and len(key) < wire.MAX_LENGTH // 2:
            frame = wire.seal(_encode([ev.Key(key)]), 0, 0, 0)
            self.keys.append((len(self._frames), lambda: frame))
        self._due = self._frames.events + KEY_EVERY + len(key) // KEY_BYTES

    def forget(self) -> None:
        """Empty the caches of states."""
        self._heads.clear()
        self._marks.clear()
        self._marked = 0

    def seek(self, target: FramePosition) -> State:
        """Return the state before the event at a position, as a copy that never changes later."""
        start, replay = self._approach(target)
        number = start[0]
        for events in self._frames.between(start, target):
            if number != start[0]:
                self._mark((number, 0), replay.state)
            if number == target[0] and len(events) > NEAR:  # who goes back will come to the events before the last ones
                replay.run(events[:-NEAR])
                self._mark((number, target[1] - NEAR), replay.state)
                events = events[-NEAR:]
            replay.run(events)
            number += 1
        self._heads.append((target, replay))
        del self._heads[:-HEADS]
        return copy_state(replay.state)

    def _mark(self, place: FramePosition, state: State) -> None:
        """Cache an intermediate state."""
        if place in self._marks:
            return
        self._marks[place] = copy_state(state)
        self._marked += _size(state)
        while len(self._marks) > MARKS or (self._marked > MAX_MARKED and len(self._marks) > 1):
            self._marked -= _size(self._marks.popitem(last=False)[1])

    def _approach(self, target: FramePosition) -> tuple[FramePosition, Replay]:
        """Return the nearest position at or before `target` whose state is available, and a replay from there."""
        if self._heads:
            newest = self._heads[-1][0]
            if newest[0] == target[0] and 0 <= target[1] - newest[1] <= NEAR:
                return self._heads.pop()
        head = max((place for place, _ in self._heads if place <= target), default=_START)
        if self._frames.distance(target) - self._frames.distance(head) <= NEAR:
            return self._take_head(head)
        mark = max((place for place in self._marks if place <= target), default=_START)
        key = bisect_right(self.keys, target[0], key=lambda key: key[0])
        while key and (self.keys[key - 1][0], 0) > max(head, mark):
            try:
                state = _decode_key(self.keys[key - 1][1]())
            except wire.UNREADABLE:
                del self.keys[key - 1]
                key -= 1
            else:
                place = (self.keys[key - 1][0], 0)
                self._mark(place, state)
                return place, Replay(state, self._definitions)
        if mark > head:
            self._marks.move_to_end(mark)
            return mark, Replay(copy_state(self._marks[mark]), self._definitions)
        return self._take_head(head)

    def _take_head(self, head: FramePosition) -> tuple[FramePosition, Replay]:
        """Return the state that is moved forward from a position; the empty state if there is none."""
        for index, (place, _head) in enumerate(self._heads):
            if place == head:
                return self._heads.pop(index)
        return _START, Replay(State(), self._definitions)


def _decode_key(frame: wire.Buffer) -> State:
    """Return the state in the frame of a `Key`. Raises one of `wire.UNREADABLE` if it is damaged."""
    packed: list[ev.Key] = wire.decoder(list[ev.Key])(
        wire.expand(memoryview(frame)[wire.HEADER.size :], wire.MAX_LENGTH)
    )
    encoded = wire.expand(packed[0].state if packed else b"", MAX_STATE)
    if memory_of(encoded, 2 * MAX_STATE) > 2 * MAX_STATE:
        raise wire.WireError(_("it takes too much memory"))
    state: State = wire.decoder(State)(encoded)
    return state


def _size(state: State) -> int:
    return len(state.tensors) + len(state.nodes)
