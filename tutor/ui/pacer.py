"""When to draw: at once for a key, in good time for what a running program records."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.widget import Widget

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
