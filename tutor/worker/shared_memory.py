"""Notices tensors whose memory other processes share: they can be written to where nobody sees it.

A tensor is moved to shared memory by `share_memory_()` (an operation, see `operations`), or when it is pickled for
another process: as an argument of `Process`, or through a queue.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

import torch
from torch.multiprocessing import reductions

from tutor.worker.operations import quiet
from tutor.worker.tensors import Tensors

_reducers: dict[type, Callable[[Any], Any]] = ForkingPickler._extra_reducers  # type: ignore[attr-defined]
_LOADER = "torch.utils.data"


class SharedMemory:
    """Has the tensors compared that another process may write to."""

    def __init__(self, tensors: Tensors, is_on: Callable[[], bool]) -> None:
        self._tensors = tensors
        self._is_on = is_on

    def watch(self) -> None:
        """From now on tensors that go to other processes, or come from them, are compared at each statement."""
        for kind in [kind for kind in _reducers if issubclass(kind, torch.Tensor)]:
            ForkingPickler.register(kind, self._sending(_reducers[kind]))
        rebuild: Any = reductions.rebuild_tensor

        def rebuild_shared(*args: Any) -> Any:
            tensor = rebuild(*args)
            if not _is_loading():
                self._expose(tensor)
            return tensor

        # Found by its name when a tensor arrives, so it must have the same.
        rebuild_shared.__name__ = rebuild_shared.__qualname__ = rebuild.__name__
        rebuild_shared.__module__ = rebuild.__module__
        reductions.rebuild_tensor = rebuild_shared

    def _sending(self, reduce: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def reduce_shared(tensor: torch.Tensor) -> Any:
            self._expose(tensor)
            return reduce(tensor)

        return reduce_shared

    def _expose(self, tensor: torch.Tensor) -> None:
        if self._is_on() and tensor.device.type == "cpu":
            with quiet():
                self._tensors.expose(tensor)


def _is_loading() -> bool:
    """Whether a batch arrives from a worker of a DataLoader, which does not write to it any more."""
    frame = sys._getframe(2)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_LOADER):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
