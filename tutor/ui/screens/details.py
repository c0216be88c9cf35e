"""Everything about a tensor, a node or a step, on a sheet."""

from __future__ import annotations

from functools import partial
from typing import Any

from tutor import explain
from tutor.explain.keeping import kept_by, what
from tutor.explain.paths import paths_to
from tutor.trace import values
from tutor.trace.events import Value
from tutor.trace.graph import parts_of
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.row import EMPTY, Piece, Row, clean, pad, wrapped
from tutor.ui.reading import Namer, grad_of
from tutor.ui.screens.sheet import Sheet

_LABEL = 16


def details(timeline: Timeline, step: int, subject: str, ref: int) -> Sheet:
    """The sheet about `tensor`, `node` or `step` number `ref`, as it is at this step."""
    state = timeline.state(step)
    if subject == "tensor" and ref in state.tensors:
        name = Namer(state)(ref) or f"tensor {ref}"
        return Sheet(clean(name), partial(_tensor, state, state.tensors[ref]))
    if subject == "node" and ref in state.nodes:
        return Sheet(clean(state.nodes[ref].name), partial(_node, state, state.nodes[ref]))
    return Sheet(f"step {step}", partial(_step, timeline, step))


def _fact(label: str, text: str, cells: int, role: str = "plain") -> list[Row]:
    rows = wrapped([(clean(text), role)], max(cells - _LABEL, 8)) or [EMPTY]
    return [((pad("" if at else label, _LABEL), "quiet"), *row) for at, row in enumerate(rows)]


def _full(value: Value, dtype: str, role: str, glyphs: Glyphs) -> list[Row]:
    """All of a value: a list row by row, a large tensor by its figures and its corners."""
    shown = values.to_json(value, dtype)
    if isinstance(shown, dict):
        stats = shown.get("stats") or {}
        text = "   ".join(f"{name} {_number(number)}" for name, number in stats.items() if number is not None)
        rows: list[Row] = [((text or str(shown.get("note") or ""), role),)]
        if stats and shown.get("note"):
            rows.append(((clean(str(shown["note"])), "note"),))
        corners = value.get("corners") if isinstance(value, dict) else None
        return rows + ([((f"corners {corners}", "quiet"),)] if corners else [])
    return [((line, role),) for line in _lines(shown)]


def _number(value: Any) -> str:
    return values.number(float(value)) if isinstance(value, (int, float)) else str(value)


def _lines(shown: Any, indent: str = "") -> list[str]:
    """Nested lists, the innermost ones on a line each."""
    if not isinstance(shown, list) or not any(isinstance(item, list) for item in shown):
        return [indent + _flat(shown)]
    out = [indent + "["]
    for item in shown:
        out += _lines(item, indent + " ")
    return [*out, indent + "]"]


def _flat(shown: Any) -> str:
    if isinstance(shown, list):
        return "[" + ", ".join(_flat(item) for item in shown) + "]"
    text = f"{shown:.8g}" if isinstance(shown, float) else str(shown)
    return text + ".0" if isinstance(shown, float) and text.lstrip("-").isdecimal() else text


def _tensor(state: State, tensor: TensorState, cells: int, glyphs: Glyphs) -> list[Row]:
    kind = "a leaf" if tensor.is_leaf else f"computed by {tensor.grad_fn or 'an operation without gradient'}"
    rows = [*_fact("kind", f"{tensor.class_name}, {kind}", cells)]
    rows += _fact("shape", str(list(tensor.shape)), cells)
    rows += _fact("dtype", f"{tensor.dtype} on {tensor.device}, {tensor.layout}", cells)
    rows += _fact("requires grad", str(tensor.requires_grad) + (", keeps it" if tensor.retains_grad else ""), cells)
    rows += _fact("strides", str(list(tensor.strides)) if tensor.strides is not None else glyphs.none, cells)
    rows += _fact("storage", f"{tensor.storage}" + _shared(state, tensor), cells)
    rows += _fact("version", f"{tensor.version}: how often it was changed in place", cells)
    rows += [EMPTY, (("value", "heading"),), *_full(tensor.value, tensor.dtype, "plain", glyphs)]
    grad = grad_of(state, tensor)
    rows += [EMPTY, (("grad", "heading"),)]
    rows += [(("None", "quiet"),)] if grad is None else _full(grad.value, grad.dtype, "grad", glyphs)
    return rows + _paths(state, tensor.tensor, cells, glyphs)


