"""All private names of torch that the recorder uses, and what happens where a version of torch lacks one.

No other module uses one: a test reads them all. Each is looked up here by `getattr` with a default, or by `_module`, so
that a test can take it away; `NAMES` says what a recording then lacks. Left out on purpose:

- `Tensor._version` is read directly, on the hottest path; where it is missing, `torch.Tensor` is given a replacement.
- Names that are only compared with what torch reports: of functions that a mode sees (`op_kinds`), of torch's own files
  and modules on the stack. A missing one is never met.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
from collections.abc import Callable
from importlib import import_module
from inspect import signature
from operator import attrgetter, methodcaller
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

NAMES = {
    "DisableTorchFunction": "nothing: the modes are taken off the stack instead, and put back",
    "DisableTorchFunctionSubclass": "needed only where `DisableTorchFunction` is missing; subclasses may then be seen",
    "_len_torch_function_stack": "nothing: the modes are listed instead",
    "_get_function_stack_at": "nothing: the modes are listed instead",
    "_push_on_torch_function_stack": "nothing: `TorchFunctionMode.__enter__` does it",
    "_pop_torch_function_stack": "nothing: `TorchFunctionMode.__exit__` does it",
    "_get_current_function_mode_stack": "needed only where one of the four before is missing",
    "_top_saved_tensors_default_hooks": "nothing: hooks are counted as they are set and taken back",
    "_push_saved_tensors_default_hooks": "operations inside hooks for saved tensors",
    "_pop_saved_tensors_default_hooks": "needed only where `_top_saved_tensors_default_hooks` is missing: with it "
    "missing too, what nodes save is not told once hooks were set",
    "_HookMixin": "what hooks of nodes changed",
    "_register_hook": "what hooks of nodes changed",
    "_jit_get_schemas_for_operator": "the names of most arguments; which ones an operation writes to is told by its "
    "name",
    "_schema": "little: which arguments an operation of `torch.ops` writes to is told by its name; composites are not "
    "seen from inside",
    "_functorch": "how many tensors stand together in `vmap`; composites are not seen from inside",
    "is_functorch_wrapped_tensor": "how many tensors stand together in `vmap`",
    "is_batchedtensor": "how many tensors stand together in `vmap`",
    "maybe_get_bdim": "how many tensors stand together in `vmap`",
    "get_unwrapped": "how many tensors stand together in `vmap`; elements inside transforms, where it was a torch that "
    "does not list them there",
    "_DisableFuncTorch": "elements inside transforms, where it was a torch that does not list them there",
    "peek_interpreter_stack": "which elements an index selects; composites are not seen from inside",
    "torch.utils._python_dispatch": "composites are not seen from inside",
    "TorchDispatchMode": "composites are not seen from inside",
    "_get_current_dispatch_mode_stack": "which elements an index selects; composites are not seen from inside",
    "_cdata": "little: tensors share a memory block where it begins at one address",
    "_is_zerotensor": "the elements of autograd's stand-in for zeros",
    "_nnz": "how many elements a sparse tensor stores",
    "_post_accumulate_grad_hooks": "nothing: each leaf counts as having one",
    "_sequence_nr": "little: nodes count in the order in which the recorder meets them",
    "_raw_saved_": "what nodes save",
    "_saved_": "what nodes save",
    "_forward_cls": "nothing: the type itself is looked at",
    "OptimizeContext": "what is compiled is recorded as far as function modes see it",
    "ScriptMethod": "what a method compiled by `torch.jit` changes is noticed later",
    "_frames_up": "names in the frame of the caller, which `torch.jit.script` may look for",
    "_allgather_base": "nothing: a torch without it has no such collective",
    "_reduce_scatter_base": "nothing: a torch without it has no such collective",
    "_BaseDataLoaderIter": "that operations of a data set are inside of a load",
    "_dataset_fetcher": "nothing: all samples of a load are recorded, not the first alone",
    "_collate_fn": "how many samples a batch has that a data set gave one by one",
    "_next_index": "how many samples a batch has",
    "_in_order": "nothing: batches come in the order in which they were asked for",
    "_reset": "little: how many samples a batch has is wrong after a loop that was left early, with persistent workers",
    "_version": "changes that are neither an operation's by its schema nor a step's of an optimizer",
}
"""What a recording lacks where torch does not have the name."""

_C: Any = torch._C


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


# ------------------------------------------------------------ function modes

_overrides: Any = torch.overrides


def _modes() -> list[Any]:
    """Return the function modes that are on, the innermost last."""
    listed: list[Any] = getattr(_overrides, "_get_current_function_mode_stack", list)()
    return listed


def _push(mode: TorchFunctionMode) -> None:
    TorchFunctionMode.__enter__(mode)


def _pop() -> Any:
    mode = _modes()[-1]
    TorchFunctionMode.__exit__(mode, None, None, None)
    return mode


mode_count: Callable[[], int] = getattr(_C, "_len_torch_function_stack", None) or (lambda: len(_modes()))
mode_at: Callable[[int], Any] = getattr(_C, "_get_function_stack_at", None) or (lambda place: _modes()[place])
push_mode: Callable[[Any], None] = getattr(_C, "_push_on_torch_function_stack", None) or _push
pop_mode: Callable[[], Any] = getattr(_C, "_pop_torch_function_stack", None) or _pop


class _WithoutModes:
    """Takes the function modes off the stack, and puts them back."""

    def __enter__(self) -> None:
        self._modes = [pop_mode() for _ in range(mode_count())]
        self._subclasses = getattr(_C, "DisableTorchFunctionSubclass", contextlib.nullcontext)()
        self._subclasses.__enter__()

    def __exit__(self, *error: object) -> None:
        self._subclasses.__exit__(*error)
        for mode in reversed(self._modes):
            push_mode(mode)


DisableTorchFunction: Any = getattr(_C, "DisableTorchFunction", None) or _WithoutModes
"""Function modes off, and `__torch_function__` of subclasses."""


# ------------------------------------------------------------ hooks

_autograd: Any = getattr(_C, "_autograd", None)
_top_hooks: Any = getattr(_autograd, "_top_saved_tensors_default_hooks", None)
_push_hooks: Any = getattr(_autograd, "_push_saved_tensors_default_hooks", None)
_pop_hooks: Any = getattr(_autograd, "_pop_saved_tensors_default_hooks", None)


class _Pushed(threading.local):
    """The number of saved-tensor hooks that are on in this thread."""

    count = 0


_pushed = _Pushed()


def saved_hooks_are_on() -> bool:
    """Return whether reading what a node saves would run hooks of the learner's."""
    if _top_hooks is not None:
        return _top_hooks(True) is not None
    return _pushed.count > 0


