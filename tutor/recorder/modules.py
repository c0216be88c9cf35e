"""Record in which module's `forward` an operation runs.

Module hooks or another `__call__` would show in the learner's tracebacks and to compilers, so the frames are read: the
learner's `forward` reports its entry; a library's is found above the operation on the stack.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable
from typing import Any

from torch.nn import Module

from tutor.recorder.containers import step_to
from tutor.recorder.originals import name_of
from tutor.trace import events as ev

_MODULE = ev.Module.__struct_config__.tag


class ModuleRecorder:
    """Number modules, and record each before its first use."""

    def __init__(self, append: Callable[[Any], None], own: dict[int, Any]) -> None:
        self._append = append
        self._own = own
        """The learner's code objects, by `id`."""
        self._known: dict[int, tuple[weakref.ref[Module], int]] = {}
        self._modules: dict[int, tuple[weakref.ref[Module], str]] = {}
        """The modules and their paths, by number."""

    def enter_forward(self, values: tuple[Any, ...], frame: types.FrameType, around: int | None) -> int | None:
        """Return the number of the module whose `forward` is entered in `frame`; else `around`, the module of its
        caller."""
        if not values or not issubclass(type(values[0]), Module):
            return around
        return self.serial(values[0], frame.f_back, around)

    def serial(self, module: Module, caller: types.FrameType | None, otherwise: int | None) -> int:
        """Return the number of a module whose `forward` was called from `caller`; `otherwise` is that of the module in
        whose `forward` the learner's code runs."""
        previous = self._known.get(id(module))
        if previous is not None and previous[0]() is module:
            return previous[1]
        parent, above = otherwise, None
        while caller is not None and id(caller.f_code) not in self._own:
            above = module_of(caller)
            if above is not None:
                parent = self.serial(above, caller.f_back, otherwise)
                break
            caller = caller.f_back
        serial = len(self._modules) + 1
        path = self._path(module, parent)
        self._known[id(module)] = weakref.ref(module), serial
        self._modules[serial] = weakref.ref(module), path
        self._append((_MODULE, serial, name_of(type(module)), path, parent, _is_torchs(type(module))))
        return serial

    def _path(self, module: Module, parent: int | None) -> str:
        """Return the path of a module below the outermost module around it."""
        if parent is None:
            return ""
        ref, path = self._modules[parent]
        above = ref()
        return "" if above is None else path + (_path_below(above, module, set()) or "")


def _is_torchs(kind: type) -> bool:
    """Return whether a class is one of torch's own."""
    module = kind.__module__
    return isinstance(module, str) and module.startswith("torch.")


def module_of(frame: types.FrameType) -> Module | None:
    """Return the module whose `forward` this frame is. Reads the locals of no other frame, since that keeps them
    alive."""
    code = frame.f_code
    if code.co_name != "forward" or code.co_varnames[:1] != ("self",):
        return None
    module = frame.f_locals.get("self")
    return module if issubclass(type(module), Module) else None


def _path_below(above: Module, module: Module, seen: set[int]) -> str | None:
    for name, child in above.__dict__.get("_modules", {}).items():
        if child is module:
            return step_to(above, name)
        if child is not None and id(child) not in seen:
            seen.add(id(child))
            below = _path_below(child, module, seen)
            if below is not None:
                return step_to(above, name) + below
    return None
