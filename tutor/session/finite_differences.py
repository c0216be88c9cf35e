"""Measure a derivative by finite differences: run the program again with one element nudged down, then up.

The central difference (L(w + h) - L(w - h)) / 2h, as in Burden and Faires, *Numerical Analysis*, 4.1: its error falls
with h squared, and the rounding of L adds one that grows with 1 / h; the best h is about the cube root of the
precision.
"""

from __future__ import annotations

import asyncio
import math
import struct
from dataclasses import dataclass

from tutor.i18n import N_, _
from tutor.session.session import Session
from tutor.trace.command import ENDED, Nudge
from tutor.trace.graph import is_leaf
from tutor.trace.index import KIND_NUMBERS
from tutor.trace.number_format import number
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

_BITS = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}
"""Bits of the fraction."""


class DifferenceError(Exception):
    """A derivative cannot be measured; the text says why."""


@dataclass(frozen=True)
class Difference:
    """A measured derivative of a pass's root by one element of a leaf.

    Attributes:
        element: The index of the element, row by row, from 0.
        down: The element's value for `low`.
        up: Its value for `high`.
        low: The root (the sum over several roots or elements, each times its gradient at the start of the pass).
        high: The same for `up`.
        measured: (high - low) / (up - down).
        autograd: The gradient that the recorded pass sent to the element.
        error: The difference of the two, relative to the larger one.
    """

    element: int
    down: float
    up: float
    low: float
    high: float
    measured: float
    autograd: float
    error: float


async def difference(session: Session, timeline: Timeline, step: int, tensor: int, element: int) -> Difference:
    """Measure the derivative of the pass shown at `step` by one element of a leaf.

    Runs the session's program three more times, up to that pass.

    Args:
        session: The session to run again.
        timeline: Its recording.
        step: The step whose last pass is meant.
        tensor: The number of the leaf.
        element: The index of the element, row by row, from 0.

    Raises:
        DifferenceError: It cannot be measured.
    """
    state = timeline.state(step)
    leaf, node = _leaf(state, tensor)
    last = state.last_pass
    assert last is not None
    sent = elements(node.grad_outputs[0]) if node.grad_outputs else None
    values = elements(leaf.value)
    if sent is None or values is None or not 0 <= element < len(values):
        raise DifferenceError(_("{name} is too large: the recording has no single elements of it.", name=_name(leaf)))
    start = next(info.start_step for info in timeline.passes if info.number == last.number)
    line = _line_before_use(timeline, timeline.state(start), leaf, node)
    values = elements(timeline.state(start).tensors[tensor].value) or values
    amount = _nudge(float(values[element]), leaf.dtype)
    here = _root(timeline, last.number)
    again = await _run(session, Nudge(tensor, element, 0.0, line), last.number)
    if not math.isclose(again, here, rel_tol=1e-6):
        text = N_("the program gives other numbers when it runs again ({here}, then {again}): does it set a seed?")
        raise DifferenceError(_(text, here=number(here), again=number(again)))
    down, up = (_added(float(values[element]), signed, leaf.dtype) for signed in (-amount, amount))
    low = await _run(session, Nudge(tensor, element, -amount, line), last.number)
    high = await _run(session, Nudge(tensor, element, amount, line), last.number)
    measured, autograd = (high - low) / (up - down), float(sent[element])
    largest = max(abs(measured), abs(autograd))
    error = abs(measured - autograd) / largest if largest else 0.0
    return Difference(element, down, up, low, high, measured, autograd, error)


def _leaf(state: State, tensor: int) -> tuple[TensorState, NodeState]:
    """Return the state of the leaf and of its `AccumulateGrad`."""
    leaf = state.tensors.get(tensor)
    if leaf is None or not leaf.is_leaf or not leaf.requires_grad:
        raise DifferenceError(_("only the gradient of a leaf can be measured: a tensor that no operation made."))
    if leaf.dtype not in _BITS:
        raise DifferenceError(
            _("{name} is {dtype}: only real floating-point numbers can be nudged.", name=_name(leaf), dtype=leaf.dtype)
        )
    for node_number in state.shown:
        node = state.nodes.get(node_number)
        if node is not None and node.tensor == tensor and is_leaf(node) and node.grad_outputs is not None:
            return leaf, node
    raise DifferenceError(_("no backward pass on show here has brought a gradient to {name} yet.", name=_name(leaf)))


def _name(leaf: TensorState) -> str:
    """Return the leaf's name, or its number."""
    return leaf.label or _("tensor {number}", number=leaf.tensor)


def _line_before_use(timeline: Timeline, state: State, leaf: TensorState, node: NodeState) -> int:
    """Return the number, from 1, of the statement that first uses the leaf in this graph."""
    consumers = [
        other for other in state.nodes.values() if any(source and source[0] == node.node for source in other.inputs)
    ]
    steps = [step for other in consumers if (step := timeline.operation(other)) is not None]
    if not steps:
        raise DifferenceError(_("the recording does not tell where {name} was used.", name=_name(leaf)))
    line, kinds = KIND_NUMBERS["line"], timeline.columns.kinds
    at = kinds.rfind(line, 0, min(steps)) + 1
    if leaf.tensor not in timeline.state(at).tensors:
        raise DifferenceError(
            _("{name} is made in the statement that uses it: give it a line of its own.", name=_name(leaf))
        )
    return kinds.count(line, 0, at)


def _nudge(value: float, dtype: str) -> float:
    """Return a power of two near the cube root of the precision, in proportion to the value."""
    return float(2.0 ** round(math.log2(max(abs(value), 1.0)) - (_BITS[dtype] + 1) / 3))


def _added(value: float, amount: float, dtype: str) -> float:
    """Return the sum as the dtype holds it."""
    code = {"float32": "f", "float16": "e"}.get(dtype)
    if code is None:
        return value + amount  # close enough for bfloat16
    return float(struct.unpack(code, struct.pack(code, value + amount))[0])


def _root(timeline: Timeline, number: int) -> float:
    """Return the weighted sum of the roots of a pass."""
    info = next(info for info in timeline.passes if info.number == number)
    state = timeline.state(info.start_step)
    assert state.last_pass is not None
    total = 0.0
    for place, root in enumerate(state.last_pass.roots):
        values = elements(state.tensors[root].value) if root in state.tensors else None
        gradient = state.last_pass.gradient[place : place + 1]
        weights = elements(gradient[0]) if gradient and gradient[0] is not None else None
        if values is None or (gradient and gradient[0] is not None and weights is None):
            raise DifferenceError(
                _("what the pass began with is too large: the recording has no single elements of it.")
            )
        total += math.fsum(
            float(value) * float(weight) for value, weight in zip(values, weights or [1.0] * len(values), strict=True)
        )
    return total


async def _run(session: Session, nudge: Nudge, number: int) -> float:
    """Return the root of a pass in a run with this nudge."""
    run = session.again(nudge=nudge, stdin=ENDED)
    reached = asyncio.Event()

    def updated() -> None:
        if any(info.number == number for info in run.timeline.passes):
            reached.set()

    running = asyncio.create_task(run.run(updated))
    waiting = asyncio.create_task(reached.wait())
    try:
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        updated()
        if not reached.is_set():
            raise DifferenceError(_("the program did not come to this pass when it ran again."))
        return _root(run.timeline, number)
    finally:
        for task in (running, waiting):
            task.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
        await run.close()
        run.workers.prepare()
