"""Attributes the warnings of Python code to the frames that a plain run has.

`warnings.warn(…, stacklevel=n)` counts frames, and a recorded call has some of the recorder's on the way. (Warnings of
C++ code have no such count: see `code.stand_in`.)
"""

from __future__ import annotations

import functools
import sys
import types
import warnings
from typing import Any

from torch.overrides import handle_torch_function

from tutor.worker.failures import is_ours

_HANDLE = handle_torch_function.__code__


def attribute_warnings() -> None:
    """From now on `warnings.warn` passes over the recorder's frames."""
    original = warnings.warn

    @functools.wraps(original)
    def warn(
        message: Warning | str, category: Any = None, stacklevel: int = 1, source: Any = None, **more: Any
    ) -> None:
        level = max(stacklevel, 1)
        original(message, category, level + 1 + _hidden(sys._getframe(1), level), source, **more)

    warnings.warn = warn


def _hidden(frame: types.FrameType | None, level: int) -> int:
    """How many frames of the recorder's stand among the first `level` frames of the program, from `frame` outwards.

    `handle_torch_function` and the function of torch's that called it are hidden too: that function runs once more
    below the recorder.
    """
    hidden = 0
    while frame is not None and level:
        code = frame.f_code
        if code is _HANDLE:
            hidden += 2
            frame = frame.f_back
        elif is_ours(code):
            hidden += 1
        elif not ("importlib" in code.co_filename and "_bootstrap" in code.co_filename):  # Python does not count these
            level -= 1
        frame = None if frame is None else frame.f_back
    return hidden
