"""Figures drawn as cells: rows of text with colours, packed for a recording."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from tutor.trace.events import Drawing

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


def largest_that_fits(drawings: Sequence[Drawing], columns: int, rows: int) -> Drawing | None:
    """Return the largest drawing of at most this size; None if there is none."""
    fitting = [drawing for drawing in drawings if drawing.columns <= columns and drawing.rows <= rows]
    return max(fitting, key=lambda drawing: drawing.columns * drawing.rows, default=None)
