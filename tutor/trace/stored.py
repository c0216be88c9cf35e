"""Reading a recording from its file as it is asked for: no more of it is in memory than what is shown needs."""

from __future__ import annotations

import contextlib
import os
import stat
from array import array
from collections.abc import Iterator
from pathlib import Path

MOST_MEMORY = 112 << 20
"""A recording is read on only while this process has not taken so many bytes more than when it began to read it."""
MOST_PIPED = 64 << 20
"""So many bytes are read of what is no regular file."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CHUNK = 1 << 20


def memory_taken() -> int:
    """The bytes of memory that this process has now; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read(256).split()[1]) * _PAGE
    return 0


class Stored:
    """The bytes of a file. It stays open, so that they are there though another takes its place."""

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        self._data: bytes | None = None
        self._before = memory_taken()
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode):
                self.size = status.st_size
                self._descriptor = os.dup(file.fileno())
            else:
                self._data = file.read(MOST_PIPED)
                self.size = len(self._data)

    def takes_much(self) -> bool:
        """Whether so much memory was taken since that no more is to be read."""
        return memory_taken() - self._before > MOST_MEMORY

    def read(self, start: int, end: int) -> bytes:
        """These bytes; fewer where the file has become shorter, none where it cannot be read."""
        if self._data is not None:
            return self._data[start:end]
        try:
            return os.pread(self._descriptor, end - start, start)
        except OSError:
            return b""

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """The same in pieces."""
        for place in range(start, end, _CHUNK):
            yield self.read(place, min(place + _CHUNK, end))

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class StoredFrames:
    """The frames of a file: where each of them is."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._starts = array("Q")
        self._ends = array("Q")

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, start: int, end: int) -> None:
        """One more frame."""
        self._starts.append(start)
        self._ends.append(end)

    def __iter__(self) -> Iterator[bytes]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> bytes:
        return self._stored.read(self._starts[number], self._ends[number])
