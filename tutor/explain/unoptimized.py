"""Parameters that get gradients in several passes, while optimizers change others and never them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tutor.explain import words
from tutor.i18n import _, ngettext
from tutor.trace.events import Accumulate, Captured, Op, OptimizerStep
from tutor.trace.names import name_of
from tutor.trace.source import parse
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

_NAMED = 2
"""So many of them are named."""


@dataclass(frozen=True)
class _Run:
    """What is known of a whole recording."""

    steps: int
    reached: dict[int, list[int]]
    """By leaf: the steps at which it got a gradient."""
    together: dict[int, list[int]]
    """Those of these steps in whose pass something that an optimizer changes got a gradient too."""
    trains: bool
    """Whether optimizers change parameters of modules: a model is trained, not an image or a code for a fixed one."""
    first: int
    """The step of the recording after which an optimizer had made its first step."""
    name: str
    """What that optimizer is called."""


_runs: WeakKeyDictionary[Timeline, _Run] = WeakKeyDictionary()


def _run(timeline: Timeline) -> _Run:
    run = _runs.get(timeline)
    if run is not None and run.steps == timeline.steps:
        return run
    optimized: set[int] = set()
    first, name = 0, ""
    for aside in timeline.asides:
        if isinstance(aside.event, OptimizerStep):
            optimized.update(update.tensor for update in aside.event.updates)
            optimized.update(aside.event.others)
            if not name:
                first, name = aside.step, aside.event.optimizer
    reached, together = _reached(timeline, optimized) if name else ({}, {})
    end = timeline.state(first).tensors
    trains = any(number in end and end[number].class_name == "Parameter" for number in optimized)
    run = _runs[timeline] = _Run(timeline.steps, reached, together, trains, first, name)
    return run


def _reached(timeline: Timeline, optimized: set[int]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """By leaf that no optimizer changes: the steps at which it got a gradient; and those of them whose pass reached
    something that is optimized. Not a leaf that `autograd.grad` is asked for: its gradient is what is wanted."""
    reached: dict[int, list[int]] = {}
    together: dict[int, list[int]] = {}
    wanted: set[int] = set()
    of_pass: list[tuple[int, int]] = []
    depth, optimizes = 0, False
    for step in range(1, timeline.steps + 1):
        kind = timeline.kind(step)
        if kind == "backward":
            if not depth:
                of_pass, optimizes = [], False
            depth += 1
        elif kind == "backward_end":
            depth = max(depth - 1, 0)
            for tensor, at in of_pass if optimizes and not depth else ():
                together.setdefault(tensor, []).append(at)
        elif kind in ("accumulate", "captured"):
            event = timeline.event(step)
            if isinstance(event, Captured):
                wanted.add(event.tensor)
            elif isinstance(event, Accumulate) and event.tensor in optimized:
                optimizes = True
            elif isinstance(event, Accumulate):
                of_pass.append((event.tensor, step))
                reached.setdefault(event.tensor, []).append(step)
    return {tensor: steps for tensor, steps in reached.items() if tensor not in wanted}, together


def at_step(timeline: Timeline, step: int) -> str | None:
    """After an optimizer's step: which parameters get gradients and are changed by no optimizer."""
    run, state = _run(timeline), timeline.state(step)
    found = [number for number in run.reached if _left_out(timeline, run, state, number, step)]
    if not found:
        return None
    named = [name for number in found[:_NAMED] if (name := name_of(state, number)) is not None]
    if not named:
        return None
    more = len(found) - len(named)
    shown = [*named, ngettext("{count} more parameter", "{count} more parameters", more)]
    passes = max(sum(at <= step for at in run.reached[number]) for number in found)
    said = ngettext(
        "no optimizer changes {names}, though gradients came in {count} pass",
        "no optimizer changes {names}, though gradients came in {count} passes",
        passes, names=words.joined(shown if more else named),
    )  # fmt: skip
    return words.listed([said, _reason(timeline, run, found[0], named[0])])


def at_accumulation(timeline: Timeline, step: int) -> str | None:
    """At the addition to an old gradient: that no optimizer changes the parameter, so that it only grows."""
    event = timeline.event(step)
    if not isinstance(event, Accumulate):
        return None
    run, before = _run(timeline), timeline.state(step - 1)
    held = before.tensors.get(event.tensor)
    if held is None or not _has_gradient(before, held) or not _left_out(timeline, run, before, event.tensor, step):
        return None
    name = name_of(before, event.tensor)
    if name is None:
        return None
    return _("{name}.grad adds up from pass to pass, and no optimizer changes {name}", name=name)


