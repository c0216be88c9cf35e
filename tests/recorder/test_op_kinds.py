"""What kind of call each function of torch is, its name, and whether it writes to an argument."""

from __future__ import annotations

import operator
import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from tutor.recorder import op_kinds
from tutor.recorder.op_kinds import composite, is_inplace, kind_of, op_name, statistics

Tensor: Any = torch.Tensor
PLAIN = [torch.add, Tensor.mul, Tensor.__rsub__, Tensor.__getitem__, F.linear, torch.tensor, Tensor.detach,
         Tensor.T.__get__, torch.ops.aten.add_.Tensor]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "functions"),
    [
        (op_kinds.PLAIN, PLAIN),
        (op_kinds.IGNORE, [Tensor.size, Tensor.dim, Tensor.stride, Tensor.shape.__get__, Tensor.requires_grad.__get__,
                           torch.is_grad_enabled]),
        (op_kinds.BACKWARD, [Tensor.backward, torch.autograd.backward, torch.autograd.grad]),
        (op_kinds.LEAVES, [Tensor.item, Tensor.tolist, Tensor.numpy]),
        (op_kinds.GRAD_READ, [Tensor.grad.__get__]),
        (op_kinds.SET_GRAD, [Tensor.grad.__set__]),
        (op_kinds.SET_DATA, [Tensor.data.__set__]),
        (op_kinds.META, [Tensor.requires_grad_, Tensor.retain_grad, Tensor.requires_grad.__set__]),
        (op_kinds.HOOK, [Tensor.register_hook, Tensor.register_post_accumulate_grad_hook]),
        (op_kinds.OUTSIDE, [torch.as_tensor, torch.frombuffer]),
        (op_kinds.RESHAPE, [Tensor.resize_, Tensor.t_, Tensor.unsqueeze_, Tensor.set_]),
        (op_kinds.STATISTICS, [F.batch_norm, F.instance_norm]),
        (op_kinds.POINTER, [Tensor.data_ptr, Tensor.untyped_storage]),
        (op_kinds.CONVERTING, [Tensor.__bool__, Tensor.__float__, Tensor.__len__, Tensor.__format__]),
        (op_kinds.PARTS, [Tensor.values, Tensor._indices]),
    ],
)  # fmt: skip
def test_kinds(kind: int, functions: list[Any]) -> None:
    assert [kind_of(function) for function in functions] == [kind] * len(functions)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (torch.add, "add"), (Tensor.__rsub__, "rsub"), (Tensor.__getitem__, "getitem"),
        (Tensor.grad.__set__, "set_grad"),
        (Tensor.T.__get__, "T"), (torch.ops.aten.add_.Tensor, "add_"), (torch._foreach_add_, "foreach_add_"),
    ],
)  # fmt: skip
def test_names(function: Any, name: str) -> None:
    assert op_name(function) == name


@pytest.mark.parametrize(
    ("function", "kwargs", "writes"),
    [
        (Tensor.add, {}, False),
        (Tensor.add_, {}, True),
        (Tensor.__iadd__, {}, True),
        (Tensor.__add__, {}, False),
        (Tensor.__setitem__, {}, True),
        (Tensor.__invert__, {}, False),
        (torch.add, {"out": torch.ones(1)}, True),
        (torch.add, {"out": None}, False),
        (Tensor.grad.__set__, {}, True),
        (operator.index, {}, False),
    ],
)
def test_which_write_by_their_name(function: Any, kwargs: dict[str, Any], writes: bool) -> None:
    assert is_inplace(function, kwargs) is writes


def test_statistics_that_a_normalisation_writes_to() -> None:
    mean, var, x = torch.zeros(2), torch.ones(2), torch.ones(3, 2)
    assert statistics(F.batch_norm, (x, mean, var), {}) == []
    assert [*map(id, statistics(F.batch_norm, (x, mean, var), {"training": True}))] == [id(mean), id(var)]
    assert [*map(id, statistics(F.batch_norm, (x, mean, var, None, None, True), {}))] == [id(mean), id(var)]
    assert [*map(id, statistics(F.instance_norm, (x, mean, var), {}))] == [id(mean), id(var)]
    assert statistics(F.instance_norm, (x, None, None), {}) == []


class Composites(TorchFunctionMode):
    """Notes of each call the composite that it is in."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int, str | None]] = []
        self.learner = sys._getframe(1)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append((op_name(func), *composite(sys._getframe(1), self.learner)))
        return func(*args, **(kwargs or {}))


def test_what_stands_around_a_call() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    layer, optimizer = torch.nn.Linear(2, 2), torch.optim.SGD([x], lr=0.1)
    x.grad = torch.ones(2, 2)
    with Composites() as mode:
        x.exp()
        layer(x)
        torch.nn.init.zeros_(layer.weight)
        torch.func.grad(lambda t: t.sin().sum())(torch.ones(2))
        optimizer.step()
    around = {name: (depth, parent) for name, depth, parent in mode.seen}
    assert around["exp"] == (0, None)
    assert around["linear"] == (0, None)  # of torch's own module, whose call is the learner's
    assert around["zero_"] == (1, "zeros_")
    assert around["sin"] == (1, "torch.func.grad")
    assert around["add_" if "add_" in around else "foreach_add_"][1] == "SGD.step"
