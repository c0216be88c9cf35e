"""What a step changed, a line for each name."""

from __future__ import annotations

from collections.abc import Iterator

from tutor.explain.formatting import value
from tutor.i18n import _
from tutor.trace.names import aliases_of, names_of
from tutor.trace.operands import op_output
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline

_MOST = 8


def changed(timeline: Timeline, step: int) -> list[str]:
    """`w.grad: None → 5.0`, for what has a name here; an operation's own result is in its line already."""
    before, after = timeline.state(step - 1), timeline.state(step)
    told = op_output(timeline, step)
    found = [text for name, text in _differences(before, after) if name != told]
    return found if len(found) <= _MOST else [*found[:_MOST], _("and {count:,} more", count=len(found) - _MOST)]


def _differences(before: State, after: State) -> Iterator[tuple[str, str]]:
    old_names, new_names = names_of(before), names_of(after)
    if before.frames and after.frames and before.frames[-1].frame != after.frames[-1].frame:
        return  # another function: all its names are new
    rows = aliases_of(after)
    for name, serial in new_names.items():
        new = after.tensors[serial]
        old = before.tensors.get(old_names.get(name, 0))
        if name not in rows and (old is not None or not name.isidentifier()):
            continue  # another name of what is told already
        if old is None:
            yield name, f"{name} = {value(new.value, new.dtype)}"
        elif old is not new and old.value != new.value:
            yield name, f"{name}: {value(old.value, old.dtype)} → {value(new.value, new.dtype)}"
        if old is not None:
            was, now = _grad(before, old), _grad(after, new)
            if was != now:
                yield f"{name}.grad", f"{name}.grad: {was} → {now}"


def _grad(state: State, tensor: TensorState) -> str:
    held = None if tensor.grad is None else state.tensors.get(tensor.grad)
    return "None" if held is None else value(held.value, held.dtype)
