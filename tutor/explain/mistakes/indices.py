"""Indices by tensors, of gather, scatter and index_select: too large, too many, or of a shape that does not fit.

Targets of a classifier, and indices: numbers out of range, shapes that do not go with the prediction's."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import (
    FailureContext,
    Given,
    Operands,
    argument,
    called,
    cast,
    described,
    enclosed,
    function,
    listed,
    meant,
    mistake,
    parsed,
    receiver,
    sizes_in,
)
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _, ngettext
from tutor.trace.values import elements


def _self_and_index(scene: FailureContext) -> tuple[Given, Given] | None:
    """The tensor, and the index, of `x.gather(1, i)`, `torch.gather(x, 1, i)` and their like."""
    operands, call = Operands(scene), called(scene)
    given = receiver(scene, operands)
    if call is None or given is None:
        return None
    method = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == given.source
    node = argument(call, 1 if method else 2, "index")
    index = [] if node is None else meant(operands, [node])
    return (given, index[0]) if index else None


def _dimension(scene: FailureContext, given: Given) -> int | None:
    call = called(scene)
    if call is None:
        return None
    method = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == given.source
    node = argument(call, 0 if method else 1, "dim")
    try:
        value = None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    return value % len(given.tensor.shape) if isinstance(value, int) and given.tensor.shape else None


@mistake("RuntimeError", r"^Index tensor must have the same number of dimensions as (?:input|self|src) tensor")
def index_dimensions(scene: FailureContext, _match: re.Match[str]) -> str | None:
    both = _self_and_index(scene)
    if both is None:
        return _of_something(scene)
    if len(both[0].tensor.shape) == len(both[1].tensor.shape):
        return None
    given, index = both
    said = _(
        "`{code}` takes an index with as many dimensions as the tensor: {tensors}.",
        code=scene.code, tensors=listed(both),
    )  # fmt: skip
    dim = _dimension(scene, given)
    shape = given.tensor.shape
    call = called(scene)
    if function(scene) != "gather" and (call is None or not isinstance(call.args[-1], ast.Constant)):
        return said  # what is written would have to get the same dimension
    if dim is None or len(shape) != 2 or index.tensor.shape != (shape[1 - dim],):
        return said
    fix = f"{enclosed(index.source)}.unsqueeze({dim})"
    each = _("For one element of each row, write {fix}.", fix=fix) if dim == 1 else _(
        "For one element of each column, write {fix}.", fix=fix
    )  # fmt: skip
    return sentences([said, each])


def _of_something(scene: FailureContext) -> str | None:
    """Of what came out of a module of the learner's own, whose shape is not known."""
    call = called(scene)
    node = None if call is None else argument(call, 1, "index")
    index = None if node is None else Operands(scene).meant_by(node)
    if function(scene) != "gather" or node is None or index is None:
        return None
    return _(
        "gather takes an index with as many dimensions as the tensor that it takes elements from, and {index} has "
        "shape {shape}. For one element of each row of a matrix, write {fix}.", index=ast.unparse(node),
        shape=shape_text(index.shape), fix=f"{enclosed(ast.unparse(node))}.unsqueeze(1)",
    ) if len(index.shape) == 1 else None  # fmt: skip


@mistake("IndexError", r"^index (?P<number>-?\d+) is out of bounds for dimension (?P<dim>\d+) with size (?P<size>\d+)")
@mistake(
    "RuntimeError", r"^index (?P<number>-?\d+) is out of bounds for dimension (?P<dim>\d+) with size (?P<size>\d+)"
)
def index_too_large(scene: FailureContext, match: re.Match[str]) -> str | None:
    both = _self_and_index(scene)
    number, size = int(match["number"]), int(match["size"])
    holds = both is not None and number in (elements(both[1].tensor.value) or ())
    if scene.event.error == "IndexError" and not holds:
        return None
    return _(
        "`{code}` goes by the numbers in {index}, which holds {number}: along dimension {dim} there are {size} "
        "elements, numbered from 0 to {last}.", code=scene.code,
        index=described(both[1]) if both is not None and holds else _("the index"), number=number, dim=match["dim"],
        size=size, last=size - 1,
    )  # fmt: skip


