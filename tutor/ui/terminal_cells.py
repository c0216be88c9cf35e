"""The cells that the terminal shows, so that only those that change are sent.

Textual sends rows from the left edge of a widget, with all of its colours before each piece of text and a reset after
it: four bytes in five are colours. `TerminalCells` keeps what the terminal shows, and writes what Textual sends as the
cells that differ, with the colours that differ.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from tutor.text_width import width
from tutor.ui.render.pictures import MARKS, marks, placeholders, without_marks

SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
"""Begin and end what the terminal is to show at once."""

_PART = re.compile(
    r"\x1b\[([\d;]*)m([^\x00-\x1f\x7f]*)(\x1b\[0m)?"  # colours, text in them, and a reset
    r"|\x1b\[(\d+);(\d+)H"  # a move: row and column
    r"|([^\x00-\x1f\x7f]+)"  # text as before
    r"|(\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\)|[ -/]*[0-~])|[\x00-\x1f\x7f])",  # another sequence
    re.DOTALL,
)
_KEEPS_CELLS = re.compile(
    r"\x1b\[\?(?!47[hl]|104[79][hl])[\d;]+(?:[hl]|\$p)|\x1b\[[<>=][\d;]*u|\x1b\].*|\x07", re.DOTALL
)
"""Modes but for the alternate screen, the keyboard protocol, titles, the clipboard and the bell."""
_SURE = re.compile(
    "[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u03ff\u0400-\u0482\u1d2c-\u1d6a\u2010-\u2027\u2030-\u205e\u2070-\u20cf"
    "\u2190-\u23e8\u2400-\u2426\u2500-\u25fc\u25ff-\u2613\u2616-\u2647\u2713\u2717\u27c0-\u2aff\u2800-\u28ff"
    "\u3000-\u3029\u3030-\u303e\u3041-\u3096\u309b-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff60"
    + f"{MARKS}]*"
)
"""Characters that take as many cells in each terminal. Not so are emoji, and marks that join the one before."""
_BRIDGE = 4
"""The most unchanged cells between changed ones that are sent again rather than skipped."""


class ShownPicture(NamedTuple):
    """The picture whose marks are in the cells."""

    columns: int
    rows: int
    sixels: str = ""
    """What draws it from the cell of its first mark on; empty for kitty's protocol."""
    number: int = 0
    """The number of it in kitty's protocol, in which characters stand for it."""


class Style(NamedTuple):
    """How text looks, as the parameters of SGR."""

    foreground: str = ""
    background: str = ""
    attributes: tuple[str, ...] = ()


_ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}
"""What ends an attribute."""
_SEEN_IN_SPACES = {"4", "7", "9", "21", "53"}
_COLOUR_PARAMETERS = {"5": 3, "2": 5}
"""How many parameters a colour of the palette and one of red, green and blue have."""


@lru_cache(4096)
def _only(style: Style) -> Style:
    """Return the one object that stands for equal styles."""
    return style


_RESET = _only(Style())


@lru_cache(4096)
def _after(style: Style, parameters: str) -> Style:
    """Return the style that SGR with these parameters makes of a style."""
    foreground, background, attributes = style
    values = parameters.split(";")
    while values:
        value = values[0].lstrip("0")
        size = _COLOUR_PARAMETERS.get(values[1], 1) if value in ("38", "48") and len(values) > 1 else 1
        taken, values = values[:size], values[size:]
        number = int(value or 0)
        if not number:
            foreground, background, attributes = _RESET
        elif 30 <= number <= 38 or 90 <= number <= 97:
            foreground = ";".join(taken)
        elif 40 <= number <= 48 or 100 <= number <= 107:
            background = ";".join(taken)
        elif number == 39:
            foreground = ""
        elif number == 49:
            background = ""
        elif value in _ENDS.values():
            attributes = tuple(each for each in attributes if _ENDS.get(each) != value)
        else:
            attributes = tuple(sorted({*attributes, value}))
    return _only(Style(foreground, background, attributes))


@lru_cache(4096)
def _change(old: Style, new: Style) -> str:
    """Return the sequence that changes the style."""
    if old == new:
        return ""
    ended = [value for value in old.attributes if value not in new.attributes]
    if new == _RESET:
        return "\x1b[0m"
    weights = {"1", "2"}  # which have their end in common
    if any(value not in _ENDS for value in ended) or (weights & set(ended) and weights & set(new.attributes)):
        return f"\x1b[0;{_change(_RESET, new)[2:]}"
    parts = [*dict.fromkeys(_ENDS[value] for value in ended)]
    parts += [value for value in new.attributes if value not in old.attributes]
    parts += [new.foreground or "39"] if new.foreground != old.foreground else []
    parts += [new.background or "49"] if new.background != old.background else []
    return f"\x1b[{';'.join(parts)}m"


@lru_cache(4096)
def _of_space(style: Style) -> Style:
    """Return the style that a space needs: most show only the background."""
    return style if _SEEN_IN_SPACES.intersection(style.attributes) else _only(Style(background=style.background))


