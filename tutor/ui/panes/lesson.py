"""What became of an answer, in a line: right, wrong and where, skipped, or not yet known.

An exercise in the lesson pane: what to do, what became of it, the hints and the solution asked for.

The lesson pane: the prose up to the question that is open, the part that is to be read now in full light."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tutor.explain.expressions import live
from tutor.i18n import N_, _
from tutor.lesson import answers, markdown
from tutor.lesson.markdown import Block
from tutor.lesson.model import in_language
from tutor.study.flow import Exercise, Gate, Section
from tutor.text_width import wrapped
from tutor.trace.events import Answer
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.ui.panes.base import Pane
from tutor.ui.panes.code import coloured
from tutor.ui.panes.readings import role_of
from tutor.ui.render import prose
from tutor.ui.render.segments import EMPTY, Glyphs, Piece, Row, clean, fit, phrase, ticked, tinted


def verdict(kind: str, typed: str, right: bool | None, run: Answer | None, glyphs: Glyphs) -> list[Piece]:
    """An answer (empty: skipped) beside what the run gave, which is None until the learner has come to it."""
    mine = clean(typed)
    if run is None:
        return [(mine, "strong"), (_(" — walk on, the run will tell"), "note")] if mine else [(_("skipped"), "note")]
    if run.error is not None:
        return [(mine + " ", "strong"), (_("the run has no answer: {error}", error=clean(_(run.error))), "error")]
    value = (answers.shown(run.value), "strong")
    told = N_("it is line {value}") if kind == "line" else N_("the run gives {value}")
    if not mine:
        return [(f"{_('skipped')} {glyphs.dot} ", "note"), *phrase(told, "note", value=value)]
    if right:
        return [(mine, "leaf strong"), (f" {glyphs.yes} {_('right')}", "leaf")]
    off = answers.partly(answers.parse(typed), run.value) if kind == "predict" else []
    if not off:
        return [(mine, "error strong"), (f" {glyphs.no} ", "error"), *phrase(told, "error", value=value)]
    places = ", ".join("[" + ", ".join(map(str, each.place)) + "]" for each in off if not each.ok)
    correct = {each.place for each in off if each.ok}
    return [
        *_marked(answers.alone(answers.parse(typed)), correct),
        (f" {glyphs.no} ", "error"),
        *phrase(told, "error", value=value),
        (_("; off at {places}", places=places), "error"),
    ]


def _marked(value: Any, right: set[tuple[int, ...]], place: tuple[int, ...] = ()) -> list[Piece]:
    """A list as one types it, each number in the colour of right or wrong."""
    if not isinstance(value, (list, tuple)):
        return [(answers.shown(value), "leaf strong" if place in right else "error strong")]
    found: list[Piece] = [("[", "quiet")]
    for at, item in enumerate(value):
        found += [(", ", "quiet")] if at else []
        found += _marked(item, right, (*place, at))
    return [*found, ("]", "quiet")]


@dataclass(frozen=True)
class Standing:
    """How a learner stands with an exercise."""

    kind: str
    """fill or bug."""
    solved: bool
    tried: bool
    problem: str
    """Why the check failed, to the learner; empty where it passed or has not run."""
    hints: int
    of_hints: int
    solution: str
    """The lesson's own, where it is to be seen."""
    ran: bool
    """Whether the check has told of this run what it will."""


_WORDS: Mapping[str, str] = {"fill": N_("fill in"), "bug": N_("find the bug")}

_UNTRIED: Mapping[str, str] = {
    "fill": N_("the code is not finished: its check fails"),
    "bug": N_("there is a bug in the code: its check fails"),
}


def rows(standing: Standing, hints: Sequence[Callable[[int], list[Row]]], cells: int, glyphs: Glyphs) -> list[Row]:
    """The block, for so many cells; each of `hints` gives its text for so many cells."""
    g = glyphs
    head: list[Piece] = [(_("exercise"), "now"), (f" {g.dot} {_(_WORDS.get(standing.kind, standing.kind))}", "quiet")]
    found: list[Row] = [EMPTY, tuple(head)]
    found += wrapped(outcome(standing, g), cells)
    for at, hint in enumerate(hints[: standing.hints]):
        found += [
            EMPTY,
            ((_("hint {number} of {count}", number=at + 1, count=standing.of_hints), "heading"),),
            *hint(cells),
        ]
    if standing.solution:
        found += [EMPTY, ((_("the lesson's own solution"), "heading"),)]
        for line in coloured(standing.solution):
            found += _code(line, cells)
    keys: list[Piece] = phrase("{e} edits the code and tries it", e=("e", "key"))
    if standing.hints < standing.of_hints and not standing.solved:
        keys += phrase(N_("{h} a hint") if not standing.hints else N_("{h} another hint"), h=("   H", "key"))
    if not standing.solution:
        keys += phrase("{s} the solution", s=("   S", "key"))
    return [*found, EMPTY, *wrapped(keys, cells)]


