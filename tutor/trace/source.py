"""Source text: the code in a span, the statements around a line, the header of a compound statement."""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_right
from collections.abc import Iterator

from tutor.trace.events import Span

Block = tuple[ast.stmt, int, int]
"""A statement, its first line (decorators included) and its last line."""


_INNER = (ast.stmt, ast.ExceptHandler, ast.match_case)
_HEADER = (ast.expr, ast.arguments, ast.withitem, ast.keyword)


class SourceText:
    """The text of a file, its lines, and its statements (none if it cannot be parsed)."""

    def __init__(self, text: str, most: int | None = None) -> None:
        """Wrap a text. One of more than `most` characters is not parsed: a tree takes hundreds of times its memory."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")  # as the compiler counts lines
        self.lines = text.split("\n")
        self._text = text
        self._is_read = most is None or len(text) <= most
        self._blocks: list[Block] | None = None

    def __len__(self) -> int:
        return len(self._text)

    def slice(self, span: Span) -> str | None:
        """Return the code in a span, or None if the span is outside of the text."""
        first, start, last, end = span
        if not 1 <= first <= last <= len(self.lines) or min(start, end) < 0:
            return None
        if first == last:
            return self.lines[first - 1][start:end]
        middle = self.lines[first : last - 1]
        return "\n".join([self.lines[first - 1][start:], *middle, self.lines[last - 1][:end]])

    @property
    def blocks(self) -> list[Block]:
        """All statements, in the order of the text."""
        if self._blocks is None:
            tree = parse(self._text) if self._is_read else None
            statements = [] if tree is None else [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
            self._blocks = sorted(
                ((node, _first_line(node), node.end_lineno or node.lineno) for node in statements),
                key=lambda block: (block[1], block[0].col_offset, -block[2]),
            )
        return self._blocks

    def covering(self, line: int) -> list[Block]:
        """Return the statements that cover a line, innermost first; of several of the same length, the last first."""
        before = self.blocks[: bisect_right(self.blocks, line, key=lambda block: block[1])]
        covering = [block for block in reversed(before) if block[2] >= line]
        return sorted(covering, key=lambda block: block[2] - block[1])

    def start(self, node: ast.stmt) -> tuple[int, int]:
        """Return the line and the column (in characters) at which a statement begins, without its decorators."""
        return node.lineno, self._characters(node.lineno, node.col_offset)

    def extent(self, line: int, column: int) -> tuple[int, int] | None:
        """Return the first and last line of the statement that begins at this place; None if none does."""
        for node, first, last in self.blocks:
            if self.start(node) == (line, column):
                return first, last
        return None

    def header(self, span: Span) -> Span:
        """Return the span of a compound statement up to the colon before its body; of others, the whole span."""
        first, start, last, _ = span
        if first == last or not 1 <= first <= last <= len(self.lines):
            return span
        for node, _, _ in self.blocks:
            if self.start(node) == (first, start):
                inner = next((part for part in ast.iter_child_nodes(node) if isinstance(part, _INNER)), None)
                return span if inner is None else self._colon(node, span)
        return span

    def _colon(self, node: ast.stmt, span: Span) -> Span:
        """Return the span from its start to the first colon after the expressions in a statement's header."""
        line, column = span[0], span[1]
        for part in _in_header(node):
            last, end = getattr(part, "end_lineno", None), getattr(part, "end_col_offset", None)
            if last is not None and end is not None:
                line, column = max((line, column), (last, self._characters(last, end)))
        for number in range(line, span[2] + 1):
            place = self.lines[number - 1].find(":", column if number == line else 0)
            if place >= 0:
                return span[0], span[1], number, place + 1
        return span

    def _characters(self, line: int, column: int) -> int:
        """Convert a column from bytes, which `ast` counts, to characters."""
        text = self.lines[line - 1]
        return column if text.isascii() else len(text.encode()[:column].decode(errors="replace"))


def parse(text: str, mode: str = "exec") -> ast.AST | None:
    """Return the syntax tree of a text, without warnings, or None if it cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _in_header(node: ast.stmt) -> Iterator[ast.AST]:
    """Yield all nodes in the header of a compound statement."""
    decorators = getattr(node, "decorator_list", [])
    for part in ast.iter_child_nodes(node):
        if isinstance(part, _HEADER) and part not in decorators:
            yield from ast.walk(part)


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])
