"""The chart pane: the loss curve, a point for each backward pass, and curves of tensors added to it.

The curves are the scalars that `backward` was called on and the tensors that the learner added. They are drawn once; a
marker follows the cursor. If the program draws a figure, the pane shows that instead.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from textual import events

from tutor.i18n import N_, _
from tutor.text_width import width, wrapped
from tutor.trace.events import Figure
from tutor.trace.history import EVENTS_PER_READ, History, Reader, Tracked, ValueSeries, track
from tutor.trace.index import Point
from tutor.trace.memory import KeptMemory, live_memory, memory_of
from tutor.trace.number_format import equals, number
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.ui.bindings import pane_bindings
from tutor.ui.panes.base import Pane, Said, SettingChanged, StepPicked
from tutor.ui.panes.output import ProgramFigures, in_steps
from tutor.ui.pictures import pictures_of
from tutor.ui.render import plot
from tutor.ui.render.plot import MARKERS, Canvas
from tutor.ui.render.segments import Piece, Row, clean, row_width, styled

MOST_TENSORS = 6
"""Maximum number of tensors charted beside the scalars of `backward`."""


# ------------------------------------------------------------ curves


@dataclass(frozen=True)
class Series:
    """A curve: its name, its points ordered by step, and the style role of its colour."""

    name: str
    points: Sequence[Point]
    role: str

    def count_until(self, step: int) -> int:
        """Return how many of its points lie at or before a step."""
        return bisect_right(self.points, step, key=lambda point: point.step)

    def at(self, step: int) -> Point | None:
        """Return the last point at or before a step, or None."""
        count = self.count_until(step)
        return self.points[count - 1] if count else None


class ChartedTensor:
    """A tensor added to the chart: an element or the norm of its value and, for a leaf, of its gradient."""

    def __init__(self, what: Tracked, element: tuple[int, str] | None, grads: bool) -> None:
        self.what, self.element, self.grads = what, element, grads
        self._timeline: Timeline | None = None
        self._collector = History(what)
        self._points_cache: dict[str, tuple[int, list[Point]]] = {}

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal requests."""
        return (*self.what.key, self.element)

    def read(self, timeline: Timeline, max_events: int) -> bool:
        """Read up to `max_events` further events of the recording; return whether its end was reached."""
        if timeline is not self._timeline:
            self._timeline, self._points_cache = timeline, {}
            self._collector = History(self.what)
            self._reader = Reader(timeline, self._collector)
        return self._reader.read(max_events)

    def curves(self) -> list[tuple[str, list[Point], str]]:
        """Return the name, the points and the meaning (`leaf`, `value` or `grad`) of each curve."""
        name = self.what.name
        curves = [(self._curve_name(name, self._collector.values), self._points("value", self._collector.values),
                  "leaf" if self.grads else "value")]  # fmt: skip
        if self.grads:
            grads = self._collector.grads
            curves.append((self._curve_name(f"{name}.grad", grads), self._points("grad", grads), "grad"))
        return curves

    def _curve_name(self, name: str, history: ValueSeries) -> str:
        if history.single and self.element is None:
            return name
        return _("norm {name}", name=name) if self.element is None else f"{name}{self.element[1]}"

    def _points(self, kind: str, history: ValueSeries) -> list[Point]:
        cached = self._points_cache.get(kind)
        if cached is None or cached[0] != history.revision:
            element = None if self.element is None else self.element[0]
            points = [Point(step, step, value) for step, value in history.points("norm", element)]
            cached = self._points_cache[kind] = history.revision, points
        return cached[1]


