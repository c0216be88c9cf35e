"""Derivatives of what changes a tensor's shape and none of its numbers: the gradient takes the way back.

Source: https://pytorch.org/docs/stable/tensor_view.html, and `tools/autograd/derivatives.yaml` in PyTorch.

Derivatives of what puts a tensor's elements in other places, or keeps some of them: diagonals, triangles, rolling,
padding, windows. The gradient takes the way back; which way that is, the numbers show.

Source: https://pytorch.org/docs/stable/torch.html, `torch.nn.functional.pad`, and `tools/autograd/derivatives.yaml` in
PyTorch.

Derivatives of what joins tensors and takes them apart: each part gets its piece of the gradient.

Source: https://pytorch.org/docs/stable/torch.html (*Indexing, Slicing, Joining*), and `tools/autograd/derivatives.yaml`
in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, permutations, product

from tutor.explain.rules.arrays import Grid, Shape, count
from tutor.explain.rules.registry import Explanation, Local, NodeView, Operand, explains, routed, shape_text
from tutor.i18n import N_, _

_MOST_DIMENSIONS = 5


def strides(shape: Shape) -> list[int]:
    """How far apart neighbours along each dimension lie in a row of all elements."""
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step)
        step *= size
    return steps[::-1]


def walk(sizes: Sequence[int], steps: Sequence[int], start: int = 0) -> list[int]:
    """The places of elements, where each dimension has its size and its step."""
    places = [start]
    for size, step in zip(sizes, steps, strict=True):
        places = [at + k * step for at in places for k in range(size)]
    return places


def moved(node: NodeView, a: Operand, ways: Iterable[tuple[str, str, Sequence[int]]]) -> Iterator[Explanation]:
    """Of ways to say which element of `a` each of the result's is (equation, formula, places): those that fit."""
    for equation, formula, places in ways:
        if len(places) != len(node.incoming.flat):
            continue
        if a.grid is not None and node.result.grid is not None and not node.inner:
            flat = a.grid.flat
            if any(at >= 0 and not _same(flat[at], y) for at, y in zip(places, node.result.grid.flat, strict=True)):
                continue
        yield Explanation(equation, [routed(a, formula, node.incoming, places)])


def _same(x: float, y: float) -> bool:
    return x == y or x != x


@explains(
    "ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "SqueezeBackward0", "SqueezeBackward1",
    "SqueezeBackward2", "SqueezeBackward3", "SqueezeBackward4", "SqueezeBackward5", "UnsqueezeBackward0",
    "UnsqueezeBackward1", "AliasBackward0",
    general=N_("the same numbers in another shape: grad(a) = G in the shape of a"),
)  # fmt: skip
def view(node: NodeView) -> Iterator[Explanation]:
    """Every element keeps its place in the row of all."""
    a = node.operands[0]
    way = (
        _("{a} in shape {shape}", a=a.name, shape=shape_text(node.incoming.shape)),
        _("G in shape {shape}", shape=shape_text(a.shape)),
    )
    yield from moved(node, a, [(*way, range(count(a.shape)))])


@explains("CloneBackward0", general=N_("a copy: ∂y/∂a = 1"))
def copy(node: NodeView) -> Explanation:
    """A copy of the same numbers."""
    a = node.operands[0]
    return Explanation(_("copy of {a}", a=a.name), [Local(a, "1", Grid.full(a.shape, 1.0))])


@explains("ToCopyBackward0", general=N_("a copy: grad(a) = G in the dtype of a"))
def cast(node: NodeView) -> Explanation:
    """A copy in another dtype, or on another device."""
    a = node.operands[0]
    return Explanation(_("{a} in another dtype or place", a=a.name), [Local(a, "1", Grid.full(a.shape, 1.0))])


@explains("CopyBackwards", general=N_("y was overwritten with a: ∂y/∂a = 1, and nothing goes to what y held before"))
def overwritten(node: NodeView) -> Explanation:
    """`y.copy_(a)`: autograd counts what was overwritten, then its source."""
    old, a = node.operands[:2]
    shares = [Local(old, "0", Grid.full(old.shape, 0.0)), Local(a, "1", Grid.full(node.incoming.shape, 1.0))]
    return Explanation(_("copy of {a}", a=a.name), shares)


@explains("FillBackward0", "FillBackward2", "ZeroBackward0", general=N_("overwritten: ∂y/∂a = 0"))
def filled(node: NodeView) -> Explanation:
    """What a tensor held before has no part in it any more."""
    a = node.operands[0]
    return Explanation(_("{a} overwritten", a=a.name), [Local(a, "0", Grid.full(a.shape, 0.0))])


