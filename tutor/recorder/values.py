"""Read what a tensor holds, for the recording: in full, or as statistics. Never keeps it, never copies all of a large
one.

Function modes must not see these calls: callers are inside a mode's own handler, in a node hook, or under
`DisableTorchFunction()`.
"""

from __future__ import annotations

import array
import ctypes
import functools
import math
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.nn.parameter import is_lazy

from tutor.i18n import N_
from tutor.recorder.originals import name_of
from tutor.recorder.torch_private import (
    WithoutTransforms,
    below_transforms,
    is_zeros,
    may_dispatch,
    stored_count,
    together,
)

FULL = 1000
"""Values of at most this many elements are recorded in full."""
LIST = 8
"""Values of at most this many elements are lists, larger ones bytes (1,000 elements cost 0.6 µs, 8.7 as a list)."""
_OVERLAPPING = 1 << 28
"""At most this many elements are measured where they overlap in memory."""
CHUNK = 1 << 16
"""Elements that are measured at a time: a copy in double precision stays in the processor's cache."""
_LARGE = 1 << 13
"""Elements from which on a chunk is copied into memory that is used again: new memory costs more than the copy."""
_doubles = torch.empty(CHUNK, dtype=torch.float64, device="cpu")
_flags = torch.empty(CHUNK, dtype=torch.float32, device="cpu")
_SQUARE = 1e150
"""Numbers below this can be squared and added in double precision."""
_CANCELLED = 1e-6
"""The least variance, beside the squared mean, that a sum of squares gives to nine digits."""
HEAT = 64
"""Rows and columns of a heat map, at most."""
_LIGHTEST = 254 * (1 + 1e-12)
"""The shade of the greatest element, with what rounding may take from it."""
CORNER = 3
"""Rows and columns of a corner."""

CODES = {
    torch.float32: "f", torch.float64: "d", torch.int64: "q", torch.int32: "i", torch.int16: "h", torch.int8: "b",
    torch.uint8: "B", torch.bool: "?",
}  # fmt: skip
"""The dtypes whose bytes can be sent as they are, and `array`'s codes for them."""
_bytes_at: Callable[[int, int], bytes] = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
_T = TypeVar("_T")
_strided, _float32 = torch.strided, torch.float32
_Tensor, _Parameter, _NO_DISPATCH = torch.Tensor, torch.nn.Parameter, torch.Tensor.__torch_dispatch__


def value_of(t: torch.Tensor) -> Any:
    """Return a value of up to 1,000 elements as `events.py` describes it, a note for an unreadable one, None for a
    larger one.

    Costs a copy to the host on CUDA.
    """
    try:
        kind, count = type(t), t.numel()
        if (kind is _Tensor or kind is _Parameter) and t.layout is _strided and not t.is_nested:
            code = CODES.get(t.dtype)
            if code is not None and count <= LIST:
                return t.tolist()
            if code is not None and t.is_cpu and not t.is_neg():
                size = t.nbytes
                if t.untyped_storage().nbytes() >= size:  # or it was released
                    if count > FULL:
                        return None
                    row = t if t.is_contiguous() else t.detach().contiguous()
                    return {"shape": tuple(t.shape), "code": code, "data": _bytes_at(row.data_ptr(), size)}
    except Exception:  # below, what it is
        pass
    try:
        return _read(_value_of, t)
    except Exception as error:  # a subclass or wrapper that cannot be read: say so
        if type(t) is torch.Tensor and is_zeros(t):  # autograd's placeholder for zeros, without memory
            return value_of(t.detach().clone())
        return unreadable(t, None if t.is_meta or t.is_quantized else error)


def _read(read: Callable[[torch.Tensor], _T], t: torch.Tensor) -> _T:
    """Return `read(t)`; where `t` cannot be read inside transforms, of the tensor below them."""
    try:
        return read(t)
    except Exception:
        plain = below_transforms(t)
        if plain is None:
            raise
        with WithoutTransforms():
            return read(plain)


