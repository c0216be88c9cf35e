"""Find mistakes of a training: what a loss is given, and what no optimizer changes.

Explains targets and weights that a loss refuses (their dtypes are in `dtypes_and_devices`) and a loss that pairs each
prediction with each target; finds leaves that get gradients in vain, as no optimizer changes them or their name means
another tensor.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from tutor.explain import formatting
from tutor.explain.mistakes.context import (
    FailureContext,
    Operand,
    StepContext,
    format_cast,
    has_gradient,
    list_shapes,
    parenthesize,
    parse_code,
    parse_expression,
    parse_sizes,
)
from tutor.explain.mistakes.registry import Diagnosis, mistake, remember, silent_mistake
from tutor.explain.optimizers import finished_steps
from tutor.explain.rules.arrays import Shape, broadcast_shape, count
from tutor.i18n import _, ngettext
from tutor.trace.events import Accumulate, Captured, Op, OptimizerStep
from tutor.trace.names import name_of, names_of
from tutor.trace.number_format import number
from tutor.trace.number_format import shape as shape_text
from tutor.trace.operands import op_texts
from tutor.trace.state import State, TensorState
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


# ---------------------------------------------------------------- targets and weights that a loss refuses


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
        "scalar, a single number.", code=context.code, prediction=prediction.source,
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
        code=context.code, wanted=match["wanted"], own=shape_text(parse_sizes(match["own"])),
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


# ---------------------------------------------------------------- a name that means another tensor


@silent_mistake("accumulate", priority=1)
def explain_lost_leaf(context: StepContext) -> Diagnosis | None:
    """Say where a leaf gets its gradient that its name means another tensor now, which gets none."""
    event, state = context.event, context.timeline.moment(context.step)
    if not isinstance(event, Accumulate) or not formatting.is_rebound(state, event.tensor):
        return None
    name = state.tensors[event.tensor].label or ""
    current = state.tensors.get(names_of(state).get(name, 0))
    if current is None or current.is_leaf or current.retains_grad:
        return None
    node = None if current.node is None else state.nodes.get(current.node)
    created = None if node is None else context.timeline.operation(node)
    line = None if created is None else context.timeline.view(created).line
    if line is None:
        return Diagnosis(_("{name} means another tensor now, which is no leaf: {name}.grad gets nothing", name=name))
    text = _("since line {line} {name} means another tensor, which is no leaf: {name}.grad gets nothing", name=name,
              line=line)  # fmt: skip
    return Diagnosis(text, created)


# ---------------------------------------------------------------- parameters that no optimizer changes

_MAX_NAMED = 2
"""Maximum parameters named in a sentence."""


@dataclass(frozen=True)
class _TrainingFacts:
    """Which parameters get gradients and which are optimized, in a whole recording."""

    reached: dict[int, list[int]]
    """By unoptimized leaf: the steps at which it got a gradient."""
    together: dict[int, list[int]]
    """The same, for passes alone in which an optimized tensor got a gradient too."""
    trains: bool
    """Whether optimizers change parameters of modules: a model is trained, not an image or a code for a fixed one."""
    first: int
    """The step of the recording at which an optimizer stepped first; 0 if none did."""
    name: str
    """The class of that optimizer."""


@remember
def _training_facts(timeline: Timeline) -> _TrainingFacts:
    """Return the facts of a recording."""
    optimized: set[int] = set()
    first, name = 0, ""
    for side_event in timeline.side_events:
        if isinstance(side_event.event, OptimizerStep):
            optimized.update(update.tensor for update in side_event.event.updates)
            optimized.update(side_event.event.others)
            if not name:
                first, name = side_event.step, side_event.event.optimizer
    reached, together = _unoptimized_leaves(timeline, optimized) if name else ({}, {})
    tensors = timeline.state(first).tensors
    trains = any(serial in tensors and tensors[serial].class_name == "Parameter" for serial in optimized)
    return _TrainingFacts(reached, together, trains, first, name)


def _unoptimized_leaves(timeline: Timeline, optimized: set[int]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Return the steps at which leaves that no optimizer changes got gradients, and those in passes with optimized
    leaves.

    A leaf that `autograd.grad` is asked for is left out: its gradient is the result.
    """
    reached: dict[int, list[int]] = {}
    together: dict[int, list[int]] = {}
    captured: set[int] = set()
    accumulated: list[tuple[int, int]] = []
    depth, has_optimized = 0, False
    for step in range(1, timeline.steps + 1):
        kind = timeline.kind(step)
        if kind == "backward":
            if not depth:
                accumulated, has_optimized = [], False
            depth += 1
        elif kind == "backward_end":
            depth = max(depth - 1, 0)
            for tensor, step_ in accumulated if has_optimized and not depth else ():
                together.setdefault(tensor, []).append(step_)
        elif kind in ("accumulate", "captured"):
            event = timeline.event(step)
            if isinstance(event, Captured):
                captured.add(event.tensor)
            elif isinstance(event, Accumulate) and event.tensor in optimized:
                has_optimized = True
            elif isinstance(event, Accumulate):
                accumulated.append((event.tensor, step))
                reached.setdefault(event.tensor, []).append(step)
    return {tensor: steps for tensor, steps in reached.items() if tensor not in captured}, together


