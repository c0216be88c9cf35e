"""From the start of a recording, or a nearer state that was kept, to the state at any place in it."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections import OrderedDict

import msgspec

from tutor.trace import wire
from tutor.trace.book import Book
from tutor.trace.frames import Frames, Place
from tutor.trace.replay import Replay, copy_state
from tutor.trace.state import State

KEY_EVERY = 2048
"""A key at the earliest after so many events: what is replayed in 5 ms."""
KEY_BYTES = 64
"""For so many bytes of a key one more event: large states are kept less often."""
MARKS = 24
"""How many states on the way to one that was asked for are kept at hand."""
MARK_SIZE = 5_000
"""States of more tensors and nodes than this are not kept on the way."""

_START: Place = (0, 0)
_encode_state = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(State).decode


class Seeker:
    """A state that is moved through the recording, and the states kept to start from."""

    def __init__(self, book: Book, frames: Frames) -> None:
        self.keys: list[tuple[int, bytes]] = []
        """Before which frame, and the state there: msgpack, compressed."""
        self._book = book
        self._frames = frames
        self._due = KEY_EVERY
        self._place: Place = _START
        self._replay = Replay(State(), book)
        self._marks: OrderedDict[Place, State] = OrderedDict()

    def keep(self, state: State) -> None:
        """Keep the state after all frames, if it is time for that."""
        if self._frames.events < self._due:
            return
        encoded = _encode_state(state)
        key = zlib.compress(encoded, 1)
        if len(encoded) < wire.MAX_LENGTH:
            self.keys.append((len(self._frames), key))
        self._due = self._frames.events + KEY_EVERY + len(key) // KEY_BYTES

    def seek(self, target: Place) -> State:
        """The state before the event at a place; a copy that nothing changes later."""
        self._approach(target)
        start, number = self._place, self._place[0]
        for events in self._frames.between(start, target):
            state = self._replay.state
            if number != start[0] and len(state.tensors) + len(state.nodes) < MARK_SIZE:
                self._marks[number, 0] = copy_state(state)
                if len(self._marks) > MARKS:
                    self._marks.popitem(last=False)
            self._replay.run(events)
            number += 1
        self._place = target
        return copy_state(self._replay.state)

    def _approach(self, target: Place) -> None:
        """Go to the nearest place at or before `target` whose state is known."""
        here = self._place if self._place <= target else _START
        mark = max((place for place in self._marks if place <= target), default=_START)
        key = bisect_right(self.keys, target[0], key=lambda key: key[0])
        while key and (self.keys[key - 1][0], 0) > max(here, mark):
            try:
                state = _decode_state(wire.expand(self.keys[key - 1][1], wire.MAX_LENGTH))
            except wire.UNREADABLE:
                del self.keys[key - 1]
                key -= 1
            else:
                self._place, self._replay = (self.keys[key - 1][0], 0), Replay(state, self._book)
                return
        if mark > here:
            self._place, self._replay = mark, Replay(copy_state(self._marks[mark]), self._book)
        elif self._place > target:
            self._place, self._replay = _START, Replay(State(), self._book)
