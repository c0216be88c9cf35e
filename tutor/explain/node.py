"""Explain the run of a backward node: the gradient that reached it, what it sent on, and the rule that says why."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from tutor.explain import formatting
from tutor.explain.expressions import opened
from tutor.explain.formatting import Part, label
from tutor.explain.provenance import (
    describe_result_of,
    find_operation,
    find_operation_or_write,
    inner_tensor,
    source_of_unnamed,
)
from tutor.explain.rules.arrays import Grid
from tutor.explain.rules.registry import general_rule
from tutor.explain.verify import (
    Element,
    VerifiedGrad,
    adds_up,
    has_single_gradient,
    incoming_gradient,
    is_inner,
    too_large,
    verify_rule,
    work_out_element,
)
from tutor.i18n import _, current_language
from tutor.trace.events import Node
from tutor.trace.graph import gradient_parts, is_leaf
from tutor.trace.number_format import equals, equation, inline, number
from tutor.trace.number_format import shape as shape_text
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value, to_json

__all__ = [
    "NodeSummary", "Phrase", "derivative_text", "incoming_parts", "node_phrases", "node_plain", "rule_json",
    "shown_element", "summarize_node", "target_name", "written_out",
]  # fmt: skip

_SHORT = 24
"""Most characters of a part of a gradient that is written out."""
_SUM = 60
"""Most characters of a sum that is written out in full."""
_REMEMBERED = 64
"""Summaries that are kept."""
_G = re.compile(r"(?<![A-Za-z0-9_.])[Gg](?![A-Za-z0-9_.(])|side by side")
"""The incoming gradient, in the formula of a rule."""


class NodeSummary(msgspec.Struct, frozen=True):
    """A run of a node: what reached it, what it sent where, and what could be verified of that."""

    node: str
    result: str | None
    """Name of the node's result; None where it has none."""
    equation: str | None
    incoming: Sequence[Value]
    sent: Sequence[tuple[str, Value]]
    """Pairs of a target (name of a tensor or of a node) and its gradient; without the inputs that get none."""
    dtype: str
    claims: Sequence[VerifiedGrad]
    """The verified shares: all gradients sent are explained, or none."""
    arrived: Grid | None
    general: str | None = None
    """The rule in letters, where the values are too many to be recorded and verified."""
    of_pass: int | None = None
    """The backward pass that made the node, where it is of the graph of a gradient."""
    parts: Sequence[str] = ()
    """What each consumer of the node's result sent, where they are several, can be written out, and add up to what
    arrived."""
    code: str | None = None
    """The code of a custom Function's call, which has no rule."""


_summaries: WeakKeyDictionary[Timeline, OrderedDict[tuple[int, str], NodeSummary | None]] = WeakKeyDictionary()
"""By step and language: the last ones, for all that is shown of a step asks for its summary."""


def summarize_node(timeline: Timeline, step: int) -> NodeSummary | None:
    """Return a summary of a node's step; None where the step is none, or the node is not recorded."""
    if step == timeline.steps:  # more may be recorded of it
        return _summarize(timeline, step)
    summaries, key = _summaries.setdefault(timeline, OrderedDict()), (step, current_language())
    if key not in summaries:
        summaries[key] = _summarize(timeline, step)
        if len(summaries) > _REMEMBERED:
            summaries.popitem(last=False)
    return summaries[key]


