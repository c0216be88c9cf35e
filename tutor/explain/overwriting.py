"""Derivatives of writes to a part of a tensor: the rest passes its gradient on, the part what the write makes of it.

Source: https://pytorch.org/docs/stable/notes/autograd.html (*In-place operations with autograd*), and
`torch/csrc/autograd/functions/tensor.cpp` in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tutor.explain.grid import Grid, count, places_of
from tutor.explain.indexing import divmod_all
from tutor.explain.operands import old
from tutor.explain.rules import RULES, Explanation, Local, NodeView, Operand, Product, explains, mixed, routed
from tutor.i18n import N_, _

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
