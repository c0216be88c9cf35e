"""Explain a torch operation: its code, its values, its result."""

from __future__ import annotations

from functools import reduce

import msgspec

from tutor.explain import formatting
from tutor.explain.expressions import literal
from tutor.explain.formatting import Part
from tutor.explain.provenance import UNFILLED, RecordedOp, readable_name, recorded_operation
from tutor.explain.rules.registry import Operand
from tutor.explain.saved_tensors import differ
from tutor.i18n import _, ngettext
from tutor.trace.events import LOAD, Op, Snapshot
from tutor.trace.names import name_of
from tutor.trace.number_format import equals, equation, inline, number, without_marks
from tutor.trace.number_format import shape as shape_text
from tutor.trace.operands import op_target
from tutor.trace.optimizer_names import name_in
from tutor.trace.state import SiteInfo, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

# Operations of two arguments that are written with a sign between them.
SIGNS = {
    "add": "+", "add_": "+", "radd": "+", "sub": "-", "sub_": "-", "rsub": "-", "mul": "×", "mul_": "×", "rmul": "×",
    "div": "/", "div_": "/", "truediv": "/", "rtruediv": "/", "rdiv": "/", "pow": "^",
}  # fmt: skip
REFLECTED = ("radd", "rsub", "rmul", "rtruediv", "rdiv")
"""Of these, the ones that the tensor on the right does."""
_READS = ("item", "tolist")
PRODUCTS = ("matmul", "mm", "bmm", "mv", "dot")


def op_phrases(timeline: Timeline, step: int) -> tuple[list[list[Part]], list[list[Part]]]:
    """Return an operation as phrases: `add`, `a = x + w = 2 + 1 = 3`; and of a matrix product apart from its code the
    shapes, `3×2 · 2×2 → 3×2`, and the result."""
    loaded = _load_texts(timeline, step)
    if loaded:
        return [[(text, role)] for text, role in zip(loaded, ("node", "value"), strict=False)], []
    summary = _summarize(timeline, step)
    head: list[Part] = [(summary.name, "node")]
    if summary.parent:
        head.append((_(" in {composite}", composite=summary.parent), "quiet"))
    phrases, code = [head], summary.code
    if summary.was is not None:
        change = f"{summary.target}: {summary.was} → {summary.result}"
        is_same = summary.was == summary.result
        phrases += [[(code, "code")]] if code and code != summary.target else []
        return [*phrases, [(_unchanged_text(summary) if is_same else change, "value")]], []
    if summary.shapes:
        result = equation(summary.target, summary.result) if summary.target else summary.result
        return [*phrases, [(code, "code")]], [[(summary.shapes, "quiet")], [(result, "value")]]
    working: list[Part] = [(code, "code")] if code else []
    left = ""
    for text in filter(None, [summary.numbers, summary.result]):
        sign, said = equals(text, left)
        working += [(sign, "quiet"), (without_marks(said), "value")]
        left = text
    if not code:  # ` = 1` goes on from the name
        return [[*head, *working]], []
    return [*phrases, working], []


def op_plain(timeline: Timeline, step: int) -> str:
    """Return the line of an operation as a sentence."""
    loaded = _load_texts(timeline, step)
    if loaded:
        return _("{operation}: {said}", operation=loaded[0], said=loaded[1]) if len(loaded) > 1 else loaded[0]
    summary = _summarize(timeline, step)
    name = summary.name + (_(" in {composite}", composite=summary.parent) if summary.parent else "")
    code = f"{summary.code} ({summary.shapes.partition(' → ')[0]})" if summary.shapes else summary.code
    said = [text for text in (code, summary.numbers, summary.result) if text]
    text = reduce(equation, said) if said else ""
    if summary.was is not None:
        text = _("{target} was {old} and is now {new}.", target=summary.target, old=summary.was, new=summary.result)
        text = _unchanged_text(summary) if summary.was == summary.result else text
        text = formatting.listed([summary.code, text]) if summary.code and summary.code != summary.target else text
    return _("{operation}: {said}", operation=name, said=text) if text else name


