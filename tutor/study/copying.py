"""What is copied: the value of a tensor as Python writes it, and a step as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tutor.explain import lines
from tutor.i18n import _
from tutor.trace.names import name_of
from tutor.trace.state import State, TensorState
from tutor.trace.values import to_json

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline


def value_text(tensor: TensorState) -> str | None:
    """Return the value of a tensor as nested lists, `[[1.0, 2.0], [3.0, 4.0]]`; None if only a summary is recorded."""
    value = to_json(tensor.value, tensor.dtype)
    if value is None or isinstance(value, dict):
        return None
    return json.dumps(value).replace('"', "").replace("true", "True").replace("false", "False")


def tensor_at(timeline: Timeline, step: int, subject: tuple[str, int] | None) -> TensorState | None:
    """Return the tensor that is meant: the one under the mark, that of the marked node, else the one the step brought.

    Args:
        timeline: The recording.
        step: The step at which it is looked at.
        subject: What is under the mark: `tensor`, `node` or `step`, and its number.
    """
    state = timeline.state(step)
    kind, ref = subject or ("", 0)
    if kind == "node" and ref in state.nodes:
        return state.tensors.get(state.nodes[ref].tensor or 0)
    if kind == "tensor":
        return state.tensors.get(ref)
    brought = state.last_op[2] if step and timeline.kind(step) == "op" else []
    return next((state.tensors[number] for number in brought if number in state.tensors), None)


def described(state: State, tensor: TensorState) -> str:
    """Return the name of a tensor, or that it has none."""
    return name_of(state, tensor.tensor) or _("a tensor without a name")


def step_text(timeline: Timeline, step: int, limit: int) -> str:
    """Return a step as text: its number, what ran in words and numbers, and what runs next."""
    explained = lines(timeline, step, limit)
    phrases = ["".join(text for text, _role in phrase) for phrase in explained.ran()]
    rows = [_("step {number}: {what}", number=step, what=phrases[0] if phrases else ""), *phrases[1:]]
    if explained.next:
        rows.append(_("next: {what}", what="".join(text for text, _role in explained.next)))
    return "\n".join(rows)
