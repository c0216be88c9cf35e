"""Pictures in the terminal, by sixel or by the graphics protocol of kitty, without asking the terminal anything.

In the cells of a picture stand marks: characters of a private range, one for each row and column. So whatever draws
cells treats a picture as text, and `TerminalCells` puts into their place what the protocol wants.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Sequence

_FIRST_MARK = 0xF0000
MOST_COLUMNS, MOST_ROWS = 256, 64
"""Columns and rows of cells of a picture, at most."""
MARKS = f"{chr(_FIRST_MARK)}-{chr(_FIRST_MARK + MOST_COLUMNS * MOST_ROWS - 1)}"
"""The range of the marks, for a regular expression."""
_RUN = re.compile(f"[{MARKS}]+")

Rgb = tuple[int, int, int]


def marks(row: int, columns: int) -> str:
    """Return the marks of a row of a picture."""
    first = _FIRST_MARK + row * MOST_COLUMNS
    return "".join(map(chr, range(first, first + columns)))


def without_marks(text: str) -> str:
    """Return a text with spaces for marks."""
    return _RUN.sub(lambda run: " " * len(run[0]), text)


def recoloured(colours: bytes, ground: Rgb, ink: Rgb) -> bytes:
    """Return colours of a picture for a dark terminal: white becomes its ground, black its ink, and what is mixed of
    them and another colour is mixed so.

    Args:
        colours: Red, green and blue of each.
        ground: The colour of the terminal's ground.
        ink: That of its text.
    """
    out = bytearray()
    for place in range(0, len(colours) - 2, 3):
        colour = colours[place : place + 3]
        white, black = min(colour), 255 - max(colour)
        out += bytes(
            min(255, part - white + (white * below + black * above) // 255)
            for part, below, above in zip(colour, ground, ink, strict=True)
        )
    return bytes(out)


# ------------------------------------------------------------ sixel

_BAND = 6
"""Rows of pixels that one character of sixel holds."""
_REPEATED = re.compile(rb"(.)\1{3,}", re.DOTALL)


def sixel(width: int, height: int, colours: bytes, pixels: bytes) -> str:
    """Return a picture as sixels.

    Args:
        width: Its width in pixels.
        height: Its height.
        colours: Red, green and blue of each colour.
        pixels: The number of the colour of each pixel, row by row.
    """
    out = [f'\x1bP0;1q"1;1;{width};{height}'.encode()]
    for number in range(len(colours) // 3):
        red, green, blue = (round(part * 100 / 255) for part in colours[3 * number : 3 * number + 3])
        out.append(b"#%d;2;%d;%d;%d" % (number, red, green, blue))
    of_colour = {number: bytes(number) + b"\x01" + bytes(255 - number) for number in set(pixels)}
    as_text = bytes(63 + value if value < 64 else 63 for value in range(256))
    for top in range(0, height, _BAND):
        band = [pixels[row * width : (row + 1) * width] for row in range(top, min(top + _BAND, height))]
        for number in sorted(set(b"".join(band))):
            table, bits = of_colour[number], 0
            for row, line in enumerate(band):
                bits |= int.from_bytes(line.translate(table)) << row  # a byte a pixel, a bit a row
            text = bits.to_bytes(width).translate(as_text)
            out.append(b"#%d%b$" % (number, _REPEATED.sub(lambda run: b"!%d%b" % (len(run[0]), run[1]), text)))
        out.append(b"-")
    out.append(b"\x1b\\")
    return b"".join(out).decode("ascii")


# ------------------------------------------------------------ kitty

_PLACEHOLDER = "\U0010eeee"
_CHUNK = 4096
"""Characters of data in one sequence, at most."""
_RANGES = (
    "305 30d-30e 310 312 33d-33f 346 34a-34c 350-352 357 35b 363-36f 483-487 592-595 597-599 59c-5a1 5a8-5a9 "
    "5ab-5ac 5af 5c4 610-617 657-65b 65d-65e 6d6-6dc 6df-6e2 6e4 6e7-6e8 6eb-6ec 730 732-733 735-736 73a 73d "
    "73f-741 743 745 747 749-74a 7eb-7f1 7f3 816-819 81b-823 825-827 829-82d 951 953-954 f82-f83 f86-f87 "
    "135d-135f 17dd 193a 1a17 1a75-1a7c 1b6b 1b6d-1b73 1cd0-1cd2 1cda-1cdb 1ce0 1dc0-1dc1 1dc3-1dc9 1dcb-1dcc "
    "1dd1-1de6 1dfe 20d0-20d1 20d4-20d7 20db-20dc 20e1 20e7 20e9 20f0 2cef-2cf1 2de0-2dff a66f a67c-a67d "
    "a6f0-a6f1 a8e0-a8e5 "
)
"""The combining characters that stand for 0, 1, 2 … beside a placeholder, as kitty numbers them."""
_NUMBERS = "".join(
    chr(code)
    for first, _dash, last in (part.partition("-") for part in _RANGES.split())
    for code in range(int(first, 16), int(last or first, 16) + 1)
)


def kitty(number: int, columns: int, rows: int, png: bytes) -> str:
    """Return what gives the terminal a picture, to be shown where its placeholders are; it is not to answer.

    Args:
        number: The number of the picture, of 24 bits; it replaces the one of this number.
        columns: The columns of cells that it takes.
        rows: The rows of cells.
        png: The picture.
    """
    data = base64.b64encode(png).decode("ascii")
    out = []
    keys = f"a=T,U=1,f=100,t=d,q=2,i={number},c={columns},r={rows},"
    for place in range(0, len(data), _CHUNK):
        more = int(place + _CHUNK < len(data))
        out.append(f"\x1b_G{keys}m={more};{data[place : place + _CHUNK]}\x1b\\")
        keys = "q=2,"
    return "".join(out)


def kitty_end(number: int) -> str:
    """Return what lets the terminal forget a picture."""
    return f"\x1b_Ga=d,d=I,q=2,i={number}\x1b\\"


def placeholders(text: str, number: int, colour: str) -> str:
    """Return a text with placeholders of a picture for marks.

    Args:
        text: The text.
        number: The number of the picture: it is the colour of the placeholders.
        colour: The colour of the other characters, as a parameter of SGR.
    """
    begin = f"\x1b[38;2;{number >> 16 & 255};{number >> 8 & 255};{number & 255}m"
    return _RUN.sub(lambda run: f"{begin}{''.join(map(_placeholder, run[0]))}\x1b[{colour}m", text)


def _placeholder(mark: str) -> str:
    row, column = divmod(ord(mark) - _FIRST_MARK, MOST_COLUMNS)
    return _PLACEHOLDER + _NUMBERS[row] + _NUMBERS[column]


def png(width: int, height: int, colours: bytes, pixels: bytes) -> bytes:
    """Return a picture as PNG; the arguments are those of `sixel`."""
    rows = b"".join(b"\0" + pixels[row * width : (row + 1) * width] for row in range(height))
    parts: Sequence[tuple[bytes, bytes]] = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", colours),
        (b"IDAT", zlib.compress(rows, 6)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
