"""The bar of time: where the forward and the backward passes lie, the cells, and now.

What the lines above and below the panes say at the cursor.

The lines above and below the panes: where one is, what the step means, the bar of time, the keys."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from textual import events

from tutor import explain
from tutor.explain.expressions import came_at, ran_at
from tutor.i18n import N_, _
from tutor.lesson import header
from tutor.lesson.answers import shown
from tutor.lesson.model import LessonError, in_language
from tutor.text_width import width as cells
from tutor.trace.events import Answer
from tutor.trace.index import PassInfo
from tutor.ui.bindings import Hint
from tutor.ui.layout import LEAST
from tutor.ui.panes.base import KeyPicked, StepPicked, Surface
from tutor.ui.render.segments import EMPTY, Glyphs, Piece, Row, clean, fit, phrase, row_width, shortened, shortened_rule

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline
    from tutor.ui.screens.lesson import LessonScreen


def step_at(x: int, cells: int, steps: int) -> int:
    """The step under column x of a bar."""
    if cells < 2 or not steps:
        return 0
    return max(0, min(steps, round(max(0, min(x, cells - 1)) * steps / (cells - 1))))


def column_of(step: int, cells: int, steps: int) -> int:
    """The column of a bar in which a step lies."""
    return round(step * (cells - 1) / steps) if steps else 0


class Backward:
    """Which steps belong to backward passes: a byte for each, from step 0 on, as long as the recording grows."""

    def __init__(self) -> None:
        self._back = bytearray(1)
        self._ended = 0
        """So many passes from the first on have ended, and are in `_back`."""

    def update(self, steps: int, passes: Sequence[PassInfo]) -> bytearray:
        """The bytes, 1 within a pass and 0 outside; only what is new is looked at."""
        self._back.extend(bytes(steps + 1 - len(self._back)))
        all_ended = True
        for info in islice(passes, self._ended, None):
            end = (steps if info.end_step is None else info.end_step) + 1
            self._back[info.start_step : end] = b"\1" * (end - info.start_step)
            all_ended = all_ended and info.end_step is not None
            self._ended += all_ended
        return self._back


class Bar:
    """A bar of so many cells for so many steps; only the cursor moves until it is made anew."""

    def __init__(
        self, cells: int, steps: int, back: bytes | bytearray, starts: Sequence[int], limit: int | None = None
    ) -> None:
        """`back` is what `Backward` gives, `starts` where cells begin."""
        self.cells, self.steps = cells, steps
        self.limit = steps if limit is None else limit
        """Beyond this step all is hidden until a question is answered."""
        self.back = self._backward(back)
        self.ticks = {column_of(start, cells, steps) for start in starts if start > 1}

    def _backward(self, back: bytes | bytearray) -> list[bool]:
        """For each column: whether most of its steps belong to backward passes."""
        size = self.steps / max(self.cells - 1, 1)
        found = []
        for column in range(self.cells):
            first, end = max(ceil((column - 0.5) * size), 0), ceil((column + 0.5) * size)
            if first >= end:  # there are more columns than steps
                first = int(column * size)
                end = first + 1
            found.append(2 * back.count(1, first, end) > end - first)
        return found

    def row(self, cursor: int, glyphs: Glyphs) -> Row:
        """The bar with the cursor."""
        here = column_of(cursor, self.cells, self.steps)
        hidden = column_of(self.limit, self.cells, self.steps) if self.limit < self.steps else self.cells
        pieces: list[Piece] = []
        for column in range(self.cells):
            if column == here:
                pieces.append((glyphs.cursor, "now"))
                continue
            back = self.back[column]
            if column > hidden:
                text, role = glyphs.hidden, "faint"
            elif column in self.ticks:
                text, role = glyphs.tick, "title" if column < here else "quiet"
            elif column < here:
                text, role = (glyphs.past_back, "grad") if back else (glyphs.past, "value")
            else:
                text, role = glyphs.future, "quiet" if back else "faint"
            if pieces and pieces[-1][1] == role:
                pieces[-1] = (pieces[-1][0] + text, role)
            else:
                pieces.append((text, role))
        return tuple(pieces)


_ENDS = {
    "failed": N_("failed"),
    "exited": N_("ended early"),
    "died": N_("died"),
    "refused": N_("cannot be run"),
}


def facts(screen: LessonScreen) -> tuple[str, str, list[Piece]]:
    """The family and the title, and on the right the device, the cell, the step, and what one waits for."""
    timeline, document = screen.timeline, screen.timeline.document
    family, title = _title(screen)
    cells = sum(cell.get("number") is not None for cell in document.cells) if document else 0
    device = (document.device if document is not None else None) or "cpu"
    pieces: list[Piece] = []
    g = screen.header.glyphs
    if screen.running:
        phase = screen.session.phase if screen.session is not None else ""
        waiting = {"starting": _("starting Python"), "importing": _("importing torch")}.get(phase, _("running"))
        pieces.append((f"{g.waiting} {waiting}", "now"))
    elif timeline.run_end is not None and timeline.run_end.outcome == "stopped":
        pieces.append((_("stopped"), "grad"))
    elif timeline.run_end is not None and timeline.run_end.outcome in _ENDS and timeline.run_end.status:
        pieces.append((f"{g.no} {_(_ENDS[timeline.run_end.outcome])}", "error"))
    if screen.player.playing:
        pieces.append((f"{g.now} {screen.player.speed}/s", "now"))
    if document is not None:
        pieces.append((clean(device), "quiet"))
    if cells > 1:
        cell = timeline.cell(screen.cursor) if screen.cursor else None
        pieces.append((_("cell {number}/{count}", number=cell or 1, count=cells), "quiet"))
    if timeline.steps:
        pieces.append((_("step {number}/{count}", number=screen.cursor, count=timeline.steps), "quiet"))
    return family, title, pieces


def _title(screen: LessonScreen) -> tuple[str, str]:
    document = screen.timeline.document
    titles = document.title if document is not None else _named(screen)
    title = titles.get(screen.language) or next(iter(titles.values()), "")
    name = screen.target.name
    family = name.partition("/")[0] if screen.target.kind == "lesson" and "/" in name else ""
    if document is not None and screen.target.kind == "trace" and "/" in document.name and title:
        family = document.name.partition("/")[0]
    return clean(_(family)), clean(title or (name.partition("/")[2] if family else screen.target.path.name))


def _named(screen: LessonScreen) -> dict[str, str]:
    """The titles that stand in a lesson's file, for as long as its run has not told them."""
    with contextlib.suppress(LessonError):
        found = header.read(screen.target.path) if screen.target.kind == "lesson" else None
        return found.title if found is not None else {}
    return {}


