"""Derivatives of what slides a window over its input: convolutions and pooling.

How far the window moves, and how much was added around, is found from the shapes and the result.
Source: https://pytorch.org/docs/stable/nn.functional.html (*Convolution functions*, *Pooling functions*), and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from tutor.explain.grid import Grid, Shape, count
from tutor.explain.rules import MOST_WORK, Explanation, NodeView, Operand, Product, explains, mixed
from tutor.explain.shapes import strides
from tutor.i18n import N_, _

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
