"""Check a lesson by running it: its outcome, size, answers, exercises, prose and random numbers.

It also runs with each knob at its least and greatest value: there too it must come to its end, its exercises must be
right, and its prose must be true (see `claims`).
"""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from itertools import groupby, zip_longest
from typing import Any

import msgspec

from tutor import i18n
from tutor.check import claims
from tutor.check.runner import Runner, RunResult
from tutor.check.static import Finding, live_lines, mark_line
from tutor.explain import describe_check_failure, describe_end
from tutor.explain.expressions import evaluate
from tutor.i18n import N_, _
from tutor.lesson import answers, variation
from tutor.lesson.model import MISSING, Cell, Knob, Lesson, Setting
from tutor.study.study import agrees
from tutor.trace import events as ev
from tutor.trace import values
from tutor.trace.command import RunCommand
from tutor.trace.timeline import Timeline

# ---------------------------------------------------------------- exercises


def check_starters(lesson: Lesson, result: RunResult) -> Iterator[Finding]:
    """Yield exercises whose starter passes or fails without a message, and solutions that fail when run after it."""
    for outcome in _exercise_results(result):
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
                    why=describe_check_failure(outcome),
                ),
                _("Let it define all that it changes."),
            )


def check_solutions(lesson: Lesson, result: RunResult) -> Iterator[Finding]:
    """Yield what fails when the solutions run in place of the starters."""
    for outcome in _exercise_results(result):
        if outcome.of == "attempt" and not outcome.ok:
            solution = next(c for c in lesson.code_cells if c.kind == "solution" and c.exercise == outcome.exercise)
            yield Finding(
                lesson.path,
                solution.first_line,
                _(
                    "the solution of `{exercise}` does not pass its check: {why}",
                    exercise=outcome.exercise,
                    why=describe_check_failure(outcome),
                ),
                _("It must stand alone, in place of the starter."),
            )
    exercises = {cell.number for cell in lesson.code_cells if cell.kind == "exercise"}
    for info in result.timeline.cells:
        failure = uncaught_failure(result.timeline, info.start, info.end) if info.end is not None else None
        if info.outcome == "failed" and info.cell not in exercises and failure is not None:
            cell = next(cell for cell in lesson.code_cells if cell.number == info.cell)
            if "raises-exception" not in cell.attributes.get("tags", ()):
                what = _(
                    N_("with the exercises solved, the cell fails with {error}: {message}")
                    if exercises
                    else N_("the cell fails with {error}: {message}"),
                    error=failure.error,
                    message=failure.message,
                )
                yield Finding(lesson.path, cell.first_line, " ".join(what.split()))


def _exercise_results(result: RunResult) -> list[ev.Checked]:
    """Return the results of the exercises' checks."""
    return [side_event.event for side_event in result.timeline.side_events if isinstance(side_event.event, ev.Checked)]


def uncaught_failure(timeline: Timeline, start: int, end: int) -> ev.Failed | None:
    """Return the exception that ended these steps; None if there is none."""
    for step in range(end, start - 1, -1):
        event = timeline.event(step)
        if isinstance(event, ev.Failed) and not event.caught:
            return event
    return None


# ---------------------------------------------------------------- the whole lesson

MAX_ANSWER_ELEMENTS = 6
"""Maximum elements of an answer that a learner types."""
MAX_SECONDS = 3
MAX_BYTES = 20 << 20
MAX_EVENTS = 150_000
"""Maximum events of a recording: about three seconds, but the same on each machine."""
SEED = 20_240_229
"""The seed of the second run, other than torch's default."""


def check_run(lesson: Lesson, runner: Runner) -> list[Finding]:
    """Return the findings of running a lesson."""
    solutions = {cell.exercise: cell.source for cell in lesson.code_cells if cell.kind == "solution"}
    command = RunCommand(lesson.path, lesson.id, max_events=2 * MAX_EVENTS, language=i18n.current_language())
    first_run = runner.run(command)
    end = first_run.timeline.run_end
    if end is not None and end.outcome == "refused":
        return [Finding(lesson.path, 1, _("was not run: {note}", note=end.note), warning=end.status == MISSING)]
    findings = [*_check_outcome(lesson, first_run), *_check_answers(lesson, first_run), *_check_size(lesson, first_run)]
    solved_run = first_run
    if solutions:
        findings += check_starters(lesson, first_run)
        command = msgspec.structs.replace(command, attempts={str(name): code for name, code in solutions.items()})
        solved_run = runner.run(command)
        findings += check_solutions(lesson, solved_run)
    findings += _check_prose(lesson, solved_run)
    findings += _check_variations(lesson, first_run, runner)
    if end is not None and end.outcome == "ok":
        findings += _check_knobs(lesson, solved_run, command, runner, findings.copy())
        findings += _check_randomness(lesson, solved_run, runner.run(msgspec.structs.replace(command, seed=SEED)))
    return list(dict.fromkeys(findings))


