"""The time bar: the whole recording in one line, with its backward passes, cells, problems and gaps, and playback."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from itertools import islice, pairwise
from math import ceil, sqrt
from typing import TYPE_CHECKING, NamedTuple

from textual import events
from textual.message import Message

from tutor.i18n import _, key_label
from tutor.text_width import width as cells_of
from tutor.trace.index import PassInfo
from tutor.trace.training_loop import TrainingLoop, find_training_loop
from tutor.ui.panes.base import StepPicked, Surface
from tutor.ui.render.segments import Glyphs, Piece, Row

if TYPE_CHECKING:
    from textual.timer import Timer

    from tutor.trace.timeline import Timeline

WIDE = 100
"""From this width on the bar also says the iteration and the pass."""
_FEW = 4
"""Gaps are marked if they are in at most one column of this many."""
_APART = 4
"""Least cells between two numbers of the ruler."""
_OUTSIDE = 4
"""Number of steps outside of the training loop that have the room of one iteration."""


class Scale:
    """Where each step lies between the ends of the bar.

    Each iteration of the training loop takes the same room. A long cell is folded: it takes more room than a short one,
    but not in proportion, so that each has its place.
    """

    def __init__(self, steps: int, loop: TrainingLoop | None = None, cells: Sequence[int] = ()) -> None:
        """Lay out a recording of `steps` steps; `cells` are the steps at which its cells begin."""
        self.steps = steps
        self._steps: list[int] = [0, max(steps, 1)]
        self._places: list[float] = [0.0, 1.0]
        starts = [] if loop is None else [start for start in loop.starts if 0 < start <= steps]
        if loop is not None and len(starts) > 1:
            self._fold_loop(loop, starts)
        self._fold_cells([start - 1 for start in cells if 1 < start <= steps])

    def _fold_loop(self, loop: TrainingLoop, starts: Sequence[int]) -> None:
        """Give each iteration the same room."""
        steps = self.steps
        end = steps if loop.end is None else max(min(loop.end, steps), starts[-1])
        before, after = starts[0] - 1, steps - end
        outside = before + after
        share = max(outside / steps, min(outside / (outside + _OUTSIDE * len(starts)), 0.25) if outside else 0.0)
        first = share * before / outside if outside else 0.0
        last = 1 - (share * after / outside if outside else 0.0)
        self._steps = [0, *(start - 1 for start in starts), end, steps]
        inside = [first + (last - first) * number / len(starts) for number in range(len(starts) + 1)]
        self._places = [0.0, *inside, 1.0]

    def _fold_cells(self, bounds: Sequence[int]) -> None:
        """Give each cell room by the square root of what it would have."""
        if not bounds:
            return
        before = [0.0, *(self.place(bound) for bound in bounds), 1.0]
        roots = [sqrt(max(last - first, 0.0)) for first, last in pairwise(before)]
        after = [sum(roots[:count]) / sum(roots) for count in range(len(before))]
        steps = sorted({*self._steps, *bounds})
        self._places = [_interpolated(self.place(step), before, after) for step in steps]
        self._steps = steps

    def place(self, step: float) -> float:
        """Return the place of a step, from 0 to 1."""
        return _interpolated(step, self._steps, self._places)

    def step(self, place: float) -> float:
        """Return the step at a place."""
        return _interpolated(place, self._places, self._steps) if self.steps else 0.0


def _interpolated(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    at = min(max(bisect_right(xs, x) - 1, 0), len(xs) - 2)
    while at and xs[at + 1] == xs[at]:
        at -= 1
    size = xs[at + 1] - xs[at]
    return ys[at] + (ys[at + 1] - ys[at]) * min(max((x - xs[at]) / size, 0.0), 1.0) if size else ys[at]


def step_at(x: int, cells: int, scale: Scale) -> int:
    """Return the step under column `x` of a bar of `cells` columns."""
    if cells < 2 or not scale.steps:
        return 0
    return max(0, min(scale.steps, round(scale.step(max(0, min(x, cells - 1)) / (cells - 1)))))


def column_of(step: int, cells: int, scale: Scale) -> int:
    """Return the column of a bar in which a step lies."""
    return round(scale.place(step) * (cells - 1)) if scale.steps else 0


def _loop_name(timeline: Timeline, loop: TrainingLoop) -> str:
    """Return what the iterations of a loop are called: epochs where its variable is called after them."""
    site = timeline.sites.get(loop.site)
    code = None if site is None else timeline.definitions.code(site.file, site.span)
    return _("epoch") if code is not None and re.match(r"for\s+\w*epoch", code) else _("iteration")


class BackwardSteps:
    """A byte for each step from 0 on, 1 within a backward pass and 0 outside, kept up to date as a recording grows."""

    def __init__(self) -> None:
        self._back = bytearray(1)
        self._ended = 0
        """The number of leading passes that have ended and are in `_back`."""

    def update(self, steps: int, passes: Sequence[PassInfo]) -> bytearray:
        """Add the steps and passes that are new since the last call, and return the bytes."""
        self._back.extend(bytes(steps + 1 - len(self._back)))
        all_ended = True
        for info in islice(passes, self._ended, None):
            end = (steps if info.end_step is None else info.end_step) + 1
            self._back[info.start_step : end] = b"\1" * (end - info.start_step)
            all_ended = all_ended and info.end_step is not None
            self._ended += all_ended
        return self._back


class Bar:
    """The time bar as a row of text. Only the cursor moves; another width or recording needs another `Bar`."""

    def __init__(
        self,
        cells: int,
        scale: Scale,
        back: bytes | bytearray,
        starts: Sequence[int],
        limit: int | None = None,
        problems: Collection[int] = (),
        gaps: Iterable[int] = (),
    ) -> None:
        """Prepare the bar.

        Args:
            cells: Its width.
            scale: Where each step of the recording lies.
            back: For each step, whether it is in a backward pass, from `BackwardSteps.update`.
            starts: The steps at which cells begin.
            limit: The last step that the cursor may reach; the rest is hidden. None hides nothing.
            problems: The steps of the problems.
            gaps: The steps that stand for what was not recorded, in order. They are marked where they are few.
        """
        self.cells, self.scale = cells, scale
        self.limit = scale.steps if limit is None else limit
        """The last step that the cursor may reach: the steps beyond are hidden until a question is answered."""
        self.back = self._backward_columns(back)
        self.ticks = {column_of(start, cells, scale) for start in starts if start > 1}
        self.problems = {column_of(step, cells, scale): step for step in sorted(problems, reverse=True)}
        """By column: the first problem there."""
        self.gaps: dict[int, int] = {}
        """By column: the first gap there."""
        for step in gaps:
            self.gaps.setdefault(column_of(step, cells, scale), step)
            if len(self.gaps) > cells // _FEW:
                self.gaps.clear()
                break

    def _backward_columns(self, back: bytes | bytearray) -> list[bool]:
        """Return for each column whether most of its steps are in backward passes."""
        size, step = max(self.cells - 1, 1), self.scale.step
        is_backward = []
        for column in range(self.cells):
            first, end = ceil(step((column - 0.5) / size)), ceil(step((column + 0.5) / size))
            if first >= end:  # more columns than steps
                first = int(step(column / size))
                end = first + 1
            is_backward.append(2 * back.count(1, first, end) > end - first)
        return is_backward

    def row(self, cursor: int, glyphs: Glyphs) -> Row:
        """Draw the bar with the cursor."""
        cursor_column = column_of(cursor, self.cells, self.scale)
        is_hidden = self.limit < self.scale.steps
        last_visible = column_of(self.limit, self.cells, self.scale) if is_hidden else self.cells
        pieces: list[Piece] = []
        for column in range(self.cells):
            if column == cursor_column:
                pieces.append((glyphs.cursor, "now"))
                continue
            back = self.back[column]
            if column > last_visible:
                text, role = glyphs.hidden, "faint"
            elif column in self.problems:
                text, role = glyphs.no, "error"
            elif column in self.gaps:
                text, role = glyphs.gap, "value" if column < cursor_column else "quiet"
            elif column in self.ticks:
                text, role = glyphs.tick, "title" if column < cursor_column else "quiet"
            elif column < cursor_column:
                text, role = (glyphs.past_back, "grad") if back else (glyphs.past, "value")
            else:
                text, role = glyphs.future, "quiet" if back else "faint"
            if pieces and pieces[-1][1] == role:
                pieces[-1] = (pieces[-1][0] + text, role)
            else:
                pieces.append((text, role))
        return tuple(pieces)


# ------------------------------------------------------------ the ruler below it


class Marks(NamedTuple):
    """What is numbered along the bar: cells, iterations or passes."""

    name: str
    """What stands before the first number that has room."""
    role: str
    steps: Sequence[int]
    """The steps at which they begin."""
    numbers: Sequence[int]


def ruler(bar: Bar, marks: Sequence[Marks]) -> Row:
    """Return the row below a bar, with numbers where things begin: as many as have room, those of the first marks
    first. A number has a name if the one before it is of something else. What is hidden is not numbered."""
    labels: dict[int, tuple[int, int]] = {}
    """By column: which marks, and the number."""
    for order, (_name, _role, steps, numbers) in enumerate(marks):
        places = [
            (column_of(step, bar.cells, bar.scale), number)
            for step, number in zip(steps, numbers, strict=True)
            if step <= bar.limit
        ]
        stride = _stride(places)
        for column, number in places:
            if number == 1 or not number % stride:
                labels.setdefault(column, (order, number))
    row: list[Piece] = []
    at, before = 0, -1
    columns = sorted(labels)
    for place, column in enumerate(columns):
        order, number = labels[column]
        text = f"{number}" if order == before else f"{marks[order].name} {number}"
        end = column + cells_of(text)
        covered = (labels[other][0] for other in columns[place + 1 :] if other <= end)
        if column < at + bool(row) or end > bar.cells or any(other < order for other in covered):
            continue
        row += [(" " * (column - at), "plain"), (text, marks[order].role)]
        at, before = end, order
    return tuple(row)


def _stride(places: Sequence[tuple[int, int]]) -> int:
    """Return which numbers are shown, of those in columns: each, or each second, fifth, tenth, and so on."""
    if len(places) < 2:
        return 1
    room = max(places[-1][0] - places[0][0], 1) / (len(places) - 1)
    wanted = len(str(places[-1][1])) + _APART
    decade = 1
    while 10 * decade * room < wanted:
        decade *= 10
    return next(stride for stride in (decade, 2 * decade, 5 * decade, 10 * decade) if stride * room >= wanted)


# ------------------------------------------------------------ the widget

SPEEDS = (1, 2, 4, 8, 15, 30)
"""Steps per second."""


class TimeBar(Surface):
    """The whole recording in one line, and in a high terminal a ruler below; a click moves the cursor, and so does
    playback."""

    class Ticked(Message):
        """Posted while the recording is played: it is time for the next step."""

    def __init__(self) -> None:
        super().__init__(id="timebar")
        self._speed_index = 2
        self._timer: Timer | None = None
        self._bar = Bar(2, Scale(0), b"", ())
        self._ruler: Row = ()
        self._loop: TrainingLoop | None = None
        self._back = BackwardSteps()
        self._key: object = None
        self._cursor = 0
        self._timeline: Timeline | None = None
        self._limit = 0
        self._problems: Sequence[int] = ()

    def show(self, timeline: Timeline, cursor: int, limit: int, problems: Sequence[int] = ()) -> None:
        """Show the cursor, the last step that it may reach, and the steps of the problems."""
        if timeline is not self._timeline:
            self._key, self._back = None, BackwardSteps()
        self._timeline, self._cursor, self._limit, self._problems = timeline, cursor, limit, problems
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        timeline = self._timeline
        if timeline is None:
            return []
        key = (width, timeline.steps, self._limit, tuple(self._problems), timeline.run_end is not None)
        if key != self._key:
            self._key = key
            self._loop = find_training_loop(timeline)
            back = self._back.update(timeline.steps, timeline.passes)
            starts = [info.start for info in timeline.cells]
            scale = Scale(timeline.steps, self._loop, starts)
            columns = width - 2 - cells_of(self._place_text(timeline, timeline.steps))
            self._bar = Bar(columns, scale, back, starts, self._limit, self._problems, timeline.columns.gaps())
            self._ruler = ruler(self._bar, self._marks(timeline))
        place: Piece = (self._place_text(timeline, self._cursor), "quiet")
        margin: Piece = (" ", "plain")
        return [(margin, *self._bar.row(self._cursor, self.glyphs), place), (margin, *self._ruler)][:height]

    def _marks(self, timeline: Timeline) -> list[Marks]:
        """Return what the ruler numbers: cells, iterations of the training loop, and passes outside of it."""
        loop = self._loop
        cells = timeline.cells if len(timeline.cells) > 1 else []
        marks = [Marks(key_label("cell"), "title", [info.start for info in cells], [info.cell for info in cells])]
        begin, end = timeline.steps + 1, timeline.steps
        if loop is not None:
            begin, end = loop.starts[0], timeline.steps if loop.end is None else loop.end
            marks.append(Marks(_loop_name(timeline, loop), "quiet", loop.starts, loop.numbers))
        passes = [info for info in timeline.passes if not begin <= info.start_step <= end]
        starts, numbers = [info.start_step for info in passes], [info.number for info in passes]
        marks.append(Marks(key_label("pass"), "grad", starts, numbers))
        return marks

    def _place_text(self, timeline: Timeline, step: int) -> str:
        """Return the iteration (or the epoch) and, where there is room, the pass of a step, right-aligned; blank before
        the loop, empty without one."""
        loop = self._loop
        if loop is None:
            return ""
        name = _loop_name(timeline, loop)
        last = loop.last
        total = str(last) if loop.end is not None else ""
        iteration, pass_number = loop.iteration(step), self._pass(timeline, step)
        texts = []
        for number, of_passes in ((iteration, pass_number), (last, len(timeline.passes))):
            text = f"  {name} {number}" + (f"/{total}" if total else "")
            if self.size.width >= WIDE:
                text += f" {self.glyphs.dot} {_('pass {number}', number=of_passes)}"
            texts.append(text)
        room = cells_of(texts[1])
        return " " * (room - cells_of(texts[0])) + texts[0] if iteration else " " * room

    def _pass(self, timeline: Timeline, step: int) -> int:
        """Return the number of the last pass that has begun at a step; 0 before the first."""
        return bisect_right(timeline.passes, step, key=lambda info: info.start_step)

    @property
    def playing(self) -> bool:
        """Whether the recording is being played."""
        return self._timer is not None

    @property
    def speed(self) -> int:
        """Steps per second."""
        return SPEEDS[self._speed_index]

    def play(self) -> None:
        """Begin to play."""
        self._timer = self.set_interval(1 / self.speed, lambda: self.post_message(self.Ticked()))

    def pause(self) -> None:
        """Play no more."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def begin_at(self, speed: int | None) -> None:
        """Choose the speed nearest to one in steps per second; None: the usual one."""
        if speed is not None:
            self._speed_index = min(range(len(SPEEDS)), key=lambda index: abs(SPEEDS[index] - speed))

    def change_speed(self, by: int) -> None:
        """Play faster or slower."""
        self._speed_index = max(0, min(self._speed_index + by, len(SPEEDS) - 1))
        if self.playing:
            self.pause()
            self.play()

    def _pick(self, event: events.MouseEvent) -> None:
        bar = self._bar
        if self._timeline is not None and event.x - 1 < bar.cells:
            step = bar.problems.get(event.x - 1) or bar.gaps.get(event.x - 1)
            self.post_message(StepPicked(step_at(event.x - 1, bar.cells, bar.scale) if step is None else step))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._pick(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if event.button == 1:
            self._pick(event)
