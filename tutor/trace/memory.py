"""The memory that autograd keeps for backward passes: at each step of a recording, by node and by module.

A node keeps the storages of the tensors that it saves, until a pass frees them or the node is gone. A storage that
several nodes keep is counted once, as a whole; so are parameters, which would be there without autograd.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from weakref import WeakKeyDictionary

from tutor.trace import events as ev
from tutor.trace.frame_store import STEP_TYPES
from tutor.trace.graph import is_freed
from tutor.trace.history import EVENTS_PER_READ
from tutor.trace.index import Point
from tutor.trace.names import PARAMETER
from tutor.trace.replay import Replay
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import itemsize

Place = int | tuple[int, int]
"""Memory that a node keeps: a storage; where that is unknown, a node and the place among what it saves."""


class KeptMemory:
    """The bytes that autograd keeps after each step of a recording, which may grow."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._replay = Replay(State(), timeline.definitions)
        self._frame = self._step = 0
        self._sizes: dict[Place, int] = {}
        """Bytes, as far as tensors show them: of what is or was kept, and of the storages of living tensors."""
        self._prune_at = 4096
        self._ever: set[Place] = set()
        """What was kept at some step."""
        self._kept: dict[int, list[Place]] = {}
        """By node: what it keeps."""
        self._keepers: dict[Place, int] = {}
        """By what is kept: the number of nodes that keep it."""
        self._without: list[int] = []
        """Nodes of the last operation that keep nothing yet: the nodes inside it get their tensors with its last."""
        self._operation = 0
        self._bytes = 0
        self._steps, self._values = array("I"), array("Q")

    def read(self, max_events: int = EVENTS_PER_READ) -> bool:
        """Read about `max_events` more events. Return whether all events so far are read."""
        frames = self._timeline.frames
        until = frames.events_before[self._frame] + max_events if self._frame < len(frames) else 0
        while self._frame < len(frames) and frames.events_before[self._frame] < until:
            for event in frames.once(self._frame).events:
                kind = type(event)
                if kind in STEP_TYPES:
                    self._end_step()
                    self._step += 1
                if kind in _APPLIED:
                    self._replay.run((event,))
                    self._count(event)
            self._frame += 1
        self._end_step()
        return self._frame >= len(frames)

    def at(self, step: int) -> int:
        """Return the bytes kept after a step, as far as the recording has been read."""
        place = bisect_right(self._steps, step)
        return self._values[place - 1] if place else 0

    def points(self) -> list[Point]:
        """Return the curve: a point for each step that changed the bytes, and one for the last step read."""
        points = [Point(step, step, float(value)) for step, value in zip(self._steps, self._values, strict=True)]
        if points and points[-1].step < self._step:
            points.append(Point(self._step, self._step, points[-1].value))
        return points

    @property
    def revision(self) -> int:
        """A number that changes when the curve has grown."""
        return self._step

    def kept_by(self, state: State, *nodes: NodeState) -> int:
        """Return the bytes that some nodes keep in a state; other nodes may keep the same."""
        places: dict[Place, int] = {}
        for node in nodes:
            places |= {} if node.gone or is_freed(state, node) else dict(_places_of(node))
        return sum(self._sizes.get(place, saved) for place, saved in places.items())

    def by_node(self, state: State) -> dict[int, int]:
        """Return the bytes that each node keeps in a state; what several nodes keep is counted at the first."""
        seen: set[Place] = set()
        kept = {}
        for node in state.nodes.values():
            places = {} if node.gone or is_freed(state, node) else dict(_places_of(node))
            size = sum(self._sizes.get(place, saved) for place, saved in places.items() if place not in seen)
            seen.update(places)
            if size:
                kept[node.node] = size
        return kept

    def by_module(self, state: State) -> dict[int | None, int]:
        """Return the bytes that the nodes of each module keep, with those of the modules inside it; None: of all."""
        kept: dict[int | None, int] = {}
        for number, size in self.by_node(state).items():
            module = state.nodes[number].module
            while module is not None and module in state.modules:
                kept[module] = kept.get(module, 0) + size
                module = state.modules[module].parent
            kept[None] = kept.get(None, 0) + size
        return kept

    def is_complete(self, state: State) -> bool:
        """Return whether it is known what all nodes in a state keep.

        It is not known of nodes made in a pass with `create_graph`, of Functions that no recorded operation called, and
        under the program's saved-tensor hooks.
        """
        return not any(
            node.saved and not node.kept and self._is_unknown(node) and not (node.gone or is_freed(state, node))
            for node in state.nodes.values()
        )

    def _is_unknown(self, node: NodeState) -> bool:
        """Return whether it is not known what a node saves, if it is not known to save anything."""
        if node.of_pass is not None or node.saved == ["tensors"]:
            return True
        return bool(node.operation) and (node.site, node.name) not in self._timeline.definitions.saved

    # ------------------------------------------------------------ counting

    def _end_step(self) -> None:
        if self._values and self._values[-1] == self._bytes:
            return
        if self._steps and self._steps[-1] == self._step:
            self._values[-1] = self._bytes
        elif self._bytes or self._steps:
            self._steps.append(self._step)
            self._values.append(self._bytes)

    def _count(self, event: ev.Event) -> None:
        state = self._replay.state
        if isinstance(event, ev.Snapshot):
            self._set_size(event.storage, state.tensors.get(event.tensor))
        elif isinstance(event, ev.GraphNode):
            if state.operations != self._operation:
                self._operation, self._without = state.operations, []
            self._without.append(event.node)
            self._without = [number for number in self._without if not self._keep(state.nodes.get(number))]
        elif isinstance(event, ev.Freed):
            self._release(event.nodes)
        elif isinstance(event, (ev.Node, ev.Accumulate)) and state.last_pass is not None:
            if not state.last_pass.retain_graph:
                self._release(state.last_pass.ran[-2:-1])
        elif isinstance(event, ev.BackwardEnd):
            last = state.last_pass
            if last is not None and last.number == event.number and not last.retain_graph:
                self._release(last.ran)

    def _set_size(self, storage: int | None, tensor: TensorState | None) -> None:
        if storage is not None and tensor is not None:
            self._enlarge(storage, _extent(tensor))
        if len(self._sizes) > self._prune_at:
            alive = {tensor.storage for tensor in self._replay.state.tensors.values()}
            self._sizes = {place: size for place, size in self._sizes.items() if place in self._ever or place in alive}
            self._prune_at = 4096 + 2 * len(self._sizes)

    def _enlarge(self, place: Place, size: int) -> None:
        previous = self._sizes.get(place, 0)
        if size > previous:
            self._sizes[place] = size
            if place in self._keepers:
                self._bytes += size - previous

    def _keep(self, node: NodeState | None) -> bool:
        """Count what a node keeps; return whether it is known to keep anything."""
        if node is None or not node.kept or node.node in self._kept:
            return False
        places = _places_of(node)
        for place, saved in places:
            self._enlarge(place, saved)
        self._kept[node.node] = list(dict(places))
        for place in self._kept[node.node]:
            self._keepers[place] = count = self._keepers.get(place, 0) + 1
            if count == 1:
                self._ever.add(place)
                self._bytes += self._sizes.get(place, 0)
        return True

    def _release(self, nodes: Iterable[int]) -> None:
        for number in nodes:
            for place in self._kept.pop(number, ()):
                self._keepers[place] -= 1
                if not self._keepers[place]:
                    del self._keepers[place]
                    self._bytes -= self._sizes.get(place, 0)


