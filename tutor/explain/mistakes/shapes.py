"""Explain shapes that do not match, or that a tensor cannot be given.

Covers tensors combined element by element, `view` and `reshape`, `expand` and
`repeat`, dimensions that a tensor does not have, `split`, and a tensor unpacked to names.
"""

from __future__ import annotations

import ast
import re
from math import prod

from tutor.explain.mistakes.context import (
    FailureContext,
    Operand,
    broadcast_shapes,
    describe_shape,
    format_flatten,
    format_transpose,
    list_shapes,
    parenthesize,
    parse_code,
    parse_sizes,
    parse_statement,
)
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.explain.rules.arrays import count
from tutor.i18n import _
from tutor.trace.number_format import shape as shape_text


@mistake(
    "RuntimeError",
    r"^The size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)",
)
def explain_broadcast(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "The size of tensor a must match the size of tensor b at non-singleton dimension 0"."""
    factors, values = context.factors(), {"code": context.code, "a": match[1], "b": match[2]}
    pairs = [(first, second) for dim, first in enumerate(factors) for second in factors[dim + 1 :]]
    sizes, dim = {int(match[1]), int(match[2])}, int(match[3])
    mismatch = next((mismatch for mismatch in pairs if _sizes_at(*mismatch, dim) == sizes), None)
    if _calls_module(context):
        return Diagnosis(_(
            "Inside of `{code}`, two tensors meet element by element whose shapes do not go together: counted from the "
            "last dimension, two sizes must be equal, or one of them 1. Here {a} meets {b}.", **values,
        ))  # fmt: skip
    if _is_matmul(context):
        return Diagnosis(_(
            "`{code}` multiplies two batches of matrices{tensors}: in front of the last two, counted from the last "
            "dimension, sizes must be equal, or one of them 1. Here {a} meets {b}.",
            tensors="" if len(factors) != 2 else _(", {tensors}", tensors=list_shapes(factors)), **values,
        ))  # fmt: skip
    problem = _(
        "`{code}` works element by element, and {shapes} do not go together: counted from the last dimension, two "
        "sizes must be equal, or one of them 1. Here {a} meets {b}.",
        shapes=_("the shapes") if mismatch is None else list_shapes(mismatch), **values,
    )  # fmt: skip
    if mismatch is None or not isinstance(context.expression, ast.BinOp):
        return Diagnosis(
            problem
        )  # a loss is not to spread one over the other, and what is changed in place keeps its shape
    return Diagnosis(problem, fix=_broadcast_fix(*mismatch))


def _calls_module(context: FailureContext) -> bool:
    """Return whether the code calls a module with parameters: the tensors met inside it."""
    call = context.expression
    return isinstance(call, ast.Call) and any(context.held_by(ast.unparse(call.func)))


def _sizes_at(first: Operand, second: Operand, dim: int) -> set[int]:
    """Return the sizes of two tensors in dimension `place` of their broadcast shape."""
    ndim = max(len(operand.tensor.shape) for operand in (first, second))
    sizes = set()
    for operand in (first, second):
        own_dim = dim - (ndim - len(operand.tensor.shape))
        sizes.add(operand.tensor.shape[own_dim] if 0 <= own_dim < len(operand.tensor.shape) else 1)
    return sizes


def _is_matmul(context: FailureContext) -> bool:
    """Return whether the failing code multiplies matrices."""
    failing = context.expression
    return context.function == "matmul" or (isinstance(failing, ast.BinOp) and isinstance(failing.op, ast.MatMult))


def _broadcast_fix(first: Operand, second: Operand) -> str:
    """Say how the smaller of two tensors would broadcast to the other; empty unless there is exactly one way."""
    if len(first.tensor.shape) == len(second.tensor.shape):
        if len(first.tensor.shape) == 2 and first.tensor.shape == second.tensor.shape[::-1]:
            fix = format_transpose(second)
            return _("If one of them lies the wrong way round: {fix} would fit.", fix=fix)
        return ""
    small, large = sorted((first, second), key=lambda operand: len(operand.tensor.shape))
    shape, places = small.tensor.shape, []
    for place in range(1, len(large.tensor.shape)):
        new_shape = (*shape[:place], 1, *shape[place:])
        if (
            len(new_shape) == len(large.tensor.shape)
            and broadcast_shapes(new_shape, large.tensor.shape) == large.tensor.shape
        ):
            places.append((place, new_shape))
    if len(places) != 1:
        return ""
    place, new_shape = places[0]
    fix = f"{parenthesize(small.source)}.unsqueeze({place})"
    return _("If the dimensions of {name} are those in front: {fix} has shape {shape}, which fits.",
               name=small.source, fix=fix, shape=shape_text(new_shape))  # fmt: skip


@mistake("ValueError", r"^only one element tensors can be converted to Python scalars")
def explain_tensor_of_tensors(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "only one element tensors can be converted to Python scalars" of `torch.tensor([a, b])`."""
    call = next((call for call in context.calls if call.args), None)
    if call is None or not ast.unparse(call.func).endswith("tensor"):
        return None
    return Diagnosis(_(
        "`{code}` makes a tensor of plain numbers, and would take a single number out of each tensor of the list; "
        "these have more. Tensors of one shape are joined by torch.stack({list}), which keeps their history as well.",
        code=context.code, list=ast.unparse(call.args[0]),
    ))  # fmt: skip


# ---------------------------------------------------------------- view, reshape


@mistake("RuntimeError", r"^shape '\[(?P<shape>[-\d, ]*)\]' is invalid for input of size (?P<count>\d+)")
def explain_view_size(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "shape '[2, 3]' is invalid for input of size 5" of `view` and `reshape`."""
    new_shape, numel = parse_sizes(match["shape"]), int(match["count"])
    operand = context.receiver("view", "reshape")
    if operand is not None and count(operand.tensor.shape) != numel:
        operand = None
    values = {
        "code": context.code, "given": _("the tensor") if operand is None else describe_shape(operand), "own": numel,
        "shape": shape_text(new_shape),
    }  # fmt: skip
    if -1 in new_shape:
        problem = _(
            "`{code}` asks {given} for shape {shape}, and its {own} elements cannot be divided by {part}: what stands "
            "beside -1.", part=prod(size for size in new_shape if size != -1), **values,
        )  # fmt: skip
    else:
        problem = _(
            "`{code}` asks {given} for shape {shape}, which is {other} elements; it has {own}, and must keep them all.",
            other=prod(new_shape), **values,
        )  # fmt: skip
    if operand is None or len(new_shape) != 2 or len(operand.tensor.shape) < 3:
        return Diagnosis(problem)
    fix, shape = format_flatten(operand)
    detail = _("{fix} keeps the first dimension and puts the others in one: shape {shape}.", fix=fix,
              shape=shape_text(shape))  # fmt: skip
    return Diagnosis(problem, fix=detail)


@mistake("RuntimeError", r"^only one dimension can be inferred")
def explain_several_inferred(context: FailureContext, _match: re.Match[str]) -> Diagnosis:
    """Explain "only one dimension can be inferred" of `view` and `reshape`."""
    return Diagnosis(
        _("`{code}` leaves several sizes open: -1 can stand for one only, which torch works out.", code=context.code)
    )


@mistake("RuntimeError", r"^view size is not compatible with input tensor's size and stride")
def explain_view_stride(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "view size is not compatible with input tensor's size and stride" of `view`."""
    call, operand = context.call, context.receiver("view")
    if call is None or operand is None or not isinstance(call.func, ast.Attribute):
        return None
    arguments = ", ".join(map(ast.unparse, call.args))
    return Diagnosis(_(
        "view() gives the same memory another shape, and the elements of {given} do not lie one behind the other in "
        "it, as after a transpose. {fix} copies them where it must.",
        given=describe_shape(operand), fix=f"{parenthesize(operand.source)}.reshape({arguments})",
    ))  # fmt: skip


# ---------------------------------------------------------------- expand, and a value that is written


@mistake(
    "RuntimeError",
    r"^The expanded size of the tensor \((?P<wanted>\d+)\) must match the existing size \((?P<own>\d+)\) at "
    r"non-singleton dimension (?P<dim>\d+)\.  Target sizes: \[(?P<target>.*?)\]\.  Tensor sizes: \[(?P<shape>.*?)\]",
)
def explain_expand(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "The expanded size of the tensor must match the existing size" of `expand` or an assignment."""
    target, shape = parse_sizes(match["target"]), parse_sizes(match["shape"])
    assignment = _failing_assignment(context)
    if assignment is not None:
        value = ast.unparse(assignment.value)
        problem = _(
            "`{target}` has shape {wide}, and `{value}`, which is written there, has shape {shape}: counted from the "
            "last dimension, its sizes must be equal, or 1.",
            target=ast.unparse(assignment.targets[0]), wide=shape_text(target), value=value, shape=shape_text(shape),
        )  # fmt: skip
        return Diagnosis(problem)
    matches = [candidate for candidate in context.all_operands() if candidate.tensor.shape == shape]
    operand = matches[0] if len(matches) == 1 else None
    problem = _(
        "`{code}` spreads {given} to shape {target}: counted from the last dimension, each size must be equal, or 1 in "
        "what is spread. Here {own} is to become {wanted}.", code=context.code,
        given=_("a tensor of shape {shape}", shape=shape_text(shape)) if operand is None else describe_shape(operand),
        target=shape_text(target), own=match["own"], wanted=match["wanted"],
    )  # fmt: skip
    if operand is None or not context.function.startswith(("expand", "broadcast_to")) or any(
        size % own_size for size, own_size in zip(target[len(target) - len(shape) :], shape, strict=True)
    ):  # fmt: skip
        return Diagnosis(problem)
    own_shape = (1,) * (len(target) - len(shape)) + shape
    times = ", ".join(str(size // own_size) for size, own_size in zip(target, own_shape, strict=True))
    fix = f"{parenthesize(operand.source)}.repeat({times})"
    return Diagnosis(problem, fix=_("Repeated as often as it takes it is {fix}.", fix=fix))


def _failing_assignment(context: FailureContext) -> ast.Assign | None:
    """Return the assignment `a[0] = values` that failed; None for any other statement."""
    assignment = parse_statement(context.statement)
    if not isinstance(assignment, ast.Assign) or not isinstance(assignment.targets[0], ast.Subscript):
        return None
    target = ast.unparse(assignment.targets[0])
    return assignment if target in (context.code, ast.unparse(context.tree)) else None


@mistake(
    "RuntimeError", r"the number of sizes provided \(\d+\) must be greater or equal to the number of dimensions in"
)
@mistake("RuntimeError", r"^Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
def explain_too_few_sizes(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "the number of sizes provided must be greater or equal to the number of dimensions" of `expand`."""
    operand = context.receiver()
    if operand is None:
        return None
    return Diagnosis(_(
        "`{code}` must be given a number for each dimension of {given}, {count} at least.",
        code=context.code, given=describe_shape(operand), count=len(operand.tensor.shape),
    ))  # fmt: skip


# ---------------------------------------------------------------- dimensions


@mistake(
    "RuntimeError",
    r"^permute\(.*?\): number of dimensions in the tensor input does not match .* i\.e\. input\.dim\(\) = "
    r"(?P<own>\d+) is not equal to len\(dims\) = (?P<given>\d+)",
)
@mistake("RuntimeError", r"^permute\(\): duplicate dims are not allowed")
def explain_permute(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "number of dimensions in the tensor input does not match" and "duplicate dims" of `permute`."""
    operand = context.receiver("permute")
    if operand is None:
        return None
    ndim = len(operand.tensor.shape)
    problem = _(
        "`{code}` must name every dimension of {given} once, in the new order: the numbers {numbers}.",
        code=context.code, given=describe_shape(operand), numbers=", ".join(map(str, range(ndim))),
    )  # fmt: skip
    call = context.call
    new_order = (
        parse_sizes(ast.unparse(call.args[0]) if len(call.args) == 1 else ", ".join(map(ast.unparse, call.args)))
        if call
        else ()
    )
    if (
        len(new_order) != 2
        or new_order[0] == new_order[1]
        or ndim <= 2
        or not all(-ndim <= dim < ndim for dim in new_order)
    ):
        return Diagnosis(problem)
    fix = f"{parenthesize(operand.source)}.transpose({new_order[0]}, {new_order[1]})"
    return Diagnosis(problem, fix=_("Two of them are exchanged by {fix}.", fix=fix))


@mistake("RuntimeError", r"^t\(\) expects a tensor with <= 2 dimensions, but self is \d+D")
def explain_t(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "t() expects a tensor with <= 2 dimensions"."""
    operand = context.receiver("t")
    if operand is None:
        return None
    return Diagnosis(_(
        "t() transposes a matrix, and {given} has {count} dimensions. {fix} exchanges the last two.",
        given=describe_shape(operand), count=len(operand.tensor.shape), fix=format_transpose(operand),
    ))  # fmt: skip


@mistake("IndexError", r"^Dimension out of range \(expected to be in range of \[(?P<first>-?\d+), (?P<last>-?\d+)\], "
         r"but got (?P<dim>-?\d+)\)")  # fmt: skip
def explain_dimension_range(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "Dimension out of range (expected to be in range of [-1, 0], but got 1)"."""
    last = int(match["last"])
    operand = context.receiver()
    values = {"code": context.code, "dim": match["dim"], "first": match["first"], "last": last}
    if operand is not None and len(operand.tensor.shape) == last and context.function == "unsqueeze":
        return Diagnosis(_(
            "`{code}` puts a new dimension in at {dim}, and {given} has room for it from 0 to {last}, or from the end, "
            "from {first} to -1.", given=describe_shape(operand), **values,
        ))  # fmt: skip
    if operand is None or max(len(operand.tensor.shape), 1) != last + 1:
        return Diagnosis(_(
            "`{code}` asks for dimension {dim}, and there are {count}: they are numbered from 0 to {last}, or from the "
            "end, from {first} to -1.", count=last + 1, **values,
        ))  # fmt: skip
    if not operand.tensor.shape:
        return Diagnosis(_("`{code}` asks for dimension {dim}, and {given} is a single number, without any.",
                  given=describe_shape(operand), **values))  # fmt: skip
    return Diagnosis(_(
        "`{code}` asks for dimension {dim}, and {given} has {count}: they are numbered from 0 to {last}, or from the "
        "end, from {first} to -1.", given=describe_shape(operand), count=last + 1, **values,
    ))  # fmt: skip


@mistake("IndexError", r"^tuple index out of range")
def explain_shape_index(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "tuple index out of range" of `x.shape[2]`."""
    for node in ast.walk(context.tree):
        operand = _tensor_of_shape(context, node.value) if isinstance(node, ast.Subscript) else None
        if operand is not None:
            return Diagnosis(_(
                "`{code}` asks for a size that {given} does not have: {count} dimensions, numbered from 0.",
                code=context.code, given=describe_shape(operand), count=len(operand.tensor.shape),
            ))  # fmt: skip
    return None


def _tensor_of_shape(context: FailureContext, node: ast.expr) -> Operand | None:
    """Return the tensor whose sizes `x.shape` or `x.size()` are; None for any other expression."""
    if (
        isinstance(node, ast.Call)
        and not node.args
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "size"
    ):
        return context.operand(node.func.value)
    if isinstance(node, ast.Attribute) and node.attr == "shape":
        return context.operand(node.value)
    return None


@mistake(
    "RuntimeError",
    r"^split_with_sizes expects split_sizes to sum exactly to (?P<size>\d+) .*?split_sizes=\[(?P<parts>.*?)\]",
)
def explain_split_sizes(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "split_with_sizes expects split_sizes to sum exactly to 5"."""
    return Diagnosis(_(
        "`{code}` must give every element to a part: their sizes add up to {sum}, and must add up to {size}.",
        code=context.code, sum=sum(parse_sizes(match["parts"])), size=match["size"],
    ))  # fmt: skip


@mistake(
    "RuntimeError",
    r"^unflatten: Provided sizes \[(?P<sizes>.*?)\] don't multiply up to the size of dim (?P<dim>\d+) "
    r"\((?P<size>\d+)\)",
)
def explain_unflatten(context: FailureContext, match: re.Match[str]) -> Diagnosis:
    """Explain "unflatten: Provided sizes [2, 2] don't multiply up to the size of dim 0 (5)"."""
    return Diagnosis(_(
        "`{code}` splits dimension {dim}, of size {size}, into {sizes}, which multiplied are {product}: they must be "
        "{size}.", code=context.code, dim=match["dim"], size=match["size"], sizes=f"[{match['sizes']}]",
        product=prod(parse_sizes(match["sizes"])),
    ))  # fmt: skip


# ---------------------------------------------------------------- names that a tensor is spread over


@mistake("ValueError", r"^too many values to unpack \(expected (?P<names>\d+)")
@mistake("ValueError", r"^not enough values to unpack \(expected (?P<names>\d+), got \d+\)")
def explain_unpacking(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "too many values to unpack" and "not enough values" of a tensor, its sizes or an LSTM's result."""
    statement = parse_statement(context.statement)
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], (ast.Tuple, ast.List)):
        return None
    names = int(match["names"])
    if any(isinstance(part, ast.Starred) for part in statement.targets[0].elts):
        return None
    operand_of_sizes = _tensor_of_shape(context, statement.value)
    if operand_of_sizes is not None and len(operand_of_sizes.tensor.shape) != names:
        return Diagnosis(_(
            "{given} has {count} sizes, and `{code}` takes {names}: there must be a name for each of them.",
            given=describe_shape(operand_of_sizes), count=len(operand_of_sizes.tensor.shape),
            code=ast.unparse(statement), names=names,
        ))  # fmt: skip
    state = _describe_lstm_result(context, statement, names)
    if state is not None or isinstance(statement.value, ast.Call):
        return state
    operand = context.operand(statement.value)
    if operand is None or not operand.tensor.shape or operand.tensor.shape[0] == names:
        return None
    shape = operand.tensor.shape
    problem = _(
        "`{code}` takes {given} apart along its first dimension, so into {count}, and there are {names} names.",
        code=ast.unparse(statement), given=describe_shape(operand), count=shape[0], names=names,
    )  # fmt: skip
    if shape[1:2] != (names,):
        return Diagnosis(problem)
    fix = f"{parenthesize(operand.source)}.unbind(1)"
    return Diagnosis(problem, fix=_("Along the second it is {fix}.", fix=fix))


def _describe_lstm_result(context: FailureContext, statement: ast.Assign, names: int) -> Diagnosis | None:
    """Explain `out, h, c = lstm(x)`; None for any other assignment."""
    call, targets = statement.value, statement.targets[0]
    if names != 3 or not isinstance(call, ast.Call) or not isinstance(targets, ast.Tuple):
        return None
    weight = context.named(f"{ast.unparse(call.func)}.weight_hh_l0")
    if weight is None or weight.shape[0] != 4 * weight.shape[1]:
        return None
    first, second, third = map(ast.unparse, targets.elts)
    return Diagnosis(_(
        "nn.LSTM gives two things, the outputs and the state, which is a pair: `{fix}`.",
        fix=f"{first}, ({second}, {third}) = {ast.unparse(call)}",
    ))  # fmt: skip


@mistake("TypeError", r"^iteration over a 0-d tensor")
def explain_scalar_iteration(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "iteration over a 0-d tensor"."""
    body = [*ast.iter_child_nodes(context.tree), *parse_code(context.statement).body]
    loop = next((statement.iter for statement in body if isinstance(statement, ast.For)), None)
    value = next((statement.value for statement in body if isinstance(statement, ast.Assign)), None)
    node = loop or value
    tensor = None if node is None else context.resolve(node)
    if node is None or tensor is None or tensor.shape:
        return None
    return Diagnosis(_(
        "{name} is a scalar, a single number, so it has no dimension to go along. "
        "{fix} gives it as a number of Python's.", name=ast.unparse(node),
        fix=f"{parenthesize(ast.unparse(node))}.item()",
    ))  # fmt: skip
