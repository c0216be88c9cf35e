"""What an explanation can ask: the code that failed, what its names meant, and what had happened before.

What the code that failed was given: which tensors its parts mean, and where each of them came from.

The tensors in the code of a failure with their shapes, and the layer in whose forward it came."""

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

_FARTHEST = 5_000
"""How many steps before the failure its cause is looked for."""


_BLOCK = re.compile(r"(async )?(for|while|with|if)\b")
"""A statement with a block below it, which is not shown."""


@dataclass(frozen=True)
class Diagnosis:
    """An explanation, and the step that made the failure inevitable."""

    text: str
    cause: int | None = None


Explain = Callable[["FailureContext", "re.Match[str]"], "Diagnosis | str | None"]
MISTAKES: list[tuple[str, re.Pattern[str], Explain]] = []


def mistake(error: str, pattern: str) -> Callable[[Explain], Explain]:
    """Registers the explanation of an exception of this type whose message matches."""

    def register(explain: Explain) -> Explain:
        MISTAKES.append((error, re.compile(pattern, re.DOTALL), explain))
        return explain

    return register


class FailureContext:
    """A failure and what led to it."""

    def __init__(self, timeline: Timeline, step: int, event: Failed) -> None:
        self.timeline = timeline
        self.step = step
        self.event = event
        self.state: State = timeline.state(step)
        self.view = timeline.view(step)
        self.code = " ".join((self.view.code or "").split())

    @cached_property
    def tree(self) -> ast.AST:
        """The code that failed; an empty module where it does not stand alone."""
        return _parsed(self.view.code) or _parsed(self.statement) or ast.Module([], [])

    @property
    def raised_by_hand(self) -> bool:
        """Whether the learner's own `raise` made the exception, whatever its words."""
        return any(isinstance(node, (ast.Raise, ast.Assert)) for node in ast.iter_child_nodes(self.tree))

    @cached_property
    def statement(self) -> str:
        """The whole statement around the failure."""
        line = self.view.line
        text = None if self.event.file is None else self.timeline.book.text(self.event.file)
        blocks = [] if line is None or text is None else text.covering(line)
        if not blocks or text is None:
            return ""
        return "\n".join(text.lines[blocks[0][1] - 1 : blocks[0][2]])

    def statement_of(self, step: int) -> str | None:
        """The whole statement around the operation of a step."""
        site = self.timeline.sites.get(self.timeline.columns.sites[step - 1])
        statement = None if site is None else self.timeline.sites.get(site.statement)
        return None if statement is None else self.timeline.book.code(statement.file, statement.span)

    # ------------------------------------------------------------ names

    def tensor(self, source: str) -> TensorState | None:
        """The tensor that this piece of the learner's code means, where that is a name."""
        for state, frame in ((self._inside, self.event.frame), (self.state, None), (self.state, 1)):
            number = names_of(state, frame).get(source)
            if number is not None:
                return self.state.tensors.get(number) or state.tensors.get(number)
        labelled = [tensor for tensor in self.state.tensors.values() if tensor.label == source]
        return labelled[-1] if labelled else None

    @cached_property
    def _inside(self) -> State:
        """The last state in which the activation that failed was there: the exception may have ended it."""
        for step in range(self.step, max(self.step - _FARTHEST, 0), -1):
            state = self.timeline.state(step)
            if any(frame.frame == self.event.frame for frame in state.frames):
                return state
        return self.state

    def name(self, tensor: int) -> str | None:
        """What the learner calls a tensor."""
        return name_of(self.state, tensor)

    def called_on(self, method: str) -> str | None:
        """The source of `y` in the first `y.method(…)` of the code that failed."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and node.attr == method:
                plain = isinstance(node.value, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))
                return ast.unparse(node.value) if plain else f"({ast.unparse(node.value)})"
        return None

    # ------------------------------------------------------------ what went before

    def operations(self) -> Iterator[tuple[int, Op]]:
        """The operations before the failure, the last one first."""
        for step in range(self.step - 1, max(self.step - _FARTHEST, 0), -1):
            if self.timeline.kind(step) == "op":
                event = self.timeline.event(step)
                if isinstance(event, Op):
                    yield step, event

    @cached_property
    def _makers(self) -> dict[int, list[tuple[int, Op]]]:
        made: dict[int, list[tuple[int, Op]]] = {}
        for step, op in self.operations():
            for tensor in op.outputs:
                made.setdefault(tensor, []).append((step, op))
        return made

    def maker(self, tensor: int, before: int | None = None) -> tuple[int, Op] | None:
        """The operation (the last one before a step) that a tensor came out of, and its step."""
        made = self._makers.get(tensor, [])
        return next(((step, op) for step, op in made if before is None or step < before), None)

    def backward_step(self) -> tuple[int, Backward] | None:
        """The backward pass that failed: it began last, in the statement that failed."""
        for info in reversed(self.timeline.passes):
            if info.start_step < self.step:
                event = self.timeline.event(info.start_step)
                over = info.end_step is not None and info.end_step < self.step - 1
                return (info.start_step, event) if isinstance(event, Backward) and not over else None
        return None

    @cached_property
    def stopped(self) -> State:
        """The state in which the pass that failed stopped. Of a graph that no name holds, nothing is left after it."""
        info = next((info for info in reversed(self.timeline.passes) if info.start_step < self.step), None)
        if info is None or info.end_step is None or self.backward_step() is None:
            return self.state
        return self.timeline.state(info.end_step - 1)

    def is_before_loop(self, nodes: Iterable[int | None], step: int) -> bool:
        """Whether these nodes were made before a loop that the program is in at a step."""
        for number in nodes:
            node = self.state.nodes.get(number or 0)
            made = None if node is None else self.timeline.operation(node)
            if made is not None:
                return bool(self.loops(step) - self.loops(made))
        return False

    def loops(self, step: int) -> set[tuple[int, int]]:
        """The loops that the program is in at a step: by activation and header."""
        return {(frame.frame, loop) for frame in self.timeline.state(step).frames for loop in frame.iterations}

    def layer(self, step: int, path: str) -> str:
        """What to call a module of this path inside of the one that the code of a step calls: `net[1]`."""
        callee = ast.unparse(next((n.func for n in ast.walk(parsed(self.timeline.view(step).code))
                                   if isinstance(n, ast.Call)), ast.Name("?")))  # fmt: skip
        inner = path if not path or path.startswith("[") else f".{path}"
        return callee if callee.endswith(inner) or callee.startswith("self") else callee + inner

    def roots(self) -> str | None:
        """What backward was called on, by its name in the code or in the recording."""
        named = self.called_on("backward")
        if named is not None and named not in ("torch.autograd", "autograd"):
            return named
        began = self.backward_step()
        names = [] if began is None else [self.name(root) for root in began[1].roots]
        return names[0] if names and names[0] else None

    def where(self, step: int, code: str | None = None) -> str:
        """`y.backward()` on line 11; or of another piece of code there."""
        view = self.timeline.view(step)
        code = code or view.code or ""
        code = " ".join((code.partition("\n")[0].rstrip(":") if _BLOCK.match(code) else code).split())
        line = _("line {number}", number=view.line) if view.line is not None else _("step {number}", number=step)
        return _("`{code}` on {line}", code=code, line=line) if code and len(code) <= 60 else line


def parsed(source: str | None) -> ast.Module:
    """The tree of a piece of code; empty where it does not stand alone."""
    return _parsed(source) or ast.Module([], [])


def _parsed(source: str | None) -> ast.Module | None:
    try:
        return ast.parse(textwrap.dedent(source)) if source else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_MOST_OPERANDS = 50
"""So many operations are gone back through."""
_FARTHEST_ORIGIN = 1_000
"""So many steps back the statement is looked for."""
_LIBRARIES = ("torch", "nn", "F", "np", "numpy")


@dataclass(frozen=True)
class Given:
    """A part of the code that means a tensor."""

    source: str
    tensor: TensorState


@dataclass(frozen=True)
class Origin:
    """Where the dtype, or the device, of a tensor comes from."""

    place: str
    """`torch.tensor([0, 1])` on line 3."""
    code: str
    name: str | None
    """What the tensor is called there."""


class Operands:
    """The tensors that stand in the code of a failure."""

    def __init__(self, scene: FailureContext) -> None:
        self._scene = scene
        self.begin = _statement_step(scene)
        self._before: State = scene.timeline.state(max(self.begin - 1, 0))
        event = scene.timeline.event(self.begin) if self.begin else None
        frame = event.frame if isinstance(event, Line) else None
        self.names: dict[str, int] = {**names_of(self._before, 1), **names_of(self._before, frame)}

    def tensor(self, name: str) -> TensorState | None:
        """The tensor that has this name."""
        return self._before.tensors.get(self.names.get(name, 0))

    def meant_by(self, node: ast.expr) -> TensorState | None:
        """The tensor that a part of the code means: by its name, or as the result of its operation."""
        source = ast.unparse(node)
        number = self.names.get(source)
        if number is not None:
            return self._before.tensors.get(number)
        timeline = self._scene.timeline
        for step in range(self._scene.step - 1, self.begin or self._scene.step, -1):
            event = timeline.event(step)
            if timeline.columns.depths[step - 1]:
                continue
            if isinstance(event, Op) and event.outputs and _same(timeline.view(step).code, source):
                return timeline.state(step).tensors.get(event.outputs[0])
        return None

    def all(self) -> Iterator[Given]:
        """Every tensor that the code names, the outermost expressions first, each source once."""
        seen: set[str] = set()
        waiting: list[ast.AST] = [self._scene.tree]
        while waiting:
            node = waiting.pop(0)
            waiting += ast.iter_child_nodes(node)
            if not isinstance(node, ast.expr) or isinstance(node, ast.Constant):
                continue
            source = ast.unparse(node)
            skipped = source in seen or source in _LIBRARIES or _same(self._scene.view.code, source)
            tensor = None if skipped else self.meant_by(node)
            if tensor is not None:
                seen.add(source)
                yield Given(source, tensor)

    def parameters(self) -> Iterator[Given]:
        """Those of the modules that the code calls: `net.weight` of `net(x)`."""
        for node in ast.walk(self._scene.tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                for name, number in self.names.items():
                    if name.startswith((f"{called}.", f"{called}[")) and number in self._before.tensors:
                        yield Given(name, self._before.tensors[number])

    def call(self, least: int = 2) -> list[ast.expr]:
        """The arguments of the outermost call with at least so many, by place or by keyword."""
        for node in ast.walk(self._scene.tree):
            if isinstance(node, ast.Call):
                arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
                if len(arguments) >= least:
                    return arguments
        return []


def _same(code: str | None, source: str) -> bool:
    body = parsed(code).body
    return len(body) == 1 and isinstance(body[0], ast.Expr) and ast.unparse(body[0].value) == source


def _statement_step(scene: FailureContext) -> int:
    """The step at which the statement that failed was about to run; its frame may be gone since. 0: not found."""
    span = scene.event.span
    for step in range(scene.step - 1, max(scene.step - _FARTHEST_ORIGIN, 0), -1):
        if scene.timeline.kind(step) != "line" or span is None:
            continue
        site = scene.timeline.view(step).site
        if site is not None and site.file == scene.event.file and site.span[0] <= span[0] and span[2] <= site.span[2]:
            return step
    return 0


# ---------------------------------------------------------------- where a tensor comes from


def origin(scene: FailureContext, tensor: TensorState, same: str = "dtype") -> Origin | None:
    """Where the first tensor of this dtype (or device) was made that a tensor was computed from."""
    number, before = tensor.tensor, scene.step
    found: tuple[int, int] | None = None
    for _step in range(_MOST_OPERANDS):
        made = scene.maker(number, before) or _appeared(scene, number)
        if made is None or made[0] >= before:
            break
        before, op = made
        found = before, number
        tensors = scene.timeline.state(before - 1).tensors
        given = [one for one in (op.inputs if op is not None else ()) if one in tensors]
        if number in given:  # it was changed in place here, and made earlier
            continue
        alike = [one for one in given if getattr(tensors[one], same) == getattr(tensor, same)]
        number = next((one for one in alike if one is not None), 0)
    if found is None:
        return None
    step, number = found
    held = scene.timeline.state(step).tensors.get(number)
    name = op_output(scene.timeline, step) or (None if held is None else held.label)
    return Origin(scene.where(step), " ".join((scene.timeline.view(step).code or "").split()), name)


def _appeared(scene: FailureContext, number: int) -> tuple[int, Op | None] | None:
    """The step after which a tensor that lives was there for the first time."""
    timeline = scene.timeline
    if number not in scene.state.tensors:
        return None
    step = bisect_left(range(scene.step), True, key=lambda step: number in timeline.state(step).tensors)
    event = timeline.event(step) if step else None
    return (step, event if isinstance(event, Op) and number in event.outputs else None) if step else None


def said_of(scene: FailureContext, given: Given) -> str:
    """`labels is int64 (`torch.tensor([0, 1])` on line 3)`, and of whose it is where that has another name."""
    what = {"name": given.source, "dtype": given.tensor.dtype}
    source = origin(scene, given.tensor)
    if source is None:
        return _("{name} is {dtype}", **what)
    if source.name is not None and source.name != given.source and source.name not in given.source:
        return _("{name} is {dtype}, as is {source}, made by {place}", source=source.name, place=source.place, **what)
    return _("{name} is {dtype}, made by {place}", place=source.place, **what)


# ---------------------------------------------------------------- how to write a fix

_CASTS = {
    "float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat16", "int64": "long",
    "bool": "bool", "int32": "int",
}  # fmt: skip


def cast(source: str, dtype: str) -> str:
    """`labels.float()`; `(a + b).float()`."""
    return f"{enclosed(source)}.{_CASTS[dtype]}()" if dtype in _CASTS else f"{enclosed(source)}.to(torch.{dtype})"


def enclosed(source: str) -> str:
    """The source as something can be called on it."""
    body = parsed(source).body
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    plain = isinstance(value, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))
    return source if plain else f"({source})"


def plain(source: str) -> str:
    """`a * 2` of `(a * 2)`."""
    body = parsed(source).body
    return ast.unparse(body[0].value) if len(body) == 1 and isinstance(body[0], ast.Expr) else source


Shape = tuple[int, ...]
_LONGEST = 50
"""A piece of code of so many characters stands for a tensor in a sentence."""
_MOST_LISTED = 4
"""So many tensors are named in a sentence."""


def described(given: Given) -> str:
    """`x (shape [2, 3])`."""
    if len(given.source) > _LONGEST:
        return _("shape {shape}", shape=shape_text(given.tensor.shape))
    return _("{name} (shape {shape})", name=given.source, shape=shape_text(given.tensor.shape))


def listed(tensors: Sequence[Given]) -> str:
    """`a (shape [2, 3]) and b (shape [4])`."""
    words = [described(tensor) for tensor in tensors[:_MOST_LISTED]]
    if len(tensors) > _MOST_LISTED:
        words[-1] = "…"
    text = words[0]
    for word in words[1:-1]:
        text = _("{words}, {word}", words=text, word=word)
    return _("{first} and {last}", first=text, last=words[-1]) if len(words) > 1 else text


def sizes_in(text: str) -> Shape:
    """The numbers in a piece of a message: `4, 3, -1`, `3 x 3`."""
    return tuple(int(size) for size in re.findall(r"-?\d+", text))


def broadcast(first: Shape, second: Shape) -> Shape | None:
    """The shape that two shapes give element by element; None where they do not go together."""
    width = max(len(first), len(second))
    wide = []
    for a, b in zip((1,) * (width - len(first)) + first, (1,) * (width - len(second)) + second, strict=True):
        if a != b and 1 not in (a, b):
            return None
        wide.append(b if a == 1 else a)
    return tuple(wide)


def transposed(given: Given) -> str:
    """`x.T`; `x.transpose(1, 2)` of one with more dimensions."""
    source, count = enclosed(given.source), len(given.tensor.shape)
    return f"{source}.T" if count == 2 else f"{source}.transpose({count - 2}, {count - 1})"


# ---------------------------------------------------------------- what the code computes with


def expression(scene: FailureContext) -> ast.expr | None:
    """The code that failed, where it is an expression."""
    body = list(ast.iter_child_nodes(scene.tree))
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None


def called(scene: FailureContext) -> ast.Call | None:
    """The call that failed; of a statement, the outermost in it."""
    failing = expression(scene)
    if failing is not None:
        return failing if isinstance(failing, ast.Call) else None
    return next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call)), None)


def function(scene: FailureContext) -> str:
    """`cat` of `torch.cat([a, b])`, `view` of `x.view(2)`; empty where nothing is called."""
    call = called(scene)
    return "" if call is None else ast.unparse(call.func).rpartition(".")[2]


def argument(call: ast.Call, place: int, *names: str) -> ast.expr | None:
    """What a call is given at a place, or by one of these keywords."""
    if place < len(call.args):
        return call.args[place]
    return next((keyword.value for keyword in call.keywords if keyword.arg in names), None)


def receiver(scene: FailureContext, operands: Operands, *methods: str) -> Given | None:
    """The tensor that the failing call is given first: `x` of `x.view(2)` and of `torch.reshape(x, (2,))`."""
    call = called(scene)
    if call is None or (methods and function(scene) not in methods):
        return None
    if isinstance(call.func, ast.Attribute) and (given := meant(operands, [call.func.value])):
        return given[0]
    return next(iter(meant(operands, call.args[:1])), None) if _by_function(call) else None


def meant(operands: Operands, parts: Iterable[ast.expr]) -> list[Given]:
    """Those of these parts of the code that mean tensors."""
    held = [(ast.unparse(part), operands.meant_by(part)) for part in parts if not isinstance(part, ast.Constant)]
    return [Given(source, tensor) for source, tensor in held if tensor is not None]


def sides(scene: FailureContext, operands: Operands) -> list[Given]:
    """The tensors that the failing operation computes with, in the order in which they stand."""
    for node in ast.walk(scene.tree):
        if isinstance(node, ast.BinOp):
            return meant(operands, [node.left, node.right])
        if isinstance(node, ast.AugAssign):
            return meant(operands, [node.target, node.value])
        if isinstance(node, ast.Compare):
            return meant(operands, [node.left, *node.comparators])
        if isinstance(node, ast.Call):
            before = [node.func.value] if isinstance(node.func, ast.Attribute) else []
            return meant(operands, [*before, *node.args, *(keyword.value for keyword in node.keywords)])
    return []


def members(operands: Operands, node: ast.expr | None) -> list[Given]:
    """The tensors of a list that the code gives: each of `[a, b]`, or `xs[0]`, `xs[1]` of `xs`; all of them or none."""
    if isinstance(node, (ast.List, ast.Tuple)):
        given = meant(operands, node.elts)
        return given if len(given) == len(node.elts) else []
    source = "" if node is None else ast.unparse(node)
    found: list[Given] = []
    while (tensor := operands.tensor(f"{source}[{len(found)}]")) is not None:
        found.append(Given(f"{source}[{len(found)}]", tensor))
    return found


# ---------------------------------------------------------------- the layer in which it failed


@dataclass(frozen=True)
class Layer:
    """A module with a parameter of which the message speaks."""

    name: str
    weight: TensorState


def layer_with(operands: Operands, shape: Shape, suffix: str = ".weight") -> Layer | None:
    """The layer, of those that the code calls, whose parameter has this shape, if it is one only."""
    fitting = [one for one in operands.parameters() if one.source.endswith(suffix) and one.tensor.shape == shape]
    if len(fitting) != 1:
        return None
    return Layer(fitting[0].source.removesuffix(suffix), fitting[0].tensor)


def inside(scene: FailureContext, operands: Operands) -> list[tuple[int, Op]]:
    """The operations of the failing statement before it failed, the last one first."""
    return list(takewhile(lambda found: found[0] > operands.begin, scene.operations()))


def input_of(
    scene: FailureContext, operands: Operands, layer: Layer | None, shape: Shape | None = None
) -> Given | None:
    """The tensor that the code gives to the failing layer itself, if it has the shape of which the message speaks."""
    call = called(scene)
    given = [] if call is None else meant(operands, call.args[:1])
    if (
        call is None
        or not given
        or not (_by_function(call) or (layer is not None and ast.unparse(call.func) == layer.name))
    ):
        return None
    own = given[0].tensor.shape
    return given[0] if shape is None or own == shape or (1, *own) == shape else None


def _by_function(call: ast.Call) -> bool:
    """Whether it calls a function of torch, or a layer where it is made: `nn.Conv2d(1, 2, 3)(x)`."""
    inner = call.func.func if isinstance(call.func, ast.Call) else call.func
    source = ast.unparse(inner)
    return source.startswith(("F.", "nn.", "torch.")) and not source.endswith("Sequential")


def said_of_input(given: Given | None, shape: Shape) -> str:
    """`x has shape [2, 3]`, or that of an input without a name."""
    if given is None or len(given.source) > _LONGEST:
        return _("its input has shape {shape}", shape=shape_text(shape if given is None else given.tensor.shape))
    return _("{name} has shape {shape}", name=given.source, shape=shape_text(given.tensor.shape))


def flattened(given: Given, start: int = 1) -> tuple[str, Shape]:
    """`x.flatten(1)` and its shape."""
    shape = given.tensor.shape
    return f"{enclosed(given.source)}.flatten({start})", (*shape[:start], prod(shape[start:]))