def _load_texts(timeline: Timeline, step: int) -> list[str]:
    """Return what a load of a `DataLoader` is, and what it gave, by name and shape; empty for another operation."""
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if site is None or site.op != LOAD or not isinstance(event, Op):
        return []
    samples = timeline.arguments(step).get("samples")
    text = _("loads a batch")
    if isinstance(samples, int):
        text = ngettext("loads {count:,} sample", "loads {count:,} samples", samples)
    after = timeline.moment(step)
    results = []
    for tensor in event.outputs[:_MOST_LOADED]:
        name, held = name_of(after, tensor), after.tensors.get(tensor)
        shape = shape_text(held.shape) if held is not None and held.shape is not None else ""
        results += [f"{name} ({shape})" if name and shape else name or shape]
    more = len(event.outputs) - _MOST_LOADED
    if more > 0:
        results.append(ngettext("{count} more tensor", "{count} more tensors", more))
    return [text, formatting.joined(results)] if any(results) else [text]


_MOST_LOADED = 6
"""Most tensors of a batch that are named."""


class _OpSummary(msgspec.Struct, frozen=True):
    """An operation that ran, as texts; empty where there is nothing to say."""

    name: str
    parent: str = ""
    """The composite operation that it ran in."""
    code: str = ""
    """The code, after the name of the result where it gets one here."""
    numbers: str = ""
    shapes: str = ""
    """Of a matrix product: `3×2 · 2×2 → 3×2`."""
    result: str = ""
    target: str = ""
    was: str | None = None
    """The value before, of what was changed in place; None where it is not shown."""
    stays: bool = False
    """Whether the value is known to be the same after an in-place operation."""


def _summarize(timeline: Timeline, step: int) -> _OpSummary:
    """Summarize an operation."""
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    name = (site.op if site is not None else None) or _("operation")
    if site is None or not isinstance(event, Op):
        return _OpSummary(name)
    parent = (site.parent or "torch") if site.depth else ""
    code = "" if parent else formatting.code(timeline.view(step).code)
    made = recorded_operation(timeline, step)
    before, after = timeline.state(step - 1), timeline.moment(step)
    first = event.inputs[0] if event.inputs else None
    if name == "set_grad" and first is not None:
        target = f"{readable_name(timeline, step, first)}.grad"
        return _OpSummary(
            name, parent, "", target=target, was=_grad_text(before, first), result=_grad_text(after, first)
        )
    if name.startswith("set_") or name == "setitem":
        code = _statement_code(timeline, site) if code else ""
    if made is None:
        read = after.tensors.get(first or 0) if name in _READS else None
        return _OpSummary(name, parent, code, result="" if read is None else _tensor_text(read))
    outputs = [after.tensors[tensor] for tensor in event.outputs if tensor in after.tensors]
    shown_outputs = (
        outputs[:1] if parent and made.named else outputs
    )  # the others are what the composite needs for itself
    result = formatting.joined([_tensor_text(tensor) for tensor in shown_outputs])
    result_name = made.result.name
    if parent.endswith(".step"):
        result_name = _name_of_results(timeline, after, event)
    elif parent and result_name.startswith("%"):
        result_name = ""
    if name in UNFILLED:
        return _OpSummary(
            name, parent, f"{result_name} = {code}" if made.named and code else code, result=_("memory not yet filled")
        )
    if site.inplace:
        return _OpSummary(
            name,
            parent,
            code or result_name,
            result=result,
            target=result_name or _unnamed_target(timeline, step, outputs),
            was=_value_before(name, before, event.outputs[0]),
            stays=_is_unchanged(timeline, step, event.outputs[0]),
        )
    assigned_name = op_target(timeline, step) if code and len(outputs) > 1 else result_name if made.named else None
    shown_code = (
        f"{assigned_name} = {code}" if assigned_name and code and assigned_name != code else code or result_name
    )
    shapes = _product_shapes(made)
    target = result_name if shapes and not result_name.startswith("%") and made.named else ""
    return _OpSummary(name, parent, shown_code, _operands_text(made), shapes, result, target)


def _product_shapes(made: RecordedOp) -> str:
    """Return the shapes of a matrix product: `3×2 · 2×4 → 3×4`."""
    if made.op not in PRODUCTS or len(made.operands) != 2 or not all(operand.shape for operand in made.operands):
        return ""
    return f"{' · '.join(shape_text(operand.shape) for operand in made.operands)} → {shape_text(made.result.shape)}"


