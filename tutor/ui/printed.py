"""What the program printed between two steps, and what Python warned of there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol, TypeVar

from tutor.i18n import _
from tutor.trace import events as ev
from tutor.trace.timeline import Timeline

_KEPT = 200_000
"""Characters: of more than this, the end is told."""
_WARNINGS = 1_000
"""So many of the last warnings are told."""
ROLES = {"stdout": "plain", "stderr": "grad", "warning": "grad"}
"""By stream."""


class _Placed(Protocol):
    @property
    def step(self) -> int: ...


_Part = TypeVar("_Part", bound=_Placed)


def after(parts: Sequence[_Part], since: int, step: int) -> Sequence[_Part]:
    """Those that come after one step, up to another."""
    first, last = (bisect_right(parts, at, key=lambda part: part.step) for at in (since, step))
    return parts[first:last]


def told(timeline: Timeline, since: int, step: int) -> tuple[list[tuple[str, str]], bool]:
    """Stream and text in their order, pieces of one stream joined; and whether this is only the end of it."""
    pieces: list[tuple[int, str, str]] = []
    size = 0
    for part in reversed(after(timeline.contents.printed, since, step)):
        pieces.append((part.step, part.stream, part.text[-_KEPT:]))
        size += len(part.text)
        if size > _KEPT:
            break
    pieces.reverse()
    for aside in after(timeline.asides, since, step)[-_WARNINGS:]:
        if isinstance(aside.event, ev.Warned):
            text = f"{aside.event.category}: {aside.event.message.strip()}"
            pieces.append((aside.step, "warning", " ".join(text.split())))
    pieces.sort(key=lambda piece: piece[0])
    joined: list[tuple[str, str]] = []
    for _place, stream, text in pieces:
        if joined and joined[-1][0] == stream and stream != "warning":
            joined[-1] = (stream, joined[-1][1] + text)
        else:
            joined.append((stream, text))
    return [(stream, text.removesuffix("\n")) for stream, text in joined], size > _KEPT


def lead_of(stream: str) -> str:
    """What stands before what came from there."""
    return "" if stream == "stdout" else "! " if stream == "stderr" else _("warning: ")
