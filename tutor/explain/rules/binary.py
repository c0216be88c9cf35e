"""Derivatives of arithmetic: sums, differences, products, quotients, powers.

Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*), and `tools/autograd/derivatives.yaml` in PyTorch.

Derivatives of functions of two tensors, element by element, that are no plain arithmetic.

Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*), and `tools/autograd/derivatives.yaml` in PyTorch.

Derivatives of what picks one of several numbers for each element: bounds, the larger of two, conditions, masks.

Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*, *Comparison Ops*), and
`tools/autograd/derivatives.yaml` in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from tutor.explain.rules.arrays import Grid
from tutor.explain.rules.registry import Explanation, Local, NodeView, Operand, Product, explains
from tutor.explain.rules.unary import divide
from tutor.i18n import N_, _

_SUPERSCRIPTS = str.maketrans("0123456789-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")


def _raised(x: float, n: float) -> float:
    """As torch raises to a power: 0 to a negative one too, and what has no real result."""
    try:
        return math.pow(x, n)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if x == 0 else math.nan


def _alphas(node: NodeView, sign: float, a: Operand, b: Operand) -> list[float]:
    """By what the second operand was multiplied: 1, or what the numbers say."""
    if node.inner or a.grid is None or b.grid is None or node.result.grid is None:
        return [1.0]
    if node.gives(a.grid.combine(b.grid, lambda x, y: x + sign * y)):
        return [1.0]
    shape = node.result.shape
    rows = zip(a.grid.expand(shape).flat, b.grid.expand(shape).flat, node.result.grid.flat, strict=True)
    x, y, out = max(rows, key=lambda row: abs(row[1]))
    alpha = float(f"{sign * (out - x) / y:.5g}")
    return [alpha] if node.gives(a.grid.combine(b.grid, lambda p, q: p + sign * alpha * q)) else []


def _linear(node: NodeView, sign: str, a: Operand, b: Operand) -> Iterator[Explanation]:
    """Of a ± αb."""
    slope = 1.0 if sign == "+" else -1.0
    for alpha in _alphas(node, slope, a, b):
        by_b = f"{slope * alpha:g}"
        shares = [Local(a, "1", Grid.full(a.shape, 1.0)), Local(b, by_b, Grid.full(b.shape, slope * alpha))]
        yield Explanation(f"{a.name} {sign} {'' if alpha == 1 else f'{alpha:g}·'}{b.name}", shares)


@explains("AddBackward0", general="∂(a + α·b)/∂a = 1, ∂(a + α·b)/∂b = α")
def add(node: NodeView) -> Iterator[Explanation]:
    """∂(a+αb)/∂a = 1, ∂(a+αb)/∂b = α."""
    a, b = node.operands[:2]
    for one in _linear(node, "+", a, b):
        if node.op == "radd":
            one = Explanation(f"{b.name} + {a.name}", one.shares)
        yield one


@explains("SubBackward0", general="∂(a - α·b)/∂a = 1, ∂(a - α·b)/∂b = -α")
def sub(node: NodeView) -> Iterator[Explanation]:
    """∂(a-αb)/∂a = 1, ∂(a-αb)/∂b = -α."""
    a, b = node.whole[:2] if node.op == "l1_loss" else node.operands[:2]
    yield from _linear(node, "-", a, b)


@explains("RsubBackward1", "RsubBackward0", general="∂(b - α·a)/∂a = -α")
def rsub(node: NodeView) -> Explanation:
    """∂(b-a)/∂a = -1, where the tensor stands to the right."""
    a, b = node.operands[:2]
    slope = Grid.full(a.shape, -1.0)
    return Explanation(f"{b.name} - {a.name}", [Local(a, "-1", slope), Local(b, "1", Grid.full(b.shape, 1.0))])


def _factors(node: NodeView) -> tuple[Operand, Operand]:
    """The two that were multiplied; of `2 / a` and `outer` what they stand for."""
    whole = node.whole
    if node.inner and node.op in ("rdiv", "rtruediv", "div") and len(whole) == 2:
        a, number = whole if whole[0].tensor is not None else (whole[1], whole[0])
        return Operand(f"(1/{a.name})", a.shape, a.numbers.map(lambda x: divide(1.0, x))), number
    if node.inner and node.op in ("outer", "ger") and len(whole) == 2:
        a = whole[0]
        return Operand(f"{a.name}[:, None]", (*a.shape, 1), a.numbers.reshape((*a.shape, 1))), whole[1]
    if node.op in ("dropout", "alpha_dropout", "feature_dropout") and not node.inner:
        a = node.operands[0]
        kept = a.numbers.combine(node.result.numbers, lambda x, y: y / x if x else 0.0)
        return a, Operand(_("the mask of dropout"), kept.shape, kept)
    first, second = node.operands[:2]
    return _seen(node, first, second, lambda x, y: y / x), _seen(node, second, first, lambda x, y: y / x)


def _seen(node: NodeView, unknown: Operand, a: Operand, from_result: Callable[[float, float], float]) -> Operand:
    """An argument; a number that the recording does not tell as the result shows it, by the largest element of a."""
    y = node.result.grid
    if unknown.tensor is not None or unknown.grid is not None or a.grid is None or y is None or not y.flat:
        return unknown
    x, out = max(zip(a.grid.expand(y.shape).flat, y.flat, strict=True), key=lambda pair: abs(pair[0]))
    found = from_result(x, out)
    name = f"{found:.6g}" if unknown.name == "?" else unknown.name
    return Operand(name, (), Grid((), (float(f"{found:.6g}") if unknown.name == "?" else found,)))


@explains("MulBackward0", general="∂(a·b)/∂a = b, ∂(a·b)/∂b = a")
def mul(node: NodeView) -> Explanation:
    """∂(a·b)/∂a = b, ∂(a·b)/∂b = a."""
    a, b = _factors(node)
    first, second = (b, a) if node.op == "rmul" else (a, b)
    shares = [
        Local(a, b.name, b.grid) if b.grid is not None else None,
        Local(b, a.name, a.grid) if a.grid is not None else None,
    ]
    return Explanation(f"{first.name}·{second.name}", shares)


@explains("DivBackward0", general="∂(a/b)/∂a = 1/b, ∂(a/b)/∂b = -a/b²")
def div(node: NodeView) -> Explanation:
    """∂(a/b)/∂a = 1/b, ∂(a/b)/∂b = -a/b²."""
    a, b = node.operands[0], _seen(node, node.operands[1], node.operands[0], lambda x, y: x / y)
    below = b.numbers
    shares = [Local(a, f"1/{b.name}", below.map(lambda y: divide(1.0, y)))]
    if a.grid is not None:
        by_b = a.grid.combine(below.map(lambda y: y * y), divide).map(lambda x: -x)
        shares.append(Local(b, f"-{a.name}/{b.name}²", by_b))
    return Explanation(f"{a.name}/{b.name}", shares)


@explains("NegBackward0", general="∂(-a)/∂a = -1")
def neg(node: NodeView) -> Explanation:
    """∂(-a)/∂a = -1."""
    (a,) = node.operands[:1]
    return Explanation(f"-{a.name}", [Local(a, "-1", Grid.full(a.shape, -1.0))])


@explains("PowBackward0", general="∂(aⁿ)/∂a = n·aⁿ⁻¹")
def power(node: NodeView) -> Explanation:
    """∂(aⁿ)/∂a = n·aⁿ⁻¹, for a number n."""
    a = node.operands[0]
    n = 2.0 if node.op in ("square", "square_") else _exponent(node, a)
    formula = f"{n:g}·{a.name}" if n == 2 else f"{n:g}·{a.name}{f'{n - 1:g}'.translate(_SUPERSCRIPTS)}"
    slope = a.numbers.map(lambda x: 0.0 if n == 0 else n * _raised(x, n - 1))
    return Explanation(f"{a.name}{f'{n:g}'.translate(_SUPERSCRIPTS)}", [Local(a, formula, slope)])


def _exponent(node: NodeView, a: Operand) -> float:
    """The number that the code says; where it does not show it, the usual one that gives the result."""
    for one in node.operands[1:]:
        if one.grid is not None:
            return one.numbers.flat[0]
    for n in (2.0, 3.0, 0.5, 4.0, -1.0, 1.5, -2.0):
        if not node.inner and node.gives(a.numbers.map(lambda x, n=n: _raised(x, n))):  # type: ignore[misc]
            return n
    raise LookupError(a.name)


@explains("PowBackward1", general="∂(aᵇ)/∂a = b·aᵇ⁻¹, ∂(aᵇ)/∂b = aᵇ·ln(a)")
def power_of_tensors(node: NodeView) -> Explanation:
    """∂(aᵇ)/∂a = b·aᵇ⁻¹, ∂(aᵇ)/∂b = aᵇ·ln a."""
    a, b, y = *node.operands[:2], node.result
    by_a = a.numbers.combine(b.numbers, lambda x, n: 0.0 if n == 0 else n * _raised(x, n - 1))
    by_b = a.numbers.combine(b.numbers, lambda x, n: 0.0 if x == 0 and n >= 0 else _raised(x, n) * _ln(x))
    shares = [
        Local(a, f"{b.name}·{a.name}^({b.name} - 1)", by_a),
        Local(b, f"{y.name}·ln({a.name})", by_b),
    ]
    return Explanation(f"{a.name}^{b.name}", shares)


@explains("PowBackward2", general="∂(nᵃ)/∂a = nᵃ·ln(n)")
def power_of_a_number(node: NodeView) -> Explanation:
    """∂(nᵃ)/∂a = nᵃ·ln n, for a number n; autograd counts inputs as if n were one."""
    a = next(operand for operand in node.operands if operand.tensor is not None)
    base = next(operand for operand in node.operands if operand.tensor is None)
    n, y = base.numbers.flat[0], node.result
    share = Local(a, f"{y.name}·ln({base.name})", y.numbers.map(lambda x: x * _ln(n)))
    return Explanation(f"{base.name}^{a.name}", [share])


def _ln(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


@explains("ReciprocalBackward0", general="∂(1/a)/∂a = -1/a²")
def reciprocal(node: NodeView) -> Explanation:
    """∂(1/a)/∂a = -1/a²."""
    a = node.operands[0]
    return Explanation(f"1/{a.name}", [Local(a, f"-1/{a.name}²", a.numbers.map(lambda x: -divide(1.0, x * x)))])


@explains("LerpBackward0", general=N_("∂(a + n·(b - a))/∂a = 1 - n, by b: n"))
def lerp(node: NodeView) -> Explanation:
    """∂(a+n(b-a))/∂a = 1-n, ∂/∂b = n, for a number n."""
    a, b, weight = node.operands[:3]
    n = weight.numbers.flat[0]
    shares = [Local(a, f"1 - {weight.name}", Grid.full(a.shape, 1 - n)), Local(b, weight.name, Grid.full(b.shape, n))]
    return Explanation(f"{a.name} + {weight.name}·({b.name} - {a.name})", shares)


@explains("AddcmulBackward0", general=N_("∂(a + n·b·c)/∂a = 1, by b: n·c, by c: n·b"))
def addcmul(node: NodeView) -> Iterator[Explanation]:
    """a + n·b·c, with n as the numbers show it."""
    a, b, c = node.operands[:3]
    product = Operand(f"({b.name}·{c.name})", node.incoming.shape, b.numbers * c.numbers)
    for one in _linear(node, "+", a, product):
        n = _single(one.shares[1])
        by = "" if n == 1 else f"{n:g}·"
        shares = [
            one.shares[0],
            Local(b, f"{by}{c.name}", c.numbers.map(lambda x, n=n: n * x)),  # type: ignore[misc]
            Local(c, f"{by}{b.name}", b.numbers.map(lambda x, n=n: n * x)),  # type: ignore[misc]
        ]
        yield Explanation(one.equation, shares)


@explains("AddcdivBackward0", general=N_("∂(a + n·b/c)/∂a = 1, by b: n/c, by c: -n·b/c²"))
def addcdiv(node: NodeView) -> Iterator[Explanation]:
    """a + n·b/c, with n as the numbers show it."""
    a, b, c = node.operands[:3]
    quotient = Operand(f"({b.name}/{c.name})", node.incoming.shape, b.numbers.combine(c.numbers, divide))
    for one in _linear(node, "+", a, quotient):
        n = _single(one.shares[1])
        by_c = b.numbers.combine(c.numbers, lambda x, y, n=n: -n * x / (y * y))  # type: ignore[misc]
        shares = [
            one.shares[0],
            Local(b, f"{n:g}/{c.name}", c.numbers.map(lambda x, n=n: n / x)),  # type: ignore[misc]
            Local(c, f"-{n:g}·{b.name}/{c.name}²", by_c),
        ]
        yield Explanation(one.equation, shares)


def _single(share: Local | Product | None) -> float:
    assert isinstance(share, Local)
    return share.grid.flat[0]


# ---------------------------------------------------------------- with a number that the recording does not tell


def _number(node: NodeView, a: Operand) -> float | None:
    """What each element was multiplied by: the same number everywhere, as the result shows."""
    if node.result.grid is None:
        return None
    x, y = max(zip(a.numbers.flat, node.result.grid.flat, strict=True), key=lambda pair: abs(pair[0]))
    if not x:
        return None
    short = float(f"{y / x:.6g}")
    return short if node.gives(a.numbers.map(lambda x: short * x)) else y / x


@explains("MulBackward1", "DivBackward1", general=N_("∂(n·a)/∂a = n, for a number n"))
def times_a_number(node: NodeView) -> Explanation | None:
    """n·a or a/n, inside a composite, where the number is seen from the result."""
    a = node.operands[0]
    attention = node.inner and node.op == "scaled_dot_product_attention"
    n = node.whole[0].shape[-1] ** -0.25 if attention else _number(node, a)
    if n is None:
        return None
    if node.node == "DivBackward1":
        below = float(f"{1 / n:.6g}")
        return Explanation(f"{a.name}/{below:g}", [Local(a, f"1/{below:g}", Grid.full(a.shape, 1 / below))])
    return Explanation(f"{n:g}·{a.name}", [Local(a, f"{n:g}", Grid.full(a.shape, n))])


@explains("AddBackward1", "SubBackward1", general=N_("∂(a + n)/∂a = 1, for a number n"))
def plus_a_number(node: NodeView) -> Explanation:
    """a + n, inside a composite."""
    a = node.operands[0]
    return Explanation(_("{a} and a number", a=a.name), [Local(a, "1", Grid.full(a.shape, 1.0))])


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


def _three(a: Operand, b: Operand, y: Operand) -> tuple[Grid, Grid]:
    """What two differ from their common result by."""
    return tuple(y.numbers.combine(one.numbers, lambda out, x: x - out) for one in (a, b))  # type: ignore[return-value]


@explains("HypotBackward0", general="y = √(a² + b²): ∂y/∂a = a/y, ∂y/∂b = b/y")
def hypot(node: NodeView) -> Explanation:
    """a/y and b/y."""
    a, b, y = *node.operands[:2], node.result
    shares = [
        Local(one, f"{one.name}/{y.name}", one.numbers.combine(y.numbers, lambda x, out: x / out)) for one in (a, b)
    ]
    return Explanation(f"√({a.name}² + {b.name}²)", shares)


@explains("LogaddexpBackward0", general="y = log(exp(a) + exp(b)): ∂y/∂a = exp(a - y), ∂y/∂b = exp(b - y)")
def logaddexp(node: NodeView) -> Explanation:
    """exp(a - y) and exp(b - y)."""
    a, b, y = *node.operands[:2], node.result
    slopes = [less.map(math.exp) for less in _three(a, b, y)]
    shares = [Local(one, f"exp({one.name} - {y.name})", slope) for one, slope in zip((a, b), slopes, strict=True)]
    return Explanation(f"log(exp({a.name}) + exp({b.name}))", shares)


@explains("XlogyBackward0", general="y = a·log(b): ∂y/∂a = log(b), ∂y/∂b = a/b")
def xlogy(node: NodeView) -> Explanation:
    """log b and a/b."""
    a, b = node.operands[:2]
    shares = [
        Local(a, f"log({b.name})", b.numbers.map(math.log)),
        Local(b, f"{a.name}/{b.name}", a.numbers.combine(b.numbers, lambda x, y: x / y)),
    ]
    return Explanation(f"{a.name}·log({b.name})", shares)


@explains("RemainderBackward0", "FmodBackward0", general=N_("the rest of a division: ∂y/∂a = 1"))
def rest(node: NodeView) -> Explanation:
    """What is left of a after it was divided by a number."""
    a, b = node.operands[:2]
    return Explanation(_("the rest of {a}/{b}", a=a.name, b=b.name), [Local(a, "1", Grid.full(a.shape, 1.0))])


@explains("RemainderBackward1", "FmodBackward1", general=N_("the rest of a division: ∂y/∂a = 1, ∂y/∂b = -a/b rounded"))
def rest_of_tensors(node: NodeView) -> Explanation:
    """`remainder` rounds a/b down, `fmod` to zero."""
    a, b = node.operands[:2]
    down = node.node.startswith("Rem")
    times = a.numbers.combine(b.numbers, lambda x, y: -float(math.floor(x / y) if down else math.trunc(x / y)))
    quotient = f"{a.name}/{b.name}"
    said = (
        _("{quotient} rounded down", quotient=quotient) if down else _("{quotient} rounded to zero", quotient=quotient)
    )
    shares = [Local(a, "1", Grid.full(a.shape, 1.0)), Local(b, f"-({said})", times)]
    return Explanation(_("the rest of {a}/{b}", a=a.name, b=b.name), shares)


@explains("DivBackward2", general=N_("a rounded quotient does not move with a: ∂y/∂a = 0"))
def rounded(node: NodeView) -> Explanation:
    """A rounded quotient is flat almost everywhere."""
    a, b = node.operands[:2]
    shares = [Local(one, "0", Grid.full(one.shape, 0.0)) for one in (a, b)]
    return Explanation(_("{a}/{b} rounded", a=a.name, b=b.name), shares)


@explains("LerpBackward1", general=N_("∂(a + w·(b - a))/∂a = 1 - w, by b: w, by w: b - a"))
def lerp_by_tensor(node: NodeView) -> Explanation:
    """1 - w, w, and b - a."""
    a, b, w = node.operands[:3]
    shares = [
        Local(a, f"1 - {w.name}", w.numbers.map(lambda x: 1 - x)),
        Local(b, w.name, w.numbers),
        Local(w, f"{b.name} - {a.name}", b.numbers.combine(a.numbers, lambda x, y: x - y)),
    ]
    return Explanation(f"{a.name} + {w.name}·({b.name} - {a.name})", shares)


@explains("CopysignBackward0", general=N_("∂y/∂a = 1 where the sign of a was kept, else -1"))
def copysign(node: NodeView) -> Explanation:
    """1 where a has the sign already, else -1."""
    a, b = node.operands[:2]

    def slope(x: float, out: float) -> float:
        return 0.0 if x == 0 else math.copysign(1.0, x) * math.copysign(1.0, out)

    shares = [
        Local(a, _("1 where {a} kept its sign, else -1", a=a.name), a.numbers.combine(node.result.numbers, slope)),
        Local(b, "0", Grid.full(b.shape, 0.0)),
    ]
    return Explanation(_("|{a}| with the sign of {b}", a=a.name, b=b.name), shares)


@explains("ClampBackward1", "ClampMinBackward0", "ClampMaxBackward0", "HardtanhBackward0",
          general=N_("∂y/∂a = 1 where a lies between the bounds, else 0"))  # fmt: skip
def clamp(node: NodeView) -> Explanation:
    """1 where a was left as it was, else 0."""
    a = node.operands[0]
    slope = a.numbers.combine(node.result.numbers, lambda x, y: float(x == y))
    return Explanation(_("{a} within bounds", a=a.name), [Local(a, _("1 where {a} was kept, else 0", a=a.name), slope)])


@explains("ClampBackward0", general=N_("∂y/∂a = 1 where a lies between the bounds, else 0; the bound gets the rest"))
def clamp_by_tensors(node: NodeView) -> Explanation:
    """What a was replaced by gets the gradient; autograd counts a, the lower bound and the upper one."""
    a, *bounds = node.operands
    low, high = (bounds[0], bounds[-1])
    y = node.result.numbers
    kept = a.numbers.combine(y, lambda x, out: float(x == out))
    raised = a.numbers.combine(y, lambda x, out: float(out > x))
    cut = a.numbers.combine(y, lambda x, out: float(out < x))
    shares = [
        Local(a, _("1 where {a} was kept, else 0", a=a.name), kept),
        Local(low, _("1 where {a} was below {low}, else 0", a=a.name, low=low.name), raised),
        Local(high, _("1 where {a} was above {high}, else 0", a=a.name, high=high.name), cut),
    ]
    return Explanation(_("{a} within bounds", a=a.name), shares)


@explains(
    "MaximumBackward0",
    "MinimumBackward0",
    "FmaxBackward0",
    "FminBackward0",
    general=N_("the one that was taken gets the gradient; where both are the same, each gets half"),
)
def one_of_two(node: NodeView) -> Explanation:
    """1 for the larger (or smaller); ½ for each where they are the same, but all for the first of `fmax`."""
    a, b = node.operands[:2]
    larger = node.node.startswith(("Max", "Fmax"))
    tie = 1.0 if node.node.startswith("F") else 0.5
    sign = ">" if larger else "<"

    def share(x: float, y: float, equal: float) -> float:
        return equal if x == y else float((x > y) == larger)

    first = a.numbers.combine(b.numbers, lambda x, y: share(x, y, tie))
    second = a.numbers.combine(b.numbers, lambda x, y: share(y, x, 1 - tie))
    same = "" if all(x in (0.0, 1.0) for x in first.flat) else _(", ½ where they are the same")
    shares = [
        Local(a, _("1 where {a} {sign} {b}{same}, else 0", a=a.name, sign=sign, b=b.name, same=same), first),
        Local(b, _("1 where {b} {sign} {a}{same}, else 0", b=b.name, sign=sign, a=a.name, same=same), second),
    ]
    taken = _("the larger of {a} and {b}") if larger else _("the smaller of {a} and {b}")
    return Explanation(taken.format(a=a.name, b=b.name), shares)


@explains("WhereBackward0", general=N_("∂y/∂a = 1 where the condition holds, else 0; the other way round for b"))
def where(node: NodeView) -> Explanation:
    """What was taken gets the gradient."""
    condition, a, b = node.operands[:3]
    taken = condition.numbers
    shares = [
        Local(a, _("1 where {condition}, else 0", condition=condition.name), taken),
        Local(b, _("0 where {condition}, else 1", condition=condition.name), taken.map(lambda x: 1 - x)),
    ]
    return Explanation(_("{a} where {condition}, else {b}", a=a.name, condition=condition.name, b=b.name), shares)


@explains("MaskedFillBackward0", general=N_("∂y/∂a = 0 where the mask is True, else 1"))
def masked_fill(node: NodeView) -> Explanation:
    """What was filled gets nothing."""
    a, mask = node.operands[:2]
    slope = Grid.full(a.shape, 1.0).combine(mask.numbers, lambda x, m: x - m)
    return Explanation(
        _("{a} filled where {mask}", a=a.name, mask=mask.name),
        [Local(a, _("0 where {mask}, else 1", mask=mask.name), slope)],
    )


@explains(
    "MaskedFillBackward1",
    general=N_("∂y/∂a = 0 where the mask is True, else 1; what it was filled with gets the rest"),
)
def masked_fill_with(node: NodeView) -> Explanation:
    """What was filled gets nothing, what it was filled with gets it."""
    a, mask, value = node.operands[:3]
    filled = Grid.full(node.incoming.shape, 1.0) * mask.numbers
    shares = [
        Local(a, _("0 where {mask}, else 1", mask=mask.name), filled.map(lambda x: 1 - x)),
        Local(value, _("1 where {mask}, else 0", mask=mask.name), filled),
    ]
    return Explanation(_("{a}, but {value} where {mask}", a=a.name, value=value.name, mask=mask.name), shares)
