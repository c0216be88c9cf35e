"""The formulas of optimizers, for one element of a parameter: from its old value, gradient and state to the new ones.

Source: the algorithm in the documentation of each optimizer (`torch.optim.SGD` and so on), with all its options.

What an optimizer's step did to each parameter: its formula with this run's numbers, where they agree."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite, sqrt
from typing import Any

from tutor.explain import formatting
from tutor.explain.formatting import number, term
from tutor.explain.provenance import readable
from tutor.i18n import N_, _, ngettext
from tutor.trace import navigation
from tutor.trace.events import OptimizerStep, Update
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements, shape_of
from tutor.trace.wire_types import Value


@dataclass(frozen=True)
class Element:
    """One element before the step, and the options of its group."""

    value: float
    grad: float
    state: Mapping[str, float]
    """What the optimizer kept for it; nothing where it had kept nothing yet."""
    options: Mapping[str, Any]
    steps: float
    """How many steps the optimizer counts, this one included; 0 where it does not count."""

    def option(self, name: str, default: float = 0.0) -> float:
        """An option as a number. Raises ValueError where it is none."""
        held = self.options.get(name, default)
        while isinstance(held, (list, tuple)) and len(held) == 1:
            held = held[0]
        return float(default if held is None else held)

    def pair(self, name: str) -> tuple[float, float]:
        """An option of two numbers."""
        first, second = self.options[name]
        return float(first), float(second)


@dataclass(frozen=True)
class Worked:
    """An element after the step, by the formula."""

    value: float
    state: Mapping[str, float]
    working: Callable[[], list[tuple[str, str]]]
    """What is computed, in order, and how: the state first, the parameter (named "") last, without their results."""
    more: Mapping[str, float] = field(default_factory=dict)
    """Results on the way that are not kept."""


Formula = Callable[[Element], Worked]


def sgd(x: Element) -> Worked:
    """value - lr × grad; with momentum, the buffer in place of the gradient."""
    lr, momentum, damping = x.option("lr"), x.option("momentum"), x.option("dampening")
    grad, said = _gradient(x)
    state: dict[str, float] = {}
    lines: list[tuple[str, str]] = []
    move, moved = grad, said
    if momentum:
        old = x.state.get("momentum_buffer")
        buffer = grad if old is None else momentum * old + (1 - damping) * grad
        state["momentum_buffer"] = buffer
        share = said if not damping else f"{number(1 - damping)} × {term(said)}"
        lines.append(("momentum_buffer", said if old is None else f"{number(momentum)} × {_n(old)} + {term(share)}"))
        move, moved = buffer, _n(buffer)
        if x.options.get("nesterov"):
            move, moved = grad + momentum * buffer, f"({said} + {number(momentum)} × {_n(buffer)})"
    new = x.value - lr * move
    return Worked(new, state, lambda: [*lines, ("", f"{number(x.value)} - {number(lr)} × {_whole(moved)}")])


def adam(x: Element) -> Worked:
    """value - lr × m' / (√v' + eps): m and v are running means of the gradient and its square, m' and v' without
    their start at 0."""
    return _adam(x, bool(x.options.get("decoupled_weight_decay")))


def adamw(x: Element) -> Worked:
    """Adam with the weight decay taken from the value itself, not by way of the gradient."""
    return _adam(x, True)


def _adam(x: Element, decoupled: bool) -> Worked:
    lr, eps, decay = x.option("lr"), x.option("eps"), x.option("weight_decay")
    one, two = x.pair("betas")
    grad, said = _gradient(x, 0.0 if decoupled else decay)
    start, begun = x.value, number(x.value)
    if decoupled and decay:
        start, begun = x.value * (1 - lr * decay), f"{number(x.value)} × (1 - {number(lr)} × {number(decay)})"
    m0, v0 = x.state.get("exp_avg", 0.0), x.state.get("exp_avg_sq", 0.0)
    m, v = one * m0 + (1 - one) * grad, two * v0 + (1 - two) * grad * grad
    state = {"exp_avg": m, "exp_avg_sq": v}
    largest = v
    if x.options.get("amsgrad"):
        largest = state["max_exp_avg_sq"] = max(x.state.get("max_exp_avg_sq", 0.0), v)
    up, below = m / (1 - one**x.steps), sqrt(largest / (1 - two**x.steps))

    def working() -> list[tuple[str, str]]:
        lines = [
            ("exp_avg", f"{number(one)} × {_n(m0)} + {number(1 - one)} × {_whole(said)}"),
            ("exp_avg_sq", f"{number(two)} × {_n(v0)} + {number(1 - two)} × {_whole(said)}²"),
        ]
        if largest is not v or x.options.get("amsgrad"):
            was = number(x.state.get("max_exp_avg_sq", 0.0))
            lines.append(("max_exp_avg_sq", _("the larger of {old} and {new}", old=was, new=number(v))))
        first, second = f"1 - {number(one)}^{x.steps:g}", f"1 - {number(two)}^{x.steps:g}"
        lines.append(("update", f"{number(m)} / ({first}) / (sqrt({number(largest)} / ({second})) + {number(eps)})"))
        return [*lines, ("", f"{begun} - {number(lr)} × {_n(up / (below + eps))}")]

    return Worked(start - lr * up / (below + eps), state, working, {"update": up / (below + eps)})


def rmsprop(x: Element) -> Worked:
    """value - lr × grad / (√mean of the squares + eps)."""
    lr, alpha, eps, momentum = x.option("lr"), x.option("alpha"), x.option("eps"), x.option("momentum")
    grad, said = _gradient(x)
    old = x.state.get("square_avg", 0.0)
    mean = alpha * old + (1 - alpha) * grad * grad
    state = {"square_avg": mean}
    lines = [("square_avg", f"{number(alpha)} × {_n(old)} + {number(1 - alpha)} × {_whole(said)}²")]
    spread, root = mean, f"sqrt({number(mean)})"
    if x.options.get("centered"):
        was = x.state.get("grad_avg", 0.0)
        middle = state["grad_avg"] = alpha * was + (1 - alpha) * grad
        lines.append(("grad_avg", f"{number(alpha)} × {_n(was)} + {number(1 - alpha)} × {_whole(said)}"))
        spread, root = mean - middle * middle, f"sqrt({number(mean)} - {_n(middle)}²)"
    move = grad / (sqrt(spread) + eps)
    moved = f"{_whole(said)} / ({root} + {number(eps)})"
    if momentum:
        kept = x.state.get("momentum_buffer", 0.0)
        lines.append(("momentum_buffer", f"{number(momentum)} × {_n(kept)} + {moved}"))
        move = state["momentum_buffer"] = momentum * kept + move
        moved = _n(move)
    return Worked(x.value - lr * move, state, lambda: [*lines, ("", f"{number(x.value)} - {number(lr)} × {moved}")])


def adagrad(x: Element) -> Worked:
    """value - lr × grad / (√sum of the squares + eps)."""
    slower = 1 + (x.steps - 1) * x.option("lr_decay")
    lr, eps = x.option("lr") / slower, x.option("eps", 1e-10)
    grad, said = _gradient(x)
    old = x.state.get("sum", 0.0)
    total = old + grad * grad
    lines = [("sum", f"{number(old)} + {_whole(said)}²")]
    new = x.value - lr * grad / (sqrt(total) + eps)
    moved = f"{number(x.value)} - {number(lr)} × {_whole(said)} / (sqrt({number(total)}) + {number(eps)})"
    return Worked(new, {"sum": total}, lambda: [*lines, ("", moved)])


FORMULAS: dict[str, tuple[Formula, str]] = {
    "SGD": (sgd, N_("value - lr × grad")),
    "Adam": (adam, N_("value - lr × mean of grad / (√mean of grad² + eps)")),
    "AdamW": (adamw, N_("value × (1 - lr × weight_decay) - lr × mean of grad / (√mean of grad² + eps)")),
    "RMSprop": (rmsprop, N_("value - lr × grad / (√mean of grad² + eps)")),
    "Adagrad": (adagrad, N_("value - lr × grad / (√sum of grad² + eps)")),
}
"""By the optimizer's class: its formula, and how one says it in short."""


