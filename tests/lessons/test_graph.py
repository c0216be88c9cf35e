"""The lessons about the graph: the figures of the curriculum."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tests.lessons.plainly import run


def nodes_of(tensor: torch.Tensor) -> list[str]:
    """The operations behind a tensor, each once, from the end."""
    found: dict[Any, str] = {}
    ahead: list[Any] = [tensor.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in found:
            found[node] = node.name()
            ahead += [before for before, _ in node.next_functions]
    return [name for name in found.values() if "AccumulateGrad" not in name]


def test_two_paths() -> None:
    names = run("graph/two-paths").names
    x, w, a, b, y = (names[name] for name in "xwaby")
    assert (a.item(), b.item(), y.item()) == (3, 2, 6)
    assert [tensor.is_leaf for tensor in (x, w, a, b, y)] == [True, True, False, False, False]
    assert [tensor.grad_fn.name() for tensor in (a, b, y)] == ["AddBackward0", "AddBackward0", "MulBackward0"]
    assert (w.grad.item(), x.grad.item()) == (5, 2)
    with pytest.warns(UserWarning, match="not a leaf"):
        assert (a.grad, b.grad, y.grad) == (None, None, None)


def test_dynamic_makes_another_graph_each_time() -> None:
    names = run("graph/dynamic").names
    assert names["up"].grad.item() == 3
    assert nodes_of(names["y"]) == nodes_of(names["z"]) == ["MulBackward0"]
    assert names["q"].item() == 2**5
    assert len(nodes_of(names["q"])) == 4


def test_who_requires_grad() -> None:
    names = run("graph/who-requires-grad").names
    marked = {name: names[name].requires_grad for name in ("w", "c", "mixed", "plain", "quiet", "cut", "fast", "y")}
    assert [name for name, marks in marked.items() if marks] == ["w", "mixed", "y"]
    assert [names[name].is_leaf for name in ("w", "c", "mixed", "plain")] == [True, True, False, True]
    assert names["again"].requires_grad
    assert names["late"] is None


def test_saved_is_let_go() -> None:
    names = run("graph/saved").names
    assert names["v"].grad.item() == 2
    assert names["x"].grad.item() == pytest.approx(math.exp(2), rel=1e-4)
    with pytest.raises(RuntimeError, match="already been freed"):
        _ = names["e"].grad_fn._saved_result
    assert names["product"].grad_fn._saved_self is names["x"]
    assert names["product"].grad_fn._saved_other is names["w"]


def test_volatile_only_warns() -> None:
    with pytest.warns(UserWarning, match="volatile was removed and now has no effect"):
        made = torch.autograd.Variable(torch.ones(2), volatile=True)
    assert (torch.ones(2, requires_grad=True) * made).requires_grad
