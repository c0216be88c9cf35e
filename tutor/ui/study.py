"""What the learner has done with a lesson: answers given, how far it was walked; kept from one time to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tutor.lesson import answers
from tutor.trace.timeline import Timeline
from tutor.ui.gate import Gate

if TYPE_CHECKING:
    from tutor.lesson.find import Target
    from tutor.progress import Progress, Store


class Study:
    """Answers and progress of one lesson; for a script or a recording nothing is kept."""

    def __init__(self, target: Target, gate: Gate, store: Store | None = None) -> None:
        self.gate = gate
        self.given: dict[int, tuple[str, bool | None]] = {}
        """By question: the text of the answer (empty: skipped), and whether it is right (None: not known yet)."""
        self.resume = 0
        """The step where the learner left the lesson; 0 where there is none to go on from."""
        self.furthest = 0
        """The furthest step that was on the screen."""
        self._store: Store | None = None
        self._progress: Progress | None = None
        if target.kind == "lesson":
            from tutor.progress import Store as Kept

            self._store = store or Kept()
            self._progress = self._store.load(target.name)
            self.resume = self._progress.resume

    def enter(self, gate: Gate) -> None:
        """The questions are known: those answered at an earlier time are settled."""
        self.gate = gate
        indices = {question.index for question in gate.questions}
        for index, given in (self._progress.answers if self._progress is not None else {}).items():
            if index in indices:
                self.given.setdefault(index, (given.answer, given.right))
        gate.settled.update(index for index in self.given if index in indices)

    def answer(self, index: int, text: str, timeline: Timeline) -> None:
        """Take an answer. Raises `answers.AnswerError` where it is none."""
        answers.parse(text)
        self.given[index] = (text.strip(), None)
        self.gate.settled.add(index)
        self.compare(timeline)
        self._keep()

    def skip(self, index: int) -> None:
        """No answer; what it hid is open."""
        self.given[index] = ("", None)
        self.gate.settled.add(index)
        self._keep()

    def compare(self, timeline: Timeline) -> None:
        """Tell right from wrong where the run has given its answer meanwhile."""
        for index, (text, right) in list(self.given.items()):
            if not text or right is not None:
                continue
            found = self.gate.answer_of(timeline, index)
            if found is not None and found[1].error is None:
                self.given[index] = (text, _matches(text, found[1].value))
                self._keep()

    def reached(self, step: int, timeline: Timeline, running: bool) -> None:
        """A step was on the screen: the first begins the lesson, the last of a run that ended well is its end."""
        self.furthest = max(self.furthest, step)
        if self._progress is None or not step:
            return
        end = timeline.run_end
        ended = not running and step == timeline.steps and end is not None and end.outcome == "ok"
        done = ended and self.gate.question is None
        self._progress.steps = 0 if running else timeline.steps
        if not self._progress.begun or (done and not self._progress.done):
            self._keep(begun=True, done=done)

    def begin_again(self) -> None:
        """Another run of the same: answers stay, what the run gave is to be seen anew."""
        self.furthest = self.resume = 0

    @property
    def done(self) -> bool:
        """Whether the lesson has been walked to its end."""
        return self._progress is not None and self._progress.done

    def leave(self, step: int) -> None:
        """The lesson is closed at this step."""
        if self._progress is not None and self.furthest:
            self._progress.step = step
            self._keep()

    @property
    def notice(self) -> str | None:
        """Why progress is not kept, if it is not."""
        return None if self._store is None else self._store.notice

    def _keep(self, begun: bool = False, done: bool = False) -> None:
        if self._store is None or self._progress is None:
            return
        from tutor.progress import Given

        self._progress.begun |= begun
        self._progress.done |= done
        for index, (text, right) in self.given.items():
            if right is not None or not text:
                self._progress.answers[index] = Given(text, right)
        self._store.save(self._progress)


def _matches(text: str, run: Any) -> bool:
    from tutor.trace.values import to_json

    try:
        return answers.matches(answers.parse(text), to_json(run, "float32"))
    except answers.AnswerError:
        return False
