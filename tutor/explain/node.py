"""What a backward node did: what reached it, what it sent, and the rule that says why.

What a backward node did, in words: its rule and the numbers of this run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tutor.explain import formatting
from tutor.explain.formatting import Part, label
from tutor.explain.provenance import inner_tensor, made_by, maker, result_of, unnamed
from tutor.explain.rules.arrays import Grid
from tutor.explain.rules.registry import Product, in_general, shape_text
from tutor.explain.verify import (
    Element,
    VerifiedGrad,
    adds_up,
    arrival,
    claims,
    element,
    is_inner,
    single_arrival,
    too_large,
)
from tutor.i18n import _
from tutor.trace.events import Node
from tutor.trace.graph import gradient_parts, is_leaf
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import to_json
from tutor.trace.wire_types import Value

_SHORT = 24
"""Parts of a gradient are written out up to so many characters each."""


@dataclass(frozen=True)
class NodeSummary:
    """A node's step: what reached it, what it sent where, and what could be worked out of that."""

    node: str
    result: str | None
    """What to call the node's result; None where it has no name."""
    equation: str | None
    incoming: Sequence[Value]
    sent: Sequence[tuple[str, Value]]
    """To what (a tensor's name, or a node's), and the gradient; without the inputs that get none."""
    dtype: str
    claims: Sequence[VerifiedGrad]
    """All that were sent, or nothing: half a story would be taken for the whole."""
    arrived: Grid | None
    general: str | None = None
    """The rule in general, where the numbers are too many to be recorded and so to be worked out."""
    of_pass: int | None = None
    """The pass while which the node was made: it is of the graph of a gradient."""
    parts: Sequence[str] = ()
    """Of what arrived, what each consumer sent: where they are several, can be written out, and add up to it."""
    code: str | None = None
    """The code of a custom Function's call, for which there is no rule."""


def summarize_node(timeline: Timeline, step: int) -> NodeSummary | None:
    """What is to be said of a node's step; None where the recording does not know the node."""
    event = timeline.event(step)
    state = timeline.moment(step)
    if not isinstance(event, Node):
        return None
    node = state.nodes.get(event.node)
    if node is None:
        return None
    made = made_by(timeline, step, node)
    targets = [_target(timeline, step, state, source) for source in node.inputs]
    nameless = inner_tensor("" if made is None else (made.code or "").partition("(")[0])
    sent = [
        (target or nameless, value)
        for target, value in zip(targets, event.grad_inputs, strict=False)
        if value is not None
    ]
    arrived, equation, general = None, None, None
    agreed: list[VerifiedGrad] = []
    if made is not None:
        arrived = arrival(event, made, is_inner(state, node, made))
        if arrived is not None:
            equation, agreed = claims(state, node, event, made, arrived)
        if not agreed and too_large(event, made):
            general = in_general(node.name)
    if not agreed and node.name == "CopySlices":
        general = in_general(node.name)
    own = made is not None and made.named and made.node == event.node and single_arrival(event, made)
    result = made.result.name if made is not None and own else None
    held = state.tensors.get(node.tensor or 0)
    dtype = made.dtype if made is not None else held.dtype if held is not None else "float32"
    parts = parts_told(state, event.node, event.grad_outputs, dtype)
    function = made is not None and made.node == event.node and node.name.endswith("Backward")
    return NodeSummary(
        node.name, result, equation, event.grad_outputs, sent, dtype, agreed, arrived, general, node.of_pass, parts,
        formatting.code(made.code) if made is not None and function else None,
    )  # fmt: skip


def parts_told(state: State, node: int, arrived: Sequence[Value], dtype: str) -> list[str]:
    """What consumers of a node sent to it, if there is a sum to be written out. They do not add up where a hook has
    changed their sum, or where the pass began at the node itself."""
    parts = [part for _, part in gradient_parts(state, node)]
    shares = [formatting.value(part, dtype) for part in parts]
    short = len(shares) > 1 and all(len(share) <= _SHORT for share in shares)
    together = arrived[0] if len(arrived) == 1 else None
    return shares if short and together is not None and adds_up(parts, together, dtype) is not False else []


def _target(timeline: Timeline, step: int, state: State, source: tuple[int, int] | None) -> str | None:
    """What gets a gradient: its tensor's name, or what made it."""
    node = None if source is None else state.nodes.get(source[0])
    if node is None:
        return None
    name = label(state, node.tensor)
    if name is not None and not name.startswith("%"):
        return name
    if is_leaf(node):
        return unnamed(timeline, step, node.tensor or 0) or _("a leaf without a name")
    made = maker(timeline, step, node.node)
    known = made is not None and made.node == node.node and not made.result.name.startswith("%")
    return made.result.name if made is not None and known else result_of(node.name)


