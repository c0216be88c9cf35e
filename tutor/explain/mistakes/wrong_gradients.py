"""Find gradients that come out wrong: the first nan or inf of a pass, and changed saved tensors.

A change in place that autograd counts (a new version) makes backward fail; one that it cannot see (through `.data`)
makes the gradient wrong. Also why a second pass would fail.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from math import inf, isfinite, isnan, prod

from tutor.explain import formatting
from tutor.explain.mistakes.context import StepContext, parse_code, parse_expression, strip_parentheses
from tutor.explain.mistakes.registry import Diagnosis, remember, silent_mistake
from tutor.explain.node import summarize_node
from tutor.explain.provenance import RecordedOp, find_operation
from tutor.explain.rules.arrays import allclose
from tutor.explain.rules.registry import Operand
from tutor.explain.saved_tensors import (
    ROLES,
    SavedTensor,
    WrongGradient,
    changed_values,
    differ,
    grid_text,
    is_read,
    name_or_view_of,
    node_label,
    nodes_before_failures,
    nodes_of_last_pass,
    saved_by,
    saved_name,
    saved_nothing,
    saved_tensors_sharing,
    version_of,
    views_of_memory,
    wrong_gradients,
)
from tutor.i18n import N_, _, ngettext
from tutor.trace import navigation
from tutor.trace.events import BackwardEnd, Node, Snapshot
from tutor.trace.index import KIND_NUMBERS
from tutor.trace.names import name_of, names_of
from tutor.trace.number_format import inline
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value, elements

# ---------------------------------------------------------------- the first nan or inf

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


@silent_mistake("node")
def explain_first_nonfinite(context: StepContext) -> Diagnosis | None:
    """Say that this node made the first nan or inf of its pass, why, and how to prevent it."""
    timeline, step, event, state = context.timeline, context.step, context.event, context.state
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
            operand is not None and made is not None and _condition_was_known(context, event.node, condition, mask_step)
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
    if node.name in _SOFTMAXES and made is not None and _has_all_inf_row(made.operands[0], node.attributes.get("dim")):
        sentences.append(_("where all that it is taken of is -inf, its result is nan already: leave a finite number"))
    return Diagnosis(sentences[0], fix=formatting.listed(sentences[1:]))


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
    return operand if parse_code(operand.name).body else None


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
    value = parse_expression((timeline.view(step).code or "").strip())
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
    sides = f"{strip_parentheses(operand.name)}, {safe}" if chosen else f"{safe}, {strip_parentheses(operand.name)}"
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
        return f"torch.where({strip_parentheses(name)} == 0, 1.0, {strip_parentheses(name)})"
    if node in _FINITE_WITHIN_ONE and min(map(abs, values)) >= 1:
        return f"{name}.clamp(-0.9999, 0.9999)"
    return None


def _clamp_fix(name: str, dtype: str) -> str:
    """Return the input clamped above 0."""
    return f"{name}.clamp(min={'1e-4' if dtype in ('float16', 'bfloat16') else '1e-8'})"


def _has_all_inf_row(operand: Operand, dim: object) -> bool:
    """Return whether all elements along a dimension are -inf somewhere."""
    if operand.grid is None or not isinstance(dim, int) or not operand.shape:
        return False
    flat, stride = operand.grid.flat, prod(operand.shape[dim % len(operand.shape) + 1 :])
    block = stride * operand.shape[dim]
    rows = (
        flat[start + at : start + block : stride] for start in range(0, len(flat), block or 1) for at in range(stride)
    )
    return any(row and all(x == -inf for x in row) for row in rows)


def _condition_was_known(context: StepContext, node: int, condition: str, step: int) -> bool:
    """Return whether the tensors of a condition existed, with these names, before a node's operation."""
    step_made = context.step_made(context.state.nodes[node])
    if step_made is None:
        return False
    before, now = names_of(context.timeline.state(step_made - 1)), names_of(context.timeline.state(step - 1))
    names = {name_node.id for name_node in ast.walk(parse_code(condition)) if isinstance(name_node, ast.Name)}
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


