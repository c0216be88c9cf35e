"""What nodes keep for their backward: whose it is, whether it still fits, and what follows from that.

Values changed where autograd could not see it: when they are, and what a node that ran on them sent, beside what is
right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from tutor.explain import formatting
from tutor.explain.formatting import label
from tutor.explain.provenance import RecordedOp, as_grid, grid_of, maker
from tutor.explain.rules.arrays import Grid, agree
from tutor.explain.rules.registry import RULES, Explanation, NodeView, Operand, Product
from tutor.explain.verify import arrival, is_inner, view_of
from tutor.i18n import N_, _, ngettext
from tutor.trace.events import Failed, Node, Snapshot
from tutor.trace.index import KIND_NUMBERS
from tutor.trace.names import name_of
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

_PARTS = {
    "self": N_("its input"), "input": N_("its input"), "other": N_("its second input"),
    "result": N_("its result"), "mat1": N_("its first matrix"), "mat2": N_("its second matrix"),
    "weight": N_("its weight"), "target": N_("its target"), "output": N_("its result"),
    "mask": N_("its mask"), "index": N_("its index"), "indices": N_("its indices"),
}  # fmt: skip
"""Under these names nodes keep what has no name of the learner's."""
_FAILED = KIND_NUMBERS["failed"]
_CHANGED = "has been modified by an inplace operation"
_FAILURES, _PASSES = 20, 20
"""So many failures after a change, and passes before it, are looked at."""
_NAMED = 3
"""So many nodes are named; of more it is said how many."""


@dataclass(frozen=True)
class Kept:
    """A tensor that a node keeps."""

    node: NodeState
    name: str
    """Under which the node keeps it: `self`, `other`, `result`."""
    tensor: int
    """0: one of the node's own."""
    bytes: int
    version: int | None
    """The tensor's version when it was kept."""
    now: int | None
    storage: int | None
    freed: bool

    @property
    def fits(self) -> bool:
        """Whether the tensor has the version that was kept; what nobody can reach any more does."""
        return self.version is None or self.now is None or self.now == self.version


def kept_by(state: State, node: NodeState) -> list[Kept]:
    """What a node keeps, or kept until it let go of it; nothing where that is not known."""
    freed = is_freed(state, node)
    return [
        Kept(node, name, tensor, size, version, version_of(state, tensor, storage), storage, freed)
        for name, tensor, version, size, storage in node.kept
    ]


def is_freed(state: State, node: NodeState) -> bool:
    """Whether a node has let go of what it kept: in a pass that does not retain its graph, right after it ran."""
    last = state.last_pass
    if node.state == "freed" or last is None:
        return node.state == "freed"
    return last.running and not last.retain_graph and bool(node.order) and last.ran[-1:] != [node.node]


def version_of(state: State, tensor: int, storage: int | None) -> int | None:
    """The version of a tensor now. All views of a storage share their counter: of one that is gone, as a result within
    an expression soon is, the living ones tell."""
    held = state.tensors.get(tensor)
    own = None if held is None else held.version
    if storage is None or (held is not None and held.storage != storage):
        return own
    if held is not None and held.is_leaf and held.requires_grad:
        return own  # another leaf may have the same memory and a counter of its own: `nn.Parameter(w.data)`
    results, leaves = (_versions(state).get((storage, is_leaf)) for is_leaf in (False, True))
    of_leaves = leaves if held is None or not held.is_leaf else None
    return max((one for one in (own, results, of_leaves) if one is not None), default=None)


_latest: tuple[State, dict[tuple[int, bool], int]] | None = None


def _versions(state: State) -> dict[tuple[int, bool], int]:
    """The highest version of what requires grad in each storage, of results and of leaves. That of the state asked for
    last is kept."""
    global _latest
    if _latest is None or _latest[0] is not state:
        found: dict[tuple[int, bool], int] = {}
        for tensor in state.tensors.values():
            if tensor.requires_grad and tensor.storage is not None and tensor.version is not None:
                key = tensor.storage, bool(tensor.is_leaf)
                found[key] = max(tensor.version, found.get(key, 0))
        _latest = state, found
    return _latest[1]


def what(state: State, kept: Kept) -> str:
    """What to call a tensor that is kept: the learner's name for it, else what it is to the node."""
    return (name_of(state, kept.tensor) if kept.tensor else None) or _(_PARTS.get(kept.name, kept.name))


