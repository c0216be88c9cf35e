"""Derivatives of products of matrices and vectors, in shapes.

Source: https://pytorch.org/docs/stable/torch.html (*BLAS and LAPACK Operations*), `torch.nn.functional.linear`, and
`tools/autograd/derivatives.yaml` in PyTorch.

Derivatives of scaled dot product attention: Y = P·V with P = softmax(Q·Kᵀ/√n), whole or from its pieces.

Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html

Derivatives of products of as many matrices as a batch has, in shapes.

Source: https://pytorch.org/docs/stable/torch.html (*BLAS and LAPACK Operations*), and `tools/autograd/derivatives.yaml`
in PyTorch."""

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
    Terms,
    explains,
    mixed,
    shape_text,
)
from tutor.explain.rules.scans import along_a_dimension, soft
from tutor.i18n import N_, _

OUTER = "grad(A) = G·Bᵀ, grad(B) = Aᵀ·G"


def product(target: Operand, formula: str, a: Grid, b: Grid, batch: int = 1) -> Product:
    """A product of matrices, or of as many as the batch has, that is the gradient of the target."""
    rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    if batch * rows * inner * columns > MOST_WORK:
        raise LookupError("too large to work out again")
    flat: list[float] = []
    for i in range(batch):
        one = Grid((rows, inner), a.flat[i * rows * inner : (i + 1) * rows * inner])
        other = Grid((inner, columns), b.flat[i * inner * columns : (i + 1) * inner * columns])
        flat.extend(one.matmul(other).flat)

    def terms(element: int) -> list[tuple[float, float]]:
        i, at = divmod(element, rows * columns)
        row, column = divmod(at, columns)
        left = a.flat[i * rows * inner + row * inner : i * rows * inner + (row + 1) * inner]
        right = b.flat[i * inner * columns + column : (i + 1) * inner * columns : columns]
        return list(zip(left, right, strict=True))

    shape: Shape = (*a.shape[:-1], columns)
    return Product(target, formula, Grid(shape, tuple(flat)), _shapes(shape, a.shape, b.shape), terms)


def _shapes(result: Shape, a: Shape, b: Shape) -> str:
    return f"{shape_text(result)} = {shape_text(a)}·{shape_text(b)}"


def scaled(share: Product | None, factor: float) -> Product | None:
    if share is None or factor == 1:
        return share
    inner = share.terms

    def terms(element: int) -> list[tuple[float, float]]:
        return [(x, factor * y) for x, y in inner(element)] if inner is not None else []

    known: Terms = terms
    return Product(
        share.target, f"{factor:g}·{share.formula}", share.grid.map(lambda x: factor * x), share.shapes, known
    )


def _of_left(node: NodeView, a: Operand, b: Operand) -> Product | None:
    """∂/∂A of A·B: the gradient times Bᵀ."""
    if b.grid is None:
        return None
    return product(a, f"G·{turned(b.name)}", node.incoming, b.grid.transpose())


def _of_right(node: NodeView, a: Operand, b: Operand) -> Product | None:
    """∂/∂B of A·B: Aᵀ times the gradient."""
    if a.grid is None:
        return None
    return product(b, f"{turned(a.name)}·G", a.grid.transpose(), node.incoming)


def turned(name: str) -> str:
    return name[:-1] if name.endswith("ᵀ") else name + "ᵀ"


def _transposed(operand: Operand) -> Operand:
    rows, columns = operand.shape
    grid = None if operand.grid is None else operand.grid.transpose()
    return Operand(turned(operand.name), (columns, rows), grid)


def _flattened(operand: Operand) -> Operand:
    """As the matrix that a product of more dimensions makes of its left side, all rows under each other."""
    if len(operand.shape) == 2:
        return operand
    shape = (count(operand.shape[:-1]), operand.shape[-1])
    grid = None if operand.grid is None else operand.grid.reshape(shape)
    return Operand(operand.name, shape, grid)


def _pair(node: NodeView) -> tuple[Operand, Operand]:
    """The two matrices of a product, whatever composite it is a part of."""
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
    """Y = A·B: grad(A) = G·Bᵀ, grad(B) = Aᵀ·G, with G the gradient of Y."""
    a, b = _pair(node)
    return Explanation(f"{a.name}·{b.name}", [_of_left(node, a, b), _of_right(node, a, b)])


@explains(
    "AddmmBackward0",
    general=lambda: _("Y = C + A·B: grad(C) = G summed over what C was stretched to, {rules}", rules=OUTER),
)
def addmm(node: NodeView) -> Iterator[Explanation]:
    """Y = β·C + α·A·B: grad(C) = G, summed over the rows that C was stretched to; A and B as in `mm`."""
    if node.op == "linear":
        (a, b), c = _pair(node), node.whole[2]
    else:
        c, a, b = node.operands[:3]
    found = None if node.inner or a.grid is None or b.grid is None else product(a, "", a.grid, b.grid).grid
    for alpha, beta in factors(node, found, c):
        bias = Local(c, f"{beta:g}", Grid.full(c.shape, beta))
        shares = [bias, scaled(_of_left(node, a, b), alpha), scaled(_of_right(node, a, b), alpha)]
        by = "" if alpha == 1 else f"{alpha:g}·"
        plus = "" if beta == 1 else f"{beta:g}·"
        yield Explanation(f"{by}{a.name}·{b.name} + {plus}{c.name}", shares)


