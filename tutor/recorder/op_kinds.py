"""Classify calls into torch: their kinds, their names, the composites around them, and the parts of composites.

Parts are the operations that `cross_entropy` or `linear` call in C++. A function mode sees a composite as one call, a
dispatch mode the calls below autograd. One is put around these composites only, as it makes some others (`einsum`,
`reshape`) build another graph than in a plain run. The tests compare the graphs with and without it.
"""

from __future__ import annotations

import os
import types
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn import Parameter

from tutor.recorder.call_sites import STAND_IN, CallSite, OpSite, SourceRecorder
from tutor.recorder.originals import name_of, torch_function
from tutor.recorder.torch_private import DisableTorchFunction, DispatchMode, OpOverload, may_dispatch, schema_of

_TORCH = os.path.dirname(torch.__file__) + os.sep
_MODULES = os.path.join(_TORCH, "nn", "modules") + os.sep
_TRANSPARENT = tuple(
    os.path.join(_TORCH, *parts)
    for parts in (
        ("overrides.py",), ("_tensor.py",), ("functional.py",), ("nn", "functional.py"), ("_jit_internal.py",),
        ("utils", "_device.py"), ("utils", "_contextlib.py"), ("_compile.py",), ("autograd", "function.py"),
        ("autograd", "__init__.py"), ("autograd", "graph.py"), ("autograd", "forward_ad.py"),
        ("_functorch", "functional_call.py"), ("_functorch", "predispatch.py"), ("nn", "utils", "stateless.py"),
    )
)  # fmt: skip
_FUNCTORCH = os.path.join(_TORCH, "_functorch") + os.sep
_CHECKPOINT = os.path.join(_TORCH, "utils", "checkpoint.py")
_SAVING = os.path.join(_TORCH, "autograd", "graph.py")
_FUNCTIONAL = os.path.join(_TORCH, "autograd", "functional.py")
_TRANSFORMS = {
    "grad": "torch.func.grad", "grad_and_value": "torch.func.grad_and_value", "vmap": "torch.vmap",
    "chunk_vmap": "torch.vmap", "jacrev": "torch.func.jacrev", "jacfwd": "torch.func.jacfwd", "vjp": "torch.func.vjp",
    "_vjp_with_argnums": "torch.func.vjp", "jvp": "torch.func.jvp", "hessian": "torch.func.hessian",
    "linearize": "torch.func.linearize", "functionalize": "torch.func.functionalize",
}  # fmt: skip
"""The names of transforms, by the torch functions that they begin with."""
_FORWARD = ("forward", "_call_impl", "_wrapped_call_impl", "__call__")

IGNORE, PLAIN, LEAVES, BACKWARD, GRAD_READ, SET_DATA, SET_GRAD = range(7)
META, HOOK, OUTSIDE, RESHAPE, STATISTICS, POINTER, CONVERTING, PARTS = range(7, 15)
"""Kinds of calls, in this order: not recorded; an operation; one whose result leaves torch; a backward pass; reading
`.grad`; writing `.data`; writing `.grad`; changing metadata but no element; registering a hook; sharing memory;
reshaping in place; writing running statistics; exposing memory that can then be written to unseen; converting to a
Python number, which may warn; reading the parts of a sparse tensor."""

_QUIET = {
    "dim", "size", "numel", "nelement", "stride", "element_size", "is_floating_point", "is_complex", "is_contiguous",
    "storage_offset", "get_device", "is_pinned", "ndimension", "__repr__", "__str__", "__hash__", "__deepcopy__",
    "__reduce_ex__", "is_shared", "is_same_size", "is_tensor", "is_storage", "is_signed", "is_inference", "is_conj",
    "is_neg", "is_set_to", "has_names", "_is_view", "__dir__", "dense_dim", "sparse_dim", "result_type", "can_cast",
    "is_grad_enabled", "get_default_dtype", "_nnz", "__dlpack_device__", "custom_function_call",
    "_record_function_enter", "_record_function_enter_new", "_record_function_exit",
}  # fmt: skip
_LEAVING = {"item", "tolist", "numpy", "__array__", "__dlpack__"}
_OUTSIDE = {"as_tensor", "asarray", "frombuffer", "from_dlpack", "from_file"}
_META_CHANGES = {"requires_grad_", "retain_grad", "detach_", "share_memory_", "rename_"}
_CONVERTING = {
    "__format__", "__bool__", "__float__", "__int__", "__complex__", "__index__", "__contains__", "__iter__", "__len__",
    "is_nonzero",
}  # fmt: skip
_POINTERS = {"data_ptr", "untyped_storage", "storage", "_typed_storage", "const_data_ptr", "mutable_data_ptr"}
_PARTS = {"values", "_values", "indices", "_indices", "crow_indices", "col_indices", "ccol_indices", "row_indices"}
_RESHAPES = {
    "set_", "resize_", "resize_as_", "resize_as_sparse_", "sparse_resize_", "sparse_resize_and_clear_", "t_",
    "transpose_", "swapaxes_", "swapdims_", "squeeze_", "unsqueeze_", "as_strided_",
}  # fmt: skip
_GIVES_TENSOR = {"T", "mT", "H", "mH", "real", "imag"}


