"""Where each pane stands, for a terminal of any size.

Puts the widgets of the lesson screen where `draw.places` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from textual.widget import Widget

from tutor.i18n import current_language
from tutor.text_width import width as cells
from tutor.ui.panes.base import FRAME, Pane, Tab

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen

LEFT = ("lesson", "code", "output")
RIGHT = ("graph", "chart")
BELOW = ("tensors", *RIGHT)
"""What shares a place while one reads."""
PANES = ("lesson", "code", "output", "graph", "tensors", "chart")
WIDE, TALL = 110, 30
"""From this size on all panes are in view; below, some share a place under tabs."""
LEAST = (60, 16)
HEAD, FOOT = 1, 3
CODE = 6
"""So many rows are left to the code, however long the prose."""


class Place(NamedTuple):
    """The top left corner and the size, in cells."""

    x: int
    y: int
    width: int
    height: int


def too_small(width: int, height: int) -> bool:
    """Whether nothing sensible can be shown."""
    return width < LEAST[0] or height < LEAST[1]


def left_width(width: int) -> int:
    """The width of the panes on the left."""
    return width * 46 // 100


def is_wide(width: int, height: int) -> bool:
    """Whether all panes are in view."""
    return width >= WIDE and height >= TALL


def places(
    width: int, height: int, *, front: Mapping[str, str], zoomed: str | None = None, asking: int = 0,
    prose: bool = True, reading: int = 0,
) -> dict[str, Place]:  # fmt: skip
    """The place of each pane on show.

    `front` says which pane of a group of tabs is the one to see, by group (`left`, `right`, `below`); `asking` is the
    height of the field for an answer, which stands under the lesson; without `prose` there is no lesson pane. While one
    is `reading` (so many rows) the lesson is as tall as that where there is room; where there is little, it has all of
    the width.
    """
    top, body = HEAD, height - HEAD - FOOT
    if zoomed == "lesson" and asking:
        return {"lesson": Place(0, top, width, body - asking), "ask": Place(0, top + body - asking, width, asking)}
    if zoomed is not None:
        return {zoomed: Place(0, top, width, body)}
    if is_wide(width, height):
        return _wide(left_width(width), width - left_width(width), top, body, asking, prose, reading)
    if reading and prose:
        return _reading(left_width(width), width, top, body, front, asking, reading)
    return _narrow(left_width(width), width, top, body, front, asking)


def _wide(left: int, right: int, top: int, body: int, asking: int, prose: bool, reading: int) -> dict[str, Place]:
    output = max(4, body * 15 // 100)
    lesson = max(8, (body - output) * 42 // 100) if prose else 0
    lesson = max(lesson, min(reading + 2, body - output - asking - CODE)) if prose else 0
    code = body - output - lesson - asking
    graph = max(8, body * 36 // 100)
    tensors = max(8, body * 32 // 100)
    found = {
        "lesson": Place(0, top, left, lesson),
        "code": Place(0, top + lesson + asking, left, code),
        "output": Place(0, top + lesson + asking + code, left, output),
        "graph": Place(left, top, right, graph),
        "tensors": Place(left, top + graph, right, tensors),
        "chart": Place(left, top + graph + tensors, right, body - graph - tensors),
    }
    if asking:
        found["ask"] = Place(0, top + lesson, left, asking)
    if not prose:
        del found["lesson"]
    return found


def _reading(
    left: int, width: int, top: int, body: int, front: Mapping[str, str], asking: int, rows: int
) -> dict[str, Place]:
    lesson = max(body * 11 // 20, min(rows + 2, body - asking - CODE))
    below, rest = top + lesson + asking, body - lesson - asking
    found = {
        "lesson": Place(0, top, width, lesson),
        "output" if front.get("left") == "output" else "code": Place(0, below, left, rest),
        front.get("below", "tensors"): Place(left, below, width - left, rest),
    }
    if asking:
        found["ask"] = Place(0, top + lesson, width, asking)
    return found


def _narrow(left: int, width: int, top: int, body: int, front: Mapping[str, str], asking: int) -> dict[str, Place]:
    tensors = max(5, body * 2 // 5)
    upper = body - tensors
    first = front.get("left", "code")
    found = {
        first: Place(0, top, left, upper),
        front.get("right", "graph"): Place(left, top, width - left, upper),
        "tensors": Place(0, top + upper, width, tensors),
    }
    if asking and first == "lesson":
        found["lesson"] = Place(0, top, left, upper - asking)
        found["ask"] = Place(0, top + upper - asking, left, asking)
    return found


ASK, BRIEF = 3, 1
"""Rows of the field for an answer; where there is little room it has no frame."""


class Arranger:
    """Where everything stands, for this size, zoom, and choice of tabs."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._drawn: object = None
        self._now = ""
        self._led: Pane | None = None

    def turn(self) -> None:
        """Where lesson, code and output share a place: prose while one reads, code while it runs."""
        screen = self.screen
        if self.now != self._now:
            self._now = screen.front["left"] = self.now
            if screen.zoomed in LEFT:
                screen.zoomed = self.now
        if self.leading != self._led:
            self._led = self.leading
            if screen.focused in (screen.lesson, screen.code):
                screen.set_focus(self._led)

    @property
    def leading(self) -> Pane:
        """The pane that the arrows up and down are for, as long as the learner chooses no other."""
        screen = self.screen
        question = screen.gate.question_at(screen.timeline, screen.cursor)
        pointing = question is not None and question.kind == "line"
        return screen.lesson if self.now == "lesson" and self._prose and not pointing else screen.code

    @property
    def now(self) -> str:
        """Which of them is now."""
        return "lesson" if self.screen.gate.is_reading_time(self.screen.timeline, self.screen.cursor) else "code"

    @property
    def _prose(self) -> bool:
        """Whether there is a lesson pane; as long as nothing is known of the program there is."""
        return self.screen.gate.has_prose or self.screen.timeline.document is None

    def update(self) -> None:
        """Put everything in its place, if anything changed that matters to it."""
        screen = self.screen
        question = screen.gate.question_at(screen.timeline, screen.cursor)
        width, height = screen.size
        small = too_small(width, height)
        wide = is_wide(width, height)
        reading = 0
        if self.now == "lesson":  # a pane that has all of the screen is as tall as that
            reading = 1 if screen.zoomed else self._to_read(left_width(width) if wide else width)
        self._tabs(wide, bool(reading) and self._prose)
        drawn = (screen.size, question, dict(screen.front), screen.zoomed, self._prose, reading, current_language())
        if drawn == self._drawn:
            return
        self._drawn = drawn
        asking = 0 if question is None else ASK if wide else BRIEF
        found = {} if small else places(
            width, height, front=screen.front, zoomed=screen.zoomed, asking=asking, prose=self._prose,
            reading=reading,
        )  # fmt: skip
        if question is not None:
            screen.ask.about(question, framed=wide, glyphs=screen.header.glyphs)
        for name, widget in (*screen.panes.items(), ("ask", screen.ask)):
            widget.display = name in found
            if name in found:
                _put(widget, found[name])
        lines = {screen.header: 0, screen.timebar: height - 2, screen.keyline: height - 1}
        for line, y in lines.items():
            line.display = not small
            _put(line, Place(0, y, width, 1))
        screen.small.display = small
        _put(screen.small, Place(0, 0, width, height))
        self.prompt()
        if not small and (screen.focused is None or (isinstance(screen.focused, Pane) and not screen.focused.display)):
            self.focus_pane()

    def _to_read(self, width: int) -> int:
        """The rows of what is to be read now, in a pane of this width."""
        screen = self.screen
        return max(screen.lesson.to_read(screen.timeline, screen.cursor, width - FRAME), 1)

    def _tabs(self, wide: bool, reading: bool) -> None:
        self.screen.lesson.tabs = self.screen.tensors.tabs = ()
        news = self.screen.output.news(self.screen.timeline, self.screen.cursor)
        for group in (("code", "output"), BELOW) if reading else (LEFT, RIGHT):
            names = [name for name in group if self._prose or name != "lesson"]
            for name in names:
                tabs = tuple(Tab(other, other == name, news * (name != other == "output")) for other in names)
                self.screen.panes[name].tabs = () if wide or self.screen.zoomed else tabs

    def prompt(self) -> None:
        """The line for typing stands above the explanation."""
        screen = self.screen
        width, height = screen.size
        size = cells(screen.label.text) + 2
        small = screen.small.display
        shown = bool(screen.prompt.purpose) and not small
        screen.explain.display = not small
        screen.label.display = screen.prompt.display = shown
        _put(screen.explain, Place(0, height - 3, width, 1))
        if shown:
            _put(screen.label, Place(0, height - 3, size, 1))
            _put(screen.prompt, Place(size, height - 3, width - size, 1))

    def bring(self, name: str) -> None:
        """Put a pane in view and the focus on it."""
        screen = self.screen
        if name in RIGHT:
            screen.front["right"] = name
        if name in BELOW:
            screen.front["below"] = name
        # Who goes on to another place leaves what is now in view behind.
        screen.front["left"] = name if name in LEFT else self.now
        if screen.zoomed:
            screen.zoomed = name
        self.update()
        if screen.focused is not screen.panes[name]:
            screen.set_focus(screen.panes[name])
        screen.soon()

    def focus_pane(self) -> None:
        """The focus goes to a pane in view; to nothing where the terminal is too small for any."""
        panes = self.screen.panes
        shown = next((pane for pane in (self.leading, *panes.values()) if pane.display), None)
        self.screen.set_focus(shown)


def _put(widget: Widget, place: Place) -> None:
    widget.styles.offset = (place.x, place.y)
    widget.styles.width, widget.styles.height = place.width, place.height
