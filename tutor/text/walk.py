"""Walk through a recording without a screen: read a command from a line of input, print a step.

`Questions` asks the questions of a lesson and compares the answers with the run. Works with any terminal, and without.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TextIO

from tutor.explain import cause, describe_check_failure, explanation, line
from tutor.i18n import N_, _, ngettext
from tutor.lesson import answers
from tutor.lesson.model import Cell
from tutor.study.progress import GivenAnswer, Progress, Store
from tutor.text import prose, show
from tutor.text.format import Paint, escape_controls, guard
from tutor.text.prose import cells_of
from tutor.text.show import change_lines
from tutor.trace import navigation
from tutor.trace.events import Answer, Checked
from tutor.trace.timeline import Timeline


class Questions:
    """The questions of a lesson and the answers given."""

    def __init__(self, timeline: Timeline, language: str) -> None:
        self._timeline = timeline
        self._language = language
        self._cells = cells_of(timeline)
        self.given: dict[int, GivenAnswer] = {}
        """By the question's cell, its index in the lesson."""

    def options(self, cell: Cell) -> list[str]:
        """Return the options of a choice; empty for any other question."""
        options_by_language = cell.options
        return next((options_by_language[key] for key in (self._language, "", "en") if key in options_by_language), [])

    def code_lines(self, cell: Cell) -> list[str]:
        """Return the numbered lines to choose from; empty unless the question asks for a line."""
        code_cell = self._code_cell(cell)
        if cell.question != "line" or code_cell is None:
            return []
        return [
            f"  {number:>3}  {row}" for number, row in enumerate(code_cell.source.split("\n"), code_cell.first_line)
        ]

    def _code_cell(self, cell: Cell) -> Cell | None:
        """Return the code cell that a question asks about; None if none follows."""
        return next((later for later in self._cells if later.index > cell.index and later.number is not None), None)

    def _line_range(self, cell: Cell) -> range | None:
        """Return the range of line numbers of that cell; None if there is none."""
        code_cell = self._code_cell(cell)
        return (
            None
            if code_cell is None
            else range(code_cell.first_line, code_cell.first_line + code_cell.source.count("\n") + 1)
        )

    def prompt(self, cell: Cell) -> str:
        """Return what the learner is to type."""
        if cell.question == "line":
            return _("the number of the line")
        if self.options(cell):
            return _("the number of your choice")
        return _("your answer (to a thousandth)")

    def answer(self, cell: Cell, typed: str) -> tuple[str, bool]:
        """Record an answer. Return the reply, and whether the question is settled."""
        if typed in ("s", "skip", "q", ""):
            if typed != "":
                self.given[cell.index] = GivenAnswer("", None)
            return (_("Skipped.") if typed else _("Type an answer, or s to skip.")), typed != ""
        try:
            value = answers.read(typed, cell.question, len(self.options(cell)), self._line_range(cell))
        except answers.AnswerError as error:
            return str(error), False
        run_answer = self._run_answer(cell)
        self.given[cell.index] = GivenAnswer(typed, run_answer is not None and _is_right(cell, value, run_answer))
        return _("Now see."), True

    def exercise_result(self, number: int) -> str | None:
        """Return the result of checking the code of an exercise cell; None if there is none."""
        indices = {cell.index for cell in self._cells if cell.number == number}
        for side_event in self._timeline.side_events:
            event = side_event.event
            if isinstance(event, Checked) and event.cell in indices and event.of == "attempt":
                if event.ok:
                    return _("Exercise {name}: solved.", name=event.exercise)
                text = N_("Exercise {name}: {problem} (`e` on the full screen changes the code.)")
                return _(text, name=event.exercise, problem=describe_check_failure(event))
        return None

    def verdicts(self, number: int) -> Iterator[tuple[str, bool]]:
        """Yield a verdict on each answered question before a code cell, and whether the answer is right."""
        for cell in self._questions_before(number):
            run_answer = self._run_answer(cell)
            answer = self.given.get(cell.index)
            if run_answer is None or answer is None:
                continue
            if run_answer.error is not None:
                yield _("{what} could not be computed: {error}", what=cell.of, error=_(run_answer.error)), False
                continue
            value = answers.format_answer(run_answer.value)
            options = self.options(cell)
            if options and isinstance(run_answer.value, (int, float)) and 1 <= run_answer.value <= len(options):
                value = f"{value}{_(', ')}{options[int(run_answer.value) - 1]}"
            what = _("the answer is {value}", value=value)
            if not options:
                what = _("{what} is {value}", what=cell.of, value=value)
            if cell.question == "line":
                what = _("it is line {value}", value=value)
            if answer.right is None:
                yield _("You skipped the question: {what}.", what=what), False
            elif answer.right:
                yield _("Right: {what}.", what=what), True
            else:
                wrong_places = _wrong_places(cell, answer.answer, run_answer.value)
                yield _("You said {answer}, but {what}.{off}", answer=answer.answer, what=what, off=wrong_places), False

    def _questions_before(self, number: int) -> list[Cell]:
        """Return the questions between the previous code cell and this one."""
        questions: list[Cell] = []
        for cell in self._cells:
            if cell.number == number:
                return questions
            if cell.number is not None:
                questions = []
            elif cell.question is not None:
                questions.append(cell)
        return []

    def _run_answer(self, cell: Cell) -> Answer | None:
        """Return the run's answer; None if the run has not got so far."""
        events = (side_event.event for side_event in self._timeline.side_events)
        return next((event for event in events if isinstance(event, Answer) and event.cell == cell.index), None)


