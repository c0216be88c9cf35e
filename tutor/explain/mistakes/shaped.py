"""The tensors in the code of a failure with their shapes, and the layer in whose forward it came."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import prod

from tutor.explain.mistakes.given import Given, Operands, enclosed
from tutor.explain.mistakes.scene import FailureContext
from tutor.explain.rules import shape_text
from tutor.i18n import _
from tutor.trace.events import Op
from tutor.trace.state import TensorState

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