# ---------------------------------------------------------------- outcome and size


def _check_outcome(lesson: Lesson, result: RunResult) -> Iterator[Finding]:
    """Yield cells that fail unexpectedly or do not end, and gaps in the recording."""
    timeline = result.timeline
    cells = {cell.number: cell for cell in lesson.cells if cell.number is not None}
    for info in timeline.cells:
        cell = cells[info.cell]
        if info.outcome == "ok" or (info.end is not None and "raises-exception" in cell.attributes.get("tags", ())):
            continue
        failure = uncaught_failure(timeline, info.start, info.end or timeline.steps)
        line = cell.first_line if failure is None or failure.span is None else failure.span[0]
        if info.outcome == "failed" and failure is not None:
            what = _(
                N_("the starter fails with {error}: {message}")
                if cell.kind == "exercise"
                else N_("the cell fails with {error}: {message}"),
                error=failure.error,
                message=failure.message,
            )
            fix = _("Let it stand in `try` and `except`, or fix it.")
        elif info.end is None:
            what, fix = _describe_exit(result.status), _("A lesson must come to its end.")
        else:
            end = timeline.event(info.end)
            assert isinstance(end, ev.CellEnd)
            what, fix = (
                _("the cell does not come to its end: {why}.", why=describe_end(end) or end.outcome),
                _("A lesson must come to its end."),
            )
        yield Finding(lesson.path, line, " ".join(what.split()), fix)
    if timeline.run_end is None and not (timeline.cells and timeline.cells[-1].end is None):
        yield Finding(lesson.path, 1, _describe_exit(result.status), _("A lesson must come to its end."))
    for notice in timeline.notices if timeline.frames.events <= MAX_EVENTS else ():
        yield Finding(lesson.path, 1, _("the recording has a gap: {notice}", notice=notice))


def _describe_exit(status: int) -> str:
    """Return how the process ended, by its exit status."""
    if status == -signal.SIGALRM:
        return _("the run did not come to an end, and was stopped.")
    return (
        _("the run was ended by signal {number}.", number=-status)
        if status < 0
        else _("the process ended with exit status {status}.", status=status)
    )


def _check_size(lesson: Lesson, result: RunResult) -> Iterator[Finding]:
    """Yield a recording that is too large, and a run that is too slow."""
    if result.bytes > MAX_BYTES:
        yield Finding(
            lesson.path,
            1,
            _("the recording has {size} MB, and {most} are the most.", size=result.bytes >> 20, most=MAX_BYTES >> 20),
            _("Make a loop shorter."),
        )
    events = result.timeline.frames.events
    if events > MAX_EVENTS:
        yield Finding(
            lesson.path,
            1,
            _("the recording has {events:,} events, and {most:,} are the most.", events=events, most=MAX_EVENTS),
            _("Make a loop shorter."),
        )
    if result.seconds > MAX_SECONDS:
        yield Finding(
            lesson.path,
            1,
            _(
                "the lesson took {seconds:.1f} seconds here, and should take {most}.",
                seconds=result.seconds,
                most=MAX_SECONDS,
            ),
            _("Make a loop shorter."),
            warning=True,
        )


# ---------------------------------------------------------------- questions


def _check_answers(lesson: Lesson, result: RunResult) -> Iterator[Finding]:
    """Yield questions whose answer cannot be computed, chosen or typed, and diagnoses of answers that cannot be told
    from others.
    """
    answers_by_cell = _choices(result)
    question: Cell | None = None
    earlier: list[ev.Answer] = []
    for cell in lesson.cells:
        if cell.question is not None:
            question, earlier = cell, []
        answer = answers_by_cell.get(cell.index)
        if cell.kind not in ("question", "diagnosis") or question is None or answer is None:
            continue
        mark, of = mark_line(cell), cell.of if cell.wrong is None else cell.wrong
        if answer.error is not None:
            what = (
                _("`{of}` cannot be computed: {error}.", of=of, error=answer.error)
                if question.question != "line"
                else f"{_(answer.error)}: {of}"
            )
            yield Finding(lesson.path, mark, what, _("It is worked out when the next code cell has ended."))
            continue
        if question.question == "choice":
            yield from _check_choice(lesson, of, answer.value, _count_options(question), mark)
        elif question.question == "predict":
            yield from _check_prediction(lesson, of, answer.value, mark)
        if cell.kind == "diagnosis":
            yield from _check_diagnosis(lesson, cell, answer, earlier)
        earlier.append(answer)


