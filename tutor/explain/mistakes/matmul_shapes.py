"""Sizes that do not go together in a product: of matrices, of vectors, of batches, in a linear layer, in einsum."""

from __future__ import annotations

import ast
import re
from math import prod

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import (
    FailureContext,
    Given,
    Layer,
    Operands,
    Shape,
    broadcast,
    called,
    described,
    enclosed,
    flattened,
    function,
    input_of,
    inside,
    listed,
    meant,
    mistake,
    said_of_input,
    sides,
    transposed,
)
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _


@mistake("RuntimeError", r"^mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)")
def matrices(scene: FailureContext, match: re.Match[str]) -> str:
    rows, inner, other, columns = (int(size) for size in match.groups())
    operands = Operands(scene)
    layer = _linear(scene, operands, (columns, other))
    if layer is not None:
        return _layer(scene, operands, layer, (rows, inner), (other, columns))
    factors = sides(scene, operands)
    factors = factors[:2] if function(scene) == "linear" else factors[-2:]
    shapes = [factor.tensor.shape for factor in factors]
    if (
        len(shapes) != 2
        or (1, *shapes[0])[-2:] != (rows, inner)
        or shapes[1] not in ((other, columns), (columns, other))
    ):
        return _(
            "`{code}` multiplies shape {first} by shape {second}: the first must have as many columns ({inner}) as the "
            "second has rows ({other}).", code=scene.code, first=shape_text((rows, inner)),
            second=shape_text((other, columns)), inner=inner, other=other,
        )  # fmt: skip
    if function(scene) == "linear":
        return _by_function(scene, factors)
    said = _(
        "`{code}` multiplies {first} by {second}: the first must have as many columns ({inner}) as the second has rows "
        "({other}).", code=scene.code, first=described(factors[0]), second=described(factors[1]), inner=inner,
        other=other,
    )  # fmt: skip
    return sentences([said, *_wrong_way_round(factors)])


def _wrong_way_round(factors: list[Given]) -> list[str]:
    """Which of two factors would fit when it is transposed, where one does."""
    shapes = [factor.tensor.shape for factor in factors]
    turned = None
    if len(shapes[0]) > 1 and _fit((*shapes[0][:-2], shapes[0][-1], shapes[0][-2]), shapes[1]):
        turned = factors[0]
    elif len(shapes[1]) > 1 and _fit(shapes[0], (*shapes[1][:-2], shapes[1][-1], shapes[1][-2])):
        turned = factors[1]
    fix = None if turned is None else transposed(turned)
    return [] if fix is None else [_("If one of them lies the wrong way round: {fix} would fit.", fix=fix)]


def _fit(first: Shape, second: Shape) -> bool:
    """Whether tensors of these shapes can be multiplied by `@`."""
    if not first or not second:
        return False
    return first[-1] == (second[-2] if len(second) > 1 else second[-1]) and (
        broadcast(first[:-2], second[:-2]) is not None
    )


# ---------------------------------------------------------------- a linear layer


def _linear(scene: FailureContext, operands: Operands, shape: Shape) -> Layer | None:
    """The `nn.Linear` that failed: the last operation before was that of its weight, turned."""
    step, op = next(iter(inside(scene, operands)), (0, None))
    module = None if op is None else scene.state.modules.get(op.module or 0)
    weight = None if op is None or not op.inputs else scene.timeline.state(step).tensors.get(op.inputs[0] or 0)
    if module is None or module.kind != "Linear" or weight is None or weight.shape != shape:
        return None
    names = (name for name, number in operands.names.items() if number == weight.tensor and name.endswith(".weight"))
    return Layer(next(names, f"`{scene.code}`").removesuffix(".weight"), weight)


def _layer(scene: FailureContext, operands: Operands, layer: Layer, given: Shape, sizes: tuple[int, int]) -> str:
    wanted, columns = sizes
    shape = _before_flattening(scene, operands, given)
    direct = input_of(scene, operands, layer, shape)
    said = _(
        "{layer} takes {wanted} numbers in each row, which is the last size of its input: {given}, so {count} in each.",
        layer=layer.name, wanted=wanted,
        given=said_of_input(direct, shape), count=given[1],
    )  # fmt: skip
    return sentences([said, *_linear_fix(direct, shape, wanted, columns)])


