"""Explain indices and class targets that are out of range or of the wrong shape.

Covers `gather`, `scatter`, `index_select`, `topk` and indexing with brackets, masks, embeddings, and the targets of
classification losses.
"""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.context import FailureContext, Operand, parenthesize, parse_statement
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.explain.mistakes.wording import describe_shape, format_cast, list_shapes, parse_sizes
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _, ngettext
from tutor.trace.values import elements


def _operand_and_index(context: FailureContext) -> tuple[Operand, Operand] | None:
    """Return the tensor and the index of `x.gather(1, i)`, `torch.gather(x, 1, i)` and the like; None if unknown."""
    call = context.call
    operand = context.receiver()
    if call is None or operand is None:
        return None
    is_method = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == operand.source
    node = context.argument(1 if is_method else 2, "index")
    index = [] if node is None else context.operands([node])
    return (operand, index[0]) if index else None


def _indexed_dimension(context: FailureContext, operand: Operand) -> int | None:
    """Return the dimension that such a call indexes, from 0; None if unknown."""
    call = context.call
    if call is None:
        return None
    is_method = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == operand.source
    node = context.argument(0 if is_method else 1, "dim")
    try:
        value = None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    return value % len(operand.tensor.shape) if isinstance(value, int) and operand.tensor.shape else None