def _check_diagnosis(lesson: Lesson, cell: Cell, answer: ev.Answer, earlier: list[ev.Answer]) -> Iterator[Finding]:
    """Yield a diagnosis of what is the right answer, or another diagnosis already; `earlier` has these, the right one
    first.
    """
    for other in earlier:
        if agrees(answer.value, other):
            what = (
                N_("`{of}` gives {value}, and that is the right answer.")
                if other is earlier[0]
                else N_("`{of}` gives {value}, and another text explains that answer already.")
            )
            yield Finding(
                lesson.path,
                mark_line(cell),
                _(what, of=cell.wrong, value=answers.format_answer(answer.value)),
                _("Let the expression give what only this mistake gives."),
            )
            return


def _check_choice(lesson: Lesson, of: str | None, value: Any, count: int, mark: int) -> Iterator[Finding]:
    """Yield a choice whose answer is no number of an option; there are `count`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= count:
        what = _(
            "`{of}` gives {value}, and the options are numbered 1 to {count}.",
            of=of,
            value=repr(value),
            count=count,
        )
        yield Finding(lesson.path, mark, what, _("Let it give the number of the right one."))


def _check_prediction(lesson: Lesson, of: str | None, value: Any, mark: int) -> Iterator[Finding]:
    """Yield a prediction whose answer cannot be typed."""
    if not _is_typeable(value):
        what = _("`{of}` gives {value}, which cannot be typed as an answer.", of=of, value=repr(str(value)[:40]))
        yield Finding(
            lesson.path, mark, what, _("Ask for a number, a small list, True, False or None; or give a choice.")
        )
    elif _count_elements(value) > MAX_ANSWER_ELEMENTS:
        what = _(
            "`{of}` has {count} elements, and a learner can type {small}.",
            of=of,
            count=_count_elements(value),
            small=MAX_ANSWER_ELEMENTS,
        )
        yield Finding(lesson.path, mark, what, _("Ask for a part of it."))


def _count_options(question: Cell) -> int:
    """Return how many options a question has to choose from."""
    return max((len(options) for options in question.options.values()), default=0)


def _is_typeable(value: Any) -> bool:
    """Return whether a learner can type a value."""
    if isinstance(value, list | tuple):
        return all(_is_typeable(item) for item in value)
    return value is None or isinstance(value, bool | int | float)


def _count_elements(value: Any) -> int:
    """Return the number of elements of nested lists."""
    return sum(_count_elements(item) for item in value) if isinstance(value, list | tuple) else 1


def _check_variations(lesson: Lesson, written: RunResult, runner: Runner) -> Iterator[Finding]:
    """Yield what is wrong with a question that is asked again with other numbers."""
    codes = {cell.number: cell.source for cell in lesson.code_cells if cell.number is not None}
    for question in [cell for cell in lesson.cells if cell.vary]:
        answered = next(cell.number for cell in lesson.cells[question.index :] if cell.number is not None)
        seen = [_choices(written).get(question.index)]
        for numbers in variation.parse(question.vary or ""):
            setting = ", ".join(f"{name} = {value}" for name, value in numbers.items())
            before = {number: code for number, code in codes.items() if number <= answered}
            try:
                edits = variation.edits(before, numbers)
            except ValueError as error:
                yield Finding(lesson.path, mark_line(question), str(error), _("A line such as: x = torch.tensor(2.0)"))
                break
            result = runner.run(RunCommand(lesson.path, lesson.id, edits=edits, last_cell=answered))
            first = question.index
            last = next((cell.index for cell in lesson.cells[first + 1 :] if cell.kind != "diagnosis"), first + 1)
            found = [*_check_outcome(lesson, result), *_check_answers(lesson, result)]
            for finding in found:
                if any(mark_line(cell) == finding.line for cell in lesson.cells[first:last]) or _has_failed(result):
                    what = _("with {setting}: {what}", setting=setting, what=finding.what)
                    yield msgspec.structs.replace(finding, what=what)
            answer = _choices(result).get(question.index)
            if answer is not None and any(other is not None and agrees(answer.value, other) for other in seen):
                what = _("with {setting} the answer is the same as before.", setting=setting)
                yield Finding(lesson.path, mark_line(question), what, _("Choose numbers that give another answer."))
            seen.append(answer)


def _has_failed(result: RunResult) -> bool:
    """Return whether a run did not come to its end."""
    return result.timeline.run_end is None or result.timeline.run_end.outcome != "ok"


# ---------------------------------------------------------------- prose


def _check_prose(lesson: Lesson, result: RunResult) -> Iterator[Finding]:
    """Yield texts that cannot be chosen between, live values without a value, and statements that the run
    contradicts.
    """
    yield from _check_choices(lesson, result)
    for cell, moment in _texts(lesson, result):
        for line, expression in live_lines(cell):
            if evaluate(moment.state, expression) is None:
                what = _("the live value `{expression}` has no value here.", expression=expression)
                fix = _(
                    "Simple ones can be filled in: w, w.grad, w.item(), w.tolist(), w.shape, of names that are there."
                )
                yield Finding(lesson.path, line, what, fix)
        for statement in claims.statements(cell):
            value = claims.contradiction(moment, statement)
            if value is not None:
                yield _false_statement(lesson, statement, value)


def _false_statement(lesson: Lesson, statement: claims.Statement, value: str) -> Finding:
    """Return the finding that a text says something of a name that is not so."""
    what = _(
        "the text says that `{name}` is {said}, and in the run it is {right}.",
        name=statement.name,
        said=statement.said,
        right=value,
    )
    return Finding(
        lesson.path, statement.line, what, _("Write {{{{ {name} }}}}, and the run fills it in.", name=statement.name)
    )


def _texts(lesson: Lesson, result: RunResult) -> Iterator[tuple[Cell, claims.Moment]]:
    """Yield the prose cells that a run shows, each with where it stands: at the end of the code cell before it, or
    of a diagnosis, after it.
    """
    ends = {info.cell: info.end for info in result.timeline.cells if info.end is not None}
    moment = claims.Moment(result.timeline, 0)
    choices = _choices(result)
    diagnoses: list[Cell] = []
    for cell in lesson.cells:
        if cell.is_code:
            step = ends.get(cell.number or 0, moment.step)
            moment = moment if step == moment.step else claims.Moment(result.timeline, step)
            yield from ((diagnosis, moment) for diagnosis in diagnoses)
            diagnoses = []
        elif cell.kind == "diagnosis":
            diagnoses.append(cell)
        elif cell.when is None or (cell.index in choices and choices[cell.index].value is True):
            yield cell, moment


def _choices(result: RunResult) -> dict[int, ev.Answer]:
    """Return the answers to questions, and whether texts with `when` are shown, by the index of their cell."""
    events = (side_event.event for side_event in result.timeline.side_events)
    return {event.cell: event for event in events if isinstance(event, ev.Answer)}


def _check_choices(lesson: Lesson, result: RunResult) -> Iterator[Finding]:
    """Yield a `when` that cannot be computed, and alternatives of which none is shown."""
    choices = _choices(result)
    for conditional, group in groupby(lesson.cells, lambda cell: cell.when is not None):
        cells = [cell for cell in group if conditional and cell.index in choices]
        failed = [cell for cell in cells if choices[cell.index].error is not None]
        for cell in failed:
            error = choices[cell.index].error
            yield Finding(
                lesson.path,
                mark_line(cell),
                _("`{of}` cannot be computed: {error}.", of=cell.when, error=error),
                _("It is worked out when the code cell above has ended."),
            )
        if len(cells) > 1 and not failed and not any(choices[cell.index].value for cell in cells):
            what = _("none of these texts is shown: no `when` is true.")
            yield Finding(lesson.path, mark_line(cells[0]), what, _("Write one for this case too."))


# ---------------------------------------------------------------- knobs


def _check_knobs(
    lesson: Lesson, written: RunResult, command: RunCommand, runner: Runner, known: list[Finding]
) -> Iterator[Finding]:
    """Yield what is wrong with a knob at its least or greatest value, or at another choice.

    Args:
        written: The run with the knobs as they are in the file.
        command: What was run.
        known: What is wrong there: it is not repeated.
    """
    for knob in lesson.knobs.values():
        for value in _ends(knob):
            result = runner.run(msgspec.structs.replace(command, knobs={knob.name: str(value)}))
            setting = f"{knob.name} = {value!r}"
            findings = [*_check_outcome(lesson, result), *_check_answers(lesson, result)]
            findings += [*check_solutions(lesson, result), *_check_statements(lesson, written, result)]
            findings += _check_prose(lesson, result)
            unique = {(finding.line, finding.what): finding for finding in reversed(findings)}
            for finding in sorted(unique.values(), key=lambda finding: finding.line):
                if finding not in known and not finding.warning:
                    what = _("with {setting}: {what}", setting=setting, what=finding.what)
                    yield msgspec.structs.replace(finding, what=what)


def _ends(knob: Knob) -> list[Setting]:
    """Return the values with which a knob is tried: its least and greatest, or its other choices."""
    if knob.name == "device":
        return []
    values: dict[str, tuple[Setting | None, ...]] = {
        "number": (knob.min, knob.max), "boolean": (True, False), "choice": knob.choices
    }  # fmt: skip
    return [value for value in values.get(knob.type, ()) if value is not None and value != knob.default]


def _check_statements(lesson: Lesson, written: RunResult, turned: RunResult) -> Iterator[Finding]:
    """Yield what texts say of the run as written, and another knob makes false."""
    moments = {cell.index: moment for cell, moment in _texts(lesson, written)}
    of_code = claims.numbers_of_code(lesson)
    fix = _('Write {{ … }}, or choose between texts with when="…".')
    for cell, moment in _texts(lesson, turned):
        if cell.index not in moments:
            continue  # its own run has been compared with it
        for statement in claims.statements(cell):
            value = claims.made_false(moments[cell.index], moment, statement)
            if value is not None:
                finding = _false_statement(lesson, statement, value)
                yield finding if statement.more is None else msgspec.structs.replace(finding, fix=fix)
        for lone in claims.lone_numbers(cell, of_code):
            meant = claims.number_made_false(moments[cell.index], moment, lone)
            if meant is not None:
                what = _(
                    "the text says {said}, which `{name}` is as the lesson is written, and in this run it is {right}.",
                    said=lone.text,
                    name=meant[0],
                    right=meant[1],
                )
                yield Finding(lesson.path, lone.line, what, fix)


# ---------------------------------------------------------------- random numbers


def _check_randomness(lesson: Lesson, first: RunResult, second: RunResult) -> Iterator[Finding]:
    """Yield the first place where two runs with different seeds differ: the lesson does not seed its random numbers."""
    timeline = first.timeline
    pairs_of_facts = zip_longest(_computed_values(timeline), _computed_values(second.timeline), fillvalue=(None, None))
    step = next((step for (step, left), (_, right) in pairs_of_facts if not _is_close(left, right)), None)
    printed, other_printed = timeline.output(timeline.steps), second.timeline.output(second.timeline.steps)
    if step is None and printed != other_printed:
        pairs = zip(printed, other_printed, strict=False)
        common_length = next(
            (index for index, (left, right) in enumerate(pairs) if left != right), min(len(printed), len(other_printed))
        )
        step = next((part.step for part in timeline.contents.printed if part.length > common_length), timeline.steps)
    if step is not None:
        line = timeline.view(step).line if step else None
        yield Finding(
            lesson.path,
            line or 1,
            _("what happens here is another thing in each run."),
            _("Call torch.manual_seed before the first random number is drawn."),
        )


def _computed_values(timeline: Timeline) -> Iterator[tuple[int | None, Any]]:
    """Yield the values that a run computes, each with its step; uninitialized memory is left out."""
    for step in range(timeline.steps + 1):
        event = timeline.event(step) if step else None
        site = timeline.sites.get(event.site) if isinstance(event, ev.Op) else None
        unfilled = site is not None and site.op in _UNINITIALIZED
        for event in timeline.following(step):
            if (isinstance(event, ev.Snapshot) and not unfilled) or (
                isinstance(event, ev.Bind) and event.what == "value"
            ):
                yield step, event.value


def _is_close(left: Any, right: Any) -> bool:
    """Return whether two runs computed the same up to rounding: linear algebra depends on how memory is aligned."""
    if repr(left) == repr(right):
        return True
    if not isinstance(left, (int, float, list, dict)) or type(left) is not type(right):
        return False
    numbers, others = values.elements(left), values.elements(right)
    if numbers is None or others is None or len(numbers) != len(others):
        return False
    return all(
        isinstance(a, (int, float)) and isinstance(b, (int, float)) and math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6)
        for a, b in zip(numbers, others, strict=True)
    )


_UNINITIALIZED = ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")
