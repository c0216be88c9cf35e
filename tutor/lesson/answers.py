"""Parsing a learner's answer to a question, and comparing it with the right one."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tutor.i18n import _
from tutor.trace.number_format import ROUGHLY, number

TOLERANCE = 1e-3
"""Relative to the right number."""
ABSOLUTE_TOLERANCE = 1e-6
"""Absolute tolerance, for zeros with rounding errors."""
MAX_LENGTH = 2_000
"""Maximum length of an answer, in characters."""

_WORDS = {"true": True, "false": False, "none": None}
_NOT_FINITE = ("nan", "inf", "infinity")
_LIBRARIES = ("math", "torch", "np", "numpy")


class AnswerError(ValueError):
    """A text that is not an answer; the message says what one looks like."""

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or _("An answer is a number, a list such as [1, 2], True, False or None."))


def read(text: str, question: str | None, options: int, lines: range | None = None) -> Any:
    """Parse the answer to a question.

    Args:
        text: The text that was typed.
        question: The kind of the question: predict, choice or line.
        options: The number of options of a choice, else 0.
        lines: The lines of the next code cell, for a `line` question.

    Returns:
        A number, bool, None or nested list; of a choice or line, an int.

    Raises:
        AnswerError: If the text is not such an answer.
    """
    answer = parse(text)
    if question == "line" and (type(answer) is not int or (lines and answer not in lines)):
        if not lines:
            raise AnswerError(_("The answer is the number of a line."))
        raise AnswerError(_("The answer is a line from {first} to {last}.", first=lines[0], last=lines[-1]))
    if options and (type(answer) is not int or not 1 <= answer <= options):
        raise AnswerError(_("Choose a number from 1 to {count}.", count=options))
    return answer


def parse(text: str) -> Any:
    """Parse a number (also nan and inf), a nested list, `True`, `False` or `None`, also inside of `tensor(…)`.

    Raises:
        AnswerError: If the text is none of these.
    """
    typed = text.strip()
    wrapped = re.fullmatch(r"(?:torch\.)?tensor\((.*)\)", typed, re.DOTALL)
    typed = wrapped[1].strip() if wrapped else typed
    if typed.lower() in _WORDS:
        return _WORDS[typed.lower()]
    try:
        answer = _value(ast.parse(typed if len(typed) <= MAX_LENGTH else "", mode="eval").body)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise AnswerError from None
    if not _is_answer(answer):
        raise AnswerError
    return answer


def _value(node: ast.expr) -> Any:
    """Evaluate a literal; nan and inf as printed (`nan`) or as in code (`math.nan`, `float('nan')`)."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        operand = _value(node.operand)
        return -operand if isinstance(node.op, ast.USub) else +operand
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
    """Return whether an answer is right: `5` matches `[5.0]`, and numbers may be off by `TOLERANCE`."""
    return _same(unwrap(given), unwrap(right))


def matches_line(given: Any, first: int, last: int | None) -> bool:
    """Return whether a line is in the statement that is the answer to a `line` question."""
    return type(given) is int and first <= given <= (first if last is None else last)


class Element(NamedTuple):
    """An element of an answer beside that of the right answer."""

    place: tuple[int, ...]
    """Its indices, from 0."""
    given: Any
    right: Any
    ok: bool


def elements(given: Any, right: Any) -> list[Element] | None:
    """Compare an answer with the right one element by element; None if their shapes differ."""
    given, right = unwrap(given), unwrap(right)
    if _shape(given) != _shape(right):
        return None
    return [Element(place, item, expected, _same(item, expected)) for place, item, expected in _pairs(given, right, ())]


def partly_right(given: Any, right: Any) -> list[Element]:
    """Return the elements of an answer that is partly right; empty if all or none are right, or the shapes differ."""
    pairs = elements(given, right) or []
    return pairs if any(element.ok for element in pairs) and not all(element.ok for element in pairs) else []


def _shape(value: Any) -> Any:
    return [_shape(item) for item in value] if isinstance(value, (list, tuple)) else None


def _pairs(given: Any, right: Any, place: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
    if not isinstance(right, (list, tuple)):
        yield place, given, right
        return
    for index, (answer, expected) in enumerate(zip(given, right, strict=True)):
        yield from _pairs(answer, expected, (*place, index))


def unwrap(value: Any) -> Any:
    """Return the only item of nested lists of one item; other values as they are."""
    while isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    return value


def _same(given: Any, right: Any) -> bool:
    if isinstance(right, (list, tuple)):
        if not isinstance(given, (list, tuple)) or len(given) != len(right):
            return False
        return all(_same(answer, expected) for answer, expected in zip(given, right, strict=True))
    if isinstance(right, bool) or right is None or not isinstance(right, (int, float)):
        return given is right or (isinstance(right, str) and str(given) == right)
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return False
    if not math.isfinite(right):
        return given == right or (math.isnan(right) and isinstance(given, float) and math.isnan(given))
    try:
        return abs(given - right) <= max(TOLERANCE * abs(right), ABSOLUTE_TOLERANCE)
    except OverflowError:  # an int too large for a float
        return False


def format_answer(value: Any) -> str:
    """Format an answer as it would be typed, without brackets around a single number."""
    value = unwrap(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(format_answer(item) for item in value) + "]"
    return number(value).removeprefix(ROUGHLY)
