"""Find leaves that get gradients in vain: no optimizer changes them, or their name means another tensor."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from tutor.explain import formatting
from tutor.explain.mistakes.context import StepContext, has_gradient, parse_code
from tutor.explain.mistakes.registry import Diagnosis, remember, silent_mistake
from tutor.explain.optimizers import finished_steps
from tutor.i18n import _, ngettext
from tutor.trace.events import Accumulate, Captured, Op, OptimizerStep
from tutor.trace.names import name_of, names_of
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline

# ---------------------------------------------------------------- a name that means another tensor


@silent_mistake("accumulate", priority=1)
def explain_lost_leaf(context: StepContext) -> Diagnosis | None:
    """Say where a leaf gets its gradient that its name means another tensor now, which gets none."""
    event, state = context.event, context.timeline.moment(context.step)
    if not isinstance(event, Accumulate) or not formatting.is_rebound(state, event.tensor):
        return None
    name = state.tensors[event.tensor].label or ""
    current = state.tensors.get(names_of(state).get(name, 0))
    if current is None or current.is_leaf or current.retains_grad:
        return None
    node = None if current.node is None else state.nodes.get(current.node)
    created = None if node is None else context.timeline.operation(node)
    line = None if created is None else context.timeline.view(created).line
    if line is None:
        return Diagnosis(_("{name} means another tensor now, which is no leaf: {name}.grad gets nothing", name=name))
    text = _("since line {line} {name} means another tensor, which is no leaf: {name}.grad gets nothing", name=name,
              line=line)  # fmt: skip
    return Diagnosis(text, created)


# ---------------------------------------------------------------- parameters that no optimizer changes

_MAX_NAMED = 2
"""Maximum parameters named in a sentence."""


@dataclass(frozen=True)
class _TrainingFacts:
    """Which parameters get gradients and which are optimized, in a whole recording."""

    reached: dict[int, list[int]]
    """By unoptimized leaf: the steps at which it got a gradient."""
    together: dict[int, list[int]]
    """The same, for passes alone in which an optimized tensor got a gradient too."""
    trains: bool
    """Whether optimizers change parameters of modules: a model is trained, not an image or a code for a fixed one."""
    first: int
    """The step of the recording at which an optimizer stepped first; 0 if none did."""
    name: str
    """The class of that optimizer."""


@remember
def _training_facts(timeline: Timeline) -> _TrainingFacts:
    """Return the facts of a recording."""
    optimized: set[int] = set()
    first, name = 0, ""
    for side_event in timeline.side_events:
        if isinstance(side_event.event, OptimizerStep):
            optimized.update(update.tensor for update in side_event.event.updates)
            optimized.update(side_event.event.others)
            if not name:
                first, name = side_event.step, side_event.event.optimizer
    reached, together = _unoptimized_leaves(timeline, optimized) if name else ({}, {})
    tensors = timeline.state(first).tensors
    trains = any(serial in tensors and tensors[serial].class_name == "Parameter" for serial in optimized)
    return _TrainingFacts(reached, together, trains, first, name)


def _unoptimized_leaves(timeline: Timeline, optimized: set[int]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Return the steps at which leaves that no optimizer changes got gradients, and those in passes with optimized
    leaves.

    A leaf that `autograd.grad` is asked for is left out: its gradient is the result.
    """
    reached: dict[int, list[int]] = {}
    together: dict[int, list[int]] = {}
    captured: set[int] = set()
    accumulated: list[tuple[int, int]] = []
    depth, has_optimized = 0, False
    for step in range(1, timeline.steps + 1):
        kind = timeline.kind(step)
        if kind == "backward":
            if not depth:
                accumulated, has_optimized = [], False
            depth += 1
        elif kind == "backward_end":
            depth = max(depth - 1, 0)
            for tensor, step_ in accumulated if has_optimized and not depth else ():
                together.setdefault(tensor, []).append(step_)
        elif kind in ("accumulate", "captured"):
            event = timeline.event(step)
            if isinstance(event, Captured):
                captured.add(event.tensor)
            elif isinstance(event, Accumulate) and event.tensor in optimized:
                has_optimized = True
            elif isinstance(event, Accumulate):
                accumulated.append((event.tensor, step))
                reached.setdefault(event.tensor, []).append(step)
    return {tensor: steps for tensor, steps in reached.items() if tensor not in captured}, together


@silent_mistake("line", "op", "cell", "cell_end", "backward", "captured", "retained", "hook", "failed")
def explain_unoptimized(context: StepContext) -> Diagnosis | None:
    """Say at a step of an optimizer which parameters get gradients and are changed by none."""
    timeline, step = context.timeline, context.step
    if not finished_steps(timeline, step):
        return None
    facts, state = _training_facts(timeline), context.state
    left_out = [serial for serial in facts.reached if _is_unoptimized(timeline, facts, state, serial, step)]
    if not left_out:
        return None
    names = [name for serial in left_out[:_MAX_NAMED] if (name := name_of(state, serial)) is not None]
    if not names:
        return None
    rest = len(left_out) - len(names)
    listed = [*names, ngettext("{count} more parameter", "{count} more parameters", rest)]
    passes = max(sum(reached <= step for reached in facts.reached[serial]) for serial in left_out)
    problem = ngettext(
        "no optimizer changes {names}, though gradients came in {count} pass",
        "no optimizer changes {names}, though gradients came in {count} passes",
        passes, names=formatting.joined(listed if rest else names),
    )  # fmt: skip
    return Diagnosis(problem, fix=_unoptimized_fix(context, facts, left_out[0], names[0]), role="quiet")


