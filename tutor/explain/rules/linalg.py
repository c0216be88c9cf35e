"""Derivative rules of linear algebra.

- products: mm, matmul, linear, addmm, mv, addmv, dot, vdot, addr, bmm, baddbmm, cross
- of a square matrix: trace, inverse, det, slogdet, cholesky, eigh, matrix_exp
- solve, solve_triangular, pinv, and singular values

einsum, inner, outer, kron, tensordot, matrix_power, multi_dot and the norms of matrices are composites of these and of
other nodes. The working of a product is given in shapes.
Source: https://pytorch.org/docs/stable/torch.html (*BLAS and LAPACK Operations*),
https://pytorch.org/docs/stable/linalg.html, `torch.nn.functional.linear`, and `tools/autograd/derivatives.yaml`,
`torch/csrc/autograd/FunctionsManual.cpp` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tutor.explain.rules.arrays import MOST_WORK, Grid, Shape, count
from tutor.explain.rules.registry import (
    Explanation,
    Factor,
    NodeView,
    Operand,
    Share,
    elementwise,
    explains,
    sparse,
)
from tutor.i18n import N_, _
from tutor.trace.number_format import number

_MOST_SWEEPS = 12
"""Of rotations, after which a matrix is diagonal up to rounding."""
OUTER = "grad(A) = G·Bᵀ, grad(B) = Aᵀ·G"


# ---------------------------------------------------------------- products


def transposed_name(name: str) -> str:
    """Add ᵀ to a name, or take it away."""
    return name[:-1] if name.endswith("ᵀ") else name + "ᵀ"


def _factor(by: float) -> str:
    """Return a factor as text; nothing for 1."""
    return "" if by == 1 else f"{number(by)}·"


def _incoming(shape: Shape) -> Factor:
    return Factor("G", shape, None)


def _product_shares(node: NodeView, a: Operand, b: Operand, alpha: float = 1.0) -> list[Share | None]:
    """Return the shares of A and B in α·A·B, of matrices or of each of a batch: α·G·Bᵀ and α·Aᵀ·G."""
    incoming, by = _incoming(node.incoming.shape), _factor(alpha)
    y, texts = _element_of(node.result.name), (f"{_element_of(a.name)}[i,k]", f"{_element_of(b.name)}[k,j]")
    shares: list[Share | None] = [None, None]
    if b.grid is not None:
        right = b.grid.transpose().map(lambda x: alpha * x)
        factors = (incoming, Factor(f"{by}{transposed_name(b.name)}", right.shape, right))
        reason = _("because each {y}[i,j] took {own} times {other}", y=y, own=texts[0], other=texts[1]) * (alpha == 1)
        shares[0] = Share(a, f"{by}G·{transposed_name(b.name)}", lambda g: g.matmul(right), None, factors, reason)
    if a.grid is not None:
        left = a.grid.transpose().map(lambda x: alpha * x)
        factors = (Factor(f"{by}{transposed_name(a.name)}", left.shape, left), incoming)
        reason = _("because each {y}[i,j] took {own} times {other}", y=y, own=texts[1], other=texts[0]) * (alpha == 1)
        shares[1] = Share(b, f"{by}{transposed_name(a.name)}·G", lambda g: left.matmul(g), None, factors, reason)
    return shares


def _element_of(name: str) -> str:
    """Return a name before an index: `Y` for a result without a name."""
    return "Y" if name.startswith("%") or not name else name


@explains("MmBackward0", general=f"Y = A·B: {OUTER}")
def mm(node: NodeView) -> Explanation:
    """Explain Y = A·B: grad(A) = G·Bᵀ, grad(B) = Aᵀ·G."""
    a, b = node.operands[:2]
    return Explanation(f"{a.name}·{b.name}", _product_shares(node, a, b))


@explains("BmmBackward0", general=lambda: _("Y = A·B for each of the batch: {rules}", rules=OUTER))
def bmm(node: NodeView) -> Explanation:
    """Explain bmm: as `mm`, for each matrix of the batch."""
    a, b = node.operands[:2]
    equation = _("{a}·{b} for each of the batch", a=a.name, b=b.name)
    return Explanation(equation, _product_shares(node, a, b))


@explains(
    "AddmmBackward0",
    general=lambda: _("Y = C + A·B: grad(C) = G summed over what C was stretched to, {rules}", rules=OUTER),
)
def addmm(node: NodeView) -> Explanation:
    """Explain Y = β·C + α·A·B: grad(C) = β·G, summed over the rows that C was stretched to; A and B as in `mm`."""
    alpha, beta = node.attributes["alpha"], node.attributes["beta"]
    c, a, b = node.operands[:3]
    shares = [elementwise(c, number(beta), Grid.full(c.shape, float(beta))), *_product_shares(node, a, b, alpha)]
    return Explanation(f"{_factor(alpha)}{a.name}·{b.name} + {_factor(beta)}{c.name}", shares)


@explains("BaddbmmBackward0", general=lambda: _("Y = C + A·B for each of the batch: grad(C) = G, {rules}", rules=OUTER))
def baddbmm(node: NodeView) -> Explanation:
    """Explain baddbmm: as `addmm`, for each matrix of the batch."""
    alpha, beta = node.attributes["alpha"], node.attributes["beta"]
    c, a, b = node.operands[:3]
    shares = [elementwise(c, number(beta), Grid.full(c.shape, float(beta))), *_product_shares(node, a, b, alpha)]
    equation = _(
        "{by}{a}·{b} + {plus}{c} for each of the batch",
        by=_factor(alpha), a=a.name, b=b.name, plus=_factor(beta), c=c.name,
    )  # fmt: skip
    return Explanation(equation, shares)


def _mv_shares(node: NodeView, a: Operand, v: Operand, alpha: float = 1.0) -> list[Share | None]:
    """Return the shares of A and v in α·A·v: α·G·vᵀ and α·Aᵀ·G."""
    g, by = (count(node.incoming.shape), 1), _factor(alpha)
    y, texts = _element_of(node.result.name), (f"{_element_of(a.name)}[i,k]", f"{_element_of(v.name)}[k]")
    shares: list[Share | None] = [None, None]
    if v.grid is not None:
        row = v.grid.reshape((1, *v.shape)).map(lambda x: alpha * x)
        factors = (_incoming(g), Factor(f"{by}{transposed_name(v.name)}", row.shape, row))
        reason = _("because each {y}[i] took {own} times {other}", y=y, own=texts[0], other=texts[1]) * (alpha == 1)
        shares[0] = Share(
            a, f"{by}G·{transposed_name(v.name)}", lambda grad: grad.reshape(g).matmul(row), None, factors, reason
        )
    if a.grid is not None:
        left = a.grid.transpose().map(lambda x: alpha * x)
        factors = (Factor(f"{by}{transposed_name(a.name)}", left.shape, left), _incoming(g))
        reason = _("because each {y}[i] took {own} times {other}", y=y, own=texts[1], other=texts[0]) * (alpha == 1)
        shares[1] = Share(
            v, f"{by}{transposed_name(a.name)}·G", lambda grad: left.matmul(grad.reshape(g)).reshape(v.shape), None,
            factors, reason,
        )  # fmt: skip
    return shares


@explains("MvBackward0", general=N_("y = A·v: grad(A) = G by each element of v, grad(v) = Aᵀ·G"))
def mv(node: NodeView) -> Explanation:
    """Explain y = A·v: grad(A) = g·vᵀ, grad(v) = Aᵀ·g."""
    a, v = node.operands[:2]
    return Explanation(f"{a.name}·{v.name}", _mv_shares(node, a, v))


@explains("AddmvBackward0", general=N_("y = c + A·v: grad(c) = G, grad(A) = G by each element of v, grad(v) = Aᵀ·G"))
def addmv(node: NodeView) -> Explanation:
    """Explain β·c + α·A·v, as `mv`."""
    alpha, beta = node.attributes["alpha"], node.attributes["beta"]
    c, a, v = node.operands[:3]
    shares = [elementwise(c, number(beta), Grid.full(c.shape, float(beta))), *_mv_shares(node, a, v, alpha)]
    return Explanation(f"{_factor(beta)}{c.name} + {_factor(alpha)}{a.name}·{v.name}", shares)


@explains("DotBackward0", "VdotBackward0", general="y = Σ aᵢ·bᵢ: ∂y/∂a = b, ∂y/∂b = a")
def dot(node: NodeView) -> Explanation:
    """Explain dot: ∂(Σ aᵢbᵢ)/∂a = b, ∂/∂b = a."""
    a, b = node.operands[:2]
    shares = [
        None if other.grid is None else elementwise(target, other.name, other.grid)
        for target, other in ((a, b), (b, a))
    ]
    return Explanation(_("sum of {a}·{b}", a=a.name, b=b.name), shares)


@explains("AddrBackward0", general="Y = C + a·bᵀ: grad(C) = G, grad(a) = G·b, grad(b) = Gᵀ·a")
def addr(node: NodeView) -> Explanation:
    """Explain β·C + α·a·bᵀ."""
    alpha, beta = node.attributes["alpha"], node.attributes["beta"]
    c, a, b = node.operands[:3]
    by = _factor(alpha)
    shares: list[Share | None] = [elementwise(c, number(beta), Grid.full(c.shape, float(beta))), None, None]
    if b.grid is not None:
        column_b = b.grid.reshape((*b.shape, 1)).map(lambda x: alpha * x)
        shares[1] = Share(a, f"{by}G·{b.name}", lambda g: g.matmul(column_b).reshape(a.shape))
    if a.grid is not None:
        column_a = a.grid.reshape((*a.shape, 1)).map(lambda x: alpha * x)
        shares[2] = Share(b, f"{by}Gᵀ·{a.name}", lambda g: g.transpose().matmul(column_a).reshape(b.shape))
    return Explanation(f"{_factor(beta)}{c.name} + {by}{a.name}·{transposed_name(b.name)}", shares)


@explains("LinalgCrossBackward0", general="Y = A×B: grad(A) = B×G, grad(B) = G×A")
def cross(node: NodeView) -> Explanation:
    """Explain the cross product: B×G and G×A."""
    a, b = node.operands[:2]
    shape = node.incoming.shape
    inner = count(shape[int(node.attributes["dim"]) % len(shape) + 1 :])
    triples = [(at, at + inner, at + 2 * inner) for at in range(count(shape)) if at // inner % 3 == 0]

    def share(target: Operand, other: Operand, formula: str, sign: float) -> Share:
        values = other.numbers.expand(shape).flat

        def vjp(g: Grid) -> Grid:
            flat = [0.0] * count(shape)
            for triple in triples:
                for k in range(3):
                    i, j = triple[(k + 1) % 3], triple[(k + 2) % 3]
                    flat[triple[k]] = g.flat[j] * (sign * values[i]) + g.flat[i] * (-sign * values[j])
            return Grid(shape, tuple(flat)).sum_to(target.shape)

        return Share(target, formula, vjp)

    shares = [
        None if other.grid is None else share(target, other, formula, sign)
        for target, other, formula, sign in ((a, b, f"{b.name}×G", 1.0), (b, a, f"G×{a.name}", -1.0))
    ]
    return Explanation(f"{a.name}×{b.name}", shares)


# ---------------------------------------------------------------- square matrices


def _each(function: Callable[..., Grid], *grids: Grid) -> Grid:
    """Apply a function of matrices to each of a batch."""
    batch, parts = grids[0].shape[:-2], []
    for i in range(count(batch)):
        matrices = []
        for grid in grids:
            shape = grid.shape[len(batch) :]
            matrices.append(Grid(shape, grid.flat[i * count(shape) : (i + 1) * count(shape)]))
        parts.append(function(*matrices))
    return Grid((*batch, *parts[0].shape), tuple(x for part in parts for x in part.flat))


def find_inverse(a: Grid) -> Grid:
    """Return the inverse of each matrix, by elimination. Raises ZeroDivisionError where there is none."""
    if len(a.shape) > 2:
        return _each(find_inverse, a)
    n = a.shape[0]
    if n**3 > MOST_WORK:
        raise LookupError("too large to work out again")
    rows = [[*a.flat[i * n : (i + 1) * n], *(float(i == j) for j in range(n))] for i in range(n)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for k in range(n):
            if k != i:
                rows[k] = [x - rows[k][i] * y for x, y in zip(rows[k], rows[i], strict=True)]
    return Grid((n, n), tuple(x for row in rows for x in row[n:]))


def _times(*grids: Grid) -> Grid:
    """Return the product of matrices."""
    product = grids[0]
    for grid in grids[1:]:
        product = product.matmul(grid)
    return product


def _masked(a: Grid, weight: Callable[[int, int], float]) -> Grid:
    """Multiply each element of matrices by a weight of its row and column."""
    rows, columns = a.shape[-2:]
    return Grid(a.shape, tuple(x * weight(at // columns % rows, at % columns) for at, x in enumerate(a.flat)))


def _added(a: Grid, b: Grid) -> Grid:
    return a.combine(b, lambda x, y: x + y)


def _diagonal(values: Grid) -> Grid:
    """Return a matrix with these values on its diagonal."""
    (n,) = values.shape
    return Grid((n, n), tuple(values.flat[i] if i == j else 0.0 for i in range(n) for j in range(n)))


@explains("TraceBackward0", general=N_("the sum of the diagonal: ∂y/∂a = 1 on the diagonal, else 0"))
def trace(node: NodeView) -> Explanation:
    """Explain trace: 1 on the diagonal, else 0."""
    a = node.operands[0]
    entries = [(0, i * (a.shape[1] + 1), 1.0) for i in range(min(a.shape))]
    return Explanation(_("sum of the diagonal of {a}", a=a.name), [sparse(a, _("1 on the diagonal, else 0"), entries)])


@explains("LinalgInvExBackward0", general="Y = A⁻¹: grad(A) = -Yᵀ·G·Yᵀ")
def inverse(node: NodeView) -> Explanation:
    """Explain the inverse: -Yᵀ·G·Yᵀ."""
    a, y = node.operands[0], node.result
    transposed, name = y.numbers.transpose(), transposed_name(y.name)
    share = Share(a, f"-{name}·G·{name}", lambda g: _times(transposed, g, transposed).map(lambda x: -x))
    return Explanation(_("the inverse of {a}", a=a.name), [share])


@explains("LinalgDetBackward0", general="y = det(A): grad(A) = G·y·(A⁻¹)ᵀ")
def det(node: NodeView) -> Explanation:
    """Explain the determinant: G·y·(A⁻¹)ᵀ."""
    a, y = node.operands[0], node.result
    shape = (*y.shape, 1, 1)
    derivative = find_inverse(a.numbers).transpose() * y.numbers.reshape(shape)
    formula = f"G·{y.name}·({a.name}⁻¹)ᵀ"
    return Explanation(f"det({a.name})", [Share(a, formula, lambda g: derivative * g.reshape(shape))])


@explains("LinalgSlogdetBackward0", general="y = log|det(A)|: grad(A) = G·(A⁻¹)ᵀ")
def slogdet(node: NodeView) -> Explanation:
    """Explain the logarithm of the determinant, the second result: G·(A⁻¹)ᵀ; the sign is constant."""
    a = node.operands[0]
    derivative = find_inverse(a.numbers).transpose()
    shape = (*a.shape[:-2], 1, 1)
    share = Share(a, f"G·({a.name}⁻¹)ᵀ", lambda g: derivative * Grid(shape, g.flat[-count(shape) :]))
    return Explanation(f"log|det({a.name})|", [share])


@explains("LinalgCholeskyExBackward0",
          general="A = L·Lᵀ: grad(A) = (S + Sᵀ)/2, S = L⁻ᵀ·Φ(Lᵀ·G)·L⁻¹, Φ = ½·diagonal + …")  # fmt: skip
def cholesky(node: NodeView) -> Explanation:
    """Explain the Cholesky factor: S = L⁻ᵀ·Φ(Lᵀ·G)·L⁻¹, symmetric; Φ keeps the lower triangle and half the diagonal."""
    a, upper = node.operands[0], node.attributes["upper"]
    lower = node.result.numbers.transpose() if upper else node.result.numbers
    inverse_lower = find_inverse(lower)

    def vjp(g: Grid) -> Grid:
        inner = _masked(
            _times(lower.transpose(), g.transpose() if upper else g), lambda i, j: 0.5 if i == j else float(i > j)
        )
        s = _times(inverse_lower.transpose(), inner, inverse_lower)
        return _added(s, s.transpose()).map(lambda x: x * 0.5)

    name = node.result.name
    factor, product = (transposed_name(name), f"{transposed_name(name)}·{name}") if upper else (
        name, f"{name}·{transposed_name(name)}"
    )  # fmt: skip
    formula = _("(S + Sᵀ)/2, with S = L⁻ᵀ·Φ(Lᵀ·G)·L⁻¹, L = {l}, Φ the lower triangle with half the diagonal", l=factor)
    return Explanation(_("the triangle by which {product} = {a}", product=product, a=a.name), [Share(a, formula, vjp)])


def _find_eigenvectors(a: Grid) -> tuple[list[float], list[list[float]]]:
    """Return the eigenvalues of a symmetric matrix, the largest first, and its eigenvectors, by Jacobi's rotations."""
    if len(a.shape) != 2 or a.shape[0] ** 4 > MOST_WORK:
        raise LookupError("a batch, or too large to work out again")
    n = a.shape[0]
    rows = [list(a.flat[i * n : (i + 1) * n]) for i in range(n)]
    vectors = [[float(i == j) for j in range(n)] for i in range(n)]
    pairs = [(p, q) for p in range(n) for q in range(p + 1, n)]
    for _sweep in range(_MOST_SWEEPS):
        for p, q in pairs:
            angle = math.atan2(2 * rows[p][q], rows[p][p] - rows[q][q]) / 2
            c, s = math.cos(angle), math.sin(angle)
            for matrix in (rows, vectors):  # from the left
                matrix[p], matrix[q] = (
                    [c * x + s * y for x, y in zip(matrix[p], matrix[q], strict=True)],
                    [c * y - s * x for x, y in zip(matrix[p], matrix[q], strict=True)],
                )
            for row in rows:  # from the right
                row[p], row[q] = c * row[p] + s * row[q], c * row[q] - s * row[p]
    pairs_of = sorted(((rows[i][i], vectors[i]) for i in range(n)), reverse=True)
    return [value for value, _vector in pairs_of], [vector for _value, vector in pairs_of]


