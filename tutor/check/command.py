"""`gradtutor check`: a line for each thing that is wrong, then a summary."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TextIO

import msgspec

from tutor.check.finding import Finding
from tutor.check.lessons import check_all, lesson_files, summary


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
