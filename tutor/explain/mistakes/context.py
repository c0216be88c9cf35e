"""What an explanation can ask of the recording: about a step, about a failure, and about the tensors in its code."""

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

from tutor.explain import formatting
from tutor.explain.rules.arrays import broadcast_shape
from tutor.i18n import _
from tutor.trace.events import LOAD, Backward, Event, Failed, Line, Op
from tutor.trace.names import name_of, names_of
from tutor.trace.number_format import shape as shape_text
from tutor.trace.source import parse
from tutor.trace.state import NodeState, SiteInfo, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

Shape = tuple[int, ...]

_MAX_STEPS_BACK = 5_000
"""Maximum steps searched back for the cause of a failure."""
_MAX_STATEMENT_STEPS = 1_000
"""Maximum steps searched back for the beginning of the failing statement."""
_LIBRARIES = ("torch", "nn", "F", "np", "numpy")
_BLOCK = re.compile(r"(async )?(for|while|with|if)\b")
"""A compound statement: only its header is shown."""


def parse_code(source: str | None) -> ast.Module:
    """Return the tree of a piece of code; an empty module if it is not complete."""
    tree = parse(textwrap.dedent(source)) if source else None
    return tree if isinstance(tree, ast.Module) else ast.Module([], [])


def parse_statement(source: str | None) -> ast.stmt | None:
    """Return the statement that a piece of code consists of; None for none, or several."""
    body = parse_code(source).body
    return body[0] if len(body) == 1 else None


def parse_expression(source: str | None) -> ast.expr | None:
    """Return the expression that a piece of code consists of; None for any other code."""
    statement = parse_statement(source)
    return statement.value if isinstance(statement, ast.Expr) else None


class StepContext:
    """A step, and the states around it."""

    def __init__(self, timeline: Timeline, step: int) -> None:
        self.timeline = timeline
        self.step = step
        self.event: Event = timeline.event(step)
        self.kind = timeline.kind(step)

    @property
    def site(self) -> SiteInfo | None:
        """The place in the code of an operation or a backward pass; None if unknown."""
        return self.timeline.sites.get(getattr(self.event, "site", 0))

    @cached_property
    def before(self) -> State:
        """The state before the step."""
        return self.timeline.state(self.step - 1)

    @cached_property
    def state(self) -> State:
        """The state after the step."""
        return self.timeline.state(self.step)

    def step_made(self, node: NodeState | None) -> int | None:
        """Return the step of the operation, or of the composite, that made a node; None if unknown."""
        return None if node is None else self.timeline.columns.operation(node.operation or node.within)

    def first_step(self, holds: Callable[[State], bool], since: int = 0) -> int:
        """Return the first step after `since` after which a condition holds, and holds from then on; else this step."""
        return bisect_left(range(self.step), True, lo=since, key=lambda step: holds(self.timeline.state(step)))

    def header_code(self, site: SiteInfo | None) -> str:
        """Return the code of a statement without its body; empty if unknown."""
        definitions = self.timeline.definitions
        return "" if site is None else definitions.code(site.file, definitions.header(site.file, site.span)) or ""


@dataclass(frozen=True)
class Operand:
    """An expression in the failing code that refers to a tensor."""

    source: str
    tensor: TensorState


@dataclass(frozen=True)
class Layer:
    """A module, and the parameter of it that the error message is about."""

    name: str
    weight: TensorState