def _summarize(timeline: Timeline, step: int) -> NodeSummary | None:
    event = timeline.event(step)
    state = timeline.moment(step)
    if not isinstance(event, Node):
        return None
    node = state.nodes.get(event.node)
    if node is None:
        return None
    made = find_operation_or_write(timeline, step, node)
    targets = [_target(timeline, step, state, source) for source in node.inputs]
    unnamed_target = inner_tensor("" if made is None else (made.code or "").partition("(")[0])
    arrived, equation, general = None, None, None
    verified: list[VerifiedGrad] = []
    if made is not None:
        arrived = incoming_gradient(event, made, is_inner(state, node, made))
        if arrived is not None:
            equation, verified = verify_rule(state, node, event, made, arrived)
        if not verified and too_large(event, made):
            general = general_rule(node.name)
    if not verified and node.name == "CopySlices":
        general = general_rule(node.name)
    names = {claim.place: claim.share.target.name for claim in verified}
    sent = [
        (opened(names.get(place) or target or unnamed_target), value)
        for place, (target, value) in enumerate(zip(targets, event.grad_inputs, strict=False))
        if value is not None
    ]
    is_own = made is not None and made.named and made.node == event.node and has_single_gradient(event, made)
    result = made.result.name if made is not None and is_own else None
    tensor = state.tensors.get(node.tensor or 0)
    dtype = made.dtype if made is not None else tensor.dtype if tensor is not None else "float32"
    parts = incoming_parts(state, event.node, event.grad_outputs, dtype)
    is_function = made is not None and made.node == event.node and node.name.endswith("Backward")
    return NodeSummary(
        node.name, result, equation, event.grad_outputs, sent, dtype, verified, arrived, general, node.of_pass, parts,
        formatting.code(made.code) if made is not None and is_function else None,
    )  # fmt: skip


def incoming_parts(state: State, node: int, arrived: Sequence[Value], dtype: str) -> list[str]:
    """Return what the consumers of a node's result sent, formatted; empty where there is no sum to write out. They do
    not add up where a hook changed the sum, or where the pass began at the node."""
    parts = [part for _, part in gradient_parts(state, node)]
    shares = [inline(part, dtype, gradient=True) for part in parts]
    is_short = len(shares) > 1 and all(len(share) <= _SHORT and equals(share)[0] != ": " for share in shares)
    total = arrived[0] if len(arrived) == 1 else None
    return shares if is_short and total is not None and adds_up(parts, total, dtype) is not False else []


def _target(timeline: Timeline, step: int, state: State, source: tuple[int, int] | None) -> str | None:
    """Return the name of what gets a gradient: of its tensor, or of the operation that made it; None where nothing
    does."""
    node = None if source is None else state.nodes.get(source[0])
    if node is None:
        return None
    name = label(state, node.tensor)
    if name is not None and not name.startswith("%"):
        return name
    if is_leaf(node):
        return source_of_unnamed(timeline, step, node.tensor or 0) or _("a leaf without a name")
    made = find_operation(timeline, step, node.node)
    is_named = made is not None and made.node == node.node and not made.result.name.startswith("%")
    return made.result.name if made is not None and is_named else describe_result_of(node.name)


def rule_json(timeline: Timeline, step: int) -> dict[str, Any] | None:
    """Return the rule of a node's step with the values of this run; None where none is verified."""
    summary = summarize_node(timeline, step)
    if summary is None or not summary.claims or summary.equation is None or summary.arrived is None:
        return None
    inputs = []
    for claim in summary.claims:
        element = work_out_element(claim, summary.arrived)
        inputs.append(
            {
                "of": opened(claim.share.target.name),
                "text": derivative_text("∂", summary, claim),
                "grad": to_json(_nested(claim.sent.flat, claim.sent.shape), summary.dtype),
                "working": _gradient_working(claim, summary),
                "element": None
                if element is None
                else {
                    "index": list(element.index),
                    "text": _element_working(element, summary.dtype),
                    "grad": to_json(element.sent, summary.dtype),
                },
            }
        )
    return {"formula": _equation(summary), "inputs": inputs}


def _nested(flat: Sequence[float], shape: Sequence[int]) -> Any:
    """Return flat values as nested lists."""
    items: list[Any] = list(flat)
    for size in reversed(shape[1:]):
        items = [items[start : start + size] for start in range(0, len(items), size)] if size else items
    return items if shape else items[0]


# ---------------------------------------------------------------- in words


Phrase = list[Part]
"""A phrase of an explanation, as parts with roles."""


