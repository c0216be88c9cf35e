"""Rows of a matplotlib figure that was drawn as cells, in the colours and characters of the terminal."""

from __future__ import annotations

from tutor.text_width import width
from tutor.trace.drawings import NO_GROUND, QUADRANTS, Cells
from tutor.ui.render.segments import Glyphs, Piece, Row

_MARKERS = "*+xo#%@"
"""For dots of the first, second, … colour, where colours do not tell them apart."""
_SHADES, _ASCII_SHADES = " ░▒▓█", " .:*#"
_LEFT_DOTS = 0x47
_ROWS_OF_DOTS = (0x09, 0x12, 0x24, 0xC0)


def drawing_rows(cells: Cells, cells_wide: int, glyphs: Glyphs, *, shades: bool, mono: bool, dark: bool) -> list[Row]:
    """Return the rows of a drawing.

    Args:
        cells: The drawing.
        cells_wide: The width that it is centred in.
        glyphs: The characters of the terminal.
        shades: Whether the terminal has enough colours for areas.
        mono: Whether it has none.
        dark: Whether its ground is dark.
    """
    inks = dict.fromkeys(ink for row in cells for text, ink, _ground in row if ink >= 0 and _has_dots(text))
    by_marker = glyphs.ascii or (mono and len(inks) > 1)
    marker_of = {ink: _MARKERS[place % len(_MARKERS)] for place, ink in enumerate(inks)} if by_marker else {}
    columns = max((sum(width(text) for text, _, _ in row) for row in cells), default=0)
    margin: tuple[Piece, ...] = ((" " * ((cells_wide - columns) // 2), "plain"),) if columns < cells_wide else ()
    rows: list[Row] = []
    for row in cells:
        pieces: list[Piece] = [*margin]
        for text, ink, ground in row:
            if by_marker and _has_dots(text):
                text = "".join(_without_dots(char, marker_of.get(ink, "")) for char in text)
            if not shades or glyphs.ascii:
                text = "".join(_shaded(char, ink, ground, dark, glyphs.ascii) for char in text)
            kind = "area" if any(char in QUADRANTS for char in text.strip()) else "drawn"
            pieces.append((glyphs.text(text), f"{kind}:{ink}:{ground if shades else NO_GROUND}"))
        rows.append(tuple(pieces))
    return rows


def _has_dots(text: str) -> bool:
    return any("\u2800" < char <= "\u28ff" for char in text)


def _without_dots(char: str, marker: str) -> str:
    """Return the marker for a braille character; without one, a character of a frame."""
    dots = ord(char) - 0x2800
    if not 0 < dots < 256:
        return char
    if marker:
        return marker
    is_across = any(not dots & ~row for row in _ROWS_OF_DOTS)
    is_down = not dots & _LEFT_DOTS or not dots & ~_LEFT_DOTS
    return "-" if is_across else "|" if is_down else "+"


def _shaded(char: str, ink: int, ground: int, dark: bool, ascii_only: bool) -> str:
    """Return the character of a cell without grounds: a shade for an area."""
    if char not in QUADRANTS:
        return char
    share = QUADRANTS.index(char).bit_count() / 4
    if not ascii_only and ground == NO_GROUND and 0 < share < 1:
        return char
    amount = share * _darkness(ink, dark) + (1 - share) * _darkness(ground, dark) if share else _darkness(ground, dark)
    return (_ASCII_SHADES if ascii_only else _SHADES)[round(4 * amount)]


def _darkness(colour: int, dark: bool) -> float:
    """Return how much a colour differs from the ground of the terminal, from 0 to 1."""
    if colour < 0:
        return 0.0
    light = (0.3 * (colour >> 16 & 255) + 0.6 * (colour >> 8 & 255) + 0.1 * (colour & 255)) / 255
    return (colour >> 24 & 255) / 255 * (0.15 + 0.85 * (light if dark else 1 - light))
