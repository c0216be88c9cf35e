"""The history of one tensor, name or node over a recording: its values, its uses, its runs.

A `Reader` reads the events from the beginning and passes them to collectors. It takes about 30 ms for 40,000 steps;
longer recordings are read in parts.
"""

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
from tutor.trace.values import Value, elements

# ---------------------------------------------------------------- tensors that share a storage


def storage_aliases(state: State, tensor: int) -> list[int]:
    """Return the other tensors that share the storage of a tensor."""
    tensor_state = state.tensors.get(tensor)
    if tensor_state is None or tensor_state.storage is None:
        return []
    return [
        number for number, other in state.tensors.items() if other.storage == tensor_state.storage and number != tensor
    ]


def views(state: State, frame: FrameState | None = None) -> dict[str, list[str]]:
    """Return, by the name of each tensor in a frame, the names of other tensors there that share its storage.

    Args:
        state: The state to look at.
        frame: The frame whose names count, by default the innermost.
    """
    names = names_of(state, frame)
    by_storage: dict[int, list[str]] = {}
    for name, number in names.items():
        storage = state.tensors[number].storage
        if storage is not None:
            by_storage.setdefault(storage, []).append(name)
    aliases: dict[str, list[str]] = {}
    for name, number in names.items():
        same_storage = by_storage.get(state.tensors[number].storage or 0, ())
        aliases[name] = [other for other in same_storage if names[other] != number]
    return aliases


def last_write(timeline: Timeline, step: int, tensor: int) -> int | None:
    """Return the step of the last in-place operation on a tensor or on another view of its storage.

    Returns:
        The step, or None if there was no write since the oldest of the views was created.
    """
    state = timeline.state(step)
    tensor_state = state.tensors.get(tensor)
    if tensor_state is None or not tensor_state.version:
        return None
    version = tensor_state.version
    aliases = [number for number in storage_aliases(state, tensor) if state.tensors[number].version == version]
    for number in (tensor, *aliases):
        write_step = _step_of_version(timeline, step, number, version)
        if number in timeline.state(write_step - 1).tensors:  # else it was created with this version
            return write_step
    return None


def _step_of_version(timeline: Timeline, step: int, tensor: int, version: int) -> int:
    """Return the first step after which a tensor had this version, by bisection: versions only grow."""
    first, last = 0, step
    while last - first > 1:
        middle = (first + last) // 2
        tensor_state = timeline.state(middle).tensors.get(tensor)
        if tensor_state is None or (tensor_state.version or 0) < version:
            first = middle
        else:
            last = middle
    return last


# ---------------------------------------------------------------- values over time

MAX_VALUES = 512
"""Maximum number of values with more than one element in a series; beyond it every second, fourth, … is stored."""


class ValueSeries:
    """The values of something over time: one entry per step at which it changed.

    A series of single numbers is complete. Of larger tensors at most `MAX_VALUES` values are stored, and the last one.
    """

    def __init__(self) -> None:
        self.steps: array[int] = array("I")
        self.numbers: array[float] = array("d")
        """The values at `steps` while all are single numbers; nan, and an entry in `gaps`, for None."""
        self.gaps: set[int] = set()
        """Steps from which on there was no value."""
        self.values: list[Value] = []
        """The values at `steps` as soon as one is not a single number; then `numbers` is empty."""
        self.changes = 0
        """Number of changes, stored or not."""
        self.revision = 0
        """Increases whenever an entry is added or replaced."""
        self.stride = 1
        """One change out of `stride` is stored."""
        self._single = True
        self._last: tuple[int, Value] | None = None
        self._empty = True

    @property
    def last(self) -> Value:
        """The last value; None if there is none."""
        return None if self._last is None else self._last[1]

    def add(self, step: int, value: Value) -> None:
        """Add the value from this step on. Of several in one step the last counts; a leading None is ignored."""
        if value is None and self._empty:
            return
        self._empty = False
        self.revision += 1
        again = self._last is not None and self._last[0] == step
        self._last = step, value
        (self.gaps.add if value is None else self.gaps.discard)(step)
        number = _single_number(value)
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
        """Whether all values are single numbers or None."""
        return self._single

    def points(self, measure: str = "mean", element: int | None = None) -> list[tuple[int, float]]:
        """Return the stored changes as (step, number), leaving out steps without a value.

        Args:
            measure: The number to take of a tensor, `mean` or `norm`; see `reduce_value`.
            element: Flat index of the element to take instead, from 0.
        """
        if self._single:
            pairs = zip(self.steps, self.numbers, strict=True)
            return [(step, number) for step, number in pairs if step not in self.gaps]
        entries = list(zip(self.steps, self.values, strict=True))
        if self._last is not None and (not entries or entries[-1][0] < self._last[0]):
            entries.append(self._last)
        points = []
        for step, value in entries:
            number = reduce_value(value, measure) if element is None else _element_of(value, element)
            if number is not None:
                points.append((step, number))
        return points


