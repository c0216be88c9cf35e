"""Memory blocks and the tensors that look into them: what changes together."""

from __future__ import annotations

import weakref
from typing import Any

import torch

from tutor.worker.torch_private import storage_id


class TensorRecord:
    """What was recorded of one tensor. Class attributes, not slots with an `__init__`: half of the tensors are
    temporaries, and making one of these is on the hot path."""

    version: int | None = -1
    meta = 0
    shape: Any = None
    requires_grad = False
    is_leaf = True
    small = False
    """A leaf of few elements, whose snapshot needs no care."""
    storage: Storage | None = None
    grad = 0
    fingerprint: Any = None
    """Of the value when it was last looked at, kept where no version counter tells of a change."""

    counting: list[TensorRecord] | None = None
    """Tensors that share its version counter though not its memory."""

    def __init__(self, ref: weakref.ref[torch.Tensor], serial: int) -> None:
        self.ref = ref
        self.serial = serial


class Storage:
    """One memory block, and the tensors seen to look into it."""

    exposed = False
    """Whether it can be written to where torch does not see it."""

    def __init__(self, serial: int, view: TensorRecord) -> None:
        self.serial = serial
        self.views = [view]


class Memory:
    """The table of memory blocks, by the address of the storage's C++ object."""

    def __init__(self) -> None:
        self._storages: dict[int, Storage] = {}
        self._serials = 0

    def storage_of(self, t: torch.Tensor, known: TensorRecord) -> Storage | None:
        """The block that `t` looks into; `known` is noted as one of those who do, and of no other."""
        try:
            address = storage_id(t.untyped_storage())
        except Exception:  # sparse tensors and wrappers have none
            return None
        storage = self._storages.get(address)
        if known.storage is not None:
            if known.storage is storage:
                return storage
            self.forget(known)  # torch.load gives a tensor its memory together with its shape
        if storage is not None:
            for view in storage.views:
                if view.ref() is not None:
                    break
            else:  # the address of a block that is gone
                storage = None
        if storage is None:
            self._serials = serial = self._serials + 1
            storage = self._storages[address] = Storage(serial, known)
        else:
            storage.views.append(known)
        known.storage = storage
        return storage

    def owner(self, t: torch.Tensor) -> TensorRecord | None:
        """The known tensor that `t`, itself unknown, is another face of (`w.data` is one of w)."""
        try:
            storage = self._storages.get(storage_id(t.untyped_storage()))
            if storage is not None:
                for known in storage.views:
                    tensor = known.ref()
                    if tensor is not None and tensor.data_ptr() == t.data_ptr() and tensor.shape == t.shape:
                        return known if grad_fn_of(tensor) is grad_fn_of(t) and tensor.dtype == t.dtype else None
        except Exception:  # no storage at all
            return None
        return None

    def forget(self, known: TensorRecord) -> None:
        """`known` does not look into its block any more, or not surely."""
        storage, known.storage = known.storage, None
        if storage is not None and known in storage.views:
            storage.views.remove(known)

    def forget_dead(self) -> None:
        """Drops the blocks that no living tensor looks into."""
        for key, storage in list(self._storages.items()):
            storage.views = [known for known in storage.views if known.ref() is not None]
            if not storage.views:
                del self._storages[key]


def grad_fn_of(t: torch.Tensor) -> Any:
    """The node that made `t`; None for a leaf, and where torch refuses to tell.

    It does of a view made under `no_grad`, or by an operation with several outputs, whose base was written to since.
    """
    try:
        return t.grad_fn
    except RuntimeError:
        return None


def version_of(t: torch.Tensor) -> int | None:
    """The version of `t`; None for one made in `inference_mode`, which has no counter."""
    try:
        return t._version
    except RuntimeError:
        return None


def looks_into(t: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether `t` already is what `t.data = other` would make it."""
    try:
        same = storage_id(t.untyped_storage()) == storage_id(other.untyped_storage())
        return (
            same
            and t.shape == other.shape
            and t.storage_offset() == other.storage_offset()
            and t.stride() == other.stride()
        )
    except Exception:  # no storage, or no tensor at all
        return False


def overlap(t: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two that look into the same block may have elements in common: whether their stretches of it meet."""
    first, last = _stretch(t)
    begin, end = _stretch(other)
    return first < end and begin < last


def _stretch(t: torch.Tensor) -> tuple[int, int]:
    if not t.numel():
        return 0, 0
    start, size = t.data_ptr(), t.element_size()
    return start, start + size * (1 + sum((n - 1) * stride for n, stride in zip(t.shape, t.stride(), strict=True)))


def is_outside(t: torch.Tensor) -> bool:
    """Whether its memory came from elsewhere (`torch.from_numpy`): torch cannot resize such."""
    try:
        return not t.untyped_storage().resizable()
    except Exception:  # no storage at all
        return False
