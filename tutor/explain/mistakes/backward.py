"""Backward called where it cannot go: from many elements, from what has no graph."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import joined
from tutor.explain.mistakes.context import Diagnosis, FailureContext, mistake, parenthesize, strip_parentheses
from tutor.explain.mistakes.lost_history import behind, cut_behind
from tutor.explain.rules.arrays import count
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _, ngettext

_NAMED, _LOOKED_AT = 3, 20
"""So many parameters are named, and looked at."""


@mistake("RuntimeError", r"^grad can be implicitly created only for scalar outputs")
def not_scalar(scene: FailureContext, _match: re.Match[str]) -> str:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call)), None)
    by_grad = call is not None and ast.unparse(call.func).endswith("autograd.grad") and bool(call.args)
    root = ast.unparse(call.args[0]) if call is not None and by_grad else scene.root_name()
    tensor = None if root is None else scene.tensor(root)
    if root is None or (call is not None and by_grad and isinstance(call.args[0], (ast.List, ast.Tuple))):
        return _(
            "A gradient without a weight for each element is that of a single number, and what `{code}` begins at has "
            "several. Make one of it first, by sum() or mean().", code=scene.code,
        )  # fmt: skip
    holds = _("{root} has several elements", root=root)
    if tensor:
        holds = _("{root} has {count} elements (shape {shape})", root=root, count=count(tensor.shape),
                   shape=shape_text(tensor.shape))  # fmt: skip
    called = parenthesize(strip_parentheses(root))
    if by_grad:
        return _(
            "{holds}, and without grad_outputs the gradient is that of a single number. Make one of it first, for "
            "instance {sum} or {mean}, or say how much each element counts by grad_outputs=, a tensor of the same "
            "shape.", holds=holds, sum=f"{called}.sum()", mean=f"{called}.mean()",
        )  # fmt: skip
    return _(
        "{holds}, and backward() without an argument starts from a single number. Make one of it first, for instance "
        "{sum} or {mean}, or say how much each element counts: {weighed} with a tensor of the same shape.",
        holds=holds, sum=f"{called}.sum().backward()", mean=f"{called}.mean().backward()",
        weighed=f"{called}.backward(gradient=…)",
    )  # fmt: skip


@mistake("RuntimeError", r"^element 0 of tensors does not require grad and does not have a grad_fn")
def no_graph(scene: FailureContext, _match: re.Match[str]) -> Diagnosis:
    root = scene.root_name() or _differentiated(scene) or _("the result")
    tensor = scene.tensor(root)
    begun = scene.backward_step()
    number = tensor.tensor if tensor is not None else begun[1].roots[0] if begun is not None and begun[1].roots else 0
    begin = _("{root} has no history, so there is nothing to go back through: {why}")
    found = cut_behind(scene, number, scene.step)
    if found is not None:
        return Diagnosis(begin.format(root=root, why=found.why), found.step)
    frozen = _frozen(scene, number)
    if frozen is not None:
        return _since_frozen(scene, root, frozen, begin)
    why = _(
        "nothing that {root} was computed from requires grad. Say requires_grad=True where the tensors that you want "
        "gradients for are made.", root=root,
    )  # fmt: skip
    return Diagnosis(begin.format(root=root, why=why))


def _since_frozen(scene: FailureContext, root: str, frozen: list[int], begin: str) -> Diagnosis:
    """Of a loss that was computed with parameters that were told to need no gradient: by which statement."""
    since = {one: _off(scene, one) for one in frozen[:_LOOKED_AT]}
    step = since[frozen[0]]
    line = scene.timeline.view(step).line
    names = [
        name
        for one, at in since.items()
        if scene.timeline.view(at).line == line and (name := scene.name(one)) is not None
    ]
    more = len(names) - _NAMED
    rest = [ngettext("{count} more parameter", "{count} more parameters", more)] if more > 0 else []
    shown = [*names[:_NAMED], *rest]
    why = _(
        "it was computed with {names}, which need no gradient since {place}. Leave that out for the parameters that "
        "should be trained.", names=joined(shown), place=scene.place_of(step, scene.statement_of(step)),
    )  # fmt: skip
    return Diagnosis(begin.format(root=root, why=why), step)


def _off(scene: FailureContext, parameter: int) -> int:
    """The step from which on a parameter is there and needs no gradient."""
    low, high = 0, scene.step
    while low < high:
        middle = (low + high) // 2
        held = scene.timeline.state(middle).tensors.get(parameter)
        low, high = (low, middle) if held is not None and not held.requires_grad else (middle + 1, high)
    return low


def _frozen(scene: FailureContext, tensor: int) -> list[int] | None:
    """The parameters that a result was computed with, where there are such and none of them needs a gradient."""
    given = {one for _, op in behind(scene, tensor, scene.step) for one in op.inputs if one is not None}
    held = [scene.state.tensors[one] for one in sorted(given) if one in scene.state.tensors]
    found = [one for one in held if one.class_name == "Parameter"]
    named = [one.tensor for one in found if scene.name(one.tensor) is not None]
    return named if named and not any(one.requires_grad for one in found) and _were_on(scene, named[0]) else None


def _were_on(scene: FailureContext, tensor: int) -> bool:
    """Whether it did need a gradient when it was made."""
    low, high = 0, scene.step
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if tensor in scene.timeline.state(middle).tensors else (middle + 1, high)
    return scene.timeline.state(low).tensors[tensor].requires_grad


def _differentiated(scene: FailureContext) -> str | None:
    """The source of `y` in `torch.autograd.grad(y, x)`."""
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("autograd.grad") and node.args:
            return None if isinstance(node.args[0], ast.List | ast.Tuple) else ast.unparse(node.args[0])
    return None


@mistake("RuntimeError", r"appears to not have been used in the graph")
def unused(scene: FailureContext, match: re.Match[str]) -> str | None:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and len(node.args) > 1), None)
    if call is None:
        return None
    result, wanted = call.args[0], call.args[1]
    place = re.search(r"at index (\d+)", match.string)
    if isinstance(wanted, (ast.List, ast.Tuple)):
        if place is None and len(wanted.elts) != 1:  # older versions of torch do not say which
            return None
        index = 0 if place is None else int(place[1])
        wanted = wanted.elts[index] if index < len(wanted.elts) else wanted
    name, root = ast.unparse(wanted), ast.unparse(result)
    return _(
        "{root} was not computed from {name}, so it has no gradient with respect to it. Was {name} rebound after it "
        "was used, or is another tensor meant? With allow_unused=True the answer is None instead of an error.",
        root=root, name=name,
    )  # fmt: skip
