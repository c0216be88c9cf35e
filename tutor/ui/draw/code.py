"""The program as lines with roles, and the marks of what is running laid over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tutor.text_width import width
from tutor.trace.events import Document, Source
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.row import TAB, Piece, Row, clean


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
