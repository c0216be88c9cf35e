"""Pieces of the learner's source as operands: is it a number, does it need parentheses.

What a simple expression of the learner's is worth at a point: `w.grad.item()` in prose, `w` in a question.

Where an answer came from: the step of the run at which the value that a question asks for came to be."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Any

from tutor.i18n import _
from tutor.trace.events import Answer
from tutor.trace.names import names_of
from tutor.trace.navigation import PlaceError, resolve
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import number, short

_ATOMS = (ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.List, ast.Tuple)


@lru_cache(maxsize=2048)
def literal(text: str | None) -> bool | int | float | None:
    """The number that a piece of source says, if it is one."""
    try:
        found = ast.literal_eval((text or "").strip())
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, (bool, int, float)) else None


@lru_cache(maxsize=2048)
def enclosed(text: str) -> str:
    """The source in parentheses, unless it binds as tightly as a name."""
    if text.isidentifier() or text.startswith("%") or text == "?":
        return text
    try:
        tree = ast.parse(text.removesuffix("ᵀ").replace("…", "_"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text if text.startswith("(") and _closes_at_end(text) else f"({text})"
    return text if isinstance(tree, _ATOMS) else f"({text})"


def _closes_at_end(text: str) -> bool:
    """Whether the parenthesis that a text begins with is closed by its last character."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            return place == len(text) - 1
    return False


def old(name: str) -> str:
    """What to call what a tensor held before it was changed in place."""
    return _("(old {name})", name=name)


def renewed(name: str) -> str:
    """The name that `old` was given."""
    before, _blank, after = _("(old {name})").partition("{name}")
    return name.removeprefix(before).removesuffix(after) if name.startswith(before) else name


_SIMPLE = re.compile(
    r"(?P<name>.+?)(?P<grad>\.grad)?"
    r"(?P<last>\.(?:item\(\)|tolist\(\)|shape|dtype|device|requires_grad|is_leaf|data))?"
)
_WIDTH = 60


def live(state: State, expression: str) -> str | None:
    """The expression's value; None where it has none here, or is not simple."""
    match = _SIMPLE.fullmatch(expression.strip())
    if match is None:
        return None
    tensor, plain = find(state, match["name"])
    if tensor is None:
        if plain is None or match["grad"] or match["last"]:
            return None
        return number(plain, whole="")
    if match["grad"]:
        tensor = None if tensor.grad is None else state.tensors.get(tensor.grad)
        if tensor is None:
            return None if match["last"] else "None"
    return _part(tensor, (match["last"] or "").lstrip("."))


def _part(tensor: TensorState, part: str) -> str:
    said = {
        "shape": str(list(tensor.shape)),
        "dtype": f"torch.{tensor.dtype}",
        "device": tensor.device,
        "requires_grad": str(tensor.requires_grad),
        "is_leaf": str(tensor.is_leaf),
    }.get(part)
    if said is not None:
        return said
    return short(tensor.value, tensor.dtype, _WIDTH).removesuffix(".")


def find(state: State, name: str) -> tuple[TensorState | None, Any]:
    """What a name means in the innermost frame, or in the module: a tensor, or a plain value."""
    for frame in (state.frames[-1], state.frames[0]) if state.frames else ():
        tensor = names_of(state, frame).get(name)
        if tensor is not None:
            return state.tensors[tensor], None
        binding = frame.names.get(name)
        if binding is not None and binding.what == "value":
            return None, binding.value
    return None, None


_REACH = 400
"""So many steps back it is looked for."""
_NAMES = re.compile(r"[A-Za-z_]\w*(?:\.\w+\b(?!\()|\[[^\]]*\])*(?:\.(?:item|tolist)\(\))?")


def came_at(timeline: Timeline, expression: str, step: int) -> int | None:
    """The step at which the things that an expression speaks of got the values that they have after `step`: the last
    that changed one of them. None where that is not to be told: nothing is known of them, they had their values before
    the cell, or all too long."""
    known = timeline.state(step)
    names = [name for name in dict.fromkeys(_NAMES.findall(expression)) if live(known, name) is not None]
    cell = timeline.cell(step)
    start = next((info.start for info in timeline.cells if info.cell == cell), 0)
    values = [live(known, name) for name in names]
    for at in range(step, max(start, step - _REACH), -1):
        before = timeline.state(at - 1)
        if [live(before, name) for name in names] != values:
            return at
    return None


def ran_at(timeline: Timeline, answer: Answer) -> int | None:
    """Of a question "which line?": the last step of the statement's run that made the condition true."""
    try:
        return resolve(timeline, f"line:{answer.value}#{answer.count}")
    except PlaceError:  # it was cut short, or is not in the recording
        return None
