"""Tensors changed in place that must not be: a leaf, or what a node has saved for the way back."""

from __future__ import annotations

import ast
import re

from tutor.explain.keeping import Kept, broken, touched, what, whose
from tutor.explain.mistakes.scene import Found, Scene, mistake
from tutor.explain.words import joined, sentences
from tutor.language import tr
from tutor.trace.events import Op


@mistake("RuntimeError", r"^a leaf Variable that requires grad is being used in an in-place operation")
def leaf(scene: Scene, _: re.Match[str]) -> str | None:
    name = scene.changed_in_place()
    tensor = None if name is None else scene.tensor(name)
    if name is None or (tensor is not None and not (tensor.is_leaf and tensor.requires_grad)):
        return None
    return tr(
        "{name} is a leaf that requires grad, and `{code}` would change it in place, where autograd could not follow. "
        "To update a parameter, do it inside `with torch.no_grad():`.", name=name, code=scene.code,
    )  # fmt: skip


@mistake("RuntimeError", r"^a view of a leaf Variable that requires grad is being used in an in-place operation")
def view_of_leaf(scene: Scene, _: re.Match[str]) -> str | None:
    name = scene.changed_in_place()
    if name is None:
        return None
    code = " ".join(scene.statement.split()) or scene.code
    return tr(
        "`{code}` writes into {name}, a leaf that requires grad, or into a view of it, where autograd could not "
        "follow. Set its elements inside `with torch.no_grad():`, or before it requires grad.", name=name, code=code,
    )  # fmt: skip


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
    name = scene.name(op.outputs[0]) or scene.timeline.state(step).tensors[op.outputs[0]].label or tr("a tensor")
    keepers = _keepers(scene, step, op)
    nodes = joined(list(dict.fromkeys(whose(scene.state, kept.node, kept.tensor) for kept in keepers)))
    other = next((what(scene.state, kept) for kept in keepers if kept.tensor != op.outputs[0]), None)
    if other is not None:
        name = tr("{view}, and {tensor} with it,", view=name, tensor=other)
    said = tr(
        "{place} changed {name} in place, which {node} has kept for its gradient: the old values are needed on the way "
        "back, and they are gone.", place=scene.where(step), name=name, node=nodes or tr("a node"),
    )  # fmt: skip
    return Found(sentences([said, _instead(scene, step)]), step)


def _change(scene: Scene, shape: tuple[int, ...], then: int, now: int) -> tuple[int, Op] | None:
    """The first in-place operation that took what was saved past its version; where it is not known what was, a tensor
    of this shape."""
    found, likely = None, None
    for step, op in scene.operations():
        site = scene.timeline.sites.get(op.site)
        if site is None or not site.inplace or not op.outputs:
            continue
        tensor = scene.timeline.state(step).tensors.get(op.outputs[0])
        if tensor is None or tensor.version is None or not then < tensor.version <= now:
            continue
        last = scene.state.tensors.get(tensor.tensor)
        if last is not None and last.version != now:
            continue
        if any(kept.version == then for kept in _keepers(scene, step, op)):
            found = step, op
        elif tensor.shape == shape:
            likely = step, op
    return found or likely


def _keepers(scene: Scene, step: int, op: Op) -> list[Kept]:
    """What nodes of the graph that the failed pass went through had kept of what an operation changed."""
    changed = {op.outputs[0], *touched(scene.timeline, step - 1, step)}
    return [one for one in broken(scene.timeline, step - 1, step, changed) if one.node.node in scene.state.shown]


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
        return tr("Make a new tensor instead: `{code}`.", code=ast.unparse(plain))
    return tr(
        "Make a new tensor instead of changing that one: the operation of the same name without the underscore does."
    )


def _load(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body
