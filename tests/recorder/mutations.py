"""Errors to put into the recorder, in the fork that records: `recording_server.py` runs this file and calls one.

Most change the events on their way to the pipe, as if the part that made them were wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec.structs import replace

from tutor.recorder import autograd_graph, event_writer
from tutor.recorder.event_writer import wire_tuple
from tutor.trace import events as ev
from tutor.trace import wire

_Kind = TypeVar("_Kind", bound=ev.Event)


def swap_gradients_of_nodes() -> None:
    """Swap the gradients that a node sends to its inputs, in its hook."""

    def swapped(hook: Any, grad_inputs: Any, grad_outputs: Any) -> None:
        hook.graph.ran(hook.serial, grad_inputs[::-1], grad_outputs)

    autograd_graph._Hook.__call__ = swapped  # type: ignore[method-assign, assignment]


def swap_gradients_of_leaves() -> None:
    """Say of two leaves that are written to one after the other that each has got the gradient of the other."""

    def swap(events: list[Any]) -> list[Any]:
        places = [place for place, event in enumerate(events) if isinstance(event, ev.Accumulate)]
        for first, second in zip(places[::2], places[1::2], strict=False):
            left, right = events[first], events[second]
            events[first], events[second] = replace(left, tensor=right.tensor), replace(right, tensor=left.tensor)
        return events

    _change_all(swap)


def forget_what_was_accumulated() -> None:
    """Let a second gradient of a leaf replace the first."""
    _change(ev.Accumulate, lambda event: replace(event, new=event.incoming))


def keep_values_of_before() -> None:
    """Give each snapshot the value of the one before it of the same tensor."""
    values: dict[int, Any] = {}

    def late(event: ev.Snapshot) -> ev.Snapshot:
        value = values.get(event.tensor, event.value)
        values[event.tensor] = event.value
        return replace(event, value=value)

    _change(ev.Snapshot, late)


def swap_inputs_of_nodes() -> None:
    """Let the edges of a node lead to each other's nodes."""
    _change(ev.GraphNode, lambda event: replace(event, inputs=event.inputs[::-1]))


def swap_inputs_of_operations() -> None:
    """Send the inputs of an operation in the wrong order."""
    _change(ev.Op, lambda event: replace(event, inputs=event.inputs[::-1]))


def bind_after_the_next_line() -> None:
    """Record a name only when the next statement is about to run."""

    def late(events: list[Any]) -> list[Any]:
        for place in range(len(events) - 1):
            if isinstance(events[place], ev.Bind) and isinstance(events[place + 1], ev.Line):
                events[place], events[place + 1] = events[place + 1], events[place]
        return events

    _change_all(late)


def forget_the_state_of_before() -> None:
    """Take an optimizer's state of after a step for that of before it."""

    def late(event: ev.OptimizerStep) -> ev.OptimizerStep:
        return replace(event, updates=[replace(update, state_before=update.state_after) for update in event.updates])

    _change(ev.OptimizerStep, late)


def count_iterations_from_0() -> None:
    """Count the iterations of a loop from 0."""
    _change(ev.Iteration, lambda event: replace(event, number=event.number - 1))


def _change(kind: type[_Kind], change: Callable[[_Kind], _Kind]) -> None:
    """Change each event of a kind."""
    _change_all(lambda events: [change(event) if isinstance(event, kind) else event for event in events])


def _change_all(change: Callable[[list[Any]], list[Any]]) -> None:
    """Change the events that are about to be written."""
    pack = wire.pack_all
    kinds = {kind.__struct_config__.tag: kind for kind in ev.EVENTS}

    def changed(batch: list[tuple[Any, ...]], steps: Any) -> Any:
        events = [kinds[tag](*fields) for tag, *fields in batch]
        return pack([wire_tuple(event) for event in change(events)], steps)

    vars(event_writer)["pack_all"] = changed