def _left_out(timeline: Timeline, run: _Run, state: State, number: int, step: int) -> bool:
    """Whether by this step a leaf has got several gradients, and nobody has changed it since the first."""
    reached = [at for at in run.reached.get(number, ()) if at <= step]
    held = state.tensors.get(number)
    if sum(at <= step for at in run.together.get(number, ())) < 2 or not run.first or run.first > step or not reached:
        return False
    if held is None or not held.requires_grad:
        return False
    was = timeline.state(reached[0]).tensors.get(number)
    if was is None or was.version != held.version or was.storage != held.storage or was.value != held.value:
        return False  # stepped by hand
    return run.trains if held.class_name == "Parameter" else _piles_up(timeline, held, reached)


def _piles_up(timeline: Timeline, held: TensorState, reached: list[int]) -> bool:
    """Whether a plain leaf's gradient is added to again and again, and read by nobody."""
    before = timeline.state(reached[-1] - 1)
    leaf = before.tensors.get(held.tensor)
    if leaf is None or not _has_gradient(before, leaf):
        return False
    for step in range(reached[0], reached[-1]):
        event = timeline.event(step) if timeline.kind(step) == "op" else None
        if isinstance(event, Op) and leaf.grad in event.inputs:
            return False
    return True


def _has_gradient(state: State, held: TensorState) -> bool:
    grad = None if held.grad is None else state.tensors.get(held.grad)
    if grad is None:
        return False
    numbers = elements(grad.value)
    return numbers is None or any(numbers)


# ---------------------------------------------------------------- why, and what to do

_LAST = re.compile(r"(?P<owner>.*)\.(?P<field>\w+)\[[^\]]+\]")


def _reason(timeline: Timeline, run: _Run, number: int, name: str) -> str:
    kind = _plain_container(timeline, name)
    if kind is not None:
        owner, container, module = kind
        return _(
            "{owner} is a plain {container}, in which a module does not look for parameters: write {module} for it",
            owner=owner, container=container, module=module,
        )  # fmt: skip
    made, line = _first_seen(timeline, number), _optimizer_line(timeline, run)
    at = None if made is None else timeline.view(made).line
    if made is not None and line is not None and line < made and at is not None:
        return _(
            "it was made on line {line}, after the optimizer (line {optimizer}): make the optimizer when the model is "
            "complete", line=at, optimizer=timeline.view(line).line,
        )  # fmt: skip
    return _("give it to the optimizer, or let it need no gradient: {fix}", fix=f"{name}.requires_grad_(False)")


def _plain_container(timeline: Timeline, name: str) -> tuple[str, str, str] | None:
    """The list or dict of a module that holds a parameter: `model.blocks` of `model.blocks[0].weight`."""
    found = _LAST.match(name)
    if found is None:
        return None
    for source in timeline.sources.values():
        tree = parse(source.text)
        for node in ast.walk(tree) if tree is not None else ():
            if not isinstance(node, (ast.Assign, ast.AnnAssign)):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not any(isinstance(one, ast.Attribute) and one.attr == found["field"] for one in targets):
                continue
            if isinstance(node.value, (ast.List, ast.ListComp)):
                return f"{found['owner']}.{found['field']}", _("list"), "nn.ModuleList([…])"
            if isinstance(node.value, (ast.Dict, ast.DictComp)):
                return f"{found['owner']}.{found['field']}", _("dict"), "nn.ModuleDict({…})"
    return None


def _first_seen(timeline: Timeline, number: int) -> int | None:
    """The step after which a tensor was there, looked for before it first got a gradient."""
    low, high = 0, _run(timeline).reached[number][0]
    while low < high:
        middle = (low + high) // 2
        if number in timeline.state(middle).tensors:
            high = middle
        else:
            low = middle + 1
    return low or None


def _optimizer_line(timeline: Timeline, run: _Run) -> int | None:
    """The step of the statement that made the optimizer, where it says so."""
    called = f"{run.name}("
    lines = (step for step in range(run.first, 0, -1) if timeline.kind(step) == "line")
    return next((step for step in lines if called in (timeline.view(step).code or "")), None)
