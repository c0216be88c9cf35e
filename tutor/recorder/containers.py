"""Record the tensors inside containers, modules and the learner's own objects, under the expressions that name them.

Covers two levels of lists, tuples and dicts of up to 20 items; the parameters and buffers of a module by their path;
the attributes of the learner's own objects, one level. It must not run the learner's code: it checks types, since
`isinstance` reads `__class__`, and reads containers by Python's own methods.
"""

from __future__ import annotations

import contextlib
import keyword
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import Module

from tutor.recorder.originals import name_of
from tutor.trace.events import Group

_GROUP = Group.__struct_config__.tag
_ITEMS = 20
_TENSORS = 5000
_INDEXED = (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ParameterList)
_KEYED = (torch.nn.ModuleDict, torch.nn.ParameterDict)
_PLAIN = frozenset((int, float, str, bool))
_SCALARS = frozenset((int, float, str, bool, type(None), bytes, complex))
_HOLDING = (list, tuple, dict, Module, types.SimpleNamespace)
_SLOTS = (types.GetSetDescriptorType, types.MemberDescriptorType)


class TrackedContainer:
    """A container that a name means: its number, and what it held when last recorded."""

    __slots__ = ("_object", "containers", "items", "serial")

    def __init__(self, serial: int, value: Any) -> None:
        self.serial = serial
        self.containers: list[tuple[str, str, int]] = []
        self.items: list[tuple[str, int]] | None = None
        # Lists, tuples and dicts cannot be weakly referenced. The names hold them just as long.
        if issubclass(type(value), (list, tuple, dict)):
            self._object: Any = value
        else:
            try:
                self._object = weakref.ref(value)
            except TypeError:
                self._object = value

    def get(self) -> Any:
        """Return the container; None if it is gone."""
        value = self._object
        return value() if type(value) is weakref.ref else value


class ContainerRecorder:
    """Number containers, and record what they hold when it has changed."""

    def __init__(
        self, append: Callable[[Any], None], serial: Callable[[torch.Tensor], int], is_own: Callable[[type], bool]
    ) -> None:
        self._append = append
        self._serial = serial
        self._is_own = is_own
        self._serials = 0
        self._containers: list[tuple[str, str, int]] = []

    def may_hold_tensors(self, value: Any) -> bool:
        """Return whether the learner may name tensors through `thing`."""
        kind = type(value)
        return issubclass(kind, _HOLDING) or self._is_own(kind)

    def track(self, value: Any) -> TrackedContainer:
        """Number a container, record it, and return its `TrackedContainer`."""
        self._serials += 1
        holder = TrackedContainer(self._serials, value)
        self.record(holder)
        return holder

    def record(self, holder: TrackedContainer) -> None:
        """Send what the container holds, if it has changed. Function modes must be off."""
        value = holder.get()
        if value is None or (type(value) is list and not holder.items and _PLAIN.issuperset(map(type, value[:_ITEMS]))):
            return
        try:
            self._containers = []
            items = [(suffix, self._serial(tensor)) for suffix, tensor in self._walk(value, "", 0, 0)]
        except Exception:  # changed by another thread meanwhile, or an object that cannot be read
            return
        if (items != holder.items or self._containers != holder.containers) and (items or holder.items):
            self._append((_GROUP, holder.serial, items, self._containers))
            holder.containers = self._containers
        holder.items = items

    def tensors_in(self, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the tensors that can be named through `thing`, with the suffix to type. Function modes must be off."""
        if issubclass(type(value), torch.Tensor):
            yield "", value
        elif self.may_hold_tensors(value):
            try:
                yield from self._walk(value, "", 0, 0)
            except Exception:  # changed by another thread meanwhile, or an object that cannot be read
                return

    def _walk(self, value: Any, prefix: str, level: int, objects: int) -> Iterator[tuple[str, torch.Tensor]]:
        kind = type(value)
        if issubclass(kind, torch.Tensor):
            if prefix:
                yield prefix, value
        elif issubclass(kind, Module):
            yield from self._module(value, prefix, set(), level)
        elif issubclass(kind, (list, tuple)):
            if level < 2:
                plain = list if issubclass(kind, list) else tuple
                self._containers.append((prefix, name_of(kind), min(plain.__len__(value), _ITEMS)))
                items = plain.__getitem__(value, slice(_ITEMS))
                for index, item in enumerate(items):
                    if type(item) not in _SCALARS:
                        yield from self._walk(item, f"{prefix}[{index}]", level + 1, objects)
        elif issubclass(kind, dict):
            if level < 2:
                self._containers.append((prefix, name_of(kind), min(dict.__len__(value), _ITEMS)))
                pairs = (OrderedDict if issubclass(kind, OrderedDict) else dict).items(value)
                for _, (key, item) in zip(range(_ITEMS), pairs, strict=False):
                    if type(item) not in _SCALARS and _is_typable(key):
                        yield from self._walk(item, f"{prefix}[{key!r}]", level + 1, objects)
        elif objects < 1 and (self._is_own(kind) or issubclass(kind, types.SimpleNamespace)):
            for name, item in attributes_of(value):
                if type(item) not in _SCALARS:
                    yield from self._walk(item, f"{prefix}.{name}", max(level, 1), objects + 1)

    def _module(self, module: Module, prefix: str, seen: set[int], level: int) -> Iterator[tuple[str, torch.Tensor]]:
        if id(module) in seen or len(seen) > _TENSORS:
            return
        seen.add(id(module))
        members = module.__dict__
        for table in ("_parameters", "_buffers"):
            for name, tensor in members.get(table, {}).items():
                if tensor is not None:
                    yield prefix + step_to(module, name), tensor
        for name, child in members.get("_modules", {}).items():
            if child is not None:
                yield from self._module(child, prefix + step_to(module, name), seen, level)
        if self._is_own(type(module)):
            for name, item in list(members.items()):
                if not name.startswith("_") and issubclass(type(item), (torch.Tensor, list, tuple, dict)):
                    yield from self._walk(item, f"{prefix}.{name}", max(level, 1), 1)


def step_to(module: Module, name: str) -> str:
    """Return the suffix that names a member of a module: `[0]`, `['key']` or `.name`."""
    if name.isdigit() and isinstance(module, _INDEXED):
        return f"[{name}]"
    if isinstance(module, _KEYED) and not _is_attribute(type(module), name):
        return f"[{name!r}]"
    return f".{name}"


def _is_attribute(kind: type, key: str) -> bool:
    """Return whether `.key` can stand for `['key']`: it is a name that the class does not use."""
    plain = key.isidentifier() and not keyword.iskeyword(key) and not key.startswith("__")
    return plain and not any(key in base.__dict__ for base in kind.__mro__)


def _is_typable(key: Any) -> bool:
    """Return whether the `repr` of a key is the expression for it."""
    return type(key) in _SCALARS or (type(key) is tuple and _SCALARS.issuperset(map(type, key)))


def attributes_of(value: Any) -> list[tuple[str, Any]]:
    """Return the attributes that an object has itself, without running any code of its class."""
    attributes: list[tuple[str, Any]] = []
    for kind in type(value).__mro__:
        members = kind.__dict__
        table: Any = members.get("__dict__")
        if type(table) in _SLOTS:
            attributes += table.__get__(value).items()
        slots = members.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if type(members.get(name)) in _SLOTS and name not in ("__dict__", "__weakref__"):
                with contextlib.suppress(AttributeError):  # not set yet
                    attributes.append((name, members[name].__get__(value)))
    return attributes
