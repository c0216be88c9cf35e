"""Explain what transforms of torch.func, `checkpoint`, forward mode and module hooks run for the learner, and code that
cannot run inside `torch.vmap`."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import FailureContext, StepContext, parenthesize, parse_code
from tutor.explain.mistakes.inplace import base_of, write_target
from tutor.explain.mistakes.registry import Diagnosis, mistake, silent_mistake
from tutor.i18n import N_, _
from tutor.trace.events import Backward, Line, Node

# ---------------------------------------------------------------- what runs for the learner

_PASSES = {
    "torch.func.grad": N_("torch.func.grad runs this pass inside, on stand-ins of its arguments: it writes no .grad"),
    "torch.func.grad_and_value": N_(
        "torch.func.grad_and_value runs this pass inside, on stand-ins of its arguments: it writes no .grad"
    ),
    "torch.func.vjp": N_(
        "torch.func.vjp: calling the function that it returned runs this pass, from the gradient given "
        "to it; it writes no .grad"
    ),
    "torch.func.jacrev": N_(
        "torch.func.jacrev runs one pass for all rows of the Jacobian together, by vmap; it writes no .grad"
    ),
    "torch.func.jacfwd": N_("torch.func.jacfwd works forward, with tangents; this pass belongs to what it was given"),
    "torch.vmap": N_("torch.vmap runs this pass once for the whole batch"),
    "checkpoint": N_(
        "checkpoint has run the forward again, and runs this pass inside the other one, through the graph "
        "which that made"
    ),
}
_FUNCTIONAL = "torch.autograd.functional."

_STAND_INS = {
    "torch.func.grad": N_("torch.func.grad differentiates with respect to a stand-in of the argument, not your tensor"),
    "torch.func.grad_and_value": N_(
        "torch.func.grad_and_value differentiates with respect to a stand-in of the argument, not your tensor"
    ),
    "torch.func.vjp": N_(
        "torch.func.vjp runs the function on a stand-in of the argument, and keeps the graph for later"
    ),
    "torch.func.jacrev": N_("torch.func.jacrev runs the function on a stand-in of the argument, then a pass backward"),
}

_NODES = {
    "CheckpointFunctionBackward": N_(
        "checkpoint had kept only the inputs: the operations before this step ran a second time, during backward"
    ),
    "BackwardHookFunctionBackward": N_("this node does nothing of its own: the backward hooks of a module run here"),
}

_DUALS = {
    "make_dual": N_(
        "forward mode: the result carries a tangent, and so does whatever is computed from it; no pass "
        "backward is needed"
    ),
    "unpack_dual": N_(
        "forward mode: the value, and its tangent, which is the derivative along the tangent of the input"
    ),
}

_SECOND_TIME = N_(
    "checkpoint runs the forward again, as it had kept only the inputs: this is a second time, in the pass"
)


@silent_mistake("backward", priority=2)
def explain_inner_pass(context: StepContext) -> Diagnosis | None:
    """Say which transform runs a backward pass inside."""
    parent = "" if context.site is None else context.site.parent or ""
    if parent.startswith(_FUNCTIONAL):
        text = _("{function} runs this pass inside, to give back what it finds; it writes no .grad", function=parent)
        return Diagnosis(text, role="quiet")
    return _note(_PASSES.get(parent))


@silent_mistake("op", priority=2)
def explain_transform_operation(context: StepContext) -> Diagnosis | None:
    """Say what an operation of forward mode gives, or that a transform works on a stand-in."""
    site = context.site
    if site is None or site.op != "requires_grad_":
        return None if site is None else _note(_DUALS.get(site.op or ""))
    return _note(_STAND_INS.get(site.parent or "")) if site.depth else None


@silent_mistake("node", priority=2)
def explain_helper_node(context: StepContext) -> Diagnosis | None:
    """Say what a node of `checkpoint` or of module hooks does."""
    node = context.state.nodes.get(context.event.node) if isinstance(context.event, Node) else None
    return None if node is None else _note(_NODES.get(node.name))


def _note(text: str | None) -> Diagnosis | None:
    """Return a note with a text that is still to be translated; None for none."""
    return None if text is None else Diagnosis(_(text), role="quiet")


@silent_mistake("line", priority=2)
def explain_second_forward(context: StepContext) -> Diagnosis | None:
    """Say that a function runs a second time, at its first statement inside a backward pass."""
    event, timeline = context.event, context.timeline
    current_pass = timeline.pass_of(context.step)
    if current_pass is None or not any("checkpoint" in source.text for source in timeline.sources.values()):
        return None
    frames, pass_start = context.before.frames, timeline.event(current_pass.start_step)
    if len(frames) < 2 or not isinstance(pass_start, Backward) or frames[-2].frame != pass_start.frame:
        return None
    if not isinstance(event, Line) or frames[-1].frame != event.frame or frames[-1].site is not None:
        return None  # not the first of its frame
    first_step = timeline.columns.sites.index(event.site) + 1
    return _note(_SECOND_TIME) if first_step < context.step and timeline.pass_of(first_step) is None else None


# ---------------------------------------------------------------- what cannot run inside vmap


@mistake("RuntimeError", r"^vmap: It looks like you're calling \.item\(\) on a Tensor")
def explain_vmap_item(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
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
        return Diagnosis(problem, fix=_("Compute both sides and choose with torch.where(condition, a, b)."))
    if name is not None:
        return Diagnosis(problem, fix=_("Compute with {name} itself, without .item().", name=name))
    return Diagnosis(problem, fix=_("`{code}` asks for one; keep to operations on tensors there.", code=context.code))


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


def _describe_slice(context: FailureContext, problem: str, node: ast.Subscript) -> Diagnosis:
    """Say how `row[s:s + 2]` is written with a tensor of indices: the bounds of a slice are plain numbers."""
    detail = _("The bounds of the slice `{code}` must be plain numbers.", code=ast.unparse(node))
    bounds = node.slice
    if not isinstance(bounds, ast.Slice) or bounds.step is not None or bounds.upper is None:
        return Diagnosis(problem, fix=detail)
    lower = "0" if bounds.lower is None else ast.unparse(bounds.lower)
    upper = bounds.upper
    if not (isinstance(upper, ast.BinOp) and isinstance(upper.op, ast.Add)):
        return Diagnosis(problem, fix=detail)
    terms = [ast.unparse(upper.left), ast.unparse(upper.right)]
    if lower not in terms:
        return Diagnosis(problem, fix=detail)
    terms.remove(lower)
    length, source = terms[0], parenthesize(ast.unparse(node.value))
    indices = f"{lower} + torch.arange({length})"
    fix = f"{source}.gather(0, {indices})" if _is_vector(context, node.value) else f"{source}[{indices}]"
    return Diagnosis(problem, fix=sentences([detail, _("Take the elements by their numbers: `{fix}`.", fix=fix)]))


def _is_vector(context: FailureContext, node: ast.expr) -> bool:
    """Return whether the sliced tensor has one dimension inside the function."""
    tensor = context.resolve(node)
    if tensor is not None:
        return len(tensor.shape) == 1
    for call in ast.walk(parse_code(context.statement)):  # a lambda's arguments are those of the call around it
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Call) and call.func.args:
            function = call.func.args[0]
            names = [argument.arg for argument in function.args.args] if isinstance(function, ast.Lambda) else []
            value = dict(zip(names, call.args, strict=False)).get(ast.unparse(node))
            tensor = None if value is None else context.resolve(value)
            if tensor is not None:
                return len(tensor.shape) == 2
    return False


@mistake("RuntimeError", r"^vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow")
def explain_vmap_control_flow(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
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
        return Diagnosis(problem, fix=_("Compute both sides and choose with torch.where(condition, a, b)."))
    fix = f"torch.where({ast.unparse(branch.test)}, {values[0]}, {values[1]})"
    return Diagnosis(problem, fix=_("Compute both sides and choose: `{fix}`.", fix=fix))


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
def explain_vmap_dynamic_shape(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "vmap: We do not support batching operators that can support dynamic shape"."""
    return Diagnosis(_(
        "torch.vmap runs the function once for all rows, and `{code}` would have another length for each. Keep the "
        "shape: put a neutral number where the condition does not hold, with torch.where(condition, a, 0.0).",
        code=context.code,
    ))  # fmt: skip


