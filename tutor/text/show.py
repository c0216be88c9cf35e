"""Show the state at one step of a recording, as text and as JSON: tensors, graph, saved tensors, optimizers, output."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TextIO, TypeAlias

from tutor.explain import explanation, plain
from tutor.explain.formatting import label
from tutor.explain.optimizers import (
    OptimizerReport,
    finished_steps,
    formula,
    last_step,
    place_text,
    report_lines,
    reports_between,
    state_dtype,
    work_out_update,
)
from tutor.explain.provenance import readable_name
from tutor.explain.saved_tensors import fails_later, node_label, saved_by, saved_name
from tutor.i18n import N_, _, ngettext
from tutor.text.figures import figure_lines, figures_between
from tutor.text.figures import to_json as figure_json
from tutor.text.format import dtype_of, escape_controls, gradient_json, guard, table, write_json_line
from tutor.text.prose import filled_in, prose_at, text_lines
from tutor.text_width import cut, printed_lines
from tutor.trace.events import Update
from tutor.trace.graph import gradients_by_edge, graph_of, is_leaf
from tutor.trace.history import code_of, last_write, views
from tutor.trace.names import aliases_of, name_of, names_of
from tutor.trace.number_format import equation, inline, number, shape
from tutor.trace.operands import op_output
from tutor.trace.state import FrameState, NodeState, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import data_json, to_json

_MAX_EXTRA_ROWS = 20

Layout: TypeAlias = Callable[[list[list[str]]], list[str]]
"""Lays rows of a table out as lines; the first row has the names of the columns."""


def saved_json(state: State, node: NodeState) -> list[dict[str, Any]]:
    """Return the tensors that a node saves for its backward."""
    return [
        {
            "name": tensor.name,
            "tensor": name_of(state, tensor.tensor) if tensor.tensor else None,
            "bytes": tensor.bytes,
            "version": tensor.version,
            "fits": tensor.fits,
            "freed": tensor.freed,
        }
        for tensor in saved_by(state, node)
    ]


def last_optimizer_json(timeline: Timeline, step: int) -> dict[str, Any] | None:
    """Return the last step of an optimizer up to a step; None if there is none."""
    report = last_step(timeline, step)
    return None if report is None else _optimizer_json(timeline, report)


def optimizer_json_at(timeline: Timeline, step: int) -> dict[str, Any] | None:
    """Return the optimizer step that ended with exactly this step, of several the last; None if there is none."""
    reports = list(reports_between(timeline, step - 1, step))
    return _optimizer_json(timeline, reports[-1]) if reports else None


def _optimizer_json(timeline: Timeline, report: OptimizerReport) -> dict[str, Any]:
    """Return the JSON object of an optimizer step."""
    event = report.event
    return {
        "step": report.step,
        "optimizer": event.optimizer,
        "options": [data_json(options) for options in event.options],
        "formula": formula(event),
        "updates": [_update_json(timeline, report, update) for update in event.updates],
        "left_out": event.left_out,
    }


def _update_json(timeline: Timeline, report: OptimizerReport, update: Update) -> dict[str, Any]:
    """Return the JSON object of the update of a parameter."""
    name, dtype = readable_name(timeline, report.step, update.tensor), state_dtype(timeline.state(report.step), update)
    result = work_out_update(report.event, update, dtype)
    return {
        "parameter": name,
        "group": update.group,
        "before": gradient_json(update.before, dtype),
        "grad": gradient_json(update.grad, dtype),
        "after": gradient_json(update.after, dtype),
        "state_before": {name: gradient_json(value, dtype) for name, value in update.state_before.items()},
        "state_after": {name: gradient_json(value, dtype) for name, value in update.state_after.items()},
        "agrees": result is not None,
        "working": None if result is None else f"{name}{place_text(result.index, update)} = {result.update}",
    }


# ---------------------------------------------------------------- saved tensors, shared storage and optimizers as text


def saved_lines(timeline: Timeline, step: int) -> list[str]:
    """Return a line for each saved tensor: `MulBackward0 of y keeps a as self, 4 bytes, version 0`."""
    rows, state = [], timeline.state(step)
    for node in graph_of(state)[0]:
        for tensor in saved_by(state, node):
            suffix = "" if tensor.tensor else _(" of its own")
            template = N_("{node} kept {what}{own}") if tensor.freed else N_("{node} keeps {what}{own}")
            description = saved_name(state, tensor)
            if description != tensor.name:
                description = _("{what} as {name}", what=description, name=tensor.name)
            parts = [
                _(template, node=node_label(state, node), what=description, own=suffix),
                ngettext("{count} byte", "{count} bytes", tensor.bytes),
            ]
            parts += [_("version {number}", number=tensor.version)] if tensor.version is not None else []
            parts += [_("freed")] if tensor.freed else []
            if not tensor.freed and not tensor.fits:
                remark = (
                    N_("which is at version {number} now: backward will fail")
                    if fails_later(timeline, step, tensor)
                    else N_("which is at version {number} now: backward would fail")
                )
                parts.append(_(remark, number=tensor.now))
            rows.append("  " + _(", ").join(parts))
    more = ["  " + _("and {count:,} more", count=len(rows) - _MAX_EXTRA_ROWS)] if len(rows) > _MAX_EXTRA_ROWS else []
    return ["", _("saved for backward"), *rows[:_MAX_EXTRA_ROWS], *more] if rows else []


def shared_lines(timeline: Timeline, step: int, frame: FrameState) -> list[str]:
    """Return a line for each tensor that shares its storage: `a shares its storage with v; version 2 since step 12`."""
    state = timeline.state(step)
    rows: list[str] = []
    serials, row_names = names_of(state, frame), aliases_of(state, frame)
    for name, together in views(state, frame).items():
        others = [other for other in together if other in row_names]
        if name not in row_names or not others or len(rows) > _MAX_EXTRA_ROWS:
            continue
        tensor = serials[name]
        written = last_write(timeline, step, tensor)
        template = N_("{name} shares its storage with {others}")
        if written is not None:
            template = N_("{name} shares its storage with {others}; version {version} since step {step}")
        version = state.tensors[tensor].version
        rows.append("  " + _(template, name=name, others=", ".join(others), version=version, step=written))
    more = ["  " + _("and more")] if len(rows) > _MAX_EXTRA_ROWS else []
    return ["", _("shared storage"), *rows[:_MAX_EXTRA_ROWS], *more] if rows else []


def optimizer_lines(timeline: Timeline, step: int) -> list[str]:
    """Return the optimizer steps that ended here, each parameter in full."""
    rows = []
    for report in finished_steps(timeline, step):
        formula_text = formula(report.event)
        rows += ["", f"{report.event.optimizer}.step" + (f": {formula_text}" if formula_text else "")]
        for update in report.event.updates[:_MAX_EXTRA_ROWS]:
            first, *rest = report_lines(timeline, report, update)
            rows += [f"  {first}", *(f"    {text}" for text in rest)]
        more = len(report.event.updates[_MAX_EXTRA_ROWS:]) + report.event.left_out
        rows += ["  " + _("and {count:,} more", count=more)] if more else []
    return rows


# ---------------------------------------------------------------- changes of a step

_MAX_CHANGES = 8
"""Maximum changes listed."""


def change_lines(timeline: Timeline, step: int) -> list[str]:
    """Return the changes of named tensors at a step: `w.grad: None → 5.0`. An operation's own result is in its line."""
    before, after = timeline.state(step - 1), timeline.state(step)
    output = op_output(timeline, step)
    texts = [text for name, text in _changes(before, after) if name != output]
    more = len(texts) - _MAX_CHANGES
    return texts if more <= 0 else [*texts[:_MAX_CHANGES], _("and {count:,} more", count=more)]


