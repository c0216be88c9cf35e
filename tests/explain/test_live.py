"""Values of simple expressions at a point."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker, Recording
from tutor.explain.expressions import evaluate

SCRIPT = """\
import torch
lr = 0.5
whole = -2.0
w = torch.tensor([1.0, 2.0], requires_grad=True)
s = torch.tensor(3.0, requires_grad=True)
ws = [w, s]
(w.sum() * s).backward()
"""


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    return record(SCRIPT)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("s.item()", "3"), ("s", "3"), (" w.grad ", "[3 3]"), ("w.grad.tolist()", "[3 3]"),
        ("s.grad.item()", "3"), ("w.shape", "[2]"), ("s.shape", "[]"), ("w.device", "cpu"),
        ("w.dtype", "torch.float32"), ("s.requires_grad", "True"), ("s.is_leaf", "True"), ("lr", "0.5"),
        ("ws[1].item()", "3"), ("w.data", "[1 2]"),
        ("whole", "-2"), ("nothing", None), ("w + 1", None), ("lr.grad", None), ("w.grad.grad", None), ("", None),
        ("__import__('os')", None),
    ],
)  # fmt: skip
def test_live(run: Recording, expression: str, expected: str | None) -> None:
    assert evaluate(run.end, expression) == expected


def test_before_the_pass(run: Recording) -> None:
    before = run.timeline.state(run.line(7))
    assert evaluate(before, "s.grad") == "None"
    assert evaluate(before, "s.grad.item()") is None
    assert evaluate(run.timeline.state(0), "s") is None