def wrap_saved_hooks(visible: Callable[[Callable[[Any], Any]], Callable[[Any], Any]]) -> None:
    """Pass saved-tensor hooks through `visible` from now on."""
    if _push_hooks is None:
        return

    def push(pack: Callable[[Any], Any], unpack: Callable[[Any], Any]) -> None:
        _push_hooks(visible(pack), visible(unpack))
        _pushed.count += 1

    def pop() -> None:
        _pop_hooks()
        _pushed.count -= 1

    _autograd._push_saved_tensors_default_hooks = push
    if _pop_hooks is not None:
        _autograd._pop_saved_tensors_default_hooks = pop


_HookMixin: Any = getattr(torch.autograd.function, "_HookMixin", None)
register_hook: Any = getattr(_HookMixin, "_register_hook", None)
"""Adds a hook to those of a node; what `Node.register_hook` of a custom Function ends in."""


def replace_register_hook(function: Callable[[Any, Any], Any]) -> None:
    """Let `function` add hooks to nodes from now on."""
    if register_hook is not None:
        _HookMixin._register_hook = staticmethod(function)


# ------------------------------------------------------------ operations

OpOverload: Any = type(torch.ops.aten.add.Tensor)
OpOverloadPacket: Any = type(torch.ops.aten.add)


def schema_of(overload: Any) -> Any:
    """Return the schema of an overload; None where torch has none."""
    return getattr(overload, "_schema", None)


def schemas_named(name: str) -> Any:
    """Return the schemas of the `aten` operations of this name."""
    listed = getattr(_C, "_jit_get_schemas_for_operator", None)
    return [] if listed is None else listed(f"aten::{name}")


# ------------------------------------------------------------ dispatch modes and transforms