def node_phrases(summary: NodeSummary, place: int | None = None) -> tuple[list[Phrase], list[Phrase]]:
    """Return what a node did, as phrases: its rule with the reason, and the numbers of this run.

    `MulBackward0`, `y = a·b`, `∂y/∂a = b`; and `grad(a) = 1 × 2 = 2`.

    Args:
        summary: The run of the node.
        place: Index of the input whose gradient comes first, with the reason for it; by default the first one's.
    """
    if not summary.claims or summary.equation is None or summary.arrived is None:
        return _unexplained_phrases(summary)
    claims = sorted(summary.claims, key=lambda claim: claim.place != place)
    rule: list[Phrase] = [[(summary.node, "node")], [(_equation(summary), "value")]]
    common_formula = _common_formula(summary)
    if common_formula:
        rule.append([(_("each gets {formula}", formula=common_formula), "grad")])
    else:
        rule += [[_rule_part(claim, summary)] for claim in claims]
    numbers: list[Phrase] = []
    first = claims[0].share
    if first.factors:
        shapes = f"{first.shapes} → {shape_text(claims[0].sent.shape)}"
        numbers.append([(shapes, "quiet")])
        rule += [[(first.reason, "quiet")]] if first.reason else []
    for claim in claims:
        numbers.append([(equation(target_name(claim), _sent_text(claim, summary)), "grad")])
    gradient = _incoming_sum(summary)
    if _mentions_g(summary):
        numbers.append([(_("{gradient} arrived", gradient=equation("G", gradient)), "grad")])
    elif summary.parts:
        numbers.insert(0, [(_("{gradient} arrived", gradient=gradient), "grad")])
    return rule, numbers


def _rule_part(claim: VerifiedGrad, summary: NodeSummary) -> Part:
    """Return `∂y/∂a = b`, or `grad(W) = Xᵀ·G`."""
    if _formula_has_g(claim):
        return f"{target_name(claim)} = {claim.share.formula}", "grad"
    return derivative_text("∂", summary, claim), "value"


def _sent_text(claim: VerifiedGrad, summary: NodeSummary) -> str:
    """Return what an input gets, with its working where that is in numbers, or a sum over what was stretched."""
    working, sent = _gradient_working(claim, summary), formatting.grid(claim.sent, summary.dtype)
    if written_out(claim, summary):
        return working
    arrived = summary.arrived
    text = sent or _statistics(claim.sent, summary.dtype)
    is_summed = claim.share.derivative is not None and arrived is not None and len(arrived.flat) > len(claim.sent.flat)
    return equation(str(_by_names(claim, summary)), text) if is_summed else text


def target_name(claim: VerifiedGrad) -> str:
    """Return `grad(W)`, the gradient that an input gets."""
    return f"grad({opened(claim.share.target.name)})"


def written_out(claim: VerifiedGrad, summary: NodeSummary) -> bool:
    """Return whether the working of a gradient is in numbers, all of which are written in one line."""
    return _by_names(claim, summary) is None


def shown_element(summary: NodeSummary, place: int) -> bool:
    """Return whether the numbers of a node leave something of the gradient of an input to be worked out: an element
    of several terms, or of a gradient that is not written out; but not one that is sent on as it is."""
    claim = next((claim for claim in summary.claims if claim.place == place), None)
    element = None if claim is None else _element_to_show(claim, summary)
    return element is not None and (len(element.terms) != 1 or element.terms[0][1] != 1)


def _common_formula(summary: NodeSummary) -> str | None:
    """Return the formula that all targets share, to be said once; None where they differ."""
    formulas = {claim.share.formula if _formula_has_g(claim) else None for claim in summary.claims}
    return formulas.pop() if len(formulas) == 1 < len(summary.claims) else None


def _mentions_g(summary: NodeSummary) -> bool:
    """Return whether the line of a node calls what arrived G."""
    return any(_formula_has_g(claim) or _by_names(claim, summary) is not None for claim in summary.claims)


def _incoming_sum(summary: NodeSummary) -> str:
    """Return the incoming gradient, and the sum that it is: `2 + 3 = 5`, or `5`."""
    gradient = formatting.joined(_gradients(summary))
    return equation(formatting.added(summary.parts), gradient) if summary.parts else gradient


def _gradients(summary: NodeSummary) -> list[str]:
    return [inline(value, summary.dtype, gradient=True) for value in summary.incoming if value is not None]


