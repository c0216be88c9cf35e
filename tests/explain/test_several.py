"""Several results of one statement: each goes by its own name, or by none."""

from __future__ import annotations

from tests.worker.recording import Forker
from tutor.explain import line

SCRIPT = """\
import torch
a = torch.tensor(2.0)
c, s = a.square(), a.neg()
parts = [a * 2, a * a]
wanted = torch.arange(6).chunk(3)
first, second = torch.arange(4).split(2)
best = torch.arange(4).max(dim=0)
lone = torch.arange(4).split(2)[0]
t = (a + 1).mul_(3)
"""


def test_each_result_has_its_name(record: Forker) -> None:
    run = record(SCRIPT)
    assert run.status == 0, run.stderr
    said = ["".join(text for text, _ in line(run.timeline, step)) for step in run.steps_of("op")]
    assert [text for text in said if not text.startswith(("arange", "tensor"))] == [
        "square · c = a.square() = 4.0",
        "neg · s = a.neg() = -2.0",
        "mul · parts[0] = a * 2 = 2.0 × 2 = 4.0",
        "mul · parts[1] = a * a = 2.0 × 2.0 = 4.0",
        "chunk · wanted = torch.arange(6).chunk(3) = [0 1], [2 3] and [4 5]",
        "split · first, second = torch.arange(4).split(2) = [0 1] and [2 3]",
        "max · best = torch.arange(4).max(dim=0) = 3 and 3",
        "split · torch.arange(4).split(2) = [0 1] and [2 3]",
        "add · a + 1 = 2.0 + 1 = 3.0",
        "mul_ · (a + 1).mul_(3) · t: 3.0 → 9.0",
    ]
