"""Frames: the encoding of events in the pipe and in trace files.

A frame is a header of three little-endian u32 (length of the rest, number of events, of steps) and a zlib stream of a
msgpack list of events. Recordings are not trusted, so limits are checked before a frame is decoded: its length, its
inflated size, the number of events and the memory that they will take. An event of a later format is skipped with a
notice. `pack_all` keeps what is written within the limits.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cache, reduce
from operator import or_
from typing import Any

import msgspec

from tutor.i18n import _
from tutor.trace import repeated_values
from tutor.trace.events import EVENTS, Event, Freed, Gap, Gone, Output

LIST, DICT, TEXT, NUMBER, ITEM = 64, 240, 56, 40, 8
"""Memory in bytes of a list, of a dict that is not empty, of a text without its characters, of a number, and of an item
in a container."""
BYTE = 32
"""Maximum memory per encoded byte of all but containers: that of a text of one character, in two bytes."""
_CONTAINERS = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
_NOT_CONTAINERS = bytes(code for code in range(256) if code not in _CONTAINERS)
_NOT_DICTS = bytes(code for code in range(256) if not 0x81 <= code <= 0x8F)
_SHORT = re.compile(rb"[\x00-\x9f\xc0-\xc3\xe0-\xff]{4,}")
"""Several one-byte items in a row, containers included."""
_WIDE = bytes(range(0xF0, 0xF5))
"""First bytes of characters of four bytes: a text with such a character takes four bytes for each."""

_FIXED = [0] * 256
"""By code: the number of bytes that follow it, if that is fixed."""
_COST = [ITEM] * 256
"""By code: its memory, if the number of bytes is fixed."""
for _code, _size in ((0xCA, 4), (0xCB, 8), (0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8), (0xD0, 1), (0xD1, 2),
                     (0xD2, 4), (0xD3, 8)):  # fmt: skip
    _FIXED[_code], _COST[_code] = _size, NUMBER
for _code in (0x80, *range(0x90, 0xA0), 0xDC, 0xDD):
    _COST[_code] = LIST + ITEM
for _code in (*range(0x81, 0x90), 0xDE, 0xDF):
    _COST[_code] = DICT + ITEM
for _code, _size in ((0xDC, 2), (0xDD, 4), (0xDE, 2), (0xDF, 4)):
    _FIXED[_code] = _size
_SIZED = {code: 1 << (code - 0xC4) for code in (0xC4, 0xC5, 0xC6)}  # bytes
_SIZED |= {code: 1 << (code - 0xD9) for code in (0xD9, 0xDA, 0xDB)}  # text
_SIZED |= {code: 1 << (code - 0xC7) for code in (0xC7, 0xC8, 0xC9)}  # extensions, with a byte for their type
_EXTENSIONS = frozenset((0xC7, 0xC8, 0xC9))
_TEXTS = frozenset((*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB))


def items_of(payload: bytes) -> int | None:
    """Return the number of items of a msgpack list by its header; None if it is not a list."""
    first = payload[0] if payload else 0
    if 0x90 <= first <= 0x9F:
        return first & 0x0F
    if first in (0xDC, 0xDD):
        return int.from_bytes(payload[1 : 3 if first == 0xDC else 5], "big")
    return None


def memory_of(payload: bytes, most: int = 32 << 20) -> int:
    """Estimate the memory of decoded msgpack data in bytes, without decoding it.

    16 MB may be 16 million empty lists. The estimate stops once it exceeds `most`.
    """
    containers = len(payload.translate(None, _NOT_CONTAINERS))
    at_most = len(payload) * BYTE + containers * DICT
    if at_most <= most:
        return at_most
    return _counted(payload, most)


def _counted(payload: bytes, most: int) -> int:
    """Estimate the memory item by item."""
    place, end, memory = 0, len(payload), 0
    fixed, cost, sized, short = _FIXED, _COST, _SIZED, _SHORT.match
    while place < end and memory <= most:
        run = short(payload, place)
        if run is not None:
            codes = run[0]
            lists = len(codes.translate(None, _NOT_CONTAINERS))
            dicts = len(codes.translate(None, _NOT_DICTS)) if lists else 0
            memory += len(codes) * ITEM + lists * LIST + dicts * (DICT - LIST)
            place = run.end()
            continue
        code = payload[place]
        place += 1
        size = sized.get(code)
        if size is not None:
            length = int.from_bytes(payload[place : place + size], "big")
            place += size + (code in _EXTENSIONS)
        elif 0xA0 <= code < 0xC0:
            length = code & 0x1F
        elif 0xD4 <= code <= 0xD8:
            length = (1 << (code - 0xD4)) + 1
        else:
            memory += cost[code]
            place += fixed[code]
            continue
        text = payload[place : place + length] if code in _TEXTS else b""
        wide = 4 if text and len(text.translate(None, _WIDE)) < len(text) else 1
        memory += TEXT + ITEM + length * wide
        place += length
    return memory


HEADER = struct.Struct("<III")
MAX_LENGTH = 16 << 20
"""Maximum length of a frame in bytes, compressed and inflated."""
MAX_EVENTS = 4096
"""Maximum number of events in a frame."""
MAX_MEMORY = 32 << 20
"""Maximum memory for the events of a frame in bytes, as `memory_of` estimates it."""
FULL = 512 << 10
"""Encoded bytes of events above which they are written as several frames."""
MAX_EVENT = MAX_LENGTH - (64 << 10)
"""Maximum encoded bytes of an event; incompressible data grows a little when compressed."""

Notice = Callable[[str], None]
Buffer = bytes | bytearray | memoryview

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""What decoding raises where data is damaged."""

