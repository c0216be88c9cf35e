"""Small tensors as plain numbers: arithmetic with broadcasting, and indexing.

Enough to work a derivative out again and compare it with torch's, and to find which elements an index in the learner's
code selects.
Source of indexing: https://numpy.org/doc/stable/user/basics.indexing.html, which torch follows.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import EllipsisType

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


@dataclass(frozen=True)
class Grid:
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
        """Transpose a matrix."""
        rows, columns = self.shape
        return Grid((columns, rows), tuple(self.flat[r * columns + c] for c in range(columns) for r in range(rows)))

    def matmul(self, other: Grid) -> Grid:
        """Multiply two matrices. Raises ValueError where they do not fit, LookupError where it is too much work."""
        (rows, inner), (same, columns) = self.shape, other.shape
        if inner != same:
            raise ValueError(f"{self.shape} and {other.shape} do not fit")
        if rows * inner * columns > MOST_WORK:
            raise LookupError("too large to work out again")
        a = [self.flat[r * inner : (r + 1) * inner] for r in range(rows)]
        b = [other.flat[c::columns] for c in range(columns)]
        return Grid((rows, columns), tuple(_dot(x, y) for x in a for y in b))


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


# ---------------------------------------------------------------- indices in source

Item = int | slice | None | bool | Grid
NameLookup = Callable[[str], "int | tuple[Grid, bool] | None"]
"""From a piece of source to a whole number, or to a tensor and whether it is a mask; None where it is not known."""


@dataclass(frozen=True)
class IndexedElements:
    """The elements that an index selects."""

    result: Shape
    """Shape of the result."""
    places: tuple[int, ...]
    """For each element of the result, its flat index in the indexed tensor."""
    shape: Shape
    """Shape that the numbers and slices of the index leave."""
    inner: tuple[int, ...]
    """For each element of the result, its flat index in what the numbers and slices leave."""


def resolve_index(text: str, shape: Shape, look_up: NameLookup) -> IndexedElements | None:
    """Return what `x[text]` selects from a tensor of this shape; None where it is not known."""
    try:
        tree = ast.parse(f"x[{text}]", mode="eval").body
        assert isinstance(tree, ast.Subscript)
        nodes = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
        return _select([_parse_item(node, look_up) for node in nodes], shape)
    except (SyntaxError, ValueError, LookupError, TypeError, RecursionError, AssertionError):
        return None


def _parse_item(node: ast.expr, look_up: NameLookup) -> Item | EllipsisType:
    """Parse one item of an index. Raises LookupError or ValueError where it is not known."""
    if isinstance(node, ast.Slice):
        return slice(
            *(None if part is None else _parse_int(part, look_up) for part in (node.lower, node.upper, node.step))
        )
    if isinstance(node, ast.Constant) and (node.value is None or node.value is ... or isinstance(node.value, bool)):
        return node.value
    if isinstance(node, ast.List):
        values = ast.literal_eval(node)
        is_mask = all(isinstance(x, bool) for x in values)
        grid = Grid.of((len(values),), [float(x) for x in values])
        return _as_mask(grid) if is_mask else grid
    value = None if isinstance(node, ast.Constant | ast.UnaryOp) else look_up(ast.unparse(node))
    if isinstance(value, tuple):
        return _as_mask(value[0]) if value[1] else value[0]
    return _parse_int(node, look_up)


class _Mask(Grid):
    """A grid of booleans."""


def _as_mask(grid: Grid) -> Grid:
    return _Mask(grid.shape, grid.flat)


def _parse_int(node: ast.expr, look_up: NameLookup) -> int:
    """Evaluate a whole number in an index. Raises LookupError where it is none."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_parse_int(node.operand, look_up)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        a, b = _parse_int(node.left, look_up), _parse_int(node.right, look_up)
        return a + b if isinstance(node.op, ast.Add) else a - b if isinstance(node.op, ast.Sub) else a * b
    value = look_up(ast.unparse(node))
    if type(value) is not int:
        raise LookupError("no whole number")
    return value


