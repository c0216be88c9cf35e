"""Matrices as text: up to 8x8 as numbers in brackets, larger ones as a strip of shades with their largest magnitude."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tutor.explain.rules.arrays import unravel_index
from tutor.i18n import _
from tutor.trace import number_format
from tutor.trace.values import Value, elements
from tutor.ui.render.heatmap import grid_of
from tutor.ui.render.segments import Glyphs, Piece, Row

SHADES = " ░▒▓█"
"""From zero to the largest magnitude."""
_ASCII_SHADES = " .+*#"
_BRACKETS = ("[]", "⎡⎤", "⎢⎥", "⎣⎦")
"""Of a single row, and of the first, the middle and the last of several."""
_PARENTHESES = ("()", "⎛⎞", "⎜⎟", "⎝⎠")


def number_rows(
    value: Value, dtype: str, shape: Sequence[int], role: str, glyphs: Glyphs, chosen: int | None = None, *,
    widest: int = number_format.LINE, in_parentheses: bool = False,
) -> list[Row] | None:  # fmt: skip
    """Return a matrix as rows of numbers in brackets, which are all equally wide.

    Args:
        value: Its value.
        dtype: Its dtype.
        shape: Its shape.
        role: Style role of its numbers; nan and infinities have that of an error.
        glyphs: The characters of this terminal.
        chosen: The element to mark, by its flat index.
        widest: Most cells of a number.
        in_parentheses: Whether it is in parentheses instead of brackets.

    Returns:
        None where `number_format.grid` has none.
    """
    texts = number_format.grid(value, dtype, shape, widest)
    if texts is None:
        return None
    pairs = _PARENTHESES if in_parentheses else _BRACKETS
    rows: list[Row] = []
    for y, line in enumerate(texts):
        is_last = y == len(texts) - 1
        brackets = pairs[0 if glyphs.ascii or len(texts) == 1 else 1 if not y else 3 if is_last else 2]
        pieces: list[Piece] = [(brackets[0], "quiet")]
        for x, text in enumerate(line):
            is_chosen = chosen == y * len(line) + x
            style = "error" if "nan" in text or "inf" in text else role
            pieces += [(_GAP if x else " ", "quiet"), (text, f"{style} chosen" if is_chosen else style)]
        rows.append((*pieces, (f" {brackets[1]}", "quiet")))
    return rows


_GAP = "  "
"""Cells between two columns."""


def row_width(columns: int, cells: int) -> int:
    """Return the cells of a row of `number_rows` with numbers of `cells` cells."""
    return columns * cells + (columns - 1) * len(_GAP) + 4


def number_width(columns: int, cells: int) -> int:
    """Return the cells that each number may have in a row of `cells` cells."""
    return max((cells - 4 - (columns - 1) * len(_GAP)) // columns, 1)


def numbered_rows(
    value: Value, dtype: str, shape: Sequence[int], role: str, glyphs: Glyphs, cells: int, chosen: int | None = None,
    most: int | None = None,
) -> tuple[list[Row], int] | None:  # fmt: skip
    """Return numbers as rows and columns with their indices: as many columns as fit, the chosen one among them.

    Args:
        value: The value.
        dtype: Its dtype.
        shape: Its shape; a vector is a row, and of a batch the rows have the leading indices too.
        role: Style role of the numbers.
        glyphs: The characters of this terminal.
        cells: The width.
        chosen: The element to mark, by its flat index.
        most: The most rows; None for all.

    Returns:
        The rows, and the cells that all columns would take; None without real numbers, and for a scalar.
    """
    flat = elements(value)
    if not flat or not shape or len(flat) != math.prod(shape) or dtype.startswith("complex"):
        return None
    *leading, width = shape
    count = len(flat) // width
    row, column = (0, 0) if chosen is None else divmod(chosen, width)
    top = 0 if most is None else max(0, min(row - most // 2, count - most))
    lines = range(top, count if most is None else min(top + most, count))
    labels = [",".join(map(str, unravel_index(y, tuple(leading)))) for y in lines]
    margin = max(1, *map(len, labels))
    texts = [[number_format.number(item, dtype) for item in flat[y * width : (y + 1) * width]] for y in lines]
    aligned = [number_format.align(list(texts_of)) for texts_of in zip(*texts, strict=True)]
    cell = max(len(str(width - 1)), *(len(texts_of[0]) for texts_of in aligned))
    shown = max(1, min(width, (cells - margin - 2) // (cell + 2)))
    first = max(0, min(column - shown // 2, width - shown))
    columns, more = range(first, first + shown), glyphs.more
    indices = "".join(f"  {x:>{cell}}" for x in columns)
    before, after = more if first else "", f" {more}" if first + shown < width else ""
    rows: list[Row] = [((f"{before:<{margin}}{indices}{after}", "quiet"),)]
    for y, label, line in zip(lines, labels, zip(*aligned, strict=True), strict=True):
        pieces: list[Piece] = [(f"{label:>{margin}}", "quiet")]
        for x in columns:
            style = "error" if "nan" in line[x] or "inf" in line[x] else role
            pieces += [("  ", "plain"), (f"{line[x]:>{cell}}", f"{style} chosen" if chosen == y * width + x else style)]
        rows.append(tuple(pieces))
    if len(lines) < count:
        rows.append(((_("rows {first} to {last} of {count:,}", first=lines[0], last=lines[-1], count=count), "note"),))
    return rows, margin + width * (cell + 2)


def strip(value: Value, shape: Sequence[int], cells: int, glyphs: Glyphs) -> str | None:
    """Return a value as a strip of shades: the mean magnitude of each stretch of its elements, in their order.

    Returns:
        None where it has too few numbers, or they were not recorded.
    """
    sampled = grid_of(value, shape)
    if sampled is None or cells < 1:
        return None
    magnitudes = [abs(item) for item in sampled.numbers if math.isfinite(item)]
    count = min(cells, len(magnitudes))
    parts = [magnitudes[i * len(magnitudes) // count : (i + 1) * len(magnitudes) // count] for i in range(count)]
    means = [sum(part) / len(part) for part in parts]
    largest = max(means, default=0.0)
    shades = _ASCII_SHADES if glyphs.ascii else SHADES
    steps = len(shades) - 1
    return "".join(shades[math.ceil(mean / largest * steps)] if largest else shades[0] for mean in means)


def element_text(value: Value, dtype: str, index: int) -> str | None:
    """Return an element by its flat index as text; None where it was not recorded."""
    flat = elements(value)
    if flat is None or not 0 <= index < len(flat):
        return None
    return number_format.number(flat[index], dtype)