def said(screen: LessonScreen) -> list[Piece]:
    """The explanation of the step; at the end of a run that ended badly, how it did."""
    timeline, step = screen.timeline, screen.cursor
    end = timeline.run_end
    g = screen.explain.glyphs
    if end is not None and end.outcome in ("died", "exited", "refused") and end.status and step == timeline.steps:
        again: list[Piece] = (
            [(f" {g.dot} ", "quiet"), *phrase("{r} runs again", r=("r", "key"))] if screen.session else []
        )
        return [
            (f"{g.no} ", "error"),
            (clean(" ".join(explain.ended(end).split())) or _(_ENDS[end.outcome]), "error"),
            *again,
        ]
    line = screen.prompts.pointing() or screen.code.cut_line()
    if line is not None:
        number, text = (f"{line[0]}", "value"), (clean(line[1].strip()), "strong")
        return phrase("line {number}: {text}", number=number, text=text)
    if not step:
        return _before(screen)
    whole = end is not None and end.outcome == "ok"
    if step == timeline.steps and whole and (screen.study.done or screen.gate.unsolved):
        told, done = _verdict(screen), _done(screen)
        both = [*told, (f" {g.dot} ", "quiet"), *done]
        if told and row_width(both) <= screen.size.width - 4:
            return both
        if told and screen.study.notice:
            return told
        return told if told and told[0][0].startswith(g.no) else done  # what was right stands in the lesson pane too
    verdict = _verdict(screen)
    if verdict:
        return verdict
    try:
        pieces = [(clean(text), role) for text, role in explain.line(timeline, step)]
        shorter = shortened_rule if timeline.kind(step) == "node" else shortened
        return shorter(pieces, screen.size.width - 4)
    except Exception as error:  # a recording may come from a stranger, and hold what no program does
        return [(_("this step cannot be explained: {error}", error=repr(error)), "quiet")]


