"""A learner's progress: answers, attempts at exercises, and the step reached; one small JSON file per lesson.

Before a file is written it is read again and the two are merged, so that two processes lose nothing; the new file
replaces the old one atomically. No failure here stops a lesson. What is no regular file in a progress file's place is
neither read, which might block, nor replaced; a link is followed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from tutor import paths
from tutor.i18n import _
from tutor.lesson import answers
from tutor.study import old_answers
from tutor.study.flow import Exercise, Gate, Question, question_keys
from tutor.study.retries import Retry, next_try
from tutor.trace import events as ev

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.lesson.model import Header
    from tutor.trace.timeline import Timeline


class GivenAnswer(msgspec.Struct, frozen=True):
    """An answer to a question; `right` is None if the question was skipped."""

    answer: str
    right: bool | None
    run: str = ""
    """What the run that it was given in answered, as it would be typed; empty if unknown."""
    last_line: int | None = None
    """As `events.Answer.last_line`."""
    again: bool = False
    """Whether a later try, with other numbers, was right."""


class Progress(msgspec.Struct):
    """The progress of one lesson, as it is stored."""

    lesson: str
    begun: bool = False
    done: bool = False
    step: int = 0
    """The last step shown."""
    steps: int = 0
    """The number of steps of the run; 0 if unknown."""
    answers: dict[str, GivenAnswer] = {}
    """Answers by the key of the question (`Gate.keys`)."""
    attempts: dict[str, str] = {}
    """The learner's code by exercise id."""
    solved: set[str] = set()
    """Ids of the exercises whose check has passed."""
    hints: dict[str, int] = {}
    """The number of hints shown, by exercise id."""
    opened: set[str] = set()
    """Ids of the exercises whose solution was shown."""

    @property
    def right(self) -> int:
        """The number of questions answered right."""
        return sum(answer.right is True for answer in self.answers.values())

    @property
    def resume(self) -> int:
        """The step to continue from; 0 for the beginning."""
        return self.step if self.begun and not self.done and self.step > 1 else 0

    @property
    def mark(self) -> str:
        """One of done, begun and new."""
        return "done" if self.done else "begun" if self.begun else "new"


class Store:
    """The progress files of a folder. Its methods never raise: `notice` says why something was not saved."""

    unkept: ClassVar[str | None] = None
    """Why this process could not save something, in any store; shown when it ends."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder: Path | None
        try:
            self.folder = folder if folder is not None else paths.progress_dir()
        except RuntimeError:  # a user whom the system does not know, and HOME is not set
            self.folder = None
        self.notice: str | None = None

    def load(self, lesson: str, aliases: Iterable[str] = ()) -> Progress:
        """Return the progress of a lesson; an empty one if there is none or its file cannot be read.

        Without a file it is what is known of the lesson by its `aliases`: of a longer lesson that it was a part of, the
        answers to its own questions and the exercises. The step is not taken over.
        """
        progress = self._read_file(lesson)
        if progress is not None:
            progress.answers = old_answers.renamed(progress.answers, lesson, lesson)
            return progress
        for alias in aliases:
            old = self._read_file(alias)
            if old is not None:
                answers = old_answers.renamed(old.answers, lesson, alias)
                return Progress(lesson, old.begun, old.done, answers=answers, attempts=old.attempts, solved=old.solved,
                                hints=old.hints, opened=old.opened)  # fmt: skip
        return Progress(lesson)

    def _read_file(self, lesson: str) -> Progress | None:
        """Return what the file of a lesson holds; None if there is none or it cannot be read."""
        try:
            progress = msgspec.json.decode(_read(self._path(lesson)), type=Progress)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            self.notice = _("The progress of {lesson} cannot be read: {why}.", lesson=lesson, why=_reason(error))
            return None
        return progress if progress.lesson == lesson else None

    def load_all(self, lessons: Iterable[Header]) -> dict[str, Progress]:
        """Return the progress of these lessons by id."""
        return {lesson.id: self.load(lesson.id, lesson.aliases) for lesson in lessons}

    def save(self, progress: Progress) -> bool:
        """Merge with the file, which another process may have written, and write it. Return False on failure."""
        try:
            path = self._path(progress.lesson)
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path.parent):
                _replace(path, _encode(merge(self.load(progress.lesson), progress)))
        except (OSError, ValueError) as error:
            self.notice = Store.unkept = _("Progress is not kept: {why}.", why=_reason(error))
            return False
        return True

    def reset(self, lesson: str, aliases: Iterable[str] = ()) -> bool:
        """Delete the progress of a lesson. Return False on failure.

        What other parts of a longer lesson have by an alias stays: then an empty file says that this part has none.
        """
        try:
            if any(self._path(alias).exists() for alias in aliases):
                _replace(self._path(lesson), _encode(Progress(lesson)))
            else:
                self._path(lesson).unlink()
        except FileNotFoundError:
            return True
        except (OSError, ValueError) as error:
            self.notice = _("The progress of {lesson} is kept: {why}.", lesson=lesson, why=_reason(error))
            return False
        return True

    def _path(self, lesson: str) -> Path:
        """Return the path of a lesson's file; raise FileNotFoundError without a home folder."""
        if self.folder is None:
            raise FileNotFoundError(_("there is no home folder"))
        return self.folder / (re.sub(r"[^\w.-]", "_", lesson.replace("/", "__")) + ".json")


