"""A full backward hook hands the module's output on as a view, which nothing may be written into."""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.given import Operands, enclosed
from tutor.explain.mistakes.scene import Diagnosis, FailureContext, mistake, parsed
from tutor.explain.words import sentences
from tutor.i18n import _
from tutor.trace.names import names_of

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
        for node in ast.walk(parsed(code)) if _REGISTERS.search(code) is not None else ():
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
            made = scene.maker(op.inputs[0] or 0, step) if op.inputs else None
            return [] if made is None else made[1].inputs
    return []


def _instead(scene: FailureContext) -> str:
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.AugAssign):
            target = ast.unparse(node.target)
            plain = f"{target} = {ast.unparse(ast.BinOp(ast.Name(target), node.op, node.value))}"
            return _("Make a new tensor instead: `{code}`.", code=plain)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
            plain = f"{enclosed(ast.unparse(node.func.value))}.{node.func.attr.strip('_')}"
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
    calls = ast.walk(parsed("\n".join(text.lines))) if text is not None else ()
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
