"""What to call a tensor, and one whose name has come to mean another."""

from __future__ import annotations

from tutor.explain.operands import old
from tutor.i18n import _
from tutor.trace.events import Accumulate
from tutor.trace.names import name_of, names_of, tensor_name
from tutor.trace.state import State
from tutor.trace.timeline import Timeline


def label(state: State, tensor: int | None) -> str | None:
    """The learner's name for a tensor, or `%7`; None for none. A name that means another tensor now is an old one."""
    if tensor is None:
        return None
    name = tensor_name(state, tensor)
    return old(name) if is_rebound(state, tensor) else name


def is_rebound(state: State, tensor: int) -> bool:
    """Whether a tensor has no name but its last one, and that means something else now, wherever it means anything."""
    known = state.tensors.get(tensor)
    if known is None or known.label is None or name_of(state, tensor) != known.label:
        return False
    frames = (*state.frames, *state.suspended.values())
    named = [frame.names[known.label] for frame in frames if known.label in frame.names]
    return bool(named) and not any(one.what == "tensor" and one.ref == tensor for one in named)


def lost_leaf(timeline: Timeline, step: int) -> str | None:
    """At the step at which a leaf gets its gradient: that its name means another tensor now, which gets none."""
    event, state = timeline.event(step), timeline.moment(step)
    if not isinstance(event, Accumulate) or not is_rebound(state, event.tensor):
        return None
    name = state.tensors[event.tensor].label or ""
    now = state.tensors.get(names_of(state).get(name, 0))
    if now is None or now.is_leaf or now.retains_grad:
        return None
    node = None if now.node is None else state.nodes.get(now.node)
    made = None if node is None else timeline.operation(node)
    line = None if made is None else timeline.view(made).line
    if line is None:
        return _("{name} means another tensor now, which is no leaf: {name}.grad gets nothing", name=name)
    return _("since line {line} {name} means another tensor, which is no leaf: {name}.grad gets nothing", name=name,
              line=line)  # fmt: skip
