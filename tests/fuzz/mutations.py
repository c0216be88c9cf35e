"""Generate recordings that are damaged by accident, or forged by an attacker who knows the format."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from tests.trace.conftest import chance_events
from tutor.trace import events as ev
from tutor.trace import tracefile, wire
from tutor.trace.timeline import Timeline

SEEDS = sorted(Path(__file__).with_name("seeds").glob("*.seed"))
HEAD, TRAILER = tracefile._HEAD.size, tracefile._TRAILER
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode
_STEP_TAGS = {kind.__struct_config__.tag for kind in ev.STEP_KINDS}
_TAGS = [kind.__struct_config__.tag for kind in ev.EVENTS]


class Parts(msgspec.Struct):
    """A file taken apart: its frames (events, and how many of them and of the steps the header tells), its summary."""

    frames: list[tuple[list[Any], int, int]]
    summary: list[Any]


@cache
def seed_files() -> list[bytes]:
    """Real recordings as files."""
    return [path.read_bytes() for path in SEEDS]


def apart(data: bytes) -> Parts:
    """A file that is whole, taken apart."""
    place, _, _, _ = TRAILER.unpack_from(data, len(data) - TRAILER.size)
    frames, buffer = [], bytearray(data[HEAD:place])
    for frame in wire.split(buffer):
        _, events, steps = wire.HEADER.unpack_from(frame)
        frames.append((decode(zlib.decompress(frame[wire.HEADER.size :])), events, steps))
    return Parts(frames, decode(zlib.decompress(data[place : len(data) - TRAILER.size])))


def together(parts: Parts, *, fitting: bool, version: int = 1, whole: bool = True) -> bytes:
    """The file again, its checksums right. `fitting`: headers tell what is there."""
    body = [tracefile._HEAD.pack(tracefile.MAGIC, version)]
    for events, count, steps in parts.frames:
        if fitting and count:
            count = len(events)
            steps = sum(isinstance(event, list) and bool(event) and event[0] in _STEPS for event in events)
        body.append(wire.seal(encode(events), count & 0xFFFFFFFF, steps & 0xFFFFFFFF, 1))
    start = b"".join(body)
    if not whole:
        return start
    summary = zlib.compress(encode(parts.summary), 1)
    return start + summary + TRAILER.pack(len(start), zlib.crc32(start), zlib.crc32(summary), tracefile.MAGIC)


class _Tags:
    """The tags of steps, where any value may be asked for."""

    def __contains__(self, tag: object) -> bool:
        return isinstance(tag, int) and tag in _STEP_TAGS


_STEPS = _Tags()


def by_chance(random: Random) -> bytes:
    """A valid recording, in which everything refers to what there is."""
    timeline = Timeline()
    events = chance_events(random.randint, random.randint(5, 120))
    size = random.choice([4, 16, 64])
    for start in range(0, len(events), size):
        part = events[start : start + size]
        timeline.feed(wire.pack(part, sum(isinstance(event, ev.STEP_KINDS) for event in part)))
    body = [tracefile._HEAD.pack(tracefile.MAGIC, 1), *map(bytes, timeline.frames.data)]
    start_bytes = b"".join(body)
    summary = zlib.compress(encode(tracefile._summary(timeline)), 1)
    sums = TRAILER.pack(len(start_bytes), zlib.crc32(start_bytes), zlib.crc32(summary), tracefile.MAGIC)
    return start_bytes + summary + sums


# ---------------------------------------------------------------- by accident


def damaged(random: Random) -> bytes:
    """Bits, cuts, splices, lengths: no checksum fits."""
    data = bytearray(_any(random))
    for _ in range(random.choice([1, 1, 2, 5, 30])):
        place = random.randrange(len(data))
        act = random.randrange(6)
        if act == 0:
            data[place] ^= 1 << random.randrange(8)
        elif act == 1:
            del data[place:]
        elif act == 2:
            del data[place : place + random.randrange(1, 200)]
        elif act == 3:
            other = _any(random)
            start = random.randrange(len(other))
            data[place:place] = other[start : start + random.randrange(1, 400)]
        elif act == 4:
            data[place : place + 4] = random.choice([b"\xff" * 4, bytes(4), random.randbytes(4)])
        else:
            data += random.randbytes(random.randrange(1, 300))
        if not data:
            break
    return bytes(data)


# ---------------------------------------------------------------- by somebody


def hostile(random: Random) -> bytes:
    """Values, order, counts, the summary and later versions, with checksums that fit."""
    parts = apart(_any(random))
    for _ in range(random.choice([1, 1, 1, 2, 3, 8])):
        random.choices(_ACTS, _WEIGHTS)[0](parts, random)
    fitting, whole = random.random() < 0.7, random.random() < 0.75
    try:
        return together(parts, fitting=fitting, version=random.choice([1] * 9 + [2]), whole=whole)
    except (OverflowError, TypeError, ValueError):  # what msgpack cannot write is no trace
        return hostile(random)


def _any(random: Random) -> bytes:
    files = seed_files()
    return random.choice(files) if random.random() < 0.5 else by_chance(random)


def odd_value(random: Random) -> Any:
    """What no program writes there."""
    kinds: list[Callable[[], Any]] = [
        lambda: random.choice([-1, 0, 1, 2, 3, 255, 256, 2**31, 2**32, 2**63, 2**64 - 1, -(2**63)]),
        lambda: random.choice([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, 5e-324]),
        lambda: random.choice(
            [None, True, False, "", "x", "\x1b]52;c;eA==\x07", "a" * 5000, "w.grad", "%7", "ok", "{x}"]
        ),
        lambda: random.choice([b"", b"abc", b"\xff" * 300]),
        lambda: msgspec.msgpack.Ext(random.randrange(-128, 128), random.randbytes(random.choice([0, 1, 16]))),
        lambda: nested(random.choice([1, 2, 5, 64, 70, 300]), random.choice([1.0, None, "x", b"b", True])),
        lambda: [odd_value(random) for _ in range(random.randrange(4))],
        lambda: {random.choice(["shape", "data", "code", "stats", "x", "dtype"]): odd_value(random)},
        lambda: blob(random),
        lambda: [random.randrange(100) for _ in range(random.choice([0, 1, 2, 1000]))],
        lambda: [[1.0, 2.0], [3.0]],
    ]
    return random.choice(kinds)()


def nested(depth: int, inner: Any) -> Any:
    """Lists in lists."""
    for _ in range(depth):
        inner = [inner]
    return inner


def blob(random: Random) -> dict[str, Any]:
    """A value in raw bytes, or one that is too large for a list, with something wrong in it."""
    count = random.choice([0, 1, 3, 1000, 1001])
    code, data = random.choice([("f", bytes(4 * count)), ("d", bytes(8 * count)), ("?", b"\x07" * count), ("z", b"1")])
    value: dict[str, Any] = {"shape": [count], "code": code, "data": data}
    if random.random() < 0.5:
        value = {"shape": [40, 50], "dtype": "float32", "stats": dict.fromkeys(("min", "max", "mean", "std"), 1.0),
                 "note": "2,000 elements", "corners": [[1.0] * 6] * 6, "heat": [2, 2, b"abcd", 0.0, 1.0]}  # fmt: skip
    if random.random() < 0.8:
        value[random.choice(list(value))] = odd_value(random)
    if random.random() < 0.2:
        value.pop(random.choice(list(value)))
    return value


def _frame(parts: Parts, random: Random) -> list[Any]:
    return random.choice(parts.frames)[0] if parts.frames else []


def _event(parts: Parts, random: Random) -> list[Any]:
    frame = _frame(parts, random)
    event = random.choice(frame) if frame else []
    return event if isinstance(event, list) else []


def _deep(value: Any, random: Random, make: Callable[[], Any]) -> Any:
    """The value with something in it replaced."""
    if isinstance(value, list) and value and random.random() < 0.7:
        place = random.randrange(len(value))
        return [*value[:place], _deep(value[place], random, make), *value[place + 1 :]]
    if isinstance(value, dict) and value and random.random() < 0.7:
        key = random.choice(list(value))
        return {**value, key: _deep(value[key], random, make)}
    return make()


def _change_value(parts: Parts, random: Random) -> None:
    event = _event(parts, random)
    if len(event) > 1:
        place = random.randrange(1, len(event))
        event[place] = _deep(event[place], random, lambda: odd_value(random))


def _change_number(parts: Parts, random: Random) -> None:
    """A number for another of its kind: it means something else, or nothing."""
    event = _event(parts, random)
    places = [place for place, field in enumerate(event) if place and type(field) is int]
    if places:
        event[random.choice(places)] = random.choice([0, 1, 2, 3, 5, 9, 40, 2**40])


def _change_tag(parts: Parts, random: Random) -> None:
    event = _event(parts, random)
    if event:
        event[0] = random.choice([*_TAGS, 99, -1, "line", None])


def _change_length(parts: Parts, random: Random) -> None:
    """A list, or an event, that is shorter or longer."""
    event = _event(parts, random)
    lists = [field for field in event if isinstance(field, list)]
    target = random.choice([event, *lists])
    if target and random.random() < 0.6:
        del target[random.randrange(len(target)) :]
    else:
        target.extend(target[:3] if random.random() < 0.5 else [odd_value(random)])


def _move_events(parts: Parts, random: Random) -> None:
    frame = _frame(parts, random)
    act = random.randrange(4)
    if act == 0:
        random.shuffle(frame)
    elif frame and act == 1:
        del frame[random.randrange(len(frame))]
    elif frame and act == 2:
        frame.insert(random.randrange(len(frame)), random.choice(frame))
    elif frame:
        frame.append(_event(parts, random) or [12, 1, 1])


def _move_frames(parts: Parts, random: Random) -> None:
    act = random.randrange(4)
    if not parts.frames:
        return
    place = random.randrange(len(parts.frames))
    if act == 0:
        random.shuffle(parts.frames)
    elif act == 1:
        del parts.frames[place]
    elif act == 2:
        parts.frames.insert(place, random.choice(parts.frames))
    else:
        other = apart(_any(random))
        parts.frames[place] = random.choice(other.frames) if other.frames else ([], 0, 0)


def _change_counts(parts: Parts, random: Random) -> None:
    if parts.frames:
        place = random.randrange(len(parts.frames))
        events, count, steps = parts.frames[place]
        wrong = random.choice([0, 1, count + 1, steps + 1, 4096, 4097, 2**32 - 1])
        parts.frames[place] = (events, wrong, steps) if random.random() < 0.5 else (events, count, wrong)


def _later_version(parts: Parts, random: Random) -> None:
    if random.random() < 0.5:
        _frame(parts, random).append([random.randrange(70, 200), odd_value(random)])
    else:
        _event(parts, random).append(odd_value(random))


def _change_columns(parts: Parts, random: Random) -> None:
    """What is said of each step, in the summary."""
    place = random.randrange(6)
    column = bytearray(parts.summary[place])
    for _ in range(random.choice([1, 3, 20, len(column)])):
        if column:
            column[random.randrange(len(column))] = random.choice([0, 1, 2, 3, 5, 7, 12, 13, 14, 255])
    if random.random() < 0.1:
        column += column[: random.choice([1, 4])]
    parts.summary[place] = bytes(column)


def _change_kinds(parts: Parts, random: Random) -> None:
    kinds = bytearray(parts.summary[0])
    for place in range(len(kinds)):
        if random.random() < 0.2:
            kinds[place] = random.randrange(1, len(ev.STEP_KINDS) + 1)
    parts.summary[0] = bytes(kinds)


def _change_summary(parts: Parts, random: Random) -> None:
    place = random.randrange(6, len(parts.summary))
    parts.summary[place] = _deep(parts.summary[place], random, lambda: odd_value(random))


def _other_summary(parts: Parts, random: Random) -> None:
    parts.summary = apart(_any(random)).summary


def _add_key(parts: Parts, random: Random) -> None:
    """A state that the recording does not have: that of another one, changed."""
    timeline = Timeline()
    timeline.feed(wire.pack(chance_events(random.randint, 40)[:60], 0))
    state = decode(encode(timeline.state(timeline.steps)))
    for _ in range(random.randrange(4)):
        name = random.choice(list(state))
        state[name] = _deep(state[name], random, lambda: odd_value(random))
    packed = zlib.compress(encode(state))
    parts.frames.insert(random.randrange(len(parts.frames) + 1), ([[60, packed]], 0, 0))


def _swap_columns(parts: Parts, random: Random) -> None:
    sites = [struct.pack("<I", random.choice([0, 1, 2, 2**31, 2**32 - 1])) for _ in parts.summary[0]]
    parts.summary[random.choice([4, 5])] = b"".join(sites)


_ACTS: list[Callable[[Parts, Random], None]] = [
    _change_value, _change_number, _change_tag, _change_length, _move_events, _move_frames, _change_counts,
    _later_version, _change_columns, _change_kinds, _change_summary, _other_summary, _add_key, _swap_columns,
]  # fmt: skip
_WEIGHTS = [30, 12, 5, 10, 8, 6, 6, 4, 4, 6, 8, 3, 3, 3]
