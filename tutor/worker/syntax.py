"""Questions about the learner's syntax tree: where a node stands, what it stores, what it may change."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from tutor.trace.events import Span


def source_lines(source: str) -> list[str]:
    """The lines as the compiler counts them (`splitlines` breaks at form feeds and other marks too)."""
    return source.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def span_of(node: ast.AST, lines: list[str]) -> Span:
    """Where a node stands, in characters (`ast` counts UTF-8 bytes)."""
    first, last = node.lineno, node.end_lineno or node.lineno  # type: ignore[attr-defined]
    return (
        first,
        characters(lines, first, node.col_offset),  # type: ignore[attr-defined]
        last,
        characters(lines, last, node.end_col_offset or 0),  # type: ignore[attr-defined]
    )


def characters(lines: list[str], line: int, column: int) -> int:
    """A column in characters, from one in UTF-8 bytes."""
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return column if text.isascii() else len(text.encode()[:column].decode(errors="ignore"))


def iterated(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.AST]]:
    """What each loop and comprehension iterates over, with that loop or comprehension."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For):
            yield node.iter, node
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            for part in node.generators:
                yield part.iter, node


def stored_names(targets: Iterable[ast.AST]) -> list[str]:
    """The plain names that an assignment to these targets stores."""
    names: list[str] = []
    for target in targets:
        if isinstance(target, ast.Name):
            names.append(target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            names += stored_names(target.elts)
        elif isinstance(target, ast.Starred):
            names += stored_names([target.value])
    return names


def declared_outer(scope: ast.AST) -> set[str]:
    """The names that a function declares `global` or `nonlocal`; those of functions within it are their own."""
    names: set[str] = set()
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Global | ast.Nonlocal):
            names.update(node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return names


def captured_names(pattern: ast.pattern) -> list[str]:
    names = []
    for node in ast.walk(pattern):
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if isinstance(name, str):
            names.append(name)
    return names


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def split_docstring(body: list[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    if isinstance(body[0], ast.Expr) and is_text(body[0].value):
        return body[:1], body[1:]
    return [], body


def has_call(node: ast.AST) -> bool:
    return any(isinstance(child, ast.Call | ast.Await | ast.Yield | ast.YieldFrom) for child in ast.walk(node))


def may_change_containers(node: ast.stmt) -> bool:
    """Whether a list, dict, module or object may hold other tensors after this statement.

    Functions of the learner's look for themselves when they are left, so calls of these names matter only where they
    are torch's or Python's own.
    """
    for child in ast.walk(node):
        if isinstance(child, ast.Call):
            callee = child.func
            if isinstance(callee, ast.Attribute):
                if not (callee.attr in _HARMLESS or (callee.attr.endswith("_") and not child.keywords)):
                    return True
            elif not (isinstance(callee, ast.Name) and callee.id in _HARMLESS):
                return True
        elif isinstance(child, ast.Await | ast.Yield | ast.YieldFrom | ast.ClassDef):
            return True
        elif isinstance(child, ast.Attribute) and not isinstance(child.ctx, ast.Load):
            if child.attr not in ("data", "grad", "requires_grad"):
                return True
        elif isinstance(child, ast.Subscript) and not isinstance(child.ctx, ast.Load):
            return True
        elif isinstance(child, ast.AugAssign) and isinstance(child.target, ast.Name):
            return True  # `params += [w]`
    return False


_HARMLESS = {
    "backward", "item", "tolist", "no_grad", "enable_grad", "zero_grad", "print", "range", "zip", "len", "enumerate",
    "float", "int", "abs", "sum", "mean", "manual_seed", "detach", "format",
}  # fmt: skip
