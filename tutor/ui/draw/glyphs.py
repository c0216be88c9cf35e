"""The marks of the screen, and what stands for them in a terminal that has only ASCII."""

from __future__ import annotations

import locale
from dataclasses import dataclass, replace
from functools import lru_cache


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
