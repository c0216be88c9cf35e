"""Derivative rules of functions of two or more tensors, element by element.

- add, sub, rsub, mul, div, neg, pow, square, reciprocal, remainder, fmod, lerp, addcmul, addcdiv, dropout
- atan2, hypot, logaddexp, xlogy, copysign
- maximum, minimum, fmax, fmin, where, masked_fill

For clamp see `unary`.
Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*, *Comparison Ops*), and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math

from tutor.explain.rules.arrays import Grid
from tutor.explain.rules.registry import Explanation, NodeView, Operand, Share, elementwise, explains, explains_function
from tutor.explain.rules.unary import divide
from tutor.i18n import N_, _
from tutor.trace.number_format import number

_SUPERSCRIPTS = str.maketrans("0123456789-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")


def _power(x: float, n: float) -> float:
    """Raise to a power as torch does: zero to a negative one gives inf, what has no real result nan."""
    try:
        return math.pow(x, n)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if x == 0 else math.nan


def _ln(x: float) -> float:
    """Return the logarithm as torch does: -inf at zero, nan below."""
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def _sign_kept(a: float, y: float) -> float:
    """Return 1 where two numbers have the same sign, -1 where they do not, and 0 at zero."""
    return math.copysign(1.0, a) * math.copysign(1.0, y) if a else 0.0


def _times(factor: float) -> str:
    """Format a factor before a name: `2·`, nothing for 1."""
    return "" if factor == 1 else f"{number(factor)}·"


def _constant(target: Operand, derivative: float) -> Share:
    """Return a share with the same derivative for all elements."""
    return elementwise(target, number(derivative), Grid.full(target.shape, derivative))


@explains("AddBackward0", general="∂(a + α·b)/∂a = 1, ∂(a + α·b)/∂b = α")
def add(node: NodeView) -> Explanation:
    """Explain add: ∂(a + αb)/∂a = 1, ∂(a + αb)/∂b = α."""
    (a, b), alpha = node.operands[:2], float(node.attributes["alpha"])
    equation = f"{b.name} + {a.name}" if node.op == "radd" else f"{a.name} + {_times(alpha)}{b.name}"
    return Explanation(equation, [_constant(a, 1.0), _constant(b, alpha)])


@explains("SubBackward0", general="∂(a - α·b)/∂a = 1, ∂(a - α·b)/∂b = -α")
def sub(node: NodeView) -> Explanation:
    """Explain sub: ∂(a - αb)/∂a = 1, ∂(a - αb)/∂b = -α."""
    a, b = node.whole[:2] if node.op == "l1_loss" else node.operands[:2]
    alpha = float(node.attributes["alpha"])
    return Explanation(f"{a.name} - {_times(alpha)}{b.name}", [_constant(a, 1.0), _constant(b, -alpha)])


@explains("RsubBackward1", "RsubBackward0", general="∂(b - α·a)/∂a = -α")
def rsub(node: NodeView) -> Explanation:
    """Explain `b - a` where the tensor is on the right: ∂(b - αa)/∂a = -α."""
    (a, b), alpha = node.operands[:2], float(node.attributes["alpha"])
    return Explanation(f"{b.name} - {_times(alpha)}{a.name}", [_constant(a, -alpha), _constant(b, 1.0)])


def _factors(node: NodeView) -> tuple[Operand, Operand]:
    """Return the two factors of a product; inside `2 / a` and `outer` what they stand for."""
    whole = node.whole
    if node.inner and node.op in ("rdiv", "rtruediv", "div") and len(whole) == 2:
        a, numerator = whole if whole[0].tensor is not None else (whole[1], whole[0])
        return Operand(f"(1/{a.name})", a.shape, a.numbers.map(lambda x: divide(1.0, x))), _with_number(node, numerator)
    if node.inner and node.op in ("outer", "ger") and len(whole) == 2:
        a = whole[0]
        return Operand(f"{a.name}[:, None]", (*a.shape, 1), a.numbers.reshape((*a.shape, 1))), whole[1]
    if node.op in ("dropout", "alpha_dropout", "feature_dropout") and not node.inner:
        a = node.operands[0]
        mask = a.numbers.combine(node.result.numbers, lambda x, y: y / x if x else 0.0)
        return a, Operand(_("the mask of dropout"), mask.shape, mask)
    first, second = node.operands[:2]
    return _with_number(node, first), _with_number(node, second)


def _with_number(node: NodeView, operand: Operand) -> Operand:
    """Return an operand; where it is a number that the code does not tell, the one that the operation was given."""
    numbers = [x for x in node.arguments.values() if isinstance(x, int | float)]
    if operand not in node.whole or operand.tensor is not None or operand.grid is not None or len(numbers) != 1:
        return operand
    return Operand(number(numbers[0]) if operand.name == "?" else operand.name, (), Grid((), (float(numbers[0]),)))


@explains("MulBackward0", general="∂(a·b)/∂a = b, ∂(a·b)/∂b = a")
def mul(node: NodeView) -> Explanation:
    """Explain mul: ∂(a·b)/∂a = b, ∂(a·b)/∂b = a."""
    a, b = _factors(node)
    first, second = (b, a) if node.op == "rmul" else (a, b)
    shares = [
        elementwise(a, b.name, b.grid) if b.grid is not None else None,
        elementwise(b, a.name, a.grid) if a.grid is not None else None,
    ]
    return Explanation(f"{first.name}·{second.name}", shares)


@explains("DivBackward0", general="∂(a/b)/∂a = 1/b, ∂(a/b)/∂b = -a/b²")
def div(node: NodeView) -> Explanation:
    """Explain div: ∂(a/b)/∂a = 1/b, ∂(a/b)/∂b = -a/b²."""
    a, b = node.operands[0], _with_number(node, node.operands[1])
    divisor = b.numbers
    shares = [elementwise(a, f"1/{b.name}", divisor.map(lambda y: divide(1.0, y)))]
    if a.grid is not None:
        derivative_b = a.grid.combine(divisor.map(lambda y: y * y), divide).map(lambda x: -x)
        shares.append(elementwise(b, f"-{a.name}/{b.name}²", derivative_b))
    return Explanation(f"{a.name}/{b.name}", shares)


@explains("PowBackward0", general="∂(aⁿ)/∂a = n·aⁿ⁻¹")
def power(node: NodeView) -> Explanation:
    """Explain pow and square with a number as exponent: ∂(aⁿ)/∂a = n·aⁿ⁻¹."""
    a = node.operands[0]
    n = 2.0 if node.op.startswith("square") else float(node.attributes["exponent"])
    formula = f"{number(n)}·{a.name}" if n == 2 else f"{number(n)}·{a.name}{number(n - 1).translate(_SUPERSCRIPTS)}"
    derivative = a.numbers.map(lambda x: 0.0 if n == 0 else n * _power(x, n - 1))
    return Explanation(f"{a.name}{number(n).translate(_SUPERSCRIPTS)}", [elementwise(a, formula, derivative)])


@explains("PowBackward2", general="∂(nᵃ)/∂a = nᵃ·ln(n)")
def power_of_a_number(node: NodeView) -> Explanation:
    """Explain pow of a number by a tensor: ∂(nᵃ)/∂a = nᵃ·ln n. Autograd counts the number as an input."""
    a = next(operand for operand in node.operands if operand.tensor is not None)
    base = next(operand for operand in node.operands if operand.tensor is None)
    n, y = float(node.attributes["self"]), node.result
    share = elementwise(a, f"{y.name}·ln({base.name})", y.numbers.map(lambda x: x * _ln(n)))
    return Explanation(f"{base.name}^{a.name}", [share])


@explains("AddcmulBackward0", general=N_("∂(a + n·b·c)/∂a = 1, by b: n·c, by c: n·b"))
def addcmul(node: NodeView) -> Explanation:
    """Explain a + n·b·c."""
    (a, b, c), n = node.operands[:3], float(node.attributes["value"])
    shares = [
        _constant(a, 1.0),
        elementwise(b, f"{_times(n)}{c.name}", c.numbers.map(lambda x: n * x)),
        elementwise(c, f"{_times(n)}{b.name}", b.numbers.map(lambda x: n * x)),
    ]
    return Explanation(f"{a.name} + {_times(n)}({b.name}·{c.name})", shares)


@explains("AddcdivBackward0", general=N_("∂(a + n·b/c)/∂a = 1, by b: n/c, by c: -n·b/c²"))
def addcdiv(node: NodeView) -> Explanation:
    """Explain a + n·b/c."""
    (a, b, c), n = node.operands[:3], float(node.attributes["value"])
    shares = [
        _constant(a, 1.0),
        elementwise(b, f"{number(n)}/{c.name}", c.numbers.map(lambda x: divide(n, x))),
        elementwise(
            c, f"-{number(n)}·{b.name}/{c.name}²", b.numbers.combine(c.numbers, lambda x, y: divide(-n * x, y * y))
        ),
    ]
    return Explanation(f"{a.name} + {_times(n)}({b.name}/{c.name})", shares)


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
    shares = [_constant(a, 1.0), elementwise(b, f"-({rounded})", derivative_b)]
    return Explanation(_("the rest of {a}/{b}", a=a.name, b=b.name), shares)


# ---------------------------------------------------------------- others

explains_function(
    "NegBackward0", general="∂(-a)/∂a = -1", equation="-{a}", derivatives=[("-1", lambda: -1.0)]
)  # fmt: skip
explains_function(
    "ReciprocalBackward0", general="∂(1/a)/∂a = -1/a²",
    equation="1/{a}", derivatives=[("-1/{a}²", lambda a: -divide(1.0, a * a))],
)  # fmt: skip
explains_function(
    "PowBackward1", general="∂(aᵇ)/∂a = b·aᵇ⁻¹, ∂(aᵇ)/∂b = aᵇ·ln(a)",
    equation="{a}^{b}",
    derivatives=[
        ("{b}·{a}^({b} - 1)", lambda a, b: 0.0 if b == 0 else b * _power(a, b - 1)),
        ("{y}·ln({a})", lambda a, b: 0.0 if a == 0 and b >= 0 else _power(a, b) * _ln(a)),
    ],
)  # fmt: skip
explains_function(
    "LerpBackward0", general=N_("∂(a + n·(b - a))/∂a = 1 - n, by b: n"),
    equation="{a} + {c}·({b} - {a})",
    derivatives=[("1 - {c}", lambda weight: 1 - weight), ("{c}", lambda weight: weight)],
)  # fmt: skip
explains_function(
    "LerpBackward1", general=N_("∂(a + w·(b - a))/∂a = 1 - w, by b: w, by w: b - a"),
    equation="{a} + {c}·({b} - {a})",
    derivatives=[("1 - {c}", lambda c: 1 - c), ("{c}", lambda c: c), ("{b} - {a}", lambda a, b: b - a)],
)  # fmt: skip
explains_function(
    "MulBackward1", general=N_("∂(n·a)/∂a = n, for a number n"),
    equation="{other}·{a}", derivatives=[("{other}", lambda other: other)],
)  # fmt: skip
explains_function(
    "DivBackward1", general=N_("∂(n·a)/∂a = n, for a number n"),
    equation="{a}/{other}", derivatives=[("1/{other}", lambda other: divide(1.0, other))],
)  # fmt: skip
explains_function(
    "AddBackward1", "SubBackward1", general=N_("∂(a + n)/∂a = 1, for a number n"),
    equation=N_("{a} and a number"), derivatives=[("1", lambda: 1.0)],
)  # fmt: skip
explains_function(
    "Atan2Backward0", general="∂atan2(a, b)/∂a = b/(a² + b²), ∂atan2(a, b)/∂b = -a/(a² + b²)",
    equation="atan2({a}, {b})",
    derivatives=[
        ("{b}/({a}² + {b}²)", lambda a, b: divide(b, a * a + b * b)),
        ("-{a}/({a}² + {b}²)", lambda a, b: -divide(a, a * a + b * b)),
    ],
)  # fmt: skip
explains_function(
    "HypotBackward0", general="y = √(a² + b²): ∂y/∂a = a/y, ∂y/∂b = b/y",
    equation="√({a}² + {b}²)",
    derivatives=[("{a}/{y}", lambda a, y: divide(a, y)), ("{b}/{y}", lambda b, y: divide(b, y))],
)  # fmt: skip
explains_function(
    "LogaddexpBackward0", general="y = log(exp(a) + exp(b)): ∂y/∂a = exp(a - y), ∂y/∂b = exp(b - y)",
    equation="log(exp({a}) + exp({b}))",
    derivatives=[("exp({a} - {y})", lambda a, y: math.exp(a - y)), ("exp({b} - {y})", lambda b, y: math.exp(b - y))],
)  # fmt: skip
explains_function(
    "XlogyBackward0", general="y = a·log(b): ∂y/∂a = log(b), ∂y/∂b = a/b",
    equation="{a}·log({b})", derivatives=[("log({b})", lambda b: _ln(b)), ("{a}/{b}", lambda a, b: divide(a, b))],
)  # fmt: skip
explains_function(
    "RemainderBackward0", "FmodBackward0", general=N_("the rest of a division: ∂y/∂a = 1"),
    equation=N_("the rest of {a}/{b}"), derivatives=[("1", lambda: 1.0)],
)  # fmt: skip
explains_function(
    "DivBackward2", general=N_("a rounded quotient does not move with a: ∂y/∂a = 0"),
    equation=N_("{a}/{b} rounded"), derivatives=[("0", lambda: 0.0), ("0", lambda: 0.0)],
)  # fmt: skip
explains_function(
    "CopysignBackward0", general=N_("∂y/∂a = 1 where the sign of a was kept, else -1"),
    equation=N_("|{a}| with the sign of {b}"),
    derivatives=[
        (N_("1 where {a} kept its sign, else -1"), _sign_kept),
        ("0", lambda: 0.0),
    ],
)  # fmt: skip


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
        elementwise(a, _("1 where {a} {sign} {b}{same}, else 0", a=a.name, sign=sign, b=b.name, same=same), first),
        elementwise(b, _("1 where {b} {sign} {a}{same}, else 0", b=b.name, sign=sign, a=a.name, same=same), second),
    ]
    equation = _("the larger of {a} and {b}") if larger else _("the smaller of {a} and {b}")
    return Explanation(equation.format(a=a.name, b=b.name), shares)


@explains("WhereBackward0", general=N_("∂y/∂a = 1 where the condition holds, else 0; the other way round for b"))
def where(node: NodeView) -> Explanation:
    """Explain where: the operand that was taken gets the gradient."""
    condition, a, b = node.operands[:3]
    mask = condition.numbers
    shares = [
        elementwise(a, _("1 where {condition}, else 0", condition=condition.name), mask),
        elementwise(b, _("0 where {condition}, else 1", condition=condition.name), mask.map(lambda x: 1 - x)),
    ]
    return Explanation(_("{a} where {condition}, else {b}", a=a.name, condition=condition.name, b=b.name), shares)


@explains("MaskedFillBackward0", general=N_("∂y/∂a = 0 where the mask is True, else 1"))
def masked_fill(node: NodeView) -> Explanation:
    """Explain masked_fill with a number: 0 where the mask is True."""
    a, mask = node.operands[:2]
    derivative = Grid.full(a.shape, 1.0).combine(mask.numbers, lambda x, m: x - m)
    return Explanation(
        _("{a} filled where {mask}", a=a.name, mask=mask.name),
        [elementwise(a, _("0 where {mask}, else 1", mask=mask.name), derivative)],
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
        elementwise(a, _("0 where {mask}, else 1", mask=mask.name), filled.map(lambda x: 1 - x)),
        elementwise(value, _("1 where {mask}, else 0", mask=mask.name), filled),
    ]
    return Explanation(_("{a}, but {value} where {mask}", a=a.name, value=value.name, mask=mask.name), shares)
