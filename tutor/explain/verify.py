"""Verify derivative rules against recorded gradients: a rule is shown only where it gives what autograd sent.

Also whether recorded parts add up to a recorded whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from tutor.explain.composites import Composite
from tutor.explain.provenance import UNKNOWN, WRITES, RecordedOp, as_grid, inner_tensor
from tutor.explain.rules.arrays import (
    MOST_WORK,
    Grid,
    Shape,
    allclose,
    coarser_dtype,
    count,
    is_close,
    unravel_index,
)
from tutor.explain.rules.registry import Explanation, NodeView, Share, apply_rule
from tutor.trace.events import Node
from tutor.trace.state import NodeState, State
from tutor.trace.values import Value, elements, shape_of

_SUM_TOLERANCE = {"float64": 1e-10, "complex128": 1e-10, "float16": 4e-3, "bfloat16": 3e-2}


def adds_up(parts: Sequence[Value], whole: Value, dtype: str) -> bool | None:
    """Return whether the parts add up to the whole, up to rounding; None where their values were not recorded."""
    total = elements(whole)
    rows = [elements(part) for part in parts]
    if total is None or not rows or any(row is None for row in rows):
        return None
    numbers = [row for row in rows if row is not None]
    if any(len(row) != len(total) for row in numbers):
        return False
    largest = max((abs(x) for row in (*numbers, total) for x in row if math.isfinite(x)), default=0.0)
    tolerance = _SUM_TOLERANCE.get(dtype, 1e-5) * largest
    return all(
        is_close(sum(column), float(expected), tolerance)
        for column, expected in zip(zip(*numbers, strict=True), total, strict=True)
    )


class VerifiedGrad(msgspec.Struct, frozen=True):
    """A share of the gradient that the rule gives and autograd sent."""

    share: Share
    sent: Grid
    place: int = 0
    """Index of the node's input."""


def incoming_gradient(event: Node, made: RecordedOp, is_part: bool) -> Grid | None:
    """Return the gradient that reached a node; None where its values are not known.

    Args:
        event: The run of the node.
        made: The operation that made the node.
        is_part: Whether the node is inside a composite operation.

    Returns:
        The gradient; of several results, all of them flattened and concatenated, with zeros where there is none.
    """
    if has_single_gradient(event, made):
        value = event.grad_outputs[0]
        return as_grid(value, shape_of(value) if is_part else made.result.shape, made.dtype)
    flat: list[float] = []
    parts = [result.shape for result in made.results]
    if is_part or len(event.grad_outputs) > len(parts):  # where there is none, it is taken to be of the same shape
        shapes = [None if value is None else shape_of(value) for value in event.grad_outputs]
        usual = next((shape for shape in shapes if shape is not None), ())
        parts = [usual if shape is None else shape for shape in shapes]
    for value, shape in zip(event.grad_outputs, parts, strict=False):
        part = Grid.full(shape, 0.0) if value is None else as_grid(value, shape, made.dtype)
        if part is None:
            return None
        flat.extend(part.flat)
    return Grid((len(flat),), tuple(flat))


def has_single_gradient(event: Node, made: RecordedOp) -> bool:
    """Return whether the gradient is of one result alone, the only one that the operation gave to the learner; a node
    may have more."""
    return len(event.grad_outputs) == 1 or (
        len(made.results) == 1 and all(value is None for value in event.grad_outputs[1:])
    )


def verify_rule(
    state: State, node: NodeState, event: Node, made: RecordedOp, arrived: Grid
) -> tuple[str | None, list[VerifiedGrad]]:
    """Return the equation of the node's rule and its verified shares; None and no shares where it has none, or it does
    not agree with what autograd sent."""
    explanation = apply_rule(make_node_view(state, node, event, made, arrived))
    agreed = [] if explanation is None else _verify_shares(state, node, event, made, arrived, explanation)
    if explanation is None or not agreed:
        return None, []
    inner_name = inner_tensor((made.code or "").partition("(")[0])
    return _name_unknown(explanation.equation, inner_name), [
        replace(claim, share=replace(claim.share, formula=_name_unknown(claim.share.formula, inner_name)))
        if UNKNOWN in claim.share.formula
        else claim
        for claim in agreed
    ]


def _name_unknown(text: str, inner_name: str) -> str:
    """Put a name in the place of the unknown operand."""
    if UNKNOWN not in text:
        return text
    return inner_name if text == UNKNOWN else re.sub(r"(?<![^\s(\[·])\?(?![^\s)\]·,²ᵀ])", inner_name, text)


