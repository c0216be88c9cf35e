"""Explain inputs that a layer of `torch.nn` refuses.

Covers convolution and pooling (channels, dimensions, images smaller than the kernel), normalization layers, recurrent
layers and their states, attention, and sizes that must be multiples of others.
"""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import (
    FailureContext,
    Operand,
    Shape,
    describe_input,
    describe_layer,
    parenthesize,
    parse_sizes,
)
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.i18n import _
from tutor.trace.number_format import shape as shape_text

# ---------------------------------------------------------------- convolution


@mistake(
    "RuntimeError",
    r"^Given (?P<kind>groups|transposed)=(?P<groups>\d+), weight of size \[(?P<weight>.*?)\], expected "
    r"input\[(?P<shape>.*?)\] to have (?P<wanted>\d+) channels, but got (?P<own>\d+) channels instead",
)
def explain_conv_channels(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Given groups=1, weight of size [8, 3, 3, 3], expected input[1, 1, 9, 9] to have 3 channels"."""
    shape, weight = parse_sizes(match["shape"]), parse_sizes(match["weight"])
    in_channels, channels = int(match["wanted"]), int(match["own"])
    layer = context.layer_with(weight)
    operand = context.layer_input(layer, shape)
    is_unbatched = operand is not None and len(operand.tensor.shape) == len(shape) - 1
    problem = _(
        "{layer} takes {wanted} channels, dimension {dim} of its input: {given}, so {own} channels.",
        layer=describe_layer(context, layer), wanted=in_channels, dim=0 if is_unbatched else 1,
        given=describe_input(operand, shape), own=channels,
    )  # fmt: skip
    fix = _channels_fix(operand, shape, in_channels, is_unbatched)
    if layer is not None and match["groups"] == "1":
        fix = sentences([fix, _("A layer for this input is made with {own} input channels.", own=shape[1])])
    return Diagnosis(problem, fix=fix)


def _channels_fix(operand: Operand | None, shape: Shape, in_channels: int, is_unbatched: bool) -> str:
    """Say how the input gets as many channels as the layer takes; empty if it cannot."""
    if operand is not None and is_unbatched and in_channels == 1:
        fix = f"{parenthesize(operand.source)}.unsqueeze(1)"
        return _("If its first dimension counts samples of one channel: {fix}.", fix=fix)
    if operand is None or shape[-1] != in_channels:
        return ""
    return _("If the channels are the last dimension: {fix}.", fix=_channels_first(operand, is_unbatched=is_unbatched))


def _channels_first(operand: Operand, *, is_unbatched: bool) -> str:
    """Return code that moves the last dimension to the front, or behind the dimension of the samples."""
    batch, ndim = [0][is_unbatched:], len(operand.tensor.shape)
    order = [*batch, ndim - 1, *range(len(batch), ndim - 1)]
    return f"{parenthesize(operand.source)}.permute({', '.join(map(str, order))})"


@mistake(
    "RuntimeError",
    r"^Expected (?P<single>\d)D \(unbatched\) or (?P<batch>\d)D \(batched\) input to \w+, but got input of size: "
    r"\[(?P<shape>.*?)\]",
)
def explain_conv_dimensions(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Expected 3D (unbatched) or 4D (batched) input to conv2d"."""
    shape, unbatched_ndim = parse_sizes(match["shape"]), int(match["single"])
    layer = context.called_layer()
    operand = context.layer_input(layer, shape)
    problem = _describe_batch_dimensions(context, match, describe_input(operand, shape))
    if operand is None or layer is None or len(shape) != unbatched_ndim - 1 or layer.weight.shape[1] != 1:
        return Diagnosis(problem)
    fix = f"{parenthesize(operand.source)}.unsqueeze(0)"
    return Diagnosis(problem, fix=_("If it is one sample with one channel: {fix}.", fix=fix))


def _describe_batch_dimensions(context: FailureContext, match: re.Match[str], input_text: str) -> str:
    """Say how many dimensions the input must have, with or without one for the samples."""
    return _(
        "`{code}` takes {single} dimensions (channels first), or {batch} with one for the samples before them: "
        "{given}.", code=context.code, single=match["single"], batch=match["batch"], given=input_text,
    )  # fmt: skip


@mistake(
    "RuntimeError",
    r"^Calculated padded input size per channel: \((?P<size>[\dx ]+)\)\. Kernel size: \((?P<kernel>[\dx ]+)\)\. Kernel "
    r"size can't be greater",
)
def explain_conv_kernel_size(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Kernel size can't be greater than actual input size" of a convolution."""
    size, kernel = parse_sizes(match["size"]), parse_sizes(match["kernel"])
    padding = max((kernel_size - input_size + 1) // 2 for input_size, kernel_size in zip(size, kernel, strict=True))
    return Diagnosis(_(
        "The kernel that `{code}` moves over its input has size {kernel}, and the input, with its padding, is only "
        "{size}. It takes a larger input, a smaller kernel, or a padding that is greater by {more}.",
        code=context.code, kernel=_format_sizes(kernel), size=_format_sizes(size), more=padding,
    ))  # fmt: skip


def _format_sizes(sizes: Shape) -> str:
    """Return `3 x 4` of sizes 3 and 4."""
    return " x ".join(map(str, sizes))


# ---------------------------------------------------------------- pooling


@mistake(
    "RuntimeError",
    r"^Given input size: \((?P<size>[\dx]+)\)\. Calculated output size: \([\dx-]+\)\. Output size is too small",
)
def explain_pool_output_size(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Given input size: (1x1x1). Calculated output size: (1x0x0). Output size is too small" of pooling."""
    size = parse_sizes(match["size"])
    return Diagnosis(_(
        "The window of a pooling in `{code}` is larger than what reaches it: {size} in each of {channels} channels. It "
        "takes a larger input, or one pooling less.", code=context.code, size=_format_sizes(size[1:]), channels=size[0],
    ))  # fmt: skip


@mistake("RuntimeError", r"^max_pool1d\(\) Invalid computed output size")
def explain_pool1d_output_size(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "max_pool1d() Invalid computed output size"."""
    return Diagnosis(_(
        "The window of a pooling in `{code}` is larger than what reaches it. It takes a larger input, or one pooling "
        "less.", code=context.code,
    ))  # fmt: skip


@mistake("RuntimeError", r"^non-empty (?P<single>\d)D or (?P<batch>\d)D \(batch mode\) tensor expected for input")
def explain_pool_dimensions(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "non-empty 3D or 4D (batch mode) tensor expected for input" of pooling."""
    inputs = context.passed(0, 1)
    if not inputs or len(inputs[0].tensor.shape) in (int(match["single"]), int(match["batch"])):
        return None
    return Diagnosis(_describe_batch_dimensions(context, match, describe_input(inputs[0], inputs[0].tensor.shape)))


# ---------------------------------------------------------------- normalization


@mistake(
    "RuntimeError",
    r"^(?:running_mean|running_var|weight|bias) should contain (?P<own>\d+) elements not (?P<wanted>\d+)",
)
def explain_norm_features(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "running_mean should contain 3 elements not 4" of `BatchNorm`."""
    features, num_features = int(match["own"]), int(match["wanted"])
    layer = context.layer_with((num_features,), ".running_mean")
    operand = context.layer_input(layer)
    if operand is None or features not in operand.tensor.shape[1:2]:
        problem = _(
            "{layer} takes {wanted} features, and its input has {own} (in dimension 1).",
            layer=describe_layer(context, layer), wanted=num_features, own=features,
        )  # fmt: skip
    else:
        problem = _(
            "{layer} takes {wanted} features, dimension 1 of its input: {given}, so {own} features.",
            layer=describe_layer(context, layer), wanted=num_features,
            given=describe_input(operand, operand.tensor.shape), own=features,
        )  # fmt: skip
        if len(operand.tensor.shape) > 2 and operand.tensor.shape[-1] == num_features:
            fix = _channels_first(operand, is_unbatched=False)
            return Diagnosis(problem, fix=_("If the features are the last dimension: {fix}.", fix=fix))
    kind = _last_module_class(context)
    if kind is None or not kind.startswith("BatchNorm"):
        return Diagnosis(problem)
    return Diagnosis(problem, fix=_("A layer for this input is {layer}.", layer=f"nn.{kind}({features})"))


def _last_module_class(context: FailureContext) -> str | None:
    """Return the class of the module that the last operation ran in; None if unknown."""
    last = next(iter(context.statement_operations()), None)
    module = None if last is None else context.state.modules.get(last[1].module or 0)
    return None if module is None else module.kind


_NORM_SUFFIX = {2: 1, 3: 1, 4: 2, 5: 3}
"""By the number of dimensions of an input: the digit in the name of the `BatchNorm` layer for it."""


@mistake("ValueError", r"^expected (?P<wanted>\dD(?: or \dD)?) input \(got (?P<own>\d)D input\)")
def explain_norm_dimensions(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "expected 4D input (got 3D input)" of `BatchNorm`."""
    ndim = int(match["own"])
    layer = context.called_layer("running_mean")
    operand = context.layer_input(layer)
    if operand is not None and len(operand.tensor.shape) != ndim:
        operand = None
    first, *others = re.findall(r"\d", match["wanted"])
    ndims_text = _("{first} or {last}", first=first, last=others[0]) if others else first
    problem = _(
        "`{code}` takes an input of {wanted} dimensions, and gets one of {own}.",
        code=context.code, wanted=ndims_text, own=ndim,
    )  # fmt: skip
    if operand is not None:
        problem = sentences([problem, _("{given}.", given=describe_input(operand, operand.tensor.shape))])
    if operand is None or ndim not in _NORM_SUFFIX or layer is None:
        return Diagnosis(problem)
    if ndim == 3 and first == "4" and operand.tensor.shape[0] == layer.weight.shape[0]:
        fix = f"{parenthesize(operand.source)}.unsqueeze(0)"
        return Diagnosis(problem, fix=_("If it is one sample: {fix}.", fix=fix))
    if operand.tensor.shape[1] != layer.weight.shape[0]:
        return Diagnosis(problem)
    fix = f"nn.BatchNorm{_NORM_SUFFIX[ndim]}d({operand.tensor.shape[1]})"
    return Diagnosis(problem, fix=_("A layer for this input is {layer}.", layer=fix))


@mistake(
    "RuntimeError",
    r"^Given normalized_shape=\[(?P<wanted>.*?)\], expected input with shape \[\*.*?\], but got input of size "
    r"?\[(?P<shape>.*?)\]",
)
def explain_layer_norm_shape(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Given normalized_shape=[4], expected input with shape [*, 4]" of `LayerNorm`."""
    normalized_shape, shape = parse_sizes(match["wanted"]), parse_sizes(match["shape"])
    layer = context.layer_with(normalized_shape)
    operand = context.layer_input(layer, shape)
    last = shape[-len(normalized_shape) :]
    problem = _(
        "{layer} normalizes the last dimensions, which must be {wanted}: {given}, so {own}.",
        layer=describe_layer(context, layer), wanted=shape_text(normalized_shape),
        given=describe_input(operand, shape), own=shape_text(last),
    )  # fmt: skip
    if layer is None or "[*, " not in match.string:
        return Diagnosis(problem)
    fix = f"nn.LayerNorm({last[0]})" if len(last) == 1 else f"nn.LayerNorm({list(last)})"
    return Diagnosis(problem, fix=_("A layer for this input is {layer}.", layer=fix))


@mistake(
    "RuntimeError",
    r"^Expected weight to be a vector of size equal to the number of channels in input, but got weight of shape "
    r"\[(?P<wanted>\d+)\] and input of shape \[(?P<shape>.*?)\]",
)
def explain_group_norm_channels(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Expected weight to be a vector of size equal to the number of channels in input" of `GroupNorm`."""
    shape, num_channels = parse_sizes(match["shape"]), int(match["wanted"])
    layer = context.layer_with((num_channels,))
    operand = context.layer_input(layer, shape)
    return Diagnosis(_(
        "{layer} takes {wanted} channels, dimension {dim} of its input: {given}, so {own} channels.",
        layer=describe_layer(context, layer), wanted=num_channels, dim=1,
        given=describe_input(operand, shape), own=shape[1],
    ))  # fmt: skip


# ---------------------------------------------------------------- numbers that must divide each other


@mistake("ValueError", r"^(?P<what>in_channels|out_channels) must be divisible by groups")
@mistake("ValueError", r"^(?P<what>num_channels) \((?P<a>\d+)\) must be divisible by num_groups \((?P<b>\d+)\)")
@mistake("AssertionError", r"^(?P<what>embed_dim) must be divisible by num_heads")
def explain_not_divisible(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "in_channels must be divisible by groups", and the like of `GroupNorm` and attention."""
    divisors = {
        "in_channels": "groups",
        "out_channels": "groups",
        "num_channels": "num_groups",
        "embed_dim": "num_heads",
    }
    name = match["what"]
    return Diagnosis(_(
        "`{code}` splits {what} into {by} equal parts, so {what} must be a multiple of {by}.",
        code=context.code, what=name, by=divisors[name],
    ))  # fmt: skip


# ---------------------------------------------------------------- recurrent layers, attention


@mistake("RuntimeError", r"^input\.size\(-1\) must be equal to input_size\. Expected (?P<wanted>\d+), got (?P<own>\d+)")
@mistake("RuntimeError", r"^input has inconsistent input_size: got (?P<own>\d+),? expected (?P<wanted>\d+)")
def explain_rnn_input_size(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "input.size(-1) must be equal to input_size" of a recurrent layer."""
    input_size = int(match["own"])
    layer = context.called_layer("weight_hh_l0", "weight_hh")
    operand = context.layer_input(layer)
    if operand is None or operand.tensor.shape[-1:] != (input_size,):
        problem = _(
            "The recurrent layer in `{code}` was made for {wanted} numbers at each place of a sequence, the last size "
            "of its input, and that is {own}.", code=context.code, wanted=match["wanted"], own=input_size,
        )  # fmt: skip
    else:
        problem = _(
            "{layer} was made for {wanted} numbers at each place of a sequence, the last size of its input: {given}.",
            layer=describe_layer(context, layer), wanted=match["wanted"],
            given=describe_input(operand, operand.tensor.shape),
        )  # fmt: skip
    return Diagnosis(problem, fix=_("A layer for this input has {argument}.", argument=f"input_size={input_size}"))


@mistake("ValueError", r"^(?P<kind>LSTM|GRU|RNN): Expected input to be 2D or 3D, got (?P<own>\d)D instead")
def explain_rnn_dimensions(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "LSTM: Expected input to be 2D or 3D, got 4D instead"."""
    operand = context.layer_input(context.called_layer("weight_hh_l0"))
    if operand is None or len(operand.tensor.shape) != int(match["own"]):
        return Diagnosis(_(
            "nn.{kind} takes 3 dimensions, or 2 for a single sequence, the features last; it gets {own}.",
            kind=match["kind"], own=match["own"],
        ))  # fmt: skip
    return Diagnosis(_(
        "nn.{kind} takes 3 dimensions, or 2 for a single sequence, the features last: {given}.",
        kind=match["kind"], given=describe_input(operand, operand.tensor.shape),
    ))  # fmt: skip


@mistake("RuntimeError", r"^Expected hidden(?P<place>\[\d\])? size \((?P<wanted>[\d, ]+)\), got \[(?P<own>.*?)\]")
def explain_rnn_state_shape(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Expected hidden size (1, 2, 4), got [1, 3, 4]" of a recurrent layer."""
    expected, shape = parse_sizes(match["wanted"]), parse_sizes(match["own"])
    return Diagnosis(_(
        "The state that `{code}` begins with must have shape {wanted} (layers, samples, size of the state), and one "
        "has {own}. For instance {zeros}.", code=context.code, wanted=shape_text(expected), own=shape_text(shape),
        zeros=f"torch.zeros({', '.join(map(str, expected))})",
    ))  # fmt: skip


@mistake(
    "RuntimeError",
    r"^For (?P<batched>batched 3-D|unbatched 2-D) input, hx (?:and cx )?should also be (?P<wanted>\d)-D but got "
    r"\(?(?P<own>\d)-D",
)
def explain_rnn_state_dimensions(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "For batched 3-D input, hx should also be 3-D" of a recurrent layer."""
    order = _("layers, samples, size of the state") if match["wanted"] == "3" else _("layers, size of the state")
    return Diagnosis(_(
        "The state that `{code}` begins with must have as many dimensions as its input, {wanted} ({order}), and has "
        "{own}.", code=context.code, wanted=match["wanted"], order=order, own=match["own"],
    ))  # fmt: skip


@mistake("RuntimeError", r"^hidden\d has inconsistent hidden_size: got (?P<own>\d+),? expected (?P<wanted>\d+)")
def explain_rnn_cell_state_size(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "hidden0 has inconsistent hidden_size: got 3, expected 4" of a recurrent cell."""
    return Diagnosis(_(
        "The state that `{code}` is given must have {wanted} numbers for each sample, its last size, and has {own}.",
        code=context.code, wanted=match["wanted"], own=match["own"],
    ))  # fmt: skip


@mistake("RuntimeError", r"^Input batch size (?P<own>\d+) doesn't match hidden\d? batch size (?P<state>\d+)")
def explain_rnn_cell_batch(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Input batch size 2 doesn't match hidden batch size 3" of a recurrent cell."""
    return Diagnosis(_(
        "`{code}` gets an input of {own} samples and a state of {state}: their first sizes must be equal.",
        code=context.code, own=match["own"], state=match["state"],
    ))  # fmt: skip


@mistake("IndexError", r"^index 1 is out of bounds for dimension 0 with size 1")
def explain_lstm_single_state(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "index 1 is out of bounds for dimension 0 with size 1" of an LSTM that is given one state."""
    state = context.operand(context.argument(1, "hx"))
    layer = context.called_layer("weight_hh_l0")
    if state is None or layer is None or layer.weight.shape[0] != 4 * layer.weight.shape[1]:
        return None
    return _describe_lstm_states(state.source)


def _describe_lstm_states(source: str) -> Diagnosis:
    """Say that an LSTM takes a pair of states."""
    return Diagnosis(_(
        "An LSTM begins with two states, as a pair: one for the output and one for the cell. With a cell of zeros: "
        "{fix}.", fix=f"({source}, torch.zeros_like({source}))",
    ))  # fmt: skip


@mistake("AssertionError", r"^was expecting embedding dimension of (?P<wanted>\d+), but got (?P<own>\d+)")
def explain_attention_embedding(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "was expecting embedding dimension of 8, but got 4" of `MultiheadAttention`."""
    problem = _(
        "The attention in `{code}` was made for {wanted} numbers at each place, the last size of its input: {own}.",
        code=context.code, wanted=match["wanted"], own=match["own"],
    )  # fmt: skip
    operand = next(iter(context.passed(0, 1)), None)
    if operand is None or operand.tensor.shape[-1:] != (int(match["own"]),):
        return Diagnosis(problem)
    return Diagnosis(sentences([problem, _("{given}.", given=describe_input(operand, operand.tensor.shape))]))


@mistake("RuntimeError", r"^The shape of the (?P<dims>\d)D attn_mask is torch\.Size\((?P<own>\[.*?\])\), but should be "
         r"\((?P<wanted>.*?)\)")  # fmt: skip
def explain_attention_mask(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "The shape of the 2D attn_mask is [3, 3], but should be (4, 4)" of `MultiheadAttention`."""
    return Diagnosis(_(
        "The mask of `{code}` has a number for each query and each key, so shape {wanted}, not {own}.",
        code=context.code, wanted=shape_text(parse_sizes(match["wanted"])), own=shape_text(parse_sizes(match["own"])),
    ))  # fmt: skip


@mistake("TypeError", r"^lstm_cell\(\): argument 'hx' \(position 2\) must be tuple of Tensors, not Tensor")
def explain_lstm_cell_single_state(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "lstm_cell(): argument 'hx' must be tuple of Tensors, not Tensor"."""
    state = context.argument(1, "hx")
    return None if state is None else _describe_lstm_states(ast.unparse(state))
