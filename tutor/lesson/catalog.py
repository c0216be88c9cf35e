"""The lessons in a folder, in the order in which one learns.

What the learner meant by a TARGET: a path, a lesson's id or slug, or a part of an id."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tutor.i18n import _
from tutor.lesson import files, header
from tutor.lesson.model import FAMILIES, MISSING, Header, LessonError, closest_names, join_words
from tutor.text_width import cut


class DuplicateLessonError(LessonError):
    """Two files would be the same lesson."""


class Catalog(msgspec.Struct, frozen=True):
    """The lessons of a folder, and what is wrong with those that cannot be listed."""

    lessons: tuple[Header, ...]
    problems: tuple[LessonError, ...] = ()

    def get(self, lesson: str) -> Header | None:
        """The lesson with this id."""
        return next((header for header in self.lessons if header.id == lesson), None)


def load(folder: Path) -> Catalog:
    """The lessons in `<family>/<nn>-<slug>.py`; raises `LessonError` where there is no such folder.

    One bad file does not hide the others: it becomes one of the problems.
    """
    if not folder.exists():
        raise LessonError(_("there is no such folder of lessons."), path=str(folder), status=MISSING)
    if not folder.is_dir():
        raise LessonError(_("is no folder of lessons."), path=str(folder))
    lessons: dict[str, Header] = {}
    problems: list[LessonError] = []
    for path in _files(folder, problems):
        try:
            found = _one(path)
        except LessonError as error:
            problems.append(error)
            continue
        except Exception as error:  # whatever it is, one bad file does not hide the others
            why = str(error) or type(error).__name__
            problems.append(LessonError(_("cannot be read: {why}.", why=why), path=str(path), line=1))
            continue
        if found.id in lessons:
            what = _("is the lesson {id}, as {path} is.", id=found.id, path=lessons[found.id].path)
            problems.append(DuplicateLessonError(what, path=str(path), fix=_("Give one of them another name.")))
            continue
        lessons[found.id] = found
    return Catalog(tuple(lessons.values()), tuple(problems))


def _files(folder: Path, problems: list[LessonError]) -> list[Path]:
    """The lesson files in learning order. Never `__pycache__`: pip compiles what it installs."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        why = error.strerror or str(error)
        raise LessonError(_("cannot be read: {why}.", why=why), path=str(folder), status=MISSING) from None
    for each in entries:
        if each.suffix == ".py" and header.FILE_NAME.fullmatch(each.stem):
            what, fix = (
                _("stands in no family's folder."),
                _("Put it into one of {names}.", names=join_words(FAMILIES, "or")),
            )
            problems.append(LessonError(what, path=str(each), fix=fix))
        if each.is_dir() and each.name not in FAMILIES and any(each.glob("*.py")):
            what = _("`{name}` is no family of lessons.", name=each.name)
            problems.append(LessonError(what, path=str(each), fix=_("There is {names}.", names=join_words(FAMILIES))))
    found = [path for family in FAMILIES for path in (folder / family).glob("*.py")]
    return sorted(found, key=lambda path: (FAMILIES.index(path.parent.name), _order(path), path.name))


def _order(path: Path) -> int:
    match = header.FILE_NAME.fullmatch(path.stem)
    return int(match[1]) if match else 0


def _one(path: Path) -> Header:
    if not header.FILE_NAME.fullmatch(path.stem) or not path.stem.isprintable():  # it is to be typed, and is kept
        raise LessonError(_("is not named as a lesson is."), path=str(path), fix=_("For instance: 01-two-paths.py"))
    found = header.read(path)
    if found is None:
        raise LessonError(_("has no header, so it has no title."), path=str(path), line=1,
                          fix=_("A lesson begins with `# ---`, see CONTRIBUTING.md."))  # fmt: skip
    return found


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
    return _lesson(text, load(lessons).lessons)


def of_file(path: Path, lessons: Path) -> Target:
    """The target that this path is; raises `LessonError` where it is missing, or neither text nor a recording."""
    files.check(path)
    if path.suffix == TRACE_SUFFIX or _is_recording(path):
        return Target("trace", path, str(path))
    files.load(path)
    inside = lessons.is_dir() and path.resolve().is_relative_to(lessons.resolve())
    header = next((h for h in load(lessons).lessons if path.samefile(h.path)), None) if inside else None
    return Target("lesson", path, header.id) if header else Target("file", path, str(path))


def _lesson(text: str, headers: tuple[Header, ...]) -> Target:
    """The lesson that this names."""
    tests = (lambda h: h.id == text, lambda h: h.slug == text, lambda h: bool(text) and text.lower() in h.id)
    for test in tests:
        matching = [header for header in headers if test(header)]
        if len(matching) == 1:
            return Target("lesson", Path(matching[0].path), matching[0].id)
        if matching:
            ids = join_words([header.id for header in matching], "or")
            raise LessonError(_("`{text}` could be {ids}.", text=text, ids=ids), fix=_("Name one of them."))
    names = {name: header.id for header in headers for name in (header.slug, header.id)}
    near = list(dict.fromkeys(names[name] for name in closest_names(text, names, count=5)))[:3]
    shown = cut(text, 60)
    if not near and "/" in text and text.split("/")[0] not in FAMILIES:
        raise LessonError(_("there is no such file, and no such lesson."), path=text, status=MISSING)
    fix = _("Did you mean {names}?", names=join_words(near, "or")) if near else _("`gradtutor list` shows all lessons.")
    raise LessonError(_("there is no lesson `{shown}`.", shown=shown), fix=fix)


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
