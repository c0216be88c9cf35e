"""Tensors, rows and samples that are to be joined and differ in shape: cat, stack, a loader's batch, nested lists."""

from __future__ import annotations

import ast
import re

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import (
    FailureContext,
    Given,
    Operands,
    argument,
    called,
    enclosed,
    function,
    listed,
    meant,
    members,
    mistake,
)
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _

_ALONG = {"cat": 0, "concat": 0, "concatenate": 0}


def _members(scene: FailureContext) -> list[Given]:
    call = called(scene)
    return [] if call is None else members(Operands(scene), argument(call, 0, "tensors"))


def _dimension(scene: FailureContext) -> int | None:
    """Along which dimension the code joins, where it says so."""
    call = called(scene)
    node = None if call is None else argument(call, 1, "dim", "axis")
    if node is None:
        return _ALONG.get(function(scene))
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    return value if isinstance(value, int) else None


@mistake(
    "RuntimeError",
    r"^Sizes of tensors must match except in dimension (?P<dim>\d+)\. Expected size (?P<wanted>\d+) but got size "
    r"(?P<size>\d+) for tensor number (?P<place>\d+) in the list",
)
def joined(scene: FailureContext, match: re.Match[str]) -> str:
    tensors, dim = _members(scene), int(match["dim"])
    if len({len(tensor.tensor.shape) for tensor in tensors}) != 1:
        return _(
            "`{code}` joins along dimension {dim}, so every other size must be equal; one tensor has {wanted} where "
            "another has {size}.", code=scene.code, dim=dim, wanted=match["wanted"], size=match["size"],
        )  # fmt: skip
    said = _(
        "`{code}` joins along dimension {dim}, so every other size must be equal: {tensors}.",
        code=scene.code, dim=dim, tensors=listed(_differing(tensors, dim)),
    )  # fmt: skip
    shapes = [tensor.tensor.shape for tensor in tensors]
    others = [
        place
        for place in range(len(shapes[0]))
        if len({(*shape[:place], *shape[place + 1 :]) for shape in shapes}) == 1
    ]
    if len(others) != 1 or function(scene) not in _ALONG:
        return said
    return sentences([said, _("They fit along dimension {dim}: dim={dim}.", dim=others[0])])


def _differing(tensors: list[Given], dim: int | None = None) -> list[Given]:
    """The first of them, and the first of another shape, apart from the size in a dimension."""
    shapes = [tensor.tensor.shape for tensor in tensors]
    if dim is not None:
        shapes = [(*shape[:dim], *shape[dim + 1 :]) for shape in shapes]
    other = next((tensor for tensor, shape in zip(tensors, shapes, strict=True) if shape != shapes[0]), None)
    return tensors[:1] if other is None else [tensors[0], other]


def _of_other_length(tensors: list[Given]) -> list[Given]:
    """The first of them, and the first with another number of dimensions."""
    count = len(tensors[0].tensor.shape) if tensors else 0
    return [*tensors[:1], *[tensor for tensor in tensors if len(tensor.tensor.shape) != count][:1]]


@mistake("RuntimeError", r"^Tensors must have same number of dimensions: got (?P<first>\d+) and (?P<second>\d+)")
def joined_dimensions(scene: FailureContext, match: re.Match[str]) -> str:
    tensors = _members(scene)
    if not tensors:
        return _(
            "`{code}` joins tensors of the same number of dimensions, and one has {first}, another {second}.",
            code=scene.code, first=match["first"], second=match["second"],
        )  # fmt: skip
    said = _("`{code}` joins tensors of the same number of dimensions: {tensors}.", code=scene.code,
              tensors=listed(_of_other_length(tensors)))  # fmt: skip
    return sentences([said, *_with_one_more(tensors, _dimension(scene))])


def _with_one_more(tensors: list[Given], dim: int | None) -> list[str]:
    """How the one with fewer dimensions gets another, where that can be in one place only."""
    tensors = sorted(_of_other_length(tensors), key=lambda tensor: len(tensor.tensor.shape))
    if dim is None or len(tensors) != 2:
        return []
    small, large = tensors[0].tensor.shape, tensors[1].tensor.shape
    dim %= len(large)
    fitting = []
    for place in range(len(large)):
        shape = (*small[:place], 1, *small[place:])
        if len(shape) == len(large) and all(shape[n] == large[n] for n in range(len(large)) if n != dim):
            fitting.append(place)
    if len(fitting) != 1:
        return []
    fix = f"{enclosed(tensors[0].source)}.unsqueeze({fitting[0]})"
    return [_("With one more dimension it fits: {fix}.", fix=fix)]


