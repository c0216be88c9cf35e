"""A sentence in the language of the interface, in pieces: what stands in its blanks has a role of its own."""

from __future__ import annotations

from string import Formatter

from tutor.i18n import _
from tutor.ui.draw.row import Piece, clean


def phrase(text: str, role: str = "quiet", /, **values: Piece | str | int) -> list[Piece]:
    """`phrase("back at step {step}", step=("9", "value"))`: the pieces in the order of the language."""
    found: list[Piece] = []
    for before, name, spec, _conversion in Formatter().parse(_(text)):
        if before:
            found.append((before, role))
        if name:
            value = values[name]
            found.append(value if isinstance(value, tuple) else (format(value, spec or ""), role))
    return found


def ticked(text: str, role: str) -> list[Piece]:
    """What a lesson says, where it is no prose; `code` in backticks stands out without them."""
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return [(clean(text), role)]
    return [(part, f"{role} strong" if at % 2 else role) for at, part in enumerate(parts) if part]
