"""A learner's answer to a question, read and compared with what the run gave."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tutor.i18n import _

TOLERANCE = 1e-3
"""Relative to the right number."""
NOISE = 1e-6
"""What is left of a zero after some arithmetic: so far apart numbers may always be."""
LONGEST = 2_000
"""Characters of what can be an answer."""

_WORDS = {"true": True, "false": False, "none": None}
_NOT_FINITE = ("nan", "inf", "infinity")
_LIBRARIES = ("math", "torch", "np", "numpy")


class AnswerError(ValueError):
    """What was typed is no answer; the text says what one looks like."""

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or _("An answer is a number, a list such as [1, 2], True, False or None."))


def read(text: str, question: str | None, options: int, lines: range | None = None) -> Any:
    """What was typed as the answer to a question of this kind, with so many options or about these lines.
    Raises AnswerError."""
    found = parse(text)
    if question == "line" and (type(found) is not int or (lines and found not in lines)):
        if not lines:
            raise AnswerError(_("The answer is the number of a line."))
        raise AnswerError(_("The answer is a line from {first} to {last}.", first=lines[0], last=lines[-1]))
    if options and (type(found) is not int or not 1 <= found <= options):
        raise AnswerError(_("Choose a number from 1 to {count}.", count=options))
    return found


def parse(text: str) -> Any:
    """A number, nan and inf among them, a nested list, `True`, `False` or `None`; `tensor([5.])` is what it holds.
    Raises AnswerError."""
    typed = text.strip()
    inner = re.fullmatch(r"(?:torch\.)?tensor\((.*)\)", typed, re.DOTALL)
    typed = inner[1].strip() if inner else typed
    if typed.lower() in _WORDS:
        return _WORDS[typed.lower()]
    try:
        found = _value(ast.parse(typed if len(typed) <= LONGEST else "", mode="eval").body)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise AnswerError from None
    if not _is_answer(found):
        raise AnswerError
    return found


def _value(node: ast.expr) -> Any:
    """What a literal holds; nan and inf as they are printed (`nan`) and as one writes them in code (`math.nan`,
    `float('nan')`)."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        held = _value(node.operand)
        return -held if isinstance(node.op, ast.USub) else +held
    word: object = None
    if isinstance(node, ast.Name):
        word = node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in _LIBRARIES:
        word = node.attr
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "float" and len(node.args) == 1:
        word = str(ast.literal_eval(node.args[0])).strip().lstrip("+")
        if word.startswith("-"):
            return -_not_finite(word[1:])
    return _not_finite(word) if isinstance(word, str) else ast.literal_eval(node)


def _not_finite(word: str) -> float:
    if word.lower() not in _NOT_FINITE:
        raise ValueError(word)
    return float(word)


def _is_answer(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_answer(item) for item in value)
    return value is None or isinstance(value, (bool, int, float))


def matches(given: Any, right: Any) -> bool:
    """Whether an answer is right: `5` is for `[5.0]`; numbers may differ by a thousandth of the right one."""
    return _same(unwrap(given), unwrap(right))


def matches_line(given: Any, first: int, last: int | None) -> bool:
    """Whether a line is one of the statement's that a question "which line?" asks for."""
    return type(given) is int and first <= given <= (first if last is None else last)


class Element(NamedTuple):
    """One number of an answer beside the right one."""

    place: tuple[int, ...]
    """Its indices, from 0."""
    given: Any
    right: Any
    ok: bool


def elements(given: Any, right: Any) -> list[Element] | None:
    """An answer and the right one, element by element; None where they have different shapes."""
    given, right = unwrap(given), unwrap(right)
    if _shape(given) != _shape(right):
        return None
    return [Element(place, mine, theirs, _same(mine, theirs)) for place, mine, theirs in _pairs(given, right, ())]


def partly_right(given: Any, right: Any) -> list[Element]:
    """The elements of a wrong answer of which some are right; empty where there is nothing to tell apart."""
    found = elements(given, right) or []
    return found if any(each.ok for each in found) and not all(each.ok for each in found) else []


def _shape(value: Any) -> Any:
    return [_shape(item) for item in value] if isinstance(value, (list, tuple)) else None


def _pairs(given: Any, right: Any, place: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
    if not isinstance(right, (list, tuple)):
        yield place, given, right
        return
    for at, (mine, theirs) in enumerate(zip(given, right, strict=True)):
        yield from _pairs(mine, theirs, (*place, at))


def unwrap(value: Any) -> Any:
    """What stands in a list of one."""
    while isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    return value


def _same(given: Any, right: Any) -> bool:
    if isinstance(right, (list, tuple)):
        if not isinstance(given, (list, tuple)) or len(given) != len(right):
            return False
        return all(_same(mine, theirs) for mine, theirs in zip(given, right, strict=True))
    if isinstance(right, bool) or right is None or not isinstance(right, (int, float)):
        return given is right or (isinstance(right, str) and str(given) == right)
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return False
    if not math.isfinite(right):
        return given == right or (math.isnan(right) and isinstance(given, float) and math.isnan(given))
    try:
        return abs(given - right) <= max(TOLERANCE * abs(right), NOISE)
    except OverflowError:  # a whole number beyond all floats
        return False


def format_answer(value: Any) -> str:
    """An answer as one would type it; what stands alone in lists, without them."""
    value = unwrap(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(format_answer(item) for item in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