def node_plain(summary: NodeSummary) -> str:
    """Return the line of a node as sentences."""
    gradient = _incoming_sum(summary)
    if not summary.claims or summary.equation is None or summary.arrived is None:
        return _unexplained_plain(summary, gradient)
    has_g = _mentions_g(summary)
    template = (
        _("{node}, of {equation}: the gradient G, {gradient}, arrives.")
        if has_g
        else _("{node}, of {equation}: the gradient {gradient} arrives.")
    )
    sentences = [template.format(node=summary.node, equation=_equation(summary), gradient=gradient)]
    for claim in summary.claims:
        values = {
            "target": opened(claim.share.target.name),
            "gradient": _gradient_plain(claim, summary),
        }
        if _says_rule(claim, summary):
            sentences.append(_("{target} gets {gradient}.", **values))
        elif _formula_has_g(claim):
            sentences.append(_("{target} gets {gradient}, which is {formula}.", formula=claim.share.formula, **values))
        else:
            derivative = derivative_text("d", summary, claim)
            sentences.append(_("{target} gets {gradient}, as {derivative}.", derivative=derivative, **values))
        element = _element_to_show(claim, summary)
        if element is not None and element.index:
            sentences.append(
                _(
                    "Its element {index} is {sum}.",
                    index=_index_text(element),
                    sum=_element_working(element, summary.dtype),
                )
            )
        elif element is not None:
            sentences.append(_("It is {sum}.", sum=_element_working(element, summary.dtype)))
    return formatting.close_wide(formatting.sentences(sentences))


def _unexplained_plain(summary: NodeSummary, gradient: str) -> str:
    """Return the sentence of a node whose rule is not verified."""
    node = summary.node + _graph_of_pass(summary)
    if summary.code:
        node = _("{node}, of {code}", node=node, code=summary.code)
    text = _("{node}: no gradient arrives", node=node)
    if gradient:
        text = _("{node}: the gradient {gradient} arrives", node=node, gradient=gradient)
    if summary.general:
        text = _("{said}; in general, {rule}", said=text, rule=summary.general)
    sends = [
        _("{gradient} to {target}", gradient=inline(value, summary.dtype, gradient=True), target=target)
        for target, value in summary.sent
    ]
    if not sends:
        return _("{said}, and it sends nothing on.", said=text)
    return _("{said}, and it sends {gradients}.", said=text, gradients=formatting.joined(sends))


def _formula_has_g(claim: VerifiedGrad) -> bool:
    """Return whether the formula says all that is sent, with G for what arrives; others are derivatives."""
    return claim.share.derivative is None and _G.search(claim.share.formula) is not None


def _gradient_plain(claim: VerifiedGrad, summary: NodeSummary) -> str:
    """Return the working for a sentence, which says so where all elements have one value."""
    working, sent = _gradient_working(claim, summary), claim.sent
    if sent.single is None or len(sent.flat) < 2:
        return working
    return _("{number} in each of its {count} elements", number=working, count=len(sent.flat))


def _equation(summary: NodeSummary) -> str:
    """Return the equation, with the name of the result where it has one."""
    return f"{summary.result} = {summary.equation}" if summary.result is not None else str(summary.equation)


def derivative_text(sign: str, summary: NodeSummary, claim: VerifiedGrad) -> str:
    """Return `∂y/∂a = b`; `∂/∂a = b` for a result without a name; the formula where it has G."""
    if _formula_has_g(claim):
        return claim.share.formula
    numerator, denominator = _differential(sign, summary.result or ""), _differential(sign, claim.share.target.name)
    return equation(f"{numerator}/{denominator}", claim.share.formula)


def _differential(sign: str, name: str) -> str:
    """Return `∂y`, `∂(model.w)`, `∂(f(x))`."""
    is_simple = not name or name.startswith("%") or opened(name) != name or name.isidentifier()
    return f"{sign}{name}" if is_simple else f"{sign}({name})"


