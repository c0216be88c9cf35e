"""Reading and writing trace files: a magic word, a version, frames with keys between them, and a summary.

    magic "gradtutor trace\\n", u32 version
    frames as on the wire, but larger ones; a header with no events and no steps is that of a `Key`
    the summary: msgpack, compressed
    the trailer: u64 where the summary begins, u32 crc32 of all before it, u32 crc32 of the summary, magic

If the checksums match when a file is opened, the summary is trusted, only headers are read and no frame is decoded.
Otherwise the frames are read one by one up to the first damaged one, and a notice says so.

A `Writer` writes to FILE.<pid>.part beside the file and renames it at the end. After a crash that file remains, and
reads like one that was cut off.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from array import array
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic
from typing import BinaryIO

import msgspec

from tutor.i18n import N_, _
from tutor.trace import repeated_values, wire
from tutor.trace.events import STEP_KINDS, Attributes, Call, Event, Gap
from tutor.trace.frame_store import MAX_FRAMES, STEP_TYPES, RecordingFile, StoredFrames
from tutor.trace.index import Columns, Contents, Definitions, Summary
from tutor.trace.timeline import Timeline
from tutor.trace.wire import memory_of

MAGIC = b"gradtutor trace\n"
VERSION = 2
_READABLE = frozenset((1, 2))
"""In the first format a frame has each value as often as it comes."""
SUFFIX = ".part"
FRAME_EVENTS = 1024
"""Number of events from which on a frame of a file is written."""
FRAME_BYTES = 512 << 10
"""Maximum size of several frames that are written as one: decoded they take less than `wire.MAX_MEMORY`."""
WAIT = 1.0
"""Seconds after a frame in which the next is not written while it is small."""
MAX_FILE = 4 << 30
MAX_TEXT = 256 << 10
"""Maximum number of characters of source that are held parsed."""
MAX_SUMMARY = 64 << 20
MAX_SUMMARY_MEMORY = 72 << 20
"""Maximum memory for the decoded summary, in bytes."""

_HEAD = struct.Struct(f"<{len(MAGIC)}sI")
_TRAILER = struct.Struct(f"<QII{len(MAGIC)}s")
_encode = msgspec.msgpack.Encoder().encode


class TraceError(Exception):
    """A file that is not a recording or cannot be read; the message is a sentence."""


# ---------------------------------------------------------------- writing


class Writer:
    """Writes a timeline to a file while it grows: call `catch_up` now and then, and `finish` at the end.

    Devices and pipes are written to directly; a symbolic link remains one. All methods but `abandon` raise OSError.
    """

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self._timeline = timeline
        self._crc = 0
        self._size = 0
        self._read = 0
        """Number of frames of the timeline that are written or wait."""
        self._waiting: list[Event] = []
        self._waiting_size = 0
        self._written_at = 0.0
        self._keys = 0
        self._part: Path | None = None
        self._file: BinaryIO
        if path.exists() and not path.is_file():
            self._path = path
            self._file = path.open("wb")
        else:
            self._path = Path(os.path.realpath(path))
            self._part, self._file = _part(self._path)
        self._put(_HEAD.pack(MAGIC, VERSION))

    def catch_up(self) -> None:
        """Write the frames that were added since the last call, small ones within a second."""
        self._read_frames()
        if monotonic() > self._written_at + WAIT:
            self._put_waiting()
        self._file.flush()

    def _read_frames(self) -> None:
        frames = self._timeline.frames
        while self._read < len(frames):
            self._put_keys()
            frame = frames.once(self._read)
            size, count = self._waiting_size + frame.size, len(self._waiting) + len(frame.events)
            if size > FRAME_BYTES or count > wire.MAX_EVENTS:
                self._put_waiting()
            if frame.size > FRAME_BYTES:
                self._put(frames.data[self._read])
            elif frame.events:
                self._waiting += frame.events
                self._waiting_size += frame.size
            self._read += 1
            if len(self._waiting) >= FRAME_EVENTS:
                self._put_waiting()
        self._put_keys()

    def _put_waiting(self) -> None:
        """Write what waits as one frame."""
        events = self._waiting
        if events:
            steps = sum([type(event) in STEP_TYPES for event in events])
            self._put(wire.seal(repeated_values.encode(events), len(events), steps, 1))
            self._written_at = monotonic()
        self._waiting, self._waiting_size = [], 0

    def finish(self) -> None:
        """Write the rest and the summary, and rename the file."""
        try:
            self._read_frames()
            self._put_waiting()
            place, crc = self._size, self._crc
            summary = zlib.compress(_encode(_summary(self._timeline)), 1)
            self._put(summary)
            self._put(_TRAILER.pack(place, crc, zlib.crc32(summary), MAGIC))
            self._file.flush()
            if self._part is not None:
                os.fsync(self._file.fileno())
            self._file.close()
            if self._part is not None:
                os.replace(self._part, self._path)
        except OSError:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Close and delete the unfinished file."""
        with contextlib.suppress(OSError):
            self._file.close()
        if self._part is not None:
            with contextlib.suppress(OSError):
                self._part.unlink()

    def _put_keys(self) -> None:
        keys = self._timeline.seeker.keys
        while self._keys < len(keys) and keys[self._keys][0] <= self._read:
            self._put_waiting()
            self._put(keys[self._keys][1]())
            self._keys += 1

    def _put(self, data: wire.Buffer) -> None:
        self._file.write(data)
        self._size += len(data)
        self._crc = zlib.crc32(data, self._crc)


