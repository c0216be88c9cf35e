"""Check lesson files, several at a time, and report the findings: `gradtutor check`."""

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
from tutor.check.static import Finding, to_finding
from tutor.i18n import _, ngettext
from tutor.lesson import catalog, files
from tutor.lesson.model import MISSING, LessonError, family_place, is_family
from tutor.session.worker_process import StartError

WORKERS = 2


def check_file(path: Path, runner: Runner) -> list[Finding]:
    """Return the findings of a lesson file, by line."""
    lesson, findings = static.check_text(path)
    if lesson is not None:
        findings += dynamic.check_run(lesson, runner)
    return sorted(findings, key=lambda finding: finding.line)


def check_all(paths: list[Path], on_checked: Callable[[Path, list[Finding]], None]) -> None:
    """Check lesson files in parallel; call `on_checked` with the findings of each, in order.

    Raises:
        LessonError: No threads or processes can be started.
    """
    runners: list[Runner] = []
    thread_state = threading.local()

    def check_in_thread(path: Path) -> list[Finding]:
        if not hasattr(thread_state, "runner"):
            thread_state.runner = Runner()
            runners.append(thread_state.runner)
        return check_file(path, thread_state.runner)

    try:
        with ThreadPoolExecutor(min(WORKERS, len(paths)) or 1) as pool:
            try:
                checked = pool.map(check_in_thread, paths)
            except RuntimeError as error:  # there can be no more threads
                raise LessonError(str(StartError(error)), status=MISSING) from None
            for path, findings in zip(paths, checked, strict=True):
                on_checked(path, findings)
    finally:
        for runner in runners:
            runner.close()


def lesson_files(path: Path) -> tuple[list[Path], list[Finding]]:
    """Return the lesson files of a path, and the problems of its folder.

    A folder with lessons is no collection of families for a subfolder in which no file is named as a lesson.

    Raises:
        LessonError: The path is missing, cannot be read, or has no lessons.
    """
    if not path.is_dir():
        files.check(path)
        return [path], []
    entries = catalog.list_folder(path)
    in_families = [file for entry in entries if entry.is_dir() and is_family(entry.name) for file in entry.glob("*.py")]
    is_family_itself = any(map(catalog.is_named_as_lesson, entries)) and not any(
        map(catalog.is_named_as_lesson, in_families)
    )
    if is_family_itself or not in_families:
        return _require_lessons([entry for entry in entries if entry.suffix == ".py"], path), []
    lesson_paths = sorted(in_families, key=_sort_key)
    # What is wrong inside a file is found when it is read.
    problems = [
        problem
        for problem in catalog.load(path).problems
        if Path(problem.path) not in lesson_paths or isinstance(problem, catalog.DuplicateLessonError)
    ]
    return _require_lessons(lesson_paths, path), [to_finding(problem) for problem in problems]


def _sort_key(path: Path) -> tuple[tuple[int, str], str]:
    """Return the key that sorts lesson files by family and name."""
    return family_place(path.parent.name), path.name


def _require_lessons(lesson_paths: list[Path], path: Path) -> list[Path]:
    """Return the lesson files; raise LessonError if there are none."""
    if not lesson_paths:
        raise LessonError(
            _("there is no lesson in this folder."), path=str(path), fix=_("A lesson is <family>/<nn>-<slug>.py.")
        )
    return lesson_paths


def summary(lessons: int, findings: Iterable[Finding]) -> str:
    """Return the result in one line."""
    all_findings = list(findings)
    errors = [finding for finding in all_findings if not finding.warning]
    file_count = len({finding.path for finding in errors})
    checked = ngettext("{count} lesson checked", "{count} lessons checked", lessons)
    warning_count = len(all_findings) - len(errors)
    warnings = ngettext(" {count} warning.", " {count} warnings.", warning_count) if warning_count else ""
    if not errors:
        return _("{checked}, nothing wrong.{warnings}", checked=checked, warnings=warnings)
    if file_count == 1:
        return ngettext(
            "{checked}: {count} thing is wrong.{warnings}",
            "{checked}: {count} things are wrong.{warnings}",
            len(errors),
            checked=checked,
            warnings=warnings,
        )
    return _(
        "{checked}: {count} things are wrong in {files} files.{warnings}",
        checked=checked,
        count=len(errors),
        files=file_count,
        warnings=warnings,
    )


def report(paths: list[Path], out: TextIO, *, json: bool) -> bool:
    """Check the lessons of these paths and write the findings. Return whether there are no errors.

    Raises:
        LessonError: A path is missing, or nothing can be run.
    """
    lessons: list[Path] = []
    all_findings: list[Finding] = []
    for path in paths:
        more_lessons, problems = lesson_files(path)
        lessons += [file for file in more_lessons if file not in lessons]
        all_findings += problems

    def print_findings(_: Path, findings: list[Finding]) -> None:
        all_findings.extend(findings)
        for finding in () if json else findings:
            out.write(f"{finding}\n")
        out.flush()

    for finding in () if json else all_findings:
        out.write(f"{finding}\n")
    check_all(lessons, print_findings)
    if json:
        objects = [msgspec.to_builtins(finding) for finding in all_findings]
        out.write(dumps({"lessons": len(lessons), "findings": objects}) + "\n")  # a path need not be UTF-8
    else:
        out.write(summary(len(lessons), all_findings) + "\n")
    return all(finding.warning for finding in all_findings)
