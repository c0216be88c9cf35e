"""Say what runs a backward pass, or the forward again, for the learner: transforms of torch.func, `checkpoint`, forward
mode, module hooks."""

from __future__ import annotations

from tutor.explain.mistakes.silent import explain_data_assignment, explain_unrecorded_operation
from tutor.i18n import N_, _
from tutor.trace.events import Backward, Line, Node, Op
from tutor.trace.timeline import Timeline

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


def describe_transform(timeline: Timeline, step: int) -> str | None:
    """Return what runs at this step that is not the learner's own call; None where nothing does."""
    text = _find_transform(timeline, step)
    return None if text is None else _(text)


def _find_transform(timeline: Timeline, step: int) -> str | None:
    event = timeline.event(step)
    if isinstance(event, Backward):
        site = timeline.sites.get(event.site)
        return None if site is None or site.parent is None else _pass_text(site.parent)
    if isinstance(event, Op):
        return _operation_text(timeline, step, event)
    if isinstance(event, Node):
        node = timeline.state(step).nodes.get(event.node)
        return None if node is None else _NODES.get(node.name)
    if isinstance(event, Line):
        return explain_data_assignment(timeline, step) or _second_forward_text(timeline, step, event)
    return None


def _pass_text(parent: str) -> str | None:
    if parent.startswith(_FUNCTIONAL):
        return _("{function} runs this pass inside, to give back what it finds; it writes no .grad", function=parent)
    return _PASSES.get(parent)


def _operation_text(timeline: Timeline, step: int, event: Op) -> str | None:
    site = timeline.sites.get(event.site)
    if site is None or site.op is None:
        return None
    if site.op in _DUALS:
        return _DUALS[site.op]
    if site.depth:
        return _STAND_INS.get(site.parent or "") if site.op == "requires_grad_" else None
    return explain_unrecorded_operation(timeline, step, event, site)


def _second_forward_text(timeline: Timeline, step: int, event: Line) -> str | None:
    """Return that a function runs a second time, at its first statement inside a backward pass; None elsewhere."""
    current_pass = timeline.pass_of(step)
    if current_pass is None or not any("checkpoint" in source.text for source in timeline.sources.values()):
        return None
    frames = timeline.state(step - 1).frames
    pass_start = timeline.event(current_pass.start_step)
    if len(frames) < 2 or not isinstance(pass_start, Backward) or frames[-2].frame != pass_start.frame:
        return None
    if frames[-1].frame != event.frame or frames[-1].site is not None:  # not the first of its frame
        return None
    first_step = timeline.columns.sites.index(event.site) + 1
    return _SECOND_TIME if first_step < step and timeline.pass_of(first_step) is None else None
