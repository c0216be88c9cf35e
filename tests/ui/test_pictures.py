"""Figures as pictures, by sixel and by kitty's protocol: decoded again, they are what was recorded."""

from __future__ import annotations

import base64
import re
import struct
import unicodedata
import zlib
from pathlib import Path
from random import Random

import pytest

from tests.ui.conftest import text
from tests.ui.recordings import timeline_of, training
from tutor.lesson.catalog import Target
from tutor.trace.drawings import DEFAULT_INK, NO_GROUND, pack, pack_picture, unpack_picture
from tutor.trace.events import Figure, Picture
from tutor.trace.timeline import Timeline
from tutor.trace.wire import WireError
from tutor.ui.app import GradtutorApp
from tutor.ui.pictures import Pictures
from tutor.ui.render.pictures import kitty, marks, placeholders, png, recoloured, sixel
from tutor.ui.screens.lesson import LessonScreen
from tutor.ui.terminal_cells import ShownPicture, TerminalCells

WIDTH, HEIGHT = 70, 40
COLOURS = bytes([255, 255, 255, 0, 0, 0, 255, 0, 0, 51, 102, 153])


def pixels_of(seed: int) -> bytes:
    """Rows with runs and with single pixels of each colour."""
    random = Random(seed)
    out: list[int] = []
    while len(out) < WIDTH * HEIGHT:
        out += [random.randrange(4)] * random.choice((1, 2, 3, 7, 90))
    return bytes(out[: WIDTH * HEIGHT])


PIXELS = pixels_of(1)
PICTURE = pack_picture(7, 2, WIDTH, HEIGHT, COLOURS, PIXELS)
LARGE = pack_picture(40, 10, 400, 200, COLOURS, bytes(400 * 200))


def drawn_by_sixels(data: str) -> tuple[list[tuple[int, ...]], bytes]:
    """What a terminal makes of sixels: the colours in percent, and the number of the colour of each pixel."""
    begin = re.match(r'\x1bP0;1q"1;1;(\d+);(\d+)', data)
    assert begin is not None
    width, height = int(begin[1]), int(begin[2])
    colours: dict[int, tuple[int, ...]] = {}
    canvas = bytearray(b"\xff" * width * (height + 6))
    x = y = colour = 0
    body = data[begin.end() :].removesuffix("\x1b\\")
    for number, percent, count, repeated, once, control in re.findall(
        r"#(\d+)((?:;\d+){4})?|!(\d+)([?-~])|([?-~])|([$-])", body
    ):
        if number:
            colour = int(number)
            if percent:
                colours[colour] = tuple(map(int, percent.split(";")[2:]))
        elif control:
            x, y = 0, y + 6 * (control == "-")
        for _time in range(int(count or 1) if repeated or once else 0):
            for row in range(6):
                if ord(repeated or once) - 63 >> row & 1:
                    canvas[(y + row) * width + x] = colour
            x += 1
    assert set(canvas[width * height :]) == {255}, "nothing below the picture"
    return [colours[number] for number in sorted(colours)], bytes(canvas[: width * height])


