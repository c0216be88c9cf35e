"""Folders of lessons, of progress and of settings."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
_PACKED = _HERE / "_lessons"


def lessons_dir() -> Path:
    """Return the folder of the lessons of gradtutor: in the wheel, else in the checkout."""
    return _PACKED if is_packaged() else _HERE.parent / "lessons"


def is_packaged() -> bool:
    """Return whether the lessons are in an installed package, where none should be added."""
    return _PACKED.is_dir()


def settings_file() -> Path:
    """Return the file in which settings are kept; it need not exist."""
    return progress_dir().parent / "settings.json"


def progress_dir() -> Path:
    """Return the folder in which progress is saved; it need not exist."""
    from platformdirs import user_data_path

    return user_data_path("gradtutor", appauthor=False) / "progress"
