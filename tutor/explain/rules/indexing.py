"""Derivatives of what takes some elements of a tensor: each one taken sends its gradient back to its place, the others
get 0. An element that was taken twice gets the sum.

Source: https://pytorch.org/docs/stable/torch.html (*Indexing, Slicing, Joining*), and `tools/autograd/derivatives.yaml`
in PyTorch.

Derivatives of what writes a tensor's elements to places of another, by an index: what was overwritten gets nothing,
what was written gets what arrives at its places.

Source: https://pytorch.org/docs/stable/torch.html (*Indexing, Slicing, Joining*), and `tools/autograd/derivatives.yaml`
in PyTorch.

Derivatives of writes to a part of a tensor: the rest passes its gradient on, the part what the write makes of it.

Source: https://pytorch.org/docs/stable/notes/autograd.html (*In-place operations with autograd*), and
`torch/csrc/autograd/functions/tensor.cpp` in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tutor.explain.expressions import old
from tutor.explain.rules.arrays import Grid, Shape, count, divmod_all, places_of
from tutor.explain.rules.registry import RULES, Explanation, Local, NodeView, Operand, Product, explains, mixed, routed
from tutor.explain.rules.scans import lanes
from tutor.explain.rules.shape import moved, strides, walk
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


_AT_PLACES = N_("G at the places that it was written to")


def kept_share(a: Operand, places: Sequence[int]) -> Local:
    """Of what was partly overwritten."""
    written = set(places)
    slope = Grid(a.shape, tuple(0.0 if at in written else 1.0 for at in range(count(a.shape))))
    return Local(a, _("1 where {a} was kept, else 0", a=a.name), slope)


def _told(a: str, what: str, *, added: bool) -> str:
    told = _("{a} with {what} added to it") if added else _("{a} with {what} written to it")
    return told.format(a=a, what=what)


def _sources(node: NodeView) -> tuple[Operand, Grid, Operand | None]:
    """What was written to, the index, and what was written, if that is a tensor."""
    a, index, *rest = [one for one in node.operands if one.tensor is not None]
    return a, index.numbers, rest[0] if rest else None


def _shares(
    node: NodeView, a: Operand, source: Operand | None, places: Sequence[int], elements: Sequence[int], *,
    added: bool, factor: float = 1.0,
) -> list[Local | Product | None]:  # fmt: skip
    """`places` in the result were written to with these elements of the source."""
    first: Local | Product | None = Local(a, "1", Grid.full(a.shape, 1.0)) if added else kept_share(a, places)
    if source is None:
        return [first]
    arrive: list[list[tuple[int, float]]] = [[] for _ in range(count(source.shape))]
    for place, element in zip(places, elements, strict=True):
        arrive[element].append((place, factor))
    by = "" if factor == 1 else f"{factor:g}·"
    return [first, mixed(source, by + _(_AT_PLACES), node.incoming, arrive.__getitem__)]


@explains("ScatterBackward0", "ScatterBackward1", "ScatterAddBackward0",
          general=N_("written to places: what was written gets G from there, what was overwritten 0"))  # fmt: skip
def scatter(node: NodeView) -> Iterator[Explanation]:
    """`a.scatter(dim, index, b)`; over which dimension, the numbers show."""
    a, index, source = _sources(node)
    added = node.node == "ScatterAddBackward0"
    elements = [0] * len(index.flat) if source is None else walk(index.shape, strides(source.shape))
    for places in along(a.shape, index):
        if _holds(node, a, source, places, elements, added=added, factor=1.0):
            shares = _shares(node, a, source, places, elements, added=added)
            name = _("a number") if source is None else source.name
            yield Explanation(_told(a.name, name, added=added), shares)


@explains("IndexAddBackward0", "IndexCopyBackward0", "IndexFillBackward0", "IndexFillBackward1",
          general=N_("written to places: what was written gets G from there, what was overwritten 0"))  # fmt: skip
def by_index(node: NodeView) -> Iterator[Explanation]:
    """`a.index_add(dim, index, b)` and its kin: the index says which slices."""
    a, index, source = _sources(node)
    added = node.node == "IndexAddBackward0"
    steps = strides(a.shape)
    for dimension, size in enumerate(a.shape):
        outer = walk(a.shape[:dimension], steps[:dimension])
        inner = walk(a.shape[dimension + 1 :], steps[dimension + 1 :])
        places = [o + int(x) % size * steps[dimension] + i for o in outer for x in index.flat for i in inner]
        single = source is None or not source.shape
        if not single and source is not None and count(source.shape) != len(places):
            continue
        elements = [0] * len(places) if single else list(range(len(places)))
        for factor in _factors(node, a, source, places, elements) if added and source is not None else (1.0,):
            if _holds(node, a, source, places, elements, added=added, factor=factor):
                shares = _shares(node, a, source, places, elements, added=added, factor=factor)
                name = _("a number") if source is None else source.name
                yield Explanation(_told(a.name, name, added=added), shares)


def _factors(
    node: NodeView, a: Operand, source: Operand, places: Sequence[int], elements: Sequence[int]
) -> Iterator[float]:
    """By what a source was multiplied before it was added: 1, or what the numbers say."""
    yield 1.0
    added = [0.0] * count(a.shape)
    for place, element in zip(places, elements, strict=True):
        added[place] += source.numbers.flat[element]
    at = max(range(len(added)), key=lambda place: abs(added[place]))
    if added[at]:
        factor = float(f"{(node.result.numbers.flat[at] - a.numbers.flat[at]) / added[at]:.4g}")
        if factor != 1:
            yield factor


def _holds(
    node: NodeView, a: Operand, source: Operand | None, places: Sequence[int], elements: Sequence[int], *,
    added: bool, factor: float,
) -> bool:  # fmt: skip
    """Whether the result holds what was written."""
    if source is None:
        return True
    found = list(a.numbers.flat)
    for place, element in zip(places, elements, strict=True):
        x = source.numbers.flat[element]
        found[place] = found[place] + factor * x if added else x
    return node.gives(Grid(a.shape, tuple(found)))


@explains(
    "MaskedScatterBackward0",
    general=N_("written where a mask holds: what was written gets G there, what was overwritten 0"),
)
def masked_scatter(node: NodeView) -> Explanation:
    """The elements of the source go, in order, to where the mask holds."""
    a, mask, source = _sources(node)
    places = [at for at, x in enumerate(mask.expand(a.shape).flat) if x]
    shares = _shares(node, a, source, places, list(range(len(places))), added=False)
    name = _("a number") if source is None else source.name
    return Explanation(_("{a} with {name} where the mask holds", a=a.name, name=name), shares)


_NODES = {"copy": "CopyBackwards", "square": "PowBackward0", "truediv": "DivBackward0"}


@explains("CopySlices", general=N_("a part was written to: the rest passes G on, the part what the write makes of it"))
def overwritten_part(node: NodeView) -> Iterator[Explanation]:
    """`h[0, 1] = v` and `h[0].mul_(3)`."""
    if node.op == "setitem":
        yield from _stored(node)
        return
    whole, view, *others, changed = node.operands
    for spot in node.spots:
        for one in _of_write(node, view, others, changed, spot):
            first, *rest = one.shares
            if not isinstance(first, Local):
                continue
            slopes = dict(zip(spot, first.grid.expand(view.shape).flat, strict=True))
            name = first.formula if len(first.formula) <= 24 else _("the derivative")
            said = (
                _("G, but 0 in {view}", view=view.name)
                if name == "0"
                else _("G, but G·{name} in {view}", name=name, view=view.name)
            )
            share = mixed(whole, said, node.incoming, lambda i, slopes=slopes: [(i, slopes.get(i, 1.0))])  # type: ignore[misc]
            yield Explanation(
                _("{whole}, with {equation} in {view}", whole=whole.name, equation=one.equation, view=view.name),
                [share, *(_of_other(node, other, spot, view) for other in rest)],
            )


def _of_write(
    node: NodeView, view: Operand, others: Sequence[Operand], changed: Operand, spot: Sequence[int]
) -> Iterator[Explanation]:
    """What the rule of the write says, by itself."""
    called = "".join(word.capitalize() for word in node.op.strip("_").split("_"))
    names = [_NODES[node.op]] if node.op in _NODES else [f"{called}Backward{number}" for number in range(3)]
    before = Operand(old(view.name), view.shape, view.grid, view.tensor)
    came = Grid(view.shape, tuple(node.incoming.flat[at] for at in spot))
    for name in names:
        rule = RULES.get(name)
        operands = (before, *others)
        try:
            told = None if rule is None else rule(
                NodeView(name, node.op, operands, changed, came, operands, (changed,), False, node.dtype)
            )  # fmt: skip
            yield from [told] if isinstance(told, Explanation) else told or ()
        except (LookupError, ArithmeticError, ValueError, TypeError):
            continue


def _of_other(node: NodeView, share: Local | Product | None, spot: Sequence[int], view: Operand) -> Product | None:
    """What the part's own gradient makes of another operand of the write."""
    if not isinstance(share, Local):
        return None
    target, slopes = share.target, share.grid.expand(view.shape).flat
    rows: list[list[tuple[int, float]]] = [[] for _ in range(count(target.shape))]
    for place, element in enumerate(places_of(target.shape, view.shape)):
        rows[element].append((spot[place], slopes[place]))
    by = "" if share.formula == "1" else f"·{share.formula}"
    return mixed(target, _("G of {view}{by}", view=view.name, by=by), node.incoming, rows.__getitem__)


