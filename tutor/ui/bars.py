"""The bars above and below the panes: title, explanation, time bar and key line, and what they say at the cursor."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from textual import events

from tutor import explain
from tutor.explain.expressions import answering_step, last_change_step
from tutor.i18n import N_, _
from tutor.lesson import header
from tutor.lesson.answers import format_answer
from tutor.lesson.model import LessonError, in_language
from tutor.text_width import width as cells
from tutor.trace.events import Answer
from tutor.trace.index import PassInfo
from tutor.ui.bindings import Hint
from tutor.ui.layout import LEAST
from tutor.ui.panes.base import KeyPicked, StepPicked, Surface
from tutor.ui.render.segments import EMPTY, Glyphs, Piece, Row, clean, fit, row_width, shortened, shortened_rule, styled

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline
    from tutor.ui.screens.lesson import LessonScreen


# ------------------------------------------------------------ rows of the time bar


def step_at(x: int, cells: int, steps: int) -> int:
    """Return the step under column `x` of a bar of `cells` columns."""
    if cells < 2 or not steps:
        return 0
    return max(0, min(steps, round(max(0, min(x, cells - 1)) * steps / (cells - 1))))


def column_of(step: int, cells: int, steps: int) -> int:
    """Return the column of a bar in which a step lies."""
    return round(step * (cells - 1) / steps) if steps else 0


class BackwardSteps:
    """A byte for each step from 0 on, 1 within a backward pass and 0 outside, kept up to date as a recording grows."""

    def __init__(self) -> None:
        self._back = bytearray(1)
        self._ended = 0
        """The number of leading passes that have ended and are in `_back`."""

    def update(self, steps: int, passes: Sequence[PassInfo]) -> bytearray:
        """Add the steps and passes that are new since the last call, and return the bytes."""
        self._back.extend(bytes(steps + 1 - len(self._back)))
        all_ended = True
        for info in islice(passes, self._ended, None):
            end = (steps if info.end_step is None else info.end_step) + 1
            self._back[info.start_step : end] = b"\1" * (end - info.start_step)
            all_ended = all_ended and info.end_step is not None
            self._ended += all_ended
        return self._back


class Bar:
    """The time bar as a row of text. Only the cursor moves; another width or recording needs another `Bar`."""

    def __init__(
        self, cells: int, steps: int, back: bytes | bytearray, starts: Sequence[int], limit: int | None = None
    ) -> None:
        """Prepare the bar.

        Args:
            cells: Its width.
            steps: The number of steps of the recording.
            back: For each step, whether it is in a backward pass, from `BackwardSteps.update`.
            starts: The steps at which cells begin.
            limit: The last step that the cursor may reach; the rest is hidden. None hides nothing.
        """
        self.cells, self.steps = cells, steps
        self.limit = steps if limit is None else limit
        """The last step that the cursor may reach: the steps beyond are hidden until a question is answered."""
        self.back = self._backward_columns(back)
        self.ticks = {column_of(start, cells, steps) for start in starts if start > 1}

    def _backward_columns(self, back: bytes | bytearray) -> list[bool]:
        """Return for each column whether most of its steps are in backward passes."""
        size = self.steps / max(self.cells - 1, 1)
        is_backward = []
        for column in range(self.cells):
            first, end = max(ceil((column - 0.5) * size), 0), ceil((column + 0.5) * size)
            if first >= end:  # more columns than steps
                first = int(column * size)
                end = first + 1
            is_backward.append(2 * back.count(1, first, end) > end - first)
        return is_backward

    def row(self, cursor: int, glyphs: Glyphs) -> Row:
        """Draw the bar with the cursor."""
        cursor_column = column_of(cursor, self.cells, self.steps)
        last_visible = column_of(self.limit, self.cells, self.steps) if self.limit < self.steps else self.cells
        pieces: list[Piece] = []
        for column in range(self.cells):
            if column == cursor_column:
                pieces.append((glyphs.cursor, "now"))
                continue
            back = self.back[column]
            if column > last_visible:
                text, role = glyphs.hidden, "faint"
            elif column in self.ticks:
                text, role = glyphs.tick, "title" if column < cursor_column else "quiet"
            elif column < cursor_column:
                text, role = (glyphs.past_back, "grad") if back else (glyphs.past, "value")
            else:
                text, role = glyphs.future, "quiet" if back else "faint"
            if pieces and pieces[-1][1] == role:
                pieces[-1] = (pieces[-1][0] + text, role)
            else:
                pieces.append((text, role))
        return tuple(pieces)


# ------------------------------------------------------------ texts at the cursor

_ENDS = {
    "failed": N_("failed"),
    "exited": N_("ended early"),
    "died": N_("died"),
    "refused": N_("cannot be run"),
}


def title_facts(screen: LessonScreen) -> tuple[str, str, list[Piece]]:
    """Return the family, the title, and the facts on the right of the title bar: device, cell, step, state."""
    timeline, document = screen.timeline, screen.timeline.document
    family, title = _title(screen)
    cells = sum(cell.get("number") is not None for cell in document.cells) if document else 0
    device = (document.device if document is not None else None) or "cpu"
    pieces: list[Piece] = []
    glyphs = screen.header.glyphs
    if screen.running:
        phase = screen.session.phase if screen.session is not None else ""
        waiting = {"starting": _("starting Python"), "importing": _("importing torch")}.get(phase, _("running"))
        pieces.append((f"{glyphs.waiting} {waiting}", "now"))
    elif timeline.run_end is not None and timeline.run_end.outcome == "stopped":
        pieces.append((_("stopped"), "grad"))
    elif timeline.run_end is not None and timeline.run_end.outcome in _ENDS and timeline.run_end.status:
        pieces.append((f"{glyphs.no} {_(_ENDS[timeline.run_end.outcome])}", "error"))
    if screen.player.playing:
        pieces.append((f"{glyphs.now} {screen.player.speed}/s", "now"))
    if document is not None:
        pieces.append((clean(device), "quiet"))
    if cells > 1:
        cell = timeline.cell(screen.cursor) if screen.cursor else None
        pieces.append((_("cell {number}/{count}", number=cell or 1, count=cells), "quiet"))
    if timeline.steps:
        pieces.append((_("step {number}/{count}", number=screen.cursor, count=timeline.steps), "quiet"))
    return family, title, pieces


def _title(screen: LessonScreen) -> tuple[str, str]:
    """Return the family and the title to be shown."""
    document = screen.timeline.document
    titles = document.title if document is not None else _titles_of_file(screen)
    title = titles.get(screen.language) or next(iter(titles.values()), "")
    name = screen.target.name
    family = name.partition("/")[0] if screen.target.kind == "lesson" and "/" in name else ""
    if document is not None and screen.target.kind == "trace" and "/" in document.name and title:
        family = document.name.partition("/")[0]
    return clean(_(family)), clean(title or (name.partition("/")[2] if family else screen.target.path.name))


def _titles_of_file(screen: LessonScreen) -> dict[str, str]:
    """Return the titles in a lesson's file, by language, for as long as its run has not sent them."""
    with contextlib.suppress(LessonError):
        lesson_header = header.read(screen.target.path) if screen.target.kind == "lesson" else None
        return lesson_header.title if lesson_header is not None else {}
    return {}


