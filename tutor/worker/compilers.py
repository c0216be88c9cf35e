"""Keeps the recorder out of the way of torch's compilers, which read bytecode and trace what they see."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import torch

Unseen = Callable[[], contextlib.AbstractContextManager[None]]


def step_aside(unseen: Unseen) -> None:
    """From now on what torch compiles runs unseen, as one operation, and so does the tracing itself."""
    torch.compile = _compile_aside(torch.compile, unseen)
    for module, name in ((torch.jit, "trace"), (torch.jit, "trace_module"), (torch.jit, "script")):
        setattr(module, name, _aside(getattr(module, name), unseen))


def _compile_aside(original: Callable[..., Any], unseen: Unseen) -> Callable[..., Any]:
    @functools.wraps(original)
    def compile_aside(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        if not args and kwargs.get("model") is None:  # a decorator with arguments
            return lambda function: _aside(made(function), unseen)
        if isinstance(made, torch.nn.Module):
            kind = type(made)
            if not hasattr(kind.__call__, "__wrapped__"):  # the first of its kind
                setattr(kind, "__call__", _aside(kind.__call__, unseen))  # noqa: B010  mypy forbids the plain way
            return made
        return _aside(made, unseen)

    return compile_aside


def _aside(function: Callable[..., Any], unseen: Unseen) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with unseen():
            return function(*args, **kwargs)

    return wrapped
