"""A learner's progress: answers, attempts at exercises, and the step reached; one small JSON file per lesson.

Before a file is written it is read again and the two are merged, so that two processes lose nothing; the new file
replaces the old one atomically. No failure here stops a lesson. What is no regular file in a progress file's place is
neither read, which might block, nor replaced; a link is followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec

from tutor import paths
from tutor.i18n import _
from tutor.study import old_answers
from tutor.study.kept_files import locked, read, reason, replace

if TYPE_CHECKING:
    from tutor.lesson.model import Header


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
            progress = msgspec.json.decode(read(self._path(lesson)), type=Progress)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            self.notice = _("The progress of {lesson} cannot be read: {why}.", lesson=lesson, why=reason(error))
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
            with locked(path.parent):
                replace(path, _encode(merge(self.load(progress.lesson), progress)))
        except (OSError, ValueError) as error:
            self.notice = Store.unkept = _("Progress is not kept: {why}.", why=reason(error))
            return False
        return True

    def reset(self, lesson: str, aliases: Iterable[str] = ()) -> bool:
        """Delete the progress of a lesson. Return False on failure.

        What other parts of a longer lesson have by an alias stays: then an empty file says that this part has none.
        """
        try:
            if any(self._path(alias).exists() for alias in aliases):
                replace(self._path(lesson), _encode(Progress(lesson)))
            else:
                self._path(lesson).unlink()
        except FileNotFoundError:
            return True
        except (OSError, ValueError) as error:
            self.notice = _("The progress of {lesson} is kept: {why}.", lesson=lesson, why=reason(error))
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


def _encode(progress: Progress) -> bytes:
    """Encode to JSON; an unpaired surrogate, which UTF-8 cannot encode, becomes a question mark."""
    try:
        return msgspec.json.encode(progress)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(progress, str_keys=True), ensure_ascii=False).encode(errors="replace")
