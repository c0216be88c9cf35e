"""What the learner meant by a TARGET: a path, a lesson's id or slug, or a part of an id."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tutor.i18n import _
from tutor.lesson import catalog, source
from tutor.lesson.errors import MISSING, LessonError, listed, nearest
from tutor.lesson.model import FAMILIES, Header
from tutor.text_width import cut

TRACE_SUFFIX = ".trace"


class Target(msgspec.Struct, frozen=True):
    """What is to be walked."""

    kind: str
    """lesson, file or trace."""
    path: Path
    name: str
    """A lesson's id, or the path as the learner gave it."""


def resolve(text: str, lessons: Path) -> Target:
    """An existing path first, then an exact id, an exact slug, a unique part of an id.

    Raises `LessonError`: with status 3 where what looks like a path is not there, 2 where a name matches no lesson
    or several.
    """
    path = Path(text)
    if text and _exists(path):
        return of_file(path, lessons)
    if Path(text).suffix or "\\" in text:
        raise LessonError(_("there is no such file."), path=text, status=MISSING)
    return _lesson(text, catalog.load(lessons).lessons)


def of_file(path: Path, lessons: Path) -> Target:
    """The target that this path is; raises `LessonError` where it is missing, or neither text nor a recording."""
    source.check(path)
    if path.suffix == TRACE_SUFFIX or _is_recording(path):
        return Target("trace", path, str(path))
    source.load(path)
    inside = lessons.is_dir() and path.resolve().is_relative_to(lessons.resolve())
    header = next((h for h in catalog.load(lessons).lessons if path.samefile(h.path)), None) if inside else None
    return Target("lesson", path, header.id) if header else Target("file", path, str(path))


def _lesson(text: str, headers: tuple[Header, ...]) -> Target:
    """The lesson that this names."""
    tests = (lambda h: h.id == text, lambda h: h.slug == text, lambda h: bool(text) and text.lower() in h.id)
    for test in tests:
        matching = [header for header in headers if test(header)]
        if len(matching) == 1:
            return Target("lesson", Path(matching[0].path), matching[0].id)
        if matching:
            ids = listed([header.id for header in matching], "or")
            raise LessonError(_("`{text}` could be {ids}.", text=text, ids=ids), mend=_("Name one of them."))
    names = {name: header.id for header in headers for name in (header.slug, header.id)}
    near = list(dict.fromkeys(names[name] for name in nearest(text, names, count=5)))[:3]
    shown = cut(text, 60)
    if not near and "/" in text and text.split("/")[0] not in FAMILIES:
        raise LessonError(_("there is no such file, and no such lesson."), path=text, status=MISSING)
    mend = _("Did you mean {names}?", names=listed(near, "or")) if near else _("`gradtutor list` shows all lessons.")
    raise LessonError(_("there is no lesson `{shown}`.", shown=shown), mend=mend)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long for the system, or with a zero byte
        return False


def _is_recording(path: Path) -> bool:
    """Whether the file begins as recordings do, whatever it is called."""
    from tutor.trace.tracefile import MAGIC

    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False
