"""What an explanation of a failure can ask of the recording.

`FailureContext` holds the failing code, the tensors its names refer to and the steps before it. `Operands` resolves the
tensors in the failing statement. The functions below them format operands, shapes and fixes, and find the failing call
and the layer it failed in.
"""

from __future__ import annotations

import ast
import re
import textwrap
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from math import prod

from tutor.explain.rules.registry import shape_text
from tutor.i18n import _
from tutor.trace.events import Backward, Failed, Line, Op
from tutor.trace.names import name_of, names_of
from tutor.trace.operands import op_output
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline

_MAX_STEPS_BACK = 5_000
"""Maximum steps searched back for the cause of a failure."""
_MAX_STATEMENT_STEPS = 1_000
"""Maximum steps searched back for the beginning of the failing statement."""
_MAX_OPERATIONS = 50
"""Maximum operations followed back to where a dtype or a device comes from."""
_LIBRARIES = ("torch", "nn", "F", "np", "numpy")
_BLOCK = re.compile(r"(async )?(for|while|with|if)\b")
"""A compound statement: only its header is shown."""


@dataclass(frozen=True)
class Diagnosis:
    """An explanation of a failure, and the step that made the failure inevitable (None: unknown)."""

    text: str
    cause: int | None = None


Explain = Callable[["FailureContext", "re.Match[str]"], "Diagnosis | str | None"]
MISTAKES: list[tuple[str, re.Pattern[str], Explain]] = []


def mistake(error: str, pattern: str) -> Callable[[Explain], Explain]:
    """Register the explanation of exceptions of type `error` whose message matches `pattern`."""

    def register(explain: Explain) -> Explain:
        MISTAKES.append((error, re.compile(pattern, re.DOTALL), explain))
        return explain

    return register


