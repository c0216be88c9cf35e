"""The lesson pane: the prose, questions, answers and exercises of a lesson, up to the question that is open.

The section that belongs to the cell at the cursor begins at the top; earlier sections are dimmed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tutor.explain.expressions import evaluate, look_up
from tutor.i18n import N_, _
from tutor.lesson import answers, forms, markdown
from tutor.lesson.markdown import Block
from tutor.lesson.model import in_language, join_words
from tutor.study.flow import Exercise, Gate, Section
from tutor.study.model import Model
from tutor.study.retries import Retry, describe_numbers
from tutor.study.study import ExerciseStatus
from tutor.text_width import wrapped
from tutor.trace.events import Answer
from tutor.trace.state import State
from tutor.ui.panes.base import Pane
from tutor.ui.panes.code import coloured
from tutor.ui.panes.lesson_words import Word, marked, meaning, words_in
from tutor.ui.render import prose
from tutor.ui.render.segments import EMPTY, Glyphs, Piece, Row, clean, fit, styled, styled_code, with_role

_ASKS = "? "
"""What stands before the sentence that asks."""

# ------------------------------------------------------------ answers to questions


def verdict(
    kind: str, typed: str, right: bool | None, run: Answer | None, glyphs: Glyphs, shown: Answer | None = None
) -> list[Piece]:
    """Return the pieces that compare an answer with that of the run in which it was given.

    Args:
        kind: The kind of question: `predict`, `choice` or `line`.
        typed: What the learner typed; empty if the question was skipped.
        right: Whether that is right; None if unknown.
        run: What the run gave; None before the learner has got to that step, and not told then.
        glyphs: The characters to draw with.
        shown: What the run that is shown gives, if that is something else.
    """
    pieces = _verdict(kind, typed, right, run, glyphs)
    if shown is None or shown.error is not None:
        return pieces
    value = (answers.format_answer(shown.value), "strong")
    return [*pieces, (f" {glyphs.dot} ", "quiet"), *styled("this run gives {value}", "note", value=value)]


def correction(kind: str) -> str:
    """Return the message that gives the right answer as {value}, for a kind of question."""
    corrections = {"line": N_("it is line {value}"), "choice": N_("the right one is {value}")}
    return corrections.get(kind, N_("the run gives {value}"))


def _verdict(kind: str, typed: str, right: bool | None, run: Answer | None, glyphs: Glyphs) -> list[Piece]:
    """Return the verdict of the run in which an answer was given."""
    answer = clean(typed)
    if run is None:
        if not answer:
            return [(_("skipped"), "note")]
        if right is False:
            return [(answer, "error strong"), (f" {glyphs.no} ", "error"), (_("not so: go on and see why"), "error")]
        return [(answer, "strong"), (_(" — go on and see"), "note")]
    if run.error is not None:
        return [(answer + " ", "strong"), (_("the run has no answer: {error}", error=clean(_(run.error))), "error")]
    value = (answers.format_answer(run.value), "strong")
    template = correction(kind)
    if not answer:
        return [(f"{_('skipped')} {glyphs.dot} ", "note"), *styled(template, "note", value=value)]
    if right:
        return [(answer, "leaf strong"), (f" {glyphs.yes} {_('right')}", "leaf")]
    elements = answers.partly_right(answers.parse(typed), run.value) if kind == "predict" else []
    if not elements:
        return [(answer, "error strong"), (f" {glyphs.no} ", "error"), *styled(template, "error", value=value)]
    places = join_words("[" + ", ".join(map(str, element.place)) + "]" for element in elements if not element.ok)
    correct = {element.place for element in elements if element.ok}
    return [
        *_marked_list(answers.unwrap(answers.parse(typed)), correct),
        (f" {glyphs.no} ", "error"),
        *styled(template, "error", value=value),
        (_("; off at {places}", places=places), "error"),
    ]


def _marked_list(value: Any, right: set[tuple[int, ...]], place: tuple[int, ...] = ()) -> list[Piece]:
    """Return a list as typed, each number coloured by whether it is right."""
    if not isinstance(value, (list, tuple)):
        return [(answers.format_answer(value), "leaf strong" if place in right else "error strong")]
    pieces: list[Piece] = [("[", "quiet")]
    for index, item in enumerate(value):
        pieces += [(", ", "quiet")] if index else []
        pieces += _marked_list(item, right, (*place, index))
    return [*pieces, ("]", "quiet")]


def _tried(retry: Retry, glyphs: Glyphs) -> list[Piece]:
    """Return the verdict on a later try, or that its run is not there yet."""
    if retry.run is None:
        return [(clean(retry.typed), "strong"), (_(" — running …"), "note")]
    return _verdict("predict", retry.typed, retry.right, retry.run, glyphs)


# ------------------------------------------------------------ exercises


_KIND_NAMES: Mapping[str, str] = {
    "fill": N_("fill in"),
    "bug": N_("find the bug"),
    "write": N_("write it yourself"),
    "gradients": N_("the gradients of a graph"),
    "order": N_("an order"),
    "value": N_("the first wrong value"),
}

_UNTRIED_TEXTS: Mapping[str, str] = {
    "fill": N_("the code is not finished: its check fails"),
    "bug": N_("there is a bug in the code: its check fails"),
    "write": N_("nothing is written yet"),
    **dict.fromkeys(forms.KINDS, N_("nothing is answered yet")),
}


def exercise_rows(
    status: ExerciseStatus, hints: Sequence[Callable[[int], list[Row]]], cells: int, glyphs: Glyphs
) -> list[Row]:
    """Return the block of an exercise, in `cells` columns; each of `hints` renders a hint to a number of columns."""
    kind = _(_KIND_NAMES.get(status.kind, status.kind))
    rows: list[Row] = [EMPTY, ((_("exercise"), "now"), (f" {glyphs.dot} {kind}", "quiet"))]
    rows += wrapped(exercise_outcome(status, glyphs), cells)
    for index, hint in enumerate(hints[: status.hints]):
        rows += [
            EMPTY,
            ((_("hint {number} of {count}", number=index + 1, count=status.hint_count), "heading"),),
            *hint(cells),
        ]
    if status.solution:
        rows += [EMPTY, ((_("the lesson's own solution"), "heading"),)]
        for line in coloured(status.solution):
            rows += _wrapped_code(line, cells)
    edits = N_("{e} answers it") if status.kind in forms.KINDS else N_("{e} edits the code and tries it")
    keys: list[Piece] = styled(edits, e=("e", "key"))
    if status.hints < status.hint_count and not status.solved:
        keys += styled(N_("{h} a hint") if not status.hints else N_("{h} another hint"), h=("   H", "key"))
    if not status.solution:
        keys += styled("{s} the solution", s=("   S", "key"))
    return [*rows, EMPTY, *wrapped(keys, cells)]


def _is_heading(row: Row) -> bool:
    """Return whether a row is the title of a hint or of the solution."""
    return bool(row) and row[0][1] == "heading"


def exercise_outcome(status: ExerciseStatus, glyphs: Glyphs) -> list[Piece]:
    """Return what became of the exercise: not run yet, solved, not tried, or why its check failed."""
    if not status.ran:
        return [(_("go on, or try it now"), "note")]
    if status.solved and not status.problem:
        return [(f"{glyphs.yes} {_('solved')}", "leaf strong")]
    if not status.tried:
        return [(_(_UNTRIED_TEXTS.get(status.kind, _UNTRIED_TEXTS["fill"])), "note")]
    return [(f"{glyphs.no} ", "error"), *styled_code(status.problem, "error")]


def _wrapped_code(line: Row, cells: int) -> list[Row]:
    """Return a line of code; if it is too long, its rest is indented further."""
    text = "".join(piece for piece, _ in line)
    if len(text) + 2 <= cells:
        return [(("  ", "plain"), *line)]
    indent = len(text) - len(text.lstrip()) + 2
    rows = wrapped(line[1:] if line[0][0].isspace() else line, max(cells - indent - 4, 1))
    return [((" " * (indent + 4 * bool(index)), "plain"), *row) for index, row in enumerate(rows)]


# ------------------------------------------------------------ the pane


@dataclass
class _Part:
    """The rows of a section; the other fields are indices of them."""

    rows: list[Row] = field(default_factory=list)
    question: int | None = None
    """Number of the open question's cell."""
    asked: int | None = None
    """The row at which the last question without a result begins."""
    outcome: int | None = None
    """The row with the result of the last answer, or of the one that is asked again."""
    exercise: int | None = None
    help: int | None = None