@explains("IndexPutBackward0",
          general=N_("written to places: what was written gets G from there, what was overwritten 0"))  # fmt: skip
def index_put(node: NodeView) -> Iterator[Explanation]:
    """`h[mask] = v` and `index_put_`."""
    if node.op == "setitem":
        yield from _stored(node)
        return
    whole, *index, value = [one for one in node.operands if one.tensor is not None][-len(node.operands) :]
    index = [one for one in index if one.tensor != whole.tensor]
    columns = [one.numbers for one in index]
    places = []
    for row in zip(*(column.flat for column in columns), strict=True):
        place = 0
        for size, k in zip(whole.shape, row, strict=True):
            place = place * size + int(k) % size
        places.append(place)
    for added in (False, True):
        yield from _written(node, whole, value, places, _("the index"), added=added)


def _stored(node: NodeView) -> Iterator[Explanation]:
    whole, where, value = node.operands
    for spot in node.spots:
        yield from _written(node, whole, value, spot, where.name, added=False)


def _written(
    node: NodeView, whole: Operand, value: Operand, places: Sequence[int], where: str, *, added: bool
) -> Iterator[Explanation]:
    """Each place holds its element of the value, which may stand in several."""
    if len(places) % max(count(value.shape), 1):
        return
    elements = _spread(value, places)
    found = list(whole.numbers.flat)
    for place, element in zip(places, elements, strict=True):
        x = value.numbers.flat[element] if value.grid is not None else node.result.numbers.flat[place]
        found[place] = found[place] + x if added else x
    if not node.gives(Grid(whole.shape, tuple(found))):
        return
    gone = set() if added else set(places)
    said = "G" if added else _("G, but 0 at {where}", where=where)
    share = mixed(whole, said, node.incoming, lambda i: [(i, 0.0 if i in gone else 1.0)])
    back = [-1] * len(node.incoming.flat)
    shares: list[Product | None] = [share]
    if value.tensor is not None and len(set(places)) == len(places):
        for place, element in zip(places, elements, strict=True):
            back[place] = element
        shares.append(routed(value, _("G at {where}", where=where), node.incoming, back))
    elif value.tensor is not None:
        rows: list[list[tuple[int, float]]] = [[] for _ in range(count(value.shape))]
        for place, element in zip(places, elements, strict=True):
            rows[element].append((place, 1.0))
        shares.append(mixed(value, _("G at {where}", where=where), node.incoming, rows.__getitem__))
    told = _("{whole}, with {value} added at {where}") if added else _("{whole}, with {value} stored at {where}")
    yield Explanation(told.format(whole=whole.name, value=value.name, where=where), shares)


def _spread(value: Operand, places: Sequence[int]) -> list[int]:
    """Which element of a value stands at each place: one for all, or one by one, the whole repeated as often as it
    takes."""
    many = max(count(value.shape), 1)
    return [i % many for i in range(len(places))]


@explains(
    "AsStridedBackward0",
    general=N_("a part, seen anew after a write to it: grad(a) = G put back in its place, else 0"),
)
def seen_anew(node: NodeView) -> Iterator[Explanation]:
    """A part is made anew from the whole, after a write to either."""
    whole = node.operands[0]
    for spot in node.spots:
        back = [-1] * len(node.incoming.flat)
        for i, place in enumerate(spot):
            back[i] = place
        start = list(divmod_all(spot[0], whole.shape)) if spot else []
        yield Explanation(
            _("a part of {whole}, from {start} on", whole=whole.name, start=start),
            [routed(whole, _("G put back in its place, else 0"), node.incoming, back)],
        )