def _changes(before: State, after: State) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each change between two states."""
    old_names, new_names = names_of(before), names_of(after)
    if before.frames and after.frames and before.frames[-1].frame != after.frames[-1].frame:
        return  # another function: all its names are new
    row_names = aliases_of(after)
    for name, serial in new_names.items():
        new = after.tensors[serial]
        old = before.tensors.get(old_names.get(name, 0))
        if name not in row_names and (old is not None or not name.isidentifier()):
            continue  # another name of what is told already
        if old is None:
            yield name, equation(name, inline(new.value, new.dtype))
        elif old is not new and old.value != new.value:
            yield name, f"{name}: {inline(old.value, old.dtype)} → {inline(new.value, new.dtype)}"
        if old is not None:
            old_grad, new_grad = _grad_text(before, old), _grad_text(after, new)
            if old_grad != new_grad:
                yield f"{name}.grad", f"{name}.grad: {old_grad} → {new_grad}"


def _grad_text(state: State, tensor: TensorState) -> str:
    """Return the text of a tensor's gradient."""
    grad = None if tensor.grad is None else state.tensors.get(tensor.grad)
    return "None" if grad is None else inline(grad.value, grad.dtype, gradient=True)


# ---------------------------------------------------------------- the whole state as JSON

_MAX_POINTS = 6
_MAX_OUTPUT_LINES = 40
_MAX_WIDTH = 200
_MAX_ROWS = 60
_MAX_NAMES_LENGTH = 48
"""Maximum characters of the names of one tensor."""


