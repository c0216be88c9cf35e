"""Knows the autograd nodes: gives each a number, tells of it with its inputs, and hooks it once.

A wrapper of a node cannot be weakly referenced and its `id` is reused, so the number lies in `node.metadata`. The hook
is owned by the node: it runs in every pass through it, and when it is collected, the node is gone.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.function import BackwardCFunction

from tutor.recorder.torch_private import has_hooks_after, is_compiled, may_lack_hooks_after, saved_names, sequence_of
from tutor.trace.events import Freed, GraphNode

_GRAPH_NODE = GraphNode.__struct_config__.tag
_FREED = Freed.__struct_config__.tag
_KEY = "gradtutor"

Ran = Callable[[int, Any, Any], None]
Accumulated = Callable[[int, torch.Tensor, Any], None]


class RecorderHook:
    """A hook of the recorder's on a node. It stays behind those of the learner's: it is to see what they leave."""

    __slots__ = ()


class _Hook(RecorderHook):
    """The post hook of a node; tells when the node ran and when it is gone. Returns None, so nothing changes."""

    __slots__ = ("graph", "serial")

    def __init__(self, serial: int, graph: GraphRecorder) -> None:
        self.serial = serial
        self.graph = graph

    def __call__(self, grad_inputs: Any, grad_outputs: Any) -> None:
        self.graph.ran(self.serial, grad_inputs, grad_outputs)

    def __del__(self) -> None:
        self.graph.freed(self.serial)


class _LeafHook(_Hook):
    """The post hook of an `AccumulateGrad`."""

    __slots__ = ("leaf",)

    def __init__(self, serial: int, graph: GraphRecorder, leaf: weakref.ref[torch.Tensor]) -> None:
        super().__init__(serial, graph)
        self.leaf = leaf

    def __call__(self, grad_inputs: Any, grad_outputs: Any) -> None:
        leaf = self.leaf()
        if leaf is not None:
            self.graph.accumulated(self.serial, leaf, grad_outputs)


class _Arrival(RecorderHook):
    """The hook before an `AccumulateGrad` whose leaf has hooks that run once its gradient is written."""

    __slots__ = ("graph", "leaf", "serial")

    def __init__(self, serial: int, graph: GraphRecorder, leaf: weakref.ref[torch.Tensor]) -> None:
        self.serial = serial
        self.graph = graph
        self.leaf = leaf

    def __call__(self, grad_outputs: Any) -> None:
        leaf = self.leaf()
        if leaf is not None:
            self.graph.arrived(self.serial, leaf, grad_outputs[0])


class _OwnBefore(RecorderHook):
    """The hook before a custom `autograd.Function`."""

    __slots__ = ("graph", "serial")

    def __init__(self, serial: int, graph: GraphRecorder) -> None:
        self.serial = serial
        self.graph = graph

    def __call__(self, grad_outputs: Any) -> None:
        self.graph.entered(self.serial)


class _OwnHook(_Hook):
    """The post hook of a custom `autograd.Function`, whose `backward` is Python of the learner's."""

    __slots__ = ()

    def __call__(self, grad_inputs: Any, grad_outputs: Any) -> None:
        self.graph.left()
        self.graph.ran(self.serial, grad_inputs, grad_outputs)


