"""Writes that torch refuses for what they would write into: a leaf, a view of one, one of several views, a view made
under no_grad, a tensor of inference mode, one whose elements share a place.

A full backward hook hands the module's output on as a view, which nothing may be written into."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import Diagnosis, FailureContext, Operands, mistake, parenthesize, parse_code
from tutor.explain.mistakes.inplace import base_of, is_library, is_path, without, written
from tutor.i18n import _
from tutor.trace.names import names_of
from tutor.trace.state import TensorState


@mistake("RuntimeError", r"^a leaf Variable that requires grad is being used in an in-place operation")
def leaf(scene: FailureContext, _match: re.Match[str]) -> str | None:
    target = _target(scene)
    if target is None:
        return _given_to_layer(scene)
    name, tensor = ast.unparse(target), _tensor(scene, target)
    if tensor is None or not (tensor.is_leaf and tensor.requires_grad):
        return None
    said = _(
        "{name} is a leaf that requires grad, and `{code}` would change it in place, where autograd could not follow.",
        name=name, code=scene.code,
    )  # fmt: skip
    plain = without(scene.statement, scene.code, of_tensor=False) if _is_function(scene.code) else None
    if plain is not None:
        return sentences([said, _("Make a new tensor instead: `{code}`.", code=plain)])
    return sentences([said, _("To update a parameter, do it inside `with torch.no_grad():`.")])


def _is_function(code: str) -> bool:
    """Whether it is a call of one of torch's functions: `F.relu_(x)`, not `x.relu_()`."""
    call = next((node for node in ast.walk(parse_code(code)) if isinstance(node, ast.Call)), None)
    return call is not None and isinstance(call.func, ast.Attribute) and is_library(call.func.value)


def _given_to_layer(scene: FailureContext) -> str | None:
    """A layer with `inplace=True` was given the leaf itself."""
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call)), None)
    given = [
        ast.unparse(one)
        for one in (call.args if call is not None else ())
        if (tensor := _tensor(scene, one)) is not None and tensor.is_leaf and tensor.requires_grad
    ]
    if call is None or len(given) != 1:
        return None
    copied = [
        ast.parse(f"{given[0]}.clone()", mode="eval").body if ast.unparse(one) == given[0] else one for one in call.args
    ]
    return _(
        "{name} is a leaf that requires grad, and `{code}` would change it in place (by a layer with inplace=True), "
        "where autograd could not follow. Leave inplace=True out there, or give it a copy: `{copy}`.",
        name=given[0], code=scene.code, copy=ast.unparse(ast.Call(call.func, copied, call.keywords)),
    )  # fmt: skip


@mistake("RuntimeError", r"^a view of a leaf Variable that requires grad is being used in an in-place operation")
def view_of_leaf(scene: FailureContext, _match: re.Match[str]) -> str | None:
    target = _target(scene)
    if target is None:
        return None
    name = ast.unparse(base_of(target))
    behind = _leaf_behind(scene, target)
    if behind is None:
        return None
    code = " ".join(scene.statement.split()) or scene.code
    if name == behind:
        into = _("{name}, a leaf that requires grad", name=name)
    else:
        into = _("{name}, a view of {leaf}, which is a leaf that requires grad", name=name, leaf=behind)
    return _(
        "`{code}` writes into {into}, where autograd could not follow. Set its elements inside "
        "`with torch.no_grad():`, or before it requires grad.", code=code, into=into,
    )  # fmt: skip


def _leaf_behind(scene: FailureContext, node: ast.expr) -> str | None:
    """The name of the leaf that an expression looks into: `w` of `w[0]`, `w.view(-1)` and `v`."""
    while True:
        tensor = _tensor(scene, node)
        if tensor is not None and tensor.is_leaf and tensor.requires_grad:
            return ast.unparse(node)
        if tensor is not None:
            sharing = (one for one in scene.state.tensors.values() if one.storage == tensor.storage)
            leaf = next((one for one in sharing if one.is_leaf and one.requires_grad), None)
            return None if leaf is None else scene.name(leaf.tensor)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        elif isinstance(node, ast.Subscript | ast.Attribute):
            node = node.value
        else:
            return None


