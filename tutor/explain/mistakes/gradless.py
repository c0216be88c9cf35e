"""`.grad` that is None where a gradient was counted on, and tensors that cannot have one."""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.scene import Scene, mistake
from tutor.language import tr


@mistake("AttributeError", r"^'NoneType' object has no attribute '(?P<name>\w+)'")
def used(scene: Scene, match: re.Match[str]) -> str | None:
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.Attribute) and node.attr == match["name"] and _is_grad(node.value):
            return _grad_is_none(scene, ast.unparse(node.value))
    return None


@mistake("TypeError", r"^unsupported operand type\(s\) for .*'NoneType'")
def reckoned_with(scene: Scene, _: re.Match[str]) -> str | None:
    for node in ast.walk(scene.tree):
        sides: list[ast.expr] = []
        if isinstance(node, ast.BinOp):
            sides = [node.left, node.right]
        elif isinstance(node, ast.AugAssign):
            sides = [node.value]
        for side in sides:
            said = _grad_is_none(scene, ast.unparse(side)) if _is_grad(side) else None
            if said is not None:
                return said
    return None


def _is_grad(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "grad"


def _grad_is_none(scene: Scene, source: str) -> str | None:
    """What is to be said of `w.grad`, if it is None indeed."""
    name = source.removesuffix(".grad")
    tensor = scene.tensor(name)
    if tensor is None or tensor.grad is not None:
        return None
    if not tensor.is_leaf:
        return tr(
            "{grad} is None: {name} is no leaf, it was computed by {node}, and only leaves keep their gradient. If "
            "{name} should be a parameter, it was rebound (as in {rebound}): update it in place inside "
            "`with torch.no_grad():`. Otherwise call {name}.retain_grad() before backward.",
            grad=source, name=name, node=tensor.grad_fn or tr("an operation"), rebound=f"{name} = {name} - …",
        )  # fmt: skip
    if not tensor.requires_grad:
        return tr(
            "{grad} is None: {name} does not require grad. Say requires_grad=True where it is made.",
            grad=source, name=name,
        )  # fmt: skip
    passed = any(info.end_step is not None and info.end_step < scene.step for info in scene.timeline.passes)
    if not passed:
        return tr("{grad} is None: no backward() has run yet. Gradients are there only after it.", grad=source)
    return tr(
        "{grad} is None: no backward pass since it was last cleared has reached {name}. zero_grad() sets it to None "
        "until the next backward(); or the loss was not computed from {name}.", grad=source, name=name,
    )  # fmt: skip


@mistake("RuntimeError", r"^[Oo]nly Tensors of floating point and complex dtype can require gradients")
def whole_numbers(scene: Scene, _: re.Match[str]) -> str:
    constants = [node.value for node in ast.walk(scene.tree) if isinstance(node, ast.Constant)]
    whole = next((value for value in constants if type(value) is int), 1)
    return tr(
        "`{code}` asks for gradients of whole numbers (or truth values), and a derivative needs numbers that can "
        "change a little. Write {number}. instead of {number}, or give dtype=torch.float32.",
        code=scene.code, number=whole,
    )  # fmt: skip


@mistake("RuntimeError", r"^Can't call numpy\(\) on Tensor that requires grad")
def to_numpy(scene: Scene, _: re.Match[str]) -> str:
    return tr(
        "{name} is part of a graph, and an array of NumPy's could not carry that on: what is done to it would be lost "
        "to autograd. {name}.detach().numpy() gives the plain numbers.",
        name=scene.called_on("numpy") or tr("the tensor"),
    )  # fmt: skip