_dispatch: Any = _module("torch.utils._python_dispatch")
_dispatch_modes: Any = getattr(_dispatch, "_get_current_dispatch_mode_stack", None)
_dispatch_mode: Any = getattr(_dispatch, "TorchDispatchMode", None)
_transforms: Any = getattr(_C, "_functorch", None)
_peek: Any = getattr(_transforms, "peek_interpreter_stack", None)
_SEES_DISPATCH = all(
    name is not None for name in (_dispatch_modes, _dispatch_mode, _peek, schema_of(torch.ops.aten.add.Tensor))
)


class DispatchMode(_dispatch_mode or object):  # type: ignore[misc]
    """A dispatch mode: sees the calls below autograd."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # skipping it would import it, which takes a second


def may_dispatch() -> bool:
    """Return whether a `DispatchMode` can be put around a call: none is on, and no transform runs."""
    return _SEES_DISPATCH and _peek() is None and not _dispatch_modes()


def together(t: torch.Tensor) -> int:
    """Return how many tensors this one stands for inside `torch.vmap`; 0 elsewhere."""
    names = ("is_functorch_wrapped_tensor", "get_unwrapped", "is_batchedtensor", "maybe_get_bdim")
    is_wrapped, unwrapped, is_batched, dimension = (getattr(_transforms, name, None) for name in names)
    if is_wrapped is None or unwrapped is None or is_batched is None or dimension is None:
        return 0
    count = 0
    while is_wrapped(t):
        inner = unwrapped(t)
        if is_batched(t):
            count = max(count, 1) * inner.shape[dimension(t)]
        t = inner
    return count


WithoutTransforms: Any = getattr(_C, "_DisableFuncTorch", None)
"""Transforms off: operations see tensors as they are; None where torch cannot."""


def below_transforms(t: torch.Tensor) -> torch.Tensor | None:
    """Return what a tensor is below the running transforms; None where it stands for several, or none runs."""
    is_wrapped: Any = getattr(_transforms, "is_functorch_wrapped_tensor", None)
    unwrapped: Any = getattr(_transforms, "get_unwrapped", None)
    missing = WithoutTransforms is None or is_wrapped is None or unwrapped is None or _peek is None
    if missing or _peek() is None or together(t):
        return None
    while is_wrapped(t):
        t = unwrapped(t)
    return t


# ------------------------------------------------------------ tensors


def _address(storage: Any) -> int:
    """Return where a block begins; raise for a storage without memory, since those share an address."""
    address: int = storage.data_ptr()
    if not address:
        raise RuntimeError("a storage without memory")
    return address


_probe = torch.ones(1, requires_grad=True)
storage_id: Callable[[Any], int] = (
    attrgetter("_cdata") if getattr(_probe.untyped_storage(), "_cdata", None) is not None else _address
)
"""What tells one memory block from another."""

if getattr(_probe, "_version", None) is None:
    torch.Tensor._version = property(lambda tensor: 0)  # type: ignore[assignment]


def is_zeros(t: torch.Tensor) -> bool:
    """Return whether `t` is autograd's placeholder for zeros, without memory."""
    return bool(getattr(t, "_is_zerotensor", bool)())


def stored_count(t: torch.Tensor) -> int | None:
    """Return how many elements a sparse tensor stores; None where torch does not say."""
    stored = getattr(t, "_nnz", None)
    return None if stored is None else int(stored())


def has_hooks_after(leaf: torch.Tensor) -> bool:
    """Return whether a leaf has, or may have, post-accumulate-grad hooks."""
    return getattr(leaf, "_post_accumulate_grad_hooks", {}) is not None


def may_lack_hooks_after(leaf: torch.Tensor) -> bool:
    """Return whether a leaf may never have had a post-accumulate-grad hook."""
    return getattr(leaf, "_post_accumulate_grad_hooks", None) is None


# ------------------------------------------------------------ nodes

_node: Any = _probe.exp().grad_fn
_met = itertools.count()
sequence_of: Callable[[Any], int] = (
    methodcaller("_sequence_nr") if getattr(_node, "_sequence_nr", None) is not None else lambda node: next(_met)
)
"""Operations in the order in which they ran."""
_RAW, _SAVED = "_raw_saved_", "_saved_"


def saved_names(kind: type) -> list[str]:
    """Return the names of what nodes of this type save."""
    return [name[len(_RAW) :] for name in dir(kind) if name.startswith(_RAW)]


