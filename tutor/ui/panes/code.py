"""The code pane: the lines of the program, with the statement and the sub-expression that just ran marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath

from tutor.i18n import N_, _
from tutor.text_width import width, wrapped
from tutor.trace import events as ev
from tutor.trace.events import Document, Source, Span
from tutor.trace.state import State
from tutor.trace.timeline import StepView, Timeline
from tutor.ui.panes.base import Pane
from tutor.ui.panes.cross_highlight import LINE_STRIDE
from tutor.ui.panes.values_in_code import assigned_values
from tutor.ui.render.segments import TAB, Glyphs, Piece, Row, clean, row_width

# ------------------------------------------------------------ lines of code


@dataclass(frozen=True)
class CodeLine:
    """A line of a file, or a separator between cells (number 0)."""

    number: int
    pieces: Row
    cell: int = 0


@dataclass
class Listing:
    """Lines in the order shown, and the index of each (file, line)."""

    lines: list[CodeLine] = field(default_factory=list)
    index: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, file: int, first: int, text: str, cell: int = 0) -> None:
        """Add the lines of a piece of code that begins in line `first` of a file."""
        for number, pieces in enumerate(coloured(text), first):
            self.index[file, number] = len(self.lines)
            self.lines.append(CodeLine(number, pieces, cell))


@dataclass(frozen=True)
class Mark:
    """A range of characters of a line (end excluded), with the role added to it."""

    start: int
    end: int
    role: str


def program_lines(document: Document | None, sources: dict[int, Source]) -> Listing:
    """Return the code cells of a lesson with their line numbers, without the prose; of a script, all lines."""
    listing = Listing()
    # Checks and solutions of exercises are not shown.
    shown = [cell for cell in document.cells if cell.get("kind") not in ("solution", "check")] if document else []
    cells = [cell for cell in shown if cell.get("number") is not None]
    by_cell = {source.cell: file for file, source in sources.items() if source.cell is not None}
    if not cells:
        return file_lines(sources.get(1))
    for cell in cells:
        number = cell["number"]
        text = str(cell.get("source", "")).rstrip()
        first = 1 if by_cell else int(cell.get("first_line", 1))
        file = by_cell.get(number, -number) if by_cell else 1
        if len(cells) > 1:
            listing.lines.append(CodeLine(0, (), number))
        listing.add(file, first, text, number)
    return listing


def file_lines(source: Source | None) -> Listing:
    """Return all lines of a file."""
    listing = Listing()
    if source is not None:
        listing.add(source.file, 1, source.text.rstrip())
    return listing


def coloured(text: str) -> list[Row]:
    """Return the lines of Python code with the roles of their tokens."""
    from pygments.token import Token  # type: ignore[import-untyped]
    from textual.highlight import HighlightTheme, highlight

    class Roles(HighlightTheme):
        STYLES = {
            Token.Comment: "comment", Token.Keyword: "keyword", Token.Operator.Word: "keyword",
            Token.Literal.Number: "number", Token.Number: "number", Token.Literal.String: "string",
            Token.String: "string", Token.Keyword.Constant: "keyword",
        }  # fmt: skip

    lines = [clean(line) for line in text.split("\n")]
    content = highlight("\n".join(lines), language="python", theme=Roles, tab_size=0)
    spans = sorted((span.start, span.end, str(span.style)) for span in content.spans if span.style != "$text")
    rows: list[Row] = []
    start, next_span = 0, 0
    for line in lines:
        end = start + len(line)
        pieces: list[Piece] = []
        column = start
        while next_span < len(spans) and spans[next_span][0] < end:
            first, last, role = spans[next_span]
            first = max(first, column)
            if first > column:
                pieces.append((line[column - start : first - start], "code"))
            pieces.append((line[first - start : min(last, end) - start], role))
            column = min(last, end)
            if last > end:
                break  # a string over several lines
            next_span += 1
        if column < end:
            pieces.append((line[column - start :], "code"))
        rows.append(tuple(piece for piece in pieces if piece[0]))
        while next_span < len(spans) and spans[next_span][1] <= end:
            next_span += 1
        start = end + 1
    return rows


# ------------------------------------------------------------ marks on a line


def marks_on(line: int, span: Sequence[int], role: str, length: int) -> list[Mark]:
    """Return the mark of a span on a line of `length` characters, without the indentation of its later lines."""
    first, start, last, end = span
    if not first <= line <= last:
        return []
    start = start if line == first else 0
    end = min(end, length) if line == last else length
    return [Mark(start, end, role)] if end > start else []


def indentation(pieces: Row) -> int:
    """Return how many characters a line is indented."""
    text = "".join(piece for piece, _ in pieces)
    return len(text) - len(text.lstrip())


def marked(pieces: Row, marks: Iterable[Mark]) -> Row:
    """Return the line with the roles of the marks added, and tabs expanded."""
    result: list[Piece] = []
    marks = list(marks)
    bounds = sorted({edge for mark in marks for edge in (mark.start, mark.end)})
    start = 0
    for text, role in pieces:
        end = start + len(text)
        cuts = [start, *(edge for edge in bounds if start < edge < end), end]
        for a, b in pairwise(cuts):
            roles = [role, *(mark.role for mark in marks if mark.start <= a and b <= mark.end)]
            result.append((text[a - start : b - start].replace("\t", TAB), " ".join(roles)))
        start = end
    return tuple(result)


def _without_indentation(row: Row) -> Row:
    """Return a row without the spaces that it begins with."""
    start = next((at for at, (text, _role) in enumerate(row) if text.strip()), len(row))
    return tuple((text.lstrip() if at == 0 else text, role) for at, (text, role) in enumerate(row[start:]))


def windowed(row: Row, cells: int, wanted: str, glyphs: Glyphs) -> Row:
    """Return the row, shifted left if the part with the role `wanted` would be cut off."""
    start, end, column = -1, 0, 0
    for text, roles in row:
        if wanted in roles.split():
            start, end = (column if start < 0 else start), column + width(text)
        column += width(text)
    if end < cells or start < cells // 2:
        return row
    return _without_first(row, min(start - 4, column - cells + 1), glyphs)


def _without_first(row: Row, cells: int, glyphs: Glyphs) -> Row:
    """Return the row with its first cells replaced by an ellipsis."""
    if cells <= 1:
        return row
    result: list[Piece] = [(glyphs.more, "quiet")]
    cells_left = cells + 1
    for text, roles in row:
        while cells_left > 0 and text:
            cells_left -= width(text[0])
            text = text[1:]
        if text:
            result.append((text, roles))
    return tuple(result)


# ------------------------------------------------------------ the pane


_BACKWARD_KINDS = ("backward", "node", "accumulate", "captured", "retained", "hook", "backward_end")
_HANGING = 4
"""How many cells the further rows of a wrapped line are indented more than the first."""
_BEFORE_VALUE = 2
"""The least cells between the code and the values in its row."""
_MAX_MARKED_LINES = 12
"""A statement over more lines (a block) is marked on its first line only."""


class CodePane(Pane):
    """The lines of the program, or of the file that the current frame is in."""

    NAME = N_("code")
    CHOOSES = True

    def __init__(self) -> None:
        super().__init__()
        self.reveal: int | None = None
        """The last code cell to show; None shows all."""
        self._listings: dict[object, Listing] = {}
        self._listings_timeline: Timeline | None = None
        """The recording that the listings are of."""
        self._listing = Listing()
        self._places: dict[int, tuple[int, int]] = {}
        """By row: its file and line."""
        self._count = 0
        self._file = 1
        self._statement: Span | None = None
        self._part: tuple[Span, str] | None = None
        self._callers: set[int] = set()
        self._title: Row = ()
        self._now: int | None = None
        """The current line, as an index of the listing."""
        self._extra = 0
        """The further rows of the current line, which is wrapped."""
        self._values: dict[int, str] = {}
        """By line number: the values now of the names that are assigned there."""
        self._cell = 1
        self._at_end = False
        self._full: tuple[int, int] | None = None
        """File and line at which the recording was full, if the cursor is beyond that in the same cell."""
        self._gaps: set[tuple[int, int]] = set()
        """Files and lines of loops and calls that are not recorded whole, up to the last step that was looked at."""
        self._gaps_until = 0
        self._marked_at: int | None = None
        """The step at which the selection was moved."""

    def prepare(self) -> None:
        timeline = self.timeline
        if timeline is None:
            return
        state = timeline.state(self.cursor)
        view = timeline.view(self.cursor) if self.cursor else None
        self._statement = self._part = None
        self._full = self._full_at(view)
        if self._full is not None:
            self._file = self._full[0]
        elif view is not None:
            self._find_marks(view, state)
        listing, self._listing = self._listing, self._listing_of(self._file)
        if listing is not self._listing:
            self._places = {index: place for place, index in self._listing.index.items()}
        self._count = len(self._listing.lines)
        if self.reveal is not None:
            hidden = (index for index, line in enumerate(self._listing.lines) if line.cell > (self.reveal or 0))
            self._count = next(hidden, self._count)
        self._callers = self._calling_lines(state)
        self._find_gaps()
        line = None if self._statement is None else self._statement[0]
        if self._part is not None:
            line = self._part[0][0]
        self._now = None if line is None else self._listing.index.get((self._file, line))
        self._extra = len(self._wrapped(self._now, self.inner)) - 1 if self._now is not None else 0
        source = timeline.definitions.text(self._file)
        self._values = {} if source is None else assigned_values(source, state, self._file, self._statement)
        self._cell = (view.cell if view is not None else None) or 1
        self._at_end = view is not None and view.kind == "cell_end"
        self._title = self._heading(view, state)

    def _full_at(self, view: StepView | None) -> tuple[int, int] | None:
        """Return the place at which the recording was full: from there to the end of the cell, no line is current."""
        cut = None if self.timeline is None else self.timeline.cut
        if view is None or cut is None or view.kind not in ("cut", "cell_end"):
            return None
        assert self.timeline is not None
        last = self.timeline.view(cut)
        if last.site is None or last.line is None or last.cell != view.cell:
            return None
        return last.site.file, last.line

    def _find_marks(self, view: StepView, state: State) -> None:
        """Find the statement of this step, and the sub-expression that ran."""
        assert self.timeline is not None
        sites = self.timeline.sites
        if view.site is None:
            if isinstance(view.event, ev.Failed) and view.event.file is not None and view.event.span is not None:
                self._file, self._statement = view.event.file, view.event.span
                self._part = (view.event.span, "fault")
            return
        self._file = view.site.file
        statement = sites.get(view.site.statement, view.site)
        self._statement = statement.span
        if isinstance(view.event, ev.Failed) and view.event.span is not None:
            self._part = (view.event.span, "fault")
        elif view.kind in _BACKWARD_KINDS:
            self._part = (view.site.span, "back")
        elif view.kind == "op":
            self._part = (view.site.span, "here")

    def _listing_of(self, file: int) -> Listing:
        """Return the program if the file is part of it, else the file."""
        assert self.timeline is not None
        sources, document = self.timeline.sources, self.timeline.document
        if self._listings_timeline is not self.timeline:
            self._listings_timeline = self.timeline  # other runs may have other code
            self._listings.clear()
            self._gaps.clear()
            self._gaps_until = 0
        key = ("program", len([source for source in sources.values() if source.cell is not None]), document is None)
        if key not in self._listings:
            if document is None and not sources:
                return Listing()
            self._listings[key] = program_lines(document, sources)
        program = self._listings[key]
        source = sources.get(file)
        if file == 1 or source is None or source.cell is not None:
            return program
        if file not in self._listings:
            self._listings[file] = file_lines(source)
        return self._listings[file]

    def _calling_lines(self, state: State) -> set[int]:
        """Return the lines in this file that wait for a call to return."""
        assert self.timeline is not None
        lines = set()
        for frame in state.frames[:-1]:
            site = None if frame.site is None else self.timeline.sites.get(frame.site)
            if site is not None and site.file == self._file:
                lines.add(site.span[0])
        return lines

    def _find_gaps(self) -> None:
        """Find the lines with gaps before the cursor."""
        assert self.timeline is not None
        columns, sites = self.timeline.columns, self.timeline.sites
        for step in columns.gaps(self._gaps_until):
            if step > self.cursor:
                break
            self._gaps_until = step
            site = sites.get(columns.sites[step - 1])
            if site is not None:
                self._gaps.add((site.file, site.span[0]))

    def _heading(self, view: StepView | None, state: State) -> Row:
        assert self.timeline is not None
        file = function = iteration = ""
        source = self.timeline.sources.get(self._file)
        if source is not None and source.cell is None and self._file != 1:
            file = clean(PurePath(source.path).name)
        if view is not None and view.function and view.function != "<module>":
            function = clean(view.function) + "()"
        iterations = list(state.frames[-1].iterations.values()) if state.frames and view is not None else []
        if iterations:
            text = f" {self.glyphs.crumb} ".join(map(str, iterations))
            iteration = _(N_("iter {number}") if self.tabs else N_("iteration {number}"), number=text)
        if self._full is not None:
            iteration = _("full here")
        parts = ((file, "title strong"), (function, "title strong"), (iteration, "now"))
        return self.join_heading(*((part,) if part[0] else () for part in parts))

    def heading(self) -> Row:
        return self._title

    def count(self) -> int:
        return self.choices() + self._extra

    def choices(self) -> int:
        hidden = self._count < len(self._listing.lines)
        return self._count + hidden

    def row_of(self, choice: int) -> int | None:
        return choice if self._now is None or choice <= self._now else choice + self._extra

    def _line_at(self, row: int) -> tuple[int, int]:
        """Return the index of the line in a row, and which of its rows that is, from 0."""
        if self._now is None or row <= self._now:
            return row, 0
        inside = min(row - self._now, self._extra)
        return row - inside, inside if row - inside == self._now else 0

    def choice_at(self, index: int, column: int) -> int | None:
        line = self._line_at(index)[0]
        return line if line < self.choices() and self.subject(line) is not None else None

    def is_marked(self, index: int) -> bool:
        return self._line_at(index)[0] == self.chosen

    def first_choice(self) -> int:
        row = self.in_view()
        return self._line_at(self.top if row is None else row)[0]

    def last_row(self, row: int) -> int:
        return row + self._extra if row == self._now else row

    def in_view(self) -> int | None:
        if self._now is not None:
            return self._now
        if self._full is not None:
            return self._listing.index.get(self._full)
        if self.timeline is None or self._listing is not self._listing_of(1):  # resized before the first run
            return None
        if not self._at_end:
            return next((index for index, line in enumerate(self._listing.lines) if line.cell == self._cell), None)
        # Between two cells, show as much as possible of the next one.
        lines = [index for index, line in enumerate(self._listing.lines[: self._count]) if line.cell == self._cell + 1]
        return min(lines[-1], lines[0] + max(self.page - 2, 0)) if lines else self._count - 1

    def row(self, index: int, cells: int) -> Row:
        index, part = self._line_at(index)
        glyphs = self.glyphs
        if index >= self._count:
            return ((f"    {glyphs.more} {_('more after the question')}", "note"),)
        line = self._listing.lines[index]
        digits = self._gutter - 4
        if not line.number:
            label = f" {_('cell {number}', number=line.cell)} "
            return (
                (glyphs.rule * (digits + 3), "faint"),
                (label, "quiet"),
                (glyphs.rule * (cells - digits - 3 - width(label)), "faint"),
            )
        current = index == self._now
        linked_span = self._linked_span(index)
        is_full = self._full is not None and self._places.get(index) == self._full
        mark = (
            glyphs.full
            if is_full
            else glyphs.now
            if current
            else glyphs.caller
            if self._waiting(line.number)
            else glyphs.linked
            if linked_span
            else glyphs.gap
            if self._places.get(index) in self._gaps
            else " "
        )
        is_wrong = is_full or (current and self._part is not None and self._part[1] == "fault")
        role = "error" if is_wrong else {glyphs.linked: "linked", glyphs.gap: "quiet"}.get(mark, "now")
        number = (f"{line.number:>{digits}}", "error" if is_wrong else "now" if current else "quiet")
        gutter = ((mark + " ", role), number, ("  ", "plain"))
        rows = self._wrapped(index, cells)
        if part:
            gutter = ((" " * self._gutter, "plain"), ("", "plain"), ("", "plain"))
        row = (*gutter, *rows[min(part, len(rows) - 1)])
        value = self._values.get(line.number, "") if part == len(rows) - 1 else ""
        room = cells - row_width(row) - width(value)
        return (*row, (" " * room, "plain"), (value, "value")) if value and room >= _BEFORE_VALUE else row

    def _wrapped(self, index: int, cells: int) -> list[Row]:
        """Return a line with its marks: the current one in as many rows as it needs, the others in one."""
        line, linked_span = self._listing.lines[index], self._linked_span(index)
        marks = self._marks(line.number, line.pieces)
        if linked_span is not None:
            length = sum(len(text) for text, _ in line.pieces)
            marks += marks_on(line.number, linked_span, "linked", length)
        row = marked(line.pieces, marks)
        cells -= self._gutter
        if index != self._now or row_width(row) <= cells:
            return [row]
        indent = min(indentation(line.pieces), cells // 2)
        hanging = ((" " * (indent + _HANGING), "plain"),)
        rows = wrapped(_without_indentation(row), max(cells - indent - _HANGING, 1), after="([{,")
        if len(rows) <= max(self.page - 1, 1):
            return [((" " * indent, "plain"), *rows[0]), *((*hanging, *rest) for rest in rows[1:])]
        wanted = next((mark.role for mark in marks if mark.role != "statement"), "statement")
        return [windowed(row, cells, wanted, self.glyphs)]

    def _linked_span(self, index: int) -> Span | None:
        """Return the linked span if it covers this row."""
        if self.linked is None or self.linked.code is None:
            return None
        file, span = self.linked.code
        place = self._places.get(index)
        if place is None or place[0] != file:
            return None
        return span if span[0] <= place[1] <= min(span[2], span[0] + _MAX_MARKED_LINES) else None

    def linked_row(self) -> int | None:
        code = self.linked.code if self.linked is not None else None
        return None if code is None else self._listing.index.get((code[0], code[1][0]))

    def subject(self, index: int) -> tuple[str, int] | None:
        if index >= min(self._count, len(self._listing.lines)):
            return None
        place = self._places.get(index)
        return None if place is None else ("line", place[0] * LINE_STRIDE + place[1])

    def details(self) -> tuple[str, int] | None:
        return None

    def line(self) -> tuple[int, str] | None:
        """Return the number and the text of the selected line, or None."""
        if self.chosen is None or self.subject(self.chosen) is None:
            return None
        line = self._listing.lines[self.chosen]
        return line.number, "".join(text for text, _ in line.pieces)

    def mark(self, index: int | None) -> None:
        self._marked_at = self.cursor
        super().mark(index)

    def clipped_line(self) -> tuple[int, str] | None:
        """Return the selected line if it is too long for the pane, until the next step; else None."""
        line = self.line() if self.has_focus and self._marked_at == self.cursor else None
        is_whole = line is None or width(line[1]) + self._gutter <= self.inner or self.chosen == self._now
        return None if is_whole else line

    @property
    def _gutter(self) -> int:
        """The width of the gutter: marker and line number."""
        return max(len(str(self._listing.lines[-1].number)), 2) + 4

    def _waiting(self, number: int) -> bool:
        return number in self._callers

    def _marks(self, number: int, pieces: Row) -> list[Mark]:
        length = sum(len(text) for text, _ in pieces)
        indent = indentation(pieces)
        marks: list[Mark] = []
        spans: list[tuple[Span | None, str]] = [(self._statement, "statement")]
        if self._part is not None:
            spans.append(self._part)
        for span, role in spans:
            if span is None:
                continue
            if role == "statement" and span[2] - span[0] > _MAX_MARKED_LINES:
                span = (span[0], span[1], span[0], length)
            for mark in marks_on(number, span, role, length):
                marks.append(Mark(max(mark.start, indent), mark.end, mark.role))
        return marks
