"""Derivative rules of layers: layer_norm, batch_norm, group_norm, convolutions (also transposed), average and max
pooling (also adaptive).

What the recording does not have (groups, epsilon, stride, padding, dilation) is found from the shapes and the result.
Source: https://pytorch.org/docs/stable/nn.html (*Normalization Layers*),
https://pytorch.org/docs/stable/nn.functional.html (*Convolution functions*, *Pooling functions*), and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from tutor.explain.rules.arrays import Grid, Shape, count
from tutor.explain.rules.registry import (
    MOST_WORK,
    Explanation,
    NodeView,
    Operand,
    Share,
    explains,
    vjp_from_rows,
)
from tutor.explain.rules.shape import strides
from tutor.i18n import N_, _

# ---------------------------------------------------------------- normalization

_EPSILONS = (1e-5, 1e-6, 1e-12, 1e-8, 1e-3)
"""Usual values of epsilon."""


@dataclass(frozen=True)
class _Normalization:
    """The elements that are normalized together, and which element of the weight each of them has."""

    groups: list[list[int]]
    weighs: Sequence[int]
    weight: Operand | None
    bias: Operand | None
    fixed: tuple[Grid, Grid] | None = None
    """Mean and variance of each group, where they are not taken from it."""


def _explain_normalization(node: NodeView, layer: _Normalization, name: str) -> Iterator[Explanation]:
    """Explain a normalization, where one of the usual epsilons gives the result."""
    a, g = node.operands[0], node.incoming
    x = a.numbers.flat
    n = len(layer.groups[0])
    if n * len(x) > MOST_WORK:
        raise LookupError(a.name)
    w = [1.0 if layer.weight is None else layer.weight.numbers.flat[at] for at in layer.weighs]
    b = [0.0 if layer.bias is None else layer.bias.numbers.flat[at] for at in layer.weighs]
    for epsilon in _EPSILONS:
        normalized, inverse_std = [0.0] * len(x), [0.0] * len(x)
        for number, group in enumerate(layer.groups):
            if layer.fixed is not None:
                mean, variance = layer.fixed[0].flat[number], layer.fixed[1].flat[number]
            else:
                mean = sum(x[i] for i in group) / n
                variance = sum((x[i] - mean) ** 2 for i in group) / n
            for i in group:
                inverse_std[i] = 1 / math.sqrt(variance + epsilon)
                normalized[i] = (x[i] - mean) * inverse_std[i]
        if node.gives(Grid(a.shape, tuple(h * by + plus for h, by, plus in zip(normalized, w, b, strict=True)))):
            yield Explanation(f"{name}({a.name})", _normalization_shares(node, layer, a, g, normalized, inverse_std, w))
            return


def _normalization_shares(
    node: NodeView,
    layer: _Normalization,
    a: Operand,
    g: Grid,
    normalized: list[float],
    inverse_std: list[float],
    w: list[float],
) -> list[Share | None]:
    """Return the shares of input, weight and bias."""
    by = "G" if layer.weight is None else f"G·{layer.weight.name}"

    def vjp(g: Grid) -> Grid:
        flat = [0.0] * len(normalized)
        for group in layer.groups:
            gradients = [g.flat[j] * w[j] for j in group]
            mean = sum(gradients) / len(group)
            projection = sum(x * normalized[j] for x, j in zip(gradients, group, strict=True)) / len(group)
            for gradient, i in zip(gradients, group, strict=True):
                flat[i] = inverse_std[i] * (
                    gradient if layer.fixed is not None else gradient - mean - normalized[i] * projection
                )
        return Grid(a.shape, tuple(flat))

    if layer.fixed is not None:
        formula = _("{by}/s, with s the running standard deviation", by=by)
    else:
        formula = _(
            "(g - mean(g) - n·mean(g·n))/s, with g = {by}, n = ({a} - mean)/s, s = √(variance + small)", by=by, a=a.name
        )
    shares: list[Share | None] = [Share(a, formula, vjp)]
    for target, derivatives, text in (
        (layer.weight, normalized, _("ΣG·n, with n = ({a} - mean)/s", a=a.name)),
        (layer.bias, [1.0] * len(normalized), "ΣG"),
    ):
        if target is None:
            shares.append(None)
            continue
        rows: list[list[tuple[int, float]]] = [[] for _ in range(count(target.shape))]
        for i, at in enumerate(layer.weighs):
            rows[at].append((i, derivatives[i]))
        shares.append(vjp_from_rows(target, text, g, rows.__getitem__))
    return shares


def _weight_and_bias(operands: Sequence[Operand]) -> tuple[Operand | None, Operand | None]:
    """Return weight and bias; None for one that is missing."""
    tensors = [operand if operand.tensor is not None else None for operand in operands]
    return (tensors[0] if tensors else None), (tensors[1] if len(tensors) > 1 else None)


@explains(
    "NativeLayerNormBackward0",
    general=N_("y = n·w + b, n = (x - mean)/s: grad(x) = (g - mean(g) - n·mean(g·n))/s, with g = G·w"),
)
def layer_norm(node: NodeView) -> Iterator[Explanation]:
    """Explain layer_norm, over as many of the last dimensions as the weight has or the result shows."""
    a = node.operands[0]
    weight, bias = _weight_and_bias([operand for operand in node.operands[1:] if operand.tensor is not None])
    for first in range(len(a.shape) - 1, -1, -1):
        shape: Shape = a.shape[first:]
        if weight is not None and weight.shape != shape:
            continue
        size = count(shape)
        groups = [list(range(start, start + size)) for start in range(0, count(a.shape), size)]
        weighs = list(range(size)) * len(groups)
        yield from _explain_normalization(node, _Normalization(groups, weighs, weight, bias), "layer norm")


def _channels(shape: Shape) -> list[int]:
    """Return each element's index along the second dimension."""
    inner = count(shape[2:])
    return [i // inner % shape[1] for i in range(count(shape))]


@explains(
    "NativeBatchNormBackward0",
    general=N_("y = n·w + b, n = (x - mean)/s: grad(x) = (g - mean(g) - n·mean(g·n))/s, with g = G·w"),
)
def batch_norm(node: NodeView) -> Iterator[Explanation]:
    """Explain batch_norm, by the statistics of the batch, or by the running ones."""
    a, *rest = node.operands
    weight, bias = _weight_and_bias(rest[2:4])
    channels = _channels(a.shape)
    groups: list[list[int]] = [[] for _ in range(a.shape[1])]
    for i, channel in enumerate(channels):
        groups[channel].append(i)
    yield from _explain_normalization(node, _Normalization(groups, channels, weight, bias), "batch norm")
    if len(rest) > 1 and rest[0].grid is not None and rest[1].grid is not None:
        fixed = rest[0].grid, rest[1].grid
        yield from _explain_normalization(node, _Normalization(groups, channels, weight, bias, fixed), "batch norm")


@explains(
    "NativeGroupNormBackward0",
    general=N_("y = n·w + b, n = (x - mean)/s: grad(x) = (g - mean(g) - n·mean(g·n))/s, with g = G·w"),
)
def group_norm(node: NodeView) -> Iterator[Explanation]:
    """Explain group_norm, with the number of groups that gives the result."""
    a = node.operands[0]
    weight, bias = _weight_and_bias([operand for operand in node.operands[1:] if operand.tensor is not None])
    channels = _channels(a.shape)
    for groups_of_channels in range(1, a.shape[1] + 1):
        if a.shape[1] % groups_of_channels == 0:
            size = count(a.shape[1:]) // groups_of_channels
            groups = [list(range(start, start + size)) for start in range(0, count(a.shape), size)]
            yield from _explain_normalization(node, _Normalization(groups, channels, weight, bias), "group norm")


# ---------------------------------------------------------------- convolutions

WindowSums = tuple[list[list[int]], Sequence[int]]
"""The flat indices of each window, and what its sum is divided by."""
Products = list[tuple[int, int, int]]
"""The products of a convolution: flat indices of the result, of the input, and of the weight."""
_LARGEST_STRIDE = 4
_LARGEST_KERNEL = 7
"""Kernels of pooling are tried up to this size, and as large as the input."""


def _possible_strides(
    sizes: Shape, result_sizes: Shape, kernel: Shape, *, pool: bool = False
) -> Iterator[tuple[int, int, int]]:
    """Yield stride, padding and dilation, equal along all dimensions, that lead from sizes to sizes."""
    for dilation in (1,) if pool else (1, 2, 3):
        for stride in range(1, max(_LARGEST_STRIDE, *kernel) + 1):
            for padding in range(min(kernel) // 2 + 1 if pool else max(kernel) * dilation):
                spans = [dilation * (k - 1) for k in kernel]
                if all((n + 2 * padding - span - 1) // stride + 1 == m and n + 2 * padding > span
                       for n, m, span in zip(sizes, result_sizes, spans, strict=True)):  # fmt: skip
                    yield stride, padding, dilation


def _convolution(
    a: Operand, w: Operand, result_shape: Shape, slide: tuple[int, int, int], *, transposed: bool
) -> Products:
    """Return all products of a convolution; in a transposed one, input and result change places."""
    stride, padding, dilation = slide
    large, small = (result_shape, a.shape) if transposed else (a.shape, result_shape)
    groups = large[1] // w.shape[1]
    channels_per_group = w.shape[0] // groups
    by_wide, by_narrow, by_w = strides(large), strides(small), strides(w.shape)
    if count(small) * count(w.shape[1:]) > MOST_WORK:
        raise LookupError("too large to work out again")
    products = []
    for n, o, *at in product(*map(range, small)):
        small_index = n * by_narrow[0] + o * by_narrow[1] + sum(x * y for x, y in zip(at, by_narrow[2:], strict=True))
        for c, *k in product(*map(range, w.shape[1:])):
            position = [x * stride + y * dilation - padding for x, y in zip(at, k, strict=True)]
            if all(0 <= x < size for x, size in zip(position, large[2:], strict=True)):
                channel = o // channels_per_group * w.shape[1] + c
                large_index = n * by_wide[0] + channel * by_wide[1]
                large_index += sum(x * y for x, y in zip(position, by_wide[2:], strict=True))
                weight = o * by_w[0] + c * by_w[1] + sum(x * y for x, y in zip(k, by_w[2:], strict=True))
                products.append(
                    (large_index, small_index, weight) if transposed else (small_index, large_index, weight)
                )
    return products


@explains(
    "ConvolutionBackward0",
    general=N_("y = Σw·x over a window: grad(x) = ΣG·w, grad(w) = ΣG·x over all places of the window"),
)
def convolution(node: NodeView) -> Iterator[Explanation]:
    """Explain a convolution: each element of the result is a sum of products of input and weight."""
    a, w, *rest = [operand for operand in node.operands if operand.tensor is not None]
    bias, result_shape = (rest[0] if rest else None), node.incoming.shape
    transposed = "transpose" in node.op
    sizes, large = (result_shape, a.shape) if transposed else (a.shape, result_shape)
    for slide in _possible_strides(sizes[2:], large[2:], w.shape[2:]):
        products = _convolution(a, w, result_shape, slide, transposed=transposed)
        values = [0.0] * count(result_shape)
        for result_index, input_index, weight in products:
            values[result_index] += a.numbers.flat[input_index] * w.numbers.flat[weight]
        inner = count(result_shape[2:])
        channel = [at // inner % result_shape[1] for at in range(count(result_shape))]
        if bias is not None:
            values = [x + bias.numbers.flat[at] for x, at in zip(values, channel, strict=True)]
        if node.gives(Grid(result_shape, tuple(values))):
            rows_a: list[list[tuple[int, float]]] = [[] for _ in range(count(a.shape))]
            rows_w: list[list[tuple[int, float]]] = [[] for _ in range(count(w.shape))]
            for result_index, input_index, weight in products:
                rows_a[input_index].append((result_index, w.numbers.flat[weight]))
                rows_w[weight].append((result_index, a.numbers.flat[input_index]))
            shares: list[Share | None] = [
                vjp_from_rows(
                    a, _("ΣG·{w} over the windows that it is in", w=w.name), node.incoming, rows_a.__getitem__
                ),
                vjp_from_rows(
                    w, _("ΣG·{a} over the places of the window", a=a.name), node.incoming, rows_w.__getitem__
                ),
            ]
            if bias is not None:
                rows = [[(at, 1.0) for at, number in enumerate(channel) if number == c] for c in range(result_shape[1])]
                shares.append(vjp_from_rows(bias, _("ΣG of its channel"), node.incoming, rows.__getitem__))
            plus = "" if bias is None else f" + {bias.name}"
            yield Explanation(_("{a} convolved with {w}{plus}", a=a.name, w=w.name, plus=plus), shares)
            return


# ---------------------------------------------------------------- pooling


def _pooling_input(node: NodeView) -> Operand:
    """Return what was pooled; pooling over one dimension adds another to its input."""
    a = node.operands[0]
    if not node.inner:
        return a
    return Operand(a.name, a.shape, node.whole[0].numbers.reshape(a.shape), a.tensor)


Ranges = list[list[range]]


def _possible_windows(sizes: Shape, result_sizes: Shape) -> Iterator[tuple[Ranges, Ranges, int]]:
    """Yield the input range of each window along each dimension, without padding and with it, and the size of the
    kernel."""
    shapes = product(*(sorted({*range(1, min(n, _LARGEST_KERNEL) + 1), n}) for n in sizes))
    for shape in sorted(shapes, key=lambda shape: len(set(shape))):  # square ones first
        for stride, padding, _count in _possible_strides(sizes, result_sizes, shape, pool=True):
            unbounded = [[range(m * stride - padding, m * stride - padding + k) for m in range(windows)]
                    for windows, k in zip(result_sizes, shape, strict=True)]  # fmt: skip
            inside = [
                [range(max(r.start, 0), min(r.stop, n)) for r in row] for row, n in zip(unbounded, sizes, strict=True)
            ]
            padded = [
                [range(r.start, min(r.stop, n + padding)) for r in row] for row, n in zip(unbounded, sizes, strict=True)
            ]
            yield inside, padded, count(shape)


def _adaptive_windows(sizes: Shape, result_sizes: Shape) -> Ranges:
    """Return the input range of each window of adaptive pooling, along each dimension."""
    return [
        [range(m * n // windows, -(-(m + 1) * n // windows)) for m in range(windows)]
        for n, windows in zip(sizes, result_sizes, strict=True)
    ]


def _window_indices(a: Shape, result_shape: Shape, ranges: Ranges) -> list[list[int]]:
    """Return the flat input indices of each window."""
    dimensions = len(ranges)
    steps, windows = strides(a)[-dimensions:], []
    for lead in range(count(result_shape[:-dimensions])):
        base = lead * count(a[-dimensions:])
        for at in product(*(range(len(row)) for row in ranges)):
            window = product(*(row[x] for row, x in zip(ranges, at, strict=True)))
            windows.append(
                [base + sum(x * step for x, step in zip(coordinates, steps, strict=True)) for coordinates in window]
            )
    return windows


def _explain_average(node: NodeView, a: Operand, ways: Iterator[WindowSums]) -> Iterator[Explanation]:
    """Explain average pooling for the candidates that give the result."""
    for windows, sizes in ways:
        flat = a.numbers.flat
        means = [sum(flat[at] for at in window) / n for window, n in zip(windows, sizes, strict=True)]
        if node.gives(Grid(node.incoming.shape, tuple(means))):
            rows: list[list[tuple[int, float]]] = [[] for _ in flat]
            for place, (window, n) in enumerate(zip(windows, sizes, strict=True)):
                for at in window:
                    rows[at].append((place, 1 / n))
            share = vjp_from_rows(a, _("ΣG/n over the windows that it is in"), node.incoming, rows.__getitem__)
            yield Explanation(_("means of windows of {a}", a=a.name), [share])
            if not node.inner:  # then the numbers have shown that this is the way
                return


@explains("AvgPool2DBackward0",
          general=N_("the mean of n elements: each gets G/n from each window that it is in"))  # fmt: skip
def avg_pool(node: NodeView) -> Iterator[Explanation]:
    """Explain avg_pool: G/n from each window."""
    a, result_shape = _pooling_input(node), node.incoming.shape

    def candidates() -> Iterator[WindowSums]:
        for inside, padded, kernel_size in _possible_windows(a.shape[-2:], result_shape[-2:]):
            windows = _window_indices(a.shape, result_shape, inside)
            with_pad = [
                len(window) for window in _window_indices((1, 1), (*result_shape[:-2], *result_shape[-2:]), padded)
            ]
            for sizes in ([len(window) for window in windows], with_pad, [kernel_size] * len(windows)):
                if all(sizes):
                    yield windows, sizes

    yield from _explain_average(node, a, candidates())


@explains("AdaptiveAvgPool2DBackward0",
          general=N_("the mean of n elements: each gets G/n from each window that it is in"))  # fmt: skip
def adaptive_avg_pool(node: NodeView) -> Iterator[Explanation]:
    """Explain adaptive_avg_pool: G/n from each window."""
    a, result_shape = _pooling_input(node), node.incoming.shape
    windows = _window_indices(a.shape, result_shape, _adaptive_windows(a.shape[-2:], result_shape[-2:]))
    yield from _explain_average(node, a, iter([(windows, [len(window) for window in windows])]))


def _explain_max(node: NodeView, a: Operand, ways: Iterator[list[list[int]]]) -> Iterator[Explanation]:
    """Explain max pooling for the candidates that give the result."""
    flat = a.numbers.flat
    for windows in ways:
        if not all(windows):
            continue
        maxima = [max(window, key=lambda at: flat[at]) for window in windows]
        if node.gives(Grid(node.incoming.shape, tuple(flat[at] for at in maxima))):
            rows: list[list[tuple[int, float]]] = [[] for _ in flat]
            for place, at in enumerate(maxima):
                rows[at].append((place, 1.0))
            share = vjp_from_rows(
                a, _("G where it was the largest of a window, else 0"), node.incoming, rows.__getitem__
            )
            yield Explanation(_("largest of windows of {a}", a=a.name), [share])
            if not node.inner:  # then the numbers have shown that this is the way
                return


@explains("MaxPool2DWithIndicesBackward0",
          general=N_("the largest element of each window gets its gradient, the others 0"))  # fmt: skip
def max_pool(node: NodeView) -> Iterator[Explanation]:
    """Explain max_pool: the largest element of a window gets its gradient."""
    a, result_shape = _pooling_input(node), node.incoming.shape
    yield from _explain_max(
        node,
        a,
        (
            _window_indices(a.shape, result_shape, spans[0])
            for spans in _possible_windows(a.shape[-2:], result_shape[-2:])
        ),
    )


@explains("AdaptiveMaxPool2DBackward0",
          general=N_("the largest element of each window gets its gradient, the others 0"))  # fmt: skip
def adaptive_max_pool(node: NodeView) -> Iterator[Explanation]:
    """Explain adaptive_max_pool: the largest element of a window gets its gradient."""
    a, result_shape = _pooling_input(node), node.incoming.shape
    yield from _explain_max(
        node, a, iter([_window_indices(a.shape, result_shape, _adaptive_windows(a.shape[-2:], result_shape[-2:]))])
    )
