"""List the lessons as text and as JSON."""

from __future__ import annotations

import json
from typing import Any, TextIO

from tutor.i18n import N_, _
from tutor.lesson.catalog import Catalog, first_number
from tutor.lesson.extent import measure
from tutor.lesson.model import Header, in_language
from tutor.study.course import next_lesson
from tutor.study.progress import Store
from tutor.text.format import escape_controls, table

_MARKS = {"done": N_("done"), "begun": N_("begun"), "new": ""}


def write_json(catalog: Catalog, store: Store, language: str, out: TextIO) -> None:
    """Write a JSON list of the lessons, in learning order."""
    marks = {name: progress.mark for name, progress in store.load_all(catalog.lessons).items()}
    following = next_lesson(catalog.lessons, marks)
    records = [
        _record(header, number, marks[header.id], header is following, language)
        for number, header in enumerate(catalog.lessons, first_number(catalog.lessons))
    ]
    out.write(json.dumps(records, indent=1) + "\n")


def _record(header: Header, number: int, progress: str, is_next: bool, language: str) -> dict[str, Any]:
    """Return the JSON object of a lesson, of which `number` is the place in the list."""
    return {
        "id": header.id,
        "title": in_language(header.title, language),
        "summary": in_language(header.summary, language),
        "family": header.family,
        "path": None if header.order is None else number,
        "topics": list(header.topics_in(language)),
        "minutes": measure(header.path).minutes,
        "languages": list(header.languages),
        "needs": list(header.needs),
        "progress": progress,
        "next": is_next,
    }


def write_text(catalog: Catalog, store: Store, language: str, out: TextIO) -> None:
    """Write a line for each lesson: number, id, title, minutes and progress; the path first, then the side roads."""
    marks = {name: progress.mark for name, progress in store.load_all(catalog.lessons).items()}
    following = next_lesson(catalog.lessons, marks)
    rows = [
        [
            str(number),
            header.id,
            escape_controls(in_language(header.title, language)),
            _("{count} min", count=measure(header.path).minutes),
            ", ".join(
                filter(
                    None,
                    [
                        _("next") if header is following else "",
                        _(_MARKS[marks[header.id]]),
                        *(_("needs {what}", what=need) for need in header.needs),
                    ],
                )
            ),
        ]
        for number, header in enumerate(catalog.lessons, first_number(catalog.lessons))
    ]
    lines = table(rows)
    path_length = sum(header.order is not None for header in catalog.lessons)
    if path_length:
        lines.insert(path_length, _("side roads"))
        lines.insert(0, _("the path"))
    for line in lines:
        out.write(line + "\n")
    if not rows:
        out.write(_("There are no lessons here.") + "\n")
