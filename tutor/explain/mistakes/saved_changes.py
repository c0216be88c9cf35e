"""Find changes of tensors that nodes saved for backward, and say why a second pass would fail.

A change in place that autograd counts (a new version) makes backward fail; one that it cannot see (through `.data`)
makes the gradient wrong.
"""

from __future__ import annotations

from tutor.explain import formatting
from tutor.explain.mistakes.context import StepContext
from tutor.explain.mistakes.registry import Diagnosis, remember, silent_mistake
from tutor.explain.provenance import find_operation
from tutor.explain.rules.arrays import allclose
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
from tutor.trace.names import name_of
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

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
    before, after = timeline.state(since), context.state
    saved_by_tensor: dict[tuple[int, bool], list[SavedTensor]] = {}
    for saved in saved_tensors_sharing(after, changed) if changed else ():
        old, new = before.tensors.get(saved.tensor), after.tensors.get(saved.tensor)
        if old is None or new is None or old is new or saved.node.node not in before.nodes or not saved.fits:
            continue
        if old.version != new.version or _has_old_memory(saved, new) or not is_read(timeline, saved):
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
            old=formatting.value(was.value, was.dtype), version=now.version, new=formatting.value(now.value, now.dtype),
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
