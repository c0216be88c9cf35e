"""Reading source files: size limits, encodings, and an error for each way in which that fails."""

from __future__ import annotations

import io
import os
import stat
import tokenize
from pathlib import Path

from tutor.i18n import N_, _
from tutor.lesson.model import MISSING, LessonError

MAX_BYTES = 16 * 1024 * 1024
"""Maximum size of a script, in bytes."""
MAX_NOTEBOOK_BYTES = 256 * 1024 * 1024
"""Maximum size of a notebook, whose saved outputs are in it."""
MAX_LINES = 100_000


def load(path: Path) -> str:
    """Return the text of a file, decoded as Python would (UTF-8, or by its `coding:` line), with `\\n` line ends.

    Raises:
        LessonError: If it cannot be read or is not text.
    """
    return decode(read_bytes(path), str(path))


def check(path: Path) -> os.stat_result:
    """Return the status of a file. Raises LessonError if it is missing, not accessible, or not a regular file."""
    name = str(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise LessonError(_("there is no such file."), path=name, status=MISSING) from None
    except (OSError, ValueError) as error:
        raise LessonError(_("cannot be opened: {why}.", why=_reason(error)), path=name, status=MISSING) from None
    if stat.S_ISDIR(status.st_mode):
        raise LessonError(_("is a folder, not a script."), path=name, fix=_("Name a file in it."))
    if not stat.S_ISREG(status.st_mode):
        raise LessonError(_("is not a regular file."), path=name, fix=_("Save the script to a file first."))
    return status


def read_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """Return the bytes of a file. Raises LessonError as `check` does, and if it has more than `most`."""
    size = check(path).st_size
    if size > most:
        raise LessonError(_("is too large for a script ({size:,} bytes).", size=size), path=str(path))
    try:
        return path.read_bytes()
    except OSError as error:
        raise LessonError(_("cannot be read: {why}.", why=_reason(error)), path=str(path), status=MISSING) from None


def decode(data: bytes, name: str) -> str:
    """Decode a Python source file. Raises LessonError with `name` as its path if that fails."""
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise LessonError(_("is not text: it holds a zero byte."), path=name, line=line, fix=_("Name a Python script."))
    try:
        encoding, _lines = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding not in ("utf-8", "utf-8-sig"):
            what = _("cannot be read in the encoding that it names: {why}.", why=error)
            raise LessonError(what, path=name, line=_coding_line(data), fix=_("Save it as UTF-8.")) from None
        line = data[: error.start].count(b"\n") + 1
        what = _("is not UTF-8: byte 0x{byte:02x} stands at offset {start}.", byte=data[error.start], start=error.start)
        raise LessonError(what, path=name, line=line, fix=_("Save it as UTF-8.")) from None
    except (LookupError, ValueError, AssertionError) as error:
        # Not a text codec, or it cannot decode this text; codecs raise different exceptions.
        what = _("cannot be read in the encoding that it names: {why}.", why=str(error) or type(error).__name__)
        raise LessonError(what, path=name, line=_coding_line(data), fix=_("Save it as UTF-8.")) from None
    except SyntaxError as error:
        # `detect_encoding` reads two lines: they are not UTF-8, or they name an unknown encoding.
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as bad:
            what = _("is not UTF-8: byte 0x{byte:02x} stands at offset {start}.", byte=data[bad.start], start=bad.start)
            line = data[: bad.start].count(b"\n") + 1
            raise LessonError(what, path=name, line=line, fix=_("Save it as UTF-8.")) from None
        raise LessonError(f"{error.msg}.", path=name, line=_coding_line(data), fix=_("Save it as UTF-8.")) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    count = text.count("\n") + 1
    if count > MAX_LINES:
        what = N_("is too large for a script ({count:,} lines, and {most:,} are the most).")
        raise LessonError(_(what, count=count, most=MAX_LINES), path=name)
    return text


def _coding_line(data: bytes) -> int:
    """Return which of the first two lines names the encoding."""
    return 1 if b"coding" in data.split(b"\n", 1)[0] else 2


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Return the modification time and size of a file; None while an editor has moved it away."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