def _part(path: Path) -> tuple[Path, BinaryIO]:
    """Create a new file beside this one, and return its path and the open file."""
    for number in count():
        part = path.with_name(f"{path.name}.{os.getpid()}{f'-{number}' if number else ''}{SUFFIX}")
        with contextlib.suppress(FileExistsError):
            return part, part.open("xb")
    raise AssertionError


def save(timeline: Timeline, path: Path) -> None:
    """Write a complete recording. Raises OSError."""
    Writer(path, timeline).finish()


def _summary(timeline: Timeline) -> Summary:
    columns, contents, definitions = timeline.columns, timeline.contents, timeline.definitions
    return Summary(
        memoryview(columns.kinds), memoryview(columns.depths), memoryview(columns.stops),
        memoryview(columns.frame_depths), memoryview(columns.sites), memoryview(columns.iterations),
        definitions.document, list(definitions.sources.values()),
        list(definitions.sites.values()), list(definitions.metas.values()), contents.series, contents.passes,
        contents.cells,
        {loop: memoryview(starts) for loop, starts in contents.iteration_starts.items()}, contents.printed,
        contents.side_events,
        contents.run_end, contents.notices, [saved for several in definitions.saved.values() for saved in several],
        [Call(*item) for item in definitions.arguments.items()],
        [Attributes(*item) for item in definitions.attributes.items()],
    )  # fmt: skip


# ---------------------------------------------------------------- reading


def load(path: Path) -> Timeline:
    """Load a recording.

    Raises:
        TraceError: If the file is not a recording, or too large.
        OSError: If it cannot be read.
    """
    stored = RecordingFile(path)
    size = stored.size
    if size > MAX_FILE:
        raise TraceError(_("{path} is too large for a recording ({size:,} bytes).", path=path, size=size))
    head = stored.read(0, _HEAD.size)
    if len(head) < _HEAD.size or not head.startswith(MAGIC):
        raise TraceError(_("{path} is not a recording of gradtutor.", path=path))
    version = _HEAD.unpack(head)[1]
    trailer = _trailer(stored)
    timeline = _restore(stored, trailer) if trailer is not None and version in _READABLE else None
    if timeline is None:
        timeline = _scan(stored, size if trailer is None else trailer)
        if version not in _READABLE:
            text = N_("{path} is a recording of format {version}; this gradtutor reads format {ours}.")
            about = _(text, path=path, version=version, ours=VERSION)
            if not timeline.steps:
                raise TraceError(about)
            timeline.contents.notice(about)
    timeline.is_stored = True
    timeline.frames.exceeds_memory = stored.exceeds_memory
    timeline.definitions.most_text = MAX_TEXT
    return timeline


def _trailer(stored: RecordingFile) -> int | None:
    """Return the offset of the summary, or None if there is none."""
    if stored.size < _HEAD.size + _TRAILER.size:
        return None
    last = stored.read(stored.size - _TRAILER.size, stored.size)
    if len(last) < _TRAILER.size:
        return None
    place, _, _, magic = _TRAILER.unpack(last)
    return place if magic == MAGIC and _HEAD.size <= place <= stored.size - _TRAILER.size else None


def _scan(stored: RecordingFile, end: int) -> Timeline:
    """Load a file without its summary: feed all frames up to the first damaged one."""
    timeline = Timeline()
    place, whole, short = _HEAD.size, True, False
    while place < end:
        header = stored.read(place, place + wire.HEADER.size)
        if len(header) < wire.HEADER.size:
            whole = False
            break
        length, events, steps = wire.HEADER.unpack(header)
        next_place = place + wire.HEADER.size + length
        if length > wire.MAX_LENGTH or next_place > end:
            whole = False
            break
        if events or steps:
            short = stored.exceeds_memory()
            if short or not _feed(timeline, stored.read(place, next_place)):
                whole = False
                break
        place = next_place
    if whole and end < stored.size:
        timeline.contents.notice(_("The end of this file is damaged; the recording itself is whole."))
    elif whole:
        notice = _("This recording was cut off: it was not finished, or a part of the file is missing.")
        timeline.contents.notice(notice)
    elif short:
        notice = _(
            "This recording takes too much memory: what comes after step {step} is not shown.", step=timeline.steps
        )
        timeline.contents.notice(notice)
    else:
        notice = _("This file is damaged or cut off: what comes after step {step} is lost.", step=timeline.steps)
        timeline.contents.notice(notice)
    return timeline


