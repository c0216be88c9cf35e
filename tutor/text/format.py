"""Text and JSON output: standard streams that take any text, safe text, colours, tables, and JSON values."""

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
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from tutor.i18n import _
from tutor.text_width import pad, width

if TYPE_CHECKING:
    from tutor.trace.state import State
    from tutor.trace.timeline import Timeline
    from tutor.trace.values import Value

# ---------------------------------------------------------------- standard streams

# Replacements for characters that the encoding lacks; any other becomes an escape (`\u4e24`).
_ASCII = {
    "·": "*", "×": "x", "→": "->", "∂": "d", "∇": "grad", "…": "...", "–": "-", "≤": "<=", "Σ": "sum", "¹": "^1",
    "²": "^2", "³": "^3", "⁴": "^4", "⁵": "^5", "⁶": "^6", "⁷": "^7", "⁸": "^8", "⁹": "^9", "⁰": "^0", "⁻": "^-",
    "ᵀ": "^T", "■": "#", "●": "o", "○": ".", "▶": ">", "✓": "+", "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that the encoding of a stream lacks: an error handler for `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_ASCII.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text), error.end


class OutputError(Exception):
    """Standard output cannot be written; the text says why. No OSError, which is about a named file."""


class _Descriptor(io.FileIO):
    """Standard output: raises OutputError if a write fails, and waits for a non-blocking descriptor."""

    def write(self, data: Any) -> int:
        try:
            while (count := super().write(data)) is None:
                select.select([], [self], [])
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.strerror or str(error)) from None
        return count


closed_streams: set[str] = set()
"""Names of the standard streams that were closed when this process started."""


def prepare_streams() -> None:
    """Let the standard streams take any text in any encoding, and any bytes; open those that are closed."""
    codecs.register_error("gradtutor", _replace_unencodable)
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            closed_streams.add(name)
        if getattr(sys, name) is None or (name == "stdin" and _is_unreadable(number)):
            _open_null(number)
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        elif name == "stdout" and type(sys.stdout) is io.TextIOWrapper and _has_descriptor(sys.stdout):
            sys.stdout = sys.__stdout__ = _reopen_checked(sys.stdout)  # type: ignore[misc, assignment]
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "gradtutor"), (sys.stderr, "gradtutor")):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=errors)


def _is_unreadable(number: int) -> bool:
    """Return whether a descriptor is open for writing only, as standard input is under `nohup`."""
    try:
        return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    except OSError:
        return False


def _has_descriptor(stream: TextIO) -> bool:
    """Return whether a stream has a file descriptor."""
    try:
        return stream.fileno() >= 0
    except OSError:
        return False


def _open_null(number: int) -> None:
    """Open the null device as a closed descriptor, which the next opened file would get otherwise."""
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)


def _reopen_checked(stream: io.TextIOWrapper) -> TextIO:
    """Return the same stream, with write errors as OutputError."""
    encoding, line_buffering, write_through, number = (
        stream.encoding,
        stream.line_buffering,
        stream.write_through,
        stream.fileno(),
    )
    stream.flush()
    if isinstance(binary := stream.detach(), io.BufferedWriter):  # with PYTHONUNBUFFERED it is none
        binary.detach()
    buffer = io.BufferedWriter(_Descriptor(number, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding=encoding, line_buffering=line_buffering, write_through=write_through)


def close_quietly(stream: TextIO) -> None:
    """Redirect a stream that cannot be written to the null device, so that Python ends without complaint."""
    with contextlib.suppress(OSError, ValueError):
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


# ---------------------------------------------------------------- text

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def escape_controls(text: str) -> str:
    """Return the text with control characters escaped (`\x1b`): a learner's output must not control the terminal."""
    if text.isprintable():
        return text
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


# The screen's colours among the sixteen of every terminal. No meaning is in the colour alone.
_COLOURS = {"quiet": "2", "node": "1", "value": "34", "grad": "33", "leaf": "32", "error": "31", "code": "36"}


class Paint:
    """Colour pieces of text by role; no colours with NO_COLOR, in a pipe or on a dumb terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._on = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"

    def __call__(self, text: str, role: str) -> str:
        code = _COLOURS.get(role) if self._on and text else None
        return escape_controls(text) if code is None else f"\x1b[{code}m{escape_controls(text)}\x1b[0m"


def table(rows: list[list[str]], indent: str = "  ") -> list[str]:
    """Align rows of text in columns by their width on a terminal; the last column is not padded."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)] if rows else []
    lines = []
    for row in rows:
        padded = [pad(text, cells) for text, cells in zip(row, widths, strict=True)]
        lines.append((indent + "  ".join(padded)).rstrip())
    return lines


# ---------------------------------------------------------------- stored recordings

T = TypeVar("T")


def guard(timeline: Timeline, describe: Callable[[], T], fallback: Callable[[str], T]) -> T:
    """Return `describe()`; if that fails for a recording from a file, `fallback(reason)`.

    A recording from a file may be malformed: what cannot be described is left out. One made here is not guarded, which
    would hide bugs.
    """
    try:
        return describe()
    except Exception as error:
        if not timeline.is_stored:
            raise
        return fallback(describe_error(error))


def describe_error(error: Exception) -> str:
    """Return the reason why a step cannot be explained."""
    return _("this step cannot be explained: {error}", error=repr(error)[:200])


# ---------------------------------------------------------------- JSON


def gradient_json(value: Value, dtype: str | None = None) -> Any:
    """Return a gradient as nested lists. If `dtype` is unknown, raw bytes with two numbers an element are complex."""
    from tutor.trace.values import elements, shape_of, to_json  # late: `gradtutor --version` loads no msgspec

    if dtype is None:
        is_raw = isinstance(value, dict) and "data" in value
        is_complex = is_raw and len(elements(value) or ()) == 2 * prod(shape_of(value)) > 0
        dtype = "complex64" if is_complex else "float32"
    return to_json(value, dtype)


def dtype_of(state: State, tensor: int | None) -> str | None:
    """Return the dtype of a tensor; None if it is unknown or collected."""
    record = None if tensor is None else state.tensors.get(tensor)
    return None if record is None else record.dtype


_ENCODER = json.JSONEncoder(allow_nan=False)


def write_json_line(fields: dict[str, Any], out: TextIO) -> None:
    """Write an object as one line of JSON, in ASCII, so that the bytes do not depend on the terminal."""
    out.write(_ENCODER.encode(_stringify_nonfinite(fields)) + "\n")


def _stringify_nonfinite(value: Any) -> Any:
    """Return the value with strings for infinities and NaN, which JSON lacks."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {name: _stringify_nonfinite(item) for name, item in value.items()}
    return [_stringify_nonfinite(item) for item in value] if isinstance(value, list | tuple) else value
