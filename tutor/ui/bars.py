"""The bars above and below the panes: title, explanation, time bar with playback, and key line."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

from tutor.i18n import _, key_label
from tutor.text_width import width as cells
from tutor.trace.index import PassInfo
from tutor.ui.bindings import Hint
from tutor.ui.layout import LEAST
from tutor.ui.panes.base import KeyPicked, StepPicked, Surface
from tutor.ui.render.segments import EMPTY, Glyphs, Piece, Row, fit, row_width

if TYPE_CHECKING:
    from textual.timer import Timer

    from tutor.trace.timeline import Timeline


# ------------------------------------------------------------ rows of the time bar


def step_at(x: int, cells: int, steps: int) -> int:
    """Return the step under column `x` of a bar of `cells` columns."""
    if cells < 2 or not steps:
        return 0
    return max(0, min(steps, round(max(0, min(x, cells - 1)) * steps / (cells - 1))))


def column_of(step: int, cells: int, steps: int) -> int:
    """Return the column of a bar in which a step lies."""
    return round(step * (cells - 1) / steps) if steps else 0


class BackwardSteps:
    """A byte for each step from 0 on, 1 within a backward pass and 0 outside, kept up to date as a recording grows."""

    def __init__(self) -> None:
        self._back = bytearray(1)
        self._ended = 0
        """The number of leading passes that have ended and are in `_back`."""

    def update(self, steps: int, passes: Sequence[PassInfo]) -> bytearray:
        """Add the steps and passes that are new since the last call, and return the bytes."""
        self._back.extend(bytes(steps + 1 - len(self._back)))
        all_ended = True
        for info in islice(passes, self._ended, None):
            end = (steps if info.end_step is None else info.end_step) + 1
            self._back[info.start_step : end] = b"\1" * (end - info.start_step)
            all_ended = all_ended and info.end_step is not None
            self._ended += all_ended
        return self._back


class Bar:
    """The time bar as a row of text. Only the cursor moves; another width or recording needs another `Bar`."""

    def __init__(
        self, cells: int, steps: int, back: bytes | bytearray, starts: Sequence[int], limit: int | None = None
    ) -> None:
        """Prepare the bar.

        Args:
            cells: Its width.
            steps: The number of steps of the recording.
            back: For each step, whether it is in a backward pass, from `BackwardSteps.update`.
            starts: The steps at which cells begin.
            limit: The last step that the cursor may reach; the rest is hidden. None hides nothing.
        """
        self.cells, self.steps = cells, steps
        self.limit = steps if limit is None else limit
        """The last step that the cursor may reach: the steps beyond are hidden until a question is answered."""
        self.back = self._backward_columns(back)
        self.ticks = {column_of(start, cells, steps) for start in starts if start > 1}

    def _backward_columns(self, back: bytes | bytearray) -> list[bool]:
        """Return for each column whether most of its steps are in backward passes."""
        size = self.steps / max(self.cells - 1, 1)
        is_backward = []
        for column in range(self.cells):
            first, end = max(ceil((column - 0.5) * size), 0), ceil((column + 0.5) * size)
            if first >= end:  # more columns than steps
                first = int(column * size)
                end = first + 1
            is_backward.append(2 * back.count(1, first, end) > end - first)
        return is_backward

    def row(self, cursor: int, glyphs: Glyphs) -> Row:
        """Draw the bar with the cursor."""
        cursor_column = column_of(cursor, self.cells, self.steps)
        last_visible = column_of(self.limit, self.cells, self.steps) if self.limit < self.steps else self.cells
        pieces: list[Piece] = []
        for column in range(self.cells):
            if column == cursor_column:
                pieces.append((glyphs.cursor, "now"))
                continue
            back = self.back[column]
            if column > last_visible:
                text, role = glyphs.hidden, "faint"
            elif column in self.ticks:
                text, role = glyphs.tick, "title" if column < cursor_column else "quiet"
            elif column < cursor_column:
                text, role = (glyphs.past_back, "grad") if back else (glyphs.past, "value")
            else:
                text, role = glyphs.future, "quiet" if back else "faint"
            if pieces and pieces[-1][1] == role:
                pieces[-1] = (pieces[-1][0] + text, role)
            else:
                pieces.append((text, role))
        return tuple(pieces)


# ------------------------------------------------------------ widgets


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
    """The line that explains the current step."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="explain")
        self.pieces: Sequence[Piece] = ()

    def show(self, pieces: Sequence[Piece]) -> None:
        """Show one line of text."""
        self.pieces = pieces
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        lead = (f" {self.glyphs.explain} ", "bar now")
        return [(lead, *((text, f"bar {roles}") for text, roles in self.pieces))]


SPEEDS = (1, 2, 4, 8, 15, 30)
"""Steps per second."""


class TimeBar(Surface):
    """The whole recording in one line; a click moves the cursor, and so does playback."""

    class Ticked(Message):
        """Posted while the recording is played: it is time for the next step."""

    def __init__(self) -> None:
        super().__init__(id="timebar")
        self._speed_index = 2
        self._timer: Timer | None = None
        self._bar = Bar(2, 0, b"", ())
        self._back = BackwardSteps()
        self._key: object = None
        self._cursor = 0
        self._timeline: Timeline | None = None
        self._limit = 0

    def show(self, timeline: Timeline, cursor: int, limit: int) -> None:
        """Show the cursor, and the last step that it may reach."""
        if timeline is not self._timeline:
            self._key, self._back = None, BackwardSteps()
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

    @property
    def playing(self) -> bool:
        """Whether the recording is being played."""
        return self._timer is not None

    @property
    def speed(self) -> int:
        """Steps per second."""
        return SPEEDS[self._speed_index]

    def play(self) -> None:
        """Begin to play."""
        self._timer = self.set_interval(1 / self.speed, lambda: self.post_message(self.Ticked()))

    def pause(self) -> None:
        """Play no more."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def change_speed(self, by: int) -> None:
        """Play faster or slower."""
        self._speed_index = max(0, min(self._speed_index + by, len(SPEEDS) - 1))
        if self.playing:
            self.pause()
            self.play()

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
