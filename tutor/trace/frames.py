"""The frames of a recording: kept compressed, decoded when asked, the last ones remembered."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator

from tutor.language import later, tr
from tutor.trace import wire
from tutor.trace.events import STEP_KINDS, Event, Failed

STEP_TYPES = frozenset(STEP_KINDS)
REMEMBERED = 2 << 20
"""How many inflated bytes of decoded frames are kept at hand."""

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
        self.data: list[wire.Buffer] = []
        self.steps_before: list[int] = []
        self.events_before: list[int] = []
        self.steps = 0
        self.events = 0
        self.damaged: list[str] = []
        """What was found wrong while decoding."""
        self._decoded: OrderedDict[int, Decoded] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self.data)

    def append(self, frame: wire.Buffer, events: int, steps: int, decoded: Decoded | None = None) -> None:
        """One more frame."""
        self.steps_before.append(self.steps)
        self.events_before.append(self.events)
        self.steps += steps
        self.events += events
        if decoded is not None:
            self._remember(len(self.data), decoded)
        self.data.append(frame)

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

    def _decode(self, number: int) -> Decoded:
        """A frame of a file; its header's word on the steps holds, or places would not be found."""
        wanted = (self.steps_before[number + 1] if number + 1 < len(self.data) else self.steps) - self.steps_before[
            number
        ]
        try:
            payload = wire.inflate(self.data[number])
            events = wire.decode_payload(payload)
            size = len(payload)
        except wire.WireError as error:
            events, size = [], 0
            self.damaged.append(tr("A part of the recording cannot be read: {error}.", error=error))
        steps = steps_among(events)
        if len(steps) != wanted:
            self.damaged.append(
                tr(
                    "A part of the recording has {count} steps where {wanted} are announced.",
                    count=len(steps),
                    wanted=wanted,
                )
            )
            events = events[: steps[wanted]] if len(steps) > wanted else events
            events = events + [_UNREADABLE] * (wanted - len(steps))
            steps = steps_among(events)
        return Decoded(events, steps, size)


def steps_among(events: list[Event]) -> list[int]:
    """The places of the steps in a list of events."""
    return [place for place, event in enumerate(events) if type(event) in STEP_TYPES]


_UNREADABLE = Failed("TraceError", later("This part of the recording cannot be read."), None, None, None, None)
