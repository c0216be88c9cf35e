"""Rows of styled text: the glyphs of the screen, pieces of text with roles, and lines shortened to fit.

A role says what a piece of text means (`grad`, `error`), never how it looks; `ui/theme.py` maps roles to styles.
"""

from __future__ import annotations

import locale
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from string import Formatter
from typing import TypeAlias

from tutor.i18n import _
from tutor.text_width import cut, width

# ------------------------------------------------------------ glyphs


@dataclass(frozen=True)
class Glyphs:
    """One character for each mark. The shape carries the meaning; colour only repeats it."""

    leaf: str = "■"
    op: str = "●"
    freed: str = "○"
    given: str = "□"
    module: str = "◆"
    freed_module: str = "◇"
    grad: str = "∇"
    yes: str = "✓"
    no: str = "✗"
    now: str = "▶"
    caller: str = "▷"
    new: str = "◂"
    explain: str = "▸"
    opened: str = "▾"
    closed: str = "▹"
    linked: str = "┊"
    full: str = "▮"
    gap: str = "⋮"
    crumb: str = "›"
    dot: str = "·"
    none: str = "–"
    more: str = "…"
    arrow: str = "→"
    waiting: str = "◌"
    begun: str = "◐"
    bullet: str = "•"
    rule: str = "─"
    thumb: str = "┃"
    # Frames, and the lanes of the graph: corners and joins, named by their strokes.
    across: str = "─"
    down: str = "│"
    top_left: str = "╭"
    top_right: str = "╮"
    bottom_left: str = "╰"
    bottom_right: str = "╯"
    join_left: str = "┤"
    join_right: str = "├"
    join_both: str = "┼"
    end_both: str = "┴"
    arrowhead: str = "▼"
    # The time bar.
    past: str = "━"
    past_back: str = "━"
    future: str = "─"
    hidden: str = "┄"
    tick: str = "┼"
    cursor: str = "●"
    ascii: bool = False

    @property
    def double_joins(self) -> str:
        """Variants of `join_left`, `join_both` and `join_right` for a node that is an input more than once."""
        return "HHH" if self.ascii else "╡╪╞"

    @property
    def double_ends(self) -> str:
        """Variants of `bottom_right`, `end_both` and `bottom_left` for a node that is an input more than once."""
        return "UUU" if self.ascii else "╛╧╘"

    def stroke(self, strokes: int) -> str:
        """Return the character of the graph for a set of strokes: the sum of 1 up, 2 down, 4 left and 8 right.

        In ASCII `.` leads down, `'` up and `+` both; neighbouring characters show whether a line leads left or right.
        """
        return (_ASCII_STROKES if self.ascii else _STROKES)[strokes]

    def border(self, kind: str) -> str:
        """Return the frame of a box: top left, across, top right, down, bottom left, bottom right."""
        borders = _ASCII_BORDERS if self.ascii else _BORDERS
        return borders.get(kind, borders["op"])

    def text(self, text: str) -> str:
        """Return the text with what this terminal cannot show replaced."""
        if not self.ascii or text.isascii():
            return text
        return _TIMES.sub("*", text).translate(_SPELLING).encode("ascii", "replace").decode()


_STROKES = " ??│?╯╮┤?╰╭├─┴┬┼"
_ASCII_STROKES = " ??|?'.+?'.+-'.+"
_BORDERS = {
    "leaf": "┏━┓┃┗┛", "op": "╭─╮│╰╯", "freed": "╭╌╮┊╰╯", "module": "╔═╗║╚╝", "constant": "┌─┐│└┘", "input": "┌─┐│└┘"
}  # fmt: skip
_ASCII_BORDERS = {
    "leaf": "#=####", "op": "+-+|++", "freed": "+.+:++", "module": "+=+|++", "constant": "+ +|++", "input": "+ +|++"
}  # fmt: skip
UNICODE = Glyphs()
PLAIN = replace(UNICODE, past_back="╍")
"""The glyphs for a terminal without colours: the backward stretch of the time bar differs by its shape."""
ASCII = Glyphs(
    leaf="#", op="*", freed="o", given="%", module="&", freed_module="0", linked=":", full="]", gap=";",
    grad="g", yes="y", no="x",
    now=">", caller="}", new="<", explain=">", opened="-", closed="+", crumb=">", dot="-", none="-", more="~",
    arrow=">", waiting="o",
    begun="~", bullet="*", rule="-", thumb="#", across="-", down="|", top_left="+", top_right="+", bottom_left="`",
    bottom_right="'", join_left="+", join_right="+", join_both="+", end_both="'", arrowhead="v", past="=",
    past_back="<", future="-", hidden=".", tick="|", cursor="@", ascii=True,
)  # fmt: skip

