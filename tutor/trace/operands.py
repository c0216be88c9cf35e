"""What an operation was applied to and what became of it, in the learner's own words."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING

from tutor.trace import events as ev
from tutor.trace.names import name_of, names_of, tensor_name
from tutor.trace.source import parse
from tutor.trace.state import State

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

_REVERSED = {
    "radd", "rsub", "rmul", "rdiv", "rtruediv", "rfloordiv", "rmod", "rpow", "rmatmul", "rand", "ror", "rxor",
    "rlshift", "rrshift",
}  # fmt: skip
_WIDTH = 80
"""A literal's text is cut here."""
_STATEMENT = 48
"""So many steps on, the end of a statement is looked for."""


class Operand:
    """One operand as it stands in the code."""

    __slots__ = ("literal", "path", "text")

    def __init__(self, node: ast.expr, source: str) -> None:
        text = " ".join((ast.get_source_segment(source, node) or "").split())
        self.text = text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
        self.path = _is_path(node)
        """Whether the text names a thing: `w`, `self.w`, `params[0]`."""
        self.literal = isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.Set | ast.Dict | ast.JoinedStr) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
        )


def op_inputs(timeline: Timeline, step: int) -> list[str]:
    """The inputs of an operation: the learner's name, a literal's source text, or `%7` for a tensor without a name."""
    event = timeline.event(step)
    if not isinstance(event, ev.Op):
        return []
    state = timeline.state(step - 1)
    operands = _aligned(timeline, event, state)
    if operands is None:
        return [tensor_name(state, tensor) for tensor in event.inputs if tensor is not None]
    return [
        operand.text if tensor is None or operand.path else tensor_name(state, tensor)
        for tensor, operand in zip(event.inputs, operands, strict=True)
    ]


def shows_operands(timeline: Timeline, site: int, count: int) -> bool:
    """Whether the code at the site of an operation shows so many inputs."""
    return any(len(operands) == count for operands in _at(timeline, site))


def is_shown(timeline: Timeline, site: int) -> bool:
    """Whether the code at the site of an operation is that of the very operation, and not of a call around it."""
    return bool(_at(timeline, site))


def only_literal(timeline: Timeline, site: int) -> str | None:
    """The literal among the operands of an operation, where there is one alone whichever way one reads the code."""
    ways = _at(timeline, site)
    found = {operand.text for way in ways for operand in way if operand.literal}
    alone = all(sum(operand.literal for operand in way) == 1 for way in ways)
    return found.pop() if alone and len(found) == 1 else None


def _at(timeline: Timeline, site: int) -> tuple[tuple[Operand, ...], ...]:
    """Ways to read the operands of the operation at a site; none inside of a composite, whose code it is."""
    info = timeline.sites.get(site)
    if info is None or info.depth:
        return ()
    code = timeline.book.code(info.file, info.span)
    statement = timeline.sites.get(info.statement)
    around = None if statement is None else timeline.book.code(statement.file, statement.span)
    return _operands(code or "", around or "", info.op or "")


def op_texts(timeline: Timeline, step: int) -> list[str] | None:
    """What stands in the code for each input of an operation; None where the code does not show them."""
    event = timeline.event(step)
    operands = _aligned(timeline, event, timeline.state(step - 1)) if isinstance(event, ev.Op) else None
    return None if operands is None else [operand.text for operand in operands]


def op_output(timeline: Timeline, step: int) -> str | None:
    """The name that the result gets by the statement, or that of the tensor changed in place; None: it gets none."""
    event = timeline.event(step)
    if not isinstance(event, ev.Op) or not event.outputs:
        return None
    output, site = event.outputs[0], timeline.sites.get(event.site)
    name = _bound(timeline, step, output, event.frame)
    if name is None and site is not None and not site.depth:
        end = _end_of_statement(timeline, step, output)
        name = None if end is None else _bound(timeline, end, output, event.frame)
    if name is None and site is not None and site.inplace:
        return name_of(timeline.moment(step), output)
    return name


def op_target(timeline: Timeline, step: int) -> str | None:
    """What stands to the left of an operation that gave several tensors: `a, b`, or the name of the tuple of them;
    None where not each of them got a name."""
    event = timeline.event(step)
    if not isinstance(event, ev.Op):
        return None
    names = [_bound(timeline, step, output, event.frame) for output in event.outputs]
    found: list[str] = []
    for name in names:
        if name is None:
            return None
        group = _group_of(timeline.state(step), name, event.outputs)
        found += [group] if group not in found else []
    return ", ".join(found) or None


def _bound(timeline: Timeline, step: int, tensor: int, frame: int) -> str | None:
    """The name that a tensor got after a step, before the next, by the statement that runs in this frame: what a
    function returns gets its name elsewhere, and an argument of the next call is no assignment."""
    groups: set[int] = set()
    for after in timeline.following(step):
        if isinstance(after, ev.FrameStart) or (isinstance(after, ev.FrameEnd) and after.frame == frame):
            break
        if isinstance(after, ev.Bind) and after.what == "tensor" and after.ref == tensor:
            return after.name
        if isinstance(after, ev.Bind) and after.what == "group":
            groups.add(after.ref)
        if isinstance(after, ev.Group):
            groups.add(after.group)
    if not groups:
        return None
    state = timeline.state(step)
    for held_in in reversed(state.frames):
        for name, binding in held_in.names.items():
            if binding.what == "group" and binding.ref in groups:
                for suffix, held in state.groups.get(binding.ref, ()):
                    if held == tensor:
                        return name + suffix
    return None


