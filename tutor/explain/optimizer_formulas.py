"""The formulas of optimizers, worked out for one element of a parameter, in the symbols of their papers.

w is the parameter, g its gradient, t the number of the step. Source: the algorithm in the documentation of each
optimizer (`torch.optim.SGD` and so on), with all its options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from tutor.trace.number_format import number


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
class Line:
    """One computation of an optimizer: `m = 0.9·m + 0.1·g = 0.9·0 + 0.1·2 = 0.2`."""

    symbol: str
    """What is computed: `m`."""
    state: str
    """The name under which the optimizer keeps it, `exp_avg`; empty where it does not."""
    rule: str
    """How, in symbols."""
    numbers: str
    """The same in numbers."""
    result: float


@dataclass
class Worked:
    """An element after the step, by the formula."""

    x: Element
    symbols: dict[str, float]
    """The values of the symbols so far."""
    state: dict[str, float] = field(default_factory=dict)
    """What the optimizer keeps."""
    _computations: list[tuple[str, str, str, dict[str, float], float]] = field(default_factory=list)

    def compute(self, symbol: str, template: str, result: float, state: str = "", **constants: float) -> None:
        """Add a computation: a template with a field for each symbol (`{m}`) and for each constant.

        A constant, as the 0.9 of 0.9·m, is written as a number in the rule, too.
        """
        self._computations.append((symbol, template, state, {**self.symbols, **constants}, result))
        self.symbols[symbol] = result
        if state:
            self.state[state] = result

    @property
    def value(self) -> float:
        """The parameter after the step."""
        return self.symbols["w"]

    def lines(self) -> list[Line]:
        """Return the computations as text, the parameter's own last."""
        return [self._line(*computation) for computation in self._computations]

    def _line(self, symbol: str, template: str, state: str, values: dict[str, float], result: float) -> Line:
        numbers = {name: self._number(name, value) for name, value in values.items()}
        names = {name: name if name in self.symbols else text for name, text in numbers.items()}
        enclosed = {name: f"({text})" if "-" in text[:2] else text for name, text in numbers.items()}
        if template.startswith("{"):  # no parentheses where nothing stands before a number
            begin, _, rest = template[1:].partition("}")
            template = f"{{first}}{rest}"
            enclosed["first"], names["first"] = numbers[begin], names[begin]
        return Line(symbol, state, template.format_map(names), template.format_map(enclosed), result)

    def _number(self, name: str, value: float) -> str:
        if name in self.symbols and name not in _OPTIONS:
            return number(value, self.x.dtype)
        return number(float(f"{value:.12g}"))  # 1 - 0.9 is 0.1


_OPTIONS = ("lr", "λ", "ε", "t")
"""Symbols of Python's numbers, not of tensors."""
Formula = Callable[[Element], Worked]


def _start(x: Element, decay: bool = True) -> Worked:
    """Begin with the gradient as a formula uses it: negated for `maximize`, with weight decay."""
    work = Worked(x, {"w": x.value, "g": x.grad, "lr": x.option("lr")})
    if x.options.get("maximize"):
        work.compute("g", "-{g}", -x.grad)
    if decay and x.option("weight_decay"):
        work.symbols["λ"] = x.option("weight_decay")
        work.compute("g", "{g} + {λ}·{w}", work.symbols["g"] + work.symbols["λ"] * x.value)
    return work


def sgd(x: Element) -> Worked:
    """Compute w - lr·g; with momentum, the buffer b in place of the gradient."""
    work = _start(x)
    momentum, damping, g = x.option("momentum"), x.option("dampening"), work.symbols["g"]
    direction = "g"
    if momentum:
        previous = x.state.get("momentum_buffer")
        if previous is None:
            work.compute("b", "{g}", g, "momentum_buffer")
        else:
            work.symbols["b"] = previous
            share = "{share}·{g}" if damping else "{g}"
            result = momentum * previous + (1 - damping) * g
            work.compute("b", "{μ}·{b} + " + share, result, "momentum_buffer", μ=momentum, share=1 - damping)
        direction = "b"
        if x.options.get("nesterov"):
            work.compute("d", "{g} + {μ}·{b}", g + momentum * work.symbols["b"], μ=momentum)
            direction = "d"
    work.compute("w", f"{{w}} - {{lr}}·{{{direction}}}", x.value - x.option("lr") * work.symbols[direction])
    return work


def adam(x: Element) -> Worked:
    """Compute w - lr·m̂/(√v̂ + ε): m and v are running means of the gradient and its square, m̂ and v̂ the same with
    bias correction."""
    return _adam(x, bool(x.options.get("decoupled_weight_decay")))


