"""Questions hide what is ahead: which part of a lesson may be seen, and how far the cursor may go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tutor.trace import events as ev
from tutor.trace.timeline import Timeline

READ = ("prose", "question")
"""The kinds of cells that the lesson pane shows."""


@dataclass
class Section:
    """The prose before a code cell; the last one may have none after it."""

    number: int | None
    """The code cell that it leads to, from 1."""
    cells: list[int] = field(default_factory=list)
    """Indices into `Document.cells`."""


def sections(document: ev.Document | None) -> list[Section]:
    """The prose of a lesson, in the order in which it is read."""
    found: list[Section] = []
    open_cells: list[int] = []
    for index, cell in enumerate(document.cells if document is not None else ()):
        if cell.get("number") is not None:
            found.append(Section(cell["number"], open_cells))
            open_cells = []
        elif cell.get("kind") in READ:
            open_cells.append(index)
    if open_cells:
        found.append(Section(None, open_cells))
    return found


@dataclass(frozen=True)
class Exercise:
    """A code cell for the learner to change until its check passes."""

    id: str
    index: int
    """Of its cell in `Document.cells`."""
    number: int
    """Which code cell it is, from 1."""
    hints: tuple[int, ...]
    """Indices of the cells with its hints."""
    solution: str


def exercises(document: ev.Document | None) -> dict[int, Exercise]:
    """The exercises of a lesson, by the number of their code cell."""
    cells: list[dict[str, Any]] = [] if document is None else document.cells
    found: dict[int, Exercise] = {}
    for index, cell in enumerate(cells):
        if cell.get("kind") != "exercise" or not isinstance(cell.get("number"), int):
            continue
        name = str(cell.get("exercise") or "")
        parts = [(at, part) for at, part in enumerate(cells) if part.get("exercise") == cell.get("exercise")]
        hints = tuple(at for at, part in parts if part.get("kind") == "hint")
        solution = next((str(part.get("source") or "") for _, part in parts if part.get("kind") == "solution"), "")
        found[cell["number"]] = Exercise(name, index, cell["number"], hints, solution.strip("\n"))
    return found


@dataclass(frozen=True)
class Question:
    """A question that stands between the learner and the next code cell."""

    index: int
    """Of its cell in `Document.cells`."""
    of: str
    before: int | None
    """The code cell after it, from 1."""
    kind: str = "predict"
    """predict, choice or line."""
    options: int = 0
    """How many can be chosen from."""
    lines: range | None = None
    """Of the code that it asks about."""


def _question(cells: list[dict[str, Any]], index: int, before: int | None) -> Question:
    cell = cells[index]
    options = max(map(len, (cell.get("options") or {}).values()), default=0)
    asked = next((cell for cell in cells if cell.get("number") == before), {}) if before is not None else {}
    first = asked.get("first_line", 0)
    lines = range(first, first + asked.get("lines", 0)) or None
    return Question(index, str(cell.get("of") or ""), before, str(cell.get("question")), options, lines)


class Gate:
    """The questions of a lesson, which of them are settled, and what the others hide."""

    def __init__(self, document: ev.Document | None) -> None:
        self.document = document
        self.sections = sections(document)
        cells: list[dict[str, Any]] = [] if document is None else document.cells
        self.questions = [
            _question(cells, index, section.number)
            for section in self.sections
            for index in section.cells
            if cells[index].get("kind") == "question"
        ]
        self.exercises = exercises(document)
        self.waiting: set[int] = set()
        """The cells that are exercises and not solved yet: they are still to be read where they have ended."""
        self.settled: set[int] = set()
        self._answers: dict[int, tuple[int, ev.Answer]] = {}
        self._looked: tuple[Timeline | None, int] = None, 0

    @property
    def question(self) -> Question | None:
        """The first question that is neither answered nor skipped."""
        return next((question for question in self.questions if question.index not in self.settled), None)

    @property
    def prose(self) -> bool:
        """Whether there is anything to read."""
        return any(section.cells for section in self.sections)

    @property
    def reveal(self) -> int | None:
        """The last code cell whose text may be seen: the one asked about; None hides nothing."""
        return None if self.question is None else self.question.before

    def limit(self, timeline: Timeline) -> int:
        """The last step that may be walked to."""
        question = self.question
        if question is None or question.before is None:
            return timeline.steps
        info = next((info for info in timeline.cells if info.cell >= (question.before or 0)), None)
        return timeline.steps if info is None else info.start - 1

    def asking(self, timeline: Timeline, cursor: int) -> Question | None:
        """The question to be answered now: the cursor stands right before the cell that it asks about."""
        question = self.question
        if question is None or (question.before is None and cursor < timeline.steps):
            return None
        if any(info.cell == question.before for info in timeline.cells) or question.before is None:
            return question if cursor >= self.limit(timeline) else None
        return None

    def reading(self, timeline: Timeline, cursor: int) -> bool:
        """Whether it is now the time to read: at the beginning, between cells, and when something is asked."""
        if not self.prose:
            return False
        if not cursor or self.asking(timeline, cursor) is not None:
            return True
        between = timeline.kind(cursor) in ("cell", "cell_end")
        return between and bool(self.sections[self.section(timeline, cursor)].cells)

    def answer_of(self, timeline: Timeline, index: int) -> tuple[int, ev.Answer] | None:
        """What the run gives for a question, and after which step it is known."""
        known, looked = self._looked
        if known is not timeline:
            self._answers.clear()
            looked = 0
        for aside in timeline.side_events[looked:]:
            if isinstance(aside.event, ev.Answer):
                self._answers.setdefault(aside.event.cell, (aside.step, aside.event))
        self._looked = timeline, len(timeline.side_events)
        return self._answers.get(index)

    def checked(self, timeline: Timeline, exercise: Exercise) -> ev.Checked | None:
        """What became of the learner's code for an exercise in this run; None where it was not checked yet."""
        found = (aside.event for aside in timeline.side_events if isinstance(aside.event, ev.Checked))
        return next((event for event in found if event.cell == exercise.index and event.of == "attempt"), None)

    def exercise(self, timeline: Timeline, cursor: int) -> Exercise | None:
        """The exercise that is to be read or done at this step."""
        if not self.sections:
            return None
        number = self.sections[self.section(timeline, cursor)].number
        asked = self.question
        if number is None or (asked is not None and asked.before is not None and asked.before <= number):
            return None
        return self.exercises.get(number)

    def section(self, timeline: Timeline, cursor: int) -> int:
        """Which section is to be read at this step: that of the cell that runs, or the next one once it has ended."""
        if not self.sections:
            return 0
        cell = timeline.cell(cursor) if cursor else None
        if cell is None:
            return 0
        at = next((at for at, section in enumerate(self.sections) if section.number == cell), len(self.sections) - 1)
        if timeline.kind(cursor) != "cell_end" or at + 1 >= len(self.sections):
            return at
        stays = self.sections[at].number in self.waiting and self.asking(timeline, cursor) is None
        return at if stays else at + 1

    def read_at(self, timeline: Timeline, at: int, cursor: int) -> int:
        """The step whose values a section tells: the end of the code cell before it, where it is read; the cursor, for
        as long as that cell has not ended."""
        before = next((section.number for section in reversed(self.sections[:at]) if section.number is not None), None)
        if before is None:
            return 0
        return next((info.end for info in timeline.cells if info.cell == before), None) or cursor