def explanation(screen: LessonScreen) -> list[Piece]:
    """Return the explanation of the current step; at the end of a run that failed, how it ended."""
    timeline, step = screen.timeline, screen.cursor
    end = timeline.run_end
    glyphs = screen.explain.glyphs
    if end is not None and end.outcome in ("died", "exited", "refused") and end.status and step == timeline.steps:
        rerun_hint: list[Piece] = (
            [(f" {glyphs.dot} ", "quiet"), *styled("{r} runs again", r=("r", "key"))] if screen.session else []
        )
        return [
            (f"{glyphs.no} ", "error"),
            (clean(" ".join(explain.describe_end(end).split())) or _(_ENDS[end.outcome]), "error"),
            *rerun_hint,
        ]
    marked = screen.prompts.marked_line() or screen.code.clipped_line()
    if marked is not None:
        number, text = (f"{marked[0]}", "value"), (clean(marked[1].strip()), "strong")
        return styled("line {number}: {text}", number=number, text=text)
    if not step:
        return _opening(screen)
    is_complete = end is not None and end.outcome == "ok"
    if step == timeline.steps and is_complete and (screen.study.done or screen.gate.unsolved):
        outcome, closing = _verdict(screen), _closing(screen)
        line = [*outcome, (f" {glyphs.dot} ", "quiet"), *closing]
        if outcome and row_width(line) <= screen.size.width - 4:
            return line
        if outcome and screen.study.notice:
            return outcome
        is_wrong = bool(outcome) and outcome[0][0].startswith(glyphs.no)
        return outcome if is_wrong else closing  # the lesson pane shows right answers too
    verdict = _verdict(screen)
    if verdict:
        return verdict
    try:
        pieces = [(clean(text), role) for text, role in explain.line(timeline, step)]
        shorter = shortened_rule if timeline.kind(step) == "node" else shortened
        return shorter(pieces, screen.size.width - 4)
    except Exception as error:  # a recording may be malformed
        return [(_("this step cannot be explained: {error}", error=repr(error)), "quiet")]


