"""Derivatives of what runs along one dimension: softmax, sums and products up to each place, the largest so far.

Along which dimension it went is found from the result: each way that fits is tried.
Source: https://pytorch.org/docs/stable/torch.html (*Reduction Ops*, *Other Operations*), and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from tutor.explain.rules.arrays import Grid, Shape, count, places_of
from tutor.explain.rules.registry import Explanation, NodeView, explains, known, mixed, routed
from tutor.i18n import N_, _


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


@explains("SoftmaxBackward0", general=N_("y = softmax(a): grad(a) = y·(G - Σ y·G), the sum along the dimension"))
def softmax(node: NodeView) -> Iterator[Explanation]:
    """Along the dimension that the numbers show."""
    yield from along_a_dimension(node)


def along_a_dimension(node: NodeView) -> Iterator[Explanation]:
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


@explains("LogSoftmaxBackward0", general=N_("p = softmax(a): grad(a) = G - p·ΣG, the sum along the dimension"))
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


@explains("CumsumBackward0", general=N_("each element gets the sum of the gradients from its place on"))
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
            share = known(a, _("ΣG from its place on"), node.incoming, flat, row)
            yield Explanation(_("running sum of {a}", a=a.name), [share])


@explains("CumprodBackward0", general=N_("∂yⱼ/∂aᵢ = the product of the elements up to j but for aᵢ, from j = i on"))
def running_product(node: NodeView) -> Iterator[Explanation]:
    """The product of the others, from its place on."""
    a = node.operands[0]
    for rows in lanes(a.shape):
        products = [0.0] * count(a.shape)
        for lane in rows:
            so_far = 1.0
            for at in lane:
                products[at] = so_far = so_far * a.numbers.flat[at]
        if node.gives(Grid(a.shape, tuple(products))):
            row_of = _row_of(rows)

            def row(i: int, row_of: dict[int, list[int]] = row_of) -> list[tuple[int, float]]:
                found, so_far = [], 1.0
                for j in row_of[i]:
                    so_far *= 1.0 if j == i else a.numbers.flat[j]
                    if j >= i:
                        found.append((j, so_far))
                return found

            share = mixed(a, _("Σ G·the product of the others, from its place on"), node.incoming, row)
            yield Explanation(_("running product of {a}", a=a.name), [share])


@explains("LogcumsumexpBackward0", general=N_("∂yⱼ/∂aᵢ = exp(aᵢ - yⱼ) from j = i on"))
def running_logsumexp(node: NodeView) -> Iterator[Explanation]:
    """exp(aᵢ - yⱼ) from j = i on."""
    a, y = node.operands[0], node.result
    for rows in lanes(a.shape):
        sums = [0.0] * count(a.shape)
        for lane in rows:
            so_far = 0.0
            for at in lane:
                so_far += math.exp(a.numbers.flat[at])
                sums[at] = math.log(so_far)
        if node.gives(Grid(a.shape, tuple(sums))):
            row_of = _row_of(rows)

            def row(i: int, row_of: dict[int, list[int]] = row_of) -> list[tuple[int, float]]:
                return [(j, math.exp(a.numbers.flat[i] - y.numbers.flat[j])) for j in row_of[i] if j >= i]

            formula = _("Σ G·exp({a} - {y}), from its place on", a=a.name, y=y.name)
            yield Explanation(
                _("log of the running sum of exp({a})", a=a.name), [mixed(a, formula, node.incoming, row)]
            )


@explains("CummaxBackward0", "CumminBackward0",
          general=N_("the elements that were taken get the gradient, the others 0"))  # fmt: skip
def extreme_so_far(node: NodeView) -> Iterator[Explanation]:
    """The result's second half says from which place along the dimension each element came."""
    a, taken = node.operands[0], node.results[1].numbers
    for rows in lanes(a.shape):
        places = [0] * count(a.shape)
        for lane in rows:
            for at in lane:
                places[at] = lane[int(taken.flat[at]) % len(lane)]
        if all(a.numbers.flat[at] == y for at, y in zip(places, node.results[0].numbers.flat, strict=True)):
            larger = node.node == "CummaxBackward0"
            equation = _("largest of {a} so far", a=a.name) if larger else _("smallest of {a} so far", a=a.name)
            incoming = Grid(a.shape, node.incoming.flat[: count(a.shape)])
            share = routed(a, _("G added up where it was taken, else 0"), incoming, places)
            yield Explanation(equation, [share])
