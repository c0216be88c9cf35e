"""The lessons in a folder, in the order in which one learns."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tutor.i18n import _
from tutor.lesson import header
from tutor.lesson.errors import MISSING, LessonError, listed
from tutor.lesson.model import FAMILIES, Header


class TwiceError(LessonError):
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
            problems.append(TwiceError(what, path=str(path), mend=_("Give one of them another name.")))
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
            what, mend = (
                _("stands in no family's folder."),
                _("Put it into one of {names}.", names=listed(FAMILIES, "or")),
            )
            problems.append(LessonError(what, path=str(each), mend=mend))
        if each.is_dir() and each.name not in FAMILIES and any(each.glob("*.py")):
            what = _("`{name}` is no family of lessons.", name=each.name)
            problems.append(LessonError(what, path=str(each), mend=_("There is {names}.", names=listed(FAMILIES))))
    found = [path for family in FAMILIES for path in (folder / family).glob("*.py")]
    return sorted(found, key=lambda path: (FAMILIES.index(path.parent.name), _order(path), path.name))


def _order(path: Path) -> int:
    match = header.FILE_NAME.fullmatch(path.stem)
    return int(match[1]) if match else 0


def _one(path: Path) -> Header:
    if not header.FILE_NAME.fullmatch(path.stem) or not path.stem.isprintable():  # it is to be typed, and is kept
        raise LessonError(_("is not named as a lesson is."), path=str(path), mend=_("For instance: 01-two-paths.py"))
    found = header.read(path)
    if found is None:
        raise LessonError(_("has no header, so it has no title."), path=str(path), line=1,
                          mend=_("A lesson begins with `# ---`, see CONTRIBUTING.md."))  # fmt: skip
    return found
