"""Which names are in scope at a point, and what they mean."""

from __future__ import annotations

from tutor.trace.state import FrameState, State

MODULE = 1


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


def name_of(state: State, tensor: int, source_hint: str | None = None) -> str | None:
    """The best name for a tensor: the hint if it means that, else one in scope, else the module's, else its last."""
    innermost = state.frames[-1] if state.frames else None
    for frame in _scopes(state, innermost):
        name = _name_in(state, frame, tensor, source_hint)
        if name is not None:
            return name
    known = state.tensors.get(tensor)
    return None if known is None else known.label or _grad_name(state, tensor)


def _scopes(state: State, innermost: FrameState | None) -> list[FrameState]:
    scopes = [] if innermost is None else [innermost]
    return scopes + [frame for frame in state.frames if frame.frame == MODULE and frame is not innermost]


def _name_in(state: State, frame: FrameState, tensor: int, hint: str | None) -> str | None:
    """The hint, else a name of its own, else one by way of a group; short ones first, then the earlier bound."""
    plain: str | None = None
    held: str | None = None
    for name, binding in frame.names.items():
        if binding.what == "tensor" and binding.ref == tensor:
            if name == hint:
                return name
            plain = plain or name
        elif binding.what == "group" and (plain is None or (hint is not None and hint.startswith(name))):
            for suffix, item in state.groups.get(binding.ref, ()):
                if item == tensor:
                    if name + suffix == hint:
                        return hint
                    held = held or name + suffix
                    break
    return plain or held


def _grad_name(state: State, tensor: int) -> str | None:
    """`w.grad`, for the tensor that stands there."""
    owner = state.tensors.get(state.grad_of.get(tensor, 0))
    if owner is None or owner.grad != tensor:
        return None
    innermost = state.frames[-1] if state.frames else None
    named = (_name_in(state, frame, owner.tensor, None) for frame in _scopes(state, innermost))
    name = next((name for name in named if name is not None), owner.label)
    return None if name is None else name + ".grad"


def _frame(state: State, frame: FrameState | int | None) -> FrameState | None:
    if isinstance(frame, FrameState):
        return frame
    if frame is None:
        return state.frames[-1] if state.frames else None
    return next((one for one in state.frames if one.frame == frame), None)
