"""Derivatives of what makes fewer elements of many, over all dimensions or some: sums, means, extremes, norms; and of
what runs along one dimension: softmax, running sums.

Over which dimensions it went is found from the shapes and the result: each way that fits is tried.
Source: https://pytorch.org/docs/stable/torch.html (*Reduction Ops*), and `tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from tutor.explain.grid import Grid, Shape, count, places_of
from tutor.explain.rules import Explanation, Local, NodeView, Operand, Product, explains, known, spread

_MOST_DIMENSIONS = 6


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


def _reduced(
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
    for places, _ in _sizes(node):
        if a.grid is None or node.gives(_sums(a.grid, places, node.incoming.shape)):
            yield Explanation(f"sum of {a.name}", [_share(node, a, "1", places, [1.0] * count(a.shape))])


@explains("MeanBackward0", "MeanBackward1", general="∂(Σa/n)/∂aᵢ = 1/n")
def mean(node: NodeView) -> Iterator[Explanation]:
    """∂(Σa/n)/∂aᵢ = 1/n."""
    a = node.operands[0]
    for places, n in _sizes(node):
        if a.grid is None or node.gives(_sums(a.grid, places, node.incoming.shape).map(lambda x, n=n: x / n)):  # type: ignore[misc]
            yield Explanation(f"mean of {a.name}", [_share(node, a, f"1/{n}", places, [1 / n] * count(a.shape))])


def _sums(a: Grid, places: list[int], shape: Shape) -> Grid:
    return Grid(shape, tuple(map(sum, _groups(places, a.flat, count(shape)))))


@explains("MaxBackward1", "MinBackward1", "AmaxBackward0", "AminBackward0", "MedianBackward0",
          general="the element that was taken gets the gradient; several that are the same share it")  # fmt: skip
def extreme(node: NodeView) -> Iterator[Explanation]:
    """1 at the largest (smallest) element; shared evenly between those that are the same."""
    a = node.operands[0]
    middle = node.node.startswith("Med")
    smaller = "min" in node.node.lower()

    def value(group: list[float]) -> float:
        return sorted(group)[(len(group) - 1) // 2] if middle else min(group) if smaller else max(group)

    word = "median" if middle else "smallest" if smaller else "largest"
    ties = any(len({*group}) < len(group) for group in [a.numbers.flat])
    formula = f"1 at the {word}{', shared where several are the same' if ties else ''}, else 0"
    equation = f"{word} of {a.name}"
    yield from _reduced(node, equation, formula, value, lambda group, y: [(x == y) / group.count(y) for x in group])


@explains("ProdBackward0", "ProdBackward1", general="∂(a₁·a₂·…)/∂aᵢ = the product of the others")
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

    yield from _reduced(node, f"product of {a.name}", "the product of the others", math.prod, others)


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
    word = "variance" if squared else "standard deviation"
    n = count(a.shape) // max(count(node.incoming.shape), 1)
    for below in (n - 1, n):
        if below <= 0:
            continue

        def value(group: list[float], below: int = below) -> float:
            middle = sum(group) / len(group)
            found = sum((x - middle) ** 2 for x in group) / below
            return found if squared else math.sqrt(found)

        def slopes(group: list[float], y: float, below: int = below) -> list[float]:
            middle = sum(group) / len(group)
            return [2 * (x - middle) / below if squared else (x - middle) / (below * y) for x in group]

        formula = f"2·({a.name} - mean)/{below}" if squared else f"({a.name} - mean)/({below}·{y})"
        yield from _reduced(node, f"{word} of {a.name}", formula, value, slopes)


@explains("LinalgVectorNormBackward0",
          general="of the 2-norm: ∂‖a‖/∂aᵢ = aᵢ/‖a‖; of the 1-norm: the sign of aᵢ")  # fmt: skip
def norm(node: NodeView) -> Iterator[Explanation]:
    """aᵢ/‖a‖ for the 2-norm, the sign for the 1-norm."""
    a, y = node.operands[0], node.result.name or "‖·‖"
    if node.inner:
        return
    yield from _reduced(
        node, f"‖{a.name}‖", f"{a.name}/{y}", lambda group: math.sqrt(sum(x * x for x in group)),
        lambda group, y: [x / y if y else 0.0 for x in group],
    )  # fmt: skip
    yield from _reduced(
        node, f"‖{a.name}‖₁", f"the sign of {a.name}", lambda group: sum(map(abs, group)),
        lambda group, y: [float((x > 0) - (x < 0)) for x in group],
    )  # fmt: skip


@explains("LogsumexpBackward0", general="∂y/∂aᵢ = exp(aᵢ - y)")
def logsumexp(node: NodeView) -> Iterator[Explanation]:
    """The softmax."""
    a, y = node.operands[0], node.result.name

    def value(group: list[float]) -> float:
        top = max(group)
        return top + math.log(sum(math.exp(x - top) for x in group))

    formula = f"exp({a.name} - {y})"
    yield from _reduced(
        node, f"log of the sum of exp({a.name})", formula, value, lambda group, y: [math.exp(x - y) for x in group]
    )


# ---------------------------------------------------------------- along one dimension


def lanes(shape: Shape) -> Iterator[list[list[int]]]:
    """For each dimension: the rows of elements that run along it."""
    for dimension in range(max(len(shape), 1)):
        kept = tuple(1 if i == dimension else size for i, size in enumerate(shape))
        rows: list[list[int]] = [[] for _ in range(count(kept))]
        for element, place in enumerate(places_of(kept, shape)):
            rows[place].append(element)
        yield rows


def soft(a: Grid, rows: list[list[int]]) -> list[float]:
    """The softmax along rows of elements."""
    found = [0.0] * len(a.flat)
    for row in rows:
        top = max((a.flat[at] for at in row), default=0.0)
        powers = [math.exp(a.flat[at] - top) for at in row]
        for at, power in zip(row, powers, strict=True):
            found[at] = power / sum(powers)
    return found


def _row_of(rows: list[list[int]]) -> dict[int, list[int]]:
    return {element: row for row in rows for element in row}


@explains("SoftmaxBackward0", general="y = softmax(a): grad(a) = y·(G - Σ y·G), the sum along the dimension")
def softmax(node: NodeView) -> Iterator[Explanation]:
    """∂yⱼ/∂aᵢ = yⱼ·(1 - yᵢ) where j = i, else -yⱼ·yᵢ: together y·(G - Σ y·G)."""
    a, y = node.operands[0], node.result.name or "y"
    for rows in lanes(a.shape):
        p = soft(a.numbers, rows)
        if node.gives(Grid(a.shape, tuple(p))):
            row_of = _row_of(rows)

            def row(i: int, p: list[float] = p, row_of: dict[int, list[int]] = row_of) -> list[tuple[int, float]]:
                return [(j, p[j] * ((i == j) - p[i])) for j in row_of[i]]

            g, flat = node.incoming.flat, [0.0] * len(p)
            for lane in rows:
                together = sum(p[j] * g[j] for j in lane)
                for i in lane:
                    flat[i] = p[i] * (g[i] - together)
            share = known(a, f"{y}·(G - Σ {y}·G)", node.incoming, flat, row)
            yield Explanation(f"softmax({a.name})", [share])


@explains("LogSoftmaxBackward0", general="p = softmax(a): grad(a) = G - p·ΣG, the sum along the dimension")
def log_softmax(node: NodeView) -> Iterator[Explanation]:
    """∂yⱼ/∂aᵢ = 1 - pᵢ where j = i, else -pᵢ: together G - p·ΣG."""
    a = node.operands[0]
    numbers = a.numbers
    ways = list(lanes(a.shape))
    if node.inner:  # classes are the second dimension, or the only one
        ways = ways[min(1, len(ways) - 1) :][:1]
    for rows in ways:
        p = soft(numbers, rows)
        if node.inner or node.gives(Grid(a.shape, tuple(map(math.log, p)))):
            row_of = _row_of(rows)

            def row(i: int, p: list[float] = p, row_of: dict[int, list[int]] = row_of) -> list[tuple[int, float]]:
                return [(j, (i == j) - p[i]) for j in row_of[i]]

            g, flat = node.incoming.flat, [0.0] * len(p)
            for lane in rows:
                together = sum(g[j] for j in lane)
                for i in lane:
                    flat[i] = g[i] - p[i] * together
            share = known(a, f"G - softmax({a.name})·ΣG", node.incoming, flat, row)
            yield Explanation(f"log(softmax({a.name}))", [share])


@explains("CumsumBackward0", general="each element gets the sum of the gradients from its place on")
def running_sum(node: NodeView) -> Iterator[Explanation]:
    """∂yⱼ/∂aᵢ = 1 from j = i on."""
    a = node.operands[0]
    for rows in lanes(a.shape):
        sums = [0.0] * count(a.shape)
        for lane in rows:
            so_far = 0.0
            for at in lane:
                sums[at] = so_far = so_far + a.numbers.flat[at]
        if node.gives(Grid(a.shape, tuple(sums))):
            row_of = _row_of(rows)

            def row(i: int, row_of: dict[int, list[int]] = row_of) -> list[tuple[int, float]]:
                return [(j, 1.0) for j in row_of[i] if j >= i]

            g, flat = node.incoming.flat, [0.0] * count(a.shape)
            for lane in rows:
                so_far = 0.0
                for at in reversed(lane):
                    flat[at] = so_far = so_far + g[at]
            share = known(a, "ΣG from its place on", node.incoming, flat, row)
            yield Explanation(f"running sum of {a.name}", [share])
