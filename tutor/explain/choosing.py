"""Derivatives of what takes some elements of a tensor: each one taken sends its gradient back to its place, the others
get 0. An element that was taken twice gets the sum.

Source: https://pytorch.org/docs/stable/torch.html (*Indexing, Slicing, Joining*), and `tools/autograd/derivatives.yaml`
in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tutor.explain.grid import Grid, Shape, count
from tutor.explain.rules import Explanation, NodeView, Operand, explains
from tutor.explain.running import lanes
from tutor.explain.shapes import moved, strides, walk
from tutor.i18n import N_, _

_MOST_PLACES = 100
"""Of longer dimensions the place is not searched for where there are no numbers to find it by."""
_BACK = N_("G put back where it was taken, else 0")
_ADDED = N_("G added up where it was taken, else 0")
Way = tuple[str, str, Sequence[int]]


@explains("SelectBackward0", general=N_("one of many was taken: grad(a) = G put back in its place, else 0"))
def select(node: NodeView) -> Iterator[Explanation]:
    """`a[2]`, `a[:, 2]`: one place along a dimension; which, is seen from the numbers."""
    a = node.operands[0]
    if not node.inner or max(a.shape, default=0) <= _MOST_PLACES:
        yield from moved(node, a, _selections(a, node.incoming.shape))


def _selections(a: Operand, to: Shape) -> Iterator[Way]:
    steps = strides(a.shape)
    for dimension, size in enumerate(a.shape):
        sizes = a.shape[:dimension] + a.shape[dimension + 1 :]
        if sizes != to:
            continue
        rest = steps[:dimension] + steps[dimension + 1 :]
        for index in range(size):
            said = "[" + ":, " * dimension + f"{index}]"
            yield f"{a.name}{said}", _("1 at {said}, else 0", said=said), walk(sizes, rest, index * steps[dimension])


@explains("SliceBackward0", general=N_("a slice: grad(a) = G put back in its place, else 0"))
def slice_part(node: NodeView) -> Iterator[Explanation]:
    """`a[1:]`, `a[:, ::2]`: a part along a dimension; which, is seen from the numbers."""
    a = node.operands[0]
    numbers = None if a.grid is None or node.result.grid is None or node.inner else (a.grid, node.result.grid)
    if numbers is not None or max(a.shape, default=0) <= _MOST_PLACES:
        yield from moved(node, a, _slices(a, node.incoming.shape, numbers))


def _slices(a: Operand, to: Shape, numbers: tuple[Grid, Grid] | None) -> Iterator[Way]:
    if len(to) != len(a.shape):
        return
    steps = strides(a.shape)
    different = [i for i, (size, left) in enumerate(zip(a.shape, to, strict=True)) if size != left]
    if not different:
        yield _("all of {a}", a=a.name), "1", range(count(a.shape))
    if len(different) != 1:
        return
    dimension = different[0]
    size, left = a.shape[dimension], to[dimension]
    most = (size - 1) // max(left - 1, 1) if left > 1 else 1
    for step in range(1, most + 1):
        for start in range(size - (left - 1) * step if left else 0):
            if numbers is not None and not _begins(numbers, start * steps[dimension]):
                continue
            end = start + (left - 1) * step + 1
            by = f":{step}" if step > 1 else ""
            said = "[" + ":, " * dimension + f"{start}:{end}{by}]"
            way = [*steps[:dimension], steps[dimension] * step, *steps[dimension + 1 :]]
            yield f"{a.name}{said}", _("1 in {said}, else 0", said=said), walk(to, way, start * steps[dimension])


def _begins(numbers: tuple[Grid, Grid], place: int) -> bool:
    """Whether the element at a place can be the first of the result: there may be many places to try."""
    whole, taken = numbers[0].flat[place], numbers[1].flat[0]
    return whole == taken or whole != whole


@explains("IndexBackward0", "MaskedSelectBackward0", "IndexSelectBackward0", "GatherBackward0", "TakeBackward0",
          "EmbeddingBackward0",
          general=N_("elements were taken: grad(a) = G added up where each was taken, else 0"))  # fmt: skip
def index(node: NodeView) -> Iterator[Explanation]:
    """What an index or a mask takes: read from it where that is a tensor, else found by the numbers."""
    tensors = [operand for operand in node.whole if operand.tensor is not None]
    turned = node.node == "EmbeddingBackward0"
    a, others = (tensors[-1], tensors[:-1]) if turned else (node.operands[0], tensors[1:])
    if node.index and node.node == "IndexBackward0":
        given = ", ".join(other.name for other in others) or _("its index")
        yield from moved(node, a, [(f"{a.name}[{given}]", _(_ADDED), node.index)])
        return
    found = list(moved(node, a, _indexed(node, a, others)))
    if not found:
        found = list(moved(node, a, _looked_up(node, a)))
    yield from found


def _indexed(node: NodeView, a: Operand, others: Sequence[Operand]) -> Iterator[Way]:
    """What index tensors say: a mask, places along a dimension, a place in each of several dimensions."""
    grids = [other.numbers for other in others]
    if not grids:
        return
    equation = f"{a.name}[{', '.join(other.name for other in others)}]"
    first = grids[0]
    whole = [int(x) for x in first.flat]
    steps = strides(a.shape)
    depth = len(first.shape)
    if len(grids) == 1 and first.shape == a.shape[:depth] and set(whole) <= {0, 1}:
        rest = walk(a.shape[depth:], steps[depth:])
        inside = count(a.shape[depth:])
        yield equation, _(_BACK), [i * inside + at for i, taken in enumerate(whole) if taken for at in rest]
    if len(grids) == 1 and node.node == "TakeBackward0":
        yield equation, _(_ADDED), [x % count(a.shape) for x in whole]
    if len(grids) == 1 and node.node == "GatherBackward0":
        yield from ((equation, _(_ADDED), places) for places in along(a.shape, first))
    elif len(grids) == 1:
        for dimension, size in enumerate(a.shape):
            outer = walk(a.shape[:dimension], steps[:dimension])
            inner = walk(a.shape[dimension + 1 :], steps[dimension + 1 :])
            places = [o + x % size * steps[dimension] + i for o in outer for x in whole for i in inner]
            yield equation, _(_ADDED), places
    elif len(grids) <= len(a.shape):
        columns = []
        for grid, size, step in zip(grids, a.shape, steps, strict=False):
            columns.append(grid.map(lambda x, size=size, step=step: x % size * step))  # type: ignore[misc]
        at = columns[0]
        for column in columns[1:]:
            at = at.combine(column, lambda x, y: x + y)
        rest = walk(a.shape[len(grids) :], steps[len(grids) :])
        yield equation, _(_ADDED), [int(x) + i for x in at.flat for i in rest]


def along(shape: Shape, index: Grid) -> Iterator[list[int]]:
    """What `gather` takes, for each dimension along which the index may go."""
    if len(shape) != len(index.shape):
        return
    steps = strides(shape)
    for dimension in range(max(len(shape), 1)):
        if any(k > size for i, (k, size) in enumerate(zip(index.shape, shape, strict=True)) if i != dimension):
            continue
        if not shape:
            yield [0]
            continue
        base = walk(index.shape, [0 if i == dimension else step for i, step in enumerate(steps)])
        yield [at + int(x) % shape[dimension] * steps[dimension] for at, x in zip(base, index.flat, strict=True)]


def _looked_up(node: NodeView, a: Operand) -> Iterator[Way]:
    """Where all elements differ, each of the result's is seen to be one of them."""
    numbers = a.numbers.flat
    place = {x: at for at, x in enumerate(numbers)}
    if len(place) == len(numbers) and not node.inner:
        yield _("some of {a}", a=a.name), _(_ADDED), [place[y] for y in node.result.numbers.flat]


@explains("MaxBackward0", "MinBackward0", "SortBackward0", "SortBackward1", "TopkBackward0", "KthvalueBackward0",
          "MedianBackward1", "ModeBackward0",
          general=N_("the elements that were taken get the gradient, the others 0"))  # fmt: skip
def by_indices(node: NodeView) -> Iterator[Explanation]:
    """`a.max(1)`, `a.sort()`: the result's second half says from where each element came."""
    a, taken = node.operands[0], node.results[1].numbers
    equation = _("{operation} of {a}", operation=node.op, a=a.name)
    if len(taken.shape) == len(a.shape):
        yield from moved(node, a, ((equation, _(_BACK), places) for places in along(a.shape, taken)))
        return
    ways = [[row[int(at)] for row, at in zip(rows, taken.flat, strict=True)] for rows in lanes(a.shape)
            if len(rows) == len(taken.flat)]  # fmt: skip
    yield from moved(node, a, ((equation, _(_BACK), places) for places in ways))
