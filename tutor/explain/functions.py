"""Derivatives of functions of one element: exponentials, logarithms, trigonometry, activations, and what cuts off.

Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*), https://pytorch.org/docs/stable/nn.functional.html
(*Non-linear activation functions*), and `tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from tutor.explain.grid import Grid
from tutor.explain.rules import Explanation, Local, NodeView, Operand, explains

Slope = Callable[[float, float], float]


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _sign(x: float) -> float:
    return (x > 0) - (x < 0) + 0.0


def _bell(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


# Node: the function, its derivative with the argument as {a} and the result as {y}, and the same in Python.
_FUNCTIONS: dict[str, tuple[str, str, Slope]] = {
    "ExpBackward0": ("exp({a})", "{y}", lambda x, y: y),
    "Exp2Backward0": ("2^{a}", "{y}·ln(2)", lambda x, y: y * math.log(2)),
    "Expm1Backward0": ("exp({a}) - 1", "{y} + 1", lambda x, y: y + 1),
    "LogBackward0": ("log({a})", "1/{a}", lambda x, y: 1 / x),
    "Log2Backward0": ("log2({a})", "1/({a}·ln(2))", lambda x, y: 1 / (x * math.log(2))),
    "Log10Backward0": ("log10({a})", "1/({a}·ln(10))", lambda x, y: 1 / (x * math.log(10))),
    "Log1PBackward0": ("log(1 + {a})", "1/(1 + {a})", lambda x, y: 1 / (1 + x)),
    "SqrtBackward0": ("√{a}", "1/(2·{y})", lambda x, y: 1 / (2 * y)),
    "RsqrtBackward0": ("1/√{a}", "-{y}³/2", lambda x, y: -(y**3) / 2),
    "AbsBackward0": ("|{a}|", "the sign of {a}", lambda x, y: _sign(x)),
    "SinBackward0": ("sin({a})", "cos({a})", lambda x, y: math.cos(x)),
    "CosBackward0": ("cos({a})", "-sin({a})", lambda x, y: -math.sin(x)),
    "TanBackward0": ("tan({a})", "1 + {y}²", lambda x, y: 1 + y * y),
    "AsinBackward0": ("asin({a})", "1/√(1 - {a}²)", lambda x, y: 1 / math.sqrt(1 - x * x)),
    "AcosBackward0": ("acos({a})", "-1/√(1 - {a}²)", lambda x, y: -1 / math.sqrt(1 - x * x)),
    "AtanBackward0": ("atan({a})", "1/(1 + {a}²)", lambda x, y: 1 / (1 + x * x)),
    "SinhBackward0": ("sinh({a})", "cosh({a})", lambda x, y: math.cosh(x)),
    "CoshBackward0": ("cosh({a})", "sinh({a})", lambda x, y: math.sinh(x)),
    "TanhBackward0": ("tanh({a})", "1 - {y}²", lambda x, y: 1 - y * y),
    "SigmoidBackward0": ("sigmoid({a})", "{y}·(1 - {y})", lambda x, y: y * (1 - y)),
    "LogSigmoidBackward0": ("log(sigmoid({a}))", "1 - sigmoid({a})", lambda x, y: _sigmoid(-x)),
    "SoftplusBackward0": ("log(1 + exp({a}))", "sigmoid({a})", lambda x, y: _sigmoid(x)),
    "SiluBackward0": (
        "{a}·sigmoid({a})",
        "s·(1 + {a}·(1 - s)), with s = sigmoid({a})",
        lambda x, y: _sigmoid(x) * (1 + x * _sigmoid(-x)),
    ),
    "EluBackward0": ("elu({a})", "1 where {a} > 0, else exp({a})", lambda x, y: 1.0 if x > 0 else math.exp(x)),
    "ErfBackward0": ("erf({a})", "2/√π·exp(-{a}²)", lambda x, y: 2 / math.sqrt(math.pi) * math.exp(-x * x)),
    "SignBackward0": ("the sign of {a}", "0", lambda x, y: 0.0),
    "FloorBackward0": ("{a} rounded down", "0", lambda x, y: 0.0),
    "CeilBackward0": ("{a} rounded up", "0", lambda x, y: 0.0),
    "RoundBackward0": ("{a} rounded", "0", lambda x, y: 0.0),
}


def _register(node: str, equation: str, formula: str, slope: Slope) -> None:
    says = f"∂({equation.format(a='a')})/∂a = {formula.format(a='a', y='y')}"

    @explains(node, general=f"y = {equation.format(a='a')}, {says}" if "{y}" in formula else says)
    def rule(view: NodeView) -> Explanation:
        a, y = _argument(view), view.result
        result = (a.numbers if "{y}" not in formula else y.numbers) if y.grid is None else y.grid
        argument = result if "{a}" not in formula else a.numbers  # what a rule does not need may be unknown
        share = Local(a, formula.format(a=a.name, y=y.name), argument.combine(result, slope))
        return Explanation(equation.format(a=a.name), [share])


def _argument(view: NodeView) -> Operand:
    """What the function was applied to; the l1 loss is the mean of |p - t|, and what `abs` got has no name."""
    if view.inner and view.op == "l1_loss" and len(view.whole) >= 2:
        p, t = view.whole[:2]
        return Operand(f"({p.name} - {t.name})", view.incoming.shape, p.numbers.combine(t.numbers, _minus))
    return view.operands[0]


def _minus(x: float, y: float) -> float:
    return x - y


for _node, (_equation, _formula, _slope) in _FUNCTIONS.items():
    _register(_node, _equation, _formula, _slope)


@explains("ReluBackward0", general="∂relu(a)/∂a = 1 where a > 0, else 0")
def relu(node: NodeView) -> Explanation:
    """∂relu(a)/∂a = 1 where a > 0, else 0."""
    a = node.operands[0]
    slope = a.numbers.map(lambda x: 1.0 if x > 0 else 0.0)
    formula = {1.0: f"1, as {a.name} > 0", 0.0: f"0, as {a.name} ≤ 0"}.get(
        -1.0 if slope.single is None else slope.single, f"1 where {a.name} > 0, else 0"
    )
    return Explanation(f"relu({a.name})", [Local(a, formula, slope)])


@explains("LeakyReluBackward0", general="∂y/∂a = 1 where a > 0, else the slope n")
def leaky_relu(node: NodeView) -> Explanation:
    """∂y/∂a = 1 where a > 0, else the slope that the numbers show."""
    a, y = node.operands[0], node.result.numbers
    pairs = [(x, out) for x, out in zip(a.numbers.flat, y.flat, strict=True) if x < 0]
    x, out = min(pairs, default=(1.0, 0.01))
    slope = float(f"{out / x:.5g}")
    if not node.gives(a.numbers.map(lambda x: x if x > 0 else slope * x)):
        raise LookupError(a.name)
    share = Local(a, f"1 where {a.name} > 0, else {slope:g}", a.numbers.map(lambda x: 1.0 if x > 0 else slope))
    return Explanation(f"{a.name} where {a.name} > 0, else {slope:g}·{a.name}", [share])


@explains("GeluBackward0", general="∂gelu(a)/∂a = Φ(a) + a·φ(a), with Φ and φ of the normal distribution")
def gelu(node: NodeView) -> Iterator[Explanation]:
    """a·Φ(a), or with tanh in the place of Φ."""
    a = node.operands[0]

    def normal(x: float) -> float:
        return (1 + math.erf(x / math.sqrt(2))) / 2

    if node.gives(a.numbers.map(lambda x: x * normal(x))):
        slope = a.numbers.map(lambda x: normal(x) + x * _bell(x))
        yield Explanation(f"{a.name}·Φ({a.name})", [Local(a, f"Φ({a.name}) + {a.name}·φ({a.name})", slope)])

    def inside(x: float) -> float:
        return math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))

    if node.gives(a.numbers.map(lambda x: x * (1 + inside(x)) / 2)):
        inner = f"√(2/π)·({a.name} + 0.044715·{a.name}³)"
        slope = a.numbers.map(
            lambda x: (
                (1 + inside(x)) / 2 + x / 2 * (1 - inside(x) ** 2) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
            )
        )
        formula = f"(1 + t)/2 + {a.name}/2·(1 - t²)·√(2/π)·(1 + 0.134145·{a.name}²), with t = tanh({inner})"
        yield Explanation(f"{a.name}/2·(1 + tanh({inner}))", [Local(a, formula, slope)])


@explains("Atan2Backward0", general="∂atan2(a, b)/∂a = b/(a² + b²), ∂atan2(a, b)/∂b = -a/(a² + b²)")
def atan2(node: NodeView) -> Explanation:
    """∂/∂a = b/(a²+b²), ∂/∂b = -a/(a²+b²)."""
    a, b = node.operands[:2]
    below = f"({a.name}² + {b.name}²)"
    shares = [
        Local(a, f"{b.name}/{below}", a.numbers.combine(b.numbers, lambda x, y: y / (x * x + y * y))),
        Local(b, f"-{a.name}/{below}", a.numbers.combine(b.numbers, lambda x, y: -x / (x * x + y * y))),
    ]
    return Explanation(f"atan2({a.name}, {b.name})", shares)


# ---------------------------------------------------------------- one of two


@explains("ClampBackward1", "ClampMinBackward0", "ClampMaxBackward0", "HardtanhBackward0",
          general="∂y/∂a = 1 where a lies between the bounds, else 0")  # fmt: skip
def clamp(node: NodeView) -> Explanation:
    """1 where a was left as it was, else 0."""
    a = node.operands[0]
    slope = a.numbers.combine(node.result.numbers, lambda x, y: float(x == y))
    return Explanation(f"{a.name} within bounds", [Local(a, f"1 where {a.name} was kept, else 0", slope)])


@explains("ClampBackward0", general="∂y/∂a = 1 where a lies between the bounds, else 0; the bound gets the rest")
def clamp_by_tensors(node: NodeView) -> Explanation:
    """What a was replaced by gets the gradient; autograd counts a, the lower bound and the upper one."""
    a, *bounds = node.operands
    low, high = (bounds[0], bounds[-1])
    y = node.result.numbers
    kept = a.numbers.combine(y, lambda x, out: float(x == out))
    raised = a.numbers.combine(y, lambda x, out: float(out > x))
    cut = a.numbers.combine(y, lambda x, out: float(out < x))
    shares = [
        Local(a, f"1 where {a.name} was kept, else 0", kept),
        Local(low, f"1 where {a.name} was below {low.name}, else 0", raised),
        Local(high, f"1 where {a.name} was above {high.name}, else 0", cut),
    ]
    return Explanation(f"{a.name} within bounds", shares)


@explains("MaximumBackward0", "MinimumBackward0", "FmaxBackward0", "FminBackward0",
          general="the one that was taken gets the gradient; where both are the same, each gets half")  # fmt: skip
def one_of_two(node: NodeView) -> Explanation:
    """1 for the larger (or smaller); ½ for each where they are the same, but all for the first of `fmax`."""
    a, b = node.operands[:2]
    larger = node.node.startswith(("Max", "Fmax"))
    tie = 1.0 if node.node.startswith("F") else 0.5
    sign, word = (">", "larger") if larger else ("<", "smaller")

    def share(x: float, y: float, equal: float) -> float:
        return equal if x == y else float((x > y) == larger)

    first = a.numbers.combine(b.numbers, lambda x, y: share(x, y, tie))
    second = a.numbers.combine(b.numbers, lambda x, y: share(y, x, 1 - tie))
    same = "" if all(x in (0.0, 1.0) for x in first.flat) else ", ½ where they are the same"
    shares = [
        Local(a, f"1 where {a.name} {sign} {b.name}{same}, else 0", first),
        Local(b, f"1 where {b.name} {sign} {a.name}{same}, else 0", second),
    ]
    return Explanation(f"the {word} of {a.name} and {b.name}", shares)


@explains("WhereBackward0", general="∂y/∂a = 1 where the condition holds, else 0; the other way round for b")
def where(node: NodeView) -> Explanation:
    """What was taken gets the gradient."""
    condition, a, b = node.operands[:3]
    taken = condition.numbers
    shares = [
        Local(a, f"1 where {condition.name}, else 0", taken),
        Local(b, f"0 where {condition.name}, else 1", taken.map(lambda x: 1 - x)),
    ]
    return Explanation(f"{a.name} where {condition.name}, else {b.name}", shares)


@explains("MaskedFillBackward0", general="∂y/∂a = 0 where the mask is True, else 1")
def masked_fill(node: NodeView) -> Explanation:
    """What was filled gets nothing."""
    a, mask = node.operands[:2]
    slope = Grid.full(a.shape, 1.0).combine(mask.numbers, lambda x, m: x - m)
    return Explanation(f"{a.name} filled where {mask.name}", [Local(a, f"0 where {mask.name}, else 1", slope)])
