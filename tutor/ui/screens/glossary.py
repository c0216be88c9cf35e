"""The sheet of the glossary: the words that were asked for, then all."""

from __future__ import annotations

from collections.abc import Sequence

from tutor.i18n import N_, _, current_language
from tutor.lesson import glossary
from tutor.text_width import wrapped
from tutor.ui.render.segments import EMPTY, Glyphs, Row, styled_code
from tutor.ui.screens.sheet import Sheet, SheetPane


def glossary_sheet(texts: Sequence[str]) -> Sheet[None]:
    """Return the sheet; the words that these texts use come first, in the order of the texts."""
    first = list(dict.fromkeys(entry for text in texts for entry, _place in glossary.used_in(text)))
    others = [entry for entry in glossary.ENTRIES if entry not in first]

    def rows(cells: int, glyphs: Glyphs) -> list[Row]:
        result: list[Row] = []
        for title, entries in ((N_("words of this text"), first), (N_("all other words"), others)):
            if entries:
                result += [EMPTY] if result else []
                result.append(((_(title), "heading"),))
            for entry in entries:
                term, text = glossary.describe(entry, current_language())
                result += wrapped([(term, "strong"), (f" {glyphs.dot} {entry.lesson}", "quiet")], max(cells, 1))
                result += [(("  ", "plain"), *row) for row in wrapped(styled_code(text, "plain"), max(cells - 2, 1))]
        return result

    return Sheet(SheetPane(N_("glossary"), rows))
