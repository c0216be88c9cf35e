"""Tensors that look into one memory, and when it was written last.

What something held over time, an entry for each step at which it changed.

Reading a recording from its beginning for what became of one thing in it: a tensor, a name, a node.

A whole recording of 40,000 steps takes some 30 ms; of a longer one a part is read at a time."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import Any, Protocol

from tutor.trace import events as ev
from tutor.trace.frame_store import STEP_TYPES
from tutor.trace.names import MODULE, names_of, placeholder_name
from tutor.trace.navigation import forward
from tutor.trace.state import FrameState, NodeState, State
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements
from tutor.trace.wire_types import Value


def sharing(state: State, tensor: int) -> list[int]:
    """The other tensors that share a tensor's storage."""
    held = state.tensors.get(tensor)
    if held is None or held.storage is None:
        return []
    return [number for number, one in state.tensors.items() if one.storage == held.storage and number != tensor]


def views(state: State, frame: FrameState | None = None) -> dict[str, list[str]]:
    """By the name of a tensor in a frame (by default the innermost): the names of others there that share its
    storage."""
    named = names_of(state, frame)
    by_storage: dict[int, list[str]] = {}
    for name, number in named.items():
        storage = state.tensors[number].storage
        if storage is not None:
            by_storage.setdefault(storage, []).append(name)
    found: dict[str, list[str]] = {}
    for name, number in named.items():
        together = by_storage.get(state.tensors[number].storage or 0, ())
        found[name] = [other for other in together if named[other] != number]
    return found


def last_write(timeline: Timeline, step: int, tensor: int) -> int | None:
    """The step of the last operation that wrote into a tensor's storage and so raised its version, itself or through
    another view. None: nobody has since the oldest of them was made."""
    state = timeline.state(step)
    held = state.tensors.get(tensor)
    if held is None or not held.version:
        return None
    views = [number for number in sharing(state, tensor) if state.tensors[number].version == held.version]
    for number in (tensor, *views):
        found = _reached(timeline, step, number, held.version)
        if number in timeline.state(found - 1).tensors:  # else it was made with this version
            return found
    return None


def _reached(timeline: Timeline, step: int, tensor: int, version: int) -> int:
    """The first step after which a tensor had the version that it has at `step`: versions only grow."""
    first, last = 0, step
    while last - first > 1:
        middle = (first + last) // 2
        then = timeline.state(middle).tensors.get(tensor)
        if then is None or (then.version or 0) < version:
            first = middle
        else:
            last = middle
    return last


MAX_VALUES = 512
"""So many values of more than one number are kept at most; beyond, every second, every fourth, …"""


class ValueSeries:
    """All changes of a single number; of a tensor with more elements so many as `KEPT` says, and always the last."""

    def __init__(self) -> None:
        self.steps: array[int] = array("I")
        self.numbers: array[float] = array("d")
        """While every value is a single number or none (nan, and a gap): these."""
        self.gaps: set[int] = set()
        """Steps from which on it held nothing."""
        self.values: list[Value] = []
        """As soon as one is not: these instead, for the same steps."""
        self.changes = 0
        self.revision = 0
        """Another one whenever anything is other than before."""
        self.stride = 1
        """Every so-manieth change is kept."""
        self._single = True
        self._last: tuple[int, Value] | None = None
        self._empty = True

    @property
    def last(self) -> Value:
        """What it holds at the end."""
        return None if self._last is None else self._last[1]

    def add(self, step: int, value: Value) -> None:
        """From this step on it holds this. Of several in one step the last counts; None after nothing is no change."""
        if value is None and self._empty:
            return
        self._empty = False
        self.revision += 1
        again = self._last is not None and self._last[0] == step
        self._last = step, value
        (self.gaps.add if value is None else self.gaps.discard)(step)
        number = _number(value)
        if number is None and self._single:
            self._single = False
            self.values = [None if at in self.gaps else x for at, x in zip(self.steps, self.numbers, strict=True)]
            self.numbers = array("d")
            self._thin()
        if again:
            if self.steps and self.steps[-1] == step:
                if self._single and number is not None:
                    self.numbers[-1] = number
                else:
                    self.values[-1] = value
            return
        self.changes += 1
        if self._single and number is not None:
            self.steps.append(step)
            self.numbers.append(number)
        elif (self.changes - 1) % self.stride == 0:
            self.steps.append(step)
            self.values.append(value)
            self._thin()

    def _thin(self) -> None:
        while len(self.values) > MAX_VALUES:
            del self.steps[1::2], self.values[1::2]
            self.stride *= 2

    @property
    def single(self) -> bool:
        """Whether it is a single number at all times."""
        return self._single

    def points(self, measure: str = "mean", element: int | None = None) -> list[tuple[int, float]]:
        """The step and the number at each change: of a tensor the chosen element, else its `mean` or its `norm`.

        Where it held nothing there is no point.
        """
        if self._single:
            known = zip(self.steps, self.numbers, strict=True)
            return [(step, number) for step, number in known if step not in self.gaps]
        entries = list(zip(self.steps, self.values, strict=True))
        if self._last is not None and (not entries or entries[-1][0] < self._last[0]):
            entries.append(self._last)
        found = []
        for step, value in entries:
            number = reduce_value(value, measure) if element is None else _element(value, element)
            if number is not None:
                found.append((step, number))
        return found


