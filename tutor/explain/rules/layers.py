"""Derivative rules of layers: layer_norm, batch_norm, group_norm, convolutions (also transposed), average and max
pooling (also adaptive), scaled dot product attention and LSTM, where each is one node.

Source: https://pytorch.org/docs/stable/nn.html (*Normalization Layers*, *Recurrent Layers*),
https://pytorch.org/docs/stable/nn.functional.html (*Convolution functions*, *Pooling functions*),
https://pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html, and
`tools/autograd/derivatives.yaml` in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from operator import mul
from typing import Any

from tutor.explain.rules.arrays import MOST_WORK, Grid, Shape, count, map_slices
from tutor.explain.rules.registry import Explanation, NodeView, Operand, Share, explains, sparse
from tutor.explain.rules.scans import softmax
from tutor.explain.rules.shape import strides
from tutor.i18n import N_, _
from tutor.trace.number_format import number

# ---------------------------------------------------------------- normalization


@dataclass(frozen=True)
class _Normalization:
    """The elements that are normalized together, and which element of the weight each of them has."""

    groups: list[list[int]]
    weighs: Sequence[int]
    weight: Operand | None
    bias: Operand | None
    epsilon: float
    fixed: tuple[Grid, Grid] | None = None
    """Mean and variance of each group, where they are not taken from it."""


_GENERAL = N_("y = n·w + b, n = (x - mean)/s: grad(x) = (g - mean(g) - n·mean(g·n))/s, with g = G·w")


def _explain_normalization(node: NodeView, layer: _Normalization, name: str) -> Explanation:
    """Explain a normalization: the shares of input, weight and bias."""
    a, groups = node.operands[0], layer.groups
    x = a.numbers.flat
    if len(groups[0]) * len(x) > MOST_WORK:
        raise LookupError(a.name)
    w = [1.0 if layer.weight is None else layer.weight.numbers.flat[at] for at in layer.weighs]
    normalized, inverse_std = [0.0] * len(x), [0.0] * len(x)
    for channel, group in enumerate(groups):
        if layer.fixed is not None:
            mean, variance = layer.fixed[0].flat[channel], layer.fixed[1].flat[channel]
        else:
            mean = sum(x[i] for i in group) / len(group)
            variance = sum((x[i] - mean) ** 2 for i in group) / len(group)
        for i in group:
            inverse_std[i] = 1 / math.sqrt(variance + layer.epsilon)
            normalized[i] = (x[i] - mean) * inverse_std[i]

    def vjp(g: Grid) -> Grid:
        flat = [0.0] * len(x)
        for group in groups:
            gradients = [g.flat[j] * w[j] for j in group]
            mean = sum(gradients) / len(group)
            projection = sum(gradient * normalized[j] for gradient, j in zip(gradients, group, strict=True))
            for gradient, i in zip(gradients, group, strict=True):
                if layer.fixed is None:
                    gradient = gradient - mean - projection * (normalized[i] / len(group))
                flat[i] = gradient * inverse_std[i]
        return Grid(a.shape, tuple(flat))

    by = "G" if layer.weight is None else f"G·{layer.weight.name}"
    if layer.fixed is not None:
        formula = _("{by}/s, with s the running standard deviation", by=by)
    else:
        formula = _(
            "(g - mean(g) - n·mean(g·n))/s, with g = {by}, n = ({a} - mean)/s, s = √(variance + small)", by=by, a=a.name
        )
    shares: list[Share | None] = [Share(a, formula, vjp)]
    for target, derivatives, text in (
        (layer.weight, normalized, _("ΣG·n, with n = ({a} - mean)/s", a=a.name)),
        (layer.bias, [1.0] * len(x), "ΣG"),
    ):
        entries = [(i, at, derivatives[i]) for i, at in enumerate(layer.weighs)]
        shares.append(None if target is None else sparse(target, text, entries))
    return Explanation(f"{name}({a.name})", shares)


def _weight_and_bias(operands: Sequence[Operand]) -> tuple[Operand | None, Operand | None]:
    """Return weight and bias; None for one that is missing."""
    weight, bias, *_rest = (*(operand if operand.shape else None for operand in operands), None, None)
    return weight, bias


def _eps(node: NodeView) -> float:
    """Return what is added to the variance: of a node that does not keep it, the argument of the operation."""
    return float(node.attributes.get("eps", node.arguments.get("eps", 1e-5)))


@explains("NativeLayerNormBackward0", general=_GENERAL)
def layer_norm(node: NodeView) -> Explanation:
    """Explain layer_norm, over the last dimensions."""
    a, *rest = (operand for operand in node.operands if operand.shape)
    weight_and_bias = _weight_and_bias(rest)
    size = count(node.attributes["normalized_shape"])
    groups = [list(range(start, start + size)) for start in range(0, count(a.shape), size)]
    layer = _Normalization(groups, list(range(size)) * len(groups), *weight_and_bias, _eps(node))
    return _explain_normalization(node, layer, "layer norm")


def _channels(shape: Shape) -> list[int]:
    """Return each element's index along the second dimension."""
    inner = count(shape[2:])
    return [i // inner % shape[1] for i in range(count(shape))]


@explains("NativeBatchNormBackward0", general=_GENERAL)
def batch_norm(node: NodeView) -> Explanation:
    """Explain batch_norm, by the statistics of the batch, or by the running ones."""
    a, *rest = node.operands
    weight_and_bias = _weight_and_bias(rest if node.inner else rest[2:4])
    channels = _channels(a.shape)
    groups: list[list[int]] = [[] for _ in range(a.shape[1])]
    for i, channel in enumerate(channels):
        groups[channel].append(i)
    fixed = None if node.attributes["training"] else (rest[0].numbers, rest[1].numbers)
    layer = _Normalization(groups, channels, *weight_and_bias, node.attributes["eps"], fixed)
    return _explain_normalization(node, layer, "batch norm")


@explains("NativeGroupNormBackward0", general=_GENERAL)
def group_norm(node: NodeView) -> Explanation:
    """Explain group_norm, over groups of channels."""
    a, *rest = (operand for operand in node.operands if operand.shape)
    weight_and_bias = _weight_and_bias(rest)
    size = count(a.shape[1:]) // node.attributes["group"]
    groups = [list(range(start, start + size)) for start in range(0, count(a.shape), size)]
    layer = _Normalization(groups, _channels(a.shape), *weight_and_bias, _eps(node))
    return _explain_normalization(node, layer, "group norm")


# ---------------------------------------------------------------- convolutions


def _convolution(node: NodeView, a: Shape, w: Shape, result: Shape) -> list[tuple[int, int, int]]:
    """Return the products of a convolution: flat indices of the result, of the input, and of the weight. In a
    transposed one, input and result change places."""
    stride, padding, dilation = (node.attributes[name] for name in ("stride", "padding", "dilation"))
    transposed = node.attributes["transposed"]
    large, small = (result, a) if transposed else (a, result)
    channels_per_group = w[0] // node.attributes["groups"]
    if count(small) * count(w[1:]) > MOST_WORK:
        raise LookupError("too large to work out again")
    by_large, by_small, by_w = strides(large), strides(small), strides(w)
    places = []  # by place in the small one: its offset, and those in the large one and in the weight that meet there
    for at in product(*map(range, small[2:])):
        pairs = []
        for k in product(*map(range, w[2:])):
            position = [x * s + y * d - p for x, s, y, d, p in zip(at, stride, k, dilation, padding, strict=True)]
            if all(0 <= x < size for x, size in zip(position, large[2:], strict=True)):
                pairs.append((_offset(position, by_large[2:]), _offset(k, by_w[2:])))
        places.append((_offset(at, by_small[2:]), pairs))
    products: list[tuple[int, int, int]] = []
    for n, o in product(*map(range, small[:2])):
        first, group = _offset((n, o), by_small), o // channels_per_group * w[1]
        for place, pairs in places:
            small_index = first + place
            for c in range(w[1]):
                start, weight = _offset((n, group + c), by_large), _offset((o, c), by_w)
                if transposed:
                    products += [(start + large_at, small_index, weight + w_at) for large_at, w_at in pairs]
                else:
                    products += [(small_index, start + large_at, weight + w_at) for large_at, w_at in pairs]
    return products


def _offset(index: Sequence[int], by: Sequence[int]) -> int:
    """Return the flat index of a place, or of the beginning of its index, by strides."""
    return sum(map(mul, index, by))


@explains(
    "ConvolutionBackward0",
    general=N_("y = Σw·x over a window: grad(x) = ΣG·w, grad(w) = ΣG·x over all places of the window"),
)
def convolution(node: NodeView) -> Explanation:
    """Explain a convolution: each element of the result is a sum of products of input and weight."""
    a, w, *rest = [operand for operand in node.operands if operand.shape]
    result = node.incoming.shape
    products = _convolution(node, a.shape, w.shape, result)
    shares: list[Share | None] = [None, None]
    if w.grid is not None:
        entries = [(at, place, w.grid.flat[weight]) for at, place, weight in products]
        shares[0] = sparse(a, _("ΣG·{w} over the windows that it is in", w=w.name), entries)
    if a.grid is not None:
        entries = [(at, weight, a.grid.flat[place]) for at, place, weight in products]
        shares[1] = sparse(w, _("ΣG·{a} over the places of the window", a=a.name), entries)
    if rest:
        entries = [(at, channel, 1.0) for at, channel in enumerate(_channels(result))]
        shares.append(sparse(rest[0], _("ΣG of its channel"), entries))
    plus = f" + {rest[0].name}" if rest else ""
    return Explanation(_("{a} convolved with {w}{plus}", a=a.name, w=w.name, plus=plus), shares)


# ---------------------------------------------------------------- pooling

Windows = list[list[range]]
"""Along each dimension that is pooled, the indices of the input that each window covers, also outside of it."""


def _windows(node: NodeView) -> Windows:
    """Return the windows of a pooling."""
    kernel, padding = node.attributes["kernel_size"], node.attributes["padding"]
    steps = node.attributes["stride"] or kernel
    dilation = node.attributes.get("dilation") or [1] * len(kernel)
    sizes = node.incoming.shape[-len(kernel) :]
    return [
        [range(m * step - pad, m * step - pad + k * d, d) for m in range(size)]
        for k, step, pad, d, size in zip(kernel, steps, padding, dilation, sizes, strict=True)
    ]


def _adaptive_windows(node: NodeView) -> Windows:
    """Return the windows of adaptive pooling, in two or three dimensions by the node's name."""
    dimensions = 3 if "3D" in node.node else 2
    sizes, windows = node.operands[0].shape[-dimensions:], node.incoming.shape[-dimensions:]
    return [
        [range(m * n // size, -(-(m + 1) * n // size)) for m in range(size)]
        for n, size in zip(sizes, windows, strict=True)
    ]


def _window_indices(a: Shape, windows: Windows) -> list[list[int]]:
    """Return the flat indices of the elements in each window."""
    dimensions = len(windows)
    steps, sizes, indices = strides(a)[-dimensions:], a[-dimensions:], []
    for start in range(0, count(a), count(sizes)):
        for spans in product(*windows):
            inside = product(*([x for x in span if 0 <= x < size] for span, size in zip(spans, sizes, strict=True)))
            indices.append([start + sum(x * step for x, step in zip(at, steps, strict=True)) for at in inside])
    return indices


def _explain_average(node: NodeView, windows: Windows, divisors: Sequence[int] | None = None) -> Explanation:
    """Explain average pooling: G/n from each window; n is the number of elements unless there are other divisors."""
    a = node.operands[0]
    indices = _window_indices(a.shape, windows)
    sizes = [len(window) for window in indices]
    if divisors is not None:
        sizes = list(divisors) * (len(indices) // len(divisors))
    entries = [
        (place, at, 1 / n) for place, (window, n) in enumerate(zip(indices, sizes, strict=True)) for at in window
    ]
    share = sparse(a, _("ΣG/n over the windows that it is in"), entries)
    return Explanation(_("means of windows of {a}", a=a.name), [share])


def _explain_max(node: NodeView, windows: Windows) -> Explanation:
    """Explain max pooling: the largest element of each window gets its gradient."""
    a = node.operands[0]
    flat = a.numbers.flat
    entries = [
        (place, max(window, key=lambda at: flat[at]), 1.0)
        for place, window in enumerate(_window_indices(a.shape, windows))
    ]
    share = sparse(a, _("G where it was the largest of a window, else 0"), entries)
    return Explanation(_("largest of windows of {a}", a=a.name), [share])


_MEAN = N_("the mean of n elements: each gets G/n from each window that it is in")
_LARGEST = N_("the largest element of each window gets its gradient, the others 0")


@explains("AvgPool2DBackward0", "AvgPool3DBackward0", general=_MEAN)
def avg_pool(node: NodeView) -> Explanation:
    """Explain avg_pool: the divisor counts padding, but not what is beyond it."""
    attributes, windows = node.attributes, _windows(node)
    divisors = None
    if attributes["divisor_override"]:
        divisors = [attributes["divisor_override"]]
    elif attributes["count_include_pad"]:
        ends = [n + pad for n, pad in zip(node.operands[0].shape[-len(windows) :], attributes["padding"], strict=True)]
        divisors = [
            math.prod(min(span.stop, end) - span.start for span, end in zip(spans, ends, strict=True))
            for spans in product(*windows)
        ]
    return _explain_average(node, windows, divisors)


@explains("AdaptiveAvgPool2DBackward0", "AdaptiveAvgPool3DBackward0", general=_MEAN)
def adaptive_avg_pool(node: NodeView) -> Explanation:
    """Explain adaptive_avg_pool."""
    return _explain_average(node, _adaptive_windows(node))


@explains("MaxPool2DWithIndicesBackward0", "MaxPool3DWithIndicesBackward0", general=_LARGEST)
def max_pool(node: NodeView) -> Explanation:
    """Explain max_pool."""
    return _explain_max(node, _windows(node))


@explains("AdaptiveMaxPool2DBackward0", "AdaptiveMaxPool3DBackward0", general=_LARGEST)
def adaptive_max_pool(node: NodeView) -> Explanation:
    """Explain adaptive_max_pool."""
    return _explain_max(node, _adaptive_windows(node))


# ---------------------------------------------------------------- attention


def causal_mask(shape: Shape) -> Grid:
    """Return what a causal mask adds to scores: nothing for what came before, -inf for what comes later."""
    rows, columns = shape[-2:]
    return Grid(shape, tuple(-math.inf if at % columns > at // columns % rows else 0.0 for at in range(count(shape))))


def _scale(q: Shape, attributes: Mapping[str, Any]) -> float:
    return float(attributes.get("scale") or q[-1] ** -0.5)


def attention_weights(q: Grid, k: Grid, mask: Operand | None, attributes: Mapping[str, Any]) -> Grid:
    """Return P = softmax(Q·Kᵀ/√n), masked. Raises LookupError where elements were dropped."""
    if attributes["dropout_p"]:
        raise LookupError("the mask of dropout")
    scale = _scale(q.shape, attributes)
    scores = q.matmul(k.transpose()).map(lambda x: scale * x)
    if attributes["is_causal"]:
        scores = scores.combine(causal_mask(scores.shape), lambda x, y: x + y)
    elif mask is not None and mask.is_bool:
        scores = scores.combine(mask.numbers, lambda x, y: x if y else -math.inf)
    elif mask is not None and mask.shape:
        scores = scores.combine(mask.numbers, lambda x, y: x + y)
    return map_slices(-1, softmax, scores)


@explains(
    "ScaledDotProductFlashAttentionForCpuBackward0", "ScaledDotProductFlashAttentionBackward0",
    "ScaledDotProductEfficientAttentionBackward0", "ScaledDotProductCudnnAttentionBackward0",
    general="Y = P·V, P = softmax(Q·Kᵀ/√n): grad(V) = Pᵀ·G, grad(Q) = S·K/√n, S = P·(G·Vᵀ - Σ)",
)  # fmt: skip
def attention(node: NodeView) -> Explanation:
    """Explain attention: softmax between two matrix products."""
    q, k, v, *rest = node.operands
    if node.op == "scaled_dot_product_attention":  # where torch adds a dimension, the node has no place for the mask
        rest = [*node.whole[3:4]]
    mask = rest[0] if rest and rest[0].shape else None
    keys, values = k.numbers, v.numbers.transpose()
    p, scale = attention_weights(q.numbers, keys, mask, node.attributes), _scale(q.shape, node.attributes)

    def row_vjp(g: Sequence[float], weights: Sequence[float]) -> list[float]:
        total = sum(x * weight for x, weight in zip(g, weights, strict=True))
        return [(x - total) * (scale * weight) for x, weight in zip(g, weights, strict=True)]

    def scores_vjp(g: Grid) -> Grid:
        """Return S = P·(G·Vᵀ - its sum over P)."""
        return map_slices(-1, row_vjp, g.matmul(values), p)

    by = f"/√{q.shape[-1]}" if node.attributes.get("scale") is None else f"·{number(scale)}"
    inner_scores = f"{q.name}·{k.name}ᵀ{by}"
    inner = f"P = softmax({inner_scores})"
    if node.attributes["is_causal"]:
        inner = _("P = softmax({scores}, only of what came before)", scores=inner_scores)
    elif mask is not None:
        inner = _("P = softmax({scores}, masked by {mask})", scores=inner_scores, mask=mask.name)
    formula_q = _("S·{k}{by}, with S = P·(G·{v}ᵀ - its sum over P), {inner}", k=k.name, by=by, v=v.name, inner=inner)
    formula_k = _("Sᵀ·{q}{by}, with S as for {q}, which comes of G", q=q.name, by=by)
    transposed_p = p.transpose()
    shares: list[Share | None] = [
        Share(q, formula_q, lambda g: scores_vjp(g).matmul(keys)),
        Share(k, formula_k, lambda g: scores_vjp(g).transpose().matmul(q.numbers)),
        Share(v, _("Pᵀ·G, with {inner}", inner=inner), lambda g: transposed_p.matmul(g)),
    ]
    return Explanation(_("P·{v}, with {inner}", v=v.name, inner=inner), shares)


# ---------------------------------------------------------------- LSTM


@dataclass(frozen=True)
class LstmRun:
    """A run of a layer of an LSTM, by the order of its times."""

    inputs: list[Grid]
    gates: list[list[list[float]]]
    """At each time the gates i, f, g and o."""
    cells: list[list[float]]
    """The cell state before the first time, and after each."""
    hidden: list[Grid]
    """The hidden state before the first time, and after each."""
    output: Grid


def run_lstm(
    x: Grid, w_ih: Grid, w_hh: Grid, biases: Sequence[Grid], state: Grid | None = None, cell: Grid | None = None,
    *, reverse: bool = False,
) -> LstmRun:  # fmt: skip
    """Run a layer of an LSTM: h = o·tanh(c), c = f·(c before) + i·g. States that are not given are zero."""
    width, (times, batch, inputs) = w_hh.shape[1], x.shape
    size = batch * width
    run = LstmRun([], [], [list(cell.flat) if cell else [0.0] * size],
                  [Grid((batch, width), state.flat if state else (0.0,) * size)], x)  # fmt: skip
    bias = [sum(b.flat[at] for b in biases) for at in range(4 * width)]
    for time in reversed(range(times)) if reverse else range(times):
        run.inputs.append(Grid((batch, inputs), x.flat[time * batch * inputs : (time + 1) * batch * inputs]))
        by_x, by_h = run.inputs[-1].matmul(w_ih.transpose()), run.hidden[-1].matmul(w_hh.transpose())
        sums = [p + q + bias[at % (4 * width)] for at, (p, q) in enumerate(zip(by_x.flat, by_h.flat, strict=True))]
        i, f, g, o = (
            [function(sums[(n * 4 + gate) * width + j]) for n in range(batch) for j in range(width)]
            for gate, function in enumerate((_sigmoid, _sigmoid, math.tanh, _sigmoid))
        )
        before = run.cells[-1]
        run.gates.append([i, f, g, o])
        run.cells.append([f[at] * before[at] + i[at] * g[at] for at in range(size)])
        run.hidden.append(Grid((batch, width), tuple(o[at] * math.tanh(run.cells[-1][at]) for at in range(size))))
    ordered = run.hidden[:0:-1] if reverse else run.hidden[1:]
    return replace(run, output=Grid((times, batch, width), tuple(h for grid in ordered for h in grid.flat)))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@explains("MkldnnRnnLayerBackward0",
          general=N_("an LSTM: the gradient goes back in time, through the gates i, f, g and o"))  # fmt: skip
def lstm(node: NodeView) -> Explanation:
    """Explain a layer of an LSTM: back in time to the gates, and from these to input, weights and biases."""
    reverse = node.attributes["reverse"]
    if node.inner:
        x, w_ih, w_hh, *biases, state, cell = node.operands
    else:
        x, state, cell, w_ih, w_hh, *biases = node.operands
    biases = [bias for bias in biases if bias.shape]
    given = [bias.numbers for bias in biases]
    run = run_lstm(x.numbers, w_ih.numbers, w_hh.numbers, given, state.numbers, cell.numbers, reverse=reverse)
    (times, batch, _inputs), width = x.shape, w_hh.shape[1]
    size = batch * width

    def deltas(grad: Grid) -> tuple[list[Grid], list[float], list[float]]:
        """Return the gradients of the gates before σ and tanh, by the order of times, and those of the first states."""
        end = times * size
        by_h, by_c = (list(grad.flat[start : start + size]) or [0.0] * size for start in (end, end + size))
        of_times: list[Grid] = []
        for step in reversed(range(times)):
            i, f, g, o = run.gates[step]
            tanh, before = [math.tanh(c) for c in run.cells[step + 1]], run.cells[step]
            start = (times - 1 - step if reverse else step) * size
            by_h = [grad.flat[start + at] + x for at, x in enumerate(by_h)]
            by_c = [x + by_h[at] * (o[at] * (1 - tanh[at] ** 2)) for at, x in enumerate(by_c)]
            gates = (
                [x * (g[at] * i[at] * (1 - i[at])) for at, x in enumerate(by_c)],
                [x * (before[at] * f[at] * (1 - f[at])) for at, x in enumerate(by_c)],
                [x * (i[at] * (1 - g[at] ** 2)) for at, x in enumerate(by_c)],
                [x * (tanh[at] * o[at] * (1 - o[at])) for at, x in enumerate(by_h)],
            )
            flat = [x for n in range(0, size, width) for gate in gates for x in gate[n : n + width]]
            of_times.insert(0, Grid((batch, 4 * width), tuple(flat)))
            by_h, by_c = list(of_times[0].matmul(w_hh.numbers).flat), [x * f[at] for at, x in enumerate(by_c)]
        return of_times, by_h, by_c

    def to_input(grad: Grid) -> Grid:
        parts = [delta.matmul(w_ih.numbers).flat for delta in deltas(grad)[0]]
        return Grid(x.shape, tuple(y for part in (parts[::-1] if reverse else parts) for y in part))

    def to_weight(grad: Grid, factors: Sequence[Grid]) -> Grid:
        products = [d.transpose().matmul(factor).flat for d, factor in zip(deltas(grad)[0], factors, strict=True)]
        return Grid((4 * width, factors[0].shape[1]), tuple(sum(column) for column in zip(*products, strict=True)))

    def to_bias(grad: Grid) -> Grid:
        return to_weight(grad, [Grid.full((batch, 1), 1.0)] * times).reshape((4 * width,))

    delta = _("δ the gradient of i, f, g, o before σ and tanh")
    shares: list[Share | None] = [
        Share(x, _("δ·{w}, with {delta}", w=w_ih.name, delta=delta), to_input),
        Share(w_ih, _("Σδᵀ·{x} over time, with {delta}", x=x.name, delta=delta), lambda g: to_weight(g, run.inputs)),
        Share(w_hh, _("Σδᵀ·h over time, with {delta}", delta=delta), lambda g: to_weight(g, run.hidden[:-1])),
        *(Share(bias, _("Σδ over time, with {delta}", delta=delta), to_bias) for bias in biases),
        *[None] * (2 - len(biases)),
        Share(state, _("δ·{w} of the first time, with {delta}", w=w_hh.name, delta=delta),
              lambda g: Grid(state.shape, tuple(deltas(g)[1]))),
        Share(cell, _("what reaches c, by f of the first time, with {delta}", delta=delta),
              lambda g: Grid(cell.shape, tuple(deltas(g)[2]))),
    ]  # fmt: skip
    return Explanation(_("the LSTM of {x}: c = f·(c before) + i·g, h = o·tanh(c)", x=x.name), shares)
