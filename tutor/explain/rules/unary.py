"""Derivatives of functions of one element: exponentials, logarithms, trigonometry, rounding.

Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*), https://pytorch.org/docs/stable/nn.functional.html
(*Non-linear activation functions*), and `tools/autograd/derivatives.yaml` in PyTorch.

Derivatives of activations that have parameters or several pieces. A parameter that the code does not tell is found
from the numbers: the result says what it must have been.

Source: https://pytorch.org/docs/stable/nn.functional.html (*Non-linear activation functions*), and
`tools/autograd/derivatives.yaml` in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from tutor.explain.rules.arrays import Grid, count, solved
from tutor.explain.rules.registry import Explanation, Local, NodeView, Operand, explains, spread
from tutor.explain.rules.scans import lanes
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


_SELU_SCALE, _SELU_SLOPE = 1.0507009873554805, 1.6732632423543772


def _bell(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


@explains("ReluBackward0", general=N_("∂relu(a)/∂a = 1 where a > 0, else 0"))
def relu(node: NodeView) -> Explanation:
    """∂relu(a)/∂a = 1 where a > 0, else 0."""
    a = node.operands[0]
    slope = a.numbers.map(lambda x: 1.0 if x > 0 else 0.0)
    formula = {1.0: _("1, as {a} > 0", a=a.name), 0.0: _("0, as {a} ≤ 0", a=a.name)}.get(
        -1.0 if slope.single is None else slope.single, _("1 where {a} > 0, else 0", a=a.name)
    )
    return Explanation(f"relu({a.name})", [Local(a, formula, slope)])


@explains("LeakyReluBackward0", "LeakyReluBackward1", general=N_("∂y/∂a = 1 where a > 0, else the slope n"))
def leaky_relu(node: NodeView) -> Explanation:
    """∂y/∂a = 1 where a > 0, else the slope that the numbers show."""
    a, y = node.operands[0], node.result.numbers
    pairs = [(x, out) for x, out in zip(a.numbers.flat, y.flat, strict=True) if x < 0]
    x, out = min(pairs, default=(1.0, 0.01))
    slope = float(f"{out / x:.5g}")
    if not node.gives(a.numbers.map(lambda x: x if x > 0 else slope * x)):
        raise LookupError(a.name)
    share = Local(
        a,
        _("1 where {a} > 0, else {slope}", a=a.name, slope=f"{slope:g}"),
        a.numbers.map(lambda x: 1.0 if x > 0 else slope),
    )
    return Explanation(_("{a} where {a} > 0, else {slope}·{a}", a=a.name, slope=f"{slope:g}"), [share])


@explains("GeluBackward0", general=N_("∂gelu(a)/∂a = Φ(a) + a·φ(a), with Φ and φ of the normal distribution"))
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
        formula = _(
            "(1 + t)/2 + {a}/2·(1 - t²)·√(2/π)·(1 + 0.134145·{a}²), with t = tanh({inner})", a=a.name, inner=inner
        )
        yield Explanation(f"{a.name}/2·(1 + tanh({inner}))", [Local(a, formula, slope)])


@explains("SoftplusBackward0", general="y = log(1 + exp(n·a))/n: ∂y/∂a = sigmoid(n·a)")
def softplus(node: NodeView) -> Iterator[Explanation]:
    """log(1 + exp(n·a))/n, with n as the numbers show it."""
    a, y = node.operands[0], node.result.numbers

    def of(x: float, n: float) -> float:
        return max(x, 0.0) + math.log1p(math.exp(-abs(n * x))) / n

    x, out = min(zip(a.numbers.flat, y.flat, strict=True), key=lambda pair: abs(pair[0]))
    for n in (1.0, solved(lambda n: of(x, n), out, 1e-3, 1e3)):
        if node.gives(a.numbers.map(lambda x, n=n: x if n * x > 20 else of(x, n))):  # type: ignore[misc]
            by, below = ("", "") if n == 1 else (f"{n:g}·", f"/{n:g}")
            slope = a.numbers.map(lambda x, n=n: 1.0 if n * x > 20 else sigmoid(n * x))  # type: ignore[misc]
            yield Explanation(f"log(1 + exp({by}{a.name})){below}", [Local(a, f"sigmoid({by}{a.name})", slope)])
            return


@explains(
    "EluBackward0",
    "EluBackward1",
    "CeluBackward0",
    "CeluBackward1",
    general=N_("∂y/∂a = s where a > 0, else s·n·exp(a)"),
)
def elu(node: NodeView) -> Iterator[Explanation]:
    """s·a where a > 0, else s·n·(exp(a) - 1), with s and n as the numbers show them; `celu` takes exp(a/n)."""
    a = node.operands[0]
    pairs = list(zip(a.numbers.flat, node.result.numbers.flat, strict=True))
    low, under = min(pairs)
    smooth = node.node.startswith("Celu")

    def of(x: float, n: float) -> float:
        return x if x > 0 else n * math.expm1(x / n if smooth else x)

    ways = [(1.0, 1.0), (_SELU_SCALE, _SELU_SLOPE)]
    if low < 0 and smooth:
        ways.append((1.0, solved(lambda n: of(low, n), under, 1e-2, 1e2)))
    elif low < 0:
        ways.append((1.0, float(f"{under / math.expm1(low):.5g}")))
    for s, n in ways:
        if node.gives(a.numbers.map(lambda x, s=s, n=n: s * of(x, n))):  # type: ignore[misc]
            below = s if smooth else s * n
            slope = a.numbers.map(
                lambda x, s=s, n=n, below=below: s if x > 0 else below * math.exp(x / n if smooth else x)  # type: ignore[misc]
            )
            by = "" if below == 1 else f"{below:.6g}·"
            power = f"exp({a.name}/{n:g})" if smooth and n != 1 else f"exp({a.name})"
            formula = _("{s} where {a} > 0, else {by}{power}", s=f"{s:.6g}", a=a.name, by=by, power=power)
            yield Explanation(f"{node.op.strip('_')}({a.name})", [Local(a, formula, slope)])
            return


def _pieces(name: str, node: str, formula: str, slope: Callable[[float, float], float]) -> None:
    """A function with a derivative of several pieces; {a} stands for what it is applied to."""

    @explains(node, general=lambda: f"y = {name}(a): ∂y/∂a = {_(formula, a='a')}")
    def rule(view: NodeView) -> Explanation:
        a = view.operands[0]
        share = Local(a, _(formula, a=a.name), a.numbers.combine(view.result.numbers, slope))
        return Explanation(f"{name}({a.name})", [share])


_pieces("hardsigmoid", "HardsigmoidBackward0", N_("1/6 where -3 < {a} < 3, else 0"), lambda x, y: (-3 < x < 3) / 6)
_pieces(
    "hardswish", "HardswishBackward0", N_("0 where {a} ≤ -3, 1 where {a} ≥ 3, else {a}/3 + 1/2"),
    lambda x, y: 0.0 if x <= -3 else 1.0 if x >= 3 else x / 3 + 0.5,
)  # fmt: skip
_pieces("softshrink", "SoftshrinkBackward0", N_("0 where {a} was set to 0, else 1"), lambda x, y: float(y != 0))
_pieces("hardshrink", "HardshrinkBackward0", N_("0 where {a} was set to 0, else 1"), lambda x, y: float(y != 0))
_pieces("threshold", "ThresholdBackward0", N_("1 where {a} was kept, else 0"), lambda x, y: float(x == y))
_pieces("threshold", "ThresholdBackward1", N_("1 where {a} was kept, else 0"), lambda x, y: float(x == y))
_pieces("nan_to_num", "NanToNumBackward0", N_("1 where {a} was kept, else 0"), lambda x, y: float(x == y))
_pieces(
    "rrelu", "RreluWithNoiseBackward0", N_("1 where {a} ≥ 0, else the slope that was drawn"),
    lambda x, y: y / x if x < 0 else 1.0,
)  # fmt: skip


@explains("MishBackward0", general=N_("y = a·t with t = tanh(log(1 + exp(a))): ∂y/∂a = t + a·(1 - t²)·sigmoid(a)"))
def mish(node: NodeView) -> Explanation:
    """a·tanh(softplus(a))."""
    a = node.operands[0]

    def slope(x: float) -> float:
        t = math.tanh(max(x, 0.0) + math.log1p(math.exp(-abs(x))))
        return t + x * (1 - t * t) * sigmoid(x)

    formula = _("t + {a}·(1 - t²)·sigmoid({a}), with t = tanh(log(1 + exp({a})))", a=a.name)
    return Explanation(f"{a.name}·tanh(log(1 + exp({a.name})))", [Local(a, formula, a.numbers.map(slope))])


@explains("PreluKernelBackward0", general=N_("∂y/∂a = 1 where a > 0, else w; ∂y/∂w = 0 where a > 0, else a"))
def prelu(node: NodeView) -> Explanation:
    """a where a > 0, else w·a."""
    a, w = node.operands[:2]
    if node.inner:  # the weight in a shape that fits
        w = Operand(node.whole[1].name, w.shape, node.whole[1].numbers.reshape(w.shape))
    by_a = a.numbers.combine(w.numbers, lambda x, n: 1.0 if x > 0 else n)
    by_w = a.numbers.map(lambda x: 0.0 if x > 0 else x)
    shares = [
        Local(a, _("1 where {a} > 0, else {w}", a=a.name, w=w.name), by_a),
        Local(w, _("0 where {a} > 0, else {a}", a=a.name), by_w),
    ]
    return Explanation(_("{a} where {a} > 0, else {w}·{a}", a=a.name, w=w.name), shares)


@explains(
    "GluBackward0", general=N_("y = p·sigmoid(q), with p and q the halves of a: sigmoid(q) for p, y·(1 - s) for q")
)
def glu(node: NodeView) -> Iterator[Explanation]:
    """The first half times the sigmoid of the second."""
    a = node.operands[0]
    n = a.numbers.flat
    for rows in lanes(a.shape):
        half = len(rows[0]) // 2
        pairs = [(row[i], row[i + half]) for row in rows for i in range(half)]
        order = sorted(range(len(pairs)), key=lambda at: pairs[at])
        shape = node.incoming.shape
        if 2 * half != len(rows[0]) or 2 * count(shape) != count(a.shape):
            continue
        if not node.gives(Grid(shape, tuple(n[p] * sigmoid(n[q]) for p, q in (pairs[at] for at in order)))):
            continue
        places, slopes = [0] * len(n), [0.0] * len(n)
        for place, at in enumerate(order):
            p, q = pairs[at]
            places[p] = places[q] = place
            slopes[p], slopes[q] = sigmoid(n[q]), n[p] * sigmoid(n[q]) * sigmoid(-n[q])
        formula = _("sigmoid(q) for p, p·sigmoid(q)·(1 - sigmoid(q)) for q")
        yield Explanation(_("p·sigmoid(q), with p and q the halves of {a}", a=a.name),
                          [spread(a, formula, node.incoming, places, slopes)])  # fmt: skip