def _before_flattening(scene: FailureContext, operands: Operands, given: Shape) -> Shape:
    """The shape of what the layer was given: one with more dimensions is brought to rows first."""
    for step, op in inside(scene, operands)[1:2]:
        tensors = scene.timeline.state(step).tensors
        outputs = [tensors[number].shape for number in op.outputs if number in tensors]
        inputs = [tensors[number].shape for number in op.inputs if number in tensors]
        last = inside(scene, operands)[0][1]
        if op.module == last.module and outputs == [given] and inputs and prod(inputs[0]) == prod(given):
            return inputs[0]
    return given


def _linear_fix(given: Given | None, shape: Shape, wanted: int, columns: int) -> list[str]:
    if len(shape) <= 2:
        fit = f"nn.Linear({shape[-1]}, {columns})"
        if given is not None and len(shape) == 2 and shape[0] == wanted:
            return [_("If it lies the wrong way round: {fix} would fit.", fix=transposed(given)),
                    _("A layer for this input is {layer}.", layer=fit)]  # fmt: skip
        one_row = [] if given is None or prod(shape) != wanted else _one_row(given)
        return [*one_row, _("A layer for this input is {layer}.", layer=fit)]
    row = prod(shape[1:])
    if row != wanted == prod(shape) and given is not None:
        return _one_row(given)
    fix = "nn.Flatten()" if given is None else flattened(given)[0]
    if row == wanted:
        if given is None:
            return [_("All but the first dimension in one row are {wanted}: put {fix} before the layer.",
                       wanted=wanted, fix=fix)]  # fmt: skip
        return [_("All but the first dimension in one row are {wanted}: write {fix}.", wanted=wanted, fix=fix)]
    return [
        _("If each sample is to be one row, {fix} makes one of {row} numbers, and the layer for it is {layer}.",
           fix=fix, row=row, layer=f"nn.Linear({row}, {columns})")
    ]  # fmt: skip


def _one_row(given: Given) -> list[str]:
    return [_("All of it in one row fits: {fix}.", fix=f"{enclosed(given.source)}.flatten()")]


def _by_function(scene: FailureContext, factors: list[Given]) -> str:
    """Of `F.linear(x, weight)`, which multiplies by the transposed weight."""
    given, weight = factors
    said = _(
        "`{code}` multiplies by the transposed weight, so the last sizes must be equal: {tensors}.",
        code=scene.code, tensors=listed(factors),
    )  # fmt: skip
    if len(weight.tensor.shape) == 2 and weight.tensor.shape[0] == given.tensor.shape[-1]:
        fix = _("If one of them lies the wrong way round: {fix} would fit.", fix=transposed(weight))
        return sentences([said, fix])
    return said


# ---------------------------------------------------------------- vectors


@mistake(
    "RuntimeError", r"^size mismatch, got input \(\d+\), mat \((?P<rows>\d+)x(?P<columns>\d+)\), vec \((?P<size>\d+)\)"
)
def vector(scene: FailureContext, match: re.Match[str]) -> str:
    factors = sides(scene, Operands(scene))[-2:]
    shapes = [factor.tensor.shape for factor in factors]
    named = shapes == [(int(match["rows"]), int(match["columns"])), (int(match["size"]),)]
    said = _(
        "`{code}` multiplies each row of {matrix} by {vector}: the vector must have {columns} elements, as many as the "
        "matrix has columns, and has {size}.", code=scene.code,
        matrix=described(factors[0]) if named else _("the matrix"),
        vector=described(factors[1]) if named else _("the vector"), columns=match["columns"], size=match["size"],
    )  # fmt: skip
    return sentences([said, *(_wrong_way_round(factors) if named else [])])


