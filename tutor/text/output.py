"""Writing text so that it arrives: on terminals without UTF-8, into pipes that close, with escapes made harmless."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import io
import os
import re
import select
import sys
from typing import Any, TextIO

from tutor.text_width import pad, width

# What stands for a character where the terminal cannot show it. Whatever is not here becomes an escape (`\u4e24`).
_ASCII = {
    "·": "*", "×": "x", "→": "->", "∂": "d", "∇": "grad", "…": "...", "–": "-", "≤": "<=", "Σ": "sum", "¹": "^1",
    "²": "^2", "³": "^3", "⁴": "^4", "⁵": "^5", "⁶": "^6", "⁷": "^7", "⁸": "^8", "⁹": "^9", "⁰": "^0", "⁻": "^-",
    "ᵀ": "^T", "■": "#", "●": "o", "○": ".", "▶": ">", "✓": "+", "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_ASCII.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text), error.end


class OutputError(Exception):
    """Standard output cannot be written; the text says why. No OSError: those are about files that are named."""


class _Descriptor(io.FileIO):
    """Standard output: a failure to write says that it is one, and a descriptor that does not block is waited for."""

    def write(self, data: Any) -> int:
        try:
            while (count := super().write(data)) is None:
                select.select([], [self], [])
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.strerror or str(error)) from None
        return count


def prepare() -> None:
    """Make the standard streams take any text, whatever their encoding, and any bytes; open those that are closed."""
    codecs.register_error("gradtutor", _replace)
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None or (name == "stdin" and _is_unreadable(number)):
            _open_nowhere(number)
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        elif name == "stdout" and type(sys.stdout) is io.TextIOWrapper and _has_descriptor(sys.stdout):
            sys.stdout = sys.__stdout__ = _checked(sys.stdout)  # type: ignore[misc, assignment]
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "gradtutor"), (sys.stderr, "gradtutor")):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=errors)


def _is_unreadable(number: int) -> bool:
    """Whether a descriptor is open for writing alone, as `nohup` makes standard input."""
    try:
        return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    except OSError:
        return False


def _has_descriptor(stream: TextIO) -> bool:
    try:
        return stream.fileno() >= 0
    except OSError:
        return False


def _open_nowhere(number: int) -> None:
    """Let a closed descriptor be that of the null device, or the next file that is opened would be taken for it."""
    try:
        os.fstat(number)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)


def _checked(stream: io.TextIOWrapper) -> TextIO:
    """The same stream, where what cannot be written is an `OutputError`."""
    encoding, lines, through, number = stream.encoding, stream.line_buffering, stream.write_through, stream.fileno()
    stream.flush()
    if isinstance(binary := stream.detach(), io.BufferedWriter):  # with PYTHONUNBUFFERED it is none
        binary.detach()
    buffer = io.BufferedWriter(_Descriptor(number, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding=encoding, line_buffering=lines, write_through=through)


def close_quietly(stream: TextIO) -> None:
    """Where nothing more can be written: Python shall not complain of it while it ends."""
    with contextlib.suppress(OSError, ValueError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def safe(text: str) -> str:
    """The text with control characters written out (`\\x1b`): what a learner prints must not reach the terminal's."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


# The colours of design.md in the sixteen that every terminal has; meaning is in the words, never in these alone.
_COLOURS = {"quiet": "2", "node": "1", "value": "34", "grad": "33", "leaf": "32", "error": "31", "code": "36"}


class Paint:
    """Colours for pieces of text by their role, or none: NO_COLOR, a pipe, a dumb terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._on = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"

    def __call__(self, text: str, role: str) -> str:
        code = _COLOURS.get(role) if self._on and text else None
        return safe(text) if code is None else f"\x1b[{code}m{safe(text)}\x1b[0m"


def table(rows: list[list[str]], indent: str = "  ") -> list[str]:
    """Rows of text with their columns aligned; the last column is not padded. Widths as a terminal counts them."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)] if rows else []
    lines = []
    for row in rows:
        padded = [pad(text, cells) for text, cells in zip(row, widths, strict=True)]
        lines.append((indent + "  ".join(padded)).rstrip())
    return lines
