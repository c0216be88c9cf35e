"""Derivative rules of reductions over all dimensions or some: sum, nansum, mean, prod, max, min, amax, amin, aminmax,
median, var, std, var_mean, std_mean, logsumexp, vector_norm, norm, dist.

(max and min over one dimension return indices: see `indexing`.)
Source: https://pytorch.org/docs/stable/torch.html (*Reduction Ops*),
https://pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html, and `tools/autograd/derivatives.yaml` in
PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tutor.explain.rules.arrays import Dimensions, Grid, combine, count, map_slices, reduced_shape, slices
from tutor.explain.rules.registry import Explanation, NodeView, Operand, Share, elementwise, explains, sparse
from tutor.explain.rules.scans import softmax
from tutor.explain.rules.unary import divide
from tutor.i18n import N_, _
from tutor.trace.number_format import number

Derivatives = Callable[[Sequence[float]], Sequence[float]]
"""From the elements that are reduced to one, to the derivatives by them."""
_OVER_ALL = ("SumBackward0", "MeanBackward0", "MaxBackward1", "MinBackward1", "MedianBackward0", "ProdBackward0")
"""Nodes of reductions over all dimensions, which have no `dim`."""


def _dimensions(node: NodeView) -> Dimensions:
    dimensions: Dimensions = None if node.node in _OVER_ALL else node.attributes["dim"]
    return dimensions


def _size(node: NodeView) -> int:
    """Return how many elements are reduced to one."""
    shape = node.operands[0].shape
    return count(shape) // max(count(reduced_shape(shape, _dimensions(node))), 1)


def _explain(node: NodeView, equation: str, formula: str, derivative: Grid) -> Explanation:
    """Explain a reduction by its derivatives: element by element where the result is a scalar."""
    a = node.operands[0]
    if not node.incoming.shape:
        return Explanation(equation, [elementwise(a, formula, derivative)])
    shape = reduced_shape(a.shape, _dimensions(node))
    return Explanation(equation, [Share(a, formula, lambda g: g.reshape(shape) * derivative)])


def _derivative(node: NodeView, derivatives: Derivatives) -> Grid:
    """Return the derivatives of a reduction."""
    return map_slices(_dimensions(node), derivatives, node.operands[0].numbers)


@explains("SumBackward0", "SumBackward1", general="∂(Σa)/∂aᵢ = 1")
def sum_(node: NodeView) -> Explanation:
    """Explain sum: ∂(Σa)/∂aᵢ = 1."""
    a = node.operands[0]
    return _explain(node, _("sum of {a}", a=a.name), "1", Grid.full(a.shape, 1.0))


@explains("MeanBackward0", "MeanBackward1", general="∂(Σa/n)/∂aᵢ = 1/n")
def mean(node: NodeView) -> Explanation:
    """Explain mean: ∂(Σa/n)/∂aᵢ = 1/n."""
    a, n = node.operands[0], _size(node)
    return _explain(node, _("mean of {a}", a=a.name), f"1/{n}", Grid.full(a.shape, 1 / n))


_EXTREME_EQUATIONS = (N_("largest of {a}"), N_("smallest of {a}"), N_("median of {a}"))
_EXTREME_FORMULAS = (N_("1 at the largest, else 0"), N_("1 at the smallest, else 0"), N_("1 at the median, else 0"))
_TIED_FORMULAS = (
    N_("1 at the largest, shared where several are the same, else 0"),
    N_("1 at the smallest, shared where several are the same, else 0"),
    N_("1 at the median, shared where several are the same, else 0"),
)


@explains(
    "MaxBackward1",
    "MinBackward1",
    "AmaxBackward0",
    "AminBackward0",
    "MedianBackward0",
    general=N_("the element that was taken gets the gradient; several that are the same share it"),
)
def extreme(node: NodeView) -> Explanation:
    """Explain max, min, amax, amin and median: 1 at the element that was taken, shared evenly between equal ones."""
    a = node.operands[0]
    is_median, is_min = node.node.startswith("Med"), "min" in node.node.lower()

    def derivatives(x: Sequence[float]) -> list[float]:
        y = sorted(x)[(len(x) - 1) // 2] if is_median else min(x) if is_min else max(x)
        return [(element == y) / x.count(y) for element in x]

    kind = 2 if is_median else 1 if is_min else 0
    has_ties = len({*a.numbers.flat}) < len(a.numbers.flat)
    formula = _((_TIED_FORMULAS if has_ties else _EXTREME_FORMULAS)[kind])
    return _explain(node, _(_EXTREME_EQUATIONS[kind], a=a.name), formula, _derivative(node, derivatives))


@explains("ProdBackward0", "ProdBackward1", general=N_("∂(a₁·a₂·…)/∂aᵢ = the product of the others"))
def product(node: NodeView) -> Explanation:
    """Explain prod: ∂(Πa)/∂aᵢ is the product of the others."""
    a = node.operands[0]
    derivative = _derivative(node, lambda x: [math.prod((*x[:i], *x[i + 1 :])) for i in range(len(x))])
    return _explain(node, _("product of {a}", a=a.name), _("the product of the others"), derivative)


def _deviations(node: NodeView, *, squared: bool, y: str) -> tuple[str, Grid]:
    """Return the derivative of a variance, or of a standard deviation with the name y."""
    a, correction = node.operands[0], node.attributes["correction"]
    divisor = _size(node) - (1 if correction is None else correction)

    def derivatives(x: Sequence[float]) -> list[float]:
        mean = sum(x) / len(x)
        deviation = math.nan if squared else math.sqrt(divide(sum((y - mean) ** 2 for y in x), divisor))
        factor = divide(2.0, divisor) if squared else divide(1.0, divisor * deviation) if deviation else 0.0
        return [factor * (y - mean) for y in x]

    formula = f"2·({a.name} - mean)/{number(divisor)}" if squared else f"({a.name} - mean)/({number(divisor)}·{y})"
    return formula, _derivative(node, derivatives)


@explains("VarBackward0", general="∂var(a)/∂aᵢ = 2·(aᵢ - mean)/(n - correction)")
def variance(node: NodeView) -> Explanation:
    """Explain var: 2(aᵢ - mean)/(n - correction)."""
    return _explain(node, _("variance of {a}", a=node.operands[0].name), *_deviations(node, squared=True, y=""))


@explains("StdBackward0", general="∂std(a)/∂aᵢ = (aᵢ - mean)/((n - correction)·std)")
def std(node: NodeView) -> Explanation:
    """Explain std: (aᵢ - mean)/((n - correction)·std)."""
    equation = _("standard deviation of {a}", a=node.operands[0].name)
    return _explain(node, equation, *_deviations(node, squared=False, y=node.result.name))


@explains("LogsumexpBackward0", general="∂y/∂aᵢ = exp(aᵢ - y)")
def logsumexp(node: NodeView) -> Explanation:
    """Explain logsumexp: the softmax."""
    a, y = node.operands[0], node.result.name
    equation = _("log of the sum of exp({a})", a=a.name)
    return _explain(node, equation, f"exp({a.name} - {y})", _derivative(node, softmax))


@explains("NansumBackward0", general=N_("∂y/∂aᵢ = 1 where aᵢ is a number, 0 where it is nan"))
def nansum(node: NodeView) -> Explanation:
    """Explain nansum: nan counts as 0."""
    a = node.operands[0]
    formula = _("1 where {a} is not nan, else 0", a=a.name)
    return _explain(node, _("sum of {a} without nan", a=a.name), formula, a.numbers.map(lambda x: float(x == x)))


@explains(
    "VarMeanBackward0",
    "StdMeanBackward0",
    general=N_("both at once: what arrives at each of the two goes on as of itself, and is added up"),
)
def var_mean(node: NodeView) -> Explanation:
    """Explain var_mean and std_mean: the gradients of both results, added up."""
    a, n, squared = node.operands[0], _size(node), node.node == "VarMeanBackward0"
    shape = reduced_shape(a.shape, _dimensions(node))
    word, derivative = _deviations(node, squared=squared, y="std")

    def vjp(g: Grid) -> Grid:
        of_first, of_mean = Grid(shape, g.flat[: count(shape)]), Grid(shape, g.flat[count(shape) :])
        return combine(lambda x, d, y: x * d + y / n, of_first, derivative, of_mean)

    formula = _("G of the first·{word} + G of the mean/{n}", word=word, n=n)
    equation = _("variance and mean of {a}") if squared else _("standard deviation and mean of {a}")
    return Explanation(equation.format(a=a.name), [Share(a, formula, vjp)])


@explains("AminmaxBackward0",
          general=N_("smallest and largest get the gradients; several that are the same share them"))  # fmt: skip
def aminmax(node: NodeView) -> Explanation:
    """Explain aminmax: the gradient of the smallest goes to the smallest, that of the largest to the largest."""
    a = node.operands[0]
    x, rows = a.numbers.flat, slices(a.shape, _dimensions(node))
    entries = []
    for start, end in ((0, min), (len(rows), max)):
        for place, row in enumerate(rows, start):
            taken_value = end(x[i] for i in row)
            taken = [i for i in row if x[i] == taken_value]
            entries += [(place, i, 1 / len(taken)) for i in taken]
    share = sparse(a, _("G of the one that it is, else 0"), entries)
    return Explanation(_("smallest and largest of {a}", a=a.name), [share])


# ---------------------------------------------------------------- norms

_NORM_FORMULAS = {
    1.0: N_("the sign of {a}"),
    2.0: "{a}/{y}",
    math.inf: N_("the sign of {a} where |{a}| is largest, else 0"),
}
_NORM_SUBSCRIPTS = {1.0: "₁", 2.0: "", 3.0: "₃", 4.0: "₄", 5.0: "₅", 6.0: "₆", math.inf: "∞"}


def _norm_derivatives(x: Sequence[float], p: float) -> list[float]:
    """Return ∂‖a‖ₚ/∂a."""
    sizes = [abs(element) for element in x]
    if p == math.inf:
        largest = max(sizes)
        derivatives = [(size == largest) / sizes.count(largest) for size in sizes]
    elif p == 1:
        derivatives = [float(size > 0) for size in sizes]
    else:
        norm = float(sum(size**p for size in sizes)) ** (1 / p)
        derivatives = [(size / norm) ** (p - 1) if norm and size else 0.0 for size in sizes]
    return [math.copysign(size, element) for size, element in zip(derivatives, x, strict=True)]


def _norm_texts(a: Operand, y: str, p: float) -> tuple[str, str]:
    """Return the equation of a p-norm, and the formula of its derivative."""
    formula = _(_NORM_FORMULAS.get(p, N_("the sign of {a}·(|{a}|/{y})^{power}")), a=a.name, y=y, power=number(p - 1))
    return f"‖{a.name}‖{_NORM_SUBSCRIPTS.get(p, f'ₚ, p = {number(p)}')}", formula


@explains("LinalgVectorNormBackward0", "NormBackward1",
          general=N_("of the 2-norm: ∂‖a‖/∂aᵢ = aᵢ/‖a‖; of the 1-norm: the sign of aᵢ"))  # fmt: skip
def norm(node: NodeView) -> Explanation:
    """Explain vector_norm and norm: aᵢ/‖a‖ for the 2-norm, the sign for the 1-norm."""
    p = float(node.attributes["p" if node.node == "NormBackward1" else "ord"])
    texts = _norm_texts(node.operands[0], node.result.name or "‖·‖", p)
    return _explain(node, *texts, _derivative(node, lambda x: _norm_derivatives(x, p)))


@explains("DistBackward0", general="y = ‖a - b‖: ∂y/∂a = (a - b)/y, ∂y/∂b = -(a - b)/y")
def distance(node: NodeView) -> Explanation:
    """Explain dist: the norm of the difference."""
    (a, b), p = node.operands[:2], float(node.attributes["p"])
    difference = a.numbers - b.numbers
    name = Operand(f"({a.name} - {b.name})", difference.shape, difference)
    equation, formula = _norm_texts(name, node.result.name, p)
    derivative = map_slices(None, lambda x: _norm_derivatives(x, p), difference)
    shares = [elementwise(a, formula, derivative), elementwise(b, f"-{formula}", derivative.map(lambda x: -x))]
    return Explanation(equation, shares)