# ---------------------------------------------------------------- changes of saved tensors

_CHANGING = ("line", "op", "cell_end", "captured", "retained", "hook", "failed")
"""The kinds of steps at which the learner's code may have changed a tensor."""
_NODE = KIND_NUMBERS["node"]
_PASSES = 20
"""Maximum passes before a change that are looked at."""
_NAMED = 3
"""Maximum nodes that are named; the others are counted."""


@remember
def _changed_tensors(timeline: Timeline, step: int) -> tuple[int, set[int]]:
    """Return the tensors that have another version or value after a step than after an earlier one, and that one.

    The earlier one is the step before; over composites it is the last step outside.
    """
    since = step - 1
    if not timeline.columns.depths[step - 1]:
        since = navigation.back(timeline, step, inside=0) or 0
    snapshots = [
        event
        for between in range(since + 1, step + 1)
        for event in timeline.following(between)
        if isinstance(event, Snapshot)
    ]
    if not snapshots:
        return since, set()
    before = timeline.state(since).tensors
    return since, {
        event.tensor
        for event in snapshots
        if (old := before.get(event.tensor)) is not None and (event.value is not None or event.version != old.version)
    }


# ---------------------------------------------------------------- changes in place


@silent_mistake(*_CHANGING)
def explain_counted_change(context: StepContext) -> list[Diagnosis]:
    """Say of each saved tensor that was changed in place that a pass fails on it, or would.

    Of a leaf, and of what a pass went through, only where a later pass of this recording does.
    """
    timeline, (since, changed) = context.timeline, _changed_tensors(context.timeline, context.step)
    tensors = _outdated(context, since, changed) if changed else []
    if not tensors:
        return []
    failing, diagnoses = nodes_before_failures(timeline, context.step), []
    for certain in (True, False):
        by_tensor: dict[int, list[SavedTensor]] = {}
        for saved in tensors:
            if (saved.node.node in failing) == certain and (certain or _awaits_a_pass(context, saved)):
                by_tensor.setdefault(saved.tensor, []).append(saved)
        role = "error" if certain else "quiet"
        diagnoses += [
            Diagnosis(_describe_counted(context.state, several, certain=certain), role=role)
            for several in by_tensor.values()
        ]
    return diagnoses


def _outdated(context: StepContext, since: int, changed: set[int]) -> list[SavedTensor]:
    """Return what was saved and still fitted after step `since`, but no longer does."""
    before = context.timeline.state(since)
    return [
        saved
        for saved in saved_tensors_sharing(context.state, changed)
        if saved.tensor and not saved.fits and saved.node.node in before.nodes
        and version_of(before, saved.tensor, saved.storage) == saved.version
    ]  # fmt: skip


def _awaits_a_pass(context: StepContext, saved: SavedTensor) -> bool:
    """Return whether a pass through the node may still come: none was, and no leaf was changed."""
    timeline, state = context.timeline, context.state
    if any(
        tensor_state.storage == saved.storage and tensor_state.is_leaf and tensor_state.requires_grad
        for tensor_state in state.tensors.values()
    ):
        return False
    earlier = [info for info in timeline.passes if info.end_step is not None and info.end_step <= context.step]
    passes = (timeline.state(info.end_step or 0).last_pass for info in earlier[-_PASSES:])
    return not any(last is not None and saved.node.node in last.ran for last in passes)


def _describe_counted(state: State, several: list[SavedTensor], *, certain: bool) -> str:
    """Say which nodes saved a tensor that has another version now."""
    first, name = several[0], name_of(state, several[0].tensor)
    if name is None:
        views = {
            number: view_name
            for number in views_of_memory(state, first)
            if (view_name := name_of(state, number)) is not None
        }
        leaf = next((view_name for number, view_name in views.items() if state.tensors[number].is_leaf), None)
        view = next(iter(views.values()), None)
        name = saved_name(state, first) if view is None else leaf or _("the storage of {tensor}", tensor=view)
    template = (
        _("{tensor} was kept by {nodes} at version {old} and is now at version {new}: backward will fail")
        if certain
        else _("{tensor} was kept by {nodes} at version {old} and is now at version {new}: backward would fail")
    )
    return template.format(tensor=name, nodes=_node_labels(state, several), old=first.version, new=first.now)


