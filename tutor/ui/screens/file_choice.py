"""Opening a file whose path was typed: a script with its arguments, a notebook or a recording."""

from __future__ import annotations

from pathlib import Path

from tutor.lesson import catalog
from tutor.lesson.model import LessonError
from tutor.ui.panes.base import TargetChosen
from tutor.ui.render.segments import Row, clean, styled


class FileChoice:
    """The file whose path is typed.

    Args:
        lessons: The folder of the lessons.
        key: The key that asks for the path.

    Attributes:
        typed: What was typed last: a path, and after it the arguments of a script.
    """

    def __init__(self, lessons: Path, key: str) -> None:
        self._lessons = lessons
        self._key = key
        self.typed = ""

    def choose(self, typed: str) -> TargetChosen | Row:
        """Return the message that opens what was typed, or the row that says why it cannot be opened; it is empty where
        nothing was typed."""
        self.typed = typed.strip()
        if not self.typed:
            return ()
        from tutor.trace import tracefile

        try:
            target = catalog.of_typed(self.typed, self._lessons)
            timeline = tracefile.load(target.path) if target.kind == "trace" else None
        except (LessonError, tracefile.TraceError, OSError, ValueError) as error:
            path = str(getattr(error, "path", None) or self.typed)
            why = str(error).replace(path, Path(path).name)  # the folder is known, and would leave no room
            return ((f"{clean(why)}  ", "error"), *styled("{o} corrects it", o=(self._key, "key")))
        return TargetChosen(target, timeline)