class ChartCurves:
    """The curves of a chart: by backward pass if all are scalars of `backward`, else by step."""

    def __init__(self) -> None:
        self._added: dict[tuple[object, ...], ChartedTensor] = {}
        self._hidden: set[str] = set()
        self._by_step: dict[str, tuple[int, list[Point]]] = {}
        self._timeline: Timeline | None = None

    @property
    def by_steps(self) -> bool:
        """Whether the x axis is the step, rather than the number of the backward pass."""
        return bool(self._added)

    def toggle(
        self, timeline: Timeline, state: State, tensor: int, element: tuple[int, str] | None = None
    ) -> tuple[str, bool] | None:
        """Add a tensor to the chart, or remove it.

        Returns:
            Its name and whether it is charted now; None if it cannot be charted, or if there are too many already.
        """
        record = state.tensors.get(tensor)
        if record is None or record.dtype.startswith("complex"):
            return None
        if prod(record.shape) == 1:
            element = None
        tracked = track(timeline, state, tensor)
        with_grad = (record.is_leaf and record.requires_grad) or record.retains_grad
        added = ChartedTensor(tracked, element, with_grad)
        name = tracked.name if element is None else tracked.name + element[1]
        if added.key in self._added:
            del self._added[added.key]
            return name, False
        if tracked.name in timeline.series and element is None and not with_grad:
            self._hidden ^= {tracked.name}
            return name, tracked.name not in self._hidden
        if len(self._added) >= MOST_TENSORS:
            return None
        self._added[added.key] = added
        return name, True

    def remove_last(self) -> str | None:
        """Remove the tensor added last; return its name, or None if there is none."""
        if not self._added:
            return None
        return self._added.popitem()[1].what.name

    def read(self, timeline: Timeline) -> bool:
        """Read on for the added tensors; return whether the end of the recording was reached."""
        if timeline is not self._timeline:
            self._timeline, self._by_step = timeline, {}
        share = EVENTS_PER_READ // max(len(self._added), 1)
        finished = [added.read(timeline, share) for added in self._added.values()]
        return all(finished)

    def series(self, timeline: Timeline, limit: int | None) -> list[Series]:
        """Return all curves with a point up to the step `limit`."""
        curves: list[tuple[str, Sequence[Point], str]] = [
            (name, self._points_by_step(name, points) if self.by_steps else points, "value")
            for name, points in timeline.series.items()
            if name not in self._hidden
        ]
        for added in self._added.values():
            curves += added.curves()
        series: list[Series] = []
        for name, points, meaning in curves:
            used = {curve.role for curve in series}
            role = next((role for role in (meaning, *ROLES) if role not in used), meaning)
            curve = Series(name, points, role)
            if limit is not None:
                curve = Series(name, points[: curve.count_until(limit)], role)
            if curve.points:
                series.append(curve)
        return series

    def _points_by_step(self, name: str, points: list[Point]) -> list[Point]:
        cached = self._by_step.get(name)
        if cached is None or cached[0] != len(points):
            by_step = [Point(point.step, point.step, point.value) for point in points]
            cached = self._by_step[name] = len(points), by_step
        return cached[1]


class MemoryCurve:
    """The curve of the memory that autograd keeps, and what else is to be said of memory at a step."""

    def __init__(self) -> None:
        self._key: tuple[KeptMemory, int] | None = None
        self._points: list[Point] = []
        self._unit = 0

    def series(self, timeline: Timeline, limit: int | None) -> list[Series]:
        """Return the curve up to the step `limit`, in the unit that suits its greatest value."""
        memory = memory_of(timeline)
        if self._key != (memory, memory.revision):
            points = memory.points()
            greatest = max((point.value for point in points), default=0.0)
            self._key = memory, memory.revision
            self._unit = min(int(math.log(max(greatest, 1), 1024)), len(_UNITS) - 1)
            self._points = [Point(point.step, point.x, point.value / 1024**self._unit) for point in points]
        curve = Series(_("kept by autograd, {unit}", unit=_UNITS[self._unit]), self._points, "value")
        if limit is not None:
            curve = Series(curve.name, curve.points[: curve.count_until(limit)], curve.role)
        return [curve] if curve.points else []

    def facts(self, timeline: Timeline, state: State) -> list[str]:
        """Return whether the curve is a lower bound in a state, and the sizes of parameters, gradients and optimizer
        state, in the unit of the curve."""
        live, unit = live_memory(state), 1024**self._unit
        parameters, gradients, kept = (
            number(float(f"{size / unit:.4g}")) for size in (live.parameters, live.gradients, live.optimizer)
        )
        sizes = _(
            "parameters {parameters}, gradients {gradients}, optimizer state {state}",
            parameters=parameters, gradients=gradients, state=kept,
        )  # fmt: skip
        return [sizes] if memory_of(timeline).is_complete(state) else [_("at least: not all of it is known"), sizes]


