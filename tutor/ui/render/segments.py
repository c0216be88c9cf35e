"""The marks of the screen, and what stands for them in a terminal that has only ASCII.

A row of the screen: pieces of text, each with a role that says what it means, never how it looks.

A sentence in the language of the interface, in pieces: what stands in its blanks has a role of its own.

Explaining lines that have to fit: what matters least gives way."""

from __future__ import annotations

import locale
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from string import Formatter
from typing import TypeAlias

from tutor.i18n import _
from tutor.text_width import cut, width


@dataclass(frozen=True)
class Glyphs:
    """One character for each mark; meaning lies in the shape, colour only repeats it."""

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
    linked: str = "┊"
    full: str = "▮"
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
    # A frame, and the lanes of the graph: corners and joins by the strokes that they have.
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
    # The bar of time.
    past: str = "━"
    past_back: str = "━"
    future: str = "─"
    hidden: str = "┄"
    tick: str = "┼"
    cursor: str = "●"
    ascii: bool = False

    @property
    def double_joins(self) -> str:
        """As `join_left`, `join_both`, `join_right`, for what is an input more than once."""
        return "HHH" if self.ascii else "╡╪╞"

    @property
    def double_ends(self) -> str:
        """As `bottom_right`, `end_both`, `bottom_left`, for what is an input more than once."""
        return "UUU" if self.ascii else "╛╧╘"

    def stroke(self, strokes: int) -> str:
        """A line of the graph where these strokes meet: 1 up, 2 down, 4 left, 8 right.

        In ASCII `.` leads down, `'` up and `+` both; left and right are told by what stands beside it.
        """
        return (_ASCII_STROKES if self.ascii else _STROKES)[strokes]

    def border(self, kind: str) -> str:
        """The frame of a box: top left, across, top right, down, bottom left, bottom right."""
        borders = _ASCII_BORDERS if self.ascii else _BORDERS
        return borders.get(kind, borders["op"])

    def text(self, text: str) -> str:
        """The text as this terminal can show it."""
        if not self.ascii or text.isascii():
            return text
        return text.translate(_SPELLING).encode("ascii", "replace").decode()


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
"""Without colours: the backward stretch of the bar of time is told by its shape."""
ASCII = Glyphs(
    leaf="#", op="*", freed="o", given="%", module="&", freed_module="0", linked=":", full="]",
    grad="g", yes="y", no="x",
    now=">", caller="}", new="<", explain=">", crumb=">", dot="-", none="-", more="~", arrow=">", waiting="o",
    begun="~", bullet="*", rule="-", thumb="#", across="-", down="|", top_left="+", top_right="+", bottom_left="`",
    bottom_right="'", join_left="+", join_right="+", join_both="+", end_both="'", arrowhead="v", past="=",
    past_back="<", future="-", hidden=".", tick="|", cursor="@", ascii=True,
)  # fmt: skip

_SPELLING = str.maketrans(
    {
        **{getattr(UNICODE, name): getattr(ASCII, name) for name in UNICODE.__dataclass_fields__ if name != "ascii"},
        "∂": "d", "×": "x", "−": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "≈": "~", "≤": "<", "≥": ">",
        "←": "<", "↑": "^", "↓": "v", "²": "2", "³": "3", "Σ": "S", "σ": "s", "√": "v", "�": "?", "␛": "^",
    }
)  # fmt: skip


@lru_cache(2)
def for_terminal(colours: bool = True) -> Glyphs:
    """The marks that this terminal can show, by the encoding that the locale names (and not UTF-8 mode)."""
    encoding = locale.getencoding().lower().replace("-", "")
    if encoding not in ("utf8", "cp65001"):
        return ASCII
    return UNICODE if colours else PLAIN


Piece: TypeAlias = tuple[str, str]
"""Text and its roles, separated by spaces: `"grad strong"`."""
Row: TypeAlias = tuple[Piece, ...]

EMPTY: Row = ()
TAB = "    "


