"""Explain optimizer steps: the formula of each, worked out for one element of a parameter, and what zero_grad cleared.

A formula is shown only where it gives what torch computed.
Source: the algorithm in the documentation of each optimizer (`torch.optim.SGD` and so on), with all its options.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite, sqrt
from typing import Any

from tutor.explain import formatting
from tutor.explain.formatting import term
from tutor.explain.provenance import readable_name
from tutor.explain.rules.arrays import unravel_index
from tutor.i18n import N_, _, ngettext
from tutor.trace import navigation
from tutor.trace.events import OptimizerStep, Update
from tutor.trace.number_format import equation, inline, number
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value, elements, shape_of


@dataclass(frozen=True)
class Element:
    """One element of a parameter before the step, with the options of its group."""

    value: float
    grad: float
    state: Mapping[str, float]
    """The optimizer's state for the element; empty before its first step."""
    options: Mapping[str, Any]
    steps: float
    """The number of steps so far, with this one; 0 where the optimizer does not count them."""
    dtype: str = "float32"

    def number(self, value: float) -> str:
        """Format a number as one of the parameter's dtype."""
        return number(value, self.dtype)

    def term(self, value: float) -> str:
        """Format a number to follow a sign."""
        return term(self.number(value))

    def option(self, name: str, default: float = 0.0) -> float:
        """Return an option as a number. Raises ValueError where it is none."""
        value = self.options.get(name, default)
        while isinstance(value, (list, tuple)) and len(value) == 1:
            value = value[0]
        return float(default if value is None else value)

    def pair(self, name: str) -> tuple[float, float]:
        """Return an option of two numbers, as betas."""
        first, second = self.options[name]
        return float(first), float(second)


@dataclass(frozen=True)
class Worked:
    """An element after the step, by the formula."""

    value: float
    state: Mapping[str, float]
    working: Callable[[], list[tuple[str, str]]]
    """The computations as pairs of a name and a text without its result: the state first, the parameter (named "")
    last."""
    more: Mapping[str, float] = field(default_factory=dict)
    """Intermediate results that are not kept as state."""


Formula = Callable[[Element], Worked]


# ---------------------------------------------------------------- formulas


def sgd(x: Element) -> Worked:
    """Compute value - lr × grad; with momentum, the buffer in place of the gradient."""
    lr, momentum, damping = x.option("lr"), x.option("momentum"), x.option("dampening")
    grad, grad_text = _gradient(x)
    state: dict[str, float] = {}
    lines: list[tuple[str, str]] = []
    direction, direction_text = grad, grad_text
    if momentum:
        previous = x.state.get("momentum_buffer")
        buffer = grad if previous is None else momentum * previous + (1 - damping) * grad
        state["momentum_buffer"] = buffer
        grad_share = grad_text if not damping else f"{x.number(1 - damping)} × {term(grad_text)}"
        lines.append(
            (
                "momentum_buffer",
                grad_text if previous is None else f"{x.number(momentum)} × {x.term(previous)} + {term(grad_share)}",
            )
        )
        direction, direction_text = buffer, x.term(buffer)
        if x.options.get("nesterov"):
            direction, direction_text = (
                grad + momentum * buffer,
                f"({grad_text} + {x.number(momentum)} × {x.term(buffer)})",
            )
    new = x.value - lr * direction
    return Worked(
        new, state, lambda: [*lines, ("", f"{x.number(x.value)} - {x.number(lr)} × {_parenthesized(direction_text)}")]
    )


def adam(x: Element) -> Worked:
    """Compute value - lr × m̂ / (√v̂ + eps): m and v are running means of the gradient and its square, m̂ and v̂ the
    same with bias correction."""
    return _adam(x, bool(x.options.get("decoupled_weight_decay")))


def adamw(x: Element) -> Worked:
    """Compute Adam with the weight decay taken from the value, not added to the gradient."""
    return _adam(x, True)


