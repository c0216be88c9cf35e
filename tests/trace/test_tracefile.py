"""Trace files: whole, cut off, damaged, hostile, of another time."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.sampling import count
from tutor.trace import events as ev
from tutor.trace import frame_store, repeated_values, tracefile, wire
from tutor.trace.timeline import Timeline
from tutor.trace.tracefile import TraceError, Writer, save

Build = Callable[..., Timeline]


@pytest.fixture(scope="module")
def recording(build: Build, two_paths: list[ev.Event]) -> Timeline:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_store, "KEY_EVERY", 16)
        return build(two_paths, 6)


@pytest.fixture(scope="module")
def whole(recording: Timeline, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "two.trace"
    save(recording, path)
    assert recording.seeker.keys
    return path.read_bytes()


def loaded(path: Path, data: bytes) -> Timeline:
    path.write_bytes(data)
    return tracefile.load(path)


def walked(timeline: Timeline) -> list[Any]:
    """Everything one can ask, so that trouble shows."""
    found: list[Any] = []
    for step in range(timeline.steps, 0, -1):
        found.append((timeline.view(step), timeline.kind(step), timeline.output(step), timeline.changed(step)))
        found.append(timeline.state(step))
    return found


def test_a_whole_file_has_nothing_to_say(tmp_path: Path, recording: Timeline, whole: bytes) -> None:
    timeline = loaded(tmp_path / "a", whole)
    assert timeline.notices == []
    assert timeline.document == recording.document
    assert timeline.sources == recording.sources
    assert timeline.sites == recording.sites
    assert timeline.run_end == ev.RunEnd("ok", 0)
    assert timeline.seeker.keys
    assert walked(timeline) == walked(recording)


def test_a_loaded_recording_saves_to_the_same_bytes(tmp_path: Path, whole: bytes) -> None:
    save(loaded(tmp_path / "a", whole), tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == whole


def test_cut_off_at_every_byte(tmp_path: Path, recording: Timeline, whole: bytes) -> None:
    full = [recording.state(step) for step in range(recording.steps + 1)]
    seen = set()
    for size in range(0, len(whole), 7):
        if size < 20:
            with pytest.raises(TraceError, match="not a recording of gradtutor"):
                loaded(tmp_path / "cut", whole[:size])
            continue
        timeline = loaded(tmp_path / "cut", whole[:size])
        assert len(timeline.notices) == 1
        seen.add(timeline.steps)
        for step in range(timeline.steps):
            assert timeline.state(step) == full[step]
    assert {0, recording.steps} <= seen


@settings(max_examples=count(40, 150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_changed_bytes_never_raise_anything_else(tmp_path: Path, whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        damaged[place] ^= data.draw(st.integers(1, 255))
    assume(damaged != whole)
    try:
        timeline = loaded(tmp_path / "damaged", bytes(damaged))
    except TraceError:
        return
    assert timeline.notices
    walked(timeline)


@settings(max_examples=count(20, 80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_liar_with_right_checksums_is_survived(tmp_path: Path, whole: bytes, data: st.DataObject) -> None:
    """Frames changed, left out or swapped under a summary that knows nothing of it, checksums made to fit."""
    trailer = tracefile._TRAILER
    place, _, summary_crc, magic = trailer.unpack_from(whole, len(whole) - trailer.size)
    body, rest = bytearray(whole[:place]), whole[place : -trailer.size]
    frames = list(wire.split(body[20:]))
    number = data.draw(st.integers(0, len(frames) - 1))
    events, steps = wire.HEADER.unpack_from(frames[number])[1:]
    other = wire.inflate(frames[data.draw(st.integers(0, len(frames) - 1))])
    payload = data.draw(st.sampled_from([other, b"\x90", b"\xc1", b"\x91\x93\x17\x01\xc0"]))
    frames[number] = wire.seal(payload, events, steps, 1)
    start = bytes(body[:20]) + b"".join(frames)
    forged = start + rest + trailer.pack(len(start), zlib.crc32(start), summary_crc, magic)
    timeline = loaded(tmp_path / "forged", forged)
    walked(timeline)


@pytest.mark.parametrize(
    "data", [b"", b"#!/usr/bin/python\nprint('hello, this is no trace')\n", b"\x80\x04\x95" + b"\x00" * 90]
)
def test_what_is_no_recording(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(TraceError, match="not a recording of gradtutor"):
        loaded(tmp_path / "other", data)


def test_the_first_format_is_read_as_it_was(tmp_path: Path, recording: Timeline) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracefile, "VERSION", 1)
        patch.setattr(repeated_values, "encode", msgspec.msgpack.encode)
        save(recording, tmp_path / "first")
    timeline = tracefile.load(tmp_path / "first")
    assert timeline.notices == []
    assert walked(timeline) == walked(recording)


def test_small_frames_are_written_as_one(tmp_path: Path, build: Build, two_paths: list[ev.Event]) -> None:
    recording = build(two_paths, 3)
    assert len(recording.frames) > 10
    save(recording, tmp_path / "one")
    timeline = tracefile.load(tmp_path / "one")
    assert len(timeline.frames) == 1
    assert walked(timeline) == walked(recording)


def test_a_later_format_is_read_as_far_as_possible(tmp_path: Path, whole: bytes) -> None:
    later = whole[:16] + b"\x03" + whole[17:]
    timeline = loaded(tmp_path / "later", later)
    assert timeline.steps == 20
    assert any("format 3; this gradtutor reads format 2" in notice for notice in timeline.notices)
    with pytest.raises(TraceError, match="format 2"):
        loaded(tmp_path / "later", later[:40])


def test_a_length_beyond_all_bounds_ends_the_reading(tmp_path: Path, whole: bytes) -> None:
    first = whole[:20]
    timeline = loaded(tmp_path / "long", first + wire.HEADER.pack(0xFFFFFFFF, 1, 1) + b"x" * 100)
    assert timeline.steps == 0
    assert timeline.notices == ["This file is damaged or cut off: what comes after step 0 is lost."]


def test_unfinished_recordings_can_be_read(tmp_path: Path, build: Build, two_paths: list[ev.Event]) -> None:
    timeline = Timeline()
    path = tmp_path / "two.trace"
    writer = Writer(path, timeline)
    timeline.feed(wire.pack(two_paths[:8], 3))
    writer.catch_up()
    assert not path.exists()
    part = tracefile.load(next(tmp_path.glob("two.trace.*.part")))
    assert part.steps == 3
    assert "cut off" in part.notices[0]
    timeline.feed(wire.pack(two_paths[8:], 17))
    writer.finish()
    assert os.listdir(tmp_path) == ["two.trace"]
    assert tracefile.load(path).notices == []


def test_an_abandoned_file_leaves_nothing(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.trace", Timeline())
    writer.abandon()
    assert os.listdir(tmp_path) == []


def test_an_empty_recording(tmp_path: Path) -> None:
    save(Timeline(), tmp_path / "empty.trace")
    timeline = tracefile.load(tmp_path / "empty.trace")
    assert (timeline.steps, timeline.notices) == (0, [])
    assert timeline.state(0).tensors == {}


def test_notices_are_kept(tmp_path: Path) -> None:
    timeline = Timeline()
    timeline.feed(wire.pack([ev.Gap(0, "The budget was spent."), (99, 1)], 0))
    save(timeline, tmp_path / "a")
    assert tracefile.load(tmp_path / "a").notices == timeline.notices
    assert len(timeline.notices) == 2


def test_a_loaded_recording_does_not_grow(tmp_path: Path, whole: bytes) -> None:
    with pytest.raises(ValueError, match="does not grow"):
        loaded(tmp_path / "a", whole).feed(wire.pack([ev.Line(1, 1)], 1))
