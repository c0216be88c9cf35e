"""The lessons in a folder, and resolving a TARGET of the command line: a path, an id, a slug, or part of an id."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from itertools import pairwise
from pathlib import Path

import msgspec

from tutor.i18n import _
from tutor.lesson import files, header
from tutor.lesson.model import (
    MISSING,
    Header,
    LessonError,
    closest_names,
    family_place,
    is_family,
    join_words,
)
from tutor.text_width import cut


class DuplicateLessonError(LessonError):
    """Two files with the same lesson id."""


class Catalog(msgspec.Struct, frozen=True):
    """The lessons of a folder in learning order, and the errors of those that cannot be listed.

    The path comes first, in its order; then the side roads by family, in the order of their file names.
    """

    lessons: tuple[Header, ...]
    problems: tuple[LessonError, ...] = ()

    def get(self, lesson: str) -> Header | None:
        """Return the lesson with an id, or None."""
        return next((header for header in self.lessons if header.id == lesson), None)


def load(folder: Path) -> Catalog:
    """Read the headers of the lessons `<family>/<nn>-<slug>.py` in a folder. A bad file becomes one of the problems.

    Raises:
        LessonError: If there is no such folder.
    """
    if not folder.exists():
        raise LessonError(_("there is no such folder of lessons."), path=str(folder), status=MISSING)
    if not folder.is_dir():
        raise LessonError(_("is no folder of lessons."), path=str(folder))
    lessons: dict[str, Header] = {}
    problems: list[LessonError] = []
    for path in _files(folder, problems):
        try:
            lesson = _read_header(path)
        except LessonError as error:
            problems.append(error)
            continue
        except Exception as error:  # whatever it is, a bad file must not hide the others
            why = str(error) or type(error).__name__
            problems.append(LessonError(_("cannot be read: {why}.", why=why), path=str(path), line=1))
            continue
        if lesson.id in lessons:
            what = _("is the lesson {id}, as {path} is.", id=lesson.id, path=lessons[lesson.id].path)
            problems.append(DuplicateLessonError(what, path=str(path), fix=_("Give one of them another name.")))
            continue
        lessons[lesson.id] = lesson
    path_lessons = sorted((lesson for lesson in lessons.values() if lesson.order is not None), key=_place)
    side_roads = [lesson for lesson in lessons.values() if lesson.order is None]
    problems += _misnamed(path_lessons, lessons)
    return Catalog((*path_lessons, *side_roads), tuple(problems))


def first_number(lessons: Sequence[Header]) -> int:
    """Return the number of the first of these lessons on the path: 0 for the one to read before it, else 1."""
    return int(not lessons or lessons[0].order != 0)


def _place(lesson: Header) -> int:
    return lesson.order or 0


def _misnamed(path_lessons: list[Header], lessons: dict[str, Header]) -> list[LessonError]:
    """Return an error for each place on the path that is taken twice, and each alias that is another lesson's id."""
    problems: list[LessonError] = []
    for before, lesson in pairwise(path_lessons):
        if before.order == lesson.order:
            what = _("has the order {order} of {id}.", order=lesson.order, id=before.id)
            problems.append(LessonError(what, path=lesson.path, line=1, fix=_("Give one of them another place.")))
    for lesson in lessons.values():
        for alias in lesson.aliases:
            if alias in lessons:
                what = _("has the alias `{alias}`, which is the id of a lesson.", alias=alias)
                problems.append(LessonError(what, path=lesson.path, line=1))
    return problems


def _files(folder: Path, problems: list[LessonError]) -> list[Path]:
    """Return the lesson files in learning order, and add misplaced files to `problems`."""
    entries = list_folder(folder)
    for entry in entries:
        if is_named_as_lesson(entry):
            what = _("stands in no family's folder.")
            problems.append(LessonError(what, path=str(entry), fix=_("Put it into a folder, such as graph.")))
    paths = [path for entry in entries if entry.is_dir() and is_family(entry.name) for path in entry.glob("*.py")]
    return sorted(paths, key=lambda path: (family_place(path.parent.name), _order(path), path.name))


