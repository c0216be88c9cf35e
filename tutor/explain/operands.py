"""Pieces of the learner's source as operands: is it a number, does it need parentheses."""

from __future__ import annotations

import ast
from functools import lru_cache

from tutor.i18n import _

_ATOMS = (ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.List, ast.Tuple)


@lru_cache(maxsize=2048)
def literal(text: str | None) -> bool | int | float | None:
    """The number that a piece of source says, if it is one."""
    try:
        found = ast.literal_eval((text or "").strip())
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, (bool, int, float)) else None


@lru_cache(maxsize=2048)
def enclosed(text: str) -> str:
    """The source in parentheses, unless it binds as tightly as a name."""
    if text.isidentifier() or text.startswith("%") or text == "?":
        return text
    try:
        tree = ast.parse(text.removesuffix("ᵀ").replace("…", "_"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text if text.startswith("(") and _closes_at_end(text) else f"({text})"
    return text if isinstance(tree, _ATOMS) else f"({text})"


def _closes_at_end(text: str) -> bool:
    """Whether the parenthesis that a text begins with is closed by its last character."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            return place == len(text) - 1
    return False


def old(name: str) -> str:
    """What to call what a tensor held before it was changed in place."""
    return _("(old {name})", name=name)


def renewed(name: str) -> str:
    """The name that `old` was given."""
    before, _blank, after = _("(old {name})").partition("{name}")
    return name.removeprefix(before).removesuffix(after) if name.startswith(before) else name
