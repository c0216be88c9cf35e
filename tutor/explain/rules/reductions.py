"""Derivative rules of reductions over all dimensions or some: sum, nansum, mean, prod, max, min, amax, amin, aminmax,
median, var, std, var_mean, std_mean, logsumexp, vector_norm, norm, dist.

The recording does not have the dimensions: they are found from the shapes and the result, each choice that fits is
tried. (max and min over one dimension return indices: see `indexing`.)
Source: https://pytorch.org/docs/stable/torch.html (*Reduction Ops*),
https://pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html, and `tools/autograd/derivatives.yaml` in
PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from tutor.explain.rules.arrays import Grid, Shape, allclose, broadcast_indices, count
from tutor.explain.rules.registry import (
    Explanation,
    Local,
    NodeView,
    Operand,
    Share,
    explains,
    vjp_by_gather,
    vjp_from_rows,
)
from tutor.i18n import N_, _

_MOST_DIMENSIONS = 6
_MOST_CORRECTED = 4
"""The divisor of a variance is more than the number of elements less this: the correction is usually 1."""


def reduction_targets(shape: Shape, to: Shape) -> Iterator[list[int]]:
    """Yield, for each choice of dimensions that reduces a shape to another, the flat index that each element is reduced
    to."""
    if len(shape) > _MOST_DIMENSIONS:
        return
    seen: set[Shape] = set()
    for amount in range(len(shape) + 1):
        for reduced in combinations(range(len(shape)), amount):
            kept_dims = tuple(1 if i in reduced else size for i, size in enumerate(shape))
            squeezed = tuple(size for i, size in enumerate(shape) if i not in reduced)
            if to in (kept_dims, squeezed) and kept_dims not in seen:
                seen.add(kept_dims)
                yield broadcast_indices(kept_dims, shape)


def _groups(places: Sequence[int], numbers: Sequence[float], many: int) -> list[list[float]]:
    """Group numbers by the element that they are reduced to."""
    groups: list[list[float]] = [[] for _ in range(many)]
    for place, x in zip(places, numbers, strict=True):
        groups[place].append(x)
    return groups


Derivatives = Callable[[list[float], float], list[float]]


def explain_reduction(
    node: NodeView, equation: str, formula: str, value: Callable[[list[float]], float], derivatives: Derivatives
) -> Iterator[Explanation]:
    """Explain a reduction over each choice of dimensions that gives the result.

    Args:
        node: The node of the reduction.
        equation: Text of the operation.
        formula: Text of the derivative.
        value: The reduction of a group of elements.
        derivatives: The derivatives by the elements of a group, from the group and its reduction.
    """
    a = node.operands[0]
    numbers, shape = a.numbers, node.incoming.shape
    for places in reduction_targets(a.shape, shape):
        groups = _groups(places, numbers.flat, count(shape))
        values = Grid(shape, tuple(map(value, groups)))
        if not node.gives(values):
            continue
        rows = [iter(derivatives(group, result)) for group, result in zip(groups, values.flat, strict=True)]
        flat = [next(rows[place]) for place in places]
        yield Explanation(equation, [_make_share(node, a, formula, places, flat)])


def _make_share(node: NodeView, a: Operand, formula: str, places: list[int], derivatives: list[float]) -> Share:
    """Return the share of a reduction: element by element where the result is a scalar."""
    if len(node.incoming.flat) == 1 and not node.incoming.shape:
        return Local(a, formula, Grid(a.shape, tuple(derivatives)))
    return vjp_by_gather(a, formula, node.incoming, places, derivatives)


def _reduction_sizes(node: NodeView) -> Iterator[tuple[list[int], int]]:
    """Yield the possible reductions: where each element goes, and how many elements are reduced to one."""
    a = node.operands[0]
    for places in reduction_targets(a.shape, node.incoming.shape):
        yield places, count(a.shape) // max(count(node.incoming.shape), 1)


@explains("SumBackward0", "SumBackward1", general="∂(Σa)/∂aᵢ = 1")
def sum_(node: NodeView) -> Iterator[Explanation]:
    """Explain sum: ∂(Σa)/∂aᵢ = 1."""
    a = node.operands[0]
    for places, _size in _reduction_sizes(node):
        if a.grid is None or node.gives(_sums(a.grid, places, node.incoming.shape)):
            yield Explanation(_("sum of {a}", a=a.name), [_make_share(node, a, "1", places, [1.0] * count(a.shape))])


@explains("MeanBackward0", "MeanBackward1", general="∂(Σa/n)/∂aᵢ = 1/n")
def mean(node: NodeView) -> Iterator[Explanation]:
    """Explain mean: ∂(Σa/n)/∂aᵢ = 1/n."""
    a = node.operands[0]
    for places, n in _reduction_sizes(node):
        if a.grid is None or node.gives(_sums(a.grid, places, node.incoming.shape).map(lambda x, n=n: x / n)):  # type: ignore[misc]
            yield Explanation(
                _("mean of {a}", a=a.name), [_make_share(node, a, f"1/{n}", places, [1 / n] * count(a.shape))]
            )


def _sums(a: Grid, places: list[int], shape: Shape) -> Grid:
    return Grid(shape, tuple(map(sum, _groups(places, a.flat, count(shape)))))


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
def extreme(node: NodeView) -> Iterator[Explanation]:
    """Explain max, min, amax, amin and median: 1 at the element that was taken, shared evenly between equal ones."""
    a = node.operands[0]
    is_median = node.node.startswith("Med")
    is_min = "min" in node.node.lower()

    def value(group: list[float]) -> float:
        return sorted(group)[(len(group) - 1) // 2] if is_median else min(group) if is_min else max(group)

    kind = 2 if is_median else 1 if is_min else 0
    has_ties = any(len({*group}) < len(group) for group in [a.numbers.flat])
    formula, equation = (
        _((_TIED_FORMULAS if has_ties else _EXTREME_FORMULAS)[kind]),
        _(_EXTREME_EQUATIONS[kind], a=a.name),
    )
    yield from explain_reduction(
        node, equation, formula, value, lambda group, y: [(x == y) / group.count(y) for x in group]
    )


@explains("ProdBackward0", "ProdBackward1", general=N_("∂(a₁·a₂·…)/∂aᵢ = the product of the others"))
def product(node: NodeView) -> Iterator[Explanation]:
    """Explain prod: ∂(Πa)/∂aᵢ is the product of the others."""
    a = node.operands[0]

    def others(group: list[float], _: float) -> list[float]:
        before = [1.0]
        for x in group[:-1]:
            before.append(before[-1] * x)
        after = [1.0]
        for x in group[:0:-1]:
            after.append(after[-1] * x)
        return [x * y for x, y in zip(before, reversed(after), strict=True)]

    yield from explain_reduction(node, _("product of {a}", a=a.name), _("the product of the others"), math.prod, others)


@explains("VarBackward0", general="∂var(a)/∂aᵢ = 2·(aᵢ - mean)/(n - correction)")
def variance(node: NodeView) -> Iterator[Explanation]:
    """Explain var: 2(aᵢ - mean)/(n - correction)."""
    yield from _explain_deviation(node, squared=True)


@explains("StdBackward0", general="∂std(a)/∂aᵢ = (aᵢ - mean)/((n - correction)·std)")
def std(node: NodeView) -> Iterator[Explanation]:
    """Explain std: (aᵢ - mean)/((n - correction)·std)."""
    yield from _explain_deviation(node, squared=False)


def _explain_deviation(node: NodeView, *, squared: bool) -> Iterator[Explanation]:
    a, y = node.operands[0], node.result.name
    equation = _("variance of {a}", a=a.name) if squared else _("standard deviation of {a}", a=a.name)
    n = count(a.shape) // max(count(node.incoming.shape), 1)
    for divisor in range(n, max(n - _MOST_CORRECTED, 0), -1):  # n less the correction, which is usually 1

        def value(group: list[float], divisor: int = divisor) -> float:
            mean = sum(group) / len(group)
            variance = sum((x - mean) ** 2 for x in group) / divisor
            return variance if squared else math.sqrt(variance)

        def derivatives(group: list[float], y: float, divisor: int = divisor) -> list[float]:
            mean = sum(group) / len(group)
            return [2 * (x - mean) / divisor if squared else (x - mean) / (divisor * y) for x in group]

        formula = f"2·({a.name} - mean)/{divisor}" if squared else f"({a.name} - mean)/({divisor}·{y})"
        yield from explain_reduction(node, equation, formula, value, derivatives)


@explains("LogsumexpBackward0", general="∂y/∂aᵢ = exp(aᵢ - y)")
def logsumexp(node: NodeView) -> Iterator[Explanation]:
    """Explain logsumexp: the softmax."""
    a, y = node.operands[0], node.result.name

    def value(group: list[float]) -> float:
        largest = max(group)
        return largest + math.log(sum(math.exp(x - largest) for x in group))

    formula = f"exp({a.name} - {y})"
    yield from explain_reduction(
        node,
        _("log of the sum of exp({a})", a=a.name),
        formula,
        value,
        lambda group, y: [math.exp(x - y) for x in group],
    )


@explains("NansumBackward0", general=N_("∂y/∂aᵢ = 1 where aᵢ is a number, 0 where it is nan"))
def nansum(node: NodeView) -> Iterator[Explanation]:
    """Explain nansum: nan counts as 0."""
    a = node.operands[0]
    formula = _("1 where {a} is not nan, else 0", a=a.name)
    yield from explain_reduction(
        node, _("sum of {a} without nan", a=a.name), formula, lambda group: sum(x for x in group if x == x),
        lambda group, _: [float(x == x) for x in group],
    )  # fmt: skip


@explains(
    "VarMeanBackward0",
    "StdMeanBackward0",
    general=N_("both at once: what arrives at each of the two goes on as of itself, and is added up"),
)
def var_mean(node: NodeView) -> Iterator[Explanation]:
    """Explain var_mean and std_mean: the gradients of both results, added up."""
    a, first, second = node.operands[0], *node.results[:2]
    results, n = count(first.shape), count(a.shape) // max(count(first.shape), 1)
    squared = node.node == "VarMeanBackward0"
    for places in reduction_targets(a.shape, first.shape):
        groups = _groups(places, a.numbers.flat, results)
        means = [sum(group) / n for group in groups]
        if not allclose(Grid(second.shape, tuple(means)), second.numbers, node.dtype):
            continue
        squared_sums = [sum((x - mean) ** 2 for x in group) for group, mean in zip(groups, means, strict=True)]
        for divisor in range(n, max(n - _MOST_CORRECTED, 0), -1):
            deviations = [x / divisor if squared else math.sqrt(x / divisor) for x in squared_sums]
            if allclose(Grid(first.shape, tuple(deviations)), first.numbers, node.dtype):
                derivatives = [
                    2 * (x - means[at]) / divisor
                    if squared
                    else (x - means[at]) / (divisor * deviations[at] or math.nan)
                    for x, at in zip(a.numbers.flat, places, strict=True)
                ]

                def row(
                    i: int, places: list[int] = places, derivatives: list[float] = derivatives
                ) -> list[tuple[int, float]]:
                    return [(places[i], derivatives[i]), (results + places[i], 1 / n)]

                deviation_text = f"2·({a.name} - mean)/{divisor}" if squared else f"({a.name} - mean)/({divisor}·std)"
                share = vjp_from_rows(
                    a, _("G of the first·{word} + G of the mean/{n}", word=deviation_text, n=n), node.incoming, row
                )
                equation = _("variance and mean of {a}") if squared else _("standard deviation and mean of {a}")
                yield Explanation(equation.format(a=a.name), [share])


@explains("AminmaxBackward0",
          general=N_("smallest and largest get the gradients; several that are the same share them"))  # fmt: skip
def aminmax(node: NodeView) -> Iterator[Explanation]:
    """Explain aminmax: the gradient of the smallest goes to the smallest, that of the largest to the largest."""
    a, first = node.operands[0], node.results[0]
    results = count(first.shape)
    for places in reduction_targets(a.shape, first.shape):
        groups = _groups(places, a.numbers.flat, results)
        if [min(group) for group in groups] == list(first.numbers.flat):

            def row(i: int, places: list[int] = places, groups: list[list[float]] = groups) -> list[tuple[int, float]]:
                x, at = a.numbers.flat[i], places[i]
                ends = ((0, min(groups[at])), (results, max(groups[at])))
                return [(start + at, 1 / groups[at].count(x)) for start, end in ends if x == end]

            share = vjp_from_rows(a, _("G of the one that it is, else 0"), node.incoming, row)
            yield Explanation(_("smallest and largest of {a}", a=a.name), [share])


# ---------------------------------------------------------------- norms

_ORDERS = (3.0, 4.0, 0.5, 1.5, 2.5, 5.0, 6.0)
"""Orders of norms that are tried, beside 1, 2 and infinity."""


def _norm_derivative(x: float, norm: float, p: float) -> float:
    """Return ∂‖a‖ₚ/∂a."""
    if p == 1:
        return float((x > 0) - (x < 0))
    return math.copysign(abs(x / norm) ** (p - 1), x) if norm and x else 0.0


def _norm(p: float) -> Callable[[list[float]], float]:
    """Return the function that computes the p-norm."""
    return lambda group: float(sum(abs(x) ** p for x in group)) ** (1 / p)


_NORM_FORMULAS = {1.0: N_("the sign of {a}"), 2.0: "{a}/{y}"}
_NORM_SUBSCRIPTS = {1.0: "₁", 2.0: "", 3.0: "₃", 4.0: "₄", 5.0: "₅", 6.0: "₆"}


def _norm_texts(a: Operand, y: str, p: float) -> tuple[str, str]:
    """Return the equation of a p-norm, and the formula of its derivative."""
    formula = _(_NORM_FORMULAS.get(p, N_("the sign of {a}·(|{a}|/{y})^{power}")), a=a.name, y=y, power=f"{p - 1:g}")
    return f"‖{a.name}‖{_NORM_SUBSCRIPTS.get(p, f'ₚ, p = {p:g}')}", formula


@explains("LinalgVectorNormBackward0", "NormBackward1",
          general=N_("of the 2-norm: ∂‖a‖/∂aᵢ = aᵢ/‖a‖; of the 1-norm: the sign of aᵢ"))  # fmt: skip
def norm(node: NodeView) -> Iterator[Explanation]:
    """Explain vector_norm and norm: aᵢ/‖a‖ for the 2-norm, the sign for the 1-norm; the order that gives the result."""
    a, y = node.operands[0], node.result.name or "‖·‖"
    for p in (2.0, 1.0, *_ORDERS):
        equation, formula = _norm_texts(a, y, p)
        yield from explain_reduction(
            node, equation, formula, _norm(p), lambda group, norm, p=p: [_norm_derivative(x, norm, p) for x in group]  # type: ignore[misc]
        )  # fmt: skip

    def largest(group: list[float], norm: float) -> list[float]:
        places = [abs(x) == norm for x in group]
        return [math.copysign(1.0, x) * at / sum(places) for x, at in zip(group, places, strict=True)]

    formula = _("the sign of {a} where |{a}| is largest, else 0", a=a.name)
    yield from explain_reduction(node, f"‖{a.name}‖∞", formula, lambda group: max(map(abs, group)), largest)


@explains("DistBackward0", general="y = ‖a - b‖: ∂y/∂a = (a - b)/y, ∂y/∂b = -(a - b)/y")
def distance(node: NodeView) -> Iterator[Explanation]:
    """Explain dist: the norm of the difference."""
    a, b, y = *node.operands[:2], node.result
    difference = a.numbers.combine(b.numbers, lambda x, z: x - z)
    operand = Operand(f"({a.name} - {b.name})", difference.shape, difference)
    for p in (2.0, 1.0, *_ORDERS):
        result = _norm(p)(list(difference.flat))
        if node.gives(Grid((), (result,))):
            equation, formula = _norm_texts(operand, y.name, p)
            derivative = difference.map(lambda x, p=p, result=result: _norm_derivative(x, result, p))  # type: ignore[misc]
            shares = [Local(a, formula, derivative), Local(b, f"-{formula}", derivative.map(lambda x: -x))]
            yield Explanation(equation, shares)
