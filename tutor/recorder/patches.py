"""Records what a script draws with plotext: the calls, so that the figure can be drawn again at any size.

Gives the learner's code just as many frames as Python would, although some of ours stand below and above it.

The real limit is higher than the one that the learner's code sees. Functions of the learner's are refused at the
latter, so that the recorder always has room to work; what recurses otherwise gets a little more than in a plain run.

Keeps what the program installs to watch Python itself away from the recorder's own code.

A trace function, a profiler or an audit hook of the program's is called wherever Python comes by, in the middle of the
recorder too; there it would wait for what the recorder holds, or call the recorder once more."""

from __future__ import annotations

import _thread
import contextlib
import functools
import inspect
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tutor.trace.events import Figure

_SHOWS = {"show", "build", "savefig", "save_fig"}
_FORGETS = {"clear_figure", "clf", "clear_data", "cld", "clear_all", "cla"}
_NOT_DRAWING = {
    "clear_terminal",
    "clt",
    "terminal_size",
    "ts",
    "terminal_width",
    "tw",
    "terminal_height",
    "th",
    "sleep",
}
_ELEMENTS = 10_000


def record_figures(send: Callable[[Figure], None], unseen: Callable[[], Any]) -> None:
    """From now on plotext tells of the figures that are shown. Nothing that it does or prints changes."""
    import plotext

    calls: list[list[Any]] = []

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if name in _FORGETS:
                calls.clear()
            elif name in _SHOWS:
                send(Figure([list(one) for one in calls]))
            else:
                with unseen():
                    calls.append([name, [_plain(a) for a in args], {k: _plain(v) for k, v in kwargs.items()}])
            return result

        return call

    for name, function in list(vars(plotext).items()):
        if inspect.isfunction(function) and not name.startswith("_") and name not in _NOT_DRAWING:
            setattr(plotext, name, watched(name, function))


def _plain(value: Any) -> Any:
    """Numbers, texts and lists, as msgpack takes them."""
    if isinstance(value, torch.Tensor):
        return _plain(value.detach().flatten()[:_ELEMENTS].tolist())
    if hasattr(value, "tolist"):  # numpy's
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range | set):
        return [_plain(item) for item in list(value)[:_ELEMENTS]]
    if isinstance(value, bool | int | float | str | None):
        return value
    return str(value)


SYNTAX_DEPTH = 20_000
"""Frames that may be needed for an expression as deep as the compiler takes it: it takes some 3,000 levels."""
RESERVED_FRAMES = 60
"""Frames that the recorder may need above the learner's deepest."""
CHECKED_DEPTH = 100
"""With fewer frames of the learner's functions than this nobody is near the limit."""
_limit = sys.getrecursionlimit
_set_limit = sys.setrecursionlimit
_ours = 0


def raise_recursion_limit() -> None:
    """From now on what the caller calls is the outermost frame of the learner's code."""
    global _ours
    depth, frame = 0, sys._getframe(1)
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    if not _ours:
        sys.getrecursionlimit, sys.setrecursionlimit = getrecursionlimit, setrecursionlimit
        _set_limit(_limit() + depth + RESERVED_FRAMES)
        _ours = depth


@contextlib.contextmanager
def deep_recursion() -> Iterator[None]:
    """What Python compiles may be nested deeper than our functions can follow within the limit for calls."""
    before = _limit()
    _set_limit(max(before, SYNTAX_DEPTH))
    try:
        yield
    finally:
        _set_limit(before)


def getrecursionlimit() -> int:
    """The limit that the learner's code sees."""
    return _limit() - _ours - RESERVED_FRAMES


def setrecursionlimit(limit: int, /) -> None:
    """Sets it."""
    _set_limit(limit + _ours + RESERVED_FRAMES if limit > 0 else limit)


def check_recursion() -> None:
    """Raises RecursionError where Python would not have called the function that called our caller."""
    try:
        sys._getframe(_limit() - RESERVED_FRAMES + 2)
    except ValueError:  # the stack is not as deep
        return
    raise RecursionError("maximum recursion depth exceeded")


_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_Watcher = Callable[[types.FrameType, str, Any], Any]


def shield_from_tracers() -> None:
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
