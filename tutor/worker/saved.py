"""Finds out what an autograd node saves for its backward.

Reading a node's `_saved_*` costs time and, under saved-tensor hooks, runs code of the learner's. What a node saves is
the same at each visit of a place, so it is read once there, and then known in terms of the operation's own tensors.
"""

from __future__ import annotations

from typing import Any

import torch

INPUT, OUTPUT, OWN = range(3)
_PythonNode: Any = torch._C._FunctionBase


def kept_by(tensor: torch.Tensor, args: Any) -> list[tuple[str, int, int, int]]:
    """What the node that made `tensor` saves, where `args` were the operation's arguments. Function modes are off.

    For each saved tensor: its name, whose it is (`INPUT`, `OUTPUT`, `OWN`), which of them, and the bytes of an own.
    """
    node = tensor.grad_fn
    if isinstance(node, _PythonNode) or torch._C._autograd._top_saved_tensors_default_hooks(True) is not None:
        return []
    given = list(_tensors(args))
    kept: list[tuple[str, int, int, int]] = []
    for name in dir(type(node)):
        if not name.startswith("_raw_saved_"):
            continue
        try:
            held = getattr(node, "_saved_" + name[11:])
        except Exception:  # freed already, or not to be read from Python
            continue
        for one in held if isinstance(held, list | tuple) else (held,):
            if isinstance(one, torch.Tensor):
                kept.append((name[11:], *_whose(one, given, tensor)))
    return kept


def _whose(held: torch.Tensor, given: list[tuple[int, torch.Tensor]], made: torch.Tensor) -> tuple[int, int, int]:
    try:
        address = held.untyped_storage()._cdata
        for place, tensor in given:
            if tensor.untyped_storage()._cdata == address:
                return INPUT, place, 0
        if made.untyped_storage()._cdata == address:
            return OUTPUT, 0, 0
    except Exception:  # sparse: no storage to compare
        return OWN, 0, 0
    return OWN, 0, held.numel() * held.element_size()


def _tensors(args: Any) -> Any:
    """The tensors among the arguments with their places in `Op.inputs`."""
    place = 0
    waiting = list(args)
    while waiting:
        argument = waiting.pop(0)
        if isinstance(argument, torch.Tensor):
            yield place, argument
        elif isinstance(argument, list | tuple) and argument and isinstance(argument[0], torch.Tensor | list | tuple):
            waiting = [*argument, *waiting]
            continue
        place += 1
