"""A question that is asked again with other numbers, after a wrong answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tutor.lesson import variation
from tutor.lesson.model import join_words

if TYPE_CHECKING:
    from tutor.study.flow import Gate, Question
    from tutor.trace import events as ev
    from tutor.trace.timeline import Timeline


@dataclass
class Retry:
    """One try of a question with other numbers."""

    question: Question
    """The question, with these numbers in it."""
    timeline: Timeline | None = None
    """The run that answers it; None until it is started."""
    typed: str = ""
    """The learner's answer; empty while the question is open."""
    right: bool | None = None
    """None: not known yet."""
    run: ev.Answer | None = None
    """What the run gives."""


def next_try(question: Question, before: Retry | None) -> Retry | None:
    """Return the try after another one, None for the first; None if there are no other numbers left."""
    sets = question.variations
    done = 0 if before is None else sets.index(before.question.numbers) + 1
    if done >= len(sets) or (before is not None and before.right is not False):
        return None
    return Retry(question.with_numbers(sets[done]))


def run_changes(gate: Gate, question: Question) -> dict[str, Any]:
    """Return what a run with the numbers of a question has in its command: it ends with the cell that answers it."""
    return {"edits": _edits(gate, question), "attempts": {}, "last_cell": question.before}


def describe_numbers(gate: Gate, question: Question) -> str:
    """Return the numbers of a question that is asked again: `x = 3 and w = 2`, or `y = x * 3`."""
    codes = _edits(gate, question).values()
    return join_words(variation.describe(codes, name, value) for name, value in question.numbers)


def _edits(gate: Gate, question: Question) -> dict[int, str]:
    codes = {number: gate.original(number) for number in gate.code_cells if number <= (question.before or 0)}
    return variation.edits(codes, dict(question.numbers))