def reduce_value(value: Value, measure: str) -> float | None:
    """Return the `mean` or the Euclidean `norm` of a value, or None if it has no numbers.

    Of a value recorded only as statistics, the finite elements count.
    """
    flat = elements(value)
    if flat is not None:
        try:
            numbers = [float(item) for item in flat]
        except (TypeError, ValueError):
            return None
        if not numbers:
            return None
        return math.sqrt(sum(item * item for item in numbers)) if measure == "norm" else sum(numbers) / len(numbers)
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


def _element_of(value: Value, place: int) -> float | None:
    flat = elements(value)
    try:
        return None if flat is None else float(flat[place])
    except (IndexError, TypeError, ValueError):
        return None


def _single_number(value: Value) -> float | None:
    """Return the only element of a value, nan for no value, and None if there is not exactly one element."""
    if value is None:
        return math.nan
    flat = elements(value)
    try:
        return float(flat[0]) if flat is not None and len(flat) == 1 else None
    except (TypeError, ValueError):
        return None


# ---------------------------------------------------------------- reading

EVENTS_PER_READ = 100_000
"""Number of events that `Reader.read` reads by default, in about 50 ms."""

Handlers = dict[type[ev.Event], Callable[[int, Any], None]]


class Collector(Protocol):
    """Collects facts from events of some types; a handler gets the step that the event belongs to, and the event."""

    handlers: Handlers


class Reader:
    """Passes the events of a growing recording to collectors."""

    def __init__(self, timeline: Timeline, *collectors: Collector) -> None:
        self._timeline = timeline
        self._frame = 0
        self.step = 0
        """Last step read."""
        self._handlers: dict[type[ev.Event], list[Callable[[int, Any], None]]] = {}
        for collector in collectors:
            for kind, handler in collector.handlers.items():
                self._handlers.setdefault(kind, []).append(handler)

    def read(self, max_events: int = EVENTS_PER_READ) -> bool:
        """Read about `max_events` more events. Return whether all events so far are read."""
        frames, handlers, step = self._timeline.frames, self._handlers, self.step
        until = frames.events_before[self._frame] + max_events if self._frame < len(frames) else 0
        while self._frame < len(frames) and frames.events_before[self._frame] < until:
            for event in frames.once(self._frame).events:
                kind = type(event)
                if kind in STEP_TYPES:
                    step += 1
                for handler in handlers.get(kind, ()):
                    handler(step, event)
            self._frame += 1
        self.step = step
        return self._frame >= len(frames)


# ---------------------------------------------------------------- collectors