class FailureContext:
    """A failure, and the part of the recording before it."""

    def __init__(self, timeline: Timeline, step: int, event: Failed) -> None:
        self.timeline = timeline
        self.step = step
        self.event = event
        self.state: State = timeline.state(step)
        self.view = timeline.view(step)
        self.code = " ".join((self.view.code or "").split())

    @cached_property
    def tree(self) -> ast.AST:
        """The failing code, parsed; an empty module if it is no complete expression or statement."""
        return _try_parse(self.view.code) or _try_parse(self.statement) or ast.Module([], [])

    @property
    def is_raised_by_user(self) -> bool:
        """Whether a `raise` or `assert` of the learner's code raised the exception."""
        return any(isinstance(node, (ast.Raise, ast.Assert)) for node in ast.iter_child_nodes(self.tree))

    @cached_property
    def statement(self) -> str:
        """The source of the whole statement that failed; empty if unknown."""
        line = self.view.line
        text = None if self.event.file is None else self.timeline.book.text(self.event.file)
        blocks = [] if line is None or text is None else text.covering(line)
        if not blocks or text is None:
            return ""
        return "\n".join(text.lines[blocks[0][1] - 1 : blocks[0][2]])

    def statement_of(self, step: int) -> str | None:
        """Return the source of the whole statement that the operation of a step belongs to; None if unknown."""
        site = self.timeline.sites.get(self.timeline.columns.sites[step - 1])
        statement = None if site is None else self.timeline.sites.get(site.statement)
        return None if statement is None else self.timeline.book.code(statement.file, statement.span)

    # ------------------------------------------------------------ names

    def tensor(self, source: str) -> TensorState | None:
        """Return the tensor that an expression of the learner's code refers to by name; None if it is no known name."""
        for state, frame in ((self._state_in_frame, self.event.frame), (self.state, None), (self.state, 1)):
            serial = names_of(state, frame).get(source)
            if serial is not None:
                return self.state.tensors.get(serial) or state.tensors.get(serial)
        labelled = [tensor for tensor in self.state.tensors.values() if tensor.label == source]
        return labelled[-1] if labelled else None

    @cached_property
    def _state_in_frame(self) -> State:
        """The last state that still has the frame that failed: the exception may have ended it."""
        for step in range(self.step, max(self.step - _MAX_STEPS_BACK, 0), -1):
            state = self.timeline.state(step)
            if any(frame.frame == self.event.frame for frame in state.frames):
                return state
        return self.state

    def name(self, tensor: int) -> str | None:
        """Return the learner's name for a tensor; None if it has none."""
        return name_of(self.state, tensor)

    def receiver_of(self, method: str) -> str | None:
        """Return the source of `y` in the first `y.method(…)` of the failing code; None if there is none."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and node.attr == method:
                is_primary = isinstance(node.value, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))
                return ast.unparse(node.value) if is_primary else f"({ast.unparse(node.value)})"
        return None

    # ------------------------------------------------------------ what went before

    def operations(self) -> Iterator[tuple[int, Op]]:
        """Yield the operations before the failure with their steps, latest first."""
        for step in range(self.step - 1, max(self.step - _MAX_STEPS_BACK, 0), -1):
            if self.timeline.kind(step) == "op":
                event = self.timeline.event(step)
                if isinstance(event, Op):
                    yield step, event

    @cached_property
    def _producers(self) -> dict[int, list[tuple[int, Op]]]:
        """The operations that each tensor came out of, with their steps, latest first."""
        producers: dict[int, list[tuple[int, Op]]] = {}
        for step, op in self.operations():
            for tensor in op.outputs:
                producers.setdefault(tensor, []).append((step, op))
        return producers

    def producer(self, tensor: int, before: int | None = None) -> tuple[int, Op] | None:
        """Return the last operation (before step `before`, if given) that returned a tensor, with its step."""
        producers = self._producers.get(tensor, [])
        return next(((step, op) for step, op in producers if before is None or step < before), None)

    def backward_step(self) -> tuple[int, Backward] | None:
        """Return the backward pass that failed, with the step it began at; None if no pass was running."""
        for info in reversed(self.timeline.passes):
            if info.start_step < self.step:
                event = self.timeline.event(info.start_step)
                has_ended = info.end_step is not None and info.end_step < self.step - 1
                return (info.start_step, event) if isinstance(event, Backward) and not has_ended else None
        return None

    @cached_property
    def state_at_stop(self) -> State:
        """The state in which the failing pass stopped: after it, a graph that no name holds is gone."""
        info = next((info for info in reversed(self.timeline.passes) if info.start_step < self.step), None)
        if info is None or info.end_step is None or self.backward_step() is None:
            return self.state
        return self.timeline.state(info.end_step - 1)

    def is_before_loop(self, nodes: Iterable[int | None], step: int) -> bool:
        """Return whether one of these nodes was made before a loop that the program is in at `step`."""
        for serial in nodes:
            node = self.state.nodes.get(serial or 0)
            step_made = None if node is None else self.timeline.operation(node)
            if step_made is not None:
                return bool(self.active_loops(step) - self.active_loops(step_made))
        return False

    def active_loops(self, step: int) -> set[tuple[int, int]]:
        """Return the loops that the program is in at a step, as (frame, line of the header)."""
        return {(frame.frame, loop) for frame in self.timeline.state(step).frames for loop in frame.iterations}

    def layer_name(self, step: int, path: str) -> str:
        """Return what to call the module at `path` inside the one that the code of a step calls: `net[1]`."""
        callee = ast.unparse(next((n.func for n in ast.walk(parse_code(self.timeline.view(step).code))
                                   if isinstance(n, ast.Call)), ast.Name("?")))  # fmt: skip
        inner = path if not path or path.startswith("[") else f".{path}"
        return callee if callee.endswith(inner) or callee.startswith("self") else callee + inner

    def root_name(self) -> str | None:
        """Return what backward was called on, by its name in the code or in the recording; None if it has none."""
        source = self.receiver_of("backward")
        if source is not None and source not in ("torch.autograd", "autograd"):
            return source
        backward = self.backward_step()
        names = [] if backward is None else [self.name(root) for root in backward[1].roots]
        return names[0] if names and names[0] else None

    def place_of(self, step: int, code: str | None = None) -> str:
        """Return code and line of a step, as in `y.backward()` on line 11; `code` replaces the code of the step."""
        view = self.timeline.view(step)
        code = code or view.code or ""
        code = " ".join((code.partition("\n")[0].rstrip(":") if _BLOCK.match(code) else code).split())
        line = _("line {number}", number=view.line) if view.line is not None else _("step {number}", number=step)
        return _("`{code}` on {line}", code=code, line=line) if code and len(code) <= 60 else line


def parse_code(source: str | None) -> ast.Module:
    """Return the tree of a piece of code; an empty module if it is not complete."""
    return _try_parse(source) or ast.Module([], [])


def _try_parse(source: str | None) -> ast.Module | None:
    """Return the tree of a piece of code; None if it is not complete."""
    try:
        return ast.parse(textwrap.dedent(source)) if source else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


# ---------------------------------------------------------------- the tensors in the failing statement


@dataclass(frozen=True)
class Operand:
    """An expression in the failing code that refers to a tensor."""

    source: str
    tensor: TensorState


@dataclass(frozen=True)
class Origin:
    """Where the dtype or the device of a tensor comes from."""

    place: str
    """The code and its line: `torch.tensor([0, 1])` on line 3."""
    code: str
    name: str | None
    """The tensor's name at that step; None if it has none."""


