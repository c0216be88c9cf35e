"""Derivatives of what picks one of several numbers for each element: bounds, the larger of two, conditions, masks.

Source: https://pytorch.org/docs/stable/torch.html (*Pointwise Ops*, *Comparison Ops*), and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

from tutor.explain.grid import Grid
from tutor.explain.rules import Explanation, Local, NodeView, explains
from tutor.i18n import N_, _


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
