"""Shapes that do not go together element by element, in a gradient that is given, and in a list of tensors.

Shapes that a tensor cannot be brought to, dimensions that it does not have, and names that it is spread over."""

from __future__ import annotations

import ast
import re
from math import prod

from tutor.explain.formatting import sentences
from tutor.explain.mistakes.context import (
    FailureContext,
    Given,
    Operands,
    broadcast,
    called,
    described,
    enclosed,
    expression,
    flattened,
    function,
    listed,
    meant,
    mistake,
    parsed,
    receiver,
    sides,
    sizes_in,
    transposed,
)
from tutor.explain.rules.arrays import count
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _


@mistake(
    "RuntimeError",
    r"^The size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)",
)
def elements(scene: FailureContext, match: re.Match[str]) -> str:
    operands = Operands(scene)
    tensors, begin = sides(scene, operands), {"code": scene.code, "a": match[1], "b": match[2]}
    pairs = [(first, second) for place, first in enumerate(tensors) for second in tensors[place + 1 :]]
    sizes, place = {int(match[1]), int(match[2])}, int(match[3])
    pair = next((pair for pair in pairs if _meet(*pair, place) == sizes), None)
    if _calls_a_module(scene, operands):
        return _(
            "Inside of `{code}`, two tensors meet element by element whose shapes do not go together: counted from the "
            "last dimension, two sizes must be equal, or one of them 1. Here {a} meets {b}.", **begin,
        )  # fmt: skip
    if _multiplies(scene):
        return _(
            "`{code}` multiplies two batches of matrices{tensors}: in front of the last two, counted from the last "
            "dimension, sizes must be equal, or one of them 1. Here {a} meets {b}.",
            tensors="" if len(tensors) != 2 else _(", {tensors}", tensors=listed(tensors)), **begin,
        )  # fmt: skip
    said = _(
        "`{code}` works element by element, and {shapes} do not go together: counted from the last dimension, two "
        "sizes must be equal, or one of them 1. Here {a} meets {b}.",
        shapes=_("the shapes") if pair is None else listed(pair), **begin,
    )  # fmt: skip
    if pair is None or not isinstance(expression(scene), ast.BinOp):
        return said  # a loss is not to spread one over the other, and what is changed in place keeps its shape
    return sentences([said, *_fitting(*pair)])


def _calls_a_module(scene: FailureContext, operands: Operands) -> bool:
    """Whether the code is a call of a module with parameters, in which the tensors met."""
    call = expression(scene)
    source = ast.unparse(call.func) if isinstance(call, ast.Call) else None
    return source is not None and any(name.startswith((f"{source}.", f"{source}[")) for name in operands.names)


def _meet(first: Given, second: Given, place: int) -> set[int]:
    """The sizes of two tensors that meet in a dimension of what they would give."""
    width = max(len(given.tensor.shape) for given in (first, second))
    sizes = set()
    for given in (first, second):
        own = place - (width - len(given.tensor.shape))
        sizes.add(given.tensor.shape[own] if 0 <= own < len(given.tensor.shape) else 1)
    return sizes


def _multiplies(scene: FailureContext) -> bool:
    failing = expression(scene)
    return function(scene) == "matmul" or (isinstance(failing, ast.BinOp) and isinstance(failing.op, ast.MatMult))


def _fitting(first: Given, second: Given) -> list[str]:
    """How the smaller of two tensors would go with the other, where that is in one way only."""
    if len(first.tensor.shape) == len(second.tensor.shape):
        if len(first.tensor.shape) == 2 and first.tensor.shape == second.tensor.shape[::-1]:
            fix = transposed(second)
            return [_("If one of them lies the wrong way round: {fix} would fit.", fix=fix)]
        return []
    small, large = sorted((first, second), key=lambda given: len(given.tensor.shape))
    shape, places = small.tensor.shape, []
    for place in range(1, len(large.tensor.shape)):
        wide = (*shape[:place], 1, *shape[place:])
        if len(wide) == len(large.tensor.shape) and broadcast(wide, large.tensor.shape) == large.tensor.shape:
            places.append((place, wide))
    if len(places) != 1:
        return []
    place, wide = places[0]
    fix = f"{enclosed(small.source)}.unsqueeze({place})"
    return [_("If the dimensions of {name} are those in front: {fix} has shape {shape}, which fits.",
               name=small.source, fix=fix, shape=shape_text(wide))]  # fmt: skip


