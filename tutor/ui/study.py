"""What the learner has done with a lesson: answers given, how far it was walked; kept from one time to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutor.lesson import answers
from tutor.progress import Given, Progress
from tutor.trace import events as ev
from tutor.trace.timeline import Timeline
from tutor.ui.gate import Gate

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.progress import Store


class Study:
    """Answers and progress of one lesson; for a script or a recording nothing is kept."""

    def __init__(self, target: Target, gate: Gate, store: Store | None = None) -> None:
        self.gate = gate
        self.given: dict[int, tuple[str, bool | None]] = {}
        """By question: the text of the answer (empty: skipped), and whether it is right (None: not known yet)."""
        self.resume = 0
        """The step where the learner left the lesson; 0 where there is none to go on from."""
        self.came: dict[int, int | None] = {}
        """By question: where in this run the value asked for came from, once looked for."""
        self.furthest = 0
        """The furthest step that was on the screen."""
        self.kept = Progress(target.name)
        """What is kept of this lesson; for a script it is forgotten at the end."""
        self._store: Store | None = None
        if target.kind == "lesson":
            from tutor.progress import Store as Kept

            self._store = store or Kept()
            self.kept = self._store.load(target.name)
            self.resume = self.kept.resume

    def enter(self, gate: Gate) -> None:
        """The questions are known: those answered at an earlier time are settled."""
        self.gate = gate
        indices = {question.index for question in gate.questions}
        for index, given in self.kept.answers.items():
            if index in indices:
                self.given.setdefault(index, (given.answer, given.right))
        gate.settled.update(index for index in self.given if index in indices)

    def answer(self, index: int, text: str, timeline: Timeline) -> None:
        """Take an answer. Raises `answers.AnswerError` where it is none."""
        question = next(one for one in self.gate.questions if one.index == index)
        answers.read(text, question.kind, question.options, question.lines)
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
                self.given[index] = (text, _right(text, found[1]))
                self._keep()

    def reached(self, step: int, timeline: Timeline, running: bool) -> None:
        """A step was on the screen: the first begins the lesson, the last of a run that ended well is its end."""
        self.furthest = max(self.furthest, step)
        if self._store is None or not step:
            return
        end = timeline.run_end
        ended = not running and step == timeline.steps and end is not None and end.outcome == "ok"
        solved = all(one.id in self.kept.solved | self.kept.opened for one in self.gate.exercises.values())
        done = ended and self.gate.question is None and solved
        self.kept.steps = 0 if running else timeline.steps
        if not self.kept.begun or (done and not self.kept.done):
            self._keep(begun=True, done=done)

    def tried(self, exercise: str, code: str) -> None:
        """The learner has run their own code for an exercise."""
        self.kept.attempts[exercise] = code
        self._keep()

    def solved(self, exercise: str) -> None:
        """Its check has passed."""
        if exercise not in self.kept.solved:
            self.kept.solved.add(exercise)
            self._keep()

    def hint(self, exercise: str, count: int) -> None:
        """So many hints were asked for."""
        self.kept.hints[exercise] = count
        self._keep()

    def open_solution(self, exercise: str) -> None:
        """The solution was asked for."""
        self.kept.opened.add(exercise)
        self._keep()

    def renumber(self, before: ev.Document | None, now: ev.Document | None) -> None:
        """The lesson's file has changed: answers stay with their questions, and the run says anew which are right."""
        place = _moved(before, now)
        self.given = {place[index]: (text, None) for index, (text, _) in self.given.items() if index in place}
        kept = self.kept.answers
        self.kept.answers = {place[index]: given for index, given in kept.items() if index in place}

    def begin_again(self) -> None:
        """Another run of the same: answers stay, what the run gave is to be seen anew."""
        self.furthest = self.resume = 0
        self.came = {}

    @property
    def done(self) -> bool:
        """Whether the lesson has been walked to its end."""
        return self._store is not None and self.kept.done

    def leave(self, step: int) -> None:
        """The lesson is closed at this step."""
        if self.furthest:
            self.kept.step = step
            self._keep()

    @property
    def notice(self) -> str | None:
        """Why progress is not kept, if it is not."""
        return None if self._store is None else self._store.notice

    def _keep(self, begun: bool = False, done: bool = False) -> None:
        if self._store is None:
            return
        self.kept.begun |= begun
        self.kept.done |= done
        for index, (text, right) in self.given.items():
            if right is not None or not text:
                self.kept.answers[index] = Given(text, right)
        self._store.save(self.kept)


def _right(text: str, run: ev.Answer) -> bool:
    from tutor.trace.values import to_json

    try:
        given = answers.parse(text)
        if run.last_line is not None:  # a line of the statement is meant, whichever
            return isinstance(given, int) and run.value <= given <= run.last_line
        return answers.matches(given, to_json(run.value, "float32"))
    except answers.AnswerError:
        return False


def _moved(before: ev.Document | None, now: ev.Document | None) -> dict[int, int]:
    """By the index of a question's cell: the one that the same question has in the file as it is now."""
    asked = [
        [
            (index, (cell.get("question"), cell.get("of")))
            for index, cell in enumerate(document.cells if document else ())
        ]
        for document in (before, now)
    ]
    questions = [[(index, what) for index, what in cells if what[0] is not None] for cells in asked]
    place: dict[int, int] = {}
    for index, what in questions[0]:
        found = next((new for new, same in questions[1] if same == what and new not in place.values()), None)
        if found is not None:
            place[index] = found
    return place
