"""Derivative rules of operations that move elements and change no values: the gradient takes the way back.

- views: view, reshape, squeeze, unsqueeze, expand, t, transpose, permute
- copies: clone, to, copy_, fill_, zero_, repeat
- rearrangements: flip, roll, rot90, tril, triu, diagonal, diag_embed, pad, interpolate (nearest), unfold
- joins and splits: cat, stack, split, unbind

The recording does not have the arguments: they are found from the shapes and the values. For indices see `indexing`.
Source: https://pytorch.org/docs/stable/tensor_view.html, https://pytorch.org/docs/stable/torch.html (*Indexing,
Slicing, Joining*), `torch.nn.functional.pad`, and `tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, permutations, product

from tutor.explain.rules.arrays import Grid, Shape, count
from tutor.explain.rules.registry import Explanation, Local, NodeView, Operand, explains, shape_text, vjp_by_scatter
from tutor.i18n import N_, _

_MOST_DIMENSIONS = 5
"""Tensors of more dimensions are not searched for an order."""
Candidate = tuple[str, str, Sequence[int]]
"""An equation, a formula, and for each element of the result the flat index of its source (negative: none)."""


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


def explain_selection(node: NodeView, a: Operand, candidates: Iterable[Candidate]) -> Iterator[Explanation]:
    """Explain a result whose elements each are one of the operand's.

    Args:
        node: The node of the operation.
        a: The operand.
        candidates: Possible selections.

    Returns:
        An explanation for each candidate that gives the result.
    """
    for equation, formula, places in candidates:
        if len(places) != len(node.incoming.flat):
            continue
        if a.grid is not None and node.result.grid is not None and not node.inner:
            flat = a.grid.flat
            if any(
                at >= 0 and not _equal_or_nan(flat[at], y) for at, y in zip(places, node.result.grid.flat, strict=True)
            ):
                continue
        yield Explanation(equation, [vjp_by_scatter(a, formula, node.incoming, places)])


def _equal_or_nan(x: float, y: float) -> bool:
    """Return whether two values are equal, or the first is nan."""
    return x == y or x != x


@explains(
    "ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "SqueezeBackward0", "SqueezeBackward1",
    "SqueezeBackward2", "SqueezeBackward3", "SqueezeBackward4", "SqueezeBackward5", "UnsqueezeBackward0",
    "UnsqueezeBackward1", "AliasBackward0",
    general=N_("the same numbers in another shape: grad(a) = G in the shape of a"),
)  # fmt: skip
def view(node: NodeView) -> Iterator[Explanation]:
    """Explain views: every element keeps its flat index."""
    a = node.operands[0]
    candidate = (
        _("{a} in shape {shape}", a=a.name, shape=shape_text(node.incoming.shape)),
        _("G in shape {shape}", shape=shape_text(a.shape)),
    )
    yield from explain_selection(node, a, [(*candidate, range(count(a.shape)))])


@explains("CloneBackward0", general=N_("a copy: ∂y/∂a = 1"))
def clone(node: NodeView) -> Explanation:
    """Explain clone: 1."""
    a = node.operands[0]
    return Explanation(_("copy of {a}", a=a.name), [Local(a, "1", Grid.full(a.shape, 1.0))])


@explains("ToCopyBackward0", general=N_("a copy: grad(a) = G in the dtype of a"))
def to_copy(node: NodeView) -> Explanation:
    """Explain to() with another dtype or device: 1."""
    a = node.operands[0]
    return Explanation(_("{a} in another dtype or place", a=a.name), [Local(a, "1", Grid.full(a.shape, 1.0))])


@explains("CopyBackwards", general=N_("y was overwritten with a: ∂y/∂a = 1, and nothing goes to what y held before"))
def copy_(node: NodeView) -> Explanation:
    """Explain copy_: autograd counts what was overwritten, then the source."""
    old, a = node.operands[:2]
    shares = [Local(old, "0", Grid.full(old.shape, 0.0)), Local(a, "1", Grid.full(node.incoming.shape, 1.0))]
    return Explanation(_("copy of {a}", a=a.name), shares)


@explains("FillBackward0", "FillBackward2", "ZeroBackward0", general=N_("overwritten: ∂y/∂a = 0"))
def fill_with_number(node: NodeView) -> Explanation:
    """Explain fill_ and zero_ with a number: 0 for the values before."""
    a = node.operands[0]
    return Explanation(_("{a} overwritten", a=a.name), [Local(a, "0", Grid.full(a.shape, 0.0))])


@explains("FillBackward1", "FillBackward3", general=N_("overwritten with b: ∂y/∂a = 0, grad(b) = the sum of G"))
def fill_with_tensor(node: NodeView) -> Explanation:
    """Explain fill_ with a tensor: 0 for the values before, the sum of G for the value."""
    a, b = node.operands[:2]
    shares = [Local(a, "0", Grid.full(a.shape, 0.0)), Local(b, "1", Grid.full(node.incoming.shape, 1.0))]
    return Explanation(_("{b} in all of {a}", b=b.name, a=a.name), shares)


@explains("ExpandBackward0", general=N_("a was stretched: grad(a) = the sum of G over the places it was stretched to"))
def expand(node: NodeView) -> Explanation:
    """Explain expand: the gradients of the stretched places are added up."""
    a = node.operands[0]
    share = Local(a, "1", Grid.full(node.incoming.shape, 1.0))
    return Explanation(_("{a} stretched to {shape}", a=a.name, shape=shape_text(node.incoming.shape)), [share])


@explains("RepeatBackward0", general=N_("a was repeated: grad(a) = the sum of G over its copies"))
def repeat(node: NodeView) -> Iterator[Explanation]:
    """Explain repeat: the gradients of the copies are added up."""
    a, result_shape = node.operands[0], node.incoming.shape
    shape = (1,) * (len(result_shape) - len(a.shape)) + a.shape
    steps = strides(shape)
    places = [
        sum(k % size * step for k, size, step in zip(index, shape, steps, strict=True))
        for index in product(*map(range, result_shape))
    ]
    yield from explain_selection(node, a, [(_("{a} repeated", a=a.name), _("the sum of G over its copies"), places)])


@explains("TBackward0", "TBackward1", "TransposeBackward0", "TransposeBackward1", "PermuteBackward0",
          general=N_("dimensions change places: grad(a) = G with them put back"))  # fmt: skip
def permute(node: NodeView) -> Iterator[Explanation]:
    """Explain t, transpose and permute: the order of dimensions that gives the result."""
    a = node.operands[0]
    if len(a.shape) > _MOST_DIMENSIONS:
        return
    steps = strides(a.shape)
    candidates = []
    for order in permutations(range(len(a.shape))):
        sizes = tuple(a.shape[i] for i in order)
        if sizes == node.incoming.shape and _permutation_fits(node.node, order):
            is_transpose = len(a.shape) == 2 and order == (1, 0)
            equation = (
                f"{a.name}ᵀ"
                if is_transpose
                else _("{a} with dimensions {order}", a=a.name, order=", ".join(map(str, order)))
            )
            formula = (
                "Gᵀ"
                if is_transpose
                else _("G with dimensions {order}", order=", ".join(str(order.index(i)) for i in range(len(order))))
            )
            candidates.append((equation, formula, strided_indices(sizes, [steps[i] for i in order])))
    yield from explain_selection(node, a, candidates)


def _permutation_fits(node: str, order: tuple[int, ...]) -> bool:
    """Return whether a node can give this order: `t` transposes a matrix, `transpose` swaps two dimensions."""
    moved = sum(i != place for place, i in enumerate(order))
    if node in ("TBackward0", "TBackward1"):
        return order in ((1, 0), (0,), ())
    return not node.startswith("Transpose") or moved in (0, 2)


@explains("FlipBackward0", general=N_("the order is turned round: grad(a) = G turned round in the same way"))
def flip(node: NodeView) -> Iterator[Explanation]:
    """Explain flip: the dimensions that give the result."""
    a, steps = node.operands[0], strides(node.operands[0].shape)
    dimensions = range(len(a.shape))
    candidates = []
    for flipped in (choice for size in dimensions for choice in combinations(dimensions, size + 1)):
        start = sum((a.shape[i] - 1) * steps[i] for i in flipped)
        places = strided_indices(a.shape, [-step if i in flipped else step for i, step in enumerate(steps)], start)
        dimensions_text = ", ".join(map(str, flipped))
        candidates.append(
            (
                _("{a} turned round along {said}", a=a.name, said=dimensions_text),
                _("G turned round along {said}", said=dimensions_text),
                places,
            )
        )
    yield from explain_selection(node, a, candidates if len(a.shape) <= _MOST_DIMENSIONS else [])


# ---------------------------------------------------------------- rearrangements

_MOST_WAYS = 400


def _zero_elsewhere(node: NodeView, candidates: Iterator[Candidate]) -> Iterator[Candidate]:
    """Yield the candidates by which the result is zero where it takes no element."""
    y = node.result.grid
    for candidate in candidates:
        places = candidate[2]
        if (
            y is None
            or len(places) != len(y.flat)
            or all(x == 0 for at, x in zip(places, y.flat, strict=True) if at < 0)
        ):
            yield candidate


def _indices_by_coordinates(
    shape: Shape, to: Shape, source: Callable[[tuple[int, ...]], Sequence[int] | None]
) -> list[int]:
    """Return the flat index in a tensor of `shape` for each element of a result of shape `to`; negative where `source`
    gives None."""
    steps = strides(shape)
    places = []
    for at in product(*map(range, to)):
        coordinates = source(at)
        places.append(-1 if coordinates is None else sum(k * step for k, step in zip(coordinates, steps, strict=True)))
    return places


@explains("TrilBackward0", "TriuBackward0", general=N_("one side of the diagonal: grad(a) = G there, else 0"))
def triangle(node: NodeView) -> Iterator[Explanation]:
    """Explain tril and triu: 0 on the other side of the diagonal; the diagonal that gives the result."""
    a, lower = node.operands[0], node.node.startswith("Tril")
    rows, columns = a.shape[-2:]

    def candidates() -> Iterator[Candidate]:
        equation = _("the lower triangle of {a}", a=a.name) if lower else _("the upper triangle of {a}", a=a.name)
        for k in range(-rows, columns + 1):
            places = []
            for at in range(count(a.shape)):
                row, column = divmod(at % (rows * columns), columns)
                places.append(at if (column - row <= k if lower else column - row >= k) else -1)
            yield equation, _("G where {a} was kept, else 0", a=a.name), places

    yield from explain_selection(node, a, _zero_elsewhere(node, candidates()))


@explains("DiagonalBackward0", "DiagonalBackward0_copy", general=N_("a diagonal: grad(a) = G put back on it, else 0"))
def diagonal(node: NodeView) -> Iterator[Explanation]:
    """Explain diagonal: the dimensions and the offset that give the result."""
    a, steps = node.operands[0], strides(node.operands[0].shape)

    def candidates() -> Iterator[Candidate]:
        for i, j in combinations(range(len(a.shape)), 2):
            rest = [k for k in range(len(a.shape)) if k not in (i, j)]
            for k in range(1 - a.shape[i], a.shape[j]):
                start, size = max(-k, 0) * steps[i] + max(k, 0) * steps[j], node.incoming.shape[-1]
                if size == min(a.shape[i] - max(-k, 0), a.shape[j] - max(k, 0)):
                    sizes = [*(a.shape[dimension] for dimension in rest), size]
                    candidate = strided_indices(
                        sizes, [*(steps[dimension] for dimension in rest), steps[i] + steps[j]], start
                    )
                    yield _("a diagonal of {a}", a=a.name), _("G put back on the diagonal, else 0"), candidate

    yield from explain_selection(node, a, candidates())


@explains("DiagEmbedBackward0", general=N_("a became a diagonal: grad(a) = the diagonal of G"))
def diag_embed(node: NodeView) -> Iterator[Explanation]:
    """Explain diag_embed: a matrix with a on a diagonal, and 0 elsewhere."""
    a, to = node.operands[0], node.incoming.shape

    def candidates() -> Iterator[Candidate]:
        for k in range(-to[-1], to[-1] + 1):

            def source(at: tuple[int, ...], k: int = k) -> Sequence[int] | None:
                row, column = at[-2:]
                return (*at[:-2], min(row, column)) if column - row == k else None

            if a.shape[-1] == to[-1] - abs(k):
                yield (
                    _("{a} on a diagonal", a=a.name),
                    _("the diagonal of G"),
                    _indices_by_coordinates(a.shape, to, source),
                )

    yield from explain_selection(node, a, _zero_elsewhere(node, candidates()))


@explains("RollBackward0", general=N_("elements moved round: grad(a) = G moved back"))
def roll(node: NodeView) -> Iterator[Explanation]:
    """Explain roll: the shifts that give the result."""
    a = node.operands[0]
    n = count(a.shape)

    def candidates() -> Iterator[Candidate]:
        for shift in range(n):
            yield _("{a} rolled", a=a.name), _("G rolled back"), [(at - shift) % n for at in range(n)]
        if n <= _MOST_WAYS:
            for shifts in product(*map(range, a.shape)):

                def source(at: tuple[int, ...], shifts: tuple[int, ...] = shifts) -> Sequence[int]:
                    return [(k - s) % size for k, s, size in zip(at, shifts, a.shape, strict=True)]

                yield _("{a} rolled", a=a.name), _("G rolled back"), _indices_by_coordinates(a.shape, a.shape, source)

    yield from explain_selection(node, a, candidates())


def _constant_index(x: int, size: int) -> int | None:
    """Return the source index under constant padding; None outside."""
    return x if 0 <= x < size else None


def _reflected_index(x: int, size: int) -> int | None:
    """Return the source index under reflection padding."""
    x = -x if x < 0 else x
    return 2 * (size - 1) - x if x >= size else x


def _replicated_index(x: int, size: int) -> int | None:
    """Return the source index under replication padding."""
    return min(max(x, 0), size - 1)


def _register_padding(nodes: tuple[str, ...], formula: str, source_index: Callable[[int, int], int | None]) -> None:
    """Register the rule of a kind of padding; `source_index` maps an index, which may be outside, to one inside."""

    @explains(*nodes, general=lambda: _("padded: grad(a) = {back}", back=_(formula)))
    def rule(node: NodeView) -> Iterator[Explanation]:
        a, to = node.operands[0], node.incoming.shape

        def candidates() -> Iterator[Candidate]:
            added = [size - old for old, size in zip(a.shape, to, strict=True)]
            for before in product(*(range(min(amount, 0), max(amount, 0) + 1) for amount in added)):

                def source(at: tuple[int, ...], before: tuple[int, ...] = before) -> Sequence[int] | None:
                    indices = [source_index(k - b, size) for k, b, size in zip(at, before, a.shape, strict=True)]
                    return None if None in indices else [k for k in indices if k is not None]

                yield _("{a} padded", a=a.name), _(formula), _indices_by_coordinates(a.shape, to, source)

        yield from explain_selection(node, a, candidates())


_register_padding(("ConstantPadNdBackward0",), N_("its piece of G"), _constant_index)
_register_padding(
    ("ReflectionPad1DBackward0", "ReflectionPad2DBackward0"),
    N_("G added up where each was copied to"),
    _reflected_index,
)
_register_padding(
    ("ReplicationPad1DBackward0", "ReplicationPad2DBackward0"),
    N_("G added up where each was copied to"),
    _replicated_index,
)


@explains("UpsampleNearest1DBackward0", "UpsampleNearest2DBackward0",
          general=N_("each element was copied: grad(a) = the sum of G over its copies"))  # fmt: skip
def upsample_nearest(node: NodeView) -> Iterator[Explanation]:
    """Explain interpolation to the nearest element: the gradients of the copies are added up."""
    a, to = node.operands[0], node.incoming.shape

    def source(at: tuple[int, ...]) -> Sequence[int]:
        return [k * size // result_size for k, size, result_size in zip(at, a.shape, to, strict=True)]

    places = _indices_by_coordinates(a.shape, to, source)
    yield from explain_selection(node, a, [(_("{a} enlarged", a=a.name), _("the sum of G over its copies"), places)])


@explains("UnfoldBackward0", general=N_("windows of a: grad(a) = G added up over the windows that each is in"))
def unfold(node: NodeView) -> Iterator[Explanation]:
    """Explain unfold: windows along a dimension; an element may be in several."""
    a, to = node.operands[0], node.incoming.shape
    steps = strides(a.shape)

    def candidates() -> Iterator[Candidate]:
        for dimension, size in enumerate(a.shape):
            windows, width = to[dimension], to[-1]
            for step in range(1, size + 1):
                if (size - width) // step + 1 == windows:
                    candidate = strided_indices(
                        to, [*(s * step if i == dimension else s for i, s in enumerate(steps)), steps[dimension]]
                    )
                    yield _("windows of {a}", a=a.name), _("G added up over the windows"), candidate

    yield from explain_selection(node, a, candidates())


@explains("Rot90Backward0", general=N_("turned by quarters: grad(a) = G turned back"))
def rot90(node: NodeView) -> Iterator[Explanation]:
    """Explain rot90 of a matrix: by one, two or three quarters."""
    a, to = node.operands[0], node.incoming.shape

    def candidates() -> Iterator[Candidate]:
        rows, columns = a.shape
        rotations: list[Callable[[tuple[int, ...]], Sequence[int]]] = [
            lambda at: (at[1], columns - 1 - at[0]),
            lambda at: (rows - 1 - at[0], columns - 1 - at[1]),
            lambda at: (rows - 1 - at[1], at[0]),
        ]
        for number, source in enumerate(rotations):
            if to == (a.shape if number == 1 else (columns, rows)):
                yield _("{a} turned", a=a.name), _("G turned back"), _indices_by_coordinates(a.shape, to, source)

    yield from explain_selection(node, a, candidates() if len(a.shape) == 2 else [])


# ---------------------------------------------------------------- joins and splits


def _place_parts(shapes: Sequence[Shape], to: Shape, dimension: int) -> list[list[int]] | None:
    """Return, for each part, the flat indices of the whole that it takes; None where the parts do not fit."""
    sizes = [shape[dimension] for shape in shapes]
    for shape, size in zip(shapes, sizes, strict=True):
        if (*to[:dimension], size, *to[dimension + 1 :]) != shape:
            return None
    if sum(sizes) != to[dimension]:
        return None
    steps = strides(to)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [
        strided_indices(shape, steps, start * steps[dimension]) for shape, start in zip(shapes, starts, strict=True)
    ]


def _tensor_operands(node: NodeView) -> list[Operand]:
    """Return the operands that are tensors."""
    return list(node.operands) if node.inner else [operand for operand in node.operands if operand.tensor is not None]


def _explain_join(
    node: NodeView, parts: Sequence[Operand], places: list[list[int]], equation: str
) -> Iterator[Explanation]:
    """Explain a join where the result holds each part's values at its places."""
    shares = []
    for part, at in zip(parts, places, strict=True):
        if part.grid is not None and node.result.grid is not None and not node.inner:
            values = [node.result.grid.flat[place] for place in at]
            if any(x != y and x == x for x, y in zip(part.grid.flat, values, strict=True)):
                return
        sources = [-1] * count(node.incoming.shape)
        for element, place in enumerate(at):
            sources[place] = element
        shares.append(vjp_by_scatter(part, _("its piece of G"), node.incoming, sources))
    yield Explanation(equation, shares)


