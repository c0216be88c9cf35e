"""Explain `backward` and `autograd.grad` called on what has several elements, no graph, or no such input; gradients
that are None, that have the wrong shape, or that cannot be set."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import joined, sentences
from tutor.explain.mistakes.context import (
    FailureContext,
    parenthesize,
    parse_code,
    parse_sizes,
    parse_statement,
    strip_parentheses,
)
from tutor.explain.mistakes.dtypes_and_devices import parse_dtype
from tutor.explain.mistakes.lost_history import ancestors, find_cut, format_inplace, is_computed_from, readings_by_name
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.explain.rules.arrays import count
from tutor.i18n import _, ngettext
from tutor.trace.events import Backward
from tutor.trace.index import PassInfo
from tutor.trace.names import names_of
from tutor.trace.number_format import shape as shape_text
from tutor.trace.state import TensorState
from tutor.trace.timeline import Timeline

_MAX_NAMED, _MAX_EXAMINED = 3, 20
"""Maximum parameters named in a sentence, and examined."""


@mistake("RuntimeError", r"^grad can be implicitly created only for scalar outputs")
def explain_non_scalar_backward(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "grad can be implicitly created only for scalar outputs"."""
    call = next(iter(context.calls), None)
    is_autograd_grad = call is not None and ast.unparse(call.func).endswith("autograd.grad") and bool(call.args)
    root = ast.unparse(call.args[0]) if call is not None and is_autograd_grad else context.root_name()
    tensor = None if root is None else context.tensor(root)
    if root is None or (call is not None and is_autograd_grad and isinstance(call.args[0], (ast.List, ast.Tuple))):
        return Diagnosis(_(
            "A gradient without a weight for each element is that of a single number, and what `{code}` begins at has "
            "several. Make one of it first, by sum() or mean().", code=context.code,
        ))  # fmt: skip
    problem = _("{root} has several elements", root=root)
    if tensor:
        problem = _("{root} has {count} elements (shape {shape})", root=root, count=count(tensor.shape),
                   shape=shape_text(tensor.shape))  # fmt: skip
    source = parenthesize(strip_parentheses(root))
    if is_autograd_grad:
        return Diagnosis(_(
            "{holds}, and without grad_outputs the gradient is that of a single number. Make one of it first, for "
            "instance {sum} or {mean}, or say how much each element counts by grad_outputs=, a tensor of the same "
            "shape.", holds=problem, sum=f"{source}.sum()", mean=f"{source}.mean()",
        ))  # fmt: skip
    return Diagnosis(_(
        "{holds}, and backward() without an argument starts from a single number. Make one of it first, for instance "
        "{sum} or {mean}, or say how much each element counts: {weighed} with a tensor of the same shape.",
        holds=problem, sum=f"{source}.sum().backward()", mean=f"{source}.mean().backward()",
        weighed=f"{source}.backward(gradient=…)",
    ))  # fmt: skip


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
    return context.first_step(lambda state: parameter in state.tensors and not state.tensors[parameter].requires_grad)


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
    step = context.first_step(lambda state: tensor in state.tensors)
    return context.timeline.state(step).tensors[tensor].requires_grad


