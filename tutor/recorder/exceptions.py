"""Turn exceptions into events, and leave the recorder's frames out of tracebacks, stacks and warnings.

Exceptions are stripped when they leave the recorder. What reads the stack itself (`traceback`, `inspect`, `logging`,
anomaly mode) is given one without its frames. `warnings.warn(…, stacklevel=n)` counts frames, so those of the recorder
are added to n; warnings of C++ code have no such count, see `call_sites.stand_in`.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import os
import re
import sys
import sysconfig
import traceback
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from traceback import format_exception as _format_exception
from traceback import format_tb as _format_tb
from typing import Any

from torch.overrides import handle_torch_function

from tutor.recorder.call_sites import STAND_IN, SourceRecorder
from tutor.recorder.originals import name_of
from tutor.recorder.patches import check_recursion
from tutor.recorder.torch_private import OpOverload
from tutor.trace.events import Failed, Span

_OURS = tuple(
    os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), package) + os.sep
    for package in ("recorder", "worker")
)
_HANDLE = handle_torch_function.__code__
_REFUSE = check_recursion.__code__
_OVERLOAD = OpOverload.__call__.__code__
_TEXT = 4000
_FILE = re.compile(r'^([ |]+)File "([^"\n]+)"', re.MULTILINE)
"""A line of a traceback, also of an exception group."""
_PACKAGES = re.compile(r".*/(?=(?:site|dist)-packages/)")
_STANDARD = sysconfig.get_path("stdlib") + os.sep
_FAR = 1 << 31
"""Beyond the lines and columns of any file."""

# Python's own descriptors, whatever a class overrides.
_OF_ANY: dict[str, Any] = dict(vars(BaseException))
trace_of = _OF_ANY["__traceback__"].__get__
_set_trace = _OF_ANY["__traceback__"].__set__
_cause_of = _OF_ANY["__cause__"].__get__
_context_of = _OF_ANY["__context__"].__get__
_parts_of = dict[str, Any](vars(BaseExceptionGroup))["exceptions"].__get__
_display = sys.__excepthook__


def strip(error: BaseException) -> None:
    """Remove the recorder's frames from the tracebacks of an exception, its causes, contexts and parts."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        _set_trace(current, stripped(trace_of(current)))
        waiting += [_cause_of(current), _context_of(current)]
        if issubclass(type(current), BaseExceptionGroup):
            waiting += _parts_of(current)


def stripped(trace: types.TracebackType | None) -> types.TracebackType | None:
    """Return a traceback without the recorder's frames; None if nothing is left."""
    chain: list[types.TracebackType] = []
    from_us = False
    while trace is not None:
        code = trace.tb_frame.f_code
        if code is _HANDLE and chain:
            if not from_us:  # torch's function that called the mode; it runs again inside our frames
                chain.pop()
        elif code is _REFUSE:
            chain.pop()  # a function that Python would not have called
        elif code is _OVERLOAD and from_us:
            pass  # called by our dispatch mode
        elif code is not _HANDLE and not is_recorder_code(code):
            chain.append(trace)
        from_us = is_recorder_code(code)
        trace = trace.tb_next
    for entry, following in zip(chain, [*chain[1:], None], strict=False):  # empty for a cause that was never raised
        if entry.tb_next is not following:
            entry.tb_next = following
    return chain[0] if chain else None


def is_recorder_code(code: types.CodeType) -> bool:
    """Return whether a frame with this code is the recorder's."""
    return code.co_name == STAND_IN or code.co_filename.startswith(_OURS)


def failed_event(error: BaseException, code: SourceRecorder, frame: int | None, *, caught: bool) -> Failed:
    """Return the event of an exception whose traceback is stripped; `frame` is the number of the frame that raised
    it."""
    file = span = function = None
    trace = trace_of(error)
    while trace is not None:
        own = code.own_code.get(id(trace.tb_frame.f_code))
        if own is not None:
            function, file = trace.tb_frame.f_code.co_name, own[1]
            span = code.span(trace.tb_frame.f_code, trace.tb_lasti)
        trace = trace.tb_next
    if type(error) in (SyntaxError, IndentationError, TabError) and file is None:
        file, span = _place_of(error, code)  # a cell that is not valid Python
    message = text_of(error)
    if isinstance(error, ImportError):
        message = _without_own_paths(message, code)
    return Failed(
        error=name_of(type(error)),
        message=message[:_TEXT],
        file=file,
        span=span,
        function=function,
        frame=frame,
        caught=caught,
        traceback="" if caught else _shortened(_formatted(error), code)[-_TEXT:],
    )


