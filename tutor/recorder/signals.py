"""Run the program's signal handlers in the program's code, never inside the recorder's.

Python runs a handler wherever the main thread is. What it raises (a time limit made with SIGALRM) belongs to the
program; inside the recorder it would be taken for an error of the recorder. So a handler that interrupts the recorder
is deferred to the next statement, or to the end of the operation.
"""

from __future__ import annotations

import functools
import os
import signal
import types
from collections.abc import Callable
from typing import Any

import torch

from tutor.recorder.call_sites import STAND_IN
from tutor.recorder.exceptions import is_recorder_code

_TORCH = os.path.dirname(torch.__file__) + os.sep
_Handler = Callable[[int, types.FrameType | None], Any]


class DeferredSignals:
    """Wraps the handlers that the program installs.

    Attributes:
        waiting: The handlers that are due, and their signals.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[_Handler, int]] = []
        self._handlers: dict[int, tuple[Any, Any]] = {}
        """The program's handler and its wrapper, by signal."""
        self._signal: Any = signal.signal
        self._getsignal: Any = signal.getsignal

    def watch(self) -> None:
        """Wrap handlers from now on; handle an interrupt as Python does by default."""

        @functools.wraps(self._signal)
        def install(signalnum: int, handler: Any, /) -> Any:
            return self._install(signalnum, handler)

        @functools.wraps(self._getsignal)
        def installed(signalnum: int, /) -> Any:
            return self._installed(signalnum)

        signal.signal, signal.getsignal = install, installed  # type: ignore[assignment]
        self._install(signal.SIGINT, signal.default_int_handler)

    def run(self, frame: types.FrameType) -> None:
        """Run the handlers that are due, in a frame of the program's."""
        while self.waiting:
            handler, number = self.waiting.pop(0)
            handler(number, frame)

    def release(self) -> None:
        """Reset the handlers at the end of the program, as Python does, so that they keep nothing alive."""
        for number in self._handlers:
            self._signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        self._handlers.clear()
        self.waiting.clear()

    def _installed(self, signalnum: int) -> Any:
        asked, deferred = self._handlers.get(signalnum, (None, None))
        actual = self._getsignal(signalnum)
        return asked if deferred is not None and actual is deferred else actual

    def _install(self, signalnum: int, handler: Any) -> Any:
        previous = self._installed(signalnum)
        if callable(handler):
            deferred = self._defer(handler)
            self._signal(signalnum, deferred)
            self._handlers[signalnum] = handler, deferred
        else:
            self._signal(signalnum, handler)
        return previous

    def _defer(self, handler: _Handler) -> _Handler:
        def gradtutor_handler(number: int, frame: types.FrameType | None) -> None:
            if _is_in_recorder(frame):
                self.waiting.append((handler, number))
            else:
                handler(number, frame)

        return gradtutor_handler


def _is_in_recorder(frame: types.FrameType | None) -> bool:
    """Return whether the recorder's own code runs, above the last call that it makes for the program."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == STAND_IN:
            return False
        if is_recorder_code(code):
            return True
        if not code.co_filename.startswith(("<", _TORCH)):
            return False
        frame = frame.f_back
    return False