def _is_right(cell: Cell, value: Any, run_answer: Answer) -> bool:
    """Return whether an answer agrees with the run's."""
    if cell.question == "line":
        return answers.matches_line(value, run_answer.value, run_answer.last_line)
    return answers.matches(value, run_answer.value)


def _wrong_places(cell: Cell, typed: str, value: Any) -> str:
    """Return which numbers of a list are wrong, if some are right; else an empty text."""
    comparison = answers.partly_right(answers.parse(typed), value) if cell.question == "predict" else []
    if not comparison:
        return ""
    places = ["[" + ", ".join(map(str, element.place)) + "]" for element in comparison if not element.ok]
    return _(" Off: {places}.", places=", ".join(places))


# ---------------------------------------------------------------- commands

HELP = N_("""\
Enter  the next step            b   the step before
n      the next statement       p   the statement before
i      into a call              o   out of it
]      the next cell            [   the cell before
}      the next iteration       {   the iteration before
f      the next backward pass   F   the backward pass before
t      everything here          c   what made this failure inevitable
7      to step 7                line:8  to where line 8 has run; also cell:2, end, line:8#3
s      skip a question          ?   this help
q      quit
""")

Move = Callable[[Timeline, int], int | None]
_MOVES: dict[str, tuple[Move, str]] = {
    "": (navigation.forward, N_("This was the last step.")),
    "b": (navigation.back, N_("This is the first step.")),
    "back": (navigation.back, N_("This is the first step.")),
    "n": (navigation.next_line, N_("No statement comes after this one.")),
    "next": (navigation.next_line, N_("No statement comes after this one.")),
    "p": (navigation.previous_line, N_("This is the first statement.")),
    "i": (navigation.into, N_("Nothing to step into here.")),
    "into": (navigation.into, N_("Nothing to step into here.")),
    "o": (navigation.out, N_("Nothing to step out of here.")),
    "out": (navigation.out, N_("Nothing to step out of here.")),
    "]": (navigation.next_cell, N_("This is the last cell that ran.")),
    "[": (navigation.previous_cell, N_("This is the first cell.")),
    "}": (navigation.next_iteration, N_("No iteration comes after this.")),
    "{": (navigation.previous_iteration, N_("No iteration comes before this.")),
    "f": (navigation.next_pass, N_("No backward pass comes after this.")),
    "F": (navigation.previous_pass, N_("No backward pass comes before this.")),
}
_FORWARD_COMMANDS = ("", "n", "next", "]", "}", "f")


