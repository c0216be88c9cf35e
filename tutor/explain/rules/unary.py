"""Derivative rules of functions of one tensor, element by element.

- exp, exp2, expm1, log, log2, log10, log1p, sqrt, rsqrt, abs, sign, frac, trunc, floor, ceil, round
- sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, erf, erfc, erfinv, deg2rad, rad2deg
- sigmoid, logsigmoid, logit, relu, leaky_relu, rrelu, prelu, elu, selu, celu, gelu, silu, mish, softplus, hardsigmoid,
  hardswish, softshrink, hardshrink, threshold, glu, nan_to_num
- clamp, clamp_min, clamp_max, hardtanh (relu6)

Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*), https://pytorch.org/docs/stable/nn.functional.html
(*Non-linear activation functions*), and `tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tutor.explain.rules.arrays import slices
from tutor.explain.rules.registry import (
    Derivative,
    Explanation,
    NodeView,
    Operand,
    elementwise,
    explains,
    explains_function,
    sparse,
)
from tutor.i18n import N_, _
from tutor.trace.number_format import number


def sigmoid(x: float) -> float:
    """Return the logistic function, without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def divide(x: float, y: float) -> float:
    """Divide as torch does: by zero to inf or nan."""
    if y:
        return x / y
    return math.copysign(math.inf, x) * math.copysign(1.0, y) if x and x == x else math.nan


def _root(x: float) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


def _mish_derivative(a: float) -> float:
    t = math.tanh(max(a, 0.0) + math.log1p(math.exp(-abs(a))))
    return t + a * (1 - t * t) * sigmoid(a)


# ---------------------------------------------------------------- functions without parameters

# By node: the function as text, its derivative as text with the argument as {a} and the result as {y}, the derivative.
_FUNCTIONS: dict[str, tuple[str, str, Derivative]] = {
    "ExpBackward0": ("exp({a})", "{y}", lambda y: y),
    "Exp2Backward0": ("2^{a}", "{y}·ln(2)", lambda y: y * math.log(2)),
    "Expm1Backward0": ("exp({a}) - 1", "{y} + 1", lambda y: y + 1),
    "LogBackward0": ("log({a})", "1/{a}", lambda a: divide(1, a)),
    "Log2Backward0": ("log2({a})", "1/({a}·ln(2))", lambda a: divide(1, a * math.log(2))),
    "Log10Backward0": ("log10({a})", "1/({a}·ln(10))", lambda a: divide(1, a * math.log(10))),
    "Log1PBackward0": ("log(1 + {a})", "1/(1 + {a})", lambda a: divide(1, 1 + a)),
    "SqrtBackward0": ("√{a}", "1/(2·{y})", lambda y: divide(1, 2 * y)),
    "RsqrtBackward0": ("1/√{a}", "-{y}³/2", lambda y: -(y**3) / 2),
    "SinBackward0": ("sin({a})", "cos({a})", lambda a: math.cos(a)),
    "CosBackward0": ("cos({a})", "-sin({a})", lambda a: -math.sin(a)),
    "TanBackward0": ("tan({a})", "1 + {y}²", lambda y: 1 + y * y),
    "AsinBackward0": ("asin({a})", "1/√(1 - {a}²)", lambda a: divide(1, _root(1 - a * a))),
    "AcosBackward0": ("acos({a})", "-1/√(1 - {a}²)", lambda a: -divide(1, _root(1 - a * a))),
    "AtanBackward0": ("atan({a})", "1/(1 + {a}²)", lambda a: 1 / (1 + a * a)),
    "SinhBackward0": ("sinh({a})", "cosh({a})", lambda a: math.cosh(a)),
    "CoshBackward0": ("cosh({a})", "sinh({a})", lambda a: math.sinh(a)),
    "TanhBackward0": ("tanh({a})", "1 - {y}²", lambda y: 1 - y * y),
    "SigmoidBackward0": ("sigmoid({a})", "{y}·(1 - {y})", lambda y: y * (1 - y)),
    "LogSigmoidBackward0": ("log(sigmoid({a}))", "1 - sigmoid({a})", lambda a: sigmoid(-a)),
    "SiluBackward0": (
        "{a}·sigmoid({a})",
        N_("s·(1 + {a}·(1 - s)), with s = sigmoid({a})"),
        lambda a: sigmoid(a) * (1 + a * sigmoid(-a)),
    ),
    "ErfBackward0": ("erf({a})", "2/√π·exp(-{a}²)", lambda a: 2 / math.sqrt(math.pi) * math.exp(-a * a)),
    "ErfcBackward0": ("1 - erf({a})", "-2/√π·exp(-{a}²)", lambda a: -2 / math.sqrt(math.pi) * math.exp(-a * a)),
    "ErfinvBackward0": ("erfinv({a})", "√π/2·exp({y}²)", lambda y: math.sqrt(math.pi) / 2 * math.exp(y * y)),
    "AsinhBackward0": ("asinh({a})", "1/√({a}² + 1)", lambda a: 1 / math.sqrt(a * a + 1)),
    "AcoshBackward0": ("acosh({a})", "1/√({a}² - 1)", lambda a: divide(1, _root(a * a - 1))),
    "AtanhBackward0": ("atanh({a})", "1/(1 - {a}²)", lambda a: divide(1, 1 - a * a)),
    "LogitBackward0": ("log({a}/(1 - {a}))", "1/({a}·(1 - {a}))", lambda a: divide(1, a * (1 - a))),
    "Deg2RadBackward0": ("{a}·π/180", "π/180", lambda: math.pi / 180),
    "Rad2DegBackward0": ("{a}·180/π", "180/π", lambda: 180 / math.pi),
    "FracBackward0": (N_("{a} without its whole part"), "1", lambda: 1.0),
    "TruncBackward0": (N_("the whole part of {a}"), "0", lambda: 0.0),
    "SignBackward0": (N_("the sign of {a}"), "0", lambda: 0.0),
    "FloorBackward0": (N_("{a} rounded down"), "0", lambda: 0.0),
    "CeilBackward0": (N_("{a} rounded up"), "0", lambda: 0.0),
    "RoundBackward0": (N_("{a} rounded"), "0", lambda: 0.0),
}


