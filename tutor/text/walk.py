"""The questions of a lesson on a walk without a screen: put, answered, compared with the run.

Walking without a screen: a line of input, a step, and the words that it takes. Works with any terminal, and none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TextIO

from tutor.explain import cause, explanation, line, problem
from tutor.i18n import N_, _, ngettext
from tutor.lesson import answers
from tutor.lesson.model import Cell
from tutor.study.progress import GivenAnswer, Progress, Store
from tutor.text import prose, show
from tutor.text.format import Paint, escape_controls, guard
from tutor.text.prose import cells_of
from tutor.text.show import changed
from tutor.trace import navigation
from tutor.trace.events import Answer, Checked
from tutor.trace.timeline import Timeline


class Questions:
    """What was asked and answered so far."""

    def __init__(self, timeline: Timeline, language: str) -> None:
        self._timeline = timeline
        self._language = language
        self._cells = cells_of(timeline)
        self.given: dict[int, GivenAnswer] = {}
        """By the question's cell, its index in the lesson."""

    def options(self, cell: Cell) -> list[str]:
        """What can be chosen; empty for a question that wants a number."""
        found = cell.options
        return next((found[key] for key in (self._language, "", "en") if key in found), [])

    def code(self, cell: Cell) -> list[str]:
        """The lines to choose from, where a line is asked for."""
        asked = self._asked(cell)
        if cell.question != "line" or asked is None:
            return []
        return [f"  {number:>3}  {row}" for number, row in enumerate(asked.source.split("\n"), asked.first_line)]

    def _asked(self, cell: Cell) -> Cell | None:
        """The code that a question asks about."""
        return next((later for later in self._cells if later.index > cell.index and later.number is not None), None)

    def _lines(self, cell: Cell) -> range | None:
        asked = self._asked(cell)
        return None if asked is None else range(asked.first_line, asked.first_line + asked.source.count("\n") + 1)

    def prompt(self, cell: Cell) -> str:
        """What is to be typed."""
        if cell.question == "line":
            return _("the number of the line")
        if self.options(cell):
            return _("the number of your choice")
        return _("your answer (to a thousandth)")

    def give(self, cell: Cell, typed: str) -> tuple[str, bool]:
        """Take an answer: what to say to it, and whether the question is settled."""
        if typed in ("s", "skip", "q", ""):
            if typed != "":
                self.given[cell.index] = GivenAnswer("", None)
            return (_("Skipped.") if typed else _("Type an answer, or s to skip.")), typed != ""
        try:
            value = answers.read(typed, cell.question, len(self.options(cell)), self._lines(cell))
        except answers.AnswerError as error:
            return str(error), False
        right = self._right(cell)
        self.given[cell.index] = GivenAnswer(typed, right is not None and _is_right(cell, value, right))
        return _("Now see."), True

    def exercise(self, number: int) -> str | None:
        """What the check said of the code in an exercise cell."""
        indices = {cell.index for cell in self._cells if cell.number == number}
        for aside in self._timeline.asides:
            event = aside.event
            if isinstance(event, Checked) and event.cell in indices and event.of == "attempt":
                if event.ok:
                    return _("Exercise {name}: solved.", name=event.exercise)
                text = N_("Exercise {name}: {problem} (`e` on the full screen changes the code.)")
                return _(text, name=event.exercise, problem=problem(event))
        return None

    def verdicts(self, number: int) -> Iterator[tuple[str, bool]]:
        """For each question before a code cell that was answered: what to say when the cell has ended."""
        for cell in self._before(number):
            right = self._right(cell)
            given = self.given.get(cell.index)
            if right is None or given is None:
                continue
            if right.error is not None:
                yield _("{what} could not be computed: {error}", what=cell.of, error=_(right.error)), False
                continue
            value = answers.shown(right.value)
            options = self.options(cell)
            if options and isinstance(right.value, (int, float)) and 1 <= right.value <= len(options):
                value = f"{value}{_(', ')}{options[int(right.value) - 1]}"
            what = _("the answer is {value}", value=value)
            if not options:
                what = _("{what} is {value}", what=cell.of, value=value)
            if cell.question == "line":
                what = _("it is line {value}", value=value)
            if given.right is None:
                yield _("You skipped the question: {what}.", what=what), False
            elif given.right:
                yield _("Right: {what}.", what=what), True
            else:
                off = _off(cell, given.answer, right.value)
                yield _("You said {answer}, but {what}.{off}", answer=given.answer, what=what, off=off), False

    def _before(self, number: int) -> list[Cell]:
        """The questions that stand between the code cell before and this one."""
        found: list[Cell] = []
        for cell in self._cells:
            if cell.number == number:
                return found
            if cell.number is not None:
                found = []
            elif cell.question is not None:
                found.append(cell)
        return []

    def _right(self, cell: Cell) -> Answer | None:
        """What the run gives as the answer, if it came so far."""
        events = (aside.event for aside in self._timeline.asides)
        return next((event for event in events if isinstance(event, Answer) and event.cell == cell.index), None)