def _value_of(t: torch.Tensor) -> Any:
    """As `value_of`, but raise where the elements cannot be read."""
    count = t.numel()
    if not is_readable(t):
        return unreadable(t)
    if count <= LIST and t.dtype in CODES and t.layout is _strided and not t.is_nested:
        return t.tolist()
    if t.layout is not _strided or t.is_nested or t.is_quantized or t.is_meta or _is_released(t, count):
        return unreadable(t)
    if count > FULL:
        return None
    code = CODES.get(t.dtype) if count > LIST else None
    if code is None:
        value = t.tolist()
        return _plain(value) if t.dtype.is_complex else value
    return {"shape": tuple(t.shape), "code": code, "data": _bytes_of(t)}


def _bytes_of(t: torch.Tensor) -> bytes:
    """Return a contiguous copy of the elements. (`t.numpy()` would keep the learner from resizing `t` afterwards.)"""
    if t.device.type == "cpu" and t.is_contiguous() and not t.is_neg():
        return _bytes_at(t.data_ptr(), t.nbytes)
    data = t.detach().resolve_neg()
    if data.device.type != "cpu":
        data = data.cpu()
    data = data.contiguous()
    return _bytes_at(data.data_ptr(), data.nbytes)


def is_readable(t: torch.Tensor) -> bool:
    """Return whether `t` has elements that can be read without running Python code of its class.

    A DTensor has none, nor has an uninitialised parameter of a lazy module.
    """
    kind = type(t)
    if kind is _Tensor or kind is _Parameter:
        return True
    return kind.__torch_dispatch__ is _NO_DISPATCH and not is_lazy(t)


def fingerprint_of(t: torch.Tensor, most: int) -> Any:
    """Return what tells this value of `t` from another: the value up to 1,000 elements, a checksum up to `most`.

    None where `t` has more elements, or cannot be read.
    """
    value = value_of(t)
    if value is not None:
        return repr(value)
    if t.numel() > most:
        return None
    try:
        return zlib.crc32(_read(_bytes_of, t.resolve_conj()))
    except Exception:  # a subclass or wrapper without readable memory
        return None


def unreadable(t: torch.Tensor, error: Exception | None = None) -> dict[str, Any]:
    """Return the summary of a tensor whose elements cannot be listed: its shape, dtype and a note that says why."""
    try:
        shape: tuple[int, ...] = tuple(int(n) for n in t.shape)
    except Exception:
        shape = ()
    if is_lazy(t):
        note = N_("not made yet")
    elif not is_readable(t):
        note = f"{name_of(type(t))}, whose elements are not read"
    elif _is_released(t, t.numel()):
        note = N_("its memory was released")
    elif error is not None:
        count = together(t)
        note = f"in vmap, {count} at once" if count else f"its elements cannot be read: {type(error).__name__}"
    elif t.is_meta:
        note = N_("a meta tensor has no elements")
    elif t.is_nested:
        note = N_("a nested tensor")
    elif t.is_quantized:
        note = N_("a quantized tensor")
    else:
        note = f"layout {str(t.layout).removeprefix('torch.')}"
        stored = _stored(t)
        if stored is not None:
            note += f", {stored} elements stored"
    return {"shape": shape, "dtype": dtype_name(t.dtype), "stats": None, "note": note}


def _is_released(t: torch.Tensor, count: int) -> bool:
    """Return whether the memory of the `count` elements was freed by `untyped_storage().resize_(0)`: reading it would
    crash."""
    try:
        size = t.untyped_storage().nbytes()
        if size >= count * t.itemsize:
            return False
        return (count > 0 and not t.is_meta) if size == 0 else t.is_contiguous()
    except Exception:  # no storage at all
        return False


def _stored(t: torch.Tensor) -> int | None:
    try:
        return stored_count(t)
    except Exception:
        return None


