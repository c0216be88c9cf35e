"""Checks lessons, several at a time.

`gradtutor check`: a line for each thing that is wrong, then a summary."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from json import dumps
from pathlib import Path
from typing import TextIO

import msgspec

from tutor.check import dynamic, static
from tutor.check.runner import Runner
from tutor.check.static import Finding
from tutor.i18n import _, ngettext
from tutor.lesson import catalog, files
from tutor.lesson.model import FAMILIES, MISSING, LessonError
from tutor.session.worker_process import StartError

AT_A_TIME = 2


def check(path: Path, runner: Runner) -> list[Finding]:
    """All that is wrong with the lesson in this file, in the order of its lines."""
    lesson, found = static.read(path)
    if lesson is not None:
        found += dynamic.check(lesson, runner)
    return sorted(found, key=lambda finding: finding.line)


def check_all(paths: list[Path], tell: Callable[[Path, list[Finding]], None]) -> None:
    """Checks these files; `tell` is given the findings of each, in order."""
    runners: list[Runner] = []
    own = threading.local()

    def one(path: Path) -> list[Finding]:
        if not hasattr(own, "runner"):
            own.runner = Runner()
            runners.append(own.runner)
        return check(path, own.runner)

    try:
        with ThreadPoolExecutor(min(AT_A_TIME, len(paths)) or 1) as pool:
            try:
                checked = pool.map(one, paths)
            except RuntimeError as error:  # there can be no more threads
                raise LessonError(str(StartError(error)), status=MISSING) from None
            for path, found in zip(paths, checked, strict=True):
                tell(path, found)
    finally:
        for runner in runners:
            runner.close()


def lesson_files(path: Path) -> tuple[list[Path], list[Finding]]:
    """The lesson files that a path means, and what is wrong with the folder; raises LessonError where it is missing."""
    if not path.is_dir():
        files.check(path)
        return [path], []
    if not any((path / family).is_dir() for family in FAMILIES):
        return _must(sorted(path.glob("*.py")), path), []
    found = sorted((file for family in FAMILIES for file in (path / family).glob("*.py")), key=_place)
    # What is wrong inside a file is found when it is read.
    problems = [
        problem
        for problem in catalog.load(path).problems
        if Path(problem.path) not in found or isinstance(problem, catalog.DuplicateLessonError)
    ]
    return _must(found, path), [_finding(problem) for problem in problems]


def _place(path: Path) -> tuple[int, str]:
    return FAMILIES.index(path.parent.name), path.name


def _must(found: list[Path], path: Path) -> list[Path]:
    if not found:
        raise LessonError(
            _("there is no lesson in this folder."), path=str(path), fix=_("A lesson is <family>/<nn>-<slug>.py.")
        )
    return found


def _finding(error: LessonError) -> Finding:
    return Finding(error.path, error.line or 1, error.what, error.fix)


def summary(lessons: int, findings: Iterable[Finding]) -> str:
    """How it went, in a line."""
    found = list(findings)
    wrong = [finding for finding in found if not finding.warning]
    lesson_files = len({finding.path for finding in wrong})
    checked = ngettext("{count} lesson checked", "{count} lessons checked", lessons)
    warned = len(found) - len(wrong)
    warnings = ngettext(" {count} warning.", " {count} warnings.", warned) if warned else ""
    if not wrong:
        return _("{checked}, nothing wrong.{warnings}", checked=checked, warnings=warnings)
    if lesson_files == 1:
        return ngettext(
            "{checked}: {count} thing is wrong.{warnings}",
            "{checked}: {count} things are wrong.{warnings}",
            len(wrong),
            checked=checked,
            warnings=warnings,
        )
    return _(
        "{checked}: {count} things are wrong in {files} files.{warnings}",
        checked=checked,
        count=len(wrong),
        files=lesson_files,
        warnings=warnings,
    )


def write(paths: list[Path], out: TextIO, *, json: bool) -> bool:
    """Checks what these paths mean; whether nothing is wrong. Raises LessonError for a path that is not there."""
    lessons: list[Path] = []
    found: list[Finding] = []
    for path in paths:
        more, problems = lesson_files(path)
        lessons += [file for file in more if file not in lessons]
        found += problems

    def tell(_: Path, findings: list[Finding]) -> None:
        found.extend(findings)
        for finding in () if json else findings:
            out.write(f"{finding}\n")
        out.flush()

    for finding in () if json else found:
        out.write(f"{finding}\n")
    check_all(lessons, tell)
    if json:
        listed = [msgspec.to_builtins(finding) for finding in found]
        out.write(dumps({"lessons": len(lessons), "findings": listed}) + "\n")  # a path need not be UTF-8
    else:
        out.write(summary(len(lessons), found) + "\n")
    return all(finding.warning for finding in found)