def _is_right(cell: Cell, value: Any, right: Answer) -> bool:
    if cell.question == "line":
        return answers.matches_line(value, right.value, right.last_line)
    return answers.matches(value, right.value)


def _off(cell: Cell, typed: str, right: Any) -> str:
    """Of a list in which some numbers are right: which are not."""
    found = answers.partly(answers.parse(typed), right) if cell.question == "predict" else []
    if not found:
        return ""
    places = ["[" + ", ".join(map(str, element.place)) + "]" for element in found if not element.ok]
    return _(" Off: {places}.", places=", ".join(places))


HELP = N_("""\
Enter  the next step            b   the step before
n      the next statement       p   the statement before
i      into a call              o   out of it
]      the next cell            [   the cell before
}      the next turn of a loop  {   the turn before
f      the next backward pass   F   the backward pass before
t      everything here          c   what made this failure inevitable
7      to step 7                line:8  to where line 8 has run; also cell:2, end, line:8#3
s      skip a question          ?   this help
q      quit
""")

Go = Callable[[Timeline, int], int | None]
_MOVES: dict[str, tuple[Go, str]] = {
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
    "}": (navigation.next_iteration, N_("No turn of a loop comes after this.")),
    "{": (navigation.previous_iteration, N_("No turn of a loop comes before this.")),
    "f": (navigation.next_pass, N_("No backward pass comes after this.")),
    "F": (navigation.previous_pass, N_("No backward pass comes before this.")),
}
_AHEAD = ("", "n", "next", "]", "}", "f")