def unmeasured(t: torch.Tensor) -> dict[str, Any]:
    """Return the summary of a large tensor that is not measured at this step, to keep recording fast."""
    return {
        "shape": tuple(t.shape),
        "dtype": dtype_name(t.dtype),
        "stats": None,
        "note": f"{t.numel():,} elements, not measured at this step",
    }


def dtype_name(dtype: torch.dtype) -> str:
    """Return the name without `torch.`: `float32`."""
    return str(dtype)[6:]


def _plain(value: Any) -> Any:
    """Return complex numbers as [re, im]."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return [value.real, value.imag] if isinstance(value, complex) else value


def summary_of(t: torch.Tensor, *, heat: bool = True) -> dict[str, Any]:
    """Return shape, statistics, corners and, with `heat`, a heat map of a tensor that is too large to list.

    The statistics are of the finite elements; `std` is the unbiased one, as `torch.std` returns it. Reads the tensor in
    parts, on its device.
    """
    if t.layout is not _strided or t.is_nested or t.is_quantized or t.is_meta or not is_readable(t):
        return unreadable(t)
    try:
        return _read(functools.partial(_summary_of, heat=heat), t)
    except Exception as error:
        return unreadable(t, error)


def _summary_of(t: torch.Tensor, *, heat: bool) -> dict[str, Any]:
    """As `summary_of`, but raise where the elements cannot be read."""
    shape = t.shape
    note = f"{t.numel():,} elements"
    data, times = _once(t.detach())
    if data.numel() > _OVERLAPPING and data.untyped_storage().nbytes() < data.numel() * data.itemsize:
        return unmeasured(t)  # overlapping windows over a far smaller memory would take too long
    if data.dtype.is_complex:
        data, note = data.abs(), note + ", measured by magnitude"
    stats, finite = _stats(data, times)
    corners, shades = _pictures(data if times == 1 else data.expand(shape), finite, heat=heat)
    summary = {"shape": tuple(shape), "dtype": dtype_name(t.dtype), "stats": stats, "note": note, "corners": corners}
    if heat:
        summary["heat"] = shades
    return summary


def _once(t: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return the tensor without the repetitions of `expand`, and how often each element is repeated."""
    times, strides = 1, t.stride()
    if 0 not in strides:
        return t, 1
    for dim, (size, stride) in enumerate(zip(t.shape, strides, strict=True)):
        if stride == 0 and size > 1:
            t, times = t.narrow(dim, 0, 1), times * size
    return t, times


def _chunks(t: torch.Tensor) -> Any:
    """Yield the tensor in parts of about `CHUNK` elements, in the order in which they lie in memory as far as a
    permutation of the dimensions gives that: a transposed matrix takes ten times as long to read by rows. Parts of what
    has no gaps have one dimension."""
    if not t.is_contiguous():
        t = t.permute(sorted(range(t.dim()), key=t.stride, reverse=True))
    if not t.is_contiguous():
        yield from _rows(t)
    elif t.numel() <= CHUNK:
        yield t.view(-1)
    else:
        yield from t.view(-1).split(CHUNK)


