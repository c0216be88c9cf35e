"""Where lessons, progress and settings live."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def lessons_dir() -> Path:
    """The lessons that come with gradtutor: those in the wheel, else those of the checkout."""
    packed = _HERE / "_lessons"
    return packed if packed.is_dir() else _HERE.parent / "lessons"


def progress_dir() -> Path:
    """Where progress is kept; it need not exist."""
    from platformdirs import user_data_path

    return user_data_path("gradtutor", appauthor=False) / "progress"
