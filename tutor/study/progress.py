"""What the learner has done, one small file per lesson, so that two gradtutors at once lose nothing.

A write goes to a temporary file first, which then takes the old one's place; before it, the file is read again and
the two are merged, so that done stays done. Progress is a convenience: no failure here stops a lesson. What is no
regular file in a progress file's place is neither read, which might never end, nor replaced; a link is followed.

What the learner has done with a lesson: answers given, how far it was walked; kept from one time to the next."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from tutor import paths
from tutor.i18n import _
from tutor.lesson import answers
from tutor.study.flow import Gate
from tutor.trace import events as ev
from tutor.trace.timeline import Timeline

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target


class Given(msgspec.Struct, frozen=True):
    """An answer that was given to a question; `right` is None where it was skipped."""

    answer: str
    right: bool | None


class Progress(msgspec.Struct):
    """How far one lesson has come."""

    lesson: str
    begun: bool = False
    done: bool = False
    step: int = 0
    """The last step that was on the screen."""
    steps: int = 0
    """How many there were; 0 where that is not known."""
    answers: dict[int, Given] = {}
    """By the question's cell (its index in the lesson)."""
    attempts: dict[str, str] = {}
    """The learner's own code for exercises, by their ids."""
    solved: set[str] = set()
    hints: dict[str, int] = {}
    """How many hints of an exercise were asked for."""
    opened: set[str] = set()
    """Exercises whose solution was asked for."""

    @property
    def right(self) -> int:
        """How many questions were answered right; each can be answered once."""
        return sum(given.right is True for given in self.answers.values())

    @property
    def resume(self) -> int:
        """The step to go on from; 0 for the beginning."""
        return self.step if self.begun and not self.done and self.step > 1 else 0

    @property
    def mark(self) -> str:
        """done, begun or new."""
        return "done" if self.done else "begun" if self.begun else "new"


class Store:
    """The progress files of a folder. Nothing here raises: `notice` says, once, why something was not kept."""

    unkept: ClassVar[str | None] = None
    """Why this process could not keep something, in any store: to be told at its end."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder: Path | None
        try:
            self.folder = folder if folder is not None else paths.progress_dir()
        except RuntimeError:  # a user whom the system does not know, and HOME is not set
            self.folder = None
        self.notice: str | None = None

    def load(self, lesson: str) -> Progress:
        """The progress of a lesson; a fresh one where there is none or its file cannot be read."""
        try:
            found = msgspec.json.decode(_read(self._path(lesson)), type=Progress)
        except FileNotFoundError:
            return Progress(lesson)
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            self.notice = _("The progress of {lesson} cannot be read: {why}.", lesson=lesson, why=_reason(error))
            return Progress(lesson)
        return found if found.lesson == lesson else Progress(lesson)

    def load_all(self, lessons: Iterable[str]) -> dict[str, Progress]:
        """The progress of these lessons; those never begun are fresh."""
        return {lesson: self.load(lesson) for lesson in lessons}

    def save(self, progress: Progress) -> bool:
        """Merges with what another gradtutor may have written meanwhile, and writes; False where that failed."""
        try:
            path = self._path(progress.lesson)
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path.parent):
                _replace(path, _encoded(merge(self.load(progress.lesson), progress)))
        except (OSError, ValueError) as error:
            self.notice = Store.unkept = _("Progress is not kept: {why}.", why=_reason(error))
            return False
        return True

    def reset(self, lesson: str) -> bool:
        """Forgets all of a lesson; False where that failed."""
        try:
            self._path(lesson).unlink()
        except FileNotFoundError:
            return True
        except (OSError, ValueError) as error:
            self.notice = _("The progress of {lesson} is kept: {why}.", lesson=lesson, why=_reason(error))
            return False
        return True

    def _path(self, lesson: str) -> Path:
        if self.folder is None:
            raise FileNotFoundError(_("there is no home folder"))
        return self.folder / (re.sub(r"[^\w.-]", "_", lesson.replace("/", "__")) + ".json")


def merge(old: Progress, new: Progress) -> Progress:
    """Begun and done stay so, the step is the newer one, and a right answer is not lost to a wrong one."""
    answers = dict(old.answers)
    for cell, given in new.answers.items():
        if not (cell in answers and answers[cell].right and not given.right):
            answers[cell] = given
    hints = {name: max(old.hints.get(name, 0), new.hints.get(name, 0)) for name in old.hints | new.hints}
    return Progress(
        new.lesson, old.begun or new.begun, old.done or new.done, new.step, new.steps or old.steps, answers,
        old.attempts | new.attempts, old.solved | new.solved, hints, old.opened | new.opened,
    )  # fmt: skip


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Between reading and writing no other gradtutor writes, where the system and its disk have locks."""
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


def _encoded(progress: Progress) -> bytes:
    """As it is written; half of a character, which UTF-8 has no bytes for, becomes a question mark."""
    try:
        return msgspec.json.encode(progress)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(progress, str_keys=True), ensure_ascii=False).encode(errors="replace")


def _read(path: Path) -> bytes:
    """What is in a file. Opening it never waits for somebody who writes into a FIFO."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _NotRegularError(path)
        with open(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def _replace(path: Path, data: bytes) -> None:
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
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


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
            pass  # REORG: import dropped

            self._store = store or Store()
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
