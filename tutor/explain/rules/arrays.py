"""Small tensors as plain numbers: enough arithmetic to work a derivative out again and compare it with torch's.

What an index in the learner's code means: which elements of a tensor it takes, in which order.

Source: https://numpy.org/doc/stable/user/basics.indexing.html, which torch follows."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import EllipsisType

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


Item = int | slice | None | bool | Grid
Look = Callable[[str], "int | tuple[Grid, bool] | None"]
"""What a piece of source is: a whole number, or a tensor and whether it is a mask."""


@dataclass(frozen=True)
class Taken:
    """The elements that an index takes. `shape` is what numbers and slices alone leave, `inner` which elements of that
    the tensors in the index take then, and `places` what all of it takes of the whole, with the shape of the result."""

    result: Shape
    places: tuple[int, ...]
    shape: Shape
    inner: tuple[int, ...]


def taken(text: str, shape: Shape, look: Look) -> Taken | None:
    """What `x[text]` takes of a tensor of this shape; None where it is not known."""
    try:
        tree = ast.parse(f"x[{text}]", mode="eval").body
        assert isinstance(tree, ast.Subscript)
        nodes = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
        return _take([_item(node, look) for node in nodes], shape)
    except (SyntaxError, ValueError, LookupError, TypeError, RecursionError, AssertionError):
        return None


def _item(node: ast.expr, look: Look) -> Item | EllipsisType:
    if isinstance(node, ast.Slice):
        return slice(*(None if part is None else _whole(part, look) for part in (node.lower, node.upper, node.step)))
    if isinstance(node, ast.Constant) and (node.value is None or node.value is ... or isinstance(node.value, bool)):
        return node.value
    if isinstance(node, ast.List):
        values = ast.literal_eval(node)
        mask = all(isinstance(x, bool) for x in values)
        listed = Grid.of((len(values),), [float(x) for x in values])
        return _mask(listed) if mask else listed
    held = None if isinstance(node, ast.Constant | ast.UnaryOp) else look(ast.unparse(node))
    if isinstance(held, tuple):
        return _mask(held[0]) if held[1] else held[0]
    return _whole(node, look)


class _Mask(Grid):
    """A grid of truths."""


def _mask(grid: Grid) -> Grid:
    return _Mask(grid.shape, grid.flat)


def _whole(node: ast.expr, look: Look) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_whole(node.operand, look)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        a, b = _whole(node.left, look), _whole(node.right, look)
        return a + b if isinstance(node.op, ast.Add) else a - b if isinstance(node.op, ast.Sub) else a * b
    held = look(ast.unparse(node))
    if type(held) is not int:
        raise LookupError("no whole number")
    return held


def _take(items: Sequence[Item | EllipsisType], shape: Shape) -> Taken:
    """Numbers, slices and None first, one dimension after the other; then the tensors, together."""
    own = [one for one in items if one is not None and one is not ... and one is not True]
    used = sum(len(one.shape) if isinstance(one, _Mask) else 1 for one in own)
    rest: list[Item] = [slice(None)] * (len(shape) - used)
    full: list[Item] = []
    for item in items:
        full += rest if item is ... else [item]
    if ... not in [item for item in items if not isinstance(item, Grid)]:
        full += rest
    sizes, places, tensors = list(shape), _of(shape), list[tuple[int, Grid]]()
    at = 0
    for item in full:
        sizes, places, at = _one(item, sizes, places, at, tensors)
    left = tuple(sizes)
    if not tensors:
        return Taken(left, tuple(places), left, tuple(range(len(places))))
    result, inner = _together(left, tensors)
    return Taken(result, tuple(places[i] for i in inner), left, tuple(inner))


def _of(shape: Shape) -> list[int]:
    return list(range(count(shape)))


def _one(
    item: Item, sizes: list[int], places: list[int], at: int, tensors: list[tuple[int, Grid]]
) -> tuple[list[int], list[int], int]:
    """After one item of the index: sizes, places, and which dimension is next."""
    if item is None or item is True:
        return [*sizes[:at], 1, *sizes[at:]], places, at + 1
    if isinstance(item, _Mask):
        if item.shape != tuple(sizes[at : at + len(item.shape)]):
            raise ValueError("a mask of another shape")
        found = [divmod_all(place, item.shape) for place, x in enumerate(item.flat) if x]
        for dimension in range(len(item.shape)):
            column = tuple(float(index[dimension]) for index in found)
            tensors.append((at + dimension, Grid((len(found),), column)))
        return sizes, places, at + len(item.shape)
    if isinstance(item, Grid):
        tensors.append((at, item))
        return sizes, places, at + 1
    if not isinstance(item, int | slice) or item is False:
        raise LookupError("not an index")
    size = sizes[at]
    kept = list(range(*item.indices(size))) if isinstance(item, slice) else [range(size)[item]]
    inner = count(sizes[at + 1 :])
    outer = count(sizes[:at])
    places = [places[(o * size + k) * inner + i] for o in range(outer) for k in kept for i in range(inner)]
    if isinstance(item, slice):
        return [*sizes[:at], len(kept), *sizes[at + 1 :]], places, at + 1
    return [*sizes[:at], *sizes[at + 1 :]], places, at


def divmod_all(place: int, shape: Shape) -> tuple[int, ...]:
    """The coordinates of a place."""
    index: list[int] = []
    for size in reversed(shape):
        place, k = divmod(place, size)
        index.insert(0, k)
    return tuple(index)


def _together(shape: Shape, tensors: list[tuple[int, Grid]]) -> tuple[Shape, list[int]]:
    """What index tensors take: side by side they stand where the first did, else their dimensions come first."""
    common: Shape = ()
    for _dimension, grid in tensors:
        common = broadcast_shape(common, grid.shape)
    gone = [dimension for dimension, _ in tensors]
    first = gone[0] if gone == list(range(gone[0], gone[0] + len(gone))) else 0
    kept = [dimension for dimension in range(len(shape)) if dimension not in gone]
    before = [dimension for dimension in kept if dimension < first] if first else []
    after = [dimension for dimension in kept if dimension not in before]
    columns = [[int(grid.flat[i]) for i in places_of(grid.shape, common)] for _dimension, grid in tensors]
    sizes = [shape[dimension] for dimension in (*before, *after)]
    result = (*sizes[: len(before)], *common, *sizes[len(before) :])
    found = []
    for index in (divmod_all(place, result) for place in range(count(result))):
        here = dict(zip(before, index, strict=False))
        here.update(zip(after, index[len(before) + len(common) :], strict=True))
        where = 0
        for size, k in zip(common, index[len(before) : len(before) + len(common)], strict=True):
            where = where * size + k
        for (dimension, _grid), column in zip(tensors, columns, strict=True):
            here[dimension] = column[where] % shape[dimension]
        place = 0
        for dimension, size in enumerate(shape):
            place = place * size + here[dimension]
        found.append(place)
    return result, found