def list_folder(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted. Raises LessonError if it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        why = error.strerror or str(error)
        raise LessonError(_("cannot be read: {why}.", why=why), path=str(folder), status=MISSING) from None


def is_named_as_lesson(path: Path) -> bool:
    """Return whether a file is named `<nn>-<slug>.py`."""
    return path.suffix == ".py" and header.FILE_NAME.fullmatch(path.stem) is not None


def _order(path: Path) -> int:
    match = header.FILE_NAME.fullmatch(path.stem)
    return int(match[1]) if match else 0


def _read_header(path: Path) -> Header:
    if not header.FILE_NAME.fullmatch(path.stem) or not path.stem.isprintable():  # the name is typed and saved
        raise LessonError(_("is not named as a lesson is."), path=str(path), fix=_("For instance: 01-two-paths.py"))
    lesson_header = header.read(path)
    if lesson_header is None:
        raise LessonError(_("has no header, so it has no title."), path=str(path), line=1,
                          fix=_("A lesson begins with `# ---`, see CONTRIBUTING.md."))  # fmt: skip
    return lesson_header


TRACE_SUFFIX = ".trace"


class Target(msgspec.Struct, frozen=True):
    """A lesson, script or recording to open."""

    kind: str
    """lesson, file or trace."""
    path: Path
    name: str
    """Lesson id, or the path as typed by the learner."""
    aliases: tuple[str, ...] = ()
    """Ids under which the lesson's progress may have been stored before."""
    module: str = ""
    """The name of the module that it is run as, as by `python -m`."""
    typed: str = ""
    """The path of a script for its `sys.argv` (a `Path` loses `./`); empty: `path`."""
    args: tuple[str, ...] = ()
    """The script's own arguments."""

    def with_args(self, args: Sequence[str]) -> Target:
        """Return the target of the same script with arguments."""
        return msgspec.structs.replace(self, args=tuple(args))


def resolve(text: str, lessons: Path) -> Target:
    """Return what a TARGET means: an existing path, else a lesson by its id, its slug or a unique part of its id.

    An alias, or the slug of one, means the first lesson in learning order that has it.

    Raises:
        LessonError: With status `MISSING` if it looks like a path that does not exist, `WRONG` if it matches no
            lesson or several.
    """
    path = Path(text)
    if text and _exists(path):
        return of_file(text, lessons)
    if Path(text).suffix or "\\" in text:
        raise LessonError(_("there is no such file."), path=text, status=MISSING)
    return _find_lesson(text, load(lessons).lessons)


def of_file(text: str, lessons: Path) -> Target:
    """Return the target for a path as typed. Raises LessonError if it is missing, or neither text nor a recording."""
    path = Path(text)
    files.check(path)
    if path.suffix == TRACE_SUFFIX or _is_recording(path):
        return Target("trace", path, text)
    from tutor.lesson import notebooks

    if notebooks.is_notebook(path):
        notebooks.read(path)
        return Target("file", path, str(path))
    files.load(path)
    inside = lessons.is_dir() and path.resolve().is_relative_to(lessons.resolve())
    header = next((h for h in load(lessons).lessons if path.samefile(h.path)), None) if inside else None
    if header is not None:
        return Target("lesson", path, header.id, header.aliases)
    return Target("file", path, str(path), typed="" if text == str(path) else text)


def of_typed(text: str, lessons: Path) -> Target:
    """Return the target for a path that was typed, with the script's arguments after it, quoted as for a shell.

    Raises:
        LessonError: As `of_file`, or a quotation mark is left open.
    """
    path = os.path.expanduser(text)
    if _exists(Path(path)):
        return of_file(path, lessons)
    try:
        words = shlex.split(text)
    except ValueError:
        raise LessonError(_("a quotation mark is not closed."), path=text) from None
    target = of_file(os.path.expanduser(words[0]), lessons)
    if target.kind == "trace" and len(words) > 1:
        name, args = target.path.name, " ".join(words[1:])
        raise LessonError(_("{name} takes no arguments: {words}.", name=name, words=args))
    return target.with_args(words[1:])


def of_module(name: str) -> Target:
    """Return the target for what `python -m` would run, found without running any of its code.

    Raises:
        LessonError: There is no such module, or it has no source.
    """
    spec = _find_module(name)
    if spec is not None and spec.submodule_search_locations is not None:
        package, spec = name, _find_module(f"{name}.__main__")
        if spec is None:
            what = _("`{package}` is a package without __main__.py, so it cannot be run.", package=package)
            raise LessonError(what, fix=_("Name a module in it."))
    if spec is None:
        fix = _("-m looks in this folder and where Python's modules are.")
        if name.endswith(".py"):
            fix = _("-m wants the name of a module: without it, a path is a file's.")
        raise LessonError(_("there is no module `{name}`.", name=name), fix=fix, status=MISSING)
    if not spec.has_location or not str(spec.origin).endswith(".py"):
        raise LessonError(_("`{name}` has no Python source.", name=name))
    path = Path(str(spec.origin))
    with contextlib.suppress(OSError, ValueError):
        path = path.relative_to(Path.cwd())
    files.load(path)
    return Target("file", path, str(path), module=name)


def _find_module(name: str) -> ModuleSpec | None:
    """Return where a module is, searching as Python would when it is started in this folder."""
    places: Iterable[str] | None = [os.getcwd(), *sys.path]
    spec = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        if places is None or not parts[end - 1]:
            return None
        searched, whole, last = list(places), ".".join(parts[:end]), parts[end - 1]
        # For a folder without __init__.py a whole name would need its package among the imported modules.
        names = ((finder, last if finder is PathFinder else whole) for finder in sys.meta_path)
        specs = (finder.find_spec(name, searched) for finder, name in names)
        spec = next((spec for spec in specs if spec is not None), None)
        places = None if spec is None else spec.submodule_search_locations
    return spec


def lesson_target(header: Header) -> Target:
    """Return the target of a lesson that was listed."""
    return Target("lesson", Path(header.path), header.id, header.aliases)


def _find_lesson(text: str, headers: tuple[Header, ...]) -> Target:
    """Return the lesson that a text names. Raises LessonError if there is none, or several."""
    tests: tuple[tuple[Callable[[Header], bool], bool], ...] = (
        (lambda h: h.id == text, False),
        (lambda h: h.slug == text, False),
        (lambda h: any(text in (alias, alias.rpartition("/")[2]) for alias in h.aliases), True),
        (lambda h: bool(text) and text.lower() in h.id, False),
    )
    for test, first_wins in tests:
        matching = [header for header in headers if test(header)]
        if len(matching) == 1 or (matching and first_wins):
            return lesson_target(matching[0])
        if matching:
            ids = join_words([header.id for header in matching], "or")
            raise LessonError(_("`{text}` could be {ids}.", text=text, ids=ids), fix=_("Name one of them."))
    names = {name: header.id for header in headers for name in (header.slug, header.id)}
    suggestions = list(dict.fromkeys(names[name] for name in closest_names(text, names, count=5)))[:3]
    short = cut(text, 60)
    if not suggestions and "/" in text and text.split("/")[0] not in {header.family for header in headers}:
        raise LessonError(_("there is no such file, and no such lesson."), path=text, status=MISSING)
    fix = _("`gradtutor list` shows all lessons.")
    if suggestions:
        fix = _("Did you mean {names}?", names=join_words(suggestions, "or"))
    raise LessonError(_("there is no lesson `{shown}`.", shown=short), fix=fix)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long for the system, or with a zero byte
        return False


def _is_recording(path: Path) -> bool:
    """Return whether a file begins like a recording, whatever its name."""
    from tutor.trace.tracefile import MAGIC

    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False
