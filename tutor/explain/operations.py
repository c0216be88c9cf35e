"""What a torch operation did: its code, its numbers, its result."""

from __future__ import annotations

from dataclasses import dataclass

from tutor.explain import words
from tutor.explain.operands import literal
from tutor.explain.origin import Made, remember
from tutor.explain.rules import Operand, shape_text
from tutor.explain.words import Part
from tutor.trace.events import Op
from tutor.trace.state import TensorState
from tutor.trace.timeline import Timeline

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
    parts: list[Part] = [(told.name, "node"), (" · ", "quiet"), (told.code, "code")]
    if told.was is not None:
        return [*parts, (" · ", "quiet"), (f"{told.target}: {told.was} → {told.result}", "value")]
    for text in filter(None, [told.numbers, told.result]):
        parts += [(" = ", "quiet"), (text, "value")]
    return parts


def op_plain(timeline: Timeline, step: int) -> str:
    """The same to be read aloud."""
    told = _told(timeline, step)
    if told.was is not None:
        return f"{told.name}: {told.code}; {told.target} was {told.was} and is now {told.result}."
    return f"{told.name}: " + " = ".join(filter(None, [told.code, told.numbers, told.result]))


@dataclass(frozen=True)
class _Told:
    name: str
    code: str
    """With the result's name before it, where it gets one here."""
    numbers: str = ""
    result: str = ""
    target: str = ""
    was: str | None = None
    """What it held before, of what was changed in place."""


def _told(timeline: Timeline, step: int) -> _Told:
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    name = (site.op if site is not None else None) or "operation"
    code = words.code(timeline.view(step).code)
    if site is None or not isinstance(event, Op):
        return _Told(name, code)
    made = remember(timeline, step)
    before, after = timeline.state(step - 1), timeline.state(step)
    if name.startswith("set_") or name == "setitem":
        statement = timeline.sites.get(site.statement)
        return _Told(name, words.code(timeline.book.code(site.file, statement.span)) if statement is not None else code)
    if made is None:
        read = after.tensors.get(event.inputs[0] or 0) if name in _READS and event.inputs else None
        return _Told(name, code, result="" if read is None else _held(read))
    outputs = [after.tensors[tensor] for tensor in event.outputs if tensor in after.tensors]
    result = words.joined([_held(tensor) for tensor in outputs])
    old = before.tensors.get(event.outputs[0]) if site.inplace else None
    if old is not None:
        return _Told(name, code, result=result, target=made.result.name, was=_held(old))
    shown = f"{made.result.name} = {code}" if made.named and made.result.name != code else code
    return _Told(name, shown, _worked(made), result)


def _held(tensor: TensorState) -> str:
    """The value where it can be written out, the shape with a summary where not."""
    return words.value(tensor.value, tensor.dtype) if tensor.value is not None else shape_text(tensor.shape)


def _worked(made: Made) -> str:
    """The arguments' numbers with the operation's sign between them, or their shapes for a product of matrices."""
    if len(made.operands) != 2:
        return ""
    a, b, op = *made.operands, made.op
    if op in _PRODUCTS and len(a.shape) > 0 and len(b.shape) > 0:
        return f"{shape_text(a.shape)}·{shape_text(b.shape)}"
    sign, first, second = _SIGNS.get(op), _number(a), _number(b)
    if op in _REFLECTED:
        first, second = second, first
    return f"{words.term(first)} {sign} {words.term(second)}" if sign and first and second else ""


def _number(operand: Operand) -> str | None:
    if operand.grid is None or len(operand.grid.flat) != 1:
        return None
    written = operand.tensor is None and literal(operand.name) is not None
    return operand.name if written else words.number(operand.grid.flat[0])