def factors(node: NodeView, found: Grid | None, c: Operand) -> Iterator[tuple[float, float]]:
    """α and β of α·(the product found) + β·c: 1, or what the numbers say, by least squares."""
    y = node.result.grid
    if found is None or c.grid is None or y is None:
        yield 1.0, 1.0
        return
    base = c.grid.expand(found.shape)
    if node.gives(found.combine(base, lambda p, q: p + q)):
        yield 1.0, 1.0
        return
    pp, pq, qq = (sum(x * z for x, z in zip(*two, strict=True)) for two in
                  ((found.flat, found.flat), (found.flat, base.flat), (base.flat, base.flat)))  # fmt: skip
    py, qy = (sum(x * z for x, z in zip(one, y.flat, strict=True)) for one in (found.flat, base.flat))
    below = pp * qq - pq * pq
    alpha, beta = (float(f"{x / below:.4g}") for x in (py * qq - qy * pq, qy * pp - py * pq))
    if node.gives(found.combine(base, lambda p, q: alpha * p + beta * q)):
        yield alpha, beta


@explains("MvBackward0", general=N_("y = A·v: grad(A) = G by each element of v, grad(v) = Aᵀ·G"))
def mv(node: NodeView) -> Explanation:
    """y = A·v: grad(A) = g·vᵀ, grad(v) = Aᵀ·g."""
    a, v = (_flattened(node.whole[0]), node.whole[1]) if node.inner else node.operands[:2]
    return Explanation(f"{a.name}·{v.name}", _of_vector(node, a, v))


def _of_vector(node: NodeView, a: Operand, v: Operand) -> list[Product | None]:
    g = node.incoming.reshape((count(node.incoming.shape), 1))
    by_a = None if v.grid is None else product(a, f"G·{turned(v.name)}", g, v.grid.reshape((1, *v.shape)))
    by_v = None
    if a.grid is not None:
        found = product(v, f"{turned(a.name)}·G", a.grid.transpose(), g)
        by_v = Product(v, found.formula, found.grid.reshape(v.shape), found.shapes, found.terms)
    return [by_a, by_v]


@explains("DotBackward0", "VdotBackward0", general="y = Σ aᵢ·bᵢ: ∂y/∂a = b, ∂y/∂b = a")
def dot(node: NodeView) -> Explanation:
    """∂(Σ aᵢbᵢ)/∂a = b, ∂/∂b = a."""
    a, b = node.operands[:2]
    return Explanation(
        _("sum of {a}·{b}", a=a.name, b=b.name), [Local(a, b.name, b.numbers), Local(b, a.name, a.numbers)]
    )


@explains("TraceBackward0", general=N_("the sum of the diagonal: ∂y/∂a = 1 on the diagonal, else 0"))
def trace(node: NodeView) -> Explanation:
    """1 on the diagonal, else 0."""
    a = node.operands[0]
    columns = a.shape[1]
    share = mixed(a, _("1 on the diagonal, else 0"), node.incoming, lambda i: [(0, float(i // columns == i % columns))])
    return Explanation(_("sum of the diagonal of {a}", a=a.name), [share])


@explains("AddmvBackward0", general=N_("y = c + A·v: grad(c) = G, grad(A) = G by each element of v, grad(v) = Aᵀ·G"))
def addmv(node: NodeView) -> Explanation:
    """As `mv`, with what is added."""
    c, a, v = node.operands[:3]
    by_a, by_v = _of_vector(node, a, v)
    share = Local(c, "1", Grid.full(c.shape, 1.0))
    return Explanation(f"{c.name} + {a.name}·{v.name}", [share, by_a, by_v])


@explains("AddrBackward0", general="Y = C + a·bᵀ: grad(C) = G, grad(a) = G·b, grad(b) = Gᵀ·a")
def addr(node: NodeView) -> Explanation:
    """The product of a column and a row, added."""
    c, a, b = node.operands[:3]
    g = node.incoming
    columns = b.shape[0]
    by_a = mixed(a, f"G·{b.name}", g, lambda i: [(i * columns + j, x) for j, x in enumerate(b.numbers.flat)])
    by_b = mixed(b, f"Gᵀ·{a.name}", g, lambda j: [(i * columns + j, x) for i, x in enumerate(a.numbers.flat)])
    share = Local(c, "1", Grid.full(c.shape, 1.0))
    return Explanation(f"{c.name} + {a.name}·{turned(b.name)}", [share, by_a, by_b])


@explains("LinalgInvExBackward0", general="Y = A⁻¹: grad(A) = -Yᵀ·G·Yᵀ")
def inverse(node: NodeView) -> Explanation:
    """-Yᵀ·G·Yᵀ."""
    a, y = node.operands[0], node.result
    held, size = y.numbers.flat, a.shape[0]

    def row(element: int) -> list[tuple[int, float]]:
        """∂Y[k, l]/∂A[i, j] = -Y[k, i]·Y[j, l]."""
        i, j = divmod(element, size)
        return [
            (k * size + column, -held[k * size + i] * held[j * size + column])
            for k in range(size)
            for column in range(size)
        ]

    if len(a.shape) != 2:
        raise LookupError("a batch")
    name = turned(y.name)
    return Explanation(_("the inverse of {a}", a=a.name), [mixed(a, f"-{name}·G·{name}", node.incoming, row)])


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
