"""Torch's own functions where the program has replaced them, and names of classes whatever their metaclasses do.

Torch looks up by name which function it reports to a mode: inside the original `torch.Tensor.add`, called by a
replacement, it reports the replacement. Calling that again would repeat what it does.
"""

from __future__ import annotations

import os
import types
from typing import Any

import torch
import torch.functional
import torch.nn.functional

_NAME = type.__dict__["__name__"].__get__
_MODULE = type.__dict__["__module__"].__get__


def name_of(kind: type) -> str:
    """Return the name of a class."""
    return str(_NAME(kind))


def module_of(kind: type) -> str:
    """Return the module of a class; "" where that is no text."""
    try:
        module: Any = _MODULE(kind)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


_TORCH = os.path.dirname(torch.__file__) + os.sep
_NAMESPACES: tuple[Any, ...] = (torch.Tensor, torch.functional, torch.nn.functional, torch.autograd)
_BUILT_IN = (
    types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, types.MethodWrapperType,
)  # fmt: skip
_before: list[dict[str, Any]] = []


def remember_torch_functions() -> None:
    """Note what is in torch's namespaces before the program begins."""
    _before[:] = [
        {
            name: value
            for kind in reversed(getattr(namespace, "__mro__", (namespace,)))
            for name, value in vars(kind).items()
        }
        for namespace in _NAMESPACES
    ]


def torch_function(namespace: Any, name: str) -> Any:
    """Return the function that had this name before the program began."""
    return _before[_NAMESPACES.index(namespace)][name] if _before else getattr(namespace, name)


def original(func: Any) -> Any:
    """Return the torch function that the program has replaced by `func`; `func` itself if there is none."""
    if type(func) in _BUILT_IN or (type(func) is types.FunctionType and func.__code__.co_filename.startswith(_TORCH)):
        return func
    replaced = [
        before[name]
        for namespace, before in zip(_NAMESPACES, _before, strict=False)
        for name, value in list(vars(namespace).items())
        if value is func and name in before
    ]
    return replaced[0] if len(replaced) == 1 else func
