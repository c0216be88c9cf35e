"""Sees the calls of custom `autograd.Function`s: `apply` is no function that torch tells its modes of.

Makes functions of torch visible that write to tensors and that no function mode sees."""

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
    """From now on calls from the learner's code are told of as operations, wherever they stand in an expression."""
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
    """From now on function modes see `Tensor.set_` and `torch.range` like any other function."""
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
    """From now on function modes see `torch.autograd.backward`, of which older torches tell them nothing."""
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
    """Whether modes are not asked when this is called."""

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
    """From now on tensors that `torch.utils.swap_tensors` exchanges are recorded anew.

    It refuses tensors that are weakly referenced, and the recorder refers to those that it knows, so it is given them
    without.
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
    """From now on the tensors are looked at again after each run of what `torch.jit` has compiled."""
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
    """Stands in for a weak reference."""