def row_width(row: Iterable[Piece]) -> int:
    return sum(width(text) for text, _ in row)


def clean(text: str) -> str:
    """The text without anything that a terminal would obey: a control character is shown as a picture of itself.

    As many characters come out as went in, so that columns stay what they are; a tab stays a tab.
    """
    return text if text.isprintable() else "".join(map(_harmless, text))


@lru_cache(4096)
def _harmless(char: str) -> str:
    if char == "\t" or char.isprintable():
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    # Spaces of other kinds; a lone surrogate cannot be written at all; what turns text around is dropped.
    category = unicodedata.category(char)
    return " " if category.startswith("Z") else "·" if category == "Cf" else "�"


def harmless(row: Row) -> Row:
    """The row as `clean` leaves its texts, and without tabs: whatever a recording says, this is where it is drawn."""
    if all(text.isprintable() for text, _ in row):
        return row
    return tuple((clean(text).replace("\t", " "), roles) for text, roles in row)


def fit(row: Row, cells: int, role: str = "plain", more: str = "…") -> Row:
    """The row cut or filled to exactly so many cells."""
    taken = 0
    out: list[Piece] = []
    for text, roles in row:
        size = width(text)
        if taken + size > cells:
            while out and taken == cells:  # the mark of the cut takes the last cell
                text, roles = out.pop()
                taken -= width(text)
                text += more
            piece = cut(text, cells - taken, more)
            out.append((piece, roles))
            taken += width(piece)
            break
        out.append((text, roles))
        taken += size
    if taken < cells:
        out.append((" " * (cells - taken), role))
    return tuple(piece for piece in out if piece[0])


def tinted(row: Row, role: str) -> Row:
    """The row with one more role on each piece."""
    return tuple((text, f"{roles} {role}") for text, roles in row)


def difference(old: Row, new: Row) -> tuple[int, int] | None:
    """The columns in which two rows differ, first and last (exclusive); None where they are the same.

    It looks at whole pieces, which is exact enough to send little to the terminal.
    """
    if old == new:
        return None
    start = 0
    for a, b in zip(old, new, strict=False):
        if a != b:
            break
        start += width(a[0])
    ends = [row_width(old), row_width(new)]
    if ends[0] != ends[1]:
        return start, max(ends)
    end = ends[0]
    for a, b in zip(reversed(old), reversed(new), strict=False):
        if a != b:
            break
        end -= width(a[0])
    return start, max(end, start + 1)


def phrase(text: str, role: str = "quiet", /, **values: Piece | str | int) -> list[Piece]:
    """`phrase("back at step {step}", step=("9", "value"))`: the pieces in the order of the language."""
    found: list[Piece] = []
    for before, name, spec, _conversion in Formatter().parse(_(text)):
        if before:
            found.append((before, role))
        if name:
            value = values[name]
            found.append(value if isinstance(value, tuple) else (format(value, spec or ""), role))
    return found


def ticked(text: str, role: str) -> list[Piece]:
    """What a lesson says, where it is no prose; `code` in backticks stands out without them."""
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return [(clean(text), role)]
    return [(part, f"{role} strong" if at % 2 else role) for at, part in enumerate(parts) if part]


_BETWEEN: Piece = (" · ", "quiet")
_EQUALS = " = "
_STEP = re.compile(r"\.?[^.\[\]]+|\[[^\]]*\]")
_LEAST = 16
"""Code is not cut to less."""


def shortened(pieces: list[Piece], cells: int) -> list[Piece]:
    """A line of parts. What went wrong stays, then what has colour, then the last of what is said in quiet words, and
    of that at least what stands before its colon."""
    if row_width(pieces) <= cells:
        return pieces
    parts = [_worked_out(part) for part in _parts(pieces)]
    wrong = [at for at, part in enumerate(parts) if any("error" in role for _, role in part)]
    telling = [at for at, part in enumerate(parts) if not all(role == "quiet" for _, role in part)]
    quiet = [at for at in reversed(range(len(parts))) if at not in telling]
    kept: dict[int, list[Piece]] = {}
    for at in dict.fromkeys([0, *wrong, *telling, *quiet]):
        ways = [parts[at], *_briefer(parts[at])]
        fits = next((way for way in ways if row_width(_joined({**kept, at: way})) <= cells), None)
        needed = not kept or (len(kept) == 1 and at in telling)
        if fits is not None or needed:
            kept[at] = fits or parts[at]
    return _code_cut(_joined(kept), cells)


