"""What cannot be done inside of `torch.vmap`: anything that asks a tensor for its numbers."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import FailureContext, Operands, mistake, parenthesize, parse_code
from tutor.explain.mistakes.inplace import base_of, written
from tutor.i18n import _


@mistake("RuntimeError", r"^vmap: It looks like you're calling \.item\(\) on a Tensor")
def taken_out(scene: FailureContext, _match: re.Match[str]) -> str:
    begin = _(
        "torch.vmap runs the function once for all rows, so that a tensor in it stands for many numbers, and no plain "
        "number can be taken out of it."
    )
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.Subscript):
            return _sliced(scene, begin, node)
    name = scene.receiver_of("item")
    if name is not None and _is_decided_by(scene, name):
        return sentences([begin, _("Compute both sides and choose with torch.where(condition, a, b).")])
    if name is not None:
        return sentences([begin, _("Compute with {name} itself, without .item().", name=name)])
    return sentences([begin, _("`{code}` asks for one; keep to operations on tensors there.", code=scene.code)])


def _is_decided_by(scene: FailureContext, name: str) -> bool:
    """Whether an `if` or a `while` asks for the number: it cannot ask the tensor either."""
    tests = [
        node.test for node in ast.walk(parse_code(scene.statement)) if isinstance(node, ast.If | ast.IfExp | ast.While)
    ]
    held = (node for test in tests for node in ast.walk(test))
    return any(isinstance(node, ast.Attribute) and node.attr == "item" and ast.unparse(node.value) == name
               for node in held)  # fmt: skip


def _sliced(scene: FailureContext, begin: str, node: ast.Subscript) -> str:
    """`row[s:s + 2]`: bounds of a slice are plain numbers; numbers of elements may be tensors."""
    said = _("The bounds of the slice `{code}` must be plain numbers.", code=ast.unparse(node))
    bounds = node.slice
    if not isinstance(bounds, ast.Slice) or bounds.step is not None or bounds.upper is None:
        return sentences([begin, said])
    lower = "0" if bounds.lower is None else ast.unparse(bounds.lower)
    upper = bounds.upper
    if not (isinstance(upper, ast.BinOp) and isinstance(upper.op, ast.Add)):
        return sentences([begin, said])
    sides = [ast.unparse(upper.left), ast.unparse(upper.right)]
    if lower not in sides:
        return sentences([begin, said])
    sides.remove(lower)
    length, source = sides[0], parenthesize(ast.unparse(node.value))
    places = f"{lower} + torch.arange({length})"
    fix = f"{source}.gather(0, {places})" if _is_row(scene, node.value) else f"{source}[{places}]"
    return sentences([begin, said, _("Take the elements by their numbers: `{fix}`.", fix=fix)])


def _is_row(scene: FailureContext, node: ast.expr) -> bool:
    """Whether what is sliced has one dimension inside of the function."""
    operands = Operands(scene)
    tensor = operands.resolve(node)
    if tensor is not None:
        return len(tensor.shape) == 1
    for call in ast.walk(parse_code(scene.statement)):  # a lambda's arguments are those of the call around it
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Call) and call.func.args:
            function = call.func.args[0]
            names = [one.arg for one in function.args.args] if isinstance(function, ast.Lambda) else []
            given = dict(zip(names, call.args, strict=False)).get(ast.unparse(node))
            tensor = None if given is None else operands.resolve(given)
            if tensor is not None:
                return len(tensor.shape) == 2
    return False


@mistake("RuntimeError", r"^vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow")
def decided(scene: FailureContext, _match: re.Match[str]) -> str:
    begin = _(
        "torch.vmap runs the function once for all rows, so that `{code}` stands for many answers, and Python's if and "
        "while need one.", code=scene.code,
    )  # fmt: skip
    choice = next((one for one in ast.walk(parse_code(scene.statement)) if isinstance(one, (ast.If, ast.IfExp))), None)
    sides = None if choice is None else _sides(choice)
    if sides is None or choice is None:
        return sentences([begin, _("Compute both sides and choose with torch.where(condition, a, b).")])
    fix = f"torch.where({ast.unparse(choice.test)}, {sides[0]}, {sides[1]})"
    return sentences([begin, _("Compute both sides and choose: `{fix}`.", fix=fix)])


def _sides(choice: ast.If | ast.IfExp) -> tuple[str, str] | None:
    """The two values that an `if` chooses from, where it does no more."""
    if isinstance(choice, ast.IfExp):
        return ast.unparse(choice.body), ast.unparse(choice.orelse)
    if len(choice.body) != 1 or len(choice.orelse) != 1:
        return None
    first, second = choice.body[0], choice.orelse[0]
    if isinstance(first, ast.Return) and isinstance(second, ast.Return) and first.value and second.value:
        return ast.unparse(first.value), ast.unparse(second.value)
    if isinstance(first, ast.Assign) and isinstance(second, ast.Assign):
        same = [ast.unparse(one) for one in first.targets] == [ast.unparse(one) for one in second.targets]
        return (ast.unparse(first.value), ast.unparse(second.value)) if same else None
    return None


@mistake("RuntimeError", r"^vmap: We do not support batching operators that can support dynamic shape")
def of_any_length(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "torch.vmap runs the function once for all rows, and `{code}` would have another length for each. Keep the "
        "shape: put a neutral number where the condition does not hold, with torch.where(condition, a, 0.0).",
        code=scene.code,
    )  # fmt: skip


@mistake("RuntimeError", r"^vmap: called random operation while in randomness error mode")
def random(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "`{code}` draws random numbers inside of torch.vmap, which must be told whether each row gets its own "
        "(randomness=\"different\") or all the same (randomness=\"same\").", code=scene.code,
    )  # fmt: skip


@mistake(
    "ValueError",
    r"^vmap: Expected all tensors to have the same size in the mapped dimension, got sizes \[(?P<sizes>.*?)\]",
)
def mapped_sizes(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "torch.vmap goes along the first dimension of each argument, so all must have the same size there; these have "
        "{sizes}. For an argument that is the same for every row, say None in in_dims: in_dims=(0, None).",
        sizes=match["sizes"],
    )  # fmt: skip


@mistake("RuntimeError", r"^output with shape \[.*?\] doesn't match the broadcast shape")
def written_from_inside(scene: FailureContext, _match: re.Match[str]) -> str | None:
    """Inside of `torch.vmap` alone: what each row would add to is one tensor for all."""
    target = written(scene.statement, scene.code)
    if target is None or "in vmap_impl" not in scene.event.traceback:
        return None
    return _(
        "torch.vmap runs the function once for all rows, and `{code}` writes what there is for each row into {name}, "
        "which is one tensor for all of them. Give it back with return, and write to {name} after torch.vmap.",
        code=scene.code, name=ast.unparse(base_of(target)),
    )  # fmt: skip