def _place_of(error: Any, code: SourceRecorder) -> tuple[int | None, Span | None]:
    """Return the file and the span of a syntax error, or None, None. The program may have made it, with any content."""
    numbers = error.lineno, error.end_lineno or error.lineno, error.offset or 1, error.end_offset or 1
    if type(error.filename) is not str or any(type(number) is not int or number > _FAR for number in numbers):
        return None, None
    line, last, start, end = (max(number, 1) for number in numbers)
    return code.file_of(error.filename), (line, start - 1, last, max(end - 1, start))


def _formatted(error: BaseException) -> str:
    """Return the traceback as Python prints it; without what the program's own methods fail to return."""
    with _quiet(error):
        try:
            return "".join(_format_exception(error))
        except BaseException:  # the program's: `__str__`, `__notes__`, names of classes
            pass
        try:
            return f"{''.join(_format_tb(trace_of(error)))}{name_of(type(error))}\n"
        except Exception:  # the program has replaced parts of `traceback` or of `linecache`
            return f"{name_of(type(error))}\n"


@contextlib.contextmanager
def _quiet(error: BaseException) -> Iterator[None]:
    """Discard what a class's own `__str__` prints while the recorder calls it."""
    if not any(isinstance(base.__dict__.get("__str__"), types.FunctionType) for base in type.mro(type(error))):
        yield
        return
    streams = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = io.StringIO()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


def _shortened(text: str, code: SourceRecorder) -> str:
    """Return a traceback with the paths of the recording, which do not show where files are on this machine."""
    names = dict(code.names)
    main = os.path.dirname(next(iter(names), "")) + os.sep

    def short(match: re.Match[str]) -> str:
        path = match[2]
        if path.startswith(_STANDARD):
            path = os.path.relpath(path, os.path.dirname(_STANDARD.rstrip(os.sep)))
        return f'{match[1]}File "{names.get(match[2]) or _PACKAGES.sub("", path).removeprefix(main)}"'

    return _without_own_paths(_FILE.sub(short, text), code)


def _without_own_paths(text: str, code: SourceRecorder) -> str:
    """Replace the learner's paths in the message of an ImportError by the names that the recording has."""
    for path, name in code.names.items():
        text = text.replace(f"({path})", f"({name})")
    return text


def text_of(error: BaseException) -> str:
    """Return `str(error)`, or "" where the learner's `__str__` fails."""
    with _quiet(error):
        try:
            return str.__str__(str(error))  # skips a `__str__` of a subclass of str
        except BaseException:  # the learner's `__str__`
            return ""


def exit_status(error: SystemExit) -> tuple[int, object | None]:
    """Return the status that Python would exit with, and the object that it would print first, or None."""
    code: Any = error.code
    if code is None:
        return 0, None
    if issubclass(type(code), int):
        number = int.__index__(code)
        return (number & 0xFF if -(1 << 63) <= number < 1 << 63 else 0xFF), None  # C's `long`, or -1
    return 1, code


def print_exit(code: object) -> None:
    """Print the argument of `sys.exit` as Python does: to standard error, or to its descriptor."""
    stream: Any = getattr(sys, "stderr", None)
    with contextlib.suppress(BaseException):  # the program's own
        if stream is None:
            os.write(2, str(code).encode(errors="backslashreplace"))
        else:
            stream.write(str(code))
    try:
        stream.write("\n")
    except BaseException:
        with contextlib.suppress(OSError):
            os.write(2, b"\n")


def announce(error: BaseException, hook: object) -> bool:
    """Do what Python does before it calls `sys.excepthook`; return False where an audit hook forbids the call.

    Source: `_PyErr_PrintEx` in CPython's `Python/pythonrun.c`.
    """
    kind, trace = type(error), trace_of(error)
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    try:
        sys.audit("sys.excepthook", hook, kind, error, trace)
    except RuntimeError:
        return False
    except BaseException as raised:
        strip(raised)
        print_ignored(raised, None, "in audit hook")
    return True


def display(error: BaseException) -> None:
    """Print an exception as Python does, whatever its class and standard error are."""
    with contextlib.suppress(BaseException):
        _display(type(error), error, trace_of(error))


