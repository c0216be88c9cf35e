"""Explain targets that a loss refuses, and a loss that pairs each prediction with each target."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import number
from tutor.explain.mistakes.context import (
    FailureContext,
    Operand,
    StepContext,
    format_cast,
    list_shapes,
    parenthesize,
    parse_expression,
    parse_sizes,
)
from tutor.explain.mistakes.registry import Diagnosis, mistake, silent_mistake
from tutor.explain.rules.arrays import Shape, broadcast_shape, count
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _, ngettext
from tutor.trace.events import Op
from tutor.trace.operands import op_texts
from tutor.trace.state import TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

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


def _prediction_and_target(context: FailureContext) -> tuple[Operand, Operand] | None:
    """Return the first two arguments of the failing loss; None unless both are known tensors."""
    sides = context.operands(context.arguments()[:2])
    return (sides[0], sides[1]) if len(sides) == 2 else None


@mistake("IndexError", r"^Target (?P<number>-?\d+) is out of bounds")
def explain_target_range(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Target 3 is out of bounds" of a classification loss."""
    wrong, sides = int(match["number"]), _prediction_and_target(context)
    shape = () if sides is None else sides[0].tensor.shape
    class_count = None if not shape else shape[1] if len(shape) > 1 else shape[0]
    if sides is None or class_count is None:
        return Diagnosis(_(
            "The target of `{code}` holds {number}, and classes are numbered from 0 to one less than there are "
            "columns in the prediction.", code=context.code, number=wrong,
        ))  # fmt: skip
    prediction, target = sides
    problem = _(
        "{target} holds {number}, and {prediction} (shape {shape}) has {count} classes, which are numbered from 0 to "
        "{last}.", target=target.source, number=wrong, prediction=prediction.source, shape=shape_text(shape),
        count=class_count, last=class_count - 1,
    )  # fmt: skip
    values = [value for value in elements(target.tensor.value) or () if isinstance(value, int)]
    if values and min(values) == 1 and max(values) == class_count:
        fix = _("{target} counts from 1: write {fix} there.", target=target.source,
                 fix=f"{parenthesize(target.source)} - 1")  # fmt: skip
    elif wrong < 0:
        fix = _("Where it marks what should not count, give the loss ignore_index={number}.", number=wrong)
    else:
        count = max([*values, wrong]) + 1
        fix = _("With such targets the last layer must give {count} numbers for each sample.", count=count)
    return Diagnosis(problem, fix=fix)