@explains("LinalgEighBackward0",
          general="A = V·diag(λ)·Vᵀ: grad(A) = V·(diag(Gλ) + (X - Xᵀ)/2(λⱼ - λᵢ))·Vᵀ, X = Vᵀ·Gᵥ")  # fmt: skip
def eigh(node: NodeView) -> Explanation:
    """Explain eigenvalues and eigenvectors of a symmetric matrix: V·(diag(Gλ) + (X - Xᵀ)/2(λⱼ - λᵢ))·Vᵀ, X = Vᵀ·Gᵥ."""
    a, n = node.operands[0], node.operands[0].shape[-1]
    if len(node.incoming.flat) == n:  # of eigenvalues alone
        _values, rows = _find_eigenvectors(a.numbers)
        vh = Grid((n, n), tuple(x for row in reversed(rows) for x in row))
        share = Share(a, "V·diag(G)·Vᵀ", lambda g: vh.transpose().matmul(_diagonal(g)).matmul(vh))
        return Explanation(f"{a.name} = V·diag(λ)·Vᵀ", [share])
    values, vectors = (result.numbers for result in node.results)
    if len(a.shape) != 2:
        raise LookupError("a batch")
    halves = Grid((n, n), tuple(
        0.0 if i == j else 0.5 / (values.flat[j] - values.flat[i]) for i in range(n) for j in range(n)
    ))  # fmt: skip

    def vjp(g: Grid) -> Grid:
        x = vectors.transpose().matmul(Grid((n, n), g.flat[n:]))
        inner = _added(_diagonal(Grid((n,), g.flat[:n])), (x - x.transpose()) * halves)
        return _times(vectors, inner, vectors.transpose())

    w, v = (result.name for result in node.results)
    formula = f"{v}·(diag(Gλ) + (X - Xᵀ)/2(λⱼ - λᵢ))·{v}ᵀ, X = {v}ᵀ·Gᵥ"
    return Explanation(f"{a.name} = {v}·diag({w})·{v}ᵀ", [Share(a, formula, vjp)])