@silent_mistake("line", "op", "cell", "cell_end", "backward", "captured", "retained", "hook", "failed")
def explain_unoptimized(context: StepContext) -> Diagnosis | None:
    """Say at a step of an optimizer which parameters get gradients and are changed by none."""
    timeline, step = context.timeline, context.step
    if not finished_steps(timeline, step):
        return None
    facts, state = _training_facts(timeline), context.state
    left_out = [serial for serial in facts.reached if _is_unoptimized(timeline, facts, state, serial, step)]
    if not left_out:
        return None
    names = [name for serial in left_out[:_MAX_NAMED] if (name := name_of(state, serial)) is not None]
    if not names:
        return None
    rest = len(left_out) - len(names)
    listed = [*names, ngettext("{count} more parameter", "{count} more parameters", rest)]
    passes = max(sum(reached <= step for reached in facts.reached[serial]) for serial in left_out)
    problem = ngettext(
        "no optimizer changes {names}, though gradients came in {count} pass",
        "no optimizer changes {names}, though gradients came in {count} passes",
        passes, names=formatting.joined(listed if rest else names),
    )  # fmt: skip
    return Diagnosis(problem, fix=_unoptimized_fix(context, facts, left_out[0], names[0]), role="quiet")


@silent_mistake("accumulate")
def explain_unoptimized_sum(context: StepContext) -> Diagnosis | None:
    """Say where a gradient is added to an old one of a parameter that no optimizer changes."""
    event, before = context.event, context.before
    if not isinstance(event, Accumulate):
        return None
    facts, tensor = _training_facts(context.timeline), before.tensors.get(event.tensor)
    if (
        tensor is None
        or not has_gradient(before, event.tensor)
        or not _is_unoptimized(context.timeline, facts, before, event.tensor, context.step)
    ):
        return None
    name = name_of(before, event.tensor)
    if name is None:
        return None
    text = _("{name}.grad adds up from pass to pass, and no optimizer changes {name}", name=name)
    return Diagnosis(text, role="quiet")


def _is_unoptimized(timeline: Timeline, facts: _TrainingFacts, state: State, serial: int, step: int) -> bool:
    """Return whether a leaf has got several gradients by this step and has not been changed since the first."""
    reached = [accumulated for accumulated in facts.reached.get(serial, ()) if accumulated <= step]
    tensor = state.tensors.get(serial)
    if (
        sum(accumulated <= step for accumulated in facts.together.get(serial, ())) < 2
        or not facts.first
        or facts.first > step
        or not reached
    ):
        return False
    if tensor is None or not tensor.requires_grad:
        return False
    earlier = timeline.state(reached[0]).tensors.get(serial)
    if (
        earlier is None
        or earlier.version != tensor.version
        or earlier.storage != tensor.storage
        or earlier.value != tensor.value
    ):
        return False  # stepped by hand
    return facts.trains if tensor.class_name == "Parameter" else _accumulates_unread(timeline, tensor, reached)


def _accumulates_unread(timeline: Timeline, tensor: TensorState, reached: list[int]) -> bool:
    """Return whether a plain leaf's gradient is accumulated repeatedly and never read."""
    before = timeline.state(reached[-1] - 1)
    leaf = before.tensors.get(tensor.tensor)
    if leaf is None or not has_gradient(before, leaf.tensor):
        return False
    for step in range(reached[0], reached[-1]):
        event = timeline.event(step) if timeline.kind(step) == "op" else None
        if isinstance(event, Op) and leaf.grad in event.inputs:
            return False
    return True


_CONTAINER_ITEM = re.compile(r"(?P<owner>.*)\.(?P<field>\w+)\[[^\]]+\]")


def _unoptimized_fix(context: StepContext, facts: _TrainingFacts, serial: int, name: str) -> str:
    """Say why no optimizer changes a parameter, or what to do about it."""
    timeline = context.timeline
    container_info = _plain_container(timeline, name)
    if container_info is not None:
        owner, container, module = container_info
        return _(
            "{owner} is a plain {container}, in which a module does not look for parameters: write {module} for it",
            owner=owner, container=container, module=module,
        )  # fmt: skip
    step_made, optimizer_step = (
        context.first_step(lambda state: serial in state.tensors),
        _optimizer_creation(timeline, facts),
    )
    line = timeline.view(step_made).line if step_made else None
    if optimizer_step is not None and optimizer_step < step_made and line is not None:
        return _(
            "it was made on line {line}, after the optimizer (line {optimizer}): make the optimizer when the model is "
            "complete", line=line, optimizer=timeline.view(optimizer_step).line,
        )  # fmt: skip
    return _("give it to the optimizer, or let it need no gradient: {fix}", fix=f"{name}.requires_grad_(False)")


def _plain_container(timeline: Timeline, name: str) -> tuple[str, str, str] | None:
    """Return the list or dict of a module that holds a parameter, its type, and the module to use instead."""
    match = _CONTAINER_ITEM.match(name)
    if match is None:
        return None
    for source in timeline.sources.values():
        for node in ast.walk(parse_code(source.text)):
            if not isinstance(node, (ast.Assign, ast.AnnAssign)):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not any(isinstance(target, ast.Attribute) and target.attr == match["field"] for target in targets):
                continue
            if isinstance(node.value, (ast.List, ast.ListComp)):
                return f"{match['owner']}.{match['field']}", _("list"), "nn.ModuleList([…])"
            if isinstance(node.value, (ast.Dict, ast.DictComp)):
                return f"{match['owner']}.{match['field']}", _("dict"), "nn.ModuleDict({…})"
    return None


def _optimizer_creation(timeline: Timeline, facts: _TrainingFacts) -> int | None:
    """Return the step of the statement that made the optimizer; None if unknown."""
    call = f"{facts.name}("
    lines = (step for step in range(facts.first, 0, -1) if timeline.kind(step) == "line")
    return next((step for step in lines if call in (timeline.view(step).code or "")), None)
