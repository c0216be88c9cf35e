"""Derivative rules of loss functions: mse_loss, smooth_l1_loss, huber_loss, binary_cross_entropy,
binary_cross_entropy_with_logits, soft_margin_loss, nll_loss, cross_entropy. (l1_loss is sub, abs and mean: `binary`,
`unary`, `reductions`.)

Source: https://pytorch.org/docs/stable/nn.functional.html (*Loss functions*), and `tools/autograd/derivatives.yaml`,
`aten/src/ATen/native/Loss.cpp` and `LossNLL.cpp` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tutor.explain.rules.arrays import Grid, combine, count, slices
from tutor.explain.rules.registry import Explanation, NodeView, Operand, elementwise, explains, sparse
from tutor.explain.rules.unary import sigmoid
from tutor.i18n import N_, _
from tutor.trace.number_format import number

LossFunction = Callable[[float, float], float]
_NONE, _MEAN, _SUM = range(3)
"""What a loss does with the losses of the elements, as its `reduction` is recorded."""
_EQUATIONS = {_NONE: "{loss}", _MEAN: N_("mean of {loss}"), _SUM: N_("sum of {loss}")}


def _explain_loss(
    node: NodeView,
    equation: str,
    formulas: tuple[str, str],
    derivatives: tuple[LossFunction, LossFunction],
    weight: Operand | None = None,
) -> Explanation:
    """Explain an element-wise loss of a prediction and a target.

    Args:
        node: The node of the loss.
        equation: The loss of one element, with blanks {p} and {t}.
        formulas: Its derivatives by the prediction and by the target, as texts with the same blanks.
        derivatives: Its derivatives by the prediction and by the target.
        weight: What the loss of each element is multiplied by.
    """
    p, t = node.whole[:2]
    names = {"p": p.name, "t": t.name}
    factor = "" if weight is None else f"{weight.name}·"
    weights = Grid((), (1.0,)) if weight is None else weight.numbers
    grids = [p.numbers.combine(t.numbers, derivative) * weights for derivative in derivatives]
    reduction = node.attributes["reduction"] if grids[0].shape else _NONE  # of one element it is no mean
    n = count(grids[0].shape) if reduction == _MEAN else 1
    divisor = "" if n == 1 else f"/{n}"
    shares = [
        elementwise(target, f"{factor}{_(formula, **names)}{divisor}", grid * Grid((), (1 / n,)))
        for target, formula, grid in zip(node.operands, formulas, grids, strict=False)
    ]
    return Explanation(_(_EQUATIONS[reduction], loss=factor + _(equation, **names)), shares)


@explains("MseLossBackward0", general=N_("∂mean((p - t)²)/∂p = 2·(p - t)/n, of the sum 2·(p - t)"))
def mse_loss(node: NodeView) -> Explanation:
    """Explain mse_loss: ∂mean((p - t)²)/∂p = 2(p - t)/n, ∂/∂t = -2(p - t)/n."""
    derivatives: tuple[LossFunction, LossFunction] = (lambda x, y: 2 * (x - y), lambda x, y: -2 * (x - y))
    return _explain_loss(node, "({p} - {t})²", ("2·({p} - {t})", "-2·({p} - {t})"), derivatives)


@explains("SmoothL1LossBackward0", "HuberLossBackward0",
          general=N_("of d = p - t: ∂/∂p = d where it is small, else its sign (of the mean: by n)"))  # fmt: skip
def smooth_l1_loss(node: NodeView) -> Explanation:
    """Explain smooth_l1_loss and huber_loss: d = p - t where |d| is below the threshold, else its sign."""
    huber = node.node.startswith("Huber")
    n = float(node.attributes["delta" if huber else "beta"])

    def derivative(x: float, y: float) -> float:
        return max(-n, min(n, x - y)) / (1.0 if huber else n)

    within = _("({difference} within -{size} and {size}){below}", difference="({p} - {t})", size=number(n),
               below="" if huber or n == 1 else f"/{number(n)}")  # fmt: skip
    derivatives: tuple[LossFunction, LossFunction] = (derivative, lambda x, y: -derivative(x, y))
    return _explain_loss(node, N_("smoothed |{p} - {t}|"), (within, "-" + within), derivatives)


def _clamped_log(x: float) -> float:
    """Return the logarithm, at least -100 as in torch's binary_cross_entropy."""
    return max(math.log(x), -100.0) if x > 0 else -100.0  # torch cuts the logarithm off there


@explains("BinaryCrossEntropyBackward0", general=N_("∂/∂p = (p - t)/(p·(1 - p)) (of the mean: by n)"))
def bce(node: NodeView) -> Explanation:
    """Explain binary_cross_entropy: -(t·ln p + (1 - t)·ln(1 - p)); by p: (p - t)/(p(1 - p))."""
    derivatives: tuple[LossFunction, LossFunction] = (
        lambda p, t: (p - t) / max(p * (1 - p), 1e-12),
        lambda p, t: _clamped_log(1 - p) - _clamped_log(p),
    )
    formulas = ("({p} - {t})/({p}·(1 - {p}))", "(ln(1 - {p}) - ln({p}))")
    equation = "-({t}·ln({p}) + (1 - {t})·ln(1 - {p}))"
    return _explain_loss(node, equation, formulas, derivatives, next(iter(_weights(node)), None))


