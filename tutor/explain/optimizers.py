"""Explain optimizer steps: the formula of each, worked out for one element of a parameter, and what zero_grad cleared.

A formula is shown only where it gives what torch computed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from math import isfinite
from weakref import WeakKeyDictionary

from tutor.explain import formatting
from tutor.explain.formatting import Part
from tutor.explain.optimizer_formulas import FORMULAS, Element, Line, Worked
from tutor.explain.provenance import readable_name
from tutor.explain.rules.arrays import unravel_index
from tutor.i18n import _, ngettext
from tutor.trace import navigation
from tutor.trace.events import OptimizerStep, Update
from tutor.trace.number_format import equation, inline, number
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value, elements, shape_of

_NAMED = 2
"""Most gradients that are named in the line of a zero_grad."""
_SUMS_OF_GRADIENTS = ("exp_avg", "grad_avg", "momentum_buffer")
"""State that is a sum of gradients, and so may be much smaller than they are."""
_ROUNDING = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Relative rounding error by dtype."""


@dataclass(frozen=True)
class OptimizerReport:
    """An optimizer step, and the step of the recording after which it was over."""

    step: int
    event: OptimizerStep


@dataclass(frozen=True)
class Working:
    """How one element of a parameter was computed."""

    index: tuple[int, ...]
    lines: list[Line]
    """The computations, the parameter's own last; results that were recorded are as recorded."""
    dtype: str

    @property
    def update(self) -> str:
        """The parameter's own line: `w - lr·g = 1 - 0.1·2 = 0.8`."""
        return self.text_of(self.lines[-1])

    def text_of(self, line: Line) -> str:
        """Return a computation in symbols and in numbers, with its result."""
        return reduce(equation, self.sides_of(line))

    def sides_of(self, line: Line) -> list[str]:
        """Return a computation in symbols, in numbers, and its result; numbers that are the result are left out."""
        return list(dict.fromkeys([line.rule, line.numbers, number(line.result, self.dtype)]))


def finished_steps(timeline: Timeline, step: int) -> list[OptimizerReport]:
    """Return the optimizer steps that were over at this step. One inside another call, which a learner may walk over,
    is returned at the next step outside too."""
    if not timeline.side_events:
        return []
    previous = step - 1
    if _depth(timeline, step) == 0:
        previous = (navigation.back(timeline, step, inside=0) or 0) if step > 1 else 0
    return [
        report
        for report in reports_between(timeline, previous, step)
        if report.step > previous and (report.step == step or _depth(timeline, report.step) > 0)
    ]


def last_step(timeline: Timeline, step: int) -> OptimizerReport | None:
    """Return the last optimizer step that was over at this step; None before the first."""
    side_events = timeline.side_events
    for index in range(bisect_right(side_events, step, key=lambda aside: aside.step) - 1, -1, -1):
        event = timeline.optimizer_step(index)
        if event is not None:
            return OptimizerReport(side_events[index].step, event)
    return None


def reports_between(timeline: Timeline, since: int, step: int) -> Iterator[OptimizerReport]:
    """Yield the optimizer steps that were over after step `since`, and not after `step`."""
    side_events = timeline.side_events
    for index in range(bisect_right(side_events, since, key=lambda side_event: side_event.step), len(side_events)):
        if side_events[index].step > step:
            return
        event = timeline.optimizer_step(index)
        if event is not None:
            yield OptimizerReport(side_events[index].step, event)


def _depth(timeline: Timeline, step: int) -> int:
    return timeline.columns.depths[step - 1] if 0 < step <= timeline.steps else 0


# ---------------------------------------------------------------- verifying a formula


