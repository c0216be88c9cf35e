"""What the chart shows: the scalars that `backward` was called on, and what the learner asked for.

The chart pane: scalars over the passes or the steps, drawn once, with a mark that follows the cursor."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from textual import events

from tutor.i18n import N_, _
from tutor.text_width import width
from tutor.trace.history import EVENTS_PER_READ, History, Reader, Tracked, ValueSeries, track
from tutor.trace.index import Point
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import number
from tutor.ui.panes.base import Pane, StepPicked
from tutor.ui.panes.output import Figures
from tutor.ui.render import plot
from tutor.ui.render.plot import MARKERS, Canvas
from tutor.ui.render.segments import Piece, Row, clean, row_width, styled

MOST = 6
"""So many tensors at most are charted beside the scalars of `backward`."""


@dataclass(frozen=True)
class Series:
    """A curve: its name, its points by step, and the role of its colour."""

    name: str
    points: Sequence[Point]
    role: str

    def upto(self, step: int) -> int:
        """How many of its points come no later than a step."""
        return bisect_right(self.points, step, key=lambda point: point.step)

    def at(self, step: int) -> Point | None:
        """The last point that comes no later."""
        count = self.upto(step)
        return self.points[count - 1] if count else None


class Added:
    """A tensor that the learner asked for: its value, of a leaf its gradient too; of many elements one, or the norm."""

    def __init__(self, what: Tracked, element: tuple[int, str] | None, grads: bool) -> None:
        self.what, self.element, self.grads = what, element, grads
        self._timeline: Timeline | None = None
        self._course = History(what)
        self._made: dict[str, tuple[int, list[Point]]] = {}

    @property
    def key(self) -> tuple[object, ...]:
        """The same for the same request."""
        return (*self.what.key, self.element)

    def read(self, timeline: Timeline, most: int) -> bool:
        """Read so many events further in the recording; whether that was all that there is."""
        if timeline is not self._timeline:
            self._timeline, self._made = timeline, {}
            self._course = History(self.what)
            self._reader = Reader(timeline, self._course)
        return self._reader.read(most)

    def curves(self) -> list[tuple[str, list[Point], str]]:
        """Name, points and what it is (`leaf`, `value`, `grad`) of each curve that it makes."""
        name = self.what.name
        found = [(self._called(name, self._course.values), self._points("value", self._course.values),
                  "leaf" if self.grads else "value")]  # fmt: skip
        if self.grads:
            grads = self._course.grads
            found.append((self._called(f"{name}.grad", grads), self._points("grad", grads), "grad"))
        return found

    def _called(self, name: str, history: ValueSeries) -> str:
        if history.single and self.element is None:
            return name
        return _("norm {name}", name=name) if self.element is None else f"{name}{self.element[1]}"

    def _points(self, which: str, history: ValueSeries) -> list[Point]:
        known = self._made.get(which)
        if known is None or known[0] != history.revision:
            element = None if self.element is None else self.element[0]
            points = [Point(step, step, value) for step, value in history.points("norm", element)]
            known = self._made[which] = history.revision, points
        return known[1]


class Charted:
    """The curves of a chart. As long as only the scalars of `backward` are shown they go by passes, else by steps."""

    def __init__(self) -> None:
        self._added: dict[tuple[object, ...], Added] = {}
        self._hidden: set[str] = set()
        self._by_step: dict[str, tuple[int, list[Point]]] = {}
        self._timeline: Timeline | None = None

    @property
    def by_steps(self) -> bool:
        """Whether x is the step, rather than the number of the pass."""
        return bool(self._added)

    def toggle(
        self, timeline: Timeline, state: State, tensor: int, element: tuple[int, str] | None = None
    ) -> tuple[str, bool] | None:
        """Chart a tensor, or no more: its name, and whether it is charted now. None: it cannot be, or not one more."""
        known = state.tensors.get(tensor)
        if known is None or known.dtype.startswith("complex"):
            return None
        if prod(known.shape) == 1:
            element = None
        what = track(timeline, state, tensor)
        leaf = (known.is_leaf and known.requires_grad) or known.retains_grad
        added = Added(what, element, leaf)
        name = what.name if element is None else what.name + element[1]
        if added.key in self._added:
            del self._added[added.key]
            return name, False
        if what.name in timeline.series and element is None and not leaf:
            self._hidden ^= {what.name}
            return name, what.name not in self._hidden
        if len(self._added) >= MOST:
            return None
        self._added[added.key] = added
        return name, True

    def take_back(self) -> str | None:
        """No more the one that was added last: its name."""
        if not self._added:
            return None
        return self._added.popitem()[1].what.name

    def read(self, timeline: Timeline) -> bool:
        """Read on for what was asked for; whether that was all that there is."""
        if timeline is not self._timeline:
            self._timeline, self._by_step = timeline, {}
        part = EVENTS_PER_READ // max(len(self._added), 1)
        done = [added.read(timeline, part) for added in self._added.values()]
        return all(done)

    def series(self, timeline: Timeline, limit: int | None) -> list[Series]:
        """All curves up to a step, those without a point left out."""
        curves: list[tuple[str, Sequence[Point], str]] = [
            (name, self._stepwise(name, points) if self.by_steps else points, "value")
            for name, points in timeline.series.items()
            if name not in self._hidden
        ]
        for added in self._added.values():
            curves += added.curves()
        found: list[Series] = []
        for name, points, meaning in curves:
            taken = {one.role for one in found}
            role = next((role for role in (meaning, *ROLES) if role not in taken), meaning)
            one = Series(name, points, role)
            if limit is not None:
                one = Series(name, points[: one.upto(limit)], role)
            if one.points:
                found.append(one)
        return found

    def _stepwise(self, name: str, points: list[Point]) -> list[Point]:
        known = self._by_step.get(name)
        if known is None or known[0] != len(points):
            made = [Point(point.step, point.step, point.value) for point in points]
            known = self._by_step[name] = len(points), made
        return known[1]


ROLES = ("value", "leaf", "grad", "keyword", "error", "string", "number")
"""Colours for curves, where that of their meaning is taken."""


_GAP: Piece = ("   ", "quiet")
_LEGEND = 3
"""So many rows of names at most."""
_BESIDE = 48
"""Cells of the frame that names leave to what else is said there."""
_SOON = 0.02
"""Seconds until more of a long recording is read."""


class ChartPane(Pane):
    """A curve for each scalar that `backward` was called on, and for what the learner asked for."""

    NAME = N_("chart")

    def __init__(self) -> None:
        super().__init__()
        self.limit: int | None = None
        """The last step that may be shown; None shows all."""
        self.charted = Charted()
        self.ghost: Timeline | None = None
        """Another run, whose curves lie behind those of this one."""
        self._series: list[Series] = []
        self._behind: list[Series] = []
        self._rows: list[Row] = []
        self._key: object = None
        self._canvas: Canvas | None = None
        self._title: tuple[Piece, ...] = ()
        self.view = "figure"
        """What is shown: the learner's own figure, where there is one; else curves. `curves`, or with a `log` axis."""
        self._figures = Figures()
        self._reading = False
        """Whether more of the recording is about to be read."""

    def prepare(self) -> None:
        if self.timeline is None:
            return
        if self.view == "figure" and self._figures.find(self.timeline, min(self.cursor, self.limit or self.cursor)):
            self._canvas = self._key = None
            self._rows, self._title = self._figures.rows(self), self._figures.title(self.glyphs)
            return
        if not self._reading:
            self._read_on()
        self._series = self.charted.series(self.timeline, self.limit)
        self._behind = self._ghosts()
        legend = self._legend()
        height, cells = self.size.height - 4 - len(legend), self.inner - 10
        longest = max((len(one.points) for one in self._series), default=0)
        if longest < 2 or height < 3 or cells < 10:
            self._rows, self._key, self._canvas = self._first_points(), None, None
            self._title = self._reading_on()
            return
        growing = self.timeline.run_end is None
        sizes = tuple((one.name, _size(one.points, growing)) for one in (*self._series, *self._behind))
        key = (self.timeline, height, self.inner, sizes, self.charted.by_steps, self.view)
        if key != self._key:
            self._key = key
            self._draw(height)
        assert self._canvas is not None
        self._rows = [*legend, *plot.rows(self._canvas, self._mark(self._canvas), self.glyphs)]
        self._title = self._heading([] if legend else self._names())

    def next_view(self) -> str:
        """Show it in another way; says which."""
        views = ["figure", "curves", "log"] if self._figures.any(self.timeline) else ["curves", "log"]
        here = self.view if self.view in views else views[0]
        self.view = views[(views.index(here) + 1) % len(views)]
        self._key = None
        self.update()
        said = {"figure": _("the figure that the program draws"), "log": _("curves on a logarithmic axis")}
        return said.get(self.view, _("curves"))

    def _ghosts(self) -> list[Series]:
        """The same curves of the other run; by passes only, for its steps are others."""
        if self.ghost is None or self.charted.by_steps:
            return []
        names = [one.name for one in self._series]
        return [
            Series(_("{name} before", name=name), points, "quiet")
            for name, points in self.ghost.series.items()
            if name in names
        ]

    def _read_on(self) -> None:
        """Read a part of the recording for what was asked for, and the rest soon: keys come first."""
        assert self.timeline is not None
        self._reading = not self.charted.read(self.timeline)
        if self._reading:
            self.set_timer(_SOON, self._read_more)

    def _read_more(self) -> None:
        self._reading = False
        self.update()

    def _reading_on(self) -> tuple[Piece, ...]:
        return ((_("reading the recording …"), "quiet"),) if self._reading else ()

    def _mark(self, canvas: Canvas) -> int | None:
        """The x of the cursor's moment."""
        if self.charted.by_steps:
            return min(self.cursor, canvas.last) if self.cursor >= canvas.first else None
        here = [one.at(self.cursor) for one in self._series]
        return max((min(point.x, canvas.last) for point in here if point is not None), default=None)

    def _first_points(self) -> list[Row]:
        """One point makes no curve, and a small pane has no room for one: a line for each."""
        found: list[Row] = []
        for one in self._series:
            point = one.at(self.cursor)
            if point is not None:
                when = self._when(one, point)
                found.append(((clean(one.name), one.role), (f" = {number(point.value)}", "strong"), (when, "quiet")))
        if any(len(one.points) > 1 for one in self._series):
            found.append(tuple(styled("{z} shows the curve", z=("z", "key"))))
        return found

    def _when(self, one: Series, point: Point) -> str:
        if self.charted.by_steps:
            return _(" since step {step}", step=point.step)
        if len(one.points) == 1:
            return _(" at the first pass")
        return f" {self.glyphs.dot} {self._pass(one, point)}"

    @staticmethod
    def _pass(one: Series, point: Point) -> str:
        return _("pass {number} of {count}", number=point.x + 1, count=len(one.points))

    def _draw(self, height: int) -> None:
        """The curves; twice, because how wide the figures are is only known after."""
        cells = self.inner - 8
        drawn = (*self._behind, *self._series)
        curves = [_curve(one.points, 8 * cells) for one in drawn]
        roles = [one.role for one in drawn]
        first = min(one.points[0].x for one in self._series) if self.charted.by_steps else 0
        together, log = bool(self._behind), self.view == "log"
        self._canvas = plot.canvas(curves, cells, height, self._plain, roles, first, together, log)
        exact = self.inner - plot.margin(self._canvas) - 2
        if exact != cells:
            self._canvas = plot.canvas(curves, exact, height, self._plain, roles, first, together, log)

    @property
    def _plain(self) -> bool:
        """Whether curves are drawn with markers: in ASCII, and where no colours tell several apart."""
        return self.glyphs.ascii or (self.app.no_color and len(self._series) > 1)

    def _legend(self) -> list[Row]:
        """Rows with the names, where the frame has no room for them."""
        names = self._names()
        room = self.inner - sum(width(_(tab.name)) + 2 for tab in self.tabs) - _BESIDE
        if len(self._series) < 2 or row_width(names) <= room:
            return []
        rows: list[list[Piece]] = [[]]
        for place in range(len(self._series)):
            name = self._called(place)
            if rows[-1] and row_width(rows[-1]) + row_width(name) + len(_GAP[0]) > self.inner:
                rows.append([])
            rows[-1] += [_GAP, *name] if rows[-1] else name
        return [tuple(row) for row in rows[:_LEGEND]]

    def _names(self) -> list[Piece]:
        """What is charted, and what it is at the cursor."""
        names = [[_GAP, *self._called(place)] for place in range(len(self._series))]
        return [
            *[piece for name in names for piece in name][1:],
            *((f"   {clean(one.name)}", "quiet") for one in self._behind),
        ]

    def _called(self, place: int) -> list[Piece]:
        """Of one curve."""
        one = self._series[place]
        point = one.at(self.cursor)
        pieces: list[Piece] = []
        if self._plain and len(self._series) > 1:
            pieces.append((f"{MARKERS[place % len(MARKERS)]} ", "quiet"))
        pieces.append((clean(one.name), one.role))
        if point is not None:
            pieces += [(" = ", "quiet"), (number(float(f"{point.value:.6g}")), "strong")]
        return pieces

    def _heading(self, names: list[Piece]) -> Row:
        assert self._canvas is not None
        one, said = self._series[0], []
        point = one.at(self.cursor)
        if self.charted.by_steps:
            said.append(_("by step"))
        elif len(self._series) == 1 and len(one.points) > 1 and point is not None:
            said.append(self._pass(one, point))
        if self._canvas.scaled:
            said.append(_("each on its own scale"))
        if self._canvas.log:
            said.append(_("log axis"))
        unreal: Row = ()
        if self._canvas.unreal:
            what = N_("{count} not above zero, not drawn") if self._canvas.log else N_("{count} nan or inf, not drawn")
            unreal = ((_(what, count=self._canvas.unreal), "error"),)
        return self.parted(tuple(names), *(((text, "quiet"),) for text in said), unreal, self._reading_on())

    def heading(self) -> Row:
        return self._title

    def count(self) -> int:
        return len(self._rows) or 1

    def row(self, index: int, cells: int) -> Row:
        if not self._rows:
            return ((_("a curve grows here, a point for each pass"), "note"),)
        return self._rows[index]

    # ------------------------------------------------------------ the cursor goes along the curves

    def move(self, rows: int) -> None:
        """To the step of the next point, or of the one before."""
        step = self._beside(rows)
        if step is not None:
            self.post_message(StepPicked(step))

    def _beside(self, by: int) -> int | None:
        found = []
        for one in self._series:
            count = one.upto(self.cursor)
            if by > 0 and count < len(one.points):
                found.append(one.points[count].step)
            elif by < 0:
                at = count - 1
                while at >= 0 and one.points[at].step >= self.cursor:
                    at -= 1
                found += [one.points[at].step] if at >= 0 else []
        return min(found, default=None) if by > 0 else max(found, default=None)

    def on_click(self, event: events.Click) -> None:
        """To the step of the point nearest to the column that was clicked."""
        if event.y == 0 or self._canvas is None or self.failure is not None:
            super().on_click(event)
            return
        canvas = self._canvas
        columns = len(canvas.lines[0]) - 1
        column = min(max(event.x - 2 - plot.margin(canvas) - 2, 0), columns)
        x = canvas.first + column * (canvas.last - canvas.first) / max(columns, 1)
        nearest = min((_nearest(one.points, x) for one in self._series), key=lambda point: abs(point.x - x))
        self.post_message(StepPicked(nearest.step))


def _nearest(points: Sequence[Point], x: float) -> Point:
    place = bisect_left(points, x, key=lambda point: point.x)
    return min(points[max(place - 1, 0) : place + 1], key=lambda point: abs(point.x - x))


def _size(points: Sequence[Point], growing: bool) -> int:
    """What changes when a curve is to be drawn anew: its length; while it grows, as often as it shows."""
    return len(points) if len(points) < 500 or not growing else -int(50 * math.log(len(points)))


def _curve(points: Sequence[Point], parts: int) -> list[tuple[int, float]]:
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
