"""Derivative rules along one dimension: softmax, log_softmax, cumsum, cumprod, logcumsumexp, cummax, cummin.

The recording does not have the dimension: each is tried, and those that give the result are explained.
Source: https://pytorch.org/docs/stable/torch.html (*Reduction Ops*, *Other Operations*), and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from tutor.explain.rules.arrays import Grid, Shape, broadcast_indices, count
from tutor.explain.rules.registry import Explanation, NodeView, explains, vjp_by_scatter, vjp_from_rows, vjp_from_values
from tutor.i18n import N_, _


def rows_by_dimension(shape: Shape) -> Iterator[list[list[int]]]:
    """Yield, for each dimension, the slices that run along it, as lists of flat indices."""
    for dimension in range(max(len(shape), 1)):
        reduced_shape = tuple(1 if i == dimension else size for i, size in enumerate(shape))
        rows: list[list[int]] = [[] for _ in range(count(reduced_shape))]
        for element, row_number in enumerate(broadcast_indices(reduced_shape, shape)):
            rows[row_number].append(element)
        yield rows


def softmax_rows(a: Grid, rows: list[list[int]]) -> list[float]:
    """Return the softmax over each of the rows, flat."""
    probabilities = [0.0] * len(a.flat)
    for row in rows:
        largest = max((a.flat[at] for at in row), default=0.0)
        powers = [math.exp(a.flat[at] - largest) for at in row]
        for at, power in zip(row, powers, strict=True):
            probabilities[at] = power / sum(powers)
    return probabilities


def _rows_by_element(rows: list[list[int]]) -> dict[int, list[int]]:
    """Return the row that each element is in."""
    return {element: row for row in rows for element in row}


@explains("SoftmaxBackward0", general=N_("y = softmax(a): grad(a) = y·(G - Σ y·G), the sum along the dimension"))
def softmax(node: NodeView) -> Iterator[Explanation]:
    """Explain softmax, over the dimension that gives the result."""
    yield from explain_softmax(node)


def explain_softmax(node: NodeView) -> Iterator[Explanation]:
    """Explain y = softmax(a): ∂yⱼ/∂aᵢ = yⱼ·(1 - yᵢ) where j = i, else -yⱼ·yᵢ: together y·(G - Σ y·G)."""
    a, y = node.operands[0], node.result.name or "y"
    for rows in rows_by_dimension(a.shape):
        p = softmax_rows(a.numbers, rows)
        if node.gives(Grid(a.shape, tuple(p))):
            row_of = _rows_by_element(rows)

            def row(i: int, p: list[float] = p, row_of: dict[int, list[int]] = row_of) -> list[tuple[int, float]]:
                return [(j, p[j] * ((i == j) - p[i])) for j in row_of[i]]

            g, flat = node.incoming.flat, [0.0] * len(p)
            for indices in rows:
                weighted_sum = sum(p[j] * g[j] for j in indices)
                for i in indices:
                    flat[i] = p[i] * (g[i] - weighted_sum)
            share = vjp_from_values(a, f"{y}·(G - Σ {y}·G)", node.incoming, flat, row)
            yield Explanation(f"softmax({a.name})", [share])


@explains("LogSoftmaxBackward0", general=N_("p = softmax(a): grad(a) = G - p·ΣG, the sum along the dimension"))
def log_softmax(node: NodeView) -> Iterator[Explanation]:
    """Explain y = log(softmax(a)): ∂yⱼ/∂aᵢ = 1 - pᵢ where j = i, else -pᵢ: together G - p·ΣG."""
    a = node.operands[0]
    numbers = a.numbers
    candidates = list(rows_by_dimension(a.shape))
    if node.inner:  # classes are the second dimension, or the only one
        candidates = candidates[min(1, len(candidates) - 1) :][:1]
    for rows in candidates:
        p = softmax_rows(numbers, rows)
        if node.inner or node.gives(Grid(a.shape, tuple(map(math.log, p)))):
            row_of = _rows_by_element(rows)

            def row(i: int, p: list[float] = p, row_of: dict[int, list[int]] = row_of) -> list[tuple[int, float]]:
                return [(j, (i == j) - p[i]) for j in row_of[i]]

            g, flat = node.incoming.flat, [0.0] * len(p)
            for indices in rows:
                total = sum(g[j] for j in indices)
                for i in indices:
                    flat[i] = g[i] - p[i] * total
            share = vjp_from_values(a, f"G - softmax({a.name})·ΣG", node.incoming, flat, row)
            yield Explanation(f"log(softmax({a.name}))", [share])


@explains("CumsumBackward0", general=N_("each element gets the sum of the gradients from its place on"))
def cumsum(node: NodeView) -> Iterator[Explanation]:
    """Explain cumsum: ∂yⱼ/∂aᵢ = 1 where j ≥ i."""
    a = node.operands[0]
    for rows in rows_by_dimension(a.shape):
        sums = [0.0] * count(a.shape)
        for indices in rows:
            total = 0.0
            for at in indices:
                sums[at] = total = total + a.numbers.flat[at]
        if node.gives(Grid(a.shape, tuple(sums))):
            row_of = _rows_by_element(rows)

            def row(i: int, row_of: dict[int, list[int]] = row_of) -> list[tuple[int, float]]:
                return [(j, 1.0) for j in row_of[i] if j >= i]

            g, flat = node.incoming.flat, [0.0] * count(a.shape)
            for indices in rows:
                total = 0.0
                for at in reversed(indices):
                    flat[at] = total = total + g[at]
            share = vjp_from_values(a, _("ΣG from its place on"), node.incoming, flat, row)
            yield Explanation(_("running sum of {a}", a=a.name), [share])


@explains("CumprodBackward0", general=N_("∂yⱼ/∂aᵢ = the product of the elements up to j but for aᵢ, from j = i on"))
def cumprod(node: NodeView) -> Iterator[Explanation]:
    """Explain cumprod: ∂yⱼ/∂aᵢ is the product of the elements up to j without aᵢ, where j ≥ i."""
    a = node.operands[0]
    for rows in rows_by_dimension(a.shape):
        products = [0.0] * count(a.shape)
        for indices in rows:
            running_product = 1.0
            for at in indices:
                products[at] = running_product = running_product * a.numbers.flat[at]
        if node.gives(Grid(a.shape, tuple(products))):
            row_of = _rows_by_element(rows)

            def row(i: int, row_of: dict[int, list[int]] = row_of) -> list[tuple[int, float]]:
                derivatives, running_product = [], 1.0
                for j in row_of[i]:
                    running_product *= 1.0 if j == i else a.numbers.flat[j]
                    if j >= i:
                        derivatives.append((j, running_product))
                return derivatives

            share = vjp_from_rows(a, _("Σ G·the product of the others, from its place on"), node.incoming, row)
            yield Explanation(_("running product of {a}", a=a.name), [share])


@explains("LogcumsumexpBackward0", general=N_("∂yⱼ/∂aᵢ = exp(aᵢ - yⱼ) from j = i on"))
def logcumsumexp(node: NodeView) -> Iterator[Explanation]:
    """Explain logcumsumexp: ∂yⱼ/∂aᵢ = exp(aᵢ - yⱼ) where j ≥ i."""
    a, y = node.operands[0], node.result
    for rows in rows_by_dimension(a.shape):
        sums = [0.0] * count(a.shape)
        for indices in rows:
            total = 0.0
            for at in indices:
                total += math.exp(a.numbers.flat[at])
                sums[at] = math.log(total)
        if node.gives(Grid(a.shape, tuple(sums))):
            row_of = _rows_by_element(rows)

            def row(i: int, row_of: dict[int, list[int]] = row_of) -> list[tuple[int, float]]:
                return [(j, math.exp(a.numbers.flat[i] - y.numbers.flat[j])) for j in row_of[i] if j >= i]

            formula = _("Σ G·exp({a} - {y}), from its place on", a=a.name, y=y.name)
            yield Explanation(
                _("log of the running sum of exp({a})", a=a.name), [vjp_from_rows(a, formula, node.incoming, row)]
            )


@explains("CummaxBackward0", "CumminBackward0",
          general=N_("the elements that were taken get the gradient, the others 0"))  # fmt: skip
def cummax_cummin(node: NodeView) -> Iterator[Explanation]:
    """Explain cummax and cummin by their indices, which are in the second result."""
    a, indices = node.operands[0], node.results[1].numbers
    for rows in rows_by_dimension(a.shape):
        places = [0] * count(a.shape)
        for row in rows:
            for at in row:
                places[at] = row[int(indices.flat[at]) % len(row)]
        if all(a.numbers.flat[at] == y for at, y in zip(places, node.results[0].numbers.flat, strict=True)):
            larger = node.node == "CummaxBackward0"
            equation = _("largest of {a} so far", a=a.name) if larger else _("smallest of {a} so far", a=a.name)
            incoming = Grid(a.shape, node.incoming.flat[: count(a.shape)])
            share = vjp_by_scatter(a, _("G added up where it was taken, else 0"), incoming, places)
            yield Explanation(equation, [share])