def _feed(timeline: Timeline, frame: bytes) -> bool:
    """Append a frame; return False if it is damaged or malicious."""
    try:
        timeline.take(frame)
    except Exception:  # recordings are not trusted
        return False
    return True


def _restore(stored: RecordingFile, end: int) -> Timeline | None:
    """Load a file by its summary; return None if anything in it is inconsistent."""
    last = stored.size - _TRAILER.size
    _, crc, summary_crc, _ = _TRAILER.unpack(stored.read(last, stored.size))
    if _crc(stored, 0, end) != crc or _crc(stored, end, last) != summary_crc:
        return None
    summary = _summary_of(stored, end, last)
    columns = None if summary is None else _columns(summary)
    if summary is None or columns is None:
        return None
    timeline = Timeline()
    frames = timeline.frames
    frames.data, frames.kinds = StoredFrames(stored), columns.kinds
    place = _HEAD.size
    for start, chunk in _headers(stored, end):
        length, events, steps = chunk
        place = start + wire.HEADER.size + length
        if length > wire.MAX_LENGTH or place > end or steps > events or len(frames) >= MAX_FRAMES:
            return None
        if events:
            frames.add_stored(start, place, events, steps)
        elif len(timeline.seeker.keys) < MAX_FRAMES // 10:
            timeline.seeker.keys.append((len(frames), partial(stored.read, start, place)))
    if place != end or len(columns) != frames.steps:
        return None
    timeline.freeze()
    _fill(timeline.definitions, timeline.contents, summary)
    timeline.contents.columns = columns
    return timeline


def _headers(stored: RecordingFile, end: int) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield the offset of each frame and its header (length, events, steps)."""
    place = _HEAD.size
    while place < end:
        header = stored.read(place, min(place + wire.HEADER.size, end))
        if len(header) < wire.HEADER.size:
            return
        yield place, wire.HEADER.unpack(header)
        place += wire.HEADER.size + wire.HEADER.unpack(header)[0]


def _crc(stored: RecordingFile, start: int, end: int) -> int:
    crc = 0
    for chunk in stored.chunks(start, end):
        crc = zlib.crc32(chunk, crc)
    return crc


def _summary_of(stored: RecordingFile, start: int, end: int) -> Summary | None:
    """Return the decoded summary, or None if it is damaged or would take too much memory."""
    if end - start > MAX_SUMMARY:
        return None
    try:
        data = wire.expand(stored.read(start, end), MAX_SUMMARY)
        if memory_of(data, MAX_SUMMARY_MEMORY) > MAX_SUMMARY_MEMORY:
            return None
        summary: Summary = wire.decoder(Summary)(data)
    except wire.UNREADABLE:
        return None
    return summary


def _columns(summary: Summary) -> Columns | None:
    columns = Columns()
    columns.kinds, columns.depths = bytearray(summary.kinds), bytearray(summary.depths)
    columns.stops = bytearray(summary.stops)
    columns.frame_depths = _array("H", summary.frame_depths)
    columns.sites, columns.iterations = _array("I", summary.sites), _array("I", summary.iterations)
    each = (columns.kinds, columns.depths, columns.stops, columns.frame_depths, columns.sites, columns.iterations)
    lengths = {len(column) for column in each}
    whole = len(lengths) == 1 and max(columns.kinds, default=1) <= len(STEP_KINDS) and min(columns.kinds, default=1) > 0
    return columns if whole else None


def _fill(definitions: Definitions, contents: Contents, summary: Summary) -> None:
    if summary.document is not None:
        definitions.add(summary.document)
    for source in summary.sources:
        definitions.add(source)
    for meta in summary.metas:
        definitions.add(meta)
    for definition in (*summary.saved, *summary.calls, *summary.attributes):
        definitions.add(definition)
    definitions.sites.update((site.site, site) for site in summary.site_infos)
    contents.series, contents.passes, contents.cells = summary.series, summary.passes, summary.cells
    contents.iteration_starts = {loop: _array("I", starts) for loop, starts in summary.iteration_starts.items()}
    contents.side_events = summary.side_events
    for part in summary.printed:
        contents.print(part.step, part.stream, part.text)
    contents.run_end = summary.run_end
    contents.notices[:0] = summary.notices
    contents.gaps = [aside.event for aside in summary.side_events if isinstance(aside.event, Gap)]


def _array(code: str, data: memoryview) -> array[int]:
    column = array(code)
    column.frombytes(data[: len(data) - len(data) % column.itemsize])
    return column
