"""A table that fits: columns shrink, then go, the least important first, and what matters most never does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tutor.i18n import _
from tutor.text_width import pad, width
from tutor.ui.render.segments import Piece, Row

SPARE, _AMPLE = 8, 14
"""Columns that go as soon as that leave first, so that each that stays has so many cells."""
ROOMY = 72
"""From so many cells on two stand between columns, below one."""


@dataclass(frozen=True)
class Column:
    """A column: its title, how narrow it may get, and how soon it goes (0: never).

    `usual` is how wide it is at least where there is room: what comes and goes moves nothing.
    """

    title: str
    minimum: int
    goes: int
    maximum: int = 200
    usual: int = 0
    centred: bool = False


@dataclass(frozen=True)
class Cell:
    """What stands in one place; where the text has no room, what `brief` makes of it for so many cells."""

    text: str
    role: str = "plain"
    brief: Callable[[int], str] | None = None


@dataclass(frozen=True)
class Fit:
    """How wide each column is (0: it had to go), and the cells between."""

    widths: tuple[int, ...] = ()
    gap: int = 1


def fitted(columns: Sequence[Column], table: Sequence[Sequence[Cell]], cells: int, idle: Collection[int] = ()) -> Fit:
    """The widths of the columns in a table of so many cells. Columns that are `idle` go before any other is cut."""
    natural = []
    for place, column in enumerate(columns):
        widest = max((width(row[place].text) for row in table), default=0)
        natural.append(min(max(widest, width(_(column.title)), column.usual), column.maximum))
    kept = list(range(len(columns)))
    gap = 2 if cells >= ROOMY else 1
    if sum(natural) + gap * (len(kept) - 1) > cells:
        kept = [place for place in kept if place not in idle]
    ample = [
        min(size, column.minimum if column.goes else _AMPLE) for size, column in zip(natural, columns, strict=True)
    ]
    if sum(ample) + gap * (len(kept) - 1) > cells:
        kept = [place for place in kept if columns[place].goes < SPARE]
    while True:
        room = cells - gap * (len(kept) - 1)
        narrow = sum(min(natural[place], columns[place].minimum) for place in kept)
        leaving = [place for place in kept if columns[place].goes]
        if narrow <= room or not leaving:
            break
        kept.remove(max(leaving, key=lambda place: columns[place].goes))
    widths = [0] * len(columns)
    for place in kept:
        widths[place] = min(natural[place], columns[place].minimum)
    spare = room - sum(widths)
    while spare > 0:
        wanting = [place for place in kept if widths[place] < natural[place]]
        if not wanting:
            break
        for place in wanting[:spare]:
            widths[place] += 1
            spare -= 1
    if spare < 0:  # even what must stay has no room: the last of it is cut
        for place in reversed(kept):
            less = min(widths[place] - 1, -spare)
            widths[place] -= less
            spare += less
    return Fit(tuple(widths), gap)


def line(columns: Sequence[Column], fit: Fit, row: Sequence[Cell]) -> Row:
    """One row of the table."""
    pieces: list[Piece] = []
    for column, size, cell in zip(columns, fit.widths, row, strict=True):
        if not size:
            continue
        if pieces:
            pieces.append((" " * fit.gap, "plain"))
        text = cell.text
        if cell.brief is not None and width(text) > size:
            text = cell.brief(size)
        text = pad(text, size)
        shown = text.rstrip()
        if column.centred and shown:
            before = (size - width(shown)) // 2
            text = " " * before + shown + " " * (size - width(shown) - before)
            pieces += [(" " * before, "plain"), (shown, cell.role), (text[before + len(shown) :], "plain")]
            continue
        pieces += [(shown, cell.role), (text[len(shown) :], "plain")]
    return tuple(piece for piece in pieces if piece[0])


def header(columns: Sequence[Column], fit: Fit) -> Row:
    """The titles."""
    return line(columns, fit, [Cell(_(column.title), "quiet strong") for column in columns])
