"""The names of classes, whatever their metaclasses, or who has renamed them, make of these."""

from __future__ import annotations

from typing import Any

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