def _gradient_working(claim: VerifiedGrad, summary: NodeSummary) -> str:
    """Return how a gradient was computed: `1 × 2 = 2`; where the values are too many to write, by names: `G · b`."""
    share, dtype = claim.share, summary.dtype
    result, by_names = formatting.grid(claim.sent, dtype), _by_names(claim, summary)
    if by_names is not None:
        return by_names if result is None else equation(by_names, result)
    if share.derivative is None or summary.arrived is None:
        return result or _statistics(claim.sent, dtype)
    incoming, derivative = formatting.grid(summary.arrived, dtype), formatting.grid(share.derivative, dtype)
    product = f"{incoming} × {formatting.term(derivative or '')}"
    return equation(_sum_over(claim, summary.arrived, product), result or _statistics(claim.sent, dtype))


def _by_names(claim: VerifiedGrad, summary: NodeSummary) -> str | None:
    """Return what is sent by names, with the shapes of a matrix product: `Xᵀ·G (2×3 · 3×2)`; None where it can be
    written out in numbers."""
    share, arrived = claim.share, summary.arrived
    if share.derivative is None or arrived is None:
        return f"{share.formula} ({share.shapes})" if share.shapes else None
    if all(map(formatting.is_written_out, (arrived, share.derivative, claim.sent))):
        return None
    is_sum = any(sign in share.formula for sign in (" + ", " - ")) and not share.formula.endswith(")")
    factor = f"({share.formula})" if is_sum or share.formula.startswith("-") else share.formula
    return _sum_over(claim, arrived, f"G · {factor}")


def _says_rule(claim: VerifiedGrad, summary: NodeSummary) -> bool:
    """Return whether the working is the whole rule, as of a matrix product, which is then not said before it."""
    return claim.share.derivative is None and _by_names(claim, summary) is not None


def _sum_over(claim: VerifiedGrad, arrived: Grid, product: str) -> str:
    """Return a product, as a sum where broadcasting had stretched the input: `sum over 4 of G · b`."""
    stretched = len(arrived.flat) // max(len(claim.sent.flat), 1)
    return product if stretched <= 1 else _("sum over {count} of {product}", count=stretched, product=product)


def _statistics(values: Grid, dtype: str) -> str:
    return inline(_nested(values.flat, values.shape), dtype, gradient=True)


def _element_to_show(claim: VerifiedGrad, summary: NodeSummary) -> Element | None:
    """Return one element worked out, where `_gradient_working` does not write out all of them; else None."""
    share, arrived = claim.share, summary.arrived
    if arrived is None:
        return None
    if share.derivative is None:
        element = work_out_element(claim, arrived)
        is_whole = element is not None and len(element.terms) < 2 and formatting.is_written_out(claim.sent)
        return None if is_whole else element
    is_summed = len(arrived.flat) > len(claim.sent.flat) and arrived.single is None
    return work_out_element(claim, arrived) if is_summed or _by_names(claim, summary) is not None else None


def _index_text(element: Element) -> str:
    return "[" + ", ".join(map(str, element.index)) + "]"


def _element_working(element: Element, dtype: str) -> str:
    """Return how an element was computed, term by term: `0.5·2 + 0·1 + 1·3 = 4`."""
    sent = number(element.sent, dtype)
    products = [
        f"{formatting.term(number(x, dtype))}·{formatting.term(number(derivative, dtype))}"
        for x, derivative in element.terms
    ]
    if not products:
        return sent
    return equation(formatting.sum_text(products, _SUM), sent)


def _graph_of_pass(summary: NodeSummary) -> str:
    return "" if summary.of_pass is None else _(", of the graph that pass {number} made", number=summary.of_pass)


def _unexplained_phrases(summary: NodeSummary) -> tuple[list[Phrase], list[Phrase]]:
    """Return the phrases of a node whose rule is not verified."""
    rule: list[Phrase] = [[(summary.node, "node")]]
    rule += [[(summary.code, "code")]] if summary.code else []
    rule += [[(summary.general, "value")]] if summary.general else []
    rule += [] if summary.of_pass is None else [[(_("in the graph of pass {number}", number=summary.of_pass), "quiet")]]
    gradients = _gradients(summary)
    numbers: list[Phrase] = []
    if gradients:
        numbers.append([(_("{gradient} arrived", gradient=formatting.joined(gradients)), "grad")])
    for target, value in summary.sent:
        text = equation(f"grad({target})", inline(value, summary.dtype, gradient=True))
        numbers.append([(text, "grad")])
    return rule, numbers