def _node_labels(state: State, several: list[SavedTensor]) -> str:
    """Return the labels of the nodes that saved these tensors."""
    labels = list({saved.node.node: node_label(state, saved.node, saved.tensor) for saved in several}.values())
    return formatting.joined([*labels[:_NAMED], *_more_nodes(len(labels) - _NAMED)])


def _more_nodes(count: int) -> list[str]:
    return [ngettext("{count} more node", "{count} more nodes", count)] if count > 0 else []


# ---------------------------------------------------------------- changes that autograd cannot see


@silent_mistake(*_CHANGING)
def explain_unseen_change(context: StepContext) -> list[Diagnosis]:
    """Say of each saved tensor that was changed without a new version that autograd cannot see it.

    Without changes that make no difference to a gradient of this recording.
    """
    timeline, (since, changed) = context.timeline, _changed_tensors(context.timeline, context.step)
    if not changed:
        return []
    before, after = timeline.state(since), context.state
    saved_by_tensor: dict[tuple[int, bool], list[SavedTensor]] = {}
    for saved in saved_tensors_sharing(after, changed):
        old, new = before.tensors.get(saved.tensor), after.tensors.get(saved.tensor)
        if old is None or new is None or old is new or saved.node.node not in before.nodes or not saved.fits:
            continue
        if old.version != new.version or _has_old_memory(saved, new) or not is_read(saved):
            continue
        if differ(old.value, new.value):
            next_run = _next_run(timeline, saved.node.node, context.step)
            if next_run is None or _wrong_gradients_at(timeline, next_run) is not None:
                saved_by_tensor.setdefault((saved.tensor, next_run is not None), []).append(saved)
    diagnoses = []
    for (number, will_run), several in saved_by_tensor.items():
        was, now = before.tensors[number], after.tensors[number]
        template = (
            N_("{tensor} was kept by {nodes} as {old}, and its version stays {version}: autograd cannot see the "
                  "change, backward will use {new}")
            if will_run
            else N_("{tensor} was kept by {nodes} as {old}, and its version stays {version}: autograd cannot see "
                       "the change, backward would use {new}")
        )  # fmt: skip
        text = _(
            template, tensor=name_or_view_of(after, several[0]), nodes=_node_labels(after, several),
            old=inline(was.value, was.dtype), version=now.version, new=inline(now.value, now.dtype),
        )  # fmt: skip
        diagnoses.append(Diagnosis(text, role="error" if will_run else "quiet"))
    return diagnoses


def _next_run(timeline: Timeline, node: int, since: int) -> int | None:
    """Return the step after `since` at which a node runs next; None where it does not."""
    step = since
    while step := timeline.columns.kinds.find(_NODE, step) + 1:
        event = timeline.event(step)
        if isinstance(event, Node) and event.node == node:
            return step
    return None


def _has_old_memory(saved: SavedTensor, tensor: TensorState) -> bool:
    """Return whether a node still has the old memory of its own result, which was given another (`y.data = …`)."""
    return tensor.storage != saved.storage and saved.node.tensor == saved.tensor and not tensor.is_leaf


@silent_mistake("node", priority=1)
def explain_wrong_gradient(context: StepContext) -> Diagnosis | None:
    """Say at the step of a node what came of a saved tensor that changed under the same version."""
    timeline, step = context.timeline, context.step
    result = _wrong_gradients_at(timeline, step)
    if result is None:
        return None
    changes, gradients = result
    if gradients is None:
        return Diagnosis(_("{changed}: the gradient may not be the true one", changed=changes))
    info = timeline.pass_of(step)
    earlier = range(info.start_step + 1 if info is not None else step, step)
    already_wrong = any(_wrong_gradients_at(timeline, at) is not None for at in earlier)
    template = (
        N_("grad({target}) = {sent}, and {true} with what it had kept")
        if already_wrong
        else N_("grad({target}) = {sent}, where {true} is right")
    )
    texts = [
        _(template, target=gradient.target, sent=grid_text(gradient.sent), true=grid_text(gradient.true))
        for gradient in gradients
    ]
    clauses = list(dict.fromkeys(texts))  # of k·k both factors get the same
    return Diagnosis(_("{changed}: {what}", changed=changes, what=formatting.clauses(clauses)))


