"""Explain operands of the wrong dtype, and operands on different devices.

Covers the targets of losses, products and layers whose operands differ in dtype, operations that need floating-point
numbers or integer indices, tensors on two devices or on `meta`, and CUDA that is missing.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from tutor.explain import formatting
from tutor.explain.mistakes.context import FailureContext, Operand, format_cast, parenthesize, parse_code
from tutor.explain.mistakes.inplace import write_target
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.i18n import _
from tutor.trace.events import Op
from tutor.trace.names import name_of
from tutor.trace.operands import op_output
from tutor.trace.state import TensorState
from tutor.trace.values import elements

_DTYPES = {
    "double": "float64", "float": "float32", "half": "float16", "long": "int64", "long int": "int64", "int": "int32",
    "bool": "bool", "byte": "uint8", "unsigned char": "uint8", "bfloat16": "bfloat16", "short": "int16",
    "char": "int8", "signed char": "int8", "c10::half": "float16", "c10::bfloat16": "bfloat16",
}  # fmt: skip
"""The dtype by its name in error messages, in lower case."""
_INTEGER_PREFIXES = ("int", "uint", "bool")


def parse_dtype(name: str) -> str:
    """Return `float64` of `Double`, `torch.float64` or `double`."""
    name = name.strip().removeprefix("torch.").lower()
    return _DTYPES.get(name, name)


# ---------------------------------------------------------------- where a dtype or a device comes from

_MAX_OPERATIONS = 50
"""Maximum operations followed back to where a dtype or a device comes from."""


@dataclass(frozen=True)
class _Origin:
    """Where the dtype or the device of a tensor comes from."""

    place: str
    """The code and its line: `torch.tensor([0, 1])` on line 3."""
    code: str
    name: str | None
    """The tensor's name at that step; None if it has none."""


def _find_origin(context: FailureContext, tensor: TensorState, attribute: str = "dtype") -> _Origin | None:
    """Return where the dtype (or device) of a tensor comes from: the first of its inputs with it; None: unknown."""
    serial, before = tensor.tensor, context.step
    earliest: tuple[int, int] | None = None
    for _step in range(_MAX_OPERATIONS):
        producer = context.producer(serial, before) or _first_appearance(context, serial)
        if producer is None or producer[0] >= before:
            break
        before, op = producer
        earliest = before, serial
        tensors = context.timeline.state(before - 1).tensors
        inputs = [each for each in (op.inputs if op is not None else ()) if each in tensors]
        if serial in inputs:  # it was changed in place here, and made earlier
            continue
        alike = [each for each in inputs if getattr(tensors[each], attribute) == getattr(tensor, attribute)]
        serial = next((each for each in alike if each is not None), 0)
    if earliest is None:
        return None
    step, serial = earliest
    after, event = context.timeline.state(step), context.timeline.event(step)
    result = after.tensors.get(serial)
    is_single = isinstance(event, Op) and len(event.outputs) == 1
    name = op_output(context.timeline, step) if is_single else name_of(after, serial)
    name = name or (None if result is None else result.label)
    return _Origin(context.place_of(step), " ".join((context.timeline.view(step).code or "").split()), name)


def _first_appearance(context: FailureContext, serial: int) -> tuple[int, Op | None] | None:
    """Return the step after which a tensor that still exists appeared, and the operation that gave it, if any."""
    if serial not in context.state.tensors:
        return None
    step = context.first_step(lambda state: serial in state.tensors)
    event = context.timeline.event(step) if step else None
    return (step, event if isinstance(event, Op) and serial in event.outputs else None) if step else None


def _describe_dtype(context: FailureContext, operand: Operand) -> str:
    """Return `labels is int64 (`torch.tensor([0, 1])` on line 3)`, with the origin's name where that is another."""
    values = {"name": operand.source, "dtype": operand.tensor.dtype}
    origin = _find_origin(context, operand.tensor)
    if origin is None:
        return _("{name} is {dtype}", **values)
    if origin.name is not None and origin.name != operand.source and origin.name not in operand.source:
        return _("{name} is {dtype}, as is {source}, made by {place}", source=origin.name, place=origin.place, **values)
    return _("{name} is {dtype}, made by {place}", place=origin.place, **values)


# ---------------------------------------------------------------- targets of a loss that compares numbers


