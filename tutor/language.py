"""The language of the interface. Texts are written in English where they are used, and looked up here.

`tr` translates when it draws; `later` only marks a text that is translated when it is drawn. The catalogs are plain
dictionaries in `tutor.words`, imported when their language is first used; a test finds texts that are missing in one.
"""

from __future__ import annotations

import os
from importlib import import_module

LANGUAGES = ("en", "zh")
NAMES = {"en": "English", "zh": "中文"}
ROOMS = ("ui", "explain", "text", "cli", "check", "rest")
"""`rest` is what several of the others say: errors about places and answers, notices of progress."""
_catalogs: dict[str, dict[str, str]] = {"en": {}}
_now = "en"


def use(language: str) -> None:
    """From now on the interface speaks this language."""
    global _now
    if language not in _catalogs:
        found: dict[str, str] = {}
        for room in ROOMS:
            found |= import_module(f"tutor.words.{language}_{room}").ZH
        _catalogs[language] = found
    _now = language


def now() -> str:
    """The language that the interface speaks."""
    return _now


def tr(text: str, /, **values: object) -> str:
    """The text in that language, with these values in place of its `{names}`; the English one where none is known."""
    found = _catalogs[_now].get(text, text)
    return found.format(**values) if values else found


def later(text: str) -> str:
    """The text as it is: a mark for what is translated when it is drawn."""
    return text


def of_locale() -> str:
    """The language that the environment asks for; English where it asks for one that is not here."""
    asked = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return next((language for language in LANGUAGES if asked.lower().startswith(language)), "en")
