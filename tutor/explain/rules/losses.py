"""Derivatives of loss functions. Whether they take the mean, the sum or neither is seen from the result.

Source: https://pytorch.org/docs/stable/nn.functional.html (*Loss functions*), and `tools/autograd/derivatives.yaml` and
`aten/src/ATen/native/Loss.cpp`, `LossNLL.cpp` in PyTorch.

Derivatives of the loss of classes: minus the log-probability of the right one.

Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html, and
`aten/src/ATen/native/LossNLL.cpp` in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from tutor.explain.rules.arrays import Grid, count, solved
from tutor.explain.rules.registry import Explanation, Local, NodeView, Operand, explains, mixed
from tutor.explain.rules.scans import lanes, soft
from tutor.explain.rules.unary import sigmoid
from tutor.i18n import N_, _

Of = Callable[[float, float], float]


def _reductions(node: NodeView, losses: Grid) -> Iterator[tuple[str, str, float]]:
    """Ways to come from the losses of all elements to the result: a text for it with a blank for the `{loss}`, what to
    divide by, as text too."""
    n = count(losses.shape)
    if node.incoming.shape == losses.shape and node.gives(losses):
        yield "{loss}", "", 1.0
    elif node.incoming.shape == ():
        together = sum(losses.flat)
        if node.gives(Grid((), (together / n,))):
            yield N_("mean of {loss}"), "" if n == 1 else f"/{n}", float(n)
        if n > 1 and node.gives(Grid((), (together,))):
            yield N_("sum of {loss}"), "", 1.0


def _of_two(
    node: NodeView, equation: str, formulas: tuple[str, str], loss: Of, slopes: tuple[Of, Of],
    weight: Operand | None = None,
) -> Iterator[Explanation]:  # fmt: skip
    """A loss of a prediction and a target, element by element; texts with {p} and {t}."""
    p, t = node.whole[:2]
    names = {"p": p.name, "t": t.name}
    equation, formulas = _(equation, **names), (_(formulas[0], **names), _(formulas[1], **names))
    by = Grid((), (1.0,)) if weight is None else weight.numbers
    losses = p.numbers.combine(t.numbers, loss) * by
    if weight is not None:
        equation, formulas = (
            f"{weight.name}·{equation}",
            (f"{weight.name}·{formulas[0]}", f"{weight.name}·{formulas[1]}"),
        )
    for word, below, n in _reductions(node, losses):
        shares = []
        for target, formula, slope in zip(node.operands, formulas, slopes, strict=False):
            grid = (p.numbers.combine(t.numbers, slope) * by).map(lambda x, n=n: x / n)  # type: ignore[misc]
            shares.append(Local(target, formula + below, grid))
        yield Explanation(_(word, loss=equation), shares)


@explains("MseLossBackward0", general=N_("∂mean((p - t)²)/∂p = 2·(p - t)/n, of the sum 2·(p - t)"))
def mse_loss(node: NodeView) -> Iterator[Explanation]:
    """∂mean((p-t)²)/∂p = 2(p-t)/n, ∂/∂t = -2(p-t)/n."""
    slopes: tuple[Of, Of] = (lambda x, y: 2 * (x - y), lambda x, y: -2 * (x - y))
    formulas = ("2·({p} - {t})", "-2·({p} - {t})")
    yield from _of_two(node, "({p} - {t})²", formulas, lambda x, y: (x - y) ** 2, slopes)


@explains("SmoothL1LossBackward0", "HuberLossBackward0",
          general=N_("of d = p - t: ∂/∂p = d where it is small, else its sign (of the mean: by n)"))  # fmt: skip
def smooth_l1(node: NodeView) -> Iterator[Explanation]:
    """d = p - t where that is small, else its sign; the threshold is 1, or what the result says."""
    huber = node.node.startswith("Huber")

    def loss(x: float, y: float, n: float) -> float:
        d = abs(x - y)
        if huber:
            return d * d / 2 if d < n else n * (d - n / 2)
        return d * d / (2 * n) if d < n else d - n / 2

    def slope(x: float, y: float, n: float) -> float:
        return max(-n, min(n, x - y)) / (1.0 if huber else n)

    p, t, y = *node.whole[:2], node.result
    parts = 1 if y.shape or node.op == "" else len(p.numbers.combine(t.numbers, lambda x, z: x).flat)
    ways = [1.0]
    for many in {1, parts} if y.grid is not None else ():

        def together(n: float, many: int = many) -> float:
            return sum(p.numbers.combine(t.numbers, lambda a, b: loss(a, b, n)).flat) / many

        ways.append(solved(together, sum(y.numbers.flat), 1e-4, 1e3))
    for n in dict.fromkeys(ways):
        size = "" if n == 1 else f"{n:g}"
        below = "" if huber or n == 1 else f"/{n:g}"
        within = _("({difference} within -{size} and {size}){below}", difference="({p} - {t})", size=size or 1,
                    below=below)  # fmt: skip
        equation = N_("smoothed |{p} - {t}|")
        slopes: tuple[Of, Of] = (
            lambda x, y, n=n: slope(x, y, n),  # type: ignore[misc]
            lambda x, y, n=n: -slope(x, y, n),  # type: ignore[misc]
        )
        found = list(
            _of_two(node, equation, (within, "-" + within), lambda x, y, n=n: loss(x, y, n), slopes)  # type: ignore[misc]
        )
        yield from found
        if n == 1 and found:
            return


def _log(x: float) -> float:
    return max(math.log(x), -100.0) if x > 0 else -100.0  # torch cuts the logarithm off there


@explains("BinaryCrossEntropyBackward0", general=N_("∂/∂p = (p - t)/(p·(1 - p)) (of the mean: by n)"))
def bce(node: NodeView) -> Iterator[Explanation]:
    """-(t·ln p + (1-t)·ln(1-p)), by p: (p-t)/(p(1-p))."""

    def loss(p: float, t: float) -> float:
        return -(t * _log(p) + (1 - t) * _log(1 - p))

    slopes: tuple[Of, Of] = (
        lambda p, t: (p - t) / max(p * (1 - p), 1e-12),
        lambda p, t: _log(1 - p) - _log(p),
    )
    formulas = ("({p} - {t})/({p}·(1 - {p}))", "(ln(1 - {p}) - ln({p}))")
    equation = "-({t}·ln({p}) + (1 - {t})·ln(1 - {p}))"
    yield from _of_two(node, equation, formulas, loss, slopes, _weight(node))


def _weight(node: NodeView) -> Operand | None:
    """What each element's loss is multiplied by, if the call says so."""
    return next(iter(_more(node)), None)


