"""The lessons in a folder, in the order in which one learns."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tutor.lesson import header
from tutor.lesson.errors import MISSING, LessonError, listed
from tutor.lesson.model import FAMILIES, Header


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
        raise LessonError("there is no such folder of lessons.", path=str(folder), status=MISSING)
    if not folder.is_dir():
        raise LessonError("is no folder of lessons.", path=str(folder))
    lessons: dict[str, Header] = {}
    problems: list[LessonError] = []
    for path in _files(folder, problems):
        try:
            found = _one(path)
        except LessonError as error:
            problems.append(error)
            continue
        if found.id in lessons:
            what = f"is the lesson {found.id}, as {lessons[found.id].path} is."
            problems.append(LessonError(what, path=str(path), mend="Give one of them another name."))
            continue
        lessons[found.id] = found
    return Catalog(tuple(lessons.values()), tuple(problems))


def _files(folder: Path, problems: list[LessonError]) -> list[Path]:
    """The lesson files in learning order. Never `__pycache__`: pip compiles what it installs."""
    for each in sorted(folder.iterdir()):
        if each.suffix == ".py" and header.FILE_NAME.fullmatch(each.stem):
            what, mend = "stands in no family's folder.", f"Put it into one of {listed(FAMILIES, 'or')}."
            problems.append(LessonError(what, path=str(each), mend=mend))
        if each.is_dir() and each.name not in FAMILIES and any(each.glob("*.py")):
            what = f"`{each.name}` is no family of lessons."
            problems.append(LessonError(what, path=str(each), mend=f"There is {listed(FAMILIES)}."))
    found = [path for family in FAMILIES for path in (folder / family).glob("*.py")]
    return sorted(found, key=lambda path: (FAMILIES.index(path.parent.name), _order(path), path.name))


def _order(path: Path) -> int:
    match = header.FILE_NAME.fullmatch(path.stem)
    return int(match[1]) if match else 0


def _one(path: Path) -> Header:
    if not header.FILE_NAME.fullmatch(path.stem):
        raise LessonError("is not named as a lesson is.", path=str(path), mend="For instance: 01-two-paths.py")
    found = header.read(path)
    if found is None:
        raise LessonError("has no header, so it has no title.", path=str(path), line=1,
                          mend="A lesson begins with `# ---`, see CONTRIBUTING.md.")  # fmt: skip
    return found
