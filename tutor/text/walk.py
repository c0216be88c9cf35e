"""Walk through a recording without a screen: read a command from a line of input, print a step.

The questions of a lesson are asked where the model of the walk has one open, before the cell that they are about. Works
with any terminal, and without.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TextIO, TypeAlias

from tutor.explain import Explained, cause, describe_check_failure, explanation, joined, lines
from tutor.explain.formatting import Part
from tutor.i18n import N_, _, ngettext, pgettext
from tutor.lesson import answers, forms
from tutor.lesson.catalog import Target
from tutor.lesson.model import Cell, in_language
from tutor.study.cards import card_at
from tutor.study.flow import Question, Section
from tutor.study.model import Model
from tutor.study.moves import Move
from tutor.study.progress import Store
from tutor.study.retries import Retry, describe_numbers, run_changes
from tutor.text import show
from tutor.text.format import Paint, escape_controls, guard
from tutor.text.prose import cells_of, text_lines
from tutor.text.show import change_lines
from tutor.trace import navigation
from tutor.trace.timeline import Timeline

# ---------------------------------------------------------------- prose and questions


class Lesson:
    """The texts of a lesson in one language, and of its questions."""

    def __init__(self, model: Model, language: str) -> None:
        self._model = model
        self.language = language
        document = model.timeline.document
        self.title = in_language(document.title, language) if document is not None and document.title else ""
        self._cells = cells_of(model.timeline)

    def numbers_between(self, previous: int, last: int) -> list[int]:
        """Return the numbers of the code cells after `previous`, up to `last`; recordings may give any."""
        between = {number for cell in self._cells if (number := cell.number) and previous < number < last}
        return [*sorted(between), last] if previous < last else []

    def cells_before(self, number: int | None) -> list[Cell]:
        """Return the prose cells between the previous code cell and this one (None: after the last)."""
        section = self._section(number)
        if section is None:
            return []
        shown = self._model.gate.cells_shown(self._model.timeline, section)
        return [self._cells[index] for index in shown if index < len(self._cells)]

    def knob_notice(self, number: int | None) -> str:
        """Return that the prose before a code cell was written for other knobs; empty if it was not."""
        section = self._section(number)
        return "" if section is None else self._model.gate.knob_notice(section)

    def _section(self, number: int | None) -> Section | None:
        return next((section for section in self._model.gate.sections if section.number == number), None)

    def options(self, question: Question) -> list[str]:
        """Return the options of a choice; empty for any other question."""
        options = self._cells[question.index].options
        return next((options[key] for key in (self.language, "", "en") if key in options), [])

    def code_lines(self, question: Question) -> list[str]:
        """Return the numbered lines to choose from; empty unless the question asks for a line."""
        if question.kind != "line" or question.lines is None or question.before is None:
            return []
        rows = self._model.gate.original(question.before).split("\n")
        return [f"  {number:>3}  {row}" for number, row in zip(question.lines, rows, strict=False)]

    def prompt(self, question: Question) -> str:
        """Return what the learner is to type."""
        if question.kind == "line":
            return _("the number of the line")
        if self.options(question):
            return _("the number of your choice")
        return _("your answer (to a thousandth)")

    def exercise_result(self, number: int) -> str | None:
        """Return the result of checking the code of an exercise cell; None if there is none."""
        exercise = self._model.gate.exercises.get(number)
        result = None if exercise is None else self._model.gate.attempt_result(self._model.timeline, exercise)
        if result is None:
            return None
        if result.ok:
            return _("Exercise {name}: solved.", name=result.exercise)
        text = N_("Exercise {name}: {problem} (`e` tries it.)")
        return _(text, name=result.exercise, problem=describe_check_failure(result))

    def verdicts(self, number: int) -> Iterator[tuple[str, bool]]:
        """Yield a verdict on each answered question before a code cell, and whether the answer is right; after a wrong
        one also where it comes from, if the lesson says so.
        """
        model = self._model
        for question in model.gate.questions:
            result = model.gate.run_answer(model.timeline, question.index)
            answer = model.study.answers.get(question.index)
            if question.before != number or result is None or answer is None:
                continue
            event, (typed, right) = result[1], answer
            if event.error is not None:
                yield _("{what} could not be computed: {error}", what=question.of, error=_(event.error)), False
                continue
            value, options = answers.format_answer(event.value), self.options(question)
            if options and isinstance(event.value, (int, float)) and 1 <= event.value <= len(options):
                value = f"{value}{_(', ')}{options[int(event.value) - 1]}"
            what = _("the answer is {value}", value=value)
            if not options:
                what = _("{what} is {value}", what=question.of, value=value)
            if question.kind == "line":
                what = _("it is line {value}", value=value)
            if not typed:
                yield _("You skipped the question: {what}.", what=what), False
            elif right:
                yield _("Right: {what}.", what=what), True
            else:
                places = _wrong_places(typed, event.value) if question.kind == "predict" else ""
                yield _("You said {answer}, but {what}.{off}", answer=typed, what=what, off=places), False
                diagnosis = model.study.diagnosis(question.index, model.timeline)
                for line in self._diagnosis_lines(diagnosis, model.timeline, result[0]):
                    yield line, False

    def retry_verdict(self, retry: Retry) -> tuple[str, bool]:
        """Return the verdict on the answer to a question that was asked again, and whether it is right."""
        if retry.run is None or retry.timeline is None:
            return _("{what} could not be computed: {error}", what=retry.question.of, error=_("the run failed")), False
        what = _("{what} is {value}", what=retry.question.of, value=answers.format_answer(retry.run.value))
        if retry.right:
            return _("Right: {what}.", what=what), True
        text = _("You said {answer}, but {what}.{off}", answer=retry.typed, what=what, off="")
        diagnosis = self._model.study.retry_diagnosis(retry)
        return "\n".join([text, *self._diagnosis_lines(diagnosis, retry.timeline, retry.timeline.steps)]), False

    def _diagnosis_lines(self, cell: int | None, timeline: Timeline, step: int) -> list[str]:
        """Return what explains a wrong answer, with the values of a step; empty without it."""
        if cell is None:
            return []
        return text_lines(self._cells[cell].text_in(self.language), timeline.state(step))[1:-1]


def _rows_of(explained: Explained) -> list[list[Part]]:
    """Return what ran as rows: the rule, and each phrase of the numbers after it."""
    if not explained.numbers:
        return [joined(explained.ran())]
    return [joined(explained.rule), *explained.worked(), *explained.notes]


def _wrong_places(typed: str, value: Any) -> str:
    """Return which numbers of a list are wrong, if some are right; else an empty text."""
    comparison = answers.partly_right(answers.parse(typed), value)
    places = ["[" + ", ".join(map(str, element.place)) + "]" for element in comparison if not element.ok]
    return _(" Off: {places}.", places=", ".join(places)) if comparison else ""


# ---------------------------------------------------------------- commands

HELP = N_("""\
Enter  the next step            b   the step before
n      the next statement       p   the statement before
i      into a call              o   out of it
]      the next cell            [   the cell before
}      the next iteration       {   the iteration before
f      the next backward pass   F   the backward pass before
t      everything here          !   the next problem; from a failure, what made it inevitable
7      to step 7                line:8  to where line 8 has run; also cell:2, end, line:8#3
s      skip a question          e   try an exercise
?      this help
q      quit
""")

_FORWARD = Move(navigation.forward, N_("This was the last step."), ahead=True)
_BACK = Move(navigation.back, N_("This is the first step."))
_NEXT_LINE = Move(navigation.next_line, N_("No statement comes after this one."), ahead=True)
_INTO = Move(navigation.into, N_("Nothing to step into here."))
_OUT = Move(navigation.out, N_("Nothing to step out of here."))
_MOVES = {
    "": _FORWARD,
    "b": _BACK,
    "back": _BACK,
    "n": _NEXT_LINE,
    "next": _NEXT_LINE,
    "p": Move(navigation.previous_line, N_("This is the first statement.")),
    "i": _INTO,
    "into": _INTO,
    "o": _OUT,
    "out": _OUT,
    "]": Move(navigation.next_cell, N_("This is the last cell that ran."), ahead=True),
    "[": Move(navigation.previous_cell, N_("This is the first cell.")),
    "}": Move(navigation.next_iteration, N_("No iteration comes after this."), ahead=True),
    "{": Move(navigation.previous_iteration, N_("No iteration comes before this.")),
    "f": Move(navigation.next_pass, N_("No backward pass comes after this."), ahead=True),
    "F": Move(navigation.previous_pass, N_("No backward pass comes before this.")),
}


RunAgain: TypeAlias = Callable[[dict[str, Any]], Timeline]


class Walker:
    """A walk through a recording by lines of input. It asks every question each time."""

    def __init__(
        self,
        target: Target,
        timeline: Timeline,
        store: Store | None,
        language: str,
        source: TextIO,
        out: TextIO,
        run_again: RunAgain | None = None,
    ) -> None:
        """Make the walk.

        Args:
            target: What was recorded.
            timeline: The recording.
            store: Where progress is kept; None keeps none.
            language: The language of the texts.
            source: Where commands are read.
            out: Where steps are printed.
            run_again: Runs the lesson with these changes to its command; None for a recording.
        """
        self.timeline = timeline
        self._source = source
        self._out = out
        self._paint = Paint(out)
        self._is_interactive = source.isatty()
        self._model = Model(target, timeline=timeline, store=store, ask_all=True)
        self._run_again = run_again
        self._lesson = Lesson(self._model, language)
        self._told_cells = 0
        self._told_notice = ""

    @property
    def step(self) -> int:
        """The current step; 0 before the first."""
        return self._model.cursor

    def run(self) -> None:
        """Read and run commands until the end of input, or `q`."""
        try:
            self._print_title()
            while (typed := self._read("> ")) is not None and typed.strip() not in ("q", "quit", "exit"):
                guard(self.timeline, partial(self._run_command, typed.strip()), self._print_quietly)
        finally:
            study = self._model.study
            study.save_position(self.step)
            if study.notice is not None:
                print(f"gradtutor: {study.notice}", file=sys.stderr)

    # ------------------------------------------------------------ a command

    def _print_title(self) -> None:
        """Print the title and the number of steps."""
        timeline = self.timeline
        document = timeline.document
        title = self._lesson.title or (document.name if document is not None else _("a recording"))
        message = ngettext(
            ", {count} step. Enter takes a step, ? helps.",
            ", {count} steps. Enter takes a step, ? helps.",
            timeline.steps,
        )
        self._print([(title, "node"), (message, "quiet")])

    def _print_quietly(self, text: str) -> None:
        """Print why a command did nothing."""
        self._print([(text, "quiet")])

    def _run_command(self, command: str) -> None:
        """Run a command."""
        if command in _MOVES:
            move = _MOVES[command]
            step = move.find(self.timeline, self.step)
            if step is None or step == self.step:
                if command == "" and self.step >= self.timeline.steps:
                    self._print_prose(None)
                message = [(_(move.nowhere), "quiet")]
                if self.timeline.cut is not None and move.ahead:
                    message.append((_(" The recording was full at step {step:,}.", step=self.timeline.cut), "quiet"))
                self._print(message)
            else:
                self._move_to(step)
        elif command in ("?", "h", "help"):
            self._out.write(_(HELP))
        elif command in ("t", "show"):
            if self.step:
                show.write_text(self.timeline, self.step, self._out)
        elif command in ("e", "edit"):
            self._try_exercise()
        elif command == "!":
            self._go_to_problem()
        else:
            self._go_to(command)

    def _try_exercise(self) -> None:
        """Read the learner's answer to the exercise at the cursor, run it and print what its check says."""
        exercise, study = self._model.exercise, self._model.study
        if exercise is None or self._run_again is None:
            self._print_quietly(_("there is no exercise to try here"))
            return
        kind = study.exercise_status(exercise, self.timeline).kind
        form = forms.read(kind, self._model.gate.original(exercise.number))
        code = self._read_code() if form is None else self._read_form(form)
        if code is None:
            return
        study.record_attempt(exercise.id, code)
        timeline = self._run_again({"attempts": {exercise.id: code}, "last_cell": exercise.number})
        result = self._model.gate.attempt_result(timeline, exercise)
        if result is not None and result.ok:
            study.record_solved(exercise.id)
            self._print([(_("Exercise {name}: solved.", name=exercise.id), "leaf")])
        else:
            self._print([(_("it did not run") if result is None else describe_check_failure(result), "grad")])

    def _read_code(self) -> str | None:
        """Return the lines typed up to one with a single dot; None at the end of input."""
        self._print_quietly(_("Type your code; a line with a single . ends it."))
        rows: list[str] = []
        while (row := self._read("| ")) is not None:
            if row.strip() == ".":
                return "\n".join(rows)
            rows.append(row.rstrip("\n"))
        return None

    def _read_form(self, form: forms.Form) -> str | None:
        """Return the code of a form, filled in line by line; None where a value cannot be read or the input ends."""
        if form.kind == "order":
            self._print([("  ".join(f"{number} {text}" for number, text in enumerate(form.texts, 1)), "plain")])
        prompt = {"order": _("the numbers in order: "), "value": f"{form.target}: "}.get(form.kind)
        typed: list[str] = []
        for name in form.names or ("",):
            row = self._read(prompt or f"∇ {name}: ")
            if row is None:
                return None
            typed.append(row.strip())
        if form.kind == "order":
            places = typed[0].replace(",", " ").split()
            if sorted(places) != sorted(str(number) for number in range(1, len(form.texts) + 1)):
                self._print([(_("Type each number once, such as: {numbers}", numbers="2 1 3"), "error")])
                return None
            typed = [form.texts[int(place) - 1] for place in places]
        try:
            return form.filled(tuple(typed)).code
        except answers.AnswerError as error:
            self._print([(str(error), "error")])
            return None

    def _go_to(self, place: str) -> None:
        """Move to a place such as `7`, `line:8` or `end`."""
        try:
            failure = self._model.problems.failure() if place == "end" else None
            step = navigation.resolve(self.timeline, place) if failure is None else failure.step
        except navigation.PlaceError as error:
            hint = "" if ":" in place or place.isdecimal() else _(" ? lists the commands.")
            self._print([(f"{error}{hint}", "error")])
            return
        if step:
            self._move_to(step)

    def _go_to_problem(self) -> None:
        """Move to the next problem, or from a failure to the step that made it inevitable."""
        problems = self._model.problems
        problems.read()
        step, _failure = problems.next_step(self.step, self.timeline.steps)
        if step is not None:
            self._move_to(step)
        elif self._model.problem is not None:
            self._print([(_("this is the only problem"), "quiet")])
        else:
            self._print([(_("nothing went wrong here: no error, no nan, no inf"), "quiet")])

    # ------------------------------------------------------------ a step

    def _move_to(self, step: int) -> None:
        """Move to a step, printing the prose and asking the questions before its cell."""
        previous = self.step
        cell = self.timeline.cell(step)
        for number in self._lesson.numbers_between(self._told_cells, cell or 0):
            self._leave_cell(number - 1)
            if not self._print_prose(number):
                return
            self._told_cells = number
        while self._model.go(step).outcome == "question":
            question = self._model.question
            if question is None or not self._ask(question):
                return
        self._model.record_shown()
        self._print_step(step, previous)
        reason = explanation(self.timeline, step)
        if reason is not None:
            self._print([("     " + reason, "error")])
            if cause(self.timeline, step) is not None:
                self._print([("     " + _("! goes to the step that made it inevitable."), "quiet")])
        self._model.problems.read()
        card = card_at(self._model)
        if card is not None and card.kind != "failed":
            for text, role in card.texts:
                self._print([(f"     {text}", "error" if (card.kind, role) == ("nonfinite", "strong") else "quiet")])
        if self.timeline.kind(step) == "cell_end" and cell is not None:
            self._print_verdicts(cell)

    def _leave_cell(self, number: int) -> None:
        """Move to the end of a cell that is skipped: the prose after it is about its results."""
        end = next((info.end for info in self.timeline.cells if info.cell == number), None)
        if end is not None and self.step < end:
            self._model.go(end)
            self._print_verdicts(number)

    def _print_prose(self, number: int | None) -> bool:
        """Print the prose before a code cell (None: after the last), ask its questions. False: the input has ended."""
        cells = self._lesson.cells_before(number)
        notice = self._lesson.knob_notice(number) if cells else ""
        if notice and notice != self._told_notice:
            self._told_notice = notice
            self._print([("\n" + notice, "now")])
        for cell in cells:
            state = self.timeline.state(self.step)
            for text in text_lines(cell.text_in(self._lesson.language), state):
                self._out.write(escape_controls(text) + "\n")
            question = self._model.question
            if question is not None and question.index == cell.index and not self._ask(question):
                return False
        return True

    def _print_step(self, step: int, previous: int) -> None:
        """Print what ran, each phrase of numbers in a line after its rule; what was printed, what changed, and what
        runs next. Before a statement that is what runs next alone, unless something came of the one before it."""
        explained = lines(self.timeline, step, self._model.limit)
        rows = _rows_of(explained) if explained.step == step else []
        said = "\n".join(text for row in rows for text, _role in row)
        head: list[Part] = [(f"{step:>{len(str(self.timeline.steps))}}  ", "quiet")]
        for row in rows:
            self._print([*head, *row])
            head = [("     ", "quiet")]
        if step > previous:
            printed = self.timeline.output(step)[len(self.timeline.output(previous)) :]
            for text in printed.splitlines():
                self._print([("   | ", "quiet"), (text, "plain")])
        for text in change_lines(self.timeline, step):
            if text not in said:
                self._print([("     " + text, "quiet")])
        if explained.next:
            self._print([*head, (pgettext("what runs then", "next") + ": ", "quiet"), *explained.next])

    def _ask(self, question: Question) -> bool:
        """Ask a question until it is settled. Return False at the end of input."""
        for number, option in enumerate(self._lesson.options(question), 1):
            self._out.write(escape_controls(f"  {number}  {option}") + "\n")
        for row in self._lesson.code_lines(question):
            self._out.write(escape_controls(row) + "\n")
        while (typed := self._read(_("{what}, s skips: ", what=self._lesson.prompt(question)))) is not None:
            text = typed.strip()
            if not text:
                self._print([(_("Type an answer, or s to skip."), "plain")])
                continue
            result = self._model.skip() if text in ("s", "skip", "q") else self._model.answer(text)
            messages = {"error": result.text, "skipped": _("Skipped.")}
            self._print([(messages.get(result.outcome, _("Now see.")), "plain")])
            if result.outcome != "error":
                self._model.record_shown()  # it may have been the last thing to do
                return True
        return False

    def _print_verdicts(self, number: int) -> None:
        """Print, after a cell has ended, the results of its exercise and the verdicts on its questions."""
        exercise = self._lesson.exercise_result(number)
        if exercise is not None:
            self._print([(exercise, "plain")])
        for text, is_right in self._lesson.verdicts(number):
            self._print([(text, "leaf" if is_right else "grad")])
        for question in self._model.gate.questions:
            if question.before == number and self._run_again is not None:
                self._ask_again(question, self._run_again)

    def _ask_again(self, question: Question, run_again: RunAgain) -> None:
        """Ask a question that was answered wrong again with other numbers, until the answer is right or empty."""
        study = self._model.study
        while (retry := study.next_retry(question.index)) is not None:
            numbers, of = describe_numbers(retry.question), question.of
            typed = ""
            while not retry.typed:
                self._print([(_("Again, with {numbers}: what will {of} be?", numbers=numbers, of=of), "plain")])
                typed = (self._read(_("your answer, or Enter to go on: ")) or "").strip()
                if not typed:
                    return
                try:
                    study.answer_retry(retry, typed)
                except answers.AnswerError as error:
                    self._print([(str(error), "plain")])
            study.retries[question.index] = retry
            retry.timeline = run_again(run_changes(self._model.gate, retry.question))
            study.judge_retry(retry)
            text, is_right = self._lesson.retry_verdict(retry)
            self._print([(text, "leaf" if is_right else "grad")])

    # ------------------------------------------------------------ in and out

    def _read(self, prompt: str) -> str | None:
        """Return a line of input; None at its end."""
        self._out.write(prompt if self._is_interactive else "")
        self._out.flush()
        typed = self._source.readline()
        return typed if typed else None

    def _print(self, parts: list[tuple[str, str]]) -> None:
        """Print a line of parts, each a text and its role."""
        self._out.write("".join(self._paint(text, role) for text, role in parts) + "\n")
