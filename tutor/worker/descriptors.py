"""Keeps the recorder's descriptors apart from those of the learner's program, which may close or replace any."""

from __future__ import annotations

import fcntl
import resource
from os import close, fstat

_HIGH = 512
"""Where programs that close "all" descriptors, or count them, seldom look."""


def move_up(descriptor: int) -> int:
    """Move a descriptor out of the way of the program's, and close the old one. Returns the new number."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lowest = _HIGH if most == resource.RLIM_INFINITY or most > 2 * _HIGH else most // 2
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    except OSError:  # no room there
        return descriptor
    close(descriptor)
    return moved


class Guarded:
    """A descriptor that is used only while it still is the file that it was."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._file = self._identity()

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = fstat(self.number)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    @property
    def is_same(self) -> bool:
        """Whether the program has neither closed nor replaced it."""
        return self._file is not None and self._identity() == self._file