def _gradient(x: Element, decay: float | None = None) -> tuple[float, str]:
    """The gradient as the formula takes it, turned round where one climbs, with the weight decay; and in words."""
    decay = x.option("weight_decay") if decay is None else decay
    grad = -x.grad if x.options.get("maximize") else x.grad
    said = number(grad)
    return (grad + decay * x.value, f"({said} + {number(decay)} × {_n(x.value)})") if decay else (grad, said)


def _n(x: float) -> str:
    return term(number(x))


def _whole(text: str) -> str:
    """In parentheses where it is negative; a sum has its own already."""
    return term(text)


_NAMED = 2
"""So many parameters are worked out in the line of a step."""
_MEANS = ("exp_avg", "grad_avg", "momentum_buffer")
"""What is a sum of gradients, and so may be much smaller than they are."""
_ROUNDING = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}


@dataclass(frozen=True)
class OptimizerReport:
    """An optimizer's step, and the step of the recording after which it was over."""

    step: int
    event: OptimizerStep


@dataclass(frozen=True)
class Working:
    """How one element of a parameter came about: `lines` are what was computed and how, with the result."""

    index: tuple[int, ...]
    lines: list[tuple[str, str, float]]
    """What (the parameter's own line is the last, named ""), the working, the result."""

    @property
    def update(self) -> str:
        """`1.0 - 0.1 × 2.0 = 0.8`"""
        _, text, result = self.lines[-1]
        return f"{text} = {formatting.number(result)}"


