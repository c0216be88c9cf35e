"""Records what a script draws with plotext: the calls, so that the figure can be drawn again at any size."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
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
