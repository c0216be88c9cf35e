"""`.grad` that is None where a gradient was counted on, and tensors that cannot have one."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import Diagnosis, FailureContext, Operands, mistake, parenthesize, parse_code
from tutor.explain.mistakes.lost_history import cut_behind, in_place, leads_to
from tutor.i18n import _
from tutor.trace.events import Backward
from tutor.trace.index import PassInfo
from tutor.trace.names import names_of
from tutor.trace.state import TensorState
from tutor.trace.timeline import Timeline


@mistake("AttributeError", r"^'NoneType' object has no attribute '(?P<name>\w+)'")
def used(scene: FailureContext, match: re.Match[str]) -> Diagnosis | str | None:
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.Attribute) and node.attr == match["name"] and _is_grad(node.value):
            return _grad_is_none(scene, ast.unparse(node.value))
    return None


@mistake("TypeError", r"^unsupported operand type\(s\) for .*'NoneType'")
def reckoned_with(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | str | None:
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


_FARTHEST = 1_000
"""So many steps it is looked for where a gradient was cleared."""
_CONVERSIONS = (
    "to", "type", "type_as", "double", "float", "half", "bfloat16", "cuda", "cpu", "xpu",
)  # fmt: skip


def _grad_is_none(scene: FailureContext, source: str) -> Diagnosis | str | None:
    """What is to be said of `w.grad`, if it is None indeed."""
    name = source.removesuffix(".grad")
    tensor = scene.tensor(name)
    if tensor is None or tensor.grad is not None:
        return None
    if not tensor.is_leaf:
        return _no_leaf(scene, source, name, tensor)
    cut = None if tensor.requires_grad else cut_behind(scene, tensor.tensor, scene.step)
    if cut is not None:
        said = _("{grad} is None: {name} does not require grad. {why}", grad=source, name=name, why=cut.why)
        return Diagnosis(said, cut.step)
    if not tensor.requires_grad:
        return _(
            "{grad} is None: {name} does not require grad. Say requires_grad=True where it is made.",
            grad=source, name=name,
        )  # fmt: skip
    last = next((info for info in reversed(scene.timeline.passes) if (info.end_step or scene.step) < scene.step), None)
    if last is None:
        return _("{grad} is None: no backward() has run yet. Gradients are there only after it.", grad=source)
    return _not_there(scene, source, name, tensor.tensor, last)


def _not_there(scene: FailureContext, source: str, name: str, leaf: int, last: PassInfo) -> Diagnosis | str:
    """Of a leaf without a gradient, though a pass has run: it was cleared since, or it was not reached."""
    timeline = scene.timeline
    cleared = _cleared(timeline, leaf, last.end_step or last.start_step, scene.step)
    if cleared is not None:
        said = _(
            "{grad} is None: {place} cleared it, after the last backward pass. Use gradients between backward() and "
            "zero_grad().", grad=source, place=scene.place_of(cleared, scene.statement_of(cleared)),
        )  # fmt: skip
        return Diagnosis(said, cleared)
    event = timeline.event(last.start_step)
    roots = event.roots if isinstance(event, Backward) else []
    cut = next(filter(None, (cut_behind(scene, root, last.start_step, leaf) for root in roots)), None)
    if cut is not None:
        said = _(
            "{grad} is None: the last backward pass did not reach {name}. {why}", grad=source, name=name, why=cut.why
        )
        return Diagnosis(said, cut.step)
    return _(
        "{grad} is None: the last backward pass did not reach {name}; what it began at was not computed from {name}.",
        grad=source, name=name,
    )  # fmt: skip


def _cleared(timeline: Timeline, leaf: int, since: int, before: int) -> int | None:
    """The step at which a leaf's gradient, there at step `since`, was taken away."""
    for step in range(since, min(before, since + _FARTHEST)):
        held = timeline.state(step).tensors.get(leaf)
        if held is None or held.grad is None:
            return step if step > since else None
    return None