@explains("FillBackward1", "FillBackward3", general=N_("overwritten with b: ∂y/∂a = 0, grad(b) = the sum of G"))
def filled_with(node: NodeView) -> Explanation:
    """What a tensor held before has no part in it any more; the element that it was filled with stands everywhere."""
    a, b = node.operands[:2]
    shares = [Local(a, "0", Grid.full(a.shape, 0.0)), Local(b, "1", Grid.full(node.incoming.shape, 1.0))]
    return Explanation(_("{b} in all of {a}", b=b.name, a=a.name), shares)


@explains("ExpandBackward0", general=N_("a was stretched: grad(a) = the sum of G over the places it was stretched to"))
def expand(node: NodeView) -> Explanation:
    """Each element was stretched to several places, whose gradients are added up."""
    a = node.operands[0]
    stretched = Local(a, "1", Grid.full(node.incoming.shape, 1.0))
    return Explanation(_("{a} stretched to {shape}", a=a.name, shape=shape_text(node.incoming.shape)), [stretched])


@explains("RepeatBackward0", general=N_("a was repeated: grad(a) = the sum of G over its copies"))
def repeat(node: NodeView) -> Iterator[Explanation]:
    """Each element was copied to several places, whose gradients are added up."""
    a, to = node.operands[0], node.incoming.shape
    shape = (1,) * (len(to) - len(a.shape)) + a.shape
    steps = strides(shape)
    places = [
        sum(k % size * step for k, size, step in zip(index, shape, steps, strict=True))
        for index in product(*map(range, to))
    ]
    yield from moved(node, a, [(_("{a} repeated", a=a.name), _("the sum of G over its copies"), places)])


@explains("TBackward0", "TBackward1", "TransposeBackward0", "TransposeBackward1", "PermuteBackward0",
          general=N_("dimensions change places: grad(a) = G with them put back"))  # fmt: skip
def permute(node: NodeView) -> Iterator[Explanation]:
    """The dimensions in another order; which, is seen from the numbers."""
    a = node.operands[0]
    if len(a.shape) > _MOST_DIMENSIONS:
        return
    steps = strides(a.shape)
    ways = []
    for order in permutations(range(len(a.shape))):
        sizes = tuple(a.shape[i] for i in order)
        if sizes == node.incoming.shape and _fits(node.node, order):
            turned = len(a.shape) == 2 and order == (1, 0)
            called = (
                f"{a.name}ᵀ" if turned else _("{a} with dimensions {order}", a=a.name, order=", ".join(map(str, order)))
            )
            back = (
                "Gᵀ"
                if turned
                else _("G with dimensions {order}", order=", ".join(str(order.index(i)) for i in range(len(order))))
            )
            ways.append((called, back, walk(sizes, [steps[i] for i in order])))
    yield from moved(node, a, ways)


def _fits(node: str, order: tuple[int, ...]) -> bool:
    """`t` turns a matrix, `transpose` swaps two."""
    moved_ones = sum(i != place for place, i in enumerate(order))
    if node in ("TBackward0", "TBackward1"):
        return order in ((1, 0), (0,), ())
    return not node.startswith("Transpose") or moved_ones in (0, 2)


@explains("FlipBackward0", general=N_("the order is turned round: grad(a) = G turned round in the same way"))
def flip(node: NodeView) -> Iterator[Explanation]:
    """The order along some dimensions turned round; which, is seen from the numbers."""
    a, steps = node.operands[0], strides(node.operands[0].shape)
    dimensions = range(len(a.shape))
    ways = []
    for gone in (some for many in dimensions for some in combinations(dimensions, many + 1)):
        start = sum((a.shape[i] - 1) * steps[i] for i in gone)
        places = walk(a.shape, [-step if i in gone else step for i, step in enumerate(steps)], start)
        said = ", ".join(map(str, gone))
        ways.append(
            (
                _("{a} turned round along {said}", a=a.name, said=said),
                _("G turned round along {said}", said=said),
                places,
            )
        )
    yield from moved(node, a, ways if len(a.shape) <= _MOST_DIMENSIONS else [])


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


def _joined(shapes: Sequence[Shape], to: Shape, dimension: int) -> list[list[int]] | None:
    """Which places of the result each part takes, if the parts fit there."""
    sizes = [shape[dimension] for shape in shapes]
    for shape, size in zip(shapes, sizes, strict=True):
        if (*to[:dimension], size, *to[dimension + 1 :]) != shape:
            return None
    if sum(sizes) != to[dimension]:
        return None
    steps = strides(to)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [walk(shape, steps, start * steps[dimension]) for shape, start in zip(shapes, starts, strict=True)]


