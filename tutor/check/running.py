"""What is wrong with what a lesson does: seen by running it."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import msgspec

from tutor import i18n
from tutor.check import figures
from tutor.check.exercises import failed, unsolved, with_solutions
from tutor.check.finding import Finding
from tutor.check.reading import live_lines
from tutor.check.runner import Ran, Runner
from tutor.explain import ended
from tutor.explain.expressions import live
from tutor.i18n import N_, _
from tutor.lesson.model import MISSING, Cell, Lesson
from tutor.trace import events as ev
from tutor.trace import values
from tutor.trace.command import RunCommand
from tutor.trace.timeline import Timeline

SMALL = 6
"""A learner can type so many elements."""
SECONDS = 3
BYTES = 20 << 20
EVENTS = 150_000
"""What about three seconds yield, said so that two machines agree."""
SEED = 20_240_229
"""Unlike the one that torch begins with."""


def check(lesson: Lesson, runner: Runner) -> list[Finding]:
    """All that is wrong with this lesson's run."""
    solutions = {cell.exercise: cell.source for cell in lesson.code_cells if cell.kind == "solution"}
    command = RunCommand(lesson.path, lesson.id, max_events=2 * EVENTS, language=i18n.current_language())
    ran = runner.run(command)
    end = ran.timeline.run_end
    if end is not None and end.outcome == "refused":
        return [Finding(lesson.path, 1, _("was not run: {note}", note=end.note), warning=end.status == MISSING)]
    found = [*_ended(lesson, ran), *_answers(lesson, ran), *_size(lesson, ran)]
    solved = ran
    if solutions:
        found += unsolved(lesson, ran)
        command = msgspec.structs.replace(command, attempts={str(name): code for name, code in solutions.items()})
        solved = runner.run(command)
        found += with_solutions(lesson, solved)
    found += _prose(lesson, solved)
    if end is not None and end.outcome == "ok":
        found += _random(lesson, solved, runner.run(msgspec.structs.replace(command, seed=SEED)))
    return list(dict.fromkeys(found))


# ---------------------------------------------------------------- how it ended


def _ended(lesson: Lesson, ran: Ran) -> Iterator[Finding]:
    """Cells that fail without saying so."""
    timeline = ran.timeline
    cells = {cell.number: cell for cell in lesson.cells if cell.number is not None}
    for info in timeline.cells:
        cell = cells[info.cell]
        if info.outcome == "ok" or (info.end is not None and "raises-exception" in cell.attributes.get("tags", ())):
            continue
        failure = failed(timeline, info.start, info.end or timeline.steps)
        line = cell.first_line if failure is None or failure.span is None else failure.span[0]
        if info.outcome == "failed" and failure is not None:
            what = _(
                N_("the starter fails with {error}: {message}")
                if cell.kind == "exercise"
                else N_("the cell fails with {error}: {message}"),
                error=failure.error,
                message=failure.message,
            )
            mend = _("Let it stand in `try` and `except`, or mend it.")
        elif info.end is None:
            what, mend = _death(ran.status), _("A lesson must come to its end.")
        else:
            end = timeline.event(info.end)
            assert isinstance(end, ev.CellEnd)
            what, mend = (
                _("the cell does not come to its end: {why}.", why=ended(end) or end.outcome),
                _("A lesson must come to its end."),
            )
        yield Finding(lesson.path, line, " ".join(what.split()), mend)
    if timeline.run_end is None and not (timeline.cells and timeline.cells[-1].end is None):
        yield Finding(lesson.path, 1, _death(ran.status), _("A lesson must come to its end."))
    for notice in timeline.notices if timeline.frames.events <= EVENTS else ():
        yield Finding(lesson.path, 1, _("the recording has a gap: {notice}", notice=notice))


def _death(status: int) -> str:
    if status == -signal.SIGALRM:
        return _("the run did not come to an end, and was stopped.")
    return (
        _("the run was ended by signal {number}.", number=-status)
        if status < 0
        else _("the process ended with exit status {status}.", status=status)
    )


def _size(lesson: Lesson, ran: Ran) -> Iterator[Finding]:
    if ran.bytes > BYTES:
        yield Finding(
            lesson.path,
            1,
            _("the recording has {size} MB, and {most} are the most.", size=ran.bytes >> 20, most=BYTES >> 20),
            _("Make a loop shorter."),
        )
    events = ran.timeline.frames.events
    if events > EVENTS:
        yield Finding(
            lesson.path,
            1,
            _("the recording has {events:,} events, and {most:,} are the most.", events=events, most=EVENTS),
            _("Make a loop shorter."),
        )
    if ran.seconds > SECONDS:
        yield Finding(
            lesson.path,
            1,
            _("the lesson took {seconds:.1f} seconds here, and should take {most}.", seconds=ran.seconds, most=SECONDS),
            _("Make a loop shorter."),
            warning=True,
        )


# ---------------------------------------------------------------- questions


