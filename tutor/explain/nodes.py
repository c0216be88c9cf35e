"""What a backward node did, worked out: rule, numbers, and whether they are what the engine really sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tutor.explain import words
from tutor.explain.adding import adds_up
from tutor.explain.claims import Claim, Element, arrival, claims, element, is_inner, single_arrival, too_large
from tutor.explain.grid import Grid
from tutor.explain.origin import label
from tutor.explain.parts import made_by
from tutor.explain.rules import GENERAL, Product, shape_text
from tutor.explain.words import Part
from tutor.trace.events import Node, Value
from tutor.trace.names import parts_of
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import to_json

# So many terms of a sum are written out.
_TERMS = 4
# An equation of more characters stands behind what follows from it.
_LONG = 36
# Parts of a gradient are written out up to so many characters each.
_SHORT = 24
_G = re.compile(r"(?<![A-Za-z0-9_.])[Gg](?![A-Za-z0-9_.(])|side by side")
"""What arrives, in the formula of a rule."""


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
    general: str | None = None
    """The rule in general, where the numbers are too many to be recorded and so to be worked out."""
    of_pass: int | None = None
    """The pass while which the node was made: it is of the graph of a gradient."""
    parts: Sequence[str] = ()
    """Of what arrived, what each consumer sent: where they are several, can be written out, and add up to it."""


def story(timeline: Timeline, step: int) -> NodeStory | None:
    """What is to be said of a node's step; None where the recording does not know the node."""
    event = timeline.event(step)
    state = timeline.state(step)
    if not isinstance(event, Node):
        return None
    node = state.nodes.get(event.node)
    if node is None:
        return None
    made = made_by(timeline, step, node)
    targets = [_target(state, source) for source in node.inputs]
    sent = [
        (target or "?", value) for target, value in zip(targets, event.grad_inputs, strict=False) if value is not None
    ]
    arrived, equation, general = None, None, None
    agreed: list[Claim] = []
    if made is not None:
        arrived = arrival(event, made, is_inner(state, node, made))
        if arrived is not None:
            equation, agreed = claims(state, node, event, made, arrived)
        if not agreed and too_large(event, made):
            general = GENERAL.get(node.name)
    if not agreed and node.name == "CopySlices":
        general = GENERAL[node.name]
    own = made is not None and made.named and made.node == event.node and single_arrival(event, made)
    result = made.result.name if made is not None and own else None
    held = state.tensors.get(node.tensor or 0)
    dtype = made.dtype if made is not None else held.dtype if held is not None else "float32"
    parts = parts_told(state, event.node, event.grad_outputs, dtype)
    return NodeStory(
        node.name, result, equation, event.grad_outputs, sent, dtype, agreed, arrived, general, node.of_pass, parts
    )


def parts_told(state: State, node: int, arrived: Sequence[Value], dtype: str) -> list[str]:
    """What consumers of a node sent to it, if there is a sum to be written out. They do not add up where a hook has
    changed their sum, or where the pass began at the node itself."""
    parts = [part for _, part in parts_of(state, node)]
    shares = [words.value(part, dtype) for part in parts]
    short = len(shares) > 1 and all(len(share) <= _SHORT for share in shares)
    together = arrived[0] if len(arrived) == 1 else None
    return shares if short and together is not None and adds_up(parts, together, dtype) is not False else []


def rule_json(timeline: Timeline, step: int) -> dict[str, Any] | None:
    """The rule of a node's step with this run's numbers; None where none is claimed."""
    told = story(timeline, step)
    if told is None or not told.claims or told.equation is None or told.arrived is None:
        return None
    inputs = []
    for claim in told.claims:
        worked = element(claim, told.arrived)
        inputs.append(
            {
                "of": _bare(claim.share.target.name),
                "text": _derivative("∂", told, claim),
                "grad": to_json(_nested(claim.sent.flat, claim.sent.shape), told.dtype),
                "working": _working(claim, told.arrived),
                "element": None
                if worked is None
                else {"index": list(worked.index), "text": _sum(worked), "grad": to_json(worked.sent, told.dtype)},
            }
        )
    return {"formula": _equation(told), "inputs": inputs}


def _nested(flat: Sequence[float], shape: Sequence[int]) -> Any:
    """Numbers in a row as nested lists."""
    items: list[Any] = list(flat)
    for size in reversed(shape[1:]):
        items = [items[start : start + size] for start in range(0, len(items), size)] if size else items
    return items if shape else items[0]


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
    equation: list[Part] = [(" · ", "quiet"), (_equation(told), "value")]
    late = len(_equation(told)) > _LONG  # the line may be cut: what is sent comes first then
    parts += [] if late else equation
    for claim in told.claims:
        target = claim.share.target.name
        parts += [(" · ", "quiet"), (_derivative("∂", told, claim), "value"), (" → ", "quiet")]
        parts.append((f"grad({_bare(target)}) = {_working(claim, told.arrived)}", "grad"))
        worked = _worked(claim, told.arrived)
        if worked is not None:
            which = f"{_at(worked)} = " if worked.index else ""
            parts += [(", of which " if which else ", which is ", "quiet"), (f"{which}{_sum(worked)}", "grad")]
    return parts + (equation if late else []) + _fan_in(told)


def _fan_in(told: NodeStory) -> list[Part]:
    return [(" · ", "quiet"), (f"{_arrival(told)} arrived", "grad")] if told.parts else []


def _arrival(told: NodeStory) -> str:
    """`2.0 + 3.0 = 5.0`, or `5.0`."""
    arrives = words.joined([words.value(value, told.dtype) for value in told.incoming if value is not None])
    return f"{words.added(told.parts)} = {arrives}" if told.parts else arrives


