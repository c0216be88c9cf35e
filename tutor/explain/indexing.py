"""What an index in the learner's code means: which elements of a tensor it takes, in which order.

Source: https://numpy.org/doc/stable/user/basics.indexing.html, which torch follows.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import EllipsisType

from tutor.explain.grid import Grid, Shape, broadcast_shape, count, places_of

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
        for (dimension, _), column in zip(tensors, columns, strict=True):
            here[dimension] = column[where] % shape[dimension]
        place = 0
        for dimension, size in enumerate(shape):
            place = place * size + here[dimension]
        found.append(place)
    return result, found
