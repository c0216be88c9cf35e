"""What the bars say at the cursor: the title, the explanation of the step, and what came of a command."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tutor import explain
from tutor.explain.elements import Matrix
from tutor.i18n import N_, _
from tutor.lesson import header
from tutor.lesson.answers import format_answer
from tutor.lesson.model import LessonError, in_language
from tutor.study.course import lesson_after
from tutor.study.element import ElementChoice
from tutor.study.model import Model
from tutor.study.moves import FORWARD
from tutor.study.result import Result
from tutor.text_width import wrapped
from tutor.ui.panes.lesson import correction, exercise_outcome
from tutor.ui.render.explained import explained_rows, running_rows
from tutor.ui.render.segments import Glyphs, Piece, Row, clean, row_width, shortened, styled

_ENDS = {
    "failed": N_("failed"),
    "exited": N_("ended early"),
    "died": N_("died"),
    "refused": N_("cannot be run"),
}


# ------------------------------------------------------------ the title


def title_facts(model: Model, glyphs: Glyphs, speed: int | None) -> list[Piece]:
    """Return the facts on the right of the title bar: state, playback, device, cell, step.

    Args:
        model: The walk.
        glyphs: The characters to draw with.
        speed: The steps per second, while the recording is played.
    """
    timeline, document = model.timeline, model.timeline.document
    cells, end = len(model.gate.code_cells), timeline.run_end
    device = (document.device if document is not None else None) or "cpu"
    pieces: list[Piece] = []
    if model.running:
        waiting = {"starting": _("starting Python"), "importing": _("importing torch")}.get(model.phase, _("running"))
        if model.waiting is not None:
            waiting = _("waiting for a line")
        pieces.append((f"{glyphs.waiting} {waiting}", "now"))
    elif end is not None and end.outcome == "stopped":
        pieces.append((_("stopped"), "grad"))
    elif end is not None and end.outcome in _ENDS and end.status:
        pieces.append((f"{glyphs.no} {_(_ENDS[end.outcome])}", "error"))
    first = next((found for found in model.problems.all(model.limit) if found.kind == "nonfinite"), None)
    if first is not None and first.origin is not None:
        text = _(
            "{kind} from step {step:,} of {count:,}", kind=first.origin.name, step=first.step, count=timeline.steps
        )
        pieces.append((f"{glyphs.no} {text}", "error"))
    if speed is not None:
        pieces.append((f"{glyphs.now} {speed}/s", "now"))
    if document is not None:
        pieces.append((clean(device), "quiet"))
    if cells > 1:
        cell = timeline.cell(model.cursor) if model.cursor else None
        pieces.append((_("cell {number}/{count}", number=cell or 1, count=cells), "quiet"))
    if timeline.steps:
        pieces.append((_("step {number}/{count}", number=model.cursor, count=timeline.steps), "quiet"))
    return pieces


def title(model: Model, language: str) -> tuple[str, str]:
    """Return the family and the title of what is walked."""
    document, target = model.timeline.document, model.target
    titles = document.title if document is not None else _titles_of_file(model)
    title = titles.get(language) or next(iter(titles.values()), "")
    family = target.name.partition("/")[0] if target.kind == "lesson" and "/" in target.name else ""
    if document is not None and target.kind == "trace" and "/" in document.name and title:
        family = document.name.partition("/")[0]
    return clean(_(family)), clean(title or (target.name.partition("/")[2] if family else target.path.name))


def _titles_of_file(model: Model) -> dict[str, str]:
    """Return the titles in a lesson's file, by language, for as long as its run has not sent them."""
    with contextlib.suppress(LessonError):
        lesson_header = header.read(model.target.path) if model.target.kind == "lesson" else None
        return lesson_header.title if lesson_header is not None else {}
    return {}


# ------------------------------------------------------------ the explanation


class Room(NamedTuple):
    """Where an explanation is shown."""

    width: int
    """Columns of a row."""
    rows: int
    """Rows that it may have."""
    glyphs: Glyphs
    language: str
    lessons: Path
    """The folder of the lessons."""