class Operands:
    """The tensors in the failing statement, as they were when it began."""

    def __init__(self, context: FailureContext) -> None:
        self._context = context
        self.begin = _statement_step(context)
        self._before: State = context.timeline.state(max(self.begin - 1, 0))
        event = context.timeline.event(self.begin) if self.begin else None
        frame = event.frame if isinstance(event, Line) else None
        self.names: dict[str, int] = {**names_of(self._before, 1), **names_of(self._before, frame)}

    def tensor(self, name: str) -> TensorState | None:
        """Return the tensor with this name; None if there is none."""
        return self._before.tensors.get(self.names.get(name, 0))

    def resolve(self, node: ast.expr) -> TensorState | None:
        """Return the tensor that an expression names or, in the failing statement, gave; None if unknown."""
        source = ast.unparse(node)
        serial = self.names.get(source)
        if serial is not None:
            return self._before.tensors.get(serial)
        timeline = self._context.timeline
        for step in range(self._context.step - 1, self.begin or self._context.step, -1):
            event = timeline.event(step)
            if timeline.columns.depths[step - 1]:
                continue
            if isinstance(event, Op) and event.outputs and _is_expression(timeline.view(step).code, source):
                return timeline.state(step).tensors.get(event.outputs[0])
        return None

    def all(self) -> Iterator[Operand]:
        """Yield every tensor that the code names, outermost expressions first, each expression once."""
        seen: set[str] = set()
        waiting: list[ast.AST] = [self._context.tree]
        while waiting:
            node = waiting.pop(0)
            waiting += ast.iter_child_nodes(node)
            if not isinstance(node, ast.expr) or isinstance(node, ast.Constant):
                continue
            source = ast.unparse(node)
            skipped = source in seen or source in _LIBRARIES or _is_expression(self._context.view.code, source)
            tensor = None if skipped else self.resolve(node)
            if tensor is not None:
                seen.add(source)
                yield Operand(source, tensor)

    def parameters(self) -> Iterator[Operand]:
        """Yield the parameters of the modules that the code calls: `net.weight` of `net(x)`."""
        for node in ast.walk(self._context.tree):
            if isinstance(node, ast.Call):
                callee = ast.unparse(node.func)
                for name, serial in self.names.items():
                    if name.startswith((f"{callee}.", f"{callee}[")) and serial in self._before.tensors:
                        yield Operand(name, self._before.tensors[serial])

    def arguments(self, least: int = 2) -> list[ast.expr]:
        """Return the arguments of the outermost call with at least `least` of them, positional before keyword."""
        for node in ast.walk(self._context.tree):
            if isinstance(node, ast.Call):
                arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
                if len(arguments) >= least:
                    return arguments
        return []


def _is_expression(code: str | None, source: str) -> bool:
    """Return whether a piece of code is this expression."""
    body = parse_code(code).body
    return len(body) == 1 and isinstance(body[0], ast.Expr) and ast.unparse(body[0].value) == source


