"""The model of a walk: the run that is shown, the cursor in it, and what the learner may see and has done. No Textual.

The screen and the plain front end stand on it. A method that does what a learner asks for changes the model and
returns a `Result`; nothing else writes the cursor. The front end starts the sessions that the model makes, and tells
it when a recording grew (`grew`) or ended (`ended`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from tutor.explain import describe_end
from tutor.i18n import N_, _
from tutor.lesson.answers import AnswerError
from tutor.study import bookmarks
from tutor.study.element import ElementChoice
from tutor.study.finding import nearest, steps_with
from tutor.study.flow import Exercise, Gate, Question
from tutor.study.jumps import Jumps
from tutor.study.moves import FORWARD, Move, resolve_typed
from tutor.study.problems import Problem, Problems
from tutor.study.progress import Store
from tutor.study.result import DONE, Outcome, Result
from tutor.study.retries import Retry, run_changes
from tutor.study.runs import Run, Runs, describe_changes
from tutor.study.study import ExerciseStatus, Study
from tutor.trace.command import ENDED
from tutor.trace.events import Failed, Waiting
from tutor.trace.navigation import PlaceError, counterpart, next_breakpoint
from tutor.trace.timeline import Timeline

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.session.session import Session


class Model:
    """A walk through the runs of a target, or through a recording."""

    def __init__(
        self,
        target: Target,
        *,
        session: Session | None = None,
        timeline: Timeline | None = None,
        store: Store | None = None,
        ask_all: bool = False,
        front: str = "screen",
    ) -> None:
        """Begin before the first step.

        Args:
            target: The lesson, script or recording.
            session: The first run; the front end starts it after `begin`.
            timeline: A recording instead of a run.
            store: Where progress in a lesson is kept; None for the learner's own folder.
            ask_all: Whether to ask every question, whatever was answered at an earlier time.
            front: The front end: `screen` or `plain`.
        """
        self.target = target
        self.session = session
        self.sessions = [] if session is None else [session]
        """All sessions that were made."""
        self.timeline = timeline if timeline is not None else session.timeline if session is not None else Timeline()
        self.runs, self.choice, self.jumps = Runs(), ElementChoice(), Jumps()
        self._gate = Gate(None, front)
        self.study = Study(target, self._gate, store, ask_all)
        self._problems = Problems(self.timeline)
        self.follow = False
        """Whether the cursor follows a program that runs."""
        self.retry: Retry | None = None
        """The question that is asked again at the cursor, with other numbers."""
        self.drafts: dict[int, str] = {}
        """Edited code that has not run yet, by cell number."""
        self._cursor = 0
        self._waiting: Waiting | None = None
        """What the program waited for when the recording was taken in last."""
        self._asked_at = -1
        """The step at which the learner is asked, or has answered; -1 where that has not been."""
        self._opens_at_mark = True
        """Whether the cursor goes to the first mark once it is recorded: it has not moved yet."""
        self._arrival: Callable[[], int | None] | None = None
        """Returns the step to which the cursor goes in a new run, None until that is recorded."""
        self._tried: Exercise | None = None
        """The exercise that runs now, and whose outcome is to be told."""
        self._solution_asked = ""
        """The id of the exercise whose solution appears when it is asked for again."""
        self._adopt_document()  # of a whole recording

    # ------------------------------------------------------------ what is so now

    @property
    def cursor(self) -> int:
        """The current step; 0 before the first."""
        return self._cursor

    @property
    def gate(self) -> Gate:
        """The questions and exercises of the run; they hold as soon as its document is there."""
        self._adopt_document()
        self._gate.tried = self._tried.number if self._tried is not None and self.running else None
        return self._gate

    def _adopt_document(self) -> None:
        document = self.timeline.document
        if document is not None and self._gate.document is not document:
            self._gate = Gate(document, self._gate.front)
            self.study.settle_answers(self._gate)
            self.timeline.bookmarks = bookmarks.of(document)

    @property
    def limit(self) -> int:
        """The last step that the cursor may reach."""
        return self.gate.last_step(self.timeline)

    @property
    def question(self) -> Question | None:
        """The question that waits for an answer at the cursor: one that is asked again, or the next one."""
        if self.retry is not None and self._is_retrying:
            return self.retry.question
        return self.gate.question_at(self.timeline, self._cursor)

    @property
    def _is_retrying(self) -> bool:
        """Whether a question that is asked again waits for its answer."""
        return self.retry is not None and not self.retry.typed

    @property
    def next_retry(self) -> Retry | None:
        """What can be asked again with other numbers at the cursor."""
        if self.session is None or self._is_retrying:
            return None
        cells = self.gate.cells_judged(self.timeline, self._cursor)
        indices = [question.index for cell in cells for question in self.gate.questions if question.before == cell]
        return next(filter(None, map(self.study.next_retry, indices)), None)

    @property
    def next_verdict(self) -> int | None:
        """The step at which an answer is judged that has been given before the next cell; None if there is none."""
        if self.asking or not self.gate.is_reading_time(self.timeline, self._cursor):
            return None
        return self.study.next_verdict(self.timeline, self._cursor)

    @property
    def asking(self) -> bool:
        """Whether a question waits for an answer at the cursor."""
        return self.question is not None

    @property
    def exercise(self) -> Exercise | None:
        """The exercise to read or do at the cursor."""
        return self.gate.exercise_at(self.timeline, self._cursor)

    def exercise_status(self, exercise: Exercise) -> ExerciseStatus:
        """Return how far the learner is with an exercise."""
        code = None
        if self.session is not None:
            code = self.session.command.attempts.get(exercise.id, self.gate.original(exercise.number))
        return self.study.exercise_status(exercise, self.timeline, code)

    @property
    def problems(self) -> Problems:
        """The problems of the recording, as far as they were searched for."""
        if self._problems.timeline is not self.timeline:
            self._problems = Problems(self.timeline)
        return self._problems

    @property
    def problem(self) -> Problem | None:
        """The problem at the cursor."""
        return self.problems.at(self._cursor, self.limit) if self._cursor else None

    @property
    def running(self) -> bool:
        """Whether the program still runs."""
        return self.session is not None and self.session.phase != "ended"

    @property
    def phase(self) -> str:
        """`starting`, `importing` or `running`; empty where nothing runs."""
        return self.session.phase if self.session is not None and self.running else ""

    @property
    def waiting(self) -> Waiting | None:
        """The line that the program waits for."""
        return None if self.session is None else self.session.waiting

    @property
    def asks_here(self) -> bool:
        """Whether the program waits for a line, and the learner is where it asks."""
        return self.waiting is not None and self._cursor == self._asked_at

    def type_line(self, text: str | None) -> bool:
        """Give the program the line that it waits for, None for the end of its input; return whether it waited."""
        is_taken = self.session is not None and self.session.type_line(text)
        if is_taken:
            self._asked_at = self._cursor  # so that the cursor goes to the next question
        return is_taken

    @property
    def exit_status(self) -> int:
        """The exit status of the program's end: 0 where it ended well or was stopped."""
        end = self.timeline.run_end
        if end is None or self.session is None or end.outcome in ("ok", "stopped"):
            return 0
        return end.status if end.outcome == "refused" else int(end.status != 0)

    @property
    def finished(self) -> bool:
        """Whether the lesson has been walked to its end, and the cursor is there."""
        return self.study.done and self._cursor == self.timeline.steps

    # ------------------------------------------------------------ walking

    def _set_cursor(self, step: int) -> bool:
        """Move the cursor, as far as questions allow; return whether it has moved."""
        before, self._cursor = self._cursor, max(0, min(step, self.limit))
        if self._cursor != before:
            self._opens_at_mark = False
            self._close_retry()
        return self._cursor != before

    def move(self, move: Move) -> Result:
        """Move the cursor.

        A move ahead passes no step at which an answer is judged for the first time. Outcomes: `question`, where one has
        to be answered first; `waiting`, where more is to be recorded; `nowhere`, with the reason.
        """
        self.follow = False
        target = move.find(self.timeline, self._cursor)
        verdict = self.study.next_verdict(self.timeline, self._cursor)
        if target is not None:
            target = min(target, verdict or target) if target > self._cursor else target
            stuck = target > self.limit and self._cursor == self.limit
            return Result("question" if stuck else "", moved=self._set_cursor(target))
        if self.asking and move.ahead:
            return Result("question")
        return Result("waiting" if self.running and move.ahead else "nowhere", move.reason(self.timeline))

    def bookmark(self, note: str | None) -> Result:
        """Keep a bookmark with a note at the cursor, or drop it (None). Outcomes: `bookmark`, `no bookmark`, and `not
        kept` where it holds for this walk alone.
        """
        notes, document = self.timeline.bookmarks, self.timeline.document
        if note is None:
            notes.pop(self._cursor, None)
        else:
            notes[self._cursor] = " ".join(note.split())
        is_kept = document is not None and bookmarks.keep(document, notes)
        return Result("no bookmark" if note is None else "bookmark" if is_kept else "not kept")

    def reveal(self) -> Result:
        """Move the cursor to where an answer that has just been given is judged. Outcome: `nowhere`."""
        step = self.next_verdict
        return Result("nowhere") if step is None else self.jump(step)

    def go(self, step: int) -> Result:
        """Move the cursor to a step. Outcome: `question`, where one lies before it."""
        self.follow = False
        moved = self._set_cursor(step)
        return Result("question" if step > self.limit else "", moved=moved)

    def jump(self, step: int) -> Result:
        """Move the cursor to a step, from which `jump_back` leads back. Outcome: that of `go`."""
        before = self._cursor
        result = self.go(step)
        if result.moved:
            self.jumps.leave(self.timeline, before)
        return result

    def jump_back(self) -> Result:
        """Move the cursor to where the last jump came from. Outcome: `nowhere`, with the reason."""
        step = self.jumps.back(self.timeline, self._cursor)
        return Result("nowhere", _("there was no jump to go back from")) if step is None else self.go(step)

    def jump_forward(self) -> Result:
        """Move the cursor to where `jump_back` came from. Outcome: `nowhere`, with the reason."""
        step = self.jumps.forward(self.timeline, self._cursor)
        return Result("nowhere", _("there is no place to go forward to")) if step is None else self.go(step)

    def go_to_place(self, text: str) -> Result:
        """Move the cursor to a place that was typed. Outcomes: `question`, or `error` where there is no such place."""
        try:
            return self.jump(resolve_typed(self.timeline, self._cursor, text))
        except PlaceError as error:
            return Result("error", str(error))

    def last(self) -> Result:
        """Move the cursor to the last step, or the failure that ended the run; follow a program that still runs.

        Outcome: `question`.
        """
        failure = None if self.running else self.problems.failure()
        target = self.limit if failure is None else failure.step
        was_asking = self.asking
        moved, self.follow = self.jump(target).moved, self.running
        return Result("question" if was_asking else "", moved=moved)

    def _show_failure(self) -> None:
        """Move the cursor to the failure that ended the run, unless the learner walks already."""
        if not self._cursor and self.problems.failure() is not None:
            self.last()

    def next_problem(self) -> Result:
        """Move the cursor to the next problem, or from a failure to the step that made it inevitable.

        Outcomes: `cause`, with the step of that failure; `nowhere`, with the reason.
        """
        self.follow = False
        self.problems.read()
        step, failure = self.problems.next_step(self._cursor, self.limit)
        if step is None:
            only, none = N_("this is the only problem"), N_("nothing went wrong here: no error, no nan, no inf")
            return Result("nowhere", _(none if self.problem is None else only))
        return Result("" if failure is None else "cause", str(failure), moved=self.jump(step).moved)

    def show_recording(self, timeline: Timeline) -> None:
        """Show another recording of the program, before its first step; answers stay."""
        self.timeline, self._cursor = timeline, 0
        self.study.reset_run()

    def next_with(self, text: str, previous: bool = False) -> tuple[int | None, tuple[int, int]]:
        """Return the next (or previous) step whose code or output has a text, its number among all, and their count.

        Only steps are looked at that questions do not hide; None where there is none.
        """
        steps = steps_with(self.timeline, text, self.limit)
        index = nearest(steps, self._cursor, previous)
        return (None, (0, 0)) if index is None else (steps[index], (index + 1, len(steps)))

    def find(self, text: str, previous: bool = False) -> Result:
        """Move the cursor to the next (or previous) step whose code or output has a text; say its number among all.

        Outcome: `not found`.
        """
        step, (number, count) = self.next_with(text, previous)
        return Result("not found") if step is None else replace(self.jump(step), text=f"{number}/{count}")

    def count(self, text: str) -> int:
        """Return how many steps have a text in their code or output, as far as questions allow."""
        return len(steps_with(self.timeline, text, self.limit))

    def play(self) -> Result:
        """Move on by a step of playback. Outcomes: `question` or `nowhere`, where it ends; `waiting` while it waits."""
        step = FORWARD.find(self.timeline, self._cursor)
        if step is None:
            return Result("waiting" if self.running else "nowhere", FORWARD.reason(self.timeline))
        return Result("question") if step > self.limit else Result(moved=self._set_cursor(step))

    def stay(self) -> None:
        """Follow a program that runs no more."""
        self.follow = False

    def record_shown(self) -> None:
        """Record that the step of the cursor was shown."""
        self.study.record_step(self._cursor, self.timeline, self.running, self.session is not None)

    # ------------------------------------------------------------ questions

    def answer(self, text: str) -> Result:
        """Answer the open question. Outcomes: `answered`; `asked again`, where another one follows; `error`."""
        question = self.question
        if question is None:
            return DONE
        try:
            if self.retry is not None and question is self.retry.question:
                self.study.answer_retry(self.retry, text)
                return DONE
            self.study.answer(question.index, text, self.timeline)
        except AnswerError as error:
            return Result("error", str(error))
        return Result("asked again" if self.asking else "answered", moved=self._follow())

    def skip(self) -> Result:
        """Skip the open question, which reveals what it hides. Outcomes: `skipped`, `nothing asked`."""
        question = self.question
        if question is None:
            return Result("nothing asked")
        if self.retry is not None and question is self.retry.question:
            self._close_retry()
            return Result("skipped")
        self.study.skip(question.index)
        return Result("skipped", moved=self._follow())

    def ask_again(self) -> Session | None:
        """Ask a question again with other numbers; return the session that answers it, for the front end to start."""
        self.retry = self.next_retry
        if self.retry is None or self.session is None:
            return None
        self.study.retries[self.retry.question.index] = self.retry
        session = self._again(**run_changes(self.gate, self.retry.question), stdin=ENDED)
        self.retry.timeline = session.timeline
        return session

    def _close_retry(self) -> None:
        """Ask no more what was asked again, unless it was answered."""
        if self.retry is not None and not self.retry.typed:
            self.study.retries.pop(self.retry.question.index, None)
        self.retry = None

    def retry_grew(self) -> None:
        """Take in what the run of a question that was asked again has more of."""
        for retry in self.study.retries.values():
            self.study.judge_retry(retry)

    def _follow(self) -> bool:
        return self.follow and self._set_cursor(self.limit)

    # ------------------------------------------------------------ exercises

    def hint(self) -> Result:
        """Show the next hint of the exercise. Outcomes: `hint`, `no hint` where all are shown, `nothing to hint at`."""
        exercise = self.exercise
        if exercise is None:
            return Result("nothing to hint at")
        count = self.study.progress.hints.get(exercise.id, 0)
        if count >= len(exercise.hints):
            return Result("no hint")
        self.study.record_hints(exercise.id, count + 1)
        return Result("hint")

    def solution(self) -> Result:
        """Show the solution: at once if the exercise is solved, otherwise when asked for twice.

        Outcomes: `solution`; `ask again`, or `ask again, or a hint` where there is another one; `nothing to solve`.
        """
        exercise = self.exercise
        if exercise is None:
            return Result("nothing to solve")
        progress = self.study.progress
        if exercise.id not in progress.solved and self._solution_asked != exercise.id:
            self._solution_asked = exercise.id
            has_hints = progress.hints.get(exercise.id, 0) < len(exercise.hints)
            return Result("ask again, or a hint" if has_hints else "ask again")
        self.study.open_solution(exercise.id)
        self.gate.unsolved.discard(exercise.number)
        return Result("solution")

    def attempt(self, exercise: Exercise) -> str:
        """Return the learner's code for an exercise, or the code to begin with."""
        return self.study.progress.attempts.get(exercise.id, self.gate.original(exercise.number))

    def keep_attempt(self, exercise: Exercise, text: str) -> None:
        """Keep the learner's code for an exercise, without a run; what is as it was is no attempt."""
        if text != self.attempt(exercise):
            self.study.record_attempt(exercise.id, text)

    def try_exercise(self, exercise: Exercise, text: str) -> Session:
        """Return a session that runs the learner's code for an exercise; the cursor goes to the end of its cell."""
        assert self.session is not None
        self.study.record_attempt(exercise.id, text)
        self._tried = exercise
        session = self._again(attempts={**self.session.command.attempts, exercise.id: text})
        self.runs.replace(session)

        def find_end() -> int | None:
            info = next((info for info in self.timeline.cells if info.cell == exercise.number), None)
            return (None if self.running else self.timeline.steps) if info is None else info.end

        return self._start(session, find_end)

    def _check_exercises(self) -> Result:
        """Record which exercises are solved; tell of the one that was tried when its check has run.

        Outcomes: `solved`; `finished`, where it was the last of the lesson; `unsolved`.
        """
        gate, study, result = self.gate, self.study, DONE
        gate.unsolved = {exercise.number for exercise in gate.exercises.values() if not study.is_settled(exercise)}
        for exercise in gate.exercises.values():
            checked = gate.attempt_result(self.timeline, exercise)
            if checked is not None and checked.ok and exercise.id in study.progress.attempts:
                study.record_solved(exercise.id)
                gate.unsolved.discard(exercise.number)
            tried = self._tried
            if checked is not None and tried is not None and tried.id == exercise.id and self._cursor:
                self._tried = None
                is_last = exercise.number == max(gate.code_cells)
                outcome: Outcome = "unsolved" if not checked.ok else "finished" if is_last else "solved"
                result = Result(outcome, exercise=exercise)
        return result

    # ------------------------------------------------------------ runs

    def begin(self) -> Session | None:
        """Return the session of the first run, for the front end to start; None for a recording.

        A recording of a run that failed is shown at the failure, else at its first mark.
        """
        session = self.session
        if session is None:
            self._show_failure()
            self._arrive()
            return None
        attempts = self.study.progress.attempts
        if attempts:
            session.command = msgspec.structs.replace(session.command, attempts=dict(attempts))
        command = session.command
        self.runs.add(session, describe_changes(command.knobs, command.edits, command.skip))
        return session

    def check_run(self) -> Result:
        """Return whether another run can be started: outcome `recording` or `still running` where it cannot."""
        if self.session is None:
            return Result("recording")
        return DONE if self.can_run else Result("still running")

    @property
    def can_run(self) -> bool:
        """Whether another run can be started: none is under way, or one that has only been read."""
        return self.session is not None and (not self.running or self._is_only_read)

    @property
    def _is_only_read(self) -> bool:
        return self.timeline.document is not None and not self.timeline.steps

    def rerun(self) -> Session:
        """Return a session that runs the program once more; the cursor goes to the beginning, answers stay."""
        session = self._again()
        self.runs.replace(session)
        self.study.reset_run()
        return self._start(session, None)

    def reload(self) -> Session:
        """Return a session that runs the file as it is now; it is shown by `show_reloaded`."""
        return self._again()

    def show_reloaded(self, session: Session) -> Result:
        """Show the run of the changed file, at the moment that the cursor had reached. Outcome: `reloaded`."""
        before, step = self.timeline, self._cursor
        cell = before.cell(step) if step else None
        target = counterpart(before, step, session.timeline) if step else 0
        if target is None:  # the statement is gone: go to the beginning of its cell
            target = next((info.start for info in session.timeline.cells if info.cell == cell), session.timeline.steps)
        self.study.remap_answers(before.document, session.timeline.document)
        self.runs.replace(session)
        self._arrival = None
        self._show(session)
        self.study.reset_run()
        self.study.furthest = target
        self.grew()
        self._set_cursor(target)
        return Result("reloaded", moved=True)

    def run_with_knobs(self, knobs: dict[str, str]) -> Session | None:
        """Return a session with these knobs; None if they are those of the run that is shown."""
        assert self.session is not None
        return None if knobs == self.session.command.knobs else self._change(knobs=knobs)

    def code_to_edit(self, number: int) -> str:
        """Return the code of a cell: as it was edited last, or as it ran."""
        assert self.session is not None
        edits = self.session.command.edits
        return self.drafts.get(number, edits.get(number, self.gate.original(number)))

    def run_edited(self, number: int, text: str) -> Session | None:
        """Return a session with an edited cell; None if its code is as it ran."""
        assert self.session is not None
        self.drafts.pop(number, None)
        before = self.session.command.edits
        edits = {**before, number: text}
        if text.rstrip() == self.gate.original(number).rstrip():
            del edits[number]
        return None if edits == before else self._change(edits=edits)

    @property
    def failed_cell(self) -> int | None:
        """The number of the cell that ended the run of a script or notebook of several cells by failing, else None."""
        cells, end = self.timeline.cells, self.timeline.run_end
        document = self.timeline.document
        several = document is not None and sum(cell.get("number") is not None for cell in document.cells) > 1
        failed = self.target.kind == "file" and several and end is not None and end.outcome == "failed"
        return cells[-1].cell if failed and cells else None

    def run_without_failed_cell(self) -> Session:
        """Return a session in which the cell that failed does not run."""
        assert self.session is not None
        assert self.failed_cell is not None
        return self._change(skip=[*self.session.command.skip, self.failed_cell])

    def _change(self, **changes: Any) -> Session:
        """Return a session with these fields of its command changed; the run that is shown becomes its ghost, or is
        dropped if it has not begun.

        The cursor goes to the moment at which it stands.
        """
        previous = self.runs.now
        assert previous is not None
        previous.cursor = step = self._cursor
        session = self._again(**changes)

        def find_moment() -> int | None:
            target = counterpart(previous.timeline, step, self.timeline)
            return self.timeline.steps if target is None and not self.running else target

        command = session.command
        self.runs.add(session, describe_changes(command.knobs, command.edits, command.skip))
        if self._is_only_read:
            self.runs.drop(previous)
            return self._start(session, None)
        return self._start(session, find_moment)

    def _again(self, **changes: Any) -> Session:
        assert self.session is not None
        session = self.session.again(**changes)
        self.sessions.append(session)
        return session

    def _start(self, session: Session, arrival: Callable[[], int | None] | None) -> Session:
        """Show a session that the front end starts; `arrival` returns the step to which the cursor will go."""
        self._arrival, self._cursor, self._opens_at_mark = arrival, 0, arrival is None
        self._show(session)
        return session

    def _show(self, session: Session) -> None:
        self.follow = False
        self._close_retry()
        self.session, self.timeline = session, session.timeline

    def walk(self, run: Run) -> Result:
        """Show another run, at the moment that the cursor has reached. Outcome: `walking`, with the run's name."""
        now = self.runs.now
        if run is now or now is None:
            return DONE
        now.cursor = self._cursor
        self.runs.show(run)
        moment = counterpart(now.timeline, now.cursor, run.timeline)
        self._show_at(run, run.cursor if moment is None else moment)
        return Result("walking", run.name, moved=True)

    def _show_at(self, run: Run, step: int) -> None:
        self._show(run.session)
        self.grew()
        self._set_cursor(step)

    # ------------------------------------------------------------ what the recording brings

    def grew(self) -> Result:
        """Take in what the recording has more of.

        Outcomes: those of `_check_exercises`; `back`, where the cursor went to where the learner left off; `arrived`,
        where it went to its moment in a new run; `asked`, where the program waits for a line: the cursor goes there,
        unless the learner walks.
        """
        self._adopt_document()
        self.study.check_answers(self.timeline)
        if self.waiting is not self._waiting:
            self._waiting = self.waiting
            if self._waiting is not None:
                return self._go_to_question()
        arrived, exercise = self._arrive(), self._check_exercises()
        moved = self._follow() or arrived.moved
        return replace(exercise if exercise.outcome else arrived, moved=moved)

    def _go_to_question(self) -> Result:
        """Move the cursor to where the program asks, from the beginning or where it asked before."""
        stands = self.follow or self._cursor in (0, self._asked_at, self.timeline.steps)
        moved = stands and self._set_cursor(self.timeline.steps)
        if stands:
            self._arrival, self._asked_at = None, self._cursor
        return Result("asked", moved=moved)

    def _arrive(self) -> Result:
        """Move the cursor to where it is to be in a new run, as soon as that is recorded."""
        resume = self.study.resume
        if self._cursor:  # the learner has moved already
            self._arrival, self.study.resume = None, 0
        elif self._arrival is not None:
            target = self._arrival()
            if target and (self.limit >= target or not self.running):
                self._arrival = None
                return Result("arrived", moved=self._set_cursor(target))
        elif resume and (self.limit >= resume or not self.running):
            self.study.resume = 0
            return Result("back", moved=self._set_cursor(resume))
        elif not resume and self._opens_at_mark:
            return Result(moved=self._set_cursor(next_breakpoint(self.timeline, 0) or 0))
        return DONE

    def ended(self, session: Session) -> Result:
        """Take in that a session has ended.

        Outcomes: `other`, where another one is shown; `ended`; `stopped`; `failed`, with the reason, where the cursor
        is not there; `refused`, with the reason, or `restored` where an earlier run is shown instead.
        """
        if session is not self.session:
            return Result("other")
        timeline, end = self.timeline, self.timeline.run_end
        if session.refused is not None:
            reason = session.refused.note
            return self._restore(reason) if len(self.runs.all) > 1 else Result("refused", reason)
        if end is None or end.outcome == "ok":
            return Result("ended")
        if end.outcome == "stopped":
            return Result("stopped")
        if self.target.kind == "file":
            self._show_failure()
        if len(self.runs.all) < 2 or self._cursor >= timeline.steps - 1:
            return Result("failed")
        failure = timeline.event(timeline.steps - 1)
        if isinstance(failure, Failed):
            return Result("failed", f"{failure.error}: {failure.message}")
        return Result("failed", describe_end(end))

    def _restore(self, reason: str) -> Result:
        """Return to the previous run after one that could not begin."""
        failed = self.runs.now
        assert failed is not None
        previous = self.runs.ghost or self.runs.all[0]
        self.runs.show(previous)
        self.runs.drop(failed)
        self._show_at(previous, previous.cursor)
        return Result("restored", reason, moved=True)
