"""The operands and the result of an operation, as they are written in the learner's code.

The code of an operation is parsed and its operands are matched with the recorded inputs. There may be several readings
of one expression, as `torch.add(a, b)` and `a.add(b)` differ in whether the receiver is an input.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tutor.trace import events as ev
from tutor.trace.names import PARAMETER, names_of, placeholder_name
from tutor.trace.optimizer_names import name_in
from tutor.trace.source import parse
from tutor.trace.state import State

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

_REVERSED = {
    "radd", "rsub", "rmul", "rdiv", "rtruediv", "rfloordiv", "rmod", "rpow", "rmatmul", "rand", "ror", "rxor",
    "rlshift", "rrshift",
}  # fmt: skip
_MAX_TEXT = 80
"""Maximum length of the text of an operand, in characters."""
_MAX_STATEMENT = 48
"""Maximum number of steps to search for the end of a statement."""
_REMEMBERED_STEPS = 64
"""Maximum number of operations whose operands are remembered: an explanation asks for them several times."""


class Operand:
    """An operand in the code: its text, and what the text tells of it."""

    __slots__ = ("literal", "path", "text", "variables")

    def __init__(self, node: ast.expr, source: str) -> None:
        self.text = _shortened(ast.get_source_segment(source, node) or "")
        self.path = _is_path(node)
        """Whether the text is a name or a path: `w`, `self.w`, `params[0]`."""
        self.literal = isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.Set | ast.Dict | ast.JoinedStr) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
        )
        self.variables = _variables(node)
        """The variables that it calculates with; None where it does anything else, as a call."""


def _shortened(source: str) -> str:
    text = " ".join(source.split())
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _variables(node: ast.expr) -> frozenset[str] | None:
    """Return the variables of a calculation with numbers alone; None for any other expression."""
    if isinstance(node, ast.Name):
        return frozenset({node.id})
    if isinstance(node, ast.Constant):
        return frozenset()
    parts = (
        [node.left, node.right] if isinstance(node, ast.BinOp)
        else [node.operand] if isinstance(node, ast.UnaryOp)
        else None
    )  # fmt: skip
    variables = [None] if parts is None else [_variables(part) for part in parts]
    return None if None in variables else frozenset[str]().union(*(names for names in variables if names is not None))


def op_inputs(timeline: Timeline, step: int) -> list[str]:
    """Return the inputs of an operation: names as in the code, source text of literals, or `%7` for a tensor without a
    name. A parameter has the name that it has everywhere."""
    event = timeline.event(step)
    if not isinstance(event, ev.Op):
        return []
    state = timeline.state(step - 1)
    operands = _operands_of_inputs(timeline, step, event)
    if operands is None:
        return [_name(timeline, state, tensor) for tensor in event.inputs if tensor is not None]
    given = [state.tensors[number] for number in event.inputs if number in state.tensors]
    parameters = {tensor.tensor for tensor in given if tensor.class_name == PARAMETER}
    return [
        operand.text
        if tensor is None or (operand.path and tensor not in parameters)
        else _name(timeline, state, tensor)
        for tensor, operand in zip(event.inputs, operands, strict=True)
    ]


def _name(timeline: Timeline, state: State, tensor: int) -> str:
    return name_in(timeline, state, tensor) or placeholder_name(tensor)


def shows_operands(timeline: Timeline, site: int, count: int) -> bool:
    """Return whether the code at the site of an operation has `count` operands."""
    return any(len(operands) == count for operands in _readings_at(timeline, site))


def is_shown(timeline: Timeline, site: int) -> bool:
    """Return whether the code at a site is that of the operation itself, and not of a call that contains it."""
    return bool(_readings_at(timeline, site))


def only_literal(timeline: Timeline, site: int) -> str | None:
    """Return the literal among the operands of an operation, if every reading has exactly one and the same."""
    readings = _readings_at(timeline, site)
    literals = {operand.text for reading in readings for operand in reading if operand.literal}
    single = all(sum(operand.literal for operand in reading) == 1 for reading in readings)
    return literals.pop() if single and len(literals) == 1 else None


def _readings_at(timeline: Timeline, site: int) -> tuple[tuple[Operand, ...], ...]:
    """Return the readings of the operands at a site; none inside a composite, where the code is the composite's."""
    info = timeline.sites.get(site)
    if info is None or info.depth:
        return ()
    code = timeline.definitions.code(info.file, info.span)
    statement = timeline.sites.get(info.statement)
    statement_code = None if statement is None else timeline.definitions.code(statement.file, statement.span)
    return _operands(code or "", statement_code or "", info.op or "")


def op_texts(timeline: Timeline, step: int) -> list[str] | None:
    """Return the source text of each input of an operation; None if the code does not show them."""
    event = timeline.event(step)
    if not isinstance(event, ev.Op):
        return None
    operands = _operands_of_inputs(timeline, step, event)
    return None if operands is None else [operand.text for operand in operands]


