"""The names of tensors in a state.

A name is valid from the step at which it is bound until its frame ends. A tensor without a name in scope is called by
its first name in the code that created it (`TensorState.first_name`) or by its place in a container, since the nodes of
a graph outlive the function that created them. Parameters and loop variables of a function that has ended do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tutor.trace.state import FrameState, State, TensorState

MODULE = 1
_INDEX = re.compile(r"\[-?\d+\]")
PARAMETER = "Parameter"


def names_of(state: State, frame: FrameState | int | None = None) -> dict[str, int]:
    """Return the names of all tensors in a frame (by default the innermost): `w`, `model.fc1.weight`, `params[0]`."""
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
    """Return, by the best name of each tensor in a frame, its other names there."""
    by_tensor: dict[int, list[str]] = {}
    for name, number in names_of(state, frame).items():
        by_tensor.setdefault(number, []).append(name)
    aliases = {}
    for number, names in by_tensor.items():
        best = best_name(names, state.tensors[number].class_name)
        aliases[best] = [name for name in names if name != best]
    return aliases


def best_name(names: Iterable[str], class_name: str) -> str:
    """Return the best of several names of a tensor, given in the order in which they were bound.

    That is the first variable, else the shortest path, preferably without an index (`box.loss` before `losses[3]`).
    For a parameter the path in its module comes before variables: `model.fc.weight`, not `p`.
    """
    parameter = class_name == PARAMETER

    def rank(place: int, name: str) -> tuple[int, int, int]:
        if name.isidentifier():
            return (1 if parameter else 0), 0, place
        by_path = "." in name.partition("[")[0] or (parameter and "." in name)
        return (0 if parameter and by_path else 3 if is_indexed(name) else 2), len(name), place

    return min(enumerate(names), key=lambda item: rank(*item))[1]


def is_indexed(name: str) -> bool:
    """Return whether a name contains an index, such as `losses[3]`."""
    return _INDEX.search(name) is not None


def name_of(state: State, tensor: int, source_hint: str | None = None) -> str | None:
    """Return the best name of a tensor, or None.

    That is `source_hint` if it refers to the tensor, else a name in scope (see `scopes` for the order), else
    `lasting_name`, else `w.grad`. A parameter keeps its path in the model, also within functions that use it.
    """
    tensor_state = state.tensors.get(tensor)
    class_name = "" if tensor_state is None else tensor_state.class_name
    for frame in state.frames if class_name == PARAMETER else scopes(state):
        name = _name_in(state, frame, tensor, source_hint, class_name)
        if name is not None:
            return name
    return None if tensor_state is None else lasting_name(state, tensor_state) or _grad_name(state, tensor)


def tensor_name(state: State, tensor: int) -> str:
    """Return the best name of a tensor, or its number: `w`, `%7`."""
    return name_of(state, tensor) or placeholder_name(tensor)


def placeholder_name(tensor: int) -> str:
    """Return the placeholder for a tensor without a name: `%7`."""
    return f"%{tensor}"


def names_by_tensor(state: State) -> dict[int, str]:
    """Return the best name of each tensor that has a name in scope, as `name_of` does."""
    best: dict[int, str] = {}
    by_frame = {frame.frame: names_of(state, frame) for frame in state.frames}
    for of_parameters, frames in ((True, state.frames), (False, scopes(state))):
        for frame in frames:
            candidates: dict[int, list[str]] = {}
            for name, number in by_frame[frame.frame].items():
                if number not in best and (state.tensors[number].class_name == PARAMETER) is of_parameters:
                    candidates.setdefault(number, []).append(name)
            for number, names in candidates.items():
                best[number] = best_name(names, state.tensors[number].class_name)
    return best


def lasting_name(state: State, tensor: TensorState) -> str | None:
    """Return the name of a tensor that has no name in scope, or None.

    That is its last name while the frame of that name exists, else its first name, else its last name if it is a path:
    a graph may be viewed after `main()` has ended.
    """
    label = tensor.label
    if label is not None and is_alive(state, tensor.label_frame):
        return label
    return tensor.first_name or (label if label is not None and not label.isidentifier() else None)


def is_alive(state: State, frame: int) -> bool:
    """Return whether a frame is on the stack or suspended."""
    return frame <= MODULE or frame in state.suspended or any(held.frame == frame for held in state.frames)


def scopes(state: State) -> list[FrameState]:
    """Return the frames to search for a name, in order: the innermost, the module's, the callers' inside out."""
    if not state.frames:
        return []
    innermost, around = state.frames[-1], state.frames[:-1]
    module = [frame for frame in around if frame.frame == MODULE]
    return [innermost, *module, *(frame for frame in reversed(around) if frame.frame != MODULE)]


def _name_in(state: State, frame: FrameState, tensor: int, hint: str | None, class_name: str) -> str | None:
    names: list[str] = []
    for name, binding in frame.names.items():
        if binding.what == "tensor" and binding.ref == tensor:
            if name == hint:
                return name
            names.append(name)
        elif binding.what == "group":
            for suffix, item in state.groups.get(binding.ref, ()):
                if item == tensor:
                    if name + suffix == hint:
                        return hint
                    names.append(name + suffix)
    return best_name(names, class_name) if names else None


def _grad_name(state: State, tensor: int) -> str | None:
    """Return `w.grad` for the tensor in the `.grad` of `w`; None if it is in no `.grad`."""
    owner = state.tensors.get(state.grad_of.get(tensor, 0))
    if owner is None or owner.grad != tensor:
        return None
    owner_names = (_name_in(state, frame, owner.tensor, None, owner.class_name) for frame in scopes(state))
    name = next((name for name in owner_names if name is not None), None) or lasting_name(state, owner)
    return None if name is None else name + ".grad"


def _frame(state: State, frame: FrameState | int | None) -> FrameState | None:
    if isinstance(frame, FrameState):
        return frame
    if frame is None:
        return state.frames[-1] if state.frames else None
    return next((held for held in state.frames if held.frame == frame), None)