_APPLIED = frozenset(
    (ev.Op, ev.Snapshot, ev.Gone, ev.GraphNode, ev.Node, ev.Accumulate, ev.Freed, ev.Backward, ev.BackwardEnd,
     ev.Retained, ev.Captured, ev.Cut)
)  # fmt: skip
"""Events that say which tensors nodes keep."""


def _extent(tensor: TensorState) -> int:
    """Return the bytes of a storage up to the last element of a tensor."""
    if not prod(tensor.shape):
        return 0
    strides = tensor.strides
    if strides is None:
        return prod(tensor.shape) * itemsize(tensor.dtype)
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, strides, strict=True))
    return (tensor.storage_offset + last + 1) * itemsize(tensor.dtype)


def _places_of(node: NodeState) -> list[tuple[Place, int]]:
    """Return what a node saved, each with the bytes of the saved tensor; the same place may be there twice."""
    return [
        ((node.node, index) if storage is None else storage, size)
        for index, (_name, _tensor, _version, size, storage) in enumerate(node.kept)
    ]


_memories: WeakKeyDictionary[Timeline, KeptMemory] = WeakKeyDictionary()


def memory_of(timeline: Timeline) -> KeptMemory:
    """Return the memory of a recording, of which nothing has been read at first."""
    memory = _memories.get(timeline)
    if memory is None:
        memory = _memories[timeline] = KeptMemory(timeline)
    return memory


@dataclass(frozen=True)
class LiveMemory:
    """The bytes of the parameters that exist in a state, of their gradients, and of the state of optimizers.

    A storage of several is counted once, as the first of these."""

    parameters: int
    gradients: int
    optimizer: int


def live_memory(state: State) -> LiveMemory:
    """Return the bytes of what is there between two passes."""
    parameters = [
        number
        for number, tensor in state.tensors.items()
        if tensor.class_name == PARAMETER or (tensor.requires_grad and tensor.is_leaf)
    ]
    names = (info.tensors.get(parameter, {}) for info in state.optimizers.values() for parameter in info.tensors)
    totals, seen = [], set[Place]()
    for numbers in (parameters, list(state.grad_of), [number for tensors in names for number in tensors.values()]):
        sizes: dict[Place, int] = {}
        for number in numbers:
            tensor = state.tensors.get(number)
            if tensor is not None:
                place = (0, number) if tensor.storage is None else tensor.storage
                sizes[place] = max(sizes.get(place, 0), _extent(tensor))
        totals.append(sum(size for place, size in sizes.items() if place not in seen))
        seen.update(sizes)
    return LiveMemory(*totals)
