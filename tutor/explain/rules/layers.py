"""Derivatives of layers that take the mean away and divide by the standard deviation: layer, batch and group norm.

Source: https://pytorch.org/docs/stable/nn.html (*Normalization Layers*), and `tools/autograd/derivatives.yaml` in
PyTorch.

Derivatives of what slides a window over its input: convolutions and pooling.

How far the window moves, and how much was added around, is found from the shapes and the result.
Source: https://pytorch.org/docs/stable/nn.functional.html (*Convolution functions*, *Pooling functions*), and
`tools/autograd/derivatives.yaml` in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from tutor.explain.rules.arrays import Grid, Shape, count
from tutor.explain.rules.registry import MOST_WORK, Explanation, NodeView, Operand, Product, explains, known, mixed
from tutor.explain.rules.shape import strides
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


Windows = tuple[list[list[int]], Sequence[int]]
"""The elements of each window, and by what its sum is divided."""
Window = list[tuple[int, int, int]]
"""A place of the result, one of the input that goes into it, and one of the weight that stands before it."""
_MOST_STEP = 4
_MOST_WIDE = 7
"""Windows of pooling are tried up to this width, and as wide as the whole."""


def _slides(sizes: Shape, to: Shape, kernel: Shape, *, pool: bool = False) -> Iterator[tuple[int, int, int]]:
    """Steps, paddings and spacings, the same along all dimensions, that lead from sizes to sizes."""
    for apart in (1,) if pool else (1, 2, 3):
        for step in range(1, max(_MOST_STEP, *kernel) + 1):
            for pad in range(min(kernel) // 2 + 1 if pool else max(kernel) * apart):
                spans = [apart * (k - 1) for k in kernel]
                if all((n + 2 * pad - span - 1) // step + 1 == m and n + 2 * pad > span
                       for n, m, span in zip(sizes, to, spans, strict=True)):  # fmt: skip
                    yield step, pad, apart


def _convolution(a: Operand, w: Operand, to: Shape, slide: tuple[int, int, int], *, turned: bool) -> Window:
    """All products of a convolution; turned round, input and result change places."""
    step, pad, apart = slide
    wide, narrow = (to, a.shape) if turned else (a.shape, to)
    groups = wide[1] // w.shape[1]
    per = w.shape[0] // groups
    by_wide, by_narrow, by_w = strides(wide), strides(narrow), strides(w.shape)
    if count(narrow) * count(w.shape[1:]) > MOST_WORK:
        raise LookupError("too large to work out again")
    found = []
    for n, o, *at in product(*map(range, narrow)):
        place = n * by_narrow[0] + o * by_narrow[1] + sum(x * y for x, y in zip(at, by_narrow[2:], strict=True))
        for c, *k in product(*map(range, w.shape[1:])):
            here = [x * step + y * apart - pad for x, y in zip(at, k, strict=True)]
            if all(0 <= x < size for x, size in zip(here, wide[2:], strict=True)):
                channel = o // per * w.shape[1] + c
                other = n * by_wide[0] + channel * by_wide[1]
                other += sum(x * y for x, y in zip(here, by_wide[2:], strict=True))
                weight = o * by_w[0] + c * by_w[1] + sum(x * y for x, y in zip(k, by_w[2:], strict=True))
                found.append((other, place, weight) if turned else (place, other, weight))
    return found


@explains(
    "ConvolutionBackward0",
    general=N_("y = Σw·x over a window: grad(x) = ΣG·w, grad(w) = ΣG·x over all places of the window"),
)
def convolution(node: NodeView) -> Iterator[Explanation]:
    """Each element of the result is a sum of products: by x the weight, by the weight x."""
    a, w, *rest = [one for one in node.operands if one.tensor is not None]
    bias, to = (rest[0] if rest else None), node.incoming.shape
    turned = "transpose" in node.op
    sizes, wide = (to, a.shape) if turned else (a.shape, to)
    for slide in _slides(sizes[2:], wide[2:], w.shape[2:]):
        window = _convolution(a, w, to, slide, turned=turned)
        found = [0.0] * count(to)
        for place, other, weight in window:
            found[place] += a.numbers.flat[other] * w.numbers.flat[weight]
        inner = count(to[2:])
        channel = [at // inner % to[1] for at in range(count(to))]
        if bias is not None:
            found = [x + bias.numbers.flat[at] for x, at in zip(found, channel, strict=True)]
        if node.gives(Grid(to, tuple(found))):
            by_a: list[list[tuple[int, float]]] = [[] for _ in range(count(a.shape))]
            by_w: list[list[tuple[int, float]]] = [[] for _ in range(count(w.shape))]
            for place, other, weight in window:
                by_a[other].append((place, w.numbers.flat[weight]))
                by_w[weight].append((place, a.numbers.flat[other]))
            shares: list[Product | None] = [
                mixed(a, _("ΣG·{w} over the windows that it is in", w=w.name), node.incoming, by_a.__getitem__),
                mixed(w, _("ΣG·{a} over the places of the window", a=a.name), node.incoming, by_w.__getitem__),
            ]
            if bias is not None:
                rows = [[(at, 1.0) for at, one in enumerate(channel) if one == c] for c in range(to[1])]
                shares.append(mixed(bias, _("ΣG of its channel"), node.incoming, rows.__getitem__))
            plus = "" if bias is None else f" + {bias.name}"
            yield Explanation(_("{a} convolved with {w}{plus}", a=a.name, w=w.name, plus=plus), shares)
            return


# ---------------------------------------------------------------- pooling


def _pooled(node: NodeView) -> Operand:
    """What was pooled; pooling in one dimension gives its input another one first."""
    a = node.operands[0]
    if not node.inner:
        return a
    return Operand(a.name, a.shape, node.whole[0].numbers.reshape(a.shape), a.tensor)


Ranges = list[list[range]]


def _spans(sizes: Shape, to: Shape) -> Iterator[tuple[Ranges, Ranges, int]]:
    """For each dimension, the range of the input of each place of the result, within its bounds and beyond them; and
    how many elements a full window has."""
    shapes = product(*(sorted({*range(1, min(n, _MOST_WIDE) + 1), n}) for n in sizes))
    for shape in sorted(shapes, key=lambda shape: len(set(shape))):  # square ones first
        for step, pad, _count in _slides(sizes, to, shape, pool=True):
            full = [[range(m * step - pad, m * step - pad + k) for m in range(many)]
                    for many, k in zip(to, shape, strict=True)]  # fmt: skip
            inside = [[range(max(r.start, 0), min(r.stop, n)) for r in row] for row, n in zip(full, sizes, strict=True)]
            beyond = [[range(r.start, min(r.stop, n + pad)) for r in row] for row, n in zip(full, sizes, strict=True)]
            yield inside, beyond, count(shape)


def _adaptive(sizes: Shape, to: Shape) -> Ranges:
    """What adaptive pooling takes for each place of its result."""
    return [
        [range(m * n // many, -(-(m + 1) * n // many)) for m in range(many)] for n, many in zip(sizes, to, strict=True)
    ]


def _places(a: Shape, to: Shape, ranges: Ranges) -> list[list[int]]:
    """For each place of the result the places of its window."""
    dimensions = len(ranges)
    steps, found = strides(a)[-dimensions:], []
    for lead in range(count(to[:-dimensions])):
        base = lead * count(a[-dimensions:])
        for at in product(*(range(len(row)) for row in ranges)):
            window = product(*(row[x] for row, x in zip(ranges, at, strict=True)))
            found.append([base + sum(x * step for x, step in zip(one, steps, strict=True)) for one in window])
    return found


def _average(node: NodeView, a: Operand, ways: Iterator[Windows]) -> Iterator[Explanation]:
    for windows, sizes in ways:
        flat = a.numbers.flat
        means = [sum(flat[at] for at in window) / n for window, n in zip(windows, sizes, strict=True)]
        if node.gives(Grid(node.incoming.shape, tuple(means))):
            rows: list[list[tuple[int, float]]] = [[] for _ in flat]
            for place, (window, n) in enumerate(zip(windows, sizes, strict=True)):
                for at in window:
                    rows[at].append((place, 1 / n))
            share = mixed(a, _("ΣG/n over the windows that it is in"), node.incoming, rows.__getitem__)
            yield Explanation(_("means of windows of {a}", a=a.name), [share])
            if not node.inner:  # then the numbers have shown that this is the way
                return


@explains("AvgPool2DBackward0",
          general=N_("the mean of n elements: each gets G/n from each window that it is in"))  # fmt: skip
def average(node: NodeView) -> Iterator[Explanation]:
    """G/n, from each window."""
    a, to = _pooled(node), node.incoming.shape

    def ways() -> Iterator[Windows]:
        for inside, beyond, full in _spans(a.shape[-2:], to[-2:]):
            windows = _places(a.shape, to, inside)
            with_pad = [len(window) for window in _places((1, 1), (*to[:-2], *to[-2:]), beyond)]
            for sizes in ([len(window) for window in windows], with_pad, [full] * len(windows)):
                if all(sizes):
                    yield windows, sizes

    yield from _average(node, a, ways())


@explains("AdaptiveAvgPool2DBackward0",
          general=N_("the mean of n elements: each gets G/n from each window that it is in"))  # fmt: skip
def adaptive_average(node: NodeView) -> Iterator[Explanation]:
    """Windows as equal as they can be."""
    a, to = _pooled(node), node.incoming.shape
    windows = _places(a.shape, to, _adaptive(a.shape[-2:], to[-2:]))
    yield from _average(node, a, iter([(windows, [len(window) for window in windows])]))


def _largest(node: NodeView, a: Operand, ways: Iterator[list[list[int]]]) -> Iterator[Explanation]:
    flat = a.numbers.flat
    for windows in ways:
        if not all(windows):
            continue
        taken = [max(window, key=lambda at: flat[at]) for window in windows]
        if node.gives(Grid(node.incoming.shape, tuple(flat[at] for at in taken))):
            rows: list[list[tuple[int, float]]] = [[] for _ in flat]
            for place, at in enumerate(taken):
                rows[at].append((place, 1.0))
            share = mixed(a, _("G where it was the largest of a window, else 0"), node.incoming, rows.__getitem__)
            yield Explanation(_("largest of windows of {a}", a=a.name), [share])
            if not node.inner:  # then the numbers have shown that this is the way
                return


@explains("MaxPool2DWithIndicesBackward0",
          general=N_("the largest element of each window gets its gradient, the others 0"))  # fmt: skip
def largest(node: NodeView) -> Iterator[Explanation]:
    """The largest of a window gets it all."""
    a, to = _pooled(node), node.incoming.shape
    yield from _largest(node, a, (_places(a.shape, to, spans[0]) for spans in _spans(a.shape[-2:], to[-2:])))


@explains("AdaptiveMaxPool2DBackward0",
          general=N_("the largest element of each window gets its gradient, the others 0"))  # fmt: skip
def adaptive_largest(node: NodeView) -> Iterator[Explanation]:
    """Windows as equal as they can be."""
    a, to = _pooled(node), node.incoming.shape
    yield from _largest(node, a, iter([_places(a.shape, to, _adaptive(a.shape[-2:], to[-2:]))]))
