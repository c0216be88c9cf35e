"""The learner's source as text and as statements, looked up by place."""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_right
from collections.abc import Iterator

from tutor.trace.events import Span

Block = tuple[ast.stmt, int, int]
"""A statement, its first line (that of a decorator counts) and its last."""


_INNER = (ast.stmt, ast.ExceptHandler, ast.match_case)
_HEADER = (ast.expr, ast.arguments, ast.withitem, ast.keyword)


class SourceText:
    """One file's text: `lines`, what stands in a span, and its statements (none where it does not parse)."""

    def __init__(self, text: str, most: int | None = None) -> None:
        """Of more than `most` characters no statements are looked for: it would take hundreds of times as much."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")  # as the compiler counts lines
        self.lines = text.split("\n")
        self._text = text
        self._is_read = most is None or len(text) <= most
        self._blocks: list[Block] | None = None

    def __len__(self) -> int:
        return len(self._text)

    def slice(self, span: Span) -> str | None:
        """What stands there, or None outside of the text."""
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
        """The statements that cover a line, the innermost first; of several that are as long, the last first."""
        before = self.blocks[: bisect_right(self.blocks, line, key=lambda block: block[1])]
        found = [block for block in reversed(before) if block[2] >= line]
        return sorted(found, key=lambda block: block[2] - block[1])

    def start(self, node: ast.stmt) -> tuple[int, int]:
        """Where a statement begins (not its decorators): line, and column in characters."""
        return node.lineno, self._characters(node.lineno, node.col_offset)

    def extent(self, line: int, column: int) -> tuple[int, int] | None:
        """The first and last line of the statement that begins there, column in characters."""
        for node, first, last in self.blocks:
            if self.start(node) == (line, column):
                return first, last
        return None

    def header(self, span: Span) -> Span:
        """Of a compound statement the part before its body, colon included; of any other all of it."""
        first, start, last, _ = span
        if first == last or not 1 <= first <= last <= len(self.lines):
            return span
        for node, _, _ in self.blocks:
            if self.start(node) == (first, start):
                inner = next((part for part in ast.iter_child_nodes(node) if isinstance(part, _INNER)), None)
                return span if inner is None else self._colon(node, span)
        return span

    def _colon(self, node: ast.stmt, span: Span) -> Span:
        """From the start of a span to the first colon after what stands in a statement's header."""
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
        """A column in characters: `ast` counts bytes."""
        text = self.lines[line - 1]
        return column if text.isascii() else len(text.encode()[:column].decode(errors="replace"))


def parse(text: str, mode: str = "exec") -> ast.AST | None:
    """The syntax tree, or None; quiet about escapes, and proof against text that no parser likes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _in_header(node: ast.stmt) -> Iterator[ast.AST]:
    """All nodes in the header of a compound statement."""
    decorators = getattr(node, "decorator_list", [])
    for part in ast.iter_child_nodes(node):
        if isinstance(part, _HEADER) and part not in decorators:
            yield from ast.walk(part)


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])
