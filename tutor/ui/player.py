"""Playing a recording: a step at a time, at a pace that can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutor.trace import navigation
from tutor.ui.moves import nowhere

if TYPE_CHECKING:
    from textual.timer import Timer

    from tutor.ui.screens.lesson import LessonScreen

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
            self.screen.soon()

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
                screen.say((nowhere(screen.timeline, "forward"), "quiet"))
            else:
                screen.commands.say_gate()
            return
        screen.cursor = following
