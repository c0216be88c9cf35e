"""How many cells of a terminal a text takes, and text cut, filled and broken by that: Chinese takes two a character.

`rich` knows the widths; it is imported when the first text comes that is not plain ASCII.
"""

from __future__ import annotations

from collections.abc import Iterable


def width(text: str) -> int:
    """How many cells the text takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, cells: int, more: str = "…") -> str:
    """The text in at most so many cells; what is cut off is marked."""
    if len(text) <= cells and text.isascii():
        return text
    if width(text) <= cells:
        return text
    room = cells - width(more)
    if room < 0:
        return more[:cells]
    taken = 0
    for at, char in enumerate(text):
        taken += width(char)
        if taken > room:
            return text[:at] + more
    return text


def pad(text: str, cells: int) -> str:
    """The text cut or filled to exactly so many cells."""
    text = cut(text, cells)
    return text + " " * (cells - width(text))


def align_right(text: str, cells: int) -> str:
    """As `pad`, at the right end."""
    text = cut(text, cells)
    return " " * (cells - width(text)) + text


def wrap(text: str, cells: int) -> list[str]:
    """Running text broken into lines of so many cells; runs of spaces and line ends in it count as one space."""
    return ["".join(piece for piece, _ in row) for row in wrapped([(" ".join(text.split()), "")], cells)]


def wrapped(pieces: Iterable[tuple[str, str]], cells: int) -> list[tuple[tuple[str, str], ...]]:
    """Pieces of running text broken into rows at spaces; a word longer than a row is broken where the row ends."""
    rows: list[tuple[tuple[str, str], ...]] = []
    line: list[tuple[str, str]] = []
    taken = 0

    def end_line() -> None:
        nonlocal taken
        while line and line[-1][0].isspace():
            line.pop()
        rows.append(tuple(line))
        line.clear()
        taken = 0

    for word in _words(pieces):
        size = sum(width(text) for text, _ in word)
        if word[0][0] == "\n":
            end_line()
            continue
        if taken + size > cells and taken and not word[0][0].isspace():
            end_line()
        for text, roles in word:
            while taken + width(text) > cells and not text.isspace():
                head = cut(text, cells - taken, "")
                if not head and not taken:
                    head = text[0]
                if head:
                    line.append((head, roles))
                text = text[len(head) :]
                end_line()
            if text and (taken or not text.isspace()) and taken + width(text) <= cells:
                line.append((text, roles))
                taken += width(text)
    if line:
        end_line()
    return rows


_CLOSING = "，。、；：？！）」』》”’"
_OPENING = "（「『《“‘"


def _words(pieces: Iterable[tuple[str, str]]) -> Iterable[list[tuple[str, str]]]:
    """Words (over the borders of pieces), runs of spaces, line ends, and wide characters, which break anywhere.

    What closes stays with what is before it, and what opens with what follows.
    """
    word: list[tuple[str, str]] = []
    wide_before = False
    for text, roles in pieces:
        start = 0
        for at, char in enumerate(text):
            wide = ord(char) > 0x2E7F and width(char) == 2
            if char not in " \n" and not wide:
                if wide_before and at == start and char not in _CLOSING and word[-1][0][-1] not in _OPENING:
                    yield word
                    word, wide_before = [], False
                continue
            if text[start:at]:
                word.append((text[start:at], roles))
            start = at + 1
            if word and not (wide and (char in _CLOSING or word[-1][0][-1] in _OPENING)):
                yield word
                word = []
            word.append((char, roles))
            wide_before = wide
            if not wide:
                yield word
                word = []
        if text[start:]:
            word.append((text[start:], roles))
            wide_before = False
    if word:
        yield word
