"""The program as lines with roles, and the marks of what is running laid over them.

The code pane: the statement and the sub-expression that just ran, in the file in which they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath

from tutor.i18n import N_, _
from tutor.text_width import width
from tutor.trace import events as ev
from tutor.trace.events import Document, Source, Span
from tutor.trace.state import State
from tutor.trace.timeline import StepView, Timeline
from tutor.ui.panes.base import Pane
from tutor.ui.panes.highlight import LINES
from tutor.ui.render.segments import TAB, Glyphs, Piece, Row, clean


@dataclass(frozen=True)
class CodeLine:
    """A line of a file, or (number 0) a rule between cells."""

    number: int
    pieces: Row
    cell: int = 0


@dataclass
class Listing:
    """Lines in the order shown, and where each line of each file stands among them."""

    lines: list[CodeLine] = field(default_factory=list)
    index: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, file: int, first: int, text: str, cell: int = 0) -> None:
        """The lines of a piece of code that begins in line `first` of a file."""
        for number, pieces in enumerate(coloured(text), first):
            self.index[file, number] = len(self.lines)
            self.lines.append(CodeLine(number, pieces, cell))


@dataclass(frozen=True)
class Mark:
    """A stretch of a line, in characters, with the role laid over it."""

    start: int
    end: int
    role: str


def program_lines(document: Document | None, sources: dict[int, Source]) -> Listing:
    """What is run: the code cells of a lesson with their own line numbers and no prose between, or the whole file."""
    listing = Listing()
    # What checks an exercise, and what solves it, is not for the learner to read here.
    shown = [cell for cell in document.cells if cell.get("kind") not in ("solution", "check")] if document else []
    cells = [cell for cell in shown if cell.get("number") is not None]
    by_cell = {source.cell: file for file, source in sources.items() if source.cell is not None}
    if not cells:
        return whole(sources.get(1))
    for cell in cells:
        number = cell["number"]
        text = str(cell.get("source", "")).rstrip()
        first = 1 if by_cell else int(cell.get("first_line", 1))
        file = by_cell.get(number, -number) if by_cell else 1
        if len(cells) > 1:
            listing.lines.append(CodeLine(0, (), number))
        listing.add(file, first, text, number)
    return listing


def whole(source: Source | None) -> Listing:
    """All of a file."""
    listing = Listing()
    if source is not None:
        listing.add(source.file, 1, source.text.rstrip())
    return listing


def coloured(text: str) -> list[Row]:
    """The lines of Python code, with the roles of its words."""
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
    start, at = 0, 0
    for line in lines:
        end = start + len(line)
        pieces: list[Piece] = []
        column = start
        while at < len(spans) and spans[at][0] < end:
            first, last, role = spans[at]
            first = max(first, column)
            if first > column:
                pieces.append((line[column - start : first - start], "code"))
            pieces.append((line[first - start : min(last, end) - start], role))
            column = min(last, end)
            if last > end:
                break  # a string over several lines
            at += 1
        if column < end:
            pieces.append((line[column - start :], "code"))
        rows.append(tuple(piece for piece in pieces if piece[0]))
        while at < len(spans) and spans[at][1] <= end:
            at += 1
        start = end + 1
    return rows


def marks_on(line: int, span: Sequence[int], role: str, length: int) -> list[Mark]:
    """The stretch of a line of `length` characters that a span covers; not the indentation of its later lines."""
    first, start, last, end = span
    if not first <= line <= last:
        return []
    start = start if line == first else 0
    end = min(end, length) if line == last else length
    return [Mark(start, end, role)] if end > start else []


def indented(pieces: Row) -> int:
    """How many characters of a line are indentation."""
    text = "".join(piece for piece, _ in pieces)
    return len(text) - len(text.lstrip())


def marked(pieces: Row, marks: Iterable[Mark]) -> Row:
    """The line with the roles of the marks added to what they cover; tabs become spaces."""
    out: list[Piece] = []
    marks = list(marks)
    edges = sorted({edge for mark in marks for edge in (mark.start, mark.end)})
    at = 0
    for text, role in pieces:
        end = at + len(text)
        cuts = [at, *(edge for edge in edges if at < edge < end), end]
        for a, b in pairwise(cuts):
            roles = [role, *(mark.role for mark in marks if mark.start <= a and b <= mark.end)]
            out.append((text[a - at : b - at].replace("\t", TAB), " ".join(roles)))
        at = end
    return tuple(out)


def windowed(row: Row, cells: int, wanted: str, glyphs: Glyphs) -> Row:
    """The row moved to the left where what has the role `wanted` would be cut off: what is now stays in view."""
    start, end, at = -1, 0, 0
    for text, roles in row:
        if wanted in roles.split():
            start, end = (at if start < 0 else start), at + width(text)
        at += width(text)
    if end < cells or start < cells // 2:
        return row
    return _without(row, min(start - 4, at - cells + 1), glyphs)


def _without(row: Row, cells: int, glyphs: Glyphs) -> Row:
    """The row without its first cells, which a mark stands for."""
    if cells <= 1:
        return row
    out: list[Piece] = [(glyphs.more, "quiet")]
    left = cells + 1
    for text, roles in row:
        while left > 0 and text:
            left -= width(text[0])
            text = text[1:]
        if text:
            out.append((text, roles))
    return tuple(out)


_PASS = ("backward", "node", "accumulate", "captured", "retained", "hook", "backward_end")
_TALL = 12
"""A statement over more lines than this is marked at its first line only: it is a block."""


class CodePane(Pane):
    """The lines of the program, or of the file that the current frame is in."""

    NAME = N_("code")
    CHOOSES = True

    def __init__(self) -> None:
        super().__init__()
        self.reveal: int | None = None
        """The last code cell to show; None shows all."""
        self._listings: dict[object, Listing] = {}
        self._of: Timeline | None = None
        """Whose listings these are."""
        self._listing = Listing()
        self._places: dict[int, tuple[int, int]] = {}
        """The file and the line that stand in a row."""
        self._count = 0
        self._file = 1
        self._statement: Span | None = None
        self._part: tuple[Span, str] | None = None
        self._callers: set[int] = set()
        self._title: Row = ()
        self._now: int | None = None
        self._cell = 1
        self._at_end = False
        self._full: tuple[int, int] | None = None
        """The file and the line where the recording was full, if that was up to here in this cell."""
        self._looked: int | None = None
        """The step at which the mark was put where it is."""

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
            shown = (at for at, line in enumerate(self._listing.lines) if line.cell > (self.reveal or 0))
            self._count = next(shown, self._count)
        self._callers = self._calling(state)
        line = None if self._statement is None else self._statement[0]
        if self._part is not None:
            line = self._part[0][0]
        self._now = None if line is None else self._listing.index.get((self._file, line))
        self._cell = (view.cell if view is not None else None) or 1
        self._at_end = view is not None and view.kind == "cell_end"
        self._title = self._heading(view, state)

    def _full_at(self, view: StepView | None) -> tuple[int, int] | None:
        """Where the recording was full: what one sees from there to the end of the cell is of no other line."""
        cut = None if self.timeline is None else self.timeline.cut
        if view is None or cut is None or view.kind not in ("cut", "cell_end"):
            return None
        assert self.timeline is not None
        here = self.timeline.view(cut)
        if here.site is None or here.line is None or here.cell != view.cell:
            return None
        return here.site.file, here.line

    def _find_marks(self, view: StepView, state: State) -> None:
        """The statement around this step, and the part of it that ran."""
        assert self.timeline is not None
        sites = self.timeline.sites
        if view.site is None:
            if isinstance(view.event, ev.Failed) and view.event.file is not None and view.event.span is not None:
                self._file, self._statement = view.event.file, view.event.span
                self._part = (view.event.span, "back")
            return
        self._file = view.site.file
        statement = sites.get(view.site.statement, view.site)
        self._statement = statement.span
        if isinstance(view.event, ev.Failed) and view.event.span is not None:
            self._part = (view.event.span, "back")
        elif view.kind in _PASS:
            self._part = (view.site.span, "back")
        elif view.kind == "op":
            self._part = (view.site.span, "here")

    def _listing_of(self, file: int) -> Listing:
        """The program where the file is a part of it; else all of the file."""
        assert self.timeline is not None
        sources, document = self.timeline.sources, self.timeline.document
        if self._of is not self.timeline:
            self._of = self.timeline  # another run may have other code
            self._listings.clear()
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
            self._listings[file] = whole(source)
        return self._listings[file]

    def _calling(self, state: State) -> set[int]:
        """The lines, in this file, of the statements that wait for a call to return."""
        assert self.timeline is not None
        lines = set()
        for frame in state.frames[:-1]:
            site = None if frame.site is None else self.timeline.sites.get(frame.site)
            if site is not None and site.file == self._file:
                lines.add(site.span[0])
        return lines

    def _heading(self, view: StepView | None, state: State) -> Row:
        assert self.timeline is not None
        file = function = turn = ""
        source = self.timeline.sources.get(self._file)
        if source is not None and source.cell is None and self._file != 1:
            file = clean(PurePath(source.path).name)
        if view is not None and view.function and view.function != "<module>":
            function = clean(view.function) + "()"
        turns = list(state.frames[-1].iterations.values()) if state.frames and view is not None else []
        if turns:
            text = f" {self.glyphs.crumb} ".join(map(str, turns))
            turn = _(N_("turn {number}") if self.tabs else N_("iteration {number}"), number=text)
        if self._full is not None:
            turn = _("full here")
        parts = ((file, "title strong"), (function, "title strong"), (turn, "now"))
        return self.parted(*((part,) if part[0] else () for part in parts))

    def heading(self) -> Row:
        return self._title

    def count(self) -> int:
        hidden = self._count < len(self._listing.lines)
        return self._count + hidden

    def in_view(self) -> int | None:
        if self._now is not None:
            return self._now
        if self._full is not None:
            return self._listing.index.get(self._full)
        if self.timeline is None or self._listing is not self._listing_of(1):  # a resize may come before the first run
            return None
        if not self._at_end:
            return next((at for at, line in enumerate(self._listing.lines) if line.cell == self._cell), None)
        # Between two cells: of the one that comes next as much as there is room for.
        lines = [at for at, line in enumerate(self._listing.lines[: self._count]) if line.cell == self._cell + 1]
        return min(lines[-1], lines[0] + max(self.page - 2, 0)) if lines else self._count - 1

    def row(self, index: int, cells: int) -> Row:
        g = self.glyphs
        if index >= self._count:
            return ((f"    {g.more} {_('more after the question')}", "note"),)
        line = self._listing.lines[index]
        size = self._gutter - 4
        if not line.number:
            label = f" {_('cell {number}', number=line.cell)} "
            return (
                (g.rule * (size + 3), "faint"),
                (label, "quiet"),
                (g.rule * (cells - size - 3 - width(label)), "faint"),
            )
        current = index == self._now
        linked = self._linked_span(index)
        full = self._full is not None and self._places.get(index) == self._full
        mark = (
            g.full
            if full
            else g.now
            if current
            else g.caller
            if self._waiting(line.number)
            else g.linked
            if linked
            else " "
        )
        role = "error" if full else "now" if mark != g.linked else "linked"
        number = (f"{line.number:>{size}}", "error" if full else "now" if current else "quiet")
        gutter = ((mark + " ", role), number, ("  ", "plain"))
        marks = self._marks(line.number, line.pieces)
        if linked is not None:
            length = sum(len(text) for text, _ in line.pieces)
            marks += marks_on(line.number, linked, "linked", length)
        row = marked(line.pieces, marks) if marks else marked(line.pieces, ())
        wanted = next((m.role for m in marks if m.role != "statement"), "statement")
        return (*gutter, *(windowed(row, cells - size - 4, wanted, g) if current else row))

    def _linked_span(self, index: int) -> Span | None:
        """What is linked, where a part of it stands in this line."""
        if self.linked is None or self.linked.code is None:
            return None
        file, span = self.linked.code
        place = self._places.get(index)
        inside = place is not None and place[0] == file and span[0] <= place[1] <= min(span[2], span[0] + _TALL)
        return span if inside else None

    def linked_row(self) -> int | None:
        code = self.linked.code if self.linked is not None else None
        return None if code is None else self._listing.index.get((code[0], code[1][0]))

    def subject(self, index: int) -> tuple[str, int] | None:
        if index >= min(self._count, len(self._listing.lines)):
            return None
        place = self._places.get(index)
        return None if place is None else ("line", place[0] * LINES + place[1])

    def details(self) -> tuple[str, int] | None:
        return None

    def line(self) -> tuple[int, str] | None:
        """The number and the text of the line under the mark."""
        if self.chosen is None or self.subject(self.chosen) is None:
            return None
        line = self._listing.lines[self.chosen]
        return line.number, "".join(text for text, _ in line.pieces)

    def mark(self, index: int | None) -> None:
        self._looked = self.cursor
        super().mark(index)

    def cut_line(self) -> tuple[int, str] | None:
        """The same, where there is no room for all of it and one looks at it, until the next step."""
        line = self.line() if self.has_focus and self._looked == self.cursor else None
        return None if line is None or width(line[1]) + self._gutter <= self.inner else line

    @property
    def _gutter(self) -> int:
        """The cells before the code: marks and the number."""
        return max(len(str(self._listing.lines[-1].number)), 2) + 4

    def _waiting(self, number: int) -> bool:
        return number in self._callers

    def _marks(self, number: int, pieces: Row) -> list[Mark]:
        length = sum(len(text) for text, _ in pieces)
        indent = indented(pieces)
        marks: list[Mark] = []
        spans: list[tuple[Span | None, str]] = [(self._statement, "statement")]
        if self._part is not None:
            spans.append(self._part)
        for span, role in spans:
            if span is None:
                continue
            if role == "statement" and span[2] - span[0] > _TALL:
                span = (span[0], span[1], span[0], length)
            clipped: Callable[[Mark], Mark] = lambda mark: Mark(max(mark.start, indent), mark.end, mark.role)  # noqa: E731
            marks += [clipped(mark) for mark in marks_on(number, span, role, length)]
        return marks
