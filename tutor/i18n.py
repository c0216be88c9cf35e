"""Translations. Texts are written in English where they are used, and looked up with gettext in `tutor/locale`.

`_` translates when it draws, `ngettext` chooses the plural form, `pgettext` tells two meanings of an English text
apart, and `N_` only marks a text that is translated later; `K_` marks the label of a key, for `key_label`.
`make messages` collects all of them in the catalogs, `tutor/locale/LANGUAGE/LC_MESSAGES/gradtutor.po`; a compiled
catalog is read when its language is first used.
"""

from __future__ import annotations

import os
import re
import struct
from gettext import NullTranslations, translation
from pathlib import Path

DOMAIN = "gradtutor"
FOLDER = Path(__file__).parent / "locale"
ENGLISH = "en"

_catalogs: dict[str, NullTranslations] = {ENGLISH: NullTranslations()}
_language = ENGLISH


def languages() -> tuple[str, ...]:
    """Return the codes of the languages of the interface: English, and each that has a catalog."""
    return ENGLISH, *sorted(path.parent.parent.name for path in FOLDER.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))


def use(language: str) -> None:
    """Switch the interface to a language. Raises FileNotFoundError if there is no catalog for it."""
    global _language
    _catalog(language)
    _language = language


def current_language() -> str:
    """Return the code of the language of the interface."""
    return _language


def next_language() -> str:
    """Return the language after the current one; after the last comes the first."""
    codes = languages()
    return codes[(codes.index(_language) + 1) % len(codes)]


def locale_language() -> str:
    """Return the language of the locale (LC_ALL, LC_MESSAGES, LANG); English if there is no catalog for it."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    territory = re.split(r"[.@]", locale)[0].lower().replace("-", "_")
    by_code = {language.lower(): language for language in languages()}
    return by_code.get(territory) or by_code.get(territory.partition("_")[0]) or ENGLISH


def native_name(language: str) -> str:
    """Return the name of a language in that language: `English`, `中文`."""
    if language not in _catalogs:
        path = FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.mo"
        name = _message(path.read_bytes(), "name of this language\x04English")
        if name is not None:
            return name
    return _catalog(language).pgettext("name of this language", "English")


def _message(compiled: bytes, text: str) -> str | None:
    """Return the translation of one text in a compiled catalog; None if there is none.

    To read all of a catalog takes 16 ms, which the first screen would wait for.
    """
    order = "<" if compiled[:4] == b"\xde\x12\x04\x95" else ">"
    count, texts, translations = struct.unpack_from(f"{order}3I", compiled, 8)
    starts = struct.unpack_from(f"{order}{2 * count}I", compiled, texts)[1::2]
    start = compiled.find(b"\0" + text.encode() + b"\0") + 1
    if start not in starts:
        return None
    length, start = struct.unpack_from(f"{order}2I", compiled, translations + 8 * starts.index(start))
    return compiled[start : start + length].decode()


def _(text: str, /, **values: object) -> str:
    """Translate a text and fill in its `{placeholders}`; without a translation the English text is used."""
    if text:  # in gettext the empty text is the key of the catalog's header
        text = _catalogs[_language].gettext(text)
    return text.format(**values) if values else text


def ngettext(singular: str, plural: str, n: int, /, **values: object) -> str:
    """Translate the singular or plural form for `n`; `{count}` in it is `n`."""
    return _fill(_catalogs[_language].ngettext(singular, plural, n), {"count": n, **values})


def pgettext(context: str, text: str, /, **values: object) -> str:
    """Translate a text that has different meanings in different contexts."""
    return _fill(_catalogs[_language].pgettext(context, text), values)


def N_(text: str) -> str:
    """Mark a text for extraction and return it unchanged; it is translated where it is drawn."""
    return text


def K_(label: str) -> str:
    """Mark the label of a key for extraction and return it unchanged; `key_label` translates it."""
    return label


def key_label(label: str) -> str:
    """Translate the label of a key. It has a context: the name of an action may mean something else elsewhere."""
    return pgettext("key", label)


def _fill(text: str, values: dict[str, object]) -> str:
    return text.format(**values) if values else text


def _catalog(language: str) -> NullTranslations:
    if language not in _catalogs:
        _catalogs[language] = translation(DOMAIN, FOLDER, [language])
    return _catalogs[language]
