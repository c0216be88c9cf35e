"""Numbers of another dtype than an operation takes: targets of losses, factors of a product, a layer's input.

Operands that lie on different devices."""

from __future__ import annotations

import ast
import re

from tutor.explain import formatting
from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import (
    Diagnosis,
    FailureContext,
    Given,
    Operands,
    cast,
    enclosed,
    mistake,
    origin,
    parsed,
    said_of,
)
from tutor.i18n import _
from tutor.trace.events import Op
from tutor.trace.names import name_of
from tutor.trace.values import elements

_NAMES = {
    "double": "float64", "float": "float32", "half": "float16", "long": "int64", "long int": "int64", "int": "int32",
    "bool": "bool", "byte": "uint8", "unsigned char": "uint8", "bfloat16": "bfloat16", "short": "int16",
    "char": "int8", "signed char": "int8", "c10::half": "float16", "c10::bfloat16": "bfloat16",
}  # fmt: skip
"""What messages call a dtype, in small letters."""
_WHOLE = ("int", "uint", "bool")


def dtype_of(word: str) -> str:
    """`float64` of `Double`, `torch.float64` or `double`."""
    word = word.strip().removeprefix("torch.").lower()
    return _NAMES.get(word, word)


# ---------------------------------------------------------------- targets of a loss that compares numbers


@mistake("RuntimeError", r"^result type (?P<given>\w+) can't be cast to the desired output type (?P<wanted>\w+)")
def whole_result(scene: FailureContext, match: re.Match[str]) -> str | None:
    name = _written_to(scene)
    if name is None:
        return _number_target(scene, dtype_of(match["given"]), dtype_of(match["wanted"]))
    operands = Operands(scene)
    tensor = operands.meant_by(parsed(name).body[0].value)  # type: ignore[attr-defined]
    if tensor is None or tensor.dtype != dtype_of(match["wanted"]):
        return None
    begin = _(
        "`{code}` writes results of {result} into {name}, which keeps its dtype: {said}.",
        code=scene.code, result=dtype_of(match["given"]), name=name, said=said_of(scene, Given(name, tensor)),
    )  # fmt: skip
    fix = f"{name} = {cast(name, dtype_of(match['given']))}"
    return sentences([begin, _("Turn it into one that can hold them first: `{fix}`.", fix=fix)])


@mistake("RuntimeError", r"^Found dtype (?P<given>\w+) but expected (?P<wanted>\w+)")
def other_than_the_prediction(scene: FailureContext, match: re.Match[str]) -> Diagnosis | str | None:
    given, wanted = dtype_of(match["given"]), dtype_of(match["wanted"])
    if scene.backward_step() is None:
        return _number_target(scene, wanted, given)
    for step, op in scene.operations():
        before = scene.timeline.state(step - 1)
        held = [before.tensors[one] for one in op.inputs if one in before.tensors]
        target = next((one for one in held if one.dtype == given), None)
        name = None if target is None else name_of(before, target.tensor)
        if target is not None and name is not None and _of_loss(scene, op):
            said = _(
                "The gradient of {place} cannot be worked out: {said}, and the prediction is {wanted}. Write {fix} "
                "there.", place=scene.where(step), said=said_of(scene, Given(name, target)), wanted=wanted,
                fix=cast(name, wanted),
            )  # fmt: skip
            return Diagnosis(said, step)
    return None


def _of_loss(scene: FailureContext, op: Op) -> bool:
    site = scene.timeline.sites.get(op.site)
    return site is not None and not site.depth and "loss" in (site.op or "")


def _number_target(scene: FailureContext, wanted: str, given: str) -> str | None:
    """Of a loss that compares numbers with numbers: its target has another dtype than the prediction."""
    operands = Operands(scene)
    arguments = operands.call()
    held = [(ast.unparse(one), operands.meant_by(one)) for one in arguments]
    target = next((Given(text, one) for text, one in held[1:] if one is not None and one.dtype == given), None)
    if target is None or given == wanted:
        return None
    return _(
        "`{code}` compares predictions with targets element by element, so both must be {wanted}: {said}. Write "
        "{fix} there.", code=scene.code, wanted=wanted, said=said_of(scene, target), fix=cast(target.source, wanted),
    )  # fmt: skip


