"""The way through the lessons: which one is next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tutor.lesson import catalog
from tutor.lesson.model import Header, LessonError
from tutor.study.progress import Store

OWN_SCRIPT = "start/your-own-script"
"""The lesson that leads from the lessons to the learner's own code: the last lesson of each family leads to it."""
_DEVICES = ("/dev/nvidiactl", "/dev/dxg")
"""Device files that exist where CUDA does. Asking CUDA itself takes a second, and needs torch."""


def missing_device(lesson: Header) -> str:
    """Return what the lesson needs and this machine lacks; empty if nothing."""
    if "cuda" in lesson.needs and not any(Path(device).exists() for device in _DEVICES):
        return "CUDA"
    return ""


def next_lesson(lessons: Sequence[Header], marks: Mapping[str, str]) -> Header | None:
    """Return the lesson to do next: the first one begun; where a whole family is done, the one about the learner's own
    script; else the first one not done. None if all are done.

    Args:
        lessons: In learning order.
        marks: By lesson: new, begun or done.
    """
    todo = [lesson for lesson in lessons if marks.get(lesson.id, "new") != "done" and not missing_device(lesson)]
    begun = next((lesson for lesson in todo if marks.get(lesson.id) == "begun"), None)
    if begun is None and {lesson.family for lesson in lessons} - {lesson.family for lesson in todo}:
        begun = next((lesson for lesson in todo if lesson.id == OWN_SCRIPT), None)
    return begun or next(iter(todo), None)


def lesson_after(folder: Path, lesson: str) -> Header | None:
    """Return the lesson to go on with after this one.

    The last lesson of a family leads to the one about the learner's own script until that is done. On the path the next
    one follows. A side road and the end of the path lead back to the first lesson of the path that is not done; where
    there is none, to the next lesson in the list.
    """
    try:
        lessons = catalog.load(folder).lessons
    except LessonError:
        return None
    place = next((place for place, header in enumerate(lessons) if header.id == lesson), None)
    if place is None:
        return None
    following = lessons[place + 1] if place + 1 < len(lessons) else None
    store = Store()

    def is_open(header: Header) -> bool:
        return header.id != lesson and not store.load(header.id, header.aliases).done

    if all(header.family != lessons[place].family for header in lessons[place + 1 :]):
        own_script = next((header for header in lessons if header.id == OWN_SCRIPT and is_open(header)), None)
        if own_script is not None:
            return own_script
    if lessons[place].order is not None and following is not None and following.order is not None:
        return following
    path = (header for header in lessons if header.order is not None)
    return next(filter(is_open, path), following)