def kind_of(func: Any) -> int:
    """Return the kind of a call."""
    if func in (
        torch_function(torch.Tensor, "backward"),
        torch_function(torch.autograd, "backward"),
        torch_function(torch.autograd, "grad"),
    ):
        return BACKWARD
    if func in (
        torch_function(torch.nn.functional, "batch_norm"),
        torch_function(torch.nn.functional, "instance_norm"),
    ):
        return STATISTICS
    name = _name_of(func)
    if name in ("__get__", "__set__", "__delete__"):
        attribute = getattr(getattr(func, "__self__", None), "__name__", "")
        if name == "__get__":
            return GRAD_READ if attribute == "grad" else PLAIN if attribute in _GIVES_TENSOR else IGNORE
        return {"data": SET_DATA, "grad": SET_GRAD, "_backward_hooks": IGNORE}.get(attribute, META)
    if name in _LEAVING:
        return LEAVES
    if name in _OUTSIDE:
        return OUTSIDE
    if name in _META_CHANGES:
        return META
    if name in _RESHAPES:
        return RESHAPE
    if name in _POINTERS:
        return POINTER
    if name in _PARTS:
        return PARTS
    if name in _CONVERTING:
        return CONVERTING
    if name in ("register_hook", "register_post_accumulate_grad_hook"):
        return HOOK
    return IGNORE if name in _QUIET else PLAIN


def _name_of(func: Any) -> str:
    """Return the name of a function, without that of an overload (`torch.ops.aten.add_.Tensor`)."""
    name = str(getattr(func, "__name__", ""))
    return name.partition(".")[0] if isinstance(func, OpOverload) else name


def op_name(func: Any) -> str:
    """Return the name to show: `__rsub__` is rsub; `t.grad = …` is set_grad."""
    name = _name_of(func) or type(func).__name__
    if name in ("__get__", "__set__", "__delete__"):
        attribute = str(getattr(getattr(func, "__self__", None), "__name__", "attribute"))
        return attribute if name == "__get__" else f"set_{attribute}"
    if name.startswith("__") and name.endswith("__"):
        return name[2:-2]
    return name.lstrip("_") or name


def is_inplace(func: Any, kwargs: dict[str, Any]) -> bool:
    """Return whether by its name the call writes to an argument."""
    name = _name_of(func)
    if name.startswith("__") and name.endswith("__"):
        return name in ("__setitem__", "__set__", "__delete__") or (name[2] == "i" and name[2:-2] in _INPLACE)
    return (name.endswith("_") and not name.endswith("__")) or kwargs.get("out") is not None