__all__ = ["NodeSummary", "node_line", "node_plain", "rule_json", "summarize_node"]

# So many terms of a sum are written out.
_TERMS = 4
# An equation of more characters stands behind what follows from it.
_LONG = 36
_G = re.compile(r"(?<![A-Za-z0-9_.])[Gg](?![A-Za-z0-9_.(])|side by side")
"""What arrives, in the formula of a rule."""


def rule_json(timeline: Timeline, step: int) -> dict[str, Any] | None:
    """The rule of a node's step with this run's numbers; None where none is claimed."""
    told = summarize_node(timeline, step)
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


# ---------------------------------------------------------------- in words


def node_line(told: NodeSummary) -> list[Part]:
    """`MulBackward0 · y = a·b · ∂y/∂a = b → grad(a) = 1.0 × 2.0 = 2.0`"""
    parts: list[Part] = [(told.node, "node")]
    if not told.claims or told.equation is None or told.arrived is None:
        return parts + _numbers_only(told)
    equation: list[Part] = [(" · ", "quiet"), (_equation(told), "value")]
    late = len(_equation(told)) > _LONG  # the line may be cut: what is sent comes first then
    parts += [] if late else equation
    alike = _alike(told)
    for claim in told.claims:
        target = claim.share.target.name
        parts.append((" · ", "quiet"))
        parts += [] if alike else [(_derivative("∂", told, claim), "value"), (" → ", "quiet")]
        parts.append((f"grad({_bare(target)}) = {_working(claim, told.arrived)}", "grad"))
        worked = _worked(claim, told.arrived)
        if worked is not None:
            which = f"{_at(worked)} = " if worked.index else ""
            begin = _(", of which {element}") if which else _(", which is {element}")
            parts += formatting.laid(begin, "quiet", element=(f"{which}{_sum(worked)}", "grad"))
    parts += [(" · ", "quiet"), (_("each gets {formula}", formula=alike), "plain")] if alike else []
    return parts + _came(told) + (equation if late else [])


def _alike(told: NodeSummary) -> str | None:
    """The formula, where several get the same of what arrives: it is said once then, after the numbers."""
    formulas = {claim.share.formula if _speaks_of_g(claim) else None for claim in told.claims}
    return formulas.pop() if len(formulas) == 1 < len(told.claims) else None


def _came(told: NodeSummary) -> list[Part]:
    """What arrived, where it is a sum, or a formula calls it G."""
    if any(_G.search(claim.share.formula) for claim in told.claims if _speaks_of_g(claim)):
        return [(" · ", "quiet"), (_("G = {gradient} arrived", gradient=_arrival(told)), "grad")]
    arrived = _("{gradient} arrived", gradient=_arrival(told))
    return [(" · ", "quiet"), (arrived, "grad")] if told.parts else []


def _arrival(told: NodeSummary) -> str:
    """`2.0 + 3.0 = 5.0`, or `5.0`."""
    arrives = formatting.joined([formatting.value(value, told.dtype) for value in told.incoming if value is not None])
    return f"{formatting.added(told.parts)} = {arrives}" if told.parts else arrives


def node_plain(told: NodeSummary) -> str:
    """The same to be read aloud."""
    arrives = _arrival(told)
    if not told.claims or told.equation is None or told.arrived is None:
        return _numbers_plain(told, arrives)
    named = any(_speaks_of_g(claim) for claim in told.claims)
    begin = (
        _("{node}, of {equation}: the gradient G, {gradient}, arrives.")
        if named
        else _("{node}, of {equation}: the gradient {gradient} arrives.")
    )
    said = [begin.format(node=told.node, equation=_equation(told), gradient=arrives)]
    for claim in told.claims:
        what = {"target": _bare(claim.share.target.name), "gradient": _gets(claim, told.arrived)}
        if _speaks_of_g(claim):
            said.append(_("{target} gets {gradient}, which is {formula}.", formula=claim.share.formula, **what))
        else:
            derivative = _derivative("d", told, claim)
            said.append(_("{target} gets {gradient}, as {derivative}.", derivative=derivative, **what))
        worked = _worked(claim, told.arrived)
        if worked is not None and worked.index:
            said.append(_("Its element {index} is {sum}.", index=_at(worked), sum=_sum(worked)))
        elif worked is not None:
            said.append(_("It is {sum}.", sum=_sum(worked)))
    return formatting.close(formatting.sentences(said))