@lru_cache(4096)
def _cells(text: str, style: Style) -> tuple[list[str], list[Style]] | None:
    """Return the characters and styles of cells, with no character where a wide one goes on; None if terminals differ.

    The lists are of equal length, and not to be changed.
    """
    cells = []
    if text.isascii():
        cells = list(text)
    elif _SURE.fullmatch(text):
        for char in text:
            cells += [char, ""] if width(char) == 2 else [char]
    else:
        return None
    of_space = _of_space(style)
    return cells, [of_space if char == " " else style for char in cells]


def _looks(char: str, style: Style, current: Style) -> bool:
    """Return whether a character of a style looks the same in the current one."""
    return style is current or (char == " " and style is _of_space(current))


class _Run:
    """Cells side by side that are sent in one style."""

    __slots__ = ("end", "is_blank", "style", "text", "x", "y")

    def __init__(self, x: int, y: int, style: Style) -> None:
        self.x, self.y, self.style = x, y, style
        self.end = x
        self.text: list[str] = []
        self.is_blank = True
        """Whether it is only spaces."""

    def takes(self, char: str, style: Style) -> bool:
        """Return whether the run can go on with a character of a style."""
        return _looks(char, style, self.style) or (self.is_blank and self.style is _of_space(style))

    def add(self, char: str, style: Style, end: int) -> None:
        """Add a character that it takes, up to a column."""
        if char != " " and self.is_blank:
            self.style, self.is_blank = style, False
        self.text.append(char)
        self.end = end

    def order(self) -> tuple[str, tuple[str, ...], str]:
        """Return where its style comes: what takes the most bytes changes least."""
        return self.style.background, self.style.attributes, self.style.foreground


