"""What nodes keep, who shares memory, and what optimizers did: for reading, and as JSON.

What a step changed, a line for each name.

Everything at one point of a recording: for reading, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TextIO

from tutor.explain import explanation, plain
from tutor.explain.formatting import label, value
from tutor.explain.optimizers import (
    OptimizerReport,
    formula,
    last_step,
    place_text,
    report_lines,
    state_dtype,
    steps_told,
    working,
)
from tutor.explain.provenance import readable
from tutor.explain.saved_tensors import fails, kept_by, what, whose
from tutor.i18n import N_, _, ngettext
from tutor.text.format import dtype_of, escape_controls, gradient_json, guard, table, write_json_line
from tutor.text_width import cut
from tutor.trace.events import Update
from tutor.trace.graph import graph_of, is_leaf, shares_of
from tutor.trace.history import code_of, last_write, views
from tutor.trace.names import aliases_of, name_of, names_of
from tutor.trace.operands import op_output
from tutor.trace.state import FrameState, NodeState, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import number, short, to_json

_ROWS_INSIDE = 20


def saved(state: State, node: NodeState) -> list[dict[str, Any]]:
    """What a node keeps for its backward."""
    return [
        {
            "name": kept.name,
            "tensor": name_of(state, kept.tensor) if kept.tensor else None,
            "bytes": kept.bytes,
            "version": kept.version,
            "fits": kept.fits,
            "freed": kept.freed,
        }
        for kept in kept_by(state, node)
    ]


def last_optimizer(timeline: Timeline, step: int) -> dict[str, Any] | None:
    """The last step of an optimizer up to a point."""
    told = last_step(timeline, step)
    return None if told is None else _optimizer(timeline, told)


def optimizer_at(timeline: Timeline, step: int) -> dict[str, Any] | None:
    """The step of an optimizer that was over with this very step; of several the last."""
    told = last_step(timeline, step)
    return None if told is None or told.step != step else _optimizer(timeline, told)


def _optimizer(timeline: Timeline, told: OptimizerReport) -> dict[str, Any]:
    event = told.event
    return {
        "step": told.step,
        "optimizer": event.optimizer,
        "options": [{name: to_json(held, "float32") for name, held in options.items()} for options in event.options],
        "formula": formula(event),
        "updates": [_update(timeline, told, update) for update in event.updates],
        "left_out": event.left_out,
    }


def _update(timeline: Timeline, told: OptimizerReport, update: Update) -> dict[str, Any]:
    name, dtype = readable(timeline, told.step, update.tensor), state_dtype(timeline.state(told.step), update)
    found = working(told.event, update, dtype)
    return {
        "parameter": name,
        "group": update.group,
        "before": gradient_json(update.before, dtype),
        "grad": gradient_json(update.grad, dtype),
        "after": gradient_json(update.after, dtype),
        "state_before": {name: gradient_json(value, dtype) for name, value in update.state_before.items()},
        "state_after": {name: gradient_json(value, dtype) for name, value in update.state_after.items()},
        "agrees": found is not None,
        "working": None if found is None else f"{name}{place_text(found.index, update)} = {found.update}",
    }


# ---------------------------------------------------------------- for reading


def saved_lines(timeline: Timeline, step: int) -> list[str]:
    """`MulBackward0 of y keeps a as self, 4 bytes, version 0`, a line for each tensor kept."""
    said, state = [], timeline.state(step)
    for node in graph_of(state)[0]:
        for kept in kept_by(state, node):
            own = "" if kept.tensor else _(" of its own")
            text = N_("{node} kept {what}{own}") if kept.freed else N_("{node} keeps {what}{own}")
            named = what(state, kept)
            if named != kept.name:
                named = _("{what} as {name}", what=named, name=kept.name)
            parts = [
                _(text, node=whose(state, node), what=named, own=own),
                ngettext("{count} byte", "{count} bytes", kept.bytes),
            ]
            parts += [_("version {number}", number=kept.version)] if kept.version is not None else []
            parts += [_("freed")] if kept.freed else []
            if not kept.freed and not kept.fits:
                end = (
                    N_("which is at version {number} now: backward will fail")
                    if fails(timeline, step, kept)
                    else N_("which is at version {number} now: backward would fail")
                )
                parts.append(_(end, number=kept.now))
            said.append("  " + _(", ").join(parts))
    more = ["  " + _("and {count:,} more", count=len(said) - _ROWS_INSIDE)] if len(said) > _ROWS_INSIDE else []
    return ["", _("saved for backward"), *said[:_ROWS_INSIDE], *more] if said else []


def shared_lines(timeline: Timeline, step: int, frame: FrameState) -> list[str]:
    """`a shares its storage with v; version 2 since step 12`."""
    state = timeline.state(step)
    said: list[str] = []
    named, rows = names_of(state, frame), aliases_of(state, frame)
    for name, together in views(state, frame).items():
        others = [other for other in together if other in rows]
        if name not in rows or not others or len(said) > _ROWS_INSIDE:
            continue
        tensor = named[name]
        wrote = last_write(timeline, step, tensor)
        text = N_("{name} shares its storage with {others}")
        if wrote is not None:
            text = N_("{name} shares its storage with {others}; version {version} since step {step}")
        version = state.tensors[tensor].version
        said.append("  " + _(text, name=name, others=", ".join(others), version=version, step=wrote))
    more = ["  " + _("and more")] if len(said) > _ROWS_INSIDE else []
    return ["", _("shared storage"), *said[:_ROWS_INSIDE], *more] if said else []


def optimizer_lines(timeline: Timeline, step: int) -> list[str]:
    """The optimizer's step that was over here, each parameter in full."""
    said = []
    for told in steps_told(timeline, step):
        short = formula(told.event)
        said += ["", f"{told.event.optimizer}.step" + (f": {short}" if short else "")]
        for update in told.event.updates[:_ROWS_INSIDE]:
            first, *rest = report_lines(timeline, told, update)
            said += [f"  {first}", *(f"    {text}" for text in rest)]
        left = len(told.event.updates[_ROWS_INSIDE:]) + told.event.left_out
        said += ["  " + _("and {count:,} more", count=left)] if left else []
    return said