def _more(node: NodeView) -> list[Operand]:
    return [one for one in node.whole[2:] if one.tensor is not None]


@explains("BinaryCrossEntropyWithLogitsBackward0", general=N_("∂/∂x = sigmoid(x) - t (of the mean: by n)"))
def bce_with_logits(node: NodeView) -> Iterator[Explanation]:
    """By the logit x: sigmoid(x) - t; a weight of the positives stands before the first part. Which tensor of the call
    is a weight of all, and which of the positives, the result tells."""
    more = _more(node)
    yield from _logits(node, more[0] if more else None)
    for place, positive in enumerate(more[:2]):
        yield from _of_positives(node, positive, more[1 - place] if len(more) > 1 else None)


def _logits(node: NodeView, weight: Operand | None) -> Iterator[Explanation]:
    def loss(x: float, t: float) -> float:
        return max(x, 0.0) - x * t + math.log1p(math.exp(-abs(x)))

    formulas = ("(sigmoid({p}) - {t})", "-{p}")
    equation = N_("-({t}·ln(s) + (1 - {t})·ln(1 - s)), with s = sigmoid({p})")
    slopes: tuple[Of, Of] = (lambda x, t: sigmoid(x) - t, lambda x, t: -x)
    yield from _of_two(node, equation, formulas, loss, slopes, weight)


