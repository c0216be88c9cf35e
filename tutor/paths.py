"""Where lessons, progress and settings live."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
_PACKED = _HERE / "_lessons"


def lessons_dir() -> Path:
    """The lessons that come with gradtutor: those in the wheel, else those of the checkout."""
    return _PACKED if is_packaged() else _HERE.parent / "lessons"


def is_packaged() -> bool:
    """Whether the lessons came in a wheel, where nobody should add any."""
    return _PACKED.is_dir()


def progress_dir() -> Path:
    """Where progress is kept; it need not exist."""
    from platformdirs import user_data_path

    return user_data_path("gradtutor", appauthor=False) / "progress"