def outcome(standing: Standing, g: Glyphs) -> list[Piece]:
    """What became of it."""
    if not standing.ran:
        return [(_("walk on, or try it now"), "note")]
    if standing.solved and not standing.problem:
        return [(f"{g.yes} {_('solved')}", "leaf strong")]
    if not standing.tried:
        return [(_(_UNTRIED.get(standing.kind, _UNTRIED["fill"])), "note")]
    return [(f"{g.no} ", "error"), *ticked(standing.problem, "error")]


def _code(line: Row, cells: int) -> list[Row]:
    """A line of code, and where it is too long what is left of it, further to the right."""
    text = "".join(piece for piece, _ in line)
    if len(text) + 2 <= cells:
        return [(("  ", "plain"), *line)]
    indent = len(text) - len(text.lstrip()) + 2
    rows = wrapped(line[1:] if line[0][0].isspace() else line, max(cells - indent - 4, 1))
    return [((" " * (indent + 4 * bool(at)), "plain"), *row) for at, row in enumerate(rows)]


@dataclass
class _Part:
    """A section, laid out; its places are rows of it."""

    rows: list[Row] = field(default_factory=list)
    question: int | None = None
    """The one that is open."""
    asked: int | None = None
    """Where the last question begins that the run has not answered yet."""
    outcome: int | None = None
    """Where it says what became of the last answer."""
    exercise: int | None = None


@dataclass
class _Text:
    """All that may be read, laid out."""

    rows: list[Row] = field(default_factory=list)
    first: int = 0
    """The row at which begins what is to be read now."""
    end: int = 0
    """The row after it."""
    asked: int | None = None
    """The first row of the last question that the run has not answered yet."""
    exercise: int | None = None
    """The first row of the exercise."""
    reading: tuple[int, int | None] = (-1, None)
    """Which section it is, and the question in it that is open."""


