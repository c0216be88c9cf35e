"""What an autograd node saves for its backward, in terms of the operation's own tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.autograd.graph import saved_tensors_hooks

from tests.recorder.parts import Parts
from tutor.recorder import torch_private
from tutor.recorder.saved import INPUT, OUTPUT, OWN, saved_by_function, saved_by_operation

W = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
X = torch.ones(2, 2)


def saved(parts: Parts, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return saved_by_operation(function(*args, **kwargs), args, kwargs, parts.graph.number_of)


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (torch.mul, (W, X), ("MulBackward0", [("other", INPUT, 1, 0)], [True, False])),
        (torch.mul, (W, W), ("MulBackward0", [("other", INPUT, 0, 0), ("self", INPUT, 0, 0)], [True, True])),
        (torch.exp, (W,), ("ExpBackward0", [("result", OUTPUT, 0, 0)], [True])),
        (torch.matmul, (X, W), ("MmBackward0", [("self", INPUT, 0, 0)], [False, True])),
        (F.gelu, (W,), ("GeluBackward0", [("self", INPUT, 0, 0)], [True])),
        (torch.cat, ([X, W],), None),
        (torch.add, (W, 1), None),
        (torch.prod, (W,), ("ProdBackward0", [("result", OUTPUT, 0, 0), ("self", INPUT, 0, 0)], [True])),
        (torch.stack, ([W, X],), None),
    ],
)  # fmt: skip
def test_whose_it_is(parts: Parts, function: Any, args: Any, expected: Any) -> None:
    found = saved(parts, function, *args)
    assert (found if found is None else (found[0], sorted(found[1]), found[2])) == expected
    assert found is None or found[3] == []


def test_what_an_operation_makes_for_itself_has_its_bytes(parts: Parts) -> None:
    name, tensors, _, _ = saved(parts, lambda w: torch.max(w, 0)[0], W)
    assert (name, tensors) == ("MaxBackward0", [("indices", OWN, 1, 16)])


def test_views_of_one_memory_are_told_apart(parts: Parts) -> None:
    first, second = W[0], W[1]
    found = saved_by_operation(first * second, (first, second), {}, parts.graph.number_of)
    assert found is not None
    assert sorted(found[1]) == [("other", INPUT, 1, 0), ("self", INPUT, 0, 0)]


def test_lists_and_keywords_have_their_places(parts: Parts) -> None:
    condition = torch.tensor([[True, False], [False, True]])
    found = saved_by_operation(torch.where(condition, W, X), (condition, W, X), {}, parts.graph.number_of)
    assert found is not None
    assert found[1] == [("condition", INPUT, 0, 0)]
    found = saved_by_operation(torch.mul(W, other=X), (W,), {"other": X}, parts.graph.number_of)
    assert found is not None
    assert found[1] == [("other", INPUT, 1, 0)]
    found = saved_by_operation(
        torch.index_put(W, [torch.tensor([0])], X[0]), (W, [torch.tensor([0])], X[0]), {}, parts.graph.number_of
    )
    assert found is not None
    assert [name for name, *_ in found[1]] == ["indices"]


def test_nodes_inside_an_operation(parts: Parts) -> None:
    name, tensors, needing, inner = saved(parts, lambda w: (w * w).exp(), W)
    assert (name, tensors, needing) == ("ExpBackward0", [("result", OUTPUT, 0, 0)], [True])
    assert inner == [("MulBackward0", [True, True], [("other", INPUT, 0, 0), ("self", INPUT, 0, 0)])]
    before = W * 2
    parts.tensors.serial(before)  # its node is known, so it is not inside
    assert saved(parts, torch.exp, before)[3] == []


@pytest.mark.skipif(torch_private._top_hooks is None, reason="this torch does not tell of hooks outside a recording")
def test_nothing_is_read_where_hooks_of_the_learners_would_run(parts: Parts) -> None:
    def refuse(tensor: Any) -> Any:
        raise AssertionError("the learner's code was run")

    y = W * X
    with saved_tensors_hooks(lambda tensor: tensor, refuse):
        assert saved_by_operation(y, (W, X), {}, parts.graph.number_of) is None


class Scale(torch.autograd.Function):
    """One of the learner's."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        made = factor * 2
        ctx.save_for_backward(x, None, made)
        return x * factor

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        return gradients[0], None


def test_a_function_of_ones_own(parts: Parts) -> None:
    y = Scale.apply(W, X)  # type: ignore[no-untyped-call]
    parts.tensors.serial(W)

    def number_of(tensor: torch.Tensor) -> int | None:
        return 1 if tensor is W else None

    inputs, tensors = saved_by_function(y, number_of)
    assert inputs == [1]
    assert tensors == [("saved_tensors[0]", INPUT, 0, 0), ("saved_tensors[2]", OWN, 1, 16)]
    found = saved_by_operation(y, (W, X), {}, parts.graph.number_of)
    assert found is not None
    assert found[1] == [("saved_tensors[0]", INPUT, 0, 0), ("saved_tensors[2]", OWN, 1, 16)]
    y.sum().backward()
    assert saved_by_function(y, number_of) == ([], [])
