"""The glossary as text: `gradtutor glossary [WORD]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from tutor.i18n import _
from tutor.lesson import glossary
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
