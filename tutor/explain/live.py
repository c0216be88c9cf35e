"""What a simple expression of the learner's is worth at a point: `w.grad.item()` in prose, `w` in a question."""

from __future__ import annotations

import re
from typing import Any

from tutor.trace.names import names_of
from tutor.trace.state import State, TensorState
from tutor.trace.values import number, short

_SIMPLE = re.compile(
    r"(?P<name>.+?)(?P<grad>\.grad)?"
    r"(?P<last>\.(?:item\(\)|tolist\(\)|shape|dtype|device|requires_grad|is_leaf|data))?"
)
_WIDTH = 60


def live(state: State, expression: str) -> str | None:
    """The expression's value; None where it has none here, or is not simple."""
    match = _SIMPLE.fullmatch(expression.strip())
    if match is None:
        return None
    tensor, plain = find(state, match["name"])
    if tensor is None:
        if plain is None or match["grad"] or match["last"]:
            return None
        return number(plain, whole="")
    if match["grad"]:
        tensor = None if tensor.grad is None else state.tensors.get(tensor.grad)
        if tensor is None:
            return None if match["last"] else "None"
    return _part(tensor, (match["last"] or "").lstrip("."))


def _part(tensor: TensorState, part: str) -> str:
    said = {
        "shape": str(list(tensor.shape)),
        "dtype": f"torch.{tensor.dtype}",
        "device": tensor.device,
        "requires_grad": str(tensor.requires_grad),
        "is_leaf": str(tensor.is_leaf),
    }.get(part)
    if said is not None:
        return said
    return short(tensor.value, tensor.dtype, _WIDTH).removesuffix(".")


def find(state: State, name: str) -> tuple[TensorState | None, Any]:
    """What a name means in the innermost frame, or in the module: a tensor, or a plain value."""
    for frame in (state.frames[-1], state.frames[0]) if state.frames else ():
        tensor = names_of(state, frame).get(name)
        if tensor is not None:
            return state.tensors[tensor], None
        binding = frame.names.get(name)
        if binding is not None and binding.what == "value":
            return None, binding.value
    return None, None