def _decompose(a: Grid) -> tuple[list[float], Grid, Grid]:
    """Return the singular values of a matrix, the largest first, U and Vᵀ. Raises ZeroDivisionError where one is 0."""
    n = min(a.shape)
    squares, rows = _find_eigenvectors(a.transpose().matmul(a))
    values = [math.sqrt(max(x, 0.0)) for x in squares[:n]]
    vh = Grid((n, a.shape[1]), tuple(x for row in rows[:n] for x in row))
    u = a.matmul(vh.transpose()) * Grid((1, n), tuple(1 / x for x in values))
    return values, u, vh


def find_singular_values(a: Grid) -> Grid:
    """Return the singular values of a matrix, the largest first."""
    values = _decompose(a)[0]
    return Grid((len(values),), tuple(values))


@explains("LinalgSvdBackward0", general="A = U·diag(S)·Vᵀ: grad(A) = U·diag(G)·Vᵀ, where G is that of S alone")
def singular_values(node: NodeView) -> Explanation:
    """Explain singular values: U·diag(G)·Vᵀ. Nothing is said where U or V get a gradient, too."""
    a = node.operands[0]
    n = min(a.shape)
    start = count(node.results[0].shape) if len(node.results) == 3 else n
    if any(node.incoming.flat[:start]) or any(node.incoming.flat[start + n :]):
        raise LookupError("of the singular values alone")
    _values, u, vh = _decompose(a.numbers)
    share = Share(a, "U·diag(G)·Vᵀ", lambda g: _times(u, _diagonal(Grid((n,), g.flat[start : start + n])), vh))
    return Explanation(f"{a.name} = U·diag(S)·Vᵀ", [share])


