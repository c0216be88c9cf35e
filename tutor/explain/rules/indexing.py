"""Derivative rules of operations by index.

- reads, whose gradient goes back to the elements that were taken: `a[idx]`, `a[mask]`, masked_select, index_select,
  gather, take, embedding; max and min over a dimension, sort, topk, kthvalue, mode
- writes, which pass on the gradient of what they did not overwrite: scatter, scatter_add, index_add, index_copy,
  index_fill, masked_scatter, index_put, `a[i] = b`, in-place operations on a view (CopySlices)

For `a[2]` and `a[1:]` see `shape`.
Source: https://pytorch.org/docs/stable/torch.html (*Indexing, Slicing, Joining*),
https://pytorch.org/docs/stable/notes/autograd.html (*In-place operations with autograd*), and
`tools/autograd/derivatives.yaml`, `torch/csrc/autograd/functions/tensor.cpp` in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tutor.explain.expressions import old_name
from tutor.explain.rules.arrays import Grid, Shape, broadcast_indices, broadcast_shape, count, unravel_index
from tutor.explain.rules.registry import (
    Explanation,
    NodeView,
    Operand,
    Share,
    apply_rule,
    elementwise,
    explains,
    sparse,
)
from tutor.explain.rules.shape import Move, dimension_of, explain_move, share_of_moved, strided_indices, strides
from tutor.i18n import N_, _
from tutor.trace.number_format import number

_PUT_BACK = N_("G put back where it was taken, else 0")
_ADDED_UP = N_("G added up where it was taken, else 0")
_TAKEN = N_("elements were taken: grad(a) = G added up where each was taken, else 0")


# ---------------------------------------------------------------- reads


def _explain_read(
    node: NodeView, a: Operand, others: Sequence[Operand], formula: str, places: Sequence[int]
) -> Explanation:
    """Explain elements of an operand that were taken by index tensors."""
    index_text = ", ".join(other.name for other in others) or _("its index")
    return explain_move(node, a, Move(f"{a.name}[{index_text}]", _(formula), places))


def _read_operands(node: NodeView) -> tuple[Operand, Operand]:
    """Return what was read, and the index tensor."""
    tensors = [operand for operand in node.whole if operand.tensor is not None]
    return node.operands[0] if node.inner else tensors[0], tensors[1]


def _places_of(node: NodeView) -> Sequence[int]:
    """Return the places that the recording has. Raises LookupError where it has none."""
    if node.places is None:
        raise LookupError("the index")
    return node.places


@explains("IndexBackward0", general=_TAKEN)
def index(node: NodeView) -> Explanation:
    """Explain indexing by tensors, masks and lists."""
    others = [operand for operand in node.whole if operand.tensor is not None][1:]
    return _explain_read(node, node.operands[0], others, _ADDED_UP, _places_of(node))


@explains("MaskedSelectBackward0", general=_TAKEN)
def masked_select(node: NodeView) -> Explanation:
    """Explain masked_select: the elements where the mask is True."""
    a, mask = _read_operands(node)
    shape = broadcast_shape(a.shape, mask.shape)
    places = zip(broadcast_indices(a.shape, shape), mask.numbers.expand(shape).flat, strict=True)
    return _explain_read(node, a, [mask], _PUT_BACK, [at for at, kept in places if kept])


@explains("IndexSelectBackward0", general=_TAKEN)
def index_select(node: NodeView) -> Explanation:
    """Explain index_select: some slices along a dimension."""
    a, indices = _read_operands(node)
    return _explain_read(node, a, [indices], _ADDED_UP, _slices_at(node, a.shape, indices.numbers))


@explains("GatherBackward0", general=_TAKEN)
def gather(node: NodeView) -> Explanation:
    """Explain gather: along a dimension, what the index says at each place."""
    a, indices = _read_operands(node)
    places = gathered_places(a.shape, dimension_of(node.attributes, a.shape), indices.numbers)
    return _explain_read(node, a, [indices], _ADDED_UP, places)


@explains("TakeBackward0", general=_TAKEN)
def take(node: NodeView) -> Explanation:
    """Explain take: elements by their flat index."""
    a, indices = _read_operands(node)
    return _explain_read(node, a, [indices], _ADDED_UP, [int(x) % count(a.shape) for x in indices.numbers.flat])


@explains("EmbeddingBackward0", general=_TAKEN)
def embedding(node: NodeView) -> Explanation:
    """Explain embedding: rows of the weight; that of `padding_idx` gets no gradient."""
    indices, a = [operand for operand in node.whole if operand.tensor is not None][:2]
    if node.attributes["scale_grad_by_freq"]:
        raise LookupError("scaled")
    width, padding = a.shape[1], node.attributes["padding_idx"]
    places = [-1 if int(x) == padding else int(x) * width + i for x in indices.numbers.flat for i in range(width)]
    return _explain_read(node, a, [indices], _ADDED_UP, places)


def gathered_places(shape: Shape, dimension: int, indices: Grid) -> list[int]:
    """Return the flat indices that `gather` takes."""
    if not shape:
        return [0] * len(indices.flat)
    steps = strides(shape)
    base = strided_indices(indices.shape, [0 if i == dimension else step for i, step in enumerate(steps)])
    return [at + int(x) % shape[dimension] * steps[dimension] for at, x in zip(base, indices.flat, strict=True)]


def _slices_at(node: NodeView, shape: Shape, indices: Grid) -> list[int]:
    """Return the flat indices of some slices along the node's dimension."""
    dimension, steps = dimension_of(node.attributes, shape), strides(shape)
    outer = strided_indices(shape[:dimension], steps[:dimension])
    inner = strided_indices(shape[dimension + 1 :], steps[dimension + 1 :])
    size, step = shape[dimension], steps[dimension]
    return [o + int(x) % size * step + i for o in outer for x in indices.flat for i in inner]