@mistake("RuntimeError", r"^0D or 1D target tensor expected, multi-target not supported")
def explain_multi_target(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "0D or 1D target tensor expected, multi-target not supported" of a classification loss."""
    sides = _prediction_and_target(context)
    if sides is None:
        return None
    prediction, target = sides
    problem = _(
        "`{code}` takes one number of a class for each sample, so a target of shape {wanted}: {target} has shape "
        "{shape}.", code=context.code, wanted=shape_text(prediction.tensor.shape[:1]), target=target.source,
        shape=shape_text(target.tensor.shape),
    )  # fmt: skip
    if target.tensor.shape == prediction.tensor.shape and _is_one_hot(target):
        return Diagnosis(problem, fix=_("Each of its rows has a single 1: write {fix} there.",
                                   fix=f"{parenthesize(target.source)}.argmax(1)"))  # fmt: skip
    if target.tensor.shape[1:] != (1,):
        return Diagnosis(problem)
    fix = f"{parenthesize(target.source)}.squeeze(1)"
    if target.tensor.dtype != "int64":
        fix = format_cast(fix, "int64")
    return Diagnosis(problem, fix=_("Write {fix} there.", fix=fix))


def _is_one_hot(target: Operand) -> bool:
    """Return whether each row of a matrix is zeros and a single 1; False if not all values are recorded."""
    values, width = elements(target.tensor.value) or [], target.tensor.shape[-1]
    rows = [values[start : start + width] for start in range(0, len(values), width)]
    return len(target.tensor.shape) == 2 and len(rows) == target.tensor.shape[0] and all(
        sorted(row) == [*[0] * (width - 1), 1] for row in rows
    )  # fmt: skip


@mistake("ValueError", r"^Expected input batch_size \((?P<a>\d+)\) to match target batch_size \((?P<b>\d+)\)")
def explain_target_count(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "Expected input batch_size (4) to match target batch_size (3)" of a classification loss."""
    sides = _prediction_and_target(context)
    if sides is None:
        return None
    prediction, target = sides
    if not target.tensor.shape:
        return _describe_scalar_target(context, prediction, target)
    return Diagnosis(_(
        "`{code}` takes one target for each row of the prediction: {prediction} has shape {first}, that is {a}, and "
        "{target} has shape {second}, that is {b}. Its first size must be the number of samples.",
        code=context.code, prediction=prediction.source, first=shape_text(prediction.tensor.shape),
        a=_count_samples(int(match["a"])), target=target.source, second=shape_text(target.tensor.shape),
        b=_count_samples(int(match["b"])),
    ))  # fmt: skip


def _describe_scalar_target(context: FailureContext, prediction: Operand, target: Operand) -> Diagnosis:
    """Explain a target that is a single number, for a prediction with rows."""
    problem = _(
        "`{code}` takes one target for each row of the prediction: {prediction} has shape {first}, and {target} is a "
        "single number, of shape [].", code=context.code, prediction=prediction.source,
        first=shape_text(prediction.tensor.shape), target=target.source,
    )  # fmt: skip
    if prediction.tensor.shape[:1] != (1,):
        return Diagnosis(problem)
    return Diagnosis(problem, fix=_("Write {fix} there.", fix=f"{parenthesize(target.source)}.unsqueeze(0)"))


def _count_samples(count: int) -> str:
    """Return "3 samples" in the language of the interface."""
    return ngettext("{count} sample", "{count} samples", count)


@mistake("ValueError", r"^Target size \((?P<target>.+?)\) must be the same as input size \((?P<given>.+?)\)")
@mistake(
    "ValueError",
    r"^Using a target size \((?P<target>.+?)\) that is different to the input size \((?P<given>.+?)\) is deprecated",
)
def explain_target_shape(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Target size must be the same as input size" of a loss that compares element by element."""
    shape, target_shape = (parse_sizes(match[key]) for key in ("given", "target"))
    problem = _(
        "The prediction has shape {given} and the target {target}: this loss compares element with element, so they "
        "must be the same.", given=shape_text(shape), target=shape_text(target_shape),
    )  # fmt: skip
    sides = _prediction_and_target(context)
    fix = None if sides is None else _reshape_fix(parenthesize(sides[1].source), target_shape, shape)
    if sides is None or fix is None:
        return Diagnosis(problem, fix=_("Bring one to the other's shape with reshape or unsqueeze."))
    dtype = sides[0].tensor.dtype
    if sides[1].tensor.dtype != dtype:
        fix = format_cast(fix, dtype)
    return Diagnosis(problem, fix=_("Write {fix} there.", fix=fix))


def _reshape_fix(source: str, shape: tuple[int, ...], new_shape: tuple[int, ...]) -> str | None:
    """Return code that gives a tensor a shape that differs by one dimension of size 1; None for any other shape."""
    for dim in range(len(new_shape)):
        if new_shape[dim] == 1 and new_shape[:dim] + new_shape[dim + 1 :] == shape:
            return f"{source}.unsqueeze({dim})"
    for dim in range(len(shape)):
        if shape[dim] == 1 and shape[:dim] + shape[dim + 1 :] == new_shape:
            return f"{source}.squeeze({dim})"
    return None


@mistake(
    "RuntimeError",
    r"^weight tensor should be defined either for all (?P<wanted>\d+) classes or no classes but got weight tensor "
    r"of shape: \[(?P<own>.*?)\]",
)
def explain_class_weights(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "weight tensor should be defined either for all 3 classes or no classes" of a loss."""
    return Diagnosis(_(
        "The weight of `{code}` has a number for each class, so shape {wanted}, not {own}.",
        code=context.code, wanted=f"[{match['wanted']}]", own=f"[{match['own']}]",
    ))  # fmt: skip


@mistake("RuntimeError", r"^size mismatch \(got input: (?P<input>\[.*?\]) , target: (?P<target>\[.*?\])")
@mistake("RuntimeError", r"^only batches of spatial targets supported \(3D tensors\) but got targets of dimension: \d")
def explain_image_target(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "only batches of spatial targets supported" and "size mismatch" of a loss over images."""
    operands = context.passed(0, 2)
    if len(operands) != 2 or len(operands[0].tensor.shape) < 3:
        return None
    shape = operands[0].tensor.shape
    target_shape = (shape[0], *shape[2:])
    problem = _(
        "`{code}` takes the number of a class for each place of each sample, so a target of shape {wanted} for a "
        "prediction with its classes in dimension 1: {tensors}.",
        code=context.code, wanted=shape_text(target_shape), tensors=list_shapes(operands),
    )  # fmt: skip
    if operands[1].tensor.shape != (shape[0], 1, *shape[2:]):
        return Diagnosis(problem)
    return Diagnosis(problem, fix=_("Write {fix} there.", fix=f"{parenthesize(operands[1].source)}.squeeze(1)"))


@mistake("RuntimeError", r"^all elements of (?P<which>input|target) should be between 0 and 1")
def explain_probability_range(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "all elements of input should be between 0 and 1" of `BCELoss`."""
    call = context.call
    if call is None:
        return None
    position = 0 if match["which"] == "input" else 1
    operand = context.operand(context.argument(position, match["which"]))
    numbers = () if operand is None else elements(operand.tensor.value) or ()
    wrong = next((value for value in numbers if not 0 <= value <= 1), None)
    name = _("the target") if position else _("the prediction")
    values = {"code": context.code, "name": name if operand is None else operand.source}
    if wrong is None:
        problem = _("`{code}` takes probabilities, from 0 to 1, and {name} holds other numbers.", **values)
    else:
        problem = _(
            "`{code}` takes probabilities, from 0 to 1, and {name} holds {number}.", number=number(wrong), **values
        )
    if position or wrong is None or wrong != wrong:
        return Diagnosis(problem)
    name = ast.unparse(call.func)
    fix = f"{name}_with_logits" if name.endswith("binary_cross_entropy") else "nn.BCEWithLogitsLoss()"
    detail = _("If these are the numbers of a last layer as they are (logits), the loss for them is {fix}.", fix=fix)
    return Diagnosis(problem, fix=detail)
