"""Inputs that a layer was not made for: channels, features, dimensions, images that are too small, states."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import (
    FailureContext,
    Given,
    Layer,
    Operands,
    Shape,
    argument,
    called,
    enclosed,
    input_of,
    inside,
    layer_with,
    listed,
    meant,
    mistake,
    said_of_input,
    sizes_in,
)
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _

# ---------------------------------------------------------------- convolution


@mistake(
    "RuntimeError",
    r"^Given (?P<kind>groups|transposed)=(?P<groups>\d+), weight of size \[(?P<weight>.*?)\], expected "
    r"input\[(?P<shape>.*?)\] to have (?P<wanted>\d+) channels, but got (?P<own>\d+) channels instead",
)
def channels(scene: FailureContext, match: re.Match[str]) -> str:
    shape, weight = sizes_in(match["shape"]), sizes_in(match["weight"])
    wanted, own = int(match["wanted"]), int(match["own"])
    operands = Operands(scene)
    layer = layer_with(operands, weight)
    given = input_of(scene, operands, layer, shape)
    single = given is not None and len(given.tensor.shape) == len(shape) - 1
    said = _(
        "{layer} takes {wanted} channels, dimension {dim} of its input: {given}, so {own} channels.",
        layer=f"`{scene.code}`" if layer is None else layer.name, wanted=wanted, dim=0 if single else 1,
        given=said_of_input(given, shape), own=own,
    )  # fmt: skip
    return sentences(
        [said, *_channel_fixes(given, shape, wanted, single, layer is not None and match["groups"] == "1")]
    )


def _channel_fixes(given: Given | None, shape: Shape, wanted: int, single: bool, plain: bool) -> list[str]:
    fixes = []
    if given is not None and single and wanted == 1:
        fix = f"{enclosed(given.source)}.unsqueeze(1)"
        fixes.append(_("If its first dimension counts samples of one channel: {fix}.", fix=fix))
    elif given is not None and shape[-1] == wanted:
        places = [0, len(shape) - 1, *range(1, len(shape) - 1)]
        if single:
            places = [place - 1 for place in places if place]
        order = ", ".join(map(str, places))
        fixes.append(
            _("If the channels are the last dimension: {fix}.", fix=f"{enclosed(given.source)}.permute({order})")
        )
    if plain:
        fixes.append(_("A layer for this input is made with {own} input channels.", own=shape[1]))
    return fixes


@mistake(
    "RuntimeError",
    r"^Expected (?P<single>\d)D \(unbatched\) or (?P<batch>\d)D \(batched\) input to \w+, but got input of size: "
    r"\[(?P<shape>.*?)\]",
)
def convolution_dimensions(scene: FailureContext, match: re.Match[str]) -> str:
    shape, single = sizes_in(match["shape"]), int(match["single"])
    operands = Operands(scene)
    layer = _called_layer(scene, operands)
    given = input_of(scene, operands, layer, shape)
    said = _with_or_without_samples(scene, match, said_of_input(given, shape))
    if given is None or layer is None or len(shape) != single - 1 or layer.weight.shape[1] != 1:
        return said
    fix = f"{enclosed(given.source)}.unsqueeze(0)"
    return sentences([said, _("If it is one sample with one channel: {fix}.", fix=fix)])


def _with_or_without_samples(scene: FailureContext, match: re.Match[str], given: str) -> str:
    return _(
        "`{code}` takes {single} dimensions (channels first), or {batch} with one for the samples before them: "
        "{given}.", code=scene.code, single=match["single"], batch=match["batch"], given=given,
    )  # fmt: skip


@mistake(
    "RuntimeError",
    r"^Calculated padded input size per channel: \((?P<size>[\dx ]+)\)\. Kernel size: \((?P<kernel>[\dx ]+)\)\. Kernel "
    r"size can't be greater",
)
def smaller_than_kernel(scene: FailureContext, match: re.Match[str]) -> str:
    size, kernel = sizes_in(match["size"]), sizes_in(match["kernel"])
    more = max((wide - own + 1) // 2 for own, wide in zip(size, kernel, strict=True))
    return _(
        "The kernel that `{code}` moves over its input has size {kernel}, and the input, with its padding, is only "
        "{size}. It takes a larger input, a smaller kernel, or a padding that is greater by {more}.",
        code=scene.code, kernel=_by(kernel), size=_by(size), more=more,
    )  # fmt: skip


def _by(sizes: Shape) -> str:
    return " x ".join(map(str, sizes))


# ---------------------------------------------------------------- pooling


@mistake(
    "RuntimeError",
    r"^Given input size: \((?P<size>[\dx]+)\)\. Calculated output size: \([\dx-]+\)\. Output size is too small",
)
def too_small_to_pool(scene: FailureContext, match: re.Match[str]) -> str:
    size = sizes_in(match["size"])
    return _(
        "The window of a pooling in `{code}` is larger than what reaches it: {size} in each of {channels} channels. It "
        "takes a larger input, or one pooling less.", code=scene.code, size=_by(size[1:]), channels=size[0],
    )  # fmt: skip


@mistake("RuntimeError", r"^max_pool1d\(\) Invalid computed output size")
def too_short_to_pool(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "The window of a pooling in `{code}` is larger than what reaches it. It takes a larger input, or one pooling "
        "less.", code=scene.code,
    )  # fmt: skip


@mistake("RuntimeError", r"^non-empty (?P<single>\d)D or (?P<batch>\d)D \(batch mode\) tensor expected for input")
def pooling_dimensions(scene: FailureContext, match: re.Match[str]) -> str | None:
    call = called(scene)
    given = [] if call is None else meant(Operands(scene), call.args[:1])
    if not given or len(given[0].tensor.shape) in (int(match["single"]), int(match["batch"])):
        return None
    return _with_or_without_samples(scene, match, said_of_input(given[0], given[0].tensor.shape))


# ---------------------------------------------------------------- normalization


@mistake(
    "RuntimeError",
    r"^(?:running_mean|running_var|weight|bias) should contain (?P<own>\d+) elements not (?P<wanted>\d+)",
)
def features(scene: FailureContext, match: re.Match[str]) -> str:
    own, wanted = int(match["own"]), int(match["wanted"])
    operands = Operands(scene)
    layer = layer_with(operands, (wanted,), ".running_mean")
    given = input_of(scene, operands, layer)
    if given is None or own not in given.tensor.shape[1:2]:
        said = _("{layer} takes {wanted} features, and its input has {own} (in dimension 1).",
                  layer=f"`{scene.code}`" if layer is None else layer.name, wanted=wanted, own=own)  # fmt: skip
    else:
        said = _(
            "{layer} takes {wanted} features, dimension 1 of its input: {given}, so {own} features.",
            layer=f"`{scene.code}`" if layer is None else layer.name, wanted=wanted,
            given=said_of_input(given, given.tensor.shape), own=own,
        )  # fmt: skip
        dims = len(given.tensor.shape)
        if dims > 2 and given.tensor.shape[-1] == wanted:
            order = ", ".join(map(str, [0, dims - 1, *range(1, dims - 1)]))
            fix = f"{enclosed(given.source)}.permute({order})"
            return sentences([said, _("If the features are the last dimension: {fix}.", fix=fix)])
    kind = _kind_of_last(scene, operands)
    if kind is None or not kind.startswith("BatchNorm"):
        return said
    return sentences([said, _("A layer for this input is {layer}.", layer=f"nn.{kind}({own})")])


def _kind_of_last(scene: FailureContext, operands: Operands) -> str | None:
    """The class of the module in which the last operation ran."""
    last = next(iter(inside(scene, operands)), None)
    module = None if last is None else scene.state.modules.get(last[1].module or 0)
    return None if module is None else module.kind


_NORMS = {2: 1, 3: 1, 4: 2, 5: 3}
"""By the number of dimensions of an input: what `BatchNorm` and `InstanceNorm` for it have at the end."""


@mistake("ValueError", r"^expected (?P<wanted>\dD(?: or \dD)?) input \(got (?P<own>\d)D input\)")
def normalized_dimensions(scene: FailureContext, match: re.Match[str]) -> str:
    operands, own = Operands(scene), int(match["own"])
    layer = _called_layer(scene, operands, "running_mean")
    given = input_of(scene, operands, layer)
    if given is not None and len(given.tensor.shape) != own:
        given = None
    first, *others = re.findall(r"\d", match["wanted"])
    wanted = _("{first} or {last}", first=first, last=others[0]) if others else first
    said = _(
        "`{code}` takes an input of {wanted} dimensions, and gets one of {own}.",
        code=scene.code, wanted=wanted, own=own,
    )  # fmt: skip
    if given is not None:
        said = sentences([said, _("{given}.", given=said_of_input(given, given.tensor.shape))])
    if given is None or own not in _NORMS or layer is None:
        return said
    if own == 3 and first == "4" and given.tensor.shape[0] == layer.weight.shape[0]:
        fix = f"{enclosed(given.source)}.unsqueeze(0)"
        return sentences([said, _("If it is one sample: {fix}.", fix=fix)])
    if given.tensor.shape[1] != layer.weight.shape[0]:
        return said
    fix = f"nn.BatchNorm{_NORMS[own]}d({given.tensor.shape[1]})"
    return sentences([said, _("A layer for this input is {layer}.", layer=fix)])


@mistake(
    "RuntimeError",
    r"^Given normalized_shape=\[(?P<wanted>.*?)\], expected input with shape \[\*.*?\], but got input of size "
    r"?\[(?P<shape>.*?)\]",
)
def last_dimensions(scene: FailureContext, match: re.Match[str]) -> str:
    wanted, shape = sizes_in(match["wanted"]), sizes_in(match["shape"])
    operands = Operands(scene)
    layer = layer_with(operands, wanted)
    given = input_of(scene, operands, layer, shape)
    last = shape[-len(wanted) :]
    said = _(
        "{layer} normalizes the last dimensions, which must be {wanted}: {given}, so {own}.",
        layer=f"`{scene.code}`" if layer is None else layer.name, wanted=shape_text(wanted),
        given=said_of_input(given, shape), own=shape_text(last),
    )  # fmt: skip
    if layer is None or "[*, " not in match.string:
        return said
    fix = f"nn.LayerNorm({last[0]})" if len(last) == 1 else f"nn.LayerNorm({list(last)})"
    return sentences([said, _("A layer for this input is {layer}.", layer=fix)])


@mistake(
    "RuntimeError",
    r"^Expected weight to be a vector of size equal to the number of channels in input, but got weight of shape "
    r"\[(?P<wanted>\d+)\] and input of shape \[(?P<shape>.*?)\]",
)
def group_channels(scene: FailureContext, match: re.Match[str]) -> str:
    shape, wanted = sizes_in(match["shape"]), int(match["wanted"])
    operands = Operands(scene)
    layer = layer_with(operands, (wanted,))
    given = input_of(scene, operands, layer, shape)
    return _(
        "{layer} takes {wanted} channels, dimension {dim} of its input: {given}, so {own} channels.",
        layer=f"`{scene.code}`" if layer is None else layer.name, wanted=wanted, dim=1,
        given=said_of_input(given, shape), own=shape[1],
    )  # fmt: skip


# ---------------------------------------------------------------- numbers that must divide each other


@mistake("ValueError", r"^(?P<what>in_channels|out_channels) must be divisible by groups")
@mistake("ValueError", r"^(?P<what>num_channels) \((?P<a>\d+)\) must be divisible by num_groups \((?P<b>\d+)\)")
@mistake("AssertionError", r"^(?P<what>embed_dim) must be divisible by num_heads")
def not_divisible(scene: FailureContext, match: re.Match[str]) -> str:
    by = {"in_channels": "groups", "out_channels": "groups", "num_channels": "num_groups", "embed_dim": "num_heads"}
    what = match["what"]
    return _(
        "`{code}` splits {what} into {by} equal parts, so {what} must be a multiple of {by}.",
        code=scene.code, what=what, by=by[what],
    )  # fmt: skip


# ---------------------------------------------------------------- recurrent layers, attention


def _called_layer(scene: FailureContext, operands: Operands, *weights: str) -> Layer | None:
    """The layer that the code calls itself, if it has one of these parameters (by default a `weight`)."""
    call = called(scene)
    for weight in weights or ("weight",):
        tensor = None if call is None else operands.tensor(f"{ast.unparse(call.func)}.{weight}")
        if call is not None and tensor is not None:
            return Layer(ast.unparse(call.func), tensor)
    return None


@mistake("RuntimeError", r"^input\.size\(-1\) must be equal to input_size\. Expected (?P<wanted>\d+), got (?P<own>\d+)")
@mistake("RuntimeError", r"^input has inconsistent input_size: got (?P<own>\d+),? expected (?P<wanted>\d+)")
def features_of_a_sequence(scene: FailureContext, match: re.Match[str]) -> str:
    operands, own = Operands(scene), int(match["own"])
    layer = _called_layer(scene, operands, "weight_hh_l0", "weight_hh")
    given = input_of(scene, operands, layer)
    if given is None or given.tensor.shape[-1:] != (own,):
        said = _(
            "The recurrent layer in `{code}` was made for {wanted} numbers at each place of a sequence, the last size "
            "of its input, and that is {own}.", code=scene.code, wanted=match["wanted"], own=own,
        )  # fmt: skip
    else:
        said = _(
            "{layer} was made for {wanted} numbers at each place of a sequence, the last size of its input: {given}.",
            layer=f"`{scene.code}`" if layer is None else layer.name, wanted=match["wanted"],
            given=said_of_input(given, given.tensor.shape),
        )  # fmt: skip
    return sentences([said, _("A layer for this input has {argument}.", argument=f"input_size={own}")])


@mistake("ValueError", r"^(?P<kind>LSTM|GRU|RNN): Expected input to be 2D or 3D, got (?P<own>\d)D instead")
def sequence_dimensions(scene: FailureContext, match: re.Match[str]) -> str:
    operands = Operands(scene)
    given = input_of(scene, operands, _called_layer(scene, operands, "weight_hh_l0"))
    if given is None or len(given.tensor.shape) != int(match["own"]):
        return _(
            "nn.{kind} takes 3 dimensions, or 2 for a single sequence, the features last; it gets {own}.",
            kind=match["kind"], own=match["own"],
        )  # fmt: skip
    return _(
        "nn.{kind} takes 3 dimensions, or 2 for a single sequence, the features last: {given}.",
        kind=match["kind"], given=said_of_input(given, given.tensor.shape),
    )  # fmt: skip


@mistake("RuntimeError", r"^Expected hidden(?P<place>\[\d\])? size \((?P<wanted>[\d, ]+)\), got \[(?P<own>.*?)\]")
def state_of_another_shape(scene: FailureContext, match: re.Match[str]) -> str:
    wanted, own = sizes_in(match["wanted"]), sizes_in(match["own"])
    return _(
        "The state that `{code}` begins with must have shape {wanted} (layers, samples, size of the state), and one "
        "has {own}. For instance {zeros}.", code=scene.code, wanted=shape_text(wanted), own=shape_text(own),
        zeros=f"torch.zeros({', '.join(map(str, wanted))})",
    )  # fmt: skip


@mistake(
    "RuntimeError",
    r"^For (?P<batched>batched 3-D|unbatched 2-D) input, hx (?:and cx )?should also be (?P<wanted>\d)-D but got "
    r"\(?(?P<own>\d)-D",
)
def state_dimensions(scene: FailureContext, match: re.Match[str]) -> str | None:
    order = _("layers, samples, size of the state") if match["wanted"] == "3" else _("layers, size of the state")
    return _(
        "The state that `{code}` begins with must have as many dimensions as its input, {wanted} ({order}), and has "
        "{own}.", code=scene.code, wanted=match["wanted"], order=order, own=match["own"],
    )  # fmt: skip


@mistake("RuntimeError", r"^hidden\d has inconsistent hidden_size: got (?P<own>\d+),? expected (?P<wanted>\d+)")
def size_of_a_state(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "The state that `{code}` is given must have {wanted} numbers for each sample, its last size, and has {own}.",
        code=scene.code, wanted=match["wanted"], own=match["own"],
    )  # fmt: skip


@mistake("RuntimeError", r"^Input batch size (?P<own>\d+) doesn't match hidden\d? batch size (?P<state>\d+)")
def samples_of_a_state(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "`{code}` gets an input of {own} samples and a state of {state}: their first sizes must be equal.",
        code=scene.code, own=match["own"], state=match["state"],
    )  # fmt: skip


@mistake("IndexError", r"^index 1 is out of bounds for dimension 0 with size 1")
def state_without_cell(scene: FailureContext, _match: re.Match[str]) -> str | None:
    operands, call = Operands(scene), called(scene)
    state = None if call is None else argument(call, 1, "hx")
    layer = _called_layer(scene, operands, "weight_hh_l0")
    if state is None or layer is None or not meant(operands, [state]):
        return None
    if layer.weight.shape[0] != 4 * layer.weight.shape[1]:
        return None
    return _second_state(ast.unparse(state))


def _second_state(source: str) -> str:
    return _(
        "An LSTM begins with two states, as a pair: one for the output and one for the cell. With a cell of zeros: "
        "{fix}.", fix=f"({source}, torch.zeros_like({source}))",
    )  # fmt: skip


@mistake("AssertionError", r"^was expecting embedding dimension of (?P<wanted>\d+), but got (?P<own>\d+)")
def embedding(scene: FailureContext, match: re.Match[str]) -> str:
    call = called(scene)
    given = meant(Operands(scene), [] if call is None else call.args[:1])
    fits = [one for one in given if one.tensor.shape[-1:] == (int(match["own"]),)]
    said = _(
        "The attention in `{code}` was made for {wanted} numbers at each place, the last size of its input: {own}.",
        code=scene.code, wanted=match["wanted"], own=match["own"],
    )  # fmt: skip
    return sentences([said, *(_("{given}.", given=said_of_input(one, one.tensor.shape)) for one in fits)])


@mistake("RuntimeError", r"^The shape of the (?P<dims>\d)D attn_mask is torch\.Size\((?P<own>\[.*?\])\), but should be "
         r"\((?P<wanted>.*?)\)")  # fmt: skip
def attention_mask(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "The mask of `{code}` has a number for each query and each key, so shape {wanted}, not {own}.",
        code=scene.code, wanted=f"[{match['wanted']}]", own=match["own"],
    )  # fmt: skip


@mistake(
    "RuntimeError",
    r"^weight tensor should be defined either for all (?P<wanted>\d+) classes or no classes but got weight tensor "
    r"of shape: \[(?P<own>.*?)\]",
)
def class_weights(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "The weight of `{code}` has a number for each class, so shape {wanted}, not {own}.",
        code=scene.code, wanted=f"[{match['wanted']}]", own=f"[{match['own']}]",
    )  # fmt: skip


@mistake("TypeError", r"^lstm_cell\(\): argument 'hx' \(position 2\) must be tuple of Tensors, not Tensor")
def cell_with_one_state(scene: FailureContext, _match: re.Match[str]) -> str | None:
    call = called(scene)
    state = None if call is None else argument(call, 1, "hx")
    return None if state is None else _second_state(ast.unparse(state))


@mistake("RuntimeError", r"^size mismatch \(got input: (?P<input>\[.*?\]) , target: (?P<target>\[.*?\])")
@mistake("RuntimeError", r"^only batches of spatial targets supported \(3D tensors\) but got targets of dimension: \d")
def classes_of_an_image(scene: FailureContext, _match: re.Match[str]) -> str | None:
    call = called(scene)
    given = [] if call is None else meant(Operands(scene), call.args[:2])
    if len(given) != 2 or len(given[0].tensor.shape) < 3:
        return None
    shape = given[0].tensor.shape
    wanted = (shape[0], *shape[2:])
    said = _(
        "`{code}` takes the number of a class for each place of each sample, so a target of shape {wanted} for a "
        "prediction with its classes in dimension 1: {tensors}.",
        code=scene.code, wanted=shape_text(wanted), tensors=listed(given),
    )  # fmt: skip
    if given[1].tensor.shape != (shape[0], 1, *shape[2:]):
        return said
    return sentences([said, _("Write {fix} there.", fix=f"{enclosed(given[1].source)}.squeeze(1)")])