def _code_cut(pieces: list[Piece], cells: int) -> list[Piece]:
    """Of an operation that is still too long: the end of its code gives way, the result stays."""
    too_many = row_width(pieces) - cells
    for at, (text, role) in enumerate(pieces[:-1]):
        room = width(text) - too_many
        if too_many > 0 and role == "code" and pieces[at + 1][0] == _EQUALS and room >= _LEAST:
            return [*pieces[:at], (cut(text, room), role), *pieces[at + 1 :]]
    return pieces


def _parts(pieces: list[Piece]) -> list[list[Piece]]:
    parts: list[list[Piece]] = [[]]
    for text, role in pieces:
        begins = text.startswith(_BETWEEN[0])
        if begins:
            parts.append([])
        rest = text.removeprefix(_BETWEEN[0])
        if rest:
            parts[-1].append((rest, role))
    return [part for part in parts if part]


def _joined(parts: dict[int, list[Piece]]) -> list[Piece]:
    joined: list[Piece] = []
    for at in sorted(parts):
        joined += [_BETWEEN, *parts[at]] if joined else parts[at]
    return joined


def _worked_out(part: list[Piece]) -> list[Piece]:
    """`y = a * b = 2.0 × 3.0 = 6.0` without the working."""
    signs = [at for at, (text, _) in enumerate(part) if text == _EQUALS]
    return [*part[: signs[0]], *part[signs[-1] :]] if len(signs) > 1 else part


def _briefer(part: list[Piece]) -> list[list[Piece]]:
    """Shorter ways to say a part: a sum without its terms, quiet words up to their colon, a list without its last
    items."""
    words, role = part[-1]
    if len(part) > 1:
        return [[*part[:-1], (words.rpartition(_EQUALS)[2], role)]] if role == "grad" and _EQUALS in words else []
    if role == "quiet":
        return [[(re.split(r": |：", words, maxsplit=1)[0], role)]]
    between = "；" if "；" in words else "; "
    items = words.split(between)
    return [[(between.join([*items[:count], "…"]), role)] for count in range(len(items) - 1, 0, -1)]


def shortened_rule(pieces: list[Piece], cells: int) -> list[Piece]:
    """The line of a node: first the derivatives give way, then the formula; the numbers stay."""
    if row_width(pieces) <= cells:
        return pieces
    for is_rule in (True, False):
        out: list[Piece] = []
        skip = False
        for place, (text, role) in enumerate(pieces):
            if skip:  # the sign between what is gone and what follows
                skip = False
                continue
            follows = place and role == "value" and place + 1 < len(pieces)
            if follows and (text.startswith("∂") if is_rule else pieces[place + 1][0] == _BETWEEN[0]):
                skip = True
                continue
            out.append((text, role))
        pieces = out
        if row_width(pieces) <= cells:
            break
    return pieces


def shortened_path(name: str, cells: int) -> str:
    """A tensor's path in so many cells: `m.t.layers[0].q.weight`. Its first steps give way to their first letters, as
    paths differ at their ends and in their numbers; then the front goes."""
    steps = _STEP.findall(name)
    for place in range(len(steps) - 1):
        if width("".join(steps)) <= cells:
            break
        plain = steps[place].removeprefix(".")
        steps[place] = steps[place] if plain.startswith("[") else steps[place][: len(steps[place]) - len(plain) + 1]
    short = "".join(steps) if "".join(_STEP.findall(name)) == name else name
    return short if width(short) <= cells else "…" + short[len(short) - max(cells - 1, 0) :].lstrip(".")
