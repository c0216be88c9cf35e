"""Finds out what an autograd node saves for its backward.

Reading a node's `_saved_*` costs time and, under saved-tensor hooks, runs code of the learner's. What a node saves is
the same at each visit of a place, so it is read once there, and then known in terms of the operation's own tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.autograd.function import BackwardCFunction

from tutor.recorder.torch_private import saved_hooks_are_on, saved_names, saved_value, storage_id

INPUT, OUTPUT, OWN = range(3)
SavedTensor = tuple[str, int, int, int]
"""Of a saved tensor: its name, whose it is (`INPUT`, `OUTPUT`, `OWN`), which of them, and the bytes of an own."""
InnerNode = tuple[str, list[bool], list[SavedTensor]]
"""Of a node inside of an operation: its name, which inputs need a gradient, and what it saves."""
_MOST_INSIDE = 200
_SCALARS = (float, int, bool, str, type(None))


def saved_by_operation(
    tensor: torch.Tensor, args: Any, kwargs: dict[str, Any], known: Callable[[Any], int | None]
) -> tuple[str, list[SavedTensor], list[bool], list[InnerNode]] | None:
    """What the node that made `tensor`, and those inside of the operation, save, where these were its arguments: the
    node's name, what it saves, which of its inputs need a gradient, and the same of those inside. None: nothing.

    `known` tells the nodes that were there before. Function modes are off.
    """
    if saved_hooks_are_on():
        return None
    given = [*_tensors(args), *_named(kwargs, _places(args))]
    node = tensor.grad_fn
    inner = [(type(one).__name__, _needs(one), _kept_by(one, given, tensor)) for one in _inside(node, known)]
    kept = _kept_by(node, given, tensor)
    if not kept and not any(saves for _, _, saves in inner):
        return None
    return type(node).__name__, kept, _needs(node), inner


def _inside(node: Any, known: Callable[[Any], int | None]) -> list[Any]:
    """The unknown nodes that lead to this one, breadth first, without leaves; none where they are too many."""
    found: list[Any] = []
    waiting = [node]
    for one in waiting:
        for before, _ in one.next_functions:
            if before is None or any(before is other for other in found) or known(before) is not None:
                continue
            if type(before).__name__ != "AccumulateGrad":
                if len(found) == _MOST_INSIDE:
                    return []
                found.append(before)
                waiting.append(before)
    return found


def _needs(node: Any) -> list[bool]:
    return [before is not None for before, _ in node.next_functions]


def _kept_by(node: Any, given: list[tuple[int, torch.Tensor]], made: torch.Tensor) -> list[SavedTensor]:
    kept: list[SavedTensor] = []
    if isinstance(node, BackwardCFunction):  # a custom Function: what it gave to `ctx.save_for_backward`
        for place, held in enumerate(_saved_tensors(node)):
            if held is not None:
                kept.append((f"saved_tensors[{place}]", *_whose(held, given, made)))
        return kept
    for name in saved_names(type(node)):
        try:
            held = saved_value(node, name)
        except Exception:  # freed already, or not to be read from Python
            continue
        for one in held if isinstance(held, list | tuple) else (held,):
            if isinstance(one, torch.Tensor):
                kept.append((name, *_whose(one, given, made)))
    return kept


def saved_by_function(
    tensor: torch.Tensor, known: Callable[[torch.Tensor], int | None]
) -> tuple[list[int], list[SavedTensor]]:
    """The same of a custom Function (`ctx.save_for_backward`). Nobody saw its arguments: those that it saves stand for
    them, by their numbers."""
    node: Any = tensor.grad_fn
    if not isinstance(node, BackwardCFunction) or saved_hooks_are_on():
        return [], []
    inputs: list[int] = []
    kept: list[SavedTensor] = []
    for place, held in enumerate(_saved_tensors(node)):
        if held is None:
            continue
        number, name = known(held), f"saved_tensors[{place}]"
        if number is None or held is tensor:
            kept.append((name, *_whose(held, [], tensor)))
        else:
            kept.append((name, INPUT, len(inputs), 0))
            inputs.append(number)
    return inputs, kept


def _saved_tensors(node: Any) -> tuple[torch.Tensor | None, ...]:
    try:
        saved: tuple[torch.Tensor | None, ...] = node.saved_tensors
    except RuntimeError:  # a pass has let go of them
        return ()
    return saved


def _whose(held: torch.Tensor, given: list[tuple[int, torch.Tensor]], made: torch.Tensor) -> tuple[int, int, int]:
    """Two views of one storage are told apart by where they begin and how they go on; a view that nobody gave stands
    for what it looks into."""
    try:
        address, look = storage_id(held.untyped_storage()), _look(held)
        sharing = [(INPUT, place) for place, one in given if storage_id(one.untyped_storage()) == address]
        whole = [(INPUT, place) for place, one in given if (INPUT, place) in sharing and _look(one) == look]
        if storage_id(made.untyped_storage()) == address:
            (whole if _look(made) == look else sharing).append((OUTPUT, 0))
        for whose, place in (*whole, *sharing):
            return whose, place, 0
    except Exception:  # sparse: no storage to compare
        return OWN, 0, 0
    return OWN, 0, held.numel() * held.element_size()


def _look(tensor: torch.Tensor) -> tuple[Any, ...]:
    """How a tensor looks into its storage."""
    return tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _places(args: Any) -> int:
    """How many places the arguments take in `Op.inputs`."""
    return sum(_places(one) if _is_nested(one) else 1 for one in args)


def _is_nested(argument: Any) -> bool:
    return (
        isinstance(argument, list | tuple)
        and bool(argument)
        and isinstance(argument[0], torch.Tensor | list | tuple)
    )  # fmt: skip


def _tensors(args: Any, place: int = 0) -> Iterator[tuple[int, torch.Tensor]]:
    """The tensors among the arguments with their places in `Op.inputs`."""
    for argument in args:
        if _is_nested(argument):
            yield from _tensors(argument, place)
            place += _places(argument)
            continue
        if isinstance(argument, torch.Tensor):
            yield place, argument
        place += 1


def _named(kwargs: dict[str, Any], place: int) -> Iterator[tuple[int, torch.Tensor]]:
    """The same of those given by name: what is no tensor has no place there."""
    for argument in kwargs.values():
        if isinstance(argument, torch.Tensor):
            yield place, argument
            place += 1
        elif _is_nested(argument):
            yield from _tensors(argument, place)
            place += _places(argument)
