"""The learner's source as text and as statements, looked up by place."""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_right

from tutor.trace.events import Span

Block = tuple[ast.stmt, int, int]
"""A statement, its first line (that of a decorator counts) and its last."""


class SourceText:
    """One file's text: `lines`, what stands in a span, and its statements (none where it does not parse)."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self._text = text
        self._blocks: list[Block] | None = None

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
            tree = parse(self._text)
            statements = [] if tree is None else [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
            self._blocks = sorted(
                ((node, _first_line(node), node.end_lineno or node.lineno) for node in statements),
                key=lambda block: (block[1], block[0].col_offset, -block[2]),
            )
        return self._blocks

    def covering(self, line: int) -> Block | None:
        """The innermost statement that covers the line; of several that begin there, the first."""
        found: Block | None = None
        for block in self.blocks[: bisect_right(self.blocks, line, key=lambda block: block[1])]:
            inner = found is None or block[2] - block[1] < found[2] - found[1]
            if block[2] >= line and inner:
                found = block
        return found

    def extent(self, line: int, column: int) -> tuple[int, int] | None:
        """The first and last line of the statement that begins there, column in characters."""
        for node, first, last in self.blocks:
            if node.lineno == line and self._characters(node) == column:
                return first, last
        return None

    def _characters(self, node: ast.stmt) -> int:
        """Where a node begins in its line, in characters: `ast` counts bytes."""
        return len(self.lines[node.lineno - 1].encode()[: node.col_offset].decode(errors="replace"))


def parse(text: str, mode: str = "exec") -> ast.AST | None:
    """The syntax tree, or None; quiet about escapes, and proof against text that no parser likes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])
