"""Heat maps: numbers as coloured cells, or as shaded characters where there are no colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tutor.i18n import N_, _
from tutor.trace.number_format import number
from tutor.trace.values import Value, elements, shape_of
from tutor.ui.render.segments import Glyphs, Piece, Row

MIN_NUMBERS = 12
"""The least numbers for a heat map; fewer are easier to read as text."""
LEVELS = 8
"""Colours on either side of zero. The roles `hot8` and `on8` are zero's, as foreground and background."""
RAMP = " .:-=+*#%@"
_WRAP = 32
"""Numbers of a vector in one row of its heat map."""
_MAX_WHOLE_ROWS = 24
"""The most rows of a map in which each number takes a whole cell, two columns wide; taller maps halve the cells."""


@dataclass(frozen=True)
class Grid:
    """The numbers of a heat map.

    Attributes:
        rows: Its rows.
        columns: Its columns.
        numbers: The numbers in row-major order; nan where one is not finite, inf after the end of a vector.
        low: The least finite number.
        high: The greatest finite number.
        of: Rows and columns of the whole value, of which the grid may be a sample.
    """

    rows: int
    columns: int
    numbers: Sequence[float]
    low: float
    high: float
    of: tuple[int, int]

    def place(self, element: int) -> tuple[int, int] | None:
        """Return the row and column of an element of the value; None outside of the grid."""
        row, column = divmod(element, self.of[1])
        if not 0 <= row < self.of[0]:
            return None
        return row * self.rows // self.of[0], column * self.columns // self.of[1]


def grid_of(value: Value, shape: Sequence[int]) -> Grid | None:
    """Return the heat map of a value of this shape; None where it has too few numbers, or they are not recorded."""
    if isinstance(value, dict) and "data" not in value:
        return _recorded_sample(value)
    flat = elements(value)
    if flat is None or len(flat) < MIN_NUMBERS or len(flat) != math.prod(shape):
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
    numbers += [math.inf] * (rows * columns - len(numbers))  # after the end of a vector
    return Grid(rows, columns, numbers, min(finite), max(finite), (rows, columns))


