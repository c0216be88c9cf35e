"""How much memory msgpack takes once it is decoded, found without decoding it: 16 MB may be 16 million empty lists."""

from __future__ import annotations

import re

LIST, DICT, TEXT, NUMBER, ITEM = 64, 240, 56, 40, 8
"""Bytes for a list, for a dict with something in it, for a text or bytes besides what is in them, for a number, and for
a place in a container."""
BYTE = 32
"""Nothing but a container takes more for each byte that encodes it: a text of one character, in two bytes, does."""
_CONTAINERS = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
_NOT_CONTAINERS = bytes(code for code in range(256) if code not in _CONTAINERS)
_NOT_DICTS = bytes(code for code in range(256) if not 0x81 <= code <= 0x8F)
_SHORT = re.compile(rb"[\x00-\x9f\xc0-\xc3\xe0-\xff]{4,}")
"""Several items in a row of which each is one byte, containers included."""
_WIDE = bytes(range(0xF0, 0xF5))
"""The bytes that begin a character of four bytes: a text with one takes four bytes for each character."""

_FIXED = [0] * 256
"""How many bytes follow a code, where that is always the same."""
_COST = [ITEM] * 256
"""What such a code takes."""
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
    """How many items a msgpack list announces; None where it is no list."""
    first = payload[0] if payload else 0
    if 0x90 <= first <= 0x9F:
        return first & 0x0F
    if first in (0xDC, 0xDD):
        return int.from_bytes(payload[1 : 3 if first == 0xDC else 5], "big")
    return None


def memory_of(payload: bytes, most: int = 32 << 20) -> int:
    """The bytes of memory that the decoded data takes, about; once they are more than `most`, any such number."""
    containers = len(payload.translate(None, _NOT_CONTAINERS))
    at_most = len(payload) * BYTE + containers * DICT
    if at_most <= most:
        return at_most
    return _counted(payload, most)


def _counted(payload: bytes, most: int) -> int:
    """The same, item by item."""
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
