"""Opening a file whose path was typed: a script with its arguments, a notebook or a recording."""

from __future__ import annotations

from pathlib import Path

from tutor.lesson import catalog
from tutor.lesson.model import LessonError
from tutor.ui.panes.base import TargetChosen


def choose_file(typed: str, lessons: Path) -> TargetChosen | str:
    """Return the message that opens what was typed, or in one line why it cannot be opened.

    Args:
        typed: A path, and after it the arguments of a script.
        lessons: The folder of the lessons.
    """
    from tutor.trace import tracefile

    try:
        target = catalog.of_typed(typed, lessons)
        timeline = tracefile.load(target.path) if target.kind == "trace" else None
    except (LessonError, tracefile.TraceError, OSError, ValueError) as error:
        path = getattr(error, "path", None) or typed
        return str(error).replace(str(path), Path(str(path)).name)  # the folder is known, and would leave no room
    return TargetChosen(target, timeline)