def _exponential(a: Grid) -> Grid:
    """Return exp of a matrix by its series, of the matrix halved so often that it is small."""
    n = a.shape[0]
    halvings = max(0, math.ceil(math.log2(max(map(abs, a.flat)) * n + 1e-300)) + 2)
    small = a.map(lambda x: x / 2**halvings)
    result = term = _diagonal(Grid.full((n,), 1.0))
    for k in range(1, 16):
        term = _times(term, small).map(lambda x, k=k: x / k)  # type: ignore[misc]
        result = _added(result, term)
    for _halving in range(halvings):
        result = _times(result, result)
    return result


@explains("LinalgMatrixExpBackward0",
          general=N_("Y = exp(A): grad(A) = the upper right block of exp([[Aᵀ, G], [0, Aᵀ]])"))  # fmt: skip
def matrix_exp(node: NodeView) -> Explanation:
    """Explain the exponential of a matrix: its derivative in the direction of G, at Aᵀ."""
    a = node.operands[0]
    n = a.shape[-1]
    if len(a.shape) != 2 or n**6 > MOST_WORK:
        raise LookupError("too large to work out again")
    transposed = a.numbers.transpose().flat
    derivatives = []
    for place in range(n * n):
        rows = []
        for i in range(n):
            corner = [float(i * n + j == place) for j in range(n)]
            rows += [*transposed[i * n : (i + 1) * n], *corner]
        for i in range(n):
            rows += [*[0.0] * n, *transposed[i * n : (i + 1) * n]]
        block = _exponential(Grid((2 * n, 2 * n), tuple(rows))).flat
        derivatives += [(place, i * n + j, block[i * 2 * n + n + j]) for i in range(n) for j in range(n)]
    formula = _("the upper right block of exp([[{a}, G], [0, {a}]])", a=transposed_name(a.name))
    return Explanation(f"exp({a.name})", [sparse(a, formula, derivatives)])


