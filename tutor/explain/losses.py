"""Derivatives of loss functions. Whether they take the mean, the sum or neither is seen from the result.

Source: https://pytorch.org/docs/stable/nn.functional.html (*Loss functions*), and `tools/autograd/derivatives.yaml` and
`aten/src/ATen/native/Loss.cpp`, `LossNLL.cpp` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from tutor.explain.grid import Grid, count
from tutor.explain.reductions import lanes, soft
from tutor.explain.rules import Explanation, Local, NodeView, Operand, explains, mixed

Of = Callable[[float, float], float]


def _reductions(node: NodeView, losses: Grid) -> Iterator[tuple[str, str, float]]:
    """Ways to come from the losses of all elements to the result: a word for it, what to divide by, as text too."""
    n = count(losses.shape)
    if node.incoming.shape == losses.shape and node.gives(losses):
        yield "", "", 1.0
    elif node.incoming.shape == ():
        together = sum(losses.flat)
        if node.gives(Grid((), (together / n,))):
            yield "mean of ", "" if n == 1 else f"/{n}", float(n)
        if n > 1 and node.gives(Grid((), (together,))):
            yield "sum of ", "", 1.0


def _of_two(
    node: NodeView, equation: str, formulas: tuple[str, str], loss: Of, slopes: tuple[Of, Of]
) -> Iterator[Explanation]:
    """A loss of a prediction and a target, element by element; texts with {p} and {t}."""
    p, t = node.whole[:2]
    losses = p.numbers.combine(t.numbers, loss)
    for word, below, n in _reductions(node, losses):
        shares = []
        for target, formula, slope in zip(
            node.operands, formulas, slopes, strict=False
        ):  # stretched, where they differ
            grid = p.numbers.combine(t.numbers, slope).map(lambda x, n=n: x / n)  # type: ignore[misc]
            shares.append(Local(target, formula.format(p=p.name, t=t.name) + below, grid))
        yield Explanation(word + equation.format(p=p.name, t=t.name), shares)


@explains("MseLossBackward0", general="∂mean((p - t)²)/∂p = 2·(p - t)/n, of the sum 2·(p - t)")
def mse_loss(node: NodeView) -> Iterator[Explanation]:
    """∂mean((p-t)²)/∂p = 2(p-t)/n, ∂/∂t = -2(p-t)/n."""
    slopes: tuple[Of, Of] = (lambda x, y: 2 * (x - y), lambda x, y: -2 * (x - y))
    formulas = ("2·({p} - {t})", "-2·({p} - {t})")
    yield from _of_two(node, "({p} - {t})²", formulas, lambda x, y: (x - y) ** 2, slopes)


@explains("SmoothL1LossBackward0", "HuberLossBackward0",
          general="with threshold 1: ∂/∂p = p - t where |p - t| < 1, else its sign (of the mean: by n)")  # fmt: skip
def smooth_l1(node: NodeView) -> Iterator[Explanation]:
    """p - t where that is small, else its sign; only for the usual threshold of 1."""

    def loss(x: float, y: float) -> float:
        return (x - y) ** 2 / 2 if abs(x - y) < 1 else abs(x - y) - 0.5

    slopes: tuple[Of, Of] = (lambda x, y: max(-1.0, min(1.0, x - y)), lambda x, y: -max(-1.0, min(1.0, x - y)))
    formulas = ("(({p} - {t}) within -1 and 1)", "-(({p} - {t}) within -1 and 1)")
    yield from _of_two(node, "smoothed |{p} - {t}|", formulas, loss, slopes)


def _log(x: float) -> float:
    return max(math.log(x), -100.0) if x > 0 else -100.0  # torch cuts the logarithm off there


@explains("BinaryCrossEntropyBackward0", general="∂/∂p = (p - t)/(p·(1 - p)) (of the mean: by n)")
def bce(node: NodeView) -> Iterator[Explanation]:
    """-(t·ln p + (1-t)·ln(1-p)), by p: (p-t)/(p(1-p))."""

    def loss(p: float, t: float) -> float:
        return -(t * _log(p) + (1 - t) * _log(1 - p))

    slopes: tuple[Of, Of] = (
        lambda p, t: (p - t) / max(p * (1 - p), 1e-12),
        lambda p, t: _log(1 - p) - _log(p),
    )
    formulas = ("({p} - {t})/({p}·(1 - {p}))", "(ln(1 - {p}) - ln({p}))")
    yield from _of_two(node, "-({t}·ln({p}) + (1 - {t})·ln(1 - {p}))", formulas, loss, slopes)


@explains("BinaryCrossEntropyWithLogitsBackward0", general="∂/∂x = sigmoid(x) - t (of the mean: by n)")
def bce_with_logits(node: NodeView) -> Iterator[Explanation]:
    """By the logit x: sigmoid(x) - t."""

    def loss(x: float, t: float) -> float:
        return max(x, 0.0) - x * t + math.log1p(math.exp(-abs(x)))

    def slope(x: float, t: float) -> float:
        return (1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))) - t

    formulas = ("(sigmoid({p}) - {t})", "-{p}")
    equation = "-({t}·ln(s) + (1 - {t})·ln(1 - s)), with s = sigmoid({p})"
    yield from _of_two(node, equation, formulas, loss, (slope, lambda x, t: -x))


@explains("NllLossBackward0", "NllLoss2DBackward0",
          general="∂/∂a = -1 at the class of each row, else 0 (of the mean: by n)")  # fmt: skip
def nll(node: NodeView) -> Iterator[Explanation]:
    """Minus the log-probability of each row's class; the first node of `cross_entropy` makes the log-probabilities."""
    logits, classes, *rest = [operand for operand in node.whole if operand.tensor is not None]
    a = node.operands[0]
    shape = logits.shape
    rows = list(lanes(shape))[min(1, len(shape) - 1)]
    known = logits.numbers
    if node.inner:
        if node.op != "cross_entropy":
            return
        known = Grid(shape, tuple(math.log(x) for x in soft(known, rows)))
        a = Operand(a.name, shape, known, a.tensor)
    chosen = [int(x) for x in classes.numbers.flat]
    weights = rest[0].numbers.flat if rest else (1.0,) * len(rows[0])
    counted = [0.0 if at < 0 else weights[at] for at in chosen]  # a class below zero is one to be ignored
    chosen = [max(at, 0) for at in chosen]
    lost = [-known.flat[row[at]] * w for row, at, w in zip(rows, chosen, counted, strict=True)]
    yield from _of_classes(node, a, classes, rows, chosen, counted, lost, bool(rest))