def _numbers_plain(told: NodeSummary, arrives: str) -> str:
    node = told.node + _made_in(told)
    if told.code:
        node = _("{node}, of {code}", node=node, code=told.code)
    said = _("{node}: no gradient arrives", node=node)
    if arrives:
        said = _("{node}: the gradient {gradient} arrives", node=node, gradient=arrives)
    if told.general:
        said = _("{said}; in general, {rule}", said=said, rule=told.general)
    sends = [
        _("{gradient} to {target}", gradient=formatting.value(value, told.dtype), target=target)
        for target, value in told.sent
    ]
    if not sends:
        return _("{said}, and it sends nothing on.", said=said)
    return _("{said}, and it sends {gradients}.", said=said, gradients=formatting.joined(sends))


def _speaks_of_g(claim: VerifiedGrad) -> bool:
    """Whether a formula says all of what is sent, with G for what arrives; others say a derivative."""
    return isinstance(claim.share, Product) and _G.search(claim.share.formula) is not None


def _gets(claim: VerifiedGrad, arrived: Grid) -> str:
    """The working, to be read aloud: a shape is said to be one, a number that stands everywhere too."""
    said, sent = _working(claim, arrived), claim.sent
    if said == shape_text(sent.shape):
        return _("a gradient of shape {shape}", shape=said)
    if sent.single is None or len(sent.flat) < 2:
        return said
    return _("{number} in each of its {count} elements", number=said, count=len(sent.flat))


def _equation(told: NodeSummary) -> str:
    return f"{told.result} = {told.equation}" if told.result is not None else str(told.equation)


def _derivative(sign: str, told: NodeSummary, claim: VerifiedGrad) -> str:
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


def _working(claim: VerifiedGrad, arrived: Grid) -> str:
    """`1.0 × 2.0 = 2.0`, as far as the numbers can be written out."""
    share = claim.share
    result = formatting.grid(claim.sent) or shape_text(claim.sent.shape)
    if isinstance(share, Product):
        if " = " not in share.shapes:  # what is moved, rather than multiplied
            return result
        return share.shapes if formatting.grid(claim.sent) is None else f"{share.shapes} = {result}"
    came, local = _factor(arrived), formatting.term(_factor(share.grid))
    stretched = len(arrived.flat) // max(len(claim.sent.flat), 1)
    if stretched <= 1:
        return f"{came} × {local} = {result}"
    return _("sum over {count} of {product} = {result}", count=stretched, product=f"{came} × {local}", result=result)


def _worked(claim: VerifiedGrad, arrived: Grid) -> Element | None:
    """One element of a gradient, where the numbers of all are not written out above."""
    share = claim.share
    if isinstance(share, Product):
        worked = element(claim, arrived)
        plain = worked is None or (len(worked.terms) < 2 and formatting.grid(claim.sent) is not None)
        return None if plain else worked
    spelled = all(formatting.grid(grid) is not None for grid in (arrived, share.grid, claim.sent))
    several = len(arrived.flat) > len(claim.sent.flat) and arrived.single is None
    return None if spelled and not several else element(claim, arrived)


def _at(worked: Element) -> str:
    return "[" + ", ".join(map(str, worked.index)) + "]"


def _sum(worked: Element) -> str:
    """`0.5 × 2.0 + 1.0 × 3.0 = 4.0`"""
    products = [
        f"{formatting.term(formatting.number(x))} × {formatting.term(formatting.number(slope))}"
        for x, slope in worked.terms
    ]
    if len(products) > _TERMS:
        products = [*products[: _TERMS - 1], "…"]
        said, count = " + ".join(products), len(worked.terms)
        return _("{sum} ({count} terms) = {result}", sum=said, count=count, result=formatting.number(worked.sent))
    return f"{' + '.join(products)} = {formatting.number(worked.sent)}" if products else formatting.number(worked.sent)


def _factor(values: Grid) -> str:
    return formatting.grid(values) or shape_text(values.shape)


def _made_in(told: NodeSummary) -> str:
    return "" if told.of_pass is None else _(", of the graph that pass {number} made", number=told.of_pass)


def _numbers_only(told: NodeSummary) -> list[Part]:
    parts: list[Part] = []
    arrives = [formatting.value(value, told.dtype) for value in told.incoming if value is not None]
    if told.code:
        parts += [(" · ", "quiet"), (told.code, "code")]
    if told.general:
        parts += [(" · ", "quiet"), (told.general, "value")]
    if arrives:
        parts += formatting.laid(_(" · arrives {gradient}"), "quiet", gradient=(", ".join(arrives), "grad"))
    for target, value in told.sent:
        parts += [(" → ", "quiet"), (f"grad({target}) = {formatting.value(value, told.dtype)}", "grad")]
    return parts + ([] if told.of_pass is None else [(_(" · in pass {number}'s graph", number=told.of_pass), "quiet")])
