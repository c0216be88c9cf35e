"""Where the nan and inf of a recording come from, and how far each gets: read once from the recorded values.

An operation or a backward node *makes* one where nothing that it was given has it. One that the program gives, as a
`-inf` in a mask or a nan in data, is of no account until it reaches a loss, a gradient or a parameter; one that a
softmax or a clamp takes in and makes finite is no problem either.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tutor.trace import events as ev
from tutor.trace.values import Gradients, Value, elements

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

_MOST_REACHED = 3
"""Most gradients, and most parameters, that are listed as reached from one origin."""
_UNFILLED = ("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted", "resize_")
"""Operations whose result is memory that was not yet filled."""
_ABSORBING = (
    "softmax", "_softmax", "logsumexp", "exp", "sigmoid", "tanh", "clamp", "clamp_", "clamp_min", "clamp_max", "where",
    "nan_to_num", "nan_to_num_", "masked_fill", "masked_fill_", "scaled_dot_product_attention",
)  # fmt: skip
"""Operations that are given an infinity on purpose, to make something finite of it."""


class Counts(NamedTuple):
    """How many elements of a value are nan or infinite, of how many."""

    nans: int
    infinities: int
    size: int


def count_nonfinite(value: Value) -> Counts | None:
    """Return how many elements are nan or infinite; None where all are finite, or where that was not recorded."""
    if isinstance(value, dict):
        if "data" not in value:
            return _recorded_counts(value)
        if value.get("code") not in ("f", "d"):
            return None
    elif isinstance(value, float):
        return None if math.isfinite(value) else Counts(int(math.isnan(value)), int(math.isinf(value)), 1)
    elif not isinstance(value, (list, tuple)):
        return None
    flat = elements(value) or []
    try:
        if math.isfinite(math.fsum(item for item in flat if item is not None)):
            return None
    except (OverflowError, ValueError, TypeError):  # the sum is too large, or has inf and -inf, or is of no numbers
        pass
    nans = sum(isinstance(item, float) and math.isnan(item) for item in flat)
    infinities = sum(isinstance(item, float) and math.isinf(item) for item in flat)
    return Counts(nans, infinities, len(flat)) if nans or infinities else None


def _recorded_counts(value: dict[str, Any]) -> Counts | None:
    """Return what the recorder counted in a large tensor. It may come from a malformed file."""
    stats, shape = value.get("stats"), value.get("shape")
    if not isinstance(stats, dict) or not isinstance(shape, (list, tuple)):
        return None
    nans, infinities = stats.get("nan"), stats.get("inf")
    if not isinstance(nans, int) or not isinstance(infinities, int) or not (nans or infinities):
        return None
    return Counts(nans, infinities, math.prod(size for size in shape if isinstance(size, int)))


def _is_unmeasured(value: Value) -> bool:
    """Return whether the elements of a value were neither listed nor measured."""
    return isinstance(value, dict) and "data" not in value and not isinstance(value.get("stats"), dict)


class Reached(NamedTuple):
    """Something of the training that a nan or inf came to."""

    step: int
    what: Literal["loss", "grad", "parameter"]
    tensor: int
    """The loss, the tensor whose gradient it is, or the parameter."""


@dataclass(eq=False)
class Origin:
    """The first step at which a place in the code had a nan or inf that it was not given."""

    step: int
    kind: Literal["op", "node", "given"]
    """Made by an operation, by a backward node, or given by the program: as data, or as an argument."""
    tensor: int | None
    """The tensor that has it; None of a node."""
    counts: Counts
    reached: list[Reached] = field(default_factory=list)
    first_nan: int | None = None
    """Of an inf: the first step at which it has become nan."""
    is_absorbed: bool = False
    """Whether an operation has made something finite of it, on purpose."""

    @property
    def is_problem(self) -> bool:
        """Whether it was hardly wanted."""
        return bool(self.reached) or (self.kind != "given" and (not self.is_absorbed or self.first_nan is not None))

    @property
    def name(self) -> str:
        """`nan` or `inf`: what it begins with."""
        return "nan" if self.counts.nans else "inf"

    def reach(self, step: int, what: Literal["loss", "grad", "parameter"], tensor: int) -> None:
        """Record that it came to a loss, a gradient or a parameter, unless it did so before or there are enough."""
        same = [place.tensor for place in self.reached if place.what == what]
        if tensor not in same and len(same) < (1 if what == "loss" else _MOST_REACHED):
            self.reached.append(Reached(step, what, tensor))


class _Taint(NamedTuple):
    """A tensor that has a nan or inf now."""

    origin: Origin
    has_nan: bool
    storage: int | None = None


class _Operation(NamedTuple):
    """The operation whose results are being recorded."""

    event: ev.Op
    name: str
    taint: _Taint | None
    """Of its inputs: one with a nan, else one with an inf; None where all are finite."""
    is_unmeasured: bool
    """Whether an input was not measured."""
    argument: float | None
    """An argument that is nan or inf."""


class NonFinite:
    """Reads a recording frame by frame, while it grows and afterwards."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.origins: list[Origin] = []
        """In the order in which they came; those that are problems have `is_problem`."""
        self.with_gradient: set[int] = set()
        """Tensors whose gradient was written at least once."""
        self._frames = 0
        self._step = 0
        self._places: dict[tuple[str, int, str], Origin] = {}
        """By kind, site and name of the operation or node: later ones of the same place are the same origin."""
        self._tainted: dict[int, _Taint] = {}
        self._tainted_nodes: dict[int, Origin] = {}
        self._tainted_storages: dict[int, Origin] = {}
        self._unmeasured: set[int] = set()
        self._owners: dict[int, int] = {}
        """By tensor in a `.grad`: the tensor that has it."""
        self._operation: _Operation | None = None
        self._passes: list[Origin | None] = []
        """For each backward pass in progress: where the nan or inf in it comes from, as soon as there is one."""
        self._methods: dict[type[ev.Event], Callable[[Any], None]] = {
            ev.Op: self._op, ev.Snapshot: self._snapshot, ev.Gone: self._gone, ev.Freed: self._freed,
            ev.Backward: self._backward, ev.BackwardEnd: self._backward_end, ev.Node: self._node,
            ev.Accumulate: self._accumulate, ev.Retained: self._retained, ev.Captured: self._captured,
            ev.HookRan: self._hook,
        }  # fmt: skip

    def read(self, most: int | None = None) -> bool:
        """Read the frames that are new, at most `most` of them; return whether all are read."""
        frames = self._timeline.frames
        end = len(frames) if most is None else min(len(frames), self._frames + most)
        while self._frames < end:
            decoded = frames.once(self._frames)
            self._frames += 1
            for event in decoded.events:
                if event.kind is not None:
                    self._step += 1
                    self._operation = None
                method = self._methods.get(type(event))
                if method is not None:
                    with suppress(Exception):  # a recording may be malformed
                        method(event)
        return self._frames == len(frames)

    # ------------------------------------------------------------ operations and tensors

    def _op(self, event: ev.Op) -> None:
        site = self._timeline.sites.get(event.site)
        tensors = [tensor for tensor in event.inputs if tensor is not None]
        taints = [self._tainted[tensor] for tensor in tensors if tensor in self._tainted]
        taint = next((taint for taint in taints if taint.has_nan), taints[0] if taints else None)
        arguments = self._timeline.definitions.arguments.get(event.call, {}) if event.call else {}
        argument = next(
            (item for item in arguments.values() if isinstance(item, float) and not math.isfinite(item)), None
        )
        is_unmeasured = any(tensor in self._unmeasured for tensor in tensors)
        name = (site.op or "") if site is not None else ""
        self._operation = _Operation(event, name, taint, is_unmeasured, argument)

    def _snapshot(self, event: ev.Snapshot) -> None:
        if event.grad is not None:
            self._owners[event.grad] = event.tensor
            self.with_gradient.add(event.tensor)
        value, tensor = event.value, event.tensor
        if value is None:
            return
        (self._unmeasured.add if _is_unmeasured(value) else self._unmeasured.discard)(tensor)
        counts = count_nonfinite(value)
        before = self._tainted.pop(tensor, None)
        if counts is None:
            self._absorb(tensor)
            return
        origin = self._origin_of(event, counts, before)
        if counts.nans and not origin.counts.nans and origin.first_nan is None:
            origin.first_nan = self._step
        self._taint(tensor, origin, counts, event.storage)
        if event.node is not None:
            self._tainted_nodes[event.node] = origin
        meta = self._timeline.definitions.metas.get(event.meta)
        owner = self._owners.get(tensor)
        if owner is not None:
            origin.reach(self._step, "grad", owner)
        elif meta is not None and meta.is_leaf and meta.requires_grad and event.version:  # written after it was made
            origin.reach(self._step, "parameter", tensor)

    def _taint(self, tensor: int, origin: Origin, counts: Counts, storage: int | None = None) -> None:
        self._tainted[tensor] = _Taint(origin, counts.nans > 0, storage)
        if storage is not None:
            self._tainted_storages[storage] = origin

    def _origin_of(self, event: ev.Snapshot, counts: Counts, before: _Taint | None) -> Origin:
        """Return where the nan or inf of a tensor comes from."""
        operation, has_nan = self._operation, counts.nans > 0
        if operation is None:
            return self._written_elsewhere(event, counts, before)
        given = operation.taint
        if given is not None and (given.has_nan or not has_nan or given.origin.kind != "given"):
            return given.origin
        if before is not None and (before.has_nan or not has_nan):
            return before.origin
        inner = self._made_inside(operation)
        if inner is not None:
            return inner
        argument = operation.argument
        is_given = (
            all(tensor is None for tensor in operation.event.inputs)
            or operation.name in _UNFILLED
            or operation.is_unmeasured
            or (argument is not None and (math.isnan(argument) or not has_nan))
        )
        return self._new("given" if is_given else "op", event.tensor, counts, operation.event.site, operation.name)

    def _made_inside(self, operation: _Operation) -> Origin | None:
        """Return the origin among the operations inside a composite that has just ended, if there is one."""
        origin, depths = (self.origins[-1] if self.origins else None), self._timeline.columns.depths
        if origin is None or origin.step >= self._step:
            return None
        steps = range(origin.step, self._step)
        return origin if all(depths[step - 1] > depths[self._step - 1] for step in steps) else None

    def _written_elsewhere(self, event: ev.Snapshot, counts: Counts, before: _Taint | None) -> Origin:
        """Return the origin for a tensor that no operation returned: a view, or written where nothing is recorded."""
        if before is not None:
            return before.origin
        grad = self._tainted.get(event.grad or 0)
        shared = self._tainted_storages.get(event.storage or 0)
        origin = shared if grad is None else grad.origin
        return origin if origin is not None else self._new("given", event.tensor, counts, 0, "")

    def _new(
        self, kind: Literal["op", "node", "given"], tensor: int | None, counts: Counts, site: int, name: str
    ) -> Origin:
        """Return the origin at this place in the code: a new one, or that of an earlier time."""
        place = (kind, site, name)
        origin = self._places.get(place) if site else None
        if origin is None:
            origin = self._places[place] = Origin(self._step, kind, tensor, counts)
            self.origins.append(origin)
        return origin

    def _absorb(self, tensor: int) -> None:
        """Mark what went into this operation as wanted, where it is one that makes infinities finite."""
        operation = self._operation
        if operation is not None and operation.taint is not None and tensor in operation.event.outputs:
            taint = operation.taint
            if not taint.has_nan and operation.name in _ABSORBING:
                taint.origin.is_absorbed = True

    def _gone(self, event: ev.Gone) -> None:
        for tensor in event.tensors:
            self._unmeasured.discard(tensor)
            taint = self._tainted.get(tensor)
            if taint is not None and tensor not in self._owners:
                del self._tainted[tensor]
                if taint.storage is not None and all(
                    other.storage != taint.storage for other in self._tainted.values()
                ):
                    self._tainted_storages.pop(taint.storage, None)

    def _freed(self, event: ev.Freed) -> None:
        for node in event.nodes:
            self._tainted_nodes.pop(node, None)

    # ------------------------------------------------------------ backward passes

    def _backward(self, event: ev.Backward) -> None:
        origin: Origin | None = None
        for root in event.roots:
            taint = self._tainted.get(root)
            if taint is not None:
                taint.origin.reach(self._step, "loss", root)
                origin = origin or taint.origin
        if origin is None:
            counts = _counts_among(event.gradient)
            origin = None if counts is None else self._new("given", None, counts, event.site, event.call)
        self._passes.append(origin)

    def _backward_end(self, event: ev.BackwardEnd) -> None:
        if self._passes:
            self._passes.pop()

    def _node(self, event: ev.Node) -> None:
        if not self._passes or self._passes[-1] is not None:
            return
        counts = _counts_among(event.grad_inputs)
        if counts is None:
            return
        reached = _counts_among(event.grad_outputs)
        site = self._timeline.columns.sites[self._step - 1]
        node = self._timeline.state(self._step).nodes.get(event.node)
        inputs = [source[0] for source in node.inputs if source is not None] if node is not None else []
        tainted = (self._tainted_nodes.get(number) for number in (event.node, *inputs))
        origin = next((origin for origin in tainted if origin is not None), None)
        if origin is None:
            kind: Literal["node", "given"] = "node" if reached is None else "given"
            origin = self._new(kind, None, counts, site, "" if node is None else node.name)
        self._passes[-1] = origin

    def _hook(self, event: ev.HookRan) -> None:
        counts = count_nonfinite(event.after)
        if counts is not None and self._passes and self._passes[-1] is None and count_nonfinite(event.before) is None:
            self._passes[-1] = self._new("given", None, counts, self._timeline.columns.sites[self._step - 1], "hook")

    def _accumulate(self, event: ev.Accumulate) -> None:
        self._gradient(event.tensor, event.grad, event.new)

    def _retained(self, event: ev.Retained) -> None:
        self._gradient(event.tensor, event.grad, event.value)

    def _gradient(self, tensor: int, grad: int, value: Value) -> None:
        """Take in that the gradient of a tensor was written."""
        self.with_gradient.add(tensor)
        self._owners[grad] = tensor
        before, counts = self._tainted.pop(grad, None), count_nonfinite(value)
        origin = self._passes[-1] if self._passes else None
        if origin is None and before is not None:
            origin = before.origin
        if counts is not None and origin is not None:
            self._taint(grad, origin, counts)
            origin.reach(self._step, "grad", tensor)

    def _captured(self, event: ev.Captured) -> None:
        self.with_gradient.add(event.tensor)
        origin, counts = (self._passes[-1] if self._passes else None), count_nonfinite(event.value)
        if counts is not None and origin is not None:
            origin.reach(self._step, "grad", event.tensor)
            if event.result is not None:
                self._taint(event.result, origin, counts)


def _counts_among(gradients: Gradients) -> Counts | None:
    """Return the counts of the first gradient that has a nan, else an inf; None where all are finite."""
    counts = [found for found in map(count_nonfinite, gradients) if found is not None]
    return next((found for found in counts if found.nans), counts[0] if counts else None)
