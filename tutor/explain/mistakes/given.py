"""What the code that failed was given: which tensors its parts mean, and where each of them came from."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from tutor.explain.mistakes.scene import FailureContext, parsed
from tutor.i18n import _
from tutor.trace.events import Line, Op
from tutor.trace.names import names_of
from tutor.trace.operands import op_output
from tutor.trace.state import State, TensorState

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