@mistake("RuntimeError", r"^inconsistent tensor size, expected tensor \[(?P<a>\d+)\] and src \[(?P<b>\d+)\]")
def vectors(scene: FailureContext, match: re.Match[str]) -> str:
    factors = sides(scene, Operands(scene))[-2:]
    shapes = [factor.tensor.shape for factor in factors]
    named = shapes == [(int(match["a"]),), (int(match["b"]),)]
    return _(
        "`{code}` multiplies two vectors element by element and sums, so they must have the same number of elements: "
        "{tensors}.", code=scene.code, tensors=listed(factors) if named else f"{match['a']}, {match['b']}",
    )  # fmt: skip


@mistake("RuntimeError", r"^1D tensors expected, but got \d+D and \d+D tensors")
def dot_of_matrices(scene: FailureContext, _match: re.Match[str]) -> str | None:
    factors = sides(scene, Operands(scene))
    if len(factors) != 2:
        return None
    said = _("`{code}` takes two vectors, of one dimension each: {tensors}.", code=scene.code, tensors=listed(factors))
    return sentences([said, *_matmul(factors)])


def _matmul(factors: list[Given]) -> list[str]:
    """That `@` takes them, where it does."""
    first, second = factors
    if not _fit(first.tensor.shape, second.tensor.shape):
        return []
    fix = f"{enclosed(first.source)} @ {enclosed(second.source)}"
    return [_("The product of matrices is `{fix}`.", fix=fix)]


# ---------------------------------------------------------------- batches, and numbers of dimensions


@mistake(
    "RuntimeError",
    r"^Expected size for first two dimensions of batch2 tensor to be: \[(?P<batch>\d+), (?P<inner>\d+)\] but got: "
    r"\[(?P<count>\d+), (?P<rows>\d+)\]",
)
def batches_of_matrices(scene: FailureContext, match: re.Match[str]) -> str | None:
    batch, inner, count, rows = (int(match[key]) for key in ("batch", "inner", "count", "rows"))
    operands = Operands(scene)
    if function(scene) == "scaled_dot_product_attention":
        call = called(scene)
        given = [] if call is None else meant(operands, call.args[:2])
        if len(given) != 2 or given[0].tensor.shape[-1] == given[1].tensor.shape[-1]:
            return None
        return _(
            "`{code}` multiplies each query by each key, so their last sizes must be equal: {tensors}.",
            code=scene.code, tensors=listed(given),
        )  # fmt: skip
    factors = sides(scene, operands)[-2:]
    shapes = [factor.tensor.shape for factor in factors]
    if len(shapes) != 2 or shapes[0][-1:] != (inner,) or shapes[1][-2:-1] != (rows,):
        return None
    said = _("`{code}` multiplies matrix by matrix: {tensors}.", code=scene.code, tensors=listed(factors))
    if batch != count:
        more = _("There must be as many in the second as in the first: {batch}, not {count}.", batch=batch, count=count)
        return sentences([said, more])
    more = _("Those of the second must have as many rows as those of the first have columns: {inner}, not {rows}.",
              inner=inner, rows=rows)  # fmt: skip
    return sentences([said, more, *_wrong_way_round(factors)])


@mistake("RuntimeError", r"^batch[12] must be a 3D tensor")
@mistake("RuntimeError", r"^(?:self|mat2) must be a matrix")
@mistake("RuntimeError", r"^(?:vector \+ )?matrix (?:@|\*) vector expected, got")
@mistake("RuntimeError", r"^outer: Expected 1-D argument")
def number_of_dimensions(scene: FailureContext, _match: re.Match[str]) -> str | None:
    wanted = {"bmm": (3, 3), "mm": (2, 2), "mv": (2, 1), "outer": (1, 1)}.get(function(scene))
    factors = sides(scene, Operands(scene))
    if wanted is None or len(factors) != 2:
        return None
    said = _(
        "`{code}` takes a tensor of {first} dimensions and one of {second}: {tensors}.",
        code=scene.code, first=wanted[0], second=wanted[1], tensors=listed(factors),
    )  # fmt: skip
    return sentences([said, *(_matmul(factors) if function(scene) != "outer" else [])])


