"""Values that a frame has more than once are written once, and come back as they were."""

from __future__ import annotations

from array import array
from typing import Any

import msgspec
import pytest

from tutor.trace import events as ev
from tutor.trace import repeated_values, wire

_TAG = {kind: kind.__struct_config__.tag for kind in ev.EVENTS}


def blob(number: float, count: int = 100) -> dict[str, Any]:
    return {"shape": [count], "code": "f", "data": array("f", [number] * count).tobytes()}


def summary(mean: float) -> dict[str, Any]:
    stats = {"min": 0.0, "max": 9.0, "mean": mean, "std": 1.0, "nan": 0, "inf": 0, "zero": 3}
    heat = [2, 2, b"\x00\x7f\xff\x01", 0.0, 9.0]
    return {"shape": [40, 50], "dtype": "float32", "stats": stats, "note": None, "corners": [[1.0, 2.0]], "heat": heat}


def events() -> list[ev.Event]:
    """Each kind of event that has values, all of a few."""
    update = ev.Update(1, 0, blob(1), blob(2), blob(3), {"step": 1, "m": blob(4)}, {"step": 2, "m": summary(5)})
    return [
        ev.Snapshot(1, 1, 0, 1, None, None, blob(1)), ev.Snapshot(2, 1, 0, 2, None, None, [2.0, 3.0]),
        ev.Snapshot(3, 1, 0, 3, None, None, summary(5)), ev.Snapshot(1, 1, 1, 1, None, None, None),
        ev.Backward(1, 1, 1, "backward", [1], False, False, [blob(2), None]),
        ev.Node(1, [blob(2), None], [blob(1), [1.5], [[1.0, 2.0]]]), ev.Accumulate(2, 1, 4, blob(2), blob(3)),
        ev.Captured(1, 5, blob(4)), ev.Retained(1, 5, summary(6)), ev.HookRan(1, "f", blob(1), summary(5)),
        ev.OptimizerStep("Adam", 1, 1, [{"lr": 0.1}], [update, update]), ev.Line(1, 1),
    ]  # fmt: skip


def test_each_value_is_written_once_and_read_wherever_it_was() -> None:
    payload = repeated_values.encode(events())
    plain = msgspec.msgpack.encode(events())
    assert payload.count(b"shape") == 6  # blobs of 1, 2, 3 and 4, summaries of 5 and 6
    decoded, length = wire.decode_payload(payload)
    assert decoded == events()
    assert len(payload) < len(plain) / 3
    assert length == pytest.approx(len(plain), rel=0.05)


def frame_of(items: list[Any]) -> bytes:
    return wire.seal(msgspec.msgpack.encode(items), len(items), 0, 1)


def snapshot(value: Any) -> list[Any]:
    return [_TAG[ev.Snapshot], 1, 1, 0, 1, None, None, value]


def test_references_to_nothing_are_empty_values() -> None:
    items = [snapshot({"ref": 0}), snapshot(blob(1)), snapshot({"ref": 1}), snapshot({"ref": -1}), snapshot({"ref": 0})]
    values = [event.value for event in wire.decode(frame_of(items)) if isinstance(event, ev.Snapshot)]
    assert values == [{}, blob(1), {}, {}, blob(1)]


def test_a_frame_whose_values_take_too_much_where_they_are_put_is_refused() -> None:
    """4,000 gradients of 64 KiB each in a node of 30 KiB would be printed as 65 million numbers."""
    gradients = [blob(1, 1 << 14), *[{"ref": 0}] * 4000]
    with pytest.raises(wire.WireError, match="too much memory"):
        wire.decode(frame_of([[_TAG[ev.Node], 1, gradients, []]]))
    assert len(wire.decode(frame_of([[_TAG[ev.Node], 1, gradients[:200], []]]))) == 1