def statistics(func: Any, args: Any, kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """Return the running mean and variance that a normalisation wrote to without raising their versions."""
    arguments = (
        dict(zip(("input", "running_mean", "running_var", "weight", "bias", "wrote"), args, strict=False)) | kwargs
    )
    usual = func is torch.nn.functional.instance_norm
    wrote = arguments.get("wrote", arguments.get("training", arguments.get("use_input_stats", usual)))
    written = (arguments.get("running_mean"), arguments.get("running_var")) if wrote else ()
    return [tensor for tensor in written if tensor is not None]


_INPLACE = {
    "iadd", "isub", "imul", "itruediv", "idiv", "ifloordiv", "imod", "ipow", "imatmul", "iand", "ior", "ixor",
    "ilshift", "irshift",
}  # fmt: skip


def composite(frame: types.FrameType | None, learner: types.FrameType) -> tuple[int, str | None]:
    """Return the depth of an operation called from `frame` in a library's composites, and the name of the outermost.

    Not a composite are the `forward` of torch's own modules, and functions that merely pass a call on.
    """
    outermost: types.FrameType | None = None
    inside_forward = False
    frames = []
    while frame is not None and frame is not learner and frame.f_code.co_name != STAND_IN:
        frames.append(frame)
        frame = frame.f_back
    for frame in reversed(frames):
        code = frame.f_code
        path = code.co_filename
        if path.startswith(_FUNCTORCH) and (name := _TRANSFORMS.get(code.co_qualname.partition(".")[0])) is not None:
            return 1, name
        if path == _CHECKPOINT:
            return 1, "checkpoint"
        if path == _SAVING and code.co_qualname.startswith("save_on_cpu."):
            return 1, "save_on_cpu"
        if path.startswith(_MODULES) and (inside_forward or code.co_name in _FORWARD):
            inside_forward = True
        elif not path.startswith(_TRANSPARENT) and "<locals>" not in code.co_qualname and outermost is None:
            outermost = frame
    if outermost is None:
        return 0, None
    code = outermost.f_code
    owner = outermost.f_locals.get("self") if "self" in code.co_varnames[:1] else None
    if owner is not None:
        return 1, f"{name_of(type(owner))}.{code.co_name}"
    return 1, f"torch.autograd.functional.{code.co_name}" if code.co_filename == _FUNCTIONAL else code.co_qualname


_WHOLE = frozenset({torch.Tensor, Parameter})
_is_tracing: Any = torch.jit.is_tracing  # type: ignore[attr-defined]
_SILENT = frozenset({
    "detach", "alias", "lift_fresh", "scalar_tensor", "empty", "empty_like", "new_empty", "local_scalar_dense",
})  # fmt: skip
"""Calls that torch makes for itself."""
_overloads: dict[int, tuple[Any, str]] = {}
"""The overloads seen in composites, and their names, by `id`: comparing two is slow."""

COMPOSITES: frozenset[Any] = frozenset({
    F.linear, F.cross_entropy, F.cosine_similarity, F.kl_div, F.triplet_margin_loss, F.margin_ranking_loss,
    F.hinge_embedding_loss, F.cosine_embedding_loss, F.multilabel_soft_margin_loss, F.normalize, F.pairwise_distance,
    F.poisson_nll_loss, F.gaussian_nll_loss, F.rms_norm,
})  # fmt: skip
PRODUCTS: frozenset[Any] = frozenset({torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__})
"""Composites where a factor has more than two dimensions."""


def is_composite(func: Any, args: Any) -> bool:
    """Return whether the parts of this call can be seen without changing them."""
    tensors = [argument for argument in args if isinstance(argument, torch.Tensor)]
    if func in PRODUCTS:
        if len(tensors) != 2 or not _is_plain_product(*tensors):
            return False
    elif func not in COMPOSITES or (func is F.linear and not (tensors and tensors[0].is_contiguous())):
        return False
    return all(type(argument) in _WHOLE for argument in tensors) and not _is_tracing() and may_dispatch()


def _is_plain_product(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Return whether no factor is expanded or copied: torch would call `reshape`, which a dispatch mode changes."""
    if left.dim() <= 2 or not left.is_contiguous():
        return False
    return right.dim() <= 2 or (right.is_contiguous() and left.shape[:-2] == right.shape[:-2])


class CompositeRecorder:
    """Calls composites and records their parts.

    Args:
        code: Numbers the sites.
        record: Records an operation.
        on_error: Called with an error of the recorder.
    """

    def __init__(
        self, code: SourceRecorder, record: Callable[..., None], on_error: Callable[[Exception], None]
    ) -> None:
        self._code = code
        self._record = record
        self._on_error = on_error
        self._sites: dict[tuple[int, str], OpSite] = {}

    def call(self, place: CallSite, func: Any, args: Any, kwargs: dict[str, Any], site: OpSite, frame: int) -> Any:
        """Call the composite at `site` and record its parts; return its result."""
        calls = _DispatchedCalls(lambda name, *call: self._record_call(site, frame, name, *call))
        with calls:
            result = place.call(func, args, kwargs)
        calls.flush()
        return result

    def _record_call(self, outer: OpSite, frame: int, name: str, *call: Any) -> None:
        site = self._sites.get((outer.serial, name))
        if site is None:
            site = self._sites[outer.serial, name] = self._code.inner_site(outer, name)
        try:
            with DisableTorchFunction():
                self._record(PLAIN, *call, site, frame)
        except Exception as error:  # our errors must not stop the learner's program
            self._on_error(error)


class _DispatchedCalls(DispatchMode):
    """The calls of one composite, recorded one by one.

    A call is recorded when the next one comes: by then autograd has given its result a `grad_fn`, and no in-place call
    has changed it.
    """

    def __init__(self, record: Callable[..., None]) -> None:
        super().__init__()
        self._record = record
        self._last: tuple[Any, ...] | None = None
        self._results: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if kwargs is None:
            kwargs = {}
        named = _overloads.get(id(func))
        if named is None:
            named = func, schema_of(func).name.rpartition("::")[2].lstrip("_").removesuffix("_forward")
            _overloads[id(func)] = named
        name = named[1]
        if name in _SILENT:
            return func(*args, **kwargs)
        if self._last is not None:
            self.flush()
        result = func(*args, **kwargs)
        self._last = name, func, args, kwargs, result
        self._results.append(result)  # keeps the Python object, by whose `id` it is known
        return result

    def flush(self) -> None:
        """Record the last call."""
        call, self._last = self._last, None
        if call is not None:
            self._record(*call)
