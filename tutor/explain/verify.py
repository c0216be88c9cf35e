"""Whether recorded parts add up to a recorded whole: a sum is written out only where it holds.

A rule on trial: evaluated on the recorded values, and believed where it gives what the engine really sent."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tutor.explain.provenance import UNKNOWN, WRITES, RecordedOp, as_grid, inner_tensor, result_of
from tutor.explain.rules.arrays import Grid, Shape, agree, coarser, count, places_of
from tutor.explain.rules.registry import RULES, Explanation, Local, NodeView, Operand, Product
from tutor.trace.events import Node
from tutor.trace.state import NodeState, State
from tutor.trace.values import elements, shape_of
from tutor.trace.wire_types import Value

_ROOM = {"float64": 1e-10, "complex128": 1e-10, "float16": 4e-3, "bfloat16": 3e-2}


def adds_up(parts: Sequence[Value], whole: Value, dtype: str) -> bool | None:
    """Whether the parts are the whole, but for rounding; None where their numbers were not recorded."""
    total = elements(whole)
    rows = [elements(part) for part in parts]
    if total is None or not rows or any(row is None for row in rows):
        return None
    numbers = [row for row in rows if row is not None]
    if any(len(row) != len(total) for row in numbers):
        return False
    largest = max((abs(x) for row in (*numbers, total) for x in row if math.isfinite(x)), default=0.0)
    room = _ROOM.get(dtype, 1e-5) * largest
    return all(
        _same(sum(column), float(wanted), room)
        for column, wanted in zip(zip(*numbers, strict=True), total, strict=True)
    )


def _same(ours: float, theirs: float, room: float) -> bool:
    if math.isnan(ours) or math.isnan(theirs):
        return math.isnan(ours) and math.isnan(theirs)
    return ours == theirs or abs(ours - theirs) <= room


@dataclass(frozen=True)
class VerifiedGrad:
    """A share of the gradient that the rule gives and the engine sent."""

    share: Local | Product
    sent: Grid
    place: int = 0
    """Which input of the node."""


def arrival(event: Node, made: RecordedOp, inner: bool) -> Grid | None:
    """What reached a node, in numbers; of several results all in one row, with zeros where nothing came."""
    if single_arrival(event, made):
        value = event.grad_outputs[0]
        return as_grid(value, shape_of(value) if inner else made.result.shape, made.dtype)
    if inner or len(event.grad_outputs) > len(made.results):
        return None
    flat: list[float] = []
    for value, result in zip(event.grad_outputs, made.results, strict=False):
        part = Grid.full(result.shape, 0.0) if value is None else as_grid(value, result.shape, made.dtype)
        if part is None:
            return None
        flat.extend(part.flat)
    return Grid((len(flat),), tuple(flat))


def single_arrival(event: Node, made: RecordedOp) -> bool:
    """Whether only what the operation gave to the learner has a gradient; a node may have other results of its own."""
    return len(event.grad_outputs) == 1 or (
        len(made.results) == 1 and all(value is None for value in event.grad_outputs[1:])
    )


def claims(
    state: State, node: NodeState, event: Node, made: RecordedOp, arrived: Grid
) -> tuple[str | None, list[VerifiedGrad]]:
    """The rule's equation and shares, where each agrees with what the engine sent; nothing where two rules do."""
    found: dict[tuple[str, ...], tuple[str, list[VerifiedGrad]]] = {}
    for explanation in _explanations(view_of(state, node, event, made, arrived)):
        agreed = _agreed(state, node, event, made, arrived, explanation)
        if agreed:
            found.setdefault(tuple(claim.share.formula for claim in agreed), (explanation.equation, agreed))
    if len(found) != 1:
        return None, []
    equation, agreed = next(iter(found.values()))
    inner = inner_tensor((made.code or "").partition("(")[0])
    shares = [replace(claim.share, formula=_called(claim.share.formula, inner)) for claim in agreed]
    return _called(equation, inner), [replace(claim, share=share) for claim, share in zip(agreed, shares, strict=True)]


def _called(text: str, inner: str) -> str:
    """A formula with a name for the operand that nothing is known of."""
    return inner if text == UNKNOWN else re.sub(r"(?<![^\s(\[·])\?(?![^\s)\]·,²ᵀ])", inner, text)


def is_inner(state: State, node: NodeState, made: RecordedOp) -> bool:
    """Whether a node is a part of what a composite did: its own result, or what it was computed from, is not the
    operation's."""
    if node.node != made.node:
        return True
    if made.spots or node.name in WRITES:
        return False
    return any(source is not None and _is_hidden(state, source[0]) for source in node.inputs)


def _is_hidden(state: State, number: int) -> bool:
    node = state.nodes.get(number)
    return node is not None and node.tensor is None and node.sequence >= 0 and node.name != "CopySlices"


