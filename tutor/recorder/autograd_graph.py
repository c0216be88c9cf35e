"""Record the autograd graph: number each node, send it with its inputs, and hook it once.

A node's wrapper cannot be weakly referenced and its `id` is reused, so the number is kept in `node.metadata`. The node
owns the hook: it runs in every backward pass through the node, and is collected with it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.function import BackwardCFunction

from tutor.recorder.arguments import MOST_DEFINED
from tutor.recorder.saved import AttributeReader, attribute_reader
from tutor.recorder.torch_private import has_hooks_after, is_compiled, may_lack_hooks_after, saved_names, sequence_of
from tutor.trace.events import Attributes, Freed, GraphNode

_GRAPH_NODE = GraphNode.__struct_config__.tag
_ATTRIBUTES = Attributes.__struct_config__.tag
_FREED = Freed.__struct_config__.tag
_OF = 1 + GraphNode.__struct_fields__.index("of")
_KEY = "gradtutor"

Ran = Callable[[int, Any, Any], None]
Accumulated = Callable[[int, torch.Tensor, Any], None]


class RecorderHook:
    """A hook of the recorder on a node. It is kept behind the learner's hooks, to see their results."""

    __slots__ = ()


class _Hook(RecorderHook):
    """The post hook of a node: records that the node ran, and that it is gone."""

    __slots__ = ("graph", "serial")

    def __init__(self, serial: int, graph: GraphRecorder) -> None:
        self.serial = serial
        self.graph = graph

    def __call__(self, grad_inputs: Any, grad_outputs: Any) -> None:
        self.graph.ran(self.serial, grad_inputs, grad_outputs)

    def __del__(self) -> None:
        self.graph.freed(self.serial)


class LeafHook(_Hook):
    """The post hook of an `AccumulateGrad`.

    Attributes:
        hooks: Returns the dict that the node keeps its hooks in; None when it is gone.
    """

    __slots__ = ("__weakref__", "hooks", "leaf")

    def __init__(self, serial: int, graph: GraphRecorder, leaf: weakref.ref[torch.Tensor]) -> None:
        super().__init__(serial, graph)
        self.leaf = leaf
        self.hooks: Callable[[], dict[int, Any] | None] = lambda: None

    def __call__(self, grad_inputs: Any, grad_outputs: Any) -> None:
        leaf = self.leaf()
        if leaf is not None:
            self.graph.accumulated(self.serial, leaf, grad_outputs)


class _Arrival(RecorderHook):
    """The pre-hook of an `AccumulateGrad` whose leaf has post-accumulate-grad hooks."""

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
    """The pre-hook of a custom `autograd.Function`."""

    __slots__ = ("graph", "serial")

    def __init__(self, serial: int, graph: GraphRecorder) -> None:
        self.serial = serial
        self.graph = graph

    def __call__(self, grad_outputs: Any) -> None:
        self.graph.entered(self.serial)


class _OwnHook(_Hook):
    """The post hook of a custom `autograd.Function`, whose `backward` is the learner's Python."""

    __slots__ = ()

    def __call__(self, grad_inputs: Any, grad_outputs: Any) -> None:
        self.graph.left()
        self.graph.ran(self.serial, grad_inputs, grad_outputs)