# ---------------------------------------------------------------- systems of equations


def _solve_shares(
    node: NodeView, a: Operand, b: Operand, matrix: Grid, weight: Callable[[int, int], float] | None = None
) -> list[Share]:
    """Return the shares of A and B in X = A⁻¹·B, or B·A⁻¹: A⁻ᵀ·G for B, of which -grad(B)·Xᵀ is for A."""
    x, left = node.result, node.attributes["left"]
    is_vector = len(b.shape) == 1
    columns = (*x.shape, 1) if is_vector else x.shape
    transposed = find_inverse(matrix).transpose()
    solution = x.numbers.reshape(columns)

    def grad_b(g: Grid) -> Grid:
        g = g.reshape(columns)
        return _times(transposed, g) if left else _times(g, transposed)

    def grad_a(g: Grid) -> Grid:
        factors = (grad_b(g), solution.transpose()) if left else (solution.transpose(), grad_b(g))
        product = _times(*factors).map(lambda y: -y)
        return product if weight is None else _masked(product, weight)

    inverse_name = f"({a.name}⁻¹)ᵀ"
    by_b = f"{inverse_name}·G" if left else f"G·{inverse_name}"
    by_a = f"-{by_b}·{transposed_name(x.name)}" if left else f"-{transposed_name(x.name)}·{by_b}"
    return [Share(a, by_a, grad_a), Share(b, by_b, lambda g: grad_b(g).reshape(b.shape))]


