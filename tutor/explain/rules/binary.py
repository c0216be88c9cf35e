"""Derivative rules of functions of two or more tensors, element by element.

- add, sub, rsub, mul, div, neg, pow, square, reciprocal, remainder, fmod, lerp, addcmul, addcdiv, dropout
- atan2, hypot, logaddexp, xlogy, copysign
- maximum, minimum, fmax, fmin, where, masked_fill

A number that was not recorded (alpha, an exponent) is solved from the result. For clamp see `unary`.
Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*, *Comparison Ops*), and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from tutor.explain.rules.arrays import Grid
from tutor.explain.rules.registry import Explanation, Local, NodeView, Operand, Share, explains
from tutor.explain.rules.unary import divide
from tutor.i18n import N_, _

_SUPERSCRIPTS = str.maketrans("0123456789-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")


def _power(x: float, n: float) -> float:
    """Raise to a power as torch does: zero to a negative one gives inf, what has no real result nan."""
    try:
        return math.pow(x, n)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if x == 0 else math.nan


def _possible_alphas(node: NodeView, sign: float, a: Operand, b: Operand) -> list[float]:
    """Return alpha of a ± alpha·b: 1, or what the result shows; empty where it shows none."""
    if node.inner or a.grid is None or b.grid is None or node.result.grid is None:
        return [1.0]
    if node.gives(a.grid.combine(b.grid, lambda x, y: x + sign * y)):
        return [1.0]
    shape = node.result.shape
    rows = zip(a.grid.expand(shape).flat, b.grid.expand(shape).flat, node.result.grid.flat, strict=True)
    x, y, result = max(rows, key=lambda row: abs(row[1]))
    alpha = float(f"{sign * (result - x) / y:.5g}")
    return [alpha] if node.gives(a.grid.combine(b.grid, lambda p, q: p + sign * alpha * q)) else []


def _explain_sum(node: NodeView, sign: str, a: Operand, b: Operand) -> Iterator[Explanation]:
    """Explain a ± alpha·b."""
    sign_factor = 1.0 if sign == "+" else -1.0
    for alpha in _possible_alphas(node, sign_factor, a, b):
        formula_b = f"{sign_factor * alpha:g}"
        shares = [Local(a, "1", Grid.full(a.shape, 1.0)), Local(b, formula_b, Grid.full(b.shape, sign_factor * alpha))]
        yield Explanation(f"{a.name} {sign} {'' if alpha == 1 else f'{alpha:g}·'}{b.name}", shares)


@explains("AddBackward0", general="∂(a + α·b)/∂a = 1, ∂(a + α·b)/∂b = α")
def add(node: NodeView) -> Iterator[Explanation]:
    """Explain add: ∂(a + αb)/∂a = 1, ∂(a + αb)/∂b = α."""
    a, b = node.operands[:2]
    for explanation in _explain_sum(node, "+", a, b):
        if node.op == "radd":
            explanation = Explanation(f"{b.name} + {a.name}", explanation.shares)
        yield explanation


@explains("SubBackward0", general="∂(a - α·b)/∂a = 1, ∂(a - α·b)/∂b = -α")
def sub(node: NodeView) -> Iterator[Explanation]:
    """Explain sub: ∂(a - αb)/∂a = 1, ∂(a - αb)/∂b = -α."""
    a, b = node.whole[:2] if node.op == "l1_loss" else node.operands[:2]
    yield from _explain_sum(node, "-", a, b)


@explains("RsubBackward1", "RsubBackward0", general="∂(b - α·a)/∂a = -α")
def rsub(node: NodeView) -> Explanation:
    """Explain `b - a` where the tensor is on the right: ∂(b - a)/∂a = -1."""
    a, b = node.operands[:2]
    derivative = Grid.full(a.shape, -1.0)
    return Explanation(f"{b.name} - {a.name}", [Local(a, "-1", derivative), Local(b, "1", Grid.full(b.shape, 1.0))])


def _factors(node: NodeView) -> tuple[Operand, Operand]:
    """Return the two factors of a product; inside `2 / a` and `outer` what they stand for."""
    whole = node.whole
    if node.inner and node.op in ("rdiv", "rtruediv", "div") and len(whole) == 2:
        a, number = whole if whole[0].tensor is not None else (whole[1], whole[0])
        return Operand(f"(1/{a.name})", a.shape, a.numbers.map(lambda x: divide(1.0, x))), number
    if node.inner and node.op in ("outer", "ger") and len(whole) == 2:
        a = whole[0]
        return Operand(f"{a.name}[:, None]", (*a.shape, 1), a.numbers.reshape((*a.shape, 1))), whole[1]
    if node.op in ("dropout", "alpha_dropout", "feature_dropout") and not node.inner:
        a = node.operands[0]
        mask = a.numbers.combine(node.result.numbers, lambda x, y: y / x if x else 0.0)
        return a, Operand(_("the mask of dropout"), mask.shape, mask)
    first, second = node.operands[:2]
    return _recovered_number(node, first, second, lambda x, y: y / x), _recovered_number(
        node, second, first, lambda x, y: y / x
    )


def _recovered_number(
    node: NodeView, unknown: Operand, a: Operand, from_result: Callable[[float, float], float]
) -> Operand:
    """Return an argument; where it is a number that was not recorded, solve it from the result at the largest element
    of a."""
    y = node.result.grid
    if unknown.tensor is not None or unknown.grid is not None or a.grid is None or y is None or not y.flat:
        return unknown
    x, result = max(zip(a.grid.expand(y.shape).flat, y.flat, strict=True), key=lambda pair: abs(pair[0]))
    number = from_result(x, result)
    name = f"{number:.6g}" if unknown.name == "?" else unknown.name
    return Operand(name, (), Grid((), (float(f"{number:.6g}") if unknown.name == "?" else number,)))


@explains("MulBackward0", general="∂(a·b)/∂a = b, ∂(a·b)/∂b = a")
def mul(node: NodeView) -> Explanation:
    """Explain mul: ∂(a·b)/∂a = b, ∂(a·b)/∂b = a."""
    a, b = _factors(node)
    first, second = (b, a) if node.op == "rmul" else (a, b)
    shares = [
        Local(a, b.name, b.grid) if b.grid is not None else None,
        Local(b, a.name, a.grid) if a.grid is not None else None,
    ]
    return Explanation(f"{first.name}·{second.name}", shares)


@explains("DivBackward0", general="∂(a/b)/∂a = 1/b, ∂(a/b)/∂b = -a/b²")
def div(node: NodeView) -> Explanation:
    """Explain div: ∂(a/b)/∂a = 1/b, ∂(a/b)/∂b = -a/b²."""
    a, b = node.operands[0], _recovered_number(node, node.operands[1], node.operands[0], lambda x, y: x / y)
    divisor = b.numbers
    shares = [Local(a, f"1/{b.name}", divisor.map(lambda y: divide(1.0, y)))]
    if a.grid is not None:
        derivative_b = a.grid.combine(divisor.map(lambda y: y * y), divide).map(lambda x: -x)
        shares.append(Local(b, f"-{a.name}/{b.name}²", derivative_b))
    return Explanation(f"{a.name}/{b.name}", shares)


@explains("NegBackward0", general="∂(-a)/∂a = -1")
def neg(node: NodeView) -> Explanation:
    """Explain neg: ∂(-a)/∂a = -1."""
    (a,) = node.operands[:1]
    return Explanation(f"-{a.name}", [Local(a, "-1", Grid.full(a.shape, -1.0))])


@explains("PowBackward0", general="∂(aⁿ)/∂a = n·aⁿ⁻¹")
def power(node: NodeView) -> Explanation:
    """Explain pow and square with a number as exponent: ∂(aⁿ)/∂a = n·aⁿ⁻¹."""
    a = node.operands[0]
    n = 2.0 if node.op in ("square", "square_") else _exponent(node, a)
    formula = f"{n:g}·{a.name}" if n == 2 else f"{n:g}·{a.name}{f'{n - 1:g}'.translate(_SUPERSCRIPTS)}"
    derivative = a.numbers.map(lambda x: 0.0 if n == 0 else n * _power(x, n - 1))
    return Explanation(f"{a.name}{f'{n:g}'.translate(_SUPERSCRIPTS)}", [Local(a, formula, derivative)])


def _exponent(node: NodeView, a: Operand) -> float:
    """Return the exponent in the code; where it is not there, the usual one that gives the result. Raises
    LookupError."""
    for operand in node.operands[1:]:
        if operand.grid is not None:
            return operand.numbers.flat[0]
    for n in (2.0, 3.0, 0.5, 4.0, -1.0, 1.5, -2.0):
        if not node.inner and node.gives(a.numbers.map(lambda x, n=n: _power(x, n))):  # type: ignore[misc]
            return n
    raise LookupError(a.name)


@explains("PowBackward1", general="∂(aᵇ)/∂a = b·aᵇ⁻¹, ∂(aᵇ)/∂b = aᵇ·ln(a)")
def power_of_tensors(node: NodeView) -> Explanation:
    """Explain pow of two tensors: ∂(aᵇ)/∂a = b·aᵇ⁻¹, ∂(aᵇ)/∂b = aᵇ·ln a."""
    a, b, y = *node.operands[:2], node.result
    derivative_a = a.numbers.combine(b.numbers, lambda x, n: 0.0 if n == 0 else n * _power(x, n - 1))
    derivative_b = a.numbers.combine(b.numbers, lambda x, n: 0.0 if x == 0 and n >= 0 else _power(x, n) * _ln(x))
    shares = [
        Local(a, f"{b.name}·{a.name}^({b.name} - 1)", derivative_a),
        Local(b, f"{y.name}·ln({a.name})", derivative_b),
    ]
    return Explanation(f"{a.name}^{b.name}", shares)


@explains("PowBackward2", general="∂(nᵃ)/∂a = nᵃ·ln(n)")
def power_of_a_number(node: NodeView) -> Explanation:
    """Explain pow of a number by a tensor: ∂(nᵃ)/∂a = nᵃ·ln n. Autograd counts the number as an input."""
    a = next(operand for operand in node.operands if operand.tensor is not None)
    base = next(operand for operand in node.operands if operand.tensor is None)
    n, y = base.numbers.flat[0], node.result
    share = Local(a, f"{y.name}·ln({base.name})", y.numbers.map(lambda x: x * _ln(n)))
    return Explanation(f"{base.name}^{a.name}", [share])


def _ln(x: float) -> float:
    """Return the logarithm as torch does: -inf at zero, nan below."""
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


@explains("ReciprocalBackward0", general="∂(1/a)/∂a = -1/a²")
def reciprocal(node: NodeView) -> Explanation:
    """Explain 1/a: ∂(1/a)/∂a = -1/a²."""
    a = node.operands[0]
    return Explanation(f"1/{a.name}", [Local(a, f"-1/{a.name}²", a.numbers.map(lambda x: -divide(1.0, x * x)))])


@explains("LerpBackward0", general=N_("∂(a + n·(b - a))/∂a = 1 - n, by b: n"))
def lerp(node: NodeView) -> Explanation:
    """Explain lerp with a number as weight: ∂(a + n(b - a))/∂a = 1 - n, ∂/∂b = n."""
    a, b, weight = node.operands[:3]
    n = weight.numbers.flat[0]
    shares = [Local(a, f"1 - {weight.name}", Grid.full(a.shape, 1 - n)), Local(b, weight.name, Grid.full(b.shape, n))]
    return Explanation(f"{a.name} + {weight.name}·({b.name} - {a.name})", shares)


@explains("LerpBackward1", general=N_("∂(a + w·(b - a))/∂a = 1 - w, by b: w, by w: b - a"))
def lerp_by_tensor(node: NodeView) -> Explanation:
    """Explain lerp with a tensor as weight: 1 - w, w, and b - a."""
    a, b, w = node.operands[:3]
    shares = [
        Local(a, f"1 - {w.name}", w.numbers.map(lambda x: 1 - x)),
        Local(b, w.name, w.numbers),
        Local(w, f"{b.name} - {a.name}", b.numbers.combine(a.numbers, lambda x, y: x - y)),
    ]
    return Explanation(f"{a.name} + {w.name}·({b.name} - {a.name})", shares)


@explains("AddcmulBackward0", general=N_("∂(a + n·b·c)/∂a = 1, by b: n·c, by c: n·b"))
def addcmul(node: NodeView) -> Iterator[Explanation]:
    """Explain a + n·b·c, with n solved from the result."""
    a, b, c = node.operands[:3]
    product = Operand(f"({b.name}·{c.name})", node.incoming.shape, b.numbers * c.numbers)
    for explanation in _explain_sum(node, "+", a, product):
        n = _factor_of(explanation.shares[1])
        factor = "" if n == 1 else f"{n:g}·"
        shares = [
            explanation.shares[0],
            Local(b, f"{factor}{c.name}", c.numbers.map(lambda x, n=n: n * x)),  # type: ignore[misc]
            Local(c, f"{factor}{b.name}", b.numbers.map(lambda x, n=n: n * x)),  # type: ignore[misc]
        ]
        yield Explanation(explanation.equation, shares)


@explains("AddcdivBackward0", general=N_("∂(a + n·b/c)/∂a = 1, by b: n/c, by c: -n·b/c²"))
def addcdiv(node: NodeView) -> Iterator[Explanation]:
    """Explain a + n·b/c, with n solved from the result."""
    a, b, c = node.operands[:3]
    quotient = Operand(f"({b.name}/{c.name})", node.incoming.shape, b.numbers.combine(c.numbers, divide))
    for explanation in _explain_sum(node, "+", a, quotient):
        n = _factor_of(explanation.shares[1])
        derivative_c = b.numbers.combine(c.numbers, lambda x, y, n=n: -n * x / (y * y))  # type: ignore[misc]
        shares = [
            explanation.shares[0],
            Local(b, f"{n:g}/{c.name}", c.numbers.map(lambda x, n=n: n / x)),  # type: ignore[misc]
            Local(c, f"-{n:g}·{b.name}/{c.name}²", derivative_c),
        ]
        yield Explanation(explanation.equation, shares)


def _factor_of(share: Share | None) -> float:
    assert share is not None
    assert share.derivative is not None
    return share.derivative.flat[0]


# ---------------------------------------------------------------- with a number that is not recorded


def _recovered_factor(node: NodeView, a: Operand) -> float | None:
    """Return the number that each element was multiplied by, solved from the result; None where it does not show."""
    if node.result.grid is None:
        return None
    x, y = max(zip(a.numbers.flat, node.result.grid.flat, strict=True), key=lambda pair: abs(pair[0]))
    if not x:
        return None
    rounded = float(f"{y / x:.6g}")
    return rounded if node.gives(a.numbers.map(lambda x: rounded * x)) else y / x


@explains("MulBackward1", "DivBackward1", general=N_("∂(n·a)/∂a = n, for a number n"))
def multiply_by_number(node: NodeView) -> Explanation | None:
    """Explain n·a or a/n inside a composite, with n solved from the result."""
    a = node.operands[0]
    in_attention = node.inner and node.op == "scaled_dot_product_attention"
    n = node.whole[0].shape[-1] ** -0.25 if in_attention else _recovered_factor(node, a)
    if n is None:
        return None
    if node.node == "DivBackward1":
        divisor = float(f"{1 / n:.6g}")
        return Explanation(f"{a.name}/{divisor:g}", [Local(a, f"1/{divisor:g}", Grid.full(a.shape, 1 / divisor))])
    return Explanation(f"{n:g}·{a.name}", [Local(a, f"{n:g}", Grid.full(a.shape, n))])


@explains("AddBackward1", "SubBackward1", general=N_("∂(a + n)/∂a = 1, for a number n"))
def add_number(node: NodeView) -> Explanation:
    """Explain a + n inside a composite."""
    a = node.operands[0]
    return Explanation(_("{a} and a number", a=a.name), [Local(a, "1", Grid.full(a.shape, 1.0))])


# ---------------------------------------------------------------- functions of two tensors


@explains("Atan2Backward0", general="∂atan2(a, b)/∂a = b/(a² + b²), ∂atan2(a, b)/∂b = -a/(a² + b²)")
def atan2(node: NodeView) -> Explanation:
    """Explain atan2: ∂/∂a = b/(a² + b²), ∂/∂b = -a/(a² + b²)."""
    a, b = node.operands[:2]
    divisor = f"({a.name}² + {b.name}²)"
    shares = [
        Local(a, f"{b.name}/{divisor}", a.numbers.combine(b.numbers, lambda x, y: y / (x * x + y * y))),
        Local(b, f"-{a.name}/{divisor}", a.numbers.combine(b.numbers, lambda x, y: -x / (x * x + y * y))),
    ]
    return Explanation(f"atan2({a.name}, {b.name})", shares)


def _differences_from_result(a: Operand, b: Operand, y: Operand) -> tuple[Grid, Grid]:
    """Return a - y and b - y."""
    return tuple(y.numbers.combine(operand.numbers, lambda result, x: x - result) for operand in (a, b))  # type: ignore[return-value]


@explains("HypotBackward0", general="y = √(a² + b²): ∂y/∂a = a/y, ∂y/∂b = b/y")
def hypot(node: NodeView) -> Explanation:
    """Explain hypot: a/y and b/y."""
    a, b, y = *node.operands[:2], node.result
    shares = [
        Local(operand, f"{operand.name}/{y.name}", operand.numbers.combine(y.numbers, lambda x, result: x / result))
        for operand in (a, b)
    ]
    return Explanation(f"√({a.name}² + {b.name}²)", shares)


@explains("LogaddexpBackward0", general="y = log(exp(a) + exp(b)): ∂y/∂a = exp(a - y), ∂y/∂b = exp(b - y)")
def logaddexp(node: NodeView) -> Explanation:
    """Explain logaddexp: exp(a - y) and exp(b - y)."""
    a, b, y = *node.operands[:2], node.result
    derivatives = [difference.map(math.exp) for difference in _differences_from_result(a, b, y)]
    shares = [
        Local(operand, f"exp({operand.name} - {y.name})", derivative)
        for operand, derivative in zip((a, b), derivatives, strict=True)
    ]
    return Explanation(f"log(exp({a.name}) + exp({b.name}))", shares)


@explains("XlogyBackward0", general="y = a·log(b): ∂y/∂a = log(b), ∂y/∂b = a/b")
def xlogy(node: NodeView) -> Explanation:
    """Explain xlogy: log b and a/b."""
    a, b = node.operands[:2]
    shares = [
        Local(a, f"log({b.name})", b.numbers.map(math.log)),
        Local(b, f"{a.name}/{b.name}", a.numbers.combine(b.numbers, lambda x, y: x / y)),
    ]
    return Explanation(f"{a.name}·log({b.name})", shares)


@explains("RemainderBackward0", "FmodBackward0", general=N_("the rest of a division: ∂y/∂a = 1"))
def remainder(node: NodeView) -> Explanation:
    """Explain remainder and fmod by a number: 1."""
    a, b = node.operands[:2]
    return Explanation(_("the rest of {a}/{b}", a=a.name, b=b.name), [Local(a, "1", Grid.full(a.shape, 1.0))])


@explains("RemainderBackward1", "FmodBackward1", general=N_("the rest of a division: ∂y/∂a = 1, ∂y/∂b = -a/b rounded"))
def remainder_of_tensors(node: NodeView) -> Explanation:
    """Explain remainder and fmod of two tensors: 1, and -a/b rounded down (remainder) or to zero (fmod)."""
    a, b = node.operands[:2]
    rounds_down = node.node.startswith("Rem")
    derivative_b = a.numbers.combine(
        b.numbers, lambda x, y: -float(math.floor(x / y) if rounds_down else math.trunc(x / y))
    )
    quotient = f"{a.name}/{b.name}"
    rounded = (
        _("{quotient} rounded down", quotient=quotient)
        if rounds_down
        else _("{quotient} rounded to zero", quotient=quotient)
    )
    shares = [Local(a, "1", Grid.full(a.shape, 1.0)), Local(b, f"-({rounded})", derivative_b)]
    return Explanation(_("the rest of {a}/{b}", a=a.name, b=b.name), shares)


@explains("DivBackward2", general=N_("a rounded quotient does not move with a: ∂y/∂a = 0"))
def rounded_quotient(node: NodeView) -> Explanation:
    """Explain div with a rounding mode: 0."""
    a, b = node.operands[:2]
    shares = [Local(operand, "0", Grid.full(operand.shape, 0.0)) for operand in (a, b)]
    return Explanation(_("{a}/{b} rounded", a=a.name, b=b.name), shares)


@explains("CopysignBackward0", general=N_("∂y/∂a = 1 where the sign of a was kept, else -1"))
def copysign(node: NodeView) -> Explanation:
    """Explain copysign: 1 where a has the sign already, else -1."""
    a, b = node.operands[:2]

    def derivative(x: float, result: float) -> float:
        return 0.0 if x == 0 else math.copysign(1.0, x) * math.copysign(1.0, result)

    shares = [
        Local(a, _("1 where {a} kept its sign, else -1", a=a.name), a.numbers.combine(node.result.numbers, derivative)),
        Local(b, "0", Grid.full(b.shape, 0.0)),
    ]
    return Explanation(_("|{a}| with the sign of {b}", a=a.name, b=b.name), shares)


# ---------------------------------------------------------------- choices and masks


@explains(
    "MaximumBackward0",
    "MinimumBackward0",
    "FmaxBackward0",
    "FminBackward0",
    general=N_("the one that was taken gets the gradient; where both are the same, each gets half"),
)
def maximum_minimum(node: NodeView) -> Explanation:
    """Explain maximum, minimum, fmax and fmin: 1 for the operand that was taken, ½ for each where they are equal, but 1
    for the first of fmax and fmin."""
    a, b = node.operands[:2]
    larger = node.node.startswith(("Max", "Fmax"))
    tie = 1.0 if node.node.startswith("F") else 0.5
    sign = ">" if larger else "<"

    def derivative(x: float, y: float, equal: float) -> float:
        return equal if x == y else float((x > y) == larger)

    first = a.numbers.combine(b.numbers, lambda x, y: derivative(x, y, tie))
    second = a.numbers.combine(b.numbers, lambda x, y: derivative(y, x, 1 - tie))
    same = "" if all(x in (0.0, 1.0) for x in first.flat) else _(", ½ where they are the same")
    shares = [
        Local(a, _("1 where {a} {sign} {b}{same}, else 0", a=a.name, sign=sign, b=b.name, same=same), first),
        Local(b, _("1 where {b} {sign} {a}{same}, else 0", b=b.name, sign=sign, a=a.name, same=same), second),
    ]
    equation = _("the larger of {a} and {b}") if larger else _("the smaller of {a} and {b}")
    return Explanation(equation.format(a=a.name, b=b.name), shares)


@explains("WhereBackward0", general=N_("∂y/∂a = 1 where the condition holds, else 0; the other way round for b"))
def where(node: NodeView) -> Explanation:
    """Explain where: the operand that was taken gets the gradient."""
    condition, a, b = node.operands[:3]
    mask = condition.numbers
    shares = [
        Local(a, _("1 where {condition}, else 0", condition=condition.name), mask),
        Local(b, _("0 where {condition}, else 1", condition=condition.name), mask.map(lambda x: 1 - x)),
    ]
    return Explanation(_("{a} where {condition}, else {b}", a=a.name, condition=condition.name, b=b.name), shares)


@explains("MaskedFillBackward0", general=N_("∂y/∂a = 0 where the mask is True, else 1"))
def masked_fill(node: NodeView) -> Explanation:
    """Explain masked_fill with a number: 0 where the mask is True."""
    a, mask = node.operands[:2]
    derivative = Grid.full(a.shape, 1.0).combine(mask.numbers, lambda x, m: x - m)
    return Explanation(
        _("{a} filled where {mask}", a=a.name, mask=mask.name),
        [Local(a, _("0 where {mask}, else 1", mask=mask.name), derivative)],
    )


@explains(
    "MaskedFillBackward1",
    general=N_("∂y/∂a = 0 where the mask is True, else 1; what it was filled with gets the rest"),
)
def masked_fill_with(node: NodeView) -> Explanation:
    """Explain masked_fill with a tensor: the value gets the gradient where the mask is True."""
    a, mask, value = node.operands[:3]
    filled = Grid.full(node.incoming.shape, 1.0) * mask.numbers
    shares = [
        Local(a, _("0 where {mask}, else 1", mask=mask.name), filled.map(lambda x: 1 - x)),
        Local(value, _("1 where {mask}, else 0", mask=mask.name), filled),
    ]
    return Explanation(_("{a}, but {value} where {mask}", a=a.name, value=value.name, mask=mask.name), shares)
