"""What the program printed between two steps, and what Python warned of there.

The figure that the program itself had drawn last, at the cursor.

The output pane: what the program printed, as text that no terminal obeys, and what Python warned of."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol, TypeVar

from tutor.i18n import N_, _, current_language
from tutor.text_width import cut, wrapped
from tutor.trace import events as ev
from tutor.trace.events import Figure
from tutor.trace.timeline import Timeline
from tutor.ui.panes.base import Pane
from tutor.ui.render import plot
from tutor.ui.render.segments import Glyphs, Row, clean

_KEPT = 200_000
"""Characters: of more than this, the end is told."""
_WARNINGS = 1_000
"""So many of the last warnings are told."""
ROLES = {"stdout": "plain", "stderr": "grad", "warning": "grad"}
"""By stream."""


class _Placed(Protocol):
    @property
    def step(self) -> int: ...


_Part = TypeVar("_Part", bound=_Placed)


def after(parts: Sequence[_Part], since: int, step: int) -> Sequence[_Part]:
    """Those that come after one step, up to another."""
    first, last = (bisect_right(parts, at, key=lambda part: part.step) for at in (since, step))
    return parts[first:last]


def told(timeline: Timeline, since: int, step: int) -> tuple[list[tuple[str, str]], bool]:
    """Stream and text in their order, pieces of one stream joined; and whether this is only the end of it."""
    pieces: list[tuple[int, str, str]] = []
    size = 0
    for part in reversed(after(timeline.contents.printed, since, step)):
        pieces.append((part.step, part.stream, part.text[-_KEPT:]))
        size += len(part.text)
        if size > _KEPT:
            break
    pieces.reverse()
    for aside in after(timeline.side_events, since, step)[-_WARNINGS:]:
        if isinstance(aside.event, ev.Warned):
            text = f"{aside.event.category}: {aside.event.message.strip()}"
            pieces.append((aside.step, "warning", " ".join(text.split())))
    pieces.sort(key=lambda piece: piece[0])
    joined: list[tuple[str, str]] = []
    for _place, stream, text in pieces:
        if joined and joined[-1][0] == stream and stream != "warning":
            joined[-1] = (stream, joined[-1][1] + text)
        else:
            joined.append((stream, text))
    return [(stream, text.removesuffix("\n")) for stream, text in joined], size > _KEPT


def lead_of(stream: str) -> str:
    """What stands before what came from there."""
    return "" if stream == "stdout" else "! " if stream == "stderr" else _("warning: ")


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
        for aside in timeline.side_events[self._looked :]:
            if isinstance(aside.event, Figure):
                self._steps.append(aside.step)
                self._all.append(aside.event)
        self._looked = len(timeline.side_events)

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
            rows, left_out = plot.figure_rows(one, pane.inner, height, pane.glyphs.ascii, not pane.app.no_color)
            self._drawn = key, rows, left_out
        return self._drawn[1]

    def title(self, glyphs: Glyphs) -> Row:
        """Which of how many it is, and what of it could not be drawn."""
        said: Row = ((_("figure {number} of {count}", number=self._at, count=len(self._all)), "value"),)
        left_out = self._drawn[2] if self._drawn is not None else ""
        return (*said, (f" {glyphs.dot} {left_out}", "error")) if left_out else said


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
        warned = bisect_right(timeline.side_events, self.cursor, key=lambda aside: aside.step)
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
        warned = sum(isinstance(aside.event, ev.Warned) for aside in after(timeline.side_events, self._before, cursor))
        return text.count("\n") + (text[-1:] not in ("", "\n")) + warned

    def heading(self) -> Row:
        return ((_("the end of it; there was more"), "note"),) if self._cut else ()

    def count(self) -> int:
        return max(len(self._rows), 1)

    def row(self, index: int, cells: int) -> Row:
        return self._rows[index] if self._rows else ((_("nothing printed yet"), "note"),)

    def in_view(self) -> int | None:
        return len(self._rows) - 1 if self._grew and self._rows else None
