"""Show function modes what they do not see: custom `autograd.Function`s, and functions of torch that write to
tensors."""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, handle_torch_function

from tutor.recorder.call_sites import SourceRecorder
from tutor.recorder.operations import OperationRecorder, quiet
from tutor.recorder.tensors import TensorRecorder
from tutor.recorder.torch_private import mode_count, script_kinds


def watch_functions(operations: OperationRecorder, code: SourceRecorder) -> None:
    """Record calls of custom Functions as operations from now on, wherever they are in an expression."""
    original: Any = inspect.getattr_static(torch.autograd.Function, "apply")  # written in C, or in Python

    @functools.wraps(torch.autograd.Function.apply)
    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if operations.off or not mode_count():
            return original.__get__(None, cls)(*args, **kwargs)
        frame = sys._getframe(1)
        if id(frame.f_code) not in code.own_code:  # a library's, as that of a module's backward hooks
            result = original.__get__(None, cls)(*args, **kwargs)
            operations.record_library_function(result)
            return result
        return operations.call_function(cls, original.__get__(None, cls), args, kwargs, frame)

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment,method-assign]


def show_hidden_functions() -> None:
    """Show function modes `Tensor.set_` and `torch.range` from now on."""
    for owner, name in ((torch.Tensor, "set_"), (torch, "range")):
        setattr(owner, name, _shown(getattr(owner, name)))


def _shown(original: Any) -> Any:
    @functools.wraps(original)
    def shown(*args: Any, **kwargs: Any) -> Any:
        if mode_count():
            return handle_torch_function(original, (), *args, **kwargs)
        return original(*args, **kwargs)

    return shown


def show_backward() -> None:
    """Show function modes `torch.autograd.backward`, which older versions of torch do not."""
    original: Any = torch.autograd.backward
    if not _is_silent(original):
        return

    @functools.wraps(original)
    def backward(*args: Any, **kwargs: Any) -> Any:
        if mode_count():
            return handle_torch_function(backward, (), *args, **kwargs)
        return original(*args, **kwargs)

    torch.autograd.backward = backward


def _is_silent(backward: Callable[..., Any]) -> bool:
    """Return whether function modes do not see this function."""

    class Asked(TorchFunctionMode):
        asked = False

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.asked = self.asked or func is backward
            return func(*args, **(kwargs or {}))

    with torch.enable_grad():
        root = torch.ones((), device="cpu", requires_grad=True) * 1
    with Asked() as mode:
        backward([root], [torch.ones((), device="cpu")])
    return not mode.asked


def watch_swaps(tensors: TensorRecorder, is_on: Callable[[], bool]) -> None:
    """Record tensors again after `torch.utils.swap_tensors`.

    It rejects weakly referenced tensors, as the recorder's are, so their references are removed meanwhile.
    """
    original: Any = torch.utils.swap_tensors

    @functools.wraps(original)
    def swap_tensors(t1: torch.Tensor, t2: torch.Tensor) -> None:
        records = [(tensor, record) for tensor in (t1, t2) if (record := tensors.find(tensor)) is not None]
        for _, record in records:
            record.ref = _nothing  # type: ignore[assignment]
        try:
            original(t1, t2)
        finally:
            for tensor, record in records:
                record.ref = weakref.ref(tensor)
            if is_on():
                with quiet():
                    for tensor, record in records:
                        tensors.record_new_storage(tensor, record)

    torch.utils.swap_tensors = swap_tensors


def watch_scripted(tensors: TensorRecorder, is_on: Callable[[], bool]) -> None:
    """Record changed tensors after each run of code that `torch.jit` has compiled."""
    for kind in script_kinds():
        kind.__call__ = _looking(kind.__call__, tensors, is_on)


def _looking(original: Any, tensors: TensorRecorder, is_on: Callable[[], bool]) -> Any:
    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return original(*args, **kwargs)
        finally:
            if is_on():
                with quiet():
                    tensors.record_changed()

    return call


def _nothing() -> None:
    """Stand in for a weak reference."""