def print_ignored(error: BaseException, thing: object, doing: str) -> None:
    """Print an error that ends nothing, by the program's `unraisablehook` if there is one.

    Args:
        error: The error.
        thing: The object that it is ignored in, which Python before 3.13 names; None if no version does.
        doing: What Python did, which newer versions name instead.
    """
    is_new = thing is None or sys.version_info >= (3, 13)
    message = f"Exception ignored {doing}" if is_new else None
    hook: Any = getattr(sys, "unraisablehook", None)
    if hook is not sys.__unraisablehook__ and callable(hook):
        with contextlib.suppress(BaseException):
            hook(
                types.SimpleNamespace(
                    exc_type=type(error), exc_value=error, exc_traceback=trace_of(error), err_msg=message,
                    object=None if is_new else thing,
                )
            )  # fmt: skip
        return
    print_line(f"{message}:" if is_new else f"Exception ignored in: {thing!r}")
    display(error)


def print_line(text: str) -> None:
    """Print a line to standard error, if it is writable."""
    with contextlib.suppress(BaseException):
        sys.stderr.write(text + "\n")


def flush_at_end() -> bool:
    """Flush standard output and error as Python does at its end; return whether both could be flushed."""
    flushed = True
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name, None)
        try:
            if stream is not None and not _is_closed(stream):
                stream.flush()
        except BaseException as error:
            flushed = False
            strip(error)
            if name == "stdout":
                print_ignored(error, stream, "on flushing sys.stdout")
    return flushed


def _is_closed(stream: Any) -> bool:
    try:
        return bool(stream.closed)
    except Exception:
        return False


def hide_frames(outermost: types.CodeType) -> None:
    """Leave the recorder's frames out of stacks from now on, and those from `outermost` outwards."""
    summary: Any = traceback.StackSummary
    extract = summary._extract_from_extended_frame_gen.__func__

    def extract_visible(klass: Any, /, frames: Iterable[tuple[types.FrameType, Any]], **options: Any) -> Any:
        return extract(klass, _visible(frames, lambda entry: entry[0], outermost), **options)

    summary._extract_from_extended_frame_gen = classmethod(extract_visible)
    _hide_in_unraisable()
    outer = inspect.getouterframes

    @functools.wraps(outer)
    def getouterframes(frame: Any, context: int = 1) -> Any:
        return _visible(outer(frame, context), lambda entry: entry.frame, outermost)

    inspect.getouterframes = getouterframes


def _hide_in_unraisable() -> None:
    """Strip errors that Python can only print, as those of `__del__` and of exit handlers."""
    show: Any = sys.unraisablehook

    @functools.wraps(show)
    def gradtutor_hook(unraisable: Any, /) -> Any:
        kind, error, trace, message, thing = unraisable
        return show(type(unraisable)((kind, error, stripped(trace), message, thing)))

    sys.unraisablehook = sys.__unraisablehook__ = gradtutor_hook


def _visible(
    entries: Iterable[Any], frame_of: Callable[[Any], types.FrameType], outermost: types.CodeType
) -> list[Any]:
    """Return the entries that a plain run has, of a stack from the innermost frame outwards, or of a traceback.

    `handle_torch_function` and the torch function that called it are left out, since that function runs again inside.
    """
    visible: list[Any] = []
    repeated: types.FrameType | None = None
    for entry in entries:
        frame = frame_of(entry)
        if frame.f_code is outermost and visible:
            break
        if frame.f_code is _HANDLE:
            repeated = frame.f_back
            if visible and frame_of(visible[-1]) is repeated:  # of a traceback
                visible.pop()
        elif frame is not repeated and not is_recorder_code(frame.f_code):
            visible.append(entry)
    return visible


def attribute_warnings() -> None:
    """Make `warnings.warn` skip the recorder's frames from now on."""
    original = warnings.warn

    @functools.wraps(original)
    def warn(
        message: Warning | str, category: Any = None, stacklevel: int = 1, source: Any = None, **more: Any
    ) -> None:
        level = max(stacklevel, 1)
        original(message, category, level + 1 + _hidden(sys._getframe(1), level), source, **more)

    warnings.warn = warn


def _hidden(frame: types.FrameType | None, level: int) -> int:
    """Return how many of the recorder's frames are among the first `level` of the program, from `frame` outwards.

    `handle_torch_function` and the torch function that called it count too, since that function runs again inside.
    """
    hidden = 0
    while frame is not None and level:
        code = frame.f_code
        if code is _HANDLE:
            hidden += 2
            frame = frame.f_back
        elif is_recorder_code(code):
            hidden += 1
        elif not ("importlib" in code.co_filename and "_bootstrap" in code.co_filename):  # Python does not count these
            level -= 1
        frame = None if frame is None else frame.f_back
    return hidden