def _rows(t: torch.Tensor) -> Any:
    """As `_chunks`, for a tensor with gaps between its elements in memory."""
    if t.numel() <= CHUNK or t.dim() == 0:
        yield t
    elif t.numel() // t.shape[0] > CHUNK:
        for row in t.unbind(0):
            yield from _rows(row)
    else:
        yield from t.split(max(1, CHUNK * t.shape[0] // t.numel()), 0)


_Finite = tuple[torch.Tensor, float, float]
"""All elements of a tensor in one dimension and in double precision, none of them nan or infinite, with the least and
the greatest."""


def _stats(t: torch.Tensor, times: int) -> tuple[dict[str, Any], _Finite | None]:
    """Return the statistics of a tensor whose elements each count `times` times; and its elements, if they are few."""
    low, high, count, mean, spread = math.inf, -math.inf, 0, 0.0, 0.0
    nan = inf = zero = 0
    whole: _Finite | None = None
    is_listed = times == 1 and t.numel() <= CHUNK and t.is_contiguous()
    for chunk in _chunks(t):
        part = _in_double_precision(chunk)
        narrow = chunk if chunk.dtype is _float32 else part  # the same numbers, in half of the memory
        least, most = torch.aminmax(narrow)
        smallest, largest = least.item(), most.item()
        if not (smallest > 0 or largest < 0):
            zero += _count_zeros(narrow)
        if not math.isfinite(largest - smallest):  # nan, inf, or numbers that are too large to add
            finite = torch.isfinite(part)
            nan, inf = nan + int(torch.isnan(part).sum()), inf + int(torch.isinf(part).sum())
            part = part[finite]
            if not part.numel():
                continue
            least, most = torch.aminmax(part)
            smallest, largest = least.item(), most.item()
        elif is_listed:
            whole = part, smallest, largest
        part_count = part.numel()
        part_mean, part_spread = _moments(part, smallest, largest)
        low, high = min(low, smallest), max(high, largest)
        delta = part_mean - mean
        total = count + part_count
        mean += delta * part_count / total
        spread += part_spread + delta * delta * count * part_count / total  # Chan, Golub and LeVeque 1983
        count = total
    measurable = count > 0
    count, spread, nan, inf, zero = count * times, spread * times, nan * times, inf * times, zero * times
    stats = {
        "min": low if measurable else None,
        "max": high if measurable else None,
        "mean": mean if measurable else None,
        "std": math.sqrt(spread / (count - 1)) if count > 1 else None,
        "nan": nan,
        "inf": inf,
        "zero": zero,
    }
    return stats, whole


def _in_double_precision(chunk: torch.Tensor) -> torch.Tensor:
    """Return the elements of a chunk in one dimension and, where there is one, in double precision; valid until the
    next call."""
    size = chunk.numel()
    if size < _LARGE or not chunk.is_cpu or not may_dispatch():
        part = chunk.double() if chunk.device.type != "mps" else chunk.float()
        return part if part.dim() == 1 else part.reshape(-1)
    part = _doubles[:size]
    (part if chunk.dim() == 1 else part.view(chunk.shape)).copy_(chunk)
    return part


def _count_zeros(chunk: torch.Tensor) -> int:
    """Count the zeros in at most `CHUNK` elements, of which single precision can tell the exact sum.

    `count_nonzero` takes up to ten times as long, most where half of them are zero.
    """
    size = chunk.numel()
    if size < _LARGE or not chunk.is_cpu or not may_dispatch():
        return size - int(torch.count_nonzero(chunk).item())
    flags = _flags[:size]
    return int(torch.eq(chunk, 0, out=flags if chunk.dim() == 1 else flags.view(chunk.shape)).sum().item())


def _moments(part: torch.Tensor, smallest: float, largest: float) -> tuple[float, float]:
    """Return the mean of finite elements in one dimension, and the sum of their squared distances from it.

    Sums of squares are several times faster than `var_mean`, but lose the digits of a variance that is small beside
    the mean, and overflow where the numbers are very large.
    """
    count = part.numel()
    if max(-smallest, largest) < _SQUARE:
        mean = part.sum().item() / count
        spread = torch.dot(part, part).item() - mean * mean * count
        if spread > _CANCELLED * mean * mean * count:
            return mean, spread
    variance, average = torch.var_mean(part, correction=0)
    return average.item(), variance.item() * count


def _corners(rows: torch.Tensor) -> list[list[Any]]:
    """Return the corners of a matrix as one with `CORNER` rows and columns of each end."""
    height, width = rows.shape
    ys, xs = _ends(height), _ends(width)
    code = CODES.get(rows.dtype)
    if code is None or not rows.is_cpu or not rows.is_contiguous() or rows.is_neg():
        return _elements_at(rows, _corner_places(height, width)).view(len(ys), len(xs)).tolist()
    size, start = rows.itemsize, rows.data_ptr()  # four operations of torch's take longer than all this
    ends = [0] if len(xs) == width else [0, width - CORNER]
    length = len(xs) // len(ends) * size
    data = b"".join([_bytes_at(start + (y * width + x) * size, length) for y in ys for x in ends])
    numbers = memoryview(data).cast(code).tolist()  # type: ignore[call-overload]
    return [numbers[first : first + len(xs)] for first in range(0, len(numbers), len(xs))]


@functools.lru_cache(maxsize=64)
def _corner_places(height: int, width: int) -> bytearray:
    """Return the flat indices of the corners of a matrix as int64."""
    return bytearray(array.array("q", [y * width + x for y in _ends(height) for x in _ends(width)]).tobytes())


@functools.lru_cache(maxsize=64)
def _map_places(height: int, width: int) -> bytearray:
    """Return the flat indices of the elements of a matrix that its heat map has, as int64."""
    rows, columns = min(height, HEAT), min(width, HEAT)
    places = [y * height // rows * width + x * width // columns for y in range(rows) for x in range(columns)]
    return bytearray(array.array("q", places).tobytes())


def _pictures(t: torch.Tensor, finite: _Finite | None, *, heat: bool) -> tuple[Any, list[Any] | None]:
    """Return the corners, and evenly spaced elements as a map of at most 64x64 bytes, or None without `heat`.

    The map is [rows, columns, bytes, low, high]: 0 stands for `low` and 254 for `high`, the least and greatest finite
    elements in the map; 255 marks what is not finite. `finite` spares reading `t` again where the map has all of it.
    """
    is_whole = True
    if t.dim() < 2:
        rows = t.reshape(1, -1)
    elif t.is_contiguous():  # a view of all
        rows = t.view(-1, t.shape[-1])
    else:  # or else the first matrix: never a copy of all
        rows, is_whole = t[(0,) * (t.dim() - 2)], t.dim() == 2
    height, width = rows.shape
    corners = _corners(rows)
    if not heat:
        return corners, None
    map_rows, map_columns = min(height, HEAT), min(width, HEAT)
    if finite is not None and is_whole and height <= HEAT and width <= HEAT:
        sample, least, most = finite
    else:
        if height % map_rows or width % map_columns:
            sample = _elements_at(rows, _map_places(height, width))
        else:
            sample = rows[:: height // map_rows, :: width // map_columns]
        sample = sample.double() if t.device.type != "mps" else sample.float()
        least, most = (end.item() for end in torch.aminmax(sample))
    if math.isfinite(most - least):
        shades = sample.sub(least).mul_(_LIGHTEST / max(most - least, 1e-300)).to(torch.uint8)
    else:
        finite_places = torch.isfinite(sample)
        low, high = (
            torch.where(finite_places, sample, math.inf).amin(),
            torch.where(finite_places, sample, -math.inf).amax(),
        )
        shades = ((sample - low) / (high - low).clamp_min(1e-300) * 254).nan_to_num().clamp(0, 254).to(torch.uint8)
        shades[~finite_places] = 255
        least, most = torch.stack([low, high]).tolist()
    return corners, [map_rows, map_columns, _bytes_of(shades), least, most]


def _elements_at(rows: torch.Tensor, indices: bytearray) -> torch.Tensor:
    """Return the elements of a matrix at flat indices, which are int64."""
    at = torch.frombuffer(indices, dtype=torch.int64)
    if rows.device.type != "cpu":
        at = at.to(rows.device)
    return torch.take(rows, at)


def _ends(length: int) -> list[int]:
    """Return the first and last three of `length` indices, or all where there are few."""
    if length <= 2 * CORNER:
        return list(range(length))
    return [*range(CORNER), *range(length - CORNER, length)]
