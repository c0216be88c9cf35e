"""Derivatives of what joins tensors and takes them apart: each part gets its piece of the gradient.

Source: https://pytorch.org/docs/stable/torch.html (*Indexing, Slicing, Joining*), and `tools/autograd/derivatives.yaml`
in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tutor.explain.grid import Shape, count
from tutor.explain.rules import Explanation, NodeView, Operand, explains, routed
from tutor.explain.shapes import moved, strides, walk
from tutor.i18n import N_, _


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
