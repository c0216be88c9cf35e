"""Lines of a sheet that say what happened at a step, and lead there."""

from __future__ import annotations

from collections.abc import Sequence

from tutor.i18n import _
from tutor.trace.operands import op_output
from tutor.trace.timeline import Timeline
from tutor.ui.about.page import Page
from tutor.ui.draw.row import Piece, clean

FIRST = 4
"""So many are shown, and the last one."""


def place(timeline: Timeline, step: int) -> list[Piece]:
    """`step 9 · line 6 · x + w → a`"""
    view = timeline.view(step)
    pieces: list[Piece] = [(_("step {number}", number=step), "strong")]
    if view.line is not None:
        pieces.append((" · " + _("line {number}", number=view.line), "quiet"))
    site = view.site
    text = " ".join((view.code or "").split())
    if site is not None and view.kind == "op" and site.depth and site.parent:
        text = _("{operation}, in {code}", operation=site.parent, code=text) if text else site.parent
    if text:
        pieces += [(" · ", "quiet"), (clean(text), "code")]
    made = op_output(timeline, step) if view.kind == "op" else None
    if made:
        pieces += [(" → ", "quiet"), (clean(made), "value")]
    return pieces


def leads(page: Page, timeline: Timeline, label: str, steps: Sequence[int]) -> None:
    """A line for the first of these steps, and the last; between them how many there are."""
    most = FIRST + 2
    shown = list(steps) if len(steps) <= most else [*steps[:FIRST]]
    for at, step in enumerate(shown):
        page.lead("" if at else label, step, place(timeline, step))
    if len(steps) > most:
        page.fact("", _("{more} {count:,} more {more}", more=page.glyphs.more, count=len(steps) - FIRST - 1), "quiet")
        page.lead("", steps[-1], place(timeline, steps[-1]))
