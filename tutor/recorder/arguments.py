"""The arguments of calls into torch, by the schemas of operations: which are written to, and those that are no tensors.

Version counters do not always tell what is written to: fused optimizers, `torch.amp` and batch normalisation write
without raising them, and a tensor made in `inference_mode` has none.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import msgspec
import torch

from tutor.recorder.torch_private import (
    OpOverload,
    OpOverloadPacket,
    may_dispatch,
    schema_of,
    schemas_named,
    storage_id,
)
from tutor.trace.events import Call
from tutor.trace.values import pack_places

_STATISTICS = frozenset({"running_mean", "running_var"})
"""Arguments that batch normalisation writes to, though some schemas do not say so."""
_IN_PLACE = frozenset({
    "iadd", "isub", "imul", "itruediv", "idiv", "ifloordiv", "imod", "ipow", "imatmul", "iand", "ior", "ixor",
    "ilshift", "irshift", "setitem", "set", "delete",
})  # fmt: skip
"""Special methods that write to the first argument."""
_ZERO = frozenset({0})


@dataclass(frozen=True)
class WrittenArguments:
    """The arguments that a function writes to.

    Attributes:
        positions: Their positions.
        names: Their names as keywords.
        every: Whether it may write to any tensor among its arguments: a Python function whose name ends with `_`.
        first: Whether the first is the only one that has a position.
    """

    positions: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    every: bool = False

    @cached_property
    def first(self) -> bool:
        return self.positions == _ZERO and not self.every

    def among(self, args: Any, kwargs: dict[str, Any]) -> Iterator[Any]:
        """Yield the arguments of a call that it writes to."""
        for position, argument in enumerate(args) if self.every or self.positions else ():
            if self.every or position in self.positions:
                yield argument
        for name, argument in kwargs.items():
            if self.every or name in self.names:
                yield argument


NOTHING = WrittenArguments(names=frozenset({"out"}))
"""A function that writes to nothing but its argument `out`."""
_FIRST = WrittenArguments(frozenset({0}), frozenset({"out", "input", "self"}))


def written_by(func: Any) -> WrittenArguments:
    """Return which arguments a call of `func` writes to."""
    if isinstance(func, OpOverload):
        return _by_schemas([schema_of(func)], func.overloadpacket.__name__)
    if isinstance(func, OpOverloadPacket):
        return _by_schemas([schema_of(getattr(func, name)) for name in func.overloads()], func.__name__)
    name = getattr(func, "__name__", "")
    if name.startswith("__") and name.endswith("__"):
        return _FIRST if name[2:-2] in _IN_PLACE else NOTHING
    if isinstance(func, types.FunctionType):  # such as those of torch.nn.init
        return WrittenArguments(every=True) if name.endswith("_") else NOTHING
    return _by_schemas(schemas_named(name), name)


def _by_schemas(schemas: list[Any], name: str) -> WrittenArguments:
    """Return what these schemas of an operation say; without any, what its name says."""
    if not schemas or any(schema is None for schema in schemas):
        return _FIRST if name.endswith("_") else NOTHING
    positions, names = set[int](), {"out"}
    for schema in schemas:
        for position, argument in enumerate(schema.arguments):
            writes = argument.alias_info is not None and argument.alias_info.is_write
            if writes or argument.name in _STATISTICS:
                names.add(argument.name)
                if not argument.kwarg_only:
                    positions.add(position)
    if 0 in positions:
        names.add("input")  # what Python's bindings call `self`
    return WrittenArguments(frozenset(positions), frozenset(names))


# ------------------------------------------------------------ the arguments that are no tensors

_CALL = Call.__struct_config__.tag
_TENSOR, _UNKNOWN = msgspec.msgpack.Ext(1, b""), msgspec.msgpack.Ext(2, b"")
"""Stand for a tensor and for what is no JSON value."""
_LISTS = (list, tuple, torch.Size)
"""Of a class derived from these, items may be what the learner's code makes them."""
_PLAIN_TENSORS = _Tensor, _Parameter = (torch.Tensor, torch.nn.Parameter)
_SIMPLE = frozenset((int, float, bool, str, type(None)))
_INTEGERS = frozenset((int,))
MOST_DEFINED = 1 << 15
"""Most different calls that are sent, and attributes of nodes: readers hold them all."""
_MOST_BYTES = 4 << 20
"""Most bytes of all calls."""
_MOST_ITEMS = 64
_MOST_CHARACTERS = 200
_NAMED_BY_TEXT = (torch.dtype, torch.device, torch.layout, torch.memory_format)
_NUMBERS = (int, float, complex)
_ALIASES = {"axis": "dim", "keepdims": "keepdim"}
"""Torch's names for the keywords that it takes over from NumPy."""
_INDEXING: dict[Any, tuple[str, ...]] = {
    torch.Tensor.__getitem__: ("self", "index"), torch.Tensor.__setitem__: ("self", "index", "value"),
}  # fmt: skip
_OPERATORS = {"truediv": "div", "floordiv": "floor_divide", "mod": "remainder"}
_encode = msgspec.msgpack.Encoder().encode


