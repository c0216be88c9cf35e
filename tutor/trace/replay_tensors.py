"""What events do to tensors: the first third of `replay`."""

from __future__ import annotations

import re

from tutor.trace import events as ev
from tutor.trace.book import Book
from tutor.trace.scope import MODULE, is_alive, lasting_name
from tutor.trace.state import FrameState, State, TensorState

_BASE = re.compile(r"[^.\[]*")


class TensorReplay:
    """Tensors, their labels, and what their `.grad` holds."""

    __slots__ = ("book", "state")

    def __init__(self, state: State, book: Book) -> None:
        self.state = state
        self.book = book

    def _snapshot(self, event: ev.Snapshot) -> None:
        meta = self.book.metas.get(event.meta)
        if meta is None:
            return
        state = self.state
        number, value, grad, node = event.tensor, event.value, event.grad, event.node
        label, label_frame, first_name = None, 0, None
        operation = 0
        old = state.tensors.get(number)
        if old is not None:
            label, label_frame, first_name = old.label, old.label_frame, old.first_name
            operation = old.operation
            if value is None:
                value = old.value
            if old.grad is not None and old.grad != grad:
                self._let_go(old.grad)
        elif number in state.last_op[2]:
            operation = state.operations
        state.tensors[number] = TensorState(
            number, meta.shape, meta.dtype, meta.device, meta.strides, meta.layout, meta.class_name,
            meta.requires_grad, meta.is_leaf, meta.grad_fn, meta.retains_grad, event.version, event.storage,
            node, grad, value, label, label_frame, first_name, operation,
        )  # fmt: skip
        if grad is not None:
            state.grad_of[grad] = number
        if node is not None:
            made = state.nodes.get(node)
            told = made is not None and (made.tensor == number or (made.tensor is None and made.of is not None))
            if made is not None and made.shape is None and told:
                made = made.__copy__()
                made.value, made.shape, made.tensor = value, meta.shape, number
                state.nodes[node] = made

    def _gone(self, event: ev.Gone) -> None:
        state = self.state
        tensors, grad_of = state.tensors, state.grad_of
        for number in event.tensors:
            if number not in tensors:
                continue
            owner = tensors.get(grad_of.get(number, 0))
            if owner is not None and owner.grad == number:
                state.collected.add(number)  # it has no Python object, but is a gradient still
            else:
                self._drop(number)

    def _drop(self, number: int) -> None:
        self.state.grad_of.pop(number, None)
        self.state.collected.discard(number)
        old = self.state.tensors.pop(number, None)
        if old is None:
            return
        if old.grad is not None:
            self._let_go(old.grad)
        node = self.state.nodes.get(old.node or 0)
        name = lasting_name(self.state, old)
        if node is not None and node.tensor == number and name is not None:
            node = node.__copy__()
            node.label = name
            self.state.nodes[node.node] = node

    def _let_go(self, grad: int) -> None:
        """Nobody's `.grad` is this any more."""
        self.state.grad_of.pop(grad, None)
        if grad in self.state.collected:
            self._drop(grad)

    def _write(
        self, owner: int, number: int, value: ev.Value, version: int | None = None, storage: int | None = None
    ) -> None:
        """The engine wrote a gradient: `value` is what tensor `number` holds now, for `owner`."""
        tensors = self.state.tensors
        old, like = tensors.get(number), tensors.get(owner)
        if old is not None:
            new = old.__copy__()
            new.value = value
            if version is not None:
                new.version = version
        elif like is not None:
            new = TensorState(
                number, like.shape, like.dtype, like.device, like.strides, like.layout, "Tensor",
                False, True, None, False, version or 0, storage, None, None, value,
            )  # fmt: skip
        else:
            return
        tensors[number] = new

    def _hold(self, owner: int, number: int) -> None:
        """`number` is what stands in `.grad` of `owner`."""
        state = self.state
        old = state.tensors.get(owner)
        if old is None:
            return
        state.grad_of[number] = owner
        if old.grad != number:
            if old.grad is not None:
                self._let_go(old.grad)
            new = old.__copy__()
            new.grad = number
            state.tensors[owner] = new

    def _label(self, tensor: int, label: str, frame: FrameState) -> None:
        """A name in this frame means a tensor. What a call names it does not replace the caller's name for it."""
        state = self.state
        old = state.tensors.get(tensor)
        if old is None:
            return
        named = old.label is None or frame.frame <= old.label_frame or not is_alive(state, old.label_frame)
        kept = old.first_name is None and frame.site is not None and old.operation > frame.begun
        if (named and (label, frame.frame) != (old.label, old.label_frame)) or kept:
            new = old.__copy__()
            if named:
                new.label, new.label_frame = label, frame.frame
            if kept:
                new.first_name = label
            state.tensors[tensor] = new

    def _label_group(self, group: int, name: str, frame: FrameState) -> None:
        """Name what a group holds; of two names of one frame the shorter stays, and `self` gives way."""
        state = self.state
        alive = {0, MODULE, *state.suspended, *(held.frame for held in state.frames)}
        number = frame.frame
        for suffix, tensor in state.groups[group]:
            old = state.tensors.get(tensor)
            if old is None:
                continue
            label = old.label
            if label is not None and old.label_frame in alive and not label.startswith("self."):
                if number > old.label_frame:
                    continue
                if number == old.label_frame and self._stays(frame, label, name, suffix, tensor):
                    continue
            new = old.__copy__()
            new.label, new.label_frame = name + suffix, number
            state.tensors[tensor] = new

    def _stays(self, frame: FrameState, label: str, name: str, suffix: str, tensor: int) -> bool:
        """Whether a tensor's name in a frame is as good as this new one, and still means it."""
        if label == name + suffix:
            return True
        binding = frame.names.get(_BASE.match(label)[0])  # type: ignore[index]
        if binding is None or len(label) > len(name + suffix):
            return False
        if binding.what == "tensor":
            return binding.ref == tensor
        return binding.what == "group" and any(item == tensor for _, item in self.state.groups.get(binding.ref, ()))