class TerminalCells:
    """What the terminal shows in each cell: `""` where a wide character goes on, None where that is not known."""

    def __init__(self) -> None:
        self._size = 0, 0
        self._chars: list[list[str | None]] = []
        self._styles: list[list[Style]] = []
        self._new: dict[int, tuple[list[str | None], list[Style]]] = {}
        """Rows that are not sent yet; `_chars` and `_styles` have what the terminal still shows there."""
        self._spans: dict[int, tuple[int, int]] = {}
        """The columns in which these rows may differ."""
        self._position: tuple[int, int] | None = None
        """Column and row of the next text that comes; None where that is not known."""
        self._style = _RESET
        """The style of the next text that comes."""
        self._in_forgotten_row = False
        """Whether the next text that comes continues a row of which nothing is known."""
        self._cursor: tuple[int, int] | None = None
        """Column and row of the terminal's cursor."""
        self._cursor_style = _RESET
        """The style of what is sent next."""
        self._begun = False
        """Whether a frame has begun of which nothing is sent yet."""
        self._picture: ShownPicture | None = None
        self._is_picture_due = False
        """Whether cells of the picture were sent since it was drawn."""

    def show(self, picture: ShownPicture) -> str:
        """Let marks stand for another picture; return what to send for those that are shown."""
        self._picture, self._is_picture_due = picture, True
        out: list[str] = []
        self._draw_picture(out)
        return "".join(out)

    def changes(self, data: str, size: tuple[int, int]) -> str:
        """Return what to send in place of `data` to a terminal of this many columns and rows."""
        if size != self._size:
            self._size = size
            self._forget()
        out: list[str] = []
        for colours, text, reset, row, column, plain, sequence in _PART.findall(data):
            if sequence == "\n":
                self._position, self._in_forgotten_row = None, False  # Textual moves the cursor next
            elif sequence:
                self._send_rows(out)
                self._send_sequence(sequence, out)
            elif row:
                self._position, self._in_forgotten_row = (int(column) - 1, int(row) - 1), False
            else:
                self._style = self._style if plain else _after(self._style, colours)
                text = text or plain
                if text and not self._put(text):
                    self._send_as_it_is(text, out)
                self._style = _RESET if reset else self._style
        self._send_rows(out)
        if self._position is not None and self._position != self._cursor:
            self._move(*self._position, out)
        return "".join(out)

    def _put(self, text: str) -> bool:
        """Put text into the cells; return whether it is known in which."""
        cells, (columns, rows) = _cells(text, self._style), self._size
        if cells is None or self._position is None:
            return False
        start, y = self._position
        end = start + len(cells[0])
        if end > columns or y >= rows:
            return False
        self._position = end, y
        chars, styles = self._new.get(y) or (self._chars[y], self._styles[y])
        if (chars[start:end], styles[start:end]) == cells:
            return True
        if y not in self._new:
            chars, styles = self._new[y] = chars.copy(), styles.copy()
            self._spans[y] = start, end
        first, last = self._spans[y]
        self._spans[y] = min(first, start), max(last, end)
        if chars[start] == "":  # terminals empty the other half of a wide character
            chars[start - 1] = None
        if end < columns and chars[end] == "":
            chars[end] = None
        chars[start:end], styles[start:end] = cells
        return True

    def _send_rows(self, out: list[str]) -> None:
        """Send the cells that differ from what the terminal shows, style by style: to move costs less than to change
        colours."""
        runs: list[_Run] = []
        for y, (chars, styles) in self._new.items():
            runs += self._runs(y, chars, styles)
            self._chars[y], self._styles[y] = chars, styles
        self._new.clear()
        self._spans.clear()
        with_text = {_of_space(run.style): run.style for run in runs if not run.is_blank}
        for run in runs:
            if run.is_blank:
                run.style = with_text.get(run.style, run.style)
        runs.sort(key=_Run.order)
        for run in runs:
            self._restyle(run.style, out)
            self._go(run.x, run.y, out)
            out.append(self._without_marks("".join(run.text)))
            self._cursor = run.end, run.y
        self._restyle(_RESET, out)
        self._draw_picture(out)

    def _without_marks(self, text: str) -> str:
        """Return a text with what the terminal is to have in place of marks."""
        picture = self._picture
        if picture is None or max(text) < marks(0, 1):
            return text
        self._is_picture_due = True
        if picture.sixels:
            return without_marks(text)
        return placeholders(text, picture.number, self._cursor_style.foreground or "39")

    def _draw_picture(self, out: list[str]) -> None:
        """Draw the picture over its cells, if any of them was sent and all are there: another screen may cover some."""
        picture, self._is_picture_due = self._picture if self._is_picture_due else None, False
        if picture is None or not picture.sixels:
            return
        expected = [[*marks(row, picture.columns)] for row in range(picture.rows)]
        for y, chars in enumerate(self._chars[: 1 - picture.rows or None]):
            if expected[0][0] in chars:
                x = chars.index(expected[0][0])
                below = (line[x : x + picture.columns] for line in self._chars[y : y + picture.rows])
                if [*below] == expected:
                    self._move(x, y, out)
                    out.append(picture.sixels)
                    self._cursor = None
                return

    def _runs(self, y: int, chars: list[str | None], styles: list[Style]) -> list[_Run]:
        """Return the cells of a row that differ, in runs of one style; spaces belong to any of their background."""
        first, last = self._spans[y]
        rows = chars, styles, self._chars[y], self._styles[y]
        runs: list[_Run] = []
        run: _Run | None = None
        for x, (char, style, old_char, old_style) in enumerate(
            zip(*(row[first:last] for row in rows), strict=True), first
        ):
            if not char or (char == old_char and style is old_style):
                continue
            if run is None or run.end != x or not run.takes(char, style):
                run = _Run(x, y, style)
                runs.append(run)
            run.add(char, style, x + (2 if chars[x + 1 : x + 2] == [""] else 1))
        return runs

    def _go(self, x: int, y: int, out: list[str]) -> None:
        """Go to a cell: over a few cells of a row by sending them again, over many by moving the cursor."""
        if self._cursor == (x, y):
            return
        column, row = self._cursor or (x, -1)
        if row != y or column >= x:
            self._move(x, y, out)
            return
        if x - column <= _BRIDGE:
            cells = zip(self._chars[y][column:x], self._styles[y][column:x], strict=True)
            text = [
                char for char, style in cells if char and char.isascii() and _looks(char, style, self._cursor_style)
            ]
            if len(text) == x - column:
                out += text
                return
        out.append(f"\x1b[{x - column}C")

    def _move(self, x: int, y: int, out: list[str]) -> None:
        self._begin(out)
        out.append(f"\x1b[{y + 1};{x + 1}H")
        self._cursor = x, y

    def _restyle(self, style: Style, out: list[str]) -> None:
        out.append(_change(self._cursor_style, style))
        self._cursor_style = style

    def _begin(self, out: list[str]) -> None:
        """Begin the frame before anything is sent of it: an empty one is never sent."""
        if self._begun:
            self._begun = False
            out.append(SYNC_START)

    def _send_as_it_is(self, text: str, out: list[str]) -> None:
        """Send text of which it is not known how many cells it takes, or where it is."""
        position, continued = self._position, self._in_forgotten_row
        self._send_rows(out)
        self._begin(out)
        if position is not None:
            self._move(*position, out)
        self._restyle(self._style, out)
        out.append(text)
        self._restyle(_RESET, out)
        if position is not None and position[1] < self._size[1] and position[0] + width(text) <= self._size[0]:
            self._chars[position[1]] = [None] * self._size[0]
            continued = True
        if not continued:
            self._forget()
        self._position = self._cursor = None
        self._in_forgotten_row = continued

    def _send_sequence(self, sequence: str, out: list[str]) -> None:
        if sequence == SYNC_START:
            self._begun = True
        elif sequence == SYNC_END and self._begun:
            self._begun = False
        else:
            self._begin(out)
            out.append(sequence)
            if sequence != SYNC_END and not _KEEPS_CELLS.fullmatch(sequence):
                self._forget()

    def _forget(self) -> None:
        """Take nothing of what the terminal shows for known."""
        columns, rows = self._size
        self._chars = [[None] * columns for _row in range(rows)]
        self._styles = [[_RESET] * columns for _row in range(rows)]
        self._new = {}
        self._position = self._cursor = None
