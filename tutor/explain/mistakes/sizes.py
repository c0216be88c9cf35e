"""Shapes that do not go together element by element, in a gradient that is given, and in a list of tensors."""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.given import Given, Operands, enclosed
from tutor.explain.mistakes.scene import FailureContext, mistake
from tutor.explain.mistakes.shaped import broadcast, expression, function, listed, sides, transposed
from tutor.explain.rules import shape_text
from tutor.explain.words import sentences
from tutor.i18n import _


@mistake(
    "RuntimeError",
    r"^The size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)",
)
def elements(scene: FailureContext, match: re.Match[str]) -> str:
    operands = Operands(scene)
    tensors, begin = sides(scene, operands), {"code": scene.code, "a": match[1], "b": match[2]}
    pairs = [(first, second) for place, first in enumerate(tensors) for second in tensors[place + 1 :]]
    sizes, place = {int(match[1]), int(match[2])}, int(match[3])
    pair = next((pair for pair in pairs if _meet(*pair, place) == sizes), None)
    if _calls_a_module(scene, operands):
        return _(
            "Inside of `{code}`, two tensors meet element by element whose shapes do not go together: counted from the "
            "last dimension, two sizes must be equal, or one of them 1. Here {a} meets {b}.", **begin,
        )  # fmt: skip
    if _multiplies(scene):
        return _(
            "`{code}` multiplies two batches of matrices{tensors}: in front of the last two, counted from the last "
            "dimension, sizes must be equal, or one of them 1. Here {a} meets {b}.",
            tensors="" if len(tensors) != 2 else _(", {tensors}", tensors=listed(tensors)), **begin,
        )  # fmt: skip
    said = _(
        "`{code}` works element by element, and {shapes} do not go together: counted from the last dimension, two "
        "sizes must be equal, or one of them 1. Here {a} meets {b}.",
        shapes=_("the shapes") if pair is None else listed(pair), **begin,
    )  # fmt: skip
    if pair is None or not isinstance(expression(scene), ast.BinOp):
        return said  # a loss is not to spread one over the other, and what is changed in place keeps its shape
    return sentences([said, *_fitting(*pair)])


def _calls_a_module(scene: FailureContext, operands: Operands) -> bool:
    """Whether the code is a call of a module with parameters, in which the tensors met."""
    call = expression(scene)
    source = ast.unparse(call.func) if isinstance(call, ast.Call) else None
    return source is not None and any(name.startswith((f"{source}.", f"{source}[")) for name in operands.names)


def _meet(first: Given, second: Given, place: int) -> set[int]:
    """The sizes of two tensors that meet in a dimension of what they would give."""
    width = max(len(given.tensor.shape) for given in (first, second))
    sizes = set()
    for given in (first, second):
        own = place - (width - len(given.tensor.shape))
        sizes.add(given.tensor.shape[own] if 0 <= own < len(given.tensor.shape) else 1)
    return sizes


def _multiplies(scene: FailureContext) -> bool:
    failing = expression(scene)
    return function(scene) == "matmul" or (isinstance(failing, ast.BinOp) and isinstance(failing.op, ast.MatMult))


def _fitting(first: Given, second: Given) -> list[str]:
    """How the smaller of two tensors would go with the other, where that is in one way only."""
    if len(first.tensor.shape) == len(second.tensor.shape):
        if len(first.tensor.shape) == 2 and first.tensor.shape == second.tensor.shape[::-1]:
            fix = transposed(second)
            return [_("If one of them lies the wrong way round: {fix} would fit.", fix=fix)]
        return []
    small, large = sorted((first, second), key=lambda given: len(given.tensor.shape))
    shape, places = small.tensor.shape, []
    for place in range(1, len(large.tensor.shape)):
        wide = (*shape[:place], 1, *shape[place:])
        if len(wide) == len(large.tensor.shape) and broadcast(wide, large.tensor.shape) == large.tensor.shape:
            places.append((place, wide))
    if len(places) != 1:
        return []
    place, wide = places[0]
    fix = f"{enclosed(small.source)}.unsqueeze({place})"
    return [_("If the dimensions of {name} are those in front: {fix} has shape {shape}, which fits.",
               name=small.source, fix=fix, shape=shape_text(wide))]  # fmt: skip


@mistake(
    "RuntimeError",
    r"^Mismatch in shape: grad_output\[\d+\] has a shape of torch\.Size\((?P<given>.*?)\) and output\[\d+\] has a "
    r"shape of torch\.Size\((?P<wanted>.*?)\)",
)
def gradient(scene: FailureContext, match: re.Match[str]) -> str:
    root = scene.roots() or _("the result")
    return _(
        "The gradient given to backward says how much each element of {root} counts, so it must have the shape of "
        "{root}: {wanted}, not {given}.", root=root, wanted=match["wanted"], given=match["given"],
    )  # fmt: skip


@mistake("ValueError", r"^only one element tensors can be converted to Python scalars")
def of_tensors(scene: FailureContext, _match: re.Match[str]) -> str | None:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args), None)
    if call is None or not ast.unparse(call.func).endswith("tensor"):
        return None
    return _(
        "`{code}` makes a tensor of plain numbers, and would take a single number out of each tensor of the list; "
        "these have more. Tensors of one shape are joined by torch.stack({list}), which keeps their history as well.",
        code=scene.code, list=ast.unparse(call.args[0]),
    )  # fmt: skip


@mistake(
    "RuntimeError", r"^function (\w+)Backward returned an incorrect number of gradients \(expected (\d+), got (\d+)\)"
)
def of_function(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "backward of {name} must return as many gradients as forward takes arguments besides ctx: {expected}, not "
        "{got}. Return one for each argument, in their order, and None for those that need no gradient.",
        name=match[1], expected=match[2], got=match[3],
    )  # fmt: skip
