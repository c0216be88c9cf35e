"""Derivative rules of loss functions: mse_loss, smooth_l1_loss, huber_loss, binary_cross_entropy,
binary_cross_entropy_with_logits, soft_margin_loss, nll_loss, cross_entropy. (l1_loss is sub, abs and mean: `binary`,
`unary`, `reductions`.)

Whether a loss takes the mean, the sum or neither is not recorded: it is found from the result.
Source: https://pytorch.org/docs/stable/nn.functional.html (*Loss functions*), and `tools/autograd/derivatives.yaml`,
`aten/src/ATen/native/Loss.cpp` and `LossNLL.cpp` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from tutor.explain.rules.arrays import Grid, count, solve_monotonic
from tutor.explain.rules.registry import Explanation, Local, NodeView, Operand, explains, vjp_from_rows
from tutor.explain.rules.scans import rows_by_dimension, softmax_rows
from tutor.explain.rules.unary import sigmoid
from tutor.i18n import N_, _

LossFunction = Callable[[float, float], float]


def _reductions(node: NodeView, losses: Grid) -> Iterator[tuple[str, str, float]]:
    """Yield the reductions that give the result from the losses of all elements.

    Returns:
        A text with a blank for the `{loss}`, the divisor as text, the divisor.
    """
    n = count(losses.shape)
    if node.incoming.shape == losses.shape and node.gives(losses):
        yield "{loss}", "", 1.0
    elif node.incoming.shape == ():
        total = sum(losses.flat)
        if node.gives(Grid((), (total / n,))):
            yield N_("mean of {loss}"), "" if n == 1 else f"/{n}", float(n)
        if n > 1 and node.gives(Grid((), (total,))):
            yield N_("sum of {loss}"), "", 1.0


def _explain_loss(
    node: NodeView,
    equation: str,
    formulas: tuple[str, str],
    loss: LossFunction,
    derivatives: tuple[LossFunction, LossFunction],
    weight: Operand | None = None,
) -> Iterator[Explanation]:
    """Explain an element-wise loss of a prediction and a target.

    Args:
        node: The node of the loss.
        equation: The loss of one element, with blanks {p} and {t}.
        formulas: Its derivatives by the prediction and by the target, as texts with the same blanks.
        loss: The loss of one element.
        derivatives: Its derivatives by the prediction and by the target.
        weight: What the loss of each element is multiplied by.
    """
    p, t = node.whole[:2]
    names = {"p": p.name, "t": t.name}
    equation, formulas = _(equation, **names), (_(formulas[0], **names), _(formulas[1], **names))
    weights = Grid((), (1.0,)) if weight is None else weight.numbers
    losses = p.numbers.combine(t.numbers, loss) * weights
    if weight is not None:
        equation = f"{weight.name}·{equation}"
        formulas = (f"{weight.name}·{formulas[0]}", f"{weight.name}·{formulas[1]}")
    for reduction, divisor, n in _reductions(node, losses):
        shares = []
        for target, formula, derivative in zip(node.operands, formulas, derivatives, strict=False):
            grid = (p.numbers.combine(t.numbers, derivative) * weights).map(lambda x, n=n: x / n)  # type: ignore[misc]
            shares.append(Local(target, formula + divisor, grid))
        yield Explanation(_(reduction, loss=equation), shares)


@explains("MseLossBackward0", general=N_("∂mean((p - t)²)/∂p = 2·(p - t)/n, of the sum 2·(p - t)"))
def mse_loss(node: NodeView) -> Iterator[Explanation]:
    """Explain mse_loss: ∂mean((p - t)²)/∂p = 2(p - t)/n, ∂/∂t = -2(p - t)/n."""
    derivatives: tuple[LossFunction, LossFunction] = (lambda x, y: 2 * (x - y), lambda x, y: -2 * (x - y))
    formulas = ("2·({p} - {t})", "-2·({p} - {t})")
    yield from _explain_loss(node, "({p} - {t})²", formulas, lambda x, y: (x - y) ** 2, derivatives)


@explains("SmoothL1LossBackward0", "HuberLossBackward0",
          general=N_("of d = p - t: ∂/∂p = d where it is small, else its sign (of the mean: by n)"))  # fmt: skip
def smooth_l1_loss(node: NodeView) -> Iterator[Explanation]:
    """Explain smooth_l1_loss and huber_loss: d = p - t where |d| is below the threshold, else its sign; the threshold
    is 1, or solved from the result."""
    huber = node.node.startswith("Huber")

    def loss(x: float, y: float, n: float) -> float:
        d = abs(x - y)
        if huber:
            return d * d / 2 if d < n else n * (d - n / 2)
        return d * d / (2 * n) if d < n else d - n / 2

    def derivative(x: float, y: float, n: float) -> float:
        return max(-n, min(n, x - y)) / (1.0 if huber else n)

    p, t, y = *node.whole[:2], node.result
    elements_in_mean = 1 if y.shape or node.op == "" else len(p.numbers.combine(t.numbers, lambda x, z: x).flat)
    thresholds = [1.0]
    for elements in {1, elements_in_mean} if y.grid is not None else ():

        def total_loss(n: float, elements: int = elements) -> float:
            return sum(p.numbers.combine(t.numbers, lambda a, b: loss(a, b, n)).flat) / elements

        thresholds.append(solve_monotonic(total_loss, sum(y.numbers.flat), 1e-4, 1e3))
    for n in dict.fromkeys(thresholds):
        bound = "" if n == 1 else f"{n:g}"
        divisor = "" if huber or n == 1 else f"/{n:g}"
        within = _("({difference} within -{size} and {size}){below}", difference="({p} - {t})", size=bound or 1,
                    below=divisor)  # fmt: skip
        equation = N_("smoothed |{p} - {t}|")
        derivatives: tuple[LossFunction, LossFunction] = (
            lambda x, y, n=n: derivative(x, y, n),  # type: ignore[misc]
            lambda x, y, n=n: -derivative(x, y, n),  # type: ignore[misc]
        )
        explanations = list(
            _explain_loss(node, equation, (within, "-" + within), lambda x, y, n=n: loss(x, y, n), derivatives)  # type: ignore[misc]
        )
        yield from explanations
        if n == 1 and explanations:
            return


def _clamped_log(x: float) -> float:
    """Return the logarithm, at least -100 as in torch's binary_cross_entropy."""
    return max(math.log(x), -100.0) if x > 0 else -100.0  # torch cuts the logarithm off there