@mistake("RuntimeError", r"^result type (?P<given>\w+) can't be cast to the desired output type (?P<wanted>\w+)")
def explain_integer_result(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "result type Float can't be cast to the desired output type Long" of `a += 0.5` and of a loss."""
    given, wanted = parse_dtype(match["given"]), parse_dtype(match["wanted"])
    target = write_target(context.statement, context.code)
    if target is None:
        return _describe_target_dtype(context, given, wanted)
    operand = context.operand(target)
    if operand is None or operand.tensor.dtype != wanted:
        return None
    problem = _(
        "`{code}` writes results of {result} into {name}, which keeps its dtype: {said}.",
        code=context.code, result=given, name=operand.source, said=_describe_dtype(context, operand),
    )  # fmt: skip
    fix = f"{operand.source} = {format_cast(operand.source, given)}"
    return Diagnosis(problem, fix=_("Turn it into one that can hold them first: `{fix}`.", fix=fix))


@mistake("RuntimeError", r"^Found dtype (?P<given>\w+) but expected (?P<wanted>\w+)")
def explain_target_dtype(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "Found dtype Double but expected Float" of a loss, or of the backward pass that begins at one."""
    target_dtype, prediction_dtype = parse_dtype(match["given"]), parse_dtype(match["wanted"])
    if context.backward_step() is None:
        return _describe_target_dtype(context, prediction_dtype, target_dtype)
    for step, op in context.operations():
        before = context.timeline.state(step - 1)
        inputs = [before.tensors[serial] for serial in op.inputs if serial in before.tensors]
        target = next((serial for serial in inputs if serial.dtype == target_dtype), None)
        name = None if target is None else name_of(before, target.tensor)
        if target is not None and name is not None and _is_loss(context, op):
            problem = _(
                "The gradient of {place} cannot be worked out: {said}, and the prediction is {wanted}. Write {fix} "
                "there.", place=context.place_of(step), said=_describe_dtype(context, Operand(name, target)),
                wanted=prediction_dtype,
                fix=format_cast(name, prediction_dtype),
            )  # fmt: skip
            return Diagnosis(problem, step)
    return None


def _is_loss(context: FailureContext, op: Op) -> bool:
    """Return whether an operation of the learner's code is a loss."""
    site = context.timeline.sites.get(op.site)
    return site is not None and not site.depth and "loss" in (site.op or "")


def _describe_target_dtype(context: FailureContext, prediction_dtype: str, target_dtype: str) -> Diagnosis | None:
    """Explain a loss over numbers whose target has another dtype than the prediction; None if it is another failure."""
    targets = context.operands(context.arguments()[1:])
    target = next((target for target in targets if target.tensor.dtype == target_dtype), None)
    if target is None or target_dtype == prediction_dtype:
        return None
    return Diagnosis(_(
        "`{code}` compares predictions with targets element by element, so both must be {wanted}: {said}. Write "
        "{fix} there.", code=context.code, wanted=prediction_dtype, said=_describe_dtype(context, target),
        fix=format_cast(target.source, prediction_dtype),
    ))  # fmt: skip


# ---------------------------------------------------------------- numbers of classes


@mistake("RuntimeError", r"^(?:expected target dtype to be Long|[Ee]xpected scalar type Long but found)")
def explain_class_target_dtype(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "expected scalar type Long but found Float" of a classification loss."""
    target = next(iter(context.operands(context.arguments()[1:2])), None)
    if target is None:
        return Diagnosis(_(
            "The target of `{code}` holds the number of the right class for each sample, so it must be of whole "
            "numbers: write .long() behind it, or give dtype=torch.int64 where it is made.", code=context.code,
        ))  # fmt: skip
    fraction = next(
        (value for value in elements(target.tensor.value) or () if isinstance(value, float) and value != round(value)),
        None,
    )
    if fraction is not None:
        return Diagnosis(_(
            "`{code}` takes the number of the right class for each sample, and {name} holds {number}, which is none. "
            "Are numbers to be predicted? Then nn.MSELoss() is the loss.",
            code=context.code, name=target.source, number=fraction,
        ))  # fmt: skip
    problem = _(
        "`{code}` takes the number of the right class for each sample, as int64: {said}. Write {fix} there.",
        code=context.code, said=_describe_dtype(context, target), fix=format_cast(target.source, "int64"),
    )  # fmt: skip
    return Diagnosis(problem, fix=_tensor_constructor_fix(context, target))


def _tensor_constructor_fix(context: FailureContext, operand: Operand) -> str:
    """Say that `torch.Tensor([0, 1])` makes float32 of any numbers; empty if the tensor was made another way."""
    origin = _find_origin(context, operand.tensor)
    for node in ast.walk(parse_code(origin.code)) if origin is not None else ():
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.Tensor", "torch.FloatTensor"):
            parts = [part for argument in node.args for part in ast.walk(argument)]
            numbers = [part.value for part in parts if isinstance(part, ast.Constant)]
            lists = any(isinstance(part, ast.List) for part in parts)
            if (
                lists
                and not any(isinstance(part, ast.Name) for part in parts)
                and {type(number) for number in numbers} == {int}
            ):
                call = f"torch.tensor({ast.unparse(node.args[0])})"
                return _("{kind} makes float32 of whole numbers as well; `{call}` keeps them whole.",
                           kind=ast.unparse(node.func), call=call)  # fmt: skip
    return ""


@mistake("RuntimeError", r"^Expected floating point type for target with class probabilities, got (?P<given>\w+)")
def explain_probability_target_dtype(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "Expected floating point type for target with class probabilities" of a classification loss."""
    sides = context.operands(context.arguments()[:2])
    if len(sides) < 2:
        return None
    prediction, target = sides
    return Diagnosis(_(
        "`{code}` takes a target of the prediction's own shape as a probability for each class, as floating point "
        "numbers: {said}. Write {fix} there; or give the numbers of the classes, {numbers}, where each row has a "
        "single 1.", code=context.code, said=_describe_dtype(context, target),
        fix=format_cast(target.source, prediction.tensor.dtype), numbers=f"{target.source}.argmax(1)",
    ))  # fmt: skip


# ---------------------------------------------------------------- two factors, a layer and its input


@mistake("RuntimeError", r"must have the same dtype, but got (?P<a>\w+) and (?P<b>\w+)")
@mistake("RuntimeError", r"^expected m1 and m2 to have the same dtype, but got: (?P<a>[\w: ]+) != (?P<b>[\w: ]+)")
@mistake("RuntimeError", r"input tensors must have the same dtype, but got (?P<a>\w+), (?P<b>\w+)")
@mistake("RuntimeError", r"^dot : expected both vectors to have same dtype, but found (?P<a>\w+) and (?P<b>\w+)")
@mistake("RuntimeError", r"^expected scalar type (?P<b>\w+) but found (?P<a>\w+)", priority=-1)
@mistake(
    "RuntimeError", r"^Input type \((?P<a>[\w: ]+)\) and (?:bias|weight) type \((?P<b>[\w: ]+)\) should be the same",
    priority=-1,
)  # fmt: skip
@mistake("ValueError", r"^RNN input dtype \((?P<a>[\w.]+)\) does not match weight dtype \((?P<b>[\w.]+)\)")
@mistake("ValueError", r"^input must have the type (?P<b>[\w.]+), got type (?P<a>[\w.]+)")
@mistake("RuntimeError", r"^mixed dtype \(CPU\)")
def explain_two_dtypes(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "must have the same dtype", "expected scalar type Float but found Double" and similar messages."""
    weights = list(context.parameters())
    inputs = [operand for operand in context.all_operands() if operand.tensor.class_name != "Parameter" or not weights]
    if weights:
        return _describe_layer_dtype(context, weights, inputs)
    dtypes = {parse_dtype(match[key]) for key in ("a", "b") if match.groupdict().get(key)}
    if len(dtypes) < 2:
        return None
    by_dtype: dict[str, Operand] = {}
    for operand in inputs:
        if operand.tensor.dtype in dtypes:
            by_dtype.setdefault(operand.tensor.dtype, operand)
    if len(by_dtype) == 2:
        first, second = by_dtype.values()
        to_cast, other_operand = (
            (first, second) if _is_cast_first(first.tensor.dtype, second.tensor.dtype) else (second, first)
        )
        return Diagnosis(_(
            "`{code}` takes two tensors of one dtype: {first}, and {second}. Turn one into the other's dtype: {fix}.",
            code=context.code, first=_describe_dtype(context, first), second=_describe_dtype(context, second),
            fix=format_cast(to_cast.source, other_operand.tensor.dtype),
        ))  # fmt: skip
    named = next(iter(by_dtype.values()), None)
    if named is not None:
        (other,) = dtypes - {named.tensor.dtype}
        return Diagnosis(_(
            "`{code}` computes with two dtypes, {other} and {dtype}: {said}. Write {fix} there.", code=context.code,
            other=other, dtype=named.tensor.dtype, said=_describe_dtype(context, named),
            fix=format_cast(named.source, other),
        ))  # fmt: skip
    return Diagnosis(_(
        "`{code}` computes with two dtypes, {first} and {second}, and both must be the same: turn one into the other "
        "with .to(dtype=…), or give dtype= where it is made.",
        code=context.code, first=parse_dtype(match["a"]), second=parse_dtype(match["b"]),
    ))  # fmt: skip


def _is_cast_first(dtype: str, other: str) -> bool:
    """Return whether the first of two operands is the one to cast: integers, and float64."""
    return dtype.startswith(_INTEGER_PREFIXES) or (dtype == "float64" and not other.startswith(_INTEGER_PREFIXES))


def _describe_layer_dtype(context: FailureContext, weights: list[Operand], inputs: list[Operand]) -> Diagnosis | None:
    """Explain an input whose dtype differs from the layer's weights; None if there is none."""
    dtypes = {operand.tensor.dtype for operand in weights}
    if len(dtypes) != 1:
        return None
    dtype = dtypes.pop()
    wrong = next((operand for operand in inputs if operand.tensor.dtype != dtype), None)
    if wrong is None:
        return None
    return Diagnosis(_(
        "The weights of `{code}` are {kind}, and it takes an input of the same dtype: {said}. Write {fix} there.",
        code=context.code, kind=dtype, said=_describe_dtype(context, wrong), fix=format_cast(wrong.source, dtype),
    ))  # fmt: skip


# ---------------------------------------------------------------- whole numbers, or none


@mistake("RuntimeError", r"^mean\(\): could not infer output dtype")
@mistake("RuntimeError", r"^linalg\.vector_norm: Expected a floating point or complex tensor")
@mistake("RuntimeError", r"^(?:std|var)(?:_mean)?(?: and \w+)? only support")
@mistake("NotImplementedError", r"^\"\w+\" not implemented for '(?P<given>\w+)'")
def explain_floating_point_only(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "not implemented for 'Long'", "mean(): could not infer output dtype" and similar messages."""
    for operand in context.all_operands():
        if operand.tensor.dtype.startswith(_INTEGER_PREFIXES):
            return Diagnosis(_(
                "`{code}` works on floating point numbers only: {said}. Write {fix} there.",
                code=context.code, said=_describe_dtype(context, operand), fix=format_cast(operand.source, "float32"),
            ))  # fmt: skip
    return None


@mistake("RuntimeError", r"^Expected tensor for argument #1 'indices' to have one of the following scalar types")
@mistake("IndexError", r"^tensors used as indices must be long, int, byte or bool tensors")
@mistake("RuntimeError", r"^(?:gather|scatter)(?:_add)?_?\(\): Expected dtype int32/int64 for index")
@mistake("RuntimeError", r"^one_hot is only applicable to index tensor of type LongTensor")
def explain_index_dtype(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "tensors used as indices must be long, int, byte or bool tensors" and similar messages."""
    for operand in reversed(list(context.all_operands())):
        if operand.tensor.dtype != "int64" and operand.tensor.class_name != "Parameter" and _is_index(context, operand):
            return Diagnosis(_(
                "`{code}` looks elements up by their number, so it takes whole numbers: {said}. Write {fix} there.",
                code=context.code, said=_describe_dtype(context, operand), fix=format_cast(operand.source, "int64"),
            ))  # fmt: skip
    return Diagnosis(_(
        "`{code}` looks rows up by their number, so it takes whole numbers: write .long() behind what it is given, or "
        "give dtype=torch.int64 where that is made.", code=context.code,
    ))  # fmt: skip


def _is_index(context: FailureContext, operand: Operand) -> bool:
    """Return whether a tensor is used as an index: in brackets, or as an argument."""
    for node in ast.walk(context.tree):
        if isinstance(node, ast.Subscript):
            parts: list[ast.expr] = [node.slice]
        elif isinstance(node, ast.Call):
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        else:
            continue
        if any(
            ast.unparse(expression) == operand.source
            for part in parts
            for expression in ast.walk(part)
            if isinstance(expression, ast.expr)
        ):
            return True
    return False


# ---------------------------------------------------------------- devices

_MAX_NAMED = 3
"""Maximum tensors named in a sentence."""


@mistake("RuntimeError", r"^Tensor on device \S+ is not on the expected device (?P<wanted>[\w:]+)")
@mistake("RuntimeError", r"^Expected all tensors to be on the same device")
@mistake("RuntimeError", r"^Input type \([\w.]+\) and (?:weight|bias) type \([\w.]+\) should be the same")
@mistake("RuntimeError", r"^indices should be either on \S+ or on the same device as the indexed tensor")
@mistake("RuntimeError", r"^(?:Input and \w+|Input, \w+ and \w+) tensors are not (?:on|at) the same device")
@mistake("RuntimeError", r"^Placeholder storage has not been allocated on MPS device")
def explain_two_devices(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "Expected all tensors to be on the same device" and similar messages."""
    weights = list(context.parameters())
    of_layers = [weight.tensor for weight in weights]
    others = [operand for operand in context.all_operands() if operand.tensor not in of_layers]
    by_device: dict[str, Operand] = {}
    for operand in (*weights, *others):
        by_device.setdefault(operand.tensor.device, operand)
    if len(by_device) < 2:
        return None
    problem = formatting.clauses(
        [_describe_device(context, operand) for operand in list(by_device.values())[:_MAX_NAMED]]
    )
    # a batch goes to where the model is, rather than the model to the batch
    anchor = weights[0] if weights else _first_off_cpu(others)
    to_move = [operand for operand in others if operand.tensor.device != anchor.tensor.device]
    if not to_move:
        return None
    sources = [
        operand
        for operand in to_move
        if not any(operand is not other and operand.source in other.source for other in to_move)
    ]
    fixes = formatting.joined([_format_move(operand, anchor) for operand in (sources or to_move)[:_MAX_NAMED]])
    return Diagnosis(_(
        "The tensors of `{code}` lie on different devices: {said}. Bring all to one, as in {fix}.",
        code=context.code, said=problem, fix=fixes,
    ))  # fmt: skip


def _describe_device(context: FailureContext, operand: Operand) -> str:
    """Return `x is on cpu, made by `torch.ones(3)` on line 4`."""
    origin = _find_origin(context, operand.tensor, "device")
    if origin is None:
        return _("{name} is on {device}", name=operand.source, device=operand.tensor.device)
    return _(
        "{name} is on {device}, made by {place}", name=operand.source, device=operand.tensor.device, place=origin.place
    )


def _first_off_cpu(operands: list[Operand]) -> Operand:
    """Return the first tensor that is not on the CPU, else the first."""
    return next((operand for operand in operands if operand.tensor.device != "cpu"), operands[0])


def _format_move(operand: Operand, anchor: Operand) -> str:
    """Return `x.to(w.device)`."""
    return f"{parenthesize(operand.source)}.to({parenthesize(anchor.source)}.device)"


@mistake("NotImplementedError", r"^Cannot copy out of meta tensor; no data!")
@mistake("RuntimeError", r"^Tensor\.item\(\) cannot be called on meta tensors")
def explain_meta_tensor(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "Cannot copy out of meta tensor; no data!"."""
    return Diagnosis(_(
        "A tensor on the device meta has a shape and a dtype, but no numbers, so `{code}` finds none. Make it on a "
        "real device; a module gets memory there by .to_empty(device=…), and its numbers by load_state_dict or by "
        "initialising it.", code=context.code,
    ))  # fmt: skip


@mistake("AssertionError", r"^Torch not compiled with CUDA enabled")
@mistake("RuntimeError", r"^Found no NVIDIA driver on your system")
def explain_no_cuda(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "Torch not compiled with CUDA enabled" and "Found no NVIDIA driver on your system"."""
    return Diagnosis(_(
        "`{code}` asks for a GPU, and there is none that this PyTorch can use. Choose the device by what is there: "
        "device = \"cuda\" if torch.cuda.is_available() else \"cpu\", and .to(device).", code=context.code,
    ))  # fmt: skip