def explanation(model: Model, marked: tuple[int, str] | None, room: Room) -> tuple[list[Row], Row | None]:
    """Return the explanation of the current step as rows, and what runs next.

    At the end of a run that failed, that is how it ended. What runs next is empty where that is not recorded, and None
    where the explanation is of something else than the step.

    Args:
        model: The walk.
        marked: The number and text of a line of code to show instead.
        room: Where it is shown.
    """
    pieces = _instead(model, marked, room)
    if pieces:
        return running_rows(pieces, room.width, room.rows), None
    try:
        explained = explain.lines(model.timeline, model.cursor, model.limit, partial(_chosen_element, model.choice))
        following = [(clean(text), role) for text, role in explained.next]
        note = model.timeline.bookmarks.get(model.cursor)
        rows = explained_rows(explained, room.width, room.rows - (note is not None), room.glyphs)
        if note is not None:
            rows.append(tuple(shortened([(_("bookmark"), "note"), (f"  {clean(note)}", "strong")], room.width)))
        return rows, tuple(shortened(following, room.width - 8))
    except Exception as error:  # a recording may be malformed
        return [((_("this step cannot be explained: {error}", error=repr(error)), "quiet"),)], None


def _chosen_element(choice: ElementChoice, matrices: Sequence[Matrix]) -> tuple[Matrix, int] | None:
    """Return the chosen element of one of these matrices; None where none is chosen."""
    matrix = choice.matrix(matrices)
    element = None if matrix is None else choice.element(matrix)
    return None if matrix is None or element is None else (matrix, element)


def _instead(model: Model, marked: tuple[int, str] | None, room: Room) -> list[Piece]:
    """Return what is shown in place of the explanation of the step, if anything."""
    timeline, step, glyphs = model.timeline, model.cursor, room.glyphs
    end = timeline.run_end
    failure = model.problems.failure()
    is_last = step == timeline.steps or (failure is not None and step == failure.step)
    if end is not None and end.outcome in ("died", "exited", "refused") and end.status and is_last:
        rerun_hint: list[Piece] = (
            [(f" {glyphs.dot} ", "quiet"), *styled("{r} runs again", r=("r", "key"))] if model.session else []
        )
        return [
            (f"{glyphs.no} ", "error"),
            (clean(" ".join(explain.describe_end(end).split())) or _(_ENDS[end.outcome]), "error"),
            *rerun_hint,
        ]
    if marked is not None:
        number, text = (f"{marked[0]}", "value"), (clean(marked[1].strip()), "strong")
        return styled("line {number}: {text}", number=number, text=text)
    if not step:
        return _opening(model, glyphs)
    verdict = _verdict(model, room)
    is_complete = end is not None and end.outcome == "ok"
    if step == timeline.steps and is_complete and (model.study.done or model.gate.unsolved):
        closing = _closing(model, room)
        if not verdict:
            return [*closing, *_notice(model, room)]
        both = [*verdict, (f" {glyphs.dot} ", "quiet"), *closing]
        if len(wrapped(both, room.width)) <= room.rows:
            return both
        is_wrong = verdict[0][0].startswith(glyphs.no)
        return verdict if is_wrong or model.study.notice else closing  # the lesson pane shows right answers too
    return verdict


def _closing(model: Model, room: Room) -> list[Piece]:
    """Return what to do at the end of a lesson."""
    glyphs, gate = room.glyphs, model.gate
    if gate.unsolved:
        e, capital = ("e", "key"), ("S", "key")
        exercise = model.exercise
        if exercise is not None and exercise.number in gate.unsolved:
            return styled("not done yet: {e} tries the exercise, {S} shows its solution", e=e, S=capital)
        cell = min(gate.unsolved)
        cell_end = next((info.end for info in model.timeline.cells if info.cell == cell), None)
        text = N_("not done yet: the exercise in cell {cell}; {go} goes there")
        return styled(text, cell=cell, go=(f"g {cell_end}", "key"))
    pieces: list[Piece] = [(f"{glyphs.yes} ", "leaf"), (_("this lesson is done"), "strong")]
    following = lesson_after(room.lessons, model.target.name)
    if following is not None:
        title = clean(in_language(following.title, room.language))
        is_other = following.family != model.target.name.partition("/")[0]
        text = N_("next, in {family}: {title}") if is_other else N_("next: {title}")
        family = clean(_(following.family))
        pieces += [(f" {glyphs.dot} ", "quiet"), ("N ", "key"), *styled(text, family=family, title=(title, "strong"))]
    leave_hint = [(f" {glyphs.dot} ", "quiet"), *styled("{esc} to the lessons", esc=("Esc", "key"))]
    return pieces + leave_hint if row_width(pieces + leave_hint) <= room.width else pieces


