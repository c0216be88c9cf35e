"""The output pane: what the program printed, as text that no terminal obeys, and what Python warned of."""

from __future__ import annotations

import re
from bisect import bisect_right

from tutor.i18n import N_, _, current_language
from tutor.text_width import cut, wrapped
from tutor.trace import events as ev
from tutor.trace.timeline import Timeline
from tutor.ui.draw.row import Row, clean
from tutor.ui.panes.pane import Pane
from tutor.ui.printed import ROLES, after, lead_of, told

_COLOURS = re.compile("\x1b\\[[0-9;]*m")
"""What colours text: the chart draws figures anew, so here their characters do."""


class OutputPane(Pane):
    """Printed text up to the cursor; the end of it is in view."""

    NAME = N_("output")

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._key: object = None
        self._grew = False
        self._cut = False
        self._before = self._here = 0

    def prepare(self) -> None:
        timeline = self.timeline
        if timeline is None:
            return
        warned = bisect_right(timeline.asides, self.cursor, key=lambda aside: aside.step)
        printed = bisect_right(timeline.contents.printed, self.cursor, key=lambda part: part.step)
        key = (timeline, printed, warned, self.inner, current_language())
        self._grew = key != self._key
        if not self._grew:
            return
        self._key = key
        self._rows = []
        draws = timeline.state(self.cursor).figures > 0
        parts, self._cut = told(timeline, -1, self.cursor)
        for stream, text in parts:
            role, lead = ROLES.get(stream, "plain"), lead_of(stream)
            for line in text.split("\n"):
                # A bare carriage return writes over the line, as progress bars do.
                line = line.rstrip("\r").rpartition("\r")[2]
                if draws:
                    line = _COLOURS.sub("", line)
                shown = clean(cut(line.expandtabs(8), self.inner * 20, self.glyphs.more))
                self._rows += wrapped([(lead, f"{role} strong"), (shown, role)], self.inner) or [()]

    def news(self, timeline: Timeline, cursor: int) -> int:
        """How many lines were printed, and how often it warned, on the way from where the learner stood before."""
        if cursor != self._here:
            self._before, self._here = self._here, cursor
        text = "".join(part.text for part in after(timeline.contents.printed, self._before, cursor))
        warned = sum(isinstance(aside.event, ev.Warned) for aside in after(timeline.asides, self._before, cursor))
        return text.count("\n") + (text[-1:] not in ("", "\n")) + warned

    def heading(self) -> Row:
        return ((_("the end of it; there was more"), "note"),) if self._cut else ()

    def count(self) -> int:
        return max(len(self._rows), 1)

    def row(self, index: int, cells: int) -> Row:
        return self._rows[index] if self._rows else ((_("nothing printed yet"), "note"),)

    def in_view(self) -> int | None:
        return len(self._rows) - 1 if self._grew and self._rows else None