def write_json(timeline: Timeline, step: int, out: TextIO) -> None:
    """Write the state at a step as one JSON object."""
    write_json_line(record(timeline, step), out)


def record(timeline: Timeline, step: int) -> dict[str, Any]:
    """Return the state that the screen shows at a step; the same for each run of the same program."""
    state = guard(timeline, partial(timeline.state, step), lambda _: State(step))
    fields: dict[str, tuple[Callable[[], Any], Any]] = {
        "cell": (lambda: timeline.view(step).cell if step else None, None),
        "line": (lambda: timeline.view(step).line if step else None, None),
        "tensors": (lambda: _tensors_json(state, state.frames[-1] if state.frames else None), {}),
        "frames": (lambda: _frames_json(state), []),
        "graph": (lambda: _graph_json(timeline, step, state), {"nodes": [], "edges": [], "shares": []}),
        "series": (lambda: _all_series_json(timeline, step), {}),
        "figures": (lambda: state.figures, 0),
        "figure": (lambda: figure_json(figures_between(timeline, -1, step)[-1][1]) if state.figures else None, None),
        "output": (lambda: timeline.output(step), ""),
        "knobs": (lambda: state.knobs, {}),
        "optimizer": (lambda: last_optimizer_json(timeline, step), None),
        "notice": (lambda: prose_at(timeline, step)[0] or None, None),
        "prose": (lambda: _prose_json(timeline, step), []),
    }
    return {"step": step} | {
        name: _guarded_field(timeline, describe, default) for name, (describe, default) in fields.items()
    }


def _guarded_field(timeline: Timeline, describe: Callable[[], Any], default: Any) -> Any:
    """Return a field; the default if it cannot be read from a stored recording."""
    return guard(timeline, describe, lambda _: default)


def _frames_json(state: State) -> list[dict[str, Any]]:
    """Return the tensors of each frame, innermost first."""
    return [{"function": frame.function, "tensors": _tensors_json(state, frame)} for frame in reversed(state.frames)]


def _graph_json(timeline: Timeline, step: int, state: State) -> dict[str, Any]:
    """Return the nodes and edges of the graph, and its shared gradients."""
    nodes, edges = graph_of(state)
    return {
        "nodes": [_node_json(timeline, timeline.moment(step), node) for node in nodes],
        "edges": [list(edge) for edge in edges],
        "shares": _shares_json(state, edges),
    }


