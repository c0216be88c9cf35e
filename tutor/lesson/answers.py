"""A learner's answer to a question, read and compared with what the run gave."""

from __future__ import annotations

import ast
import math
from typing import Any

TOLERANCE = 1e-3
"""Relative to the right number."""

_WORDS = {"true": "True", "false": "False", "none": "None"}


class AnswerError(ValueError):
    """What was typed is no answer; the text says what one looks like."""


def read(text: str) -> Any:
    """A number, a nested list of numbers, `True`, `False` or `None`. Raises AnswerError."""
    typed = text.strip()
    if typed.lower() in ("nan", "inf", "+inf", "-inf"):
        return float(typed)
    try:
        found = ast.literal_eval(_WORDS.get(typed.lower(), typed))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        found = ...
    if not _is_answer(found):
        raise AnswerError("An answer is a number, a list of numbers, True, False or None.")
    return found


def _is_answer(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_answer(item) for item in value)
    return value is None or isinstance(value, (bool, int, float))


def matches(given: Any, right: Any) -> bool:
    """Whether an answer is right: `5` is for `[5.0]`; numbers may differ by a thousandth of the right one."""
    return _same(_alone(given), _alone(right))


def _alone(value: Any) -> Any:
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
        return abs(given - right) <= TOLERANCE * abs(right)
    except OverflowError:  # a whole number beyond all floats
        return False


def shown(value: Any) -> str:
    """An answer as one would type it."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