def _differentiated_source(context: FailureContext) -> str | None:
    """Return the source of `y` in `torch.autograd.grad(y, x)`; None for a list or any other code."""
    for node in ast.walk(context.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("autograd.grad") and node.args:
            return None if isinstance(node.args[0], ast.List | ast.Tuple) else ast.unparse(node.args[0])
    return None


@mistake("RuntimeError", r"appears to not have been used in the graph")
def explain_unused_input(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
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
    return Diagnosis(_(
        "{root} was not computed from {name}, so it has no gradient with respect to it. Was {name} rebound after it "
        "was used, or is another tensor meant? With allow_unused=True the answer is None instead of an error.",
        root=root, name=name,
    ))  # fmt: skip


# ---------------------------------------------------------------- a gradient that is None


@mistake("AttributeError", r"^'NoneType' object has no attribute '(?P<name>\w+)'")
def explain_attribute_of_grad(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "'NoneType' object has no attribute 'zero_'" of `w.grad.zero_()`."""
    for node in ast.walk(context.tree):
        if isinstance(node, ast.Attribute) and node.attr == match["name"] and _is_grad(node.value):
            return _diagnose_none_grad(context, ast.unparse(node.value))
    return None


@mistake("TypeError", r"^unsupported operand type\(s\) for .*'NoneType'")
def explain_arithmetic_with_grad(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
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


def _diagnose_none_grad(context: FailureContext, source: str) -> Diagnosis | None:
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
        return Diagnosis(_(
            "{grad} is None: {name} does not require grad. Say requires_grad=True where it is made.",
            grad=source, name=name,
        ))  # fmt: skip
    last_pass = next(
        (info for info in reversed(context.timeline.passes) if (info.end_step or context.step) < context.step), None
    )
    if last_pass is None:
        return Diagnosis(_(
            "{grad} is None: no backward() has run yet. Gradients are there only after it.", grad=source
        ))  # fmt: skip
    return _diagnose_unreached_leaf(context, source, name, tensor.tensor, last_pass)


def _diagnose_unreached_leaf(
    context: FailureContext, source: str, name: str, leaf: int, last_pass: PassInfo
) -> Diagnosis:
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
    return Diagnosis(_(
        "{grad} is None: the last backward pass did not reach {name}; what it began at was not computed from {name}.",
        grad=source, name=name,
    ))  # fmt: skip


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
    converts = tensor.grad_fn == "ToCopyBackward0"
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
def explain_integer_requires_grad(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "Only Tensors of floating point and complex dtype can require gradients"."""
    constants = [node.value for node in ast.walk(context.tree) if isinstance(node, ast.Constant)]
    number = next((value for value in constants if type(value) is int), None)
    if number is None or context.receiver_of("requires_grad_") is not None:
        return Diagnosis(_(
            "`{code}` asks for gradients of whole numbers (or truth values), and a derivative needs numbers that can "
            "change a little. Give dtype=torch.float32 where the tensor is made, or turn it into one with .float() "
            "before.", code=context.code,
        ))  # fmt: skip
    return Diagnosis(_(
        "`{code}` asks for gradients of whole numbers (or truth values), and a derivative needs numbers that can "
        "change a little. Write {number}. instead of {number}, or give dtype=torch.float32.",
        code=context.code, number=number,
    ))  # fmt: skip


@mistake("RuntimeError", r"^Can't call numpy\(\) on Tensor that requires grad")
def explain_numpy_requires_grad(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "Can't call numpy() on Tensor that requires grad"."""
    sources = (operand.source for operand in context.all_operands() if operand.tensor.requires_grad)
    name = context.receiver_of("numpy") or next(map(parenthesize, sources), None)
    if name is None:
        return Diagnosis(_(
            "A tensor that is part of a graph cannot become an array of NumPy's, which could not carry the graph on. "
            "Its detach().numpy() gives the plain numbers."
        ))  # fmt: skip
    return Diagnosis(_(
        "{name} is part of a graph, and an array of NumPy's could not carry that on: what is done to it would be lost "
        "to autograd. {name}.detach().numpy() gives the plain numbers.",
        name=name,
    ))  # fmt: skip


@mistake("AttributeError", r"^'(?P<kind>NoneType|list|tuple|dict|str)' object has no attribute 'backward'", priority=-1)
def explain_backward_of_non_tensor(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "'NoneType' object has no attribute 'backward'", and the same of lists and tuples."""
    source = context.receiver_of("backward")
    if source is None or source.startswith(("'", '"')):
        return None
    if match["kind"] == "NoneType":
        return Diagnosis(_(
            "{name} is None, and backward() is a method of tensors. Does the function that it comes from return the "
            "loss?", name=source,
        ))  # fmt: skip
    if match["kind"] in ("list", "tuple"):
        return Diagnosis(_(
            "{name} is a {kind}, and backward() is a method of tensors. Make one loss of them: {fix}.",
            name=source, kind=match["kind"], fix=f"sum({source}).backward()",
        ))  # fmt: skip
    return None


@mistake(
    "RuntimeError",
    r"^attempting to assign a gradient of size '\[(?P<given>.*?)\]' to a tensor of size '\[(?P<own>.*?)\]'",
)
def explain_grad_size(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "attempting to assign a gradient of size '[2]' to a tensor of size '[3]'"."""
    return Diagnosis(_(
        "A gradient has a number for each element of its tensor, so it has its shape: {own}, not {given}.",
        own=shape_text(parse_sizes(match["own"])), given=shape_text(parse_sizes(match["given"])),
    ))  # fmt: skip


@mistake("RuntimeError", r"^attempting to assign a gradient with dtype '(?P<given>[\w: ]+)' to a tensor with "
         r"(?:grad_)?dtype '(?P<wanted>[\w: ]+)'")  # fmt: skip
def explain_grad_dtype(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "attempting to assign a gradient with dtype 'double' to a tensor with dtype 'float'"."""
    problem = _("A gradient has the dtype of its tensor: {wanted}, not {given}.",
              wanted=parse_dtype(match["wanted"]), given=parse_dtype(match["given"]))  # fmt: skip
    assignment = _grad_assignment(context)
    if assignment is None:
        return Diagnosis(problem)
    target, value = (ast.unparse(node) for node in (assignment.targets[0], assignment.value))
    owner = target.removesuffix(".grad")
    return Diagnosis(problem, fix=_("Write `{fix}`.", fix=f"{target} = {parenthesize(value)}.to({owner}.dtype)"))


@mistake("TypeError", r"^assigned grad expected to be a Tensor or None but got grad of type (?P<kind>\w+)")
def explain_grad_type(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "assigned grad expected to be a Tensor or None but got grad of type float"."""
    problem = _("A gradient is a tensor or None, not of type {kind}.", kind=match["kind"])
    assignment = _grad_assignment(context)
    if assignment is None:
        return Diagnosis(problem)
    return Diagnosis(problem, fix=_("To clear it write `{fix}`.", fix=f"{ast.unparse(assignment.targets[0])} = None"))


def _grad_assignment(context: FailureContext) -> ast.Assign | None:
    """Return the statement `w.grad = …` that failed; None for any other statement."""
    statement = parse_statement(context.statement)
    if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]).endswith(".grad"):
        return statement
    return None


@mistake("AttributeError", r"^'(?:float|int)' object has no attribute 'backward'")
def explain_backward_of_number(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "'float' object has no attribute 'backward'"."""
    source = context.receiver_of("backward")
    if source is None:
        return None
    if source.endswith(".item()"):
        return Diagnosis(_(
            "{code} is a plain Python number, which has no history. Call backward() on the tensor itself, and keep "
            "item() for printing.", code=source,
        ))  # fmt: skip
    conversion = next(iter(readings_by_name(context, context.step, {source})), None)
    if conversion is not None:
        problem = _(
            "{code} is a plain Python number since {place}, which has no history. Leave that call out, so that {code} "
            "is a tensor, and keep item() for printing.", code=source,
            place=context.place_of(conversion.step, conversion.code),
        )  # fmt: skip
        return Diagnosis(problem, conversion.step)
    return Diagnosis(
        _("{code} is a plain Python number, which has no history. backward() is a method of tensors.", code=source)
    )


@mistake(
    "RuntimeError",
    r"^Mismatch in shape: grad_output\[\d+\] has a shape of torch\.Size\((?P<given>.*?)\) and output\[\d+\] has a "
    r"shape of torch\.Size\((?P<wanted>.*?)\)",
)
def explain_gradient_shape(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Mismatch in shape: grad_output[0] has a shape of [2] and output[0] has a shape of [3]" of `backward`."""
    root = context.root_name() or _("the result")
    return Diagnosis(_(
        "The gradient given to backward says how much each element of {root} counts, so it must have the shape of "
        "{root}: {wanted}, not {given}.", root=root, wanted=match["wanted"], given=match["given"],
    ))  # fmt: skip


@mistake(
    "RuntimeError", r"^function (\w+)Backward returned an incorrect number of gradients \(expected (\d+), got (\d+)\)"
)
def explain_function_gradients(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "function FooBackward returned an incorrect number of gradients" of an `autograd.Function`."""
    return Diagnosis(_(
        "backward of {name} must return as many gradients as forward takes arguments besides ctx: {expected}, not "
        "{got}. Return one for each argument, in their order, and None for those that need no gradient.",
        name=match[1], expected=match[2], got=match[3],
    ))  # fmt: skip
