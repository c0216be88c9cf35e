"""Past the budget, with the function mode off: record the losses of backward passes, by wrapping what runs them."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

import torch

from tutor.recorder.backward import BackwardCall, LossRecorder
from tutor.recorder.operations import OperationRecorder, quiet
from tutor.recorder.originals import torch_function
from tutor.recorder.torch_private import mode_count
from tutor.recorder.twins import Gate

_RUNNING = ((torch.Tensor, "backward"), (torch.autograd, "backward"), (torch.autograd, "grad"))


class ChartedPasses:
    """Wraps the functions that run passes, while the recording is full."""

    def __init__(
        self, operations: OperationRecorder, losses: LossRecorder, gate: Gate, is_other_thread: Callable[[], bool]
    ) -> None:
        self._operations = operations
        self._losses = losses
        self._gate = gate
        self._is_other_thread = is_other_thread
        self._replaced: list[tuple[Any, str, Any, Any]] = []
        self._known: dict[int, tuple[types.CodeType, str, int]] = {}
        """By the place of a call in bytecode: the name of the loss that it begins at, and its site."""
        self._root = 0
        """`id` of the first argument of the call that runs: `Tensor.backward` calls `autograd.backward`."""

    def watch(self) -> None:
        """Record losses from now on."""
        for owner, name in _RUNNING:
            original = getattr(owner, name)
            wrapper = self._wrapped(original, torch_function(owner, name))
            setattr(owner, name, wrapper)
            self._replaced.append((owner, name, original, wrapper))

    def close(self) -> None:
        """Put torch's functions back."""
        for owner, name, original, wrapper in self._replaced:
            if getattr(owner, name) is wrapper:
                setattr(owner, name, original)
        self._replaced.clear()

    def _wrapped(self, function: Any, of_torch: Any) -> Any:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            outer, root = self._root, id(args[0]) if args else 0
            if root == outer != 0 or self._operations.off or self._is_other_thread():
                return function(*args, **kwargs)
            try:
                if not self._is_recorded_again(sys._getframe(1), args[0] if args else None):
                    with quiet():
                        self._record(sys._getframe(1), of_torch, args, kwargs)
            except Exception as error:  # a call that torch will reject, or an error of ours
                if not isinstance(error, TypeError):
                    self._operations.on_error(error)
            self._root = root
            try:
                return function(*args, **kwargs)
            finally:
                self._root = outer

        return run

    def _record(self, frame: types.FrameType, func: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self._gate.losses = True
        call = BackwardCall(func, args, kwargs)
        site = self._operations.site_of(frame, func, kwargs)
        if site is None:
            return
        number = self._operations.send_site(site)
        name = self._losses.record(call, site, number)
        if name is not None and frame.f_locals.get(name) is call.roots[0]:
            self._known[id(frame.f_code) + frame.f_lasti] = frame.f_code, name, number

    def _is_recorded_again(self, frame: types.FrameType, root: Any) -> bool:
        """Record a pass whose call began at a loss of this name before, if it does so again; return whether it did."""
        _, name, number = self._known.get(id(frame.f_code) + frame.f_lasti, _UNKNOWN)
        if not name or frame.f_locals.get(name) is not root or type(root) is not torch.Tensor:
            return False
        if mode_count():
            with quiet():
                self._losses.record_again(name, root, number)
        else:
            self._losses.record_again(name, root, number)
        return True


_UNKNOWN: tuple[types.CodeType | None, str, int] = None, "", 0
