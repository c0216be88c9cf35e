"""Small tensors as plain numbers: enough arithmetic to work a derivative out again and compare it with torch's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Shape = tuple[int, ...]


def count(shape: Sequence[int]) -> int:
    """How many elements a tensor of this shape has."""
    return math.prod(shape)


def broadcast_shape(a: Shape, b: Shape) -> Shape:
    """The shape of `a + b`. Raises ValueError where torch would refuse."""
    out = []
    for i in range(max(len(a), len(b)), 0, -1):
        p = a[-i] if i <= len(a) else 1
        q = b[-i] if i <= len(b) else 1
        if p != q and 1 not in (p, q):
            raise ValueError(f"{a} and {b} do not fit")
        out.append(q if p == 1 else p)
    return tuple(out)


def places_of(shape: Shape, to: Shape) -> list[int]:
    """For each element of a tensor of shape `to`: which element of one of `shape` is stretched there."""
    strides = [0] * len(to)
    step = 1
    for i in range(1, len(shape) + 1):
        if shape[-i] != 1:
            strides[-i] = step
        step *= shape[-i]
    offsets = [0]
    for size, stride in zip(to, strides, strict=True):
        offsets = [at + k * stride for at in offsets for k in range(size)]
    return offsets


@dataclass(frozen=True)
class Grid:
    """A tensor's numbers in one row, with its shape."""

    shape: Shape
    flat: tuple[float, ...]

    @classmethod
    def of(cls, shape: Sequence[int], flat: Sequence[float]) -> Grid:
        if count(shape) != len(flat):
            raise ValueError("as many numbers as the shape says are needed")
        return cls(tuple(shape), tuple(flat))

    @classmethod
    def full(cls, shape: Sequence[int], number: float) -> Grid:
        return cls(tuple(shape), (number,) * count(shape))

    @property
    def single(self) -> float | None:
        """The number, where all elements hold the same one."""
        first = self.flat[0] if self.flat else None
        return first if all(x == first for x in self.flat) else None

    def map(self, function: Callable[[float], float]) -> Grid:
        return Grid(self.shape, tuple(function(x) for x in self.flat))

    def expand(self, shape: Shape) -> Grid:
        """Stretched to a shape that it fits."""
        if self.shape == shape:
            return self
        if broadcast_shape(self.shape, shape) != shape:
            raise ValueError(f"{self.shape} does not stretch to {shape}")
        return Grid(shape, tuple(self.flat[at] for at in places_of(self.shape, shape)))

    def combine(self, other: Grid, function: Callable[[float, float], float]) -> Grid:
        shape = broadcast_shape(self.shape, other.shape)
        a, b = self.expand(shape).flat, other.expand(shape).flat
        return Grid(shape, tuple(function(x, y) for x, y in zip(a, b, strict=True)))

    def __mul__(self, other: Grid) -> Grid:
        return self.combine(other, lambda x, y: x * y)

    def sum_to(self, shape: Shape) -> Grid:
        """What undoes broadcasting: the sum over the places that each element of `shape` was stretched to."""
        if self.shape == shape:
            return self
        if broadcast_shape(shape, self.shape) != self.shape:
            raise ValueError(f"{shape} does not stretch to {self.shape}")
        sums = [0.0] * count(shape)
        for at, x in zip(places_of(shape, self.shape), self.flat, strict=True):
            sums[at] += x
        return Grid(shape, tuple(sums))

    def reshape(self, shape: Shape) -> Grid:
        return Grid.of(shape, self.flat)

    def transpose(self) -> Grid:
        rows, columns = self.shape
        return Grid((columns, rows), tuple(self.flat[r * columns + c] for c in range(columns) for r in range(rows)))

    def matmul(self, other: Grid) -> Grid:
        (rows, inner), (same, columns) = self.shape, other.shape
        if inner != same:
            raise ValueError(f"{self.shape} and {other.shape} do not fit")
        a = [self.flat[r * inner : (r + 1) * inner] for r in range(rows)]
        b = [other.flat[c::columns] for c in range(columns)]
        return Grid((rows, columns), tuple(_dot(x, y) for x in a for y in b))


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


# How far torch's result may lie from one worked out in double precision, relative to the largest number involved.
_TOLERANCE = {"float64": 1e-9, "float32": 1e-5, "float16": 1e-2, "bfloat16": 5e-2}


def coarser(a: str, b: str) -> str:
    """Of two dtypes the one that rounds more."""
    return max(a, b, key=lambda dtype: _TOLERANCE.get(dtype, 1.0))


def agree(ours: Grid, theirs: Grid, dtype: str, scale: float = 0.0) -> bool:
    """Whether two results are the same but for rounding. `scale`: the largest number that went into them."""
    tolerance = _TOLERANCE.get(dtype)
    if tolerance is None or ours.shape != theirs.shape:
        return False
    size = max([scale, *(abs(x) for x in theirs.flat if math.isfinite(x))], default=scale)
    return all(_same(a, b, tolerance * (size + 1e-30)) for a, b in zip(ours.flat, theirs.flat, strict=True))


def _same(a: float, b: float, room: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= room


def solved(function: Callable[[float], float], value: float, low: float, high: float) -> float:
    """Where a function that rises or falls all the way has a value, to four digits."""
    rises = function(high) > function(low)
    for _ in range(80):
        middle = (low + high) / 2
        if (function(middle) < value) == rises:
            low = middle
        else:
            high = middle
    return float(f"{(low + high) / 2:.4g}")
