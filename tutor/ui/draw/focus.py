"""One node, what it was computed from and who uses it, as boxes: small enough for any pane and any graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tutor.i18n import ngettext
from tutor.ui.draw.boxes import Note, Picture, Shape, picture
from tutor.ui.draw.graph import Edge
from tutor.ui.draw.layers import arrange

_USES = 3
"""How many consumers are shown."""


class Around:
    """Which edges lead to each node and which from it, by their places in the list."""

    def __init__(self, edges: Sequence[Edge]) -> None:
        self.into: dict[int, list[int]] = {}
        self.out: dict[int, list[int]] = {}
        for place, edge in enumerate(edges):
            self.into.setdefault(edge.to, []).append(place)
            self.out.setdefault(edge.source, []).append(place)


def focus(node: int, edges: Sequence[Edge], around: Around, cells: int, page: int) -> Picture | None:
    """The boxes around a node, for so many cells and rows. What there is no room for is counted beside it."""
    into, out = around.into.get(node, ()), around.out.get(node, ())
    inputs = list(dict.fromkeys(edges[place].source for place in into))
    users = list(dict.fromkeys(edges[place].to for place in out))
    for abreast in range(min(max(len(inputs), 1), 9), 0, -1):
        found = _around(node, inputs[:abreast], users[:_USES], (into, out), edges, cells, page)
        if found is not None and (abreast == 1 or (found.width <= cells and found.height <= page)):
            return _noted(found, node, len(inputs[abreast:]), len(users[_USES:]))
    return None


def _around(
    node: int,
    inputs: Sequence[int],
    users: Sequence[int],
    around: tuple[Sequence[int], Sequence[int]],
    edges: Sequence[Edge],
    cells: int,
    page: int,
) -> Picture | None:
    """The picture of a node with these inputs and consumers: with high boxes where there is room for them."""
    into, out = around
    shown = [place for place in into if edges[place].source in inputs] + [
        place for place in out if edges[place].to in users
    ]
    pairs = [(edges[place].source, edges[place].to) for place in shown]
    layers = arrange([*inputs, node, *users], pairs)
    abreast = max(len(inputs), len(users), 2)
    width = max(min((cells - (abreast - 1)) // abreast, 25), 11)
    for height in (3, 2):
        found = picture(layers, pairs, Shape(width - 1 + width % 2, 1, height))
        if found is None or found.height <= page or height == 2:
            break
    if found is None:
        return None
    arrows = [[arrow._replace(edge=shown[arrow.edge]) for arrow in row] for row in found.arrows]
    return replace(found, arrows=arrows)


def _noted(found: Picture, node: int, inputs: int, users: int) -> Picture:
    """The picture with a word on how many there is no room for."""
    box = found.boxes[node]
    words = [ngettext("+{count} input", "+{count} inputs", inputs)] if inputs else []
    words += [ngettext("+{count} use", "+{count} uses", users)] if users else []
    notes = tuple(Note(0, box.y + line, box.x - 1, word) for line, word in enumerate(words))
    return replace(found, notes=notes)
