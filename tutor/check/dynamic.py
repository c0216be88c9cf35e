"""Numbers in prose that the run contradicts: "`w.grad` is 4" where it is 5.

Only what is said of a name that the run knows counts, and only where that name never has that value at any point: text
also speaks of what was and of what will be. A sentence that only supposes is left alone.

What is wrong with a lesson's exercises: seen by running it with their starters, and with their solutions.

What is wrong with what a lesson does: seen by running it."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import msgspec

from tutor import i18n
from tutor.check.runner import Ran, Runner
from tutor.check.static import Finding, live_lines
from tutor.explain import ended, problem
from tutor.explain.expressions import find, live
from tutor.i18n import N_, _
from tutor.lesson import answers
from tutor.lesson.markdown import blocks, live_values
from tutor.lesson.model import MISSING, Cell, Lesson
from tutor.trace import events as ev
from tutor.trace import values
from tutor.trace.command import RunCommand
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

MOST_STEPS = 2_000
"""So many points of the run are looked at."""

_NAME = r"(?P<name>[A-Za-z_]\w*(?:\.\w+|\[\d+\])*(?:\.item\(\))?)"
_NUMBER = r"[-−]?\d+(?:\.\d*)?(?:e[-+]?\d+)?"
_LIST = r"\[[-−\d\s.,\[\]e]+\]"
_VALUE = rf"(?P<value>{_NUMBER}|{_LIST}|tensor\((?:{_NUMBER}|{_LIST})\)|True|False|None)"
_BEGIN, _CLOSE = r"\s*(?:\*\*)?`?", r"`?(?:\*\*)?"
_WORDS = "and|or|but|because|since|while|then|again|now|too|not"
_END = rf"(?={_CLOSE}\s*(?:$|[,;:!?()，。；：！？（）、]|\.(?:\s|$)|(?:{_WORDS})\b|[\u4e00-\u9fff]))"
_IS = r"(?:is|was|holds|equals|becomes|stays|gives)(?:\s+(?:now|still|exactly|only|just|always))?"
_IS_ZH = r"(?:的值)?(?:现在|仍然?|还|就|正好|最终|已经|一直|始终|都)*(?:是|等于|为|变成了?|变为|得到)"
_SAID = (
    re.compile(rf"(?<![\w.\]]){_NAME}`?\s*(?<![=<>!])={_BEGIN}{_VALUE}{_END}"),
    re.compile(rf"`{_NAME}`\s+{_IS}{_BEGIN}{_VALUE}{_END}"),
    re.compile(rf"`{_NAME}`\s*{_IS_ZH}{_BEGIN}{_VALUE}{_END}"),
)
_SUPPOSES = re.compile(
    r"\b(?:if|suppose|would|were|imagine|say|try|instead|change|set|wrong|think)\b"
    r"|如果|假如|假设|倘若|若|要是|试试|改成|改为|设为|设成|以为|会是",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"(?:\b(?:where|when|whenever|while|once|until|unless|for|with|at)\s+|当\s*|(?<!现)在\s*)`?$", re.IGNORECASE
)
_WHEN_ZH = re.compile(r"`?\s*(?:时|的时候|的地方|处|的话|之前|以前)")


def contradicted(timeline: Timeline, cell: Cell, step: int) -> Iterator[tuple[int, str, str, str]]:
    """What a prose cell, read at this step, says wrongly: the line, the name, the value said, the run's value."""
    for language, text in cell.text.items():
        for start, name, said in _claims(text):
            here = _value(timeline.state(step), name)
            if here is _NONE and not _known_anywhere(timeline, name):
                continue
            wrong = _wrong(timeline, step, name, said)
            if wrong is not None:
                yield cell.text_lines[language] + text[:start].count("\n"), name, said, wrong


def _claims(text: str) -> Iterator[tuple[int, str, str]]:
    """Where something is said, of which name, and what."""
    plain = text
    places = [(block.start, block.end) for block in blocks(text) if block.kind == "code"]
    for start, end in (*places, *((value.start, value.end) for value in live_values(text))):
        plain = plain[:start] + re.sub(r"[^\n]", " ", text[start:end]) + plain[end:]
    for pattern in _SAID:
        for found in pattern.finditer(plain):
            depends = _WHEN.search(plain[: found.start()]) or _WHEN_ZH.match(plain[found.end() :])
            if not depends and not _SUPPOSES.search(_sentence(plain, found.start(), found.end())):
                yield found.start(), found["name"], found["value"]


def _sentence(text: str, start: int, end: int) -> str:
    """The sentence around a place."""
    before = max((found.end() for found in re.finditer(r"[.!?]\s|[。！？]|\n\s*\n", text[:start])), default=0)
    after = re.search(r"[.!?](?:\s|$)|[。！？]|\n\s*\n", text[end:])
    return text[before : end + after.start()] if after else text[before:]


_NONE = object()


def _value(state: State, name: str) -> Any:
    """What a name holds; `_NONE` where it is not known."""
    base = name.removesuffix(".item()")
    tensor, plain = find(state, base)
    if tensor is not None:
        return _list(tensor.value, tensor.dtype)
    if plain is not None:
        return plain
    owner, _, last = base.rpartition(".")
    tensor = find(state, owner)[0] if owner else None
    if tensor is not None and last == "grad":
        grad = None if tensor.grad is None else state.tensors.get(tensor.grad)
        return None if grad is None else _list(grad.value, grad.dtype)
    if tensor is not None and last in ("requires_grad", "is_leaf"):
        return getattr(tensor, last)
    return _NONE


def _list(value: Any, dtype: str) -> Any:
    found = values.to_json(value, dtype)
    return _NONE if isinstance(found, dict) or found is None else found


def _known_anywhere(timeline: Timeline, name: str) -> bool:
    return any(_value(timeline.state(step), name) is not _NONE for step in _ends(timeline))


def _ends(timeline: Timeline) -> list[int]:
    return [cell.end for cell in timeline.cells if cell.end is not None]


def _wrong(timeline: Timeline, step: int, name: str, said: str) -> str | None:
    """The value that the run gives, where it never gives what is said. What the code says too is a quotation."""
    cells = timeline.document.cells if timeline.document is not None else []
    if any(f"{name}={said}" in str(cell.get("source", "")).replace(" ", "") for cell in cells):
        return None
    first: Any = _NONE
    every = max(1, timeline.steps // MOST_STEPS)
    for place in dict.fromkeys((step, *_ends(timeline), *range(1, timeline.steps + 1, every))):
        value = _value(timeline.state(place), name)
        if value is _NONE:
            continue
        if agrees(said, value):
            return None
        first = value if first is _NONE else first
    return None if first is _NONE else answers.shown(first)


def agrees(said: str, value: Any) -> bool:
    """Whether the text for a value says this one, as exactly as it is written."""
    said = said.replace("−", "-")
    try:
        meant = answers.parse(re.sub(r"(?<=[\d.])\s+(?=[-\d])", ", ", said))
    except answers.AnswerError:
        return True  # not a value after all
    if answers.matches(meant, value):
        return True
    number = answers.alone(value)
    if isinstance(meant, int | float) and not isinstance(meant, bool) and isinstance(number, int | float):
        decimals = len(said.partition("e")[0].partition(".")[2])
        return abs(number - meant) <= 0.5 * 10.0**-decimals * (1 + 1e-9) and decimals > 0
    return False


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
            mend = _("Let it stand in `try` and `except`, or fix it.")
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
        for line, name, said, right in contradicted(timeline, cell, step):
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
