"""What a backward node did, worked out: rule, numbers, and whether they are what the engine really sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutor.explain import arithmetic, matrices, words  # noqa: F401 (they register their rules)
from tutor.explain.grid import Grid, agree
from tutor.explain.operands import enclosed
from tutor.explain.origin import Made, as_grid, label, maker
from tutor.explain.rules import RULES, Explanation, Local, NodeView, Product, shape_text
from tutor.explain.words import Part
from tutor.trace.events import Node, Value
from tutor.trace.state import NodeState, State
from tutor.trace.timeline import Timeline


@dataclass(frozen=True)
class Claim:
    """A share of the gradient that the rule gives and the engine sent."""

    share: Local | Product
    sent: Grid


@dataclass(frozen=True)
class NodeStory:
    """A node's step: what reached it, what it sent where, and what could be worked out of that."""

    node: str
    result: str | None
    """What to call the node's result; None where it has no name."""
    equation: str | None
    incoming: Sequence[Value]
    sent: Sequence[tuple[str, Value]]
    """To what (a tensor's name, or a node's), and the gradient; without the inputs that get none."""
    dtype: str
    claims: Sequence[Claim]
    """All that were sent, or nothing: half a story would be taken for the whole."""
    arrived: Grid | None


def story(timeline: Timeline, step: int) -> NodeStory | None:
    """What is to be said of a node's step; None where the recording does not know the node."""
    event = timeline.event(step)
    state = timeline.state(step)
    if not isinstance(event, Node):
        return None
    node = state.nodes.get(event.node)
    if node is None:
        return None
    made = maker(timeline, step, event.node)
    targets = [_target(state, source) for source in node.inputs]
    sent = [
        (target or "?", value) for target, value in zip(targets, event.grad_inputs, strict=False) if value is not None
    ]
    arrived = None
    claims: list[Claim] = []
    equation = None
    if made is not None and len(event.grad_outputs) == 1:
        arrived = as_grid(event.grad_outputs[0], made.result.shape, made.dtype)
        if arrived is not None:
            equation, claims = _claims(state, node, event, made, arrived)
    result = made.result.name if made is not None and made.named else None
    held = state.tensors.get(node.tensor or 0)
    dtype = made.dtype if made is not None else held.dtype if held is not None else "float32"
    return NodeStory(node.name, result, equation, event.grad_outputs, sent, dtype, claims, arrived)


def _claims(state: State, node: NodeState, event: Node, made: Made, arrived: Grid) -> tuple[str | None, list[Claim]]:
    """The rule's shares, where each agrees with what the engine sent."""
    explanation = _explanation(NodeView(node.name, made.op, made.operands, made.result, arrived))
    if explanation is None:
        return None, []
    claims = []
    for place, value in enumerate(event.grad_inputs):
        if value is None:
            continue
        share = explanation.shares[place] if place < len(explanation.shares) else None
        if share is None or not _leads_to(state, node, place, share.target.tensor):
            return None, []
        sent = as_grid(value, share.target.shape, made.dtype)
        if sent is None or not _agrees(share, arrived, sent, made.dtype):
            return None, []
        claims.append(Claim(share, sent))
    return explanation.equation, claims


def _explanation(view: NodeView) -> Explanation | None:
    rule = RULES.get(view.node)
    try:
        return None if rule is None else rule(view)
    except (LookupError, ArithmeticError, ValueError):
        return None  # numbers that are not there, or that Python will not divide: then nothing is claimed


def _agrees(share: Local | Product, arrived: Grid, sent: Grid, dtype: str) -> bool:
    try:
        ours = share.grid if isinstance(share, Product) else (arrived * share.grid).sum_to(share.target.shape)
    except (ArithmeticError, ValueError):
        return False
    scale = max((abs(x) for x in arrived.flat), default=0.0)
    return agree(ours, sent, dtype, scale)


def _leads_to(state: State, node: NodeState, place: int, tensor: int | None) -> bool:
    """Whether that input of the node is this tensor: its own node, or the leaf's `AccumulateGrad`."""
    source = node.inputs[place] if place < len(node.inputs) else None
    if tensor is None or source is None:
        return True
    feeding = state.nodes.get(source[0])
    held = state.tensors.get(tensor)
    return feeding is None or feeding.tensor == tensor or (held is not None and held.node == source[0])


