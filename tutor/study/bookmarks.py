"""The bookmarks of programs: notes at steps, in a JSON file beside the settings.

A program has them again as long as its code and its knobs are as they were: its steps are then the same. No failure
here stops anything: what cannot be used is ignored, and a bookmark that cannot be kept holds for this walk.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

from tutor import paths
from tutor.study.kept_files import locked, read_object, replace
from tutor.trace.events import Document


def of(document: Document) -> dict[int, str]:
    """Return the notes of a program by step."""
    try:
        notes = _entries(_file()).get(_key(document), {})
        return {int(step): note for step, note in notes.items() if isinstance(note, str) and int(step) > 0}
    except (OSError, RuntimeError, ValueError, AttributeError):
        return {}


def keep(document: Document, notes: dict[int, str]) -> bool:
    """Keep the notes of a program; return whether they are kept. A file that cannot be read stays as it is."""
    try:
        path = _file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.parent):
            entries = _entries(path)
            entries.pop(_key(document), None)
            if notes:
                entries[_key(document)] = {str(step): note for step, note in sorted(notes.items())}
            replace(path, json.dumps(entries, indent=1, ensure_ascii=False).encode())
    except (OSError, RuntimeError, ValueError):
        return False
    return True


def _file() -> Path:
    """Return the file. Raises RuntimeError where there is no home folder."""
    return paths.settings_file().with_name("bookmarks.json")


def _key(document: Document) -> str:
    """Return what a program is known by: a digest of its code and its knobs."""
    code = [cell.get("source") for cell in document.cells if cell.get("kind") == "code"]
    return hashlib.sha256(msgspec.json.encode([code, sorted(document.knobs.items())])).hexdigest()[:16]


def _entries(path: Path) -> dict[str, Any]:
    """Return the notes of all programs. Raises OSError, and ValueError where they cannot be read."""
    try:
        return read_object(path)
    except FileNotFoundError:
        return {}