def _statement_step(context: FailureContext) -> int:
    """Return the step at which the failing statement began (its frame may have ended since); 0 if unknown."""
    span = context.event.span
    for step in range(context.step - 1, max(context.step - _MAX_STATEMENT_STEPS, 0), -1):
        if context.timeline.kind(step) != "line" or span is None:
            continue
        site = context.timeline.view(step).site
        if site is not None and site.file == context.event.file and site.span[0] <= span[0] and span[2] <= site.span[2]:
            return step
    return 0


# ---------------------------------------------------------------- where a tensor comes from


def find_origin(context: FailureContext, tensor: TensorState, attribute: str = "dtype") -> Origin | None:
    """Return where the dtype (or device) of a tensor comes from: the first of its inputs that has it; None: unknown."""
    serial, before = tensor.tensor, context.step
    earliest: tuple[int, int] | None = None
    for _step in range(_MAX_OPERATIONS):
        producer = context.producer(serial, before) or _first_appearance(context, serial)
        if producer is None or producer[0] >= before:
            break
        before, op = producer
        earliest = before, serial
        tensors = context.timeline.state(before - 1).tensors
        inputs = [each for each in (op.inputs if op is not None else ()) if each in tensors]
        if serial in inputs:  # it was changed in place here, and made earlier
            continue
        alike = [each for each in inputs if getattr(tensors[each], attribute) == getattr(tensor, attribute)]
        serial = next((each for each in alike if each is not None), 0)
    if earliest is None:
        return None
    step, serial = earliest
    result = context.timeline.state(step).tensors.get(serial)
    name = op_output(context.timeline, step) or (None if result is None else result.label)
    return Origin(context.place_of(step), " ".join((context.timeline.view(step).code or "").split()), name)


def _first_appearance(context: FailureContext, serial: int) -> tuple[int, Op | None] | None:
    """Return the step after which a tensor that still exists appeared, and the operation that returned it, if any."""
    timeline = context.timeline
    if serial not in context.state.tensors:
        return None
    step = bisect_left(range(context.step), True, key=lambda step: serial in timeline.state(step).tensors)
    event = timeline.event(step) if step else None
    return (step, event if isinstance(event, Op) and serial in event.outputs else None) if step else None


def describe_dtype(context: FailureContext, operand: Operand) -> str:
    """Return `labels is int64 (`torch.tensor([0, 1])` on line 3)`, with the origin's name where that is another."""
    values = {"name": operand.source, "dtype": operand.tensor.dtype}
    origin = find_origin(context, operand.tensor)
    if origin is None:
        return _("{name} is {dtype}", **values)
    if origin.name is not None and origin.name != operand.source and origin.name not in operand.source:
        return _("{name} is {dtype}, as is {source}, made by {place}", source=origin.name, place=origin.place, **values)
    return _("{name} is {dtype}, made by {place}", place=origin.place, **values)


# ---------------------------------------------------------------- how to write a fix

_CASTS = {
    "float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat16", "int64": "long",
    "bool": "bool", "int32": "int",
}  # fmt: skip


def format_cast(source: str, dtype: str) -> str:
    """Return the code that casts an expression: `labels.float()`, `(a + b).float()`."""
    return (
        f"{parenthesize(source)}.{_CASTS[dtype]}()" if dtype in _CASTS else f"{parenthesize(source)}.to(torch.{dtype})"
    )


def parenthesize(source: str) -> str:
    """Return the expression in parentheses, if it needs them for a method to be called on it."""
    body = parse_code(source).body
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    is_primary = isinstance(value, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))
    return source if is_primary else f"({source})"


def strip_parentheses(source: str) -> str:
    """Return the expression without its outer parentheses: `a * 2` of `(a * 2)`."""
    body = parse_code(source).body
    return ast.unparse(body[0].value) if len(body) == 1 and isinstance(body[0], ast.Expr) else source


