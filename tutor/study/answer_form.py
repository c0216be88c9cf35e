"""What may be answered to a question, in words: a number, a list, a shape, the number of a line."""

from __future__ import annotations

import re
from typing import Any

from tutor.i18n import _
from tutor.lesson.answers import unwrap
from tutor.study.flow import Gate, Question
from tutor.trace.timeline import Timeline

_SHAPE = re.compile(r"\bshape\b|\bsize\(\)")
UNKNOWN = object()
"""The value of an answer that is not there yet."""


def answer_value(gate: Gate, timeline: Timeline, question: Question) -> Any:
    """Return what the run answers; `UNKNOWN` where it has not, or failed to."""
    answer = gate.run_answer(timeline, question.index)
    return UNKNOWN if answer is None or answer[1].error is not None else unwrap(answer[1].value)


def describe_form(question: Question, value: Any) -> str:
    """Return what may be answered; None has the form of a number, so that it is not given away.

    Args:
        question: The question.
        value: What the run answers, or `UNKNOWN`.
    """
    if question.kind == "line":
        lines = question.lines or range(1)
        return _("the number of a line, from {first} to {last}", first=lines[0], last=lines[-1])
    if question.kind == "choice":
        return _("a number from 1 to {count}", count=question.options)
    if value is UNKNOWN:
        return _("0.25, [1, 2], True or None")
    if isinstance(value, bool):
        return _("True or False")
    if _SHAPE.search(question.of):
        return _("a shape, such as [2, 3]")
    if isinstance(value, (list, tuple)):
        nested = any(isinstance(item, (list, tuple)) for item in value)
        return _("lists in a list, such as [[1, 2], [3, 4]]") if nested else _("a list of numbers, such as [1, 2]")
    return _("a number, to a thousandth, or none")