@mistake(
    "RuntimeError", r"is a view and is being modified inplace\. This view is the output of a function that returns"
)
def one_of_several(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    target = _target(scene)
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call)), None)
    given = target if target is not None else call.args[0] if call is not None and call.args else None
    if given is None:
        return None
    name = ast.unparse(base_of(given))
    tensor = _tensor(scene, base_of(given))
    made = None if tensor is None else scene.producer(tensor.tensor)
    by = "" if made is None else _(" ({place})", place=scene.place_of(made[0]))
    said = _(
        "{name} is one of several views that one operation gave{by}, and `{code}` would write into it, which autograd "
        "does not allow.", name=name, by=by, code=scene.code if target is None else _statement(scene),
    )  # fmt: skip
    step = None if made is None else made[0]
    plain = without(scene.statement, scene.code, of_tensor=isinstance(given, ast.Subscript))
    if plain is not None:
        return Diagnosis(sentences([said, _("Make a new tensor instead: `{code}`.", code=plain)]), step)
    if not is_path(base_of(given)):
        return Diagnosis(said, step)
    copy = _("Write into a copy: `{code}` before that.", code=f"{name} = {name}.clone()")
    return Diagnosis(sentences([said, copy]), step)


@mistake("RuntimeError", r"^A view was created in no_grad mode and is being modified inplace with grad mode enabled")
def view_under_no_grad(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    target = _target(scene)
    tensor = None if target is None else _tensor(scene, base_of(target))
    made = None if tensor is None else scene.producer(tensor.tensor)
    if target is None or made is None:
        return None
    said = _(
        "{name} is a view that was made under no_grad ({place}), and `{code}` writes into it where gradients are on: "
        "autograd could not tell what is meant. Make the view outside of that block too, or write into it inside.",
        name=ast.unparse(base_of(target)), place=scene.place_of(made[0]), code=_statement(scene),
    )  # fmt: skip
    return Diagnosis(said, made[0])


@mistake("RuntimeError", r"^Inplace update to inference tensor outside InferenceMode is not allowed")
def inference_written(scene: FailureContext, _match: re.Match[str]) -> str | None:
    target = _target(scene)
    name = None if target is None else ast.unparse(base_of(target))
    if name is None or scene.tensor(name) is None:
        return None
    return _(
        "{name} was made in torch.inference_mode(), and such a tensor cannot be changed outside of it. Take a copy "
        "first, `{copy}`, or use torch.no_grad() there.", name=name, copy=f"{name} = {name}.clone()",
    )  # fmt: skip


@mistake("RuntimeError", r"^Inference tensors cannot be saved for backward")
def inference_saved(scene: FailureContext, _match: re.Match[str]) -> str:
    found = [
        ast.unparse(node)
        for node in ast.walk(scene.tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and (tensor := _tensor(scene, node)) is not None
        and tensor.version is None and tensor.layout == "strided"
    ]  # fmt: skip
    if len(set(found)) != 1:
        return _(
            "`{code}` was given a tensor that was made in torch.inference_mode(): autograd can never use such a one. "
            "Make it under torch.no_grad() instead, or use its clone().", code=scene.code,
        )  # fmt: skip
    return _(
        "{name} was made in torch.inference_mode(), and `{code}` would have to keep it for its gradient, which such a "
        "tensor does not allow. Use torch.no_grad() there, or a copy here: `{copy}`.",
        name=found[0], code=scene.code, copy=f"{found[0]}.clone()",
    )  # fmt: skip


@mistake("RuntimeError", r"^unsupported operation: more than one element of the written-to tensor refers to a single")
def shared_elements(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    target = _target(scene)
    name = None if target is None else ast.unparse(base_of(target))
    tensor = None if name is None else scene.tensor(name)
    if name is None or tensor is None:
        return None
    made = scene.producer(tensor.tensor)
    by = "" if made is None else _(" ({place})", place=scene.place_of(made[0]))
    said = _(
        "Several elements of {name} are one place in memory: it was stretched, as expand does{by}. Make it a tensor of "
        "its own before writing: `{copy}`.", name=name, by=by, copy=f"{name} = {name}.clone()",
    )  # fmt: skip
    return Diagnosis(said, None if made is None else made[0])


def _target(scene: FailureContext) -> ast.expr | None:
    """What the code that failed would write into."""
    return written(scene.statement, scene.code)


def _statement(scene: FailureContext) -> str:
    """What to show of it: the statement, where that is one line."""
    return " ".join(scene.statement.split()) if "\n" not in scene.statement else scene.code


def _tensor(scene: FailureContext, node: ast.expr) -> TensorState | None:
    return scene.tensor(ast.unparse(node))


_REGISTERS = re.compile(r"register_(?:module_)?full_backward_(?:pre_)?hook")


@mistake("RuntimeError", r"^Output 0 of BackwardHookFunction(?:Backward)? is a view and is being modified inplace")
def view_of_a_hook(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | str:
    step, module, method = _registered(scene)
    if step is None:
        begin = _(
            "A full backward hook of a module turns what goes into the module, and what comes out of it, into views, "
            "and `{code}` writes into one.", code=scene.code,
        )  # fmt: skip
    else:
        begin = _(
            "{method} on line {line} turns what goes into {module}, and what comes out of it, into views, and `{code}` "
            "writes into one.", method=method, line=scene.timeline.view(step).line, module=module, code=scene.code,
        )  # fmt: skip
    said = sentences([begin, _instead(scene)])
    return Diagnosis(said, step)


def _registered(scene: FailureContext) -> tuple[int | None, str, str]:
    """The step of the statement that registered the hook, of which module, and by which method; no step where several
    did and it is not clear which."""
    timeline = scene.timeline
    found = []
    for step in range(scene.step - 1, 0, -1):
        code = (timeline.view(step).code or "") if timeline.kind(step) == "line" else ""
        for node in ast.walk(parse_code(code)) if _REGISTERS.search(code) is not None else ():
            if isinstance(node, ast.Attribute) and _REGISTERS.fullmatch(node.attr):
                found.append((step, ast.unparse(node.value), node.attr))
    if len(found) > 1:
        used = _used_before(scene)
        found = [(step, _module(scene, used) or module, method) for step, module, method in found
                 if any(number in used for number in _parameters(scene, step, module))]  # fmt: skip
    return found[0] if len(found) == 1 else (None, "", "")


def _parameters(scene: FailureContext, step: int, module: str) -> list[int]:
    """Those of a module, as it was called when its hook was registered: by the variable of a loop, say."""
    state = scene.timeline.state(step)
    named = [names_of(state, frame).items() for frame in state.frames]
    return [number for one in named for name, number in one if name.startswith((f"{module}.", f"{module}["))]


def _module(scene: FailureContext, used: list[int | None]) -> str | None:
    """What the layer is called where the failure is whose parameters are among these."""
    owners = {name.rpartition(".")[0] for name, number in Operands(scene).names.items() if number in used}
    return min(owners - {""}, key=len, default=None)


def _used_before(scene: FailureContext) -> list[int | None]:
    """What the operation was given whose result was turned into a view last: the module's parameters among it."""
    for step, op in scene.operations():
        site = scene.timeline.sites.get(op.site)
        if site is not None and (site.parent or "").startswith("BackwardHook."):
            made = scene.producer(op.inputs[0] or 0, step) if op.inputs else None
            return [] if made is None else made[1].inputs
    return []


def _instead(scene: FailureContext) -> str:
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.AugAssign):
            target = ast.unparse(node.target)
            plain = f"{target} = {ast.unparse(ast.BinOp(ast.Name(target), node.op, node.value))}"
            return _("Make a new tensor instead: `{code}`.", code=plain)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
            plain = f"{parenthesize(ast.unparse(node.func.value))}.{node.func.attr.strip('_')}"
            return _("Make a new tensor instead: `{code}`.", code=f"{plain}({', '.join(map(ast.unparse, node.args))})")
    layer = _in_place(scene)
    if layer is None:
        return _(
            "Let the layer make a new tensor, without inplace=True, or use the hook of a tensor: "
            "output.register_hook(…)."
        )
    line, code, plain = layer
    if line is None:
        return _(
            "Write {plain} in place of `{layer}`, so that it makes a new tensor, or use the hook of a tensor, "
            "output.register_hook(…).", layer=code, plain=plain,
        )  # fmt: skip
    return _(
        "That is `{layer}` on line {line}: write {plain}, so that it makes a new tensor, or use the hook of a tensor, "
        "output.register_hook(…).", layer=code, line=line, plain=plain,
    )  # fmt: skip


def _in_place(scene: FailureContext) -> tuple[int | None, str, str] | None:
    """The only layer in the file that is made with `inplace=True`: its line, if it is made on one alone, and how it is
    made without."""
    file = scene.event.file
    text = None if file is None else scene.timeline.book.text(file)
    calls = ast.walk(parse_code("\n".join(text.lines))) if text is not None else ()
    found = []
    for call in calls:
        given = [one for one in call.keywords if one.arg == "inplace"] if isinstance(call, ast.Call) else []
        if isinstance(call, ast.Call) and given and isinstance(given[0].value, ast.Constant) and given[0].value.value:
            kept = [one for one in call.keywords if one.arg != "inplace"]
            found.append((call.lineno, ast.unparse(call), ast.unparse(ast.Call(call.func, call.args, kept))))
    if len({code for _, code, _ in found}) != 1:
        return None
    line, code, plain = found[0]
    return (line if len(found) == 1 else None), code, plain