class LessonPane(Pane):
    """Sections of prose; the one of the cell at the cursor begins at the top."""

    NAME = N_("lesson")

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
        self._rows: list[Row] = []
        self._reading = _Text().reading
        self._pinned = "first"
        """What of the text stays in view: its `first` row, its `end`, its `exercise`; nothing once one has scrolled."""
        self._looking = ""
        """The same, for the next time that the text is laid out."""
        self._blocks: dict[int, list[Block]] = {}
        self._parts: dict[int, tuple[object, _Part]] = {}
        """By section: what it was laid out for, and how it came out."""

    def prepare(self) -> None:
        if self.timeline is None:
            return
        text = self._written(self.inner)
        self._rows = text.rows
        if text.reading != self._reading:
            self._reading, self._pinned = text.reading, "first"
        self._pinned, self._looking = self._looking or self._pinned, ""
        # Where there is no room for all, what one has read already makes room for what one has not.
        last = max(0, text.end - self.page)
        if self._pinned == "end" or (self._pinned == "exercise" and text.exercise is None):
            self.top = last
        elif self._pinned == "exercise" and text.exercise is not None:
            self.top = min(text.exercise, last)
        elif self._pinned:
            self.top = text.first if text.asked is None else max(text.first, min(text.asked, last))

    def look(self, at: str) -> None:
        """Bring the `exercise` of what is to be read into view, or its `end`."""
        self._looking = at

    def to_read(self, timeline: Timeline, cursor: int, cells: int) -> int:
        """How many rows what is to be read at this step has, at this width."""
        self.timeline, self.cursor = timeline, cursor
        text = self._written(cells)
        return text.end - text.first

    def _written(self, cells: int) -> _Text:
        """All that may be read, and what of it is to be read now."""
        assert self.timeline is not None
        current = self.gate.section_at(self.timeline, self.cursor)
        text = _Text()
        told: int | None = None
        # What comes later is not read before its time.
        reached = max(current, self.gate.section_at(self.timeline, min(self.seen, self.timeline.steps)))
        for at, section in enumerate(self.gate.sections[: reached + 1]):
            start = len(text.rows)
            part = self._part(at, section, cells)
            text.rows += part.rows if at == current else [tinted(row, "quiet") for row in part.rows]
            if at == current - 1 and part.outcome is not None:
                told = start + part.outcome
            if at == current:
                text.first, text.end, text.reading = start, len(text.rows), (at, part.question)
                text.asked = None if part.asked is None else start + part.asked
                text.exercise = None if part.exercise is None else start + part.exercise
            if part.question is not None:
                break
            following = self.gate.sections[at + 1 : reached + 1]
            if section.number is not None and any(later.cells for later in following):
                text.rows += [EMPTY, self._rule(section.number, cells), EMPTY] if part.rows else []
        if told is not None and self.timeline.kind(self.cursor) == "cell_end":
            text.first = told  # the run has just told whether the answer was right
        return text

    def _part(self, at: int, section: Section, cells: int) -> _Part:
        """A section, laid out; what was true when it was read stays so, wherever the learner walks from there."""
        assert self.timeline is not None
        step = self.gate.values_step(self.timeline, at, self.cursor)
        question = self.gate.question
        open_question = None if question is None or question.index not in section.cells else question.index
        exercise = self.gate.exercises.get(section.number or 0)
        standing = None
        if exercise is not None and self.standing is not None and open_question is None:
            standing = self.standing(exercise)
        said = tuple((self.given.get(index), self._told(index)) for index in section.cells)
        key = (self.timeline, step, cells, self.language, self.glyphs, open_question, standing, said)
        held = self._parts.get(at)
        if held is None or held[0] != key:
            part = self._lay_out(section, self.timeline.state(step), cells, open_question)
            if exercise is not None and standing is not None:
                part.exercise = len(part.rows)
                part.rows += self._exercise(exercise, standing, self.timeline.state(step), cells)
            self._parts[at] = held = key, part
        return held[1]

    def _lay_out(self, section: Section, state: State, cells: int, open_question: int | None) -> _Part:
        part = _Part(question=open_question)
        for index in section.cells:
            part.rows += [EMPTY] if part.rows else []
            first = len(part.rows)
            part.rows += self._cell(index, state, cells)
            outcome = self._outcome(index, cells)
            if index == open_question or (outcome and self._told(index) is None):
                part.asked = first
            part.outcome = len(part.rows) if outcome else part.outcome
            part.rows += outcome
            if index == open_question:
                break
        return part

    def forget(self) -> None:
        """The texts are in another language now."""
        self._blocks = {}
        self._parts = {}

    def scroll_rows(self, rows: int) -> None:
        self._pinned = ""
        super().scroll_rows(rows)

    def _exercise(self, exercise: Exercise, standing: Standing, state: State, cells: int) -> list[Row]:
        def hint(index: int) -> Callable[[int], list[Row]]:
            return lambda cells: self._prose(index, state, cells)

        return rows(standing, [hint(index) for index in exercise.hints], max(cells, 1), self.glyphs)

    def _prose(self, index: int, state: State, cells: int) -> list[Row]:
        """The text of a cell."""
        assert self.timeline is not None
        assert self.gate.document is not None
        if index not in self._blocks:
            cell = self.gate.document.cells[index]
            found = markdown.blocks(in_language(cell.get("text") or {}, self.language))
            if cell.get("options"):  # they are listed with their numbers after it
                found = [block for block in found if block.item is None]
            self._blocks[index] = found
        role, value = partial(role_of, state), partial(live, state)
        return prose.rows(self._blocks[index], max(cells, 1), self.glyphs, role, value)

    def _rule(self, number: int, cells: int) -> Row:
        label = f" {_('cell {number}', number=number)} "
        return fit(((self.glyphs.rule * 2, "faint"), (label, "quiet"), (self.glyphs.rule * 200, "faint")), cells,
                   more=self.glyphs.rule)  # fmt: skip

    def _cell(self, index: int, state: State, cells: int) -> list[Row]:
        """The rows of a cell."""
        assert self.timeline is not None
        assert self.gate.document is not None
        role, value = partial(role_of, state), partial(live, state)
        cell = self.gate.document.cells[index]
        if cell.get("kind") != "question":
            return self._prose(index, state, cells)
        inner = self._prose(index, state, cells - 2)
        rows = [((("? ", "now") if not at else ("  ", "plain")), *row) for at, row in enumerate(inner)]
        run = self._told(index)
        options = cell.get("options") or {}
        for number, option in enumerate(options.get(self.language) or next(iter(options.values()), ()), 1):
            is_right = run is not None and run.value == number
            pieces = prose.pieces(markdown.spans(option), self.glyphs, role, value)
            pieces += [(f" {self.glyphs.yes}", "leaf strong")] if is_right else []
            lines = prose.broken(pieces, max(cells - 5, 1))
            rows += [((f"  {number}  " if not at else "     ", "now"), *line) for at, line in enumerate(lines)]
        return rows

    def _told(self, index: int) -> Answer | None:
        """What the run gives for a question that was answered or skipped, once the learner has come to it."""
        assert self.timeline is not None
        known = self.gate.run_answer(self.timeline, index) if index in self.given else None
        return known[1] if known is not None and known[0] <= self.seen else None

    def _outcome(self, index: int, cells: int) -> list[Row]:
        """What became of an answer."""
        assert self.timeline is not None
        assert self.gate.document is not None
        given = self.given.get(index)
        if given is None:
            return []
        kind = str(self.gate.document.cells[index].get("question"))
        pieces = verdict(kind, *given, self._told(index), self.glyphs)
        return [(("  ", "plain"), *row) for row in wrapped(pieces, max(cells - 2, 1))]

    def heading(self) -> Row:
        below = self.count() - self.top - self.page
        more = "↓" if self.tabs else _("more below")
        return ((more, "note"),) if below > 0 and self._rows else ()

    def count(self) -> int:
        return max(len(self._rows), 1)

    def row(self, index: int, cells: int) -> Row:
        known = self.gate.document is not None
        return self._rows[index] if self._rows else ((_("a script without prose"), "note"),) if known else EMPTY