def _of_classes(
    node: NodeView, a: Operand, classes: Operand, rows: list[list[int]], chosen: list[int], counted: list[float],
    lost: list[float], weighted: bool,
) -> Iterator[Explanation]:  # fmt: skip
    total, each = sum(counted), "-its weight" if weighted else "-1"
    ways = []
    if len(node.incoming.flat) == len(rows) and node.gives(Grid(node.incoming.shape, tuple(lost))):
        ways.append(("", each, 1.0))
    elif node.incoming.shape == ():
        if total and _same(node, sum(lost) / total):
            ways.append(("mean of ", f"{each}/{total:g}" if total != 1 else each, total))
        if total != 1 and _same(node, sum(lost)):
            ways.append(("sum of ", each, 1.0))
    for word, slope, below in ways:
        arrive = {row[at]: (i, -w / below) for i, (row, at, w) in enumerate(zip(rows, chosen, counted, strict=True))}
        single = len(node.incoming.flat) == 1

        def row(
            i: int, arrive: dict[int, tuple[int, float]] = arrive, single: bool = single
        ) -> list[tuple[int, float]]:
            found = arrive.get(i)
            return [] if found is None else [(0 if single else found[0], found[1])]

        share = mixed(a, f"{slope} at the class that {classes.name} says, else 0", node.incoming, row)
        yield Explanation(f"{word}-{a.name}[{classes.name}]", [share])


def _same(node: NodeView, loss: float) -> bool:
    theirs = node.result.grid
    return theirs is not None and abs(theirs.flat[0] - loss) <= 1e-4 * max(abs(loss), 1.0)
