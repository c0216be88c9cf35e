"""What a node had kept and was written to before the pass came to it: which node's, and by which step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tutor.explain.keeping import Kept, kept_by, version_of
from tutor.explain.mistakes.scene import FailureContext
from tutor.trace.events import Snapshot
from tutor.trace.state import NodeState, State, TensorState

_FARTHEST = 5_000
"""So many steps are gone through for the last version of a tensor that was collected."""
_BYTES = {"Float": 4, "Double": 8, "Half": 2, "BFloat16": 2, "ComplexFloat": 8, "ComplexDouble": 16, "Long": 8}
"""By the type in torch's message: how many bytes an element has."""


@dataclass(frozen=True)
class Overwritten:
    """A tensor that a node had kept, and the step that wrote to it first."""

    kept: Kept
    made: int | None
    """The step of the operation that made the node."""
    step: int


@dataclass(frozen=True)
class Told:
    """What torch's message says of the tensor."""

    type: str
    shape: tuple[int, ...]
    then: int
    now: int


def all_overwritten(scene: FailureContext) -> list[Kept]:
    """What the nodes that the failed pass had still to run keep, where it has been written to."""
    state = scene.stopped
    held = (kept for node in _waiting(state) for kept in kept_by(state, node))
    told = (_with_last_version(scene, kept) for kept in held if not kept.freed and kept.storage is not None)
    return [kept for kept in told if not kept.fits]


def _with_last_version(scene: FailureContext, kept: Kept) -> Kept:
    """With the last version of what was collected since, as a local of a function is; the node holds its memory."""
    if kept.now is not None or kept.version is None:
        return kept
    made = scene.timeline.columns.operation(kept.node.operation or kept.node.within)
    versions = [version for _, version in _versions(scene, kept, made or 0)]
    return replace(kept, now=versions[-1]) if versions else kept


def _versions(scene: FailureContext, kept: Kept, since: int) -> Iterator[tuple[int, int]]:
    """The steps after which a result that has the kept memory was looked at, and its version."""
    for step in range(since + 1, min(scene.step, since + _FARTHEST)):
        for event in scene.timeline.following(step):
            if not isinstance(event, Snapshot) or event.storage != kept.storage or event.version is None:
                continue
            if event.tensor == kept.tensor or event.node is not None:
                yield step, event.version


def overwritten(scene: FailureContext, told: Told) -> Overwritten | None:
    """What torch's message speaks of; None where that is not known."""
    state = scene.stopped
    found = [kept for kept in all_overwritten(scene) if (kept.version, kept.now) == (told.then, told.now)]
    ready = _ready(state)
    narrower: tuple[Callable[[Kept], bool], ...] = (
        lambda kept: kept.node.node in ready,
        lambda kept: _has_shape(state, kept, told.shape),
        lambda kept: kept.bytes == math.prod(told.shape) * _BYTES.get(told.type, 0),
    )
    for fits in narrower:
        found = [kept for kept in found if fits(kept)] or found
    if not found:
        return None
    last = max(found, key=lambda kept: kept.node.sequence)
    made = scene.timeline.columns.operation(last.node.operation or last.node.within)
    return Overwritten(last, made, first_write(scene, last, made or 0))


def first_write(scene: FailureContext, kept: Kept, since: int) -> int:
    """The first step after which a tensor has another version than the one that was kept: versions only grow."""
    if version_of(scene.stopped, kept.tensor, kept.storage) is None:
        later = (step for step, version in _versions(scene, kept, since) if version > (kept.version or 0))
        return next(later, scene.step)
    first, last = since, scene.step
    while last - first > 1:
        middle = (first + last) // 2
        version = version_of(scene.timeline.state(middle), kept.tensor, kept.storage)
        if version is None or version <= (kept.version or 0):
            first = middle
        else:
            last = middle
    return last


def owner(scene: FailureContext, kept: Kept, step: int) -> TensorState | None:
    """The tensor that the memory belongs to, as the learner knows it: the leaf, else the largest one, with a name if
    there is one."""
    state = scene.timeline.state(step)
    sharing = [one for one in state.tensors.values() if one.storage == kept.storage]
    leaf = next((one for one in sharing if one.is_leaf and one.requires_grad), None)
    if leaf is not None:
        return leaf
    named = [one for one in sharing if scene.name(one.tensor) is not None] or sharing
    return max(named, key=lambda one: (math.prod(one.shape), one.tensor == kept.tensor, -one.tensor), default=None)


def _waiting(state: State) -> list[NodeState]:
    ran = set(state.last_pass.ran) if state.last_pass is not None else set()
    return [state.nodes[number] for number in sorted(state.shown - ran) if number in state.nodes]


def _ready(state: State) -> set[int]:
    """The nodes that were next: all that they send gradients for had run."""
    waiting = {node.node for node in _waiting(state)}
    blocked = {source[0] for number in waiting for source in state.nodes[number].inputs if source is not None}
    return waiting - blocked


def _has_shape(state: State, kept: Kept, shape: tuple[int, ...]) -> bool:
    held = state.tensors.get(kept.tensor)
    return held is not None and sorted(held.shape) == sorted(shape)