def _general(equation: str, formula: str) -> Callable[[], str]:
    """Return the rule in letters of a function of one tensor."""

    def general() -> str:
        function = _(equation, a="a")
        text = f"∂({function})/∂a = {_(formula, a='a', y='y')}"
        return f"y = {function}, {text}" if "{y}" in formula else text

    return general


for _node, (_equation, _formula, _derivative) in _FUNCTIONS.items():
    explains_function(
        _node, equation=_equation, derivatives=[(_formula, _derivative)], general=_general(_equation, _formula)
    )


@explains("AbsBackward0", general=lambda: f"∂(|a|)/∂a = {_('the sign of {a}', a='a')}")
def absolute(node: NodeView) -> Explanation:
    """Explain abs: the sign. Inside l1_loss, the mean of |p - t|, it is applied to the difference."""
    a = node.operands[0]
    if node.inner and node.op == "l1_loss":
        p, t = node.whole[:2]
        a = Operand(f"({p.name} - {t.name})", node.incoming.shape, p.numbers - t.numbers)
    share = elementwise(a, _("the sign of {a}", a=a.name), a.numbers.map(lambda x: float((x > 0) - (x < 0))))
    return Explanation(f"|{a.name}|", [share])


# ---------------------------------------------------------------- activations


def _normal_density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


# By node: the name of the function, and the derivative, as in `_FUNCTIONS`.
_PIECEWISE: dict[str, tuple[str, str, Derivative]] = {
    "SoftshrinkBackward0": ("softshrink", N_("0 where {a} was set to 0, else 1"), lambda y: float(y != 0)),
    "HardshrinkBackward0": ("hardshrink", N_("0 where {a} was set to 0, else 1"), lambda y: float(y != 0)),
    "ThresholdBackward0": ("threshold", N_("1 where {a} was kept, else 0"), lambda a, y: float(a == y)),
    "ThresholdBackward1": ("threshold", N_("1 where {a} was kept, else 0"), lambda a, y: float(a == y)),
    "NanToNumBackward0": ("nan_to_num", N_("1 where {a} was kept, else 0"), lambda a, y: float(a == y)),
    "HardsigmoidBackward0": (
        "hardsigmoid",
        N_("1/6 where -3 < {a} < 3, else 0"),
        lambda a: (-3 < a < 3) / 6,
    ),
    "HardswishBackward0": (
        "hardswish",
        N_("0 where {a} ≤ -3, 1 where {a} ≥ 3, else {a}/3 + 1/2"),
        lambda a: 0.0 if a <= -3 else 1.0 if a >= 3 else a / 3 + 0.5,
    ),
    "RreluWithNoiseBackward0": (
        "rrelu",
        N_("1 where {a} ≥ 0, else the negative slope that was drawn"),
        lambda a, y: y / a if a < 0 else 1.0,
    ),
}


def _general_of_piecewise(name: str, formula: str) -> Callable[[], str]:
    return lambda: f"y = {name}(a): ∂y/∂a = {_(formula, a='a')}"