@mistake(
    "RuntimeError",
    r"(?:^|RuntimeError: )stack expects each tensor to be equal size, but got (?P<first>\[.*?\]) at entry 0 and "
    r"(?P<second>\[.*?\]) at entry (?P<place>\d+)",
)
def stacked(scene: FailureContext, match: re.Match[str]) -> str:
    if _collated(scene):
        said = _(
            "The loader stacks the samples of a batch into one tensor, so they must all have one shape: one has "
            "{first}, another {second}.", first=match["first"], second=match["second"],
        )  # fmt: skip
        return sentences([said, _own_collate()])
    if not function(scene).endswith("stack"):
        return _(
            "Inside of `{code}`, tensors are stacked into one, so they must all have one shape: one has {first}, "
            "another {second}.", code=scene.code, first=match["first"], second=match["second"],
        )  # fmt: skip
    tensors = _differing(_members(scene))
    named = [shape_text(tensor.tensor.shape) for tensor in tensors] == [match["first"], match["second"]]
    return _(
        "`{code}` makes one tensor of several of the same shape: {tensors}. Where the sizes differ in one dimension "
        "only, torch.cat joins along it.", code=scene.code,
        tensors=listed(tensors) if named else _("{first} and {last}", first=match["first"], last=match["second"]),
    )  # fmt: skip


def _collated(scene: FailureContext) -> bool:
    """Whether it was a loader that made a batch: it gave a loop its next samples, or was asked for them."""
    if "collate" in scene.event.message or function(scene) in ("next", "default_collate"):
        return True
    body = list(ast.iter_child_nodes(scene.tree))
    return len(body) == 1 and isinstance(body[0], (ast.For, ast.AsyncFor))


def _own_collate() -> str:
    return _(
        "Bring them to one shape in the Dataset (by padding, cutting or resizing), or let the DataLoader keep them as "
        "a list: {fix}.", fix="collate_fn=list",
    )  # fmt: skip


@mistake("RuntimeError", r"(?:^|RuntimeError: )each element in list of batch should be of equal size")
def lists_of_a_batch(scene: FailureContext, _match: re.Match[str]) -> str:
    said = _("The loader makes a batch of the samples, and the lists in them are not all of one length.")
    return sentences([said, _own_collate()])


@mistake("TypeError", r"(?:^|TypeError: )default_collate: batch must contain tensors, numpy arrays, numbers, dicts or "
         r"lists; found <class '(?P<kind>[\w.]+)'>")  # fmt: skip
def samples_of_another_kind(scene: FailureContext, match: re.Match[str]) -> str:
    kind = match["kind"].removesuffix("Type") if match["kind"] == "NoneType" else match["kind"]
    return _(
        "The loader makes tensors of what the Dataset gives, and in its samples is a {kind}, of which it can make "
        "none. Give tensors, numbers or lists of them there, or let the DataLoader keep the samples as a list: {fix}.",
        kind=kind, fix="collate_fn=list",
    )  # fmt: skip


@mistake("AssertionError", r"^Size mismatch between tensors")
def dataset(scene: FailureContext, _match: re.Match[str]) -> str | None:
    call = called(scene)
    tensors = [] if call is None else meant(Operands(scene), call.args)
    sizes = {tensor.tensor.shape[:1] for tensor in tensors}
    if len(sizes) < 2:
        return None
    return _(
        "`{code}` takes one sample of each tensor at a time, so their first sizes must be equal: {tensors}.",
        code=scene.code, tensors=listed(tensors),
    )  # fmt: skip


# ---------------------------------------------------------------- not a list of tensors