def op_output(timeline: Timeline, step: int) -> str | None:
    """Return the name that the statement binds to the result, or the name of a tensor modified in place, or None."""
    event = timeline.event(step)
    if not isinstance(event, ev.Op) or not event.outputs:
        return None
    output, site = event.outputs[0], timeline.sites.get(event.site)
    name = _name_bound_after(timeline, step, output, event.frame)
    if name is None and site is not None and not site.depth:
        end = _end_of_statement(timeline, step, output)
        name = None if end is None else _name_bound_after(timeline, end, output, event.frame)
    if name is None and site is not None and site.inplace:
        return name_in(timeline, timeline.moment(step), output)
    return name


def op_target(timeline: Timeline, step: int) -> str | None:
    """Return the assignment target of an operation with several results: `a, b`, or the name of the tuple of them.

    None if the step is not an operation, or if a result was not bound.
    """
    event = timeline.event(step)
    if not isinstance(event, ev.Op):
        return None
    names = [_name_bound_after(timeline, step, output, event.frame) for output in event.outputs]
    targets: list[str] = []
    for name in names:
        if name is None:
            return None
        group = _group_of(timeline.state(step), name, event.outputs)
        targets += [group] if group not in targets else []
    return ", ".join(targets) or None


def _name_bound_after(timeline: Timeline, step: int, tensor: int, frame: int) -> str | None:
    """Return the name bound to a tensor between a step and the next by the statement that runs in this frame.

    Names bound by a caller to a returned value, and parameters of the next call, do not count.
    """
    groups: set[int] = set()
    for later in timeline.following(step):
        if isinstance(later, ev.FrameStart) or (isinstance(later, ev.FrameEnd) and later.frame == frame):
            break
        if isinstance(later, ev.Bind) and later.what == "tensor" and later.ref == tensor:
            return later.name
        if isinstance(later, ev.Bind) and later.what == "group":
            groups.add(later.ref)
        if isinstance(later, ev.Group):
            groups.add(later.group)
    if not groups:
        return None
    state = timeline.state(step)
    for frame_state in reversed(state.frames):
        for name, binding in frame_state.names.items():
            if binding.what == "group" and binding.ref in groups:
                for suffix, number in state.groups.get(binding.ref, ()):
                    if number == tensor:
                        return name + suffix
    return None


def _end_of_statement(timeline: Timeline, step: int, tensor: int) -> int | None:
    """Return the last step of the statement, if more operations follow and none modifies this tensor.

    Only then are the results of `c, s = a.cos(), a.sin()` bound.
    """
    for later in range(step + 1, min(step + _MAX_STATEMENT, timeline.steps) + 1):
        if timeline.kind(later) in ("line", "cell_end"):
            return later - 1 if later - 1 > step else None
        event = timeline.event(later)
        if isinstance(event, ev.Op) and tensor in event.outputs:
            return None
    return None


def _group_of(state: State, name: str, tensors: list[int]) -> str:
    """Return the name of a tuple or list that holds only these tensors; else `name`."""
    for frame in reversed(state.frames):
        for group, binding in frame.names.items():
            members = [tensor for _, tensor in state.groups.get(binding.ref, ())] if binding.what == "group" else []
            if name.startswith(group) and members and set(members) <= set(tensors):
                return group
    return name


_by_timeline: WeakKeyDictionary[Timeline, dict[int, list[Operand] | None]] = WeakKeyDictionary()


def _operands_of_inputs(timeline: Timeline, step: int, event: ev.Op) -> list[Operand] | None:
    """Return the operands in the code, one for each input; None if the code does not match the operation."""
    by_step = _by_timeline.get(timeline)
    if by_step is None or len(by_step) >= _REMEMBERED_STEPS:
        by_step = _by_timeline[timeline] = {}
    if step not in by_step:
        by_step[step] = _match_operands(timeline, step, event, timeline.state(step - 1))
    return by_step[step]


def _match_operands(timeline: Timeline, step: int, event: ev.Op, state: State) -> list[Operand] | None:
    site, readings = timeline.sites.get(event.site), _readings_at(timeline, event.site)
    if site is None or not readings:
        return None
    names, sources = names_of(state), _sources(timeline, step, event)
    numbers = {name for frame in state.frames for name, binding in frame.names.items() if binding.what == "value"}
    best: tuple[int, list[Operand]] | None = None
    for operands in readings:
        orders = [list(operands)]
        if len(operands) == 2:
            orders.insert(0 if site.op in _REVERSED else 1, orders[0][::-1])
        for order in orders if len(operands) == len(event.inputs) else ():
            score = sum(
                _score(tensor, operand, names, numbers, sources.get(tensor or 0))
                for tensor, operand in zip(event.inputs, order, strict=True)
            )
            if best is None or score > best[0]:
                best = score, order
    return best[1] if best is not None and best[0] >= 0 else None