@explains("BinaryCrossEntropyBackward0", general=N_("∂/∂p = (p - t)/(p·(1 - p)) (of the mean: by n)"))
def bce(node: NodeView) -> Iterator[Explanation]:
    """Explain binary_cross_entropy: -(t·ln p + (1 - t)·ln(1 - p)); by p: (p - t)/(p(1 - p))."""

    def loss(p: float, t: float) -> float:
        return -(t * _clamped_log(p) + (1 - t) * _clamped_log(1 - p))

    derivatives: tuple[LossFunction, LossFunction] = (
        lambda p, t: (p - t) / max(p * (1 - p), 1e-12),
        lambda p, t: _clamped_log(1 - p) - _clamped_log(p),
    )
    formulas = ("({p} - {t})/({p}·(1 - {p}))", "(ln(1 - {p}) - ln({p}))")
    equation = "-({t}·ln({p}) + (1 - {t})·ln(1 - {p}))"
    yield from _explain_loss(node, equation, formulas, loss, derivatives, _first_weight(node))


def _first_weight(node: NodeView) -> Operand | None:
    """Return the weight of each element's loss, if the call has one."""
    return next(iter(_weights(node)), None)


def _weights(node: NodeView) -> list[Operand]:
    """Return the tensors of the call beside prediction and target."""
    return [operand for operand in node.whole[2:] if operand.tensor is not None]


@explains("BinaryCrossEntropyWithLogitsBackward0", general=N_("∂/∂x = sigmoid(x) - t (of the mean: by n)"))
def bce_with_logits(node: NodeView) -> Iterator[Explanation]:
    """Explain binary_cross_entropy_with_logits; by the logit x: sigmoid(x) - t. The call may have a weight and a
    pos_weight: which tensor is which, the result shows."""
    weights = _weights(node)
    yield from _explain_logits(node, weights[0] if weights else None)
    for place, positive in enumerate(weights[:2]):
        yield from _explain_pos_weight(node, positive, weights[1 - place] if len(weights) > 1 else None)


def _explain_logits(node: NodeView, weight: Operand | None) -> Iterator[Explanation]:
    """Explain the loss with at most a weight."""

    def loss(x: float, t: float) -> float:
        return max(x, 0.0) - x * t + math.log1p(math.exp(-abs(x)))

    formulas = ("(sigmoid({p}) - {t})", "-{p}")
    equation = N_("-({t}·ln(s) + (1 - {t})·ln(1 - s)), with s = sigmoid({p})")
    derivatives: tuple[LossFunction, LossFunction] = (lambda x, t: sigmoid(x) - t, lambda x, t: -x)
    yield from _explain_loss(node, equation, formulas, loss, derivatives, weight)


def _explain_pos_weight(node: NodeView, pos_weight: Operand, weight: Operand | None) -> Iterator[Explanation]:
    """Explain -(w·t·ln s + (1 - t)·ln(1 - s)), with w the pos_weight; by x: (1 - t)·s - w·t·(1 - s)."""
    p, t = node.whole[:2]
    x = p.numbers.combine(pos_weight.numbers, lambda x, _: x)
    w = pos_weight.numbers.expand(x.shape)
    target = t.numbers.expand(x.shape)
    rows = list(zip(x.flat, target.flat, w.flat, strict=True))
    weights = (Grid((), (1.0,)) if weight is None else weight.numbers).expand(x.shape)
    losses = Grid(x.shape, tuple((1 - t) * _softplus(x) + w * t * _softplus(-x) for x, t, w in rows)) * weights
    derivative = Grid(x.shape, tuple((1 - t) * sigmoid(x) - w * t * sigmoid(-x) for x, t, w in rows)) * weights
    factor = "" if weight is None else f"{weight.name}·"
    for reduction, divisor, n in _reductions(node, losses):
        formula = _("{before}((1 - {t})·s - {positive}·{t}·(1 - s)){below}, with s = sigmoid({p})", before=factor,
                  t=t.name, positive=pos_weight.name, below=divisor, p=p.name)  # fmt: skip
        equation = _(
            "-{before}({positive}·{t}·ln(s) + (1 - {t})·ln(1 - s)), with s = sigmoid({p})",
            before=factor,
            positive=pos_weight.name,
            t=t.name,
            p=p.name,
        )
        yield Explanation(_(reduction, loss=equation), [Local(p, formula, derivative.map(lambda x, n=n: x / n))])  # type: ignore[misc]


