"""What a torch operation did: its code, its numbers, its result."""

from __future__ import annotations

from dataclasses import dataclass

from tutor.explain import formatting
from tutor.explain.expressions import literal
from tutor.explain.formatting import Part
from tutor.explain.provenance import UNFILLED, RecordedOp, readable, remember
from tutor.explain.rules.registry import Operand, shape_text
from tutor.explain.saved_tensors import differ
from tutor.i18n import _
from tutor.trace.events import Op, Snapshot
from tutor.trace.operands import op_target
from tutor.trace.state import SiteInfo, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

# Operations of two arguments that one would write with a sign between them.
_SIGNS = {
    "add": "+", "add_": "+", "radd": "+", "sub": "-", "sub_": "-", "rsub": "-", "mul": "×", "mul_": "×", "rmul": "×",
    "div": "/", "div_": "/", "truediv": "/", "rtruediv": "/", "rdiv": "/", "pow": "^",
}  # fmt: skip
_REFLECTED = ("radd", "rsub", "rmul", "rtruediv", "rdiv")
_READS = ("item", "tolist")
_PRODUCTS = ("matmul", "mm", "bmm", "mv", "dot")


def op_line(timeline: Timeline, step: int) -> list[Part]:
    """`add · a = x + w = 2.0 + 1.0 = 3.0`"""
    told = _told(timeline, step)
    parts: list[Part] = [(told.name, "node")]
    if told.parent:
        parts.append((_(" in {composite}", composite=told.parent), "quiet"))
    if told.code:
        parts += [(" · ", "quiet"), (told.code, "code")]
    if told.was is not None:
        change = f"{told.target}: {told.was} → {told.result}"
        return [*parts, (" · ", "quiet"), (_same(told) if told.was == told.result else change, "value")]
    for text in filter(None, [told.numbers, told.result]):
        parts += [(" = ", "quiet"), (text, "value")]
    return parts


def op_plain(timeline: Timeline, step: int) -> str:
    """The same to be read aloud."""
    told = _told(timeline, step)
    name = told.name + (_(" in {composite}", composite=told.parent) if told.parent else "")
    said = " = ".join(filter(None, [told.code, told.numbers, told.result]))
    if told.was is not None:
        said = _("{target} was {old} and is now {new}.", target=told.target, old=told.was, new=told.result)
        said = _same(told) if told.was == told.result else said
        said = formatting.listed([told.code, said]) if told.code and told.code != told.target else said
    return _("{operation}: {said}", operation=name, said=said) if said else name


@dataclass(frozen=True)
class _OpSummary:
    name: str
    parent: str = ""
    """The composite of torch's that it ran in."""
    code: str = ""
    """With the result's name before it, where it gets one here."""
    numbers: str = ""
    result: str = ""
    target: str = ""
    was: str | None = None
    """What it held before, of what was changed in place."""
    stays: bool = False
    """Whether it is known to hold the same now."""


def _told(timeline: Timeline, step: int) -> _OpSummary:
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    name = (site.op if site is not None else None) or _("operation")
    if site is None or not isinstance(event, Op):
        return _OpSummary(name)
    parent = (site.parent or "torch") if site.depth else ""
    code = "" if parent else formatting.code(timeline.view(step).code)
    made = remember(timeline, step)
    before, after = timeline.state(step - 1), timeline.moment(step)
    first = event.inputs[0] if event.inputs else None
    if name == "set_grad" and first is not None:
        target = f"{readable(timeline, step, first)}.grad"
        return _OpSummary(name, parent, "", target=target, was=_grad(before, first), result=_grad(after, first))
    if name.startswith("set_") or name == "setitem":
        code = _statement(timeline, site) if code else ""
    if made is None:
        read = after.tensors.get(first or 0) if name in _READS else None
        return _OpSummary(name, parent, code, result="" if read is None else _held(read))
    outputs = [after.tensors[tensor] for tensor in event.outputs if tensor in after.tensors]
    single = outputs[:1] if parent and made.named else outputs  # the others are what the composite needs for itself
    result = formatting.joined([_held(tensor) for tensor in single])
    called = made.result.name
    if parent and called.startswith("%"):
        called = ""
    if name in UNFILLED:
        return _OpSummary(
            name, parent, f"{called} = {code}" if made.named and code else code, result=_("memory not yet filled")
        )
    if site.inplace:
        return _OpSummary(
            name,
            parent,
            code or called,
            result=result,
            target=called or _written(timeline, step, outputs),
            was=_before(name, before, event.outputs[0]),
            stays=_stays(timeline, step, event.outputs[0]),
        )
    left = op_target(timeline, step) if code and len(outputs) > 1 else called if made.named else None
    shown = f"{left} = {code}" if left and code and left != code else code or called
    return _OpSummary(name, parent, shown, _worked(made), result)


