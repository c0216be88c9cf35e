"""Derivative rules along one dimension: softmax, log_softmax, cumsum, cumprod, logcumsumexp, cummax, cummin.

Source: https://pytorch.org/docs/stable/torch.html (*Reduction Ops*, *Other Operations*), and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from itertools import accumulate, pairwise

from tutor.explain.rules.arrays import Grid, map_slices, slices
from tutor.explain.rules.registry import Explanation, NodeView, Share, explains, sparse
from tutor.i18n import N_, _


def softmax(numbers: Sequence[float]) -> list[float]:
    """Return the softmax of numbers."""
    largest = max(numbers, default=0.0)
    powers = [math.exp(x - largest) for x in numbers]
    total = sum(powers)
    return [x / total for x in powers]


@explains("SoftmaxBackward0", "SafeSoftmaxBackward0",
          general=N_("y = softmax(a): grad(a) = y·(G - Σ y·G), the sum along the dimension"))  # fmt: skip
def explain_softmax(node: NodeView) -> Explanation:
    """Explain y = softmax(a): ∂yⱼ/∂aᵢ = yⱼ·(1 - yᵢ) where j = i, else -yⱼ·yᵢ: together y·(G - Σ y·G)."""
    a, y, dim = node.operands[0], node.result.name or "y", node.attributes["dim"]
    probabilities = map_slices(dim, softmax, a.numbers)

    def vjp(g: Sequence[float], p: Sequence[float]) -> list[float]:
        weighted_sum = sum(x * weight for x, weight in zip(g, p, strict=True))
        return [weight * (x - weighted_sum) for x, weight in zip(g, p, strict=True)]

    share = Share(a, f"{y}·(G - Σ {y}·G)", lambda g: map_slices(dim, vjp, g, probabilities))
    return Explanation(f"softmax({a.name})", [share])


@explains("LogSoftmaxBackward0", general=N_("p = softmax(a): grad(a) = G - p·ΣG, the sum along the dimension"))
def log_softmax(node: NodeView) -> Explanation:
    """Explain y = log(softmax(a)): ∂yⱼ/∂aᵢ = 1 - pᵢ where j = i, else -pᵢ: together G - p·ΣG."""
    a, dim = node.operands[0], node.attributes["dim"]
    probabilities = map_slices(dim, softmax, a.numbers)

    def vjp(g: Sequence[float], p: Sequence[float]) -> list[float]:
        total = sum(g)
        return [x - weight * total for x, weight in zip(g, p, strict=True)]

    share = Share(a, f"G - softmax({a.name})·ΣG", lambda g: map_slices(dim, vjp, g, probabilities))
    return Explanation(f"log(softmax({a.name}))", [share])


def _sums_from_the_end(g: Sequence[float], factors: Sequence[float]) -> list[float]:
    """Return for each number the sum of it and of those after it, these each times the factors from the next one to
    theirs: of three, g₀ + f₁·(g₁ + f₂·g₂), g₁ + f₂·g₂ and g₂."""
    totals: list[float] = []
    for i in reversed(range(len(g))):
        totals.append(g[i] + factors[i + 1] * totals[-1] if totals else g[i])
    return totals[::-1]


@explains("CumsumBackward0", general=N_("each element gets the sum of the gradients from its place on"))
def cumsum(node: NodeView) -> Explanation:
    """Explain cumsum: ∂yⱼ/∂aᵢ = 1 where j ≥ i."""
    a, dim = node.operands[0], node.attributes["dim"]
    ones = Grid.full(a.shape, 1.0)
    share = Share(a, _("ΣG from its place on"), lambda g: map_slices(dim, _sums_from_the_end, g, ones))
    return Explanation(_("running sum of {a}", a=a.name), [share])


@explains("CumprodBackward0", general=N_("∂yⱼ/∂aᵢ = the product of the elements up to j but for aᵢ, from j = i on"))
def cumprod(node: NodeView) -> Explanation:
    """Explain cumprod: ∂yⱼ/∂aᵢ is the product of the elements up to j without aᵢ, where j ≥ i."""
    a, dim = node.operands[0], node.attributes["dim"]
    numbers = a.numbers

    def vjp(g: Sequence[float], x: Sequence[float]) -> list[float]:
        before = accumulate(x[:-1], operator.mul, initial=1.0)
        return [product * total for product, total in zip(before, _sums_from_the_end(g, x), strict=False)]

    share = Share(a, _("Σ G·the product of the others, from its place on"), lambda g: map_slices(dim, vjp, g, numbers))
    return Explanation(_("running product of {a}", a=a.name), [share])


@explains("LogcumsumexpBackward0", general=N_("∂yⱼ/∂aᵢ = exp(aᵢ - yⱼ) from j = i on"))
def logcumsumexp(node: NodeView) -> Explanation:
    """Explain logcumsumexp: ∂yⱼ/∂aᵢ = exp(aᵢ - yⱼ) where j ≥ i."""
    a, y, dim = node.operands[0], node.result, node.attributes["dim"]
    numbers, results = a.numbers, y.numbers

    def vjp(g: Sequence[float], x: Sequence[float], y: Sequence[float]) -> list[float]:
        decays = [1.0, *(math.exp(before - after) for before, after in pairwise(y))]
        totals = _sums_from_the_end(g, decays)
        return [math.exp(element - result) * total for element, result, total in zip(x, y, totals, strict=True)]

    formula = _("Σ G·exp({a} - {y}), from its place on", a=a.name, y=y.name)
    share = Share(a, formula, lambda g: map_slices(dim, vjp, g, numbers, results))
    return Explanation(_("log of the running sum of exp({a})", a=a.name), [share])


@explains("CummaxBackward0", "CumminBackward0",
          general=N_("the elements that were taken get the gradient, the others 0"))  # fmt: skip
def cummax_cummin(node: NodeView) -> Explanation:
    """Explain cummax and cummin by their indices, which are in the second result."""
    a, indices = node.operands[0], node.results[1].numbers
    entries = [(at, row[int(indices.flat[at])], 1.0) for row in slices(a.shape, node.attributes["dim"]) for at in row]
    larger = node.node == "CummaxBackward0"
    equation = _("largest of {a} so far", a=a.name) if larger else _("smallest of {a} so far", a=a.name)
    return Explanation(equation, [sparse(a, _("G added up where it was taken, else 0"), entries)])