def _verdict(model: Model, room: Room) -> list[Piece]:
    """Return how the answers compare to the run where it reveals them, and whether saving them failed."""
    verdict = _compare_answers(model, room)
    return [*verdict, *_notice(model, room)] if verdict else []


def _notice(model: Model, room: Room) -> list[Piece]:
    """Return what was wrong when progress was saved, after other pieces; nothing if it was saved."""
    notice = model.study.notice
    return [(f" {room.glyphs.dot} ", "quiet"), (clean(notice), "note")] if notice else []


_CORRECTIONS = {
    "line": N_("you said {mine}, it is line {value}"),
    "choice": N_("you chose {mine}, the right one is {value}"),
}
"""What is said of a wrong answer, by the kind of question; of others it is what the run gives."""


def _compare_answers(model: Model, room: Room) -> list[Piece]:
    """Return whether the answers were right; of several wrong ones only the first."""
    glyphs = room.glyphs
    if not model.cursor or model.timeline.kind(model.cursor) != "cell_end":
        return []
    verdict: list[Piece] = []
    for index, (text, right) in model.study.answers.items():
        answer = model.gate.run_answer(model.timeline, index)
        if not text or answer is None:
            continue
        step, event = answer
        if event.error is not None or model.cursor not in (step, step + 1):
            continue
        value = (format_answer(event.value), "strong")
        if model.study.differs(index, event):  # judged in the run in which it was given
            return styled("your answer was for another run; this one gives {value}", "note", value=value)
        if right:
            verdict += [(f" {glyphs.dot} ", "quiet")] if verdict else [(f"{glyphs.yes} ", "leaf strong")]
            verdict += styled("right: {value}", "leaf strong", value=value)
            continue
        origin = model.study.answer_origin(index, model.timeline)
        origin_hint: list[Piece] = []
        if origin is not None and origin != model.cursor:
            hint = N_("{key} jumps to where it was computed")
            origin_hint = [(f" {glyphs.dot} ", "quiet"), *styled(hint, key=(f"g {origin}", "key"))]
        kind = next(question.kind for question in model.gate.questions if question.index == index)
        given = (clean(text), "strong")
        full = _CORRECTIONS.get(kind, N_("you said {mine}, the run gives {value}"))
        brief = correction(kind)
        verdict = [(f"{glyphs.no} ", "error"), *styled(full, "error", mine=given, value=value), *origin_hint]
        if row_width(verdict) > room.width:  # the lesson pane shows the answer too
            verdict = [(f"{glyphs.no} ", "error"), *styled(brief, "error", value=value), *origin_hint]
        return verdict
    return verdict


def _opening(model: Model, glyphs: Glyphs) -> list[Piece]:
    """Return what to say before the first step."""
    timeline = model.timeline
    if timeline.steps:
        notices = [*timeline.notices, *filter(None, [model.study.notice])]
        if notices:
            return [(clean(notices[0]), "note")]
        return _open_question(model) if model.asking else first_step(glyphs)
    return [(waiting(model) if model.running else _("nothing was recorded"), "quiet")]


def first_step(glyphs: Glyphs) -> list[Piece]:
    """Return how to begin."""
    return styled("press {arrow} for the first step", arrow=(glyphs.arrow, "key"))


