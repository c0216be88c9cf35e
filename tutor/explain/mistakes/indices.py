"""Explain indices that are out of range or of the wrong shape.

Covers `gather`, `scatter`, `index_select`, `topk`, indexing with brackets, masks, and embeddings.
"""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.context import (
    FailureContext,
    Operand,
    describe_shape,
    list_shapes,
    parenthesize,
    parse_sizes,
    parse_statement,
)
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.i18n import _, ngettext
from tutor.trace.number_format import shape as shape_text
from tutor.trace.values import elements


def _operand_and_index(context: FailureContext) -> tuple[Operand, Operand] | None:
    """Return the tensor and the index of `x.gather(1, i)`, `torch.gather(x, 1, i)` and the like; None if unknown."""
    operand = context.receiver()
    index = None if operand is None else context.operand(context.argument(2 - _is_method(context, operand), "index"))
    return None if operand is None or index is None else (operand, index)


def _is_method(context: FailureContext, operand: Operand) -> bool:
    """Return whether the failing call is a method of the tensor, so that its arguments come one place earlier."""
    return context.call is not None and ast.unparse(context.call.func).startswith(f"{parenthesize(operand.source)}.")


def _indexed_dimension(context: FailureContext, operand: Operand) -> int | None:
    """Return the dimension that such a call indexes, from 0; None if unknown."""
    value = context.literal_argument(1 - _is_method(context, operand), "dim")
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
    index = context.operand(context.argument(1, "index")) if context.function == "gather" else None
    if index is None or len(index.tensor.shape) != 1:
        return None
    return Diagnosis(_(
        "gather takes an index with as many dimensions as the tensor that it takes elements from, and {index} has "
        "shape {shape}. For one element of each row of a matrix, write {fix}.", index=index.source,
        shape=shape_text(index.tensor.shape), fix=f"{parenthesize(index.source)}.unsqueeze(1)",
    ))  # fmt: skip


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
        "its sizes must be equal, or 1.", target=target, place=shape_text(parse_sizes(match["place"])),
        value=shape_text(parse_sizes(match["value"])),
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
                "{name} is a scalar, a single number, so there is nothing to choose from. "
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
        "`{code}` takes the elements where the mask is True, so the mask must have the shape {shape} of the tensor, "
        "or of its first dimensions; it has {mask}.", code=context.code, shape=shape_text(shape), mask=shape_text(mask),
    ))  # fmt: skip
