"""A row of the screen: pieces of text, each with a role that says what it means, never how it looks."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from rich.cells import cell_len, get_character_cell_size

Piece: TypeAlias = tuple[str, str]
"""Text and its roles, separated by spaces: `"grad strong"`."""
Row: TypeAlias = tuple[Piece, ...]

EMPTY: Row = ()
TAB = "    "


def width(text: str) -> int:
    """How many cells the text takes: Chinese takes two each."""
    return cell_len(text)


def row_width(row: Iterable[Piece]) -> int:
    return sum(cell_len(text) for text, _ in row)


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


def cut(text: str, cells: int, more: str = "…") -> str:
    """The text in at most so many cells; what is cut off is marked."""
    if len(text) <= cells and text.isascii():
        return text
    if cell_len(text) <= cells:
        return text
    room = cells - cell_len(more)
    if room < 0:
        return more[:cells]
    taken = 0
    for at, char in enumerate(text):
        taken += get_character_cell_size(char)
        if taken > room:
            return text[:at] + more
    return text


def pad(text: str, cells: int) -> str:
    """The text cut or filled to exactly so many cells."""
    text = cut(text, cells)
    return text + " " * (cells - cell_len(text))


def right(text: str, cells: int) -> str:
    """As `pad`, at the right end."""
    text = cut(text, cells)
    return " " * (cells - cell_len(text)) + text


def fit(row: Row, cells: int, role: str = "plain", more: str = "…") -> Row:
    """The row cut or filled to exactly so many cells."""
    taken = 0
    out: list[Piece] = []
    for text, roles in row:
        size = cell_len(text)
        if taken + size > cells:
            while out and taken == cells:  # the mark of the cut takes the last cell
                text, roles = out.pop()
                taken -= cell_len(text)
                text += more
            piece = cut(text, cells - taken, more)
            out.append((piece, roles))
            taken += cell_len(piece)
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
        start += cell_len(a[0])
    ends = [row_width(old), row_width(new)]
    if ends[0] != ends[1]:
        return start, max(ends)
    end = ends[0]
    for a, b in zip(reversed(old), reversed(new), strict=False):
        if a != b:
            break
        end -= cell_len(a[0])
    return start, max(end, start + 1)


def wrapped(pieces: Iterable[Piece], cells: int) -> list[Row]:
    """Pieces of running text broken into rows at spaces; a word longer than a row is broken where the row ends."""
    rows: list[Row] = []
    line: list[Piece] = []
    taken = 0

    def end_line() -> None:
        nonlocal taken
        while line and line[-1][0].isspace():
            line.pop()
        rows.append(tuple(line))
        line.clear()
        taken = 0

    for word in _words(pieces):
        size = row_width(word)
        if word[0][0] == "\n":
            end_line()
            continue
        if taken + size > cells and taken and not word[0][0].isspace():
            end_line()
        for text, roles in word:
            while taken + cell_len(text) > cells and not text.isspace():
                head = cut(text, cells - taken, "")
                if not head and not taken:
                    head = text[0]
                if head:
                    line.append((head, roles))
                text = text[len(head) :]
                end_line()
            if text and (taken or not text.isspace()) and taken + cell_len(text) <= cells:
                line.append((text, roles))
                taken += cell_len(text)
    if line:
        end_line()
    return rows


_CLOSING = "，。、；：？！）」』》”’"
_OPENING = "（「『《“‘"


def _words(pieces: Iterable[Piece]) -> Iterable[list[Piece]]:
    """Words (over the borders of pieces), runs of spaces, line ends, and wide characters, which break anywhere.

    What closes stays with what is before it, and what opens with what follows.
    """
    word: list[Piece] = []
    wide_before = False
    for text, roles in pieces:
        start = 0
        for at, char in enumerate(text):
            wide = ord(char) > 0x2E7F and get_character_cell_size(char) == 2
            if char not in " \n" and not wide:
                if wide_before and at == start and char not in _CLOSING and word[-1][0][-1] not in _OPENING:
                    yield word
                    word, wide_before = [], False
                continue
            if text[start:at]:
                word.append((text[start:at], roles))
            start = at + 1
            if word and not (wide and (char in _CLOSING or word[-1][0][-1] in _OPENING)):
                yield word
                word = []
            word.append((char, roles))
            wide_before = wide
            if not wide:
                yield word
                word = []
        if text[start:]:
            word.append((text[start:], roles))
            wide_before = False
    if word:
        yield word
