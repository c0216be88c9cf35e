"""Explain a `.grad` that is None, and tensors that cannot require grad or become NumPy arrays."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import Diagnosis, FailureContext, Operands, mistake, parenthesize, parse_code
from tutor.explain.mistakes.lost_history import find_cut, format_inplace, is_computed_from
from tutor.i18n import _
from tutor.trace.events import Backward
from tutor.trace.index import PassInfo
from tutor.trace.names import names_of
from tutor.trace.state import TensorState
from tutor.trace.timeline import Timeline


@mistake("AttributeError", r"^'NoneType' object has no attribute '(?P<name>\w+)'")
def explain_attribute_of_grad(context: FailureContext, match: re.Match[str]) -> Diagnosis | str | None:
    """Explain "'NoneType' object has no attribute 'zero_'" of `w.grad.zero_()`."""
    for node in ast.walk(context.tree):
        if isinstance(node, ast.Attribute) and node.attr == match["name"] and _is_grad(node.value):
            return _diagnose_none_grad(context, ast.unparse(node.value))
    return None


@mistake("TypeError", r"^unsupported operand type\(s\) for .*'NoneType'")
def explain_arithmetic_with_grad(context: FailureContext, _match: re.Match[str]) -> Diagnosis | str | None:
    """Explain "unsupported operand type(s) for *: 'float' and 'NoneType'" of `lr * w.grad`."""
    for node in ast.walk(context.tree):
        sides: list[ast.expr] = []
        if isinstance(node, ast.BinOp):
            sides = [node.left, node.right]
        elif isinstance(node, ast.AugAssign):
            sides = [node.value]
        for side in sides:
            diagnosis = _diagnose_none_grad(context, ast.unparse(side)) if _is_grad(side) else None
            if diagnosis is not None:
                return diagnosis
    return None


def _is_grad(node: ast.expr) -> bool:
    """Return whether an expression is `….grad`."""
    return isinstance(node, ast.Attribute) and node.attr == "grad"


_MAX_STEPS = 1_000
"""Maximum steps searched for the one that cleared a gradient."""
_CONVERSIONS = (
    "to", "type", "type_as", "double", "float", "half", "bfloat16", "cuda", "cpu", "xpu",
)  # fmt: skip


def _diagnose_none_grad(context: FailureContext, source: str) -> Diagnosis | str | None:
    """Return why `w.grad` is None; None if it is not None, or its tensor is unknown."""
    name = source.removesuffix(".grad")
    tensor = context.tensor(name)
    if tensor is None or tensor.grad is not None:
        return None
    if not tensor.is_leaf:
        return _diagnose_non_leaf(context, source, name, tensor)
    cut = None if tensor.requires_grad else find_cut(context, tensor.tensor, context.step)
    if cut is not None:
        problem = _("{grad} is None: {name} does not require grad. {why}", grad=source, name=name, why=cut.why)
        return Diagnosis(problem, cut.step)
    if not tensor.requires_grad:
        return _(
            "{grad} is None: {name} does not require grad. Say requires_grad=True where it is made.",
            grad=source, name=name,
        )  # fmt: skip
    last_pass = next(
        (info for info in reversed(context.timeline.passes) if (info.end_step or context.step) < context.step), None
    )
    if last_pass is None:
        return _("{grad} is None: no backward() has run yet. Gradients are there only after it.", grad=source)
    return _diagnose_unreached_leaf(context, source, name, tensor.tensor, last_pass)


def _diagnose_unreached_leaf(
    context: FailureContext, source: str, name: str, leaf: int, last_pass: PassInfo
) -> Diagnosis | str:
    """Explain a leaf without a gradient after a pass: it was cleared since, or the pass did not reach it."""
    timeline = context.timeline
    cleared = _step_cleared(timeline, leaf, last_pass.end_step or last_pass.start_step, context.step)
    if cleared is not None:
        problem = _(
            "{grad} is None: {place} cleared it, after the last backward pass. Use gradients between backward() and "
            "zero_grad().", grad=source, place=context.place_of(cleared, context.statement_of(cleared)),
        )  # fmt: skip
        return Diagnosis(problem, cleared)
    event = timeline.event(last_pass.start_step)
    roots = event.roots if isinstance(event, Backward) else []
    cut = next(filter(None, (find_cut(context, root, last_pass.start_step, leaf) for root in roots)), None)
    if cut is not None:
        problem = _(
            "{grad} is None: the last backward pass did not reach {name}. {why}", grad=source, name=name, why=cut.why
        )
        return Diagnosis(problem, cut.step)
    return _(
        "{grad} is None: the last backward pass did not reach {name}; what it began at was not computed from {name}.",
        grad=source, name=name,
    )  # fmt: skip


def _step_cleared(timeline: Timeline, leaf: int, since: int, before: int) -> int | None:
    """Return the step after `since` at which a leaf's gradient was cleared; None if it was not."""
    for step in range(since, min(before, since + _MAX_STEPS)):
        tensor = timeline.state(step).tensors.get(leaf)
        if tensor is None or tensor.grad is None:
            return step if step > since else None
    return None


