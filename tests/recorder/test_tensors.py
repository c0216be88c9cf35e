"""Numbers of tensors, their snapshots, the memory they share, and when they are gone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.recorder.parts import Parts
from tutor.recorder.tensors import is_outside, looks_into, overlap
from tutor.trace import events as ev


def test_a_number_is_an_objects_and_is_never_given_again(parts: Parts) -> None:
    first, second = torch.ones(1), torch.ones(1)
    assert (parts.tensors.serial(first), parts.tensors.serial(second), parts.tensors.serial(first)) == (1, 2, 1)
    assert parts.tensors.find(first.detach()) is None
    for count in range(3, 8):  # each takes the memory of the one before
        assert parts.tensors.serial(torch.ones(1)) == count


def test_the_first_snapshot_brings_its_properties_once(parts: Parts) -> None:
    w, v = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0], requires_grad=True)
    parts.tensors.serial(w)
    meta, snapshot = parts.sent()
    assert meta == ev.Meta(1, (2,), "float32", "cpu", (1,), True, True, None, False)
    assert snapshot == ev.Snapshot(1, 1, 0, 1, None, None, [1.0, 2.0])
    parts.tensors.serial(v)
    assert parts.sent() == [ev.Snapshot(2, 1, 0, 2, None, None, [3.0, 4.0])]
    parts.tensors.serial(w)
    assert parts.sent() == []


def test_a_result_brings_its_node(parts: Parts) -> None:
    w = torch.tensor([1.0], requires_grad=True)
    y = w * 3
    parts.tensors.serial(y)
    events = parts.sent()
    (snapshot,) = (event for event in events if isinstance(event, ev.Snapshot) and event.tensor == 1)
    nodes = [(event.name, event.inputs, event.tensor) for event in events if isinstance(event, ev.GraphNode)]
    assert nodes == [("AccumulateGrad", [], 2), ("MulBackward0", [(1, 0), None], 1)]
    assert (snapshot.node, snapshot.value) == (2, [3.0])


def test_views_share_a_storage_and_a_write_is_sent_of_all(parts: Parts) -> None:
    base = torch.zeros(4)
    view, other = base[1:3], torch.zeros(4)
    for tensor in (base, view, other):
        parts.tensors.serial(tensor)
    assert [event.storage for event in parts.of(ev.Snapshot)] == [1, 1, 2]
    view.add_(5)
    record = parts.tensors.register(view)
    assert parts.tensors.has_new_value(view, record)
    parts.tensors.record_write(view, record)
    sent = {event.tensor: (event.value, event.version) for event in parts.of(ev.Snapshot)}
    assert sent == {2: ([5.0, 5.0], 1), 1: ([0.0, 5.0, 5.0, 0.0], 1)}
    assert not parts.tensors.has_new_value(base, parts.tensors.register(base))


def test_a_gradient_is_sent_where_it_is_new_or_has_changed(parts: Parts) -> None:
    w = torch.ones(1, requires_grad=True)
    (w * 2).backward()
    assert w.grad is not None
    number = parts.tensors.gradient(w.grad)
    assert [event.value for event in parts.of(ev.Snapshot)] == [[2.0]]
    assert parts.tensors.gradient(w.grad) == number
    assert parts.sent() == []
    (w * 2).backward()
    assert parts.tensors.gradient(w.grad) == number
    assert [event.value for event in parts.of(ev.Snapshot)] == [[4.0]]
    record = parts.tensors.register(w)
    parts.tensors.record(w, record)
    assert [event.grad for event in parts.of(ev.Snapshot) if event.tensor == record.serial] == [number]


def test_the_dead_are_named_once(parts: Parts) -> None:
    kept, gone = torch.ones(1), torch.ones(1)
    parts.tensors.serial(kept)
    parts.tensors.serial(gone)
    parts.sent()
    del gone
    parts.tensors.sweep()
    assert parts.sent() == [ev.Gone([2])]
    parts.tensors.sweep()
    assert parts.sent() == []


def test_the_dead_are_swept_by_and_by(parts: Parts) -> None:
    for _ in range(500):
        parts.tensors.serial(torch.ones(1))
    assert len(parts.tensors.by_id) < 200
    assert sum(len(event.tensors) for event in parts.of(ev.Gone)) > 300


def test_tensors_are_not_kept_alive(parts: Parts) -> None:
    w = torch.ones(3, requires_grad=True)
    y = (w * 2).sum()
    parts.tensors.serial(y)
    record = parts.tensors.find(w)
    assert record is not None
    del w, y
    assert record.ref() is None


def test_changes_that_were_not_seen_are_found(parts: Parts) -> None:
    w, still = torch.ones(2, requires_grad=True), torch.ones(2)
    parts.tensors.serial(w)
    parts.tensors.serial(still)
    parts.sent()
    with torch.no_grad():
        w.mul_(3)
    w.grad = torch.ones(2)
    parts.tensors.record_changed()
    sent = [(event.tensor, event.value) for event in parts.of(ev.Snapshot)]
    assert (1, [3.0, 3.0]) in sent
    assert 2 not in [tensor for tensor, _ in sent]
    parts.tensors.record_changed()
    assert parts.sent() == []
    parts.tensors.mark_changed([still])
    parts.tensors.record_changed()
    assert [event.tensor for event in parts.of(ev.Snapshot)] == [2]


def test_memory_of_numpy_is_compared(parts: Parts) -> None:
    array = np.zeros(2, dtype=np.float32)
    tensor = torch.from_numpy(array)
    assert is_outside(tensor)
    assert not is_outside(torch.ones(1))
    parts.tensors.serial(tensor)
    parts.sent()
    parts.tensors.record_exposed()
    assert parts.sent() == []
    array[1] = 7
    parts.tensors.record_exposed()
    assert [event.value for event in parts.of(ev.Snapshot)] == [[0.0, 7.0]]


def test_new_data_is_new_memory_with_the_same_version(parts: Parts) -> None:
    w = torch.zeros(2)
    view = w[:1]
    for tensor in (w, view):
        parts.tensors.serial(tensor)
    before = {event.tensor: event.storage for event in parts.of(ev.Snapshot)}
    w.data = torch.tensor([4.0, 5.0])
    parts.tensors.record_new_storage(w, parts.tensors.register(w))
    (snapshot,) = parts.of(ev.Snapshot)
    assert snapshot.value == [4.0, 5.0]
    assert snapshot.storage != before[1] == before[2]


def test_large_tensors_are_measured_up_to_a_share_of_what_was_seen(parts: Parts) -> None:
    tensors = [torch.ones(5 << 20) for _ in range(3)]
    for tensor in tensors:
        parts.tensors.serial(tensor)
    stats = [event.value["stats"] is not None for event in parts.of(ev.Snapshot)]
    assert stats == [True, False, False]
    parts.tensors.measure_all()
    later = parts.of(ev.Snapshot)
    assert [(event.tensor, event.value["stats"]["max"]) for event in later] == [(2, 1.0), (3, 1.0)]


def test_a_measurement_costs_more_than_its_elements(parts: Parts) -> None:
    tensors = [torch.ones(2000) for _ in range(1000)]
    for tensor in tensors:
        parts.tensors.serial(tensor)
    measured = [event.value["stats"] is not None for event in parts.of(ev.Snapshot)]
    # Each takes 2,000 + 16,384 of 8,388,608, to which it adds an eighth of 2,000 + 8,192.
    assert all(measured[:480])
    assert 480 < sum(measured) < 530


@pytest.mark.parametrize(
    ("first", "second", "may"),
    [
        (slice(0, 4), slice(4, 8), False), (slice(0, 5), slice(4, 8), True), (slice(0, 8, 4), slice(1, 3), True),
        (slice(3, 3), slice(0, 8), False),
    ],
)  # fmt: skip
def test_which_views_may_overlap(first: slice, second: slice, may: bool) -> None:
    base = torch.zeros(8)
    assert overlap(base[first], base[second]) is may
    assert overlap(base[second], base[first]) is may


def test_looking_into_the_same_memory() -> None:
    base = torch.zeros(4)
    assert looks_into(base[1:], base[1:])
    assert not looks_into(base[1:], base[:3])
    assert not looks_into(base, base.clone())
    assert not looks_into(base, torch.eye(2).to_sparse())
