"""What operations give: several results go by their own names, and what stays as it was is said to."""

from __future__ import annotations

from tests.explain.explained import line
from tests.worker.recording import Forker
from tutor.explain import plain

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
        "square · c = a.square() = 4",
        "neg · s = a.neg() = -2",
        "mul · parts[0] = a * 2 = 2 × 2 = 4",
        "mul · parts[1] = a * a = 2 × 2 = 4",
        "chunk · wanted = torch.arange(6).chunk(3) = [0 1], [2 3] and [4 5]",
        "split · first, second = torch.arange(4).split(2) = [0 1] and [2 3]",
        "max · best = torch.arange(4).max(dim=0) = 3 and 3",
        "split · torch.arange(4).split(2) = [0 1] and [2 3]",
        "add · a + 1 = 2 + 1 = 3",
        "mul_ · (a + 1).mul_(3) · t: 3 → 9",
    ]


STAYS = """\
import torch
scores = torch.tensor([7, 7])
scores[0] = 7.5
scores.mul_(1)
scores[1] = 9
many = torch.ones(900, 2)
many[0] = 1
aside = torch.tensor(2.0, requires_grad=True).square()
aside.data += 1
"""


def test_what_is_written_and_changes_nothing_stays(record: Forker) -> None:
    run = record(STAYS)
    steps = [run.op(code) for code in ("scores[0]", "scores.mul_(1)", "scores[1]", "many[0]")]
    assert ["".join(text for text, _ in line(run.timeline, step)) for step in steps] == [
        "setitem · scores[0] = 7.5 · scores stays [7 7]",
        "mul_ · scores.mul_(1) · scores stays [7 7]",
        "setitem · scores[1] = 9 · scores: [7 7] → [7 9]",
        "setitem · many[0] = 1 · many: 1 … 1 (mean 1 ± 0)",
    ]
    aside = run.op("aside.data += 1")
    assert " · aside.data: 5 · .data is the same memory" in "".join(text for text, _ in line(run.timeline, aside))
    assert plain(run.timeline, steps[0]) == "setitem: scores[0] = 7.5; scores stays [7 7]"
