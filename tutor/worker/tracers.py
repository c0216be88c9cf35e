"""Keeps what the program installs to watch Python itself away from the recorder's own code.

A trace function, a profiler or an audit hook of the program's is called wherever Python comes by, in the middle of the
recorder too; there it would wait for what the recorder holds, or call the recorder once more.
"""

from __future__ import annotations

import _thread
import functools
import os
import sys
import types
from collections.abc import Callable
from typing import Any

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_Watcher = Callable[[types.FrameType, str, Any], Any]


def watch() -> None:
    """From now on those that are installed see the program's code, and that of others."""
    for name in ("trace", "profile"):
        _watch(f"set{name}", f"get{name}")
    add = sys.addaudithook

    @functools.wraps(add)
    def addaudithook(hook: Callable[[str, tuple[Any, ...]], Any]) -> None:
        add(_audited(hook))

    sys.addaudithook = addaudithook


def _watch(set_name: str, get_name: str) -> None:
    install, installed = getattr(sys, set_name), getattr(sys, get_name)

    @functools.wraps(install)
    def set_watcher(function: _Watcher | None, /) -> None:
        install(_Away(function) if callable(function) else function)

    @functools.wraps(installed)
    def get_watcher() -> Any:
        function = installed()
        return function.function if type(function) is _Away else function

    setattr(sys, set_name, set_watcher)
    setattr(sys, get_name, get_watcher)


class _Away:
    """A trace function or a profiler that is not called in our frames."""

    __slots__ = ("function",)

    def __init__(self, function: _Watcher) -> None:
        self.function = function

    def __call__(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename.startswith(_OURS):
            return None
        return self.function(frame, event, argument)


def _audited(hook: Callable[[str, tuple[Any, ...]], Any]) -> Callable[[str, tuple[Any, ...]], None]:
    """The hook, but not while it runs, and not for frames being looked at, which is what the recorder does most."""
    running: set[int] = set()

    def gradtutor_hook(event: str, words: tuple[Any, ...]) -> None:
        thread = _thread.get_ident()
        if event == "sys._getframe" or thread in running:
            return
        running.add(thread)
        try:
            hook(event, words)
        finally:
            running.discard(thread)

    return gradtutor_hook
