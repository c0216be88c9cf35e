"""The questions of a lesson on a walk without a screen: put, answered, compared with the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tutor.explain import problem
from tutor.i18n import N_, _
from tutor.lesson import answers
from tutor.lesson.model import Cell
from tutor.progress import Given
from tutor.text.prose import cells_of
from tutor.trace.events import Answer, Checked
from tutor.trace.timeline import Timeline


class Questions:
    """What was asked and answered so far."""

    def __init__(self, timeline: Timeline, language: str) -> None:
        self._timeline = timeline
        self._language = language
        self._cells = cells_of(timeline)
        self.given: dict[int, Given] = {}
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
                self.given[cell.index] = Given("", None)
            return (_("Skipped.") if typed else _("Type an answer, or s to skip.")), typed != ""
        try:
            value = answers.read(typed, cell.question, len(self.options(cell)), self._lines(cell))
        except answers.AnswerError as error:
            return str(error), False
        right = self._right(cell)
        self.given[cell.index] = Given(typed, right is not None and _is_right(cell, value, right))
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
