"""Frames: how events travel through the pipe and lie in a file.

A frame is a header of three little-endian u32 (length of what follows, events in it, steps among them) and a zlib
stream of a msgpack list of events. What is read may come from a stranger: lengths and inflation are bounded, and an
event of a later format is skipped with a notice.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any

import msgspec

from tutor.language import tr
from tutor.trace.events import EVENTS, Event

HEADER = struct.Struct("<III")
MAX_LENGTH = 64 << 20
"""No frame is longer than this, in the file or inflated."""

Notice = Callable[[str], None]
Buffer = bytes | bytearray | memoryview

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""What decoding raises where data is damaged."""

_TAGS = {kind.__struct_config__.tag: kind.__name__ for kind in EVENTS}
_ANY: Any = reduce(or_, EVENTS)
_encode = msgspec.msgpack.Encoder().encode
_decode_all = msgspec.msgpack.Decoder(list[_ANY]).decode
_decode_each = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_one = msgspec.msgpack.Decoder(_ANY).decode
_decode_any = msgspec.msgpack.Decoder().decode


class WireError(ValueError):
    """A frame that cannot be read; the text says why."""


def pack(events: Sequence[bytes | tuple[Any, ...] | Event], steps: int, level: int = 0) -> bytes:
    """One frame of these events; `bytes` are events that are encoded already, tuples are `(tag, field, ...)`."""
    items = [msgspec.Raw(event) if type(event) is bytes else event for event in events]
    try:
        payload = _encode(items)
    except UnicodeEncodeError:  # a path that is not UTF-8, or a half of a surrogate pair in what the program made
        payload = _encode([item if isinstance(item, msgspec.Raw) else _escaped(item) for item in items])
    return seal(payload, len(events), steps, level)


def _escaped(item: Any) -> Any:
    """The same, where what UTF-8 has no bytes for is written out (`\\udcff`)."""
    if isinstance(item, str):
        return item.encode("utf-8", "backslashreplace").decode()
    if isinstance(item, tuple | list):
        return [_escaped(part) for part in item]
    if isinstance(item, dict):
        return {_escaped(key): _escaped(value) for key, value in item.items()}
    return _escaped(msgspec.to_builtins(item)) if isinstance(item, msgspec.Struct) else item


def seal(payload: Buffer, events: int, steps: int, level: int) -> bytes:
    """A frame around an encoded list of events."""
    packed = zlib.compress(payload, level)
    return HEADER.pack(len(packed), events, steps) + packed


def split(buffer: bytearray) -> Iterator[bytes]:
    """Take the whole frames from the front of `buffer`, which keeps the rest; WireError where there cannot be one."""
    while len(buffer) >= HEADER.size:
        length = HEADER.unpack_from(buffer)[0]
        if length > MAX_LENGTH:
            raise WireError(tr("a frame of {length:,} bytes", length=length))
        end = HEADER.size + length
        if len(buffer) < end:
            return
        frame = bytes(memoryview(buffer)[:end])
        del buffer[:end]
        yield frame


def inflate(frame: Buffer) -> bytes:
    """The encoded list of events in a frame."""
    return expand(memoryview(frame)[HEADER.size :], MAX_LENGTH)


def expand(packed: Buffer, limit: int) -> bytes:
    """What was compressed; WireError where it is damaged or more than `limit` bytes."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, limit)
    except zlib.error as error:
        raise WireError(tr("damaged data ({error})", error=error)) from None
    if not stream.eof:
        raise WireError(tr("data that is cut off, or inflates to too much"))
    return data


def decode(frame: Buffer, notice: Notice | None = None) -> list[Event]:
    """The events of a frame. Those that this version does not know are skipped, and `notice` is told."""
    return decode_payload(inflate(frame), notice)


def decode_payload(payload: Buffer, notice: Notice | None = None) -> list[Event]:
    """As `decode`, of what `inflate` gives."""
    try:
        events: list[Event] = _decode_all(payload)
        return events
    except UNREADABLE:
        pass  # something in it is unknown or damaged: find out what
    try:
        items = _decode_each(payload)
    except UNREADABLE:
        raise WireError(tr("data that is no list of events")) from None
    events = []
    for item in items:
        try:
            events.append(_decode_one(item))
        except UNREADABLE:
            if notice is not None:
                notice(_unreadable(item))
    return events


def _unreadable(item: msgspec.Raw) -> str:
    """Why an event was skipped."""
    try:
        tag = _decode_any(item)[0]
    except (*UNREADABLE, TypeError, LookupError):
        tag = None
    if isinstance(tag, int) and tag in _TAGS:
        return tr("Some events of kind {kind} are damaged and were skipped.", kind=_TAGS[tag])
    if isinstance(tag, int):
        return tr("Events of kind {kind}, from a later version of gradtutor, were skipped.", kind=tag)
    return tr("Some events are damaged and were skipped.")
