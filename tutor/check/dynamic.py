"""Check a lesson by running it: its outcome, size, answers, exercises, prose and random numbers.

A number in the prose ("`w.grad` is 4") is wrong if the run knows the name and the name never has that value at any
step: text also speaks of earlier and later values. Conditional sentences are ignored.
"""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import msgspec

from tutor import i18n
from tutor.check.runner import Runner, RunResult
from tutor.check.static import Finding, live_lines, mark_line
from tutor.explain import describe_check_failure, describe_end
from tutor.explain.expressions import evaluate, look_up
from tutor.i18n import N_, _
from tutor.lesson import answers
from tutor.lesson.markdown import blocks, live_values
from tutor.lesson.model import MISSING, Cell, Lesson
from tutor.trace import events as ev
from tutor.trace import values
from tutor.trace.command import RunCommand
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

# ---------------------------------------------------------------- numbers in the prose

MAX_STEPS_READ = 2_000
"""Maximum steps at which the value of a name is read."""

_NAME = r"(?P<name>[A-Za-z_]\w*(?:\.\w+|\[\d+\])*(?:\.item\(\))?)"
_NUMBER = r"[-−]?\d+(?:\.\d*)?(?:e[-+]?\d+)?"
_LIST = r"\[[-−\d\s.,\[\]e]+\]"
_VALUE = rf"(?P<value>{_NUMBER}|{_LIST}|tensor\((?:{_NUMBER}|{_LIST})\)|True|False|None)"
_BEGIN, _CLOSE = r"\s*(?:\*\*)?`?", r"`?(?:\*\*)?"
_WORDS = "and|or|but|because|since|while|then|again|now|too|not"
_END = rf"(?={_CLOSE}\s*(?:$|[,;:!?()，。；：！？（）、]|\.(?:\s|$)|(?:{_WORDS})\b|[\u4e00-\u9fff]))"
_IS = r"(?:is|was|holds|equals|becomes|stays|gives)(?:\s+(?:now|still|exactly|only|just|always))?"
_IS_ZH = r"(?:的值)?(?:现在|仍然?|还|就|正好|最终|已经|一直|始终|都)*(?:是|等于|为|变成了?|变为|得到)"
_CLAIMS = (
    re.compile(rf"(?<![\w.\]]){_NAME}`?\s*(?<![=<>!])={_BEGIN}{_VALUE}{_END}"),
    re.compile(rf"`{_NAME}`\s+{_IS}{_BEGIN}{_VALUE}{_END}"),
    re.compile(rf"`{_NAME}`\s*{_IS_ZH}{_BEGIN}{_VALUE}{_END}"),
)
_CONDITIONAL = re.compile(
    r"\b(?:if|suppose|would|were|imagine|say|try|instead|change|set|wrong|think)\b"
    r"|如果|假如|假设|倘若|若|要是|试试|改成|改为|设为|设成|以为|会是",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"(?:\b(?:where|when|whenever|while|once|until|unless|for|with|at)\s+|当\s*|(?<!现)在\s*)`?$", re.IGNORECASE
)
_WHEN_ZH = re.compile(r"`?\s*(?:时|的时候|的地方|处|的话|之前|以前)")


def wrong_claims(timeline: Timeline, cell: Cell, step: int) -> Iterator[tuple[int, str, str, str]]:
    """Yield the claims of a prose cell that the run contradicts: line, name, claimed value, value at `step`."""
    for language, text in cell.text.items():
        for start, name, claim in _find_claims(text):
            value = _value_of(timeline.state(step), name)
            if value is _UNKNOWN and not _is_ever_known(timeline, name):
                continue
            run_value = _contradiction(timeline, step, name, claim)
            if run_value is not None:
                yield cell.text_lines[language] + text[:start].count("\n"), name, claim, run_value