def is_inner(state: State, node: NodeState, made: RecordedOp) -> bool:
    """Return whether a node is inside a composite: its result, or one of its inputs, is not the operation's."""
    if node.node != made.node:
        return True
    if node.name in WRITES or (made.op == "view" and made.places is not None):
        return False
    return any(source is not None and _is_hidden(state, source[0]) for source in node.inputs)


def _is_hidden(state: State, number: int) -> bool:
    node = state.nodes.get(number)
    return node is not None and node.tensor is None and node.sequence >= 0 and node.name != "CopySlices"


def make_node_view(state: State, node: NodeState, event: Node, made: RecordedOp, arrived: Grid) -> NodeView:
    """Return what the rule sees of a node."""
    common: dict[str, Any] = {
        "incoming": arrived, "whole": made.operands, "dtype": made.dtype, "places": made.places,
        "attributes": node.attributes, "arguments": made.arguments,
        "saved": {name: tensor for name, tensor, *_rest in node.kept},
    }  # fmt: skip
    if not is_inner(state, node, made):
        return NodeView(node.name, made.op, made.operands, made.result, results=made.results, **common)
    inside = Composite(state, made)
    shapes = [None if value is None else shape_of(value) for value in event.grad_inputs]
    operands = inside.operands(node, shapes, arrived.shape)
    result = made.result if node.node == made.node else inside.result(node, 0, arrived.shape)
    return NodeView(node.name, made.op, operands, result, inner=True, **common)


def _verify_shares(
    state: State, node: NodeState, event: Node, made: RecordedOp, arrived: Grid, explanation: Explanation
) -> list[VerifiedGrad]:
    """Return the shares of an explanation if all of them agree with what autograd sent, else none."""
    verified = []
    for place, value in enumerate(event.grad_inputs):
        if value is None:
            continue
        share = explanation.shares[place] if place < len(explanation.shares) else None
        if share is None or not _leads_to(state, node, place, share.target.tensor, made):
            return []
        tensor = state.tensors.get(share.target.tensor or 0)
        dtype = made.dtype if tensor is None else coarser_dtype(made.dtype, tensor.dtype)
        sent = as_grid(value, share.target.shape, made.dtype)
        if sent is None or not _share_agrees(share, arrived, sent, dtype):
            return []
        verified.append(VerifiedGrad(share, sent, place))
    return verified


def _share_agrees(share: Share, arrived: Grid, sent: Grid, dtype: str) -> bool:
    """Return whether a share gives what autograd sent, up to rounding: in proportion to what arrived, or to the largest
    number that went into the element that differs most."""
    try:
        expected = share.vjp(arrived)
        scale = max(map(abs, arrived.flat), default=0.0)
        if allclose(expected, sent, dtype, scale if math.isfinite(scale) else 0.0):
            return True
        differences = [abs(x - y) for x, y in zip(expected.flat, sent.flat, strict=True)]
        worst = max(range(len(differences)), key=differences.__getitem__)
        terms = find_terms(share, arrived, worst, absolute=True)
        scale = max((abs(x * derivative) for x, derivative in terms), default=0.0)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return False
    return math.isfinite(scale) and allclose(expected, sent, dtype, scale)


def _leads_to(state: State, node: NodeState, place: int, tensor: int | None, made: RecordedOp) -> bool:
    """Return whether an input of the node is this tensor: its own node, or the leaf's AccumulateGrad; None stands for
    what is inside the operation."""
    source = node.inputs[place] if place < len(node.inputs) else None
    if source is None:
        return True
    source_node = state.nodes.get(source[0])
    if tensor is None:
        results = [result.tensor for result in made.results]
        return _is_hidden(state, source[0]) or (source_node is not None and source_node.tensor in results)
    tensor_state = state.tensors.get(tensor)
    if source_node is not None and source_node.tensor is None and source_node.name == "CopySlices":
        return True  # of a tensor that was written to through a view; it has another node by now
    return (
        source_node is None
        or source_node.tensor == tensor
        or (tensor_state is not None and tensor_state.node == source[0])
    )


class Element(msgspec.Struct, frozen=True):
    """How one element of a gradient is computed."""

    index: tuple[int, ...]
    terms: Sequence[tuple[float, float]]
    """Pairs of incoming gradient and derivative, to be multiplied and added up; empty: no gradient reaches the
    element."""
    sent: float


