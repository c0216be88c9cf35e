"""What a backward node did: what reached it, what it sent, and the rule that says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutor.explain import words
from tutor.explain.adding import adds_up
from tutor.explain.called import label
from tutor.explain.claims import VerifiedGrad, arrival, claims, is_inner, single_arrival, too_large
from tutor.explain.grid import Grid
from tutor.explain.origin import inner_tensor, maker, result_of, unnamed
from tutor.explain.parts import made_by
from tutor.explain.rules import in_general
from tutor.i18n import _
from tutor.trace.events import Node
from tutor.trace.graph import is_leaf, parts_of
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.wire_types import Value

_SHORT = 24
"""Parts of a gradient are written out up to so many characters each."""


@dataclass(frozen=True)
class NodeSummary:
    """A node's step: what reached it, what it sent where, and what could be worked out of that."""

    node: str
    result: str | None
    """What to call the node's result; None where it has no name."""
    equation: str | None
    incoming: Sequence[Value]
    sent: Sequence[tuple[str, Value]]
    """To what (a tensor's name, or a node's), and the gradient; without the inputs that get none."""
    dtype: str
    claims: Sequence[VerifiedGrad]
    """All that were sent, or nothing: half a story would be taken for the whole."""
    arrived: Grid | None
    general: str | None = None
    """The rule in general, where the numbers are too many to be recorded and so to be worked out."""
    of_pass: int | None = None
    """The pass while which the node was made: it is of the graph of a gradient."""
    parts: Sequence[str] = ()
    """Of what arrived, what each consumer sent: where they are several, can be written out, and add up to it."""
    code: str | None = None
    """The code of a custom Function's call, for which there is no rule."""


def summarize_node(timeline: Timeline, step: int) -> NodeSummary | None:
    """What is to be said of a node's step; None where the recording does not know the node."""
    event = timeline.event(step)
    state = timeline.moment(step)
    if not isinstance(event, Node):
        return None
    node = state.nodes.get(event.node)
    if node is None:
        return None
    made = made_by(timeline, step, node)
    targets = [_target(timeline, step, state, source) for source in node.inputs]
    nameless = inner_tensor("" if made is None else (made.code or "").partition("(")[0])
    sent = [
        (target or nameless, value)
        for target, value in zip(targets, event.grad_inputs, strict=False)
        if value is not None
    ]
    arrived, equation, general = None, None, None
    agreed: list[VerifiedGrad] = []
    if made is not None:
        arrived = arrival(event, made, is_inner(state, node, made))
        if arrived is not None:
            equation, agreed = claims(state, node, event, made, arrived)
        if not agreed and too_large(event, made):
            general = in_general(node.name)
    if not agreed and node.name == "CopySlices":
        general = in_general(node.name)
    own = made is not None and made.named and made.node == event.node and single_arrival(event, made)
    result = made.result.name if made is not None and own else None
    held = state.tensors.get(node.tensor or 0)
    dtype = made.dtype if made is not None else held.dtype if held is not None else "float32"
    parts = parts_told(state, event.node, event.grad_outputs, dtype)
    function = made is not None and made.node == event.node and node.name.endswith("Backward")
    return NodeSummary(
        node.name, result, equation, event.grad_outputs, sent, dtype, agreed, arrived, general, node.of_pass, parts,
        words.code(made.code) if made is not None and function else None,
    )  # fmt: skip


def parts_told(state: State, node: int, arrived: Sequence[Value], dtype: str) -> list[str]:
    """What consumers of a node sent to it, if there is a sum to be written out. They do not add up where a hook has
    changed their sum, or where the pass began at the node itself."""
    parts = [part for _, part in parts_of(state, node)]
    shares = [words.value(part, dtype) for part in parts]
    short = len(shares) > 1 and all(len(share) <= _SHORT for share in shares)
    together = arrived[0] if len(arrived) == 1 else None
    return shares if short and together is not None and adds_up(parts, together, dtype) is not False else []


def _target(timeline: Timeline, step: int, state: State, source: tuple[int, int] | None) -> str | None:
    """What gets a gradient: its tensor's name, or what made it."""
    node = None if source is None else state.nodes.get(source[0])
    if node is None:
        return None
    name = label(state, node.tensor)
    if name is not None and not name.startswith("%"):
        return name
    if is_leaf(node):
        return unnamed(timeline, step, node.tensor or 0) or _("a leaf without a name")
    made = maker(timeline, step, node.node)
    known = made is not None and made.node == node.node and not made.result.name.startswith("%")
    return made.result.name if made is not None and known else result_of(node.name)
