"""Derivative rules of operations that move elements and change no values: the gradient takes the way back.

- views: view, reshape, squeeze, unsqueeze, expand, t, transpose, permute, `a[2]`, `a[1:]`
- copies: clone, to, copy_, fill_, zero_, repeat
- rearrangements: flip, roll, rot90, tril, triu, diagonal, diag_embed, pad, interpolate (nearest), unfold
- joins and splits: cat, stack, split, unbind

For indexing by tensors see `indexing`.
Source: https://pytorch.org/docs/stable/tensor_view.html, https://pytorch.org/docs/stable/torch.html (*Indexing,
Slicing, Joining*), `torch.nn.functional.pad`, and `tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from tutor.explain.rules.arrays import Grid, Shape, count
from tutor.explain.rules.registry import (
    Explanation,
    NodeView,
    Operand,
    Share,
    elementwise,
    explains,
    sparse,
)
from tutor.i18n import N_, _
from tutor.trace.number_format import shape as shape_text

Attributes = Mapping[str, Any]


@dataclass(frozen=True)
class Move:
    """A result whose elements each are one of the operand's."""

    equation: str
    formula: str
    places: Sequence[int]
    """For each element of the result the flat index of its source; negative: none."""


MOVES: dict[str, Callable[[Operand, Attributes, Shape], Move]] = {}
"""By node: from the operand, the node's attributes and the shape of the result to what was moved."""


def moves(
    *nodes: str, general: str | Callable[[], str]
) -> Callable[[Callable[[Operand, Attributes, Shape], Move]], Callable[[Operand, Attributes, Shape], Move]]:
    """Register the rule of nodes whose result has elements of the operand."""

    def register(move: Callable[[Operand, Attributes, Shape], Move]) -> Callable[[Operand, Attributes, Shape], Move]:
        @explains(*nodes, general=general)
        def rule(node: NodeView) -> Explanation:
            a = next((operand for operand in node.operands if operand.tensor is not None), node.operands[0])
            return explain_move(node, a, move(a, node.attributes, node.incoming.shape))

        MOVES.update(dict.fromkeys(nodes, move))
        return move

    return register


def explain_move(node: NodeView, a: Operand, move: Move) -> Explanation:
    """Explain a result whose elements each are one of the operand's. Raises ValueError where it has more or fewer."""
    if len(move.places) != len(node.incoming.flat):
        raise ValueError("another number of elements")
    return Explanation(move.equation, [share_of_moved(a, move.formula, move.places)])


def share_of_moved(a: Operand, formula: str, places: Sequence[int]) -> Share:
    """Return the share of what was moved: the gradient goes back to where each element was taken."""
    return sparse(a, formula, [(place, at, 1.0) for place, at in enumerate(places) if at >= 0])


def strides(shape: Shape) -> list[int]:
    """Return the strides of a contiguous tensor, in elements."""
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step)
        step *= size
    return steps[::-1]


def strided_indices(sizes: Sequence[int], steps: Sequence[int], start: int = 0) -> list[int]:
    """Return the flat indices of elements with these sizes and strides, in order."""
    places = [start]
    for size, step in zip(sizes, steps, strict=True):
        places = [at + k * step for at in places for k in range(size)]
    return places


def dimension_of(attributes: Attributes, shape: Shape, name: str = "dim") -> int:
    """Return a dimension that an attribute names, counted from the first; negative ones count from the last."""
    return int(attributes[name]) % max(len(shape), 1)


def without(shape: Sequence[int], dimension: int) -> Shape:
    """Return a shape without one of its dimensions."""
    return (*shape[:dimension], *shape[dimension + 1 :])


def find_places(shape: Shape, to: Shape, source: Callable[[Sequence[int]], Sequence[int] | None]) -> list[int]:
    """Return the flat index in a tensor of `shape` for each element of a result of shape `to`; negative where `source`,
    which gives the coordinates of the source, gives None."""
    steps = strides(shape)
    places = []
    for at in product(*map(range, to)):
        coordinates = source(at)
        places.append(-1 if coordinates is None else sum(k * step for k, step in zip(coordinates, steps, strict=True)))
    return places


# ---------------------------------------------------------------- views