def reduce_value(value: Value, measure: str) -> float | None:
    """The `mean` or the (Euclidean) `norm` of a value; of one that was only summed up, of its finite elements."""
    flat = elements(value)
    if flat is not None:
        try:
            numbers = [float(item) for item in flat]
        except (TypeError, ValueError):
            return None
        if not numbers:
            return None
        return math.sqrt(sum(x * x for x in numbers)) if measure == "norm" else sum(numbers) / len(numbers)
    stats, shape = (value.get("stats"), value.get("shape")) if isinstance(value, dict) else (None, None)
    if not isinstance(stats, dict) or not isinstance(shape, (list, tuple)):
        return None
    try:
        mean, std = float(stats["mean"]), float(stats["std"])
        if measure == "mean":
            return mean
        count = math.prod(shape) - int(stats["nan"]) - int(stats["inf"])
        return math.sqrt((count - 1) * std * std + count * mean * mean)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _element(value: Value, place: int) -> float | None:
    flat = elements(value)
    try:
        return None if flat is None else float(flat[place])
    except (IndexError, TypeError, ValueError):
        return None


def _number(value: Value) -> float | None:
    """The one number that a value is, nan where it is none; None for what has not exactly one element."""
    if value is None:
        return math.nan
    flat = elements(value)
    try:
        return float(flat[0]) if flat is not None and len(flat) == 1 else None
    except (TypeError, ValueError):
        return None


READ = 100_000
"""So many events are read at a time: what takes about 50 ms."""

Handlers = dict[type[ev.Event], Callable[[int, Any], None]]


class Collector(Protocol):
    """Somebody who takes note of some events, told with the step that they belong to."""

    handlers: Handlers


class Reader:
    """Reads on as a recording grows, for those who take note."""

    def __init__(self, timeline: Timeline, *takers: Collector) -> None:
        self._timeline = timeline
        self._frame = 0
        self.step = 0
        """How far it has read."""
        self._notes: dict[type[ev.Event], list[Callable[[int, Any], None]]] = {}
        for taker in takers:
            for kind, note in taker.handlers.items():
                self._notes.setdefault(kind, []).append(note)

    def read(self, most: int = READ) -> bool:
        """Read about so many events further; whether that was all that there is so far."""
        frames, notes, step = self._timeline.frames, self._notes, self.step
        until = frames.events_before[self._frame] + most if self._frame < len(frames) else 0
        while self._frame < len(frames) and frames.events_before[self._frame] < until:
            for event in frames[self._frame].events:
                kind = type(event)
                if kind in STEP_TYPES:
                    step += 1
                for note in notes.get(kind, ()):
                    note(step, event)
            self._frame += 1
        self.step = step
        return self._frame >= len(frames)


