"""The places that jumps have left: back to them, and forward again, as in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

_MOST = 100
"""Places that are kept."""


class Jumps:
    """The places left by jumps in one recording; another recording begins without any."""

    def __init__(self) -> None:
        self._timeline: Timeline | None = None
        self._behind: list[int] = []
        self._ahead: list[int] = []

    def leave(self, timeline: Timeline, step: int) -> None:
        """Take in that a jump leaves a step."""
        self._begin(timeline)
        self._behind = [*self._behind, step][-_MOST:]
        self._ahead = []

    def back(self, timeline: Timeline, step: int) -> int | None:
        """Return the step that the last jump left, and leave `step` for `forward`; None where there was no jump."""
        self._begin(timeline)
        return _exchange(self._behind, self._ahead, step)

    def forward(self, timeline: Timeline, step: int) -> int | None:
        """Return the step that `back` left last, and leave `step` for `back`; None where there is none."""
        self._begin(timeline)
        return _exchange(self._ahead, self._behind, step)

    def _begin(self, timeline: Timeline) -> None:
        if timeline is not self._timeline:
            self._timeline, self._behind, self._ahead = timeline, [], []


def _exchange(source: list[int], other: list[int], step: int) -> int | None:
    """Take the last step of `source`, and add `step` to the other list."""
    if not source:
        return None
    other.append(step)
    return source.pop()
