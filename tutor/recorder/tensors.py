"""Record tensors: their numbers, their values, the memory they share, and when they are gone.

Tensors are never kept alive. A number belongs to a Python object, found by `id` and checked by a weak reference at
each look-up (an `id` is reused at once). Dead ones are reported in sweeps, whose cost is shared among the new ones.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch

from tutor.recorder.autograd_graph import GraphRecorder
from tutor.recorder.originals import name_of
from tutor.recorder.torch_private import storage_id
from tutor.recorder.values import CODES, FULL, dtype_name, fingerprint_of, is_readable, summary_of, unmeasured, value_of
from tutor.trace.events import Gone, Meta, Snapshot


class TensorRecord:
    """What was last recorded of one tensor.

    Class attributes, not slots with an `__init__`: half of the tensors are temporaries, and this is on the hot path.
    """

    version: int | None = -1
    meta = 0
    offset: Any = 0
    """Where it begins in its storage."""
    shape: Any = None
    requires_grad = False
    is_leaf = True
    is_listed = False
    """Whether it is a leaf whose elements are recorded one by one, which can be done the fast way."""
    storage: Storage | None = None
    grad = 0
    fingerprint: Any = None
    """Of the value last seen, where no version counter shows changes."""

    sharing_version: list[TensorRecord] | None = None
    """Tensors that share its version counter, but not its memory."""

    def __init__(self, ref: weakref.ref[torch.Tensor], serial: int) -> None:
        self.ref = ref
        self.serial = serial


class Storage:
    """One memory block, and the tensors seen to look into it."""

    exposed = False
    """Whether it can be written to without torch seeing it."""

    def __init__(self, serial: int, view: TensorRecord) -> None:
        self.serial = serial
        self.views = [view]


class StorageTable:
    """The memory blocks, by the address of the storage's C++ object."""

    def __init__(self) -> None:
        self._storages: dict[int, Storage] = {}
        self._serials = 0

    def storage_of(self, t: torch.Tensor, record: TensorRecord) -> Storage | None:
        """Return the block that `t` looks into, and register `record` with it alone; None for a tensor without one."""
        try:
            address = storage_id(t.untyped_storage())
        except Exception:  # sparse tensors and wrappers have none
            return None
        storage = self._storages.get(address)
        if record.storage is not None:
            if record.storage is storage:
                return storage
            self.forget(record)  # torch.load gives a tensor its memory together with its shape
        if storage is not None:
            for view in storage.views:
                if view.ref() is not None:
                    break
            else:  # the address of a block that is gone
                storage = None
        if storage is None:
            self._serials = serial = self._serials + 1
            storage = self._storages[address] = Storage(serial, record)
        else:
            storage.views.append(record)
        record.storage = storage
        return storage

    def alias_of(self, t: torch.Tensor) -> TensorRecord | None:
        """Return the record of a known tensor with the memory, shape and history of `t` (w, for `w.data`)."""
        try:
            storage = self._storages.get(storage_id(t.untyped_storage()))
            if storage is not None:
                for record in storage.views:
                    tensor = record.ref()
                    if tensor is not None and tensor.data_ptr() == t.data_ptr() and tensor.shape == t.shape:
                        return record if grad_fn_of(tensor) is grad_fn_of(t) and tensor.dtype == t.dtype else None
        except Exception:  # no storage at all
            return None
        return None

    def forget(self, record: TensorRecord) -> None:
        """Remove a record from its block, as the tensor may have moved to another."""
        storage, record.storage = record.storage, None
        if storage is not None and record in storage.views:
            storage.views.remove(record)

    def forget_dead(self) -> None:
        """Drop the blocks that no living tensor looks into."""
        for key, storage in list(self._storages.items()):
            storage.views = [record for record in storage.views if record.ref() is not None]
            if not storage.views:
                del self._storages[key]


def grad_fn_of(t: torch.Tensor) -> Any:
    """Return the node that made `t`; None for a leaf, and where torch raises.

    It raises for a view made under `no_grad`, or by an operation with several outputs, whose base was written to since.
    """
    try:
        return t.grad_fn
    except RuntimeError:
        return None