class GraphRecorder:
    """The table of nodes."""

    def __init__(self, waiting: list[Any], ran: Ran, accumulated: Accumulated) -> None:
        self.waiting = waiting
        self.ran = ran
        self.accumulated = accumulated
        self.arrived: Callable[[int, torch.Tensor, Any], None] = lambda node, leaf, gradient: None
        self.entered: Callable[[int], None] = lambda node: None
        self.left: Callable[[], None] = lambda: None
        self.creating = False
        """Whether a pass with `create_graph` runs."""
        self.serial_of_leaf: Callable[[torch.Tensor], int] = id  # set by the recorder
        self._serials = 0
        self._saved: dict[type, list[str]] = {}

    def node(self, grad_fn: Any, tensor: int | None, events: list[Any]) -> int:
        """The number of a node. Unknown ones are numbered and hooked, with all before them, and told of in `events`,
        inputs first; `tensor` is what the node's output became."""
        metadata = grad_fn.metadata
        known: int | None = metadata.get(_KEY)
        if known is not None:
            return known
        inputs = grad_fn.next_functions
        numbered: list[tuple[int, int] | None] = []
        for following, index in inputs:
            if following is None:
                numbered.append(None)
                continue
            number = following.metadata.get(_KEY)
            if number is None:
                if following.next_functions:
                    self._add_all_before(following, events)
                    number = following.metadata[_KEY]
                else:
                    number = self._add(following, following.metadata, [], None, events)
            numbered.append((number, index))
        return self._add(grad_fn, metadata, numbered, tensor, events)

    def _add_all_before(self, grad_fn: Any, events: list[Any]) -> None:
        """Iteratively: a graph can be far deeper than the stack."""
        stack = [grad_fn]
        while stack:
            node = stack[-1]
            metadata = node.metadata
            if _KEY in metadata:
                stack.pop()
                continue
            inputs = node.next_functions
            unknown = [n for n, _ in inputs if n is not None and _KEY not in n.metadata]
            if unknown:
                stack.extend(unknown)
                continue
            stack.pop()
            numbered = [None if n is None else (n.metadata[_KEY], index) for n, index in inputs]
            self._add(node, metadata, numbered, None, events)

    def _add(self, node: Any, metadata: Any, inputs: Any, tensor: int | None, events: list[Any]) -> int:
        self._serials = serial = self._serials + 1
        kind = type(node)
        name = kind.__name__
        hook: _Hook
        if name == "AccumulateGrad":
            leaf = node.variable
            tensor = self.serial_of_leaf(leaf)
            hook = _LeafHook(serial, self, weakref.ref(leaf))
            if has_hooks_after(leaf):
                node.register_prehook(_Arrival(serial, self, hook.leaf))
            sequence = -1
        else:
            if isinstance(node, BackwardCFunction) and not is_compiled(kind):
                hook = _OwnHook(serial, self)
                node.register_prehook(_OwnBefore(serial, self))
            else:
                hook = _Hook(serial, self)
            sequence = sequence_of(node)
        node.register_hook(hook)
        metadata[_KEY] = serial
        saved = self._saved.get(kind)
        if saved is None:
            saved = self._saved[kind] = saved_names(kind)
        events.append((_GRAPH_NODE, serial, name, inputs, tensor, sequence, saved))
        return serial

    def hook_leaf(self, leaf: torch.Tensor) -> None:
        """The leaf is given its first hook that runs once its gradient is written; its node may be known already."""
        if may_lack_hooks_after(leaf):
            node = torch.autograd.graph.get_gradient_edge(leaf).node
            known = self.number_of(node)
            if known is not None:
                node.register_prehook(_Arrival(known, self, weakref.ref(leaf)))

    def record_created(self, node: int, grad_inputs: Any, grad_outputs: Any) -> None:
        """Tells of the nodes that computed the gradients of a node that ran, in a pass with `create_graph`."""
        for first, gradients in ((-1, grad_outputs[:1]), (0, grad_inputs)):
            for place, gradient in enumerate(gradients, first):
                grad_fn = None if gradient is None else gradient.grad_fn
                if grad_fn is None or _KEY in grad_fn.metadata:
                    continue
                events: list[Any] = []
                self.node(grad_fn, None, events)
                events[-1] = (*events[-1], (node, place))
                self.waiting.extend(events)

    def freed(self, node: int) -> None:
        """A node is gone. Nodes go in bunches: they share an event."""
        last = self.waiting[-1] if self.waiting else None
        if last is not None and last[0] == _FREED:
            last[1].append(node)
        else:
            self.waiting.append((_FREED, [node]))

    def number_of(self, grad_fn: Any) -> int | None:
        """The number of a node, if it has one."""
        number = grad_fn.metadata.get(_KEY)
        return None if number is None else int(number)
