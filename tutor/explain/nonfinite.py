"""Explain the first nan or inf gradient of a backward pass: the node that made it, why, and how to prevent it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from math import isfinite, isnan

from tutor.explain import formatting
from tutor.explain.node import summarize_node
from tutor.explain.provenance import RecordedOp, find_operation
from tutor.explain.rules.registry import Operand
from tutor.i18n import _
from tutor.trace.events import Node
from tutor.trace.names import names_of
from tutor.trace.source import parse
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements
from tutor.trace.wire_types import Value

_MOST_NODES = 50
"""Most nodes that are searched from the one that made it to a `where`."""
_FINITE_ABOVE_ZERO = (
    "LogBackward0",
    "Log2Backward0",
    "Log10Backward0",
    "SqrtBackward0",
    "RsqrtBackward0",
    "PowBackward0",
)
"""Nodes of functions whose derivative is finite above 0."""
_SOFTMAXES = ("SoftmaxBackward0", "LogSoftmaxBackward0")
_QUOTIENTS = ("DivBackward0", "ReciprocalBackward0")
_FINITE_WITHIN_ONE = ("AsinBackward0", "AcosBackward0")
_ELEMENTWISE = (*_FINITE_ABOVE_ZERO, *_QUOTIENTS, *_FINITE_WITHIN_ONE, "ExpBackward0", "AtanhBackward0", "PowBackward1")
"""Nodes of element-wise functions whose derivative is finite at 1 (at 0.5 for those within one)."""


def describe_first_nonfinite(timeline: Timeline, step: int) -> str | None:
    """Return that this node made the first nan or inf of its pass, why, and a fix; None at other steps."""
    event, state = timeline.event(step), timeline.state(step)
    node = state.nodes.get(event.node) if isinstance(event, Node) else None
    if not isinstance(event, Node) or node is None or any(map(_nonfinite_kind, event.grad_outputs)):
        return None
    kinds = [_nonfinite_kind(value) for value in event.grad_inputs]
    kind = next((candidate for candidate in ("nan", "inf") if candidate in kinds), None)
    if kind is None or _was_made_earlier(timeline, step):
        return None
    sentences = [_("{node} makes the first {kind} of this pass", node=node.name, kind=kind)]
    made = find_operation(timeline, step, event.node)
    operand = None if made is None else _culprit(made, node.name)
    masking = _masking_operation(timeline, state, event, made)
    if masking is not None:
        chooser, condition, chosen, mask_step = masking
        sentences.append(
            _(
                "{chooser} does not keep it out: what is not chosen gets the gradient 0, and 0 × {factor} is nan",
                chooser=chooser, factor=_factor(timeline, step),
            )
        )  # fmt: skip
        fix_is_possible = (
            operand is not None
            and made is not None
            and _condition_was_known(timeline, state, event.node, condition, mask_step)
        )
        if fix_is_possible and operand is not None and node.name in _ELEMENTWISE:
            sentences.append(_("give the operation another input there, {fix} in place of {name}",
                           fix=_masked_fix(node.name, operand, condition, chosen), name=operand.name))  # fmt: skip
    elif operand is not None and made is not None:
        fix = _fix(node.name, operand, event, made.dtype)
        divisor = state.tensors.get(operand.tensor or 0) if node.name in _QUOTIENTS else None
        root = state.nodes.get(divisor.node or 0) if divisor is not None else None
        if fix is not None and root is not None and root.name in _FINITE_ABOVE_ZERO:
            # a fix after the root would not help: 0 × inf is nan
            root_operation = find_operation(timeline, step, root.node)
            operand = None if root_operation is None else _culprit(root_operation, root.name)
            fix = None if operand is None else _clamp_fix(operand.name, made.dtype)
        if fix is not None and operand is not None:
            sentences.append(_("keep its input away from there, {fix} in place of {name}", fix=fix, name=operand.name))
    if node.name in _SOFTMAXES and made is not None and _has_all_inf_row(made.operands[0]):
        sentences.append(_("where all that it is taken of is -inf, its result is nan already: leave a finite number"))
    return formatting.listed(sentences)


def _nonfinite_kind(value: Value) -> str | None:
    """Return `nan` or `inf` where a gradient has one; else None."""
    if isinstance(value, dict) and "data" not in value:
        stats = value.get("stats") or {}
        return "nan" if stats.get("nan") else "inf" if stats.get("inf") else None
    nonfinite = [x for x in elements(value) or () if isinstance(x, float) and not isfinite(x)]
    return None if not nonfinite else "nan" if any(map(isnan, nonfinite)) else "inf"


def _was_made_earlier(timeline: Timeline, step: int) -> bool:
    """Return whether an earlier node of the pass sent a nan or inf."""
    info = timeline.pass_of(step)
    events = (timeline.event(earlier) for earlier in range(info.start_step if info is not None else step, step))
    return any(
        _nonfinite_kind(value) is not None for event in events if isinstance(event, Node) for value in event.grad_inputs
    )


def _culprit(made: RecordedOp, node: str) -> Operand | None:
    """Return the operand at which the derivative is not finite (of a quotient, the divisor); None where it has no
    name."""
    place = 1 if node == "DivBackward0" else 0
    if node == "ReciprocalBackward0" and len(made.operands) > 1:  # of 1 / x
        place = next((index for index, operand in enumerate(made.operands) if operand.tensor is not None), 0)
    operand = made.operands[place] if place < len(made.operands) else None
    if operand is None or operand.tensor is None or "%" in operand.name or "…" in operand.name:
        return None
    return operand if isinstance(parse(operand.name), ast.Module) else None


def _factor(timeline: Timeline, step: int) -> str:
    """Return what 0 is multiplied by, as far as the values tell."""
    summary = summarize_node(timeline, step)
    for claim in summary.claims if summary is not None else ():
        grid = claim.share.derivative
        nonfinite = [x for x in grid.flat if not isfinite(x)] if grid is not None else []
        if nonfinite:
            return "nan" if all(map(isnan, nonfinite)) else "inf"
    return _("inf or nan")


# ---------------------------------------------------------------- masked after the operation


def _masking_operation(
    timeline: Timeline, state: State, event: Node, made: RecordedOp | None
) -> tuple[str, str, bool, int] | None:
    """Return the `where` or `masked_fill` that did not keep a nan out: 0 reached an element, and 0 × inf is nan.

    Returns:
        Its name, its condition, whether this node's result is taken where the condition is true, and its step; None
        where there is none.
    """
    if not _zero_became_nan(event):
        return None
    for number, place in _consumers(state, event.node):
        node = state.nodes[number]
        if node.name not in ("WhereBackward0", "MaskedFillBackward0"):
            continue
        step = timeline.operation(node)
        call = None if step is None else _call(timeline, step)
        condition = None if call is None else _condition(call)
        if step is None or condition is None or (made is not None and made.result.shape != node.shape):
            return None
        chooser = "where" if node.name == "WhereBackward0" else "masked_fill"
        return chooser, condition, node.name == "WhereBackward0" and place == 0, step
    return None


def _zero_became_nan(event: Node) -> bool:
    """Return whether an element got 0 and sent nan."""
    incoming = elements(event.grad_outputs[0]) if len(event.grad_outputs) == 1 else None
    for value in event.grad_inputs:
        sent = elements(value)
        if incoming is None or sent is None or len(incoming) != len(sent):
            continue
        if any(a == 0 and isinstance(b, float) and isnan(b) for a, b in zip(incoming, sent, strict=True)):
            return True
    return False


def _consumers(state: State, node: int) -> Iterator[tuple[int, int]]:
    """Yield the nodes that gradients came from on the way to a node, nearest first, with the index of the input they
    went along."""
    ran = [] if state.last_pass is None else state.last_pass.ran
    queue, seen = [node], {node}
    while queue and len(seen) < _MOST_NODES:
        number = queue.pop(0)
        for consumer in ran:
            consumer_node = state.nodes.get(consumer)
            for place, source in enumerate(consumer_node.inputs if consumer_node is not None else ()):
                if source is not None and source[0] == number and consumer not in seen:
                    seen.add(consumer)
                    queue.append(consumer)
                    yield consumer, place


def _call(timeline: Timeline, step: int) -> ast.Call | None:
    """Return the method or function call of a step; None where its code is none."""
    tree = parse((timeline.view(step).code or "").strip())
    body = tree.body if isinstance(tree, ast.Module) else []
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    return value if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) else None


def _condition(call: ast.Call) -> str | None:
    """Return the condition of `torch.where(c, a, b)`, `a.where(c, b)` and `a.masked_fill(c, v)`."""
    assert isinstance(call.func, ast.Attribute)
    receiver = ast.unparse(call.func.value)
    if call.func.attr not in ("where", "masked_fill", "masked_fill_") or not call.args:
        return None
    return ast.unparse(call.args[1 if receiver == "torch" and call.func.attr == "masked_fill" else 0])


# ---------------------------------------------------------------- fixes


def _masked_fix(node: str, operand: Operand, condition: str, chosen: bool) -> str:
    """Return the input masked before the operation: `torch.where(x > 0, x, 1.0)`."""
    safe = "0.5" if node in (*_FINITE_WITHIN_ONE, "AtanhBackward0") else "1.0"
    sides = f"{_normalized_source(operand.name)}, {safe}" if chosen else f"{safe}, {_normalized_source(operand.name)}"
    return f"torch.where({condition}, {sides})"


def _fix(node: str, operand: Operand, event: Node, dtype: str) -> str | None:
    """Return the input kept where the derivative is finite; None where that would not help for all nan or inf
    elements."""
    name, values = operand.name, _culprit_values(event, operand)
    if not values:
        return None
    if node in (*_FINITE_ABOVE_ZERO, "PowBackward1") and max(values) <= 0:
        return _clamp_fix(name, dtype)
    if node in _QUOTIENTS and not any(values):
        return f"torch.where({_normalized_source(name)} == 0, 1.0, {_normalized_source(name)})"
    if node in _FINITE_WITHIN_ONE and min(map(abs, values)) >= 1:
        return f"{name}.clamp(-0.9999, 0.9999)"
    return None


def _clamp_fix(name: str, dtype: str) -> str:
    """Return the input clamped above 0."""
    return f"{name}.clamp(min={'1e-4' if dtype in ('float16', 'bfloat16') else '1e-8'})"


def _has_all_inf_row(operand: Operand) -> bool:
    """Return whether a row along the last dimension is all -inf."""
    if operand.grid is None or not operand.shape:
        return False
    flat, width = list(operand.grid.flat), operand.shape[-1]
    rows = [flat[at : at + width] for at in range(0, len(flat), width or 1)]
    return any(row and all(x == float("-inf") for x in row) for row in rows)


def _condition_was_known(timeline: Timeline, state: State, node: int, condition: str, step: int) -> bool:
    """Return whether the tensors of a condition existed, with these names, before a node's operation."""
    node_state, tree = state.nodes[node], parse(condition)
    step_made = timeline.columns.operation(node_state.operation or node_state.within)
    if step_made is None or tree is None:
        return False
    before, now = names_of(timeline.state(step_made - 1)), names_of(timeline.state(step - 1))
    names = {name_node.id for name_node in ast.walk(tree) if isinstance(name_node, ast.Name)}
    return all(before.get(name) == now[name] for name in names if name in now)


def _culprit_values(event: Node, operand: Operand) -> list[float]:
    """Return an operand's values where its gradient is nan or inf; empty where one is unknown or not finite itself."""
    operand_values = operand.grid.flat if operand.grid is not None else ()
    values: list[float] = []
    for value in event.grad_inputs:
        sent = elements(value) or []
        if len(sent) == len(operand_values):
            values += [x for x, g in zip(operand_values, sent, strict=True) if isinstance(g, float) and not isfinite(g)]
    return values if all(map(isfinite, values)) else []


def _normalized_source(name: str) -> str:
    """Return an expression without superfluous parentheses."""
    tree = parse(name)
    body = tree.body if isinstance(tree, ast.Module) else []
    return ast.unparse(body[0]) if len(body) == 1 else name