def attribute_names(kind: type) -> list[str]:
    """Return the names of what nodes of this type save that is no tensor. Reading it runs no hook."""
    saved = set(saved_names(kind))
    return [name for name in dir(kind) if name.startswith(_SAVED) and name[len(_SAVED) :] not in saved]


def attribute_name(name: str) -> str:
    """Return one of those names as it is shown: `dim`."""
    return name[len(_SAVED) :]


def saved_value(node: Any, name: str) -> Any:
    """Return what a node saved under this name; raise what torch raises where it is freed."""
    return getattr(node, _SAVED + name, None)


def is_compiled(kind: type) -> bool:
    """Return whether nodes of this type run a backward that torch has compiled, no Python of the learner's."""
    return getattr(kind, "_forward_cls", kind).__module__.startswith("torch._functorch._aot_autograd.")


# ------------------------------------------------------------ compilers

EVAL_FRAME = "torch._dynamo.eval_frame"
"""Where `torch.compile`, `Module.compile`, `torch._dynamo.optimize` and `torch.export` end. Importing it takes a
second."""


def import_dynamo() -> None:
    """Import what any optimizer imports."""
    _module("torch._dynamo")


def optimize_context(eval_frame: Any) -> Any:
    """Return the class whose instances compile their argument; None in other versions of torch."""
    return getattr(eval_frame, "OptimizeContext", None)


def script_kinds() -> list[Any]:
    """Return the types of what `torch.jit` has compiled."""
    kinds = (torch.jit.ScriptFunction, getattr(_C, "ScriptMethod", None))
    return [kind for kind in kinds if kind is not None]


_FRAMES_UP = "_frames_up"
_script_parameters = signature(torch.jit.script).parameters


def frames_up(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords for `torch.jit.script` called from one frame further in: it reads its caller's names."""
    if _FRAMES_UP not in _script_parameters:
        return kwargs
    return {**kwargs, _FRAMES_UP: kwargs.get(_FRAMES_UP, 0) + 1}


# ------------------------------------------------------------ loading of data

LoaderIterator: Any = getattr(torch.utils.data.dataloader, "_BaseDataLoaderIter", None)


def stacks_samples(iterator: Any) -> bool:
    """Return whether the first dimension of what this iterator of a loader gives has the size of the batch."""
    return getattr(iterator, "_collate_fn", None) is torch.utils.data.default_collate


def samples_of(iterator: Any) -> tuple[Any, str] | None:
    """Return the object from which the iterator of a loader takes single samples, and the attribute of it that gives
    them: a data set, to be indexed, or an iterator. None where other processes do, or all are taken at once."""
    fetcher: Any = getattr(iterator, "_dataset_fetcher", None)
    if hasattr(fetcher, "dataset_iter"):
        return fetcher, "dataset_iter"
    dataset = getattr(fetcher, "dataset", None)
    return None if dataset is None or hasattr(dataset, "__getitems__") else (fetcher, "dataset")


def show_indices(show: Callable[[Any, Any], None]) -> None:
    """Call this with each iterator of a loader that asks for a batch, and the index or indices that it asks for."""
    original: Any = getattr(LoaderIterator, "_next_index", None)
    if original is None:
        return

    @functools.wraps(original)
    def next_index(iterator: Any) -> Any:
        index = original(iterator)
        show(iterator, index)
        return index

    LoaderIterator._next_index = next_index


def is_in_order(iterator: Any) -> bool:
    """Return whether batches come in the order in which this iterator of a loader asks for them."""
    return bool(getattr(iterator, "_in_order", True))


def on_reset(call: Callable[[Any], Any]) -> None:
    """Call this with each iterator of a loader that is about to begin, also one whose workers have run before."""
    original: Any = getattr(LoaderIterator, "_reset", None)
    if original is None:
        return

    @functools.wraps(original)
    def reset(iterator: Any, *args: Any, **kwargs: Any) -> Any:
        call(iterator)
        return original(iterator, *args, **kwargs)

    LoaderIterator._reset = reset


# ------------------------------------------------------------ collectives


def writing_collectives(group: Any) -> list[str]:
    """Return the private methods of `ProcessGroup` that write to tensors, as far as torch has them."""
    names = ("_allgather_base", "_reduce_scatter_base")
    return [name for name in names if getattr(group, name, None) is not None]
