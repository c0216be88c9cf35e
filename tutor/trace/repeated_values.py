"""Values that a frame has more than once: written once, and `{"ref": number}` where they come again.

A value is the output of an operation, what its node is sent and sends on, and what an optimizer begins with. The number
is that of the value among those of the frame that are dicts and no references, in order, from 0. Lists of a few numbers
are written each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tutor.trace import events as ev

_FIELDS: dict[type[ev.Event], tuple[int, ...]] = {
    ev.Snapshot: (6,), ev.Node: (1, 2), ev.Accumulate: (3, 4), ev.Captured: (2,), ev.Retained: (2,), ev.HookRan: (2, 3),
    ev.Backward: (7,), ev.OptimizerStep: (4,),
}  # fmt: skip
"""By type of event: the positions of the fields that have values or lists of values."""
_encode = msgspec.msgpack.Encoder().encode


def encode(events: Sequence[ev.Event]) -> bytes:
    """Return events as a msgpack list, each value written once."""
    numbers: dict[bytes, int] = {}

    def shared(value: Any) -> Any:
        if type(value) is dict:
            encoded = _encode(value)
            number = numbers.get(encoded)
            if number is None:
                numbers[encoded] = len(numbers)
                return msgspec.Raw(encoded)
            return {"ref": number}
        if type(value) is list:
            return [item if type(item) is float else shared(item) for item in value]
        if type(value) is ev.Update:
            fields = map(shared, (value.before, value.grad, value.after))
            states = ({name: shared(item) for name, item in state.items()}
                      for state in (value.state_before, value.state_after))  # fmt: skip
            return value.tensor, value.group, *fields, *states
        return value

    items: list[Any] = []
    for event in events:
        places = _FIELDS.get(type(event))
        if places is not None:
            fields = list(msgspec.structs.astuple(event))
            for place in places:
                fields[place] = shared(fields[place])
            items.append((event.__struct_config__.tag, *fields))
        else:
            items.append(event)
    return _encode(items)


def resolve(events: Sequence[ev.Event]) -> int:
    """Put the values in the place of references to them; return how many bytes they take there."""
    values: list[tuple[dict[str, Any], int]] = []
    size = 0
    for event in events:
        places = _FIELDS.get(type(event))
        for value in _dicts_in(event, places) if places is not None else ():
            number = value.pop("ref", None)
            if number is None:
                values.append((value, len(_encode(value))))
            elif 0 <= number < len(values):
                value.update(values[number][0])
                size += values[number][1]
    return size


def _dicts_in(event: ev.Event, places: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield the values of an event that are dicts, in the order in which `encode` numbers them."""
    fields = msgspec.structs.astuple(event)
    pending = [fields[place] for place in reversed(places)]
    while pending:
        value = pending.pop()
        if type(value) is dict:
            yield value
        elif type(value) is list:
            pending += [item for item in reversed(value) if type(item) is not float]
        elif type(value) is ev.Update:
            states = (*value.state_before.values(), *value.state_after.values())
            pending += reversed((value.before, value.grad, value.after, *states))
