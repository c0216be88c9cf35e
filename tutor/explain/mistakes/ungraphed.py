"""Find operations that build no graph: of `.data`, under `no_grad`, in a custom Function's own code."""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.context import StepContext
from tutor.explain.mistakes.registry import Diagnosis, silent_mistake
from tutor.explain.provenance import readable_name
from tutor.i18n import _
from tutor.trace.events import Op
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
"""Operations whose result requires grad where an input does, unless gradients are disabled."""
DATA_ASSIGNMENT = re.compile(r"^(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<whole>[A-Za-z_][\w.\[\]]*)\.data\s*$")
_MAX_STEPS_BACK = 200
"""Maximum steps searched back for an earlier operation of the same call that had the same warning."""


@silent_mistake("op", priority=2)
def explain_ungraphed(context: StepContext) -> Diagnosis | None:
    """Say why an operation built no graph, unless it would build none anyway."""
    event, site = context.event, context.site
    if not isinstance(event, Op) or site is None or site.op is None or site.depth:
        return None
    text = _describe_ungraphed(context, event, site)
    return None if text is None else Diagnosis(text, role="quiet")


def _describe_ungraphed(context: StepContext, event: Op, site: SiteInfo) -> str | None:
    """Return why an operation built no graph; None if it built one, or would build none anyway."""
    timeline, step, state = context.timeline, context.step, context.state
    inputs = [state.tensors[serial] for serial in event.inputs if serial in state.tensors]
    results = [state.tensors[serial] for serial in event.outputs if serial in state.tensors]
    data = name_of_data(timeline, step, event)
    if data is not None:
        return _describe_data(data)
    if not any(tensor.requires_grad for tensor in inputs):
        return None
    if site.op == "detach":
        return _("the same memory, but cut off from the graph: gradients stop here")
    if site.op == "set_data":
        return _(
            "{name} gets other memory, and autograd does not see the change",
            name=readable_name(timeline, step, inputs[0].tensor),
        )
    if site.op not in _DIFFERENTIABLE or not results:
        return None
    if results[0].requires_grad:
        unrecorded = site.inplace and results[0].is_leaf
        return _("autograd does not record this change of a leaf") if unrecorded else None
    if not results[0].dtype.startswith(("float", "bfloat", "complex")):
        return None
    if results[0].version is None:
        return _("made in inference mode: no graph is made")
    method = _function_method(timeline, site)
    if method is None:
        return _("gradients are off here, as under no_grad: no graph is made")
    if _is_repeated(timeline, step, event):
        return None
    if method == "forward":
        return _("in a Function's forward gradients are off: no graph is made of it, its backward stands in for one")
    return _("in a Function's backward gradients are off, unless the pass is run with create_graph=True")


def name_of_data(timeline: Timeline, step: int, event: Op) -> str | None:
    """Return the name of an input that requires grad and was passed as `.data`; None if there is none."""
    state = timeline.state(step)
    for serial, text in zip(event.inputs, op_texts(timeline, step) or (), strict=False):
        name = text.removesuffix(".data")
        for tensor in (state.tensors.get(serial or 0), state.tensors.get(names_of(state).get(name, 0))):
            if name != text and tensor is not None and tensor.requires_grad:
                return name
    return None


@silent_mistake("line", priority=2)
def explain_data_assignment(context: StepContext) -> Diagnosis | None:
    """Say what the `v` of a statement `v = w.data` is, which runs no operation."""
    match = DATA_ASSIGNMENT.search(context.timeline.view(context.step).code or "")
    return None if match is None else Diagnosis(_describe_data(match["whole"]), role="quiet")


def _describe_data(name: str) -> str:
    """Say what `.data` is."""
    return _(".data is the same memory as {name}, but autograd does not see what is done with it", name=name)


def _function_method(timeline: Timeline, site: SiteInfo) -> str | None:
    """Return `forward` or `backward` if an operation's code is in that method of an `autograd.Function`, else None."""
    if site.function not in ("forward", "backward"):
        return None
    text = timeline.book.text(site.file)
    blocks = [] if text is None else text.covering(site.span[0])
    class_node = next((block for block, _, _ in blocks if isinstance(block, ast.ClassDef)), None)
    bases = [] if class_node is None else [ast.unparse(base) for base in class_node.bases]
    return site.function if any(base.split(".")[-1] == "Function" for base in bases) else None


def _is_repeated(timeline: Timeline, step: int, event: Op) -> bool:
    """Return whether an earlier operation of the same call had an input that requires grad as well."""
    for earlier in range(step - 1, max(step - _MAX_STEPS_BACK, 0), -1):
        earlier_op = timeline.event(earlier)
        if isinstance(earlier_op, Op) and earlier_op.frame == event.frame:
            site = timeline.sites.get(earlier_op.site)
            tensors = timeline.state(earlier).tensors
            requires_grad = any(serial in tensors and tensors[serial].requires_grad for serial in earlier_op.inputs)
            if requires_grad and site is not None and site.op in _DIFFERENTIABLE:
                return True
    return False