@mistake(
    "RuntimeError", r"^Size does not match at dimension (?P<dim>\d+) expected index \[.*?\] to be no larger than self"
)
@mistake("RuntimeError", r"^Expected index \[.*?\] to be no larger than self")
def index_too_long(scene: FailureContext, match: re.Match[str]) -> str | None:
    both = _self_and_index(scene)
    if both is None:
        return None
    call = called(scene)
    source = [] if call is None else meant(Operands(scene), [*call.args[2:], *(word.value for word in call.keywords)])
    extra = [one for one in source if one.source != both[1].source] if function(scene).startswith("scatter") else []
    if extra:
        return _(
            "`{code}` has a number in the index for each element that is written, so the index must not be larger than "
            "what is written, nor, along the other dimensions, than the tensor: {tensors}.",
            code=scene.code, tensors=listed([*both, *extra]),
        )  # fmt: skip
    return _(
        "Along the other dimensions, the index of `{code}` must not be larger than the tensor: {tensors}.",
        code=scene.code, tensors=listed(both),
    )  # fmt: skip


@mistake("IndexError", r"^index_select\(\): Index is supposed to be a vector")
def index_of_two_dimensions(scene: FailureContext, _match: re.Match[str]) -> str | None:
    both = _self_and_index(scene)
    if both is None:
        return None
    return _(
        "`{code}` takes an index of one dimension, and {index} has {count}. In one row it is {fix}.", code=scene.code,
        index=described(both[1]), count=len(both[1].tensor.shape), fix=f"{enclosed(both[1].source)}.flatten()",
    )  # fmt: skip


@mistake("IndexError", r"^index out of range in self")
def selected(scene: FailureContext, _match: re.Match[str]) -> str | None:
    both = _self_and_index(scene) if function(scene) == "index_select" else None
    dim = None if both is None else _dimension(scene, both[0])
    if both is None or dim is None:
        return None
    given, index = both
    size = given.tensor.shape[dim]
    wrong = next((x for x in elements(index.tensor.value) or () if isinstance(x, int) and not 0 <= x < size), None)
    if wrong is None:
        return None
    return _(
        "`{code}` goes by the numbers in {index}, which holds {number}: along dimension {dim} there are {size} "
        "elements, numbered from 0 to {last}.", code=scene.code, index=described(index), number=wrong, dim=dim,
        size=size, last=size - 1,
    )  # fmt: skip


@mistake(
    "RuntimeError",
    r"^index_add_\(\): Number of indices \((?P<count>\d+)\) should be equal to source\.size\(dim\): "
    r"\((?P<size>\d+)\)",
)
def as_many_indices(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "`{code}` has a number in the index for each part that is added: {count} numbers, and {size} parts.",
        code=scene.code, count=match["count"], size=match["size"],
    )  # fmt: skip


@mistake("IndexError", r"^out of range: tried to access index (?P<number>-?\d+) on a tensor of (?P<count>\d+) elements")
def taken(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "`{code}` takes element {number} of {count}: they are numbered from 0 to {last}.",
        code=scene.code, number=match["number"], count=match["count"], last=int(match["count"]) - 1,
    )  # fmt: skip


@mistake("RuntimeError", r"^selected index k out of range")
def too_many_wanted(scene: FailureContext, _match: re.Match[str]) -> str | None:
    given = receiver(scene, Operands(scene), "topk", "kthvalue")
    if given is None:
        return None
    return _("`{code}` takes more elements than there are along that dimension: {tensor}.",
              code=scene.code, tensor=described(given))  # fmt: skip


@mistake("IndexError", r"^shape mismatch: indexing tensors could not be broadcast together with shapes")
def several_indices(scene: FailureContext, _match: re.Match[str]) -> str | None:
    operands = Operands(scene)
    for node in ast.walk(scene.tree):
        places = node.slice.elts if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) else []
        indices = meant(operands, places)
        if len(indices) > 1:
            return _(
                "`{code}` pairs the indices element by element, so they must have one shape: {tensors}.",
                code=scene.code, tensors=listed(indices),
            )  # fmt: skip
    return None


@mistake(
    "RuntimeError",
    r"^shape mismatch: value tensor of shape (?P<value>\[.*?\]) cannot be broadcast to indexing result of shape "
    r"(?P<place>\[.*?\])",
)
def written(scene: FailureContext, match: re.Match[str]) -> str:
    body = parsed(scene.statement).body
    statement = body[0] if len(body) == 1 else None
    target = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else scene.code
    return _(
        "`{target}` has shape {place}, and what is written there has shape {value}: counted from the last dimension, "
        "its sizes must be equal, or 1.", target=target, place=match["place"], value=match["value"],
    )  # fmt: skip


