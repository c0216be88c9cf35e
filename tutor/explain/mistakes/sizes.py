"""Shapes that do not go together: in a product of matrices, element by element, in a gradient that is given."""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.scene import Scene, mistake
from tutor.explain.rules import shape_text
from tutor.explain.words import sentences
from tutor.language import tr


@mistake("RuntimeError", r"^mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)")
def matrices(scene: Scene, match: re.Match[str]) -> str:
    rows, inner, other, columns = (int(size) for size in match.groups())
    sides = _sides(scene, matrices=True)
    if sides is None:
        return tr(
            "`{code}` gets {inner} numbers in each row (shape {shape}), and its weights take {other}. The last size of "
            "the input must be that which the layer was made for.",
            code=scene.code, inner=inner, shape=shape_text((rows, inner)), other=other,
        )  # fmt: skip
    said = tr(
        "`{code}` multiplies shape {first} by shape {second}: the first must have as many columns ({inner}) as the "
        "second has rows ({other}).",
        code=scene.code, first=shape_text((rows, inner)), second=shape_text((other, columns)), inner=inner, other=other,
    )  # fmt: skip
    turned = sides[0] if rows == other else sides[1] if inner == columns else None
    if turned is None:
        return said
    return sentences([said, tr("If one of them lies the wrong way round: {name}.T would fit.", name=turned)])


@mistake(
    "RuntimeError",
    r"^The size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension",
)
def elements(scene: Scene, match: re.Match[str]) -> str:
    shapes = [tensor.shape for side in _sides(scene) or () if (tensor := scene.tensor(side)) is not None]
    which = tr(
        "the shapes {first} and {second}", first=shape_text(shapes[0]), second=shape_text(shapes[1])
    ) if len(shapes) == 2 else tr("the shapes")  # fmt: skip
    return tr(
        "`{code}` works element by element, and {shapes} do not go together: counted from the last dimension, two "
        "sizes must be equal, or one of them 1. Here {a} meets {b}.",
        code=scene.code, shapes=which, a=match[1], b=match[2],
    )  # fmt: skip


@mistake(
    "RuntimeError",
    r"^Mismatch in shape: grad_output\[\d+\] has a shape of torch\.Size\((?P<given>.*?)\) and output\[\d+\] has a "
    r"shape of torch\.Size\((?P<wanted>.*?)\)",
)
def gradient(scene: Scene, match: re.Match[str]) -> str:
    root = scene.roots() or tr("the result")
    return tr(
        "The gradient given to backward says how much each element of {root} counts, so it must have the shape of "
        "{root}: {wanted}, not {given}.", root=root, wanted=match["wanted"], given=match["given"],
    )  # fmt: skip


@mistake("ValueError", r"^only one element tensors can be converted to Python scalars")
def of_tensors(scene: Scene, _: re.Match[str]) -> str | None:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args), None)
    if call is None or not ast.unparse(call.func).endswith("tensor"):
        return None
    return tr(
        "`{code}` makes a tensor of plain numbers, and would take a single number out of each tensor of the list; "
        "these have more. Tensors of one shape are joined by torch.stack({list}), which keeps their history as well.",
        code=scene.code, list=ast.unparse(call.args[0]),
    )  # fmt: skip


@mistake(
    "RuntimeError", r"^function (\w+)Backward returned an incorrect number of gradients \(expected (\d+), got (\d+)\)"
)
def of_function(scene: Scene, match: re.Match[str]) -> str:
    return tr(
        "backward of {name} must return as many gradients as forward takes arguments besides ctx: {expected}, not "
        "{got}. Return one for each argument, in their order, and None for those that need no gradient.",
        name=match[1], expected=match[2], got=match[3],
    )  # fmt: skip


def _sides(scene: Scene, matrices: bool = False) -> tuple[str, str] | None:
    """The two operands of the code that failed, where it shows them."""
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) == matrices:
            return _source(node.left), _source(node.right)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("matmul", "mm"):
            given = node.args if len(node.args) == 2 else [node.func.value, *node.args]
            if len(given) == 2:
                return _source(given[0]), _source(given[1])
    return None


def _source(node: ast.expr) -> str:
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, (ast.BinOp, ast.UnaryOp)) else text
