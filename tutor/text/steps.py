"""The steps of a recording, one per line: for reading, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TextIO

import msgspec

from tutor.explain import explanation, message, plain
from tutor.explain.node import rule_json
from tutor.explain.outcomes import cut_location
from tutor.explain.paths import paths_to
from tutor.explain.provenance import source_of_unnamed
from tutor.i18n import _
from tutor.text.format import dtype_of, gradient, guarded, safe, write_object
from tutor.text.show import optimizer_at
from tutor.text_width import cut, width
from tutor.trace import events as ev
from tutor.trace.graph import gradient_parts
from tutor.trace.names import name_of, placeholder_name, tensor_name
from tutor.trace.operands import op_inputs, op_output
from tutor.trace.timeline import StepView, Timeline

LONGEST = 2000
"""A step takes at most so many characters of a line."""


def write_json(timeline: Timeline, out: TextIO) -> None:
    """One object per step, in order."""
    for step in range(1, timeline.steps + 1):
        fields = guarded(timeline, partial(record, timeline, step), partial(_untold, timeline, step))
        write_object(fields, out)


def write_text(timeline: Timeline, out: TextIO) -> None:
    """Step, place, kind and words, aligned."""
    width = len(str(timeline.steps))
    for step in range(1, timeline.steps + 1):
        text = guarded(timeline, partial(text_of, timeline, step), str)
        out.write(f"{step:>{width}}  {cut(text, LONGEST)}\n")


def _untold(timeline: Timeline, step: int, why: str) -> dict[str, Any]:
    """The fields of a step that cannot be told."""
    names = ("cell", "file", "line", "span", "code", "function", "depth", "iteration", "pass")
    return {"step": step, "kind": timeline.kind(step), **dict.fromkeys(names), "text": why}


def text_of(timeline: Timeline, step: int) -> str:
    """A step on one line, without its number."""
    view = timeline.view(step)
    where = "" if view.cell is None else _("cell {number}", number=view.cell)
    if view.line is not None:
        where = _("line {number}", number=view.line)
    where += " " * (9 - width(where))
    return safe(f"{where} {view.kind:<12}  {' '.join(plain(timeline, step).split())}").rstrip()


def record(timeline: Timeline, step: int) -> dict[str, Any]:
    """A step as an object: the fields of every step, then those of its kind."""
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
    more = _MORE.get(view.kind)
    if more is not None:
        fields.update(more(timeline, step, view))
    if view.kind in ("line", "op"):
        fields["optimizer"] = optimizer_at(timeline, step)
    return fields


def _op(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    site = view.site
    yield "op", None if site is None else site.op
    yield "inputs", op_inputs(timeline, step)
    yield "output", op_output(timeline, step)
    yield "inplace", site is not None and site.inplace
    yield "parent", None if site is None else site.parent


def _node(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    event, state = view.event, timeline.moment(step)
    assert isinstance(event, ev.Node)
    node = state.nodes.get(event.node)
    yield "node", None if node is None else node.name
    yield "grad_outputs", [gradient(value) for value in event.grad_outputs]
    yield "grad_inputs", [gradient(value) for value in event.grad_inputs]
    yield "rule", rule_json(timeline, step)


def _accumulate(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
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
    yield "old", None if old is None else gradient(old.value, old.dtype)
    yield "incoming", gradient(event.incoming, dtype)
    yield "new", gradient(event.new, dtype)
    yield "parts", [[name, gradient(value, dtype)] for name, value in gradient_parts(after, event.node)]
    paths = paths_to(timeline, after, event.tensor)
    yield "paths", None if paths is None else [msgspec.to_builtins(path) for path in paths.paths]


def _given(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    event, state = view.event, timeline.moment(step)
    assert isinstance(event, (ev.Captured, ev.Retained))
    yield "tensor", tensor_name(state, event.tensor)
    yield "value", gradient(event.value, dtype_of(state, event.tensor))


def _hook(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    event, state = view.event, timeline.moment(step)
    assert isinstance(event, ev.HookRan)
    dtype = dtype_of(state, event.tensor)
    node = None if event.node is None else state.nodes.get(event.node)
    yield "tensor", None if event.node is not None else tensor_name(state, event.tensor)
    yield "node", None if node is None else node.name
    yield "hook", event.hook
    yield "before", gradient(event.before, dtype)
    yield "after", gradient(event.after, dtype)


def _backward(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    event, state = view.event, timeline.moment(step)
    assert isinstance(event, ev.Backward)
    yield "call", event.call
    yield "roots", [tensor_name(state, root) for root in event.roots]
    yield "retain_graph", event.retain_graph
    yield "create_graph", event.create_graph


def _failed(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    event = view.event
    assert isinstance(event, ev.Failed)
    yield "error", event.error
    yield "message", message(event)
    yield "explanation", explanation(timeline, step)
    yield "caught", event.caught


def _cell_end(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    event = view.event
    assert isinstance(event, ev.CellEnd)
    yield "outcome", event.outcome


def _cut(timeline: Timeline, step: int, view: StepView) -> Iterator[tuple[str, Any]]:
    event = view.event
    assert isinstance(event, ev.Cut)
    yield "count", event.events
    yield "place", cut_location(timeline, step)
    yield "iterations", list(event.iterations)
    yield "reason", event.reason


_MORE: dict[str, Callable[[Timeline, int, StepView], Iterator[tuple[str, Any]]]] = {
    "op": _op, "node": _node, "accumulate": _accumulate, "captured": _given, "retained": _given, "hook": _hook,
    "backward": _backward, "failed": _failed, "cell_end": _cell_end, "cut": _cut,
}  # fmt: skip
