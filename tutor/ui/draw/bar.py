"""The bar of time: where the forward and the backward passes lie, the cells, and now."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.row import Piece, Row


@dataclass(frozen=True)
class Stretch:
    """From one step to another, both included."""

    first: int
    last: int


def step_at(x: int, cells: int, steps: int) -> int:
    """The step under column x of a bar."""
    if cells < 2 or not steps:
        return 0
    return max(0, min(steps, round(max(0, min(x, cells - 1)) * steps / (cells - 1))))


def column_of(step: int, cells: int, steps: int) -> int:
    """The column of a bar in which a step lies."""
    return round(step * (cells - 1) / steps) if steps else 0


class Bar:
    """A bar of so many cells for so many steps; only the cursor moves until it is made anew."""

    def __init__(
        self, cells: int, steps: int, passes: Sequence[Stretch], starts: Sequence[int], limit: int | None = None
    ) -> None:
        self.cells, self.steps = cells, steps
        self.limit = steps if limit is None else limit
        """Beyond this step all is hidden until a question is answered."""
        self.back = self._backward(passes)
        self.ticks = {column_of(start, cells, steps) for start in starts if start > 1}

    def _backward(self, passes: Sequence[Stretch]) -> list[bool]:
        """For each column: whether most of its steps belong to backward passes."""
        ends = [stretch.last for stretch in passes]
        sums = [0]
        for stretch in passes:
            sums.append(sums[-1] + stretch.last - stretch.first + 1)

        def before(step: float) -> float:
            """How many steps of backward passes lie before this one."""
            place = bisect_right(ends, step)
            inside = max(0.0, step - passes[place].first) if place < len(passes) else 0.0
            return sums[place] + inside

        size = self.steps / max(self.cells - 1, 1)
        edges = [(column - 0.5) * size for column in range(self.cells + 1)]
        counts = [before(edge) for edge in edges]
        return [b - a > (q - p) / 2 for a, b, p, q in zip(counts, counts[1:], edges, edges[1:], strict=False)]

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