def _closing(screen: LessonScreen) -> list[Piece]:
    """Return what to do at the end of a lesson."""
    glyphs = screen.explain.glyphs
    if screen.gate.unsolved:
        e, capital = ("e", "key"), ("S", "key")
        exercise = screen.exercises.here
        if exercise is not None and exercise.number in screen.gate.unsolved:
            return styled("one thing is left: {e} tries the exercise, {S} shows its solution", e=e, S=capital)
        cell = min(screen.gate.unsolved)
        cell_end = next((info.end for info in screen.timeline.cells if info.cell == cell), None)
        text = N_("one thing is left: the exercise in cell {cell}; {go} goes there")
        return styled(text, cell=cell, go=(f"g {cell_end}", "key"))
    pieces: list[Piece] = [(f"{glyphs.yes} ", "leaf"), (_("this lesson is done"), "strong")]
    following = screen.owner.lesson_after(screen.target.name)
    if following is not None:
        title = clean(in_language(following.title, screen.language))
        pieces += [(f" {glyphs.dot} ", "quiet"), *styled("next: {title}", title=(title, "strong"))]
    leave_hint = [(f" {glyphs.dot} ", "quiet"), *styled("{esc} to the lessons", esc=("Esc", "key"))]
    return pieces + leave_hint if row_width(pieces + leave_hint) <= screen.size.width - 4 else pieces


def _verdict(screen: LessonScreen) -> list[Piece]:
    """Return how the answers compare to the run where it reveals them, and whether saving them failed."""
    verdict = _compare_answers(screen)
    if verdict and screen.study.notice:
        verdict = [*verdict, (f" {screen.explain.glyphs.dot} ", "quiet"), (clean(screen.study.notice), "note")]
    return verdict