_MOST = 8


def changed(timeline: Timeline, step: int) -> list[str]:
    """`w.grad: None → 5.0`, for what has a name here; an operation's own result is in its line already."""
    before, after = timeline.state(step - 1), timeline.state(step)
    told = op_output(timeline, step)
    found = [text for name, text in _differences(before, after) if name != told]
    return found if len(found) <= _MOST else [*found[:_MOST], _("and {count:,} more", count=len(found) - _MOST)]


def _differences(before: State, after: State) -> Iterator[tuple[str, str]]:
    old_names, new_names = names_of(before), names_of(after)
    if before.frames and after.frames and before.frames[-1].frame != after.frames[-1].frame:
        return  # another function: all its names are new
    rows = aliases_of(after)
    for name, serial in new_names.items():
        new = after.tensors[serial]
        old = before.tensors.get(old_names.get(name, 0))
        if name not in rows and (old is not None or not name.isidentifier()):
            continue  # another name of what is told already
        if old is None:
            yield name, f"{name} = {value(new.value, new.dtype)}"
        elif old is not new and old.value != new.value:
            yield name, f"{name}: {value(old.value, old.dtype)} → {value(new.value, new.dtype)}"
        if old is not None:
            was, now = _grad(before, old), _grad(after, new)
            if was != now:
                yield f"{name}.grad", f"{name}.grad: {was} → {now}"


def _grad(state: State, tensor: TensorState) -> str:
    held = None if tensor.grad is None else state.tensors.get(tensor.grad)
    return "None" if held is None else value(held.value, held.dtype)


_SERIES_SHOWN = 6
_OUTPUT_LINES = 40
_WIDEST = 200
_ROWS = 60
_NAMES = 48
"""So many characters the names of one tensor may take."""


def write_json(timeline: Timeline, step: int, out: TextIO) -> None:
    """One object."""
    write_json_line(record(timeline, step), out)


def record(timeline: Timeline, step: int) -> dict[str, Any]:
    """All that the screen shows at a step; nothing that differs from one run of the same program to the next."""
    state = guard(timeline, partial(timeline.state, step), lambda _: State(step))
    fields: dict[str, tuple[Callable[[], Any], Any]] = {
        "cell": (lambda: timeline.view(step).cell if step else None, None),
        "line": (lambda: timeline.view(step).line if step else None, None),
        "tensors": (lambda: _tensors(state, state.frames[-1] if state.frames else None), {}),
        "frames": (lambda: _frames(state), []),
        "graph": (lambda: _graph_object(timeline, step, state), {"nodes": [], "edges": [], "shares": []}),
        "series": (lambda: _all_series(timeline, step), {}),
        "figures": (lambda: state.figures, 0),
        "output": (lambda: timeline.output(step), ""),
        "knobs": (lambda: state.knobs, {}),
        "optimizer": (lambda: last_optimizer(timeline, step), None),
    }
    return {"step": step} | {name: _field(timeline, say, nothing) for name, (say, nothing) in fields.items()}


def _field(timeline: Timeline, say: Callable[[], Any], nothing: Any) -> Any:
    return guard(timeline, say, lambda _: nothing)


