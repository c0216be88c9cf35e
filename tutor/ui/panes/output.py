"""The output pane: what the program printed, as text that no terminal obeys, and what Python warned of."""

from __future__ import annotations

import re
from bisect import bisect_right

from tutor.language import later, now, tr
from tutor.trace import events as ev
from tutor.ui.draw.row import Row, clean, cut, wrapped
from tutor.ui.panes.pane import Pane

_KEPT = 200_000
"""Characters: of more than this, the end is shown."""
_WARNINGS = 1_000
"""So many of the last warnings are shown."""
_ROLES = {"stdout": "plain", "stderr": "grad", "warning": "grad"}
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
"""What colours text: the chart draws figures anew, so here their characters do."""


class OutputPane(Pane):
    """Printed text up to the cursor; the end of it is in view."""

    NAME = later("output")

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._key: object = None
        self._grew = False
        self._cut = False

    def prepare(self) -> None:
        timeline = self.timeline
        if timeline is None:
            return
        warned = bisect_right(timeline.asides, self.cursor, key=lambda aside: aside.step)
        printed = bisect_right(timeline.contents.printed, self.cursor, key=lambda part: part.step)
        key = (timeline, printed, warned, self.inner, now())
        self._grew = key != self._key
        if not self._grew:
            return
        self._key = key
        self._rows = []
        draws = timeline.state(self.cursor).figures > 0
        for stream, text in self._parts(printed, warned):
            role = _ROLES.get(stream, "plain")
            lead = "" if stream == "stdout" else "! " if stream == "stderr" else tr("warning: ")
            for line in text.split("\n"):
                # A bare carriage return writes over the line, as progress bars do.
                line = line.rstrip("\r").rpartition("\r")[2]
                if draws:
                    line = _COLOURS.sub("", line)
                shown = clean(cut(line.expandtabs(8), self.inner * 20, self.glyphs.more))
                self._rows += wrapped([(lead, f"{role} strong"), (shown, role)], self.inner) or [()]

    def _parts(self, printed: int, warned: int) -> list[tuple[str, str]]:
        """Printed text and warnings in their order, pieces of one stream joined, only the end of a long one."""
        timeline = self.timeline
        assert timeline is not None
        pieces: list[tuple[int, str, str]] = []
        size = 0
        for part in reversed(timeline.contents.printed[:printed]):
            pieces.append((part.step, part.stream, part.text[-_KEPT:]))
            size += len(part.text)
            if size > _KEPT:
                break
        self._cut = size > _KEPT
        pieces.reverse()
        for aside in timeline.asides[max(warned - _WARNINGS, 0) : warned]:
            if isinstance(aside.event, ev.Warned):
                text = f"{aside.event.category}: {aside.event.message.strip()}"
                pieces.append((aside.step, "warning", " ".join(text.split())))
        pieces.sort(key=lambda piece: piece[0])
        joined: list[tuple[str, str]] = []
        for _, stream, text in pieces:
            if joined and joined[-1][0] == stream and stream != "warning":
                joined[-1] = (stream, joined[-1][1] + text)
            else:
                joined.append((stream, text))
        return [(stream, text.removesuffix("\n")) for stream, text in joined]

    def heading(self) -> Row:
        return ((tr("the end of it; there was more"), "note"),) if self._cut else ()

    def count(self) -> int:
        return max(len(self._rows), 1)

    def row(self, index: int, cells: int) -> Row:
        return self._rows[index] if self._rows else ((tr("nothing printed yet"), "note"),)

    def in_view(self) -> int | None:
        return len(self._rows) - 1 if self._grew and self._rows else None