@mistake("RuntimeError", r"^vmap: called random operation while in randomness error mode")
def explain_vmap_random(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "vmap: called random operation while in randomness error mode"."""
    return Diagnosis(_(
        "`{code}` draws random numbers inside of torch.vmap, which must be told whether each row gets its own "
        "(randomness=\"different\") or all the same (randomness=\"same\").", code=context.code,
    ))  # fmt: skip


@mistake(
    "ValueError",
    r"^vmap: Expected all tensors to have the same size in the mapped dimension, got sizes \[(?P<sizes>.*?)\]",
)
def explain_vmap_sizes(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "vmap: Expected all tensors to have the same size in the mapped dimension"."""
    return Diagnosis(_(
        "torch.vmap goes along the first dimension of each argument, so all must have the same size there; these have "
        "{sizes}. For an argument that is the same for every row, say None in in_dims: in_dims=(0, None).",
        sizes=match["sizes"],
    ))  # fmt: skip


@mistake("RuntimeError", r"^output with shape \[.*?\] doesn't match the broadcast shape")
def explain_vmap_write(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "output with shape [1] doesn't match the broadcast shape [3]" of a write inside `vmap`."""
    target = write_target(context.statement, context.code)
    if target is None or "in vmap_impl" not in context.event.traceback:
        return None
    return Diagnosis(_(
        "torch.vmap runs the function once for all rows, and `{code}` writes what there is for each row into {name}, "
        "which is one tensor for all of them. Give it back with return, and write to {name} after torch.vmap.",
        code=context.code, name=ast.unparse(base_of(target)),
    ))  # fmt: skip