@explains("MaxBackward0", "MinBackward0", "SortBackward0", "SortBackward1", "TopkBackward0", "KthvalueBackward0",
          "MedianBackward1", "ModeBackward0",
          general=N_("the elements that were taken get the gradient, the others 0"))  # fmt: skip
def by_result_indices(node: NodeView) -> Explanation:
    """Explain max, min, sort, topk, kthvalue, median and mode over a dimension: the second result has the indices."""
    a, indices = node.operands[0], node.results[1].numbers
    dimension = dimension_of(node.attributes, a.shape)
    if len(indices.shape) < len(a.shape):
        indices = indices.reshape((*indices.shape[:dimension], 1, *indices.shape[dimension:]))
    places = gathered_places(a.shape, dimension, indices)
    incoming = replace(node, incoming=Grid((len(places),), node.incoming.flat[: len(places)]))
    return explain_move(incoming, a, Move(_("{operation} of {a}", operation=node.op, a=a.name), _(_PUT_BACK), places))


# ---------------------------------------------------------------- writes

_AT_PLACES = N_("G at the places that it was written to")
_WRITTEN = N_("written to places: what was written gets G from there, what was overwritten 0")


def _write_operands(node: NodeView) -> tuple[Operand, Grid, Operand | None]:
    """Return what was written to, the index, and what was written; None for a number."""
    a, indices, *rest = [operand for operand in node.operands if operand.tensor is not None]
    return a, indices.numbers, rest[0] if rest else None


def _write_shares(
    a: Operand, source: Operand | None, places: Sequence[int], elements: Sequence[int], factor: float | None = None
) -> list[Share | None]:
    """Return the shares of a write to `places` of the result with these elements of the source; with a factor, they
    are added."""
    written = set() if factor is not None else set(places)
    derivative = Grid(a.shape, tuple(0.0 if at in written else 1.0 for at in range(count(a.shape))))
    formula = "1" if factor is not None else _("1 where {a} was kept, else 0", a=a.name)
    first = elementwise(a, formula, derivative)
    if source is None:
        return [first]
    by = 1.0 if factor is None else float(factor)
    entries = [(place, element, by) for place, element in zip(places, elements, strict=True)]
    return [first, sparse(source, ("" if by == 1 else f"{number(by)}·") + _(_AT_PLACES), entries)]