_UNITS = ("B", "KiB", "MiB", "GiB")
ROLES = ("value", "leaf", "grad", "keyword", "error", "string", "number")
"""Style roles for curves whose own role is taken."""


_GAP: Piece = ("   ", "quiet")
_LEGEND_ROWS = 3
"""Maximum number of rows with names."""
_HEADING_ROOM = 48
"""Cells of the frame that names leave to the rest of the heading."""
_READ_INTERVAL = 0.02
"""Seconds until more of a long recording is read."""


# ------------------------------------------------------------ the pane


class ChartPane(Pane):
    """A curve for each scalar that `backward` was called on, and for each tensor added."""

    BINDINGS = pane_bindings(
        up=("move(-1)", N_("to the moment of the point before; a click: of the nearest")),
        down=("move(1)", N_("to the moment of the next point")),
        view=("next_view", N_("the program's figure, curves, log axis, memory")),
        chart=("remove_last", N_("remove the last curve")),
        details=("enlarge", N_("the figure on the whole screen, and back")),
    )
    NAME = N_("chart")

    def __init__(self) -> None:
        super().__init__()
        self.limit: int | None = None
        """The last step that may be shown; None: all."""
        self.curves = ChartCurves()
        self.ghost: Timeline | None = None
        """The previous run, whose curves are drawn behind those of this one."""
        self._series: list[Series] = []
        self._ghost_series: list[Series] = []
        self._rows: list[Row] = []
        self._key: object = None
        self._canvas: Canvas | None = None
        self._title: tuple[Piece, ...] = ()
        self.view = "figure"
        """`figure` (the program's own figure, if it draws one), `curves`, `log` (logarithmic y axis), or `memory` (what
        autograd keeps, by step)."""
        self._memory = MemoryCurve()
        self._figures = ProgramFigures()
        self._shows_figure = False
        self._reading = False
        """Whether a timer to read more of the recording is running."""

    def is_used(self, timeline: Timeline) -> bool:
        """Return whether there is a curve of two points, a figure, or what the learner asked for."""
        asked = self.curves.by_steps or self.view in ("log", "memory")
        return asked or any(len(points) > 1 for points in timeline.series.values()) or self._figures.any(timeline)

    def prepare(self) -> None:
        if self.timeline is None:
            return
        upto = min(self.cursor, self.limit or self.cursor)
        self._shows_figure = self.view == "figure" and self._figures.find(self.timeline, upto)
        if self._shows_figure:
            self._canvas = self._key = None
            self._figures.pictures = pictures_of(self.app)
            self._rows = self._figures.rows(self.inner, self.size.height - 2, self.palette)
            self._title = self._figures.title(self.glyphs)
            return
        if not self._reading:
            self._read_on()
        if self.view == "memory":
            self._series = self._memory.series(self.timeline, self.limit)
        else:
            self._series = self.curves.series(self.timeline, self.limit)
        self._ghost_series = self._read_ghost_series()
        legend = self._legend()
        height, cells = self.size.height - 4 - len(legend), self.inner - 10
        longest = max((len(curve.points) for curve in self._series), default=0)
        has_curve = any(math.isfinite(point.value) for curve in self._series for point in curve.points)
        if longest < 2 or height < 3 or cells < 10 or not has_curve:
            self._rows, self._key, self._canvas = self._single_points(longest > 1 and has_curve), None, None
            self._title = self._reading_note()
            return
        growing = self.timeline.run_end is None
        sizes = tuple(
            (curve.name, _length_key(curve.points, growing)) for curve in (*self._series, *self._ghost_series)
        )
        key = (self.timeline, height, self.inner, sizes, self._by_steps, self.view)
        if key != self._key:
            self._key = key
            self._draw(height)
        assert self._canvas is not None
        self._rows = [*legend, *plot.rows(self._canvas, self._cursor_x(self._canvas), self.glyphs)]
        self._title = self._heading([] if legend and self.view != "memory" else self._names())

    @property
    def _by_steps(self) -> bool:
        """Whether the x axis is the step, rather than the number of the backward pass."""
        return self.view == "memory" or self.curves.by_steps

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does something here: without a figure, Enter is the screen's."""
        return action != "enlarge" or self._shows_figure

    async def action_enlarge(self) -> None:
        """Give the figure the whole screen, or end that."""
        await self.run_action("screen.zoom")

    def action_remove_last(self) -> None:
        """Remove the tensor that was added last."""
        removed = self.curves.remove_last()
        nothing = _("nothing was added to the chart")
        message = _("{name} is charted no more", name=clean(removed)) if removed else nothing
        self.post_message(Said([(message, "quiet")]))

    def action_next_view(self) -> None:
        """Switch to the next view, and say which."""
        views = [*(["figure"] if self._figures.any(self.timeline) else []), "curves", "log", "memory"]
        current = self.view if self.view in views else views[0]
        self.view = views[(views.index(current) + 1) % len(views)]
        self._key = None
        self.update()
        self.post_message(SettingChanged("chart", self.view))
        messages = {
            "figure": _("the figure that the program draws"),
            "log": _("curves on a logarithmic axis"),
            "memory": _("the memory that autograd keeps for backward, by step"),
        }
        self.post_message(Said([(messages.get(self.view, _("curves")), "quiet")]))

    def _read_ghost_series(self) -> list[Series]:
        """Return the same curves of the previous run; by pass only, as its steps differ."""
        if self.ghost is None or self._by_steps:
            return []
        names = [curve.name for curve in self._series]
        return [
            Series(_("{name} before", name=name), points, "quiet")
            for name, points in self.ghost.series.items()
            if name in names
        ]

    def _read_on(self) -> None:
        """Read a part of the recording for the added tensors, and schedule the rest, so that keys come first."""
        assert self.timeline is not None
        curves = memory_of(self.timeline) if self.view == "memory" else self.curves
        self._reading = not (curves.read() if isinstance(curves, KeptMemory) else curves.read(self.timeline))
        if self._reading:
            self.set_timer(_READ_INTERVAL, self._read_more)

    def _read_more(self) -> None:
        self._reading = False
        self.update()

    def _reading_note(self) -> tuple[Piece, ...]:
        return ((_("reading the recording …"), "quiet"),) if self._reading else ()

    def _cursor_x(self, canvas: Canvas) -> int | None:
        """Return the x of the cursor; None if it is before the first point."""
        if self._by_steps:
            return min(self.cursor, canvas.last) if self.cursor >= canvas.first else None
        points = [curve.at(self.cursor) for curve in self._series]
        return max((min(point.x, canvas.last) for point in points if point is not None), default=None)

    def _single_points(self, has_curve: bool) -> list[Row]:
        """Return a line for each curve that is too short, or without a finite value, or the pane too small, to draw."""
        rows: list[Row] = []
        for curve in self._series:
            point, count = curve.at(self.cursor), len(curve.points)
            if count > 1 and not any(math.isfinite(point.value) for point in curve.points):
                text = _("{name} is nan or inf at all of its {count:,} points", name=clean(curve.name), count=count)
                rows += wrapped([(text, "error")], max(self.inner, 1))
            elif point is not None:
                when = self._when_text(curve, point)
                rows.append(
                    ((clean(curve.name), curve.role), ("".join(equals(number(point.value))), "strong"), (when, "quiet"))
                )
        if has_curve:
            rows.append(tuple(styled("{z} shows the curve", z=("z", "key"))))
        return rows

    def _when_text(self, curve: Series, point: Point) -> str:
        if self._by_steps:
            return _(" since step {step}", step=point.step)
        if len(curve.points) == 1:
            return _(" at the first pass")
        return f" {self.glyphs.dot} {self._pass_text(curve, point)}"

    @staticmethod
    def _pass_text(curve: Series, point: Point) -> str:
        return _("pass {number} of {count}", number=point.x + 1, count=len(curve.points))

    def _draw(self, height: int) -> None:
        """Draw the curves, twice: the width of the axis labels is only known afterwards."""
        cells = self.inner - 8
        shown = (*self._ghost_series, *self._series)
        drawn_points = [_thinned(curve.points, 8 * cells) for curve in shown]
        roles = [curve.role for curve in shown]
        first = min(curve.points[0].x for curve in self._series) if self._by_steps else 0
        shared_scale, log = bool(self._ghost_series), self.view == "log"
        self._canvas = plot.canvas(drawn_points, cells, height, self._plain, roles, first, shared_scale, log)
        exact = self.inner - plot.margin(self._canvas) - 2
        if exact != cells:
            self._canvas = plot.canvas(drawn_points, exact, height, self._plain, roles, first, shared_scale, log)

    @property
    def _plain(self) -> bool:
        """Whether curves are drawn with markers: in ASCII, and without colours if there are several."""
        return self.glyphs.ascii or (self.app.no_color and len(self._series) > 1)

    def _legend(self) -> list[Row]:
        """Return rows with the names if the frame has no room for them; of memory, those of what else takes it."""
        if self.view == "memory" and self.timeline is not None:
            facts = self._memory.facts(self.timeline, self.timeline.state(self.cursor))
            return [row for fact in facts for row in wrapped([(fact, "quiet")], self.inner)][:_LEGEND_ROWS]
        names = self._names()
        room = self.inner - sum(width(_(tab.name)) + 2 for tab in self.tabs) - _HEADING_ROOM
        if len(self._series) < 2 or row_width(names) <= room:
            return []
        rows: list[list[Piece]] = [[]]
        for place in range(len(self._series)):
            name = self._name_and_value(place)
            if rows[-1] and row_width(rows[-1]) + row_width(name) + len(_GAP[0]) > self.inner:
                rows.append([])
            rows[-1] += [_GAP, *name] if rows[-1] else name
        return [tuple(row) for row in rows[:_LEGEND_ROWS]]

    def _names(self) -> list[Piece]:
        """Return the names of the curves, with their values at the cursor."""
        names = [[_GAP, *self._name_and_value(place)] for place in range(len(self._series))]
        return [
            *[piece for name in names for piece in name][1:],
            *((f"   {clean(curve.name)}", "quiet") for curve in self._ghost_series),
        ]

    def _name_and_value(self, place: int) -> list[Piece]:
        """Return the name of a curve, with its value at the cursor."""
        curve = self._series[place]
        point = curve.at(self.cursor)
        pieces: list[Piece] = []
        if self._plain and len(self._series) > 1:
            pieces.append((f"{MARKERS[place % len(MARKERS)]} ", "quiet"))
        pieces.append((clean(curve.name), curve.role))
        if point is not None:
            sign, value = equals(number(point.value))
            pieces += [(sign, "quiet"), (value, "strong")]
        return pieces

    def _heading(self, names: list[Piece]) -> Row:
        assert self._canvas is not None
        curve, parts = self._series[0], []
        point = curve.at(self.cursor)
        if self._canvas.scaled:
            parts.append(_("each on its own scale"))
        if self._canvas.log:
            parts.append(_("log axis"))
        if self._canvas.skipped:
            parts.append(_("{count} not above zero, not drawn", count=self._canvas.skipped))
        if self.view == "memory":
            return self.join_heading(((_("by step"), "quiet"),), self._reading_note(), tuple(names))
        if self._by_steps:
            parts.append(_("by step"))
        elif len(self._series) == 1 and len(curve.points) > 1 and point is not None:
            parts.append(self._pass_text(curve, point))
        nonfinite: Row = ()
        if self._canvas.unreal:
            nonfinite = ((_("{count} nan or inf", count=self._canvas.unreal), "error"),)
        return self.join_heading(
            tuple(names),
            nonfinite,
            *(((text, "quiet"),) for text in parts),
            self._reading_note(),
        )

    def heading(self) -> Row:
        return self._title

    def count(self) -> int:
        return len(self._rows) or 1

    def row(self, index: int, cells: int) -> Row:
        if not self._rows:
            return ((_("a curve grows here, a point for each pass"), "note"),)
        return self._rows[index]

    def count_new_figures(self, timeline: Timeline, since: int, cursor: int) -> int:
        """Return how many figures were shown after step `since`, up to the cursor."""
        return sum(isinstance(aside.event, Figure) for aside in in_steps(timeline.side_events, since, cursor))

    # ------------------------------------------------------------ moving the cursor along the curves or figures

    def move(self, rows: int) -> None:
        """Move the cursor to the step of the next or the previous point, or figure if those are shown."""
        step = self._figures.next_step(self.cursor, rows) if self._shows_figure else self._next_step(rows)
        if step is not None:
            self.post_message(StepPicked(step))

    def _next_step(self, by: int) -> int | None:
        steps = []
        for curve in self._series:
            count = curve.count_until(self.cursor)
            if by > 0 and count < len(curve.points):
                steps.append(curve.points[count].step)
            elif by < 0:
                index = count - 1
                while index >= 0 and curve.points[index].step >= self.cursor:
                    index -= 1
                steps += [curve.points[index].step] if index >= 0 else []
        return min(steps, default=None) if by > 0 else max(steps, default=None)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the point nearest to the clicked column."""
        if event.y == 0 or self._canvas is None or self.failure is not None:
            super().on_click(event)
            return
        canvas = self._canvas
        columns = len(canvas.lines[0]) - 1
        column = min(max(event.x - 2 - plot.margin(canvas) - 2, 0), columns)
        x = canvas.first + column * (canvas.last - canvas.first) / max(columns, 1)
        nearest = min((_nearest(curve.points, x) for curve in self._series), key=lambda point: abs(point.x - x))
        self.post_message(StepPicked(nearest.step))


def _nearest(points: Sequence[Point], x: float) -> Point:
    index = bisect_left(points, x, key=lambda point: point.x)
    return min(points[max(index - 1, 0) : index + 1], key=lambda point: abs(point.x - x))


def _length_key(points: Sequence[Point], growing: bool) -> int:
    """Return a number that changes when a curve must be redrawn: its length, or fewer values while a long one grows."""
    return len(points) if len(points) < 500 or not growing else -int(50 * math.log(len(points)))


def _thinned(points: Sequence[Point], parts: int) -> list[tuple[int, float]]:
    """Return all points, or of a long curve the least and the greatest in each of `parts` sections."""
    values = [point.value for point in points]  # pairs are only built for what is returned
    if len(points) <= 4 * parts or not all(map(math.isfinite, values)):
        return [(point.x, point.value) for point in points]
    indices = []
    edges = [number * len(points) // parts for number in range(parts + 1)]
    for start, end in pairwise(edges):
        section = values[start:end]
        indices += sorted({start + section.index(min(section)), start + section.index(max(section))})
    return [(points[index].x, values[index]) for index in indices]