def _target(state: State, source: tuple[int, int] | None) -> str | None:
    """What gets a gradient: the name of its tensor, or of its node where the tensor has none."""
    node = None if source is None else state.nodes.get(source[0])
    if node is None:
        return None
    name = label(state, node.tensor)
    return node.name if name is None or name.startswith("%") else name


# ---------------------------------------------------------------- in words


def node_line(told: NodeStory) -> list[Part]:
    """`MulBackward0 · y = a·b · ∂y/∂a = b → grad(a) = 1.0 × 2.0 = 2.0`"""
    parts: list[Part] = [(told.node, "node")]
    if not told.claims or told.equation is None or told.arrived is None:
        return parts + _numbers_only(told)
    parts += [(" · ", "quiet"), (_equation(told), "value")]
    for claim in told.claims:
        target = claim.share.target.name
        parts += [(" · ", "quiet"), (_derivative("∂", told, claim), "value"), (" → ", "quiet")]
        parts.append((f"grad({_bare(target)}) = {_working(claim, told.arrived)}", "grad"))
    return parts


def node_plain(told: NodeStory) -> str:
    """The same to be read aloud."""
    arrives = words.joined([words.value(value, told.dtype) for value in told.incoming if value is not None])
    if not told.claims or told.equation is None or told.arrived is None:
        reached = f"{told.node}: the gradient {arrives} arrives" if arrives else f"{told.node}: no gradient arrives"
        sends = words.joined([f"{words.value(value, told.dtype)} to {target}" for target, value in told.sent])
        return f"{reached}, and it sends {sends}." if sends else f"{reached}, and it sends nothing on."
    sentences = [f"{told.node}, of {_equation(told)}: the gradient {arrives} arrives."]
    for claim in told.claims:
        working, said = _working(claim, told.arrived), _derivative("d", told, claim)
        why = f"as {said}" if isinstance(claim.share, Local) else f"which is {said}"
        sentences.append(f"{_bare(claim.share.target.name)} gets {working}, {why}.")
    return " ".join(sentences)


def _equation(told: NodeStory) -> str:
    return f"{told.result} = {told.equation}" if told.result is not None else str(told.equation)


def _derivative(sign: str, told: NodeStory, claim: Claim) -> str:
    """`∂y/∂a = b`; of what has no name `∂/∂a = b`; of a product of matrices `G·Bᵀ`."""
    if isinstance(claim.share, Product):
        return claim.share.formula
    above, below = _after(sign, told.result or ""), _after(sign, claim.share.target.name)
    return f"{above}/{below} = {claim.share.formula}"


def _after(sign: str, name: str) -> str:
    """`∂y`, `∂model.w`, `∂(f(x))`."""
    plain = not name or name.startswith(("(", "%")) or name.replace(".", "_").isidentifier()
    return f"{sign}{name}" if plain else f"{sign}({name})"


def _bare(name: str) -> str:
    """Without the parentheses around all of it: `grad(a + b)`, not `grad((a + b))`."""
    return name[1:-1] if name.startswith("(") and name.endswith(")") and enclosed(name[1:-1]) == name else name


def _working(claim: Claim, arrived: Grid) -> str:
    """`1.0 × 2.0 = 2.0`, as far as the numbers can be written out."""
    share = claim.share
    result = words.grid(claim.sent) or shape_text(claim.sent.shape)
    if isinstance(share, Product):
        return f"{share.shapes} = {result}" if len(claim.sent.flat) <= words.LISTED else share.shapes
    came, local = _factor(arrived), words.term(_factor(share.grid))
    stretched = len(arrived.flat) // max(len(claim.sent.flat), 1)
    if stretched <= 1:
        return f"{came} × {local} = {result}"
    return f"sum over {stretched} of {came} × {local} = {result}"


def _factor(values: Grid) -> str:
    return words.grid(values) or shape_text(values.shape)


def _numbers_only(told: NodeStory) -> list[Part]:
    parts: list[Part] = []
    arrives = [words.value(value, told.dtype) for value in told.incoming if value is not None]
    if arrives:
        parts += [(" · arrives ", "quiet"), (", ".join(arrives), "grad")]
    for target, value in told.sent:
        parts += [(" → ", "quiet"), (f"grad({target}) = {words.value(value, told.dtype)}", "grad")]
    return parts