def _frames(state: State) -> list[dict[str, Any]]:
    return [{"function": frame.function, "tensors": _tensors(state, frame)} for frame in reversed(state.frames)]


def _graph_object(timeline: Timeline, step: int, state: State) -> dict[str, Any]:
    nodes, edges = graph_of(state)
    return {
        "nodes": [_node(timeline, timeline.moment(step), node) for node in nodes],
        "edges": [list(edge) for edge in edges],
        "shares": _shares(state, edges),
    }


def _all_series(timeline: Timeline, step: int) -> dict[str, list[list[Any]]]:
    return {name: points for name in timeline.series if (points := _series(timeline, name, step))}


def _tensors(state: State, frame: FrameState | None) -> dict[str, Any]:
    if frame is None:
        return {}
    together = views(state, frame)
    named = {name: [name, *others] for name, others in aliases_of(state, frame).items()}
    all_names = {name: names for names in named.values() for name in names}
    return {
        name: {
            **_tensor(state, state.tensors[number]),
            "views": together[name],
            "aliases": [other for other in all_names[name] if other != name],
        }
        for name, number in names_of(state, frame).items()
    }


def _tensor(state: State, tensor: TensorState) -> dict[str, Any]:
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


def _node(timeline: Timeline, state: State, node: NodeState) -> dict[str, Any]:
    dtype = dtype_of(state, node.tensor)
    module = None if node.module is None or is_leaf(node) else state.modules.get(node.module)
    return {
        "id": node.node,
        "name": node.name,
        "tensor": None if node.tensor is None else name_of(state, node.tensor),
        "value": gradient_json(node.value, dtype),
        "grad": gradient_json(node.grad_outputs[0], dtype) if node.grad_outputs else None,
        "state": node.state,
        "saved": saved(state, node),
        "module": None if module is None else {"class": module.kind, "path": module.path},
        "pass": node.of_pass,
        "code": None if is_leaf(node) else code_of(timeline, node) or None,
    }


def _shares(state: State, edges: list[tuple[int, int]]) -> list[list[Any]]:
    """What went over the edges of a value with several uses: `[a, b, gradients]`, one gradient for each use by b."""
    found = []
    for source, target, sent in shares_of(state, edges):
        dtype = dtype_of(state, state.nodes[source].tensor)
        found.append([source, target, [gradient_json(one, dtype) for one in sent]])
    return found


def _series(timeline: Timeline, name: str, step: int) -> list[list[Any]]:
    """The points up to a step."""
    return [
        [point.x, point.value if math.isfinite(point.value) else str(point.value)]
        for point in timeline.series[name]
        if point.step <= step
    ]


# ---------------------------------------------------------------- for reading


def write_text(timeline: Timeline, step: int, out: TextIO) -> None:
    """The same to be read, from what is now to what was printed."""
    for line in lines(timeline, step):
        out.write(cut(escape_controls(line), _WIDEST) + "\n")


def lines(timeline: Timeline, step: int) -> list[str]:
    """The text of a point, line by line."""
    state = guard(timeline, partial(timeline.state, step), lambda _: State(step))
    parts: list[Callable[[], list[str]]] = [partial(_heading, timeline, step)]
    parts += [partial(_frame_lines, timeline, step, state, frame) for frame in reversed(state.frames)]
    parts += [
        partial(_graph, timeline, step), partial(saved_lines, timeline, step),
        partial(optimizer_lines, timeline, step), partial(_rest, timeline, step, state),
        lambda: _printed(timeline.output(step)),
    ]  # fmt: skip
    return [line for part in parts for line in guard(timeline, part, lambda why: ["", why])]


def _frame_lines(timeline: Timeline, step: int, state: State, frame: FrameState) -> list[str]:
    title = _("tensors in {function}", function=frame.function) if len(state.frames) > 1 else _("tensors")
    return ["", title, *_tensor_table(state, frame), *shared_lines(timeline, step, frame)]


def _rest(timeline: Timeline, step: int, state: State) -> list[str]:
    """Series, knobs and figures."""
    said: list[str] = []
    for name in timeline.series:
        points = _series(timeline, name, step)
        if points:
            shown = ", ".join(f"{x}: {number(value, '.6g', '')}" for x, value in points[-_SERIES_SHOWN:])
            text = N_("{name} by backward pass: {points}")
            if len(points) > _SERIES_SHOWN:
                text = N_("{name} by backward pass (the last {last} of {count}): {points}")
            said += ["", _(text, name=name, last=_SERIES_SHOWN, count=len(points), points=shown)]
    if state.knobs:
        said += [
            "",
            _("knobs: {knobs}", knobs=", ".join(f"{name} = {value!r}" for name, value in state.knobs.items())),
        ]
    if state.figures:
        said += ["", _("figures: {count}", count=state.figures)]
    return said


