"""Trace files: a magic word, a format version, frames with keys between them, and a summary at the end.

    magic "gradtutor trace\\n", u32 version
    frames as on the wire; a header with no events and no steps is that of a `Key`
    the summary: msgpack, compressed
    the trailer: u64 where the summary begins, u32 crc32 of all before it, u32 crc32 of the summary, magic

The checksums tell at the opening whether everything is there: then the summary is believed, the headers are walked and
no frame is decoded. Otherwise the frames are read one by one up to the first that is damaged, and a notice says so.

A `Writer` writes into FILE.<pid>.part beside the file and puts it in place when it is finished. After a crash that is a
file that was cut off, and is read like one.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from array import array
from itertools import count
from pathlib import Path
from typing import BinaryIO

import msgspec

from tutor.language import later, tr
from tutor.trace import wire
from tutor.trace.book import Book
from tutor.trace.columns import Columns, Summary
from tutor.trace.contents import Contents
from tutor.trace.events import STEP_KINDS, Gap, Key
from tutor.trace.timeline import Timeline

MAGIC = b"gradtutor trace\n"
VERSION = 1
SUFFIX = ".part"
MAX_FILE = 4 << 30
MAX_SUMMARY = 512 << 20

_HEAD = struct.Struct(f"<{len(MAGIC)}sI")
_TRAILER = struct.Struct(f"<QII{len(MAGIC)}s")
_encode = msgspec.msgpack.Encoder().encode
_decode_summary = msgspec.msgpack.Decoder(Summary).decode
_decode_keys = msgspec.msgpack.Decoder(list[Key]).decode


class TraceError(Exception):
    """A file that is no recording, or none that can be read; the text says so in a sentence."""


# ---------------------------------------------------------------- writing


class Writer:
    """Writes a timeline to a file while it grows: `catch_up` now and then, `finish` at the end. Raises OSError.

    What is no regular file, a device or a pipe, is written as it is; a link stays one.
    """

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self._timeline = timeline
        self._crc = 0
        self._size = 0
        self._written = 0
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
        """Write what the timeline has got since the last time."""
        frames, keys = self._timeline.frames.data, self._timeline.seeker.keys
        while self._written < len(frames):
            self._put_keys(keys)
            self._put(frames[self._written])
            self._written += 1
        self._put_keys(keys)
        self._file.flush()

    def finish(self) -> None:
        """Write the rest and the summary, and put the file in place."""
        try:
            self.catch_up()
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
        """Leave no file behind."""
        with contextlib.suppress(OSError):
            self._file.close()
        if self._part is not None:
            with contextlib.suppress(OSError):
                self._part.unlink()

    def _put_keys(self, keys: list[tuple[int, bytes]]) -> None:
        while self._keys < len(keys) and keys[self._keys][0] <= self._written:
            self._put(wire.seal(_encode([Key(keys[self._keys][1])]), 0, 0, 0))
            self._keys += 1

    def _put(self, data: wire.Buffer) -> None:
        self._file.write(data)
        self._size += len(data)
        self._crc = zlib.crc32(data, self._crc)


def _part(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside this one, that no other gradtutor writes to."""
    for number in count():
        part = path.with_name(f"{path.name}.{os.getpid()}{f'-{number}' if number else ''}{SUFFIX}")
        with contextlib.suppress(FileExistsError):
            return part, part.open("xb")
    raise AssertionError


def save(timeline: Timeline, path: Path) -> None:
    """Write a whole recording. Raises OSError."""
    Writer(path, timeline).finish()


def _summary(timeline: Timeline) -> Summary:
    columns, contents, book = timeline.columns, timeline.contents, timeline.book
    return Summary(
        bytes(columns.kinds), bytes(columns.depths), bytes(columns.stops), columns.frame_depths.tobytes(),
        columns.sites.tobytes(), columns.iterations.tobytes(), book.document, list(book.sources.values()),
        list(book.sites.values()), list(book.metas.values()), contents.series, contents.passes, contents.cells,
        {loop: turns.tobytes() for loop, turns in contents.turns.items()}, contents.printed, contents.asides,
        contents.run_end, contents.notices, [saved for several in book.saved.values() for saved in several],
    )  # fmt: skip


# ---------------------------------------------------------------- reading