def _select(items: Sequence[Item | EllipsisType], shape: Shape) -> IndexedElements:
    """Apply an index: numbers, slices and None, one dimension after the other; then the tensors, together."""
    consuming = [item for item in items if item is not None and item is not ... and item is not True]
    indexed_dimensions = sum(len(item.shape) if isinstance(item, _Mask) else 1 for item in consuming)
    missing: list[Item] = [slice(None)] * (len(shape) - indexed_dimensions)
    all_items: list[Item] = []
    for item in items:
        all_items += missing if item is ... else [item]
    if ... not in [item for item in items if not isinstance(item, Grid)]:
        all_items += missing
    sizes, places, tensors = list(shape), _all_indices(shape), list[tuple[int, Grid]]()
    dimension = 0
    for item in all_items:
        sizes, places, dimension = _apply_item(item, sizes, places, dimension, tensors)
    remaining = tuple(sizes)
    if not tensors:
        return IndexedElements(remaining, tuple(places), remaining, tuple(range(len(places))))
    result, inner = _apply_tensors(remaining, tensors)
    return IndexedElements(result, tuple(places[i] for i in inner), remaining, tuple(inner))


def _all_indices(shape: Shape) -> list[int]:
    return list(range(count(shape)))


def _apply_item(
    item: Item, sizes: list[int], places: list[int], dimension: int, tensors: list[tuple[int, Grid]]
) -> tuple[list[int], list[int], int]:
    """Apply one item of an index; return the sizes, the flat indices, and the next dimension."""
    if item is None or item is True:
        return [*sizes[:dimension], 1, *sizes[dimension:]], places, dimension + 1
    if isinstance(item, _Mask):
        if item.shape != tuple(sizes[dimension : dimension + len(item.shape)]):
            raise ValueError("a mask of another shape")
        coordinates = [unravel_index(place, item.shape) for place, x in enumerate(item.flat) if x]
        for axis in range(len(item.shape)):
            column = tuple(float(index[axis]) for index in coordinates)
            tensors.append((dimension + axis, Grid((len(coordinates),), column)))
        return sizes, places, dimension + len(item.shape)
    if isinstance(item, Grid):
        tensors.append((dimension, item))
        return sizes, places, dimension + 1
    if not isinstance(item, int | slice) or item is False:
        raise LookupError("not an index")
    size = sizes[dimension]
    selected = list(range(*item.indices(size))) if isinstance(item, slice) else [range(size)[item]]
    inner = count(sizes[dimension + 1 :])
    outer = count(sizes[:dimension])
    places = [places[(o * size + k) * inner + i] for o in range(outer) for k in selected for i in range(inner)]
    if isinstance(item, slice):
        return [*sizes[:dimension], len(selected), *sizes[dimension + 1 :]], places, dimension + 1
    return [*sizes[:dimension], *sizes[dimension + 1 :]], places, dimension


def unravel_index(place: int, shape: Shape) -> tuple[int, ...]:
    """Return the coordinates of a flat index."""
    coordinates: list[int] = []
    for size in reversed(shape):
        place, coordinate = divmod(place, size)
        coordinates.insert(0, coordinate)
    return tuple(coordinates)


def _apply_tensors(shape: Shape, tensors: list[tuple[int, Grid]]) -> tuple[Shape, list[int]]:
    """Apply index tensors: adjacent, their dimensions stand where the first did; else they come first."""
    common: Shape = ()
    for _dimension, grid in tensors:
        common = broadcast_shape(common, grid.shape)
    indexed = [dimension for dimension, _ in tensors]
    first = indexed[0] if indexed == list(range(indexed[0], indexed[0] + len(indexed))) else 0
    remaining = [dimension for dimension in range(len(shape)) if dimension not in indexed]
    before = [dimension for dimension in remaining if dimension < first] if first else []
    after = [dimension for dimension in remaining if dimension not in before]
    columns = [[int(grid.flat[i]) for i in broadcast_indices(grid.shape, common)] for _dimension, grid in tensors]
    sizes = [shape[dimension] for dimension in (*before, *after)]
    result = (*sizes[: len(before)], *common, *sizes[len(before) :])
    selected = []
    for index in (unravel_index(place, result) for place in range(count(result))):
        coordinates = dict(zip(before, index, strict=False))
        coordinates.update(zip(after, index[len(before) + len(common) :], strict=True))
        position = 0
        for size, coordinate in zip(common, index[len(before) : len(before) + len(common)], strict=True):
            position = position * size + coordinate
        for (dimension, _grid), column in zip(tensors, columns, strict=True):
            coordinates[dimension] = column[position] % shape[dimension]
        place = 0
        for dimension, size in enumerate(shape):
            place = place * size + coordinates[dimension]
        selected.append(place)
    return result, selected
