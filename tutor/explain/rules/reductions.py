"""Derivatives of what makes fewer elements of many, over all dimensions or some: sums, means, extremes, norms.

Over which dimensions it went is found from the shapes and the result: each way that fits is tried.
Source: https://pytorch.org/docs/stable/torch.html (*Reduction Ops*), and `tools/autograd/derivatives.yaml` in PyTorch.

Derivatives of norms and distances.

Source: https://pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html, and `tools/autograd/derivatives.yaml`
in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from tutor.explain.rules.arrays import Grid, Shape, agree, count, places_of
from tutor.explain.rules.registry import Explanation, Local, NodeView, Operand, Product, explains, mixed, spread
from tutor.i18n import N_, _

_MOST_DIMENSIONS = 6
_MOST_CORRECTED = 4
"""What a variance is divided by may be smaller than the number of elements by so much, less 1."""


def groupings(shape: Shape, to: Shape) -> Iterator[list[int]]:
    """For each way to come from a shape to the other by adding up dimensions: where each element goes."""
    if len(shape) > _MOST_DIMENSIONS:
        return
    seen: set[Shape] = set()
    for many in range(len(shape) + 1):
        for gone in combinations(range(len(shape)), many):
            kept = tuple(1 if i in gone else size for i, size in enumerate(shape))
            left = tuple(size for i, size in enumerate(shape) if i not in gone)
            if to in (kept, left) and kept not in seen:
                seen.add(kept)
                yield places_of(kept, shape)


def _groups(places: Sequence[int], numbers: Sequence[float], many: int) -> list[list[float]]:
    groups: list[list[float]] = [[] for _ in range(many)]
    for place, x in zip(places, numbers, strict=True):
        groups[place].append(x)
    return groups


Slopes = Callable[[list[float], float], list[float]]


def reduced(
    node: NodeView, equation: str, formula: str, value: Callable[[list[float]], float], slopes: Slopes
) -> Iterator[Explanation]:
    """Of `value` over groups of elements, with the derivatives by each element of a group whose value is known."""
    a = node.operands[0]
    numbers, shape = a.numbers, node.incoming.shape
    for places in groupings(a.shape, shape):
        groups = _groups(places, numbers.flat, count(shape))
        values = Grid(shape, tuple(map(value, groups)))
        if not node.gives(values):
            continue
        rows = [iter(slopes(group, known)) for group, known in zip(groups, values.flat, strict=True)]
        flat = [next(rows[place]) for place in places]
        yield Explanation(equation, [_share(node, a, formula, places, flat)])


def _share(node: NodeView, a: Operand, formula: str, places: list[int], slopes: list[float]) -> Local | Product:
    if len(node.incoming.flat) == 1 and not node.incoming.shape:
        return Local(a, formula, Grid(a.shape, tuple(slopes)))
    return spread(a, formula, node.incoming, places, slopes)


def _sizes(node: NodeView) -> Iterator[tuple[list[int], int]]:
    """Ways to add up, and how many elements each adds; where the numbers are known, only those that give them."""
    a = node.operands[0]
    for places in groupings(a.shape, node.incoming.shape):
        yield places, count(a.shape) // max(count(node.incoming.shape), 1)


@explains("SumBackward0", "SumBackward1", general="∂(Σa)/∂aᵢ = 1")
def total(node: NodeView) -> Iterator[Explanation]:
    """∂(Σa)/∂aᵢ = 1."""
    a = node.operands[0]
    for places, _size in _sizes(node):
        if a.grid is None or node.gives(_sums(a.grid, places, node.incoming.shape)):
            yield Explanation(_("sum of {a}", a=a.name), [_share(node, a, "1", places, [1.0] * count(a.shape))])


@explains("MeanBackward0", "MeanBackward1", general="∂(Σa/n)/∂aᵢ = 1/n")
def mean(node: NodeView) -> Iterator[Explanation]:
    """∂(Σa/n)/∂aᵢ = 1/n."""
    a = node.operands[0]
    for places, n in _sizes(node):
        if a.grid is None or node.gives(_sums(a.grid, places, node.incoming.shape).map(lambda x, n=n: x / n)):  # type: ignore[misc]
            yield Explanation(_("mean of {a}", a=a.name), [_share(node, a, f"1/{n}", places, [1 / n] * count(a.shape))])


def _sums(a: Grid, places: list[int], shape: Shape) -> Grid:
    return Grid(shape, tuple(map(sum, _groups(places, a.flat, count(shape)))))


_TAKEN = (N_("largest of {a}"), N_("smallest of {a}"), N_("median of {a}"))
_AT = (N_("1 at the largest, else 0"), N_("1 at the smallest, else 0"), N_("1 at the median, else 0"))
_SHARED = (
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
    """1 at the largest (smallest) element; shared evenly between those that are the same."""
    a = node.operands[0]
    middle = node.node.startswith("Med")
    smaller = "min" in node.node.lower()

    def value(group: list[float]) -> float:
        return sorted(group)[(len(group) - 1) // 2] if middle else min(group) if smaller else max(group)

    which = 2 if middle else 1 if smaller else 0
    ties = any(len({*group}) < len(group) for group in [a.numbers.flat])
    formula, equation = _((_SHARED if ties else _AT)[which]), _(_TAKEN[which], a=a.name)
    yield from reduced(node, equation, formula, value, lambda group, y: [(x == y) / group.count(y) for x in group])


@explains("ProdBackward0", "ProdBackward1", general=N_("∂(a₁·a₂·…)/∂aᵢ = the product of the others"))
def product(node: NodeView) -> Iterator[Explanation]:
    """∂(Πa)/∂aᵢ = the product of the others."""
    a = node.operands[0]

    def others(group: list[float], _: float) -> list[float]:
        before = [1.0]
        for x in group[:-1]:
            before.append(before[-1] * x)
        after = [1.0]
        for x in group[:0:-1]:
            after.append(after[-1] * x)
        return [x * y for x, y in zip(before, reversed(after), strict=True)]

    yield from reduced(node, _("product of {a}", a=a.name), _("the product of the others"), math.prod, others)


@explains("VarBackward0", general="∂var(a)/∂aᵢ = 2·(aᵢ - mean)/(n - correction)")
def variance(node: NodeView) -> Iterator[Explanation]:
    """2(aᵢ - mean)/(n - 1), or by n without Bessel's correction."""
    yield from _deviation(node, squared=True)


