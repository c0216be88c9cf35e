"""Derivatives of products of as many matrices as a batch has, in shapes.

Source: https://pytorch.org/docs/stable/torch.html (*BLAS and LAPACK Operations*), and `tools/autograd/derivatives.yaml`
in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator

from tutor.explain.attention import NAME, matrices_of
from tutor.explain.grid import Grid, Shape
from tutor.explain.matrices import OUTER, factors, product, scaled, turned
from tutor.explain.rules import Explanation, Local, NodeView, Operand, Product, explains
from tutor.i18n import _


@explains("BmmBackward0", general=lambda: _("Y = A·B for each of the batch: {rules}", rules=OUTER))
def bmm(node: NodeView) -> Iterator[Explanation]:
    """As `mm`, for each matrix of the batch."""
    if node.inner and node.op == NAME:
        pairs = [(a, b) for a, b in matrices_of(node) if (*a.shape[:2], b.shape[2]) == node.incoming.shape]
    else:
        pairs = [(node.whole[0], node.whole[1]) if node.inner else (node.operands[0], node.operands[1])]
    for a, b in pairs:
        yield Explanation(_("{a}·{b} for each of the batch", a=a.name, b=b.name), _batched(node, a, b))


@explains("BaddbmmBackward0", general=lambda: _("Y = C + A·B for each of the batch: grad(C) = G, {rules}", rules=OUTER))
def baddbmm(node: NodeView) -> Iterator[Explanation]:
    """As `addmm`, for each matrix of the batch."""
    c, a, b = node.operands[:3]
    shares = _batched(node, a, b)
    found = _products(a, b)
    for alpha, beta in factors(node, found, c):
        share = Local(c, f"{beta:g}", Grid.full(c.shape, beta))
        by, plus = ("" if one == 1 else f"{one:g}·" for one in (alpha, beta))
        yield Explanation(
            _("{by}{a}·{b} + {plus}{c} for each of the batch", by=by, a=a.name, b=b.name, plus=plus, c=c.name),
            [share, *(scaled(one, alpha) for one in shares)],
        )


def _products(a: Operand, b: Operand) -> Grid | None:
    """What the batch of products is."""
    if a.grid is None or b.grid is None or a.shape[0] != b.shape[0]:
        return None
    found = product(a, "", a.grid, b.grid, a.shape[0]).grid
    return found


def _batched(node: NodeView, a: Operand, b: Operand) -> list[Product]:
    batch, rows, columns = node.incoming.shape
    inner = a.shape[-1]
    outer = a.numbers.expand((*_common(a, b), rows, inner)).reshape((batch, rows, inner))
    other = b.numbers.expand((*_common(a, b), inner, columns)).reshape((batch, inner, columns))
    left = a if not node.inner else Operand(a.name, outer.shape, outer)
    right = b if not node.inner else Operand(b.name, other.shape, other)
    shares = []
    for target, formula, one, two in (
        (left, f"G·{turned(b.name)}", node.incoming, _each_turned(other)),
        (right, f"{turned(a.name)}·G", _each_turned(outer), node.incoming),
    ):
        shares.append(product(target, formula, one, two, batch))
    return shares


def _common(a: Operand, b: Operand) -> Shape:
    """The shape of the batch that two are stretched to."""
    first, second = a.shape[:-2], b.shape[:-2]
    empty = Grid.full(first, 0.0).combine(Grid.full(second, 0.0), lambda x, y: x)
    return empty.shape


def _each_turned(a: Grid) -> Grid:
    batch, rows, columns = a.shape
    size = rows * columns
    flat = [x for i in range(batch) for x in Grid((rows, columns), a.flat[i * size : (i + 1) * size]).transpose().flat]
    return Grid((batch, columns, rows), tuple(flat))