def _score(tensor: int | None, operand: Operand, names: dict[str, int], numbers: set[str], source: str | None) -> int:
    """Return how well an operand matches an input; negative if it cannot be right.

    Args:
        tensor: The input; None for a number.
        operand: The operand in the code.
        names: The tensor of each name.
        numbers: The names of numbers.
        source: The code of the operation of the same statement that made the tensor, if one did.
    """
    named_tensor = names.get(operand.text)
    is_number = operand.literal or (operand.variables is not None and operand.variables <= numbers)
    if tensor is None:
        return -100 if named_tensor is not None else int(is_number)
    if named_tensor is not None:
        return 1 if named_tensor == tensor else -100
    return -100 if is_number else int(operand.text == source)


def _sources(timeline: Timeline, step: int, event: ev.Op) -> dict[int, str]:
    """Return the code of the operations that made the inputs in the same statement, by tensor."""
    sources: dict[int, str] = {}
    for earlier in range(step - 1, max(step - _MAX_STATEMENT, 0), -1):
        made = timeline.event(earlier)
        if not isinstance(made, ev.Op):
            break
        for tensor in made.outputs:
            if tensor in event.inputs:
                sources.setdefault(tensor, _shortened(timeline.view(earlier).code or ""))
    return sources


@lru_cache(maxsize=4096)
def _operands(code: str, statement: str, op: str) -> tuple[tuple[Operand, ...], ...]:
    """Return the readings of the operands in the code of an operation, the most likely first."""
    tree = parse(code.strip())
    body = tree.body if isinstance(tree, ast.Module) else []
    if len(body) != 1:
        return ()
    first = body[0]
    source = code.strip()
    readings: list[list[ast.expr]] = []
    if isinstance(first, ast.AugAssign):
        readings.append([first.target, first.value])
    elif isinstance(first, ast.Assign) and op in ("setitem", "set_data", "set_grad"):
        return _of_assignment(first, source, op)
    elif isinstance(first, ast.Expr):
        readings.extend(_of_expression(first.value, op))
        statement_tree = parse(statement) if op in ("setitem", "set_data", "set_grad") else None
        if (
            isinstance(statement_tree, ast.Module)
            and statement_tree.body
            and isinstance(statement_tree.body[0], ast.Assign)
        ):
            return _of_assignment(statement_tree.body[0], statement, op)
    return tuple(tuple(Operand(node, source) for node in reading) for reading in readings)


def _of_expression(node: ast.expr, op: str) -> list[list[ast.expr]]:
    if isinstance(node, ast.BinOp):
        return [[node.left, node.right]]
    if isinstance(node, ast.Compare):
        return [[node.left, node.comparators[0]]]
    if isinstance(node, ast.UnaryOp):
        return [[node.operand]]
    if isinstance(node, ast.Subscript):
        return [[node.value, node.slice]]
    if isinstance(node, ast.Attribute):
        return [[node.value]]
    if isinstance(node, ast.Call):
        callee = node.func
        name = callee.attr if isinstance(callee, ast.Attribute) else callee.id if isinstance(callee, ast.Name) else ""
        if name.strip("_") != op.strip("_"):
            return []  # the operation ran somewhere inside this call
        receiver = [callee.value] if isinstance(callee, ast.Attribute) else []
        keywords = [keyword.value for keyword in node.keywords]
        argument_lists = (node.args, [*node.args, *keywords])
        readings = [flat for arguments in argument_lists for flat in (arguments, _flattened(arguments))]
        if receiver and not _is_library(receiver[0]):
            return [receiver + reading for reading in readings] + readings
        return readings
    return []


def _of_assignment(assign: ast.Assign, source: str, op: str) -> tuple[tuple[Operand, ...], ...]:
    """Return the reading of `w[0] = 5.` or `w.data = v`."""
    target = assign.targets[0]
    if isinstance(target, ast.Subscript) and op == "setitem":
        nodes = [target.value, target.slice, assign.value]
    elif isinstance(target, ast.Attribute):
        nodes = [target.value, assign.value]
    else:
        return ()
    return (tuple(Operand(node, source) for node in nodes),)


def _flattened(arguments: list[ast.expr]) -> list[ast.expr]:
    """Flatten lists and tuples in arguments, as the recorder does with those of tensors."""
    flat: list[ast.expr] = []
    for argument in arguments:
        flat.extend(_flattened(argument.elts) if isinstance(argument, ast.List | ast.Tuple) else [argument])
    return flat


def _is_library(node: ast.expr) -> bool:
    """Return whether a receiver looks like a module: `torch`, `F`, `torch.nn.functional`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("torch", "F", "nn", "functional", "linalg", "special", "fft")


def _is_path(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant | ast.Name):
            return False
        node = node.value
    return isinstance(node, ast.Name)
