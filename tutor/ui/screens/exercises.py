"""Exercises on the lesson screen: trying code, hints one at a time, and the solution on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutor.explain import describe_check_failure
from tutor.i18n import N_, _
from tutor.study.flow import Exercise
from tutor.ui.panes.lesson import ExerciseStatus, exercise_outcome
from tutor.ui.render.segments import styled

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen


class Exercises:
    """The keys `H` and `S`, and `e` in the cell of an exercise."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._solution_asked = ""
        """The id of the exercise whose solution appears when the key is pressed again."""
        self._running_exercise: Exercise | None = None
        """The exercise that runs now, and whose outcome is to be shown."""

    @property
    def here(self) -> Exercise | None:
        """The exercise at the cursor, if there is one."""
        return self.screen.gate.exercise_at(self.screen.timeline, self.screen.cursor)

    def standing(self, exercise: Exercise) -> ExerciseStatus:
        """Return how far the learner is with an exercise."""
        screen = self.screen
        progress, document = screen.study.progress, screen.timeline.document
        cell = {} if document is None else document.cells[exercise.index]
        checked = screen.gate.attempt_result(screen.timeline, exercise)
        solved, starter = exercise.id in progress.solved, self.starter(exercise)
        return ExerciseStatus(
            str((cell.get("attributes") or {}).get("kind", "")), solved,
            progress.attempts.get(exercise.id, starter) != starter,
            "" if checked is None or checked.ok else describe_check_failure(checked),
            progress.hints.get(exercise.id, 0), len(exercise.hints),
            exercise.solution if solved or exercise.id in progress.opened else "",
            checked is not None,
        )  # fmt: skip

    # ------------------------------------------------------------ trying

    def starter(self, exercise: Exercise) -> str:
        """Return the code of the lesson."""
        return self.screen.whatif.original(exercise.number)

    def edit(self, exercise: Exercise) -> None:
        """Open the editor with the learner's code."""
        from tutor.ui.screens.editor import Editor

        screen = self.screen
        starter = self.starter(exercise)
        text = screen.study.progress.attempts.get(exercise.id, starter)
        standing = self.standing(exercise)
        problem = standing.problem if standing.tried else ""
        screen.player.pause()
        screen.app.push_screen(
            Editor(_("exercise {name}", name=exercise.id), text, starter, problem),
            lambda done: self._edited(exercise, done),
        )

    def _edited(self, exercise: Exercise, done: tuple[str, bool] | None) -> None:
        screen = self.screen
        if done is None or screen.session is None:
            return
        text, run = done
        screen.study.record_attempt(exercise.id, text)
        if run:
            self._running_exercise = exercise
            attempts = {**screen.session.command.attempts, exercise.id: text}
            screen.runner.try_again(attempts, exercise.number)
            screen.say((_("your code runs …"), "quiet"))

    def recording_grew(self) -> None:
        """Handle a growing recording: a check may have passed or failed."""
        screen = self.screen
        progress = screen.study.progress
        screen.gate.unsolved = {
            exercise.number
            for exercise in screen.gate.exercises.values()
            if exercise.id not in progress.solved | progress.opened
        }
        for exercise in screen.gate.exercises.values():
            checked = screen.gate.attempt_result(screen.timeline, exercise)
            if checked is not None and checked.ok and exercise.id in screen.study.progress.attempts:
                screen.study.record_solved(exercise.id)
                screen.gate.unsolved.discard(exercise.number)
            running = self._running_exercise
            if checked is not None and running is not None and running.id == exercise.id and screen.cursor:
                self._running_exercise = None
                screen.lesson.keep_in_view("exercise")
                self._show_outcome(exercise, checked.ok)

    def _show_outcome(self, exercise: Exercise, ok: bool) -> None:
        glyphs, standing = self.screen.explain.glyphs, self.standing(exercise)
        if ok and exercise.number == self.screen.gate.sections[-1].number:
            self.screen.notice = ()  # the explanation says what comes next
        elif ok:
            hint = styled("walk on with {arrow}", arrow=(glyphs.arrow, "key"))
            self.screen.say((f"{glyphs.yes} {_('solved')}", "leaf strong"), (f" {glyphs.dot} ", "quiet"), *hint)
        else:
            self.screen.say(*exercise_outcome(standing, glyphs))

    # ------------------------------------------------------------ help

    def hint(self) -> None:
        """Show the next hint."""
        screen, exercise = self.screen, self.here
        if exercise is None:
            screen.say((_("hints belong to exercises"), "quiet"))
            return
        count = screen.study.progress.hints.get(exercise.id, 0)
        if count >= len(exercise.hints):
            screen.say(*styled("there is no other hint: {s} shows the solution", s=("S", "key")))
            return
        screen.study.record_hints(exercise.id, count + 1)
        self._show_lesson_end()

    def solution(self) -> None:
        """Show the solution: at once if the exercise is solved, otherwise when asked twice."""
        screen, exercise = self.screen, self.here
        if exercise is None:
            screen.say((_("solutions belong to exercises"), "quiet"))
            return
        if exercise.id not in screen.study.progress.solved and self._solution_asked != exercise.id:
            self._solution_asked = exercise.id
            text = N_("{s} once more shows the solution")
            if screen.study.progress.hints.get(exercise.id, 0) < len(exercise.hints):
                text = N_("{s} once more shows the solution; {h} gives a hint")
            screen.say(*styled(text, s=("S", "key"), h=("H", "key")))
            return
        screen.study.open_solution(exercise.id)
        screen.gate.unsolved.discard(exercise.number)
        self._show_lesson_end()

    def _show_lesson_end(self) -> None:
        """Show the end of the lesson pane."""
        screen = self.screen
        screen.pane_layout.show_pane("lesson")
        screen.shown, screen.notice = None, ()
        screen.lesson.keep_in_view("end")
        screen.update_soon()
