"""Tracebacks with the frames of libraries folded: the learner's own stay."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import PurePath

_FRAME = re.compile(r'  File "(?P<path>[^"]*)", line \d+')


def folded(lines: list[str], own: Collection[str]) -> list[str | tuple[str, int]]:
    """Return the lines of an output, with the frames of other files than the learner's folded.

    Args:
        lines: The lines; anything but frames of a traceback stays.
        own: Paths of the learner's files.

    Returns:
        Lines, and in place of consecutive frames the package that they are in and their number.
    """
    result: list[str | tuple[str, int]] = []
    is_folding = False
    for line in lines:
        frame = _FRAME.match(line)
        if frame is not None:
            package = _package(frame["path"])
            is_folding = package is not None and frame["path"] not in own
            if is_folding and package is not None:
                last = result[-1] if result else None
                if isinstance(last, tuple) and last[0] == package:
                    result[-1] = (package, last[1] + 1)
                else:
                    result.append((package, 1))
                continue
        is_folding = is_folding and line.startswith("    ")
        if not is_folding:
            result.append(line)
    return result


def _package(path: str) -> str | None:
    """Return the installed package that a file is in: `torch`; None if it is in none."""
    parts = PurePath(path).parts
    places = [place for place, part in enumerate(parts) if part in ("site-packages", "dist-packages")]
    return parts[places[-1] + 1] if places and places[-1] + 1 < len(parts) else None