@explains("LinalgSolveExBackward0", general="A·X = B: grad(B) = A⁻ᵀ·G, grad(A) = -grad(B)·Xᵀ")
def solve(node: NodeView) -> Explanation:
    """Explain the solution of A·X = B: grad(B) = A⁻ᵀ·G, grad(A) = -grad(B)·Xᵀ."""
    a, b = node.operands[:2]
    equation = f"{a.name}⁻¹·{b.name}" if node.attributes["left"] else f"{b.name}·{a.name}⁻¹"
    return Explanation(equation, _solve_shares(node, a, b, a.numbers))


@explains("LinalgSolveTriangularBackward0",
          general=N_("A·X = B: grad(B) = A⁻ᵀ·G, grad(A) = the triangle of -grad(B)·Xᵀ"))  # fmt: skip
def solve_triangular(node: NodeView) -> Explanation:
    """Explain the solution of A·X = B, where a triangle of A is taken: as `solve`, in the triangle."""
    a, b = node.operands[:2]
    upper, unit = node.attributes["upper"], node.attributes["unitriangular"]

    def weight(i: int, j: int) -> float:
        return float((j >= i if upper else j <= i) and not (unit and i == j))

    matrix = _masked(a.numbers, weight)
    if unit:
        n = a.shape[-1]
        matrix = _added(matrix, _diagonal(Grid.full((n,), 1.0)))
    equation = f"{a.name}⁻¹·{b.name}" if node.attributes["left"] else f"{b.name}·{a.name}⁻¹"
    by_a, by_b = _solve_shares(node, a, b, matrix, weight)
    formula = _("the triangle of {formula}", formula=by_a.formula)
    return Explanation(equation, [Share(a, formula, by_a.vjp), by_b])