@mistake(
    "IndexError", r"^select\(\): index (?P<number>-?\d+) out of range for tensor of size .* at dimension (?P<dim>\d+)"
)
@mistake(
    "RuntimeError",
    r"^start \((?P<start>-?\d+)\) \+ length \((?P<length>\d+)\) exceeds dimension size \((?P<size>\d+)\)",
)
def beyond_the_end(scene: FailureContext, _match: re.Match[str]) -> str | None:
    given = receiver(scene, Operands(scene), "select", "narrow")
    if given is None:
        return None
    return _("`{code}` goes beyond the end of that dimension: {tensor}.", code=scene.code, tensor=described(given))


def _prediction_and_target(scene: FailureContext) -> tuple[Given, Given] | None:
    operands = Operands(scene)
    arguments = operands.call()
    held = [operands.meant_by(one) for one in arguments[:2]]
    if len(held) < 2 or held[0] is None or held[1] is None:
        return None
    return Given(ast.unparse(arguments[0]), held[0]), Given(ast.unparse(arguments[1]), held[1])


@mistake("IndexError", r"^Target (?P<number>-?\d+) is out of bounds")
def out_of_bounds(scene: FailureContext, match: re.Match[str]) -> str:
    number, sides = int(match["number"]), _prediction_and_target(scene)
    shape = () if sides is None else sides[0].tensor.shape
    classes = None if not shape else shape[1] if len(shape) > 1 else shape[0]
    if sides is None or classes is None:
        return _(
            "The target of `{code}` holds {number}, and classes are numbered from 0 to one less than there are "
            "columns in the prediction.", code=scene.code, number=number,
        )  # fmt: skip
    prediction, target = sides
    said = _(
        "{target} holds {number}, and {prediction} (shape {shape}) has {count} classes, which are numbered from 0 to "
        "{last}.", target=target.source, number=number, prediction=prediction.source, shape=shape_text(shape),
        count=classes, last=classes - 1,
    )  # fmt: skip
    held = [x for x in elements(target.tensor.value) or () if isinstance(x, int)]
    if held and min(held) == 1 and max(held) == classes:
        fix = _("{target} counts from 1: write {fix} there.", target=target.source,
                 fix=f"{enclosed(target.source)} - 1")  # fmt: skip
    elif number < 0:
        fix = _("Where it marks what should not count, give the loss ignore_index={number}.", number=number)
    else:
        most = max([*held, number]) + 1
        fix = _("With such targets the last layer must give {count} numbers for each sample.", count=most)
    return sentences([said, fix])


@mistake("RuntimeError", r"^0D or 1D target tensor expected, multi-target not supported")
def several_targets(scene: FailureContext, _match: re.Match[str]) -> str | None:
    sides = _prediction_and_target(scene)
    if sides is None:
        return None
    prediction, target = sides
    said = _(
        "`{code}` takes one number of a class for each sample, so a target of shape {wanted}: {target} has shape "
        "{shape}.", code=scene.code, wanted=shape_text(prediction.tensor.shape[:1]), target=target.source,
        shape=shape_text(target.tensor.shape),
    )  # fmt: skip
    if target.tensor.shape == prediction.tensor.shape and _is_one_hot(target):
        return sentences([said, _("Each of its rows has a single 1: write {fix} there.",
                                   fix=f"{enclosed(target.source)}.argmax(1)")])  # fmt: skip
    if target.tensor.shape[1:] != (1,):
        return said
    fix = f"{enclosed(target.source)}.squeeze(1)"
    if target.tensor.dtype != "int64":
        fix = cast(fix, "int64")
    return sentences([said, _("Write {fix} there.", fix=fix)])


def _is_one_hot(target: Given) -> bool:
    """Whether each row of a matrix is zeros and a single 1, as far as the values are known."""
    flat, width = elements(target.tensor.value) or [], target.tensor.shape[-1]
    rows = [flat[at : at + width] for at in range(0, len(flat), width)]
    return len(target.tensor.shape) == 2 and len(rows) == target.tensor.shape[0] and all(
        sorted(row) == [*[0] * (width - 1), 1] for row in rows
    )  # fmt: skip