def _diagnose_non_leaf(context: FailureContext, source: str, name: str, tensor: TensorState) -> Diagnosis:
    """Explain the `.grad` of a computed tensor: which tensor is the leaf, and how this one would be."""
    producer = context.producer(tensor.tensor)
    if producer is None:
        return Diagnosis(_describe_non_leaf(source, name, tensor))
    step, op = producer
    before = context.timeline.state(step - 1)
    statement = parse_code(context.statement_of(step)).body
    assignment = statement[0] if len(statement) == 1 else None
    target = ast.unparse(assignment.targets[0]) if isinstance(assignment, ast.Assign) else None
    value = assignment.value if isinstance(assignment, ast.Assign) else ast.Name(name)
    earlier = before.tensors.get(names_of(before).get(name, 0)) if target == name else None
    site = context.timeline.sites.get(op.site)
    converts = site is not None and site.op in _CONVERSIONS
    inputs = [before.tensors[serial] for serial in op.inputs if serial in before.tensors]
    if earlier is not None and not any(is_computed_from(context, each.tensor, step, earlier.tensor) for each in inputs):
        earlier = None
    if earlier is not None and earlier.requires_grad:
        problem = _(
            "{grad} is None: {name} is no leaf any more. {place} computed it from the earlier {name}, and that is the "
            "leaf, to which the gradient goes.", grad=source, name=name, place=context.place_of(step),
        )  # fmt: skip
    elif converts and target == name and any(each.is_leaf and each.requires_grad for each in inputs):
        problem = _(
            "{grad} is None: {name} is no leaf. {place} computed it from another tensor, and that is the leaf, to "
            "which the gradient goes.", grad=source, name=name, place=context.place_of(step),
        )  # fmt: skip
    else:
        return Diagnosis(_describe_non_leaf(source, name, tensor), step)
    return Diagnosis(sentences([problem, _leaf_fix(name, value, converts)]), step)


def _describe_non_leaf(source: str, name: str, tensor: TensorState) -> str:
    """Say that only leaves keep their gradient, or that no pass has reached the tensor since `retain_grad`."""
    if tensor.retains_grad:
        return _(
            "{grad} is None: {name} keeps its gradient from the backward passes after {name}.retain_grad(), and none "
            "has reached it since.", grad=source, name=name,
        )  # fmt: skip
    return _(
        "{grad} is None: {name} is no leaf, it was computed by {node}, and only leaves keep their gradient. Call "
        "{name}.retain_grad() before backward.", grad=source, name=name, node=tensor.grad_fn or _("an operation"),
    )  # fmt: skip


def _leaf_fix(name: str, value: ast.expr, converts: bool) -> str:
    """Say how the name would refer to a leaf again."""
    fix = f"{name} = {ast.unparse(value)}.detach().requires_grad_()"
    if not isinstance(value, (ast.Call, ast.Name, ast.Attribute, ast.Subscript)):
        fix = f"{name} = ({ast.unparse(value)}).detach().requires_grad_()"
    if converts:
        return _(
            "Make the tensor of the right dtype and on the right device before it requires grad, for instance with "
            "dtype= where it is made, or let the new one be the leaf: `{fix}`.", fix=fix,
        )  # fmt: skip
    if any(_is_grad(node) for node in ast.walk(value) if isinstance(node, ast.expr)):
        return _(
            "A parameter is not rebound but updated in place, inside `with torch.no_grad():`: `{fix}`.",
            fix=format_inplace(name, value),
        )  # fmt: skip
    return _("Give the result another name, or let it be the leaf: `{fix}`.", fix=fix)


@mistake("RuntimeError", r"^[Oo]nly Tensors of floating point (?:and complex )?dtype can require gradients")
def explain_integer_requires_grad(context: FailureContext, _match: re.Match[str]) -> str:
    """Explain "Only Tensors of floating point and complex dtype can require gradients"."""
    constants = [node.value for node in ast.walk(context.tree) if isinstance(node, ast.Constant)]
    number = next((value for value in constants if type(value) is int), None)
    if number is None or context.receiver_of("requires_grad_") is not None:
        return _(
            "`{code}` asks for gradients of whole numbers (or truth values), and a derivative needs numbers that can "
            "change a little. Give dtype=torch.float32 where the tensor is made, or turn it into one with .float() "
            "before.", code=context.code,
        )  # fmt: skip
    return _(
        "`{code}` asks for gradients of whole numbers (or truth values), and a derivative needs numbers that can "
        "change a little. Write {number}. instead of {number}, or give dtype=torch.float32.",
        code=context.code, number=number,
    )  # fmt: skip


@mistake("RuntimeError", r"^Can't call numpy\(\) on Tensor that requires grad")
def explain_numpy_requires_grad(context: FailureContext, _match: re.Match[str]) -> str:
    """Explain "Can't call numpy() on Tensor that requires grad"."""
    sources = (operand.source for operand in Operands(context).all() if operand.tensor.requires_grad)
    name = context.receiver_of("numpy") or next(map(parenthesize, sources), None)
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