class CallRecorder:
    """Record the arguments of calls that are no tensors. Calls of a function that have the same ones share a number."""

    def __init__(self, append: Callable[[Any], None]) -> None:
        self._append = append
        self._calls: dict[Any, int] = {}
        self._simple: dict[Any, int] = {}
        """The same of calls whose arguments are tensors, numbers, texts, None and tuples of int, by these and types."""
        self._bytes = 0

    def number_of(self, func: Any, args: Any, kwargs: dict[str, Any]) -> int:
        """Return the number of a call, 0 where all its arguments are tensors; send its event before its first use."""
        key: list[Any] = [func]
        for argument in args:
            kind = type(argument)
            if kind is _Tensor or kind is _Parameter:
                key.append(_Tensor)
            elif kind in _SIMPLE and (argument or kind is not float):  # 0.0 equals -0.0
                key.append(kind)
                key.append(argument)
            elif kind is tuple and _INTEGERS.issuperset(map(type, argument)):
                key.append(argument)
            else:
                return self._number_of(func, args, kwargs)
        for name, argument in kwargs.items():
            kind = type(argument)
            if kind is _Tensor or kind is _Parameter:
                key += name, _Tensor
            elif kind in _SIMPLE and (argument or kind is not float):
                key += name, kind, argument
            else:
                return self._number_of(func, args, kwargs)
        simple = tuple(key)
        number = self._simple.get(simple)
        if number is None:
            number = self._number_of(func, args, kwargs)
            if len(self._simple) < MOST_DEFINED:
                self._simple[simple] = number
        return number

    def _number_of(self, func: Any, args: Any, kwargs: dict[str, Any]) -> int:
        """As `number_of`, for any arguments."""
        values = [_json(argument) for argument in args]
        if func in _INDEXING and type(args[1]) is not tuple and values[1] is not _TENSOR and values[1] is not _UNKNOWN:
            values[1] = [values[1]]  # `a[[0, 1]]` is no `a[0, 1]`
        if func is torch.tensor and values:
            values[0] = _UNKNOWN  # the same as its result
        named = {name: _json(argument) for name, argument in kwargs.items()} if kwargs else None
        key = func, _encode((values, named))
        number = self._calls.get(key)
        if number is None:
            self._bytes += len(key[1])
            if len(self._calls) >= MOST_DEFINED or self._bytes > _MOST_BYTES:
                return 0
            arguments = _named_arguments(func, args, kwargs, values, named or {})
            number = self._calls[key] = len(self._calls) + 1 if arguments else 0
            if arguments:
                self._append((_CALL, number, arguments))
        return number

    def release(self) -> None:
        """Drop references to the learner's functions."""
        self._calls.clear()
        self._simple.clear()


def _json(value: Any) -> Any:
    """Return a JSON value for an argument; `_TENSOR` for tensors, `_UNKNOWN` where it has none or is too large."""
    kind = type(value)
    if kind is float or kind is bool or value is None:
        return value
    if isinstance(value, torch.Tensor):
        return _TENSOR
    if kind is int:
        return value if -(1 << 63) <= value < 1 << 63 else _UNKNOWN
    if kind is str:
        return value if len(value) <= _MOST_CHARACTERS else _UNKNOWN
    if kind in _LISTS:
        return _json_list(value)
    if kind is slice:
        return _slice_text(value)
    if value is Ellipsis:
        return "..."
    if isinstance(value, _NAMED_BY_TEXT):
        return str(value)
    if kind is complex:
        return [value.real, value.imag]
    if kind.__module__ == "numpy" and getattr(value, "ndim", 1) == 0 and isinstance(number := value.item(), _NUMBERS):
        return _json(number)
    if isinstance(value, int):  # of a subclass, as an enum
        return _json(int.__index__(value))
    return float.__float__(value) if isinstance(value, float) else _UNKNOWN


def _json_list(items: Any) -> Any:
    """Return a list of JSON values in which a tensor is the text "tensor"; `_TENSOR` where all items are tensors."""
    size = len(items)
    if size > _MOST_ITEMS or (size and type(items[0]) in _LISTS and size * len(items[0]) > _MOST_ITEMS):
        return _UNKNOWN
    values = [_json(item) for item in items]
    if any(value is _UNKNOWN for value in values):
        return _UNKNOWN
    if size and all(value is _TENSOR for value in values):
        return _TENSOR
    return ["tensor" if value is _TENSOR else value for value in values]


