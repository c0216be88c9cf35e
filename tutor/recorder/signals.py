"""Runs the program's signal handlers in the program's code, never in the middle of the recorder's.

Python runs a handler wherever the main thread happens to be. What it raises there belongs to the learner's program, as
time limits made with SIGALRM do; in the recorder's own code it would be taken for an error of the recorder. So a
handler that comes upon that code waits for the next statement, or the end of the operation.
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
    """Wraps the handlers that the program installs."""

    def __init__(self) -> None:
        self.waiting: list[tuple[_Handler, int]] = []
        """Handlers that are due, and their signals."""
        self._handlers: dict[int, tuple[Any, Any]] = {}
        """By signal: what the program has installed, and what stands in its place."""
        self._signal: Any = signal.signal
        self._getsignal: Any = signal.getsignal

    def watch(self) -> None:
        """From now on; an interrupt is handled as Python does by itself."""

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
        """At the end of the program, as Python does it: no handler of the program's holds anything any more."""
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
    """Whether the recorder's own code runs: above the last call that it makes for the program."""
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
