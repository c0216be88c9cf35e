"""The texts, questions and exercises of a lesson, and how far they let the learner see and walk.

Questions hide the code cell they ask about, and what follows it, until they are answered or skipped. Of the prose cells
with `when`, those are shown that the run has made true.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from tutor.i18n import _
from tutor.lesson import variation
from tutor.lesson.model import Knob, in_language, join_words
from tutor.trace import events as ev

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

PROSE_KINDS = ("prose", "question")
"""The kinds of cells that the lesson pane shows as prose."""


@dataclass
class Section:
    """The prose before a code cell, or after the last one."""

    number: int | None
    """The number of the code cell that follows, from 1; None for the last section if none follows."""
    cells: list[int] = field(default_factory=list)
    """Indices into `Document.cells`."""


def sections(document: ev.Document | None, front: str = "screen") -> list[Section]:
    """Return the prose of a lesson for a front end, in reading order."""
    result: list[Section] = []
    open_cells: list[int] = []
    for index, cell in enumerate(document.cells if document is not None else ()):
        if cell.get("number") is not None:
            result.append(Section(cell["number"], open_cells))
            open_cells = []
        elif cell.get("kind") in PROSE_KINDS and cell.get("front") in (None, front):
            open_cells.append(index)
    if open_cells:
        result.append(Section(None, open_cells))
    return result


@dataclass(frozen=True)
class Exercise:
    """A code cell for the learner to change until its check passes."""

    id: str
    index: int
    """Index of its cell in `Document.cells`."""
    number: int
    """The number of the code cell, from 1."""
    hints: tuple[int, ...]
    """Indices of the cells with its hints in `Document.cells`."""
    solution: str


def exercises(document: ev.Document | None) -> dict[int, Exercise]:
    """Return the exercises of a lesson by the number of their code cell."""
    cells: list[dict[str, Any]] = [] if document is None else document.cells
    result: dict[int, Exercise] = {}
    for index, cell in enumerate(cells):
        if cell.get("kind") != "exercise" or not isinstance(cell.get("number"), int):
            continue
        exercise_id = str(cell.get("exercise") or "")
        parts = [
            (position, part) for position, part in enumerate(cells) if part.get("exercise") == cell.get("exercise")
        ]
        hints = tuple(position for position, part in parts if part.get("kind") == "hint")
        solution = next((str(part.get("source") or "") for _, part in parts if part.get("kind") == "solution"), "")
        result[cell["number"]] = Exercise(exercise_id, index, cell["number"], hints, solution.strip("\n"))
    return result


Numbers: TypeAlias = tuple[tuple[str, Any], ...]
"""Pairs of a name and the number, or list of numbers, that it gets."""


@dataclass(frozen=True)
class Question:
    """A question about the next code cell."""

    index: int
    """Index of its cell in `Document.cells`."""
    of: str
    """The expression whose value is the answer."""
    before: int | None
    """The number of the code cell after it, from 1; None after the last one."""
    kind: str = "predict"
    """predict, choice or line."""
    options: int = 0
    """The number of options of a choice."""
    lines: range | None = None
    """Line numbers of the code that it asks about; None if there is none."""
    diagnoses: tuple[int, ...] = ()
    """Indices of the cells that each explain a wrong answer."""
    variations: tuple[Numbers, ...] = ()
    """Sets of other numbers with which it can be asked again."""
    numbers: Numbers = ()
    """The set with which it is asked again; empty for those of the lesson."""

    def with_numbers(self, numbers: Numbers) -> Question:
        """Return the question with another set of numbers."""
        return replace(self, numbers=numbers)


def _make_question(cells: list[dict[str, Any]], index: int, before: int | None) -> Question:
    """Return the question in a cell; `before` is the number of the next code cell."""
    cell = cells[index]
    options = max(map(len, (cell.get("options") or {}).values()), default=0)
    code_cell = next((cell for cell in cells if cell.get("number") == before), {}) if before is not None else {}
    first = code_cell.get("first_line", 0)
    lines = range(first, first + code_cell.get("lines", 0)) or None
    following = takewhile(lambda at: cells[at].get("kind") == "diagnosis", range(index + 1, len(cells)))
    sets = variation.parse(cell["vary"]) if cell.get("vary") else []
    return Question(
        index, str(cell.get("of") or ""), before, str(cell.get("question")), options, lines, tuple(following),
        tuple(tuple(numbers.items()) for numbers in sets),
    )  # fmt: skip


def question_keys(cells: list[dict[str, Any]]) -> dict[int, str]:
    """Return what the answer to each question is stored under, by the index of its cell.

    It is made of kind and expression, which stay when cells are added or moved; equal ones are numbered.
    """
    keys: dict[int, str] = {}
    for index, cell in enumerate(cells):
        if cell.get("question"):
            key = f"{cell['question']} {cell.get('of') or ''}"
            count = sum(other.split(" #")[0] == key for other in keys.values()) + 1
            keys[index] = key if count == 1 else f"{key} #{count}"
    return keys


class Gate:
    """The questions of a lesson, which of them are settled, and what the others hide."""

    def __init__(self, document: ev.Document | None, front: str = "screen") -> None:
        self.document = document
        self.front = front
        """The front end whose texts are shown: `screen` or `plain`."""
        self.sections = sections(document, front)
        cells: list[dict[str, Any]] = [] if document is None else document.cells
        self.questions = [
            _make_question(cells, index, section.number)
            for section in self.sections
            for index in section.cells
            if cells[index].get("kind") == "question"
        ]
        self.keys = question_keys(cells)
        """What the answer to each question is stored under, by the index of its cell."""
        self.exercises = exercises(document)
        self.unsolved: set[int] = set()
        """Numbers of the exercise cells that are not solved: their section stays after they have ended."""
        self.tried: int | None = None
        """Number of the exercise cell whose code runs again: its section stays until the run has come there."""
        self.settled: set[int] = set()
        """Indices of the questions that are answered or skipped."""
        self._answers: dict[int, tuple[int, ev.Answer]] = {}
        self._answers_read: tuple[Timeline | None, int] = None, 0

    @property
    def question(self) -> Question | None:
        """The first question that is neither answered nor skipped; None if there is none."""
        return next((question for question in self.questions if question.index not in self.settled), None)

    def cells_shown(self, timeline: Timeline, section: Section) -> list[int]:
        """Return the indices of a section's cells without those whose `when` is not true in this run."""
        cells = [] if self.document is None else self.document.cells
        return [index for index in section.cells if cells[index].get("when") is None or self._is_shown(timeline, index)]

    def texts_at(self, timeline: Timeline, cursor: int, language: str) -> list[str]:
        """Return the texts of the section to read at this step, those of questions included."""
        if self.document is None or not self.sections:
            return []
        indices = self.cells_shown(timeline, self.sections[self.section_at(timeline, cursor)])
        return [in_language(self.document.cells[index].get("text") or {}, language) for index in indices]

    def _is_shown(self, timeline: Timeline, index: int) -> bool:
        result = self.run_answer(timeline, index)
        return result is not None and result[1].value is True

    def knob_notice(self, section: Section) -> str:
        """Return that a section was written for other knobs than those of this run; empty if it was not.

        That is so below a knob that differs from the file's, in a lesson without `when`.
        """
        cells = [] if self.document is None else self.document.cells
        if self.document is None or any(cell.get("when") is not None for cell in cells):
            return ""
        knobs = [
            (knob.get("name"), knob.get("default"))
            for cell in cells
            for knob in cell.get("knobs", ())
            if section.number is None or (cell.get("number") or 0) < section.number
        ]
        values = self.document.knobs
        changed = [(name, default) for name, default in knobs if values.get(name, default) != default]
        if not changed:
            return ""
        written = join_words(f"{name} = {default!r}" for name, default in changed)
        current = join_words(f"{name} = {values[name]!r}" for name, _default in changed)
        return _("This text was written for {written}; this run has {current}.", written=written, current=current)

    @property
    def has_prose(self) -> bool:
        """Whether the lesson has anything to read."""
        return any(section.cells for section in self.sections)

    @property
    def knobs(self) -> dict[str, Knob]:
        """The knobs of the program, by name."""
        cells = [] if self.document is None else self.document.cells
        return {knob["name"]: msgspec.convert(knob, Knob) for cell in cells for knob in cell.get("knobs", ())}

    @property
    def code_cells(self) -> dict[int, dict[str, Any]]:
        """The code cells of the program, by number."""
        cells = [] if self.document is None else self.document.cells
        return {cell["number"]: cell for cell in cells if isinstance(cell.get("number"), int)}

    def original(self, number: int) -> str:
        """Return the code of a cell as it is in the file; empty if there is no such cell."""
        source = None if self.document is None else self.document.originals.get(number)
        return str(self.code_cells.get(number, {}).get("source", "")) if source is None else source

    @property
    def last_revealed_cell(self) -> int | None:
        """Number of the last code cell whose source may be shown; None hides nothing."""
        return None if self.question is None else self.question.before

    def last_step(self, timeline: Timeline) -> int:
        """Return the last step that the cursor may move to."""
        question = self.question
        if question is None or question.before is None:
            return timeline.steps
        info = next((info for info in timeline.cells if info.cell >= (question.before or 0)), None)
        return timeline.steps if info is None else info.start - 1

    def question_at(self, timeline: Timeline, cursor: int) -> Question | None:
        """Return the question to answer at this step: the last one before the cell it asks about. None if there is
        none.
        """
        question = self.question
        if question is None or (question.before is None and cursor < timeline.steps):
            return None
        if any(info.cell == question.before for info in timeline.cells) or question.before is None:
            return question if cursor >= self.last_step(timeline) else None
        return None

    def cells_judged(self, timeline: Timeline, cursor: int) -> list[int]:
        """Return the code cells whose answers are judged at this step: the next one, where its questions have just
        been answered, and the one that has just ended.
        """
        cells: list[int] = []
        if self.question_at(timeline, cursor) is None:
            cells += [info.cell for info in timeline.cells if info.start == cursor + 1]
        end = cursor - 1 if cursor > 1 and timeline.kind(cursor) == "cell" else cursor
        ended = timeline.cell(end) if end and timeline.kind(end) == "cell_end" else None
        return cells if ended is None else [*cells, ended]

    def is_reading_time(self, timeline: Timeline, cursor: int) -> bool:
        """Return whether this is a time to read: at the beginning, between cells, and at a question."""
        if not self.has_prose:
            return False
        if not cursor or self.question_at(timeline, cursor) is not None:
            return True
        between = timeline.kind(cursor) in ("cell", "cell_end")
        return between and bool(self.cells_shown(timeline, self.sections[self.section_at(timeline, cursor)]))

    def run_answer(self, timeline: Timeline, index: int) -> tuple[int, ev.Answer] | None:
        """Return the run's answer to the question at an index, or whether the text there is shown, with the step after
        which it is known; None if it is not yet.
        """
        read_timeline, count = self._answers_read
        if read_timeline is not timeline:
            self._answers.clear()
            count = 0
        for side_event in timeline.side_events[count:]:
            if isinstance(side_event.event, ev.Answer):
                self._answers.setdefault(side_event.event.cell, (side_event.step, side_event.event))
        self._answers_read = timeline, len(timeline.side_events)
        return self._answers.get(index)

    def attempt_result(self, timeline: Timeline, exercise: Exercise) -> ev.Checked | None:
        """Return the result of the learner's code for an exercise in this run; None if it was not checked yet."""
        events = (side_event.event for side_event in timeline.side_events if isinstance(side_event.event, ev.Checked))
        return next((event for event in events if event.cell == exercise.index and event.of == "attempt"), None)

    def exercise_at(self, timeline: Timeline, cursor: int) -> Exercise | None:
        """Return the exercise to read or do at this step; None if there is none."""
        if not self.sections:
            return None
        number = self.sections[self.section_at(timeline, cursor)].number
        question = self.question
        if number is None or (question is not None and question.before is not None and question.before <= number):
            return None
        return self.exercises.get(number)

    def section_at(self, timeline: Timeline, cursor: int) -> int:
        """Return the index of the section to read at this step: of the running cell, or the next one after a cell
        has ended.
        """
        if not self.sections:
            return 0
        cell = timeline.cell(cursor) if cursor else None
        if cell is None and self.tried is None:
            return 0
        number = self.tried if cell is None else cell
        index = next(
            (index for index, section in enumerate(self.sections) if section.number == number), len(self.sections) - 1
        )
        if cell is None:
            return index
        if timeline.kind(cursor) != "cell_end" or index + 1 >= len(self.sections):
            return index
        stays = self.sections[index].number in self.unsolved and self.question_at(timeline, cursor) is None
        return index if stays else index + 1

    def values_step(self, timeline: Timeline, index: int, cursor: int) -> int:
        """Return the step whose values the section at an index shows: the end of the code cell before it, else the
        cursor.
        """
        before = next(
            (section.number for section in reversed(self.sections[:index]) if section.number is not None), None
        )
        if before is None:
            return 0
        return next((info.end for info in timeline.cells if info.cell == before), None) or cursor