@explains("CatBackward0", general=N_("joined tensors: each gets its piece of G"))
def cat(node: NodeView) -> Iterator[Explanation]:
    """Explain cat, along the dimension that the shapes show."""
    parts = _tensor_operands(node)
    to = node.incoming.shape
    for dimension in range(len(to)):
        places = _place_parts([part.shape for part in parts], to, dimension)
        if places is not None:
            names = ", ".join(part.name for part in parts)
            equation = _("{parts} joined along dimension {dimension}", parts=names, dimension=dimension)
            yield from _explain_join(node, parts, places, equation)


@explains("StackBackward0", general=N_("stacked tensors: each gets its piece of G"))
def stack(node: NodeView) -> Iterator[Explanation]:
    """Explain stack, along the dimension that gives the result."""
    parts = _tensor_operands(node)
    to = node.incoming.shape
    for dimension in range(len(to)):
        shape = to[:dimension] + to[dimension + 1 :]
        if to[dimension] != len(parts) or any(part.shape != shape for part in parts):
            continue
        steps = strides(to)
        rest = steps[:dimension] + steps[dimension + 1 :]
        places = [strided_indices(shape, rest, i * steps[dimension]) for i in range(len(parts))]
        names = ", ".join(part.name for part in parts)
        equation = _("{parts} stacked along dimension {dimension}", parts=names, dimension=dimension)
        yield from _explain_join(node, parts, places, equation)