def steps_told(timeline: Timeline, step: int) -> list[OptimizerReport]:
    """The optimizers' steps that were over at this step. What ran inside of one may be walked over: who walks over it
    is told at the next step outside."""
    last = step - 1
    if _depth(timeline, step) == 0:
        last = (navigation.back(timeline, step, inside=0) or 0) if step > 1 else 0
    return [
        told
        for told in _between(timeline, last, step)
        if told.step > last and (told.step == step or _depth(timeline, told.step) > 0)
    ]


def last_step(timeline: Timeline, step: int) -> OptimizerReport | None:
    """The last step of an optimizer that was over at this point."""
    asides = timeline.side_events
    for place in range(bisect_right(asides, step, key=lambda aside: aside.step) - 1, -1, -1):
        event = asides[place].event
        if isinstance(event, OptimizerStep):
            return OptimizerReport(asides[place].step, event)
    return None


def _between(timeline: Timeline, since: int, step: int) -> Iterator[OptimizerReport]:
    asides = timeline.side_events
    for place in range(bisect_right(asides, since, key=lambda aside: aside.step), len(asides)):
        aside = asides[place]
        if aside.step > step:
            return
        if isinstance(aside.event, OptimizerStep):
            yield OptimizerReport(aside.step, aside.event)


def _depth(timeline: Timeline, step: int) -> int:
    return timeline.columns.depths[step - 1] if 0 < step <= timeline.steps else 0


# ---------------------------------------------------------------- the formula


def working(event: OptimizerStep, update: Update, dtype: str = "float32", element: int | None = None) -> Working | None:
    """The formula with the numbers of one element (by default the one that moved most), if it gives what torch gave
    for the whole parameter and all that is kept for it. None: nothing is claimed."""
    worked = _evaluated(event, update, dtype)
    if not worked:
        return None
    before, after = elements(update.before) or [], elements(update.after) or []
    if element is None:
        element = max(range(len(worked)), key=lambda place: abs(after[place] - before[place]))
    chosen = worked[element]
    results: Mapping[str, float] = {**chosen.state, **chosen.more, "": chosen.value}
    report_lines = [(name, text, results[name]) for name, text in chosen.working() if name in results]
    return Working(_index(shape_of(update.after), element), report_lines)


def formula(event: OptimizerStep) -> str | None:
    """The optimizer's formula in short."""
    known = FORMULAS.get(event.optimizer)
    return None if known is None else _(known[1])


def agrees(event: OptimizerStep, update: Update, dtype: str = "float32") -> bool:
    """Whether the optimizer's formula gives what torch gave."""
    return bool(_evaluated(event, update, dtype))


def _evaluated(event: OptimizerStep, update: Update, dtype: str) -> list[Worked]:
    """The formula for each element; nothing where one does not agree, or there are no numbers to try it on."""
    known, unit = FORMULAS.get(event.optimizer), _ROUNDING.get(dtype)
    before, grad, after = (elements(value) for value in (update.before, update.grad, update.after))
    if known is None or unit is None or not 0 <= update.group < len(event.options) or not before or not grad:
        return []
    if after is None or not len(before) == len(grad) == len(after):
        return []
    old, new = _columns(update.state_before, len(before)), _columns(update.state_after, len(before))
    counted = elements(update.state_after.get("step")) or [0]
    found = []
    try:
        for place, (was, slope, now) in enumerate(zip(before, grad, after, strict=True)):
            state = {name: column[place] for name, column in old.items()}
            element = Element(was, slope, state, event.options[update.group], float(counted[0]))
            worked = known[0](element)
            if not _agrees(worked, element, now, {name: column[place] for name, column in new.items()}, unit):
                return []
            found.append(worked)
    except (LookupError, ArithmeticError, ValueError, TypeError):
        return []  # options or numbers that are not what they are taken for
    return found


def _agrees(worked: Worked, x: Element, now: float, state: Mapping[str, float], unit: float) -> bool:
    """The same but for rounding: of the sum at its end, and of what was computed on the way."""
    room = 8 * unit * max(abs(x.value), abs(now)) + 1000 * unit * abs(worked.value - x.value)
    if not (isfinite(now) and abs(worked.value - now) <= room):
        return False
    for name, kept in worked.state.items():
        size = [abs(kept), 1e-30, *([abs(x.grad), abs(x.state.get(name, 0.0))] if name in _MEANS else [])]
        if name not in state or not abs(kept - state[name]) <= 1000 * unit * max(size):
            return False
    return True


