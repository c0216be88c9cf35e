"""Plain twins: copies of loop bodies and functions without the recorder's calls, chosen by a `Gate` while they run.

Rewritten code holds both: `if gate.plain or gate.tick(site): <plain> else: <recorded>`; at the head of a function it is
`gate.calls[site]()`. The plain copy shares the
expressions of the recorded one, so positions in tracebacks are the same.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from typing import Any

from tutor.recorder.unrecorded import Unrecorded

_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_SUSPENDS = ast.Yield | ast.YieldFrom | ast.Await | ast.AsyncFor | ast.AsyncWith


class Calls(dict[int, Callable[[], Any]]):
    """By the site of a function's definition: what is called as the function is; returns whether the call runs plain.

    Attributes:
        begins: Makes that for a function that is called for the first time.
    """

    begins: Callable[[int], Callable[[], Any]] = staticmethod(lambda site: bool)

    def __missing__(self, site: int) -> Callable[[], Any]:
        begins = self[site] = self.begins(site)
        return begins


class Gate:
    """Says which copy runs.

    Attributes:
        full: Whether the budget is used up: plain copies run, for good.
        plain: Whether all functions that are called now run plain.
        calls: Says it of a function that is called now, where `plain` does not.
        tick: Called with the site of a `for` as an iteration begins; returns whether it runs plain.
        tick_while: The same for a `while`.
        losses: Whether the scalars that a function returns may be losses: past the budget, once a pass has run.
    """

    __slots__ = ("calls", "full", "losses", "plain", "tick", "tick_while")

    def __init__(self, tick: Callable[[int], Any], tick_while: Callable[[int], Any] | None = None) -> None:
        self.full = self.plain = self.losses = False
        self.calls = Calls()
        self.tick = tick
        self.tick_while = tick_while or tick

    def __reduce__(self) -> tuple[type[Unrecorded], tuple[()]]:
        """Pickle as an object by which plain copies run."""
        return Unrecorded, ()


def has_scope(body: list[ast.stmt], in_module: bool) -> bool:
    """Return whether statements define functions or classes, or are a module's with `global`: these have no twin."""
    return _has(body, _SCOPES | ast.Global if in_module else _SCOPES)


def suspends(nodes: list[Any]) -> bool:
    """Return whether statements or expressions may leave their frame and come back to it: `yield`, `await`."""
    return _has(nodes, _SUSPENDS) or any(
        isinstance(node, ast.comprehension) and node.is_async for part in nodes for node in ast.walk(part)
    )


def _has(nodes: list[Any], kinds: Any) -> bool:
    return any(isinstance(node, kinds) for part in nodes for node in ast.walk(part))


class PlainCopier:
    """Copies statements, to stay as they are when the others are rewritten in place.

    Args:
        shared: Whether expressions can be shared with the rewritten statements, which change only those with `:=`.
        caught: Returns the statement that begins an `except`.
        returned: Returns the statement that reports names which are about to be returned.
    """

    def __init__(
        self,
        shared: bool,
        caught: Callable[[ast.AST], ast.stmt],
        returned: Callable[[list[ast.Name], ast.stmt], ast.stmt],
    ) -> None:
        self._shared = shared
        self._caught = caught
        self._returned = returned

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Return copies of statements."""
        statements: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, ast.Global | ast.Nonlocal):
                continue  # at the head of the function
            names = _plain_names(statement.value) if isinstance(statement, ast.Return) else []
            if names:
                statements.append(self._returned(names, statement))
            statements.append(self._statement(statement))
        return statements

    def _statement(self, statement: ast.stmt) -> ast.stmt:
        if not self._shared:
            statement = copy.deepcopy(statement)
        new: Any = _shallow(statement)
        for field in ("body", "orelse", "finalbody"):
            if getattr(statement, field, None):
                setattr(new, field, self.block(getattr(statement, field)) or [_pass(statement)])
        for field in ("handlers", "cases"):
            if getattr(statement, field, None):
                setattr(new, field, [self._branch(branch) for branch in getattr(statement, field)])
        return new  # type: ignore[no-any-return]

    def _branch(self, branch: Any) -> Any:
        new = _shallow(branch)
        new.body = self.block(branch.body) or [_pass(branch.body[0])]
        if isinstance(branch, ast.ExceptHandler):
            new.body.insert(0, self._caught(branch))
        return new


def _shallow(node: ast.AST) -> Any:
    new = type(node)()
    new.__dict__.update(node.__dict__)
    return new


def _pass(at: ast.AST) -> ast.stmt:
    return ast.copy_location(ast.Pass(), at)


def _plain_names(value: ast.expr | None) -> list[ast.Name]:
    """Return the names in an expression of names, constants, tuples and arithmetic; none for another expression."""
    names: list[ast.Name] = []
    waiting: list[ast.AST] = [] if value is None else [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            names.append(node)
        elif isinstance(node, ast.Tuple | ast.BinOp | ast.UnaryOp):
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        elif not isinstance(node, ast.Constant):
            return []
    return names[::-1]
