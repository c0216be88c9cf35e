"""The names of classes, whatever their metaclasses, or who has renamed them, make of these.

Torch's own functions, where the program has put others in their places.

Torch looks up by name which function it tells a mode of: inside of `torch.Tensor.add`, called by what a program has put
in its place, that is what the program has put there. Called once more it would do once more what it does."""

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
    """The name of a class."""
    return str(_NAME(kind))


def module_of(kind: type) -> str:
    """The module that a class is from; empty where that is no text."""
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
    """Before the program begins: what stands in these namespaces now is torch's own, or the recorder's."""
    _before[:] = [
        {
            name: value
            for kind in reversed(getattr(namespace, "__mro__", (namespace,)))
            for name, value in vars(kind).items()
        }
        for namespace in _NAMESPACES
    ]


def torch_function(namespace: Any, name: str) -> Any:
    """The function that had the name before the program began."""
    return _before[_NAMESPACES.index(namespace)][name] if _before else getattr(namespace, name)


def original(func: Any) -> Any:
    """The function of torch's that a mode is told of: the one that stood where the program has put `func`."""
    if type(func) in _BUILT_IN or (type(func) is types.FunctionType and func.__code__.co_filename.startswith(_TORCH)):
        return func
    found = [
        before[name]
        for namespace, before in zip(_NAMESPACES, _before, strict=False)
        for name, value in list(vars(namespace).items())
        if value is func and name in before
    ]
    return found[0] if len(found) == 1 else func
