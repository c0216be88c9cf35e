"""Sees the calls of custom `autograd.Function`s: `apply` is no function that torch tells its modes of."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import Any

import torch

from tutor.worker.code import Code
from tutor.worker.operations import Operations
from tutor.worker.torch_private import mode_count


def watch(operations: Operations, code: Code) -> None:
    """From now on calls from the learner's code are told of as operations, wherever they stand in an expression."""
    original: Any = inspect.getattr_static(torch.autograd.Function, "apply")  # written in C, or in Python

    @functools.wraps(torch.autograd.Function.apply)
    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if operations.off or not mode_count():
            return original.__get__(None, cls)(*args, **kwargs)
        frame = sys._getframe(1)
        if id(frame.f_code) not in code.own:  # a library's, as that of a module's backward hooks
            result = original.__get__(None, cls)(*args, **kwargs)
            operations.has_node(result)
            return result
        return operations.applied(cls, original.__get__(None, cls), args, kwargs, frame)

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment,method-assign]
