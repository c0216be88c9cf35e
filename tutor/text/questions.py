"""The questions of a lesson on a walk without a screen: put, answered, compared with the run."""

from __future__ import annotations

from collections.abc import Iterator

from tutor.lesson import answers
from tutor.lesson.model import Cell
from tutor.progress import Given
from tutor.text.prose import cells_of
from tutor.trace.events import Answer
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

    def give(self, cell: Cell, typed: str) -> tuple[str, bool]:
        """Take an answer: what to say to it, and whether the question is settled."""
        if typed in ("s", "skip", "q", ""):
            if typed != "":
                self.given[cell.index] = Given("", None)
            return ("Skipped." if typed else "Type an answer, or s to skip."), typed != ""
        try:
            value = answers.parse(typed)
        except answers.AnswerError as error:
            return str(error), False
        options = self.options(cell)
        if options and value not in range(1, len(options) + 1):
            return f"Choose a number from 1 to {len(options)}.", False
        right = self._right(cell)
        self.given[cell.index] = Given(typed, right is not None and answers.matches(value, right.value))
        return "Now see.", True

    def verdicts(self, number: int) -> Iterator[tuple[str, bool]]:
        """For each question before a code cell that was answered: what to say when the cell has ended."""
        for cell in self._before(number):
            right = self._right(cell)
            given = self.given.get(cell.index)
            if right is None or given is None:
                continue
            if right.error is not None:
                yield f"{cell.of} could not be computed: {right.error}", False
                continue
            value = answers.shown(right.value)
            options = self.options(cell)
            if options and isinstance(right.value, (int, float)) and 1 <= right.value <= len(options):
                value = f"{value}, {options[int(right.value) - 1]}"
            what = f"{cell.of} is {value}" if not options else f"the answer is {value}"
            if given.right is None:
                yield f"You skipped the question: {what}.", False
            elif given.right:
                yield f"Right: {what}.", True
            else:
                yield f"You said {given.answer}, but {what}.", False

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
