"""Explain sizes that do not match in a product: of matrices, vectors and batches, in a linear layer, in `einsum`."""

from __future__ import annotations

import ast
import re
from math import prod

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import (
    FailureContext,
    Layer,
    Operand,
    Shape,
    broadcast_shapes,
    describe_input,
    describe_shape,
    format_flatten,
    format_transpose,
    list_shapes,
    parenthesize,
)
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.i18n import _
from tutor.trace.number_format import shape as shape_text


@mistake("RuntimeError", r"^mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)")
def explain_matmul_sizes(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "mat1 and mat2 shapes cannot be multiplied" of `@`, `F.linear` and `nn.Linear`."""
    rows, inner, second_rows, columns = (int(size) for size in match.groups())
    layer = _failing_linear(context, (columns, second_rows))
    if layer is not None:
        return _describe_linear(context, layer, (rows, inner), (second_rows, columns))
    factors = context.factors()
    factors = factors[:2] if context.function == "linear" else factors[-2:]
    shapes = [factor.tensor.shape for factor in factors]
    if (
        len(shapes) != 2
        or (1, *shapes[0])[-2:] != (rows, inner)
        or shapes[1] not in ((second_rows, columns), (columns, second_rows))
    ):
        return Diagnosis(_(
            "`{code}` multiplies shape {first} by shape {second}: the first must have as many columns ({inner}) as the "
            "second has rows ({other}).", code=context.code, first=shape_text((rows, inner)),
            second=shape_text((second_rows, columns)), inner=inner, other=second_rows,
        ))  # fmt: skip
    if context.function == "linear":
        return _describe_f_linear(context, factors)
    problem = _(
        "`{code}` multiplies {first} by {second}: the first must have as many columns ({inner}) as the second has rows "
        "({other}).", code=context.code, first=describe_shape(factors[0]), second=describe_shape(factors[1]),
        inner=inner,
        other=second_rows,
    )  # fmt: skip
    return Diagnosis(problem, fix=_transpose_fix(factors))


def _transpose_fix(factors: list[Operand]) -> str:
    """Say which of two factors would fit if it were transposed; empty if neither would."""
    shapes = [factor.tensor.shape for factor in factors]
    to_transpose = None
    if len(shapes[0]) > 1 and _can_multiply((*shapes[0][:-2], shapes[0][-1], shapes[0][-2]), shapes[1]):
        to_transpose = factors[0]
    elif len(shapes[1]) > 1 and _can_multiply(shapes[0], (*shapes[1][:-2], shapes[1][-1], shapes[1][-2])):
        to_transpose = factors[1]
    if to_transpose is None:
        return ""
    return _("If one of them lies the wrong way round: {fix} would fit.", fix=format_transpose(to_transpose))


def _can_multiply(first: Shape, second: Shape) -> bool:
    """Return whether tensors of these shapes can be multiplied by `@`."""
    if not first or not second:
        return False
    return first[-1] == (second[-2] if len(second) > 1 else second[-1]) and (
        broadcast_shapes(first[:-2], second[:-2]) is not None
    )


# ---------------------------------------------------------------- a linear layer


def _failing_linear(context: FailureContext, shape: Shape) -> Layer | None:
    """Return the `nn.Linear` that failed (the operation before transposed its weight); None for any other code."""
    step, op = next(iter(context.statement_operations()), (0, None))
    module = None if op is None else context.state.modules.get(op.module or 0)
    weight = None if op is None or not op.inputs else context.timeline.state(step).tensors.get(op.inputs[0] or 0)
    if module is None or module.kind != "Linear" or weight is None or weight.shape != shape:
        return None
    names = (name for name, serial in context.names.items() if serial == weight.tensor and name.endswith(".weight"))
    return Layer(next(names, f"`{context.code}`").removesuffix(".weight"), weight)


def _describe_linear(context: FailureContext, layer: Layer, rows_shape: Shape, sizes: tuple[int, int]) -> Diagnosis:
    """Say how the input of an `nn.Linear` differs from what the layer takes."""
    in_features, out_features = sizes
    shape = _layer_input_shape(context, rows_shape)
    operand = context.layer_input(layer, shape)
    problem = _(
        "{layer} takes {wanted} numbers in each row, which is the last size of its input: {given}, so {count} in each.",
        layer=layer.name, wanted=in_features,
        given=describe_input(operand, shape), count=rows_shape[1],
    )  # fmt: skip
    return Diagnosis(problem, fix=_linear_fix(operand, shape, in_features, out_features))


def _layer_input_shape(context: FailureContext, rows_shape: Shape) -> Shape:
    """Return the shape that the layer was given: more than two dimensions are flattened to rows before its product."""
    for step, op in context.statement_operations()[1:2]:
        tensors = context.timeline.state(step).tensors
        outputs = [tensors[serial].shape for serial in op.outputs if serial in tensors]
        inputs = [tensors[serial].shape for serial in op.inputs if serial in tensors]
        last = context.statement_operations()[0][1]
        if op.module == last.module and outputs == [rows_shape] and inputs and prod(inputs[0]) == prod(rows_shape):
            return inputs[0]
    return rows_shape


def _linear_fix(operand: Operand | None, shape: Shape, in_features: int, out_features: int) -> str:
    """Say how the input, or the layer, is made to fit."""
    if len(shape) <= 2:
        layer = _("A layer for this input is {layer}.", layer=f"nn.Linear({shape[-1]}, {out_features})")
        if operand is not None and len(shape) == 2 and shape[0] == in_features:
            fix = _("If it lies the wrong way round: {fix} would fit.", fix=format_transpose(operand))
            return sentences([fix, layer])
        return layer if operand is None or prod(shape) != in_features else sentences([_flatten_fix(operand), layer])
    row_size = prod(shape[1:])
    if row_size != in_features == prod(shape) and operand is not None:
        return _flatten_fix(operand)
    fix = "nn.Flatten()" if operand is None else format_flatten(operand)[0]
    if row_size != in_features:
        return _("If each sample is to be one row, {fix} makes one of {row} numbers, and the layer for it is {layer}.",
                  fix=fix, row=row_size, layer=f"nn.Linear({row_size}, {out_features})")  # fmt: skip
    if operand is None:
        return _("All but the first dimension in one row are {wanted}: put {fix} before the layer.",
                  wanted=in_features, fix=fix)  # fmt: skip
    return _("All but the first dimension in one row are {wanted}: write {fix}.", wanted=in_features, fix=fix)


def _flatten_fix(operand: Operand) -> str:
    """Say that the whole tensor in one row fits."""
    return _("All of it in one row fits: {fix}.", fix=f"{parenthesize(operand.source)}.flatten()")


def _describe_f_linear(context: FailureContext, factors: list[Operand]) -> Diagnosis:
    """Say how the sizes of `F.linear(x, weight)`, which transposes the weight, must match."""
    input_, weight = factors
    problem = _(
        "`{code}` multiplies by the transposed weight, so the last sizes must be equal: {tensors}.",
        code=context.code, tensors=list_shapes(factors),
    )  # fmt: skip
    if len(weight.tensor.shape) == 2 and weight.tensor.shape[0] == input_.tensor.shape[-1]:
        fix = _("If one of them lies the wrong way round: {fix} would fit.", fix=format_transpose(weight))
        return Diagnosis(problem, fix=fix)
    return Diagnosis(problem)


# ---------------------------------------------------------------- vectors


@mistake(
    "RuntimeError", r"^size mismatch, got input \(\d+\), mat \((?P<rows>\d+)x(?P<columns>\d+)\), vec \((?P<size>\d+)\)"
)
def explain_mv_sizes(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "size mismatch, got input (3), mat (3x2), vec (4)" of a matrix times a vector."""
    factors = context.factors()[-2:]
    shapes = [factor.tensor.shape for factor in factors]
    shapes_match = shapes == [(int(match["rows"]), int(match["columns"])), (int(match["size"]),)]
    problem = _(
        "`{code}` multiplies each row of {matrix} by {vector}: the vector must have {columns} elements, as many as the "
        "matrix has columns, and has {size}.", code=context.code,
        matrix=describe_shape(factors[0]) if shapes_match else _("the matrix"),
        vector=describe_shape(factors[1]) if shapes_match else _("the vector"), columns=match["columns"],
        size=match["size"],
    )  # fmt: skip
    return Diagnosis(problem, fix=_transpose_fix(factors) if shapes_match else "")


@mistake("RuntimeError", r"^inconsistent tensor size, expected tensor \[(?P<a>\d+)\] and src \[(?P<b>\d+)\]")
def explain_dot_sizes(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "inconsistent tensor size, expected tensor [3] and src [4]" of the product of two vectors."""
    factors = context.factors()[-2:]
    shapes = [factor.tensor.shape for factor in factors]
    shapes_match = shapes == [(int(match["a"]),), (int(match["b"]),)]
    return Diagnosis(_(
        "`{code}` multiplies two vectors element by element and sums, so they must have the same number of elements: "
        "{tensors}.", code=context.code,
        tensors=list_shapes(factors) if shapes_match else f"{match['a']}, {match['b']}",
    ))  # fmt: skip


@mistake("RuntimeError", r"^1D tensors expected, but got \d+D and \d+D tensors")
def explain_dot_dimensions(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "1D tensors expected, but got 2D and 1D tensors" of `torch.dot`."""
    factors = context.factors()
    if len(factors) != 2:
        return None
    problem = _(
        "`{code}` takes two vectors, of one dimension each: {tensors}.", code=context.code, tensors=list_shapes(factors)
    )
    return Diagnosis(problem, fix=_matmul_fix(factors))


def _matmul_fix(factors: list[Operand]) -> str:
    """Say that `@` multiplies two factors; empty if it cannot."""
    first, second = factors
    if not _can_multiply(first.tensor.shape, second.tensor.shape):
        return ""
    fix = f"{parenthesize(first.source)} @ {parenthesize(second.source)}"
    return _("The product of matrices is `{fix}`.", fix=fix)


# ---------------------------------------------------------------- batches, and numbers of dimensions


@mistake(
    "RuntimeError",
    r"^Expected size for first two dimensions of batch2 tensor to be: \[(?P<batch>\d+), (?P<inner>\d+)\] but got: "
    r"\[(?P<count>\d+), (?P<rows>\d+)\]",
)
def explain_bmm_sizes(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "Expected size for first two dimensions of batch2 tensor to be" of `torch.bmm` and attention."""
    batch, inner, count, rows = (int(match[key]) for key in ("batch", "inner", "count", "rows"))
    if context.function == "scaled_dot_product_attention":
        queries_and_keys = context.passed(0, 2)
        if len(queries_and_keys) != 2 or queries_and_keys[0].tensor.shape[-1] == queries_and_keys[1].tensor.shape[-1]:
            return None
        return Diagnosis(_(
            "`{code}` multiplies each query by each key, so their last sizes must be equal: {tensors}.",
            code=context.code, tensors=list_shapes(queries_and_keys),
        ))  # fmt: skip
    factors = context.factors()[-2:]
    shapes = [factor.tensor.shape for factor in factors]
    if len(shapes) != 2 or shapes[0][-1:] != (inner,) or shapes[1][-2:-1] != (rows,):
        return None
    problem = _("`{code}` multiplies matrix by matrix: {tensors}.", code=context.code, tensors=list_shapes(factors))
    if batch != count:
        detail = _(
            "There must be as many in the second as in the first: {batch}, not {count}.", batch=batch, count=count
        )
        return Diagnosis(problem, fix=detail)
    detail = _("Those of the second must have as many rows as those of the first have columns: {inner}, not {rows}.",
              inner=inner, rows=rows)  # fmt: skip
    return Diagnosis(problem, fix=sentences([detail, _transpose_fix(factors)]))


@mistake("RuntimeError", r"^batch[12] must be a 3D tensor")
@mistake("RuntimeError", r"^(?:self|mat2) must be a matrix")
@mistake("RuntimeError", r"^(?:vector \+ )?matrix (?:@|\*) vector expected, got")
@mistake("RuntimeError", r"^outer: Expected 1-D argument")
def explain_factor_dimensions(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "batch1 must be a 3D tensor", "self must be a matrix", "vector expected" and "Expected 1-D argument"."""
    ndims = {"bmm": (3, 3), "mm": (2, 2), "mv": (2, 1), "outer": (1, 1)}.get(context.function)
    factors = context.factors()
    if ndims is None or len(factors) != 2:
        return None
    problem = _(
        "`{code}` takes a tensor of {first} dimensions and one of {second}: {tensors}.",
        code=context.code, first=ndims[0], second=ndims[1], tensors=list_shapes(factors),
    )  # fmt: skip
    return Diagnosis(problem, fix="" if context.function == "outer" else _matmul_fix(factors))


@mistake("RuntimeError", r"^both arguments to matmul need to be at least 1D")
def explain_matmul_scalars(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "both arguments to matmul need to be at least 1D"."""
    factors = context.factors()
    if len(factors) != 2:
        return None
    return Diagnosis(_(
        "`{code}` is a product of matrices or vectors, and a scalar is neither: {tensors}. Multiplied "
        "element by element it is `{fix}`.", code=context.code, tensors=list_shapes(factors),
        fix=" * ".join(parenthesize(factor.source) for factor in factors),
    ))  # fmt: skip


@mistake("RuntimeError", r"^inner\(\) the last dimension must match on both input tensors")
@mistake("RuntimeError", r"^X1 and X2 must have the same number of columns")
def explain_inner_sizes(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "the last dimension must match on both input tensors" of `torch.inner`, and the like of `torch.cdist`."""
    factors = context.factors()
    if context.function not in ("inner", "cdist") or len(factors) != 2:
        return None
    return Diagnosis(_("`{code}` goes along the last dimension of both, so their last sizes must be equal: {tensors}.",
              code=context.code, tensors=list_shapes(factors)))  # fmt: skip


@mistake("RuntimeError", r"^linalg\.\w+: A must be batches of square matrices")
def explain_non_square(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "A must be batches of square matrices" of `torch.linalg`."""
    factors = context.factors()
    if not factors or factors[0].tensor.shape[-1:] == factors[0].tensor.shape[-2:-1]:
        return None
    return Diagnosis(_("`{code}` takes square matrices, with as many rows as columns: {tensor}.",
              code=context.code, tensor=describe_shape(factors[0])))  # fmt: skip


# ---------------------------------------------------------------- einsum


@mistake(
    "RuntimeError",
    r"^einsum\(\): subscript (?P<letter>\w) has size (?P<size>\d+) for operand (?P<place>\d+) which does not broadcast "
    r"with previously seen size (?P<seen>\d+)",
)
def explain_einsum_sizes(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "subscript i has size 3 for operand 1 which does not broadcast with" the size before, of `einsum`."""
    operands = _einsum_operands(context)
    if operands is None:
        return None
    return Diagnosis(_(
        "In `{code}` the letter {letter} stands for one size wherever it is, and it is {seen} and {size}: {tensors}.",
        code=context.code, letter=match["letter"], seen=match["seen"], size=match["size"],
        tensors=list_shapes(operands),
    ))  # fmt: skip


@mistake(
    "RuntimeError",
    r"^einsum\(\): the number of subscripts in the equation \((?P<letters>\d+)\) does not match the number of "
    r"dimensions \((?P<dims>\d+)\) for operand (?P<place>\d+)",
)
def explain_einsum_letters(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "the number of subscripts in the equation does not match the number of dimensions" of `einsum`."""
    operands, place = _einsum_operands(context), int(match["place"])
    if operands is None or place >= len(operands) or len(operands[place].tensor.shape) != int(match["dims"]):
        return None
    return Diagnosis(_(
        "`{code}` has {letters} letters for {tensor}, which has {dims} dimensions: it takes one letter for each.",
        code=context.code, letters=match["letters"], tensor=describe_shape(operands[place]), dims=match["dims"],
    ))  # fmt: skip


@mistake("RuntimeError", r"^einsum\(\): (?:fewer|more) operands were provided than specified in the equation")
def explain_einsum_operands(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "fewer operands were provided than specified in the equation" of `einsum`."""
    call = context.call
    equation = call.args[0] if call is not None and call.args else None
    if call is None or not isinstance(equation, ast.Constant) or not isinstance(equation.value, str):
        return None
    letters = equation.value.split("->")[0]
    return Diagnosis(_(
        "`{code}` names {count} tensors before the arrow ({letters}), separated by commas, and gets {given}.",
        code=context.code, count=letters.count(",") + 1, letters=letters, given=len(call.args) - 1,
    ))  # fmt: skip


@mistake("RuntimeError", r"^einsum\(\): output subscript (?P<letter>\w) does not appear in the equation")
def explain_einsum_output(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "output subscript k does not appear in the equation" of `einsum`."""
    return Diagnosis(_(
        "In `{code}` the letter {letter} is behind the arrow and at no tensor before it, so it has no size.",
        code=context.code, letter=match["letter"],
    ))  # fmt: skip


def _einsum_operands(context: FailureContext) -> list[Operand] | None:
    """Return the tensors passed to `einsum`; None unless all are known."""
    call = context.call
    if call is None or context.function != "einsum":
        return None
    operands = context.passed(1)
    return operands if len(operands) == len(call.args) - 1 else None