def _written_to(scene: FailureContext) -> str | None:
    """`a` of `a += 0.5` and `a.div_(2)`."""
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.AugAssign):
            return ast.unparse(node.target)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
            return ast.unparse(node.func.value)
    return None


# ---------------------------------------------------------------- numbers of classes


@mistake("RuntimeError", r"^(?:expected target dtype to be Long|[Ee]xpected scalar type Long but found)")
def class_numbers(scene: FailureContext, _match: re.Match[str]) -> str | None:
    operands = Operands(scene)
    arguments = operands.call()
    target = operands.meant_by(arguments[1]) if len(arguments) > 1 else None
    if target is None:
        return _(
            "The target of `{code}` holds the number of the right class for each sample, so it must be of whole "
            "numbers: write .long() behind it, or give dtype=torch.int64 where it is made.", code=scene.code,
        )  # fmt: skip
    given = Given(ast.unparse(arguments[1]), target)
    broken = next((x for x in elements(target.value) or () if isinstance(x, float) and x != round(x)), None)
    if broken is not None:
        return _(
            "`{code}` takes the number of the right class for each sample, and {name} holds {number}, which is none. "
            "Are numbers to be predicted? Then nn.MSELoss() is the loss.",
            code=scene.code, name=given.source, number=broken,
        )  # fmt: skip
    said = _(
        "`{code}` takes the number of the right class for each sample, as int64: {said}. Write {fix} there.",
        code=scene.code, said=said_of(scene, given), fix=cast(given.source, "int64"),
    )  # fmt: skip
    return sentences([said, *_not_by_the_type(scene, given)])


def _not_by_the_type(scene: FailureContext, given: Given) -> list[str]:
    """That `torch.Tensor([0, 1])` makes float32, whatever it is given."""
    made = origin(scene, given.tensor)
    for node in ast.walk(parsed(made.code)) if made is not None else ():
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.Tensor", "torch.FloatTensor"):
            inside = [one for argument in node.args for one in ast.walk(argument)]
            numbers = [one.value for one in inside if isinstance(one, ast.Constant)]
            lists = any(isinstance(one, ast.List) for one in inside)
            if lists and not any(isinstance(one, ast.Name) for one in inside) and {type(x) for x in numbers} == {int}:
                call = f"torch.tensor({ast.unparse(node.args[0])})"
                return [_("{kind} makes float32 of whole numbers as well; `{call}` keeps them whole.",
                           kind=ast.unparse(node.func), call=call)]  # fmt: skip
    return []


@mistake("RuntimeError", r"^Expected floating point type for target with class probabilities, got (?P<given>\w+)")
def probabilities(scene: FailureContext, match: re.Match[str]) -> str | None:
    operands = Operands(scene)
    held = [(ast.unparse(one), operands.meant_by(one)) for one in operands.call()]
    if len(held) < 2 or held[0][1] is None or held[1][1] is None:
        return None
    name, target = held[1]
    assert target is not None
    return _(
        "`{code}` takes a target of the prediction's own shape as a probability for each class, as floating point "
        "numbers: {said}. Write {fix} there; or give the numbers of the classes, {numbers}, where each row has a "
        "single 1.", code=scene.code, said=said_of(scene, Given(name, target)), fix=cast(name, held[0][1].dtype),
        numbers=f"{name}.argmax(1)",
    )  # fmt: skip


# ---------------------------------------------------------------- two factors, a layer and its input


