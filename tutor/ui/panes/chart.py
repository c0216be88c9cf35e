"""The chart pane: the loss over the passes, drawn once, with a mark that follows the cursor."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise

from tutor.trace.columns import Point
from tutor.trace.values import number
from tutor.ui.draw import plot
from tutor.ui.draw.plot import ROLES, Canvas
from tutor.ui.draw.row import Piece, Row, clean
from tutor.ui.panes.pane import Pane


class ChartPane(Pane):
    """A curve for each scalar that `backward` was called on."""

    NAME = "chart"

    def __init__(self) -> None:
        super().__init__()
        self.limit: int | None = None
        """The last step that may be shown; None shows all."""
        self._rows: list[Row] = []
        self._key: object = None
        self._canvas: Canvas | None = None
        self._title: tuple[Piece, ...] = ()

    def prepare(self) -> None:
        if self.timeline is None:
            return
        series = {name: self._allowed(points) for name, points in self.timeline.series.items()}
        series = {name: points for name, points in series.items() if points}
        height, cells = self.size.height - 4, self.inner - 10
        longest = max((len(points) for points in series.values()), default=0)
        if longest < 2 or height < 3 or cells < 10:
            self._rows, self._key, self._title = self._first_points(series), None, ()
            return
        growing = self.timeline.run_end is None
        sizes = tuple((name, _size(points, growing)) for name, points in series.items())
        key = (self.timeline, height, self.inner, sizes)
        if key != self._key:
            self._key = key
            self._draw(series, height)
        assert self._canvas is not None
        here = {name: _last(points, self.cursor) for name, points in series.items()}
        mark = max((min(point.x, self._canvas.last) for point in here.values() if point is not None), default=None)
        self._rows = plot.rows(self._canvas, mark, self.glyphs)
        self._title = tuple(self._heading(series, here))

    def _first_points(self, series: dict[str, list[Point]]) -> list[Row]:
        """One point makes no curve: a line for each."""
        reached = {name: points[0] for name, points in series.items() if points[0].step <= self.cursor}
        return [
            ((clean(name), "value"), (f" = {number(point.value)}", "strong"), (" at the first pass", "quiet"))
            for name, point in reached.items()
        ]

    def _allowed(self, points: list[Point]) -> list[Point]:
        if self.limit is None:
            return points
        return points[: bisect_right(points, self.limit, key=lambda point: point.step)]

    def _draw(self, series: dict[str, list[Point]], height: int) -> None:
        """The curves; twice, because how wide the figures are is only known after."""
        cells = self.inner - 8
        curves = [_curve(points, 8 * cells) for points in series.values()]
        self._canvas = plot.canvas(curves, cells, height, self.glyphs.ascii)
        exact = self.inner - plot.margin(self._canvas) - 2
        if exact != cells:
            self._canvas = plot.canvas(curves, exact, height, self.glyphs.ascii)

    def _heading(self, series: dict[str, list[Point]], here: dict[str, Point | None]) -> list[Piece]:
        assert self._canvas is not None
        pieces: list[Piece] = []
        for place, (name, points) in enumerate(series.items()):
            point = here[name]
            if pieces:
                pieces.append(("  ", "quiet"))
            pieces.append((clean(name), ROLES[place % len(ROLES)]))
            if point is not None:
                pieces += [(" = ", "quiet"), (number(float(f"{point.value:.6g}")), "strong")]
            if len(series) == 1 and len(points) > 1 and point is not None:
                pieces.append((f" {self.glyphs.dot} pass {point.x + 1} of {len(points)}", "quiet"))
        if self._canvas.unreal:
            pieces.append((f" {self.glyphs.dot} {self._canvas.unreal} nan or inf, not drawn", "error"))
        return [piece for piece in pieces if piece[0]]

    def heading(self) -> Row:
        return self._title

    def count(self) -> int:
        return len(self._rows) or 1

    def row(self, index: int, cells: int) -> Row:
        if not self._rows:
            return (("a curve grows here, a point for each backward pass", "note"),)
        return self._rows[index]


def _size(points: list[Point], growing: bool) -> int:
    """What changes when a curve is to be drawn anew: its length; while it grows, as often as it shows."""
    return len(points) if len(points) < 500 or not growing else -int(50 * math.log(len(points)))


def _curve(points: list[Point], parts: int) -> list[tuple[int, float]]:
    """All points, or of many the least and the greatest of each of so many parts. No pair is made that is not kept."""
    values = [point.value for point in points]
    if len(points) <= 4 * parts or not all(map(math.isfinite, values)):
        return [(point.x, point.value) for point in points]
    kept = []
    edges = [place * len(points) // parts for place in range(parts + 1)]
    for first, end in pairwise(edges):
        part = values[first:end]
        kept += sorted({first + part.index(min(part)), first + part.index(max(part))})
    return [(points[place].x, values[place]) for place in kept]


def _last(points: list[Point], step: int) -> Point | None:
    place = bisect_right(points, step, key=lambda point: point.step)
    return points[place - 1] if place else None
