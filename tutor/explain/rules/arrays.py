"""Small tensors as plain numbers: arithmetic with broadcasting, and indexing.

Enough to work a derivative out again and compare it with torch's, and to find which elements an index in the learner's
code selects.
Source of indexing: https://numpy.org/doc/stable/user/basics.indexing.html, which torch follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

Shape = tuple[int, ...]
MOST_WORK = 200_000
"""Most multiplications spent on one gradient; larger ones are not verified, and not explained."""


def count(shape: Sequence[int]) -> int:
    """Return the number of elements of a shape."""
    return math.prod(shape)


def broadcast_shape(a: Shape, b: Shape) -> Shape:
    """Return the shape of `a + b`. Raises ValueError where the shapes cannot be broadcast."""
    sizes = []
    for i in range(max(len(a), len(b)), 0, -1):
        size_a = a[-i] if i <= len(a) else 1
        size_b = b[-i] if i <= len(b) else 1
        if size_a != size_b and 1 not in (size_a, size_b):
            raise ValueError(f"{a} and {b} do not fit")
        sizes.append(size_b if size_a == 1 else size_a)
    return tuple(sizes)


def broadcast_indices(shape: Shape, to: Shape) -> list[int]:
    """Return, for each element of a tensor of shape `to`, the flat index of the element of one of `shape` that is
    broadcast there."""
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


class Grid(msgspec.Struct, frozen=True):
    """The values of a tensor, flat, and its shape."""

    shape: Shape
    flat: tuple[float, ...]

    @classmethod
    def of(cls, shape: Sequence[int], flat: Sequence[float]) -> Grid:
        """Build a grid. Raises ValueError where the values do not fit the shape."""
        if count(shape) != len(flat):
            raise ValueError("as many numbers as the shape says are needed")
        return cls(tuple(shape), tuple(flat))

    @classmethod
    def full(cls, shape: Sequence[int], number: float) -> Grid:
        """Build a grid of equal values."""
        return cls(tuple(shape), (number,) * count(shape))

    @property
    def single(self) -> float | None:
        """The value that all elements have; None where they differ."""
        if len(self.flat) == 1:
            return None if math.isnan(self.flat[0]) else self.flat[0]
        first = self.flat[0] if self.flat else None
        return first if all(x == first for x in self.flat) else None

    def map(self, function: Callable[[float], float]) -> Grid:
        """Apply a function to each element."""
        return Grid(self.shape, tuple(function(x) for x in self.flat))

    def expand(self, shape: Shape) -> Grid:
        """Broadcast to a shape. Raises ValueError where that cannot be."""
        if self.shape == shape:
            return self
        if broadcast_shape(self.shape, shape) != shape:
            raise ValueError(f"{self.shape} does not stretch to {shape}")
        return Grid(shape, tuple(self.flat[at] for at in broadcast_indices(self.shape, shape)))

    def combine(self, other: Grid, function: Callable[[float, float], float]) -> Grid:
        """Apply a function to the elements of two grids, with broadcasting."""
        return combine(function, self, other)

    def __mul__(self, other: Grid) -> Grid:
        return self.combine(other, lambda x, y: x * y)

    def sum_to(self, shape: Shape) -> Grid:
        """Undo broadcasting: sum over the dimensions along which `shape` was stretched."""
        if self.shape == shape:
            return self
        if broadcast_shape(shape, self.shape) != self.shape:
            raise ValueError(f"{shape} does not stretch to {self.shape}")
        sums = [0.0] * count(shape)
        for at, x in zip(broadcast_indices(shape, self.shape), self.flat, strict=True):
            sums[at] += x
        return Grid(shape, tuple(sums))

    def __sub__(self, other: Grid) -> Grid:
        return self.combine(other, lambda x, y: x - y)

    def reshape(self, shape: Shape) -> Grid:
        """Return the same values in another shape."""
        return Grid.of(shape, self.flat)

    def transpose(self) -> Grid:
        """Transpose a matrix, or each of a batch."""
        *batch, rows, columns = self.shape
        steps = range(0, len(self.flat), max(rows * columns, 1))
        flat = (self.flat[i + r * columns + c] for i in steps for c in range(columns) for r in range(rows))
        return Grid((*batch, columns, rows), tuple(flat))

    def matmul(self, other: Grid) -> Grid:
        """Multiply two matrices, or each of a batch. Raises ValueError where they do not fit, LookupError where it is
        too much work."""
        (*batch, rows, inner), (*same_batch, same, columns) = self.shape, other.shape
        if batch != same_batch or inner != same:
            raise ValueError(f"{self.shape} and {other.shape} do not fit")
        if count(self.shape) * columns > MOST_WORK:
            raise LookupError("too large to work out again")
        flat: list[float] = []
        for i in range(count(batch)):
            a = [self.flat[(i * rows + r) * inner : (i * rows + r + 1) * inner] for r in range(rows)]
            b = [other.flat[i * inner * columns + c : (i + 1) * inner * columns : columns] for c in range(columns)]
            flat += [_dot(x, y) for x in a for y in b]
        return Grid((*batch, rows, columns), tuple(flat))


def combine(function: Callable[..., float], *grids: Grid) -> Grid:
    """Apply a function to the elements of grids, with broadcasting; without grids, give its one value."""
    shape: Shape = ()
    for grid in grids:
        shape = broadcast_shape(shape, grid.shape)
    if not grids:
        return Grid((), (function(),))
    return Grid(shape, tuple(map(function, *(grid.expand(shape).flat for grid in grids))))


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


# ---------------------------------------------------------------- along dimensions

Dimensions = int | Sequence[int] | None
"""As torch takes them: one, which may be negative, or several; None or none for all."""


def normalize_dimensions(dimensions: Dimensions, shape: Shape) -> list[int]:
    """Return dimensions as numbers from 0 on."""
    rank = max(len(shape), 1)
    given = [dimensions] if isinstance(dimensions, int) else dimensions or range(rank)
    return [dimension % rank for dimension in given]


def reduced_shape(shape: Shape, dimensions: Dimensions) -> Shape:
    """Return the shape of a reduction with `keepdim`."""
    reduced = normalize_dimensions(dimensions, shape)
    return tuple(1 if i in reduced else size for i, size in enumerate(shape))


def slices(shape: Shape, dimensions: Dimensions) -> list[list[int]]:
    """Return the slices of a tensor along dimensions, in order, each as the flat indices of its elements."""
    to = reduced_shape(shape, dimensions)
    rows: list[list[int]] = [[] for _ in range(count(to))]
    for element, place in enumerate(broadcast_indices(to, shape)):
        rows[place].append(element)
    return rows


def map_slices(dimensions: Dimensions, function: Callable[..., Sequence[float]], a: Grid, *others: Grid) -> Grid:
    """Apply a function to the slices of a grid along dimensions.

    Args:
        dimensions: The dimensions.
        function: From the elements of a slice, and those of the others, to as many results.
        a: The grid.
        others: Grids that are broadcast to its shape.
    """
    grids = [a.flat, *(other.expand(a.shape).flat for other in others)]
    flat = [0.0] * len(a.flat)
    for row in slices(a.shape, dimensions):
        for i, x in zip(row, function(*([grid[i] for i in row] for grid in grids)), strict=True):
            flat[i] = x
    return Grid(a.shape, tuple(flat))


# ---------------------------------------------------------------- rounding

_TOLERANCE = {"float64": 1e-9, "float32": 1e-5, "float16": 1e-2, "bfloat16": 5e-2}
"""By dtype, the allowed difference between torch's result and one in double precision, relative to the largest number
involved."""


def coarser_dtype(a: str, b: str) -> str:
    """Return the dtype, of two, that rounds more."""
    return max(a, b, key=lambda dtype: _TOLERANCE.get(dtype, 1.0))


def allclose(actual: Grid, expected: Grid, dtype: str, scale: float = 0.0) -> bool:
    """Return whether two results are equal up to rounding in a dtype; nan equals nan.

    Args:
        actual: Values worked out here.
        expected: Values of torch.
        dtype: Name of the dtype that torch used.
        scale: Largest absolute value that went into the results.
    """
    tolerance = _TOLERANCE.get(dtype)
    if tolerance is None or actual.shape != expected.shape:
        return False
    largest = max([scale, *(abs(x) for x in expected.flat if math.isfinite(x))], default=scale)
    return all(is_close(a, b, tolerance * (largest + 1e-30)) for a, b in zip(actual.flat, expected.flat, strict=True))


def is_close(a: float, b: float, tolerance: float) -> bool:
    """Return whether two numbers differ by at most a tolerance; nan equals nan."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= tolerance


def unravel_index(place: int, shape: Shape) -> tuple[int, ...]:
    """Return the coordinates of a flat index."""
    coordinates: list[int] = []
    for size in reversed(shape):
        place, coordinate = divmod(place, size)
        coordinates.insert(0, coordinate)
    return tuple(coordinates)
