"""Derivative rules of operations by index.

- reads, whose gradient goes back to the elements that were taken: `a[2]`, `a[1:]`, `a[mask]`, masked_select,
  index_select, gather, take, embedding; max and min over a dimension, sort, topk, kthvalue, mode
- writes, which pass on the gradient of what they did not overwrite: scatter, scatter_add, index_add, index_copy,
  index_fill, masked_scatter, index_put, `a[i] = b`, in-place operations on a view (CopySlices)

Source: https://pytorch.org/docs/stable/torch.html (*Indexing, Slicing, Joining*),
https://pytorch.org/docs/stable/notes/autograd.html (*In-place operations with autograd*), and
`tools/autograd/derivatives.yaml`, `torch/csrc/autograd/functions/tensor.cpp` in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tutor.explain.expressions import old_name
from tutor.explain.rules.arrays import Grid, Shape, broadcast_indices, count, unravel_index
from tutor.explain.rules.registry import (
    RULES,
    Explanation,
    Local,
    NodeView,
    Operand,
    Share,
    explains,
    vjp_by_scatter,
    vjp_from_rows,
)
from tutor.explain.rules.scans import rows_by_dimension
from tutor.explain.rules.shape import Candidate, explain_selection, strided_indices, strides
from tutor.i18n import N_, _

_MOST_PLACES = 100
"""Longest dimension that is searched for an index where there are no values to find it by."""
_PUT_BACK = N_("G put back where it was taken, else 0")
_ADDED_UP = N_("G added up where it was taken, else 0")


@explains("SelectBackward0", general=N_("one of many was taken: grad(a) = G put back in its place, else 0"))
def select(node: NodeView) -> Iterator[Explanation]:
    """Explain `a[2]`, `a[:, 2]`: one index along a dimension; the one that gives the result."""
    a = node.operands[0]
    if not node.inner or max(a.shape, default=0) <= _MOST_PLACES:
        yield from explain_selection(node, a, _selections(a, node.incoming.shape))


def _selections(a: Operand, to: Shape) -> Iterator[Candidate]:
    """Yield each index along each dimension that gives the shape."""
    steps = strides(a.shape)
    for dimension, size in enumerate(a.shape):
        remaining = a.shape[:dimension] + a.shape[dimension + 1 :]
        if remaining != to:
            continue
        remaining_strides = steps[:dimension] + steps[dimension + 1 :]
        for index in range(size):
            index_text = "[" + ":, " * dimension + f"{index}]"
            yield (
                f"{a.name}{index_text}",
                _("1 at {said}, else 0", said=index_text),
                strided_indices(remaining, remaining_strides, index * steps[dimension]),
            )


@explains("SliceBackward0", general=N_("a slice: grad(a) = G put back in its place, else 0"))
def slice_part(node: NodeView) -> Iterator[Explanation]:
    """Explain `a[1:]`, `a[:, ::2]`: a slice along a dimension; the one that gives the result."""
    a = node.operands[0]
    numbers = None if a.grid is None or node.result.grid is None or node.inner else (a.grid, node.result.grid)
    if numbers is not None or max(a.shape, default=0) <= _MOST_PLACES:
        yield from explain_selection(node, a, _slices(a, node.incoming.shape, numbers))


def _slices(a: Operand, to: Shape, values: tuple[Grid, Grid] | None) -> Iterator[Candidate]:
    """Yield each slice along one dimension that gives the shape, and the values where they are known."""
    if len(to) != len(a.shape):
        return
    steps = strides(a.shape)
    different = [i for i, (size, length) in enumerate(zip(a.shape, to, strict=True)) if size != length]
    if not different:
        yield _("all of {a}", a=a.name), "1", range(count(a.shape))
    if len(different) != 1:
        return
    dimension = different[0]
    size, length = a.shape[dimension], to[dimension]
    largest_step = (size - 1) // max(length - 1, 1) if length > 1 else 1
    for step in range(1, largest_step + 1):
        for start in range(size - (length - 1) * step if length else 0):
            if values is not None and not _can_start_at(values, start * steps[dimension]):
                continue
            end = start + (length - 1) * step + 1
            step_text = f":{step}" if step > 1 else ""
            index_text = "[" + ":, " * dimension + f"{start}:{end}{step_text}]"
            slice_strides = [*steps[:dimension], steps[dimension] * step, *steps[dimension + 1 :]]
            yield (
                f"{a.name}{index_text}",
                _("1 in {said}, else 0", said=index_text),
                strided_indices(to, slice_strides, start * steps[dimension]),
            )


def _can_start_at(numbers: tuple[Grid, Grid], place: int) -> bool:
    """Return whether the element at a flat index can be the first of the result."""
    source, first = numbers[0].flat[place], numbers[1].flat[0]
    return source == first or source != source


@explains("IndexBackward0", "MaskedSelectBackward0", "IndexSelectBackward0", "GatherBackward0", "TakeBackward0",
          "EmbeddingBackward0",
          general=N_("elements were taken: grad(a) = G added up where each was taken, else 0"))  # fmt: skip
def index(node: NodeView) -> Iterator[Explanation]:
    """Explain indexing by tensors and masks: by their values where they are known, else by values of the result."""
    tensors = [operand for operand in node.whole if operand.tensor is not None]
    is_embedding = node.node == "EmbeddingBackward0"
    a, others = (tensors[-1], tensors[:-1]) if is_embedding else (node.operands[0], tensors[1:])
    if node.index and node.node == "IndexBackward0":
        index_text = ", ".join(other.name for other in others) or _("its index")
        yield from explain_selection(node, a, [(f"{a.name}[{index_text}]", _(_ADDED_UP), node.index)])
        return
    explanations = list(explain_selection(node, a, _indexed_by_tensors(node, a, others)))
    if not explanations:
        explanations = list(explain_selection(node, a, _matched_by_value(node, a)))
    yield from explanations


def _indexed_by_tensors(node: NodeView, a: Operand, others: Sequence[Operand]) -> Iterator[Candidate]:
    """Yield what index tensors can select: by a mask, along one dimension, in several dimensions."""
    grids = [other.numbers for other in others]
    if not grids:
        return
    equation = f"{a.name}[{', '.join(other.name for other in others)}]"
    first = grids[0]
    indices = [int(x) for x in first.flat]
    steps = strides(a.shape)
    depth = len(first.shape)
    if len(grids) == 1 and first.shape == a.shape[:depth] and set(indices) <= {0, 1}:
        rest = strided_indices(a.shape[depth:], steps[depth:])
        inner_size = count(a.shape[depth:])
        yield (
            equation,
            _(_PUT_BACK),
            [i * inner_size + at for i, selected in enumerate(indices) if selected for at in rest],
        )
    if len(grids) == 1 and node.node == "TakeBackward0":
        yield equation, _(_ADDED_UP), [x % count(a.shape) for x in indices]
    if len(grids) == 1 and node.node == "GatherBackward0":
        yield from ((equation, _(_ADDED_UP), places) for places in gather_indices(a.shape, first))
    elif len(grids) == 1:
        for dimension, size in enumerate(a.shape):
            outer = strided_indices(a.shape[:dimension], steps[:dimension])
            inner = strided_indices(a.shape[dimension + 1 :], steps[dimension + 1 :])
            places = [o + x % size * steps[dimension] + i for o in outer for x in indices for i in inner]
            yield equation, _(_ADDED_UP), places
    elif len(grids) <= len(a.shape):
        columns = []
        for grid, size, step in zip(grids, a.shape, steps, strict=False):
            columns.append(grid.map(lambda x, size=size, step=step: x % size * step))  # type: ignore[misc]
        at = columns[0]
        for column in columns[1:]:
            at = at.combine(column, lambda x, y: x + y)
        rest = strided_indices(a.shape[len(grids) :], steps[len(grids) :])
        yield equation, _(_ADDED_UP), [int(x) + i for x in at.flat for i in rest]


def gather_indices(shape: Shape, index: Grid) -> Iterator[list[int]]:
    """Yield the flat indices that `gather` takes, for each dimension along which the index may go."""
    if len(shape) != len(index.shape):
        return
    steps = strides(shape)
    for dimension in range(max(len(shape), 1)):
        if any(k > size for i, (k, size) in enumerate(zip(index.shape, shape, strict=True)) if i != dimension):
            continue
        if not shape:
            yield [0]
            continue
        base = strided_indices(index.shape, [0 if i == dimension else step for i, step in enumerate(steps)])
        yield [at + int(x) % shape[dimension] * steps[dimension] for at, x in zip(base, index.flat, strict=True)]


def _matched_by_value(node: NodeView, a: Operand) -> Iterator[Candidate]:
    """Yield the elements whose values the result has, where all of them differ."""
    numbers = a.numbers.flat
    index_of_value = {x: at for at, x in enumerate(numbers)}
    if len(index_of_value) == len(numbers) and not node.inner:
        yield _("some of {a}", a=a.name), _(_ADDED_UP), [index_of_value[y] for y in node.result.numbers.flat]


@explains("MaxBackward0", "MinBackward0", "SortBackward0", "SortBackward1", "TopkBackward0", "KthvalueBackward0",
          "MedianBackward1", "ModeBackward0",
          general=N_("the elements that were taken get the gradient, the others 0"))  # fmt: skip
def by_result_indices(node: NodeView) -> Iterator[Explanation]:
    """Explain max, min, sort, topk, kthvalue, median and mode over a dimension: the second result has the indices."""
    a, indices = node.operands[0], node.results[1].numbers
    equation = _("{operation} of {a}", operation=node.op, a=a.name)
    if len(indices.shape) == len(a.shape):
        yield from explain_selection(
            node, a, ((equation, _(_PUT_BACK), places) for places in gather_indices(a.shape, indices))
        )
        return
    candidates = [
        [row[int(at)] for row, at in zip(rows, indices.flat, strict=True)]
        for rows in rows_by_dimension(a.shape)
        if len(rows) == len(indices.flat)
    ]
    yield from explain_selection(node, a, ((equation, _(_PUT_BACK), places) for places in candidates))


# ---------------------------------------------------------------- writes

_AT_PLACES = N_("G at the places that it was written to")


def share_of_kept(a: Operand, places: Sequence[int]) -> Share:
    """Return the share of a tensor that was partly overwritten."""
    written = set(places)
    derivative = Grid(a.shape, tuple(0.0 if at in written else 1.0 for at in range(count(a.shape))))
    return Local(a, _("1 where {a} was kept, else 0", a=a.name), derivative)


def _write_equation(a: str, what: str, *, added: bool) -> str:
    """Return the equation of a write."""
    text = _("{a} with {what} added to it") if added else _("{a} with {what} written to it")
    return text.format(a=a, what=what)


def _write_operands(node: NodeView) -> tuple[Operand, Grid, Operand | None]:
    """Return what was written to, the index, and what was written; None for a number."""
    a, index, *rest = [operand for operand in node.operands if operand.tensor is not None]
    return a, index.numbers, rest[0] if rest else None


def _write_shares(
    node: NodeView, a: Operand, source: Operand | None, places: Sequence[int], elements: Sequence[int], *,
    added: bool, factor: float = 1.0,
) -> list[Share | None]:  # fmt: skip
    """Return the shares of a write to `places` of the result with these elements of the source."""
    first: Share | None = Local(a, "1", Grid.full(a.shape, 1.0)) if added else share_of_kept(a, places)
    if source is None:
        return [first]
    rows: list[list[tuple[int, float]]] = [[] for _ in range(count(source.shape))]
    for place, element in zip(places, elements, strict=True):
        rows[element].append((place, factor))
    factor_text = "" if factor == 1 else f"{factor:g}·"
    return [first, vjp_from_rows(source, factor_text + _(_AT_PLACES), node.incoming, rows.__getitem__)]


@explains("ScatterBackward0", "ScatterBackward1", "ScatterAddBackward0",
          general=N_("written to places: what was written gets G from there, what was overwritten 0"))  # fmt: skip
def scatter(node: NodeView) -> Iterator[Explanation]:
    """Explain scatter and scatter_add, over the dimension that gives the result."""
    a, index, source = _write_operands(node)
    added = node.node == "ScatterAddBackward0"
    elements = [0] * len(index.flat) if source is None else strided_indices(index.shape, strides(source.shape))
    for places in gather_indices(a.shape, index):
        if _gives_result(node, a, source, places, elements, added=added, factor=1.0):
            shares = _write_shares(node, a, source, places, elements, added=added)
            name = _("a number") if source is None else source.name
            yield Explanation(_write_equation(a.name, name, added=added), shares)


@explains("IndexAddBackward0", "IndexCopyBackward0", "IndexFillBackward0", "IndexFillBackward1",
          general=N_("written to places: what was written gets G from there, what was overwritten 0"))  # fmt: skip
def index_add_copy_fill(node: NodeView) -> Iterator[Explanation]:
    """Explain index_add, index_copy and index_fill, over the dimension that gives the result."""
    a, index, source = _write_operands(node)
    added = node.node == "IndexAddBackward0"
    steps = strides(a.shape)
    for dimension, size in enumerate(a.shape):
        outer = strided_indices(a.shape[:dimension], steps[:dimension])
        inner = strided_indices(a.shape[dimension + 1 :], steps[dimension + 1 :])
        places = [o + int(x) % size * steps[dimension] + i for o in outer for x in index.flat for i in inner]
        single = source is None or not source.shape
        if not single and source is not None and count(source.shape) != len(places):
            continue
        elements = [0] * len(places) if single else list(range(len(places)))
        for factor in _possible_factors(node, a, source, places, elements) if added and source is not None else (1.0,):
            if _gives_result(node, a, source, places, elements, added=added, factor=factor):
                shares = _write_shares(node, a, source, places, elements, added=added, factor=factor)
                name = _("a number") if source is None else source.name
                yield Explanation(_write_equation(a.name, name, added=added), shares)


def _possible_factors(
    node: NodeView, a: Operand, source: Operand, places: Sequence[int], elements: Sequence[int]
) -> Iterator[float]:
    """Yield alpha of index_add: 1, and what the result shows."""
    yield 1.0
    added = [0.0] * count(a.shape)
    for place, element in zip(places, elements, strict=True):
        added[place] += source.numbers.flat[element]
    at = max(range(len(added)), key=lambda place: abs(added[place]))
    if added[at]:
        factor = float(f"{(node.result.numbers.flat[at] - a.numbers.flat[at]) / added[at]:.4g}")
        if factor != 1:
            yield factor


def _gives_result(
    node: NodeView, a: Operand, source: Operand | None, places: Sequence[int], elements: Sequence[int], *,
    added: bool, factor: float,
) -> bool:  # fmt: skip
    """Return whether the result is that of the write."""
    if source is None:
        return True
    values = list(a.numbers.flat)
    for place, element in zip(places, elements, strict=True):
        x = source.numbers.flat[element]
        values[place] = values[place] + factor * x if added else x
    return node.gives(Grid(a.shape, tuple(values)))


@explains(
    "MaskedScatterBackward0",
    general=N_("written where a mask holds: what was written gets G there, what was overwritten 0"),
)
def masked_scatter(node: NodeView) -> Explanation:
    """Explain masked_scatter: the elements of the source go, in order, to where the mask is True."""
    a, mask, source = _write_operands(node)
    places = [at for at, x in enumerate(mask.expand(a.shape).flat) if x]
    shares = _write_shares(node, a, source, places, list(range(len(places))), added=False)
    name = _("a number") if source is None else source.name
    return Explanation(_("{a} with {name} where the mask holds", a=a.name, name=name), shares)


# ---------------------------------------------------------------- in-place writes to a part

_NODE_OF_OP = {"copy": "CopyBackwards", "square": "PowBackward0", "truediv": "DivBackward0"}


@explains("CopySlices", general=N_("a part was written to: the rest passes G on, the part what the write makes of it"))
def copy_slices(node: NodeView) -> Iterator[Explanation]:
    """Explain `h[0, 1] = v` and in-place operations on a view, as `h[0].mul_(3)`."""
    if node.op == "setitem":
        yield from _explain_setitem(node)
        return
    whole, view, *others, changed = node.operands
    for spot in node.spots:
        for explanation in _explain_inner_write(node, view, others, changed, spot):
            first, *rest = explanation.shares
            if first is None or first.derivative is None:
                continue
            derivatives = dict(zip(spot, first.derivative.expand(view.shape).flat, strict=True))
            name = first.formula if len(first.formula) <= 24 else _("the derivative")
            formula = (
                _("G, but 0 in {view}", view=view.name)
                if name == "0"
                else _("G, but G·{name} in {view}", name=name, view=view.name)
            )

            def row(i: int, derivatives: dict[int, float] = derivatives) -> list[tuple[int, float]]:
                return [(i, derivatives.get(i, 1.0))]

            share = vjp_from_rows(whole, formula, node.incoming, row)
            yield Explanation(
                _(
                    "{whole}, with {equation} in {view}",
                    whole=whole.name,
                    equation=explanation.equation,
                    view=view.name,
                ),
                [share, *(_share_of_other_operand(node, other, spot, view) for other in rest)],
            )


def _explain_inner_write(
    node: NodeView, view: Operand, others: Sequence[Operand], changed: Operand, spot: Sequence[int]
) -> Iterator[Explanation]:
    """Explain the write as if the view were a tensor of its own, by the rule of its operation."""
    camel_case = "".join(word.capitalize() for word in node.op.strip("_").split("_"))
    names = (
        [_NODE_OF_OP[node.op]] if node.op in _NODE_OF_OP else [f"{camel_case}Backward{number}" for number in range(3)]
    )
    before = Operand(old_name(view.name), view.shape, view.grid, view.tensor)
    incoming = Grid(view.shape, tuple(node.incoming.flat[at] for at in spot))
    for name in names:
        rule = RULES.get(name)
        operands = (before, *others)
        try:
            explanations = None if rule is None else rule(
                NodeView(name, node.op, operands, changed, incoming, operands, (changed,), False, node.dtype,
                         attributes={"alpha": 1, **node.arguments}, arguments=node.arguments)
            )  # fmt: skip
            yield from [explanations] if isinstance(explanations, Explanation) else explanations or ()
        except (LookupError, ArithmeticError, ValueError, TypeError):
            continue


def _share_of_other_operand(node: NodeView, share: Share | None, spot: Sequence[int], view: Operand) -> Share | None:
    """Return the share of another operand of the write, from the gradient at the view."""
    if share is None or share.derivative is None:
        return None
    target, derivatives = share.target, share.derivative.expand(view.shape).flat
    rows: list[list[tuple[int, float]]] = [[] for _ in range(count(target.shape))]
    for place, element in enumerate(broadcast_indices(target.shape, view.shape)):
        rows[element].append((spot[place], derivatives[place]))
    factor_text = "" if share.formula == "1" else f"·{share.formula}"
    return vjp_from_rows(target, _("G of {view}{by}", view=view.name, by=factor_text), node.incoming, rows.__getitem__)


@explains("IndexPutBackward0",
          general=N_("written to places: what was written gets G from there, what was overwritten 0"))  # fmt: skip
def index_put(node: NodeView) -> Iterator[Explanation]:
    """Explain `h[mask] = v` and index_put_."""
    if node.op == "setitem":
        yield from _explain_setitem(node)
        return
    whole, *index, value = [operand for operand in node.operands if operand.tensor is not None][-len(node.operands) :]
    index = [operand for operand in index if operand.tensor != whole.tensor]
    columns = [operand.numbers for operand in index]
    places = []
    for row in zip(*(column.flat for column in columns), strict=True):
        place = 0
        for size, k in zip(whole.shape, row, strict=True):
            place = place * size + int(k) % size
        places.append(place)
    for added in (False, True):
        yield from _explain_write(node, whole, value, places, _("the index"), added=added)


def _explain_setitem(node: NodeView) -> Iterator[Explanation]:
    """Explain `h[i] = v`, for each place of the view that is possible."""
    whole, where, value = node.operands
    for spot in node.spots:
        yield from _explain_write(node, whole, value, spot, where.name, added=False)


def _explain_write(
    node: NodeView, whole: Operand, value: Operand, places: Sequence[int], where: str, *, added: bool
) -> Iterator[Explanation]:
    """Explain a write where the result holds the value at these flat indices; the value may be repeated."""
    if len(places) % max(count(value.shape), 1):
        return
    elements = _repeated_elements(value, places)
    values = list(whole.numbers.flat)
    for place, element in zip(places, elements, strict=True):
        x = value.numbers.flat[element] if value.grid is not None else node.result.numbers.flat[place]
        values[place] = values[place] + x if added else x
    if not node.gives(Grid(whole.shape, tuple(values))):
        return
    overwritten = set() if added else set(places)
    formula = "G" if added else _("G, but 0 at {where}", where=where)
    share = vjp_from_rows(whole, formula, node.incoming, lambda i: [(i, 0.0 if i in overwritten else 1.0)])
    sources = [-1] * len(node.incoming.flat)
    shares: list[Share | None] = [share]
    if value.tensor is not None and len(set(places)) == len(places):
        for place, element in zip(places, elements, strict=True):
            sources[place] = element
        shares.append(vjp_by_scatter(value, _("G at {where}", where=where), node.incoming, sources))
    elif value.tensor is not None:
        rows: list[list[tuple[int, float]]] = [[] for _ in range(count(value.shape))]
        for place, element in zip(places, elements, strict=True):
            rows[element].append((place, 1.0))
        shares.append(vjp_from_rows(value, _("G at {where}", where=where), node.incoming, rows.__getitem__))
    equation = _("{whole}, with {value} added at {where}") if added else _("{whole}, with {value} stored at {where}")
    yield Explanation(equation.format(whole=whole.name, value=value.name, where=where), shares)


def _repeated_elements(value: Operand, places: Sequence[int]) -> list[int]:
    """Return the element of the value at each place: it is repeated as often as it takes."""
    size = max(count(value.shape), 1)
    return [i % size for i in range(len(places))]


@explains(
    "AsStridedBackward0",
    general=N_("a part, seen anew after a write to it: grad(a) = G put back in its place, else 0"),
)
def as_strided(node: NodeView) -> Iterator[Explanation]:
    """Explain a view that autograd made again from its base, after a write to either."""
    whole = node.operands[0]
    for spot in node.spots:
        sources = [-1] * len(node.incoming.flat)
        for i, place in enumerate(spot):
            sources[i] = place
        start = list(unravel_index(spot[0], whole.shape)) if spot else []
        yield Explanation(
            _("a part of {whole}, from {start} on", whole=whole.name, start=start),
            [vjp_by_scatter(whole, _("G put back in its place, else 0"), node.incoming, sources)],
        )
