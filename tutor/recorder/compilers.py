"""The learner's functions as they wrote them, for whoever reads code: torch's compilers trace bytecode.

Each rewritten code object has a plain twin. While something is compiled, or what was compiled runs, all functions of
the learner's have their plain code; a frame that is running keeps the code that it was begun with.

Keeps the recorder out of the way of torch's compilers, which read bytecode and trace what they see.

What is handed to one of them decides, not what stands in a file. Making it and running it goes unseen, with plain code
everywhere; its run is one operation of whoever calls it."""

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
    """Knows the learner's functions, and the plain code of each."""

    def __init__(self) -> None:
        self._plain: dict[int, types.CodeType] = {}
        """By `id` of the rewritten code, which is kept alive by whoever knows it as the learner's."""
        self._functions: weakref.WeakSet[types.FunctionType] = weakref.WeakSet()
        self._inside = False

    def __reduce__(self) -> tuple[type[Unrecorded], tuple[()]]:
        """In pickled code the callbacks do nothing."""
        return Unrecorded, ()

    def pair(self, rewritten: types.CodeType, plain: types.CodeType) -> None:
        """Two compilations of the same text: the functions in them are matched by name and line."""
        both = _by_place(rewritten), _by_place(plain)
        for place, codes in both[0].items():
            others = both[1].get(place, [])
            if len(codes) == len(others):
                for code, other in zip(codes, others, strict=True):
                    if code.co_freevars == other.co_freevars:
                        self._plain[id(code)] = other

    def add_function(self, function: Any) -> Any:
        """A `def` of the learner's has made a function."""
        self._functions.add(function)
        return function

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the learner's functions have their plain code."""
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


def _by_place(code: types.CodeType) -> dict[tuple[str, int], list[types.CodeType]]:
    found: dict[tuple[str, int], list[types.CodeType]] = defaultdict(list)
    waiting = [code]
    while waiting:
        for constant in waiting.pop().co_consts:
            if isinstance(constant, types.CodeType):
                found[constant.co_qualname, constant.co_firstlineno].append(constant)
                waiting.append(constant)
    return found


Unseen = Callable[[], contextlib.AbstractContextManager[None]]
_MADE_AT_ONCE = (
    (torch.jit, "trace"), (torch.jit, "trace_module"), (torch.export, "export"), (torch.export, "draft_export"),
    (torch.export, "export_for_training"), (torch.onnx, "export"),
)  # fmt: skip


def exclude_compiled_code(unseen: Unseen) -> None:
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