@mistake("RuntimeError", r"must have the same dtype, but got (?P<a>\w+) and (?P<b>\w+)")
@mistake("RuntimeError", r"^expected m1 and m2 to have the same dtype, but got: (?P<a>[\w: ]+) != (?P<b>[\w: ]+)")
@mistake("RuntimeError", r"input tensors must have the same dtype, but got (?P<a>\w+), (?P<b>\w+)")
@mistake("RuntimeError", r"^dot : expected both vectors to have same dtype, but found (?P<a>\w+) and (?P<b>\w+)")
@mistake("RuntimeError", r"^expected scalar type (?P<b>\w+) but found (?P<a>\w+)")
@mistake(
    "RuntimeError", r"^Input type \((?P<a>[\w: ]+)\) and (?:bias|weight) type \((?P<b>[\w: ]+)\) should be the same"
)
@mistake("ValueError", r"^RNN input dtype \((?P<a>[\w.]+)\) does not match weight dtype \((?P<b>[\w.]+)\)")
@mistake("ValueError", r"^input must have the type (?P<b>[\w.]+), got type (?P<a>[\w.]+)")
@mistake("RuntimeError", r"^mixed dtype \(CPU\)")
def two_dtypes(scene: FailureContext, match: re.Match[str]) -> str | None:
    operands = Operands(scene)
    weights = list(operands.parameters())
    inputs = [one for one in operands.all() if one.tensor.class_name != "Parameter" or not weights]
    if weights:
        return _layer_and_input(scene, weights, inputs)
    named = {dtype_of(match[key]) for key in ("a", "b") if match.groupdict().get(key)}
    if len(named) < 2:
        return None
    sides: dict[str, Given] = {}
    for one in inputs:
        if one.tensor.dtype in named:
            sides.setdefault(one.tensor.dtype, one)
    if len(sides) == 2:
        first, second = sides.values()
        wide, narrow = (first, second) if _turned(first.tensor.dtype, second.tensor.dtype) else (second, first)
        return _(
            "`{code}` takes two tensors of one dtype: {first}, and {second}. Turn one into the other's dtype: {fix}.",
            code=scene.code, first=said_of(scene, first), second=said_of(scene, second),
            fix=cast(wide.source, narrow.tensor.dtype),
        )  # fmt: skip
    given = next(iter(sides.values()), None)
    if given is not None:
        (other,) = named - {given.tensor.dtype}
        return _(
            "`{code}` computes with two dtypes, {other} and {dtype}: {said}. Write {fix} there.", code=scene.code,
            other=other, dtype=given.tensor.dtype, said=said_of(scene, given), fix=cast(given.source, other),
        )  # fmt: skip
    return _(
        "`{code}` computes with two dtypes, {first} and {second}, and both must be the same: turn one into the other "
        "with .to(dtype=…), or give dtype= where it is made.",
        code=scene.code, first=dtype_of(match["a"]), second=dtype_of(match["b"]),
    )  # fmt: skip


def _turned(dtype: str, other: str) -> bool:
    """Whether it is rather the first of two that is turned into the other: whole numbers, and float64."""
    return dtype.startswith(_WHOLE) or (dtype == "float64" and not other.startswith(_WHOLE))


def _layer_and_input(scene: FailureContext, weights: list[Given], inputs: list[Given]) -> str | None:
    dtypes = {one.tensor.dtype for one in weights}
    if len(dtypes) != 1:
        return None
    kind = dtypes.pop()
    wrong = next((one for one in inputs if one.tensor.dtype != kind), None)
    if wrong is None:
        return None
    return _(
        "The weights of `{code}` are {kind}, and it takes an input of the same dtype: {said}. Write {fix} there.",
        code=scene.code, kind=kind, said=said_of(scene, wrong), fix=cast(wrong.source, kind),
    )  # fmt: skip


# ---------------------------------------------------------------- whole numbers, or none


@mistake("RuntimeError", r"^mean\(\): could not infer output dtype")
@mistake("RuntimeError", r"^linalg\.vector_norm: Expected a floating point or complex tensor")
@mistake("RuntimeError", r"^(?:std|var)(?:_mean)?(?: and \w+)? only support")
@mistake("NotImplementedError", r"^\"\w+\" not implemented for '(?P<given>\w+)'")
def needs_floating_point(scene: FailureContext, _match: re.Match[str]) -> str | None:
    for one in Operands(scene).all():
        if one.tensor.dtype.startswith(_WHOLE):
            return _(
                "`{code}` works on floating point numbers only: {said}. Write {fix} there.",
                code=scene.code, said=said_of(scene, one), fix=cast(one.source, "float32"),
            )  # fmt: skip
    return None


@mistake("RuntimeError", r"^Expected tensor for argument #1 'indices' to have one of the following scalar types")
@mistake("IndexError", r"^tensors used as indices must be long, int, byte or bool tensors")
@mistake("RuntimeError", r"^(?:gather|scatter)(?:_add)?_?\(\): Expected dtype int32/int64 for index")
@mistake("RuntimeError", r"^one_hot is only applicable to index tensor of type LongTensor")
def rows(scene: FailureContext, _match: re.Match[str]) -> str | None:
    for one in reversed(list(Operands(scene).all())):
        if one.tensor.dtype != "int64" and one.tensor.class_name != "Parameter" and _is_index(scene, one):
            return _(
                "`{code}` looks elements up by their number, so it takes whole numbers: {said}. Write {fix} there.",
                code=scene.code, said=said_of(scene, one), fix=cast(one.source, "int64"),
            )  # fmt: skip
    return _(
        "`{code}` looks rows up by their number, so it takes whole numbers: write .long() behind what it is given, or "
        "give dtype=torch.int64 where that is made.", code=scene.code,
    )  # fmt: skip


