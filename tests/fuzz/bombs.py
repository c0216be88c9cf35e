"""Small files that would take gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.fuzz.mutations import apart, encode, seed_files
from tutor.trace import tracefile, wire

MB = 1 << 20


@dataclass(frozen=True)
class Bomb:
    """A file by its name; it takes memory to make one."""

    name: str
    make: Callable[[], bytes]


def bombs() -> list[Bomb]:
    """All of them."""
    made = []
    for name, make in _EVENTS.items():
        for size in (7, 15, 60):
            for frames in (1, 24):
                for count, lie in ((1, ""), (4000, ", lying")):
                    what = f"{name}, {frames} frames of {size} MB{lie}"
                    made.append(Bomb(what, partial(_of_events, make, size * MB, frames, count)))
    for name, part in _ITEMS.items():
        made.append(Bomb(f"15 MB of {name}", partial(_of_items, part, 15 * MB // len(part), 1)))
        made.append(Bomb(f"{name}, 4,096 to a frame", partial(_of_items, part, 4096, 20)))
    made += [Bomb(f"a summary of {name}", partial(_of_summary, place, make)) for name, place, make in _SUMMARIES]
    return [*made, Bomb("keys", _of_keys)]


def _of_events(make: Callable[[int], bytes], size: int, frames: int, count: int) -> bytes:
    return _file([(b"\xdd" + (1).to_bytes(4, "big") + make(size), count)] * frames)


def _of_items(part: bytes, count: int, frames: int) -> bytes:
    return _file([(b"\xdd" + count.to_bytes(4, "big") + part * count, count)] * frames)


def _of_summary(place: int, make: Callable[[int], bytes]) -> bytes:
    parts = apart(seed_files()[0])
    summary = b"\xdc\x00" + bytes([len(parts.summary)])
    for index, value in enumerate(parts.summary):
        summary += make(60 * MB) if index == place else encode(value)
    return _file([], summary)


def _of_keys() -> bytes:
    return _file([(b"\x91\x92\x3c\xc6" + (15 * MB).to_bytes(4, "big") + bytes(15 * MB), 0)] * 30)


def _many(item: bytes) -> Callable[[int], bytes]:
    """Return a function that makes a list of this item, of about `size` bytes."""
    return lambda size: b"\xdd" + (size // len(item)).to_bytes(4, "big") + item * (size // len(item))


def _text(letter: bytes) -> Callable[[int], bytes]:
    return lambda size: (
        b"\xdb" + (size // len(letter) * len(letter)).to_bytes(4, "big") + letter * (size // len(letter))
    )


def _event(before: bytes, make: Callable[[int], bytes], after: bytes = b"") -> Callable[[int], bytes]:
    return lambda size: before + make(size) + after


_EVENTS: dict[str, Callable[[int], bytes]] = {
    "a Node of empty lists": _event(b"\x94\x22\x01", _many(b"\x90"), b"\x90"),
    "a Node of None": _event(b"\x94\x22\x01", _many(b"\xc0"), b"\x90"),
    "a Node of numbers": _event(b"\x94\x22\x01", _many(b"\xcb12345678"), b"\x90"),
    "a Gone": _event(b"\x92\x16", _many(b"\xce1234")),
    "a Group": _event(b"\x93\x12\x01", _many(b"\x92\xa2ab\x01")),
    "an Output": _event(b"\x93\x29\xa6stdout", _text(b"x")),
    "an Output of four bytes a letter": _event(b"\x93\x29\xa6stdout", _text("😀".encode())),
    "an Output of lines": _event(b"\x93\x29\xa6stdout", _text(b"\n")),
    "a Source": _event(b"\x94\x01\x01\xa4a.py", _text(b"x=1\n")),
    "a Source of brackets": _event(b"\x94\x01\x01\xa4a.py", _text(b"[")),
    "a Figure": _event(b"\x92\x2b", _many(b"\x81\xa1a\x90")),
    "knobs": _event(b"\x93\x0a\x01", lambda size: b"\x81\xa1k" + _many(b"\x90")(size)),
    "a Bind": _event(b"\x96\x11\x01\xa1x\xa5value\x00", _text(b"x")),
}
_ITEMS: dict[str, bytes] = {
    "nil": b"\xc0", "empty": b"\x90", "Line": b"\x93\x0c\x01\x01", "Freed of nothing": b"\x92\x1f\x90",
    "Op": b"\x95\x17\x01\x01\x90\x90", "Warned": b"\x93\x2a\xa1a\xa1b", "Output": b"\x93\x29\xa6stdout\xa1x",
    "CellStart": b"\x92\x0a\x01", "Backward": b"\x98\x20\x01\x01\x01\xa8backward\x90\xc2\xc2",
}  # fmt: skip
_SUMMARIES: list[tuple[str, int, Callable[[int], bytes]]] = [
    ("steps", 0, lambda size: b"\xc6" + size.to_bytes(4, "big") + b"\x03" * size),
    ("sources", 7, _many(b"\x93\x01\x01\x01")), ("sites", 8, _many(b"\x90")), ("metas", 9, _many(b"\x90")),
    ("passes", 11, _many(b"\x92\x01\x01")), ("cells", 12, _many(b"\x92\x01\x01")),
    ("what was printed", 14, _many(b"\x94\x01\xa6stdout\xa1x\x01")), ("notices", 17, _many(b"\xa2ab")),
]  # fmt: skip


def _file(frames: list[tuple[bytes, int]], summary: bytes | None = None) -> bytes:
    packed: dict[bytes, bytes] = {}
    body = [tracefile._HEAD.pack(tracefile.MAGIC, tracefile.VERSION)]
    for payload, count in frames:
        if payload not in packed:
            packed[payload] = zlib.compress(payload, 9)
        body.append(wire.HEADER.pack(len(packed[payload]), count, 0) + packed[payload])
    start = b"".join(body)
    if summary is None:
        return start
    end = zlib.compress(summary, 1)
    return start + end + tracefile._TRAILER.pack(len(start), zlib.crc32(start), zlib.crc32(end), tracefile.MAGIC)