@explains("StdBackward0", general="∂std(a)/∂aᵢ = (aᵢ - mean)/((n - correction)·std)")
def deviation(node: NodeView) -> Iterator[Explanation]:
    """(aᵢ - mean)/((n - 1)·std), or by n without Bessel's correction."""
    yield from _deviation(node, squared=False)


def _deviation(node: NodeView, *, squared: bool) -> Iterator[Explanation]:
    a, y = node.operands[0], node.result.name
    equation = _("variance of {a}", a=a.name) if squared else _("standard deviation of {a}", a=a.name)
    n = count(a.shape) // max(count(node.incoming.shape), 1)
    for below in range(n, max(n - _MOST_CORRECTED, 0), -1):  # n less the correction, which is usually 1

        def value(group: list[float], below: int = below) -> float:
            middle = sum(group) / len(group)
            found = sum((x - middle) ** 2 for x in group) / below
            return found if squared else math.sqrt(found)

        def slopes(group: list[float], y: float, below: int = below) -> list[float]:
            middle = sum(group) / len(group)
            return [2 * (x - middle) / below if squared else (x - middle) / (below * y) for x in group]

        formula = f"2·({a.name} - mean)/{below}" if squared else f"({a.name} - mean)/({below}·{y})"
        yield from reduced(node, equation, formula, value, slopes)


@explains("LogsumexpBackward0", general="∂y/∂aᵢ = exp(aᵢ - y)")
def logsumexp(node: NodeView) -> Iterator[Explanation]:
    """The softmax."""
    a, y = node.operands[0], node.result.name

    def value(group: list[float]) -> float:
        top = max(group)
        return top + math.log(sum(math.exp(x - top) for x in group))

    formula = f"exp({a.name} - {y})"
    yield from reduced(
        node,
        _("log of the sum of exp({a})", a=a.name),
        formula,
        value,
        lambda group, y: [math.exp(x - y) for x in group],
    )


@explains("NansumBackward0", general=N_("∂y/∂aᵢ = 1 where aᵢ is a number, 0 where it is nan"))
def total_of_numbers(node: NodeView) -> Iterator[Explanation]:
    """Nan counts as 0."""
    a = node.operands[0]
    formula = _("1 where {a} is not nan, else 0", a=a.name)
    yield from reduced(
        node, _("sum of {a} without nan", a=a.name), formula, lambda group: sum(x for x in group if x == x),
        lambda group, _: [float(x == x) for x in group],
    )  # fmt: skip


@explains(
    "VarMeanBackward0",
    "StdMeanBackward0",
    general=N_("both at once: what arrives at each of the two goes on as of itself, and is added up"),
)
def spread_and_mean(node: NodeView) -> Iterator[Explanation]:
    """The gradients of a variance (or its root) and of a mean, added up."""
    a, first, second = node.operands[0], *node.results[:2]
    many, n = count(first.shape), count(a.shape) // max(count(first.shape), 1)
    squared = node.node == "VarMeanBackward0"
    for places in groupings(a.shape, first.shape):
        groups = _groups(places, a.numbers.flat, many)
        means = [sum(group) / n for group in groups]
        if not agree(Grid(second.shape, tuple(means)), second.numbers, node.dtype):
            continue
        above = [sum((x - middle) ** 2 for x in group) for group, middle in zip(groups, means, strict=True)]
        for below in range(n, max(n - _MOST_CORRECTED, 0), -1):
            found = [x / below if squared else math.sqrt(x / below) for x in above]
            if agree(Grid(first.shape, tuple(found)), first.numbers, node.dtype):
                slopes = [
                    2 * (x - means[at]) / below if squared else (x - means[at]) / (below * found[at] or math.nan)
                    for x, at in zip(a.numbers.flat, places, strict=True)
                ]

                def row(i: int, places: list[int] = places, slopes: list[float] = slopes) -> list[tuple[int, float]]:
                    return [(places[i], slopes[i]), (many + places[i], 1 / n)]

                word = f"2·({a.name} - mean)/{below}" if squared else f"({a.name} - mean)/({below}·std)"
                share = mixed(a, _("G of the first·{word} + G of the mean/{n}", word=word, n=n), node.incoming, row)
                told = _("variance and mean of {a}") if squared else _("standard deviation and mean of {a}")
                yield Explanation(told.format(a=a.name), [share])