def _write_equation(a: Operand, source: Operand | None, *, added: bool) -> str:
    """Return the equation of a write."""
    text = _("{a} with {what} added to it") if added else _("{a} with {what} written to it")
    return text.format(a=a.name, what=_("a number") if source is None else source.name)


@explains("ScatterBackward0", "ScatterBackward1", "ScatterAddBackward0", general=_WRITTEN)
def scatter(node: NodeView) -> Explanation:
    """Explain scatter and scatter_add."""
    a, indices, source = _write_operands(node)
    added = node.node == "ScatterAddBackward0"
    places = gathered_places(a.shape, dimension_of(node.attributes, a.shape), indices)
    elements = [0] * len(places) if source is None else strided_indices(indices.shape, strides(source.shape))
    shares = _write_shares(a, source, places, elements, 1.0 if added else None)
    return Explanation(_write_equation(a, source, added=added), shares)


@explains("IndexAddBackward0", "IndexCopyBackward0", "IndexFillBackward0", "IndexFillBackward1", general=_WRITTEN)
def index_add_copy_fill(node: NodeView) -> Explanation:
    """Explain index_add, index_copy and index_fill."""
    a, indices, source = _write_operands(node)
    added = node.node == "IndexAddBackward0"
    places = _slices_at(node, a.shape, indices)
    elements = [0] * len(places) if source is None or not source.shape else list(range(len(places)))
    shares = _write_shares(a, source, places, elements, node.attributes["alpha"] if added else None)
    return Explanation(_write_equation(a, source, added=added), shares)


@explains(
    "MaskedScatterBackward0",
    general=N_("written where a mask holds: what was written gets G there, what was overwritten 0"),
)
def masked_scatter(node: NodeView) -> Explanation:
    """Explain masked_scatter: the elements of the source go, in order, to where the mask is True."""
    a, mask, source = _write_operands(node)
    places = [at for at, kept in enumerate(mask.expand(a.shape).flat) if kept]
    shares = _write_shares(a, source, places, list(range(len(places))))
    name = _("a number") if source is None else source.name
    return Explanation(_("{a} with {name} where the mask holds", a=a.name, name=name), shares)


# ---------------------------------------------------------------- in-place writes to a part

_NODE_OF_OP = {"copy": "CopyBackwards", "square": "PowBackward0", "truediv": "DivBackward0"}
_LONGEST_FORMULA = 24


@explains("CopySlices", general=N_("a part was written to: the rest passes G on, the part what the write makes of it"))
def copy_slices(node: NodeView) -> Explanation:
    """Explain `h[0, 1] = v` and in-place operations on a view, as `h[0].mul_(3)`."""
    if node.op == "setitem":
        return _explain_setitem(node)
    whole, view, *others, changed = node.operands
    spot = _places_of(node)

    def incoming(g: Grid) -> Grid:
        return Grid(view.shape, tuple(g.flat[at] for at in spot))

    explanation = _explain_inner_write(node, view, others, changed, incoming(node.incoming))
    first, *rest = explanation.shares
    if first is None or first.derivative is None:
        raise LookupError(node.op)
    by_first = first.vjp

    def to_whole(g: Grid) -> Grid:
        flat = list(g.flat)
        for at, x in zip(spot, by_first(incoming(g)).flat, strict=True):
            flat[at] = x
        return Grid(whole.shape, tuple(flat))

    name = first.formula if len(first.formula) <= _LONGEST_FORMULA else _("the derivative")
    formula = _("G, but G·{name} in {view}", name=name, view=view.name)
    if name == "0":
        formula = _("G, but 0 in {view}", view=view.name)
    shares: list[Share | None] = [Share(whole, formula, to_whole)]
    for share in rest:
        by = "" if share is None or share.formula == "1" else f"·{share.formula}"
        formula_of_other = _("G of {view}{by}", view=view.name, by=by)
        shares.append(None if share is None else _within(share, formula_of_other, incoming))
    equation = _("{whole}, with {equation} in {view}", whole=whole.name, equation=explanation.equation, view=view.name)
    return Explanation(equation, shares)


