"""Find out what an autograd node saves for its backward.

Reading the tensors of a node's `_saved_*` takes time and, under saved-tensor hooks, runs the learner's code. A node
saves the same ones at each visit of a site, so they are read once there, and described in terms of the operation's own
tensors. What is no tensor may differ at each visit, and is read of each node; no hook sees that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import msgspec
import torch
from torch.autograd.function import BackwardCFunction

from tutor.recorder.torch_private import (
    attribute_name,
    attribute_names,
    saved_hooks_are_on,
    saved_names,
    saved_value,
    storage_id,
)

INPUT, OUTPUT, OWN = range(3)
SavedTensor = tuple[str, int, int, int]
"""A saved tensor: its name, whose it is (`INPUT`, `OUTPUT`, `OWN`), its place there, and its bytes if it is its own.

The place of a node's own is the number of its memory among those of the operation, from 1; 0: unknown."""
InnerNode = tuple[str, list[bool], list[SavedTensor]]
"""A node inside an operation: its name, which inputs need a gradient, and what it saves."""
_MOST_INSIDE = 200
_SCALARS = (float, int, bool, str, type(None))


def saved_by_operation(
    tensor: torch.Tensor, args: Any, kwargs: dict[str, Any], number_of: Callable[[Any], int | None]
) -> tuple[str, list[SavedTensor], list[bool], list[InnerNode]] | None:
    """Return what the nodes of an operation save: the one that made `tensor`, and those inside the operation.

    Function modes must be off.

    Args:
        tensor: The output of the operation.
        args: Its arguments.
        kwargs: Its keyword arguments.
        number_of: Returns the number of a node from before, or None.

    Returns:
        The node's name, what it saves, which of its inputs need a gradient, and the same of the nodes inside; None
        where none can save a tensor, and under saved-tensor hooks, which hold something else.
    """
    if saved_hooks_are_on():
        return None
    arguments = [*_tensors(args), *_named(kwargs, _place_count(args))]
    node = tensor.grad_fn
    own: dict[int, int] = {}
    inner = [
        (type(inner_node).__name__, _inputs_needing_grad(inner_node), _saved_by(inner_node, arguments, tensor, own))
        for inner_node in _nodes_inside(node, number_of)
    ]
    saved_tensors = _saved_by(node, arguments, tensor, own)
    if not saved_tensors and not inner and not (isinstance(node, BackwardCFunction) or saved_names(type(node))):
        return None
    return type(node).__name__, saved_tensors, _inputs_needing_grad(node), inner


def has_own(saved_tensors: tuple[str, list[SavedTensor], list[bool], list[InnerNode]]) -> bool:
    """Return whether nodes of an operation hold tensors that nothing else does."""
    _, outer, _, inner = saved_tensors
    return any(whose == OWN for tensors in (outer, *(tensors for _, _, tensors in inner)) for _, whose, _, _ in tensors)


def _nodes_inside(node: Any, number_of: Callable[[Any], int | None]) -> list[Any]:
    """Return the unknown nodes before this one, breadth first, without leaves; none where they are too many."""
    nodes: list[Any] = []
    waiting = [node]
    for current in waiting:
        for source, _ in current.next_functions:
            if source is None or any(source is other for other in nodes) or number_of(source) is not None:
                continue
            if type(source).__name__ != "AccumulateGrad":
                if len(nodes) == _MOST_INSIDE:
                    return []
                nodes.append(source)
                waiting.append(source)
    return nodes


def _inputs_needing_grad(node: Any) -> list[bool]:
    """Return which inputs of a node need a gradient."""
    return [source is not None for source, _ in node.next_functions]


def _saved_by(
    node: Any, arguments: list[tuple[int, torch.Tensor]], output: torch.Tensor, own: dict[int, int]
) -> list[SavedTensor]:
    """Return what a node saves; `own` numbers the memory that only nodes of the operation hold, by its address."""
    saved_tensors: list[SavedTensor] = []
    if isinstance(node, BackwardCFunction):  # a custom Function: its `ctx.save_for_backward`
        for place, value in enumerate(_saved_tensors(node)):
            if value is not None:
                saved_tensors.append((f"saved_tensors[{place}]", *_whose(value, arguments, output, own)))
        return saved_tensors
    for name in saved_names(type(node)):
        try:
            value = saved_value(node, name)
        except Exception:  # freed, or not readable from Python
            continue
        for tensor in value if isinstance(value, list | tuple) else (value,):
            if isinstance(tensor, torch.Tensor):
                saved_tensors.append((name, *_whose(tensor, arguments, output, own)))
    return saved_tensors


