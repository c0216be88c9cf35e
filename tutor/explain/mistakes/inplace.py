"""Tensors changed in place that must not be: a leaf, or what a node has saved for the way back."""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.scene import Found, Scene, mistake
from tutor.trace.events import Op


@mistake("RuntimeError", r"^a leaf Variable that requires grad is being used in an in-place operation")
def leaf(scene: Scene, _: re.Match[str]) -> str | None:
    name = scene.changed_in_place()
    tensor = None if name is None else scene.tensor(name)
    if name is None or (tensor is not None and not (tensor.is_leaf and tensor.requires_grad)):
        return None
    return (
        f"{name} is a leaf that requires grad, and `{scene.code}` would change it in place, where autograd could not "
        f"follow. To update a parameter, do it inside `with torch.no_grad():`."
    )


@mistake("RuntimeError", r"^a view of a leaf Variable that requires grad is being used in an in-place operation")
def view_of_leaf(scene: Scene, _: re.Match[str]) -> str | None:
    name = scene.changed_in_place()
    if name is None:
        return None
    code = " ".join(scene.statement.split()) or scene.code
    return (
        f"`{code}` writes into {name}, a leaf that requires grad, or into a view of it, where autograd could not "
        f"follow. Set its elements inside `with torch.no_grad():`, or before it requires grad."
    )


@mistake(
    "RuntimeError",
    r"has been modified by an inplace operation: \[(?P<type>\S+)(?: \[(?P<shape>[^\]]*)\])?\].*?"
    r"is at version (?P<now>\d+); expected version (?P<then>\d+)",
)
def saved(scene: Scene, match: re.Match[str]) -> Found | None:
    shape = tuple(int(size) for size in re.findall(r"\d+", match["shape"] or ""))
    changed = _change(scene, shape, int(match["then"]), int(match["now"]))
    if changed is None:
        return None
    step, op = changed
    name = scene.name(op.outputs[0]) or scene.timeline.state(step).tensors[op.outputs[0]].label or "a tensor"
    output = re.search(r"which is output \d+ of (\w+?)(?:Backward\d*)?,", match.string)
    kept = f", which {output[1]} made and keeps" if output is not None else ", which a node has kept"
    return Found(
        f"{scene.where(step)} changed {name} in place{kept} for its gradient: the old values are needed on the way "
        f"back, and they are gone. {_instead(scene, step)}", step,
    )  # fmt: skip


def _change(scene: Scene, shape: tuple[int, ...], then: int, now: int) -> tuple[int, Op] | None:
    """The first in-place operation that took a tensor of this shape past the version that was saved."""
    found = None
    for step, op in scene.operations():
        site = scene.timeline.sites.get(op.site)
        if site is None or not site.inplace or not op.outputs:
            continue
        tensor = scene.timeline.state(step).tensors.get(op.outputs[0])
        if tensor is None or tensor.version is None or tensor.shape != shape:
            continue
        last = scene.state.tensors.get(tensor.tensor)
        if last is not None and last.version != now:
            continue
        if then < tensor.version <= now:
            found = step, op
    return found


def _instead(scene: Scene, step: int) -> str:
    """How to compute the same without changing a tensor."""
    code = (scene.timeline.view(step).code or "").strip()
    try:
        body = ast.parse(code).body
    except SyntaxError:
        body = []
    if len(body) == 1 and isinstance(body[0], ast.AugAssign):
        change = body[0]
        plain = ast.Assign([change.target], ast.BinOp(_load(change.target), change.op, change.value), lineno=1)
        return f"Make a new tensor instead: `{ast.unparse(plain)}`."
    return "Make a new tensor instead of changing that one: the operation of the same name without the underscore does."


def _load(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body