def _all_series_json(timeline: Timeline, step: int) -> dict[str, list[list[Any]]]:
    """Return all series that have points by this step."""
    return {name: points for name in timeline.series if (points := _points(timeline, name, step))}


def _tensors_json(state: State, frame: FrameState | None) -> dict[str, Any]:
    """Return the tensors of a frame by name."""
    if frame is None:
        return {}
    views_by_name = views(state, frame)
    rows = {name: [name, *others] for name, others in aliases_of(state, frame).items()}
    all_names = {name: names for names in rows.values() for name in names}
    return {
        name: {
            **_tensor_json(state, state.tensors[serial]),
            "views": views_by_name[name],
            "aliases": [other for other in all_names[name] if other != name],
        }
        for name, serial in names_of(state, frame).items()
    }


def _tensor_json(state: State, tensor: TensorState) -> dict[str, Any]:
    """Return the JSON object of a tensor."""
    grad = None if tensor.grad is None else state.tensors.get(tensor.grad)
    return {
        "value": to_json(tensor.value, tensor.dtype),
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "device": tensor.device,
        "requires_grad": tensor.requires_grad,
        "is_leaf": tensor.is_leaf,
        "grad_fn": tensor.grad_fn,
        "grad": None if grad is None else to_json(grad.value, grad.dtype),
        "retains_grad": tensor.retains_grad,
        "version": tensor.version,
        "storage": tensor.storage,
    }


def _node_json(timeline: Timeline, state: State, node: NodeState) -> dict[str, Any]:
    """Return the JSON object of a node."""
    dtype = dtype_of(state, node.tensor)
    module = None if node.module is None or is_leaf(node) else state.modules.get(node.module)
    return {
        "id": node.node,
        "name": node.name,
        "tensor": None if node.tensor is None else name_of(state, node.tensor),
        "value": gradient_json(node.value, dtype),
        "grad": gradient_json(node.grad_outputs[0], dtype) if node.grad_outputs else None,
        "state": node.state,
        "saved": saved_json(state, node),
        "module": None if module is None else {"class": module.kind, "path": module.path},
        "pass": node.of_pass,
        "code": None if is_leaf(node) else code_of(timeline, node) or None,
        "attributes": data_json(node.attributes),
    }


def _shares_json(state: State, edges: list[tuple[int, int]]) -> list[list[Any]]:
    """Return the gradients sent over edges of a value with several uses: `[a, b, [a gradient for each use by b]]`."""
    result = []
    for source, target, gradients in gradients_by_edge(state, edges):
        dtype = dtype_of(state, state.nodes[source].tensor)
        result.append([source, target, [gradient_json(gradient, dtype) for gradient in gradients]])
    return result


def _points(timeline: Timeline, name: str, step: int) -> list[list[Any]]:
    """Return the points of a series up to a step, as [x, value]."""
    return [
        [point.x, point.value if math.isfinite(point.value) else str(point.value)]
        for point in timeline.series[name]
        if point.step <= step
    ]


# ---------------------------------------------------------------- the whole state as text


def write_text(timeline: Timeline, step: int, out: TextIO) -> None:
    """Write the state at a step as text."""
    for line in lines(timeline, step):
        out.write(cut(escape_controls(line), _MAX_WIDTH) + "\n")


def spoken_lines(timeline: Timeline, step: int) -> list[str]:
    """Return the lines of the state at a step without prose, each row of a table with the names of its columns."""
    return [line.strip() for line in lines(timeline, step, _spoken_rows, prose=False) if line.strip()]


def _spoken_rows(rows: list[list[str]]) -> list[str]:
    """Return the rows of a table: the first cell, then the others with the names of their columns."""
    names, *others = rows
    said = [[f"{name} {cell}" for name, cell in zip(names, row, strict=True) if cell != "-"] for row in others]
    return [f"{row[0]}: {_(', ').join(cells[1:])}" for row, cells in zip(others, said, strict=True)]


