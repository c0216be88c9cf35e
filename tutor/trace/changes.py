"""What a stretch of a recording touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

import msgspec

from tutor.trace import events as ev
from tutor.trace.state import State, TensorState


class Changes(msgspec.Struct):
    """What to mark as changed."""

    tensors: set[int] = set()
    """Made, or other than before: value, version, anything but `.grad`."""
    grads: set[int] = set()
    """Tensors whose `.grad` is another one, holds something else or is gone."""
    nodes: set[int] = set()
    """Nodes made, or run by a pass."""
    names: set[tuple[int, str]] = set()
    """Names bound or deleted, with their frame."""


def changes_by(events: Iterable[ev.Event], before: State) -> Changes:
    """What these events touched, given the state before them."""
    found = Changes()
    for event in events:
        kind = type(event)
        if kind is ev.Snapshot:
            assert isinstance(event, ev.Snapshot)
            _snapshot(event, before, found)
        elif isinstance(event, ev.Bind):
            found.names.add((event.frame, event.name))
        elif isinstance(event, (ev.GraphNode, ev.Node)):
            found.nodes.add(event.node)
        elif isinstance(event, ev.Accumulate):
            found.nodes.add(event.node)
            found.grads.add(event.tensor)
            found.tensors.add(event.grad)
        elif isinstance(event, ev.Retained):
            found.grads.add(event.tensor)
            found.tensors.add(event.grad)
        elif isinstance(event, ev.Captured) and event.result is not None:
            found.tensors.add(event.result)
    return found


def _snapshot(event: ev.Snapshot, before: State, found: Changes) -> None:
    old = before.tensors.get(event.tensor)
    grad = None if old is None else old.grad
    if event.grad != grad:
        found.grads.add(event.tensor)
    if old is None or event.value is not None or (event.version, event.node) != (old.version, old.node):
        found.tensors.add(event.tensor)
    owner = before.grad_of.get(event.tensor)
    if owner is not None and event.value is not None:
        found.grads.add(owner)


def changes_between(before: State, after: State) -> Changes:
    """What differs between two states."""
    tensors, grads = set(), set()
    for number in _differing(before.tensors, after.tensors):
        old, new = before.tensors.get(number), after.tensors.get(number)
        if new is None:
            continue
        if new.grad != (None if old is None else old.grad):
            grads.add(number)
        if old is None or not _same_but_for_grad(old, new):
            tensors.add(number)
        if number in after.grad_of:
            grads.add(after.grad_of[number])
    names: set[tuple[int, str]] = set()
    scopes = {frame.frame: frame.names for frame in before.frames}
    for frame in after.frames:
        names.update((frame.frame, name) for name in _differing(scopes.get(frame.frame, {}), frame.names))
    nodes = _differing(before.nodes, after.nodes) & after.nodes.keys()
    return Changes(tensors, grads, nodes, names)


def _same_but_for_grad(old: TensorState, new: TensorState) -> bool:
    aside = copy(old)
    aside.grad = new.grad
    aside.label, aside.label_frame, aside.first_name = new.label, new.label_frame, new.first_name
    return aside == new


def _differing(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> set[Any]:
    found = {key for key in before if key not in after}
    for key, new in after.items():
        old = before.get(key)
        if old is not new and old != new:
            found.add(key)
    return found
