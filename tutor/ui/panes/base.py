"""What the panes tell the screen, in the past tense; the screen acts.

A widget that is rows of text, and sends to the terminal only what changed in them.

A framed pane: a title or tabs above, rows inside, a thumb in the frame that says where in a long text one is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tutor.i18n import _
from tutor.text_width import width
from tutor.trace.events import Span
from tutor.ui.render.segments import EMPTY, Glyphs, Piece, Row, changed_columns, fit, harmless, row_width
from tutor.ui.theme import Palette, palette_of

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline


class TabClicked(Message):
    """A tab in the frame of a pane was clicked."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class MarkMoved(Message):
    """The mark of a pane stands on another row, or on none."""


class DetailsAsked(Message):
    """Everything about a row of a pane is wanted."""

    def __init__(self, subject: str, ref: int) -> None:
        super().__init__()
        self.subject = subject
        self.ref = ref


class StepPicked(Message):
    """A step was picked on the bar of time."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step


class KeyPicked(Message):
    """A key in the footer was clicked."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action = action


class LessonChosen(Message):
    """A lesson in the list was opened."""

    def __init__(self, lesson: str, path: str) -> None:
        super().__init__()
        self.lesson = lesson
        self.path = path


class Surface(Widget):
    """Rows drawn with the Line API. `paint` asks `rows` for all of them and repaints the columns that differ."""

    BASE = "plain"
    """The role of what is not covered by text."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown: list[Row] = []
        self._drawn_with: Palette | None = None

    @property
    def palette(self) -> Palette:
        return palette_of(self.app)

    @property
    def glyphs(self) -> Glyphs:
        return self.palette.glyphs

    def rows(self, width: int, height: int) -> list[Row]:
        """What to show in so many cells."""
        raise NotImplementedError

    def paint(self) -> None:
        """Bring the screen up to date with `rows`."""
        width, height = self.size
        if not width or not height:
            return
        rows = [fit(harmless(row), width, self.BASE, self.glyphs.more) for row in self.rows(width, height)[:height]]
        rows += [fit(EMPTY, width, self.BASE)] * (height - len(rows))
        shown, self._shown = self._shown, rows
        self._drawn_with = self.palette
        if len(shown) != height:
            self.refresh()
            return
        dirty = [
            Region(columns[0], y, columns[1] - columns[0], 1)
            for y, (old, new) in enumerate(zip(shown, rows, strict=True))
            if (columns := changed_columns(old, new)) is not None
        ]
        if dirty:
            self.refresh(*dirty)

    def repaint(self) -> None:
        """Draw all of it again if the colours changed."""
        if self._drawn_with is not self.palette:
            self._shown = []
            self.paint()

    def on_resize(self) -> None:
        self._shown = []
        self.paint()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        palette = self.palette
        if y >= len(self._shown):
            return Strip.blank(width, palette.style(self.BASE))
        text, style = palette.glyphs.text, palette.style
        return Strip([Segment(text(piece), style(roles)) for piece, roles in self._shown[y]], width)


FRAME = 4
"""Columns that the frame and the space beside it take."""


@dataclass(frozen=True)
class Tab:
    """The name of a pane that shares this place, and whether it is the one on show."""

    name: str
    active: bool
    new: int = 0
    """So many lines are new in it, and not in view."""

    @property
    def text(self) -> str:
        return f"{_(self.name)} +{self.new}" if self.new else _(self.name)


@dataclass(frozen=True)
class Linked:
    """What belongs to one thing."""

    nodes: frozenset[int] = frozenset()
    tensors: frozenset[int] = frozenset()
    code: tuple[int, Span] | None = None
    """The file, and the part of it that made the thing."""
    chosen: bool = False
    """Whether the learner chose it, rather than that it is now."""


NOTHING = Linked()


class Pane(Surface, can_focus=True):
    """What all panes share: frame, title, scrolling, and rows made only for what can be seen."""

    NAME: ClassVar[str] = ""
    CHOOSES: ClassVar[bool] = False
    """Whether ↑ and ↓ move a mark over rows about which there is more to know."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id or self.NAME)
        self.timeline: Timeline | None = None
        self.cursor = 0
        self.tabs: tuple[Tab, ...] = ()
        self.top = 0
        self.chosen: int | None = None
        self._marked: tuple[str, int] | None = None  # what stands there: the mark goes along with it
        self.linked: Linked | None = None
        """What belongs to what is marked in another pane, or runs now."""
        self.failure: Exception | None = None
        """Why nothing is shown: a recording may come from a stranger, and hold what no program does."""

    # ------------------------------------------------------------ for the panes

    def called(self) -> str:
        """What the frame says it is."""
        return _(self.NAME)

    def prepare(self) -> None:
        """Work out what to show at the cursor, before any row is asked for."""

    def count(self) -> int:
        """How many rows there are."""
        return 0

    def row(self, index: int, cells: int) -> Row:
        """One row, for so many cells."""
        return EMPTY

    def heading(self) -> Row:
        """What follows the name of the pane in the frame."""
        return EMPTY

    def head(self, cells: int) -> Row | None:
        """A first row that does not scroll."""
        return None

    def in_view(self) -> int | None:
        """The row that must be seen now."""
        return None

    def subject(self, index: int) -> tuple[str, int] | None:
        """What there is to know about what can be chosen (a row, where nothing else is said): `("tensor", 3)`."""
        return None

    def choices(self) -> int:
        """How many things can be chosen."""
        return self.count()

    def row_of(self, choice: int) -> int | None:
        """The row that what was chosen stands in."""
        return choice

    def choice_at(self, index: int, column: int) -> int | None:
        """What can be chosen at this place."""
        return index if index < self.count() and self.subject(index) is not None else None

    def is_marked(self, index: int) -> bool:
        """Whether all of this row is what was chosen."""
        return index == self.chosen

    def place_of(self, subject: str, ref: int) -> int | None:
        """The row that a thing stands in."""
        return next((index for index in range(self.choices()) if self.subject(index) == (subject, ref)), None)

    def linked_row(self) -> int | None:
        """The row to be seen where the learner marked something in another pane."""
        return None

    # ------------------------------------------------------------ showing

    def show(self, timeline: Timeline, cursor: int) -> None:
        """Show this point of this recording."""
        self.timeline, self.cursor = timeline, cursor
        self.update()

    def update(self) -> None:
        """Work it out again, keep in view what is now, and paint."""
        if not self.display:
            return
        self.failure = None
        try:
            self.prepare()
            if self._marked is not None and self._standing() != self._marked:
                self.chosen = self.place_of(*self._marked)
                self._marked = self._standing() or self._marked
            row = self.in_view()
            if row is not None:
                self._bring_into_view(row)
            self.paint()
        except Exception as error:
            self.failure = error
            self.paint()

    def link(self, linked: Linked) -> None:
        """Mark what belongs to what is marked in another pane."""
        if linked == self.linked:
            return
        self.linked = linked
        if not self.display or self.failure is not None:
            return
        if linked.chosen and (row := self.linked_row()) is not None:
            self._bring_into_view(row)
        self.paint()

    @property
    def page(self) -> int:
        """How many rows can be seen at once."""
        return max(self.size.height - 2 - (self.head(self.inner) is not None), 0)

    @property
    def inner(self) -> int:
        """How many cells a row has."""
        return max(self.size.width - FRAME, 0)

    def _bring_into_view(self, row: int, margin: int = 1) -> None:
        page = self.page
        margin = min(margin, max(page - 1, 0) // 2)
        if row < self.top + margin:
            self.top = row - margin
        elif row >= self.top + page - margin:
            self.top = row - page + 1 + margin
        self._bound()

    def _bound(self) -> None:
        self.top = max(0, min(self.top, self.count() - self.page))

    def rows(self, width: int, height: int) -> list[Row]:
        if height < 2 or width < 5:
            return []
        if self.failure is not None:
            body: list[Row] = [((_("this part of the recording cannot be shown"), "error"),)]
            thumb = range(0)
            body += [EMPTY] * (height - 2 - len(body))
        else:
            self._bound()
            body, thumb = self._body(), self._thumb(height - 2, self.page, self.count())
        rows = [self._frame_top(width)]
        inner, edge = self.inner, "focus" if self.has_focus else "frame"
        down, bar = self.glyphs.down, self.glyphs.thumb
        for y, row in enumerate(body):
            side = (bar, "title") if y in thumb else (down, edge)
            rows.append(((down + " ", edge), *fit(row, inner, "plain", self.glyphs.more), (" ", "plain"), side))
        g = self.glyphs
        rows.append(((g.bottom_left + g.across * (width - 2) + g.bottom_right, edge),))
        return rows

    def _body(self) -> list[Row]:
        """The rows inside the frame."""
        inner, total = self.inner, self.count()
        head = self.head(inner)
        body = [] if head is None else [head]
        for index in range(self.top, self.top + self.page):
            row = self.row(index, inner) if index < total else EMPTY
            if self.has_focus and index < total and self.is_marked(index):
                row = tuple((text, f"chosen {roles}") for text, roles in fit(row, inner, "plain"))
            body.append(row)
        return body

    def _thumb(self, height: int, page: int, total: int) -> range:
        if total <= page or not page:
            return range(0)
        size = max(1, height * page // total)
        start = round((height - size) * self.top / (total - page))
        return range(start, start + size)

    def parted(self, *parts: Row) -> Row:
        """Parts of a heading, with dots between them. Beside tabs there may be no room for all: the last ones count."""
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
        g, edge = self.glyphs, "focus" if self.has_focus else "frame"
        title: list[Piece] = [(g.top_left + g.across, edge)]
        tabs = [(f" {tab.text} ", "tab" if tab.active else "now" if tab.new else "quiet") for tab in self.tabs]
        title += tabs or [(f" {self.called()} ", "title strong" if self.has_focus else "title")]
        more = self.heading() if self.failure is None else EMPTY
        if more:
            title += [(f"{g.dot} ", "quiet"), *more, (" ", "quiet")]
        row = fit(tuple(title), max(cells - 2, 0), edge, g.more) if row_width(title) > cells - 2 else tuple(title)
        return (*row, (g.across * (cells - 1 - row_width(row)) + g.top_right, edge))

    # ------------------------------------------------------------ hands on it

    def move(self, rows: int) -> None:
        """Up or down: the mark where the pane has one, else the text."""
        if not self.CHOOSES:
            self.scroll_rows(rows)
            return
        total = self.choices()
        at = self.first_choice() if self.chosen is None else self.chosen + rows
        for index in range(max(0, min(at, total - 1)), total if rows > 0 else -1, 1 if rows > 0 else -1):
            if self.subject(index) is not None:
                self.choose(index)
                break

    def first_choice(self) -> int:
        """Where the mark comes first."""
        return self.in_view() or self.top

    def choose(self, choice: int) -> None:
        """The mark goes there, and is in view."""
        row = self.row_of(choice)
        if row is not None:
            self._bring_into_view(row, 0)
        self.mark(choice)

    def mark(self, index: int | None) -> None:
        """Put the mark on a row, or take it away."""
        self.chosen = index
        self._marked = None if index is None else self.subject(index)
        self.paint()
        self.post_message(MarkMoved())

    def marked(self) -> tuple[str, int] | None:
        """What the mark stands on, for the other panes to show what belongs to it."""
        return self._marked if self.chosen is not None else None

    def scroll_rows(self, rows: int) -> None:
        """Move the text under the frame."""
        self.top += rows
        self.paint()

    def details(self) -> tuple[str, int] | None:
        """What the mark stands on."""
        return self._standing()

    def _standing(self) -> tuple[str, int] | None:
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
        first = 1 + (self.head(self.inner) is not None)
        if not self.CHOOSES or event.y < first:
            return
        choice = self.choice_at(self.top + event.y - first, event.x - 2)
        if choice is None:
            return
        again = choice == self.chosen
        self.mark(choice)
        if again and (subject := self.details()) is not None:
            self.post_message(DetailsAsked(*subject))

    def _click_title(self, x: int) -> None:
        at = 2
        for tab in self.tabs:
            at += width(tab.text) + 2
            if x < at:
                self.post_message(TabClicked(tab.name))
                return

    def on_resize(self) -> None:
        self._shown = []
        self.update()