@mistake("RuntimeError", r"^Index tensor must have the same number of dimensions as (?:input|self|src) tensor")
def explain_index_dimensions(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "Index tensor must have the same number of dimensions as input tensor" of `gather` and `scatter`."""
    operands = _operand_and_index(context)
    if operands is None:
        return _describe_gather_index(context)
    if len(operands[0].tensor.shape) == len(operands[1].tensor.shape):
        return None
    operand, index = operands
    problem = _(
        "`{code}` takes an index with as many dimensions as the tensor: {tensors}.",
        code=context.code, tensors=list_shapes(operands),
    )  # fmt: skip
    dim = _indexed_dimension(context, operand)
    shape = operand.tensor.shape
    call = context.call
    if context.function != "gather" and (call is None or not isinstance(call.args[-1], ast.Constant)):
        return Diagnosis(problem)  # what is written would have to get the same dimension
    if dim is None or len(shape) != 2 or index.tensor.shape != (shape[1 - dim],):
        return Diagnosis(problem)
    fix = f"{parenthesize(index.source)}.unsqueeze({dim})"
    fix_text = _("For one element of each row, write {fix}.", fix=fix) if dim == 1 else _(
        "For one element of each column, write {fix}.", fix=fix
    )  # fmt: skip
    return Diagnosis(problem, fix=fix_text)


def _describe_gather_index(context: FailureContext) -> Diagnosis | None:
    """Explain a `gather` from a tensor without a name, whose shape is unknown; None for any other code."""
    call = context.call
    node = None if call is None else context.argument(1, "index")
    index = None if node is None else context.resolve(node)
    if context.function != "gather" or node is None or index is None:
        return None
    return Diagnosis(_(
        "gather takes an index with as many dimensions as the tensor that it takes elements from, and {index} has "
        "shape {shape}. For one element of each row of a matrix, write {fix}.", index=ast.unparse(node),
        shape=shape_text(index.shape), fix=f"{parenthesize(ast.unparse(node))}.unsqueeze(1)",
    )) if len(index.shape) == 1 else None  # fmt: skip


@mistake("IndexError", r"^index (?P<number>-?\d+) is out of bounds for dimension (?P<dim>\d+) with size (?P<size>\d+)")
@mistake(
    "RuntimeError", r"^index (?P<number>-?\d+) is out of bounds for dimension (?P<dim>\d+) with size (?P<size>\d+)"
)
def explain_index_out_of_bounds(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "index 5 is out of bounds for dimension 0 with size 3" of `gather` and similar calls."""
    operands = _operand_and_index(context)
    value, size = int(match["number"]), int(match["size"])
    is_in_index = operands is not None and value in (elements(operands[1].tensor.value) or ())
    if context.event.error == "IndexError" and not is_in_index:
        return None
    return Diagnosis(_(
        "`{code}` goes by the numbers in {index}, which holds {number}: along dimension {dim} there are {size} "
        "elements, numbered from 0 to {last}.", code=context.code,
        index=describe_shape(operands[1]) if operands is not None and is_in_index else _("the index"), number=value,
        dim=match["dim"],
        size=size, last=size - 1,
    ))  # fmt: skip


@mistake(
    "RuntimeError", r"^Size does not match at dimension (?P<dim>\d+) expected index \[.*?\] to be no larger than self"
)
@mistake("RuntimeError", r"^Expected index \[.*?\] to be no larger than self")
def explain_index_shape(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "Expected index [3, 2] to be no larger than self [2, 2]" of `gather` and `scatter`."""
    operands = _operand_and_index(context)
    if operands is None:
        return None
    call = context.call
    others = [] if call is None else context.operands([*call.args[2:], *(keyword.value for keyword in call.keywords)])
    extra = (
        [operand for operand in others if operand.source != operands[1].source]
        if context.function.startswith("scatter")
        else []
    )
    if extra:
        return Diagnosis(_(
            "`{code}` has a number in the index for each element that is written, so the index must not be larger than "
            "what is written, nor, along the other dimensions, than the tensor: {tensors}.",
            code=context.code, tensors=list_shapes([*operands, *extra]),
        ))  # fmt: skip
    return Diagnosis(_(
        "Along the other dimensions, the index of `{code}` must not be larger than the tensor: {tensors}.",
        code=context.code, tensors=list_shapes(operands),
    ))  # fmt: skip


@mistake("IndexError", r"^index_select\(\): Index is supposed to be a vector")
def explain_index_select_dimensions(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "index_select(): Index is supposed to be a vector"."""
    operands = _operand_and_index(context)
    if operands is None:
        return None
    return Diagnosis(_(
        "`{code}` takes an index of one dimension, and {index} has {count}. In one row it is {fix}.", code=context.code,
        index=describe_shape(operands[1]), count=len(operands[1].tensor.shape),
        fix=f"{parenthesize(operands[1].source)}.flatten()",
    ))  # fmt: skip


@mistake("IndexError", r"^index out of range in self")
def explain_index_select_range(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "index out of range in self" of `index_select`."""
    operands = _operand_and_index(context) if context.function == "index_select" else None
    dim = None if operands is None else _indexed_dimension(context, operands[0])
    if operands is None or dim is None:
        return None
    operand, index = operands
    size = operand.tensor.shape[dim]
    wrong = next(
        (number for number in elements(index.tensor.value) or () if isinstance(number, int) and not 0 <= number < size),
        None,
    )
    if wrong is None:
        return None
    return Diagnosis(_(
        "`{code}` goes by the numbers in {index}, which holds {number}: along dimension {dim} there are {size} "
        "elements, numbered from 0 to {last}.", code=context.code, index=describe_shape(index), number=wrong, dim=dim,
        size=size, last=size - 1,
    ))  # fmt: skip


@mistake(
    "RuntimeError",
    r"^index_add_\(\): Number of indices \((?P<count>\d+)\) should be equal to source\.size\(dim\): "
    r"\((?P<size>\d+)\)",
)
def explain_index_add_count(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "index_add_(): Number of indices should be equal to source.size(dim)"."""
    return Diagnosis(_(
        "`{code}` has a number in the index for each part that is added: {count} numbers, and {size} parts.",
        code=context.code, count=match["count"], size=match["size"],
    ))  # fmt: skip


@mistake("IndexError", r"^out of range: tried to access index (?P<number>-?\d+) on a tensor of (?P<count>\d+) elements")
def explain_take_range(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "out of range: tried to access index 5 on a tensor of 3 elements" of `take`."""
    return Diagnosis(_(
        "`{code}` takes element {number} of {count}: they are numbered from 0 to {last}.",
        code=context.code, number=match["number"], count=match["count"], last=int(match["count"]) - 1,
    ))  # fmt: skip


@mistake("RuntimeError", r"^selected index k out of range")
def explain_topk_range(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "selected index k out of range" of `topk` and `kthvalue`."""
    operand = context.receiver("topk", "kthvalue")
    if operand is None:
        return None
    return Diagnosis(_("`{code}` takes more elements than there are along that dimension: {tensor}.",
              code=context.code, tensor=describe_shape(operand)))  # fmt: skip


@mistake("IndexError", r"^shape mismatch: indexing tensors could not be broadcast together with shapes")
def explain_indices_shapes(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "shape mismatch: indexing tensors could not be broadcast together"."""
    for node in ast.walk(context.tree):
        parts = node.slice.elts if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) else []
        indices = context.operands(parts)
        if len(indices) > 1:
            return Diagnosis(_(
                "`{code}` pairs the indices element by element, so they must have one shape: {tensors}.",
                code=context.code, tensors=list_shapes(indices),
            ))  # fmt: skip
    return None


@mistake(
    "RuntimeError",
    r"^shape mismatch: value tensor of shape (?P<value>\[.*?\]) cannot be broadcast to indexing result of shape "
    r"(?P<place>\[.*?\])",
)
def explain_indexed_assignment(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "shape mismatch: value tensor of shape [2] cannot be broadcast to indexing result of shape [3]"."""
    statement = parse_statement(context.statement)
    target = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else context.code
    return Diagnosis(_(
        "`{target}` has shape {place}, and what is written there has shape {value}: counted from the last dimension, "
        "its sizes must be equal, or 1.", target=target, place=match["place"], value=match["value"],
    ))  # fmt: skip


@mistake(
    "IndexError", r"^select\(\): index (?P<number>-?\d+) out of range for tensor of size .* at dimension (?P<dim>\d+)"
)
@mistake(
    "RuntimeError",
    r"^start \((?P<start>-?\d+)\) \+ length \((?P<length>\d+)\) exceeds dimension size \((?P<size>\d+)\)",
)
def explain_select_range(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "select(): index out of range" and "start + length exceeds dimension size" of `narrow`."""
    operand = context.receiver("select", "narrow")
    if operand is None:
        return None
    return Diagnosis(_(
        "`{code}` goes beyond the end of that dimension: {tensor}.",
        code=context.code,
        tensor=describe_shape(operand),
    ))  # fmt: skip


def _prediction_and_target(context: FailureContext) -> tuple[Operand, Operand] | None:
    """Return the first two arguments of the failing loss; None unless both are known tensors."""
    arguments = context.arguments()
    tensors = [context.resolve(argument) for argument in arguments[:2]]
    if len(tensors) < 2 or tensors[0] is None or tensors[1] is None:
        return None
    return Operand(ast.unparse(arguments[0]), tensors[0]), Operand(ast.unparse(arguments[1]), tensors[1])


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


# ---------------------------------------------------------------- indices


@mistake("IndexError", r"^index out of range in self")
def explain_embedding_range(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "index out of range in self" of an embedding."""
    if context.function == "index_select":
        return None
    tables = [index.tensor for index in context.parameters() if len(index.tensor.shape) == 2]
    indices = [index for index in context.all_operands() if index.tensor.dtype in ("int64", "int32")]
    for index in indices:
        numbers = [number for number in elements(index.tensor.value) or () if isinstance(number, int)]
        for table in tables:
            wrong = next((number for number in numbers if not 0 <= number < table.shape[0]), None)
            if wrong is not None:
                count = table.shape[0]
                problem = _(
                    "`{code}` looks up rows by their number, from 0 to {last}, as there are {count}; {name} holds "
                    "{number}.", code=context.code, last=count - 1, count=count, name=index.source, number=wrong,
                )  # fmt: skip
                if min(numbers) < 0:
                    return Diagnosis(problem)
                return Diagnosis(
                    problem,
                    fix=ngettext(
                        "A table for all of them has {count} row.",
                        "A table for all of them has {count} rows.",
                        max(numbers) + 1,
                    ),
                )
    return Diagnosis(_(
        "`{code}` looks up rows by their number, and there are fewer of them: the number must be at least 0 and less "
        "than the count of rows that the table was made with.", code=context.code,
    ))  # fmt: skip


@mistake("RuntimeError", r"^Class values must be smaller than num_classes")
def explain_one_hot_range(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "Class values must be smaller than num_classes" of `one_hot`."""
    for operand in context.all_operands():
        numbers = [number for number in elements(operand.tensor.value) or () if isinstance(number, int)]
        if numbers and operand.tensor.dtype == "int64":
            return Diagnosis(_(
                "`{code}` makes a column for each class, from 0 on, and {name} holds {number}: it takes at least "
                "{count} of them.", code=context.code, name=operand.source, number=max(numbers), count=max(numbers) + 1,
            ))  # fmt: skip
    return None


@mistake(
    "IndexError",
    r"^index (?P<number>-?\d+) is out of bounds for dimension (?P<dim>\d+) with size (?P<size>\d+)",
    priority=-1,
)
def explain_element_range(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "index 3 is out of bounds for dimension 0 with size 3" of indexing with brackets."""
    size = int(match["size"])
    slices = [node.slice for node in ast.walk(context.tree) if isinstance(node, ast.Subscript)]
    if not slices:
        return None
    if any(isinstance(node, ast.Slice) for slice_ in slices for node in ast.walk(slice_)) and not all(
        isinstance(node, (ast.Slice, ast.Constant, ast.UnaryOp))
        for slice_ in slices
        for node in (slice_.elts if isinstance(slice_, ast.Tuple) else [slice_])
    ):
        return Diagnosis(_(
            "`{code}` takes element {number} along a dimension of size {size}: its elements are numbered from 0 to "
            "{last}, or from the end, from -{size} to -1.",
            code=context.code, number=match["number"], size=size, last=size - 1,
        ))  # fmt: skip
    if size == 0:
        return Diagnosis(_("`{code}` takes an element of a dimension that has none.", code=context.code))
    return Diagnosis(_(
        "`{code}` takes element {number} along dimension {dim}, which has the size {size}: its elements are numbered "
        "from 0 to {last}, or from the end, from -{size} to -1.",
        code=context.code, number=match["number"], dim=match["dim"], size=size, last=size - 1,
    ))  # fmt: skip


@mistake("IndexError", r"^invalid index of a 0-dim tensor")
def explain_scalar_index(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "invalid index of a 0-dim tensor"."""
    for node in ast.walk(context.tree):
        if isinstance(node, ast.Subscript):
            value = node.value
            while isinstance(value, ast.Attribute) and value.attr == "data":
                value = value.value
            name = ast.unparse(value)
            return Diagnosis(_(
                "{name} is a single number, a tensor of shape [], so there is nothing to choose from. "
                "{fix} gives it as a number of Python's; in a computation write {name} alone.",
                name=name, fix=f"{parenthesize(name)}.item()",
            ))  # fmt: skip
    return None


@mistake("IndexError", r"^too many indices for tensor of dimension (?P<count>\d+)")
def explain_too_many_indices(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "too many indices for tensor of dimension 1"."""
    for node in ast.walk(context.tree):
        if isinstance(node, ast.Subscript):
            tensor = context.resolve(node.value)
            if tensor is not None and len(tensor.shape) == int(match["count"]):
                return Diagnosis(_(
                    "`{code}` gives more indices than {name} has dimensions: its shape is {shape}.",
                    code=context.code, name=ast.unparse(node.value), shape=shape_text(tensor.shape),
                ))  # fmt: skip
    return None


@mistake(
    "IndexError",
    r"^The shape of the mask \[(?P<mask>.*?)\] at index (?P<own>\d+) does not match the shape of the indexed tensor "
    r"\[(?P<shape>.*?)\] at index (?P<place>\d+)",
)
def explain_mask_shape(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "The shape of the mask [2] at index 0 does not match the shape of the indexed tensor [3] at index 0"."""
    mask, shape = parse_sizes(match["mask"]), parse_sizes(match["shape"])
    first = int(match["place"]) - int(match["own"])
    if first > 0:
        return Diagnosis(_(
            "`{code}` takes the elements where the mask is True, along dimension {dim} and what follows it, so the "
            "mask must have the shape {wanted} of the tensor there; it has {mask}.", code=context.code, dim=first,
            wanted=shape_text(shape[first : first + len(mask)]), mask=shape_text(mask),
        ))  # fmt: skip
    return Diagnosis(_(
        "`{code}` takes the elements where the mask is True, so the mask must have the shape [{shape}] of the tensor, "
        "or of its first dimensions; it has [{mask}].", code=context.code, shape=match["shape"], mask=match["mask"],
    ))  # fmt: skip