def load(path: Path) -> Timeline:
    """The recording in a file. Raises TraceError, and OSError where it cannot be read at all."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE:
            raise TraceError(tr("{path} is too large for a recording ({size:,} bytes).", path=path, size=size))
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(MAGIC):
            raise TraceError(tr("{path} is not a recording of gradtutor.", path=path))
        version = _HEAD.unpack(head)[1]
        data = head + file.read()
    trailer = _trailer(data)
    timeline = _restore(data, trailer) if trailer is not None and version == VERSION else None
    if timeline is not None:
        return timeline
    timeline = _scan(data, len(data) if trailer is None else trailer)
    if version != VERSION:
        text = later("{path} is a recording of format {version}; this gradtutor reads format {ours}.")
        about = tr(text, path=path, version=version, ours=VERSION)
        if not timeline.steps:
            raise TraceError(about)
        timeline.contents.notice(about)
    return timeline


def _trailer(data: bytes) -> int | None:
    """Where the summary begins, if there is one."""
    if len(data) < _HEAD.size + _TRAILER.size:
        return None
    place, _, _, magic = _TRAILER.unpack_from(data, len(data) - _TRAILER.size)
    return place if magic == MAGIC and _HEAD.size <= place <= len(data) - _TRAILER.size else None


def _scan(data: bytes, end: int) -> Timeline:
    """Feed all frames up to the first that is damaged."""
    timeline = Timeline()
    place, whole = _HEAD.size, True
    view = memoryview(data)
    while place < end:
        if end - place < wire.HEADER.size:
            whole = False
            break
        length, events, steps = wire.HEADER.unpack_from(data, place)
        next_place = place + wire.HEADER.size + length
        if length > wire.MAX_LENGTH or next_place > end:
            whole = False
            break
        if events or steps:
            frame = view[place:next_place]
            try:
                wire.inflate(frame)
            except wire.WireError:
                whole = False
                break
            timeline.feed(frame)
        place = next_place
    if whole and end < len(data):
        timeline.contents.notice(tr("The end of this file is damaged; the recording itself is whole."))
    elif whole:
        what = tr("This recording was cut off: it was not finished, or a part of the file is missing.")
        timeline.contents.notice(what)
    else:
        what = tr("This file is damaged or cut off: what comes after step {step} is lost.", step=timeline.steps)
        timeline.contents.notice(what)
    return timeline


def _restore(data: bytes, end: int) -> Timeline | None:
    """The recording by its summary, or None where anything is amiss."""
    _, crc, summary_crc, _ = _TRAILER.unpack_from(data, len(data) - _TRAILER.size)
    view = memoryview(data)
    packed = view[end : len(data) - _TRAILER.size]
    if zlib.crc32(view[:end]) != crc or zlib.crc32(packed) != summary_crc:
        return None
    try:
        summary = _decode_summary(wire.expand(packed, MAX_SUMMARY))
    except wire.UNREADABLE:
        return None
    timeline = Timeline()
    place = _HEAD.size
    while place < end:
        if end - place < wire.HEADER.size:
            return None
        length, events, steps = wire.HEADER.unpack_from(data, place)
        next_place = place + wire.HEADER.size + length
        if length > wire.MAX_LENGTH or next_place > end or steps > events:
            return None
        frame = view[place:next_place]
        if events:
            timeline.frames.append(frame, events, steps)
        else:
            _add_key(timeline, frame)
        place = next_place
    columns = _columns(summary)
    if columns is None or len(columns) != timeline.frames.steps:
        return None
    timeline.freeze()
    _fill(timeline.book, timeline.contents, summary)
    timeline.contents.columns = columns
    return timeline


def _add_key(timeline: Timeline, frame: memoryview) -> None:
    with contextlib.suppress(*wire.UNREADABLE):
        for key in _decode_keys(wire.inflate(frame)):
            timeline.seeker.keys.append((len(timeline.frames), key.state))


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


def _fill(book: Book, contents: Contents, summary: Summary) -> None:
    if summary.document is not None:
        book.add(summary.document)
    for source in summary.sources:
        book.add(source)
    for meta in summary.metas:
        book.add(meta)
    for saved in summary.saved:
        book.add(saved)
    book.sites.update((site.site, site) for site in summary.site_infos)
    contents.series, contents.passes, contents.cells = summary.series, summary.passes, summary.cells
    contents.turns = {loop: _array("I", turns) for loop, turns in summary.turns.items()}
    contents.printed, contents.asides = summary.printed, summary.asides
    contents.run_end, contents.notices = summary.run_end, summary.notices
    contents.gaps = [aside.event for aside in summary.asides if isinstance(aside.event, Gap)]


def _array(code: str, data: bytes) -> array[int]:
    column = array(code)
    column.frombytes(data[: len(data) - len(data) % column.itemsize])
    return column
