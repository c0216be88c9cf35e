"""Text for tensors: their names, and their values shortened to the cells at hand."""

from __future__ import annotations

import math
from collections.abc import Callable

from tutor.explain.expressions import old_name
from tutor.explain.formatting import is_rebound
from tutor.trace import values
from tutor.trace.names import lasting_name, names_by_tensor
from tutor.trace.state import State, TensorState
from tutor.trace.values import Value


class TensorNames:
    """The learner's names of tensors at a step."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._names = names_by_tensor(state)

    def __call__(self, tensor: int | None) -> str:
        """Return the name of a tensor; empty if it has none."""
        if tensor is None:
            return ""
        name = self._names.get(tensor)
        if name is None and tensor in self.state.tensors:
            record = self.state.tensors[tensor]
            name = lasting_name(self.state, record)
            if name is not None and record.is_leaf and is_rebound(self.state, tensor):
                return old_name(name)  # not to be confused with the tensor that now has this name
        return name or ""


def value_text(value: Value, dtype: str, width: int) -> str:
    """Return a value for the graph: single numbers with four decimals, so that columns line up."""
    flat = values.elements(value)
    if flat is not None and len(flat) == 1 and isinstance(flat[0], float):
        number = flat[0]
        if number == 0 or (math.isfinite(number) and 1e-3 <= abs(number) < 1e5):
            return values.number(number, ".4f")
    return shortened_value(value, dtype, width)


class ValueTexts:
    """Cache of values as text: most values stay the same from step to step."""

    def __init__(self, make: Callable[[Value, str, int], str], width: int) -> None:
        self._make = make
        self._width = width
        self._cache: dict[int, tuple[Value, str]] = {}

    def __call__(self, value: Value, dtype: str) -> str:
        """Return the text of a value."""
        # The value is held together with its text, so that its id stays its own.
        entry = self._cache.get(id(value))
        if entry is None:
            if len(self._cache) > _CACHE_SIZE:
                self._cache.clear()
            entry = self._cache[id(value)] = value, self._make(value, dtype, self._width)
        return entry[1]


_CACHE_SIZE = 5_000


def shortened_value(value: Value, dtype: str, width: int) -> str:
    """Return a value in about `width` cells: the mean of a large tensor, the first number of a list."""
    text = values.short(value, dtype, 60)
    if len(text) <= width:
        return text
    _, mean, number = text.partition("mean ")
    flat = [] if dtype.startswith("complex") else list(values.elements(value) or ())
    if flat and not mean and math.prod(values.shape_of(value)[:-1]) > 1:  # several rows
        text = values.short(value, dtype, width)
        if not text.endswith("…"):
            return text
        mean, number = "mean ", values.number(sum(flat) / len(flat))
    if mean:
        choices = [mean + number, f"{mean}{_rounded(number)}", "x".join(map(str, values.shape_of(value)))]
    else:
        first = next(iter(flat), None)
        choices = [values.short(value, dtype, width)]
        if len(flat) == 1 and isinstance(first, float):
            choices = [_rounded(str(first)), f"{first:.0e}"]  # never cut off the exponent
        if choices[0].lstrip("[").startswith("…") and isinstance(first, float):
            choices = [f"[{_rounded(str(first))} …]"]
    return next((choice for choice in choices if len(choice) <= width), choices[-1])


def _rounded(number: str) -> str:
    """Return a number with two or three significant digits."""
    try:
        return values.number(float(f"{float(number):.2g}"))
    except ValueError:
        return number


def term_text(value: Value, dtype: str, width: int = 12) -> str:
    """Return a value as a term of a sum: `2`, `0.125`."""
    text = values.short(value, dtype, width)
    return text[:-1] if text.endswith(".") else text


def grad_of(state: State, tensor: TensorState) -> TensorState | None:
    """Return the tensor in the `.grad` of another, or None."""
    return None if tensor.grad is None else state.tensors.get(tensor.grad)
