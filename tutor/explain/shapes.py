"""Derivatives of what changes a tensor's shape and none of its numbers: the gradient takes the way back.

Source: https://pytorch.org/docs/stable/tensor_view.html, and `tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, permutations, product

from tutor.explain.grid import Grid, Shape, count
from tutor.explain.rules import Explanation, Local, NodeView, Operand, explains, routed, shape_text
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