def _open_question(model: Model) -> list[Piece]:
    """Return why the cursor cannot go on: a question is open. Enter may ask the one before again."""
    if model.next_retry is not None:
        return styled("first the next question: type the answer; {s} skips it", "plain", s=("s", "key"))
    text = N_("first the question: {enter} answers it, {s} skips it")
    return styled(text, "plain", enter=("Enter", "key"), s=("s", "key"))


def waiting(model: Model) -> str:
    """Return what the program is doing while there is nothing more to show."""
    phases = {"starting": _("starting Python …"), "importing": _("importing torch …"), "running": _("running …")}
    return phases.get(model.phase, "")


# ------------------------------------------------------------ what came of a command


def describe_result(model: Model, result: Result, room: Room) -> list[Piece]:
    """Return what came of a command of the model; empty for nothing to say."""
    glyphs = room.glyphs
    text, dot, arrow = result.text, (f" {glyphs.dot} ", "quiet"), (glyphs.arrow, "key")
    match result.outcome:
        case "question":
            verdict = _compare_answers(model, room)  # of the questions before
            return [*verdict, dot, *_open_question(model)] if verdict else _open_question(model)
        case "waiting":
            return [(waiting(model), "quiet")]
        case "nowhere" if model.finished and text == FORWARD.reason(model.timeline):
            return []  # what says which lesson comes next stays
        case "nowhere":
            return [(text, "quiet")]
        case "error":
            return [(text, "error")]
        case "restored":
            return [(clean(text), "error")]
        case "answered" if model.next_retry is not None:
            text = N_("not so: {enter} asks it again, with other numbers; {arrow} shows why")
            return [(f"{glyphs.no} ", "error"), *styled(text, enter=("Enter", "key"), arrow=arrow)]
        case "answered" if model.next_verdict is not None:
            return styled("press {arrow} and see; {enter} shows it at once", arrow=arrow, enter=("Enter", "key"))
        case "answered":
            return styled("press {arrow} and see", arrow=arrow)
        case "asked again":
            return styled("noted; here is another question")
        case "skipped":
            return styled("skipped")
        case "nothing asked":
            return styled("nothing is asked here")
        case "nothing to hint at":
            return styled("hints belong to exercises")
        case "nothing to solve":
            return styled("solutions belong to exercises")
        case "no hint":
            return styled("there is no other hint: {s} shows the solution", s=("S", "key"))
        case "ask again":
            return styled("{s} once more shows the solution", s=("S", "key"))
        case "ask again, or a hint":
            return styled("{s} once more shows the solution; {h} gives a hint", s=("S", "key"), h=("H", "key"))
        case "solved":
            return [(f"{glyphs.yes} {_('solved')}", "leaf strong"), dot, *styled("go on with {arrow}", arrow=arrow)]
        case "unsolved" if result.exercise is not None:
            return exercise_outcome(model.exercise_status(result.exercise), glyphs)
        case "recording":
            return styled("this is a recording: open its script to run it with something changed")
        case "still running":
            return styled("it still runs: {x} stops it", x=("x", "key"))
        case "walking":
            return styled("{name} is on the screen again", name=(clean(text), "value"))
        case "reloaded":
            return styled("the file was saved, and has run again")
        case "back":
            step = styled("back where you left, at step {step}", step=(f"{model.cursor}", "value"))
            return [*step, dot, *styled("{home} to the beginning", home=("Home", "key"))]
        case "bookmark":
            return styled("a bookmark is here: {m} and {M} lead to it", m=("m", "key"), M=("M", "key"))
        case "no bookmark":
            return styled("no bookmark is here any more")
        case "not kept":
            return styled("a bookmark is here for this walk: it could not be kept", "error")
        case "cause":
            text = N_("this made the error at step {step} inevitable; {key} goes back to it")
            return styled(text, step=(result.text, "error"), key=("!", "key"))
        case "asked":
            text = N_("the program waits for a line: {enter} goes to its field")
            return styled(text, enter=("Enter", "key")) if not model.asks_here else []
        case "stopped":
            return styled("stopped", "grad")
        case "failed" if text:
            hint = styled("{end} goes there", end=("End", "key"))
            return [(f"{glyphs.no} {clean(text)}", "error"), (" ", "quiet"), *hint]
    return []
