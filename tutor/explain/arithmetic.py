"""Derivatives of the operations that act on each element by itself, and of sums and means over all of them.

Source: the documentation of each operation, and `tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math

from tutor.explain.grid import Grid, count
from tutor.explain.rules import Explanation, Local, NodeView, explains

_SUPERSCRIPTS = str.maketrans("0123456789-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")


def _divide(x: float, y: float) -> float:
    return x / y


@explains("AddBackward0")
def add(node: NodeView) -> Explanation:
    """∂(a+b)/∂a = 1, ∂(a+b)/∂b = 1."""
    a, b = node.operands[:2]
    first, second = (b, a) if node.op == "radd" else (a, b)
    equation = f"{first.name} + {second.name}"
    return Explanation(equation, [Local(o, "1", Grid.full(o.shape, 1.0)) for o in (a, b)])


@explains("SubBackward0")
def sub(node: NodeView) -> Explanation:
    """∂(a-b)/∂a = 1, ∂(a-b)/∂b = -1."""
    a, b = node.operands[:2]
    shares = [Local(a, "1", Grid.full(a.shape, 1.0)), Local(b, "-1", Grid.full(b.shape, -1.0))]
    return Explanation(f"{a.name} - {b.name}", shares)


@explains("RsubBackward1", "RsubBackward0")
def rsub(node: NodeView) -> Explanation:
    """∂(b-a)/∂a = -1, where the tensor stands to the right."""
    a, b = node.operands[:2]
    return Explanation(f"{b.name} - {a.name}", [Local(a, "-1", Grid.full(a.shape, -1.0))])


@explains("MulBackward0")
def mul(node: NodeView) -> Explanation:
    """∂(a·b)/∂a = b, ∂(a·b)/∂b = a."""
    a, b = node.operands[:2]
    first, second = (b, a) if node.op == "rmul" else (a, b)
    shares = [
        Local(a, b.name, b.grid) if b.grid is not None else None,
        Local(b, a.name, a.grid) if a.grid is not None else None,
    ]
    return Explanation(f"{first.name}·{second.name}", shares)


@explains("DivBackward0")
def div(node: NodeView) -> Explanation:
    """∂(a/b)/∂a = 1/b, ∂(a/b)/∂b = -a/b²."""
    a, b = node.operands[:2]
    below = b.numbers
    shares = [Local(a, f"1/{b.name}", below.map(lambda y: 1 / y))]
    if a.grid is not None:
        by_b = a.grid.combine(below.map(lambda y: y * y), _divide).map(lambda x: -x)
        shares.append(Local(b, f"-{a.name}/{b.name}²", by_b))
    return Explanation(f"{a.name}/{b.name}", shares)


@explains("NegBackward0")
def neg(node: NodeView) -> Explanation:
    """∂(-a)/∂a = -1."""
    (a,) = node.operands[:1]
    return Explanation(f"-{a.name}", [Local(a, "-1", Grid.full(a.shape, -1.0))])


@explains("PowBackward0")
def power(node: NodeView) -> Explanation:
    """∂(aⁿ)/∂a = n·aⁿ⁻¹, for a number n."""
    a = node.operands[0]
    n = node.operands[1].numbers.flat[0]
    formula = f"{n:g}·{a.name}" if n == 2 else f"{n:g}·{a.name}{f'{n - 1:g}'.translate(_SUPERSCRIPTS)}"
    slope = a.numbers.map(lambda x: 0.0 if n == 0 else n * math.pow(x, n - 1))
    return Explanation(f"{a.name}{f'{n:g}'.translate(_SUPERSCRIPTS)}", [Local(a, formula, slope)])


@explains("SumBackward0")
def total(node: NodeView) -> Explanation:
    """∂(Σa)/∂aᵢ = 1."""
    a = node.operands[0]
    return Explanation(f"sum of {a.name}", [Local(a, "1", Grid.full(a.shape, 1.0))])


@explains("MeanBackward0")
def mean(node: NodeView) -> Explanation:
    """∂(Σa/n)/∂aᵢ = 1/n."""
    a = node.operands[0]
    n = count(a.shape)
    return Explanation(f"mean of {a.name}", [Local(a, f"1/{n}", Grid.full(a.shape, 1 / n))])


@explains("ReluBackward0")
def relu(node: NodeView) -> Explanation:
    """∂relu(a)/∂a = 1 where a > 0, else 0."""
    a = node.operands[0]
    slope = a.numbers.map(lambda x: 1.0 if x > 0 else 0.0)
    formula = {1.0: f"1, as {a.name} > 0", 0.0: f"0, as {a.name} ≤ 0"}.get(
        -1.0 if slope.single is None else slope.single, f"1 where {a.name} > 0, else 0"
    )
    return Explanation(f"relu({a.name})", [Local(a, formula, slope)])


@explains("ExpBackward0")
def exp(node: NodeView) -> Explanation:
    """∂eᵃ/∂a = eᵃ, which is the result itself."""
    a, y = node.operands[0], node.result
    return Explanation(f"exp({a.name})", [Local(a, y.name, y.numbers)])


@explains("LogBackward0")
def log(node: NodeView) -> Explanation:
    """∂ln(a)/∂a = 1/a."""
    a = node.operands[0]
    return Explanation(f"log({a.name})", [Local(a, f"1/{a.name}", a.numbers.map(lambda x: 1 / x))])


@explains("SigmoidBackward0")
def sigmoid(node: NodeView) -> Explanation:
    """∂σ(a)/∂a = σ(a)·(1-σ(a))."""
    a, y = node.operands[0], node.result
    slope = y.numbers.map(lambda s: s * (1 - s))
    return Explanation(f"sigmoid({a.name})", [Local(a, f"{y.name}·(1 - {y.name})", slope)])


@explains("TanhBackward0")
def tanh(node: NodeView) -> Explanation:
    """∂tanh(a)/∂a = 1-tanh²(a)."""
    a, y = node.operands[0], node.result
    slope = y.numbers.map(lambda t: 1 - t * t)
    return Explanation(f"tanh({a.name})", [Local(a, f"1 - {y.name}²", slope)])


@explains("MseLossBackward0")
def mse_loss(node: NodeView) -> Explanation:
    """∂mean((p-t)²)/∂p = 2(p-t)/n, ∂/∂t = -2(p-t)/n."""
    p, t = node.operands[:2]
    apart = p.numbers.combine(t.numbers, lambda x, y: x - y)
    n = count(apart.shape)
    by_n = "" if n == 1 else f"/{n}"
    slopes = apart.map(lambda d: 2 * d / n), apart.map(lambda d: -2 * d / n)
    shares = [
        Local(p, f"2·({p.name} - {t.name}){by_n}", slopes[0]),
        Local(t, f"-2·({p.name} - {t.name}){by_n}", slopes[1]),
    ]
    return Explanation(f"mean of ({p.name} - {t.name})²", shares)
