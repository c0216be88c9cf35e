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

_OUTER = "grad(A) = G·Bᵀ, grad(B) = Aᵀ·G"


def _product(target: Operand, formula: str, a: Grid, b: Grid, batch: int = 1) -> Product:
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


def _scaled(share: Product | None, factor: float) -> Product | None:
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
    return _product(a, f"G·{_turned(b.name)}", node.incoming, b.grid.transpose())


def _of_right(node: NodeView, a: Operand, b: Operand) -> Product | None:
    """∂/∂B of A·B: Aᵀ times the gradient."""
    if a.grid is None:
        return None
    return _product(b, f"{_turned(a.name)}·G", a.grid.transpose(), node.incoming)


def _turned(name: str) -> str:
    return name[:-1] if name.endswith("ᵀ") else name + "ᵀ"


def _transposed(operand: Operand) -> Operand:
    rows, columns = operand.shape
    grid = None if operand.grid is None else operand.grid.transpose()
    return Operand(_turned(operand.name), (columns, rows), grid)


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


@explains("MmBackward0", general=f"Y = A·B: {_OUTER}")
def mm(node: NodeView) -> Explanation:
    """Y = A·B: grad(A) = G·Bᵀ, grad(B) = Aᵀ·G, with G the gradient of Y."""
    a, b = _pair(node)
    return Explanation(f"{a.name}·{b.name}", [_of_left(node, a, b), _of_right(node, a, b)])


@explains("AddmmBackward0", general=f"Y = C + A·B: grad(C) = G summed over what C was stretched to, {_OUTER}")
def addmm(node: NodeView) -> Iterator[Explanation]:
    """Y = β·C + α·A·B: grad(C) = G, summed over the rows that C was stretched to; A and B as in `mm`."""
    if node.op == "linear":
        (a, b), c = _pair(node), node.whole[2]
    else:
        c, a, b = node.operands[:3]
    for alpha, beta in _factors(node, a, b, c):
        bias = Local(c, f"{beta:g}", Grid.full(c.shape, beta))
        shares = [bias, _scaled(_of_left(node, a, b), alpha), _scaled(_of_right(node, a, b), alpha)]
        by = "" if alpha == 1 else f"{alpha:g}·"
        plus = "" if beta == 1 else f"{beta:g}·"
        yield Explanation(f"{by}{a.name}·{b.name} + {plus}{c.name}", shares)


def _factors(node: NodeView, a: Operand, b: Operand, c: Operand) -> Iterator[tuple[float, float]]:
    """α and β: 1, or what the numbers say, by least squares."""
    y = node.result.grid
    if node.inner or a.grid is None or b.grid is None or c.grid is None or y is None:
        yield 1.0, 1.0
        return
    found = _product(a, "", a.grid, b.grid).grid
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


@explains("MvBackward0", general="y = A·v: grad(A) = G by each element of v, grad(v) = Aᵀ·G")
def mv(node: NodeView) -> Explanation:
    """y = A·v: grad(A) = g·vᵀ, grad(v) = Aᵀ·g."""
    a, v = (_flattened(node.whole[0]), node.whole[1]) if node.inner else node.operands[:2]
    g = node.incoming.reshape((count(node.incoming.shape), 1))
    by_a = None if v.grid is None else _product(a, f"G·{_turned(v.name)}", g, v.grid.reshape((1, *v.shape)))
    by_v = None
    if a.grid is not None:
        found = _product(v, f"{_turned(a.name)}·G", a.grid.transpose(), g)
        by_v = Product(v, found.formula, found.grid.reshape(v.shape), found.shapes, found.terms)
    return Explanation(f"{a.name}·{v.name}", [by_a, by_v])


@explains("DotBackward0", general="y = Σ aᵢ·bᵢ: ∂y/∂a = b, ∂y/∂b = a")
def dot(node: NodeView) -> Explanation:
    """∂(Σ aᵢbᵢ)/∂a = b, ∂/∂b = a."""
    a, b = node.operands[:2]
    return Explanation(f"sum of {a.name}·{b.name}", [Local(a, b.name, b.numbers), Local(b, a.name, a.numbers)])


@explains("BmmBackward0", general=f"Y = A·B for each of the batch: {_OUTER}")
def bmm(node: NodeView) -> Explanation:
    """As `mm`, for each matrix of the batch."""
    a, b = node.whole[:2] if node.inner else node.operands[:2]
    return Explanation(f"{a.name}·{b.name} for each of the batch", _batched(node, a, b))


@explains("BaddbmmBackward0", general=f"Y = C + A·B for each of the batch: grad(C) = G, {_OUTER}")
def baddbmm(node: NodeView) -> Explanation:
    """As `addmm`, for each matrix of the batch."""
    c, a, b = node.operands[:3]
    share = Local(c, "1", Grid.full(c.shape, 1.0))
    return Explanation(f"{a.name}·{b.name} + {c.name} for each of the batch", [share, *_batched(node, a, b)])


def _batched(node: NodeView, a: Operand, b: Operand) -> list[Product]:
    if node.op not in ("bmm", "baddbmm", "matmul"):
        raise LookupError(node.op)
    batch, rows, columns = node.incoming.shape
    inner = a.shape[-1]
    outer = a.numbers.expand((*_common(a, b), rows, inner)).reshape((batch, rows, inner))
    other = b.numbers.expand((*_common(a, b), inner, columns)).reshape((batch, inner, columns))
    left = a if not node.inner else Operand(a.name, outer.shape, outer)
    right = b if not node.inner else Operand(b.name, other.shape, other)
    shares = []
    for target, formula, one, two in (
        (left, f"G·{_turned(b.name)}", node.incoming, _each_turned(other)),
        (right, f"{_turned(a.name)}·G", _each_turned(outer), node.incoming),
    ):
        shares.append(_product(target, formula, one, two, batch))
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


@explains("TraceBackward0", general="the sum of the diagonal: ∂y/∂a = 1 on the diagonal, else 0")
def trace(node: NodeView) -> Explanation:
    """1 on the diagonal, else 0."""
    a = node.operands[0]
    columns = a.shape[1]
    share = mixed(a, "1 on the diagonal, else 0", node.incoming, lambda i: [(0, float(i // columns == i % columns))])
    return Explanation(f"sum of the diagonal of {a.name}", [share])
