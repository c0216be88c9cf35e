"""Frames there and back, and frames that nobody should have sent."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutor.trace import events as ev
from tutor.trace import wire

NUMBERS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)
SCALARS = NUMBERS | st.text(max_size=5)
LISTS = st.recursive(NUMBERS, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
BLOBS = st.fixed_dictionaries(
    {"shape": st.lists(st.integers(0, 9), max_size=3)},
    optional={"code": st.just("f"), "data": st.binary(max_size=16), "dtype": st.text(), "note": st.text()},
)
VALUES = LISTS | BLOBS
SERIALS = st.integers(0, 2**40)
EVENTS = st.one_of(
    st.builds(ev.Line, SERIALS, SERIALS),
    st.builds(ev.Bind, SERIALS, st.text(max_size=8), st.sampled_from(["tensor", "value"]), SERIALS, SCALARS),
    st.builds(ev.Op, SERIALS, SERIALS, st.lists(st.none() | SERIALS), st.lists(SERIALS)),
    st.builds(ev.Snapshot, *[SERIALS] * 6, VALUES),
    st.builds(ev.GraphNode, SERIALS, st.text(), st.lists(st.none() | st.tuples(SERIALS, SERIALS)), SERIALS, SERIALS),
    st.builds(ev.Node, SERIALS, st.lists(VALUES), st.lists(VALUES)),
    st.builds(ev.Group, SERIALS, st.lists(st.tuples(st.text(), SERIALS))),
    st.builds(ev.Output, st.just("stdout"), st.text()),
)


@given(st.lists(EVENTS, max_size=20), st.integers(0, 9))
def test_what_is_packed_comes_back(events: list[ev.Event], level: int) -> None:
    frame = wire.pack(events, 3, level)
    assert wire.decode(frame) == events
    assert wire.HEADER.unpack_from(frame) == (len(frame) - 12, len(events), 3)


def test_encoded_events_and_tuples_are_packed_as_they_are() -> None:
    line = ev.Line(4, 1)
    frame = wire.pack([msgspec.msgpack.encode(line), (12, 4, 1), line], 3)
    assert wire.decode(frame) == [line, line, line]


def test_unknown_events_are_skipped_with_one_notice_per_kind() -> None:
    told: list[str] = []
    frame = wire.pack([(99, "later"), ev.Line(1, 1), (99,), (98, [1])], 1)
    assert wire.decode(frame, told.append) == [ev.Line(1, 1)]
    assert set(told) == {
        "Events of kind 99, from a later version of gradtutor, were skipped.",
        "Events of kind 98, from a later version of gradtutor, were skipped.",
    }


def test_fields_that_a_later_version_adds_are_tolerated() -> None:
    assert wire.decode(wire.pack([(12, 4, 1, "more", {"a": 1})], 1)) == [ev.Line(4, 1)]


def test_a_damaged_event_is_skipped_and_named() -> None:
    told: list[str] = []
    text = msgspec.msgpack.encode("no event")
    assert wire.decode(wire.pack([(12, "four", 1), ev.Line(1, 1), text], 1), told.append) == [ev.Line(1, 1)]
    assert told == [
        "Some events of kind Line are damaged and were skipped.",
        "Some events are damaged and were skipped.",
    ]


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x00" * 40, zlib.compress(b"\xc1"), zlib.compress(b"\x93\x01"), zlib.compress(b"\x91" * 100_000)],
    ids=["empty", "no zlib", "no msgpack", "cut off", "deep"],
)
def test_damage_is_a_wire_error(payload: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(wire.HEADER.pack(len(payload), 1, 1) + payload)


def test_a_frame_may_not_inflate_without_bound() -> None:
    bomb = zlib.compress(b"\x00" * (wire.MAX_LENGTH + 1), 9)
    with pytest.raises(wire.WireError, match="too much"):
        wire.inflate(wire.HEADER.pack(len(bomb), 1, 0) + bomb)


@given(st.lists(st.lists(EVENTS, max_size=4), max_size=4), st.integers(1, 50))
def test_split_takes_whole_frames_from_any_pieces(parts: list[list[ev.Event]], size: int) -> None:
    frames = [wire.pack(part, 0) for part in parts]
    stream, buffer, found = b"".join(frames), bytearray(), list[bytes]()
    for start in range(0, len(stream), size):
        buffer += stream[start : start + size]
        found.extend(wire.split(buffer))
    assert found == frames
    assert not buffer


def test_split_refuses_a_length_that_no_frame_has() -> None:
    with pytest.raises(wire.WireError):
        list(wire.split(bytearray(wire.HEADER.pack(wire.MAX_LENGTH + 1, 1, 1))))


@given(st.binary(max_size=60), st.integers(0, 10_000))
def test_mutated_frames_raise_nothing_else(noise: bytes, place: int) -> None:
    frame = bytearray(wire.pack([ev.Line(1, 1), ev.Output("stdout", "text"), ev.Op(1, 1, [1, None], [2])], 2))
    place %= len(frame)
    frame[place : place + len(noise)] = noise
    try:
        events = wire.decode(bytes(frame), lambda notice: None)
    except wire.WireError:
        return
    assert all(isinstance(event, ev.EVENTS) for event in events)


def test_every_event_has_a_tag_of_its_own(pack: Callable[..., list[bytes]]) -> None:
    tags = [kind.__struct_config__.tag for kind in ev.EVENTS]
    assert len(set(tags)) == len(tags) == len(ev.EVENTS)
