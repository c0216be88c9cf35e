"""Values on the wire (see `events`): their types, and how they become JSON, flat numbers and short text.

A *value* on the wire is one of
  None                                      there is none
  bool, int, float, nested lists of these   a small tensor, as `tolist()` gives it; a complex number is `[re, im]`
  {"shape", "code", "data"}                 up to 1,000 elements: raw little-endian bytes, `code` as in `array.array`
                                            ("?" for bool)
  {"shape", "dtype", "stats", "note", ...}  a tensor too large for a list, or sparse, meta, quantized or nested;
                                            `stats` has min, max, mean, std, nan, inf, zero or is None, `note` says why;
                                            "corners": nested lists, "heat": [rows, columns, bytes, least, most] where
                                            0 is the least, 254 the most and 255 not finite

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

from tutor.i18n import _
from tutor.text_width import cut

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

_IN_VMAP = re.compile(r"in vmap, (\d+) at once")
"""The recorder's note on a tensor that stands for several in `vmap`."""
_SIZES = {code: struct.calcsize("<" + code) for code in "?bBhHiIlLqQefd"}


def to_json(value: Value, dtype: str) -> Any:
    """Return a value as nested lists, with nan and infinities as strings, or a summary as a dict."""
    if isinstance(value, dict):
        if "data" in value:
            return _strict(_nested(value, dtype))
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
    return None if value is None else list(_flat(value))


def short(value: Value, dtype: str, width: int) -> str:
    """Format a value in at most `width` cells: `2.`, `[1. 2. 3. …]`, `3x4 mean 0.1`."""
    if value is None:
        return "None"[:width]
    if isinstance(value, dict) and "data" not in value:
        return cut(_summary(value), width)
    nested = _nested(value, dtype) if isinstance(value, dict) else value
    pairs = dtype.startswith("complex")
    shape = shape_of(nested)[: -1 if pairs else None]
    if math.prod(shape) == 1:  # [[2.]] becomes 2.
        for _ in shape:
            nested = nested[0]
        shape = ()
    if not shape or 0 in shape:
        return cut(_text(nested, pairs), width)
    if math.prod(shape) <= width:
        whole = _text(nested, pairs)
        if len(whole) <= width:
            return whole
    if math.prod(shape[:-1]) == 1:
        around = len(shape) - 1
        for _ in range(around):
            nested = nested[0]
        return cut("[" * around + _beginning(nested, pairs, width - 2 * around) + "]" * around, width)
    return cut(_overview(nested, shape, dtype), width)


def number(value: Any, form: str = "z.4g", whole: str = ".", rounded: str = "") -> str:
    """Format a number, by default as torch does with four significant digits: `2.`, `0.1`, `1.235e+06`, `True`.

    Args:
        value: The number; a pair is a complex number.
        form: Format of floats. A whole number of up to five digits shows all of them.
        whole: Suffix of a whole float whose text has neither point nor exponent.
        rounded: The same for one that was rounded to a whole number.
    """
    if isinstance(value, (list, tuple)) and len(value) == 2:
        real, imaginary = (number(part, form, whole, rounded) for part in value)
        return f"{real}{'' if str(value[1]).startswith('-') else '+'}{imaginary}j"
    if not isinstance(value, float) or not math.isfinite(value):
        return str(value)
    text = f"{value:{form}}"
    if "e" in text and value.is_integer() and abs(value) < 1e5:
        text = f"{value:.0f}"
    if "." in text or "e" in text:
        return text
    return text + (whole if value.is_integer() else rounded)


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


def _nested(blob: dict[str, Any], dtype: str) -> Any:
    """Return raw bytes as a nested list, or as a flat one if the shape does not fit."""
    items = _numbers(blob)
    shape = shape_of(blob)
    if dtype.startswith("complex"):
        items = [list(pair) for pair in zip(items[::2], items[1::2], strict=False)]
    if math.prod(shape) != len(items):
        return items
    for size in reversed(shape[1:]):
        if size == 0:
            return items
        items = [items[start : start + size] for start in range(0, len(items), size)]
    return items if shape else items[0]


def _text(nested: Any, pairs: bool) -> str:
    if isinstance(nested, (list, tuple)) and not (pairs and _is_pair(nested)):
        return "[" + " ".join(_text(item, pairs) for item in nested) + "]"
    return number(nested)


def _is_pair(value: Any) -> bool:
    return len(value) == 2 and not any(isinstance(part, (list, tuple)) for part in value)


def _beginning(items: Any, pairs: bool, width: int) -> str:
    """Format as many items as fit, and an ellipsis."""
    text, room = "[", width - len(" …]")
    for item in items:
        part = ("" if text == "[" else " ") + _text(item, pairs)
        if len(text) + len(part) > room:
            break
        text += part
    return text + ("…]" if text == "[" else " …]")


def _overview(nested: Any, shape: tuple[int, ...], dtype: str) -> str:
    size = "x".join(map(str, shape))
    if dtype.startswith("complex"):
        return f"{size} {dtype}"
    flat = [float(item) for item in _flat(nested) if isinstance(item, (int, float))]
    return f"{size} mean {number(sum(flat) / len(flat))}" if flat else size


def _summary(value: dict[str, Any]) -> str:
    size = "x".join(map(str, shape_of(value)))
    vmap = _IN_VMAP.fullmatch(str(value.get("note") or ""))
    if vmap is not None:
        shape = str(list(shape_of(value)))
        return _("shape {shape}, for {count} at once", shape=shape, count=vmap[1])
    stats = value.get("stats")
    if isinstance(stats, dict) and isinstance(stats.get("mean"), (int, float)):
        return f"{size} mean {number(float(stats['mean']))}"
    return f"{size} {value.get('note') or value.get('dtype') or ''}".strip()


_BITS = re.compile(r"\d+")


@lru_cache(maxsize=256)
def itemsize(dtype: str) -> int:
    """Return the bytes of one element: 4 for `float32`, 1 for `bool`, 8 for `complex64`, the pack of a packed dtype."""
    bits = _BITS.search(dtype)
    return 1 if bits is None else max(int(bits[0]) // 8, 1)


def size_of(shape: Sequence[int], dtype: str) -> int:
    """Return the bytes of all elements."""
    return prod(shape) * itemsize(dtype)