def _done(screen: LessonScreen) -> list[Piece]:
    """The end of a lesson: what comes next."""
    g = screen.explain.glyphs
    if screen.gate.unsolved:
        e, capital = ("e", "key"), ("S", "key")
        here = screen.exercising.here
        if here is not None and here.number in screen.gate.unsolved:
            return phrase("one thing is left: {e} tries the exercise, {S} shows its solution", e=e, S=capital)
        cell = min(screen.gate.unsolved)
        end = next((info.end for info in screen.timeline.cells if info.cell == cell), None)
        text = N_("one thing is left: the exercise in cell {cell}; {go} goes there")
        return phrase(text, cell=cell, go=(f"g {end}", "key"))
    pieces: list[Piece] = [(f"{g.yes} ", "leaf"), (_("this lesson is done"), "strong")]
    following = screen.owner.after(screen.target.name)
    if following is not None:
        title = clean(in_language(following.title, screen.language))
        pieces += [(f" {g.dot} ", "quiet"), *phrase("next: {title}", title=(title, "strong"))]
    leave = [(f" {g.dot} ", "quiet"), *phrase("{esc} to the lessons", esc=("Esc", "key"))]
    return pieces + leave if row_width(pieces + leave) <= screen.size.width - 4 else pieces


def _verdict(screen: LessonScreen) -> list[Piece]:
    """Where the run tells what was asked: how it compares, and whether that could not be kept."""
    told = _compared(screen)
    if told and screen.study.notice:
        told = [*told, (f" {screen.explain.glyphs.dot} ", "quiet"), (clean(screen.study.notice), "note")]
    return told


def _compared(screen: LessonScreen) -> list[Piece]:
    """Whether the answers were right; of several the first that was not."""
    g = screen.explain.glyphs
    if screen.timeline.kind(screen.cursor) != "cell_end":
        return []
    told: list[Piece] = []
    for index, (text, right) in screen.study.answers.items():
        found = screen.gate.run_answer(screen.timeline, index)
        if not text or found is None or found[1].error is not None or screen.cursor not in (found[0], found[0] + 1):
            continue
        value = (shown(found[1].value), "strong")
        if right:
            told += [(f" {g.dot} ", "quiet")] if told else [(f"{g.yes} ", "leaf strong")]
            told += phrase("right: {value}", "leaf strong", value=value)
            continue
        came = _came(screen, index, *found)
        way: list[Piece] = []
        if came is not None and came != screen.cursor:
            goes = N_("{key} goes to the step that made it so")
            way = [(f" {g.dot} ", "quiet"), *phrase(goes, key=(f"g {came}", "key"))]
        line, mine = found[1].last_line is not None, (clean(text), "strong")
        whole = N_("you said {mine}, it is line {value}") if line else N_("you said {mine}, the run gives {value}")
        brief = N_("it is line {value}") if line else N_("the run gives {value}")
        told = [(f"{g.no} ", "error"), *phrase(whole, "error", mine=mine, value=value), *way]
        if row_width(told) > screen.size.width - 4:  # what one said stands in the lesson pane too
            told = [(f"{g.no} ", "error"), *phrase(brief, "error", value=value), *way]
        return told
    return told


def _came(screen: LessonScreen, index: int, step: int, answer: Answer) -> int | None:
    """The step at which the answer of a question came to be what it is."""
    came = screen.study.answer_origins
    if index not in came:
        of = next((one.of for one in screen.gate.questions if one.index == index), "")
        timeline = screen.timeline
        came[index] = came_at(timeline, of, step) if answer.last_line is None else ran_at(timeline, answer)
    return came[index]


def _before(screen: LessonScreen) -> list[Piece]:
    timeline = screen.timeline
    if timeline.steps:
        notices = [*timeline.notices, *filter(None, [screen.study.notice])]
        if notices:
            return [(clean(notices[0]), "note")]
        return gate_said() if screen.asking else first_step(screen)
    if screen.session is not None and screen.running:
        return [(screen.waiting, "quiet")]
    return [(_("nothing was recorded"), "quiet")]