@mistake(
    "RuntimeError",
    r"^Mismatch in shape: grad_output\[\d+\] has a shape of torch\.Size\((?P<given>.*?)\) and output\[\d+\] has a "
    r"shape of torch\.Size\((?P<wanted>.*?)\)",
)
def gradient(scene: FailureContext, match: re.Match[str]) -> str:
    root = scene.roots() or _("the result")
    return _(
        "The gradient given to backward says how much each element of {root} counts, so it must have the shape of "
        "{root}: {wanted}, not {given}.", root=root, wanted=match["wanted"], given=match["given"],
    )  # fmt: skip


@mistake("ValueError", r"^only one element tensors can be converted to Python scalars")
def of_tensors(scene: FailureContext, _match: re.Match[str]) -> str | None:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and node.args), None)
    if call is None or not ast.unparse(call.func).endswith("tensor"):
        return None
    return _(
        "`{code}` makes a tensor of plain numbers, and would take a single number out of each tensor of the list; "
        "these have more. Tensors of one shape are joined by torch.stack({list}), which keeps their history as well.",
        code=scene.code, list=ast.unparse(call.args[0]),
    )  # fmt: skip


@mistake(
    "RuntimeError", r"^function (\w+)Backward returned an incorrect number of gradients \(expected (\d+), got (\d+)\)"
)
def of_function(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "backward of {name} must return as many gradients as forward takes arguments besides ctx: {expected}, not "
        "{got}. Return one for each argument, in their order, and None for those that need no gradient.",
        name=match[1], expected=match[2], got=match[3],
    )  # fmt: skip


# ---------------------------------------------------------------- view, reshape


@mistake("RuntimeError", r"^shape '\[(?P<shape>[-\d, ]*)\]' is invalid for input of size (?P<count>\d+)")
def other_number_of_elements(scene: FailureContext, match: re.Match[str]) -> str:
    wanted, own = sizes_in(match["shape"]), int(match["count"])
    given = receiver(scene, Operands(scene), "view", "reshape")
    if given is not None and count(given.tensor.shape) != own:
        given = None
    begin = {
        "code": scene.code, "given": _("the tensor") if given is None else described(given), "own": own,
        "shape": shape_text(wanted),
    }  # fmt: skip
    if -1 in wanted:
        said = _(
            "`{code}` asks {given} for shape {shape}, and its {own} elements cannot be divided by {part}: what stands "
            "beside -1.", part=prod(size for size in wanted if size != -1), **begin,
        )  # fmt: skip
    else:
        said = _(
            "`{code}` asks {given} for shape {shape}, which is {other} elements; it has {own}, and must keep them all.",
            other=prod(wanted), **begin,
        )  # fmt: skip
    if given is None or len(wanted) != 2 or len(given.tensor.shape) < 3:
        return said
    fix, shape = flattened(given)
    more = _("{fix} keeps the first dimension and puts the others in one: shape {shape}.", fix=fix,
              shape=shape_text(shape))  # fmt: skip
    return sentences([said, more])


@mistake("RuntimeError", r"^only one dimension can be inferred")
def several_inferred(scene: FailureContext, _match: re.Match[str]) -> str:
    return _("`{code}` leaves several sizes open: -1 can stand for one only, which torch works out.", code=scene.code)


