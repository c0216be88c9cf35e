"""Where each pane stands, for a terminal of any size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

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