@remember
def _wrong_gradients_at(timeline: Timeline, step: int) -> tuple[str, list[WrongGradient] | None] | None:
    """Return the unseen changes of what a node saved, as text, and the gradients that came out wrong; None in their
    place where that is not known. None where nothing changed, or all gradients are right."""
    event, state = timeline.event(step), timeline.state(step)
    node = state.nodes.get(event.node) if isinstance(event, Node) else None
    if node is None or not node.kept or not isinstance(event, Node):
        return None
    made = find_operation(timeline, step, event.node)
    if made is None:
        return None
    changed = changed_values(timeline, state, node, made)
    if not changed:
        return None
    changes = formatting.clauses(
        [
            _("{tensor} was {old} when {node} kept it and is {new}", tensor=name, old=grid_text(old_grid),
               node=node.name, new=grid_text(new_grid))
            for name, old_grid, new_grid in changed.values()
        ]
    )  # fmt: skip
    text = _("{what}, changed where autograd cannot see it", what=changes)
    gradients = wrong_gradients(
        state, node, event, made, {number: new_grid for number, (_, _, new_grid) in changed.items()}
    )
    if gradients is None:
        return text, None
    scale = _largest_incoming(event)
    wrong = [gradient for gradient in gradients if not allclose(gradient.true, gradient.sent, made.dtype, scale)]
    return (text, wrong) if wrong else None


def _largest_incoming(event: Node) -> float:
    """Return the largest absolute value of the incoming gradients."""
    values = [elements(value) or () for value in event.grad_outputs]
    return max((abs(x) for flat in values for x in flat if isinstance(x, int | float)), default=0.0)


# ---------------------------------------------------------------- a second pass


@silent_mistake("backward_end")
def explain_second_pass(context: StepContext) -> Diagnosis | None:
    """Say after a pass why a second one through its graph would fail or not."""
    text = None
    if isinstance(context.event, BackwardEnd) and context.event.ok:
        text = describe_second_pass(context.state)
    return None if text is None else Diagnosis(text, role="quiet")


def describe_second_pass(state: State) -> str | None:
    """Return, after a pass, why a second one through its graph would fail or not; None where that is not known, or none
    can be started."""
    last = state.last_pass
    if last is None or last.running or last.retain_graph:
        return None
    roots = [state.tensors[root].node for root in last.roots if root in state.tensors]
    if not any(root is not None and root in state.nodes and not state.nodes[root].gone for root in roots):
        return None
    ran = nodes_of_last_pass(state)
    savers = [node for node in ran if node.kept]
    if savers:
        clauses = [
            _("{node} had saved {tensors}", node=node_label(state, node), tensors=_saved_text(state, node))
            for node in savers[:_NAMED]
        ]
        why = formatting.clauses([*clauses, *_more_nodes(len(savers) - _NAMED)])
        return _("a second pass would fail: {why}", why=why)
    if saved_nothing(state):
        return _(
            "a second pass would not fail, it would add to the gradients again: {nodes} saved nothing",
            nodes=_node_names(ran),
        )
    return None


def _node_names(nodes: list[NodeState]) -> str:
    names = list(dict.fromkeys(node.name for node in nodes))
    return formatting.joined(names) if len(names) <= _NAMED else _("its nodes")


def _saved_text(state: State, node: NodeState) -> str:
    saved = sorted(
        saved_by(state, node), key=lambda saved_tensor: saved_tensor.name != "self"
    )  # in the order in which one writes them
    names = list(dict.fromkeys(saved_name(state, saved_tensor) for saved_tensor in saved))
    if names[:2] == [_(ROLES["self"]), _(ROLES["other"])]:
        names[:2] = [_("both its inputs")]
    return formatting.joined(names)