def view_of(state: State, node: NodeState, event: Node, made: RecordedOp, arrived: Grid) -> NodeView:
    """What the rule sees."""
    inner = is_inner(state, node, made)
    if not inner:
        return NodeView(
            node.name, made.op, made.operands, made.result, arrived, made.operands, made.results, False, made.dtype,
            made.spots, made.index,
        )  # fmt: skip
    operands = [
        _inner_operand(state, source, value, made)
        for source, value in zip(node.inputs, event.grad_inputs, strict=False)
    ]
    own = node.node == made.node
    result = made.result if own else Operand("", arrived.shape, None)
    return NodeView(
        node.name, made.op, operands, result, arrived, made.operands, (), True, made.dtype, made.spots, made.index
    )


def _inner_operand(state: State, source: tuple[int, int] | None, value: Value, made: RecordedOp) -> Operand:
    """What a node inside a composite was computed from: an operand of the composite's, or what another node made."""
    feeding = None if source is None else state.nodes.get(source[0])
    shape: Shape = () if value is None else shape_of(value)
    if feeding is None:
        return Operand(UNKNOWN, shape, None)
    for operand in made.operands:
        held = state.tensors.get(operand.tensor or 0)
        if operand.tensor is not None and (
            feeding.tensor == operand.tensor or (held is not None and source is not None and held.node == source[0])
        ):
            return operand
    return Operand(result_of(feeding.name), shape, None)


def _explanations(view: NodeView) -> list[Explanation]:
    rule = RULES.get(view.node)
    found: list[Explanation] = []
    try:
        said = None if rule is None else rule(view)
        if isinstance(said, Explanation):
            return [said]
        for one in said or ():
            found.append(one)
    except (LookupError, ArithmeticError, ValueError, TypeError):
        return []  # numbers that are not there, or that Python will not divide: then nothing is claimed
    return found


def _agreed(
    state: State, node: NodeState, event: Node, made: RecordedOp, arrived: Grid, explanation: Explanation
) -> list[VerifiedGrad]:
    agreed = []
    for place, value in enumerate(event.grad_inputs):
        if value is None:
            continue
        share = explanation.shares[place] if place < len(explanation.shares) else None
        if share is None or not _leads_to(state, node, place, share.target.tensor):
            return []
        held = state.tensors.get(share.target.tensor or 0)
        dtype = made.dtype if held is None else coarser(made.dtype, held.dtype)
        sent = as_grid(value, share.target.shape, made.dtype)
        if sent is None or not _agrees(share, arrived, sent, dtype):
            return []
        agreed.append(VerifiedGrad(share, sent, place))
    return agreed


def _agrees(share: Local | Product, arrived: Grid, sent: Grid, dtype: str) -> bool:
    try:
        ours = share.grid if isinstance(share, Product) else (arrived * share.grid).sum_to(share.target.shape)
    except (ArithmeticError, ValueError):
        return False
    scale = max([share.scale if isinstance(share, Product) else 0.0, *map(abs, arrived.flat)])
    return agree(ours, sent, dtype, scale if math.isfinite(scale) else 0.0)


def _leads_to(state: State, node: NodeState, place: int, tensor: int | None) -> bool:
    """Whether that input of the node is this tensor: its own node, or the leaf's `AccumulateGrad`."""
    source = node.inputs[place] if place < len(node.inputs) else None
    if source is None:
        return True
    if tensor is None:
        return _is_hidden(state, source[0])
    feeding = state.nodes.get(source[0])
    held = state.tensors.get(tensor)
    if feeding is not None and feeding.tensor is None and feeding.name == "CopySlices":
        return True  # of a tensor that was written to through a view; it has another node by now
    return feeding is None or feeding.tensor == tensor or (held is not None and held.node == source[0])


@dataclass(frozen=True)
class Element:
    """How one element of a gradient comes about."""

    index: tuple[int, ...]
    terms: Sequence[tuple[float, float]]
    """What arrived times the derivative, to be added up; none: nothing arrives there."""
    sent: float


def element(claim: VerifiedGrad, arrived: Grid) -> Element | None:
    """One element worked out: the first that is nan or inf, else the first that is not zero. None where it is not
    known, or the rule has no terms."""
    share, sent = claim.share, claim.sent
    if not sent.flat:
        return None
    wrong = (at for at, x in enumerate(sent.flat) if not math.isfinite(x))
    chosen = next(wrong, next((at for at, x in enumerate(sent.flat) if x != 0), 0))
    if isinstance(share, Product):
        if share.terms is None:
            return None
        terms = share.terms(chosen)
    else:
        product = arrived * share.grid
        came, slopes = arrived.expand(product.shape).flat, share.grid.expand(product.shape).flat
        places = places_of(share.target.shape, product.shape)
        terms = [(came[at], slopes[at]) for at, place in enumerate(places) if place == chosen]
    index = []
    rest = chosen
    for size in reversed(sent.shape):
        index.append(rest % size)
        rest //= size
    return Element(tuple(reversed(index)), [term for term in terms if term[1] != 0] or terms[:1], sent.flat[chosen])


def too_large(event: Node, made: RecordedOp) -> bool:
    """Whether some of the numbers were too many to be recorded."""
    values = [value for value in (*event.grad_outputs, *event.grad_inputs) if value is not None]
    if any(isinstance(value, dict) and "data" not in value for value in values):
        return True
    return any(operand.grid is None and count(operand.shape) > 1 for operand in (*made.operands, *made.results))