@mistake("RuntimeError", r"^both arguments to matmul need to be at least 1D")
def product_of_numbers(scene: FailureContext, _match: re.Match[str]) -> str | None:
    factors = sides(scene, Operands(scene))
    if len(factors) != 2:
        return None
    return _(
        "`{code}` is a product of matrices or vectors, and a tensor of shape [] is neither: {tensors}. Multiplied "
        "element by element it is `{fix}`.", code=scene.code, tensors=listed(factors),
        fix=" * ".join(enclosed(factor.source) for factor in factors),
    )  # fmt: skip


@mistake("RuntimeError", r"^inner\(\) the last dimension must match on both input tensors")
@mistake("RuntimeError", r"^X1 and X2 must have the same number of columns")
def last_sizes(scene: FailureContext, _match: re.Match[str]) -> str | None:
    factors = sides(scene, Operands(scene))
    if function(scene) not in ("inner", "cdist") or len(factors) != 2:
        return None
    return _("`{code}` goes along the last dimension of both, so their last sizes must be equal: {tensors}.",
              code=scene.code, tensors=listed(factors))  # fmt: skip


@mistake("RuntimeError", r"^linalg\.\w+: A must be batches of square matrices")
def square(scene: FailureContext, _match: re.Match[str]) -> str | None:
    factors = sides(scene, Operands(scene))
    if not factors or factors[0].tensor.shape[-1:] == factors[0].tensor.shape[-2:-1]:
        return None
    return _("`{code}` takes square matrices, with as many rows as columns: {tensor}.",
              code=scene.code, tensor=described(factors[0]))  # fmt: skip


# ---------------------------------------------------------------- einsum


@mistake(
    "RuntimeError",
    r"^einsum\(\): subscript (?P<letter>\w) has size (?P<size>\d+) for operand (?P<place>\d+) which does not broadcast "
    r"with previously seen size (?P<seen>\d+)",
)
def einsum_sizes(scene: FailureContext, match: re.Match[str]) -> str | None:
    given = _einsum(scene)
    if given is None:
        return None
    return _(
        "In `{code}` the letter {letter} stands for one size wherever it is, and it is {seen} and {size}: {tensors}.",
        code=scene.code, letter=match["letter"], seen=match["seen"], size=match["size"], tensors=listed(given),
    )  # fmt: skip


@mistake(
    "RuntimeError",
    r"^einsum\(\): the number of subscripts in the equation \((?P<letters>\d+)\) does not match the number of "
    r"dimensions \((?P<dims>\d+)\) for operand (?P<place>\d+)",
)
def einsum_letters(scene: FailureContext, match: re.Match[str]) -> str | None:
    given, place = _einsum(scene), int(match["place"])
    if given is None or place >= len(given) or len(given[place].tensor.shape) != int(match["dims"]):
        return None
    return _(
        "`{code}` has {letters} letters for {tensor}, which has {dims} dimensions: it takes one letter for each.",
        code=scene.code, letters=match["letters"], tensor=described(given[place]), dims=match["dims"],
    )  # fmt: skip


@mistake("RuntimeError", r"^einsum\(\): (?:fewer|more) operands were provided than specified in the equation")
def einsum_operands(scene: FailureContext, _match: re.Match[str]) -> str | None:
    call = called(scene)
    equation = call.args[0] if call is not None and call.args else None
    if call is None or not isinstance(equation, ast.Constant) or not isinstance(equation.value, str):
        return None
    letters = equation.value.split("->")[0]
    return _(
        "`{code}` names {count} tensors before the arrow ({letters}), separated by commas, and gets {given}.",
        code=scene.code, count=letters.count(",") + 1, letters=letters, given=len(call.args) - 1,
    )  # fmt: skip


@mistake("RuntimeError", r"^einsum\(\): output subscript (?P<letter>\w) does not appear in the equation")
def einsum_output(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "In `{code}` the letter {letter} is behind the arrow and at no tensor before it, so it has no size.",
        code=scene.code, letter=match["letter"],
    )  # fmt: skip


def _einsum(scene: FailureContext) -> list[Given] | None:
    """The tensors that einsum is given, all of them."""
    call = called(scene)
    if call is None or function(scene) != "einsum":
        return None
    given = meant(Operands(scene), call.args[1:])
    return given if len(given) == len(call.args) - 1 else None
