"""Keeps the recorder out of the way of torch's compilers, which read bytecode and trace what they see.

What is handed to one of them decides, not what stands in a file. Making it and running it goes unseen, with plain code
everywhere; its run is one operation of whoever calls it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import sys
from collections.abc import Callable
from typing import Any

import torch

from tutor.worker.torch_private import EVAL_FRAME, frames_up, optimize_context

Unseen = Callable[[], contextlib.AbstractContextManager[None]]
_MADE_AT_ONCE = (
    (torch.jit, "trace"), (torch.jit, "trace_module"), (torch.export, "export"), (torch.export, "draft_export"),
    (torch.export, "export_for_training"), (torch.onnx, "export"),
)  # fmt: skip


def step_aside(unseen: Unseen) -> None:
    """From now on what torch compiles runs `unseen`, as one operation, and so does the compiling itself."""
    for module, name in _MADE_AT_ONCE:
        if hasattr(module, name):
            setattr(module, name, _aside(getattr(module, name), unseen))
    torch.jit.script = _script_aside(torch.jit.script, unseen)
    if EVAL_FRAME in sys.modules:
        _watch_dynamo(unseen)
    else:
        _when_imported(EVAL_FRAME, lambda: _watch_dynamo(unseen))


def _watch_dynamo(unseen: Unseen) -> None:
    context = optimize_context(sys.modules[EVAL_FRAME])
    if context is None:
        return
    compiled = context.__call__

    @functools.wraps(compiled)
    def compile_aside(self: Any, function: Any) -> Any:
        with unseen():
            made = compiled(self, function)
        # A module's `forward` has come through here by itself, a class is made up of methods that have.
        return made if isinstance(made, torch.nn.Module | type) else _aside(made, unseen)

    context.__call__ = compile_aside


def _when_imported(name: str, do: Callable[[], None]) -> None:
    loader = importlib.machinery.SourceFileLoader
    plain: Any = loader.exec_module

    def exec_module(self: Any, module: Any) -> None:
        plain(self, module)
        if module.__name__ == name:
            loader.exec_module = plain  # type: ignore[method-assign]
            do()

    # Python takes its own frames out of the tracebacks of imports, and knows them by these names.
    exec_module.__code__ = exec_module.__code__.replace(
        co_filename="<frozen importlib._bootstrap_external>", co_name="_call_with_frames_removed"
    )
    loader.exec_module = exec_module  # type: ignore[method-assign]


def _aside(function: Callable[..., Any], unseen: Unseen) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with unseen():
            return function(*args, **kwargs)

    return wrapped


def _script_aside(script: Callable[..., Any], unseen: Unseen) -> Callable[..., Any]:
    @functools.wraps(script)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if len(args) < 3:  # it looks for names in the frame of its caller, which is one further away
            kwargs = frames_up(kwargs)
        with unseen():
            return script(*args, **kwargs)

    return wrapped