for _node, (_name, _formula, _derivative) in _PIECEWISE.items():
    explains_function(
        _node, equation=f"{_name}({{a}})", derivatives=[(_formula, _derivative)],
        general=_general_of_piecewise(_name, _formula),
    )  # fmt: skip
explains_function(
    "MishBackward0",
    general=N_("y = a·t with t = tanh(log(1 + exp(a))): ∂y/∂a = t + a·(1 - t²)·sigmoid(a)"),
    equation="{a}·tanh(log(1 + exp({a})))",
    derivatives=[(N_("t + {a}·(1 - t²)·sigmoid({a}), with t = tanh(log(1 + exp({a})))"), _mish_derivative)],
)


@explains("ReluBackward0", general=N_("∂relu(a)/∂a = 1 where a > 0, else 0"))
def relu(node: NodeView) -> Explanation:
    """Explain relu: ∂relu(a)/∂a = 1 where a > 0, else 0."""
    a = node.operands[0]
    derivative = a.numbers.map(lambda x: 1.0 if x > 0 else 0.0)
    formula = {1.0: _("1, as {a} > 0", a=a.name), 0.0: _("0, as {a} ≤ 0", a=a.name)}.get(
        -1.0 if derivative.single is None else derivative.single, _("1 where {a} > 0, else 0", a=a.name)
    )
    return Explanation(f"relu({a.name})", [elementwise(a, formula, derivative)])


@explains("LeakyReluBackward0", "LeakyReluBackward1", general=N_("∂y/∂a = 1 where a > 0, else n, the negative_slope"))
def leaky_relu(node: NodeView) -> Explanation:
    """Explain leaky_relu: ∂y/∂a = 1 where a > 0, else the negative slope."""
    a, negative_slope = node.operands[0], float(node.attributes["negative_slope"])
    n = number(negative_slope)
    formula = _("1 where {a} > 0, else {n}", a=a.name, n=n)
    derivative = a.numbers.map(lambda x: 1.0 if x > 0 else negative_slope)
    return Explanation(_("{a} where {a} > 0, else {n}·{a}", a=a.name, n=n), [elementwise(a, formula, derivative)])


@explains("GeluBackward0", general=N_("∂gelu(a)/∂a = Φ(a) + a·φ(a), with Φ and φ of the normal distribution"))
def gelu(node: NodeView) -> Explanation:
    """Explain gelu: a·Φ(a), or the approximation with tanh."""
    a = node.operands[0]
    if node.attributes["approximate"] == "none":
        derivative = a.numbers.map(lambda x: (1 + math.erf(x / math.sqrt(2))) / 2 + x * _normal_density(x))
        share = elementwise(a, f"Φ({a.name}) + {a.name}·φ({a.name})", derivative)
        return Explanation(f"{a.name}·Φ({a.name})", [share])

    def approximate(x: float) -> float:
        t = math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
        return (1 + t) / 2 + x / 2 * (1 - t * t) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)

    inner = f"√(2/π)·({a.name} + 0.044715·{a.name}³)"
    formula = _("(1 + t)/2 + {a}/2·(1 - t²)·√(2/π)·(1 + 0.134145·{a}²), with t = tanh({inner})", a=a.name, inner=inner)
    share = elementwise(a, formula, a.numbers.map(approximate))
    return Explanation(f"{a.name}/2·(1 + tanh({inner}))", [share])


@explains("SoftplusBackward0", general="y = log(1 + exp(n·a))/n: ∂y/∂a = sigmoid(n·a)")
def softplus(node: NodeView) -> Explanation:
    """Explain softplus: log(1 + exp(n·a))/n, with n the beta; a itself beyond the threshold."""
    a, n, threshold = node.operands[0], float(node.attributes["beta"]), float(node.attributes["threshold"])
    factor, divisor = ("", "") if n == 1 else (f"{number(n)}·", f"/{number(n)}")
    derivative = a.numbers.map(lambda x: 1.0 if n * x > threshold else sigmoid(n * x))
    share = elementwise(a, f"sigmoid({factor}{a.name})", derivative)
    return Explanation(f"log(1 + exp({factor}{a.name})){divisor}", [share])


