"""What was set on the screen and is kept: language, theme, speed, views and the sizes of panes, in a JSON file beside
the progress.

Options and environment variables come before it. No failure here stops anything: what cannot be used is ignored, and
`problem` says so in a line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tutor import paths
from tutor.i18n import _, languages, locale_language
from tutor.study.kept_files import locked, read_object, reason, replace

THEMES = ("dark", "light")
_FASTEST = 1000
_CHECKS: dict[str, Callable[[Any], bool]] = {
    "language": lambda value: value in languages(),
    "theme": lambda value: value in THEMES,
    "speed": lambda value: type(value) is int and 1 <= value <= _FASTEST,
    "graph": lambda value: value in ("lanes", "boxes", "focus"),
    "chart": lambda value: value in ("figure", "curves", "log", "memory"),
    "panes": lambda value: isinstance(value, dict) and all(type(rows) is int for rows in value.values()),
}
"""By setting: whether it can have a value."""


class Settings:
    """The settings in a file, as they were when it was read; those that are not there have no value."""

    def __init__(self) -> None:
        self.problem = ""
        """What of the file cannot be used, or why it cannot be written; empty if there is nothing to say."""
        self._values: dict[str, Any] = {}
        self._path: Path | None = None
        try:
            self._path = paths.settings_file()
            self._values, self.problem = _usable(read_object(self._path))
        except (FileNotFoundError, RuntimeError):  # no file yet, or no home folder
            pass
        except (OSError, ValueError) as error:
            self.problem = _("{file} is ignored: {why}.", file=self._path, why=reason(error))

    def get(self, name: str) -> Any:
        """Return a setting; None if it has no value."""
        return self._values.get(name)

    def set(self, name: str, value: Any) -> None:
        """Keep a setting, whatever another process has written meanwhile. A file that cannot be read stays as it is."""
        self._values[name] = value
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self._path.parent):
                try:
                    entries = read_object(self._path)
                except FileNotFoundError:
                    entries = {}
                replace(self._path, json.dumps(entries | {name: value}, indent=1, ensure_ascii=False).encode())
        except (OSError, ValueError) as error:
            self.problem = _("settings are not kept: {why}.", why=reason(error))


def preferred_language() -> str:
    """Return the language that is kept, else that of the locale."""
    return Settings().get("language") or locale_language()


def _usable(entries: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the settings that can be used, and in a line which cannot."""
    values = {name: value for name, value in entries.items() if name in _CHECKS and _CHECKS[name](value)}
    ignored = [f"{name}: {json.dumps(value)}"[:40] for name, value in entries.items() if name not in values]
    return values, _("settings that are ignored: {what}", what=_(", ").join(ignored)) if ignored else ""
