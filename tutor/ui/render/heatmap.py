"""Values as a picture: cells coloured from the least over zero to the most, or shaded where there are no colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tutor.i18n import N_, _
from tutor.trace.values import elements, number, shape_of
from tutor.trace.wire_types import Value
from tutor.ui.render.segments import Glyphs, Piece, Row

LEAST = 12
"""Fewer numbers are read more easily than seen."""
LEVELS = 8
"""Colours on either side of zero; `hot8` and `on8` are zero's, fore- and background."""
RAMP = " .:-=+*#%@"
_WRAP = 32
"""So many numbers of a vector stand in a row of its picture."""
_TALL = 24
"""With at most so many rows each number gets a whole cell, two columns wide."""


@dataclass(frozen=True)
class Grid:
    """The numbers of a picture, nan where there is none, and of how many rows and columns it is a sample."""

    rows: int
    columns: int
    numbers: Sequence[float]
    low: float
    high: float
    of: tuple[int, int]

    def place(self, element: int) -> tuple[int, int] | None:
        """Where in the picture an element is."""
        row, column = divmod(element, self.of[1])
        if not 0 <= row < self.of[0]:
            return None
        return row * self.rows // self.of[0], column * self.columns // self.of[1]


def grid_of(value: Value, shape: Sequence[int]) -> Grid | None:
    """The picture of a value; None where there is none to draw: few numbers, or none known."""
    if isinstance(value, dict) and "data" not in value:
        return _sampled(value)
    flat = elements(value)
    if flat is None or len(flat) < LEAST or len(flat) != math.prod(shape):
        return None
    try:
        numbers = [float(item) for item in flat]
    except (TypeError, ValueError):
        return None
    finite = [item for item in numbers if math.isfinite(item)]
    if not finite:
        return None
    columns = shape[-1] if len(shape) > 1 else min(len(flat), _WRAP)
    rows = -(-len(flat) // columns)
    numbers = [item if math.isfinite(item) else math.nan for item in numbers]
    numbers += [math.inf] * (rows * columns - len(numbers))  # behind the end of a vector
    return Grid(rows, columns, numbers, min(finite), max(finite), (rows, columns))


def _sampled(value: dict[str, object]) -> Grid | None:
    """Of a large tensor the map that was recorded; what is in it came from a file."""
    heat, shape = value.get("heat"), shape_of(value)
    if not isinstance(heat, (list, tuple)) or len(heat) < 5:
        return None
    rows, columns, data, low, high = heat[:5]
    good = (
        isinstance(rows, int) and isinstance(columns, int) and isinstance(data, bytes) and rows * columns == len(data)
    )
    if not good or not data or not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return None
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    numbers = [math.nan if item == 255 else low + item / 254 * (high - low) for item in data]
    width = shape[-1] if shape else 1
    return Grid(rows, columns, numbers, float(low), float(high), (max(math.prod(shape) // max(width, 1), 1), width))


def level(grid: Grid, value: float) -> int:
    """The colour of a number, from 0 to 16: 8 is zero, or the least where all have one sign."""
    if grid.low < 0 < grid.high:
        most = max(-grid.low, grid.high)
        return LEVELS + round(LEVELS * value / most)
    share = (value - grid.low) / (grid.high - grid.low) if grid.high > grid.low else 1.0
    return LEVELS - round(LEVELS * (1 - share)) if grid.high <= 0 and grid.low < 0 else LEVELS + round(LEVELS * share)


def shade(grid: Grid, value: float) -> str:
    """The character for a number: the more, the darker."""
    share = (value - grid.low) / (grid.high - grid.low) if grid.high > grid.low else 1.0
    return RAMP[min(int(share * len(RAMP)), len(RAMP) - 1)]


def rows(grid: Grid, cells: int, glyphs: Glyphs, coloured: bool, chosen: int | None = None) -> list[Row]:
    """The picture and its legend in so many columns."""
    grid = _narrowed(grid, cells)
    here = None if chosen is None else grid.place(chosen)
    whole = not coloured or (grid.rows <= _TALL and grid.columns * 2 <= cells)
    wide = 2 if grid.columns * 2 <= cells else 1
    if not coloured:
        body = [_shaded(grid, y, wide, here) for y in range(grid.rows)]
    elif whole:
        body = [_filled(grid, y, here) for y in range(grid.rows)]
    else:
        body = [_halves(grid, y, here) for y in range(0, grid.rows, 2)]
    return [*body, _legend(grid, glyphs, coloured), *_note(grid)]


def _narrowed(grid: Grid, cells: int) -> Grid:
    """Only so many columns as there is room for."""
    if grid.columns <= cells:
        return grid
    picks = [place * grid.columns // cells for place in range(cells)]
    numbers = [grid.numbers[row * grid.columns + pick] for row in range(grid.rows) for pick in picks]
    return Grid(grid.rows, cells, numbers, grid.low, grid.high, grid.of)


def _at(grid: Grid, y: int, x: int) -> float:
    return grid.numbers[y * grid.columns + x] if y < grid.rows else math.inf


def _joined(pieces: Sequence[Piece]) -> Row:
    """Neighbours of the same colour as one piece."""
    out: list[Piece] = []
    for text, role in pieces:
        if out and out[-1][1] == role:
            out[-1] = (out[-1][0] + text, role)
        else:
            out.append((text, role))
    return tuple(out)


def _filled(grid: Grid, y: int, here: tuple[int, int] | None) -> Row:
    pieces: list[Piece] = []
    for x in range(grid.columns):
        value = _at(grid, y, x)
        text, role = ("  ", "plain") if value == math.inf else ("><", "error") if math.isnan(value) else (
            "  ", f"on{level(grid, value)}")  # fmt: skip
        pieces.append(("[]", "now " + role) if here == (y, x) else (text, role))
    return _joined(pieces)


def _halves(grid: Grid, y: int, here: tuple[int, int] | None) -> Row:
    pieces: list[Piece] = []
    for x in range(grid.columns):
        names = []
        for row in (y, y + 1):
            value = _at(grid, row, x)
            bad = "nan" if math.isnan(value) else None
            names.append("now" if here == (row, x) else "" if value == math.inf else bad or str(level(grid, value)))
        upper, lower = names
        role = " ".join(part for part in (f"hot{upper}" if upper else "", f"on{lower}" if lower else "") if part)
        pieces.append(("▀" if upper else " ", role or "plain"))
    return _joined(pieces)


def _shaded(grid: Grid, y: int, wide: int, here: tuple[int, int] | None) -> Row:
    pieces: list[Piece] = []
    for x in range(grid.columns):
        value = _at(grid, y, x)
        char = " " if value == math.inf else "?" if math.isnan(value) else shade(grid, value)
        pieces.append((char * wide, "chosen" if here == (y, x) else "plain"))
    return _joined(pieces)


def _legend(grid: Grid, glyphs: Glyphs, coloured: bool) -> Row:
    """The least, zero where it lies between, and the most."""
    signed = grid.low < 0 < grid.high
    least, most = number(float(f"{grid.low:.4g}")), number(float(f"{grid.high:.4g}"))
    if not coloured:
        zero: list[Piece] = [("   ", "quiet"), (f"'{shade(grid, 0.0)}'", "strong"), (" 0", "quiet")] if signed else []
        return (("'" + shade(grid, grid.low) + "'", "strong"), (f" {least}", "quiet"), *zero, ("   ", "quiet"),
                (f"'{shade(grid, grid.high)}'", "strong"), (f" {most}", "quiet"))  # fmt: skip
    first, last = sorted((level(grid, grid.low), level(grid, grid.high)))
    strip: list[Piece] = []
    for place in range(first, last + 1):
        strip.append((" 0 " if signed and place == LEVELS else "  ", f"on{place}"))
    return ((f"{least} ", "quiet"), *strip, (f" {most}", "quiet"))


def _note(grid: Grid) -> list[Row]:
    notes = []
    if (grid.rows, grid.columns) != grid.of:
        text = N_("{rows} x {columns} of {all_rows:,} x {all_columns:,} numbers")
        of = grid.of
        notes.append(_(text, rows=grid.rows, columns=grid.columns, all_rows=of[0], all_columns=of[1]))
    if any(math.isnan(item) for item in grid.numbers):
        notes.append(_("some are nan or inf"))
    return [((", ".join(notes), "note"),)] if notes else []