def whose(state: State, node: NodeState, tensor: int = 0) -> str:
    """`MulBackward0 of y`; the node's name alone where that is the very tensor spoken of, or has no name."""
    made = None if node.tensor is None or node.tensor == tensor else name_of(state, node.tensor)
    return _("{node} of {tensor}", node=node.name, tensor=made) if made is not None else node.name


def _views(state: State, kept: Kept) -> Iterator[int]:
    """Whatever looks into the memory that is kept."""
    return (number for number, one in state.tensors.items() if kept.storage is not None and one.storage == kept.storage)


def holders(state: State, touched: set[int]) -> Iterator[Kept]:
    """What nodes keep now of these tensors, and of those gone that shared their memory."""
    memory = {state.tensors[number].storage for number in touched if number in state.tensors} - {None}
    for node in state.nodes.values():
        for _place, tensor, _version, _part, storage in node.kept:
            if tensor in touched or storage in memory:
                break
        else:
            continue
        if not is_freed(state, node):
            yield from kept_by(state, node)


def touched(timeline: Timeline, since: int, step: int) -> set[int]:
    """The tensors that have another version or value after a step than after step `since`."""
    told = [
        event
        for between in range(since + 1, step + 1)
        for event in timeline.following(between)
        if isinstance(event, Snapshot)
    ]
    if not told:
        return set()
    before = timeline.state(since).tensors
    return {
        event.tensor
        for event in told
        if (old := before.get(event.tensor)) is not None and (event.value is not None or event.version != old.version)
    }


# ---------------------------------------------------------------- a change of what is kept


def broken(timeline: Timeline, since: int, step: int, changed: set[int]) -> list[Kept]:
    """What was kept and no longer fits after a step, but did after step `since`; `changed` is what was `touched`."""
    before, after = timeline.state(since), timeline.state(step)
    return [
        kept
        for kept in holders(after, changed)
        if kept.tensor and not kept.fits and kept.node.node in before.nodes
        and version_of(before, kept.tensor, kept.storage) == kept.version
    ]  # fmt: skip


def fails_on(timeline: Timeline, step: int) -> set[int]:
    """The nodes that passes after a step, which failed on what was changed in place, had still to run."""
    found: set[int] = set()
    at = step
    for _failure in range(_FAILURES):
        at = timeline.columns.kinds.find(_FAILED, at) + 1
        if not at:
            break
        event = timeline.event(at)
        if isinstance(event, Failed) and _CHANGED in event.message:
            state = timeline.state(at)
            found |= state.shown.difference(() if state.last_pass is None else state.last_pass.ran)
    return found


def fails(timeline: Timeline, step: int, kept: Kept) -> bool:
    """Whether a later pass of this recording fails on what is kept and no longer fits."""
    return not kept.fits and kept.node.node in fails_on(timeline, step)


def says_broken(timeline: Timeline, step: int, found: list[Kept]) -> list[tuple[str, str]]:
    """A sentence for each tensor that does not fit any more, and its role: whether a pass fails on it, or one would. Of
    a leaf, which is to be changed, and of what a pass went through, it is said only where one does."""
    if not found:
        return []
    state, failing = timeline.state(step), fails_on(timeline, step)
    said: list[tuple[str, str]] = []
    for certain in (True, False):
        by_tensor: dict[int, list[Kept]] = {}
        for kept in found:
            if (kept.node.node in failing) == certain and (certain or _awaits_a_pass(timeline, step, kept)):
                by_tensor.setdefault(kept.tensor, []).append(kept)
        said += [
            (_says_broken(state, several, certain=certain), "error" if certain else "quiet")
            for several in by_tensor.values()
        ]
    return said


def _awaits_a_pass(timeline: Timeline, step: int, kept: Kept) -> bool:
    """Whether a pass through the node can still be meant: none has been, and no leaf was changed."""
    state = timeline.state(step)
    if any(one.storage == kept.storage and one.is_leaf and one.requires_grad for one in state.tensors.values()):
        return False
    earlier = [info for info in timeline.passes if info.end_step is not None and info.end_step <= step]
    passes = (timeline.state(info.end_step or 0).last_pass for info in earlier[-_PASSES:])
    return not any(last is not None and kept.node.node in last.ran for last in passes)


