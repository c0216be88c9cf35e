"""The figure that the program itself had drawn last, at the cursor."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from tutor.i18n import _, current_language
from tutor.trace.events import Figure
from tutor.trace.timeline import Timeline
from tutor.ui.draw import figure
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.row import Row

if TYPE_CHECKING:
    from tutor.ui.panes.pane import Pane


class Figures:
    """Finds and draws it; what was drawn last is kept."""

    def __init__(self) -> None:
        self._timeline: Timeline | None = None
        self._looked = 0
        self._steps: list[int] = []
        self._all: list[Figure] = []
        self._at = 0
        self._drawn: tuple[object, list[Row], str] | None = None

    def _read(self, timeline: Timeline) -> None:
        if timeline is not self._timeline:
            self._timeline, self._looked, self._steps, self._all, self._drawn = timeline, 0, [], [], None
        for aside in timeline.asides[self._looked :]:
            if isinstance(aside.event, Figure):
                self._steps.append(aside.step)
                self._all.append(aside.event)
        self._looked = len(timeline.asides)

    def any(self, timeline: Timeline | None) -> bool:
        """Whether the program draws at all."""
        if timeline is not None:
            self._read(timeline)
        return bool(self._all)

    def find(self, timeline: Timeline, step: int) -> bool:
        """Look for the last one up to a step; whether there is one."""
        self._read(timeline)
        self._at = bisect_right(self._steps, step)
        return self._at > 0

    def rows(self, pane: Pane) -> list[Row]:
        """The one that was found, in the room that the pane has."""
        height = pane.size.height - 2
        if height < 5 or pane.inner < 16:
            return [((_("there is no room for the figure"), "note"),)]
        key = (self._timeline, self._at, height, pane.inner, pane.glyphs.ascii, pane.app.no_color, current_language())
        if self._drawn is None or self._drawn[0] != key:
            one = self._all[self._at - 1]
            rows, left_out = figure.figure_rows(one, pane.inner, height, pane.glyphs.ascii, not pane.app.no_color)
            self._drawn = key, rows, left_out
        return self._drawn[1]

    def title(self, glyphs: Glyphs) -> Row:
        """Which of how many it is, and what of it could not be drawn."""
        said: Row = ((_("figure {number} of {count}", number=self._at, count=len(self._all)), "value"),)
        left_out = self._drawn[2] if self._drawn is not None else ""
        return (*said, (f" {glyphs.dot} {left_out}", "error")) if left_out else said
