"""Writes that torch refuses: what they would write into is named, and the fixes are typed in."""

from __future__ import annotations

import pytest

from tests.explain.fixes import Mistake, fixed, recorded
from tests.worker.recording import Forker, Recording
from tutor.explain import cause, explanation

NO_GRAD = "inside `with torch.no_grad():`"
CASES = [
    Mistake("+= on a leaf", """
        x = torch.ones(3, requires_grad=True)
        x += 1
        """, ("x is a leaf that requires grad, and `x += 1`", NO_GRAD), fixes=(
            (("x += 1", "with torch.no_grad(): x += 1"),),
        )),
    Mistake("a leaf in a list", """
        params = [torch.ones(3, requires_grad=True)]
        params[0] -= 1
        """, ("params[0] is a leaf that requires grad", NO_GRAD), fixes=(
            (("params[0] -= 1", "with torch.no_grad(): params[0] -= 1"),),
        )),
    Mistake("a parameter in forward", """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.w = nn.Parameter(torch.ones(2))
            def forward(self, x):
                self.w *= 0.9
                return x * self.w
        Net()(torch.ones(2)).sum().backward()
        """, ("self.w is a leaf that requires grad", NO_GRAD), fixes=(
            (("self.w *= 0.9", "with torch.no_grad(): self.w *= 0.9"),),
        )),
    Mistake("a leaf by a function", """
        x = torch.ones(3, requires_grad=True)
        torch.relu_(x)
        """, ("x is a leaf that requires grad, and `torch.relu_(x)`", "`x = torch.relu(x)`"), fixes=(
            (("torch.relu_(x)", "x = torch.relu(x)"),),
        )),
    Mistake("a leaf by inplace=True", """
        x = torch.ones(3, requires_grad=True)
        y = F.relu(x, inplace=True)
        """, ("x is a leaf that requires grad", "`F.relu(x)`"), fixes=((("F.relu(x, inplace=True)", "F.relu(x)"),),)),
    Mistake("a leaf by a layer", """
        x = torch.ones(3, requires_grad=True)
        net = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 1))
        net(x)
        """, ("x is a leaf that requires grad, and `net(x)`", "inplace=True", "`net(x.clone())`"), fixes=(
            (("net(x)", "net(x.clone())"),), (("ReLU(inplace=True)", "ReLU()"),),
        )),
    Mistake("a view of a leaf", """
        x = torch.ones(3, requires_grad=True)
        v = x[:2]
        v += 1
        """, ("`v += 1` writes into v, a view of x, which is a leaf", NO_GRAD), fixes=(
            (("v = x[:2]\n        v += 1", "with torch.no_grad():\n            v = x[:2]\n            v += 1"),),
        )),
    Mistake("an element of a leaf", """
        x = torch.ones(3, requires_grad=True)
        x[0] += 1
        """, ("`x[0] += 1` writes into x, a leaf that requires grad", NO_GRAD), fixes=(
            (("x[0] += 1", "with torch.no_grad(): x[0] += 1"),),
        )),
    Mistake("a diagonal of a leaf", """
        w = torch.zeros(3, 3, requires_grad=True)
        w.diagonal().fill_(1.0)
        """, ("a view of w, which is a leaf", NO_GRAD), fixes=(
            (("w.diagonal()", "with torch.no_grad(): w.diagonal()"),),
        )),
    Mistake("rows in a loop", """
        y = torch.ones(3, 2, requires_grad=True) * 1
        for row in y:
            row += 1
        """, ("row is one of several views that one operation gave", "`for row in y`", "`row = row + 1`"), fixes=(
            (("row += 1", "row = row + 1"),),
        )),
    Mistake("what unbind gave", """
        a, b = torch.unbind(torch.ones(2, 2, requires_grad=True) * 2)
        a.mul_(2)
        """, ("a is one of several views that one operation gave", "`a = a.mul(2)`"),
        "torch.unbind(torch.ones(2, 2, requires_grad=True) * 2)", None, ((("a.mul_(2)", "a = a.mul(2)"),),)),
    Mistake("an element of what split gave", """
        first, second = (torch.ones(4, 2, requires_grad=True) * 2).split(2)
        first[0] = 0.0
        """, ("first is one of several views", "`first = first.clone()` before that"), fixes=(
            (("first[0]", "first = first.clone()\n        first[0]"),),
        )),
    Mistake("what chunk gave, through a layer", """
        a, b = torch.chunk(torch.ones(4, 2, requires_grad=True) * 2, 2, dim=1)
        act = nn.ReLU(inplace=True)
        act(a)
        """, ("a is one of several views", "`a = a.clone()` before that"), fixes=(
            (("act(a)", "a = a.clone()\n        act(a)"),),
        )),
    Mistake("a view made under no_grad", """
        base, w = torch.zeros(3), torch.ones(1, requires_grad=True)
        with torch.no_grad():
            v = base[:1]
        v.mul_(w)
        """, ("v is a view that was made under no_grad (`base[:1]` on line", "Make the view outside of that block too"),
        "base[:1]", None, (
            (("with torch.no_grad():\n            v = base[:1]", "v = base[:1]"),),
            (("v = base[:1]\n        v.mul_(w)", "v = base[:1]\n            v.mul_(w)"),),
        )),
    Mistake("what inference_mode made, written to", """
        with torch.inference_mode():
            x = torch.ones(3)
        x.add_(1)
        """, ("x was made in torch.inference_mode()", "`x = x.clone()`", "torch.no_grad()"), fixes=(
            (("x.add_(1)", "x = x.clone()\n        x.add_(1)"),), (("inference_mode", "no_grad"),),
        )),
    Mistake("what inference_mode made, in a graph", """
        with torch.inference_mode():
            x = torch.ones(3)
        w = torch.ones(3, requires_grad=True)
        (w * x).sum().backward()
        """, ("x was made in torch.inference_mode(), and `w * x` would have to keep it", "`x.clone()`"), fixes=(
            (("w * x", "w * x.clone()"),), (("inference_mode", "no_grad"),),
        )),
    Mistake("what expand stretched", """
        x = torch.ones(1, 3).expand(2, 3)
        x += 1
        """, ("Several elements of x are one place in memory", "`x = x.clone()`"),
        "torch.ones(1, 3).expand(2, 3)", None, ((("x += 1", "x = x.clone()\n        x += 1"),),)),
]  # fmt: skip


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    return recorded(record, CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_would_be_written_into_is_told(run: Recording, case: Mistake) -> None:
    step = run.steps_of("failed")[CASES.index(case)]
    said = explanation(run.timeline, step)
    assert said is not None, run.timeline.event(step)
    for words in case.says:
        assert words in said, said
    assert said.endswith(".")
    made = cause(run.timeline, step)
    if case.cause is not None:
        assert made is not None
        assert run.code(made) == case.cause


def test_the_fixes_are_fixes(record: Forker) -> None:
    fixed(record, CASES)