def _softplus(x: float) -> float:
    """Return log(1 + exp(x)), without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@explains("SoftMarginLossBackward0", general=N_("∂/∂p = -t·sigmoid(-t·p) (of the mean: by n)"))
def soft_margin_loss(node: NodeView) -> Iterator[Explanation]:
    """Explain soft_margin_loss, log(1 + exp(-t·p)); by p: -t·sigmoid(-t·p)."""
    derivatives: tuple[LossFunction, LossFunction] = (
        lambda p, t: -t * sigmoid(-t * p),
        lambda p, t: -p * sigmoid(-t * p),
    )
    formulas = ("-{t}·sigmoid(-{t}·{p})", "-{p}·sigmoid(-{t}·{p})")
    yield from _explain_loss(node, "log(1 + exp(-{t}·{p}))", formulas, lambda p, t: _softplus(-t * p), derivatives)


@explains("NllLossBackward0", "NllLoss2DBackward0",
          general=N_("∂/∂a = -1 at the class of each row, else 0 (of the mean: by n)"))  # fmt: skip
def nll(node: NodeView) -> Iterator[Explanation]:
    """Explain nll_loss: minus the log-probability of each row's class. In cross_entropy, the node before it makes the
    log-probabilities."""
    logits, classes, *rest = [operand for operand in node.whole if operand.tensor is not None]
    a = node.operands[0]
    shape = logits.shape
    rows = list(rows_by_dimension(shape))[min(1, len(shape) - 1)]
    log_probabilities = logits.numbers
    if node.inner:
        if node.op != "cross_entropy":
            return
        log_probabilities = Grid(shape, tuple(math.log(x) for x in softmax_rows(log_probabilities, rows)))
        a = Operand(a.name, shape, log_probabilities, a.tensor)
    chosen = [int(x) for x in classes.numbers.flat]
    weights = rest[0].numbers.flat if rest else (1.0,) * len(rows[0])
    for ignored in (None, *sorted(set(chosen))):  # a class below zero is one to be ignored, or one that the call names
        row_weights = [0.0 if at < 0 or at == ignored else weights[at] for at in chosen]
        chosen_or_zero = [max(at, 0) for at in chosen]
        losses = [
            -log_probabilities.flat[row[at]] * w for row, at, w in zip(rows, chosen_or_zero, row_weights, strict=True)
        ]
        explanations = list(_explain_classes(node, a, classes, rows, chosen_or_zero, row_weights, losses, bool(rest)))
        yield from explanations
        if explanations:
            return


def _explain_classes(
    node: NodeView, a: Operand, classes: Operand, rows: list[list[int]], chosen: list[int], row_weights: list[float],
    losses: list[float], weighted: bool,
) -> Iterator[Explanation]:  # fmt: skip
    """Explain the reductions of nll_loss that give the result."""
    total, weight_text = sum(row_weights), _("-its weight") if weighted else "-1"
    reductions = []
    if len(node.incoming.flat) == len(rows) and node.gives(Grid(node.incoming.shape, tuple(losses))):
        reductions.append(("{loss}", weight_text, 1.0))
    elif node.incoming.shape == ():
        if total and _gives_loss(node, sum(losses) / total):
            reductions.append((N_("mean of {loss}"), f"{weight_text}/{total:g}" if total != 1 else weight_text, total))
        if total != 1 and _gives_loss(node, sum(losses)):
            reductions.append((N_("sum of {loss}"), weight_text, 1.0))
    for reduction, derivative, divisor in reductions:
        terms = {
            row[at]: (i, -w / divisor) for i, (row, at, w) in enumerate(zip(rows, chosen, row_weights, strict=True))
        }
        is_scalar = len(node.incoming.flat) == 1

        def row(
            i: int, terms: dict[int, tuple[int, float]] = terms, is_scalar: bool = is_scalar
        ) -> list[tuple[int, float]]:
            term = terms.get(i)
            return [] if term is None else [(0 if is_scalar else term[0], term[1])]

        share = vjp_from_rows(
            a,
            _("{derivative} at the class that {classes} says, else 0", derivative=derivative, classes=classes.name),
            node.incoming,
            row,
        )
        yield Explanation(_(reduction, loss=f"-{a.name}[{classes.name}]"), [share])


def _gives_loss(node: NodeView, loss: float) -> bool:
    """Return whether the result is this loss, up to rounding."""
    result = node.result.grid
    return result is not None and abs(result.flat[0] - loss) <= 1e-4 * max(abs(loss), 1.0)