def version_of(t: torch.Tensor) -> int | None:
    """Return the version of `t`; None for a tensor made in `inference_mode`, which has no counter."""
    try:
        return t._version
    except RuntimeError:
        return None


def looks_into(t: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether `t` already has the memory and layout that `t.data = other` would give it."""
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
    """Return whether two tensors in the same block may share elements: whether their address ranges meet."""
    first, last = _stretch(t)
    begin, end = _stretch(other)
    return first < end and begin < last


def _stretch(t: torch.Tensor) -> tuple[int, int]:
    """Return the first address of a tensor, and the one after its last."""
    if not t.numel():
        return 0, 0
    start, size = t.data_ptr(), t.element_size()
    return start, start + size * (1 + sum((n - 1) * stride for n, stride in zip(t.shape, t.stride(), strict=True)))


def is_outside(t: torch.Tensor) -> bool:
    """Return whether the memory of `t` is not torch's (`torch.from_numpy`), so that torch cannot resize it."""
    try:
        return not t.untyped_storage().resizable()
    except Exception:  # no storage at all
        return False


# ------------------------------------------------------------ the recorder of tensors

_SNAPSHOT = Snapshot.__struct_config__.tag
_META = Meta.__struct_config__.tag
_GONE = Gone.__struct_config__.tag
_strided = torch.strided
_AN_OPERATION, _A_MEASUREMENT = 1 << 13, 1 << 14
"""What they cost apart from their elements, in elements of about 2 ns."""
_FREE = 1 << 23
"""What may be measured in any case, in elements."""
_KEPT = 1 << 11
"""Most values that are kept, of up to 8 kB."""
_WATCHED = 1 << 16
"""Values of at most this many elements are compared at each statement, where versions do not show changes."""


class TensorRecorder:
    """Record snapshots of tensors, and keep the table of known ones. Function modes must be off.

    Attributes:
        by_id: The records by `id` of their tensors; a caller must check the weak reference.
        storages: The memory blocks.
        exposed: Blocks that can be written to unseen; they are compared at each statement.
    """

    def __init__(self, append: Callable[[Any], None]) -> None:
        self._append = append
        self.graph: GraphRecorder  # set by the recorder, like `on_error`
        self.on_error: Callable[[Exception], None] = lambda error: None
        self.by_id: dict[int, TensorRecord] = {}
        self.storages = StorageTable()
        self._metas: dict[Any, int] = {}
        self._serials = 0
        self._sweep_at = 64
        self._replaced: list[int] = []
        """Numbers of dead tensors whose `id` another one has by now."""
        self.exposed: list[Storage] = []
        self._seen = 0
        """What the large tensors met have cost to compute, in elements. Measuring may take a share of that, and not of
        the clock, so that two machines record alike."""
        self._measured = 0
        self._unlimited = False
        self._marked_changed: set[int] = set()
        """Tensors that were written to unseen, by `id` of their records."""
        self._unmeasured: dict[int, TensorRecord] = {}
        self._values: dict[int, tuple[int | None, Any]] = {}
        """The values recorded last, each with the version that the tensor then had, by the tensor's number."""

    def value(self, t: torch.Tensor) -> Any:
        """As `value_of`; what was recorded where it has not changed since."""
        record = self.find(t)
        if record is not None and record.storage is not None and not record.storage.exposed:
            version, value = self._values.get(record.serial, (None, None))
            if version is not None and version == t._version:
                return value
        return value_of(t)

    def keep_value(self, record: TensorRecord, version: int | None, value: Any) -> None:
        """Keep what was recorded of a tensor, as `value_of` returns it, for `value`."""
        if len(self._values) >= _KEPT:
            self._values.clear()
        self._values[record.serial] = version, value

    def find(self, t: torch.Tensor) -> TensorRecord | None:
        """Return the record of `t`; None if it is unknown."""
        record = self.by_id.get(id(t))
        return record if record is not None and record.ref() is t else None

    def register(self, t: torch.Tensor) -> TensorRecord:
        """Return the record of `t`; make one, without sending anything, if it is unknown."""
        key = id(t)
        record = self.by_id.get(key)
        if record is not None:
            if record.ref() is t:
                return record
            del self.by_id[key]
            self._replaced.append(record.serial)
        if len(self.by_id) + len(self._replaced) >= self._sweep_at:
            self.sweep()
        self._serials += 1
        record = TensorRecord(weakref.ref(t), self._serials)
        self.by_id[key] = record
        return record

    def serial(self, t: torch.Tensor) -> int:
        """Return the number of `t`; record it if it is unknown."""
        return (self.find(t) or self.record_new(t)).serial

    def record_new(self, t: torch.Tensor) -> TensorRecord:
        """Send the first snapshot of `t`, which no recorded operation made."""
        record = self.register(t)
        self.record(t, record)
        if is_outside(t):
            self.expose(t)
        return record

    def sweep(self) -> None:
        """Forget the tensors that are gone, and send their numbers."""
        gone, self._replaced = self._replaced, []
        for key, record in [(key, record) for key, record in self.by_id.items() if record.ref() is None]:
            del self.by_id[key]
            gone.append(record.serial)
        if gone:
            self._append((_GONE, gone))
        self.storages.forget_dead()
        self._sweep_at = 64 + 2 * len(self.by_id)

    # ------------------------------------------------------------ recording

    def record(self, t: torch.Tensor, record: TensorRecord, *, value: bool = True) -> None:
        """Send a snapshot of `t`; without its elements where `value` is False."""
        try:
            self._snapshot(t, record, value)
        except Exception as error:  # an unreadable tensor must not stop the learner's program
            self.on_error(error)

    def record_values(self, t: torch.Tensor, record: TensorRecord) -> None:
        """Send a snapshot of `t`, of which only the elements have changed: fast for leaves that are not large."""
        storage = record.storage
        try:
            is_plain = (
                record.is_listed
                and storage is not None
                and not storage.exposed
                and t.shape == record.shape
                and t.requires_grad == record.requires_grad
                and t.grad_fn is None
            )
        except RuntimeError:  # torch raises
            is_plain = False
        if not is_plain:
            self.record(t, record)
            return
        record.version = version = t._version
        value = value_of(t)
        self.keep_value(record, version, value)
        event = (_SNAPSHOT, record.serial, record.meta, version, storage.serial, None, record.grad or None, value)  # type: ignore[union-attr]
        self._append((*event, record.offset) if record.offset else event)

    def _snapshot(self, t: torch.Tensor, record: TensorRecord, value: bool) -> None:
        new_nodes: list[Any] = []
        node: int | None = None
        grad: int | None = None
        grad_tensor: torch.Tensor | None = None
        name: str | None = None
        retains = False
        is_leaf: bool | None = None  # where torch raises
        try:
            grad_fn = t.grad_fn
            is_leaf = grad_fn is None
        except RuntimeError:
            grad_fn = None
        if grad_fn is None:
            requires_grad = t.requires_grad
            grad_tensor = t.grad if is_leaf else None
        else:
            requires_grad = True
            name = type(grad_fn).__name__
            node = self.graph.node(grad_fn, record.serial, new_nodes)
            retains = t.retains_grad
            if retains:
                grad_tensor = t.grad
        try:
            version = t._version
        except RuntimeError:
            version = None
        try:
            shape = t.shape
            layout = t.layout
            dtype = t.dtype
            key = (
                shape, dtype, t.device, t.stride() if layout is _strided else None, requires_grad, name, retains,
                layout, type(t), is_leaf,
            )  # fmt: skip
            meta = self._metas.get(key)
            is_listed = layout is _strided and dtype in CODES and shape.numel() <= FULL
        except Exception:  # nested tensors have no shape, subclasses may refuse anything
            shape, is_listed = torch.Size(), False
            key = (shape, t.dtype, t.device, None, requires_grad, name, retains, t.layout, type(t), is_leaf)
            meta = self._metas.get(key)
        if meta is None:
            meta = self._new_meta(key)
        storage = record.storage
        if storage is None or meta != record.meta:
            storage = self.storages.storage_of(t, record)
        if grad_tensor is not None:
            grad = self.gradient(grad_tensor)
        record.grad = grad or 0
        record.meta = meta
        record.shape = shape
        record.requires_grad = requires_grad
        record.is_leaf = is_leaf is True
        record.is_listed = is_listed and record.is_leaf and version is not None and is_readable(t)
        record.version = version
        value_sent: Any = None
        if value:
            value_sent = value_of(t)
            if value_sent is None:
                value_sent = self._summary(t, record)
            elif type(value_sent) is dict and "data" not in value_sent:  # a meta tensor, a wrapper of functorch's
                record.is_listed = False
        if version is None or (storage is not None and storage.exposed):
            record.fingerprint = fingerprint_of(t, _WATCHED)
        event = _SNAPSHOT, record.serial, meta, version, storage.serial if storage else None, node, grad, value_sent
        record.offset = 0 if storage is None else t.storage_offset()
        self._append((*event, record.offset) if record.offset else event)
        for event in new_nodes:
            self._append(event)

    def storage_serial(self, t: torch.Tensor, record: TensorRecord) -> int | None:
        """Register the memory of a tensor that another event describes; return the number of the block."""
        storage = self.storages.storage_of(t, record)
        return None if storage is None else storage.serial

    def gradient(self, grad: torch.Tensor) -> int:
        """Return the number of a `.grad`; record it if it is new or has changed."""
        record = self.find(grad)
        if record is None:
            record = self.register(grad)
            self.record(grad, record)
        elif self.has_new_value(grad, record):
            self.record_write(grad, record)
        return record.serial

    def _summary(self, t: torch.Tensor, record: TensorRecord) -> Any:
        """Return what is recorded of a large tensor."""
        count = t.numel()
        self._seen += count + _AN_OPERATION
        if self._unlimited or self.may_measure(count):
            summary = summary_of(t)
            if record.storage is not None and record.storage.exposed and count > _WATCHED:
                summary["note"] += ", in memory shared with what is not torch: as last measured"
            return summary
        self._unmeasured[record.serial] = record
        return unmeasured(t)

    def may_measure(self, count: int) -> bool:
        """Return whether there is time to measure a tensor of `count` elements, and take that time."""
        cost = count + _A_MEASUREMENT
        if self._measured + cost > self._seen // 8 + _FREE:
            return False
        self._measured += cost
        return True

    def measure_all(self) -> None:
        """Send the postponed statistics of large living tensors, and those of tensors written to unseen."""
        waiting, self._unmeasured = self._unmeasured, {}
        for storage in self.exposed:
            waiting.update({record.serial: record for record in storage.views if record.fingerprint is None})
        self._unlimited = True
        for record in waiting.values():
            tensor = record.ref()
            if tensor is not None:
                self.record(tensor, record)
        self._unlimited = False

    def record_write(self, t: torch.Tensor, record: TensorRecord) -> None:
        """Record `t` after a write, and every tensor that shares its memory or version counter."""
        self.record_values(t, record)
        for other in record.sharing_version or ():
            tensor = other.ref()
            if tensor is not None and self.has_new_value(tensor, other):
                self.record(tensor, other)
        storage = record.storage
        if storage is None or len(storage.views) == 1:
            return
        alive = []
        for other in storage.views:
            tensor = other.ref()
            if tensor is not None:
                alive.append(other)
                if other is not record:
                    self.record_values(tensor, other)
        storage.views = alive

    def record_meta(self, t: torch.Tensor, record: TensorRecord) -> None:
        """Record `t` and its views after a change of `requires_grad` or the like, without their elements."""
        self.record(t, record, value=record.version == -1)  # a new one may share another's memory
        storage = record.storage
        for view in [] if storage is None else list(storage.views):
            tensor = view.ref()
            if tensor is not None and view is not record and tensor.requires_grad != view.requires_grad:
                self.record(tensor, view, value=False)

    def record_new_storage(self, t: torch.Tensor, record: TensorRecord) -> None:
        """Record `t` after `t.data = ...`: it has other memory, but shares its version with its former views."""
        former = [] if record.storage is None else [view for view in record.storage.views if view is not record]
        for view in former:
            self.share_version_counter(record, view)
        self.storages.forget(record)
        self.record(t, record)
        for view in former:
            tensor = view.ref()
            if tensor is not None and self.has_new_value(tensor, view):
                self.record(tensor, view)

    def share_version_counter(self, record: TensorRecord, other: TensorRecord) -> None:
        """Note that two tensors share a version counter, but not their memory."""
        for first, second in ((record, other), (other, record)):
            first.sharing_version = [*(held for held in first.sharing_version or () if held.ref() is not None), second]

    def has_new_value(self, t: torch.Tensor, record: TensorRecord) -> bool:
        """Return whether `t` was written to since it was last recorded, by its version or fingerprint."""
        if record.version is not None:
            return record.version != t._version
        return bool(fingerprint_of(t, _WATCHED) != record.fingerprint)

    def mark_changed(self, tensors: list[torch.Tensor]) -> None:
        """Note that these were written to, whatever their versions: by a fused optimizer in compiled code."""
        self._values.clear()
        self._marked_changed.update(id(record) for tensor in tensors if (record := self.find(tensor)) is not None)

    def record_changed(self) -> None:
        """Record the known tensors that were changed unseen: in a thread, in compiled code."""
        distrusted, self._marked_changed = self._marked_changed, set()
        for record in list(self.by_id.values()):
            tensor = record.ref()
            if tensor is None or record.version == -1:
                continue
            try:
                is_new = id(record) in distrusted or self.has_new_value(tensor, record)
                if is_new or tensor.shape != record.shape:
                    self.record_write(tensor, record)
                grad = tensor.grad if record.is_leaf else None
                held = None if grad is None else self.find(grad)
                if record.is_leaf and (record.grad if grad is None else held is None or held.serial != record.grad):
                    self.record(tensor, record, value=False)
            except Exception as error:  # an unreadable tensor must not stop the learner's program
                self.on_error(error)

    def record_all(self) -> None:
        """Record all living known tensors, changed or not."""
        for record in list(self.by_id.values()):
            tensor = record.ref()
            if tensor is not None:
                self.record(tensor, record)

    def expose(self, t: torch.Tensor) -> Storage | None:
        """Note that the memory of `t` can be written to unseen from now on (numpy, a raw pointer, another process).

        Returns:
            The memory block; None if it was exposed already.
        """
        record = self.register(t)
        if record.storage is None:
            self.record(t, record)
        storage = record.storage
        if storage is None or storage.exposed:
            return None
        self.expose_storage(storage)
        return storage

    def expose_storage(self, storage: Storage) -> None:
        """Note that this block can be written to unseen from now on."""
        storage.exposed = True
        self.exposed.append(storage)
        for view in storage.views:
            tensor = view.ref()
            if tensor is not None:
                view.fingerprint = fingerprint_of(tensor, _WATCHED)
                if view.fingerprint is None and view.version != -1:
                    self.record(tensor, view)  # as unmeasured

    def unexpose_storage(self, storage: Storage) -> None:
        """Note that this block is no longer written to unseen, and record what it holds."""
        storage.exposed = False
        if storage in self.exposed:
            self.exposed.remove(storage)
        for record in storage.views:
            tensor = record.ref()
            if tensor is not None:
                self.record(tensor, record)

    def record_exposed(self) -> None:
        """Record the tensors whose exposed memory has changed."""
        for storage in self.exposed:
            for record in storage.views:
                tensor = record.ref()
                if tensor is not None and fingerprint_of(tensor, _WATCHED) != record.fingerprint:
                    self.record(tensor, record)
        self.exposed = [storage for storage in self.exposed if any(k.ref() is not None for k in storage.views)]

    # ------------------------------------------------------------ metadata

    def _new_meta(self, key: Any) -> int:
        shape, dtype, device, strides, requires_grad, name, retains, layout, kind, is_leaf = key
        meta = self._metas[key] = len(self._metas) + 1
        self._append(
            (
                _META, meta, tuple(int(n) for n in shape), dtype_name(dtype), str(device),
                None if strides is None else tuple(int(n) for n in strides), requires_grad, is_leaf, name, retains,
                str(layout).removeprefix("torch."), name_of(kind),
            )
        )  # fmt: skip
        return meta