def _adam(x: Element, decoupled: bool) -> Worked:
    lr, eps, decay = x.option("lr"), x.option("eps"), x.option("weight_decay")
    beta1, beta2 = x.pair("betas")
    grad, grad_text = _gradient(x, 0.0 if decoupled else decay)
    decayed, decayed_text = x.value, x.number(x.value)
    if decoupled and decay:
        decayed, decayed_text = (
            x.value * (1 - lr * decay),
            f"{x.number(x.value)} × (1 - {x.number(lr)} × {x.number(decay)})",
        )
    m0, v0 = x.state.get("exp_avg", 0.0), x.state.get("exp_avg_sq", 0.0)
    m, v = beta1 * m0 + (1 - beta1) * grad, beta2 * v0 + (1 - beta2) * grad * grad
    state = {"exp_avg": m, "exp_avg_sq": v}
    largest = v
    if x.options.get("amsgrad"):
        largest = state["max_exp_avg_sq"] = max(x.state.get("max_exp_avg_sq", 0.0), v)
    mean, root = m / (1 - beta1**x.steps), sqrt(largest / (1 - beta2**x.steps))

    def working() -> list[tuple[str, str]]:
        lines = [
            ("exp_avg", f"{x.number(beta1)} × {x.term(m0)} + {x.number(1 - beta1)} × {_parenthesized(grad_text)}"),
            (
                "exp_avg_sq",
                f"{x.number(beta2)} × {x.term(v0)} + {x.number(1 - beta2)} × {_parenthesized(grad_text)}²",
            ),
        ]
        if largest is not v or x.options.get("amsgrad"):
            previous = x.number(x.state.get("max_exp_avg_sq", 0.0))
            lines.append(("max_exp_avg_sq", _("the larger of {old} and {new}", old=previous, new=x.number(v))))
        first, second = f"1 - {x.number(beta1)}^{x.steps:g}", f"1 - {x.number(beta2)}^{x.steps:g}"
        lines.append(
            ("update", f"{x.number(m)} / ({first}) / (sqrt({x.number(largest)} / ({second})) + {x.number(eps)})")
        )
        return [*lines, ("", f"{decayed_text} - {x.number(lr)} × {x.term(mean / (root + eps))}")]

    return Worked(decayed - lr * mean / (root + eps), state, working, {"update": mean / (root + eps)})


def rmsprop(x: Element) -> Worked:
    """Compute value - lr × grad / (√(mean of the squares) + eps)."""
    lr, alpha, eps, momentum = x.option("lr"), x.option("alpha"), x.option("eps"), x.option("momentum")
    grad, grad_text = _gradient(x)
    previous = x.state.get("square_avg", 0.0)
    mean = alpha * previous + (1 - alpha) * grad * grad
    state = {"square_avg": mean}
    lines = [
        (
            "square_avg",
            f"{x.number(alpha)} × {x.term(previous)} + {x.number(1 - alpha)} × {_parenthesized(grad_text)}²",
        )
    ]
    variance, root = mean, f"sqrt({x.number(mean)})"
    if x.options.get("centered"):
        previous_mean = x.state.get("grad_avg", 0.0)
        grad_mean = state["grad_avg"] = alpha * previous_mean + (1 - alpha) * grad
        lines.append(
            (
                "grad_avg",
                f"{x.number(alpha)} × {x.term(previous_mean)} + {x.number(1 - alpha)} × {_parenthesized(grad_text)}",
            )
        )
        variance, root = mean - grad_mean * grad_mean, f"sqrt({x.number(mean)} - {x.term(grad_mean)}²)"
    direction = grad / (sqrt(variance) + eps)
    direction_text = f"{_parenthesized(grad_text)} / ({root} + {x.number(eps)})"
    if momentum:
        buffer = x.state.get("momentum_buffer", 0.0)
        lines.append(("momentum_buffer", f"{x.number(momentum)} × {x.term(buffer)} + {direction_text}"))
        direction = state["momentum_buffer"] = momentum * buffer + direction
        direction_text = x.term(direction)
    return Worked(
        x.value - lr * direction,
        state,
        lambda: [*lines, ("", f"{x.number(x.value)} - {x.number(lr)} × {direction_text}")],
    )


def adagrad(x: Element) -> Worked:
    """Compute value - lr × grad / (√(sum of the squares) + eps)."""
    decay_factor = 1 + (x.steps - 1) * x.option("lr_decay")
    lr, eps = x.option("lr") / decay_factor, x.option("eps", 1e-10)
    grad, grad_text = _gradient(x)
    previous = x.state.get("sum", 0.0)
    total = previous + grad * grad
    lines = [("sum", f"{x.number(previous)} + {_parenthesized(grad_text)}²")]
    new = x.value - lr * grad / (sqrt(total) + eps)
    divisor = f"(sqrt({x.number(total)}) + {x.number(eps)})"
    text = f"{x.number(x.value)} - {x.number(lr)} × {_parenthesized(grad_text)} / {divisor}"
    return Worked(new, {"sum": total}, lambda: [*lines, ("", text)])


