"""Keeps the recorder out of the way of `torch.compile`, which reads bytecode and traces function modes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch._C import DisableTorchFunction


def step_aside() -> None:
    """From now on compiled functions and modules run with function modes off: as one operation."""
    original = torch.compile

    @functools.wraps(original)
    def compile_aside(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        if not args and kwargs.get("model") is None:  # used as a decorator with arguments
            return lambda function: _aside(made(function))
        return _aside(made)

    torch.compile = compile_aside  # type: ignore[assignment]


def _aside(compiled: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(compiled, torch.nn.Module):
        kind = type(compiled)
        call = kind.__call__
        if getattr(call, "__name__", "") == "call_aside":
            return compiled

        def call_aside(self: Any, *args: Any, **kwargs: Any) -> Any:
            with DisableTorchFunction():
                return call(self, *args, **kwargs)

        kind.__call__ = call_aside  # type: ignore[method-assign]
        return compiled

    @functools.wraps(compiled)
    def run_aside(*args: Any, **kwargs: Any) -> Any:
        with DisableTorchFunction():
            return compiled(*args, **kwargs)

    return run_aside