@dataclass
class _Text:
    """The rows of all sections that may be read."""

    rows: list[Row] = field(default_factory=list)
    first: int = 0
    """The first row of the section to read now."""
    end: int = 0
    """The row after that section."""
    asked: int | None = None
    """The first row of the last question without a result."""
    exercise: int | None = None
    """The first row of the exercise."""
    help: int | None = None
    """The first row of the last hint, or of the solution."""
    reading: tuple[int, int | None] = (-1, None)
    """The section to read now, and the open question in it."""


class LessonPane(Pane):
    """Sections of prose; the one of the cell at the cursor begins at the top."""

    NAME = N_("lesson")

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self.language = "en"
        self._rows: list[Row] = []
        self._reading = _Text().reading
        self._pinned = "first"
        """What stays in view: `first`, `end`, `task`, `exercise` or `help`; empty once the learner has scrolled."""
        self._next_pinned = ""
        """The same, for when the text is laid out next."""
        self._blocks: dict[int, list[Block]] = {}
        self._parts: dict[int, tuple[object, _Part]] = {}
        """By section: what it was laid out for, and the result."""
        self._first = 0
        """The row at which the text to read now begins."""
        self._words: list[Word] = []
        """The words of the text to read now that are in the glossary, while one of them is chosen."""

    @property
    def gate(self) -> Gate:
        """The questions and exercises of the lesson."""
        return self._model.gate

    def prepare(self) -> None:
        if self.timeline is None:
            return
        text = self._lay_out_text(self.inner)
        self._rows = text.rows
        if text.reading != self._reading:
            self._reading, self._pinned, self.chosen = text.reading, "first", None
        self._pinned, self._next_pinned = self._next_pinned or self._pinned, ""
        # If there is no room for all, what has been read makes room for what has not.
        last = max(0, text.end - self.page)
        if self._pinned in ("end", "exercise", "help"):
            begin = {"exercise": text.exercise, "help": text.help}.get(self._pinned)
            self.top = last if begin is None else min(begin, last)
        elif self._pinned == "task" and text.exercise is not None:
            self.top = max(text.first, text.exercise - self.page)
        elif self._pinned:
            # A question that does not fit is shown up to its end; what comes before it can be scrolled to.
            self.top = text.first if text.asked is None else max(text.first, last)
        self._first = text.first
        self._words = [] if self.chosen is None else words_in(text.rows[text.first : text.end], text.first)
        self._explain_word()

    # ------------------------------------------------------------ the glossary

    def next_word(self) -> bool:
        """Choose the next word of the text to read now that is in the glossary, and say what it means.

        Return False after the last one, and where there is none.
        """
        self.chosen = 0 if self.chosen is None else self.chosen + 1
        self.update()
        if self.chosen is not None and self.chosen < len(self._words):
            return True
        self.mark(None)
        return False

    def mark(self, index: int | None) -> None:
        super().mark(index)
        self.update()

    def is_marked(self, index: int) -> bool:
        return False  # a word is, and no row

    def _explain_word(self) -> None:
        """Mark the chosen word, and put what it means below it."""
        if self.chosen is None or self.chosen >= len(self._words):
            return
        word = self._words[self.chosen]
        rows = list(self._rows)
        for row, begin, end in word.places:
            rows[row] = marked(rows[row], begin, end)
        said = meaning(word, self.chosen + 1, len(self._words), self.inner, self.glyphs)
        self._rows = [*rows[: word.row + 1], *said, *rows[word.row + 1 :]]
        self._bring_into_view(word.row + len(said), 0)
        self._bring_into_view(word.places[0][0], 0)

    # ------------------------------------------------------------ the text

    def keep_in_view(self, what: str) -> None:
        """Keep the `first` row of the section to read in view from the next update on, the `task` of its exercise (the
        rows before it), the `exercise`, the `help` that was asked for, or the `end`."""
        self._next_pinned = what

    def _lay_out_text(self, cells: int) -> _Text:
        """Lay out all sections that may be read."""
        assert self.timeline is not None
        current = self.gate.section_at(self.timeline, self.cursor)
        text = _Text()
        outcome: int | None = None
        # Sections beyond the furthest step shown stay hidden.
        furthest = min(self._model.study.furthest, self.timeline.steps)
        reached = max(current, self.gate.section_at(self.timeline, furthest))
        for index, section in enumerate(self.gate.sections[: reached + 1]):
            notice = self._knob_notice(section, cells) if index == current else []
            text.rows += notice
            start = len(text.rows)
            part = self._part(index, section, cells)
            text.rows += part.rows if index == current else [with_role(row, "quiet") for row in part.rows]
            if index == current - 1 and part.outcome is not None:
                outcome = start + part.outcome
            if index == current:
                text.first, text.end, text.reading = start - len(notice), len(text.rows), (index, part.question)
                text.asked = None if part.asked is None else start + part.asked
                text.exercise = None if part.exercise is None else start + part.exercise
                text.help = None if part.help is None else start + part.help
            if part.question is not None:
                break
            following = self.gate.sections[index + 1 : reached + 1]
            if section.number is not None and any(map(self._cells_shown, following)):
                text.rows += [EMPTY, self._rule(section.number, cells), EMPTY] if part.rows else []
        asks_again = self._model.retry is not None or self._model.next_retry is not None
        has_ended = self.cursor > 0 and self.timeline.kind(self.cursor) == "cell_end"  # a run that begins has no step
        if outcome is not None and (asks_again or has_ended):
            text.first = outcome  # this step showed whether the answer is right
            # What explains a mistake is read before the next question.
            text.asked = None if asks_again or self._is_explained() else text.asked
        return text

    def _is_explained(self) -> bool:
        """Return whether the lesson explains a wrong answer that the cell at the cursor has judged."""
        assert self.timeline is not None
        cell, study = self.timeline.cell(self.cursor), self._model.study
        judged = [question.index for question in self.gate.questions if question.before == cell]
        return any(study.diagnosis(index, self.timeline) is not None for index in judged)

    def _part(self, number: int, section: Section, cells: int) -> _Part:
        """Lay out a section. Values in it are those when it was first read, wherever the cursor goes later."""
        assert self.timeline is not None
        step = self.gate.values_step(self.timeline, number, self.cursor)
        question = self.gate.question
        indices = self._cells_shown(section)
        open_question = None if question is None or question.index not in indices else question.index
        exercise = self.gate.exercises.get(section.number or 0)
        status = None
        if exercise is not None and open_question is None:
            status = self._model.exercise_status(exercise)
        study = self._model.study
        results = tuple((index, study.answers.get(index), self._result(index)) for index in indices)
        retries = [(study.retries.get(index), self._model.next_retry is not None) for index in indices]
        tries = [(retry and replace(retry), offered) for retry, offered in retries]
        key = (self.timeline, step, cells, self.language, self.glyphs, open_question, status, results, tries)
        cached = self._parts.get(number)
        if cached is None or cached[0] != key:
            part = self._lay_out(indices, self.timeline.state(step), cells, open_question)
            if exercise is not None and status is not None:
                part.exercise = len(part.rows)
                part.rows += self._exercise(exercise, status, self.timeline.state(step), cells)
                titles = [row for row in range(part.exercise, len(part.rows)) if _is_heading(part.rows[row])]
                part.help = max(titles, default=None)
            self._parts[number] = cached = key, part
        return cached[1]

    def _cells_shown(self, section: Section) -> list[int]:
        """Return the indices of the cells of a section that this run shows."""
        assert self.timeline is not None
        return self.gate.cells_shown(self.timeline, section)

    def _knob_notice(self, section: Section, cells: int) -> list[Row]:
        """Return the rows that say that a text was written for other knobs; none if it was not."""
        notice = self.gate.knob_notice(section) if self._cells_shown(section) else ""
        return [*wrapped([(notice, "strong")], max(cells, 1)), EMPTY] if notice else []

    def _lay_out(self, indices: Sequence[int], state: State, cells: int, open_question: int | None) -> _Part:
        part = _Part(question=open_question)
        again = self._model.retry or self._model.next_retry
        for index in indices:
            part.rows += [EMPTY] if part.rows else []
            first = len(part.rows)
            part.rows += self._cell(index, state, cells)
            outcome = self._outcome(index, cells)
            if index == open_question or (outcome and self._result(index) is None):
                part.asked = first
            if outcome and (again is None or index <= again.question.index):
                part.outcome = len(part.rows)
            part.rows += outcome
            if index == open_question:
                break
        return part

    def question_rows(self, cells: int) -> tuple[list[Row], int]:
        """Return the rows of the open question in `cells` columns, and how many of them there are from the sentence on
        that asks.
        """
        question, timeline = self._model.question, self.timeline
        if question is None or timeline is None:
            return [], 0
        number = next(place for place, section in enumerate(self.gate.sections) if question.index in section.cells)
        state = timeline.state(self.gate.values_step(timeline, number, self.cursor))
        rows = self._lay_out([question.index], state, cells, question.index).rows
        asking = next((place for place, row in enumerate(rows) if row and row[0][0] == _ASKS), 0)
        return rows, len(rows) - asking

    def clear_cache(self) -> None:
        """Drop what was laid out: the language changed."""
        self._blocks = {}
        self._parts = {}

    def scroll_rows(self, rows: int) -> None:
        self._pinned = ""
        super().scroll_rows(rows)

    def _exercise(self, exercise: Exercise, status: ExerciseStatus, state: State, cells: int) -> list[Row]:
        def hint(index: int) -> Callable[[int], list[Row]]:
            return lambda cells: self._prose(index, state, cells)

        return exercise_rows(status, [hint(index) for index in exercise.hints], max(cells, 1), self.glyphs)

    def _prose(self, index: int, state: State, cells: int) -> list[Row]:
        """Return the rows of a prose cell."""
        assert self.timeline is not None
        assert self.gate.document is not None
        if index not in self._blocks:
            cell = self.gate.document.cells[index]
            blocks = markdown.blocks(in_language(cell.get("text") or {}, self.language))
            if cell.get("options"):  # they follow, numbered
                blocks = [block for block in blocks if block.item is None]
            self._blocks[index] = blocks
        role, value = partial(role_of, state), partial(evaluate, state)
        return prose.rows(self._blocks[index], max(cells, 1), self.glyphs, role, value)

    def _rule(self, number: int, cells: int) -> Row:
        label = f" {_('cell {number}', number=number)} "
        return fit(((self.glyphs.rule * 2, "faint"), (label, "quiet"), (self.glyphs.rule * 200, "faint")), cells,
                   more=self.glyphs.rule)  # fmt: skip

    def _cell(self, index: int, state: State, cells: int) -> list[Row]:
        """Return the rows of a cell: its prose and, of a question, its options."""
        assert self.timeline is not None
        assert self.gate.document is not None
        role, value = partial(role_of, state), partial(evaluate, state)
        cell = self.gate.document.cells[index]
        if cell.get("kind") != "question":
            return self._prose(index, state, cells)
        inner = self._prose(index, state, cells - 2)
        asked = _asked(self._blocks[index])
        first = len(inner) - len(prose.rows(asked, max(cells - 2, 1), self.glyphs, role, value))
        rows = [(((_ASKS, "now") if place == first else ("  ", "plain")), *row) for place, row in enumerate(inner)]
        result = self._result(index)
        options = cell.get("options") or {}
        for number, option in enumerate(options.get(self.language) or next(iter(options.values()), ()), 1):
            is_right = result is not None and result.value == number
            pieces = prose.pieces(markdown.spans(option), self.glyphs, role, value)
            pieces += [(f" {self.glyphs.yes}", "leaf strong")] if is_right else []
            lines = prose.wrap_prose(pieces, max(cells - 5, 1))
            rows += [((f"  {number}  " if not place else "     ", "now"), *line) for place, line in enumerate(lines)]
        return rows

    def _result(self, index: int) -> Answer | None:
        """Return what the run gives for an answered or skipped question; None before the learner has got there."""
        assert self.timeline is not None
        answer = self.gate.run_answer(self.timeline, index) if index in self._model.study.answers else None
        return answer[1] if answer is not None and answer[0] <= self._model.study.furthest else None

    def _outcome(self, index: int, cells: int) -> list[Row]:
        """Return the rows that compare an answer with the run's."""
        assert self.timeline is not None
        assert self.gate.document is not None
        answer = self._model.study.answers.get(index)
        if answer is None:
            return []
        kind = str(self.gate.document.cells[index].get("question"))
        result, study = self._result(index), self._model.study
        if result is None and self.gate.run_answer(self.timeline, index) is None:
            result = study.judged.get(index)  # this run does not come to it
        other = result if result is not None and study.differs(index, result) else None
        run = result if other is None else study.judged[index]
        typed, right = answer
        if run is None and study.next_retry(index) is None and index not in study.retries:
            right = None  # judged once the run has computed it
        rows: list[Row] = wrapped(verdict(kind, typed, right, run, self.glyphs, other), max(cells - 2, 1))
        diagnosis = study.diagnosis(index, self.timeline) if run is not None else None
        answered = self.gate.run_answer(self.timeline, index)
        if diagnosis is not None and answered is not None:
            rows += self._prose(diagnosis, self.timeline.state(answered[0]), max(cells - 2, 1))
        rows += self._retry(index, max(cells - 2, 1))
        return [(("  ", "plain"), *row) for row in rows]

    def _retry(self, index: int, cells: int) -> list[Row]:
        """Return the rows of a question that is asked again with other numbers, or may be."""
        study, retry = self._model.study, self._model.study.retries.get(index)
        rows: list[Row] = []
        if retry is not None:
            numbers, of = describe_numbers(self.gate, retry.question), retry.question.of
            again = styled(
                "again, with {numbers}: what will {of} be?", "plain", numbers=(numbers, "value"), of=(of, "strong")
            )
            rows += [EMPTY, *wrapped([(_ASKS, "now"), *again], cells)]
            rows += wrapped(_tried(retry, self.glyphs), cells) if retry.typed else []
            diagnosis = study.retry_diagnosis(retry)
            if diagnosis is not None and retry.timeline is not None:
                rows += self._prose(diagnosis, retry.timeline.state(retry.timeline.steps), cells)
        if self._model.next_retry is not None and study.next_retry(index) is not None:
            rows += [
                EMPTY,
                *wrapped(styled("{enter} asks it again, with other numbers", enter=("Enter", "key")), cells),
            ]
        return rows

    def heading(self) -> Row:
        is_more = {"↑": self.top > self._first, "↓": self.count() > self.top + self.page}
        texts = {"↑": N_("more above"), "↓": N_("more below")}
        more = [arrow if self.tabs else _(texts[arrow]) for arrow, is_there in is_more.items() if is_there]
        joint = " " if self.tabs else _(", ")
        return ((joint.join(more), "note"),) if more and self._rows else ()

    def count(self) -> int:
        return max(len(self._rows), 1)

    def row(self, index: int, cells: int) -> Row:
        is_lesson = self.gate.document is not None
        return self._rows[index] if self._rows else ((_("a script without prose"), "note"),) if is_lesson else EMPTY


def _asked(blocks: list[Block]) -> list[Block]:
    """Return the blocks of a question from the one on that asks: the last with a question mark, or the last."""
    texts = [place for place, block in enumerate(blocks) if block.kind != "gap"]
    asking = [place for place in texts if blocks[place].text.rstrip("*_`").endswith(("?", "？"))]
    return blocks[(asking or texts or [0])[-1] :]


# ------------------------------------------------------------ code in prose


def role_of(state: State, text: str) -> str:
    """Return the role of a piece of code in prose: `leaf`, `value`, `grad`, or empty for anything else."""
    name = text.strip().removesuffix(".item()")
    if name.endswith(".grad"):
        return "grad"
    tensor, _ = look_up(state, name)
    if tensor is None:
        return ""
    return "leaf" if tensor.is_leaf and tensor.requires_grad else "value"
