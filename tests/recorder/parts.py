"""Parts of the recorder put together for a test, without a worker process: what they send is kept as events."""

from __future__ import annotations

from typing import Any, TypeVar

import torch

from tutor.recorder.autograd_graph import GraphRecorder
from tutor.recorder.tensors import TensorRecorder
from tutor.trace import events as ev

_Kind = TypeVar("_Kind", bound=ev.Event)
_KINDS = {kind.__struct_config__.tag: kind for kind in ev.EVENTS}


class Parts:
    """A recorder of tensors and one of the graph, as `Recorder` connects them.

    Attributes:
        waiting: What was sent, as the tuples that go to the pipe.
        ran: The nodes that ran: number, gradients of the inputs and of the outputs.
        accumulated: The leaves that were written to: node, leaf, gradient.
        errors: The recorder's own errors.
    """

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.ran: list[tuple[int, Any, Any]] = []
        self.accumulated: list[tuple[int, torch.Tensor, Any]] = []
        self.errors: list[Exception] = []
        self.tensors = TensorRecorder(self.waiting.append)
        self.graph = GraphRecorder(
            self.waiting, lambda *node: self.ran.append(node), lambda *leaf: self.accumulated.append(leaf)
        )
        self.tensors.graph = self.graph
        self.tensors.on_error = self.errors.append
        self.graph.serial_of_leaf = self.tensors.serial

    def sent(self) -> list[ev.Event]:
        """Return what was sent since the last call, as events."""
        events: list[ev.Event] = [_KINDS[tag](*fields) for tag, *fields in self.waiting]
        self.waiting.clear()
        assert self.errors == []
        return events

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """Return those of this kind; the others are dropped."""
        return [event for event in self.sent() if isinstance(event, kind)]
