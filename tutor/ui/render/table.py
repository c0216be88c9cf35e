"""Tables that fit: columns shrink, then the least important are dropped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tutor.i18n import _
from tutor.text_width import pad, width
from tutor.ui.render.segments import Piece, Row

SPARE = 8
"""Columns with at least this `goes` are cut and dropped before any other is cut."""
ROOMY = 72
"""From this width on columns are two cells apart, below it one."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its title, translated when drawn.
        minimum: Its least width.
        goes: How soon it is dropped; 0 for never, the greatest number first.
        maximum: Its greatest width.
        usual: Its least width where there is room, so that changing content moves no columns.
        centred: Whether its texts are centred.
        whole: Whether it gets its room before columns that are not.
    """

    title: str
    minimum: int
    goes: int
    maximum: int = 200
    usual: int = 0
    centred: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Cell:
    """The text of a cell. `brief` returns a shorter one for a width in which the text does not fit; where `fills` is
    True, the text for any width. `pieces` returns, for a width, a text in several roles."""

    text: str
    role: str = "plain"
    brief: Callable[[int], str] | None = None
    fills: bool = False
    pieces: Callable[[int], Row] | None = None


@dataclass(frozen=True)
class Fit:
    """The widths of the columns, 0 for a dropped one, and the cells between columns."""

    widths: tuple[int, ...] = ()
    gap: int = 1


def fit_columns(
    columns: Sequence[Column], table: Sequence[Sequence[Cell]], cells: int, idle: Collection[int] = ()
) -> Fit:
    """Return the widths of the columns of a table `cells` wide. `idle` columns are dropped before others are cut."""
    natural = []
    for index, column in enumerate(columns):
        widest = max((width(row[index].text) for row in table), default=0)
        natural.append(min(max(widest, width(_(column.title)), column.usual), column.maximum))
    shown = list(range(len(columns)))
    gap = 2 if cells >= ROOMY else 1
    if sum(natural) + gap * (len(shown) - 1) > cells:
        shown = [index for index in shown if index not in idle]
    spare_columns = sorted((i for i in shown if columns[i].goes >= SPARE), key=lambda i: -columns[i].goes)
    needed = [
        min(wide, column.minimum) if column.goes >= SPARE else wide
        for column, wide in zip(columns, natural, strict=True)
    ]
    for index in spare_columns:
        if sum(needed[i] for i in shown) + gap * (len(shown) - 1) > cells:
            shown.remove(index)
    while True:
        room = cells - gap * (len(shown) - 1)
        narrow = sum(min(natural[index], columns[index].minimum) for index in shown)
        removable = [index for index in shown if columns[index].goes]
        if narrow <= room or not removable:
            break
        shown.remove(max(removable, key=lambda index: columns[index].goes))
    lacking = sum(max(natural[i] - columns[i].minimum, 0) for i in shown if columns[i].whole and not columns[i].goes)
    if narrow + lacking > room:  # a bar only repeats a number: it goes before a name is cut
        shown = [index for index in shown if columns[index].title]
        room = cells - gap * (len(shown) - 1)
    widths = [0] * len(columns)
    for index in shown:
        widths[index] = min(natural[index], columns[index].minimum)
    spare = room - sum(widths)
    while spare > 0:
        growing = [index for index in shown if widths[index] < natural[index]]
        growing = [index for index in growing if columns[index].whole] or growing
        growing = [index for index in growing if columns[index].goes < SPARE] or growing
        if not growing:
            break
        for index in growing[:spare]:
            widths[index] += 1
            spare -= 1
    if spare < 0:  # even what must stay has no room: the last of it is cut
        for index in reversed(shown):
            reduction = min(widths[index] - 1, -spare)
            widths[index] -= reduction
            spare += reduction
    return Fit(tuple(widths), gap)


def line(columns: Sequence[Column], fit: Fit, row: Sequence[Cell]) -> Row:
    """Return a row of the table."""
    pieces: list[Piece] = []
    for column, size, cell in zip(columns, fit.widths, row, strict=True):
        if not size:
            continue
        if pieces:
            pieces.append((" " * fit.gap, "plain"))
        if cell.pieces is not None:
            parts = cell.pieces(size)
            pieces += [*parts, (" " * (size - sum(width(text) for text, _role in parts)), "plain")]
            continue
        text = cell.text
        if cell.brief is not None and (cell.fills or width(text) > size):
            text = cell.brief(size)
        text = pad(text, size)
        stripped = text.rstrip()
        if column.centred and stripped:
            padding = (size - width(stripped)) // 2
            text = " " * padding + stripped + " " * (size - width(stripped) - padding)
            pieces += [(" " * padding, "plain"), (stripped, cell.role), (text[padding + len(stripped) :], "plain")]
            continue
        pieces += [(stripped, cell.role), (text[len(stripped) :], "plain")]
    return tuple(piece for piece in pieces if piece[0])


def header(columns: Sequence[Column], fit: Fit) -> Row:
    """Return the row of titles."""
    return line(columns, fit, [Cell(_(column.title), "quiet strong") for column in columns])
