"""A difference of a column and a row that is meant element by element, and spreads to all pairs."""

from __future__ import annotations

import ast
import re

from tutor.explain.grid import Shape, broadcast_shape, count
from tutor.explain.rules import shape_text
from tutor.i18n import _
from tutor.trace.events import Op
from tutor.trace.operands import op_texts
from tutor.trace.source import parse
from tutor.trace.state import TensorState
from tutor.trace.timeline import Timeline

_DIFFERENCES = ("sub", "rsub", "subtract")
_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
_SAME_SHAPE = ("pow", "square", "abs", "sqrt", "mul", "rmul", "div", "truediv", "neg", "clamp", "exp", "log", "cosh",
               "add", "radd", "where", "float", "double", "pow_", "abs_", "square_", "absolute")  # fmt: skip
_REDUCTIONS = ("mean", "sum", "norm", "nanmean", "median", "linalg_norm", "vector_norm")
_ON_PURPOSE = re.compile(r"None|unsqueeze|newaxis|view|reshape|expand|cdist")
_FARTHEST = 60
"""So many steps on, the loss is looked for."""


def spread(timeline: Timeline, step: int) -> str | None:
    """At a difference, or at a loss: that it pairs each prediction with each target."""
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if not isinstance(event, Op) or site is None or site.depth:
        return None
    kind = (site.op or "").strip("_")
    if kind not in (*_DIFFERENCES, *_LOSSES):
        return None
    tensors = timeline.state(step - 1).tensors
    sides = [tensors[number] for number in event.inputs[:2] if number in tensors]
    if len(sides) != 2 or not _pairs(sides[0].shape, sides[1].shape):
        return None
    if kind in _DIFFERENCES and (_on_purpose(timeline, step, event, sides) or not _feeds_a_loss(timeline, step, event)):
        return None
    texts = op_texts(timeline, step)
    if texts is None:  # of `nn.MSELoss()(a, b)`
        return _says(sides, _arguments(timeline.view(step).code))
    names = [text for number, text in zip(event.inputs, texts, strict=False) if number in tensors]
    return _says(sides, names if len(names) == 2 else None)


def _arguments(code: str | None) -> list[str] | None:
    """The two that the call of a loss is given."""
    tree = parse((code or "").strip())
    body = tree.body if isinstance(tree, ast.Module) else []
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not isinstance(call, ast.Call) or len(call.args) != 2 or call.keywords:
        return None
    return [ast.unparse(one) for one in call.args]


def _pairs(a: Shape, b: Shape) -> bool:
    """Whether the one is a column of the other's elements, [3, 1] and [3], so that together they are [3, 3]."""
    flat, column = sorted((a, b), key=len)
    if column != (*flat, 1) or not flat:
        return False
    try:
        return count(broadcast_shape(a, b)) > max(count(a), count(b))
    except ValueError:
        return False


def _on_purpose(timeline: Timeline, step: int, event: Op, sides: list[TensorState]) -> bool:
    """Whether the code shows that all pairs are meant: `x[:, None] - x`."""
    if any(_ON_PURPOSE.search(text) for text in op_texts(timeline, step) or [timeline.view(step).code or ""]):
        return True
    numbers = {side.tensor for side in sides}
    return any(bool(_made_of(timeline, step, side.tensor) & (numbers - {side.tensor})) for side in sides)


def _made_of(timeline: Timeline, step: int, tensor: int) -> set[int]:
    """What the operation that made a tensor was given, where it ran a little before."""
    for earlier in range(step - 1, max(step - _FARTHEST, 0), -1):
        event = timeline.event(earlier)
        if isinstance(event, Op) and tensor in event.outputs:
            return {number for number in event.inputs if number is not None}
    return set()


def _feeds_a_loss(timeline: Timeline, step: int, event: Op) -> bool:
    """Whether the numbers are only squared, weighted and the like, and then made one."""
    held = set(event.outputs)
    for later in range(step + 1, min(step + _FARTHEST, timeline.steps) + 1):
        after = timeline.event(later)
        site = timeline.sites.get(after.site) if isinstance(after, Op) else None
        if not isinstance(after, Op) or site is None or site.depth or not held.intersection(after.inputs):
            continue
        kind = (site.op or "").strip("_")
        tensors = timeline.state(later).tensors
        single = any(number in tensors and tensors[number].shape == () for number in after.outputs)
        if kind in _REDUCTIONS and single:
            return True
        if kind in _SAME_SHAPE:
            held.update(after.outputs)
    return False


def _says(sides: list[TensorState], names: list[str] | None) -> str:
    first, second = (side.shape for side in sides)
    said = {
        "first": shape_text(first), "second": shape_text(second), "wide": shape_text(broadcast_shape(first, second)),
    }  # fmt: skip
    flat = 0 if len(first) < len(second) else 1
    if names is None:
        return _(
            "{first} meets {second} and gives {wide}: each prediction is compared with each target, not with its own",
            **said,
        )  # fmt: skip
    dim = len(sides[flat].shape)
    fixes = (f"{_callable(names[flat])}.unsqueeze({dim})", f"{_callable(names[1 - flat])}.squeeze({dim})")
    return _(
        "{first} meets {second} and gives {wide}: each prediction is compared with each target, not with its own; "
        "write {unsqueezed} or {squeezed}", unsqueezed=fixes[0], squeezed=fixes[1], **said,
    )  # fmt: skip


def _callable(text: str) -> str:
    """The text as a method can be called on it."""
    plain = re.fullmatch(r"[\w.]+(?:\([^()]*\)|\[[^\[\]]*\])*", text) is not None
    return text if plain else f"({text})"
