"""The questions of a lesson on a walk without a screen: put, answered, compared with the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
        following = [later for later in self._cells if later.index > cell.index and later.number is not None]
        if cell.question != "line" or not following:
            return []
        rows = enumerate(following[0].source.split("\n"), following[0].first_line)
        return [f"  {number:>3}  {row}" for number, row in rows]

    def prompt(self, cell: Cell) -> str:
        """What is to be typed."""
        if cell.question == "line":
            return "the number of the line"
        if self.options(cell):
            return "the number of your choice"
        return f"your answer ({answers.WITHIN['en']})"

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
        if cell.question == "line" and type(value) is not int:
            return "The answer is the number of a line.", False
        right = self._right(cell)
        self.given[cell.index] = Given(typed, right is not None and _is_right(cell, value, right))
        return "Now see.", True

    def exercise(self, number: int) -> str | None:
        """What the check said of the code in an exercise cell."""
        indices = {cell.index for cell in self._cells if cell.number == number}
        for aside in self._timeline.asides:
            event = aside.event
            if isinstance(event, Checked) and event.cell in indices and event.of == "attempt":
                if event.ok:
                    return f"Exercise {event.exercise}: solved."
                return f"Exercise {event.exercise}: {event.message} (`e` on the full screen changes the code.)"
        return None

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
            if cell.question == "line":
                what = f"it is line {value}"
            if given.right is None:
                yield f"You skipped the question: {what}.", False
            elif given.right:
                yield f"Right: {what}.", True
            else:
                yield f"You said {given.answer}, but {what}.{_off(cell, given.answer, right.value)}", False

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
    found = answers.elements(answers.parse(typed), right) if cell.question == "predict" else None
    if not found or len(found) < 2 or not any(element.ok for element in found):
        return ""
    places = ["[" + ", ".join(map(str, element.place)) + "]" for element in found if not element.ok]
    return f" Off: {', '.join(places)}."