def _answers(lesson: Lesson, ran: Ran) -> Iterator[Finding]:
    given = {aside.event.cell: aside.event for aside in ran.timeline.asides if isinstance(aside.event, ev.Answer)}
    for cell in lesson.cells:
        answer = given.get(cell.index)
        if cell.question is None or answer is None:
            continue
        mark = max(cell.first_line - 1, 1)
        if answer.error is not None:
            what = (
                _("`{of}` cannot be computed: {error}.", of=cell.of, error=answer.error)
                if cell.question != "line"
                else f"{_(answer.error)}: {cell.of}"
            )
            yield Finding(lesson.path, mark, what, _("It is worked out when the next code cell has ended."))
        elif cell.question == "choice":
            yield from _choice(lesson, cell, answer.value, mark)
        elif cell.question == "predict":
            yield from _predict(lesson, cell, answer.value, mark)


def _choice(lesson: Lesson, cell: Cell, value: Any, mark: int) -> Iterator[Finding]:
    count = max((len(options) for options in cell.options.values()), default=0)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= count:
        what = _(
            "`{of}` gives {value}, and the options are numbered 1 to {count}.",
            of=cell.of,
            value=repr(value),
            count=count,
        )
        yield Finding(lesson.path, mark, what, _("Let it give the number of the right one."))


def _predict(lesson: Lesson, cell: Cell, value: Any, mark: int) -> Iterator[Finding]:
    if not _is_answer(value):
        what = _("`{of}` gives {value}, which cannot be typed as an answer.", of=cell.of, value=repr(str(value)[:40]))
        yield Finding(
            lesson.path, mark, what, _("Ask for a number, a small list, True, False or None; or give a choice.")
        )
    elif _count(value) > SMALL:
        what = _(
            "`{of}` has {count} elements, and a learner can type {small}.", of=cell.of, count=_count(value), small=SMALL
        )
        yield Finding(lesson.path, mark, what, _("Ask for a part of it."))


def _is_answer(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_answer(item) for item in value)
    return value is None or isinstance(value, bool | int | float)


def _count(value: Any) -> int:
    return sum(_count(item) for item in value) if isinstance(value, list | tuple) else 1


# ---------------------------------------------------------------- prose


def _prose(lesson: Lesson, ran: Ran) -> Iterator[Finding]:
    """Live values that have none, and numbers that the run contradicts."""
    timeline = ran.timeline
    ends = {info.cell: info.end for info in timeline.cells if info.end is not None}
    step = 0
    for cell in lesson.cells:
        if cell.is_code:
            step = ends.get(cell.number or 0, step)
            continue
        state = timeline.state(step)
        for line, expression in live_lines(cell):
            if live(state, expression) is None:
                what = _("the live value `{expression}` has no value here.", expression=expression)
                mend = _(
                    "Simple ones can be filled in: w, w.grad, w.item(), w.tolist(), w.shape, of names that are there."
                )
                yield Finding(lesson.path, line, what, mend)
        for line, name, said, right in figures.contradicted(timeline, cell, step):
            what = _(
                "the text says that `{name}` is {said}, and in the run it is {right}.",
                name=name,
                said=said,
                right=right,
            )
            yield Finding(lesson.path, line, what, _("Write {{{{ {name} }}}}, and the run fills it in.", name=name))


# ---------------------------------------------------------------- random numbers


def _random(lesson: Lesson, one: Ran, other: Ran) -> Iterator[Finding]:
    """Two runs that begin with different random numbers do the same, or the lesson has not seeded its own."""
    timeline = one.timeline
    both = zip_longest(_facts(timeline), _facts(other.timeline), fillvalue=(None, None))
    step = next((step for (step, mine), (_, theirs) in both if not _alike(mine, theirs)), None)
    printed, there = timeline.output(timeline.steps), other.timeline.output(other.timeline.steps)
    if step is None and printed != there:
        pairs = zip(printed, there, strict=False)
        same = next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(printed), len(there)))
        step = next((part.step for part in timeline.contents.printed if part.length > same), timeline.steps)
    if step is not None:
        line = timeline.view(step).line if step else None
        yield Finding(
            lesson.path,
            line or 1,
            _("what happens here is another thing in each run."),
            _("Call torch.manual_seed before the first random number is drawn."),
        )


def _facts(timeline: Timeline) -> Iterator[tuple[int | None, Any]]:
    """What a run computes, with the step that it belongs to; not what stands in memory that nobody has filled yet."""
    for step in range(timeline.steps + 1):
        event = timeline.event(step) if step else None
        site = timeline.sites.get(event.site) if isinstance(event, ev.Op) else None
        unfilled = site is not None and site.op in _UNFILLED
        for event in timeline.following(step):
            if (isinstance(event, ev.Snapshot) and not unfilled) or (
                isinstance(event, ev.Bind) and event.what == "value"
            ):
                yield step, event.value


def _alike(mine: Any, theirs: Any) -> bool:
    """Whether two runs computed the same, but for the last digits: routines of linear algebra differ there by where in
    memory their numbers lie."""
    if repr(mine) == repr(theirs):
        return True
    if not isinstance(mine, (int, float, list, dict)) or type(mine) is not type(theirs):
        return False
    numbers, others = values.elements(mine), values.elements(theirs)
    if numbers is None or others is None or len(numbers) != len(others):
        return False
    return all(
        isinstance(a, (int, float)) and isinstance(b, (int, float)) and math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6)
        for a, b in zip(numbers, others, strict=True)
    )


_UNFILLED = ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")
