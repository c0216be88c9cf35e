"""What a frame takes in memory is known before it is decoded, and what we write keeps within the bounds."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sampling import sample
from tutor.trace import events as ev
from tutor.trace import wire
from tutor.trace.timeline import Timeline
from tutor.trace.wire import _counted, items_of, memory_of

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode
STEPS = frozenset(kind.__struct_config__.tag for kind in ev.STEP_KINDS)

DATA: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(DATA)
def test_every_item_is_counted(data: Any) -> None:
    """The estimate is never far below what the objects take: each has a header of 16 bytes at least."""
    payload = encode([data])
    counted = _counted(payload, 1 << 40)
    assert counted <= memory_of(payload)
    assert counted >= _size(decode(payload)) * 0.5
    assert items_of(payload) == 1


def _size(data: Any) -> int:
    size = 0 if data is None or isinstance(data, bool) else sys.getsizeof(data)
    if isinstance(data, dict):
        return size + sum(_size(item) for item in data.values())
    return size + sum(map(_size, data)) if isinstance(data, list) else size


INFLATING = [
    (b"\xc0", 15 << 20), (b"\x90", 15 << 20), (b"\x80", 15 << 20), (b"\x92\x90\x90", 5 << 20), (b"\xa2ab", 5 << 20),
    (b"\xcd\x01\x01", 5 << 20), (b"\xcb12345678", 1 << 20), (b"\x81\xa0\x90", 4 << 20), (b"\xc4\x01a", 5 << 20),
]  # fmt: skip
"""Bytes of msgpack that take far more memory once decoded, and how often each is repeated."""


@pytest.mark.slow
@pytest.mark.parametrize(("what", "count"), sample(INFLATING, 1))
def test_a_frame_that_inflates_is_refused_before_it_is_decoded(what: bytes, count: int) -> None:
    payload = b"\x91\x95\x22\x01\xdd" + count.to_bytes(4, "big") + what * count + b"\x90\xc0"
    frame = wire.seal(payload, 1, 1, 1)
    with pytest.raises(wire.WireError, match="memory"):
        wire.inflate(frame)


def test_the_header_must_tell_how_many_events_there_are() -> None:
    payload = encode([(12, 1, 1)] * 3)
    assert len(wire.decode(wire.seal(payload, 3, 3, 1))) == 3
    for events in (1, 2, 4, 4096, 2**32 - 1):
        with pytest.raises(wire.WireError, match="announces"):
            wire.decode(wire.seal(payload, events, 3, 1))
    many = encode([(12, 1, 1)] * 4097)
    with pytest.raises(wire.WireError, match="announces"):
        wire.decode(wire.seal(many, 4097, 4097, 1))


def packed(events: list[ev.Event]) -> Timeline:
    """A recording of these, as the worker writes them; every frame is within the bounds."""
    flat = [(type(event).__struct_config__.tag, *msgspec.structs.astuple(event)) for event in events]
    timeline, count = Timeline(), 0
    for frame, written in wire.pack_all(flat, STEPS):
        length, announced, _ = wire.HEADER.unpack_from(frame)
        assert length <= wire.MAX_LENGTH
        assert announced == written <= wire.MAX_EVENTS
        timeline.feed(frame)
        count += written
    assert timeline.frames.events == count
    return timeline


def told(timeline: Timeline) -> list[ev.Event]:
    return [event for number in range(len(timeline.frames)) for event in timeline.frames[number].events]


def test_many_events_become_several_frames() -> None:
    events: list[ev.Event] = [ev.Line(1, 1)] * 20_000
    timeline = packed(events)
    assert timeline.steps == 20_000
    assert told(timeline) == events
    assert timeline.notices == []


@pytest.mark.slow
def test_long_lists_of_what_is_gone_are_divided() -> None:
    numbers = list(range(1 << 20, (1 << 20) + 400_000))
    timeline = packed([ev.Gone(numbers), ev.Freed(numbers), ev.Line(1, 1)])
    gone = [number for event in told(timeline) if isinstance(event, ev.Gone) for number in event.tensors]
    freed = [number for event in told(timeline) if isinstance(event, ev.Freed) for number in event.nodes]
    assert gone == freed == numbers
    assert timeline.notices == []


@pytest.mark.slow
@pytest.mark.parametrize("letter", sample(["x", "é", "漢", "😀"], 1))
def test_text_without_end_is_divided(letter: str) -> None:
    text = letter * (20 << 20)
    timeline = packed([ev.Output("stdout", text)])
    assert "".join(event.text for event in told(timeline) if isinstance(event, ev.Output)) == text
    assert len(timeline.output(0)) == 4 << 20  # a reader keeps no more
    assert timeline.notices == ["More was printed than is kept: what comes after 4,194,304 characters."]


def test_what_cannot_be_divided_leaves_a_word() -> None:
    timeline = packed([ev.Source(1, "a.py", "x" * (17 << 20)), ev.Source(2, "b.py", "y" * (9 << 20)), ev.Line(1, 1)])
    assert list(timeline.sources) == [2]
    assert timeline.steps == 1
    assert timeline.notices == ["An event of kind Source is not in the recording: it takes 17,825,807 bytes."]


def test_what_cannot_be_written_leaves_a_word() -> None:
    """A number beyond 64 bits; half of a character is written out. The rest of the frame is there."""
    half, large = ev.Output("stdout", "\ud800"), ev.Bind(1, "n", "value", 0, 1 << 70)
    timeline = packed([ev.Line(1, 1), half, ev.Line(2, 1), large, ev.Line(3, 1)])
    assert timeline.steps == 3
    assert [event.text for event in told(timeline) if isinstance(event, ev.Output)] == ["\\ud800"]
    assert [event.why for event in told(timeline) if isinstance(event, ev.Gap)] == ["unwritable"]
    assert timeline.notices == ["An event of kind Bind could not be written."]


def test_large_values_are_written_and_read() -> None:
    value = {"shape": [1000], "code": "d", "data": bytes(range(250)) * 32}
    snapshots: list[ev.Event] = [ev.Snapshot(number, 1, 0, 1, None, None, value) for number in range(1, 3000)]
    timeline = packed([ev.Meta(1, (1000,), "float64", "cpu", (1,), False, True, None, False), *snapshots])
    assert len(timeline.state(0).tensors) == 2999
    assert timeline.notices == []


def test_a_header_alone_costs_nothing() -> None:
    """A list that announces four billion items and has none."""
    payload = b"\x91\x92\x16\xdd\xff\xff\xff\xff"
    with pytest.raises(wire.WireError, match="no list of events"):
        wire.decode(wire.seal(payload, 1, 0, 1))