def _name_of_results(timeline: Timeline, after: State, event: Op) -> str:
    """Return the name of the first result of an operation inside a call, and how many more there are; "" without
    one."""
    name, more = name_in(timeline, after, event.outputs[0]), len(event.outputs) - 1
    if name is None or not more:
        return name or ""
    return ngettext("{name} (and {count} more tensor)", "{name} (and {count} more tensors)", more, name=name)


def _unnamed_target(timeline: Timeline, step: int, outputs: list[TensorState]) -> str:
    """Return a name for what an operation inside a call wrote to: a buffer of the call's, or the learner's leaf."""
    if outputs and outputs[0].is_leaf and outputs[0].requires_grad:
        return readable_name(timeline, step, outputs[0].tensor)
    return _("a tensor of its own")


# Operations that overwrite memory, which may be uninitialized: the value before is not shown.
_INITIALIZERS = (
    "fill_", "copy_", "zeros_", "ones_", "constant_", "eye_", "dirac_", "orthogonal_", "sparse_", "uniform_", "normal_",
    "random_", "bernoulli_", "exponential_", "geometric_", "cauchy_", "log_normal_", "trunc_normal_",
    "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_",
)  # fmt: skip


def _value_before(op: str, before: State, tensor: int) -> str | None:
    """Return what a tensor held before it was changed; None where it may be uninitialized. A gradient never is."""
    previous = before.tensors.get(tensor)
    is_shown = previous is not None and op not in _INITIALIZERS and (op != "zero_" or tensor in before.grad_of)
    return _tensor_text(previous) if is_shown and previous is not None else None


def _is_unchanged(timeline: Timeline, step: int, tensor: int) -> bool:
    """Return whether a tensor is known in full and has its old value. A tensor recorded first at this step (`a.data +=
    1`) was seen only after the write."""
    old, new = timeline.state(step - 1).tensors.get(tensor), timeline.state(step).tensors.get(tensor)
    if old is None or new is None or elements(old.value) is None or elements(new.value) is None:
        return False
    snapshots = (event for event in timeline.following(step - 1) if isinstance(event, Snapshot))
    return not differ(old.value, new.value) and all(event.tensor != tensor for event in snapshots)


def _unchanged_text(summary: _OpSummary) -> str:
    """Return the text for a value that looks the same: that it stays so, where it is known in full."""
    template = _("{target} stays {value}") if summary.stays else "{target}: {value}"
    return template.format(target=summary.target, value=summary.result)


def _grad_text(state: State, tensor: int) -> str:
    """Return a tensor's gradient; "None" where it has none."""
    owner = state.tensors.get(tensor)
    grad = None if owner is None or owner.grad is None else state.tensors.get(owner.grad)
    return "None" if grad is None else _tensor_text(grad)


def _statement_code(timeline: Timeline, site: SiteInfo) -> str:
    """Return the code of the whole statement."""
    statement = timeline.sites.get(site.statement)
    return "" if statement is None else formatting.code(timeline.definitions.code(site.file, statement.span))


def _tensor_text(tensor: TensorState) -> str:
    """Return a tensor's value where it was recorded, else its shape."""
    return inline(tensor.value, tensor.dtype) if tensor.value is not None else shape_text(tensor.shape)


def _operands_text(made: RecordedOp) -> str:
    """Return the operands with the operation's sign between them."""
    if len(made.operands) != 2:
        return ""
    a, b, op = *made.operands, made.op
    sign, first, second = SIGNS.get(op), _number_text(a, made.dtype), _number_text(b, made.dtype)
    if op in REFLECTED:
        first, second = second, first
    return f"{formatting.term(first)} {sign} {formatting.term(second)}" if sign and first and second else ""


def _number_text(operand: Operand, dtype: str) -> str | None:
    if operand.grid is None or len(operand.grid.flat) != 1:
        return None
    is_literal = operand.tensor is None and literal(operand.name) is not None
    return operand.name if is_literal else number(operand.grid.flat[0], dtype)
