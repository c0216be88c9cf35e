"""Explain code that cannot run inside `torch.vmap`: it asks a tensor for its numbers, or writes to one outside."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import FailureContext, Operands, mistake, parenthesize, parse_code
from tutor.explain.mistakes.inplace import base_of, write_target
from tutor.i18n import _


@mistake("RuntimeError", r"^vmap: It looks like you're calling \.item\(\) on a Tensor")
def explain_vmap_item(context: FailureContext, _match: re.Match[str]) -> str:
    """Explain "vmap: It looks like you're calling .item() on a Tensor"."""
    problem = _(
        "torch.vmap runs the function once for all rows, so that a tensor in it stands for many numbers, and no plain "
        "number can be taken out of it."
    )
    for node in ast.walk(context.tree):
        if isinstance(node, ast.Subscript):
            return _describe_slice(context, problem, node)
    name = context.receiver_of("item")
    if name is not None and _decides_branch(context, name):
        return sentences([problem, _("Compute both sides and choose with torch.where(condition, a, b).")])
    if name is not None:
        return sentences([problem, _("Compute with {name} itself, without .item().", name=name)])
    return sentences([problem, _("`{code}` asks for one; keep to operations on tensors there.", code=context.code)])


def _decides_branch(context: FailureContext, name: str) -> bool:
    """Return whether an `if` or `while` asks for the number: it cannot ask the tensor either."""
    tests = [
        node.test
        for node in ast.walk(parse_code(context.statement))
        if isinstance(node, ast.If | ast.IfExp | ast.While)
    ]
    nodes = (node for test in tests for node in ast.walk(test))
    return any(isinstance(node, ast.Attribute) and node.attr == "item" and ast.unparse(node.value) == name
               for node in nodes)  # fmt: skip


def _describe_slice(context: FailureContext, problem: str, node: ast.Subscript) -> str:
    """Say how `row[s:s + 2]` is written with a tensor of indices: the bounds of a slice are plain numbers."""
    detail = _("The bounds of the slice `{code}` must be plain numbers.", code=ast.unparse(node))
    bounds = node.slice
    if not isinstance(bounds, ast.Slice) or bounds.step is not None or bounds.upper is None:
        return sentences([problem, detail])
    lower = "0" if bounds.lower is None else ast.unparse(bounds.lower)
    upper = bounds.upper
    if not (isinstance(upper, ast.BinOp) and isinstance(upper.op, ast.Add)):
        return sentences([problem, detail])
    terms = [ast.unparse(upper.left), ast.unparse(upper.right)]
    if lower not in terms:
        return sentences([problem, detail])
    terms.remove(lower)
    length, source = terms[0], parenthesize(ast.unparse(node.value))
    indices = f"{lower} + torch.arange({length})"
    fix = f"{source}.gather(0, {indices})" if _is_vector(context, node.value) else f"{source}[{indices}]"
    return sentences([problem, detail, _("Take the elements by their numbers: `{fix}`.", fix=fix)])


def _is_vector(context: FailureContext, node: ast.expr) -> bool:
    """Return whether the sliced tensor has one dimension inside the function."""
    operands = Operands(context)
    tensor = operands.resolve(node)
    if tensor is not None:
        return len(tensor.shape) == 1
    for call in ast.walk(parse_code(context.statement)):  # a lambda's arguments are those of the call around it
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Call) and call.func.args:
            function = call.func.args[0]
            names = [argument.arg for argument in function.args.args] if isinstance(function, ast.Lambda) else []
            value = dict(zip(names, call.args, strict=False)).get(ast.unparse(node))
            tensor = None if value is None else operands.resolve(value)
            if tensor is not None:
                return len(tensor.shape) == 2
    return False


@mistake("RuntimeError", r"^vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow")
def explain_vmap_control_flow(context: FailureContext, _match: re.Match[str]) -> str:
    """Explain "attempting to use a Tensor in some data-dependent control flow"."""
    problem = _(
        "torch.vmap runs the function once for all rows, so that `{code}` stands for many answers, and Python's if and "
        "while need one.", code=context.code,
    )  # fmt: skip
    branch = next(
        (node for node in ast.walk(parse_code(context.statement)) if isinstance(node, (ast.If, ast.IfExp))), None
    )
    values = None if branch is None else _branch_values(branch)
    if values is None or branch is None:
        return sentences([problem, _("Compute both sides and choose with torch.where(condition, a, b).")])
    fix = f"torch.where({ast.unparse(branch.test)}, {values[0]}, {values[1]})"
    return sentences([problem, _("Compute both sides and choose: `{fix}`.", fix=fix)])


def _branch_values(branch: ast.If | ast.IfExp) -> tuple[str, str] | None:
    """Return the two values that an `if` chooses from; None if it does more."""
    if isinstance(branch, ast.IfExp):
        return ast.unparse(branch.body), ast.unparse(branch.orelse)
    if len(branch.body) != 1 or len(branch.orelse) != 1:
        return None
    first, second = branch.body[0], branch.orelse[0]
    if isinstance(first, ast.Return) and isinstance(second, ast.Return) and first.value and second.value:
        return ast.unparse(first.value), ast.unparse(second.value)
    if isinstance(first, ast.Assign) and isinstance(second, ast.Assign):
        same_target = [ast.unparse(target) for target in first.targets] == [
            ast.unparse(target) for target in second.targets
        ]
        return (ast.unparse(first.value), ast.unparse(second.value)) if same_target else None
    return None


@mistake("RuntimeError", r"^vmap: We do not support batching operators that can support dynamic shape")
def explain_vmap_dynamic_shape(context: FailureContext, _match: re.Match[str]) -> str:
    """Explain "vmap: We do not support batching operators that can support dynamic shape"."""
    return _(
        "torch.vmap runs the function once for all rows, and `{code}` would have another length for each. Keep the "
        "shape: put a neutral number where the condition does not hold, with torch.where(condition, a, 0.0).",
        code=context.code,
    )  # fmt: skip


@mistake("RuntimeError", r"^vmap: called random operation while in randomness error mode")
def explain_vmap_random(context: FailureContext, _match: re.Match[str]) -> str:
    """Explain "vmap: called random operation while in randomness error mode"."""
    return _(
        "`{code}` draws random numbers inside of torch.vmap, which must be told whether each row gets its own "
        "(randomness=\"different\") or all the same (randomness=\"same\").", code=context.code,
    )  # fmt: skip


@mistake(
    "ValueError",
    r"^vmap: Expected all tensors to have the same size in the mapped dimension, got sizes \[(?P<sizes>.*?)\]",
)
def explain_vmap_sizes(context: FailureContext, match: re.Match[str]) -> str:
    """Explain "vmap: Expected all tensors to have the same size in the mapped dimension"."""
    return _(
        "torch.vmap goes along the first dimension of each argument, so all must have the same size there; these have "
        "{sizes}. For an argument that is the same for every row, say None in in_dims: in_dims=(0, None).",
        sizes=match["sizes"],
    )  # fmt: skip


@mistake("RuntimeError", r"^output with shape \[.*?\] doesn't match the broadcast shape")
def explain_vmap_write(context: FailureContext, _match: re.Match[str]) -> str | None:
    """Explain "output with shape [1] doesn't match the broadcast shape [3]" of a write inside `vmap`."""
    target = write_target(context.statement, context.code)
    if target is None or "in vmap_impl" not in context.event.traceback:
        return None
    return _(
        "torch.vmap runs the function once for all rows, and `{code}` writes what there is for each row into {name}, "
        "which is one tensor for all of them. Give it back with return, and write to {name} after torch.vmap.",
        code=context.code, name=ast.unparse(base_of(target)),
    )  # fmt: skip
