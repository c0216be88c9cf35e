"""How the learner's code would say the same without writing into a tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tutor.explain.mistakes.scene import parsed

_WITHOUT = {
    "zero_", "fill_", "copy_", "normal_", "uniform_", "random_", "bernoulli_", "exponential_", "geometric_", "cauchy_",
    "log_normal_", "set_", "fill_diagonal_", "resize_", "apply_", "map_",
}  # fmt: skip
"""In-place methods that none without the underscore stands for."""


def written(statement: str, code: str) -> ast.expr | None:
    """What a piece of code writes into: `w` of `w -= 1`, `w[0]` of `w[0] = 5`, `x` of `F.relu_(x)` and
    `F.relu(x, inplace=True)`."""
    tree = parsed(statement)
    alone = len(tree.body) == 1 and not hasattr(tree.body[0], "body")
    for change in (*ast.walk(tree), *ast.walk(parsed(code))):
        if isinstance(change, ast.AugAssign) and (alone or _is_of(code, change, change.target)):
            return change.target
        target = change.targets[0] if isinstance(change, ast.Assign) else None
        if not isinstance(change, ast.Assign) or not isinstance(target, ast.Subscript):
            continue
        if _is_of(code, change, target) or (alone and code.strip() == statement.strip()):
            return target
    call = _call(code)
    if call is None:
        return None
    out = next((one.value for one in call.keywords if one.arg == "out"), None)
    if out is not None:
        return out
    name = _name(call)
    if name.endswith("_") and isinstance(call.func, ast.Attribute) and not is_library(call.func.value):
        return call.func.value
    if (name.endswith("_") or _is_inplace(call)) and call.args:
        return call.args[0]
    return None


def _is_of(code: str, change: ast.stmt, target: ast.expr) -> bool:
    """Whether a piece of code is a statement, or its target."""
    body = parsed(code).body
    return len(body) == 1 and ast.unparse(body[0]) in (ast.unparse(target), ast.unparse(change))


def without(statement: str, code: str, *, of_tensor: bool) -> str | None:
    """The same as an operation that gives a new tensor; None where there is none. `of_tensor` says that the target is
    an element of a tensor, where an assignment would write into it too."""
    body = parsed(statement).body
    if len(body) == 1 and isinstance(body[0], ast.AugAssign):
        change = body[0]
        target = ast.unparse(change.target)
        if of_tensor:
            return None
        return ast.unparse(ast.Assign([change.target], ast.BinOp(_load(target), change.op, change.value), lineno=1))
    call = _call(code)
    if call is None or of_tensor:
        return None
    name, given = _name(call), written(statement, code)
    keywords = [one for one in call.keywords if one.arg not in ("out", "inplace")]
    if name in _WITHOUT or given is None or not isinstance(call.func, ast.Attribute | ast.Name):
        return None
    if name.endswith("_"):
        func = ast.parse(ast.unparse(call.func).removesuffix("_"), mode="eval").body
    elif len(keywords) < len(call.keywords):
        func = call.func
    else:
        return None
    told = ast.unparse(ast.Call(func, call.args, keywords))
    if len(keywords) == len(call.keywords):  # as the learner has it
        source = code.strip()
        end = len(ast.get_source_segment(source, call.func) or "")
        told = source[: end - 1] + source[end:] if source[:end].endswith("_") else told
    alone = len(body) == 1 and isinstance(body[0], ast.Expr) and ast.unparse(body[0].value) == ast.unparse(call)
    return f"{ast.unparse(given)} = {told}" if alone and is_path(given) else told


def pieces(code: str, is_it: Iterator[str] | set[str]) -> list[str]:
    """The largest expressions in a piece of code that are one of these names, or an element of it."""
    names = set(is_it)
    found: list[str] = []
    waiting: list[ast.AST] = [parsed(code)]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            text = ast.unparse(node)
            if text in names or ast.unparse(base_of(node)) in names:
                found += [] if text in found else [text]
                continue
        waiting.extend(ast.iter_child_nodes(node))
    return found


def base_of(node: ast.expr) -> ast.expr:
    """`w` of `w[0][1]`."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


def is_path(node: ast.expr) -> bool:
    """Whether one can assign to it: `w`, `self.w`, `outs[0]`."""
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript)


def is_library(node: ast.expr) -> bool:
    """Whether it is a module of torch's, as one writes it."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("torch", "F", "nn", "functional")


def _call(code: str) -> ast.Call | None:
    body = parsed(code.strip()).body
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr | ast.Assign | ast.Return) else None
    return value if isinstance(value, ast.Call) else None


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_inplace(call: ast.Call) -> bool:
    return any(
        one.arg == "inplace" and isinstance(one.value, ast.Constant) and one.value.value is True
        for one in call.keywords
    )


def _load(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body