def _end_of_statement(timeline: Timeline, step: int, tensor: int) -> int | None:
    """The last step of the statement, where others follow and none writes to this tensor: only then do the results of
    `c, s = a.cos(), a.sin()` get their names."""
    for later in range(step + 1, min(step + _STATEMENT, timeline.steps) + 1):
        if timeline.kind(later) in ("line", "cell_end"):
            return later - 1 if later - 1 > step else None
        event = timeline.event(later)
        if isinstance(event, ev.Op) and tensor in event.outputs:
            return None
    return None


def _group_of(state: State, name: str, tensors: list[int]) -> str:
    """The name of a tuple or list that holds these tensors and no other; else the name of one of them."""
    for frame in reversed(state.frames):
        for group, binding in frame.names.items():
            held = [tensor for _, tensor in state.groups.get(binding.ref, ())] if binding.what == "group" else []
            if name.startswith(group) and held and set(held) <= set(tensors):
                return group
    return name


def _aligned(timeline: Timeline, event: ev.Op, state: State) -> list[Operand] | None:
    """The operands in the code, one for each input, or None where the code does not show this operation's own."""
    site = timeline.sites.get(event.site)
    if site is None:
        return None
    names = names_of(state)
    best: tuple[int, list[Operand]] | None = None
    for operands in _at(timeline, event.site):
        orders = [list(operands)]
        if len(operands) == 2:
            orders.insert(0 if site.op in _REVERSED else 1, orders[0][::-1])
        for order in orders if len(operands) == len(event.inputs) else ():
            fit = _fit(order, event, names)
            if best is None or fit > best[0]:
                best = fit, order
    return best[1] if best is not None and best[0] >= 0 else None


def _fit(operands: list[Operand], event: ev.Op, names: dict[str, int]) -> int:
    """How well operands go with inputs: below zero where one cannot be the other."""
    score = 0
    for tensor, operand in zip(event.inputs, operands, strict=True):
        meant = names.get(operand.text)
        if tensor is None:
            score -= 100 if meant is not None else 0
        elif operand.literal or (meant is not None and meant != tensor):
            score -= 100
        elif meant == tensor:
            score += 1
    return score


@lru_cache(maxsize=4096)
def _operands(code: str, statement: str, op: str) -> tuple[tuple[Operand, ...], ...]:
    """Ways to read the operands from the code of an operation, the likeliest first."""
    tree = parse(code.strip())
    body = tree.body if isinstance(tree, ast.Module) else []
    if len(body) != 1:
        return ()
    first = body[0]
    source = code.strip()
    ways: list[list[ast.expr]] = []
    if isinstance(first, ast.AugAssign):
        ways.append([first.target, first.value])
    elif isinstance(first, ast.Assign) and op in ("setitem", "set_data", "set_grad"):
        return _stored(first, source, op)
    elif isinstance(first, ast.Expr):
        ways.extend(_of_expression(first.value, op))
        stored = parse(statement) if op in ("setitem", "set_data", "set_grad") else None
        if isinstance(stored, ast.Module) and stored.body and isinstance(stored.body[0], ast.Assign):
            return _stored(stored.body[0], statement, op)
    return tuple(tuple(Operand(node, source) for node in way) for way in ways)


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
        called = callee.attr if isinstance(callee, ast.Attribute) else callee.id if isinstance(callee, ast.Name) else ""
        if called.strip("_") != op.strip("_"):
            return []  # the operation ran somewhere inside this call
        receiver = [callee.value] if isinstance(callee, ast.Attribute) else []
        keywords = [keyword.value for keyword in node.keywords]
        calls = (node.args, [*node.args, *keywords])
        ways = [flat for arguments in calls for flat in (arguments, _flattened(arguments))]
        if receiver and not _is_library(receiver[0]):
            return [receiver + way for way in ways] + ways
        return ways
    return []


def _stored(assign: ast.Assign, source: str, op: str) -> tuple[tuple[Operand, ...], ...]:
    """Of `w[0] = 5.` and `w.data = v`."""
    target = assign.targets[0]
    if isinstance(target, ast.Subscript) and op == "setitem":
        nodes = [target.value, target.slice, assign.value]
    elif isinstance(target, ast.Attribute):
        nodes = [target.value, assign.value]
    else:
        return ()
    return (tuple(Operand(node, source) for node in nodes),)


def _flattened(arguments: list[ast.expr]) -> list[ast.expr]:
    """Arguments with lists and tuples taken apart, as the recorder does for those of tensors."""
    flat: list[ast.expr] = []
    for argument in arguments:
        flat.extend(_flattened(argument.elts) if isinstance(argument, ast.List | ast.Tuple) else [argument])
    return flat


def _is_library(node: ast.expr) -> bool:
    """Whether a receiver is a module, as one writes it: `torch`, `F`, `torch.nn.functional`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("torch", "F", "nn", "functional", "linalg", "special", "fft")


def _is_path(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant | ast.Name):
            return False
        node = node.value
    return isinstance(node, ast.Name)