def node_plain(told: NodeStory) -> str:
    """The same to be read aloud."""
    arrives = _arrival(told)
    if not told.claims or told.equation is None or told.arrived is None:
        node = told.node + _made_in(told)
        reached = f"{node}: the gradient {arrives} arrives" if arrives else f"{node}: no gradient arrives"
        reached = f"{reached}; in general, {told.general}" if told.general else reached
        sends = words.joined([f"{words.value(value, told.dtype)} to {target}" for target, value in told.sent])
        return f"{reached}, and it sends {sends}." if sends else f"{reached}, and it sends nothing on."
    called = "G, " if any(_speaks_of_g(claim) for claim in told.claims) else ""
    sentences = [f"{told.node}, of {_equation(told)}: the gradient {called}{arrives}{',' if called else ''} arrives."]
    for claim in told.claims:
        why = "which is" if _speaks_of_g(claim) else "as"
        got = _gets(claim, told.arrived)
        sentences.append(f"{_bare(claim.share.target.name)} gets {got}, {why} {_derivative('d', told, claim)}.")
        worked = _worked(claim, told.arrived)
        if worked is not None:
            sentences.append(
                f"Its element {_at(worked)} is {_sum(worked)}." if worked.index else f"It is {_sum(worked)}."
            )
    return " ".join(sentences)


def _speaks_of_g(claim: Claim) -> bool:
    """Whether a formula says all of what is sent, with G for what arrives; others say a derivative."""
    return isinstance(claim.share, Product) and _G.search(claim.share.formula) is not None


def _gets(claim: Claim, arrived: Grid) -> str:
    """The working, to be read aloud: a shape is said to be one, a number that stands everywhere too."""
    said, sent = _working(claim, arrived), claim.sent
    if said == shape_text(sent.shape):
        return f"a gradient of shape {said}"
    return (
        f"{said} in each of its {len(sent.flat)} elements" if sent.single is not None and len(sent.flat) > 1 else said
    )


def _equation(told: NodeStory) -> str:
    return f"{told.result} = {told.equation}" if told.result is not None else str(told.equation)


def _derivative(sign: str, told: NodeStory, claim: Claim) -> str:
    """`∂y/∂a = b`; of what has no name `∂/∂a = b`; of a product of matrices `G·Bᵀ`."""
    if _speaks_of_g(claim):
        return claim.share.formula
    above, below = _after(sign, told.result or ""), _after(sign, claim.share.target.name)
    return f"{above}/{below} = {claim.share.formula}"


def _after(sign: str, name: str) -> str:
    """`∂y`, `∂(model.w)`, `∂(f(x))`."""
    plain = not name or name.startswith("%") or _bare(name) != name or name.isidentifier()
    return f"{sign}{name}" if plain else f"{sign}({name})"


def _bare(name: str) -> str:
    """Without the parentheses around all of it: `grad(a + b)`, not `grad((a + b))`."""
    depth = 0
    for place, sign in enumerate(name):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:  # the first parenthesis is closed here
            return name[1:-1] if name.startswith("(") and place == len(name) - 1 else name
    return name


def _working(claim: Claim, arrived: Grid) -> str:
    """`1.0 × 2.0 = 2.0`, as far as the numbers can be written out."""
    share = claim.share
    result = words.grid(claim.sent) or shape_text(claim.sent.shape)
    if isinstance(share, Product):
        if " = " not in share.shapes:  # what is moved, rather than multiplied
            return result
        return share.shapes if words.grid(claim.sent) is None else f"{share.shapes} = {result}"
    came, local = _factor(arrived), words.term(_factor(share.grid))
    stretched = len(arrived.flat) // max(len(claim.sent.flat), 1)
    if stretched <= 1:
        return f"{came} × {local} = {result}"
    return f"sum over {stretched} of {came} × {local} = {result}"


def _worked(claim: Claim, arrived: Grid) -> Element | None:
    """One element of a gradient, where the numbers of all are not written out above."""
    share = claim.share
    if isinstance(share, Product):
        worked = element(claim, arrived)
        plain = worked is None or (len(worked.terms) < 2 and words.grid(claim.sent) is not None)
        return None if plain else worked
    spelled = all(words.grid(grid) is not None for grid in (arrived, share.grid, claim.sent))
    several = len(arrived.flat) > len(claim.sent.flat) and arrived.single is None
    return None if spelled and not several else element(claim, arrived)


def _at(worked: Element) -> str:
    return "[" + ", ".join(map(str, worked.index)) + "]"


def _sum(worked: Element) -> str:
    """`0.5 × 2.0 + 1.0 × 3.0 = 4.0`"""
    products = [f"{words.term(words.number(x))} × {words.term(words.number(slope))}" for x, slope in worked.terms]
    if len(products) > _TERMS:
        products = [*products[: _TERMS - 1], "…"]
        return f"{' + '.join(products)} ({len(worked.terms)} terms) = {words.number(worked.sent)}"
    return f"{' + '.join(products)} = {words.number(worked.sent)}" if products else words.number(worked.sent)


def _factor(values: Grid) -> str:
    return words.grid(values) or shape_text(values.shape)


def _made_in(told: NodeStory) -> str:
    return f", of the graph that pass {told.of_pass} made" if told.of_pass is not None else ""


def _numbers_only(told: NodeStory) -> list[Part]:
    parts: list[Part] = [(_made_in(told), "quiet")] if told.of_pass is not None else []
    arrives = [words.value(value, told.dtype) for value in told.incoming if value is not None]
    if told.general:
        parts += [(" · ", "quiet"), (told.general, "value")]
    if arrives:
        parts += [(" · arrives ", "quiet"), (", ".join(arrives), "grad")]
    for target, value in told.sent:
        parts += [(" → ", "quiet"), (f"grad({target}) = {words.value(value, told.dtype)}", "grad")]
    return parts
