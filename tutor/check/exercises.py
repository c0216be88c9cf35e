"""What is wrong with a lesson's exercises: seen by running it with their starters, and with their solutions."""

from __future__ import annotations

from collections.abc import Iterator

from tutor.check.finding import Finding
from tutor.check.runner import Ran
from tutor.explain import problem
from tutor.i18n import _
from tutor.lesson.model import Lesson
from tutor.trace import events as ev
from tutor.trace.timeline import Timeline


def unsolved(lesson: Lesson, ran: Ran) -> Iterator[Finding]:
    """The starter must fail its check with a word, and the solution after it must pass."""
    for outcome in _outcomes(ran):
        exercise = lesson.cells[outcome.cell]
        if outcome.of == "attempt" and outcome.ok:
            what = _("the starter of `{exercise}` already passes its check.", exercise=outcome.exercise)
            yield Finding(lesson.path, exercise.first_line, what, _("Leave something to do, and check for it."))
        elif outcome.of == "attempt" and not (outcome.message or outcome.how):
            yield Finding(
                lesson.path,
                outcome.line or exercise.first_line,
                _("the check of `{exercise}` fails without a word.", exercise=outcome.exercise),
                'assert …, {"en": "…", "zh": "…"}',
            )
        elif outcome.of == "solution" and not outcome.ok:
            yield Finding(
                lesson.path,
                outcome.line or exercise.first_line,
                _(
                    "the solution of `{exercise}`, run after the starter, fails: {why}",
                    exercise=outcome.exercise,
                    why=problem(outcome),
                ),
                _("Let it define all that it changes."),
            )


def with_solutions(lesson: Lesson, ran: Ran) -> Iterator[Finding]:
    """With the solutions in place of the starters all passes."""
    for outcome in _outcomes(ran):
        if outcome.of == "attempt" and not outcome.ok:
            solution = next(c for c in lesson.code_cells if c.kind == "solution" and c.exercise == outcome.exercise)
            yield Finding(
                lesson.path,
                solution.first_line,
                _(
                    "the solution of `{exercise}` does not pass its check: {why}",
                    exercise=outcome.exercise,
                    why=problem(outcome),
                ),
                _("It must stand alone, in place of the starter."),
            )
    exercises = {cell.number for cell in lesson.code_cells if cell.kind == "exercise"}
    for info in ran.timeline.cells:
        failure = failed(ran.timeline, info.start, info.end) if info.end is not None else None
        if info.outcome == "failed" and info.cell not in exercises and failure is not None:
            cell = next(cell for cell in lesson.code_cells if cell.number == info.cell)
            if "raises-exception" not in cell.attributes.get("tags", ()):
                what = _(
                    "with the exercises solved, the cell fails with {error}: {message}",
                    error=failure.error,
                    message=failure.message,
                )
                yield Finding(lesson.path, cell.first_line, " ".join(what.split()))


def _outcomes(ran: Ran) -> list[ev.Checked]:
    return [aside.event for aside in ran.timeline.asides if isinstance(aside.event, ev.Checked)]


def failed(timeline: Timeline, start: int, end: int) -> ev.Failed | None:
    """The exception that ended these steps, where one did."""
    for step in range(end, start - 1, -1):
        event = timeline.event(step)
        if isinstance(event, ev.Failed) and not event.caught:
            return event
    return None
