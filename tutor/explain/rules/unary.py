"""Derivative rules of functions of one tensor, element by element.

- exp, exp2, expm1, log, log2, log10, log1p, sqrt, rsqrt, abs, sign, frac, trunc, floor, ceil, round
- sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, erf, erfc, erfinv, deg2rad, rad2deg
- sigmoid, logsigmoid, logit, relu, leaky_relu, rrelu, prelu, elu, selu, celu, gelu, silu, mish, softplus, hardsigmoid,
  hardswish, softshrink, hardshrink, threshold, glu, nan_to_num
- clamp, clamp_min, clamp_max, hardtanh (relu6)

A parameter that was not recorded (a negative slope, beta) is solved from the result.
Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*), https://pytorch.org/docs/stable/nn.functional.html
(*Non-linear activation functions*), and `tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from tutor.explain.rules.arrays import Grid, count, solve_monotonic
from tutor.explain.rules.registry import Explanation, Local, NodeView, Operand, explains, vjp_by_gather
from tutor.explain.rules.scans import rows_by_dimension
from tutor.i18n import N_, _

Derivative = Callable[[float, float], float]


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


def _sign(x: float) -> float:
    return (x > 0) - (x < 0) + 0.0


# ---------------------------------------------------------------- functions without parameters

# By node: the function as text, its derivative as text with the argument as {a} and the result as {y}, the derivative.
_FUNCTIONS: dict[str, tuple[str, str, Derivative]] = {
    "ExpBackward0": ("exp({a})", "{y}", lambda x, y: y),
    "Exp2Backward0": ("2^{a}", "{y}·ln(2)", lambda x, y: y * math.log(2)),
    "Expm1Backward0": ("exp({a}) - 1", "{y} + 1", lambda x, y: y + 1),
    "LogBackward0": ("log({a})", "1/{a}", lambda x, y: divide(1, x)),
    "Log2Backward0": ("log2({a})", "1/({a}·ln(2))", lambda x, y: divide(1, x * math.log(2))),
    "Log10Backward0": ("log10({a})", "1/({a}·ln(10))", lambda x, y: divide(1, x * math.log(10))),
    "Log1PBackward0": ("log(1 + {a})", "1/(1 + {a})", lambda x, y: divide(1, 1 + x)),
    "SqrtBackward0": ("√{a}", "1/(2·{y})", lambda x, y: divide(1, 2 * y)),
    "RsqrtBackward0": ("1/√{a}", "-{y}³/2", lambda x, y: -(y**3) / 2),
    "AbsBackward0": ("|{a}|", N_("the sign of {a}"), lambda x, y: _sign(x)),
    "SinBackward0": ("sin({a})", "cos({a})", lambda x, y: math.cos(x)),
    "CosBackward0": ("cos({a})", "-sin({a})", lambda x, y: -math.sin(x)),
    "TanBackward0": ("tan({a})", "1 + {y}²", lambda x, y: 1 + y * y),
    "AsinBackward0": ("asin({a})", "1/√(1 - {a}²)", lambda x, y: divide(1, _root(1 - x * x))),
    "AcosBackward0": ("acos({a})", "-1/√(1 - {a}²)", lambda x, y: -divide(1, _root(1 - x * x))),
    "AtanBackward0": ("atan({a})", "1/(1 + {a}²)", lambda x, y: 1 / (1 + x * x)),
    "SinhBackward0": ("sinh({a})", "cosh({a})", lambda x, y: math.cosh(x)),
    "CoshBackward0": ("cosh({a})", "sinh({a})", lambda x, y: math.sinh(x)),
    "TanhBackward0": ("tanh({a})", "1 - {y}²", lambda x, y: 1 - y * y),
    "SigmoidBackward0": ("sigmoid({a})", "{y}·(1 - {y})", lambda x, y: y * (1 - y)),
    "LogSigmoidBackward0": ("log(sigmoid({a}))", "1 - sigmoid({a})", lambda x, y: sigmoid(-x)),
    "SiluBackward0": (
        "{a}·sigmoid({a})",
        N_("s·(1 + {a}·(1 - s)), with s = sigmoid({a})"),
        lambda x, y: sigmoid(x) * (1 + x * sigmoid(-x)),
    ),
    "ErfBackward0": ("erf({a})", "2/√π·exp(-{a}²)", lambda x, y: 2 / math.sqrt(math.pi) * math.exp(-x * x)),
    "ErfcBackward0": ("1 - erf({a})", "-2/√π·exp(-{a}²)", lambda x, y: -2 / math.sqrt(math.pi) * math.exp(-x * x)),
    "ErfinvBackward0": ("erfinv({a})", "√π/2·exp({y}²)", lambda x, y: math.sqrt(math.pi) / 2 * math.exp(y * y)),
    "AsinhBackward0": ("asinh({a})", "1/√({a}² + 1)", lambda x, y: 1 / math.sqrt(x * x + 1)),
    "AcoshBackward0": ("acosh({a})", "1/√({a}² - 1)", lambda x, y: divide(1, _root(x * x - 1))),
    "AtanhBackward0": ("atanh({a})", "1/(1 - {a}²)", lambda x, y: divide(1, 1 - x * x)),
    "LogitBackward0": ("log({a}/(1 - {a}))", "1/({a}·(1 - {a}))", lambda x, y: divide(1, x * (1 - x))),
    "Deg2RadBackward0": ("{a}·π/180", "π/180", lambda x, y: math.pi / 180),
    "Rad2DegBackward0": ("{a}·180/π", "180/π", lambda x, y: 180 / math.pi),
    "FracBackward0": (N_("{a} without its whole part"), "1", lambda x, y: 1.0),
    "TruncBackward0": (N_("the whole part of {a}"), "0", lambda x, y: 0.0),
    "SignBackward0": (N_("the sign of {a}"), "0", lambda x, y: 0.0),
    "FloorBackward0": (N_("{a} rounded down"), "0", lambda x, y: 0.0),
    "CeilBackward0": (N_("{a} rounded up"), "0", lambda x, y: 0.0),
    "RoundBackward0": (N_("{a} rounded"), "0", lambda x, y: 0.0),
}


def _register_function(node: str, equation: str, formula: str, derivative: Derivative) -> None:
    """Register the rule of a function with no parameters."""

    def general() -> str:
        function = _(equation, a="a")
        text = f"∂({function})/∂a = {_(formula, a='a', y='y')}"
        return f"y = {function}, {text}" if "{y}" in formula else text

    @explains(node, general=general)
    def rule(view: NodeView) -> Explanation:
        a, y = _argument(view), view.result
        result = (a.numbers if "{y}" not in formula else y.numbers) if y.grid is None else y.grid
        argument = result if "{a}" not in formula else a.numbers  # what a rule does not need may be unknown
        share = Local(a, _(formula, a=a.name, y=y.name), argument.combine(result, derivative))
        return Explanation(_(equation, a=a.name), [share])


def _argument(view: NodeView) -> Operand:
    """Return what the function was applied to; inside l1_loss, the mean of |p - t|, that is the difference."""
    if view.inner and view.op == "l1_loss" and len(view.whole) >= 2:
        p, t = view.whole[:2]
        return Operand(f"({p.name} - {t.name})", view.incoming.shape, p.numbers.combine(t.numbers, _minus))
    return view.operands[0]


def _minus(x: float, y: float) -> float:
    return x - y


for _node, (_equation, _formula_text, _slope) in _FUNCTIONS.items():
    _register_function(_node, _equation, _formula_text, _slope)


# ---------------------------------------------------------------- activations

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _normal_density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


@explains("ReluBackward0", general=N_("∂relu(a)/∂a = 1 where a > 0, else 0"))
def relu(node: NodeView) -> Explanation:
    """Explain relu: ∂relu(a)/∂a = 1 where a > 0, else 0."""
    a = node.operands[0]
    derivative = a.numbers.map(lambda x: 1.0 if x > 0 else 0.0)
    formula = {1.0: _("1, as {a} > 0", a=a.name), 0.0: _("0, as {a} ≤ 0", a=a.name)}.get(
        -1.0 if derivative.single is None else derivative.single, _("1 where {a} > 0, else 0", a=a.name)
    )
    return Explanation(f"relu({a.name})", [Local(a, formula, derivative)])


@explains("LeakyReluBackward0", "LeakyReluBackward1", general=N_("∂y/∂a = 1 where a > 0, else n, the negative_slope"))
def leaky_relu(node: NodeView) -> Explanation:
    """Explain leaky_relu: ∂y/∂a = 1 where a > 0, else the negative slope that the result shows."""
    a, y = node.operands[0], node.result.numbers
    pairs = [(x, result) for x, result in zip(a.numbers.flat, y.flat, strict=True) if x < 0]
    x, result = min(pairs, default=(1.0, 0.01))
    negative_slope = float(f"{result / x:.5g}")
    if not node.gives(a.numbers.map(lambda x: x if x > 0 else negative_slope * x)):
        raise LookupError(a.name)
    share = Local(
        a,
        _("1 where {a} > 0, else {n}", a=a.name, n=f"{negative_slope:g}"),
        a.numbers.map(lambda x: 1.0 if x > 0 else negative_slope),
    )
    return Explanation(_("{a} where {a} > 0, else {n}·{a}", a=a.name, n=f"{negative_slope:g}"), [share])


@explains("GeluBackward0", general=N_("∂gelu(a)/∂a = Φ(a) + a·φ(a), with Φ and φ of the normal distribution"))
def gelu(node: NodeView) -> Iterator[Explanation]:
    """Explain gelu: a·Φ(a), or the approximation with tanh."""
    a = node.operands[0]

    def normal(x: float) -> float:
        return (1 + math.erf(x / math.sqrt(2))) / 2

    if node.gives(a.numbers.map(lambda x: x * normal(x))):
        derivative = a.numbers.map(lambda x: normal(x) + x * _normal_density(x))
        yield Explanation(f"{a.name}·Φ({a.name})", [Local(a, f"Φ({a.name}) + {a.name}·φ({a.name})", derivative)])

    def inside(x: float) -> float:
        return math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))

    if node.gives(a.numbers.map(lambda x: x * (1 + inside(x)) / 2)):
        inner = f"√(2/π)·({a.name} + 0.044715·{a.name}³)"
        derivative = a.numbers.map(
            lambda x: (
                (1 + inside(x)) / 2 + x / 2 * (1 - inside(x) ** 2) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
            )
        )
        formula = _(
            "(1 + t)/2 + {a}/2·(1 - t²)·√(2/π)·(1 + 0.134145·{a}²), with t = tanh({inner})", a=a.name, inner=inner
        )
        yield Explanation(f"{a.name}/2·(1 + tanh({inner}))", [Local(a, formula, derivative)])


@explains("SoftplusBackward0", general="y = log(1 + exp(n·a))/n: ∂y/∂a = sigmoid(n·a)")
def softplus(node: NodeView) -> Iterator[Explanation]:
    """Explain softplus: log(1 + exp(n·a))/n, with n (beta) solved from the result."""
    a, y = node.operands[0], node.result.numbers

    def function(x: float, n: float) -> float:
        return max(x, 0.0) + math.log1p(math.exp(-abs(n * x))) / n

    x, result = min(zip(a.numbers.flat, y.flat, strict=True), key=lambda pair: abs(pair[0]))
    for n in (1.0, solve_monotonic(lambda n: function(x, n), result, 1e-3, 1e3)):
        if node.gives(a.numbers.map(lambda x, n=n: x if n * x > 20 else function(x, n))):  # type: ignore[misc]
            factor, divisor = ("", "") if n == 1 else (f"{n:g}·", f"/{n:g}")
            derivative = a.numbers.map(lambda x, n=n: 1.0 if n * x > 20 else sigmoid(n * x))  # type: ignore[misc]
            yield Explanation(
                f"log(1 + exp({factor}{a.name})){divisor}", [Local(a, f"sigmoid({factor}{a.name})", derivative)]
            )
            return


@explains(
    "EluBackward0",
    "EluBackward1",
    "CeluBackward0",
    "CeluBackward1",
    general=N_("∂y/∂a = s where a > 0, else s·n·exp(a)"),
)
def elu(node: NodeView) -> Iterator[Explanation]:
    """Explain elu, selu and celu: s·a where a > 0, else s·n·(exp(a) - 1), with s and n solved from the result; celu has
    exp(a/n)."""
    a = node.operands[0]
    pairs = list(zip(a.numbers.flat, node.result.numbers.flat, strict=True))
    smallest, result = min(pairs)
    smooth = node.node.startswith("Celu")

    def function(x: float, n: float) -> float:
        return x if x > 0 else n * math.expm1(x / n if smooth else x)

    candidates = [(1.0, 1.0), (_SELU_SCALE, _SELU_ALPHA)]
    if smallest < 0 and smooth:
        candidates.append((1.0, solve_monotonic(lambda n: function(smallest, n), result, 1e-2, 1e2)))
    elif smallest < 0:
        candidates.append((1.0, float(f"{result / math.expm1(smallest):.5g}")))
    for s, n in candidates:
        if node.gives(a.numbers.map(lambda x, s=s, n=n: s * function(x, n))):  # type: ignore[misc]
            scale = s if smooth else s * n
            derivative = a.numbers.map(
                lambda x, s=s, n=n, scale=scale: s if x > 0 else scale * math.exp(x / n if smooth else x)  # type: ignore[misc]
            )
            factor = "" if scale == 1 else f"{scale:.6g}·"
            power = f"exp({a.name}/{n:g})" if smooth and n != 1 else f"exp({a.name})"
            formula = _("{s} where {a} > 0, else {by}{power}", s=f"{s:.6g}", a=a.name, by=factor, power=power)
            yield Explanation(f"{node.op.strip('_')}({a.name})", [Local(a, formula, derivative)])
            return


def _register_activation(name: str, node: str, formula: str, derivative: Callable[[float, float], float]) -> None:
    """Register the rule of a piecewise activation; {a} in its formula is the argument."""

    @explains(node, general=lambda: f"y = {name}(a): ∂y/∂a = {_(formula, a='a')}")
    def rule(view: NodeView) -> Explanation:
        a = view.operands[0]
        share = Local(a, _(formula, a=a.name), a.numbers.combine(view.result.numbers, derivative))
        return Explanation(f"{name}({a.name})", [share])


_register_activation(
    "hardsigmoid", "HardsigmoidBackward0", N_("1/6 where -3 < {a} < 3, else 0"), lambda x, y: (-3 < x < 3) / 6
)
_register_activation(
    "hardswish", "HardswishBackward0", N_("0 where {a} ≤ -3, 1 where {a} ≥ 3, else {a}/3 + 1/2"),
    lambda x, y: 0.0 if x <= -3 else 1.0 if x >= 3 else x / 3 + 0.5,
)  # fmt: skip
_register_activation(
    "softshrink", "SoftshrinkBackward0", N_("0 where {a} was set to 0, else 1"), lambda x, y: float(y != 0)
)
_register_activation(
    "hardshrink", "HardshrinkBackward0", N_("0 where {a} was set to 0, else 1"), lambda x, y: float(y != 0)
)
_register_activation("threshold", "ThresholdBackward0", N_("1 where {a} was kept, else 0"), lambda x, y: float(x == y))
_register_activation("threshold", "ThresholdBackward1", N_("1 where {a} was kept, else 0"), lambda x, y: float(x == y))
_register_activation("nan_to_num", "NanToNumBackward0", N_("1 where {a} was kept, else 0"), lambda x, y: float(x == y))
_register_activation(
    "rrelu", "RreluWithNoiseBackward0", N_("1 where {a} ≥ 0, else the negative slope that was drawn"),
    lambda x, y: y / x if x < 0 else 1.0,
)  # fmt: skip


@explains("MishBackward0", general=N_("y = a·t with t = tanh(log(1 + exp(a))): ∂y/∂a = t + a·(1 - t²)·sigmoid(a)"))
def mish(node: NodeView) -> Explanation:
    """Explain mish: a·tanh(softplus(a))."""
    a = node.operands[0]

    def derivative(x: float) -> float:
        t = math.tanh(max(x, 0.0) + math.log1p(math.exp(-abs(x))))
        return t + x * (1 - t * t) * sigmoid(x)

    formula = _("t + {a}·(1 - t²)·sigmoid({a}), with t = tanh(log(1 + exp({a})))", a=a.name)
    return Explanation(f"{a.name}·tanh(log(1 + exp({a.name})))", [Local(a, formula, a.numbers.map(derivative))])


@explains("PreluKernelBackward0", general=N_("∂y/∂a = 1 where a > 0, else w; ∂y/∂w = 0 where a > 0, else a"))
def prelu(node: NodeView) -> Explanation:
    """Explain prelu: a where a > 0, else w·a."""
    a, w = node.operands[:2]
    if node.inner:  # the weight in a shape that fits
        w = Operand(node.whole[1].name, w.shape, node.whole[1].numbers.reshape(w.shape))
    derivative_a = a.numbers.combine(w.numbers, lambda x, n: 1.0 if x > 0 else n)
    derivative_w = a.numbers.map(lambda x: 0.0 if x > 0 else x)
    shares = [
        Local(a, _("1 where {a} > 0, else {w}", a=a.name, w=w.name), derivative_a),
        Local(w, _("0 where {a} > 0, else {a}", a=a.name), derivative_w),
    ]
    return Explanation(_("{a} where {a} > 0, else {w}·{a}", a=a.name, w=w.name), shares)


@explains(
    "GluBackward0", general=N_("y = p·sigmoid(q), with p and q the halves of a: sigmoid(q) for p, y·(1 - s) for q")
)
def glu(node: NodeView) -> Iterator[Explanation]:
    """Explain glu: the first half times the sigmoid of the second."""
    a = node.operands[0]
    values = a.numbers.flat
    for rows in rows_by_dimension(a.shape):
        half = len(rows[0]) // 2
        pairs = [(row[i], row[i + half]) for row in rows for i in range(half)]
        order = sorted(range(len(pairs)), key=lambda at: pairs[at])
        shape = node.incoming.shape
        if 2 * half != len(rows[0]) or 2 * count(shape) != count(a.shape):
            continue
        if not node.gives(Grid(shape, tuple(values[p] * sigmoid(values[q]) for p, q in (pairs[at] for at in order)))):
            continue
        targets, derivatives = [0] * len(values), [0.0] * len(values)
        for place, at in enumerate(order):
            p, q = pairs[at]
            targets[p] = targets[q] = place
            derivatives[p], derivatives[q] = sigmoid(values[q]), values[p] * sigmoid(values[q]) * sigmoid(-values[q])
        formula = _("sigmoid(q) for p, p·sigmoid(q)·(1 - sigmoid(q)) for q")
        yield Explanation(_("p·sigmoid(q), with p and q the halves of {a}", a=a.name),
                          [vjp_by_gather(a, formula, node.incoming, targets, derivatives)])  # fmt: skip


# ---------------------------------------------------------------- clamp


@explains("ClampBackward1", "ClampMinBackward0", "ClampMaxBackward0", "HardtanhBackward0",
          general=N_("∂y/∂a = 1 where a lies between the bounds, else 0"))  # fmt: skip
def clamp(node: NodeView) -> Explanation:
    """Explain clamp and hardtanh with numbers as bounds: 1 where a was kept, else 0."""
    a = node.operands[0]
    derivative = a.numbers.combine(node.result.numbers, lambda x, y: float(x == y))
    return Explanation(
        _("{a} within bounds", a=a.name), [Local(a, _("1 where {a} was kept, else 0", a=a.name), derivative)]
    )


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
        Local(a, _("1 where {a} was kept, else 0", a=a.name), kept_mask),
        Local(low, _("1 where {a} was below {low}, else 0", a=a.name, low=low.name), raised_mask),
        Local(high, _("1 where {a} was above {high}, else 0", a=a.name, high=high.name), lowered_mask),
    ]
    return Explanation(_("{a} within bounds", a=a.name), shares)
