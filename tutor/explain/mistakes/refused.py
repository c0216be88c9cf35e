"""Values and calls that an operation refuses: probabilities outside of 0 to 1, gradients, views, steps of LBFGS."""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.dtypes import dtype_of
from tutor.explain.mistakes.given import Operands, enclosed
from tutor.explain.mistakes.scene import FailureContext, mistake, parsed
from tutor.explain.mistakes.shaped import argument, called, function, meant
from tutor.explain.words import number, sentences
from tutor.i18n import _
from tutor.trace.values import elements


@mistake("RuntimeError", r"^all elements of (?P<which>input|target) should be between 0 and 1")
def no_probability(scene: FailureContext, match: re.Match[str]) -> str | None:
    call = called(scene)
    if call is None:
        return None
    place = 0 if match["which"] == "input" else 1
    node = argument(call, place, match["which"])
    given = [] if node is None else meant(Operands(scene), [node])
    values = (elements(given[0].tensor.value) or ()) if given else ()
    wrong = next((x for x in values if not 0 <= x <= 1), None)
    name = _("the target") if place else _("the prediction")
    if wrong is None:
        said = _("`{code}` takes probabilities, from 0 to 1, and {name} holds other numbers.", code=scene.code,
                  name=given[0].source if given else name)  # fmt: skip
    else:
        said = _(
            "`{code}` takes probabilities, from 0 to 1, and {name} holds {number}.",
            code=scene.code, name=given[0].source, number=number(wrong),
        )  # fmt: skip
    if place or wrong is None or wrong != wrong:
        return said
    name = ast.unparse(call.func)
    fix = f"{name}_with_logits" if name.endswith("binary_cross_entropy") else "nn.BCEWithLogitsLoss()"
    more = _("If these are the numbers of a last layer as they are (logits), the loss for them is {fix}.", fix=fix)
    return sentences([said, more])


@mistake("RuntimeError", r"^attempting to assign a gradient with dtype '(?P<given>[\w: ]+)' to a tensor with "
         r"(?:grad_)?dtype '(?P<wanted>[\w: ]+)'")  # fmt: skip
def gradient_of_another_dtype(scene: FailureContext, match: re.Match[str]) -> str:
    said = _("A gradient has the dtype of its tensor: {wanted}, not {given}.",
              wanted=dtype_of(match["wanted"]), given=dtype_of(match["given"]))  # fmt: skip
    assignment = _assigned(scene)
    if assignment is None:
        return said
    target, value = (ast.unparse(node) for node in (assignment.targets[0], assignment.value))
    owner = target.removesuffix(".grad")
    return sentences([said, _("Write `{fix}`.", fix=f"{target} = {enclosed(value)}.to({owner}.dtype)")])


@mistake("TypeError", r"^assigned grad expected to be a Tensor or None but got grad of type (?P<kind>\w+)")
def gradient_of_no_tensor(scene: FailureContext, match: re.Match[str]) -> str:
    said = _("A gradient is a tensor or None, not of type {kind}.", kind=match["kind"])
    assignment = _assigned(scene)
    if assignment is None:
        return said
    return sentences([said, _("To clear it write `{fix}`.", fix=f"{ast.unparse(assignment.targets[0])} = None")])


def _assigned(scene: FailureContext) -> ast.Assign | None:
    """`w.grad = …`, where that is the statement."""
    body = parsed(scene.statement).body
    statement = body[0] if len(body) == 1 else None
    if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]).endswith(".grad"):
        return statement
    return None


# ---------------------------------------------------------------- views


@mistake("RuntimeError", r"^Can't detach views in-place")
def detached_view(scene: FailureContext, _match: re.Match[str]) -> str | None:
    name = scene.called_on("detach_")
    if name is None:
        return None
    fix = f"{name} = {name}.detach()" if name.isidentifier() else f"{enclosed(name)}.detach()"
    return _("{name} is a view of another tensor, and a view cannot be cut off in place: `{fix}`.", name=name, fix=fix)


# ---------------------------------------------------------------- LBFGS


@mistake("TypeError", r"^LBFGS\.step\(\) missing 1 required positional argument: 'closure'")
@mistake("TypeError", r"^'(?P<kind>Tensor|NoneType)' object is not callable")
@mistake("TypeError", r"^float\(\) argument must be a string or a real number, not '(?P<kind>NoneType)'")
def step_without_closure(scene: FailureContext, match: re.Match[str]) -> str | None:
    call = called(scene)
    if call is None or function(scene) != "step" or not isinstance(call.func, ast.Attribute):
        return None
    name = ast.unparse(call.func.value)
    if "missing" not in match.string and not _made_as(scene, name, "LBFGS"):
        return _step_of_a_loss(scene, call, name) if "Tensor" in match.string else None
    if match.string.startswith("float()"):
        return _(
            "LBFGS works out the loss by the function that {name}.step() is given, and that returned None: it must "
            "return the loss.", name=name,
        )  # fmt: skip
    return _(
        "LBFGS works out the loss several times in one step, so {name}.step() takes a function: one that sets the "
        "gradients to zero, computes the loss, calls backward() on it and returns it. Then `{fix}`.",
        name=name, fix=f"{name}.step(closure)",
    )  # fmt: skip


def _step_of_a_loss(scene: FailureContext, call: ast.Call, name: str) -> str | None:
    """Of `optimizer.step(loss)`."""
    loss = argument(call, 0, "closure")
    if loss is None or not _made_as(scene, name, r"(?:optim\.\w+|SGD|Adam|AdamW|RMSprop|Adagrad)"):
        return None
    return _(
        "{name}.step() goes by the gradients that are there, not by a loss: `{fix}`.",
        name=name, fix=f"{enclosed(ast.unparse(loss))}.backward(); {name}.step()",
    )  # fmt: skip


def _made_as(scene: FailureContext, name: str, kind: str) -> bool:
    """Whether every assignment to this name in the file makes such an object."""
    text = None if scene.event.file is None else scene.timeline.book.text(scene.event.file)
    tree = parsed(None if text is None else "\n".join(text.lines))
    made = [
        ast.unparse(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets)
    ]
    return bool(made) and all(re.match(rf"(?:[\w.]+\.)?{kind}\(", code) for code in made)