@explains("LinalgPinvBackward0",
          general="Y = A⁺: grad(A) = -Yᵀ·G·Yᵀ + (I - A·Y)·Gᵀ·Y·Yᵀ + Yᵀ·Y·Gᵀ·(I - Y·A)")  # fmt: skip
def pinv(node: NodeView) -> Explanation:
    """Explain the pseudo-inverse: -Yᵀ·G·Yᵀ + (I - A·Y)·Gᵀ·Y·Yᵀ + Yᵀ·Y·Gᵀ·(I - Y·A)."""
    a, result = node.operands[0], node.result
    if len(a.shape) != 2:
        raise LookupError("a batch")
    y, y_transposed = result.numbers, result.numbers.transpose()

    def rest(product: Grid) -> Grid:
        return _added(_diagonal(Grid.full(product.shape[:1], 1.0)), product.map(lambda x: -x))

    outside_rows, outside_columns = rest(_times(a.numbers, y)), rest(_times(y, a.numbers))

    def vjp(g: Grid) -> Grid:
        inside = _times(y_transposed, g, y_transposed).map(lambda x: -x)
        rows = _times(outside_rows, g.transpose(), _times(y, y_transposed))
        columns = _times(_times(y_transposed, y), g.transpose(), outside_columns)
        return _added(_added(inside, rows), columns)

    n = result.name
    formula = f"-{n}ᵀ·G·{n}ᵀ + (I - {a.name}·{n})·Gᵀ·{n}·{n}ᵀ + {n}ᵀ·{n}·Gᵀ·(I - {n}·{a.name})"
    return Explanation(_("the pseudo-inverse of {a}", a=a.name), [Share(a, formula, vjp)])
