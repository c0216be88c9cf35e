"""Values on the wire (see `events`): their types, and how they become JSON and flat
numbers; `number_format` makes text of them.

A *value* on the wire is one of
  None                                      there is none
  bool, int, float, nested lists of these   a small tensor, as `tolist()` gives it; a complex number is `[re, im]`
  {"shape", "code", "data"}                 up to 1,000 elements: raw little-endian bytes, `code` as in `array.array`
                                            ("?" for bool)
  {"shape", "dtype", "stats", "note", ...}  a tensor too large for a list, or sparse, meta, quantized or nested;
                                            `stats` has min, max, mean, std, nan, inf, zero or is None, `note` says why;
                                            "corners": nested lists, "heat": [rows, columns, bytes, least, most] where
                                            0 is the least, 254 the most and 255 not finite
  {"ref"}                                   the same as an earlier value in the frame; see `repeated_values`

The types have limits that are checked when an event is decoded: recordings are not trusted. `Value` is the value of a
tensor, `Scalar` of a name, `Data` anything else that is stored as it is: knobs, options, cells, answers. Type checkers
see `Any`: they have no lists of any depth.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypedDict

import msgspec

DIMENSIONS = 66
"""Maximum depth of the lists of a value: torch has 64 dimensions, and a complex number is a pair."""
DEPTH = 5
"""Maximum depth of other data."""
MOST_BYTES = 1 << 16
"""Maximum length of the raw bytes of a value; there are up to 1,000 elements."""

MOST_ITEMS = 4096
"""Maximum number of items of a list in a value; there are up to 1,000 numbers."""
MOST_GRADIENTS = 1 << 17
"""Maximum number of gradients that reach a node or are sent on by it."""

Number = bool | int | float | None
Raw = Annotated[bytes, msgspec.Meta(max_length=MOST_BYTES)]
Places = Raw
"""Up to 1,000 flat indices: little-endian u16; see `values.places`."""


def _lists(kind: Any, depth: int) -> Any:
    """Return the type of `kind` or nested lists of it, up to a depth."""
    nested: Any = kind
    for _level in range(depth):
        nested = kind | Annotated[list[nested], msgspec.Meta(max_length=MOST_ITEMS)]
    return nested


def _data(depth: int) -> Any:
    scalar = Number | str
    nested: Any = scalar
    for _level in range(depth):
        nested = scalar | list[nested] | dict[str | int, nested]
    return nested


class Blob(TypedDict, total=False):
    """A tensor's value that is not a list of numbers; see `events`."""

    shape: list[int]
    code: str
    data: Raw
    dtype: str
    stats: dict[str, Number] | None
    note: str | None
    corners: _lists(Number, 4)  # type: ignore[valid-type]
    ref: int
    heat: list[int | float | Raw | None] | None


if TYPE_CHECKING:
    Value: TypeAlias = Any
    Data: TypeAlias = Any
    Scalar: TypeAlias = Any
else:
    Value = _lists(Number, DIMENSIONS) | Blob
    Data = _data(DEPTH)
    Scalar = Number | str
Gradients = Annotated[list[Value], msgspec.Meta(max_length=MOST_GRADIENTS)]

VMAP_NOTE = re.compile(r"in vmap, (\d+) at once")
"""The recorder's note on a tensor that stands for several in `vmap`."""
_SIZES = {code: struct.calcsize("<" + code) for code in "?bBhHiIlLqQefd"}


def to_json(value: Value, dtype: str) -> Any:
    """Return a value as nested lists, with nan and infinities as strings, or a summary as a dict."""
    if isinstance(value, dict):
        if "data" in value:
            return _strict(nested(value, dtype))
        return {
            "shape": list(shape_of(value)),
            "dtype": value.get("dtype", dtype),
            "stats": _strict(value.get("stats")),
            "note": value.get("note"),
        }
    return _strict(value)


def pack_places(flat: Sequence[int]) -> bytes:
    """Return flat indices as on the wire."""
    return struct.pack(f"<{len(flat)}H", *flat)


def places(packed: Places | None) -> tuple[int, ...] | None:
    """Return flat indices from the wire; None for None."""
    return None if packed is None else struct.unpack_from(f"<{len(packed) // 2}H", packed)


def data_json(data: Mapping[str, Data]) -> dict[str, Any]:
    """Return options, arguments or attributes by name, with nan and infinities as strings."""
    return {name: _strict(value) for name, value in data.items()}


def shape_of(value: Value) -> tuple[int, ...]:
    """Return the shape of a value. In a list, the pair of a complex number counts as a dimension."""
    if isinstance(value, dict):
        shape = value.get("shape")
        return tuple(size for size in shape if isinstance(size, int)) if isinstance(shape, (list, tuple)) else ()
    sizes = []
    while isinstance(value, (list, tuple)):
        sizes.append(len(value))
        value = value[0] if value else None
    return tuple(sizes)


def elements(value: Value) -> list[Any] | None:
    """Return all numbers of a list or of raw bytes, in order; None for a summary or None."""
    if isinstance(value, dict):
        return _numbers(value) if "data" in value else None
    if type(value) is list and list not in map(type, value):
        return value[:]
    return None if value is None else list(_flat(value))


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _strict(value: Any) -> Any:
    """Replace floats that JSON does not have with strings."""
    if isinstance(value, float):
        return value if math.isfinite(value) else "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    return value.hex() if isinstance(value, bytes) else value


def _numbers(blob: dict[str, Any]) -> list[Any]:
    """Return the numbers in raw bytes; if those are damaged, as many as there are."""
    code, data = blob.get("code"), blob.get("data")
    if not isinstance(code, str) or code not in _SIZES or not isinstance(data, bytes):
        return []
    if code in "lL" and math.prod(shape_of(blob)) * 8 == len(data):
        code = "q" if code == "l" else "Q"  # a C long has eight bytes where the recorder ran
    count = len(data) // _SIZES[code]
    return list(struct.unpack_from(f"<{count}{code}", data))


def nested(value: Value, dtype: str) -> Any:
    """Return raw bytes as a nested list, or as a flat one if the shape does not fit; other values as they are."""
    if not isinstance(value, dict):
        return value
    items = _numbers(value)
    shape = shape_of(value)
    if dtype.startswith("complex"):
        items = [list(pair) for pair in zip(items[::2], items[1::2], strict=False)]
    if math.prod(shape) != len(items):
        return items
    for size in reversed(shape[1:]):
        if size == 0:
            return items
        items = [items[start : start + size] for start in range(0, len(items), size)]
    return items if shape else items[0]


_BITS = re.compile(r"\d+")


@lru_cache(maxsize=256)
def itemsize(dtype: str) -> int:
    """Return the bytes of one element: 4 for `float32`, 1 for `bool`, 8 for `complex64`, the pack of a packed dtype."""
    bits = _BITS.search(dtype)
    return 1 if bits is None else max(int(bits[0]) // 8, 1)


def size_of(shape: Sequence[int], dtype: str) -> int:
    """Return the bytes of all elements."""
    return prod(shape) * itemsize(dtype)