def _shared(state: State, tensor: TensorState) -> str:
    """Which other tensors with a name see the same memory."""
    name = Namer(state)
    others = [
        name(other.tensor)
        for other in state.tensors.values()
        if other.storage is not None and other.storage == tensor.storage and other.tensor != tensor.tensor
    ]
    named = sorted({other for other in others if other})
    return f", shared with {', '.join(named)}" if named else ""


def _node(state: State, node: NodeState, cells: int, glyphs: Glyphs) -> list[Row]:
    name = Namer(state)
    tensor = None if node.tensor is None else state.tensors.get(node.tensor)
    dtype = tensor.dtype if tensor is not None else "float32"
    rows = _fact("made", name(node.tensor) or glyphs.none, cells)
    inputs = [state.nodes.get(source[0]) if source is not None else None for source in node.inputs]
    named = [glyphs.none if source is None else f"{source.name} {name(source.tensor)}".strip() for source in inputs]
    rows += _fact("sends to", ", ".join(named) or glyphs.none, cells)
    rows += _saves(state, node, cells)
    rows += _fact("state", node.state + (f", ran as number {node.order} of the pass" if node.order else ""), cells)
    rows += [EMPTY, (("value", "heading"),), *_full(node.value, dtype, "plain", glyphs)]
    for title, grads in (
        ("gradient that reached it", node.grad_outputs),
        ("gradients that it sends on", node.grad_inputs),
    ):
        if grads:
            rows += [EMPTY, ((title, "heading"),)]
            for grad in grads:
                rows += [(("None", "quiet"),)] if grad is None else _full(grad, dtype, "grad", glyphs)
    if node.name == "AccumulateGrad" and node.tensor is not None:
        rows += _paths(state, node.tensor, cells, glyphs)
    parts = parts_of(state, node.node)
    if len(parts) > 1:
        rows += [EMPTY, (("the parts that it is the sum of", "heading"),)]
        for source, part in parts:
            rows += _fact(source, values.short(part, dtype, max(cells - _LABEL, 8)), cells, "grad")
    return rows


def _saves(state: State, node: NodeState, cells: int) -> list[Row]:
    """What the node keeps for its backward, where that is known; else only under which names it may."""
    kept = kept_by(state, node)
    if not kept:
        return _fact("may save", ", ".join(node.saved) or "nothing", cells)
    rows: list[Row] = []
    for one in kept:
        fits = "" if one.fits else f", now at version {one.now}: backward will fail"
        freed = ", let go" if one.freed else ""
        version = "" if one.version is None else f", version {one.version}"
        text = f"{what(state, one)} as {one.name}, {one.bytes:,} bytes{version}{fits}{freed}"
        rows += _fact("" if rows else "saves", text, cells, "plain" if one.fits else "error")
    return rows


def _paths(state: State, tensor: int, cells: int, glyphs: Glyphs) -> list[Row]:
    """The ways over which the pass on show brought a gradient to a leaf, each the product of its factors."""
    found = paths_to(state, tensor)
    if found is None:
        return []
    rows: list[Row] = [EMPTY, (("the gradient of this pass, path by path", "heading"),)]
    number, times = values.number, glyphs.text("×")
    for path in found.paths:
        factors = f" {times} ".join(number(factor) for factor in (found.start, *path.factors))
        through = f" {glyphs.arrow} ".join(path.through)
        rows += _fact("path", f"{through}:  {factors} = {number(path.product)}", cells, "grad")
    if found.left_out:
        rows += _fact("", f"and {found.left_out:,} paths more", cells, "quiet")
    elif len(found.paths) > 1:
        total = " + ".join(number(path.product) for path in found.paths)
        rows += _fact("their sum", f"{total} = {number(found.total)}", cells, "grad")
    return rows


def _step(timeline: Timeline, step: int, cells: int, glyphs: Glyphs) -> list[Row]:
    view = timeline.view(step)
    pieces: list[Piece] = [(clean(text), role) for text, role in explain.line(timeline, step)]
    rows: list[Row] = [*wrapped(pieces, cells), EMPTY]
    rows += _fact("kind", view.kind, cells)
    if view.file is not None:
        rows += _fact("place", f"{view.file}:{view.line}", cells)
    if view.function is not None:
        rows += _fact("function", view.function, cells)
    if view.code is not None:
        rows += [(((pad("" if at else "code", _LABEL)), "quiet"), (clean(line), "code"))
                 for at, line in enumerate(view.code.split("\n"))]  # fmt: skip
    for label, number in (("iteration", view.iteration), ("pass", view.pass_), ("cell", view.cell)):
        if number is not None:
            rows += _fact(label, str(number), cells)
    return rows