_TIMES = re.compile(r"(?<=\S)·(?=\S)")
"""A product, unlike the dot between two phrases."""
_SPELLING = str.maketrans(
    {
        **{getattr(UNICODE, name): getattr(ASCII, name) for name in UNICODE.__dataclass_fields__ if name != "ascii"},
        "∂": "d", "×": "x", "−": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "≈": "~", "≤": "<", "≥": ">",
        "←": "<", "↑": "^", "↓": "v", "²": "2", "³": "3", "Σ": "S", "σ": "s", "√": "v", "�": "?", "␛": "^",
        "ε": "e", "λ": "L", "\u0302": "'",
    }
)  # fmt: skip


@lru_cache(2)
def terminal_glyphs(colours: bool = True) -> Glyphs:
    """Return the glyphs that this terminal can show, by the encoding of the locale (ignoring UTF-8 mode). The font of
    the console of Linux lacks most of them.
    """
    encoding = locale.getencoding().lower().replace("-", "")
    if encoding not in ("utf8", "cp65001") or os.environ.get("TERM") == "linux":
        return ASCII
    return UNICODE if colours else PLAIN


# ------------------------------------------------------------ rows of pieces

Piece: TypeAlias = tuple[str, str]
"""A text and its roles, separated by spaces: `"grad strong"`."""
Row: TypeAlias = tuple[Piece, ...]

EMPTY: Row = ()
TAB = "    "


def row_width(row: Iterable[Piece]) -> int:
    """Return the width of a row in cells."""
    return sum(width(text) for text, _ in row)


def clean(text: str) -> str:
    """Return the text with each control character replaced by a visible symbol, so that no terminal obeys it.

    The number of characters stays the same, so columns stay aligned; a tab stays a tab.
    """
    return text if text.isprintable() else "".join(map(_visible_char, text))


@lru_cache(4096)
def _visible_char(char: str) -> str:
    if char == "\t" or char.isprintable():
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    # Unusual spaces become spaces, bidirectional controls a dot; a lone surrogate cannot be encoded at all.
    category = unicodedata.category(char)
    return " " if category.startswith("Z") else "·" if category == "Cf" else "�"


PICTURE = "picture"
"""The role of the marks of a picture: no text of a program has it, nor any other."""


def harmless(row: Row) -> Row:
    """Return the row with its texts cleaned (see `clean`) and tabs replaced: the last step before drawing."""
    if all(text.isprintable() for text, _ in row):
        return row
    return tuple((text if roles == PICTURE else clean(text).replace("\t", " "), roles) for text, roles in row)


@lru_cache(1024)
def fit(row: Row, cells: int, role: str = "plain", more: str = "…") -> Row:
    """Cut or pad a row to exactly `cells` cells."""
    used = 0
    out: list[Piece] = []
    for text, roles in row:
        text_width = width(text)
        if used + text_width > cells:
            while out and used == cells:  # the ellipsis takes the last cell
                text, roles = out.pop()
                used -= width(text)
                text += more
            piece = cut(text, cells - used, more)
            out.append((piece, roles))
            used += width(piece)
            break
        out.append((text, roles))
        used += text_width
    if used < cells:
        out.append((" " * (cells - used), role))
    return tuple(piece for piece in out if piece[0])


