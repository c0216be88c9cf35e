"""Turns exceptions into events, and takes our frames out of tracebacks."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
import types
from typing import Any

from torch.overrides import handle_torch_function

from tutor.trace.events import Failed
from tutor.worker.code import STAND_IN, Code
from tutor.worker.recursion import refuse
from tutor.worker.torch_private import OpOverload

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_HANDLE = handle_torch_function.__code__
_REFUSE = refuse.__code__
_OVERLOAD = OpOverload.__call__.__code__
_TEXT = 4000
_FILE = re.compile(r'^([ |]+)File "([^"\n]+)"', re.MULTILINE)
"""A line of a traceback, also within that of a group."""
_PACKAGES = re.compile(r".*/(?=(?:site|dist)-packages/)")
_STANDARD = sysconfig.get_path("stdlib") + os.sep


def strip(error: BaseException) -> None:
    """Takes the frames of the recorder out of the tracebacks of an exception and of those behind it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = _stripped(one.__traceback__)
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions


def _stripped(trace: types.TracebackType | None) -> types.TracebackType | None:
    chain: list[types.TracebackType] = []
    from_us = False
    while trace is not None:
        code = trace.tb_frame.f_code
        if code is _HANDLE and chain:
            if not from_us:  # torch's function that asked the mode; it stands once more behind our frames
                chain.pop()
        elif code is _REFUSE:
            chain.pop()  # a function that Python would not have called
        elif code is _OVERLOAD and from_us:
            pass  # our dispatch mode calls on through torch's own Python
        elif code is not _HANDLE and not is_ours(code):
            chain.append(trace)
        from_us = is_ours(code)
        trace = trace.tb_next
    for one, following in zip(chain, [*chain[1:], None], strict=False):  # empty for a cause that was never raised
        if one.tb_next is not following:
            one.tb_next = following
    return chain[0] if chain else None


def is_ours(code: types.CodeType) -> bool:
    """Whether a frame with this code is the recorder's."""
    return code.co_name == STAND_IN or code.co_filename.startswith(_OURS)


def failed(error: BaseException, code: Code, frame: int | None, *, caught: bool) -> Failed:
    """The event that tells of an exception whose traceback has been stripped."""
    file = span = function = None
    trace = error.__traceback__
    while trace is not None:
        own = code.own.get(id(trace.tb_frame.f_code))
        if own is not None:
            function, file = trace.tb_frame.f_code.co_name, own[1]
            span = code.span(trace.tb_frame.f_code, trace.tb_lasti)
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and file is None and error.filename is not None and error.lineno is not None:
        # A cell that is no Python: nothing of it has run.
        file = code.file_of(error.filename)
        start, end = max((error.offset or 1) - 1, 0), max((error.end_offset or 1) - 1, 0)
        span = (error.lineno, start, error.end_lineno or error.lineno, max(end, start + 1))
    message = text_of(error)
    if isinstance(error, ImportError):
        message = _without_own_paths(message, code)
    return Failed(
        error=type(error).__name__,
        message=message[:_TEXT],
        file=file,
        span=span,
        function=function,
        frame=frame,
        caught=caught,
        traceback="" if caught else _shortened("".join(traceback.format_exception(error)), code)[-_TEXT:],
    )


def _shortened(text: str, code: Code) -> str:
    """A traceback with the paths that a recording has elsewhere: it does not say where files lie on this machine."""
    names = dict(code.names)
    main = os.path.dirname(next(iter(names), "")) + os.sep

    def short(found: re.Match[str]) -> str:
        path = found[2]
        if path.startswith(_STANDARD):
            path = os.path.relpath(path, os.path.dirname(_STANDARD.rstrip(os.sep)))
        return f'{found[1]}File "{names.get(found[2]) or _PACKAGES.sub("", path).removeprefix(main)}"'

    return _without_own_paths(_FILE.sub(short, text), code)


def _without_own_paths(text: str, code: Code) -> str:
    """Where Python names the file of a module that lacks what is imported, the name that a recording has for it."""
    for path, name in code.names.items():
        text = text.replace(f"({path})", f"({name})")
    return text


def text_of(error: BaseException) -> str:
    """`str(error)`, whatever the learner's `__str__` does."""
    try:
        return str(error)
    except Exception:  # the learner's own
        return ""


def exit_status(error: SystemExit) -> tuple[int, str]:
    """The status that Python would exit with, and the text that it would print first."""
    code: Any = error.code
    if code is None:
        return 0, ""
    if isinstance(code, int):
        return code & 0xFF, ""
    return 1, f"{code}\n"