def _columns(state: Mapping[str, Value], count: int) -> dict[str, list[float]]:
    """What is kept for each element."""
    found = {}
    for name, value in state.items():
        column = elements(value)
        if column is not None and len(column) == count and name != "step":
            found[name] = column
    return found


def _index(shape: tuple[int, ...], element: int) -> tuple[int, ...]:
    index: list[int] = []
    for size in reversed(shape):
        element, place = divmod(element, size)
        index.insert(0, place)
    return tuple(index)


# ---------------------------------------------------------------- in words


def says(timeline: Timeline, told: OptimizerReport) -> str:
    """`SGD.step: w 1.0 - 0.1 × 2.0 = 0.8`"""
    event = told.event
    said = [_says(timeline, told, update) for update in event.updates[:_NAMED]]
    more = len(event.updates) - len(said) + event.left_out
    if more and said:
        said.append(ngettext("{count} more parameter", "{count} more parameters", more))
    return f"{event.optimizer}.step: {formatting.listed(said) or _('no parameter has a gradient')}"


def _says(timeline: Timeline, told: OptimizerReport, update: Update) -> str:
    name, dtype = readable(timeline, told.step, update.tensor), state_dtype(timeline.state(told.step), update)
    found = working(told.event, update, dtype)
    if found is None:
        return f"{name} {formatting.value(update.before, dtype)} → {formatting.value(update.after, dtype)}"
    return f"{name}{place_text(found.index, update)} {found.update}"


def place_text(index: tuple[int, ...], update: Update) -> str:
    """`[0, 1]`, of a parameter with several elements."""
    return f"[{', '.join(map(str, index))}]" if len(elements(update.after) or ()) > 1 else ""


def state_dtype(state: State, update: Update) -> str:
    """The parameter's dtype."""
    held = state.tensors.get(update.tensor)
    return "float32" if held is None else held.dtype


def report_lines(timeline: Timeline, told: OptimizerReport, update: Update) -> list[str]:
    """Everything about one update: gradient, state and value, old and new; the working where the formula agrees."""
    name, dtype = readable(timeline, told.step, update.tensor), state_dtype(timeline.state(told.step), update)
    change = f"{formatting.value(update.before, dtype)} → {formatting.value(update.after, dtype)}"
    said = [_("{name}: {change}, gradient {gradient}", name=name, change=change,
               gradient=formatting.value(update.grad, dtype))]  # fmt: skip
    for key, value in update.state_after.items():
        was = update.state_before.get(key)
        said.append(f"{key}: {formatting.value(was, dtype)} → {formatting.value(value, dtype)}")
    found = working(told.event, update, dtype)
    for what, text, result in found.lines if found is not None else ():
        said.append(
            f"{what or name}{place_text(found.index, update) if found else ''} = {text} = {formatting.number(result)}"
        )
    return said


# ---------------------------------------------------------------- zero_grad


def cleared(timeline: Timeline, step: int) -> str | None:
    """`SGD.zero_grad: w.grad 2.0 → None`, at the first step outside of it."""
    if step < 2 or _depth(timeline, step) or not _depth(timeline, step - 1):
        return None
    last = navigation.back(timeline, step, inside=0) or 0
    sites = (timeline.sites.get(timeline.columns.sites[place - 1]) for place in range(last + 1, step))
    call = next(
        (site.parent for site in sites if site is not None and (site.parent or "").endswith(".zero_grad")), None
    )
    if call is None:
        return None
    before, after = timeline.state(last), timeline.state(step - 1)
    said = []
    for serial, tensor in before.tensors.items():
        old = None if tensor.grad is None else before.tensors.get(tensor.grad)
        new = after.tensors.get(serial)
        if old is None or new is None:
            continue
        now = None if new.grad is None else after.tensors.get(new.grad)
        if now is None or (now is not old and now.value != old.value):
            was, name = formatting.value(old.value, old.dtype), readable(timeline, last, serial)
            zeros = now is not None and not any(elements(now.value) or [1])
            held = (
                "None" if now is None else _("filled with zeros") if zeros else formatting.value(now.value, now.dtype)
            )
            said.append(f"{name}.grad {was} → {held}")
    more = len(said) - _NAMED
    if more > 0:
        said[_NAMED:] = [ngettext("{count} more gradient", "{count} more gradients", more)]
    return f"{call}: {formatting.listed(said)}" if said else None
