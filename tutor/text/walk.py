"""Walk through a recording without a screen: read a command from a line of input, print a step.

The questions of a lesson are asked where the model of the walk has one open, before the cell that they are about. Works
with any terminal, and without.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from shutil import get_terminal_size
from typing import Any, TextIO, TypeAlias

from tutor.explain import cause, describe_check_failure, explanation, lines
from tutor.i18n import N_, _, current_language, next_language, ngettext, use
from tutor.lesson import answers, forms, knobs
from tutor.lesson.catalog import Target
from tutor.lesson.model import Cell, LessonError, in_language, join_words
from tutor.session.session import replies_in
from tutor.study.answer_form import answer_value, describe_form
from tutor.study.cards import card_at
from tutor.study.changes import last_change
from tutor.study.copying import tensor_at
from tutor.study.flow import Question, Section
from tutor.study.model import Model
from tutor.study.moves import resolve_typed
from tutor.study.progress import Store
from tutor.study.retries import Retry, describe_numbers, run_changes
from tutor.study.settings import Settings
from tutor.text import commands, glossary, show
from tutor.text.figures import figure_lines, figures_between
from tutor.text.format import escape_controls, guard
from tutor.text.prose import cells_of
from tutor.text.show import change_lines
from tutor.text.speech import in_words, one_line, rows_of, spoken
from tutor.text_width import printed_lines, width, wrap
from tutor.trace import navigation
from tutor.trace.names import names_of
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

    def texts_at(self, step: int) -> list[str]:
        """Return the texts of the prose that belongs to a step."""
        gate, timeline = self._model.gate, self._model.timeline
        number = gate.sections[gate.section_at(timeline, step)].number if gate.sections else None
        return [cell.text_in(self.language) for cell in self.cells_before(number)]

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
        return [f"{number}: {row}" for number, row in zip(question.lines, rows, strict=False)]

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

    def verdicts(self, number: int) -> Iterator[str]:
        """Yield a verdict on each answered question before a code cell; after a wrong answer also where it comes from,
        if the lesson says so.
        """
        model = self._model
        for question in model.gate.questions:
            result = model.gate.run_answer(model.timeline, question.index)
            answer = model.study.answers.get(question.index)
            if question.before != number or result is None or answer is None:
                continue
            event, (typed, right) = result[1], answer
            if event.error is not None:
                yield _("{what} could not be computed: {error}", what=question.of, error=_(event.error))
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
                yield _("You skipped the question: {what}.", what=what)
            elif right:
                yield _("Right: {what}.", what=what)
            else:
                places = _wrong_places(typed, event.value) if question.kind == "predict" else ""
                yield _("You said {answer}, but {what}.{off}", answer=typed, what=what, off=places)
                diagnosis = model.study.diagnosis(question.index, model.timeline)
                yield from self._diagnosis_lines(diagnosis, model.timeline, result[0])

    def retry_verdict(self, retry: Retry) -> str:
        """Return the verdict on the answer to a question that was asked again."""
        if retry.run is None or retry.timeline is None:
            return _("{what} could not be computed: {error}", what=retry.question.of, error=_("the run failed"))
        what = _("{what} is {value}", what=retry.question.of, value=answers.format_answer(retry.run.value))
        if retry.right:
            return _("Right: {what}.", what=what)
        text = _("You said {answer}, but {what}.{off}", answer=retry.typed, what=what, off="")
        diagnosis = self._model.study.retry_diagnosis(retry)
        return "\n".join([text, *self._diagnosis_lines(diagnosis, retry.timeline, retry.timeline.steps)])

    def _diagnosis_lines(self, cell: int | None, timeline: Timeline, step: int) -> list[str]:
        """Return what explains a wrong answer, with the values of a step; empty without it."""
        return [] if cell is None else spoken(self._cells[cell].text_in(self.language), timeline.state(step))

    def text_of(self, cell: int) -> list[str]:
        """Return the paragraphs of a cell that has no live values."""
        return spoken(self._cells[cell].text_in(self.language), self._model.timeline.state(0))


def _wrong_places(typed: str, value: Any) -> str:
    """Return which numbers of a list are wrong, if some are right; else an empty text."""
    comparison = answers.partly_right(answers.parse(typed), value)
    places = ["[" + ", ".join(map(str, element.place)) + "]" for element in comparison if not element.ok]
    return _(" Off: {places}.", places=join_words(places)) if comparison else ""


# ---------------------------------------------------------------- the walk

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
        self._is_interactive = source.isatty()
        self._model = Model(target, timeline=timeline, store=store, ask_all=True, front="plain")
        self._run_again = run_again
        self._lesson = Lesson(self._model, language)
        self._knobs: dict[str, str] = {}
        self._ended = False
        self._followed = 0, 0
        """The step that the last change was at, and the tensor that it was of."""
        self._told_cells = 0
        self._told_notice = ""

    @property
    def step(self) -> int:
        """The current step; 0 before the first."""
        return self._model.cursor

    def run(self) -> None:
        """Read and run commands until the end of input, or `q`."""
        try:
            self._open()
            while not self._ended and (typed := self._read("> ")) is not None:
                guard(self.timeline, partial(self._run_command, typed), self._print)
        finally:
            study = self._model.study
            study.save_position(self.step)
            if study.notice is not None:
                print(f"gradtutor: {study.notice}", file=sys.stderr)

    # ------------------------------------------------------------ a command

    def _open(self) -> None:
        """Print the title, and go to the first `breakpoint()` if there is one."""
        self._print_title()
        mark = navigation.next_breakpoint(self.timeline, 0)
        if mark is not None:
            self._move_to(mark)

    def _print_title(self) -> None:
        """Print the title, the number of steps, and how to go on."""
        document = self.timeline.document
        title = self._lesson.title or (document.name if document is not None else _("a recording"))
        steps = ngettext("{count} step", "{count} steps", self.timeline.steps)
        text = N_("{title}, {steps}. Enter takes a step; a question mark, or the word help, lists the commands.")
        self._print(_(text, title=title, steps=steps))

    def _run_command(self, typed: str) -> None:
        """Run a command."""
        letter, text = commands.parse(typed)
        match letter:
            case _ if letter in commands.MOVES:
                self._move(letter)
            case "q":
                self._ended = True
            case "?":
                self._print(_(commands.HELP))
            case "show":
                for line in show.spoken_lines(self.timeline, self.step):
                    self._print(line)
            case "!":
                self._go_to_problem()
            case "/":
                step, (number, count) = self._model.next_with(text)
                if step is None:
                    self._print(_("That is nowhere."))
                else:
                    self._print(_("place {number} of {count}", number=number, count=count))
                    self._jump_to(step)
            case "'" | '"':
                self._jump_back(letter == '"')
            case "u":
                self._go_to_change(text)
            case "a":
                self._bookmark(text)
            case "s":
                self._print(_("Nothing is asked here."))
            case "e":
                self._try_exercise()
            case "H":
                self._print_hint()
            case "S":
                self._print_solution()
            case "k":
                self._set_knob(text)
            case "r":
                self._run({})
            case "t":
                self._print(glossary.spoken(text, self._lesson.texts_at(self.step), self._lesson.language))
            case "L":
                use(next_language())
                Settings().set("language", current_language())
                self._lesson = Lesson(self._model, current_language())
                self._print_title()
            case _:
                self._go_to(text)

    def _bookmark(self, note: str) -> None:
        """Keep a bookmark at this step, or drop it."""
        drops = self.step in self.timeline.bookmarks and not note
        result = self._model.bookmark(None if drops else note)
        self._print(_(commands.BOOKMARKED[result.outcome]))

    def _move(self, letter: str) -> None:
        """Move as a letter says, or say why not."""
        move = commands.MOVES[letter]
        step = move.find(self.timeline, self.step)
        if step is not None and step != self.step:
            self._move_to(step)
            return
        if move is commands.FORWARD and self.step >= self.timeline.steps:
            self._print_prose(None)
        nowhere = _(move.nowhere)
        if self.timeline.cut is not None and move.ahead:
            nowhere += _(" The recording was full at step {step:,}.", step=self.timeline.cut)
        self._print(nowhere)

    def _go_to_change(self, name: str) -> None:
        """Go to the step that changed the tensor of a name, the one asked for last, or the one the step brought."""
        state = self.timeline.state(self.step)
        number = names_of(state).get(name, 0)
        if not name:
            brought = tensor_at(self.timeline, self.step, None)
            number = 0 if brought is None else brought.tensor
            number = self._followed[1] if self._followed[0] == self.step else number
        change = last_change(self.timeline, self.step, number) if number else None
        if change is not None:
            self._followed = change
            self._jump_to(change[0])
        elif number:
            self._print(_("Nothing before this step changed it."))
        else:
            self._print(_("Which tensor? Type u and its name."))

    def _try_exercise(self) -> None:
        """Read the learner's answer to the exercise at the cursor, run it and print what its check says."""
        exercise, study = self._model.exercise, self._model.study
        if exercise is None or self._run_again is None:
            self._print(_("there is no exercise to try here"))
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
            self._print(_("Exercise {name}: solved.", name=exercise.id))
        else:
            self._print(_("it did not run") if result is None else describe_check_failure(result))

    def _read_code(self) -> str | None:
        """Return the lines typed up to one with a single dot; None at the end of input."""
        self._print(_("Type your code; a line with a single . ends it."))
        rows: list[str] = []
        while (row := self._read("> ")) is not None:
            if row.strip() == ".":
                return "\n".join(rows)
            rows.append(row.rstrip("\n"))
        return None

    def _read_form(self, form: forms.Form) -> str | None:
        """Return the code of a form, filled in line by line; None where a value cannot be read or the input ends."""
        if form.kind == "order":
            self._print("\n".join(f"{number}: {text}" for number, text in enumerate(form.texts, 1)))
        prompt = {"order": _("the numbers in order: "), "value": f"{form.target}: "}.get(form.kind)
        typed: list[str] = []
        for name in form.names or ("",):
            row = self._read(prompt or f"{name}: ")
            if row is None:
                return None
            typed.append(row.strip())
        if form.kind == "order":
            places = typed[0].replace(",", " ").split()
            if sorted(places) != sorted(str(number) for number in range(1, len(form.texts) + 1)):
                self._print(_("Type each number once, such as: {numbers}", numbers="2 1 3"))
                return None
            typed = [form.texts[int(place) - 1] for place in places]
        try:
            return form.filled(tuple(typed)).code
        except answers.AnswerError as error:
            self._print(str(error))
            return None

    def _jump_to(self, step: int) -> None:
        """Move to a step, which `'` leads back from."""
        self._model.jumps.leave(self.timeline, self.step)
        self._move_to(step)

    def _jump_back(self, forward: bool) -> None:
        """Go back to where the last jump came from, or forward again."""
        jumps = self._model.jumps
        step = (jumps.forward if forward else jumps.back)(self.timeline, self.step)
        if step is None:
            self._print(_("there is no place to go forward to") if forward else _("there was no jump to go back from"))
        else:
            self._move_to(max(step, 1))  # before the first step nothing can be shown

    def _go_to(self, place: str) -> None:
        """Move to a place such as `7`, `line 8` or `end`."""
        try:
            failure = self._model.problems.failure() if place == "end" else None
            step = failure.step if failure is not None else 1
            if place != "start" and failure is None:
                step = resolve_typed(self.timeline, self.step, place)
        except navigation.PlaceError as error:
            is_word = not any(char.isdecimal() for char in place)
            self._print(f"{error}{_(' A question mark lists the commands.') if is_word else ''}")
            return
        if step:
            self._jump_to(step)

    def _go_to_problem(self) -> None:
        """Move to the next problem, or from a failure to the step that made it inevitable."""
        problems = self._model.problems
        problems.read()
        step, _failure = problems.next_step(self.step, self.timeline.steps)
        if step is not None:
            self._jump_to(step)
        elif self._model.problem is not None:
            self._print(_("this is the only problem"))
        else:
            self._print(_("nothing went wrong here: no error, no nan, no inf"))

    def _print_hint(self) -> None:
        """Print the next hint of the exercise at the cursor."""
        exercise = self._model.exercise
        result = self._model.hint()
        if result.outcome == "hint" and exercise is not None:
            shown = self._model.study.progress.hints[exercise.id]
            self._print_lines(self._lesson.text_of(exercise.hints[shown - 1]))
        elif result.outcome == "no hint":
            self._print(_("There is no other hint. A capital S shows the solution."))
        else:
            self._print(_("Hints belong to exercises."))

    def _print_solution(self) -> None:
        """Print the solution of the exercise at the cursor, when asked for twice."""
        exercise = self._model.exercise
        outcome = self._model.solution().outcome
        if outcome == "solution" and exercise is not None:
            self._print_code(exercise.solution)
        elif outcome == "nothing to solve":
            self._print(_("Solutions belong to exercises."))
        else:
            self._print(_("A capital S once more shows the solution."))

    def _set_knob(self, text: str) -> None:
        """Print the knobs, or run with another value of one: `lr 0.1` or `lr = 0.1`."""
        all_knobs = self._model.gate.knobs
        name, _space, value = text.replace("=", " ", 1).partition(" ")
        if not all_knobs:
            self._print(_("There are no knobs here."))
        elif not value.strip():
            document = self.timeline.document
            values = {} if document is None else document.knobs
            for knob in all_knobs.values():
                self._print(f"{knob.name} = {values.get(knob.name, knob.default)}")
            self._print(_("Type k, a name and a value to run with it."))
        else:
            try:
                knobs.resolve_knobs(all_knobs, {name: value.strip()}, None)
            except LessonError as error:
                self._print(str(error))
                return
            self._knobs[name] = value.strip()
            self._run({"knobs": dict(self._knobs)})

    def _run(self, changes: dict[str, Any]) -> None:
        """Run the program again, and begin at its first step."""
        if self._run_again is None:
            self._print(_("This is a recording: open its script to run it."))
            return
        replies = replies_in(self.timeline)
        self.timeline = self._run_again({"replies": replies, "knobs": dict(self._knobs), **changes})
        self._model.show_recording(self.timeline)
        self._lesson = Lesson(self._model, self._lesson.language)
        self._told_cells, self._told_notice = 0, ""
        self._open()

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
            self._print(reason)
            if cause(self.timeline, step) is not None:
                self._print(_("An exclamation mark goes to the step that made it inevitable."))
        self._model.problems.read()
        card = card_at(self._model)
        if card is not None and card.kind != "failed":
            for text, _role in card.texts:
                self._print(text)
        if self.timeline.kind(step) == "cell_end" and cell is not None:
            self._print_verdicts(cell)

    def _leave_cell(self, number: int) -> None:
        """Move to the end of a cell that is skipped: the prose after it is about its results."""
        end = next((info.end for info in self.timeline.cells if info.cell == number), None)
        if end is not None and self.step < end:
            self._model.go(end)
            self._print_verdicts(number)

    def _print_prose(self, number: int | None) -> bool:
        """Print the prose before a code cell (None: after the last), ask its questions. False: go no further."""
        cells = self._lesson.cells_before(number)
        notice = self._lesson.knob_notice(number) if cells else ""
        if notice and notice != self._told_notice:
            self._told_notice = notice
            self._print(notice)
        for cell in cells:
            state = self.timeline.state(self.step)
            self._print_lines(spoken(cell.text_in(self._lesson.language), state, items=cell.question != "choice"))
            question = self._model.question
            if question is not None and question.index == cell.index and not self._ask(question):
                return False
        return True

    def _print_step(self, step: int, previous: int) -> None:
        """Print what ran, each phrase of numbers in a line after its rule; what was printed, what changed, and what
        runs next, unless that is a statement: at its own step it is all there is to say."""
        explained = lines(self.timeline, step, self._model.limit)
        rows = rows_of(explained) if explained.step == step else []
        texts = [one_line(row) for row in rows]
        following = self.timeline.kind(step + 1) if step < self.timeline.steps else ""
        at_question = step >= self._model.limit and step < self.timeline.steps
        if explained.next and (at_question or not rows or following not in ("cell", "cell_end", "line")):
            texts.append(_("next: {what}", what=one_line(explained.next)))
        said = in_words("\n".join(texts[: len(rows)]))
        changes = [text for text in change_lines(self.timeline, step) if in_words(text) not in said]
        texts = [*texts[: len(rows)], *changes, *texts[len(rows) :]]
        head, *others = texts or [_("nothing changes")]
        self._print(f"{step}: {head}")
        if step in self.timeline.bookmarks:
            self._print(_("bookmark: {note}", note=self.timeline.bookmarks[step]))
        if step > previous:
            printed = self.timeline.output(step)[len(self.timeline.output(previous)) :]
            for text in printed_lines(printed):
                self._write(_("printed: {text}", text=text))
            for figure in figures_between(self.timeline, previous, step):
                for text in guard(self.timeline, partial(figure_lines, *figure), lambda why: [why]):
                    self._write(text)
        for text in others:
            self._print(text)

    def _ask(self, question: Question) -> bool:
        """Ask a question until it is settled. Return False at the end of input, and after a command."""
        if question.before is not None:
            self._print(_("This code comes next:"))
            if question.kind == "line":
                self._print_code("\n".join(self._lesson.code_lines(question)))
            else:
                self._print_code(self._model.gate.original(question.before))
        for number, option in enumerate(self._lesson.options(question), 1):
            self._print_lines(spoken(f"{number}. {option}", self.timeline.state(self.step)))
        form = describe_form(question, answer_value(self._model.gate, self.timeline, question))
        self._print(_("Answer with {form}; s skips the question.", form=form))
        while (typed := self._read("> ")) is not None:
            text = typed.strip()
            if not text:
                self._print(_("Type an answer, or s to skip."))
                continue
            if commands.is_command(text) and text not in ("s", "skip"):
                self._run_command(text)
                return False
            result = self._model.skip() if text in ("s", "skip") else self._model.answer(text)
            messages = {"error": result.text, "skipped": _("Skipped.")}
            wrong = self._run_again and self._model.study.next_retry(question.index)
            self._print(messages.get(result.outcome, _("Not so. Go on to see why.") if wrong else _("Now see.")))
            if result.outcome != "error":
                self._model.record_shown()  # it may have been the last thing to do
                self._ask_again(question)
                return True
        return False

    def _print_verdicts(self, number: int) -> None:
        """Print, after a cell has ended, the results of its exercise and the verdicts on its questions."""
        exercise = self._lesson.exercise_result(number)
        if exercise is not None:
            self._print(exercise)
        for text in self._lesson.verdicts(number):
            self._print(text)
        for question in self._model.gate.questions:
            if question.before == number:
                self._ask_again(question)

    def _ask_again(self, question: Question) -> None:
        """Ask a question that was answered wrong again with other numbers, until the answer is right or empty."""
        study, run_again = self._model.study, self._run_again
        while run_again is not None and (retry := study.next_retry(question.index)) is not None:
            numbers, of = describe_numbers(self._model.gate, retry.question), question.of
            typed = ""
            while not retry.typed:
                self._print(_("Again, with {numbers}: what will {of} be?", numbers=numbers, of=of))
                self._print(_("Type your answer, or press Enter to go on."))
                typed = (self._read("> ") or "").strip()
                if not typed:
                    return
                try:
                    study.answer_retry(retry, typed)
                except answers.AnswerError as error:
                    self._print(str(error))
            study.retries[question.index] = retry
            retry.timeline = run_again(run_changes(self._model.gate, retry.question))
            study.judge_retry(retry)
            self._print(self._lesson.retry_verdict(retry))

    # ------------------------------------------------------------ in and out

    def _read(self, prompt: str) -> str | None:
        """Return a line of input; None at its end."""
        if self._ended:
            return None
        self._out.write(prompt if self._is_interactive else "")
        self._out.flush()
        typed = self._source.readline()
        return typed if typed else None

    def _print(self, text: str) -> None:
        """Print a text as it is said."""
        for line in text.split("\n"):
            self._write(in_words(line))

    def _print_lines(self, texts: list[str]) -> None:
        """Print paragraphs, which are said already."""
        for text in texts:
            self._write(text)

    def _print_code(self, code: str) -> None:
        """Print code as it is written."""
        self._print_lines(code.rstrip().split("\n"))

    def _write(self, text: str) -> None:
        """Write a line, between words broken to the width of a terminal."""
        text = escape_controls(text)
        if self._is_interactive and width(text) > (columns := max(get_terminal_size().columns, 20)):
            text = "\n".join(wrap(text, columns))
        self._out.write(text + "\n")