def work_out_update(
    event: OptimizerStep, update: Update, dtype: str = "float32", element: int | None = None
) -> Working | None:
    """Work out the formula for one element of a parameter.

    Args:
        event: The optimizer step.
        update: The update of the parameter.
        dtype: The parameter's dtype.
        element: Flat index; by default the element that moved most.

    Returns:
        The working; None where the formula is not known, or does not give what torch computed for the whole parameter
        and its state.
    """
    worked = _evaluate(event, update, dtype)
    if not worked:
        return None
    after = elements(update.after) or []
    if element is None:
        element = most_moved_element(update)[1]
    elif not 0 <= element < len(worked):
        return None
    recorded = {name: column[element] for name, column in _columns_of(update.state_after, len(after)).items()}
    recorded["w"] = after[element]
    lines = [
        replace(line, result=recorded.get(line.state or line.symbol, line.result)) for line in worked[element].lines()
    ]
    return Working(unravel_index(element, shape_of(update.after)), lines, dtype)


def formula(event: OptimizerStep) -> str | None:
    """Return the optimizer's formula in short; None where it is not known."""
    entry = FORMULAS.get(event.optimizer)
    return None if entry is None else entry[1]


def agrees(event: OptimizerStep, update: Update, dtype: str = "float32") -> bool:
    """Return whether the optimizer's formula gives what torch computed."""
    return bool(_evaluate(event, update, dtype))


def _evaluate(event: OptimizerStep, update: Update, dtype: str) -> list[Worked]:
    """Return the formula's result for each element; empty where one does not agree, or values are not known."""
    entry, rounding = FORMULAS.get(event.optimizer), _ROUNDING.get(dtype)
    before, grad, after = (elements(value) for value in (update.before, update.grad, update.after))
    if entry is None or rounding is None or not 0 <= update.group < len(event.options) or not before or not grad:
        return []
    if after is None or not len(before) == len(grad) == len(after):
        return []
    old, new = _columns_of(update.state_before, len(before)), _columns_of(update.state_after, len(before))
    counted = elements(update.state_after.get("step")) or [0]
    results = []
    try:
        for index, (old_value, gradient, new_value) in enumerate(zip(before, grad, after, strict=True)):
            state = {name: column[index] for name, column in old.items()}
            element = Element(old_value, gradient, state, event.options[update.group], float(counted[0]), dtype)
            worked = entry[0](element)
            if not _element_agrees(
                worked, element, new_value, {name: column[index] for name, column in new.items()}, rounding
            ):
                return []
            results.append(worked)
    except (LookupError, ArithmeticError, ValueError, TypeError):
        return []  # options or numbers that are not what they are taken for
    return results


def _element_agrees(worked: Worked, x: Element, new_value: float, state: Mapping[str, float], rounding: float) -> bool:
    """Return whether an element and its state agree with the formula, up to rounding: of the result, and of what was
    computed on the way."""
    tolerance = 8 * rounding * max(abs(x.value), abs(new_value)) + 1000 * rounding * abs(worked.value - x.value)
    if not (isfinite(new_value) and abs(worked.value - new_value) <= tolerance):
        return False
    for name, expected in worked.state.items():
        sizes = [
            abs(expected),
            1e-30,
            *([abs(x.grad), abs(x.state.get(name, 0.0))] if name in _SUMS_OF_GRADIENTS else []),
        ]
        if name not in state or not abs(expected - state[name]) <= 1000 * rounding * max(sizes):
            return False
    return True


def _columns_of(state: Mapping[str, Value], count: int) -> dict[str, list[float]]:
    """Return the state that has a value for each element."""
    columns = {}
    for name, value in state.items():
        column = elements(value)
        if column is not None and len(column) == count and name != "step":
            columns[name] = column
    return columns


# ---------------------------------------------------------------- in words


def describe_report(timeline: Timeline, report: OptimizerReport) -> str:
    """Return an optimizer step as text, by the weight that moved most: `SGD.step: w = w - lr·g = 1 - 0.1·2 = 0.8`."""
    event = report.event
    updates = {update.tensor: update for update in event.updates}
    if not updates:
        return f"{event.optimizer}.step: {_('no parameter has a gradient')}"
    tensor, element = most_moved(timeline, report)
    more = len(updates) - 1 + event.left_out
    others = ngettext("{count} more parameter", "{count} more parameters", more) if more else ""
    text = _describe_update(timeline, report, updates[tensor], element)
    return f"{event.optimizer}.step: {formatting.listed([text, others])}"


