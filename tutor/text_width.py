"""Measuring, cutting, padding and wrapping text by terminal cells; a Chinese character takes two.

The widths are those of `rich`, which is imported for the first text that is not plain ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_FIRST_OF_OTHER_WIDTH = "\u0300"
"""The first character with another width than one cell, but for those that are not printable."""


@lru_cache(16384)
def width(text: str) -> int:
    """Return the width of a text in cells."""
    if text.isprintable() and (text.isascii() or max(text) < _FIRST_OF_OTHER_WIDTH):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, cells: int, more: str = "…") -> str:
    """Cut a text to at most `cells` cells; `more` marks a text that was cut."""
    if len(text) <= cells and (2 * len(text) <= cells or text.isascii()):
        return text
    if width(text) <= cells:
        return text
    room = cells - width(more)
    if room < 0:
        return more[:cells]
    used = 0
    for index, char in enumerate(text):
        used += width(char)
        if used > room:
            return text[:index] + more
    return text


def pad(text: str, cells: int) -> str:
    """Cut or pad a text to exactly `cells` cells, aligned left."""
    text = cut(text, cells)
    return text + " " * (cells - width(text))


def align_right(text: str, cells: int) -> str:
    """Cut or pad a text to exactly `cells` cells, aligned right."""
    text = cut(text, cells)
    return " " * (cells - width(text)) + text


def last_written(line: str) -> str:
    """Return what is left of a line of output: after a carriage return, as progress bars print, it begins again."""
    return line.rstrip("\r").rpartition("\r")[2]


_MOVES = re.compile("(\\r|\\n|\x1b\\[[0-9]{0,3}[AK])")
"""What moves the cursor of a terminal: to the beginning of a line, down, up; and what erases a line."""


def printed_lines(text: str) -> list[str]:
    """Return the lines of output as a terminal shows them: of progress bars, one below another too, what they showed
    last."""
    if not text:
        return []
    text = text.removesuffix("\n")
    if "\r" not in text and "\x1b[" not in text:
        return text.split("\n")
    lines, row, begins_again = [""], 0, True
    for part in _MOVES.split(text):
        if part == "\n":
            row, begins_again = row + 1, True
            if row == len(lines):
                lines.append("")
        elif part == "\r":
            begins_again = True
        elif _MOVES.fullmatch(part) and part.endswith("A"):
            row = max(row - int(part[2:-1] or 1), 0)
        elif _MOVES.fullmatch(part):
            lines[row] = "" if begins_again or part[2:-1] == "2" else lines[row]
        elif part:
            lines[row] = part if begins_again else lines[row] + part
            begins_again = False
    while lines and not lines[-1].strip():  # bars that were taken away
        lines.pop()
    return lines


def wrap(text: str, cells: int) -> list[str]:
    """Wrap running text to lines of at most `cells` cells. Runs of spaces and line ends count as one space."""
    return ["".join(piece for piece, _ in row) for row in wrapped([(" ".join(text.split()), "")], cells)]


def wrapped(pieces: Iterable[tuple[str, str]], cells: int, after: str = "") -> list[tuple[tuple[str, str], ...]]:
    """Wrap running text, given as pieces of (text, role), to rows of at most `cells` cells.

    Rows break at spaces and between wide characters; a word longer than a row is broken behind one of the characters
    `after`, or else at the end of the row.
    """
    rows: list[tuple[tuple[str, str], ...]] = []
    line: list[tuple[str, str]] = []
    used = 0

    def end_line() -> None:
        nonlocal used
        while line and line[-1][0].isspace():
            line.pop()
        rows.append(tuple(line))
        line.clear()
        used = 0

    for word in _parted(_words(pieces), cells, after) if after else _words(pieces):
        size = sum(width(text) for text, _ in word)
        if word[0][0] == "\n":
            end_line()
            continue
        if used + size > cells and used and not word[0][0].isspace():
            end_line()
        for text, roles in word:
            while text and used + width(text) > cells and not text.isspace():
                head = cut(text, cells - used, "")
                if not head and not used:
                    head = text[0]
                if head:
                    line.append((head, roles))
                text = text[len(head) :]
                end_line()
            if text and (used or not text.isspace()) and used + width(text) <= cells:
                line.append((text, roles))
                used += width(text)
    if line:
        end_line()
    return rows


def _parted(words: Iterable[list[tuple[str, str]]], cells: int, after: str) -> Iterable[list[tuple[str, str]]]:
    """Yield words, and of those longer than a row the parts that end with one of some characters."""
    for word in words:
        if sum(width(text) for text, _ in word) <= cells:
            yield word
            continue
        part: list[tuple[str, str]] = []
        for text, roles in word:
            start = 0
            for end in (index + 1 for index, char in enumerate(text) if char in after):
                yield [*part, (text[start:end], roles)]
                start, part = end, []
            if text[start:]:
                part.append((text[start:], roles))
        if part:
            yield part


_CLOSING = "，。、；：？！）」』》”’"
_OPENING = "（「『《“‘"


def _words(pieces: Iterable[tuple[str, str]]) -> Iterable[list[tuple[str, str]]]:
    """Yield words (across pieces), spaces, line ends and wide characters, between which rows may break.

    Closing punctuation stays with the text before it, and opening punctuation with the text after it.
    """
    word: list[tuple[str, str]] = []
    wide_before = False
    for text, roles in pieces:
        start = 0
        for index, char in enumerate(text):
            wide = ord(char) > 0x2E7F and width(char) == 2
            if char not in " \n" and not wide:
                if wide_before and index == start and char not in _CLOSING and word[-1][0][-1] not in _OPENING:
                    yield word
                    word, wide_before = [], False
                continue
            if text[start:index]:
                word.append((text[start:index], roles))
            start = index + 1
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
