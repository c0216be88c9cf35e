"""Events on their way to the pipe: in frames, in time, within the budget; and events too large for a frame."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.worker.recording import Forker
from tutor.recorder.event_writer import FRAME_EVENTS, EventWriter, GuardedDescriptor, move_up, wire_tuple
from tutor.trace import events as ev
from tutor.trace import wire

PROGRAM = """\
import torch
text = "{line}"
many = [torch.ones(1) for _ in range(3000)]
values = [torch.rand(1000, dtype=torch.complex128) for _ in range(300)]
joined = torch.cat(many)
print("y" * 9_000_000)
del many
x = torch.ones(1, requires_grad=True)
parts = list(x.expand(5000).unbind(0))
total = torch.stack(parts).sum()
total.backward()
del parts, total
print(x.grad)
"""


@pytest.mark.slow
def test_nothing_is_too_large_for_a_frame(record: Forker) -> None:
    recorded = record(PROGRAM.replace("{line}", "z" * 9_000_000))
    assert recorded.status == 0
    timeline = recorded.timeline
    for frame in timeline.frames.data:
        length, events, _ = wire.HEADER.unpack_from(frame)
        assert length <= wire.MAX_LENGTH
        assert events <= wire.MAX_EVENTS
        wire.inflate(frame)
    assert recorded.grad("x") == [5000.0]
    assert len(timeline.sources[1].text) == 3 << 20
    assert timeline.document is not None
    assert not [notice for notice in timeline.notices if "cannot be read" in notice or "damaged" in notice]
    gone = {number for event in recorded.of(ev.Gone) for number in event.tensors}
    assert len(gone) >= 3000


class Pipe:
    """A writer, and the events that come out of its pipe."""

    def __init__(self, max_events: int = 1000, max_bytes: int = 1 << 20) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.full: list[str] = []
        self.writer = EventWriter(self.writing, max_events, max_bytes, self._cut)

    def _cut(self, reason: str) -> bool:
        self.full.append(reason)
        self.writer.send(ev.Cut(self.writer.events, 1, 1, [], reason))
        return True

    def frames(self) -> list[list[ev.Event]]:
        """Read what was written since."""
        buffer = bytearray()
        while True:
            try:
                data = os.read(self.reading, 1 << 16)
            except BlockingIOError:
                data = b""
            if not data:
                return [wire.decode(frame) for frame in wire.split(buffer)]
            buffer += data

    def events(self) -> list[ev.Event]:
        return [event for frame in self.frames() for event in frame]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.writer.stop()
    for descriptor in (pipe.reading, pipe.writing):
        try:
            os.close(descriptor)
        except OSError:  # the test has closed it
            continue


def test_events_wait_until_they_are_flushed(pipe: Pipe) -> None:
    sent: list[ev.Event] = [ev.Line(1, 1), ev.Output("stdout", "文\n"), ev.Bind(1, "x", "value", 0, 2.5)]
    for event in sent:
        pipe.writer.send(event)
    assert (pipe.frames(), len(pipe.writer.waiting)) == ([], 3)
    pipe.writer.flush()
    assert pipe.frames() == [sent]
    assert (pipe.writer.waiting, pipe.writer.events) == ([], 3)
    pipe.writer.flush()
    assert pipe.frames() == []


def test_an_event_is_on_the_wire_as_it_is_laid_out() -> None:
    assert wire_tuple(ev.Line(7, 2)) == (ev.Line.__struct_config__.tag, 7, 2)


def test_the_thread_writes_what_waits_and_ends(pipe: Pipe) -> None:
    pipe.writer.start()
    pipe.writer.send(ev.Line(1, 1))
    events: list[ev.Event] = []
    end = time.monotonic() + 20
    while not events and time.monotonic() < end:
        time.sleep(0.01)
        events = pipe.events()
    assert events == [ev.Line(1, 1)]
    pipe.writer.stop()
    pipe.writer.send(ev.Line(2, 1))
    pipe.writer.start()  # after a fork
    pipe.writer.wait_until_written()
    assert pipe.events() == [ev.Line(2, 1)]


def test_past_the_budget_statements_are_cut_and_ends_are_written() -> None:
    pipe = Pipe(max_events=5)
    assert pipe.writer.flush_at == 5
    for number in range(8):
        pipe.writer.send(ev.Line(number, 1))
    pipe.writer.flush()
    lines, cut = pipe.frames()
    assert [type(event) for event in lines] == [ev.Line] * 8  # of one statement: they are there already
    assert cut == [ev.Cut(8, 1, 1, [], "events")]
    for event in (ev.Line(9, 1), ev.Output("stdout", "on"), ev.CellEnd(1, "ok")):
        pipe.writer.send(event)
    pipe.writer.flush()
    assert pipe.events() == [ev.Output("stdout", "on"), ev.CellEnd(1, "ok")]
    assert (pipe.full, pipe.writer.flush_at) == (["events"], FRAME_EVENTS)


def test_the_budget_in_bytes() -> None:
    pipe = Pipe(max_bytes=100)
    pipe.writer.send(ev.Output("stdout", os.urandom(200).hex()))
    pipe.writer.flush()
    assert pipe.full == ["bytes"]


def test_a_pipe_that_the_program_has_replaced_is_left_alone(pipe: Pipe) -> None:
    closed: list[bool] = []
    unsent: list[tuple[str, str]] = []
    pipe.writer.on_closed = lambda: closed.append(True)
    pipe.writer.on_unsent = lambda *printed: unsent.append(printed)
    other_end, other = os.pipe()
    os.dup2(other, pipe.writing)
    assert not pipe.writer.is_open
    pipe.writer.send(ev.Line(1, 1))
    pipe.writer.send(ev.Output("stderr", "kept"))
    pipe.writer.flush()
    assert (closed, unsent) == ([True], [("stderr", "kept")])
    os.close(other)
    os.close(pipe.writing)
    assert os.read(other_end, 10) == b""
    os.close(other_end)


def test_in_a_child_nothing_is_written_into_the_recording(pipe: Pipe) -> None:
    pipe.writer.send(ev.Line(1, 1))
    pipe.writer.close_in_child()
    pipe.writer.send(ev.Line(2, 1))
    pipe.writer.flush()
    assert os.read(pipe.reading, 10) == b""  # closed, and empty


def test_a_reader_that_is_gone_ends_the_writing(pipe: Pipe) -> None:
    os.close(pipe.reading)
    pipe.writer.send(ev.Line(1, 1))
    pipe.writer.flush()
    assert not pipe.writer.is_open


def test_a_descriptor_is_moved_out_of_the_way() -> None:
    reading, writing = os.pipe()
    moved = move_up(writing)
    assert moved > 100
    guarded = GuardedDescriptor(moved)
    assert guarded.is_same
    os.write(moved, b"x")
    assert os.read(reading, 1) == b"x"
    os.close(moved)
    assert not guarded.is_same
    os.close(reading)