def lines(timeline: Timeline, step: int, layout: Layout = table, *, prose: bool = True) -> list[str]:
    """Return the lines of the state at a step, its tables in a layout."""
    state = guard(timeline, partial(timeline.state, step), lambda _: State(step))
    parts: list[Callable[[], list[str]]] = [partial(_heading_lines, timeline, step)]
    parts += [partial(_prose, timeline, step)] if prose else []
    parts += [partial(_frame_lines, timeline, step, state, frame, layout) for frame in reversed(state.frames)]
    parts += [
        partial(_graph_lines, timeline, step, layout), partial(saved_lines, timeline, step),
        partial(optimizer_lines, timeline, step), partial(_series_lines, timeline, step, state),
        lambda: _output_lines(timeline.output(step)),
    ]  # fmt: skip
    return [line for part in parts for line in guard(timeline, part, lambda why: ["", why])]


def _prose(timeline: Timeline, step: int) -> list[str]:
    """Return the prose that belongs to a step, and whether it was written for other knobs."""
    notice, texts, state = prose_at(timeline, step)
    rows = ["", notice] if notice else []
    return rows + [line for text in texts for line in text_lines(text, state)[:-1]]


def _prose_json(timeline: Timeline, step: int) -> list[str]:
    """Return the texts that belong to a step, as Markdown with values."""
    _notice, texts, state = prose_at(timeline, step)
    return [filled_in(text, state) for text in texts]


def _frame_lines(timeline: Timeline, step: int, state: State, frame: FrameState, layout: Layout) -> list[str]:
    """Return the tensors of a frame and their shared storage."""
    title = _("tensors in {function}", function=frame.function) if len(state.frames) > 1 else _("tensors")
    return ["", title, *_tensor_table(state, frame, layout), *shared_lines(timeline, step, frame)]


def _series_lines(timeline: Timeline, step: int, state: State) -> list[str]:
    """Return series, knobs, the number of figures, and what the last one shows."""
    rows: list[str] = []
    for name in timeline.series:
        points = _points(timeline, name, step)
        if points:
            shown = ", ".join(f"{x}: {number(value)}" for x, value in points[-_MAX_POINTS:])
            template = N_("{name} by backward pass: {points}")
            if len(points) > _MAX_POINTS:
                template = N_("{name} by backward pass (the last {last} of {count}): {points}")
            rows += ["", _(template, name=name, last=_MAX_POINTS, count=len(points), points=shown)]
    if state.knobs:
        rows += [
            "",
            _("knobs: {knobs}", knobs=", ".join(f"{name} = {value!r}" for name, value in state.knobs.items())),
        ]
    if state.figures:
        rows += ["", _("figures: {count}", count=state.figures)]
        rows += [f"  {row}" for row in figure_lines(*figures_between(timeline, -1, step)[-1])]
    return rows


def _heading_lines(timeline: Timeline, step: int) -> list[str]:
    """Return the place of a step, its code, and what it did."""
    if not step:
        return [_("before the first of {count} steps", count=timeline.steps)]
    view = timeline.view(step)
    parts = [_("step {number} of {count}", number=step, count=timeline.steps)]
    parts += [_("cell {number}", number=view.cell)] if view.cell is not None else []
    parts += [_("line {number}", number=view.line)] if view.line is not None else []
    parts += [_("in {function}", function=view.function)] if view.function not in (None, "<module>") else []
    parts += [_("iteration {number}", number=view.iteration)] if view.iteration is not None else []
    parts += [_("backward pass {number}", number=view.pass_)] if view.pass_ is not None else []
    rows = [_(", ").join(parts), *(view.code or "").splitlines()[:3], " ".join(plain(timeline, step).split())]
    reason = explanation(timeline, step)
    return rows if reason is None or reason in rows[-1] else [*rows, reason]


