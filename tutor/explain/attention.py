"""Derivatives of scaled dot product attention: Y = P·V with P = softmax(Q·Kᵀ/√n), whole or from its pieces.

Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tutor.explain.grid import Grid, count
from tutor.explain.rules import MOST_WORK, Explanation, NodeView, Operand, Product, explains, shape_text
from tutor.explain.running import along_a_dimension, soft
from tutor.i18n import N_, _

NAME = "scaled_dot_product_attention"
_CAUSAL = ("P = softmax({scores})", N_("P = softmax({scores}, only of what came before)"))


@dataclass(frozen=True)
class Attention:
    """Its pieces, as matrices of a batch. `scale` stands before Q and before K; their product has its square."""

    q: Grid
    k: Grid
    v: Grid
    scores: Grid
    p: Grid
    scale: float
    said: str
    """What is to be said of where it looks, with a blank for the `{scores}`."""


def pieces(whole: Sequence[Operand]) -> Iterator[Attention]:
    """With every place looked at, and with those before it alone."""
    q, k, v = (_batch(one) for one in whole[:3])
    many, rows, width = q.shape
    columns = k.shape[1]
    if many * rows * columns * width > MOST_WORK:
        raise LookupError("too large to work out again")
    scale = width**-0.25
    flat: list[float] = []
    for i in range(many):
        flat += _matrix(q, i).matmul(_matrix(k, i).transpose()).flat
    for causal in (False, True):
        kept = [x * scale * scale if not causal or at % columns <= at // columns % rows else -math.inf
                for at, x in enumerate(flat)]  # fmt: skip
        scores = Grid((many, rows, columns), tuple(kept))
        lanes = [list(range(start, start + columns)) for start in range(0, len(kept), columns)]
        p = Grid(scores.shape, tuple(soft(scores, lanes)))
        yield Attention(_scaled(q, scale), _scaled(k, scale), v, scores, p, scale, _CAUSAL[causal])


def _scaled(grid: Grid, by: float) -> Grid:
    return grid.map(lambda x: by * x)


def _batch(operand: Operand) -> Grid:
    """All that comes before the last two dimensions is the batch."""
    return operand.numbers.reshape((count(operand.shape[:-2]), *operand.shape[-2:]))


def _matrix(batch: Grid, i: int) -> Grid:
    size = count(batch.shape[1:])
    return Grid(batch.shape[1:], batch.flat[i * size : (i + 1) * size])


@explains("ScaledDotProductFlashAttentionForCpuBackward0",
          general="Y = P·V, P = softmax(Q·Kᵀ/√n): grad(V) = Pᵀ·G, grad(Q) = S·K/√n, S = P·(G·Vᵀ - Σ)")  # fmt: skip
def attention(node: NodeView) -> Iterator[Explanation]:
    """As `softmax` between two products of matrices; inside a composite it gets them in the shape of a batch."""
    if node.inner and node.op != NAME:
        return
    q, k, v = node.whole[:3]
    for held in pieces(node.whole):
        if not node.gives(_each(node, held.p, held.v)):
            continue
        sent: tuple[list[float], list[float], list[float]] = ([], [], [])
        came = node.incoming.reshape((held.p.shape[0], held.p.shape[1], held.v.shape[2]))
        by = held.scale
        for i in range(held.p.shape[0]):
            p, g = _matrix(held.p, i), _matrix(came, i)
            moved = g.matmul(_matrix(held.v, i).transpose())
            width = p.shape[1]
            s = []
            for at, (x, y) in enumerate(zip(p.flat, moved.flat, strict=True)):
                row = at // width * width
                s.append(x * (y - sum(a * b for a, b in zip(p.flat[row : row + width], moved.flat[row : row + width],
                                                            strict=True))))  # fmt: skip
            scores = Grid(p.shape, tuple(s))
            sent[0].extend(x * by for x in scores.matmul(_matrix(held.k, i)).flat)
            sent[1].extend(x * by for x in scores.transpose().matmul(_matrix(held.q, i)).flat)
            sent[2].extend(p.transpose().matmul(g).flat)
        root = f"√{q.shape[-1]}"
        inner = _(held.said, scores=f"{q.name}·{k.name}ᵀ/{root}")
        formulas = (
            _(
                "S·{k}/{root}, with S = P·(G·{v}ᵀ - its sum over P), {inner}",
                k=k.name,
                root=root,
                v=v.name,
                inner=inner,
            ),
            _("Sᵀ·{q}/{root}, with S as for {q}, which comes of G", q=q.name, root=root),
            _("Pᵀ·G, with {inner}", inner=inner),
        )
        came_as = shape_text(node.incoming.shape)
        shares = [
            Product(target, formula, Grid(target.shape, tuple(flat)), f"{came_as} → {shape_text(target.shape)}")
            for target, formula, flat in zip(node.operands[:3], formulas, sent, strict=True)
        ]  # fmt: skip
        yield Explanation(_("P·{v}, with {inner}", v=v.name, inner=inner), shares)
        if not node.inner:
            return


@explains("SafeSoftmaxBackward0", general=N_("y = softmax(a): grad(a) = y·(G - Σ y·G), the sum along the dimension"))
def safe_softmax(node: NodeView) -> Iterator[Explanation]:
    """The softmax between two products of matrices."""
    if not node.inner or node.op != NAME:
        yield from along_a_dimension(node)
        return
    for held in pieces(node.whole):
        scores = Operand(_("the scores"), node.incoming.shape, held.scores.reshape(node.incoming.shape))
        p = Operand("P", scores.shape, held.p.reshape(scores.shape))
        yield from along_a_dimension(replace(node, operands=(scores,), result=p, inner=False))


def _each(node: NodeView, a: Grid, b: Grid) -> Grid:
    flat = [x for i in range(a.shape[0]) for x in _matrix(a, i).matmul(_matrix(b, i)).flat]
    return Grid.of(node.incoming.shape, flat)


def matrices_of(node: NodeView) -> Iterator[tuple[Operand, Operand]]:
    """The two that are multiplied in a piece of attention, as the shapes show: P and V, or Q and Kᵀ."""
    for held in pieces(node.whole):
        q, k, v = (one.name for one in node.whole[:3])
        turned = Grid((held.k.shape[0], held.k.shape[2], held.k.shape[1]), tuple(
            x for i in range(held.k.shape[0]) for x in _matrix(held.k, i).transpose().flat
        ))  # fmt: skip
        yield Operand("P", held.p.shape, held.p), Operand(v, held.v.shape, held.v)
        yield (
            Operand(f"({q}/⁴√{held.q.shape[-1]})", held.q.shape, held.q),
            Operand(f"({k}ᵀ/⁴√{held.q.shape[-1]})", turned.shape, turned),
        )