class Walker:
    """A walk through a recording, with its cursor."""

    def __init__(self, timeline: Timeline, store: Store | None, language: str, source: TextIO, out: TextIO) -> None:
        self.timeline = timeline
        self.step = 0
        self._source = source
        self._out = out
        self._paint = Paint(out)
        self._is_interactive = source.isatty()
        self._prose = prose.Prose(timeline, language)
        self._questions = Questions(timeline, language)
        document = timeline.document
        self._store = store
        self._progress = Progress(document.name, begun=True) if document is not None else Progress("")
        self._told_cells = 0

    def run(self) -> None:
        """Read and run commands until the end of input, or `q`."""
        try:
            self._print_title()
            while (typed := self._read("> ")) is not None and typed.strip() not in ("q", "quit", "exit"):
                guard(self.timeline, partial(self._run_command, typed.strip()), self._print_quietly)
        finally:
            self._save()

    # ------------------------------------------------------------ a command

    def _print_title(self) -> None:
        """Print the title and the number of steps."""
        timeline = self.timeline
        document = timeline.document
        title = self._prose.title or (document.name if document is not None else _("a recording"))
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
            move, no_move = _MOVES[command]
            step = move(self.timeline, self.step)
            if step is None or step == self.step:
                if command == "" and self.step >= self.timeline.steps:
                    self._print_prose(None)
                message = [(_(no_move), "quiet")]
                if self.timeline.cut is not None and command in _FORWARD_COMMANDS:
                    message.append((_(" The recording was full at step {step:,}.", step=self.timeline.cut), "quiet"))
                self._print(message)
            else:
                self._move_to(step)
        elif command in ("?", "h", "help"):
            self._out.write(_(HELP))
        elif command in ("t", "show"):
            if self.step:
                show.write_text(self.timeline, self.step, self._out)
        elif command == "c":
            self._go_to_cause()
        else:
            self._go_to(command)

    def _go_to(self, place: str) -> None:
        """Move to a place such as `7`, `line:8` or `end`."""
        try:
            step = navigation.resolve(self.timeline, place)
        except navigation.PlaceError as error:
            hint = "" if ":" in place or place.isdecimal() else _(" ? lists the commands.")
            self._print([(f"{error}{hint}", "error")])
            return
        if step:
            self._move_to(step)

    def _go_to_cause(self) -> None:
        """Move to the step that made the failure at the cursor inevitable."""
        if not self.step or self.timeline.kind(self.step) != "failed":
            self._print([(_("This step is no failure."), "quiet")])
            return
        step = cause(self.timeline, self.step)
        if step is None:
            self._print([(_("Where this became inevitable is not known."), "quiet")])
        else:
            self._move_to(step)

    # ------------------------------------------------------------ a step

    def _move_to(self, step: int) -> None:
        """Move to a step, printing the prose and asking the questions before its cell."""
        previous = self.step
        cell = self.timeline.cell(step)
        for number in self._prose.numbers_between(self._told_cells, cell or 0):
            self._leave_cell(number - 1)
            if not self._print_prose(number):
                return
            self._told_cells = number
        self.step = step
        self._progress.done |= step == self.timeline.steps
        parts = [(f"{step:>{len(str(self.timeline.steps))}}  ", "quiet"), *line(self.timeline, step)]
        self._print(parts)
        if step > previous:
            printed = self.timeline.output(step)[len(self.timeline.output(previous)) :]
            for text in printed.splitlines():
                self._print([("   | ", "quiet"), (text, "plain")])
        for text in change_lines(self.timeline, step):
            self._print([("     " + text, "quiet")])
        reason = explanation(self.timeline, step)
        if reason is not None:
            self._print([("     " + reason, "error")])
            if cause(self.timeline, step) is not None:
                self._print([("     " + _("c goes to the step that made it inevitable."), "quiet")])
        if self.timeline.kind(step) == "cell_end" and cell is not None:
            self._print_verdicts(cell)

    def _leave_cell(self, number: int) -> None:
        """Move to the end of a cell that is skipped: the prose after it is about its results."""
        end = next((info.end for info in self.timeline.cells if info.cell == number), None)
        if end is not None and self.step < end:
            self.step = end
            self._print_verdicts(number)

    def _print_prose(self, number: int | None) -> bool:
        """Print the prose before a code cell (None: after the last), ask its questions. False: the input has ended."""
        for cell in self._prose.cells_before(number):
            state = self.timeline.state(self.step)
            for text in self._prose.lines(cell, state):
                self._out.write(escape_controls(text) + "\n")
            if cell.question is not None and not self._ask(cell):
                return False
        return True

    def _ask(self, cell: Cell) -> bool:
        """Ask a question until it is settled. Return False at the end of input."""
        for number, option in enumerate(self._questions.options(cell), 1):
            self._out.write(escape_controls(f"  {number}  {option}") + "\n")
        for row in self._questions.code_lines(cell):
            self._out.write(escape_controls(row) + "\n")
        while (typed := self._read(_("{what}, s skips: ", what=self._questions.prompt(cell)))) is not None:
            message, settled = self._questions.answer(cell, typed.strip())
            if message:
                self._print([(message, "plain")])
            if settled:
                self._save_answer(cell)
                return True
        return False

    def _print_verdicts(self, number: int) -> None:
        """Print, after a cell has ended, the results of its exercise and the verdicts on its questions."""
        exercise = self._questions.exercise_result(number)
        if exercise is not None:
            self._print([(exercise, "plain")])
        for text, is_right in self._questions.verdicts(number):
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

    # ------------------------------------------------------------ progress

    def _save_answer(self, cell: Cell) -> None:
        """Save the answer to a question, if there is one."""
        answer = self._questions.given.get(cell.index)
        if answer is not None:
            self._progress.answers[cell.index] = answer
            self._save()

    def _save(self) -> None:
        """Save the progress in a lesson; its last step completes it."""
        if self._store is None:
            return
        self._progress.step = self.step
        self._store.save(self._progress)
        if self._store.notice is not None:
            print(f"gradtutor: {self._store.notice}", file=sys.stderr)
            self._store.notice = None
