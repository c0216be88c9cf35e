"""The help screen: keys and marks, from the same data that binds them."""

from __future__ import annotations

from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.row import EMPTY, Row, pad
from tutor.ui.keys import KEYS
from tutor.ui.screens.sheet import Sheet


def help_sheet() -> Sheet:
    """What the keys do, and what the marks mean."""
    return Sheet("help", _rows)


def _rows(cells: int, glyphs: Glyphs) -> list[Row]:
    intro = "You walk through a recording of the program: forward, back, to any point. Nothing is run again."
    rows: list[Row] = [((intro, "note"),), EMPTY, (("keys", "heading"),)]
    rows += [((pad("  " + key.shown, 15), "key"), (key.about, "plain")) for key in KEYS]
    rows += [((pad("  t", 15), "key"), ("here: light or dark", "plain")), EMPTY, (("marks", "heading"),)]
    marks = [
        (glyphs.leaf, "leaf", "a leaf: a tensor that was made, not computed"),
        (glyphs.op, "op", "an operation"),
        (glyphs.freed, "quiet", "an operation whose saved values are gone: no second backward pass through it"),
        (glyphs.grad, "grad", "the gradient that reached it in this pass"),
        ("(2.)", "grad", "a gradient that passes through; the tensor does not keep it"),
        (glyphs.yes, "plain", "requires a gradient"),
        (glyphs.now, "now", "what is now"),
        (glyphs.caller, "now", "a call that waits for its end"),
        (glyphs.explain, "now", "this row changed in this step; the cells that did are underlined"),
        (f"{glyphs.new} new", "grad", "a gradient that this step brought"),
    ]
    rows += [((pad("  " + mark, 15), role), (text, "plain")) for mark, role, text in marks]
    return rows
