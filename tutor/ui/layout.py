"""The layout of the lesson screen: the region of each pane for a terminal of any size, computed from sizes alone."""

from __future__ import annotations

from collections.abc import Mapping

from textual.geometry import Region

LEFT = ("lesson", "code", "output")
RIGHT = ("graph", "chart")
BELOW = ("tensors", *RIGHT)
"""The panes that share a region below the prose while one reads."""
PANES = ("lesson", "code", "output", "graph", "tensors", "chart")
WIDE, TALL = 110, 30
"""From this width and height on all panes are in view; in a smaller terminal some share a region, under tabs."""
DETAILS = 180
"""From this width on, where all panes are in view, a third column has the details."""
LEAST = (60, 16)
HEAD, BARS = 1, 2
"""Rows of the title above the panes, and of the time bar and the key line below them."""
_EXPLANATION = ((48, 6), (40, 5), (20, 3))
"""Rows of the explanation, by the least height of the terminal that they need: five have room for grids of numbers."""
CODE, CODE_BELOW = 5, 4
"""The least heights of the code pane, however long the prose: where all panes are in view, and below what is read."""


def too_small(width: int, height: int) -> bool:
    """Return whether the terminal is too small to show anything useful."""
    return width < LEAST[0] or height < LEAST[1]


def explanation_rows(height: int) -> int:
    """Return the rows of the explanation: what ran, and in the last one what runs next."""
    return next((rows for least, rows in _EXPLANATION if height >= least), 2)


def details_width(width: int, height: int) -> int:
    """Return the width of the column of details; 0 where there is none."""
    return width * 28 // 100 if width >= DETAILS and is_wide(width, height) else 0


def left_width(width: int, height: int) -> int:
    """Return the width of the panes on the left."""
    return (width - details_width(width, height)) * 46 // 100


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
    top, body = HEAD, height - HEAD - BARS - explanation_rows(height)
    left, details = left_width(width, height), details_width(width, height)
    if zoomed == "lesson" and asking:
        return {"lesson": Region(0, top, width, body - asking), "ask": Region(0, top + body - asking, width, asking)}
    if zoomed is not None:
        return {zoomed: Region(0, top, width, body)}
    if is_wide(width, height):
        regions = _wide(left, width - left - details, top, body, asking, prose, reading)
        return {**regions, "details": Region(width - details, top, details, body)} if details else regions
    if reading and prose:
        return _reading(left, width, top, body, front, asking, reading)
    return _narrow(left, width, top, body, front, asking)


def sheet_region(width: int, height: int, wanted: int) -> Region:
    """Return the region of the sheet of details above the panes, `wanted` columns wide where there is room: what
    explains the step stays in view."""
    columns = min(wanted, width - 4 if width > 70 else width)
    return Region((width - columns) // 2, HEAD, columns, height - HEAD - BARS - explanation_rows(height))


def _wide(left: int, right: int, top: int, body: int, asking: int, prose: bool, reading: int) -> dict[str, Region]:
    """Return the regions for a terminal in which all panes are in view."""
    output = max(5, body * 15 // 100)
    lesson = max(8, (body - output) * 42 // 100) if prose else 0
    lesson = max(lesson, min(reading + 2, body - output - asking - CODE)) if prose else 0
    code = body - output - lesson - asking
    graph = max(8, body * 38 // 100)
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
    lesson = max(body * 11 // 20, min(rows + 2, body - asking - CODE_BELOW))
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


def with_card(regions: dict[str, Region], rows: int) -> dict[str, Region]:
    """Return the regions with a card of at most `rows` rows: below the code, or above the tensors where they are wide.

    The code keeps `CODE` rows or more, the tensors `TENSORS`. Where there is no room, and while one reads, there is no
    card.
    """
    code, tensors = regions.get("code"), regions.get("tensors")
    if code is not None and tensors is not None and tensors.x >= code.right:  # all panes are in view
        height = min(rows, code.height - CODE)
        if height < CARD:
            return regions
        card = Region(code.x, code.bottom - height, code.width, height)
        return {**regions, "code": Region(code.x, code.y, code.width, code.height - height), "card": card}
    left = next((regions[name] for name in LEFT if name in regions), None)
    if tensors is None or left is None or not rows:
        return regions
    upper, body = left.bottom, tensors.bottom - left.y
    height = min(rows, body - CODE - TENSORS)
    if height < CARD or tensors.y != upper or tensors.x != left.x:
        return regions
    low = max(TENSORS, min(tensors.height, body - height - CODE - 2))
    bottom = tensors.bottom - low - height
    shrunk = {
        name: Region(region.x, region.y, region.width, region.height - (upper - bottom))
        for name, region in regions.items()
        if region.bottom == upper
    }
    card = Region(0, bottom, tensors.width, height)
    return {**regions, **shrunk, "tensors": Region(tensors.x, bottom + height, tensors.width, low), "card": card}


CARD, TENSORS = 4, 5
"""The least heights of a card, and of the tensors below it."""
ASK, BRIEF = 3, 1
"""Heights of the answer field: with a frame, and without one where there is little room."""