Shape = tuple[int, ...]
_MAX_SOURCE_LENGTH = 50
"""Maximum characters of code that stand for a tensor in a sentence."""
_MAX_LISTED = 4
"""Maximum tensors named in a sentence."""


def describe_shape(operand: Operand) -> str:
    """Return `x (shape [2, 3])`; a long expression by its shape alone."""
    if len(operand.source) > _MAX_SOURCE_LENGTH:
        return _("shape {shape}", shape=shape_text(operand.tensor.shape))
    return _("{name} (shape {shape})", name=operand.source, shape=shape_text(operand.tensor.shape))


def list_shapes(operands: Sequence[Operand]) -> str:
    """Return `a (shape [2, 3]) and b (shape [4])`."""
    words = [describe_shape(operand) for operand in operands[:_MAX_LISTED]]
    if len(operands) > _MAX_LISTED:
        words[-1] = "…"
    text = words[0]
    for word in words[1:-1]:
        text = _("{words}, {word}", words=text, word=word)
    return _("{first} and {last}", first=text, last=words[-1]) if len(words) > 1 else text


def parse_sizes(text: str) -> Shape:
    """Return the integers in a part of a message: `4, 3, -1`, `3 x 3`."""
    return tuple(int(size) for size in re.findall(r"-?\d+", text))


def broadcast_shapes(first: Shape, second: Shape) -> Shape | None:
    """Return the shape that two shapes broadcast to; None if they are incompatible."""
    ndim = max(len(first), len(second))
    shape = []
    for a, b in zip((1,) * (ndim - len(first)) + first, (1,) * (ndim - len(second)) + second, strict=True):
        if a != b and 1 not in (a, b):
            return None
        shape.append(b if a == 1 else a)
    return tuple(shape)


def format_transpose(operand: Operand) -> str:
    """Return `x.T`, or `x.transpose(1, 2)` for a tensor with other than two dimensions."""
    source, ndim = parenthesize(operand.source), len(operand.tensor.shape)
    return f"{source}.T" if ndim == 2 else f"{source}.transpose({ndim - 2}, {ndim - 1})"


# ---------------------------------------------------------------- what the code computes with


def failing_expression(context: FailureContext) -> ast.expr | None:
    """Return the failing code if it is an expression, else None."""
    body = list(ast.iter_child_nodes(context.tree))
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None


def failing_call(context: FailureContext) -> ast.Call | None:
    """Return the call that failed; in a statement, the outermost one. None if nothing is called."""
    failing = failing_expression(context)
    if failing is not None:
        return failing if isinstance(failing, ast.Call) else None
    return next((node for node in ast.walk(context.tree) if isinstance(node, ast.Call)), None)


def function_name(context: FailureContext) -> str:
    """Return `cat` of `torch.cat([a, b])`, `view` of `x.view(2)`; empty if nothing is called."""
    call = failing_call(context)
    return "" if call is None else ast.unparse(call.func).rpartition(".")[2]


def call_argument(call: ast.Call, place: int, *names: str) -> ast.expr | None:
    """Return the argument of a call at a position, or by one of these keywords; None if it is not passed."""
    if place < len(call.args):
        return call.args[place]
    return next((keyword.value for keyword in call.keywords if keyword.arg in names), None)


def first_operand(context: FailureContext, operands: Operands, *methods: str) -> Operand | None:
    """Return the tensor that the failing call works on: `x` of `x.view(2)` and of `torch.reshape(x, (2,))`.

    Args:
        methods: The functions to consider; by default any.
    """
    call = failing_call(context)
    if call is None or (methods and function_name(context) not in methods):
        return None
    if isinstance(call.func, ast.Attribute) and (receivers := resolve_operands(operands, [call.func.value])):
        return receivers[0]
    return next(iter(resolve_operands(operands, call.args[:1])), None) if _calls_torch(call) else None


def resolve_operands(operands: Operands, parts: Iterable[ast.expr]) -> list[Operand]:
    """Return the expressions among these that refer to tensors."""
    resolved = [(ast.unparse(part), operands.resolve(part)) for part in parts if not isinstance(part, ast.Constant)]
    return [Operand(source, tensor) for source, tensor in resolved if tensor is not None]


