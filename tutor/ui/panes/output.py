"""The output pane: printed text and Python's warnings up to the cursor, without terminal control sequences.

`ProgramFigures` draws the figures that the program itself shows, for the chart pane.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol, TypeVar

from tutor.i18n import N_, _, current_language, ngettext
from tutor.text_width import cut, printed_lines, width, wrapped
from tutor.trace import events as ev
from tutor.trace.drawings import largest_that_fits, unpack
from tutor.trace.events import Figure
from tutor.trace.timeline import Timeline
from tutor.trace.wire import WireError
from tutor.ui.bindings import pane_bindings
from tutor.ui.panes.base import FRAME, Pane
from tutor.ui.pictures import Pictures
from tutor.ui.render import plot
from tutor.ui.render.drawing import drawing_rows
from tutor.ui.render.pictures import marks
from tutor.ui.render.segments import PICTURE, Glyphs, Piece, Row, clean, styled
from tutor.ui.render.traceback import folded
from tutor.ui.theme import Palette

_MAX_CHARACTERS = 200_000
"""Of longer output, only the end is shown."""
_LITTLE = 1_000
"""The most characters with which the pane may be lower than its share."""
_MAX_WARNINGS = 1_000
"""Only this many of the last warnings are shown."""
ROLES = {"stdout": "plain", "stdin": "plain", "display": "value", "stderr": "grad", "warning": "grad"}
"""Style role of each stream."""


# ------------------------------------------------------------ printed text and warnings


class _AtStep(Protocol):
    @property
    def step(self) -> int: ...


_Part = TypeVar("_Part", bound=_AtStep)


def in_steps(parts: Sequence[_Part], since: int, step: int) -> Sequence[_Part]:
    """Return the parts recorded after step `since`, up to and including `step`."""
    first, last = (bisect_right(parts, bound, key=lambda part: part.step) for bound in (since, step))
    return parts[first:last]


def output_between(timeline: Timeline, since: int, step: int) -> tuple[list[tuple[str, str]], bool]:
    """Return the output of the steps after `since`, up to and including `step`.

    Returns:
        Pairs of stream and text in order, adjacent pieces of a stream joined; and whether the beginning was cut off.
    """
    pieces: list[tuple[int, str, str]] = []
    size = 0
    for part in reversed(in_steps(timeline.contents.printed, since, step)):
        pieces.append((part.step, part.stream, part.text[-_MAX_CHARACTERS:]))
        size += len(part.text)
        if size > _MAX_CHARACTERS:
            break
    pieces.reverse()
    for aside in in_steps(timeline.side_events, since, step)[-_MAX_WARNINGS:]:
        if isinstance(aside.event, ev.Warned):
            text = f"{aside.event.category}: {aside.event.message.strip()}"
            pieces.append((aside.step, "warning", " ".join(text.split())))
    pieces.sort(key=lambda piece: piece[0])
    joined: list[tuple[str, str]] = []
    for _place, stream, text in pieces:
        last, before = joined[-1] if joined else ("", "")
        is_typed = stream == "stdin" and before and not before.endswith("\n")  # it stands behind its prompt
        if last != "warning" and (stream == last or is_typed):
            joined[-1] = (last, before + text)
        else:
            joined.append((stream, text))
    return [(stream, text.removesuffix("\n")) for stream, text in joined], size > _MAX_CHARACTERS


def printed_rows(timeline: Timeline, step: int) -> list[Row]:
    """Return what a step printed, of the end of a cell what the cell did, as a row for each line."""
    if not step:
        return []
    cell = timeline.cell_info(step)
    is_end = timeline.kind(step) == "cell_end" and cell is not None
    since = cell.start if is_end and cell is not None else step - 1
    pieces = output_between(timeline, since, step)[0]
    lines = [line for stream, text in pieces if stream != "warning" for line in printed_lines(text)]
    return [((_("printed: "), "quiet"), (clean(line), "plain")) for line in lines if line.strip()]


def stream_prefix(stream: str) -> str:
    """Return the text in front of each line of a stream."""
    return "" if stream in ("stdout", "stdin", "display") else "! " if stream == "stderr" else _("warning: ")


# ------------------------------------------------------------ figures drawn by the program


_COLOURED = ("image", "mesh", "contours")
"""Parts of a figure whose colours mean values: they stay as they are on a dark ground."""


class ProgramFigures:
    """Finds and draws the last figure up to a step."""

    def __init__(self) -> None:
        self.pictures = Pictures("none")
        """What shows figures as pictures."""
        self._timeline: Timeline | None = None
        self._read_count = 0
        self._steps: list[int] = []
        self._figures: list[Figure] = []
        self._count = 0
        self._drawn: tuple[object, list[Row], str] | None = None

    def _read(self, timeline: Timeline) -> None:
        if timeline is not self._timeline:
            self._timeline, self._read_count, self._steps, self._figures, self._drawn = timeline, 0, [], [], None
        for aside in timeline.side_events[self._read_count :]:
            if isinstance(aside.event, Figure):
                self._steps.append(aside.step)
                self._figures.append(aside.event)
        self._read_count = len(timeline.side_events)

    def any(self, timeline: Timeline | None) -> bool:
        """Return whether the program draws a figure."""
        if timeline is not None:
            self._read(timeline)
        return bool(self._figures)

    def find(self, timeline: Timeline, step: int) -> bool:
        """Find the last figure up to a step; return whether there is one."""
        self._read(timeline)
        self._count = bisect_right(self._steps, step)
        return self._count > 0

    def next_step(self, cursor: int, by: int) -> int | None:
        """Return the step of the next figure after a step (`by` above 0), or of the one before it."""
        if by > 0:
            return next((step for step in self._steps if step > cursor), None)
        return next((step for step in reversed(self._steps) if step < cursor), None)

    def rows(self, width: int, height: int, palette: Palette) -> list[Row]:
        """Return the figure that was found, in `width` by `height` cells."""
        figure = self._figures[self._count - 1]
        shown = self._picture(figure, width, height, palette)
        if shown is not None:
            self._drawn = None, shown, ""
            return shown
        key = (self._timeline, self._count, height, width, palette, current_language())
        if self._drawn is None or self._drawn[0] != key:
            if figure.drawings or not figure.calls:
                self._drawn = key, *_drawing(figure, width, height, palette)
            elif height < 5 or width < 16:
                self._drawn = key, [((_("there is no room for the figure"), "note"),)], ""
            else:
                self._drawn = key, *plot.figure_rows(figure, width, height, palette.glyphs.ascii, not palette.mono)
        return self._drawn[1]

    def _picture(self, figure: Figure, width: int, height: int, palette: Palette) -> list[Row] | None:
        """Show a figure as a picture; return the rows of its marks, None where it is not shown so."""
        fitting = None if palette.glyphs.ascii else self.pictures.fitting(figure.pictures, width, height)
        if fitting is None:
            return None
        has_values = any(part.form in _COLOURED for subplot in figure.subplots for part in subplot.parts)
        try:
            self.pictures.show(fitting, palette.ground_and_ink if palette.dark and not has_values else None)
        except WireError:
            return None
        margin: Piece = (" " * ((width - fitting.columns) // 2), "plain")
        return [(margin, (marks(row, fitting.columns), PICTURE)) for row in range(fitting.rows)]

    def title(self, glyphs: Glyphs) -> Row:
        """Return the number of the figure, and what could not be drawn."""
        title: Row = ((_("figure {number} of {count}", number=self._count, count=len(self._figures)), "value"),)
        figure = self._figures[self._count - 1]
        if self.pictures.are_shown and figure.drawings and not figure.pictures:
            title = (*title, (f" {glyphs.dot} " + _("recorded without pictures"), "quiet"))
        if file := figure.file:
            title = (*title, (f" {glyphs.dot} " + clean(_("saved as {file}", file=file)), "quiet"))
        left_out = self._drawn[2] if self._drawn is not None else ""
        return (*title, (f" {glyphs.dot} {left_out}", "error")) if left_out else title


def _drawing(figure: Figure, width: int, height: int, palette: Palette) -> tuple[list[Row], str]:
    """Return the rows of a figure of matplotlib's, and what could not be drawn."""
    left_out = clean(_("not drawn: {what}", what=", ".join(figure.left_out))) if figure.left_out else ""
    drawing = largest_that_fits(figure.drawings, width, height)
    if drawing is None:
        if not figure.drawings:
            return [((_("there is nothing in the figure"), "note"),)], left_out
        return [tuple(styled("{z} shows the figure, where there is room for it", "note", z=("z", "key")))], left_out
    try:
        cells = unpack(drawing)
    except WireError as error:
        return [((_("this figure cannot be drawn: {error}", error=error), "note"),)], left_out
    return drawing_rows(
        cells, width, palette.glyphs, shades=palette.shades, mono=palette.mono, dark=palette.dark
    ), left_out  # fmt: skip