@moves(
    "ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "SqueezeBackward0", "SqueezeBackward1",
    "SqueezeBackward2", "SqueezeBackward3", "SqueezeBackward4", "SqueezeBackward5", "UnsqueezeBackward0",
    "UnsqueezeBackward1", "AliasBackward0",
    general=N_("the same numbers in another shape: grad(a) = G in the shape of a"),
)  # fmt: skip
def view(a: Operand, _attributes: Attributes, to: Shape) -> Move:
    """Keep every element at its flat index."""
    equation = _("{a} in shape {shape}", a=a.name, shape=shape_text(to))
    return Move(equation, _("G in shape {shape}", shape=shape_text(a.shape)), range(count(a.shape)))


def order_of(node: str, attributes: Attributes, rank: int) -> list[int]:
    """Return the order into which t, transpose or permute puts the dimensions."""
    order = list(range(rank))
    if node.startswith("Permute"):
        return [int(i) % max(rank, 1) for i in attributes["dims"]]
    if rank > 1:
        first, second = (0, 1) if node.startswith("TBackward") else (attributes["dim0"], attributes["dim1"])
        order[first], order[second] = order[second], order[first]
    return order


def _permute(node: str) -> Callable[[Operand, Attributes, Shape], Move]:
    def permute(a: Operand, attributes: Attributes, _to: Shape) -> Move:
        order, steps = order_of(node, attributes, len(a.shape)), strides(a.shape)
        places = strided_indices([a.shape[i] for i in order], [steps[i] for i in order])
        if order == [1, 0]:
            return Move(f"{a.name}ᵀ", "Gᵀ", places)
        back = ", ".join(str(order.index(i)) for i in range(len(order)))
        equation = _("{a} with dimensions {order}", a=a.name, order=", ".join(map(str, order)))
        return Move(equation, _("G with dimensions {order}", order=back), places)

    return permute


for _name in ("TBackward0", "TBackward1", "TransposeBackward0", "TransposeBackward1", "PermuteBackward0"):
    moves(_name, general=N_("dimensions change places: grad(a) = G with them put back"))(_permute(_name))


@explains("ExpandBackward0", general=N_("a was stretched: grad(a) = the sum of G over the places it was stretched to"))
def expand(node: NodeView) -> Explanation:
    """Explain expand: the gradients of the stretched places are added up."""
    a, to = node.operands[0], node.incoming.shape
    equation = _("{a} stretched to {shape}", a=a.name, shape=shape_text(to))
    return Explanation(equation, [elementwise(a, "1", Grid.full(to, 1.0))])