def _compare_answers(screen: LessonScreen) -> list[Piece]:
    """Return whether the answers were right; of several wrong ones only the first."""
    glyphs = screen.explain.glyphs
    if screen.timeline.kind(screen.cursor) != "cell_end":
        return []
    verdict: list[Piece] = []
    for index, (text, right) in screen.study.answers.items():
        answer = screen.gate.run_answer(screen.timeline, index)
        if not text or answer is None:
            continue
        step, event = answer
        if event.error is not None or screen.cursor not in (step, step + 1):
            continue
        value = (format_answer(event.value), "strong")
        if right:
            verdict += [(f" {glyphs.dot} ", "quiet")] if verdict else [(f"{glyphs.yes} ", "leaf strong")]
            verdict += styled("right: {value}", "leaf strong", value=value)
            continue
        cause = _cause_of_answer(screen, index, step, event)
        cause_hint: list[Piece] = []
        if cause is not None and cause != screen.cursor:
            hint = N_("{key} goes to the step that made it so")
            cause_hint = [(f" {glyphs.dot} ", "quiet"), *styled(hint, key=(f"g {cause}", "key"))]
        is_line, given = event.last_line is not None, (clean(text), "strong")
        full = N_("you said {mine}, it is line {value}") if is_line else N_("you said {mine}, the run gives {value}")
        brief = N_("it is line {value}") if is_line else N_("the run gives {value}")
        verdict = [(f"{glyphs.no} ", "error"), *styled(full, "error", mine=given, value=value), *cause_hint]
        if row_width(verdict) > screen.size.width - 4:  # the lesson pane shows the answer too
            verdict = [(f"{glyphs.no} ", "error"), *styled(brief, "error", value=value), *cause_hint]
        return verdict
    return verdict


def _cause_of_answer(screen: LessonScreen, index: int, step: int, answer: Answer) -> int | None:
    """Return the step that gave a question's expression its value; None where none is found."""
    causes = screen.study.answer_origins
    if index not in causes:
        expression = next((question.of for question in screen.gate.questions if question.index == index), "")
        timeline = screen.timeline
        causes[index] = (
            last_change_step(timeline, expression, step)
            if answer.last_line is None
            else answering_step(timeline, answer)
        )
    return causes[index]


def _opening(screen: LessonScreen) -> list[Piece]:
    """Return what to say before the first step."""
    timeline = screen.timeline
    if timeline.steps:
        notices = [*timeline.notices, *filter(None, [screen.study.notice])]
        if notices:
            return [(clean(notices[0]), "note")]
        return open_question_notice() if screen.asking else first_step_notice(screen)
    if screen.session is not None and screen.running:
        return [(screen.waiting, "quiet")]
    return [(_("nothing was recorded"), "quiet")]


def first_step_notice(screen: LessonScreen) -> list[Piece]:
    """Return how to begin."""
    return styled("press {arrow} for the first step", arrow=(screen.explain.glyphs.arrow, "key"))


def open_question_notice() -> list[Piece]:
    """Return why the cursor cannot go on: a question is open."""
    text = N_("first the question: {enter} answers it, {s} skips it")
    return styled(text, "plain", enter=("Enter", "key"), s=("s", "key"))


def exit_status(screen: LessonScreen) -> int:
    """Return the exit status of the program's end: 0 where it ended well or was stopped."""
    end = screen.timeline.run_end
    if end is None or screen.session is None or end.outcome in ("ok", "stopped"):
        return 0
    return end.status if end.outcome == "refused" else int(end.status != 0)


# ------------------------------------------------------------ widgets


def justified(left: Row, right: Row, cells: int) -> Row:
    """Return a line with text at both ends; the left one is cut where there is little room."""
    room = max(cells - row_width(right) - 1, 0)
    if row_width(left) > room:
        left = fit(left, room)
    return (*left, (" " * max(cells - row_width(left) - row_width(right), 0), "bar"), *right)


class TitleBar(Surface):
    """The name of the program, the lesson, and the place in it."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="header")
        self.family = ""
        self.title = ""
        self.facts: list[Piece] = []

    def show(self, family: str, title: str, facts: list[Piece]) -> None:
        """Show the family and title on the left, the facts on the right."""
        self.family, self.title, self.facts = family, title, facts
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        crumb = (f" {self.glyphs.crumb} ", "bar quiet")
        left: list[Piece] = [(" gradtutor", "bar brand")]
        if self.family and width >= 100:
            left += [crumb, (self.family, "bar quiet")]
        if self.title:
            left += [crumb, (self.title, "bar strong")]
        right: list[Piece] = []
        for text, role in self.facts:
            if text:
                right += [(text, f"bar {role}"), ("   " if width >= 100 else "  ", "bar")]
        return [justified(tuple(left), (*right[:-1], (" ", "bar")), width)]


class Explain(Surface):
    """The line that explains the current step."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="explain")
        self.pieces: Sequence[Piece] = ()

    def show(self, pieces: Sequence[Piece]) -> None:
        """Show one line of text."""
        self.pieces = pieces
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        lead = (f" {self.glyphs.explain} ", "bar now")
        return [(lead, *((text, f"bar {roles}") for text, roles in self.pieces))]


