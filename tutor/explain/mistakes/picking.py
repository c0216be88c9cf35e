"""Indices by tensors, of gather, scatter and index_select: too large, too many, or of a shape that does not fit."""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.given import Given, Operands, enclosed
from tutor.explain.mistakes.scene import FailureContext, mistake, parsed
from tutor.explain.mistakes.shaped import argument, called, described, function, listed, meant, receiver
from tutor.explain.rules import shape_text
from tutor.explain.words import sentences
from tutor.i18n import _
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