@explains("AminmaxBackward0",
          general=N_("smallest and largest get the gradients; several that are the same share them"))  # fmt: skip
def both_extremes(node: NodeView) -> Iterator[Explanation]:
    """The gradient of the smallest goes to the smallest, that of the largest to the largest."""
    a, first = node.operands[0], node.results[0]
    many = count(first.shape)
    for places in groupings(a.shape, first.shape):
        groups = _groups(places, a.numbers.flat, many)
        if [min(group) for group in groups] == list(first.numbers.flat):

            def row(i: int, places: list[int] = places, groups: list[list[float]] = groups) -> list[tuple[int, float]]:
                x, at = a.numbers.flat[i], places[i]
                ends = ((0, min(groups[at])), (many, max(groups[at])))
                return [(start + at, 1 / groups[at].count(x)) for start, end in ends if x == end]

            share = mixed(a, _("G of the one that it is, else 0"), node.incoming, row)
            yield Explanation(_("smallest and largest of {a}", a=a.name), [share])


_ORDERS = (3.0, 4.0, 0.5, 1.5, 2.5, 5.0, 6.0)
"""Beside 1, 2 and the largest."""


def _slope(x: float, norm: float, p: float) -> float:
    """∂‖a‖ₚ/∂a."""
    if p == 1:
        return float((x > 0) - (x < 0))
    return math.copysign(abs(x / norm) ** (p - 1), x) if norm and x else 0.0


def _norm(p: float) -> Callable[[list[float]], float]:
    return lambda group: float(sum(abs(x) ** p for x in group)) ** (1 / p)


_SAID = {1.0: N_("the sign of {a}"), 2.0: "{a}/{y}"}
_SIGNS = {1.0: "₁", 2.0: "", 3.0: "₃", 4.0: "₄", 5.0: "₅", 6.0: "₆"}


def _said(a: Operand, y: str, p: float) -> tuple[str, str]:
    by = _(_SAID.get(p, N_("the sign of {a}·(|{a}|/{y})^{power}")), a=a.name, y=y, power=f"{p - 1:g}")
    return f"‖{a.name}‖{_SIGNS.get(p, f'ₚ, p = {p:g}')}", by


@explains("LinalgVectorNormBackward0", "NormBackward1",
          general=N_("of the 2-norm: ∂‖a‖/∂aᵢ = aᵢ/‖a‖; of the 1-norm: the sign of aᵢ"))  # fmt: skip
def norm(node: NodeView) -> Iterator[Explanation]:
    """aᵢ/‖a‖ for the 2-norm, the sign for the 1-norm; which one, the numbers show."""
    a, y = node.operands[0], node.result.name or "‖·‖"
    for p in (2.0, 1.0, *_ORDERS):
        equation, formula = _said(a, y, p)
        yield from reduced(
            node, equation, formula, _norm(p), lambda group, norm, p=p: [_slope(x, norm, p) for x in group]  # type: ignore[misc]
        )  # fmt: skip

    def largest(group: list[float], norm: float) -> list[float]:
        places = [abs(x) == norm for x in group]
        return [math.copysign(1.0, x) * at / sum(places) for x, at in zip(group, places, strict=True)]

    formula = _("the sign of {a} where |{a}| is largest, else 0", a=a.name)
    yield from reduced(node, f"‖{a.name}‖∞", formula, lambda group: max(map(abs, group)), largest)


@explains("DistBackward0", general="y = ‖a - b‖: ∂y/∂a = (a - b)/y, ∂y/∂b = -(a - b)/y")
def distance(node: NodeView) -> Iterator[Explanation]:
    """The norm of the difference."""
    a, b, y = *node.operands[:2], node.result
    less = a.numbers.combine(b.numbers, lambda x, z: x - z)
    between = Operand(f"({a.name} - {b.name})", less.shape, less)
    for p in (2.0, 1.0, *_ORDERS):
        found = _norm(p)(list(less.flat))
        if node.gives(Grid((), (found,))):
            equation, formula = _said(between, y.name, p)
            slope = less.map(lambda x, p=p, found=found: _slope(x, found, p))  # type: ignore[misc]
            shares = [Local(a, formula, slope), Local(b, f"-{formula}", slope.map(lambda x: -x))]
            yield Explanation(equation, shares)