def first_step(screen: LessonScreen) -> list[Piece]:
    """How a walk begins."""
    return phrase("press {arrow} for the first step", arrow=(screen.explain.glyphs.arrow, "key"))


def gate_said() -> list[Piece]:
    """Why it does not go on."""
    text = N_("first the question: {enter} answers it, {s} skips it")
    return phrase(text, "plain", enter=("Enter", "key"), s=("s", "key"))


def status(screen: LessonScreen) -> int:
    """The exit status that the program's end stands for: 1 where it failed."""
    end = screen.timeline.run_end
    if end is None or screen.session is None or end.outcome in ("ok", "stopped"):
        return 0
    return end.status if end.outcome == "refused" else int(end.status != 0)


def spread(left: Row, right: Row, cells: int) -> Row:
    """Two ends of a line; the left one gives way."""
    room = max(cells - row_width(right) - 1, 0)
    if row_width(left) > room:
        left = fit(left, room)
    return (*left, (" " * max(cells - row_width(left) - row_width(right), 0), "bar"), *right)


class TitleBar(Surface):
    """The name of the program, the lesson, and where in it one is."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="header")
        self.family = ""
        self.title = ""
        self.facts: list[Piece] = []

    def show(self, family: str, title: str, facts: list[Piece]) -> None:
        """The crumbs on the left, the facts on the right."""
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
        return [spread(tuple(left), (*right[:-1], (" ", "bar")), width)]


class Explain(Surface):
    """What the step means, in words and numbers."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="explain")
        self.pieces: Sequence[Piece] = ()

    def show(self, pieces: Sequence[Piece]) -> None:
        """One line of text."""
        self.pieces = pieces
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        lead = (f" {self.glyphs.explain} ", "bar now")
        return [(lead, *((text, f"bar {roles}") for text, roles in self.pieces))]


class TimeBar(Surface):
    """The whole recording in one line; a click goes there."""

    def __init__(self) -> None:
        super().__init__(id="timebar")
        self._bar = Bar(2, 0, b"", ())
        self._back = Backward()
        self._key: object = None
        self._cursor = 0
        self._timeline: Timeline | None = None
        self._limit = 0

    def show(self, timeline: Timeline, cursor: int, limit: int) -> None:
        """Where the cursor stands, and how far it may go."""
        if timeline is not self._timeline:
            self._key, self._back = None, Backward()
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
        """The hints in the order shown; as many as fit, the most important ones of them."""
        if hints != self.hints or not self._shown:
            self.hints = hints
            self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        gap = 3 if width >= 100 else 2
        sizes = {hint: row_width(_pieces(hint)) + gap for hint in self.hints}
        kept: set[Hint] = set()
        room = width - 1 + gap - 1
        for hint in sorted(self.hints, key=lambda hint: hint.rank):
            if sizes[hint] <= room:
                room -= sizes[hint]
                kept.add(hint)
        pieces: list[Piece] = [(" ", "plain")]
        self._ends = []
        at = 1
        for hint in self.hints:
            if hint in kept:
                pieces += [*_pieces(hint), (" " * gap, "plain")]
                at += sizes[hint]
                self._ends.append((at, hint.action))
        return [tuple(pieces[:-1])]

    def on_click(self, event: events.Click) -> None:
        place = bisect_right(self._ends, event.x, key=lambda end: end[0])
        if place < len(self._ends):
            self.post_message(KeyPicked(self._ends[place][1]))


def _pieces(hint: Hint) -> Row:
    return ((_(hint.keys), "key"), (f" {_(hint.label)}", "quiet"))


class TooSmall(Surface):
    """All that a very small terminal shows."""

    def __init__(self) -> None:
        super().__init__(id="toosmall")

    def rows(self, width: int, height: int) -> list[Row]:
        wide, tall = LEAST
        text = [
            _("This terminal has {width}x{height} cells.", width=width, height=height),
            _("gradtutor needs {width}x{height} or more.", width=wide, height=tall),
            "",
            f"q {_('quit')}",
        ]
        lines: list[Row] = [((" " * ((width - cells(line)) // 2) + line, "quiet"),) for line in text]
        return [EMPTY] * max((height - len(lines)) // 2, 0) + lines