class TimeBar(Surface):
    """The whole recording in one line; a click moves the cursor."""

    def __init__(self) -> None:
        super().__init__(id="timebar")
        self._bar = Bar(2, 0, b"", ())
        self._back = BackwardSteps()
        self._key: object = None
        self._cursor = 0
        self._timeline: Timeline | None = None
        self._limit = 0

    def show(self, timeline: Timeline, cursor: int, limit: int) -> None:
        """Show the cursor, and the last step that it may reach."""
        if timeline is not self._timeline:
            self._key, self._back = None, BackwardSteps()
        self._timeline, self._cursor, self._limit = timeline, cursor, limit
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        timeline = self._timeline
        if timeline is None:
            return []
        key = (width, timeline.steps, self._limit)
        if key != self._key:
            self._key = key
            back = self._back.update(timeline.steps, timeline.passes)
            starts = [info.start for info in timeline.cells]
            self._bar = Bar(width - 2, timeline.steps, back, starts, self._limit)
        return [((" ", "plain"), *self._bar.row(self._cursor, self.glyphs))]

    def _pick(self, event: events.MouseEvent) -> None:
        if self._timeline is not None:
            self.post_message(StepPicked(step_at(event.x - 1, self.size.width - 2, self._timeline.steps)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._pick(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if event.button == 1:
            self._pick(event)


class KeyLine(Surface):
    """The keys that do something now."""

    def __init__(self) -> None:
        super().__init__(id="keyline")
        self.hints: Sequence[Hint] = ()
        self._ends: list[tuple[int, str]] = []

    def show(self, hints: Sequence[Hint]) -> None:
        """Show the hints in this order, leaving out the least important ones where there is little room."""
        if hints != self.hints or not self._shown:
            self.hints = hints
            self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        gap = 3 if width >= 100 else 2
        widths = {hint: row_width(_hint_pieces(hint)) + gap for hint in self.hints}
        fitting: set[Hint] = set()
        room = width - 1 + gap - 1
        for hint in sorted(self.hints, key=lambda hint: hint.rank):
            if widths[hint] <= room:
                room -= widths[hint]
                fitting.add(hint)
        pieces: list[Piece] = [(" ", "plain")]
        self._ends = []
        end = 1
        for hint in self.hints:
            if hint in fitting:
                pieces += [*_hint_pieces(hint), (" " * gap, "plain")]
                end += widths[hint]
                self._ends.append((end, hint.action))
        return [tuple(pieces[:-1])]

    def on_click(self, event: events.Click) -> None:
        index = bisect_right(self._ends, event.x, key=lambda end: end[0])
        if index < len(self._ends):
            self.post_message(KeyPicked(self._ends[index][1]))


def _hint_pieces(hint: Hint) -> Row:
    """Return the keys of a hint and its label."""
    return ((_(hint.keys), "key"), (f" {_(hint.label)}", "quiet"))


class TooSmall(Surface):
    """The only widget on a terminal that is too small."""

    def __init__(self) -> None:
        super().__init__(id="toosmall")

    def rows(self, width: int, height: int) -> list[Row]:
        least_width, least_height = LEAST
        text = [
            _("This terminal has {width}x{height} cells.", width=width, height=height),
            _("gradtutor needs {width}x{height} or more.", width=least_width, height=least_height),
            "",
            f"q {_('quit')}",
        ]
        lines: list[Row] = [((" " * ((width - cells(line)) // 2) + line, "quiet"),) for line in text]
        return [EMPTY] * max((height - len(lines)) // 2, 0) + lines
