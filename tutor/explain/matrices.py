"""Derivatives of products of matrices, in shapes."""

from __future__ import annotations

from tutor.explain.grid import Grid, Shape, count
from tutor.explain.rules import Explanation, Local, NodeView, Operand, Product, explains, shape_text

# Above this many multiplications the product is not worked out again, and so nothing is claimed of it.
_MOST_WORK = 200_000


def _product(a: Grid, b: Grid) -> Grid:
    if count(a.shape) * b.shape[-1] > _MOST_WORK:
        raise LookupError("too large to work out again")
    return a.matmul(b)


def _shapes(result: Shape, a: Shape, b: Shape) -> str:
    return f"{shape_text(result)} = {shape_text(a)}·{shape_text(b)}"


def _of_left(node: NodeView, a: Operand, b: Operand) -> Product | None:
    """∂/∂A of A·B: the gradient times Bᵀ."""
    if b.grid is None:
        return None
    turned = b.grid.transpose()
    found = _product(node.incoming, turned)
    return Product(a, f"G·{_turned(b.name)}", found, _shapes(found.shape, node.incoming.shape, turned.shape))


def _of_right(node: NodeView, a: Operand, b: Operand) -> Product | None:
    """∂/∂B of A·B: Aᵀ times the gradient."""
    if a.grid is None:
        return None
    turned = a.grid.transpose()
    found = _product(turned, node.incoming)
    return Product(b, f"{_turned(a.name)}·G", found, _shapes(found.shape, turned.shape, node.incoming.shape))


def _turned(name: str) -> str:
    return name[:-1] if name.endswith("ᵀ") else name + "ᵀ"


@explains("MmBackward0")
def mm(node: NodeView) -> Explanation:
    """Y = A·B: grad(A) = G·Bᵀ, grad(B) = Aᵀ·G, with G the gradient of Y."""
    a, b = (node.operands[0], _transposed(node.operands[1])) if node.op == "linear" else node.operands[:2]
    return Explanation(f"{a.name}·{b.name}", [_of_left(node, a, b), _of_right(node, a, b)])


@explains("AddmmBackward0")
def addmm(node: NodeView) -> Explanation:
    """Y = C + A·B: grad(C) = G, summed over the rows that C was stretched to; A and B as in `mm`."""
    if node.op == "linear":
        a, weight, c = node.operands[:3]
        b = _transposed(weight)
    else:
        c, a, b = node.operands[:3]
    bias = Local(c, "1", Grid.full(c.shape, 1.0))
    return Explanation(f"{a.name}·{b.name} + {c.name}", [bias, _of_left(node, a, b), _of_right(node, a, b)])


def _transposed(operand: Operand) -> Operand:
    rows, columns = operand.shape
    grid = None if operand.grid is None else operand.grid.transpose()
    return Operand(_turned(operand.name), (columns, rows), grid)
