"""The layout of the lesson screen: the region of each pane for a terminal of any size.

`pane_regions` computes it from sizes alone; `PaneLayout` applies it to the widgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.widget import Widget

from tutor.i18n import current_language
from tutor.text_width import width as cells
from tutor.ui.panes.base import FRAME, Pane, Tab

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen

LEFT = ("lesson", "code", "output")
RIGHT = ("graph", "chart")
BELOW = ("tensors", *RIGHT)
"""The panes that share a region below the prose while one reads."""
PANES = ("lesson", "code", "output", "graph", "tensors", "chart")
WIDE, TALL = 110, 30
"""From this width and height on all panes are in view; in a smaller terminal some share a region, under tabs."""
LEAST = (60, 16)
HEAD, FOOT = 1, 3
CODE = 6
"""The least height of the code pane, however long the prose."""


def too_small(width: int, height: int) -> bool:
    """Return whether the terminal is too small to show anything useful."""
    return width < LEAST[0] or height < LEAST[1]


def left_width(width: int) -> int:
    """Return the width of the panes on the left."""
    return width * 46 // 100


def is_wide(width: int, height: int) -> bool:
    """Return whether all panes are in view in a terminal of this size."""
    return width >= WIDE and height >= TALL


def pane_regions(
    width: int, height: int, *, front: Mapping[str, str], zoomed: str | None = None, asking: int = 0,
    prose: bool = True, reading: int = 0,
) -> dict[str, Region]:  # fmt: skip
    """Return the region of each visible pane, by its name.

    Args:
        width: Columns of the terminal.
        height: Rows of the terminal.
        front: The pane in front in each group of tabs (`left`, `right`, `below`).
        zoomed: The pane that takes the whole screen, if any.
        asking: The height of the answer field below the lesson; 0 without a question.
        prose: Whether there is a lesson pane.
        reading: The rows of prose to be read now. The lesson pane is as tall as that where there is room; in a small
            terminal it takes the full width. 0 while code runs.
    """
    top, body = HEAD, height - HEAD - FOOT
    if zoomed == "lesson" and asking:
        return {"lesson": Region(0, top, width, body - asking), "ask": Region(0, top + body - asking, width, asking)}
    if zoomed is not None:
        return {zoomed: Region(0, top, width, body)}
    if is_wide(width, height):
        return _wide(left_width(width), width - left_width(width), top, body, asking, prose, reading)
    if reading and prose:
        return _reading(left_width(width), width, top, body, front, asking, reading)
    return _narrow(left_width(width), width, top, body, front, asking)


def _wide(left: int, right: int, top: int, body: int, asking: int, prose: bool, reading: int) -> dict[str, Region]:
    """Return the regions for a terminal in which all panes are in view."""
    output = max(4, body * 15 // 100)
    lesson = max(8, (body - output) * 42 // 100) if prose else 0
    lesson = max(lesson, min(reading + 2, body - output - asking - CODE)) if prose else 0
    code = body - output - lesson - asking
    graph = max(8, body * 36 // 100)
    tensors = max(8, body * 32 // 100)
    regions = {
        "lesson": Region(0, top, left, lesson),
        "code": Region(0, top + lesson + asking, left, code),
        "output": Region(0, top + lesson + asking + code, left, output),
        "graph": Region(left, top, right, graph),
        "tensors": Region(left, top + graph, right, tensors),
        "chart": Region(left, top + graph + tensors, right, body - graph - tensors),
    }
    if asking:
        regions["ask"] = Region(0, top + lesson, left, asking)
    if not prose:
        del regions["lesson"]
    return regions


def _reading(
    left: int, width: int, top: int, body: int, front: Mapping[str, str], asking: int, rows: int
) -> dict[str, Region]:
    """Return the regions for a small terminal while one reads: the lesson has the full width."""
    lesson = max(body * 11 // 20, min(rows + 2, body - asking - CODE))
    below, rest = top + lesson + asking, body - lesson - asking
    regions = {
        "lesson": Region(0, top, width, lesson),
        "output" if front.get("left") == "output" else "code": Region(0, below, left, rest),
        front.get("below", "tensors"): Region(left, below, width - left, rest),
    }
    if asking:
        regions["ask"] = Region(0, top + lesson, width, asking)
    return regions


def _narrow(left: int, width: int, top: int, body: int, front: Mapping[str, str], asking: int) -> dict[str, Region]:
    """Return the regions for a small terminal while code runs."""
    tensors = max(5, body * 2 // 5)
    upper = body - tensors
    left_pane = front.get("left", "code")
    regions = {
        left_pane: Region(0, top, left, upper),
        front.get("right", "graph"): Region(left, top, width - left, upper),
        "tensors": Region(0, top + upper, width, tensors),
    }
    if asking and left_pane == "lesson":
        regions["lesson"] = Region(0, top, left, upper - asking)
        regions["ask"] = Region(0, top + upper - asking, left, asking)
    return regions


ASK, BRIEF = 3, 1
"""Heights of the answer field: with a frame, and without one where there is little room."""


class PaneLayout:
    """Places the widgets of the lesson screen for its size, zoom and tabs."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._key: object = None
        self._last_pane = ""
        self._last_leading: Pane | None = None

    def follow_step(self) -> None:
        """Bring the lesson to the front while one reads, and the code while it runs."""
        screen = self.screen
        if self.current_pane != self._last_pane:
            self._last_pane = screen.front["left"] = self.current_pane
            if screen.zoomed in LEFT:
                screen.zoomed = self.current_pane
        if self.leading != self._last_leading:
            self._last_leading = self.leading
            if screen.focused in (screen.lesson, screen.code):
                screen.set_focus(self._last_leading)

    @property
    def leading(self) -> Pane:
        """The pane that gets the focus, and so the up and down keys, unless the learner chooses another one."""
        screen = self.screen
        question = screen.gate.question_at(screen.timeline, screen.cursor)
        pointing = question is not None and question.kind == "line"
        return screen.lesson if self.current_pane == "lesson" and self._prose and not pointing else screen.code

    @property
    def current_pane(self) -> str:
        """The pane that belongs to the current step: `lesson` or `code`."""
        return "lesson" if self.screen.gate.is_reading_time(self.screen.timeline, self.screen.cursor) else "code"

    @property
    def _prose(self) -> bool:
        """Whether there is a lesson pane; True as long as nothing is known of the program."""
        return self.screen.gate.has_prose or self.screen.timeline.document is None

    def update(self) -> None:
        """Move and resize all widgets, if anything that matters has changed."""
        screen = self.screen
        question = screen.gate.question_at(screen.timeline, screen.cursor)
        width, height = screen.size
        is_small = too_small(width, height)
        wide = is_wide(width, height)
        reading = 0
        if self.current_pane == "lesson":  # a zoomed pane has the full height anyway
            reading = 1 if screen.zoomed else self._rows_to_read(left_width(width) if wide else width)
        self._tabs(wide, bool(reading) and self._prose)
        key = (screen.size, question, dict(screen.front), screen.zoomed, self._prose, reading, current_language())
        if key == self._key:
            return
        self._key = key
        ask_height = 0 if question is None else ASK if wide else BRIEF
        regions = {} if is_small else pane_regions(
            width, height, front=screen.front, zoomed=screen.zoomed, asking=ask_height, prose=self._prose,
            reading=reading,
        )  # fmt: skip
        if question is not None:
            screen.ask.ask_for(question, framed=wide, glyphs=screen.header.glyphs)
        for name, widget in (*screen.panes.items(), ("ask", screen.ask)):
            widget.display = name in regions
            if name in regions:
                _place(widget, regions[name])
        bars = {screen.header: 0, screen.timebar: height - 2, screen.keyline: height - 1}
        for bar, y in bars.items():
            bar.display = not is_small
            _place(bar, Region(0, y, width, 1))
        screen.small.display = is_small
        _place(screen.small, Region(0, 0, width, height))
        self.place_prompt()
        if not is_small and (
            screen.focused is None or (isinstance(screen.focused, Pane) and not screen.focused.display)
        ):
            self.focus_pane()

    def _rows_to_read(self, width: int) -> int:
        """Return the rows of the prose to be read now, in a pane of this width."""
        screen = self.screen
        return max(screen.lesson.rows_to_read(screen.timeline, screen.cursor, width - FRAME), 1)

    def _tabs(self, wide: bool, reading: bool) -> None:
        self.screen.lesson.tabs = self.screen.tensors.tabs = ()
        news_count = self.screen.output.count_new_lines(self.screen.timeline, self.screen.cursor)
        for group in (("code", "output"), BELOW) if reading else (LEFT, RIGHT):
            names = [name for name in group if self._prose or name != "lesson"]
            for name in names:
                tabs = tuple(Tab(other, other == name, news_count * (name != other == "output")) for other in names)
                self.screen.panes[name].tabs = () if wide or self.screen.zoomed else tabs

    def place_prompt(self) -> None:
        """Show or hide the prompt, above the explanation."""
        screen = self.screen
        width, height = screen.size
        label_width = cells(screen.label.text) + 2
        is_small = screen.small.display
        shown = bool(screen.prompt.purpose) and not is_small
        screen.explain.display = not is_small
        screen.label.display = screen.prompt.display = shown
        _place(screen.explain, Region(0, height - 3, width, 1))
        if shown:
            _place(screen.label, Region(0, height - 3, label_width, 1))
            _place(screen.prompt, Region(label_width, height - 3, width - label_width, 1))

    def show_pane(self, name: str) -> None:
        """Bring a pane into view and focus it."""
        screen = self.screen
        if name in RIGHT:
            screen.front["right"] = name
        if name in BELOW:
            screen.front["below"] = name
        # Choosing another pane gives up what was in front on the left.
        screen.front["left"] = name if name in LEFT else self.current_pane
        if screen.zoomed:
            screen.zoomed = name
        self.update()
        if screen.focused is not screen.panes[name]:
            screen.set_focus(screen.panes[name])
        screen.update_soon()

    def focus_pane(self) -> None:
        """Focus a visible pane; nothing where the terminal is too small for any."""
        panes = self.screen.panes
        shown = next((pane for pane in (self.leading, *panes.values()) if pane.display), None)
        self.screen.set_focus(shown)


def _place(widget: Widget, region: Region) -> None:
    widget.styles.offset = (region.x, region.y)
    widget.styles.width, widget.styles.height = region.width, region.height