class Tracked:
    """What to track: a name in a function (such as `model.fc1.weight`), or a single tensor if `function` is None."""

    def __init__(self, name: str, function: str | None, tensor: int) -> None:
        self.name, self.function, self.tensor = name, function, tensor

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for two objects that track the same thing."""
        return (self.tensor,) if self.function is None else (self.function, self.name)


def track(timeline: Timeline, state: State, tensor: int) -> Tracked:
    """Return how to track a tensor: by its name in the innermost function that has one, else as a tensor.

    A tensor that never had a name is shown as the code that created it.
    """
    for frame in reversed(state.frames):
        names = [name for name, number in names_of(state, frame).items() if number == tensor]
        if names:
            return Tracked(min(names, key=lambda name: not name.isidentifier()), frame.function, tensor)
    tensor_state = state.tensors.get(tensor)
    owner = state.tensors.get(state.grad_of.get(tensor, 0))
    if tensor_state is not None and tensor_state.label is None and owner is not None and owner.label is not None:
        return Tracked(f"{owner.label}.grad", None, tensor)
    node = None if tensor_state is None or tensor_state.node is None else state.nodes.get(tensor_state.node)
    code = "" if node is None or node.tensor != tensor else code_of(timeline, node)
    return Tracked(
        (tensor_state.label if tensor_state is not None else None) or code or placeholder_name(tensor), None, tensor
    )


def code_of(timeline: Timeline, node: NodeState) -> str:
    """Return the source of the expression that created a node, on one line.

    Inside a composite that is the expression of the whole composite, so it is returned for the result only; else the
    text is empty.
    """
    site = timeline.sites.get(node.site)
    if site is None or (site.depth and not _is_result(timeline, node)):
        return ""
    return " ".join((timeline.definitions.code(site.file, site.span) or "").split())


def _is_result(timeline: Timeline, node: NodeState) -> bool:
    """Return whether the output of a node inside a composite is also the output of the composite."""
    step = timeline.operation(node)
    next_step = None if step is None else forward(timeline, step, 0)
    event = None if next_step is None or timeline.kind(next_step) != "op" else timeline.event(next_step)
    return isinstance(event, ev.Op) and node.tensor in event.outputs


class History:
    """Collects the values of a tensor and of its `.grad` over time, following a name that is rebound in a loop."""

    def __init__(self, what: Tracked) -> None:
        self.what = what
        self.values, self.grads = ValueSeries(), ValueSeries()
        self.objects = 0
        """Number of tensors that had the name."""
        base = what.name.partition(".")[0].partition("[")[0]
        self._base, self._suffix = base, what.name[len(base) :]
        self._target: int | None = what.tensor if what.function is None else None
        self._group: int | None = None
        self._functions = {MODULE: "<module>"}
        self._groups: dict[int, list[tuple[str, int]]] = {}
        self._value_of: dict[int, Value] = {}
        """By tensor: its value."""
        self._grad_of: dict[int, int] = {}
        """By tensor: the tensor in its `.grad`."""
        self._owner: dict[int, int] = {}
        """By tensor that is a `.grad`: the tensor that it belongs to."""
        self.handlers: Handlers = {
            ev.Snapshot: self._snapshot, ev.Gone: self._gone, ev.Accumulate: self._accumulate,
            ev.Retained: self._retained, ev.Captured: self._captured,
        }  # fmt: skip
        if what.function is not None:
            self.handlers |= {ev.Bind: self._bind, ev.Group: self._in_group, ev.FrameStart: self._frame_start}

    # ------------------------------------------------------------ the tensor that the name refers to

    def _frame_start(self, step: int, event: ev.FrameStart) -> None:
        self._functions[event.frame] = event.function

    def _bind(self, step: int, event: ev.Bind) -> None:
        if event.name != self._base or self._functions.get(event.frame) != self.what.function:
            return
        if event.what == "tensor" and not self._suffix:
            self._set_target(step, event.ref)
        elif event.what == "group" and self._suffix:
            self._group = event.ref
            self._look_up(step)

    def _in_group(self, step: int, event: ev.Group) -> None:
        self._groups[event.group] = event.items
        if event.group == self._group:
            self._look_up(step)

    def _look_up(self, step: int) -> None:
        items = self._groups.get(self._group or 0, ())
        tensor = next((tensor for suffix, tensor in items if suffix == self._suffix), None)
        if tensor is not None:
            self._set_target(step, tensor)

    def _set_target(self, step: int, tensor: int) -> None:
        if tensor != self._target:
            self._target = tensor
            self.objects += 1
            if tensor in self._value_of:
                self.values.add(step, self._value_of[tensor])
            self.grads.add(step, self._value_of.get(self._grad_of.get(tensor, 0)))

    # ------------------------------------------------------------ its values

    def _snapshot(self, step: int, event: ev.Snapshot) -> None:
        number, value, grad = event.tensor, event.value, event.grad
        if value is not None:
            self._value_of[number] = value
            if number == self._target:
                self.values.add(step, value)
            elif self._target is not None and self._grad_of.get(self._target) == number:
                self.grads.add(step, value)
        if grad != self._grad_of.get(number):
            self._set_grad(number, grad)
            if number == self._target:
                self.grads.add(step, None if grad is None else self._value_of.get(grad))

    def _set_grad(self, number: int, grad: int | None) -> None:
        previous = self._grad_of.pop(number, None)
        if previous is not None:
            self._owner.pop(previous, None)
        if grad is not None:
            self._grad_of[number] = grad
            self._owner[grad] = number

    def _accumulate(self, step: int, event: ev.Accumulate) -> None:
        self._write(step, event.tensor, event.grad, event.new)

    def _retained(self, step: int, event: ev.Retained) -> None:
        self._write(step, event.tensor, event.grad, event.value)

    def _captured(self, step: int, event: ev.Captured) -> None:
        if event.result is not None:
            self._value_of[event.result] = event.value

    def _write(self, step: int, owner: int, grad: int, value: Value) -> None:
        self._value_of[grad] = value
        if self._grad_of.get(owner) != grad:
            self._set_grad(owner, grad)
        if owner == self._target:
            self.grads.add(step, value)
        elif grad == self._target:
            self.values.add(step, value)

    def _gone(self, step: int, event: ev.Gone) -> None:
        for number in event.tensors:
            if number not in self._owner:  # else it is still a gradient
                self._value_of.pop(number, None)
            self._set_grad(number, None)


class Uses:
    """Collects where a tensor was created, modified in place, and used."""

    def __init__(self, timeline: Timeline, tensor: int) -> None:
        self._sites, self._tensor = timeline.sites, tensor
        self.seen: int | None = None
        """Step of the operation that created it, else the first step at which it existed."""
        self.changed: list[int] = []
        """Steps of the in-place operations on it."""
        self.used: list[int] = []
        """Steps of the operations that read it (not those inside of composites; of an optimizer's step the first), and
        of the backward passes that started at it."""
        self._optimizer: str | None = None
        self.handlers: Handlers = {
            ev.Op: self._op, ev.Snapshot: self._snapshot, ev.Line: self._line,
            ev.Backward: self._backward,
        }  # fmt: skip

    def _line(self, step: int, event: ev.Line) -> None:
        self._optimizer = None

    def _snapshot(self, step: int, event: ev.Snapshot) -> None:
        if self.seen is None and event.tensor == self._tensor:
            self.seen = step

    def _backward(self, step: int, event: ev.Backward) -> None:
        if self._tensor in event.roots:
            self.used.append(step)

    def _op(self, step: int, event: ev.Op) -> None:
        produced, used = self._tensor in event.outputs, self._tensor in event.inputs
        if not produced and not used:
            return
        site = self._sites.get(event.site)
        if site is not None and site.op == "set_grad":
            return  # sets its `.grad` and does not read it
        if site is not None and site.depth:
            # The composite has an operation of its own, which counts; an optimizer's step has none.
            parent = site.parent or ""
            if not parent.endswith(".step") or parent == self._optimizer:
                return
            self._optimizer = parent
        if produced and self.seen is None:
            self.seen = step
        elif produced:
            self.changed.append(step)
        if used and not produced:
            self.used.append(step)


class NodeRuns:
    """Collects the step at which a node was created and the steps at which it ran."""

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
