"""Figures drawn as cells, which are rows of text with colours, and as pictures of pixels: packed for a recording."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from tutor.trace.events import Drawing, Picture

Run: TypeAlias = tuple[str, int, int]
"""Text, ink and ground. A colour is `0xAARRGGBB`, with its opacity first, or one of those below."""
Cells: TypeAlias = Sequence[Sequence[Run]]
"""The rows of a drawing."""
DEFAULT_INK, QUIET_INK, NO_GROUND = -1, -2, -1
"""The screen's own colour of text, that of what is less important, and its ground."""
QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""Characters by the sum of their inked parts: 1 top left, 2 top right, 4 bottom left and 8 bottom right."""
_MAX_LENGTH = 4 << 20
"""Maximum length in bytes of a drawing that is unpacked."""


def pack(columns: int, rows: int, cells: Cells) -> Drawing:
    """Pack rows of cells."""
    from tutor.trace.events import Drawing  # late: every screen has the colours of drawings, and few have drawings

    return Drawing(columns, rows, zlib.compress(msgspec.msgpack.encode(cells), 6))


def unpack(drawing: Drawing) -> Cells:
    """Return the rows of cells. Raises WireError if they are damaged."""
    from tutor.trace.wire import UNREADABLE, WireError, decoder, expand

    try:
        rows: list[list[Run]] = decoder(list[list[Run]])(expand(drawing.packed, _MAX_LENGTH))
    except UNREADABLE as error:
        raise WireError(str(error)) from None
    return rows


def pack_picture(columns: int, rows: int, width: int, height: int, colours: bytes, pixels: bytes) -> Picture:
    """Pack a picture: the number of the colour of each pixel, row by row."""
    from tutor.trace.events import Picture

    return Picture(columns, rows, width, height, colours, zlib.compress(pixels, 6))


def unpack_picture(picture: Picture) -> bytes:
    """Return the numbers of the colours of the pixels, row by row. Raises WireError if they are damaged."""
    from tutor.trace.wire import UNREADABLE, WireError, expand

    try:
        pixels = expand(picture.packed, _MAX_LENGTH)
    except UNREADABLE as error:
        raise WireError(str(error)) from None
    count, beyond = divmod(len(picture.colours), 3)
    if beyond or min(picture.columns, picture.rows, picture.width) < 1 or len(pixels) != picture.width * picture.height:
        raise WireError("a picture of another size")
    if not pixels or max(pixels) >= count:
        raise WireError("a colour that is not there")
    return pixels


Sized = TypeVar("Sized", "Drawing", "Picture")


def largest_that_fits(drawings: Sequence[Sized], columns: int, rows: int) -> Sized | None:
    """Return the largest drawing of at most this size; None if there is none."""
    fitting = [drawing for drawing in drawings if drawing.columns <= columns and drawing.rows <= rows]
    return max(fitting, key=lambda drawing: drawing.columns * drawing.rows, default=None)