def _is_index(scene: FailureContext, given: Given) -> bool:
    """Whether a tensor stands where the code takes numbers of elements: in brackets, or among the arguments."""
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.Subscript):
            places: list[ast.expr] = [node.slice]
        elif isinstance(node, ast.Call):
            places = [*node.args, *(keyword.value for keyword in node.keywords)]
        else:
            continue
        if any(
            ast.unparse(one) == given.source for place in places for one in ast.walk(place) if isinstance(one, ast.expr)
        ):
            return True
    return False


_NAMED = 3
"""So many tensors are named."""


@mistake("RuntimeError", r"^Tensor on device \S+ is not on the expected device (?P<wanted>[\w:]+)")
@mistake("RuntimeError", r"^Expected all tensors to be on the same device")
@mistake("RuntimeError", r"^Input type \([\w.]+\) and (?:weight|bias) type \([\w.]+\) should be the same")
@mistake("RuntimeError", r"^indices should be either on \S+ or on the same device as the indexed tensor")
@mistake("RuntimeError", r"^(?:Input and \w+|Input, \w+ and \w+) tensors are not (?:on|at) the same device")
@mistake("RuntimeError", r"^Placeholder storage has not been allocated on MPS device")
def two_devices(scene: FailureContext, _match: re.Match[str]) -> str | None:
    operands = Operands(scene)
    weights = list(operands.parameters())
    held = [one for one in operands.all() if not any(one.tensor is weight.tensor for weight in weights)]
    by_device: dict[str, Given] = {}
    for one in (*weights, *held):
        by_device.setdefault(one.tensor.device, one)
    if len(by_device) < 2:
        return None
    said = formatting.clauses([_on(scene, one) for one in list(by_device.values())[:_NAMED]])
    # a batch goes to where the model is, rather than the model to the batch
    kept = weights[0] if weights else _first_away(held)
    moved = [one for one in held if one.tensor.device != kept.tensor.device]
    if not moved:
        return None
    sources = [one for one in moved if not any(one is not other and one.source in other.source for other in moved)]
    fixes = formatting.joined([_moved(one, kept) for one in (sources or moved)[:_NAMED]])
    return _(
        "The tensors of `{code}` lie on different devices: {said}. Bring all to one, as in {fix}.",
        code=scene.code, said=said, fix=fixes,
    )  # fmt: skip


def _on(scene: FailureContext, given: Given) -> str:
    """`x is on cpu, made by `torch.ones(3)` on line 4`."""
    made = origin(scene, given.tensor, "device")
    if made is None:
        return _("{name} is on {device}", name=given.source, device=given.tensor.device)
    return _("{name} is on {device}, made by {place}", name=given.source, device=given.tensor.device, place=made.place)


def _first_away(held: list[Given]) -> Given:
    """The first tensor that is not on the CPU."""
    return next((one for one in held if one.tensor.device != "cpu"), held[0])


def _moved(given: Given, kept: Given) -> str:
    """`x.to(w.device)`"""
    return f"{enclosed(given.source)}.to({enclosed(kept.source)}.device)"


@mistake("NotImplementedError", r"^Cannot copy out of meta tensor; no data!")
@mistake("RuntimeError", r"^Tensor\.item\(\) cannot be called on meta tensors")
def without_data(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "A tensor on the device meta has a shape and a dtype, but no numbers, so `{code}` finds none. Make it on a "
        "real device; a module gets memory there by .to_empty(device=…), and its numbers by load_state_dict or by "
        "being initialised anew.", code=scene.code,
    )  # fmt: skip


@mistake("AssertionError", r"^Torch not compiled with CUDA enabled")
@mistake("RuntimeError", r"^Found no NVIDIA driver on your system")
def no_cuda(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "`{code}` asks for a GPU, and there is none that this PyTorch can use. Choose the device by what is there: "
        "device = \"cuda\" if torch.cuda.is_available() else \"cpu\", and .to(device).", code=scene.code,
    )  # fmt: skip
