"""The way through the lessons: which one is next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from tutor.lesson import catalog
from tutor.lesson.model import Header, LessonError
from tutor.study.progress import Store

_DEVICES = ("/dev/nvidiactl", "/dev/dxg")
"""Device files that exist where CUDA does. Asking CUDA itself takes a second, and needs torch."""


def missing_device(lesson: Header) -> str:
    """Return what the lesson needs and this machine lacks; empty if nothing."""
    if "cuda" in lesson.needs and not any(Path(device).exists() for device in _DEVICES):
        return "CUDA"
    return ""


def next_lesson(lessons: Sequence[Header], marks: Mapping[str, str]) -> Header | None:
    """Return the lesson to do next: the first one begun, else the first one not done; None if all are done.

    Args:
        lessons: In learning order.
        marks: By lesson: new, begun or done.
    """
    for mark in ("begun", "new"):
        for lesson in lessons:
            if marks.get(lesson.id, "new") == mark and not missing_device(lesson):
                return lesson
    return None


def lesson_after(folder: Path, lesson: str) -> Header | None:
    """Return the lesson to go on with after this one.

    On the path it is the next one. A side road leads back to the first lesson of the path that is not done; where there
    is none, and after the end of the path, it is the next lesson in the list.
    """
    try:
        lessons = catalog.load(folder).lessons
    except LessonError:
        return None
    following = next((after for before, after in pairwise(lessons) if before.id == lesson), None)
    if any(header.id == lesson and header.order is None for header in lessons):
        store = Store()
        path = (header for header in lessons if header.order is not None)
        return next((header for header in path if not store.load(header.id, header.aliases).done), following)
    return following