FORMULAS: dict[str, tuple[Formula, str]] = {
    "SGD": (sgd, N_("value - lr × grad")),
    "Adam": (adam, N_("value - lr × mean of grad / (√mean of grad² + eps)")),
    "AdamW": (adamw, N_("value × (1 - lr × weight_decay) - lr × mean of grad / (√mean of grad² + eps)")),
    "RMSprop": (rmsprop, N_("value - lr × grad / (√mean of grad² + eps)")),
    "Adagrad": (adagrad, N_("value - lr × grad / (√sum of grad² + eps)")),
}
"""By class of the optimizer: its formula, and the formula as text."""


def _gradient(x: Element, decay: float | None = None) -> tuple[float, str]:
    """Return the gradient as the formula uses it, with weight decay and negated for `maximize`; and its text."""
    decay = x.option("weight_decay") if decay is None else decay
    grad = -x.grad if x.options.get("maximize") else x.grad
    text = x.number(grad)
    return (grad + decay * x.value, f"({text} + {x.number(decay)} × {x.term(x.value)})") if decay else (grad, text)


def _parenthesized(text: str) -> str:
    """Put a negative number in parentheses; a sum has them already."""
    return term(text)


# ---------------------------------------------------------------- steps in a recording


_NAMED = 2
"""Most parameters that are worked out in the line of a step."""
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
    lines: list[tuple[str, str, float]]
    """Name (the parameter's own line is the last, named ""), working and result of each computation."""
    dtype: str = "float32"

    @property
    def update(self) -> str:
        """The parameter's own line: `1 - 0.1 × 2 = 0.8`."""
        _, text, result = self.lines[-1]
        return equation(text, number(result, self.dtype))


def finished_steps(timeline: Timeline, step: int) -> list[OptimizerReport]:
    """Return the optimizer steps that were over at this step. One inside another call, which a learner may walk over,
    is returned at the next step outside too."""
    previous = step - 1
    if _depth(timeline, step) == 0:
        previous = (navigation.back(timeline, step, inside=0) or 0) if step > 1 else 0
    return [
        report
        for report in _reports_between(timeline, previous, step)
        if report.step > previous and (report.step == step or _depth(timeline, report.step) > 0)
    ]


def last_step(timeline: Timeline, step: int) -> OptimizerReport | None:
    """Return the last optimizer step that was over at this step; None before the first."""
    side_events = timeline.side_events
    for index in range(bisect_right(side_events, step, key=lambda aside: aside.step) - 1, -1, -1):
        event = side_events[index].event
        if isinstance(event, OptimizerStep):
            return OptimizerReport(side_events[index].step, event)
    return None


def _reports_between(timeline: Timeline, since: int, step: int) -> Iterator[OptimizerReport]:
    side_events = timeline.side_events
    for index in range(bisect_right(side_events, since, key=lambda side_event: side_event.step), len(side_events)):
        side_event = side_events[index]
        if side_event.step > step:
            return
        if isinstance(side_event.event, OptimizerStep):
            yield OptimizerReport(side_event.step, side_event.event)


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
    before, after = elements(update.before) or [], elements(update.after) or []
    if element is None:
        element = max(range(len(worked)), key=lambda index: abs(after[index] - before[index]))
    chosen = worked[element]
    results: Mapping[str, float] = {**chosen.state, **chosen.more, "": chosen.value}
    lines = [(name, text, results[name]) for name, text in chosen.working() if name in results]
    return Working(unravel_index(element, shape_of(update.after)), lines, dtype)


def formula(event: OptimizerStep) -> str | None:
    """Return the optimizer's formula in short; None where it is not known."""
    entry = FORMULAS.get(event.optimizer)
    return None if entry is None else _(entry[1])


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
    """Return an optimizer step as text: `SGD.step: w 1.0 - 0.1 × 2.0 = 0.8`."""
    event = report.event
    texts = [_describe_update(timeline, report, update) for update in event.updates[:_NAMED]]
    more = len(event.updates) - len(texts) + event.left_out
    if more and texts:
        texts.append(ngettext("{count} more parameter", "{count} more parameters", more))
    return f"{event.optimizer}.step: {formatting.listed(texts) or _('no parameter has a gradient')}"


def _describe_update(timeline: Timeline, report: OptimizerReport, update: Update) -> str:
    name, dtype = readable_name(timeline, report.step, update.tensor), state_dtype(timeline.state(report.step), update)
    working = work_out_update(report.event, update, dtype)
    if working is None:
        return f"{name} {inline(update.before, dtype)} → {inline(update.after, dtype)}"
    return f"{name}{place_text(working.index, update)} {working.update}"


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
        for key, text, result in working.lines:
            lines.append(equation(f"{key or name}{place} = {text}", number(result, dtype)))
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
