"""What the names in the learner's frames mean: told when one is stored to, and when a container has changed."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import Parameter

from tutor.recorder.containers import ContainerRecorder, TrackedContainer
from tutor.recorder.tensors import TensorRecord, TensorRecorder, is_outside
from tutor.recorder.torch_private import DisableTorchFunction
from tutor.trace.events import Bind

_BIND = Bind.__struct_config__.tag
_Tensor = torch.Tensor
_TEXT = 200
_BITS = 4096
"""Python writes ints of up to 4,300 digits."""
_RECENT = 256


class Frame:
    """One activation of a function of the learner's."""

    __slots__ = ("bound", "code", "depth", "holders", "key", "loops", "module", "outer", "serial")

    def __init__(self, serial: int, key: int, outer: Frame | None) -> None:
        self.serial = serial
        self.key = key
        self.outer = outer
        self.depth: int = outer.depth + 1 if outer is not None else 0
        self.code: types.CodeType | None = None
        """Of a function; None for a module."""
        self.loops: dict[int, int] = {}
        self.module: int | None = None
        """The innermost `nn.Module` in whose `forward` it is."""
        self.holders: dict[str, TrackedContainer] = {}
        self.bound: set[str] = set()


def _large(value: int) -> str:
    """A whole number as text; one of many digits, which Python refuses to write, by its length."""
    return str(value)[:_TEXT] if value.bit_length() < _BITS else f"an int of {value.bit_length():,} bits"


class VariableRecorder:
    """Tells what names mean. Function modes are on when it is called."""

    def __init__(
        self,
        append: Callable[[Any], None],
        tensors: TensorRecorder,
        containers: ContainerRecorder,
        made: Callable[[int, Frame, torch.Tensor], None],
    ) -> None:
        self._append = append
        self._tensors = tensors
        self._containers = containers
        self._made = made
        self.recent: deque[tuple[str, int]] = deque(maxlen=_RECENT)
        """The names bound last, with the numbers of their tensors."""
        self.on_error: Callable[[Exception], None] = lambda error: None

    def store(self, frame: Frame, name: str, value: Any, made_at: int) -> None:
        """Tells what a name means now."""
        try:
            kind = type(value)
            if kind is float or kind is int or kind is bool or value is None or kind is str:
                if frame.holders:
                    frame.holders.pop(name, None)
                if kind is int and not -(1 << 63) <= value < 1 << 63:
                    value = _large(value)  # the wire's integers have 64 bits
                self._append((_BIND, frame.serial, name, "value", 0, value[:_TEXT] if kind is str else value))
                frame.bound.add(name)
            elif kind is _Tensor or kind is Parameter or issubclass(kind, _Tensor):
                if frame.holders:
                    frame.holders.pop(name, None)
                known = self._tensors.find(value)
                if known is None or (made_at and not known.requires_grad):
                    with DisableTorchFunction():
                        serial = self._serial_of_unseen(value, known, frame, made_at)
                else:
                    serial = known.serial
                self._append((_BIND, frame.serial, name, "tensor", serial))
                frame.bound.add(name)
                self.recent.append((name, serial))
            elif self._containers.may_hold_tensors(value):
                with DisableTorchFunction():
                    holder = self._containers.track(value)
                frame.holders[name] = holder
                self._append((_BIND, frame.serial, name, "group", holder.serial))
                frame.bound.add(name)
            elif name in frame.bound:
                self.forget(frame, name)
        except Exception as error:  # what the program has replaced in torch, or an object that defies reading
            self.on_error(error)

    def _serial_of_unseen(self, tensor: torch.Tensor, known: TensorRecord | None, frame: Frame, made_at: int) -> int:
        """The number of a tensor that no operation told of."""
        if known is None:
            if made_at:
                self._made(made_at, frame, tensor)
            known = self._tensors.find(tensor)
            if known is None:
                known = self._tensors.record_new(tensor)
            elif is_outside(tensor):
                self._tensors.expose(tensor)
        elif tensor.requires_grad:  # a custom Function gave its own result a grad_fn
            self._made(made_at, frame, tensor)
        return known.serial

    def forget(self, frame: Frame, name: str) -> None:
        """A name means nothing of interest any more."""
        frame.bound.discard(name)
        frame.holders.pop(name, None)
        self._append((_BIND, frame.serial, name, "none"))

    def store_all(self, frame: Frame, names: dict[str, Any]) -> None:
        """Tells what all names of a module mean."""
        for name, value in list(names.items()):
            if not name.startswith("__"):
                self.store(frame, name, value, 0)

    def store_unseen(self, frame: Frame, names: dict[str, Any]) -> None:
        """Tells of a module's names that came or went by way of `exec` or `globals()`."""
        for name in frame.bound.difference(names):
            self.forget(frame, name)
        self.store_all(frame, {name: value for name, value in names.items() if name not in frame.bound})

    def scan(self, frame: Frame) -> None:
        """Looks again at what the names of a frame hold."""
        if frame.holders:
            with DisableTorchFunction():
                for holder in frame.holders.values():
                    self._containers.record(holder)