def _within(share: Share, formula: str, incoming: Callable[[Grid], Grid]) -> Share | None:
    """Return the share of another operand of the write, from the gradient at the view."""
    if share.derivative is None:
        return None
    return Share(share.target, formula, lambda g: share.vjp(incoming(g)))


def _explain_inner_write(
    node: NodeView, view: Operand, others: Sequence[Operand], changed: Operand, incoming: Grid
) -> Explanation:
    """Explain the write as if the view were a separate tensor, by the rule of its operation."""
    camel_case = "".join(word.capitalize() for word in node.op.strip("_").split("_"))
    names = (
        [_NODE_OF_OP[node.op]] if node.op in _NODE_OF_OP else [f"{camel_case}Backward{number}" for number in range(3)]
    )
    operands = (Operand(old_name(view.name), view.shape, view.grid, view.tensor), *others)
    for name in names:
        write = NodeView(
            name, node.op, operands, changed, incoming, operands, (changed,), False, node.dtype,
            attributes={"alpha": 1, **node.arguments}, arguments=node.arguments,
        )  # fmt: skip
        explanation = apply_rule(write)
        if explanation is not None:
            return explanation
    raise LookupError(node.op)


@explains("IndexPutBackward0", general=_WRITTEN)
def index_put(node: NodeView) -> Explanation:
    """Explain `h[mask] = v` and index_put_."""
    if node.op == "setitem":
        return _explain_setitem(node)
    whole, *_indices, value = [operand for operand in node.operands if operand.tensor is not None]
    added = node.attributes["accumulate"]
    return _explain_write(node, whole, value, _places_of(node), _("the index"), added=added)


def _explain_setitem(node: NodeView) -> Explanation:
    """Explain `h[i] = v`."""
    whole, where, value = node.operands
    spot = _places_of(node)
    return _explain_write(node, whole, value, spot, where.name, added=False)


def _explain_write(
    node: NodeView, whole: Operand, value: Operand, places: Sequence[int], where: str, *, added: bool
) -> Explanation:
    """Explain a write of a value to these flat indices; the value may be repeated. Raises LookupError where the result
    does not hold it there."""
    size = max(count(value.shape), 1)
    is_column = value.shape[-1:] == (1,)
    elements = [i * size // len(places) if is_column else i % size for i in range(len(places))]
    if len(places) % size or (size > 1 and not added and not _holds(node, value, places, elements)):
        raise LookupError(value.name)
    overwritten = set() if added else set(places)
    formula = "G" if added else _("G, but 0 at {where}", where=where)
    unchanged = [(i, i, 1.0) for i in range(count(whole.shape)) if i not in overwritten]
    shares: list[Share | None] = [sparse(whole, formula, unchanged)]
    if value.tensor is not None:
        entries = [(place, element, 1.0) for place, element in zip(places, elements, strict=True)]
        shares.append(sparse(value, _("G at {where}", where=where), entries))
    equation = _("{whole}, with {value} added at {where}") if added else _("{whole}, with {value} stored at {where}")
    return Explanation(equation.format(whole=whole.name, value=value.name, where=where), shares)


def _holds(node: NodeView, value: Operand, places: Sequence[int], elements: Sequence[int]) -> bool:
    """Return whether the result has these elements of the value at the places."""
    y, x = node.result.numbers.flat, value.numbers.flat
    return all(y[at] == x[i] or x[i] != x[i] for at, i in zip(places, elements, strict=True))


@explains(
    "AsStridedBackward0",
    general=N_("a part, seen again after a write to it: grad(a) = G put back in its place, else 0"),
)
def as_strided(node: NodeView) -> Explanation:
    """Explain a view that autograd made again from its base, after a write to either."""
    whole = node.operands[0]
    spot = _places_of(node)
    start = list(unravel_index(spot[0], whole.shape)) if spot else []
    equation = _("a part of {whole}, from {start} on", whole=whole.name, start=start)
    return Explanation(equation, [share_of_moved(whole, _("G put back in its place, else 0"), spot)])