def _says_broken(state: State, several: list[Kept], *, certain: bool) -> str:
    first, name = several[0], name_of(state, several[0].tensor)
    if name is None:
        views = {one: named for one in _views(state, first) if (named := name_of(state, one)) is not None}
        leaf = next((named for one, named in views.items() if state.tensors[one].is_leaf), None)
        view = next(iter(views.values()), None)
        name = what(state, first) if view is None else leaf or _("the storage of {tensor}", tensor=view)
    told = (
        _("{tensor} was kept by {nodes} at version {old} and is now at version {new}: backward will fail")
        if certain
        else _("{tensor} was kept by {nodes} at version {old} and is now at version {new}: backward would fail")
    )
    return told.format(tensor=name, nodes=nodes(state, several), old=first.version, new=first.now)


def nodes(state: State, several: list[Kept]) -> str:
    named = list({one.node.node: whose(state, one.node, one.tensor) for one in several}.values())
    return formatting.joined([*named[:_NAMED], *_more(len(named) - _NAMED)])


def _more(count: int) -> list[str]:
    return [ngettext("{count} more node", "{count} more nodes", count)] if count > 0 else []


def is_read(timeline: Timeline, kept: Kept) -> bool:
    """Whether the node's backward reads what it keeps: a batch norm in training keeps its running statistics, and goes
    by those of the batch. It is in training where its own operation wrote to them."""
    if kept.name not in ("running_mean", "running_var"):
        return True
    made = timeline.operation(kept.node)
    events = [] if made is None else timeline.following(made)
    return not any(isinstance(event, Snapshot) and event.tensor == kept.tensor for event in events)


def differ(old: object, new: object) -> bool:
    """Whether two values that are known in full differ."""
    if old is new or old is None or new is None:
        return False
    was, now = elements(old), elements(new)
    if was is None or now is None:
        return False
    return len(was) != len(now) or any(a != b and not (a != a and b != b) for a, b in zip(was, now, strict=True))


# ---------------------------------------------------------------- a second pass


def second_pass(state: State) -> str | None:
    """After a pass: why a second one through the same graph would fail, or why it would not; None where that is not
    known, or nobody could start one."""
    last = state.last_pass
    if last is None or last.running or last.retain_graph:
        return None
    roots = [state.tensors[root].node for root in last.roots if root in state.tensors]
    if not any(root is not None and root in state.nodes and not state.nodes[root].gone for root in roots):
        return None
    ran = _ran(state)
    keepers = [node for node in ran if node.kept]
    if keepers:
        said = [
            _("{node} had saved {tensors}", node=whose(state, node), tensors=_saved(state, node))
            for node in keepers[:_NAMED]
        ]
        why = formatting.clauses([*said, *_more(len(keepers) - _NAMED)])
        return _("a second pass would fail: {why}", why=why)
    if saved_nothing(state):
        return _(
            "a second pass would not fail, it would add to the gradients again: {nodes} saved nothing",
            nodes=_names(ran),
        )
    return None


def saved_nothing(state: State) -> bool:
    """Whether no node of the last pass had saved anything, as far as that is known."""
    ran, last = _ran(state), state.last_pass
    known = last is not None and all(number in state.nodes for number in last.ran)
    return known and bool(ran) and not any(node.saved for node in ran)


def _ran(state: State) -> list[NodeState]:
    """The nodes that ran in the last pass; not those that write the gradients."""
    numbers = [] if state.last_pass is None else state.last_pass.ran
    ran = [state.nodes[number] for number in dict.fromkeys(numbers) if number in state.nodes]
    return [node for node in ran if node.name != "AccumulateGrad"]


def _names(nodes: list[NodeState]) -> str:
    named = list(dict.fromkeys(node.name for node in nodes))
    return formatting.joined(named) if len(named) <= _NAMED else _("its nodes")


def _saved(state: State, node: NodeState) -> str:
    kept = sorted(kept_by(state, node), key=lambda one: one.name != "self")  # in the order in which one writes them
    named = list(dict.fromkeys(what(state, one) for one in kept))
    if named[:2] == [_(_PARTS["self"]), _(_PARTS["other"])]:
        named[:2] = [_("both its inputs")]
    return formatting.joined(named)


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
            told, tensor=_called(after, several[0]), nodes=nodes(after, several),
            old=formatting.value(was.value, was.dtype), version=now.version, new=formatting.value(now.value, now.dtype),
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
    return _("{changed}: {what}", changed=begin, what=formatting.clauses(told))


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
    said = formatting.clauses(
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
    return formatting.grid(values) or formatting.value(list(values.flat))
