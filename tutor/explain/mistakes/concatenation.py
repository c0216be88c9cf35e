"""Explain failures of joining tensors: `torch.cat`, `torch.stack`, a DataLoader's batch, a tensor of nested lists.

Covers sizes and numbers of dimensions that differ, samples that cannot be collated, tensors passed one by one instead
of as a list, empty lists, elements that are no tensors, and nested lists of unequal length.
"""

from __future__ import annotations

import ast
import re

from tutor.explain.mistakes.context import FailureContext, Operand, list_shapes, parenthesize, parse_sizes
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.i18n import _
from tutor.trace.number_format import shape as shape_text

_DEFAULT_DIM = {"cat": 0, "concat": 0, "concatenate": 0}


def _joined_tensors(context: FailureContext) -> list[Operand]:
    """Return the tensors that the failing call joins: `a` of `[a, b]`, `xs[0]` of `xs`; empty unless all are known."""
    node = context.argument(0, "tensors")
    if isinstance(node, (ast.List, ast.Tuple)):
        resolved = context.operands(node.elts)
        return resolved if len(resolved) == len(node.elts) else []
    items: list[Operand] = []
    while node is not None and (tensor := context.named(f"{ast.unparse(node)}[{len(items)}]")) is not None:
        items.append(Operand(f"{ast.unparse(node)}[{len(items)}]", tensor))
    return items


def _join_dimension(context: FailureContext) -> int | None:
    """Return the dimension that the code joins along, as written or by default; None if unknown."""
    if context.argument(1, "dim", "axis") is None:
        return _DEFAULT_DIM.get(context.function)
    dim = context.literal_argument(1, "dim", "axis")
    return dim if isinstance(dim, int) else None