_moved: WeakKeyDictionary[Timeline, dict[int, tuple[int, int]]] = WeakKeyDictionary()


def most_moved(timeline: Timeline, report: OptimizerReport) -> tuple[int, int]:
    """Return the weight that a step changed most: a parameter, and the flat index of an element."""
    moved = _moved.setdefault(timeline, {})
    if report.step not in moved:
        distances = {update.tensor: most_moved_element(update) for update in report.event.updates}
        tensor = max(distances, key=lambda tensor: distances[tensor][0])
        moved[report.step] = tensor, distances[tensor][1]
    return moved[report.step]


def most_moved_element(update: Update) -> tuple[float, int]:
    """Return how far the element that moved most did, and its flat index."""
    before, after = elements(update.before) or [], elements(update.after) or []
    distances = [abs(new - old) for old, new in zip(before, after, strict=False)]
    moved = [(distance, index) for index, distance in enumerate(distances) if distance == distance]
    return max(moved, key=lambda pair: pair[0], default=(0.0, 0))


def _describe_update(timeline: Timeline, report: OptimizerReport, update: Update, element: int) -> str:
    name, dtype = readable_name(timeline, report.step, update.tensor), state_dtype(timeline.state(report.step), update)
    working = work_out_update(report.event, update, dtype, element)
    if working is None:
        return f"{name} {inline(update.before, dtype)} → {inline(update.after, dtype)}"
    return f"{name}{place_text(working.index, update)} = {working.update}"


def explain_update(timeline: Timeline, step: int, tensor: int, element: int | None = None) -> list[list[Part]]:
    """Return how a weight got its value in the last optimizer step up to `step`, as lines.

    Args:
        timeline: The recording.
        step: A step.
        tensor: The parameter.
        element: Flat index; by default the element that moved most.

    Returns:
        The weight and its gradient, and a line for each computation (the weight's own last), in symbols and numbers;
        without the computations where the optimizer's formula is not known or does not give the recorded numbers. Empty
        where no step up to there changed the parameter, and where its values were not recorded.
    """
    report, update = _last_update(timeline, step, tensor)
    before, grad, after = (() if update is None else elements(value) or () for value in _values_of(update))
    if report is None or update is None or not before or not len(before) == len(grad) == len(after):
        return []
    element = most_moved_element(update)[1] if element is None else element
    if not 0 <= element < len(after):
        return []
    name, dtype = readable_name(timeline, step, tensor), state_dtype(timeline.state(report.step), update)
    place = place_text(unravel_index(element, shape_of(update.after)), update)
    change = f"{number(before[element], dtype)} → {number(after[element], dtype)}"
    lines: list[list[Part]] = [
        [
            ("w", "value"), (" = ", "quiet"), (f"{name}{place}", "leaf"), (f" {change}", "value"), (" · ", "quiet"),
            ("g", "grad"), (" = ", "quiet"), (f"{name}.grad{place}", "leaf"),
            (f" {number(grad[element], dtype)}", "grad"), (f" · {report.event.optimizer}", "quiet"),
        ]
    ]  # fmt: skip
    working = work_out_update(report.event, update, dtype, element)
    if working is None:
        return lines
    for line in working.lines:
        state: list[Part] = [(f" ({line.state})", "quiet")] if line.state else []
        rule, *numbers = working.sides_of(line)
        lines.append([(line.symbol, "value"), *state, (" = ", "quiet"), (rule, "code")])
        for text in numbers:
            lines[-1] += [(" = ", "quiet"), (text, "value")]
    return lines


def _values_of(update: Update | None) -> tuple[Value, Value, Value]:
    return (None, None, None) if update is None else (update.before, update.grad, update.after)


