"""Whether recorded parts add up to a recorded whole: a sum is written out only where it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tutor.trace.values import elements
from tutor.trace.wire_types import Value

_ROOM = {"float64": 1e-10, "complex128": 1e-10, "float16": 4e-3, "bfloat16": 3e-2}


def adds_up(parts: Sequence[Value], whole: Value, dtype: str) -> bool | None:
    """Whether the parts are the whole, but for rounding; None where their numbers were not recorded."""
    total = elements(whole)
    rows = [elements(part) for part in parts]
    if total is None or not rows or any(row is None for row in rows):
        return None
    numbers = [row for row in rows if row is not None]
    if any(len(row) != len(total) for row in numbers):
        return False
    largest = max((abs(x) for row in (*numbers, total) for x in row if math.isfinite(x)), default=0.0)
    room = _ROOM.get(dtype, 1e-5) * largest
    return all(
        _same(sum(column), float(wanted), room)
        for column, wanted in zip(zip(*numbers, strict=True), total, strict=True)
    )


def _same(ours: float, theirs: float, room: float) -> bool:
    if math.isnan(ours) or math.isnan(theirs):
        return math.isnan(ours) and math.isnan(theirs)
    return ours == theirs or abs(ours - theirs) <= room
