"""What nodes keep for their backward: whose it is, whether it still fits, and what follows from that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tutor.explain import words
from tutor.i18n import N_, _, ngettext
from tutor.trace.events import Failed, Snapshot
from tutor.trace.index import KIND_NUMBERS
from tutor.trace.names import name_of
from tutor.trace.state import NodeState, State
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
    return words.joined([*named[:_NAMED], *_more(len(named) - _NAMED)])


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
        why = words.clauses([*said, *_more(len(keepers) - _NAMED)])
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
    return words.joined(named) if len(named) <= _NAMED else _("its nodes")


def _saved(state: State, node: NodeState) -> str:
    kept = sorted(kept_by(state, node), key=lambda one: one.name != "self")  # in the order in which one writes them
    named = list(dict.fromkeys(what(state, one) for one in kept))
    if named[:2] == [_(_PARTS["self"]), _(_PARTS["other"])]:
        named[:2] = [_("both its inputs")]
    return words.joined(named)
