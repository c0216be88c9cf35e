"""Which names are in scope at a point, and what they mean.

A name counts from the step at which it is bound until its frame is gone. A tensor that no name in scope means is called
by the name under which the code that made it kept it (`TensorState.first_name`) or by its place in what held it, as the
nodes of a graph outlive the function that made them; an argument or a loop's variable of a function that is over is no
name of anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tutor.trace.state import FrameState, State, TensorState

MODULE = 1
_INDEX = re.compile(r"\[-?\d+\]")
PARAMETER = "Parameter"


def names_of(state: State, frame: FrameState | int | None = None) -> dict[str, int]:
    """What one would type in a frame (by default the innermost) for a tensor: `w`, `model.fc1.weight`, `params[0]`."""
    scope = _frame(state, frame)
    names: dict[str, int] = {}
    for name, binding in scope.names.items() if scope is not None else ():
        if binding.what == "tensor":
            if binding.ref in state.tensors:
                names[name] = binding.ref
        elif binding.what == "group":
            for suffix, tensor in state.groups.get(binding.ref, ()):
                if tensor in state.tensors:
                    names[name + suffix] = tensor
    return names


def aliases_of(state: State, frame: FrameState | int | None = None) -> dict[str, list[str]]:
    """The names in a frame of which each means another tensor, with the other names of the same tensor there."""
    by_tensor: dict[int, list[str]] = {}
    for name, number in names_of(state, frame).items():
        by_tensor.setdefault(number, []).append(name)
    found = {}
    for number, names in by_tensor.items():
        best = best_name(names, state.tensors[number].class_name)
        found[best] = [name for name in names if name != best]
    return found


def best_name(names: Iterable[str], class_name: str) -> str:
    """Of several names for one tensor, in the order in which they were bound, the one to call it by.

    That is the first plain name; else the shortest path, one by a number last (`box.loss`, then `losses[3]`). A
    parameter is rather called by its module's path than by a loop's variable: `model.fc.weight`, not `p`.
    """
    parameter = class_name == PARAMETER

    def rank(place: int, name: str) -> tuple[int, int, int]:
        if name.isidentifier():
            return (1 if parameter else 0), 0, place
        by_path = "." in name.partition("[")[0] or (parameter and "." in name)
        return (0 if parameter and by_path else 3 if is_indexed(name) else 2), len(name), place

    return min(enumerate(names), key=lambda item: rank(*item))[1]


def is_indexed(name: str) -> bool:
    """Whether a name goes by a number in a list: `losses[3]`."""
    return _INDEX.search(name) is not None


def name_of(state: State, tensor: int, source_hint: str | None = None) -> str | None:
    """The best name for a tensor: the hint if it means that, else one in scope (the innermost frame's, the module's,
    those of the frames around), else the one that it was made under."""
    known = state.tensors.get(tensor)
    kind = "" if known is None else known.class_name
    for frame in scopes(state):
        name = _name_in(state, frame, tensor, source_hint, kind)
        if name is not None:
            return name
    return None if known is None else lasting_name(state, known) or _grad_name(state, tensor)


def tensor_name(state: State, tensor: int) -> str:
    """The best name for a tensor, else its number: `w`, `%7`."""
    return name_of(state, tensor) or placeholder_name(tensor)


def placeholder_name(tensor: int) -> str:
    """What a tensor without a name is called where nothing else will do: `%7`."""
    return f"%{tensor}"


def names_by_tensor(state: State) -> dict[int, str]:
    """What `name_of` gives for all tensors that a name in scope means."""
    found: dict[int, str] = {}
    for frame in scopes(state):
        several: dict[int, list[str]] = {}
        for name, number in names_of(state, frame).items():
            if number not in found:
                several.setdefault(number, []).append(name)
        for number, names in several.items():
            found[number] = best_name(names, state.tensors[number].class_name)
    return found


def lasting_name(state: State, tensor: TensorState) -> str | None:
    """What to call a tensor that no name in scope means: its last name while the frame that gave it is there, else the
    name that it was made under, else its place in a module or a list: a graph is looked at after `main()` has ended."""
    label = tensor.label
    if label is not None and is_alive(state, tensor.label_frame):
        return label
    return tensor.first_name or (label if label is not None and not label.isidentifier() else None)


def is_alive(state: State, frame: int) -> bool:
    """Whether a frame is on the stack, or is a generator's that goes on later."""
    return frame <= MODULE or frame in state.suspended or any(held.frame == frame for held in state.frames)


def scopes(state: State) -> list[FrameState]:
    """The frames in which a name is looked for, in this order: the innermost, the module's, those around."""
    if not state.frames:
        return []
    innermost, around = state.frames[-1], state.frames[:-1]
    module = [frame for frame in around if frame.frame == MODULE]
    return [innermost, *module, *(frame for frame in reversed(around) if frame.frame != MODULE)]


def _name_in(state: State, frame: FrameState, tensor: int, hint: str | None, kind: str) -> str | None:
    found: list[str] = []
    for name, binding in frame.names.items():
        if binding.what == "tensor" and binding.ref == tensor:
            if name == hint:
                return name
            found.append(name)
        elif binding.what == "group":
            for suffix, item in state.groups.get(binding.ref, ()):
                if item == tensor:
                    if name + suffix == hint:
                        return hint
                    found.append(name + suffix)
    return best_name(found, kind) if found else None


def _grad_name(state: State, tensor: int) -> str | None:
    """`w.grad`, for the tensor that stands there."""
    owner = state.tensors.get(state.grad_of.get(tensor, 0))
    if owner is None or owner.grad != tensor:
        return None
    named = (_name_in(state, frame, owner.tensor, None, owner.class_name) for frame in scopes(state))
    name = next((name for name in named if name is not None), None) or lasting_name(state, owner)
    return None if name is None else name + ".grad"


def _frame(state: State, frame: FrameState | int | None) -> FrameState | None:
    if isinstance(frame, FrameState):
        return frame
    if frame is None:
        return state.frames[-1] if state.frames else None
    return next((held for held in state.frames if held.frame == frame), None)
