"""Values changed where autograd could not see it: when they are, and what a node that ran on them sent, beside what is
right."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from tutor.explain import words
from tutor.explain.called import label
from tutor.explain.claims import arrival, is_inner, view_of
from tutor.explain.grid import Grid, agree
from tutor.explain.keeping import Kept, differ, holders, is_read, kept_by, nodes, what
from tutor.explain.origin import RecordedOp, as_grid, grid_of, maker
from tutor.explain.rules import RULES, Explanation, NodeView, Operand, Product
from tutor.i18n import N_, _
from tutor.trace.events import Node
from tutor.trace.index import KIND_NUMBERS
from tutor.trace.names import name_of
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

_NODE = KIND_NUMBERS["node"]


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


# ---------------------------------------------------------------- when they are changed


def unseen(timeline: Timeline, since: int, step: int, changed: set[int]) -> list[tuple[str, str]]:
    """What was kept and changed between two steps without a new version, so that autograd cannot see it, and the role
    of the sentence; nothing of what makes no difference to the gradient."""
    before, after = timeline.state(since), timeline.state(step)
    found: dict[tuple[int, bool], list[Kept]] = {}
    for kept in holders(after, changed):
        old, new = before.tensors.get(kept.tensor), after.tensors.get(kept.tensor)
        if old is None or new is None or old is new or kept.node.node not in before.nodes or not kept.fits:
            continue
        if old.version != new.version or _own_copy(kept, new) or not is_read(timeline, kept):
            continue
        if differ(old.value, new.value):
            ran = _next_run(timeline, kept.node.node, step)
            if ran is None or unseen_at(timeline, ran) is not None:
                found.setdefault((kept.tensor, ran is not None), []).append(kept)
    said = []
    for (number, runs), several in found.items():
        was, now = before.tensors[number], after.tensors[number]
        told = (
            N_("{tensor} was kept by {nodes} as {old}, and its version stays {version}: autograd cannot see the "
                  "change, backward will use {new}")
            if runs
            else N_("{tensor} was kept by {nodes} as {old}, and its version stays {version}: autograd cannot see "
                       "the change, backward would use {new}")
        )  # fmt: skip
        text = _(
            told, tensor=_called(after, several[0]), nodes=nodes(after, several), old=words.value(was.value, was.dtype),
            version=now.version, new=words.value(now.value, now.dtype),
        )  # fmt: skip
        said.append((text, "error" if runs else "quiet"))
    return said


def _next_run(timeline: Timeline, node: int, since: int) -> int | None:
    """The step after a step at which a node runs next."""
    at = since
    while at := timeline.columns.kinds.find(_NODE, at) + 1:
        event = timeline.event(at)
        if isinstance(event, Node) and event.node == node:
            return at
    return None


def _own_copy(kept: Kept, tensor: TensorState) -> bool:
    """Whether the node still has the old memory: of its own result, when that was given other (`y.data = …`)."""
    return tensor.storage != kept.storage and kept.node.tensor == kept.tensor and not tensor.is_leaf


def _called(state: State, kept: Kept) -> str:
    """The name of what is kept; of what has none and looks into a leaf's memory, by the name of that."""
    named, held = name_of(state, kept.tensor), state.tensors.get(kept.tensor)
    if named is not None or held is None:
        return what(state, kept)
    for leaf in state.tensors.values():
        name = name_of(state, leaf.tensor) if leaf.storage == kept.storage and leaf.is_leaf else None
        if name is not None:
            turned = (
                len(leaf.shape) == 2 and held.shape == leaf.shape[::-1] and held.strides == (leaf.strides or ())[::-1]
            )
            return f"{name}.T" if turned else _("a view of {tensor}", tensor=name)
    return what(state, kept)


# ---------------------------------------------------------------- at the node


def unseen_at(timeline: Timeline, step: int) -> str | None:
    """At the step of a node that kept something which changed under the same version: what came of that."""
    wrong = _wrong_at(timeline, step)
    if wrong is None:
        return None
    begin, found = wrong
    if found is None:
        return _("{changed}: the gradient may not be the true one", changed=begin)
    info = timeline.pass_of(step)
    earlier = range(info.start_step + 1 if info is not None else step, step)
    arrived_wrong = any(_wrong_at(timeline, at) is not None for at in earlier)
    template = (
        N_("grad({target}) = {sent}, and {true} with what it had kept")
        if arrived_wrong
        else N_("grad({target}) = {sent}, where {true} is right")
    )
    each = [_(template, target=one.target, sent=_grid(one.sent), true=_grid(one.true)) for one in found]
    told = list(dict.fromkeys(each))  # of k·k both factors get the same
    return _("{changed}: {what}", changed=begin, what=words.clauses(told))


def _wrong_at(timeline: Timeline, step: int) -> tuple[str, list[Wrong] | None] | None:
    """What a node that ran had kept and was changed unseen, in words, and each gradient that came out wrong; None in
    its place where that is not known."""
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
            _("{tensor} was {old} when {node} kept it and is {new}", tensor=name, old=_grid(was), node=node.name,
               new=_grid(now))
            for name, was, now in changed.values()
        ]
    )  # fmt: skip
    begin = _("{what}, changed where autograd cannot see it", what=said)
    found = _wrong(state, node, event, made, {number: now for number, (_, _, now) in changed.items()})
    if found is None:
        return begin, None
    scale = _scale(event)
    wrong = [one for one in found if not agree(one.true, one.sent, made.dtype, scale)]
    return (begin, wrong) if wrong else None


def _scale(event: Node) -> float:
    """How large the numbers are that the gradients were worked out with."""
    values = [elements(value) or () for value in event.grad_outputs]
    return max((abs(x) for flat in values for x in flat if isinstance(x, int | float)), default=0.0)


def _changed(timeline: Timeline, state: State, node: NodeState, made: RecordedOp) -> dict[int, tuple[str, Grid, Grid]]:
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
            found[kept.tensor] = (_called(state, kept), was, grid)
    return found


def _wrong(state: State, node: NodeState, event: Node, made: RecordedOp, now: dict[int, Grid]) -> list[Wrong] | None:
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