def _of_positives(node: NodeView, positive: Operand, weight: Operand | None) -> Iterator[Explanation]:
    """-(w·t·ln s + (1 - t)·ln(1 - s)): by x it is (1 - t)·s - w·t·(1 - s)."""
    p, t = node.whole[:2]
    x = p.numbers.combine(positive.numbers, lambda x, _: x)
    w = positive.numbers.expand(x.shape)
    target = t.numbers.expand(x.shape)
    rows = list(zip(x.flat, target.flat, w.flat, strict=True))
    by = (Grid((), (1.0,)) if weight is None else weight.numbers).expand(x.shape)
    above = Grid(x.shape, tuple((1 - t) * _rise(x) + w * t * _rise(-x) for x, t, w in rows)) * by
    slope = Grid(x.shape, tuple((1 - t) * sigmoid(x) - w * t * sigmoid(-x) for x, t, w in rows)) * by
    before = "" if weight is None else f"{weight.name}·"
    for word, below, n in _reductions(node, above):
        name = _("{before}((1 - {t})·s - {positive}·{t}·(1 - s)){below}, with s = sigmoid({p})", before=before,
                  t=t.name, positive=positive.name, below=below, p=p.name)  # fmt: skip
        equation = _(
            "-{before}({positive}·{t}·ln(s) + (1 - {t})·ln(1 - s)), with s = sigmoid({p})",
            before=before,
            positive=positive.name,
            t=t.name,
            p=p.name,
        )
        yield Explanation(_(word, loss=equation), [Local(p, name, slope.map(lambda x, n=n: x / n))])  # type: ignore[misc]


def _rise(x: float) -> float:
    """log(1 + exp(x))"""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@explains("SoftMarginLossBackward0", general=N_("∂/∂p = -t·sigmoid(-t·p) (of the mean: by n)"))
def soft_margin(node: NodeView) -> Iterator[Explanation]:
    """log(1 + exp(-t·p)), by p: -t·sigmoid(-t·p)."""
    slopes: tuple[Of, Of] = (lambda p, t: -t * sigmoid(-t * p), lambda p, t: -p * sigmoid(-t * p))
    formulas = ("-{t}·sigmoid(-{t}·{p})", "-{p}·sigmoid(-{t}·{p})")
    yield from _of_two(node, "log(1 + exp(-{t}·{p}))", formulas, lambda p, t: _rise(-t * p), slopes)


@explains("NllLossBackward0", "NllLoss2DBackward0",
          general=N_("∂/∂a = -1 at the class of each row, else 0 (of the mean: by n)"))  # fmt: skip
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
    for ignored in (None, *sorted(set(chosen))):  # a class below zero is one to be ignored, or one that the call names
        counted = [0.0 if at < 0 or at == ignored else weights[at] for at in chosen]
        at_zero = [max(at, 0) for at in chosen]
        lost = [-known.flat[row[at]] * w for row, at, w in zip(rows, at_zero, counted, strict=True)]
        found = list(_of_classes(node, a, classes, rows, at_zero, counted, lost, bool(rest)))
        yield from found
        if found:
            return


def _of_classes(
    node: NodeView, a: Operand, classes: Operand, rows: list[list[int]], chosen: list[int], counted: list[float],
    lost: list[float], weighted: bool,
) -> Iterator[Explanation]:  # fmt: skip
    total, each = sum(counted), _("-its weight") if weighted else "-1"
    ways = []
    if len(node.incoming.flat) == len(rows) and node.gives(Grid(node.incoming.shape, tuple(lost))):
        ways.append(("{loss}", each, 1.0))
    elif node.incoming.shape == ():
        if total and _same(node, sum(lost) / total):
            ways.append((N_("mean of {loss}"), f"{each}/{total:g}" if total != 1 else each, total))
        if total != 1 and _same(node, sum(lost)):
            ways.append((N_("sum of {loss}"), each, 1.0))
    for word, slope, below in ways:
        arrive = {row[at]: (i, -w / below) for i, (row, at, w) in enumerate(zip(rows, chosen, counted, strict=True))}
        single = len(node.incoming.flat) == 1

        def row(
            i: int, arrive: dict[int, tuple[int, float]] = arrive, single: bool = single
        ) -> list[tuple[int, float]]:
            found = arrive.get(i)
            return [] if found is None else [(0 if single else found[0], found[1])]

        share = mixed(
            a,
            _("{slope} at the class that {classes} says, else 0", slope=slope, classes=classes.name),
            node.incoming,
            row,
        )
        yield Explanation(_(word, loss=f"-{a.name}[{classes.name}]"), [share])


def _same(node: NodeView, loss: float) -> bool:
    theirs = node.result.grid
    return theirs is not None and abs(theirs.flat[0] - loss) <= 1e-4 * max(abs(loss), 1.0)
