"""Patches of Python and plotext, so that the program runs as in a plain run.

The recursion limit: the real one is higher than the one that the learner's code sees. The learner's functions are
checked against the latter, so that the recorder always has room; other recursion gets a little more than in a plain
run.

Trace functions, profilers and audit hooks of the program are not called in the recorder's code: they would wait for
locks that it holds, or call it again.

The end: what is recorded is written before the program ends its process at once, replaces it, or sends a signal.

Secrets: what is typed at a prompt of `getpass` is not recorded.

Figures: the calls of plotext are recorded, so that a figure can be drawn again at any size.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import getpass
import inspect
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, Protocol

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
    """Record the figures that plotext shows from now on; what it does and prints stays the same."""
    import plotext

    calls: list[list[Any]] = []

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if name in _FORGETS:
                calls.clear()
            elif name in _SHOWS:
                send(Figure([list(drawn) for drawn in calls]))
            else:
                with unseen():
                    calls.append([name, [_plain(a) for a in args], {k: _plain(v) for k, v in kwargs.items()}])
            return result

        return call

    for name, function in list(vars(plotext).items()):
        if inspect.isfunction(function) and not name.startswith("_") and name not in _NOT_DRAWING:
            setattr(plotext, name, watched(name, function))


def _plain(value: Any) -> Any:
    """Return numbers, texts and lists, as msgpack takes them."""
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
"""Frames for an expression as deep as the compiler accepts, some 3,000 levels."""
RESERVED_FRAMES = 60
"""Frames that the recorder may need above the learner's deepest one."""
CHECKED_DEPTH = 100
"""The limit is checked only for frames deeper than this."""
_limit = sys.getrecursionlimit
_set_limit = sys.setrecursionlimit
_ours = 0


def raise_recursion_limit() -> None:
    """Raise the recursion limit: what the caller calls is the outermost frame of the learner's code from now on."""
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
    """Raise the recursion limit inside: code that Python compiles may be nested deeper than our functions can
    recurse."""
    before = _limit()
    _set_limit(max(before, SYNTAX_DEPTH))
    try:
        yield
    finally:
        _set_limit(before)


def getrecursionlimit() -> int:
    """Return the limit that the learner's code sees."""
    return _limit() - _ours - RESERVED_FRAMES


def setrecursionlimit(limit: int, /) -> None:
    """Set the limit that the learner's code sees."""
    _set_limit(limit + _ours + RESERVED_FRAMES if limit > 0 else limit)


def is_near_limit(depth: int) -> bool:
    """Return whether a stack of `depth` frames may be deeper than the limit that the learner's code sees."""
    return depth > _limit() - 2 * RESERVED_FRAMES


def check_recursion() -> None:
    """Check that Python would have called the function that called our caller.

    Raises:
        RecursionError: It would be deeper than the limit that the learner's code sees.
    """
    try:
        sys._getframe(_limit() - RESERVED_FRAMES + 2)
    except ValueError:  # the stack is not as deep
        return
    raise RecursionError("maximum recursion depth exceeded")


def _signals_itself(pid: Any = 0, number: Any = 1) -> bool:
    """Return whether `os.kill` sends a signal to this process too; signal 0 only asks whether there is a process."""
    return number != 0 and pid in (os.getpid(), 0, -1, -os.getpgrp())


def _signals_own_group(group: Any = 0, number: Any = 1) -> bool:
    return number != 0 and group in (0, os.getpgrp())


_ENDS: tuple[tuple[Any, dict[str, Callable[..., bool]]], ...] = (
    (os, dict.fromkeys(("_exit", "abort", "execv", "execve"), lambda *_, **__: True)),
    (os, {"kill": _signals_itself, "killpg": _signals_own_group}),
    (signal, {
        "raise_signal": lambda number=1, /: number != 0,
        "pthread_kill": lambda thread=0, number=1, /: number != 0,
    }),
)  # fmt: skip
"""By name, functions after which this process may do nothing more, and what says so of their arguments; the other ways
to replace it call `execv` or `execve`."""


def write_before_the_end(write: Callable[[], None]) -> None:
    """Call `write` before a function that may end this process at once, from now on."""

    def written(function: Callable[..., Any], may_end: Callable[..., bool]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            ends = True
            with contextlib.suppress(TypeError):  # other arguments than it takes
                ends = may_end(*args, **kwargs)
            if ends:
                write()
            return function(*args, **kwargs)

        return call

    for module, functions in _ENDS:
        for name, may_end in functions.items():
            setattr(module, name, written(getattr(module, name), may_end))


class Questions(Protocol):
    """What asks who types."""

    is_secret: bool


def keep_secrets(add: Callable[[str], None], questions: Questions) -> None:
    """Call `add` with what is typed at a prompt of `getpass.getpass`, from now on, and mark that question as secret."""
    ask = getpass.getpass

    @functools.wraps(ask)
    def asked(*args: Any, **kwargs: Any) -> str:
        questions.is_secret = True
        try:
            secret = ask(*args, **kwargs)
        finally:
            questions.is_secret = False
        add(secret)
        return secret

    getpass.getpass = asked


_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STREAMS = frozenset(os.path.join(_OURS, "worker", name) for name in ("stdio.py", "standard_input.py"))
"""What is called in these is ours too, as the codecs."""
_Watcher = Callable[[types.FrameType, str, Any], Any]


def shield_from_tracers() -> None:
    """Keep trace functions, profilers and audit hooks that are installed from now on out of the recorder's code."""
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
    """A trace function or profiler that is not called in our frames."""

    __slots__ = ("function",)

    def __init__(self, function: _Watcher) -> None:
        self.function = function

    def __call__(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        caller = frame.f_back
        if frame.f_code.co_filename.startswith(_OURS) or (caller and caller.f_code.co_filename in _STREAMS):
            return None
        return self.function(frame, event, argument)


def _audited(hook: Callable[[str, tuple[Any, ...]], Any]) -> Callable[[str, tuple[Any, ...]], None]:
    """Return the hook, not called while it runs, nor for `sys._getframe`, which the recorder calls most."""
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
