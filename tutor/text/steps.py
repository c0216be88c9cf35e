"""List the steps of a recording, one per line, as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TextIO

import msgspec

from tutor.explain import explanation, message, plain
from tutor.explain.node import rule_json
from tutor.explain.paths import paths_to
from tutor.explain.provenance import source_of_unnamed
from tutor.explain.step import answer_to, cut_location
from tutor.i18n import _
from tutor.text.format import dtype_of, escape_controls, gradient_json, guard, write_json_line
from tutor.text.show import optimizer_json_at
from tutor.text_width import cut, width
from tutor.trace import events as ev
from tutor.trace.graph import gradient_parts
from tutor.trace.names import name_of, placeholder_name, tensor_name
from tutor.trace.operands import op_inputs, op_output
from tutor.trace.timeline import StepView, Timeline
from tutor.trace.values import data_json

MAX_STEP_LENGTH = 2000
"""Maximum characters of a step."""


def write_json(timeline: Timeline, out: TextIO) -> None:
    """Write one JSON object per step, in order."""
    for step in range(1, timeline.steps + 1):
        fields = guard(timeline, partial(record, timeline, step), partial(_unexplained, timeline, step))
        write_json_line(fields, out)


def write_text(timeline: Timeline, out: TextIO) -> None:
    """Write one line per step: number, place, kind and description, aligned."""
    width = len(str(timeline.steps))
    for step in range(1, timeline.steps + 1):
        text = guard(timeline, partial(text_of, timeline, step), str)
        out.write(f"{step:>{width}}  {cut(text, MAX_STEP_LENGTH)}\n")


def _unexplained(timeline: Timeline, step: int, why: str) -> dict[str, Any]:
    """Return the fields of a step that cannot be explained; `why` becomes its text."""
    names = ("cell", "file", "line", "span", "code", "function", "depth", "iteration", "pass")
    return {"step": step, "kind": timeline.kind(step), **dict.fromkeys(names), "text": why}


def text_of(timeline: Timeline, step: int) -> str:
    """Return a step on one line, without its number."""
    view = timeline.view(step)
    where = "" if view.cell is None else _("cell {number}", number=view.cell)
    if view.line is not None:
        where = _("line {number}", number=view.line)
    where += " " * (9 - width(where))
    return escape_controls(f"{where} {view.kind:<12}  {' '.join(plain(timeline, step).split())}").rstrip()


def record(timeline: Timeline, step: int) -> dict[str, Any]:
    """Return a step as a JSON object: the fields of every step, then those of its kind."""
    view = timeline.view(step)
    fields: dict[str, Any] = {
        "step": step,
        "kind": view.kind,
        "cell": view.cell,
        "file": view.file,
        "line": view.line,
        "span": None if view.span is None else list(view.span),
        "code": view.code,
        "function": view.function,
        "depth": view.depth,
        "iteration": view.iteration,
        "pass": view.pass_,
        "text": plain(timeline, step),
    }
    kind_fields = _MORE.get(view.kind)
    if kind_fields is not None:
        fields.update(kind_fields(timeline, step, view))
    if view.kind in ("line", "op"):
        fields["optimizer"] = optimizer_json_at(timeline, step)
    return fields


def _op_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an operation."""
    site = view.site
    yield "op", None if site is None else site.op
    yield "inputs", op_inputs(timeline, step)
    yield "output", op_output(timeline, step)
    yield "inplace", site is not None and site.inplace
    loads = site is not None and (view.depth or 0) > site.depth
    yield "parent", None if site is None else site.parent or ("DataLoader" if loads else None)
    yield "arguments", data_json(timeline.arguments(step))