@mistake("ValueError", r"^Expected input batch_size \((?P<a>\d+)\) to match target batch_size \((?P<b>\d+)\)")
def batches(scene: FailureContext, match: re.Match[str]) -> str | None:
    sides = _prediction_and_target(scene)
    if sides is None:
        return None
    prediction, target = sides
    if not target.tensor.shape:
        return _of_one_sample(scene, prediction, target)
    return _(
        "`{code}` takes one target for each row of the prediction: {prediction} has shape {first}, that is {a}, and "
        "{target} has shape {second}, that is {b}. Its first size must be the number of samples.",
        code=scene.code, prediction=prediction.source, first=shape_text(prediction.tensor.shape),
        a=_samples(int(match["a"])), target=target.source, second=shape_text(target.tensor.shape),
        b=_samples(int(match["b"])),
    )  # fmt: skip


def _of_one_sample(scene: FailureContext, prediction: Given, target: Given) -> str:
    """A single number for what has rows."""
    said = _(
        "`{code}` takes one target for each row of the prediction: {prediction} has shape {first}, and {target} is a "
        "single number, of shape [].", code=scene.code, prediction=prediction.source,
        first=shape_text(prediction.tensor.shape), target=target.source,
    )  # fmt: skip
    if prediction.tensor.shape[:1] != (1,):
        return said
    return sentences([said, _("Write {fix} there.", fix=f"{enclosed(target.source)}.unsqueeze(0)")])


def _samples(count: int) -> str:
    return ngettext("{count} sample", "{count} samples", count)


@mistake("ValueError", r"^Target size \((?P<target>.+?)\) must be the same as input size \((?P<given>.+?)\)")
@mistake(
    "ValueError",
    r"^Using a target size \((?P<target>.+?)\) that is different to the input size \((?P<given>.+?)\) is deprecated",
)
def two_shapes(scene: FailureContext, match: re.Match[str]) -> str:
    wanted, given = (sizes_in(match[key]) for key in ("given", "target"))
    said = _(
        "The prediction has shape {given} and the target {target}: this loss compares element with element, so they "
        "must be the same.", given=shape_text(wanted), target=shape_text(given),
    )  # fmt: skip
    sides = _prediction_and_target(scene)
    fix = None if sides is None else reshaped(enclosed(sides[1].source), given, wanted)
    if sides is None or fix is None:
        return sentences([said, _("Bring one to the other's shape with reshape or unsqueeze.")])
    kind = sides[0].tensor.dtype
    if sides[1].tensor.dtype != kind:
        fix = cast(fix, kind)
    return sentences([said, _("Write {fix} there.", fix=fix)])


