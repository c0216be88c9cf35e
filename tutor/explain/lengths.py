"""Derivatives of norms and distances.

Source: https://pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html, and `tools/autograd/derivatives.yaml`
in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from tutor.explain.grid import Grid
from tutor.explain.reductions import reduced
from tutor.explain.rules import Explanation, Local, NodeView, Operand, explains
from tutor.i18n import N_, _

_ORDERS = (3.0, 4.0, 0.5, 1.5, 2.5, 5.0, 6.0)
"""Beside 1, 2 and the largest."""


def _slope(x: float, norm: float, p: float) -> float:
    """∂‖a‖ₚ/∂a."""
    if p == 1:
        return float((x > 0) - (x < 0))
    return math.copysign(abs(x / norm) ** (p - 1), x) if norm and x else 0.0


def _norm(p: float) -> Callable[[list[float]], float]:
    return lambda group: float(sum(abs(x) ** p for x in group)) ** (1 / p)


_SAID = {1.0: N_("the sign of {a}"), 2.0: "{a}/{y}"}
_SIGNS = {1.0: "₁", 2.0: "", 3.0: "₃", 4.0: "₄", 5.0: "₅", 6.0: "₆"}


def _said(a: Operand, y: str, p: float) -> tuple[str, str]:
    by = _(_SAID.get(p, N_("the sign of {a}·(|{a}|/{y})^{power}")), a=a.name, y=y, power=f"{p - 1:g}")
    return f"‖{a.name}‖{_SIGNS.get(p, f'ₚ, p = {p:g}')}", by


@explains("LinalgVectorNormBackward0", "NormBackward1",
          general=N_("of the 2-norm: ∂‖a‖/∂aᵢ = aᵢ/‖a‖; of the 1-norm: the sign of aᵢ"))  # fmt: skip
def norm(node: NodeView) -> Iterator[Explanation]:
    """aᵢ/‖a‖ for the 2-norm, the sign for the 1-norm; which one, the numbers show."""
    a, y = node.operands[0], node.result.name or "‖·‖"
    for p in (2.0, 1.0, *_ORDERS):
        equation, formula = _said(a, y, p)
        yield from reduced(
            node, equation, formula, _norm(p), lambda group, norm, p=p: [_slope(x, norm, p) for x in group]  # type: ignore[misc]
        )  # fmt: skip

    def largest(group: list[float], norm: float) -> list[float]:
        places = [abs(x) == norm for x in group]
        return [math.copysign(1.0, x) * at / sum(places) for x, at in zip(group, places, strict=True)]

    formula = _("the sign of {a} where |{a}| is largest, else 0", a=a.name)
    yield from reduced(node, f"‖{a.name}‖∞", formula, lambda group: max(map(abs, group)), largest)


@explains("DistBackward0", general="y = ‖a - b‖: ∂y/∂a = (a - b)/y, ∂y/∂b = -(a - b)/y")
def distance(node: NodeView) -> Iterator[Explanation]:
    """The norm of the difference."""
    a, b, y = *node.operands[:2], node.result
    less = a.numbers.combine(b.numbers, lambda x, z: x - z)
    between = Operand(f"({a.name} - {b.name})", less.shape, less)
    for p in (2.0, 1.0, *_ORDERS):
        found = _norm(p)(list(less.flat))
        if node.gives(Grid((), (found,))):
            equation, formula = _said(between, y.name, p)
            slope = less.map(lambda x, p=p, found=found: _slope(x, found, p))  # type: ignore[misc]
            shares = [Local(a, formula, slope), Local(b, f"-{formula}", slope.map(lambda x: -x))]
            yield Explanation(equation, shares)