@mistake(
    "RuntimeError",
    r"^Sizes of tensors must match except in dimension (?P<dim>\d+)\. Expected size (?P<wanted>\d+) but got size "
    r"(?P<size>\d+) for tensor number (?P<place>\d+) in the list",
)
def explain_cat_sizes(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Sizes of tensors must match except in dimension 0" of `torch.cat`."""
    operands, cat_dim = _joined_tensors(context), int(match["dim"])
    if len({len(operand.tensor.shape) for operand in operands}) != 1:
        return Diagnosis(_(
            "`{code}` joins along dimension {dim}, so every other size must be equal; one tensor has {wanted} where "
            "another has {size}.", code=context.code, dim=cat_dim, wanted=match["wanted"], size=match["size"],
        ))  # fmt: skip
    problem = _(
        "`{code}` joins along dimension {dim}, so every other size must be equal: {tensors}.",
        code=context.code, dim=cat_dim, tensors=list_shapes(_first_mismatch(operands, cat_dim)),
    )  # fmt: skip
    shapes = [operand.tensor.shape for operand in operands]
    fitting_dims = [
        dim for dim in range(len(shapes[0])) if len({(*shape[:dim], *shape[dim + 1 :]) for shape in shapes}) == 1
    ]
    if len(fitting_dims) != 1 or context.function not in _DEFAULT_DIM:
        return Diagnosis(problem)
    return Diagnosis(problem, fix=_("They fit along dimension {dim}: dim={dim}.", dim=fitting_dims[0]))


def _first_mismatch(operands: list[Operand], dim: int | None = None) -> list[Operand]:
    """Return the first tensor and the first one of another shape, apart from the size in dimension `dim`."""
    shapes = [operand.tensor.shape for operand in operands]
    if dim is not None:
        shapes = [(*shape[:dim], *shape[dim + 1 :]) for shape in shapes]
    other = next((operand for operand, shape in zip(operands, shapes, strict=True) if shape != shapes[0]), None)
    return operands[:1] if other is None else [operands[0], other]


def _first_other_ndim(operands: list[Operand]) -> list[Operand]:
    """Return the first tensor and the first one with another number of dimensions."""
    ndim = len(operands[0].tensor.shape) if operands else 0
    return [*operands[:1], *[operand for operand in operands if len(operand.tensor.shape) != ndim][:1]]


@mistake("RuntimeError", r"^Tensors must have same number of dimensions: got (?P<first>\d+) and (?P<second>\d+)")
def explain_cat_dimensions(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Tensors must have same number of dimensions" of `torch.cat`."""
    operands = _joined_tensors(context)
    if not operands:
        return Diagnosis(_(
            "`{code}` joins tensors of the same number of dimensions, and one has {first}, another {second}.",
            code=context.code, first=match["first"], second=match["second"],
        ))  # fmt: skip
    problem = _("`{code}` joins tensors of the same number of dimensions: {tensors}.", code=context.code,
              tensors=list_shapes(_first_other_ndim(operands)))  # fmt: skip
    return Diagnosis(problem, fix=_unsqueeze_fix(operands, _join_dimension(context)))


def _unsqueeze_fix(operands: list[Operand], dim: int | None) -> str:
    """Say how the tensor with fewer dimensions gets one more; empty unless exactly one place fits."""
    operands = sorted(_first_other_ndim(operands), key=lambda operand: len(operand.tensor.shape))
    if dim is None or len(operands) != 2:
        return ""
    small, large = operands[0].tensor.shape, operands[1].tensor.shape
    dim %= len(large)
    places = []
    for place in range(len(large)):
        shape = (*small[:place], 1, *small[place:])
        if len(shape) == len(large) and all(shape[n] == large[n] for n in range(len(large)) if n != dim):
            places.append(place)
    if len(places) != 1:
        return ""
    fix = f"{parenthesize(operands[0].source)}.unsqueeze({places[0]})"
    return _("With one more dimension it fits: {fix}.", fix=fix)


@mistake(
    "RuntimeError",
    r"(?:^|RuntimeError: )stack expects each tensor to be equal size, but got (?P<first>\[.*?\]) at entry 0 and "
    r"(?P<second>\[.*?\]) at entry (?P<place>\d+)",
)
def explain_stack_sizes(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "stack expects each tensor to be equal size", raised by `torch.stack` or by a DataLoader."""
    first, second = (shape_text(parse_sizes(match[name])) for name in ("first", "second"))
    if _is_collating(context):
        problem = _(
            "The loader stacks the samples of a batch into one tensor, so they must all have one shape: one has "
            "{first}, another {second}.", first=first, second=second,
        )  # fmt: skip
        return Diagnosis(problem, fix=_collate_fix())
    if not context.function.endswith("stack"):
        return Diagnosis(_(
            "Inside of `{code}`, tensors are stacked into one, so they must all have one shape: one has {first}, "
            "another {second}.", code=context.code, first=first, second=second,
        ))  # fmt: skip
    operands = _first_mismatch(_joined_tensors(context))
    shapes_match = [shape_text(operand.tensor.shape) for operand in operands] == [first, second]
    return Diagnosis(_(
        "`{code}` makes one tensor of several of the same shape: {tensors}. Where the sizes differ in one dimension "
        "only, torch.cat joins along it.", code=context.code,
        tensors=list_shapes(operands) if shapes_match else _("{first} and {last}", first=first, last=second),
    ))  # fmt: skip


def _is_collating(context: FailureContext) -> bool:
    """Return whether a DataLoader was making a batch."""
    if "collate" in context.event.message or context.function in ("next", "default_collate"):
        return True
    body = list(ast.iter_child_nodes(context.tree))
    return len(body) == 1 and isinstance(body[0], (ast.For, ast.AsyncFor))


def _collate_fix() -> str:
    """Say how samples of different shapes can be loaded."""
    return _(
        "Bring them to one shape in the Dataset (by padding, cutting or resizing), or let the DataLoader keep them as "
        "a list: {fix}.", fix="collate_fn=list",
    )  # fmt: skip


@mistake("RuntimeError", r"(?:^|RuntimeError: )each element in list of batch should be of equal size")
def explain_collate_lists(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "each element in list of batch should be of equal size" of a DataLoader."""
    problem = _("The loader makes a batch of the samples, and the lists in them are not all of one length.")
    return Diagnosis(problem, fix=_collate_fix())


@mistake("TypeError", r"(?:^|TypeError: )default_collate: batch must contain tensors, numpy arrays, numbers, dicts or "
         r"lists; found <class '(?P<kind>[\w.]+)'>")  # fmt: skip
def explain_collate_type(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists" of a DataLoader."""
    kind = match["kind"].removesuffix("Type") if match["kind"] == "NoneType" else match["kind"]
    return Diagnosis(_(
        "The loader makes tensors of what the Dataset gives, and in its samples is a {kind}, of which it can make "
        "none. Give tensors, numbers or lists of them there, or let the DataLoader keep the samples as a list: {fix}.",
        kind=kind, fix="collate_fn=list",
    ))  # fmt: skip


@mistake("AssertionError", r"^Size mismatch between tensors")
def explain_tensor_dataset_sizes(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "Size mismatch between tensors" of `TensorDataset`."""
    operands = context.passed()
    sizes = {operand.tensor.shape[:1] for operand in operands}
    if len(sizes) < 2:
        return None
    return Diagnosis(_(
        "`{code}` takes one sample of each tensor at a time, so their first sizes must be equal: {tensors}.",
        code=context.code, tensors=list_shapes(operands),
    ))  # fmt: skip


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
def explain_cat_without_list(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "cat(): argument 'tensors' must be tuple of Tensors, not Tensor"."""
    call, operands = context.call, context.passed()
    if call is None or len(operands) < 2:
        return None
    other_arguments = call.args[len(operands) :]
    arguments = [f"[{', '.join(operand.source for operand in operands)}]", *map(ast.unparse, other_arguments)]
    arguments += [f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in call.keywords if keyword.arg]
    return Diagnosis(_(
        "`{code}` takes the tensors as one list: `{fix}`.",
        code=context.code, fix=f"{ast.unparse(call.func)}({', '.join(arguments)})",
    ))  # fmt: skip


@mistake("RuntimeError", r"^zero-dimensional tensor \(at position (?P<place>\d+)\) cannot be concatenated")
def explain_cat_scalars(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "zero-dimensional tensor cannot be concatenated"."""
    operands, call = _joined_tensors(context), context.call
    problem = _("`{code}` joins along a dimension, and a scalar has none.", code=context.code)
    if call is None or not operands or any(operand.tensor.shape for operand in operands):
        return Diagnosis(problem)
    return Diagnosis(problem, fix=_("Single numbers are put into one tensor by `{fix}`.",
                               fix=f"torch.stack({ast.unparse(call.args[0])})"))  # fmt: skip


@mistake("ValueError", r"^torch\.\w+\(\): expected a non-empty list of Tensors")
@mistake("RuntimeError", r"^(?:torch\.\w+\(\): expected a non-empty|stack expects a non-empty|\w+ expects a non-empty) "
         r"(?:list of Tensors|TensorList)")  # fmt: skip
def explain_cat_empty_list(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "expected a non-empty list of Tensors"."""
    node = context.argument(0, "tensors")
    if node is None:
        return None
    return Diagnosis(
        _("`{code}` joins the tensors of a list, and {name} is empty.", code=context.code, name=ast.unparse(node))
    )


@mistake("TypeError", r"^expected Tensor as element (?P<place>\d+) in argument 0, but got (?P<kind>\w+)")
def explain_cat_element_type(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "expected Tensor as element 1 in argument 0, but got int"."""
    kind = "None" if match["kind"] == "NoneType" else match["kind"]
    return Diagnosis(_(
        "`{code}` takes a list of tensors, and element {place} of it, counted from 0, is a {kind}.",
        code=context.code, place=match["place"], kind=kind,
    ))  # fmt: skip


# ---------------------------------------------------------------- nested lists


@mistake("ValueError", r"^expected sequence of length (?P<wanted>\d+) at dim (?P<dim>\d+) \(got (?P<size>\d+)\)")
def explain_ragged_lists(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "expected sequence of length 3 at dim 1 (got 2)" of `torch.tensor`."""
    problem = _(
        "`{code}` makes a tensor of nested lists, and in dimension {dim} they differ in length: {wanted}, and {size}. "
        "All must have the same.", code=context.code, dim=match["dim"], wanted=match["wanted"], size=match["size"],
    )  # fmt: skip
    call = context.call
    rows = call.args[0] if call is not None and call.args else None
    if call is None or not isinstance(rows, ast.List) or not all(map(_is_row_of_constants, rows.elts)):
        return Diagnosis(problem)
    source = ast.unparse(rows)
    fix = f"nn.utils.rnn.pad_sequence([torch.tensor(row) for row in {source}], batch_first=True)"
    return Diagnosis(problem, fix=_("Filled up with zeros they are `{fix}`.", fix=fix))


def _is_row_of_constants(node: ast.expr) -> bool:
    """Return whether an expression is a list of constants."""
    return isinstance(node, ast.List) and all(isinstance(item, ast.Constant) for item in node.elts)


@mistake("TypeError", r"^not a sequence$")
def explain_uneven_nesting(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "not a sequence" of `torch.tensor`."""
    if context.function not in ("tensor", "as_tensor"):
        return None
    return Diagnosis(_(
        "`{code}` makes a tensor of nested lists, and in one place there are lists as well as single numbers. "
        "All must be nested equally deep.", code=context.code,
    ))  # fmt: skip


@mistake("RuntimeError", r"^Could not infer dtype of (?P<kind>\w+)")
def explain_dtype_inference(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Could not infer dtype of NoneType" of `torch.tensor`."""
    kind = "None" if match["kind"] == "NoneType" else match["kind"]
    return Diagnosis(
        _("`{code}` makes a tensor of numbers, and is given a {kind} among them.", code=context.code, kind=kind)
    )
