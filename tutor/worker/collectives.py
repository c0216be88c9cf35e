"""Watches the collectives of `torch.distributed`, which write to tensors without raising their version.

The methods of `ProcessGroup` are what all of its Python functions end in. Between the call and the `wait` of its work
a tensor may be written to at any time, so it is compared at each statement; after the `wait` it counts as written.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from tutor.worker.memory import Storage
from tutor.worker.operations import quiet
from tutor.worker.tensors import Tensors
from tutor.worker.torch_private import writing_collectives

_WRITING = (
    "allreduce", "allreduce_coalesced", "broadcast", "reduce", "allgather", "allgather_coalesced",
    "allgather_into_tensor_coalesced", "all_gather_single", "all_gather_single_coalesced", "gather", "scatter",
    "reduce_scatter", "reduce_scatter_tensor_coalesced", "reduce_scatter_single",
    "reduce_scatter_single_coalesced", "alltoall", "alltoall_base", "all_to_all_single", "recv", "recv_anysource",
)  # fmt: skip
"""The methods of `ProcessGroup` that write to tensors; which of them a torch has differs."""
_AT_ONCE = ("_broadcast_coalesced",)
"""Functions of C++ that have written when they return: of the parameters of all ranks DDP makes those of the first,
and of the buffers before each pass."""
_WAITING = ("wait", "synchronize", "block_current_stream")


def are_in_use() -> bool:
    """Whether this process is one of several that exchange tensors."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


class Collectives:
    """Notes what collectives write to."""

    def __init__(self, tensors: Tensors, is_on: Callable[[], bool]) -> None:
        self._tensors = tensors
        self._is_on = is_on
        self._pending: list[Storage] = []
        """Memory handed to collectives that were not waited for yet."""

    def watch(self) -> None:
        """From now on their tensors are looked at."""
        if not torch.distributed.is_available():
            return
        group, work = torch.distributed.ProcessGroup, torch.distributed.Work
        for name in (*_WRITING, *writing_collectives(group)):
            if hasattr(group, name):
                setattr(group, name, self._followed(getattr(group, name), self._begins))
        distributed: Any = torch.distributed
        for name in _AT_ONCE:
            if hasattr(distributed, name):
                setattr(distributed, name, self._followed(getattr(distributed, name), self._writes))
        for name in _WAITING:
            if hasattr(work, name):
                setattr(work, name, self._followed(getattr(work, name), self._ends))

    def _followed(self, original: Callable[..., Any], then: Callable[[Iterable[Any]], None]) -> Callable[..., Any]:
        @functools.wraps(original)
        def method(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            if self._is_on():
                with quiet():
                    then((*args, *kwargs.values()))
            return result

        return method

    def _begins(self, arguments: Iterable[Any]) -> None:
        for tensor in _tensors_in(arguments):
            storage = self._tensors.expose(tensor)
            if storage is not None:
                self._pending.append(storage)

    def _writes(self, arguments: Iterable[Any]) -> None:
        for tensor in _tensors_in(arguments):
            storage = self._tensors.expose(tensor)
            if storage is not None:
                self._tensors.conceal(storage)

    def _ends(self, arguments: Iterable[Any]) -> None:
        pending, self._pending = self._pending, []
        for storage in pending:
            self._tensors.conceal(storage)


def _tensors_in(arguments: Iterable[Any]) -> Iterator[torch.Tensor]:
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            yield argument
        elif isinstance(argument, list | tuple):
            yield from _tensors_in(argument)