def _no_leaf(scene: FailureContext, source: str, name: str, tensor: TensorState) -> Diagnosis:
    """What is to be said of the `.grad` of what was computed: which is the leaf, and how it would be this."""
    made = scene.producer(tensor.tensor)
    if made is None:
        return Diagnosis(_computed(source, name, tensor))
    step, op = made
    before = scene.timeline.state(step - 1)
    statement = parse_code(scene.statement_of(step)).body
    change = statement[0] if len(statement) == 1 else None
    target = ast.unparse(change.targets[0]) if isinstance(change, ast.Assign) else None
    value = change.value if isinstance(change, ast.Assign) else ast.Name(name)
    earlier = before.tensors.get(names_of(before).get(name, 0)) if target == name else None
    site = scene.timeline.sites.get(op.site)
    converts = site is not None and site.op in _CONVERSIONS
    given = [before.tensors[number] for number in op.inputs if number in before.tensors]
    if earlier is not None and not any(leads_to(scene, one.tensor, step, earlier.tensor) for one in given):
        earlier = None
    if earlier is not None and earlier.requires_grad:
        said = _(
            "{grad} is None: {name} is no leaf any more. {place} computed it from the earlier {name}, and that is the "
            "leaf, to which the gradient goes.", grad=source, name=name, place=scene.place_of(step),
        )  # fmt: skip
    elif converts and target == name and any(one.is_leaf and one.requires_grad for one in given):
        said = _(
            "{grad} is None: {name} is no leaf. {place} computed it from another tensor, and that is the leaf, to "
            "which the gradient goes.", grad=source, name=name, place=scene.place_of(step),
        )  # fmt: skip
    else:
        return Diagnosis(_computed(source, name, tensor), step)
    return Diagnosis(sentences([said, _leaf_again(name, value, converts)]), step)


def _computed(source: str, name: str, tensor: TensorState) -> str:
    if tensor.retains_grad:
        return _(
            "{grad} is None: {name} keeps its gradient from the backward passes after {name}.retain_grad(), and none "
            "has reached it since.", grad=source, name=name,
        )  # fmt: skip
    return _(
        "{grad} is None: {name} is no leaf, it was computed by {node}, and only leaves keep their gradient. Call "
        "{name}.retain_grad() before backward.", grad=source, name=name, node=tensor.grad_fn or _("an operation"),
    )  # fmt: skip


def _leaf_again(name: str, value: ast.expr, converts: bool) -> str:
    """How the name would be that of a leaf."""
    mend = f"{name} = {ast.unparse(value)}.detach().requires_grad_()"
    if not isinstance(value, (ast.Call, ast.Name, ast.Attribute, ast.Subscript)):
        mend = f"{name} = ({ast.unparse(value)}).detach().requires_grad_()"
    if converts:
        return _(
            "Make the tensor of the right dtype and on the right device before it requires grad, for instance with "
            "dtype= where it is made, or let the new one be the leaf: `{mend}`.", mend=mend,
        )  # fmt: skip
    if any(_is_grad(node) for node in ast.walk(value) if isinstance(node, ast.expr)):
        return _(
            "A parameter is not rebound but updated in place, inside `with torch.no_grad():`: `{mend}`.",
            mend=in_place(name, value),
        )  # fmt: skip
    return _("Give the result another name, or let it be the leaf: `{mend}`.", mend=mend)


@mistake("RuntimeError", r"^[Oo]nly Tensors of floating point (?:and complex )?dtype can require gradients")
def whole_numbers(scene: FailureContext, _match: re.Match[str]) -> str:
    constants = [node.value for node in ast.walk(scene.tree) if isinstance(node, ast.Constant)]
    whole = next((value for value in constants if type(value) is int), None)
    if whole is None or scene.receiver_of("requires_grad_") is not None:
        return _(
            "`{code}` asks for gradients of whole numbers (or truth values), and a derivative needs numbers that can "
            "change a little. Give dtype=torch.float32 where the tensor is made, or turn it into one with .float() "
            "before.", code=scene.code,
        )  # fmt: skip
    return _(
        "`{code}` asks for gradients of whole numbers (or truth values), and a derivative needs numbers that can "
        "change a little. Write {number}. instead of {number}, or give dtype=torch.float32.",
        code=scene.code, number=whole,
    )  # fmt: skip


@mistake("RuntimeError", r"^Can't call numpy\(\) on Tensor that requires grad")
def to_numpy(scene: FailureContext, _match: re.Match[str]) -> str:
    given = (one.source for one in Operands(scene).all() if one.tensor.requires_grad)
    name = scene.receiver_of("numpy") or next(map(parenthesize, given), None)
    if name is None:
        return _(
            "A tensor that is part of a graph cannot become an array of NumPy's, which could not carry the graph on. "
            "Its detach().numpy() gives the plain numbers."
        )
    return _(
        "{name} is part of a graph, and an array of NumPy's could not carry that on: what is done to it would be lost "
        "to autograd. {name}.detach().numpy() gives the plain numbers.",
        name=name,
    )  # fmt: skip
