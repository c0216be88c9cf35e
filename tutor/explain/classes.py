"""Derivatives of the loss of classes: minus the log-probability of the right one.

Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html, and
`aten/src/ATen/native/LossNLL.cpp` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from tutor.explain.grid import Grid
from tutor.explain.rules import Explanation, NodeView, Operand, explains, mixed
from tutor.explain.running import lanes, soft
from tutor.i18n import N_, _


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