def _slice_text(part: slice) -> Any:
    """Return a slice as in the source: `1:3`, `::2`."""
    ends = [_json(end) for end in (part.start, part.stop, part.step)]
    if any(end is _UNKNOWN for end in ends):
        return _UNKNOWN
    start, stop, step = ("" if end is None else "tensor" if end is _TENSOR else str(end) for end in ends)
    return f"{start}:{stop}" + (f":{step}" if step else "")


def _named_arguments(
    func: Any, args: Any, kwargs: dict[str, Any], values: list[Any], named: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments by name; by their place, as a text, where that is unknown."""
    args = [value if type(value) in _NUMBERS else argument for argument, value in zip(args, values, strict=True)]
    names, collected = _names(func, args, kwargs)
    if collected is not None:  # `x.view(2, 3)`
        rest = values[collected:]
        values = [*values[:collected], _UNKNOWN if _UNKNOWN in rest else _TENSOR if _TENSOR in rest else rest]
    arguments = {names[at] if at < len(names) else str(at): value for at, value in enumerate(values)}
    arguments.update((_ALIASES.get(name, name), value) for name, value in named.items() if not name.startswith("_"))
    return {name: value for name, value in arguments.items() if value not in (None, _TENSOR, _UNKNOWN)}


def _names(func: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, int | None]:
    """Return the names of the positional arguments as far as they are known, and the place of the first of those that
    make up one list."""
    name = getattr(func, "__name__", "")
    if func in _INDEXING:
        return _INDEXING[func], None
    if name.startswith("__r"):  # `2 ** x` is `x.__rpow__(2)`
        return ("self", "other"), None
    owner = getattr(func, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):  # its `apply`
        names = _parameters(owner.forward)
        has_context = owner.setup_context is torch.autograd.Function.setup_context
        return names[1:] if has_context else names, None
    names = _parameters(func)
    if names:
        return names, None
    schemas = _schemas(func)
    for keywords in (kwargs, {}):  # a function of `torch.nn.functional` may have more than its operation
        for schema in schemas:
            match = _match(schema, args, keywords)
            if match is not None:
                return match
    return (), None


def _parameters(func: Any) -> tuple[str, ...]:
    """Return the names of the positional parameters of a Python function; none where it takes any number of them."""
    if not isinstance(func, types.FunctionType) or func.__code__.co_flags & 0x04:
        return ()
    return func.__code__.co_varnames[: func.__code__.co_argcount]


def _schemas(func: Any) -> list[Any]:
    """Return the schemas of a function of torch's."""
    if isinstance(func, OpOverload):
        return [schema_of(func)]
    if isinstance(func, OpOverloadPacket):
        return [schema_of(getattr(func, name)) for name in func.overloads()]
    return _schemas_named(getattr(func, "__name__", ""))


@lru_cache(maxsize=512)
def _schemas_named(name: str) -> list[Any]:
    bare = name.strip("_")
    inplace = name.startswith("__i") and name.endswith("__")
    operation = _OPERATORS.get(bare[inplace:], bare[inplace:]) + "_" * inplace
    return schemas_named(name) or schemas_named(operation) or []


def _match(schema: Any, args: Any, kwargs: dict[str, Any]) -> tuple[list[str], int | None] | None:
    """Return the names of the positional arguments by a schema, as `_names` does; None where they do not fit it."""
    if schema is None:
        return None
    parameters = [parameter for parameter in schema.arguments if not parameter.kwarg_only]
    names = [parameter.name for parameter in parameters]
    keywords = {*(parameter.name for parameter in schema.arguments), "input", "out", "requires_grad"}
    if not all(_ALIASES.get(name, name) in keywords for name in kwargs):
        return None
    for place, argument in enumerate(args):
        if place >= len(parameters):
            return None
        full_kind = _kind_of(parameters[place])
        kind, optional = _inner(full_kind, "Optional"), full_kind.startswith("Optional[")
        rest = args[place:]
        if (
            kind in ("List[int]", "List[SymInt]")
            and place <= 1
            and place + 1 == len(parameters)
            and all(type(n) is int for n in rest)
        ):
            return names, place
        if kind == "List[Tensor]" and place + 1 == len(parameters) and isinstance(argument, torch.Tensor):
            return names, place
        if not (argument is None and optional) and not _fits(kind, argument):
            return None
    return names, None


_KINDS: dict[str, Any] = {
    "Tensor": torch.Tensor, "int": int, "SymInt": int, "float": (int, float), "number": _NUMBERS, "Scalar": _NUMBERS,
    "bool": bool, "str": str, "Device": (torch.device, str), "ScalarType": torch.dtype, "Layout": torch.layout,
    "MemoryFormat": torch.memory_format, "Generator": torch.Generator,
}  # fmt: skip


def _kind_of(parameter: Any) -> str:
    """Return the type of a parameter of a schema, in which a dtype is no number."""
    return str(getattr(parameter, "real_type", parameter.type))


def _fits(kind: str, argument: Any) -> bool:
    """Return whether an argument has the type that a schema names."""
    kind = _inner(kind, "Optional")
    inner = _inner(kind, "List")
    if inner != kind:
        if type(argument) in _LISTS:
            return all(item is None or _fits(inner, item) for item in argument)
        return inner in ("int", "SymInt", "float") and _fits(inner, argument)
    if isinstance(argument, bool) and kind in ("int", "SymInt", "float"):
        return False
    return kind in _KINDS and isinstance(argument, _KINDS[kind])


def _inner(kind: str, outer: str) -> str:
    """Return `int` for `List[int]`; the same where it is no such type."""
    return kind[len(outer) + 1 : -1] if kind.startswith(f"{outer}[") else kind


# ------------------------------------------------------------ what an index selects

_PUTS = frozenset({torch.Tensor.index_put, torch.Tensor.index_put_, torch.index_put, torch.index_put_})
SELECTING = frozenset({*_INDEXING, *_PUTS})
"""The functions that have an index."""
_MOST_SELECTED = 1000
_WHOLE = slice(None)


def selected_by(func: Any, args: Any) -> tuple[bytes, bytes | None] | None:
    """Return what the index of a call selects, as in `events.Op`; None where that is not told, or not known."""
    if len(args) < 2 or type(args[0]) not in _PLAIN_TENSORS or not may_dispatch():
        return None
    try:
        return _selected(func, args[0], args[1])
    except Exception:  # an index that only its own tensor takes
        return None


def _selected(func: Any, whole: torch.Tensor, index: Any) -> tuple[bytes, bytes | None] | None:
    if not 0 < whole.numel() <= _MOST_SELECTED:
        return None
    items = index if type(index) is tuple else index if func in _PUTS and type(index) is list else [index]
    if func in _PUTS:
        items = [_WHOLE if item is None else item for item in items]
    is_read = func is torch.Tensor.__getitem__
    parts = [_index_part(item, None if is_read else whole) for item in items]
    advanced = any(isinstance(part, torch.Tensor | bool) for part in parts)
    if any(part is _UNKNOWN for part in parts) or (is_read and not advanced):
        return None
    every = torch.arange(whole.numel(), device="cpu").view(whole.shape)
    selected = every[tuple(parts)].flatten().tolist()
    if len(selected) > _MOST_SELECTED:
        return None
    return pack_places(selected), _selected_of_view(every, parts, selected) if is_read else None


def _selected_of_view(every: torch.Tensor, parts: list[Any], selected: list[int]) -> bytes | None:
    """Return the places of selected elements in what the numbers and slices leave; None where that is all."""
    basic: list[Any] = []
    for part in parts:
        if not isinstance(part, torch.Tensor):
            basic.append(None if isinstance(part, bool) else part)
        else:
            basic += [_WHOLE] * (part.dim() if part.dtype is torch.bool else 1)
    left = every[tuple(basic)].flatten().tolist()
    if len(left) == every.numel():
        return None
    at = {place: number for number, place in enumerate(left)}
    return pack_places([at[place] for place in selected])


def _index_part(item: Any, written: torch.Tensor | None) -> Any:
    """Return a part of an index so that indexing with it runs nothing of the learner's and warns of nothing: a tensor
    for what is one to torch; `_UNKNOWN` where that cannot be, or where it was in memory that has been written to."""
    kind = type(item)
    if item is None or item is Ellipsis or kind is int or kind is bool:
        return item
    if kind is slice:
        ends = [_index_part(end, written) for end in (item.start, item.stop, item.step)]
        return slice(*ends) if all(end is None or type(end) is int for end in ends) else _UNKNOWN
    if kind in _PLAIN_TENSORS:
        if written is not None and storage_id(item.untyped_storage()) == storage_id(written.untyped_storage()):
            return _UNKNOWN
        item = item.detach().cpu()
        item = item.bool() if item.dtype is torch.uint8 else item
        return item if item.dim() else item.item()
    if kind is range:
        item, kind = list(item[: _MOST_SELECTED + 1]), list
    elif kind.__module__ == "numpy" and kind.__name__ == "ndarray" and item.ndim:
        item, kind = item.tolist(), list
    elif kind.__module__ == "numpy" and isinstance(number := _json(item), int):
        return number
    if kind is list and item and len(item) <= _MOST_SELECTED and all(type(part) in (int, bool) for part in item):
        return torch.tensor(item, device="cpu")
    return _UNKNOWN
