"""The glossary as text: `gradtutor glossary [WORD]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from tutor.i18n import _
from tutor.lesson import glossary
from tutor.lesson.model import in_language
from tutor.text.format import Paint
from tutor.text_width import wrap

_WIDTH = 88


def write(entries: Sequence[glossary.Entry], language: str, out: TextIO) -> None:
    """Write entries: the term, what it means, and the lesson that explains it."""
    paint = Paint(out)
    for number, entry in enumerate(entries):
        term, text = glossary.describe(entry, language)
        out.write("\n" if number else "")
        out.write(paint(term, "node") + "\n")
        for line in wrap(text, _WIDTH - 2):
            out.write(f"  {line}\n")
        out.write(paint(f"  {_('lesson: {name}', name=entry.lesson)}", "quiet") + "\n")


def spoken(word: str, texts: Sequence[str], language: str) -> str:
    """Return what a word means; without one, which words of these texts are in the glossary."""
    if not word:
        terms = [in_language(entry.term, language) for entry, _place in glossary.used_in("\n".join(texts))]
        if not terms:
            return _("No word of this text is in the glossary.")
        return _("In the glossary: {terms}. Type t and a word for its meaning.", terms=_(", ").join(terms))
    lines = [
        _("{term}: {meaning} Lesson: {name}.", term=term, meaning=meaning, name=entry.lesson)
        for entry in glossary.find(word)
        for term, meaning in [glossary.describe(entry, language)]
    ]
    return "\n".join(lines) or _("`{word}` is not in the glossary.", word=word)
