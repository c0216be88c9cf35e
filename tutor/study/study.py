"""One lesson as it is walked: its answers, judged by the run in which they were given, and its exercises."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tutor.lesson import answers
from tutor.study.flow import Exercise, Gate, Question, question_keys
from tutor.study.progress import GivenAnswer, Progress, Store
from tutor.study.retries import Retry, next_try
from tutor.trace import events as ev

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.trace.timeline import Timeline


@dataclass(frozen=True)
class ExerciseStatus:
    """The learner's progress in an exercise."""

    kind: str
    """`fill` or `bug`."""
    solved: bool
    tried: bool
    problem: str
    """Message of the failed check; empty if it passed or has not run."""
    hints: int
    """Number of hints shown."""
    hint_count: int
    """Number of hints the lesson has."""
    solution: str
    """The lesson's solution, if it may be seen."""
    ran: bool
    """Whether this run has reached the exercise's check, with the code as it is now."""


class Study:
    """The answers and progress of one lesson. Nothing is saved for a script or a recording."""

    def __init__(self, target: Target, gate: Gate, store: Store | None = None, ask_all: bool = False) -> None:
        self.gate = gate
        self.answers: dict[int, tuple[str, bool | None]] = {}
        """The answer's text (empty: skipped) and whether it is right (None: not known yet), by question index."""
        self.judged: dict[int, ev.Answer] = {}
        """By question index: what the run in which the learner answered it gave, as soon as that is known."""
        self._given_in: dict[int, Timeline] = {}
        """By question index: that run."""
        self.retries: dict[int, Retry] = {}
        """By question index: its last try with other numbers."""
        self._right_again: set[int] = set()
        """Indices of the questions of which such a try was right."""
        self.resume = 0
        """The step at which the learner left the lesson; 0 for the beginning."""
        self.answer_origins: dict[int, int | None] = {}
        """The step of this run that the value asked for came from, by question index, once searched for."""
        self.furthest = 0
        """The furthest step shown."""
        self.progress = Progress(target.name)
        """The progress of this lesson; that of a script is never saved."""
        self._store: Store | None = None
        if target.kind == "lesson":
            self._store = store or Store()
            if not ask_all:
                self.progress = self._store.load(target.name, target.aliases)
            self.resume = self.progress.resume

    def settle_answers(self, gate: Gate) -> None:
        """Take over the gate of a run and settle the questions that were answered at an earlier time."""
        self.gate = gate
        indices = {question.index for question in gate.questions}
        for index in indices:
            saved = self.progress.answers
            answer = saved.get(gate.keys[index]) or saved.get(str(index))
            if answer is not None and index not in self.answers:
                self.answers[index] = answer.answer, answer.right
                self._right_again |= {index} if answer.again else set()
                if answer.run:
                    self._restore_judged(index, answer)
        gate.settled.update(index for index in self.answers if index in indices)

    def answer(self, index: int, text: str, timeline: Timeline) -> None:
        """Record an answer.

        Raises:
            answers.AnswerError: The text is no answer to this question.
        """
        question = self._question(index)
        answers.read(text, question.kind, question.options, question.lines)
        self.answers[index] = (text.strip(), None)
        self._given_in[index] = timeline
        self.gate.settled.add(index)
        self.check_answers(timeline)
        self._save()

    def skip(self, index: int) -> None:
        """Skip a question."""
        self.answers[index] = ("", None)
        self.gate.settled.add(index)
        self._save()

    def check_answers(self, timeline: Timeline) -> None:
        """Mark answers right or wrong where the run that they were given in has given its own.

        An answer counts for the run that is shown, if its own has ended without one.
        """
        for index, (text, right) in list(self.answers.items()):
            if not text or right is not None:
                continue
            given_in = self._given_in.get(index, timeline)
            result = self.gate.run_answer(given_in, index)
            if result is None and given_in.run_end is not None and given_in is not timeline:
                self._given_in[index] = timeline
                result = self.gate.run_answer(timeline, index)
            if result is not None and result[1].error is None:
                self.judged[index] = result[1]
                self.answers[index] = (text, _is_right(text, result[1]))
                self._save()

    def diagnosis(self, index: int, timeline: Timeline) -> int | None:
        """Return the index of the cell that explains a wrong answer to the question at an index; None if none does."""
        text, right = self.answers.get(index, ("", None))
        given_in = self._given_in.get(index, timeline)
        result = self.gate.run_answer(given_in, index)
        if right is not False or result is None or self.differs(index, result[1]):
            return None
        return self._explained(self._question(index), text, given_in)

    def retry_diagnosis(self, retry: Retry) -> int | None:
        """Return the index of the cell that explains a wrong answer of a later try; None if none does."""
        if retry.right is not False or retry.timeline is None:
            return None
        return self._explained(retry.question, retry.typed, retry.timeline)

    def _explained(self, question: Question, text: str, timeline: Timeline) -> int | None:
        for cell in question.diagnoses:
            explained = self.gate.run_answer(timeline, cell)
            if explained is not None and explained[1].error is None and _is_right(text, explained[1]):
                return cell
        return None

    def next_verdict(self, timeline: Timeline, cursor: int) -> int | None:
        """Return the next step at which an answer of this walk is judged and that was not shown yet; None if there is
        none.
        """
        given = [index for index, (text, _right) in self.answers.items() if text and index in self._given_in]
        results = [result for index in given if (result := self.gate.run_answer(timeline, index)) is not None]
        ahead = min((step for step, _answer in results if step > max(cursor, self.furthest)), default=None)
        if ahead is None or ahead == timeline.steps or timeline.kind(ahead) == "cell_end":
            return ahead
        return ahead + 1

    def _question(self, index: int) -> Question:
        return next(question for question in self.gate.questions if question.index == index)

    # ------------------------------------------------------------ the same question with other numbers

    def next_retry(self, index: int) -> Retry | None:
        """Return the next try of a question that was answered wrong; None if it cannot be asked again."""
        if self.answers.get(index, ("", None))[1] is not False or index in self._right_again:
            return None
        return next_try(self._question(index), self.retries.get(index))

    def answer_retry(self, retry: Retry, text: str) -> None:
        """Record the answer of a later try.

        Raises:
            answers.AnswerError: The text is no answer.
        """
        answers.parse(text)
        retry.typed = text.strip()
        self.judge_retry(retry)

    def judge_retry(self, retry: Retry) -> None:
        """Mark a later try right or wrong, if its run has come to the answer."""
        if retry.timeline is None or not retry.typed or retry.right is not None:
            return
        result = self.gate.run_answer(retry.timeline, retry.question.index)
        if result is not None and result[1].error is None:
            retry.run, retry.right = result[1], _is_right(retry.typed, result[1])
            if retry.right:
                self._right_again.add(retry.question.index)
                self._save()

    def _restore_judged(self, index: int, answer: GivenAnswer) -> None:
        """Take over what the run of an earlier time gave."""
        with contextlib.suppress(answers.AnswerError):
            self.judged[index] = ev.Answer(index, answers.parse(answer.run), last_line=answer.last_line)

    def differs(self, index: int, answer: ev.Answer) -> bool:
        """Return whether a run gives something else than the run in which the learner answered a question."""
        judged = self.judged.get(index)
        return judged is not None and answers.format_answer(judged.value) != answers.format_answer(answer.value)

    def answer_origin(self, index: int, timeline: Timeline) -> int | None:
        """Return the step that gave a question's expression its value; None where none is found."""
        from tutor.explain.expressions import answering_step, last_change_step

        origins, result = self.answer_origins, self.gate.run_answer(timeline, index)
        if index not in origins and result is not None:
            step, event = result
            origins[index] = (
                last_change_step(timeline, self._question(index).of, step)
                if event.last_line is None
                else answering_step(timeline, event)
            )
        return origins.get(index)

    def record_step(self, step: int, timeline: Timeline, running: bool, can_try: bool) -> None:
        """Record that a step was shown: the first begins the lesson, the last of a run that ended well completes it.

        Where exercises cannot be tried (`can_try`), they need not be solved for that.
        """
        self.furthest = max(self.furthest, step)
        if self._store is None or not step:
            return
        end = timeline.run_end
        ended = not running and step == timeline.steps and end is not None and end.outcome == "ok"
        solved = not can_try or all(map(self.is_settled, self.gate.exercises.values()))
        done = ended and self.gate.question is None and solved
        self.progress.steps = 0 if running else timeline.steps
        if not self.progress.begun or (done and not self.progress.done):
            self._save(begun=True, done=done)

    def exercise_status(self, exercise: Exercise, timeline: Timeline, code: str | None = None) -> ExerciseStatus:
        """Return how far the learner is with an exercise.

        Args:
            exercise: The exercise.
            timeline: The run.
            code: What ran of it there; None if that is unknown. Its check says nothing of other code.
        """
        from tutor.explain import describe_check_failure  # the list of lessons opens without explanations

        progress, document = self.progress, self.gate.document
        cell = {} if document is None else document.cells[exercise.index]
        result = self.gate.attempt_result(timeline, exercise)
        solved, starter = exercise.id in progress.solved, self.gate.original(exercise.number)
        attempt = progress.attempts.get(exercise.id, starter)
        if code not in (None, attempt):
            result = None
        return ExerciseStatus(
            kind=str((cell.get("attributes") or {}).get("kind", "")),
            solved=solved,
            tried=exercise.id in progress.attempts,
            problem="" if result is None or result.ok else describe_check_failure(result),
            hints=progress.hints.get(exercise.id, 0),
            hint_count=len(exercise.hints),
            solution=exercise.solution if solved or exercise.id in progress.opened else "",
            ran=result is not None,
        )

    def is_settled(self, exercise: Exercise) -> bool:
        """Return whether an exercise is solved, or its solution was shown."""
        return exercise.id in self.progress.solved | self.progress.opened

    def record_attempt(self, exercise: str, code: str) -> None:
        """Record the learner's code for an exercise."""
        self.progress.attempts[exercise] = code
        self._save()

    def record_solved(self, exercise: str) -> None:
        """Record that the check of an exercise has passed."""
        if exercise not in self.progress.solved:
            self.progress.solved.add(exercise)
            self._save()

    def record_hints(self, exercise: str, count: int) -> None:
        """Record the number of hints shown."""
        self.progress.hints[exercise] = count
        self._save()

    def open_solution(self, exercise: str) -> None:
        """Record that the solution was shown."""
        self.progress.opened.add(exercise)
        self._save()

    def remap_answers(self, before: ev.Document | None, now: ev.Document | None) -> None:
        """Move the answers to the new indices of their questions after the lesson's file has changed."""
        new_index = _new_indices(before, now)
        self.answers = {
            new_index[index]: (text, None) for index, (text, _) in self.answers.items() if index in new_index
        }
        self.judged, self._given_in, self.retries, self._right_again = {}, {}, {}, set()

    def reset_run(self) -> None:
        """Prepare for another run of the same lesson: answers stay."""
        self.furthest = self.resume = 0
        self.answer_origins = {}

    @property
    def done(self) -> bool:
        """Whether the lesson has been walked to its end."""
        return self._store is not None and self.progress.done

    def save_position(self, step: int) -> None:
        """Record the step at which the lesson is closed."""
        if self.furthest:
            self.progress.step = step
            self._save()

    @property
    def notice(self) -> str | None:
        """Why progress is not saved; None if it is."""
        return None if self._store is None else self._store.notice

    def _save(self, begun: bool = False, done: bool = False) -> None:
        """Save the progress with the answers that are settled."""
        if self._store is None:
            return
        self.progress.begun |= begun
        self.progress.done |= done
        for index, (text, right) in self.answers.items():
            if right is not None or not text:
                self.progress.answers[self.gate.keys[index]] = self._given(index, text, right)
        self._store.save(self.progress)

    def _given(self, index: int, text: str, right: bool | None) -> GivenAnswer:
        """Return an answer as it is stored."""
        judged = self.judged.get(index)
        again = index in self._right_again
        if judged is None:
            return GivenAnswer(text, right, again=again)
        return GivenAnswer(text, right, answers.format_answer(judged.value), judged.last_line, again)


def agrees(answer: Any, run: ev.Answer) -> bool:
    """Return whether an answer is what the run gives."""
    from tutor.trace.values import to_json

    if run.last_line is not None:  # a line of the statement is meant, whichever
        return answers.matches_line(answer, run.value, run.last_line)
    return answers.matches(answer, to_json(run.value, "float32"))


def _is_right(text: str, run: ev.Answer) -> bool:
    """Return whether a text answers a question as the run did."""
    try:
        return agrees(answers.parse(text), run)
    except answers.AnswerError:
        return False


def _new_indices(before: ev.Document | None, now: ev.Document | None) -> dict[int, int]:
    """Return the new index of each question's cell, by its old one, where the file still has the question."""
    old, new = (question_keys(document.cells if document else []) for document in (before, now))
    index_of = {key: index for index, key in new.items()}
    return {index: index_of[key] for index, key in old.items() if key in index_of}
