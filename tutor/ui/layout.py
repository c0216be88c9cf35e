"""The layout of the lesson screen: the region of each pane for a terminal of any size, computed from sizes alone.

A step moves no pane: what is in view depends on the size of the terminal, on the program and on the learner's keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from textual.geometry import Region

LEFT = ("code", "output")
RIGHT = ("graph", "chart")
PANES = ("lesson", "code", "output", "graph", "tensors", "chart")
WIDE, TALL = 110, 30
"""From this width and height on all panes are in view; in a smaller terminal some share a region, under tabs."""
DETAILS = 180
"""From this width on, where all panes are in view, a third column has the details."""
LEAST = (60, 16)
HEAD = 1
"""Rows of the title above the panes."""
RULER = 40
"""From this height on the time bar has a ruler below it."""
_EXPLANATION = ((48, 6), (40, 5), (20, 3))
"""Rows of the explanation, by the least height of the terminal that they need: five have room for grids of numbers."""
CODE, TENSORS, CARD = 5, 5, 4
"""The least heights of the code and of the tensors beside a card, and of the card."""
_SHARES = {"lesson": 13, "code": 9, "output": 6, "graph": 12, "tensors": 10, "chart": 9, "upper": 11}
"""What each pane takes of the height of its column, relative to the others."""
_GROWN, _GROWN_LOW, _LOW = 1.7, 3, 24
"""How many times its share the pane takes that the learner went to; and in a column of fewer than `_LOW` rows."""
_LEAST_ROWS = {"lesson": 6, "tensors": 5}
"""Rows that a pane keeps, if not `_LEAST`: of a lesson the answer field takes some, of tensors the heading."""
_LEAST = 3
_FOLDED = 1
"""Rows of a pane of which only the title is shown."""


class Rooms(NamedTuple):
    """What changes the heights of panes, beside the size of the terminal."""

    grown: str = ""
    """The pane that the learner went to, which is larger."""
    folded: frozenset[str] = frozenset()
    """Panes for which the recording has nothing: only their title is shown."""
    extra: Mapping[str, int] = {}
    """Rows that the learner gave to panes, or took from them (below 0)."""
    most: Mapping[str, int] = {}
    """The rows that panes need for all that the recording has for them."""


EVEN = Rooms()
"""No pane is larger or smaller than its share."""


def too_small(width: int, height: int) -> bool:
    """Return whether the terminal is too small to show anything useful."""
    return width < LEAST[0] or height < LEAST[1]


def bar_rows(height: int) -> int:
    """Return the rows of the time bar and the key line."""
    return 2 + (height >= RULER)


def explanation_rows(height: int) -> int:
    """Return the rows of the explanation: what ran, and in the last one what runs next."""
    return next((rows for least, rows in _EXPLANATION if height >= least), 2)


def details_width(width: int, height: int) -> int:
    """Return the width of the column of details; 0 where there is none."""
    return width * 28 // 100 if width >= DETAILS and is_wide(width, height) else 0


def left_width(width: int, height: int) -> int:
    """Return the width of the panes on the left, in a lesson: in a small terminal half, so that prose can be read."""
    return (width - details_width(width, height)) * (46 if is_wide(width, height) else 50) // 100


def is_wide(width: int, height: int) -> bool:
    """Return whether all panes are in view in a terminal of this size."""
    return width >= WIDE and height >= TALL


def pane_regions(
    width: int, height: int, *, front: Mapping[str, str], zoomed: str | None = None, asking: int = 0,
    prose: bool = True, rooms: Rooms = EVEN,
) -> dict[str, Region]:  # fmt: skip
    """Return the region of each visible pane, by its name.

    Args:
        width: Columns of the terminal.
        height: Rows of the terminal.
        front: The pane in front in each group of tabs (`left`, `right`).
        zoomed: The pane that takes the whole screen, if any.
        asking: The height of the answer field, in the lower rows of the lesson; 0 without a question.
        prose: Whether there is a lesson pane.
        rooms: What the heights depend on.
    """
    top, body = HEAD, height - HEAD - bar_rows(height) - explanation_rows(height)
    details = details_width(width, height)
    whole = Region(0, top, width, body)
    if zoomed is not None:
        regions = {zoomed: whole}
    elif is_wide(width, height):
        left = left_width(width, height)
        right = width - left - details
        regions = _column(PANES[:3] if prose else PANES[1:3], Region(0, top, left, body), rooms)
        regions |= _column(PANES[3:], Region(left, top, right, body), rooms)
        if details:
            regions["details"] = Region(width - details, top, details, body)
    elif prose:
        left = left_width(width, height)
        columns = Region(0, top, left, body), Region(left, top, width - left, body)
        regions = _tabbed(("lesson", "code"), front.get("left", "code"), columns[0], rooms)
        regions |= _tabbed(("graph", "tensors"), front.get("right", "graph"), columns[1], rooms)
    else:
        regions = _script(whole, front, rooms)
    return _with_answer(regions, asking)


def _column(names: Sequence[str], column: Region, rooms: Rooms) -> dict[str, Region]:
    """Return the regions of panes one below the other."""
    heights = _heights(names, column.height, rooms)
    tops = [column.y + sum(heights[:place]) for place in range(len(names))]
    return {
        name: Region(column.x, top, column.width, height)
        for name, top, height in zip(names, tops, heights, strict=True)
    }


def _tabbed(names: Sequence[str], front: str, column: Region, rooms: Rooms) -> dict[str, Region]:
    """Return the regions of a column in which one pane shares its place with others: `front` is the one in front."""
    shared = next(name for group in (LEFT, RIGHT) if front in group for name in group[:1])
    places = {name: front if name == shared else name for name in names}
    regions = _column(
        names, column,
        Rooms(
            next((name for name, pane in places.items() if pane == rooms.grown), ""),
            frozenset(name for name, pane in places.items() if pane in rooms.folded),
            {name: rooms.extra.get(pane, 0) for name, pane in places.items()},
        ),
    )  # fmt: skip
    return {places[name]: region for name, region in regions.items()}


def _heights(names: Sequence[str], rows: int, rooms: Rooms) -> list[int]:
    """Divide the rows of a column among its panes, by their shares."""
    moved = {name for name in names if name == rooms.grown or rooms.extra.get(name)}
    folded = {name for name in names if name in rooms.folded} - moved
    if len(folded) == len(names):
        folded = set(names[1:])
    fixed = dict.fromkeys(folded, _FOLDED)
    heights = _shared_out(names, rows, fixed, rooms.grown)
    fixed |= {
        name: max(rooms.most[name], _LEAST)
        for name, height in zip(names, heights, strict=True)
        if height > rooms.most.get(name, height) and name not in moved | folded
    }
    heights = _shared_out(names, rows, fixed, rooms.grown)
    for place, name in enumerate(names):
        for _row in range(abs(rooms.extra.get(name, 0))):
            sign = 1 if rooms.extra[name] > 0 else -1
            others = [height if at != place and names[at] not in folded else 0 for at, height in enumerate(heights)]
            giver, taker = (_tallest(others), place) if sign > 0 else (place, _tallest(others))
            if not max(others) or heights[giver] <= _LEAST_ROWS.get(names[giver], _LEAST):
                break
            heights[giver] -= 1
            heights[taker] += 1
    return heights


def _shared_out(names: Sequence[str], rows: int, fixed: Mapping[str, int], grown: str) -> list[int]:
    """Return the heights of panes by their shares, but for those of a fixed height."""
    factor = _GROWN_LOW if rows < _LOW else _GROWN
    shares = [_SHARES[name] * (factor if name == grown else 1) * (name not in fixed) for name in names]
    free = rows - sum(fixed.values())
    heights = [
        max(int(free * share / sum(shares)), _LEAST_ROWS.get(name, _LEAST)) if share else fixed[name]
        for name, share in zip(names, shares, strict=True)
    ]
    shared = [height if share else 0 for height, share in zip(heights, shares, strict=True)]
    heights[_tallest(shared)] += rows - sum(heights)
    return heights


def _tallest(heights: Sequence[int]) -> int:
    return max(range(len(heights)), key=heights.__getitem__)


def _script(whole: Region, front: Mapping[str, str], rooms: Rooms) -> dict[str, Region]:
    """Return the regions for a script in a small terminal: the tensors have the full width."""
    left, right = front.get("left", "code"), front.get("right", "graph")
    grown = "upper" if rooms.grown in (left, right) else rooms.grown
    extra = {"upper": rooms.extra.get(left, 0) + rooms.extra.get(right, 0), "tensors": rooms.extra.get("tensors", 0)}
    parts = _column(("upper", "tensors"), whole, Rooms(grown, frozenset(), extra))
    upper = parts.pop("upper")
    columns = whole.width * 46 // 100
    return {
        left: Region(0, upper.y, columns, upper.height),
        right: Region(columns, upper.y, whole.width - columns, upper.height),
        **parts,
    }


def _with_answer(regions: dict[str, Region], rows: int) -> dict[str, Region]:
    """Return the regions with the answer field in the lower rows of the lesson."""
    lesson = regions.get("lesson")
    if lesson is None or not rows:
        return regions
    lesson, answer = lesson.split_horizontal(-rows)
    return {**regions, "lesson": lesson, "ask": answer}


def seams(region: Region, regions: Mapping[str, Region]) -> tuple[int, ...]:
    """Return the columns of a region in which panes beneath it begin or end."""
    edges = {edge - region.x for other in regions.values() for edge in (other.x, other.right)}
    return tuple(sorted(edge for edge in edges if 0 < edge < region.width))


def question_region(regions: Mapping[str, Region]) -> Region:
    """Return the region of the card of a question: that of the lesson, over the panes on its right."""
    lesson = regions["lesson"]
    return Region(lesson.x, lesson.y, regions["tensors"].right - lesson.x, lesson.height)


def below(card: Region, tensors: Region) -> Region:
    """Return the rows of the tensors that the card of a question leaves, or all where they are too few to read."""
    covered = card.intersection(tensors).height
    return tensors if tensors.height - covered < TENSORS else tensors.split_horizontal(covered)[1]


_LEAST_SHEET = 6
"""Rows of a sheet of details, at least."""


def sheet_region(width: int, height: int, wanted: int, rows: int) -> Region:
    """Return the region of the sheet of details above the panes, `wanted` columns wide and `rows` high where there is
    room: what explains the step stays in view, and so do the panes below a sheet that says little."""
    columns = min(wanted, width - 4 if width > 70 else width)
    room = height - HEAD - bar_rows(height) - explanation_rows(height)
    return Region((width - columns) // 2, HEAD, columns, min(max(rows, _LEAST_SHEET), room))


def with_card(regions: dict[str, Region], rows: int) -> dict[str, Region]:
    """Return the regions with a card of at most `rows` rows: in the lower rows of the code, or of the lesson but for
    its title, which keep their place; or above the tensors where they have the full width.

    Where there is no room, there is no card.
    """
    left = next((regions[name] for name in LEFT if name in regions), None)
    tensors = regions.get("tensors")
    if left is None or tensors is None or not rows:
        return regions
    if tensors.x >= left.right:
        least = {name: least for name, least in (("code", CODE), ("lesson", _FOLDED)) if name in regions}
        name = max(least, key=lambda name: min(regions[name].height - least[name], rows), default="")
        height = min(rows, regions[name].height - least[name]) if name else 0
        if height < CARD:
            return regions
        rest, card = regions[name].split_horizontal(-height)
        return {**regions, name: rest, "card": card}
    upper, body = left.bottom, tensors.bottom - left.y
    height = min(rows, body - CODE - TENSORS)
    if height < CARD or tensors.y != upper:
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


ASK, BRIEF = 3, 1
"""Heights of the answer field: with a frame, and without one where there is little room."""