@mistake("RuntimeError", r"^view size is not compatible with input tensor's size and stride")
def not_contiguous(scene: FailureContext, _match: re.Match[str]) -> str | None:
    call, given = called(scene), receiver(scene, Operands(scene), "view")
    if call is None or given is None or not isinstance(call.func, ast.Attribute):
        return None
    arguments = ", ".join(map(ast.unparse, call.args))
    return _(
        "view() gives the same memory another shape, and the elements of {given} do not lie one behind the other in "
        "it, as after a transpose. {fix} copies them where it must.",
        given=described(given), fix=f"{enclosed(given.source)}.reshape({arguments})",
    )  # fmt: skip


# ---------------------------------------------------------------- expand, and a value that is written


@mistake(
    "RuntimeError",
    r"^The expanded size of the tensor \((?P<wanted>\d+)\) must match the existing size \((?P<own>\d+)\) at "
    r"non-singleton dimension (?P<dim>\d+)\.  Target sizes: \[(?P<target>.*?)\]\.  Tensor sizes: \[(?P<shape>.*?)\]",
)
def expanded(scene: FailureContext, match: re.Match[str]) -> str:
    target, shape = sizes_in(match["target"]), sizes_in(match["shape"])
    assignment = _assignment(scene)
    if assignment is not None:
        value = ast.unparse(assignment.value)
        said = _(
            "`{target}` has shape {wide}, and `{value}`, which is written there, has shape {shape}: counted from the "
            "last dimension, its sizes must be equal, or 1.",
            target=ast.unparse(assignment.targets[0]), wide=shape_text(target), value=value, shape=shape_text(shape),
        )  # fmt: skip
        return said
    operands = Operands(scene)
    fitting = [one for one in operands.all() if one.tensor.shape == shape]
    given = fitting[0] if len(fitting) == 1 else None
    said = _(
        "`{code}` spreads {given} to shape {target}: counted from the last dimension, each size must be equal, or 1 in "
        "what is spread. Here {own} is to become {wanted}.", code=scene.code,
        given=_("a tensor of shape {shape}", shape=shape_text(shape)) if given is None else described(given),
        target=shape_text(target), own=match["own"], wanted=match["wanted"],
    )  # fmt: skip
    if given is None or not function(scene).startswith(("expand", "broadcast_to")) or any(
        wide % own for wide, own in zip(target[len(target) - len(shape) :], shape, strict=True)
    ):  # fmt: skip
        return said
    own_shape = (1,) * (len(target) - len(shape)) + shape
    times = ", ".join(str(wide // own) for wide, own in zip(target, own_shape, strict=True))
    fix = f"{enclosed(given.source)}.repeat({times})"
    return sentences([said, _("Repeated as often as it takes it is {fix}.", fix=fix)])


def _assignment(scene: FailureContext) -> ast.Assign | None:
    """`a[0] = values`, where that failed."""
    body = parsed(scene.statement).body
    assignment = body[0] if len(body) == 1 else None
    if not isinstance(assignment, ast.Assign) or not isinstance(assignment.targets[0], ast.Subscript):
        return None
    target = ast.unparse(assignment.targets[0])
    return assignment if target in (scene.code, ast.unparse(scene.tree)) else None


@mistake(
    "RuntimeError", r"the number of sizes provided \(\d+\) must be greater or equal to the number of dimensions in"
)
@mistake("RuntimeError", r"^Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
def too_few_sizes(scene: FailureContext, _match: re.Match[str]) -> str | None:
    given = receiver(scene, Operands(scene))
    if given is None:
        return None
    return _(
        "`{code}` must be given a number for each dimension of {given}, {count} at least.",
        code=scene.code, given=described(given), count=len(given.tensor.shape),
    )  # fmt: skip


# ---------------------------------------------------------------- dimensions


@mistake(
    "RuntimeError",
    r"^permute\(.*?\): number of dimensions in the tensor input does not match .* i\.e\. input\.dim\(\) = "
    r"(?P<own>\d+) is not equal to len\(dims\) = (?P<given>\d+)",
)
@mistake("RuntimeError", r"^permute\(\): duplicate dims are not allowed")
def permuted(scene: FailureContext, match: re.Match[str]) -> str | None:
    given = receiver(scene, Operands(scene), "permute")
    if given is None:
        return None
    dims = len(given.tensor.shape)
    said = _(
        "`{code}` must name every dimension of {given} once, in the new order: the numbers {numbers}.",
        code=scene.code, given=described(given), numbers=", ".join(map(str, range(dims))),
    )  # fmt: skip
    call = called(scene)
    asked = (
        sizes_in(ast.unparse(call.args[0]) if len(call.args) == 1 else ", ".join(map(ast.unparse, call.args)))
        if call
        else ()
    )
    if len(asked) != 2 or asked[0] == asked[1] or dims <= 2 or not all(-dims <= dim < dims for dim in asked):
        return said
    fix = f"{enclosed(given.source)}.transpose({asked[0]}, {asked[1]})"
    return sentences([said, _("Two of them are exchanged by {fix}.", fix=fix)])


@mistake("RuntimeError", r"^t\(\) expects a tensor with <= 2 dimensions, but self is \d+D")
def turned(scene: FailureContext, _match: re.Match[str]) -> str | None:
    given = receiver(scene, Operands(scene), "t")
    if given is None:
        return None
    return _(
        "t() transposes a matrix, and {given} has {count} dimensions. {fix} exchanges the last two.",
        given=described(given), count=len(given.tensor.shape), fix=transposed(given),
    )  # fmt: skip


@mistake("IndexError", r"^Dimension out of range \(expected to be in range of \[(?P<first>-?\d+), (?P<last>-?\d+)\], "
         r"but got (?P<dim>-?\d+)\)")  # fmt: skip
def no_such_dimension(scene: FailureContext, match: re.Match[str]) -> str:
    last, operands = int(match["last"]), Operands(scene)
    given = receiver(scene, operands)
    words = {"code": scene.code, "dim": match["dim"], "first": match["first"], "last": last}
    if given is not None and len(given.tensor.shape) == last and function(scene) == "unsqueeze":
        return _(
            "`{code}` puts a new dimension in at {dim}, and {given} has room for it from 0 to {last}, or from the end, "
            "from {first} to -1.", given=described(given), **words,
        )  # fmt: skip
    if given is None or max(len(given.tensor.shape), 1) != last + 1:
        return _(
            "`{code}` asks for dimension {dim}, and there are {count}: they are numbered from 0 to {last}, or from the "
            "end, from {first} to -1.", count=last + 1, **words,
        )  # fmt: skip
    if not given.tensor.shape:
        return _("`{code}` asks for dimension {dim}, and {given} is a single number, without any.",
                  given=described(given), **words)  # fmt: skip
    return _(
        "`{code}` asks for dimension {dim}, and {given} has {count}: they are numbered from 0 to {last}, or from the "
        "end, from {first} to -1.", given=described(given), count=last + 1, **words,
    )  # fmt: skip


@mistake("IndexError", r"^tuple index out of range")
def no_such_size(scene: FailureContext, _match: re.Match[str]) -> str | None:
    for node in ast.walk(scene.tree):
        held = _shape_of(Operands(scene), node.value) if isinstance(node, ast.Subscript) else None
        if held is not None:
            return _(
                "`{code}` asks for a size that {given} does not have: {count} dimensions, numbered from 0.",
                code=scene.code, given=described(held), count=len(held.tensor.shape),
            )  # fmt: skip
    return None


def _shape_of(operands: Operands, node: ast.expr) -> Given | None:
    """The tensor whose sizes `x.shape` and `x.size()` are."""
    if (
        isinstance(node, ast.Call)
        and not node.args
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "size"
    ):
        return next(iter(meant(operands, [node.func.value])), None)
    if isinstance(node, ast.Attribute) and node.attr == "shape":
        return next(iter(meant(operands, [node.value])), None)
    return None


@mistake(
    "RuntimeError",
    r"^split_with_sizes expects split_sizes to sum exactly to (?P<size>\d+) .*?split_sizes=\[(?P<parts>.*?)\]",
)
def parts(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "`{code}` must give every element to a part: their sizes add up to {sum}, and must add up to {size}.",
        code=scene.code, sum=sum(sizes_in(match["parts"])), size=match["size"],
    )  # fmt: skip


@mistake(
    "RuntimeError",
    r"^unflatten: Provided sizes \[(?P<sizes>.*?)\] don't multiply up to the size of dim (?P<dim>\d+) "
    r"\((?P<size>\d+)\)",
)
def unflattened(scene: FailureContext, match: re.Match[str]) -> str:
    return _(
        "`{code}` splits dimension {dim}, of size {size}, into {sizes}, which multiplied are {product}: they must be "
        "{size}.", code=scene.code, dim=match["dim"], size=match["size"], sizes=f"[{match['sizes']}]",
        product=prod(sizes_in(match["sizes"])),
    )  # fmt: skip


# ---------------------------------------------------------------- names that a tensor is spread over


@mistake("ValueError", r"^too many values to unpack \(expected (?P<names>\d+)")
@mistake("ValueError", r"^not enough values to unpack \(expected (?P<names>\d+), got \d+\)")
def unpacked(scene: FailureContext, match: re.Match[str]) -> str | None:
    body = parsed(scene.statement).body
    statement = body[0] if len(body) == 1 else None
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], (ast.Tuple, ast.List)):
        return None
    names, operands = int(match["names"]), Operands(scene)
    if any(isinstance(part, ast.Starred) for part in statement.targets[0].elts):
        return None
    sizes = _shape_of(operands, statement.value)
    if sizes is not None and len(sizes.tensor.shape) != names:
        return _(
            "{given} has {count} sizes, and `{code}` takes {names}: there must be a name for each of them.",
            given=described(sizes), count=len(sizes.tensor.shape), code=ast.unparse(statement), names=names,
        )  # fmt: skip
    state = _output_and_state(operands, statement, names)
    if state is not None or isinstance(statement.value, ast.Call):
        return state
    given = next(iter(meant(operands, [statement.value])), None)
    if given is None or not given.tensor.shape or given.tensor.shape[0] == names:
        return None
    shape = given.tensor.shape
    said = _(
        "`{code}` takes {given} apart along its first dimension, so into {count}, and there are {names} names.",
        code=ast.unparse(statement), given=described(given), count=shape[0], names=names,
    )  # fmt: skip
    if shape[1:2] != (names,):
        return said
    fix = f"{enclosed(given.source)}.unbind(1)"
    return sentences([said, _("Along the second it is {fix}.", fix=fix)])


def _output_and_state(operands: Operands, statement: ast.Assign, names: int) -> str | None:
    """Of `out, h, c = lstm(x)`."""
    call, targets = statement.value, statement.targets[0]
    if names != 3 or not isinstance(call, ast.Call) or not isinstance(targets, ast.Tuple):
        return None
    weight = operands.tensor(f"{ast.unparse(call.func)}.weight_hh_l0")
    if weight is None or weight.shape[0] != 4 * weight.shape[1]:
        return None
    first, second, third = map(ast.unparse, targets.elts)
    return _(
        "nn.LSTM gives two things, the outputs and the state, which is a pair: `{fix}`.",
        fix=f"{first}, ({second}, {third}) = {ast.unparse(call)}",
    )  # fmt: skip


@mistake("TypeError", r"^iteration over a 0-d tensor")
def single_number(scene: FailureContext, _match: re.Match[str]) -> str | None:
    body = [*ast.iter_child_nodes(scene.tree), *parsed(scene.statement).body]
    loop = next((statement.iter for statement in body if isinstance(statement, ast.For)), None)
    value = next((statement.value for statement in body if isinstance(statement, ast.Assign)), None)
    node = loop or value
    tensor = None if node is None else Operands(scene).meant_by(node)
    if node is None or tensor is None or tensor.shape:
        return None
    return _(
        "{name} is a single number, a tensor of shape [], so it has no dimension to go along. "
        "{fix} gives it as a number of Python's.", name=ast.unparse(node), fix=f"{enclosed(ast.unparse(node))}.item()",
    )  # fmt: skip
