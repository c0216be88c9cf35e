"""The base of all panes: a framed, scrolling list of rows, one of which may be selected.

`Surface` draws rows with Textual's Line API and refreshes only those that changed. `Pane` adds the frame, the
tabs, the scroll thumb and the selection. Panes and bars post the messages below; the screen handles them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import msgspec
from rich.segment import Segment
from textual import events
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tutor.i18n import _
from tutor.text_width import width
from tutor.ui.bindings import pane_bindings
from tutor.ui.render.segments import (
    EMPTY,
    Glyphs,
    Piece,
    Row,
    fit,
    harmless,
    row_width,
    unbroken,
    with_nonfinite,
    with_text_marked,
)
from tutor.ui.theme import Palette, palette_of

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.lesson.model import Header
    from tutor.trace.events import Span
    from tutor.trace.timeline import Timeline


# ------------------------------------------------------------ messages


class PaneClicked(Message):
    """Posted when a pane, or a tab in its frame, is clicked."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class MarkMoved(Message):
    """Posted when the selection of a pane moved or was cleared, and when its focus changed."""


class DetailsAsked(Message):
    """Posted to show the details of a tensor or node."""

    def __init__(self, subject: str, ref: int) -> None:
        super().__init__()
        self.subject = subject
        self.ref = ref


class StepPicked(Message):
    """Posted to move the cursor to a step: by the bar of time, or by the chart."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step


class KeyPicked(Message):
    """Posted when a key in the key line is clicked."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


class Said(Message):
    """Posted by a pane to say something in place of the explanation."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__()
        self.pieces = pieces


class SettingChanged(Message):
    """Posted when something was set that is kept for the next time."""

    def __init__(self, name: str, value: str | int | dict[str, int]) -> None:
        super().__init__()
        self.name, self.value = name, value


class LessonChosen(Message):
    """Posted when a lesson in the list is opened."""

    def __init__(self, lesson: Header) -> None:
        super().__init__()
        self.lesson = lesson


class TargetChosen(Message):
    """Posted when a script or a recording is opened; a recording is loaded already."""

    def __init__(self, target: Target, timeline: Timeline | None) -> None:
        super().__init__()
        self.target, self.timeline = target, timeline


class LessonLeft(Message):
    """Posted to go back to the walk that this one was opened from, or to the list of lessons, where `lesson` is marked,
    or on to the lesson `following`.
    """

    def __init__(self, lesson: str, following: Header | None = None) -> None:
        super().__init__()
        self.lesson, self.following = lesson, following


class RunRefused(Message):
    """Posted when the only run of a program could not begin."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__()
        self.reason = reason
        self.status = status


class WorkerWanted(Message):
    """Posted when a process should import torch now, so that the next run starts at once."""


# ------------------------------------------------------------ rows of text

_ROWS_KEPT = 1024
"""Rows that need not be made again when they are drawn again: most of a frame are those of the frame before."""


@lru_cache(_ROWS_KEPT)
def _finished(row: Row, cells: int, role: str, more: str, has_values: bool) -> Row:
    """Return a row as it is drawn: harmless, of exactly `cells` cells, with nan and inf marked in values."""
    row = fit(harmless(row), cells, role, more)
    return with_nonfinite(row) if has_values else row


@lru_cache(_ROWS_KEPT)
def _strip(row: Row, cells: int, palette: Palette) -> Strip:
    """Return a row in its colours; Textual keeps what it makes of a strip in the strip."""
    text, style = palette.glyphs.text, palette.style
    return Strip([Segment(text(piece), style(roles)) for piece, roles in row], cells)


