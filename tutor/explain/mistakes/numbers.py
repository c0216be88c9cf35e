"""Numbers where tensors are meant and the other way round; what an optimizer and a layer will not take."""

from __future__ import annotations

import ast
import re

from tutor.explain.grid import count
from tutor.explain.mistakes.given import Operands, enclosed
from tutor.explain.mistakes.numbered import by_name
from tutor.explain.mistakes.scene import Diagnosis, FailureContext, mistake, parsed
from tutor.explain.rules import shape_text
from tutor.i18n import _


@mistake("AttributeError", r"^'(?:float|int)' object has no attribute 'backward'")
def of_a_number(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | str | None:
    source = scene.called_on("backward")
    if source is None:
        return None
    if source.endswith(".item()"):
        return _(
            "{code} is a plain Python number, which has no history. Call backward() on the tensor itself, and keep "
            "item() for printing.", code=source,
        )  # fmt: skip
    found = next(iter(by_name(scene, scene.step, {source})), None)
    if found is not None:
        said = _(
            "{code} is a plain Python number since {place}, which has no history. Leave that call out, so that {code} "
            "is a tensor, and keep item() for printing.", code=source, place=scene.where(found.step, found.code),
        )  # fmt: skip
        return Diagnosis(said, found.step)
    return _("{code} is a plain Python number, which has no history. backward() is a method of tensors.", code=source)


@mistake("RuntimeError", r"^a Tensor with (?P<count>\d+) elements cannot be converted to Scalar")
@mistake("ValueError", r"^only one element tensors can be converted to Python scalars")
def not_one(scene: FailureContext, match: re.Match[str]) -> str | None:
    node = _made_a_number(scene)
    name = scene.called_on("item") or (None if node is None else enclosed(ast.unparse(node)))
    tensor = None if name is None else scene.tensor(name)
    if tensor is None and node is not None:
        tensor = Operands(scene).meant_by(node)
    size = count(tensor.shape) if tensor is not None else match.groupdict().get("count")
    if name is None or size is None:
        return None
    shape = _(", shape {shape}", shape=shape_text(tensor.shape)) if tensor is not None else ""
    return _(
        "{name} has {count} elements{shape}, and a plain number can be made of one only. Choose an element "
        "({name}[0].item()), make one of them ({name}.sum().item()), or take them all: {name}.tolist().",
        name=name, count=size, shape=shape,
    )  # fmt: skip


def _made_a_number(scene: FailureContext) -> ast.expr | None:
    """`t` of `float(t)`."""
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("float", "int"):
            return node.args[0] if node.args else None
    return None


@mistake("ValueError", r"^can't optimize a non-leaf Tensor")
def optimizer_of_result(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | str:
    for node in ast.walk(scene.tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = ast.unparse(node)
            tensor = scene.tensor(name)
            if tensor is not None and not tensor.is_leaf:
                made = scene.maker(tensor.tensor)
                by = _(" ({place})", place=scene.where(made[0]).strip()) if made is not None else ""
                said = _(
                    "{name} was computed from other tensors{by}, so a step of the optimizer would not last. Give it "
                    "the leaf, or make {name} one: {name} = {name}.detach().requires_grad_().", name=name, by=by,
                )  # fmt: skip
                return Diagnosis(said, None if made is None else made[0])
    return _(
        "One of the tensors was computed from others, so a step of the optimizer would not last. Give the optimizer "
        "leaves: tensors that were made with requires_grad=True, or the parameters of a module."
    )


@mistake("ValueError", r"^optimizer got an empty parameter list")
def optimizer_of_nothing(scene: FailureContext, _match: re.Match[str]) -> str:
    model = scene.called_on("parameters")
    used_up = None if model is not None else _used_up(scene)
    if used_up is not None:
        return _(
            "{name} is a generator, and what went through it before has used it up. Make a list of it: {name} = "
            "list({source}).", name=used_up[0], source=used_up[1],
        )  # fmt: skip
    if model is None:
        return _("The list that the optimizer was given is empty: there is nothing for it to change.")
    return _(
        "{model}.parameters() is empty: a module knows only those tensors as its parameters that are wrapped in "
        "torch.nn.Parameter (as in self.w = nn.Parameter(torch.zeros(1))) or belong to layers such as nn.Linear.",
        model=model,
    )  # fmt: skip


def _used_up(scene: FailureContext) -> tuple[str, str] | None:
    """The name of a generator of parameters that an optimizer is given, and what made it."""
    argument = next((node.args[0] for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args), None)
    file = scene.event.file
    text = None if file is None else scene.timeline.book.text(file)
    if not isinstance(argument, ast.Name) or text is None:
        return None
    for node in ast.walk(parsed("\n".join(text.lines))):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == argument.id:
            source = ast.unparse(node.value)
            if source.endswith(".parameters()"):
                return argument.id, source
    return None
