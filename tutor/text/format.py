"""Writing text so that it arrives: on terminals without UTF-8, into pipes that close, with escapes made harmless.

Values of a recording in JSON, where the recording does not say their dtype.

Saying what a recording holds, whatever it holds.

One that was read from a file may come from a stranger: what cannot be said of it is left out, with a word, and the rest
is said. What we record ourselves is not guarded: there it would hide faults."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import io
import json
import math
import os
import re
import select
import sys
from collections.abc import Callable
from math import prod
from typing import Any, TextIO, TypeVar

from tutor.i18n import _
from tutor.text_width import pad, width
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements, shape_of, to_json
from tutor.trace.wire_types import Value

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


def gradient(value: Value, dtype: str | None = None) -> Any:
    """A gradient as a nested list. Raw bytes with two numbers for each element are complex."""
    if dtype is None:
        blob = isinstance(value, dict) and "data" in value
        pairs = blob and len(elements(value) or ()) == 2 * prod(shape_of(value)) > 0
        dtype = "complex64" if pairs else "float32"
    return to_json(value, dtype)


def dtype_of(state: State, tensor: int | None) -> str | None:
    """The dtype of a tensor, as long as it is there."""
    held = None if tensor is None else state.tensors.get(tensor)
    return None if held is None else held.dtype


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
