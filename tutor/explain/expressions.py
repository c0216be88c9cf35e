"""Read and evaluate simple expressions of the learner's code: `2.0`, `w`, `w.grad.item()`.

Also where the value of one came from: the step that last changed it.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Any

from tutor.i18n import _
from tutor.trace.events import Answer
from tutor.trace.names import names_of
from tutor.trace.navigation import PlaceError, resolve
from tutor.trace.number_format import inline, number
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline

_ATOMS = (ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.List, ast.Tuple)


@lru_cache(maxsize=2048)
def literal(text: str | None) -> bool | int | float | None:
    """Return the number that a piece of source is; None if it is none."""
    try:
        value = ast.literal_eval((text or "").strip())
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, (bool, int, float)) else None


@lru_cache(maxsize=2048)
def enclosed(text: str) -> str:
    """Put source in parentheses, unless it binds as tightly as a name."""
    if text.isidentifier() or text.startswith("%") or text == "?" or _closes_at_end(text.removesuffix("ᵀ")):
        return text
    try:
        tree = ast.parse(text.removesuffix("ᵀ").replace("…", "_"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return f"({text})"
    return text if isinstance(tree, _ATOMS) else f"({text})"


def opened(text: str) -> str:
    """Remove parentheses around all of a text: `grad(a + b)`, not `grad((a + b))`."""
    return text[1:-1] if _closes_at_end(text) else text


def undoubled(text: str) -> str:
    """Remove parentheses that stand directly within others, as names in a formula have: `softmax((a + b))`. Those of a
    tuple, `f((1, 2))`, stay."""
    if "((" not in text:
        return text
    closing, commas, waiting = dict[int, int](), set[int](), list[int]()
    for position, character in enumerate(text):
        if character in "([{":
            waiting.append(position)
        elif character in ")]}" and waiting:
            closing[waiting.pop()] = position
        elif character == "," and waiting:
            commas.add(waiting[-1])
    doubled = {
        position
        for start, end in closing.items()
        if text[start] == "(" and closing.get(start - 1) == end + 1 and text[start - 1] == "(" and start not in commas
        for position in (start, end)
    }
    return "".join(character for position, character in enumerate(text) if position not in doubled)


def _closes_at_end(text: str) -> bool:
    """Return whether text is in parentheses: the first character opens one that the last character closes."""
    if not text.startswith("("):
        return False
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if not depth:
            return position == len(text) - 1
    return False


def old_name(name: str) -> str:
    """Return a name for what a tensor held before it was changed in place."""
    return _("(old {name})", name=name)


def current_name(name: str) -> str:
    """Undo `old_name`."""
    before, _blank, after = _("(old {name})").partition("{name}")
    return name.removeprefix(before).removesuffix(after) if name.startswith(before) else name


# ---------------------------------------------------------------- values of expressions

_EXPRESSION = re.compile(
    r"(?P<name>.+?)(?P<grad>\.grad)?"
    r"(?P<last>\.(?:item\(\)|tolist\(\)|shape|dtype|device|requires_grad|is_leaf|data))?"
)


def evaluate(state: State, expression: str) -> str | None:
    """Return the value of an expression; None where it has none here, or is not simple."""
    match = _EXPRESSION.fullmatch(expression.strip())
    if match is None:
        return None
    tensor, plain = look_up(state, match["name"])
    if tensor is None:
        if plain is None or match["grad"] or match["last"]:
            return None
        return number(plain)
    if match["grad"]:
        tensor = None if tensor.grad is None else state.tensors.get(tensor.grad)
        if tensor is None:
            return None if match["last"] else "None"
    return _evaluate_attribute(tensor, (match["last"] or "").lstrip("."))


def _evaluate_attribute(tensor: TensorState, attribute: str) -> str:
    """Return an attribute of a tensor as text (a shape as a list, as answers are typed); without one, its value."""
    text = {
        "shape": str(list(tensor.shape)),
        "dtype": f"torch.{tensor.dtype}",
        "device": tensor.device,
        "requires_grad": str(tensor.requires_grad),
        "is_leaf": str(tensor.is_leaf),
    }.get(attribute)
    if text is not None:
        return text
    return inline(tensor.value, tensor.dtype)


def look_up(state: State, name: str) -> tuple[TensorState | None, Any]:
    """Return what a name means in the innermost frame, or in the module: a tensor, or a plain value; None and None for
    nothing."""
    for frame in (state.frames[-1], state.frames[0]) if state.frames else ():
        tensor = names_of(state, frame).get(name)
        if tensor is not None:
            return state.tensors[tensor], None
        binding = frame.names.get(name)
        if binding is not None and binding.what == "value":
            return None, binding.value
    return None, None


# ---------------------------------------------------------------- where a value came from

_MOST_STEPS_BACK = 400
"""Most steps that are searched back."""
_NAME_PATTERN = re.compile(r"[A-Za-z_]\w*(?:\.\w+\b(?!\()|\[[^\]]*\])*(?:\.(?:item|tolist)\(\))?")


def last_change_step(timeline: Timeline, expression: str, step: int) -> int | None:
    """Return the step at which the tensors and values in an expression got their values; None where that is unknown.

    It is unknown where no name in it has a value, where they had their values before the cell began, and where the
    change is too far back.
    """
    state = timeline.state(step)
    names = [name for name in dict.fromkeys(_NAME_PATTERN.findall(expression)) if evaluate(state, name) is not None]
    cell = timeline.cell(step)
    cell_start = next((info.start for info in timeline.cells if info.cell == cell), 0)
    values = [evaluate(state, name) for name in names]
    for earlier in range(step, max(cell_start, step - _MOST_STEPS_BACK), -1):
        before = timeline.state(earlier - 1)
        if [evaluate(before, name) for name in names] != values:
            return earlier
    return None


def answering_step(timeline: Timeline, answer: Answer) -> int | None:
    """Return the last step of the statement that made the condition of a "which line?" question true; None where it was
    not recorded."""
    try:
        return resolve(timeline, f"line:{answer.value}#{answer.count}")
    except PlaceError:  # it was cut short, or is not in the recording
        return None
