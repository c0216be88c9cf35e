"""A row of the screen: pieces of text, each with a role that says what it means, never how it looks."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from tutor.text_width import cut, width

Piece: TypeAlias = tuple[str, str]
"""Text and its roles, separated by spaces: `"grad strong"`."""
Row: TypeAlias = tuple[Piece, ...]

EMPTY: Row = ()
TAB = "    "


def row_width(row: Iterable[Piece]) -> int:
    return sum(width(text) for text, _ in row)


def clean(text: str) -> str:
    """The text without anything that a terminal would obey: a control character is shown as a picture of itself.

    As many characters come out as went in, so that columns stay what they are; a tab stays a tab.
    """
    return text if text.isprintable() else "".join(map(_harmless, text))


@lru_cache(4096)
def _harmless(char: str) -> str:
    if char == "\t" or char.isprintable():
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    # Spaces of other kinds; a lone surrogate cannot be written at all; what turns text around is dropped.
    category = unicodedata.category(char)
    return " " if category.startswith("Z") else "·" if category == "Cf" else "�"


def harmless(row: Row) -> Row:
    """The row as `clean` leaves its texts, and without tabs: whatever a recording says, this is where it is drawn."""
    if all(text.isprintable() for text, _ in row):
        return row
    return tuple((clean(text).replace("\t", " "), roles) for text, roles in row)


def fit(row: Row, cells: int, role: str = "plain", more: str = "…") -> Row:
    """The row cut or filled to exactly so many cells."""
    taken = 0
    out: list[Piece] = []
    for text, roles in row:
        size = width(text)
        if taken + size > cells:
            while out and taken == cells:  # the mark of the cut takes the last cell
                text, roles = out.pop()
                taken -= width(text)
                text += more
            piece = cut(text, cells - taken, more)
            out.append((piece, roles))
            taken += width(piece)
            break
        out.append((text, roles))
        taken += size
    if taken < cells:
        out.append((" " * (cells - taken), role))
    return tuple(piece for piece in out if piece[0])


def tinted(row: Row, role: str) -> Row:
    """The row with one more role on each piece."""
    return tuple((text, f"{roles} {role}") for text, roles in row)


def difference(old: Row, new: Row) -> tuple[int, int] | None:
    """The columns in which two rows differ, first and last (exclusive); None where they are the same.

    It looks at whole pieces, which is exact enough to send little to the terminal.
    """
    if old == new:
        return None
    start = 0
    for a, b in zip(old, new, strict=False):
        if a != b:
            break
        start += width(a[0])
    ends = [row_width(old), row_width(new)]
    if ends[0] != ends[1]:
        return start, max(ends)
    end = ends[0]
    for a, b in zip(reversed(old), reversed(new), strict=False):
        if a != b:
            break
        end -= width(a[0])
    return start, max(end, start + 1)