def _tensor_table(state: State, frame: FrameState, layout: Layout) -> list[str]:
    """Return a table of the tensors of a frame."""
    serials, aliases = names_of(state, frame), aliases_of(state, frame)
    if not serials:
        return ["  " + _("none")]
    names = (_("name"), _("value"), "shape", "dtype", "device", _("leaf"), "requires_grad", "grad_fn", "grad")
    rows = [list(names)]
    for name, others in list(aliases.items())[:_MAX_ROWS]:
        tensor = state.tensors[serials[name]]
        grad = None if tensor.grad is None else state.tensors.get(tensor.grad)
        rows.append([
            _join_names(name, others), inline(tensor.value, tensor.dtype, 32), shape(tensor.shape), tensor.dtype,
            tensor.device,
            _yes_or_no(tensor.is_leaf), _yes_or_no(tensor.requires_grad), tensor.grad_fn or "-",
            "None" if grad is None else inline(grad.value, grad.dtype, 32, gradient=True),
        ])  # fmt: skip
    more = ["  " + _("and {count:,} more", count=len(aliases) - _MAX_ROWS)] if len(aliases) > _MAX_ROWS else []
    return layout([[escape_controls(text) for text in row] for row in rows]) + more


def _join_names(name: str, others: list[str]) -> str:
    """Return `w = also = weights[0]`: a tensor's names, as many as there is room for."""
    shown: list[str] = []
    for other in others:
        if len(name) + sum(len(text) + 3 for text in (*shown, other)) > _MAX_NAMES_LENGTH:
            return " = ".join([name, *shown, "…"])
        shown.append(other)
    return " = ".join([name, *shown])


def _yes_or_no(flag: bool | None) -> str:
    """Return yes, no or a dash (None: unknown)."""
    return "-" if flag is None else _("yes") if flag else _("no")


STATES = (N_("live"), N_("new"), N_("freed"))
"""The states of a node."""


def _graph_lines(timeline: Timeline, step: int, layout: Layout) -> list[str]:
    """Return a table of the nodes of the graph."""
    state = timeline.moment(step)
    nodes, edges = graph_of(state)
    if not nodes:
        return []
    sources_of: dict[int, list[str]] = {}
    names = {node.node: _node_label(timeline, state, node) or node.name for node in nodes}
    for source, target in edges:
        sources_of.setdefault(target, []).append(names[source])
    rows = [[_("node"), _("makes"), _("value"), _("gradient"), _("state"), _("from")]]
    for node in nodes[-_MAX_ROWS:]:
        value = "-" if node.value is None else inline(node.value, "float32", 24)
        grad = inline(node.grad_outputs[0], "float32", 24, gradient=True) if node.grad_outputs else "-"
        made_label = _node_label(timeline, state, node) or "-"
        rows.append([node.name, made_label, value, grad, _(node.state), ", ".join(sources_of.get(node.node, ["-"]))])
    more = ["  " + _("and {count} before them", count=len(nodes) - _MAX_ROWS)] if len(nodes) > _MAX_ROWS else []
    title = _("graph")
    if state.last_pass is not None and state.showing_pass:
        title = _("graph of pass {number}", number=state.last_pass.number)
    return ["", title, *layout([[escape_controls(text) for text in row] for row in rows]), *more]


def _node_label(timeline: Timeline, state: State, node: NodeState) -> str | None:
    """Return the name of a node's result, else its code if short; None if there is neither."""
    name = None if node.tensor is None else name_of(state, node.tensor)
    if name is not None:
        return label(state, node.tensor)
    code = code_of(timeline, node)
    return code if 0 < len(code) <= _MAX_NAMES_LENGTH else None


def _output_lines(output: str) -> list[str]:
    """Return the last lines of the output."""
    if not output:
        return []
    output_lines = printed_lines(output)
    cut_off = len(output_lines) > _MAX_OUTPUT_LINES
    title = _("output")
    if cut_off:
        title = _("output (the last {last} of {count} lines)", last=_MAX_OUTPUT_LINES, count=len(output_lines))
    return ["", title, *("  " + line for line in output_lines[-_MAX_OUTPUT_LINES:])]
