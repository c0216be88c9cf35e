"""Saying what a recording holds, whatever it holds.

One that was read from a file may come from a stranger: what cannot be said of it is left out, with a word, and the rest
is said. What we record ourselves is not guarded: there it would hide faults.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TextIO, TypeVar

from tutor.i18n import _
from tutor.trace.timeline import Timeline

Said = TypeVar("Said")


def guarded(timeline: Timeline, say: Callable[[], Said], otherwise: Callable[[str], Said]) -> Said:
    """What `say` gives; of a recording from a file that cannot be said, `otherwise` with the reason."""
    try:
        return say()
    except Exception as error:
        if not timeline.is_stored:
            raise
        return otherwise(why(error))


def why(error: Exception) -> str:
    """Why a step cannot be told."""
    return _("this step cannot be explained: {error}", error=repr(error)[:200])


def write_object(fields: dict[str, Any], out: TextIO) -> None:
    """One line of JSON, piece by piece. ASCII alone, so that the bytes are the same whatever the terminal."""
    for piece in json.JSONEncoder(allow_nan=False).iterencode(_finite(fields)):
        out.write(piece)
    out.write("\n")


def _finite(value: Any) -> Any:
    """The same with strings for the floats that JSON has not."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
