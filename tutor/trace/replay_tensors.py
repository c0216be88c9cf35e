"""What events do to tensors: the first third of `replay`."""

from __future__ import annotations

from tutor.trace import events as ev
from tutor.trace.book import Book
from tutor.trace.state import State, TensorState


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
        number, value, grad, node, label = event.tensor, event.value, event.grad, event.node, None
        old = state.tensors.get(number)
        if old is not None:
            label = old.label
            if value is None:
                value = old.value
            if old.grad is not None and old.grad != grad:
                self._let_go(old.grad)
        state.tensors[number] = TensorState(
            number, meta.shape, meta.dtype, meta.device, meta.strides, meta.layout, meta.class_name,
            meta.requires_grad, meta.is_leaf, meta.grad_fn, meta.retains_grad, event.version, event.storage,
            node, grad, value, label,
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
        if old is not None and old.grad is not None:
            self._let_go(old.grad)

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

    def _label(self, tensor: int, label: str) -> None:
        old = self.state.tensors.get(tensor)
        if old is not None and old.label != label:
            new = old.__copy__()
            new.label = label
            self.state.tensors[tensor] = new

    def _label_group(self, group: int, name: str, lasting: bool) -> None:
        """Name what a group holds; a function's name for it (`self`) does not replace the module's."""
        tensors = self.state.tensors
        for suffix, tensor in self.state.groups[group]:
            old = tensors.get(tensor)
            if old is None:
                continue
            # What `__init__` calls `self.fc1.weight` is the caller's `model.fc1.weight` soon after.
            if lasting or old.label is None or (name != "self" and old.label.startswith("self.")):
                self._label(tensor, name + suffix)