def _written(timeline: Timeline, step: int, outputs: list[TensorState]) -> str:
    """What an operation inside of a call wrote to, which has no name: a buffer of the call's, or the learner's leaf."""
    if outputs and outputs[0].is_leaf and outputs[0].requires_grad:
        return readable(timeline, step, outputs[0].tensor)
    return _("a tensor of its own")


# What those find is whatever was in memory: another thing in each run, and nothing to look at.
_FILLING = (
    "fill_", "copy_", "zeros_", "ones_", "constant_", "eye_", "dirac_", "orthogonal_", "sparse_", "uniform_", "normal_",
    "random_", "bernoulli_", "exponential_", "geometric_", "cauchy_", "log_normal_", "trunc_normal_",
    "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_",
)  # fmt: skip


def _before(op: str, before: State, tensor: int) -> str | None:
    """What a tensor held before it was changed, if that is worth a word. A gradient is never unfilled memory."""
    old = before.tensors.get(tensor)
    told = old is not None and op not in _FILLING and (op != "zero_" or tensor in before.grad_of)
    return _held(old) if told and old is not None else None


def _stays(timeline: Timeline, step: int, tensor: int) -> bool:
    """Whether all of a tensor is known and as it was. One first seen here (`a.data += 1`) was seen after the write."""
    old, new = timeline.state(step - 1).tensors.get(tensor), timeline.state(step).tensors.get(tensor)
    if old is None or new is None or elements(old.value) is None or elements(new.value) is None:
        return False
    seen = (event for event in timeline.following(step - 1) if isinstance(event, Snapshot))
    return not differ(old.value, new.value) and all(event.tensor != tensor for event in seen)


def _same(told: _OpSummary) -> str:
    """Of what looks as it did before: that it is the same, where all of it is known."""
    said = _("{target} stays {value}") if told.stays else "{target}: {value}"
    return said.format(target=told.target, value=told.result)


def _grad(state: State, tensor: int) -> str:
    owner = state.tensors.get(tensor)
    held = None if owner is None or owner.grad is None else state.tensors.get(owner.grad)
    return "None" if held is None else _held(held)


def _statement(timeline: Timeline, site: SiteInfo) -> str:
    statement = timeline.sites.get(site.statement)
    return "" if statement is None else formatting.code(timeline.book.code(site.file, statement.span))


def _held(tensor: TensorState) -> str:
    """The value where it can be written out, the shape with a summary where not."""
    return formatting.value(tensor.value, tensor.dtype) if tensor.value is not None else shape_text(tensor.shape)


def _worked(made: RecordedOp) -> str:
    """The arguments' numbers with the operation's sign between them, or their shapes for a product of matrices."""
    if len(made.operands) != 2:
        return ""
    a, b, op = *made.operands, made.op
    if op in _PRODUCTS and len(a.shape) > 0 and len(b.shape) > 0:
        return f"{shape_text(a.shape)}·{shape_text(b.shape)}"
    sign, first, second = _SIGNS.get(op), _number(a), _number(b)
    if op in _REFLECTED:
        first, second = second, first
    return f"{formatting.term(first)} {sign} {formatting.term(second)}" if sign and first and second else ""


def _number(operand: Operand) -> str | None:
    if operand.grid is None or len(operand.grid.flat) != 1:
        return None
    written = operand.tensor is None and literal(operand.name) is not None
    return operand.name if written else formatting.number(operand.grid.flat[0])