def reshaped(source: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
    """How to bring a tensor to a shape that differs from its own by a dimension of size 1."""
    for place in range(len(wanted)):
        if wanted[place] == 1 and wanted[:place] + wanted[place + 1 :] == shape:
            return f"{source}.unsqueeze({place})"
    for place in range(len(shape)):
        if shape[place] == 1 and shape[:place] + shape[place + 1 :] == wanted:
            return f"{source}.squeeze({place})"
    return None


# ---------------------------------------------------------------- indices


@mistake("IndexError", r"^index out of range in self")
def no_such_row(scene: FailureContext, _match: re.Match[str]) -> str | None:
    if function(scene) == "index_select":
        return None
    operands = Operands(scene)
    weights = [one.tensor for one in operands.parameters() if len(one.tensor.shape) == 2]
    indices = [one for one in operands.all() if one.tensor.dtype in ("int64", "int32")]
    for one in indices:
        held = [x for x in elements(one.tensor.value) or () if isinstance(x, int)]
        for weight in weights:
            wrong = next((x for x in held if not 0 <= x < weight.shape[0]), None)
            if wrong is not None:
                count = weight.shape[0]
                said = _(
                    "`{code}` looks up rows by their number, from 0 to {last}, as there are {count}; {name} holds "
                    "{number}.", code=scene.code, last=count - 1, count=count, name=one.source, number=wrong,
                )  # fmt: skip
                if min(held) < 0:
                    return said
                return sentences(
                    [
                        said,
                        ngettext(
                            "A table for all of them has {count} row.",
                            "A table for all of them has {count} rows.",
                            max(held) + 1,
                        ),
                    ]
                )
    return _(
        "`{code}` looks up rows by their number, and there are fewer of them: the number must be at least 0 and less "
        "than the count of rows that the table was made with.", code=scene.code,
    )  # fmt: skip


@mistake("RuntimeError", r"^Class values must be smaller than num_classes")
def no_such_class(scene: FailureContext, _match: re.Match[str]) -> str | None:
    for one in Operands(scene).all():
        held = [x for x in elements(one.tensor.value) or () if isinstance(x, int)]
        if held and one.tensor.dtype == "int64":
            return _(
                "`{code}` makes a column for each class, from 0 on, and {name} holds {number}: it takes at least "
                "{count} of them.", code=scene.code, name=one.source, number=max(held), count=max(held) + 1,
            )  # fmt: skip
    return None


@mistake("IndexError", r"^index (?P<number>-?\d+) is out of bounds for dimension (?P<dim>\d+) with size (?P<size>\d+)")
def no_such_element(scene: FailureContext, match: re.Match[str]) -> str | None:
    size = int(match["size"])
    places = [node.slice for node in ast.walk(scene.tree) if isinstance(node, ast.Subscript)]
    if not places:
        return None
    if any(isinstance(node, ast.Slice) for place in places for node in ast.walk(place)) and not all(
        isinstance(node, (ast.Slice, ast.Constant, ast.UnaryOp))
        for place in places
        for node in (place.elts if isinstance(place, ast.Tuple) else [place])
    ):
        return _(
            "`{code}` takes element {number} along a dimension of size {size}: its elements are numbered from 0 to "
            "{last}, or from the end, from -{size} to -1.",
            code=scene.code, number=match["number"], size=size, last=size - 1,
        )  # fmt: skip
    if size == 0:
        return _("`{code}` takes an element of a dimension that has none.", code=scene.code)
    return _(
        "`{code}` takes element {number} along dimension {dim}, which has the size {size}: its elements are numbered "
        "from 0 to {last}, or from the end, from -{size} to -1.",
        code=scene.code, number=match["number"], dim=match["dim"], size=size, last=size - 1,
    )  # fmt: skip


@mistake("IndexError", r"^invalid index of a 0-dim tensor")
def of_a_number(scene: FailureContext, _match: re.Match[str]) -> str | None:
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.Subscript):
            held = node.value
            while isinstance(held, ast.Attribute) and held.attr == "data":
                held = held.value
            name = ast.unparse(held)
            return _(
                "{name} is a single number, a tensor of shape [], so there is nothing to choose from. "
                "{fix} gives it as a number of Python's; in a computation write {name} alone.",
                name=name, fix=f"{enclosed(name)}.item()",
            )  # fmt: skip
    return None


@mistake("IndexError", r"^too many indices for tensor of dimension (?P<count>\d+)")
def too_many_indices(scene: FailureContext, match: re.Match[str]) -> str | None:
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.Subscript):
            tensor = Operands(scene).meant_by(node.value)
            if tensor is not None and len(tensor.shape) == int(match["count"]):
                return _(
                    "`{code}` gives more indices than {name} has dimensions: its shape is {shape}.",
                    code=scene.code, name=ast.unparse(node.value), shape=shape_text(tensor.shape),
                )  # fmt: skip
    return None


@mistake(
    "IndexError",
    r"^The shape of the mask \[(?P<mask>.*?)\] at index (?P<own>\d+) does not match the shape of the indexed tensor "
    r"\[(?P<shape>.*?)\] at index (?P<place>\d+)",
)
def mask_of_another_shape(scene: FailureContext, match: re.Match[str]) -> str:
    mask, shape = sizes_in(match["mask"]), sizes_in(match["shape"])
    first = int(match["place"]) - int(match["own"])
    if first > 0:
        return _(
            "`{code}` takes the elements where the mask is True, along dimension {dim} and what follows it, so the "
            "mask must have the shape {wanted} of the tensor there; it has {mask}.", code=scene.code, dim=first,
            wanted=shape_text(shape[first : first + len(mask)]), mask=shape_text(mask),
        )  # fmt: skip
    return _(
        "`{code}` takes the elements where the mask is True, so the mask must have the shape [{shape}] of the tensor, "
        "or of its first dimensions; it has [{mask}].", code=scene.code, shape=match["shape"], mask=match["mask"],
    )  # fmt: skip