@explains("SplitBackward0", "SplitWithSizesBackward0",
          general=N_("split into parts: grad(a) = their gradients joined, 0 for parts without"))  # fmt: skip
def split(node: NodeView) -> Iterator[Explanation]:
    """Explain split and chunk: the gradients of the parts joined, 0 where there is none."""
    a = node.operands[0]
    for dimension in range(len(a.shape)):
        places = _place_parts([part.shape for part in node.results], a.shape, dimension)
        if places is not None and _parts_match(node, a, places):
            candidate = [at for part in places for at in part]
            yield from _explain_split(
                node, a, _("{a} split along dimension {dimension}", a=a.name, dimension=dimension), candidate
            )


@explains(
    "UnbindBackward0", general=N_("taken apart: grad(a) = the gradients of the parts stacked, 0 for parts without")
)
def unbind(node: NodeView) -> Iterator[Explanation]:
    """Explain unbind: the gradients of the parts stacked, 0 where there is none."""
    a = node.operands[0]
    steps = strides(a.shape)
    for dimension, size in enumerate(a.shape):
        shape = a.shape[:dimension] + a.shape[dimension + 1 :]
        if size != len(node.results) or any(part.shape != shape for part in node.results):
            continue
        rest = steps[:dimension] + steps[dimension + 1 :]
        places = [strided_indices(shape, rest, i * steps[dimension]) for i in range(size)]
        if _parts_match(node, a, places):
            candidate = [at for part in places for at in part]
            yield from _explain_split(
                node, a, _("{a} taken apart along dimension {dimension}", a=a.name, dimension=dimension), candidate
            )


def _parts_match(node: NodeView, a: Operand, places: list[list[int]]) -> bool:
    """Return whether the parts have the values at these flat indices."""
    numbers = a.numbers.flat
    return all(
        numbers[place] == y or numbers[place] != numbers[place]
        for part, at in zip(node.results, places, strict=True)
        for place, y in zip(at, part.numbers.flat, strict=True)
    )


def _explain_split(node: NodeView, a: Operand, equation: str, candidate: list[int]) -> Iterator[Explanation]:
    """Explain a split; the incoming gradient is the concatenation of those of its parts."""
    single = NodeView(node.node, node.op, node.operands, Operand("", (), None), node.incoming, inner=True)
    yield from explain_selection(single, a, [(equation, _("G of the parts, side by side"), candidate)])