class Tracked:
    """What to follow: a name in a function (as `model.fc1.weight`), or where it has none one tensor object."""

    def __init__(self, name: str, function: str | None, tensor: int) -> None:
        self.name, self.function, self.tensor = name, function, tensor

    @property
    def key(self) -> tuple[object, ...]:
        """The same for the same thing to follow."""
        return (self.tensor,) if self.function is None else (self.function, self.name)


def track(timeline: Timeline, state: State, tensor: int) -> Tracked:
    """By which name a tensor is to be followed, seen from this point: that in the innermost function that has one. What
    never had a name is called by the code that made it."""
    for frame in reversed(state.frames):
        names = [name for name, number in names_of(state, frame).items() if number == tensor]
        if names:
            return Tracked(min(names, key=lambda name: not name.isidentifier()), frame.function, tensor)
    known = state.tensors.get(tensor)
    owner = state.tensors.get(state.grad_of.get(tensor, 0))
    if known is not None and known.label is None and owner is not None and owner.label is not None:
        return Tracked(f"{owner.label}.grad", None, tensor)
    node = None if known is None or known.node is None else state.nodes.get(known.node)
    made = "" if node is None or node.tensor != tensor else code_of(timeline, node)
    return Tracked((known.label if known is not None else None) or made or placeholder_name(tensor), None, tensor)


def code_of(timeline: Timeline, node: NodeState) -> str:
    """The expression that made what has no name. Inside a composite it is that of all of it: only its result is called
    by it."""
    site = timeline.sites.get(node.site)
    if site is None or (site.depth and not _is_result(timeline, node)):
        return ""
    return " ".join((timeline.book.code(site.file, site.span) or "").split())


def _is_result(timeline: Timeline, node: NodeState) -> bool:
    """Whether what a node made inside of a composite is what the composite gave."""
    step = timeline.operation(node)
    found = None if step is None else forward(timeline, step, 0)
    event = None if found is None or timeline.kind(found) != "op" else timeline.event(found)
    return isinstance(event, ev.Op) and node.tensor in event.outputs


class History:
    """What a tensor held over time, and its `.grad`: followed by its name, where it is bound anew in each turn."""

    def __init__(self, what: Tracked) -> None:
        self.what = what
        self.values, self.grads = ValueSeries(), ValueSeries()
        self.objects = 0
        """How many tensors had the name."""
        base = what.name.partition(".")[0].partition("[")[0]
        self._base, self._suffix = base, what.name[len(base) :]
        self._target: int | None = what.tensor if what.function is None else None
        self._group: int | None = None
        self._functions = {MODULE: "<module>"}
        self._groups: dict[int, list[tuple[str, int]]] = {}
        self._held: dict[int, Value] = {}
        """By tensor: what it holds."""
        self._grad: dict[int, int] = {}
        """By tensor: the one in its `.grad`."""
        self._owner: dict[int, int] = {}
        self.handlers: Handlers = {
            ev.Snapshot: self._snapshot, ev.Gone: self._gone, ev.Accumulate: self._accumulate,
            ev.Retained: self._retained, ev.Captured: self._captured,
        }  # fmt: skip
        if what.function is not None:
            self.handlers |= {ev.Bind: self._bind, ev.Group: self._in_group, ev.FrameStart: self._frame_start}

    # ------------------------------------------------------------ what the name means

    def _frame_start(self, step: int, event: ev.FrameStart) -> None:
        self._functions[event.frame] = event.function

    def _bind(self, step: int, event: ev.Bind) -> None:
        if event.name != self._base or self._functions.get(event.frame) != self.what.function:
            return
        if event.what == "tensor" and not self._suffix:
            self._aim(step, event.ref)
        elif event.what == "group" and self._suffix:
            self._group = event.ref
            self._look_up(step)

    def _in_group(self, step: int, event: ev.Group) -> None:
        self._groups[event.group] = event.items
        if event.group == self._group:
            self._look_up(step)

    def _look_up(self, step: int) -> None:
        items = self._groups.get(self._group or 0, ())
        found = next((tensor for suffix, tensor in items if suffix == self._suffix), None)
        if found is not None:
            self._aim(step, found)

    def _aim(self, step: int, tensor: int) -> None:
        if tensor != self._target:
            self._target = tensor
            self.objects += 1
            if tensor in self._held:
                self.values.add(step, self._held[tensor])
            self.grads.add(step, self._held.get(self._grad.get(tensor, 0)))

    # ------------------------------------------------------------ what it holds

    def _snapshot(self, step: int, event: ev.Snapshot) -> None:
        number, value, grad = event.tensor, event.value, event.grad
        if value is not None:
            self._held[number] = value
            if number == self._target:
                self.values.add(step, value)
            elif self._target is not None and self._grad.get(self._target) == number:
                self.grads.add(step, value)
        if grad != self._grad.get(number):
            self._hold(number, grad)
            if number == self._target:
                self.grads.add(step, None if grad is None else self._held.get(grad))

    def _hold(self, number: int, grad: int | None) -> None:
        old = self._grad.pop(number, None)
        if old is not None:
            self._owner.pop(old, None)
        if grad is not None:
            self._grad[number] = grad
            self._owner[grad] = number

    def _accumulate(self, step: int, event: ev.Accumulate) -> None:
        self._write(step, event.tensor, event.grad, event.new)

    def _retained(self, step: int, event: ev.Retained) -> None:
        self._write(step, event.tensor, event.grad, event.value)

    def _captured(self, step: int, event: ev.Captured) -> None:
        if event.result is not None:
            self._held[event.result] = event.value

    def _write(self, step: int, owner: int, grad: int, value: Value) -> None:
        self._held[grad] = value
        if self._grad.get(owner) != grad:
            self._hold(owner, grad)
        if owner == self._target:
            self.grads.add(step, value)
        elif grad == self._target:
            self.values.add(step, value)

    def _gone(self, step: int, event: ev.Gone) -> None:
        for number in event.tensors:
            if number not in self._owner:  # else it is a gradient still
                self._held.pop(number, None)
            self._hold(number, None)


