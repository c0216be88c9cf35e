"""What a torch operation did: its code, its numbers, its result."""

from __future__ import annotations

from tutor.explain import words
from tutor.explain.origin import Made, remember
from tutor.explain.rules import Operand, shape_text
from tutor.explain.words import Part
from tutor.trace.events import Op
from tutor.trace.state import TensorState
from tutor.trace.timeline import Timeline

# Operations of two arguments that one would write with a sign between them.
_SIGNS = {
    "add": "+", "add_": "+", "radd": "+", "sub": "-", "sub_": "-", "mul": "×", "mul_": "×", "rmul": "×",
    "div": "/", "div_": "/", "truediv": "/", "iadd": "+", "isub": "-", "imul": "×", "itruediv": "/",
}  # fmt: skip
_READS = ("item", "tolist")
_PRODUCTS = ("matmul", "mm", "bmm", "mv", "dot")


def op_line(timeline: Timeline, step: int) -> list[Part]:
    """`add · a = x + w = 2.0 + 1.0 = 3.0`"""
    name, left, right, result = _told(timeline, step)
    parts: list[Part] = [(name, "node"), (" · ", "quiet"), (left, "code")]
    if right:
        parts += [(" = ", "quiet"), (right, "value")]
    if result:
        parts += [(" = ", "quiet"), (result, "value")]
    return parts


def op_plain(timeline: Timeline, step: int) -> str:
    name, left, right, result = _told(timeline, step)
    return f"{name}: " + " = ".join(filter(None, [left, right, result]))


def _told(timeline: Timeline, step: int) -> tuple[str, str, str, str]:
    """The operation's name, its code with the name of the result, its numbers, and what came out."""
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    name = (site.op if site is not None else None) or "operation"
    code = words.code(timeline.view(step).code)
    if site is None or not isinstance(event, Op):
        return name, code, "", ""
    after = timeline.state(step)
    made = remember(timeline, step)
    if made is None:
        read = after.tensors.get(event.inputs[0] or 0) if name in _READS and event.inputs else None
        return name, code or name, "", "" if read is None else _held(read)
    outputs = [after.tensors[tensor] for tensor in event.outputs if tensor in after.tensors]
    result = words.joined([_held(tensor) for tensor in outputs])
    if site.inplace:
        before = timeline.state(step - 1).tensors.get(event.outputs[0])
        was = f"{made.result.name} was {_held(before)}, is now" if before is not None else made.result.name
        return name, code, was, result
    target = made.result.name
    left = code if target in (code, "") or target.startswith("%") else f"{target} = {code}"
    return name, left, _worked(name, made), result


def _held(tensor: TensorState) -> str:
    """The value where it can be written out, the shape with a summary where not."""
    return words.value(tensor.value, tensor.dtype) if tensor.value is not None else shape_text(tensor.shape)


def _worked(op: str, made: Made) -> str:
    """The arguments' numbers with the operation's sign between them, or their shapes for a product of matrices."""
    if len(made.operands) != 2:
        return ""
    a, b = made.operands
    if op in _PRODUCTS and len(a.shape) > 0 and len(b.shape) > 0:
        return f"{shape_text(a.shape)}·{shape_text(b.shape)}"
    sign, first, second = _SIGNS.get(op), _number(a), _number(b)
    if op == "rsub":
        sign, first, second = "-", second, first
    if op == "pow" and first and second:
        return f"{first}^{second}"
    return f"{first} {sign} {second}" if sign and first and second else ""


def _number(operand: Operand) -> str | None:
    if operand.grid is None or len(operand.grid.flat) != 1:
        return None
    text = words.number(operand.grid.flat[0])
    return f"({text})" if text.startswith("-") else text
