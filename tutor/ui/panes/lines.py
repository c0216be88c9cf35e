"""The lines above and below the panes: where one is, what the step means, the bar of time, the keys."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from tutor.i18n import _
from tutor.text_width import width as cells
from tutor.ui.draw.bar import Backward, Bar, step_at
from tutor.ui.draw.places import LEAST
from tutor.ui.draw.row import EMPTY, Piece, Row, fit, row_width
from tutor.ui.keys import Hint
from tutor.ui.messages import KeyPicked, StepPicked
from tutor.ui.panes.surface import Surface

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline


def spread(left: Row, right: Row, cells: int) -> Row:
    """Two ends of a line; the left one gives way."""
    room = max(cells - row_width(right) - 1, 0)
    if row_width(left) > room:
        left = fit(left, room)
    return (*left, (" " * max(cells - row_width(left) - row_width(right), 0), "bar"), *right)


class TitleBar(Surface):
    """The name of the program, the lesson, and where in it one is."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="header")
        self.family = ""
        self.title = ""
        self.facts: list[Piece] = []

    def show(self, family: str, title: str, facts: list[Piece]) -> None:
        """The crumbs on the left, the facts on the right."""
        self.family, self.title, self.facts = family, title, facts
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        crumb = (f" {self.glyphs.crumb} ", "bar quiet")
        left: list[Piece] = [(" gradtutor", "bar brand")]
        if self.family and width >= 100:
            left += [crumb, (self.family, "bar quiet")]
        if self.title:
            left += [crumb, (self.title, "bar strong")]
        right: list[Piece] = []
        for text, role in self.facts:
            if text:
                right += [(text, f"bar {role}"), ("   " if width >= 100 else "  ", "bar")]
        return [spread(tuple(left), (*right[:-1], (" ", "bar")), width)]


class Explain(Surface):
    """What the step means, in words and numbers."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="explain")
        self.pieces: Sequence[Piece] = ()

    def show(self, pieces: Sequence[Piece]) -> None:
        """One line of text."""
        self.pieces = pieces
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        lead = (f" {self.glyphs.explain} ", "bar now")
        return [(lead, *((text, f"bar {roles}") for text, roles in self.pieces))]


class TimeBar(Surface):
    """The whole recording in one line; a click goes there."""

    def __init__(self) -> None:
        super().__init__(id="timebar")
        self._bar = Bar(2, 0, b"", ())
        self._back = Backward()
        self._key: object = None
        self._cursor = 0
        self._timeline: Timeline | None = None
        self._limit = 0

    def show(self, timeline: Timeline, cursor: int, limit: int) -> None:
        """Where the cursor stands, and how far it may go."""
        if timeline is not self._timeline:
            self._key, self._back = None, Backward()
        self._timeline, self._cursor, self._limit = timeline, cursor, limit
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        timeline = self._timeline
        if timeline is None:
            return []
        key = (width, timeline.steps, self._limit)
        if key != self._key:
            self._key = key
            back = self._back.update(timeline.steps, timeline.passes)
            starts = [info.start for info in timeline.cells]
            self._bar = Bar(width - 2, timeline.steps, back, starts, self._limit)
        return [((" ", "plain"), *self._bar.row(self._cursor, self.glyphs))]

    def _pick(self, event: events.MouseEvent) -> None:
        if self._timeline is not None:
            self.post_message(StepPicked(step_at(event.x - 1, self.size.width - 2, self._timeline.steps)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._pick(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if event.button == 1:
            self._pick(event)


class KeyLine(Surface):
    """The keys that do something now."""

    def __init__(self) -> None:
        super().__init__(id="keyline")
        self.hints: Sequence[Hint] = ()
        self._ends: list[tuple[int, str]] = []

    def show(self, hints: Sequence[Hint]) -> None:
        """The hints in the order shown; as many as fit, the most important ones of them."""
        if hints != self.hints or not self._shown:
            self.hints = hints
            self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        gap = 3 if width >= 100 else 2
        sizes = {hint: row_width(_pieces(hint)) + gap for hint in self.hints}
        kept: set[Hint] = set()
        room = width - 1 + gap - 1
        for hint in sorted(self.hints, key=lambda hint: hint.rank):
            if sizes[hint] <= room:
                room -= sizes[hint]
                kept.add(hint)
        pieces: list[Piece] = [(" ", "plain")]
        self._ends = []
        at = 1
        for hint in self.hints:
            if hint in kept:
                pieces += [*_pieces(hint), (" " * gap, "plain")]
                at += sizes[hint]
                self._ends.append((at, hint.action))
        return [tuple(pieces[:-1])]

    def on_click(self, event: events.Click) -> None:
        place = bisect_right(self._ends, event.x, key=lambda end: end[0])
        if place < len(self._ends):
            self.post_message(KeyPicked(self._ends[place][1]))


def _pieces(hint: Hint) -> Row:
    return ((_(hint.keys), "key"), (f" {_(hint.label)}", "quiet"))


class TooSmall(Surface):
    """All that a very small terminal shows."""

    def __init__(self) -> None:
        super().__init__(id="toosmall")

    def rows(self, width: int, height: int) -> list[Row]:
        wide, tall = LEAST
        text = [
            _("This terminal has {width}x{height} cells.", width=width, height=height),
            _("gradtutor needs {width}x{height} or more.", width=wide, height=tall),
            "",
            f"q {_('quit')}",
        ]
        lines: list[Row] = [((" " * ((width - cells(line)) // 2) + line, "quiet"),) for line in text]
        return [EMPTY] * max((height - len(lines)) // 2, 0) + lines
