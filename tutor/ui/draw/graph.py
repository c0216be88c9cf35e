"""The graph as rows: lanes, what each node does, what it made, and the gradient that reached it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tutor.i18n import _
from tutor.text_width import cut, pad, width
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.lanes import Lanes, draw
from tutor.ui.draw.row import Piece, Row
from tutor.ui.draw.shortening import shortened_path

LEAF = "AccumulateGrad"


@dataclass(frozen=True)
class NodeRow:
    """What is shown of one node."""

    node: int
    label: str
    name: str
    value: str
    grad: str = ""
    """What reached it in this pass; empty before."""
    parts: str = ""
    """The shares of its consumers, where there are several."""
    kind: str = "op"
    """leaf, op, constant, input (a tensor without gradient), module (many operations as one), or heading (a line of
    text above the second graph: it has no edges)."""
    freed: bool = False
    now: bool = False
    new: bool = False
    """Its gradient changed in this step."""
    code: str = ""
    """What made it, where it has no name."""
    linked: bool = False
    """It belongs to what is marked in another pane."""


@dataclass(frozen=True)
class Edge:
    """One edge of the graph: `to` was computed from `source`; the gradient flows the other way."""

    source: int
    to: int
    share: str = ""
    """What `to` sent to `source` in this pass, once it has and where `source` has several consumers."""
    times: int = 1
    """How often `source` is an input of `to`: twice in `x * x`."""


@dataclass(frozen=True)
class Graph:
    """The graph as it is to be drawn at one step. Rows are made when they are asked for: there may be 10,000."""

    nodes: Sequence[int]
    """In drawing order: inputs before what is computed from them. As long as this is the same list, there are the same
    edges in the same order; only their shares may change."""
    edges: Sequence[Edge]
    row: Callable[[int], NodeRow]
    fitted: Callable[[NodeRow, int, int], NodeRow]
    """The row with its value and its gradient said in so many cells each, as far as that goes."""
    now: int | None = None
    apart: bool = False
    """Whether it is several graphs with headings above them, which only lanes have room for."""


def label_of(name: str) -> str:
    """What a node's name says in the words of the code: `AddBackward0` is add, `MseLossBackward0` mse_loss."""
    return _("leaf") if name.endswith(LEAF) else _operation(name)


@lru_cache(512)
def _operation(name: str) -> str:
    short = re.sub(r"Backward\d*$", "", name.rpartition("::")[2])
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", short).lower() or name


@dataclass(frozen=True)
class Measures:
    """How wide each part of a row is."""

    lanes: int
    step: int
    first: int
    label: int
    name: int
    value: int
    grad: int
    roomy: bool


Widest = tuple[int, int, int, int]
"""How wide are the widest label, name, name or code, and value."""


def widest(rows: Iterable[NodeRow], before: Widest = (0, 0, 0, 0)) -> Widest:
    """How wide the parts of these rows are, if not narrower than before."""
    label, name, code, value = before
    for row in rows:
        label = max(label, width(row.label) if row.kind != "heading" else 0)
        name = max(name, width(row.name))
        code = max(code, width(row.name or row.code))
        value = max(value, width(row.value))
    return label, name, code, value


def measure(parts: Widest, lanes: Lanes, cells: int, centre: int = 0) -> Measures:
    """Widths for rows with parts so wide, steady while values change. `centre`: a lane that must be in view."""
    roomy = cells >= 44
    step = 2 if lanes.count * 2 <= max(cells * 45 // 100, 6) else 1
    shown = min(lanes.count, max(cells * 45 // 100, 6) // step)
    first = max(0, min(centre - shown // 2, lanes.count - shown))
    label = max(min(parts[0], 14 if roomy else 8), 4)
    # What has no name is called by its code, where there is room for that.
    name = max(min(parts[2], 18) if roomy else min(parts[1], 9), 1)
    rest = cells - shown * step - 1 - label - name - (8 if roomy else 5)
    value = max(min(max(parts[3], 6), rest // 2), 4)
    return Measures(shown, step, first, label, name, value, max(rest - value, 4), roomy)


def mark_of(row: NodeRow, glyphs: Glyphs) -> str:
    """What stands for a node: its shape says what it is."""
    match row.kind:
        case "leaf":
            return glyphs.leaf
        case "input" | "constant":
            return glyphs.given
        case "module":
            return glyphs.freed_module if row.freed else glyphs.module
        case "heading":
            return " "
        case _:
            return glyphs.freed if row.freed else glyphs.op


def line(row: NodeRow, lanes: Lanes, index: int, sizes: Measures, glyphs: Glyphs) -> Row:
    """One node."""
    leaf, given = row.kind == "leaf", row.kind in ("constant", "input")
    mark = mark_of(row, glyphs)
    drawn = draw(lanes.row(index, sizes.first, sizes.lanes), mark, sizes.first, sizes.lanes, sizes.step, glyphs)
    kind = "leaf" if leaf else "quiet" if given else "op"
    pieces: list[Piece] = []
    if row.kind == "heading":
        return ((drawn, "quiet"), (" " + row.label, "note"))
    for text, role in _coloured_lanes(drawn, mark, kind, row.freed and not leaf):
        pieces.append((text, role))
    pieces.append((glyphs.now, "now") if row.now else (glyphs.linked if row.linked else " ", "linked"))
    label = pad(row.label, sizes.label)
    pieces.append((label, "here" if row.now else f"{kind} quiet" if row.freed and not leaf else kind))
    gap = "  " if sizes.roomy else " "
    pieces += [(gap, "plain"), _named(row, sizes.name), (gap, "plain")]
    if sizes.roomy:
        pieces.append(("= ", "quiet"))
    pieces += [
        (pad(row.value, sizes.value), "quiet" if given else "plain"),
        (gap, "plain"),
    ]
    if given:
        return tuple(pieces)
    pieces += [
        (glyphs.grad + " ", "grad" if row.grad else "quiet"),
    ]
    if not row.grad:
        pieces.append((glyphs.none, "quiet"))
        return tuple(pieces)
    room = sizes.grad
    grad = cut(row.grad, room)
    pieces.append((grad, "grad changed" if row.new else "grad"))
    room -= width(grad)
    if row.parts and width(row.parts) + 3 <= room:
        pieces += [(" = ", "quiet"), (row.parts, "grad")]
        room -= width(row.parts) + 3
    if row.new and room >= 3:
        pieces.append((f" {glyphs.new}" + (f" {_('new')}" if room >= 6 else ""), "grad"))
    return tuple(pieces)


def _named(row: NodeRow, cells: int) -> Piece:
    if not row.name:
        return pad(row.code, cells), "quiet"
    name = shortened_path(row.name, cells) if row.kind == "leaf" else row.name
    return pad(name, cells), "quiet" if row.kind in ("constant", "input") else "strong"


def _coloured_lanes(drawn: str, mark: str, kind: str, freed: bool) -> list[Piece]:
    """The lanes are quiet, the node in them has its colour."""
    at = drawn.find(mark)
    if at < 0:
        return [(drawn, "quiet")]
    pieces = [(drawn[:at], "quiet"), (mark, "quiet" if freed else kind), (drawn[at + 1 :], "quiet")]
    return [piece for piece in pieces if piece[0]]
