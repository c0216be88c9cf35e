"""Derivatives of products of matrices and vectors, in shapes.

Source: https://pytorch.org/docs/stable/torch.html (*BLAS and LAPACK Operations*), `torch.nn.functional.linear`, and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator

from tutor.explain.grid import Grid, Shape, count
from tutor.explain.rules import (
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
