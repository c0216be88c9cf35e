"""Memory blocks and the tensors that look into them: what changes together.

Knows every tensor that the learner's code has met: its number, and what was last recorded of it.

Tensors are never kept alive. A number belongs to a Python object, found by `id` and checked by a weak reference at
each look-up (`id` is reused at once); the dead are told of in sweeps whose cost is shared by the new."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch

from tutor.recorder.autograd_graph import GraphRecorder
from tutor.recorder.originals import name_of
from tutor.recorder.torch_private import storage_id
from tutor.recorder.values import CODES, LIST, dtype_name, fingerprint_of, is_readable, summary_of, unmeasured, value_of
from tutor.trace.events import Gone, Meta, Snapshot


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

    sharing_version: list[TensorRecord] | None = None
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


class StorageTable:
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

    def alias_of(self, t: torch.Tensor) -> TensorRecord | None:
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


_SNAPSHOT = Snapshot.__struct_config__.tag
_META = Meta.__struct_config__.tag
_GONE = Gone.__struct_config__.tag
_strided = torch.strided
_WATCHED = 1 << 16
"""Up to this many elements a value without a trusted version counter is compared at each statement."""


class TensorRecorder:
    """The table of known tensors. Its methods expect function modes to be off."""

    def __init__(self, append: Callable[[Any], None]) -> None:
        self._append = append
        self.graph: GraphRecorder  # set by the recorder, as is the next
        self.on_error: Callable[[Exception], None] = lambda error: None
        self.by_id: dict[int, TensorRecord] = {}
        """By `id`; whoever looks here must check the weak reference."""
        self.memory = StorageTable()
        self._metas: dict[Any, int] = {}
        self._serials = 0
        self._sweep_at = 64
        self._replaced: list[int] = []
        """Tensors that are gone, and whose `id` another one has by now."""
        self.exposed: list[Storage] = []
        self.elements_seen = 0
        """Elements of the large tensors that were met: what measuring may cost is a share of it, not of time, so that
        two machines record alike."""
        self._measured = 0
        self._unlimited = False
        self._marked_changed: set[int] = set()
        """By `id` of their records: tensors that were written to unseen."""
        self._unmeasured: dict[int, TensorRecord] = {}

    def find(self, t: torch.Tensor) -> TensorRecord | None:
        """What is known of `t`, if it was met."""
        known = self.by_id.get(id(t))
        return known if known is not None and known.ref() is t else None

    def register(self, t: torch.Tensor) -> TensorRecord:
        """The record of `t`, made (but nothing sent yet) when it is new."""
        key = id(t)
        known = self.by_id.get(key)
        if known is not None:
            if known.ref() is t:
                return known
            del self.by_id[key]
            self._replaced.append(known.serial)
        if len(self.by_id) + len(self._replaced) >= self._sweep_at:
            self.sweep()
        self._serials += 1
        known = TensorRecord(weakref.ref(t), self._serials)
        self.by_id[key] = known
        return known

    def serial(self, t: torch.Tensor) -> int:
        """The number of `t`; a tensor met for the first time is recorded."""
        return (self.find(t) or self.record_new(t)).serial

    def record_new(self, t: torch.Tensor) -> TensorRecord:
        """Sends the first snapshot of `t`, which no operation was seen to make."""
        known = self.register(t)
        self.record(t, known)
        if is_outside(t):
            self.expose(t)
        return known

    def sweep(self) -> None:
        """Forgets the tensors that are gone, and says so."""
        gone, self._replaced = self._replaced, []
        for key, known in [(key, known) for key, known in self.by_id.items() if known.ref() is None]:
            del self.by_id[key]
            gone.append(known.serial)
        if gone:
            self._append((_GONE, gone))
        self.memory.forget_dead()
        self._sweep_at = 64 + 2 * len(self.by_id)

    # ------------------------------------------------------------ recording

    def record(self, t: torch.Tensor, known: TensorRecord, *, value: bool = True) -> None:
        """Sends a snapshot of `t`; with `value` False its elements are as they were."""
        try:
            self._snapshot(t, known, value)
        except Exception as error:  # the learner's program must not suffer from what we cannot read
            self.on_error(error)

    def record_values(self, t: torch.Tensor, known: TensorRecord) -> None:
        """Sends a snapshot of `t`, whose elements were written to and nothing else: the usual update of a leaf."""
        storage = known.storage
        if not self._is_plain_leaf(t, known) or storage is None or storage.exposed:
            self.record(t, known)
            return
        known.version = version = t._version
        self._append(
            (_SNAPSHOT, known.serial, known.meta, version, storage.serial, None, known.grad or None, t.tolist())
        )

    @staticmethod
    def _is_plain_leaf(t: torch.Tensor, known: TensorRecord) -> bool:
        """Whether `t` is a small leaf of which nothing but the elements can have changed."""
        if not known.small or t.shape != known.shape or t.requires_grad != known.requires_grad:
            return False
        try:
            return t.grad_fn is None
        except RuntimeError:  # torch refuses to tell
            return False

    def _snapshot(self, t: torch.Tensor, known: TensorRecord, value: bool) -> None:
        new_nodes: list[Any] = []
        node: int | None = None
        grad: int | None = None
        grad_tensor: torch.Tensor | None = None
        name: str | None = None
        retains = False
        is_leaf: bool | None = None  # where torch refuses to tell
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
            node = self.graph.node(grad_fn, known.serial, new_nodes)
            retains = t.retains_grad
            if retains:
                grad_tensor = t.grad
        version = version_of(t)
        try:
            shape = t.shape
            layout = t.layout
            dtype = t.dtype
            key = (
                shape, dtype, t.device, t.stride() if layout is _strided else None, requires_grad, name, retains,
                layout, type(t), is_leaf,
            )  # fmt: skip
            meta = self._metas.get(key)
            small = layout is _strided and dtype in CODES and shape.numel() <= LIST
        except Exception:  # nested tensors have no shape, subclasses may refuse anything
            shape, small = torch.Size(), False
            key = (shape, t.dtype, t.device, None, requires_grad, name, retains, t.layout, type(t), is_leaf)
            meta = self._metas.get(key)
        if meta is None:
            meta = self._new_meta(key)
        storage = known.storage
        if storage is None or meta != known.meta:
            storage = self.memory.storage_of(t, known)
        if grad_tensor is not None:
            grad = self.gradient(grad_tensor)
        known.grad = grad or 0
        known.meta = meta
        known.shape = shape
        known.requires_grad = requires_grad
        known.is_leaf = is_leaf is True
        known.small = small and known.is_leaf and version is not None and is_readable(t)
        known.version = version
        shown: Any = None
        if value:
            try:
                shown = t.tolist() if small and is_readable(t) else self._value(t, known)
            except Exception:  # a meta tensor, a wrapper of functorch's: let `value_of` say so
                known.small = False
                shown = self._value(t, known)
        if version is None or (storage is not None and storage.exposed):
            known.fingerprint = fingerprint_of(t, _WATCHED)
        self._append((_SNAPSHOT, known.serial, meta, version, storage.serial if storage else None, node, grad, shown))
        for event in new_nodes:
            self._append(event)

    def place(self, t: torch.Tensor, known: TensorRecord) -> int | None:
        """Notes the memory of a tensor that another event tells of, and gives its number."""
        storage = self.memory.storage_of(t, known)
        return None if storage is None else storage.serial

    def gradient(self, grad: torch.Tensor) -> int:
        """The number of a tensor that stands in a `.grad`."""
        known = self.find(grad)
        if known is None:
            known = self.register(grad)
            self.record(grad, known)
        elif self.has_new_value(grad, known):
            self.record_write(grad, known)
        return known.serial

    def _value(self, t: torch.Tensor, known: TensorRecord) -> Any:
        value = value_of(t)
        if value is None:
            count = t.numel()
            self.elements_seen += count
            if self._unlimited or self._measured + count <= self.elements_seen // 16 + (1 << 22):
                self._measured += count
                summary = summary_of(t)
                if known.storage is not None and known.storage.exposed and count > _WATCHED:
                    summary["note"] += ", in memory shared with what is not torch: as last measured"
                return summary
            self._unmeasured[known.serial] = known
            return unmeasured(t)
        return value

    def measure_all(self) -> None:
        """Sends the statistics of the large tensors that were put off, or are written to unseen, and still live."""
        waiting, self._unmeasured = self._unmeasured, {}
        for storage in self.exposed:
            waiting.update({known.serial: known for known in storage.views if known.fingerprint is None})
        self._unlimited = True
        for known in waiting.values():
            tensor = known.ref()
            if tensor is not None:
                self.record(tensor, known)
        self._unlimited = False

    def record_write(self, t: torch.Tensor, known: TensorRecord) -> None:
        """`t` was written to: all that look into the same memory have changed with it."""
        self.record_values(t, known)
        for other in known.sharing_version or ():
            tensor = other.ref()
            if tensor is not None and self.has_new_value(tensor, other):
                self.record(tensor, other)
        storage = known.storage
        if storage is None or len(storage.views) == 1:
            return
        alive = []
        for other in storage.views:
            tensor = other.ref()
            if tensor is not None:
                alive.append(other)
                if other is not known:
                    self.record_values(tensor, other)
        storage.views = alive

    def record_meta(self, t: torch.Tensor, known: TensorRecord) -> None:
        """Something other than the elements of `t` was changed, which its views may share: `requires_grad`."""
        self.record(t, known, value=known.version == -1)  # one met here may share another's memory
        storage = known.storage
        for view in [] if storage is None else list(storage.views):
            tensor = view.ref()
            if tensor is not None and view is not known and tensor.requires_grad != view.requires_grad:
                self.record(tensor, view, value=False)

    def record_new_storage(self, t: torch.Tensor, known: TensorRecord) -> None:
        """`t.data = ...` gave it other memory; its version counter it still shares with its former views."""
        former = [] if known.storage is None else [view for view in known.storage.views if view is not known]
        for view in former:
            self.share_version_counter(known, view)
        self.memory.forget(known)
        self.record(t, known)
        for view in former:
            tensor = view.ref()
            if tensor is not None and self.has_new_value(tensor, view):
                self.record(tensor, view)

    def share_version_counter(self, known: TensorRecord, other: TensorRecord) -> None:
        """Note that two tensors share a version counter, but not their memory."""
        for first, second in ((known, other), (other, known)):
            first.sharing_version = [*(held for held in first.sharing_version or () if held.ref() is not None), second]

    def has_new_value(self, t: torch.Tensor, known: TensorRecord) -> bool:
        """Whether `t` was written to since it was last recorded, as far as a look at it tells."""
        if known.version is not None:
            return known.version != t._version
        return bool(fingerprint_of(t, _WATCHED) != known.fingerprint)

    def mark_changed(self, tensors: list[torch.Tensor]) -> None:
        """Note that these were written to unseen, whatever their versions say: a fused optimizer in compiled code."""
        self._marked_changed.update(id(known) for tensor in tensors if (known := self.find(tensor)) is not None)

    def record_changed(self) -> None:
        """Records the known tensors that have changed where nobody saw it: in a thread, in compiled code."""
        distrusted, self._marked_changed = self._marked_changed, set()
        for known in list(self.by_id.values()):
            tensor = known.ref()
            if tensor is None or known.version == -1:
                continue
            try:
                is_new = id(known) in distrusted or self.has_new_value(tensor, known)
                if is_new or tensor.shape != known.shape:
                    self.record_write(tensor, known)
                grad = tensor.grad if known.is_leaf else None
                held = None if grad is None else self.find(grad)
                if known.is_leaf and (known.grad if grad is None else held is None or held.serial != known.grad):
                    self.record(tensor, known, value=False)
            except Exception as error:  # the learner's program must not suffer from what we cannot read
                self.on_error(error)

    def record_all(self) -> None:
        """Records all known tensors that live, whether they have changed or not."""
        for known in list(self.by_id.values()):
            tensor = known.ref()
            if tensor is not None:
                self.record(tensor, known)

    def expose(self, t: torch.Tensor) -> Storage | None:
        """Note that the memory of `t` can be written to unseen from now on (numpy, a raw pointer, another process).

        Returns that memory, or None where this was known.
        """
        known = self.register(t)
        if known.storage is None:
            self.record(t, known)
        storage = known.storage
        if storage is None or storage.exposed:
            return None
        self.expose_storage(storage)
        return storage

    def expose_storage(self, storage: Storage) -> None:
        """Note that this memory can be written to unseen from now on."""
        storage.exposed = True
        self.exposed.append(storage)
        for view in storage.views:
            tensor = view.ref()
            if tensor is not None:
                view.fingerprint = fingerprint_of(tensor, _WATCHED)
                if view.fingerprint is None and view.version != -1:
                    self.record(tensor, view)  # to say so

    def unexpose_storage(self, storage: Storage) -> None:
        """Note that this memory is no longer written to unseen, and record what it holds."""
        storage.exposed = False
        if storage in self.exposed:
            self.exposed.remove(storage)
        for known in storage.views:
            tensor = known.ref()
            if tensor is not None:
                self.record(tensor, known)

    def record_exposed(self) -> None:
        """Records the tensors whose memory was changed from outside."""
        for storage in self.exposed:
            for known in storage.views:
                tensor = known.ref()
                if tensor is not None and fingerprint_of(tensor, _WATCHED) != known.fingerprint:
                    self.record(tensor, known)
        self.exposed = [storage for storage in self.exposed if any(k.ref() is not None for k in storage.views)]

    # ------------------------------------------------------------ what rarely changes

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
