"""What the panes read off a state: names, gradients that pass by, meanings."""

from __future__ import annotations

import math
from collections.abc import Callable

from tutor.explain.expressions import look_up, old_name
from tutor.explain.formatting import is_rebound
from tutor.trace import values
from tutor.trace.names import lasting_name, names_by_tensor
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.wire_types import Value


class Namer:
    """The learner's names of tensors at one point, for many tensors at once."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._names = names_by_tensor(state)

    def __call__(self, tensor: int | None) -> str:
        """The name of a tensor; empty where it has none."""
        if tensor is None:
            return ""
        name = self._names.get(tensor)
        if name is None and tensor in self.state.tensors:
            held = self.state.tensors[tensor]
            name = lasting_name(self.state, held)
            if name is not None and held.is_leaf and is_rebound(self.state, tensor):
                return old_name(
                    name
                )  # or one takes it for the tensor that has the name now, and wonders at its `.grad`
        return name or ""


class Flow:
    """The gradients that went through the graph in the pass on show, for many nodes at once."""

    def __init__(self, state: State) -> None:
        self._shares: dict[int, list[Value]] = {}
        self._pass = 0
        self._ran: list[int] = []
        self.state = state
        self._gather(state)

    def then(self, state: State) -> Flow:
        """The same at another point: further on in the same pass only what is new is gathered."""
        last, before = state.last_pass, len(self._ran)
        if last is None or last.number != self._pass or last.ran[:before] != self._ran:
            return Flow(state)
        if not (state.showing_pass and self.state.showing_pass):  # the nodes have no gradients any more
            return Flow(state)
        if not set(last.ran[before:]).isdisjoint(self._ran):  # a node that ran once more
            return Flow(state)
        self.state = state
        self._gather(state)
        return self

    def _gather(self, state: State) -> None:
        last = state.last_pass
        if last is None:
            return
        for number in dict.fromkeys(last.ran[len(self._ran) :]):
            consumer = state.nodes.get(number)
            if consumer is None or consumer.grad_inputs is None:
                continue
            for source, value in zip(consumer.inputs, consumer.grad_inputs, strict=False):
                if source is not None and value is not None:
                    self._shares.setdefault(source[0], []).append(value)
        self._pass, self._ran = last.number, last.ran

    def reached(self, node: NodeState) -> tuple[Value, list[Value]]:
        """The gradient that reached a node, and the shares that it is the sum of.

        Before the node has run the shares are what arrived so far; a single one is the gradient.
        """
        shares = self._shares.get(node.node, [])
        if node.grad_outputs:
            return node.grad_outputs[0], shares
        return (shares[0], shares) if len(shares) == 1 else (None, shares)

    def passing(self, tensor: TensorState) -> Value:
        """The gradient that passes through a tensor that does not keep it; None where none did."""
        node = None if tensor.node is None or tensor.is_leaf else self.state.nodes.get(tensor.node)
        if node is None or node.node not in self.state.shown:
            return None
        if node.tensor is not None and node.tensor != tensor.tensor:
            return None
        return self.reached(node)[0]


def figure(value: Value, dtype: str, width: int) -> str:
    """A value for the graph: single numbers with four decimals, so that they stand under each other."""
    flat = values.elements(value)
    if flat is not None and len(flat) == 1 and isinstance(flat[0], float):
        number = flat[0]
        if number == 0 or (math.isfinite(number) and 1e-3 <= abs(number) < 1e5):
            return values.number(number, ".4f")
    return squeezed(value, dtype, width)


class Texts:
    """Values as text, each made once: from step to step most of them stay."""

    def __init__(self, make: Callable[[Value, str, int], str], width: int) -> None:
        self._make = make
        self._width = width
        self._known: dict[int, tuple[Value, str]] = {}

    def __call__(self, value: Value, dtype: str) -> str:
        """The text of a value; the value is kept, so that no other can take its place in memory."""
        known = self._known.get(id(value))
        if known is None:
            if len(self._known) > _KEPT:
                self._known.clear()
            known = self._known[id(value)] = value, self._make(value, dtype, self._width)
        return known[1]


_KEPT = 5_000


def squeezed(value: Value, dtype: str, width: int) -> str:
    """A value where there is little room: of a large one its mean, of a list its first number."""
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
            choices = [_rounded(str(first)), f"{first:.0e}"]  # what is cut off must not be the exponent
        if choices[0].lstrip("[").startswith("…") and isinstance(first, float):
            choices = [f"[{_rounded(str(first))} …]"]
    return next((choice for choice in choices if len(choice) <= width), choices[-1])


def _rounded(number: str) -> str:
    """With two or three digits."""
    try:
        return values.number(float(f"{float(number):.2g}"))
    except ValueError:
        return number


def brief(value: Value, dtype: str, width: int = 12) -> str:
    """A value as a term of a sum: `2`, `0.125`."""
    text = values.short(value, dtype, width)
    return text[:-1] if text.endswith(".") else text


def grad_of(state: State, tensor: TensorState) -> TensorState | None:
    """The tensor in the `.grad` of another."""
    return None if tensor.grad is None else state.tensors.get(tensor.grad)


def role_of(state: State, text: str) -> str:
    """What a piece of code in prose means: a leaf, a value, a gradient; empty for anything else."""
    name = text.strip().removesuffix(".item()")
    if name.endswith(".grad"):
        return "grad"
    tensor, _ = look_up(state, name)
    if tensor is None:
        return ""
    return "leaf" if tensor.is_leaf and tensor.requires_grad else "value"
