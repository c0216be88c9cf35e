"""Derivatives of functions of two tensors, element by element, that are no plain arithmetic.

Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*), and `tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math

from tutor.explain.grid import Grid
from tutor.explain.rules import Explanation, Local, NodeView, Operand, explains
from tutor.i18n import N_, _


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
