"""Write operands, shapes and fixes in the words of an explanation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod

from tutor.explain import formatting
from tutor.explain.mistakes.context import FailureContext, Operand, Shape, parenthesize
from tutor.explain.rules.arrays import broadcast_shape
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _

_MAX_SOURCE_LENGTH = 50
"""Maximum characters of code that stand for a tensor in a sentence."""
_MAX_LISTED = 4
"""Maximum tensors named in a sentence."""
_CASTS = {
    "float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat16", "int64": "long",
    "bool": "bool", "int32": "int",
}  # fmt: skip


def describe_shape(operand: Operand) -> str:
    """Return `x (shape [2, 3])`; a long expression by its shape alone."""
    if len(operand.source) > _MAX_SOURCE_LENGTH:
        return _("shape {shape}", shape=shape_text(operand.tensor.shape))
    return _("{name} (shape {shape})", name=operand.source, shape=shape_text(operand.tensor.shape))


def list_shapes(operands: Sequence[Operand]) -> str:
    """Return `a (shape [2, 3]) and b (shape [4])`."""
    words = [describe_shape(operand) for operand in operands[:_MAX_LISTED]]
    return formatting.joined([*words[:-1], "…"] if len(operands) > _MAX_LISTED else words)


def describe_input(operand: Operand | None, shape: Shape) -> str:
    """Return `x has shape [2, 3]`, or that of an input without a name."""
    if operand is None or len(operand.source) > _MAX_SOURCE_LENGTH:
        return _("its input has shape {shape}", shape=shape_text(shape if operand is None else operand.tensor.shape))
    return _("{name} has shape {shape}", name=operand.source, shape=shape_text(operand.tensor.shape))


def describe_dtype(context: FailureContext, operand: Operand) -> str:
    """Return `labels is int64 (`torch.tensor([0, 1])` on line 3)`, with the origin's name where that is another."""
    values = {"name": operand.source, "dtype": operand.tensor.dtype}
    origin = context.origin(operand.tensor)
    if origin is None:
        return _("{name} is {dtype}", **values)
    if origin.name is not None and origin.name != operand.source and origin.name not in operand.source:
        return _("{name} is {dtype}, as is {source}, made by {place}", source=origin.name, place=origin.place, **values)
    return _("{name} is {dtype}, made by {place}", place=origin.place, **values)


def format_cast(source: str, dtype: str) -> str:
    """Return the code that casts an expression: `labels.float()`, `(a + b).float()`."""
    method = f"{_CASTS[dtype]}()" if dtype in _CASTS else f"to(torch.{dtype})"
    return f"{parenthesize(source)}.{method}"


def format_transpose(operand: Operand) -> str:
    """Return `x.T`, or `x.transpose(1, 2)` for a tensor with other than two dimensions."""
    source, ndim = parenthesize(operand.source), len(operand.tensor.shape)
    return f"{source}.T" if ndim == 2 else f"{source}.transpose({ndim - 2}, {ndim - 1})"


def format_flatten(operand: Operand, start: int = 1) -> tuple[str, Shape]:
    """Return `x.flatten(1)` and its shape."""
    shape = operand.tensor.shape
    return f"{parenthesize(operand.source)}.flatten({start})", (*shape[:start], prod(shape[start:]))


def parse_sizes(text: str) -> Shape:
    """Return the integers in a part of a message: `4, 3, -1`, `3 x 3`."""
    return tuple(int(size) for size in re.findall(r"-?\d+", text))


def broadcast_shapes(first: Shape, second: Shape) -> Shape | None:
    """Return the shape that two shapes broadcast to; None if they are incompatible."""
    try:
        return broadcast_shape(first, second)
    except ValueError:
        return None