_encode = msgspec.msgpack.Encoder().encode
_REFERENCE = _encode("ref")
_TAGS = {kind.__struct_config__.tag: kind.__name__ for kind in EVENTS}
_DIVISIBLE = frozenset(kind.__struct_config__.tag for kind in (Gone, Freed, Output))
"""Tags of events whose last field, a list of numbers or a text, may be divided among several events."""
_ANY: Any = reduce(or_, EVENTS)


@cache
def decoder(kind: Any) -> Callable[[Buffer], Any]:
    """Return a function that decodes a type. Created on first use: for all events that takes some 30 ms."""
    return msgspec.msgpack.Decoder(kind).decode


class WireError(ValueError):
    """A frame that cannot be read; the message is the reason."""


def pack(events: Sequence[bytes | tuple[Any, ...] | Event], steps: int, level: int = 0) -> bytes:
    """Return a frame of events: `bytes` are already encoded, tuples are `(tag, field, ...)`."""
    return seal(_payload(events), len(events), steps, level)


def pack_all(events: Sequence[tuple[Any, ...]], steps: Container[Any]) -> Iterator[tuple[bytes, int]]:
    """Yield frames of events within the limits, and the number of events in each; `steps` are the tags of steps.

    An event too large for a frame is divided, or replaced by a `Gap` if that is impossible.
    """
    try:
        payload = _payload(events)
    except (TypeError, ValueError, OverflowError, RecursionError):  # text with lone surrogates, numbers too large
        payload = None
    if payload is not None and len(events) <= MAX_EVENTS and len(payload) <= FULL:
        yield seal(payload, len(events), sum([event[0] in steps for event in events]), 0), len(events)
        return
    if len(events) > 1:
        half = min(len(events) // 2, MAX_EVENTS)
        yield from pack_all(events[:half], steps)
        yield from pack_all(events[half:], steps)
        return
    event = events[0]
    name = _TAGS.get(event[0], "")
    if payload is None:
        yield pack([Gap(1, "unwritable", detail=name)], 0), 1
    elif len(payload) <= MAX_EVENT and memory_of(payload) <= MAX_MEMORY:
        yield seal(payload, 1, int(event[0] in steps), 0), 1
    elif event[0] in _DIVISIBLE and len(event[-1]) > 1:
        half = len(event[-1]) // 2
        yield from pack_all([(*event[:-1], event[-1][:half])], steps)
        yield from pack_all([(*event[:-1], event[-1][half:])], steps)
    else:
        yield pack([Gap(1, "large", len(payload), name)], 0), 1


def _payload(events: Sequence[bytes | tuple[Any, ...] | Event]) -> bytes:
    items = [msgspec.Raw(event) if type(event) is bytes else event for event in events]
    try:
        return _encode(items)
    except UnicodeEncodeError:  # a path that is not UTF-8, or a lone surrogate in a text of the program
        return _encode([item if isinstance(item, msgspec.Raw) else _escaped(item) for item in items])


def _escaped(item: Any) -> Any:
    """Return the same with lone surrogates, which UTF-8 cannot encode, as escapes (`\\udcff`)."""
    if isinstance(item, str):
        return item.encode("utf-8", "backslashreplace").decode()
    if isinstance(item, tuple | list):
        return [_escaped(part) for part in item]
    if isinstance(item, dict):
        return {_escaped(key): _escaped(value) for key, value in item.items()}
    return _escaped(msgspec.to_builtins(item)) if isinstance(item, msgspec.Struct) else item


def seal(payload: Buffer, events: int, steps: int, level: int) -> bytes:
    """Return a frame of an encoded list of events."""
    packed = zlib.compress(payload, level)
    return HEADER.pack(len(packed), events, steps) + packed


def split(buffer: bytearray) -> Iterator[bytes]:
    """Remove complete frames from the front of `buffer` and yield them. Raises WireError if one is too long."""
    while len(buffer) >= HEADER.size:
        length = HEADER.unpack_from(buffer)[0]
        if length > MAX_LENGTH:
            raise WireError(_("a frame of {length:,} bytes", length=length))
        end = HEADER.size + length
        if len(buffer) < end:
            return
        frame = bytes(memoryview(buffer)[:end])
        del buffer[:end]
        yield frame


def inflate(frame: Buffer) -> bytes:
    """Return the encoded list of events in a frame. Raises WireError if it is damaged or exceeds a limit."""
    view = memoryview(frame)
    if len(view) < HEADER.size:
        raise WireError(_("data that is cut off, or inflates to too much"))
    events = HEADER.unpack_from(view)[1]
    payload = expand(view[HEADER.size :], MAX_LENGTH)
    if events > MAX_EVENTS or (events and items_of(payload) not in (None, events)):
        raise WireError(_("a frame of more or other events than it announces"))
    if memory_of(payload) > MAX_MEMORY:
        raise WireError(_("a frame that takes too much memory"))
    return payload


def expand(packed: Buffer, limit: int) -> bytes:
    """Decompress data. Raises WireError if it is damaged or inflates to more than `limit` bytes."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, limit)
    except zlib.error as error:
        raise WireError(_("damaged data ({error})", error=error)) from None
    if not stream.eof:
        raise WireError(_("data that is cut off, or inflates to too much"))
    return data


def decode(frame: Buffer, notice: Notice | None = None) -> list[Event]:
    """Return the events of a frame, skipping unknown ones with a call of `notice`. Raises WireError."""
    return decode_payload(inflate(frame), notice)[0]


def decode_payload(payload: bytes, notice: Notice | None = None) -> tuple[list[Event], int]:
    """As `decode`, for the result of `inflate`; and the length of the events in bytes, each value written out."""
    events, length = _decode_events(payload, notice), len(payload)
    if _REFERENCE in payload:
        length += repeated_values.resolve(events)
        if length > MAX_LENGTH:
            raise WireError(_("a frame that takes too much memory"))
    return events, length


@cache
def _event_list_decoder() -> Callable[[Buffer], list[Event]]:
    """Return `decoder` for a list of events: a union of all types takes longer to look up than a frame to decode."""
    return decoder(list[_ANY])


def _decode_events(payload: bytes, notice: Notice | None) -> list[Event]:
    try:
        return _event_list_decoder()(payload)
    except UNREADABLE:
        pass  # something in it is unknown or damaged: find out what
    try:
        items: list[msgspec.Raw] = decoder(list[msgspec.Raw])(payload)
    except UNREADABLE:
        raise WireError(_("data that is no list of events")) from None
    events, decode_event = [], decoder(_ANY)
    for item in items:
        try:
            events.append(decode_event(item))
        except UNREADABLE:
            if notice is not None:
                notice(_unreadable(item))
    return events


def _unreadable(item: msgspec.Raw) -> str:
    """Return a sentence on why an event was skipped."""
    try:
        tag = decoder(Any)(item)[0]
    except (*UNREADABLE, TypeError, LookupError):
        tag = None
    if isinstance(tag, int) and tag in _TAGS:
        return _("Some events of kind {kind} are damaged and were skipped.", kind=_TAGS[tag])
    if isinstance(tag, int):
        return _("Events of kind {kind}, from a later version of gradtutor, were skipped.", kind=tag)
    return _("Some events are damaged and were skipped.")
