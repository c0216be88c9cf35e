"""One spelling of numbers and shapes wherever they are shown: five significant digits, `32×16` for a shape.

`number` is for one number, `inline` for a value in running text, `summary` for a value in a cell of a table, `fitted`
for one number in a narrow cell, `equation` to put a value after an equals sign, `grid` for a matrix.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tutor.i18n import _
from tutor.text_width import cut
from tutor.text_width import width as cell_width
from tutor.trace.values import VMAP_NOTE, Value, elements, nested, shape_of

DIGITS = 5
"""Significant digits of a number."""
ROUND_DIGITS = 3
"""A number that was rounded to at most so few digits looks exact; it is marked with `ROUGHLY`."""
ROUGHLY = "≈"
BETWEEN = " … "
"""What is between the least and the greatest element of a range."""
LINE = 60
"""Cells of a value in running text."""
_SUMMARY_DIGITS = 3
"""Significant digits of a statistic."""
_STATISTICS = re.compile(rf"\|[gx]\| \d|-?[\d.]+(e-?\d+)?{BETWEEN}|\d+ (nan|inf|True)\b")
"""How a summary begins."""
_MARKS = re.compile(rf"\[[^\]]*\]|{ROUGHLY}(?=[\d-])")
_CELLS = 3
"""Cells that an element needs for a small tensor to be written out in a cell, as far as there is room."""
_NONE_FITS = "[…]"
"""A small tensor of which not even the first element has room."""
GRID = 8
"""Most rows and columns of a matrix that is shown as numbers."""
_MANTISSAS = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53, "complex64": 24, "complex128": 53}
"""Bits of the significand, by dtype."""


# ---------------------------------------------------------------- numbers


def number(value: Any, dtype: str = "") -> str:
    """Format a number: `2`, `2.5`, `1.5e-7`, `≈2` for 1.9999996, `nan`, `True`, `1+2j`.

    Args:
        value: The number; a pair is a complex number.
        dtype: Where it is stored, which says what rounding it had already: 0.1 in `float32` is `0.1`. Without it, the
            narrowest floating point format that can hold the number is taken.
    """
    if isinstance(value, (list, tuple)) and len(value) == 2:
        real, imaginary = number(value[0], dtype), number(value[1], dtype)
        return f"{real}{'' if imaginary.startswith('-') else '+'}{imaginary}j"
    return _float_text(value, dtype) if isinstance(value, float) else str(value)


@lru_cache(maxsize=16_384)
def _float_text(value: float, dtype: str) -> str:
    if not math.isfinite(value):
        return str(value)
    bits = _MANTISSAS.get(dtype) or _narrowest(value)
    value = _rounded(value, bits)
    text = _without_padding(f"{value:z.{DIGITS}g}")
    looks_exact = len(text.partition("e")[0].replace(".", "").lstrip("-0")) <= ROUND_DIGITS
    return f"{ROUGHLY}{text}" if looks_exact and _rounded(float(text), bits) != value else text


def fitted(value: Any, dtype: str, width: int) -> str:
    """Format a number in a cell: with fewer digits, marked `≈`, where five do not fit; with an exponent only where the
    number itself does not fit: `≈10000` before `≈1e4`."""
    text = number(value, dtype)
    if len(text) <= width and type(value) is float:
        return text
    if len(text) <= width or not isinstance(value, (int, float)) or isinstance(value, bool):
        return cut(text, width)
    rounded = [f"{value:z.{digits}g}" for digits in range(DIGITS, 0, -1)]
    forms = [form for text in rounded for form in (f"{float(text):z.{DIGITS}g}", text)]
    shorter = [f"{ROUGHLY}{_without_padding(form)}" for form in forms]
    return next((text for text in shorter if len(text) <= width), cut(shorter[-1], width))


def equation(left: str, right: str) -> str:
    """Return `left = right`; `left ≈ 2` for a rounded number, and where one is among the operands on the left; and
    `left: |g| 1.16, max 0.31` for statistics."""
    sign, text = equals(right, left)
    return f"{without_marks(left)}{sign}{text}"


def equals(text: str, left: str = "") -> tuple[str, str]:
    """Return the sign between what is on the left and a formatted value, with its spaces; and the value without its
    own sign."""
    if _STATISTICS.match(text):
        return ": ", text
    sign = f" {ROUGHLY} " if text.startswith(ROUGHLY) or without_marks(left) != left else " = "
    return sign, text.removeprefix(ROUGHLY)


def without_marks(text: str) -> str:
    """Remove the marks of rounded operands, but not those in a vector: `2 + ≈0.3` becomes `2 + 0.3`."""
    return _MARKS.sub(lambda match: "" if match[0] == ROUGHLY else match[0], text) if ROUGHLY in text else text


def _without_padding(text: str) -> str:
    """Remove what `%g` pads an exponent with: `1e-07` becomes `1e-7`, `1e+06` becomes `1e6`."""
    digits, e, exponent = text.partition("e")
    return f"{digits}e{int(exponent)}" if e else text


def _rounded(value: float, bits: int) -> float:
    """Round a number to a significand of `bits` bits."""
    if bits >= 53 or not value:
        return value
    fraction, exponent = math.frexp(value)
    try:
        return math.ldexp(round(math.ldexp(fraction, bits)), exponent - bits)
    except OverflowError:
        return value


def _narrowest(value: float) -> int:
    """Return the bits of the narrowest significand that can hold a number."""
    return next((bits for bits in sorted(set(_MANTISSAS.values())) if _rounded(value, bits) == value), 53)


# ---------------------------------------------------------------- shapes


def shape(sizes: Sequence[int]) -> str:
    """Format a shape: `32×16`, `3`, and `scalar` without dimensions."""
    return "×".join(map(str, sizes)) or _("scalar")


# ---------------------------------------------------------------- statistics


@dataclass(frozen=True)
class Statistics:
    """Statistics of a tensor's elements; those of the finite ones, but for the counts.

    Attributes:
        count: Number of elements.
        low: Least element.
        high: Greatest element.
        mean: Their mean.
        std: Their standard deviation, of the sample (divided by n - 1); nan for one element.
        norm: Their Euclidean norm.
        nans: Number of nan.
        infinities: Number of infinities.
    """

    count: int
    low: float
    high: float
    mean: float
    std: float
    norm: float
    nans: int = 0
    infinities: int = 0

    @property
    def largest(self) -> float:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))


def statistics(value: Value) -> Statistics | None:
    """Return the statistics of a value of real numbers; None without numbers, and where they were not recorded."""
    if isinstance(value, dict) and "data" not in value:
        return _recorded_statistics(value)
    kept = _statistics.get(id(value))
    if kept is not None and kept[0] is value:
        return kept[1]
    if len(_statistics) >= _STATISTICS_KEPT:
        _statistics.clear()
    found = _computed_statistics(value)
    _statistics[id(value)] = value, found
    return found


_STATISTICS_KEPT = 256
_statistics: dict[int, tuple[Value, Statistics | None]] = {}
"""Statistics by the identity of values, which are never changed: most are shown again at the next step."""


def _computed_statistics(value: Value) -> Statistics | None:
    flat = elements(value)
    if not flat or not all(isinstance(item, (int, float)) for item in flat):
        return None
    finite = [float(item) for item in flat if math.isfinite(item)]
    nans = sum(isinstance(item, float) and math.isnan(item) for item in flat)
    infinities = len(flat) - len(finite) - nans
    if not finite:
        return Statistics(len(flat), math.nan, math.nan, math.nan, math.nan, math.nan, nans, infinities)
    mean = math.fsum(item / len(finite) for item in finite)
    spread = math.hypot(*(item - mean for item in finite))
    std = spread / math.sqrt(len(finite) - 1) if len(finite) > 1 else math.nan
    return Statistics(len(flat), min(finite), max(finite), mean, std, math.hypot(*finite), nans, infinities)


def _recorded_statistics(value: dict[str, Any]) -> Statistics | None:
    """Return what the recorder worked out of a large tensor. It may come from a malformed file."""
    stats = value.get("stats")
    if not isinstance(stats, dict):
        return None
    low, high, mean, std = (_float_or_nan(stats.get(name)) for name in ("min", "max", "mean", "std"))
    count, nans, infinities = math.prod(shape_of(value)), stats.get("nan") or 0, stats.get("inf") or 0
    finite = count - nans - infinities
    squares = finite * mean * mean + (0.0 if math.isnan(std) else (finite - 1) * std * std)
    return Statistics(count, low, high, mean, std, math.sqrt(squares) if squares >= 0 else math.nan, nans, infinities)


def _float_or_nan(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def inline(value: Value, dtype: str, width: int = LINE, *, gradient: bool = False) -> str:
    """Format a value in running text: all its numbers where they fit, `[[1 2] [3 4]]`, else its statistics.

    Args:
        value: Its value; None becomes `None`.
        dtype: Its dtype.
        width: Most cells.
        gradient: Whether it is a gradient, and its norm says more than its range.
    """
    kind = type(value)
    if kind is float:
        return fitted(value, dtype, width)
    if kind is list and len(value) == 1 and type(value[0]) is float:
        return fitted(value[0], dtype, width)
    if value is None:
        return cut("None", width)
    items = None if isinstance(value, dict) and "data" not in value else nested(value, dtype)
    if items is None:
        return _statistics_text(value, dtype, shape_of(value), width, gradient)
    is_complex = dtype.startswith("complex")
    sizes = shape_of(items)[: -1 if is_complex else None]
    if math.prod(sizes) == 1:
        for _size in sizes:
            items = items[0]
        return fitted(items, dtype, width)
    whole = _nested_text(items, dtype) if math.prod(sizes) <= width else ""
    if whole and len(whole) <= width:
        return whole
    if math.prod(sizes[:-1]) == 1 and sizes[-1] <= GRID:
        return _beginning(items, dtype, width)
    return _statistics_text(value, dtype, sizes, width, gradient)


def summary(value: Value, dtype: str, sizes: Sequence[int], width: int, *, gradient: bool = False) -> str:
    """Format a value in a cell of a table. The shape and the width alone decide what is shown of it, so that a cell
    does not turn from one statistic into another while one walks: a number; the first elements of a small tensor,
    `[1 2 3 …]`; a range, `-24.7 … 26.9`, where there is room with mean ± std; of a gradient the norm `|g|` and the
    largest magnitude, `|g| 1.16, max 0.31`. Only nan and infinities have precedence: `3 nan of 64`.

    Args:
        value: Its value; None becomes `None`.
        dtype: Its dtype.
        sizes: Its shape.
        width: Most cells.
        gradient: Whether it is a gradient.
    """
    if value is None:
        return cut("None", width)
    flat, count = elements(value), math.prod(sizes)
    if flat and count == 1:
        return fitted(flat if len(flat) == 2 else flat[0], dtype, width)
    if flat is not None and count * _CELLS + 1 + 2 * (len(sizes) - 1) <= width:
        text = _beginning(nested(value, dtype), dtype, width)
        if text != _NONE_FITS:
            return text
    return _statistics_text(value, dtype, sizes, width, gradient)


def _statistics_text(value: Value, dtype: str, sizes: Sequence[int], width: int, gradient: bool) -> str:
    note = str(value.get("note") or "") if isinstance(value, dict) else ""
    vmap = VMAP_NOTE.fullmatch(note)
    if vmap is not None:
        return cut(_("shape {shape}, for {count} at once", shape=shape(sizes), count=vmap[1]), width)
    stats = None if dtype.startswith("complex") else statistics(value)
    if stats is None or not stats.count:
        return cut(f"{shape(sizes)} {note or dtype}".strip(), width)
    unreal = [f"{count} {name}" for count, name in ((stats.nans, "nan"), (stats.infinities, "inf")) if count]
    if unreal:
        part = ", ".join(unreal)
        whole = _("{part} of {count:,}", part=part, count=stats.count)
        return whole if cell_width(whole) <= width else cut(part, width)
    if dtype == "bool":
        return cut(_("{part} of {count:,}", part=f"{round(stats.mean * stats.count)} True", count=stats.count), width)
    name = "g" if gradient else "x"
    if gradient and width >= _NORM_AND_MAX:
        return f"|g| {statistic(stats.norm)}, max {statistic(stats.largest)}"
    if gradient or width < _SHORT_RANGE:
        prefix = f"|{name}| "
        return cut(prefix + statistic(stats.norm, width - len(prefix)), width)
    room = (width - len(BETWEEN)) // 2
    bounds = f"{statistic(stats.low, room)}{BETWEEN}{statistic(stats.high, room)}"
    if width >= _RANGE_AND_MEAN and not math.isnan(stats.std):
        return f"{bounds} ({_('mean')} {statistic(stats.mean)} ± {statistic(stats.std)})"
    return bounds


_NORM_AND_MAX = len("|g| 0.000123, max 0.000123")
_SHORT_RANGE = len("-0.0001 … -0.0001")
"""Cells for a range of any magnitude; in fewer than `-0.000123 … -0.000123` has, some bounds have fewer digits."""
_RANGE_AND_MEAN = len("-0.000123 … -0.000123 (mean -0.000123 ± 0.000123)")


def statistic(value: float, width: int = LINE) -> str:
    """Format a statistic, which is rounded to three digits without a mark; to fewer where those do not fit."""
    texts = [number(float(f"{value:.{digits}g}")) for digits in range(_SUMMARY_DIGITS, 0, -1)]
    return next((text for text in texts if len(text) <= width), texts[-1])


def _nested_text(items: Any, dtype: str) -> str:
    """Return nested lists with all their numbers."""
    if isinstance(items, (list, tuple)) and not _is_complex(items, dtype):
        return "[" + " ".join(_nested_text(item, dtype) for item in items) + "]"
    return number(items, dtype)


def _is_complex(items: Any, dtype: str) -> bool:
    return dtype.startswith("complex") and len(items) == 2 and not isinstance(items[0], (list, tuple))


def _beginning(items: Any, dtype: str, width: int) -> str:
    """Return as many elements of a small tensor as fit, and an ellipsis: `[1 2 …]`."""
    whole = _nested_text(items, dtype)
    if len(whole) <= width:
        return whole
    words = whole.split(" ")
    for kept in range(len(words) - 1, 0, -1):
        text = " ".join(words[:kept])
        text = f"{text} …{']' * (text.count('[') - text.count(']'))}"
        if len(text) <= width:
            return text
    return _NONE_FITS[:width]


# ---------------------------------------------------------------- matrices


def grid(value: Value, dtype: str, sizes: Sequence[int], widest: int = LINE) -> list[list[str]] | None:
    """Return the numbers of a matrix or vector as text, padded so that the points of each column are below each other.

    Args:
        value: Its value.
        dtype: Its dtype.
        sizes: Its shape. A vector is a row. Of more dimensions, all but the last two must be 1.
        widest: Most cells of a column.

    Returns:
        The texts by row and column, all of a column of the same width; None where it has more than `GRID` rows or
        columns, no elements, or its numbers were not recorded.
    """
    rows, columns = (1, *sizes)[-2:] if len(sizes) == 1 else tuple(sizes[-2:]) or (1, 1)
    flat = elements(value)
    is_matrix = math.prod(sizes[:-2]) == 1 and 0 < rows <= GRID and 0 < columns <= GRID
    if flat is None or not is_matrix:
        return None
    if dtype.startswith("complex") and len(flat) == 2 * rows * columns:
        flat = [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)]
    if len(flat) != rows * columns:
        return None
    texts = [fitted(item, dtype, widest) for item in flat]
    aligned = [_aligned(texts[column::columns], widest) for column in range(columns)]
    return [list(row) for row in zip(*aligned, strict=True)]


def _aligned(texts: Sequence[str], widest: int) -> list[str]:
    """Align a column where that fits, else move its numbers to the right."""
    aligned = align(texts)
    return aligned if len(aligned[0]) <= widest else [text.rjust(max(map(len, texts))) for text in texts]


def align(texts: Sequence[str]) -> list[str]:
    """Pad numbers to one width, so that their points are below each other."""
    left = max((_before_point(text) for text in texts), default=0)
    padded = [" " * (left - _before_point(text)) + text for text in texts]
    width = max(map(len, padded), default=0)
    return [text.ljust(width) for text in padded]


def _before_point(text: str) -> int:
    """Return the number of characters before the point, or before the exponent without a point."""
    for mark in ".e":
        if mark in text and not text.startswith(("nan", "inf", "-inf", "True", "False", "None")):
            return text.index(mark)
    return len(text)
