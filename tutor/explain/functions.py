"""Derivatives of functions of one element: exponentials, logarithms, trigonometry, rounding.

Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*), https://pytorch.org/docs/stable/nn.functional.html
(*Non-linear activation functions*), and `tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tutor.explain.rules import Explanation, Local, NodeView, Operand, explains
from tutor.i18n import N_, _

Slope = Callable[[float, float], float]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def divide(x: float, y: float) -> float:
    """As torch divides: by 0 too."""
    if y:
        return x / y
    return math.copysign(math.inf, x) * math.copysign(1.0, y) if x and x == x else math.nan


def _root(x: float) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


def _sign(x: float) -> float:
    return (x > 0) - (x < 0) + 0.0


# Node: the function, its derivative with the argument as {a} and the result as {y}, and the same in Python.
_FUNCTIONS: dict[str, tuple[str, str, Slope]] = {
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


def _register(node: str, equation: str, formula: str, slope: Slope) -> None:
    def general() -> str:
        made = _(equation, a="a")
        says = f"∂({made})/∂a = {_(formula, a='a', y='y')}"
        return f"y = {made}, {says}" if "{y}" in formula else says

    @explains(node, general=general)
    def rule(view: NodeView) -> Explanation:
        a, y = _argument(view), view.result
        result = (a.numbers if "{y}" not in formula else y.numbers) if y.grid is None else y.grid
        argument = result if "{a}" not in formula else a.numbers  # what a rule does not need may be unknown
        share = Local(a, _(formula, a=a.name, y=y.name), argument.combine(result, slope))
        return Explanation(_(equation, a=a.name), [share])


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
