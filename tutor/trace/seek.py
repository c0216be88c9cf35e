"""From the start of a recording, or a nearer state that was kept, to the state at any place in it."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from tutor.i18n import _
from tutor.trace import events as ev
from tutor.trace import wire
from tutor.trace.book import Book
from tutor.trace.frames import Frames, Place
from tutor.trace.replay import Replay, copy_state
from tutor.trace.state import State
from tutor.trace.weighing import memory_of

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