def read_png(data: bytes) -> tuple[bytes, bytes]:
    """The colours and pixels of a PNG of ours."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
        assert checksum == zlib.crc32(name + body)
        chunks[name], place = body, place + 12 + length
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 3, 0, 0, 0]
    rows = zlib.decompress(chunks[b"IDAT"])
    lines = [rows[row * (width + 1) : (row + 1) * (width + 1)] for row in range(height)]
    assert all(line[0] == 0 for line in lines)
    return chunks[b"PLTE"], b"".join(line[1:] for line in lines)


@pytest.mark.parametrize("seed", range(3))
def test_sixels_are_the_picture(seed: int) -> None:
    pixels = pixels_of(seed)
    colours, drawn = drawn_by_sixels(sixel(WIDTH, HEIGHT, COLOURS, pixels))
    assert drawn == pixels
    assert colours == [(100, 100, 100), (0, 0, 0), (100, 0, 0), (20, 40, 60)]


def test_what_kitty_gets_is_the_picture_and_asks_for_no_answer() -> None:
    pixels = Random(5).randbytes(120 * 90).translate(bytes(value % 4 for value in range(256)))
    sent = kitty(0x123456, 12, 9, png(120, 90, COLOURS, pixels))
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sent)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) == sent
    assert len(parts) > 1
    assert all("q=2" in keys and len(data) <= 4096 for keys, data in parts)
    assert [keys.rpartition("m=")[2] for keys, _ in parts] == [*"1" * (len(parts) - 1), "0"]
    assert parts[0][0].startswith("a=T,U=1,f=100,t=d,q=2,i=1193046,c=12,r=9,")
    assert read_png(base64.b64decode("".join(data for _, data in parts))) == (COLOURS, pixels)


def test_a_placeholder_says_its_row_and_column() -> None:
    shown = placeholders("│" + marks(1, 3) + "│", 0x123456, "31")
    place = "\U0010eeee"
    zero, one, two = "\u0305", "\u030d", "\u030e"  # as kitty's rowcolumn-diacritics.txt begins
    assert shown == f"│\x1b[38;2;18;52;86m{place}{one}{zero}{place}{one}{one}{place}{one}{two}\x1b[31m│"
    numbers = placeholders(marks(0, 256), 1, "39").removeprefix("\x1b[38;2;0;0;1m").removesuffix("\x1b[39m")[2::3]
    assert len(set(numbers)) == 256
    assert {unicodedata.combining(number) for number in numbers} == {230}


def test_on_a_dark_ground_white_and_black_change_and_colours_stay() -> None:
    mixed = bytes([255, 255, 255, 0, 0, 0, 255, 0, 0, 255, 128, 128])
    ground, ink = (16, 20, 24), (220, 225, 230)
    shown = recoloured(mixed, ground, ink)
    assert shown == bytes([*ground, *ink, 255, 0, 0, 127 + 128 * 16 // 255, 128 * 20 // 255, 128 * 24 // 255])


class FakeTerminal:
    """Keeps what it is given."""

    def __init__(self, cell: tuple[int, int] = (0, 0)) -> None:
        self.cell = cell
        self.shown: list[tuple[ShownPicture, str]] = []

    def show_picture(self, picture: ShownPicture, data: str = "") -> None:
        self.shown.append((picture, data))

    def cell_size(self) -> tuple[int, int]:
        return self.cell


@pytest.mark.parametrize(
    ("protocol", "cell", "room", "size"),
    [
        ("kitty", (0, 0), (40, 10), (40, 10)),
        ("kitty", (5, 10), (39, 10), (7, 2)),  # kitty makes it as large as its cells
        ("kitty", (0, 0), (6, 2), None),
        ("sixel", (0, 0), (40, 10), (40, 10)),
        ("sixel", (9, 19), (44, 11), (7 + 1, 2 + 1)),
        ("sixel", (20, 40), (20, 5), (20, 5)),
        ("none", (0, 0), (80, 24), None),
    ],
)
def test_the_largest_picture_that_fits(
    protocol: str, cell: tuple[int, int], room: tuple[int, int], size: tuple[int, int] | None
) -> None:
    pictures = Pictures(protocol)
    pictures.terminal = FakeTerminal(cell)
    fitting = pictures.fitting([PICTURE, LARGE], *room)
    assert size == (None if fitting is None else (fitting.columns, fitting.rows))


@pytest.mark.parametrize(
    "picture",
    [
        Picture(7, 2, 70, 41, COLOURS, PICTURE.packed),
        Picture(7, 2, 70, 40, COLOURS[:9], PICTURE.packed),
        Picture(7, 2, 70, 40, COLOURS[:-1], PICTURE.packed),
        Picture(0, 2, 70, 40, COLOURS, PICTURE.packed),
        Picture(7, 2, 70, 40, COLOURS, PICTURE.packed[:-9]),
        pack_picture(7, 2, 70, 0, COLOURS, b""),
        pack_picture(7, 2, 4000, 4000, COLOURS, bytes(4000 * 4000)),
    ],
)
def test_a_damaged_picture_is_refused(picture: Picture) -> None:
    with pytest.raises(WireError):
        unpack_picture(picture)


# ------------------------------------------------------------ in the cells of the terminal


def rows_of_marks(x: int, y: int, columns: int, rows: int) -> str:
    return "".join(f"\x1b[{y + row + 1};{x + 1}H{marks(row, columns)}" for row in range(rows))


def test_sixels_are_drawn_when_all_cells_are_there_and_again_when_some_were_covered() -> None:
    cells = TerminalCells()
    size = 30, 6
    assert cells.show(ShownPicture(4, 2, "SIXELS")) == ""
    frame = "\x1b[1;1Habc" + rows_of_marks(5, 2, 4, 2)
    sent = cells.changes(frame, size)
    assert sent.endswith("\x1b[3;6HSIXELS\x1b[4;10H"), "and the cursor is where Textual left it"
    assert not any(ord(char) > 0xF0000 for char in sent), "marks are spaces"
    assert "SIXELS" not in cells.changes(frame, size), "nothing has changed"
    assert "SIXELS" not in cells.changes("\x1b[1;1Habd", size), "elsewhere"
    assert "SIXELS" not in cells.changes("\x1b[3;7Hmenu", size), "a part is covered"
    assert "\x1b[3;6HSIXELS" in cells.changes(frame, size)
    assert cells.show(ShownPicture(4, 2, "OTHER")) == "\x1b[3;6HOTHER"
    assert cells.show(ShownPicture(5, 2, "LARGER")) == "", "its marks are not there yet"
    assert "\x1b[3;5HLARGER" in cells.changes(rows_of_marks(4, 2, 5, 2), size)


def test_placeholders_stand_among_other_cells_in_their_colours() -> None:
    cells = TerminalCells()
    cells.show(ShownPicture(2, 1, number=7))
    red = "\x1b[38;2;255;0;0m"
    sent = cells.changes(f"\x1b[1;1H{red}ab\x1b[0m{red}{marks(0, 2)}\x1b[0m{red}cd\x1b[0m", (30, 6))
    place = "\U0010eeee"
    picture = f"\x1b[38;2;0;0;7m{place}\u0305\u0305{place}\u0305\u030d{red}"
    assert sent == f"{red}\x1b[1;1Hab{picture}cd\x1b[0m"


# ------------------------------------------------------------ in the chart pane


def with_figure(pictures: list[Picture]) -> Timeline:
    """A run with a figure in its middle."""
    events = training()
    drawing = pack(4, 1, [[("text", DEFAULT_INK, NO_GROUND)]])
    events.insert(len(events) // 2, Figure([], [drawing], "A title", pictures=pictures))
    return timeline_of(events)


@pytest.mark.parametrize("protocol", ["kitty", "sixel", "none"])
async def test_a_figure_is_shown_as_the_terminal_can(tmp_path: Path, protocol: str) -> None:
    timeline = with_figure([PICTURE])
    app = GradtutorApp(
        Target("trace", Path("a.trace"), "a.trace"), lessons=tmp_path, timeline=timeline, images=protocol
    )  # fmt: skip
    terminal = FakeTerminal()
    async with app.run_test(size=(120, 40)) as pilot:
        app.pictures.terminal = terminal
        await pilot.press("end")
        await pilot.pause(0.1)
        assert isinstance(app.screen, LessonScreen)
        assert "figure 1 of 1" in text(app)
        shown = marks(0, 7) in text(app) and marks(1, 7) in text(app)
        assert shown == (protocol != "none")
        assert ("text" in text(app)) == (protocol == "none")
        await pilot.press("left", "right")
        await pilot.pause(0.1)
    assert len(terminal.shown) == (protocol != "none"), "given once"
    if protocol == "sixel":
        colours, drawn = drawn_by_sixels(terminal.shown[0][0].sixels)
        assert drawn == PIXELS
        assert colours[0] < (30, 30, 30), "white is the dark ground"


async def test_a_recording_without_pictures_says_so(tmp_path: Path) -> None:
    timeline = with_figure([])
    app = GradtutorApp(Target("trace", Path("a.trace"), "a.trace"), lessons=tmp_path, timeline=timeline, images="kitty")
    async with app.run_test(size=(120, 40)) as pilot:
        app.pictures.terminal = FakeTerminal()
        await pilot.press("end")
        await pilot.pause(0.1)
        assert "recorded without pictures" in text(app)
        assert "text" in text(app)


async def test_marks_in_what_a_program_prints_are_no_picture(tmp_path: Path) -> None:
    timeline = with_figure([])
    app = GradtutorApp(
        Target("trace", Path("a.trace"), marks(0, 5)), lessons=tmp_path, timeline=timeline, images="kitty"
    )  # fmt: skip
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.1)
        assert not any(ord(char) >= 0xF0000 for char in text(app))
