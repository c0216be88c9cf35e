"""Derivatives of what puts a tensor's elements in other places, or keeps some of them: diagonals, triangles, rolling,
padding, windows. The gradient takes the way back; which way that is, the numbers show.

Source: https://pytorch.org/docs/stable/torch.html, `torch.nn.functional.pad`, and `tools/autograd/derivatives.yaml` in
PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product

from tutor.explain.grid import Shape, count
from tutor.explain.rules import Explanation, NodeView, explains
from tutor.explain.shapes import moved, strides, walk
from tutor.i18n import N_, _

_MOST_WAYS = 400
Way = tuple[str, str, Sequence[int]]


def _kept(node: NodeView, ways: Iterator[Way]) -> Iterator[Way]:
    """Those ways by which the result holds nothing where it took nothing."""
    y = node.result.grid
    for way in ways:
        places = way[2]
        if (
            y is None
            or len(places) != len(y.flat)
            or all(x == 0 for at, x in zip(places, y.flat, strict=True) if at < 0)
        ):
            yield way


def _by_coordinates(shape: Shape, to: Shape, source: Callable[[tuple[int, ...]], Sequence[int] | None]) -> list[int]:
    """For each element of a result of shape `to`: from which of `shape` it comes; below zero: from none."""
    steps = strides(shape)
    places = []
    for at in product(*map(range, to)):
        here = source(at)
        places.append(-1 if here is None else sum(k * step for k, step in zip(here, steps, strict=True)))
    return places


@explains("TrilBackward0", "TriuBackward0", general=N_("one side of the diagonal: grad(a) = G there, else 0"))
def triangle(node: NodeView) -> Iterator[Explanation]:
    """What lies on the other side of a diagonal is 0."""
    a, lower = node.operands[0], node.node.startswith("Tril")
    rows, columns = a.shape[-2:]

    def ways() -> Iterator[Way]:
        said = _("the lower triangle of {a}", a=a.name) if lower else _("the upper triangle of {a}", a=a.name)
        for k in range(-rows, columns + 1):
            places = []
            for at in range(count(a.shape)):
                row, column = divmod(at % (rows * columns), columns)
                places.append(at if (column - row <= k if lower else column - row >= k) else -1)
            yield said, _("G where {a} was kept, else 0", a=a.name), places

    yield from moved(node, a, _kept(node, ways()))


@explains("DiagonalBackward0", "DiagonalBackward0_copy", general=N_("a diagonal: grad(a) = G put back on it, else 0"))
def diagonal(node: NodeView) -> Iterator[Explanation]:
    """The elements of a diagonal; which, is seen from the numbers."""
    a, steps = node.operands[0], strides(node.operands[0].shape)

    def ways() -> Iterator[Way]:
        for i, j in combinations(range(len(a.shape)), 2):
            rest = [k for k in range(len(a.shape)) if k not in (i, j)]
            for k in range(1 - a.shape[i], a.shape[j]):
                start, size = max(-k, 0) * steps[i] + max(k, 0) * steps[j], node.incoming.shape[-1]
                if size == min(a.shape[i] - max(-k, 0), a.shape[j] - max(k, 0)):
                    sizes = [*(a.shape[one] for one in rest), size]
                    way = walk(sizes, [*(steps[one] for one in rest), steps[i] + steps[j]], start)
                    yield _("a diagonal of {a}", a=a.name), _("G put back on the diagonal, else 0"), way

    yield from moved(node, a, ways())


@explains("DiagEmbedBackward0", general=N_("a became a diagonal: grad(a) = the diagonal of G"))
def on_diagonal(node: NodeView) -> Iterator[Explanation]:
    """A matrix with a on its diagonal, and 0 elsewhere."""
    a, to = node.operands[0], node.incoming.shape

    def ways() -> Iterator[Way]:
        for k in range(-to[-1], to[-1] + 1):

            def source(at: tuple[int, ...], k: int = k) -> Sequence[int] | None:
                row, column = at[-2:]
                return (*at[:-2], min(row, column)) if column - row == k else None

            if a.shape[-1] == to[-1] - abs(k):
                yield _("{a} on a diagonal", a=a.name), _("the diagonal of G"), _by_coordinates(a.shape, to, source)

    yield from moved(node, a, _kept(node, ways()))


@explains("RollBackward0", general=N_("elements moved round: grad(a) = G moved back"))
def roll(node: NodeView) -> Iterator[Explanation]:
    """Moved on along some dimensions; what falls off at the end comes in at the beginning."""
    a = node.operands[0]
    n = count(a.shape)

    def ways() -> Iterator[Way]:
        for shift in range(n):
            yield _("{a} rolled", a=a.name), _("G rolled back"), [(at - shift) % n for at in range(n)]
        if n <= _MOST_WAYS:
            for shifts in product(*map(range, a.shape)):

                def source(at: tuple[int, ...], shifts: tuple[int, ...] = shifts) -> Sequence[int]:
                    return [(k - s) % size for k, s, size in zip(at, shifts, a.shape, strict=True)]

                yield _("{a} rolled", a=a.name), _("G rolled back"), _by_coordinates(a.shape, a.shape, source)

    yield from moved(node, a, ways())


def _inside(x: int, size: int) -> int | None:
    return x if 0 <= x < size else None


def _mirrored(x: int, size: int) -> int | None:
    x = -x if x < 0 else x
    return 2 * (size - 1) - x if x >= size else x


def _nearest(x: int, size: int) -> int | None:
    return min(max(x, 0), size - 1)


def _padded(nodes: tuple[str, ...], back: str, find: Callable[[int, int], int | None]) -> None:
    @explains(*nodes, general=lambda: _("padded: grad(a) = {back}", back=_(back)))
    def rule(node: NodeView) -> Iterator[Explanation]:
        a, to = node.operands[0], node.incoming.shape

        def ways() -> Iterator[Way]:
            room = [size - old for old, size in zip(a.shape, to, strict=True)]
            for before in product(*(range(min(left, 0), max(left, 0) + 1) for left in room)):

                def source(at: tuple[int, ...], before: tuple[int, ...] = before) -> Sequence[int] | None:
                    found = [find(k - b, size) for k, b, size in zip(at, before, a.shape, strict=True)]
                    return None if None in found else [k for k in found if k is not None]

                yield _("{a} padded", a=a.name), _(back), _by_coordinates(a.shape, to, source)

        yield from moved(node, a, ways())


_padded(("ConstantPadNdBackward0",), N_("its piece of G"), _inside)
_padded(("ReflectionPad1DBackward0", "ReflectionPad2DBackward0"), N_("G added up where each was copied to"), _mirrored)
_padded(("ReplicationPad1DBackward0", "ReplicationPad2DBackward0"), N_("G added up where each was copied to"), _nearest)


@explains("UpsampleNearest1DBackward0", "UpsampleNearest2DBackward0",
          general=N_("each element was copied: grad(a) = the sum of G over its copies"))  # fmt: skip
def nearest(node: NodeView) -> Iterator[Explanation]:
    """Each element of the result is a copy of the nearest of a."""
    a, to = node.operands[0], node.incoming.shape

    def source(at: tuple[int, ...]) -> Sequence[int]:
        return [k * size // wide for k, size, wide in zip(at, a.shape, to, strict=True)]

    places = _by_coordinates(a.shape, to, source)
    yield from moved(node, a, [(_("{a} enlarged", a=a.name), _("the sum of G over its copies"), places)])


@explains("UnfoldBackward0", general=N_("windows of a: grad(a) = G added up over the windows that each is in"))
def unfold(node: NodeView) -> Iterator[Explanation]:
    """Windows along a dimension; an element may be in several."""
    a, to = node.operands[0], node.incoming.shape
    steps = strides(a.shape)

    def ways() -> Iterator[Way]:
        for dimension, size in enumerate(a.shape):
            many, width = to[dimension], to[-1]
            for step in range(1, size + 1):
                if (size - width) // step + 1 == many:
                    way = walk(
                        to, [*(s * step if i == dimension else s for i, s in enumerate(steps)), steps[dimension]]
                    )
                    yield _("windows of {a}", a=a.name), _("G added up over the windows"), way

    yield from moved(node, a, ways())


@explains("Rot90Backward0", general=N_("turned by quarters: grad(a) = G turned back"))
def quarter_turns(node: NodeView) -> Iterator[Explanation]:
    """A matrix turned by one, two or three quarters."""
    a, to = node.operands[0], node.incoming.shape

    def ways() -> Iterator[Way]:
        rows, columns = a.shape
        turns: list[Callable[[tuple[int, ...]], Sequence[int]]] = [
            lambda at: (at[1], columns - 1 - at[0]),
            lambda at: (rows - 1 - at[0], columns - 1 - at[1]),
            lambda at: (rows - 1 - at[1], at[0]),
        ]
        for number, source in enumerate(turns):
            if to == (a.shape if number == 1 else (columns, rows)):
                yield _("{a} turned", a=a.name), _("G turned back"), _by_coordinates(a.shape, to, source)

    yield from moved(node, a, ways() if len(a.shape) == 2 else [])
