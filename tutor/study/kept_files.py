"""Small files that are kept in the user's folder: read without blocking, replaced atomically, locked while merged."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutor.i18n import _


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes while the block runs, if the system supports locks."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class _NotRegularError(OSError):
    """A FIFO, a folder or a device where a file should be."""

    def __init__(self, path: Path) -> None:
        super().__init__(_("{path} is no regular file", path=path))


def read(path: Path) -> bytes:
    """Return the content of a regular file. Opening never blocks, as it would on a FIFO."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _NotRegularError(path)
        with open(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def read_object(path: Path) -> dict[str, Any]:
    """Return what is in a file of JSON. Raises OSError, and ValueError where it is no JSON object."""
    try:
        entries = json.loads(read(path))
    except (ValueError, RecursionError):
        raise ValueError(_("it is not JSON")) from None
    if not isinstance(entries, dict):
        raise ValueError(_("it is no JSON object"))
    return entries


def replace(path: Path, data: bytes) -> None:
    """Write a file atomically: to a temporary file first, which replaces the old one. A link is followed."""
    path = Path(os.path.realpath(path))
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _NotRegularError(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def reason(error: Any) -> str:
    """Return the text of an error, without its number."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
