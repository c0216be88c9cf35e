"""The words of a text on the screen that are in the glossary: where they are, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutor.i18n import N_, _, current_language
from tutor.lesson import glossary
from tutor.text_width import wrapped
from tutor.ui.render.segments import Glyphs, Piece, Row, styled, styled_code


@dataclass(frozen=True)
class Word:
    """A word of a text that is in the glossary."""

    entry: glossary.Entry
    places: tuple[tuple[int, int, int], ...]
    """The rows that it is in, each with its first character there and the one after its last."""

    @property
    def row(self) -> int:
        """The last row that it is in."""
        return self.places[-1][0]


def words_in(rows: Sequence[Row], first: int) -> list[Word]:
    """Return the words of rows in reading order, each where it occurs first; `first` is the number of the first row."""
    texts = ["".join(text for text, _role in row) for row in rows]
    starts = [0]
    for text in texts:
        starts.append(starts[-1] + len(text) + 1)
    words = []
    for entry, (begin, end) in glossary.used_in("\n".join(texts)):
        places = tuple(
            (first + index, max(begin - starts[index], 0), min(end - starts[index], len(text)))
            for index, text in enumerate(texts)
            if begin < starts[index] + len(text) and starts[index] < end
        )
        words.append(Word(entry, places))
    return words


def marked(row: Row, begin: int, end: int) -> Row:
    """Return a row with the characters from `begin` to before `end` marked, but for spaces at its beginning."""
    pieces: list[Piece] = []
    at = 0
    for text, role in row:
        lead, rest = max(begin - at, 0), max(end - at, 0)
        inside = text[lead:rest]
        if lead == 0 and not "".join(before for before, _role in pieces).strip():
            pieces.append((inside[: len(inside) - len(inside.lstrip())], role))
            inside = inside.lstrip()
        pieces += [(text[:lead], role), (inside, f"chosen {role}"), (text[max(lead, rest) :], role)]
        at += len(text)
    return tuple(piece for piece in pieces if piece[0])


def meaning(word: Word, number: int, count: int, cells: int, glyphs: Glyphs) -> list[Row]:
    """Return the rows that say what a word means, the one with this number of `count`, from 1."""
    term, text = glossary.describe(word.entry, current_language())
    dot: Piece = (f" {glyphs.dot} ", "quiet")
    said: list[Piece] = [(term, "strong"), (" ", "plain"), *styled_code(text, "plain")]
    lesson: list[Piece] = [(_("lesson: {name}", name=word.entry.lesson), "quiet"), dot]
    following = N_("{t} the next word") if number < count else N_("{t} all words")
    lesson += [(f"{number}/{count}", "quiet"), dot, *styled(following, t=("t", "key"))]
    width = max(cells - 2, 1)
    return [((f"{glyphs.down} ", "now"), *row) for part in (said, lesson) for row in wrapped(part, width)]
