"""Derivatives of layers that take the mean away and divide by the standard deviation: layer, batch and group norm.

Source: https://pytorch.org/docs/stable/nn.html (*Normalization Layers*), and `tools/autograd/derivatives.yaml` in
PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tutor.explain.grid import Grid, Shape, count
from tutor.explain.rules import MOST_WORK, Explanation, NodeView, Operand, Product, explains, known, mixed
from tutor.i18n import N_, _

_SMALL = (1e-5, 1e-6, 1e-12, 1e-8, 1e-3)
"""What is usually added to the variance."""


@dataclass(frozen=True)
class _Layer:
    """Which elements are normalized together, and which element of the weight each has."""

    groups: list[list[int]]
    weighs: Sequence[int]
    weight: Operand | None
    bias: Operand | None
    fixed: tuple[Grid, Grid] | None = None
    """Mean and variance of each group, where they are not taken from it."""


def _normalized(node: NodeView, layer: _Layer, word: str) -> Iterator[Explanation]:
    a, g = node.operands[0], node.incoming
    x = a.numbers.flat
    n = len(layer.groups[0])
    if n * len(x) > MOST_WORK:
        raise LookupError(a.name)
    w = [1.0 if layer.weight is None else layer.weight.numbers.flat[at] for at in layer.weighs]
    b = [0.0 if layer.bias is None else layer.bias.numbers.flat[at] for at in layer.weighs]
    for small in _SMALL:
        hat, over = [0.0] * len(x), [0.0] * len(x)
        for number, group in enumerate(layer.groups):
            if layer.fixed is not None:
                mean, variance = layer.fixed[0].flat[number], layer.fixed[1].flat[number]
            else:
                mean = sum(x[i] for i in group) / n
                variance = sum((x[i] - mean) ** 2 for i in group) / n
            for i in group:
                over[i] = 1 / math.sqrt(variance + small)
                hat[i] = (x[i] - mean) * over[i]
        if node.gives(Grid(a.shape, tuple(h * by + plus for h, by, plus in zip(hat, w, b, strict=True)))):
            yield Explanation(f"{word}({a.name})", _shares(node, layer, a, g, hat, over, w))
            return


def _shares(
    node: NodeView, layer: _Layer, a: Operand, g: Grid, hat: list[float], over: list[float], w: list[float]
) -> list[Product | None]:
    of = {i: group for group in layer.groups for i in group}
    by = "G" if layer.weight is None else f"G·{layer.weight.name}"

    def row(i: int) -> list[tuple[int, float]]:
        group = of[i]
        if layer.fixed is not None:
            return [(i, w[i] * over[i])]
        n = len(group)
        return [(j, w[j] * over[i] * ((i == j) - 1 / n - hat[i] * hat[j] / n)) for j in group]

    flat = [0.0] * len(hat)
    for group in layer.groups:
        came = [g.flat[j] * w[j] for j in group]
        middle = sum(came) / len(group)
        along = sum(one * hat[j] for one, j in zip(came, group, strict=True)) / len(group)
        for one, i in zip(came, group, strict=True):
            flat[i] = over[i] * (one if layer.fixed is not None else one - middle - hat[i] * along)
    if layer.fixed is not None:
        formula = _("{by}/s, with s the running standard deviation", by=by)
    else:
        formula = _(
            "(g - mean(g) - n·mean(g·n))/s, with g = {by}, n = ({a} - mean)/s, s = √(variance + small)", by=by, a=a.name
        )
    scale = max(over) * max((abs(x * by) for x, by in zip(g.flat, w, strict=True)), default=0.0)
    shares: list[Product | None] = [known(a, formula, g, flat, row, scale)]
    for target, slope, said in (
        (layer.weight, hat, _("ΣG·n, with n = ({a} - mean)/s", a=a.name)), (layer.bias, [1.0] * len(hat), "ΣG"),
    ):  # fmt: skip
        if target is None:
            shares.append(None)
            continue
        places: list[list[tuple[int, float]]] = [[] for _ in range(count(target.shape))]
        for i, at in enumerate(layer.weighs):
            places[at].append((i, slope[i]))
        shares.append(mixed(target, said, g, places.__getitem__))
    return shares


def _pair(operands: Sequence[Operand]) -> tuple[Operand | None, Operand | None]:
    """Weight and bias, of which one may be missing."""
    held = [one if one.tensor is not None else None for one in operands]
    return (held[0] if held else None), (held[1] if len(held) > 1 else None)


@explains(
    "NativeLayerNormBackward0",
    general=N_("y = n·w + b, n = (x - mean)/s: grad(x) = (g - mean(g) - n·mean(g·n))/s, with g = G·w"),
)
def layer_norm(node: NodeView) -> Iterator[Explanation]:
    """Over the last dimensions; how many, the weight or the numbers tell."""
    a = node.operands[0]
    weight, bias = _pair([one for one in node.operands[1:] if one.tensor is not None])
    for first in range(len(a.shape) - 1, -1, -1):
        shape: Shape = a.shape[first:]
        if weight is not None and weight.shape != shape:
            continue
        size = count(shape)
        groups = [list(range(start, start + size)) for start in range(0, count(a.shape), size)]
        weighs = list(range(size)) * len(groups)
        yield from _normalized(node, _Layer(groups, weighs, weight, bias), "layer norm")


def _channels(shape: Shape) -> list[int]:
    """Of each element: its place along the second dimension."""
    inner = count(shape[2:])
    return [i // inner % shape[1] for i in range(count(shape))]


@explains(
    "NativeBatchNormBackward0",
    general=N_("y = n·w + b, n = (x - mean)/s: grad(x) = (g - mean(g) - n·mean(g·n))/s, with g = G·w"),
)
def batch_norm(node: NodeView) -> Iterator[Explanation]:
    """Over all but the second dimension, by the batch's own mean or the running one."""
    a, *rest = node.operands
    weight, bias = _pair(rest[2:4])
    channels = _channels(a.shape)
    groups: list[list[int]] = [[] for _ in range(a.shape[1])]
    for i, channel in enumerate(channels):
        groups[channel].append(i)
    yield from _normalized(node, _Layer(groups, channels, weight, bias), "batch norm")
    if len(rest) > 1 and rest[0].grid is not None and rest[1].grid is not None:
        fixed = rest[0].grid, rest[1].grid
        yield from _normalized(node, _Layer(groups, channels, weight, bias, fixed), "batch norm")


@explains(
    "NativeGroupNormBackward0",
    general=N_("y = n·w + b, n = (x - mean)/s: grad(x) = (g - mean(g) - n·mean(g·n))/s, with g = G·w"),
)
def group_norm(node: NodeView) -> Iterator[Explanation]:
    """Over the channels of a group; how many groups, the numbers tell."""
    a = node.operands[0]
    weight, bias = _pair([one for one in node.operands[1:] if one.tensor is not None])
    channels = _channels(a.shape)
    for many in range(1, a.shape[1] + 1):
        if a.shape[1] % many == 0:
            size = count(a.shape[1:]) // many
            groups = [list(range(start, start + size)) for start in range(0, count(a.shape), size)]
            yield from _normalized(node, _Layer(groups, channels, weight, bias), "group norm")