def _last_update(timeline: Timeline, step: int, tensor: int) -> tuple[OptimizerReport | None, Update | None]:
    """Return the last optimizer step up to `step` that changed a parameter, and its update."""
    side_events = timeline.side_events
    for index in range(bisect_right(side_events, step, key=lambda side_event: side_event.step) - 1, -1, -1):
        changed = side_events[index].event
        if not isinstance(changed, OptimizerStep) or all(update.tensor != tensor for update in changed.updates):
            continue
        event = timeline.optimizer_step(index)
        update = next((update for update in event.updates if update.tensor == tensor), None) if event else None
        if event is not None and update is not None:
            return OptimizerReport(side_events[index].step, event), update
    return None, None


def place_text(index: tuple[int, ...], update: Update) -> str:
    """Return the index of an element, `[0, 1]`; empty for a parameter of one element."""
    return f"[{', '.join(map(str, index))}]" if len(elements(update.after) or ()) > 1 else ""


def state_dtype(state: State, update: Update) -> str:
    """Return the parameter's dtype."""
    tensor_state = state.tensors.get(update.tensor)
    return "float32" if tensor_state is None else tensor_state.dtype


def report_lines(timeline: Timeline, report: OptimizerReport, update: Update) -> list[str]:
    """Return all of one update: gradient, state and value, old and new; the working where the formula agrees."""
    name, dtype = readable_name(timeline, report.step, update.tensor), state_dtype(timeline.state(report.step), update)
    change = f"{inline(update.before, dtype)} → {inline(update.after, dtype)}"
    lines = [_("{name}: {change}, gradient {gradient}", name=name, change=change,
               gradient=inline(update.grad, dtype, gradient=True))]  # fmt: skip
    for key, value in update.state_after.items():
        previous = update.state_before.get(key)
        lines.append(f"{key}: {inline(previous, dtype)} → {inline(value, dtype)}")
    working = work_out_update(report.event, update, dtype)
    if working is not None:
        place = place_text(working.index, update)
        for line in working.lines:
            symbol = f"{name}{place}" if line.symbol == "w" else line.symbol
            lines.append(f"{symbol}{f' ({line.state})' if line.state else ''} = {working.text_of(line)}")
    return lines


# ---------------------------------------------------------------- zero_grad


def describe_zero_grad(timeline: Timeline, step: int) -> str | None:
    """Return `SGD.zero_grad: w.grad 2.0 → None` at the first step after the call; None elsewhere."""
    if step < 2 or _depth(timeline, step) or not _depth(timeline, step - 1):
        return None
    previous_step = navigation.back(timeline, step, inside=0) or 0
    sites = (timeline.sites.get(timeline.columns.sites[place - 1]) for place in range(previous_step + 1, step))
    call = next(
        (site.parent for site in sites if site is not None and (site.parent or "").endswith(".zero_grad")), None
    )
    if call is None:
        return None
    before, after = timeline.state(previous_step), timeline.state(step - 1)
    changes = []
    for serial, tensor in before.tensors.items():
        old_grad = None if tensor.grad is None else before.tensors.get(tensor.grad)
        tensor_after = after.tensors.get(serial)
        if old_grad is None or tensor_after is None:
            continue
        new_grad = None if tensor_after.grad is None else after.tensors.get(tensor_after.grad)
        if new_grad is None or (new_grad is not old_grad and new_grad.value != old_grad.value):
            old_text, name = (
                inline(old_grad.value, old_grad.dtype, gradient=True),
                readable_name(timeline, previous_step, serial),
            )
            zeros = new_grad is not None and not any(elements(new_grad.value) or [1])
            new_text = (
                "None"
                if new_grad is None
                else _("filled with zeros")
                if zeros
                else inline(new_grad.value, new_grad.dtype, gradient=True)
            )
            changes.append(f"{name}.grad {old_text} → {new_text}")
    more = len(changes) - _NAMED
    if more > 0:
        changes[_NAMED:] = [ngettext("{count} more gradient", "{count} more gradients", more)]
    return f"{call}: {formatting.listed(changes)}" if changes else None