def work_out_element(claim: VerifiedGrad, arrived: Grid, chosen: int | None = None) -> Element | None:
    """Work out one element of a gradient.

    Args:
        claim: The gradient.
        arrived: The incoming gradient.
        chosen: Flat index; by default the first element that is nan or inf, else the first that is not zero.

    Returns:
        The element; None where the gradient is empty, or the rule has no terms.
    """
    share, sent = claim.share, claim.sent
    if not sent.flat:
        return None
    if chosen is None:
        nonfinite = (at for at, x in enumerate(sent.flat) if not math.isfinite(x))
        chosen = next(nonfinite, next((at for at, x in enumerate(sent.flat) if x != 0), 0))
    try:
        terms = find_terms(share, arrived, chosen)
    except (ArithmeticError, LookupError, TypeError):
        return None
    return Element(unravel_index(chosen, sent.shape), terms, sent.flat[chosen])


_Tape = list[Sequence[tuple[int, float]]]


class _Sum:
    """A weighted sum of elements of the incoming gradient, in the place of a number.

    The tape has, for each sum that was formed, the earlier ones that it was formed of, each with its factor.
    """

    __slots__ = ("_tape", "place")

    def __init__(self, tape: _Tape, *parts: tuple[int, float]) -> None:
        if len(tape) > 2 * MOST_WORK:
            raise LookupError("too large to work out again")
        self._tape, self.place = tape, len(tape)
        tape.append(parts)

    def __add__(self, other: _Sum | float) -> _Sum:
        if isinstance(other, _Sum):
            return _Sum(self._tape, (self.place, 1.0), (other.place, 1.0))
        return self if other == 0 else NotImplemented

    __radd__ = __add__

    def __mul__(self, factor: float) -> _Sum:
        return NotImplemented if isinstance(factor, _Sum) else _Sum(self._tape, (self.place, factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> _Sum:
        return self * (1 / divisor)

    def __neg__(self) -> _Sum:
        return self * -1.0

    def __sub__(self, other: _Sum | float) -> _Sum:
        return self + -other

    def __rsub__(self, other: float) -> _Sum:
        return -self + other


def find_terms(share: Share, arrived: Grid, element: int, *, absolute: bool = False) -> list[tuple[float, float]]:
    """Find the terms of one element of a gradient.

    Where the rule lists the elements of the Jacobian, reads them there; else runs the vector-Jacobian product on
    weighted sums in the place of numbers, and goes back from the element to what it is a sum of.

    Args:
        share: The gradient.
        arrived: The incoming gradient.
        element: Flat index of the element.
        absolute: Whether to add up absolute values, so that nothing cancels out: rounding is in proportion to them.

    Returns:
        Pairs of an element of the incoming gradient and its derivative.

    Raises:
        LookupError: It is too much work.
    """
    factors: dict[int, float] = {}
    if share.entries is not None:
        for place, target, derivative in share.entries:
            if target == element:
                factors[place] = factors.get(place, 0.0) + (abs(derivative) if absolute else derivative)
    else:
        tape, sums = _weighted_sums(share, arrived.shape)
        result = sums[element]
        if not isinstance(result, _Sum):
            return []
        factors[result.place] = 1.0
        for place in range(result.place, len(arrived.flat) - 1, -1):
            for part, factor in tape[place] if place in factors else ():
                factors[part] = factors.get(part, 0.0) + factors[place] * (abs(factor) if absolute else factor)
    return [(x, factors[place]) for place, x in enumerate(arrived.flat) if place in factors]


@lru_cache(maxsize=4)
def _weighted_sums(share: Share, arrived: Shape) -> tuple[_Tape, Sequence[object]]:
    """Run the vector-Jacobian product of a share on an incoming gradient, of the shape `arrived`, of weighted sums.

    Returns:
        The tape, which begins with the elements of the incoming gradient, and the elements of the result.

    Raises:
        LookupError: It is too much work.
    """
    tape: _Tape = []
    variables = tuple(_Sum(tape) for _ in range(count(arrived)))
    return tape, share.vjp(Grid(arrived, cast("tuple[float, ...]", variables))).flat


def too_large(event: Node, made: RecordedOp) -> bool:
    """Return whether some of the values were too many to be recorded."""
    values = [value for value in (*event.grad_outputs, *event.grad_inputs) if value is not None]
    if any(isinstance(value, dict) and "data" not in value for value in values):
        return True
    return any(operand.grid is None and count(operand.shape) > 1 for operand in (*made.operands, *made.results))
