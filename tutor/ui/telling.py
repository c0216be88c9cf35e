"""What the lines above and below the panes say at the cursor."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tutor import explain
from tutor.explain.expressions import came_at, ran_at
from tutor.i18n import N_, _
from tutor.lesson import header
from tutor.lesson.answers import shown
from tutor.lesson.model import LessonError, in_language
from tutor.trace.events import Answer
from tutor.ui.draw.phrase import phrase
from tutor.ui.draw.row import Piece, clean, row_width
from tutor.ui.draw.shortening import shortened, shortened_rule

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen

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
    if step == timeline.steps and whole and (screen.study.done or screen.gate.waiting):
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
    if screen.gate.waiting:
        e, capital = ("e", "key"), ("S", "key")
        here = screen.exercising.here
        if here is not None and here.number in screen.gate.waiting:
            return phrase("one thing is left: {e} tries the exercise, {S} shows its solution", e=e, S=capital)
        cell = min(screen.gate.waiting)
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
    for index, (text, right) in screen.study.given.items():
        found = screen.gate.answer_of(screen.timeline, index)
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
    came = screen.study.came
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
