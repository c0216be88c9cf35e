"""Explain `backward` and `autograd.grad` called on results that have several elements, no graph, or no such input."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import joined
from tutor.explain.mistakes.context import Diagnosis, FailureContext, mistake, parenthesize, strip_parentheses
from tutor.explain.mistakes.lost_history import ancestors, find_cut
from tutor.explain.rules.arrays import count
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _, ngettext

_MAX_NAMED, _MAX_EXAMINED = 3, 20
"""Maximum parameters named in a sentence, and examined."""


@mistake("RuntimeError", r"^grad can be implicitly created only for scalar outputs")
def explain_non_scalar_backward(context: FailureContext, _match: re.Match[str]) -> str:
    """Explain "grad can be implicitly created only for scalar outputs"."""
    call = next((node for node in ast.walk(context.tree) if isinstance(node, ast.Call)), None)
    is_autograd_grad = call is not None and ast.unparse(call.func).endswith("autograd.grad") and bool(call.args)
    root = ast.unparse(call.args[0]) if call is not None and is_autograd_grad else context.root_name()
    tensor = None if root is None else context.tensor(root)
    if root is None or (call is not None and is_autograd_grad and isinstance(call.args[0], (ast.List, ast.Tuple))):
        return _(
            "A gradient without a weight for each element is that of a single number, and what `{code}` begins at has "
            "several. Make one of it first, by sum() or mean().", code=context.code,
        )  # fmt: skip
    problem = _("{root} has several elements", root=root)
    if tensor:
        problem = _("{root} has {count} elements (shape {shape})", root=root, count=count(tensor.shape),
                   shape=shape_text(tensor.shape))  # fmt: skip
    source = parenthesize(strip_parentheses(root))
    if is_autograd_grad:
        return _(
            "{holds}, and without grad_outputs the gradient is that of a single number. Make one of it first, for "
            "instance {sum} or {mean}, or say how much each element counts by grad_outputs=, a tensor of the same "
            "shape.", holds=problem, sum=f"{source}.sum()", mean=f"{source}.mean()",
        )  # fmt: skip
    return _(
        "{holds}, and backward() without an argument starts from a single number. Make one of it first, for instance "
        "{sum} or {mean}, or say how much each element counts: {weighed} with a tensor of the same shape.",
        holds=problem, sum=f"{source}.sum().backward()", mean=f"{source}.mean().backward()",
        weighed=f"{source}.backward(gradient=…)",
    )  # fmt: skip


@mistake("RuntimeError", r"^element 0 of tensors does not require grad and does not have a grad_fn")
def explain_no_graph(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "element 0 of tensors does not require grad and does not have a grad_fn"."""
    root = context.root_name() or _differentiated_source(context) or _("the result")
    tensor = context.tensor(root)
    backward = context.backward_step()
    serial = (
        tensor.tensor
        if tensor is not None
        else backward[1].roots[0]
        if backward is not None and backward[1].roots
        else 0
    )
    template = _("{root} has no history, so there is nothing to go back through: {why}")
    cut = find_cut(context, serial, context.step)
    if cut is not None:
        return Diagnosis(template.format(root=root, why=cut.why), cut.step)
    frozen = _frozen_parameters(context, serial)
    if frozen is not None:
        return _describe_frozen(context, root, frozen, template)
    why = _(
        "nothing that {root} was computed from requires grad. Say requires_grad=True where the tensors that you want "
        "gradients for are made.", root=root,
    )  # fmt: skip
    return Diagnosis(template.format(root=root, why=why))


def _describe_frozen(context: FailureContext, root: str, frozen: list[int], template: str) -> Diagnosis:
    """Explain a loss computed with parameters that were set to require no grad, and name the statement."""
    steps = {parameter: _step_frozen(context, parameter) for parameter in frozen[:_MAX_EXAMINED]}
    step = steps[frozen[0]]
    line = context.timeline.view(step).line
    names = [
        name
        for parameter, at in steps.items()
        if context.timeline.view(at).line == line and (name := context.name(parameter)) is not None
    ]
    rest_count = len(names) - _MAX_NAMED
    rest_text = [ngettext("{count} more parameter", "{count} more parameters", rest_count)] if rest_count > 0 else []
    shown = [*names[:_MAX_NAMED], *rest_text]
    why = _(
        "it was computed with {names}, which need no gradient since {place}. Leave that out for the parameters that "
        "should be trained.", names=joined(shown), place=context.place_of(step, context.statement_of(step)),
    )  # fmt: skip
    return Diagnosis(template.format(root=root, why=why), step)


def _step_frozen(context: FailureContext, parameter: int) -> int:
    """Return the first step at which a parameter exists and requires no grad."""
    first, last = 0, context.step
    while first < last:
        middle = (first + last) // 2
        tensor = context.timeline.state(middle).tensors.get(parameter)
        first, last = (first, middle) if tensor is not None and not tensor.requires_grad else (middle + 1, last)
    return first


def _frozen_parameters(context: FailureContext, tensor: int) -> list[int] | None:
    """Return the named parameters behind a result, if none of them requires grad any more; else None."""
    inputs = {
        serial for _, op in ancestors(context, tensor, context.step) for serial in op.inputs if serial is not None
    }
    tensors = [context.state.tensors[serial] for serial in sorted(inputs) if serial in context.state.tensors]
    parameters = [serial for serial in tensors if serial.class_name == "Parameter"]
    named = [serial.tensor for serial in parameters if context.name(serial.tensor) is not None]
    return (
        named
        if named and not any(serial.requires_grad for serial in parameters) and _required_grad(context, named[0])
        else None
    )


def _required_grad(context: FailureContext, tensor: int) -> bool:
    """Return whether a tensor required grad when it was made."""
    first, last = 0, context.step
    while first < last:
        middle = (first + last) // 2
        first, last = (first, middle) if tensor in context.timeline.state(middle).tensors else (middle + 1, last)
    return context.timeline.state(first).tensors[tensor].requires_grad


def _differentiated_source(context: FailureContext) -> str | None:
    """Return the source of `y` in `torch.autograd.grad(y, x)`; None for a list or any other code."""
    for node in ast.walk(context.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("autograd.grad") and node.args:
            return None if isinstance(node.args[0], ast.List | ast.Tuple) else ast.unparse(node.args[0])
    return None


@mistake("RuntimeError", r"appears to not have been used in the graph")
def explain_unused_input(context: FailureContext, match: re.Match[str]) -> str | None:
    """Explain "One of the differentiated Tensors appears to not have been used in the graph"."""
    call = next((node for node in ast.walk(context.tree) if isinstance(node, ast.Call) and len(node.args) > 1), None)
    if call is None:
        return None
    result, source = call.args[0], call.args[1]
    index_match = re.search(r"at index (\d+)", match.string)
    if isinstance(source, (ast.List, ast.Tuple)):
        if index_match is None and len(source.elts) != 1:  # older versions of torch do not say which
            return None
        index = 0 if index_match is None else int(index_match[1])
        source = source.elts[index] if index < len(source.elts) else source
    name, root = ast.unparse(source), ast.unparse(result)
    return _(
        "{root} was not computed from {name}, so it has no gradient with respect to it. Was {name} rebound after it "
        "was used, or is another tensor meant? With allow_unused=True the answer is None instead of an error.",
        root=root, name=name,
    )  # fmt: skip