def unbroken(row: Row, seams: Sequence[int]) -> Row:
    """Return a row of the same width in which no wide character lies across one of these columns.

    A space goes before it, for one less where there are some later in the row; without any it stays.
    """
    characters = [(char, role) for text, role in row for char in text]
    column = place = 0
    while place < len(characters):
        char, role = characters[place]
        cells = width(char)
        if cells > 1 and any(column < seam < column + cells for seam in seams):
            spare = next(
                (
                    at
                    for at in range(len(characters) - 1, place, -1)
                    if characters[at][0] == characters[at - 1][0] == " "
                ),
                None,
            )
            if spare is not None:
                del characters[spare]
                characters.insert(place, (" ", role))
                continue
        column, place = column + cells, place + 1
    pieces = groupby(characters, key=lambda character: character[1])
    return tuple(("".join(char for char, _role in group), role) for role, group in pieces)


def with_role(row: Row, role: str) -> Row:
    """Return the row with `role` added to each piece."""
    return tuple((text, f"{roles} {role}") for text, roles in row)


_NONFINITE = re.compile(r"(?<![\w.])([-+]?(?:nan|inf)(?![\w(.]))")


def with_nonfinite(row: Row) -> Row:
    """Return the row with the role `nonfinite` added to each nan and inf, but for those in code."""
    if not any("nan" in text or "inf" in text for text, _ in row):
        return row
    pieces: list[Piece] = []
    for text, roles in row:
        parts = [text] if "code" in roles.split() else _NONFINITE.split(text)
        pieces += [(part, f"{roles} nonfinite" if at % 2 else roles) for at, part in enumerate(parts) if part]
    return tuple(pieces)


def with_text_marked(row: Row, needle: str, role: str) -> Row:
    """Return the row with a role added wherever it has the text `needle`, in lower case, also across pieces."""
    text = "".join(piece for piece, _role in row).lower()
    starts = [at for at in range(len(text)) if text.startswith(needle, at)] if needle in text else []
    if not starts:
        return row
    marked = {at for start in starts for at in range(start, start + len(needle))}
    pieces: list[Piece] = []
    at = 0
    for piece, roles in row:
        for is_marked, places in groupby(range(at, at + len(piece)), marked.__contains__):
            part = "".join(piece[place - at] for place in places)
            pieces.append((part, f"{roles} {role}" if is_marked else roles))
        at += len(piece)
    return tuple(pieces)


# ------------------------------------------------------------ styled texts


def styled(text: str, role: str = "quiet", /, **values: Piece | str | int) -> list[Piece]:
    """Translate a text and fill in its placeholders, keeping the roles of the values.

    Args:
        text: The English text; it is marked for translation, as by `_`.
        role: The role of the words around the values.
        values: What replaces each placeholder. A piece keeps its own role; anything else is formatted and takes `role`.

    Returns:
        The pieces, in the word order of the current language.
    """
    pieces: list[Piece] = []
    for literal, name, spec, _conversion in Formatter().parse(_(text)):
        if literal:
            pieces.append((literal, role))
        if name:
            value = values[name]
            pieces.append(value if isinstance(value, tuple) else (format(value, spec or ""), role))
    return pieces


def styled_code(text: str, role: str) -> list[Piece]:
    """Split a text at its backticks: code becomes strong pieces, without the backticks."""
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return [(clean(text), role)]
    return [(part, f"{role} strong" if at % 2 else role) for at, part in enumerate(parts) if part]


# ------------------------------------------------------------ shortening

_BETWEEN: Piece = (" · ", "quiet")
_EQUALS = " = "
_MIN_CODE = 16
"""The width in cells below which code is not cut."""


