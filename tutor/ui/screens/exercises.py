"""Exercises: trying one's own code, hints one at a time, and the solution on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutor.explain import problem
from tutor.i18n import N_, _
from tutor.study.flow import Exercise
from tutor.ui.panes.lesson import Standing, outcome
from tutor.ui.render.segments import phrase

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen


class Exercising:
    """The keys `H` and `S`, and `e` where the cell is an exercise."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._opening = ""
        """The exercise whose solution would be shown if asked once more."""
        self._trying: Exercise | None = None
        """Whose outcome is to be told when the run has ended."""

    @property
    def here(self) -> Exercise | None:
        """The exercise that is to be read or done now."""
        return self.screen.gate.exercise_at(self.screen.timeline, self.screen.cursor)

    def standing(self, exercise: Exercise) -> Standing:
        """How the learner stands with it."""
        screen = self.screen
        kept, document = screen.study.progress, screen.timeline.document
        cell = {} if document is None else document.cells[exercise.index]
        checked = screen.gate.attempt_result(screen.timeline, exercise)
        solved, starter = exercise.id in kept.solved, self.starter(exercise)
        return Standing(
            str((cell.get("attributes") or {}).get("kind", "")), solved,
            kept.attempts.get(exercise.id, starter) != starter,
            "" if checked is None or checked.ok else problem(checked), kept.hints.get(exercise.id, 0),
            len(exercise.hints), exercise.solution if solved or exercise.id in kept.opened else "", checked is not None,
        )  # fmt: skip

    # ------------------------------------------------------------ trying

    def starter(self, exercise: Exercise) -> str:
        """The code as the lesson has it."""
        return self.screen.whatif.original(exercise.number)

    def edit(self, exercise: Exercise) -> None:
        """Change its code, and try it."""
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
            self._trying = exercise
            attempts = {**screen.session.command.attempts, exercise.id: text}
            screen.runner.try_again(attempts, exercise.number)
            screen.say((_("your code runs …"), "quiet"))

    def arrived(self) -> None:
        """More is recorded: a check may have passed or failed."""
        screen = self.screen
        kept = screen.study.progress
        screen.gate.unsolved = {
            one.number for one in screen.gate.exercises.values() if one.id not in kept.solved | kept.opened
        }
        for exercise in screen.gate.exercises.values():
            checked = screen.gate.attempt_result(screen.timeline, exercise)
            if checked is not None and checked.ok and exercise.id in screen.study.progress.attempts:
                screen.study.record_solved(exercise.id)
                screen.gate.unsolved.discard(exercise.number)
            if checked is not None and self._trying is not None and self._trying.id == exercise.id and screen.cursor:
                self._trying = None
                screen.lesson.look("exercise")
                self._tell(exercise, checked.ok)

    def _tell(self, exercise: Exercise, ok: bool) -> None:
        g, standing = self.screen.explain.glyphs, self.standing(exercise)
        if ok and exercise.number == self.screen.gate.sections[-1].number:
            self.screen.notice = ()  # the end of the lesson says what comes next
        elif ok:
            on = phrase("walk on with {arrow}", arrow=(g.arrow, "key"))
            self.screen.say((f"{g.yes} {_('solved')}", "leaf strong"), (f" {g.dot} ", "quiet"), *on)
        else:
            self.screen.say(*outcome(standing, g))

    # ------------------------------------------------------------ help

    def hint(self) -> None:
        """The next hint."""
        screen, exercise = self.screen, self.here
        if exercise is None:
            screen.say((_("hints belong to exercises"), "quiet"))
            return
        count = screen.study.progress.hints.get(exercise.id, 0)
        if count >= len(exercise.hints):
            screen.say(*phrase("there is no other hint: {s} shows the solution", s=("S", "key")))
            return
        screen.study.record_hints(exercise.id, count + 1)
        self._look()

    def solution(self) -> None:
        """The solution: at once where it is solved, else at the second time."""
        screen, exercise = self.screen, self.here
        if exercise is None:
            screen.say((_("solutions belong to exercises"), "quiet"))
            return
        if exercise.id not in screen.study.progress.solved and self._opening != exercise.id:
            self._opening = exercise.id
            text = N_("{s} once more shows the solution")
            if screen.study.progress.hints.get(exercise.id, 0) < len(exercise.hints):
                text = N_("{s} once more shows the solution; {h} gives a hint")
            screen.say(*phrase(text, s=("S", "key"), h=("H", "key")))
            return
        screen.study.open_solution(exercise.id)
        screen.gate.unsolved.discard(exercise.number)
        self._look()

    def _look(self) -> None:
        """The lesson pane comes into view, at its end."""
        screen = self.screen
        screen.places.bring("lesson")
        screen.shown, screen.notice = None, ()
        screen.lesson.look("end")
        screen.soon()
