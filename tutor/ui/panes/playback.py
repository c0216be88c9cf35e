"""When to draw: at once for a key, in good time for what a running program records.

Playing a recording: a step at a time, at a pace that can be changed."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from tutor.trace import navigation
from tutor.ui.moves import no_move_reason

if TYPE_CHECKING:
    from textual.timer import Timer
    from textual.widget import Widget

    from tutor.ui.screens.lesson import LessonScreen

REST = 4
"""For each millisecond of drawing so many without, in which the recording is read: the program comes first."""


class Pacer:
    """Calls `draw` of a widget, once for all that has come in meanwhile."""

    def __init__(self, widget: Widget, draw: Callable[[], None]) -> None:
        self._widget = widget
        self._draw = draw
        self._due = self._waiting = False
        self._not_before = 0.0

    def soon(self) -> None:
        """Draw once the keys that have come in are dealt with: held keys do not pile up."""
        if not self._due:
            self._due = True
            self._widget.call_later(self._now)

    def later(self) -> None:
        """Draw once there is time for it."""
        rest = self._not_before - perf_counter()
        if rest <= 0:
            self.soon()
        elif not self._waiting:
            self._waiting = True
            self._widget.set_timer(rest, self._rested)

    def _rested(self) -> None:
        self._waiting = False
        self.soon()

    def _now(self) -> None:
        began = perf_counter()
        try:
            self._draw()
        finally:
            self._due = False
        ended = perf_counter()
        self._not_before = ended + REST * (ended - began)


PACES = (1, 2, 4, 8, 15, 30)
"""Steps a second."""


class Player:
    """Moves the cursor of a screen while it plays."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self.pace = 2
        self._timer: Timer | None = None

    @property
    def playing(self) -> bool:
        return self._timer is not None

    @property
    def speed(self) -> int:
        """Steps a second."""
        return PACES[self.pace]

    def toggle(self) -> None:
        if self.playing:
            self.pause()
        else:
            self._start()

    def _start(self) -> None:
        self._timer = self.screen.set_interval(1 / self.speed, self._step)

    def pause(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
            self.screen.update_soon()

    def change(self, by: int) -> None:
        """Slower or faster."""
        self.pace = max(0, min(self.pace + by, len(PACES) - 1))
        if self.playing:
            self.pause()
            self._start()

    def _step(self) -> None:
        screen = self.screen
        following = navigation.forward(screen.timeline, screen.cursor)
        if following is None and screen.running:
            return
        if following is None or following > screen.limit:
            self.pause()
            if following is None:
                screen.say((no_move_reason(screen.timeline, "forward"), "quiet"))
            else:
                screen.commands.say_gate()
            return
        screen.cursor = following