@explains(
    "EluBackward0",
    "EluBackward1",
    "CeluBackward0",
    "CeluBackward1",
    general=N_("∂y/∂a = s where a > 0, else s·n·exp(a)"),
)
def elu(node: NodeView) -> Explanation:
    """Explain elu and selu: s·a where a > 0, else s·n·(exp(a) - 1), with the scale s and n the alpha; celu is
    n·(exp(a/n) - 1)."""
    a, n, s = node.operands[0], float(node.attributes["alpha"]), float(node.attributes.get("scale", 1))
    divisor = n if node.node.startswith("Celu") else 1.0
    factor = s * n / divisor
    derivative = a.numbers.map(lambda x: s if x > 0 else factor * math.exp(x / divisor))
    power = f"exp({a.name})" if divisor == 1 else f"exp({a.name}/{number(divisor)})"
    by = "" if factor == 1 else f"{number(factor)}·"
    formula = _("{s} where {a} > 0, else {by}{power}", s=number(s), a=a.name, by=by, power=power)
    return Explanation(f"{node.op.strip('_')}({a.name})", [elementwise(a, formula, derivative)])


@explains("PreluKernelBackward0", general=N_("∂y/∂a = 1 where a > 0, else w; ∂y/∂w = 0 where a > 0, else a"))
def prelu(node: NodeView) -> Explanation:
    """Explain prelu: a where a > 0, else w·a."""
    a, w = node.operands[:2]
    if node.inner:  # the weight in a shape that fits
        w = Operand(node.whole[1].name, w.shape, node.whole[1].numbers.reshape(w.shape))
    derivative_a = a.numbers.combine(w.numbers, lambda x, n: 1.0 if x > 0 else n)
    derivative_w = a.numbers.map(lambda x: 0.0 if x > 0 else x)
    shares = [
        elementwise(a, _("1 where {a} > 0, else {w}", a=a.name, w=w.name), derivative_a),
        elementwise(w, _("0 where {a} > 0, else {a}", a=a.name), derivative_w),
    ]
    return Explanation(_("{a} where {a} > 0, else {w}·{a}", a=a.name, w=w.name), shares)


@explains(
    "GluBackward0", general=N_("y = p·sigmoid(q), with p and q the halves of a: sigmoid(q) for p, y·(1 - s) for q")
)
def glu(node: NodeView) -> Explanation:
    """Explain glu: the first half times the sigmoid of the second."""
    a, dim = node.operands[0], node.attributes["dim"]
    x, entries = a.numbers.flat, []
    for row, results in zip(slices(a.shape, dim), slices(node.incoming.shape, dim), strict=True):
        for p, q, place in zip(row, row[len(results) :], results, strict=False):
            entries.append((place, p, sigmoid(x[q])))
            entries.append((place, q, x[p] * sigmoid(x[q]) * sigmoid(-x[q])))
    share = sparse(a, _("sigmoid(q) for p, p·sigmoid(q)·(1 - sigmoid(q)) for q"), entries)
    return Explanation(_("p·sigmoid(q), with p and q the halves of {a}", a=a.name), [share])


# ---------------------------------------------------------------- clamp


@explains("ClampBackward1", "ClampMinBackward0", "ClampMaxBackward0", "HardtanhBackward0",
          general=N_("∂y/∂a = 1 where a lies between the bounds, else 0"))  # fmt: skip
def clamp(node: NodeView) -> Explanation:
    """Explain clamp and hardtanh with numbers as bounds: 1 where a was kept, else 0; hardtanh also at the bounds."""
    a = node.operands[0]
    if node.node == "HardtanhBackward0":
        low, high = node.attributes["min_val"], node.attributes["max_val"]
        derivative = a.numbers.map(lambda x: float(low < x < high))
    else:
        derivative = a.numbers.combine(node.result.numbers, lambda x, y: float(x == y))
    share = elementwise(a, _("1 where {a} was kept, else 0", a=a.name), derivative)
    return Explanation(_("{a} within bounds", a=a.name), [share])


@explains("ClampBackward0", general=N_("∂y/∂a = 1 where a lies between the bounds, else 0; the bound gets the rest"))
def clamp_by_tensors(node: NodeView) -> Explanation:
    """Explain clamp with tensors as bounds: the input or the bound that was taken gets the gradient."""
    a, *bounds = node.operands
    low, high = (bounds[0], bounds[-1])
    y = node.result.numbers
    kept_mask = a.numbers.combine(y, lambda x, out: float(x == out))
    raised_mask = a.numbers.combine(y, lambda x, out: float(out > x))
    lowered_mask = a.numbers.combine(y, lambda x, out: float(out < x))
    shares = [
        elementwise(a, _("1 where {a} was kept, else 0", a=a.name), kept_mask),
        elementwise(low, _("1 where {a} was below {low}, else 0", a=a.name, low=low.name), raised_mask),
        elementwise(high, _("1 where {a} was above {high}, else 0", a=a.name, high=high.name), lowered_mask),
    ]
    return Explanation(_("{a} within bounds", a=a.name), shares)
