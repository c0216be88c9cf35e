"""Watches the collectives of `torch.distributed`, which write to tensors without raising their version.

The methods of `ProcessGroup` are what all of its Python functions end in. Between the call and the `wait` of its work
a tensor may be written to at any time, so it is compared at each statement; after the `wait` it counts as written. Of
several works each is waited for by itself, in any order.
"""

from __future__ import annotations

import functools
import weakref
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
        self._pending: list[tuple[weakref.ref[Any], Storage]] = []
        """Works that were not waited for yet, and memory that was handed to them."""

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

    def _followed(self, original: Callable[..., Any], then: Callable[[Any, Iterable[Any]], None]) -> Callable[..., Any]:
        @functools.wraps(original)
        def method(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            if self._is_on():
                with quiet():
                    then(result, (*args, *kwargs.values()))
            return result

        return method

    def _begins(self, work: Any, arguments: Iterable[Any]) -> None:
        for tensor in _tensors_in(arguments):
            storage = self._tensors.expose(tensor)
            if storage is None:
                known = self._tensors.find(tensor)
                handed = [held for _, held in self._pending if known is not None and held is known.storage]
                storage = handed[0] if handed else None
            if storage is not None:
                self._pending.append((weakref.ref(work), storage))

    def _writes(self, result: None, arguments: Iterable[Any]) -> None:
        for tensor in _tensors_in(arguments):
            storage = self._tensors.expose(tensor)
            if storage is not None:
                self._tensors.conceal(storage)

    def _ends(self, result: Any, arguments: Iterable[Any]) -> None:
        work = next(iter(arguments))
        ended = [storage for held, storage in self._pending if held() is work]
        self._pending = [
            (held, storage)
            for held, storage in self._pending
            if held() is not work and any(view.ref() is not None for view in storage.views)
        ]
        waiting = {id(storage): storage for _, storage in self._pending}.values()
        for storage in [*waiting, *ended]:  # what is not waited for yet may be ready as well
            self._tensors.conceal(storage)
        for storage in waiting:
            self._tensors.reveal(storage)


def _tensors_in(arguments: Iterable[Any]) -> Iterator[torch.Tensor]:
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            yield argument
        elif isinstance(argument, list | tuple):
            yield from _tensors_in(argument)
