"""The node that made the first nan or inf of a backward pass, why, and how to keep it out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from math import isfinite, isnan

from tutor.explain import formatting
from tutor.explain.node import summarize_node
from tutor.explain.provenance import RecordedOp, maker
from tutor.explain.rules.registry import Operand
from tutor.i18n import _
from tutor.trace.events import Node
from tutor.trace.names import names_of
from tutor.trace.source import parse
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements
from tutor.trace.wire_types import Value

_MOST = 50
"""So many nodes are gone through from the one that made it to a `where`."""
_FROM_BELOW = ("LogBackward0", "Log2Backward0", "Log10Backward0", "SqrtBackward0", "RsqrtBackward0", "PowBackward0")
"""What has a finite derivative above 0."""
_SOFT = ("SoftmaxBackward0", "LogSoftmaxBackward0")
_QUOTIENTS = ("DivBackward0", "ReciprocalBackward0")
_WITHIN_ONE = ("AsinBackward0", "AcosBackward0")
_ALONE = (*_FROM_BELOW, *_QUOTIENTS, *_WITHIN_ONE, "ExpBackward0", "AtanhBackward0", "PowBackward1")
"""What works element by element, and has a finite derivative at 1 (at 0.5 for those within one)."""


def first_made(timeline: Timeline, step: int) -> str | None:
    """At the step of the node that made the first nan or inf gradient of its pass: that it did."""
    event, state = timeline.event(step), timeline.state(step)
    node = state.nodes.get(event.node) if isinstance(event, Node) else None
    if not isinstance(event, Node) or node is None or any(map(_bad, event.grad_outputs)):
        return None
    bad = [_bad(value) for value in event.grad_inputs]
    kind = next((one for one in ("nan", "inf") if one in bad), None)
    if kind is None or _earlier(timeline, step):
        return None
    said = [_("{node} makes the first {kind} of this pass", node=node.name, kind=kind)]
    made = maker(timeline, step, event.node)
    operand = None if made is None else _cause(made, node.name)
    kept = _kept_out(timeline, state, event, made)
    if kept is not None:
        chooser, condition, chosen, chose = kept
        said.append(
            _(
                "{chooser} does not keep it out: what is not chosen gets the gradient 0, and 0 × {factor} is nan",
                chooser=chooser, factor=_factor(timeline, step),
            )
        )  # fmt: skip
        told = operand is not None and made is not None and _is_known(timeline, state, event.node, condition, chose)
        if told and operand is not None and node.name in _ALONE:
            said.append(_("give the operation another input there, {fix} in place of {name}",
                           fix=_chosen(node.name, operand, condition, chosen), name=operand.name))  # fmt: skip
    elif operand is not None and made is not None:
        fix = _kept_away(node.name, operand, event, made.dtype)
        divisor = state.tensors.get(operand.tensor or 0) if node.name in _QUOTIENTS else None
        root = state.nodes.get(divisor.node or 0) if divisor is not None else None
        if fix is not None and root is not None and root.name in _FROM_BELOW:  # of no use after it: 0 × inf is nan
            before = maker(timeline, step, root.node)
            operand = None if before is None else _cause(before, root.name)
            fix = None if operand is None else _above(operand.name, made.dtype)
        if fix is not None and operand is not None:
            said.append(_("keep its input away from there, {fix} in place of {name}", fix=fix, name=operand.name))
    if node.name in _SOFT and made is not None and _of_nothing(made.operands[0]):
        said.append(_("where all that it is taken of is -inf, its result is nan already: leave a finite number"))
    return formatting.listed(said)


def _bad(value: Value) -> str | None:
    """`nan` or `inf`, where a gradient holds one."""
    if isinstance(value, dict) and "data" not in value:
        stats = value.get("stats") or {}
        return "nan" if stats.get("nan") else "inf" if stats.get("inf") else None
    wrong = [x for x in elements(value) or () if isinstance(x, float) and not isfinite(x)]
    return None if not wrong else "nan" if any(map(isnan, wrong)) else "inf"


def _earlier(timeline: Timeline, step: int) -> bool:
    """Whether a node of the pass had sent one before."""
    info = timeline.pass_of(step)
    events = (timeline.event(one) for one in range(info.start_step if info is not None else step, step))
    return any(_bad(value) is not None for event in events if isinstance(event, Node) for value in event.grad_inputs)


def _cause(made: RecordedOp, node: str) -> Operand | None:
    """The operand at which the derivative is no number: the divisor of a quotient."""
    place = 1 if node == "DivBackward0" else 0
    if node == "ReciprocalBackward0" and len(made.operands) > 1:  # of 1 / x
        place = next((at for at, one in enumerate(made.operands) if one.tensor is not None), 0)
    operand = made.operands[place] if place < len(made.operands) else None
    if operand is None or operand.tensor is None or "%" in operand.name or "…" in operand.name:
        return None
    return operand if isinstance(parse(operand.name), ast.Module) else None


def _factor(timeline: Timeline, step: int) -> str:
    """What 0 is multiplied by, as far as the numbers tell."""
    told = summarize_node(timeline, step)
    for claim in told.claims if told is not None else ():
        grid = getattr(claim.share, "grid", None)
        wrong = [x for x in grid.flat if not isfinite(x)] if grid is not None else []
        if wrong:
            return "nan" if all(map(isnan, wrong)) else "inf"
    return _("inf or nan")


# ---------------------------------------------------------------- chosen afterwards


def _kept_out(
    timeline: Timeline, state: State, event: Node, made: RecordedOp | None
) -> tuple[str, str, bool, int] | None:
    """Where 0 arrived at an element that became nan, as `where` or `masked_fill` had not chosen it: which of them, the
    condition, whether what was made here is chosen where that is true, and the step."""
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
    arrived = elements(event.grad_outputs[0]) if len(event.grad_outputs) == 1 else None
    for value in event.grad_inputs:
        sent = elements(value)
        if arrived is None or sent is None or len(arrived) != len(sent):
            continue
        if any(a == 0 and isinstance(b, float) and isnan(b) for a, b in zip(arrived, sent, strict=True)):
            return True
    return False


def _consumers(state: State, node: int) -> Iterator[tuple[int, int]]:
    """The nodes that gradients come from on their way to a node, the nearest first, each with the input of it that
    leads there."""
    ran = [] if state.last_pass is None else state.last_pass.ran
    waiting, seen = [node], {node}
    while waiting and len(seen) < _MOST:
        number = waiting.pop(0)
        for consumer in ran:
            held = state.nodes.get(consumer)
            for place, source in enumerate(held.inputs if held is not None else ()):
                if source is not None and source[0] == number and consumer not in seen:
                    seen.add(consumer)
                    waiting.append(consumer)
                    yield consumer, place


def _call(timeline: Timeline, step: int) -> ast.Call | None:
    tree = parse((timeline.view(step).code or "").strip())
    body = tree.body if isinstance(tree, ast.Module) else []
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    return value if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) else None


def _condition(call: ast.Call) -> str | None:
    """The condition of `torch.where(c, a, b)`, `a.where(c, b)` and `a.masked_fill(c, v)`."""
    assert isinstance(call.func, ast.Attribute)
    receiver = ast.unparse(call.func.value)
    if call.func.attr not in ("where", "masked_fill", "masked_fill_") or not call.args:
        return None
    return ast.unparse(call.args[1 if receiver == "torch" and call.func.attr == "masked_fill" else 0])


# ---------------------------------------------------------------- fixes


def _chosen(node: str, operand: Operand, condition: str, chosen: bool) -> str:
    """`torch.where(x > 0, x, 1.0)`"""
    safe = "0.5" if node in (*_WITHIN_ONE, "AtanhBackward0") else "1.0"
    sides = f"{_bare(operand.name)}, {safe}" if chosen else f"{safe}, {_bare(operand.name)}"
    return f"torch.where({condition}, {sides})"


def _kept_away(node: str, operand: Operand, event: Node, dtype: str) -> str | None:
    """How to keep the input away from where the derivative is no number, if that is what made all of them."""
    name, wrong = operand.name, _wrong(event, operand)
    if not wrong:
        return None
    if node in (*_FROM_BELOW, "PowBackward1") and max(wrong) <= 0:
        return _above(name, dtype)
    if node in _QUOTIENTS and not any(wrong):
        return f"torch.where({_bare(name)} == 0, 1.0, {_bare(name)})"
    if node in _WITHIN_ONE and min(map(abs, wrong)) >= 1:
        return f"{name}.clamp(-0.9999, 0.9999)"
    return None


def _above(name: str, dtype: str) -> str:
    return f"{name}.clamp(min={'1e-4' if dtype in ('float16', 'bfloat16') else '1e-8'})"


def _of_nothing(operand: Operand) -> bool:
    """Whether numbers along the last dimension are all -inf."""
    if operand.grid is None or not operand.shape:
        return False
    flat, width = list(operand.grid.flat), operand.shape[-1]
    rows = [flat[at : at + width] for at in range(0, len(flat), width or 1)]
    return any(row and all(x == float("-inf") for x in row) for row in rows)


def _is_known(timeline: Timeline, state: State, node: int, condition: str, step: int) -> bool:
    """Whether the tensors of a condition were there, by these names, before the operation of a node."""
    held, parts = state.nodes[node], parse(condition)
    made = timeline.columns.operation(held.operation or held.within)
    if made is None or parts is None:
        return False
    before, now = names_of(timeline.state(made - 1)), names_of(timeline.state(step - 1))
    mentioned = {one.id for one in ast.walk(parts) if isinstance(one, ast.Name)}
    return all(before.get(name) == now[name] for name in mentioned if name in now)


def _wrong(event: Node, operand: Operand) -> list[float]:
    """What an operand holds where its gradient is nan or inf; nothing where that is not known, or no number itself."""
    held = operand.grid.flat if operand.grid is not None else ()
    found: list[float] = []
    for value in event.grad_inputs:
        sent = elements(value) or []
        if len(sent) == len(held):
            found += [x for x, g in zip(held, sent, strict=True) if isinstance(g, float) and not isfinite(g)]
    return found if all(map(isfinite, found)) else []


def _bare(name: str) -> str:
    tree = parse(name)
    body = tree.body if isinstance(tree, ast.Module) else []
    return ast.unparse(body[0]) if len(body) == 1 else name
