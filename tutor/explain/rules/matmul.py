"""Derivative rules of products of matrices and vectors: mm, matmul, linear, addmm, mv, addmv, dot, vdot, addr, trace,
inverse, bmm, baddbmm, scaled_dot_product_attention (with its softmax).

The working is given in shapes.
Source: https://pytorch.org/docs/stable/torch.html (*BLAS and LAPACK Operations*), `torch.nn.functional.linear`,
https://pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html, and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tutor.explain.rules.arrays import Grid, Shape, count
from tutor.explain.rules.registry import (
    MOST_WORK,
    Explanation,
    Local,
    NodeView,
    Operand,
    Product,
    Share,
    Terms,
    explains,
    shape_text,
    vjp_from_rows,
    worked_out,
)
from tutor.explain.rules.scans import explain_softmax, softmax_rows
from tutor.i18n import N_, _

OUTER = "grad(A) = G·Bᵀ, grad(B) = Aᵀ·G"


def product(target: Operand, formula: str, a: Grid, b: Grid, batch: int = 1) -> Product:
    """Return a matrix product, or a batch of them, as the gradient of the target. Raises LookupError where it is too
    much work."""
    rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    if batch * rows * inner * columns > MOST_WORK:
        raise LookupError("too large to work out again")
    flat: list[float] = []
    for i in range(batch):
        left_matrix = Grid((rows, inner), a.flat[i * rows * inner : (i + 1) * rows * inner])
        right_matrix = Grid((inner, columns), b.flat[i * inner * columns : (i + 1) * inner * columns])
        flat.extend(left_matrix.matmul(right_matrix).flat)

    def terms(element: int) -> list[tuple[float, float]]:
        i, offset = divmod(element, rows * columns)
        row, column = divmod(offset, columns)
        row_values = a.flat[i * rows * inner + row * inner : i * rows * inner + (row + 1) * inner]
        column_values = b.flat[i * inner * columns + column : (i + 1) * inner * columns : columns]
        return list(zip(row_values, column_values, strict=True))

    shape: Shape = (*a.shape[:-1], columns)
    return worked_out(target, formula, Grid(shape, tuple(flat)), _shapes(shape, a.shape, b.shape), terms)


def _shapes(result: Shape, a: Shape, b: Shape) -> str:
    return f"{shape_text(result)} = {shape_text(a)}·{shape_text(b)}"


def scaled(share: Product | None, factor: float) -> Product | None:
    """Return a share multiplied by a factor."""
    if share is None or factor == 1:
        return share
    share_terms = share.terms

    def terms(element: int) -> list[tuple[float, float]]:
        return [(x, factor * y) for x, y in share_terms(element)] if share_terms is not None else []

    scaled_terms: Terms = terms
    return worked_out(
        share.target, f"{factor:g}·{share.formula}", share.grid.map(lambda x: factor * x), share.shapes, scaled_terms
    )


def _share_of_left(node: NodeView, a: Operand, b: Operand) -> Product | None:
    """Return the share of A in A·B: the gradient times Bᵀ."""
    if b.grid is None:
        return None
    return product(a, f"G·{transposed_name(b.name)}", node.incoming, b.grid.transpose())


def _share_of_right(node: NodeView, a: Operand, b: Operand) -> Product | None:
    """Return the share of B in A·B: Aᵀ times the gradient."""
    if a.grid is None:
        return None
    return product(b, f"{transposed_name(a.name)}·G", a.grid.transpose(), node.incoming)


def transposed_name(name: str) -> str:
    """Add ᵀ to a name, or take it away."""
    return name[:-1] if name.endswith("ᵀ") else name + "ᵀ"


def _transposed(operand: Operand) -> Operand:
    rows, columns = operand.shape
    grid = None if operand.grid is None else operand.grid.transpose()
    return Operand(transposed_name(operand.name), (columns, rows), grid)


def _flattened(operand: Operand) -> Operand:
    """Return an operand as a matrix: leading dimensions become rows, as in the left side of a product."""
    if len(operand.shape) == 2:
        return operand
    shape = (count(operand.shape[:-1]), operand.shape[-1])
    grid = None if operand.grid is None else operand.grid.reshape(shape)
    return Operand(operand.name, shape, grid)


def _matrices(node: NodeView) -> tuple[Operand, Operand]:
    """Return the two matrices of a product, also inside a composite."""
    if node.op == "linear":
        return _flattened(node.whole[0]), _transposed(node.whole[1])
    if not node.inner:
        return node.operands[0], node.operands[1]
    a, b = node.whole[:2]
    if len(b.shape) != 2:
        raise LookupError(b.name)
    return _flattened(a), b


@explains("MmBackward0", general=f"Y = A·B: {OUTER}")
def mm(node: NodeView) -> Explanation:
    """Explain Y = A·B: grad(A) = G·Bᵀ, grad(B) = Aᵀ·G."""
    a, b = _matrices(node)
    return Explanation(f"{a.name}·{b.name}", [_share_of_left(node, a, b), _share_of_right(node, a, b)])


@explains(
    "AddmmBackward0",
    general=lambda: _("Y = C + A·B: grad(C) = G summed over what C was stretched to, {rules}", rules=OUTER),
)
def addmm(node: NodeView) -> Iterator[Explanation]:
    """Explain Y = β·C + α·A·B: grad(C) = G, summed over the rows that C was stretched to; A and B as in `mm`."""
    if node.op == "linear":
        (a, b), c = _matrices(node), node.whole[2]
    else:
        c, a, b = node.operands[:3]
    values = None if node.inner or a.grid is None or b.grid is None else product(a, "", a.grid, b.grid).grid
    for alpha, beta in find_alpha_beta(node, values, c):
        bias = Local(c, f"{beta:g}", Grid.full(c.shape, beta))
        shares = [bias, scaled(_share_of_left(node, a, b), alpha), scaled(_share_of_right(node, a, b), alpha)]
        alpha_text = "" if alpha == 1 else f"{alpha:g}·"
        beta_text = "" if beta == 1 else f"{beta:g}·"
        yield Explanation(f"{alpha_text}{a.name}·{b.name} + {beta_text}{c.name}", shares)


def find_alpha_beta(node: NodeView, products: Grid | None, c: Operand) -> Iterator[tuple[float, float]]:
    """Yield α and β of α·(the product) + β·c: 1, or what the result shows by least squares.

    Args:
        node: The node of the operation.
        products: The product; None where it is not known.
        c: What is added.
    """
    y = node.result.grid
    if products is None or c.grid is None or y is None:
        yield 1.0, 1.0
        return
    addend = c.grid.expand(products.shape)
    if node.gives(products.combine(addend, lambda p, q: p + q)):
        yield 1.0, 1.0
        return
    p, q = products.flat, addend.flat
    pp, pq, qq = (sum(x * z for x, z in zip(*pair, strict=True)) for pair in ((p, p), (p, q), (q, q)))
    py, qy = (sum(x * z for x, z in zip(left, y.flat, strict=True)) for left in (p, q))
    determinant = pp * qq - pq * pq
    alpha, beta = (float(f"{x / determinant:.4g}") for x in (py * qq - qy * pq, qy * pp - py * pq))
    if node.gives(products.combine(addend, lambda p, q: alpha * p + beta * q)):
        yield alpha, beta


@explains("MvBackward0", general=N_("y = A·v: grad(A) = G by each element of v, grad(v) = Aᵀ·G"))
def mv(node: NodeView) -> Explanation:
    """Explain y = A·v: grad(A) = g·vᵀ, grad(v) = Aᵀ·g."""
    a, v = (_flattened(node.whole[0]), node.whole[1]) if node.inner else node.operands[:2]
    return Explanation(f"{a.name}·{v.name}", _shares_of_mv(node, a, v))


def _shares_of_mv(node: NodeView, a: Operand, v: Operand) -> list[Share | None]:
    g = node.incoming.reshape((count(node.incoming.shape), 1))
    share_a = None if v.grid is None else product(a, f"G·{transposed_name(v.name)}", g, v.grid.reshape((1, *v.shape)))
    share_v = None
    if a.grid is not None:
        share = product(v, f"{transposed_name(a.name)}·G", a.grid.transpose(), g)
        share_v = worked_out(v, share.formula, share.grid.reshape(v.shape), share.shapes, share.terms)
    return [share_a, share_v]


@explains("DotBackward0", "VdotBackward0", general="y = Σ aᵢ·bᵢ: ∂y/∂a = b, ∂y/∂b = a")
def dot(node: NodeView) -> Explanation:
    """Explain dot: ∂(Σ aᵢbᵢ)/∂a = b, ∂/∂b = a."""
    a, b = node.operands[:2]
    return Explanation(
        _("sum of {a}·{b}", a=a.name, b=b.name), [Local(a, b.name, b.numbers), Local(b, a.name, a.numbers)]
    )


@explains("TraceBackward0", general=N_("the sum of the diagonal: ∂y/∂a = 1 on the diagonal, else 0"))
def trace(node: NodeView) -> Explanation:
    """Explain trace: 1 on the diagonal, else 0."""
    a = node.operands[0]
    columns = a.shape[1]
    share = vjp_from_rows(
        a, _("1 on the diagonal, else 0"), node.incoming, lambda i: [(0, float(i // columns == i % columns))]
    )
    return Explanation(_("sum of the diagonal of {a}", a=a.name), [share])


@explains("AddmvBackward0", general=N_("y = c + A·v: grad(c) = G, grad(A) = G by each element of v, grad(v) = Aᵀ·G"))
def addmv(node: NodeView) -> Explanation:
    """Explain c + A·v, as `mv`."""
    c, a, v = node.operands[:3]
    by_a, by_v = _shares_of_mv(node, a, v)
    share = Local(c, "1", Grid.full(c.shape, 1.0))
    return Explanation(f"{c.name} + {a.name}·{v.name}", [share, by_a, by_v])


@explains("AddrBackward0", general="Y = C + a·bᵀ: grad(C) = G, grad(a) = G·b, grad(b) = Gᵀ·a")
def addr(node: NodeView) -> Explanation:
    """Explain C + a·bᵀ."""
    c, a, b = node.operands[:3]
    g = node.incoming
    columns = b.shape[0]
    by_a = vjp_from_rows(a, f"G·{b.name}", g, lambda i: [(i * columns + j, x) for j, x in enumerate(b.numbers.flat)])
    by_b = vjp_from_rows(b, f"Gᵀ·{a.name}", g, lambda j: [(i * columns + j, x) for i, x in enumerate(a.numbers.flat)])
    share = Local(c, "1", Grid.full(c.shape, 1.0))
    return Explanation(f"{c.name} + {a.name}·{transposed_name(b.name)}", [share, by_a, by_b])


@explains("LinalgInvExBackward0", general="Y = A⁻¹: grad(A) = -Yᵀ·G·Yᵀ")
def inverse(node: NodeView) -> Explanation:
    """Explain the inverse: -Yᵀ·G·Yᵀ."""
    a, y = node.operands[0], node.result
    y_values, size = y.numbers.flat, a.shape[0]

    def row(element: int) -> list[tuple[int, float]]:
        """∂Y[k, l]/∂A[i, j] = -Y[k, i]·Y[j, l]."""
        i, j = divmod(element, size)
        return [
            (k * size + column, -y_values[k * size + i] * y_values[j * size + column])
            for k in range(size)
            for column in range(size)
        ]

    if len(a.shape) != 2:
        raise LookupError("a batch")
    name = transposed_name(y.name)
    return Explanation(_("the inverse of {a}", a=a.name), [vjp_from_rows(a, f"-{name}·G·{name}", node.incoming, row)])


# ---------------------------------------------------------------- attention

NAME = "scaled_dot_product_attention"
"""Name of the composite."""
_PROBABILITY_TEXTS = ("P = softmax({scores})", N_("P = softmax({scores}, only of what came before)"))


@dataclass(frozen=True)
class Attention:
    """Intermediate results of attention, as batches of matrices. Q and K are each multiplied by `scale`, their product
    by its square."""

    q: Grid
    k: Grid
    v: Grid
    scores: Grid
    p: Grid
    scale: float
    said: str
    """What is to be said of where it looks, with a blank for the `{scores}`."""


def attention_pieces(whole: Sequence[Operand]) -> Iterator[Attention]:
    """Yield the intermediates without a mask, and with the causal one. Raises LookupError where it is too much work."""
    q, k, v = (_batch(operand) for operand in whole[:3])
    batch, rows, width = q.shape
    columns = k.shape[1]
    if batch * rows * columns * width > MOST_WORK:
        raise LookupError("too large to work out again")
    scale = width**-0.25
    flat: list[float] = []
    for i in range(batch):
        flat += _matrix(q, i).matmul(_matrix(k, i).transpose()).flat
    for causal in (False, True):
        masked_scores = [x * scale * scale if not causal or at % columns <= at // columns % rows else -math.inf
                for at, x in enumerate(flat)]  # fmt: skip
        scores = Grid((batch, rows, columns), tuple(masked_scores))
        rows_of_scores = [list(range(start, start + columns)) for start in range(0, len(masked_scores), columns)]
        p = Grid(scores.shape, tuple(softmax_rows(scores, rows_of_scores)))
        yield Attention(_scaled(q, scale), _scaled(k, scale), v, scores, p, scale, _PROBABILITY_TEXTS[causal])


def _scaled(grid: Grid, by: float) -> Grid:
    return grid.map(lambda x: by * x)


def _batch(operand: Operand) -> Grid:
    """Return an operand as a batch of matrices: all leading dimensions become one."""
    return operand.numbers.reshape((count(operand.shape[:-2]), *operand.shape[-2:]))


def _matrix(batch: Grid, i: int) -> Grid:
    """Return matrix `i` of a batch."""
    size = count(batch.shape[1:])
    return Grid(batch.shape[1:], batch.flat[i * size : (i + 1) * size])


@explains("ScaledDotProductFlashAttentionForCpuBackward0",
          general="Y = P·V, P = softmax(Q·Kᵀ/√n): grad(V) = Pᵀ·G, grad(Q) = S·K/√n, S = P·(G·Vᵀ - Σ)")  # fmt: skip
def attention(node: NodeView) -> Iterator[Explanation]:
    """Explain attention: softmax between two matrix products."""
    if node.inner and node.op != NAME:
        return
    q, k, v = node.whole[:3]
    for pieces in attention_pieces(node.whole):
        if not node.gives(_batch_product(node, pieces.p, pieces.v)):
            continue
        gradients: tuple[list[float], list[float], list[float]] = ([], [], [])
        incoming = node.incoming.reshape((pieces.p.shape[0], pieces.p.shape[1], pieces.v.shape[2]))
        scale = pieces.scale
        for i in range(pieces.p.shape[0]):
            p, g = _matrix(pieces.p, i), _matrix(incoming, i)
            p_gradients = g.matmul(_matrix(pieces.v, i).transpose())
            width = p.shape[1]
            score_gradients = []
            for at, (x, y) in enumerate(zip(p.flat, p_gradients.flat, strict=True)):
                row = at // width * width
                values, gradients_of_row = p.flat[row : row + width], p_gradients.flat[row : row + width]
                score_gradients.append(x * (y - sum(a * b for a, b in zip(values, gradients_of_row, strict=True))))
            scores = Grid(p.shape, tuple(score_gradients))
            gradients[0].extend(x * scale for x in scores.matmul(_matrix(pieces.k, i)).flat)
            gradients[1].extend(x * scale for x in scores.transpose().matmul(_matrix(pieces.q, i)).flat)
            gradients[2].extend(p.transpose().matmul(g).flat)
        root = f"√{q.shape[-1]}"
        inner = _(pieces.said, scores=f"{q.name}·{k.name}ᵀ/{root}")
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
        shares = [
            worked_out(target, formula, Grid(target.shape, tuple(flat)), "")
            for target, formula, flat in zip(node.operands[:3], formulas, gradients, strict=True)
        ]  # fmt: skip
        yield Explanation(_("P·{v}, with {inner}", v=v.name, inner=inner), shares)
        if not node.inner:
            return


@explains("SafeSoftmaxBackward0", general=N_("y = softmax(a): grad(a) = y·(G - Σ y·G), the sum along the dimension"))
def safe_softmax(node: NodeView) -> Iterator[Explanation]:
    """Explain the softmax inside attention, or anywhere else as `softmax`."""
    if not node.inner or node.op != NAME:
        yield explain_softmax(node)
        return
    for pieces in attention_pieces(node.whole):
        scores = Operand(_("the scores"), node.incoming.shape, pieces.scores.reshape(node.incoming.shape))
        p = Operand("P", scores.shape, pieces.p.reshape(scores.shape))
        yield explain_softmax(replace(node, operands=(scores,), result=p, inner=False, attributes={"dim": -1}))


def _batch_product(node: NodeView, a: Grid, b: Grid) -> Grid:
    """Return the product of each pair of matrices."""
    flat = [x for i in range(a.shape[0]) for x in _matrix(a, i).matmul(_matrix(b, i)).flat]
    return Grid.of(node.incoming.shape, flat)


def attention_matrices(node: NodeView) -> Iterator[tuple[Operand, Operand]]:
    """Yield the factors of the two products in attention: P and V, Q and Kᵀ."""
    for pieces in attention_pieces(node.whole):
        q, k, v = (operand.name for operand in node.whole[:3])
        k_transposed = Grid((pieces.k.shape[0], pieces.k.shape[2], pieces.k.shape[1]), tuple(
            x for i in range(pieces.k.shape[0]) for x in _matrix(pieces.k, i).transpose().flat
        ))  # fmt: skip
        yield Operand("P", pieces.p.shape, pieces.p), Operand(v, pieces.v.shape, pieces.v)
        yield (
            Operand(f"({q}/⁴√{pieces.q.shape[-1]})", pieces.q.shape, pieces.q),
            Operand(f"({k}ᵀ/⁴√{pieces.q.shape[-1]})", k_transposed.shape, k_transposed),
        )


# ---------------------------------------------------------------- batches


@explains("BmmBackward0", general=lambda: _("Y = A·B for each of the batch: {rules}", rules=OUTER))
def bmm(node: NodeView) -> Iterator[Explanation]:
    """Explain bmm: as `mm`, for each matrix of the batch."""
    if node.inner and node.op == NAME:
        pairs = [(a, b) for a, b in attention_matrices(node) if (*a.shape[:2], b.shape[2]) == node.incoming.shape]
    else:
        pairs = [(node.whole[0], node.whole[1]) if node.inner else (node.operands[0], node.operands[1])]
    for a, b in pairs:
        yield Explanation(_("{a}·{b} for each of the batch", a=a.name, b=b.name), _explain_batch(node, a, b))


@explains("BaddbmmBackward0", general=lambda: _("Y = C + A·B for each of the batch: grad(C) = G, {rules}", rules=OUTER))
def baddbmm(node: NodeView) -> Iterator[Explanation]:
    """Explain baddbmm: as `addmm`, for each matrix of the batch."""
    c, a, b = node.operands[:3]
    shares = _explain_batch(node, a, b)
    products = _batch_product_of(a, b)
    for alpha, beta in find_alpha_beta(node, products, c):
        share = Local(c, f"{beta:g}", Grid.full(c.shape, beta))
        alpha_text, beta_text = ("" if factor == 1 else f"{factor:g}·" for factor in (alpha, beta))
        yield Explanation(
            _(
                "{by}{a}·{b} + {plus}{c} for each of the batch",
                by=alpha_text,
                a=a.name,
                b=b.name,
                plus=beta_text,
                c=c.name,
            ),
            [share, *(scaled(product_share, alpha) for product_share in shares)],
        )


def _batch_product_of(a: Operand, b: Operand) -> Grid | None:
    """Return the batch of products; None where it is not known."""
    if a.grid is None or b.grid is None or a.shape[0] != b.shape[0]:
        return None
    return product(a, "", a.grid, b.grid, a.shape[0]).grid


def _explain_batch(node: NodeView, a: Operand, b: Operand) -> list[Product]:
    """Return the shares of both factors."""
    batch, rows, columns = node.incoming.shape
    inner = a.shape[-1]
    a_batch = a.numbers.expand((*_common_batch_shape(a, b), rows, inner)).reshape((batch, rows, inner))
    b_batch = b.numbers.expand((*_common_batch_shape(a, b), inner, columns)).reshape((batch, inner, columns))
    left = a if not node.inner else Operand(a.name, a_batch.shape, a_batch)
    right = b if not node.inner else Operand(b.name, b_batch.shape, b_batch)
    shares = []
    for target, formula, first, second in (
        (left, f"G·{transposed_name(b.name)}", node.incoming, _transpose_each(b_batch)),
        (right, f"{transposed_name(a.name)}·G", _transpose_each(a_batch), node.incoming),
    ):
        shares.append(product(target, formula, first, second, batch))
    return shares


def _common_batch_shape(a: Operand, b: Operand) -> Shape:
    """Return the shape that the batch dimensions of two operands are broadcast to."""
    first, second = a.shape[:-2], b.shape[:-2]
    empty = Grid.full(first, 0.0).combine(Grid.full(second, 0.0), lambda x, y: x)
    return empty.shape


def _transpose_each(a: Grid) -> Grid:
    """Transpose each matrix of a batch."""
    batch, rows, columns = a.shape
    size = rows * columns
    flat = [x for i in range(batch) for x in Grid((rows, columns), a.flat[i * size : (i + 1) * size]).transpose().flat]
    return Grid((batch, columns, rows), tuple(flat))