class Uses:
    """Where a tensor was made, where it was changed, and which operations took it."""

    def __init__(self, timeline: Timeline, tensor: int) -> None:
        self._sites, self._tensor = timeline.sites, tensor
        self.seen: int | None = None
        """The step of the operation that made it; else at which it was first there."""
        self.changed: list[int] = []
        """The later operations that gave it back: in place."""
        self.used: list[int] = []
        """The operations that took it (the learner's own, and of an optimizer's step the first), and the backward
        passes that began at it."""
        self._inside: str | None = None
        self.handlers: Handlers = {
            ev.Op: self._op, ev.Snapshot: self._snapshot, ev.Line: self._line,
            ev.Backward: self._backward,
        }  # fmt: skip

    def _line(self, step: int, event: ev.Line) -> None:
        self._inside = None

    def _snapshot(self, step: int, event: ev.Snapshot) -> None:
        if self.seen is None and event.tensor == self._tensor:
            self.seen = step

    def _backward(self, step: int, event: ev.Backward) -> None:
        if self._tensor in event.roots:
            self.used.append(step)

    def _op(self, step: int, event: ev.Op) -> None:
        made, takes = self._tensor in event.outputs, self._tensor in event.inputs
        if not made and not takes:
            return
        site = self._sites.get(event.site)
        if site is not None and site.op == "set_grad":
            return  # its `.grad` is set, which is no use of it
        if site is not None and site.depth:
            # What a composite of torch's does inside is told by its own operation; an optimizer's step has none.
            parent = site.parent or ""
            if not parent.endswith(".step") or parent == self._inside:
                return
            self._inside = parent
        if made and self.seen is None:
            self.seen = step
        elif made:
            self.changed.append(step)
        if takes and not made:
            self.used.append(step)


class NodeRuns:
    """When a node was made, and each time that it ran."""

    def __init__(self, node: int) -> None:
        self._node = node
        self.made: int | None = None
        self.ran: list[int] = []
        self.handlers: Handlers = {ev.GraphNode: self._made, ev.Node: self._ran, ev.Accumulate: self._ran}

    def _made(self, step: int, event: ev.GraphNode) -> None:
        if event.node == self._node and self.made is None:
            self.made = step

    def _ran(self, step: int, event: ev.Node | ev.Accumulate) -> None:
        if event.node == self._node:
            self.ran.append(step)
