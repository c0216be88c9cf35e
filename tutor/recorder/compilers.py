"""Keep the recorder away from torch's compilers, which read bytecode and trace what runs.

Each rewritten code object has a plain twin. While something is compiled, or something compiled runs, nothing is
recorded, and all functions of the learner's have their plain code; a running frame keeps the code that it began with.
A run of compiled code is one operation of its caller.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import sys
import types
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tutor.recorder.torch_private import EVAL_FRAME, frames_up, optimize_context
from tutor.recorder.unrecorded import Unrecorded


class PlainCode:
    """The learner's functions, and the plain code of each."""

    def __init__(self) -> None:
        self._plain: dict[int, types.CodeType] = {}
        """By `id` of the rewritten code, which `SourceRecorder.own_code` keeps alive."""
        self._functions: weakref.WeakSet[types.FunctionType] = weakref.WeakSet()
        self._inside = False

    def __reduce__(self) -> tuple[type[Unrecorded], tuple[()]]:
        """Pickle as an object whose callbacks do nothing."""
        return Unrecorded, ()

    def pair(self, rewritten: types.CodeType, plain: types.CodeType) -> None:
        """Match the functions in two compilations of the same text by name and line."""
        codes_by_place = _codes_by_place(rewritten), _codes_by_place(plain)
        for place, codes in codes_by_place[0].items():
            others = codes_by_place[1].get(place, [])
            if len(codes) == len(others):
                for code, other in zip(codes, others, strict=True):
                    if code.co_freevars == other.co_freevars:
                        self._plain[id(code)] = other

    def add_function(self, function: Any) -> Any:
        """Add a function that a `def` of the learner's has made, and return it."""
        self._functions.add(function)
        return function

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the learner's functions their plain code inside."""
        if self._inside:
            yield
            return
        changed = []
        for function in list(self._functions):
            code = function.__code__
            plain = self._plain.get(id(code))
            if plain is not None:
                changed.append((function, code, plain))
                function.__code__ = plain
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            for function, code, plain in changed:
                if function.__code__ is plain:
                    function.__code__ = code


def _codes_by_place(code: types.CodeType) -> dict[tuple[str, int], list[types.CodeType]]:
    """Return the code objects inside this one by qualified name and first line."""
    codes: dict[tuple[str, int], list[types.CodeType]] = defaultdict(list)
    waiting = [code]
    while waiting:
        for constant in waiting.pop().co_consts:
            if isinstance(constant, types.CodeType):
                codes[constant.co_qualname, constant.co_firstlineno].append(constant)
                waiting.append(constant)
    return codes


Unseen = Callable[[], contextlib.AbstractContextManager[None]]
_COMPILERS = (
    (torch.jit, "trace"), (torch.jit, "trace_module"), (torch.export, "export"), (torch.export, "draft_export"),
    (torch.export, "export_for_training"), (torch.onnx, "export"),
)  # fmt: skip


def exclude_compiled_code(unseen: Unseen) -> None:
    """Run what torch compiles, and the compiling itself, in `unseen` from now on."""
    for module, name in _COMPILERS:
        if hasattr(module, name):
            setattr(module, name, _in_unseen(getattr(module, name), unseen))
    torch.jit.script = _script_in_unseen(torch.jit.script, unseen)
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
            result = compiled(self, function)
        # The `forward` of a module and the methods of a class have been compiled here themselves.
        return result if isinstance(result, torch.nn.Module | type) else _in_unseen(result, unseen)

    context.__call__ = compile_aside


def _when_imported(name: str, do: Callable[[], None]) -> None:
    loader = importlib.machinery.SourceFileLoader
    plain: Any = loader.exec_module

    def exec_module(self: Any, module: Any) -> None:
        plain(self, module)
        if module.__name__ == name:
            loader.exec_module = plain  # type: ignore[method-assign]
            do()

    # Python leaves frames of these names out of the tracebacks of imports.
    exec_module.__code__ = exec_module.__code__.replace(
        co_filename="<frozen importlib._bootstrap_external>", co_name="_call_with_frames_removed"
    )
    loader.exec_module = exec_module  # type: ignore[method-assign]


def _in_unseen(function: Callable[..., Any], unseen: Unseen) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with unseen():
            return function(*args, **kwargs)

    return wrapped


def _script_in_unseen(script: Callable[..., Any], unseen: Unseen) -> Callable[..., Any]:
    @functools.wraps(script)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if len(args) < 3:  # it looks for names in its caller's frame, now one further out
            kwargs = frames_up(kwargs)
        with unseen():
            return script(*args, **kwargs)

    return wrapped
