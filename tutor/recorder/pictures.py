"""Draw the figures of matplotlib in pixels of a few colours, for terminals that show pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tutor.recorder.cell_renderer import fit_all_text, has_room
from tutor.trace.drawings import pack_picture
from tutor.trace.events import Picture

WIDE, HIGH = 10, 20
"""Pixels of a cell: what terminals assume where they are not asked for their own."""
_DPI = 100
_COLOURS = 128


def draw(figure: Any, sizes: Sequence[tuple[int, int]]) -> list[Picture]:
    """Draw a figure, which is changed: give a copy.

    Args:
        figure: The matplotlib figure.
        sizes: Columns and rows of cells, the smallest first.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    pictures = []
    fit_all_text(figure)
    figure.set_dpi(_DPI)
    for columns, rows in sizes:
        figure.set_size_inches(WIDE * columns / _DPI, HIGH * rows / _DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        if columns != sizes[-1][0] and not has_room(figure, 6 * WIDE, 2 * HIGH):
            continue
        drawn = Image.fromarray(np.asarray(canvas.buffer_rgba()))
        ground = Image.new("RGBA", drawn.size, "white")
        image = Image.alpha_composite(ground, drawn).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        pixels = image.tobytes()
        colours = bytes(image.getpalette() or ())[: 3 * (max(pixels) + 1)]
        pictures.append(pack_picture(columns, rows, *image.size, colours, pixels))
    return pictures