@silent_mistake("accumulate")
def explain_unoptimized_sum(context: StepContext) -> Diagnosis | None:
    """Say where a gradient is added to an old one of a parameter that no optimizer changes."""
    event, before = context.event, context.before
    if not isinstance(event, Accumulate):
        return None
    facts, tensor = _training_facts(context.timeline), before.tensors.get(event.tensor)
    if (
        tensor is None
        or not has_gradient(before, event.tensor)
        or not _is_unoptimized(context.timeline, facts, before, event.tensor, context.step)
    ):
        return None
    name = name_of(before, event.tensor)
    if name is None:
        return None
    text = _("{name}.grad adds up from pass to pass, and no optimizer changes {name}", name=name)
    return Diagnosis(text, role="quiet")


def _is_unoptimized(timeline: Timeline, facts: _TrainingFacts, state: State, serial: int, step: int) -> bool:
    """Return whether a leaf has got several gradients by this step and has not been changed since the first."""
    reached = [accumulated for accumulated in facts.reached.get(serial, ()) if accumulated <= step]
    tensor = state.tensors.get(serial)
    if (
        sum(accumulated <= step for accumulated in facts.together.get(serial, ())) < 2
        or not facts.first
        or facts.first > step
        or not reached
    ):
        return False
    if tensor is None or not tensor.requires_grad:
        return False
    earlier = timeline.state(reached[0]).tensors.get(serial)
    if (
        earlier is None
        or earlier.version != tensor.version
        or earlier.storage != tensor.storage
        or earlier.value != tensor.value
    ):
        return False  # stepped by hand
    return facts.trains if tensor.class_name == "Parameter" else _accumulates_unread(timeline, tensor, reached)


def _accumulates_unread(timeline: Timeline, tensor: TensorState, reached: list[int]) -> bool:
    """Return whether a plain leaf's gradient is accumulated repeatedly and never read."""
    before = timeline.state(reached[-1] - 1)
    leaf = before.tensors.get(tensor.tensor)
    if leaf is None or not has_gradient(before, leaf.tensor):
        return False
    for step in range(reached[0], reached[-1]):
        event = timeline.event(step) if timeline.kind(step) == "op" else None
        if isinstance(event, Op) and leaf.grad in event.inputs:
            return False
    return True


_CONTAINER_ITEM = re.compile(r"(?P<owner>.*)\.(?P<field>\w+)\[[^\]]+\]")


def _unoptimized_fix(context: StepContext, facts: _TrainingFacts, serial: int, name: str) -> str:
    """Say why no optimizer changes a parameter, or what to do about it."""
    timeline = context.timeline
    container_info = _plain_container(timeline, name)
    if container_info is not None:
        owner, container, module = container_info
        return _(
            "{owner} is a plain {container}, in which a module does not look for parameters: write {module} for it",
            owner=owner, container=container, module=module,
        )  # fmt: skip
    step_made, optimizer_step = (
        context.first_step(lambda state: serial in state.tensors),
        _optimizer_creation(timeline, facts),
    )
    line = timeline.view(step_made).line if step_made else None
    if optimizer_step is not None and optimizer_step < step_made and line is not None:
        return _(
            "it was made on line {line}, after the optimizer (line {optimizer}): make the optimizer when the model is "
            "complete", line=line, optimizer=timeline.view(optimizer_step).line,
        )  # fmt: skip
    return _("give it to the optimizer, or let it need no gradient: {fix}", fix=f"{name}.requires_grad_(False)")


def _plain_container(timeline: Timeline, name: str) -> tuple[str, str, str] | None:
    """Return the list or dict of a module that holds a parameter, its type, and the module to use instead."""
    match = _CONTAINER_ITEM.match(name)
    if match is None:
        return None
    for source in timeline.sources.values():
        for node in ast.walk(parse_code(source.text)):
            if not isinstance(node, (ast.Assign, ast.AnnAssign)):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not any(isinstance(target, ast.Attribute) and target.attr == match["field"] for target in targets):
                continue
            if isinstance(node.value, (ast.List, ast.ListComp)):
                return f"{match['owner']}.{match['field']}", _("list"), "nn.ModuleList([…])"
            if isinstance(node.value, (ast.Dict, ast.DictComp)):
                return f"{match['owner']}.{match['field']}", _("dict"), "nn.ModuleDict({…})"
    return None


def _optimizer_creation(timeline: Timeline, facts: _TrainingFacts) -> int | None:
    """Return the step of the statement that made the optimizer; None if unknown."""
    call = f"{facts.name}("
    lines = (step for step in range(facts.first, 0, -1) if timeline.kind(step) == "line")
    return next((step for step in lines if call in (timeline.view(step).code or "")), None)
