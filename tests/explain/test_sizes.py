"""Mistakes of shapes, of dtypes and of counts, as a learner makes them: what is said is true and mends it."""

from __future__ import annotations

import pytest

from tests.explain.test_mistakes import Mistake, failures, script
from tests.worker.recording import Forker, Recording
from tutor.explain import cause, explanation

WRONG = [
    Mistake("a product of matrices", """
        x, W = torch.ones(3, 4), torch.ones(3, 2)
        x @ W
        """, ("`x @ W` multiplies x (shape 3×4) by W (shape 3×2)", "columns (4)", "rows (3)", "x.T would fit")),
    Mistake("the second the wrong way round", """
        x, W = torch.ones(3, 4), torch.ones(2, 4)
        torch.matmul(x + 1, W)
        """, ("x + 1 (shape 3×4) by W (shape 2×4)", "W.T would fit")),
    Mistake("no way round", """
        x, W = torch.ones(3, 4), torch.ones(5, 6)
        x.mm(W)
        """, ("columns (4) as the second has rows (5).",)),
    Mistake("a layer", """
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
        net(torch.ones(5, 2))
        """, ("net[0] takes 3 numbers in each row", "shape 5×2, so 2 in each", "nn.Linear(2, 4)")),
    Mistake("a layer that is given a product", """
        layer, x = torch.nn.Linear(3, 2), torch.ones(5, 2)
        layer(x * 2)
        """, ("layer takes 3 numbers in each row", "x * 2 has shape 5×2, so 2 in each", "nn.Linear(2, 2)")),
    Mistake("element by element", """
        a, b = torch.ones(2, 3), torch.ones(4)
        a + b
        """, ("a (shape 2×3) and b (shape 4) do not go together", "Here 3 meets 4")),
    Mistake("element by element in a loss", """
        torch.nn.functional.l1_loss(torch.ones(3), torch.ones(2))
        """, ("torch.ones(3) (shape 3) and torch.ones(2) (shape 2) do not go together", "Here 3 meets 2")),
    Mistake("the gradient given", """
        w = torch.ones(3, requires_grad=True)
        y = w * 2
        y.backward(torch.ones(2))
        """, ("the shape of y: [3], not [2]",)),
    Mistake("a tensor of tensors", """
        w = torch.ones(2, requires_grad=True)
        rows = [w * 2, w * 3]
        torch.tensor(rows)
        """, ("`torch.tensor(rows)` makes a tensor of plain numbers", "torch.stack(rows)")),
    Mistake("a number of two", """
        t = torch.ones(2)
        float(t)
        """, ("t has 2 elements, shape 2", "t[0].item()", "t.tolist()")),
    Mistake("one gradient too few", """
        class Times(torch.autograd.Function):
            @staticmethod
            def forward(ctx, a, b):
                return a * b
            @staticmethod
            def backward(ctx, g):
                return g
        a, b = (torch.tensor(2.0, requires_grad=True) for _ in range(2))
        Times.apply(a, b).backward()
        """, ("backward of Times must return", "2, not 1", "None for those")),
    Mistake("classes as floats", """
        target = torch.tensor([0., 1.])
        torch.nn.functional.cross_entropy(torch.zeros(2, 3), target)
        """, ("target is float32", "as int64", "target.long()")),
    Mistake("rows by numbers that are not whole", """
        table = torch.nn.Embedding(5, 3)
        table(torch.tensor([1.0, 2.0]))
        """, ("`table(torch.tensor([1.0, 2.0]))` looks elements up by their number", ".long()")),
    Mistake("a range that is to require gradients", """
        n = torch.arange(3)
        n.requires_grad_()
        """, ("`n.requires_grad_()` asks for gradients of whole numbers", "dtype=torch.float32", ".float()")),
    Mistake("what another node has kept", """
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        h = x * 2
        y = h * h
        h += 1
        y.sum().backward()
        """, ("`h += 1` on line", "changed h in place, which MulBackward0 of y has kept"), "h += 1"),
    Mistake("a view of what was kept", """
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        kept = x.exp()
        part = kept[0:1]
        part += 1
        kept.sum().backward()
        """, ("changed part in place, and kept with it, which ExpBackward0 has kept",), "part += 1"),
    Mistake("numbers added up", """
        w = torch.tensor(1.0, requires_grad=True)
        total = 0
        for x in (1.0, 2.0):
            error = (w * x - 2) ** 2
            total += error.item()
        total.backward()
        """, ("total is a plain Python number since `error.item()` on line", "Leave that call out"), "error.item()"),
    Mistake("retained too late", """
        x = torch.tensor(2.0, requires_grad=True)
        h = x * 3
        (h ** 2).backward()
        h.retain_grad()
        h.grad * 2
        """, ("h keeps its gradient from the backward passes after h.retain_grad(), and none has reached it since",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def wrong(record: Forker) -> Recording:
    return record(script([mistake.code for mistake in WRONG]))


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[mistake.name for mistake in WRONG])
def test_what_is_wrong_and_how_to_mend_it(wrong: Recording, number: int) -> None:
    step = failures(wrong, len(WRONG))[number]
    said = explanation(wrong.timeline, step)
    assert said is not None, wrong.timeline.event(step)
    for words in WRONG[number].says:
        assert words in said
    assert said.endswith(".")
    made = cause(wrong.timeline, step)
    if WRONG[number].cause is not None:
        assert made is not None
        assert wrong.code(made) == WRONG[number].cause