def shortened(pieces: list[Piece], cells: int) -> list[Piece]:
    """Shorten a line of parts separated by `·` to fit `cells` cells.

    Errors stay; then coloured parts, then the last of the quiet parts, of which at least the words before the colon
    stay.
    """
    if row_width(pieces) <= cells:
        return pieces
    parts = [_without_terms(part) for part in _split_parts(pieces)]
    errors = [index for index, part in enumerate(parts) if any("error" in role for _, role in part)]
    coloured = [index for index, part in enumerate(parts) if not all(role == "quiet" for _, role in part)]
    quiet = [index for index in reversed(range(len(parts))) if index not in coloured]
    chosen: dict[int, list[Piece]] = {}
    for index in dict.fromkeys([0, *errors, *coloured, *quiet]):
        variants = [parts[index], *_shorter_variants(parts[index])]
        fitting = next(
            (variant for variant in variants if row_width(_join_parts({**chosen, index: variant})) <= cells), None
        )
        needed = not chosen or (len(chosen) == 1 and index in coloured)
        if fitting is not None or needed:
            chosen[index] = fitting or parts[index]
    return _cut_code(_join_parts(chosen), cells)


def _cut_code(pieces: list[Piece], cells: int) -> list[Piece]:
    """Shorten an operation that is still too wide: cut the end of its code, and keep its result."""
    excess = row_width(pieces) - cells
    for index, (text, role) in enumerate(pieces[:-1]):
        room = width(text) - excess
        if excess > 0 and role == "code" and pieces[index + 1][0] == _EQUALS and room >= _MIN_CODE:
            return [*pieces[:index], (cut(text, room), role), *pieces[index + 1 :]]
    return pieces


def _split_parts(pieces: list[Piece]) -> list[list[Piece]]:
    parts: list[list[Piece]] = [[]]
    for text, role in pieces:
        begins_part = text.startswith(_BETWEEN[0])
        if begins_part:
            parts.append([])
        rest = text.removeprefix(_BETWEEN[0])
        if rest:
            parts[-1].append((rest, role))
    return [part for part in parts if part]


def _join_parts(parts: dict[int, list[Piece]]) -> list[Piece]:
    joined: list[Piece] = []
    for index in sorted(parts):
        joined += [_BETWEEN, *parts[index]] if joined else parts[index]
    return joined


def _without_terms(part: list[Piece]) -> list[Piece]:
    """Return `y = a * b = 2.0 × 3.0 = 6.0` without the intermediate terms."""
    equals = [index for index, (text, _) in enumerate(part) if text == _EQUALS]
    return [*part[: equals[0]], *part[equals[-1] :]] if len(equals) > 1 else part


def _shorter_variants(part: list[Piece]) -> list[list[Piece]]:
    """Return shorter variants of a part, longest first.

    A sum loses its terms, quiet words end before their colon, a list loses its last items.
    """
    words, role = part[-1]
    if len(part) > 1:
        return [[*part[:-1], (words.rpartition(_EQUALS)[2], role)]] if role == "grad" and _EQUALS in words else []
    if role == "quiet":
        return [[(re.split(r": |：", words, maxsplit=1)[0], role)]]
    between = "；" if "；" in words else "; "
    items = words.split(between)
    return [[(between.join([*items[:count], "…"]), role)] for count in range(len(items) - 1, 0, -1)]


def shortened_rule(pieces: list[Piece], cells: int) -> list[Piece]:
    """Shorten the line of a node: drop the derivatives first, then the formula; the numbers stay."""
    if row_width(pieces) <= cells:
        return pieces
    for is_rule in (True, False):
        out: list[Piece] = []
        skip_separator = False
        for place, (text, role) in enumerate(pieces):
            if skip_separator:  # between the dropped piece and the next one
                skip_separator = False
                continue
            is_after_value = place and role == "value" and place + 1 < len(pieces)
            if is_after_value and (text.startswith("∂") if is_rule else pieces[place + 1][0] == _BETWEEN[0]):
                skip_separator = True
                continue
            out.append((text, role))
        pieces = out
        if row_width(pieces) <= cells:
            break
    return pieces


def middle_cut(name: str, cells: int, tail: int | None = None) -> str:
    """Cut a name in its middle, as names differ at their ends.

    Args:
        name: The name.
        cells: Most cells.
        tail: The cells after the cut; by default two thirds.
    """
    if width(name) <= cells:
        return name
    after = max(cells - 1, 0) * 2 // 3 if tail is None else tail
    return cut(name, max(cells - 1 - after, 0), "") + UNICODE.more + cut(name[::-1], after, "")[::-1]