class Surface(Widget):
    """Base of widgets made of text rows, drawn with the Line API.

    `paint` asks `rows` for all of them and refreshes only those that differ from the ones on the screen.
    """

    BASE = "plain"
    """Style role of cells that no text covers."""
    VALUES: ClassVar[bool] = False
    """Whether it shows values of tensors, in which nan and inf stand out."""
    seams: Sequence[int] = ()
    """Columns in which panes beneath begin or end: Textual cuts the rows there, and loses a wide character across."""
    BORDERED: ClassVar[bool] = False
    """Whether the stylesheet gives it a border, which Textual draws around the rows."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._asked: list[Row] = []
        """The rows that are shown, as `rows` gave them."""
        self._shown: list[Row] = []
        """The same as they are drawn."""
        self._strips: list[Strip | None] = []
        """The same in their colours, as far as Textual has asked for them."""
        self._painting_with: Palette | None = None
        self._drawn_with: Palette | None = None
        self._drawn_for: tuple[int, tuple[int, ...]] = (0, ())
        """The width and the seams for which they are drawn."""

    @property
    def palette(self) -> Palette:
        """The colours and characters in use."""
        return self._painting_with or palette_of(self.app)

    @property
    def glyphs(self) -> Glyphs:
        """The characters to draw with."""
        return self.palette.glyphs

    def rows(self, width: int, height: int) -> list[Row]:
        """Return the rows to show in `width` by `height` cells."""
        raise NotImplementedError

    def paint(self) -> None:
        """Refresh the parts of the screen that differ from `rows`."""
        width, height = self.size if self.BORDERED else self.outer_size
        if not width or not height:
            return
        palette, drawn_for = palette_of(self.app), (width, tuple(self.seams))
        self._painting_with = palette  # so that each row need not ask the app for it
        try:
            rows = self.rows(width, height)[:height]
        finally:
            self._painting_with = None
        rows += [EMPTY] * (height - len(rows))
        asked, self._asked = self._asked, rows
        if len(self._shown) != height or palette is not self._drawn_with or drawn_for != self._drawn_for:
            self._drawn_with, self._drawn_for = palette, drawn_for
            self._shown, self._strips = [self._finish(row, width) for row in rows], [None] * height
            self.refresh()
            return
        dirty = []
        for y, (old, new) in enumerate(zip(asked, rows, strict=True)):
            if old == new:
                continue
            row = self._finish(new, width)
            if row != self._shown[y]:
                self._shown[y], self._strips[y] = row, None
                dirty.append(Region(0, y, width, 1))
        if dirty:
            self.refresh(*dirty)

    def _finish(self, row: Row, width: int) -> Row:
        """Return a row as it is drawn."""
        row = _finished(row, width, self.BASE, self.glyphs.more, self.VALUES)
        return unbroken(row, self.seams) if self.seams else row

    def repaint(self) -> None:
        """Draw everything again if the palette changed."""
        if self._drawn_with is not self.palette:
            self._shown = []
            self.paint()

    def on_resize(self) -> None:
        self._shown = []
        self.paint()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Render rows without what Textual adds to widgets, a border apart: a surface has no padding or tint, and our
        colours need no conversion to true ones."""
        if self.BORDERED:
            return super().render_lines(crop)
        width, palette = self.outer_size.width, self.palette
        strips = [self._strip_at(y, width, palette) for y in crop.line_range]
        for line_filter in self.get_line_filters():
            if not isinstance(line_filter, ANSIToTruecolor):
                background = self.background_colors[1]
                strips = [strip.apply_filter(line_filter, background) for strip in strips]
        if crop.column_span != (0, width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        return self._strip_at(y, self.size.width, self.palette)

    def _strip_at(self, y: int, width: int, palette: Palette) -> Strip:
        if y >= len(self._shown):
            return _strip(((" " * width, self.BASE),), width, palette)
        if palette is not self._drawn_with or width != self._drawn_for[0]:  # it is about to be painted again
            return _strip(self._shown[y], width, palette)
        strip = self._strips[y]
        if strip is None:
            strip = self._strips[y] = _strip(self._shown[y], width, palette)
        return strip


# ------------------------------------------------------------ panes


FRAME = 4
"""Columns taken by the frame and the space inside it."""


class Tab(msgspec.Struct, frozen=True):
    """The name of one of the panes that share a place."""

    name: str
    active: bool
    """Whether this pane is the visible one."""
    new: int = 0
    """Number of new lines in it that are not visible."""

    @property
    def text(self) -> str:
        """The translated name, with the number of new lines."""
        return f"{_(self.name)} +{self.new}" if self.new else _(self.name)


class Linked(msgspec.Struct, frozen=True):
    """What panes highlight together: a node, its tensor, and the code that made them."""

    nodes: frozenset[int] = frozenset()
    tensors: frozenset[int] = frozenset()
    code: tuple[int, Span] | None = None
    """File number and span of the expression."""
    chosen: bool = False
    """Whether it belongs to the learner's selection (True) or to the node that runs now (False)."""


NOTHING_LINKED = Linked()


class Pane(Surface, can_focus=True):
    """Base of all panes: frame, title, scrolling and selection; only the visible rows are built."""

    BINDINGS = pane_bindings(up=("move(-1)", ""), down=("move(1)", ""))
    NAME: ClassVar[str] = ""
    CHOOSES: ClassVar[bool] = False
    """Whether ↑ and ↓ move a selection over the rows, rather than scroll."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id or self.NAME)
        self.timeline: Timeline | None = None
        self.cursor = 0
        self.tabs: tuple[Tab, ...] = ()
        self.top = 0
        self.chosen: int | None = None
        self._marked: tuple[str, int] | None = None  # subject of the selection, which follows it from step to step
        self.linked: Linked | None = None
        """What to highlight: what belongs to the selection in another pane, or to the node that runs now."""
        self._needle = ""
        """A text that is marked where it stands in a row."""
        self.failure: Exception | None = None
        """The exception that kept the pane from drawing: a recording from elsewhere may be inconsistent."""

    # ------------------------------------------------------------ to be overridden

    def title_text(self) -> str:
        """Return the title in the frame."""
        return _(self.NAME)

    def prepare(self) -> None:
        """Compute what to show at the cursor, before rows are requested."""

    def count(self) -> int:
        """Return the number of rows."""
        return 0

    def row(self, index: int, cells: int) -> Row:
        """Return a row, to be shown in `cells` cells."""
        return EMPTY

    def heading(self) -> Row:
        """Return what follows the title in the frame."""
        return EMPTY

    def footing(self) -> Row:
        """Return what stands in the lower side of the frame."""
        return EMPTY

    def head(self, cells: int) -> Row | None:
        """Return the header row, which does not scroll; None if there is none."""
        return None

    def in_view(self) -> int | None:
        """Return the row to keep visible; None if any will do."""
        return None

    def last_row(self, row: int) -> int:
        """Return the last row of what begins in a row."""
        return row

    def subject(self, index: int) -> tuple[str, int] | None:
        """Return what a choice (by default, a row) stands for, e.g. `("tensor", 3)`; None if it cannot be selected."""
        return None

    def choices(self) -> int:
        """Return how many things can be selected."""
        return self.count()

    def row_of(self, choice: int) -> int | None:
        """Return the row that shows a choice."""
        return choice

    def choice_at(self, index: int, column: int) -> int | None:
        """Return the choice at a row and column, or None."""
        return index if index < self.count() and self.subject(index) is not None else None

    def is_marked(self, index: int) -> bool:
        """Return whether the whole row is the selected one."""
        return index == self.chosen

    def place_of(self, subject: str, ref: int) -> int | None:
        """Return the choice that stands for a subject, or None."""
        return next((index for index in range(self.choices()) if self.subject(index) == (subject, ref)), None)

    def is_used(self, timeline: Timeline) -> bool:
        """Return whether the whole recording, or the learner, has anything for this pane."""
        return True

    def linked_row(self) -> int | None:
        """Return the row to bring into view when something is selected in another pane."""
        return None

    # ------------------------------------------------------------ showing

    def show(self, timeline: Timeline, cursor: int) -> None:
        """Show a step of a recording."""
        self.timeline, self.cursor = timeline, cursor
        self.update()

    def update(self) -> None:
        """Prepare the rows again, keep the current one visible, and paint."""
        if not self.display:
            return
        self.failure = None
        try:
            self.prepare()
            if self._marked is not None and self._selected_subject() != self._marked:
                self.chosen = self.place_of(*self._marked)
                self._marked = self._selected_subject() or self._marked
            row = self.in_view()
            if row is not None:
                self._bring_into_view(row)
            self.paint()
        except Exception as error:
            self.failure = error
            self.paint()

    def mark_text(self, text: str) -> None:
        """Mark a text in all rows, ignoring case; an empty one ends that."""
        if text.lower() != self._needle:
            self._needle = text.lower()
            self.paint()

    def set_linked(self, linked: Linked) -> None:
        """Take in what to highlight; the next update draws it."""
        self.linked = linked

    def link(self, linked: Linked) -> None:
        """Highlight what belongs to the selection in another pane."""
        if linked == self.linked:
            return
        self.set_linked(linked)
        if not self.display or self.failure is not None:
            return
        if linked.chosen and (row := self.linked_row()) is not None:
            self._bring_into_view(row)
        self.paint()

    @property
    def page(self) -> int:
        """The number of rows visible at once."""
        return max(self.outer_size.height - 2 - (self.head(self.inner) is not None), 0)

    @property
    def inner(self) -> int:
        """The width of a row, in cells."""
        return max(self.outer_size.width - FRAME, 0)

    def _bring_into_view(self, row: int, margin: int = 1) -> None:
        page = self.page
        margin = min(margin, max(page - 1, 0) // 2)
        self.top = max(self.top, self.last_row(row) - page + 1 + margin)
        self.top = min(self.top, row - margin)
        self._bound()

    def _bound(self) -> None:
        self.top = max(0, min(self.top, self.count() - self.page))

    def rows(self, width: int, height: int) -> list[Row]:
        if width < 5:
            return []
        if height < 2:
            return [self._folded_title(width)]
        if self.failure is not None:
            body: list[Row] = [((_("this part of the recording cannot be shown"), "error"),)]
            thumb = range(0)
            body += [EMPTY] * (height - 2 - len(body))
        else:
            self._bound()
            body, thumb = self._body(), self._thumb(height - 2, self.page, self.count())
        rows = [self._frame_top(width)]
        inner, edge = self.inner, "focus" if self.has_focus else "frame"
        glyphs = self.glyphs
        down, bar, more = glyphs.down, glyphs.thumb, glyphs.more
        for y, row in enumerate(body):
            side = (bar, "title") if y in thumb else (down, edge)
            rows.append(((down + " ", edge), *fit(row, inner, "plain", more), (" ", "plain"), side))
        return [*rows, self._frame_bottom(width)]

    def _body(self) -> list[Row]:
        """Return the rows inside the frame."""
        inner, total = self.inner, self.count()
        head = self.head(inner)
        body = [] if head is None else [head]
        has_focus = self.has_focus
        for index in range(self.top, self.top + self.page):
            row = self.row(index, inner) if index < total else EMPTY
            if self._needle:
                row = with_text_marked(row, self._needle, "hit")
            if has_focus and index < total and self.is_marked(index):
                row = tuple((text, f"chosen {roles}") for text, roles in fit(row, inner, "plain"))
            body.append(row)
        return body

    def _thumb(self, height: int, page: int, total: int) -> range:
        """Return the rows of the frame that the scroll thumb covers."""
        if total <= page or not page:
            return range(0)
        size = max(1, height * page // total)
        start = round((height - size) * self.top / (total - page))
        return range(start, start + size)

    def join_heading(self, *parts: Row) -> Row:
        """Join the parts of a heading with dots, dropping the first ones if there is no room beside the tabs."""
        shown = [part for part in parts if part]
        beside = sum(width(tab.text) + 2 for tab in self.tabs) + 3
        dot = (f" {self.glyphs.dot} ", "quiet")
        row: Row = ()
        for part in reversed(shown):
            longer = (*part, dot, *row) if row else part
            if row and self.tabs and row_width(longer) > self.inner - beside:
                break
            row = longer
        return row

    def _frame_top(self, cells: int) -> Row:
        glyphs, edge = self.glyphs, "focus" if self.has_focus else "frame"
        title: list[Piece] = [(glyphs.top_left + glyphs.across, edge)]
        tabs = [(f" {tab.text} ", "tab" if tab.active else "now" if tab.new else "quiet") for tab in self.tabs]
        title += tabs or [(f" {self.title_text()} ", "title strong" if self.has_focus else "title")]
        heading = self.heading() if self.failure is None else EMPTY
        if heading:
            title += [(f"{glyphs.dot} ", "quiet"), *heading, (" ", "quiet")]
        row = fit(tuple(title), max(cells - 2, 0), edge, glyphs.more) if row_width(title) > cells - 2 else tuple(title)
        return (*row, (glyphs.across * (cells - 1 - row_width(row)) + glyphs.top_right, edge))

    def _folded_title(self, cells: int) -> Row:
        """Return the title alone, in a line."""
        glyphs = self.glyphs
        is_used = self.timeline is None or self.is_used(self.timeline)
        title = self.title_text() if is_used else f"{self.title_text()} {glyphs.dot} {_('empty')}"
        row = ((glyphs.across * 2, "frame"), (f" {title} ", "quiet"))
        return (*row, (glyphs.across * max(cells - row_width(row), 0), "frame"))

    def _frame_bottom(self, cells: int) -> Row:
        glyphs, edge = self.glyphs, "focus" if self.has_focus else "frame"
        footing = self.footing() if self.failure is None else EMPTY
        row: Row = ((glyphs.bottom_left, edge),)
        if footing and cells > 8:
            text = fit(footing, min(row_width(footing), cells - 6), "quiet", glyphs.more)
            row = ((glyphs.bottom_left + glyphs.across + " ", edge), *text, (" ", edge))
        return (*row, (glyphs.across * (cells - 1 - row_width(row)) + glyphs.bottom_right, edge))

    # ------------------------------------------------------------ keys and mouse

    def action_move(self, rows: int) -> None:
        """Move by a row."""
        self.move(rows)

    def move(self, rows: int) -> None:
        """Move the selection by `rows` if the pane has one, else scroll."""
        if not self.CHOOSES:
            self.scroll_rows(rows)
            return
        total = self.choices()
        start = self.first_choice() if self.chosen is None else self.chosen + rows
        for index in range(max(0, min(start, total - 1)), total if rows > 0 else -1, 1 if rows > 0 else -1):
            if self.subject(index) is not None:
                self.choose(index)
                break

    def first_choice(self) -> int:
        """Return the choice that is selected first."""
        return self.in_view() or self.top

    def choose(self, choice: int) -> None:
        """Select a choice and bring it into view."""
        row = self.row_of(choice)
        if row is not None:
            self._bring_into_view(row, 0)
        self.mark(choice)

    def mark(self, index: int | None) -> None:
        """Select a choice, or clear the selection (None)."""
        self.chosen = index
        self._marked = None if index is None else self.subject(index)
        self.paint()
        self.post_message(MarkMoved())

    def marked(self) -> tuple[str, int] | None:
        """Return the subject of the selection, for other panes to highlight what belongs to it."""
        return self._marked if self.chosen is not None else None

    def scroll_rows(self, rows: int) -> None:
        """Scroll by `rows`."""
        self.top += rows
        self.paint()

    def details(self) -> tuple[str, int] | None:
        """Return the subject whose details Enter shows."""
        return self._selected_subject()

    def _selected_subject(self) -> tuple[str, int] | None:
        return None if self.chosen is None or self.chosen >= self.choices() else self.subject(self.chosen)

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self.paint()
        self.post_message(MarkMoved())

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-2)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(2)

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            self._click_title(event.x)
            return
        self.post_message(PaneClicked(self.NAME))
        if event.chain > 1 and self.chosen is not None:  # the first click may have moved the rows
            self.open_choice()
            return
        first = 1 + (self.head(self.inner) is not None)
        if not self.CHOOSES or event.y < first:
            return
        choice = self.choice_at(self.top + event.y - first, event.x - 2)
        if choice is None:
            return
        repeated = choice == self.chosen
        self.mark(choice)
        if repeated:
            self.open_choice()

    def open_choice(self) -> None:
        """Show the details of the selection, which was clicked again."""
        subject = self.details()
        if subject is not None:
            self.post_message(DetailsAsked(*subject))

    def _click_title(self, x: int) -> None:
        end = 2
        for tab in self.tabs:
            end += width(tab.text) + 2
            if x < end:
                self.post_message(PaneClicked(tab.name))
                return
        self.post_message(PaneClicked(self.NAME))

    def on_resize(self) -> None:
        self._shown = []
        self.update()