def saved_by_function(
    tensor: torch.Tensor, number_of: Callable[[torch.Tensor], int | None]
) -> tuple[list[int], list[SavedTensor]]:
    """Return the numbers of the inputs of a custom Function, and what it saves.

    Its arguments were not seen, so the tensors that it saves stand for them.
    """
    node: Any = tensor.grad_fn
    if not isinstance(node, BackwardCFunction) or saved_hooks_are_on():
        return [], []
    inputs: list[int] = []
    saved_tensors: list[SavedTensor] = []
    own: dict[int, int] = {}
    for place, saved in enumerate(_saved_tensors(node)):
        if saved is None:
            continue
        number, name = number_of(saved), f"saved_tensors[{place}]"
        if number is None or saved is tensor:
            saved_tensors.append((name, *_whose(saved, [], tensor, own)))
        else:
            saved_tensors.append((name, INPUT, len(inputs), 0))
            inputs.append(number)
    return inputs, saved_tensors


def _saved_tensors(node: Any) -> tuple[torch.Tensor | None, ...]:
    try:
        saved: tuple[torch.Tensor | None, ...] = node.saved_tensors
    except RuntimeError:  # freed by a pass
        return ()
    return saved


def _whose(
    saved: torch.Tensor, arguments: list[tuple[int, torch.Tensor]], output: torch.Tensor, own: dict[int, int]
) -> tuple[int, int, int]:
    """Return whose a saved tensor is, its place there, and its bytes if it is the node's own.

    Views of one storage are told apart by offset, shape and strides; a view that was no argument stands for its base.
    """
    try:
        address, layout = storage_id(saved.untyped_storage()), _layout(saved)
        sharing = [(INPUT, place) for place, argument in arguments if storage_id(argument.untyped_storage()) == address]
        whole = [
            (INPUT, place) for place, argument in arguments if (INPUT, place) in sharing and _layout(argument) == layout
        ]
        if storage_id(output.untyped_storage()) == address:
            (whole if _layout(output) == layout else sharing).append((OUTPUT, 0))
        for whose, place in (*whole, *sharing):
            return whose, place, 0
        return OWN, own.setdefault(address, len(own) + 1), saved.untyped_storage().nbytes()
    except Exception:  # sparse: no storage to compare
        return OWN, 0, 0


def _layout(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Return how a tensor is laid out in its storage."""
    return tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _place_count(args: Any) -> int:
    """Return how many places the arguments take in `Op.inputs`."""
    return sum(_place_count(argument) if _is_nested(argument) else 1 for argument in args)


def _is_nested(argument: Any) -> bool:
    return (
        isinstance(argument, list | tuple)
        and bool(argument)
        and isinstance(argument[0], torch.Tensor | list | tuple)
    )  # fmt: skip


def _tensors(args: Any, place: int = 0) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the tensors among the arguments, with their places in `Op.inputs`."""
    for argument in args:
        if _is_nested(argument):
            yield from _tensors(argument, place)
            place += _place_count(argument)
            continue
        if isinstance(argument, torch.Tensor):
            yield place, argument
        place += 1


def _named(kwargs: dict[str, Any], place: int) -> Iterator[tuple[int, torch.Tensor]]:
    """As `_tensors`, for keyword arguments: those that are no tensors have no place there."""
    for argument in kwargs.values():
        if isinstance(argument, torch.Tensor):
            yield place, argument
            place += 1
        elif _is_nested(argument):
            yield from _tensors(argument, place)
            place += _place_count(argument)


# ------------------------------------------------------------ what is no tensor


class AttributeReader:
    """Reads what the nodes of a type save that is no tensor."""

    def __init__(self, names: list[str]) -> None:
        self._names = [attribute_name(name) for name in names]
        self._is_single = len(names) == 1
        self._get = attrgetter(*names)

    def encoded(self, node: Any) -> bytes:
        """Return the values as msgpack."""
        return _encode(self._get(node))

    def named(self, encoded: bytes) -> dict[str, Any]:
        """Return such values by name."""
        values = msgspec.msgpack.decode(encoded)
        return dict(zip(self._names, map(_signed, [values] if self._is_single else values), strict=True))


def attribute_reader(kind: type) -> AttributeReader | None:
    """Return what reads the attributes of nodes of this type; None where they have none."""
    names = [] if issubclass(kind, BackwardCFunction) else attribute_names(kind)
    return AttributeReader(names) if names else None


def _plain(value: Any) -> Any:
    """Return a JSON value for one that msgpack does not have."""
    if isinstance(value, complex):
        return [value.real, value.imag]
    return int(value) if isinstance(value, torch.SymInt) else str(value)


_encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode


def _signed(value: Any) -> Any:
    """Return a value as in Python: torch gives the dimension -1 as 2**64 - 1."""
    if isinstance(value, list):
        return [_signed(item) for item in value]
    return value - (1 << 64) if type(value) is int and value >= 1 << 63 else value
