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
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, repeat
from operator import attrgetter, call, is_, itemgetter
from typing import Any

import torch
from torch.nn import Module

from tutor.recorder.originals import name_of
from tutor.recorder.tensors import TensorRecord
from tutor.trace.events import Group

_GROUP = Group.__struct_config__.tag
_ITEMS = 20
_TENSORS = 5000
_INDEXED = (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ParameterList)
_KEYED = (torch.nn.ModuleDict, torch.nn.ParameterDict)
_SCALARS = frozenset((int, float, str, bool, type(None), bytes, complex))
_HOLDING = (list, tuple, dict, Module, types.SimpleNamespace)
_IN_MODULES = (torch.Tensor, list, tuple, dict)
_SLOTS = (types.GetSetDescriptorType, types.MemberDescriptorType)


_attribute_table_of, _ref_of = attrgetter("__dict__"), attrgetter("ref")
_tables_of = itemgetter("_parameters", "_buffers", "_modules")
_MOST_FORMS = 256
_HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: another type can have its `id` later."""


class TrackedContainer:
    """A container that a name means: its number, and what it held when last recorded.

    Attributes:
        tree: The tree of modules that a module is in, with what it then held.
    """

    __slots__ = ("_object", "containers", "items", "serial", "tree")

    def __init__(self, serial: int, value: Any) -> None:
        self.serial = serial
        self.containers: list[tuple[str, str, int]] = []
        self.items: list[tuple[str, int]] | None = None
        self.tree: ModuleTree | None = None
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


class _ModuleRef:
    __slots__ = ("ref",)

    def __init__(self, module: Module | None) -> None:
        self.ref: Callable[[], Any] = _nothing if module is None else weakref.ref(module)


def _nothing() -> None:
    """Stand in for a weak reference."""


class ModuleTree:
    """What a module and all modules below it hold, to find out quickly whether that has changed.

    It compares the tables of the modules, as there is no other way to see all changes: `del m.weight`, `m.to(…)` and
    code that writes to `m._parameters` register nothing with torch. It holds neither modules nor their tables, which
    would keep tensors alive.

    Args:
        root: The module.
        record_of: Returns the record of a tensor; None if it is unknown.
        attributes_of: Returns what the attributes of a learner's module hold beside its members.
        is_own: Returns whether a class is the learner's.

    Attributes:
        contents: What each of the modules holds, as `Group` has it, by their `id`s.
        examination: The number of the last examination in which it was compared.
        is_current: Whether nothing had changed then.

    Raises:
        LookupError: It holds a tensor that is unknown.
    """

    def __init__(
        self,
        root: Module,
        record_of: Callable[[torch.Tensor], TensorRecord | None],
        attributes_of: Callable[[Module], list[Any]],
        is_own: Callable[[type], bool],
    ) -> None:
        self._attributes_of = attributes_of
        self._modules: list[weakref.ref[Module]] = []
        self._places: dict[int, int] = {}
        self._members: list[TensorRecord | _ModuleRef] = []
        self.contents: dict[int, tuple[list[tuple[str, int]], list[tuple[str, str, int]]]] = {}
        self.examination = 0
        self.is_current = True
        pending = [root]
        for module in pending:
            if id(module) not in self._places:
                self._places[id(module)] = len(self._modules)
                self._modules.append(weakref.ref(module))
                pending += [child for child in module.__dict__["_modules"].values() if child is not None]
                if len(self._modules) > _TENSORS:
                    raise LookupError
        self._own = [module for module in self._modules if is_own(type(module()))]
        self._names, members = self._read()
        self._empty = sum(map(is_, members, repeat(None)))
        for member in members:
            is_tensor = issubclass(type(member), torch.Tensor)
            record = record_of(member) if is_tensor else _ModuleRef(member)
            if record is None:
                raise LookupError
            self._members.append(record)
        self._attributes = [attributes_of(module()) for module in self._own]  # type: ignore[arg-type]

    def has(self, module: Module) -> bool:
        """Return whether a module is in this tree."""
        place = self._places.get(id(module))
        return place is not None and self._modules[place]() is module

    def modules(self) -> Iterable[int]:
        """Return the `id`s of its modules."""
        return self._places

    def compare(self) -> None:
        """Set `is_current` to False if a module may hold something else than it did."""
        try:
            names, members = self._read()
            self.is_current = (
                names == self._names
                and all(map(is_, members, map(call, map(_ref_of, self._members))))
                and sum(map(is_, members, repeat(None))) == self._empty  # a tensor that is gone is none either
                and self._attributes == [self._attributes_of(module()) for module in self._own]  # type: ignore[arg-type]
            )
        except Exception:  # a module is gone, or another thread changes it
            self.is_current = False

    def _read(self) -> tuple[list[str], list[Any]]:
        """Return the names and the values of the parameters, buffers and modules of all modules."""
        tables = list(chain.from_iterable(map(_tables_of, map(_attribute_table_of, map(call, self._modules)))))
        return list(chain.from_iterable(tables)), list(chain.from_iterable(map(dict.values, tables)))


class ContainerRecorder:
    """Number containers, and record what they hold when it has changed."""

    def __init__(
        self,
        append: Callable[[Any], None],
        serial: Callable[[torch.Tensor], int],
        record_of: Callable[[torch.Tensor], TensorRecord | None],
        is_own: Callable[[type], bool],
    ) -> None:
        self._append = append
        self._serial = serial
        self._record_of = record_of
        self._is_own = is_own
        self._serials = 0
        self._containers: list[tuple[str, str, int]] = []
        self._trees: dict[int, ModuleTree] = {}
        """By `id` of each module in them."""
        self._prune_at = 64
        self._examinations = 0
        self._without_tensors: set[tuple[Any, ...]] = set()
        """The names of the attributes, and the `id`s of their types, of modules whose attributes hold no tensors."""

    def may_hold_tensors(self, value: Any) -> bool:
        """Return whether the learner may name tensors through `thing`."""
        kind = type(value)
        return issubclass(kind, _HOLDING) or self._is_own(kind)

    def track(self, value: Any) -> TrackedContainer:
        """Number a container, record it, and return its `TrackedContainer`."""
        self._serials += 1
        holder = TrackedContainer(self._serials, value)
        self.record((holder,))
        return holder

    def record(self, holders: Iterable[TrackedContainer]) -> None:
        """Send what these containers hold, where it has changed. Function modes must be off."""
        self._examinations += 1
        for holder in holders:
            value = holder.get()
            kind = type(value)
            if kind is list or kind is tuple:
                if not holder.items and _SCALARS.issuperset(map(type, value[:_ITEMS])):
                    continue
            elif kind is dict:
                if not holder.items and _SCALARS.issuperset(map(type, islice(value.values(), _ITEMS))):
                    continue
            elif issubclass(kind, Module):
                if holder.tree is None or not self._is_current(holder.tree):
                    self._record_module(value, holder)
                continue
            elif value is None:
                continue
            self._record(value, holder)

    def _is_current(self, tree: ModuleTree) -> bool:
        """Return whether a tree of modules is as it was; compare it once in an examination."""
        if tree.is_current and tree.examination != self._examinations:
            tree.examination = self._examinations
            tree.compare()
        return tree.is_current

    def _record_module(self, module: Module, holder: TrackedContainer) -> None:
        """Send what a module holds, from the tree that it is in, and put it into one."""
        tree = self._trees.get(id(module))
        if tree is not None and tree.has(module) and self._is_current(tree) and id(module) in tree.contents:
            holder.tree = tree
            self._send(holder, *tree.contents[id(module)])
            return
        holder.tree = None
        if not self._record(module, holder):
            return
        try:
            if tree is None or not tree.is_current or not tree.has(module):
                tree = ModuleTree(module, self._record_of, self._attributes_of, self._is_own)
                tree.examination = self._examinations
                self._add(tree)
        except Exception:  # not initialised yet, or changed by another thread meanwhile
            return
        holder.tree = tree
        tree.contents[id(module)] = holder.items or [], holder.containers

    def _add(self, tree: ModuleTree) -> None:
        """Note which modules are in a tree."""
        if len(self._trees) >= self._prune_at:
            self._trees = {number: other for number, other in self._trees.items() if other.is_current}
            for other in {id(other): other for other in self._trees.values()}.values():
                other.compare()
            self._trees = {number: other for number, other in self._trees.items() if other.is_current}
            self._prune_at = 64 + 2 * len(self._trees)
        self._trees.update(dict.fromkeys(tree.modules(), tree))

    def _attributes_of(self, module: Module) -> list[Any]:
        """Return the tensors in the attributes of a learner's module that are no members, and their containers."""
        attributes = module.__dict__
        form = (*attributes, *map(id, map(type, attributes.values())))
        if form in self._without_tensors:
            return [[], []]
        containers, self._containers = self._containers, []
        held = [(suffix, self._serial(tensor)) for suffix, tensor in self._attributes_in(module, "", 1)]
        found, self._containers = self._containers, containers
        may_stay = len(self._without_tensors) < _MOST_FORMS and not any(
            kind.__flags__ & _HEAP_TYPE for kind in map(type, attributes.values())
        )
        if may_stay and not held and not found:
            self._without_tensors.add(form)
        return [held, found]

    def _record(self, value: Any, holder: TrackedContainer) -> bool:
        """Send what a container holds, if it has changed; return whether it could be read."""
        try:
            self._containers = []
            items = [(suffix, self._serial(tensor)) for suffix, tensor in self._walk(value, "", 0, 0)]
        except Exception:  # changed by another thread meanwhile, or an object that cannot be read
            return False
        self._send(holder, items, self._containers)
        return True

    def _send(
        self, holder: TrackedContainer, items: list[tuple[str, int]], containers: list[tuple[str, str, int]]
    ) -> None:
        """Send what a container holds, if that is not what was sent last."""
        if (items != holder.items or containers != holder.containers) and (items or holder.items):
            self._append((_GROUP, holder.serial, items, containers))
            holder.containers = containers
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
            yield from self._attributes_in(module, prefix, max(level, 1))

    def _attributes_in(self, module: Module, prefix: str, level: int) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the tensors in the attributes of a learner's module that are no members."""
        for name, item in list(module.__dict__.items()):
            if not name.startswith("_") and issubclass(type(item), _IN_MODULES):
                yield from self._walk(item, f"{prefix}.{name}", level, 1)


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