def _weights(node: NodeView) -> list[Operand]:
    """Return the tensors of the call beside prediction and target."""
    return [operand for operand in node.whole[2:] if operand.tensor is not None]


@explains("BinaryCrossEntropyWithLogitsBackward0", general=N_("∂/∂x = sigmoid(x) - t (of the mean: by n)"))
def bce_with_logits(node: NodeView) -> Explanation | None:
    """Explain binary_cross_entropy_with_logits; by the logit x: sigmoid(x) - t. The call may have a weight and a
    pos_weight, which the node saved."""
    tensors = _weights(node)
    weight, pos_weight = (
        next((operand for operand in tensors if operand.tensor == node.saved.get(name)), None)
        for name in ("weight", "pos_weight")
    )
    if bool(weight) + bool(pos_weight) != len(tensors):
        return None
    if pos_weight is not None:
        return _explain_pos_weight(node, pos_weight, weight)
    formulas = ("(sigmoid({p}) - {t})", "-{p}")
    equation = N_("-({t}·ln(s) + (1 - {t})·ln(1 - s)), with s = sigmoid({p})")
    derivatives: tuple[LossFunction, LossFunction] = (lambda x, t: sigmoid(x) - t, lambda x, t: -x)
    return _explain_loss(node, equation, formulas, derivatives, weight)


def _explain_pos_weight(node: NodeView, pos_weight: Operand, weight: Operand | None) -> Explanation:
    """Explain -(w·t·ln s + (1 - t)·ln(1 - s)), with w the pos_weight; by x: (1 - t)·s - w·t·(1 - s)."""
    p, t = node.whole[:2]
    derivative = combine(
        lambda x, t, w: (1 - t) * sigmoid(x) - w * t * sigmoid(-x), p.numbers, t.numbers, pos_weight.numbers
    )
    if weight is not None:
        derivative = derivative * weight.numbers
    factor, reduction = "" if weight is None else f"{weight.name}·", node.attributes["reduction"]
    n = count(derivative.shape) if reduction == _MEAN else 1
    formula = _("{before}((1 - {t})·s - {positive}·{t}·(1 - s)){below}, with s = sigmoid({p})", before=factor,
                t=t.name, positive=pos_weight.name, below="" if n == 1 else f"/{n}", p=p.name)  # fmt: skip
    equation = _(
        "-{before}({positive}·{t}·ln(s) + (1 - {t})·ln(1 - s)), with s = sigmoid({p})",
        before=factor,
        positive=pos_weight.name,
        t=t.name,
        p=p.name,
    )
    share = elementwise(p, formula, derivative.map(lambda x: x / n))
    return Explanation(_(_EQUATIONS[reduction], loss=equation), [share])


@explains("SoftMarginLossBackward0", general=N_("∂/∂p = -t·sigmoid(-t·p) (of the mean: by n)"))
def soft_margin_loss(node: NodeView) -> Explanation:
    """Explain soft_margin_loss, log(1 + exp(-t·p)); by p: -t·sigmoid(-t·p)."""
    derivatives: tuple[LossFunction, LossFunction] = (
        lambda p, t: -t * sigmoid(-t * p),
        lambda p, t: -p * sigmoid(-t * p),
    )
    formulas = ("-{t}·sigmoid(-{t}·{p})", "-{p}·sigmoid(-{t}·{p})")
    return _explain_loss(node, "log(1 + exp(-{t}·{p}))", formulas, derivatives)


@explains("NllLossBackward0", "NllLoss2DBackward0",
          general=N_("∂/∂a = -1 at the class of each row, else 0 (of the mean: by n)"))  # fmt: skip
def nll(node: NodeView) -> Explanation | None:
    """Explain nll_loss: minus the log-probability of each row's class. In cross_entropy, the node before it makes the
    log-probabilities."""
    logits, classes, *weights = [operand for operand in node.whole if operand.tensor is not None]
    if node.inner and node.op != "cross_entropy":
        return None
    a, shape = node.operands[0], logits.shape
    rows = slices(shape, min(1, len(shape) - 1))
    reduction = node.attributes["reduction"] if len(rows) > 1 or weights else _NONE
    chosen = [
        (place, row[int(at)], weights[0].numbers.flat[int(at)] if weights else 1.0)
        for place, (row, at) in enumerate(zip(rows, classes.numbers.flat, strict=True))
        if at != node.attributes["ignore_index"]
    ]
    total = sum(weight for _place, _element, weight in chosen) if reduction == _MEAN else 1.0
    entries = [(place if reduction == _NONE else 0, element, -weight / total) for place, element, weight in chosen]
    text = (_("-its weight") if weights else "-1") + ("" if total == 1 else f"/{number(total)}")
    formula = _("{derivative} at the class that {classes} says, else 0", derivative=text, classes=classes.name)
    equation = _(_EQUATIONS[reduction], loss=f"-{a.name}[{classes.name}]")
    return Explanation(equation, [sparse(Operand(a.name, shape, None, a.tensor), formula, entries)])
