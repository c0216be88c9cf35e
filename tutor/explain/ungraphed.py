"""Why an operation on what needs gradients made no graph: `no_grad`, `.data`, the code of a custom Function."""

from __future__ import annotations

import ast
import re

from tutor.explain.origin import readable
from tutor.i18n import _
from tutor.trace.events import Line, Op
from tutor.trace.names import names_of
from tutor.trace.operands import op_texts
from tutor.trace.state import SiteInfo
from tutor.trace.timeline import Timeline

_DIFFERENTIABLE = {
    "add", "sub", "mul", "div", "truediv", "pow", "neg", "radd", "rsub", "rmul", "rtruediv", "matmul", "mm", "bmm",
    "linear", "exp", "log", "sin", "cos", "tanh", "sigmoid", "relu", "softmax", "sqrt", "sum", "mean", "square",
    "mse_loss", "cross_entropy", "iadd", "isub", "imul", "itruediv", "add_", "sub_", "mul_", "div_", "copy_", "zero_",
    "fill_", "clamp_", "addcdiv_", "addcmul_",
}  # fmt: skip
"""Operations whose results would need gradients where an input does, unless something has switched that off."""
TAKES_DATA = re.compile(r"^(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<whole>[A-Za-z_][\w.\[\]]*)\.data\s*$")
_REACH = 200
"""So many steps back it is looked whether the same was said in this call."""


def ungraphed(timeline: Timeline, step: int, event: Op, site: SiteInfo) -> str | None:
    """Why the operation of a step made no graph; None where it made one, or would make none anyway."""
    state = timeline.state(step)
    inputs = [state.tensors[number] for number in event.inputs if number in state.tensors]
    made = [state.tensors[number] for number in event.outputs if number in state.tensors]
    data = by_data(timeline, step, event)
    if data is not None:
        return _of_data(data)
    if not any(tensor.requires_grad for tensor in inputs):
        return None
    if site.op == "detach":
        return _("the same memory, but cut off from the graph: gradients stop here")
    if site.op == "set_data":
        return _(
            "{name} gets other memory, and autograd does not see the change",
            name=readable(timeline, step, inputs[0].tensor),
        )
    if site.op not in _DIFFERENTIABLE or not made:
        return None
    if made[0].requires_grad:
        unrecorded = site.inplace and made[0].is_leaf
        return _("autograd does not record this change of a leaf") if unrecorded else None
    if not made[0].dtype.startswith(("float", "bfloat", "complex")):
        return None
    if made[0].version is None:
        return _("made in inference mode: no graph is made")
    method = _method_of_function(timeline, site)
    if method is None:
        return _("gradients are off here, as under no_grad: no graph is made")
    if _said_before(timeline, step, event):
        return None
    if method == "forward":
        return _("in a Function's forward gradients are off: no graph is made of it, its backward stands in for one")
    return _("in a Function's backward gradients are off, unless the pass is run with create_graph=True")


def by_data(timeline: Timeline, step: int, event: Op) -> str | None:
    """The name of what needs gradients, and was given to the operation of a step by way of `.data`."""
    state = timeline.state(step)
    for number, text in zip(event.inputs, op_texts(timeline, step) or (), strict=False):
        name = text.removesuffix(".data")
        for held in (state.tensors.get(number or 0), state.tensors.get(names_of(state).get(name, 0))):
            if name != text and held is not None and held.requires_grad:
                return name
    return None


def taken(timeline: Timeline, step: int) -> str | None:
    """What to say of a statement that does nothing but take `.data`: no operation tells of it."""
    code = timeline.view(step).code or ""
    found = TAKES_DATA.search(code) if isinstance(timeline.event(step), Line) else None
    return None if found is None else _of_data(found["whole"])


def _of_data(name: str) -> str:
    return _(".data is the same memory as {name}, but autograd does not see what is done with it", name=name)


def _method_of_function(timeline: Timeline, site: SiteInfo) -> str | None:
    """`forward` or `backward`, where the code of an operation stands in that of a custom `autograd.Function`."""
    if site.function not in ("forward", "backward"):
        return None
    text = timeline.book.text(site.file)
    blocks = [] if text is None else text.covering(site.span[0])
    around = next((block for block, _, _ in blocks if isinstance(block, ast.ClassDef)), None)
    bases = [] if around is None else [ast.unparse(base) for base in around.bases]
    return site.function if any(base.split(".")[-1] == "Function" for base in bases) else None


def _said_before(timeline: Timeline, step: int, event: Op) -> bool:
    """Whether an earlier operation of the same call was given what needs gradients as well."""
    for earlier in range(step - 1, max(step - _REACH, 0), -1):
        before = timeline.event(earlier)
        if isinstance(before, Op) and before.frame == event.frame:
            site = timeline.sites.get(before.site)
            tensors = timeline.state(earlier).tensors
            needed = any(number in tensors and tensors[number].requires_grad for number in before.inputs)
            if needed and site is not None and site.op in _DIFFERENTIABLE:
                return True
    return False