def adamw(x: Element) -> Worked:
    """Compute Adam with the weight decay taken from the value, not added to the gradient."""
    return _adam(x, True)


def _adam(x: Element, decoupled: bool) -> Worked:
    work = _start(x, decay=not decoupled)
    lr, eps, decay = x.option("lr"), x.option("eps"), x.option("weight_decay") if decoupled else 0.0
    (beta1, beta2), g = x.pair("betas"), work.symbols["g"]
    m, v = x.state.get("exp_avg", 0.0), x.state.get("exp_avg_sq", 0.0)
    work.symbols |= {"m": m, "v": v, "t": x.steps, "ε": eps, "λ": x.option("weight_decay")}
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    work.compute("m", "{β}·{m} + {rest}·{g}", m, "exp_avg", β=beta1, rest=1 - beta1)
    work.compute("v", "{β}·{v} + {rest}·{g}²", v, "exp_avg_sq", β=beta2, rest=1 - beta2)
    largest = "v"
    if x.options.get("amsgrad"):
        largest = "u"
        work.symbols["u"] = x.state.get("max_exp_avg_sq", 0.0)
        work.compute("u", "max({u}, {v})", max(work.symbols["u"], v), "max_exp_avg_sq")
    mean, square = m / (1 - beta1**x.steps), work.symbols[largest] / (1 - beta2**x.steps)
    work.compute("m̂", "{m}/(1 - {β}^{t})", mean, β=beta1)
    work.compute("v̂", f"{{{largest}}}/(1 - {{β}}^{{t}})", square, β=beta2)
    template = "{w} - {lr}·{λ}·{w}" if decay else "{w}"
    new = x.value * (1 - lr * decay) - lr * mean / (sqrt(square) + eps)
    work.compute("w", template + " - {lr}·{m̂}/(√{v̂} + {ε})", new)
    return work


def rmsprop(x: Element) -> Worked:
    """Compute w - lr·g/(√v + ε): v is a running mean of the square of the gradient."""
    work = _start(x)
    lr, alpha, eps, momentum, g = (*map(x.option, ("lr", "alpha", "eps", "momentum")), work.symbols["g"])
    work.symbols |= {"v": x.state.get("square_avg", 0.0), "ε": eps}
    v = alpha * work.symbols["v"] + (1 - alpha) * g * g
    work.compute("v", "{α}·{v} + {rest}·{g}²", v, "square_avg", α=alpha, rest=1 - alpha)
    variance, root = v, "√{v}"
    if x.options.get("centered"):
        work.symbols["a"] = x.state.get("grad_avg", 0.0)
        mean = alpha * work.symbols["a"] + (1 - alpha) * g
        work.compute("a", "{α}·{a} + {rest}·{g}", mean, "grad_avg", α=alpha, rest=1 - alpha)
        variance, root = v - mean * mean, "√({v} - {a}²)"
    step, direction = f"{{g}}/({root} + {{ε}})", g / (sqrt(variance) + eps)
    if momentum:
        work.symbols["b"] = x.state.get("momentum_buffer", 0.0)
        direction = momentum * work.symbols["b"] + direction
        work.compute("b", f"{{μ}}·{{b}} + {step}", direction, "momentum_buffer", μ=momentum)
        step = "{b}"
    work.compute("w", f"{{w}} - {{lr}}·{step}", x.value - lr * direction)
    return work


def adagrad(x: Element) -> Worked:
    """Compute w - lr·g/(√s + ε): s is the sum of the squares of the gradients."""
    work = _start(x)
    lr, decay, eps, g = x.option("lr"), x.option("lr_decay"), x.option("eps", 1e-10), work.symbols["g"]
    work.symbols |= {"s": x.state.get("sum", 0.0), "ε": eps, "t": x.steps}
    work.compute("s", "{s} + {g}²", work.symbols["s"] + g * g, "sum")
    if decay:
        lr = lr / (1 + (x.steps - 1) * decay)
        work.compute("lr", "{lr}/(1 + ({t} - 1)·{η})", lr, η=decay)
    work.compute("w", "{w} - {lr}·{g}/(√{s} + {ε})", x.value - lr * g / (sqrt(work.symbols["s"]) + eps))
    return work


FORMULAS: dict[str, tuple[Formula, str]] = {
    "SGD": (sgd, "w - lr·g"),
    "Adam": (adam, "w - lr·m̂/(√v̂ + ε)"),
    "AdamW": (adamw, "w - lr·λ·w - lr·m̂/(√v̂ + ε)"),
    "RMSprop": (rmsprop, "w - lr·g/(√v + ε)"),
    "Adagrad": (adagrad, "w - lr·g/(√s + ε)"),
}
"""By class of the optimizer: its formula, and the formula as text."""
