"""The formulas of optimizers, for one element of a parameter: from its old value, gradient and state to the new ones.

Source: the algorithm in the documentation of each optimizer (`torch.optim.SGD` and so on), with all its options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from tutor.explain.words import number, term
from tutor.i18n import N_, _


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