class FailureContext(StepContext):
    """A failure, the code that failed, the tensors in it, and the part of the recording before it."""

    def __init__(self, timeline: Timeline, step: int, event: Failed) -> None:
        super().__init__(timeline, step)
        self.event: Failed = event
        self.view = timeline.view(step)
        self.code = " ".join((self.view.code or "").split())

    # ------------------------------------------------------------ the failing code

    @cached_property
    def tree(self) -> ast.Module:
        """The failing code, parsed; an empty module if it is no complete expression or statement."""
        tree = parse_code(self.view.code)
        return tree if tree.body else parse_code(self.statement)

    @property
    def is_raised_by_user(self) -> bool:
        """Whether a `raise` or `assert` of the learner's code raised the exception."""
        return any(isinstance(node, (ast.Raise, ast.Assert)) for node in self.tree.body)

    @cached_property
    def statement(self) -> str:
        """The source of the whole statement that failed; empty if unknown."""
        line = self.view.line
        text = None if self.event.file is None else self.timeline.definitions.text(self.event.file)
        blocks = [] if line is None or text is None else text.covering(line)
        if not blocks or text is None:
            return ""
        return "\n".join(text.lines[blocks[0][1] - 1 : blocks[0][2]])

    @cached_property
    def file_tree(self) -> ast.Module:
        """The file that failed, parsed; an empty module if it is unknown."""
        text = None if self.event.file is None else self.timeline.definitions.text(self.event.file)
        return parse_code(None if text is None else "\n".join(text.lines))

    @property
    def expression(self) -> ast.expr | None:
        """The failing code if it is an expression, else None."""
        body = self.tree.body
        return body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None

    @property
    def calls(self) -> list[ast.Call]:
        """The calls in the failing code, outermost first."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]

    @property
    def call(self) -> ast.Call | None:
        """The call that failed; in a statement, the outermost one. None if nothing is called."""
        if self.expression is not None:
            return self.expression if isinstance(self.expression, ast.Call) else None
        return next(iter(self.calls), None)

    @property
    def function(self) -> str:
        """`cat` of `torch.cat([a, b])`, `view` of `x.view(2)`; empty if nothing is called."""
        return "" if self.call is None else ast.unparse(self.call.func).rpartition(".")[2]

    def argument(self, place: int, *names: str) -> ast.expr | None:
        """Return the argument of the failing call at a position, or by one of these keywords; None if there is none."""
        if self.call is None or place < len(self.call.args):
            return None if self.call is None else self.call.args[place]
        return next((keyword.value for keyword in self.call.keywords if keyword.arg in names), None)

    def literal_argument(self, place: int, *names: str) -> object:
        """Return the value of such an argument, if it is written as a constant; else None."""
        node = self.argument(place, *names)
        try:
            return None if node is None else ast.literal_eval(node)
        except (ValueError, TypeError):
            return None

    def receiver_of(self, method: str) -> str | None:
        """Return the source of `y` in the first `y.method(…)` of the failing code; None if there is none."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and node.attr == method:
                return parenthesize(ast.unparse(node.value))
        return None

    # ------------------------------------------------------------ the tensors in it

    @cached_property
    def begin(self) -> int:
        """The step at which the failing statement began (its frame may have ended since); 0 if unknown."""
        span = self.event.span
        for step in range(self.step - 1, max(self.step - _MAX_STATEMENT_STEPS, 0), -1):
            if self.timeline.kind(step) != "line" or span is None:
                continue
            site = self.timeline.view(step).site
            is_in_file = site is not None and site.file == self.event.file
            if site is not None and is_in_file and site.span[0] <= span[0] and span[2] <= site.span[2]:
                return step
        return 0

    @cached_property
    def _state_at_begin(self) -> State:
        """The state in which the failing statement began."""
        return self.timeline.state(max(self.begin - 1, 0))

    @cached_property
    def names(self) -> dict[str, int]:
        """The tensors by their names when the failing statement began."""
        event = self.timeline.event(self.begin) if self.begin else None
        frame = event.frame if isinstance(event, Line) else None
        return {**names_of(self._state_at_begin, 1), **names_of(self._state_at_begin, frame)}

    def named(self, name: str) -> TensorState | None:
        """Return the tensor that had this name when the failing statement began; None if there is none."""
        return self._state_at_begin.tensors.get(self.names.get(name, 0))

    def resolve(self, node: ast.expr | None) -> TensorState | None:
        """Return the tensor that an expression names or, in the failing statement, gave; None if unknown."""
        if node is None or isinstance(node, ast.Constant):
            return None
        source = ast.unparse(node)
        serial = self.names.get(source)
        if serial is not None:
            return self._state_at_begin.tensors.get(serial)
        for step in range(self.step - 1, self.begin or self.step, -1):
            event = self.timeline.event(step)
            if self.timeline.columns.depths[step - 1]:
                continue
            if isinstance(event, Op) and event.outputs and _is_expression(self.timeline.view(step).code, source):
                return self.timeline.state(step).tensors.get(event.outputs[0])
        return None

    def operand(self, node: ast.expr | None) -> Operand | None:
        """Return an expression that refers to a tensor; None for any other."""
        tensor = self.resolve(node)
        return None if node is None or tensor is None else Operand(ast.unparse(node), tensor)

    def operands(self, nodes: Iterable[ast.expr]) -> list[Operand]:
        """Return the expressions among these that refer to tensors."""
        return [operand for node in nodes if (operand := self.operand(node)) is not None]

    def passed(self, first: int = 0, last: int | None = None) -> list[Operand]:
        """Return the tensors among the positional arguments of the failing call from `first` to before `last`."""
        return [] if self.call is None else self.operands(self.call.args[first:last])

    def all_operands(self) -> Iterator[Operand]:
        """Yield every tensor that the code names, outermost expressions first, each expression once."""
        seen: set[str] = set()
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop(0)
            waiting += ast.iter_child_nodes(node)
            if not isinstance(node, ast.expr) or isinstance(node, ast.Constant):
                continue
            source = ast.unparse(node)
            skipped = source in seen or source in _LIBRARIES or _is_expression(self.view.code, source)
            tensor = None if skipped else self.resolve(node)
            if tensor is not None:
                seen.add(source)
                yield Operand(source, tensor)

    def arguments(self, least: int = 2) -> list[ast.expr]:
        """Return the arguments of the outermost call with at least `least` of them, positional before keyword."""
        arguments = ([*call.args, *(keyword.value for keyword in call.keywords)] for call in self.calls)
        return next((nodes for nodes in arguments if len(nodes) >= least), [])

    def receiver(self, *functions: str) -> Operand | None:
        """Return the tensor that the failing call works on: `x` of `x.view(2)` and of `torch.reshape(x, (2,))`.

        Args:
            functions: The functions to consider; by default any.
        """
        call = self.call
        if call is None or (functions and self.function not in functions):
            return None
        if isinstance(call.func, ast.Attribute) and (operand := self.operand(call.func.value)) is not None:
            return operand
        return next(iter(self.passed(0, 1)), None) if _calls_torch(call) else None

    def factors(self) -> list[Operand]:
        """Return the tensors that the failing operation computes with, in source order."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.BinOp):
                return self.operands([node.left, node.right])
            if isinstance(node, ast.AugAssign):
                return self.operands([node.target, node.value])
            if isinstance(node, ast.Compare):
                return self.operands([node.left, *node.comparators])
            if isinstance(node, ast.Call):
                receivers = [node.func.value] if isinstance(node.func, ast.Attribute) else []
                return self.operands([*receivers, *node.args, *(keyword.value for keyword in node.keywords)])
        return []

    # ------------------------------------------------------------ the layers in it

    def held_by(self, source: str) -> Iterator[Operand]:
        """Yield the tensors that an object or a container holds, by its expression: `net.weight`, `xs[0]`."""
        for name in self.names:
            tensor = self.named(name) if name.startswith((f"{source}.", f"{source}[")) else None
            if tensor is not None:
                yield Operand(name, tensor)

    def parameters(self) -> Iterator[Operand]:
        """Yield the parameters of the modules that the code calls: `net.weight` of `net(x)`."""
        for call in self.calls:
            yield from self.held_by(ast.unparse(call.func))

    def layer_with(self, shape: Shape, suffix: str = ".weight") -> Layer | None:
        """Return the called layer whose parameter has this shape; None unless there is exactly one."""
        matches = [
            parameter
            for parameter in self.parameters()
            if parameter.source.endswith(suffix) and parameter.tensor.shape == shape
        ]
        return Layer(matches[0].source.removesuffix(suffix), matches[0].tensor) if len(matches) == 1 else None

    def called_layer(self, *parameters: str) -> Layer | None:
        """Return the layer that the code calls itself, with the first of these parameters (`weight`) that it has."""
        name = "" if self.call is None else ast.unparse(self.call.func)
        tensors = (self.named(f"{name}.{parameter}") for parameter in parameters or ("weight",))
        return next((Layer(name, tensor) for tensor in tensors if tensor is not None), None)

    def layer_input(self, layer: Layer | None, shape: Shape | None = None) -> Operand | None:
        """Return the tensor that the code passes to the failing layer itself.

        Args:
            layer: The layer; None if a function of torch is called.
            shape: The input's shape in the error message; None is returned for a tensor of another shape.
        """
        call, operand = self.call, next(iter(self.passed(0, 1)), None)
        if call is None or operand is None:
            return None
        if not _calls_torch(call) and (layer is None or ast.unparse(call.func) != layer.name):
            return None
        own_shape = operand.tensor.shape
        return operand if shape is None or own_shape == shape or (1, *own_shape) == shape else None

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

    # ------------------------------------------------------------ what went before

    def statement_of(self, step: int) -> str | None:
        """Return the source of the whole statement that the operation of a step belongs to; None if unknown."""
        site = self.timeline.sites.get(self.timeline.columns.sites[step - 1])
        statement = None if site is None else self.timeline.sites.get(site.statement)
        return None if statement is None else self.timeline.definitions.code(statement.file, statement.span)

    def operations(self) -> Iterator[tuple[int, Op]]:
        """Yield the operations before the failure with their steps, latest first."""
        for step in range(self.step - 1, max(self.step - _MAX_STEPS_BACK, 0), -1):
            if self.timeline.kind(step) == "op":
                event = self.timeline.event(step)
                if isinstance(event, Op):
                    yield step, event

    def statement_operations(self) -> list[tuple[int, Op]]:
        """Return the operations of the failing statement, with their steps, latest first."""
        return list(takewhile(lambda item: item[0] > self.begin, self.operations()))

    @cached_property
    def _producers(self) -> dict[int, list[tuple[int, Op]]]:
        """The operations that each tensor came out of, with their steps, latest first."""
        producers: dict[int, list[tuple[int, Op]]] = {}
        for step, op in self.operations():
            for tensor in op.outputs:
                producers.setdefault(tensor, []).append((step, op))
        return producers

    def producer(self, tensor: int, before: int | None = None) -> tuple[int, Op] | None:
        """Return the last operation (before step `before`, if given) that returned a tensor, with its step; one inside
        of a load, where that is recorded, before the load."""
        producers = [(step, op) for step, op in self._producers.get(tensor, []) if before is None or step < before]
        inner = ((step, op) for step, op in producers if not self._is_load(op))
        return next(inner, producers[0] if producers else None)

    def _is_load(self, op: Op) -> bool:
        site = self.timeline.sites.get(op.site)
        return site is not None and site.op == LOAD

    def made_by(self, tensor: int) -> tuple[str, int | None]:
        """Return ` (`a * 2` on line 3)` and the step of the operation that returned a tensor; "" and None: unknown."""
        producer = self.producer(tensor)
        return ("", None) if producer is None else (_(" ({place})", place=self.place_of(producer[0])), producer[0])

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
        steps = (self.step_made(self.state.nodes.get(serial or 0)) for serial in nodes)
        step_made = next((made for made in steps if made is not None), None)
        return step_made is not None and bool(self._active_loops(step) - self._active_loops(step_made))

    def _active_loops(self, step: int) -> set[tuple[int, int]]:
        """Return the loops that the program is in at a step, as (frame, line of the header)."""
        return {(frame.frame, loop) for frame in self.timeline.state(step).frames for loop in frame.iterations}


def has_gradient(state: State, serial: int) -> bool:
    """Return whether a tensor has a gradient that is not all zeros."""
    tensor = state.tensors.get(serial)
    grad = None if tensor is None or tensor.grad is None else state.tensors.get(tensor.grad)
    values = None if grad is None else elements(grad.value)
    return grad is not None and (values is None or any(values))


def parenthesize(source: str) -> str:
    """Return the expression in parentheses, if it needs them for a method to be called on it."""
    is_primary = isinstance(parse_expression(source), (ast.Name, ast.Attribute, ast.Subscript, ast.Call))
    return source if is_primary else f"({source})"


def strip_parentheses(source: str) -> str:
    """Return the expression without its outer parentheses: `a * 2` of `(a * 2)`."""
    value = parse_expression(source)
    return source if value is None else ast.unparse(value)


def _is_expression(code: str | None, source: str) -> bool:
    """Return whether a piece of code is this expression."""
    value = parse_expression(code)
    return value is not None and ast.unparse(value) == source


def _calls_torch(call: ast.Call) -> bool:
    """Return whether this calls a function of torch, or a layer where it is made: `nn.Conv2d(1, 2, 3)(x)`."""
    callee = call.func.func if isinstance(call.func, ast.Call) else call.func
    source = ast.unparse(callee)
    return source.startswith(("F.", "nn.", "torch.")) and not source.endswith("Sequential")


# ---------------------------------------------------------------- operands, shapes and fixes in words

_MAX_SOURCE_LENGTH = 50
"""Maximum characters of code that stand for a tensor in a sentence."""
_MAX_LISTED = 4
"""Maximum tensors named in a sentence."""
_CASTS = {
    "float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat16", "int64": "long",
    "bool": "bool", "int32": "int",
}  # fmt: skip


def describe_shape(operand: Operand) -> str:
    """Return `x (shape 2×3)`; a long expression by its shape alone."""
    if not operand.tensor.shape:
        is_long = len(operand.source) > _MAX_SOURCE_LENGTH
        return _("a scalar") if is_long else _("{name} (a scalar)", name=operand.source)
    if len(operand.source) > _MAX_SOURCE_LENGTH:
        return _("shape {shape}", shape=shape_text(operand.tensor.shape))
    return _("{name} (shape {shape})", name=operand.source, shape=shape_text(operand.tensor.shape))


def list_shapes(operands: Sequence[Operand]) -> str:
    """Return `a (shape 2×3) and b (shape 4)`."""
    words = [describe_shape(operand) for operand in operands[:_MAX_LISTED]]
    return formatting.joined([*words[:-1], "…"] if len(operands) > _MAX_LISTED else words)


def describe_layer(context: FailureContext, layer: Layer | None) -> str:
    """Return the name of a layer; the failing code for one without."""
    return f"`{context.code}`" if layer is None else layer.name


def describe_input(operand: Operand | None, shape: Shape) -> str:
    """Return `x has shape 2×3`, or that of an input without a name."""
    if operand is None or len(operand.source) > _MAX_SOURCE_LENGTH:
        return _("its input has shape {shape}", shape=shape_text(shape if operand is None else operand.tensor.shape))
    return _("{name} has shape {shape}", name=operand.source, shape=shape_text(operand.tensor.shape))


def format_cast(source: str, dtype: str) -> str:
    """Return the code that casts an expression: `labels.float()`, `(a + b).float()`."""
    method = f"{_CASTS[dtype]}()" if dtype in _CASTS else f"to(torch.{dtype})"
    return f"{parenthesize(source)}.{method}"


def format_transpose(operand: Operand) -> str:
    """Return `x.T`, or `x.transpose(1, 2)` for a tensor with other than two dimensions."""
    source, ndim = parenthesize(operand.source), len(operand.tensor.shape)
    return f"{source}.T" if ndim == 2 else f"{source}.transpose({ndim - 2}, {ndim - 1})"


def format_flatten(operand: Operand, start: int = 1) -> tuple[str, Shape]:
    """Return `x.flatten(1)` and its shape."""
    shape = operand.tensor.shape
    return f"{parenthesize(operand.source)}.flatten({start})", (*shape[:start], prod(shape[start:]))


def parse_sizes(text: str) -> Shape:
    """Return the integers in a part of a message: `4, 3, -1`, `3 x 3`."""
    return tuple(int(size) for size in re.findall(r"-?\d+", text))


def broadcast_shapes(first: Shape, second: Shape) -> Shape | None:
    """Return the shape that two shapes broadcast to; None if they are incompatible."""
    try:
        return broadcast_shape(first, second)
    except ValueError:
        return None
