"""Names of the tensors in which optimizers keep their state: `exp_avg of model.fc.weight`.

They hold from the tensor's creation on, which is before the end of the step that puts it into the optimizer's state.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from tutor.i18n import _
from tutor.trace.events import OptimizerState
from tutor.trace.names import name_of
from tutor.trace.state import State
from tutor.trace.timeline import Timeline


class _Tensors:
    """The tensors of all optimizers' states in a recording, as far as it has been read."""

    def __init__(self) -> None:
        self.read = 0
        """Number of side events that were read."""
        self.by_number: dict[int, tuple[int, str]] = {}


_tensors: WeakKeyDictionary[Timeline, _Tensors] = WeakKeyDictionary()


def optimizer_tensor(timeline: Timeline, tensor: int) -> tuple[int, str] | None:
    """Return the parameter for which an optimizer keeps a tensor, and its name there: `exp_avg`; None for others."""
    side_events = timeline.contents.side_events
    if not side_events:
        return None
    tensors = _tensors.get(timeline)
    if tensors is None:
        tensors = _tensors[timeline] = _Tensors()
    for index in range(tensors.read, len(side_events)):
        event = side_events[index].event
        if isinstance(event, OptimizerState):
            for parameter, numbers in event.tensors:
                tensors.by_number.update((number, (parameter, name)) for name, number in numbers.items())
    tensors.read = len(side_events)
    return tensors.by_number.get(tensor)


def name_in(timeline: Timeline, state: State, tensor: int) -> str | None:
    """Return the name of a tensor: the learner's, else that in an optimizer's state, else None."""
    name = name_of(state, tensor)
    place = optimizer_tensor(timeline, tensor) if name is None else None
    if place is None:
        return name
    parameter, key = place
    return _("{name} of {tensor}", name=key, tensor=name_of(state, parameter) or _("a leaf without a name"))