@mistake(
    "TypeError",
    r"^(?:cat|concat|concatenate|stack|[hvd]stack)\(\): argument 'tensors' \(position 1\) must be tuple of Tensors, "
    r"not Tensor",
)
@mistake(
    "TypeError",
    r"^(?:cat|concat|concatenate|stack|[hvd]stack)\(\) received an invalid combination of arguments - got "
    r"\(Tensor, Tensor",
)
def one_by_one(scene: FailureContext, _match: re.Match[str]) -> str | None:
    call = called(scene)
    tensors = [] if call is None else meant(Operands(scene), call.args)
    if call is None or len(tensors) < 2:
        return None
    rest = call.args[len(tensors) :]
    items = [f"[{', '.join(tensor.source for tensor in tensors)}]", *map(ast.unparse, rest)]
    items += [f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in call.keywords if keyword.arg]
    return _(
        "`{code}` takes the tensors as one list: `{fix}`.",
        code=scene.code, fix=f"{ast.unparse(call.func)}({', '.join(items)})",
    )  # fmt: skip


@mistake("RuntimeError", r"^zero-dimensional tensor \(at position (?P<place>\d+)\) cannot be concatenated")
def single_numbers(scene: FailureContext, match: re.Match[str]) -> str:
    tensors, call = _members(scene), called(scene)
    said = _("`{code}` joins along a dimension, and a tensor of shape [] has none.", code=scene.code)
    if call is None or not tensors or any(tensor.tensor.shape for tensor in tensors):
        return said
    return sentences([said, _("Single numbers are put into one tensor by `{fix}`.",
                               fix=f"torch.stack({ast.unparse(call.args[0])})")])  # fmt: skip


@mistake("ValueError", r"^torch\.\w+\(\): expected a non-empty list of Tensors")
@mistake("RuntimeError", r"^(?:torch\.\w+\(\): expected a non-empty|stack expects a non-empty|\w+ expects a non-empty) "
         r"(?:list of Tensors|TensorList)")  # fmt: skip
def of_nothing(scene: FailureContext, _match: re.Match[str]) -> str | None:
    call = called(scene)
    node = None if call is None else argument(call, 0, "tensors")
    if node is None:
        return None
    return _("`{code}` joins the tensors of a list, and {name} is empty.", code=scene.code, name=ast.unparse(node))


@mistake("TypeError", r"^expected Tensor as element (?P<place>\d+) in argument 0, but got (?P<kind>\w+)")
def no_tensor(scene: FailureContext, match: re.Match[str]) -> str:
    kind = "None" if match["kind"] == "NoneType" else match["kind"]
    return _(
        "`{code}` takes a list of tensors, and element {place} of it, counted from 0, is a {kind}.",
        code=scene.code, place=match["place"], kind=kind,
    )  # fmt: skip


# ---------------------------------------------------------------- nested lists


@mistake("ValueError", r"^expected sequence of length (?P<wanted>\d+) at dim (?P<dim>\d+) \(got (?P<size>\d+)\)")
def ragged(scene: FailureContext, match: re.Match[str]) -> str:
    said = _(
        "`{code}` makes a tensor of nested lists, and in dimension {dim} they differ in length: {wanted}, and {size}. "
        "All must have the same.", code=scene.code, dim=match["dim"], wanted=match["wanted"], size=match["size"],
    )  # fmt: skip
    call = called(scene)
    rows = call.args[0] if call is not None and call.args else None
    if call is None or not isinstance(rows, ast.List) or not all(map(_plain_row, rows.elts)):
        return said
    source = ast.unparse(rows)
    fix = f"nn.utils.rnn.pad_sequence([torch.tensor(row) for row in {source}], batch_first=True)"
    return sentences([said, _("Filled up with zeros they are `{fix}`.", fix=fix)])


def _plain_row(node: ast.expr) -> bool:
    return isinstance(node, ast.List) and all(isinstance(item, ast.Constant) for item in node.elts)


@mistake("TypeError", r"^not a sequence$")
def lists_and_numbers(scene: FailureContext, _match: re.Match[str]) -> str | None:
    if function(scene) not in ("tensor", "as_tensor"):
        return None
    return _(
        "`{code}` makes a tensor of nested lists, and in one place there are lists as well as single numbers. "
        "All must be nested equally deep.", code=scene.code,
    )  # fmt: skip


@mistake("RuntimeError", r"^Could not infer dtype of (?P<kind>\w+)")
def no_number(scene: FailureContext, match: re.Match[str]) -> str:
    kind = "None" if match["kind"] == "NoneType" else match["kind"]
    return _("`{code}` makes a tensor of numbers, and is given a {kind} among them.", code=scene.code, kind=kind)
