"""Which operation made a backward node, and what its arguments held when it ran."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tutor.explain.grid import Grid, count
from tutor.explain.operands import literal, operand_texts
from tutor.explain.rules import Operand
from tutor.trace.events import Op
from tutor.trace.names import name_of, op_inputs, op_output
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

# How many steps before a node's the operation that made it is looked for, and how many are remembered.
_FARTHEST = 20_000
_REMEMBERED = 20_000
_LONGEST_NAME = 32


@dataclass(frozen=True)
class Made:
    """An operation that ran."""

    step: int
    op: str
    code: str | None
    operands: tuple[Operand, ...]
    result: Operand
    dtype: str


_known: WeakKeyDictionary[Timeline, OrderedDict[int, Made]] = WeakKeyDictionary()


def maker(timeline: Timeline, step: int, node: int) -> Made | None:
    """The operation that made a node that lives at `step`; None where no single one did, or it is not recorded."""
    known = _known.setdefault(timeline, OrderedDict())
    if node in known:
        return known[node]
    tensor = timeline.state(step).nodes[node].tensor
    if tensor is None:
        return None
    for earlier in range(step - 1, max(step - _FARTHEST, 0), -1):
        if timeline.kind(earlier) != "op":
            continue
        event = timeline.event(earlier)
        if isinstance(event, Op) and tensor in event.outputs:
            after = timeline.state(earlier).tensors.get(tensor)
            if after is not None and after.node == node:
                return remember(timeline, earlier)
    return None


def remember(timeline: Timeline, step: int) -> Made | None:
    """The operation of a step, kept for the nodes that it made: their turn comes later."""
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if not isinstance(event, Op) or site is None or not event.outputs:
        return None
    after = timeline.state(step)
    result = after.tensors.get(event.outputs[0])
    if result is None:
        return None
    code = timeline.view(step).code
    made = Made(step, site.op or "", code, tuple(_operands(timeline, step, event, code)),
                _result(timeline, step, result, code), result.dtype)  # fmt: skip
    if result.node is not None:
        known = _known.setdefault(timeline, OrderedDict())
        known[result.node] = made
        if len(known) > _REMEMBERED:
            known.popitem(last=False)
    return made


def _result(timeline: Timeline, step: int, tensor: TensorState, code: str | None) -> Operand:
    name = op_output(timeline, step)
    return Operand(name or _short(code) or f"%{tensor.tensor}", tensor.shape, grid_of(tensor), tensor.tensor)


def _operands(timeline: Timeline, step: int, event: Op, code: str | None) -> list[Operand]:
    before, after = timeline.state(step - 1), timeline.state(step)
    op = timeline.sites[event.site].op or ""
    texts = operand_texts(code, op)
    names: Sequence[str] = op_inputs(timeline, step)
    if len(names) != len(event.inputs):  # the code does not show the arguments: the names are those of the tensors
        tensors = iter(names)
        names = ["?" if tensor is None else next(tensors, "?") for tensor in event.inputs]
    found = []
    for place, (tensor, name) in enumerate(zip(event.inputs, names, strict=True)):
        source = texts[place] if len(texts) == len(event.inputs) else None
        state = None if tensor is None else before.tensors.get(tensor) or after.tensors.get(tensor)
        if state is not None:
            called = _short(source) if name.startswith("%") else name
            found.append(Operand(called or name, state.shape, grid_of(state), state.tensor))
        else:
            number = literal(name) if literal(name) is not None else _named_number(before, name)
            held = None if number is None else Grid.full((), float(number))
            found.append(Operand(name, (), held))
    return found


def _short(source: str | None) -> str | None:
    return source if source is not None and len(source) <= _LONGEST_NAME and "\n" not in source else None


def _named_number(state: State, name: str) -> int | float | None:
    """The number that a name of the learner's means."""
    for frame in (*reversed(state.frames[1:]), *state.frames[:1]):
        binding = frame.names.get(name)
        if binding is not None:
            held = binding.value
            return held if binding.what == "value" and isinstance(held, (int, float)) else None
    return None


def grid_of(tensor: TensorState) -> Grid | None:
    """What a tensor holds, where that is a list of real numbers."""
    return as_grid(tensor.value, tensor.shape, tensor.dtype)


def as_grid(value: object, shape: tuple[int, ...], dtype: str) -> Grid | None:
    """A value of the wire as numbers of this shape; None where it is none, or does not fit."""
    items = None if dtype.startswith("complex") else elements(value)
    if items is None or len(items) != count(shape) or not all(isinstance(x, (int, float)) for x in items):
        return None
    return Grid(shape, tuple(float(x) for x in items))


def label(state: State, tensor: int | None) -> str | None:
    """The learner's name for a tensor, or `%7`; None for none."""
    return None if tensor is None else name_of(state, tensor) or f"%{tensor}"