def merge(old: Progress, new: Progress) -> Progress:
    """Merge two states of a lesson's progress.

    Begun and done stay, the step is the newer one, and a right answer is not replaced by a wrong one.
    """
    answers = dict(old.answers)
    for cell, answer in new.answers.items():
        if not (cell in answers and answers[cell].right and not answer.right):
            answers[cell] = answer
    hints = {name: max(old.hints.get(name, 0), new.hints.get(name, 0)) for name in old.hints | new.hints}
    return Progress(
        new.lesson, old.begun or new.begun, old.done or new.done, new.step, new.steps or old.steps, answers,
        old.attempts | new.attempts, old.solved | new.solved, hints, old.opened | new.opened,
    )  # fmt: skip


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes while the block runs, if the system supports locks."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class _NotRegularError(OSError):
    """A FIFO, a folder or a device where a file should be."""

    def __init__(self, path: Path) -> None:
        super().__init__(_("{path} is no regular file", path=path))


def _encode(progress: Progress) -> bytes:
    """Encode to JSON; an unpaired surrogate, which UTF-8 cannot encode, becomes a question mark."""
    try:
        return msgspec.json.encode(progress)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(progress, str_keys=True), ensure_ascii=False).encode(errors="replace")


def _read(path: Path) -> bytes:
    """Return the content of a regular file. Opening never blocks, as it would on a FIFO."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _NotRegularError(path)
        with open(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def _replace(path: Path, data: bytes) -> None:
    """Write a file atomically: to a temporary file first, which replaces the old one. A link is followed."""
    path = Path(os.path.realpath(path))
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _NotRegularError(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _reason(error: Any) -> str:
    """Return the text of an error, without its number."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


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
    """Whether this run has reached the exercise's check."""


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

    def exercise_status(self, exercise: Exercise, timeline: Timeline) -> ExerciseStatus:
        """Return how far the learner is with an exercise."""
        from tutor.explain import describe_check_failure  # the list of lessons opens without explanations

        progress, document = self.progress, self.gate.document
        cell = {} if document is None else document.cells[exercise.index]
        result = self.gate.attempt_result(timeline, exercise)
        solved, starter = exercise.id in progress.solved, self.gate.original(exercise.number)
        return ExerciseStatus(
            kind=str((cell.get("attributes") or {}).get("kind", "")),
            solved=solved,
            tried=progress.attempts.get(exercise.id, starter) != starter,
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
