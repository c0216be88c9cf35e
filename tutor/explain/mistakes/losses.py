"""Explain targets that a loss refuses, and a loss that pairs each prediction with each target."""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.context import StepContext, parenthesize, parse_expression
from tutor.explain.mistakes.registry import Diagnosis, silent_mistake
from tutor.explain.rules.arrays import Shape, broadcast_shape, count
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _
from tutor.trace.events import Op
from tutor.trace.operands import op_texts
from tutor.trace.state import TensorState
from tutor.trace.timeline import Timeline

# ---------------------------------------------------------------- a loss that broadcasts

_DIFFERENCES = ("sub", "rsub", "subtract")
_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
_SAME_SHAPE = ("pow", "square", "abs", "sqrt", "mul", "rmul", "div", "truediv", "neg", "clamp", "exp", "log", "cosh",
               "add", "radd", "where", "float", "double", "pow_", "abs_", "square_", "absolute")  # fmt: skip
_REDUCTIONS = ("mean", "sum", "norm", "nanmean", "median", "linalg_norm", "vector_norm")
_ON_PURPOSE = re.compile(r"None|unsqueeze|newaxis|view|reshape|expand|cdist")
_MAX_STEPS = 60
"""Maximum steps between a difference and its loss, or the operation that made an operand."""


@silent_mistake("op")
def explain_broadcast_loss(context: StepContext) -> Diagnosis | None:
    """Say at a difference, or a loss, of shapes [n, 1] and [n] that it pairs all of them, unless that is intended."""
    event, site, timeline, step = context.event, context.site, context.timeline, context.step
    if not isinstance(event, Op) or site is None or site.depth:
        return None
    kind = (site.op or "").strip("_")
    if kind not in (*_DIFFERENCES, *_LOSSES):
        return None
    tensors = context.before.tensors
    operands = [tensors[number] for number in event.inputs[:2] if number in tensors]
    if len(operands) != 2 or not _is_column_and_row(operands[0].shape, operands[1].shape):
        return None
    if kind in _DIFFERENCES and (
        _is_intended(timeline, step, event, operands) or not _feeds_loss(timeline, step, event)
    ):
        return None
    texts = op_texts(timeline, step)
    if texts is None:  # of `nn.MSELoss()(a, b)`
        names = _loss_arguments(timeline.view(step).code)
    else:
        names = [text for number, text in zip(event.inputs, texts, strict=False) if number in tensors]
    return Diagnosis(_describe_broadcast(operands, names if names and len(names) == 2 else None), role="quiet")


def _loss_arguments(code: str | None) -> list[str] | None:
    """Return the two arguments of the call of a loss; None for any other code."""
    call = parse_expression((code or "").strip())
    if not isinstance(call, ast.Call) or len(call.args) != 2 or call.keywords:
        return None
    return [ast.unparse(argument) for argument in call.args]


def _is_column_and_row(a: Shape, b: Shape) -> bool:
    """Return whether the shapes are a column and a row of as many elements: [3, 1] and [3] broadcast to [3, 3]."""
    row, column = sorted((a, b), key=len)
    if column != (*row, 1) or not row:
        return False
    try:
        return count(broadcast_shape(a, b)) > max(count(a), count(b))
    except ValueError:
        return False


def _is_intended(timeline: Timeline, step: int, event: Op, operands: list[TensorState]) -> bool:
    """Return whether the code shows that all pairs are meant: `x[:, None] - x`."""
    if any(_ON_PURPOSE.search(text) for text in op_texts(timeline, step) or [timeline.view(step).code or ""]):
        return True
    serials = {operand.tensor for operand in operands}
    return any(bool(_inputs_of(timeline, step, operand.tensor) & (serials - {operand.tensor})) for operand in operands)


def _inputs_of(timeline: Timeline, step: int, tensor: int) -> set[int]:
    """Return the inputs of the operation that returned a tensor; empty if it is not among the last steps."""
    for earlier in range(step - 1, max(step - _MAX_STEPS, 0), -1):
        event = timeline.event(earlier)
        if isinstance(event, Op) and tensor in event.outputs:
            return {serial for serial in event.inputs if serial is not None}
    return set()


def _feeds_loss(timeline: Timeline, step: int, event: Op) -> bool:
    """Return whether the differences are only transformed element by element, and then reduced to a scalar."""
    results = set(event.outputs)
    for later in range(step + 1, min(step + _MAX_STEPS, timeline.steps) + 1):
        operation = timeline.event(later)
        site = timeline.sites.get(operation.site) if isinstance(operation, Op) else None
        if not isinstance(operation, Op) or site is None or site.depth or not results.intersection(operation.inputs):
            continue
        kind = (site.op or "").strip("_")
        tensors = timeline.state(later).tensors
        is_scalar = any(serial in tensors and tensors[serial].shape == () for serial in operation.outputs)
        if kind in _REDUCTIONS and is_scalar:
            return True
        if kind in _SAME_SHAPE:
            results.update(operation.outputs)
    return False


def _describe_broadcast(operands: list[TensorState], names: list[str] | None) -> str:
    """Return the warning, with a fix if both operands have names."""
    first, second = (operand.shape for operand in operands)
    values = {
        "first": shape_text(first), "second": shape_text(second), "wide": shape_text(broadcast_shape(first, second)),
    }  # fmt: skip
    row = 0 if len(first) < len(second) else 1
    if names is None:
        return _(
            "{first} meets {second} and gives {wide}: each prediction is compared with each target, not with its own",
            **values,
        )  # fmt: skip
    dim = len(operands[row].shape)
    fixes = (f"{parenthesize(names[row])}.unsqueeze({dim})", f"{parenthesize(names[1 - row])}.squeeze({dim})")
    return _(
        "{first} meets {second} and gives {wide}: each prediction is compared with each target, not with its own; "
        "write {unsqueezed} or {squeezed}", unsqueezed=fixes[0], squeezed=fixes[1], **values,
    )  # fmt: skip