def _node_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a node that ran."""
    event, state = view.event, timeline.moment(step)
    assert isinstance(event, ev.Node)
    node = state.nodes.get(event.node)
    yield "node", None if node is None else node.name
    yield "grad_outputs", [gradient_json(value) for value in event.grad_outputs]
    yield "grad_inputs", [gradient_json(value) for value in event.grad_inputs]
    yield "rule", rule_json(timeline, step)


def _accumulate_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a gradient accumulated into a leaf."""
    event, before, after = view.event, timeline.state(step - 1), timeline.moment(step)
    assert isinstance(event, ev.Accumulate)
    tensor = before.tensors.get(event.tensor)
    old = None if tensor is None or tensor.grad is None else before.tensors.get(tensor.grad)
    dtype = dtype_of(after, event.tensor)
    yield (
        "tensor",
        name_of(after, event.tensor)
        or source_of_unnamed(timeline, step, event.tensor)
        or placeholder_name(event.tensor),
    )
    yield "old", None if old is None else gradient_json(old.value, old.dtype)
    yield "incoming", gradient_json(event.incoming, dtype)
    yield "new", gradient_json(event.new, dtype)
    yield "parts", [[name, gradient_json(value, dtype)] for name, value in gradient_parts(after, event.node)]
    paths = paths_to(timeline, after, event.tensor)
    yield "paths", None if paths is None else [msgspec.to_builtins(path) for path in paths.paths]


def _result_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a gradient returned by `autograd.grad` or kept by `retain_grad`."""
    event, state = view.event, timeline.moment(step)
    assert isinstance(event, (ev.Captured, ev.Retained))
    yield "tensor", tensor_name(state, event.tensor)
    yield "value", gradient_json(event.value, dtype_of(state, event.tensor))


def _hook_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a hook that ran."""
    event, state = view.event, timeline.moment(step)
    assert isinstance(event, ev.HookRan)
    dtype = dtype_of(state, event.tensor)
    node = None if event.node is None else state.nodes.get(event.node)
    yield "tensor", None if event.node is not None else tensor_name(state, event.tensor)
    yield "node", None if node is None else node.name
    yield "hook", event.hook
    yield "before", gradient_json(event.before, dtype)
    yield "after", gradient_json(event.after, dtype)


def _backward_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of the start of a backward pass."""
    event, state = view.event, timeline.moment(step)
    assert isinstance(event, ev.Backward)
    yield "call", event.call
    yield "roots", [tensor_name(state, root) for root in event.roots]
    yield "retain_graph", event.retain_graph
    yield "create_graph", event.create_graph


def _failed_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an exception."""
    event = view.event
    assert isinstance(event, ev.Failed)
    yield "error", event.error
    yield "message", message(event)
    yield "explanation", explanation(timeline, step)
    yield "caught", event.caught


def _cell_end_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of the end of a cell."""
    event = view.event
    assert isinstance(event, ev.CellEnd)
    yield "outcome", event.outcome


def _cut_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of the end of a recording that was full."""
    event = view.event
    assert isinstance(event, ev.Cut)
    yield "count", event.events
    yield "place", cut_location(timeline, step)
    yield "iterations", list(event.iterations)
    yield "reason", event.reason


def _skipped_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of iterations or calls that were not recorded."""
    event = view.event
    assert isinstance(event, ev.Skipped)
    if event.function:
        yield "of", event.function
    yield "first", event.first
    yield "last", event.last
    yield "count", event.count or event.last - event.first + 1
    if event.why:
        yield "why", event.why


def _asked_fields(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a line that was typed; `answer` is null at the end of the input, and of a secret."""
    event, answer = view.event, answer_to(timeline, step)
    assert isinstance(event, ev.Asked)
    yield "prompt", event.prompt
    yield "answer", None if answer is None or event.secret else answer.text
    yield "secret", event.secret


_MORE: dict[str, Callable[[Timeline, int, StepView], Iterator[tuple[str, Any]]]] = {
    "op": _op_fields, "node": _node_fields, "accumulate": _accumulate_fields, "captured": _result_fields,
    "retained": _result_fields, "hook": _hook_fields,
    "backward": _backward_fields, "failed": _failed_fields, "cell_end": _cell_end_fields, "cut": _cut_fields,
    "skipped": _skipped_fields, "asked": _asked_fields,
}  # fmt: skip
