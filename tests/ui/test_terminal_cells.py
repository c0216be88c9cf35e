"""What is sent of a frame: a terminal shows the same as if all of it had been sent."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pyte
import pytest

from tests.sampling import count, seed
from tutor.text_width import width
from tutor.ui.render.segments import UNICODE
from tutor.ui.terminal_cells import SYNC_END, SYNC_START, TerminalCells

COLUMNS, ROWS = 30, 6
SIZE = COLUMNS, ROWS
TEXTS = ("w", "grad", " ", "   ", "▶ ", "│", "中文", "梯", "é", "0.5", "║", "W·x")
UNSURE = ("🙂", "e\u0301", "👍🏽 ok")
STYLES = (
    "38;2;1;2;3", "1;38;2;1;2;3", "38;2;1;2;3;48;2;9;9;9", "48;2;9;9;9", "4", "7;31", "3;9;38;5;200", "1;3;97;100",
    "21",
)  # fmt: skip


class Screen:
    """A terminal that draws what it is sent."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self.screen)
        self.feed("\x1b[?7l")  # as Textual says: no line wraps

    def feed(self, data: str) -> None:
        self._stream.feed(data)

    @property
    def cells(self) -> list[object]:
        """What can be seen: of a space that no line goes through, only the background."""
        cells = [self.screen.buffer[y][x] for y in range(ROWS) for x in range(COLUMNS)]
        return [
            (cell.data, cell.bg) if cell.data == " " and not (cell.underscore or cell.strikethrough or cell.reverse)
            else cell
            for cell in cells
        ]  # fmt: skip


def piece(random: Random, room: int, texts: tuple[str, ...]) -> str:
    """Text that fits; spaces where nothing else does."""
    text = random.choice(texts)
    return text if width(text) <= room else " " * room


def strip(random: Random, x: int, y: int, cells: int, texts: tuple[str, ...]) -> str:
    """A strip as Textual sends it: a move, then pieces with all their colours and a reset after each."""
    out = f"\x1b[{y + 1};{x + 1}H"
    while cells:
        text = piece(random, cells, texts)
        cells -= width(text)
        style = random.choice(("", *STYLES))
        out += f"\x1b[{style}m{text}\x1b[0m" if style else text
    return out


def frames(random: Random) -> list[str]:
    """Frames of strips in three columns, most of which are as before."""
    edges = (0, 7, 19, COLUMNS)
    texts = TEXTS + UNSURE * (random.random() < 0.5)
    places = [(x, y, end - x) for y in range(ROWS) for x, end in pairwise(edges)]
    strips = {place: strip(random, *place, texts) for place in places}
    found = ["".join(strips.values())]
    for _ in range(6):
        for place in random.sample(places, random.randrange(4)):
            strips[place] = strip(random, *place, texts)
        found.append("\x1b[1;1H\n" + "".join(random.sample(list(strips.values()), random.randrange(len(places)))))
    return found


@pytest.mark.parametrize("number", range(count(15, 600)))
def test_a_terminal_shows_the_same(number: int) -> None:
    random = Random(f"{seed()} {number}")
    whole, changed, cells = Screen(), Screen(), TerminalCells()
    for frame in frames(random):
        whole.feed(frame)
        changed.feed(cells.changes(frame, SIZE))
        assert changed.cells == whole.cells


def test_what_is_there_is_not_sent_again() -> None:
    cells = TerminalCells()
    frame = "\x1b[1;1H\x1b[1;38;2;1;2;3mstep 9\x1b[0m\n\x1b[2;1H中文\x1b[1;1H"
    assert cells.changes(frame, SIZE)
    assert cells.changes(frame, SIZE) == ""
    assert cells.changes(frame.replace("9", "8"), SIZE) == "\x1b[1;38;2;1;2;3m\x1b[5C8\x1b[0m\x1b[1;1H"
    assert cells.changes(frame.replace("9", "8"), (COLUMNS + 1, ROWS))  # another size: all of it may be gone


def test_each_style_is_sent_once() -> None:
    cells = TerminalCells()
    parts = "\x1b[1;1H\x1b[1;31;40ma\x1b[0m\x1b[31;40mb\x1b[0m\x1b[40m c\x1b[0m\x1b[1;31;40md\x1b[0m"
    sent = "\x1b[40m\x1b[1;4Hc\x1b[31m\x1b[1;2Hb \x1b[1m\x1b[1;1Ha\x1b[3Cd\x1b[0m"
    assert cells.changes(parts, SIZE) == sent


def test_nothing_is_sent_of_a_frame_without_changes() -> None:
    cells = TerminalCells()
    sent = [cells.changes(data, SIZE) for data in (SYNC_START, "\x1b[1;1Ha", SYNC_END)]
    assert "".join(sent) == f"{SYNC_START}\x1b[1;1Ha{SYNC_END}"
    assert [cells.changes(data, SIZE) for data in (SYNC_START, "\x1b[1;1Ha", SYNC_END)] == ["", "", ""]
    assert [cells.changes(data, SIZE) for data in (SYNC_START, "\x1b[2;1H", SYNC_END)] == [
        "", f"{SYNC_START}\x1b[2;1H", SYNC_END,
    ]  # fmt: skip


def test_another_screen_of_the_terminal_is_empty() -> None:
    cells = TerminalCells()
    frame = "\x1b[1;1Ha"
    cells.changes(frame, SIZE)
    assert cells.changes(f"\x1b[?25l\x1b]0;title\x07{frame}", SIZE) == "\x1b[?25l\x1b]0;title\x07"
    assert cells.changes(f"\x1b[?1049h{frame}", SIZE) == f"\x1b[?1049h{frame}"
    assert cells.changes(f"\x1b[2J{frame}", SIZE) == f"\x1b[2J{frame}"


def test_text_outside_of_the_terminal_is_sent_as_it_is() -> None:
    cells = TerminalCells()
    frame = f"\x1b[1;1Ha\x1b[{ROWS + 1};1Hb"
    assert cells.changes(frame, SIZE) == frame
    assert cells.changes(frame, SIZE) == frame


def test_a_change_beside_any_mark_of_ours_is_sent_without_the_mark() -> None:
    """A terminal is known to show each of our glyphs, and what formulas are written with, in one cell."""
    glyphs = [getattr(UNICODE, field) for field in UNICODE.__dataclass_fields__ if field != "ascii"]
    for mark in dict.fromkeys([*glyphs, *"ᵀ²·×∂Σ√≈≤∇σ"]):
        cells = TerminalCells()
        cells.changes(f"\x1b[1;1H{mark}1", SIZE)
        assert mark not in cells.changes(f"\x1b[1;1H{mark}2", SIZE)
