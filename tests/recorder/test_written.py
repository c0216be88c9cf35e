"""Which of its arguments a call of torch writes to."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tutor.recorder.written import written_by

Tensor, ATEN = torch.Tensor, torch.ops.aten
A, B, C, D = (torch.ones(2) for _ in range(4))


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "written"),
    [
        (Tensor.add, (A, B), {}, []),
        (Tensor.add_, (A, B), {}, [A]),
        (Tensor.__iadd__, (A, B), {}, [A]),
        (Tensor.__setitem__, (A, 0, B), {}, [A]),
        (torch.add, (A, B), {"out": C}, [C]),
        (torch.max, (A, 0), {"out": (C, D)}, [(C, D)]),
        (ATEN.add_.Tensor, (A, B), {}, [A]),
        (ATEN.add.out, (A, B), {"out": C}, [C]),
        (torch._foreach_add_, ([A, B], 1), {}, [[A, B]]),
        (ATEN.native_batch_norm.default, (A, B, B, C, D, True, 0.1, 1e-5), {}, [C, D]),
    ],
)
def test_what_is_written_to(function: Any, args: Any, kwargs: dict[str, Any], written: list[Any]) -> None:
    found = list(written_by(function).among(args, kwargs))
    assert len(found) == len(written)
    assert all(one is other or one == other for one, other in zip(found, written, strict=True))