# ------------------------------------------------------------ the pane


_COLOURS = re.compile("\x1b\\[[0-9;]*m")
"""Colour sequences in a figure's characters: the chart draws figures again, with its own colours."""


class OutputPane(Pane):
    """Printed text up to the cursor, scrolled to its end."""

    NAME = N_("output")
    BINDINGS = pane_bindings(details=("unfold", N_("show the frames of libraries in tracebacks, or fold them")))

    def __init__(self) -> None:
        super().__init__()
        self._unfolded = False
        """Whether the frames of libraries in tracebacks are shown."""
        self._has_frames = False
        self._rows: list[Row] = []
        self._key: object = None
        self._grew = False
        self._cut = False
        self.previous_cursor = self._last_cursor = 0

    def prepare(self) -> None:
        timeline = self.timeline
        if timeline is None:
            return
        warned = bisect_right(timeline.side_events, self.cursor, key=lambda aside: aside.step)
        printed = bisect_right(timeline.contents.printed, self.cursor, key=lambda part: part.step)
        key = (timeline, printed, warned, self.inner, self._unfolded, current_language())
        self._grew = key != self._key
        if not self._grew:
            return
        self._key = key
        self._rows, self._has_frames = [], False
        own = {source.path for source in timeline.sources.values()}
        draws = timeline.state(self.cursor).figures > 0
        parts, self._cut = output_between(timeline, -1, self.cursor)
        for stream, text in parts:
            role, lead = ROLES.get(stream, "plain"), stream_prefix(stream)
            printed_text = printed_lines(f"{text}\n")
            lines: list[str | tuple[str, int]] = [*printed_text]
            for line in lines if self._unfolded else folded(printed_text, own):
                if isinstance(line, tuple):
                    self._has_frames, (package, frames) = True, line
                    count = ngettext(
                        "{count} frame in {package}", "{count} frames in {package}", frames, package=package
                    )
                    hint = _("Enter shows them")
                    self._rows += wrapped([(f"{lead}  {self.glyphs.more} {count}: {hint}", "note")], self.inner)
                    continue
                if draws:
                    line = _COLOURS.sub("", line)
                shown = clean(cut(line.expandtabs(8), self.inner * 20, self.glyphs.more))
                self._rows += wrapped([(lead, f"{role} strong"), (shown, role)], self.inner) or [()]

    def count_new_lines(self, timeline: Timeline, cursor: int) -> int:
        """Return how many lines and warnings were printed since the cursor's previous position."""
        if cursor != self._last_cursor:
            self.previous_cursor, self._last_cursor = self._last_cursor, cursor
        text = "".join(part.text for part in in_steps(timeline.contents.printed, self.previous_cursor, cursor))
        asides = in_steps(timeline.side_events, self.previous_cursor, cursor)
        warnings = sum(isinstance(aside.event, ev.Warned) for aside in asides)
        return len(printed_lines(text)) + warnings

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does something here: there may be no frames to show or fold."""
        return action != "unfold" or self._has_frames or self._unfolded

    def action_unfold(self) -> None:
        """Show the frames of libraries in tracebacks, or fold them again."""
        self._unfolded = not self._unfolded
        self.update()

    def heading(self) -> Row:
        return ((_("the end of it; there was more"), "note"),) if self._cut else ()

    def count(self) -> int:
        return max(len(self._rows), 1)

    def row(self, index: int, cells: int) -> Row:
        return self._rows[index] if self._rows else ((_("nothing printed yet"), "note"),)

    def is_used(self, timeline: Timeline) -> bool:
        return bool(timeline.contents.printed)

    def rows_needed(self, timeline: Timeline, cells: int) -> int | None:
        """Return how high the pane is, `cells` wide, with all that the program printed; None if that is much."""
        if not timeline.contents.printed or timeline.contents.printed[-1].length > _LITTLE:
            return None
        parts, _is_cut = output_between(timeline, -1, timeline.steps)
        lines = [line for _stream, text in parts for line in printed_lines(f"{text}\n")]
        return 2 + sum(1 + width(line.expandtabs(8)) // max(cells - FRAME, 1) for line in lines)

    def in_view(self) -> int | None:
        return len(self._rows) - 1 if self._grew and self._rows else None