class Walker:
    """A walk through a recording: the cursor, and what has been told."""

    def __init__(self, timeline: Timeline, store: Store | None, language: str, source: TextIO, out: TextIO) -> None:
        self.timeline = timeline
        self.step = 0
        self._source = source
        self._out = out
        self._paint = Paint(out)
        self._asked = source.isatty()
        self._prose = prose.Prose(timeline, language)
        self._questions = Questions(timeline, language)
        document = timeline.document
        self._store = store
        self._progress = Progress(document.name, begun=True) if document is not None else Progress("")
        self._told_cells = 0

    def run(self) -> None:
        """Until the last line of input, or `q`."""
        try:
            self._begin()
            while (typed := self._read("> ")) is not None and typed.strip() not in ("q", "quit", "exit"):
                guard(self.timeline, partial(self._do, typed.strip()), self._cannot)
        finally:
            self._keep()

    # ------------------------------------------------------------ a command

    def _begin(self) -> None:
        timeline = self.timeline
        document = timeline.document
        title = self._prose.title or (document.name if document is not None else _("a recording"))
        said = ngettext(
            ", {count} step. Enter takes a step, ? helps.",
            ", {count} steps. Enter takes a step, ? helps.",
            timeline.steps,
        )
        self._say([(title, "node"), (said, "quiet")])

    def _cannot(self, why: str) -> None:
        self._say([(why, "quiet")])

    def _do(self, command: str) -> None:
        if command in _MOVES:
            go, nowhere = _MOVES[command]
            step = go(self.timeline, self.step)
            if step is None or step == self.step:
                if command == "" and self.step >= self.timeline.steps:
                    self._tell_prose(None)
                said = [(_(nowhere), "quiet")]
                if self.timeline.cut is not None and command in _AHEAD:
                    said.append((_(" The recording was full at step {step:,}.", step=self.timeline.cut), "quiet"))
                self._say(said)
            else:
                self._move(step)
        elif command in ("?", "h", "help"):
            self._out.write(_(HELP))
        elif command in ("t", "show"):
            if self.step:
                show.write_text(self.timeline, self.step, self._out)
        elif command == "c":
            self._to_cause()
        else:
            self._go(command)

    def _go(self, where: str) -> None:
        try:
            step = navigation.resolve(self.timeline, where)
        except navigation.PlaceError as error:
            hint = "" if ":" in where or where.isdecimal() else _(" ? lists the commands.")
            self._say([(f"{error}{hint}", "error")])
            return
        if step:
            self._move(step)

    def _to_cause(self) -> None:
        if not self.step or self.timeline.kind(self.step) != "failed":
            self._say([(_("This step is no failure."), "quiet")])
            return
        step = cause(self.timeline, self.step)
        if step is None:
            self._say([(_("Where this became inevitable is not known."), "quiet")])
        else:
            self._move(step)

    # ------------------------------------------------------------ a step

    def _move(self, step: int) -> None:
        """To a step, by way of the prose and the questions that stand before its cell."""
        before = self.step
        cell = self.timeline.cell(step)
        for number in range(self._told_cells + 1, (cell or 0) + 1):
            self._leave_cell(number - 1)
            if not self._tell_prose(number):
                return
            self._told_cells = number
        self.step = step
        self._progress.done |= step == self.timeline.steps
        parts = [(f"{step:>{len(str(self.timeline.steps))}}  ", "quiet"), *line(self.timeline, step)]
        self._say(parts)
        if step > before:
            printed = self.timeline.output(step)[len(self.timeline.output(before)) :]
            for text in printed.splitlines():
                self._say([("   | ", "quiet"), (text, "plain")])
        for text in changed(self.timeline, step):
            self._say([("     " + text, "quiet")])
        why = explanation(self.timeline, step)
        if why is not None:
            self._say([("     " + why, "error")])
            if cause(self.timeline, step) is not None:
                self._say([("     " + _("c goes to the step that made it inevitable."), "quiet")])
        if self.timeline.kind(step) == "cell_end" and cell is not None:
            self._tell_answers(cell)

    def _leave_cell(self, number: int) -> None:
        """To the end of a cell that is jumped over: what follows speaks of what it did."""
        end = next((info.end for info in self.timeline.cells if info.cell == number), None)
        if end is not None and self.step < end:
            self.step = end
            self._tell_answers(number)

    def _tell_prose(self, number: int | None) -> bool:
        """What stands before a code cell (after the last one: None), its questions asked. False: input has ended."""
        for cell in self._prose.before(number):
            state = self.timeline.state(self.step)
            for text in self._prose.lines(cell, state):
                self._out.write(escape_controls(text) + "\n")
            if cell.question is not None and not self._ask(cell):
                return False
        return True

    def _ask(self, cell: Cell) -> bool:
        for number, option in enumerate(self._questions.options(cell), 1):
            self._out.write(escape_controls(f"  {number}  {option}") + "\n")
        for row in self._questions.code(cell):
            self._out.write(escape_controls(row) + "\n")
        while (typed := self._read(_("{what}, s skips: ", what=self._questions.prompt(cell)))) is not None:
            said, settled = self._questions.give(cell, typed.strip())
            if said:
                self._say([(said, "plain")])
            if settled:
                self._keep_answer(cell)
                return True
        return False

    def _tell_answers(self, number: int) -> None:
        """After a cell has ended: how the answers to its questions compare."""
        exercise = self._questions.exercise(number)
        if exercise is not None:
            self._say([(exercise, "plain")])
        for text, right in self._questions.verdicts(number):
            self._say([(text, "leaf" if right else "grad")])

    # ------------------------------------------------------------ in and out

    def _read(self, prompt: str) -> str | None:
        """A line of input; None when there is no more."""
        self._out.write(prompt if self._asked else "")
        self._out.flush()
        typed = self._source.readline()
        return typed if typed else None

    def _say(self, parts: list[tuple[str, str]]) -> None:
        self._out.write("".join(self._paint(text, role) for text, role in parts) + "\n")

    # ------------------------------------------------------------ progress

    def _keep_answer(self, cell: Cell) -> None:
        given = self._questions.given.get(cell.index)
        if given is not None:
            self._progress.answers[cell.index] = given
            self._keep()

    def _keep(self) -> None:
        """Keep the progress of a lesson. Who has seen its last step is done with it."""
        if self._store is None:
            return
        self._progress.step = self.step
        self._store.save(self._progress)
        if self._store.notice is not None:
            print(f"gradtutor: {self._store.notice}", file=sys.stderr)
            self._store.notice = None
