"""The frames of a recording: kept compressed, decoded when asked, the last ones remembered."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator

from tutor.i18n import N_, _
from tutor.trace import wire
from tutor.trace.events import STEP_KINDS, Event, Failed
from tutor.trace.stored import StoredFrames
from tutor.trace.weighing import memory_of

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


class Decoded:
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
        self._decoded: OrderedDict[int, Decoded] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self.data)

    def append(self, frame: wire.Buffer, events: int, steps: int, decoded: Decoded | None = None) -> None:
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

    def __getitem__(self, number: int) -> Decoded:
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

    def _remember(self, number: int, decoded: Decoded) -> None:
        self._decoded[number] = decoded
        self._size += decoded.size
        while self._size > REMEMBERED and len(self._decoded) > 1:
            self._size -= self._decoded.popitem(last=False)[1].size

    def forget(self) -> None:
        """Let go of what is decoded."""
        self._decoded.clear()
        self._size = 0

    def _decode(self, number: int) -> Decoded:
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
        steps = steps_among(events)
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
            steps = steps_among(events)
        if self.kinds is not None:
            self._compare(events, steps, self.kinds, first)
        return Decoded(events, steps, size)

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


def steps_among(events: list[Event]) -> list[int]:
    """The places of the steps in a list of events."""
    return [place for place, event in enumerate(events) if type(event) in STEP_TYPES]


_UNREADABLE = Failed("TraceError", N_("This part of the recording cannot be read."), None, None, None, None)
