"""Values of a recording in JSON, where the recording does not say their dtype."""

from __future__ import annotations

from math import prod
from typing import Any

from tutor.trace.state import State
from tutor.trace.values import elements, shape_of, to_json
from tutor.trace.wire_types import Value


def gradient(value: Value, dtype: str | None = None) -> Any:
    """A gradient as a nested list. Raw bytes with two numbers for each element are complex."""
    if dtype is None:
        blob = isinstance(value, dict) and "data" in value
        pairs = blob and len(elements(value) or ()) == 2 * prod(shape_of(value)) > 0
        dtype = "complex64" if pairs else "float32"
    return to_json(value, dtype)


def dtype_of(state: State, tensor: int | None) -> str | None:
    """The dtype of a tensor, as long as it is there."""
    held = None if tensor is None else state.tensors.get(tensor)
    return None if held is None else held.dtype
