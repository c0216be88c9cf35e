"""Tell which of its arguments a call into torch writes to, by the schemas of operations.

Version counters do not always tell: fused optimizers, `torch.amp` and batch normalisation write without raising them,
and a tensor made in `inference_mode` has none.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tutor.recorder.torch_private import OpOverload, OpOverloadPacket, schema_of, schemas_named

_STATISTICS = frozenset({"running_mean", "running_var"})
"""Arguments that batch normalisation writes to, though some schemas do not say so."""
_IN_PLACE = frozenset({
    "iadd", "isub", "imul", "itruediv", "idiv", "ifloordiv", "imod", "ipow", "imatmul", "iand", "ior", "ixor",
    "ilshift", "irshift", "setitem", "set", "delete",
})  # fmt: skip
"""Special methods that write to the first argument."""


@dataclass(frozen=True)
class WrittenArguments:
    """The arguments that a function writes to.

    Attributes:
        positions: Their positions.
        names: Their names as keywords.
        every: Whether it may write to any tensor among its arguments: a Python function whose name ends with `_`.
    """

    positions: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    every: bool = False

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
