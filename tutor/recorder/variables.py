"""Record what names in the learner's frames mean: when one is stored to, and when a container has changed."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

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
_SHORT = 4
"""A secret with fewer characters is looked for as a whole value only: others hold it by chance."""
_NEAREST = 32
"""Frames whose containers are examined at each statement, so that it costs the same at any depth."""


class Frame:
    """One activation of a learner's function.

    Attributes:
        serial: Its number.
        key: The `id` of Python's frame.
        outer: The frame that called it; None for the script.
        depth: How many frames are outside it.
        code: The function's code; None for a module.
        loops: The number of iterations of each running loop, by its site.
        module: The innermost `nn.Module` in whose `forward` it runs; None outside.
        holders: The containers that names mean.
        bound: The names that the recording shows.
        stack_depth: The frames of Python's stack down to it; 0 where that is not known, or can change.
        touches: How often tensors had been touched when it began.
    """

    __slots__ = (
        "bound", "code", "depth", "holders", "key", "loops", "module", "outer", "serial", "stack_depth", "touches",
    )  # fmt: skip

    def __init__(self, serial: int, key: int, outer: Frame | None) -> None:
        self.serial = serial
        self.key = key
        self.outer = outer
        self.depth: int = outer.depth + 1 if outer is not None else 0
        self.code: types.CodeType | None = None
        self.loops: dict[int, int] = {}
        self.module: int | None = None
        self.holders: dict[str, TrackedContainer] = {}
        self.bound: set[str] = set()
        self.stack_depth = 0
        self.touches = 0


def _large(value: int) -> str:
    """Return an int as text; for one with too many digits for Python to write, its length in bits."""
    return str(value)[:_TEXT] if value.bit_length() < _BITS else f"an int of {value.bit_length():,} bits"


class VariableRecorder:
    """Record what names mean. Callers have function modes on.

    Attributes:
        recent: The tensor names bound last, with the tensors' numbers.
        on_optimizer: Called with an optimizer that was bound, its name, and how many frames are around that name.
        on_error: Called with an error of the recorder.
    """

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
        self._secrets: set[str] = set()
        self.on_optimizer: Callable[[Optimizer, str, int], None] = lambda optimizer, name, depth: None
        self.on_error: Callable[[Exception], None] = lambda error: None

    def store(self, frame: Frame, name: str, value: Any, made_at: int) -> None:
        """Record what a name means now; `made_at` is the site of the call that made the value, or 0."""
        try:
            kind = type(value)
            if self._secrets and kind is str and self._has_secret(value):
                self.forget(frame, name)
            elif kind is float or kind is int or kind is bool or value is None or kind is str:
                if frame.holders:
                    frame.holders.pop(name, None)
                if kind is int and not -(1 << 63) <= value < 1 << 63:
                    value = _large(value)  # the wire's integers have 64 bits
                self._append((_BIND, frame.serial, name, "value", 0, value[:_TEXT] if kind is str else value))
                frame.bound.add(name)
            elif kind is _Tensor or kind is Parameter or issubclass(kind, _Tensor):
                if frame.holders:
                    frame.holders.pop(name, None)
                record = self._tensors.find(value)
                if record is None or (made_at and not record.requires_grad):
                    with DisableTorchFunction():
                        serial = self._serial_of_unseen(value, record, frame, made_at)
                else:
                    serial = record.serial
                self._append((_BIND, frame.serial, name, "tensor", serial))
                frame.bound.add(name)
                self.recent.append((name, serial))
            elif self._containers.may_hold_tensors(value):
                with DisableTorchFunction():
                    holder = self._containers.track(value)
                frame.holders[name] = holder
                self._append((_BIND, frame.serial, name, "group", holder.serial))
                frame.bound.add(name)
            else:
                if name in frame.bound:
                    self.forget(frame, name)
                if issubclass(kind, Optimizer):
                    self.on_optimizer(value, name, frame.depth)
        except Exception as error:  # replaced parts of torch, or an object that cannot be read
            self.on_error(error)

    def add_secret(self, text: str) -> None:
        """Record no value from now on that has this text in it, as it is or as `repr` writes it."""
        self._secrets |= {text, repr(text)[1:-1]}

    def _has_secret(self, value: str) -> bool:
        return any(value == secret or (len(secret) >= _SHORT and secret in value) for secret in self._secrets)

    def _serial_of_unseen(self, tensor: torch.Tensor, record: TensorRecord | None, frame: Frame, made_at: int) -> int:
        """Return the number of a tensor that no recorded operation made."""
        if record is None:
            if made_at:
                self._made(made_at, frame, tensor)
            record = self._tensors.find(tensor)
            if record is None:
                record = self._tensors.record_new(tensor)
            elif is_outside(tensor):
                self._tensors.expose(tensor)
        elif tensor.requires_grad:  # a custom Function gave its result a grad_fn
            self._made(made_at, frame, tensor)
        return record.serial

    def forget(self, frame: Frame, name: str) -> None:
        """Record that a name means nothing of interest any more."""
        frame.bound.discard(name)
        frame.holders.pop(name, None)
        self._append((_BIND, frame.serial, name, "none"))

    def store_all(self, frame: Frame, names: dict[str, Any]) -> None:
        """Record what all names of a module mean."""
        for name, value in list(names.items()):
            if not name.startswith("__"):
                self.store(frame, name, value, 0)

    def store_unseen(self, frame: Frame, names: dict[str, Any]) -> None:
        """Record a module's names that `exec` or `globals()` bound or deleted."""
        for name in frame.bound.difference(names):
            self.forget(frame, name)
        self.store_all(frame, {name: value for name, value in names.items() if name not in frame.bound})

    def scan(self, frame: Frame) -> None:
        """Record what the containers of a frame hold, if it has changed."""
        if frame.holders:
            with DisableTorchFunction():
                self._containers.record(frame.holders.values())

    def scan_around(self, frame: Frame | None, script: Frame | None) -> None:
        """As `scan`, for a frame and those around it: the script's and the nearest of the others.

        A frame further out is examined when those within have returned.
        """
        if not self._tensors.by_id:
            return
        holders: list[TrackedContainer] = []
        for _ in range(_NEAREST):
            if frame is None:
                break
            if frame.holders:
                holders += frame.holders.values()
            frame = frame.outer
        else:
            if frame is not None and script is not None and script.holders:
                holders += script.holders.values()
        if holders:
            with DisableTorchFunction():
                self._containers.record(holders)
