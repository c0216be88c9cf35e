"""Explain in-place writes that torch refuses because of the tensor they would write to.

Covers leaves and views of leaves, one of several views, views made under `no_grad`, inference tensors, expanded tensors
whose elements share memory, results that would grow, views detached, and outputs of a module with a full backward hook.
"""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import FailureContext, parenthesize, parse_code, parse_sizes
from tutor.explain.mistakes.inplace import base_of, is_assignable, is_library, out_of_place, write_target
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.i18n import _
from tutor.trace.names import names_of
from tutor.trace.number_format import shape as shape_text
from tutor.trace.state import TensorState


@mistake("RuntimeError", r"^a leaf Variable that requires grad is being used in an in-place operation")
def explain_leaf_write(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "a leaf Variable that requires grad is being used in an in-place operation"."""
    target = _write_target(context)
    if target is None:
        return _describe_inplace_layer(context)
    name, tensor = ast.unparse(target), _named_tensor(context, target)
    if tensor is None or not (tensor.is_leaf and tensor.requires_grad):
        return None
    problem = _(
        "{name} is a leaf that requires grad, and `{code}` would change it in place, where autograd could not follow.",
        name=name, code=context.code,
    )  # fmt: skip
    replacement = (
        out_of_place(context.statement, context.code, of_tensor=False) if _is_torch_function(context.code) else None
    )
    if replacement is not None:
        return Diagnosis(problem, fix=_("Make a new tensor instead: `{code}`.", code=replacement))
    return Diagnosis(problem, fix=_("To update a parameter, do it inside `with torch.no_grad():`."))


def _is_torch_function(code: str) -> bool:
    """Return whether the code calls a function of torch: `F.relu_(x)`, not `x.relu_()`."""
    call = next((node for node in ast.walk(parse_code(code)) if isinstance(node, ast.Call)), None)
    return call is not None and isinstance(call.func, ast.Attribute) and is_library(call.func.value)


def _describe_inplace_layer(context: FailureContext) -> Diagnosis | None:
    """Explain a layer with `inplace=True` that is called with the leaf itself; None for any other code."""
    call = next(iter(context.calls), None)
    leaves = [
        ast.unparse(argument)
        for argument in (call.args if call is not None else ())
        if (tensor := _named_tensor(context, argument)) is not None and tensor.is_leaf and tensor.requires_grad
    ]
    if call is None or len(leaves) != 1:
        return None
    arguments = [
        ast.parse(f"{leaves[0]}.clone()", mode="eval").body if ast.unparse(argument) == leaves[0] else argument
        for argument in call.args
    ]
    return Diagnosis(_(
        "{name} is a leaf that requires grad, and `{code}` would change it in place (by a layer with inplace=True), "
        "where autograd could not follow. Leave inplace=True out there, or give it a copy: `{copy}`.",
        name=leaves[0], code=context.code, copy=ast.unparse(ast.Call(call.func, arguments, call.keywords)),
    ))  # fmt: skip


@mistake("RuntimeError", r"^a view of a leaf Variable that requires grad is being used in an in-place operation")
def explain_leaf_view_write(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "a view of a leaf Variable that requires grad is being used in an in-place operation"."""
    target = _write_target(context)
    if target is None:
        return None
    name = ast.unparse(base_of(target))
    leaf = _base_leaf(context, target)
    if leaf is None:
        return None
    code = " ".join(context.statement.split()) or context.code
    if name == leaf:
        target_text = _("{name}, a leaf that requires grad", name=name)
    else:
        target_text = _("{name}, a view of {leaf}, which is a leaf that requires grad", name=name, leaf=leaf)
    return Diagnosis(_(
        "`{code}` writes into {into}, where autograd could not follow. Set its elements inside "
        "`with torch.no_grad():`, or before it requires grad.", code=code, into=target_text,
    ))  # fmt: skip


def _base_leaf(context: FailureContext, node: ast.expr) -> str | None:
    """Return the leaf that an expression is a view of: `w` of `w[0]`, `w.view(-1)` and `v`; None if unknown."""
    while True:
        tensor = _named_tensor(context, node)
        if tensor is not None and tensor.is_leaf and tensor.requires_grad:
            return ast.unparse(node)
        if tensor is not None:
            sharing = (other for other in context.state.tensors.values() if other.storage == tensor.storage)
            leaf = next((other for other in sharing if other.is_leaf and other.requires_grad), None)
            return None if leaf is None else context.name(leaf.tensor)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        elif isinstance(node, ast.Subscript | ast.Attribute):
            node = node.value
        else:
            return None


@mistake(
    "RuntimeError", r"is a view and is being modified inplace\. This view is the output of a function that returns"
)
def explain_multi_view_write(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "This view is the output of a function that returns multiple views" of an in-place write."""
    target = _write_target(context)
    call = next(iter(context.calls), None)
    written = target if target is not None else call.args[0] if call is not None and call.args else None
    if written is None:
        return None
    name = ast.unparse(base_of(written))
    tensor = _named_tensor(context, base_of(written))
    origin, step = ("", None) if tensor is None else context.made_by(tensor.tensor)
    problem = _(
        "{name} is one of several views that one operation gave{by}, and `{code}` would write into it, which autograd "
        "does not allow.", name=name, by=origin, code=context.code if target is None else _one_line_code(context),
    )  # fmt: skip
    replacement = out_of_place(context.statement, context.code, of_tensor=isinstance(written, ast.Subscript))
    if replacement is not None:
        return Diagnosis(problem, step, _("Make a new tensor instead: `{code}`.", code=replacement))
    if not is_assignable(base_of(written)):
        return Diagnosis(problem, step)
    copy_text = _("Write into a copy: `{code}` before that.", code=f"{name} = {name}.clone()")
    return Diagnosis(problem, step, copy_text)


@mistake("RuntimeError", r"^A view was created in no_grad mode and is being modified inplace with grad mode enabled")
def explain_no_grad_view_write(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "A view was created in no_grad mode and is being modified inplace with grad mode enabled"."""
    target = _write_target(context)
    tensor = None if target is None else _named_tensor(context, base_of(target))
    producer = None if tensor is None else context.producer(tensor.tensor)
    if target is None or producer is None:
        return None
    problem = _(
        "{name} is a view that was made under no_grad ({place}), and `{code}` writes into it where gradients are on: "
        "autograd could not tell what is meant. Make the view outside of that block too, or write into it inside.",
        name=ast.unparse(base_of(target)), place=context.place_of(producer[0]), code=_one_line_code(context),
    )  # fmt: skip
    return Diagnosis(problem, producer[0])


@mistake("RuntimeError", r"^Inplace update to inference tensor outside InferenceMode is not allowed")
def explain_inference_write(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "Inplace update to inference tensor outside InferenceMode is not allowed"."""
    target = _write_target(context)
    name = None if target is None else ast.unparse(base_of(target))
    if name is None or context.tensor(name) is None:
        return None
    return Diagnosis(_(
        "{name} was made in torch.inference_mode(), and such a tensor cannot be changed outside of it. Take a copy "
        "first, `{copy}`, or use torch.no_grad() there.", name=name, copy=f"{name} = {name}.clone()",
    ))  # fmt: skip


@mistake("RuntimeError", r"^Inference tensors cannot be saved for backward")
def explain_inference_saved(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "Inference tensors cannot be saved for backward"."""
    names = [
        ast.unparse(node)
        for node in ast.walk(context.tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and (tensor := _named_tensor(context, node)) is not None
        and tensor.version is None and tensor.layout == "strided"
    ]  # fmt: skip
    if len(set(names)) != 1:
        return Diagnosis(_(
            "`{code}` was given a tensor that was made in torch.inference_mode(): autograd can never use such a one. "
            "Make it under torch.no_grad() instead, or use its clone().", code=context.code,
        ))  # fmt: skip
    return Diagnosis(_(
        "{name} was made in torch.inference_mode(), and `{code}` would have to keep it for its gradient, which such a "
        "tensor does not allow. Use torch.no_grad() there, or a copy here: `{copy}`.",
        name=names[0], code=context.code, copy=f"{names[0]}.clone()",
    ))  # fmt: skip


@mistake("RuntimeError", r"^unsupported operation: more than one element of the written-to tensor refers to a single")
def explain_expanded_write(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "more than one element of the written-to tensor refers to a single memory location"."""
    target = _write_target(context)
    name = None if target is None else ast.unparse(base_of(target))
    tensor = None if name is None else context.tensor(name)
    if name is None or tensor is None:
        return None
    origin, step = context.made_by(tensor.tensor)
    problem = _(
        "Several elements of {name} are one place in memory: it was stretched, as expand does{by}. Make it a tensor of "
        "its own before writing: `{copy}`.", name=name, by=origin, copy=f"{name} = {name}.clone()",
    )  # fmt: skip
    return Diagnosis(problem, step)


def _write_target(context: FailureContext) -> ast.expr | None:
    """Return the expression that the failing code would write to; None if there is none."""
    return write_target(context.statement, context.code)


def _one_line_code(context: FailureContext) -> str:
    """Return the failing statement if it is one line, else the failing code."""
    return " ".join(context.statement.split()) if "\n" not in context.statement else context.code


def _named_tensor(context: FailureContext, node: ast.expr) -> TensorState | None:
    """Return the tensor that an expression names; None if it names none."""
    return context.tensor(ast.unparse(node))


# ---------------------------------------------------------------- full backward hooks

_REGISTER_METHOD = re.compile(r"register_(?:module_)?full_backward_(?:pre_)?hook")


@mistake("RuntimeError", r"^Output 0 of BackwardHookFunction(?:Backward)? is a view and is being modified inplace")
def explain_hooked_output_write(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "Output 0 of BackwardHookFunctionBackward is a view and is being modified inplace"."""
    step, module, method = _hook_registration(context)
    if step is None:
        reason = _(
            "A full backward hook of a module turns what goes into the module, and what comes out of it, into views, "
            "and `{code}` writes into one.", code=context.code,
        )  # fmt: skip
    else:
        reason = _(
            "{method} on line {line} turns what goes into {module}, and what comes out of it, into views, and `{code}` "
            "writes into one.", method=method, line=context.timeline.view(step).line, module=module, code=context.code,
        )  # fmt: skip
    problem = sentences([reason, _out_of_place_fix(context)])
    return Diagnosis(problem, step)


def _hook_registration(context: FailureContext) -> tuple[int | None, str, str]:
    """Return the step that registered the hook, the module and the method; None for the step if it is ambiguous."""
    timeline = context.timeline
    registrations = []
    for step in range(context.step - 1, 0, -1):
        code = (timeline.view(step).code or "") if timeline.kind(step) == "line" else ""
        for node in ast.walk(parse_code(code)) if _REGISTER_METHOD.search(code) is not None else ():
            if isinstance(node, ast.Attribute) and _REGISTER_METHOD.fullmatch(node.attr):
                registrations.append((step, ast.unparse(node.value), node.attr))
    if len(registrations) > 1:
        inputs = _hooked_inputs(context)
        registrations = [(step, _owner_of(context, inputs) or module, method) for step, module, method in registrations
                 if any(serial in inputs for serial in _parameters_of(context, step, module))]  # fmt: skip
    return registrations[0] if len(registrations) == 1 else (None, "", "")


def _parameters_of(context: FailureContext, step: int, module: str) -> list[int]:
    """Return the parameters of a module, by its name when its hook was registered."""
    state = context.timeline.state(step)
    names = [item for frame in state.frames for item in names_of(state, frame).items()]
    return [serial for name, serial in names if name.startswith((f"{module}.", f"{module}["))]


def _owner_of(context: FailureContext, inputs: list[int | None]) -> str | None:
    """Return the name of the layer that owns one of these parameters, where the failure is; None if unknown."""
    owners = {name.rpartition(".")[0] for name, serial in context.names.items() if serial in inputs}
    return min(owners - {""}, key=len, default=None)


def _hooked_inputs(context: FailureContext) -> list[int | None]:
    """Return the inputs of the operation whose result a hook turned into a view last, parameters included."""
    for step, op in context.operations():
        site = context.timeline.sites.get(op.site)
        if site is not None and (site.parent or "").startswith("BackwardHook."):
            producer = context.producer(op.inputs[0] or 0, step) if op.inputs else None
            return [] if producer is None else producer[1].inputs
    return []


def _out_of_place_fix(context: FailureContext) -> str:
    """Say how the code would make a new tensor."""
    replacement = out_of_place(context.statement, context.code, of_tensor=False)
    if replacement is not None:
        return _("Make a new tensor instead: `{code}`.", code=replacement)
    layer = _inplace_layer(context)
    if layer is None:
        return _(
            "Let the layer make a new tensor, without inplace=True, or use the hook of a tensor: "
            "output.register_hook(…)."
        )
    line, code, replacement = layer
    if line is None:
        return _(
            "Write {plain} in place of `{layer}`, so that it makes a new tensor, or use the hook of a tensor, "
            "output.register_hook(…).", layer=code, plain=replacement,
        )  # fmt: skip
    return _(
        "That is `{layer}` on line {line}: write {plain}, so that it makes a new tensor, or use the hook of a tensor, "
        "output.register_hook(…).", layer=code, line=line, plain=replacement,
    )  # fmt: skip


def _inplace_layer(context: FailureContext) -> tuple[int | None, str, str] | None:
    """Return the only layer made with `inplace=True`: its line (None: several), its code, and the code without."""
    layers = []
    for call in ast.walk(context.file_tree):
        flags = [keyword for keyword in call.keywords if keyword.arg == "inplace"] if isinstance(call, ast.Call) else []
        if isinstance(call, ast.Call) and flags and isinstance(flags[0].value, ast.Constant) and flags[0].value.value:
            keywords = [keyword for keyword in call.keywords if keyword.arg != "inplace"]
            layers.append((call.lineno, ast.unparse(call), ast.unparse(ast.Call(call.func, call.args, keywords))))
    if len({code for _, code, _ in layers}) != 1:
        return None
    line, code, replacement = layers[0]
    return (line if len(layers) == 1 else None), code, replacement


@mistake("RuntimeError", r"^Can't detach views in-place")
def explain_detach_view(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "Can't detach views in-place"."""
    name = context.receiver_of("detach_")
    if name is None:
        return None
    fix = f"{name} = {name}.detach()" if name.isidentifier() else f"{parenthesize(name)}.detach()"
    return Diagnosis(
        _("{name} is a view of another tensor, and a view cannot be cut off in place: `{fix}`.", name=name, fix=fix)
    )


@mistake(
    "RuntimeError",
    r"^output with shape \[(?P<own>.*?)\] doesn't match the broadcast shape \[(?P<wide>.*?)\]",
    priority=-1,
)
def explain_inplace_growth(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "output with shape [1] doesn't match the broadcast shape [3]" of an in-place operation."""
    problem = _(
        "`{code}` writes a result of shape {wide} into a tensor of shape {own}, which cannot grow.",
        code=context.code, wide=shape_text(parse_sizes(match["wide"])), own=shape_text(parse_sizes(match["own"])),
    )  # fmt: skip
    replacement = out_of_place(context.statement, context.code, of_tensor=False)
    if replacement is None:
        return Diagnosis(problem)
    return Diagnosis(problem, fix=_("Make a new tensor instead: `{code}`.", code=replacement))