def _heading(timeline: Timeline, step: int) -> list[str]:
    if not step:
        return [_("before the first of {count} steps", count=timeline.steps)]
    view = timeline.view(step)
    parts = [_("step {number} of {count}", number=step, count=timeline.steps)]
    parts += [_("cell {number}", number=view.cell)] if view.cell is not None else []
    parts += [_("line {number}", number=view.line)] if view.line is not None else []
    parts += [_("in {function}", function=view.function)] if view.function not in (None, "<module>") else []
    parts += [_("turn {number}", number=view.iteration)] if view.iteration is not None else []
    parts += [_("backward pass {number}", number=view.pass_)] if view.pass_ is not None else []
    said = [_(", ").join(parts), *(view.code or "").splitlines()[:3], " ".join(plain(timeline, step).split())]
    why = explanation(timeline, step)
    return said if why is None or why in said[-1] else [*said, why]


def _tensor_table(state: State, frame: FrameState) -> list[str]:
    named, rowed = names_of(state, frame), aliases_of(state, frame)
    if not named:
        return ["  " + _("none")]
    names = (_("name"), _("value"), "shape", "dtype", "device", _("leaf"), "requires_grad", "grad_fn", "grad")
    rows = [list(names)]
    for name, others in list(rowed.items())[:_ROWS]:
        tensor = state.tensors[named[name]]
        grad = None if tensor.grad is None else state.tensors.get(tensor.grad)
        rows.append([
            _with_others(name, others), short(tensor.value, tensor.dtype, 32), str(list(tensor.shape)), tensor.dtype,
            tensor.device,
            _yes(tensor.is_leaf), _yes(tensor.requires_grad), tensor.grad_fn or "-",
            "None" if grad is None else short(grad.value, grad.dtype, 32),
        ])  # fmt: skip
    more = ["  " + _("and {count:,} more", count=len(rowed) - _ROWS)] if len(rowed) > _ROWS else []
    return table([[escape_controls(text) for text in row] for row in rows]) + more


def _with_others(name: str, others: list[str]) -> str:
    """`w = also = weights[0]`: the other names of the same tensor, as far as there is room for them."""
    shown: list[str] = []
    for other in others:
        if len(name) + sum(len(text) + 3 for text in (*shown, other)) > _NAMES:
            return " = ".join([name, *shown, "…"])
        shown.append(other)
    return " = ".join([name, *shown])


def _yes(what: bool | None) -> str:
    return "-" if what is None else _("yes") if what else _("no")


STATES = (N_("live"), N_("new"), N_("freed"))
"""What a node may be."""


def _graph(timeline: Timeline, step: int) -> list[str]:
    state = timeline.moment(step)
    nodes, edges = graph_of(state)
    if not nodes:
        return []
    feeds: dict[int, list[str]] = {}
    names = {node.node: _label(timeline, state, node) or node.name for node in nodes}
    for source, target in edges:
        feeds.setdefault(target, []).append(names[source])
    rows = [[_("node"), _("makes"), _("value"), _("gradient"), _("state"), _("from")]]
    for node in nodes[-_ROWS:]:
        value = "-" if node.value is None else short(node.value, "float32", 24)
        grad = short(node.grad_outputs[0], "float32", 24) if node.grad_outputs else "-"
        made = _label(timeline, state, node) or "-"
        rows.append([node.name, made, value, grad, _(node.state), ", ".join(feeds.get(node.node, ["-"]))])
    more = ["  " + _("and {count} before them", count=len(nodes) - _ROWS)] if len(nodes) > _ROWS else []
    head = _("graph")
    if state.last_pass is not None and state.showing_pass:
        head = _("graph of pass {number}", number=state.last_pass.number)
    return ["", head, *table([[escape_controls(text) for text in row] for row in rows]), *more]


def _label(timeline: Timeline, state: State, node: NodeState) -> str | None:
    """What to call what a node made: its name, else its code, where that is short enough for a table."""
    named = None if node.tensor is None else name_of(state, node.tensor)
    if named is not None:
        return label(state, node.tensor)
    code = code_of(timeline, node)
    return code if 0 < len(code) <= _NAMES else None


def _printed(output: str) -> list[str]:
    if not output:
        return []
    shown = output.splitlines()
    cut_off = len(shown) > _OUTPUT_LINES
    head = _("output")
    if cut_off:
        head = _("output (the last {last} of {count} lines)", last=_OUTPUT_LINES, count=len(shown))
    return ["", head, *("  " + line for line in shown[-_OUTPUT_LINES:])]
