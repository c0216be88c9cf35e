"""Record the parts of torch's composites: the operations that `cross_entropy` or `linear` call in C++.

A function mode sees a composite as one call, a dispatch mode the calls below autograd. One is put around these
composites only, as it makes some others (`einsum`, `reshape`) build another graph than in a plain run. The tests
compare the graphs with and without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn import Parameter

from tutor.recorder.call_sites import CallSite, OpSite, SourceRecorder
from tutor.recorder.op_kinds import PLAIN
from tutor.recorder.torch_private import DisableTorchFunction, DispatchMode, may_dispatch, schema_of

_WHOLE = frozenset({torch.Tensor, Parameter})
_is_tracing: Any = torch.jit.is_tracing  # type: ignore[attr-defined]
_SILENT = frozenset({
    "detach", "alias", "lift_fresh", "scalar_tensor", "empty", "empty_like", "new_empty", "local_scalar_dense",
})  # fmt: skip
"""Calls that torch makes for itself."""

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
        name = schema_of(func).name.rpartition("::")[2].lstrip("_").removesuffix("_forward")
        if name in _SILENT:
            return func(*args, **(kwargs or {}))
        self.flush()
        result = func(*args, **(kwargs or {}))
        self._last = name, func, args, kwargs or {}, result
        self._results.append(result)  # keeps the Python object, by whose `id` it is known
        return result

    def flush(self) -> None:
        """Record the last call."""
        call, self._last = self._last, None
        if call is not None:
            self._record(*call)