def _find_claims(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield where the text says that a name has a value: position, name, value."""
    plain = text
    hidden = [(block.start, block.end) for block in blocks(text) if block.kind == "code"]
    for start, end in (*hidden, *((value.start, value.end) for value in live_values(text))):
        plain = plain[:start] + re.sub(r"[^\n]", " ", text[start:end]) + plain[end:]
    for pattern in _CLAIMS:
        for match in pattern.finditer(plain):
            depends = _WHEN.search(plain[: match.start()]) or _WHEN_ZH.match(plain[match.end() :])
            if not depends and not _CONDITIONAL.search(_sentence(plain, match.start(), match.end())):
                yield match.start(), match["name"], match["value"]


def _sentence(text: str, start: int, end: int) -> str:
    """Return the sentence around a part of the text."""
    before = max((match.end() for match in re.finditer(r"[.!?]\s|[。！？]|\n\s*\n", text[:start])), default=0)
    after = re.search(r"[.!?](?:\s|$)|[。！？]|\n\s*\n", text[end:])
    return text[before : end + after.start()] if after else text[before:]


_UNKNOWN = object()


def _value_of(state: State, name: str) -> Any:
    """Return the value of a name; `_UNKNOWN` if it is not known."""
    base = name.removesuffix(".item()")
    tensor, plain = look_up(state, base)
    if tensor is not None:
        return _to_list(tensor.value, tensor.dtype)
    if plain is not None:
        return plain
    owner, _, last = base.rpartition(".")
    tensor = look_up(state, owner)[0] if owner else None
    if tensor is not None and last == "grad":
        grad = None if tensor.grad is None else state.tensors.get(tensor.grad)
        return None if grad is None else _to_list(grad.value, grad.dtype)
    if tensor is not None and last in ("requires_grad", "is_leaf"):
        return getattr(tensor, last)
    return _UNKNOWN


def _to_list(value: Any, dtype: str) -> Any:
    """Return a recorded value as nested lists; `_UNKNOWN` if it is not recorded in full."""
    value_list = values.to_json(value, dtype)
    return _UNKNOWN if isinstance(value_list, dict) or value_list is None else value_list


def _is_ever_known(timeline: Timeline, name: str) -> bool:
    """Return whether a name has a value at the end of some cell."""
    return any(_value_of(timeline.state(step), name) is not _UNKNOWN for step in _cell_ends(timeline))


def _cell_ends(timeline: Timeline) -> list[int]:
    """Return the last step of each cell that has ended."""
    return [cell.end for cell in timeline.cells if cell.end is not None]


def _contradiction(timeline: Timeline, step: int, name: str, claim: str) -> str | None:
    """Return the run's value if the name never has the claimed one, else None. A value copied from the code is no
    claim.
    """
    cells = timeline.document.cells if timeline.document is not None else []
    if any(f"{name}={claim}" in str(cell.get("source", "")).replace(" ", "") for cell in cells):
        return None
    first: Any = _UNKNOWN
    stride = max(1, timeline.steps // MAX_STEPS_READ)
    for at in dict.fromkeys((step, *_cell_ends(timeline), *range(1, timeline.steps + 1, stride))):
        value = _value_of(timeline.state(at), name)
        if value is _UNKNOWN:
            continue
        if agrees(claim, value):
            return None
        first = value if first is _UNKNOWN else first
    return None if first is _UNKNOWN else answers.format_answer(first)


def agrees(claim: str, value: Any) -> bool:
    """Return whether the text of a value agrees with a value, to the digits that are written."""
    claim = claim.replace("−", "-")
    try:
        claimed = answers.parse(re.sub(r"(?<=[\d.])\s+(?=[-\d])", ", ", claim))
    except answers.AnswerError:
        return True  # not a value after all
    if answers.matches(claimed, value):
        return True
    number = answers.unwrap(value)
    if isinstance(claimed, int | float) and not isinstance(claimed, bool) and isinstance(number, int | float):
        decimals = len(claim.partition("e")[0].partition(".")[2])
        return abs(number - claimed) <= 0.5 * 10.0**-decimals * (1 + 1e-9) and decimals > 0
    return False


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
                    "with the exercises solved, the cell fails with {error}: {message}",
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
    if end is not None and end.outcome == "ok":
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
    """Yield questions whose answer cannot be computed, chosen or typed."""
    answers_by_cell = {
        side_event.event.cell: side_event.event
        for side_event in result.timeline.side_events
        if isinstance(side_event.event, ev.Answer)
    }
    for cell in lesson.cells:
        answer = answers_by_cell.get(cell.index)
        if cell.question is None or answer is None:
            continue
        mark = mark_line(cell)
        if answer.error is not None:
            what = (
                _("`{of}` cannot be computed: {error}.", of=cell.of, error=answer.error)
                if cell.question != "line"
                else f"{_(answer.error)}: {cell.of}"
            )
            yield Finding(lesson.path, mark, what, _("It is worked out when the next code cell has ended."))
        elif cell.question == "choice":
            yield from _check_choice(lesson, cell, answer.value, mark)
        elif cell.question == "predict":
            yield from _check_prediction(lesson, cell, answer.value, mark)


def _check_choice(lesson: Lesson, cell: Cell, value: Any, mark: int) -> Iterator[Finding]:
    """Yield a choice whose answer is no number of an option."""
    count = max((len(options) for options in cell.options.values()), default=0)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= count:
        what = _(
            "`{of}` gives {value}, and the options are numbered 1 to {count}.",
            of=cell.of,
            value=repr(value),
            count=count,
        )
        yield Finding(lesson.path, mark, what, _("Let it give the number of the right one."))


def _check_prediction(lesson: Lesson, cell: Cell, value: Any, mark: int) -> Iterator[Finding]:
    """Yield a prediction whose answer cannot be typed."""
    if not _is_typeable(value):
        what = _("`{of}` gives {value}, which cannot be typed as an answer.", of=cell.of, value=repr(str(value)[:40]))
        yield Finding(
            lesson.path, mark, what, _("Ask for a number, a small list, True, False or None; or give a choice.")
        )
    elif _count_elements(value) > MAX_ANSWER_ELEMENTS:
        what = _(
            "`{of}` has {count} elements, and a learner can type {small}.",
            of=cell.of,
            count=_count_elements(value),
            small=MAX_ANSWER_ELEMENTS,
        )
        yield Finding(lesson.path, mark, what, _("Ask for a part of it."))


def _is_typeable(value: Any) -> bool:
    """Return whether a learner can type a value."""
    if isinstance(value, list | tuple):
        return all(_is_typeable(item) for item in value)
    return value is None or isinstance(value, bool | int | float)


def _count_elements(value: Any) -> int:
    """Return the number of elements of nested lists."""
    return sum(_count_elements(item) for item in value) if isinstance(value, list | tuple) else 1


# ---------------------------------------------------------------- prose


def _check_prose(lesson: Lesson, result: RunResult) -> Iterator[Finding]:
    """Yield live values without a value, and numbers that the run contradicts."""
    timeline = result.timeline
    ends = {info.cell: info.end for info in timeline.cells if info.end is not None}
    step = 0
    for cell in lesson.cells:
        if cell.is_code:
            step = ends.get(cell.number or 0, step)
            continue
        state = timeline.state(step)
        for line, expression in live_lines(cell):
            if evaluate(state, expression) is None:
                what = _("the live value `{expression}` has no value here.", expression=expression)
                fix = _(
                    "Simple ones can be filled in: w, w.grad, w.item(), w.tolist(), w.shape, of names that are there."
                )
                yield Finding(lesson.path, line, what, fix)
        for line, name, claim, run_value in wrong_claims(timeline, cell, step):
            what = _(
                "the text says that `{name}` is {said}, and in the run it is {right}.",
                name=name,
                said=claim,
                right=run_value,
            )
            yield Finding(lesson.path, line, what, _("Write {{{{ {name} }}}}, and the run fills it in.", name=name))


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
