"""Playback of a recording at a number of steps per second, and the scheduling of redraws."""

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

_REST = 4
"""Idle time per time spent drawing, so that reading the recording takes precedence."""


class RedrawScheduler:
    """Coalesces requests to redraw a widget."""

    def __init__(self, widget: Widget, draw: Callable[[], None]) -> None:
        self._widget = widget
        self._draw = draw
        self._due = self._waiting = False
        self._not_before = 0.0

    def soon(self) -> None:
        """Redraw after the pending key events, so that held keys do not pile up."""
        if not self._due:
            self._due = True
            self._widget.call_later(self._redraw)

    def later(self) -> None:
        """Redraw when the time to rest since the last drawing is over."""
        delay = self._not_before - perf_counter()
        if delay <= 0:
            self.soon()
        elif not self._waiting:
            self._waiting = True
            self._widget.set_timer(delay, self._rested)

    def _rested(self) -> None:
        self._waiting = False
        self.soon()

    def _redraw(self) -> None:
        start = perf_counter()
        try:
            self._draw()
        finally:
            self._due = False
        end = perf_counter()
        self._not_before = end + _REST * (end - start)


SPEEDS = (1, 2, 4, 8, 15, 30)
"""Steps per second."""


class Player:
    """Moves the cursor of a screen step by step."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self.speed_index = 2
        self._timer: Timer | None = None

    @property
    def playing(self) -> bool:
        """Whether the recording is being played."""
        return self._timer is not None

    @property
    def speed(self) -> int:
        """Steps per second."""
        return SPEEDS[self.speed_index]

    def toggle(self) -> None:
        """Start or pause."""
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

    def change_speed(self, by: int) -> None:
        """Play faster or slower."""
        self.speed_index = max(0, min(self.speed_index + by, len(SPEEDS) - 1))
        if self.playing:
            self.pause()
            self._start()

    def _step(self) -> None:
        screen = self.screen
        next_step = navigation.forward(screen.timeline, screen.cursor)
        if next_step is None and screen.running:
            return
        if next_step is None or next_step > screen.limit:
            self.pause()
            if next_step is None:
                screen.say((no_move_reason(screen.timeline, "forward"), "quiet"))
            else:
                screen.commands.say_gate()
            return
        screen.cursor = next_step
