"""The bar of time: where the forward and the backward passes lie, the cells, and now."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import ceil

from tutor.trace.index import PassInfo
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.row import Piece, Row


def step_at(x: int, cells: int, steps: int) -> int:
    """The step under column x of a bar."""
    if cells < 2 or not steps:
        return 0
    return max(0, min(steps, round(max(0, min(x, cells - 1)) * steps / (cells - 1))))


def column_of(step: int, cells: int, steps: int) -> int:
    """The column of a bar in which a step lies."""
    return round(step * (cells - 1) / steps) if steps else 0


class Backward:
    """Which steps belong to backward passes: a byte for each, from step 0 on, as long as the recording grows."""

    def __init__(self) -> None:
        self._back = bytearray(1)
        self._ended = 0
        """So many passes from the first on have ended, and are in `_back`."""

    def update(self, steps: int, passes: Sequence[PassInfo]) -> bytearray:
        """The bytes, 1 within a pass and 0 outside; only what is new is looked at."""
        self._back.extend(bytes(steps + 1 - len(self._back)))
        all_ended = True
        for info in islice(passes, self._ended, None):
            end = (steps if info.end_step is None else info.end_step) + 1
            self._back[info.start_step : end] = b"\1" * (end - info.start_step)
            all_ended = all_ended and info.end_step is not None
            self._ended += all_ended
        return self._back


class Bar:
    """A bar of so many cells for so many steps; only the cursor moves until it is made anew."""

    def __init__(
        self, cells: int, steps: int, back: bytes | bytearray, starts: Sequence[int], limit: int | None = None
    ) -> None:
        """`back` is what `Backward` gives, `starts` where cells begin."""
        self.cells, self.steps = cells, steps
        self.limit = steps if limit is None else limit
        """Beyond this step all is hidden until a question is answered."""
        self.back = self._backward(back)
        self.ticks = {column_of(start, cells, steps) for start in starts if start > 1}

    def _backward(self, back: bytes | bytearray) -> list[bool]:
        """For each column: whether most of its steps belong to backward passes."""
        size = self.steps / max(self.cells - 1, 1)
        found = []
        for column in range(self.cells):
            first, end = max(ceil((column - 0.5) * size), 0), ceil((column + 0.5) * size)
            if first >= end:  # there are more columns than steps
                first = int(column * size)
                end = first + 1
            found.append(2 * back.count(1, first, end) > end - first)
        return found

    def row(self, cursor: int, glyphs: Glyphs) -> Row:
        """The bar with the cursor."""
        here = column_of(cursor, self.cells, self.steps)
        hidden = column_of(self.limit, self.cells, self.steps) if self.limit < self.steps else self.cells
        pieces: list[Piece] = []
        for column in range(self.cells):
            if column == here:
                pieces.append((glyphs.cursor, "now"))
                continue
            back = self.back[column]
            if column > hidden:
                text, role = glyphs.hidden, "faint"
            elif column in self.ticks:
                text, role = glyphs.tick, "title" if column < here else "quiet"
            elif column < here:
                text, role = (glyphs.past_back, "grad") if back else (glyphs.past, "value")
            else:
                text, role = glyphs.future, "quiet" if back else "faint"
            if pieces and pieces[-1][1] == role:
                pieces[-1] = (pieces[-1][0] + text, role)
            else:
                pieces.append((text, role))
        return tuple(pieces)