def _whole(node: NodeView) -> list[Operand]:
    return list(node.operands) if node.inner else [one for one in node.operands if one.tensor is not None]


def _parts(node: NodeView, parts: Sequence[Operand], places: list[list[int]], equation: str) -> Iterator[Explanation]:
    """Each part gets what arrives at its places, where the result holds its numbers there."""
    shares = []
    for part, at in zip(parts, places, strict=True):
        if part.grid is not None and node.result.grid is not None and not node.inner:
            there = [node.result.grid.flat[place] for place in at]
            if any(x != y and x == x for x, y in zip(part.grid.flat, there, strict=True)):
                return
        back = [-1] * count(node.incoming.shape)
        for element, place in enumerate(at):
            back[place] = element
        shares.append(routed(part, _("its piece of G"), node.incoming, back))
    yield Explanation(equation, shares)


@explains("CatBackward0", general=N_("joined tensors: each gets its piece of G"))
def cat(node: NodeView) -> Iterator[Explanation]:
    """Joined along a dimension that is seen from the shapes."""
    parts = _whole(node)
    to = node.incoming.shape
    for dimension in range(len(to)):
        places = _joined([part.shape for part in parts], to, dimension)
        if places is not None:
            names = ", ".join(part.name for part in parts)
            equation = _("{parts} joined along dimension {dimension}", parts=names, dimension=dimension)
            yield from _parts(node, parts, places, equation)


@explains("StackBackward0", general=N_("stacked tensors: each gets its piece of G"))
def stack(node: NodeView) -> Iterator[Explanation]:
    """Put side by side along a new dimension, seen from the numbers."""
    parts = _whole(node)
    to = node.incoming.shape
    for dimension in range(len(to)):
        shape = to[:dimension] + to[dimension + 1 :]
        if to[dimension] != len(parts) or any(part.shape != shape for part in parts):
            continue
        steps = strides(to)
        rest = steps[:dimension] + steps[dimension + 1 :]
        places = [walk(shape, rest, i * steps[dimension]) for i in range(len(parts))]
        names = ", ".join(part.name for part in parts)
        equation = _("{parts} stacked along dimension {dimension}", parts=names, dimension=dimension)
        yield from _parts(node, parts, places, equation)


@explains("SplitBackward0", "SplitWithSizesBackward0",
          general=N_("split into parts: grad(a) = their gradients joined, 0 for parts without"))  # fmt: skip
def split(node: NodeView) -> Iterator[Explanation]:
    """The gradients of the parts side by side, 0 where none arrives."""
    a = node.operands[0]
    for dimension in range(len(a.shape)):
        places = _joined([part.shape for part in node.results], a.shape, dimension)
        if places is not None and _holds(node, a, places):
            way = [at for part in places for at in part]
            yield from _apart(node, a, _("{a} split along dimension {dimension}", a=a.name, dimension=dimension), way)


@explains(
    "UnbindBackward0", general=N_("taken apart: grad(a) = the gradients of the parts stacked, 0 for parts without")
)
def unbind(node: NodeView) -> Iterator[Explanation]:
    """The gradients of the parts stacked, 0 where none arrives."""
    a = node.operands[0]
    steps = strides(a.shape)
    for dimension, size in enumerate(a.shape):
        shape = a.shape[:dimension] + a.shape[dimension + 1 :]
        if size != len(node.results) or any(part.shape != shape for part in node.results):
            continue
        rest = steps[:dimension] + steps[dimension + 1 :]
        places = [walk(shape, rest, i * steps[dimension]) for i in range(size)]
        if _holds(node, a, places):
            way = [at for part in places for at in part]
            yield from _apart(
                node, a, _("{a} taken apart along dimension {dimension}", a=a.name, dimension=dimension), way
            )


def _holds(node: NodeView, a: Operand, places: list[list[int]]) -> bool:
    """Whether the parts hold the numbers at these places."""
    numbers = a.numbers.flat
    return all(
        numbers[place] == y or numbers[place] != numbers[place]
        for part, at in zip(node.results, places, strict=True)
        for place, y in zip(at, part.numbers.flat, strict=True)
    )


def _apart(node: NodeView, a: Operand, equation: str, way: list[int]) -> Iterator[Explanation]:
    single = NodeView(node.node, node.op, node.operands, Operand("", (), None), node.incoming, inner=True)
    yield from moved(single, a, [(equation, _("G of the parts, side by side"), way)])
