"""Gives the learner's code just as many frames as Python would, although some of ours stand below and above it.

The real limit is higher than the one that the learner's code sees. Functions of the learner's are refused at the
latter, so that the recorder always has room to work; what recurses otherwise gets a little more than in a plain run.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

DEEPEST = 20_000
"""Frames that may be needed for an expression as deep as the compiler takes it: it takes some 3,000 levels."""
ROOM = 60
"""Frames that the recorder may need above the learner's deepest."""
NEAR = 100
"""With fewer frames of the learner's functions than this nobody is near the limit."""
_limit = sys.getrecursionlimit
_set_limit = sys.setrecursionlimit
_ours = 0


def make_room() -> None:
    """From now on what the caller calls is the outermost frame of the learner's code."""
    global _ours
    depth, frame = 0, sys._getframe(1)
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    if not _ours:
        sys.getrecursionlimit, sys.setrecursionlimit = getrecursionlimit, setrecursionlimit
        _set_limit(_limit() + depth + ROOM)
        _ours = depth


@contextlib.contextmanager
def room_for_syntax() -> Iterator[None]:
    """What Python compiles may be nested deeper than our functions can follow within the limit for calls."""
    before = _limit()
    _set_limit(max(before, DEEPEST))
    try:
        yield
    finally:
        _set_limit(before)


def getrecursionlimit() -> int:
    """The limit that the learner's code sees."""
    return _limit() - _ours - ROOM


def setrecursionlimit(limit: int, /) -> None:
    """Sets it."""
    _set_limit(limit + _ours + ROOM if limit > 0 else limit)


def refuse() -> None:
    """Raises RecursionError where Python would not have called the function that called our caller."""
    try:
        sys._getframe(_limit() - ROOM + 2)
    except ValueError:  # the stack is not as deep
        return
    raise RecursionError("maximum recursion depth exceeded")