class GraphRecorder:
    """Record autograd nodes.

    Attributes:
        waiting: The event writer's list.
        ran: Called when a node ran.
        accumulated: Called when an `AccumulateGrad` ran.
        arrived: Called before an `AccumulateGrad` whose leaf has post-accumulate-grad hooks.
        entered: Called before the `backward` of a custom Function.
        left: Called after it.
        creating: Whether a backward pass with `create_graph` runs.
        serial_of_leaf: Returns the number of a leaf tensor; set by the recorder.
    """

    def __init__(self, waiting: list[Any], ran: Ran, accumulated: Accumulated) -> None:
        self.waiting = waiting
        self.ran = ran
        self.accumulated = accumulated
        self.arrived: Callable[[int, torch.Tensor, Any], None] = lambda node, leaf, gradient: None
        self.entered: Callable[[int], None] = lambda node: None
        self.left: Callable[[], None] = lambda: None
        self.creating = False
        self.serial_of_leaf: Callable[[torch.Tensor], int] = id
        self._leaf_hooks: weakref.WeakSet[LeafHook] = weakref.WeakSet()
        self._removed: list[tuple[int, LeafHook]] = []
        """Hooks that were removed, with their keys in the dict."""
        self._serials = 0
        self._saved: dict[type, tuple[list[str], AttributeReader | None]] = {}
        self._attributes: dict[tuple[type, bytes], int] = {}

    def node(self, grad_fn: Any, tensor: int | None, events: list[Any]) -> int:
        """Return the number of a node; number and hook it, and all unknown nodes before it.

        Args:
            grad_fn: The node.
            tensor: The number of the tensor that is the node's output, or None.
            events: Takes the events of the unknown nodes, inputs first.
        """
        metadata = grad_fn.metadata
        previous: int | None = metadata.get(_KEY)
        if previous is not None:
            return previous
        inputs = grad_fn.next_functions
        numbered: list[tuple[int, int] | None] = []
        for source, index in inputs:
            if source is None:
                numbered.append(None)
                continue
            number = source.metadata.get(_KEY)
            if number is None:
                if source.next_functions:
                    self._add_all_before(source, events)
                    number = source.metadata[_KEY]
                else:
                    number = self._add(source, source.metadata, [], None, events)
            numbered.append((number, index))
        return self._add(grad_fn, metadata, numbered, tensor, events)

    def _add_all_before(self, grad_fn: Any, events: list[Any]) -> None:
        """Add a node and all unknown ones before it. Iterative: a graph can be far deeper than the stack."""
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
            hook = LeafHook(serial, self, weakref.ref(leaf))
            if has_hooks_after(leaf):
                node.register_prehook(_Arrival(serial, self, hook.leaf))
            self._leaf_hooks.add(hook)
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
            saved = self._saved[kind] = saved_names(kind), attribute_reader(kind)
        names, reader = saved
        attributes = 0 if reader is None else self._record_attributes(kind, reader, node)
        if attributes:
            events.append((_GRAPH_NODE, serial, name, inputs, tensor, sequence, names, None, attributes))
        else:
            events.append((_GRAPH_NODE, serial, name, inputs, tensor, sequence, names))
        return serial

    def _record_attributes(self, kind: type, reader: AttributeReader, node: Any) -> int:
        """Return the number of a node's attributes; send them before their first use."""
        key = kind, reader.encoded(node)
        number = self._attributes.get(key)
        if number is None:
            if len(self._attributes) >= MOST_DEFINED:
                return 0
            number = self._attributes[key] = len(self._attributes) + 1
            self.waiting.append((_ATTRIBUTES, number, reader.named(key[1])))
        return number

    def hook_leaf(self, leaf: torch.Tensor) -> None:
        """Hook a known `AccumulateGrad` whose leaf is given its first post-accumulate-grad hook."""
        if may_lack_hooks_after(leaf):
            node = torch.autograd.graph.get_gradient_edge(leaf).node
            number = self.number_of(node)
            if number is not None:
                node.register_prehook(_Arrival(number, self, weakref.ref(leaf)))

    def remove_leaf_hooks(self) -> None:
        """Remove the hooks of leaves, which would run in all passes that are not recorded: a leaf that is used all the
        time keeps its `AccumulateGrad`."""
        for hook in list(self._leaf_hooks):
            hooks = hook.hooks() or {}
            for key in [key for key, each in hooks.items() if each is hook]:
                del hooks[key]
                self._removed.append((key, hook))

    def restore_leaf_hooks(self) -> None:
        """Put them back, behind the learner's hooks, where the node is not gone."""
        while self._removed:
            key, hook = self._removed.pop()
            hooks = hook.hooks()
            if hooks is not None:
                hooks[key] = hook

    def record_created(self, node: int, grad_inputs: Any, grad_outputs: Any) -> None:
        """Record the nodes that computed the gradients of a node, in a pass with `create_graph`."""
        for first, gradients in ((-1, grad_outputs[:1]), (0, grad_inputs)):
            for place, gradient in enumerate(gradients, first):
                grad_fn = None if gradient is None else gradient.grad_fn
                if grad_fn is None or _KEY in grad_fn.metadata:
                    continue
                events: list[Any] = []
                self.node(grad_fn, None, events)
                events[-1] = (*events[-1][:_OF], (node, place), *events[-1][_OF + 1 :])
                self.waiting.extend(events)

    def freed(self, node: int) -> None:
        """Record that a node is gone; nodes freed together share an event."""
        last = self.waiting[-1] if self.waiting else None
        if last is not None and last[0] == _FREED:
            last[1].append(node)
        else:
            self.waiting.append((_FREED, [node]))

    def number_of(self, grad_fn: Any) -> int | None:
        """Return the number of a node; None if it is unknown."""
        number = grad_fn.metadata.get(_KEY)
        return None if number is None else int(number)