def _recorded_sample(value: dict[str, object]) -> Grid | None:
    """Return the recorded sample of a large tensor. It may come from a malformed file."""
    heat, shape = value.get("heat"), shape_of(value)
    if not isinstance(heat, (list, tuple)) or len(heat) < 5:
        return None
    rows, columns, data, low, high = heat[:5]
    is_valid = (
        isinstance(rows, int) and isinstance(columns, int) and isinstance(data, bytes) and rows * columns == len(data)
    )
    if not is_valid or not data or not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return None
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    numbers = [math.nan if item == 255 else low + item / 254 * (high - low) for item in data]
    width = shape[-1] if shape else 1
    return Grid(rows, columns, numbers, float(low), float(high), (max(math.prod(shape) // max(width, 1), 1), width))


def level(grid: Grid, value: float) -> int:
    """Return the colour of a number, from 0 to 16: 8 is zero, or the end nearer to zero where all have one sign."""
    if grid.low < 0 < grid.high:
        extreme = max(-grid.low, grid.high)
        return LEVELS + round(LEVELS * value / extreme)
    share = (value - grid.low) / (grid.high - grid.low) if grid.high > grid.low else 1.0
    return LEVELS - round(LEVELS * (1 - share)) if grid.high <= 0 and grid.low < 0 else LEVELS + round(LEVELS * share)


def shade(grid: Grid, value: float) -> str:
    """Return the character of a number: the greater, the darker."""
    share = (value - grid.low) / (grid.high - grid.low) if grid.high > grid.low else 1.0
    return RAMP[min(int(share * len(RAMP)), len(RAMP) - 1)]


def rows(grid: Grid, cells: int, glyphs: Glyphs, coloured: bool, chosen: int | None = None) -> list[Row]:
    """Draw a heat map with its legend.

    Args:
        grid: The numbers.
        cells: The width.
        glyphs: The characters of this terminal.
        coloured: Whether to use colours instead of shades.
        chosen: The element to be marked, in row-major order of the whole value.
    """
    grid = _sample_columns(grid, cells)
    marked = None if chosen is None else grid.place(chosen)
    is_whole = not coloured or (grid.rows <= _MAX_WHOLE_ROWS and grid.columns * 2 <= cells)
    cell_width = 2 if grid.columns * 2 <= cells else 1
    if not coloured:
        body = [_shaded_row(grid, y, cell_width, marked) for y in range(grid.rows)]
    elif is_whole:
        body = [_whole_row(grid, y, marked) for y in range(grid.rows)]
    else:
        body = [_half_row(grid, y, marked) for y in range(0, grid.rows, 2)]
    return [*body, _legend(grid, glyphs, coloured), *_note(grid)]


def _sample_columns(grid: Grid, cells: int) -> Grid:
    """Return the grid with no more columns than there are cells."""
    if grid.columns <= cells:
        return grid
    columns = [index * grid.columns // cells for index in range(cells)]
    numbers = [grid.numbers[row * grid.columns + column] for row in range(grid.rows) for column in columns]
    return Grid(grid.rows, cells, numbers, grid.low, grid.high, grid.of)


def _number_at(grid: Grid, y: int, x: int) -> float:
    """Return the number at a row and column; inf below the last row."""
    return grid.numbers[y * grid.columns + x] if y < grid.rows else math.inf


def _merge_pieces(pieces: Sequence[Piece]) -> Row:
    """Merge neighbouring pieces of the same role."""
    merged: list[Piece] = []
    for text, role in pieces:
        if merged and merged[-1][1] == role:
            merged[-1] = (merged[-1][0] + text, role)
        else:
            merged.append((text, role))
    return tuple(merged)


def _whole_row(grid: Grid, y: int, marked: tuple[int, int] | None) -> Row:
    """Return a row in which each number takes a whole cell, two columns wide."""
    pieces: list[Piece] = []
    for x in range(grid.columns):
        value = _number_at(grid, y, x)
        text, role = ("  ", "plain") if value == math.inf else ("><", "error") if math.isnan(value) else (
            "  ", f"on{level(grid, value)}")  # fmt: skip
        pieces.append(("[]", "now " + role) if marked == (y, x) else (text, role))
    return _merge_pieces(pieces)


def _half_row(grid: Grid, y: int, marked: tuple[int, int] | None) -> Row:
    """Return a row of half cells: two rows of numbers."""
    pieces: list[Piece] = []
    for x in range(grid.columns):
        names = []
        for row in (y, y + 1):
            value = _number_at(grid, row, x)
            nan_name = "nan" if math.isnan(value) else None
            names.append(
                "now" if marked == (row, x) else "" if value == math.inf else nan_name or str(level(grid, value))
            )
        upper, lower = names
        role = " ".join(part for part in (f"hot{upper}" if upper else "", f"on{lower}" if lower else "") if part)
        pieces.append(("▀" if upper else " ", role or "plain"))
    return _merge_pieces(pieces)


def _shaded_row(grid: Grid, y: int, cell_width: int, marked: tuple[int, int] | None) -> Row:
    """Return a row of characters."""
    pieces: list[Piece] = []
    for x in range(grid.columns):
        value = _number_at(grid, y, x)
        char = " " if value == math.inf else "?" if math.isnan(value) else shade(grid, value)
        pieces.append((char * cell_width, "chosen" if marked == (y, x) else "plain"))
    return _merge_pieces(pieces)


def _legend(grid: Grid, glyphs: Glyphs, coloured: bool) -> Row:
    """Return the row with the least number, zero if it lies between, and the greatest number."""
    has_zero = grid.low < 0 < grid.high
    low, high = number(grid.low), number(grid.high)
    if not coloured:
        zero: list[Piece] = [("   ", "quiet"), (f"'{shade(grid, 0.0)}'", "strong"), (" 0", "quiet")] if has_zero else []
        return (("'" + shade(grid, grid.low) + "'", "strong"), (f" {low}", "quiet"), *zero, ("   ", "quiet"),
                (f"'{shade(grid, grid.high)}'", "strong"), (f" {high}", "quiet"))  # fmt: skip
    first, last = sorted((level(grid, grid.low), level(grid, grid.high)))
    strip: list[Piece] = []
    for position in range(first, last + 1):
        strip.append((" 0 " if has_zero and position == LEVELS else "  ", f"on{position}"))
    return ((f"{low} ", "quiet"), *strip, (f" {high}", "quiet"))


def _note(grid: Grid) -> list[Row]:
    """Return what the map does not show, as a row, if there is anything."""
    notes = []
    if (grid.rows, grid.columns) != grid.of:
        text = N_("{rows} x {columns} of {all_rows:,} x {all_columns:,} numbers")
        of = grid.of
        notes.append(_(text, rows=grid.rows, columns=grid.columns, all_rows=of[0], all_columns=of[1]))
    if any(math.isnan(item) for item in grid.numbers):
        notes.append(_("some are nan or inf"))
    return [((", ".join(notes), "note"),)] if notes else []
