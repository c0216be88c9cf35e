"""The lesson pane: the prose up to the question that is open, the part that is to be read now in full light."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from tutor.explain.live import live
from tutor.language import later, tr
from tutor.lesson.model import in_language
from tutor.trace.state import State
from tutor.ui.draw import prose
from tutor.ui.draw.exercise import Standing
from tutor.ui.draw.exercise import rows as drawn
from tutor.ui.draw.prose import Block
from tutor.ui.draw.row import EMPTY, Row, fit, tinted, wrapped
from tutor.ui.draw.verdict import verdict
from tutor.ui.gate import Exercise, Gate
from tutor.ui.panes.pane import Pane
from tutor.ui.reading import role_of


class LessonPane(Pane):
    """Sections of prose; the one of the cell at the cursor begins at the top."""

    NAME = later("lesson")

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate(None)
        self.given: Mapping[int, tuple[str, bool | None]] = {}
        """By question: what was answered (empty: skipped), and whether it was right (None: not yet known)."""
        self.seen = 0
        """The furthest step that was on the screen."""
        self.language = "en"
        self.standing: Callable[[Exercise], Standing] | None = None
        """How the learner stands with an exercise."""
        self.to_the_end = False
        """Whether the end of what is to be read shall be seen: a hint was asked for."""
        self._rows: list[Row] = []
        self._starts: list[int] = []
        self._reading: tuple[int, int | None] = (-1, None)
        """The section that is to be read, and the question in it that is open."""
        self.wanted = 0
        """How many rows what is to be read now has."""
        self._pinned = True
        """Whether what is to be read begins at the top; not once the learner has scrolled."""
        self._blocks: dict[int, list[Block]] = {}

    def prepare(self) -> None:
        timeline = self.timeline
        if timeline is None:
            return
        current = self.gate.section(timeline, self.cursor)
        state = timeline.state(self.cursor)
        self._rows, self._starts = [], []
        asked: tuple[int, int] | None = None
        # What comes later is not read before its time.
        reached = max(current, self.gate.section(timeline, min(self.seen, timeline.steps)))
        for at, section in enumerate(self.gate.sections[: reached + 1]):
            self._starts.append(len(self._rows))
            open_question = False
            rows: list[Row] = []
            for index in section.cells:
                rows += [EMPTY] if rows else []
                question = self.gate.question
                open_question = question is not None and question.index == index
                if open_question and at == current:
                    asked = index, len(self._rows) + len(rows)
                rows += self._cell(index, state)
                if open_question:
                    break
            exercise = self.gate.exercises.get(section.number or 0)
            if exercise is not None and self.standing is not None and not open_question:
                rows += self._exercise(exercise, self.standing(exercise), state)
            self._rows += rows if at == current else [tinted(row, "quiet") for row in rows]
            if open_question:
                break
            following = self.gate.sections[at + 1 : reached + 1]
            if section.number is not None and any(later.cells for later in following):
                self._rows += [EMPTY, self._rule(section.number), EMPTY] if rows else []
        reading = current, None if asked is None else asked[0]
        if reading != self._reading:
            self._reading, self._pinned = reading, True
        self.wanted = len(self._rows) - self._starts[current] if current < len(self._starts) else 0
        if self.to_the_end:
            self.to_the_end = self._pinned = False
            ends = [*self._starts[current + 1 :], len(self._rows) + 2]
            self.top = max(0, ends[0] - 2 - self.page)
        if self._pinned and current < len(self._starts):
            self.top = self._starts[current]
            if asked is not None and len(self._rows) - self.top > self.page:
                # A second question at the same place: what one has read already makes room for it.
                self.top = max(self.top, min(asked[1], len(self._rows) - self.page))

    def forget(self) -> None:
        """The texts are in another language now."""
        self._blocks = {}

    def scroll_rows(self, rows: int) -> None:
        self._pinned = False
        super().scroll_rows(rows)

    def _exercise(self, exercise: Exercise, standing: Standing, state: State) -> list[Row]:
        def hint(index: int) -> Callable[[int], list[Row]]:
            return lambda cells: self._prose(index, state, cells)

        return drawn(standing, [hint(index) for index in exercise.hints], max(self.inner, 1), self.glyphs)

    def _prose(self, index: int, state: State, cells: int) -> list[Row]:
        """The text of a cell."""
        assert self.timeline is not None
        assert self.timeline.document is not None
        if index not in self._blocks:
            cell = self.timeline.document.cells[index]
            found = prose.blocks(in_language(cell.get("text") or {}, self.language))
            if cell.get("options"):  # they are listed with their numbers after it
                found = [block for block in found if block.kind != "item"]
            self._blocks[index] = found
        role, value = partial(role_of, state), partial(live, state)
        return prose.rows(self._blocks[index], max(cells, 1), self.glyphs, role, value)

    def _rule(self, number: int) -> Row:
        label = f" {tr('cell {number}', number=number)} "
        return fit(((self.glyphs.rule * 2, "faint"), (label, "quiet"), (self.glyphs.rule * 200, "faint")), self.inner,
                   more=self.glyphs.rule)  # fmt: skip

    def _cell(self, index: int, state: State) -> list[Row]:
        """The rows of a cell."""
        assert self.timeline is not None
        assert self.timeline.document is not None
        role, value = partial(role_of, state), partial(live, state)
        cell = self.timeline.document.cells[index]
        if cell.get("kind") != "question":
            return self._prose(index, state, self.inner)
        inner = self._prose(index, state, self.inner - 2)
        rows = [((("? ", "now") if not at else ("  ", "plain")), *row) for at, row in enumerate(inner)]
        given = self.given.get(index)
        known = self.gate.answer_of(self.timeline, index)
        run = known[1] if given is not None and known is not None and known[0] <= self.seen else None
        options = cell.get("options") or {}
        for number, option in enumerate(options.get(self.language) or next(iter(options.values()), ()), 1):
            is_right = run is not None and run.value == number
            pieces = prose.inline(option, self.glyphs, role, value)
            lines = wrapped([*pieces, (f" {self.glyphs.yes}", "leaf strong")] if is_right else pieces,
                            max(self.inner - 5, 1))  # fmt: skip
            rows += [((f"  {number}  " if not at else "     ", "now"), *line) for at, line in enumerate(lines)]
        if given is None:
            return rows
        outcome = verdict(str(cell.get("question")), *given, run, self.glyphs)
        return [*rows, *((("  ", "plain"), *row) for row in wrapped(outcome, max(self.inner - 2, 1)))]

    def heading(self) -> Row:
        below = self.count() - self.top - self.page
        more = "↓" if self.tabs else tr("more below")
        return ((more, "note"),) if below > 0 and self._rows else ()

    def count(self) -> int:
        return max(len(self._rows), 1)

    def row(self, index: int, cells: int) -> Row:
        known = self.gate.document is not None
        return self._rows[index] if self._rows else ((tr("a script without prose"), "note"),) if known else EMPTY
