"""List the lessons as text and as JSON."""

from __future__ import annotations

import json
from typing import Any, TextIO

from tutor.i18n import N_, _
from tutor.lesson.catalog import Catalog
from tutor.lesson.model import Header, in_language
from tutor.study.progress import Store
from tutor.text.format import escape_controls, table

_MARKS = {"done": N_("done"), "begun": N_("begun"), "new": ""}


def write_json(catalog: Catalog, store: Store, language: str, out: TextIO) -> None:
    """Write a JSON list of the lessons, in learning order."""
    marks = {header.id: store.load(header.id).mark for header in catalog.lessons}
    out.write(json.dumps([_record(header, marks[header.id], language) for header in catalog.lessons], indent=1) + "\n")


def _record(header: Header, progress: str, language: str) -> dict[str, Any]:
    """Return the JSON object of a lesson."""
    return {
        "id": header.id,
        "title": in_language(header.title, language),
        "summary": in_language(header.summary, language),
        "family": header.family,
        "languages": list(header.languages),
        "needs": list(header.needs),
        "progress": progress,
    }


def write_text(catalog: Catalog, store: Store, language: str, out: TextIO) -> None:
    """Write a line for each lesson: number, id, title and progress."""
    rows = [
        [
            str(number),
            header.id,
            escape_controls(in_language(header.title, language)),
            ", ".join(
                filter(
                    None, [_(_MARKS[store.load(header.id).mark]), *(_("needs {what}", what=n) for n in header.needs)]
                )
            ),
        ]
        for number, header in enumerate(catalog.lessons, 1)
    ]
    for line in table(rows):
        out.write(line + "\n")
    if not rows:
        out.write(_("There are no lessons here.") + "\n")