def failing_operands(context: FailureContext, operands: Operands) -> list[Operand]:
    """Return the tensors that the failing operation computes with, in source order."""
    for node in ast.walk(context.tree):
        if isinstance(node, ast.BinOp):
            return resolve_operands(operands, [node.left, node.right])
        if isinstance(node, ast.AugAssign):
            return resolve_operands(operands, [node.target, node.value])
        if isinstance(node, ast.Compare):
            return resolve_operands(operands, [node.left, *node.comparators])
        if isinstance(node, ast.Call):
            receivers = [node.func.value] if isinstance(node.func, ast.Attribute) else []
            return resolve_operands(operands, [*receivers, *node.args, *(keyword.value for keyword in node.keywords)])
    return []


def list_members(operands: Operands, node: ast.expr | None) -> list[Operand]:
    """Return the tensors of a list: each of `[a, b]`, or `xs[0]`, `xs[1]` of `xs`; empty unless all are known."""
    if isinstance(node, (ast.List, ast.Tuple)):
        resolved = resolve_operands(operands, node.elts)
        return resolved if len(resolved) == len(node.elts) else []
    source = "" if node is None else ast.unparse(node)
    items: list[Operand] = []
    while (tensor := operands.tensor(f"{source}[{len(items)}]")) is not None:
        items.append(Operand(f"{source}[{len(items)}]", tensor))
    return items


# ---------------------------------------------------------------- the layer in which it failed


@dataclass(frozen=True)
class Layer:
    """A module, and the parameter of it that the error message is about."""

    name: str
    weight: TensorState


def find_layer(operands: Operands, shape: Shape, suffix: str = ".weight") -> Layer | None:
    """Return the called layer whose parameter has this shape; None unless there is exactly one."""
    matches = [
        parameter
        for parameter in operands.parameters()
        if parameter.source.endswith(suffix) and parameter.tensor.shape == shape
    ]
    if len(matches) != 1:
        return None
    return Layer(matches[0].source.removesuffix(suffix), matches[0].tensor)


def statement_operations(context: FailureContext, operands: Operands) -> list[tuple[int, Op]]:
    """Return the operations of the failing statement, with their steps, latest first."""
    return list(takewhile(lambda item: item[0] > operands.begin, context.operations()))


def layer_input(
    context: FailureContext, operands: Operands, layer: Layer | None, shape: Shape | None = None
) -> Operand | None:
    """Return the tensor that the code passes to the failing layer itself.

    Args:
        shape: The input's shape in the error message; None is returned for a tensor of another shape.
    """
    call = failing_call(context)
    inputs = [] if call is None else resolve_operands(operands, call.args[:1])
    if (
        call is None
        or not inputs
        or not (_calls_torch(call) or (layer is not None and ast.unparse(call.func) == layer.name))
    ):
        return None
    own_shape = inputs[0].tensor.shape
    return inputs[0] if shape is None or own_shape == shape or (1, *own_shape) == shape else None


def _calls_torch(call: ast.Call) -> bool:
    """Return whether this calls a function of torch, or a layer where it is made: `nn.Conv2d(1, 2, 3)(x)`."""
    callee = call.func.func if isinstance(call.func, ast.Call) else call.func
    source = ast.unparse(callee)
    return source.startswith(("F.", "nn.", "torch.")) and not source.endswith("Sequential")


def describe_input(operand: Operand | None, shape: Shape) -> str:
    """Return `x has shape [2, 3]`, or that of an input without a name."""
    if operand is None or len(operand.source) > _MAX_SOURCE_LENGTH:
        return _("its input has shape {shape}", shape=shape_text(shape if operand is None else operand.tensor.shape))
    return _("{name} has shape {shape}", name=operand.source, shape=shape_text(operand.tensor.shape))


def format_flatten(operand: Operand, start: int = 1) -> tuple[str, Shape]:
    """Return `x.flatten(1)` and its shape."""
    shape = operand.tensor.shape
    return f"{parenthesize(operand.source)}.flatten({start})", (*shape[:start], prod(shape[start:]))
