"""Derivatives of what writes a tensor's elements to places of another, by an index: what was overwritten gets nothing,
what was written gets what arrives at its places.

Source: https://pytorch.org/docs/stable/torch.html (*Indexing, Slicing, Joining*), and `tools/autograd/derivatives.yaml`
in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tutor.explain.choosing import along
from tutor.explain.grid import Grid, count
from tutor.explain.rules import Explanation, Local, NodeView, Operand, Product, explains, mixed
from tutor.explain.shapes import strides, walk
from tutor.i18n import N_, _

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