@moves("SelectBackward0", general=N_("one of many was taken: grad(a) = G put back in its place, else 0"))
def select(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Take one index along a dimension: `a[2]`, `a[:, 2]`."""
    dimension, steps = dimension_of(attributes, a.shape), strides(a.shape)
    index = attributes["index"] % a.shape[dimension]
    index_text = "[" + ":, " * dimension + f"{index}]"
    places = strided_indices(to, without(steps, dimension), index * steps[dimension])
    return Move(f"{a.name}{index_text}", _("1 at {said}, else 0", said=index_text), places)


@moves("SliceBackward0", general=N_("a slice: grad(a) = G put back in its place, else 0"))
def slice_part(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Take a slice along a dimension: `a[1:]`, `a[:, ::2]`."""
    dimension, step, steps = dimension_of(attributes, a.shape), attributes["step"], strides(a.shape)
    if to == a.shape:
        return Move(_("all of {a}", a=a.name), "1", range(count(a.shape)))
    start = slice(attributes["start"], None).indices(a.shape[dimension])[0]
    end = start + (to[dimension] - 1) * step + 1
    index_text = "[" + ":, " * dimension + f"{start}:{end}" + (f":{step}]" if step > 1 else "]")
    places = strided_indices(
        to, [s * step if i == dimension else s for i, s in enumerate(steps)], start * steps[dimension]
    )
    return Move(f"{a.name}{index_text}", _("1 in {said}, else 0", said=index_text), places)


# ---------------------------------------------------------------- copies


@explains("CloneBackward0", general=N_("a copy: ∂y/∂a = 1"))
def clone(node: NodeView) -> Explanation:
    """Explain clone: 1."""
    a = node.operands[0]
    return Explanation(_("copy of {a}", a=a.name), [elementwise(a, "1", Grid.full(a.shape, 1.0))])


@explains("ToCopyBackward0", general=N_("a copy: grad(a) = G in the dtype of a"))
def to_copy(node: NodeView) -> Explanation:
    """Explain to() with another dtype or device: 1."""
    a = node.operands[0]
    return Explanation(_("{a} in another dtype or place", a=a.name), [elementwise(a, "1", Grid.full(a.shape, 1.0))])


@explains("CopyBackwards", general=N_("y was overwritten with a: ∂y/∂a = 1, and nothing goes to what y held before"))
def copy_(node: NodeView) -> Explanation:
    """Explain copy_: autograd counts what was overwritten, then the source."""
    old, a = node.operands[:2]
    shares = [
        elementwise(old, "0", Grid.full(old.shape, 0.0)),
        elementwise(a, "1", Grid.full(node.incoming.shape, 1.0)),
    ]
    return Explanation(_("copy of {a}", a=a.name), shares)


@explains("FillBackward0", "FillBackward2", "ZeroBackward0", general=N_("overwritten: ∂y/∂a = 0"))
def fill_with_number(node: NodeView) -> Explanation:
    """Explain fill_ and zero_ with a number: 0 for the values before."""
    a = node.operands[0]
    return Explanation(_("{a} overwritten", a=a.name), [elementwise(a, "0", Grid.full(a.shape, 0.0))])


@explains("FillBackward1", "FillBackward3", general=N_("overwritten with b: ∂y/∂a = 0, grad(b) = the sum of G"))
def fill_with_tensor(node: NodeView) -> Explanation:
    """Explain fill_ with a tensor: 0 for the values before, the sum of G for the value."""
    a, b = node.operands[:2]
    shares = [elementwise(a, "0", Grid.full(a.shape, 0.0)), elementwise(b, "1", Grid.full(node.incoming.shape, 1.0))]
    return Explanation(_("{b} in all of {a}", b=b.name, a=a.name), shares)


@moves("RepeatBackward0", general=N_("a was repeated: grad(a) = the sum of G over its copies"))
def repeat(a: Operand, _attributes: Attributes, to: Shape) -> Move:
    """Copy each element."""
    shape = (1,) * (len(to) - len(a.shape)) + a.shape
    places = find_places(shape, to, lambda at: [k % size for k, size in zip(at, shape, strict=True)])
    return Move(_("{a} repeated", a=a.name), _("the sum of G over its copies"), places)


# ---------------------------------------------------------------- rearrangements


@moves("FlipBackward0", general=N_("the order is turned round: grad(a) = G turned round in the same way"))
def flip(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Turn the order round along some dimensions."""
    dimensions = sorted(int(i) % max(len(to), 1) for i in attributes["dims"])
    places = find_places(a.shape, to, lambda at: [to[i] - 1 - k if i in dimensions else k for i, k in enumerate(at)])
    dimensions_text = ", ".join(map(str, dimensions))
    equation = _("{a} turned round along {said}", a=a.name, said=dimensions_text)
    return Move(equation, _("G turned round along {said}", said=dimensions_text), places)


@moves("RollBackward0", general=N_("elements moved round: grad(a) = G moved back"))
def roll(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Move elements along dimensions, or, without any, along all of the tensor."""
    shifts, n = attributes["shifts"], count(a.shape)
    if attributes["dims"]:
        by_dimension = [0] * len(to)
        for dimension, shift in zip(attributes["dims"], shifts, strict=True):
            by_dimension[dimension] += shift
        places = find_places(
            a.shape, to, lambda at: [(k - s) % size for k, s, size in zip(at, by_dimension, to, strict=True)]
        )
    else:
        places = [(at - shifts[0]) % n for at in range(n)]
    return Move(_("{a} rolled", a=a.name), _("G rolled back"), places)


@moves("Rot90Backward0", general=N_("turned by quarters: grad(a) = G turned back"))
def rot90(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Turn a plane by quarters."""
    first, second = (int(i) % len(to) for i in attributes["dims"])
    rows, columns = a.shape[first] - 1, a.shape[second] - 1

    def source(at: Sequence[int]) -> Sequence[int]:
        i, j = at[first], at[second]
        turned = list(at)
        turned[first], turned[second] = ((i, j), (j, columns - i), (rows - i, columns - j), (rows - j, i))[
            attributes["k"] % 4
        ]
        return turned

    return Move(_("{a} turned", a=a.name), _("G turned back"), find_places(a.shape, to, source))


def _triangle(a: Operand, equation: str, kept: Callable[[int], bool]) -> Move:
    places = find_places(a.shape, a.shape, lambda at: at if kept(at[-1] - at[-2]) else None)
    return Move(equation, _("G where {a} was kept, else 0", a=a.name), places)


@moves("TrilBackward0", general=N_("one side of the diagonal: grad(a) = G there, else 0"))
def tril(a: Operand, attributes: Attributes, _to: Shape) -> Move:
    """Keep what is not above a diagonal."""
    return _triangle(a, _("the lower triangle of {a}", a=a.name), lambda offset: offset <= attributes["diagonal"])


@moves("TriuBackward0", general=N_("one side of the diagonal: grad(a) = G there, else 0"))
def triu(a: Operand, attributes: Attributes, _to: Shape) -> Move:
    """Keep what is not below a diagonal."""
    return _triangle(a, _("the upper triangle of {a}", a=a.name), lambda offset: offset >= attributes["diagonal"])


@moves("DiagonalBackward0", "DiagonalBackward0_copy",
       general=N_("a diagonal: grad(a) = G put back on it, else 0"))  # fmt: skip
def diagonal(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Take a diagonal of two dimensions as the last dimension."""
    first, second = (dimension_of(attributes, a.shape, name) for name in ("dim1", "dim2"))
    steps, offset = strides(a.shape), attributes["offset"]
    rest = [step for i, step in enumerate(steps) if i not in (first, second)]
    start = max(-offset, 0) * steps[first] + max(offset, 0) * steps[second]
    places = strided_indices(to, [*rest, steps[first] + steps[second]], start)
    return Move(_("a diagonal of {a}", a=a.name), _("G put back on the diagonal, else 0"), places)


@moves("DiagEmbedBackward0", general=N_("a became a diagonal: grad(a) = the diagonal of G"))
def diag_embed(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Make the last dimension a diagonal of two."""
    first, second = (dimension_of(attributes, to, name) for name in ("dim1", "dim2"))

    def source(at: Sequence[int]) -> Sequence[int] | None:
        row, column = at[first], at[second]
        rest = [k for i, k in enumerate(at) if i not in (first, second)]
        return [*rest, min(row, column)] if column - row == attributes["offset"] else None

    return Move(_("{a} on a diagonal", a=a.name), _("the diagonal of G"), find_places(a.shape, to, source))


def _pad(a: Operand, padding: Sequence[int], to: Shape, index: Callable[[int, int], int | None], formula: str) -> Move:
    """Pad; `index` maps an index, which may be outside, to one inside."""
    before = [0] * (len(to) - len(padding) // 2) + list(padding[-2::-2])

    def source(at: Sequence[int]) -> Sequence[int] | None:
        indices = [index(k - b, size) for k, b, size in zip(at, before, a.shape, strict=True)]
        return None if None in indices else [k for k in indices if k is not None]

    return Move(_("{a} padded", a=a.name), formula, find_places(a.shape, to, source))


@moves("ConstantPadNdBackward0", general=lambda: _("padded: grad(a) = {back}", back=_("its piece of G")))
def constant_pad(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Pad with a number."""
    return _pad(a, attributes["pad"], to, lambda x, size: x if 0 <= x < size else None, _("its piece of G"))


def _general_of_copies() -> str:
    return _("padded: grad(a) = {back}", back=_("G added up where each was copied to"))


@moves("ReflectionPad1DBackward0", "ReflectionPad2DBackward0", "ReflectionPad3DBackward0", general=_general_of_copies)
def reflection_pad(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Pad with a mirror image."""

    def index(x: int, size: int) -> int:
        x = abs(x)
        return 2 * (size - 1) - x if x >= size else x

    return _pad(a, attributes["padding"], to, index, _("G added up where each was copied to"))


@moves("ReplicationPad1DBackward0", "ReplicationPad2DBackward0", "ReplicationPad3DBackward0",
       general=_general_of_copies)  # fmt: skip
def replication_pad(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Pad with the outermost elements."""
    formula = _("G added up where each was copied to")
    return _pad(a, attributes["padding"], to, lambda x, size: min(max(x, 0), size - 1), formula)


@moves("UpsampleNearest1DBackward0", "UpsampleNearest2DBackward0", "UpsampleNearest3DBackward0",
       general=N_("each element was copied: grad(a) = the sum of G over its copies"))  # fmt: skip
def upsample_nearest(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Take the nearest element, by the scale that was asked for, or by the sizes."""
    names = ("scales",) if len(to) == 3 else ("scales_d", "scales_h", "scales_w")[5 - len(to) :]
    scales = [None, None, *(attributes.get(name) for name in names)]

    def source(at: Sequence[int]) -> Sequence[int]:
        return [
            min(int(k / scale) if scale else k * size // result_size, size - 1)
            for k, size, result_size, scale in zip(at, a.shape, to, scales, strict=True)
        ]

    places = find_places(a.shape, to, source)
    return Move(_("{a} enlarged", a=a.name), _("the sum of G over its copies"), places)


@moves("UnfoldBackward0", general=N_("windows of a: grad(a) = G added up over the windows that each is in"))
def unfold(a: Operand, attributes: Attributes, to: Shape) -> Move:
    """Take windows along a dimension; an element may be in several."""
    dimension, steps = dimension_of(attributes, a.shape, "dimension"), strides(a.shape)
    window_steps = [s * attributes["step"] if i == dimension else s for i, s in enumerate(steps)]
    places = strided_indices(to, [*window_steps, steps[dimension]])
    return Move(_("windows of {a}", a=a.name), _("G added up over the windows"), places)


# ---------------------------------------------------------------- joins and splits


def _parts_along(shape: Shape, sizes: Sequence[int], dimension: int) -> list[list[int]]:
    """Return the flat indices of parts of these sizes along a dimension."""
    steps, starts = strides(shape), [sum(sizes[:i]) for i in range(len(sizes))]
    return [
        strided_indices((*shape[:dimension], size, *shape[dimension + 1 :]), steps, start * steps[dimension])
        for size, start in zip(sizes, starts, strict=True)
    ]


def _explain_join(node: NodeView, parts: Sequence[Operand], places: list[list[int]], equation: str) -> Explanation:
    """Explain a join: each part gets the gradient at its places."""
    shares = [
        sparse(part, _("its piece of G"), [(place, element, 1.0) for element, place in enumerate(part_places)])
        for part, part_places in zip(parts, places, strict=True)
    ]
    return Explanation(equation, shares)


def _tensor_operands(node: NodeView) -> list[Operand]:
    """Return the operands that are tensors."""
    return list(node.operands) if node.inner else [operand for operand in node.operands if operand.tensor is not None]


@explains("CatBackward0", general=N_("joined tensors: each gets its piece of G"))
def cat(node: NodeView) -> Explanation:
    """Explain cat."""
    parts = _tensor_operands(node)
    dimension = dimension_of(node.attributes, node.incoming.shape)
    places = _parts_along(node.incoming.shape, [part.shape[dimension] for part in parts], dimension)
    names = ", ".join(part.name for part in parts)
    equation = _("{parts} joined along dimension {dimension}", parts=names, dimension=dimension)
    return _explain_join(node, parts, places, equation)


@explains("StackBackward0", general=N_("stacked tensors: each gets its piece of G"))
def stack(node: NodeView) -> Explanation:
    """Explain stack."""
    parts = _tensor_operands(node)
    dimension = dimension_of(node.attributes, node.incoming.shape)
    places = _parts_along(node.incoming.shape, [1] * len(parts), dimension)
    names = ", ".join(part.name for part in parts)
    equation = _("{parts} stacked along dimension {dimension}", parts=names, dimension=dimension)
    return _explain_join(node, parts, places, equation)


def parts_of(attributes: Attributes, shape: Shape) -> list[list[int]]:
    """Return the flat indices of the parts that split, chunk or unbind make of a tensor of this shape."""
    dimension = dimension_of(attributes, shape)
    size, whole = attributes.get("split_size", 1), shape[dimension]
    sizes = attributes.get("split_sizes") or [min(size, whole - start) for start in range(0, whole, size)]
    return _parts_along(shape, sizes, dimension)


def _explain_split(node: NodeView, equation: str) -> Explanation:
    """Explain a split; the incoming gradient is the concatenation of those of its parts."""
    a = node.operands[0]
    places = [at for part in parts_of(node.attributes, a.shape) for at in part]
    return explain_move(node, a, Move(equation, _("G of the parts, side by side"), places))


@explains("SplitBackward0", "SplitWithSizesBackward0", "UnsafeSplitBackward0",
          general=N_("split into parts: grad(a) = their gradients joined, 0 for parts without"))  # fmt: skip
def split(node: NodeView) -> Explanation:
    """Explain split and chunk: the gradients of the parts joined, 0 where there is none."""
    a = node.operands[0]
    dimension = dimension_of(node.attributes, a.shape)
    return _explain_split(node, _("{a} split along dimension {dimension}", a=a.name, dimension=dimension))


@explains(
    "UnbindBackward0", general=N_("taken apart: grad(a) = the gradients of the parts stacked, 0 for parts without")
)
def unbind(node: NodeView) -> Explanation:
    """Explain unbind: the gradients of the parts stacked, 0 where there is none."""
    a = node.operands[0]
    dimension = dimension_of(node.attributes, a.shape)
    return _explain_split(node, _("{a} taken apart along dimension {dimension}", a=a.name, dimension=dimension))
