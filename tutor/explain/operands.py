"""What stands in the code for each argument of an operation."""

from __future__ import annotations

import ast
from functools import lru_cache

# The operators whose two sides are an operation's first two arguments; reflected ones (`1 - w`) have them swapped.
_REFLECTED = ("radd", "rsub", "rmul", "rtruediv", "rdiv", "rpow", "rmatmul", "rfloordiv", "rmod")
_ATOMS = (ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Call)


@lru_cache(maxsize=2048)
def operand_texts(source: str | None, op: str) -> tuple[str, ...]:
    """The source of the arguments in their order, the object of a method call first; empty where that is not clear."""
    try:
        tree = ast.parse((source or "").strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    if len(tree.body) != 1:
        return ()
    statement = tree.body[0]
    if isinstance(statement, ast.AugAssign):
        return _texts([statement.target, statement.value])
    if not isinstance(statement, ast.Expr):
        return ()
    expression = statement.value
    if isinstance(expression, ast.BinOp):
        sides: list[ast.expr] = [expression.left, expression.right]
        return _texts(sides[::-1] if op in _REFLECTED else sides)
    if isinstance(expression, ast.UnaryOp):
        return _texts([expression.operand])
    if isinstance(expression, ast.Call) and not any(isinstance(item, ast.Starred) for item in expression.args):
        return _texts([*_object(expression.func), *expression.args])
    return ()


def _object(function: ast.expr) -> list[ast.expr]:
    """What a method is called on; nothing for `torch.exp` and `F.relu`, whose object is a module."""
    if isinstance(function, ast.Attribute):
        base = function.value
        while isinstance(base, ast.Attribute):
            base = base.value
        if not (isinstance(base, ast.Name) and base.id in ("torch", "F", "nn", "functional", "np", "math")):
            return [function.value]
    return []


def _texts(expressions: list[ast.expr]) -> tuple[str, ...]:
    return tuple(ast.unparse(item) if isinstance(item, _ATOMS) else f"({ast.unparse(item)})" for item in expressions)


def literal(text: str | None) -> bool | int | float | None:
    """The number that a piece of source says, if it is one."""
    try:
        found = ast.literal_eval((text or "").strip())
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, (bool, int, float)) else None
