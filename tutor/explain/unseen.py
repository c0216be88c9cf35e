"""A node that ran on values changed where autograd could not see it: what it sent, beside what is right."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from tutor.explain import words
from tutor.explain.called import label
from tutor.explain.claims import arrival, is_inner, view_of
from tutor.explain.grid import Grid, agree
from tutor.explain.keeping import differ, is_read, kept_by, what
from tutor.explain.origin import Made, as_grid, grid_of, maker
from tutor.explain.rules import RULES, Explanation, NodeView, Operand, Product
from tutor.language import tr
from tutor.trace.events import Node
from tutor.trace.state import NodeState, State
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements


@dataclass(frozen=True)
class Wrong:
    """What a node sent to one of its inputs, beside what it would have sent with the values that it had kept."""

    target: str
    sent: Grid
    true: Grid


class _Changed(NodeView):
    """A node whose values no longer are what its operation gave."""

    def gives(self, ours: Grid) -> bool:
        return True


def unseen_at(timeline: Timeline, step: int) -> str | None:
    """At the step of a node that kept something which changed under the same version: what came of that."""
    event, state = timeline.event(step), timeline.state(step)
    node = state.nodes.get(event.node) if isinstance(event, Node) else None
    if node is None or not node.kept or not isinstance(event, Node):
        return None
    made = maker(timeline, step, event.node)
    if made is None:
        return None
    changed = _changed(timeline, state, node, made)
    if not changed:
        return None
    said = words.clauses(
        [
            tr("{tensor} was {old} when {node} kept it and is {new}", tensor=name, old=_grid(was), node=node.name,
               new=_grid(now))
            for name, was, now in changed.values()
        ]
    )  # fmt: skip
    begin = tr("{what}, changed where autograd cannot see it", what=said)
    found = _wrong(state, node, event, made, {number: now for number, (_, _, now) in changed.items()})
    if found is None:
        return tr("{changed}: the gradient may not be the true one", changed=begin)
    scale = _scale(event)
    wrong = [one for one in found if not agree(one.true, one.sent, made.dtype, scale)]
    if not wrong:
        return None
    each = [
        tr("grad({target}) = {sent}, where {true} is right", target=one.target, sent=_grid(one.sent),
           true=_grid(one.true))
        for one in wrong
    ]  # fmt: skip
    told = list(dict.fromkeys(each))  # of k·k both factors get the same
    return tr("{changed}: {what}", changed=begin, what=words.clauses(told))


def _scale(event: Node) -> float:
    """How large the numbers are that the gradients were worked out with."""
    values = [elements(value) or () for value in event.grad_outputs]
    return max((abs(x) for flat in values for x in flat if isinstance(x, int | float)), default=0.0)


def _changed(timeline: Timeline, state: State, node: NodeState, made: Made) -> dict[int, tuple[str, Grid, Grid]]:
    """By tensor: its name, what it held when the node kept it, and what it holds now."""
    found = {}
    for kept in kept_by(state, node):
        now = state.tensors.get(kept.tensor)
        was = next((one.grid for one in (*made.operands, made.result) if one.tensor == kept.tensor), None)
        if now is None or was is None or not kept.fits or not is_read(timeline, kept):
            continue
        if node.tensor == kept.tensor:
            was = made.result.grid
            if now.storage != kept.storage:  # it was given other memory; the node has the old
                continue
        grid = grid_of(now)
        if was is not None and grid is not None and differ(list(was.flat), list(grid.flat)):
            found[kept.tensor] = (what(state, kept), was, grid)
    return found


def _wrong(state: State, node: NodeState, event: Node, made: Made, now: dict[int, Grid]) -> list[Wrong] | None:
    """Each gradient sent; None where the rule is not known, or does not explain what was sent."""
    arrived = None if is_inner(state, node, made) else arrival(event, made, False)
    if arrived is None:
        return None
    held = tuple(_with(one, now) if one.tensor != node.tensor else one for one in made.operands)
    changed = replace(made, operands=held, result=_with(made.result, now))
    used, right = (_shares(view_of(state, node, event, one, arrived)) for one in (changed, made))
    found = []
    for place, value in enumerate(event.grad_inputs):
        if value is None:
            continue
        ours, true = used.get(place), right.get(place)
        if ours is None or true is None:
            return None
        sent = as_grid(value, ours[1].shape, made.dtype)
        scale = max((abs(x) for x in arrived.flat), default=0.0)
        if sent is None or not agree(ours[1], sent, made.dtype, scale):
            return None
        found.append(Wrong(ours[0] if ours[0] != "?" else label(state, node.tensor) or "?", sent, true[1]))
    return found


def _with(operand: Operand, now: dict[int, Grid]) -> Operand:
    grid = now.get(operand.tensor or 0)
    return operand if grid is None else replace(operand, grid=grid)


def _shares(view: NodeView) -> dict[int, tuple[str, Grid]]:
    """By input of the node: to what a gradient goes, and the gradient that the rule gives; the first reading counts."""
    rule = RULES.get(view.node)
    try:
        told = (
            None
            if rule is None
            else rule(_Changed(**{field.name: getattr(view, field.name) for field in fields(view)}))
        )
        first = told if isinstance(told, Explanation) or told is None else next(iter(told), None)
        return {
            place: (share.target.name, _gradient(share.grid, view.incoming, share.target.shape, share))
            for place, share in enumerate(first.shares if first is not None else ())
            if share is not None
        }
    except (LookupError, ArithmeticError, ValueError, TypeError):
        return {}


def _gradient(grid: Grid, incoming: Grid, shape: tuple[int, ...], share: object) -> Grid:
    return grid if isinstance(share, Product) else (incoming * grid).sum_to(shape)


def _grid(values: Grid) -> str:
    return words.grid(values) or words.value(list(values.flat))
