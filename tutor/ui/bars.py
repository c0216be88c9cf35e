"""The bars above and below the panes: title, explanation and key line. The time bar is in `time_bar`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from textual import events

from tutor.i18n import _, key_label, pgettext
from tutor.text_width import width as cells
from tutor.ui.bindings import Hint
from tutor.ui.layout import LEAST
from tutor.ui.panes.base import KeyPicked, Surface
from tutor.ui.render.segments import EMPTY, Piece, Row, fit, row_width


def justified(left: Row, right: Row, cells: int) -> Row:
    """Return a line with text at both ends; the left one is cut where there is little room."""
    room = max(cells - row_width(right) - 1, 0)
    if row_width(left) > room:
        left = fit(left, room)
    return (*left, (" " * max(cells - row_width(left) - row_width(right), 0), "bar"), *right)


class TitleBar(Surface):
    """The name of the program, the lesson, and the place in it."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="header")
        self.family = ""
        self.title = ""
        self.facts: list[Piece] = []

    def show(self, family: str, title: str, facts: list[Piece]) -> None:
        """Show the family and title on the left, the facts on the right."""
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
        return [justified(tuple(left), (*right[:-1], (" ", "bar")), width)]


class Explain(Surface):
    """The explanation of the current step: what ran, and in the last row what runs next."""

    BASE = "bar"
    VALUES = True

    def __init__(self) -> None:
        super().__init__(id="explain")
        self._explained: Sequence[Sequence[Piece]] = ()
        self._following: Row | None = None

    def show(self, rows: Sequence[Sequence[Piece]], following: Row | None = None) -> None:
        """Show what ran and what runs next, which may be empty; or, without it, a text about something else."""
        self._explained, self._following = rows, following
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        following = self._following
        mark = self.glyphs.explain if following is None else self.glyphs.caller
        shown: list[Row] = [
            ((f" {mark} ", "bar now") if not index else ("   ", "bar"), *_on_bar(row))
            for index, row in enumerate(self._explained)
        ]
        if not following:
            return shown
        shown = [*shown, *[EMPTY] * (height - 1 - len(shown))][: height - 1]
        label = (f"{pgettext('what runs then', 'next')}  ", "quiet")
        return [*shown, ((f" {self.glyphs.now} ", "bar now"), *_on_bar((label, *following)))]


def _on_bar(row: Iterable[Piece]) -> Row:
    return tuple((text, f"bar {roles}") for text, roles in row)


class KeyLine(Surface):
    """The keys that do something now."""

    def __init__(self) -> None:
        super().__init__(id="keyline")
        self.hints: Sequence[Hint] = ()
        self._ends: list[tuple[int, str]] = []

    def show(self, hints: Sequence[Hint]) -> None:
        """Show the hints in this order, leaving out the least important ones where there is little room."""
        if hints != self.hints or not self._shown:
            self.hints = hints
            self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        gap = 3 if width >= 100 else 2
        widths = {hint: row_width(_hint_pieces(hint)) + gap for hint in self.hints}
        fitting: set[Hint] = set()
        room = width - 1 + gap - 1
        for hint in sorted(self.hints, key=lambda hint: hint.rank):
            if widths[hint] <= room:
                room -= widths[hint]
                fitting.add(hint)
        pieces: list[Piece] = [(" ", "plain")]
        self._ends = []
        end = 1
        for hint in self.hints:
            if hint in fitting:
                pieces += [*_hint_pieces(hint), (" " * gap, "plain")]
                end += widths[hint]
                self._ends.append((end, hint.key))
        return [tuple(pieces[:-1])]

    def on_click(self, event: events.Click) -> None:
        index = bisect_right(self._ends, event.x, key=lambda end: end[0])
        if index < len(self._ends):
            self.post_message(KeyPicked(self._ends[index][1]))


def _hint_pieces(hint: Hint) -> Row:
    """Return the keys of a hint and its label."""
    return ((_(hint.keys), "key"), (f" {key_label(hint.label)}", "quiet"))


class TooSmall(Surface):
    """The only widget on a terminal that is too small."""

    def __init__(self) -> None:
        super().__init__(id="toosmall")

    def rows(self, width: int, height: int) -> list[Row]:
        least_width, least_height = LEAST
        text = [
            _("This terminal has {width}x{height} cells.", width=width, height=height),
            _("gradtutor needs {width}x{height} or more.", width=least_width, height=least_height),
            "",
            f"q {key_label('quit')}",
        ]
        lines: list[Row] = [((" " * ((width - cells(line)) // 2) + line, "quiet"),) for line in text]
        return [EMPTY] * max((height - len(lines)) // 2, 0) + lines
