"""Takes the recorder's frames out of the stacks that Python shows: `traceback`, `inspect`, `logging`, anomaly mode.

Exceptions are stripped when they leave the recorder (see `failures`); what reads the stack itself meets its frames.
"""

from __future__ import annotations

import functools
import inspect
import sys
import traceback
import types
from collections.abc import Callable, Iterable
from typing import Any

from torch.overrides import handle_torch_function

from tutor.worker.failures import is_ours, stripped

_HANDLE = handle_torch_function.__code__


def hide_frames(outermost: types.CodeType) -> None:
    """From now on leave the recorder's frames out of stacks, and all from `outermost` on, which calls the program."""
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
    """Errors that Python can only print, as those of `__del__` and of exit handlers, come up in our frames too."""
    show: Any = sys.unraisablehook

    @functools.wraps(show)
    def gradtutor_hook(unraisable: Any, /) -> Any:
        kind, error, trace, message, thing = unraisable
        return show(type(unraisable)((kind, error, stripped(trace), message, thing)))

    sys.unraisablehook = sys.__unraisablehook__ = gradtutor_hook


def _visible(
    entries: Iterable[Any], frame_of: Callable[[Any], types.FrameType], outermost: types.CodeType
) -> list[Any]:
    """The entries that a plain run has, of a stack from the innermost frame outwards, or of a traceback.

    `handle_torch_function` and the function of torch's that called it are hidden: that function runs once more within.
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
        elif frame is not repeated and not is_ours(frame.f_code):
            visible.append(entry)
    return visible
